"""Properties of every score of every family, at the edges too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special, stats
from score_cases import FAMILIES, TABLE, L, M, held_out, rows, score, scorer

from regpath.families import Binomial, Multinomial
from regpath.scoring import available

SEEDS = st.integers(0, 2**32 - 1)
BY_ROW = [(case, name) for case, name in TABLE if name not in ("r2", "auc", "c_index")]
BY_ROW = [(case, name) for case, name in BY_ROW if case not in ("cox", "efron")]


# Efron's treatment of ties counts rows, not weights.
@pytest.mark.parametrize(("case", "name"), [row for row in TABLE if row != ("efron", "deviance")])
@given(seed=SEEDS)
def test_weights_are_replications(case, name, seed):
    held = held_out(case, seed, m=12)
    times = np.random.default_rng(seed).integers(1, 4, 12)
    repeated = replace(rows(held, np.repeat(np.arange(12), times)), weights=np.ones(times.sum()))
    expected = score(case, name, replace(held, weights=times.astype(float)))
    assert_allclose(score(case, name, repeated), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("case", "name"), TABLE)
@given(seed=SEEDS)
def test_order_and_scale_of_the_rows_do_not_matter(case, name, seed):
    held = held_out(case, seed, m=12)
    expected = score(case, name, held)
    mixed = rows(held, np.random.default_rng(seed).permutation(12))
    assert_allclose(score(case, name, mixed), expected, rtol=1e-9, atol=1e-12)
    if not scorer(case, name).needs_training:  # where the scale is shared with other rows
        for scale in (1e-200, 7.0, 1e200):
            scaled = replace(held, weights=held.weights * scale)
            assert_allclose(score(case, name, scaled), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("case", "name"), TABLE)
@given(seed=SEEDS)
def test_rows_without_weight_are_not_looked_at(case, name, seed):
    held = held_out(case, seed, m=12)
    expected = score(case, name, held)
    more = rows(held, np.concatenate([np.arange(12), [3, 4, 5]]))
    more.weights[12:] = 0.0
    more.eta[12:] = np.array([np.nan, np.inf, -np.inf]).reshape(3, *(1,) * (more.eta.ndim - 1))
    more.y[12:] = np.nan
    judge = scorer(case, name)
    assert_array_equal(score(case, name, more), expected)
    assert judge.weight(more) == judge.weight(held)
    losses = judge.by_row(more)
    if losses is not None:
        assert_array_equal(losses[:12], judge.by_row(held))
        assert not losses[12:].any()


@pytest.mark.parametrize(("case", "name"), TABLE)
def test_models_are_judged_one_by_one(case, name):
    held, training, judge = held_out(case), held_out(case, 1), scorer(case, name)
    together = judge.score(held, training)
    assert together.shape == (L,)
    for k in range(L):
        one, known = (replace(part, eta=part.eta[..., [k]]) for part in (held, training))
        assert_allclose(judge.score(one, known), together[[k]], rtol=1e-13)


@pytest.mark.parametrize(("case", "name"), TABLE)
def test_nothing_is_modified_and_read_only_arrays_will_do(case, name):
    held = held_out(case)
    for array in (held.y, held.weights, held.eta):
        array.flags.writeable = False
    training = held_out(case, 1)
    expected = scorer(case, name).score(held_out(case), training)
    assert_array_equal(scorer(case, name).score(held, training), expected)
    turned = replace(held, eta=np.asfortranarray(held.eta))
    assert_allclose(scorer(case, name).score(turned, training), expected, rtol=1e-13)


@pytest.mark.parametrize(("case", "name"), TABLE)
def test_a_score_is_the_weighted_mean_of_its_losses(case, name):
    held, judge = held_out(case), scorer(case, name)
    losses = judge.by_row(held)
    assert (losses is not None) == ((case, name) in BY_ROW)
    if losses is not None:
        assert losses.shape == (M, L)
        assert (losses >= 0).all()
        expected = np.average(losses, axis=0, weights=held.weights)
        assert_allclose(score(case, name, held), expected, rtol=1e-13)
        assert judge.weight(held) == held.weights.sum()


@pytest.mark.parametrize(("case", "name"), [("logit", "auc"), ("proportions", "auc"), ("cox", "C")])
@given(seed=SEEDS)
def test_scores_of_order(case, name, seed):
    held = held_out(case, seed, m=12)
    found = score(case, name, held)
    assert ((found >= 0) & (found <= 1)).all()
    turned = score(case, name, replace(held, eta=-held.eta))
    assert_allclose(turned, 1 - found, atol=1e-14)
    assert_array_equal(score(case, name, replace(held, eta=np.sinh(held.eta) - 3)), found)
    assert_allclose(score(case, name, replace(held, eta=0 * held.eta)), 0.5, rtol=1e-14)


PERFECT = {
    "gaussian": lambda y: y,
    "huber": lambda y: y,
    "custom": lambda y: y,
    "multigaussian": lambda y: y,
    "poisson": np.log,
    "gamma": np.log,
    "tweedie": np.log,
    "logit": lambda y: 1000 * (2 * y - 1),
    "probit": lambda y: 1000 * (2 * y - 1),
    "proportions": special.logit,
    "multinomial": lambda y: 1000 * y,
    "shares": lambda y: np.log(y) + 7,
}


@pytest.mark.parametrize("case", PERFECT)
def test_a_perfect_fit(case):
    held = held_out(case)
    y = np.abs(held.y) + 0.5 if case in ("poisson", "tweedie") else held.y
    y = np.clip(y, 0.25, 0.75) if case == "proportions" else y
    y = (y + 0.1) / (y + 0.1).sum(axis=1, keepdims=True) if case == "shares" else y
    held = replace(held, y=y, eta=PERFECT[case](y)[..., None])
    for name in set(available(FAMILIES[case])) - {"auc", "r2"}:
        if case not in ("proportions", "shares") or name in ("deviance", "mse", "mae", "brier"):
            assert_allclose(score(case, name, held), 0.0, atol=2e-15)
    if "r2" in available(FAMILIES[case]):
        assert_allclose(score(case, "r2", held), 1.0, rtol=1e-14)


# ---------------------------------------------------------------------------------- far predictors


@pytest.mark.parametrize("name", ["log_loss", "deviance"])
def test_logarithms_of_far_predictors(name):
    factor = 2 if name == "deviance" else 1
    held = held_out("logit", m=2, y=np.array([0.0, 1.0]), weights=np.ones(2))
    held = replace(held, eta=np.array([[1e4, -60.0, 1e300], [-1e4, 60.0, -1e300]]))
    expected = factor * np.array([1e4, np.exp(-60.0), 1e300])
    assert_allclose(score("logit", name, held), expected, rtol=1e-14)
    eta = np.stack([np.zeros_like(held.eta), held.eta], axis=1)
    several = replace(held, family=Multinomial(), y=np.eye(2), eta=eta + 5)
    expected[1] = score("multinomial", name, several)[1]
    assert_allclose(expected[1], factor * np.exp(-60.0), rtol=1e-12)
    assert_allclose(score("multinomial", name, several), expected, rtol=1e-12)
    held = replace(held, eta=np.array([[40.0, -10.0], [-40.0, 10.0]]))
    expected = factor * -stats.norm.logcdf([-40.0, 10.0])
    assert_allclose(score("probit", name, replace(held, family=Binomial("probit"))), expected)


@pytest.mark.parametrize("case", ["poisson", "gamma", "tweedie"])
def test_means_beyond_the_floats_are_infinitely_wrong(case):
    held = held_out(case, m=3, y=np.array([1.0, 2.0, 4.0]), weights=np.ones(3))
    held = replace(held, eta=np.full((3, 1), 3000.0))
    # The gamma deviance grows like 2 eta, the others like the mean.
    expected = 2 * (3000.0 - 1 - np.log(8) / 3) if case == "gamma" else np.inf
    assert_allclose(score(case, "deviance", held), expected, rtol=1e-14)
    assert score(case, "mse", held) == score(case, "mae", held) == np.inf
    assert score(case, "r2", held) == -np.inf
    held = replace(held, eta=np.full((3, 1), -3000.0))
    # 2 (y log(y / m) - y) for poisson, with m = 0.
    expected = 2 * np.mean(held.y * (np.log(held.y) + 2999)) if case == "poisson" else np.inf
    assert_allclose(score(case, "deviance", held), expected, rtol=1e-14)
    assert_allclose(score(case, "mae", held), 7 / 3, rtol=1e-14)


def test_the_deviance_of_cox_does_not_depend_on_a_shift_however_far():
    held, training, judge = held_out("cox"), held_out("cox", 1), scorer("cox", None)
    expected = judge.score(held, training)
    for shift in (-2000.0, 2000.0):
        moved = (replace(part, eta=part.eta + shift) for part in (held, training))
        assert_allclose(judge.score(*moved), expected, rtol=1e-9)
    apart = (replace(part, eta=part.eta * 1e4) for part in (held, training))
    assert_array_equal(judge.score(*apart), np.inf)


def test_clipped_probabilities_are_those_of_glmnet():
    held = held_out("logit")
    held = replace(held, eta=held.eta * 20)
    p = np.clip(special.expit(held.eta), 1e-5, 1 - 1e-5)
    y = held.y[:, None]
    expected = held.weights @ -(y * np.log(p) + (1 - y) * np.log(1 - p)) / held.weights.sum()
    assert_allclose(score("logit", "log_loss", held, clip=1e-5), expected, rtol=1e-9)
    assert_allclose(score("logit", "deviance", held, clip=1e-5), 2 * expected, rtol=1e-9)
    held = held_out("shares")
    held = replace(held, eta=held.eta * 20)
    p = np.clip(special.softmax(held.eta, axis=1), 1e-5, 1 - 1e-5)
    losses = special.xlogy(held.y, held.y).sum(1)[:, None] - (held.y[:, :, None] * np.log(p)).sum(1)
    expected = held.weights @ (2 * losses) / held.weights.sum()
    assert_allclose(score("shares", "deviance", held, clip=1e-5), expected, rtol=1e-9)
    assert (score("shares", "deviance", held) > expected).any()


# ------------------------------------------------------------------------ nothing to be judged by


@pytest.mark.parametrize(("case", "name"), TABLE)
def test_without_rows_of_positive_weight_there_is_no_score(case, name):
    held = held_out(case)
    assert np.isnan(score(case, name, replace(held, weights=np.zeros(M)))).all()
    assert np.isnan(score(case, name, rows(held, slice(0)))).all()
    assert scorer(case, name).weight(replace(held, weights=np.zeros(M))) == 0.0


@pytest.mark.parametrize("y", [0.0, 1.0])
def test_one_class_has_no_auc(y):
    held = held_out("logit", y=np.full(M, y))
    assert np.isnan(score("logit", "auc", held)).all()
    assert np.isfinite(score("logit", "log_loss", held)).all()


def test_a_constant_has_no_r2():
    held = held_out("gaussian", y=np.full(M, 0.1))
    assert np.isnan(score("gaussian", "r2", held)).all()
    held = held_out("multigaussian")
    held.y[:, 1] = 0.1
    assert np.isnan(score("multigaussian", "r2", held)).all()


def test_without_events_there_is_nothing_to_compare():
    held = held_out("cox")
    held.y[:, 2] = 0.0
    assert np.isnan(score("cox", "c_index", held)).all()
    assert np.isnan(score("cox", "deviance", held)).all()
    training = held_out("cox", 1)
    training.y[:, 2] = 0.0  # whose own deviance is 0
    assert np.isfinite(scorer("cox", None).score(held_out("cox"), training)).all()

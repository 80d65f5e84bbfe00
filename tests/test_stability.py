"""Selection frequencies over resamples."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csc_array

import regpath

LAMBDAS = np.geomspace(3.0, 0.05, 15)


@pytest.fixture
def data(rng):
    X = rng.standard_normal((80, 30))
    return X, X[:, :3] @ [2.0, -2.0, 1.0] + rng.standard_normal(80)


def naive(X, y, halves, **options):
    """Frequencies by one fit of the rows of each half."""
    counts, come = np.zeros((X.shape[1], LAMBDAS.size)), []
    for rows in halves:
        used = regpath.lasso_path(X[rows], y[rows], lambdas=LAMBDAS, **options).coefs != 0.0
        counts += used
        come.append([used[:, : k + 1].any(axis=1).sum() for k in range(LAMBDAS.size)])
    return counts / len(halves), np.mean(come, axis=0)


def test_frequencies_are_those_of_single_fits(data):
    X, y = data
    stable = regpath.stability_path(X, y, n_resamples=6, lambdas=LAMBDAS, random_state=3)
    rng, halves = np.random.default_rng(3), []
    for _ in range(3):
        order = rng.permutation(80)
        halves += [order[:40], order[40:]]
    frequencies, come = naive(X, y, halves)
    assert_allclose(stable.frequencies, frequencies, rtol=1e-14)
    assert_allclose(stable.mean_selected, come, rtol=1e-14)
    assert_allclose(stable.largest(), frequencies.max(axis=1), rtol=1e-14)
    assert stable.complementary


def test_bootstrap(data):
    X, y = data
    stable = regpath.stability_path(
        X, y, n_resamples=4, kind="bootstrap", lambdas=LAMBDAS, random_state=5
    )
    rng = np.random.default_rng(5)
    frequencies, _ = naive(X, y, [rng.choice(80, 80) for _ in range(4)])
    assert_allclose(stable.frequencies, frequencies)
    with pytest.raises(ValueError, match="subsamples of half"):
        stable.max_false_selections(0.9)


@pytest.mark.parametrize("family", ["binomial", "poisson", "multinomial", "cox"])
def test_families(data, family, rng):
    X, z = data
    y = {
        "binomial": (z > 0).astype(float),
        "poisson": rng.poisson(np.exp(0.3 * z)).astype(float),
        "multinomial": np.digitize(z, [-1.0, 1.0]),
        "cox": np.column_stack([np.exp(-0.3 * z + 0.1), rng.random(80) < 0.8]),
    }[family]
    stable = regpath.stability_path(
        X, y, family=family, n_resamples=4, n_lambdas=8, lambda_min_ratio=0.2, random_state=0
    )
    assert stable.frequencies.shape == (30, 8)
    assert stable.largest().max() == 1.0
    often = stable.frequencies.mean(axis=1)
    assert often[:3].mean() > often[3:].max()


def test_what_does_not_matter(data):
    X, y = data
    options = {"n_resamples": 5, "lambdas": LAMBDAS, "random_state": 1}
    expected = regpath.stability_path(X, y, **options).frequencies
    for n_jobs in (1, 2, 3):
        again = regpath.stability_path(X, y, n_jobs=n_jobs, **options)
        assert_array_equal(again.frequencies, expected)
    assert_array_equal(regpath.stability_path(csc_array(X), y, **options).frequencies, expected)
    before = X.copy(), y.copy()
    regpath.stability_path(X, y, sample_weight=np.ones(80), **options)
    assert_array_equal(X, before[0])
    assert_array_equal(y, before[1])


def test_rules(data):
    stable = regpath.stability_path(*data, n_resamples=20, lambdas=LAMBDAS, random_state=0)
    top = stable.largest()
    assert_array_equal(stable.selected(0.8), np.flatnonzero(top >= 0.8))
    bound = stable.max_false_selections(0.8)
    assert_allclose(bound, stable.mean_selected**2 / (0.6 * 30))
    count = int((bound <= 1.0).sum())
    assert 0 < count < LAMBDAS.size
    few = stable.selected(0.8, max_false=1.0)
    assert_array_equal(few, np.flatnonzero(stable.largest(count) >= 0.8))
    assert set(few) == {0, 1, 2}
    assert stable.selected(0.8, max_false=0.0).size == 0
    assert "20 subsamples" in repr(stable)


def test_early_ends_keep_what_is_selected(data):
    options = {"n_resamples": 4, "lambdas": LAMBDAS, "random_state": 0}
    sums = regpath.stability_path(*data, max_features=2, **options).frequencies.sum(axis=0)
    assert 1.0 <= sums[-1] <= sums.max() <= 2.0
    whole = regpath.stability_path(*data, **options).frequencies.sum(axis=0)
    first = int(np.argmax(whole > 2.0))
    assert_array_equal(sums[: first - 1], whole[: first - 1])
    assert (np.diff(sums[first:]) == 0.0).sum() >= LAMBDAS.size - first - 3


def test_picture(data):
    pytest.importorskip("matplotlib")
    stable = regpath.stability_path(*data, n_resamples=4, lambdas=LAMBDAS, random_state=0)
    assert stable.plot().figure is not None


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"n_resamples": 0}, "at least 1"),
        ({"n_resamples": 2.5}, "an integer"),
        ({"kind": "jackknife"}, "'subsample' or 'bootstrap'"),
        ({"sample_fraction": 1.0}, "between 0 and 1"),
        ({"sample_fraction": "half"}, "a number"),
        ({"sample_fraction": 0.001}, "of 80 rows of positive weight some resample would have 1;"),
        ({"sample_weight": np.eye(80)[0]}, "of 1 rows .* would have 0; at least 2"),
        ({"sample_weight": np.eye(80)[:3].sum(axis=0)}, "of 3 rows .* would have 1; at least 2"),
        ({"sample_weight": np.eye(80)[0], "kind": "bootstrap"}, "would have 1; at least 2"),
        ({"kind": "bootstrap", "sample_fraction": 0.3}, "as many rows as there are; leave it out"),
        ({"resamples": 3}, "did you mean 'n_resamples'"),
        ({"l1_ratio": 0.0}, "selects every feature"),
        ({"time_budget": 1.0}, "different length"),
        ({"n_jobs": 0}, "at least 1"),
        ({"random_state": "seed"}, "random_state"),
    ],
)
def test_refusals(data, options, match):
    with pytest.raises((TypeError, ValueError), match=match):
        regpath.stability_path(*data, **options)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"threshold": "a"}, TypeError),
        ({"threshold": True}, TypeError),
        ({"threshold": np.nan}, ValueError),
        ({"max_false": np.nan}, ValueError),
        ({"max_false": -1.0}, ValueError),
        ({"max_false": "a"}, TypeError),
    ],
    ids=str,
)
def test_limits_that_are_none(data, options, kind):
    stable = regpath.stability_path(*data, n_resamples=2, lambdas=LAMBDAS, random_state=0)
    with pytest.raises(kind, match=rf"StabilityPath.selected\({next(iter(options))}="):
        stable.selected(**options)


@pytest.mark.parametrize("threshold", [0.5, 1.1])
def test_thresholds(data, threshold):
    stable = regpath.stability_path(*data, n_resamples=2, lambdas=LAMBDAS, random_state=0)
    with pytest.raises(ValueError, match=r"\(0.5, 1\]"):
        stable.selected(threshold)


def test_a_resample_without_a_class():
    y = np.array([0, 0, 0, 0, 0, 1])
    with pytest.raises(ValueError, match=r"resample \d has no row of class 1"):
        regpath.stability_path(
            np.eye(6), y, family="binomial", kind="subsample", sample_fraction=0.5, random_state=0
        )

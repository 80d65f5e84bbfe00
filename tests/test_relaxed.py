"""Relaxed paths: refits against numpy and against lambda = 0, limits, blends, errors."""

from __future__ import annotations

import dataclasses
import time
import warnings

import numba
import numpy as np
import pytest
from clocks import Clock
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

import regpath
from regpath import Status, families
from regpath._inputs import check_design
from regpath._refits import _gathered
from regpath.designs import Dense
from regpath.solvers.geometry import measure
from regpath.solvers.subsets import Subsets

N, P = 80, 7
TOL = 1e-10


def matrix(rng, n=N, p=P):
    X = rng.standard_normal((n, p)) * np.geomspace(0.5, 4.0, p) + np.linspace(-1.0, 1.0, p)
    X[np.abs(X) < 0.3] = 0.0
    return X


def responses(rng, X):
    eta = 0.6 * (X[:, 0] - X[:, 0].mean()) - 0.2 * (X[:, 3] - X[:, 3].mean())
    noise = rng.standard_normal(len(X))
    return {
        "gaussian": 3.0 + 2.0 * eta + noise,
        "huber": 3.0 + 2.0 * eta + noise,
        "binomial": (eta + rng.logistic(size=len(X)) > 0.0).astype(int),
        "poisson": rng.poisson(np.exp(eta)),
        "gamma": np.exp(eta) * rng.gamma(3.0, size=len(X)),
        "tweedie": rng.poisson(np.exp(eta)) * rng.gamma(2.0, size=len(X)),
        "multinomial": np.digitize(eta + noise, [-0.5, 0.5]),
        "multigaussian": np.column_stack([eta + noise, 1.0 - eta]),
        "cox": np.column_stack([rng.exponential(np.exp(-eta)) + 0.01, rng.random(len(X)) < 0.7]),
    }


FAMILIES = [
    "gaussian",
    families.Huber(0.8),
    "binomial",
    families.Binomial(link="probit"),
    "poisson",
    "gamma",
    "tweedie",
    "multinomial",
    families.Multinomial(grouped=True),
    "multigaussian",
    "cox",
]


def name_of(family):
    return family if isinstance(family, str) else family.name


def least_squares(X, y, active, *, weights=None, offset=0.0, intercept=True):
    """Intercept and coefficients on some columns."""
    root = np.sqrt(np.ones(len(y)) if weights is None else weights)
    columns = np.column_stack([np.full(len(y), float(intercept)), X[:, active]])
    found = np.linalg.lstsq(columns * root[:, None], (y - offset) * root)[0]
    return found[0] * intercept, found[1:]


# ----------------------------------------------------------------------------- the gaussian refits


@pytest.mark.parametrize("storage", [np.asarray, sparse.csc_array])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("given", [(), ("sample_weight",), ("offset",), ("penalty_factor",)])
def test_refits_are_least_squares_on_the_active_columns(rng, storage, intercept, given):
    X = matrix(rng)
    y = responses(rng, X)["gaussian"]
    options = {
        "sample_weight": rng.uniform(0.0, 2.0, N) * (np.arange(N) % 9 > 0),
        "offset": rng.standard_normal(N),
        "penalty_factor": np.array([1.0, 2.0, 0.0, 1.0, np.inf, 0.5, 1.0]),
    }
    options = {name: options[name] for name in given}
    path = regpath.enet_path(
        storage(X), y, l1_ratio=0.8, n_lambdas=20, fit_intercept=intercept, **options
    )
    relaxed = regpath.relax(path, storage(X), y)
    free = np.arange(P) == 2 if "penalty_factor" in given else np.zeros(P, bool)
    for k in range(20):
        active = (path.coefs[:, k] != 0.0) | free
        b0, b = least_squares(
            X,
            y,
            active,
            weights=options.get("sample_weight"),
            offset=options.get("offset", 0.0),
            intercept=intercept,
        )
        assert_allclose(relaxed.coefs[active, k], b, rtol=1e-9, atol=1e-10)
        assert_allclose(relaxed.intercepts[k], b0, rtol=1e-9, atol=1e-10)
        assert not relaxed.coefs[~active, k].any()
    assert relaxed.dual_gaps.max() < 1e-20
    assert set(relaxed.statuses) == {Status.CONVERGED}


def test_badly_conditioned_columns_are_refitted_to_the_accuracy_of_the_data(rng):
    X = matrix(rng)
    X[:, 1] = X[:, 0] + 1e-4 * rng.standard_normal(N)  # the pivot is about 1e-8
    y = X @ np.ones(P) + 1e-3 * rng.standard_normal(N)
    path = regpath.lasso_path(X, y, lambdas=[1e-9], tol=1e-12)
    assert path.n_nonzero[0] == P
    b0, b = least_squares(X, y, np.ones(P, bool))
    relaxed = regpath.relax(path, X, y)
    assert_allclose(relaxed.coefs[:, 0], b, rtol=1e-9)
    assert_allclose(relaxed.intercepts[0], b0, rtol=1e-9)


@pytest.mark.parametrize("storage", [np.asarray, sparse.csc_array])
def test_dependent_columns_have_the_coefficients_of_least_norm(rng, storage):
    X = matrix(rng)
    X = np.column_stack([X, X[:, 0], X[:, 1] + X[:, 2]])
    y = responses(rng, X)["gaussian"]
    path = regpath.enet_path(storage(X), y, l1_ratio=0.1, lambdas=[1e-3])
    assert path.n_nonzero[0] == P + 2
    relaxed = regpath.relax(path, storage(X), y)
    scale = X.std(axis=0)
    b = np.linalg.lstsq((X - X.mean(axis=0)) / scale, y - y.mean(), rcond=1e-10)[0] / scale
    assert_allclose(relaxed.coefs[:, 0], b, rtol=1e-7, atol=1e-10)
    again = regpath.relax(path, storage(X), y)
    assert_array_equal(again.coefs, relaxed.coefs)


@pytest.mark.parametrize("storage", [np.asarray, sparse.csc_array])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0])
def test_as_many_features_as_rows_interpolate(rng, storage, l1_ratio):
    X = storage(matrix(rng, 12, 40))
    y = rng.standard_normal(12)
    path = regpath.enet_path(X, y, l1_ratio=l1_ratio, n_lambdas=30, lambda_min_ratio=1e-5)
    relaxed = regpath.relax(path, X, y)
    assert path.n_nonzero[-1] >= 11
    assert np.isfinite(relaxed.coefs).all()
    assert all(status.ok for status in relaxed.statuses)
    assert_allclose(relaxed.predict(X, path.lambdas[-1]), y, atol=1e-5)
    assert relaxed.dev_ratio[-1] == pytest.approx(1.0, abs=1e-10)


def test_a_constant_column_without_penalty_has_no_coefficient(rng):
    X = matrix(rng)
    X[:, 2] = 5.0
    y = responses(rng, X)["gaussian"]
    path = regpath.lasso_path(X, y, n_lambdas=10, penalty_factor=np.where(np.arange(P) == 2, 0, 1))
    relaxed = regpath.relax(path, X, y)
    assert not relaxed.coefs[2].any()
    _, b = least_squares(X, y, path.coefs[:, -1] != 0.0)
    assert_allclose(relaxed.coefs[path.coefs[:, -1] != 0.0, -1], b, rtol=1e-9)


# ------------------------------------------------------------------------------------ all families


@pytest.mark.parametrize("storage", [np.asarray, sparse.csc_array])
@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_refits_are_fits_at_lambda_0_with_the_other_features_excluded(rng, family, storage):
    X = matrix(rng)
    y = responses(rng, X)[name_of(family)]
    options = {
        "family": family,
        "tol": TOL,
        "sample_weight": rng.uniform(0.5, 2.0, N),
        "offset": 0.1 * rng.standard_normal(N),
    }
    factor = np.array([1.0, 1.0, 0.0, 1.0, np.inf, 1.0, 1.0])
    grid = {"n_lambdas": 6, "lambda_min_ratio": 0.1, "penalty_factor": factor}
    path = regpath.fit_path(storage(X), y, **grid, **options)
    relaxed = regpath.relax(path, storage(X), y)
    assert all(status.ok for status in relaxed.statuses)
    assert relaxed.dual_gaps.max() <= TOL
    assert (relaxed.dev_ratio >= path.dev_ratio - 1e-9).all()
    sizes = set()
    for k in range(6):
        used = (path.coefs[..., k] != 0.0).reshape(-1, P).any(axis=0)
        sizes.add(used.sum())
        alone = regpath.fit_path(
            X,
            y,
            lambdas=[0.0],
            penalty_factor=np.where(used | (factor == 0.0), factor, np.inf),
            **options,
        )
        eta = relaxed.predict(X, path.lambdas[k], type="link", offset=options["offset"])
        expected = alone.predict(X, 0.0, type="link", offset=options["offset"])
        if name_of(family) == "multinomial":  # known up to a number for all classes
            eta, expected = (e - e.mean(axis=1, keepdims=True) for e in (eta, expected))
            assert_allclose(relaxed.coefs[..., k].sum(axis=0), 0.0, atol=1e-12)
        assert_allclose(eta, expected, atol=2e-4)
        assert_allclose(relaxed.dev_ratio[k], alone.dev_ratio[0], atol=1e-9)
        assert not relaxed.coefs[..., ~used & (factor != 0.0), k].any()
    assert len(sizes) > 1


NEWTON = [f for f in FAMILIES if name_of(f) not in ("gaussian", "multigaussian")]
NEWTON.remove(families.Multinomial(grouped=True))


def with_supports(path, supports):
    """The path with ones where a feature of some sets is, one set a lambda."""
    coefs = np.zeros((path.coef_storage.shape[0], len(supports)), order="F")
    for k, support in enumerate(supports):
        coefs[np.asarray(support, int), k] = 1.0
    return dataclasses.replace(path, coef_storage=coefs)


@pytest.mark.parametrize("family", NEWTON, ids=str)
def test_refits_begin_where_the_one_before_ended(rng, family):
    X = matrix(rng, 150, 12)
    y = responses(rng, X)[name_of(family)]
    path = regpath.fit_path(X, y, family=family, n_lambdas=30)
    relaxed = regpath.relax(path, X, y)
    used = [(path.coefs[..., k] != 0.0).reshape(-1, 12).any(axis=0) for k in range(30)]
    alone, seen = 0, set()
    for k, active in enumerate(used):
        if active.tobytes() in seen:
            assert relaxed.n_iters[k] == 0
            continue
        seen.add(active.tobytes())
        factor = np.where(active, 1.0, np.inf)
        fresh = regpath.fit_path(X, y, family=family, lambdas=[0.0], penalty_factor=factor)
        alone += fresh.n_iters.sum()
    assert len(seen) > 5
    assert relaxed.n_iters.sum() < 0.9 * alone


def test_sets_that_contain_one_that_separates_need_no_steps(rng):
    X = rng.standard_normal((60, 200))
    y = X[:, :5].sum(axis=1) + rng.logistic(size=60) > 0.0
    path = regpath.fit_path(X, y, family="binomial", n_lambdas=40)
    relaxed = regpath.relax(path, X, y)
    separated = np.array([status is Status.SEPARATED for status in relaxed.statuses])
    assert separated.sum() > 15
    assert relaxed.n_iters[separated].sum() < separated.sum()


@pytest.mark.parametrize("storage", [np.asarray, sparse.csc_array])
@pytest.mark.parametrize("family", NEWTON, ids=str)
def test_refits_do_not_depend_on_the_ones_before(rng, family, storage):
    """Sets that grow, shrink, share nothing with the one before, and come back."""
    X = matrix(rng)
    y = responses(rng, X)[name_of(family)]
    sets = [[], [0], [0, 3, 5], [1, 2], [0, 1, 2, 3, 4, 5, 6], [4], [], [0, 3, 5], [3, 6]]
    options = {"family": family, "tol": TOL, "penalty_factor": np.where(np.arange(P) == 2, 0, 1)}
    path = regpath.fit_path(X, y, lambdas=np.geomspace(1.0, 0.1, len(sets)), **options)
    path = with_supports(path, sets)
    relaxed = regpath.relax(path, storage(X), y)
    assert relaxed.dual_gaps.max() <= TOL
    assert relaxed.n_iters[-2] == 0
    for k, one in enumerate(sets):
        alone = regpath.relax(with_supports(path, [one] * len(sets)), X, y)
        assert_allclose(relaxed.coefs[..., k], alone.coefs[..., k], atol=1e-4)
        assert_allclose(relaxed.intercepts[..., k], alone.intercepts[..., k], atol=1e-4)
        assert_allclose(relaxed.dev_ratio[k], alone.dev_ratio[k], atol=1e-9)
        assert not np.delete(relaxed.coefs[..., k], [*one, 2], axis=-1).any()


def test_a_set_after_one_that_separates_the_classes(rng):
    X = matrix(rng)
    noisy = X[:, 0] + 0.1 * rng.standard_normal(N)
    X[:, 6] = noisy + 3.0 * rng.standard_normal(N)
    y = noisy > noisy.mean()
    X[:, 1] = noisy
    path = regpath.fit_path(X, y, family="binomial", lambdas=[0.3, 0.2, 0.1, 0.05])
    relaxed = regpath.relax(with_supports(path, [[1], [1, 3], [6], [3, 6]]), X, y)
    kinds = [Status.SEPARATED] * 2 + [Status.CONVERGED] * 2
    assert list(relaxed.statuses) == kinds
    alone = regpath.relax(with_supports(path, [[6]] * 4), X, y)
    assert_allclose(relaxed.coefs[:, 2], alone.coefs[:, 2], rtol=1e-3)


@pytest.mark.parametrize("seed", [24, 40, 69, 71])
def test_a_refit_that_fails_from_the_one_before_begins_at_the_null_model(seed):
    """Classes that are nearly separated, with few rows: rounding decides who gets there."""
    rng = np.random.default_rng(seed)
    X = matrix(rng, 25, 7)
    y = responses(rng, X)["multinomial"]
    path = regpath.fit_path(X, y, family="multinomial", lambdas=[1.0, 0.5])
    relaxed = regpath.relax(with_supports(path, [[0, 1, 2, 3, 4, 6], np.arange(7)]), X, y)
    assert all(status.ok for status in relaxed.statuses)
    assert relaxed.dual_gaps.max() <= 1e-6


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
def test_limits_hold_for_the_refits(rng, family):
    X = matrix(rng)
    y = responses(rng, X)[family]
    lower, upper = np.where(np.arange(P) < 4, -0.05, 0.0), np.full(P, 0.2)
    options = {"family": family, "lower": lower, "upper": upper, "tol": TOL}
    path = regpath.fit_path(X, y, n_lambdas=10, **options)
    relaxed = regpath.relax(path, X, y)
    assert (relaxed.coefs >= lower[:, None]).all()
    assert (relaxed.coefs <= upper[:, None]).all()
    assert relaxed.coefs.max() == 0.2
    factor = np.where(path.coefs[:, -1] != 0.0, 1.0, np.inf)
    alone = regpath.fit_path(X, y, lambdas=[0.0], penalty_factor=factor, **options)
    assert_allclose(relaxed.coefs[:, -1], alone.coefs[:, 0], atol=1e-5)


def test_separated_classes_end_at_finite_coefficients_and_say_so(rng):
    X = matrix(rng)
    y = X[:, 0] > X[:, 0].mean()
    path = regpath.fit_path(X, y, family="binomial", n_lambdas=10, lambda_min_ratio=0.1)
    relaxed = regpath.relax(path, X, y)
    assert Status.SEPARATED not in path.statuses
    assert relaxed.statuses[0] is Status.CONVERGED
    assert relaxed.statuses[-1] is Status.SEPARATED
    assert np.isfinite(relaxed.coefs).all()
    assert relaxed.dev_ratio[-1] > 1.0 - 1e-5
    assert_array_equal(relaxed.predict(X, path.lambdas[-1], type="class"), y)


def test_dense_and_sparse_agree(rng):
    X = matrix(rng, 60, 30)
    for family in ("gaussian", "binomial"):
        y = responses(rng, X)[family]
        path = regpath.fit_path(X, y, family=family, n_lambdas=12, lambda_min_ratio=0.4, tol=1e-12)
        dense, other = (regpath.relax(path, Z, y) for Z in (X, sparse.csr_array(X)))
        assert_allclose(other.coefs, dense.coefs, atol=1e-5 if family == "binomial" else 1e-11)


def test_single_precision_and_integers(rng):
    X = rng.integers(-3, 4, (N, P)).astype(np.int8)
    y = responses(rng, X)["gaussian"]
    path = regpath.lasso_path(X, y, n_lambdas=15)
    expected = regpath.relax(path, X.astype(float), y)
    for dtype in (np.int8, np.float32):
        assert_allclose(regpath.relax(path, X.astype(dtype), y).coefs, expected.coefs, atol=1e-12)


# ------------------------------------------------------------------------------ what it gives back


@pytest.fixture
def prostate():
    X, y, names, _ = regpath.datasets.load_prostate()
    path = regpath.lasso_path(X, y, n_lambdas=30)
    return X, y, names, path, regpath.relax(path, X, y)


def test_blends(prostate):
    X, _, _, path, relaxed = prostate
    assert_array_equal(relaxed.coefs_at(1.0), path.coefs)
    assert_array_equal(relaxed.coefs_at(0.0), relaxed.coefs)
    assert_array_equal(relaxed.predict(X, gamma=1.0), path.predict(X))
    for gamma in (0.25, np.float32(0.5), 1):
        mix = gamma * path.coefs + (1 - gamma) * relaxed.coefs
        assert_allclose(relaxed.coefs_at(gamma), mix, rtol=1e-12)
        b0 = gamma * path.intercepts + (1 - gamma) * relaxed.intercepts
        assert_allclose(relaxed.intercepts_at(gamma), b0, rtol=1e-12)
        eta = gamma * path.predict(X) + (1 - gamma) * relaxed.predict(X)
        assert_allclose(relaxed.predict(X, gamma=gamma), eta, rtol=1e-10)
    between = 0.3 * path.lambdas[4] + 0.7 * path.lambdas[5]
    expected = 0.3 * relaxed.coefs_at(0.25)[:, 4] + 0.7 * relaxed.coefs_at(0.25)[:, 5]
    assert_allclose(relaxed.coef_at(between, 0.25), expected, rtol=1e-10)
    b0 = 0.3 * relaxed.intercepts[4] + 0.7 * relaxed.intercepts[5]
    assert relaxed.intercept_at(between) == pytest.approx(b0, rel=1e-10)
    assert relaxed.coef_at(path.lambdas[:3], 0.5).shape == (8, 3)


def test_blends_of_several_outputs_and_of_both_storages(rng):
    X = matrix(rng, 40, 200)
    Y = np.column_stack([X[:, 0] + rng.standard_normal(40), X[:, 1]])
    path = regpath.fit_path(X, Y, family="multigaussian", n_lambdas=5, lambda_min_ratio=0.3)
    relaxed = regpath.relax(path, X, Y)
    assert relaxed.coefs.shape == (2, 200, 5)
    assert relaxed.predict(X, path.lambdas[2], gamma=0.5).shape == (40, 2)
    assert sparse.issparse(path.coef_storage)
    mix = 0.5 * path.coefs + 0.5 * relaxed.coefs
    assert_allclose(relaxed.coefs_at(0.5), mix, rtol=1e-12)
    turned = dataclasses.replace(relaxed, coef_storage=relaxed.coef_storage.toarray())
    assert_allclose(turned.coefs_at(0.5), mix, rtol=1e-12)
    dense = dataclasses.replace(path, coef_storage=path.coef_storage.toarray())
    assert_allclose(dataclasses.replace(relaxed, path=dense).coefs_at(0.5), mix, rtol=1e-12)


def test_it_is_frozen_shortened_and_shown(prostate):
    _, _, _, path, relaxed = prostate
    with pytest.raises(dataclasses.FrozenInstanceError):
        relaxed.dev_ratio = None
    for array in (relaxed.coef_storage, relaxed.intercepts, relaxed.dev_ratio):
        assert not array.flags.writeable
    part = relaxed.shortened(4)
    assert_array_equal(part.coefs, relaxed.coefs[:, :4])
    assert part.lambdas.size == len(part.statuses) == part.dev_ratio.size == 4
    text = repr(relaxed)
    assert "Relaxed: Lasso path, gaussian family: 8 features, 30 lambdas" in text
    assert "every refit reached tol=1e-06" in text
    assert f"{100 * relaxed.dev_ratio[1]:.2f}" in text
    with pytest.raises(ValueError, match="intercepts has shape"):
        dataclasses.replace(relaxed, intercepts=np.zeros(3))
    assert relaxed.lambdas is path.lambdas


def test_the_data_are_left_alone(prostate):
    X, y, _, path, _ = prostate
    X, y = X.copy(), y.copy()
    X.flags.writeable = y.flags.writeable = False
    regpath.relax(path, X, y)


def test_a_path_of_no_features_and_one_lambda():
    X, y = np.array([[1.0], [2.0], [4.0]]), np.array([1.0, 0.0, 3.0])
    for family in ("gaussian", "poisson"):
        path = regpath.fit_path(X, y, family=family, lambdas=[np.inf])
        relaxed = regpath.relax(path, X, y)
        assert_allclose(relaxed.intercepts, path.intercepts, rtol=1e-6)
        assert not relaxed.coefs.any()
        assert relaxed.dev_ratio[0] == pytest.approx(0.0, abs=1e-9)


# ----------------------------------------------------------------------------------- time budgets


@pytest.mark.parametrize("share", [1e-9, 0.4, 0.7])
@pytest.mark.parametrize("family", ["gaussian", "poisson", "multinomial", "multigaussian"])
def test_refits_end_with_the_time_budget(rng, monkeypatch, family, share):
    X = matrix(rng)
    y = responses(rng, X)[family]
    path = regpath.fit_path(X, y, family=family, n_lambdas=30)
    whole = regpath.relax(path, X, y)
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    assert_array_equal(regpath.relax(path, X, y, time_budget=1e9).coefs, whole.coefs)
    cut = regpath.relax(path, X, y, time_budget=share * clock.now)
    size = cut.lambdas.size
    assert size == 1 if share < 0.1 else 1 < size < 30
    assert cut.path.lambdas.size == len(cut.statuses) == size
    assert cut.statuses[-1] is Status.TIME_BUDGET
    assert cut.statuses[:-1] == whole.statuses[: size - 1]
    assert_array_equal(cut.coefs, whole.coefs[..., :size])
    assert_array_equal(cut.dual_gaps, whole.dual_gaps[:size])
    assert "time_budget" in repr(cut).splitlines()[-1]
    assert cut.predict(X).shape == (*whole.predict(X).shape[:-1], size)


def test_a_refit_that_is_out_of_time_is_dropped(rng, monkeypatch):
    X = matrix(rng)
    y = responses(rng, X)["poisson"]
    path = regpath.fit_path(X, y, family="poisson", n_lambdas=30)
    whole = regpath.relax(path, X, y)
    third = np.flatnonzero(whole.n_iters)[2]
    from regpath.solvers.prox_newton import ProxNewtonSolver

    real, calls, late = ProxNewtonSolver._step, [], []
    # Time is up within the third refit that takes steps, after one of them.
    most = whole.n_iters[:third].sum() + 1

    def step(self, target):
        calls.append(1)
        if len(calls) == most:
            late.append(True)
        return real(self, target)

    monkeypatch.setattr(ProxNewtonSolver, "_step", step)
    monkeypatch.setattr(time, "monotonic", lambda: 1e9 if late else 0.0)
    cut = regpath.relax(path, X, y, time_budget=60.0)
    assert whole.n_iters[third] > 1
    assert cut.lambdas.size == third
    assert cut.statuses[-1] is Status.TIME_BUDGET
    assert len(calls) == most


# ------------------------------------------------------------------------------------- bad input


def test_errors(prostate):
    X, y, _, path, relaxed = prostate
    for gamma in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match=r"from 0 \(the refits\) to 1"):
            relaxed.predict(X, gamma=gamma)
    for gamma in ("half", True, None, [0.5]):
        with pytest.raises(TypeError, match=r"coef_at\(gamma=.*number from 0 to 1"):
            relaxed.coef_at(0.1, gamma)
    with pytest.raises(ValueError, match="outside of the path"):
        relaxed.coef_at(10.0)
    with pytest.raises(ValueError, match=r"relax\(X=.*7 columns.*fitted to 8"):
        regpath.relax(path, X[:, 1:], y)
    with pytest.raises(ValueError, match=r"relax\(y="):
        regpath.relax(path, X, y[1:])
    with pytest.raises(ValueError, match=r"relax\(time_budget=0\).*seconds > 0"):
        regpath.relax(path, X, y, time_budget=0)
    with pytest.raises(TypeError, match=r"relax\(path="):
        regpath.relax(relaxed, X, y)
    with pytest.raises(ValueError, match="column"):
        regpath.relax(path, np.where(np.eye(97, 8) > 0, np.nan, X), y)


def test_data_of_another_fit_are_refused(rng):
    pandas = pytest.importorskip("pandas")
    X = matrix(rng)
    y = responses(rng, X)["binomial"]
    path = regpath.fit_path(X, y, family="binomial", n_lambdas=3)
    with pytest.raises(ValueError, match="classes"):
        regpath.relax(path, X, y + 1)
    weighted = regpath.fit_path(X, y, family="binomial", n_lambdas=3, sample_weight=np.ones(N))
    with pytest.raises(ValueError, match="sample_weight"):
        regpath.relax(weighted, X[1:], y[1:])
    frame = pandas.DataFrame(X, columns=list("abcdefg"))
    named = regpath.fit_path(frame, y, family="binomial", n_lambdas=3)
    with pytest.raises(ValueError, match="names of the columns"):
        regpath.relax(named, frame[list("bacdefg")], y)
    assert regpath.relax(named, frame, y).coefs.shape == (P, 3)


def test_refits_that_miss_tol_are_told(rng):
    X = matrix(rng)
    y = responses(rng, X)["poisson"]
    path = regpath.fit_path(X, y, family="poisson", lambdas=[0.01])
    strict = dataclasses.replace(path, settings=dataclasses.replace(path.settings, tol=1e-300))
    with pytest.warns(regpath.ConvergenceWarning, match="relax: 1 of 1 refits miss tol=1.0e-300"):
        relaxed = regpath.relax(strict, X, y)
    assert "1 of 1 refits missed tol" in repr(relaxed)


# ------------------------------------------------------------------------------------- properties


@given(seed=st.integers(0, 10**6), family=st.sampled_from(["gaussian", "binomial", "cox"]))
def test_a_refit_explains_no_less_than_the_penalised_fit(seed, family):
    rng = np.random.default_rng(seed)
    X = matrix(rng, 40, 10)
    y = responses(rng, X)[family]
    if family == "binomial" and np.unique(y).size < 2:
        return
    path = regpath.fit_path(X, y, family=family, n_lambdas=10, l1_ratio=0.7)
    with warnings.catch_warnings():  # separable classes may need more digits than there are
        warnings.simplefilter("ignore", regpath.ConvergenceWarning)
        relaxed = regpath.relax(path, X, y)
    assert (relaxed.dev_ratio >= path.dev_ratio - 1e-6).all()
    nonzero = path.coefs != 0.0
    assert not relaxed.coefs[~nonzero].any()


@given(seed=st.integers(0, 10**6), factor=st.sampled_from([1e-6, 1.0, 1e6]))
def test_scales_of_rows_and_of_y(seed, factor):
    rng = np.random.default_rng(seed)
    X = matrix(rng, 30, 6)
    y = responses(rng, X)["gaussian"]
    weights = rng.integers(1, 4, 30)
    path = regpath.lasso_path(X, y, n_lambdas=6, sample_weight=weights)
    relaxed = regpath.relax(path, X, y)
    scaled = regpath.lasso_path(X, factor * y, lambdas=factor * path.lambdas, sample_weight=weights)
    again = regpath.relax(scaled, X, factor * y)
    same = (scaled.coefs != 0.0) == (path.coefs != 0.0)
    assert same.all()
    assert_allclose(again.coefs / factor, relaxed.coefs, rtol=1e-7, atol=1e-9)
    rows = np.repeat(np.arange(30), weights)
    repeated = regpath.lasso_path(X[rows], y[rows], lambdas=path.lambdas)
    assert_allclose(regpath.relax(repeated, X[rows], y[rows]).coefs, relaxed.coefs, atol=1e-9)


@given(seed=st.integers(0, 10**6))
def test_subsets_in_any_order(seed):
    """The factor follows features that enter and leave, and those that depend on others."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((25, 12)), rng.standard_normal(25)
    X[:, 11] = X[:, 0] - X[:, 5]
    weights = np.full(25, 0.04)
    design = Dense(np.ascontiguousarray(X.T))
    geometry = measure(design, y, weights, fit_intercept=True, standardize=True)
    subsets = Subsets(geometry, fit_intercept=True)
    for _ in range(20):
        features = np.flatnonzero(rng.random(12) < 0.6)
        fit = subsets.fit(features)
        if {0, 5, 11} <= set(features):
            assert fit is None
            continue
        coefs = fit.coefs * geometry.response_scale / geometry.scale[features]
        assert_allclose(coefs, least_squares(X, y, features)[1], atol=1e-10)
        assert fit.gap < 1e-25


@pytest.mark.parametrize("storage", [np.asarray, sparse.csc_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int8])
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_gathered_columns_are_of_the_same_type_to_kernels(storage, dtype, index):
    """Else every kernel is compiled once more for them."""
    X = storage(np.eye(5, dtype=dtype))
    if storage is sparse.csc_array:
        parts = X.data, X.indices.astype(index), X.indptr.astype(index)
        X = sparse.csc_array(parts, shape=X.shape)
    design, _, _ = check_design("relax", X)
    some = _gathered(design, np.array([1, 3]))
    assert numba.typeof(some) == numba.typeof(design)

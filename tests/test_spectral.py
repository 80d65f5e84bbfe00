"""Ridge: every route against one naive linear solve."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from functools import partial

import naive
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import sparse

import regpath
from regpath.solvers import spectral

LAMBDAS = np.array([np.inf, 3.0, 0.3, 0.01, 1e-4, 0.0])
TOL = 1e-12

# Shape, storage, limits of the route, and what the path says of it.
ROUTES = {
    "tall": ((40, 9), np.asfortranarray, {}, "Gram matrix"),
    "tall, sparse": ((40, 9), sparse.csc_array, {}, "Gram matrix"),
    "tall, float32": ((40, 9), partial(np.asfortranarray, dtype=np.float32), {}, "Gram matrix"),
    "wide": ((12, 40), np.asfortranarray, {}, "kernel matrix"),
    "wide, sparse": ((12, 40), sparse.csc_array, {}, "Lanczos"),
    "large": ((40, 9), np.asfortranarray, {"LARGEST_EIGEN": 0}, "Lanczos"),
    "large, sparse": ((40, 9), sparse.csc_array, {"LARGEST_EIGEN_SPARSE": 0}, "Lanczos"),
    "large and wide": ((12, 40), np.asfortranarray, {"LARGEST_EIGEN": 0}, "Lanczos"),
}
routes = pytest.mark.parametrize("route", ROUTES)

OPTIONS = {
    "plain": lambda rng, n, p: {},
    "raw": lambda rng, n, p: {"standardize": False, "fit_intercept": False},
    "weights": lambda rng, n, p: {
        "sample_weight": rng.integers(0, 4, n) + (np.arange(n) < 3),
        "offset": rng.standard_normal(n),
    },
    "factors": lambda rng, n, p: {"penalty_factor": mixed_factors(rng, p)},
    "everything": lambda rng, n, p: {
        "sample_weight": rng.integers(0, 4, n) + (np.arange(n) < 5),
        "penalty_factor": mixed_factors(rng, p),
        "standardize": False,
    },
}
options_ = pytest.mark.parametrize("options", OPTIONS)


def mixed_factors(rng, p):
    factors = rng.choice([0.5, 1.0, 3.0], p)
    factors[rng.choice(p, 3, replace=False)] = [0.0, 0.0, np.inf]
    return factors


@pytest.fixture
def enter(monkeypatch):
    """Make a route the one that is taken."""

    def set_limits(limits):
        for name, value in limits.items():
            monkeypatch.setattr(spectral, name, value)

    return set_limits


def draw(seed, shape):
    """Integers that every dtype holds exactly, with columns of unequal spread."""
    rng = np.random.default_rng(seed)
    X = (
        rng.integers(-4, 5, shape)
        * (rng.random(shape) < 0.7)
        * rng.choice([1.0, 2.0, 8.0], shape[1])
    )
    return X, X[:, :3] @ [1.0, -0.5, 0.2] + 2 * rng.standard_normal(shape[0]) + 3, rng


def solve_naively(problem, lambda_):
    """At infinity, least squares on the features without a penalty."""
    if np.isinf(lambda_):
        factor = np.where(problem.factor == 0, 0.0, np.inf)
        problem = replace(problem, factor=factor)
        lambda_ = 1.0
    return naive.ridge(problem, max(lambda_, 1e-300))  # not 0: inf * 0 would exclude nothing


@options_
@routes
@given(seed=st.integers(0, 10_000))
@example(seed=345)  # large, sparse, everything: the path was right, its certificate loose
@example(seed=489)  # as before
def test_every_route_solves_the_normal_equations(enter, route, options, seed):
    shape, storage, limits, why = ROUTES[route]
    enter(limits)
    X, y, rng = draw(seed, shape)
    given_ = OPTIONS[options](rng, *shape)
    path = regpath.ridge_path(storage(X), y, lambdas=LAMBDAS, tol=TOL, **given_)
    assert why in path.info["why"][0]
    assert path.dual_gaps.max() <= TOL
    assert path.certify(X, y).dual_gaps.max() <= 2 * TOL
    problem = naive.make_problem(X, y, l1_ratio=0.0, **given_)
    size = np.sqrt(2 * naive.null_objective(problem))
    for k, lambda_ in enumerate(LAMBDAS):
        b0, coef = solve_naively(problem, lambda_)
        # Predictors of two points with gaps g are within sqrt(8 g null objective) of each other.
        off = problem.X @ (path.coefs[:, k] - coef) + path.intercepts[k] - b0
        assert np.sqrt(problem.weights @ off**2) <= 3 * np.sqrt(TOL) * size
        if 0.1 < lambda_ < np.inf:  # the ridge term makes the coefficients themselves well posed
            assert_allclose(path.coefs[:, k], coef, atol=1e-5 * size)
        expected = naive.objective(problem, lambda_, b0, coef) if np.isfinite(lambda_) else None
        if expected is not None:
            floor = 1e-11 * size**2
            assert path.objectives[k] == pytest.approx(expected, rel=1e-8, abs=floor)
    assert not path.coefs[problem.factor == np.inf].any()


@pytest.mark.parametrize("route", ["wide, sparse", "large", "large, sparse", "large and wide"])
def test_lanczos_stops_as_soon_as_every_lambda_is_done(enter, route):
    shape, storage, limits, _ = ROUTES[route]
    enter(limits)
    X, y, _ = draw(5, shape)
    steps = []
    for lambdas in ([1e3], [1e3, 1.0], [1e3, 1.0, 1e-3]):
        path = regpath.ridge_path(storage(X), y, lambdas=lambdas)
        assert path.dual_gaps.max() <= 1e-6
        steps.append(int(path.info["why"][0].split()[1]))
    # The part of the response that no column reaches is a direction of its own.
    assert steps[0] < steps[1] <= steps[2] <= min(shape[0], shape[1] + 1)


@pytest.mark.parametrize("route", ["wide, sparse", "large and wide"])
def test_lanczos_goes_on_where_there_is_no_penalty_at_all(enter, route):
    shape, storage, limits, _ = ROUTES[route]
    enter(limits)
    X, y, _ = draw(7, shape)
    for lambdas in ([0.0], [np.inf, 0.0]):
        path = regpath.ridge_path(storage(X), y, lambdas=lambdas, tol=1e-9)
        assert path.dual_gaps.max() <= 1e-9
        assert_allclose(path.predict(X)[:, -1], y, atol=1e-4 * np.std(y))  # p > n: a perfect fit


def test_too_few_lanczos_steps_are_not_hidden(enter):
    """The gap is a bound even where the recurrence was cut short."""
    enter({"LARGEST_EIGEN": 0, "MOST_LANCZOS_STEPS": 3})
    X, y, _ = draw(6, (40, 9))
    with pytest.warns(regpath.ConvergenceWarning, match="raise tol"):
        path = regpath.ridge_path(X, y, lambdas=[1e3, 1e-2], tol=1e-9)
    assert [status.ok for status in path.statuses] == [True, False]
    certified = path.certify(X, y).dual_gaps
    assert certified[1] <= path.dual_gaps[1] * (1 + 1e-6)
    problem = naive.make_problem(X, y, l1_ratio=0.0)
    best = naive.objective(problem, 1e-2, *naive.ridge(problem, 1e-2))
    found = naive.objective(problem, 1e-2, path.intercepts[1], path.coefs[:, 1])
    excess = (found - best) / naive.null_objective(problem)
    assert 1e-9 < excess <= path.dual_gaps[1] * (1 + 1e-9)


@routes
def test_lambda_max_is_that_of_a_ratio_of_a_thousandth(enter, route):
    """It depends on gradients only, off the features without a penalty."""
    shape, storage, limits, _ = ROUTES[route]
    enter(limits)
    X, y, rng = draw(7, shape)
    factors = mixed_factors(rng, shape[1])
    path = regpath.ridge_path(storage(X), y, penalty_factor=factors, n_lambdas=2)
    problem = naive.make_problem(X, y, l1_ratio=0.0, penalty_factor=factors)
    b0, coef = solve_naively(problem, np.inf)
    gradient = (
        problem.X.T @ (problem.weights * (problem.y - b0 - problem.X @ coef))
    ) / problem.scale
    used = (factors > 0) & np.isfinite(factors)
    assert path.lambdas[0] == pytest.approx(1e3 * np.max(np.abs(gradient[used]) / factors[used]))


@pytest.mark.filterwarnings("ignore::regpath.ConvergenceWarning")  # an honest miss is no error
@pytest.mark.parametrize("route", ["wide", "large, sparse"])
def test_features_without_a_penalty_and_columns_of_different_scale(enter, route):
    shape, storage, limits, _ = ROUTES[route]
    enter(limits)
    factors = np.r_[0.0, 0.0, np.ones(shape[1] - 2)]
    for seed in range(60):
        rng = np.random.default_rng(seed)
        X = rng.integers(-4, 5, shape) * 10.0 ** rng.integers(-2, 4, shape[1])
        y = rng.standard_normal(shape[0])
        path = regpath.ridge_path(
            storage(X),
            y,
            lambdas=[1.0, 1e-4, 1e-6],
            penalty_factor=factors,
            standardize=False,
        )
        rest = ((y[:, None] - path.predict(X)) ** 2).sum(axis=0)
        ok = [status.ok for status in path.statuses]
        assert_allclose(path.dev_ratio[ok], (1 - rest / path.null_deviance)[ok], atol=1e-6)


@pytest.mark.parametrize("storage", ["dense", "sparse"])
def test_coefficients_are_in_memory_twice_at_most(rng, storage):
    """As the solver leaves them, and as the path keeps them."""
    n, p, n_lambdas = 200, 40_000, 50
    X = sparse.random_array((n, p), density=0.05, rng=rng, format="csc")
    X = X.toarray(order="F") if storage == "dense" else X
    y, lambdas = rng.standard_normal(n), np.geomspace(1.0, 1e-3, n_lambdas)
    regpath.ridge_path(X, y, lambdas=lambdas[:2])
    tracemalloc.start()
    try:
        path = regpath.ridge_path(X, y, lambdas=lambdas)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    result = path.coefs.nbytes
    assert result == 8 * p * n_lambdas
    assert result < peak < 2.5 * result

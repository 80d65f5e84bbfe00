"""Features that are about to enter, and points that are solved together for it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

import regpath
from regpath.penalties import ElasticNet
from regpath.solvers import forecast
from regpath.solvers.forecast import MOST, SHARE, Forecast


class Lines:
    """Gradients that are linear in lambda: at_one_j + slope_j (1 - lambda) for feature j."""

    def __init__(self, at_one, slope):
        self.at_one, self.slope = at_one, slope
        self.gradient = at_one
        no, limit = np.zeros(slope.size), np.full(slope.size, np.inf)
        self.penalty = ElasticNet(no + 1.0, no, -limit, limit, np.ones(2))
        outside = SimpleNamespace(gradient=at_one, reaching=self.reaching)
        self.outside, self.forecast = outside, Forecast(outside, self.penalty)

    def at(self, lambda_):
        return self.at_one + self.slope * (1.0 - lambda_)

    def reaching(self, gradient, share=1.0):
        self.asked = gradient
        return np.flatnonzero(np.abs(gradient) > share * self.penalty.strength[0])

    def entering(self, lambda_, lambdas, size=0):
        self.outside.gradient = self.at(lambda_)
        lambdas = np.asarray(lambdas)
        strengths = np.stack([lambdas, np.zeros(lambdas.size)], axis=1)
        return self.forecast.entering(lambda_, lambdas, strengths, size)


@pytest.fixture
def lines(rng):
    return Lines(rng.uniform(0.0, 0.5, 1000), rng.uniform(-0.5, 0.5, 1000))


def test_a_line_tells_what_enters_some_points_ahead(lines):
    lines.entering(1.0, [0.9])
    count, features = lines.entering(0.9, [0.85, 0.8, 0.7, 0.65, 0.6])
    assert count == MOST == 4
    assert_allclose(lines.asked, lines.at(0.65), rtol=1e-12)
    assert_array_equal(features, np.flatnonzero(np.abs(lines.at(0.65)) > SHARE * 0.65))


def test_nothing_is_foreseen_from_one_point(lines):
    for before in (np.inf, 1.0, 1.0):  # nor from the same one again
        count, _ = lines.entering(before, [0.45, 0.4, 0.35])
        assert count == 1
        assert_array_equal(lines.asked, lines.at(before) if before < np.inf else lines.asked)


def test_too_many_features_halve_the_way(lines, monkeypatch):
    monkeypatch.setattr(forecast, "SHARE_OF_ALL", 0.0)
    lines.entering(1.0, [0.9])
    lines.entering(0.9, [0.8])
    ahead = [0.75, 0.7, 0.5, 0.3]
    few = [np.count_nonzero(np.abs(lines.at(x)) > SHARE * x) for x in ahead]
    assert few[1] <= forecast.FEW < few[3]
    count, features = lines.entering(0.8, ahead)
    assert count == 2
    assert features.size == few[1]


def test_a_line_that_has_gone_astray_is_not_believed(lines):
    lines.entering(1.0, [0.999])
    lines.at_one = lines.at_one + 1e-2 * np.sign(lines.slope)  # a jump: a slope of 10 for all
    count, _ = lines.entering(0.999, [0.6, 0.5, 0.4])
    assert count == 1
    assert_array_equal(lines.asked, lines.outside.gradient)


def autoregressive(n, p):
    rng = np.random.default_rng(5)
    X = rng.standard_normal((n, p))
    for j in range(1, p):
        X[:, j] = 0.7 * X[:, j - 1] + np.sqrt(0.51) * X[:, j]
    return X, X[:, ::40].sum(axis=1) + 3.0 * rng.standard_normal(n)


OPTIONS = {
    "lasso": {},
    "elastic net": {"l1_ratio": 0.3},
    "limits": {"lower": -0.1, "upper": 0.2},
    "one-sided": {"lower": 0.0},
    "factors": {"penalty_factor": np.arange(600) % 4 / 2.0},
    "excluded": {"penalty_factor": np.where(np.arange(600) % 7, 1.0, np.inf)},
    "unpenalised": {"penalty_factor": np.where(np.arange(600) % 100, 1.0, 0.0)},
    "weights": {"sample_weight": np.arange(80) % 3},
    "ridge with limits": {"l1_ratio": 0.0, "lower": -0.01, "n_lambdas": 12},
    "jumps": {"lambdas": [np.inf, 1.0, 0.9, 0.9, 0.2, 0.19, 0.1, 1e-3, 0.0]},
}


@pytest.mark.parametrize("storage", ["dense", "float32", "sparse"])
@pytest.mark.parametrize("name", OPTIONS)
def test_how_many_points_are_solved_together_changes_no_solution(name, storage, monkeypatch):
    X, y = autoregressive(80, 600)
    if storage == "sparse":
        X = sparse.csc_array(np.where(np.abs(X) > 0.8, X, 0.0))
    X = X.astype(np.float32) if storage == "float32" else X
    options = {"tol": 1e-10, **OPTIONS[name]}
    together = regpath.fit_path(X, y, **options)
    monkeypatch.setattr(forecast, "MOST", 1)
    single = regpath.fit_path(X, y, **options)
    assert max(together.dual_gaps.max(), single.dual_gaps.max()) <= 1e-10
    assert set(together.statuses) == {regpath.Status.CONVERGED}
    assert_allclose(together.lambdas, single.lambdas, rtol=1e-12)
    scale = y.var()
    assert_allclose(together.objectives, single.objectives, rtol=0, atol=2e-10 * scale)
    certified = together.certify(X, y)
    assert certified.dual_gaps.max() <= 1e-8


def test_fewer_looks_than_points(monkeypatch):
    """What points that are solved together are for."""
    X, y = autoregressive(80, 600)
    looks = []

    def count(self, R, strengths):
        looks[-1] += 1
        return look(self, R, strengths)

    look = forecast.Outside._search
    monkeypatch.setattr(forecast.Outside, "_search", count)
    for most in (1, 4):
        monkeypatch.setattr(forecast, "MOST", most)
        looks.append(0)
        regpath.lasso_path(X, y)
    assert looks[0] >= 100
    assert looks[1] < 0.6 * looks[0]


def test_a_callback_ends_the_path_where_it_says(rng):
    X, y = autoregressive(80, 600)
    whole = regpath.lasso_path(X, y)
    for stop in (0, 4, 5, 6, 7, 50):
        told = []

        def callback(k, state, stop=stop, told=told):
            told.append((k, state.n_nonzero))
            return k == stop

        path = regpath.lasso_path(X, y, callback=callback)
        assert path.lambdas.size == stop + 1
        assert [k for k, _ in told] == list(range(stop + 1))
        assert_array_equal(path.coefs, whole.coefs[:, : stop + 1])

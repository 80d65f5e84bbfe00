"""The residual core: the path of the Gram form, without a Gram matrix."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

import regpath
from regpath.solvers import gaussian
from regpath.solvers.residual import ResidualCore

TOL = 1e-9
STORAGES = {"dense": np.asfortranarray, "sparse": sparse.csc_array}
SHAPES = {"tall": (80, 12), "wide": (25, 60)}
OPTIONS = {
    "lasso": {},
    "elastic net": {"l1_ratio": 0.4},
    "almost ridge": {"l1_ratio": 1e-3},
    "limits": {"lower": -0.2, "upper": 0.3},
    "nonnegative": {"lower": 0.0, "l1_ratio": 0.8},
    "raw": {"standardize": False, "fit_intercept": False},
    "ridge, limits": {"l1_ratio": 0.0, "lower": -0.1, "upper": 0.4},
}


def draw(rng, shape):
    X = np.round(3 * rng.standard_normal(shape)) * (rng.random(shape) < 0.5)
    return X, X[:, :4] @ [1.0, -1.0, 0.5, 0.3] + rng.standard_normal(shape[0]) + 2


def residual_form(path):
    return [reason for reason in path.info["why"] if "residual form" in reason]


def assert_same_path(path, reference, X, y):
    """Predictors of two points with gaps of tol are close, however collinear the columns are."""
    assert {status.ok for status in path.statuses} == {True}
    assert path.dual_gaps.max() <= TOL
    assert path.certify(X, y).dual_gaps.max() <= TOL
    assert_allclose(path.lambdas, reference.lambdas, rtol=1e-12)
    scale = np.sqrt(reference.null_deviance / y.size)
    off = path.predict(X) - reference.predict(X)
    assert np.sqrt((off**2).mean(axis=0)).max() <= 3 * np.sqrt(TOL) * scale
    assert_allclose(path.objectives, reference.objectives, rtol=1e-7)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("limit", [0, 5])
def test_is_the_path_of_the_gram_form(rng, monkeypatch, shape, storage, options, limit):
    """From the first feature on, and from the sixth on in the middle of a path."""
    X, y = draw(rng, shape)
    X = STORAGES[storage](X)
    options = {"n_lambdas": 12, "lambda_min_ratio": 1e-2, "tol": TOL, **options}
    reference = regpath.fit_path(X, y, **options)
    assert not residual_form(reference)
    monkeypatch.setattr(gaussian, "largest_gram", lambda design: limit)
    path = regpath.fit_path(X, y, **options)
    (reason,) = residual_form(path)
    assert "too large" in reason
    assert_same_path(path, reference, X, y)


@pytest.mark.parametrize("storage", STORAGES)
def test_weights_factors_and_unpenalised_features(rng, monkeypatch, storage):
    X, y = draw(rng, (60, 12))
    X = STORAGES[storage](X)
    options = {
        "n_lambdas": 10,
        "lambda_min_ratio": 1e-2,
        "tol": TOL,
        "penalty_factor": np.r_[0.0, 2.0, np.inf, np.ones(9)],
        "sample_weight": np.arange(60) % 5 + 1.0,
    }
    reference = regpath.lasso_path(X, y, **options)
    monkeypatch.setattr(gaussian, "largest_gram", lambda design: 0)
    path = regpath.lasso_path(X, y, **options)
    assert residual_form(path)
    assert_same_path(path, reference, X, y)
    assert not path.coefs[2].any()
    assert path.coefs[0].all()


@pytest.mark.parametrize("storage", STORAGES)
def test_duplicate_columns(rng, monkeypatch, storage):
    X, y = draw(rng, (40, 8))
    X = STORAGES[storage](np.column_stack([X, X, -X]))
    monkeypatch.setattr(gaussian, "largest_gram", lambda design: 0)
    path = regpath.lasso_path(X, y, n_lambdas=10, lambda_min_ratio=1e-3, tol=TOL)
    assert residual_form(path)
    assert path.certify(X, y).dual_gaps.max() <= TOL


@pytest.mark.parametrize("storage", STORAGES)
def test_a_gap_that_is_out_of_reach_is_reported(rng, monkeypatch, storage):
    X, y = draw(rng, (40, 60))
    X = STORAGES[storage](X + 3 * rng.standard_normal((40, 1)) * (X != 0))
    monkeypatch.setattr(gaussian, "largest_gram", lambda design: 0)
    with pytest.warns(regpath.ConvergenceWarning, match="raise max_iter"):
        path = regpath.lasso_path(X, y, lambdas=[0.1, 0.01], max_iter=3, tol=1e-12)
    missed = [not status.ok for status in path.statuses]
    assert any(missed)
    certified = path.certify(X, y).dual_gaps
    assert (certified <= path.dual_gaps * (1 + 1e-6) + 1e-14).all()


class TestTrial:
    """On sparse columns descent is tried once the Gram form takes as many operations."""

    N, P = 500, 320

    def draw(self, rng):
        """Columns with two entries each: hardly any two of them meet."""
        X = np.zeros((self.N, self.P))
        for j in range(self.P):
            X[rng.choice(self.N, 2, replace=False), j] = 1.0
        return self.with_response(X, rng)

    def draw_correlated(self, rng):
        """Columns that overlap with their neighbours."""
        X = np.zeros((self.N, self.P))
        for j in range(self.P):
            X[j : j + 4, j] = 1 + 0.05 * rng.random(4)
        return self.with_response(X, rng)

    def with_response(self, X, rng):
        y = X @ rng.standard_normal(self.P) + 0.05 * rng.standard_normal(self.N)
        return sparse.csc_array(X), y

    def fit(self, X, y):
        return regpath.lasso_path(X, y, n_lambdas=25, lambda_min_ratio=1e-3, tol=TOL)

    @pytest.fixture
    def trials(self, monkeypatch):
        """Budgets of the trials so far."""
        budgets = []
        solve = ResidualCore.solve

        def counted(self, penalty, target, budget, unit=None):
            budgets.append(budget)
            return solve(self, penalty, target, budget)

        monkeypatch.setattr(ResidualCore, "solve", counted)
        return budgets

    def test_few_entries_switch_to_descent(self, rng, monkeypatch, trials):
        X, y = self.draw(rng)
        monkeypatch.setattr(gaussian, "FIRST_TRIAL", np.inf)
        reference = self.fit(X, y)
        assert not trials
        assert not residual_form(reference)
        monkeypatch.setattr(gaussian, "FIRST_TRIAL", 50)
        path = self.fit(X, y)
        (reason,) = residual_form(path)
        assert "cheaper" in reason
        assert trials[0] >= ResidualCore.ROUND
        assert_same_path(path, reference, X, y)

    def test_correlated_columns_stay_in_gram_form(self, rng, monkeypatch, trials):
        X, y = self.draw_correlated(rng)
        monkeypatch.setattr(gaussian, "FIRST_TRIAL", np.inf)
        reference = self.fit(X, y)
        monkeypatch.setattr(gaussian, "FIRST_TRIAL", 50)
        path = self.fit(X, y)
        # After a failed trial the working set doubles before the next one.
        assert 1 <= len(trials) <= 3
        assert min(trials) >= ResidualCore.ROUND
        assert not residual_form(path)
        assert_same_path(path, reference, X, y)

    def test_dense_columns_are_never_tried(self, rng, monkeypatch, trials):
        X, y = self.draw(rng)
        monkeypatch.setattr(gaussian, "FIRST_TRIAL", 50)
        self.fit(X.toarray(), y)
        assert not trials

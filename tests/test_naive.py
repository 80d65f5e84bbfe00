"""The naive twins are checked against closed forms: a specification must be right by itself."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from scipy import optimize


@pytest.fixture
def data(rng):
    X = rng.standard_normal((40, 6))
    return X, X @ [1.0, -2.0, 0, 0, 0.5, 0] + rng.standard_normal(40)


def test_orthonormal_columns_are_soft_thresholded(rng):
    Q, _ = np.linalg.qr(rng.standard_normal((30, 5)))
    X, y = Q * np.sqrt(30), rng.standard_normal(30) * 3
    problem = naive.make_problem(X, y, fit_intercept=False, standardize=False, l1_ratio=0.7)
    _, coef = naive.coordinate_descent(problem, 0.3)
    q = X.T @ y / 30
    expected = np.sign(q) * np.maximum(np.abs(q) - 0.21, 0) / (1 + 0.09)
    np.testing.assert_allclose(coef, expected, atol=1e-12)


def test_coordinate_descent_is_stationary(data):
    problem = naive.make_problem(*data, l1_ratio=0.5, sample_weight=np.arange(40.0))
    b0, coef = naive.coordinate_descent(problem, 0.1)
    best = naive.objective(problem, 0.1, b0, coef)
    for j in range(6):
        for step in (1e-4, -1e-4):
            moved = coef.copy()
            moved[j] += step
            assert naive.objective(problem, 0.1, b0, moved) > best
    assert naive.objective(problem, 0.1, b0 + 1e-4, coef) > best
    assert naive.objective(problem, 0.1, b0 - 1e-4, coef) > best


def test_limits_agree_with_bounded_least_squares(data):
    X, y = data
    problem = naive.make_problem(X, y, standardize=False, lower=-0.2, upper=0.7)
    _, coef = naive.coordinate_descent(problem, 0.0)
    centred = X - X.mean(axis=0)
    expected = optimize.lsq_linear(centred, y - y.mean(), (-0.2, 0.7), tol=1e-14).x
    np.testing.assert_allclose(coef, expected, atol=1e-7)


def test_ridge_agrees_with_coordinate_descent(data):
    problem = naive.make_problem(*data, l1_ratio=0.0, penalty_factor=[1, 0, 2, np.inf, 1, 0.5])
    b0, coef = naive.ridge(problem, 0.4)
    b0_descent, coef_descent = naive.coordinate_descent(problem, 0.4)
    np.testing.assert_allclose(coef, coef_descent, atol=1e-12)
    assert b0 == pytest.approx(b0_descent)
    assert coef[3] == 0


def test_dual_gap_closes_only_at_the_solution(data):
    problem = naive.make_problem(*data, l1_ratio=0.8)
    b0, coef = naive.coordinate_descent(problem, 0.1)
    assert abs(naive.dual_gap(problem, 0.1, b0, coef)) < 1e-12
    assert naive.dual_gap(problem, 0.1, b0, coef * 0.99) > 1e-6


def test_infinite_lambda_leaves_only_unpenalised_features(data):
    problem = naive.make_problem(*data, penalty_factor=[0, 1, 1, 1, 1, 1])
    _, coef = naive.coordinate_descent(problem, np.inf)
    np.testing.assert_array_equal(coef[1:], 0)
    assert coef[0] != 0


def test_constant_columns_stay_out():
    X = np.column_stack([np.full(5, 0.1), np.arange(5.0)])
    problem = naive.make_problem(X, np.arange(5.0) ** 2)
    _, coef = naive.coordinate_descent(problem, 0.0)
    np.testing.assert_allclose(coef, [0, 4], atol=1e-12)

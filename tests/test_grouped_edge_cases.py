"""Paths of K outputs where something is degenerate: data, penalties, budgets."""

from __future__ import annotations

import numpy as np
import pytest
from naive_groups import LOSSES, Answer, answer, assert_certified, draw, solver_for
from numpy.testing import assert_allclose

from regpath.solvers.gaussian import OutOfTimeError


@pytest.mark.parametrize("loss", LOSSES)
def test_lambda_zero_and_infinity(rng, loss):
    X, Y = draw(rng, loss)
    factor = np.r_[0.0, np.ones(10), np.inf]
    result = answer(X, Y, loss, lambdas=[np.inf, 1e-3, 0.0], factor=factor)
    assert all(point.reached[0] for point in result.points)
    assert not result.coefs[0, :, 1:].any()
    assert result.coefs[0, :, 0].all()
    assert not result.coefs[:, :, -1].any()
    assert_certified(
        Answer(result.solver, result.points[2:], [0.0], result.coefs[2:], result.intercepts[2:]),
        X,
        Y,
        loss,
        factor=factor,
    )
    if loss == "gaussian":
        Z = np.column_stack([X[:, :-1], np.ones(60)])
        assert_allclose(result.coefs[2, :, :-1], np.linalg.lstsq(Z, Y, rcond=None)[0][:-1].T)


def test_least_squares_with_more_columns_than_rows(rng):
    X, Y = draw(rng, n=15, p=30)
    result = answer(X, Y, lambdas=[0.0])
    assert result.points[0].reached[0]
    assert result.objectives[0] < 1e-9


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
def test_constant_and_duplicate_columns(rng, loss, l1_ratio):
    X, Y = draw(rng, loss, p=6)
    X = np.column_stack([X, X[:, :3], -X[:, 0], np.full(60, 3.0), np.zeros(60)])
    result = answer(X, Y, loss, l1_ratio=l1_ratio)
    assert_certified(result, X, Y, loss, l1_ratio=l1_ratio)
    assert not result.coefs[:, :, -2:].any()


@pytest.mark.parametrize("loss", LOSSES)
def test_dependent_columns_without_penalty(rng, loss):
    X, Y = draw(rng, loss, p=5)
    X = np.column_stack([X, X[:, 0], X[:, 1] + X[:, 2]])
    factor = [0, 0, 0, 1, 1, 0, 0]
    result = answer(X, Y, loss, factor=factor)
    assert_certified(result, X, Y, loss, factor=np.array(factor, float))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("n", "p"), [(60, 1), (3, 5), (4, 1)])
def test_small_problems(rng, loss, n, p):
    X = rng.standard_normal((n, p))
    Y = rng.standard_normal((n, 2)) if loss == "gaussian" else np.eye(2)[np.arange(n) % 2]
    result = answer(X, Y, loss)
    assert_certified(result, X, Y, loss)
    assert result.coefs[-1].any()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("n", [1, 5])
def test_constant_response(rng, loss, n):
    X, Y = rng.standard_normal((n, 4)), np.tile([0.0, 1.0, 0.0], (n, 1))
    result = answer(X, Y, loss, lambdas=[1.0, 0.1])
    assert result.solver.null == 0.0
    assert not result.coefs.any()
    assert_allclose(result.gaps, 0, atol=1e-14)
    if loss == "gaussian":
        assert_allclose(result.intercepts[0], Y[0], atol=1e-12)


def test_one_constant_output(rng):
    X, Y = draw(rng)
    Y[:, 1] = 5.0
    result = answer(X, Y)
    assert_certified(result, X, Y, "gaussian")
    assert not result.coefs[:, 1].any()


def test_a_class_that_only_rows_of_weight_zero_have(rng):
    X, Y = draw(rng, "multinomial")
    weights = 1.0 - Y[:, 2]
    result = answer(X, Y, "multinomial", weights=weights, ratio=0.1)
    assert all(point.reached[0] for point in result.points)
    pair = answer(X, Y[:, :2], "multinomial", weights=weights, lambdas=result.lambdas)
    assert_allclose(result.coefs[:, :2], pair.coefs, atol=1e-3)


def test_separable_classes(rng):
    X, _ = draw(rng)
    Y = np.eye(3)[np.digitize(X[:, 0], np.quantile(X[:, 0], [1 / 3, 2 / 3]))]
    result = answer(X, Y, "multinomial", ratio=1e-3)
    assert_certified(result, X, Y, "multinomial")
    assert result.points[-1].explained[0] > 0.95


@pytest.mark.parametrize("loss", LOSSES)
def test_collinear_columns(rng, loss):
    """Spectra: neighbouring columns are nearly the same."""
    base = np.cumsum(np.cumsum(rng.standard_normal((80, 60)), axis=1), axis=1)
    Y = base[:, [5, 20, 40]] - base[:, [6, 22, 43]] + rng.standard_normal((80, 3))
    if loss == "multinomial":
        Y = np.eye(3)[Y.argmax(axis=1)]
    result = answer(base, Y, loss, ratio=1e-3, n_lambdas=20)
    assert_certified(result, base, Y, loss)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_budget_of_iterations(rng, loss):
    X, Y = draw(rng, loss)
    result = answer(X, Y, loss, max_iter=1, tol=1e-14, n_lambdas=5)
    assert result.points[-1].exhausted
    assert not result.points[-1].reached[0]
    assert result.points[-1].n_iter[0] == 1


@pytest.mark.parametrize("loss", LOSSES)
def test_a_deadline(rng, loss):
    X, Y = draw(rng, loss)
    solver = solver_for(X, Y, loss)
    solver.deadline = 0.0
    with pytest.raises(OutOfTimeError):
        next(solver.path(np.array([1e-2])))

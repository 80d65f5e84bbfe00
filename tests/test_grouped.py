"""Paths with the norms of rows of coefficients penalised, against slow twins and properties."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from naive_groups import (
    CASES,
    LOSSES,
    TOL,
    answer,
    assert_certified,
    deviations,
    draw,
    fista,
    logsumexp,
    objective,
    options_for,
    solver_for,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

import regpath
from regpath.solvers import gram, group_models, grouped
from regpath.solvers.group_models import RowwiseModel

REFERENCES = Path(__file__).parent / "data" / "glmnet"


@pytest.mark.parametrize("shape", ["tall", "wide"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("loss", LOSSES)
def test_no_lower_objective_than_the_slow_twin_finds(rng, loss, case, shape):
    size = {"n": 60, "p": 12} if shape == "tall" else {"n": 20, "p": 45}
    options = options_for(rng, **size)[case]
    X, Y = draw(rng, loss, **size)
    # Classes of so few rows are separable by what is not penalised.
    result = answer(X, Y, loss, n_lambdas=4, ratio=0.05, **options)
    assert_certified(result, X, Y, loss, **options)
    null = result.solver.null
    for k in (1, 3):
        lowest = fista(X, Y, result.lambdas[k], loss, steps=1500, **options)
        own = result.objectives[k] * null + result.solver.floor
        # The gap bounds how much lower anything can be; the slow twin shows that it is no bound.
        assert own <= lowest + TOL * null
        assert own >= lowest - 1e-4 * null


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("case", [case for case in CASES if "ridge" not in case])
def test_the_first_lambda_is_the_smallest_without_features(rng, loss, case):
    options = options_for(rng)[case]
    X, Y = draw(rng, loss)
    largest = solver_for(X, Y, loss, **options).lambda_max() / options.get("l1_ratio", 1.0)
    lambdas = largest * np.array([1.0 + 1e-9, 0.99])
    result = answer(X, Y, loss, lambdas=lambdas, **options)
    penalised = np.full(12, 1.0) * options.get("factor", 1.0) > 0
    active = result.coefs[:, :, penalised].any(axis=1).sum(axis=1)
    assert active[0] == 0
    assert active[1] >= 1


@pytest.mark.parametrize("name", ["mgaussian-tecator_nir-lasso", "mgaussian-tecator_nir-enet"])
@pytest.mark.parametrize("whole", [True, False])
def test_multigaussian_beside_glmnet(monkeypatch, name, whole):
    assert_not_above_glmnet(monkeypatch, name, "gaussian", whole)


@pytest.mark.parametrize("whole", [True, False])
def test_grouped_multinomial_beside_glmnet(monkeypatch, whole):
    assert_not_above_glmnet(
        monkeypatch, "multinomial-cell_segmentation-grouped", "multinomial", whole
    )


def assert_not_above_glmnet(monkeypatch, name, loss, whole):
    if not whole:  # features enter as they are needed
        monkeypatch.setattr(gram, "AT_ONCE", 0)
        monkeypatch.setattr(gram, "SOON_WORTH_A_GRAM", 0)
    with np.load(REFERENCES / f"{name}.npz") as file:
        reference = {key: file[key] for key in file.files}
    settings = json.loads(str(reference["options"]))
    X, y, lambdas = reference["X"], reference["y"], reference["lambdas"]
    Y = y if loss == "gaussian" else (y[:, None] == np.unique(y)).astype(float)
    options = {"l1_ratio": settings["alpha"]}
    result = answer(X, Y, loss, lambdas=lambdas, **options)
    assert_certified(result, X, Y, loss, **options)
    for k, lambda_ in enumerate(lambdas):
        b0, B = reference["a0"][:, k], reference["beta"][:, :, k]
        theirs = objective(X, Y, b0, B, lambda_, loss, **options) - result.solver.floor
        assert result.objectives[k] <= theirs / result.solver.null + 1e-9
        # glmnet stops on small moves: it is close, and not below.
        assert result.objectives[k] >= theirs / result.solver.null * (1 - 2e-3) - 1e-9


# -------------------------------------------------------------------------------------- properties


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("case", ["lasso", "elastic net", "ridge", "raw", "all"])
def test_weights_are_copies_of_rows(rng, loss, case):
    X, Y = draw(rng, loss)
    weights = rng.integers(0, 4, 60)
    options = options_for(rng)[case] | {"weights": weights}
    whole = answer(X, Y, loss, **options)
    rows = np.repeat(np.arange(60), weights)
    options.pop("weights")
    if "offset" in options:
        options["offset"] = options["offset"][rows]
    copies = answer(X[rows], Y[rows], loss, lambdas=whole.lambdas, **options)
    assert_allclose(copies.objectives, whole.objectives, atol=2 * TOL)
    assert_allclose(copies.coefs, whole.coefs, atol=2e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_rows_of_weight_zero_do_not_matter(rng, loss):
    X, Y = draw(rng, loss)
    weights, offset = np.ones(60), rng.standard_normal((60, 3))
    weights[::7] = 0
    first = answer(X, Y, loss, weights=weights, offset=offset)
    X, Y, offset = X.copy(), Y.copy(), offset.copy()
    X[::7], Y[::7], offset[::7] = 1e80, -1e90, 1e70
    second = answer(X, Y, loss, weights=weights, offset=offset)
    assert_allclose(second.coefs, first.coefs, atol=1e-7)
    assert_allclose(second.intercepts, first.intercepts, atol=1e-7)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("shape", ["tall", "wide"])
def test_storages_agree(rng, loss, case, shape):
    size = {"n": 60, "p": 12} if shape == "tall" else {"n": 20, "p": 45}
    options = options_for(rng, **size)[case]
    X, Y = draw(rng, loss, **size)
    X = np.round(X).astype(np.int8) * (rng.random(X.shape) < 0.6)
    dense = answer(X.astype(float), Y, loss, ratio=0.05, **options)
    others = [sparse.csc_array(X.astype(float)), X.astype(np.float32), np.asfortranarray(X)]
    for other in others:
        result = answer(other, Y, loss, lambdas=dense.lambdas, **options)
        assert all(point.reached[0] for point in result.points)
        assert_allclose(result.objectives, dense.objectives, atol=2 * TOL)
    assert_allclose(
        solver_for(others[0], Y, loss, **options).lambda_max() / 1e3,
        solver_for(others[1], Y, loss, **options).lambda_max() / 1e3,
        rtol=1e-9,
    )


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
def test_features_that_enter_one_by_one(rng, monkeypatch, loss, l1_ratio):
    X, Y = draw(rng, loss, n=70, p=40)
    whole = answer(X, Y, loss, l1_ratio=l1_ratio)
    monkeypatch.setattr(gram, "AT_ONCE", 0)
    monkeypatch.setattr(gram, "SOON_WORTH_A_GRAM", 0)
    lazy = answer(X, Y, loss, l1_ratio=l1_ratio, lambdas=whole.lambdas)
    assert_certified(lazy, X, Y, loss, l1_ratio=l1_ratio)
    assert_allclose(lazy.objectives, whole.objectives, atol=2 * TOL)
    if l1_ratio:
        assert lazy.points[2].working_set < 40


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("storage", [np.asfortranarray, sparse.csc_array])
@pytest.mark.parametrize("limit", [0.0, 1000.0])
def test_without_a_gram_matrix(rng, monkeypatch, loss, storage, limit):
    """From the beginning, or from the moment that it has become too large."""
    X, Y = draw(rng, loss, n=50, p=30)
    X *= rng.random(X.shape) < 0.7
    options = options_for(rng, n=50, p=30)["all"]
    whole = answer(X, Y, loss, **options)
    monkeypatch.setattr(grouped, "LEAST_GRAM", limit)
    monkeypatch.setattr(grouped, "n_bytes", lambda design: 0)
    result = answer(storage(X), Y, loss, lambdas=whole.lambdas, **options)
    assert isinstance(result.solver._model, RowwiseModel)
    assert_certified(result, X, Y, loss, **options)
    assert_allclose(result.objectives, whole.objectives, atol=2 * TOL)


@pytest.mark.parametrize("case", ["lasso", "raw", "all", "ridge"])
@pytest.mark.parametrize("storage", [np.asfortranarray, sparse.csc_array])
def test_with_a_hessian_that_is_kept(rng, monkeypatch, case, storage):
    """Many rows: second derivatives are formed now and then."""
    options = options_for(rng, n=300)[case]
    X, Y = draw(rng, "multinomial", n=300)
    X *= rng.random(X.shape) < 0.8
    plain = answer(X, Y, "multinomial", **options)
    assert plain.solver._model._kept is None
    monkeypatch.setattr(group_models, "MANY", 0)
    kept = answer(storage(X), Y, "multinomial", lambdas=plain.lambdas, **options)
    assert kept.solver._model._kept is not None
    assert_certified(kept, X, Y, "multinomial", **options)
    assert_allclose(kept.objectives, plain.objectives, atol=2 * TOL)


def test_one_output_is_the_lasso(rng):
    X, Y = draw(rng, n=30, p=50, K=1)
    path = regpath.enet_path(X, Y[:, 0], l1_ratio=0.8, n_lambdas=10, tol=TOL)
    result = answer(X, Y, lambdas=path.lambdas, l1_ratio=0.8)
    assert_allclose(result.coefs[:, 0].T, path.coefs, atol=1e-4)
    assert_allclose(result.objectives * result.solver.null, path.objectives, rtol=1e-8)
    assert_allclose(result.intercepts[:, 0], path.intercepts, atol=1e-4)
    assert_allclose(solver_for(X, Y).lambda_max(), path.lambdas[0] * 0.8, rtol=1e-12)


def test_two_classes_are_a_logistic_regression_of_half_the_penalty(rng):
    """With eta = b_1 - b_0 and b_1 = -b_0 the norm of a row is |eta_j| / sqrt(2)."""
    X, _ = draw(rng)
    Y = np.eye(2)[(X[:, 0] - X[:, 0].mean() + rng.logistic(size=60) > 0).astype(int)]
    path = regpath.fit_path(X, Y[:, 1], family="binomial", n_lambdas=8, tol=TOL)
    result = answer(X, Y, "multinomial", lambdas=path.lambdas * np.sqrt(2))
    difference = result.coefs[:, 1] - result.coefs[:, 0]
    assert_allclose(difference.T, path.coefs, atol=1e-3)
    assert_allclose(result.objectives * result.solver.null, path.objectives, rtol=1e-7)


def test_rotating_the_outputs_rotates_the_coefficients(rng):
    X, Y = draw(rng, K=4)
    Q = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    plain, turned = answer(X, Y), answer(X, Y @ Q)
    assert_allclose(turned.lambdas, plain.lambdas, rtol=1e-12)
    assert_allclose(turned.coefs, np.einsum("kl,ikj->ilj", Q, plain.coefs), atol=1e-4)
    assert_allclose(turned.objectives, plain.objectives, atol=2 * TOL)


def test_an_offset_is_a_shift_of_the_response(rng):
    X, Y = draw(rng)
    offset = rng.standard_normal(Y.shape)
    one, other = answer(X, Y, offset=offset), answer(X, Y - offset)
    assert_array_equal(one.coefs, other.coefs)


@pytest.mark.parametrize("scale", [1e-150, 1e-9, 1e120])
def test_the_scale_of_the_response_scales_lambda(rng, scale):
    X, Y = draw(rng)
    one, other = answer(X, Y), answer(X, Y * scale)
    assert_allclose(other.lambdas, one.lambdas * scale, rtol=1e-12)
    assert_allclose(other.coefs / scale, one.coefs, atol=1e-5)
    assert_allclose(other.objectives, one.objectives, atol=2 * TOL)


def test_proportions_are_rows_of_every_class(rng):
    X, _ = draw(rng)
    Y = rng.dirichlet([1, 2, 0.5], 60)
    several = answer(X, Y, "multinomial", ratio=0.05)
    assert_certified(several, X, Y, "multinomial")
    assert several.solver.floor > 0
    single = answer(
        np.repeat(X, 3, axis=0),
        np.tile(np.eye(3), (60, 1)),
        "multinomial",
        weights=Y.ravel(),
        lambdas=several.lambdas,
    )
    assert_allclose(single.coefs, several.coefs, atol=1e-3)


def test_coefficients_of_classes_sum_to_zero(rng):
    X, Y = draw(rng, "multinomial")
    result = answer(X, Y, "multinomial", factor=np.r_[0.0, np.ones(11)], l1_ratio=0.8)
    assert np.abs(result.coefs.sum(axis=1)).max() < 1e-8
    assert np.abs(result.intercepts.sum(axis=1)).max() < 1e-8


@pytest.mark.parametrize("loss", LOSSES)
def test_threads_do_not_change_a_path(rng, monkeypatch, loss):
    monkeypatch.setattr("regpath.solvers.threads.ENTRIES_PER_THREAD", 1)
    X, Y = draw(rng, loss, n=100, p=30)
    one, two = (answer(X, Y, loss, n_threads=n) for n in (1, 2))
    assert_array_equal(one.coefs, two.coefs)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_wide_problem_takes_few_passes(rng, loss):
    X, Y = draw(rng, loss, n=50, p=2000)
    result = answer(X, Y, loss, n_lambdas=30, ratio=0.1)
    assert_certified(result, X, Y, loss)
    assert result.solver.geometry.passes < 3 * 30
    assert result.points[-1].working_set < 400


@pytest.mark.parametrize("loss", LOSSES)
def test_violations_are_those_of_the_optimality_conditions(rng, loss):
    X, Y = draw(rng, loss)
    result = answer(X, Y, loss, l1_ratio=0.7)
    w, sd = np.ones(60) / 60, deviations(X, np.ones(60) / 60)
    for k, point in enumerate(result.points):
        B, lambda_ = result.coefs[k] * sd, result.lambdas[k]
        E = result.intercepts[k] + X @ result.coefs[k].T
        P = E if loss == "gaussian" else np.exp(E - logsumexp(E)[:, None])
        G = ((Y - P) * w[:, None]).T @ ((X - X.mean(axis=0)) / sd)
        size = np.linalg.norm(B, axis=0)
        unit = np.divide(B, size, out=np.zeros_like(B), where=size > 0)
        active = np.linalg.norm(G - lambda_ * (0.7 * unit + 0.3 * B), axis=0)
        idle = np.maximum(np.linalg.norm(G, axis=0) - 0.7 * lambda_, 0)
        assert_allclose(point.violation[0], np.where(size > 0, active, idle).max(), atol=1e-9)

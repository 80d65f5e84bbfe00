"""The loops over K outputs, against one line of NumPy each."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp, rel_entr

from regpath.designs import Dense
from regpath.kernels import groups
from regpath.kernels.rows import CHUNK
from regpath.solvers import output_losses
from regpath.solvers.output_losses import Softmax

pytestmark = pytest.mark.kernels


@pytest.fixture
def columns(rng):
    X = rng.standard_normal((7, 21))
    X = X / np.linalg.norm(X, axis=1)[:, None]
    X.flags.writeable = False
    return X


def prox(z, l1, curvature):
    length = np.linalg.norm(z)
    return z * max(1 - l1 / length, 0) / curvature


def test_a_sweep_minimises_block_after_block(rng, columns):
    G, Q, B = columns @ columns.T, rng.standard_normal((3, 7)), rng.standard_normal((3, 7))
    l1, l2, bound = np.linspace(0, 2, 7), np.linspace(1, 0, 7), 0.7
    H, expected = Q - bound * B @ G, B.copy()
    for j in range(7):
        z = Q[:, j] - bound * expected @ G[j] + bound * G[j, j] * expected[:, j]
        expected[:, j] = prox(z, l1[j], bound * G[j, j] + l2[j])
    largest = groups.sweep_groups(G, H, B, l1, l2, bound, 7, np.empty(6), np.zeros(7))
    assert_allclose(B, expected, atol=1e-14)
    assert_allclose(H, Q - bound * B @ G, atol=1e-14)
    assert (B == 0).all(axis=0).any()
    assert largest > 0


def test_a_sweep_leaves_small_moves_out(rng, columns):
    B, H = np.zeros((2, 7)), rng.standard_normal((2, 7))
    before = H.copy()
    slack, zero = np.full(7, 100.0), np.zeros(7)
    assert (
        groups.sweep_groups(columns @ columns.T, H, B, zero, zero, 1.0, 7, np.empty(4), slack) == 0
    )
    assert_array_equal(H, before)
    assert not B.any()


def test_a_sweep_skips_columns_of_zeros(columns):
    G = np.zeros((1, 1))
    B, H = np.zeros((2, 1)), np.ones((2, 1))
    zero = np.zeros(1)
    assert groups.sweep_groups(G, H, B, zero, zero, 1.0, 1, np.empty(4), zero) == 0
    assert not B.any()


def test_descent_on_columns_is_a_sweep_on_their_gram_matrix(rng, columns):
    R = np.concatenate([rng.standard_normal((3, 21)), np.zeros((3, 1))], axis=1)
    B, l1, l2 = rng.standard_normal((3, 7)), np.full(7, 0.3), np.full(7, 0.1)
    H, A, bound = R[:, :21] @ columns.T, B.copy(), 0.5
    # Residual and gradient belong to the same coefficients.
    groups.sweep_groups(columns @ columns.T, H, A, l1, l2, bound, 7, np.empty(6), np.zeros(7))
    groups.descend_groups(Dense(columns), R, B, l1, l2, bound, np.empty(3))
    assert_allclose(B, A, atol=1e-13)
    assert_allclose(R[:, :21] @ columns.T, H, atol=1e-13)


@pytest.mark.parametrize("active", [0, 1, 2, 3, 4, 6])
def test_combinations_of_the_active_columns(rng, columns, active):
    B, out = np.zeros((2, 7)), np.ones((2, 21))
    B[0, :active] = rng.standard_normal(active)
    B[1, :active] = rng.standard_normal(active)
    groups.combine_outputs(B, columns, out, 0, 12)
    groups.combine_outputs(B, columns, out, 12, 21)
    assert_allclose(out, 1 + B @ columns, atol=1e-14)


def test_combinations_in_blocks_of_rows(rng):
    X, B = rng.standard_normal((5, 2 * groups.ROWS + 3)), rng.standard_normal((2, 5))
    out = np.zeros((2, X.shape[1]))
    groups.combine_outputs(B, X, out, 0, X.shape[1])
    assert_allclose(out, B @ X, atol=1e-13)


@pytest.mark.parametrize("count", [1, 3, 4, 6])
def test_dots_of_some_columns(rng, columns, count):
    R, features = rng.standard_normal((3, 21)), np.arange(7)[::-1][:count].copy()
    out = np.full((3, count), np.nan)
    groups.dots_of_outputs(R, columns, features, out, 0, count)
    assert_allclose(out, R @ columns[features].T, atol=1e-14)


def test_dots_in_blocks_of_rows(rng):
    X, R = (
        rng.standard_normal((6, 2 * groups.ROWS + 3)),
        rng.standard_normal((2, 2 * groups.ROWS + 3)),
    )
    out = np.full((2, 6), np.nan)
    groups.dots_of_outputs(R, X, np.arange(6), out, 0, 4)
    groups.dots_of_outputs(R, X, np.arange(6), out, 4, 6)
    assert_allclose(out, R @ X.T, atol=1e-12)


@pytest.mark.parametrize("m", [4, 8, 20])
def test_inverse(rng, m):
    X = rng.standard_normal((m, m + 2))
    A = X @ X.T
    B = A.copy()
    groups.invert(B, np.empty((4, 4)), np.empty((4, m)))
    assert_allclose(B @ A, np.eye(m), atol=1e-9)


def test_overlap(rng):
    V, M, out = rng.standard_normal((2, 5)), rng.standard_normal((5, 5)), np.empty((5, 5))
    groups.overlap(V, M, out)
    assert_allclose(out, np.eye(5) - M * (V.T @ V), atol=1e-14)


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("count", [1, 4, 7])
def test_weighted_products(rng, parts, count):
    X, scale = rng.standard_normal((9, groups.PANEL + 30)), rng.random(groups.PANEL + 30)
    features, m = np.arange(9)[::-1][:count].copy(), -(-count // 4) * 4
    out = np.zeros((parts, m, m))
    room = np.zeros((parts, m, groups.PANEL))
    groups.weighted_products(X, features, scale, room, out, 0, parts)
    expected = (X[features] * scale**2) @ X[features].T
    assert_allclose(np.triu(out.sum(axis=0))[:count, :count], np.triu(expected), atol=1e-12)
    assert not out[:, count:].any()
    assert not out[:, :, count:].any()


# ---------------------------------------------------------------------------------------- softmax


def softmax_problem(rng, n=40, K=3):
    y = rng.dirichlet(np.ones(K), n).T.copy()
    y[:, ::2] = np.eye(K)[rng.integers(K, size=n)][::2].T
    weights = rng.random(n)
    weights[:3] = 0
    weights /= weights.sum()
    return y, 2 * rng.standard_normal((K, n)), np.sqrt(weights), weights


def loss_of(y, E, weights):
    return weights @ (logsumexp(E, axis=0) - (y * E).sum(axis=0))


def test_softmax_and_its_derivatives(rng):
    y, E, root, weights = softmax_problem(rng)
    loss = Softmax(y, E, root, 1)
    assert_allclose(loss.value + loss.infimum, loss_of(y, E, weights), rtol=1e-13)
    seen = np.where(y > 0, y, 1)
    assert_allclose(loss.infimum, weights @ (y * np.log(seen)).sum(axis=0) * -1, rtol=1e-13)
    P = np.exp(E - logsumexp(E, axis=0))
    assert_allclose(loss.residual, root * (y - P), atol=1e-14)
    D = rng.standard_normal(E.shape)
    expected = P * D - P * (P * D).sum(axis=0)
    expected[:, :3] = 0
    loss.curved(D)
    assert_allclose(D, expected, atol=1e-14)


@pytest.mark.parametrize("t", [1e-9, 0.1, 3.0, 1e4])
def test_change_of_the_loss_along_a_step(rng, t):
    y, E, root, weights = softmax_problem(rng)
    loss, D = Softmax(y, E, root, 1), rng.standard_normal(E.shape)
    rows = root * D
    P = np.exp(E - logsumexp(E, axis=0))
    if t == 1e-9:  # two terms of the series are more accurate than the difference
        slope = -np.vdot(loss.residual, rows)
        curvature = weights @ ((P * D * D).sum(axis=0) - (P * D).sum(axis=0) ** 2)
        expected, rtol = t * slope + t * t / 2 * curvature, 1e-10
    else:
        expected, rtol = loss_of(y, E + t * D, weights) - loss_of(y, E, weights), 1e-11
    assert_allclose(loss.change(rows, t), expected, rtol=rtol)
    before = loss.value
    loss.step(rows, t)
    assert_allclose(loss.value - before, expected, rtol=1e-6, atol=1e-15)


@pytest.mark.parametrize("s", [0.0, 0.3, 1.0])
def test_divergence_is_the_fenchel_young_gap(rng, s):
    y, E, root, weights = softmax_problem(rng)
    loss = Softmax(y, E, root, 1)
    P = np.exp(E - logsumexp(E, axis=0))
    M = (1 - s) * y + s * P
    assert_allclose(loss.divergence(s), weights @ rel_entr(M, P).sum(axis=0), atol=1e-14)
    conjugate = weights @ (M * np.log(np.where(M > 0, M, 1))).sum(axis=0)
    stated = loss.value + loss.infimum + conjugate + s * weights @ ((y - P) * E).sum(axis=0)
    assert_allclose(loss.divergence(s), stated, atol=1e-13)


def test_balanced_intercepts(rng):
    y, E, root, weights = softmax_problem(rng)
    loss = Softmax(y, E, root, 1)
    assert loss.balance() is None  # too far for Newton steps without a look at the loss
    for _ in range(30):  # the fixed point of iterative scaling
        P = np.exp(E - logsumexp(E, axis=0))
        E = E + np.log(y @ weights / (P @ weights))[:, None]
    near = Softmax(y, E + np.array([[0.03], [-0.02], [0.01]]), root, 1)
    shift = near.balance()
    near.step(shift[:, None] * root, 1.0)
    assert np.abs(near.residual @ root).max() < 1e-15
    assert_allclose(shift - shift.mean(), np.array([-0.03, 0.02, -0.01]) + 0.02 / 3, atol=1e-6)


def test_predictors_far_out():
    y = np.eye(2)[[0, 1, 0]].T.copy()
    E = np.array([[1e4, -1e4, -1e3], [-1e4, 1e4, 1e3]])
    loss = Softmax(y, E, np.full(3, 3**-0.5), 1)
    assert_allclose(loss.value, 2e3 / 3, rtol=1e-13)
    assert_allclose(loss.divergence(0.0), 2e3 / 3, rtol=1e-13)
    assert np.isfinite(loss.residual).all()


def test_rows_beyond_one_chunk_and_on_two_threads(rng, monkeypatch):
    monkeypatch.setattr(output_losses, "EXPONENTIAL", 10**6)
    y, E, root, _ = softmax_problem(rng, n=8)
    copies = CHUNK // 4 + 3
    many = [np.tile(a, copies) for a in (y, E, root)]
    several = [Softmax(*many, threads) for threads in (1, 2)]
    assert several[0].value == several[1].value
    assert_allclose(several[0].value, copies * Softmax(y, E, root, 1).value, rtol=1e-10)
    assert_array_equal(several[0].residual, several[1].residual)

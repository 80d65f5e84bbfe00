"""Designs against numpy, in plain Python and compiled: a row per storage, a test per method."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from regpath.designs import Centred, Csc, Dense, n_bytes, n_columns, n_entries
from regpath.kernels.passes import (
    column_dots,
    column_dots_each,
    column_dots_many,
    column_moments,
    column_moments_many,
    combine_columns,
)
from regpath.solvers import threads
from regpath.solvers.reader import OwnReader, dots_many, moments_many

pytestmark = pytest.mark.kernels


def read_only(array):
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array


def dense(dtype):
    return lambda X: Dense(read_only(X.T.astype(dtype)))


def csc(index):
    def make(X):
        stored = sparse.csc_array(X)
        parts = stored.data, stored.indices.astype(index), stored.indptr.astype(index)
        return Csc(*map(read_only, parts), X.shape[0])

    return make


DESIGNS = {
    "float64": dense(np.float64),
    "float32": dense(np.float32),
    "int8": dense(np.int8),
    "uint8": dense(np.uint8),
    "csc int32": csc(np.int32),
    "csc int64": csc(np.int64),
}
designs = pytest.mark.parametrize("kind", DESIGNS)


@pytest.fixture(params=["compiled", "plain"])
def run(request):
    """How a kernel is called: compiled, or the Python function that it was written as."""
    return (lambda f: getattr(f, "py_func", f)) if request.param == "plain" else (lambda f: f)


class Draw(NamedTuple):
    seed: int
    n: int
    p: int
    share: float

    def data(self, kind):
        """Integers that every dtype holds exactly; the first column is empty, the second full."""
        rng = np.random.default_rng(self.seed)
        X = rng.integers(1, 10, (self.n, self.p)).astype(float)
        if kind != "uint8":
            X *= rng.choice([-1, 1], X.shape)
        X *= rng.random(X.shape) < self.share
        X[:, 0], X[:, 1] = 0.0, np.arange(self.n) % 7 + 1
        return X, rng


draws = st.builds(
    Draw,
    seed=st.integers(0, 10_000),
    n=st.integers(1, 40),
    p=st.integers(2, 6),
    share=st.sampled_from([0.1, 0.5, 1.0]),
)


@designs
@given(draw=draws)
def test_dot_and_axpy(kind, run, draw):
    X, rng = draw.data(kind)
    design = DESIGNS[kind](X)
    v, coefs = rng.standard_normal(draw.n + 1), rng.standard_normal(draw.p)
    out = np.full(draw.p, np.nan)
    start = draw.seed % draw.p
    run(column_dots)(design, v, np.arange(draw.p), out, start, draw.p)
    assert_allclose(out[start:], (X.T @ v[:-1])[start:], rtol=1e-12, atol=1e-11)
    assert np.isnan(out[:start]).all()
    features = rng.integers(0, draw.p, 3)
    some = np.empty(3)
    run(column_dots)(design, v, features, some, 0, 3)
    assert_allclose(some, X.T[features] @ v[:-1], rtol=1e-12, atol=1e-11)
    coefs[2:] *= rng.random(draw.p - 2) < 0.5
    moved = v.copy()
    run(combine_columns)(design, -2.0, np.arange(draw.p), coefs, moved)
    assert_allclose(moved[:-1], v[:-1] - 2.0 * (X @ coefs), rtol=1e-12, atol=1e-11)
    assert moved[-1] == v[-1]  # the shift is none of the business of columns that are not centred


def moments_of(run, design, weights, v):
    p = n_columns(design)
    mean, variance, product = np.empty(p), np.empty(p), np.empty(p)
    w = np.stack([weights, np.sqrt(weights)])
    run(column_moments)(design, w, v, np.arange(p), mean, variance, product, 0, p)
    return mean, variance, product


def draw_weights(rng, n):
    weights = rng.random(n) * (rng.random(n) < 0.7)
    weights[rng.integers(n)] = 1.0
    return weights / weights.sum()


@designs
@given(draw=draws)
def test_moments(kind, run, draw):
    X, rng = draw.data(kind)
    weights, v = draw_weights(rng, draw.n), rng.standard_normal(draw.n)
    mean, variance, product = moments_of(run, DESIGNS[kind](X), weights, v)
    expected = weights @ X
    assert_allclose(mean, expected, rtol=1e-12, atol=1e-12)
    assert_allclose(variance, weights @ (X - expected) ** 2, rtol=1e-11, atol=1e-11)
    assert_allclose(product, X.T @ v, rtol=1e-12, atol=1e-11)
    assert mean[0] == variance[0] == product[0] == 0.0


@pytest.mark.parametrize("weighted_rows", [range(2500), range(1100, 2300), range(1000)])
@pytest.mark.parametrize("kind", ["float64", "int8", "csc int32"])
def test_moments_of_many_rows(kind, weighted_rows, rng):
    """Dense rows are read in blocks, of which the first or last may have no weight at all."""
    X = rng.integers(1, 10, (2500, 5)) + 20.0 * (np.arange(2500) > 1500)[:, None]
    weights = np.zeros(2500)
    weights[weighted_rows] = rng.random(len(weighted_rows))
    weights /= weights.sum()
    v = rng.standard_normal(2500)
    mean, variance, product = moments_of(lambda f: f, DESIGNS[kind](X), weights, v)
    assert_allclose(mean, weights @ X, rtol=1e-12)
    assert_allclose(variance, weights @ (X - weights @ X) ** 2, rtol=1e-11)
    assert_allclose(product, X.T @ v, rtol=1e-11, atol=1e-9)


@pytest.mark.parametrize("kind", ["float64", "csc int32"])
@given(draw=draws)
def test_rows_of_weight_zero_may_hold_anything_finite(kind, run, draw):
    X, rng = draw.data(kind)
    weights, v = draw_weights(rng, draw.n), rng.standard_normal(draw.n)
    v[weights == 0] = 0.0
    junk = X.copy()
    junk[weights == 0] = rng.choice([1e300, -1e300, 0.0], junk[weights == 0].shape)
    found = moments_of(run, DESIGNS[kind](junk), weights, v)
    clean = moments_of(run, DESIGNS[kind](X), weights, v)
    for one, other in zip(found, clean, strict=True):
        assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@designs
def test_variance_does_not_cancel(kind, run):
    """A full column far from zero: the spread is not a difference of squares."""
    shift = 1e8 if kind == "float64" or "csc" in kind else 100
    X = shift + np.column_stack([np.arange(20) % 3, np.arange(20) % 2]).astype(float)
    _, variance, _ = moments_of(run, DESIGNS[kind](X), np.full(20, 0.05), np.zeros(20))
    assert_allclose(variance, X.var(axis=0), rtol=1e-7)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@given(draw=draws)
def test_centred_columns(index, run, draw):
    """x - centre c and r + shift c, with c'(r + shift c) = 0, are never formed."""
    X, rng = draw.data("csc")
    c = rng.random(draw.n) + 0.1
    c /= np.linalg.norm(c)
    stored = sparse.csc_array(X)
    design = Centred(
        read_only(stored.data),
        read_only(stored.indices.astype(index)),
        read_only(stored.indptr.astype(np.int64)),
        read_only(c @ X),
    )
    full = X - np.outer(c, c @ X)
    target = rng.standard_normal(draw.n)
    target -= (c @ target) * c
    r, coefs = np.append(target, 0.0), rng.standard_normal(draw.p)
    run(combine_columns)(design, 1.0, np.arange(coefs.size), coefs, r)
    target += full @ coefs
    assert_allclose(r[:-1] + r[-1] * c, target, atol=1e-11)
    out = np.empty(draw.p)
    run(column_dots)(design, r, np.arange(draw.p), out, 0, draw.p)
    assert_allclose(out, full.T @ target, atol=1e-9)


@designs
def test_sizes_and_nothing_is_changed(kind, run):
    X, rng = Draw(1, 12, 5, 0.5).data(kind)
    design = DESIGNS[kind](X)
    arrays = [a for a in design if isinstance(a, np.ndarray)]
    before = [a.copy() for a in arrays]
    assert n_columns(design) == 5
    assert n_entries(design) == (X.size if isinstance(design, Dense) else np.count_nonzero(X))
    assert n_bytes(design) == sum(a.nbytes for a in arrays)
    moments_of(run, design, np.full(12, 1 / 12), rng.standard_normal(12))
    run(combine_columns)(design, 1.0, np.arange(5), np.ones(5), np.zeros(13))
    for one, other in zip(arrays, before, strict=True):
        assert_array_equal(one, other)


# ------------------------------------------------------------------------------------ many vectors


@designs
@given(draw=draws, m=st.integers(1, 9))
def test_dots_many(kind, run, draw, m):
    X, rng = draw.data(kind)
    design, V = DESIGNS[kind](X), rng.standard_normal((m, draw.n))
    if isinstance(design, Csc):  # vectors as columns, a multiple of four of them
        even = -(-m // 4) * 4
        given = np.zeros((draw.n, even))
        given[:, :m] = V.T
    else:
        given, even = V, m
    features = rng.integers(0, draw.p, 2 * draw.p)
    out = np.full((even, features.size), np.nan)
    start = draw.seed % features.size
    run(column_dots_many)(design, given, out, features, start, features.size)
    assert_allclose(out[:m, start:], (V @ X)[:, features][:, start:], rtol=1e-12, atol=1e-11)
    assert np.isnan(out[:, :start]).all()
    assert (out[m:, start:] == 0.0).all()
    assert_array_equal(dots_many(design, 1, V).shape, (m, draw.p))
    assert_allclose(dots_many(design, 1, V), V @ X, rtol=1e-12, atol=1e-11)


@designs
@given(draw=draws, m=st.integers(1, 5))
def test_dots_each(kind, run, draw, m):
    X, rng = draw.data(kind)
    design, V = DESIGNS[kind](X), rng.standard_normal((m, draw.n))
    features = rng.integers(0, draw.p, 2 * draw.p)
    out, start = np.full((m, features.size), np.nan), draw.seed % features.size
    run(column_dots_each)(design, V, out, features, start, features.size)
    assert_allclose(out[:, start:], (V @ X)[:, features][:, start:], rtol=1e-12, atol=1e-11)
    assert np.isnan(out[:, :start]).all()


def draw_many_weights(rng, m, n):
    return np.stack([draw_weights(rng, n) for _ in range(m)])


@designs
@given(draw=draws, m=st.integers(1, 7))
def test_moments_many(kind, run, draw, m):
    X, rng = draw.data(kind)
    design, W = DESIGNS[kind](X), draw_many_weights(rng, m, draw.n)
    V = rng.standard_normal((m, draw.n))
    if isinstance(design, Csc):
        even = m + m % 2
        given = np.zeros((2, draw.n, even))
        given[0, :, :m], given[1, :, :m] = W.T, V.T
    else:
        given, even = np.stack([W, V]), m
    features, start = rng.permutation(draw.p), draw.seed % draw.p
    out = np.full((3, even, draw.p), np.nan)
    run(column_moments_many)(design, *given, *out, features, start, draw.p)
    mean = W @ X
    variance = np.einsum("mi,mij->mj", W, (X - mean[:, None]) ** 2)
    expected = mean, variance, V @ X
    for one, other in zip(out, expected, strict=True):
        assert_allclose(one[:m, start:], other[:, features][:, start:], rtol=1e-10, atol=1e-10)
        assert np.isnan(one[:, :start]).all()
    for one, other in zip(moments_many(design, 1, W, V), expected, strict=True):
        assert_allclose(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("kind", ["float64", "int8", "csc int32"])
def test_many_rows(kind, rng):
    """Rows are read in blocks, some of which have no weight at all."""
    X = rng.integers(1, 10, (2500, 5)) + 20.0 * (np.arange(2500) > 1500)[:, None]
    W = np.zeros((4, 2500))
    for weights, rows in zip(W, (slice(None), slice(1100, 2300), slice(1000), [7]), strict=True):
        weights[rows] = 1.0
    W /= W.sum(axis=1, keepdims=True)
    V, design = rng.standard_normal((4, 2500)), DESIGNS[kind](X)
    mean, variance, product = moments_many(design, 1, W, V)
    assert_allclose(mean, W @ X, rtol=1e-12)
    spread = np.stack([w @ (X - w @ X) ** 2 for w in W])
    assert_allclose(variance, spread, rtol=1e-11, atol=1e-12)
    assert_allclose(product, V @ X, rtol=1e-11, atol=1e-9)
    assert_allclose(dots_many(design, 1, V), V @ X, rtol=1e-11, atol=1e-9)


@pytest.mark.parametrize("kind", ["float64", "csc int32"])
@given(draw=draws, m=st.integers(1, 5))
def test_rows_without_weight_in_any_or_in_all(kind, draw, m):
    """A row may hold anything finite where its weight is 0 under all vectors."""
    X, rng = draw.data(kind)
    W, V = draw_many_weights(rng, m, draw.n), rng.standard_normal((m, draw.n))
    nowhere = rng.random(draw.n) < 0.3
    nowhere[W[0].argmax()] = False
    W[:, nowhere], V[:, nowhere] = 0.0, 0.0
    W[W.sum(axis=1) == 0.0] = W[0]
    W /= W.sum(axis=1, keepdims=True)
    junk = X.copy()
    junk[nowhere] = rng.choice([1e300, -1e300, 0.0], junk[nowhere].shape)
    clean, found = (moments_many(DESIGNS[kind](x), 1, W, V) for x in (X, junk))
    for one, other in zip(found, clean, strict=True):
        assert_allclose(one, other, rtol=1e-10, atol=1e-10)
    assert_array_equal(*(dots_many(DESIGNS[kind](x), 1, V) for x in (X, junk)))


@designs
@pytest.mark.parametrize("first", [0, 2])
def test_no_digit_is_lost_for_any_of_many_weights(kind, first, rng):
    """Columns far from 0, constant where a vector has weight, or with other means there."""
    shift = 1e8 if kind == "float64" or "csc" in kind else 100
    rows = np.arange(30)
    X = np.column_stack(
        [
            shift + rows % 3,
            np.where(rows < 10, shift, shift + rows % 2),  # constant for the second vector
            np.where(rows < 10, rows % 3, shift + rows % 2),
            np.where(rows < 10, 0, rows % 5),
        ]
    ).astype(float)
    W = np.stack([np.ones(30), rows < 10, rows >= 10, rows == 4]).astype(float)
    W = np.roll(W / W.sum(axis=1, keepdims=True), first, axis=0)
    mean, variance, product = moments_many(DESIGNS[kind](X), 1, W, np.zeros_like(W))
    for k, w in enumerate(W):
        used = w > 0
        assert_allclose(mean[k], X[used].mean(axis=0), rtol=1e-14)
        assert_allclose(variance[k], X[used].var(axis=0), rtol=1e-6, atol=1e-13 * shift)
        constant = np.ptp(X[used], axis=0) == 0.0
        assert (np.sqrt(variance[k][constant]) <= 1e-14 * shift).all()
    assert (product == 0.0).all()


@designs
def test_what_a_vector_is_told_does_not_depend_on_the_others(kind, rng):
    X, _ = Draw(5, 40, 6, 0.5).data(kind)
    design, V = DESIGNS[kind](X), rng.standard_normal((7, 40))
    together = dots_many(design, 1, V)
    for m in (1, 2, 5):
        assert_array_equal(dots_many(design, 1, V[:m]), together[:m])
        assert_array_equal(dots_many(design, 1, V[-m:]), together[-m:])


@pytest.mark.parametrize("kind", ["float64", "csc int32"])
def test_number_of_threads_does_not_matter_to_many(kind, rng, monkeypatch):
    """Large enough for several threads to be worth it, and rows of more than one block."""
    n, p = 520, 103 if numba.config.DISABLE_JIT else 4003
    monkeypatch.setattr(threads, "ENTRIES_PER_THREAD", threads.ENTRIES_PER_THREAD * p // 4003)
    X = np.round(rng.standard_normal((n, p))) * (rng.random((n, p)) < 0.5)
    design = DESIGNS[kind](X)
    W = np.stack([draw_weights(rng, n) for _ in range(5)])
    V = rng.standard_normal((5, n))
    for n_threads in (2, 3):
        assert_array_equal(dots_many(design, n_threads, V), dots_many(design, 1, V))
        for one, other in zip(
            moments_many(design, n_threads, W, V), moments_many(design, 1, W, V), strict=True
        ):
            assert_array_equal(one, other)
    own = OwnReader(design, 2)
    assert_allclose(own.dots(V[:1]), V[:1] @ X, rtol=1e-10, atol=1e-9)
    assert_allclose(own.dots(V), V @ X, rtol=1e-10, atol=1e-9)
    for one, other in zip(
        own.moments(W[1], V[1], 0.0, 1.0), moments_many(design, 1, W, V), strict=True
    ):
        assert_allclose(one, other[1], rtol=1e-9, atol=1e-9)

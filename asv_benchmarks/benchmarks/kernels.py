"""How near are the inner loops to what the machine can deliver?

Figures of loops that wait for memory are in GB/s of the data that they must read or write: compare
them with `Limits.track_copy`, a copy of an array larger than the caches. Figures of loops that
compute are in GFLOP/s: compare them with `Limits.track_dgemm`. Both are measured in the same run,
on one thread.

Kernels are imported where they are used: one whose arguments have changed fails alone. Those that
numba inlines into their callers are compiled here on their own.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from regpath.benchmark.generators import words
from regpath.designs import Centred, Csc, Dense
from regpath.penalties import ElasticNet

ROWS, COLUMNS = 1000, 16_000
LONG = 16_000_000
ORDER = 500


def best_time(function: Callable[[], object], restore: Callable[[], object] | None = None) -> float:
    """Seconds of the best of several calls, each after ``restore``; a first one compiles."""
    times = []
    for _ in range(8):
        if restore is not None:
            restore()
        start = perf_counter()
        function()
        times.append(perf_counter() - start)
    return min(times[1:])


def rate(function: Callable[[], object], n_bytes: int) -> float:
    """GB/s of a function that must touch this many bytes."""
    return round(n_bytes / best_time(function) / 1e9, 1)


class Limits:
    """What NumPy and its BLAS reach here: the yardsticks of all other figures."""

    def track_copy(self) -> float:
        source = np.ones(LONG)
        target = np.empty_like(source)
        return rate(lambda: np.copyto(target, source), 2 * source.nbytes)

    def track_dgemm(self) -> float:
        A, n = np.ones((1500, 1500)), 1500
        return round(2 * n**3 / best_time(lambda: A @ A) / 1e9, 1)

    track_copy.unit = "GB/s"
    track_dgemm.unit = "GFLOP/s"


class Vector:
    """The loops that everything dense is made of, on vectors larger than the caches."""

    def setup(self) -> None:
        self.x, self.r = np.ones(LONG), np.zeros(LONG)
        self.four = self.x.reshape(4, -1)  # as many entries, and a vector of a quarter of them
        self.short = self.r[: LONG // 4]

    def track_dot(self) -> float:
        from regpath.kernels.primitives import dot

        return rate(lambda: dot(self.x, self.r), 2 * self.x.nbytes)

    def track_axpy(self) -> float:
        from regpath.kernels.primitives import axpy

        return rate(lambda: axpy(1e-9, self.x, self.r), 3 * self.x.nbytes)

    def track_dot4(self) -> float:
        """Four columns share the loads of the vector."""
        from regpath.kernels.primitives import dot4

        return rate(lambda: dot4(*self.four, self.short), self.x.nbytes + self.short.nbytes)

    def track_axpy4(self) -> float:
        """Four columns share the loads and the stores of the vector."""
        from regpath.kernels.primitives import axpy4

        a = (1e-9, -1e-9, 2e-9, -2e-9)
        run = lambda: axpy4(a, *self.four, self.short)  # noqa: E731
        return rate(run, self.x.nbytes + 2 * self.short.nbytes)

    track_dot.unit = track_axpy.unit = track_dot4.unit = track_axpy4.unit = "GB/s"


class _Pass:
    """Passes over a design on one thread; ``setup`` makes design, n_bytes, v and p."""

    design: Any
    n_bytes: int
    v: np.ndarray
    p: int

    def dots(self) -> float:
        from regpath.kernels.passes import column_dots

        features, out = np.arange(self.p), np.zeros(self.p)
        run = lambda: column_dots(self.design, self.v, features, out, 0, self.p)  # noqa: E731
        return rate(run, self.n_bytes)

    def moments(self) -> float:
        from regpath.kernels.passes import column_moments

        n = self.v.size
        w = np.vstack([np.full(n, 1.0 / n), np.full(n, n**-0.5)])
        out = np.zeros((3, self.p))
        run = lambda: column_moments(self.design, w, self.v, np.arange(self.p), *out, 0, self.p)  # noqa: E731
        return rate(run, self.n_bytes)

    def subset(self) -> float:
        """A tenth of the columns, in random order."""
        from regpath.kernels.passes import column_dots

        features = np.random.default_rng(1).permutation(self.p)[: self.p // 10]
        m, out = features.size, np.zeros(features.size)
        run = lambda: column_dots(self.design, self.v, features, out, 0, m)  # noqa: E731
        return rate(run, self.bytes_of(features))

    def combine(self) -> float:
        """All columns are added to one vector, which stays in the cache."""
        from regpath.kernels.passes import combine_columns

        coefs, out = np.full(self.p, 1e-9), np.zeros(self.v.size)
        return rate(
            lambda: combine_columns(self.design, 1.0, np.arange(coefs.size), coefs, out),
            self.n_bytes,
        )

    def bytes_of(self, features: np.ndarray) -> int:
        raise NotImplementedError


class DensePass(_Pass):
    """A dense X of 16 million entries."""

    params = ("float64", "float32", "int8")
    param_names = ("dtype",)

    def setup(self, dtype: str) -> None:
        rng = np.random.default_rng(0)
        columns = rng.integers(-1, 2, (COLUMNS, ROWS)).astype(dtype)
        columns.setflags(write=False)
        self.design, self.n_bytes, self.p = Dense(columns), columns.nbytes, COLUMNS
        self.v = rng.standard_normal(ROWS)

    def bytes_of(self, features: np.ndarray) -> int:
        return int(self.n_bytes // self.p * features.size)

    def track_column_dots(self, dtype: str) -> float:
        return self.dots()

    def track_column_moments(self, dtype: str) -> float:
        return self.moments()

    def track_subset_dots(self, dtype: str) -> float:
        return self.subset()

    def track_combine_columns(self, dtype: str) -> float:
        return self.combine()

    def track_gather(self, dtype: str) -> float:
        """Scaled copies of 2000 columns: bytes read and written."""
        from regpath.kernels.gather import gather_dense

        features = np.random.default_rng(1).permutation(COLUMNS)[:2000]
        out, root = np.empty((features.size, ROWS)), np.full(ROWS, ROWS**-0.5)
        centre, scale = np.zeros(COLUMNS), np.ones(COLUMNS)
        columns = self.design.columns
        run = lambda: gather_dense(columns, features, root, centre, scale, out)  # noqa: E731
        return rate(run, self.bytes_of(features) + out.nbytes)

    track_column_dots.unit = track_column_moments.unit = track_subset_dots.unit = "GB/s"
    track_combine_columns.unit = track_gather.unit = "GB/s"


class SparsePass(_Pass):
    """A sparse X whose columns are as frequent as words."""

    def setup(self) -> None:
        X = words(0.05)(np.random.default_rng(0), 10_000, 50_000)
        for part in (X.data, X.indices, X.indptr):
            part.setflags(write=False)
        self.design, self.p = Csc(X.data, X.indices, X.indptr, X.shape[0]), X.shape[1]
        self.n_bytes = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
        self.v = np.ones(X.shape[0])

    def bytes_of(self, features: np.ndarray) -> int:
        counts = np.diff(self.design.indptr)[features]
        return int(counts.sum()) * (8 + self.design.indices.itemsize)

    def track_column_dots(self) -> float:
        return self.dots()

    def track_column_moments(self) -> float:
        return self.moments()

    def track_subset_dots(self) -> float:
        return self.subset()

    def track_combine_columns(self) -> float:
        return self.combine()

    track_column_dots.unit = track_column_moments.unit = "GB/s"
    track_subset_dots.unit = track_combine_columns.unit = "GB/s"


def gram_matrix(order: int) -> np.ndarray:
    """Gram matrix of columns of unit length."""
    X = np.random.default_rng(0).standard_normal((2 * order, order))
    X /= np.linalg.norm(X, axis=0)
    return np.ascontiguousarray(X.T @ X)


def penalty(size: int, l1: float) -> ElasticNet:
    """A lasso penalty on working columns."""
    ones = np.ones(size)
    return ElasticNet(l1 * ones, 0.0 * ones, -np.inf * ones, np.inf * ones, np.ones(2))


class OneRead:
    """A step on many rows: columns are read once for the predictor, the loss and its gradients."""

    params = ("float64", "float32")
    param_names = ("dtype",)

    def track_fused_terms(self, dtype: str) -> float:
        """Half of 100 columns of 100,000 rows add to the predictor, all are multiplied."""
        from regpath.losses import Logistic
        from regpath.solvers.rows import RowLoss

        rng, n, p = np.random.default_rng(0), 100_000, 100
        columns = rng.standard_normal((p, n)).astype(dtype)
        columns.flags.writeable = False
        y, weights = rng.integers(0, 2, n).astype(float), np.full(n, 1.0 / n)
        loss = RowLoss(Logistic(), y, weights, np.zeros(n), fit_intercept=True, n_threads=1)
        added, eta, work = (np.arange(50), np.full(50, 0.1)), np.zeros(n), np.empty((5, n))

        def read() -> object:
            eta[:] = 0.0
            return loss.with_products(columns, added, np.arange(p), eta, work, 1)

        speed = rate(read, columns.nbytes)
        np.testing.assert_allclose(read()[0], work[3:] @ columns.T, atol=1e-6)
        return speed

    track_fused_terms.unit = "GB/s"


class SparseProducts:
    """Products of columns that are as frequent as words."""

    def track_sparse_products(self) -> float:
        """Twenty new columns meet 500: 2 operations for every pair of entries in one row."""
        from regpath.kernels.gather import sparse_products

        X = words(0.05)(np.random.default_rng(0), 10_000, ORDER)
        stored = Csc(X.data, X.indices, X.indptr, X.shape[0])
        rows, out = X[:, -20:].tocsr(), np.empty((ORDER, 20))
        arrays = rows.indptr, rows.indices, rows.data, out
        seconds = best_time(lambda: sparse_products(stored, *arrays, 0, ORDER))
        np.testing.assert_allclose(out, (X.T @ rows).toarray(), atol=1e-9)
        meetings = float(np.diff(X.tocsr().indptr) @ np.diff(rows.indptr))
        return round(2 * meetings / seconds / 1e9, 2)

    track_sparse_products.unit = "GFLOP/s"


class Gram:
    """Rows of a Gram matrix, from columns that fit into a cache."""

    def track_row_products(self) -> float:
        """Products of 64 columns with 500: 2 n of them operations each."""
        from regpath.kernels.gather import row_products

        B = np.random.default_rng(0).standard_normal((ORDER, ROWS))
        A, out = B[-64:].copy(), np.empty((64, ORDER))
        seconds = best_time(lambda: row_products(A, B, out, 0, len(B)))
        np.testing.assert_allclose(out, A @ B.T, atol=1e-9)
        return round(2 * out.size * ROWS / seconds / 1e9, 2)

    track_row_products.unit = "GFLOP/s"


class Screen:
    """The search for features that can still become non-zero, one in a thousand of 4 million."""

    def track_features_beyond(self) -> float:
        """Gradient and threshold of every feature are read."""
        from regpath.kernels.screen import features_beyond

        p = LONG // 4
        gradient, rounding, lasso = np.full(p, 0.5), np.full(1, 1e-13), penalty(p, 1.0)
        gradient[::1000] = 2.0
        inside, found = np.zeros(p, bool), np.empty(p, np.int64)
        run = lambda: features_beyond(  # noqa: E731
            lasso, gradient, 0.1, 1.0, rounding, inside, found
        )
        speed = rate(run, gradient.nbytes + lasso.l1.nbytes)
        assert np.array_equal(found[: run()], np.arange(0, p, 1000))
        return speed

    track_features_beyond.unit = "GB/s"


class Factor(NamedTuple):
    """The arrays of `regpath.kernels.factor`."""

    R: np.ndarray
    active: np.ndarray
    position: np.ndarray
    held: np.ndarray
    Z: np.ndarray
    queue: np.ndarray


class Cholesky:
    """The factor of the active features, of order 500: 2 MB."""

    def setup(self) -> None:
        m = ORDER
        self.G = gram_matrix(m)
        self.R = np.ascontiguousarray(np.linalg.cholesky(self.G).T)
        self.z = np.ones(m)
        self.F = Factor(
            self.R.copy(), np.arange(m), np.arange(m), np.zeros(m), np.zeros((32, m)), np.arange(m)
        )

    def track_append(self) -> float:
        """Append all features to an empty factor: m^3 / 3 operations."""
        from regpath.kernels.factor import OUTSIDE, append

        m, F, lasso = ORDER, self.F, penalty(ORDER, 0.1)
        run = lambda: append(F, self.G, lasso, F.queue, m, 0)  # noqa: E731
        seconds = best_time(run, lambda: F.position.fill(OUTSIDE))
        np.testing.assert_allclose(np.triu(F.R), self.R, atol=1e-9)
        return round(m**3 / 3 / seconds / 1e9, 2)

    def track_solve(self) -> float:
        """Two triangular solves: 2 m^2 operations."""
        from regpath.kernels.factor import solve

        seconds = best_time(lambda: solve(self.R, self.z, ORDER), lambda: self.z.fill(1.0))
        np.testing.assert_allclose(self.G @ self.z, 1.0)
        return round(2 * ORDER**2 / seconds / 1e9, 2)

    def track_remove(self) -> float:
        """Remove the first feature: rotations of 3 m^2 operations."""
        from regpath.kernels.factor import remove

        m, F = ORDER, self.F

        def restore() -> None:
            np.copyto(F.R, self.R)
            F.active[:] = F.position[:] = np.arange(m)

        seconds = best_time(lambda: remove(F, 0, m), restore)
        assert F.active[0] == 1
        return round(3 * m**2 / seconds / 1e9, 2)

    track_append.unit = track_solve.unit = track_remove.unit = "GFLOP/s"


class Sweep:
    """One epoch of coordinate descent in which every coefficient moves."""

    def track_gram(self) -> float:
        """On a Gram matrix of 32 MB: every row is read once."""
        from regpath.kernels.quadratic import sweep

        size = 2000
        G, q = gram_matrix(size), np.random.default_rng(1).standard_normal(size)
        h, b, lasso = np.empty(size), np.empty(size), penalty(size, 1e-6)

        def restore() -> None:
            h[:], b[:] = q, 0.0

        seconds = best_time(lambda: sweep(G, q, h, b, lasso, size, 0.0), restore)
        assert np.count_nonzero(b) > 0.99 * size
        return round(G.nbytes / seconds / 1e9, 1)

    def track_residual(self) -> float:
        """On sparse columns: each is read for its product and again for its update."""
        from regpath.kernels.descent import descend

        X = words(0.05)(np.random.default_rng(0), 10_000, 20_000)
        X.data /= np.repeat(np.sqrt(X.power(2).sum(axis=0)), np.diff(X.indptr))
        p, r, b = X.shape[1], np.empty(X.shape[0] + 1), np.empty(X.shape[1])
        design = Centred(X.data, X.indices, X.indptr, np.zeros(p))
        target = np.random.default_rng(1).standard_normal(r.size)
        features, lasso = np.arange(p), penalty(p, 1e-9)

        def restore() -> None:
            r[:], b[:] = target, 0.0
            r[-1] = 0.0

        seconds = best_time(lambda: descend(design, lasso, b, r, features, 1), restore)
        assert np.count_nonzero(b) > 0.99 * p
        return round(2 * (X.data.nbytes + X.indices.nbytes) / seconds / 1e9, 1)

    track_gram.unit = track_residual.unit = "GB/s"


class RowsOfOutputs:
    """Losses whose rows have several outputs, or depend on each other: probabilities and risks."""

    N = 100_000

    def track_classes(self) -> float:
        """Probabilities, slopes and residuals of four classes, per class and row."""
        from regpath.solvers.softmax import SoftmaxLoss

        rng, K = np.random.default_rng(0), 4
        y, eta = np.eye(K)[rng.integers(0, K, self.N)], rng.standard_normal((K, self.N))
        weights, offset = np.full(self.N, 1.0 / self.N), np.zeros((self.N, K))
        loss = SoftmaxLoss(y, weights, offset, fit_intercept=False, n_threads=1)
        seconds = best_time(lambda: loss.centred(eta))
        p = np.exp(eta) / np.exp(eta).sum(axis=0)
        np.testing.assert_allclose(loss.centred(eta)[2].slope, p - y.T, atol=1e-12)
        return round(seconds / eta.size * 1e9, 2)

    track_classes.unit = "ns"

    def track_risks(self) -> float:
        """The partial likelihood and its derivatives, per row; no two times are equal."""
        from regpath.solvers.cox import CoxLoss

        rng = np.random.default_rng(0)
        start, stop = np.full(self.N, -np.inf), rng.permutation(self.N) + 1.0
        y, eta = np.column_stack([start, stop, stop % 2]), rng.standard_normal((1, self.N))
        weights = np.full(self.N, 1.0 / self.N)
        loss = CoxLoss(y, weights, np.zeros(self.N), ties="breslow", strata=None)
        seconds = best_time(lambda: loss.centred(eta))
        np.testing.assert_allclose(loss.centred(eta)[2].slope.sum(), 0.0, atol=1e-8)
        return round(seconds / self.N * 1e9, 2)

    track_risks.unit = "ns"

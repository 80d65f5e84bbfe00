"""How near are the inner loops to what the machine can deliver?

Figures of loops that wait for memory are in GB/s of the data that they must read or write. The
limit is `Limits.track_copy`, measured in the same run: a copy of an array larger than the caches.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np

from regpath.designs import Csc, Dense
from regpath.kernels.passes import column_dots
from regpath.kernels.primitives import axpy

from .problems import zipf


def best_time(function: Callable[[], object]) -> float:
    """Seconds of the best of several calls; a first one compiles."""
    function()
    times = []
    for _ in range(7):
        start = perf_counter()
        function()
        times.append(perf_counter() - start)
    return min(times)


def rate(function: Callable[[], object], n_bytes: int) -> float:
    """GB/s of a function that touches this many bytes."""
    return round(n_bytes / best_time(function) / 1e9, 1)


class Limits:
    """What NumPy and its BLAS reach here: the yardsticks of all other figures."""

    def track_copy(self) -> float:
        source = np.ones(32_000_000)
        target = np.empty_like(source)
        return rate(lambda: np.copyto(target, source), 2 * source.nbytes)

    def track_dgemm(self) -> float:
        A, n = np.ones((2000, 2000)), 2000
        return round(2 * n**3 / best_time(lambda: A @ A) / 1e9, 1)

    track_copy.unit = "GB/s"
    track_dgemm.unit = "GFLOP/s"


class DensePass:
    """Passes over a dense X of 32 million entries, on one thread."""

    params = ("float64", "float32", "int8")
    param_names = ("dtype",)

    def setup(self, dtype: str) -> None:
        n, p = 1000, 32_000
        rng = np.random.default_rng(0)
        columns = rng.integers(-1, 2, (p, n)).astype(dtype)
        columns.setflags(write=False)
        self.design, self.n_bytes = Dense(columns), columns.nbytes
        self.v = rng.standard_normal(n)
        self.out = np.zeros(p)

    def track_dots(self, dtype: str) -> float:
        p = self.out.size
        return rate(lambda: column_dots(self.design, self.v, self.out, 0, p), self.n_bytes)

    track_dots.unit = "GB/s"


class SparsePass:
    """Passes over a sparse X whose columns are as frequent as words, on one thread."""

    def setup(self) -> None:
        X = zipf(np.random.default_rng(0), 10_000, 100_000)
        for part in (X.data, X.indices, X.indptr):
            part.setflags(write=False)
        self.design = Csc(X.data, X.indices, X.indptr, X.shape[0])
        self.n_bytes = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
        self.v, self.out = np.ones(X.shape[0]), np.zeros(X.shape[1])

    def track_dots(self) -> float:
        p = self.out.size
        return rate(lambda: column_dots(self.design, self.v, self.out, 0, p), self.n_bytes)

    track_dots.unit = "GB/s"


class Axpy:
    """The update of a residual by one column, which reads two vectors and writes one."""

    def track_axpy(self) -> float:
        x, r = np.ones(16_000_000), np.zeros(16_000_000)
        return rate(lambda: axpy(1e-9, x, r, 0, x.size), 3 * x.nbytes)

    track_axpy.unit = "GB/s"

"""Who reads all of X for a problem: products with a vector, and moments of the columns."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from regpath.designs import Csc, Dense, n_columns, n_entries
from regpath.kernels.passes import (
    column_dots,
    column_dots_many,
    column_moments,
    column_moments_many,
)
from regpath.solvers.threads import equal_ranges, in_ranges, threads_worth

__all__ = [
    "OwnReader",
    "Reader",
    "dots_many",
    "gram_of",
    "moments_many",
    "moments_of",
    "over_columns",
]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Moments: TypeAlias = tuple[Array, Array, Array]

# Share of the squared distance to the point that squares were taken about, below which a variance
# has lost digits.
LOST = 1e-4
# Bytes of one block: large enough for BLAS, small enough to stay in the cache of a core.
BLOCK_BYTES = 4_000_000
# Multiplications of neighbours that take the time of one with an entry of a sparse column.
GATHERED = 8
# Means up to this many deviations can be subtracted after the product: 12 digits remain.
CENTRE_AFTERWARDS = 50.0


class Reader(Protocol):
    """What a geometry asks of all columns of X at once."""

    def dots(self, V: Array) -> Array:
        """X'v for every row v of V (m, n): an array (m, p)."""

    def moments(self, weights: Array, v: Array, centre: float, scale: float) -> Moments:
        """Weighted means and variances of the columns, and X'v.

        v is weights (y - centre) / scale, for a y that a reader may know in advance.
        """

    def gram(self, root: Array, mean: Array, scale: Array, features: Index) -> Array:
        """Products of the columns root_i (x_ij - mean_j) / scale_j of a dense X with each other."""


class OwnReader:
    """Passes over X for one problem alone.

    Parameters
    ----------
    design : Dense or Csc
    n_threads : int
    """

    def __init__(self, design: Dense | Csc, n_threads: int) -> None:
        self._design, self._n_threads = design, n_threads
        self._everything = np.arange(n_columns(design))

    def dots(self, V: Array) -> Array:
        """X'v for every row v of V (m, n): an array (m, p)."""
        if len(V) > 1:
            return dots_many(self._design, self._n_threads, V)
        out = np.empty(self._everything.size)
        over_columns(self._design, self._n_threads, column_dots, V[0], self._everything, out)
        return out[None]

    def moments(self, weights: Array, v: Array, centre: float, scale: float) -> Moments:
        """Weighted means and variances of the columns, and X'v."""
        w = np.stack([weights, np.sqrt(weights)])
        return moments_of(self._design, self._n_threads, w, v, self._everything)

    def gram(self, root: Array, mean: Array, scale: Array, features: Index) -> Array:
        """Products of the columns root_i (x_ij - mean_j) / scale_j of a dense X with each other."""
        assert isinstance(self._design, Dense)
        return gram_of(self._design, root, mean, scale, features)


def moments_of(design: Dense | Csc, n_threads: int, w: Array, v: Array, features: Index) -> Moments:
    """Weighted means and variances of some columns, and their products with v.

    ``w`` holds the weights, which sum to one, and their square roots.
    """
    mean, variance, product = np.empty((3, features.size))
    over_columns(design, n_threads, column_moments, w, v, features, mean, variance, product)
    return mean, variance, product


def gram_of(design: Dense, root: Array, mean: Array, scale: Array, features: Index) -> Array:
    """One symmetric product (dsyrk) of some columns, or one a block of rows."""
    columns, n = design.columns, root.size
    everything = features.size == len(columns) and bool(np.all(np.diff(features) == 1))
    X = columns if everything else columns[features]
    mean, scale = mean[features], scale[features]
    uniform = np.ptp(root) == 0.0
    small = np.all(np.abs(mean) <= CENTRE_AFTERWARDS * scale)
    if uniform and small and X.dtype == np.float64:
        gram: Array = X @ X.T
        gram *= root[0] ** 2
        gram -= np.outer(mean, mean)
    else:
        gram = np.zeros((features.size, features.size))
        rows = max(64, BLOCK_BYTES // (8 * max(features.size, 1)))
        for start in range(0, n, rows):
            part = slice(start, start + rows)
            block = (X[:, part] - mean[:, None]) * root[part]
            gram += block @ block.T
    gram /= scale[:, None]
    gram /= scale
    return gram


def dots_many(
    design: Dense | Csc, n_threads: int, V: Array, features: Index | None = None
) -> Array:
    """X'v for every row v of V (m, n), in one pass: an array (m, p), or of some columns only."""
    m = len(V)
    features = np.arange(n_columns(design)) if features is None else features
    if isinstance(design, Csc):
        V = _by_row(V, -(-m // 4) * 4)
        out = np.empty((V.shape[1], features.size))
    else:
        out = np.empty((m, features.size))
    over_columns(design, n_threads, column_dots_many, V, out, features, work=m)
    return out[:m]


def moments_many(design: Dense | Csc, n_threads: int, W: Array, V: Array) -> Moments:
    """Means and variances of the columns under every row of W (m, n), and X'v for those of V.

    Rows of W sum to one. X is read once.
    """
    m, p = len(W), n_columns(design)
    even = m + m % 2 if isinstance(design, Csc) else m
    many = (_by_row(W, even), _by_row(V, even)) if isinstance(design, Csc) else (W, V)
    out = tuple(np.empty((3, even, p)))
    over_columns(design, n_threads, column_moments_many, *many, *out, np.arange(p), work=3 * m)
    mean, variance, product = (a[:m] for a in out)
    for k in range(m):
        # Squares were taken about another point: digits are lost where the mean is far from it.
        centre = mean[0] if isinstance(design, Dense) else 0.0
        lost = np.flatnonzero(~(variance[k] > LOST * (mean[k] - centre) ** 2))
        if lost.size:
            w = np.stack([W[k], np.sqrt(W[k])])
            again = moments_of(design, n_threads, w, V[k], lost)
            mean[k, lost], variance[k, lost], product[k, lost] = again
    return mean, variance, product


def _by_row(V: Array, m: int) -> Array:
    """The rows of V (k, n) as columns of an array (n, m), m >= k, filled up with zeros."""
    out = np.zeros((V.shape[1], m))
    out[:, : len(V)] = V.T
    return out


def over_columns(
    design: Dense | Csc, n_threads: int, kernel: Any, *arrays: Array | Index, work: int = 1
) -> None:
    """Run a kernel over ranges of its last array, one a thread.

    The last array has an entry for every column of the design, or for a subset. Results do not
    depend on the ranges. ``work`` is the number of multiplications an entry of X.
    """
    p, size = n_columns(design), len(arrays[-1])
    if n_threads == 1:
        kernel(design, *arrays, 0, size)
        return
    work *= GATHERED if isinstance(design, Csc) else 1
    n_threads = threads_worth(work * n_entries(design) * size // max(p, 1), n_threads)
    if n_threads > 1 and isinstance(design, Csc) and size == p:  # equal numbers of entries
        edges = np.searchsorted(design.indptr, np.linspace(0, design.data.size, n_threads + 1))
        edges[0], edges[-1] = 0, p
    else:
        edges = equal_ranges(size, n_threads)
    in_ranges(kernel, edges, design, *arrays)

"""Matrix products with X~: its Gram matrices, and many right-hand sides at once.

Dense X goes through blocks that BLAS multiplies; sparse X through sparse products. Neither makes a
copy of X.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, hstack

from regpath.designs import Csc, Dense
from regpath.kernels.gather import gather_dense
from regpath.kernels.passes import combine_columns
from regpath.solvers.geometry import Geometry

__all__ = ["Columns", "apply", "gram_of_columns", "gram_of_rows", "multiply"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Bytes of one block: large enough for BLAS, small enough to stay in the cache of a core.
BLOCK_BYTES = 4_000_000
# Means up to this many deviations can be subtracted after the product: 12 digits remain.
CENTRE_AFTERWARDS = 50.0


def gram_of_columns(geometry: Geometry, features: Index) -> Array:
    """X~'X~ of some columns of a dense X: one symmetric product (dsyrk), or one a block of rows."""
    g = geometry
    columns: Any = g.design
    everything = features.size == g.p and bool(np.all(np.diff(features) == 1))
    X = columns.columns if everything else columns.columns[features]
    mean, scale = g.mean[features], g.scale[features]
    uniform = np.ptp(g.root) == 0.0
    small = np.all(np.abs(mean) <= CENTRE_AFTERWARDS * scale)
    if uniform and small and X.dtype == np.float64:
        gram: Array = X @ X.T
        gram *= g.root[0] ** 2
        gram -= np.outer(mean, mean)
    else:
        gram = np.zeros((features.size, features.size))
        rows = max(64, BLOCK_BYTES // (8 * max(features.size, 1)))
        for start in range(0, g.n, rows):
            part = slice(start, start + rows)
            block = (X[:, part] - mean[:, None]) * g.root[part]
            gram += block @ block.T
    gram /= scale[:, None]
    gram /= scale
    return gram


def _column_blocks(geometry: Geometry, features: Index) -> Any:
    """Standardised columns of a dense X, a block (m, n) at a time."""
    columns: Any = geometry.design
    step = max(16, BLOCK_BYTES // (8 * geometry.n))
    block = np.empty((min(step, features.size), geometry.n))
    for start in range(0, features.size, step):
        part = features[start : start + step]
        out = block[: part.size]
        gather_dense(columns.columns, part, geometry.root, geometry.mean, geometry.scale, out)
        yield slice(start, start + part.size), out


def gram_of_rows(geometry: Geometry, features: Index, shrink: Array) -> Array:
    """Sum over features of shrink_j x~_j x~_j'."""
    if not isinstance(geometry.design, Dense):
        return _sparse_gram_of_rows(geometry, features, shrink)
    gram = np.zeros((geometry.n, geometry.n))
    for part, block in _column_blocks(geometry, features):
        block *= np.sqrt(shrink[part])[:, None]
        gram += block.T @ block
    geometry.passes += 1.0
    return gram


def _sparse_gram_of_rows(geometry: Geometry, features: Index, shrink: Array) -> Array:
    g = geometry
    scale, design = np.sqrt(shrink) / g.scale[features], g.design
    assert isinstance(design, Csc)
    X = (_scipy(design)[:, features] * scale).tocsr() * g.root[:, None]
    shift = g.mean[features] * scale
    gram = np.asarray((X @ X.T).toarray())
    along = X @ shift
    gram -= np.outer(along, g.root)
    gram -= np.outer(g.root, along)
    gram += np.outer(g.root, g.root) * float(shift @ shift)
    g.passes += 1.0
    return gram


def multiply(geometry: Geometry, R: Array, features: Index) -> Array:
    """X~'R' for the rows of R (m, n): an array (features, m)."""
    g = geometry
    g.passes += 1.0
    if isinstance(g.design, Dense):
        out = np.empty((features.size, len(R)))
        for part, block in _column_blocks(g, features):
            np.matmul(block, R.T, out=out[part])
        return out
    weighted = R * g.root
    sums = weighted.sum(axis=1)
    X = _scipy(g.design)
    out = np.asarray(X.T @ np.ascontiguousarray(weighted.T))[features]
    out -= np.outer(g.mean[features], sums)
    out /= g.scale[features, None]
    return out


def apply(geometry: Geometry, b: Array) -> Array:
    """X~ b."""
    g = geometry
    coefs = np.where(g.constant, 0.0, b / g.scale)
    out = np.zeros(g.n)
    support = np.flatnonzero(coefs)
    combine_columns(g.design, 1.0, support, coefs[support], out)
    g.passes += 1.0
    return (out - float(g.mean @ coefs)) * g.root


def _scipy(design: Csc) -> Any:
    shape = (design.n_rows, len(design.indptr) - 1)
    return csc_array((design.data, design.indices, design.indptr), shape=shape, copy=False)


class Columns:
    """Columns (x_j - m_j) / d_j of a growing list of features, without weights of the rows.

    For models in which every pair of features may have weights of its own.

    Parameters
    ----------
    geometry : Geometry
    """

    def __init__(self, geometry: Geometry) -> None:
        self._geometry = geometry
        self._dense: Any = np.empty((0, geometry.n))
        self._sparse: Any = csc_array((geometry.n, 0))
        self._shift = np.empty(0)

    def append(self, features: Index) -> None:
        """Add features; one may come several times."""
        g = self._geometry
        if isinstance(g.design, Dense):
            new = np.empty((features.size, g.n))
            gather_dense(g.design.columns, features, np.ones(g.n), g.mean, g.scale, new)
            self._dense = np.concatenate([self._dense, new])
            return
        scaled = _scipy(g.design)[:, features] * (1.0 / g.scale[features])
        self._sparse = hstack([self._sparse, scaled], format="csc")
        self._shift = np.concatenate([self._shift, g.mean[features] / g.scale[features]])

    def rows(self, which: Any) -> Array:
        """Some of the columns, dense, as rows."""
        if isinstance(self._geometry.design, Dense):
            return np.asarray(self._dense[which])
        return np.asarray(self._sparse[:, which].toarray().T - self._shift[which, None])

    def moments(self, which: Index, v: Array) -> tuple[Array, Array]:
        """Sums of v x and of v x^2 over the rows."""
        if isinstance(self._geometry.design, Dense):
            X = self._dense[which]
            return X @ v, np.einsum("ij,ij,j->i", X, X, v)
        X, shift, total = self._sparse[:, which], self._shift[which], float(v.sum())
        first, second = X.T @ v, X.multiply(X).T @ v
        return first - shift * total, second - 2.0 * shift * first + shift**2 * total

    def products(self, new: Index, every: Index, v: Array, a: Array, b: Array) -> Array:
        """Sums over the rows of v (x_j - a_j) (x_i - b_i), j in ``new``, i in ``every``."""
        if isinstance(self._geometry.design, Dense):
            left = (self._dense[new] - a[:, None]) * v
            return np.asarray(left @ self._dense[every].T - np.outer(left.sum(axis=1), b))
        left, right = self._sparse[:, new], self._sparse[:, every]
        a, b = a + self._shift[new], b + self._shift[every]
        weighted = right * v[:, None]
        block = np.asarray((left.T @ weighted).toarray())
        block -= np.outer(a, weighted.sum(axis=0))
        block -= np.outer(left.T @ v - a * float(v.sum()), b)
        return block

"""Matrix products with X~: its Gram matrices, and many right-hand sides at once.

Dense X goes through blocks that BLAS multiplies, sparse X through sparse products; but for the Gram
matrix of sparse columns, which takes a scaled copy of them, neither makes a copy of X.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from regpath.designs import Csc, Dense, as_scipy
from regpath.kernels.gather import gather_dense
from regpath.kernels.passes import combine_columns
from regpath.solvers.geometry import Geometry
from regpath.solvers.reader import BLOCK_BYTES
from regpath.solvers.working import working_columns

__all__ = ["apply", "gram_of_columns", "gram_of_rows", "is_even", "multiply", "standardised"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Squared lengths of columns may differ by this factor in one eigendecomposition.
MOST_SPREAD = 1e8


def gram_of_columns(geometry: Geometry, features: Index) -> Array:
    """X~'X~ of some columns."""
    g = geometry
    if isinstance(g.design, Dense):
        return g.reader.gram(g.root, g.mean, g.scale, features)
    block = working_columns(g).append(features, True)
    assert block is not None
    return np.tril(block) + np.tril(block, -1).T


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


def is_even(strength: Array) -> bool:
    """Whether one eigendecomposition serves all columns, of lengths 1 / sqrt(strength).

    It knows eigenvalues up to rounding of the largest one: nothing is left of much shorter columns.
    """
    return bool(np.max(strength, initial=0.0) <= MOST_SPREAD * np.min(strength, initial=np.inf))


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
    X = (as_scipy(design)[:, features] * scale).tocsr() * g.root[:, None]
    shift = g.mean[features] * scale
    gram = np.asarray((X @ X.T).toarray())
    along = X @ shift
    gram -= np.outer(along, g.root)
    gram -= np.outer(g.root, along)
    gram += np.outer(g.root, g.root) * float(shift @ shift)
    g.passes += 1.0
    return gram


def multiply(geometry: Geometry, R: Array, features: Index) -> Array:
    """X~'r of some columns for every row r of R (m, n): an array (m, features)."""
    g = geometry
    if not isinstance(g.design, Dense):
        out = g.gradients(R)
        return out if features.size == g.p else out.take(features, axis=1)
    g.passes += 1.0
    out = np.empty((len(R), features.size))
    for part, block in _column_blocks(g, features):
        np.matmul(R, block.T, out=out[:, part])
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


def standardised(geometry: Geometry, features: Index, part: slice) -> Array:
    """Columns (x_j - m_j) / d_j, without weights of the rows, as rows of a dense array.

    Parameters
    ----------
    geometry : Geometry
    features : ndarray of int
        One may come several times.
    part : slice
        Rows of X that are wanted.
    """
    g = geometry
    if isinstance(g.design, Dense):
        out = np.asarray(g.design.columns[features, part], np.float64)
    else:
        design = g.design
        out = np.asarray(as_scipy(design)[:, features].tocsr()[part].toarray(), np.float64).T
    out -= g.mean[features, None]
    out /= g.scale[features, None]
    return np.ascontiguousarray(out)

"""Gram matrices of penalised columns off the unpenalised ones, of any storage, a block at a time.

With R the square roots of weights of rows, F the unpenalised columns (with the intercept) and Q an
orthonormal basis of R F, these are M'M and M D^-1 M' of M = (I - Q Q') R X~. The hat matrix of
least squares with the penalty lambda b'D b / 2 is Q Q' + M (M'M + lambda D)^-1 M'.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from regpath import designs
from regpath._stated_design import BLOCK_ENTRIES, EPS, Dense, Sparse

__all__ = ["column_gram", "free_basis", "matrix_of", "row_blocks", "row_gram"]

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Design: TypeAlias = Dense | Sparse


def matrix_of(design: designs.Dense | designs.Csc) -> Any:
    """X as NumPy and SciPy know it, without a copy."""
    if isinstance(design, designs.Dense):
        return design.columns.T
    return designs.as_scipy(design)


def free_basis(design: Design, free: Index, root: Array, *, intercept: bool) -> Array:
    """Orthonormal basis Q (n, k) of the unpenalised columns and the intercept, times root."""
    columns = design.take(free)
    if intercept:
        columns = np.column_stack([np.ones(root.size), columns])
    columns = columns * root[:, None]
    lengths = np.linalg.norm(columns, axis=0)
    columns = columns[:, lengths > 0.0] / lengths[lengths > 0.0]
    if not columns.shape[1]:
        return np.zeros((root.size, 0))
    basis, singular, _ = np.linalg.svd(columns, full_matrices=False)
    return np.ascontiguousarray(basis[:, singular > EPS * max(columns.shape) * singular[0]])


def row_blocks(design: Design, features: Index, root: Array) -> Iterator[tuple[slice, Array]]:
    """Rows of R X~[:, features], (rows, m) at a time."""
    n = root.size
    step = max(64, BLOCK_ENTRIES // max(features.size, 1))
    values = design.values
    if isinstance(design, Sparse):
        values = csr_array(values[:, features])
    shift, scale = design.shift[features], design.scale[features]
    for start in range(0, n, step):
        part = slice(start, min(start + step, n))
        if isinstance(design, Sparse):
            block = values[part].toarray()
        else:
            block = np.asarray(values[part][:, features], dtype=np.float64)
        block = (block - shift) / scale
        block *= root[part, None]
        yield part, block


def _column_blocks(design: Design, features: Index, root: Array) -> Iterator[tuple[slice, Array]]:
    """Columns of R X~[:, features], (n, columns) at a time."""
    step = max(1, BLOCK_ENTRIES // root.size)
    for start in range(0, features.size, step):
        part = slice(start, start + step)
        yield part, design.take(features[part]) * root[:, None]


def column_gram(
    design: Design, features: Index, root: Array, basis: Array
) -> tuple[Array, Array, Array]:
    """M'M of some columns, what was projected out, and the squared lengths before that.

    Returns
    -------
    gram : ndarray of shape (m, m)
    crossed : ndarray of shape (k, m)
        Q'R X~.
    lengths : ndarray of shape (m,)
        Squared lengths of the columns of R X~.
    """
    m = features.size
    crossed, lengths = np.zeros((basis.shape[1], m)), np.zeros(m)
    for part, block in _column_blocks(design, features, root):
        crossed[:, part] = basis.T @ block
        lengths[part] = np.einsum("ij,ij->j", block, block)
    gram = np.zeros((m, m))
    if isinstance(design, Sparse):
        X = csr_array(design.values[:, features] / design.scale[features]) * root[:, None]
        shifted = design.shift[features] / design.scale[features]
        gram = np.asarray((X.T @ X).toarray())
        along = np.asarray(X.T @ root)
        gram -= np.outer(along, shifted) + np.outer(shifted, along)
        gram += float(root @ root) * np.outer(shifted, shifted)
        gram -= crossed.T @ crossed
    else:
        for part, block in row_blocks(design, features, root):
            block -= basis[part] @ crossed
            gram += block.T @ block
    return gram, crossed, lengths


def row_gram(
    design: Design, features: Index, root: Array, basis: Array, factor: Array
) -> tuple[Array, float]:
    """M D^-1 M' (n, n) with D = diag(factor), and its trace before columns were projected out."""
    gram, trace = np.zeros((root.size, root.size)), 0.0
    for part, block in _column_blocks(design, features, root):
        block /= np.sqrt(factor[part])
        trace += float(np.einsum("ij,ij->", block, block))
        for _ in range(2):
            block -= basis @ (basis.T @ block)
        gram += block @ block.T
    return gram, trace

"""Gathering of working columns: scaled copies of a few columns of X, and their Gram matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from regpath._numba import FUSED, REORDERED, kernel
from regpath.kernels.primitives import dot, dot2x4, dot4

__all__ = ["gather_dense", "gather_rows", "gather_sparse", "row_products", "sparse_products"]


@kernel(REORDERED)
def gather_dense(columns: Any, features: Any, root: Any, centre: Any, scale: Any, out: Any) -> None:
    """Copy columns into contiguous rows: root_i (x_ij - centre_j) / scale_j."""
    for k in range(features.size):
        j = features[k]
        x, c, s = columns[j], centre[j], 1.0 / scale[j]
        row = out[k]
        for i in range(row.size):
            row[i] = (root[i] * (x[i] - c)) * s


@kernel(REORDERED)
def gather_rows(columns: Any, rows: Any, root: Any, centre: Any, out: Any) -> None:
    """Copy some rows of all columns: root_i (x_ij - centre_j), one column after the other."""
    for j in range(columns.shape[0]):
        x, c, z = columns[j], centre[j], out[j]
        for i in range(rows.size):
            z[i] = root[i] * (x[np.uint64(rows[i])] - c)


@kernel()
def row_products(A: Any, B: Any, out: Any, start: int, stop: int) -> None:
    """Products of the rows of A, which are the last ones of B, with start <= k < stop of B.

    What the last rows of B have to do with each other is computed once, for k <= old + c.
    """
    old, m = B.shape[0] - A.shape[0], A.shape[0]
    whole = stop - (stop - start) % 4
    for k in range(start, whole, 4):
        b0, b1, b2, b3 = B[k], B[k + 1], B[k + 2], B[k + 3]
        first = max(k - old, 0)
        for c in range(first, m - 1, 2):
            upper, lower = dot2x4(A[c], A[c + 1], b0, b1, b2, b3)
            for i in range(4):
                _place(out, old, c, k + i, upper[i])
                _place(out, old, c + 1, k + i, lower[i])
        if (m - first) % 2 == 1:
            last = dot4(b0, b1, b2, b3, A[m - 1])
            for i in range(4):
                _place(out, old, m - 1, k + i, last[i])
    for k in range(whole, stop):
        for c in range(max(k - old, 0), m):
            _place(out, old, c, k, dot(B[k], A[c]))


@kernel()
def _place(out: Any, old: int, c: int, k: int, product: float) -> None:
    """Write the product of rows old + c and k of B, unless it belongs to k's own row of A."""
    if k <= old + c:
        out[c, k] = product
        if k >= old:
            out[k - old, old + c] = product


@kernel(FUSED)
def gather_sparse(
    design: Any, features: Any, root: Any, centre: Any, scale: Any, work: Any, n_old: int
) -> None:
    """Append columns root_i (x_ij - centre_j) / scale_j to a sparse copy.

    ``centre`` belongs to the new columns, ``scale`` to all columns of the design.
    """
    e = work.indptr[n_old]
    for m in range(features.size):
        j = features[m]
        for f in range(design.indptr[j], design.indptr[j + 1]):
            i = design.indices[f]
            work.data[e] = root[i] * (design.data[f] - centre[m]) / scale[j]
            work.indices[e] = i
            e += 1
        work.indptr[n_old + m + 1] = e


@kernel(FUSED)
def sparse_products(
    design: Any, row: Any, owner: Any, value: Any, out: Any, start: int, stop: int
) -> None:
    """Products of sparse columns start <= k < stop with a few others, that are stored by rows.

    Entry e of the others, row[i] <= e < row[i + 1], lies in row i and column owner[e]. An entry of
    a column meets only what lies in its row. Fills ``out`` (columns, others).
    """
    for k in range(start, stop):
        products = out[k]
        for m in range(products.size):
            products[m] = 0.0
        for e in range(np.uint64(design.indptr[k]), np.uint64(design.indptr[k + 1])):
            i, x = np.uint64(design.indices[e]), design.data[e]
            for f in range(np.uint64(row[i]), np.uint64(row[i + np.uint64(1)])):
                products[np.uint64(owner[f])] += x * value[f]

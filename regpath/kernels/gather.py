"""Gathering of working columns: scaled copies of a few columns of X, and their Gram matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from regpath._numba import FUSED, REORDERED, kernel
from regpath.kernels.primitives import dot, dot2x4, dot4

__all__ = ["gather_dense", "gather_rows", "gather_sparse", "row_products"]


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
    design: Any,
    features: Any,
    root: Any,
    centre: Any,
    scale: Any,
    work: Any,
    chains: Any,
    n_old: int,
    gram: Any,
) -> None:
    """Append columns root_i (x_ij - centre_j) / scale_j to a sparse copy, and fill their Gram rows.

    ``chains`` links, for every row of X, the entries of the working copy that lie in it. The
    product of two columns then costs only the rows that both of them touch. An empty ``gram`` is
    not filled. ``centre`` belongs to the new columns, ``scale`` to all columns of the design.
    """
    wanted = gram.shape[0] > 0
    e = work.indptr[n_old]
    for m in range(features.size):
        k, j = n_old + m, features[m]
        begin = e
        square = 0.0
        for f in range(design.indptr[j], design.indptr[j + 1]):
            i = design.indices[f]
            x = root[i] * (design.data[f] - centre[m]) / scale[j]
            work.data[e] = x
            work.indices[e] = i
            square += x * x
            if wanted:
                g = chains.head[i]
                while g >= 0:
                    gram[m, chains.owner[g]] += x * work.data[g]
                    g = chains.following[g]
            e += 1
        if wanted:
            gram[m, k] = square
            for f in range(begin, e):
                i = work.indices[f]
                chains.owner[f] = k
                chains.following[f] = chains.head[i]
                chains.head[i] = f
        work.indptr[k + 1] = e

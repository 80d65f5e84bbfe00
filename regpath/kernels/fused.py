"""Linear predictor, loss and gradient of dense columns in one read of them.

Rows come in blocks that stay in the cache of a core: the columns of a block add to its predictors,
the loss of its rows follows, and the same columns meet the residuals before they leave.
"""

from __future__ import annotations

from typing import Any

from regpath._numba import FUSED, kernel
from regpath.kernels.passes import combine_rows
from regpath.kernels.primitives import dot, dot2x4
from regpath.kernels.rows import MINIMUM, RESPONSE, ROOT, WEIGHT, chunk_terms

__all__ = ["BLOCK", "STRIP", "fused_terms"]

# Rows of a block; of a strip, whose products are summed on their own, a multiple of it.
BLOCK, STRIP = 512, 2048


@kernel(FUSED)
def fused_terms(
    loss: Any,
    data: Any,
    columns: Any,
    support: Any,
    coefs: Any,
    features: Any,
    eta: Any,
    work: Any,
    sums: Any,
    products: Any,
    start: int,
    stop: int,
) -> None:
    """Add columns to a linear predictor, and multiply by the residuals and curvatures there.

    Parameters
    ----------
    loss, data
        As for `regpath.kernels.rows.row_terms`.
    columns : ndarray of shape (p, n)
    support, coefs : ndarray of shape (s,)
        Columns that are added to the predictor, and their coefficients.
    features : ndarray of shape (size,)
        Columns that are multiplied.
    eta : ndarray of shape (n,)
        Predictor without these columns; they are added in place.
    work : ndarray of shape (5, n)
        Filled with slopes, residuals, curvatures, residuals times the roots of the weights, and
        curvatures times the weights.
    sums : ndarray of shape (n_strips, 2, 5)
        Filled with the sums of `regpath.kernels.rows.chunk_terms` over every strip, and room.
    products : ndarray of shape (n_strips, 2, size)
        Filled with the products of the columns and the last two, in every strip.
    start, stop : int
        Strips that are looked at.
    """
    slopes, residuals, curvatures, weighted, bent = work[0], work[1], work[2], work[3], work[4]
    for s in range(start, stop):
        end, total, part = min((s + 1) * STRIP, eta.size), sums[s, 0], sums[s, 1]
        for k in range(features.size):
            products[s, 0, k] = products[s, 1, k] = 0.0
        for k in range(total.size):
            total[k] = 0.0
        for first in range(s * STRIP, end, BLOCK):
            last = min(first + BLOCK, end)
            ahead, root = eta[first:last], data[ROOT, first:last]
            combine_rows(columns, support, coefs, eta, first, last)
            for i in range(ahead.size):
                # Predictors of rows of weight 0 may overflow.
                ahead[i] = ahead[i] if root[i] > 0.0 else 0.0
            r, c = residuals[first:last], curvatures[first:last]
            u, v = weighted[first:last], bent[first:last]
            chunk_terms(
                loss,
                data[RESPONSE, first:last],
                data[WEIGHT, first:last],
                root,
                data[MINIMUM, first:last],
                ahead,
                slopes[first:last],
                r,
                c,
                part,
            )
            for k in range(total.size):
                total[k] += part[k]
            for i in range(u.size):
                u[i], v[i] = root[i] * r[i], root[i] * root[i] * c[i]
            _multiply(columns, features, first, last, u, v, products[s])


@kernel(FUSED, inline="always")
def _multiply(
    columns: Any, features: Any, first: int, last: int, u: Any, v: Any, products: Any
) -> None:
    """Add the products of a block of some columns and two vectors."""
    whole = features.size - features.size % 4
    for k in range(0, whole, 4):
        x0, x1 = columns[features[k], first:last], columns[features[k + 1], first:last]
        x2, x3 = columns[features[k + 2], first:last], columns[features[k + 3], first:last]
        with_u, with_v = dot2x4(u, v, x0, x1, x2, x3)
        for i in range(4):
            products[0, k + i] += with_u[i]
            products[1, k + i] += with_v[i]
    for k in range(whole, features.size):
        products[0, k] += dot(columns[features[k], first:last], u)
        products[1, k] += dot(columns[features[k], first:last], v)

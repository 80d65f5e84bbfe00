"""Losses, row by row, in chunks of fixed length: sums do not depend on the number of threads."""

from __future__ import annotations

from typing import Any

from regpath._numba import kernel

__all__ = ["CHUNK", "row_gaps", "row_terms"]

# Rows that are summed on their own.
CHUNK = 8192


@kernel()
def row_terms(
    loss: Any,
    y: Any,
    weights: Any,
    eta: Any,
    slope: Any,
    curvature: Any,
    sums: Any,
    start: int,
    stop: int,
) -> None:
    """Weighted losses minus their minima, summed in chunks, and both derivatives of every row.

    Rows of weight 0 are not looked at; their derivatives are 0.
    """
    for c in range(start, stop):
        first, last = c * CHUNK, min((c + 1) * CHUNK, y.size)
        total = 0.0
        for i in range(first, last):
            slope[i] = curvature[i] = 0.0
            if weights[i] > 0.0:
                value, slope[i], curvature[i] = loss.terms(y[i], eta[i])
                total += weights[i] * (value - loss.minimum(y[i]))
        sums[c] = total


@kernel()
def row_gaps(
    loss: Any,
    y: Any,
    weights: Any,
    eta: Any,
    slope: Any,
    scale: Any,
    sums: Any,
    start: int,
    stop: int,
) -> None:
    """Weighted sums of loss + loss*(v) - v eta >= 0 at v = scale slope, in chunks.

    ``scale`` is an array of one number.
    """
    s = scale[0]
    for c in range(start, stop):
        first, last = c * CHUNK, min((c + 1) * CHUNK, y.size)
        total = 0.0
        for i in range(first, last):
            if weights[i] > 0.0:
                value, _, _ = loss.terms(y[i], eta[i])
                v = s * slope[i]
                total += weights[i] * max(value + loss.conjugate(y[i], v) - v * eta[i], 0.0)
        sums[c] = total

"""Passes over X: the only loops that read all of X."""

from __future__ import annotations

from typing import Any

from regpath._numba import FUSED, kernel
from regpath.kernels.primitives import axpy, axpy4

__all__ = [
    "column_dots",
    "column_dots_each",
    "column_dots_many",
    "column_moments",
    "column_moments_many",
    "combine_columns",
    "combine_output_rows",
    "combine_rows",
    "output_dots",
]

# Rows of all outputs that are worked on while columns are in the cache of a core.
ROWS = 512


@kernel(FUSED)
def column_moments(
    design: Any,
    w: Any,
    v: Any,
    features: Any,
    mean: Any,
    variance: Any,
    product: Any,
    start: int,
    stop: int,
) -> None:
    """Weighted means and variances of the columns j in features[start:stop], and x_j'v.

    X is read once.
    """
    some = features[start:stop]
    design.moments(some, w, v, mean[start:stop], variance[start:stop], product[start:stop])


@kernel(FUSED)
def column_dots(design: Any, v: Any, features: Any, out: Any, start: int, stop: int) -> None:
    """Products x_j'v for the columns j in features[start:stop]."""
    design.dots(features[start:stop], v, out[start:stop])


@kernel(FUSED)
def column_dots_each(design: Any, V: Any, out: Any, features: Any, start: int, stop: int) -> None:
    """Products of the columns j in features[start:stop] with every row of V, by rows of out."""
    design.dots_each(features[start:stop], V, out[:, start:stop])


@kernel(FUSED)
def column_dots_many(design: Any, V: Any, out: Any, features: Any, start: int, stop: int) -> None:
    """Products of the columns j in features[start:stop] with many vectors; X is read once."""
    design.dots_many(features[start:stop], V, out[:, start:stop])


@kernel(FUSED)
def output_dots(
    design: Any, V: Any, edges: Any, features: Any, out: Any, start: int, stop: int
) -> None:
    """Products of single columns with the vector of their output, for a list of columns.

    Entries edges[k], ..., edges[k + 1] of the list of features belong to the row k of V.
    """
    for k in range(V.shape[0]):
        first, last = max(start, edges[k]), min(stop, edges[k + 1])
        if first < last:
            design.dots(features[first:last], V[k], out[first:last])


@kernel(FUSED)
def column_moments_many(
    design: Any, W: Any, V: Any, mean: Any, variance: Any, product: Any,
    features: Any, start: int, stop: int,
) -> None:  # fmt: skip
    """Moments of the columns j in features[start:stop] under many weights; X is read once."""
    some = features[start:stop]
    out = mean[:, start:stop], variance[:, start:stop], product[:, start:stop]
    design.moments_many(some, W, V, out[0], out[1], out[2])


@kernel(FUSED)
def combine_columns(design: Any, a: float, features: Any, coefs: Any, out: Any) -> None:
    """Add a sum_k coefs_k x_j to out, in place, where j is entry k of the list of features."""
    design.combine(a, features, coefs, out)


@kernel(FUSED)
def combine_rows(columns: Any, features: Any, coefs: Any, out: Any, start: int, stop: int) -> None:
    """Add sum_k coefs_k x_j to the rows start <= i < stop of out, for dense columns."""
    r, whole = out[start:stop], features.size - features.size % 4
    for k in range(0, whole, 4):
        x0, x1 = columns[features[k]][start:stop], columns[features[k + 1]][start:stop]
        x2, x3 = columns[features[k + 2]][start:stop], columns[features[k + 3]][start:stop]
        axpy4((coefs[k], coefs[k + 1], coefs[k + 2], coefs[k + 3]), x0, x1, x2, x3, r)
    for k in range(whole, features.size):
        axpy(coefs[k], columns[features[k]][start:stop], r)


@kernel(FUSED)
def combine_output_rows(
    columns: Any, edges: Any, features: Any, coefs: Any, out: Any, start: int, stop: int
) -> None:
    """The same for several outputs: entries edges[k], ..., edges[k + 1] are those of output k."""
    for first in range(start, stop, ROWS):
        last = min(first + ROWS, stop)
        for k in range(out.shape[0]):
            own = slice(edges[k], edges[k + 1])
            combine_rows(columns, features[own], coefs[own], out[k], first, last)

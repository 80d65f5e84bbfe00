"""Passes over X: the only loops that read all of X."""

from __future__ import annotations

from typing import Any

from regpath._numba import SPARSE, kernel

__all__ = ["column_dots", "column_moments", "combine_columns", "subset_dots"]


@kernel(SPARSE)
def column_moments(
    design: Any, w: Any, v: Any, mean: Any, variance: Any, product: Any, start: int, stop: int
) -> None:
    """Weighted mean, variance and x_j'v of each column, while it is in the cache."""
    for j in range(start, stop):
        mean[j], variance[j] = design.moments(j, w)
        product[j] = design.dot(j, v)


@kernel(SPARSE)
def column_dots(design: Any, v: Any, out: Any, start: int, stop: int) -> None:
    """Products x_j'v for start <= j < stop."""
    for j in range(start, stop):
        out[j] = design.dot(j, v)


@kernel(SPARSE)
def subset_dots(design: Any, v: Any, features: Any, out: Any) -> None:
    """Products x_j'v of a subset of the columns."""
    for k in range(features.size):
        out[k] = design.dot(features[k], v)


@kernel(SPARSE)
def combine_columns(design: Any, coefs: Any, out: Any) -> None:
    """Add sum_j coefs_j x_j to out, in place."""
    for j in range(coefs.size):
        if coefs[j] != 0.0:
            design.axpy(j, coefs[j], out)

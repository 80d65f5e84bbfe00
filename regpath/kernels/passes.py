"""Passes over X: the only loops that read all of X."""

from __future__ import annotations

from typing import Any

import numpy as np

from regpath._numba import SPARSE, kernel

__all__ = ["column_dots", "column_moments", "combine_columns", "subset_dots"]


@kernel(SPARSE)
def column_moments(
    design: Any, w: Any, v: Any, mean: Any, variance: Any, product: Any, start: int, stop: int
) -> None:
    """Weighted means and variances of the columns start <= j < stop, and x_j'v: X is read once."""
    design.moments(start, stop, w, v, mean, variance, product)


@kernel(SPARSE)
def column_dots(design: Any, v: Any, out: Any, start: int, stop: int) -> None:
    """Products x_j'v for start <= j < stop."""
    design.dots(np.arange(start, stop), v, out[start:stop])


@kernel(SPARSE)
def subset_dots(design: Any, v: Any, features: Any, out: Any) -> None:
    """Products x_j'v of a subset of the columns."""
    design.dots(features, v, out)


@kernel(SPARSE)
def combine_columns(design: Any, a: float, coefs: Any, out: Any) -> None:
    """Add a sum_j coefs_j x_j to out, in place."""
    design.combine(a, coefs, out)

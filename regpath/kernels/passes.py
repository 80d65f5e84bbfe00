"""Passes over X: the only loops that read all of X."""

from __future__ import annotations

from typing import Any

from regpath._numba import FUSED, kernel

__all__ = ["column_dots", "column_moments", "combine_columns"]


@kernel(FUSED)
def column_moments(
    design: Any, w: Any, v: Any, mean: Any, variance: Any, product: Any, start: int, stop: int
) -> None:
    """Weighted means and variances of the columns start <= j < stop, and x_j'v: X is read once."""
    design.moments(start, stop, w, v, mean, variance, product)


@kernel(FUSED)
def column_dots(design: Any, v: Any, features: Any, out: Any, start: int, stop: int) -> None:
    """Products x_j'v for the columns j in features[start:stop]."""
    design.dots(features[start:stop], v, out[start:stop])


@kernel(FUSED)
def combine_columns(design: Any, a: float, coefs: Any, out: Any) -> None:
    """Add a sum_j coefs_j x_j to out, in place."""
    design.combine(a, coefs, out)

"""The dense inner loops that everything else is made of."""

from __future__ import annotations

from typing import Any

from regpath._numba import DENSE, kernel

__all__ = ["axpy", "dot", "spread"]


@kernel(DENSE)
def dot(x: Any, r: Any, start: int, stop: int) -> float:
    """Sum of x_i r_i over start <= i < stop, accumulated in float64."""
    total = 0.0
    for i in range(start, stop):
        total += x[i] * r[i]
    return total


@kernel(DENSE)
def axpy(a: float, x: Any, r: Any, start: int, stop: int) -> None:
    """Add a x_i to r_i for start <= i < stop."""
    for i in range(start, stop):
        r[i] += a * x[i]


@kernel(DENSE)
def spread(x: Any, mean: float, root: Any) -> float:
    """Sum of (root_i (x_i - mean))^2, with root the square roots of the weights."""
    total = 0.0
    for i in range(x.size):
        # The weight comes before the square: in a row of weight 0, x may be so large that x^2
        # overflows.
        t = root[i] * (x[i] - mean)
        total += t * t
    return total

"""The inner loops that everything else is made of: dot products and axpys, dense and sparse."""

from __future__ import annotations

from typing import Any

import numpy as np

from regpath._numba import DENSE, SPARSE, kernel

__all__ = ["axpy", "dot", "sparse_axpy", "sparse_dot", "spread"]


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
        # The weight comes before the square: in a row of weight 0, x may be so large that x^2 overflows.
        t = root[i] * (x[i] - mean)
        total += t * t
    return total


@kernel(SPARSE)
def sparse_dot(data: Any, indices: Any, start: int, stop: int, r: Any) -> float:
    """Sum of data_e r[indices_e] over start <= e < stop."""
    # Four accumulators hide the latency of the additions; unsigned indices need no wrap-around test.
    s0 = s1 = s2 = s3 = 0.0
    whole = stop - (stop - start) % 4
    for e in range(start, whole, 4):
        s0 += data[e] * r[np.uint64(indices[e])]
        s1 += data[e + 1] * r[np.uint64(indices[e + 1])]
        s2 += data[e + 2] * r[np.uint64(indices[e + 2])]
        s3 += data[e + 3] * r[np.uint64(indices[e + 3])]
    for e in range(whole, stop):
        s0 += data[e] * r[np.uint64(indices[e])]
    return (s0 + s1) + (s2 + s3)


@kernel(SPARSE)
def sparse_axpy(a: float, data: Any, indices: Any, start: int, stop: int, r: Any) -> None:
    """Add a data_e to r[indices_e] for start <= e < stop."""
    for e in range(start, stop):
        r[np.uint64(indices[e])] += a * data[e]

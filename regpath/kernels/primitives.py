"""The inner loops that everything else is made of.

Four columns at a time share the loads of the vector, keep four streams of memory busy, and pay for
the start of a loop once: about twice the speed of four single loops.

All loops begin at 0, and callers cut the vectors: an index that might be negative counts from the
end in Python, and the test for it keeps a loop from being vectorised.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from regpath._numba import FUSED, REORDERED, kernel

__all__ = ["axpy", "axpy4", "combine", "dot", "dot4", "moments", "sparse_axpy", "sparse_dot"]

# Rows that a block of columns is read in, so that weights and response stay in the cache.
ROWS = 1024


@kernel(REORDERED, inline="always")
def dot(x: Any, r: Any) -> float:
    """Sum of x_i r_i over the entries of x, accumulated in float64."""
    total = 0.0
    for i in range(x.size):
        total += x[i] * r[i]
    return total


@kernel(REORDERED, inline="always")
def dot4(x0: Any, x1: Any, x2: Any, x3: Any, r: Any) -> tuple[float, float, float, float]:
    """Four sums `dot` at once."""
    s0 = s1 = s2 = s3 = 0.0
    for i in range(x0.size):
        s0 += x0[i] * r[i]
        s1 += x1[i] * r[i]
        s2 += x2[i] * r[i]
        s3 += x3[i] * r[i]
    return s0, s1, s2, s3


@kernel(FUSED, inline="always")
def axpy(a: float, x: Any, r: Any) -> None:
    """Add a x_i to r_i for the entries of x."""
    for i in range(x.size):
        r[i] += a * x[i]


@kernel(FUSED, inline="always")
def axpy4(a: tuple[float, float, float, float], x0: Any, x1: Any, x2: Any, x3: Any, r: Any) -> None:
    """Add a_0 x0_i + ... + a_3 x3_i to r_i for the entries of x0."""
    a0, a1, a2, a3 = a
    for i in range(x0.size):
        r[i] += a0 * x0[i] + a1 * x1[i] + a2 * x2[i] + a3 * x3[i]


@kernel(FUSED, inline="always")
def sparse_dot(data: Any, indices: Any, start: int, stop: int, r: Any) -> float:
    """Sum of data_e r[indices_e] over start <= e < stop, in four sums that do not wait."""
    e, end = np.uint64(start), np.uint64(stop)  # unsigned: no test for negative indices
    s0 = s1 = s2 = s3 = 0.0
    while e + np.uint64(3) < end:
        f, g, h = e + np.uint64(1), e + np.uint64(2), e + np.uint64(3)
        s0 += data[e] * r[np.uint64(indices[e])]
        s1 += data[f] * r[np.uint64(indices[f])]
        s2 += data[g] * r[np.uint64(indices[g])]
        s3 += data[h] * r[np.uint64(indices[h])]
        e += np.uint64(4)
    while e < end:
        s0 += data[e] * r[np.uint64(indices[e])]
        e += np.uint64(1)
    return (s0 + s1) + (s2 + s3)


@kernel(FUSED, inline="always")
def sparse_axpy(a: float, data: Any, indices: Any, start: int, stop: int, r: Any) -> None:
    """Add a data_e to r[indices_e] for start <= e < stop."""
    for e in range(np.uint64(start), np.uint64(stop)):
        r[np.uint64(indices[e])] += a * data[e]


@kernel()
def combine(a: float, coefs: Any, X: Any, size: int, r: Any, stop: int) -> None:
    """Add a sum_k coefs_k X_k to the first ``stop`` entries of r, over k < size."""
    waiting = k0 = k1 = k2 = 0
    for k in range(size):
        if coefs[k] == 0.0:
            continue
        if waiting == 3:
            scaled = a * coefs[k0], a * coefs[k1], a * coefs[k2], a * coefs[k]
            axpy4(scaled, X[k0, :stop], X[k1, :stop], X[k2, :stop], X[k, :stop], r)
            waiting = 0
        else:
            waiting += 1
            k0, k1, k2 = k1, k2, k
    if waiting > 2:
        axpy(a * coefs[k0], X[k0, :stop], r)
    if waiting > 1:
        axpy(a * coefs[k1], X[k1, :stop], r)
    if waiting > 0:
        axpy(a * coefs[k2], X[k2, :stop], r)


@kernel(REORDERED)
def moments(X: Any, features: Any, w: Any, v: Any, mean: Any, variance: Any, product: Any) -> None:
    """Weighted mean and variance of some rows of X, and their products with v.

    Blocks of entries are merged by the formulas of Chan, Golub and LeVeque (1983). ``w`` holds the
    weights, which sum to one, and their square roots.
    """
    weights, roots = w[0], w[1]
    done = 0.0
    for k in range(features.size):
        mean[k] = variance[k] = product[k] = 0.0
    for first in range(0, weights.size, ROWS):
        block = weights[first : first + ROWS]
        share = 0.0
        for i in range(block.size):
            share += block[i]
        before, done = done, done + share
        ratio = share / done if done > 0.0 else 0.0
        block_roots, block_v = roots[first : first + ROWS], v[first : first + ROWS]
        for k in range(features.size):
            x = X[features[k], first : first + ROWS]
            centre = with_v = spread = 0.0
            for i in range(x.size):
                centre += x[i] * block[i]
                with_v += x[i] * block_v[i]
            centre = centre / share if share > 0.0 else centre
            for i in range(x.size):
                # The weight comes before the square: in a row of weight 0, x may be so large that
                # x^2 overflows.
                t = block_roots[i] * (x[i] - centre)
                spread += t * t
            delta = centre - mean[k]
            mean[k] += delta * ratio
            variance[k] += spread + delta * delta * before * ratio
            product[k] += with_v

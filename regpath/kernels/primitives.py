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

__all__ = [
    "axpy",
    "axpy4",
    "combine",
    "dot",
    "dot2x4",
    "dot4",
    "dots_many",
    "moments",
    "moments_many",
    "sparse_axpy",
    "sparse_dot",
    "sparse_dots_many",
    "sparse_moments_many",
]

# Rows that a block of columns is read in, so that weights and response stay in the cache.
ROWS = 1024
# The same where the columns meet many vectors.
ROWS_MANY = 512


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


@kernel(REORDERED, inline="always")
def dot2x4(
    y0: Any, y1: Any, x0: Any, x1: Any, x2: Any, x3: Any
) -> tuple[tuple[float, float, float, float], tuple[float, float, float, float]]:
    """Sums `dot4` of two vectors at once: six loads for eight products, all in registers."""
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = 0.0
    for i in range(y0.size):
        a0 += y0[i] * x0[i]
        a1 += y0[i] * x1[i]
        a2 += y0[i] * x2[i]
        a3 += y0[i] * x3[i]
        b0 += y1[i] * x0[i]
        b1 += y1[i] * x1[i]
        b2 += y1[i] * x2[i]
        b3 += y1[i] * x3[i]
    return (a0, a1, a2, a3), (b0, b1, b2, b3)


Four = tuple[float, float, float, float]


@kernel(REORDERED, inline="always")
def dot4x4(
    y0: Any, y1: Any, y2: Any, y3: Any, x0: Any, x1: Any, x2: Any, x3: Any
) -> tuple[Four, Four, Four, Four]:
    """Sums `dot4` of four vectors at once: eight loads for sixteen products."""
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = 0.0
    c0 = c1 = c2 = c3 = d0 = d1 = d2 = d3 = 0.0
    for i in range(y0.size):
        a0 += y0[i] * x0[i]
        a1 += y0[i] * x1[i]
        a2 += y0[i] * x2[i]
        a3 += y0[i] * x3[i]
        b0 += y1[i] * x0[i]
        b1 += y1[i] * x1[i]
        b2 += y1[i] * x2[i]
        b3 += y1[i] * x3[i]
        c0 += y2[i] * x0[i]
        c1 += y2[i] * x1[i]
        c2 += y2[i] * x2[i]
        c3 += y2[i] * x3[i]
        d0 += y3[i] * x0[i]
        d1 += y3[i] * x1[i]
        d2 += y3[i] * x2[i]
        d3 += y3[i] * x3[i]
    return (a0, a1, a2, a3), (b0, b1, b2, b3), (c0, c1, c2, c3), (d0, d1, d2, d3)


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


# Many vectors at once: X comes from memory once, and meets them in the cache. What a vector is told
# does not depend on the others.


@kernel(REORDERED)
def dots_many(X: Any, features: Any, V: Any, out: Any) -> None:
    """Products of some rows of X with every row of V: an array (rows of V, features).

    Four of V at a time cost little more than one: X must come from memory anyway.
    """
    whole, last = features.size - features.size % 4, V.shape[0] - 1
    out[:, :] = 0.0
    for start in range(0, V.shape[1], ROWS_MANY):
        rows = slice(start, min(start + ROWS_MANY, V.shape[1]))
        for k in range(0, whole, 4):
            x0, x1 = X[features[k], rows], X[features[k + 1], rows]
            x2, x3 = X[features[k + 2], rows], X[features[k + 3], rows]
            for c in range(0, V.shape[0], 4):
                # The last vector takes the place of those that are missing.
                c1, c2, c3 = min(c + 1, last), min(c + 2, last), min(c + 3, last)
                sums = dot4x4(V[c, rows], V[c1, rows], V[c2, rows], V[c3, rows], x0, x1, x2, x3)
                for i in range(min(4, V.shape[0] - c)):
                    for h in range(4):
                        out[c + i, k + h] += sums[i][h]
        for k in range(whole, features.size):
            for c in range(V.shape[0]):
                out[c, k] += dot(X[features[k], rows], V[c, rows])


@kernel(REORDERED, inline="always")
def moments_about(
    x0: Any, x1: Any, c0: float, c1: float, w: Any, v: Any
) -> tuple[float, float, float, float, float, float]:
    """Sums of w (x - c), w (x - c)^2 and v x, for two columns."""
    first0 = second0 = with_v0 = first1 = second1 = with_v1 = 0.0
    for i in range(x0.size):
        t0, t1 = x0[i] - c0, x1[i] - c1
        # The weight comes before the square: x^2 may overflow in a row of weight 0.
        u0, u1 = w[i] * t0, w[i] * t1
        first0 += u0
        first1 += u1
        second0 += u0 * t0
        second1 += u1 * t1
        with_v0 += v[i] * x0[i]
        with_v1 += v[i] * x1[i]
    return first0, second0, with_v0, first1, second1, with_v1


@kernel(REORDERED)
def moments_many(
    X: Any, features: Any, W: Any, V: Any, mean: Any, variance: Any, product: Any
) -> None:
    """Weighted means and variances of some rows of X under every row of W, and products with V.

    Rows of W sum to one. Squares are taken about the mean under the first row.
    """
    last = features.size - 1
    for k in range(0, features.size, 2):
        h = min(k + 1, last)  # the last column is its own partner if their number is odd
        x0, x1 = X[features[k]], X[features[h]]
        c0, c1 = dot(x0, W[0]), dot(x1, W[0])
        for m in range(W.shape[0]):
            f0 = s0 = u0 = f1 = s1 = u1 = 0.0
            for start in range(0, x0.size, ROWS):
                stop = min(start + ROWS, x0.size)
                w, v = W[m, start:stop], V[m, start:stop]
                a0, b0, d0, a1, b1, d1 = moments_about(x0[start:stop], x1[start:stop], c0, c1, w, v)
                f0, s0, u0 = f0 + a0, s0 + b0, u0 + d0
                f1, s1, u1 = f1 + a1, s1 + b1, u1 + d1
            mean[m, k], mean[m, h] = c0 + f0, c1 + f1
            variance[m, k], variance[m, h] = max(s0 - f0 * f0, 0.0), max(s1 - f1 * f1, 0.0)
            product[m, k], product[m, h] = u0, u1


@kernel(FUSED)
def sparse_dots_many(data: Any, indices: Any, indptr: Any, features: Any, V: Any, out: Any) -> None:
    """Products of sparse columns with every column of V (n, 4 m): an array (4 m, features)."""
    for k in range(features.size):
        start, stop = np.uint64(indptr[features[k]]), np.uint64(indptr[features[k] + 1])
        for c in range(0, V.shape[1], 4):
            s0 = s1 = s2 = s3 = 0.0
            for e in range(start, stop):
                x, v = data[e], V[np.uint64(indices[e])]
                s0 += x * v[c]
                s1 += x * v[c + 1]
                s2 += x * v[c + 2]
                s3 += x * v[c + 3]
            out[c, k], out[c + 1, k], out[c + 2, k], out[c + 3, k] = s0, s1, s2, s3


@kernel(FUSED)
def sparse_moments_many(
    data: Any, indices: Any, indptr: Any, features: Any, W: Any, V: Any,
    mean: Any, variance: Any, product: Any,
) -> None:  # fmt: skip
    """Moments of sparse columns under every column of W (n, 2 m), and products with V.

    Squares are taken about zero.
    """
    for k in range(features.size):
        start, stop = np.uint64(indptr[features[k]]), np.uint64(indptr[features[k] + 1])
        for c in range(0, W.shape[1], 2):
            f0 = s0 = u0 = f1 = s1 = u1 = 0.0
            for e in range(start, stop):
                x, i = data[e], np.uint64(indices[e])
                w, v = W[i], V[i]
                a0, a1 = x * w[c], x * w[c + 1]
                f0 += a0
                f1 += a1
                s0 += a0 * x
                s1 += a1 * x
                u0 += x * v[c]
                u1 += x * v[c + 1]
            mean[c, k], mean[c + 1, k] = f0, f1
            variance[c, k], variance[c + 1, k] = max(s0 - f0 * f0, 0.0), max(s1 - f1 * f1, 0.0)
            product[c, k], product[c + 1, k] = u0, u1

"""Loops over K outputs at once: groups of coefficients, one of each output, and softmax rows.

Arrays of coefficients and gradients are (K, features), arrays of rows (K, n): every loop runs along
contiguous memory.
"""

from __future__ import annotations

import math
from typing import Any

from regpath._numba import FUSED, REORDERED, kernel
from regpath.kernels.primitives import axpy, axpy4, dot4
from regpath.kernels.rows import CHUNK

__all__ = [
    "PANEL",
    "combine_outputs",
    "curved",
    "descend_groups",
    "dots_of_outputs",
    "invert",
    "overlap",
    "softmax_change",
    "softmax_divergence",
    "softmax_rows",
    "softmax_tilted",
    "sweep_groups",
    "weighted_products",
]

# Rows of a block of columns that stays in the cache while all outputs use it.
ROWS = 512
# Rows of a block whose columns are multiplied with each other in the second-level cache.
PANEL = 256


@kernel(inline="numba")
def _shrink(z: Any, K: int, l1: float, curvature: float) -> float:
    """What z is multiplied by to minimise curvature b^2 / 2 - z'b + l1 |b|."""
    square = 0.0
    for k in range(K):
        square += z[k] * z[k]
    length = math.sqrt(square)
    return (1.0 - l1 / length) / curvature if length > l1 else 0.0


@kernel()
def sweep_groups(
    G: Any, H: Any, B: Any, l1: Any, l2: Any, bound: float, size: int, z: Any, slack: Any
) -> float:
    """One cyclic pass of block coordinate descent on a quadratic model with Hessian bound G.

    ``H`` (K, size) are the negative gradients of the model and follow B; ``z`` is room for 2 K
    numbers. Moves that change a gradient by less than ``slack[j]`` are not made. Returns the
    largest change of a gradient.
    """
    K, largest = B.shape[0], 0.0
    step = z[K:]
    for j in range(size):
        a = bound * G[j, j]
        if a + l2[j] <= 0.0:
            continue
        for k in range(K):
            z[k] = H[k, j] + a * B[k, j]
        factor = _shrink(z, K, l1[j], a + l2[j])
        move = 0.0
        for k in range(K):
            step[k] = factor * z[k] - B[k, j]
            move += step[k] * step[k]
        change = math.sqrt(move) * (a + l2[j])
        if change > slack[j]:
            largest = max(largest, change)
            for k in range(K):
                # A group that leaves is exactly 0.
                B[k, j] = factor * z[k]
                axpy(-bound * step[k], G[j, :size], H[k])
    return largest


@kernel(FUSED)
def descend_groups(design: Any, R: Any, B: Any, l1: Any, l2: Any, bound: float, z: Any) -> None:
    """One cyclic pass of block coordinate descent on columns of unit length, without their Gram.

    ``R`` (K, n + 1) are the residuals in the form of the designs; they follow B.
    """
    K = B.shape[0]
    for j in range(B.shape[1]):
        for k in range(K):
            z[k] = design.dot(j, R[k]) + bound * B[k, j]
        factor = _shrink(z, K, l1[j], bound + l2[j])
        for k in range(K):
            new = factor * z[k]
            if new != B[k, j]:
                design.axpy(j, bound * (B[k, j] - new), R[k])
                B[k, j] = new


@kernel()
def combine_outputs(B: Any, X: Any, out: Any, start: int, stop: int) -> None:
    """Add sum_j B_kj X_j to out_k for the entries start <= i < stop, all outputs k.

    Four rows of X at a time serve all outputs while they are in the cache.
    """
    K = B.shape[0]
    for first in range(start, stop, ROWS):
        last = min(first + ROWS, stop)
        waiting = j0 = j1 = j2 = 0
        for j in range(B.shape[1]):
            entry = 0.0
            for k in range(K):
                entry += abs(B[k, j])
            if entry == 0.0:
                continue
            if waiting < 3:
                waiting += 1
                j0, j1, j2 = j1, j2, j
                continue
            x0, x1, x2, x3 = (
                X[j0, first:last],
                X[j1, first:last],
                X[j2, first:last],
                X[j, first:last],
            )
            for k in range(K):
                b = B[k]
                axpy4((b[j0], b[j1], b[j2], b[j]), x0, x1, x2, x3, out[k, first:last])
            waiting = 0
        for k in range(K):
            r = out[k, first:last]
            if waiting > 2:
                axpy(B[k, j0], X[j0, first:last], r)
            if waiting > 1:
                axpy(B[k, j1], X[j1, first:last], r)
            if waiting > 0:
                axpy(B[k, j2], X[j2, first:last], r)


@kernel()
def dots_of_outputs(R: Any, X: Any, features: Any, out: Any, start: int, stop: int) -> None:
    """Products X_j'R_k of some rows j of X, all outputs k: out (K, features).

    Blocks of four rows of X stay in the cache while all outputs use them.
    """
    K, last = R.shape[0], features.size - 1
    for k in range(K):
        for f in range(start, stop):
            out[k, f] = 0.0
    for first in range(0, R.shape[1], ROWS):
        end = min(first + ROWS, R.shape[1])
        for f in range(start, stop, 4):
            f1, f2, f3 = min(f + 1, last), min(f + 2, last), min(f + 3, last)
            x0, x1 = X[features[f], first:end], X[features[f1], first:end]
            x2, x3 = X[features[f2], first:end], X[features[f3], first:end]
            for k in range(K):
                s0, s1, s2, s3 = dot4(x0, x1, x2, x3, R[k, first:end])
                row = out[k]
                row[f] += s0
                # Beyond the end the last column is read again, and not counted.
                if f1 > f:
                    row[f1] += s1
                if f2 > f1:
                    row[f2] += s2
                if f3 > f2:
                    row[f3] += s3


@kernel()
def softmax_rows(
    E: Any,
    y: Any,
    root: Any,
    D: Any,
    t: Any,
    P: Any,
    R: Any,
    norm: Any,
    sums: Any,
    start: int,
    stop: int,
) -> None:
    """Step from e to e + t d / root, and what follows from it, in chunks of rows.

    That is: probabilities, working residuals root (y - p), log-normalisers, and the weighted losses
    logsumexp(e) - y'e, summed in chunks. Rows of weight 0 are not looked at.
    """
    K, length = E.shape[0], t[0]
    for c in range(start, stop):
        total = 0.0
        for i in range(c * CHUNK, min((c + 1) * CHUNK, root.size)):
            if root[i] == 0.0:
                norm[i] = 0.0
                for k in range(K):
                    P[k, i] = R[k, i] = 0.0
                continue
            step, top = length / root[i], -math.inf
            for k in range(K):
                E[k, i] += step * D[k, i]
                top = max(top, E[k, i])
            mass = against = 0.0
            for k in range(K):
                P[k, i] = math.exp(E[k, i] - top)
                mass += P[k, i]
                against += y[k, i] * (top - E[k, i])
            inverse = 1.0 / mass
            for k in range(K):
                P[k, i] *= inverse
                R[k, i] = root[i] * (y[k, i] - P[k, i])
            rest = math.log(mass)
            norm[i] = top + rest
            total += root[i] * root[i] * (rest + against)
        sums[c] = total


@kernel()
def softmax_tilted(
    P: Any, root: Any, tilt: Any, moments: Any, q: Any, start: int, stop: int
) -> None:
    """Weighted sums of q and q q' in chunks of rows, where q is p times tilt, normalised.

    ``moments`` is (chunks, K + 1, K): the sums of q q', then those of q; ``q`` (chunks, K) is room.
    """
    K = P.shape[0]
    for c in range(start, stop):
        sums, own = moments[c], q[c]
        for k in range(K + 1):
            for m in range(K):
                sums[k, m] = 0.0
        for i in range(c * CHUNK, min((c + 1) * CHUNK, root.size)):
            mass = 0.0
            for k in range(K):
                own[k] = P[k, i] * tilt[k]
                mass += own[k]
            if mass == 0.0:
                continue
            inverse = 1.0 / mass
            weight = root[i] * root[i]
            for k in range(K):
                own[k] *= inverse
                share = weight * own[k]
                sums[K, k] += share
                for m in range(k + 1):
                    sums[k, m] += share * own[m]
        for k in range(K):
            for m in range(k):
                sums[m, k] = sums[k, m]


@kernel()
def softmax_change(
    E: Any, P: Any, norm: Any, y: Any, root: Any, D: Any, t: Any, sums: Any, start: int, stop: int
) -> None:
    """Change of the weighted losses from e to e + t d / root, without cancellation, in chunks."""
    K, step = E.shape[0], t[0]
    for c in range(start, stop):
        total = 0.0
        for i in range(c * CHUNK, min((c + 1) * CHUNK, root.size)):
            if root[i] == 0.0:
                continue
            scale = step / root[i]
            largest = along = 0.0
            top = -math.inf
            for k in range(K):
                move = scale * D[k, i]
                largest = max(largest, abs(move))
                top = max(top, E[k, i] + move)
                along += y[k, i] * move
            mass = 0.0
            if largest < 1.0:
                for k in range(K):
                    mass += P[k, i] * math.expm1(scale * D[k, i])
                rise = math.log1p(mass)
            else:
                for k in range(K):
                    mass += math.exp(E[k, i] + scale * D[k, i] - top)
                rise = top + math.log(mass) - norm[i]
            total += root[i] * root[i] * (rise - along)
        sums[c] = total


@kernel()
def softmax_divergence(
    E: Any, norm: Any, P: Any, y: Any, root: Any, s: Any, sums: Any, start: int, stop: int
) -> None:
    """Weighted sums of KL(m | p) >= 0 with m = (1 - s) y + s p: what the dual point s u costs."""
    K, share = E.shape[0], s[0]
    for c in range(start, stop):
        total = 0.0
        for i in range(c * CHUNK, min((c + 1) * CHUNK, root.size)):
            row = 0.0
            for k in range(K):
                m = (1.0 - share) * y[k, i] + share * P[k, i]
                if m > 0.0 and root[i] > 0.0:
                    row += m * (math.log(m) - (E[k, i] - norm[i]))
            total += root[i] * root[i] * max(row, 0.0)
        sums[c] = total


@kernel(FUSED)
def curved(P: Any, D: Any) -> None:
    """Replace every column d of D by (diag(p) - p p') d: the Hessian of a softmax row."""
    K = P.shape[0]
    for i in range(P.shape[1]):
        mean = 0.0
        for k in range(K):
            mean += P[k, i] * D[k, i]
        for k in range(K):
            D[k, i] = P[k, i] * (D[k, i] - mean)


@kernel()
def overlap(V: Any, M: Any, out: Any) -> None:
    """I - M o (V'V) for V (K, m): what is left of the identity where groups are stiff."""
    for i in range(M.shape[0]):
        row = out[i]
        for j in range(row.size):
            row[j] = 0.0
        for k in range(V.shape[0]):
            axpy(-V[k, i], V[k], row)
        for j in range(row.size):
            row[j] *= M[i, j]
        row[i] += 1.0


@kernel()
def invert(A: Any, pivot: Any, rows: Any) -> None:
    """Invert a positive definite matrix in place, four rows at a time (Gauss-Jordan).

    The order is a multiple of four. ``pivot`` (4, 4) and ``rows`` (4, m) are room. A matrix that is
    not definite leaves numbers that are not finite, or an inverse that is not definite.
    """
    m = A.shape[0]
    for first in range(0, m, 4):
        for i in range(4):
            for j in range(4):
                pivot[i, j] = A[first + i, first + j]
        _invert_small(pivot)
        for i in range(4):
            for j in range(m):
                rows[i, j] = 0.0
            weights = pivot[i, 0], pivot[i, 1], pivot[i, 2], pivot[i, 3]
            axpy4(weights, A[first], A[first + 1], A[first + 2], A[first + 3], rows[i])
        for i in range(m):
            if first <= i < first + 4:
                continue
            row = A[i]
            b0, b1, b2, b3 = row[first], row[first + 1], row[first + 2], row[first + 3]
            axpy4((-b0, -b1, -b2, -b3), rows[0], rows[1], rows[2], rows[3], row)
            for j in range(4):
                row[first + j] = -(
                    b0 * pivot[0, j] + b1 * pivot[1, j] + b2 * pivot[2, j] + b3 * pivot[3, j]
                )
        for i in range(4):
            for j in range(m):
                A[first + i, j] = rows[i, j]
            for j in range(4):
                A[first + i, first + j] = pivot[i, j]


@kernel(inline="numba")
def _invert_small(A: Any) -> None:
    for k in range(4):
        scale = 1.0 / A[k, k]
        A[k, k] = 1.0
        for j in range(4):
            A[k, j] *= scale
        for i in range(4):
            if i != k:
                factor = A[i, k]
                A[i, k] = 0.0
                for j in range(4):
                    A[i, j] -= factor * A[k, j]


@kernel(REORDERED)
def _tile(B: Any, a: int, b: int, width: int, G: Any) -> None:
    """Add the products of four rows of B, from a on, with four others, from b on, to G."""
    # Rows are cut one by one: the cut of a matrix is not contiguous.
    x0, x1, x2, x3 = B[a][:width], B[a + 1][:width], B[a + 2][:width], B[a + 3][:width]
    y0, y1, y2, y3 = B[b][:width], B[b + 1][:width], B[b + 2][:width], B[b + 3][:width]
    s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = 0.0
    s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = 0.0
    for i in range(x0.size):
        a0, a1, a2, a3 = x0[i], x1[i], x2[i], x3[i]
        b0, b1, b2, b3 = y0[i], y1[i], y2[i], y3[i]
        s00 += a0 * b0
        s01 += a0 * b1
        s02 += a0 * b2
        s03 += a0 * b3
        s10 += a1 * b0
        s11 += a1 * b1
        s12 += a1 * b2
        s13 += a1 * b3
        s20 += a2 * b0
        s21 += a2 * b1
        s22 += a2 * b2
        s23 += a2 * b3
        s30 += a3 * b0
        s31 += a3 * b1
        s32 += a3 * b2
        s33 += a3 * b3
    G[a, b] += s00
    G[a, b + 1] += s01
    G[a, b + 2] += s02
    G[a, b + 3] += s03
    G[a + 1, b] += s10
    G[a + 1, b + 1] += s11
    G[a + 1, b + 2] += s12
    G[a + 1, b + 3] += s13
    G[a + 2, b] += s20
    G[a + 2, b + 1] += s21
    G[a + 2, b + 2] += s22
    G[a + 2, b + 3] += s23
    G[a + 3, b] += s30
    G[a + 3, b + 1] += s31
    G[a + 3, b + 2] += s32
    G[a + 3, b + 3] += s33


@kernel()
def weighted_products(
    X: Any, features: Any, scale: Any, room: Any, out: Any, start: int, stop: int
) -> None:
    """Upper tiles of sum_i (scale_i x_i)(scale_i x_i)' over parts of the entries of some rows of X.

    ``out`` is (parts, m, m), ``room`` (parts, m, `PANEL`), with m the number of features rounded up
    to a multiple of four; what is beyond the features must be 0. It does what a BLAS would do,
    whose threads cost more than they give where another process holds a core.
    """
    parts, m = out.shape[0], out.shape[1]
    size = -(-scale.size // parts)
    for part in range(start, stop):
        G, B = out[part], room[part]
        for first in range(part * size, min((part + 1) * size, scale.size), PANEL):
            last = min(first + PANEL, min((part + 1) * size, scale.size))
            s = scale[first:last]
            for j in range(features.size):
                x, row = X[features[j], first:last], B[j]
                for i in range(x.size):
                    row[i] = x[i] * s[i]
            width = last - first
            for a in range(0, m, 4):
                for b in range(a, m, 4):
                    _tile(B, a, b, width, G)

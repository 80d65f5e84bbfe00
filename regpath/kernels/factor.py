"""A Cholesky factor that follows an active set of features.

State (fields of the named tuple ``F``): ``R`` with R'R = G_AA + diag(held) over the list
``active``; ``position``, its inverse (negative: not in it); ``held``, the curvature of the penalty
when a feature was appended; ``Z`` and ``queue``, room for a batch of columns and for a list of
features. The number of active features m is passed along.

R is upper triangular and stored by rows, so that every loop runs along contiguous memory.
Reference: Golub and Van Loan, Matrix Computations, 4th ed., sections 3.1 and 6.5.
"""

from __future__ import annotations

import math
from typing import Any

from regpath._numba import FUSED, kernel
from regpath.kernels.primitives import axpy, axpy4, dot, dot4

__all__ = [
    "DEPENDENT",
    "DEPENDS",
    "OUTSIDE",
    "append",
    "depends",
    "project",
    "remove",
    "solve",
]

# Positions of features outside the factor: not tried yet, or found to depend on those inside.
OUTSIDE, DEPENDS = -1, -2
# A pivot below this share of its diagonal means: the column depends on those already in R.
DEPENDENT = 1e-12


@kernel()
def _eliminate(R: Any, z: Any, i: int, m: int) -> None:
    """Solve for the unknowns i to i + 3 of R'x = z, and take them out of the equations below."""
    if i + 4 > m:
        for k in range(i, m):
            z[k] /= R[k, k]
            axpy(-z[k], R[k, k + 1 : m], z[k + 1 : m])
        return
    r0, r1, r2, r3 = R[i], R[i + 1], R[i + 2], R[i + 3]
    x0 = z[i] / r0[i]
    x1 = (z[i + 1] - x0 * r0[i + 1]) / r1[i + 1]
    x2 = (z[i + 2] - x0 * r0[i + 2] - x1 * r1[i + 2]) / r2[i + 2]
    x3 = (z[i + 3] - x0 * r0[i + 3] - x1 * r1[i + 3] - x2 * r2[i + 3]) / r3[i + 3]
    z[i], z[i + 1], z[i + 2], z[i + 3] = x0, x1, x2, x3
    k = i + 4
    axpy4((-x0, -x1, -x2, -x3), r0[k:m], r1[k:m], r2[k:m], r3[k:m], z[k:m])


@kernel(inline="numba")
def forward_solve(R: Any, z: Any, m: int) -> None:
    """Solve R'x = z in place for the leading m x m block."""
    for i in range(0, m, 4):
        _eliminate(R, z, i, m)


@kernel(inline="numba")
def solve(R: Any, z: Any, m: int) -> None:
    """Solve R'R x = z in place for the leading m x m block."""
    forward_solve(R, z, m)
    back_solve(R, z, m)


@kernel()
def back_solve(R: Any, z: Any, m: int) -> None:
    """Solve R x = z in place for the leading m x m block."""
    rest = m % 4
    for i in range(m - 1, m - rest - 1, -1):
        z[i] = (z[i] - dot(R[i, i + 1 : m], z[i + 1 : m])) / R[i, i]
    for i in range(m - rest - 4, -1, -4):
        r0, r1, r2, r3 = R[i], R[i + 1], R[i + 2], R[i + 3]
        k = i + 4
        s0, s1, s2, s3 = dot4(r0[k:m], r1[k:m], r2[k:m], r3[k:m], z[k:m])
        x3 = (z[i + 3] - s3) / r3[i + 3]
        x2 = (z[i + 2] - s2 - r2[i + 3] * x3) / r2[i + 2]
        x1 = (z[i + 1] - s1 - r1[i + 2] * x2 - r1[i + 3] * x3) / r1[i + 1]
        x0 = (z[i] - s0 - r0[i + 1] * x1 - r0[i + 2] * x2 - r0[i + 3] * x3) / r0[i]
        z[i], z[i + 1], z[i + 2], z[i + 3] = x0, x1, x2, x3


@kernel(FUSED)
def _rotate(c: float, s: float, upper: Any, lower: Any) -> None:
    """Givens rotation of two rows; ``upper`` begins an entry earlier, and moves to the left."""
    for i in range(lower.size):
        x, y = upper[i + 1], lower[i]
        upper[i] = c * x + s * y
        lower[i] = c * y - s * x


@kernel(inline="numba")
def delete_column(R: Any, place: int, m: int) -> None:
    """Remove one column (and row) from an m x m factor."""
    for i in range(place):
        row = R[i, place:m]
        for k in range(row.size - 1):
            row[k] = row[k + 1]
    for i in range(place, m - 1):
        upper, lower = R[i, i + 1 : m], R[i + 1, i + 2 : m]
        x, y = upper[0], R[i + 1, i + 1]
        length = math.hypot(x, y)
        R[i, i] = length
        _rotate(x / length, y / length, upper, lower)


@kernel()
def remove(F: Any, place: int, m: int) -> int:
    """Take the feature at one place of the active list out of the factor; returns the new m."""
    active, position, held = F.active, F.position, F.held
    delete_column(F.R, place, m)
    position[active[place]] = OUTSIDE
    for k in range(position.size):  # what depended on this feature may be independent now
        if position[k] == DEPENDS:
            position[k] = OUTSIDE
    for i in range(place, m - 1):
        held[i] = held[i + 1]
        active[i] = active[i + 1]
        position[active[i]] = i
    return m - 1


@kernel()
def project(F: Any, row: Any, k: int, m: int, z: Any) -> float:
    """Coordinates z = R'^-1 G_Ak of feature k, with ``row`` = G_k; returns what is left of G_kk."""
    active = F.active
    for i in range(m):
        z[i] = row[active[i]]
    forward_solve(F.R, z, m)
    square = row[k]
    for i in range(m):
        square -= z[i] * z[i]
    return square


@kernel(inline="numba")
def depends(pivot: float, diagonal: float) -> bool:
    """Whether a column with this pivot is a combination of the others, up to rounding."""
    return pivot <= DEPENDENT * diagonal


@kernel()
def append(F: Any, G: Any, penalty: Any, features: Any, count: Any, m: int) -> int:
    """Append the first ``count`` features of a list; returns the new m.

    Features that depend on others in the factor are left out. They go in batches, so that a row of
    R is read once for all columns of a batch.
    """
    R, Z, active = F.R, F.Z, F.active
    for start in range(0, count, Z.shape[0]):
        width, known = min(Z.shape[0], count - start), m
        for c in range(width):
            row, z = G[features[start + c]], Z[c]
            for i in range(known):
                z[i] = row[active[i]]
        for i in range(0, known, 4):
            for c in range(width):
                _eliminate(R, Z[c], i, known)
        for c in range(width):
            k = features[start + c]
            m = _place(F, G[k], k, c, penalty.curvature(k), known, m)
        for i in range(known):
            row = R[i]
            for c in range(m - known):
                row[known + c] = Z[c, i]
    return m


@kernel(inline="numba")
def _place(F: Any, row: Any, k: int, c: int, curvature: float, known: int, m: int) -> int:
    """Append feature k, whose first coordinates are in Z_c, behind those of its batch."""
    R, Z, z = F.R, F.Z, F.Z[c]
    F.position[k] = DEPENDS
    if m >= R.shape[0]:
        return m
    for i in range(known, m):
        z[i] = (row[F.active[i]] - dot(Z[i - known, :i], z)) / R[i, i]
    pivot = row[k] + curvature - dot(z[:m], z)
    if depends(pivot, row[k] + curvature):
        return m
    for i in range(known, m):
        R[i, m] = z[i]
    R[m, m] = math.sqrt(pivot)
    for i in range(m):
        Z[m - known, i] = z[i]
    F.active[m] = k
    F.held[m] = curvature
    F.position[k] = m
    return m + 1

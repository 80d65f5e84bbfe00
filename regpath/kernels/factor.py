"""A Cholesky factor that follows an active set of features.

State (fields of the named tuple ``F``): ``R`` with R'R = G_AA + diag(held) over the list
``active``; ``position``, its inverse (negative: not in it); ``held``, the curvature of the penalty
when a feature was appended; ``z``, room for one column. The number of active features m is passed
along.

R is upper triangular and stored by rows, so that every loop runs along contiguous memory.
Reference: Golub and Van Loan, Matrix Computations, 4th ed., sections 3.1 and 6.5.
"""

from __future__ import annotations

import math
from typing import Any

from regpath._numba import DENSE, kernel
from regpath.kernels.primitives import axpy, dot

__all__ = [
    "DEPENDENT",
    "DEPENDS",
    "OUTSIDE",
    "append",
    "depends",
    "project",
    "rebuild",
    "remove",
    "solve",
]

# Positions of features outside the factor: not tried yet, or found to depend on those inside.
OUTSIDE, DEPENDS = -1, -2
# A pivot below this share of its diagonal means: the column depends on those already in R.
DEPENDENT = 1e-12


@kernel()
def forward_solve(R: Any, z: Any, m: int) -> None:
    """Solve R'x = z in place for the leading m x m block."""
    for i in range(m):
        row = R[i]
        z[i] /= row[i]
        axpy(-z[i], row, z, i + 1, m)


@kernel()
def solve(R: Any, z: Any, m: int) -> None:
    """Solve R'R x = z in place for the leading m x m block."""
    forward_solve(R, z, m)
    back_solve(R, z, m)


@kernel()
def back_solve(R: Any, z: Any, m: int) -> None:
    """Solve R x = z in place for the leading m x m block."""
    for i in range(m - 1, -1, -1):
        row = R[i]
        z[i] = (z[i] - dot(row, z, i + 1, m)) / row[i]


@kernel(DENSE)
def _rotate(c: float, s: float, upper: Any, lower: Any, start: int, stop: int) -> None:
    """Givens rotation of two rows; the upper one moves one column to the left."""
    for i in range(start, stop):
        x, y = upper[i], lower[i]
        upper[i - 1] = c * x + s * y
        lower[i] = c * y - s * x


@kernel()
def delete_column(R: Any, place: int, m: int) -> None:
    """Remove one column (and row) from an m x m factor."""
    for i in range(place):
        row = R[i]
        for k in range(place, m - 1):
            row[k] = row[k + 1]
    for i in range(place, m - 1):
        upper, lower = R[i], R[i + 1]
        x, y = upper[i + 1], lower[i + 1]
        length = math.hypot(x, y)
        upper[i] = length
        _rotate(x / length, y / length, upper, lower, i + 2, m)


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


@kernel()
def depends(pivot: float, diagonal: float) -> bool:
    """Whether a column with this pivot is a combination of the others, up to rounding."""
    return pivot <= DEPENDENT * diagonal


@kernel()
def append(F: Any, row: Any, k: int, curvature: float, m: int) -> int:
    """Append feature k, unless it depends on those already in the factor; returns the new m."""
    R, z = F.R, F.z
    F.position[k] = DEPENDS
    if m >= R.shape[0]:
        return m
    pivot = project(F, row, k, m, z) + curvature
    if depends(pivot, row[k] + curvature):
        return m
    for i in range(m):
        R[i, m] = z[i]
    R[m, m] = math.sqrt(pivot)
    F.active[m] = k
    F.held[m] = curvature
    F.position[k] = m
    return m + 1


@kernel()
def rebuild(F: Any, G: Any, support: Any, held: Any) -> int:
    """Append a list of features to an empty factor, leaving out what depends on the others."""
    m = 0
    for i in range(support.size):
        m = append(F, G[support[i]], support[i], held[i], m)
    return m

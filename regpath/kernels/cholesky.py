"""A Cholesky factor R'R = H that follows an active set: append, delete, solve.

R is upper triangular and stored by rows, so that every loop below runs along contiguous memory.
Reference: Golub and Van Loan, Matrix Computations, 4th ed., sections 3.1 and 6.5.
"""

from __future__ import annotations

import math
from typing import Any

from regpath._numba import DENSE, kernel
from regpath.kernels.primitives import axpy, dot

__all__ = ["back_solve", "delete_column", "forward_solve"]


@kernel()
def forward_solve(R: Any, z: Any, m: int) -> None:
    """Solve R'x = z in place for the leading m x m block."""
    for i in range(m):
        row = R[i]
        z[i] /= row[i]
        axpy(-z[i], row, z, i + 1, m)


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
def delete_column(R: Any, position: int, m: int) -> None:
    """Remove one column (and row) from an m x m factor."""
    for i in range(position):
        row = R[i]
        for k in range(position, m - 1):
            row[k] = row[k + 1]
    for i in range(position, m - 1):
        upper, lower = R[i], R[i + 1]
        x, y = upper[i + 1], lower[i + 1]
        length = math.hypot(x, y)
        upper[i] = length
        _rotate(x / length, y / length, upper, lower, i + 2, m)

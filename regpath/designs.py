"""Designs: what a kernel may ask of a matrix. All knowledge of storage is here.

The contract, for column j of a design with n rows; r is a vector of length n + 1 whose last entry
is the *shift*, a multiple of the centring vector that sparse columns must not add entry by entry:

===================  ==================================================================
method               meaning
===================  ==================================================================
``dot(j, r)``        x_j' r
``axpy(j, a, r)``    r += a x_j, in place
``moments(j, w)``    weighted mean and variance of x_j; w holds the weights, which sum to one,
                     in row 0 and their square roots in row 1
===================  ==================================================================

`Dense` and `Csc` wrap the user's X without a copy. `Centred` is the working copy of a few sparse
columns, scaled, and centred implicitly.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from regpath._numba import register_methods
from regpath.kernels.primitives import axpy, dot, sparse_axpy, sparse_dot, spread

__all__ = ["Centred", "Csc", "Dense", "n_bytes", "n_columns", "n_entries"]

register_methods(dot=2, axpy=3, moments=2)


class Dense(NamedTuple):
    """Columns stored one after the other.

    Attributes
    ----------
    columns : ndarray of shape (p, n)
        The transposed view of a Fortran-ordered X, of any real dtype, read-only.
    """

    columns: Any

    def dot(self, j: int, r: Any) -> float:
        x = self.columns[j]
        return dot(x, r, 0, x.size)

    def axpy(self, j: int, a: float, r: Any) -> None:
        x = self.columns[j]
        axpy(a, x, r, 0, x.size)

    def moments(self, j: int, w: Any) -> tuple[float, float]:
        x = self.columns[j]
        mean = dot(x, w[0], 0, x.size)
        return mean, spread(x, mean, w[1])


class Csc(NamedTuple):
    """Compressed sparse columns.

    Attributes
    ----------
    data, indices, indptr : ndarray
        As in `scipy.sparse.csc_array`, read-only; int32 or int64 indices.
    n_rows : int
        Number of rows.
    """

    data: Any
    indices: Any
    indptr: Any
    n_rows: int

    def dot(self, j: int, r: Any) -> float:
        return sparse_dot(self.data, self.indices, self.indptr[j], self.indptr[j + 1], r)

    def axpy(self, j: int, a: float, r: Any) -> None:
        sparse_axpy(a, self.data, self.indices, self.indptr[j], self.indptr[j + 1], r)

    def moments(self, j: int, w: Any) -> tuple[float, float]:
        start, stop = self.indptr[j], self.indptr[j + 1]
        mean = sparse_dot(self.data, self.indices, start, stop, w[0])
        stored = 0.0
        variance = 0.0
        for e in range(start, stop):
            i = self.indices[e]
            t = w[1, i] * (self.data[e] - mean)
            stored += w[0, i]
            variance += t * t
        # The zeros that are not stored deviate from the mean as well.
        return mean, variance + max(1.0 - stored, 0.0) * mean * mean


class Centred(NamedTuple):
    """Scaled sparse columns minus a multiple of one dense vector c of unit length.

    Column j stands for x_j - centre_j c. A vector r stands for r[:n] + r[n] c, with c'(r[:n] + r[n] c) = 0
    kept by construction, so that (x_j - centre_j c)'r = x_j'r[:n] + r[n] centre_j.

    Attributes
    ----------
    data, indices, indptr : ndarray
        The columns x_j.
    centre : ndarray of shape (p,)
        centre_j = c'x_j.
    """

    data: Any
    indices: Any
    indptr: Any
    centre: Any

    def dot(self, j: int, r: Any) -> float:
        stored = sparse_dot(self.data, self.indices, self.indptr[j], self.indptr[j + 1], r)
        return stored + r[r.size - 1] * self.centre[j]

    def axpy(self, j: int, a: float, r: Any) -> None:
        sparse_axpy(a, self.data, self.indices, self.indptr[j], self.indptr[j + 1], r)
        r[r.size - 1] -= a * self.centre[j]


def n_columns(design: Dense | Csc) -> int:
    """Number of columns of a design."""
    return len(design.columns) if isinstance(design, Dense) else len(design.indptr) - 1


def n_entries(design: Dense | Csc) -> int:
    """Number of stored entries of a design."""
    return int(design.columns.size if isinstance(design, Dense) else design.data.size)


def n_bytes(design: Dense | Csc) -> int:
    """Bytes of a design's arrays."""
    arrays = [design.columns] if isinstance(design, Dense) else [*design[:3]]
    return sum(int(a.nbytes) for a in arrays)

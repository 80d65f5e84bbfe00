"""Designs: what a kernel may ask of a matrix. All knowledge of storage is here.

The contract, for column j of a design with n rows; r is a vector of length n + 1 whose last entry
is the *shift*, a multiple of the centring vector that sparse columns must not add entry by entry:

===================  ==================================================================
method               meaning
===================  ==================================================================
``dot(j, r)``        x_j' r
``axpy(j, a, r)``    r += a x_j, in place
``dots(J, r, out)``  x_j' r for the columns j of a list J
``dots_each(...)``   x_j' v for the columns j of a list J and a few vectors v: the rows of V, and of
                     the result
``combine(...)``     r += a sum_k b_k x_j, in place, where j is entry k of a list J
``moments(...)``     weighted means and variances of the columns of a list J, and their products
                     with v; w holds the weights, which sum to one, in row 0 and their square
                     roots in row 1
``dots_many(...)``   x_j' v for the columns j of a list J and many vectors v: the rows of V, and
                     of the result, for `Dense`; for `Csc` V holds them as columns, a multiple of
                     four of them
``moments_many(..)`` the same for moments under many weights
===================  ==================================================================

`Dense` and `Csc` wrap the user's X without a copy. `Centred` is the working copy of a few sparse
columns, scaled, and centred implicitly.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from regpath._numba import register_methods
from regpath.kernels.primitives import (
    axpy,
    axpy4,
    dot,
    dot4,
    dots_many,
    moments,
    moments_many,
    sparse_axpy,
    sparse_dot,
    sparse_dots_many,
    sparse_moments_many,
)

__all__ = [
    "Centred",
    "Csc",
    "Dense",
    "as_scipy",
    "column_shares",
    "n_bytes",
    "n_columns",
    "n_entries",
]

# Inlined, for a sparse column is often shorter than a call. Kernels that call these methods allow
# contraction but no reordering.
register_methods(inline="numba", dot=2, axpy=3, dots=3, combine=4, moments=6)
register_methods(inline="numba", dots_each=3, dots_many=3, moments_many=6)


class Dense(NamedTuple):
    """Columns stored one after the other.

    Attributes
    ----------
    columns : ndarray of shape (p, n)
        The transposed view of a Fortran-ordered X, of any real dtype, read-only.
    """

    columns: Any

    def dot(self, j: int, r: Any) -> float:
        return dot(self.columns[j], r)

    def axpy(self, j: int, a: float, r: Any) -> None:
        axpy(a, self.columns[j], r)

    def dots(self, features: Any, r: Any, out: Any) -> None:
        X, size = self.columns, len(features)
        for k in range(0, size - 3, 4):
            x0, x1 = X[features[k]], X[features[k + 1]]
            x2, x3 = X[features[k + 2]], X[features[k + 3]]
            out[k], out[k + 1], out[k + 2], out[k + 3] = dot4(x0, x1, x2, x3, r)
        for k in range(size - size % 4, size):
            out[k] = dot(X[features[k]], r)

    def dots_each(self, features: Any, V: Any, out: Any) -> None:
        if len(V) == 1:
            self.dots(features, V[0], out[0])
        else:
            dots_many(self.columns, features, V, out)

    def combine(self, a: float, features: Any, coefs: Any, r: Any) -> None:
        X, size = self.columns, len(features)
        for k in range(0, size - 3, 4):
            scaled = a * coefs[k], a * coefs[k + 1], a * coefs[k + 2], a * coefs[k + 3]
            x0, x1 = X[features[k]], X[features[k + 1]]
            x2, x3 = X[features[k + 2]], X[features[k + 3]]
            axpy4(scaled, x0, x1, x2, x3, r)
        for k in range(size - size % 4, size):
            axpy(a * coefs[k], X[features[k]], r)

    def moments(
        self, features: Any, w: Any, v: Any, mean: Any, variance: Any, product: Any
    ) -> None:
        moments(self.columns, features, w, v, mean, variance, product)

    def dots_many(self, features: Any, V: Any, out: Any) -> None:
        dots_many(self.columns, features, V, out)

    def moments_many(
        self, features: Any, W: Any, V: Any, mean: Any, variance: Any, product: Any
    ) -> None:
        moments_many(self.columns, features, W, V, mean, variance, product)


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

    def dots(self, features: Any, r: Any, out: Any) -> None:
        for k in range(len(features)):
            out[k] = self.dot(features[k], r)

    def dots_each(self, features: Any, V: Any, out: Any) -> None:
        for m in range(len(V)):
            self.dots(features, V[m], out[m])

    def combine(self, a: float, features: Any, coefs: Any, r: Any) -> None:
        for k in range(len(features)):
            self.axpy(features[k], a * coefs[k], r)

    def moments(
        self, features: Any, w: Any, v: Any, mean: Any, variance: Any, product: Any
    ) -> None:
        data, indices, weights, roots = self.data, self.indices, w[0], w[1]
        for k in range(len(features)):
            j = features[k]
            centre = stored = spread = with_v = 0.0
            first, last = np.uint64(self.indptr[j]), np.uint64(self.indptr[j + 1])
            for e in range(first, last):
                i = np.uint64(indices[e])
                centre += data[e] * weights[i]
                stored += weights[i]
                with_v += data[e] * v[i]
            for e in range(first, last):
                t = roots[np.uint64(indices[e])] * (data[e] - centre)
                spread += t * t
            # The zeros that are not stored deviate from the mean as well.
            full = last - first == np.uint64(self.n_rows)
            rest = 0.0 if full else max(1.0 - stored, 0.0)
            mean[k], variance[k], product[k] = centre, spread + rest * centre * centre, with_v

    def dots_many(self, features: Any, V: Any, out: Any) -> None:
        sparse_dots_many(self.data, self.indices, self.indptr, features, V, out)

    def moments_many(
        self, features: Any, W: Any, V: Any, mean: Any, variance: Any, product: Any
    ) -> None:
        sparse_moments_many(
            self.data, self.indices, self.indptr, features, W, V, mean, variance, product
        )


class Centred(NamedTuple):
    """Scaled sparse columns minus a multiple of one dense vector c of unit length.

    Columns without zeros are stored centred, with a multiple of 0.

    Column j stands for x_j - centre_j c. A vector r stands for r[:n] + r[n] c, with c'(r[:n] +
    r[n] c) = 0 kept by construction, so that (x_j - centre_j c)'r = x_j'r[:n] + r[n] centre_j.

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
        inner = sparse_dot(self.data, self.indices, self.indptr[j], self.indptr[j + 1], r)
        return inner + r[r.size - 1] * self.centre[j]

    def axpy(self, j: int, a: float, r: Any) -> None:
        sparse_axpy(a, self.data, self.indices, self.indptr[j], self.indptr[j + 1], r)
        r[r.size - 1] -= a * self.centre[j]

    def dots(self, features: Any, r: Any, out: Any) -> None:
        for k in range(len(features)):
            out[k] = self.dot(features[k], r)

    def combine(self, a: float, features: Any, coefs: Any, r: Any) -> None:
        for k in range(len(features)):
            self.axpy(features[k], a * coefs[k], r)


def as_scipy(design: Csc) -> csc_array:
    """The matrix as SciPy knows it, without a copy."""
    shape = design.n_rows, design.indptr.size - 1
    return csc_array((design.data, design.indices, design.indptr), shape=shape, copy=False)


def n_columns(design: Dense | Csc) -> int:
    """Number of columns of a design."""
    return len(design.columns) if isinstance(design, Dense) else len(design.indptr) - 1


def n_entries(design: Dense | Csc) -> int:
    """Number of stored entries of a design."""
    return int(design.columns.size if isinstance(design, Dense) else design.data.size)


def column_shares(design: Dense | Csc) -> NDArray[np.float64]:
    """What every column takes of a pass over all: its share of the entries."""
    p = n_columns(design)
    counts = np.ones(p) if isinstance(design, Dense) else np.diff(design.indptr)
    return counts / max(float(counts.sum()), 1.0)


def n_bytes(design: Dense | Csc) -> int:
    """Bytes of a design's arrays."""
    arrays = [design.columns] if isinstance(design, Dense) else [*design[:3]]
    return sum(int(a.nbytes) for a in arrays)

"""Working columns: scaled copies of the columns in the working set, dense or sparse.

Contract: ``append(features, gram)`` copies columns and returns their rows of the Gram matrix (or
None), ``design`` is what the kernels descend on, and ``plain_residual(r)`` turns a residual in the
form of the kernels (`start_residual`) into a vector of length n.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from regpath._memory import room
from regpath.designs import Centred, Csc, Dense
from regpath.kernels.gather import gather_dense, gather_sparse, row_products, sparse_products
from regpath.kernels.passes import combine_columns
from regpath.kernels.primitives import combine
from regpath.solvers.geometry import Geometry
from regpath.solvers.reader import over_columns
from regpath.solvers.threads import fair_ranges, in_ranges, threads_worth

__all__ = [
    "DenseWorking",
    "SparseWorking",
    "Working",
    "last_products",
    "start_residual",
    "working_columns",
]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Multiplications of a product that a BLAS is asked for. Its threads wait actively before and after:
# that takes a core from the next pass, and milliseconds where another process holds one.
LARGE_PRODUCT = 400_000_000
# Entries of all columns up to which there is room for all of them from the beginning.
LARGEST_ROOM = 100_000_000


class Working(Protocol):
    """What a working set asks of its columns."""

    size: int

    @property
    def design(self) -> Dense | Centred:
        """The columns, for kernels."""

    @property
    def entries(self) -> int:
        """Stored entries: the cost of one sweep."""

    @property
    def centre(self) -> Array:
        """The vector of length n whose multiple is the last entry of a residual."""

    def append(self, features: Index, gram: bool) -> Array | None:
        """Copy columns; return their rows (m, size) of the Gram matrix if asked."""

    def clear(self) -> None:
        """Forget all columns, and keep the room: the geometry is another one now."""

    def subtract(self, b: Array, r: Array) -> None:
        """Subtract the columns times b from a residual in the form of the kernels, in place."""

    def plain_residual(self, r: Array) -> Array:
        """The same residual as a vector of length n."""


def start_residual(columns: Working, response: Array, b: Array) -> Array:
    """Residual y~ - X~_W b in the form that kernels update: with room for the shift at its end."""
    r = np.empty(response.size + 1)
    r[:-1], r[-1] = response, 0.0
    columns.subtract(b, r)
    return r


def working_columns(geometry: Geometry) -> Working:
    """Working columns for the storage of a design."""
    if isinstance(geometry.design, Csc):
        return SparseWorking(geometry)
    return DenseWorking(geometry)


def grown(array: Any, rows: int, used: int) -> Any:
    """The array with room for more rows, its first ``used`` ones kept."""
    if rows <= len(array):
        return array
    larger = room((max(rows, len(array) * 3 // 2), *array.shape[1:]), array.dtype)
    larger[:used] = array[:used]
    return larger


def last_products(rows: Array, m: int, n_threads: int) -> Array:
    """Products (m, size) of the last m rows of an array with all of its rows."""
    size, n = rows.shape
    new = rows[size - m :]
    work = n * (m * size - m * (m - 1) // 2)  # new rows meet each other once
    if work > LARGE_PRODUCT:
        product: Array = new @ rows.T
        return product
    block = np.empty((m, size))
    edges = fair_ranges(np.minimum(m, np.arange(size, 0, -1)), threads_worth(work, n_threads))
    in_ranges(row_products, edges, new, rows, block)
    return block


class DenseWorking:
    """Contiguous standardised copies of dense columns."""

    def __init__(self, geometry: Geometry) -> None:
        self._geometry = geometry
        # Pages that nobody has written to cost nothing.
        rows = geometry.p if geometry.n * geometry.p <= LARGEST_ROOM else 64
        self._columns = room((rows, geometry.n))
        self.size = 0

    @property
    def design(self) -> Dense:
        """The columns, for kernels."""
        columns = self._columns[: self.size]
        columns.flags.writeable = False
        return Dense(columns)

    @property
    def entries(self) -> int:
        """Stored entries: the cost of one sweep."""
        return self.size * self._geometry.n

    @property
    def centre(self) -> Array:
        """The vector of length n whose multiple is the last entry of a residual."""
        return self._geometry.root

    def append(self, features: Index, gram: bool) -> Array | None:
        """Copy columns; return their rows (m, size) of the Gram matrix if asked."""
        geometry, old = self._geometry, self.size
        self.size += features.size
        self._columns = grown(self._columns, self.size, old)
        new = self._columns[old : self.size]
        columns: Any = geometry.design
        gather_dense(columns.columns, features, geometry.root, geometry.mean, geometry.scale, new)
        return (
            last_products(self._columns[: self.size], len(new), geometry.n_threads)
            if gram
            else None
        )

    def clear(self) -> None:
        """Forget all columns, and keep the room: the geometry is another one now."""
        self.size = 0

    def subtract(self, b: Array, r: Array) -> None:
        """Subtract the columns times b from a residual in the form of the kernels, in place."""
        combine(-1.0, b, self._columns, self.size, r, self._geometry.n)

    def plain_residual(self, r: Array) -> Array:
        """The same residual as a vector of length n."""
        return r[:-1]


class SparseWorking:
    """Scaled copies of sparse columns, centred implicitly."""

    def __init__(self, geometry: Geometry) -> None:
        self._geometry = geometry
        self.size = 0
        self._data = np.empty(1024)
        self._indices = np.empty(1024, np.int32)
        self._indptr = np.zeros(65, np.int64)
        self._centre = np.empty(64)

    @property
    def design(self) -> Centred:
        """The columns, for kernels."""
        return Centred(self._data, self._indices, self._indptr, self._centre)

    @property
    def entries(self) -> int:
        """Stored entries: the cost of one sweep."""
        return int(self._indptr[self.size])

    @property
    def centre(self) -> Array:
        """The vector of length n whose multiple is the last entry of a residual."""
        return self._geometry.root

    def append(self, features: Index, gram: bool) -> Array | None:
        """Copy columns; return their rows (m, size) of the Gram matrix if asked."""
        geometry, old = self._geometry, self.size
        design: Any = geometry.design
        used = int(self._indptr[old])
        entries = used + int((design.indptr[features + 1] - design.indptr[features]).sum())
        self.size += features.size
        self._data, self._indices = (grown(v, entries, used) for v in (self._data, self._indices))
        self._indptr = grown(self._indptr, self.size + 1, old + 1)
        self._centre = grown(self._centre, self.size, old)
        # A column without zeros is stored centred: nothing cancels in its products.
        full = design.indptr[features + 1] - design.indptr[features] == geometry.n
        inside = np.where(full, geometry.mean[features], 0.0)
        after = geometry.mean[features] - inside
        self._centre[old : self.size] = after / geometry.scale[features]
        gather_sparse(design, features, geometry.root, inside, geometry.scale, self.design, old)
        return self._products(old) if gram else None

    def clear(self) -> None:
        """Forget all columns, and keep the room: the geometry is another one now."""
        self.size = 0

    def _products(self, old: int) -> Array:
        """Products of the columns from ``old`` on with all columns."""
        n, size = self._geometry.n, self.size
        indptr = self._indptr[: size + 1]
        stored = Csc(self._data[: indptr[-1]], self._indices[: indptr[-1]], indptr, n)
        own = slice(indptr[old], indptr[-1])
        new = stored.data[own], stored.indices[own], indptr[old:] - indptr[old]
        rows = csc_array(new, shape=(n, size - old)).tocsr()
        out = np.empty((size, size - old))
        arrays = rows.indptr, rows.indices, rows.data, out
        over_columns(stored, self._geometry.n_threads, sparse_products, *arrays)
        block = out.T.copy()
        for m in range(1, size - old):  # two columns have one product, whichever came first
            block[:m, old + m] = block[m, old : old + m]
        block -= np.outer(self._centre[old:size], self._centre[:size])
        return block

    def subtract(self, b: Array, r: Array) -> None:
        """Subtract the columns times b from a residual in the form of the kernels, in place."""
        support = b.nonzero()[0]
        combine_columns(self.design, -1.0, support, b[support], r)

    def plain_residual(self, r: Array) -> Array:
        """The same residual as a vector of length n."""
        plain: Array = r[:-1] + r[-1] * self._geometry.root
        return plain

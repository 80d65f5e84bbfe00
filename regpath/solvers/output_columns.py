"""Products of working columns with K vectors at once, for every storage."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from regpath.designs import Dense
from regpath.kernels.groups import PANEL, combine_outputs, dots_of_outputs, weighted_products
from regpath.kernels.passes import column_dots, combine_columns
from regpath.kernels.primitives import dot
from regpath.solvers.geometry import Geometry
from regpath.solvers.threads import equal_ranges, in_ranges, threads_worth
from regpath.solvers.working import working_columns

__all__ = ["OutputColumns"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Rows that are summed on their own, and into how many sums at most.
PART, MOST_PARTS = 8192, 8


class OutputColumns:
    """Working columns x~_j of a growing set of features.

    Parameters
    ----------
    geometry : Geometry
    rows : ndarray of shape (m, n), optional
        Columns that are no features of the design; they are there from the beginning.
    """

    def __init__(self, geometry: Geometry, rows: Array | None = None) -> None:
        self._geometry = geometry
        self._rows = rows
        self._working = working_columns(geometry)

    @property
    def size(self) -> int:
        """Number of columns."""
        return self._working.size if self._rows is None else len(self._rows)

    @property
    def design(self) -> Any:
        """The columns, for kernels."""
        return self._working.design if self._rows is None else Dense(self._rows)

    def append(self, features: Index, gram: bool) -> Array | None:
        """Copy columns; return their rows (m, size) of the Gram matrix if asked."""
        return self._working.append(features, gram)

    def combine(self, B: Array) -> Array:
        """Sums over j of B_kj x~_j: an array (K, n)."""
        n, design = self._geometry.n, self.design
        if isinstance(design, Dense):
            out = np.zeros((len(B), n))
            active = int(np.count_nonzero(B.any(axis=0)))
            ranges = equal_ranges(n, self._threads(active * n * len(B)))
            in_ranges(combine_outputs, ranges, B, design.columns, out)
            return out
        shifted, support = np.zeros((len(B), n + 1)), np.flatnonzero(B.any(axis=0))
        for row, r in zip(B[:, support], shifted, strict=True):
            combine_columns(design, 1.0, support, np.ascontiguousarray(row), r)
        return shifted[:, :n] + shifted[:, n:] * self._geometry.root

    def dots(self, R: Array, which: Index | None = None) -> Array:
        """Products x~_j'R_k of the columns, or of some: an array (K, columns)."""
        design = self.design
        features = np.arange(self.size) if which is None else which
        out = np.empty((len(R), features.size))
        if isinstance(design, Dense):
            edges = equal_ranges(features.size, self._threads(out.size * self._geometry.n))
            in_ranges(dots_of_outputs, edges, R, design.columns, features, out)
            return out
        for r, row in zip(R, out, strict=True):
            # The vector in the form of the kernels; its sum counts where a column was centred.
            shifted = np.append(r, -float(dot(r, self._geometry.root)))
            column_dots(design, shifted, features, row, 0, features.size)
        return out

    def weighted_gram(self, c: Array, which: Index) -> Array:
        """Products sum_i c_i x~_ij x~_il of some columns and, last, of the column root_i."""
        design, root = self.design, self._geometry.root
        gram = np.empty((which.size + 1, which.size + 1))
        if isinstance(design, Dense):
            gram[:-1, :-1] = self._weighted(design.columns, np.sqrt(c), which)
            cross = self.dots((c * root)[None], which)[0]
        else:
            shape = (self._geometry.n, self.size)
            X = csc_array((design.data, design.indices, design.indptr[: self.size + 1]), shape)
            X = X[:, which]
            centre = design.centre[which]
            products = X.T @ (c * root)
            total = float(c @ (root * root))
            gram[:-1, :-1] = (X.T @ (X * c[:, None])).toarray()
            gram[:-1, :-1] -= np.outer(products, centre) + np.outer(centre, products)
            gram[:-1, :-1] += total * np.outer(centre, centre)
            cross = products - total * centre
        gram[-1, :-1] = gram[:-1, -1] = cross
        gram[-1, -1] = c @ (root * root)
        return gram

    def _weighted(self, X: Array, scale: Array, which: Index) -> Array:
        """Gram matrix of some rows of X, entries scaled; the same on any number of threads."""
        parts, m = min(-(-scale.size // PART), MOST_PARTS), -(-which.size // 4) * 4
        room, out = np.zeros((parts, m, PANEL)), np.zeros((parts, m, m))
        threads = min(self._threads(scale.size * m * m // 2), parts)
        edges = np.linspace(0, parts, threads + 1).astype(np.int64)
        in_ranges(weighted_products, edges, X, which, scale, room, out)
        upper = np.triu(out.sum(axis=0)[: which.size, : which.size])
        out[0, : which.size, : which.size] = upper + np.triu(upper, 1).T
        gram: Array = out[0, : which.size, : which.size]
        return gram

    def _threads(self, work: int) -> int:
        return threads_worth(work, self._geometry.n_threads)

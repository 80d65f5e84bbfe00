"""Products of the columns over the rows of every fold: all that least squares needs of tall data.

With z = (x_1 - c_1, ..., x_p - c_p, y - c_y, 1), c a point near the means, the matrices

    C_f = sum over the rows i of fold f of w_i z_i z_i'

hold means, variances, Gram matrices and products with the response of any union of folds, and the
squared errors of any model on any fold. One read of X gives them all, at the cost of one Gram
matrix; the training rows of a fold are the whole minus that fold.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from regpath.designs import Csc, Dense, n_bytes, n_columns
from regpath.kernels.gather import gather_rows
from regpath.solvers.gram import AT_ONCE, largest_gram
from regpath.solvers.reader import Moments, Reader
from regpath.solvers.threads import roam

__all__ = ["FoldProducts", "ProductsReader"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Bytes of X that are worked on at once.
BLOCK_BYTES = 16_000_000
# Bytes that the matrices may take in any case.
LEAST_ROOM = 16e6
# Rows that c is the mean of.
SAMPLE = 1000
# Share of the sum of squares about c below which the part about the mean has lost digits.
LOST = 1e-4


class Union(NamedTuple):
    """Sums over the rows of some folds.

    Attributes
    ----------
    products : ndarray of shape (p + 2, p + 2)
        Of z, see the top of the module.
    weight : float
    shift : ndarray of shape (p + 1,)
        Means minus c, of the columns and of the response.
    """

    products: Array
    weight: float
    shift: Array

    @property
    def variance(self) -> Array:
        """Weighted variances of the columns; nan where digits are lost."""
        p = self.shift.size - 1
        about = np.diagonal(self.products)[:p] / self.weight
        variance: Array = about - self.shift[:p] ** 2
        return np.where(variance > LOST * about, variance, np.nan)

    def covariance(self, features: Index) -> Array:
        """Weighted covariances of some columns."""
        some = features if features.size < self.shift.size - 1 else slice(features.size)
        products = self.products[some][:, some] / self.weight
        products -= np.outer(self.shift[some], self.shift[some])
        return products


class FoldProducts:
    """The matrices C_f of all folds.

    Parameters
    ----------
    design : Dense
    y, weights : ndarray of shape (n,)
    folds : sequence of ndarray of int
        The rows of every fold, increasing; every row is in one of them.
    n_threads : int
    """

    def __init__(
        self, design: Dense, y: Array, weights: Array, folds: list[Index], n_threads: int
    ) -> None:
        columns = design.columns
        p, n = columns.shape
        sample = np.flatnonzero(weights)[:: max(1, n // SAMPLE)]
        self.centre = np.append(
            np.mean(columns[:, sample], axis=1, dtype=np.float64), y[sample].mean()
        )
        # In a row of weight 0 anything may be found.
        self._y, self._root = np.where(weights > 0.0, y, 0.0), np.sqrt(weights)
        self._columns = columns
        size = max(64 * len(folds), BLOCK_BYTES // (8 * p))
        edges = np.append(np.arange(0, n, size), n)
        products = np.zeros((len(folds), p + 2, p + 2))

        def add(fold: int, start: int, stop: int) -> None:
            some = folds[fold]
            rows = some[np.searchsorted(some, start) : np.searchsorted(some, stop)]
            if rows.size:
                z = self._rows(rows)
                products[fold] += z @ z.T

        with ThreadPoolExecutor(n_threads, initializer=roam) as pool:
            for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
                list(pool.map(lambda f: add(f, start, stop), range(len(folds))))  # noqa: B023
        self._products = products
        self._whole = products.sum(axis=0)

    @staticmethod
    def pay(design: Dense | Csc, n_folds: int) -> bool:
        """Whether a solver will want the Gram matrix of all columns, and there is room."""
        p = n_columns(design)
        if not isinstance(design, Dense) or p > largest_gram(design):
            return False
        n = design.columns.shape[1]
        room = max(LEAST_ROOM, 0.25 * n_bytes(design))
        wanted = p <= AT_ONCE or n > 2 * p
        return wanted and 8 * (p + 2) ** 2 * (n_folds + 1) <= room

    def _rows(self, rows: Index) -> Array:
        """Columns z of some rows, times the roots of their weights."""
        p = len(self._columns)
        z, root = np.empty((p + 2, rows.size)), self._root[rows]
        gather_rows(self._columns, rows, root, self.centre, z)
        z[p] = root * (self._y[rows] - self.centre[p])
        z[p + 1] = root
        return z

    def without(self, fold: int | None) -> Union:
        """Sums over the rows of all folds but one."""
        products = self._whole
        if fold is not None:
            products = self._whole - self._products[fold]
            lost = np.diagonal(products) < LOST * np.diagonal(self._whole)
            if lost.any():
                products = np.delete(self._products, fold, axis=0).sum(axis=0)
        weight = float(products[-1, -1])
        return Union(products, weight, products[-1, :-1] / weight)

    def weight(self, fold: int) -> float:
        """Sum of the weights of a fold."""
        return float(self._products[fold, -1, -1])

    def squared_errors(self, fold: int, coefs: Array, intercepts: Array) -> Array:
        """Weighted sums of squared errors on the rows of a fold, for models (p, L); nan if lost."""
        p = len(coefs)
        u = np.empty((p + 2, coefs.shape[1]))
        u[:p], u[p] = -coefs, 1.0
        u[p + 1] = self.centre[p] - self.centre[:p] @ coefs - intercepts
        products = self._products[fold]
        errors = np.einsum("ij,ij->j", u, products @ u)
        sizes = np.abs(u).T @ np.sqrt(np.diagonal(products))
        return np.where(errors > LOST**2 * sizes**2, errors, np.nan)


class ProductsReader:
    """The `Reader` of the problem without one fold, or with all rows: X has been read already.

    Parameters
    ----------
    products : FoldProducts
    fold : int or None
        What is left out.
    own : Reader
        For what the products do not hold.
    """

    def __init__(self, products: FoldProducts, fold: int | None, own: Reader) -> None:
        self._centre, self._own = products.centre, own
        self._rows = products.without(fold)
        self._variance = self._rows.variance

    def dots(self, V: Array) -> Array:
        """X'v for every row v of V (m, n): an array (m, p)."""
        return self._own.dots(V)

    def moments(self, weights: Array, v: Array, centre: float, scale: float) -> Moments:
        """Weighted means and variances of the columns, and X'v."""
        if np.isnan(self._variance).any():
            return self._own.moments(weights, v, centre, scale)
        rows, p = self._rows, self._variance.size
        shift, c = rows.shift[:p], self._centre[:p]
        off = centre - self._centre[p]
        product = rows.products[:p, p] / rows.weight - off * shift + c * (rows.shift[p] - off)
        product = product / scale if v.any() else np.zeros(p)  # not even rounding if y is constant
        return c + shift, self._variance.copy(), product

    def gram(self, root: Array, mean: Array, scale: Array, features: Index) -> Array:
        """Products of the columns root_i (x_ij - mean_j) / scale_j with each other."""
        if np.isnan(self._variance[features]).any():
            return self._own.gram(root, mean, scale, features)
        gram = self._rows.covariance(features)
        off = self._centre[features] + self._rows.shift[features] - mean[features]
        gram += np.outer(off, off)
        gram /= scale[features, None]
        gram /= scale[features]
        return gram

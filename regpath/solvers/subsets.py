"""Least squares on subsets of the columns of one design, all from one Gram matrix.

With G = X~'X~ and q = X~'y~ of all columns (`regpath.solvers.geometry`), the coefficients on a
subset A solve G_AA b = q_A. The distance to the minimum is h'G_AA^-1 h / 2 with h = q_A - G_AA b.
From one subset to the next the Cholesky factor of G_AA follows by what enters and what leaves.

Reference: Golub and Van Loan, Matrix Computations, 4th ed., sections 4.2, 5.3 and 6.5.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from regpath.kernels import factor
from regpath.penalties import ElasticNet
from regpath.solvers.geometry import Geometry
from regpath.solvers.gram import empty_factor, largest_gram
from regpath.solvers.points import NULL
from regpath.solvers.products import apply, gram_of_columns

__all__ = ["SubsetFit", "Subsets"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Below this share of its diagonal a pivot has lost half of the digits: residuals are then taken
# from the columns themselves.
ILL_CONDITIONED = 1e-6


class SubsetFit(NamedTuple):
    """Least squares on some columns, in working units.

    Attributes
    ----------
    coefs : ndarray of shape (k,)
    gap : float
        Distance to the minimum, relative to the null objective.
    explained : float
        1 - |r|^2 / |y~|^2, for |y~| = 1.
    """

    coefs: Array
    gap: float
    explained: float


class Subsets:
    """Least squares on subsets of the columns of a design.

    Parameters
    ----------
    geometry : Geometry
        The design, whose columns should all belong to some subset.
    fit_intercept : bool
        Whether the columns are centred.
    """

    def __init__(self, geometry: Geometry, *, fit_intercept: bool) -> None:
        self._geometry = geometry
        rows = int(np.count_nonzero(geometry.root)) - fit_intercept
        self._most = rows if geometry.p <= largest_gram(geometry.design) else 0
        self._gram: Array | None = None
        self._factor = empty_factor(0, 0)
        self._m = 0
        l1, l2, lower, upper = np.zeros((4, geometry.p))
        self._penalty = ElasticNet(l1, l2, lower, upper, np.zeros(2))

    def fit(self, features: Index) -> SubsetFit | None:
        """Coefficients of some features; None where that needs a more careful solver.

        That is where columns depend on each other, exactly or nearly, or where the Gram matrix of
        the design is too large.
        """
        g = self._geometry
        informative = ~g.constant[features]
        if not informative.all():  # a constant column has the coefficient 0
            some = self.fit(features[informative])
            if some is None:
                return None
            coefs = np.zeros(features.size)
            coefs[informative] = some.coefs
            return some._replace(coefs=coefs)
        if features.size == 0:
            return SubsetFit(np.empty(0), 0.0, 0.0)
        if features.size > self._most:
            return None
        if self._gram is None:
            self._gram = gram_of_columns(g, np.arange(g.p))
            self._factor = empty_factor(min(self._most, g.p), g.p)
        self._move_to(features, self._gram)
        if self._m < features.size:
            return None
        return self._solve(self._gram)

    def _move_to(self, features: Index, gram: Array) -> None:
        """Let the factor be that of these features, as far as they are independent."""
        F = self._factor
        wanted = np.zeros(self._geometry.p, np.bool_)
        wanted[features] = True
        for place in np.flatnonzero(~wanted[F.active[: self._m]])[::-1].tolist():
            self._m = factor.remove(F, place, self._m)
        new = features[F.position[features] < 0]
        F.queue[: new.size] = new
        self._m = factor.append(F, gram, self._penalty, F.queue, new.size, self._m)

    def _solve(self, gram: Array) -> SubsetFit:
        g, F, k = self._geometry, self._factor, self._m
        features = F.active[:k].copy()
        G, q = gram[np.ix_(features, features)], g.product[features]
        pivot = float(np.min(np.diagonal(F.R)[:k] ** 2 / np.diagonal(G)))
        b = q.copy()
        factor.solve(F.R, b, k)
        for _ in range(2):  # the second time only to see what is left
            h = q - G @ b if pivot > ILL_CONDITIONED else self._gradient(features, b)
            step = h.copy()
            factor.solve(F.R, step, k)
            b += step
        # A rounding error e of a gradient moves the minimum by e^2 / 2 over the curvature left.
        noise = np.finfo(float).eps * (1.0 + float(np.abs(b).sum()))
        gap = 0.5 * max(float(step @ h), 0.0) + 0.5 * k * noise**2 / pivot
        explained = float((q + h) @ b)
        return SubsetFit(b[np.argsort(features)], gap / NULL, explained)

    def _gradient(self, features: Index, b: Array) -> Array:
        g = self._geometry
        full = np.zeros(g.p)
        full[features] = b
        residual = g.response - apply(g, full)
        gradient: Array = g.gradient_of(residual[None], features)[0]
        return gradient

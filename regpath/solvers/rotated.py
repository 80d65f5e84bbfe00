"""Ridge with more columns than rows: the same problem on as many columns as there are rows.

With columns scaled by 1 / sqrt(v_j) and K = X~ X~' = U S U', every minimiser is
b = X~'U S^(-1/2) c: its linear predictor is U S^(1/2) c and its penalty |c|^2 / 2, so that c solves
a problem of the same kind with the columns U S^(1/2). Unpenalised columns stay as they are.

Reference: Hastie and Tibshirani (2004), Efficient quadratic regularization for expression arrays,
Biostatistics 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from regpath.designs import Dense
from regpath.solvers.geometry import Geometry
from regpath.solvers.points import SolvedPoints, Units
from regpath.solvers.products import gram_of_rows, is_even, multiply, standardised
from regpath.solvers.prox_newton import ProxNewtonSolver
from regpath.solvers.reader import OwnReader

__all__ = ["RotatedSolver"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Rows up to which the eigendecomposition of K is worth its while.
LARGEST_ROTATED = 6000
# Eigenvalues below this share of the largest one are rounding errors.
ZERO = 1e-13
# Points that are turned back at once.
AT_ONCE = 20


class RotatedSolver:
    """Ridge path of any smooth loss, without limits.

    Parameters
    ----------
    geometry : Geometry
    factor : ndarray of shape (p,)
        Penalty factors.
    make : callable
        (geometry, factor) -> solver of the problem on other columns.
    """

    def __init__(
        self,
        geometry: Geometry,
        factor: Array,
        make: Callable[[Geometry, Array], ProxNewtonSolver],
    ) -> None:
        g = self._geometry = geometry
        self._penalised, self._strength = _penalised(g, factor)
        self._free = np.flatnonzero(~g.constant & (factor == 0.0))
        values, vectors = np.linalg.eigh(gram_of_rows(g, self._penalised, 1.0 / self._strength))
        used = values > ZERO * max(float(values[-1]), 0.0)
        roots = np.sqrt(values[used])
        self._back = vectors[:, used] / roots
        rows = np.divide(1.0, g.root, out=np.zeros(g.n), where=g.root > 0.0)
        kept_as_is = standardised(g, self._free, slice(None))
        design = np.concatenate([(vectors[:, used] * roots).T * rows, kept_as_is])
        design.flags.writeable = False
        self._rank, p = roots.size, len(design)
        reduced = replace(
            g,
            design=Dense(design),
            mean=np.zeros(p),
            scale=np.ones(p),
            penalty_scale=np.ones(p),
            rounding=np.full(p, np.finfo(float).eps * (g.n + 8.0)),
            product=np.zeros(p),
            constant=np.zeros(p, np.bool_),
            reader=OwnReader(Dense(design), g.n_threads),
        )
        self._inner = make(reduced, np.append(np.ones(self._rank), np.zeros(self._free.size)))
        self._n_outputs = self._inner.n_outputs
        self.why = [f"ridge: {self._rank} columns span the rows of all {self._penalised.size}"]

    @staticmethod
    def pays(geometry: Geometry, factor: Array) -> bool:
        """Whether there are fewer rows than penalised columns, and one decomposition serves all."""
        penalised, strength = _penalised(geometry, factor)
        wide = geometry.n < penalised.size and geometry.n <= LARGEST_ROTATED
        return wide and is_even(strength)

    @property
    def deadline(self) -> float:
        """When to stop."""
        return self._inner.deadline

    @deadline.setter
    def deadline(self, deadline: float) -> None:
        self._inner.deadline = deadline

    @property
    def units(self) -> Units:
        """What working units are worth."""
        gradient = self._gradient(self._inner.null_residual)
        return self._inner.units._replace(top=float(np.abs(gradient).max(initial=0.0)))

    def _gradient(self, residual: Array) -> Array:
        return self._geometry.gradients(residual)[:, self._penalised].ravel()

    def lambda_max(self) -> float:
        """Largest gradient over penalty factor at the null model."""
        if not self._penalised.size:
            return 0.0
        if self._free.size:
            self._inner.solve_at(np.inf)
        stretched = np.sqrt(self._strength) * np.sqrt(
            self._strength / self._geometry.penalty_scale[self._penalised] ** 2
        )
        gradient = np.abs(self._gradient(self._inner.residual))
        return float(np.max(gradient / np.tile(stretched, self._n_outputs)))

    def path(self, lambdas: Array) -> Iterator[SolvedPoints]:
        """Certified points along the lambdas."""
        for start in range(0, lambdas.size, AT_ONCE):
            points = list(self._inner.path(lambdas[start : start + AT_ONCE]))
            yield from self._turned_back(points)

    def _turned_back(self, points: list[SolvedPoints]) -> Iterator[SolvedPoints]:
        """The same points in coefficients of the columns themselves."""
        g, K, p = self._geometry, self._n_outputs, self._geometry.p
        inner_p = self._rank + self._free.size
        reduced = np.zeros((len(points), K * inner_p))
        for row, point in zip(reduced, points, strict=True):
            row[point.features] = point.coefs
        reduced = reduced.reshape(len(points), K, inner_p)
        images = np.ascontiguousarray(reduced[..., : self._rank] @ self._back.T)
        coefs = multiply(g, images.reshape(-1, g.n), self._penalised)
        coefs /= self._strength
        coefs = coefs.reshape(len(points), K, -1)
        worst = np.sqrt(self._rank * (self._strength / g.penalty_scale[self._penalised] ** 2).max())
        for k, point in enumerate(points):
            b = np.zeros((K, p))
            b[:, self._penalised] = coefs[k]
            b[:, self._free] = reduced[k, :, self._rank :]
            features = np.flatnonzero(b)
            yield point._replace(
                indptr=np.array([0, features.size]),
                features=features,
                coefs=b.ravel()[features],
                violation=point.violation * worst,
            )


def _penalised(geometry: Geometry, factor: Array) -> tuple[Index, Array]:
    """The features with a penalty, and how strong it is in working units."""
    kept = ~(geometry.constant | np.isinf(factor))
    penalised = np.flatnonzero(kept & (factor > 0.0))
    return penalised, (factor * geometry.penalty_scale**2)[penalised]

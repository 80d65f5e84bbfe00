"""The features outside the working set: which of them can still become non-zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from regpath.designs import Dense, column_shares, n_entries
from regpath.kernels.screen import features_beyond, screen, violators_among
from regpath.penalties import ElasticNet
from regpath.screening import Estimate, References, Spending
from regpath.solvers.geometry import Geometry
from regpath.solvers.threads import ENTRIES_PER_THREAD

__all__ = ["Outside"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Vectors as long as a column that a projection reads for every reference.
PROJECTION = 4


class Outside:
    """What is known of the gradients of all features, and which of them are in the working set.

    Several outputs have one residual each, and feature f = k p + j is column j for output k.

    Parameters
    ----------
    geometry : Geometry
    penalty : ElasticNet
        Of all features.
    excluded : ndarray of bool
        Features that never enter.
    residual : ndarray of shape (K, n)
        A first residual, whose
    gradient : ndarray of shape (K p,)
        gradients are known.
    """

    def __init__(
        self,
        geometry: Geometry,
        penalty: ElasticNet,
        excluded: NDArray[np.bool_],
        residual: Array,
        gradient: Array,
    ) -> None:
        self._geometry = geometry
        self._penalty = penalty
        self.inside = excluded.copy()
        self.estimate = Estimate(gradient.copy(), 0.0, 0.0)
        # One number for all columns, unless some column has a mean far beyond its deviation.
        worst = geometry.rounding.max(keepdims=True)
        tiled = np.tile(geometry.rounding, len(residual))
        self._rounding = worst if worst[0] < 1e-10 else tiled
        self._found = np.empty(gradient.size, np.int64)
        capacity = 12 if isinstance(geometry.design, Dense) else 4
        self._references = References(residual.size, gradient.size, capacity)
        self._references.add(residual.ravel(), gradient)
        self._cost = column_shares(geometry.design) / len(residual)
        self._spending = Spending()
        # Beyond, the products of the candidates are worth a second thread.
        self._alone = 2.0 * ENTRIES_PER_THREAD / max(n_entries(geometry.design) * len(residual), 1)
        self._work = np.empty(geometry.n), np.empty(gradient.size)

    @property
    def is_empty(self) -> bool:
        """Whether all features are in the working set, but for those that never enter."""
        return bool(self.inside.all())

    def continue_from(self, other: Outside) -> None:
        """Take over the working set and the known gradients of another solver of the same data."""
        self.inside = other.inside
        self._references = other._references

    def reaching(self, share: float = 1.0) -> Index:
        """Features outside whose estimated gradient reaches this share of its threshold."""
        gradient = self.estimate.gradient
        count = features_beyond(
            self._penalty,
            gradient if share == 1.0 else gradient / share,
            0.0,
            0.0,
            self._rounding,
            self.inside,
            self._found,
        )
        return self._found[:count].copy()

    def violators(self, r: Array) -> Index:
        """Features outside that violate optimality at a residual; the others provably do not.

        Their gradients are exact in ``estimate`` afterwards.
        """
        geometry, gradient, found = self._geometry, self.estimate.gradient, self._found
        if geometry.n > self.inside.size:
            left = np.flatnonzero(~self.inside)
            if left.size <= PROJECTION * len(r) * self._references.count:
                gradient[left] = self.gradient_of(r, left)
                self.estimate = Estimate(gradient, 0.0, 0.0)
                return left[: violators_among(self._penalty, gradient, left)]
        affordable = self._spending.affordable
        candidates, count, spent, error, magnitude = screen(
            geometry.design,
            geometry.columns,
            self._penalty,
            self._references.known,
            self._rounding,
            self.inside,
            r.ravel(),
            gradient,
            found,
            self._work,
            self._cost,
            min(affordable, self._alone),
        )
        if spent > affordable:
            self.full_pass(r)
            return self.reaching()
        self._spending.add(spent)
        self.estimate = Estimate(gradient, error, magnitude)
        if spent > self._alone:
            gradient[found[:count]] = self.gradient_of(r, found[:count])
            count = violators_among(self._penalty, gradient, found[:count])
        else:
            geometry.passes += candidates / geometry.p
        return found[:count].copy()

    def gradient_of(self, r: Array, features: Index) -> Array:
        """Exact gradients of some features at a residual (K, n)."""
        if len(r) == 1:
            return self._geometry.gradient_of(r[0], features)
        return self._geometry.gradients_of(r, *np.divmod(features, self._geometry.p))

    def full_pass(self, r: Array) -> None:
        """Learn the gradients of all features at a residual (K, n)."""
        gradient = self.estimate.gradient
        gradient[:] = self._geometry.gradients(r).ravel()
        self._references.add(r.ravel(), gradient)
        self.estimate = Estimate(gradient, 0.0, 0.0)
        self._spending.start()

    def complete(self, features: Index, gradients: Array) -> None:
        """Nothing is outside: the gradients of the working set are all there is to know."""
        gradient = self.estimate.gradient
        gradient[:] = 0.0
        gradient[features] = gradients
        self.estimate = Estimate(gradient, 0.0, 0.0)

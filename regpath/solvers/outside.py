"""The features outside the working set: which of them can still become non-zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from regpath._memory import room
from regpath.designs import column_shares, n_entries
from regpath.kernels.screen import features_beyond, screen, violators_among
from regpath.penalties import ElasticNet
from regpath.screening import References, Spending, references_kept
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
    points : int, default 1
        Most points of a path that are looked at together.

    Attributes
    ----------
    inside : ndarray of bool
        Features that are not looked for.
    gradient : ndarray of shape (K p,)
        What is known of the gradients at the last residual that was looked at.
    """

    def __init__(
        self,
        geometry: Geometry,
        penalty: ElasticNet,
        excluded: NDArray[np.bool_],
        residual: Array,
        gradient: Array,
        points: int = 1,
    ) -> None:
        self._geometry = geometry
        self._penalty = penalty
        self.inside = excluded.copy()
        self._points = points
        self._gradients = room((points, gradient.size))
        self._gradients[0] = gradient
        self.gradient = self._gradients[0]
        # One number for all columns, unless some column has a mean far beyond its deviation.
        worst = geometry.rounding.max(keepdims=True)
        tiled = np.tile(geometry.rounding, len(residual))
        self._rounding = worst if worst[0] < 1e-10 else tiled
        self._found = room((points + 1, gradient.size), np.int64)
        kept = references_kept(geometry.design)
        self._references = References(residual.size, gradient.size, kept)
        self._references.add(residual.ravel(), gradient)
        self._cost = column_shares(geometry.design) / len(residual)
        self._spending = Spending()
        # Beyond, the products of the candidates are worth a second thread.
        self._alone = 2.0 * ENTRIES_PER_THREAD / max(n_entries(geometry.design) * len(residual), 1)
        weighted, dots = np.empty((points, geometry.n)), room((points, gradient.size))
        self._work = weighted, dots, np.empty((2, points), np.int64)

    @property
    def is_empty(self) -> bool:
        """Whether all features are in the working set, but for those that never enter."""
        return bool(self.inside.all())

    def continue_from(self, other: Outside) -> None:
        """Take over the working set and the known gradients of another solver of the same data."""
        self.inside = other.inside
        self._references = other._references

    def reaching(self, gradient: Array, share: float = 1.0) -> Index:
        """Features outside whose gradient, if it is this, reaches a share of its threshold."""
        count = features_beyond(
            self._penalty,
            gradient if share == 1.0 else gradient / share,
            0.0,
            0.0,
            self._rounding,
            self.inside,
            self._found[0],
        )
        found: Index = self._found[0, :count].copy()
        return found

    def violators(self, r: Array) -> Index:
        """Features outside that violate optimality at a residual; the others provably do not.

        Their gradients are exact afterwards.
        """
        return self.first_violated(r[None], self._penalty.strength[None].copy())[1]

    def first_violated(self, R: Array, strengths: Array) -> tuple[int, Index]:
        """How many of some points nothing outside violates, and what violates the next one.

        Parameters
        ----------
        R : ndarray of shape (m, K, n)
            Residuals at the points.
        strengths : ndarray of shape (m, t)
            Of the penalty, which keeps that of the last point which was looked at.
        """
        for k in range(0, len(R), self._points):
            some = slice(k, k + self._points)
            sound, violators = self._search(R[some], strengths[some])
            if violators.size:
                return k + sound, violators
        return len(R), violators

    def _search(self, R: Array, strengths: Array) -> tuple[int, Index]:
        """As `first_violated`, for points that are looked at together."""
        geometry, m, outputs = self._geometry, len(R), R.shape[1]
        gradients, found = self._gradients[:m], self._found[: m + 1]
        if geometry.n > self.inside.size:
            left = np.flatnonzero(~self.inside)
            if left.size <= PROJECTION * outputs * self._references.count:
                gradients[:, left] = self._gradients_of(R, left)
                return self._look_through(strengths, left)
        affordable = self._spending.affordable
        count, spent = screen(
            geometry.design,
            geometry.columns,
            self._penalty,
            strengths,
            self._references.known,
            self._rounding,
            self.inside,
            R.reshape(m, -1),
            gradients,
            found,
            self._work,
            self._cost,
            min(affordable, self._alone / m),
        )
        if spent > affordable:
            self._learn(R)
            return self._look_through(strengths)
        self._spending.add(spent)
        features = found[0, :count]
        if spent > self._alone / m:
            gradients[:, features] = self._gradients_of(R, features)
        else:
            geometry.passes += count / geometry.p
        return self._look_through(strengths, features)

    def gradient_of(self, r: Array, features: Index) -> Array:
        """Exact gradients of some features at a residual (K, n)."""
        gradient: Array = self._gradients_of(r[None], features)[0]
        return gradient

    def full_pass(self, r: Array) -> None:
        """Learn the gradients of all features at a residual (K, n)."""
        self._learn(r[None])

    def complete(self, features: Index, gradients: Array) -> None:
        """Nothing is outside: the gradients of the working set are all there is to know."""
        self.gradient[:] = 0.0
        self.gradient[features] = gradients

    def _gradients_of(self, R: Array, features: Index) -> Array:
        """Exact gradients (m, size) of some features at residuals (m, K, n)."""
        geometry = self._geometry
        if R.shape[1] == 1:
            return geometry.gradient_of(R[:, 0], features)
        places = np.divmod(features, geometry.p)
        return np.stack([geometry.gradients_of(r, *places) for r in R])

    def _learn(self, R: Array) -> None:
        """Learn the gradients of all features at residuals (m, K, n), in one pass."""
        gradients = self._gradients[: len(R)]
        passed = self._geometry.gradients(R.reshape(-1, R.shape[2]))
        gradients[:] = passed.reshape(len(R), -1)
        for residual, gradient in zip(R, gradients, strict=True):
            self._references.add(residual.ravel(), gradient)
        self._spending.start()
        self.gradient = gradients[-1]

    def _look_through(self, strengths: Array, features: Index | None = None) -> tuple[int, Index]:
        """As `first_violated`, where the gradients of some features, or of all, are exact."""
        violators = np.empty(0, np.int64)
        for k, strength in enumerate(strengths):
            self._penalty.strength[:] = strength
            self.gradient = self._gradients[k]
            if features is None:
                violators = self.reaching(self.gradient)
            else:
                count = violators_among(self._penalty, self.gradient, features)
                violators = features[:count].copy()
            if violators.size:
                return k, violators
        return len(strengths), violators

"""The groups outside the working set: which of them can still become non-zero.

As `regpath.solvers.outside`, for the norms of K gradients. A column has unit length, so that for a
residual D (K, n) left out of an estimate

    | |G_j| - |G^_j| |  <=  |x~_j'D|  <=  |D|_F.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from regpath.designs import column_shares
from regpath.screening import Estimate, References, Spending, references_kept
from regpath.solvers.geometry import Geometry
from regpath.solvers.row_norms import RowNorms, lengths

__all__ = ["GroupsOutside"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


class GroupsOutside:
    """What is known of the gradients of all groups, and which of them are in the working set.

    Parameters
    ----------
    geometry : Geometry
    excluded : ndarray of bool
        Features that never enter.
    residual : ndarray of shape (K, n)
        Of the null model.

    Attributes
    ----------
    inside : ndarray of bool
        Features that are not looked for.
    first : ndarray of shape (K, p)
        Gradients of the null model.
    """

    def __init__(self, geometry: Geometry, excluded: NDArray[np.bool_], residual: Array) -> None:
        self._geometry = geometry
        self._shape = len(residual), geometry.p
        self.inside = excluded.copy()
        # One number for all columns, unless some column has a mean far beyond its deviation.
        worst = geometry.rounding.max(keepdims=True)
        self._rounding = worst if worst[0] < 1e-10 else geometry.rounding
        self._cost, self._spending = column_shares(geometry.design), Spending()
        kept = references_kept(geometry.design)
        self._references = References(residual.size, len(residual) * geometry.p, kept)
        self.first = self.full_pass(residual)

    def known(self, features: Index) -> Array:
        """Last known gradients (K, m) of some features."""
        out: Array = self._estimate.gradient.reshape(self._shape)[:, features]
        return out

    def reaching(self, penalty: RowNorms) -> Index:
        """Features outside whose estimated gradient reaches its threshold."""
        return self._beyond(penalty, self._estimate._replace(error=0.0, magnitude=0.0))

    def violators(self, penalty: RowNorms, R: Array) -> Index:
        """Features outside that violate optimality at residuals (K, n); the others provably do not.

        Their gradients are exact in `known` afterwards.
        """
        estimate = self._references.estimate(R.ravel())
        candidates = self._beyond(penalty, estimate)
        cost = float(self._cost[candidates].sum())
        if cost > self._spending.affordable:
            self.full_pass(R)
            return self.reaching(penalty)
        self._spending.add(cost)
        gradient = estimate.gradient.reshape(self._shape)
        gradient[:, candidates] = self._geometry.gradient_of(R, candidates)
        self._estimate = estimate
        beyond: Index = candidates[lengths(gradient[:, candidates]) > penalty.l1[candidates]]
        return beyond

    def full_pass(self, R: Array) -> Array:
        """Learn the gradients (K, p) of all features at residuals (K, n)."""
        gradient = self._geometry.gradients(R).ravel()
        self._references.add(R.ravel(), gradient)
        self._spending.start()
        self._estimate = Estimate(gradient, 0.0, 0.0)
        return gradient.reshape(self._shape)

    def _beyond(self, penalty: RowNorms, estimate: Estimate) -> Index:
        """Features outside whose gradient may exceed its threshold."""
        size = lengths(estimate.gradient.reshape(self._shape))
        size += estimate.error + estimate.magnitude * self._rounding
        return np.flatnonzero((size > penalty.l1) & ~self.inside)

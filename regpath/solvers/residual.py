"""The working set in residual form: coordinate descent on the columns, with extrapolation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from regpath.kernels import quadratic
from regpath.kernels.descent import MEMORY, descend_round, residual_square
from regpath.kernels.gap import penalty_value, worst_violation
from regpath.penalties import ElasticNet
from regpath.solvers.gram import Outcome
from regpath.solvers.working import Working, start_residual

__all__ = ["SPARSE_SWEEP_COST", "ResidualCore"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Operations of one epoch of descent an entry, weighed against those on a Gram matrix.
SPARSE_SWEEP_COST = 7.5
# Rounds without a gap that is smaller by a thousandth, after which only rounding is left.
MOST_PATIENCE = 500


class Room(NamedTuple):
    """Arrays for `regpath.kernels.descent.descend_round`.

    Attributes
    ----------
    support, nonzero, everything : ndarray of shape (size,)
        Lists of columns; the last one holds all.
    coefs, kept_b : ndarray of shape (size,)
    kept_r : ndarray of shape (n + 1,)
    history : ndarray of shape (MEMORY + 1, size)
    system : ndarray of shape (MEMORY, MEMORY + 1)
    """

    support: Index
    nonzero: Index
    everything: Index
    coefs: Array
    kept_b: Array
    kept_r: Array
    history: Array
    system: Array

    @staticmethod
    def of(size: int, n: int) -> Room:
        """Room for so many columns of n rows."""
        support, nonzero = np.empty((2, size), np.int64)
        coefs, kept_b = np.empty((2, size))
        history, system = np.empty((MEMORY + 1, size)), np.empty((MEMORY, MEMORY + 1))
        everything = np.arange(size)
        return Room(support, nonzero, everything, coefs, kept_b, np.empty(n + 1), history, system)


class ResidualCore:
    """Penalised least squares on a growing working set, without a Gram matrix.

    Parameters
    ----------
    columns : Working
    response : ndarray of shape (n,)
    coefs : ndarray
        Where to start; copied.
    """

    # Epochs between two looks at the gap.
    ROUND = 1 + MEMORY

    def __init__(self, columns: Working, response: Array, coefs: Array) -> None:
        self._columns = columns
        self._response = response
        self.coefs = coefs.copy()
        self.gradients: Array = np.empty(coefs.size)
        self.residual = start_residual(columns, response, coefs)
        self._last_gap = np.inf
        self._room = Room.of(coefs.size, response.size)

    @property
    def size(self) -> int:
        """Number of features in the working set."""
        return self.coefs.size

    @property
    def doubt(self) -> float:
        """What dependent features may add to the gap: descent moves them all."""
        return 0.0

    @property
    def residual_square(self) -> float:
        """Squared length of the residual."""
        return float(residual_square(self.residual, self._columns.centre))

    def extend(self, count: int) -> None:
        """Add features, whose columns the working copy already holds."""
        zeros = np.zeros(count)
        self.coefs = np.concatenate([self.coefs, zeros])
        self.gradients = np.concatenate([self.gradients, zeros])
        self._room = Room.of(self.size, self._response.size)

    def described(self, penalty: ElasticNet, unit: Array) -> Array:
        """Figures as in `GramCore.follow`; the gap is that of a solve that converged."""
        value = penalty_value(penalty, self.coefs, self.size)
        violation = worst_violation(penalty, self.gradients, self.coefs, self.size, unit)
        return np.array([self._last_gap, self.residual_square, value, violation, 0.0])

    def solve(
        self, penalty: ElasticNet, target: float, budget: int, unit: Array | None = None
    ) -> Outcome:
        """Descend to a duality gap of ``target`` in at most ``budget`` epochs."""
        design, b, r, g = self._columns.design, self.coefs, self.residual, self.gradients
        best, patience, done = np.inf, 0, 0
        while done < budget:
            gap = descend_round(
                design, penalty, self._response, self._columns.centre, b, r, g, self._room
            )
            self._last_gap = gap
            done += self.ROUND
            if gap <= target:
                return Outcome(quadratic.CONVERGED, done)
            patience = 0 if gap < 0.999 * best else patience + 1
            best = min(best, gap)
            if patience > MOST_PATIENCE:
                return Outcome(quadratic.STALLED, done)
        return Outcome(quadratic.EXHAUSTED, done)

    def follow(
        self, penalty: ElasticNet, strengths: Array, unit: Array, target: float, budget: int
    ) -> tuple[int, Array, Array]:
        """Minimise at one strength after the other, as `GramCore.follow` does."""
        coefs, figures = np.empty((len(strengths), self.size)), np.empty((len(strengths), 5))
        for k, strength in enumerate(strengths):
            penalty.strength[:] = strength
            outcome = self.solve(penalty, target, budget)
            if outcome.code != quadratic.CONVERGED:
                return outcome.code, coefs[:k], figures[:k]
            coefs[k], figures[k] = self.coefs, self.described(penalty, unit)
            figures[k, quadratic.ITERATIONS] = outcome.iterations
        return quadratic.CONVERGED, coefs, figures

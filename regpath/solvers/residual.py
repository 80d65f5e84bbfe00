"""The working set in residual form: coordinate descent on the columns, with extrapolation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from regpath.kernels import quadratic
from regpath.kernels.descent import descend
from regpath.kernels.gap import dual_gap, penalty_value, worst_violation
from regpath.kernels.passes import column_dots
from regpath.penalties import ElasticNet
from regpath.screening import length
from regpath.solvers.gram import Outcome
from regpath.solvers.working import Working, start_residual

__all__ = ["ResidualCore"]

Array = NDArray[np.float64]

# Epochs over the support that one extrapolation combines (Bertrand and Massias 2021).
MEMORY = 5
# Rounds without a gap that is smaller by a thousandth, after which only rounding is left.
MOST_PATIENCE = 500


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
        self.residual: Array
        self._last_gap = np.inf
        self._refresh()

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
        return length(self._columns.plain_residual(self.residual)) ** 2

    def extend(self, count: int) -> None:
        """Add features, whose columns the working copy already holds."""
        zeros = np.zeros(count)
        self.coefs = np.concatenate([self.coefs, zeros])
        self.gradients = np.concatenate([self.gradients, zeros])

    def described(self, penalty: ElasticNet, unit: Array) -> Array:
        """Figures as in `GramCore.follow`; the gap is that of a solve that converged."""
        value = penalty_value(penalty, self.coefs, self.size)
        violation = worst_violation(penalty, self.gradients, self.coefs, self.size, unit)
        return np.array([self._last_gap, self.residual_square, value, violation, 0.0])

    def solve(
        self, penalty: ElasticNet, target: float, budget: int, unit: Array | None = None
    ) -> Outcome:
        """Descend to a duality gap of ``target`` in at most ``budget`` epochs."""
        everything = np.arange(self.size)
        best, patience, done = np.inf, 0, 0
        while done < budget:
            self._accelerate(penalty, np.flatnonzero(self.coefs))
            self._epochs(penalty, everything, 1)
            done += self.ROUND
            self._refresh()
            gap = self._last_gap = self._gap(penalty)
            if gap <= target:
                return Outcome(quadratic.CONVERGED, done)
            patience = 0 if gap < 0.999 * best else patience + 1
            best = min(best, gap)
            if patience > MOST_PATIENCE:
                return Outcome(quadratic.STALLED, done)
        return Outcome(quadratic.EXHAUSTED, done)

    def _epochs(self, penalty: ElasticNet, features: Any, epochs: int) -> None:
        descend(self._columns.design, penalty, self.coefs, self.residual, features, epochs)

    def _accelerate(self, penalty: ElasticNet, support: NDArray[np.int64]) -> None:
        """Epochs over the support, then a jump to the combination that Anderson proposes."""
        history = np.empty((MEMORY + 1, support.size))
        history[0] = self.coefs[support]
        for k in range(1, MEMORY + 1):
            self._epochs(penalty, support, 1)
            history[k] = self.coefs[support]
        steps = np.diff(history, axis=0)
        products = steps @ steps.T
        ridge = 1e-12 * np.trace(products)
        if ridge <= 0.0:
            return
        products[np.diag_indices_from(products)] += ridge
        weights = np.linalg.solve(products, np.ones(MEMORY))
        weights /= weights.sum()
        kept, value = (self.coefs.copy(), self.residual.copy()), self._objective(penalty)
        jump = weights @ history[1:]
        self.coefs[support] = np.clip(jump, penalty.lower[support], penalty.upper[support])
        self.residual = start_residual(self._columns, self._response, self.coefs)
        if not self._objective(penalty) < value:
            self.coefs, self.residual = kept

    def _objective(self, penalty: ElasticNet) -> float:
        return 0.5 * self.residual_square + float(penalty_value(penalty, self.coefs, self.size))

    def _refresh(self) -> None:
        """Residual and gradients afresh: no drift from many updates."""
        self.residual = start_residual(self._columns, self._response, self.coefs)
        column_dots(
            self._columns.design, self.residual, np.arange(self.size), self.gradients, 0, self.size
        )

    def _gap(self, penalty: ElasticNet) -> float:
        rr = self.residual_square
        g = self.gradients
        return float(dual_gap(penalty, g, self.coefs, self.size, penalty, g[:0], rr))

"""Losses of K linear predictors as `regpath.diagnostics` states them; see `_stated_losses`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy
from numpy.typing import NDArray

from regpath._stated_design import CONSTANT
from regpath._stated_losses import CACHED_ENTRIES, kl, xlogx

__all__ = ["MultiGaussian", "Multinomial"]

Array = NDArray[np.float64]

SMALLEST = 1e-280
"""Probabilities below this have few digits, or none."""


class Multinomial:
    """sum_k y_k (logsumexp(eta) - eta_k), eta of shape (n, K, k), for shares y of sum 1 in a row.

    The means are probabilities p, and the excess is the divergence sum_k y_k log(y_k / p_k).
    loss*(v) = sum_k m_k log m_k with m = y + v, so that loss + loss* - v eta is the divergence
    sum_k m_k log(m_k / p_k).
    """

    has_intercept = True

    def __init__(self, y: Array, weights: Array) -> None:
        self.outputs = y.shape[1]
        self.weights = weights
        self.y = y[:, :, None]
        self.infimum = -float(weights @ xlogx(y).sum(axis=1))
        self.rounding = CONSTANT**2

    def _probabilities(self, eta: Array) -> Array:
        return np.asarray(scipy.special.softmax(eta, axis=1))

    def excess(self, eta: Array) -> Array:
        """Weighted loss minus its infimum, (k,)."""
        p, slope = self._probabilities(eta), self.slope(eta)
        # Probabilities that are no numbers any more are known by their logarithms.
        far = np.where((p < SMALLEST) & (self.y > 0), self.y, 0)
        logs = scipy.special.log_softmax(eta, axis=1)
        rows = np.where(far > 0, xlogx(far) - far - far * logs, kl(p, -slope)).sum(axis=1)
        return np.asarray(self.weights @ rows)

    def slope(self, eta: Array) -> Array:
        """Derivative of the loss of every row, (n, K, k): (1 - y) p - y (1 - p)."""
        p = self._probabilities(eta)
        others = np.zeros_like(p)  # 1 - p, as sums of the probabilities before and behind
        others[:, 1:] += np.cumsum(p[:, :-1], axis=1)
        others[:, :-1] += np.cumsum(p[:, :0:-1], axis=1)[:, ::-1]
        return np.asarray((1 - self.y) * p - self.y * others)

    def noise(self, eta: Array) -> Array:
        """Size (n, K, k) of the numbers that the slope is the difference of."""
        p = self._probabilities(eta)
        bend = p * (1 - p) * (1 + np.abs(eta).max(axis=1, keepdims=True))
        return np.asarray(np.abs(self.slope(eta)) + bend)

    def hessian(self, eta: Array, Z: Array) -> Array:
        """Second derivative (q K, q K) by the coefficients of Z, feature by feature."""
        p, q, K = self._probabilities(eta)[:, :, 0], Z.shape[1], self.outputs
        result = np.empty((q, K, q, K))
        for i in range(K):
            for j in range(K):
                bend = self.weights * p[:, i] * ((i == j) - p[:, j])
                result[:, i, :, j] = (Z * bend[:, None]).T @ Z
        return result.reshape(q * K, q * K)

    def bregman(self, eta: Array) -> Callable[[Array], Array]:
        """Upper bound (k,) of sum w_i (loss + loss*(v) - v eta) at v = s slope, for any s (k,)."""
        p, slope, excess = self._probabilities(eta), self.slope(eta), self.excess(eta)
        step = max(1, CACHED_ENTRIES // max(p[0].size, 1))

        def bound(s: Array) -> Array:
            total = np.zeros_like(s)
            for first in range(0, p.shape[0], step):
                part = slice(first, first + step)
                total += self.weights[part] @ kl(p[part], -(1 - s) * slope[part]).sum(axis=1)
            return np.where(np.isfinite(total), total, (1 - s) * excess)

        return bound


class MultiGaussian:
    """|Y_i - eta_i|^2 / 2 with eta of shape (n, K, k); loss*(v) = <v, Y_i> + |v|^2 / 2."""

    has_intercept = True

    def __init__(self, Y: Array, weights: Array) -> None:
        self.outputs = Y.shape[1]
        self.weights = weights
        self.Y = Y[:, :, None]
        self.infimum = 0.0
        self.rounding = (CONSTANT * float(np.abs(Y).max())) ** 2

    def excess(self, eta: Array) -> Array:
        """Weighted loss, (k,)."""
        return 0.5 * np.asarray(self.weights @ ((eta - self.Y) ** 2).sum(axis=1))

    def slope(self, eta: Array) -> Array:
        """Derivative of the loss of every row, (n, K, k)."""
        return np.asarray(eta - self.Y)

    def noise(self, eta: Array) -> Array:
        """Size (n, K, k) of the numbers that the slope is the difference of."""
        return np.asarray(np.abs(eta) + np.abs(self.Y))

    def hessian(self, eta: Array, Z: Array) -> Array:
        """Second derivative (q K, q K) by the coefficients of Z, feature by feature."""
        gram: Array = (Z * self.weights[:, None]).T @ Z
        return np.kron(gram, np.eye(self.outputs)).astype(np.float64)

    def bregman(self, eta: Array) -> Callable[[Array], Array]:
        """sum w_i (loss + loss*(v) - v eta) at v = s slope (k,), for any s (k,)."""
        excess = self.excess(eta)
        return lambda s: (1 - s) ** 2 * excess

"""Penalties: what a kernel may ask of a penalty, one class each.

The contract, for feature k, its coefficient b and a gradient g (the negative derivative of the loss):

========================  =====================================================================
method                    meaning
========================  =====================================================================
``value(k, b)``           phi_k(b)
``prox(k, z, a)``         argmin over b of  a b^2 / 2 - z b + phi_k(b)
``derivative(k, b)``      phi_k'(b) inside the smooth piece that holds b
``curvature(k)``          phi_k''
``piece(k, b)``           the interval around b on which phi_k is smooth; empty (0, 0) at a kink
``threshold(k)``          the largest |g| at which b = 0 stays optimal
``violation(k, g, b)``    distance of g from the subdifferential of phi_k at b
``conjugate(k, t, b)``    phi_k*(t) = sup over b' of  t b' - phi_k(b')
``bounded(k, t)``         whether phi_k*(t) is finite for all multiples of t
========================  =====================================================================
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from regpath._numba import register_methods

__all__ = ["ElasticNet"]

register_methods(
    inline=False,
    value=2,
    prox=3,
    derivative=2,
    curvature=1,
    piece=2,
    threshold=1,
    violation=3,
    conjugate=3,
    bounded=2,
)


class ElasticNet(NamedTuple):
    """Weighted elastic net with limits: l1 v |b| + l2 v b^2 / 2 for lower <= b <= upper.

    Attributes
    ----------
    l1, l2 : float
        lambda * l1_ratio and lambda * (1 - l1_ratio).
    factor, lower, upper : ndarray of shape (p,)
        Penalty factors v and limits, lower <= 0 <= upper.
    """

    l1: float
    l2: float
    factor: Any
    lower: Any
    upper: Any

    def value(self, k: int, b: float) -> float:
        return self.factor[k] * (self.l1 * abs(b) + 0.5 * self.l2 * b * b)

    def prox(self, k: int, z: float, a: float) -> float:
        size = abs(z) - self.l1 * self.factor[k]
        if size <= 0.0:
            return 0.0
        b = math.copysign(size / (a + self.l2 * self.factor[k]), z)
        return min(max(b, self.lower[k]), self.upper[k])

    def derivative(self, k: int, b: float) -> float:
        sign = 1.0 if b > 0.0 else (-1.0 if b < 0.0 else 0.0)
        return self.factor[k] * (self.l1 * sign + self.l2 * b)

    def curvature(self, k: int) -> float:
        return self.l2 * self.factor[k]

    def piece(self, k: int, b: float) -> tuple[float, float]:
        if self.l1 * self.factor[k] == 0.0:
            return self.lower[k], self.upper[k]
        if b > 0.0:
            return 0.0, self.upper[k]
        if b < 0.0:
            return self.lower[k], 0.0
        return 0.0, 0.0

    def threshold(self, k: int) -> float:
        return self.l1 * self.factor[k]

    def violation(self, k: int, g: float, b: float) -> float:
        strength = self.l1 * self.factor[k]
        if b == 0.0:
            # A limit at 0 allows any gradient that points out of it.
            pull = max(abs(g) - strength, 0.0)
            limit = self.upper[k] if g > 0.0 else self.lower[k]
            return 0.0 if limit == 0.0 else pull
        slack = g - self.factor[k] * self.l2 * b - math.copysign(strength, b)
        if (b >= self.upper[k] and slack > 0.0) or (b <= self.lower[k] and slack < 0.0):
            return 0.0
        return abs(slack)

    def conjugate(self, k: int, t: float, b: float) -> float:
        excess = abs(t) - self.l1 * self.factor[k]
        if excess <= 0.0:
            return 0.0
        limit = self.upper[k] if t > 0.0 else -self.lower[k]
        curvature = self.l2 * self.factor[k]
        if curvature > 0.0 and excess <= curvature * limit:
            return 0.5 * excess * excess / curvature
        if limit < math.inf:
            return excess * limit - 0.5 * curvature * limit * limit
        if self.l1 * self.factor[k] == 0.0:
            # Unpenalised and free: its gradient is 0 up to rounding, and what is left is charged to
            # a coefficient of ten times the present size.
            return excess * (1.0 + 10.0 * abs(b))
        return 0.0 if excess <= 1e-12 * abs(t) else math.inf

    def bounded(self, k: int, t: float) -> bool:
        limit = self.upper[k] if t > 0.0 else -self.lower[k]
        strength = self.factor[k]
        return self.l2 * strength > 0.0 or limit < math.inf or self.l1 * strength == 0.0

    def at(self, features: NDArray[np.int64]) -> ElasticNet:
        """The penalty of a subset of the features, in that order."""
        return self._replace(
            factor=self.factor[features], lower=self.lower[features], upper=self.upper[features]
        )

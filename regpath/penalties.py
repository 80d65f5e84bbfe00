"""Penalties: what a kernel may ask of a penalty, one class each.

The contract, for feature k, its coefficient b and a gradient g (the negative derivative of the
loss):

========================  =====================================================================
method                    meaning
========================  =====================================================================
``value(k, b)``           phi_k(b)
``prox(k, z, a)``         argmin over b of  a b^2 / 2 - z b + phi_k(b)
``derivative(k, b)``      phi_k'(b) inside the smooth piece that holds b
``curvature(k)``          phi_k''; of many features at once in Python
``piece(k, b)``           the interval around b on which phi_k is smooth; empty (0, 0) at a kink
``threshold(k)``          the largest |g| at which b = 0 stays optimal; of many at once in Python
``violation(k, g, b)``    distance of g from the subdifferential of phi_k at b
``conjugate(k, t)``       phi_k*(t) = sup over b of  t b - phi_k(b)
========================  =====================================================================

A penalty has a field ``strength``, an array whose entries a path changes from point to point.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from regpath._numba import register_methods

__all__ = ["ElasticNet"]

register_methods(
    inline="llvm",
    value=2,
    prox=3,
    derivative=2,
    curvature=1,
    piece=2,
    threshold=1,
    violation=3,
)
# That of losses stands in loops over rows, which are vectorised.
register_methods(inline="always", conjugate=2)


# A column of unit length cannot be told from a combination of others below this squared distance.
# A gradient e beyond the reach of a penalty that does not bound its coefficient can still lower the
# objective by e^2 / 2 over that distance, and this is what it is charged.
INDISTINCT = 4.0 * 2.0**-52


class ElasticNet(NamedTuple):
    """Elastic net with limits: t_0 l1_k |b| + t_1 l2_k b^2 / 2 for lower_k <= b <= upper_k.

    Attributes
    ----------
    l1, l2 : ndarray of shape (p,)
        Penalty factors.
    lower, upper : ndarray of shape (p,)
        Limits, lower <= 0 <= upper.
    strength : ndarray of shape (2,)
        t: lambda times l1_ratio, and lambda times 1 - l1_ratio. Subsets share it.
    """

    l1: Any
    l2: Any
    lower: Any
    upper: Any
    strength: Any

    def value(self, k: int, b: float) -> float:
        return self.strength[0] * self.l1[k] * abs(b) + 0.5 * self.strength[1] * self.l2[k] * b * b

    def prox(self, k: int, z: float, a: float) -> float:
        size = abs(z) - self.strength[0] * self.l1[k]
        if size <= 0.0:
            return 0.0
        b = math.copysign(size / (a + self.strength[1] * self.l2[k]), z)
        return min(max(b, self.lower[k]), self.upper[k])

    def derivative(self, k: int, b: float) -> float:
        sign = 1.0 if b > 0.0 else (-1.0 if b < 0.0 else 0.0)
        return self.strength[0] * self.l1[k] * sign + self.strength[1] * self.l2[k] * b

    def curvature(self, k: Any) -> Any:
        return self.strength[1] * self.l2[k]

    def piece(self, k: int, b: float) -> tuple[float, float]:
        if self.strength[0] * self.l1[k] == 0.0:
            return self.lower[k], self.upper[k]
        if b > 0.0:
            return 0.0, self.upper[k]
        if b < 0.0:
            return self.lower[k], 0.0
        return 0.0, 0.0

    def threshold(self, k: Any) -> Any:
        return self.strength[0] * self.l1[k]

    def violation(self, k: int, g: float, b: float) -> float:
        if b == 0.0:
            # A limit at 0 allows any gradient that points out of it.
            limit = self.upper[k] if g > 0.0 else self.lower[k]
            return 0.0 if limit == 0.0 else max(abs(g) - self.strength[0] * self.l1[k], 0.0)
        slack = g - self.strength[1] * self.l2[k] * b
        slack -= math.copysign(self.strength[0] * self.l1[k], b)
        if (b >= self.upper[k] and slack > 0.0) or (b <= self.lower[k] and slack < 0.0):
            return 0.0
        return abs(slack)

    def conjugate(self, k: int, t: float) -> float:
        excess = abs(t) - self.strength[0] * self.l1[k]
        if excess <= 0.0:
            return 0.0
        limit = self.upper[k] if t > 0.0 else -self.lower[k]
        curvature = max(self.strength[1] * self.l2[k], INDISTINCT)
        if excess <= curvature * limit:
            return 0.5 * excess * excess / curvature
        return excess * limit - 0.5 * self.strength[1] * self.l2[k] * limit * limit

    def at(self, features: NDArray[np.int64]) -> ElasticNet:
        """The penalty of a subset of the features, in that order."""
        return ElasticNet(
            self.l1[features],
            self.l2[features],
            self.lower[features],
            self.upper[features],
            self.strength,
        )

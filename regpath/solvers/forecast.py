"""Which features enter at the next points of a path, if gradients go on as they went.

Where the signs of a path stay, its gradients are linear in lambda (Rosset and Zhu 2007). A line
through the gradients at two points tells which features will reach their thresholds, several points
ahead. It need not be right: every point is certified, and what it missed enters then.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from regpath.penalties import ElasticNet
from regpath.solvers.outside import Outside

__all__ = ["MOST", "Forecast"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Points that are looked ahead at most.
MOST = 4
# A feature is expected to enter if its gradient will reach this share of its threshold.
SHARE = 0.985
# How many features are believed: so many in any case, or a share of all, for points that are solved
# together save looks at all; and a share of the working set. At a single point, also so many times
# as many as entered last. More of them say that the line has gone astray.
FEW, SHARE_OF_ALL, SHARE_OF_SET, SURGE = 8, 0.005, 0.02, 2.0


class Forecast:
    """Features that are about to enter.

    Parameters
    ----------
    outside : Outside
    penalty : ElasticNet
        Of all features; its strength is that of the point that is looked at.
    """

    def __init__(self, outside: Outside, penalty: ElasticNet) -> None:
        self._outside = outside
        self._penalty = penalty
        self._gradient: Array | None = None
        self._lambda = math.inf
        self._rate = 0.0

    def entering(
        self, lambda_: float, lambdas: Array, strengths: Array, size: int
    ) -> tuple[int, Index]:
        """How many of the next points to solve with which features, beside those of the set.

        Parameters
        ----------
        lambda_ : float
            Of the last point, to which the gradients belong that are known outside.
        lambdas : ndarray of shape (K,)
            Of the next points, at least one.
        strengths : ndarray of shape (K, 2)
            What they are worth to the penalty.
        size : int
            Of the working set.
        """
        gradient, outside = self._outside.gradient, self._outside
        before, fallen = self._gradient, self._lambda - lambda_
        count = min(MOST, lambdas.size) if 0.0 < fallen < math.inf else 0
        features = np.empty(0, np.int64)
        while count and before is not None:
            steps = (lambda_ - lambdas[count - 1]) / fallen
            self._penalty.strength[:] = strengths[count - 1]
            features = outside.reaching(gradient + steps * (gradient - before), SHARE)
            most = max(FEW, SHARE_OF_ALL * gradient.size) + SHARE_OF_SET * size
            if features.size <= max(most, SURGE * self._rate * (count == 1)):
                break
            count //= 2
        if not count:  # nothing is known, or nothing believed: gradients stay as they are
            count = 1
            self._penalty.strength[:] = strengths[0]
            features = outside.reaching(gradient)
        self._gradient, self._lambda = gradient.copy(), lambda_
        self._rate = features.size / count
        return count, features

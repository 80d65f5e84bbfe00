"""The residual core: coordinate descent on the columns themselves, for every storage."""

from __future__ import annotations

from typing import Any

from regpath._numba import FUSED, kernel

__all__ = ["descend"]


@kernel(FUSED)
def descend(design: Any, penalty: Any, b: Any, r: Any, features: Any, epochs: int) -> None:
    """Cyclic coordinate descent over a list of columns of unit length; keeps r the residual of b.

    Reference: Friedman, Hastie and Tibshirani (2010), section 2.1.
    """
    for _ in range(epochs):
        for i in range(features.size):
            k = features[i]
            old = b[k]
            new = penalty.prox(k, design.dot(k, r) + old, 1.0)
            if new != old:
                design.axpy(k, old - new, r)
                b[k] = new

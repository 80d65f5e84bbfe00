"""The combination of known vectors that is nearest to another."""

from __future__ import annotations

from typing import Any

from regpath._numba import REORDERED, kernel
from regpath.kernels.primitives import combine, dot

__all__ = ["project"]

# The second round recovers the digits that were lost in the inverse.
ROUNDS = 2


@kernel(REORDERED)
def project(known: Any, inverse: Any, v: Any, rest: Any, weights: Any, scratch: Any) -> Any:
    """Write weights so that sum_k weights_k known_k is nearest to v; rest is what is left of v.

    Parameters
    ----------
    known : ndarray of shape (m, n)
    inverse : ndarray of shape (m, m)
        Inverse of their products.
    v, rest : ndarray of shape (n,)
    weights : ndarray of shape (m,)
    scratch : ndarray of shape (2, m)

    Returns
    -------
    float, float
        Squared lengths of v and of rest.
    """
    m, dots, step = weights.size, scratch[0], scratch[1]
    for i in range(v.size):
        rest[i] = v[i]
    for k in range(m):
        weights[k] = 0.0
    for _ in range(ROUNDS):
        for k in range(m):
            dots[k] = dot(known[k], rest)
        for k in range(m):
            step[k] = dot(inverse[k], dots)
            weights[k] += step[k]
        combine(-1.0, step, known, m, rest, rest.size)
    return dot(v, v), dot(rest, rest)

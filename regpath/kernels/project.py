"""Gradients of a residual from those of others: the combination of them that is nearest to it."""

from __future__ import annotations

import math
from typing import Any

from regpath._numba import kernel
from regpath.kernels.primitives import combine, dot

__all__ = ["estimate", "project"]

# The second round recovers the digits that were lost in the inverse.
ROUNDS = 2


@kernel(inline="numba")
def estimate(known: Any, residual: Any, gradient: Any) -> tuple[float, float]:
    """Fill in the gradient of the projection of a residual on the known ones.

    Parameters
    ----------
    known : `regpath.screening.Known`
    residual : ndarray of shape (n,)
    gradient : ndarray of shape (p,)

    Returns
    -------
    float, float
        Error and magnitude as in `regpath.screening.Estimate`.
    """
    weights = known.scratch[0]
    squares = project(
        known.residuals, known.inverse, residual, known.rest, weights, known.scratch[1:]
    )
    for j in range(gradient.size):
        gradient[j] = 0.0
    combine(1.0, weights, known.gradients, weights.size, gradient, gradient.size)
    magnitude = math.sqrt(squares[0])
    for k in range(weights.size):
        magnitude += abs(weights[k]) * known.lengths[k]
    return math.sqrt(squares[1]), magnitude


@kernel(inline="numba")
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

"""Duality gaps and optimality violations, from gradients and coefficients.

With the dual point s r, a multiple of the residual r, primal minus dual value is a sum of terms
that are never negative (Fenchel-Young inequality), so nothing cancels:

    gap(s) = (1 - s)^2 / 2 r'r + sum_k [ phi_k(b_k) + phi_k*(s g_k) - s g_k b_k ],    g = X'r.
"""

from __future__ import annotations

import math
from typing import Any

from regpath._numba import kernel

__all__ = ["dual_gap", "penalty_gap", "penalty_value", "shrinkage", "worst_violation"]

EPSILON = 2.0**-52


@kernel()
def penalty_gap(
    penalty: Any, g: Any, b: Any, size: int, outside: Any, g_outside: Any, s: float
) -> float:
    """The penalty's part of the gap at the dual point s r: the sum over k above."""
    length = 0.0
    for k in range(size):
        length += abs(b[k])
    # Large coefficients that cancel leave the residual, and with it the objective, uncertain.
    total = 0.25 * EPSILON * length * length
    noise = EPSILON * (1.0 + length) if s > 0.0 else 0.0
    for k in range(size):
        t = s * g[k]
        # Without a threshold even the rounding of a gradient can stand for a long way to the
        # minimum.
        reach = abs(t) + noise if penalty.threshold(k) == 0.0 else abs(t)
        charged = penalty.conjugate(k, math.copysign(reach, t))
        total += max(penalty.value(k, b[k]) + charged - t * b[k], 0.0)
    for k in range(g_outside.size):
        total += outside.conjugate(k, s * g_outside[k])
    return total


@kernel()
def _gap_at(
    penalty: Any, g: Any, b: Any, size: int, outside: Any, g_outside: Any, rr: float, s: float
) -> float:
    part = penalty_gap(penalty, g, b, size, outside, g_outside, s)
    return 0.5 * (1.0 - s) * (1.0 - s) * rr + part


@kernel()
def shrinkage(penalty: Any, g: Any, size: int) -> float:
    """Largest s <= 1 with s |g_k| <= threshold wherever there is a threshold."""
    shrunk = 1.0
    for k in range(size):
        threshold = penalty.threshold(k)
        if abs(g[k]) > threshold > 0.0:
            shrunk = min(shrunk, threshold / abs(g[k]))
    return shrunk


@kernel()
def dual_gap(
    penalty: Any, g: Any, b: Any, size: int, outside: Any, g_outside: Any, rr: float
) -> float:
    """Duality gap at the best of three dual points: s = 1, the largest s within all thresholds, 0.

    Parameters
    ----------
    penalty, g, b, size
        Penalty, gradients and coefficients of the working set; the first ``size`` entries count.
    outside, g_outside
        Penalty and gradients of the features that have coefficient 0 and violate optimality.
    rr : float
        Squared norm of the residual.
    """
    shrunk = min(shrinkage(penalty, g, size), shrinkage(outside, g_outside, g_outside.size))
    best = _gap_at(penalty, g, b, size, outside, g_outside, rr, 1.0)
    if shrunk < 1.0:
        best = min(best, _gap_at(penalty, g, b, size, outside, g_outside, rr, shrunk))
    if best > 0.4 * rr:
        best = min(best, _gap_at(penalty, g, b, size, outside, g_outside, rr, 0.0))
    return best


@kernel()
def worst_violation(penalty: Any, g: Any, b: Any, size: int, unit: Any) -> float:
    """Largest distance of a gradient from the subdifferential of the penalty, times its unit."""
    worst = 0.0
    for k in range(size):
        worst = max(worst, unit[k] * penalty.violation(k, g[k], b[k]))
    return worst


@kernel()
def penalty_value(penalty: Any, b: Any, size: int) -> float:
    """Sum of phi_k(b_k)."""
    total = 0.0
    for k in range(size):
        total += penalty.value(k, b[k])
    return total

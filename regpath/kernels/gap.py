"""Duality gaps and optimality violations, from gradients and coefficients.

With the dual point s r, a multiple of the residual r, primal minus dual value is a sum of terms that
are never negative (Fenchel-Young inequality), so nothing cancels:

    gap(s) = (1 - s)^2 / 2 r'r + sum_k [ phi_k(b_k) + phi_k*(s g_k) - s g_k b_k ],    g = X'r.
"""

from __future__ import annotations

import math
from typing import Any

from regpath._numba import kernel

__all__ = ["dual_gap", "outside_terms", "worst_violation"]


@kernel()
def _gap_at(penalty: Any, g: Any, b: Any, size: int, rr: float, s: float) -> float:
    total = 0.5 * (1.0 - s) * (1.0 - s) * rr
    for k in range(size):
        t = s * g[k]
        total += max(penalty.value(k, b[k]) + penalty.conjugate(k, t, b[k]) - t * b[k], 0.0)
    return total


@kernel()
def _shrinkage(penalty: Any, g: float, k: int) -> float:
    """Largest s <= 1 with s |g| <= threshold; 1 where the feature has no threshold."""
    threshold = penalty.threshold(k)
    return threshold / abs(g) if abs(g) > threshold > 0.0 else 1.0


@kernel()
def dual_gap(
    penalty: Any,
    g: Any,
    b: Any,
    size: int,
    rr: float,
    outside_scale: float,
    outside_excess: float,
) -> float:
    """Duality gap of a working set, with what the features outside of it add.

    Parameters
    ----------
    g, b : ndarray
        Gradients and coefficients; the first ``size`` entries count.
    rr : float
        Squared norm of the residual.
    outside_scale, outside_excess : float
        From `outside_terms`: the dual scaling at which the outside features add nothing, and what
        they add without scaling.
    """
    shrunk, needed = outside_scale, 1.0
    for k in range(size):
        s = _shrinkage(penalty, g[k], k)
        shrunk = min(shrunk, s)
        if not penalty.bounded(k, g[k]):
            needed = min(needed, s)
    best = _gap_at(penalty, g, b, size, rr, shrunk)
    if needed > shrunk and outside_excess < math.inf:
        best = min(best, _gap_at(penalty, g, b, size, rr, needed) + outside_excess)
    if best > 0.4 * rr:
        best = min(best, _gap_at(penalty, g, b, size, rr, 0.0))
    return best


@kernel()
def outside_terms(penalty: Any, g: Any, size: int) -> tuple[float, float]:
    """What features with coefficient 0 ask of the dual point: a scaling, or else an excess."""
    shrunk, excess = 1.0, 0.0
    for k in range(size):
        shrunk = min(shrunk, _shrinkage(penalty, g[k], k))
        excess += penalty.conjugate(k, g[k], 0.0)
    return shrunk, excess


@kernel()
def worst_violation(penalty: Any, g: Any, b: Any, size: int) -> float:
    """Largest distance of a gradient from the subdifferential of the penalty."""
    worst = 0.0
    for k in range(size):
        worst = max(worst, penalty.violation(k, g[k], b[k]))
    return worst

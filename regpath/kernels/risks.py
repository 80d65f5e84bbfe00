"""The partial likelihood of Cox: risks of rows, their sums over risk sets, and what follows.

Who is who comes as the named tuple ``C`` of `regpath.solvers.cox.Cohort`: *groups* are the event
times of every stratum, in order; *terms* h those of the likelihood, one or more a group.
"""

from __future__ import annotations

import math
from typing import Any

from regpath._numba import FUSED, kernel
from regpath.kernels.elementary import exp, log
from regpath.kernels.primitives import dot
from regpath.kernels.ranges import sums_at_places, sums_over_ranges

__all__ = ["cox_gap", "cox_terms"]

# Sums of risks that are known to all digits, and the logarithm of the largest hazard that may be.
SMALLEST_RISK, SPREAD = 1e-280, 600.0
# Bound of what an event of a row with hardly any risk makes infinite.
LARGEST_SQUARE = 1e30
# Rows of ``places``: sums of risks, rates, rates that ties take off, risks of events, room.
SUMS, RATES, TAKEN, TIED, ROOM = 0, 1, 2, 3, 4


@kernel()
def cox_terms(
    C: Any, eta: Any, level: Any, places: Any, risk: Any, terms: Any, out: Any, figures: Any
) -> bool:
    """The likelihood and its derivatives at a linear predictor; returns whether it is a number.

    Parameters
    ----------
    C : Cohort
    eta : ndarray of shape (n,)
    level : ndarray of shape (2, n_strata)
        Filled with what is subtracted from predictors in a stratum, and room.
    places : ndarray of shape (5, n_groups)
        Room.
    risk : ndarray of shape (1, n)
        Filled with w e^eta.
    terms : ndarray of shape (3, n_terms)
        Filled with sums of risks, rates, and logarithms of the sums.
    out : ndarray of shape (3, n)
        Filled with slopes, residuals and curvatures.
    figures : ndarray of shape (2,)
        Filled with the loss, and a bound of u'H^-1 u for the slopes u.
    """
    slope, residual, relative = out[0], out[1], out[2]
    sums, rates, taken, tied = places[SUMS], places[RATES], places[TAKEN], places[TIED]
    own, share, group = C.own_group, C.share, C.term_group
    below = residual  # predictors minus their level, until it takes its own values
    if not _relative_risks(C, eta, level, below, relative, risk[0]):
        return False
    sums_at_places(C.ranges, risk, places[ROOM], places[SUMS : SUMS + 1])
    for g in range(sums.size):
        rates[g] = taken[g] = tied[g] = 0.0
    if C.has_shares:
        for i in range(own.size):
            if own[i] >= 0:
                tied[own[i]] += risk[0, i]
    least = math.inf
    for h in range(share.size):
        terms[0, h] = sums[group[h]] - share[h] * tied[group[h]]
        least = min(least, terms[0, h])
    if not least > SMALLEST_RISK:  # beyond the range of numbers: no point of a path
        return False
    _rates(C.mass, terms)
    # Sums as exact as these decide whether a step descends; the level would cancel in them.
    figures[0] = dot(C.mass, terms[2]) - dot(C.event_weights, below)
    figures[1] = _square(C, risk[0], terms[0], places)
    for h in range(share.size):
        rates[group[h]] += terms[1, h]
        taken[group[h]] += terms[1, h] * share[h]
    sums_over_ranges(C.ranges, rates, places[ROOM], residual)
    if C.has_shares:
        for i in range(own.size):
            if own[i] >= 0:
                residual[i] -= taken[own[i]]
    _derivatives(C.weights, C.root, C.event, slope, residual, relative)
    return True


@kernel(FUSED)
def _derivatives(
    weights: Any, root: Any, event: Any, slope: Any, residual: Any, curvature: Any
) -> None:
    """Slopes, residuals and curvatures, from hazards and relative risks in the last two."""
    for i in range(weights.size):
        curvature[i] *= residual[i]
        slope[i] = curvature[i] - event[i] if weights[i] > 0.0 else 0.0
        residual[i] = -root[i] * slope[i]


@kernel(FUSED)
def _relative_risks(C: Any, eta: Any, level: Any, below: Any, relative: Any, risk: Any) -> bool:
    """Risks of rows: the largest of a stratum is 1, or more if they differ much.

    Hazards are only compared within a stratum. Returns whether all predictors are numbers.
    """
    weights, stratum, n_strata = C.weights, C.stratum, level.shape[1]
    for s in range(n_strata):
        level[0, s] = level[1, s] = -math.inf
    for i in range(eta.size):
        if weights[i] > 0.0:
            if not abs(eta[i]) < math.inf:
                return False
            s = stratum[i]
            level[0, s], level[1, s] = max(level[0, s], eta[i]), max(level[1, s], -eta[i])
    for s in range(n_strata):
        top, apart = level[0, s], level[0, s] + level[1, s]
        level[0, s] = 0.0
        if abs(top) < math.inf:
            level[0, s] = top - min(max(apart - SPREAD, 0.0), SPREAD)
    for i in range(eta.size):
        below[i] = min(eta[i] - level[0, stratum[i]], SPREAD) if weights[i] > 0.0 else 0.0
    for i in range(eta.size):
        relative[i] = exp(below[i]) if weights[i] > 0.0 else 0.0
        risk[i] = weights[i] * relative[i]
    return True


@kernel(FUSED)
def _rates(mass: Any, terms: Any) -> None:
    """Rates and logarithms of sums of risks."""
    sums, rates, logarithms = terms[0], terms[1], terms[2]
    for h in range(mass.size):
        rates[h], logarithms[h] = mass[h] / sums[h], log(sums[h])


@kernel()
def _square(C: Any, risk: Any, sums: Any, places: Any) -> float:
    """Bound of u'H^-1 u, u the slopes: that of a sum is at most the sum over the terms.

    For a softmax it is (e - p)'diag(1 / p) (e - p) = sum e^2 / p - 1.
    """
    weights, own, inverse = C.weights, C.own_group, places[ROOM]
    for g in range(inverse.size):
        inverse[g] = 0.0
    for i in range(risk.size):
        if own[i] >= 0:
            inverse[own[i]] += weights[i] * weights[i] / risk[i]
    total = 0.0
    for g in range(inverse.size):
        parts = 0.0
        for h in range(C.first_term[g], C.first_term[g + 1]):
            parts += C.mass[h] * sums[h] / (1.0 - C.share[h])
        total += parts * inverse[g] / (C.deaths[g] * C.deaths[g]) - C.deaths[g]
    return min(max(total, 0.0), LARGEST_SQUARE)


@kernel()
def cox_gap(C: Any, risk: Any, sums: Any, s: float) -> float:
    """Bound of the loss part of a gap at s times the derivative: a divergence for every term."""
    events, first_event, weights = C.events, C.first_event, C.weights
    outside, total = s * math.log(s), 0.0
    for g in range(C.deaths.size):
        for h in range(C.first_term[g], C.first_term[g + 1]):
            inside = seen = 0.0
            for e in range(first_event[g], first_event[g + 1]):
                i = events[e]
                p = (1.0 - C.share[h]) * risk[i] / sums[h]
                m = (1.0 - s) * weights[i] / C.deaths[g] + s * p
                inside += m * math.log(m / p)
                seen += p
            total += C.mass[h] * max(inside + outside * max(1.0 - seen, 0.0), 0.0)
    return total

"""The quadratic core: penalised least squares on a working set, in Gram form.

    minimise over b    b'G b / 2 - q'b + sum_k phi_k(b_k)

State (fields of the named tuple ``S``): ``G, q``; ``b`` and ``h = q - G b``; ``g, d, kept``, room
for gradients, directions and the best coefficients. The factor ``F`` of the active features is
described in `factor`. One iteration is: bring the factor in line with the support, Newton steps on
the support, gap, one sweep of coordinate descent.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from regpath._numba import kernel
from regpath.kernels.factor import OUTSIDE, append, back_solve, depends, project, remove, solve
from regpath.kernels.gap import dual_gap, penalty_value, worst_violation
from regpath.kernels.primitives import axpy, combine, dot

__all__ = [
    "CONVERGED",
    "EXCHANGE",
    "EXHAUSTED",
    "REFACTOR",
    "STALLED",
    "correct",
    "doubt",
    "exchange",
    "follow",
    "pose",
    "queue_support",
    "refresh",
    "residual_square",
]

CONVERGED, EXHAUSTED, STALLED, REFACTOR, EXCHANGE = 0, 1, 2, 3, 4
# What is remembered of a solve: the lowest objective, the smallest gap, and for how many iterations
# the gap has not become a tenth smaller.
LOWEST, BEST, PATIENCE = 0, 1, 2

# What is noted of a point, besides its coefficients.
GAP, RESIDUAL_SQUARE, PENALTY, VIOLATION, ITERATIONS = 0, 1, 2, 3, 4

# So many iterations without a smaller gap, and only rounding is left.
MOST_PATIENCE = 60
# A slope below this, of columns and a response of unit length, is rounding.
NOISE = 1e-14
# A coefficient that moves by less than this share of another one stands still.
STILL = 1e-9
# Rounding errors that a gradient may hold, in units of the last place.
ROUNDINGS = 8.0
# A factor is kept while the ridge term is at least this share of the one it holds.
STALE = 0.6
# Appends and deletes one by one up to here; more of them cost more than a new factorisation.
FEW = 24
# A step that meets less than this share of the expected curvature teaches nothing.
LEAST_SEEN = 1e-3


@kernel()
def follow(
    S: Any,
    F: Any,
    penalty: Any,
    strengths: Any,
    unit: Any,
    size: int,
    m: int,
    limits: Any,
    target: float,
    budget: int,
    entry: int,
    coefs: Any,
    figures: Any,
) -> tuple[int, int, int, int]:
    """Minimise at one strength of the penalty after the other, to a duality gap of ``target``.

    Parameters
    ----------
    strengths : ndarray of shape (K, t)
        Written into ``penalty.strength``, one row a point.
    unit : ndarray of shape (size,)
        Of the violations.
    size, m : int
        Features in the working set, and in the factor.
    limits : tuple of (int, float)
        Order up to which the factor may grow; squared length of the response.
    target : float
    budget : int
        Iterations that a point may take.
    entry : int
        The code that the last call ended with, if this one goes on with its point; or `CONVERGED`.
    coefs : ndarray of shape (K, size)
        Filled with the coefficients,
    figures : ndarray of shape (K, 5)
        and with what is named `GAP` and so on.

    Returns
    -------
    tuple of (code, K, m, iterations)
        K points have converged. If that is not all of them, the code says what the next one needs:
        `REFACTOR` and `EXCHANGE` ask the caller to do that and to come back, the latter where free
        features are left outside the factor because they depend on those inside. The figures of
        this point are there, the iterations are those it has taken.
    """
    largest, yy = limits
    for k in range(strengths.shape[0]):
        for i in range(strengths.shape[1]):
            penalty.strength[i] = strengths[k, i]
        if k > 0 or entry == CONVERGED:
            S.trace[LOWEST] = S.trace[BEST] = math.inf
            S.trace[PATIENCE] = 0.0
        exchanged = k == 0 and entry == EXCHANGE
        code, m, iterations, gap = _minimise(
            S, F, penalty, size, m, largest, yy, target, budget, exchanged
        )
        for i in range(size):
            coefs[k, i] = S.b[i]
        figures[k, GAP] = gap
        figures[k, RESIDUAL_SQUARE] = residual_square(S.q, S.h, S.b, size, yy)
        figures[k, PENALTY] = penalty_value(penalty, S.b, size)
        figures[k, VIOLATION] = worst_violation(penalty, S.h, S.b, size, unit)
        figures[k, ITERATIONS] = iterations
        if code != CONVERGED:
            return code, k, m, iterations
    return CONVERGED, strengths.shape[0], m, 0


@kernel(inline="numba")
def _minimise(
    S: Any,
    F: Any,
    penalty: Any,
    size: int,
    m: int,
    largest: int,
    yy: float,
    target: float,
    budget: int,
    exchanged: bool,
) -> tuple[int, int, int, float]:
    """Iterate at one strength; returns code, m, iterations and gap."""
    G, q, h, b, trace, position = S.G, S.q, S.h, S.b, S.trace, F.position
    gap = math.inf
    if is_stale(F, penalty, m):
        return REFACTOR, m, 0, gap
    for iteration in range(budget):
        aligned = align(F, G, b, penalty, size, m, largest)
        if aligned < 0:
            return REFACTOR, m, iteration, gap
        m = newton(F, h, b, S.g, S.d, penalty, aligned)
        refresh(G, q, b, h, size)
        rr = residual_square(q, h, b, size, yy)
        objective = 0.5 * rr + penalty_value(penalty, b, size)
        if not objective <= trace[LOWEST] + 1e-9 * yy:
            # Every step descends in exact arithmetic: this one was made of rounding errors.
            for k in range(size):
                b[k] = S.kept[k]
            refresh(G, q, b, h, size)
            return STALLED, m, iteration + 1, gap
        gap = dual_gap(penalty, h, b, size, penalty, q[:0], rr)
        stranded = False
        for k in range(size):
            stranded |= position[k] < 0 and is_free(penalty, k, b[k])
        if stranded and not (exchanged and iteration == 0):
            return EXCHANGE, m, iteration + 1, gap
        if gap <= target:
            return CONVERGED, m, iteration + 1, gap
        if objective < trace[LOWEST]:
            trace[LOWEST] = objective
            for k in range(size):
                S.kept[k] = b[k]
        trace[PATIENCE] = trace[PATIENCE] + 1.0 if gap >= 0.9 * trace[BEST] else 0.0
        trace[BEST] = min(trace[BEST], gap)
        if trace[PATIENCE] > MOST_PATIENCE:
            return STALLED, m, iteration + 1, gap
        sweep(G, q, h, b, penalty, size, 0.01 * target / yy)
    return EXHAUSTED, m, budget, gap


@kernel(inline="numba")
def is_stale(F: Any, penalty: Any, m: int) -> bool:
    """Whether the ridge term has changed too much since the factor was formed.

    A surplus of curvature in the factor keeps its steps descents, but makes them short.
    """
    for i in range(m):
        wanted = penalty.curvature(F.active[i])
        if wanted < STALE * F.held[i] or wanted > F.held[i]:
            return True
    return False


@kernel(inline="numba")
def is_free(penalty: Any, k: int, b: float) -> bool:
    """Whether b lies inside a smooth piece, so that a Newton step can move it both ways."""
    low, high = penalty.piece(k, b)
    return low < b < high


@kernel(inline="numba")
def align(F: Any, G: Any, b: Any, penalty: Any, size: int, m: int, largest: int) -> int:
    """Bring the active list in line with the support; -1 asks for a new factorisation."""
    active, position, queue, room = F.active, F.position, F.queue, F.R.shape[0]
    leaving = entering = np.int64(0)
    for k in range(size):
        free = is_free(penalty, k, b[k])
        if free and position[k] == OUTSIDE:
            queue[entering] = k
            entering += 1
        elif not free and position[k] >= 0:
            leaving += 1
    # A larger factor than its arrays hold is laid out afresh as well.
    if m - leaving + entering > room and room < largest:
        return -1
    if leaving > FEW or entering > FEW + m // 8:
        return -1
    if leaving > 0:
        for place in range(m - 1, -1, -1):
            if not is_free(penalty, active[place], b[active[place]]):
                m = remove(F, place, m)
    return append(F, G, penalty, queue, entering, m)


@kernel(inline="numba")
def newton(F: Any, h: Any, b: Any, g: Any, d: Any, penalty: Any, m: int) -> int:
    """Newton steps on the active features, each cut where a coefficient leaves its smooth piece."""
    active, held = F.active, F.held
    for i in range(m):
        k = active[i]
        g[i] = h[k] - penalty.derivative(k, b[k])
    while m > 0:
        for i in range(m):
            d[i] = g[i]
        solve(F.R, d, m)
        step, hit, end = 1.0, m, 0.0
        for i in range(m):
            k = active[i]
            low, high = penalty.piece(k, b[k])
            bound = high if d[i] > 0.0 else low
            reached = b[k] + step * d[i]
            if (d[i] > 0.0 and reached >= bound) or (d[i] < 0.0 and reached <= bound):
                step, hit, end = max((bound - b[k]) / d[i], 0.0), i, bound
        for i in range(m):
            b[active[i]] += step * d[i]
        if hit == m:
            break
        b[active[hit]] = end
        # The model is quadratic: what is left of the gradient is known without G, up to the surplus
        # of curvature that the factor may hold from a larger lambda.
        for i in range(m):
            surplus = held[i] - penalty.curvature(active[i])
            g[i] = (1.0 - step) * g[i] + step * surplus * d[i]
        for i in range(hit, m - 1):
            g[i] = g[i + 1]
        m = remove(F, hit, m)
    return m


@kernel(inline="numba")
def refresh(G: Any, q: Any, b: Any, h: Any, size: int) -> None:
    """h = q - G b."""
    for k in range(size):
        h[k] = q[k]
    combine(-1.0, b, G, size, h, size)


@kernel()
def pose(G: Any, q: Any, h: Any, b: Any, size: int) -> None:
    """q = h + G b."""
    for k in range(size):
        q[k] = h[k]
    combine(1.0, b, G, size, q, size)


@kernel(inline="numba")
def residual_square(q: Any, h: Any, b: Any, size: int, yy: float) -> float:
    """Squared norm of the residual from Gram quantities: y'y - (q + h)'b."""
    total = yy
    for k in range(size):
        total -= (q[k] + h[k]) * b[k]
    return max(total, 0.0)


@kernel()
def correct(S: Any, step: Any, fall: Any, size: int) -> bool:
    """Correct the Gram matrix so that a step makes the gradients fall by what was seen.

    The update of Broyden, Fletcher, Goldfarb and Shanno; returns whether anything was learned.
    """
    G, image = S.G, S.d
    for k in range(size):
        image[k] = 0.0
    combine(1.0, step, G, size, image, size)
    seen, expected = dot(step, fall), dot(step, image)
    if not seen > LEAST_SEEN * expected > 0.0:
        return False
    for i in range(size):
        axpy(fall[i] / seen, fall, G[i])
        axpy(-image[i] / expected, image[:size], G[i])
    return True


@kernel()
def queue_support(S: Any, F: Any, penalty: Any, size: int) -> int:
    """Empty the factor, and queue what belongs into it; returns how many features these are."""
    count = np.int64(0)
    for k in range(size):
        F.position[k] = OUTSIDE
        if is_free(penalty, k, S.b[k]):
            F.queue[count] = k
            count += 1
    return count  # type: ignore[return-value]


@kernel()
def doubt(F: Any, h: Any, b: Any, penalty: Any, size: int, rr: float) -> float:
    """What free features outside the factor may add to the gap.

    Such a feature depends on those inside. How far it is from their span is lost in rounding, and
    without a threshold nothing else bounds what a gradient along that direction is worth: it is all
    of the residual, unless the gradient is a rounding error.
    """
    length = 1.0
    for k in range(size):
        length += abs(b[k])
    for k in range(size):
        unbounded = penalty.threshold(k) == 0.0 and penalty.curvature(k) < 1e-9
        if unbounded and F.position[k] < 0 and is_free(penalty, k, b[k]):
            slope = abs(h[k] - penalty.derivative(k, b[k]))
            if slope > ROUNDINGS * 2.0**-52 * length:
                return 0.5 * rr
    return 0.0


@kernel(inline="numba")
def sweep(G: Any, q: Any, h: Any, b: Any, penalty: Any, size: int, slack: float) -> None:
    """One cyclic coordinate-descent pass on (b, h): features enter here."""
    for k in range(size):
        a, old = G[k, k], b[k]
        new = penalty.prox(k, h[k] + a * old, a)
        delta = new - old
        # A move this small changes the gap by less than its target; it would only add noise.
        change = abs(delta) * (a + penalty.curvature(k))
        if change > slack * penalty.threshold(k) + 1e-15 * abs(q[k]):
            b[k] = new
            axpy(-delta, G[k, :size], h)


@kernel()
def exchange(S: Any, F: Any, penalty: Any, size: int, m: int) -> int:
    """Move along the null direction of every dependent feature until a coefficient is at its end.

    If x_k = X_A a, then b_k + t, b_A - t a has the same fit and the penalty is linear in t: an end
    of the segment is optimal. Coordinate descent would crawl along it. Returns the new m.
    """
    G, h, b, d = S.G, S.h, S.b, S.d
    for k in range(size):
        if F.position[k] >= 0 or not is_free(penalty, k, b[k]):
            continue
        curvature = penalty.curvature(k)
        pivot = max(project(F, G[k], k, m, d), 0.0) + curvature
        if depends(pivot, G[k, k] + curvature):
            back_solve(F.R, d, m)
            leaver = slide(F.active, h, b, d, penalty, k, m, pivot)
            if leaver < m:
                F.queue[0] = k
                m = append(F, G, penalty, F.queue, np.int64(1), remove(F, leaver, m))
    refresh(G, S.q, b, h, size)
    return m


@kernel()
def slide(active: Any, h: Any, b: Any, d: Any, penalty: Any, k: int, m: int, pivot: float) -> int:
    """Slide along b_k + t, b_A - t d to the end that the slope of the objective points to.

    Returns the place of the active feature that reached its end, or m.
    """
    slope = h[k] - penalty.derivative(k, b[k])
    scale = abs(h[k]) + penalty.threshold(k)
    unbounded = penalty.threshold(k) == 0.0
    for i in range(m):
        unbounded &= abs(d[i]) <= STILL or penalty.threshold(active[i]) == 0.0
        pull = d[i] * (h[active[i]] - penalty.derivative(active[i], b[active[i]]))
        slope -= pull
        scale += abs(pull)
    leaver = m
    if abs(slope) <= 1e-9 * scale + NOISE or unbounded:
        # The objective is flat, or nothing but rounding would bound the step: take the feature out.
        direction, step, end = -math.copysign(1.0, b[k]), abs(b[k]), 0.0
    else:
        direction = math.copysign(1.0, slope)
        low, high = penalty.piece(k, b[k])
        end = high if direction > 0.0 else low
        step = abs(end - b[k])
        if pivot > 0.0 and abs(slope) < step * pivot:
            step = abs(slope) / pivot
            end = b[k] + direction * step
    for i in range(m):
        move = -direction * d[i]
        low, high = penalty.piece(active[i], b[active[i]])
        bound = high if move > 0.0 else low
        if move != 0.0 and (bound - b[active[i]]) / move < step:
            step, leaver, end = max((bound - b[active[i]]) / move, 0.0), i, bound
    if step < math.inf:
        b[k] += direction * step
        for i in range(m):
            b[active[i]] -= direction * step * d[i]
        b[k if leaver == m else active[leaver]] = end
    return leaver

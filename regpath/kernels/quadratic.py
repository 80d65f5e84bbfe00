"""The quadratic core: penalised least squares on a working set, in Gram form.

    minimise over b    b'G b / 2 - q'b + sum_k phi_k(b_k)

State (fields of the named tuple ``S``): ``G, q``; ``b`` and ``h = q - G b``; the factor ``R`` of
G + diag(held) over the list ``active``, with ``position`` its inverse (negative: not in it) and
``held`` the curvature of the penalty when the feature was appended. One iteration is: bring R in line with the
support, Newton steps on the support, gap, one coordinate-descent sweep.
"""

from __future__ import annotations

import math
from typing import Any

from regpath._numba import STRICT, kernel
from regpath.kernels.cholesky import back_solve, delete_column, forward_solve
from regpath.kernels.gap import dual_gap
from regpath.kernels.primitives import axpy, dot

__all__ = ["CONVERGED", "EXHAUSTED", "REFACTOR", "STALLED", "minimise"]

CONVERGED, EXHAUSTED, STALLED, REFACTOR = 0, 1, 2, 3
# Positions of features outside the factor: not tried yet, or found to depend on those inside.
OUTSIDE, DEPENDS = -1, -2

# A pivot below this share of its diagonal means: the column depends on those already in R.
DEPENDENT = 1e-12
# Iterations without a gap that is a tenth smaller, after which only rounding is left.
PATIENCE = 60
# A slope below this, of columns and a response of unit length, is rounding.
NOISE = 1e-14
# Appends and deletes one by one up to here; more of them cost more than a new factorisation.
FEW = 24


@kernel(STRICT)
def is_free(penalty: Any, k: int, b: float) -> bool:
    """Whether b lies inside a smooth piece, so that a Newton step can move it both ways."""
    low, high = penalty.piece(k, b)
    return low < b < high


@kernel(STRICT)
def remove(S: Any, place: int, n_active: int) -> int:
    """Take the feature at one place of the active list out of the factor."""
    delete_column(S.R, place, n_active)
    S.position[S.active[place]] = OUTSIDE
    for k in range(S.position.size):  # what depended on this feature may be independent now
        if S.position[k] == DEPENDS:
            S.position[k] = OUTSIDE
    for i in range(place, n_active - 1):
        S.held[i] = S.held[i + 1]
        S.active[i] = S.active[i + 1]
        S.position[S.active[i]] = i
    return n_active - 1


@kernel(STRICT)
def project(S: Any, k: int, n_active: int, z: Any) -> float:
    """Coordinates z = R'^-1 G_Ak of feature k in the factor; returns its pivot without curvature."""
    row = S.G[k]
    for i in range(n_active):
        z[i] = row[S.active[i]]
    forward_solve(S.R, z, n_active)
    return row[k] - dot(z, z, 0, n_active)


@kernel(STRICT)
def append(S: Any, penalty: Any, k: int, n_active: int) -> int:
    """Append one feature to the factor, unless it depends on those already in it."""
    S.position[k] = DEPENDS
    if n_active >= S.R.shape[0]:
        return n_active
    pivot = project(S, k, n_active, S.z) + penalty.curvature(k)
    if pivot <= DEPENDENT * (S.G[k, k] + penalty.curvature(k)):
        return n_active
    for i in range(n_active):
        S.R[i, n_active] = S.z[i]
    S.R[n_active, n_active] = math.sqrt(pivot)
    S.active[n_active] = k
    S.held[n_active] = penalty.curvature(k)
    S.position[k] = n_active
    return n_active + 1


@kernel(STRICT)
def align(S: Any, penalty: Any, size: int, n_active: int) -> int:
    """Bring the active list in line with the support; -1 asks for a new factorisation."""
    leaving = entering = 0
    for k in range(size):
        free = is_free(penalty, k, S.b[k])
        if free and S.position[k] == OUTSIDE:
            entering += 1
        elif not free and S.position[k] >= 0:
            leaving += 1
    # A larger factor than its arrays hold is laid out afresh as well.
    if n_active - leaving + entering > S.R.shape[0] and S.R.shape[0] < S.limit[0]:
        return -1
    if leaving > FEW or entering > FEW + n_active // 8:
        return -1
    if leaving > 0:
        for place in range(n_active - 1, -1, -1):
            k = S.active[place]
            if not is_free(penalty, k, S.b[k]):
                n_active = remove(S, place, n_active)
    if entering > 0:
        for k in range(size):
            if S.position[k] == OUTSIDE and is_free(penalty, k, S.b[k]):
                n_active = append(S, penalty, k, n_active)
    return n_active


@kernel(STRICT)
def newton(S: Any, penalty: Any, n_active: int) -> int:
    """Newton steps on the active features, each cut where a coefficient leaves its smooth piece."""
    g, d, active = S.g, S.d, S.active
    for i in range(n_active):
        k = active[i]
        g[i] = S.h[k] - penalty.derivative(k, S.b[k])
    while n_active > 0:
        for i in range(n_active):
            d[i] = g[i]
        forward_solve(S.R, d, n_active)
        back_solve(S.R, d, n_active)
        step, hit, end = 1.0, -1, 0.0
        for i in range(n_active):
            b = S.b[active[i]]
            low, high = penalty.piece(active[i], b)
            bound = high if d[i] > 0.0 else low
            if (d[i] > 0.0 and b + step * d[i] >= bound) or (d[i] < 0.0 and b + step * d[i] <= bound):
                step, hit, end = max((bound - b) / d[i], 0.0), i, bound
        for i in range(n_active):
            S.b[active[i]] += step * d[i]
        if hit < 0:
            break
        S.b[active[hit]] = end
        # The model is quadratic: what is left of the gradient is known without G, up to the surplus
        # of curvature that the factor may hold from a larger lambda.
        for i in range(n_active):
            surplus = S.held[i] - penalty.curvature(active[i])
            g[i] = (1.0 - step) * g[i] + step * surplus * d[i]
        for i in range(hit, n_active - 1):
            g[i] = g[i + 1]
        n_active = remove(S, hit, n_active)
    return n_active


@kernel(STRICT)
def refresh(S: Any, size: int) -> None:
    """h = q - G b."""
    for k in range(size):
        S.h[k] = S.q[k]
    for k in range(size):
        if S.b[k] != 0.0:
            axpy(-S.b[k], S.G[k], S.h, 0, size)


@kernel(STRICT)
def exchange(S: Any, penalty: Any, size: int, n_active: int) -> tuple[int, bool]:
    """Move along the null direction of every dependent feature until some coefficient reaches an end.

    If x_k = X_A a, then b_k + t, b_A - t a has the same fit and the penalty is linear in t: an end of
    the segment is optimal. Coordinate descent would crawl along it. Returns whether anything moved.
    """
    moved = False
    for k in range(size):
        if S.position[k] >= 0 or not is_free(penalty, k, S.b[k]):
            continue
        curvature = penalty.curvature(k)
        pivot = max(project(S, k, n_active, S.d), 0.0) + curvature
        if pivot > DEPENDENT * (S.G[k, k] + curvature):
            continue
        back_solve(S.R, S.d, n_active)
        n_active = slide(S, penalty, k, n_active, pivot)
        moved = True
    return n_active, moved


@kernel(STRICT)
def slide(S: Any, penalty: Any, k: int, n_active: int, pivot: float) -> int:
    """Slide along b_k + t, b_A - t d to the end that the slope of the objective points to."""
    d, active = S.d, S.active
    slope = S.h[k] - penalty.derivative(k, S.b[k])
    scale = abs(S.h[k]) + penalty.threshold(k)
    for i in range(n_active):
        pull = S.h[active[i]] - penalty.derivative(active[i], S.b[active[i]])
        slope -= d[i] * pull
        scale += abs(d[i] * pull)
    low, high = penalty.piece(k, S.b[k])
    if abs(slope) <= 1e-9 * scale + NOISE:
        # The objective is flat: take the dependent feature out.
        direction, step, hit, end = -math.copysign(1.0, S.b[k]), abs(S.b[k]), -1, 0.0
    else:
        direction, hit = math.copysign(1.0, slope), -1
        end = high if direction > 0.0 else low
        step = abs(end - S.b[k])
        if pivot > 0.0 and abs(slope) < step * pivot:
            step = abs(slope) / pivot
            end = S.b[k] + direction * step
    for i in range(n_active):
        move = -direction * d[i]
        b = S.b[active[i]]
        low, high = penalty.piece(active[i], b)
        bound = high if move > 0.0 else low
        if move != 0.0 and (bound - b) / move < step:
            step, hit, end = max((bound - b) / move, 0.0), i, bound
    if step == math.inf:
        return n_active
    S.b[k] += direction * step
    for i in range(n_active):
        S.b[active[i]] -= direction * step * d[i]
    if hit < 0:
        S.b[k] = end
        return n_active
    S.b[active[hit]] = end
    return append(S, penalty, k, remove(S, hit, n_active))


@kernel(STRICT)
def sweep(S: Any, penalty: Any, size: int, slack: float) -> None:
    """One cyclic coordinate-descent pass on (b, h): features enter here."""
    for k in range(size):
        a = S.G[k, k]
        if a <= 0.0:
            continue
        old = S.b[k]
        new = penalty.prox(k, S.h[k] + a * old, a)
        delta = new - old
        # A move this small changes the gap by less than its target; it would only add noise.
        if abs(delta) * (a + penalty.curvature(k)) <= slack * penalty.threshold(k) + 1e-15 * abs(S.q[k]):
            continue
        S.b[k] = new
        axpy(-delta, S.G[k], S.h, 0, size)


@kernel(STRICT)
def minimise(
    S: Any, penalty: Any, size: int, n_active: int, yy: float, target: float, budget: int
) -> tuple[int, int, int, float]:
    """Iterate until the duality gap on the working set is at most ``target``.

    Returns
    -------
    tuple of (code, n_active, iterations, gap)
    """
    best, patience = math.inf, 0
    gap = math.inf
    for iteration in range(budget):
        aligned = align(S, penalty, size, n_active)
        if aligned < 0:
            return REFACTOR, n_active, iteration, gap
        n_active = newton(S, penalty, aligned)
        refresh(S, size)
        gap = dual_gap(penalty, S.h, S.b, size, penalty, S.q[:0], residual_square(S, size, yy))
        if gap <= target:
            return CONVERGED, n_active, iteration + 1, gap
        patience = 0 if gap < 0.9 * best else patience + 1
        best = min(best, gap)
        if patience > PATIENCE:
            return STALLED, n_active, iteration + 1, gap
        n_active, moved = exchange(S, penalty, size, n_active)
        if moved:
            refresh(S, size)
        sweep(S, penalty, size, 0.01 * target / yy)
    return EXHAUSTED, n_active, budget, gap


@kernel(STRICT)
def residual_square(S: Any, size: int, yy: float) -> float:
    """Squared norm of the residual from Gram quantities: y'y - q'b - h'b."""
    return max(yy - dot(S.q, S.b, 0, size) - dot(S.h, S.b, 0, size), 0.0)

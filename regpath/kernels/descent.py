"""The residual core: coordinate descent on the columns themselves, for every storage."""

from __future__ import annotations

from typing import Any

from regpath._numba import FUSED, REORDERED, kernel
from regpath.kernels.gap import dual_gap, penalty_value
from regpath.kernels.passes import column_dots

__all__ = ["MEMORY", "descend", "descend_round", "refresh_residual", "residual_square"]

# Epochs over the support that one extrapolation combines (Bertrand and Massias 2021).
MEMORY = 5


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


@kernel()
def descend_round(
    design: Any, penalty: Any, response: Any, centre: Any, b: Any, r: Any, g: Any, room: Any
) -> float:
    """Descend over the support, with extrapolation, and once over all columns; return the gap.

    Parameters
    ----------
    response : ndarray of shape (n,)
    centre : ndarray of shape (n,)
        The vector whose multiple is the last entry of a residual.
    b, r, g : ndarray of shape (size,), (n + 1,) and (size,)
        Coefficients and their residual, both updated; the gradients are filled in.
    room : `regpath.solvers.residual.Room`
    """
    size, count, support = b.size, 0, room.support
    for k in range(size):
        if b[k] != 0.0:
            support[count] = k
            count += 1
    accelerate(design, penalty, response, centre, b, r, support[:count], room)
    descend(design, penalty, b, r, room.everything, 1)
    refresh_residual(design, response, b, r, room)  # no drift from many updates
    column_dots(design, r, room.everything, g, 0, size)
    return dual_gap(penalty, g, b, size, penalty, g[:0], residual_square(r, centre))


@kernel(inline="numba")
def accelerate(
    design: Any,
    penalty: Any,
    response: Any,
    centre: Any,
    b: Any,
    r: Any,
    support: Any,
    room: Any,
) -> None:
    """Epochs over the support, then a jump to the combination that Anderson proposes."""
    history, kept_b, kept_r = room.history, room.kept_b, room.kept_r
    for i in range(support.size):
        history[0, i] = b[support[i]]
    for k in range(1, MEMORY + 1):
        descend(design, penalty, b, r, support, 1)
        for i in range(support.size):
            history[k, i] = b[support[i]]
    if not anderson(history, support.size, room.system):
        return
    value = 0.5 * residual_square(r, centre) + penalty_value(penalty, b, b.size)
    for k in range(b.size):
        kept_b[k] = b[k]
    for i in range(r.size):
        kept_r[i] = r[i]
    for i in range(support.size):
        k, jump = support[i], 0.0
        for m in range(MEMORY):
            jump += room.system[m, MEMORY] * history[m + 1, i]
        b[k] = min(max(jump, penalty.lower[k]), penalty.upper[k])
    refresh_residual(design, response, b, r, room)
    if not 0.5 * residual_square(r, centre) + penalty_value(penalty, b, b.size) < value:
        for k in range(b.size):
            b[k] = kept_b[k]
        for i in range(r.size):
            r[i] = kept_r[i]


@kernel()
def anderson(history: Any, size: int, system: Any) -> bool:
    """Write the weights of the points 1, ..., MEMORY of a history into the last column of a system.

    The combination of the steps with these weights, which sum to one, is the shortest; False if
    nothing has moved.
    """
    trace = 0.0
    for a in range(MEMORY):
        for c in range(a + 1):
            total = 0.0
            for i in range(size):
                step = history[a + 1, i] - history[a, i]
                total += step * (history[c + 1, i] - history[c, i])
            system[a, c] = system[c, a] = total
        system[a, MEMORY] = 1.0
        trace += system[a, a]
    ridge = 1e-12 * trace
    if not ridge > 0.0:
        return False
    for a in range(MEMORY):
        system[a, a] += ridge
    for a in range(MEMORY):  # elimination: the matrix is positive definite
        for c in range(a + 1, MEMORY):
            share = system[c, a] / system[a, a]
            for k in range(a, MEMORY + 1):
                system[c, k] -= share * system[a, k]
    total = 0.0
    for a in range(MEMORY - 1, -1, -1):
        for c in range(a + 1, MEMORY):
            system[a, MEMORY] -= system[a, c] * system[c, MEMORY]
        system[a, MEMORY] /= system[a, a]
        total += system[a, MEMORY]
    for a in range(MEMORY):
        system[a, MEMORY] /= total
    return True


@kernel(FUSED)
def refresh_residual(design: Any, response: Any, b: Any, r: Any, room: Any) -> None:
    """Residual of coefficients afresh."""
    count, n, nonzero, coefs = 0, response.size, room.nonzero, room.coefs
    for k in range(b.size):
        if b[k] != 0.0:
            nonzero[count], coefs[count] = k, b[k]
            count += 1
    for i in range(n):
        r[i] = response[i]
    r[n] = 0.0
    design.combine(-1.0, nonzero[:count], coefs[:count], r)


@kernel(REORDERED)
def residual_square(r: Any, centre: Any) -> float:
    """Squared length of a residual with a multiple of a vector as its last entry."""
    total, shift = 0.0, r[r.size - 1]
    for i in range(centre.size):
        own = r[i] + shift * centre[i]
        total += own * own
    return total

"""One proximal Newton step: along the line to the minimum of a model, as far as it pays.

Loss and columns are behind an object ``moves``:

=====================  =========================================================================
method                 meaning
=====================  =========================================================================
``half_deviance()``    half the deviance at the present point
``aim_at(b, new)``     prepares for the line from b to new
``look_at(t)``         half the deviance at the share t of that line, at the best intercepts
``settle_at(t, g)``    goes to the point that was looked at, and writes the gradients
=====================  =========================================================================

Where they are arrays (`regpath.solvers.row_moves`) a step is one compiled call. Where they are
objects of any kind (`regpath.solvers.moves`) the same function runs as it is written.

Reference: Lee, Sun and Saunders (2014), Proximal Newton-type methods, SIAM J. Optim. 24, section 2.
"""

from __future__ import annotations

from typing import Any

from regpath._numba import kernel, register_methods
from regpath.kernels.gap import penalty_gap, penalty_value, shrinkage

__all__ = ["step", "working_gap"]

register_methods(inline="llvm", half_deviance=0, aim_at=2, look_at=1, settle_at=2)

# Relative rounding error of an objective.
ROUNDING = 1e-15
# Armijo's share of the predicted decrease, and the shortest step.
SUFFICIENT, SHORTEST_STEP = 1e-4, 1e-10


@kernel()
def step(moves: Any, penalty: Any, b: Any, g: Any, new: Any, proposed: Any, scale: float) -> bool:
    """Move from b towards ``new``; returns whether the objective fell.

    Parameters
    ----------
    moves : object
        As above.
    penalty, b, g
        Penalty, coefficients and gradients of the working set; both change in place.
    new, proposed : ndarray of shape (size,)
        The minimum of the model; room.
    scale : float
        What an objective is large compared with.
    """
    size, slope, still = b.size, 0.0, True
    for k in range(size):
        slope -= g[k] * (new[k] - b[k])
        still &= new[k] == b[k]
    if still:
        return False
    old = penalty_value(penalty, b, size)
    slope += penalty_value(penalty, new, size) - old
    old += moves.half_deviance()
    noise = ROUNDING * (old + scale)
    moves.aim_at(b, new)
    t = 1.0
    while t > SHORTEST_STEP:
        for k in range(size):
            proposed[k] = new[k] if t == 1.0 else b[k] + t * (new[k] - b[k])
        reached = moves.look_at(t) + penalty_value(penalty, proposed, size)
        if reached <= old + SUFFICIENT * t * slope + noise:
            moves.settle_at(t, g)
            for k in range(size):
                b[k] = proposed[k]
            return True
        t *= 0.5
    return False


@kernel()
def working_gap(penalty: Any, g: Any, b: Any, level: float, square: float, exact: bool) -> float:
    """Duality gap on the working set, its loss part to second order.

    Parameters
    ----------
    level : float
        Half the deviance.
    square : float
        Squared length of residuals over the roots of curvatures.
    exact : bool
        Whether the loss has a conjugate: otherwise its part is bounded by convexity alone.
    """
    size, none = b.size, g[:0]
    s = shrinkage(penalty, g, size)
    part = penalty_gap(penalty, g, b, size, penalty, none, s)
    if s < 1.0:
        charged = (1.0 - s) * level
        if exact:
            charged = min(0.5 * (1.0 - s) ** 2 * square, charged)
        unshrunk = penalty_gap(penalty, g, b, size, penalty, none, 1.0)
        part = min(part + charged, unshrunk)
    if part > level:  # as at the edge of a perfect fit, without a penalty
        part = min(part, level + penalty_gap(penalty, g, b, size, penalty, none, 0.0))
    return part

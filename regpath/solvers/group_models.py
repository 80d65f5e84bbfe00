"""Losses of K outputs on the working set: in Gram form, and row by row.

Both answer the same questions, those of `regpath.solvers.group_newton.Model` and, beside them:

=====================  ========================================================================
``loss``               loss minus its infimum
``sweep(...)``         block coordinate descent on a bound of the loss: groups enter and leave
``settle(...)``        exact optimality in what is not penalised
``divergence(s)``      part of the gap that the loss has at the dual point s u
``doubt(s)``           what rounding and the intercept may add to the gap
=====================  ========================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from regpath._memory import room
from regpath.kernels.groups import combine_outputs, descend_groups, sweep_groups
from regpath.penalties import INDISTINCT
from regpath.solvers.group_newton import FINEST, Model, Solution, System, direction
from regpath.solvers.group_systems import (
    GramSystem,
    KeptHessian,
    KeptSystem,
    RowSystem,
    dense_step,
)
from regpath.solvers.output_columns import OutputColumns
from regpath.solvers.output_losses import OutputLoss, Softmax, inner, sums
from regpath.solvers.row_norms import EPSILON, RowNorms, lengths

__all__ = ["GramModel", "GroupModel", "RowwiseModel", "grown_gram"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Sweeps on one quadratic model, and the share of the first one's changes that ends them.
SWEEPS, SETTLED = 4, 0.05
# Unknowns of what is not penalised up to which its Hessian is formed, and Newton steps.
FEW, MOST_STEPS = 64, 30
# Order of a system up to which an accurate solution costs next to nothing.
CHEAP = 100
# The same for entries of the active columns.
CHEAP_ROWS = 100_000
# A Hessian of this order at most is kept, if there are so many rows for each of its columns.
# And in small problems an iteration more costs more than it saves.
MOST_KEPT, ROWS_A_COLUMN, MANY = 2000, 4, 1_000_000
# Probabilities that have moved by less, on average, leave a Hessian as it is.
MOVED = 0.01
# A gradient of unpenalised coefficients below this is as good as 0.
FLAT = 1e-15


class GroupModel(Model, Protocol):
    """What a path asks of a loss on the working set."""

    sweeps_cost_little: bool

    @property
    def size(self) -> int:
        """Columns in the working set."""

    @property
    def loss(self) -> float:
        """Loss minus its infimum."""

    def start(self) -> None:
        """Begin a point."""

    def sweep(self, penalty: RowNorms, target: float) -> None:
        """Block coordinate descent on a quadratic bound."""

    def settle(self, penalty: RowNorms) -> None:
        """Bring unpenalised coefficients and intercepts to their optimum."""

    def divergence(self, s: float) -> float:
        """Sum of loss + loss*(-s u) + s u'e."""

    def doubt(self, s: float) -> float:
        """What rounding and the intercept may add to the gap."""


def grown_gram(G: Array, block: Array, size: int) -> Array:
    """The Gram matrix with the rows (m, size + m) of new columns."""
    new = size + len(block)
    if new > len(G):
        larger = room((max(new, min(3 * size // 2, size + 2048), 64),) * 2)
        larger[:size, :size] = G[:size, :size]
        G = larger
    G[size:new, :new] = block
    G[:size, size:new] = block[:, :size].T
    return G


def _sweeps(
    G: Array, H: Array, B: Array, penalty: RowNorms, bound: float, slack: Array, most: int
) -> None:
    """Sweeps until the changes become small beside those of the first one."""
    room, first = np.empty(2 * len(B)), 0.0
    for k in range(most):
        change = sweep_groups(G, H, B, penalty.l1, penalty.l2, bound, B.shape[1], room, slack)
        first = max(first, change)
        if change <= SETTLED * first or k + 1 == most:
            return


class GramModel:
    """Least squares: everything follows from G, Q = X~'Y~ and |Y~|^2."""

    sweeps_cost_little = True

    def __init__(self, K: int, yy: float) -> None:
        self._yy = yy
        self._G = np.empty((0, 0))
        self._Q = self.coefs = self.gradients = np.empty((K, 0))
        self.solution = Solution()
        self._free = np.empty(0, np.int64)
        self._free_inverse = np.empty((0, 0))

    @property
    def size(self) -> int:
        """Columns in the working set."""
        return self.coefs.shape[1]

    @property
    def loss(self) -> float:
        """Half the squared length of the residual."""
        rest = np.einsum("kj,kj", self._Q + self.gradients, self.coefs)
        return 0.5 * max(self._yy - float(rest), 0.0)

    def extend(self, block: Array, products: Array) -> None:
        """Add columns by their rows of the Gram matrix and their products (K, m) with Y~."""
        self._G = grown_gram(self._G, block, self.size)
        self._enlarge(products)

    def start(self) -> None:
        """Begin a point."""
        active = np.count_nonzero(self.coefs.any(axis=0))
        self.solution.start(1e-4 if active <= CHEAP else 0.05)

    def _enlarge(self, products: Array) -> None:
        self._Q = np.concatenate([self._Q, products], axis=1)
        self.coefs = np.concatenate([self.coefs, np.zeros_like(products)], axis=1)
        self._refresh()

    def _refresh(self) -> None:
        self.gradients = self._Q - self._times(self.coefs)

    def _times(self, D: Array) -> Array:
        """D G, for the columns that D has an entry in."""
        out = np.zeros_like(D)
        combine_outputs(D, self._G, out, 0, self.size)
        return out

    def slopes(self, active: Index) -> Array:
        """Negative gradients of the active columns."""
        out: Array = self.gradients[:, active]
        return out

    def system(self, active: Index) -> GramSystem:
        """Second derivatives: those of the active columns."""
        return GramSystem(self._G[np.ix_(active, active)], active)

    def line(self, active: Index, D: Array) -> Callable[[float], float]:
        """Change of the loss at t along a direction."""
        full = np.zeros_like(self.coefs)
        full[:, active] = D
        slope = float(np.vdot(self.gradients, full))
        curvature = float(np.vdot(full, self._times(full)))
        return lambda t: -t * slope + 0.5 * t * t * curvature

    def move(self, active: Index, B: Array, D: Array, t: float) -> None:
        """Set the active coefficients."""
        self.coefs[:, active] = B
        self._refresh()

    def sweep(self, penalty: RowNorms, target: float) -> None:
        """Block coordinate descent."""
        slack = 0.01 * target * penalty.l1 + 1e-15
        _sweeps(self._G, self.gradients, self.coefs, penalty, 1.0, slack, SWEEPS)

    def settle(self, penalty: RowNorms) -> None:
        """Least squares for the unpenalised columns."""
        free = np.flatnonzero((penalty.l1 == 0.0) & (penalty.l2 == 0.0))
        if not free.size:
            return
        if not np.array_equal(free, self._free):
            self._free, self._free_inverse = free, _pseudo_inverse(self._G[np.ix_(free, free)])
        for _ in range(2):  # the second time recovers the digits that the inverse has lost
            self.coefs[:, free] += self.gradients[:, free] @ self._free_inverse
            self._refresh()

    def divergence(self, s: float) -> float:
        """(1 - s)^2 times the loss."""
        return (1.0 - s) ** 2 * self.loss

    def doubt(self, s: float) -> float:
        """Large coefficients that cancel leave the residual uncertain."""
        return 0.25 * EPSILON * float(lengths(self.coefs).sum()) ** 2


def _pseudo_inverse(G: Array) -> Array:
    """Inverse of a Gram matrix; directions that are lost in rounding are left alone."""
    values, vectors = np.linalg.eigh(G)
    kept = values > 1e-13 * values[-1]
    out: Array = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
    return out


class RowwiseModel:
    """Any loss of rows, at linear predictors that follow the coefficients.

    Parameters
    ----------
    columns : OutputColumns
    loss : OutputLoss
        Its state is that of the coefficients.
    intercept : bool
        Whether the intercepts move.
    with_gram : bool
        Whether the columns give their Gram matrix.
    """

    sweeps_cost_little = False

    def __init__(
        self, columns: OutputColumns, loss: OutputLoss, intercept: bool, with_gram: bool
    ) -> None:
        self.rows = loss
        self._columns = columns
        self.moves_intercept = intercept
        self._G: Array | None = np.empty((0, 0)) if with_gram else None
        self.coefs = np.zeros((loss.n_outputs, columns.size))
        self.intercepts = np.zeros(loss.n_outputs)
        self._gradients: Array | None = None
        self.solution = Solution()
        self.complete = False  # whether columns may still come
        self._kept: KeptHessian | None = None

    @property
    def size(self) -> int:
        """Columns in the working set."""
        return self.coefs.shape[1]

    @property
    def loss(self) -> float:
        """Loss minus its infimum."""
        return self.rows.value

    @property
    def gradients(self) -> Array:
        """Negative gradients of all columns."""
        if self._gradients is None:
            self._gradients = self._columns.dots(self.rows.residual)
        return self._gradients

    def extend(self, block: Array | None, count: int) -> None:
        """Add columns, which the working copy already holds."""
        if self._G is not None and block is not None:
            self._G = grown_gram(self._G, block, self.size)
        else:
            self._G = None
        zeros = np.zeros((len(self.coefs), count))
        self.coefs = np.concatenate([self.coefs, zeros], axis=1)
        self._gradients = None

    def start(self) -> None:
        """Begin a point: linear predictors afresh, so that nothing drifts from many updates."""
        active = np.count_nonzero(self.coefs.any(axis=0))
        cheap = active * self.rows.root.size <= CHEAP_ROWS or self._kept is not None
        self.solution.start(0.01 if cheap else 0.1)
        self.rows.start(self.intercepts, self._columns.combine(self.coefs))
        self._gradients = None

    def slopes(self, active: Index) -> Array:
        """Negative gradients of the active columns, and of the intercepts."""
        if self._gradients is None:
            G = self._columns.dots(self.rows.residual, active)
        else:
            G = self._gradients[:, active]
        return np.column_stack([G, self._sums]) if self.moves_intercept else G

    @property
    def _sums(self) -> Array:
        return sums(self.rows.residual, self.rows.root)

    def system(self, active: Index) -> System:
        """Second derivatives at the present predictors, or at earlier ones."""
        rows = self.rows
        if not (isinstance(rows, Softmax) and self.complete and self._keeping_pays()):
            return RowSystem(self, active)
        kept = self._kept
        if kept is None or (self.solution.renew and kept.drift(rows) > MOVED):
            kept = KeptHessian(self._columns, rows, self.moves_intercept)
        self._kept, self.solution.renew = kept, False
        return KeptSystem(kept, active, self.moves_intercept)

    def _keeping_pays(self) -> bool:
        """Whether to form the Hessian now and then: rows are many more than its columns."""
        order = self.rows.n_outputs * (self.size + 1)
        rows = self.rows.root.size
        return order <= MOST_KEPT and rows >= ROWS_A_COLUMN * order and rows * order >= MANY

    def along(self, active: Index, D: Array) -> Array:
        """Working predictors (K, n) of a direction."""
        full = np.zeros_like(self.coefs)
        full[:, active] = D[:, : active.size]
        rows = self._columns.combine(full)
        if self.moves_intercept:
            rows += D[:, -1:] * self.rows.root
        return rows

    def against(self, active: Index, rows: Array) -> Array:
        """Products of working rows (K, n) with the active columns and the intercept."""
        G = self._columns.dots(rows, active)
        return np.column_stack([G, sums(rows, self.rows.root)]) if self.moves_intercept else G

    def line(self, active: Index, D: Array) -> Callable[[float], float]:
        """Change of the loss at t along a direction."""
        self._direction = self.along(active, D)
        return lambda t: self.rows.change(self._direction, t)

    def move(self, active: Index, B: Array, D: Array, t: float) -> None:
        """Take a step along the direction of the last `line`."""
        self.coefs[:, active] = B
        if self.moves_intercept:
            self.intercepts += t * D[:, -1]
        self.rows.step(self._direction, t)
        self._gradients = None

    def sweep(self, penalty: RowNorms, target: float) -> None:
        """Block coordinate descent on the bound of the Hessian by that of least squares."""
        bound, before = self.rows.bound, self.coefs.copy()
        if self._G is not None:
            H, slack = self.gradients.copy(), 0.01 * target * penalty.l1 + 1e-15
            _sweeps(self._G, H, self.coefs, penalty, bound, slack, SWEEPS)
        elif self.size:
            R = self.rows.residual
            shifted = np.column_stack([R, -self._sums])
            room = np.empty(len(R))
            for _ in range(SWEEPS):
                descend_groups(
                    self._columns.design,
                    shifted,
                    self.coefs,
                    penalty.l1,
                    penalty.l2,
                    bound,
                    room,
                )
        rows = self._columns.combine(self.coefs - before)
        if self.moves_intercept:
            shift = self._sums / bound
            self.intercepts += shift
            rows += shift[:, None] * self.rows.root
        self.rows.step(rows, 1.0)
        self._gradients = None

    def settle(self, penalty: RowNorms) -> None:
        """Newton steps on intercepts and unpenalised coefficients only, to rounding."""
        free = np.flatnonzero((penalty.l1 == 0.0) & (penalty.l2 == 0.0))
        last = math.inf
        for _ in range(MOST_STEPS):
            slopes = self.slopes(free)
            worst = float(np.abs(slopes).max(initial=0.0))
            if worst <= FLAT or worst > 0.5 * last:
                return
            shift = None if free.size else self.rows.balance()
            D = self._free_step(free, slopes) if shift is None else shift[:, None]
            change, t = self.line(free, D), 1.0
            noise = 1e-15 * (1.0 + self.loss)
            while shift is None and t > 1e-4 and not change(t) <= noise:
                t *= 0.5
            if t <= 1e-4:
                return
            # A cut step need not shrink the slopes.
            last = worst if t == 1.0 else math.inf
            self.move(free, self.coefs[:, free] + t * D[:, : free.size], D, t)

    def _free_step(self, free: Index, slopes: Array) -> Array:
        """Newton step for what is not penalised."""
        system = RowSystem(self, free)
        if slopes.size <= FEW:
            return dense_step(system, slopes)
        local = RowNorms(*np.zeros((2, slopes.shape[1])))
        return direction(Solution(FINEST), system, local, np.zeros_like(slopes), slopes)

    def divergence(self, s: float) -> float:
        """Sum of loss + loss*(-s u) + s u'e."""
        return self.rows.divergence(s)

    def doubt(self, s: float) -> float:
        """Rounding of predictors from large coefficients; an intercept that is not exact."""
        size = float(lengths(self.coefs).sum())
        residual = math.sqrt(inner(self.rows.residual, self.rows.residual))
        doubt = EPSILON * size * residual + (EPSILON * size) ** 2
        if self.moves_intercept:
            reach = s * float(lengths(self._sums[:, None])[0]) + (EPSILON if s > 0.0 else 0.0)
            doubt += 0.5 * reach * reach / INDISTINCT
        return doubt

    def weighted_gram(self, active: Index) -> Array | None:
        """Gram matrix of the active columns and the intercept, with the weights of the rows."""
        if self._G is None:
            return None
        gram = self._columns.weighted_gram(self.rows.mean_curvature(), active)
        return gram if self.moves_intercept else gram[:-1, :-1]

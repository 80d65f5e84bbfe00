"""Newton steps on the active groups: conjugate gradients with a structured preconditioner.

On the groups with B_j != 0 the objective is smooth, with the Hessian

    loss  +  blockdiag( a_j I - c_j e_j e_j' ),   a_j = l1_j / |B_j| + l2_j,  c_j = l1_j / |B_j|,

where e_j = B_j / |B_j|. With the loss approximated by the same matrix G for every output this is
I (x) M - V V', M = G + diag(a), and V has one column sqrt(c_j) e_j a group. By the formula of
Woodbury its inverse needs two matrices of the order of the number of groups only, whatever the
number of outputs:  M^-1  and  (I - M^-1 o C)^-1  with  C_ij = sqrt(c_i c_j) e_i'e_j. Where the
approximation is exact (least squares), one step of conjugate gradients is a Newton step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from regpath.kernels.groups import combine_outputs, invert, overlap
from regpath.solvers.row_norms import RowNorms, lengths

__all__ = ["Model", "Solution", "System", "direction", "inverse", "newton", "times"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Product = Callable[[Array], Array]

# Groups up to which matrices are inverted; beyond, the diagonal has to do.
MOST_INVERTED = 2500
MOST_PRODUCTS = 60
# How a step ended.
FULL, CUT, STUCK = 0, 1, 2
# Products, and some more for large matrices, after which an old inverse is given up.
FEW_PRODUCTS = 6
# Directions are not solved for more accurately.
FINEST = 1e-8
# Order up to which a matrix is inverted without a BLAS, whose threads wait for each other.
SMALL = 600
# Added to diagonals, so that dependent columns leave a matrix definite.
SLIGHT = 1e-13
# Curvature per square of length that is rounding.
FLAT = 1e-15
# Steps between two sweeps, each of which has lost some groups.
MOST_STEPS = 20
# Armijo's share of the decrease that the slope promises, and halvings of a step.
SHARE, HALVINGS = 1e-4, 12
# Share of its length that a group keeps where a step would turn it around.
KEPT = 0.1
# Changes below this share of the slope are rounding.
ROUNDING = 1e-13


class System(Protocol):
    """Second derivatives of a loss along the active columns, and perhaps intercepts.

    Attributes
    ----------
    labels : ndarray of int
        Which columns of the working set these are, increasing; an intercept comes last.
    diagonal : ndarray
        About the diagonal of the Hessian, the same for every output.
    """

    labels: Index
    diagonal: Array

    def product(self, D: Array) -> Array:
        """Hessian of the loss times D (K, m)."""

    def gram(self) -> Array | None:
        """One matrix (m, m) for all outputs that is near the Hessian, if there is one."""


@dataclass
class Solution:
    """How directions are solved for: what is kept from one to the next.

    Attributes
    ----------
    tolerance : float
        Accuracy of a direction, relative to its length.
    inverse : Inverse, optional
        Of an earlier Hessian.
    renew : bool
        Whether a Hessian that is kept, if one is, should be renewed.
    """

    tolerance: float = 0.1
    inverse: Inverse | None = None
    renew: bool = False

    def start(self, tolerance: float) -> None:
        """Begin a point."""
        self.tolerance = tolerance

    def tighten(self) -> None:
        """The last direction was too inaccurate, or what it was solved with too old."""
        self.tolerance = max(0.1 * self.tolerance, FINEST)
        self.inverse, self.renew = None, True


class Model(Protocol):
    """What a Newton step asks of a loss on the working set."""

    coefs: Array
    solution: Solution

    @property
    def gradients(self) -> Array:
        """Negative gradients (K, size) of all columns."""

    def slopes(self, active: Index) -> Array:
        """Negative gradients (K, m): of the active columns, then of an intercept if it moves."""

    def system(self, active: Index) -> System:
        """Second derivatives at the present point, in the order of `slopes`."""

    def line(self, active: Index, D: Array) -> Callable[[float], float]:
        """Change of the loss at t along a direction in that order."""

    def move(self, active: Index, B: Array, D: Array, t: float) -> None:
        """Take a step of length t, after which the active coefficients are B."""


class _Hessian:
    """Hessian of loss and penalty at B; its inverse group by group."""

    def __init__(self, system: System, penalty: RowNorms, B: Array) -> None:
        size = lengths(B)
        curved = (size > 0.0) & (penalty.l1 > 0.0)
        self.system = system
        self.units = np.divide(B, size, out=np.zeros_like(B), where=size > 0.0)
        self.c = np.divide(penalty.l1, size, out=np.zeros_like(size), where=curved)
        self.a = penalty.l2 + self.c
        along, across = system.diagonal + penalty.l2, system.diagonal + self.a
        self._across = np.divide(1.0, across, out=np.ones_like(across), where=across > 0.0)
        along = np.divide(1.0, along, out=np.ones_like(along), where=along > 0.0)
        self._surplus = np.where(curved, along - self._across, 0.0)

    def product(self, D: Array) -> Array:
        along = self.c * np.einsum("kj,kj->j", self.units, D)
        out: Array = self.system.product(D) + self.a * D - along * self.units
        return out

    def solve_groups(self, R: Array) -> Array:
        """The inverse of the diagonal blocks times R."""
        along = self._surplus * np.einsum("kj,kj->j", self.units, R)
        out: Array = R * self._across + along * self.units
        return out


class Inverse:
    """Approximate inverse of a Hessian, which also serves for others near it.

    Groups that it does not know are solved one by one. It is kept in single precision: conjugate
    gradients need no more, and it is read from memory for every product.
    """

    def __init__(self, hessian: _Hessian, gram: Array) -> None:
        # The norm of one number has no curvature.
        stiff = hessian.c if len(hessian.units) > 1 else np.zeros_like(hessian.c)
        M = gram.copy()
        M[np.diag_indices_from(M)] += hessian.a - hessian.c + stiff + SLIGHT * np.diagonal(gram)
        M = inverse(M)
        self._labels = hessian.system.labels
        self._S: NDArray[np.float32] | None = None
        if stiff.any():
            self._V = np.sqrt(stiff) * hessian.units
            S = np.empty_like(M)
            overlap(self._V, M, S)
            S[np.diag_indices_from(S)] += SLIGHT
            self._S = inverse(S).astype(np.float32)
        self._M = M.astype(np.float32)

    def solver(self, hessian: _Hessian) -> Product:
        """The approximate inverse as a function."""
        labels = hessian.system.labels
        if np.array_equal(labels, self._labels):
            return self._solve
        places = np.minimum(np.searchsorted(self._labels, labels), self._labels.size - 1)
        known = self._labels[places] == labels
        places = places[known]

        def solve(R: Array) -> Array:
            Z = hessian.solve_groups(R)
            inside = np.zeros((len(R), self._labels.size))
            inside[:, places] = R[:, known]
            Z[:, known] = self._solve(inside)[:, places]
            return Z

        return solve

    def _solve(self, R: Array) -> Array:
        Z = times(R, self._M)
        if self._S is not None:
            inner = times(np.einsum("kj,kj->j", self._V, Z)[None], self._S)
            Z += times(self._V * inner, self._M)
        return Z


def times(R: Array, M: NDArray[Any]) -> Array:
    """R M for a few rows R and a symmetric M, without the threads of a BLAS."""
    out = np.zeros_like(R)
    combine_outputs(R, M, out, 0, R.shape[1])
    return out


def inverse(A: Array) -> Array:
    """Inverse of a positive definite matrix; not finite if it is singular."""
    m = len(A)
    if m > SMALL:
        try:
            return np.asarray(np.linalg.inv(A), np.float64)
        except np.linalg.LinAlgError:
            return np.full_like(A, np.nan)
    padded = np.eye(-(-m // 4) * 4)
    padded[:m, :m] = A
    invert(padded, np.empty((4, 4)), np.empty((4, len(padded))))
    return np.ascontiguousarray(padded[:m, :m])


class _Search:
    """Conjugate gradients for a Newton direction, which can go on with another preconditioner."""

    def __init__(self, hessian: _Hessian, g: Array, tolerance: float) -> None:
        self.direction, self._rest = np.zeros_like(g), g.copy()
        self._hessian = hessian
        self._wanted, self._tolerance = -1.0, tolerance

    def run(self, solve: Product, most: int) -> bool:
        """Whether the tolerance was reached within so many products."""
        hessian, r = self._hessian, self._rest
        z = solve(r)
        rz, d = float(np.vdot(r, z)), z.copy()
        if self._wanted < 0.0:
            self._wanted = self._tolerance**2 * rz
        for _ in range(most):
            if not 0.0 < rz < np.inf:
                return rz == 0.0
            if rz <= self._wanted:
                return True
            Hd = hessian.product(d)
            curvature = float(np.vdot(d, Hd))
            if not curvature > FLAT * float(np.vdot(d, d)):
                return False
            alpha = rz / curvature
            self.direction += alpha * d
            r -= alpha * Hd
            z = solve(r)
            rz, last = float(np.vdot(r, z)), rz
            d *= rz / last
            d += z
        return 0.0 <= rz <= self._wanted


def direction(solution: Solution, system: System, penalty: RowNorms, B: Array, g: Array) -> Array:
    """Newton direction for the negative gradient g, with the inverse of an earlier one if it does.

    An inverse costs about as much as a few products and a share of them that grows with its order.
    """
    hessian, m = _Hessian(system, penalty, B), g.shape[1]
    search, most = _Search(hessian, g, solution.tolerance), FEW_PRODUCTS + m // 25
    if solution.inverse is not None and search.run(solution.inverse.solver(hessian), most):
        return search.direction
    gram = system.gram() if m <= MOST_INVERTED else None
    if gram is not None:
        solution.inverse = Inverse(hessian, gram)
        if search.run(solution.inverse.solver(hessian), MOST_PRODUCTS):
            return search.direction
        solution.inverse = None
    if np.isfinite(search.direction).all():
        search.run(hessian.solve_groups, MOST_PRODUCTS)
    return search.direction if np.isfinite(search.direction).all() else np.zeros_like(g)


def newton(model: Model, penalty: RowNorms) -> bool:
    """Newton steps on the active groups, until one is taken in full or none descends.

    A step ends where groups have turned around; they are set to 0 and the next step is without
    them. Returns whether the last step was a full one.
    """
    for _ in range(MOST_STEPS):
        active = np.flatnonzero(model.coefs.any(axis=0) | (penalty.l1 == 0.0))
        end = _step(model, penalty, active)
        if end != CUT:
            return end == FULL
    return False


def _step(model: Model, penalty: RowNorms, active: Index) -> int:
    """One step; returns how it ended: after a cut one, another one is worth its while."""
    slopes, m = model.slopes(active), active.size
    if not slopes.size:
        return STUCK
    B, local = np.zeros_like(slopes), RowNorms(*np.zeros((2, slopes.shape[1])))
    B[:, :m] = model.coefs[:, active]
    local.l1[:m], local.l2[:m] = penalty.l1[active], penalty.l2[active]
    size = lengths(B)
    pull = np.divide(local.l1, size, out=np.zeros_like(size), where=size > 0.0) + local.l2
    D = direction(model.solution, model.system(active), local, B, slopes - pull * B)
    for way, start, leaving in _proposals(B, D, local):
        t = _search(model.line(active, way), local, B, way, slopes, start)
        if t > 0.0:
            after = B + t * way
            if t == start:
                after[:, leaving] = 0.0
            model.move(active, after[:, :m], way, t)
            return CUT if t < 1.0 or leaving.any() else FULL
    return STUCK


def _proposals(B: Array, D: Array, penalty: RowNorms) -> Iterator[tuple[Array, float, Any]]:
    """Directions, the longest step along each, and which groups leave at its end.

    Along D a group is nearest to 0 at some t. From all groups that get there before t = 1 down to
    the first alone, half as many are proposed to leave each time.
    """
    square = np.einsum("kj,kj->j", B, B)
    along = -np.einsum("kj,kj->j", B, D)
    turned = (penalty.l1 > 0.0) & (along >= square) & (square > 0.0)
    count = int(np.count_nonzero(turned))
    if not count:
        yield D, 1.0, turned
        return
    reached = np.divide(square, along, out=np.full_like(square, np.inf), where=turned)
    order = np.sort(reached[turned])
    yield np.where(turned, -B, D), 1.0, turned
    while count > 0:
        end = float(order[count - 1])
        leaving = reached <= end
        yield np.where(leaving, -B / end, D), end, leaving
        count //= 2
    yield D, (1.0 - KEPT) * float(order[0]), np.zeros_like(turned)


def _search(
    line: Callable[[float], float], penalty: RowNorms, B: Array, D: Array, slopes: Array, t: float
) -> float:
    """A step that lowers the objective sufficiently; 0 if there is none."""
    size = lengths(B)
    units = np.divide(B, size, out=np.zeros_like(B), where=size > 0.0)
    pulls = penalty.l1 * units + penalty.l2 * B
    slope = float(np.vdot(slopes - pulls, D))
    if not slope > 0.0:
        return 0.0
    noise = ROUNDING * (abs(float(np.vdot(slopes, D))) + abs(float(np.vdot(pulls, D))))
    for _ in range(HALVINGS):
        if line(t) + penalty.change(B, D, t) <= noise * t - SHARE * t * slope:
            return t
        t *= 0.5
    return 0.0

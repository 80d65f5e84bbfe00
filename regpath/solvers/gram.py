"""The working set in Gram form: the arrays of the quadratic core, and their growth."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from regpath._memory import room
from regpath.designs import Csc, Dense, n_bytes
from regpath.kernels import factor, quadratic
from regpath.penalties import ElasticNet
from regpath.solvers.geometry import Geometry

__all__ = ["AT_ONCE", "GramCore", "Outcome", "empty_factor", "largest_gram", "whole_gram_pays"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


# So many features are put into a Gram matrix at once; and so many if there are far more rows.
AT_ONCE, SOON_WORTH_A_GRAM = 200, 1000
# Order up to which a factor is built by appending: LAPACK is faster, but its threads wait actively
# before and after, and where another process holds a core every call can cost a tenth of a second.
SMALL = 1000
# Columns that are appended to a factor at once.
BATCH = 32


# Bytes that the Gram matrix and its factor may take in any case.
LEAST_GRAM_DENSE, LEAST_GRAM_SPARSE = 256e6, 64e6


def largest_gram(design: Dense | Csc) -> int:
    """Working-set size up to which G and R may grow: a fair share of the memory of X."""
    least = LEAST_GRAM_DENSE if isinstance(design, Dense) else LEAST_GRAM_SPARSE
    return int(math.sqrt(max(least, 0.5 * n_bytes(design)) / 16.0))


def whole_gram_pays(geometry: Geometry, all_: int, inside: int, entering: int, most: int) -> bool:
    """Whether to put all features into the Gram matrix at once.

    On tall data passes over X cost as much as the Gram matrix of a few hundred features does, and
    most features become active.

    Parameters
    ----------
    geometry : Geometry
    all_, inside, entering : int
        Features that may enter in all, those in the working set, and those about to enter.
    most : int
        Order up to which the matrix may grow.
    """
    if all_ > most or inside == all_:
        return False
    tall = geometry.n > 2 * geometry.p
    return all_ <= AT_ONCE or (tall and (all_ <= SOON_WORTH_A_GRAM or inside + entering > all_ / 6))


class Outcome(NamedTuple):
    """How a solve on the working set ended.

    Attributes
    ----------
    code : int
        `quadratic.CONVERGED`, `quadratic.EXHAUSTED` or `quadratic.STALLED`.
    iterations : int
    """

    code: int
    iterations: int


class _State(NamedTuple):
    """The arrays of `regpath.kernels.quadratic`; the first ``size`` entries count."""

    G: Array
    q: Array
    h: Array
    b: Array
    g: Array
    d: Array
    kept: Array
    trace: Array


class _Factor(NamedTuple):
    """The arrays of `regpath.kernels.factor`; the first ``m`` entries count."""

    R: Array
    active: Index
    position: Index
    held: Array
    Z: Array
    queue: Index


def _state(capacity: int) -> _State:
    q, h, b, g, d, kept = np.zeros((6, capacity))
    return _State(room((capacity, capacity)), q, h, b, g, d, kept, np.empty(3))


def empty_factor(order: int, capacity: int) -> _Factor:
    """A factor of no features, with room for so many of a list of features."""
    return _Factor(
        room((order, order)),
        np.empty(order, np.int64),
        np.full(capacity, factor.OUTSIDE, np.int64),
        np.empty(order),
        np.empty((BATCH, order)),
        np.empty(capacity, np.int64),
    )


class GramCore:
    """Penalised least squares on a growing working set.

    Parameters
    ----------
    yy : float
        Squared length of the response.
    rank : int
        Upper bound of the rank of any Gram matrix that will be given.
    """

    def __init__(self, yy: float, rank: int) -> None:
        self.size = 0
        self._yy = yy
        self._rank = rank
        self._m = 0
        self._stranded = False
        self._outdated = False
        self._S = _state(0)
        self._F = empty_factor(0, 0)
        self._figures = np.zeros(5)

    @property
    def gram(self) -> Array:
        """A copy of the Gram matrix of the working set."""
        return self._S.G[: self.size, : self.size].copy()

    @property
    def coefs(self) -> Array:
        """Coefficients of the working set."""
        return self._S.b[: self.size]

    @property
    def gradients(self) -> Array:
        """Gradients q - G b of the working set."""
        return self._S.h[: self.size]

    @property
    def residual_square(self) -> float:
        """Squared length of the residual."""
        S = self._S
        return float(quadratic.residual_square(S.q, S.h, S.b, self.size, self._yy))

    @property
    def doubt(self) -> float:
        """What dependent features may add to the gap."""
        if not self._stranded:
            return 0.0
        S, rr = self._S, self.residual_square
        return float(quadratic.doubt(self._F, S.h, S.b, self._penalty, self.size, rr))

    def extend(self, block: Array, products: Array) -> None:
        """Add features by their rows (m, size + m) of the Gram matrix and their products with y."""
        old, new = self.size, self.size + products.size
        if new > len(self._S.b):
            self._grow(max(new, min(3 * old // 2, old + 2048), 64))
        S = self._S
        S.G[old:new, :new] = block
        S.G[:old, old:new] = block[:, :old].T
        S.q[old:new] = products
        S.b[old:new] = 0.0
        S.h[old:new] = products
        if old:
            # No BLAS for so little: its threads would wait actively beside the next pass.
            S.h[old:new] -= np.einsum("ij,j", block[:, :old], S.b[:old])
        self.size = new

    def clear(self) -> None:
        """Forget all features, and keep the room."""
        self._F.position[: self.size] = factor.OUTSIDE
        self.size = self._m = 0
        self._outdated = False

    def adopt(self, gram: Array, products: Array) -> None:
        """Take a complete Gram matrix over all features, without a copy."""
        p = products.size
        self._S = _state(0)._replace(
            G=gram,
            q=products.copy(),
            h=products.copy(),
            b=np.zeros(p),
            g=np.empty(p),
            d=np.empty(p),
            kept=np.zeros(p),
        )
        self._F = empty_factor(min(p, self._rank), p)
        self._m = 0
        self.size = p

    def pose(self, b: Array, h: Array, rr: float) -> None:
        """Start at coefficients whose gradients, and squared length of the residual, are known."""
        S, size = self._S, self.size
        S.b[:size] = b
        S.h[:size] = h
        quadratic.pose(S.G, S.q, S.h, S.b, size)
        self._yy = rr + float((S.q[:size] + h) @ b)

    def start_at(self, b: Array) -> None:
        """Set the coefficients."""
        S, size = self._S, self.size
        S.b[:size] = b
        S.h[:size] = S.q[:size] - S.G[:size, :size] @ b

    def learn(self, step: Array, fall: Array) -> None:
        """Correct the Gram matrix so that a step makes the gradients fall by what was seen.

        The update of Broyden, Fletcher, Goldfarb and Shanno.
        """
        self._outdated |= quadratic.correct(self._S, step, fall, self.size)

    def solve(
        self, penalty: ElasticNet, target: float, budget: int, unit: Array | None = None
    ) -> Outcome:
        """Minimise to a duality gap of ``target`` in at most ``budget`` iterations.

        ``unit`` is that of the violation, 1 by default.
        """
        strengths = penalty.strength.copy()[None]
        unit = np.ones(self.size) if unit is None else unit
        code, _, figures = self.follow(penalty, strengths, unit, target, budget)
        self._figures = figures[0]
        return Outcome(code, int(figures[0, quadratic.ITERATIONS]))

    def described(self, penalty: ElasticNet, unit: Array) -> Array:
        """Figures of the last solve, as in `follow`; the gap is that of a solve that converged."""
        return self._figures

    def follow(
        self, penalty: ElasticNet, strengths: Array, unit: Array, target: float, budget: int
    ) -> tuple[int, Array, Array]:
        """Minimise at one strength (K, 2) after the other, as far as it goes.

        Returns a code as in `Outcome`, or `quadratic.EXCHANGE` where one point of several needs a
        solve of its own; the coefficients (K, size) and figures (K, 5) of `quadratic.follow` for
        the points that are done, and for the only point in any case. ``budget`` is that of a point.
        """
        coefs, figures = np.empty((len(strengths), self.size)), np.empty((len(strengths), 5))
        done = spent = 0
        code, self._stranded, self._penalty = quadratic.CONVERGED, False, penalty
        if self._outdated:
            self._factorise(penalty)
        while True:
            code, more, self._m, iterations = quadratic.follow(
                self._S,
                self._F,
                penalty,
                strengths[done:],
                unit,
                self.size,
                self._m,
                (self._rank, self._yy),
                target,
                budget - spent,
                code,
                coefs[done:],
                figures[done:],
            )
            figures[done, quadratic.ITERATIONS] += spent
            spent = iterations if more else spent + iterations
            done += more
            if code == quadratic.REFACTOR:
                self._factorise(penalty)
            elif code == quadratic.EXCHANGE and len(strengths) == 1:
                # A kernel of its own: most problems never need it, nor compile it.
                self._stranded = True
                self._m = quadratic.exchange(self._S, self._F, penalty, self.size, self._m)
            else:
                kept = max(done, len(strengths) == 1)
                return code, coefs[:kept], figures[:kept]

    def _factorise(self, penalty: ElasticNet) -> None:
        """Factorise afresh over the support; dependent features are left out."""
        S, self._outdated, self._m = self._S, False, 0
        count = int(quadratic.queue_support(S, self._F, penalty, self.size))
        if count > len(self._F.active):
            self._grow_factor(min(self._rank, max(count, 2 * len(self._F.active))))
        F, L, support = self._F, None, self._F.queue[:count]
        if SMALL < count <= len(F.active):
            held = penalty.curvature(support)
            H = S.G[np.ix_(support, support)]
            H[np.diag_indices_from(H)] += held
            L = _lower_factor(H)
        if L is None:
            self._m = factor.append(F, S.G, penalty, F.queue, count, 0)
            return
        F.R[:count, :count] = L.T
        F.active[:count] = support
        F.held[:count] = held
        F.position[support] = np.arange(count)
        self._m = count

    def _grow(self, capacity: int) -> None:
        """Make room in the arrays of the working set."""
        old, new, used = self._S, _state(capacity), self.size
        new.G[:used, :used] = old.G[:used, :used]
        for name in ("q", "h", "b"):
            getattr(new, name)[:used] = getattr(old, name)[:used]
        self._S = new
        position = np.full(capacity, factor.OUTSIDE, np.int64)
        position[:used] = self._F.position[:used]
        self._F = self._F._replace(position=position, queue=np.empty(capacity, np.int64))
        if not len(self._F.active):
            self._grow_factor(min(self._rank, capacity))

    def _grow_factor(self, order: int) -> None:
        """Make room in the arrays of the factor."""
        old, new, m = self._F, empty_factor(order, 0), self._m
        new.R[:m, :m] = old.R[:m, :m]
        new.active[:m] = old.active[:m]
        new.held[:m] = old.held[:m]
        self._F = new._replace(position=old.position, queue=old.queue)


def _lower_factor(H: Array) -> Array | None:
    """Cholesky factor by LAPACK; None if some column depends on others up to rounding."""
    # numpy, not scipy: each brings a BLAS with its own threads, and two pools fight for the cores.
    try:
        L = np.asarray(np.linalg.cholesky(H), np.float64)
    except np.linalg.LinAlgError:
        return None
    independent = np.diagonal(L) ** 2 > factor.DEPENDENT * np.diagonal(H)
    return L if independent.all() else None

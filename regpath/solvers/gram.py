"""The working set in Gram form: the arrays of the quadratic core, and their growth."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky
from scipy.linalg.lapack import dpstrf

from regpath.kernels import quadratic
from regpath.penalties import ElasticNet

__all__ = ["GramCore", "Outcome"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


# A factor is kept while the ridge term is at least this share of the one it holds.
STALE = 0.6


class Outcome(NamedTuple):
    """How a solve on the working set ended.

    Attributes
    ----------
    code : int
        `quadratic.CONVERGED`, `quadratic.EXHAUSTED` or `quadratic.STALLED`.
    iterations : int
    gap : float
        Duality gap on the working set.
    """

    code: int
    iterations: int
    gap: float


class _State(NamedTuple):
    """The arrays of `regpath.kernels.quadratic`; the first ``size`` entries count."""

    G: Array
    q: Array
    h: Array
    b: Array
    position: Index
    limit: Index
    R: Array
    active: Index
    held: Array
    g: Array
    d: Array
    z: Array


def _state(capacity: int, order: int, rank: int) -> _State:
    vectors = [np.zeros(capacity) for _ in range(3)]
    actives = [np.zeros(order) for _ in range(4)]
    return _State(
        np.empty((capacity, capacity)),
        *vectors,
        np.full(capacity, quadratic.OUTSIDE, np.int64),
        np.array([rank]),
        np.empty((order, order)),
        np.empty(order, np.int64),
        *actives,
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
        self._n_active = 0
        self._S = _state(0, 0, rank)

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
        return float(quadratic.residual_square(self._S, self.size, self._yy))

    def extend(self, block: Array, products: Array) -> None:
        """Add features by their rows (m, size + m) of the Gram matrix and their products with y."""
        old, new = self.size, self.size + products.size
        if new > len(self._S.b):
            self._grow(max(new, min(2 * old, old + 2048), 64))
        S = self._S
        S.G[old:new, :new] = block
        S.G[:old, old:new] = block[:, :old].T
        S.q[old:new] = products
        S.b[old:new] = 0.0
        S.h[old:new] = products - block[:, :old] @ S.b[:old]
        S.position[old:new] = quadratic.OUTSIDE
        self.size = new

    def adopt(self, gram: Array, products: Array) -> None:
        """Take a complete Gram matrix over all features, without a copy."""
        p = products.size
        self._n_active = 0
        S = _state(0, min(p, self._rank, 64), min(p, self._rank))
        self._S = S._replace(
            G=gram,
            q=products.copy(),
            h=products.copy(),
            b=np.zeros(p),
            position=np.full(p, quadratic.OUTSIDE, np.int64),
        )
        self.size = p

    def start_at(self, b: Array) -> None:
        """Set the coefficients."""
        self._S.b[: b.size] = b
        quadratic.refresh(self._S, self.size)

    def solve(self, penalty: ElasticNet, target: float, budget: int) -> Outcome:
        """Minimise to a duality gap of ``target`` in at most ``budget`` iterations."""
        S, done = self._S, 0
        # A surplus of curvature in the factor keeps its steps descents, but makes them short.
        held, active = S.held[: self._n_active], S.active[: self._n_active]
        if np.any(penalty.l2[active] < STALE * held) or np.any(penalty.l2[active] > held):
            self._factorise(penalty)
        while True:
            code, self._n_active, iterations, gap = quadratic.minimise(
                self._S, penalty, self.size, self._n_active, self._yy, target, budget - done
            )
            done += iterations
            if code != quadratic.REFACTOR:
                return Outcome(code, done, gap)
            self._factorise(penalty)

    def _factorise(self, penalty: ElasticNet) -> None:
        """Factorise afresh over the support, by LAPACK; dependent features are left out."""
        S = self._S
        S.position[: self.size] = quadratic.OUTSIDE
        b = S.b[: self.size]
        free = (penalty.l1 == 0.0) | (b != 0.0)
        support = np.flatnonzero(free & (b > penalty.lower) & (b < penalty.upper))
        if support.size > len(S.active):
            self._grow_factor(min(self._rank, max(support.size, 2 * len(S.active))))
            S = self._S
        held = penalty.l2[support]
        H = S.G[np.ix_(support, support)]
        H[np.diag_indices_from(H)] += held
        kept, R = _factor_independent(H)
        m = kept.size
        S.R[:m, :m] = R
        S.active[:m] = support[kept]
        S.held[:m] = held[kept]
        S.position[support] = quadratic.DEPENDS
        S.position[support[kept]] = np.arange(m)
        self._n_active = m

    def _grow(self, capacity: int) -> None:
        old, used = self._S, self.size
        new = _state(capacity, 0, self._rank)
        new.G[:used, :used] = old.G[:used, :used]
        for name in ("q", "h", "b", "position"):
            getattr(new, name)[:used] = getattr(old, name)[:used]
        kept = {name: getattr(old, name) for name in ("R", "active", "held", "g", "d", "z")}
        self._S = new._replace(**kept)
        if not len(old.active):
            self._grow_factor(min(self._rank, capacity))

    def _grow_factor(self, order: int) -> None:
        old, used = self._S, self._n_active
        new = _state(0, order, self._rank)
        new.R[:used, :used] = old.R[:used, :used]
        for name in ("active", "held"):
            getattr(new, name)[:used] = getattr(old, name)[:used]
        names = ("R", "active", "held", "g", "d", "z")
        self._S = old._replace(**{name: getattr(new, name) for name in names})


def _factor_independent(H: Array) -> tuple[Index, Array]:
    """Upper Cholesky factor over a largest set of columns that do not depend on each other."""
    diagonal = np.diagonal(H)
    try:
        R: Array = cholesky(H, check_finite=False)
        if np.all(np.diagonal(R) ** 2 > quadratic.DEPENDENT * diagonal):
            return np.arange(len(H)), R
    except np.linalg.LinAlgError:
        pass
    scale = np.sqrt(diagonal)
    _, pivots, rank, _ = dpstrf(H / np.outer(scale, scale), tol=10.0 * quadratic.DEPENDENT)
    kept = np.sort(pivots[:rank] - 1)
    return kept, cholesky(H[np.ix_(kept, kept)], check_finite=False)

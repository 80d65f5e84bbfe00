"""Second-order models of a loss: least squares on reweighted columns.

Around a point with residual rows u_i and curvatures c_i (both without sqrt(w)), the loss of one
output is, up to a constant,

    1/2 sum_i w_i c_i (z_i - eta_i)^2,      z_i = eta_i + u_i / c_i,

a gaussian problem with weights w c. Its working columns have unit length in those weights, so the
Gram matrix, the factor, descent and the choice between them are those of the gaussian family:

    x^_ij = sqrt(w_i c_i / C) (x_ij - m^_j) / d^_j,    C = sum_i w_i c_i,    |x^_j| = 1,

with m^_j the mean in the new weights, which takes the intercept out of the model. A coefficient b_j
of the column x~_j = sqrt(w) (x_j - m_j) / d_j becomes l_j b_j with l_j = sqrt(C) d^_j / d_j.

The curvatures may be *stale*: gradients are those of the loss itself in any case, and a model with
old weights costs nothing but speed of convergence. What all weights have in common is made up for
by the *strength* of a model, a secant along its last step, by which all curvatures are multiplied.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from regpath.designs import Dense
from regpath.penalties import ElasticNet
from regpath.solvers.geometry import Geometry
from regpath.solvers.gram import GramCore, largest_gram
from regpath.solvers.products import standardised
from regpath.solvers.reader import moments_of
from regpath.solvers.residual import SPARSE_SWEEP_COST, ResidualCore
from regpath.solvers.rows import SmoothLoss, Terms
from regpath.solvers.working import Working, last_products, start_residual, working_columns

__all__ = ["CHEAP_TO_LEARN", "SHORTEST", "Model", "RowModel", "Strength", "stretched"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Epochs that a solve takes by descent on sparse columns.
MANY_SWEEPS = 60
# Square of the size, over the number of rows, up to which corrections of a Gram matrix pay.
CHEAP_TO_LEARN = 10
# How much stronger or weaker curvatures are taken to be after one step.
MOST_STRETCH = 4.0
# A column that varies only where there is no curvature is taken to be this long, in its own units.
SHORTEST = 1e-7


class Model(Protocol):
    """What the solver asks of a model."""

    @property
    def size(self) -> int:
        """Number of features."""

    def renew(self, features: Index, terms: Terms, least: float) -> None:
        """Start afresh at the curvatures of a point, with these features.

        Curvatures below ``least`` times a typical one count as that.
        """

    def extend(self, features: Index) -> None:
        """Add features."""

    def minimise(
        self,
        penalty: ElasticNet,
        b: Array,
        gradient: Array,
        terms: Terms,
        target: float,
        budget: int,
    ) -> Array:
        """Coefficients that minimise model plus penalty, from b, to a gap of ``target``."""

    def learn(self, change: Array, fall: Array) -> None:
        """Take note of how gradients fell when coefficients changed."""

    def intercepts(self, change: Array) -> Array:
        """How the intercepts (K,) move with a change of the coefficients."""


class Strength:
    """By how much the curvatures of a model are multiplied, as its last step has shown them.

    Attributes
    ----------
    value : float
    """

    def __init__(self) -> None:
        self.value = 1.0

    def expect(self, step: Array, fall: Array) -> None:
        """Note how the model expects gradients to fall with its step."""
        self._step, self._fall = step, fall

    def learn(self, change: Array, fall: Array) -> None:
        """Explain how they fell with a change of the coefficients along a share of that step."""
        seen, expected = float(change @ fall), float(change @ self._fall)
        whole = float(self._step @ self._fall)
        if seen > 0.0 and expected > 0.0 and whole > 0.0:
            ratio = seen * whole / expected**2
            self.value *= min(max(ratio, 1.0 / MOST_STRETCH), MOST_STRETCH)


class RowModel:
    """Model of a loss with one output.

    Where rows depend on each other, the Hessian is diag(w c) - M'M, and the Gram matrix loses the
    products of the columns' images under M.

    Parameters
    ----------
    geometry : Geometry
    loss : SmoothLoss
    weights : ndarray of shape (n,)
    fit_intercept : bool
        Whether columns are centred.

    Attributes
    ----------
    turns : ndarray of shape (size,)
        How the coefficient of each feature moves the intercept.
    """

    def __init__(
        self, geometry: Geometry, loss: SmoothLoss, weights: Array, *, fit_intercept: bool
    ) -> None:
        self._geometry = geometry
        self._loss = loss
        self._weights = weights
        self._fit_intercept = fit_intercept
        g = geometry
        self._reweighted = replace(g, mean=np.zeros(g.p), scale=np.ones(g.p), passes=0.0)
        self._columns: Working = working_columns(self._reweighted)
        self._core: GramCore | None = None
        self._stretched: tuple[ElasticNet, ElasticNet] | None = None
        self.size = 0

    def renew(self, features: Index, terms: Terms, least: float) -> None:
        """Start afresh at the curvatures of a point, with these features."""
        curvature = terms.curvature[0]
        # Were the loss a parabola, this would be its curvature.
        typical = _square(terms.residual[0]) / (2.0 * terms.value or 1.0)
        self._curvature = np.maximum(curvature, least * max(typical, float(curvature.max())))
        weighted = self._weights * self._curvature
        total = float(weighted.sum())
        weighted /= total
        self._w = np.stack([weighted, np.sqrt(weighted)])
        self._total_root = np.sqrt(total)
        self._strength = Strength()
        self._reweighted.root = self._w[1]
        self._features = np.empty(0, np.int64)
        self._lengths = self.turns = np.empty(0)
        self._columns.clear()
        self._core = self._core or GramCore(0.0, self._geometry.p)
        self._core.clear()
        self._coupling = self._loss.coupling(terms)
        self._images = np.empty((0, 0))
        self.size = 0
        self.extend(features)

    def extend(self, features: Index) -> None:
        """Add features."""
        if not features.size:
            return
        g, hat = self._geometry, self._reweighted
        mean, variance, _ = moments_of(g.design, g.n_threads, self._w, self._w[1], features)
        length = np.sqrt(variance) if self._fit_intercept else np.hypot(np.sqrt(variance), mean)
        length = np.maximum(length, SHORTEST * g.scale[features])
        hat.mean[features] = mean if self._fit_intercept else 0.0
        hat.scale[features] = length
        self._features = np.concatenate([self._features, features])
        self._lengths = np.concatenate(
            [self._lengths, self._total_root * length / g.scale[features]]
        )
        moves = (g.mean[features] - hat.mean[features]) / g.scale[features]
        self.turns = np.concatenate([self.turns, moves if self._fit_intercept else 0.0 * moves])
        self._stretched = None
        if self._core is not None and not self._gram_pays():
            self._core = None  # for the life of these weights
        block = self._columns.append(features, self._core is not None)
        if self._core is not None and block is not None:
            if self._coupling is not None:
                block -= self._coupled(features)
            self._core.extend(block, np.zeros(features.size))
        self.size = self._features.size

    def _gram_pays(self) -> bool:
        """Whether a Gram matrix fits, and costs less than descent on the columns."""
        design, size = self._geometry.design, self._features.size
        if self._coupling is not None:
            return True
        if size > largest_gram(design):
            return False
        if isinstance(design, Dense):
            return True
        j = self._features
        entries = int((design.indptr[j + 1] - design.indptr[j]).sum())
        return size**3 < 3.0 * MANY_SWEEPS * SPARSE_SWEEP_COST * entries

    def _coupled(self, features: Index) -> Array:
        """Products of the images of new columns with all."""
        assert self._coupling is not None
        columns = standardised(self._reweighted, features, slice(None))
        new = np.ascontiguousarray(self._coupling(columns) / self._total_root)
        self._images = np.concatenate([self._images, new]) if self._images.size else new
        return last_products(self._images, len(new), self._geometry.n_threads)

    def minimise(
        self,
        penalty: ElasticNet,
        b: Array,
        gradient: Array,
        terms: Terms,
        target: float,
        budget: int,
    ) -> Array:
        """Coefficients that minimise model plus penalty, from b, to a gap of ``target``."""
        if self._stretched is None or self._stretched[0] is not penalty:
            self._stretched = penalty, stretched(penalty, self._lengths)
        # All is divided by the strength of the model.
        by, lengths = self._strength.value, self._lengths
        local = self._stretched[1]
        local = local._replace(strength=local.strength / by)
        old, slope, residual = b * lengths, gradient / (by * lengths), terms.residual[0] / by
        core: GramCore | ResidualCore
        if self._core is None:
            r = residual / np.sqrt(self._curvature)
            response = self._columns.plain_residual(start_residual(self._columns, r, -old))
            core = ResidualCore(self._columns, response, old)
        else:
            rr = terms.square / by**2
            if self._coupling is None:
                rr = _square(residual / np.sqrt(self._curvature))
            self._core.pose(old, slope, rr)
            core = self._core
        core.solve(local, target / by, budget)
        new: Array = core.coefs / lengths
        self._strength.expect(new - b, (slope - core.gradients) * lengths * by)
        return new

    def learn(self, change: Array, fall: Array) -> None:
        """Take note of how gradients fell when coefficients changed."""
        # The new factor costs size^3 / 3, what it saves are looks at the rows.
        if self._core is not None and self.size**2 <= CHEAP_TO_LEARN * self._geometry.n:
            self._core.learn(change * self._lengths, fall / self._lengths)
        else:
            self._strength.learn(change, fall)

    def intercepts(self, change: Array) -> Array:
        """How the intercept moves with a change of the coefficients."""
        return np.array([self.turns @ change])


def _square(x: Array) -> float:
    """Squared length, without a BLAS: its threads would wait actively beside the next pass."""
    return float(np.einsum("i,i", x, x))


def stretched(penalty: ElasticNet, lengths: Array) -> ElasticNet:
    """The same penalty of coefficients that are multiplied by lengths."""
    return penalty._replace(
        l1=penalty.l1 / lengths,
        l2=penalty.l2 / lengths**2,
        lower=penalty.lower * lengths,
        upper=penalty.upper * lengths,
    )

"""The multinomial loss with symmetric coefficients, and its second-order model.

    loss = log sum_k e^eta_k - sum_k y_k eta_k,    slope = p - y,    Hessian = diag(p) - p p'.

With m = y + v in the simplex: loss*(v) = sum_k m_k log m_k. The direction (1, ..., 1) is flat: the
last intercept is kept while the others move, and in the end their mean is taken off.

Feature f = (k, j) is column j for class k. In a model it has unit length with its own curvature
p_k (1 - p_k), is centred in these weights, and meets a feature (l, i) of another class with
-p_k p_l. What the intercepts leave of the Gram matrix is a Schur complement.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy
from numpy.typing import NDArray

from regpath.kernels.softmax import (
    CHUNK,
    ETA,
    LEAST_PROBABILITY,
    PROBABILITY,
    PULL,
    RESIDUAL,
    SIZE,
    SLOPE,
    VALUE,
    softmax_curvatures,
    softmax_gaps,
    softmax_terms,
)
from regpath.penalties import ElasticNet
from regpath.solvers.geometry import Geometry
from regpath.solvers.gram import GramCore
from regpath.solvers.models import CHEAP_TO_LEARN, SHORTEST, Strength, stretched
from regpath.solvers.output_losses import EXPONENTIAL
from regpath.solvers.products import standardised
from regpath.solvers.reader import dots_many
from regpath.solvers.rows import Terms
from regpath.solvers.threads import chunk_ranges, in_ranges
from regpath.solvers.working import last_products

__all__ = ["SoftmaxLoss", "SoftmaxModel"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

MOST_STEPS = 100
# Share of a sum of slopes that is rounding.
ROUNDING = 4e-15
# Share of the slopes that damps Newton steps on the intercepts.
DAMPING = 1e-2
# Entries of a block of columns that is worked on at once.
BLOCK_ENTRIES = 2_000_000
# So many times the new features must be in a working set for the new ones to count as few.
FEW = 8
# Share of the largest eigenvalue of what belongs to the direction (1, ..., 1).
FLAT = 1e-13


class SoftmaxLoss:
    """Multinomial negative log-likelihood.

    Parameters
    ----------
    y : ndarray of shape (n, K)
        Rows of the simplex.
    weights : ndarray of shape (n,)
    offset : ndarray of shape (n, K)
    fit_intercept : bool
    n_threads : int
    """

    has_conjugate = True
    compiled = None
    unit = response = 1.0

    def __init__(
        self, y: Array, weights: Array, offset: Array, *, fit_intercept: bool, n_threads: int
    ) -> None:
        self._y, self._offset = np.ascontiguousarray(y.T), np.ascontiguousarray(offset.T)
        self._data = np.stack([weights, np.sqrt(weights)])
        self.fit_intercept = fit_intercept
        self.n_outputs, n = self._y.shape
        n_chunks = -(-n // CHUNK)
        self._edges = chunk_ranges(n_chunks, EXPONENTIAL * self._y.size, n_threads)
        self._work, self._sums = np.empty((4, n)), np.empty((n_chunks, 3, self.n_outputs))
        self._minimum = float(scipy.special.xlogy(self._y, self._y).sum(axis=0) @ weights)
        self.floor = -self._minimum

    def start(self) -> Array:
        """Linear predictor (K, n) of no features: the offset."""
        return self._offset.copy()

    def centred(self, eta: Array) -> tuple[Array, Array, Terms]:
        """The best intercepts on top of eta, eta with them, and the terms there."""
        shift = np.zeros(self.n_outputs)
        moved, terms, sums = self._terms(eta, shift)
        for _ in range(MOST_STEPS if self.fit_intercept else 0):
            pull, size = sums
            if not np.isfinite(pull).all() or (np.abs(pull) <= ROUNDING * size).all():
                break
            step = -_bordered_solve(self._intercept_curvature(terms), pull)
            longest = float(np.abs(step).max())
            step *= min(1.0, 4.0 / longest) if longest > 0.0 else 0.0
            new, t = (moved, terms, sums), 1.0
            while t > 1e-8:
                new = self._terms(eta, shift + t * step)
                if new[1].value <= terms.value + 1e-15 * (1.0 + terms.value):
                    break
                t *= 0.5
            if np.abs(new[2][0]).max() >= np.abs(pull).max() and longest < 1e-6:
                break  # rounding
            shift = shift + t * step
            moved, terms, sums = new
        return shift, moved, terms

    def gap(self, eta: Array, terms: Terms, s: float) -> float:
        """Sum of w (loss + loss*(v) - v'eta) at v = s times the derivative."""
        if s == 1.0:
            return 0.0
        if s == 0.0:
            return terms.value
        gaps, room = np.empty(len(self._sums)), np.empty(eta.shape)
        arrays = self._y, self._data, eta, terms.slope, s, room, self._work, gaps
        in_ranges(softmax_gaps, self._edges, *arrays)
        return float(gaps.sum())

    def coupling(self, terms: Terms) -> None:
        """Classes meet in the model itself."""

    def _terms(self, eta: Array, shift: Array) -> tuple[Array, Terms, Array]:
        """Eta with intercepts, the terms there, and sums (2, K) of slopes and absolute slopes."""
        out = np.empty((4, *eta.shape))
        arrays = self._y, self._data, eta, shift, out, self._work, self._sums
        in_ranges(softmax_terms, self._edges, *arrays)
        sums = self._sums.sum(axis=0)
        value, square = sums[VALUE, :2].tolist()
        terms = Terms(value + self._minimum, out[SLOPE], out[RESIDUAL], out[PROBABILITY], square)
        return out[ETA], terms, sums[[PULL, SIZE]]

    def _intercept_curvature(self, terms: Terms) -> Array:
        """Hessian (K, K) by the intercepts: what is off the diagonal adds up to what is on it."""
        sums = np.empty((len(self._sums), self.n_outputs, self.n_outputs))
        arrays = self._data, terms.curvature, sums, self._work
        in_ranges(softmax_curvatures, self._edges, *arrays)
        A: Array = -sums.sum(axis=0)
        np.fill_diagonal(A, 0.0)
        np.fill_diagonal(A, -A.sum(axis=1))
        return A


def _bordered_solve(A: Array, b: Array) -> Array:
    """Solve A x = b where A annihilates (1, ..., 1), with the last entry of x zero.

    Where probabilities are 0 and 1, A says nothing: what it is damped by vanishes with b.
    """
    x = np.zeros(b.size)
    inner = A[:-1, :-1]
    inner[np.diag_indices_from(inner)] += DAMPING * float(np.abs(b).max())
    x[:-1] = np.linalg.lstsq(inner, b[:-1], rcond=None)[0]
    return x


def _others(p: Array) -> Array:
    """Sums of the rows (K, n) that are not this one: 1 - p where p is almost 1."""
    rest = np.zeros_like(p)
    rest[1:] = np.cumsum(p[:-1], axis=0)
    rest[:-1] += np.cumsum(p[:0:-1], axis=0)[::-1]
    return rest


class SoftmaxModel:
    """Model of the multinomial loss.

    Parameters
    ----------
    geometry : Geometry
    weights : ndarray of shape (n,)
    n_outputs : int
    fit_intercept : bool
    """

    def __init__(
        self, geometry: Geometry, weights: Array, n_outputs: int, *, fit_intercept: bool
    ) -> None:
        self._geometry, self._weights = geometry, weights
        self._n_outputs, self._fit_intercept = n_outputs, fit_intercept
        self.size = 0

    def renew(self, features: Index, terms: Terms, least: float) -> None:
        """Start afresh at the curvatures of a point, with these features."""
        w = self._weights
        self._p = np.maximum(terms.curvature, LEAST_PROBABILITY)
        self._weighted = self._p * w
        self._rest = _others(self._p)
        self._own = w * np.maximum(self._p * self._rest, least)
        self._total = self._own.sum(axis=1)
        self._output = np.empty(0, np.int64)
        self._feature = np.empty(0, np.int64)
        self._centre, self._lengths = np.empty(0), np.empty(0)
        self._crossed = np.empty((0, self._n_outputs))
        A = -self._weighted @ self._p.T
        np.fill_diagonal(A, self._total)
        self._inverse = np.linalg.pinv(A, rcond=FLAT, hermitian=True)
        self._core = GramCore(0.0, np.iinfo(np.int64).max)
        self._strength = Strength()
        self.size = 0
        self.extend(features)

    def extend(self, features: Index) -> None:
        """Add features."""
        if not features.size:
            return
        old = self.size
        output, feature = np.divmod(features, self._geometry.p)
        self._output = np.concatenate([self._output, output])
        self._feature = np.concatenate([self._feature, feature])
        self.size = self._output.size
        square, crossed = self._moments(old)
        length = np.maximum(np.sqrt(square), SHORTEST * np.sqrt(self._total[output]))
        self._lengths = np.concatenate([self._lengths, length])
        self._crossed = np.concatenate([self._crossed, crossed / length[:, None]])
        few = FEW * features.size < self.size
        block = self._rows_of_few(old) if few else self._block(old)
        block /= length[:, None]
        block /= self._lengths
        block -= self._crossed[old:] @ self._inverse @ self._crossed.T
        self._core.extend(block, np.zeros(features.size))

    def _parts(self) -> Iterator[slice]:
        """Blocks of rows that a few arrays of the working set's columns may span."""
        n = self._geometry.n
        step = max(64, BLOCK_ENTRIES // self.size)
        return (slice(start, min(start + step, n)) for start in range(0, n, step))

    def _moments(self, old: int) -> tuple[Array, Array]:
        """Squared lengths of new columns in their own weights; products with the intercepts.

        Means in these weights are noted. The product of a centred column of class k with the
        intercept of class l is that of its weights with -p_k p_l.
        """
        new, feature = self._output[old:], self._feature[old:]
        first, second = np.zeros(new.size), np.zeros(new.size)
        crossed = np.zeros((new.size, self._n_outputs))
        for part in self._parts():
            X = standardised(self._geometry, feature, part)
            weighted = X * self._own[new, part]
            first += weighted.sum(axis=1)
            second += np.einsum("ij,ij->i", weighted, X)
            X *= self._weighted[new, part]
            crossed -= X @ self._p[:, part].T
        mean = first / self._total[new] if self._fit_intercept else np.zeros(new.size)
        self._centre = np.concatenate([self._centre, mean])
        if self._fit_intercept:
            crossed += mean[:, None] * (self._weighted @ self._p.T)[new]
            crossed[np.arange(new.size), new] = 0.0  # centred in its own weights
        else:
            crossed[:] = 0.0
        square = second - 2.0 * mean * first + mean**2 * self._total[new]
        return np.maximum(square, 0.0), crossed

    def _block(self, old: int) -> Array:
        """Rows of the Gram matrix of the centred columns from ``old`` on.

        Classes meet with -p_k p_l, and themselves with p_k (1 - p_k).
        """
        block, threads = np.zeros((self.size - old, self.size)), self._geometry.n_threads
        groups = [np.flatnonzero(self._output == k) for k in range(self._n_outputs)]
        for part in self._parts():
            X = standardised(self._geometry, self._feature, part)
            X -= self._centre[:, None]
            X *= self._p[self._output, part]
            X *= np.sqrt(self._weights[part])
            products = last_products(X, self.size - old, threads)
            for k, every in enumerate(groups):
                new, ratio = every[every >= old], self._rest[k, part] / self._p[k, part]
                own = X[every] * np.sqrt(ratio)
                products[np.ix_(new - old, every)] = -last_products(own, new.size, threads)
            block -= products
        return block

    def _rows_of_few(self, old: int) -> Array:
        """The same for a few new columns, whose products with the others are gradients."""
        g, output, feature = self._geometry, self._output, self._feature
        X = standardised(g, feature[old:], slice(None))
        X -= self._centre[old:, None]
        X *= self._weighted[output[old:]]
        block = np.empty((self.size - old, self.size))
        for k in range(self._n_outputs):
            own, same = np.flatnonzero(output == k), output[old:] == k
            V = X * np.where(same[:, None], self._rest[k], -self._p[k])
            j = feature[own]
            shift = g.mean[j] + g.scale[j] * self._centre[own]
            dots = dots_many(g.design, g.n_threads, V, j)
            block[:, own] = (dots - np.outer(V.sum(axis=1), shift)) / g.scale[j]
        return block

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
        by, lengths = self._strength.value, self._lengths
        local, slope = stretched(penalty, lengths), gradient / (by * lengths)
        self._core.pose(b * lengths, slope, terms.square / by**2)
        self._core.solve(local._replace(strength=local.strength / by), target / by, budget)
        new: Array = self._core.coefs / lengths
        self._strength.expect(new - b, (slope - self._core.gradients) * lengths * by)
        return new

    def learn(self, change: Array, fall: Array) -> None:
        """Take note of how gradients fell when coefficients changed."""
        if self.size**2 <= CHEAP_TO_LEARN * self._weights.size:
            self._core.learn(change * self._lengths, fall / self._lengths)
        else:
            self._strength.learn(change, fall)

    def intercepts(self, change: Array) -> Array:
        """How the intercepts move with a change of the coefficients."""
        if not self._fit_intercept:
            return np.zeros(self._n_outputs)
        moved: Array = -self._inverse @ (self._crossed.T @ (self._lengths * change))
        return np.asarray(moved - np.bincount(self._output, self._centre * change, self._n_outputs))

"""Losses that are a sum over rows, as the solver of other families asks for them.

Contract (`SmoothLoss`): linear predictors, residuals and curvatures are arrays of shape (K, n), one
row an output; a residual is minus the derivative, times sqrt(w), so that X~'r of
`regpath.solvers.geometry` is the gradient. Values are halves of deviances: loss minus its infimum.
All are those of the loss over its ``unit`` and over the square of ``response``, by which the
response, and with it the predictors and coefficients, are divided.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from regpath._numba import interpreted
from regpath.kernels.fused import STRIP, fused_terms
from regpath.kernels.rows import (
    CHUNK,
    CURVATURE,
    MINIMUM,
    RESPONSE,
    SIZE,
    SQUARE,
    VALUE,
    WEIGHT,
    centre,
    row_gaps,
    row_terms,
)
from regpath.solvers.contract import LossError, check_convex, check_numbers, check_rows
from regpath.solvers.threads import chunk_ranges, in_ranges

__all__ = ["RowLoss", "Rows", "SmoothLoss", "Terms", "power_of_two", "terms_of"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Operations of one row.
ROW_COST = 8
# Powers of two of a curvature, or a response, up to which it is taken as it is.
FAR_FROM_ONE = 10
# Share of the slopes that a unit is at least.
FLATTEST = 1e-100
# Share of the minima by which a sum of losses may miss them.
BELOW = 1e-9


class Terms(NamedTuple):
    """A loss at one linear predictor.

    Attributes
    ----------
    value : float
        Half the deviance, with weights that sum to one.
    slope : ndarray of shape (K, n)
        Derivative by eta.
    residual : ndarray of shape (K, n)
        Minus the derivative by eta, times sqrt(w).
    curvature : ndarray of shape (K, n)
        What a model of second order needs; for rows that are independent, the second derivative.
    square : float
        Squared length of residuals over the roots of curvatures.
    state : object
        What else the loss itself wants to know of this point.
    """

    value: float
    slope: Array
    residual: Array
    curvature: Array
    square: float
    state: Any = None


class SmoothLoss(Protocol):
    """What the solver asks of a loss."""

    n_outputs: int
    floor: float
    unit: float
    response: float
    fit_intercept: bool
    compiled: Rows | None

    @property
    def has_conjugate(self) -> bool:
        """Whether gaps use a conjugate, or convexity alone."""

    def start(self) -> Array:
        """Linear predictor (K, n) of no features: the offset."""

    def centred(self, eta: Array) -> tuple[Array, Array, Terms]:
        """The best intercepts (K,) on top of eta, eta with them, and the terms there."""

    def gap(self, eta: Array, terms: Terms, s: float) -> float:
        """Sum of w (loss + loss*(v) - v'eta) at v = s times the derivative."""

    def coupling(self, terms: Terms) -> Callable[[Array], Array] | None:
        """Where rows depend on each other: x -> M x with Hessian = diag(w curvature) - M'M."""


class Rows(NamedTuple):
    """A loss with one output and independent rows, for kernels.

    Attributes
    ----------
    loss : named tuple
        As in `regpath.losses`.
    data : ndarray of shape (4, n)
        Responses, weights, their square roots, and the infima of the losses.
    chunks, sums : ndarray of shape (n_chunks, 5), (5,)
        Room for the sums over chunks of rows, and over all of them.
    fit_intercept : bool
    """

    loss: Any
    data: Array
    chunks: Array
    sums: Array
    fit_intercept: bool

    def evaluate_rows(self, eta: Array, shift: float, moved: Array, out: Array) -> None:
        for i in range(eta.size):
            moved[i] = eta[i] + shift
        row_terms(self.loss, self.data, moved, out, self.chunks, 0, self.chunks.shape[0])
        for k in range(self.sums.size):
            self.sums[k] = 0.0
            for c in range(self.chunks.shape[0]):
                self.sums[k] += self.chunks[c, k]


def terms_of(out: Array, value: float, square: float) -> Terms:
    """The terms of one output, from what `row_terms` fills (3, n)."""
    return Terms(value, out[0:1], out[1:2], out[2:3], square)


def power_of_two(size: float) -> float:
    """A power of two near a size that is far from 1; dividing by it rounds nothing."""
    exponent = round(math.log2(size)) if 0.0 < size < math.inf else 0
    return 2.0**exponent if abs(exponent) > FAR_FROM_ONE else 1.0


class Scaled(NamedTuple):
    """A loss over a constant.

    Attributes
    ----------
    loss : named tuple
        As in `regpath.losses`.
    unit : float
        A power of two: nothing is rounded.
    """

    loss: Any
    unit: float

    def terms(self, y: float, eta: float) -> tuple[float, float, float]:
        value, slope, curvature = self.loss.terms(y, eta)
        return value / self.unit, slope / self.unit, curvature / self.unit

    def minimum(self, y: float) -> float:
        return self.loss.minimum(y) / self.unit  # type: ignore[no-any-return]

    def conjugate(self, y: float, v: float) -> float:
        return self.loss.conjugate(y, v * self.unit) / self.unit  # type: ignore[no-any-return]


class RowLoss:
    """A loss with one output and independent rows.

    Parameters
    ----------
    loss : named tuple
        As in `regpath.losses`.
    y, weights, offset : ndarray of shape (n,)
    fit_intercept : bool
    n_threads : int
    response : float, default 1
        What responses and offsets are divided by. The loss is one that is divided by its square
        then, if its own scales are divided as well.

    Attributes
    ----------
    unit : float
        What the loss is divided by, so that gradients and curvatures are not far from 1.
    compiled : Rows or None
        The same for kernels, unless there are so many rows that threads share them.
    """

    n_outputs = 1

    def __init__(
        self,
        loss: Any,
        y: Array,
        weights: Array,
        offset: Array,
        *,
        fit_intercept: bool,
        n_threads: int,
        response: float = 1.0,
        own: bool = False,
    ) -> None:
        self._offset, self.response = offset / response, response
        self.fit_intercept = fit_intercept
        self._data = np.stack([y / response, weights, np.sqrt(weights), np.zeros(y.size)])
        n_chunks = -(-y.size // CHUNK)
        self._edges = chunk_ranges(n_chunks, y.size * ROW_COST, n_threads)
        self._chunks, self.sums = np.empty((n_chunks, 5)), np.empty(5)
        rows = np.flatnonzero(weights > 0.0)
        self._own = own
        if own:
            check_rows(loss, self._data[RESPONSE, rows], self._offset[rows])
        # The infimum may be a different one for every row, but rows of equal y share it.
        values, places = np.unique(self._data[RESPONSE, rows], return_inverse=True)
        self._data[MINIMUM, rows] = np.array([loss.minimum(v) for v in values.tolist()])[places]
        self._measure_in(Scaled(loss, 1.0))
        _, eta, terms = self.centred(self.start())
        self._check(eta, terms)
        value, size, curvature = self.sums[[VALUE, SIZE, CURVATURE]].tolist()
        check_numbers(value, size, curvature)
        # Slopes in that unit have squares, however flat the loss is there.
        unit = power_of_two(max(curvature, FLATTEST * size))
        self._data[MINIMUM] /= unit
        self._measure_in(Scaled(loss, unit))
        self.floor = float(weights @ self._data[MINIMUM])

    def _measure_in(self, loss: Scaled) -> None:
        self._loss, self.unit = loss, loss.unit
        compiled = Rows(loss, self._data, self._chunks, self.sums, self.fit_intercept)
        self.compiled = compiled if len(self._edges) == 2 else None

    @property
    def has_conjugate(self) -> bool:
        """Whether gaps use a conjugate, or convexity alone."""
        return hasattr(self._loss.loss, "conjugate")

    def _check(self, eta: Array, terms: Terms) -> None:
        """Whether a loss of the user keeps its contract at some point."""
        if not self._own:
            return
        least = float(self._data[WEIGHT] @ np.abs(self._data[MINIMUM]))
        if terms.value < -BELOW * (least + abs(terms.value)):
            raise LossError(
                "the mean loss of the rows falls below that of minimum(y), which must be the "
                "infimum of the loss over eta."
            )
        check_convex(self._data[RESPONSE], eta[0], terms.curvature[0])

    def start(self) -> Array:
        """Linear predictor (1, n) of no features: the offset."""
        return self._offset[None].copy()

    def evaluate_rows(self, eta: Array, shift: float, moved: Array, out: Array) -> None:
        """As in `regpath.kernels.rows.centre`, on several threads."""
        np.add(eta, shift, out=moved)
        in_ranges(row_terms, self._edges, self._loss, self._data, moved, out, self._chunks)
        self._chunks.sum(axis=0, out=self.sums)

    def centred(self, eta: Array, start: float = 0.0) -> tuple[Array, Array, Terms]:
        """The best intercept on top of eta, sought from a start; eta with it, the terms there."""
        moved, out = np.empty(eta.shape), np.empty((3, eta.size))
        if self.compiled is None:
            shift = interpreted(centre)(self, eta[0], start, moved[0], out)
        else:
            shift = centre(self.compiled, eta[0], start, moved[0], out)
        terms = terms_of(out, float(self.sums[VALUE]), float(self.sums[SQUARE]))
        return np.array([shift]), moved, terms

    def with_products(
        self,
        columns: Any,
        added: tuple[Index, Array],
        features: Index,
        eta: Array,
        work: Array,
        n_threads: int,
    ) -> tuple[Array, Array]:
        """Add columns to eta (n,), in place, and multiply by what rows are worth there.

        Parameters
        ----------
        columns : ndarray of shape (p, n)
            They are read once.
        added : tuple of ndarrays of shape (s,)
            Columns that are added, and their coefficients.
        features : ndarray of shape (size,)
            Columns that are multiplied.
        work : ndarray of shape (5, n)
            Filled with slopes, residuals, curvatures, and the last two times the roots of the
            weights, once and twice.

        Returns
        -------
        products : ndarray of shape (2, size)
            With the last two.
        sums : ndarray of shape (5,)
            As of `regpath.kernels.rows.row_terms`.
        """
        n_strips = -(-eta.size // STRIP)
        sums, products = np.empty((n_strips, 2, 5)), np.empty((n_strips, 2, features.size))
        edges = chunk_ranges(n_strips, eta.size * (features.size + ROW_COST), n_threads)
        arrays = *added, features, eta, work, sums, products
        in_ranges(fused_terms, edges, self._loss, self._data, columns, *arrays)
        return products.sum(axis=0), sums[:, 0].sum(axis=0)

    def coupling(self, terms: Terms) -> None:
        """Rows are independent."""

    def gap(self, eta: Array, terms: Terms, s: float) -> float:
        """Sum of w (loss + loss*(v) - v eta) at v = s times the derivative."""
        self._check(eta, terms)
        if s == 1.0:
            return 0.0
        if s == 0.0 or not self.has_conjugate:
            return (1.0 - s) * terms.value
        gaps = np.empty(len(self._chunks))
        arrays = self._loss, self._data, eta[0], terms.slope[0], s, gaps
        in_ranges(row_gaps, self._edges, *arrays)
        return float(gaps.sum())

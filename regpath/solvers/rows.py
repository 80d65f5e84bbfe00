"""Losses that are a sum over rows, as the solver of other families asks for them.

Contract (`SmoothLoss`): linear predictors, residuals and curvatures are arrays of shape (K, n), one
row an output; a residual is minus the derivative, times sqrt(w), so that X~'r of
`regpath.solvers.geometry` is the gradient. Values are halves of deviances: loss minus its infimum.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from regpath.kernels.rows import CHUNK, row_gaps, row_terms
from regpath.solvers.threads import in_ranges, threads_worth

__all__ = ["RowLoss", "SmoothLoss", "Terms"]

Array = NDArray[np.float64]

# Newton steps on the intercept, and the length of the longest.
MOST_STEPS, LONGEST_STEP = 200, 4.0
# Operations of one row.
ROW_COST = 20


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
    state : object
        What else the loss itself wants to know of this point.
    """

    value: float
    slope: Array
    residual: Array
    curvature: Array
    state: Any = None


class SmoothLoss(Protocol):
    """What the solver asks of a loss."""

    n_outputs: int
    floor: float

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


class RowLoss:
    """A loss with one output and independent rows.

    Parameters
    ----------
    loss : named tuple
        As in `regpath.losses`.
    y, weights, offset : ndarray of shape (n,)
    fit_intercept : bool
    n_threads : int
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
    ) -> None:
        self._loss, self._y, self._weights, self._offset = loss, y, weights, offset
        self._fit_intercept = fit_intercept
        self._root = np.sqrt(weights)
        n_chunks = -(-y.size // CHUNK)
        threads = min(n_chunks, threads_worth(y.size * ROW_COST, n_threads))
        self._edges = np.linspace(0, n_chunks, threads + 1).astype(np.int64)
        self._sums = np.empty(n_chunks)
        rows = np.flatnonzero(weights > 0.0)
        # The infimum may be a different one for every row, but rows of equal y share it.
        values, counts = np.unique(y[rows], return_inverse=True)
        minima = np.array([loss.minimum(v) for v in values.tolist()])
        self.floor = float(weights[rows] @ minima[counts])

    @property
    def has_conjugate(self) -> bool:
        """Whether gaps use a conjugate, or convexity alone."""
        return hasattr(self._loss, "conjugate")

    def start(self) -> Array:
        """Linear predictor (1, n) of no features: the offset."""
        return self._offset[None].copy()

    def at(self, eta: Array) -> tuple[float, Array, Array]:
        """Value, slopes and curvatures (n,) at a linear predictor."""
        slope, curvature = np.empty_like(eta[0]), np.empty_like(eta[0])
        arrays = self._loss, self._y, self._weights, eta[0], slope, curvature, self._sums
        in_ranges(row_terms, self._edges, *arrays)
        return float(self._sums.sum()), slope, curvature

    def centred(self, eta: Array) -> tuple[Array, Array, Terms]:
        """The best intercept on top of eta, eta with it, and the terms there."""
        value, slope, curvature = self.at(eta)
        shift, low, high = 0.0, -math.inf, math.inf
        for _ in range(MOST_STEPS if self._fit_intercept else 0):
            pull = float(self._weights @ slope)
            steep = float(self._weights @ curvature)
            noise = 4e-16 * float(self._weights @ np.abs(slope))
            if not math.isfinite(pull) or abs(pull) <= noise:
                break
            low, high = (shift, high) if pull < 0.0 else (low, shift)
            step = -pull / steep if steep > 0.0 else -math.copysign(math.inf, pull)
            new = shift + min(max(step, -LONGEST_STEP), LONGEST_STEP)
            if not low < new < high:
                new = low + 0.5 * (high - low)
            if abs(new - shift) <= 1e-16 * (1.0 + abs(shift)):
                break
            last, shift = abs(pull), new
            value, slope, curvature = self.at(eta + shift)
            if abs(float(self._weights @ slope)) >= last and last <= 100.0 * noise:
                break  # rounding
        terms = Terms(value, slope[None], (-self._root * slope)[None], curvature[None])
        return np.array([shift]), eta + shift, terms

    def coupling(self, terms: Terms) -> None:
        """Rows are independent."""

    def gap(self, eta: Array, terms: Terms, s: float) -> float:
        """Sum of w (loss + loss*(v) - v eta) at v = s times the derivative."""
        if s == 1.0:
            return 0.0
        if s == 0.0 or not self.has_conjugate:
            return (1.0 - s) * terms.value
        scale = np.array([s])
        arrays = self._loss, self._y, self._weights, eta[0], terms.slope[0], scale, self._sums
        in_ranges(row_gaps, self._edges, *arrays)
        return float(self._sums.sum())

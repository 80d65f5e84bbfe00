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

from regpath.kernels.rows import CHUNK, CURVATURE, SIZE, SLOPE, SQUARE, VALUE, row_gaps, row_terms
from regpath.solvers.threads import in_ranges, threads_worth

__all__ = ["RowLoss", "SmoothLoss", "Terms"]

Array = NDArray[np.float64]

# Newton steps on the intercept, and the length of the longest while it is not known where to go.
MOST_STEPS, LONGEST_STEP = 200, 4.0
# Steps to the same side after which they become longer.
PATIENT = 8
# Share of the sum of slopes that is rounding.
ROUNDING = 4e-15
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
    fit_intercept: bool

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
        self._loss, self._offset = loss, offset
        self.fit_intercept = fit_intercept
        self._data = np.stack([y, weights, np.sqrt(weights)])
        n_chunks = -(-y.size // CHUNK)
        threads = min(n_chunks, threads_worth(y.size * ROW_COST, n_threads))
        self._edges = np.linspace(0, n_chunks, threads + 1).astype(np.int64)
        self._sums = np.empty((n_chunks, 5))
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

    def _at(self, eta: Array) -> tuple[Array, Array]:
        """Slopes, residuals and curvatures (3, n) at a linear predictor, and their sums."""
        out = np.empty((3, eta.size))
        in_ranges(row_terms, self._edges, self._loss, self._data, eta, out, self._sums)
        return out, self._sums.sum(axis=0)

    def centred(self, eta: Array) -> tuple[Array, Array, Terms]:
        """The best intercept on top of eta, eta with it, and the terms there."""
        shift, low, high, moved = 0.0, -math.inf, math.inf, eta
        out, sums = self._at(eta[0])
        for k in range(MOST_STEPS if self.fit_intercept else 0):
            pull = float(sums[SLOPE])
            noise = ROUNDING * float(sums[SIZE])
            if math.isnan(pull) or abs(pull) <= noise:
                break
            low, high = (shift, high) if pull < 0.0 else (low, shift)
            bracketed = math.isfinite(low) and math.isfinite(high)
            new = shift + _newton_step(pull, float(sums[CURVATURE]), 0 if bracketed else k)
            if bracketed and not low < new < high:
                new = low + 0.5 * (high - low)
            if abs(new - shift) <= 1e-16 * (1.0 + abs(shift)):
                break
            before = shift, moved, out, sums
            shift, moved = new, eta + new
            out, sums = self._at(moved[0])
            if abs(float(sums[SLOPE])) >= abs(pull) and abs(pull) <= 100.0 * noise:
                shift, moved, out, sums = before  # nothing but rounding is left
                break
        value, square = float(sums[VALUE]), float(sums[SQUARE])
        terms = Terms(value, out[0:1], out[1:2], out[2:3], square)
        return np.array([shift]), moved, terms

    def coupling(self, terms: Terms) -> None:
        """Rows are independent."""

    def gap(self, eta: Array, terms: Terms, s: float) -> float:
        """Sum of w (loss + loss*(v) - v eta) at v = s times the derivative."""
        if s == 1.0:
            return 0.0
        if s == 0.0 or not self.has_conjugate:
            return (1.0 - s) * terms.value
        gaps = np.empty(len(self._sums))
        arrays = self._loss, self._data, eta[0], terms.slope[0], s, gaps
        in_ranges(row_gaps, self._edges, *arrays)
        return float(gaps.sum())


def _newton_step(pull: float, steep: float, eager: int) -> float:
    """Step of the intercept: Newton's, but not too long; and not short either after a while.

    Exponentials flatten Newton's steps to 1 on one side, and stretch them without bound on the
    other. ``eager`` counts the steps that have not bracketed the minimum.
    """
    least = 2.0 ** (eager - PATIENT) if eager > PATIENT else 0.0
    newton = abs(pull) / steep if steep > 0.0 and math.isfinite(pull) else math.inf
    size = min(max(newton, least), LONGEST_STEP * max(1.0, least))
    return -math.copysign(size, pull)

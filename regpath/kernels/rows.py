"""Losses, row by row, in chunks of fixed length: sums do not depend on the number of threads."""

from __future__ import annotations

import math
from typing import Any

from regpath._numba import REORDERED, kernel, register_methods

__all__ = [
    "CHUNK",
    "CURVATURE",
    "MINIMUM",
    "RESPONSE",
    "SIZE",
    "SLOPE",
    "SQUARE",
    "VALUE",
    "WEIGHT",
    "centre",
    "deviances",
    "row_gaps",
    "row_terms",
]

register_methods(inline="llvm", evaluate_rows=4)

# Rows that are summed on their own.
CHUNK = 8192
# Rows of ``data``.
RESPONSE, WEIGHT, ROOT, MINIMUM = 0, 1, 2, 3
# What is summed, in the order of the columns of ``sums``.
VALUE, SLOPE, SIZE, CURVATURE, SQUARE = 0, 1, 2, 3, 4
# What rows of weight 0 are taken to respond; nobody looks at their terms.
UNSEEN = 1.0
# Keeps the division by a curvature of 0 finite.
LEAST_CURVATURE = 1e-100
# Newton steps on the intercept, and the length of the longest while it is not known where to go.
MOST_STEPS, LONGEST_STEP = 200, 4.0
# Steps to the same side after which they become longer.
PATIENT = 8
# Share of the sum of slopes that is rounding.
ROUNDING = 4e-15


@kernel()
def row_terms(loss: Any, data: Any, eta: Any, out: Any, sums: Any, start: int, stop: int) -> None:
    """Losses minus their minima, with both derivatives, and sums over chunks of rows.

    Parameters
    ----------
    loss : named tuple
        As in `regpath.losses`.
    data : ndarray of shape (4, n)
        Responses, weights, their square roots, and the minima of the losses.
    eta : ndarray of shape (n,)
    out : ndarray of shape (3, n)
        Filled with slopes, residuals (minus the slope times the root of the weight) and curvatures.
        Those of rows of weight 0 are 0.
    sums : ndarray of shape (n_chunks, 5)
        Filled with weighted sums of losses, slopes, absolute slopes, curvatures, and squares of
        slopes over curvatures.
    start, stop : int
        Chunks that are looked at.
    """
    for c in range(start, stop):
        first, last = c * CHUNK, min((c + 1) * CHUNK, eta.size)
        chunk_terms(
            loss,
            data[RESPONSE, first:last],
            data[WEIGHT, first:last],
            data[ROOT, first:last],
            data[MINIMUM, first:last],
            eta[first:last],
            out[0, first:last],
            out[1, first:last],
            out[2, first:last],
            sums[c],
        )


@kernel(REORDERED, inline="always")
def chunk_terms(
    loss: Any,
    y: Any,
    weights: Any,
    root: Any,
    minimum: Any,
    eta: Any,
    slopes: Any,
    residuals: Any,
    curvatures: Any,
    sums: Any,
) -> None:
    """The terms of one chunk, and their sums. Rows are not told apart by branches."""
    value_sum = slope_sum = size_sum = curvature_sum = square_sum = 0.0
    for i in range(y.size):
        w = weights[i]
        seen = w > 0.0
        response, aimed = y[i] if seen else UNSEEN, eta[i] if seen else 0.0
        value, slope, curvature = loss.terms(response, aimed)
        value = value - minimum[i] if seen else 0.0
        slope = slope if seen else 0.0
        curvature = curvature if seen else 0.0
        value_sum += w * value
        slope_sum += w * slope
        size_sum += w * abs(slope)
        curvature_sum += w * curvature
        square_sum += w * (slope * slope / max(curvature, LEAST_CURVATURE))
        slopes[i], residuals[i], curvatures[i] = slope, -root[i] * slope, curvature
    sums[VALUE], sums[SLOPE], sums[SIZE] = value_sum, slope_sum, size_sum
    sums[CURVATURE], sums[SQUARE] = curvature_sum, square_sum


@kernel()
def row_gaps(
    loss: Any, data: Any, eta: Any, slope: Any, s: float, sums: Any, start: int, stop: int
) -> None:
    """Weighted sums of loss + loss*(v) - v eta >= 0 at v = s slope, over chunks of rows."""
    for c in range(start, stop):
        first, last = c * CHUNK, min((c + 1) * CHUNK, eta.size)
        y, weights = data[RESPONSE, first:last], data[WEIGHT, first:last]
        sums[c] = chunk_gaps(loss, y, weights, eta[first:last], slope[first:last], s)


@kernel(REORDERED, inline="always")
def chunk_gaps(loss: Any, y: Any, weights: Any, eta: Any, slope: Any, s: float) -> float:
    """The sum of one chunk."""
    total = 0.0
    for i in range(y.size):
        seen = weights[i] > 0.0
        response, aimed = y[i] if seen else UNSEEN, eta[i] if seen else 0.0
        v = s * slope[i] if seen else 0.0
        value, _, _ = loss.terms(response, aimed)
        gap = max(value + loss.conjugate(response, v) - v * aimed, 0.0)
        total += weights[i] * (gap if seen else 0.0)
    return total


@kernel()
def centre(rows: Any, eta: Any, shift: float, moved: Any, out: Any) -> float:
    """The best intercept on top of a linear predictor: Newton steps in a bracket.

    Parameters
    ----------
    rows : object
        ``evaluate_rows(eta, shift, moved, out)`` fills ``moved`` with eta + shift, ``out`` as
        `row_terms` does, and ``rows.sums`` with the sums over all rows. ``rows.fit_intercept`` says
        whether there is an intercept.
    shift : float
        Where to begin.
    eta, moved : ndarray of shape (n,)
    out : ndarray of shape (3, n)
        They end at the intercept that is returned.
    """
    low, high, last, sums = -math.inf, math.inf, math.inf, rows.sums
    rows.evaluate_rows(eta, shift, moved, out)
    for k in range(MOST_STEPS if rows.fit_intercept else 0):
        pull, noise = float(sums[SLOPE]), ROUNDING * float(sums[SIZE])
        if math.isnan(pull) or abs(pull) <= noise < math.inf:
            break
        if pull < 0.0:
            low = shift
        else:
            high = shift
        bracketed = low > -math.inf and high < math.inf
        new = shift + _newton_step(pull, float(sums[CURVATURE]), 0 if bracketed else k)
        # Steps that do not halve may be far from home: those of exponentials have length 1.
        if bracketed and not (low < new < high and abs(new - shift) <= 0.5 * last):
            new = low + 0.5 * (high - low)
        if abs(new - shift) <= 1e-16 * (1.0 + abs(shift)):
            break
        before, shift, last = shift, new, abs(new - shift)
        rows.evaluate_rows(eta, shift, moved, out)
        if abs(sums[SLOPE]) >= abs(pull) and abs(pull) <= 100.0 * noise < math.inf:
            shift = before  # nothing but rounding is left
            rows.evaluate_rows(eta, shift, moved, out)
            break
    return shift


@kernel()
def _newton_step(pull: float, steep: float, eager: int) -> float:
    """Step of the intercept: Newton's, but not too long; and not short either after a while.

    Exponentials flatten Newton's steps to 1 on one side, and stretch them without bound on the
    other. ``eager`` counts the steps that have not bracketed the minimum.
    """
    least = 2.0 ** (eager - PATIENT) if eager > PATIENT else 0.0
    newton = abs(pull) / steep if steep > 0.0 and abs(pull) < math.inf else math.inf
    size = min(max(newton, least), LONGEST_STEP * max(1.0, least))
    return -math.copysign(size, pull)


@kernel()
def deviances(loss: Any, y: Any, eta: Any, out: Any) -> None:
    """Unit deviances, twice the loss minus its minimum, of rows (m,) under L models, (m, L)."""
    for i in range(eta.shape[0]):
        least = loss.minimum(y[i])
        for model in range(eta.shape[1]):
            value, _, _ = loss.terms(y[i], eta[i, model])
            out[i, model] = 2.0 * max(value - least, 0.0)

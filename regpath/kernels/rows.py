"""Losses, row by row, in chunks of fixed length: sums do not depend on the number of threads."""

from __future__ import annotations

import math
from typing import Any

from regpath._numba import kernel, register_methods

__all__ = [
    "CHUNK",
    "CURVATURE",
    "SIZE",
    "SLOPE",
    "SQUARE",
    "VALUE",
    "centre",
    "deviances",
    "row_gaps",
    "row_terms",
]

register_methods(inline=False, evaluate_rows=4)

# Rows that are summed on their own.
CHUNK = 8192
# What is summed, in the order of the columns of ``sums``.
VALUE, SLOPE, SIZE, CURVATURE, SQUARE = 0, 1, 2, 3, 4
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
    data : ndarray of shape (3, n)
        Responses, weights, and their square roots.
    eta : ndarray of shape (n,)
    out : ndarray of shape (3, n)
        Filled with slopes, residuals (minus the slope times the root of the weight) and curvatures.
        Rows of weight 0 are not looked at; theirs are 0.
    sums : ndarray of shape (n_chunks, 5)
        Filled with weighted sums of losses, slopes, absolute slopes, curvatures, and squares of
        slopes over curvatures.
    start, stop : int
        Chunks that are looked at.
    """
    y, weights, root = data[0], data[1], data[2]
    for c in range(start, stop):
        value_sum = slope_sum = size_sum = curvature_sum = square_sum = 0.0
        for i in range(c * CHUNK, min((c + 1) * CHUNK, eta.size)):
            w = weights[i]
            if w > 0.0:
                value, slope, curvature = loss.terms(y[i], eta[i])
                value_sum += w * (value - loss.minimum(y[i]))
                slope_sum += w * slope
                size_sum += w * abs(slope)
                curvature_sum += w * curvature
                if slope != 0.0:
                    square_sum += w * (slope * slope / max(curvature, LEAST_CURVATURE))
                out[0, i], out[1, i], out[2, i] = slope, -root[i] * slope, curvature
            else:
                out[0, i] = out[1, i] = out[2, i] = 0.0
        sums[c, VALUE], sums[c, SLOPE], sums[c, SIZE] = value_sum, slope_sum, size_sum
        sums[c, CURVATURE], sums[c, SQUARE] = curvature_sum, square_sum


@kernel()
def row_gaps(
    loss: Any, data: Any, eta: Any, slope: Any, s: float, sums: Any, start: int, stop: int
) -> None:
    """Weighted sums of loss + loss*(v) - v eta >= 0 at v = s slope, over chunks of rows."""
    y, weights = data[0], data[1]
    for c in range(start, stop):
        total = 0.0
        for i in range(c * CHUNK, min((c + 1) * CHUNK, eta.size)):
            if weights[i] > 0.0:
                value, _, _ = loss.terms(y[i], eta[i])
                v = s * slope[i]
                total += weights[i] * max(value + loss.conjugate(y[i], v) - v * eta[i], 0.0)
        sums[c] = total


@kernel()
def centre(rows: Any, eta: Any, moved: Any, out: Any) -> float:
    """The best intercept on top of a linear predictor: Newton steps in a bracket.

    Parameters
    ----------
    rows : object
        ``evaluate_rows(eta, shift, moved, out)`` fills ``moved`` with eta + shift, ``out`` as
        `row_terms` does, and ``rows.sums`` with the sums over all rows. ``rows.fit_intercept`` says
        whether there is an intercept.
    eta, moved : ndarray of shape (n,)
    out : ndarray of shape (3, n)
        They end at the intercept that is returned.
    """
    shift, low, high, sums = 0.0, -math.inf, math.inf, rows.sums
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
        if bracketed and not low < new < high:
            new = low + 0.5 * (high - low)
        if abs(new - shift) <= 1e-16 * (1.0 + abs(shift)):
            break
        before, shift = shift, new
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

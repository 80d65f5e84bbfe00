"""The multinomial loss, row by row, in chunks of fixed length as in `regpath.kernels.rows`."""

from __future__ import annotations

from typing import Any

from regpath._numba import FUSED, kernel
from regpath.kernels.elementary import exp, log
from regpath.kernels.primitives import dot

__all__ = [
    "CHUNK",
    "ETA",
    "LEAST_PROBABILITY",
    "PROBABILITY",
    "PULL",
    "RESIDUAL",
    "SIZE",
    "SLOPE",
    "VALUE",
    "softmax_curvatures",
    "softmax_gaps",
    "softmax_terms",
]

# Rows that are summed on their own: a few classes of them stay in the cache of a core.
CHUNK = 2048
# Rows of ``data``.
WEIGHT, ROOT = 0, 1
# Parts of ``out``.
ETA, PROBABILITY, SLOPE, RESIDUAL = 0, 1, 2, 3
# Rows of ``work``: the largest predictor, what exponentials add up to, and sums over classes.
TOP, TOTAL, LOSS, SQUARE = 0, 1, 2, 3
# Rows of the sums of a chunk; the first two have an entry a class, the last has two.
PULL, SIZE, VALUE = 0, 1, 2
# Probabilities below this count as this where something is divided by them.
LEAST_PROBABILITY = 1e-10
# Stands for 0 where a logarithm is taken.
LEAST_NORMAL = 1e-300


@kernel(FUSED)
def softmax_terms(
    y: Any,
    data: Any,
    eta: Any,
    shift: Any,
    out: Any,
    work: Any,
    sums: Any,
    start: int,
    stop: int,
) -> None:
    """Probabilities, losses and their derivatives, and sums over chunks of rows.

    Parameters
    ----------
    y : ndarray of shape (K, n)
        Shares of the classes.
    data : ndarray of shape (2, n)
        Weights and their square roots.
    eta : ndarray of shape (K, n)
    shift : ndarray of shape (K,)
        Intercepts that are added.
    out : ndarray of shape (4, K, n)
        Filled with eta and its intercepts, probabilities, slopes, and residuals: minus the slopes
        times the roots of the weights. In rows of weight 0 all but the probabilities are 0.
    work : ndarray of shape (4, n)
        Room.
    sums : ndarray of shape (n_chunks, 3, K)
        Filled with weighted sums of the slopes and the absolute slopes of every class, and of the
        losses and the squares of slopes over probabilities.
    start, stop : int
        Chunks that are looked at.
    """
    for c in range(start, stop):
        first, last = c * CHUNK, min((c + 1) * CHUNK, eta.shape[1])
        weights, root = data[WEIGHT, first:last], data[ROOT, first:last]
        total, loss = work[TOTAL, first:last], work[LOSS, first:last]
        square, part = work[SQUARE, first:last], sums[c]
        for k in range(eta.shape[0]):
            old, new = eta[k, first:last], out[ETA, k, first:last]
            for i in range(weights.size):
                # Predictors of rows of weight 0 may overflow.
                new[i] = old[i] + shift[k] if weights[i] > 0.0 else 0.0
        _exponentials(out[ETA], out[PROBABILITY], work, first, last)
        for i in range(weights.size):
            # What all classes have in common: the shares of a row sum to one.
            loss[i], square[i], total[i] = log(total[i]), 0.0, 1.0 / total[i]
        for k in range(eta.shape[0]):
            share, p = y[k, first:last], out[PROBABILITY, k, first:last]
            slope, residual = out[SLOPE, k, first:last], out[RESIDUAL, k, first:last]
            above = residual  # of the largest predictor, until it takes its own values
            for i in range(weights.size):
                above[i] = out[ETA, k, first + i] - work[TOP, first + i]
                p[i] *= total[i]
                slope[i] = p[i] - share[i] if weights[i] > 0.0 else 0.0
                loss[i] -= share[i] * above[i]
                square[i] += slope[i] * slope[i] / max(p[i], LEAST_PROBABILITY)
            part[PULL, k] = dot(weights, slope)
            for i in range(weights.size):
                residual[i] = abs(slope[i])
            part[SIZE, k] = dot(weights, residual)
            for i in range(weights.size):
                residual[i] = -root[i] * slope[i]
        part[VALUE, 0], part[VALUE, 1] = dot(weights, loss), dot(weights, square)


@kernel(FUSED)
def _exponentials(eta: Any, p: Any, work: Any, first: int, last: int) -> None:
    """Exponentials of predictors below the largest one of a row, and what they add up to."""
    top, total = work[TOP, first:last], work[TOTAL, first:last]
    for i in range(top.size):
        top[i], total[i] = eta[0, first + i], 0.0
    for k in range(1, eta.shape[0]):
        row = eta[k, first:last]
        for i in range(top.size):
            top[i] = max(top[i], row[i])
    for k in range(eta.shape[0]):
        row, powers = eta[k, first:last], p[k, first:last]
        for i in range(top.size):
            powers[i] = exp(row[i] - top[i])
            total[i] += powers[i]


@kernel(FUSED)
def softmax_curvatures(data: Any, p: Any, sums: Any, work: Any, start: int, stop: int) -> None:
    """Weighted sums of the products p_k p_l over chunks of rows.

    Parameters
    ----------
    data, p, work
        As for `softmax_terms`.
    sums : ndarray of shape (n_chunks, K, K)
    start, stop : int
        Chunks that are looked at.
    """
    for c in range(start, stop):
        first, last = c * CHUNK, min((c + 1) * CHUNK, p.shape[1])
        weights, weighted = data[WEIGHT, first:last], work[TOTAL, first:last]
        for k in range(p.shape[0]):
            row = p[k, first:last]
            for i in range(weights.size):
                weighted[i] = weights[i] * row[i]
            for other in range(k + 1):
                product = dot(weighted, p[other, first:last])
                sums[c, k, other] = sums[c, other, k] = product


@kernel(FUSED)
def softmax_gaps(
    y: Any,
    data: Any,
    eta: Any,
    slope: Any,
    s: float,
    p: Any,
    work: Any,
    sums: Any,
    start: int,
    stop: int,
) -> None:
    """Weighted sums of loss + loss*(v) - v'eta >= 0 at v = s slope, over chunks of rows.

    With m = y + v it is sum_k m_k log(m_k / p_k): eta enters through p alone, and nothing large
    cancels. ``p`` (K, n) is room; the others are as for `softmax_terms`.
    """
    for c in range(start, stop):
        first, last = c * CHUNK, min((c + 1) * CHUNK, eta.shape[1])
        weights, gap = data[WEIGHT, first:last], work[LOSS, first:last]
        top, total = work[TOP, first:last], work[TOTAL, first:last]
        _exponentials(eta, p, work, first, last)
        for i in range(weights.size):
            gap[i], total[i] = 0.0, log(total[i])
        for k in range(eta.shape[0]):
            share, row, v = y[k, first:last], eta[k, first:last], slope[k, first:last]
            for i in range(weights.size):
                m = max(share[i] + s * v[i], 0.0)
                log_p = (row[i] - top[i]) - total[i]
                gap[i] += m * (log(max(m, LEAST_NORMAL)) - log_p)
        for i in range(weights.size):
            gap[i] = max(gap[i], 0.0) if weights[i] > 0.0 else 0.0
        sums[c] = dot(weights, gap)

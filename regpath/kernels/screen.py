"""The search for features that can still become non-zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from regpath._numba import kernel
from regpath.kernels.passes import column_dots_each
from regpath.kernels.primitives import dot
from regpath.kernels.project import estimate

__all__ = ["features_beyond", "screen", "violators_among"]

# Features that are looked at together.
BLOCK = 32


@kernel()
def features_beyond(
    penalty: Any,
    gradient: Any,
    error: float,
    magnitude: float,
    rounding: Any,
    inside: Any,
    found: Any,
) -> int:
    """List the features outside the working set whose gradient may exceed its threshold.

    Parameters
    ----------
    gradient, error, magnitude
        As in `regpath.screening.Estimate`.
    rounding : ndarray of shape (p,) or (1,)
        Relative error of the gradient of each column, or of all.
    inside : ndarray of shape (p,)
        Features that are not looked for.
    found : ndarray of shape (p,)
        Filled from its beginning with what was found.

    Returns
    -------
    int
        How many were found.
    """
    count, alike = 0, rounding.size == 1
    slack = error + magnitude * rounding[0]
    for first in range(0, gradient.size, BLOCK):
        last = min(first + BLOCK, gradient.size)
        # Nearly all blocks hold nothing: a loop that only counts is vectorised.
        near = 0
        for j in range(np.uint64(first), np.uint64(last)):  # unsigned: none counts from the end
            near += (abs(gradient[j]) + slack > penalty.threshold(j)) & (not inside[j])
        if alike and near == 0:
            continue
        for j in range(np.uint64(first), np.uint64(last)):
            if not alike:
                slack = error + magnitude * rounding[j]
            found[count] = j  # where the next one goes over it unless it counts
            count += (abs(gradient[j]) + slack > penalty.threshold(j)) & (not inside[j])
    kept = 0
    for i in range(count):
        j = found[i]
        slack = error + magnitude * rounding[0 if alike else j]
        # A limit at 0 allows any gradient that points out of it: the penalty knows.
        if (
            penalty.violation(j, gradient[j] + slack, 0.0) > 0.0
            or penalty.violation(j, gradient[j] - slack, 0.0) > 0.0
        ):
            found[kept] = j
            kept += 1
    return kept


@kernel()
def screen(
    design: Any,
    columns: Any,
    penalty: Any,
    strengths: Any,
    known: Any,
    rounding: Any,
    inside: Any,
    R: Any,
    gradients: Any,
    found: Any,
    work: Any,
    cost: Any,
    most: float,
) -> tuple[int, float]:
    """List the features outside the working set that may violate optimality at some points.

    Gradients are estimated; those of the candidates that this leaves at any of the points are
    computed at all of them, for a column is read once then, unless there are too many.

    Parameters
    ----------
    columns : `regpath.solvers.geometry.Columns`
    strengths : ndarray of shape (m, t)
        Of the penalty at every point; it keeps that of the last one.
    known : `regpath.screening.Known`
    rounding, inside
        As in `features_beyond`.
    R : ndarray of shape (m, K n)
        Residuals of K outputs at every point.
    gradients : ndarray of shape (m, K p)
        Filled with what is known then.
    found : ndarray of shape (m + 1, K p)
        ``found[0]`` begins with the candidates.
    work : tuple of ndarrays of shape (m, n), (m, K p), and (2, m) of int
    cost : ndarray of shape (p,)
        Of the gradients of a column.
    most : float
        What candidates may cost together; beyond, they are too many.

    Returns
    -------
    candidates : int
        How many there are.
    spent : float
        What they cost.
    """
    weighted, dots, (counts, places) = work
    for k in range(R.shape[0]):
        set_strength(penalty, strengths[k])
        gradient = gradients[k]
        error, magnitude = estimate(known, R[k], gradient)
        own = found[k + 1]
        counts[k] = features_beyond(penalty, gradient, error, magnitude, rounding, inside, own)
    features = found[0, : merge(found[1:], counts, places, found[0])]
    spent = 0.0
    for i in range(features.size):
        spent += cost[features[i] % cost.size]
    if spent <= most:
        exact_gradients(design, columns, R, features, gradients, weighted, dots)
    return features.size, spent


@kernel(inline="numba")
def set_strength(penalty: Any, strength: Any) -> None:
    """Let the penalty be as strong as this."""
    for i in range(strength.size):
        penalty.strength[i] = strength[i]


@kernel(inline="numba")
def merge(lists: Any, counts: Any, places: Any, out: Any) -> int:
    """Merge some increasing lists, whose first ``counts`` entries count, without doubles."""
    total, m, largest = 0, lists.shape[0], lists.shape[1]
    for k in range(m):
        places[k] = 0
    while True:
        least = largest
        for k in range(m):
            if places[k] < counts[k]:
                least = min(least, lists[k, places[k]])
        if least == largest:
            return total
        for k in range(m):
            if places[k] < counts[k] and lists[k, places[k]] == least:
                places[k] += 1
        out[total] = least
        total += 1


@kernel(inline="numba")
def exact_gradients(
    design: Any, columns: Any, R: Any, features: Any, gradients: Any, weighted: Any, dots: Any
) -> None:
    """Compute the gradients of some features, in increasing order, output by output."""
    root, mean, scale, constant = columns
    n, p = root.size, mean.size
    first: Any = np.int64(0)  # a literal would be another type, and compiled as well
    while first < features.size:
        output = features[first] // p
        last = first
        while last < features.size and features[last] < (output + 1) * p:
            features[last] -= output * p
            last += 1
        for k in range(R.shape[0]):
            for i in range(n):
                weighted[k, i] = root[i] * R[k, output * n + i]
        column_dots_each(design, weighted[: R.shape[0]], dots, features, first, last)
        for k in range(R.shape[0]):
            total = dot(root, R[k, output * n : (output + 1) * n])
            for i in range(first, last):
                j = features[i]
                centred = (dots[k, i] - total * mean[j]) / scale[j]
                gradients[k, output * p + j] = 0.0 if constant[j] else centred
        for i in range(first, last):
            features[i] += output * p
        first = last


@kernel()
def violators_among(penalty: Any, gradient: Any, features: Any) -> int:
    """Move those of some features to the front that are not optimal at 0; returns how many."""
    count = 0
    for i in range(features.size):
        j = features[i]
        if penalty.violation(j, gradient[j], 0.0) > 0.0:
            features[count] = j
            count += 1
    return count

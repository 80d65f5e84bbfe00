"""The search for features that can still become non-zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from regpath._numba import kernel
from regpath.kernels.passes import column_dots
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
    known: Any,
    rounding: Any,
    inside: Any,
    r: Any,
    gradient: Any,
    found: Any,
    work: Any,
    cost: Any,
    most: float,
) -> tuple[int, int, float, float, float]:
    """Look for the features outside the working set that violate optimality at a residual.

    Gradients are estimated; those of the candidates that this leaves are computed, unless there are
    too many of them.

    Parameters
    ----------
    columns : `regpath.solvers.geometry.Columns`
    known : `regpath.screening.Known`
    rounding, inside, found
        As in `features_beyond`.
    r : ndarray of shape (K n,)
        Residuals of K outputs.
    gradient : ndarray of shape (K p,)
        Filled with what is known then.
    work : tuple of ndarrays of shape (n,) and (K p,)
    cost : ndarray of shape (p,)
        Of the gradient of a column.
    most : float
        What candidates may cost together; beyond, they are too many.

    Returns
    -------
    candidates, violators : int
        How many there are. ``found`` begins with the violators, or with the candidates if these are
        too many.
    spent : float
        What the candidates cost.
    error, magnitude : float
        As in `regpath.screening.Estimate`, for the features that are no candidates.
    """
    error, magnitude = estimate(known, r, gradient)
    count = features_beyond(penalty, gradient, error, magnitude, rounding, inside, found)
    spent = 0.0
    for i in range(count):
        spent += cost[found[i] % cost.size]
    if spent > most:
        return count, count, spent, error, magnitude
    exact_gradients(design, columns, r, found[:count], gradient, work)
    violators = violators_among(penalty, gradient, found[:count])
    return count, violators, spent, error, magnitude


@kernel(inline="numba")
def exact_gradients(
    design: Any, columns: Any, r: Any, features: Any, gradient: Any, work: Any
) -> None:
    """Compute the gradients of some features, in increasing order, output by output."""
    root, mean, scale, constant = columns
    weighted, dots = work
    n, p = root.size, mean.size
    first: Any = np.int64(0)  # a literal would be another type, and compiled as well
    while first < features.size:
        output = features[first] // p
        own, last = r[output * n : (output + 1) * n], first
        while last < features.size and features[last] < (output + 1) * p:
            features[last] -= output * p
            last += 1
        for i in range(n):
            weighted[i] = root[i] * own[i]
        total = dot(root, own)
        column_dots(design, weighted, features, dots, first, last)
        for i in range(first, last):
            j = features[i]
            features[i] += output * p
            centred = (dots[i] - total * mean[j]) / scale[j]
            gradient[features[i]] = 0.0 if constant[j] else centred
        first = last


@kernel(inline="numba")
def violators_among(penalty: Any, gradient: Any, features: Any) -> int:
    """Move those of some features to the front that are not optimal at 0; returns how many."""
    count = 0
    for i in range(features.size):
        j = features[i]
        if penalty.violation(j, gradient[j], 0.0) > 0.0:
            features[count] = j
            count += 1
    return count

"""The search for features that can still become non-zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from regpath._numba import kernel

__all__ = ["features_beyond"]

# Features that are looked at together.
BLOCK = 64


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
        for j in range(first, last):
            if not alike:
                slack = error + magnitude * rounding[j]
            g = gradient[j]
            # A limit at 0 allows any gradient that points out of it: the penalty knows.
            if (
                abs(g) + slack > penalty.threshold(j)
                and not inside[j]
                and (
                    penalty.violation(j, g + slack, 0.0) > 0.0
                    or penalty.violation(j, g - slack, 0.0) > 0.0
                )
            ):
                found[count] = j
                count += 1
    return count

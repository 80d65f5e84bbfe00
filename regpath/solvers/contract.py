"""What is asked of a loss where it is evaluated, and what is said of one that breaks the rules."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regpath._numba import interpreted
from regpath.losses import conjugate_by_search

__all__ = ["LossError", "check_convex", "check_numbers", "check_rows"]

Array = NDArray[np.float64]

# Different responses at which a loss of the user is tried, row by row.
MOST_TRIED = 12
# Share of the loss by which a minimum may be off, and of the largest curvature that is rounding.
ROUNDING = 1e-6
# Sums beyond leave no room for their squares and differences.
LARGEST = 1e300


class LossError(ValueError):
    """A loss cannot be minimised; the message has no subject."""


def check_rows(loss: Any, y: Array, eta: Array) -> None:
    """Try a loss of the user in plain Python, at responses from the least to the largest.

    Parameters
    ----------
    loss : named tuple
        As in `regpath.losses`.
    y, eta : ndarray of shape (n,)
        Responses, and linear predictors that go with them.
    """
    different, rows = np.unique(y, return_index=True)
    some = np.linspace(0, different.size - 1, min(different.size, MOST_TRIED)).astype(np.int64)
    for i in rows[some].tolist():
        response, aimed = float(y[i]), float(eta[i])
        here = f"y={response:.6g}, eta={aimed:.6g}"
        try:
            terms, least = loss.terms(response, aimed), loss.minimum(response)
        except (ArithmeticError, ValueError):
            continue  # where kernels have infinities and NaN, Python raises
        if not isinstance(terms, tuple) or len(terms) != 3:
            raise LossError(
                f"terms({here}) gives {terms!r}; it must return the tuple (loss, its first, its "
                "second derivative by eta)."
            )
        if not all(_is_number(value) for value in (*terms, least)):
            raise LossError(
                f"terms({here}) and minimum give {terms!r} and {least!r}; they must be numbers."
            )
        if math.isnan(sum(terms)) or not math.isfinite(least):
            raise LossError(
                f"terms({here}) and minimum give {terms!r} and {least!r}; they must be finite."
            )
        check_convex(np.array([response]), np.array([aimed]), np.array([float(terms[2])]))
        _check_minimum(loss, response, float(least), float(terms[0]), here)


def _check_minimum(loss: Any, y: float, least: float, value: float, here: str) -> None:
    """Compare minimum(y) with the loss here, and with the infimum that a search finds."""
    must = "; minimum(y) must be the infimum of the loss over eta."
    slack = ROUNDING * (abs(least) + abs(value))
    if value < least - slack:
        raise LossError(
            f"terms({here}) gives a loss of {value:.6g}, below minimum {least:.6g}{must}"
        )
    try:
        infimum = -interpreted(conjugate_by_search)(loss, y, 0.0)
        near = abs(float(loss.terms(y, 1.0)[0])) + abs(float(loss.terms(y, -1.0)[0]))
    except (ArithmeticError, ValueError):
        return
    slack = ROUNDING * (abs(least) + abs(infimum) + near)  # the search is for eta of the size of 1
    if math.isfinite(infimum) and abs(infimum - least) > slack:
        raise LossError(
            f"at y={y:.6g} the loss falls to {infimum:.6g}, and minimum is {least:.6g}{must}"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number)


def check_convex(y: Array, eta: Array, curvature: Array) -> None:
    """Refuse second derivatives below 0."""
    worst = int(np.argmin(curvature))
    if curvature[worst] < -ROUNDING * float(np.abs(curvature).max()):
        raise LossError(
            f"terms(y={y[worst]:.6g}, eta={eta[worst]:.6g}) gives a second derivative of "
            f"{curvature[worst]:.6g}; a loss must be convex in eta."
        )


def check_numbers(value: float, size: float, curvature: float) -> None:
    """Refuse a null model whose sums are not numbers, or nearly not."""
    for name, total in (("loss", value), ("slope", size), ("second derivative", curvature)):
        if not abs(total) < LARGEST:
            raise LossError(
                f"at the null model the mean {name} of the rows is {total:.3g}; the response and "
                "the offset are too large or too far apart: rescale y, shift the offset, or fit an "
                "intercept."
            )

"""Vectors that go with X: weights, offsets, factors and limits, one value per row or column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from regpath._inputs import check_array, read_only

__all__ = [
    "NAN",
    "NEGATIVE",
    "ValueRule",
    "check_spread",
    "check_values",
    "checked_offset",
    "float64",
    "full_offset",
    "given_or_full",
    "normalised_weights",
    "optional_vector",
]

FloatArray: TypeAlias = npt.NDArray[np.float64]

# Differences of offsets whose exponentials can be summed.
WIDEST_OFFSET = 300.0


class ValueRule(NamedTuple):
    """What values must not be, and the words that say so."""

    is_bad: Callable[[FloatArray], npt.NDArray[np.bool_]]
    fault: str
    must: str


class _VectorRule(NamedTuple):
    noun: str
    axis: str
    broadcast: bool
    rules: tuple[ValueRule, ...]


NAN = ValueRule(np.isnan, "NaN", "numbers")
NEGATIVE = ValueRule(lambda v: v < 0, "negative", ">= 0")
_POSITIVE = ValueRule(lambda v: v > 0, "positive", "<= 0")
_NONFINITE = ValueRule(
    lambda v: ~np.isfinite(v), "NaN or infinite", "finite: drop these rows or impute the values"
)

_VECTOR_RULES = {
    "sample_weight": _VectorRule("weights", "row", False, (_NONFINITE, NEGATIVE)),
    "offset": _VectorRule("values", "row", False, (_NONFINITE,)),
    "penalty_factor": _VectorRule("factors", "column", True, (NAN, NEGATIVE)),
    "lower": _VectorRule("limits", "column", True, (NAN, _POSITIVE)),
    "upper": _VectorRule("limits", "column", True, (NAN, NEGATIVE)),
}


def _vector(call: str, name: str, value: Any, size: int) -> FloatArray:
    """One read-only float64 value per row or column of X."""
    at = f"{call}({name}=...)"
    noun, axis, broadcast, rules = _VECTOR_RULES[name]
    array = check_array(at, name, value)
    if array.ndim == 0 and broadcast:
        array = np.full(size, array)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            f"{at}: the shape is {array.shape}; {name} must have one dimension, ({size},)."
        )
    if array.size != size:
        raise ValueError(
            f"{at}: {array.size} {noun} for the {size} {axis}s of X; pass exactly one per {axis}."
        )
    vector = float64(array)
    check_values(at, noun, vector, rules)
    return read_only(vector)


def optional_vector(call: str, name: str, value: Any, size: int) -> FloatArray | None:
    """One value per row or column of X in canonical form, by the rules of `name`; None stays."""
    return None if value is None else _vector(call, name, value, size)


def checked_offset(call: str, value: Any, n: int, n_outputs: int | None) -> FloatArray | None:
    """A known part of the linear predictor: one number a row, or one a row and output."""
    if value is None or n_outputs is None or np.ndim(value) < 2:
        return optional_vector(call, "offset", value, n)
    at = f"{call}(offset=...)"
    array = float64(check_array(at, "offset", value))
    if array.shape != (n, n_outputs):
        raise ValueError(
            f"{at}: the shape is {array.shape}; offset must have shape ({n},) or ({n}, "
            f"{n_outputs}), a column each output."
        )
    check_values(at, "values", array, (_NONFINITE,))
    return read_only(array)


def check_spread(call: str, offset: Any, weights: FloatArray) -> None:
    """Hazards are compared with each other: their ratios must be numbers."""
    values = optional_vector(call, "offset", offset, weights.size)
    spread = 0.0 if values is None else float(np.ptp(values[weights > 0.0]))
    if spread > WIDEST_OFFSET:
        raise ValueError(
            f"{call}(offset=...): the values spread over {spread:.3g}, so that hazards differ by "
            f"e^{spread:.3g}; the Cox family allows {WIDEST_OFFSET:.0f}."
        )


def full_offset(given: FloatArray | None, n: int, n_outputs: int | None) -> FloatArray:
    """The offset of every row, and of every output if there are several; zeros if none."""
    if n_outputs is None:
        return given_or_full(given, n, 0.0)
    columns = np.zeros((n, 1)) if given is None else given.reshape(n, -1)
    return np.broadcast_to(columns, (n, n_outputs))


def given_or_full(given: FloatArray | None, size: int, default: float) -> FloatArray:
    """The given values, or one number that stands for all: at 10^6 columns every vector counts."""
    return np.broadcast_to(np.float64(default), (size,)) if given is None else given


def check_values(at: str, noun: str, values: FloatArray, rules: tuple[ValueRule, ...]) -> None:
    """Refuse values that break one of the rules, with their count and the first place."""
    for is_bad, fault, must in rules:
        bad = np.flatnonzero(is_bad(values))
        if bad.size:
            verb = "is" if bad.size == 1 else "are"
            raise ValueError(
                f"{at}: {bad.size} of {values.size} {noun} {verb} {fault} "
                f"(the first at index {bad[0]}); {noun} must be {must}."
            )


def normalised_weights(call: str, given: FloatArray | None, n: int) -> tuple[FloatArray, float]:
    """Weights that sum to one, and the sum of the user's weights."""
    if given is None:
        return read_only(np.full(n, 1.0 / n)), float(n)
    top = float(given.max())
    if top == 0.0:
        raise ValueError(
            f"{call}(sample_weight=...): all {n} weights are 0; at least one must be positive."
        )
    relative = given / top  # first: sums of weights near 1e300 or 1e-300 leave the float range
    total = float(relative.sum())
    return read_only(relative / total), top * total


def float64(array: npt.NDArray[Any]) -> FloatArray:
    """The array as contiguous float64."""
    with np.errstate(over="ignore"):  # a long double beyond float64 becomes infinite
        return np.ascontiguousarray(array, np.float64)

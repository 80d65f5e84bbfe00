"""Labels of any kind, of classes or strata, as arrays that can be sorted."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

__all__ = ["as_array", "column", "is_missing", "read_labels", "refuse"]

Rows = npt.NDArray[np.bool_]

DATES = "mM"


def as_array(at: str, value: Any) -> npt.NDArray[Any]:
    """What the user gave as an array of any kind; masked entries are None."""
    if issparse(value):
        raise TypeError(f"{at}: a sparse matrix was given; pass a dense array: y.toarray().")
    if np.ma.is_masked(value):
        array = np.array(np.ma.getdata(value), dtype=object)
        array[np.ma.getmaskarray(value)] = None
        return array
    try:
        # That of arrow arrays refuses what it would have to copy; numpy asks them differently.
        known = hasattr(value, "__array__") or not hasattr(value, "to_numpy")
        return np.asarray(value if known else value.to_numpy())
    except (TypeError, ValueError) as error:  # rows of unequal length
        raise ValueError(f"{at}: it cannot be read as an array: {error}") from error


def column(at: str, values: npt.NDArray[Any], n: int) -> npt.NDArray[Any]:
    """One value a row."""
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(f"{at}: the shape is {values.shape}; it must have one dimension, ({n},).")
    if values.size != n:
        raise ValueError(
            f"{at}: {values.size} values for the {n} rows of X; pass exactly one per row."
        )
    return values


def refuse(at: str, fault: str, must: str, bad: Rows, used: Rows) -> None:
    """Refuse values that break a rule, with their count and the first place."""
    where = np.flatnonzero(bad & used)
    if where.size:
        verb = "is" if where.size == 1 else "are"
        raise ValueError(
            f"{at}: {where.size} of {used.size} values {verb} {fault} "
            f"(the first at index {where[0]}); values must be {must}."
        )


def is_missing(value: Any) -> bool:
    """Whether one value stands for none: None, NaN, or what a data frame has for it.

    Examples
    --------
    >>> [is_missing(value) for value in (None, float("nan"), "nan", 0, np.int64(1))]
    [True, True, False, False, False]
    """
    if value is None:
        return True
    try:
        return not bool(value == value)
    except TypeError:  # pandas.NA is neither equal to itself nor different
        return True


def read_labels(at: str, given: Any, used: Rows, *, dates: bool = False) -> npt.NDArray[Any]:
    """Make labels one array of numbers, booleans or strings, or raise.

    Parameters
    ----------
    at : str
        Call and argument, for messages.
    given : array_like of shape (n,)
        Rows without weight may hold anything; the result has the label of another row there.
    used : ndarray of bool of shape (n,)
        Rows of positive weight.
    dates : bool, default False
        Whether dates and spans of time are labels.

    Examples
    --------
    >>> read_labels("fit_path(y=...)", ["b", None, "a"], np.array([True, False, True])).tolist()
    ['b', 'b', 'a']
    """
    array = column(at, as_array(at, given), used.size)
    if array.dtype.kind in "US" and not hasattr(given, "dtype"):
        # numpy makes strings of the numbers in a list
        array = column(at, np.asarray(given, object), used.size)
    array = array[np.where(used, np.arange(used.size), used.argmax())]
    if array.dtype.kind in "OT":
        array = _sortable(at, array.astype(object), used)
    if array.dtype.kind not in ("biufUS" + DATES if dates else "biufUS"):
        raise TypeError(f"{at}: labels of dtype {array.dtype}; use numbers, booleans or strings.")
    if array.dtype.kind in "f" + DATES:
        refuse(at, "NaN or infinite", "finite: drop these rows", ~np.isfinite(array), used)
    return array


def _sortable(at: str, array: npt.NDArray[Any], used: Rows) -> npt.NDArray[Any]:
    """Python objects of one type as an array of that type."""
    missing = np.array([is_missing(value) for value in array.tolist()])
    refuse(at, "missing", "known: drop these rows, or give them sample_weight 0", missing, used)
    values = [v.item() if isinstance(v, np.generic) else v for v in array.tolist()]
    kinds = {type(value) for value in values}
    if not (
        kinds <= {int, float, bool}
        or all(issubclass(kind, str) for kind in kinds)
        or all(issubclass(kind, bytes) for kind in kinds)
    ):
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise TypeError(f"{at}: labels of mixed or unknown types ({names}); use one type.")
    labels = np.array(values)
    if labels.dtype.kind == "O" or (labels.dtype.kind == "f" and float not in kinds):
        largest = max(values, key=abs)
        raise ValueError(
            f"{at}: the label {largest} is an integer of more than 64 bits; use strings."
        )
    return labels

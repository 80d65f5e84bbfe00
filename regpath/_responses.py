"""The response of every family, turned into numbers or refused before any work.

Rows of weight 0 may hold anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regpath._inputs import check_array, column_names, read_only
from regpath._labels import as_array, column, read_labels, refuse
from regpath.families import (
    Binomial,
    Cox,
    Custom,
    Family,
    Gamma,
    Gaussian,
    Huber,
    MultiGaussian,
    Multinomial,
    Poisson,
    Tweedie,
)

__all__ = [
    "Response",
    "check_response",
    "check_squares",
    "read_numbers",
    "read_proportions",
    "read_strata",
    "read_survival",
]

FloatArray = npt.NDArray[np.float64]
Rows = npt.NDArray[np.bool_]

# Responses whose squares can be summed.
LARGEST_RESPONSE = 1e152


@dataclass(frozen=True, kw_only=True, eq=False)
class Response:
    """A response in canonical form.

    Attributes
    ----------
    family : Family
    y : ndarray of shape (n,), or (n, K) for several outputs
        Numbers; indicators (n, K) for multinomial; (start, stop, event), (n, 3), for Cox, where
        start is -inf if there is none.
    classes : ndarray of shape (K,) or None
        Labels, in increasing order.
    n_outputs : int or None
        K, None for families with one output.
    names : tuple of str or None
        Of the columns of y, for MultiGaussian, if it was a data frame.
    strata : ndarray of int of shape (n,) or None
        For Cox.
    """

    family: Family
    y: FloatArray
    classes: npt.NDArray[Any] | None = None
    n_outputs: int | None = None
    names: tuple[str, ...] | None = None
    strata: npt.NDArray[np.int64] | None = None


def check_response(
    call: str, family: Family, y: Any, weights: FloatArray, *, fit_intercept: bool
) -> Response:
    """Make the response of a fit canonical, or raise.

    Parameters
    ----------
    call : str
        Name of the public function, for messages.
    family : Family
    y : array_like
        As the family wants it, with one row for each weight.
    weights : ndarray of shape (n,)
        Only rows of positive weight are looked at.
    fit_intercept : bool

    Returns
    -------
    Response

    Raises
    ------
    TypeError
        If y has no numbers where numbers are needed.
    ValueError
        If its shape or a value breaks a rule of the family.

    Examples
    --------
    >>> import numpy as np
    >>> response = check_response(
    ...     "fit_path", Binomial(), ["no", "yes", "no"], np.full(3, 1 / 3), fit_intercept=True
    ... )
    >>> response.y.tolist(), response.classes.tolist()
    ([0.0, 1.0, 0.0], ['no', 'yes'])
    """
    at, used = f"{call}(y=...)", weights > 0.0
    if isinstance(family, Binomial):
        return _binomial(at, family, y, used)
    if isinstance(family, Multinomial):
        return _multinomial(at, family, y, used)
    if isinstance(family, Cox):
        return _survival(at, family, y, used)
    if isinstance(family, MultiGaussian):
        return _several(at, family, y, used)
    return _numbers(at, family, y, used, fit_intercept)


def check_squares(
    call: str, response: Response, offset: FloatArray | None, weights: FloatArray
) -> None:
    """Refuse responses whose squares overflow, for families whose losses are squares."""
    if not isinstance(response.family, Gaussian | Huber | MultiGaussian):
        return
    K = response.n_outputs or 1
    y = response.y.reshape(-1, K)
    if offset is not None:
        with np.errstate(over="ignore"):
            y = y - offset.reshape(len(y), -1)
    used = (weights > 0.0)[:, None]
    largest = max(np.max(y, where=used, initial=0.0), -np.min(y, where=used, initial=0.0))
    if largest > LARGEST_RESPONSE:
        less = "" if offset is None else ", less the offset,"
        raise ValueError(
            f"{call}(y=...): values{less} of up to {largest:.3g} have squares beyond the largest "
            f"number; the {response.family.name} family allows {LARGEST_RESPONSE:g}: divide y by a "
            "constant."
        )


# ---------------------------------------------------------------------------------------- numbers


def _numbers(at: str, family: Family, y: Any, used: Rows, fit_intercept: bool) -> Response:
    values = column(at, read_numbers(at, y, used), used.size)
    if isinstance(family, Poisson | Tweedie):
        refuse(at, "negative", ">= 0", values < 0.0, used)
        if fit_intercept and not values[used].any():
            raise ValueError(
                f"{at}: all {used.size} values are 0, so that the intercept would be -inf; "
                f"the {family.name} family needs at least one positive value."
            )
    if isinstance(family, Gamma):
        refuse(at, "not positive", "> 0", values <= 0.0, used)
    assert isinstance(family, Gaussian | Huber | Poisson | Tweedie | Gamma | Custom)
    if not isinstance(family, Gaussian):
        values = np.where(used, values, 1.0)
    return Response(family=family, y=read_only(values))


def _several(at: str, family: MultiGaussian, y: Any, used: Rows) -> Response:
    values = read_numbers(at, y, used)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or len(values) != used.size or not values.shape[1]:
        raise ValueError(
            f"{at}: the shape is {values.shape}; the multigaussian family needs ({used.size}, K)."
        )
    K, names = values.shape[1], column_names(y)
    return Response(family=family, y=read_only(values), n_outputs=K, names=names)


def read_numbers(at: str, y: Any, used: Rows) -> FloatArray:
    """Numbers as float64, 0 in rows without weight; NaN and infinities are refused."""
    mixed = hasattr(y, "to_numpy") or isinstance(y, list | tuple)
    array = _typed(as_array(at, y), used) if mixed else y
    with np.errstate(over="ignore"):
        values = np.asarray(check_array(at, "y", array), np.float64, order="C")
    if values.ndim and len(values) == used.size:
        bad = np.asarray(~np.isfinite(values).reshape(used.size, -1).all(axis=1))
        refuse(at, "NaN or infinite", "finite: drop these rows or impute the values", bad, used)
        if not used.all():
            values = np.where(used.reshape(-1, *[1] * (values.ndim - 1)), values, 0.0)
    return values


def _typed(array: npt.NDArray[Any], used: Rows) -> npt.NDArray[Any]:
    """Columns of a data frame or list that are of several types, or None where nothing counts."""
    if array.dtype.kind != "O" or array.ndim not in (1, 2) or len(array) != used.size:
        return array
    array = array.copy()
    array[~used] = 0
    columns = [np.array(values.tolist()) for values in array.reshape(used.size, -1).T]
    return np.stack(columns, axis=-1).reshape(array.shape) if columns else array


# ----------------------------------------------------------------------------------------- classes


def _binomial(at: str, family: Binomial, y: Any, used: Rows) -> Response:
    labels = read_labels(at, y, used)
    classes = np.unique(labels[used])
    numeric = labels.dtype.kind in "fiu"
    inside = numeric and bool(classes[0] >= 0 and classes[-1] <= 1)
    indicators = numeric and bool(np.isin(classes, (0, 1)).all())
    if inside and not indicators:  # proportions
        values = np.where(used, labels, 0.5).astype(np.float64)
        return Response(family=family, y=read_only(values))
    if classes.size != 2:
        raise ValueError(
            f"{at}: {classes.size} label{'s' if classes.size > 1 else ''} in {int(used.sum())} rows"
            f" ({_listing(classes)}); the binomial family needs exactly two, or proportions in"
            f" [0, 1]{'; for more classes use multinomial' if classes.size > 2 else ''}."
        )
    values = (labels == classes[1]).astype(np.float64)
    return Response(family=family, y=read_only(values), classes=classes)


def _multinomial(at: str, family: Multinomial, y: Any, used: Rows) -> Response:
    values = read_proportions(at, y, used)
    if values is not None:
        K = values.shape[1]
        return Response(family=family, y=read_only(values), classes=np.arange(K), n_outputs=K)
    labels = read_labels(at, y, used)
    classes = np.unique(labels[used])
    if classes.size < 2:
        raise ValueError(
            f"{at}: {classes.size} label in {int(used.sum())} rows ({_listing(classes)}); "
            "the multinomial family needs at least two classes."
        )
    indicators = (labels[:, None] == classes).astype(np.float64)
    indicators[~used] = 1.0 / classes.size
    return Response(family=family, y=read_only(indicators), classes=classes, n_outputs=classes.size)


def read_proportions(at: str, y: Any, used: Rows) -> FloatArray | None:
    """Shares (n, K) of K > 1 classes, that sum to 1 in every row; None for a column of labels."""
    shape = as_array(at, y).shape
    if len(shape) != 2 or shape[1] == 1:
        return None
    if shape[0] != used.size:
        raise ValueError(f"{at}: {shape[0]} rows for the {used.size} rows of X.")
    values = read_numbers(at, y, used)
    sums = np.where(used, values.sum(axis=1), 1.0)
    wrong = (values < 0.0).any(axis=1) | (np.abs(sums - 1.0) > 1e-9)
    must = "proportions >= 0 that sum to 1 in every row (numbers of trials go to sample_weight)"
    refuse(at, "not proportions", must, wrong, used)
    if not (values[used].sum(axis=0) > 0.0).all():
        raise ValueError(f"{at}: a class has no observations; drop its column.")
    return np.where(used[:, None], values / sums[:, None], 1.0 / shape[1])


def _listing(classes: npt.NDArray[Any]) -> str:
    shown = ", ".join(repr(label) for label in classes[:5].tolist())
    return f"{shown}, ..." if classes.size > 5 else shown


# ---------------------------------------------------------------------------------------- survival


def _survival(at: str, family: Cox, y: Any, used: Rows) -> Response:
    columns = read_survival(at, y, used)
    strata = None
    if family.strata is not None:
        labels = read_strata(at, family.strata, used)
        strata = np.unique(labels, return_inverse=True)[1].astype(np.int64)
        family = family._replace(strata=labels)
    return Response(family=family, y=read_only(columns), strata=strata)


def read_strata(at: str, strata: Any, used: Rows) -> npt.NDArray[Any]:
    """One label a row, that of another stratum in rows without weight."""
    at = f"{at.partition('(')[0]}(family=Cox(strata=...))"
    shape = as_array(at, strata).shape
    if shape != (used.size,):
        raise ValueError(
            f"{at}: strata has shape {shape}; pass one label for each of the {used.size} rows."
        )
    return read_labels(at, strata, used, dates=True)


def read_survival(at: str, y: Any, used: Rows) -> FloatArray:
    """Start (-inf if there is none), stop, event; rows without weight are never at risk."""
    n = used.size
    values = _survival_columns(at, y, used)
    if values.ndim != 2 or len(values) != n or values.shape[1] not in (2, 3):
        raise ValueError(
            f"{at}: the shape is {values.shape}; the Cox family needs ({n}, 2), time and event, "
            f"or ({n}, 3), start, stop and event."
        )
    if values.shape[1] == 2:
        values = np.column_stack([np.full(n, -np.inf), values])
    start, stop, event = values.T
    refuse(at, "not a positive time", "times > 0", stop <= 0.0, used)
    refuse(at, "not before its stop", "start < stop", start >= stop, used)
    refuse(at, "neither 0 nor 1", "events 0 or 1", (event != 0.0) & (event != 1.0), used)
    if not event[used].any():
        raise ValueError(
            f"{at}: none of {int(used.sum())} rows has an event; the Cox family needs at least one."
        )
    dummy = np.array([-np.inf, 1.0, 0.0])
    return np.ascontiguousarray(np.where(used[:, None], values, dummy))


def _survival_columns(at: str, y: Any, used: Rows) -> FloatArray:
    """The columns by their names, if y has these, or in their order."""
    array = as_array(at, y)
    names = array.dtype.names or column_names(y) or ()
    if {"time", "event"} <= set(names) or {"start", "stop", "event"} <= set(names):
        fields = ("time", "event") if "time" in names else ("start", "stop", "event")
        table = array if array.dtype.names else y
        columns = [_named_column(at, name, table[name], used) for name in fields]
        return np.stack(columns, axis=-1)
    if array.dtype.names:
        raise ValueError(
            f"{at}: fields {names}; the Cox family needs (time, event) or (start, stop, event)."
        )
    return read_numbers(at, y, used)


def _named_column(at: str, name: str, values: Any, used: Rows) -> FloatArray:
    at = f"{at}: the field {name!r}"
    return np.asarray(column(at, read_numbers(at, values, used), used.size))

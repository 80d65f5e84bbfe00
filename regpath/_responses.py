"""The response of every family, turned into numbers or refused before any work.

Rows of weight 0 may hold anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from regpath._inputs import check_array, column_names, read_only
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

__all__ = ["Response", "check_response", "check_squares"]

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
    values = _column(at, _float(at, y, used), used.size)
    _check_finite(at, values, used)
    if isinstance(family, Poisson | Tweedie):
        _refuse(at, "negative", ">= 0", values < 0.0, used)
        if fit_intercept and not values[used].any():
            raise ValueError(
                f"{at}: all {used.size} values are 0, so that the intercept would be -inf; "
                f"the {family.name} family needs at least one positive value."
            )
    if isinstance(family, Gamma):
        _refuse(at, "not positive", "> 0", values <= 0.0, used)
    assert isinstance(family, Gaussian | Huber | Poisson | Tweedie | Gamma | Custom)
    if not isinstance(family, Gaussian):
        values = np.where(used, values, 1.0)
    return Response(family=family, y=read_only(values))


def _several(at: str, family: MultiGaussian, y: Any, used: Rows) -> Response:
    values = _float(at, y, used)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or len(values) != used.size or not values.shape[1]:
        raise ValueError(
            f"{at}: the shape is {values.shape}; the multigaussian family needs ({used.size}, K)."
        )
    _check_finite(at, values, used)
    values = np.where(used[:, None], values, 0.0)
    K, names = values.shape[1], column_names(y)
    return Response(family=family, y=read_only(values), n_outputs=K, names=names)


def _float(at: str, y: Any, used: Rows) -> FloatArray:
    array = check_array(at, "y", y)
    with np.errstate(over="ignore"):
        return np.asarray(array, np.float64, order="C")


def _column(at: str, values: npt.NDArray[Any], n: int) -> npt.NDArray[Any]:
    """One value a row."""
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(f"{at}: the shape is {values.shape}; y must have one dimension, ({n},).")
    if values.size != n:
        raise ValueError(
            f"{at}: {values.size} values for the {n} rows of X; pass exactly one per row."
        )
    return values


def _check_finite(at: str, values: FloatArray, used: Rows) -> None:
    """Gaussian rows of weight 0 included: they always were."""
    bad = np.asarray(~np.isfinite(values).reshape(used.size, -1).all(axis=1))
    _refuse(at, "NaN or infinite", "finite: drop these rows or impute the values", bad, bad | used)


def _refuse(at: str, fault: str, must: str, bad: Rows, used: Rows) -> None:
    """Refuse values that break a rule, with their count and the first place."""
    where = np.flatnonzero(bad & used)
    if where.size:
        verb = "is" if where.size == 1 else "are"
        raise ValueError(
            f"{at}: {where.size} of {used.size} values {verb} {fault} "
            f"(the first at index {where[0]}); values must be {must}."
        )


# ----------------------------------------------------------------------------------------- classes


def _labels(at: str, y: Any, n: int) -> npt.NDArray[Any]:
    """Labels of any kind as an array that can be sorted."""
    array = np.asarray(y.to_numpy() if hasattr(y, "to_numpy") else y)
    array = _column(at, array, n)
    if array.dtype.kind in "US" and not hasattr(y, "dtype"):
        array = _column(
            at, np.asarray(y, object), n
        )  # numpy makes strings of the numbers in a list
    if array.dtype.kind == "O":
        kinds = {type(value) for value in array.tolist()}
        for text in (str, bytes):
            if all(issubclass(kind, text) for kind in kinds):
                return array.astype(text)
        if kinds <= {int, float, bool}:
            return array.astype(np.float64) if float in kinds else array.astype(np.int64)
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise TypeError(f"{at}: labels of mixed or unknown types ({names}); use one type.")
    if array.dtype.kind not in "biufUS":
        raise TypeError(f"{at}: labels of dtype {array.dtype}; use numbers, booleans or strings.")
    return array


def _check_no_nan(at: str, labels: npt.NDArray[Any], used: Rows) -> None:
    if labels.dtype.kind == "f":
        _refuse(at, "NaN or infinite", "finite: drop these rows", ~np.isfinite(labels), used)


def _binomial(at: str, family: Binomial, y: Any, used: Rows) -> Response:
    labels = _labels(at, y, used.size)
    _check_no_nan(at, labels, used)
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
    array = np.asarray(y.to_numpy() if hasattr(y, "to_numpy") else y)
    if array.ndim == 2 and array.shape[1] > 1:
        return _proportions(at, family, array, used)
    labels = _labels(at, y, used.size)
    _check_no_nan(at, labels, used)
    classes = np.unique(labels[used])
    if classes.size < 2:
        raise ValueError(
            f"{at}: {classes.size} label in {int(used.sum())} rows ({_listing(classes)}); "
            "the multinomial family needs at least two classes."
        )
    indicators = (labels[:, None] == classes).astype(np.float64)
    indicators[~used] = 1.0 / classes.size
    return Response(family=family, y=read_only(indicators), classes=classes, n_outputs=classes.size)


def _proportions(at: str, family: Multinomial, y: npt.NDArray[Any], used: Rows) -> Response:
    values = _float(at, y, used)
    if len(values) != used.size:
        raise ValueError(f"{at}: {len(values)} rows for the {used.size} rows of X.")
    _check_finite(at, values, used)
    wrong = (values < 0.0).any(axis=1) | (np.abs(values.sum(axis=1) - 1.0) > 1e-9)
    must = "proportions >= 0 that sum to 1 in every row (numbers of trials go to sample_weight)"
    _refuse(at, "not proportions", must, wrong, used)
    if not (values[used].sum(axis=0) > 0.0).all():
        raise ValueError(f"{at}: a class has no observations; drop its column.")
    K = values.shape[1]
    values = np.where(used[:, None], values / values.sum(axis=1, keepdims=True), 1.0 / K)
    return Response(family=family, y=read_only(values), classes=np.arange(K), n_outputs=K)


def _listing(classes: npt.NDArray[Any]) -> str:
    shown = ", ".join(repr(label) for label in classes[:5].tolist())
    return f"{shown}, ..." if classes.size > 5 else shown


# ---------------------------------------------------------------------------------------- survival


def _survival(at: str, family: Cox, y: Any, used: Rows) -> Response:
    columns = _survival_columns(at, y, used)
    start, stop, event = columns.T
    _refuse(at, "not a positive time", "times > 0", stop <= 0.0, used)
    _refuse(at, "not before its stop", "start < stop", start >= stop, used)
    _refuse(at, "neither 0 nor 1", "events 0 or 1", (event != 0.0) & (event != 1.0), used)
    if not event[used].any():
        raise ValueError(
            f"{at}: none of {int(used.sum())} rows has an event; the Cox family needs at least one."
        )
    strata = None
    if family.strata is not None:
        labels = np.asarray(family.strata)
        if labels.shape != (used.size,):
            raise ValueError(
                f"{at}: strata has shape {labels.shape}; pass one label for each of the "
                f"{used.size} rows."
            )
        strata = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    return Response(family=family, y=read_only(columns), strata=strata)


def _field(at: str, name: str, values: Any) -> FloatArray:
    array = np.asarray(values)
    if array.dtype.kind not in "biufO":
        raise TypeError(
            f"{at}: the field {name!r} has dtype {array.dtype}; it must hold numbers or booleans."
        )
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{at}: the field {name!r} holds values that are not numbers ({error})."
        ) from None


def _survival_columns(at: str, y: Any, used: Rows) -> FloatArray:
    """Start (-inf if there is none), stop, event."""
    n = used.size
    array = np.asarray(y.to_numpy() if hasattr(y, "to_numpy") else y)
    names = array.dtype.names or tuple(getattr(y, "columns", ()))
    if {"time", "event"} <= set(names) or {"start", "stop", "event"} <= set(names):
        fields = ("time", "event") if "time" in names else ("start", "stop", "event")
        columns = array if array.dtype.names else y
        array = np.stack([_field(at, name, columns[name]) for name in fields], axis=-1)
    elif array.dtype.names:
        raise ValueError(
            f"{at}: fields {names}; the Cox family needs (time, event) or (start, stop, event)."
        )
    values = _float(at, array, used)
    if values.ndim != 2 or len(values) != n or values.shape[1] not in (2, 3):
        raise ValueError(
            f"{at}: the shape is {values.shape}; the Cox family needs ({n}, 2), time and event, "
            f"or ({n}, 3), start, stop and event."
        )
    _check_finite(at, values, used)
    if values.shape[1] == 2:
        values = np.column_stack([np.full(n, -np.inf), values])
    dummy = np.array([-np.inf, 1.0, 0.0])
    return np.ascontiguousarray(np.where(used[:, None], values, dummy))

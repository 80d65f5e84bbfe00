"""Interpolation along a path and the linear predictor of new rows, for any kind of X."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array, csr_array, issparse

__all__ = ["interpolation", "linear_predictor", "numbers"]

FloatArray: TypeAlias = npt.NDArray[np.float64]

BLOCK = 1 << 22
"""Elements of a dense X that are worked on at once: 32 MB after conversion to float64."""


def refuse_empty(call: str, lambdas: FloatArray) -> None:
    """Refuse a path without points."""
    if not lambdas.size:
        raise ValueError(f"{call}: the path has no points; info['stopped'] says why.")


def interpolation(lambdas: FloatArray, at: npt.ArrayLike, call: str) -> csc_array:
    """Weights that interpolate linearly between the points of a grid.

    Parameters
    ----------
    lambdas : ndarray of shape (L,)
        Decreasing; may begin with inf.
    at : float or array of shape (k,)
    call : str
        Name of the caller, for messages.

    Returns
    -------
    weights : csc_array of shape (L, k)
        Each column sums to one and has one entry (a point of the grid) or two (between points).

    Raises
    ------
    TypeError
        If `at` holds anything but numbers.
    ValueError
        If a value is negative, NaN, or lies outside of the grid.

    Examples
    --------
    >>> import numpy as np
    >>> interpolation(np.array([4.0, 2.0, 1.0]), [2.0, 3.0], "f").toarray()
    array([[0. , 0.5],
           [1. , 0.5],
           [0. , 0. ]])
    """
    try:
        values = np.asarray(at, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(
            f"{call}: lambda_ must be a number or a list of numbers, got {at!r}; rules such as "
            "'min' are for results of cv_path."
        ) from None
    if values.ndim > 1:
        raise ValueError(f"{call}: lambda_ has shape {values.shape}; give one value or a list.")
    values = np.atleast_1d(values)
    if values.size:
        refuse_empty(call, lambdas)
    if not np.all(values >= 0.0):
        raise ValueError(f"{call}: lambda_ must be >= 0, got {at!r}.")
    finite = lambdas[np.isfinite(lambdas)]
    if finite.size:  # a value that was printed and read again may miss the end by rounding
        for end in (finite[0], finite[-1]):
            values = np.where(np.isclose(values, end, rtol=1e-9, atol=0.0), end, values)
    ascending = lambdas[::-1]
    left = np.searchsorted(ascending, values, side="right") - 1
    hit = (left >= 0) & (ascending[left] == values)
    inside = hit | (values > finite.min(initial=np.inf)) & (values < finite.max(initial=-np.inf))
    if not inside.all():
        _raise_outside(lambdas, finite, values[~inside][0], call)
    right = np.where(hit, left, np.minimum(left + 1, lambdas.size - 1))
    with np.errstate(invalid="ignore"):  # inf - inf where hit, which the choice below discards
        share = (values - ascending[left]) / (ascending[right] - ascending[left])
    share = np.where(hit, 0.0, share)
    column = np.arange(values.size)
    two = ~hit
    rows = lambdas.size - 1 - np.concatenate([left, right[two]])
    weights = np.concatenate([1.0 - share, share[two]])
    columns = np.concatenate([column, column[two]])
    return csc_array((weights, (rows, columns)), shape=(lambdas.size, values.size))


def _raise_outside(lambdas: FloatArray, finite: FloatArray, value: float, call: str) -> None:
    ends = f"{finite[-1]:.6g} to {finite[0]:.6g}" if finite.size else "inf alone"
    ends += " and inf" if finite.size < lambdas.size and finite.size else ""
    advice = (
        "pass exact=True with X and y to solve the problem at this lambda"
        if call != "Path.predict"
        else "fit a path that contains this lambda"
    )
    raise ValueError(f"{call}: lambda_={value:.6g} lies outside of the path ({ends}); {advice}.")


def linear_predictor(X: Any, coefs: csc_array, names: Sequence[str] | None) -> FloatArray:
    """X times coefficients, ndarray of shape (n, k), without the intercept.

    Parameters
    ----------
    X : array, sparse matrix or data frame of shape (n, p)
    coefs : csc_array of shape (p, k)
    names : sequence of str, optional
        The columns to take from a data frame. Unknown: its columns in their order.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csc_array
    >>> linear_predictor(np.eye(2), csc_array(np.array([[3.0], [4.0]])), None)
    array([[3.],
           [4.]])
    """
    if issparse(X):
        _check_columns(X.shape, coefs.shape[0])
        if X.dtype.kind not in "biuf":
            raise TypeError(f"Path.predict(X): X has dtype {X.dtype}; it must be numeric.")
        X = csr_array(X)
        if not np.isfinite(X.data).all():
            raise ValueError("Path.predict(X): X has entries that are nan or inf.")
        return np.asarray((X @ coefs).toarray(), dtype=np.float64)
    if hasattr(X, "columns") and hasattr(X, "to_numpy"):
        X = _frame_values(X, coefs.shape[0], names)
    X = np.asarray(X)
    _check_columns(X.shape, coefs.shape[0])
    if X.dtype.kind not in "biuf":
        raise TypeError(f"Path.predict(X): X has dtype {X.dtype}; it must be numeric.")
    return _dense_product(X, coefs)


def _dense_product(X: npt.NDArray[Any], coefs: csc_array) -> FloatArray:
    """Multiply in blocks of rows by the columns in use: X is never converted whole."""
    used = np.unique(coefs.indices)
    some = coefs.tocsr()[used].toarray()
    eta = np.zeros((X.shape[0], coefs.shape[1]))
    step = max(1, BLOCK // max(1, X.shape[1]))
    for start in range(0, X.shape[0], step):
        block = X[start : start + step]
        finite = np.isfinite(block)
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            raise ValueError(
                f"Path.predict(X): X[{start + row}, {column}] is {block[row, column]}; "
                "all values must be finite."
            )
        eta[start : start + step] = block[:, used] @ some
    return eta


def _check_columns(shape: tuple[int, ...], p: int) -> None:
    if len(shape) != 2:
        raise ValueError(f"Path.predict(X): X has shape {shape}; it must be (n, {p}).")
    if shape[1] != p:
        raise ValueError(f"Path.predict(X): X has {shape[1]} columns; the path was fitted on {p}.")


def _frame_values(frame: Any, p: int, names: Sequence[str] | None) -> npt.NDArray[Any]:
    """Columns of a data frame by name if names are known, by position otherwise."""
    given = [str(name) for name in frame.columns]
    if names is None:
        _check_columns((0, len(given)), p)
        positions = list(range(p))
    else:
        place = {name: j for j, name in enumerate(given)}
        missing = [name for name in names if name not in place]
        if missing:
            raise ValueError(f"Path.predict(X): X has no column {shorten(missing)}.")
        repeated = []
        if len(place) < len(given):
            counts = Counter(given)
            repeated = [name for name in names if counts[name] > 1]
        if repeated:
            raise ValueError(f"Path.predict(X): X has several columns {shorten(repeated)}.")
        positions = [place[name] for name in names]
    columns = frame.iloc if hasattr(frame, "iloc") else frame
    X = np.empty((frame.shape[0], p), order="F")
    for j, position in enumerate(positions):
        values = numbers(columns[:, position])
        if values is None:
            raise TypeError(f"Path.predict(X): column {given[position]!r} is not numeric.")
        X[:, j] = values
    return X


def numbers(column: Any) -> npt.NDArray[Any] | None:
    """Values of one column of a data frame, NaN where they are missing; None if not numeric.

    Examples
    --------
    >>> numbers([1, 2]), numbers(["1", "2"])
    (array([1, 2]), None)
    """
    values = np.asarray(column)
    if values.dtype.kind != "O":
        return values if values.dtype.kind in "biuf" else None
    if any(isinstance(value, str) for value in values):  # float("1") would be too generous
        return None
    try:  # decimals, and integers some of which are missing
        if hasattr(column, "iloc"):
            return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
        return values.astype(np.float64)
    except (TypeError, ValueError):
        return None


def shorten(names: Sequence[str], limit: int = 5) -> str:
    """Quote the first few names of a list.

    Examples
    --------
    >>> shorten(["a", "b", "c"], limit=2)
    "'a', 'b' and 1 more"
    """
    shown = ", ".join(repr(name) for name in names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown

"""Folds of a cross-validation: which rows a model is fitted to, and on which it is judged."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

from regpath._labels import is_missing
from regpath._responses import Response
from regpath.families import Binomial, Cox, Multinomial, Poisson, Tweedie

__all__ = [
    "Fold",
    "check_folds",
    "check_training",
    "generator",
    "is_partition",
    "rows_of",
    "strata_of",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class Fold(NamedTuple):
    """The rows of one fold.

    Attributes
    ----------
    times : ndarray of shape (n,)
        How often each row counts in the fit; 0 for the rows that are held out.
    held_out : ndarray of int of shape (m,)
        Rows on which the fit is judged, increasing.
    """

    times: FloatArray
    held_out: IntArray


def check_folds(
    call: str,
    cv: Any,
    X: Any,
    y: Any,
    response: Response,
    weights: FloatArray,
    random_state: Any,
) -> list[Fold]:
    """Folds from a number, labels, a splitter or index pairs; an error if one cannot be used.

    Parameters
    ----------
    call : str
        Name of the public function, for messages.
    cv : int, "loo", labels of shape (n,), splitter, or iterable of (train, test)
    X, y
        As the user gave them, for splitters.
    response : Response
    weights : ndarray of shape (n,)
    random_state : None, int or numpy.random.Generator
        Shuffles the rows for a number of folds.

    Raises
    ------
    TypeError
        If `cv` is none of these.
    ValueError
        If the labels have the wrong length, or a fold has an empty part, rows that do not exist,
        rows in both parts, or a training part that the family cannot be fitted to.

    Examples
    --------
    >>> import numpy as np
    >>> from regpath.families import Gaussian
    >>> response = Response(family=Gaussian(), y=np.arange(4.0))
    >>> folds = check_folds("cv_path", [0, 1, 0, 1], None, None, response, np.full(4, 0.25), None)
    >>> [fold.held_out.tolist() for fold in folds]
    [[0, 2], [1, 3]]
    """
    n = weights.size
    at = f"{call}(cv=...)"
    if isinstance(cv, str):
        if cv != "loo":
            raise ValueError(f"{call}(cv={cv!r}): the only name of a scheme is 'loo'.")
        folds = [fold for fold in _by_labels(np.arange(n)) if weights[fold.held_out[0]] > 0.0]
    elif isinstance(cv, numbers.Integral) and not isinstance(cv, bool):
        folds = _by_labels(_random_labels(call, int(cv), response, weights, random_state))
    elif isinstance(cv, type):
        raise TypeError(f"{at}: got the class {cv.__name__} itself; make one: cv={cv.__name__}().")
    elif hasattr(cv, "split") and not hasattr(cv, "shape"):
        folds = [_pair(at, pair, n) for pair in _splits(at, cv, X, y)]
    else:
        folds = _listed(at, cv, n)
    if len(folds) < 2:
        some = "1 fold" if folds else "0 folds"
        raise ValueError(f"{at}: {some}; at least 2 are needed.")
    for k, fold in enumerate(folds):
        _check_parts(f"{at}: fold {k}", fold, weights)
        check_training(f"{at}: fold {k}", response, weights * fold.times)
    return folds


def _random_labels(
    call: str, n_folds: int, response: Response, weights: FloatArray, random_state: Any
) -> IntArray:
    """Labels of folds of equal size, in random order; every class is spread over all of them."""
    n = weights.size
    if not 2 <= n_folds <= n:
        raise ValueError(
            f"{call}(cv={n_folds}): the number of folds must be between 2 and the {n} rows."
        )
    order = generator(call, random_state).permutation(n)
    groups = strata_of(response)
    if groups is not None:  # deal the rows of one class after the other
        order = order[np.argsort(groups[order], kind="stable")]
    # Rows of weight 0 do not matter: they come last.
    order = order[np.argsort(weights[order] == 0.0, kind="stable")]
    labels = np.empty(n, np.int64)
    labels[order] = np.arange(n) % n_folds
    return labels


def generator(call: str, random_state: Any) -> np.random.Generator:
    """The source of random numbers that a user named, or an error."""
    try:
        return np.random.default_rng(random_state)
    except (TypeError, ValueError):
        raise TypeError(
            f"{call}(random_state={random_state!r}): it must be None, an integer >= 0 or a "
            "numpy.random.Generator."
        ) from None


def strata_of(response: Response) -> npt.NDArray[Any] | None:
    """What every fold should have its share of: classes, or events."""
    if isinstance(response.family, Multinomial):
        return np.asarray(response.y.argmax(axis=1))
    if isinstance(response.family, Binomial) and response.classes is not None:
        return response.y
    return response.y[:, 2] if isinstance(response.family, Cox) else None


def _splits(at: str, splitter: Any, X: Any, y: Any) -> Iterable[Any]:
    """What a splitter yields; one that misses its groups says how to give them."""
    try:
        return list(splitter.split(X, y))
    except ValueError as error:
        if "'groups'" not in str(error):  # the parameter, in words of scikit-learn
            raise
        raise ValueError(
            f"{at}: {type(splitter).__name__} needs groups ({error}) Pass "
            "cv=splitter.split(X, y, groups), or the groups themselves as labels of folds."
        ) from error


def _by_labels(labels: npt.NDArray[Any]) -> list[Fold]:
    _, place = np.unique(labels, return_inverse=True)
    place = place.ravel()
    return [
        Fold((place != k).astype(np.float64), np.flatnonzero(place == k))
        for k in range(int(place.max()) + 1)
    ]


def _listed(at: str, cv: Any, n: int) -> list[Fold]:
    """Folds from labels or from pairs of index arrays."""
    if not isinstance(cv, Iterable):
        raise TypeError(
            f"{at}: got {type(cv).__name__}; give a number of folds, 'loo', one label for every "
            "row, a splitter with a method split, or pairs (train, test) of row indices."
        )
    if hasattr(cv, "shape"):
        values = cv
    else:  # a list of the values of pyarrow would be one of its objects
        values = np.asarray(cv) if hasattr(cv, "__array__") else list(cv)
    if not hasattr(values, "shape") and all(_is_pair(item) for item in values):
        return [_pair(at, item, n) for item in values]
    try:
        labels = np.asarray(values)
    except ValueError:  # rows of unequal length
        labels = np.empty(0)
    if labels.shape != (n,):
        raise ValueError(
            f"{at}: labels of folds have shape {labels.shape}; there must be one for each of the "
            f"{n} rows."
        )
    if _missing(labels):
        raise ValueError(f"{at}: labels of folds are missing or infinite; every row needs one.")
    try:
        return _by_labels(labels)
    except TypeError:
        raise TypeError(
            f"{at}: labels of folds cannot be sorted; they must be of one type."
        ) from None


def _missing(labels: npt.NDArray[Any]) -> bool:
    if labels.dtype.kind == "O":
        return any(is_missing(label) for label in labels.tolist())
    if labels.dtype.kind in "mM":
        return bool(np.isnat(labels).any())
    return labels.dtype.kind == "f" and not np.isfinite(labels).all()


def _is_pair(item: Any) -> bool:
    return isinstance(item, tuple | list) and len(item) == 2 and np.ndim(item[0]) == 1


def _pair(at: str, pair: Any, n: int) -> Fold:
    train, test = (_rows(at, part, n) for part in pair)
    both = np.intersect1d(train, test)
    if both.size:
        raise ValueError(
            f"{at}: row {both[0]} is in the training and in the test part of a fold; "
            "a model cannot be judged on rows that it was fitted to."
        )
    return Fold(np.bincount(train, minlength=n).astype(np.float64), np.sort(test))


def _rows(at: str, part: Any, n: int) -> IntArray:
    rows = np.asarray(part)
    if rows.dtype == np.bool_ and rows.shape == (n,):
        return np.flatnonzero(rows)
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
        raise TypeError(
            f"{at}: the parts of a fold are index arrays or boolean masks of length {n}, "
            f"got an array of dtype {rows.dtype} and shape {rows.shape}."
        )
    outside = (rows < -n) | (rows >= n) if rows.size else rows
    if outside.any():
        raise ValueError(f"{at}: row {rows[outside][0]} is not among the {n} rows of X.")
    return rows.astype(np.int64) % n


def _check_parts(at: str, fold: Fold, weights: FloatArray) -> None:
    for part, rows in (("training", fold.times > 0.0), ("test", fold.held_out)):
        if not weights[rows].size:
            raise ValueError(f"{at} has an empty {part} part.")
        if not weights[rows].any():
            raise ValueError(
                f"{at} has a {part} part whose rows all have weight 0. Leave that fold out, or "
                "give its rows the label of another; a number of folds spreads such rows, and "
                "'loo' leaves them out."
            )


def check_training(at: str, response: Response, weights: FloatArray) -> None:
    """Refuse training rows that the family cannot be fitted to."""
    family, y, used = response.family, response.y, weights > 0.0
    if isinstance(family, Multinomial | Binomial):
        shares = y if y.ndim == 2 else np.stack([1.0 - y, y], axis=1)
        missing = np.flatnonzero(~(shares[used] > 0.0).any(axis=0))
        if missing.size:
            label = missing[0] if response.classes is None else response.classes[missing[0]]
            to_do = "Spread its rows over several folds (a number of folds does)."
            if np.count_nonzero(shares[:, missing[0]]) == 1:
                to_do = "It has one row only: leave that row out, or join the class to another."
            raise ValueError(
                f"{at} has no row of class {label!s} in its training part; every class is needed "
                f"there. {to_do}"
            )
    if isinstance(family, Poisson | Tweedie) and not y[used].any():
        raise ValueError(f"{at} has only zeros as responses in its training part.")
    if isinstance(family, Cox) and not y[used, 2].any():
        raise ValueError(f"{at} has no event in its training part.")


def is_partition(folds: Sequence[Fold], n: int) -> bool:
    """Whether every row is held out once, and counts once in all other folds."""
    held_out = np.concatenate([fold.held_out for fold in folds])
    if not np.array_equal(np.bincount(held_out, minlength=n), np.ones(n)):
        return False
    times = [np.ones(n) for _ in folds]
    for own, fold in zip(times, folds, strict=True):
        own[fold.held_out] = 0.0
    return all(np.array_equal(a, fold.times) for a, fold in zip(times, folds, strict=True))


def rows_of(values: Any, rows: IntArray) -> Any:
    """Some rows of an array, sparse matrix or data frame.

    Examples
    --------
    >>> import numpy as np
    >>> rows_of([5, 6, 7], np.array([2, 0])).tolist()
    [7, 5]
    """
    if hasattr(values, "iloc"):
        return values.iloc[rows]
    if issparse(values):
        return values.tocsr()[rows]
    if hasattr(values, "columns") and hasattr(values, "to_numpy"):  # polars
        return values[rows.tolist()]
    return np.asarray(values)[rows]

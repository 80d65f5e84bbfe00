"""What the user passes, turned into canonical arrays or refused before any work.

Every message names the call, the argument, what was given and the rule, and says what to do.

All arrays that leave this file are read-only views or copies, float64 except X, and contiguous:
a kernel sees one type per storage, and nothing of the user's can be written to.
"""

from __future__ import annotations

import difflib
import numbers
import reprlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from regpath._inputs import (
    can_take,
    check_array,
    check_design,
    read_only,
    type_name,
)
from regpath._responses import Response, check_response, check_squares
from regpath._vectors import (
    NAN,
    NEGATIVE,
    check_spread,
    check_values,
    checked_offset,
    float64,
    full_offset,
    given_or_full,
    normalised_weights,
    optional_vector,
)
from regpath.designs import Csc, Dense
from regpath.families import Cox, Family, Gaussian

__all__ = [
    "Options",
    "Problem",
    "check_design",
    "check_options",
    "check_problem",
    "refuse_unknown",
]

FloatArray: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """The data of one fit in canonical form.

    Attributes
    ----------
    design : Dense or Csc
        X without a copy wherever its storage allows.
    n, p : int
        Numbers of rows and columns of X.
    feature_names : tuple of str or None
        Column names of a data frame.
    response : Response
        y in the form that its family wants.
    offset : ndarray of shape (n,), or (n, K) for several outputs
        Zeros if none.
    weights : ndarray of shape (n,)
        Sample weights that sum to one.
    penalty_factor, lower, upper : ndarray of shape (p,)
        Ones, -inf and inf if not given.
    weight_sum : float
        Sum of the user's weights, n if none; inf if it overflows.
    notes : tuple of str
        Conversions that cost a copy of X.
    given : dict of str to (ndarray or None)
        ``sample_weight, offset, penalty_factor, lower, upper`` as the user gave them, broadcast,
        None where not given.
    """

    design: Dense | Csc
    n: int
    p: int
    feature_names: tuple[str, ...] | None
    response: Response
    weights: FloatArray
    offset: FloatArray
    penalty_factor: FloatArray
    lower: FloatArray
    upper: FloatArray
    weight_sum: float
    notes: tuple[str, ...]
    given: dict[str, FloatArray | None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Options:
    """The options of a path, with their defaults.

    Attributes
    ----------
    l1_ratio : float
        Share of the L1 norm in the penalty: 1 is the lasso, 0 is ridge.
    lambdas : ndarray or None
        The user's grid in decreasing order, duplicates kept.
    n_lambdas, lambda_min_ratio : int, float or None
        Length and depth of the automatic grid.
    fit_intercept, standardize : bool
        Whether to fit an intercept, and to penalise on the scale of unit standard deviation.
    tol : float
        Bound on the relative duality gap.
    max_iter : int
        Iterations per lambda.
    max_features, stop_at_dev_ratio, time_budget : int, float, float, or None
        Reasons to end the path early; the time in seconds.
    n_threads : int or None
        Threads for passes over X.
    progress : bool
        Whether to show a progress bar.
    callback : callable or None
        Called after every point; ends the path by returning True.
    """

    l1_ratio: float = 1.0
    lambdas: FloatArray | None = None
    n_lambdas: int = 100
    lambda_min_ratio: float | None = None
    fit_intercept: bool = True
    standardize: bool = True
    tol: float = 1e-6
    max_iter: int = 10_000
    max_features: int | None = None
    stop_at_dev_ratio: float | None = None
    n_threads: int | None = None
    progress: bool = False
    callback: Callable[..., Any] | None = None
    time_budget: float | None = None


def check_problem(
    call: str,
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    offset: Any = None,
    penalty_factor: Any = None,
    lower: Any = None,
    upper: Any = None,
    family: Family = Gaussian(),  # noqa: B008 - a tuple
    fit_intercept: bool = True,
) -> Problem:
    """Make the data of a fit canonical, or raise.

    Parameters
    ----------
    call : str
        Name of the public function, for messages.
    X : array, sparse matrix or data frame of shape (n, p)
        See `check_design`.
    y : array_like of shape (n,)
        Response; a column of shape (n, 1) is accepted. Booleans and integers become float64.
        Some families want more, see `regpath.families`.
    sample_weight, offset : array_like of shape (n,), optional
        Weights >= 0 of any scale, and offset.
    penalty_factor, lower, upper : float or array_like of shape (p,), optional
        Factors >= 0 (inf excludes a feature), limits <= 0 and >= 0.
    family : Family, optional
    fit_intercept : bool, default True

    Returns
    -------
    Problem

    Raises
    ------
    TypeError
        If a container or a dtype cannot hold real numbers.
    ValueError
        If shapes or values break a rule.

    Examples
    --------
    >>> problem = check_problem("lasso_path", [[0, 1], [2, 3], [4, 5]], [1, 2, 4], lower=0)
    >>> problem.n, problem.p, problem.lower.tolist()
    (3, 2, [0.0, 0.0])
    >>> check_problem("lasso_path", [[0], [1]], [1, 2], sample_weight=[1, -1])
    Traceback (most recent call last):
    ValueError: lasso_path(sample_weight=...): 1 of 2 weights is negative (the first at index 1); \
weights must be >= 0.
    """
    design, names, notes = check_design(call, X)
    n, p = _shape(design)
    sample_weight = optional_vector(call, "sample_weight", sample_weight, n)
    weights, weight_sum = normalised_weights(call, sample_weight, n)
    response = check_response(call, family, y, weights, fit_intercept=fit_intercept)
    if isinstance(family, Cox):
        check_spread(call, offset, weights)
    given = {
        "sample_weight": sample_weight,
        "offset": checked_offset(call, offset, n, response.n_outputs),
        "penalty_factor": optional_vector(call, "penalty_factor", penalty_factor, p),
        "lower": optional_vector(call, "lower", lower, p),
        "upper": optional_vector(call, "upper", upper, p),
    }
    check_squares(call, response, given["offset"], weights)
    return Problem(
        design=design,
        n=n,
        p=p,
        feature_names=names,
        response=response,
        weights=weights,
        offset=full_offset(given["offset"], n, response.n_outputs),
        penalty_factor=given_or_full(given["penalty_factor"], p, 1.0),
        lower=given_or_full(given["lower"], p, -np.inf),
        upper=given_or_full(given["upper"], p, np.inf),
        weight_sum=weight_sum,
        notes=notes,
        given=given,
    )


def check_options(call: str, **options: Any) -> Options:
    """Check types and ranges of the options of a path.

    Parameters
    ----------
    call : str
        Name of the public function, for messages.
    **options
        Any fields of `Options`; the others keep their defaults.

    Returns
    -------
    Options

    Raises
    ------
    TypeError
        If an option is unknown or has the wrong type.
    ValueError
        If it is out of range.

    Examples
    --------
    >>> check_options("lasso_path", lambdas=[0.1, 1, 0.5]).lambdas.tolist()
    [1.0, 0.5, 0.1]
    >>> check_options("lasso_path", tol=-1)
    Traceback (most recent call last):
    ValueError: lasso_path(tol=-1): tol must be a finite number > 0.
    """
    defaults = {field.name: field.default for field in fields(Options)}
    refuse_unknown(call, options, [*defaults])
    values = {
        name: _option(call, name, value)
        for name, value in options.items()
        if value is not None or defaults[name] is not None
    }
    return Options(**values)


def refuse_unknown(call: str, given: Iterable[str], known: Sequence[str]) -> None:
    """Refuse options that do not exist, with the name that was meant or all that there are.

    Examples
    --------
    >>> refuse_unknown("cv_path", ["gamma"], ["gammas", "tol"])
    Traceback (most recent call last):
    TypeError: cv_path(gamma=...): there is no such option; did you mean 'gammas'?
    """
    for name in given:
        if name not in known:
            meant = _ELSEWHERE.get(name)
            close = [meant] if meant in known else difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}."
            raise TypeError(f"{call}({name}=...): there is no such option; {hint}")


# ---------------------------------------------------------------------------------------- options

# What other packages call our options, where the names are not alike.
_ELSEWHERE = {
    "weights": "sample_weight",
    "alpha": "l1_ratio",
    "alphas": "lambdas",
    "folds": "cv",
    "n_folds": "cv",
    "nfolds": "cv",
    "foldid": "cv",
}


class _OptionRule(NamedTuple):
    types: tuple[Any, ...]
    convert: Callable[[Any], Any]
    accepts: Callable[[Any], bool]
    must: str


_NUMBER = (numbers.Real,)
_INTEGER = (numbers.Integral,)
_BOOLEAN = (bool, np.bool_)

_POSITIVE_INTEGER = _OptionRule(_INTEGER, int, lambda v: v >= 1, "an integer >= 1")
_SWITCH = _OptionRule(_BOOLEAN, bool, lambda v: True, "True or False")

_OPTION_RULES = {
    "l1_ratio": _OptionRule(
        _NUMBER, float, lambda v: 0 <= v <= 1, "a number from 0 (ridge) to 1 (lasso)"
    ),
    "n_lambdas": _POSITIVE_INTEGER,
    "lambda_min_ratio": _OptionRule(
        _NUMBER,
        float,
        lambda v: 0 < v < 1,
        "a number between 0 and 1, both excluded (for lambda = 0 itself pass lambdas=...)",
    ),
    "fit_intercept": _SWITCH,
    "standardize": _SWITCH,
    "tol": _OptionRule(_NUMBER, float, lambda v: 0 < v < np.inf, "a finite number > 0"),
    "max_iter": _POSITIVE_INTEGER,
    "max_features": _POSITIVE_INTEGER,
    "stop_at_dev_ratio": _OptionRule(_NUMBER, float, lambda v: 0 < v <= 1, "a number > 0 and <= 1"),
    "n_threads": _POSITIVE_INTEGER,
    "progress": _SWITCH,
    "callback": _OptionRule(
        (Callable,),
        lambda v: v,
        lambda v: can_take(v, 0, None),
        "callable as callback(k, progress)",
    ),
    "time_budget": _OptionRule(_NUMBER, float, lambda v: v > 0, "a number of seconds > 0"),
}


def _option(call: str, name: str, value: Any) -> Any:
    """Canonical value of one option."""
    if name == "lambdas":
        return _lambdas(call, value)
    rule = _OPTION_RULES[name]
    at = f"{call}({name}={reprlib.repr(value)})"
    # True is an Integral to Python: tol=True is a slip, not a tolerance of 1.
    is_stray_boolean = isinstance(value, _BOOLEAN) and rule.types is not _BOOLEAN
    if is_stray_boolean or not isinstance(value, rule.types):
        raise TypeError(f"{at}: {type_name(value)} was given; {name} must be {rule.must}.")
    if not rule.accepts(value):
        raise ValueError(f"{at}: {name} must be {rule.must}.")
    return rule.convert(value)


def _lambdas(call: str, value: Any) -> FloatArray:
    """The user's grid in decreasing order."""
    at = f"{call}(lambdas=...)"
    array = np.atleast_1d(check_array(at, "lambdas", value))
    if array.ndim != 1 or array.size == 0:
        raise ValueError(
            f"{at}: the shape is {array.shape}; pass one or more values in one dimension, "
            "or None for an automatic grid."
        )
    grid = float64(array)
    check_values(at, "values", grid, (NAN, NEGATIVE))
    return read_only(np.sort(grid)[::-1] + 0.0)  # contiguous, and -0.0 becomes 0.0


def _shape(design: Dense | Csc) -> tuple[int, int]:
    """Numbers of rows and columns."""
    if isinstance(design, Dense):
        return design.columns.shape[1], design.columns.shape[0]
    return design.n_rows, design.indptr.size - 1

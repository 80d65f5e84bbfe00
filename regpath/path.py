"""The path: the public entry points."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regpath import families
from regpath.loop import ConvergenceWarning, Fit, progress_bar, warn_of_misses
from regpath.penalties import ElasticNet
from regpath.record import Progress
from regpath.result import Path
from regpath.validation import Options, Problem, check_options, check_problem, refuse_unknown

__all__ = [
    "ConvergenceWarning",
    "Progress",
    "check",
    "enet_path",
    "fit_path",
    "keywords_of",
    "lasso_path",
    "refit",
    "ridge_path",
]

Array = NDArray[np.float64]

Callback = Callable[[int, Progress], Any]


def lasso_path(X: Any, y: Any, **options: Any) -> Path:
    """Lasso path: `fit_path` with ``l1_ratio=1``.

    Parameters
    ----------
    X, y, **options
        As in `fit_path`, without ``l1_ratio``.

    Returns
    -------
    Path

    References
    ----------
    Tibshirani (1996), Regression shrinkage and selection via the lasso, JRSS B 58.

    Examples
    --------
    >>> import regpath
    >>> X, y, names, _ = regpath.datasets.load_prostate()
    >>> path = regpath.lasso_path(X, y)
    >>> bool(path.dual_gaps.max() <= 1e-6)
    True
    """
    return _fit("lasso_path", X, y, l1_ratio=1.0, **_without_ratio("lasso_path", options))


def ridge_path(X: Any, y: Any, **options: Any) -> Path:
    """Ridge path: `fit_path` with ``l1_ratio=0``.

    Parameters
    ----------
    X, y, **options
        As in `fit_path`, without ``l1_ratio``.

    Returns
    -------
    Path

    Notes
    -----
    The default grid begins at 1000 times the largest lambda of the lasso, as that of glmnet does,
    and often ends above the lambda that predicts best: `cv_path` has ``extend=True`` for that, and
    here ``lambda_min_ratio`` or ``lambdas`` go further down.

    References
    ----------
    Hoerl and Kennard (1970), Ridge regression: biased estimation for nonorthogonal problems,
    Technometrics 12.

    Examples
    --------
    >>> import regpath
    >>> X, y, names, _ = regpath.datasets.load_prostate()
    >>> path = regpath.ridge_path(X, y, n_lambdas=5)
    >>> path.n_nonzero.tolist()
    [8, 8, 8, 8, 8]
    """
    return _fit("ridge_path", X, y, l1_ratio=0.0, **_without_ratio("ridge_path", options))


def enet_path(X: Any, y: Any, *, l1_ratio: float = 0.5, **options: Any) -> Path:
    """Elastic net path: `fit_path` with ``l1_ratio=0.5`` by default.

    Parameters
    ----------
    X, y, l1_ratio, **options
        As in `fit_path`.

    Returns
    -------
    Path

    References
    ----------
    Zou and Hastie (2005), Regularization and variable selection via the elastic net, JRSS B 67.

    Examples
    --------
    >>> import regpath
    >>> X, y, names, _ = regpath.datasets.load_prostate()
    >>> regpath.enet_path(X, y, l1_ratio=0.2, n_lambdas=5).l1_ratio
    0.2
    """
    return _fit("enet_path", X, y, l1_ratio=l1_ratio, **options)


def fit_path(
    X: Any,
    y: Any,
    *,
    family: Any = "gaussian",
    l1_ratio: float = 1.0,
    penalty: Any = None,
    lambdas: Any = None,
    n_lambdas: int = 100,
    lambda_min_ratio: float | None = None,
    fit_intercept: bool = True,
    standardize: bool = True,
    sample_weight: Any = None,
    offset: Any = None,
    penalty_factor: Any = None,
    lower: Any = None,
    upper: Any = None,
    tol: float = 1e-6,
    max_iter: int = 10_000,
    max_features: int | None = None,
    stop_at_dev_ratio: float | None = None,
    n_threads: int | None = None,
    progress: bool = False,
    callback: Callback | None = None,
    time_budget: float | None = None,
) -> Path:
    """Compute a regularization path, every point with a certificate of its accuracy.

    Minimises, for every lambda of a decreasing grid,

        sum_i w_i loss(y_i, o_i + b0 + x_i'b) + lambda sum_j v_j [r |s_j b_j| + (1 - r)/2 (s_j
        b_j)^2]

    over the intercept b0 and lower <= b <= upper; weights w sum to one, s_j is the weighted
    standard deviation of column j (1 with ``standardize=False``), r is ``l1_ratio``, v
    ``penalty_factor``.

    Parameters
    ----------
    X : array, sparse matrix or array, or data frame of shape (n, p)
        Any real dtype. Fortran-ordered arrays and CSC matrices are used without a copy; other
        layouts are converted once, with a note in ``info``. Sparse X is never densified.
    y : array or Series of shape (n,), or of several columns where the family has them
        Response: numbers, labels, times and events; see `regpath.families`.
    family : str, instance from `regpath.families`, or loss as in `regpath.losses`
        "gaussian" (default), "binomial", "poisson", "gamma", "tweedie", "huber", "multinomial",
        "multigaussian", "cox".
    l1_ratio : float, default 1
        1 is the lasso, 0 is ridge.
    penalty : None or "elasticnet", default None
        The penalty; None is the elastic net above.
    lambdas : array of shape (L,), optional
        The grid; used exactly, in decreasing order. 0 and inf are allowed.
    n_lambdas, lambda_min_ratio : int, float, optional
        Otherwise: 100 values, log-spaced from the smallest lambda with all penalised coefficients
        zero down to this share of it; by default 1e-4 if n >= p, else 1e-2.
    fit_intercept, standardize : bool, default True
        Coefficients are on the original scale of the columns in any case.
    sample_weight, offset : array of shape (n,), optional
        Weights >= 0 (only their ratios matter); a known part of the linear predictor, of shape
        (n,) or (n, K) for a family with K outputs.
    penalty_factor : array of shape (p,), optional
        Used as given; 0: unpenalised, inf: excluded.
    lower, upper : float or array of shape (p,), optional
        Limits of the coefficients, lower <= 0 <= upper.
    tol : float, default 1e-6
        Bound of the duality gap, relative to the null model: its objective for the gaussian
        family, in general half its deviance.
    max_iter : int, default 10000
        Iterations (sweeps) a lambda may take.
    max_features : int, optional
        End the path before a point has more non-zero coefficients.
    stop_at_dev_ratio : float, optional
        End the path at the first point that explains this share of the deviance.
    n_threads : int, optional
        Threads for passes over X; the result does not depend on it. Default: all usable cores.
    progress : bool, default False
        Show a progress bar (needs rich).
    callback : callable, optional
        Called as ``callback(k, progress)`` after point k with a `Progress`; True ends the path.
    time_budget : float, optional
        Seconds after which the path ends with the points that are finished.

    Returns
    -------
    Path

    Raises
    ------
    ValueError, TypeError
        If data or options are not valid; before any work.

    Warns
    -----
    ConvergenceWarning
        Once, if points miss ``tol``.

    References
    ----------
    Friedman, Hastie and Tibshirani (2010), Regularization paths for generalized linear models via
    coordinate descent, J. Stat. Software 33, equation (1).

    Examples
    --------
    >>> import regpath
    >>> X, y, names, _ = regpath.datasets.load_prostate()
    >>> path = regpath.fit_path(X, y, l1_ratio=0.5, n_lambdas=50)
    >>> path.coefs.shape
    (8, 50)
    >>> svi = X[:, names.index("svi")]
    >>> logistic = regpath.fit_path(X, svi, family="binomial", n_lambdas=50)
    >>> logistic.predict(X, logistic.lambdas[-1], type="class").shape
    (97,)
    """
    arguments = {k: v for k, v in locals().items() if k not in ("X", "y")}
    return _fit("fit_path", X, y, **arguments)


def refit(path: Path, X: Any, y: Any, lambdas: Any) -> Path:
    """Solve the problem of a path again at other lambdas, with the same data and settings.

    Parameters
    ----------
    path : Path
    X, y
        The data the path was fitted to.
    lambdas : float or array

    Returns
    -------
    Path

    Examples
    --------
    >>> import regpath
    >>> X, y, names, _ = regpath.datasets.load_prostate()
    >>> path = regpath.lasso_path(X, y, n_lambdas=10)
    >>> regpath.path.refit(path, X, y, 0.1).lambdas.tolist()
    [0.1]
    """
    settings = {f: getattr(path.settings, f) for f in path.settings.__dataclass_fields__}
    grid = np.atleast_1d(np.asarray(lambdas, float))
    return _fit(
        "refit", X, y, family=path.family_instance, l1_ratio=path.l1_ratio, lambdas=grid, **settings
    )


# ------------------------------------------------------------------------------------------ the fit


def _without_ratio(call: str, options: dict[str, Any]) -> dict[str, Any]:
    if "l1_ratio" in options:
        raise TypeError(
            f"{call}(l1_ratio=...): it is fixed here; use enet_path or fit_path to choose it."
        )
    return options


@cache
def keywords_of(function: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the options of a function; every fit asks for them."""
    parameters = inspect.signature(function).parameters.values()
    return tuple(p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)


_DATA = ("sample_weight", "offset", "penalty_factor", "lower", "upper")


def _fit(call: str, X: Any, y: Any, **arguments: Any) -> Path:
    """Check, choose a solver, follow the path, and pack the result."""
    started = time.monotonic()
    problem, options = check(call, X, y, arguments)
    fit = Fit(call, problem, options, started=started)
    lambdas = fit.grid()
    with progress_bar(options.progress, lambdas.size, "path") as advance:
        fit.follow(lambdas, advance)
    path = fit.path()
    warn_of_misses(call, [path])
    return path


def check(
    call: str, X: Any, y: Any, arguments: dict[str, Any], own: Sequence[str] = ()
) -> tuple[Problem, Options]:
    """Data and options of a fit in canonical form, or an error.

    ``own`` are further options of the call, for a message about those that do not exist.
    """
    arguments = dict(arguments)
    refuse_unknown(call, arguments, [*dict.fromkeys([*own, *keywords_of(fit_path)])])
    family = families.resolve(call, arguments.pop("family", "gaussian"))
    _check_penalty(call, arguments.pop("penalty", None))
    data = {name: arguments.pop(name, None) for name in _DATA}
    options = check_options(call, **arguments)
    intercept = options.fit_intercept
    return check_problem(call, X, y, family=family, fit_intercept=intercept, **data), options


def _check_penalty(call: str, penalty: Any) -> None:
    if penalty is not None and penalty != "elasticnet" and penalty is not ElasticNet:
        raise ValueError(
            f"{call}(penalty={penalty!r}): the penalty is 'elasticnet' (or None); "
            "its share of L1 is set by l1_ratio."
        )

"""Information criteria along a path: AIC, AICc, BIC, EBIC, Cp and GCV of every point."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy
from scipy.sparse import csc_array

from regpath._freedom import CALL, degrees_of_freedom, needs_data
from regpath._responses import check_response
from regpath._rules import equal_to_best
from regpath._table import native_frame
from regpath.result import Path

__all__ = ["RULES", "Criteria", "check_rule", "criteria"]

FloatArray: TypeAlias = npt.NDArray[np.float64]

RULES = ("aic", "aicc", "bic", "ebic", "cp", "gcv")
"""The criteria, by the names of their fields."""

WITH_DISPERSION = ("gaussian", "multigaussian", "gamma", "tweedie", "huber")
"""Families whose deviance is in units of a dispersion that is not known."""

PERFECT = 1e-13
"""Share of the null deviance that is rounding: a perfect fit."""


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Criteria:
    """Information criteria of the points of a path; the smallest value is the best.

    Attributes
    ----------
    lambdas : ndarray of shape (L,), decreasing
    df : ndarray of shape (L,)
        Degrees of freedom, with the intercept.
    aic, aicc, bic, ebic, cp, gcv : ndarray of shape (L,)
        inf where a criterion is not defined, -inf for a perfect fit; never NaN.
    n_observations : float
        Sample size in the formulas; cox: number of events.
    gamma : float
        Of the EBIC.
    noise_variance : float
        Of Cp. NaN if it is not known, Cp then is inf everywhere.

    Examples
    --------
    >>> import regpath
    >>> X, y, names, _ = regpath.datasets.load_prostate()
    >>> path = regpath.lasso_path(X, y)
    >>> criteria = path.criteria()
    >>> index = criteria.best("bic")
    >>> path.n_nonzero[index].tolist(), criteria.df[index].tolist()
    (3, 4.0)
    """

    lambdas: FloatArray
    df: FloatArray
    aic: FloatArray
    aicc: FloatArray
    bic: FloatArray
    ebic: FloatArray
    cp: FloatArray
    gcv: FloatArray
    n_observations: float
    gamma: float
    noise_variance: float

    def __post_init__(self) -> None:
        for name in ("lambdas", "df", *RULES):
            value = np.array(getattr(self, name), dtype=np.float64)
            value.flags.writeable = False
            object.__setattr__(self, name, value)

    def best(self, name: str) -> int:
        """Position of the smallest value; of equal ones that with the largest lambda.

        Parameters
        ----------
        name : {"aic", "aicc", "bic", "ebic", "cp", "gcv"}

        Raises
        ------
        ValueError
            If there is no such criterion, or no point for which it is defined.
        """
        check_rule(name, "Criteria.best")
        values: FloatArray = getattr(self, name)
        if not (values < np.inf).any():
            advice = "every model has as many degrees of freedom as there are observations"
            if name == "cp":
                advice = "pass noise_variance=..."
            raise ValueError(
                f"Criteria.best({name!r}): it is defined for no point of the path; {advice}."
            )
        return int(np.argmax(equal_to_best(values)))

    def to_frame(self, backend: Any = None) -> Any:
        """Give the criteria as a data frame with one row per lambda.

        Parameters
        ----------
        backend : {"pandas", "polars", "pyarrow"}, optional
            Default: pandas if it is installed, otherwise polars.

        Returns
        -------
        frame : pandas.DataFrame, polars.DataFrame or pyarrow.Table
        """
        columns = {"lambda": self.lambdas, "df": self.df}
        return native_frame(columns | {name: getattr(self, name) for name in RULES}, backend)

    def __repr__(self) -> str:
        """Return the best point of every criterion."""
        n = self.lambdas.size
        ends = f" from {self.lambdas[0]:.5g} to {self.lambdas[-1]:.5g}" if n else ""
        noun = "lambda" if n == 1 else "lambdas"
        lines = [f"Criteria of {n} {noun}{ends}, {self.n_observations:g} observations"]
        lines.append(f"{'':4}  {'best':>5}  {'lambda':>10}  {'df':>8}  {'value':>10}")
        for name in RULES:
            if (getattr(self, name) < np.inf).any():
                k = self.best(name)
                numbers = f"{self.lambdas[k]:>10.5g}  {self.df[k]:>8.5g}"
                lines.append(f"{name:4}  {k:>5}  {numbers}  {getattr(self, name)[k]:>10.5g}")
            else:
                lines.append(f"{name:4}  not defined")
        return "\n".join(lines)


def check_rule(name: str, call: str) -> None:
    """Refuse a criterion that does not exist."""
    if name not in RULES:
        raise ValueError(f"{call}({name!r}): the criteria are {', '.join(RULES)}.")


def criteria(
    path: Path,
    X: Any = None,
    y: Any = None,
    *,
    gamma: float = 0.5,
    noise_variance: float | None = None,
    n_observations: float | None = None,
) -> Criteria:
    """Compute the information criteria of every point of a path.

    With the deviance D, the degrees of freedom df, n observations and -2 log L up to a constant,

        AIC = -2 log L + 2 df,    AICc = AIC + 2 df (df + 1) / (n - df - 1),
        BIC = -2 log L + log(n) df,    EBIC = BIC + 2 gamma log binomial(p, k),
        Cp = D / sigma^2 - n + 2 df,    GCV = (D / n) / (1 - df / n)^2,

    where k of the p features with a penalty are non-zero.

    -2 log L is D for binomial, poisson, multinomial, cox and losses of your own. Where a
    dispersion is unknown (gaussian, multigaussian, gamma, tweedie, huber) it is n log(D / n): the
    likelihood at the best dispersion, for gaussian families (one variance for all responses)
    exactly; for gamma and tweedie of the extended quasi-likelihood, which is a saddle-point
    approximation; for huber, whose loss is no likelihood, in the manner of the gaussian family.
    With `noise_variance` it is D / noise_variance in every family.

    The degrees of freedom are the trace of (H + P)^-1 H, with the curvatures H of the loss and P
    of the penalty at the solution, in the coefficients that are neither 0 nor at a limit. For the
    lasso this is the number of such coefficients (and nothing is computed: columns that depend on
    each other are not noticed; of the K coefficients of a feature in a multinomial model K - 1
    count). For ridge it is the trace of the hat matrix, for the elastic net that of the active set,
    for grouped penalties it has the curvature of the norms. Intercepts (cox: none, multinomial:
    K - 1) and unpenalised features that are not constant always count, a dispersion never.

    n is the number of rows with positive weight, for multigaussian times K, for cox the number of
    events. Weights are relative, as everywhere: in D they sum to the number of rows. If they are
    frequencies, or numbers of trials, ``n_observations=sample_weight.sum()`` makes all criteria
    those of the repeated rows.

    Parameters
    ----------
    path : Path
    X, y
        The data of the fit. Needed for the trace, which is for anything but a lasso of single
        coefficients (gaussian, and nothing but X then); y is also needed for cox.
    gamma : float, default 0.5
        Of the EBIC, 0 <= gamma <= 1.
    noise_variance : float, optional
        The known variance (dispersion), sigma^2. By default it is unknown, and that of Cp is
        D / (n - df) of the least penalised model of the path (1 for families without dispersion).
    n_observations : float, optional
        What the weights sum to.

    Returns
    -------
    Criteria
        A criterion is inf, and never chosen, where it is not defined: AICc for n <= df + 1, GCV
        and likelihoods at the best dispersion for n <= df, Cp without an estimate of sigma^2. A
        perfect fit with fewer degrees of freedom is -inf where the dispersion is unknown.

    Raises
    ------
    ValueError
        If the data are needed and missing, or have other shapes than those of the fit, or an option
        is out of range. Whether their values are the same is not checked.

    References
    ----------
    Zou, Hastie and Tibshirani (2007), On the degrees of freedom of the lasso, Annals of
    Statistics 35, theorem 1. Tibshirani and Taylor (2012), Degrees of freedom in lasso problems,
    Annals of Statistics 40. Vaiter, Deledalle, Peyre, Fadili and Dossal (2012), The degrees of
    freedom of the group lasso for a general design. Hurvich and Tsai (1989), Regression and time
    series model selection in small samples, Biometrika 76. Chen and Chen (2008), Extended Bayesian
    information criteria for model selection with large model spaces, Biometrika 95. Volinsky and
    Raftery (2000), Bayesian information criterion for censored survival models, Biometrics 56.
    Mallows (1973), Some comments on Cp, Technometrics 15. Craven and Wahba (1979), Smoothing noisy
    data with spline functions, Numerische Mathematik 31. Nelder and Pregibon (1987), An extended
    quasi-likelihood function, Biometrika 74.

    Examples
    --------
    >>> import regpath
    >>> X, y, names, _ = regpath.datasets.load_prostate()
    >>> ridge = regpath.ridge_path(X, y, lambdas=[10, 1, 0.1, 0])
    >>> ridge.criteria(X).df.round(2)
    array([1.67, 4.28, 7.71, 9.  ])
    >>> regpath.lasso_path(X, y).criteria()  # doctest: +ELLIPSIS
    Criteria of 100 lambdas from 0.84... to ...
    """
    _check_options(gamma, noise_variance, n_observations)
    rows, weight_sum, n = _sizes(path, X, y, n_observations)
    _check_data(path, X, y)
    if not math.isfinite(path.null_deviance) or (
        path.null_deviance == 0.0 and path.dev_ratio.any()
    ):
        raise ValueError(
            f"{CALL}: the null deviance, {path.null_deviance}, has left the range of numbers; "
            "fit the path to a response in other units."
        )
    unit = n / weight_sum
    if path.family == "cox":
        n *= _event_share(path, y, rows)
    elif path.family == "multigaussian":
        n *= path.n_outputs or 1
    df = degrees_of_freedom(path, X, y, rows)
    perfect = 1.0 - path.dev_ratio <= PERFECT
    deviance = np.where(perfect, 0.0, (1.0 - path.dev_ratio) * path.null_deviance * unit)
    variance = _noise_variance(path, deviance, df, n) if noise_variance is None else noise_variance
    return _formulas(path, deviance, df, n, float(gamma), noise_variance, float(variance))


def _formulas(
    path: Path,
    deviance: FloatArray,
    df: FloatArray,
    n: float,
    gamma: float,
    given: float | None,
    variance: float,
) -> Criteria:
    if given is not None:
        likelihood = deviance / given
    elif path.family in WITH_DISPERSION:
        with np.errstate(divide="ignore"):
            likelihood = np.where(n > df, n * np.log(deviance / n), np.inf)
    else:
        likelihood = deviance
    aic = likelihood + 2.0 * df
    bic = likelihood + math.log(n) * df
    with np.errstate(divide="ignore", invalid="ignore"):
        aicc = np.where(n > df + 1.0, aic + 2.0 * df * (df + 1.0) / (n - df - 1.0), np.inf)
        gcv = np.where(n > df, deviance / n / (1.0 - df / n) ** 2, np.inf)
    cp = np.full_like(df, np.inf) if math.isnan(variance) else deviance / variance - n + 2.0 * df
    return Criteria(
        lambdas=path.lambdas,
        df=df,
        aic=aic,
        aicc=aicc,
        bic=bic,
        ebic=bic + 2.0 * gamma * _log_models(path),
        cp=cp,
        gcv=gcv,
        n_observations=n,
        gamma=gamma,
        noise_variance=variance,
    )


def _log_models(path: Path) -> FloatArray:
    """Logarithm of the number of models with as many penalised features."""
    factor = path.settings.penalty_factor
    penalised = np.ones(path.n_features) if factor is None else (factor > 0) & np.isfinite(factor)
    p = float(np.sum(penalised))
    used = csc_array(path.coefs_sparse != 0.0)
    if path.n_outputs is None:
        k = np.asarray(used.T.astype(np.float64) @ penalised)
    else:
        k = np.array(
            [
                np.sum(penalised[np.unique(used[:, [i]].indices % path.n_features)])
                for i in range(path.lambdas.size)
            ],
            dtype=np.float64,
        )
    gammaln = scipy.special.gammaln
    return np.asarray(gammaln(p + 1.0) - gammaln(k + 1.0) - gammaln(p - k + 1.0))


def _noise_variance(path: Path, deviance: FloatArray, df: FloatArray, n: float) -> float:
    """Dispersion of the least penalised model; NaN if it leaves nothing to estimate it from."""
    if path.family not in WITH_DISPERSION:
        return 1.0
    if not df.size or n <= df[-1] or deviance[-1] == 0.0:
        return math.nan
    return float(deviance[-1] / (n - df[-1]))


# ------------------------------------------------------------------------------------ data, sizes


def _check_options(gamma: Any, noise_variance: Any, n: Any) -> None:
    for name, value in (
        ("gamma", gamma),
        ("noise_variance", noise_variance),
        ("n_observations", n),
    ):
        optional = name != "gamma" and value is None
        if isinstance(value, bool) or not (optional or isinstance(value, numbers.Real)):
            raise TypeError(f"{CALL}({name}={value!r}): it must be a number.")
    if not 0.0 <= gamma <= 1.0:
        raise ValueError(f"{CALL}(gamma={gamma!r}): gamma must lie between 0 (BIC) and 1.")
    for name, value in (("noise_variance", noise_variance), ("n_observations", n)):
        if value is not None and not 0.0 < value < math.inf:
            raise ValueError(f"{CALL}({name}={value!r}): it must be a finite number > 0.")


def _check_data(path: Path, X: Any, y: Any) -> None:
    if not needs_data(path):
        if path.family == "cox" and y is None:
            raise ValueError(f"{CALL}: the number of events is needed; pass y= of the fit.")
        return
    without_y = path.family == "gaussian"
    if X is None or (y is None and not without_y):
        what = "X=" if without_y else "X= and y="
        kind = "a grouped penalty" if path.l1_ratio == 1.0 else f"l1_ratio={path.l1_ratio:g}"
        raise ValueError(
            f"{CALL}: degrees of freedom with {kind} are a trace over the data; pass {what}, "
            "the data that the path was fitted on."
        )


def _sizes(path: Path, X: Any, y: Any, n: float | None) -> tuple[int, float, float]:
    """Number of rows, sum of the user's weights, and what weights are to sum to."""
    weights = path.settings.sample_weight
    if weights is not None:
        rows = weights.size
    elif path.settings.offset is not None:
        rows = len(path.settings.offset)
    elif "n_rows" in path.info:
        rows = int(path.info["n_rows"])
    elif X is not None or y is not None:
        data = y if X is None else X
        rows = int(data.shape[0]) if hasattr(data, "shape") else len(data)
    else:
        raise ValueError(f"{CALL}: the path does not know its number of rows; pass X= of the fit.")
    weight_sum = float(rows) if weights is None else float(weights.sum())
    used = rows if weights is None else int(np.count_nonzero(weights))
    return rows, weight_sum, float(used) if n is None else float(n)


def _event_share(path: Path, y: Any, rows: int) -> float:
    """Weight of the rows with an event, as a share of all weights."""
    weights = path.settings.sample_weight
    weights = np.ones(rows) if weights is None else weights
    response = check_response(CALL, path.family_instance, y, weights, fit_intercept=False)
    return float(weights @ response.y[:, 2]) / float(weights.sum())

"""Baseline hazards and survival curves of Cox paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from regpath._responses import check_response
from regpath.result import Path
from regpath.solvers.risk_sets import RiskSets

__all__ = ["Baseline", "baseline"]

FloatArray: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, repr=False, eq=False)
class Baseline:
    """The cumulative hazard of a row whose linear predictor is 0, a step function of time.

    Attributes
    ----------
    times : ndarray of shape (m,), increasing
        The times at which events happened.
    cumulative_hazard : ndarray of shape (m,)
        Its value from each of these times on; it is 0 before the first and constant after the last.

    Examples
    --------
    >>> import numpy as np
    >>> base = Baseline(np.array([1.0, 3.0]), np.array([0.5, 1.5]))
    >>> base.hazard([0.0, 1.0, 2.9, 3.0])
    array([0. , 0.5, 0.5, 1.5])
    >>> base.survival([2.0, 4.0], eta=[0.0, np.log(2.0)]).round(3)
    array([[0.607, 0.223],
           [0.368, 0.05 ]])
    """

    times: FloatArray
    cumulative_hazard: FloatArray

    def __post_init__(self) -> None:
        for name in ("times", "cumulative_hazard"):
            value = np.array(getattr(self, name), dtype=np.float64)
            value.flags.writeable = False
            object.__setattr__(self, name, value)
        if self.times.ndim != 1 or self.times.shape != self.cumulative_hazard.shape:
            raise ValueError(
                f"Baseline: times has shape {self.times.shape} and cumulative_hazard "
                f"{self.cumulative_hazard.shape}; both must be (m,)."
            )

    def hazard(self, times: npt.ArrayLike) -> FloatArray:
        """Cumulative baseline hazard at any times, in their shape; right-continuous."""
        at = np.asarray(times, dtype=np.float64)
        if np.isnan(at).any():
            raise ValueError("Baseline.hazard(times): nan is no time.")
        steps = np.concatenate([[0.0], self.cumulative_hazard])
        values: FloatArray = steps[np.searchsorted(self.times, at, side="right")]
        return values

    def survival(self, times: npt.ArrayLike, eta: npt.ArrayLike | None = None) -> FloatArray:
        """Probability to survive beyond each of the times, exp(-hazard exp(eta)).

        Parameters
        ----------
        times : array of shape (k,)
        eta : array of shape (n,), optional
            Linear predictors, ``path.predict(X, lambda_, type="link")``. Default: 0.

        Returns
        -------
        survival : ndarray of shape (k,), or (n, k) if `eta` is given
        """
        with np.errstate(divide="ignore", over="ignore", under="ignore"):
            log_hazard = np.log(self.hazard(times))  # a sum of logarithms cannot be 0 times inf
            if eta is not None:
                log_hazard = np.add.outer(np.asarray(eta, dtype=np.float64), log_hazard)
            return np.asarray(np.exp(-np.exp(log_hazard)), dtype=np.float64)

    def __repr__(self) -> str:
        if not self.times.size:
            return "Baseline(no events)"
        return (
            f"Baseline({self.times.size} event times from {self.times[0]:g} to "
            f"{self.times[-1]:g}, cumulative hazard up to {self.cumulative_hazard[-1]:.4g})"
        )


def baseline(path: Path, X: Any, y: Any, lambda_: Any) -> Baseline | dict[Any, Baseline]:
    """Estimate the baseline hazard of a Cox path at one lambda, after Breslow.

    The cumulative hazard grows at each time of events by the sum of their weights over the sum of
    w_i exp(eta_i) over the rows at risk, start < time <= stop. Weights, offset and strata are
    those of the fit; tied events are treated as by Breslow, whatever ``ties`` the fit used.

    Parameters
    ----------
    path : Path
        Of the cox family.
    X, y
        The data of the fit. y has the columns (time, event) or (start, stop, event), or fields
        of these names.
    lambda_ : float
        Interpolated as in `Path.coef_at`.

    Returns
    -------
    baseline : Baseline, or dict of Baseline by stratum for a fit with strata

    Raises
    ------
    ValueError
        If the path is of another family, or the data are not those of the fit.

    References
    ----------
    Breslow, N. (1972), discussion of Cox, Regression models and life-tables, Journal of the Royal
    Statistical Society B 34, 216-217.

    Examples
    --------
    >>> import numpy as np, regpath
    >>> zeros = ("intercepts", "dev_ratio", "objectives", "dual_gaps", "kkt_violations", "n_iters",
    ...          "passes", "working_set_sizes", "seconds")
    >>> path = regpath.Path(
    ...     **dict.fromkeys(zeros, [0.0]), lambdas=[0.1], coef_storage=np.zeros((1, 1)),
    ...     null_deviance=1.0, family="cox", statuses=(regpath.Status.CONVERGED,))
    >>> y = np.array([[1.0, 1], [2.0, 0], [3.0, 1], [4.0, 0]])  # time, event
    >>> base = path.baseline(np.zeros((4, 1)), y, 0.1)
    >>> base.times, base.cumulative_hazard  # 1/4, then 1/4 + 1/2
    (array([1., 3.]), array([0.25, 0.75]))
    """
    if path.family != "cox":
        raise ValueError(f"Path.baseline: the {path.family} family has no hazard, only cox has.")
    if lambda_ is None or np.ndim(lambda_):
        given = "None" if lambda_ is None else np.size(lambda_)
        raise ValueError(
            f"Path.baseline: give one lambda_, not {given}: a hazard belongs to one point."
        )
    settings = path.settings
    eta = path.predict(X, lambda_, type="link", offset=_rows(settings.offset, X, "offset"))
    n = eta.size
    weights = _rows(settings.sample_weight, X, "sample_weight")
    weights = np.ones(n) if weights is None else weights
    family = path.family_instance
    response = check_response("Path.baseline", family, y, weights, fit_intercept=False)
    if response.strata is None:
        return _breslow(response.y, eta, weights)
    names = np.unique(path.family_options["strata"]).tolist()
    rows = [response.strata == k for k in range(len(names))]
    return {
        name: _breslow(response.y[own], eta[own], weights[own])
        for name, own in zip(names, rows, strict=True)
    }


def _rows(values: FloatArray | None, X: Any, name: str) -> FloatArray | None:
    """Values of the fit, one per row, if X has its rows."""
    n = X.shape[0] if hasattr(X, "shape") else len(X)
    if values is not None and values.shape != (n,):
        raise ValueError(
            f"Path.baseline(X): {n} rows, but the path was fitted with {name} of shape "
            f"{values.shape}; pass the data of the fit."
        )
    return values


def _breslow(y: FloatArray, eta: FloatArray, weights: FloatArray) -> Baseline:
    used = weights > 0.0  # a row without weight leaves no trace, not even a time
    start, stop, event = y[used].T
    event = event == 1.0
    eta, weights = eta[used], weights[used]
    times, place = np.unique(stop[event], return_inverse=True)
    if not times.size:
        return Baseline(times, times)
    events = np.bincount(place, weights[event], times.size)
    highest, alike = eta.max(), np.zeros(eta.size, np.int64)
    sets = RiskSets(start, stop, alike, times, np.zeros(times.size, np.int64))
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        at_risk = sets.over_rows(weights * np.exp(eta - highest))
        return Baseline(times, np.cumsum(np.exp(np.log(events) - np.log(at_risk) - highest)))

"""Relaxed paths: the unpenalised refit on each active set, and its blends with the path."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from regpath._parts import Point, Status, check_shapes, frozen, frozen_matrix
from regpath._predict import PredictionType
from regpath._refits import refit_active
from regpath._saved import Saved
from regpath._table import five_digits, header, percent, table
from regpath.loop import ConvergenceWarning
from regpath.path import check
from regpath.result import Path
from regpath.validation import Options, Problem

__all__ = ["BlendPoint", "RelaxedPath", "check_gamma", "relax", "relaxed", "warn_of_refits"]

FloatArray: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class BlendPoint(Point):
    """One blend of a relaxed path, with all that a `Point` has.

    Attributes
    ----------
    gamma : float
        From 0, the refit, to 1, the point of the path.
    dev_ratio : float
        nan between 0 and 1: the deviance of a blend is not known.
    """

    gamma: float

    def __repr__(self) -> str:
        return (
            f"BlendPoint(index={self.index}, lambda_={self.lambda_:.6g}, gamma={self.gamma:g}, "
            f"n_nonzero={self.n_nonzero})"
        )


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class RelaxedPath(Saved):
    """A path with the unpenalised refit on the active set of each of its points.

    The blend of a point with its refit is gamma times the penalised coefficients plus 1 - gamma
    times those of the refit: gamma = 1 is the path, gamma = 0 the refit.

    Attributes
    ----------
    path : Path
        The penalised path.
    coef_storage : ndarray or csc_array of shape (p, L), or (K * p, L) for K outputs
        The coefficients of the refits as they are kept; read `coefs` instead.
    intercepts : ndarray of shape (L,), or (K, L) for K outputs
        Those of the refits.
    dev_ratio : ndarray of shape (L,)
        Share of the null deviance that the refits explain.
    dual_gaps : ndarray of shape (L,)
        Of the refits, relative to the null model, as in `Path`.
    n_iters : ndarray of int of shape (L,)
        Iterations (Newton steps) that the refits took: 0 for those that need none, and for those
        that are shared with a point before.
    statuses : tuple of Status
        How each refit ended. `Status.SEPARATED`: the likelihood has no finite maximum, and the
        coefficients are those at which the deviance is 0 up to tol.

    Examples
    --------
    >>> import regpath
    >>> X, y, names, _ = regpath.datasets.load_prostate()
    >>> relaxed = regpath.relax(regpath.lasso_path(X, y), X, y)
    >>> relaxed.coefs.shape, relaxed.predict(X, 0.1, gamma=0.5).shape
    ((8, 100), (97,))
    >>> bool((relaxed.dev_ratio >= relaxed.path.dev_ratio - 1e-6).all())
    True
    """

    path: Path
    coef_storage: Any  # ndarray or csc_array: scipy has no types
    intercepts: FloatArray
    dev_ratio: FloatArray
    dual_gaps: FloatArray
    n_iters: npt.NDArray[np.int64]
    statuses: tuple[Status, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "coef_storage", frozen_matrix(self.coef_storage))
        object.__setattr__(self, "n_iters", frozen(np.asarray(self.n_iters, np.int64)))
        for name in ("intercepts", "dev_ratio", "dual_gaps"):
            value = frozen(np.asarray(getattr(self, name), np.float64))
            object.__setattr__(self, name, value)
        arrays = ("intercepts", "dev_ratio", "dual_gaps", "n_iters")
        shapes = {name: getattr(self, name).shape for name in arrays}
        shapes["lambdas"] = self.path.lambdas.shape
        names, K = self.path.feature_names, self.path.n_outputs
        check_shapes(self.coef_storage, shapes, len(self.statuses), names, K)

    @property
    def lambdas(self) -> FloatArray:
        """The grid, of shape (L,)."""
        return self.path.lambdas

    @property
    def coefs(self) -> FloatArray:
        """Coefficients of the refits: ndarray (p, L), or (K, p, L) for K outputs."""
        return self.coefs_at(0.0)

    def coefs_at(self, gamma: float) -> FloatArray:
        """Coefficients of a blend at every lambda: ndarray (p, L), or (K, p, L) for K outputs.

        Parameters
        ----------
        gamma : float
            From 0, the refits, to 1, the path.

        Raises
        ------
        ValueError, TypeError
            If gamma is not a number from 0 to 1.
        """
        return self.blend(check_gamma("RelaxedPath.coefs_at", gamma)).coefs

    def intercepts_at(self, gamma: float) -> FloatArray:
        """Intercepts of a blend at every lambda: ndarray (L,), or (K, L) for K outputs."""
        return self.blend(check_gamma("RelaxedPath.intercepts_at", gamma)).intercepts

    def coef_at(self, lambda_: npt.ArrayLike, gamma: float = 0.0) -> FloatArray:
        """Coefficients of a blend at any lambda, linear between the neighbours in the grid.

        Parameters
        ----------
        lambda_ : float or array of shape (k,)
        gamma : float, default 0
            From 0, the refits, to 1, the path.

        Returns
        -------
        coef : ndarray
            Of the shape that `Path.coef_at` gives.

        Raises
        ------
        ValueError, TypeError
            If `lambda_` lies outside of the grid, or gamma is not a number from 0 to 1.

        Examples
        --------
        >>> import regpath
        >>> X, y, names, _ = regpath.datasets.load_prostate()
        >>> relaxed = regpath.relax(regpath.lasso_path(X, y), X, y)
        >>> names[relaxed.coef_at(0.5).argmax()]
        'lcavol'
        """
        return self.blend(check_gamma("RelaxedPath.coef_at", gamma)).coef_at(lambda_)

    def intercept_at(self, lambda_: npt.ArrayLike, gamma: float = 0.0) -> Any:
        """Intercept of a blend at any lambda; see `coef_at` and `Path.intercept_at`."""
        return self.blend(check_gamma("RelaxedPath.intercept_at", gamma)).intercept_at(lambda_)

    def predict(
        self,
        X: Any,
        lambda_: npt.ArrayLike | None = None,
        gamma: float = 0.0,
        type: PredictionType = "response",
        offset: npt.ArrayLike | None = None,
    ) -> npt.NDArray[Any]:
        """Predict for new rows by a blend, at one lambda or along the whole path.

        Parameters
        ----------
        X, lambda_, type, offset
            As in `Path.predict`.
        gamma : float, default 0
            From 0, the refits, to 1, the path. Linear predictors are blended.

        Returns
        -------
        prediction : ndarray
            Of the shape that `Path.predict` gives.

        Raises
        ------
        ValueError, TypeError
            If an argument does not fit the path, or gamma is not a number from 0 to 1.
        """
        blend = self.blend(check_gamma("RelaxedPath.predict", gamma))
        return blend.predict(X, lambda_, type, offset)

    def blend(self, gamma: float) -> Path:
        """The path with blended coefficients and intercepts, and all else as it was.

        What the path tells of its points, such as objectives and gaps, does not hold for them.
        """
        if gamma == 1.0:
            return self.path
        penalised, refit, share = self.path.coef_storage, self.coef_storage, 1.0 - gamma
        intercepts: Any = self.intercepts
        if gamma > 0.0:
            if isinstance(refit, np.ndarray) and not isinstance(penalised, np.ndarray):
                penalised = penalised.toarray()
            elif isinstance(penalised, np.ndarray) and not isinstance(refit, np.ndarray):
                refit = refit.toarray()
            refit = gamma * penalised + share * refit
            intercepts = gamma * self.path.intercepts + share * intercepts
        return replace(self.path, coef_storage=refit, intercepts=intercepts)

    def at_index(self, index: int, gamma: float = 0.0) -> BlendPoint:
        """The blend at a position of the grid.

        Examples
        --------
        >>> import regpath
        >>> X, y, names, _ = regpath.datasets.load_prostate()
        >>> relaxed = regpath.relax(regpath.lasso_path(X, y), X, y)
        >>> point = relaxed.at_index(10, gamma=0.5)
        >>> point.gamma, point.n_nonzero
        (0.5, 3)
        """
        gamma = check_gamma("RelaxedPath.at_index", gamma)
        point = self.blend(gamma).at_index(index)
        values = {f.name: getattr(point, f.name) for f in fields(point)}
        known = {0.0: self.dev_ratio, 1.0: self.path.dev_ratio}
        dev_ratio = float(known[gamma][point.index]) if gamma in known else math.nan
        return BlendPoint(**values | {"dev_ratio": dev_ratio, "gamma": gamma})

    def shortened(self, n_lambdas: int, reason: Status | None = None) -> RelaxedPath:
        """The first points of the path; the last one says why, unless it has worse to say."""
        statuses = list(self.statuses[:n_lambdas])
        if reason is not None and statuses and statuses[-1].ok:
            statuses[-1] = reason
        return RelaxedPath(
            path=self.path.shortened(n_lambdas),
            coef_storage=self.coef_storage[:, :n_lambdas],
            intercepts=self.intercepts[..., :n_lambdas],
            dev_ratio=self.dev_ratio[:n_lambdas],
            dual_gaps=self.dual_gaps[:n_lambdas],
            n_iters=self.n_iters[:n_lambdas],
            statuses=tuple(statuses),
        )

    def __repr__(self) -> str:
        missed = sum(not status.ok for status in self.statuses)
        reached = (
            f"{missed} of {self.lambdas.size} refits missed" if missed else "every refit reached"
        )
        columns = (self.lambdas, self.path.n_nonzero, self.path.dev_ratio, self.dev_ratio)
        rows = [
            (
                str(k),
                five_digits(lambda_),
                str(df),
                percent(dev),
                percent(refit),
                status.name.lower(),
            )
            for k, (lambda_, df, dev, refit, status) in enumerate(
                zip(*columns, self.statuses, strict=True)
            )
        ]
        head = ("", "lambda", "df", "%dev", "%dev refit", "status of refit")
        lines = [
            f"Relaxed: {header(self.path)[0]}",
            f"{reached} tol={self.path.settings.tol:g}",
            "",
            *table(head, rows, n_ends=5),
        ]
        return "\n".join(lines)


def relax(path: Path, X: Any, y: Any, *, time_budget: float | None = None) -> RelaxedPath:
    """Refit the active set of every point of a path without a penalty.

    A feature is active if one of its coefficients is not zero, or if it is not penalised. The
    refits keep weights, offset, intercept and limits of the path, and its tolerance. Points that
    share an active set share the refit; where refits are found by proximal Newton steps, each
    begins where the one before it ended.

    Parameters
    ----------
    path : Path
    X, y
        The data the path was fitted to.
    time_budget : float, optional
        Seconds after which the work ends with the refits that are finished, one at least: the
        result, and its path, have as many points then, and the last status is
        `Status.TIME_BUDGET`.

    Returns
    -------
    RelaxedPath

    Raises
    ------
    ValueError, TypeError
        If shapes, names or classes are not those of the data of the path; before any work. Whether
        the values are the same is not checked.

    Warns
    -----
    ConvergenceWarning
        Once, if refits miss the tolerance of the path.

    Notes
    -----
    Of active features that depend on each other, as when there are more of them than rows, the
    gaussian family without limits takes the coefficients that ridge tends to as lambda goes to 0;
    the refit may then interpolate the response. glmnet has no refits with more than n - 3 features.
    Large sparse problems, limits and other families may give other, equally good coefficients.
    Where features separate the classes already, those that come after may keep the coefficient 0.

    References
    ----------
    Meinshausen (2007), Relaxed lasso, Computational Statistics and Data Analysis 52. Hastie,
    Tibshirani and Tibshirani (2020), Best subset, forward stepwise or lasso? Analysis and
    recommendations based on extensive comparisons, Statistical Science 35, section 1.3.

    Examples
    --------
    >>> import numpy as np, regpath
    >>> X, y, names, _ = regpath.datasets.load_prostate()
    >>> path = regpath.lasso_path(X, y)
    >>> relaxed = regpath.relax(path, X, y)
    >>> k = path.at_df(3).index
    >>> active = path.coefs[:, k] != 0
    >>> design = np.column_stack([np.ones(len(y)), X[:, active]])
    >>> bool(np.allclose(relaxed.coefs[active, k], np.linalg.lstsq(design, y)[0][1:]))
    True
    """
    call, started = "relax", time.monotonic()
    if not isinstance(path, Path):
        raise TypeError(f"relax(path=...): a Path is wanted, got {type(path).__name__}.")
    settings = {f: getattr(path.settings, f) for f in path.settings.__dataclass_fields__}
    arguments = {"family": path.family_instance, "l1_ratio": path.l1_ratio, **settings}
    problem, options = check(call, X, y, arguments | {"time_budget": time_budget})
    _check_data(call, path, problem)
    deadline = started + (options.time_budget or math.inf)
    result = relaxed(call, problem, options, path, deadline=deadline)
    warn_of_refits(call, [result])
    return result


def relaxed(
    call: str,
    problem: Problem,
    options: Options,
    path: Path,
    advance: Callable[[int], None] = lambda points: None,
    deadline: float = math.inf,
) -> RelaxedPath:
    """The relaxed path of a problem in canonical form; see `regpath._refits.refit_active`."""
    refits = refit_active(call, problem, options, path, advance, deadline)
    size = len(refits.statuses)
    if size == path.lambdas.size:
        return RelaxedPath(path=path, **refits._asdict())
    result = RelaxedPath(path=path.shortened(size), **refits._asdict())
    return result.shortened(size, Status.TIME_BUDGET)


def warn_of_refits(call: str, relaxed: Sequence[RelaxedPath]) -> None:
    """One warning for the refits of all paths: how many, how far, what to do."""
    points = [(r, k) for r in relaxed for k in range(r.lambdas.size)]
    missed = [(r, k) for r, k in points if not r.statuses[k].ok]
    if not missed:
        return
    r, k = max(missed, key=lambda point: float(point[0].dual_gaps[point[1]]))
    warnings.warn(
        f"{call}: {len(missed)} of {len(points)} refits miss tol={r.path.settings.tol:.1e}; the "
        f"worst relative duality gap is {r.dual_gaps[k]:.1e} at lambda={r.lambdas[k]:.4g}, with "
        f"{r.path.n_nonzero[k]} features. To do: raise tol, or end the path with fewer features "
        "(max_features). See the statuses and dual_gaps of the relaxed path.",
        ConvergenceWarning,
        stacklevel=3,
    )


def check_gamma(call: str, gamma: Any, name: str = "gamma") -> float:
    """A share of the penalised coefficients in a blend, or an error."""
    if isinstance(gamma, bool) or not isinstance(gamma, int | float | np.integer | np.floating):
        raise TypeError(f"{call}({name}={gamma!r}): it must be a number from 0 to 1.")
    if not 0.0 <= gamma <= 1.0:
        raise ValueError(
            f"{call}({name}={gamma!r}): it must be from 0 (the refits) to 1 (the path itself)."
        )
    return float(gamma)


def _check_data(call: str, path: Path, problem: Problem) -> None:
    """Refuse data that cannot be those of the path."""
    if problem.p != path.n_features:
        raise ValueError(
            f"{call}(X=...): X has {problem.p} columns, and the path was fitted to "
            f"{path.n_features}; pass the data of the path."
        )
    names = problem.feature_names
    if names is not None and path.feature_names is not None and names != path.feature_names:
        raise ValueError(
            f"{call}(X=...): the names of the columns are not those of the path, in their order; "
            "pass the data of the path."
        )
    if problem.response.n_outputs != path.n_outputs or not np.array_equal(
        _labels(problem.response.classes), _labels(path.classes)
    ):
        raise ValueError(
            f"{call}(y=...): the classes, or the number of responses, are not those of the path; "
            "pass the data of the path."
        )


def _labels(classes: npt.NDArray[Any] | None) -> list[Any]:
    return [] if classes is None else list(classes.tolist())

"""What a cross-validation gives back: the path, the paths of its folds, and rules that choose."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from regpath._parts import Point, frozen, number
from regpath._predict import PredictionType
from regpath._rules import equal_to_best, position, slack, still_to_gain, within
from regpath._saved import Saved
from regpath.result import Path

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from regpath.relaxed_cv import RelaxedCV

__all__ = ["CVPath"]

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
# Improvement in standard errors that is none.
FLAT = 0.01


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class CVPath(Saved):
    """A cross-validated path.

    Attributes
    ----------
    path : Path
        Fitted to all rows.
    fold_paths : tuple of K Paths
        Each fitted without the rows of one fold, at the same lambdas.
    fold_scores : ndarray of shape (K, L)
        Score of every fold at every lambda of the path.
    fold_weights : ndarray of shape (K,)
        Weight of every fold in the mean: the sum of the weights of its rows.
    mean_scores, std_errors : ndarray of shape (L,)
        Weighted mean of the scores, and its standard error.
    held_out : tuple of K ndarrays of int
        Rows on which the folds were judged.
    scoring, score_label : str
        Name of the score, and its description.
    greater_is_better : bool
    grouped : bool
        Whether means and errors are those of fold scores; otherwise of the losses of single rows.
    info : dict
        Passes over X, numbers of threads, time.
    relaxed : RelaxedCV or None
        Scores of blends with the unpenalised refits, if they were asked for (``relax=True``). Its
        grid is shorter than that of the path if ``time_budget`` was used up by refits.

    Examples
    --------
    >>> import regpath
    >>> X, y, names, _ = regpath.datasets.load_prostate()
    >>> cv = regpath.cv_path(X, y, cv=5, random_state=1)
    >>> cv.fold_scores.shape, bool(cv.lambda_1se >= cv.lambda_min)
    ((5, 100), True)
    >>> sorted(cv.at("1se").selected)[:2]
    ['x0', 'x1']
    """

    path: Path
    fold_paths: tuple[Path, ...]
    fold_scores: FloatArray
    fold_weights: FloatArray
    mean_scores: FloatArray
    std_errors: FloatArray
    held_out: tuple[IntArray, ...]
    scoring: str
    score_label: str
    greater_is_better: bool
    grouped: bool = True
    info: dict[str, Any] = field(default_factory=dict)
    relaxed: RelaxedCV | None = None

    def __post_init__(self) -> None:
        for name in ("fold_scores", "fold_weights", "mean_scores", "std_errors"):
            array = np.asarray(getattr(self, name), np.float64)
            object.__setattr__(self, name, frozen(array))
        rows = tuple(frozen(np.asarray(rows, np.int64)) for rows in self.held_out)
        object.__setattr__(self, "held_out", rows)
        n_folds, n_lambdas = len(self.fold_paths), self.path.lambdas.size
        wanted = {
            "fold_scores": (n_folds, n_lambdas),
            "fold_weights": (n_folds,),
            "mean_scores": (n_lambdas,),
            "std_errors": (n_lambdas,),
        }
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                given = getattr(self, name).shape
                raise ValueError(f"CVPath: {name} has shape {given}; it must be {shape}.")
        if len(rows) != n_folds:
            raise ValueError(f"CVPath: {len(rows)} lists of rows for {n_folds} folds.")
        if self.relaxed is not None:
            _, folds, lambdas = self.relaxed.fold_scores.shape
            if folds != n_folds or lambdas > n_lambdas:
                raise ValueError(
                    f"CVPath: relaxed has fold scores of shape {self.relaxed.fold_scores.shape}; "
                    f"it must be (G, {n_folds}, {n_lambdas}), or shorter."
                )

    # ------------------------------------------------------------------------------------- choice

    @property
    def lambdas(self) -> FloatArray:
        """The grid, of shape (L,)."""
        return self.path.lambdas

    @property
    def is_judged(self) -> bool:
        """Whether there is a mean score at all."""
        return not bool(np.isnan(self.mean_scores).all())

    @property
    def index_min(self) -> int:
        """Position of the best mean score; of equal ones (but for rounding) the largest lambda."""
        if not self.is_judged:
            raise ValueError(
                f"CVPath: no fold has a score ({self.score_label}), so that no lambda can be "
                "chosen; use fewer folds, or another scoring."
            )
        return int(np.argmax(equal_to_best(self.losses)))

    @property
    def is_open(self) -> bool:
        """Whether the best score is that of the smallest lambda, and a smaller one may be better.

        It is not if the score is flat there: if on its way to lambda = 0 it would gain at most 0.01
        standard errors, going on as it does at the end of the grid. Nor is that of one lambda.
        """
        if self.lambdas.size < 2 or not self.is_judged or self.lambdas[-1] == 0.0:
            return False
        if self.lambda_min > self.lambdas[-1]:
            return False
        noise = FLAT * float(np.nan_to_num(self.std_errors[-1]))
        return still_to_gain(self.lambdas, self.losses, self.path.settings.tol) > noise

    @property
    def index_1se(self) -> int:
        """Position of the largest lambda whose score is within one standard error of the best."""
        return self.index_at("1se")

    @property
    def lambda_min(self) -> float:
        """Lambda with the best mean score."""
        return float(self.lambdas[self.index_min])

    @property
    def lambda_1se(self) -> float:
        """The largest lambda whose mean score is within one standard error of the best.

        The rule of Breiman, Friedman, Olshen and Stone (1984), section 3.4.3.
        """
        return float(self.lambdas[self.index_1se])

    @property
    def losses(self) -> FloatArray:
        """Mean scores, the smaller the better."""
        return -self.mean_scores if self.greater_is_better else self.mean_scores

    def index_at(self, rule: Any) -> int:
        """Position in the path that a rule chooses; the rules are those of `at`."""
        if callable(rule):
            return position("CVPath.at", rule(self), self.lambdas, "lambdas")
        best, losses = self.index_min, self.losses
        limit = losses[best] + slack("CVPath.at", rule, losses[best], self.std_errors[best])
        return int(np.argmax(within(losses, limit)))

    def at(self, rule: Any = "1se") -> Point:
        """The model that a rule chooses, fitted to all rows.

        Parameters
        ----------
        rule : {"min", "1se"}, percentage, or callable, default "1se"
            ``"min"``: the best mean score. ``"1se"``: the largest lambda within one standard error
            of it. ``"2%"``: the largest lambda whose score is worse by at most 2 percent of the
            best. A function is given the `CVPath` and returns a position or a lambda of the grid.

        Returns
        -------
        Point

        Raises
        ------
        ValueError
            If there is no such rule.

        Examples
        --------
        >>> import regpath
        >>> X, y, names, _ = regpath.datasets.load_prostate()
        >>> cv = regpath.cv_path(X, y, random_state=1)
        >>> cv.at("1se").n_nonzero <= cv.at("min").n_nonzero
        True
        >>> cv.at(lambda cv: cv.mean_scores.argmin()).index == cv.index_min
        True
        """
        return self.path.at_index(self.index_at(rule))

    def _lambda(self, lambda_: Any) -> Any:
        """Let a rule stand for its lambda."""
        if isinstance(lambda_, str) or callable(lambda_):
            return float(self.lambdas[self.index_at(lambda_)])
        return number(lambda_)

    def coef_at(self, lambda_: Any = "1se", **options: Any) -> FloatArray:
        """Coefficients of the path at a rule of `at` or at any lambda, see `Path.coef_at`."""
        return self.path.coef_at(self._lambda(lambda_), **options)

    def intercept_at(self, lambda_: Any = "1se", **options: Any) -> Any:
        """Intercept of the path at a rule of `at` or at any lambda, see `Path.intercept_at`."""
        return self.path.intercept_at(self._lambda(lambda_), **options)

    def predict(
        self,
        X: Any,
        lambda_: Any = "1se",
        type: PredictionType = "response",
        offset: npt.ArrayLike | None = None,
    ) -> npt.NDArray[Any]:
        """Predict for new rows at a rule of `at` or at any lambda, see `Path.predict`."""
        wanted = None if lambda_ is None else self._lambda(lambda_)
        return self.path.predict(X, wanted, type, offset)

    def out_of_fold(
        self,
        X: Any,
        lambda_: Any = None,
        type: PredictionType = "response",
        offset: npt.ArrayLike | None = None,
    ) -> npt.NDArray[Any]:
        """Predict every row by the path that was fitted without it.

        Parameters
        ----------
        X : array, sparse matrix or data frame of shape (n, p)
            The data of the fit.
        lambda_, type, offset
            As in `predict`; by default all lambdas.

        Returns
        -------
        predictions : ndarray
            Of the shape that `Path.predict` gives.

        Raises
        ------
        ValueError
            If X or the offset has another number of rows, the folds do not hold out every row once,
            or they have lambdas of their own.

        Examples
        --------
        >>> import numpy as np, regpath
        >>> X, y, names, _ = regpath.datasets.load_prostate()
        >>> cv = regpath.cv_path(X, y, random_state=1)
        >>> error = ((cv.out_of_fold(X, "min") - y) ** 2).mean()
        >>> bool(np.isclose(error, cv.mean_scores.min(), rtol=0.05))
        True
        """
        from regpath.folds import rows_of

        if any(not np.array_equal(fold.lambdas, self.lambdas) for fold in self.fold_paths):
            raise ValueError(
                "CVPath.out_of_fold: the folds have lambdas of their own (fold_lambdas='glmnet'); "
                "use fold_lambdas='shared'."
            )
        rows = np.concatenate(self.held_out)
        n = int(np.shape(X)[0])
        if rows.size != n or np.unique(rows).size != n:
            raise ValueError(
                f"CVPath.out_of_fold: the folds hold out {rows.size} rows, {np.unique(rows).size} "
                f"different ones, and X has {n}; every row must be held out exactly once."
            )
        wanted = None if lambda_ is None else self._lambda(lambda_)
        shift = None if offset is None else np.asarray(offset, np.float64)
        if shift is not None and shift.shape[:1] != (n,):
            raise ValueError(
                f"CVPath.out_of_fold(offset=...): the shape is {shift.shape}; there must be one "
                f"value for each of the {n} rows of X."
            )
        parts = [
            path.predict(rows_of(X, some), wanted, type, None if shift is None else shift[some])
            for path, some in zip(self.fold_paths, self.held_out, strict=True)
        ]
        together: npt.NDArray[Any] = np.concatenate(parts)
        return together[np.argsort(rows)]

    # -------------------------------------------------------------------------------------- views

    def to_frame(self, backend: Any = None) -> Any:
        """One row per lambda: df, mean score, standard error, and the score of every fold.

        Parameters
        ----------
        backend : {"pandas", "polars", "pyarrow"}, optional
            Default: pandas if it is installed, otherwise polars.

        Returns
        -------
        frame : pandas.DataFrame, polars.DataFrame or pyarrow.Table
        """
        from regpath._cv_table import cv_columns
        from regpath._table import native_frame

        return native_frame(cv_columns(self), backend)

    def summary(self) -> str:
        """Describe the cross-validation as text: what was done, then the rules and their models."""
        from regpath._cv_table import summary

        return summary(self)

    def __repr__(self) -> str:
        return self.summary()

    def plot(self, ax: Axes | Any = None) -> Axes | Any:
        """Draw mean scores with error bars; see `regpath.plot_selection.plot_cv`."""
        from regpath.plot_selection import plot_cv

        return plot_cv(self, ax=ax)

    def shortened(self, n_lambdas: int) -> CVPath:
        """The first points of the grid."""
        part = slice(n_lambdas)
        return replace(
            self,
            path=self.path.shortened(n_lambdas),
            fold_paths=tuple(path.shortened(n_lambdas) for path in self.fold_paths),
            fold_scores=self.fold_scores[:, part],
            mean_scores=self.mean_scores[part],
            std_errors=self.std_errors[part],
            relaxed=None if self.relaxed is None else self.relaxed.shortened(n_lambdas),
        )

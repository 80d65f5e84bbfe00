"""What a cross-validation of relaxed paths gives back: scores over gamma and lambda, and rules."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from regpath._parts import frozen
from regpath._predict import PredictionType
from regpath._rules import equal_to_best, position, slack, within
from regpath._saved import Saved
from regpath._table import native_frame
from regpath.relaxed import BlendPoint, RelaxedPath, check_gamma

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RelaxedCV", "check_gammas", "relaxed_columns"]

FloatArray: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class RelaxedCV(Saved):
    """Cross-validated blends of a path with its unpenalised refits.

    Attributes
    ----------
    path : RelaxedPath
        Fitted to all rows.
    fold_paths : tuple of K RelaxedPaths
        Those of the folds.
    gammas : ndarray of shape (G,), increasing
        Shares of the penalised fit; 1 is the path itself.
    fold_scores : ndarray of shape (G, K, L)
    mean_scores, std_errors : ndarray of shape (G, L)
        As in `CVPath`, for every gamma.
    score_label : str
    greater_is_better : bool

    Notes
    -----
    The rules "min" and "1se" choose as cv.glmnet does. Of equally good blends the one with the
    largest lambda is chosen, and of those the one with the largest gamma: the most penalised one.

    Examples
    --------
    >>> import regpath
    >>> X, y, names, _ = regpath.datasets.load_prostate()
    >>> cv = regpath.cv_path(X, y, cv=5, random_state=1, relax=True).relaxed
    >>> cv.mean_scores.shape, bool(cv.lambda_1se >= cv.lambda_min)
    ((5, 100), True)
    >>> cv.at("1se").n_nonzero <= cv.at("min").n_nonzero
    True
    >>> cv.predict(X, "1se").shape
    (97,)
    """

    path: RelaxedPath
    fold_paths: tuple[RelaxedPath, ...]
    gammas: FloatArray
    fold_scores: FloatArray
    mean_scores: FloatArray
    std_errors: FloatArray
    score_label: str
    greater_is_better: bool

    def __post_init__(self) -> None:
        for name in ("gammas", "fold_scores", "mean_scores", "std_errors"):
            array = frozen(np.asarray(getattr(self, name), np.float64))
            object.__setattr__(self, name, array)
        G, K, L = self.gammas.size, len(self.fold_paths), self.lambdas.size
        wanted = {
            "gammas": (G,),
            "fold_scores": (G, K, L),
            "mean_scores": (G, L),
            "std_errors": (G, L),
        }
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                given = getattr(self, name).shape
                raise ValueError(f"RelaxedCV: {name} has shape {given}; it must be {shape}.")

    @property
    def lambdas(self) -> FloatArray:
        """The grid, of shape (L,)."""
        return self.path.lambdas

    @property
    def l1_ratio(self) -> float:
        """That of the path."""
        return self.path.path.l1_ratio

    # ------------------------------------------------------------------------------------- choice

    @property
    def gamma_min(self) -> float:
        """Gamma of the best mean score."""
        return float(self.gammas[self.index_at("min")[0]])

    @property
    def lambda_min(self) -> float:
        """Lambda of the best mean score."""
        return float(self.lambdas[self.index_at("min")[1]])

    @property
    def gamma_1se(self) -> float:
        """Gamma that belongs to `lambda_1se`."""
        return float(self.gammas[self.index_at("1se")[0]])

    @property
    def lambda_1se(self) -> float:
        """The largest lambda with a gamma whose score is within one standard error of the best."""
        return float(self.lambdas[self.index_at("1se")[1]])

    @property
    def losses(self) -> FloatArray:
        """Mean scores of shape (G, L), the smaller the better."""
        return -self.mean_scores if self.greater_is_better else self.mean_scores

    def index_at(self, rule: Any) -> tuple[int, int]:
        """Positions in `gammas` and in `lambdas` that a rule of `at` chooses."""
        if callable(rule):
            return self._indices_of(rule(self))
        losses = self.losses
        if np.isnan(losses).all():
            raise ValueError(f"RelaxedCV: no fold has a score ({self.score_label}).")
        best = _most_penalised(equal_to_best(losses))
        limit = losses[best] + slack("RelaxedCV.at", rule, losses[best], self.std_errors[best])
        return _most_penalised(within(losses, limit))

    def _indices_of(self, chosen: Any) -> tuple[int, int]:
        """Positions of what a function chose."""
        if not isinstance(chosen, tuple | list) or len(chosen) != 2:
            raise ValueError(
                f"RelaxedCV.at: the function chose {chosen!r}; it must return a pair (gamma, "
                "lambda), each a position or one of the values as a float."
            )
        gamma = position("RelaxedCV.at", chosen[0], self.gammas, "gammas")
        return gamma, position("RelaxedCV.at", chosen[1], self.lambdas, "lambdas")

    def at(self, rule: Any = "1se") -> BlendPoint:
        """The blend that a rule chooses, fitted to all rows.

        Parameters
        ----------
        rule : {"min", "1se"}, percentage, or callable, default "1se"
            ``"min"``: the best mean score over all gammas and lambdas. ``"1se"``: the largest
            lambda with a gamma whose score is within one standard error of the best. ``"2%"``: the
            largest lambda with a gamma whose score is worse by at most 2 percent of the best. A
            function is given the `RelaxedCV` and returns a pair (gamma, lambda), each a position
            or one of the values as a float.

        Returns
        -------
        BlendPoint

        Raises
        ------
        ValueError
            If there is no such rule.

        Examples
        --------
        >>> import regpath
        >>> X, y, names, _ = regpath.datasets.load_prostate()
        >>> cv = regpath.cv_path(X, y, random_state=1, relax=True).relaxed
        >>> cv.at("5%").lambda_ >= cv.at("2%").lambda_ >= cv.lambda_min
        True
        >>> refits = cv.at(lambda cv: (0.0, int(cv.losses[0].argmin())))
        >>> refits.gamma
        0.0
        """
        gamma, index = self.index_at(rule)
        return self.path.at_index(index, float(self.gammas[gamma]))

    def coef_at(self, rule: Any = "1se") -> FloatArray:
        """Coefficients at a rule of `at`: ndarray (p,), or (K, p) for K outputs."""
        return self.at(rule).coef

    def intercept_at(self, rule: Any = "1se") -> Any:
        """Intercept at a rule of `at`: float, or ndarray (K,) for K outputs."""
        return self.at(rule).intercept

    def predict(
        self,
        X: Any,
        rule: Any = "1se",
        type: PredictionType = "response",
        offset: npt.ArrayLike | None = None,
    ) -> npt.NDArray[Any]:
        """Predict for new rows at a rule of `at`; X, type and offset as in `Path.predict`."""
        point = self.at(rule)
        return self.path.predict(X, point.lambda_, point.gamma, type, offset)

    # -------------------------------------------------------------------------------------- views

    def to_frame(self, backend: Any = None) -> Any:
        """One row per gamma and lambda: gamma, lambda, df, mean score and standard error.

        Parameters
        ----------
        backend : {"pandas", "polars", "pyarrow"}, optional
            Default: pandas if it is installed, otherwise polars.

        Returns
        -------
        frame : pandas.DataFrame, polars.DataFrame or pyarrow.Table
        """
        return native_frame(relaxed_columns(self), backend)

    def plot(self, ax: Axes | Any = None) -> Axes | Any:
        """Draw the scores of every gamma; see `regpath.plot_selection.plot_relaxed_cv`."""
        from regpath.plot_selection import plot_relaxed_cv

        return plot_relaxed_cv(self, ax=ax)

    def __repr__(self) -> str:
        head = f"Relaxed, {self.gammas.size} gammas from {self.gammas[0]:g} to {self.gammas[-1]:g}"
        lines = [head, "", "rule   gamma      lambda      score   std error  nonzero  position"]
        if np.isnan(self.mean_scores).all():
            return f"{head}: no fold has a score"
        for rule in ("min", "1se"):
            g, k = self.index_at(rule)
            lines.append(
                f"{rule:4s} {self.gammas[g]:7g} {self.lambdas[k]:11.5g} "
                f"{self.mean_scores[g, k]:10.5g} {self.std_errors[g, k]:11.4g} "
                f"{self.path.path.n_nonzero[k]:8d} {k:9d}"
            )
        return "\n".join(lines)

    def shortened(self, n_lambdas: int) -> RelaxedCV:
        """The first points of the grid."""
        return replace(
            self,
            path=self.path.shortened(n_lambdas),
            fold_paths=tuple(path.shortened(n_lambdas) for path in self.fold_paths),
            fold_scores=self.fold_scores[..., :n_lambdas],
            mean_scores=self.mean_scores[:, :n_lambdas],
            std_errors=self.std_errors[:, :n_lambdas],
        )


def _most_penalised(eligible: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Position (gamma, lambda) of the largest lambda, and there of the largest gamma."""
    index = int(np.argmax(eligible.any(axis=0)))
    return int(np.flatnonzero(eligible[:, index])[-1]), index


def relaxed_columns(cv: RelaxedCV) -> dict[str, Any]:
    """Columns of the table with one row per gamma and lambda."""
    G, L = cv.mean_scores.shape
    return {
        "gamma": np.repeat(cv.gammas, L),
        "lambda": np.tile(cv.lambdas, G),
        "df": np.tile(cv.path.path.n_nonzero, G),
        "mean_score": cv.mean_scores.ravel(),
        "std_error": cv.std_errors.ravel(),
    }


def check_gammas(call: str, relax: Any, gammas: Any) -> FloatArray:
    """The gammas in increasing order, each once; or an error."""
    if not isinstance(relax, bool | np.bool_):
        raise TypeError(f"{call}(relax={relax!r}): it must be True or False.")
    given = [gammas] if np.ndim(gammas) == 0 else list(gammas)
    if not given:
        raise ValueError(f"{call}(gammas={gammas!r}): give at least one number from 0 to 1.")
    return np.unique([check_gamma(call, gamma, "gammas") for gamma in given])

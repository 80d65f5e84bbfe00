"""Cross-validation over several l1_ratios: a surface of scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from regpath._parts import Point
from regpath._predict import PredictionType
from regpath._rules import equal_to_best
from regpath._saved import Saved
from regpath.cv_result import CVPath

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from regpath.relaxed_cv import RelaxedCV

__all__ = ["CVSurface"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, repr=False, eq=False)
class CVSurface(Saved):
    """Cross-validated paths for several l1_ratios, on the same folds.

    Attributes
    ----------
    paths : tuple of R CVPaths
        In the order in which the l1_ratios were given. They are solved from the largest l1_ratio to
        the smallest, and passes and seconds in ``info`` count from the beginning of the call.

    Notes
    -----
    The best mean score of all decides on the l1_ratio, whatever the rule; the rule then chooses
    along the lambdas of that l1_ratio alone. So "1se" allows one standard error of the best score
    there, and lambdas of different l1_ratios, whose strengths do not compare, are never weighed
    against each other. With ``relax=True`` the blends have an l1_ratio of their own, see `relaxed`.

    Examples
    --------
    >>> import regpath
    >>> X, y, names, _ = regpath.datasets.load_prostate()
    >>> cv = regpath.cv_path(X, y, l1_ratio=[0.2, 1.0], random_state=0)
    >>> cv.mean_scores.shape, cv.l1_ratio_min in cv.l1_ratios
    ((2, 100), True)
    >>> cv.at("1se").index == cv.best.index_1se
    True
    """

    paths: tuple[CVPath, ...]

    def __post_init__(self) -> None:
        if not self.paths:
            raise ValueError("CVSurface: there must be at least one path.")

    @property
    def l1_ratios(self) -> FloatArray:
        """Of shape (R,)."""
        return np.array([cv.path.l1_ratio for cv in self.paths])

    @property
    def index_min(self) -> int:
        """Position of the l1_ratio with the best mean score; of equal ones the first."""
        return _least([cv.losses for cv in self.paths])

    @property
    def best(self) -> CVPath:
        """The path of the best l1_ratio."""
        return self.paths[self.index_min]

    @property
    def relaxed(self) -> RelaxedCV | None:
        """Blends with refits, at the l1_ratio that has the best of their mean scores.

        That may be another one than the best for the paths alone: `RelaxedCV.l1_ratio` tells. None
        without ``relax=True``.
        """
        blends = [cv.relaxed for cv in self.paths if cv.relaxed is not None]
        return blends[_least([one.losses for one in blends])] if blends else None

    @property
    def l1_ratio_min(self) -> float:
        """The l1_ratio of the best pair."""
        return float(self.best.path.l1_ratio)

    @property
    def lambda_min(self) -> float:
        """The lambda of the best pair."""
        return self.best.lambda_min

    @property
    def lambda_1se(self) -> float:
        """The largest lambda, at the best l1_ratio, within one standard error of the best score."""
        return self.best.lambda_1se

    @property
    def lambdas(self) -> FloatArray:
        """The grid of every l1_ratio, (R, L); nan where one is shorter than others."""
        return self._stacked([cv.lambdas for cv in self.paths])

    @property
    def mean_scores(self) -> FloatArray:
        """Of shape (R, L); nan where a grid is shorter than others."""
        return self._stacked([cv.mean_scores for cv in self.paths])

    def _stacked(self, rows: list[FloatArray]) -> FloatArray:
        out = np.full((len(rows), max(row.size for row in rows)), np.nan)
        for k, row in enumerate(rows):
            out[k, : row.size] = row
        return out

    def at(self, rule: Any = "1se") -> Point:
        """The model that a rule chooses at the best l1_ratio, see `CVPath.at`.

        A function is given the `CVPath` of that l1_ratio.
        """
        return self.best.at(rule)

    def coef_at(self, lambda_: Any = "1se", **options: Any) -> FloatArray:
        """Coefficients at the best l1_ratio, see `CVPath.coef_at`."""
        return self.best.coef_at(lambda_, **options)

    def intercept_at(self, lambda_: Any = "1se", **options: Any) -> Any:
        """Intercept at the best l1_ratio, see `CVPath.intercept_at`."""
        return self.best.intercept_at(lambda_, **options)

    def predict(
        self,
        X: Any,
        lambda_: Any = "1se",
        type: PredictionType = "response",
        offset: npt.ArrayLike | None = None,
    ) -> npt.NDArray[Any]:
        """Predict for new rows at the best l1_ratio, see `CVPath.predict`."""
        return self.best.predict(X, lambda_, type, offset)

    def plot(self, ax: Axes | Any = None) -> Axes | Any:
        """Draw the surface of mean scores; see `regpath.plot_selection.plot_surface`."""
        from regpath.plot_selection import plot_surface

        one = self.paths[0]
        return plot_surface(
            self.lambdas,
            self.l1_ratios,
            self.mean_scores,
            greater_is_better=one.greater_is_better,
            score_label=one.score_label,
            ax=ax,
        )

    def to_frame(self, backend: Any = None) -> Any:
        """One row per l1_ratio and lambda: both, mean score, standard error and df.

        Parameters
        ----------
        backend : {"pandas", "polars", "pyarrow"}, optional
            Default: pandas if it is installed, otherwise polars.

        Returns
        -------
        frame : pandas.DataFrame, polars.DataFrame or pyarrow.Table
        """
        from regpath._cv_table import surface_columns
        from regpath._table import native_frame

        return native_frame(surface_columns(self), backend)

    def summary(self) -> str:
        """One line for every l1_ratio, and the best pair."""
        from regpath._cv_table import surface_summary

        return surface_summary(self)

    def __repr__(self) -> str:
        return self.summary()


def _least(losses: Sequence[FloatArray]) -> int:
    """Position of the array with the smallest number; of equal ones the first, 0 if all are nan."""
    best = [np.nan if np.isnan(a).all() else float(np.nanmin(a)) for a in losses]
    return 0 if np.isnan(best).all() else int(np.argmax(equal_to_best(np.array(best))))

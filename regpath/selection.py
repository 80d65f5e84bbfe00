"""Cross-validation of whole paths: every fold is a vector of weights on one X.

The path of all rows and those of the folds are solved at the same time and share their passes over
X (`regpath.solvers.shared`); X is never copied. Each fold is certified like any other path.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from regpath._held_out import interpolated, predictors
from regpath.cv_result import CVPath
from regpath.families import Gaussian
from regpath.folds import Fold, check_folds, rows_of
from regpath.loop import Fit, progress_bar, warn_of_misses
from regpath.path import check
from regpath.result import Path
from regpath.scoring import HeldOut, Scorer, resolve
from regpath.solvers.reader import Reader
from regpath.solvers.shared import SharedPasses
from regpath.strategy import usable_cores
from regpath.validation import Options, Problem

__all__ = ["SelectionWarning", "cv_path"]

Array = NDArray[np.float64]
FoldLambdas = Literal["shared", "glmnet"]

# With fewer rows a fold, its score says little: the losses of single rows are taken, as by
# cv.glmnet.
LEAST_ROWS = 3


class SelectionWarning(UserWarning):
    """A choice among the models of a path is doubtful; the message says why and what to do."""


def cv_path(
    X: Any,
    y: Any,
    *,
    cv: Any = 10,
    scoring: Any = None,
    n_jobs: int | None = None,
    progress: bool = False,
    random_state: Any = None,
    grouped: bool = True,
    fold_lambdas: FoldLambdas = "shared",
    **options: Any,
) -> CVPath:
    """Cross-validate a whole regularization path.

    Parameters
    ----------
    X, y
        As in `fit_path`.
    cv : int, "loo", labels of shape (n,), splitter, or iterable of (train, test), default 10
        Number of folds, in random order, with equal shares of every class (of events, for cox);
        one label for every row; an object with the method ``split`` of scikit-learn; or index
        arrays (boolean masks) of the rows of each fold.
    scoring : str, callable or `regpath.scoring.Scorer`, optional
        See `regpath.scoring`; by default "mse" for gaussian, huber and multigaussian, "deviance"
        for other families. A function ``f(y_true, y_pred, sample_weight)`` is a loss: the smaller
        the better.
    n_jobs : int, optional
        Folds that are worked on at the same time. Default: all usable cores. Results do not depend
        on it.
    progress : bool, default False
        Show a progress bar over folds and lambdas (needs rich).
    random_state : None, int or numpy.random.Generator
        Shuffles the rows for a number of folds; None is different every time.
    grouped : bool, default True
        Whether means and standard errors are those of the scores of folds; otherwise of the losses
        of single rows, which is taken in any case with fewer than 3 rows a fold.
    fold_lambdas : {"shared", "glmnet"}, default "shared"
        Whether every fold is solved at the lambdas of the whole path, or by the rule of cv.glmnet:
        on a grid of its own (unless ``lambdas`` are given), with predictors interpolated linearly
        at the lambdas of the whole path, and for the gaussian family with the quadratic part of the
        penalty in units of the standard deviation of the response of the fold.
    **options
        All other options of `fit_path`. ``max_features``, ``stop_at_dev_ratio`` and ``callback``
        end the whole path, and with it those of the folds.

    Returns
    -------
    CVPath

    Raises
    ------
    ValueError, TypeError
        If data, folds, scoring or options are not valid; before any work.

    Warns
    -----
    SelectionWarning
        If the best lambda is the smallest one of the grid.
    ConvergenceWarning
        Once, if points of any path miss ``tol``.

    References
    ----------
    Hastie, Tibshirani and Friedman (2009), The Elements of Statistical Learning, section 7.10.
    Friedman, Hastie and Tibshirani (2010), J. Stat. Software 33, section 6.

    Examples
    --------
    >>> import regpath
    >>> X, y, names, _ = regpath.datasets.load_prostate()
    >>> cv = regpath.cv_path(X, y, cv=5, random_state=0)
    >>> cv.predict(X, "min").shape
    (97,)
    """
    call, started = "cv_path", time.monotonic()
    problem, settings = check(call, X, y, {**options, "progress": progress})
    _check_choice(call, "fold_lambdas", fold_lambdas, ("shared", "glmnet"))
    if not isinstance(grouped, bool | np.bool_):
        raise TypeError(f"{call}(grouped={grouped!r}): it must be True or False.")
    n_jobs = _check_jobs(call, n_jobs)
    scorer = resolve(call, scoring, problem.response.family)
    folds = check_folds(call, cv, X, y, problem.response, problem.weights, random_state)
    n_judged = sum(int(np.count_nonzero(problem.weights[f.held_out])) for f in folds)
    if n_judged < LEAST_ROWS * len(folds):
        grouped = False
    work = _CrossValidation(
        call, problem, settings, folds, scorer, y, fold_lambdas, n_jobs, started
    )
    total = settings.n_lambdas if settings.lambdas is None else settings.lambdas.size
    with progress_bar(progress, total * (1 + len(folds)), "folds") as advance:
        whole, judged = work.run(advance)
    cv_result = _assembled(whole, judged, folds, scorer, 0 if grouped else n_judged, work.info())
    warn_of_misses(call, [cv_result.path, *cv_result.fold_paths], stacklevel=3)
    _warn_of_edge(call, cv_result)
    return cv_result


class _Judged(NamedTuple):
    """The path of a fold, and how it does on the rows that are held out."""

    path: Path
    scores: Array
    weight: float
    within: Array | None
    """Standard deviation of the losses of single rows, if the score is their mean."""


@dataclass
class _CrossValidation:
    """All there is to know to solve and to judge the folds."""

    call: str
    problem: Problem
    options: Options
    folds: Sequence[Fold]
    scorer: Scorer
    y: Any
    fold_lambdas: FoldLambdas
    n_jobs: int
    started: float

    def __post_init__(self) -> None:
        n_threads = self.options.n_threads or usable_cores()
        self._shared = SharedPasses(self.problem.design, n_threads, self.n_jobs)
        # Between passes the folds share the cores.
        self._within = replace(
            self.options,
            n_threads=max(1, n_threads // self.n_jobs),
            max_features=None,
            stop_at_dev_ratio=None,
            callback=None,
        )

    def run(self, advance: Callable[[int], None]) -> tuple[Path, list[_Judged]]:
        """Solve the path of all rows and those of the folds, and judge these."""
        whole = Fit(self.call, self.problem, self.options, started=self.started)
        lambdas = self._grid(whole, self.problem)
        o = self.options
        if any(stop is not None for stop in (o.max_features, o.stop_at_dev_ratio, o.callback)):
            whole.follow(lambdas, advance)  # it may end early, and the folds with it
            lambdas = lambdas[: whole.size]
        else:
            whole.geometry.reader = self._shared.reader()

        def solve_whole() -> None:
            whole.follow(lambdas[whole.size :], advance)

        def judge(fold: Fold) -> Callable[[], _Judged]:
            reader = self._shared.reader()
            return lambda: self._judge(fold, lambdas, reader, advance)

        with _one_blas_thread():
            _, *judged = self._shared.run([solve_whole, *map(judge, self.folds)])
        return whole.path(), judged

    def _judge(
        self, fold: Fold, lambdas: Array, reader: Reader, advance: Callable[[int], None]
    ) -> _Judged:
        """Solve the path of a fold, and judge it."""

        def watch(points: int) -> None:
            if self._shared.stopped:
                raise KeyboardInterrupt
            advance(points)

        path, knots, wanted = self._solved(fold, lambdas, reader, watch)

        def at(rows: NDArray[np.int64]) -> HeldOut:
            eta = predictors(self.problem.design, rows, path, self.problem.offset)
            return self._held_out(
                rows, eta if knots is wanted else interpolated(eta, knots, wanted)
            )

        held = at(fold.held_out)
        within = None
        if self.scorer.needs_training:
            used = np.flatnonzero(fold.times)
            beside = at(used)
            beside = replace(beside, weights=beside.weights * fold.times[used])
            scores = self.scorer.score(held, beside)
        else:
            scores = self.scorer.score(held)
            losses = self.scorer.by_row(held)
            if losses is not None:
                within = _root_mean_square(held.weights / held.weights.sum(), losses, scores)
        return _Judged(path, scores, self.scorer.weight(held), within)

    def _solved(
        self, fold: Fold, lambdas: Array, reader: Reader, watch: Callable[[int], None]
    ) -> tuple[Path, Array, Array]:
        """The path of a fold, its lambdas, and those in the same units where it will be judged."""
        training = training_problem(self.problem, fold.times)
        options, stretch = self._within, 1.0
        if self.fold_lambdas == "glmnet":
            options, stretch = as_glmnet(self.problem, training, options)
        fit = Fit(self.call, training, options, started=self.started, reader=reader)
        if self.fold_lambdas == "shared":
            fit.follow(lambdas, watch)
            return fit.path(), lambdas, lambdas
        knots = at = self._grid(fit, training)
        if options.l1_ratio == 0.0 and options.lambdas is None:
            at = np.concatenate([[np.inf], knots[1:]])  # glmnet begins ridge at the null model
        fit.follow(at, watch)
        path, wanted = fit.path(), lambdas * stretch
        if path.lambdas.size < knots.size:  # it ended early: nothing is known of what follows
            knots = knots[: path.lambdas.size]
            wanted = wanted[: max(1, np.count_nonzero(wanted >= knots[-1]))]
        return path, knots, wanted

    def _grid(self, fit: Fit, problem: Problem) -> Array:
        """The lambdas of a path, where glmnet has them if that is wanted."""
        o, grid = self.options, fit.grid()
        if self.fold_lambdas == "glmnet" and o.lambdas is None and o.l1_ratio == 0.0:
            grid = grid / _deviation(problem, o)
        return grid

    def _held_out(self, rows: NDArray[np.int64], eta: Array) -> HeldOut:
        """Some rows, and what is predicted for them at the lambdas of the whole path."""
        problem, response = self.problem, self.problem.response
        return HeldOut(
            family=response.family,
            y=response.y[rows],
            # In the user's units: glmnet weighs folds by them.
            weights=problem.weights[rows] * problem.weight_sum,
            eta=eta,
            classes=response.classes,
            strata=None if response.strata is None else response.strata[rows],
            given=rows_of(self.y, rows) if self.scorer.function is not None else None,
        )

    def info(self) -> dict[str, Any]:
        return {
            "passes": self._shared.passes,
            "n_jobs": self.n_jobs,
            "fold_lambdas": self.fold_lambdas,
            "seconds_total": time.monotonic() - self.started,
        }


def training_problem(problem: Problem, times: Array) -> Problem:
    """The problem with every row counted so many times: not at all, once, or more often."""
    weights = problem.weights * times
    total = float(weights.sum())
    weights /= total
    weights.flags.writeable = False
    given = problem.given["sample_weight"]
    kept = times if given is None else given * times
    return replace(
        problem,
        weights=weights,
        weight_sum=problem.weight_sum * total,
        given={**problem.given, "sample_weight": kept},
        notes=(),
    )


def as_glmnet(whole: Problem, training: Problem, options: Options) -> tuple[Options, float]:
    """Options of a fold by the rule of cv.glmnet, and its lambdas per lambda of the whole path.

    glmnet's penalty is lambda (a |b|_1 + (1 - a) / (2 s) |b|^2) with s the standard deviation of
    the response in the gaussian family, and 1 in the others. In each fold s is another.
    """
    r, s, own = options.l1_ratio, _deviation(whole, options), _deviation(training, options)
    a = r / (r + s * (1.0 - r))
    stretch = (a + (1.0 - a) / own) / (a + (1.0 - a) / s)
    given = None if options.lambdas is None else options.lambdas * stretch
    return replace(options, l1_ratio=a / (a + (1.0 - a) / own), lambdas=given), stretch


def _deviation(problem: Problem, options: Options) -> float:
    """Standard deviation of the response, about 0 without an intercept; 1 if not gaussian."""
    if not isinstance(problem.response.family, Gaussian):
        return 1.0
    w = problem.weights
    y = np.where(w > 0.0, problem.response.y - problem.offset, 0.0)
    centre = float(w @ y) if options.fit_intercept else 0.0
    return math.sqrt(float(w @ (y - centre) ** 2)) or 1.0


def _assembled(
    whole: Path,
    judged: Sequence[_Judged],
    folds: Sequence[Fold],
    scorer: Scorer,
    n_single: int,
    info: dict[str, Any],
) -> CVPath:
    """Means and standard errors over folds, for the lambdas that every fold has reached.

    Errors are those of losses of ``n_single`` single rows, if that is not 0 and there are such.
    """
    size = min(whole.lambdas.size, *(fold.scores.size for fold in judged))
    scores = np.array([fold.scores[:size] for fold in judged])
    weights = np.array([fold.weight for fold in judged])
    within = [fold.within[:size] for fold in judged if fold.within is not None]
    grouped = not n_single or len(within) < len(judged)
    mean, error = _over_folds(scores, weights)
    if not grouped:
        share = np.tile(weights / weights.sum(), 2)
        centre = np.concatenate([np.tile(mean, (len(judged), 1)), np.zeros_like(scores)])
        error = _root_mean_square(share, np.concatenate([scores, within]), centre)
        error /= math.sqrt(n_single - 1)
    paths = [fold.path for fold in judged]
    if size < whole.lambdas.size:
        whole = whole.shortened(size)
    if info["fold_lambdas"] == "shared":
        paths = [path.shortened(size) if size < path.lambdas.size else path for path in paths]
    return CVPath(
        path=whole,
        fold_paths=tuple(paths),
        fold_scores=scores,
        fold_weights=weights,
        mean_scores=mean,
        std_errors=error,
        held_out=tuple(fold.held_out for fold in folds),
        scoring=scorer.name,
        score_label=scorer.label,
        greater_is_better=scorer.greater_is_better,
        grouped=grouped,
        info=info,
    )


def _over_folds(scores: Array, weights: Array) -> tuple[Array, Array]:
    """Weighted mean over folds, and sqrt(weighted variance / (K - 1)); folds without a score rest.

    Friedman, Hastie and Tibshirani (2010), as in cv.glmnet. One infinite score makes it the mean.
    """
    known = ~np.isnan(scores)
    share = weights[:, None] * known
    count = known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = share / share.sum(axis=0)
        mean = np.where(known, share * scores, 0.0).sum(axis=0)
        mean[count == 0] = np.nan
        error = _root_mean_square(share, np.where(known, scores, mean), mean)
        return mean, error / np.sqrt(count - 1)


def _root_mean_square(shares: Array, values: Array, centre: Array) -> Array:
    """sqrt(sum_i s_i (v_i - c)^2) down the columns of v; squares may leave the range of numbers."""
    with np.errstate(invalid="ignore", divide="ignore", under="ignore"):
        away = values - centre
        top = np.abs(away).max(axis=0)
        squares = np.where(away == 0.0, 0.0, (away / top) ** 2)
        shares = shares if shares.ndim == 2 else shares[:, None]
        return np.asarray(top * np.sqrt((shares * squares).sum(axis=0)))


def _check_choice(call: str, name: str, given: Any, choices: Sequence[str]) -> None:
    if not isinstance(given, str) or given not in choices:
        raise ValueError(f"{call}({name}={given!r}): it must be {' or '.join(map(repr, choices))}.")


def _check_jobs(call: str, n_jobs: Any) -> int:
    if n_jobs is None or n_jobs == -1:
        return usable_cores()
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int | np.integer):
        raise TypeError(f"{call}(n_jobs={n_jobs!r}): it must be an integer or None.")
    if n_jobs < 1:
        raise ValueError(f"{call}(n_jobs={n_jobs}): it must be at least 1, or -1 for all cores.")
    return int(n_jobs)


def _one_blas_thread() -> AbstractContextManager[Any]:
    """Keep the threads of a BLAS from fighting with those of the folds, if that is possible."""
    try:
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError:
        return nullcontext()
    limits: AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
    return limits


def _warn_of_edge(call: str, cv: CVPath) -> None:
    """Warn if nothing was judged, or a smaller lambda than the grid has might be better."""
    size = cv.lambdas.size
    if np.isnan(cv.mean_scores).all():
        warnings.warn(
            f"{call}: no fold has a score ({cv.score_label}), so that no lambda can be chosen. "
            "To do: use fewer folds, or another scoring.",
            SelectionWarning,
            stacklevel=3,
        )
        return
    if size < 2 or cv.index_min < size - 1 or math.isclose(cv.lambdas[-1], 0.0):
        return
    warnings.warn(
        f"{call}: the best {cv.score_label} is at the smallest lambda of the grid, "
        f"{cv.lambdas[-1]:.4g}; a smaller one may be better. To do: pass a smaller "
        "lambda_min_ratio, or lambdas that go further down.",
        SelectionWarning,
        stacklevel=3,
    )

"""Cross-validation of whole paths: every fold is a vector of weights on one X.

The path of all rows and those of the folds are solved at the same time and share their passes over
X (`regpath.solvers.shared`); X is never copied. Each fold is certified like any other path.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from regpath import _blends
from regpath._held_out import interpolated, predictors
from regpath.cv_result import CVPath
from regpath.families import Gaussian
from regpath.folds import Fold, check_folds, rows_of
from regpath.loop import Fit, progress_bar, warn_of_misses
from regpath.path import check
from regpath.relaxed import RelaxedPath, relaxed, warn_of_refits
from regpath.relaxed_cv import check_gammas
from regpath.result import Path
from regpath.scoring import HeldOut, Scorer, resolve
from regpath.solvers.reader import Reader
from regpath.solvers.shared import SharedPasses
from regpath.solvers.threads import one_blas_thread
from regpath.strategy import check_jobs, usable_cores
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
    relax: bool = False,
    gammas: Any = (0.0, 0.25, 0.5, 0.75, 1.0),
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
    relax : bool, default False
        Whether to judge blends with the unpenalised refits as well, see `regpath.relax`; the
        result is ``relaxed``, a `RelaxedCV`.
    gammas : array of shape (G,), default (0, 0.25, 0.5, 0.75, 1)
        Shares of the penalised fit in these blends.
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
        Once, if points of any path miss ``tol``; once, if refits do.

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
    problem, settings = check(call, X, y, options)
    _check_choice(call, "fold_lambdas", fold_lambdas, ("shared", "glmnet"))
    shares = check_gammas(call, relax, gammas)
    n_jobs = check_jobs(call, n_jobs)
    scorer = resolve(call, scoring, problem.response.family)
    folds = check_folds(call, cv, X, y, problem.response, problem.weights, random_state)
    if problem.n < LEAST_ROWS * len(folds):
        grouped = False
    work = _CrossValidation(
        call, problem, settings, folds, scorer, y, fold_lambdas, n_jobs, started
    )
    total = settings.n_lambdas if settings.lambdas is None else settings.lambdas.size
    with progress_bar(progress, total * (1 + len(folds)), "folds") as advance:
        whole, judged = work.run(advance)
    blends = work.relax(whole, judged, shares) if relax else None
    cv_result = _assembled(whole, judged, folds, scorer, grouped, work.info())
    if blends is not None:
        means = partial(_means, folds=folds, grouped=cv_result.grouped, size=cv_result.lambdas.size)
        cv_result = replace(cv_result, relaxed=_blends.assembled(cv_result, blends, means))
        warn_of_refits(call, [blends.whole, *blends.folds])
    warn_of_misses(call, [cv_result.path, *cv_result.fold_paths])
    _warn_of_edge(call, cv_result)
    return cv_result


class _Judged(NamedTuple):
    """The path of a fold, and how it does on the rows that are held out."""

    path: Path
    scores: Array
    weight: float
    rows: tuple[Array, Array] | None
    """Sums of w l and w l^2 over the held-out rows, for losses l of single rows."""
    knots: Array
    """Its lambdas, and those in the same units where it is judged:"""
    wanted: Array


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
            return lambda: self._judge(fold, lambdas, self._shared.reader(), advance)

        with one_blas_thread():
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
        judged = _Judged(path, np.empty(0), 0.0, None, knots, wanted)
        return self._scored(fold, judged, self._predicted(fold, judged, path))

    def _predicted(self, fold: Fold, judged: _Judged, path: Path) -> list[Array]:
        """Predictors of the held-out rows, and of the training rows if the score needs them."""
        parts = [fold.held_out]
        if self.scorer.needs_training:
            parts.append(np.flatnonzero(fold.times))
        knots, wanted = judged.knots, judged.wanted
        etas = (predictors(self.problem.design, rows, path, self.problem.offset) for rows in parts)
        return [eta if knots is wanted else interpolated(eta, knots, wanted) for eta in etas]

    def _scored(self, fold: Fold, judged: _Judged, etas: Sequence[Array]) -> _Judged:
        """How what is predicted for a fold does."""
        held, rows = self._held_out(fold.held_out, etas[0]), None
        if self.scorer.needs_training:
            used = np.flatnonzero(fold.times)
            beside = self._held_out(used, etas[1])
            beside = replace(beside, weights=beside.weights * fold.times[used])
            scores = self.scorer.score(held, beside)
        else:
            scores = self.scorer.score(held)
            losses = self.scorer.by_row(held)
            if losses is not None:
                rows = held.weights @ losses, held.weights @ losses**2
        return judged._replace(scores=scores, weight=self.scorer.weight(held), rows=rows)

    def relax(
        self, whole: Path, judged: Sequence[_Judged], gammas: Array
    ) -> _blends.Blends[_Judged]:
        """Relax the path of all rows and those of the folds, and judge every blend."""

        def watch(points: int) -> None:
            if self._shared.stopped:
                raise KeyboardInterrupt

        def relax(times: Array | None, path: Path) -> RelaxedPath:
            problem = self.problem if times is None else training_problem(self.problem, times)
            return relaxed(self.call, problem, self._within, path, watch)

        with one_blas_thread():
            return _blends.relax_folds(
                whole,
                self.folds,
                judged,
                gammas,
                relax,
                self._predicted,
                self._scored,
                self._shared.run,
            )

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
        path = fit.path()
        return path, knots[: path.lambdas.size], lambdas * stretch

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
    w, y = problem.weights, problem.response.y - problem.offset
    centre = float(w @ y) if options.fit_intercept else 0.0
    return math.sqrt(float(w @ (y - centre) ** 2)) or 1.0


def _assembled(
    whole: Path,
    judged: Sequence[_Judged],
    folds: Sequence[Fold],
    scorer: Scorer,
    grouped: bool,
    info: dict[str, Any],
) -> CVPath:
    """Means and standard errors over folds, for the lambdas that every fold has reached."""
    size = min(whole.lambdas.size, *(fold.scores.size for fold in judged))
    grouped = grouped or any(fold.rows is None for fold in judged)
    scores, mean, error = _means(judged, folds, grouped, size)
    return CVPath(
        path=whole.shortened(size) if size < whole.lambdas.size else whole,
        fold_paths=tuple(fold.path for fold in judged),
        fold_scores=scores,
        fold_weights=np.array([fold.weight for fold in judged]),
        mean_scores=mean,
        std_errors=error,
        held_out=tuple(fold.held_out for fold in folds),
        scoring=scorer.name,
        score_label=scorer.label,
        greater_is_better=scorer.greater_is_better,
        grouped=grouped,
        info=info,
    )


def _means(
    judged: Sequence[_Judged], folds: Sequence[Fold], grouped: bool, size: int
) -> tuple[Array, Array, Array]:
    """Scores of the folds at the first lambdas, their means and their standard errors."""
    scores = np.array([fold.scores[:size] for fold in judged])
    weights = np.array([fold.weight for fold in judged])
    if grouped:
        return scores, *_over_folds(scores, weights)
    rows = [fold.rows for fold in judged if fold.rows is not None]
    first, second = (np.sum([part[k][:size] for part in rows], axis=0) for k in range(2))
    mean = first / weights.sum()
    spread = np.maximum(second / weights.sum() - mean**2, 0.0)
    error = np.sqrt(spread / (sum(fold.held_out.size for fold in folds) - 1))
    return scores, mean, error


def _over_folds(scores: Array, weights: Array) -> tuple[Array, Array]:
    """Weighted mean over folds, and sqrt(weighted variance / (K - 1)); folds without a score rest.

    Friedman, Hastie and Tibshirani (2010), as in cv.glmnet.
    """
    known = np.isfinite(scores)
    share = weights[:, None] * known
    count = known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = share / share.sum(axis=0)
        values = np.where(known, scores, 0.0)
        mean = (share * values).sum(axis=0)
        variance = (share * np.where(known, scores - mean, 0.0) ** 2).sum(axis=0)
        return mean, np.sqrt(variance / (count - 1))


def _check_choice(call: str, name: str, given: Any, choices: Sequence[str]) -> None:
    if given not in choices:
        raise ValueError(f"{call}({name}={given!r}): it must be {' or '.join(map(repr, choices))}.")


def _warn_of_edge(call: str, cv: CVPath) -> None:
    """Warn if a smaller lambda than the grid has might be better."""
    size = cv.lambdas.size
    if size < 2 or cv.index_min < size - 1 or math.isclose(cv.lambdas[-1], 0.0):
        return
    warnings.warn(
        f"{call}: the best {cv.score_label} is at the smallest lambda of the grid, "
        f"{cv.lambdas[-1]:.4g}; a smaller one may be better. To do: pass a smaller "
        "lambda_min_ratio, or lambdas that go further down.",
        SelectionWarning,
        stacklevel=3,
    )

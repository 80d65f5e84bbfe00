"""Cross-validation of whole paths: every fold is a vector of weights on one X.

The path of all rows and those of the folds are solved at the same time (`regpath.fold_work`); X is
never copied. Each fold is certified like any other path.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regpath._parts import Status
from regpath.cv_result import CVPath
from regpath.fold_work import Advance, FoldLambdas, FoldWork, Judged, root_mean_square
from regpath.folds import check_folds
from regpath.grid import default_ratio
from regpath.loop import progress_bar, warn_of_misses
from regpath.path import check, keywords_of
from regpath.relaxed import warn_of_refits
from regpath.relaxed_cv import RelaxedCV, check_gammas
from regpath.result import Path
from regpath.scoring import resolve
from regpath.strategy import check_jobs
from regpath.surface import CVSurface
from regpath.validation import Options, check_options

__all__ = ["SelectionWarning", "cv_path"]

Array = NDArray[np.float64]

# With fewer rows a fold, its score says little: the losses of single rows are taken, as by
# cv.glmnet.
LEAST_ROWS = 3
# By how many lambdas a grid is extended at a time, down to which share of the largest.
LONGER, SMALLEST = 20, 1e-10
# What goes on at the end of a grid where an option has ended it.
TO_DO = {
    Status.MAX_FEATURES: "raise max_features",
    Status.DEV_RATIO: "raise stop_at_dev_ratio",
    Status.TIME_BUDGET: "raise time_budget",
    Status.CALLBACK: "let the callback go on",
}


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
    extend: bool = False,
    l1_ratio: Any = 1.0,
    **options: Any,
) -> Any:
    """Cross-validate a whole regularization path, or one for each of several l1_ratios.

    Parameters
    ----------
    X, y
        As in `fit_path`.
    cv : int, "loo", labels of shape (n,), splitter, or iterable of (train, test), default 10
        Number of folds, in random order, with equal shares of every class (of events, for cox);
        "loo": every row of positive weight is a fold (`Path.leave_one_out` has such scores of ridge
        without n fits); one label for every row; an object with the method ``split`` of
        scikit-learn; or index arrays (boolean masks) of the rows of each fold.
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
        result is ``relaxed``, a `RelaxedCV`. What a ``time_budget`` leaves after the paths is
        shared among their refits; those that all have reached are judged.
    gammas : array of shape (G,), default (0, 0.25, 0.5, 0.75, 1)
        Shares of the penalised fit in these blends.
    extend : bool, default False
        Whether to continue the grid towards 0, by 20 lambdas at a time, as long as
        `CVPath.is_open`: the best score is the last one, and not flat there. It ends at 1e-10 of
        the largest lambda. Recommended for ridge, whose default grid often ends above the best
        lambda: it begins at 1000 times the largest one of the lasso, as that of glmnet does.
    l1_ratio : float or sequence of float, default 1
        Several make a surface of scores. Each has its own grid; all share the folds, and go on
        with what the one before has gathered. The best mean score of all decides on the l1_ratio,
        and a rule such as "1se" then chooses a lambda there.
    **options
        All other options of `fit_path`. ``max_features``, ``stop_at_dev_ratio`` and ``callback``
        end the whole path, and with it those of the folds. An interrupt ends everything: what all
        folds have reached is the result, of several l1_ratios those that were begun.

    Returns
    -------
    CVPath, or CVSurface for a sequence of l1_ratios

    Raises
    ------
    ValueError, TypeError
        If data, folds, scoring or options are not valid; before any work.

    Warns
    -----
    SelectionWarning
        If the best score of a path, of any l1_ratio, is at the smallest lambda of its grid, and not
        flat there, see `CVPath.is_open`; or if no fold has a score.
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
    ratios = _check_ratios(call, l1_ratio)
    given = {**options, "l1_ratio": ratios[0], "progress": progress}
    problem, settings = check(call, X, y, given, keywords_of(cv_path))
    _check_choice(call, "fold_lambdas", fold_lambdas, ("shared", "glmnet"))
    _check_flag(call, "grouped", grouped)
    _check_extend(call, extend, fold_lambdas)
    gammas = check_gammas(call, relax, gammas)
    n_jobs = check_jobs(call, n_jobs)
    scorer = resolve(call, scoring, problem.response.family)
    folds = check_folds(call, cv, X, y, problem.response, problem.weights, random_state)
    n_judged = sum(int(np.count_nonzero(problem.weights[f.held_out])) for f in folds)
    grouped = bool(grouped) and n_judged >= LEAST_ROWS * len(folds)
    common = call, problem, settings, folds, scorer, y, grouped
    work = FoldWork(*common, fold_lambdas, n_jobs, started, extend or ratios.size > 1)
    total = settings.n_lambdas if settings.lambdas is None else settings.lambdas.size
    with progress_bar(progress, total * (1 + len(folds)) * ratios.size, "folds") as advance:

        def solve(r: float) -> CVPath:
            whole, judged = work.run(r, advance)
            result = _assembled(work, whole, judged, n_judged)
            if extend:
                result, judged = _extended(work, result, judged, advance, n_judged)
            return _relaxed(work, result, judged, gammas, n_judged) if relax else result

        results = _one_by_one(work, sorted(set(ratios.tolist()), reverse=True), solve)
    cvs = [results[r] for r in ratios.tolist() if r in results]
    warn_of_misses(call, [p for cv in cvs for p in (cv.path, *cv.fold_paths)], stacklevel=3)
    refits = [cv.relaxed for cv in cvs if cv.relaxed is not None]
    warn_of_refits(call, [path for one in refits for path in (one.path, *one.fold_paths)])
    surface = CVSurface(tuple(cvs))
    _warn_of_edge(call, surface, settings, extend, fold_lambdas)
    return surface if np.ndim(l1_ratio) else cvs[0]


def _one_by_one(
    work: FoldWork, ratios: Sequence[float], solve: Callable[[float], CVPath]
) -> dict[float, CVPath]:
    """The results at one l1_ratio after the other; after an interrupt those that there are."""
    results: dict[float, CVPath] = {}
    for r in ratios:
        try:
            results[r] = solve(r)
        except KeyboardInterrupt:
            if not results:
                raise
            last = next(reversed(results))
            path = results[last].path
            ended = path.shortened(path.lambdas.size, Status.INTERRUPTED)
            results[last] = replace(results[last], path=ended)
            break
        if work.reason is Status.INTERRUPTED:
            break
    return results


def _assembled(work: FoldWork, whole: Path, judged: Sequence[Judged], n_judged: int) -> CVPath:
    """The result for the lambdas that every fold has reached."""
    size = min(whole.lambdas.size, *(fold.scores.size for fold in judged))
    paths = [fold.path for fold in judged]
    if size < whole.lambdas.size or work.reason is Status.INTERRUPTED:
        whole = whole.shortened(size, work.reason)
    if work.fold_lambdas == "shared":
        paths = [path.shortened(size) if size < path.lambdas.size else path for path in paths]
    grouped = work.grouped or any(fold.within is None for fold in judged)
    scores, mean, error = _means(judged, size, 0 if grouped else n_judged)
    return CVPath(
        path=whole,
        fold_paths=tuple(paths),
        fold_scores=scores,
        fold_weights=np.array([fold.weight for fold in judged]),
        mean_scores=mean,
        std_errors=error,
        held_out=tuple(fold.held_out for fold in work.folds),
        scoring=work.scorer.name,
        score_label=work.scorer.label,
        greater_is_better=work.scorer.greater_is_better,
        grouped=grouped,
        info=work.info(),
    )


def _extended(
    work: FoldWork, cv: CVPath, judged: list[Judged], advance: Advance, n_judged: int
) -> tuple[CVPath, list[Judged]]:
    """Continue the grid as long as its smallest lambda is the best one and no path has ended."""
    while cv.is_open and work.reason is None:
        further = _further(cv.lambdas, default_ratio(work.problem.n, work.problem.p))
        if not further.size:
            break
        whole, judged = work.extend(further, advance)
        cv = _assembled(work, whole, judged, n_judged)
    return cv, judged


def _further(lambdas: Array, ratio: float) -> Array:
    """Smaller lambdas, in the steps of the grid; in those of a default one, if these are larger."""
    own, default = lambdas[-1] / lambdas[-2], ratio ** (1.0 / (Options.n_lambdas - 1))
    step = min(own, default) if own > 0.0 else default  # 0: after inf
    further = lambdas[-1] * step ** np.arange(1, LONGER + 1)
    return np.asarray(further[further >= SMALLEST * lambdas[np.isfinite(lambdas)][0]])


def _relaxed(
    work: FoldWork, cv: CVPath, judged: Sequence[Judged], gammas: Array, n_judged: int
) -> CVPath:
    """The same with blends of the paths and their unpenalised refits."""
    blends = work.relax(cv.path, judged, gammas)
    n_single = 0 if cv.grouped else n_judged
    reached = (fold.scores.size for one in blends.judged for fold in one)
    size = min(blends.whole.lambdas.size, *reached)
    means = [_means(one, size, n_single) for one in blends.judged]
    scores, mean, errors = (np.array(part) for part in zip(*means, strict=True))
    reason, folds = Status.TIME_BUDGET if size < cv.lambdas.size else None, blends.folds
    if work.fold_lambdas == "shared":
        folds = [fold.shortened(size, reason) for fold in folds]
    result = RelaxedCV(
        path=blends.whole.shortened(size, reason),
        fold_paths=tuple(folds),
        gammas=gammas,
        fold_scores=scores,
        mean_scores=mean,
        std_errors=errors,
        score_label=cv.score_label,
        greater_is_better=cv.greater_is_better,
    )
    return replace(cv, relaxed=result)


def _means(judged: Sequence[Judged], size: int, n_single: int) -> tuple[Array, Array, Array]:
    """Scores of the folds at the first lambdas, their means and standard errors.

    Errors are those of losses of ``n_single`` single rows, if that is not 0.
    """
    scores = np.array([fold.scores[:size] for fold in judged])
    weights = np.array([fold.weight for fold in judged])
    mean, error = _over_folds(scores, weights)
    if n_single:
        within = [fold.within[:size] for fold in judged if fold.within is not None]
        share = np.tile(weights / weights.sum(), 2)
        centre = np.concatenate([np.tile(mean, (len(judged), 1)), np.zeros_like(scores)])
        error = root_mean_square(share, np.concatenate([scores, within]), centre)
        error /= math.sqrt(n_single - 1)
    return scores, mean, error


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
        error = root_mean_square(share, np.where(known, scores, mean), mean)
        return mean, error / np.sqrt(count - 1)


def _check_ratios(call: str, l1_ratio: Any) -> Array:
    """One or several l1_ratios; whether each is between 0 and 1."""
    if isinstance(l1_ratio, str) or np.ndim(l1_ratio) > 1 or not np.size(l1_ratio):
        raise ValueError(f"{call}(l1_ratio={l1_ratio!r}): give a number or a list of numbers.")
    if not np.ndim(l1_ratio):
        return np.array([check_options(call, l1_ratio=l1_ratio).l1_ratio])
    return np.array([check_options(call, l1_ratio=r).l1_ratio for r in l1_ratio])


def _check_flag(call: str, name: str, given: Any) -> None:
    if not isinstance(given, bool | np.bool_):
        raise TypeError(f"{call}({name}={given!r}): it must be True or False.")


def _check_extend(call: str, extend: Any, fold_lambdas: str) -> None:
    _check_flag(call, "extend", extend)
    if extend and fold_lambdas != "shared":
        raise ValueError(
            f"{call}(extend=True): folds with grids of their own have no common grid to extend; "
            "use fold_lambdas='shared'."
        )


def _check_choice(call: str, name: str, given: Any, choices: Sequence[str]) -> None:
    if not isinstance(given, str) or given not in choices:
        raise ValueError(f"{call}({name}={given!r}): it must be {' or '.join(map(repr, choices))}.")


def _warn_of_edge(
    call: str, surface: CVSurface, options: Options, extend: bool, fold_lambdas: FoldLambdas
) -> None:
    """Warn if nothing was judged, or smaller lambdas than a grid has might be better."""
    best = surface.best
    if not best.is_judged:
        warnings.warn(
            f"{call}: no fold has a score ({best.score_label}), so that no lambda can be chosen. "
            "To do: use fewer folds, or another scoring.",
            SelectionWarning,
            stacklevel=3,
        )
        return
    ends = [(cv, cv.path.statuses[-1]) for cv in surface.paths if cv.is_open]
    ends = [(cv, status) for cv, status in ends if status is not Status.INTERRUPTED]
    if not ends:
        return
    further = "a smaller lambda_min_ratio"
    if options.lambdas is not None:
        further = "lambdas that go further down"
    if not extend and fold_lambdas == "shared":
        further += ", or extend=True"
    to_do = dict.fromkeys(TO_DO.get(status, f"pass {further}") for _, status in ends)
    of = f" of {len(surface.paths)} l1_ratios" if len(surface.paths) > 1 else ""
    at = ", ".join(
        f"{cv.lambdas[-1]:.4g}" + (f" (l1_ratio={cv.path.l1_ratio:g})" if of else "")
        for cv, _ in ends
    )
    grids = f"their grids for {len(ends)}{of}" if of else "the grid"
    warnings.warn(
        f"{call}: the best {best.score_label} is at the smallest lambda of {grids}, {at}; a "
        f"smaller one may be better. To do: {'; '.join(to_do)}.",
        SelectionWarning,
        stacklevel=3,
    )

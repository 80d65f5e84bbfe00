"""The work of a cross-validation: the paths of all rows and of the folds, and how these do.

Every fold is a problem with other weights on the same X. Problems that need passes over X share
them (`regpath.solvers.shared`); on tall data the products of the columns over the rows of each fold
are all that anyone needs (`regpath.solvers.fold_products`).
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from regpath._held_out import interpolated, predictors
from regpath._parts import Status
from regpath.designs import Dense
from regpath.families import Gaussian
from regpath.folds import Fold, is_partition, rows_of
from regpath.loop import Fit
from regpath.relaxed import RelaxedPath, relaxed
from regpath.result import Path
from regpath.scoring import HeldOut, Scorer
from regpath.solvers.fold_products import FoldProducts, ProductsReader
from regpath.solvers.reader import Reader
from regpath.solvers.shared import SharedPasses, room_for
from regpath.solvers.threads import one_blas_thread, usable_cores
from regpath.validation import Options, Problem

__all__ = ["Blends", "FoldLambdas", "FoldWork", "Judged", "root_mean_square", "training_problem"]

Array = NDArray[np.float64]
Advance = Callable[[int], None]
FoldLambdas = Literal["shared", "glmnet"]
# What may end a path, the first of several being told.
ENDS = (
    Status.INTERRUPTED,
    Status.TIME_BUDGET,
    Status.MAX_FEATURES,
    Status.DEV_RATIO,
    Status.CALLBACK,
)


class Judged(NamedTuple):
    """The path of a fold, and how it does on the rows that are held out.

    Attributes
    ----------
    path : Path
    knots, wanted : ndarray
        Its lambdas, and those in the same units where it is judged.
    scores : ndarray of shape (L,)
    weight : float
        Of the fold in the mean over folds.
    within : ndarray of shape (L,) or None
        Standard deviation of the losses of single rows, if the score is their mean.
    """

    path: Path
    knots: Array
    wanted: Array
    scores: Array = np.empty(0)
    weight: float = 0.0
    within: Array | None = None


class Blends(NamedTuple):
    """The relaxed paths of all rows and of the folds, and how every blend of a fold does.

    Attributes
    ----------
    whole : RelaxedPath
    folds : sequence of RelaxedPath
    judged : sequence of G sequences, one entry a fold
    """

    whole: RelaxedPath
    folds: Sequence[RelaxedPath]
    judged: Sequence[Sequence[Judged]]


@dataclass
class FoldWork:
    """All there is to know to solve and to judge the folds, at one l1_ratio after the other.

    Parameters
    ----------
    call : str
        Name of the public function, for messages.
    problem, options
        Of the path of all rows.
    folds : sequence of Fold
    scorer : Scorer
    y : array_like
        As the user gave it, for scores that are functions.
    grouped : bool
        Whether only the scores of folds are needed, not the losses of single rows.
    fold_lambdas : {"shared", "glmnet"}
    n_jobs : int
    started : float
        What ``time_budget`` counts from.
    goes_on : bool
        Whether the paths may be continued, at smaller lambdas or another l1_ratio.
    """

    call: str
    problem: Problem
    options: Options
    folds: Sequence[Fold]
    scorer: Scorer
    y: Any
    grouped: bool
    fold_lambdas: FoldLambdas
    n_jobs: int
    started: float
    goes_on: bool = False

    def __post_init__(self) -> None:
        n_threads = self.options.n_threads or usable_cores()
        design, weights = self.problem.design, self.problem.weights
        self._shared = SharedPasses(design, weights, n_threads, self.n_jobs)
        with one_blas_thread():
            self._products = self._fold_products(n_threads)
        self._open: dict[int | None, Fit] = {}
        self._ends: set[Status] = set()
        o = self.options
        self._ends_early = any(
            stop is not None for stop in (o.max_features, o.stop_at_dev_ratio, o.callback)
        )
        # Between passes the folds share the cores.
        self._within = replace(
            o,
            n_threads=max(1, n_threads // self.n_jobs),
            max_features=None,
            stop_at_dev_ratio=None,
            callback=None,
        )

    # -- solve ---------------------------------------------------------------------------------

    @property
    def reason(self) -> Status | None:
        """What has ended a path at this l1_ratio; None if nothing has."""
        return next((end for end in ENDS if end in self._ends), None)

    def run(self, l1_ratio: float, advance: Advance) -> tuple[Path, list[Judged]]:
        """Solve the path of all rows and those of the folds, and judge these."""
        self._ends.clear()
        with one_blas_thread():
            options = replace(self.options, l1_ratio=l1_ratio)
            whole = self._fit(None, self.problem, options, self._first_reader())
            lambdas = self._grid(whole, self.problem, options)
            lambdas = self._led(whole, lambdas, advance)
            if self._products is None and not self._ends_early:
                whole.geometry.reader = self._shared.reader()
            within = replace(self._within, l1_ratio=l1_ratio)

            def solve(k: int) -> Judged:
                return self._judge(k, self._solve(k, within, lambdas, advance))

            first = [whole]
            del whole  # its solver shall not live longer than its path takes
            return self._run(lambda: self._follow(first.pop(), lambdas, advance), solve)

    def extend(self, lambdas: Array, advance: Advance) -> tuple[Path, list[Judged]]:
        """Continue all paths at smaller lambdas, and judge them anew."""

        def solve(k: int) -> Judged:
            path = self._go_on(self._open[k], lambdas, self._shared.watched(advance))
            return self._judge(k, Judged(path, path.lambdas, path.lambdas))

        whole = self._open[None]
        with one_blas_thread():
            lambdas = self._led(whole, lambdas, advance)
            return self._run(partial(self._follow, whole, lambdas, advance), solve)

    def _led(self, whole: Fit, lambdas: Array, advance: Advance) -> Array:
        """The lambdas that the folds go to: an option may end the path of all rows before."""
        if not self._ends_early:
            return lambdas
        before = whole.size
        whole.follow(lambdas, advance)
        return lambdas[: whole.size - before]

    def _follow(self, whole: Fit, lambdas: Array, advance: Advance) -> Path:
        """The path of all rows, which may have been there already."""
        further = lambdas[:0] if self._ends_early else lambdas
        return self._go_on(whole, further, self._shared.watched(advance))

    def _run(
        self, whole: Callable[[], Path], fold: Callable[[int], Judged]
    ) -> tuple[Path, list[Judged]]:
        jobs: list[Callable[[], Any]] = [whole, *(partial(fold, k) for k in range(len(self.folds)))]
        path, *judged = self._shared.run(jobs, self._at_once())
        if self._shared.stopped:  # none of them may have noticed
            self._ends.add(Status.INTERRUPTED)
        return path, judged

    def _at_once(self) -> int | None:
        """Paths that are open at the same time."""
        if self.options.time_budget is not None:
            return None  # all of them shall have come as far when it ends
        if self._products is not None:
            return self.n_jobs
        return max(self.n_jobs, room_for(self.problem.design, self.problem.n))

    def _go_on(self, fit: Fit, lambdas: Array, advance: Advance) -> Path:
        fit.follow(lambdas, advance)
        if fit.ended is not None:
            self._ends.add(fit.ended)
        return fit.path()

    def _solve(self, k: int, options: Options, lambdas: Array, advance: Advance) -> Judged:
        """Solve the path of a fold."""
        training = training_problem(self.problem, self.folds[k].times)
        watch = self._shared.watched(advance)
        if self.fold_lambdas == "shared":
            path = self._go_on(self._fit(k, training, options, self._reader(k)), lambdas, watch)
            return Judged(path, lambdas, lambdas)
        own, stretch = as_glmnet(self.problem, training, options)
        fit = self._fit(k, training, own, self._reader(k))
        knots = at = self._grid(fit, training, own)
        if own.l1_ratio == 0.0 and own.lambdas is None:
            at = np.concatenate([[np.inf], knots[1:]])  # glmnet begins ridge at the null model
        path = self._go_on(fit, at, watch)
        return _ended(Judged(path, knots, lambdas * stretch))

    def _fit(self, k: int | None, problem: Problem, options: Options, reader: Reader | None) -> Fit:
        """The solver of a fold, or of all rows, with what the one before it has gathered."""
        before = None if self.fold_lambdas == "glmnet" else self._open.pop(k, None)
        started = self.started
        fit = Fit(self.call, problem, options, started=started, reader=reader, before=before)
        if self.goes_on:
            self._open[k] = fit
        return fit

    def _grid(self, fit: Fit, problem: Problem, options: Options) -> Array:
        """The lambdas of a path, where glmnet has them if that is wanted."""
        grid = fit.grid()
        if self.fold_lambdas == "glmnet" and options.lambdas is None and options.l1_ratio == 0.0:
            grid = grid / _deviation(problem, options)
        return grid

    # -- readers -------------------------------------------------------------------------------

    def _fold_products(self, n_threads: int) -> FoldProducts | None:
        """Products over the rows of the folds, where least squares needs nothing else of X."""
        problem, design = self.problem, self.problem.design
        if not (
            isinstance(problem.response.family, Gaussian)
            and isinstance(design, Dense)
            and FoldProducts.pay(design, len(self.folds))
            and is_partition(self.folds, problem.n)
        ):
            return None
        rows, y = [fold.held_out for fold in self.folds], problem.response.y - problem.offset
        return FoldProducts(design, y, problem.weights, rows, n_threads)

    def _first_reader(self) -> Reader | None:
        """Of the path of all rows, which begins alone."""
        return None if self._products is None else self._reader(None)

    def _reader(self, fold: int | None) -> Reader:
        if self._products is None:
            return self._shared.reader()
        return ProductsReader(self._products, fold, self._shared.own)

    # -- judge ---------------------------------------------------------------------------------

    def _judge(self, k: int, solved: Judged) -> Judged:
        """How a path does on its fold."""
        if self._products is not None and self._is_squared_error():
            scores = self._mean_squares(k, solved)
            if not np.isnan(scores).any():
                weight = self._products.weight(k) * self.problem.weight_sum
                return solved._replace(scores=scores, weight=weight)
        return self._scored(
            self.folds[k], solved, self._predicted(self.folds[k], solved, solved.path)
        )

    def _is_squared_error(self) -> bool:
        """Whether sums over the rows of a fold are all that its score needs."""
        scorer = self.scorer
        return self.grouped and scorer.function is None and scorer.name in ("mse", "deviance")

    def _mean_squares(self, k: int, solved: Judged) -> Array:
        """Mean squared errors of a gaussian path on a fold; nan if they have lost digits."""
        assert self._products is not None
        coefs, intercepts = solved.path.coefs, solved.path.intercepts
        knots, wanted = solved.knots, solved.wanted
        if knots is not wanted:
            coefs, intercepts = (interpolated(a, knots, wanted) for a in (coefs, intercepts))
        return self._products.squared_errors(k, coefs, intercepts) / self._products.weight(k)

    def _predicted(self, fold: Fold, solved: Judged, path: Path) -> list[Array]:
        """Predictors of the held-out rows, and of the training rows if the score needs them."""
        parts = [fold.held_out]
        if self.scorer.needs_training:
            parts.append(np.flatnonzero(fold.times))
        knots, wanted = solved.knots, solved.wanted
        etas = (predictors(self.problem.design, rows, path, self.problem.offset) for rows in parts)
        return [eta if knots is wanted else interpolated(eta, knots, wanted) for eta in etas]

    def _scored(self, fold: Fold, solved: Judged, etas: Sequence[Array]) -> Judged:
        """How what is predicted for a fold does."""
        held, within = self._held_out(fold.held_out, etas[0]), None
        if self.scorer.needs_training:
            used = np.flatnonzero(fold.times)
            beside = self._held_out(used, etas[1])
            beside = replace(beside, weights=beside.weights * fold.times[used])
            scores = self.scorer.score(held, beside)
        else:
            scores = self.scorer.score(held)
            losses = None if self.grouped else self.scorer.by_row(held)
            if losses is not None:
                within = root_mean_square(held.weights / held.weights.sum(), losses, scores)
        return solved._replace(scores=scores, weight=self.scorer.weight(held), within=within)

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

    def relax(self, whole: Path, judged: Sequence[Judged], gammas: Array) -> Blends:
        """Relax the path of all rows and those of the folds, and judge every blend."""
        watch, begun = self._shared.watched(lambda points: None), itertools.count()

        def relax(problem: Problem, path: Path) -> RelaxedPath:
            deadline = self._deadline(1 + len(judged) - next(begun))
            return relaxed(self.call, problem, self._within, path, watch, deadline)

        def judge(fold: Fold, plain: Judged) -> tuple[RelaxedPath, list[Judged]]:
            own, scored = relax(training_problem(self.problem, fold.times), plain.path), []
            solved = _ended(plain._replace(path=own.path))
            both = [self._predicted(fold, solved, path) for path in (own.path, own.blend(0.0))]
            for gamma in gammas:
                mixed = [gamma * a + (1.0 - gamma) * b for a, b in zip(*both, strict=True)]
                scored.append(plain if gamma == 1.0 else self._scored(fold, solved, mixed))
            return own, scored

        jobs = [partial(judge, *pair) for pair in zip(self.folds, judged, strict=True)]
        with one_blas_thread():
            first, *others = self._shared.run([partial(relax, self.problem, whole), *jobs])
        by_gamma = list(zip(*(scored for _, scored in others), strict=True))
        return Blends(first, [path for path, _ in others], by_gamma)

    def _deadline(self, waiting: int) -> float:
        """When a job that begins now must end, for as many as wait to have equal times."""
        budget = self.options.time_budget
        if budget is None:
            return math.inf
        now = time.monotonic()
        left = max(0.0, self.started + budget - now)
        return now + left * min(1.0, self.n_jobs / waiting)

    def info(self) -> dict[str, Any]:
        """Passes over X, numbers of threads, time."""
        return {
            "passes": self._shared.passes if self._products is None else 1,
            "n_jobs": self.n_jobs,
            "fold_lambdas": self.fold_lambdas,
            "seconds_total": time.monotonic() - self.started,
        }


def _ended(solved: Judged) -> Judged:
    """The same as far as its path goes: nothing is known of what follows its end."""
    path, knots, wanted = solved.path, solved.knots, solved.wanted
    if path.lambdas.size >= knots.size:
        return solved
    end = knots[: path.lambdas.size]
    if knots is wanted:
        return solved._replace(knots=end, wanted=end)
    reached = max(1, np.count_nonzero(wanted >= end[-1]))
    return solved._replace(knots=end, wanted=wanted[:reached])


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


def root_mean_square(shares: Array, values: Array, centre: Array) -> Array:
    """sqrt(sum_i s_i (v_i - c)^2) down the columns of v; squares may leave the range of numbers."""
    with np.errstate(invalid="ignore", divide="ignore", under="ignore"):
        away = values - centre
        top = np.abs(away).max(axis=0)
        squares = np.where(away == 0.0, 0.0, (away / top) ** 2)
        shares = shares if shares.ndim == 2 else shares[:, None]
        return np.asarray(top * np.sqrt((shares * squares).sum(axis=0)))

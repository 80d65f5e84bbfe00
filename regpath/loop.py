"""The one loop that every path runs in: solve, record, and stop where an option says so."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from regpath._extras import require
from regpath._parts import Status
from regpath.grid import default_ratio, lambda_grid
from regpath.record import Record
from regpath.result import Path
from regpath.solvers.contract import LossError
from regpath.solvers.gaussian import OutOfTimeError
from regpath.solvers.geometry import Geometry
from regpath.solvers.points import SolvedPoints
from regpath.solvers.prox_newton import ProxNewtonSolver
from regpath.solvers.reader import Reader
from regpath.strategy import Solver, prepare, refused
from regpath.validation import Options, Problem

__all__ = ["ConvergenceWarning", "Fit", "progress_bar", "warn_of_misses"]

Array = NDArray[np.float64]

# Below this l1_ratio lambda_max would run away to infinity; the grid starts as if it were this.
SMALLEST_RATIO_FOR_GRID = 1e-3


class ConvergenceWarning(UserWarning):
    """Some points of a path miss the tolerance; the message counts them and says what to do."""


class Fit:
    """A problem, its solver, and the points that are solved.

    Parameters
    ----------
    call : str
        Name of the public function, for messages.
    problem : Problem
    options : Options
    started : float
        What ``time_budget`` counts from.
    reader : Reader, optional
        For a problem that shares its passes over X with others.
    before : Fit, optional
        Of the same problem at another l1_ratio: what it has gathered is taken over, and it cannot
        go on.
    """

    def __init__(
        self,
        call: str,
        problem: Problem,
        options: Options,
        *,
        started: float,
        reader: Reader | None = None,
        before: Fit | None = None,
    ) -> None:
        self._call, self._problem, self._options = call, problem, options
        known = None if before is None else (before.geometry, before._solver)
        self.geometry: Geometry
        self._solver: Solver
        self.geometry, self._solver = prepare(call, problem, options, reader, known)
        self._record = Record(self.geometry, self._solver.units, started)
        self.ended: Status | None = None
        """What ended the path, be it at the last of its lambdas; None if nothing has."""

    @property
    def size(self) -> int:
        """Number of points that are solved."""
        return self._record.size

    @property
    def deadline(self) -> float:
        """When a point that is not finished is given up, on the clock `time.monotonic`."""
        return self._solver.deadline

    @deadline.setter
    def deadline(self, deadline: float) -> None:
        self._solver.deadline = deadline

    def grid(self) -> Array:
        """The lambdas that were given, or a grid that fits the data."""
        options, solver = self._options, self._solver
        if options.lambdas is not None:
            return options.lambdas
        try:
            largest = solver.lambda_max() * solver.units.response
        except LossError as error:
            raise refused(self._call, self._problem.response.family, error) from None
        largest /= max(options.l1_ratio, SMALLEST_RATIO_FOR_GRID)
        ratio = options.lambda_min_ratio or default_ratio(self._problem.n, self._problem.p)
        return lambda_grid(largest, options.n_lambdas, ratio)

    def follow(self, lambdas: Array, advance: Callable[[int], None]) -> None:
        """Solve and record at further lambdas, and stop where an option says so.

        ``advance`` is told the number of points after every step.
        """
        self._record.extend(lambdas)
        try:
            reason = self._solve(lambdas, advance)
        except OutOfTimeError:
            reason = Status.TIME_BUDGET
        except LossError as error:
            raise refused(self._call, self._problem.response.family, error) from None
        except KeyboardInterrupt:
            if not self._record.size:
                raise
            reason = Status.INTERRUPTED
        if reason is not None:
            self.ended = reason
            self._record.stop(reason)

    def _solve(self, lambdas: Array, advance: Callable[[int], None]) -> Status | None:
        """Record what the solver finds; returns why an option ends the path, or None."""
        record, watched = self._record, _is_watched(self._options)
        for points in self._solver.path(lambdas):
            if not watched:
                record.add(points)
            for point in points.split() if watched else ():
                reason = _add(self._solver, record, self._options, point)
                if reason is not None:
                    return reason
            advance(points.size)
        return None

    def restrict(self, features: NDArray[np.int64], *, afresh: bool = False) -> None:
        """Begin another path where this one stands, with all features but these excluded.

        For families whose paths go by proximal Newton steps; ``afresh``: at the null model.
        """
        assert isinstance(self._solver, ProxNewtonSolver)
        self._solver.restrict(features, afresh=afresh)
        self.ended = None
        self._record = Record(self.geometry, self._solver.units, self._record.started)

    def path(self) -> Path:
        """The path of all that is solved."""
        return self._record.path(self._problem, self._options, self._solver.why)


def _is_watched(options: Options) -> bool:
    """Whether an option may end the path at any point."""
    stops = (options.max_features, options.callback, options.stop_at_dev_ratio, options.time_budget)
    return any(option is not None for option in stops)


def _add(solver: Solver, record: Record, options: Options, points: SolvedPoints) -> Status | None:
    """Record a point that an option watches; returns why the path ends here, or None."""
    limit, budget = options.max_features, options.time_budget
    if limit is not None and record.n_nonzero(points) > limit:
        return Status.MAX_FEATURES
    record.add(points)
    told = record.progress()
    if options.callback is not None and options.callback(record.size - 1, told) is True:
        return Status.CALLBACK
    if told.dev_ratio >= (options.stop_at_dev_ratio or math.inf):
        return Status.DEV_RATIO
    if budget is not None:  # only now: one point is always finished
        solver.deadline = record.started + budget
        if time.monotonic() > solver.deadline:
            return Status.TIME_BUDGET
    return None


def warn_of_misses(call: str, paths: Sequence[Path], stacklevel: int = 4) -> None:
    """One warning for all paths: how many points, how far, what to do."""
    if all(set(path.statuses) <= {Status.CONVERGED} for path in paths):
        return
    points = [(path, k) for path in paths for k in range(len(path.statuses))]
    missed = [(path, k) for path, k in points if not path.statuses[k].ok]
    if not missed:
        return
    path, worst = max(missed, key=lambda point: float(point[0].dual_gaps[point[1]]))
    advice = (
        "raise max_iter"
        if path.statuses[worst] is Status.MAX_ITER
        else "raise tol or rescale the data: floating point allows no more"
    )
    warnings.warn(
        f"{call}: {len(missed)} of {len(points)} points miss "
        f"tol={path.settings.tol:.1e}; the worst relative duality gap is "
        f"{path.dual_gaps[worst]:.1e} at lambda={path.lambdas[worst]:.4g}. To do: {advice}. "
        "See path.statuses and path.dual_gaps.",
        ConvergenceWarning,
        stacklevel=stacklevel,
    )


class progress_bar:  # noqa: N801 - used as a function in a with statement
    """A rich progress bar, or nothing."""

    def __init__(self, wanted: bool, total: int, name: str) -> None:
        self._bar = require("rich.progress", "cli").Progress() if wanted else None
        self._total, self._name = total, name

    def __enter__(self) -> Callable[[int], None]:
        if self._bar is None:
            return lambda points: None
        bar = self._bar
        bar.start()
        task = bar.add_task(self._name, total=self._total)
        return lambda points: bar.advance(task, points)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

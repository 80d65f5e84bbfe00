"""The points of a path as they come in, and the path that they make, in the user's units."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numba
import numpy as np
import scipy
from numpy.typing import NDArray

from regpath._parts import CoefStore, Settings, Status
from regpath.designs import Dense
from regpath.families import Cox, Multinomial
from regpath.result import Path
from regpath.solvers.geometry import Geometry
from regpath.solvers.points import SolvedPoints, Units
from regpath.validation import Options, Problem

__all__ = ["Progress", "Record", "working_limits"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


# Coefficients that are brought into the user's units at once.
AT_ONCE = 20_000


class Progress(NamedTuple):
    """What a callback is told about the point that was just finished."""

    lambda_: float
    n_nonzero: int
    dev_ratio: float
    dual_gap: float
    seconds: float
    status: Status


class Record:
    """The points of a path as they come in, and the path they make."""

    def __init__(self, geometry: Geometry, units: Units, started: float) -> None:
        self.lambdas = np.empty(0)
        self.started = started
        self.size = 0
        self._geometry = geometry
        self._units = units
        self._points: list[SolvedPoints] = []
        self._statuses: list[Status] = []
        self._seconds: list[float] = []
        self._passes: list[float] = []
        self._working_sets: list[int] = []
        self._clock = time.monotonic()
        self._counted = 0.0
        self._stopped: Status | None = None

    def extend(self, lambdas: Array) -> None:
        """Expect points at further lambdas."""
        self.lambdas = np.concatenate([self.lambdas[: self.size], lambdas])

    def add(self, points: SolvedPoints) -> None:
        """Keep points; those that were solved together share their time."""
        size = points.size
        if not size:
            return
        now, passes = time.monotonic(), self._geometry.passes
        self._points.append(points)
        self._seconds += [(now - self._clock) / size] * size
        self._passes += [passes - self._counted, *[0.0] * (size - 1)]
        self._working_sets += [points.working_set] * size
        self._clock, self._counted = now, passes
        failed = Status.MAX_ITER if points.exhausted else Status.ROUNDING
        reached = Status.CONVERGED if self._units.by_conjugate else Status.KKT_BOUND
        self._statuses += [reached if r else failed for r in points.reached.tolist()]
        self.size += size

    def n_nonzero(self, points: SolvedPoints) -> int:
        """Features with a non-zero coefficient at the last of some points."""
        return int(points.n_nonzero(self._geometry.p)[-1])

    def progress(self) -> Progress:
        """What a callback may know of the last point."""
        points = self._points[-1]
        return Progress(
            lambda_=float(self.lambdas[self.size - 1]),
            n_nonzero=self.n_nonzero(points),
            dev_ratio=float(_dev_ratio(points)[-1]),
            dual_gap=float(points.gap[-1]),
            seconds=self._clock - self.started,
            status=self._statuses[-1],
        )

    def stop(self, reason: Status) -> None:
        """End the path here; the last point says why unless it has worse to say."""
        if self.size == len(self.lambdas):
            return
        self._stopped = reason
        if self._statuses and self._statuses[-1].ok:
            self._statuses[-1] = reason

    def path(self, problem: Problem, options: Options, why: list[str]) -> Path:
        """The finished path, in the user's units."""
        points = self._points = list(_in_blocks(self._points))
        units, response = self._units, problem.response
        coefs, intercepts = self._in_user_units(problem, options.fit_intercept)
        lambdas = self.lambdas[: self.size]
        self._tell_separation(problem, options.tol)
        return Path(
            lambdas=lambdas,
            coef_storage=coefs,
            intercepts=intercepts,
            dev_ratio=_joined(_dev_ratio(p) for p in points),
            null_deviance=units.null_deviance * problem.weight_sum,
            objectives=_joined(p.objective for p in points) * units.objective + units.floor,
            dual_gaps=_joined(p.gap for p in points),
            kkt_violations=self._violations(lambdas),
            n_iters=_joined((p.n_iter for p in points), np.int64),
            passes=np.array(self._passes),
            working_set_sizes=np.array(self._working_sets, np.int64),
            seconds=np.array(self._seconds),
            statuses=tuple(self._statuses),
            feature_names=problem.feature_names,
            family=response.family.name,
            family_options=response.family._asdict(),
            classes=response.classes,
            n_outputs=response.n_outputs,
            response_names=response.names,
            l1_ratio=options.l1_ratio,
            settings=Settings(
                fit_intercept=options.fit_intercept,
                standardize=options.standardize,
                tol=options.tol,
                **problem.given,
            ),
            info=self._info(problem, why),
        )

    def _in_user_units(self, problem: Problem, fit_intercept: bool) -> tuple[Any, Array]:
        """Coefficients as they are stored, and intercepts (L,) or (K, L)."""
        K, p, mean = problem.response.n_outputs or 1, problem.p, self._geometry.mean
        stored = sum(int(np.count_nonzero(points.coefs)) for points in self._points)
        store, shifts = CoefStore(p * K, self.size, stored), [np.zeros((K, 0))]
        to_user = self._to_user_units(problem)
        for points in self._points:
            output, j = np.divmod(points.features, p) if K > 1 else (0, points.features)
            b = to_user(points.coefs, j)
            store.add((points.indptr, points.features, b))
            place = np.repeat(np.arange(points.size), np.diff(points.indptr))
            place += output * points.size
            moved = np.bincount(place, mean[j] * b, K * points.size).reshape(K, points.size)
            own = points.intercepts.T if points.intercepts.size else np.zeros(moved.shape)
            shifts.append(self._units.response * own - moved)
        intercepts = np.concatenate(shifts, axis=1) + self._units.response_mean
        if not fit_intercept or isinstance(problem.response.family, Cox):
            intercepts = np.zeros_like(intercepts)
        if isinstance(problem.response.family, Multinomial):
            intercepts -= intercepts.mean(axis=0)  # probabilities do not notice
        return store.matrix(), intercepts if problem.response.n_outputs else intercepts[0]

    def _to_user_units(self, problem: Problem) -> Callable[[Array, Index], Array]:
        """What turns working coefficients of columns j into the user's units.

        One at its limit is the limit to the last bit.
        """
        factor = self._units.response / self._geometry.scale
        lower, upper = working_limits(problem, self._geometry, self._units.response)
        if lower is problem.lower:
            return lambda b, j: b * factor[j]

        def limited(b: Array, j: Index) -> Array:
            low, high = problem.lower[j], problem.upper[j]
            own = np.clip(b * factor[j], low, high)
            own = np.where(b >= upper[j], high, own)
            return np.where(b <= lower[j], low, own)

        return limited

    def _tell_separation(self, problem: Problem, tol: float) -> None:
        """A deviance of 0 at a finite lambda: the likelihood alone has no finite maximum.

        Proportions between 0 and 1, other than classes, can be met by finite coefficients.
        """
        if problem.response.family.name not in ("binomial", "multinomial"):
            return
        y = problem.response.y[problem.weights > 0.0]
        if not np.any((y == 0.0) | (y == 1.0)):
            return
        explained = _joined(p.explained for p in self._points)
        for k in np.flatnonzero(explained >= 1.0 - tol):
            if self._statuses[k] is Status.CONVERGED:
                self._statuses[k] = Status.SEPARATED

    def _violations(self, lambdas: Array) -> Array:
        """Violations relative to lambda; to the largest gradient of the null model at 0 and inf."""
        absolute = _joined(p.violation for p in self._points) * self._units.response
        top = self._units.top or 1.0
        unit = np.where((lambdas > 0.0) & np.isfinite(lambdas), lambdas, top)
        relative: Array = absolute / unit
        return relative

    def _info(self, problem: Problem, why: list[str]) -> dict[str, Any]:
        g = self._geometry
        names = problem.feature_names
        constant = np.flatnonzero(g.constant).tolist()
        return {
            "why": list(why),
            "storage": "dense" if isinstance(g.design, Dense) else "sparse",
            "notes": list(problem.notes),
            "n_rows": problem.n,
            "passes": g.passes,
            "largest_working_set": max(self._working_sets, default=0),
            "constant_columns": [names[j] for j in constant] if names else constant,
            "seconds_total": time.monotonic() - self.started,
            "stopped": self._stopped.value if self._stopped else None,
            "versions": _versions(),
        }


def _in_blocks(points: list[SolvedPoints]) -> Iterator[SolvedPoints]:
    """The same points, as many together as make no more coefficients than `AT_ONCE`."""
    waiting: list[SolvedPoints] = []
    entries = 0
    for some in points:
        entries += some.features.size
        if waiting and entries > AT_ONCE:
            yield SolvedPoints.joined(waiting)
            waiting, entries = [], some.features.size
        waiting.append(some)
    if waiting:
        yield SolvedPoints.joined(waiting)


def _dev_ratio(points: SolvedPoints) -> Array:
    return np.clip(points.explained, 0.0, 1.0)


def _joined(parts: Iterable[NDArray[Any]], dtype: Any = np.float64) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *parts])


def working_limits(problem: Problem, geometry: Geometry, response: float) -> tuple[Array, Array]:
    """Limits of the working coefficients, for a response over that number."""
    if problem.given["lower"] is None and problem.given["upper"] is None:
        return problem.lower, problem.upper
    to_working = geometry.scale / response
    return problem.lower * to_working, problem.upper * to_working


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "numba": numba.__version__,
    }

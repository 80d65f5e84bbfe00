"""The points of a path as they come in, and the path that they make, in the user's units."""

from __future__ import annotations

import platform
import time
from typing import Any, NamedTuple

import numba
import numpy as np
import scipy
from numpy.typing import NDArray

from regpath._parts import Settings, Status, store_coefs
from regpath.designs import Dense
from regpath.result import Path
from regpath.solvers.gaussian import SolvedPoint
from regpath.solvers.geometry import Geometry
from regpath.validation import Options, Problem

__all__ = ["Progress", "Record", "working_limits"]

Array = NDArray[np.float64]


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

    def __init__(self, geometry: Geometry, lambdas: Array, started: float) -> None:
        self.lambdas = lambdas
        self.started = started
        self.points: list[SolvedPoint] = []
        self._geometry = geometry
        self._statuses: list[Status] = []
        self._clock: list[float] = [time.monotonic()]
        self._passes: list[float] = [0.0]
        self._stopped: Status | None = None

    def add(self, point: SolvedPoint) -> Progress:
        """Keep a point; returns what a callback may know of it."""
        self.points.append(point)
        self._clock.append(time.monotonic())
        self._passes.append(self._geometry.passes)
        failed = Status.MAX_ITER if point.exhausted else Status.ROUNDING
        self._statuses.append(Status.CONVERGED if point.reached else failed)
        return Progress(
            lambda_=float(self.lambdas[len(self.points) - 1]),
            n_nonzero=point.features.size,
            dev_ratio=self._dev_ratio(point),
            dual_gap=point.gap,
            seconds=self._clock[-1] - self.started,
            status=self._statuses[-1],
        )

    def stop(self, reason: Status) -> None:
        """End the path here; the last point says why unless it has worse to say."""
        if len(self.points) == len(self.lambdas):
            return
        self._stopped = reason
        if self._statuses and self._statuses[-1].ok:
            self._statuses[-1] = reason

    def path(self, problem: Problem, options: Options, family: str, why: list[str]) -> Path:
        """The finished path, in the user's units."""
        g, points = self._geometry, self.points
        columns = self._user_coefs(problem)
        shifts = np.array([float(g.mean[j] @ b) for j, b in columns])
        lambdas = self.lambdas[: len(points)]
        null = 0.5 * g.response_scale**2 * float(g.response @ g.response)
        return Path(
            lambdas=lambdas,
            coef_storage=store_coefs(columns, problem.p),
            intercepts=g.response_mean - shifts if options.fit_intercept else np.zeros(len(points)),
            dev_ratio=np.array([self._dev_ratio(p) for p in points]),
            null_deviance=2.0 * null * problem.weight_sum,
            objectives=np.array([p.objective for p in points]) * 0.5 * g.response_scale**2,
            dual_gaps=np.array([p.gap for p in points]),
            kkt_violations=self._violations(lambdas, options.l1_ratio),
            n_iters=np.array([p.n_iter for p in points], dtype=np.int64),
            passes=np.diff(self._passes),
            working_set_sizes=np.array([p.working_set for p in points], dtype=np.int64),
            seconds=np.diff(self._clock),
            statuses=tuple(self._statuses),
            feature_names=problem.feature_names,
            family=family,
            l1_ratio=options.l1_ratio,
            settings=Settings(
                fit_intercept=options.fit_intercept,
                standardize=options.standardize,
                tol=options.tol,
                **problem.given,
            ),
            info=self._info(problem, why),
        )

    def _user_coefs(self, problem: Problem) -> list[tuple[NDArray[np.int64], Array]]:
        """Features and coefficients in the user's units; one at its limit is it to the last bit."""
        g, columns = self._geometry, []
        lower, upper = working_limits(problem, g)
        for point in self.points:
            j = point.features
            low, high = problem.lower[j], problem.upper[j]
            b = np.clip(point.coefs * (g.response_scale / g.scale[j]), low, high)
            b = np.where(point.coefs >= upper[j], high, b)
            columns.append((j, np.where(point.coefs <= lower[j], low, b)))
        return columns

    def _dev_ratio(self, point: SolvedPoint) -> float:
        return min(max(point.explained, 0.0), 1.0)

    def _violations(self, lambdas: Array, l1_ratio: float) -> Array:
        """Violations relative to lambda; to the largest gradient of the null model at 0 and inf."""
        absolute = np.array([p.violation for p in self.points]) * self._geometry.response_scale
        top = float(np.abs(self._geometry.product).max()) * self._geometry.response_scale
        unit = np.where((lambdas > 0.0) & np.isfinite(lambdas), lambdas, top or 1.0)
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
            "passes": g.passes,
            "largest_working_set": max((p.working_set for p in self.points), default=0),
            "constant_columns": [names[j] for j in constant] if names else constant,
            "seconds_total": time.monotonic() - self.started,
            "stopped": self._stopped.value if self._stopped else None,
            "versions": _versions(),
        }


def working_limits(problem: Problem, geometry: Geometry) -> tuple[Array, Array]:
    """Limits of the working coefficients."""
    if problem.given["lower"] is None and problem.given["upper"] is None:
        return problem.lower, problem.upper
    to_working = geometry.scale / geometry.response_scale
    return problem.lower * to_working, problem.upper * to_working


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "numba": numba.__version__,
    }

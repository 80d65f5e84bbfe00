"""How long is a path, how much memory does it take, and how often does it read X?"""

from __future__ import annotations

from regpath import fit_path

from .problems import problem

CASES = (
    "wide",
    "wide-corr",
    "square",
    "tall",
    "enet",
    "sparse",
    "ridge-wide",
    "ridge-tall",
    "ridge-sparse",
)


class _Path:
    params = (CASES, (1e-6, 1e-9))
    param_names = ("case", "tol")
    timeout = 120.0

    def setup(self, case: str, tol: float) -> None:
        self.problem = problem(case)
        self.fit(tol)  # compiles, or loads what is compiled

    def fit(self, tol: float):
        X, y, options = self.problem
        return fit_path(X, y, tol=tol, **options)


class Time(_Path):
    """Wall time of a path of 100 lambdas; compilation is not part of it."""

    def time_path(self, case: str, tol: float) -> None:
        self.fit(tol)


class Memory(_Path):
    """Peak memory of the process: compare with that of the problem alone."""

    params = (CASES, (1e-6,))

    def peakmem_path(self, case: str, tol: float) -> None:
        self.fit(tol)


class ProblemMemory:
    """Peak memory of the process that only builds the problem and imports the package."""

    params = (CASES,)
    param_names = ("case",)

    def peakmem_problem(self, case: str) -> None:
        problem(case)


class Work(_Path):
    """What was reached and what it took, in units that do not depend on the machine."""

    def setup(self, case: str, tol: float) -> None:
        self.problem = problem(case)
        self.path = self.fit(tol)

    def track_worst_gap(self, case: str, tol: float) -> float:
        return float(self.path.dual_gaps.max())

    def track_passes(self, case: str, tol: float) -> float:
        return float(self.path.passes.sum())

    def track_iterations(self, case: str, tol: float) -> int:
        return int(self.path.n_iters.sum())

    def track_misses(self, case: str, tol: float) -> int:
        return sum(not status.ok for status in self.path.statuses)

    track_worst_gap.unit = "of the null objective"
    track_passes.unit = "passes over X"
    track_iterations.unit = "iterations"
    track_misses.unit = "points that miss tol"

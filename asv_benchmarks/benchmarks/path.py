"""How long is a path, how much memory does it take, and how often does it read X?"""

from __future__ import annotations

from regpath import Path, fit_path

from .problems import CASES, problem


class _Path:
    params = (CASES, (1e-6, 1e-9))
    param_names = ("case", "tol")
    timeout = 120.0

    def setup(self, case: str, tol: float) -> None:
        self.problem = problem(case)
        self.fit(tol)  # compiles, or loads what is compiled

    def fit(self, tol: float) -> Path:
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


class Work:
    """What was reached and what it took, in units that do not depend on the machine."""

    params = (CASES, (1e-6, 1e-9))
    param_names = ("case", "tol")

    def setup_cache(self) -> dict[tuple[str, float], dict[str, float]]:
        return {(case, tol): self.figures(case, tol) for case in CASES for tol in (1e-6, 1e-9)}

    setup_cache.timeout = 900.0

    def figures(self, case: str, tol: float) -> dict[str, float]:
        X, y, options = problem(case)
        path = fit_path(X, y, tol=tol, **options)
        return {
            "worst_gap": float(f"{path.dual_gaps.max():.2e}"),
            "passes": round(float(path.passes.sum()), 2),
            "iterations": float(path.n_iters.sum()),
            "misses": float(sum(not status.ok for status in path.statuses)),
        }

    def track_worst_gap(self, figures: dict, case: str, tol: float) -> float:
        return figures[case, tol]["worst_gap"]

    def track_passes(self, figures: dict, case: str, tol: float) -> float:
        return figures[case, tol]["passes"]

    def track_iterations(self, figures: dict, case: str, tol: float) -> float:
        return figures[case, tol]["iterations"]

    def track_misses(self, figures: dict, case: str, tol: float) -> float:
        return figures[case, tol]["misses"]

    track_worst_gap.unit = "of the null objective"
    track_passes.unit = "passes over X"
    track_iterations.unit = "iterations"
    track_misses.unit = "points that miss tol"

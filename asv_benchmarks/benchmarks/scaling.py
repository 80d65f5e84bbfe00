"""How does the cost of a path grow when one size of the problem doubles?

Each axis starts from a small problem and doubles one size three times: rows, columns, entries of a
sparse column, or lambdas. The exponent is the slope of log2(seconds) over the doublings: 1 is
linear, 0 is free.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np

from regpath import Path, benchmark, fit_path
from regpath.benchmark.cases import Case, build
from regpath.benchmark.generators import words

DOUBLINGS = (0, 1, 2, 3)
N_LAMBDAS = 50
FREQUENCY = 0.02

STARTS: dict[str, Case] = {
    "wide": benchmark.CASES["wide"]._replace(n=100, p=2500, informative=20),
    "tall": benchmark.CASES["tall"]._replace(n=5000, p=25, informative=8),
    "sparse": benchmark.CASES["sparse"]._replace(n=2000, p=5000, informative=30, ratio=3e-2),
}
AXES = (
    *(f"{start}: {size}" for start in STARTS for size in ("rows", "columns", "lambdas")),
    "sparse: entries",
)


def arguments(axis: str, doublings: int) -> dict[str, Any]:
    """What `regpath.fit_path` is called with."""
    start, _, size = axis.partition(": ")
    case, factor = STARTS[start], 2**doublings
    if size == "rows":
        case = case._replace(n=case.n * factor)
    elif size == "columns":
        case = case._replace(p=case.p * factor)
    elif size == "entries":
        case = case._replace(design=words(FREQUENCY * factor))
    problem = build(start, case, n_lambdas=N_LAMBDAS * (factor if size == "lambdas" else 1))
    return problem.options() | {"X": problem.X, "y": problem.y}


def best_time(options: dict[str, Any]) -> float:
    """Seconds of the best of three paths; a first one compiles."""
    fit_path(**options)
    times = []
    for _ in range(3):
        start = perf_counter()
        fit_path(**options)
        times.append(perf_counter() - start)
    return min(times)


class Growth:
    """Seconds and passes over X at every size."""

    params = (AXES, DOUBLINGS)
    param_names = ("axis", "doublings")

    def setup(self, axis: str, doublings: int) -> None:
        self.options = arguments(axis, doublings)
        self.fit()  # compiles, or loads what is compiled

    def fit(self) -> Path:
        return fit_path(**self.options)

    def time_path(self, axis: str, doublings: int) -> None:
        self.fit()

    def track_passes(self, axis: str, doublings: int) -> float:
        return round(float(self.fit().passes.sum()), 2)

    track_passes.unit = "passes over X"


class Exponent:
    """Slope of log2(seconds), and of log2(passes), over three doublings."""

    params = (AXES,)
    param_names = ("axis",)
    timeout = 120.0

    def track_time(self, axis: str) -> float:
        return slope([best_time(arguments(axis, k)) for k in DOUBLINGS])

    def track_passes(self, axis: str) -> float:
        return slope([float(fit_path(**arguments(axis, k)).passes.sum()) for k in DOUBLINGS])

    track_time.unit = track_passes.unit = "per doubling, log2"


def slope(values: list[float]) -> float:
    """Slope of the straight line through log2 of the values."""
    return round(float(np.polyfit(DOUBLINGS, np.log2(values), 1)[0]), 2)

"""What a comparison found: rows, their tables, files and picture."""

from __future__ import annotations

import csv
import math
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from regpath._extras import require
from regpath.solvers.threads import usable_cores

__all__ = ["HEAD", "CaseReport", "Report", "Row", "Rung", "machine"]

HEAD = ("solver", "version", "tol", "worst", "min s", "median s", "/ regpath", "note")
"""Titles of a table of results."""


@dataclass(frozen=True)
class Rung:
    """One run of a ladder: a tolerance, and what it gave.

    Attributes
    ----------
    tol : float
        In the solver's own unit.
    seconds : float
        Of the fastest run at this tolerance.
    worst : float
        Largest (objective - best known objective) / null objective along the path.
    """

    tol: float
    seconds: float
    worst: float


@dataclass(frozen=True)
class Row:
    """One solver on one case.

    Attributes
    ----------
    case, solver, version, settings : str
    tol : float or None
        The loosest tolerance that reached the accuracy, or the last that was tried.
    worst : float or None
        Largest suboptimality along the path at this tolerance.
    seconds : tuple of float
        Of every timed run.
    ratio : float or None
        Fastest run over that of regpath.
    note : str
        Why there is no figure, or what is special about it.
    ladder : tuple of Rung
        Every tolerance that was run.
    """

    case: str
    solver: str
    version: str = ""
    settings: str = ""
    tol: float | None = None
    worst: float | None = None
    seconds: tuple[float, ...] = ()
    ratio: float | None = None
    note: str = ""
    ladder: tuple[Rung, ...] = ()

    @property
    def fastest(self) -> float | None:
        """Seconds of the fastest run."""
        return min(self.seconds, default=None)

    def cells(self) -> tuple[str, ...]:
        """Text under `HEAD`."""
        middle = median(self.seconds) if self.seconds else None
        return (
            self.solver,
            self.version,
            "" if self.tol is None else f"{self.tol:.0e}",
            "" if self.worst is None else f"{max(self.worst, 0.0):.1e}",
            _short(self.fastest),
            _short(middle),
            _short(self.ratio),
            self.note,
        )


@dataclass(frozen=True)
class CaseReport:
    """All solvers on one case.

    Attributes
    ----------
    case, problem : str
        Its name, and its description in one line.
    certified : float
        How far the best known solution can be from the optimum, in the unit of ``worst``.
    accuracy : float
        Suboptimality that was asked for.
    rows : tuple of Row
    """

    case: str
    problem: str
    certified: float
    accuracy: float
    rows: tuple[Row, ...]

    def __str__(self) -> str:
        """Return the table as text."""
        cells = [HEAD, *(row.cells() for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
        return "\n".join([self.title, *(line.rstrip() for line in lines)])

    @property
    def title(self) -> str:
        """Problem, and how well its solution is known."""
        if not math.isfinite(self.certified):
            return f"{self.problem}; best known solution without a certificate"
        return f"{self.problem}; best known solution certified to {self.certified:.0e}"


@dataclass(frozen=True)
class Report:
    """The result of `regpath.benchmark.run`.

    Attributes
    ----------
    machine : dict of str to str
        Processor, cores, system and versions.
    cases : list of CaseReport
    """

    machine: dict[str, str] = field(default_factory=dict)
    cases: list[CaseReport] = field(default_factory=list)

    def __str__(self) -> str:
        """Return machine, settings and all tables as text."""
        facts = [f"{name}: {value}" for name, value in self.machine.items()]
        settings = [f"{name}: {text}" for name, text in self.settings.items()]
        return "\n\n".join(["\n".join(facts), "\n".join(settings), *map(str, self.cases)])

    @property
    def rows(self) -> list[Row]:
        """All rows of all cases."""
        return [row for case in self.cases for row in case.rows]

    @property
    def settings(self) -> dict[str, str]:
        """Settings of every solver that ran."""
        return {row.solver: row.settings for row in self.rows if row.settings}

    def to_csv(self, file: Path | str) -> None:
        """Write one line per run of a ladder and one per result, with the machine in each.

        Parameters
        ----------
        file : path
            Lines whose column ``kind`` is ``result`` are the table; those with ``ladder`` are
            the points of the picture.
        """
        lines = [line for case in self.cases for line in self._lines(case)]
        with open(file, "w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(line | self.machine for line in lines)

    def plot(self) -> Any:
        """Draw time to accuracy: one panel per case, one line per solver.

        Returns
        -------
        matplotlib.figure.Figure
        """
        require("matplotlib", "plot")
        from regpath.benchmark._picture import draw

        return draw(self.cases)

    def _lines(self, case: CaseReport) -> Iterable[dict[str, Any]]:
        for row in case.rows:
            shared = {
                name: getattr(row, name)
                for name in ("case", "solver", "version", "settings", "note")
            }
            shared |= {"accuracy": case.accuracy, "certified": case.certified}
            yield shared | {
                "kind": "result",
                "problem": case.problem,
                "tol": row.tol,
                "worst": row.worst,
                "min_seconds": row.fastest,
                "median_seconds": median(row.seconds) if row.seconds else None,
                "ratio": row.ratio,
                "runs": len(row.seconds),
            }
            for rung in row.ladder:
                point = {"tol": rung.tol, "worst": rung.worst, "min_seconds": rung.seconds}
                yield shared | point | {"kind": "ladder", "note": ""}


MACHINE = ("processor", "cores", "system", "python", "numpy", "scipy", "numba", "threads")
COLUMNS = (
    "kind",
    "case",
    "solver",
    "version",
    "tol",
    "worst",
    "min_seconds",
    "median_seconds",
    "ratio",
    "runs",
    "note",
    "accuracy",
    "certified",
    "problem",
    "settings",
    *MACHINE,
)


def machine() -> dict[str, str]:
    """Processor, cores, system, and the versions that all solvers share.

    Examples
    --------
    >>> list(machine())[:2]
    ['processor', 'cores']
    """
    import numba
    import numpy
    import scipy

    threads = [f"{k}={os.environ[k]}" for k in THREADS if k in os.environ]
    values = (
        _processor(),
        str(usable_cores()),
        platform.platform(terse=True),
        platform.python_version(),
        numpy.__version__,
        scipy.__version__,
        numba.__version__,
        " ".join(threads) or "as each package chooses",
    )
    return dict(zip(MACHINE, values, strict=True))


THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _short(value: float | None) -> str:
    """Two significant digits, without an exponent for ordinary figures."""
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:#.2g}".rstrip(".")

"""The comparison: the loosest tolerance that is good enough, for each solver, then its time."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from regpath.benchmark.cases import find, problem
from regpath.benchmark.contract import Peer
from regpath.benchmark.peers import SOLVERS
from regpath.benchmark.problems import Problem
from regpath.benchmark.report import CaseReport, Report, Row, Rung, machine
from regpath.benchmark.verify import Array, Reference
from regpath.benchmark.worker import Inline, SolverError, Worker

__all__ = ["DEFAULT_CASES", "choose_solvers", "run"]

DEFAULT_CASES = (
    "wide",
    "wide-corr",
    "square",
    "tall",
    "sparse",
    "enet",
    "ridge-wide",
    "ridge-tall",
)
"""Eight of the regimes of the gaussian family: what is compared if nothing is named."""

LADDER_ACCURACY = 1e-6
"""Ladders are written for this accuracy, and tightened in proportion for smaller ones."""

REFERENCE = 1e-5
"""Tolerance of the reference solution, relative to the accuracy that is compared."""

CERTAIN = 1e-2
"""The reference is good if it is certified to this share of the accuracy."""

ROUNDING = 1e-4
"""By how much of the accuracy a later, better reference may move a result."""

MEMORY = 0.5
"""Share of the memory that solvers which wait for their turn may hold."""

SHORT = 5.0
"""Seconds below which a run of a ladder is repeated: chance, or what is still compiled, goes."""

Runner = Inline | Worker


def run(
    cases: Iterable[str | Problem] | None = None,
    *,
    solvers: Sequence[str | Peer] | None = None,
    accuracy: float = 1e-6,
    repeats: int = 3,
    limit: float = 60.0,
    scale: float = 1.0,
    n_lambdas: int = 100,
    whole_ladder: bool = False,
    isolate: bool = True,
    on_case: Callable[[CaseReport], object] | None = None,
    on_step: Callable[[str], object] | None = None,
) -> Report:
    """Time solvers against each other at equal, verified accuracy.

    For each solver the loosest tolerance of its ladder is found at which the largest suboptimality
    along the path, (objective - best known objective) / null objective, is at most ``accuracy``.
    Objectives are computed here, in NumPy. Then all solvers are timed in turn.

    Parameters
    ----------
    cases : iterable of str or Problem, optional
        Names of `regpath.benchmark.CASES`, or problems. Default: `DEFAULT_CASES`.
    solvers : sequence of str or Peer, optional
        Names of `regpath.benchmark.SOLVERS`, or solvers. Default: all that are installed.
    accuracy : float, default 1e-6
    repeats : int, default 3
        Rounds of timing.
    limit : float, default 60
        Seconds that a run may take. A solver that takes longer is stopped, with a note.
    scale, n_lambdas : float, int, default 1, 100
        Of built-in cases: what rows and columns are multiplied by; length of the path.
    whole_ladder : bool, default False
        Run every tolerance, also those tighter than necessary: more points in the picture.
    isolate : bool, default True
        Run every solver in a process of its own. Without it a crash is not survived, and ``limit``
        is not kept.
    on_case, on_step : callable, optional
        Called with each `CaseReport` when it is complete; with a text at the start of each run.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        If there is no such case or solver.

    Examples
    --------
    >>> from regpath import benchmark
    >>> report = benchmark.run(
    ...     ["prostate"], solvers=["regpath"], n_lambdas=20, repeats=1, isolate=False
    ... )
    >>> [(row.solver, row.worst <= 1e-6, row.ratio) for row in report.rows]
    [('regpath', True, 1.0)]
    """
    plan = _Plan(accuracy, repeats, limit, whole_ladder, isolate, on_step or (lambda _: None))
    peers, wanted = choose_solvers(solvers), _known(cases or DEFAULT_CASES)
    report = Report(machine=machine())
    for case in wanted:
        if isinstance(case, str):
            plan.tell(f"{case}: building the problem")
            case = problem(case, scale=scale, n_lambdas=n_lambdas)
        report.cases.append(_compare(case, peers, plan))
        if on_case is not None:
            on_case(report.cases[-1])
    return report


def choose_solvers(solvers: Sequence[str | Peer] | None = None) -> list[Peer]:
    """Solvers by name; by default all.

    Raises
    ------
    ValueError
        If there is no such solver.

    Examples
    --------
    >>> [peer.package for peer in choose_solvers(["regpath", "sklearn"])]
    ['regpath', 'scikit-learn']
    """
    wanted = list(SOLVERS) if solvers is None else solvers
    for name in wanted:
        if isinstance(name, str) and name not in SOLVERS:
            raise ValueError(f"there is no solver {name!r}; there are: {', '.join(SOLVERS)}.")
    return [SOLVERS[name] if isinstance(name, str) else name for name in wanted]


def _known(cases: Iterable[str | Problem]) -> list[str | Problem]:
    """Problems and names of cases, which all exist."""
    found = list(cases)
    for case in found:
        if isinstance(case, str):
            find(case)
    return found


@dataclass(frozen=True)
class _Plan:
    accuracy: float
    repeats: int
    limit: float
    whole_ladder: bool
    isolate: bool
    tell: Callable[[str], object]

    def tolerances(self, peer: Peer) -> list[float]:
        return [min(self.accuracy / LADDER_ACCURACY, 1.0) * tol for tol in peer.ladder]

    def good(self, worst: float) -> bool:
        return worst <= self.accuracy * (1.0 + ROUNDING)


@dataclass(eq=False)
class _Contestant:
    """A solver on a case: what it runs in, and what it has done."""

    peer: Peer
    runner: Runner
    notes: list[str] = field(default_factory=list)
    values: dict[float, Array] = field(default_factory=dict)  # objectives by tolerance
    first: dict[float, float] = field(default_factory=dict)  # seconds by tolerance
    seconds: list[float] = field(default_factory=list)
    tol: float | None = None

    def climb(self, case: str, reference: Reference, plan: _Plan) -> None:
        """Run tolerance after tolerance, until one is good enough."""
        for tol in plan.tolerances(self.peer):
            plan.tell(f"{case}: {self.peer.name} at tol={tol:.0e}")
            try:
                seconds, coefs = self.runner.run(tol, plan.limit)
                if seconds < SHORT:
                    seconds = min(seconds, self.runner.run(tol, plan.limit)[0])
            except SolverError as error:
                self.notes.append(f"{error} at tol={tol:.0e}")
                return
            known = reference.certified <= CERTAIN * plan.accuracy
            self.values[tol] = reference.learn(coefs, bound=not known)
            self.first[tol] = seconds
            if coefs.shape[1] < reference.primal.size:
                self.notes.append(
                    f"{coefs.shape[1]} of {reference.primal.size} lambdas at {tol=:.0e}"
                )
            if plan.good(reference.worst(self.values[tol])) and not plan.whole_ladder:
                return

    def settle(self, reference: Reference, plan: _Plan) -> None:
        """Choose the loosest tolerance that is good enough."""
        good = [t for t, v in self.values.items() if plan.good(reference.worst(v))]
        self.tol = next(iter(good), min(self.values, default=None))

    def time(self, case: str, plan: _Plan) -> None:
        """Time one run at the chosen tolerance."""
        if self.tol is None:
            return
        plan.tell(f"{case}: timing {self.peer.name}")
        try:
            self.seconds.append(self.runner.run(self.tol, plan.limit)[0])
        except SolverError as error:
            self.notes.append(f"{error} when timed")
            self.tol = None  # no more rounds; the ladder keeps its figures

    def row(self, case: str, reference: Reference, plan: _Plan) -> Row:
        self.settle(reference, plan)
        worst = None if self.tol is None else reference.worst(self.values[self.tol])
        notes = list(self.notes)
        if worst is not None and not plan.good(worst):
            notes.insert(0, "MISSED")
        ladder = tuple(
            Rung(tol, min([seconds, *(self.seconds if tol == self.tol else [])]), worst_at)
            for (tol, seconds), worst_at in zip(
                self.first.items(), map(reference.worst, self.values.values()), strict=True
            )
        )
        return Row(
            case=case,
            solver=self.peer.name,
            version=self.peer.version() or "",
            settings=self.peer.settings,
            tol=self.tol,
            worst=worst,
            seconds=tuple(self.seconds),
            note="; ".join(notes),
            ladder=ladder,
        )


def _compare(stated: Problem, peers: Sequence[Peer], plan: _Plan) -> CaseReport:
    """All solvers on one problem."""
    rows: dict[str, Row] = {}
    able: list[Peer] = []
    for peer in peers:
        note = "not installed" if peer.version() is None else peer.refusal(stated)
        rows[peer.name] = Row(stated.name, peer.name, peer.version() or "", note=note or "")
        if note is None:
            able.append(peer)
    reference = Reference(stated)
    with _contestants(stated, able, plan) as contestants:
        _solve_exactly(stated, contestants, reference, plan)
        together = _fit_into_memory(stated, len(able))
        for one in contestants:
            if one.peer.name in rows:
                one.climb(stated.name, reference, plan)
            if not together:
                _time([one], stated.name, reference, plan)
                one.runner.close()
        if together:
            _time(contestants, stated.name, reference, plan)
    for one in contestants:
        if one.peer.name in rows:
            rows[one.peer.name] = one.row(stated.name, reference, plan)
    return CaseReport(
        stated.name, repr(stated), reference.certified, plan.accuracy, tuple(_ratios(rows))
    )


def _solve_exactly(
    stated: Problem, contestants: Sequence[_Contestant], reference: Reference, plan: _Plan
) -> None:
    """Solve far beyond the accuracy, with one solver after the other until one is certified."""
    for one in contestants:
        exact = min(plan.tolerances(one.peer))
        if isinstance(one.peer, type(SOLVERS["regpath"])):
            exact = REFERENCE * plan.accuracy
        plan.tell(f"{stated.name}: reference solution by {one.peer.name}")
        try:
            reference.learn(one.runner.run(exact, plan.limit)[1], bound=True)
        except SolverError:
            continue  # its row will say so
        if reference.certified <= CERTAIN * plan.accuracy:
            return


def _time(contestants: Sequence[_Contestant], case: str, reference: Reference, plan: _Plan) -> None:
    """Time all in turn, so that what the machine does meanwhile meets all of them."""
    for one in contestants:
        one.settle(reference, plan)
    for _ in range(max(plan.repeats, 1)):
        for one in contestants:
            one.time(case, plan)


def _ratios(rows: dict[str, Row]) -> Iterator[Row]:
    own = rows["regpath"].fastest if "regpath" in rows else None
    for row in rows.values():
        yield replace(row, ratio=row.fastest / own) if own and row.fastest else row


@contextmanager
def _contestants(
    stated: Problem, peers: Sequence[Peer], plan: _Plan
) -> Iterator[list[_Contestant]]:
    """A runner for each solver, and for regpath in any case: it makes the reference."""
    own = [peer for peer in [SOLVERS["regpath"]] if peer.refusal(stated) is None]
    missing = [peer for peer in own if peer.name not in {p.name for p in peers}]
    everyone = sorted([*missing, *peers], key=lambda peer: peer.name != "regpath")
    with tempfile.TemporaryDirectory(prefix="regpath-bench-") as folder:
        file = Path(folder, "problem.pickle")
        if plan.isolate:
            with open(file, "wb") as stream:
                pickle.dump(stated, stream, protocol=pickle.HIGHEST_PROTOCOL)
        runners: list[Runner] = [
            Worker(peer, file) if plan.isolate else Inline(peer, stated) for peer in everyone
        ]
        try:
            yield [_Contestant(p, r) for p, r in zip(everyone, runners, strict=True)]
        finally:
            for runner in runners:
                runner.close()


def _fit_into_memory(stated: Problem, n_solvers: int) -> bool:
    """Whether all solvers can wait for their turn with a copy of X, and room for another."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return True
    return 2 * (n_solvers + 1) * stated.n_bytes <= MEMORY * memory

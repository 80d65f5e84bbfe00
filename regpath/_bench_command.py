"""The command ``regpath bench``: regpath and the packages that are installed, side by side."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table as RichTable

from regpath._command_input import problem_of
from regpath._commands import app, print_table
from regpath._extras import require
from regpath._tables import DataError, read_table

if TYPE_CHECKING:
    from regpath.benchmark import CaseReport, Peer, Problem

__all__ = ["bench"]

QUICK_SCALE = 0.1


Cases = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CASE]...",
        help="Built-in problems (see --list). Default: eight of the gaussian ones.",
        show_default=False,
    ),
]
Data = Annotated[
    FilePath | None,
    typer.Option(
        metavar="FILE",
        help="Compare on your own data; columns are scaled to unit variance.",
        show_default=False,
    ),
]
Target = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Column of FILE to explain.", show_default=False),
]
Family = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Of the target: gaussian, binomial, poisson, multinomial or cox.",
    ),
]
Event = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Column of events, for --family cox.", show_default=False),
]
Names = Annotated[
    str | None,
    typer.Option(
        metavar="A,B",
        help="Which solvers (see --list). Default: all that are installed.",
        show_default=False,
    ),
]
Directory = Annotated[
    FilePath | None,
    typer.Option(metavar="DIR", help="Write bench.csv and bench.png there.", show_default=False),
]
L1Ratio = Annotated[float, typer.Option(help="Of FILE. 1: lasso, 0: ridge, between: both.")]
Accuracy = Annotated[float, typer.Option(help="Suboptimality, relative to the null objective.")]
Repeats = Annotated[int, typer.Option(help="Rounds of timing.", min=1)]
Limit = Annotated[float, typer.Option(help="Seconds that a run may take.")]
Quick = Annotated[bool, typer.Option("--quick", help="A tenth of rows and columns, one round.")]
Whole = Annotated[
    bool, typer.Option("--whole-ladder", help="Run every tolerance: a fuller picture.")
]
ListAll = Annotated[bool, typer.Option("--list", help="List cases and solvers.")]


@app.command()
def bench(
    cases: Cases = None,
    data: Data = None,
    target: Target = None,
    family: Family = "gaussian",
    event: Event = None,
    l1_ratio: L1Ratio = 1.0,
    solvers: Names = None,
    accuracy: Accuracy = 1e-6,
    repeats: Repeats = 3,
    limit: Limit = 60.0,
    quick: Quick = False,
    whole_ladder: Whole = False,
    list_all: ListAll = False,
    out: Directory = None,
) -> None:
    """Compare the speed of solvers at equal, verified accuracy."""
    from regpath import benchmark
    from regpath.benchmark.report import machine
    from regpath.benchmark.run import choose_solvers

    if list_all:
        return _list()
    if not accuracy > 0.0 or not limit > 0.0:
        raise DataError("--accuracy and --limit must be positive.")
    if data is None and (target, family, event) != (None, "gaussian", None):
        raise DataError("--target, --family and --event belong to --data FILE.")
    if out is not None:  # rather now than after an hour
        require("matplotlib", "plot")
        out.mkdir(parents=True, exist_ok=True)
    peers = choose_solvers(None if solvers is None else [s.strip() for s in solvers.split(",")])
    stated: list[str | Problem] = list(cases or ())
    if data is not None:
        stated.append(_own(data, target, family, event, l1_ratio))
    console = Console()
    _print_head(console, machine(), peers)
    progress = Console(stderr=True)
    with progress.status("starting") as status:
        report = benchmark.run(
            stated or None,
            solvers=peers,
            accuracy=accuracy,
            repeats=1 if quick else repeats,
            limit=limit,
            scale=QUICK_SCALE if quick else 1.0,
            whole_ladder=whole_ladder,
            on_case=lambda found: _print_case(console, found),
            on_step=status.update,
        )
    if out is None:
        console.print("Nothing was written; --out DIR writes table and picture.")
        return None
    report.to_csv(out / "bench.csv")
    report.plot().savefig(out / "bench.png", dpi=150)
    console.print(f"Wrote {out / 'bench.csv'}, {out / 'bench.png'}", soft_wrap=True)
    return None


def _own(
    data: FilePath, target: str | None, family: str, event: str | None, l1_ratio: float
) -> Problem:
    """The user's file as a problem."""
    from regpath.benchmark import problem_from
    from regpath.benchmark.losses import LOSSES

    if not 0.0 <= l1_ratio <= 1.0:
        raise DataError(f"--l1-ratio {l1_ratio:g}: it must lie between 0 and 1.")
    if family not in LOSSES:
        raise DataError(f"--family {family}: the benchmark knows {', '.join(LOSSES)}.")
    X, y, *_ = problem_of(read_table(data), target, None, (), family=family, event=event)
    return problem_from(X, y, name=data.stem, family=family, l1_ratio=l1_ratio)


def _list() -> None:
    from regpath.benchmark import CASES, SOLVERS

    console = Console()
    table = RichTable("case", "n x p", "problem", box=None, pad_edge=False)
    for name, case in CASES.items():
        size = "real data" if isinstance(case.design, str) else f"{case.n:,} x {case.p:,}"
        table.add_row(name, size, case.text)
    console.print(table)
    console.print()
    table = RichTable("solver", "version", "settings", box=None, pad_edge=False)
    for name, peer in SOLVERS.items():
        table.add_row(name, peer.version() or "not installed", peer.settings)
    console.print(table, markup=False)


def _print_head(console: Console, machine: dict[str, str], peers: list[Peer]) -> None:
    """Print what the figures depend on."""
    for name, value in machine.items():
        console.print(f"{name}: {value}", highlight=False, markup=False, soft_wrap=True)
    console.print()
    for peer in peers:
        version = peer.version()
        text = "not installed" if version is None else f"{version}; {peer.settings}"
        console.print(f"{peer.name} {text}", highlight=False, markup=False, soft_wrap=True)


def _print_case(console: Console, found: CaseReport) -> None:
    from regpath.benchmark.report import HEAD

    measured = [row for row in found.rows if row.tol is not None]
    styles = ["red" if row.note.startswith("MISSED") else None for row in measured]
    print_table(
        ["", found.title], HEAD[:-1], [row.cells()[:-1] for row in measured], styles, console
    )
    for row in found.rows:
        if row.note:
            console.print(f"{row.solver}: {row.note}", highlight=False, markup=False)

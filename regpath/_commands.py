"""The commands of ``regpath``: each reads, calls the library and writes, in a few lines.

A new command is one function here, or in a module of its own as `regpath._bench_command`, which
`regpath.cli` imports; `regpath._command_input` holds the options that commands share, and
`regpath._tables` reads data and writes tables.
"""

from __future__ import annotations

import os
import platform
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path as FilePath
from typing import Annotated, Any, TypeAlias, cast

import typer
from rich.console import Console
from rich.table import Table as RichTable

from regpath._command_input import DataFile, FitOptions, Offset, Stated, with_fields
from regpath._extras import require
from regpath._nested_storage import load_any
from regpath._predict import PredictionType
from regpath._table import HEAD, coef_columns, header, path_columns, table_rows
from regpath._tables import DataError, read_table, write_csv
from regpath.cv_result import CVPath
from regpath.result import Path

__all__ = [
    "INTERRUPTED",
    "Writers",
    "app",
    "named",
    "prepare",
    "print_table",
    "run",
    "warnings_as_lines",
    "write_files",
]

app = typer.Typer(
    name="regpath",
    help="Certified regularization paths: lasso, elastic net and ridge.",
    add_completion=False,
    pretty_exceptions_enable=False,
)

Directory = Annotated[
    FilePath | None,
    typer.Option(
        metavar="DIR",
        help="Write coefs.csv, path.csv, path.png and model.npz there.",
        show_default=False,
    ),
]

Writers: TypeAlias = dict[str, Callable[[FilePath], None]]
"""What writes files, by their names."""

INTERRUPTED = 130
"""Exit code of a command that was interrupted."""

OPTIONS = (
    ("a smaller lambda_min_ratio", "a smaller --lambda-min-ratio"),
    ("extend=True", "--extend"),
)
"""What warnings advise, in Python and at the command line."""

WORDS = ("status", "rule", "feature", "solver", "version", "")
"""Titles of the columns of a table that hold words."""

OPTIONAL_PACKAGES = ("sklearn", "matplotlib", "narwhals", "pandas", "polars", "pyarrow", "dask")
"""Shown by ``regpath info`` beside the packages that are always there."""


def run(arguments: Sequence[str] | None) -> int:
    """Run one command; errors of the user's making are raised, wrong usage is one line."""
    try:
        command = typer.main.get_command(app)
        code = command.main(
            None if arguments is None else list(arguments),
            prog_name="regpath",
            standalone_mode=False,
        )
    except typer.Abort:
        raise KeyboardInterrupt from None
    except Exception as error:
        # Wrong usage. Its class moved between versions of typer; what it can do did not.
        if not hasattr(error, "format_message"):
            raise
        message = f"{error.format_message()} (regpath --help lists what there is)"
        raise DataError(message) from None
    if code == INTERRUPTED:  # some versions of typer give the exit code instead
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.")
    ] = False,
) -> None:
    if show_version:
        from regpath import __version__

        typer.echo(f"regpath {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        text = context.get_help()  # empty where typer has already printed it in colour
        typer.echo(text, nl=bool(text))


@app.command()
@with_fields
def fit(given: FitOptions, out: Directory = None) -> None:
    """Fit a regularization path and print its table."""
    from regpath import fit_path

    stated = given.read("fit")
    prepare(out)
    with warnings_as_lines():
        path = fit_path(stated.X, stated.y, **stated.options, progress=sys.stderr.isatty())
    path = named(path, stated)
    _print_path(path)
    if out is None:
        typer.echo("Nothing was written; --out DIR writes tables, picture and model.")
    else:
        write_files(out, _writers(path))


@app.command()
def predict(
    model: Annotated[
        FilePath,
        typer.Argument(metavar="MODEL", help="model.npz of fit or cv.", show_default=False),
    ],
    data: DataFile,
    lambda_value: Annotated[
        str | None,
        typer.Option(
            metavar="FLOAT|RULE",
            help="Any value within the path; of a cross-validation also 1se, min or 2%. "
            "Default: all of its grid; of a cross-validation 1se.",
            show_default=False,
        ),
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            "--type",
            metavar="TYPE",
            help="response: means or probabilities, link: linear predictors, class: labels.",
        ),
    ] = "response",
    relaxed: Annotated[
        bool, typer.Option("--relaxed", help="By the blend that the rule chooses, of cv --relax.")
    ] = False,
    offset: Offset = None,
    out: Annotated[
        FilePath | None,
        typer.Option(metavar="FILE", help="CSV file. Default: print.", show_default=False),
    ] = None,
) -> None:
    """Predict for the rows of DATA, whose columns are matched by name, in any order."""
    if not model.is_file():
        raise DataError(f"{model}: there is no such file.")
    path, lambda_ = (_blended if relaxed else _chosen)(model, lambda_value)
    table = read_table(data, notes=path.info.get("data"))
    # A model that was saved from Python may know no names: then columns go by their order.
    X = table.design(path.feature_names or table.names, role="features of the model")
    if offset is None and path.settings.offset is not None:
        raise DataError(f"{model}: the model has an offset; name its column with --offset.")
    given = None if offset is None else table.vector(offset, "--offset")
    predictions = path.predict(X, lambda_, cast(PredictionType, kind), offset=given)
    outputs = path.output_labels if kind != "class" else ()
    names = _prediction_names(outputs, None if lambda_ is not None else path.lambdas)
    columns = dict(zip(names, predictions.reshape(-1, len(names)).T, strict=True))
    write_csv(out or sys.stdout, columns)
    if out is not None:
        typer.echo(f"Wrote {len(predictions)} predictions to {out}")


def _chosen(model: FilePath, wanted: str | None) -> tuple[Path, float | None]:
    """The path of a file, and the lambda that a number or a rule means; None: all of them."""
    result = load_any("predict", model, Path, CVPath)
    with suppress(TypeError, ValueError):
        wanted_number = float(cast(str, wanted))
        return (result if isinstance(result, Path) else result.path), wanted_number
    if isinstance(result, Path):
        if wanted is not None:
            raise DataError(
                f"--lambda-value {wanted}: it must be a number; rules such as 1se are for models "
                "of regpath cv."
            )
        return result, None
    return result.path, float(result.lambdas[result.index_at(wanted or "1se")])


def _blended(model: FilePath, rule: str | None) -> tuple[Path, float]:
    """The blend that a rule chooses among those of a file, and its lambda."""
    result = load_any("predict", model, Path, CVPath)
    if isinstance(result, Path) or result.relaxed is None:
        raise DataError(f"--relaxed: {model} has no refits; regpath cv --relax makes such models.")
    point = result.relaxed.at(rule or "1se")
    return result.relaxed.path.blend(point.gamma), point.lambda_


def _prediction_names(outputs: Sequence[str], lambdas: Any) -> list[str]:
    """Names of the columns of predictions: the output, the lambda, or the output at the lambda."""
    if lambdas is None:
        return list(outputs) or ["prediction"]
    grid = [repr(value) for value in lambdas.tolist()]
    return [f"{name} {at}" for name in outputs for at in grid] if outputs else grid


@app.command()
def warmup() -> None:
    """Compile everything once and keep it, so that later fits start at once."""
    import regpath

    console = Console(stderr=True)
    with console.status("compiling") as status:
        names = regpath.warmup(progress=lambda *what: status.update(f"compiling {what[0]}"))
    typer.echo(f"Compiled {len(names)}: {', '.join(names)}")
    typer.echo(f"Kept in {_cache_place()}")


@app.command()
def info() -> None:
    """Print versions, threads and the place of the compiled code."""
    import numba

    from regpath import __version__

    rows = [("regpath", __version__), ("python", platform.python_version())]
    rows += [(name, _version(name)) for name in ("numpy", "scipy", "numba", "llvmlite")]
    distributions = {"sklearn": "scikit-learn"}
    rows += [(name, _version(distributions.get(name, name))) for name in OPTIONAL_PACKAGES]
    rows += [
        ("platform", platform.platform()),
        ("threads", f"{numba.get_num_threads()} of {os.cpu_count()} processors"),
        ("compiled code", _cache_place()),
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        typer.echo(f"{name.ljust(width)}  {value}")


def prepare(out: FilePath | None) -> None:
    """Make the directory of the results, rather now than after the fit."""
    if out is not None:
        require("matplotlib", "plot")
        out.mkdir(parents=True, exist_ok=True)


def named(path: Path, stated: Stated) -> Path:
    """The path with the names of its features, and what a reader of later data must know."""
    return replace(
        path,
        feature_names=stated.names,
        response_names=stated.responses,
        info=path.info | {"data": stated.notes},
    )


def write_files(out: FilePath, writers: Writers) -> None:
    """Write files into a directory that exists, and name them."""
    for name, writer in writers.items():
        writer(out / name)
    typer.echo("Wrote " + ", ".join(str(out / name) for name in writers))


def _writers(path: Path) -> Writers:
    from regpath.plot import save_figure

    return {
        "coefs.csv": lambda file: write_csv(file, coef_columns(path)),
        "path.csv": lambda file: write_csv(file, path_columns(path)),
        "path.png": lambda file: save_figure(path, file),
        "model.npz": path.save,
    }


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Show warnings as one line on stderr, without the place in the code."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        yield
    for warning in caught:
        text = " ".join(str(warning.message).split())
        for python, option in OPTIONS:
            text = text.replace(python, option)
        print("regpath: warning:", text, file=sys.stderr)


def _print_path(path: Path) -> None:
    bad = [None if status.ok else "bold red" for status in path.statuses]
    print_table(header(path), HEAD, table_rows(path), bad)


def print_table(
    lines: Sequence[str],
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    styles: Sequence[str | None] | None = None,
    console: Console | None = None,
) -> None:
    """Print lines, then a table of numbers and, at its sides, words."""
    console = console or Console()
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    table = RichTable(box=None, pad_edge=False, header_style="bold")
    for title in head:
        side = "left" if title in WORDS else "right"
        table.add_column(title, justify=side, no_wrap=True)  # type: ignore[arg-type]
    for row, style in zip(rows, styles or [None] * len(rows), strict=True):
        table.add_row(*row, style=style)
    console.print(table)


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def _cache_place() -> str:
    from regpath._numba import cache_directory
    from regpath.kernels.passes import column_dots

    return cache_directory(column_dots) or "not kept: no directory to write to"

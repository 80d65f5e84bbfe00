"""The commands of ``regpath``: each reads, calls the library and writes, in a few lines.

A new command is one function here, or in a module of its own as `regpath._bench_command`, which
`regpath.cli` imports; `regpath._tables` reads its data and writes its tables.
"""

from __future__ import annotations

import csv
import os
import platform
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path as FilePath
from typing import Annotated, Any, cast

import numpy as np
import typer
from rich.console import Console
from rich.table import Table as RichTable

from regpath._extras import require
from regpath._predict import PredictionType
from regpath._table import HEAD, coef_columns, header, path_columns, table_rows
from regpath._tables import DataError, Table, read_table, write_csv
from regpath.result import Path

__all__ = ["INTERRUPTED", "app", "problem_of", "run"]

app = typer.Typer(
    name="regpath",
    help="Certified regularization paths: lasso, elastic net and ridge.",
    add_completion=False,
    pretty_exceptions_enable=False,
)

DataFile = Annotated[
    FilePath,
    typer.Argument(
        metavar="DATA",
        help="CSV, Parquet, .npz (X and y, or a sparse X), .npy, or svmlight "
        "(.svm, .svmlight, .libsvm, .txt).",
        show_default=False,
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Column to explain (.npz: an array, default y; .npy: a column number; "
        "svmlight: the label): numbers, or labels of classes. cox: the time; multigaussian: A,B.",
        show_default=False,
    ),
]
FamilyName = Annotated[
    str,
    typer.Option(
        metavar="FAMILY",
        help="Distribution of the target: gaussian, binomial, poisson, gamma, tweedie, huber, "
        "multinomial, multigaussian or cox.",
    ),
]
FamilyOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        help="Option of the family: link=probit, power=1.2, delta=0.5, grouped=true, ties=efron.",
        show_default=False,
    ),
]
Event = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="cox: column of events, 1 or 0 (censored).", show_default=False
    ),
]
Start = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="cox: column of times at which rows enter.", show_default=False
    ),
]
MinRatio = Annotated[
    float | None,
    typer.Option(
        help="Smallest lambda relative to the largest. Default: 1e-4, or 1e-2 if there are "
        "more columns than rows.",
        show_default=False,
    ),
]
Weights = Annotated[
    str | None, typer.Option(metavar="NAME", help="Column of weights.", show_default=False)
]
Offset = Annotated[
    str | None, typer.Option(metavar="NAME", help="Column of offsets.", show_default=False)
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(help="Columns to leave out: A,B.", metavar="A,B", show_default=False),
]
Directory = Annotated[
    FilePath | None,
    typer.Option(
        metavar="DIR",
        help="Write coefs.csv, path.csv, path.png and model.npz there.",
        show_default=False,
    ),
]

INTERRUPTED = 130
"""Exit code of a command that was interrupted."""

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
def fit(
    data: DataFile,
    target: Target = None,
    family: FamilyName = "gaussian",
    option: FamilyOptions = None,
    event: Event = None,
    start: Start = None,
    l1_ratio: Annotated[float, typer.Option(help="1: lasso, 0: ridge, between: both.")] = 1.0,
    n_lambdas: Annotated[int, typer.Option(help="Number of points of the path.")] = 100,
    lambda_min_ratio: MinRatio = None,
    intercept: Annotated[bool, typer.Option(help="Fit an intercept.")] = True,
    standardize: Annotated[bool, typer.Option(help="Penalise on standardized columns.")] = True,
    weights: Weights = None,
    offset: Offset = None,
    exclude: Exclude = None,
    tol: Annotated[float, typer.Option(help="Bound on the relative dual gap.")] = 1e-6,
    out: Directory = None,
) -> None:
    """Fit a regularization path and print its table."""
    from regpath import families, fit_path

    stated = families.resolve("fit", family, **_family_options(family, option))
    if out is not None:  # rather now than after the fit
        require("matplotlib", "plot")
        out.mkdir(parents=True, exist_ok=True)
    table = read_table(data)
    given = None if offset is None else table.vector(offset, "--offset")
    left_out = [*_split(exclude), *([] if offset is None else [offset])]
    X, y, sample_weight, names = problem_of(
        table, target, weights, left_out, family=stated.name, event=event, start=start
    )
    with _warnings_as_lines():
        path = fit_path(
            X,
            y,
            family=stated,
            l1_ratio=l1_ratio,
            n_lambdas=n_lambdas,
            lambda_min_ratio=lambda_min_ratio,
            fit_intercept=intercept,
            standardize=standardize,
            sample_weight=sample_weight,
            offset=given,
            tol=tol,
            progress=sys.stderr.isatty(),
        )
    path = replace(path, feature_names=tuple(names), info=path.info | {"data": table.notes})
    _print_path(path)
    if out is None:
        typer.echo("Nothing was written; --out DIR writes tables, picture and model.")
    else:
        typer.echo("Wrote " + ", ".join(str(file) for file in write_results(path, out)))


@app.command()
def predict(
    model: Annotated[
        FilePath, typer.Argument(metavar="MODEL", help="model.npz of a fit.", show_default=False)
    ],
    data: DataFile,
    lambda_value: Annotated[
        float | None,
        typer.Option(
            help="Any value within the path. Default: all of its grid.", show_default=False
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
    offset: Offset = None,
    out: Annotated[
        FilePath | None,
        typer.Option(metavar="FILE", help="CSV file. Default: print.", show_default=False),
    ] = None,
) -> None:
    """Predict for the rows of DATA, whose columns are matched by name, in any order."""
    if not model.is_file():
        raise DataError(f"{model}: there is no such file.")
    path = Path.load(model)
    table = read_table(data, notes=path.info.get("data"))
    # A model that was saved from Python may know no names: then columns go by their order.
    X = table.design(path.feature_names or table.names, role="features of the model")
    if offset is None and path.settings.offset is not None:
        raise DataError(f"{model}: the model has an offset; name its column with --offset.")
    given = None if offset is None else table.vector(offset, "--offset")
    predictions = path.predict(X, lambda_value, cast(PredictionType, kind), offset=given)
    outputs = path.output_labels if kind != "class" else ()
    names = _prediction_names(outputs, None if lambda_value is not None else path.lambdas)
    columns = dict(zip(names, predictions.reshape(-1, len(names)).T, strict=True))
    write_csv(out or sys.stdout, columns)
    if out is not None:
        typer.echo(f"Wrote {len(predictions)} predictions to {out}")


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


def problem_of(
    table: Table,
    target: str | None,
    weights: str | None,
    exclude: Sequence[str],
    *,
    family: str = "gaussian",
    event: str | None = None,
    start: str | None = None,
) -> tuple[Any, Any, Any, list[str]]:
    """Take X, y, weights and the names of the columns of X out of a table.

    Parameters
    ----------
    table : Table
    target, weights : str or None
        Names of columns.
    exclude : sequence of str
        Columns that stay out of X.
    family : str
        Its name, which says what y is.
    event, start : str or None
        Further columns of y, for the cox family.
    """
    target = target or table.default_target
    if target is None:
        raise DataError(f"{table.source}: name the column to explain with --target.")
    y, beside = _response(table, target, family, event, start)
    sample_weight = None if weights is None else table.vector(weights, "--weights")
    names = table.features(target, [*exclude, *beside, *([] if weights is None else [weights])])
    return table.design(names), y, sample_weight, names


def _response(
    table: Table, target: str, family: str, event: str | None, start: str | None
) -> tuple[Any, list[str]]:
    """The response as the family wants it, and the columns besides the target that it is of."""
    for option, name in (("--event", event), ("--start", start)):
        if name is not None and family != "cox":
            raise DataError(f"{option} belongs to --family cox, not to {family}.")
    if family == "cox":
        if event is None:
            raise DataError(
                "--family cox: name the column of events (1, or 0 if censored) with --event; "
                "--target is the column of times."
            )
        roles = {"--start": start, "--target": target, "--event": event}
        given = [(name, role) for role, name in roles.items() if name is not None]
        y = np.column_stack([table.vector(name, role) for name, role in given])
        return y, [name for name, _ in given if name != target]
    if family in ("binomial", "multinomial"):
        return table.labels(target, "--target"), []
    several = _split([target])
    if family == "multigaussian" and not table.has(target) and len(several) > 1:
        return np.column_stack([table.vector(name, "--target") for name in several]), several
    return table.vector(target, "--target"), []


def _family_options(family: str, texts: Sequence[str] | None) -> dict[str, Any]:
    """Options of a family from NAME=VALUE."""
    from regpath.families import resolve

    # Strata are one label a row: nothing for a command line.
    known = {k: v for k, v in resolve("fit", family)._asdict().items() if k != "strata"}
    options: dict[str, Any] = {}
    for text in texts or ():
        name, separator, value = text.partition("=")
        if not separator or name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise DataError(f"--option {text}: the {family} family has no such option; {has}.")
        kind = type(known[name])
        try:
            options[name] = {"true": True, "false": False}[value] if kind is bool else kind(value)
        except (KeyError, ValueError):
            must = "true or false" if kind is bool else "a number"
            raise DataError(f"--option {text}: the value must be {must}.") from None
    return options


def write_results(path: Path, directory: FilePath) -> list[FilePath]:
    """Write the tables, the picture and the model of a path into a directory.

    Parameters
    ----------
    path : Path
    directory : pathlib.Path
        Exists.

    Returns
    -------
    files : list of pathlib.Path
    """
    from regpath.plot import save_figure

    writers: dict[str, Callable[[FilePath], None]] = {
        "coefs.csv": lambda file: write_csv(file, coef_columns(path)),
        "path.csv": lambda file: write_csv(file, path_columns(path)),
        "path.png": lambda file: save_figure(path, file),
        "model.npz": path.save,
    }
    files = [directory / name for name in writers]
    for file in files:
        writers[file.name](file)
    return files


def _split(names: Sequence[str] | None) -> list[str]:
    """Split A,B; a name that holds a comma stands in double quotes."""
    rows = csv.reader(names or [], skipinitialspace=True)
    return [name.strip() for row in rows for name in row if name.strip()]


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Show warnings as one line on stderr, without the place in the code."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        yield
    for warning in caught:
        print("regpath: warning:", " ".join(str(warning.message).split()), file=sys.stderr)


def _print_path(path: Path) -> None:
    console = Console()
    for line in header(path):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    table = RichTable(box=None, pad_edge=False, header_style="bold")
    for title in HEAD[:-1]:
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column(HEAD[-1], no_wrap=True)
    for row, status in zip(table_rows(path), path.statuses, strict=True):
        table.add_row(*row, style=None if status.ok else "bold red")
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

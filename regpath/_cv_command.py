"""The command ``regpath cv``: a cross-validated path of a file."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Annotated

import typer

from regpath._command_input import FitOptions, with_fields
from regpath._commands import app, named, prepare, print_table, warnings_as_lines, write_files
from regpath._cv_table import HEAD, cv_columns, cv_header, notes, rule_rows
from regpath._table import point_columns
from regpath._tables import DataError, write_csv

__all__ = ["cv"]

RULES = ("1se", "min")

Folds = Annotated[
    str | None,
    typer.Option(
        metavar="K",
        help="Number of folds, or loo: each row is one. Default: 10.",
        show_default=False,
    ),
]
FoldColumn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Column of labels: rows with the same label are one fold.",
        show_default=False,
    ),
]
Scoring = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="mse, mae, r2, deviance, class, log_loss, brier, auc or c_index. Default: mse for "
        "gaussian, huber and multigaussian, deviance for the others.",
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option(help="Of the random order of rows.", min=0)]
RuleName = Annotated[
    str,
    typer.Option(
        metavar="RULE",
        help="Of the coefficients that are written. 1se: the largest lambda within a standard "
        "error of the best, min: the best.",
    ),
]
Directory = Annotated[
    FilePath | None,
    typer.Option(
        metavar="DIR",
        help="Write cv.csv, cv.png, coefs_RULE.csv and model.npz there.",
        show_default=False,
    ),
]


@app.command()
@with_fields
def cv(
    given: FitOptions,
    folds: Folds = None,
    fold_column: FoldColumn = None,
    scoring: Scoring = None,
    seed: Seed = 1,
    rule: RuleName = "1se",
    out: Directory = None,
) -> None:
    """Cross-validate a path, and choose a lambda."""
    from regpath import cv_path
    from regpath.plot_selection import save_cv_figure

    if rule not in RULES:
        raise DataError(f"--rule {rule}: it must be {' or '.join(RULES)}.")
    if folds is not None and fold_column is not None:
        raise DataError("--folds and --fold-column exclude each other: labels are the folds.")
    scheme = _number(folds)
    stated = given.read("cv_path", fold_column=fold_column)
    prepare(out)
    with warnings_as_lines():
        result = cv_path(
            stated.X,
            stated.y,
            cv=stated.labels.get("fold_column", scheme),
            scoring=scoring,
            random_state=seed,
            progress=sys.stderr.isatty(),
            **stated.options,
        )
    result = replace(
        result,
        path=named(result.path, stated),
        fold_paths=tuple(named(path, stated) for path in result.fold_paths),
    )
    print_table(cv_header(result), HEAD, rule_rows(result))
    for note in notes(result):
        typer.echo(note)
    if out is None:
        typer.echo("Nothing was written; --out DIR writes tables, picture and model.")
        return
    chosen = result.index_at(rule)
    write_files(
        out,
        {
            "cv.csv": lambda file: write_csv(file, cv_columns(result)),
            "cv.png": lambda file: save_cv_figure(result, file),
            f"coefs_{rule}.csv": lambda file: write_csv(file, point_columns(result.path, chosen)),
            "model.npz": result.save,
        },
    )


def _number(folds: str | None) -> int | str:
    """The scheme of folds that a text means."""
    if folds is None or folds == "loo":
        return folds or 10
    try:
        return int(folds)
    except ValueError:
        raise DataError(f"--folds {folds}: it must be a whole number, or loo.") from None

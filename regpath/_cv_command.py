"""The command ``regpath cv``: a cross-validated path of a file, or several."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Annotated, Any

import typer

from regpath._command_input import FitOptions, Stated, split, with_fields
from regpath._commands import (
    Writers,
    app,
    named,
    prepare,
    print_table,
    warnings_as_lines,
    write_files,
)
from regpath._cv_table import (
    HEAD,
    SURFACE_HEAD,
    cv_columns,
    cv_header,
    notes,
    rule_rows,
    surface_columns,
    surface_header,
    surface_rows,
)
from regpath._table import point_columns
from regpath._tables import DataError, write_csv
from regpath.cv_result import CVPath
from regpath.relaxed import RelaxedPath
from regpath.relaxed_cv import relaxed_columns
from regpath.surface import CVSurface

__all__ = ["Seed", "cv"]

RULES = ("1se", "min")

L1Ratio = Annotated[
    str,
    typer.Option(
        metavar="A,B,C",
        help="1: lasso, 0: ridge, between: both. Several are compared, and the best is written.",
    ),
]
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
Extend = Annotated[
    bool, typer.Option("--extend", help="Continue the grid as long as the score improves.")
]
Relax = Annotated[
    bool,
    typer.Option(
        "--relax",
        help="Judge blends with unpenalised refits as well: coefs_RULE.csv is that of the best "
        "blend, and predict --relaxed takes it.",
    ),
]
Directory = Annotated[
    FilePath | None,
    typer.Option(
        metavar="DIR",
        help="Write cv.csv, cv.png, coefs_RULE.csv and model.npz there; with --relax also "
        "relaxed.csv and .png; for several l1_ratios also surface.csv and .png.",
        show_default=False,
    ),
]


@app.command()
@with_fields
def cv(
    given: FitOptions,
    l1_ratio: L1Ratio = "1",
    folds: Folds = None,
    fold_column: FoldColumn = None,
    scoring: Scoring = None,
    seed: Seed = 1,
    rule: RuleName = "1se",
    extend: Extend = False,
    relax: Relax = False,
    out: Directory = None,
) -> None:
    """Cross-validate a path, and choose a lambda."""
    from regpath import cv_path

    if rule not in RULES:
        raise DataError(f"--rule {rule}: it must be {' or '.join(RULES)}.")
    if folds is not None and fold_column is not None:
        raise DataError("--folds and --fold-column exclude each other: labels are the folds.")
    scheme, ratios = _number(folds), _ratios(l1_ratio)
    stated = given.read("cv_path", fold_column=fold_column)
    prepare(out)
    with warnings_as_lines():
        result = cv_path(
            stated.X,
            stated.y,
            cv=stated.labels.get("fold_column", scheme),
            scoring=scoring,
            random_state=seed,
            extend=extend,
            relax=relax,
            progress=sys.stderr.isatty(),
            **{**stated.options, "l1_ratio": ratios},
        )
    surface = result if isinstance(result, CVSurface) else None
    if surface is not None:
        print_table(surface_header(surface), SURFACE_HEAD, surface_rows(surface))
        typer.echo("")
    best = _named(result if surface is None else _best(surface), stated)
    _print(best)
    if out is None:
        typer.echo("Nothing was written; --out DIR writes tables, picture and model.")
    else:
        write_files(out, {**_surface_writers(surface), **_writers(best, rule)})


def _best(surface: CVSurface) -> CVPath:
    """The path of the best l1_ratio; that of the best blend, if there are any."""
    blends = surface.relaxed
    if blends is None:
        return surface.best
    typer.echo(f"With refits the best l1_ratio is {blends.l1_ratio:.4g}.\n")
    return next(cv for cv in surface.paths if cv.relaxed is blends)


def _named(cv: CVPath, stated: Stated) -> CVPath:
    """The same with the names of the features in every path."""

    def refits(relaxed: RelaxedPath) -> RelaxedPath:
        return replace(relaxed, path=named(relaxed.path, stated))

    relaxed = cv.relaxed and replace(
        cv.relaxed,
        path=refits(cv.relaxed.path),
        fold_paths=tuple(map(refits, cv.relaxed.fold_paths)),
    )
    folds = tuple(named(path, stated) for path in cv.fold_paths)
    return replace(cv, path=named(cv.path, stated), fold_paths=folds, relaxed=relaxed)


def _print(cv: CVPath) -> None:
    print_table(cv_header(cv), HEAD, rule_rows(cv))
    for note in notes(cv):
        typer.echo(note)
    if cv.relaxed is not None:
        typer.echo(f"\n{cv.relaxed}")


def _writers(cv: CVPath, rule: str) -> Writers:
    """What writes the files of one cross-validation."""
    from regpath.plot_selection import save_picture

    path, relaxed = cv.path, cv.relaxed
    writers: Writers = {
        "cv.csv": lambda file: write_csv(file, cv_columns(cv)),
        "cv.png": lambda file: save_picture(cv.plot, file),
        "model.npz": cv.save,
    }
    if relaxed is None:
        chosen = cv.index_at(rule)
    else:
        gamma, chosen = relaxed.index_at(rule)
        path = relaxed.path.blend(float(relaxed.gammas[gamma]))
        writers["relaxed.csv"] = lambda file: write_csv(file, relaxed_columns(relaxed))
        writers["relaxed.png"] = lambda file: save_picture(relaxed.plot, file)
    writers[f"coefs_{rule}.csv"] = lambda file: write_csv(file, point_columns(path, chosen))
    return writers


def _surface_writers(surface: CVSurface | None) -> Writers:
    """What writes the files of a surface, if there is one."""
    from regpath.plot_selection import save_picture

    if surface is None:
        return {}
    return {
        "surface.csv": lambda file: write_csv(file, surface_columns(surface)),
        "surface.png": lambda file: save_picture(surface.plot, file),
    }


def _ratios(text: str) -> Any:
    """One l1_ratio, or a list of several."""
    try:
        ratios = [float(part) for part in split([text])]
    except ValueError:
        ratios = []
    if not ratios:
        raise DataError(f"--l1-ratio {text}: it must be a number, or several such as 0.1,0.5,1.")
    return ratios if len(ratios) > 1 else ratios[0]


def _number(folds: str | None) -> int | str:
    """The scheme of folds that a text means."""
    if folds is None or folds == "loo":
        return folds or 10
    try:
        return int(folds)
    except ValueError:
        raise DataError(f"--folds {folds}: it must be a whole number, or loo.") from None

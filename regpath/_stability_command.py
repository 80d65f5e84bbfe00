"""The command ``regpath stability``: how often the features of a file are selected."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path as FilePath
from typing import Annotated, Any

import numpy as np
import typer

from regpath._command_input import FitOptions, with_fields
from regpath._commands import app, prepare, print_table, warnings_as_lines, write_files
from regpath._cv_command import Seed
from regpath._parts import labels
from regpath._table import lambda_labels
from regpath._tables import DataError, write_csv
from regpath.stability import StabilityPath

__all__ = ["stability"]

Resamples = Annotated[int, typer.Option(help="Number of halves of the rows, in pairs.")]
Threshold = Annotated[
    float, typer.Option(help="Frequency that makes a feature stable, above 0.5 and up to 1.")
]
Directory = Annotated[
    FilePath | None,
    typer.Option(
        metavar="DIR", help="Write frequencies.csv and stability.png there.", show_default=False
    ),
]


@app.command()
@with_fields
def stability(
    given: FitOptions,
    resamples: Resamples = 100,
    threshold: Threshold = 0.6,
    seed: Seed = 1,
    out: Directory = None,
) -> None:
    """Find the features that are selected in most halves of the rows."""
    from regpath import stability_path
    from regpath.plot_selection import save_picture

    if not 0.5 < threshold <= 1.0:
        raise DataError(f"--threshold {threshold:g}: it must be above 0.5, and 1 at most.")
    stated = given.read("stability_path")
    prepare(out)
    with warnings_as_lines():
        stable = stability_path(
            stated.X,
            stated.y,
            n_resamples=resamples,
            random_state=seed,
            progress=sys.stderr.isatty(),
            **stated.options,
        )
    stable = replace(stable, feature_names=stated.names)
    _print(stable, threshold)
    if out is None:
        typer.echo("Nothing was written; --out DIR writes a table and a picture.")
        return
    write_files(
        out,
        {
            "frequencies.csv": lambda file: write_csv(file, _columns(stable)),
            "stability.png": partial(save_picture, partial(stable.plot, threshold)),
        },
    )


def _print(stable: StabilityPath, threshold: float) -> None:
    """The stable features, the most frequent first, and where they become stable."""
    names, most = labels(stable.feature_names, stable.n_features), stable.largest()
    chosen = stable.selected(threshold)
    chosen = chosen[np.argsort(-most[chosen], kind="stable")]
    lines = [
        f"{stable.n_resamples} halves of the rows, {stable.lambdas.size} lambdas from "
        f"{stable.lambdas[0]:.5g} to {stable.lambdas[-1]:.5g}",
        f"{chosen.size} of {stable.n_features} features reach the frequency {threshold:g}",
    ]
    rows = []
    for j in chosen.tolist():
        reached = np.argmax(_row(stable, j) >= threshold - 1e-12)
        rows.append((names[j], f"{most[j]:.2f}", f"{stable.lambdas[reached]:.5g}"))
    print_table(lines, ("feature", "frequency", "from lambda"), rows)


def _row(stable: StabilityPath, feature: int) -> Any:
    row = stable.frequency_storage[[feature]]
    return row.ravel() if isinstance(row, np.ndarray) else row.toarray().ravel()


def _columns(stable: StabilityPath) -> dict[str, Any]:
    """Columns of the table with one row per feature: the largest frequency, and all of them."""
    columns: dict[str, Any] = {
        "feature": list(labels(stable.feature_names, stable.n_features)),
        "largest": stable.largest(),
    }
    return columns | dict(zip(lambda_labels(stable.lambdas), stable.frequencies.T, strict=True))

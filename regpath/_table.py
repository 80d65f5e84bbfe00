"""A path as text and as data frames."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from regpath._extras import require
from regpath._linear import shorten
from regpath.result import Path, Status

__all__ = [
    "HEAD",
    "INTERCEPT",
    "coef_columns",
    "five_digits",
    "header",
    "lambda_labels",
    "native_frame",
    "path_columns",
    "percent",
    "point_columns",
    "summary",
    "table",
    "table_rows",
    "to_frame",
]

INTERCEPT = "(intercept)"
"""Name of the row of the intercept in tables of coefficients."""

HEAD = ("", "lambda", "%dev", "df", "gap", "status")


def summary(path: Path, n_ends: int | None = None) -> str:
    """Describe a path: header lines, then a table with one line per lambda.

    Parameters
    ----------
    path : Path
    n_ends : int, optional
        Show this many lines at each end of the table only. Default: all lines.
    """
    return "\n".join([*header(path), "", *table(HEAD, table_rows(path), n_ends)])


def table(
    head: tuple[str, ...], rows: Sequence[tuple[str, ...]], n_ends: int | None = None
) -> list[str]:
    """Lines of a table; the second column is that of lambda."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [_line(row, widths) for row in rows]
    if n_ends is not None and len(lines) > 2 * n_ends + 1:
        dots = _line(("", "...", *[""] * (len(head) - 2)), widths)
        lines = [*lines[:n_ends], dots, *lines[-n_ends:]]
    return [_line(head, widths), *lines]


def table_rows(path: Path) -> list[tuple[str, ...]]:
    """One row of text per lambda: the cells under `HEAD`."""
    columns = (path.lambdas, path.dev_ratio, path.n_nonzero, path.dual_gaps, path.statuses)
    return [
        (
            str(i),
            five_digits(lambda_),
            percent(dev),
            str(df),
            f"{gap:.1e}",
            status.name.lower(),
        )
        for i, (lambda_, dev, df, gap, status) in enumerate(zip(*columns, strict=True))
    ]


def five_digits(number: float) -> str:
    """A number with five digits."""
    return f"{number:#.5g}".rstrip(".")


def percent(share: float) -> str:
    """A share in percent; never -0.00."""
    return f"{round(100 * share, 2) + 0.0:.2f}"


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    numbers = "  ".join(
        cell.rjust(width) for cell, width in zip(cells[:-1], widths[:-1], strict=True)
    )
    return f"{numbers}  {cells[-1]}".rstrip()


def header(path: Path) -> list[str]:
    """Lines that say what was fitted, how, and whether it reached tol."""
    n = path.lambdas.size
    ends = f" from {path.lambdas[0]:.5g} to {path.lambdas[-1]:.5g}" if n else ""
    settings = path.settings
    intercept = settings.fit_intercept and path.family != "cox"
    options = [
        "with intercept" if intercept else "no intercept",
        "standardized columns" if settings.standardize else "columns as they are",
        f"null deviance {path.null_deviance:.5g}",
    ]
    given = ("sample_weight", "offset", "penalty_factor", "lower", "upper")
    options += [name for name in given if getattr(settings, name) is not None]
    sizes = [_count(path.n_features, "feature"), f"{_count(n, 'lambda')}{ends}"]
    if path.n_outputs is not None:
        sizes.insert(1, _outputs(path))
    elif path.classes is not None:
        options.insert(0, f"probability of {path.classes.tolist()[1]!r}")
    lines = [
        f"{_penalty(path.l1_ratio)} path, {_family(path)}: {', '.join(sizes)}",
        ", ".join(options),
    ]
    if n:
        missed = sum(not status.ok for status in path.statuses)
        reached = f"{missed} of {n} points missed" if missed else "every point reached"
        lines.append(f"{reached} tol={settings.tol:g} (largest gap {path.dual_gaps.max():.1e})")
    special = sorted(set(path.statuses) - {Status.CONVERGED}, key=lambda status: status.name)
    return lines + [f"{status.name.lower()}: {status.value}" for status in special]


def _penalty(l1_ratio: float) -> str:
    if l1_ratio == 1.0:
        return "Lasso"
    return "Ridge" if l1_ratio == 0.0 else f"Elastic net (l1_ratio={l1_ratio:g})"


def _family(path: Path) -> str:
    """The family with the options that are not those one expects."""
    options, notes = path.family_options, []
    if options.get("link", "logit") != "logit":
        notes.append(options["link"])
    notes += [f"{name}={options[name]:g}" for name in ("power", "delta") if name in options]
    if options.get("grouped"):
        notes.append("grouped")
    if options.get("ties", "breslow") != "breslow":
        notes.append(f"{options['ties']} ties")
    if options.get("strata") is not None:
        notes.append(f"{np.unique(options['strata']).size} strata")
    if path.family == "custom":
        function = options.get("function")
        notes.append(options.get("function_repr", "loss") if function is None else repr(function))
    return f"{path.family} family{' (' + ', '.join(notes) + ')' if notes else ''}"


def _outputs(path: Path) -> str:
    if path.classes is None:
        count = _count(len(path.output_labels), "response")
        return f"{count} ({shorten(path.response_names)})" if path.response_names else count
    return f"{path.classes.size} classes ({shorten(path.classes.tolist())})"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def path_columns(path: Path) -> dict[str, Any]:
    """Columns of the table with one row per lambda."""
    return {
        "lambda": path.lambdas,
        "df": path.n_nonzero,
        "dev_ratio": path.dev_ratio,
        "objective": path.objectives,
        "dual_gap": path.dual_gaps,
        "kkt_violation": path.kkt_violations,
        "n_iter": path.n_iters,
        "seconds": path.seconds,
        "status": [status.name.lower() for status in path.statuses],
    }


def lambda_labels(lambdas: npt.NDArray[np.float64]) -> list[str]:
    """Column names of tables of coefficients: the digits that give the same number back."""
    seen: dict[str, int] = {}
    labels = []
    for label in map(repr, lambdas.tolist()):
        seen[label] = seen.get(label, 0) + 1
        labels.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return labels


def coef_columns(path: Path) -> dict[str, Any]:
    """Columns of the table of coefficients: a row for the intercept and for every feature.

    K outputs follow one another and are told apart by a first column ``output``. The cox family
    has no intercept.
    """
    columns, rows = _coef_rows(path)
    return columns | dict(zip(lambda_labels(path.lambdas), rows.T, strict=True))


def point_columns(path: Path, index: int) -> dict[str, Any]:
    """Columns of the table of coefficients at one point, with rows as in `coef_columns`."""
    columns, rows = _coef_rows(path)
    return columns | {"coefficient": rows[:, index]}


def _coef_rows(path: Path) -> tuple[dict[str, Any], Any]:
    """What the rows of a table of coefficients are, and their numbers at every lambda."""
    K, p, n = path.n_outputs or 1, path.n_features, path.lambdas.size
    values = path.coefs.reshape(K, p, n)
    names = list(path.feature_labels)
    if path.family != "cox":
        values = np.concatenate([path.intercepts.reshape(K, 1, n), values], axis=1)
        names = [INTERCEPT, *names]
    columns: dict[str, Any] = {}
    if path.n_outputs is not None:
        columns["output"] = [label for label in path.output_labels for _ in names]
    columns["feature"] = names * K
    return columns, values.reshape(K * len(names), n)


def to_frame(path: Path, what: str, backend: Any) -> Any:
    """Give `path_columns` or `coef_columns` as a native data frame."""
    tables = {"path": path_columns, "coefs": coef_columns}
    if what not in tables:
        raise ValueError(f"Path.to_frame(what={what!r}): what must be 'path' or 'coefs'.")
    return native_frame(tables[what](path), backend)


def native_frame(columns: dict[str, Any], backend: Any) -> Any:
    """Named columns as a data frame of the backend; None: pandas if installed, else polars."""
    narwhals = require("narwhals", "frames")
    if backend is None:
        backend = "pandas" if importlib.util.find_spec("pandas") else "polars"
    if isinstance(backend, str):
        require(backend, "cli")
    return narwhals.from_dict(columns, backend=backend).to_native()

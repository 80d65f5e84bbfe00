"""The text and the data frame of a cross-validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from regpath._table import header, table

if TYPE_CHECKING:
    from regpath.cv_result import CVPath
    from regpath.surface import CVSurface

__all__ = [
    "HEAD",
    "SURFACE_HEAD",
    "cv_columns",
    "cv_header",
    "notes",
    "rule_rows",
    "summary",
    "surface_columns",
    "surface_header",
    "surface_rows",
    "surface_summary",
]

HEAD = ("rule", "lambda", "score", "std error", "df", "position")
SURFACE_HEAD = ("l1_ratio", "lambda", "score", "std error", "df", "")


def summary(cv: CVPath) -> str:
    """What was fitted and how it was judged, one line for each rule, and what to mind."""
    rows = [HEAD, *rule_rows(cv)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    ]
    below = notes(cv)
    below = ["", *below] if below else []
    relaxed = [] if cv.relaxed is None else ["", repr(cv.relaxed)]
    return "\n".join([*cv_header(cv), "", *lines, *below, *relaxed])


def cv_header(cv: CVPath) -> list[str]:
    """Lines that say what was fitted, what the score is, and whether all paths reached tol."""
    better = "greater" if cv.greater_is_better else "smaller"
    what = "folds" if cv.grouped else "single rows"
    paths, tol = (cv.path, *cv.fold_paths), cv.path.settings.tol
    total = sum(path.lambdas.size for path in paths)
    missed = sum(not status.ok for path in paths for status in path.statuses)
    reached = f"{missed} of {total} points missed" if missed else "every point reached"
    gap = max(path.dual_gaps.max(initial=0.0) for path in paths)
    return [
        header(cv.path)[0],
        f"{len(cv.fold_paths)} folds, {cv.score_label} ({better} is better): "
        f"mean and standard error over {what}",
        f"{reached} tol={tol:g}, {len(paths)} paths in all (largest gap {gap:.1e})",
    ]


def rule_rows(cv: CVPath) -> list[tuple[str, ...]]:
    """One row of text for each rule: the cells under `HEAD`."""
    if not np.isfinite(cv.mean_scores).any():
        return []
    return [
        (
            rule,
            f"{cv.lambdas[k]:.5g}",
            f"{cv.mean_scores[k]:.5g}",
            f"{cv.std_errors[k]:.4g}",
            str(cv.path.n_nonzero[k]),
            f"{k} of {cv.lambdas.size}",
        )
        for rule, k in (("min", cv.index_min), ("1se", cv.index_1se))
    ]


def notes(cv: CVPath) -> list[str]:
    """What makes a choice doubtful, one line each."""
    lines, size = [], cv.lambdas.size
    if not np.isfinite(cv.mean_scores).any():
        lines.append("no lambda has a score: no rule can choose")
    elif cv.is_open:
        lines.append("the score still improves at the smallest lambda: a smaller one may be better")
    elif size > 1 and cv.index_min == 0:
        lines.append("the best score is at the largest lambda: less penalty does not help")
    without = int((~np.isfinite(cv.fold_scores)).any(axis=1).sum())
    if without:
        lines.append(f"{without} of {len(cv.fold_paths)} folds have no score at some lambdas")
    return lines


def cv_columns(cv: CVPath) -> dict[str, Any]:
    """Columns of the table with one row per lambda."""
    columns: dict[str, Any] = {
        "lambda": cv.lambdas,
        "df": cv.path.n_nonzero,
        "mean_score": cv.mean_scores,
        "std_error": cv.std_errors,
    }
    return columns | {f"fold_{k}": scores for k, scores in enumerate(cv.fold_scores)}


def surface_header(surface: CVSurface) -> list[str]:
    """Lines that say what was judged."""
    one = surface.paths[0]
    better = "greater" if one.greater_is_better else "smaller"
    return [
        f"Cross-validation over {surface.l1_ratios.size} l1_ratios and lambda, "
        f"{len(one.fold_paths)} folds, {one.score_label} ({better} is better)"
    ]


def surface_rows(surface: CVSurface) -> list[tuple[str, ...]]:
    """One row of text for the best lambda of each l1_ratio: the cells under `SURFACE_HEAD`."""
    rows: list[tuple[str, ...]] = []
    for k, cv in enumerate(surface.paths):
        cells = ("no score", "", "", "")
        if cv.is_judged:
            i = cv.index_min
            score, error = cv.mean_scores[i], cv.std_errors[i]
            cells = (
                f"{cv.lambdas[i]:.5g}",
                f"{score:.5g}",
                f"{error:.4g}",
                str(cv.path.n_nonzero[i]),
            )
        best = "best" if cv.is_judged and k == surface.index_min else ""
        rows.append((f"{cv.path.l1_ratio:.4g}", *cells, best))
    return rows


def surface_columns(surface: CVSurface) -> dict[str, Any]:
    """Columns of the table with one row per l1_ratio and lambda."""
    columns: dict[str, list[Any]] = {
        "lambda": [cv.lambdas for cv in surface.paths],
        "mean_score": [cv.mean_scores for cv in surface.paths],
        "std_error": [cv.std_errors for cv in surface.paths],
        "df": [cv.path.n_nonzero for cv in surface.paths],
    }
    ratios = np.repeat(surface.l1_ratios, [cv.lambdas.size for cv in surface.paths])
    return {"l1_ratio": ratios} | {name: np.concatenate(parts) for name, parts in columns.items()}


def surface_summary(surface: CVSurface) -> str:
    """One line for every l1_ratio."""
    lines = table(SURFACE_HEAD, surface_rows(surface))
    return "\n".join([*surface_header(surface), "", *lines])

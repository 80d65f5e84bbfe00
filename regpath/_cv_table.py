"""The text and the data frame of a cross-validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from regpath._table import native_frame

if TYPE_CHECKING:
    from regpath.cv_result import CVPath
    from regpath.surface import CVSurface

__all__ = ["summary", "surface_summary", "to_frame"]


def summary(cv: CVPath) -> str:
    """What was done, then one line for each rule."""
    K, lambdas = len(cv.fold_paths), cv.lambdas
    head = (
        f"Cross-validation of {lambdas.size} lambdas in {K} folds, {cv.path.family} family: "
        f"{cv.score_label}"
    )
    lines = [head, "", "rule      lambda      score   std error  nonzero  position"]
    judged = not np.isnan(cv.mean_scores).all()
    for rule in ("min", "1se") if judged else ():
        k = cv.index_at(rule)
        lines.append(
            f"{rule:4s} {lambdas[k]:11.5g} {cv.mean_scores[k]:10.5g} {cv.std_errors[k]:11.4g} "
            f"{cv.path.n_nonzero[k]:8d} {k:9d}"
        )
    if cv.relaxed is not None:
        lines += ["", repr(cv.relaxed)]
    return "\n".join(lines)


def surface_summary(surface: CVSurface) -> str:
    """One line for every l1_ratio."""
    lines = ["Cross-validation over l1_ratio and lambda", ""]
    lines.append("l1_ratio      lambda      score   std error  nonzero")
    for k, cv in enumerate(surface.paths):
        if not cv.is_judged:
            lines.append(f"{cv.path.l1_ratio:8.4g} has no score")
            continue
        i, mark = cv.index_min, "  best" if k == surface.index_min else ""
        lines.append(
            f"{cv.path.l1_ratio:8.4g} {cv.lambdas[i]:11.5g} {cv.mean_scores[i]:10.5g} "
            f"{cv.std_errors[i]:11.4g} {cv.path.n_nonzero[i]:8d}{mark}"
        )
    return "\n".join(lines)


def to_frame(cv: CVPath, backend: Any) -> Any:
    """One row per lambda."""
    columns: dict[str, Any] = {
        "lambda": cv.lambdas,
        "df": cv.path.n_nonzero,
        "mean_score": cv.mean_scores,
        "std_error": cv.std_errors,
    }
    columns |= {f"fold_{k}": scores for k, scores in enumerate(cv.fold_scores)}
    return native_frame(columns, backend)

"""The text and the data frame of a cross-validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regpath._table import frame_of

if TYPE_CHECKING:
    from regpath.cv_result import CVPath

__all__ = ["summary", "to_frame"]


def summary(cv: CVPath) -> str:
    """What was done, then one line for each rule."""
    K, lambdas = len(cv.fold_paths), cv.lambdas
    head = (
        f"Cross-validation of {lambdas.size} lambdas in {K} folds, {cv.path.family} family: "
        f"{cv.score_label}"
    )
    lines = [head, "", "rule      lambda      score   std error  nonzero  position"]
    for rule in ("min", "1se"):
        k = cv.index_at(rule)
        lines.append(
            f"{rule:4s} {lambdas[k]:11.5g} {cv.mean_scores[k]:10.5g} {cv.std_errors[k]:11.4g} "
            f"{cv.path.n_nonzero[k]:8d} {k:9d}"
        )
    if cv.relaxed is not None:
        lines += ["", repr(cv.relaxed)]
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
    return frame_of(columns, backend)

"""Relaxed paths of folds, and scores of their blends with the plain ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from regpath.cv_result import CVPath
from regpath.folds import Fold
from regpath.relaxed import RelaxedPath
from regpath.relaxed_cv import RelaxedCV
from regpath.result import Path

__all__ = ["Blends", "assembled", "relax_folds"]

Array = NDArray[np.float64]
Judged = TypeVar("Judged", bound=Any)


class Blends(NamedTuple, Generic[Judged]):
    """The relaxed paths of all rows and of the folds, and how every blend of a fold does.

    Attributes
    ----------
    whole : RelaxedPath
    folds : sequence of RelaxedPath
    gammas : ndarray of shape (G,)
    judged : sequence of G sequences, one entry a fold
    """

    whole: RelaxedPath
    folds: Sequence[RelaxedPath]
    gammas: Array
    judged: Sequence[Sequence[Judged]]


def relax_folds(
    whole: Path,
    folds: Sequence[Fold],
    judged: Sequence[Judged],
    gammas: Array,
    relax: Callable[[Array | None, Path], RelaxedPath],
    predict: Callable[[Fold, Judged, Path], list[Array]],
    score: Callable[[Fold, Judged, Sequence[Array]], Judged],
    run: Callable[[Sequence[Callable[[], Any]]], list[Any]],
) -> Blends[Judged]:
    """Relax the path of all rows and those of the folds, and judge every blend.

    Parameters
    ----------
    whole : Path
    folds : sequence of K Folds
    judged : sequence
        How the plain path of each fold does, with the path itself as ``path``.
    gammas : ndarray of shape (G,)
    relax : callable
        Given how often each row counts (None: all rows) and a path, relaxes it.
    predict : callable
        Predictors, by a path, of what the score of a fold looks at.
    score : callable
        How such predictors do.
    run : callable
        Runs jobs, several at a time.
    """

    def judge(fold: Fold, plain: Judged) -> tuple[RelaxedPath, list[Judged]]:
        own, scored = relax(fold.times, plain.path), []
        both = [predict(fold, plain, path) for path in (plain.path, own.blend(0.0))]
        for gamma in gammas:
            mixed = [gamma * a + (1.0 - gamma) * b for a, b in zip(*both, strict=True)]
            scored.append(plain if gamma == 1.0 else score(fold, plain, mixed))
        return own, scored

    jobs = [partial(judge, *pair) for pair in zip(folds, judged, strict=True)]
    first, *others = run([partial(relax, None, whole), *jobs])
    by_gamma = list(zip(*(scored for _, scored in others), strict=True))
    return Blends(first, [path for path, _ in others], gammas, by_gamma)


def assembled(
    cv: CVPath,
    blends: Blends[Judged],
    means: Callable[[Sequence[Judged]], tuple[Array, Array, Array]],
) -> RelaxedCV:
    """The result for the lambdas of a cross-validated path.

    ``means`` gives the scores of the folds (K, L), their means and their standard errors.
    """
    scores, mean, errors = zip(*map(means, blends.judged), strict=True)
    return RelaxedCV(
        path=blends.whole.shortened(cv.lambdas.size),
        fold_paths=tuple(blends.folds),
        gammas=blends.gammas,
        fold_scores=np.array(scores),
        mean_scores=np.array(mean),
        std_errors=np.array(errors),
        score_label=cv.score_label,
        greater_is_better=cv.greater_is_better,
    )

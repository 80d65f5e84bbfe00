"""Certified points of a path, several at a time: what every solver gives to the path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["NULL", "SolvedPoints", "Units"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# The null objective |y~|^2 / 2 in working units.
NULL = 0.5


class Units(NamedTuple):
    """What the working units of a solver are worth in the user's.

    Attributes
    ----------
    response : float
        Of coefficients, intercepts and gradients.
    response_mean : float
        Added to intercepts.
    objective : float
        Of objectives and gaps: the null objective.
    floor : float
        Added to objectives: the loss of the saturated model.
    null_deviance : float
        With weights that sum to one.
    top : float
        Largest gradient of the null model, in the user's units.
    by_conjugate : bool
        Whether gaps come from the conjugate of the loss, or from convexity alone.
    """

    response: float
    response_mean: float
    objective: float
    floor: float
    null_deviance: float
    top: float
    by_conjugate: bool = True


class SolvedPoints(NamedTuple):
    """Certified points at K neighbouring lambdas, in working units.

    Attributes
    ----------
    indptr : ndarray of shape (K + 1,)
        Point k holds the entries from indptr[k] to indptr[k + 1] of the next two:
    features : ndarray of shape (indptr[K],)
        non-zero features, in any order within a point (k p + j is column j for output k), and
    coefs : ndarray of shape (indptr[K],)
        their working coefficients.
    objective, gap : ndarray of shape (K,)
        Relative to the null objective.
    violation : ndarray of shape (K,)
        Largest distance of a gradient from the subdifferential.
    explained : ndarray of shape (K,)
        1 - |r|^2 / |y~|^2.
    n_iter : ndarray of shape (K,)
    working_set : int
    reached : ndarray of shape (K,)
        Whether the gap is at most tol.
    exhausted : bool
        Whether max_iter was what stopped a point that was not reached.
    intercepts : ndarray of shape (K, n_outputs)
        That belong to the centred columns; empty where the response is centred as well.
    """

    indptr: Index
    features: Index
    coefs: Array
    objective: Array
    gap: Array
    violation: Array
    explained: Array
    n_iter: Index
    working_set: int
    reached: NDArray[np.bool_]
    exhausted: bool
    intercepts: Array = np.empty((0, 0))

    @property
    def size(self) -> int:
        """Number of points."""
        return self.gap.size

    def n_nonzero(self, p: int) -> Index:
        """How many of p features have a non-zero coefficient, for any output, at every point."""
        place = np.repeat(np.arange(self.size), np.diff(self.indptr)) * p + self.features % p
        return np.bincount(np.unique(place) // p, minlength=self.size)

    @classmethod
    def joined(cls, parts: Sequence[SolvedPoints]) -> SolvedPoints:
        """All points of some neighbouring parts, at least one."""
        if len(parts) == 1:
            return parts[0]
        fields = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in cls._fields
            if isinstance(getattr(parts[0], name), np.ndarray) and name != "indptr"
        }
        lengths = np.concatenate([np.diff(part.indptr) for part in parts])
        return cls(
            indptr=np.concatenate([[0], np.cumsum(lengths)]),
            working_set=max(part.working_set for part in parts),
            exhausted=any(part.exhausted for part in parts),
            **fields,
        )

    def split(self) -> Iterator[SolvedPoints]:
        """The points one by one."""
        if self.size == 1:
            yield self
            return
        for k in range(self.size):
            start, stop = self.indptr[k], self.indptr[k + 1]
            one = slice(k, k + 1)
            yield self._replace(
                indptr=np.array([0, stop - start]),
                features=self.features[start:stop],
                coefs=self.coefs[start:stop],
                objective=self.objective[one],
                gap=self.gap[one],
                violation=self.violation[one],
                explained=self.explained[one],
                n_iter=self.n_iter[one],
                reached=self.reached[one],
                intercepts=self.intercepts[one],
            )

"""Second derivatives along the active columns: from a Gram matrix, from the rows, or kept.

They answer what `regpath.solvers.group_newton.System` states.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from regpath.solvers.group_newton import times
from regpath.solvers.output_columns import OutputColumns
from regpath.solvers.output_losses import OutputLoss, Softmax

__all__ = ["GramSystem", "KeptHessian", "KeptSystem", "RowSystem", "dense_step"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# An intercept comes after all columns that there will ever be.
INTERCEPT = np.iinfo(np.int64).max


class GramSystem:
    """The Hessian of least squares is the Gram matrix of the active columns."""

    def __init__(self, gram: Array, active: Index) -> None:
        self._gram = gram
        self.labels = active
        self.diagonal = np.diagonal(gram)

    def product(self, D: Array) -> Array:
        """Hessian times D."""
        return times(D, self._gram)

    def gram(self) -> Array | None:
        """The Hessian itself."""
        return self._gram


class RowsAlong(Protocol):
    """A model with rows."""

    rows: OutputLoss
    moves_intercept: bool

    def along(self, active: Index, D: Array) -> Array:
        """Working predictors (K, n) of a direction."""

    def against(self, active: Index, rows: Array) -> Array:
        """Products of working rows (K, n) with the active columns and the intercept."""

    def weighted_gram(self, active: Index) -> Array | None:
        """Gram matrix of the active columns and the intercept, with the weights of the rows."""


class RowSystem:
    """The Hessian of a loss of rows, which is never formed."""

    def __init__(self, model: RowsAlong, active: Index) -> None:
        self._model = model
        self._active = active
        self.labels = _labels(active, model.moves_intercept)
        typical = float(model.rows.mean_curvature() @ model.rows.root**2)
        self.diagonal = np.full(self.labels.size, typical)

    def product(self, D: Array) -> Array:
        """Hessian times D: through the rows and back."""
        rows = self._model.along(self._active, D)
        self._model.rows.curved(rows)
        return self._model.against(self._active, rows)

    def gram(self) -> Array | None:
        """One matrix for all outputs, from the mean curvatures of the rows."""
        return self._model.weighted_gram(self._active)


class KeptHessian:
    """The Hessian of a softmax over all columns, at the predictors where it was formed.

    The rows of diag(p) - p p' sum to zero, so that K (K - 1) / 2 weighted Gram matrices make it up.
    """

    def __init__(self, columns: OutputColumns, rows: Softmax, intercept: bool) -> None:
        K, size, which = rows.n_outputs, columns.size + intercept, np.arange(columns.size)
        blocks = np.zeros((K, size, K, size))
        P = self._probabilities = rows.probabilities.copy()
        for k in range(K):
            for m in range(k):
                gram = columns.weighted_gram(P[k] * P[m], which)[:size, :size]
                blocks[k, :, m] = blocks[m, :, k] = -gram
                blocks[k, :, k] += gram
                blocks[m, :, m] += gram
        self.mean = np.einsum("kikj->ij", blocks) / max(K - 1, 1)
        self.matrix = blocks.reshape(K * size, K * size)

    def drift(self, rows: Softmax) -> float:
        """How far the probabilities have moved since then, between 0 and 2."""
        moved = np.abs(rows.probabilities - self._probabilities).sum(axis=0)
        return float(rows.root**2 @ moved)


class KeptSystem:
    """The part of a kept Hessian that belongs to the active columns."""

    def __init__(self, kept: KeptHessian, active: Index, intercept: bool) -> None:
        self._kept = kept
        self.labels = _labels(active, intercept)
        self._places = np.minimum(self.labels, len(kept.mean) - 1)
        self.diagonal = np.diagonal(kept.mean)[self._places]

    def product(self, D: Array) -> Array:
        """Hessian times D."""
        full = np.zeros((len(D), len(self._kept.mean)))
        full[:, self._places] = D
        out: Array = times(full.reshape(1, -1), self._kept.matrix).reshape(full.shape)
        return out[:, self._places]

    def gram(self) -> Array | None:
        """The mean of the diagonal blocks, for the directions that have curvature."""
        out: Array = self._kept.mean[np.ix_(self._places, self._places)]
        return out


def dense_step(system: RowSystem, slopes: Array) -> Array:
    """Newton step from the Hessian itself; flat directions are left alone."""
    size = slopes.size
    hessian = np.empty((size, size))
    for i in range(size):
        unit = np.zeros(size)
        unit[i] = 1.0
        hessian[i] = system.product(unit.reshape(slopes.shape)).ravel()
    values, vectors = np.linalg.eigh(0.5 * (hessian + hessian.T))
    kept = values > 1e-13 * values[-1]
    inverse = np.divide(1.0, values, out=np.zeros(size), where=kept)
    step: Array = (vectors @ (inverse * (vectors.T @ slopes.ravel()))).reshape(slopes.shape)
    return step


def _labels(active: Index, intercept: bool) -> Index:
    return np.append(active, INTERCEPT) if intercept else active

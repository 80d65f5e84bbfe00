"""The gaussian problem of a path as its settings state it, read anew for `regpath.diagnostics`.

Plain NumPy and SciPy, and nothing of the solvers: what is wrong there cannot be wrong here too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.sparse.linalg import LinearOperator, lsmr

from regpath._stated_design import (
    CONSTANT,
    EPS,
    Dense,
    Sparse,
    design_of,
    matrix,
    normalised,
    vector,
    weighted_mean,
)

if TYPE_CHECKING:
    from regpath.result import Path

__all__ = ["StatedProblem", "read_problem"]

Array = NDArray[np.float64]
Index = NDArray[np.intp]

DENSE_PROJECTION_ENTRIES = 2**26
"""Above this size the unpenalised block is not gathered: LSMR projects instead of a QR."""


@dataclass(frozen=True, eq=False)
class StatedProblem:
    """Rows of positive weight, with y - offset divided by 2**exponent."""

    design: Dense | Sparse
    y: Array
    y_mean: float
    weights: Array
    exponent: int
    fit_intercept: bool
    factor: Array
    lower: Array
    upper: Array
    kept: NDArray[np.bool_]
    null_objective: float
    null_gradient: float
    tol: float
    bases: dict[bytes, Array]

    def rounding(self, residual: Array) -> Array:
        """Size (p, k) of the rounding errors of x~_j' W residual."""
        size = np.sqrt((self.weights[:, None] * residual**2).sum(axis=0))
        return np.asarray(2 * (np.sqrt(self.y.size) + 8) * EPS * self.design.norms[:, None] * size)

    def project_out(self, features: NDArray[np.bool_], residual: Array) -> Array:
        """Remove the span of the features' columns from the residual, in weighted geometry."""
        index = np.flatnonzero(features & (self.design.norms > 0))
        if index.size == 0:
            return residual
        root = np.sqrt(self.weights)[:, None]
        target = root * residual
        if target.shape[0] * index.size > DENSE_PROJECTION_ENTRIES:
            return np.asarray(_project_iteratively(self.design, index, root, target) / root)
        key = index.tobytes()
        if key not in self.bases:
            self.bases.clear()
            self.bases[key] = _basis(root * self.design.take(index))
        basis = self.bases[key]
        for _ in range(2):  # the second round removes what rounding left in the first
            target = target - basis @ (basis.T @ target)
        return np.asarray(target / root)


def _basis(columns: Array) -> Array:
    """Orthonormal basis of the span of the columns, by a QR with pivots of scaled columns."""
    columns = columns / np.linalg.norm(columns, axis=0)
    q, r, _ = linalg.qr(columns, mode="economic", pivoting=True)
    diagonal = np.abs(np.diagonal(r))
    rank = int((diagonal > max(columns.shape) * EPS * diagonal[0]).sum())
    return np.ascontiguousarray(q[:, :rank])


def _project_iteratively(design: Dense | Sparse, index: Index, root: Array, target: Array) -> Any:
    norms = design.norms[index]
    p = design.shift.size

    def times(c: Array) -> Array:
        full = np.zeros((p, 1))
        full[index, 0] = c.ravel() / norms
        return np.asarray((root * design.times_scaled(full)).ravel())

    def correlate(u: Array) -> Array:
        # The design multiplies by the weights once; `root` supplies the other half of them.
        return np.asarray(design.correlate(u.reshape(-1, 1) / root)[index, 0] / norms)

    n = target.shape[0]
    operator = LinearOperator((n, index.size), times, correlate, dtype=np.float64)
    target = target.copy()
    for k in range(target.shape[1]):
        for _ in range(2):
            c, *_ = lsmr(operator, target[:, k], atol=0, btol=0, conlim=0, maxiter=10 * n)
            target[:, k] -= times(c)
    return target


def read_problem(path: Path, X: Any, y: Any, sample_weight: Any, offset: Any) -> StatedProblem:
    """Read data and settings of a path; refuse data of another shape."""
    settings = path.settings
    X = matrix(X)
    y = np.asarray(y, dtype=np.float64)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    n, p = y.size, path.n_features
    if y.ndim != 1 or X.shape != (n, p):
        raise ValueError(
            f"certify: X has shape {X.shape} and y {y.shape}; the path has {p} features, so X must "
            f"have shape (n, {p}) and y (n,)."
        )
    weights = vector("sample_weight", sample_weight, n, 1.0)
    shifted = y - vector("offset", offset, n, 0.0)
    rows = np.flatnonzero(weights > 0)
    if rows.size == 0 or (weights < 0).any() or not np.isfinite(weights).all():
        raise ValueError("certify: sample_weight must be finite, >= 0 and not all 0.")
    if rows.size < n:
        X, shifted, weights = X[rows], shifted[rows], weights[rows]
    if not np.isfinite(shifted).all():
        raise ValueError("certify: y - offset holds NaN or infinite values in rows that count.")
    weights = normalised(weights)
    design = design_of(X, weights, settings.fit_intercept, settings.standardize)
    factor = vector("penalty_factor", settings.penalty_factor, p, 1.0)
    # A column that the intercept (or a zero standard deviation) makes meaningless is left out.
    meaningless = (design.sd == 0) & (settings.fit_intercept or settings.standardize)
    kept = np.isfinite(factor) & ~meaningless

    exponent = int(np.frexp(np.abs(shifted).max())[1])
    shifted = np.ldexp(shifted, -exponent)
    mean = weighted_mean(shifted, weights) if settings.fit_intercept else 0.0
    centred = shifted - mean
    if np.sqrt(weights @ centred**2) <= CONSTANT * np.abs(shifted).max():
        centred = np.zeros_like(centred)
    largest = float(np.abs(centred).max())
    finer = int(np.frexp(largest)[1]) if largest > 0 else 0
    centred = np.ldexp(centred, -finer)
    null_gradient = np.abs(design.correlate(centred[:, None])[kept]).max(initial=0)
    return StatedProblem(
        design=design,
        y=np.ldexp(shifted, -finer),
        y_mean=float(np.ldexp(mean, -finer)),
        weights=weights,
        exponent=exponent + finer,
        fit_intercept=settings.fit_intercept,
        factor=factor,
        lower=vector("lower", settings.lower, p, -np.inf),
        upper=vector("upper", settings.upper, p, np.inf),
        kept=kept,
        null_objective=0.5 * float((weights * centred**2).sum()),
        null_gradient=float(null_gradient),
        tol=settings.tol,
        bases={},
    )

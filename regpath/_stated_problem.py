"""The problem of a path as its settings state it, read anew for `regpath.diagnostics`.

Plain NumPy and SciPy, and nothing of the solvers: what is wrong there cannot be wrong here too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse
from scipy.sparse.linalg import LinearOperator, lsmr

if TYPE_CHECKING:
    from regpath.result import Path

__all__ = ["BLOCK_ENTRIES", "CONSTANT", "EPS", "StatedProblem", "read_problem"]

Array = NDArray[np.float64]
Index = NDArray[np.intp]

BLOCK_ENTRIES = 2**22
"""Entries of a temporary block of columns or coefficients (32 MiB)."""

DENSE_PROJECTION_ENTRIES = 2**26
"""Above this size the unpenalised block is not gathered: LSMR projects instead of a QR."""

CONSTANT = 8 * float(np.finfo(np.float64).eps)
"""Relative standard deviation up to which y counts as constant: the rounding of its mean."""

EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class StatedProblem:
    """Rows of positive weight, with y - offset divided by 2**exponent."""

    design: _Dense | _Sparse
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


def _project_iteratively(design: _Dense | _Sparse, index: Index, root: Array, target: Array) -> Any:
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
    X = _matrix(X)
    y = np.asarray(y, dtype=np.float64)
    n, p = y.size, path.n_features
    if y.ndim != 1 or X.shape != (n, p):
        raise ValueError(
            f"certify: X has shape {X.shape} and y {y.shape}; the path has {p} features, so X must "
            f"have shape (n, {p}) and y (n,)."
        )
    weights = _vector("sample_weight", sample_weight, n, 1.0)
    shifted = y - _vector("offset", offset, n, 0.0)
    rows = np.flatnonzero(weights > 0)
    if rows.size == 0 or (weights < 0).any() or not np.isfinite(weights).all():
        raise ValueError("certify: sample_weight must be finite, >= 0 and not all 0.")
    if rows.size < n:
        X, shifted, weights = X[rows], shifted[rows], weights[rows]
    if not np.isfinite(shifted).all():
        raise ValueError("certify: y - offset holds NaN or infinite values in rows that count.")
    weights = weights / weights.max()
    weights = weights / weights.sum()
    design = _design(X, weights, settings.fit_intercept, settings.standardize)
    factor = _vector("penalty_factor", settings.penalty_factor, p, 1.0)
    # A column that the intercept (or a zero standard deviation) makes meaningless is left out.
    meaningless = (design.sd == 0) & (settings.fit_intercept or settings.standardize)
    kept = np.isfinite(factor) & ~meaningless

    exponent = int(np.frexp(np.abs(shifted).max())[1])
    shifted = np.ldexp(shifted, -exponent)
    mean = _mean(shifted, weights) if settings.fit_intercept else 0.0
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
        lower=_vector("lower", settings.lower, p, -np.inf),
        upper=_vector("upper", settings.upper, p, np.inf),
        kept=kept,
        null_objective=0.5 * float((weights * centred**2).sum()),
        null_gradient=float(null_gradient),
        tol=settings.tol,
        bases={},
    )


def _mean(values: Array, weights: Array) -> float:
    """Weighted mean, exact for constant values and with the rounding of the first pass removed."""
    if values.min() == values.max():
        return float(values[0])
    mean = float(weights @ values)
    return mean + float(weights @ (values - mean))


def _vector(name: str, values: Any, size: int, default: float) -> Array:
    if values is None:
        return np.full(size, default)
    array = np.asarray(values, dtype=np.float64)
    if array.ndim > 1 or (array.ndim == 1 and array.size != size):
        raise ValueError(f"certify: {name} has shape {array.shape}; it must have {size} entries.")
    return np.broadcast_to(array, (size,)).copy()


# --- designs ------------------------------------------------------------------------------------


def _matrix(X: Any) -> Any:
    if sparse.issparse(X):
        return X.tocsc()
    if hasattr(X, "to_numpy"):
        X = X.to_numpy()
    X = np.asanyarray(X)
    return X.astype(np.float64) if X.dtype == object else X


@dataclass(frozen=True, eq=False)
class _Standardized:
    """What both storages keep of X~ = (X - shift) / scale."""

    values: Any
    weights: Array
    shift: Array
    scale: Array
    sd: Array
    norms: Array


@dataclass(frozen=True, eq=False)
class _Dense(_Standardized):
    """X~ = (X - shift) / scale over blocks of columns; only a block is ever copied."""

    def blocks(self) -> list[slice]:
        return _column_blocks(*self.values.shape)

    def take(self, columns: slice | Index) -> Array:
        """X~[:, columns] as float64."""
        block = np.array(self.values[:, columns], dtype=np.float64)
        block -= self.shift[columns]
        block /= self.scale[columns]
        return block

    def times(self, coefs: Array) -> Array:
        """Return X @ coefs on the original scale of the columns."""
        eta = np.zeros((self.weights.size, coefs.shape[1]))
        for block in self.blocks():
            if coefs[block].any():
                eta += np.asarray(self.values[:, block], dtype=np.float64) @ coefs[block]
        return eta

    def times_scaled(self, b: Array) -> Array:
        """X~ @ b."""
        eta = np.zeros((self.weights.size, b.shape[1]))
        for block in self.blocks():
            if b[block].any():
                eta += self.take(block) @ b[block]
        return eta

    def correlate(self, residual: Array) -> Array:
        """X~' W residual."""
        weighted = self.weights[:, None] * residual
        result = np.empty((self.shift.size, residual.shape[1]))
        for block in self.blocks():
            result[block] = self.take(block).T @ weighted
        return result


@dataclass(frozen=True, eq=False)
class _Sparse(_Standardized):
    """X~ = (X - shift) / scale with implicit centring: X itself stays in CSC form."""

    def take(self, columns: Index) -> Array:
        """X~[:, columns] as a dense float64 array."""
        return np.asarray(
            (self.values[:, columns].toarray() - self.shift[columns]) / self.scale[columns]
        )

    def times(self, coefs: Array) -> Array:
        """Return X @ coefs on the original scale of the columns."""
        return np.asarray(self.values @ coefs)

    def times_scaled(self, b: Array) -> Array:
        """X~ @ b."""
        coefs = b / self.scale[:, None]
        return np.asarray(self.values @ coefs - self.shift @ coefs)

    def correlate(self, residual: Array) -> Array:
        """X~' W residual."""
        weighted = self.weights[:, None] * residual
        raw = self.values.T @ weighted - np.outer(self.shift, weighted.sum(axis=0))
        return np.asarray(raw / self.scale[:, None])


def _design(X: Any, weights: Array, fit_intercept: bool, standardize: bool) -> _Dense | _Sparse:
    is_sparse = sparse.issparse(X)
    if is_sparse:
        X = sparse.csc_array(X).astype(np.float64)
        if not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
    means, sd = _sparse_moments(X, weights) if is_sparse else _dense_moments(X, weights)
    if not (np.isfinite(means).all() and np.isfinite(sd).all()):
        raise ValueError("certify: X holds NaN or infinite values in rows that count.")
    shift = means if fit_intercept else np.zeros_like(means)
    scale = np.where(sd > 0, sd, 1.0) if standardize else np.ones_like(sd)
    norms = np.where(fit_intercept, sd, np.hypot(sd, means)) / scale + np.abs(shift) / scale
    kind = _Sparse if is_sparse else _Dense
    return kind(X, weights, shift, scale, sd, norms)


def _column_blocks(n: int, p: int) -> list[slice]:
    step = max(1, BLOCK_ENTRIES // max(n, 1))
    return [slice(start, min(start + step, p)) for start in range(0, p, step)]


def _dense_moments(X: Any, weights: Array) -> tuple[Array, Array]:
    """Weighted means and 1/n standard deviations; exactly 0 for a constant column."""
    means, sd = np.empty(X.shape[1]), np.empty(X.shape[1])
    for block in _column_blocks(*X.shape):
        values = np.array(X[:, block], dtype=np.float64)
        constant = values.min(axis=0) == values.max(axis=0)
        mean = weights @ values
        mean = np.where(constant, values[0], mean + weights @ (values - mean))
        values -= mean
        unit = np.abs(values).max(axis=0)
        unit[unit == 0] = 1.0
        means[block] = mean
        sd[block] = unit * np.sqrt(weights @ (values / unit) ** 2)
    return means, sd


def _sparse_moments(X: Any, weights: Array) -> tuple[Array, Array]:
    """As `_dense_moments`: the zeros of a column add (1 - weight of the entries) mean^2."""
    n, p = X.shape
    column = np.repeat(np.arange(p), np.diff(X.indptr))

    def total(terms: Array) -> Array:
        return np.bincount(column, terms, p).astype(np.float64)

    w, values = weights[X.indices], X.data
    rest = np.where(np.diff(X.indptr) == n, 0, np.maximum(1 - total(w), 0))
    means = total(w * values)
    means = means + total(w * (values - means[column])) - rest * means
    lowest, highest = (extreme.toarray().ravel() for extreme in (X.min(axis=0), X.max(axis=0)))
    constant = lowest == highest
    means = np.where(constant, highest, means)
    centred = values - means[column]
    unit = np.abs(means)
    np.maximum.at(unit, column, np.abs(centred))
    unit[unit == 0] = 1.0
    square = total(w * (centred / unit[column]) ** 2) + rest * (means / unit) ** 2
    return means, np.where(constant, 0.0, unit * np.sqrt(square))

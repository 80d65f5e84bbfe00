"""The design of a path as its settings state it: centred and scaled columns, dense or sparse.

Read anew from X for `regpath.diagnostics`, with plain NumPy and SciPy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

__all__ = [
    "BLOCK_ENTRIES",
    "CONSTANT",
    "EPS",
    "Dense",
    "Sparse",
    "design_of",
    "matrix",
    "normalised",
    "vector",
    "weighted_mean",
]

Array = NDArray[np.float64]
Index = NDArray[np.intp]

BLOCK_ENTRIES = 2**22
"""Entries of a temporary block of columns or coefficients (32 MiB)."""

EPS = float(np.finfo(np.float64).eps)

CONSTANT = 8 * EPS
"""Relative standard deviation up to which y counts as constant: the rounding of its mean."""


def weighted_mean(values: Array, weights: Array) -> float:
    """Weighted mean, exact for constant values and with the rounding of the first pass removed."""
    if values.min() == values.max():
        return float(values[0])
    mean = float(weights @ values)
    return mean + float(weights @ (values - mean))


def normalised(weights: Array) -> Array:
    """Divide by the sum; first by the maximum, for the sum may overflow."""
    weights = weights / weights.max()
    return np.asarray(weights / weights.sum())


def vector(name: str, values: Any, size: int, default: float) -> Array:
    """One value for each of so many, from none, one or all; a copy."""
    if values is None:
        return np.full(size, default)
    array = np.asarray(values, dtype=np.float64)
    if array.shape == (size, 1):
        array = array[:, 0]
    if array.ndim > 1 or (array.ndim == 1 and array.size != size):
        raise ValueError(f"certify: {name} has shape {array.shape}; it must have {size} entries.")
    return np.broadcast_to(array, (size,)).copy()


def matrix(X: Any) -> Any:
    """X as a sparse matrix by columns or as an array, of numbers."""
    if sparse.issparse(X):
        return X.tocsc()
    if hasattr(X, "to_numpy"):
        X = X.to_numpy()
    X = np.asanyarray(X)
    return X.astype(np.float64) if X.dtype == object else X


@dataclass(frozen=True, eq=False)
class Standardized:
    """What both storages keep of X~ = (X - shift) / scale."""

    values: Any
    weights: Array
    shift: Array
    scale: Array
    sd: Array
    lengths: Array

    @property
    def norms(self) -> Array:
        """What products with a column round like: its length and that of its shift."""
        return self.lengths + np.abs(self.shift) / self.scale


@dataclass(frozen=True, eq=False)
class Dense(Standardized):
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
class Sparse(Standardized):
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


def design_of(X: Any, weights: Array, fit_intercept: bool, standardize: bool) -> Dense | Sparse:
    """The columns of X, shifted and scaled as the path that is certified had them."""
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
    lengths = (sd if fit_intercept else np.hypot(sd, means)) / scale
    kind = Sparse if is_sparse else Dense
    return kind(X, weights, shift, scale, sd, lengths)


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

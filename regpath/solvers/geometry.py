"""The standardised view of a problem: X is never copied, centred or scaled.

Algebra, with weights w_i (sum 1), column means m_j and rho_i = sqrt(w_i):

    (1)  working column   x~_ij = rho_i (x_ij - m_j) / d_j,        d_j such that |x~_j| = 1
    (2)  working response y~_i  = rho_i (y_i - o_i - m_y) / s_y,   s_y such that |y~| = 1
    (3)  gradient         x~_j'r = [ x_j'(rho r) - m_j rho'r ] / d_j

In these units the loss is |y~ - X~ b|^2 / 2, the null objective is 1/2, and the coefficient of the
original column is b_j s_y / d_j. Without an intercept m_j = m_y = 0. The penalty acts on s_j times
the original coefficient, where s_j is the centred deviation or 1, that is on b_j s_y t_j with
t_j = s_j / d_j.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from regpath.designs import Csc, Dense, n_columns
from regpath.kernels.passes import (
    column_dots_each,
    combine_columns,
    combine_output_rows,
    output_dots,
)
from regpath.kernels.primitives import axpy
from regpath.solvers.points import Units
from regpath.solvers.reader import OwnReader, Reader, over_columns
from regpath.solvers.threads import equal_ranges, in_ranges, threads_worth

__all__ = ["Columns", "Geometry", "NonFiniteColumnsError", "measure"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


class NonFiniteColumnsError(ValueError):
    """Columns hold NaN or infinite values, or numbers whose squares over- or underflow."""

    def __init__(self, columns: Index) -> None:
        super().__init__("columns hold values that are not finite or cannot be squared")
        self.columns = columns


class Columns(NamedTuple):
    """What makes standardised columns of those of a design, for kernels; as in `Geometry`."""

    root: Array
    mean: Array
    scale: Array
    constant: NDArray[np.bool_]


@dataclass
class Geometry:
    """A design with its weights, means and scales, and the passes over it.

    Attributes
    ----------
    design : Dense or Csc
    root : ndarray of shape (n,)
        Square roots of the weights.
    mean, scale : ndarray of shape (p,)
        m_j and d_j of (3).
    penalty_scale : ndarray of shape (p,)
        t_j: what the penalty is stretched by.
    rounding : ndarray of shape (p,)
        Relative error of a gradient; it grows with the length of the column before centring.
    response : ndarray of shape (n,)
        y~ of (2), a unit vector; 0 if the response is constant.
    response_mean, response_scale : float
        m_y and s_y.
    product : ndarray of shape (p,)
        X~'y~.
    constant : ndarray of shape (p,)
        Columns that carry no information; their coefficient is 0.
    reader : Reader
        Who reads all of X.
    passes : float
        Passes over X so far; a part of the columns counts as a part of a pass.
    """

    design: Dense | Csc
    root: Array
    mean: Array
    scale: Array
    penalty_scale: Array
    rounding: Array
    response: Array
    response_mean: float
    response_scale: float
    product: Array
    constant: NDArray[np.bool_]
    reader: Reader
    n_threads: int
    passes: float = 1.0

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.root.size

    @property
    def p(self) -> int:
        """Number of columns."""
        return self.mean.size

    @property
    def columns(self) -> Columns:
        """Weights, means and scales."""
        return Columns(self.root, self.mean, self.scale, self.constant)

    @property
    def units(self) -> Units:
        """What the working units of least squares are worth."""
        top = float(np.abs(self.product).max()) * self.response_scale
        return Units(
            response=self.response_scale,
            response_mean=self.response_mean,
            objective=0.5 * self.response_scale**2,
            floor=0.0,
            null_deviance=self.response_scale**2 * float(self.response @ self.response),
            top=top,
        )

    def gradient(self, r: Array) -> Array:
        """X~'r of all columns: one pass."""
        gradient: Array = self.gradients(r[None])[0]
        return gradient

    def gradients(self, R: Array) -> Array:
        """X~'r of all columns for every row r of R (m, n), as an array (m, p): one pass."""
        weighted = self.root * R
        out = self.reader.dots(weighted)
        self.passes += 1.0
        for dots, v in zip(out, weighted, strict=True):
            self.standardized(dots, float(v.sum()), slice(None))
        return out

    def gradient_of(self, R: Array, features: Index) -> Array:
        """X~'r of some columns for every row r of R (m, n), as an array (m, size)."""
        weighted, out = self.root * R, np.empty((len(R), features.size))
        over_columns(self.design, self.n_threads, column_dots_each, weighted, out, features)
        self.passes += features.size / self.p
        for dots, v in zip(out, weighted, strict=True):
            self.standardized(dots, float(v.sum()), features)
        return out

    def gradients_of(self, R: Array, outputs: Index, features: Index) -> Array:
        """X~'r of some columns, each with the row r of R (K, n) that belongs to its output."""
        order = np.argsort(outputs, kind="stable")
        outputs, j = outputs[order], features[order]
        weighted, dots = self.root * R, np.empty(j.size)
        arrays = weighted, np.searchsorted(outputs, np.arange(len(R) + 1)), j, dots
        over_columns(self.design, self.n_threads, output_dots, *arrays)
        self.passes += j.size / self.p
        dots = (dots - weighted.sum(axis=1)[outputs] * self.mean[j]) / self.scale[j]
        out = np.empty(j.size)
        out[order] = np.where(self.constant[j], 0.0, dots)
        return out

    def add_columns(self, outputs: Index, features: Index, b: Array, eta: Array) -> None:
        """Add b_f (x_j - m_j) / d_j, without weights of rows, to rows of eta (K, n) in place."""
        if not features.size:
            return
        order = np.argsort(outputs, kind="stable")
        outputs, j = outputs[order], features[order]
        coefs, edges = b[order] / self.scale[j], np.searchsorted(outputs, np.arange(len(eta) + 1))
        eta -= np.bincount(outputs, self.mean[j] * coefs, len(eta))[:, None]
        self.passes += j.size / self.p
        if not isinstance(self.design, Dense):
            for k, row in enumerate(eta):
                own = slice(edges[k], edges[k + 1])
                combine_columns(self.design, 1.0, j[own], coefs[own], row)
            return
        ranges = equal_ranges(self.n, threads_worth(j.size * self.n, self.n_threads))
        in_ranges(combine_output_rows, ranges, self.design.columns, edges, j, coefs, eta)

    def standardized(self, out: Array, total: float, which: Any) -> Array:
        """Products with columns of X~, in place, from those of X: equation (3)."""
        axpy(-total, self.mean[which], out)
        out /= self.scale[which]
        out[self.constant[which]] = 0.0
        return out


def measure(
    design: Dense | Csc,
    y: Array,
    weights: Array,
    *,
    fit_intercept: bool,
    standardize: bool,
    n_threads: int = 1,
    reader: Reader | None = None,
) -> Geometry:
    """Means, deviations and products with the response, in one pass over X.

    Parameters
    ----------
    design : Dense or Csc
    y : ndarray of shape (n,)
        Response minus offset.
    weights : ndarray of shape (n,)
        Non-negative, sum 1.
    reader : Reader, optional
        Who reads all of X; by default the problem does so for itself.

    Raises
    ------
    NonFiniteColumnsError
        If X holds NaN or infinite values, or its squares over- or underflow.
    """
    p = n_columns(design)
    root = np.sqrt(weights)
    response, response_mean, response_scale = _working_response(y, weights, root, fit_intercept)
    reader = reader or OwnReader(design, n_threads)
    v = root * response
    mean, variance, product = reader.moments(weights, v, response_mean, response_scale)
    deviation = np.sqrt(variance)
    bad = ~(np.isfinite(mean) & np.isfinite(deviation) & np.isfinite(product))
    if bad.any():
        raise NonFiniteColumnsError(np.flatnonzero(bad))
    flat = _constant_columns(design, mean, deviation, weights)
    informative = ~flat if fit_intercept or standardize else ~flat | (mean != 0.0)
    underflown = ~flat & (deviation == 0.0)
    if underflown.any():
        raise NonFiniteColumnsError(np.flatnonzero(underflown))
    raw = np.hypot(mean, deviation)
    scale = np.where(informative, deviation if fit_intercept else raw, 1.0)
    unit = np.where(informative, deviation, 1.0) if standardize else np.ones(p)
    geometry = Geometry(
        design=design,
        root=root,
        mean=mean if fit_intercept else np.zeros(p),
        scale=scale,
        penalty_scale=unit / scale,
        rounding=np.finfo(float).eps * (root.size + 8.0) * raw / scale,
        response=response,
        response_mean=response_mean,
        response_scale=response_scale,
        product=product,
        constant=~informative,
        reader=reader,
        n_threads=n_threads,
    )
    geometry.product = geometry.standardized(product, float(v.sum()), slice(None))
    return geometry


def _working_response(
    y: Array, weights: Array, root: Array, fit_intercept: bool
) -> tuple[Array, float, float]:
    """The unit working response, and the mean and scale that were taken out of it."""
    y = np.where(weights > 0.0, y, 0.0)  # rows of weight 0 must not matter
    top = float(np.abs(y).max())
    if top == 0.0:
        return np.zeros_like(y), 0.0, 1.0
    y = y / top  # squares neither over- nor underflow
    y_mean = float(weights @ y) if fit_intercept else 0.0
    working = root * (y - y_mean) if fit_intercept else root * y
    if fit_intercept:
        working -= (root @ working) * root  # exact orthogonality to the intercept
    length = float(np.linalg.norm(working))
    if length <= 8.0 * np.finfo(float).eps:
        return np.zeros_like(y), y_mean * top, 1.0
    working /= length
    return working, y_mean * top, length * top


def _constant_columns(
    design: Dense | Csc, mean: Array, deviation: Array, weights: Array
) -> NDArray[np.bool_]:
    """Columns with one value only, over the rows of positive weight."""
    flat: NDArray[np.bool_] = (deviation == 0.0) & (mean == 0.0)
    rows = weights > 0.0
    for j in np.flatnonzero((deviation <= 1e-7 * np.abs(mean)) & ~flat):
        flat[j] = np.ptp(_column(design, int(j))[rows]) == 0
    return flat


def _column(design: Dense | Csc, j: int) -> NDArray[Any]:
    """One column as a dense vector."""
    if isinstance(design, Dense):
        column: NDArray[Any] = design.columns[j]
        return column
    start, stop = design.indptr[j], design.indptr[j + 1]
    column = np.zeros(design.n_rows)
    column[design.indices[start:stop]] = design.data[start:stop]
    return column

"""Losses of rows with K outputs: their state at linear predictors, and what a model asks of it.

Arrays of rows are (K, n). In working units a row counts root_i = sqrt(w_i): residuals are
root_i u_i, u the negative derivative of the loss, and directions root_i d_i.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from regpath.kernels.groups import (
    curved,
    softmax_change,
    softmax_divergence,
    softmax_rows,
    softmax_tilted,
)
from regpath.kernels.primitives import dot
from regpath.kernels.rows import CHUNK
from regpath.solvers.row_norms import lengths
from regpath.solvers.threads import chunk_ranges, in_ranges

__all__ = ["OutputLoss", "Softmax", "Squares", "inner", "log_shares", "sums", "unit_response"]

Array = NDArray[np.float64]

# Multiplications that an exponential is worth.
EXPONENTIAL = 20
# Sums of residuals from which Newton steps on the intercepts are safe, sums that are as good as 0,
# and the number of steps that there may be.
NEAR, BALANCED, MOST_STEPS = 0.05, 2e-16, 6


class OutputLoss(Protocol):
    """What a model asks of a loss.

    Attributes
    ----------
    root : ndarray of shape (n,)
    residual : ndarray of shape (K, n)
    bound : float
        No Hessian of a row has a larger eigenvalue.
    n_outputs : int
    """

    root: Array
    residual: Array
    bound: float
    n_outputs: int

    @property
    def value(self) -> float:
        """Loss minus its infimum."""

    def start(self, intercepts: Array, rows: Array) -> None:
        """Go to predictors offset + intercepts + rows / root."""

    def step(self, rows: Array, t: float) -> None:
        """Go t rows / root further."""

    def change(self, rows: Array, t: float) -> float:
        """What a step would change the loss by."""

    def curved(self, rows: Array) -> None:
        """Multiply directions by the Hessians of the rows, in place."""

    def mean_curvature(self) -> Array:
        """A typical eigenvalue of the Hessian of every row."""

    def balance(self) -> Array | None:
        """Shift of the intercepts that makes the residuals of every output sum to zero, if near."""

    def divergence(self, s: float) -> float:
        """Sum of loss + loss*(-s u) + s u'e, which is never negative."""


class Squares:
    """sum_i w_i |y_i - e_i|^2 / 2."""

    bound = 1.0

    def __init__(self, response: Array, root: Array) -> None:
        self._working = response
        self.root = root
        self.residual = response.copy()
        self.n_outputs = len(response)

    @property
    def value(self) -> float:
        """Half the squared length of the residual."""
        return 0.5 * inner(self.residual, self.residual)

    def start(self, intercepts: Array, rows: Array) -> None:
        """Residual at some predictors; the response is centred."""
        self.residual = self._working - rows

    def step(self, rows: Array, t: float) -> None:
        """Go t rows / root further."""
        self.residual -= t * rows

    def change(self, rows: Array, t: float) -> float:
        """What a step would change the loss by."""
        return 0.5 * t * t * inner(rows, rows) - t * inner(self.residual, rows)

    def curved(self, rows: Array) -> None:
        """Every Hessian is the identity."""

    def mean_curvature(self) -> Array:
        """One."""
        return np.ones(self.root.size)

    def balance(self) -> None:
        """The response is centred, and so are the columns."""

    def divergence(self, s: float) -> float:
        """(1 - s)^2 times the loss."""
        return (1.0 - s) ** 2 * self.value


class Softmax:
    """sum_i w_i [logsumexp(e_i) - y_i'e_i], with y_i in the simplex, minus its infimum.

    Parameters
    ----------
    response, offset : ndarray of shape (K, n)
    root : ndarray of shape (n,)
    n_threads : int
    """

    bound = 0.5

    def __init__(self, response: Array, offset: Array, root: Array, n_threads: int) -> None:
        self.root = root
        self.n_outputs = len(response)
        self._y = response
        self._offset = offset
        self._n_threads = n_threads
        self._chunks = -(-root.size // CHUNK)
        self.probabilities, self.residual = np.empty_like(response), np.empty_like(response)
        self._norm = np.empty_like(root)
        self._shares = response @ root**2
        logs = np.log(response, out=np.zeros_like(response), where=response > 0.0)
        self.infimum = -float(root**2 @ (response * logs).sum(axis=0))
        self.start(np.zeros(self.n_outputs), np.zeros_like(response))

    def start(self, intercepts: Array, rows: Array) -> None:
        """Go to predictors offset + intercepts + rows / root."""
        self._E = self._offset + intercepts[:, None]
        self.step(rows, 1.0)

    def step(self, rows: Array, t: float) -> None:
        """Go t rows / root further."""
        state = self.probabilities, self.residual, self._norm
        way = rows, np.array([t])
        self.value = self._sum(softmax_rows, self._E, self._y, self.root, *way, *state)
        self.value -= self.infimum

    def change(self, rows: Array, t: float) -> float:
        """What a step would change the loss by."""
        state = self._E, self.probabilities, self._norm, self._y, self.root
        return self._sum(softmax_change, *state, rows, np.array([t]))

    def curved(self, rows: Array) -> None:
        """Multiply directions by diag(p) - p p'."""
        curved(self.probabilities, rows)

    def mean_curvature(self) -> Array:
        """Mean of the eigenvalues that are not 0."""
        out: Array = 1.0 - np.einsum("ki,ki->i", self.probabilities, self.probabilities)
        return np.maximum(out, 0.0) / max(self.n_outputs - 1, 1)

    def balance(self) -> Array | None:
        """Newton steps on the intercepts alone, which need no new exponentials of rows."""
        K, last = self.n_outputs, np.inf
        shift = np.zeros(K)
        moments, room = np.empty((self._chunks, K + 1, K)), np.empty((self._chunks, K))
        for _ in range(MOST_STEPS):
            self._in_chunks(
                softmax_tilted, self.probabilities, self.root, np.exp(shift), moments, room
            )
            total = moments.sum(axis=0)
            slopes = self._shares - total[K]
            worst = float(np.abs(slopes).max())
            if worst > NEAR:
                return None
            if worst <= BALANCED or worst > 0.5 * last:
                return shift
            last = worst
            hessian = np.diag(total[K]) - total[:K]
            shift += np.linalg.pinv(hessian, rcond=1e-13, hermitian=True) @ slopes
        return shift

    def divergence(self, s: float) -> float:
        """Sum of KL(m | p) with m = (1 - s) y + s p."""
        if s == 1.0:
            return 0.0
        state = self._E, self._norm, self.probabilities, self._y, self.root
        return self._sum(softmax_divergence, *state, np.array([s]))

    def _sum(self, kernel: Callable[..., Any], *arrays: Array) -> float:
        """Sum of what a kernel leaves in its chunks of rows."""
        parts = np.empty(self._chunks)
        self._in_chunks(kernel, *arrays, parts)
        return float(parts.sum())

    def _in_chunks(self, kernel: Callable[..., Any], *arrays: Array) -> None:
        edges = chunk_ranges(self._chunks, EXPONENTIAL * self._y.size, self._n_threads)
        in_ranges(kernel, edges, *arrays)


def inner(A: Array, B: Array) -> float:
    """Inner product of two arrays of rows, without the threads of a BLAS."""
    return float(dot(A.ravel(), B.ravel()))


def sums(R: Array, root: Array) -> Array:
    """Products of every output of R (K, n) with a vector."""
    return np.array([dot(r, root) for r in R])


def unit_response(y: Array, root: Array, intercept: bool) -> tuple[Array, Array, float]:
    """Centred working responses of length 1 in all, their means and the scale taken out."""
    weights, top = root * root, float(np.abs(y).max(initial=0.0))
    if top == 0.0:
        return np.zeros_like(y), np.zeros(len(y)), 1.0
    y = y / top  # squares neither over- nor underflow
    centre = y @ weights if intercept else np.zeros(len(y))
    working = root * (y - centre[:, None])
    if intercept:
        working -= (working @ root)[:, None] * root  # exact orthogonality to the intercepts
    # An output that is constant is that exactly, whatever the others are.
    own = lengths(working.T)
    working[own <= 8.0 * np.finfo(float).eps * np.abs(y).max(axis=1)] = 0.0
    length = float(np.linalg.norm(working))
    if length <= 8.0 * np.finfo(float).eps:
        return np.zeros_like(y), centre * top, 1.0
    return working / length, centre * top, length * top


def log_shares(shares: Array) -> Array:
    """Logarithms of the shares of the classes; one that is absent is rarer than rounding."""
    logs = np.log(np.maximum(shares, 1e-17))
    out: Array = logs - logs.mean()
    return out

"""Which features can still be non-zero: bounds on gradients from gradients that are known.

Gradients are linear in the residual. If r = sum_i c_i r_i + d and the gradients of the r_i are
known,

    |x_j'r - sum_i c_i x_j'r_i| <= |x_j| |d|        (Cauchy-Schwarz, with |x_j| = 1),

so one matrix-vector product of height m replaces a pass over X wherever the bound stays below the
threshold of the penalty. Rounding is part of the bound.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from regpath.kernels.primitives import combine, dot
from regpath.kernels.project import project

__all__ = ["Estimate", "References", "length"]

Array = NDArray[np.float64]


class Estimate(NamedTuple):
    """Gradients that are known up to an error.

    Attributes
    ----------
    gradient : ndarray of shape (p,)
    error : float
        The gradient of a column of unit length is off by at most this much,
    magnitude : float
        and by the rounding of dot products with vectors of this length in all.
    """

    gradient: Array
    error: float
    magnitude: float


class References:
    """The most recent residuals whose gradients are known for every feature.

    Parameters
    ----------
    n, p : int
        Length of residuals and of gradients.
    capacity : int
        How many are kept; the oldest makes place for the newest.
    """

    def __init__(self, n: int, p: int, capacity: int) -> None:
        self._residuals = np.empty((capacity, n))
        self._gradients = np.empty((capacity, p))
        self._products = np.empty((capacity, capacity))
        self._inverse: Array | None = None  # of the products, once it is needed
        self._lengths = np.empty(0)
        self._count = 0
        self._next = 0

    def add(self, residual: Array, gradient: Array) -> None:
        """Keep a residual and its exact gradient."""
        slot = self._next
        self._residuals[slot] = residual
        self._gradients[slot] = gradient
        self._count = max(self._count, slot + 1)
        self._next = (slot + 1) % len(self._residuals)
        products = self._dots(residual)
        self._products[slot, : self._count] = products
        self._products[: self._count, slot] = products
        self._inverse = None

    def estimate(self, residual: Array) -> Estimate:
        """Gradient of a residual from its projection on the references, with the error bound."""
        known = self._count
        if self._inverse is None:
            self._inverse = _pseudo_inverse(self._products[:known, :known])
            self._lengths = np.sqrt(np.diagonal(self._products)[:known])
        weights, rest = np.empty(known), np.empty(residual.size)
        squares = project(
            self._residuals, self._inverse, residual, rest, weights, np.empty((2, known))
        )
        gradient = np.zeros(self._gradients.shape[1])
        combine(1.0, weights, self._gradients, known, gradient, gradient.size)
        return Estimate(
            gradient=gradient,
            error=math.sqrt(squares[1]),
            magnitude=math.sqrt(squares[0]) + float(np.abs(weights) @ self._lengths),
        )

    # Own loops: the threads of a BLAS wait for each other actively, which costs milliseconds a
    # product where another process holds a core.

    def _dots(self, v: Array) -> Array:
        return np.array([dot(r, v) for r in self._residuals[: self._count]])


def length(v: Array) -> float:
    """Euclidean length."""
    return math.sqrt(dot(v, v))


def _pseudo_inverse(products: Array) -> Array:
    """Inverse of a small Gram matrix on the directions that are not lost in rounding."""
    scale = np.sqrt(np.diagonal(products))
    scale = np.where(scale > 0.0, scale, 1.0)
    values, vectors = np.linalg.eigh(products / np.outer(scale, scale))
    kept = values > 1e-13 * values[-1]
    scaled = vectors[:, kept] / scale[:, None]
    return np.ascontiguousarray((scaled / values[kept]) @ scaled.T)

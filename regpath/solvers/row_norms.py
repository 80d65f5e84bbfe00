"""The penalty on the norms of rows of coefficients, one of each output, and its certificate.

phi_j(b) = l1_j |b| + l2_j |b|^2 / 2 for the K coefficients b of feature j. Arrays are (K, m) for m
features.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from regpath.penalties import INDISTINCT

__all__ = ["RowNorms", "lengths"]

Array = NDArray[np.float64]
EPSILON = 2.0**-52


def lengths(B: Array) -> Array:
    """Norms of the columns of B (K, m)."""
    out: Array = np.sqrt(np.einsum("kj,kj->j", B, B))
    return out


class RowNorms(NamedTuple):
    """Strengths of the penalty at one lambda.

    Attributes
    ----------
    l1, l2 : ndarray of shape (m,)
    """

    l1: Array
    l2: Array

    def at(self, features: NDArray[np.int64]) -> RowNorms:
        """The penalty of a subset of the features, in that order."""
        return RowNorms(self.l1[features], self.l2[features])

    def value(self, B: Array) -> float:
        """Sum of phi_j(B_j)."""
        size = lengths(B)
        return float(self.l1 @ size + 0.5 * (self.l2 @ (size * size)))

    def change(self, B: Array, D: Array, t: float) -> float:
        """Sum of phi_j(B_j + t D_j) - phi_j(B_j), without cancellation."""
        after = lengths(B + t * D) + lengths(B)
        squares = np.einsum("kj,kj->j", D, 2.0 * t * B + t * t * D)
        rise = np.divide(squares, after, out=np.zeros_like(after), where=after > 0.0)
        return float(self.l1 @ rise + 0.5 * (self.l2 @ squares))

    def excess(self, G: Array) -> Array:
        """How far gradients at B_j = 0 exceed their thresholds."""
        return np.maximum(lengths(G) - self.l1, 0.0)

    def violations(self, G: Array, B: Array) -> Array:
        """Distances of the gradients from the subdifferentials at B."""
        size = lengths(B)
        pull = np.divide(self.l1, size, out=np.zeros_like(size), where=size > 0.0) + self.l2
        return np.where(size > 0.0, lengths(G - pull * B), self.excess(G))

    def shrinkage(self, G: Array) -> float:
        """Largest s <= 1 with s |G_j| <= l1_j wherever nothing but l1_j bounds B_j."""
        size = lengths(G)
        beyond = (size > self.l1) & (self.l1 > 0.0) & (self.l2 == 0.0)
        return float(np.min(self.l1[beyond] / size[beyond], initial=1.0))

    def gap(self, G: Array, B: Array, s: float) -> float:
        """Sum of phi_j(B_j) + phi_j*(s G_j) - s G_j'B_j, no term of which is negative.

        A gradient beyond the reach of a penalty that does not bound its coefficients is charged as
        in `regpath.penalties`.
        """
        size = lengths(B)
        reach = s * lengths(G)
        # Without a threshold even the rounding of a gradient can stand for a long way.
        noise = EPSILON * (1.0 + float(size.sum())) if s > 0.0 else 0.0
        over = np.maximum(np.where(self.l1 == 0.0, reach + noise, reach - self.l1), 0.0)
        charged = 0.5 * over * over / np.maximum(self.l2, INDISTINCT)
        terms = size * (self.l1 + 0.5 * self.l2 * size) + charged - s * np.einsum("kj,kj->j", G, B)
        return float(np.maximum(terms, 0.0).sum())

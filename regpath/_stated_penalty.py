"""The penalty of a path as its settings state it, and its conjugate, for `regpath.diagnostics`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["GroupPenalty", "Penalty"]

Array = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Penalty:
    """phi_j for a block of lambdas, feature by feature.

    Attributes
    ----------
    l1, l2 : ndarray of shape (p, k), or (p, 1, k) where coefficients have the shape (p, K, k)
    lower, upper : ndarray of shape (p, 1), or (p, 1, 1)
    kept : ndarray of bool of shape (p,)
        The features that take part.
    """

    l1: Array
    l2: Array
    lower: Array
    upper: Array
    kept: NDArray[np.bool_]

    def size(self, t: Array) -> Array:
        """Absolute values: what l1 is compared with."""
        return np.abs(t)

    def value(self, b: Array) -> Array:
        return np.asarray(self.l1 * np.abs(b) + 0.5 * self.l2 * b * b)

    def fenchel_young(self, b: Array, t: Array) -> Array:
        """phi(b) + phi*(t) - t b without cancellation, as the sum over the two half-lines."""
        return half_line(np.maximum(b, 0), t - self.l1, self.l2, self.upper) + half_line(
            np.maximum(-b, 0), -t - self.l1, self.l2, -self.lower
        )

    def excess(self, b: Array, t: Array) -> Array:
        """Signed distance of t from the subdifferential of phi at b; an end of it may be open."""
        slope = self.l2 * b
        low = np.where(b > self.lower, slope + np.where(b > 0, self.l1, -self.l1), -np.inf)
        high = np.where(b < self.upper, slope + np.where(b < 0, -self.l1, self.l1), np.inf)
        return np.asarray(np.maximum(t - high, 0) - np.maximum(low - t, 0))

    def maximiser(self, t: Array) -> Array:
        """Return the z that attains phi*(t)."""
        excess = np.maximum(np.abs(t) - self.l1, 0)
        z = np.copysign(np.where(excess > 0, excess / self.l2, 0), t)
        return np.clip(z, self.lower, self.upper)

    def columns(self, index: Index) -> Penalty:
        """Restrict to some of the lambdas."""
        l1, l2 = self.l1[..., index], self.l2[..., index]
        return Penalty(l1, l2, self.lower, self.upper, self.kept)

    def rows(self, index: Index) -> Penalty:
        """Restrict to some of the features."""
        l1, l2, lower, upper, kept = self.l1, self.l2, self.lower, self.upper, self.kept
        return Penalty(l1[index], l2[index], lower[index], upper[index], kept[index])

    def unbounded(self, t: Array) -> NDArray[np.bool_]:
        """Whether phi* grows without bound in the direction of t (no ridge term, no limit)."""
        limit = np.where(t > 0, self.upper, -self.lower)
        return np.asarray((self.l2 == 0) & (limit == np.inf))


@dataclass(frozen=True, eq=False)
class GroupPenalty:
    """phi_j = l1_j |b_j| + l2_j |b_j|^2 / 2 of the norm of K coefficients, b of shape (p, K, k).

    With e = |t| - l1: phi*(t) is 0 for e <= 0, else e^2 / (2 l2). There are no limits.

    Attributes
    ----------
    l1, l2 : ndarray of shape (p, 1, k)
    kept : ndarray of bool of shape (p,)
        The features that take part.
    """

    l1: Array
    l2: Array
    kept: NDArray[np.bool_]

    def size(self, t: Array) -> Array:
        """Norms over the outputs: what l1 is compared with."""
        unit = np.abs(t).max(axis=1, keepdims=True)
        unit = np.where(unit > 0, unit, 1)
        return np.asarray(unit * np.sqrt(((t / unit) ** 2).sum(axis=1, keepdims=True)))

    def value(self, b: Array) -> Array:
        norm = self.size(b)
        return np.asarray(self.l1 * norm + 0.5 * self.l2 * norm**2)

    def fenchel_young(self, b: Array, t: Array) -> Array:
        """phi(b) + phi*(t) - <t, b>: what the norms leave open, and |t| |b| - <t, b>."""
        long, wide = self.size(t), self.size(b)
        turned = (t / np.where(long > 0, long, 1) - b / np.where(wide > 0, wide, 1)) ** 2
        angle = np.where((long > 0) & (wide > 0), turned.sum(axis=1, keepdims=True), 0)
        along = half_line(wide, long - self.l1, self.l2, np.full_like(self.l1, np.inf))
        return np.asarray(along + 0.5 * long * wide * angle)

    def excess(self, b: Array, t: Array) -> Array:
        """Vector from the subdifferential of phi at b to t."""
        long, wide = self.size(t), self.size(b)
        outside = t * np.maximum(1 - self.l1 / np.where(long > 0, long, 1), 0)
        smooth = t - self.l2 * b - self.l1 * b / np.where(wide > 0, wide, 1)
        return np.where(wide > 0, smooth, outside)

    def columns(self, index: Index) -> GroupPenalty:
        """Restrict to some of the lambdas."""
        return GroupPenalty(self.l1[..., index], self.l2[..., index], self.kept)

    def unbounded(self, t: Array) -> NDArray[np.bool_]:
        """Whether phi* grows without bound (no ridge term)."""
        return np.broadcast_to(self.l2 == 0, self.size(t).shape)


def half_line(x: Array, slope: Array, l2: Array, limit: Array) -> Array:
    """Maximum over 0 <= z <= limit of slope z - l2 z^2 / 2, minus the value at z = x."""
    inside = 0.5 * ((slope - l2 * x) / np.sqrt(l2)) ** 2
    bend = np.where(l2 > 0, 0.5 * l2 * (limit + x), 0)
    at_limit = (limit - x) * (slope - bend)
    reach = np.where(l2 > 0, l2 * limit, 0)
    return np.where(
        slope <= 0,
        x * (0.5 * l2 * x - slope),
        np.where((l2 > 0) & (slope <= reach), inside, at_limit),
    )

"""Which features can still be non-zero: bounds on gradients from gradients that are known.

Gradients are linear in the residual. If r = sum_i c_i r_i + d and the gradients of the r_i are
known,

    |x_j'r - sum_i c_i x_j'r_i| <= |x_j| |d|        (Cauchy-Schwarz, with |x_j| = 1),

so one matrix-vector product of height m replaces a pass over X wherever the bound stays below the
threshold of the penalty. Rounding is part of the bound.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from regpath._memory import room
from regpath.designs import Csc, Dense
from regpath.kernels.project import estimate

__all__ = ["Estimate", "Known", "References", "Spending", "references_kept"]

Array = NDArray[np.float64]

# What a pass over all columns costs: as much as the gradients of all of them.
PASS = 1.0


def references_kept(design: Dense | Csc) -> int:
    """How many references pay: of sparse columns, vectors as long as X is wide cost more than X."""
    return 12 if isinstance(design, Dense) else 4


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


class Known(NamedTuple):
    """Residuals whose gradients are known, for kernels.

    Attributes
    ----------
    residuals : ndarray of shape (m, n)
    gradients : ndarray of shape (m, p)
    inverse : ndarray of shape (m, m)
        Inverse of the products of the residuals,
    lengths : ndarray of shape (m,)
        and their lengths.
    rest : ndarray of shape (n,)
    scratch : ndarray of shape (3, m)
    """

    residuals: Array
    gradients: Array
    inverse: Array
    lengths: Array
    rest: Array
    scratch: Array


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
        self._gradients = room((capacity, p))
        self._products = np.empty((capacity, capacity))
        self._rest = np.empty(n)
        self._known: Known | None = None  # once it is needed
        self.count = 0
        """How many there are."""
        self._next = 0

    def add(self, residual: Array, gradient: Array) -> None:
        """Keep a residual and its exact gradient."""
        slot = self._next
        self._residuals[slot] = residual
        self._gradients[slot] = gradient
        self.count = max(self.count, slot + 1)
        self._next = (slot + 1) % len(self._residuals)
        # Own loops: the threads of a BLAS wait for each other actively, which costs milliseconds a
        # product where another process holds a core.
        products = np.einsum("ij,j", self._residuals[: self.count], residual)
        self._products[slot, : self.count] = products
        self._products[: self.count, slot] = products
        self._known = None

    @property
    def known(self) -> Known:
        """What is known, for kernels."""
        if self._known is None:
            m = self.count
            self._known = Known(
                residuals=self._residuals[:m],
                gradients=self._gradients[:m],
                inverse=_pseudo_inverse(self._products[:m, :m]),
                lengths=np.sqrt(np.diagonal(self._products)[:m]),
                rest=self._rest,
                scratch=np.empty((3, m)),
            )
        return self._known

    def estimate(self, residual: Array) -> Estimate:
        """Gradient of a residual from its projection on the references, with the error bound."""
        gradient = np.empty(self._gradients.shape[1])
        return Estimate(gradient, *estimate(self.known, residual, gradient))


class Spending:
    """What the gradients of single columns have cost since the last pass, in passes.

    A pass makes the searches after it cheap, and each costs more than the one before. The next pass
    is due when a search would cost more than searches have cost on average, the pass included:
    sooner or later, the average would be larger.

    Examples
    --------
    >>> spending = Spending()
    >>> for cost in (0.1, 0.3):
    ...     spending.add(cost)
    >>> round(spending.affordable, 2)
    0.47
    """

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin with a pass."""
        self._spent, self._searches = PASS, 1

    def add(self, cost: float) -> None:
        """Note what a search has cost."""
        self._spent, self._searches = self._spent + cost, self._searches + 1

    @property
    def affordable(self) -> float:
        """What the next search may cost."""
        return self._spent / self._searches


def _pseudo_inverse(products: Array) -> Array:
    """Inverse of a small Gram matrix on the directions that are not lost in rounding."""
    scale = np.sqrt(np.diagonal(products))
    scale = np.where(scale > 0.0, scale, 1.0)
    values, vectors = np.linalg.eigh(products / np.outer(scale, scale))
    kept = values > 1e-13 * values[-1]
    scaled = vectors[:, kept] / scale[:, None]
    return np.ascontiguousarray((scaled / values[kept]) @ scaled.T)

"""Ridge with more features than rows: the same problem in as many features as there are rows.

With the penalty lambda/2 sum_j t_j |B_j|^2 and X_t = X~ diag(t)^(-1/2) = U S V', the optimal B is
diag(t)^(-1/2) V C, where C solves the problem with the columns U S and the penalty
lambda/2 |C|^2. Both have the same objectives and gaps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from regpath.solvers.geometry import Geometry
from regpath.solvers.output_columns import OutputColumns
from regpath.solvers.products import gram_of_rows

__all__ = ["Rotation"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Eigenvalues below this share of the largest are rounding.
NEGLIGIBLE = 1e-15


class Rotation:
    """Columns U S in place of the penalised features; unpenalised ones stay as they are.

    Parameters
    ----------
    geometry : Geometry
    free, penalised : ndarray of int
        Features.
    strength : ndarray of shape (p,)
        t_j of the penalised features.

    Attributes
    ----------
    rows : ndarray of shape (size, n)
        The unpenalised columns, then those of U S.
    weights : ndarray of shape (size,)
        Factors of the L2 term: 0 and 1.
    """

    def __init__(self, geometry: Geometry, free: Index, penalised: Index, strength: Array) -> None:
        self._geometry = geometry
        self._penalised = penalised
        self._shrink = 1.0 / strength[penalised]
        gram = gram_of_rows(geometry, penalised, self._shrink)
        values, vectors = np.linalg.eigh(gram)
        kept = values > NEGLIGIBLE * max(float(values[-1]), 0.0)
        roots = np.sqrt(values[kept])
        self._back = vectors[:, kept] / roots
        columns = OutputColumns(geometry)
        if free.size:
            columns.append(free, False)
        unpenalised = columns.combine(np.eye(free.size))
        self.rows = np.ascontiguousarray(np.vstack([unpenalised, (vectors[:, kept] * roots).T]))
        self.rows.flags.writeable = False
        self.weights = np.repeat([0.0, 1.0], [free.size, roots.size])
        self._free = free

    def coefs(self, C: Array) -> Array:
        """Working coefficients (K, p) of all features."""
        g, split = self._geometry, self._free.size
        B = np.zeros((len(C), g.p))
        B[:, self._free] = C[:, :split]
        for row, c in zip(B, C, strict=True):
            row[self._penalised] = (
                g.gradient(self._back @ c[split:])[self._penalised] * self._shrink
            )
        return B

"""Steps on many rows of dense columns: each reads the working set once.

The predictor at the end of a step, the loss there and the gradients come from one read. It is made
at the intercept that the model expects. The best one is not far, and found from the rows alone;
gradients follow to first order,

    r(shift) = r - shift sqrt(w) c + e,       X~'r(shift) = X~'r - shift X~'(sqrt(w) c) + X~'e,

with the products of the curvatures c from the same read. Columns of X~ have length 1, so that no
gradient is off by more than |e|, which falls with the square of the shift.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from regpath.designs import Csc, Dense
from regpath.kernels.rows import CURVATURE, SLOPE
from regpath.solvers.geometry import Geometry
from regpath.solvers.moves import Moves, Point
from regpath.solvers.outside import Outside
from regpath.solvers.rows import RowLoss

__all__ = ["FusedMoves", "is_fusible"]

Array = NDArray[np.float64]


def is_fusible(design: Dense | Csc) -> bool:
    """Whether columns are dense floats: integers are short, and not worth kernels of their own."""
    return isinstance(design, Dense) and design.columns.dtype in (np.float64, np.float32)


class FusedMoves(Moves):
    """The same steps with one output, independent rows, and dense columns of floats.

    Parameters
    ----------
    geometry : Geometry
    loss : RowLoss
    outside : Outside
        It knows the gradients of single features.
    point : Point
        It moves.
    """

    def __init__(self, geometry: Geometry, loss: RowLoss, outside: Outside, point: Point) -> None:
        super().__init__(geometry, loss, outside, point)
        self._rows, self._is_exact, n = loss, True, geometry.n
        self._ahead, self._work = np.empty((1, n)), np.empty((5, n))

    def aim_at(self, b: Array, new: Array) -> None:
        """Prepare for the line from b to new, with the one read of its end."""
        g, working, point = self._geometry, self._working, self._point
        design, support = g.design, np.flatnonzero(new)
        assert isinstance(design, Dense)
        features = working[support]
        coefs = new[support] / g.scale[features]
        self._turn = self._model.intercepts(new - b)
        centre = np.einsum("i,i", g.mean[features], coefs)
        np.add(self._start, point.intercepts + self._turn - centre, out=self._ahead)
        added, ahead = (features, coefs), self._ahead[0]
        self._products, self._sums = self._rows.with_products(
            design.columns, added, working, ahead, self._work, g.n_threads
        )
        g.passes += working.size / g.p

    def look_at(self, t: float) -> float:
        """Half the deviance on the way, at the best intercept."""
        if t < 1.0:
            self._direction = self._ahead - self._point.eta
            return super().look_at(t)
        slope, curvature = self._sums[[SLOPE, CURVATURE]].tolist()
        start = -slope / curvature if self._rows.fit_intercept and curvature > 0.0 else 0.0
        self._seen = self._rows.centred(self._ahead, start)
        return self._seen[2].value

    def settle_at(self, t: float, g: Array) -> None:
        """Go to the point that was looked at."""
        self._is_exact = t < 1.0
        if self._is_exact:
            super().settle_at(t, g)
            return
        point = self._point
        shift, point.eta, point.terms = self._seen
        point.intercepts = point.intercepts + self._turn + shift
        self._shift = float(shift[0])
        products = self._products[0] - self._shift * self._products[1]
        total = -self._sums[SLOPE] - self._shift * self._sums[CURVATURE]
        g[:] = self._geometry.standardized(products, total, self._working)

    @property
    def doubt(self) -> float:
        """What a gradient of the point that was moved to may be off by."""
        if self._is_exact:
            return 0.0
        residual = self._point.terms.residual[0]
        rest = residual - (self._work[1] - self._shift * (self._geometry.root * self._work[2]))
        return math.sqrt(np.einsum("i,i", rest, rest))

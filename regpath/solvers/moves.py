"""Steps of proximal Newton from the present point, for any loss and any model.

`Moves` is what `regpath.kernels.newton.step` asks for, made of objects that NumPy and threads work
for; `regpath.solvers.row_moves` has the same for kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from regpath._numba import interpreted
from regpath.kernels.newton import step
from regpath.penalties import ElasticNet
from regpath.solvers.geometry import Geometry
from regpath.solvers.models import Model
from regpath.solvers.outside import Outside
from regpath.solvers.rows import SmoothLoss, Terms

__all__ = ["Moves", "Point"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass
class Point:
    """Where a solver is.

    Attributes
    ----------
    intercepts : ndarray of shape (K,)
    eta : ndarray of shape (K, n)
        Linear predictor.
    terms : Terms
        The loss there.
    """

    intercepts: Array
    eta: Array
    terms: Terms


class Moves:
    """Steps with any number of outputs.

    Parameters
    ----------
    geometry : Geometry
    loss : SmoothLoss
    outside : Outside
        It knows the gradients of single features.
    point : Point
        It moves.
    """

    def __init__(
        self, geometry: Geometry, loss: SmoothLoss, outside: Outside, point: Point
    ) -> None:
        self._geometry, self._loss, self._outside, self._point = geometry, loss, outside, point
        self._start = loss.start()
        self._unseen = np.flatnonzero(geometry.root == 0.0)  # predictors of these may overflow

    def take(
        self,
        model: Model,
        working: Index,
        penalty: ElasticNet,
        b: Array,
        g: Array,
        new: Array,
        scale: float,
    ) -> bool:
        """As `regpath.kernels.newton.step`, on a working set and its model."""
        self._model, self._working = model, working
        return interpreted(step)(self, penalty, b, g, new, np.empty(b.size), scale)

    def predictor(self, working: Index, b: Array) -> Array:
        """Linear predictor (K, n) of coefficients of a working set, without intercepts."""
        g, eta = self._geometry, self._start.copy()
        support = np.flatnonzero(b)
        g.add_columns(*np.divmod(working[support], g.p), b[support], eta)
        eta[:, self._unseen] = 0.0
        return eta

    @property
    def doubt(self) -> float:
        """What a gradient of the point that was moved to may be off by."""
        return 0.0

    # -- as `regpath.kernels.newton` wants it --------------------------------------------------

    def half_deviance(self) -> float:
        """Half the deviance at the present point."""
        return self._point.terms.value

    def aim_at(self, b: Array, new: Array) -> None:
        """Prepare for the line from b to new."""
        point = self._point
        self._turn = self._model.intercepts(new - b)
        ahead = self.predictor(self._working, new) + (point.intercepts + self._turn)[:, None]
        self._direction = ahead - point.eta

    def look_at(self, t: float) -> float:
        """Half the deviance on the way, at the best intercepts."""
        self._seen = self._loss.centred(self._point.eta + t * self._direction)
        return self._seen[2].value

    def settle_at(self, t: float, g: Array) -> None:
        """Go to the point that was looked at."""
        point = self._point
        shift, point.eta, point.terms = self._seen
        point.intercepts = point.intercepts + t * self._turn + shift
        g[:] = self._outside.gradient_of(point.terms.residual, self._working)

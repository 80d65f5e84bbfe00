"""The same steps for little data, compiled: no interpreter between line search and gradients.

`RowMoves` is what `regpath.kernels.newton.step` asks for, where the loss has one output and
independent rows, and threads would not pay.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from regpath.designs import Csc, Dense
from regpath.kernels.newton import step
from regpath.kernels.rows import SQUARE, VALUE, centre
from regpath.penalties import ElasticNet
from regpath.solvers.geometry import Geometry
from regpath.solvers.models import Model, RowModel
from regpath.solvers.moves import Point
from regpath.solvers.rows import SmoothLoss, Terms, terms_of

__all__ = ["RowMoves", "RowSteps", "is_frequent"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# What is kept in ``figures``: the sums over rows at the present point, its intercept, how the
# intercept moves to the minimum of the model, and from there to its best; columns that were read.
LEVEL, LEVEL_SQUARE, INTERCEPT, TURN, SHIFT, COLUMNS = 0, 1, 2, 3, 4, 5


def is_frequent(design: Dense | Csc) -> bool:
    """Whether X is stored in one of the two most frequent ways.

    Every loss has a kernel for these. Kernels for every loss and every storage would take a quarter
    of an hour to compile, to save a tenth of a millisecond a step.
    """
    if isinstance(design, Dense):
        return bool(design.columns.dtype == np.float64)
    return bool(design.data.dtype == np.float64 and design.indices.dtype == np.int32)


class Here(NamedTuple):
    """The present point, and the one that is looked at.

    Attributes
    ----------
    eta, aimed, moved : ndarray of shape (n,)
        Linear predictors: the present one, the way to the minimum of the model, one on the way.
    now, then : ndarray of shape (3, n)
        Terms of the present point, and of the one on the way.
    figures : ndarray of shape (6,)
    """

    eta: Array
    aimed: Array
    moved: Array
    now: Array
    then: Array
    figures: Array


class RowMoves(NamedTuple):
    """Loss and columns of a working set.

    Attributes
    ----------
    rows : Rows
    design : Dense or Csc
    root, start, weighted : ndarray of shape (n,)
        Square roots of the weights; offsets; room.
    features, mean, scale : ndarray of shape (size,)
        Of the working columns.
    listed, values : ndarray of shape (size,)
        Room for a list of columns and their coefficients.
    turns : ndarray of shape (size,)
        How each coefficient of the model moves the intercept.
    here : Here
    """

    rows: Any
    design: Any
    root: Array
    start: Array
    weighted: Array
    features: Index
    mean: Array
    scale: Array
    listed: Index
    values: Array
    turns: Array
    here: Any

    def half_deviance(self) -> float:
        return self.here.figures[LEVEL]  # type: ignore[no-any-return]

    def aim_at(self, b: Any, new: Any) -> None:
        figures, eta, aimed = self.here.figures, self.here.eta, self.here.aimed
        count, shift, turn = 0, 0.0, 0.0
        for k in range(b.size):
            turn += self.turns[k] * (new[k] - b[k])
            if new[k] != 0.0:
                self.listed[count], self.values[count] = self.features[k], new[k] / self.scale[k]
                shift += self.mean[k] * self.values[count]
                count += 1
        for i in range(aimed.size):
            aimed[i] = self.start[i] - shift
        self.design.combine(1.0, self.listed[:count], self.values[:count], aimed)
        for i in range(aimed.size):
            # Predictors of rows of weight 0 may overflow.
            ahead = aimed[i] if self.root[i] > 0.0 else 0.0
            aimed[i] = ahead + (figures[INTERCEPT] + turn) - eta[i]
        figures[TURN] = turn
        figures[COLUMNS] += count

    def look_at(self, t: float) -> float:
        here, weighted, figures = self.here, self.weighted, self.here.figures
        for i in range(weighted.size):
            weighted[i] = here.eta[i] + t * here.aimed[i]
        figures[SHIFT] = centre(self.rows, weighted, 0.0, here.moved, here.then)
        return self.rows.sums[VALUE]  # type: ignore[no-any-return]

    def settle_at(self, t: float, g: Any) -> None:
        here, weighted, root = self.here, self.weighted, self.root
        figures, eta, now, then = here.figures, here.eta, here.now, here.then
        sums, moved, total = self.rows.sums, here.moved, 0.0
        figures[LEVEL], figures[LEVEL_SQUARE] = sums[VALUE], sums[SQUARE]
        figures[INTERCEPT] += t * figures[TURN] + figures[SHIFT]
        for i in range(weighted.size):
            eta[i] = moved[i]
            now[0, i], now[1, i], now[2, i] = then[0, i], then[1, i], then[2, i]
            weighted[i] = root[i] * now[1, i]
            total += weighted[i]
        self.design.dots(self.features, weighted, g)
        for k in range(g.size):
            g[k] = (g[k] - self.mean[k] * total) / self.scale[k]
        figures[COLUMNS] += g.size


class RowSteps:
    """Compiled steps of one problem.

    Parameters
    ----------
    geometry : Geometry
    loss : SmoothLoss
        That is compiled.
    point : Point
        It moves.
    """

    doubt = 0.0

    def __init__(self, geometry: Geometry, loss: SmoothLoss, point: Point) -> None:
        n = geometry.n
        self._geometry, self._loss, self._point = geometry, loss, point
        eta, aimed, moved, self._weighted = np.empty((4, n))
        now, then = np.empty((2, 3, n))
        self._here = Here(eta, aimed, moved, now, then, np.zeros(6))
        self._start = loss.start()[0]
        self._terms: Terms | None = None
        self._moves: RowMoves | None = None

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
        assert isinstance(model, RowModel)
        self._arrive()
        if self._moves is None or self._moves.features is not working:
            self._moves = self._prepare(working, model.turns)
        elif self._moves.turns is not model.turns:
            self._moves = self._moves._replace(turns=model.turns)
        moved = step(self._moves, penalty, b, g, new, np.empty(b.size), scale)
        self._depart()
        return moved

    def _prepare(self, working: Index, turns: Array) -> RowMoves:
        g, size = self._geometry, working.size
        return RowMoves(
            rows=self._loss.compiled,
            design=g.design,
            root=g.root,
            start=self._start,
            weighted=self._weighted,
            features=working,
            mean=g.mean[working],
            scale=g.scale[working],
            listed=np.empty(size, np.int64),
            values=np.empty(size),
            turns=turns,
            here=self._here,
        )

    def _arrive(self) -> None:
        """Take over the present point, unless it is known."""
        point, here = self._point, self._here
        if point.terms is self._terms:
            return
        terms = point.terms
        here.eta[:] = point.eta[0]
        here.now[:] = terms.slope[0], terms.residual[0], terms.curvature[0]
        here.figures[[LEVEL, LEVEL_SQUARE, INTERCEPT]] = (
            terms.value,
            terms.square,
            point.intercepts[0],
        )

    def _depart(self) -> None:
        """Say where the present point is."""
        here, point, g = self._here, self._point, self._geometry
        value, square, intercept = here.figures[[LEVEL, LEVEL_SQUARE, INTERCEPT]].tolist()
        self._terms = terms_of(here.now, value, square)
        point.terms, point.eta = self._terms, here.eta[None]
        point.intercepts = np.array([intercept])
        g.passes += float(here.figures[COLUMNS]) / g.p
        here.figures[COLUMNS] = 0.0

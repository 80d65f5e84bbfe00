"""Models of the multinomial loss for working sets of any size.

While its Gram matrix fits, all classes are in one model, `regpath.solvers.softmax.SoftmaxModel`.
Beyond, every class has a model of its own with curvatures p_k (1 - p_k) K / (K - 1): for two
classes this is a bound of diag(p) - p p', for more of them a line search sees to the rest.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from regpath.penalties import ElasticNet
from regpath.solvers.geometry import Geometry
from regpath.solvers.gram import largest_gram
from regpath.solvers.models import Model, RowModel
from regpath.solvers.rows import SmoothLoss, Terms
from regpath.solvers.softmax import SoftmaxModel

__all__ = ["SeparateModel", "models_of_classes"]

# Features of all classes whose Gram matrix is never too large.
LARGEST_TOGETHER = 4000

Array = NDArray[np.float64]
Index = NDArray[np.int64]


def models_of_classes(
    geometry: Geometry, loss: SmoothLoss, weights: Array, *, fit_intercept: bool
) -> Callable[[int], Model]:
    """The model that suits a working set, by its number of features.

    Parameters
    ----------
    geometry : Geometry
    loss : SmoothLoss
    weights : ndarray of shape (n,)
    fit_intercept : bool
    """
    limit = max(LARGEST_TOGETHER, largest_gram(geometry.design))
    together = SoftmaxModel(geometry, weights, loss.n_outputs, fit_intercept=fit_intercept)
    separate = SeparateModel(geometry, loss, weights, fit_intercept=fit_intercept)
    return lambda size: together if size <= limit else separate


class SeparateModel:
    """A model of each class. Parameters as in `models_of_classes`."""

    def __init__(
        self, geometry: Geometry, loss: SmoothLoss, weights: Array, *, fit_intercept: bool
    ) -> None:
        self._p = geometry.p
        self._models = [
            RowModel(geometry, loss, weights, fit_intercept=fit_intercept)
            for _ in range(loss.n_outputs)
        ]
        self._output = np.empty(0, np.int64)

    @property
    def size(self) -> int:
        """Number of features."""
        return self._output.size

    def renew(self, features: Index, terms: Terms, least: float) -> None:
        """Start afresh at the curvatures of a point, with these features."""
        self._output, feature = np.divmod(features, self._p)
        for k, model in enumerate(self._models):
            model.renew(feature[self._output == k], _class_terms(terms, k), least)

    def extend(self, features: Index) -> None:
        """Add features."""
        output, feature = np.divmod(features, self._p)
        self._output = np.concatenate([self._output, output])
        for k, model in enumerate(self._models):
            model.extend(feature[output == k])

    def minimise(
        self,
        penalty: ElasticNet,
        b: Array,
        gradient: Array,
        terms: Terms,
        target: float,
        budget: int,
    ) -> Array:
        """Coefficients that minimise models plus penalty, from b, to a gap of ``target`` in all."""
        new, share = b.copy(), target / len(self._models)
        for k, model in enumerate(self._models):
            own = np.flatnonzero(self._output == k)
            if own.size:
                data = penalty.at(own), b[own], gradient[own], _class_terms(terms, k)
                new[own] = model.minimise(*data, share, budget)
        return new

    def learn(self, change: Array, fall: Array) -> None:
        """The falls of one class are not due to its own changes alone: nothing is learned."""

    def intercepts(self, change: Array) -> Array:
        """How the intercepts move with a change of the coefficients."""
        moved = [
            model.intercepts(change[self._output == k]) for k, model in enumerate(self._models)
        ]
        return np.concatenate(moved)


def _class_terms(terms: Terms, k: int) -> Terms:
    """The terms of one class, with its curvature."""
    one, K = slice(k, k + 1), len(terms.slope)
    p = terms.curvature[one]
    curvature = p * (1.0 - p) * (K / (K - 1.0))
    return terms._replace(slope=terms.slope[one], residual=terms.residual[one], curvature=curvature)

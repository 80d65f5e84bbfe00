"""Paths of K outputs with the norms of rows of coefficients penalised.

    minimise  F(E) + lambda sum_j v_j [ r |s_j B_j| + (1 - r)/2 |s_j B_j|^2 ],

with E_i = o_i + b0 + B'x_i, where F is the sum of squares, or the negative log-likelihood of a
softmax. Predict, solve, certify and record as in `regpath.solvers.gaussian`; a feature enters and
leaves for all outputs at once.

Reference: Simon, Friedman and Hastie (2013), A blockwise descent algorithm for group-penalized
multiresponse and multinomial regression, for the problem; the certificate is Fenchel-Young term by
term.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from regpath.designs import Dense, n_bytes
from regpath.solvers.gaussian import OutOfTimeError
from regpath.solvers.geometry import Geometry
from regpath.solvers.gram import whole_gram_pays
from regpath.solvers.group_models import GramModel, GroupModel, RowwiseModel
from regpath.solvers.group_newton import newton
from regpath.solvers.group_outside import GroupsOutside
from regpath.solvers.group_ridge import Rotation
from regpath.solvers.output_columns import OutputColumns
from regpath.solvers.output_losses import Softmax, Squares, log_shares, unit_response
from regpath.solvers.points import SolvedPoints, Units
from regpath.solvers.products import gram_of_columns, is_even
from regpath.solvers.row_norms import RowNorms, lengths

__all__ = ["GroupSolver"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Share of the tolerance that the working set may use up; the rest is for the features outside.
INNER_SHARE = 0.3
# Bytes that the Gram matrix may take in any case.
LEAST_GRAM = 256e6
# Rows up to which ridge is solved in their number of features.
MOST_ROWS = 6000
# An iteration that leaves more than this share of the gap needs more accurate steps.
SLOW = 0.2
# Iterations without a gap that is a tenth smaller, after which only rounding is left.
MOST_PATIENCE = 40
# A null model that fits as well as this fits perfectly.
NOTHING = 1e-13
NO_FEATURES = np.empty(0, np.int64)


class GroupSolver:
    """Warm-started solver of one problem along decreasing lambdas.

    Parameters
    ----------
    geometry : Geometry
        Its response is not looked at.
    response : ndarray of shape (n, K)
        Responses, or the indicators (or proportions) of K classes.
    weights : ndarray of shape (n,)
        Sum 1, as in the geometry.
    offset : ndarray of shape (n, K), optional
    factor : ndarray of shape (p,)
        Penalty factors; excluded features have inf.
    l1_ratio : float
    tol : float
        Bound of the relative duality gap.
    max_iter : int
        Iterations a point may take.
    loss : {"gaussian", "multinomial"}
    fit_intercept : bool
        As in the geometry.

    Attributes
    ----------
    null : float
        Loss of the model of intercepts and offsets, minus its infimum: what objectives and gaps are
        relative to, unless it is 0.
    floor : float
        Infimum of the loss.
    """

    def __init__(
        self,
        geometry: Geometry,
        response: Array,
        weights: Array,
        offset: Array | None,
        factor: Array,
        l1_ratio: float,
        tol: float,
        max_iter: int,
        loss: str = "gaussian",
        fit_intercept: bool = True,
    ) -> None:
        self.why: list[str] = []
        self.deadline = math.inf
        self.geometry, self.l1_ratio = geometry, l1_ratio
        self.tol, self.max_iter = tol, max_iter
        self._excluded = geometry.constant | np.isinf(factor)
        self._candidates = np.flatnonzero(~self._excluded)
        factor = np.where(self._excluded, 0.0, factor)
        self._l1 = factor * geometry.penalty_scale
        self._l2 = self._l1 * geometry.penalty_scale
        self._free = np.flatnonzero(~self._excluded & (factor == 0.0))
        self._unit = 1.0 / geometry.penalty_scale
        self.working = NO_FEATURES
        self._columns = OutputColumns(geometry)
        self._gram_limit = int(math.sqrt(max(LEAST_GRAM, 0.5 * n_bytes(geometry.design)) / 8.0))
        self._rotation: Rotation | None = None
        self._start(response, weights, offset, loss, fit_intercept)
        self._set_lambda(math.inf)
        self._first_features()

    # -- the start -----------------------------------------------------------------------------

    def _start(
        self, response: Array, weights: Array, offset: Array | None, loss: str, intercept: bool
    ) -> None:
        """The null model, whose residual is the first reference."""
        g, seen = self.geometry, weights > 0.0
        y = np.where(seen, np.asarray(response, np.float64).T, 0.0)  # junk in rows of weight 0
        shift = np.zeros_like(y) if offset is None else np.where(seen, offset.T, 0.0)
        self.n_outputs = len(y)
        self._scale, self._centre, self.floor = 1.0, np.zeros(len(y)), 0.0
        if loss == "gaussian":
            self._response, self._centre, self._scale = unit_response(y - shift, g.root, intercept)
            self._yy = float(np.vdot(self._response, self._response))
            self._model: GroupModel = GramModel(self.n_outputs, self._yy)
            self.null = 0.5 * self._yy * self._scale**2
            residual, null = self._response, 0.5 * self._yy
        else:
            rows = Softmax(np.ascontiguousarray(y), shift, g.root, g.n_threads)
            model = RowwiseModel(self._columns, rows, intercept, True)
            if intercept:
                model.intercepts[:] = log_shares(y @ weights)
            model.start()
            model.settle(RowNorms(*np.zeros((2, 0))))
            self._model, self.floor = model, rows.infimum
            self.null = null = rows.value if rows.value > NOTHING else 0.0
            residual = rows.residual
        self._null = null or 1.0
        self._outside = GroupsOutside(g, self._excluded, residual)

    def _first_features(self) -> None:
        """Features that are in the working set from the beginning."""
        g, count = self.geometry, self._candidates.size
        smooth = self.l1_ratio == 0.0 and count > self._free.size
        if smooth:
            penalised = np.setdiff1d(self._candidates, self._free)
            if count > g.n and g.n <= MOST_ROWS and is_even(self._l2[penalised]):
                self._rotate(penalised)
            else:
                self._admit(np.setdiff1d(self._candidates, self.working))
        elif self._whole_gram_pays(0):
            self._admit(self._candidates)
        else:
            self.why.append("working set of features that grows as they enter")
            self._admit(self._free)

    def _rotate(self, penalised: Index) -> None:
        """Solve ridge in as many features as there are rows."""
        g = self.geometry
        self.why.append("ridge with more features than rows: as many features as rows")
        self._rotation = rotation = Rotation(g, self._free, penalised, self._l2)
        self.working, self._outside.inside[:] = self._candidates, True
        gram = rotation.rows @ rotation.rows.T
        if isinstance(self._model, GramModel):
            self._model.extend(gram, self._response @ rotation.rows.T)
        elif isinstance(self._model, RowwiseModel):
            columns = OutputColumns(g, rotation.rows)
            model = RowwiseModel(columns, self._model.rows, self._model.moves_intercept, True)
            model.coefs = model.coefs[:, :0]
            model.extend(gram, len(rotation.rows))
            model.intercepts = self._model.intercepts
            self._model = model

    # -- the path ------------------------------------------------------------------------------

    @property
    def units(self) -> Units:
        """What working units are worth: points come in the user's."""
        return Units(
            response=1.0,
            response_mean=0.0,
            objective=self.null or 1.0,
            floor=self.floor,
            null_deviance=2.0 * self.null,
            top=float(np.abs(self._outside.first).max(initial=0.0)) * self._scale,
        )

    def lambda_max(self) -> float:
        """Smallest lambda, as if l1_ratio were 1, at which all penalised coefficients are 0."""
        gradient = self._outside.first
        if self._free.size:
            self.solve_at(math.inf)
            gradient = self._gradient()
        penalised = ~self._excluded & (self._l1 > 0.0)
        if not penalised.any():
            return 0.0
        pull = lengths(gradient[:, penalised])
        return float(np.max(pull / self._l1[penalised])) * self._scale

    def path(self, lambdas: Array) -> Iterator[SolvedPoints]:
        """Points of the path, in the order of ``lambdas``."""
        for lambda_ in lambdas:
            yield self.solve_at(float(lambda_))

    def solve_at(self, lambda_: float) -> SolvedPoints:
        """Solve, certify and describe the point at one lambda."""
        self._set_lambda(lambda_)
        if self.working.size < self._candidates.size:
            self._admit(self._outside.reaching(self._penalty))
        self._model.start()
        n_iter = 0
        while True:
            n_iter += self._solve(self.max_iter - n_iter)
            gap, violators = self._certify()
            if gap <= self.tol or not violators.size or n_iter >= self.max_iter:
                return self._describe(gap, n_iter, violators)
            self._admit(violators)

    # -- predict -------------------------------------------------------------------------------

    def _set_lambda(self, lambda_: float) -> None:
        """Strengths for all features at one lambda, in working units."""
        # Any level above every gradient makes the same problem as infinity.
        t1, t2 = 1e150, 0.0
        if not math.isinf(lambda_):
            t1, t2 = lambda_ * self.l1_ratio / self._scale, lambda_ * (1.0 - self.l1_ratio)
        self._strengths = t1, t2
        self._penalty = RowNorms(t1 * self._l1, t2 * self._l2)

    def _local(self) -> RowNorms:
        """Strengths for the columns of the model."""
        if self._rotation is None:
            return self._penalty.at(self.working)
        t1, t2 = self._strengths
        return RowNorms(t1 * self._rotation.weights, t2 * self._rotation.weights)

    def _admit(self, features: Index) -> None:
        """Take features into the working set."""
        if not features.size:
            return
        complete = self._whole_gram_pays(features.size)
        if complete:
            self.why.append(f"all {self._candidates.size} features at once")
            features = np.flatnonzero(~self._outside.inside)
        size = self.working.size + features.size
        model, wanted = self._model, size <= self._gram_limit
        if isinstance(model, GramModel):
            whole = features.size == self._candidates.size and wanted
            if whole and isinstance(self.geometry.design, Dense):
                self._take(features)
                model.extend(gram_of_columns(self.geometry, features), self._products(features))
                self.geometry.passes += 1.0
                return
            if not wanted:
                model = self._leave_gram(model)
        block = self._columns.append(features, wanted)
        self._take(features)
        if isinstance(model, GramModel):
            assert block is not None
            model.extend(block, self._products(features))
        elif isinstance(model, RowwiseModel):
            model.extend(block, features.size)
            model.complete = self.working.size == self._candidates.size

    def _take(self, features: Index) -> None:
        self.working = np.concatenate([self.working, features])
        self._outside.inside[features] = True

    def _products(self, features: Index) -> Array:
        """Products (K, m) of features with the working response: gradients of the null model."""
        return np.ascontiguousarray(self._outside.first[:, features])

    def _leave_gram(self, old: GramModel) -> RowwiseModel:
        """Go on without a Gram matrix."""
        self.why.append(f"no Gram matrix beyond {self.working.size} working features")
        rows = Squares(self._response, self.geometry.root)
        model = RowwiseModel(self._columns, rows, False, False)
        model.coefs = old.coefs
        model.start()
        self._model = model
        return model

    def _whole_gram_pays(self, entering: int) -> bool:
        counts = self._candidates.size, self.working.size, entering
        return whole_gram_pays(self.geometry, *counts, self._gram_limit)

    # -- solve ---------------------------------------------------------------------------------

    def _solve(self, budget: int) -> int:
        """Solve on the working set; returns how many iterations that took."""
        model, penalty = self._model, self._local()
        target = INNER_SHARE * self.tol * self._null
        best, patience = math.inf, 0
        for done in range(1, budget + 1):
            if time.monotonic() > self.deadline:
                raise OutOfTimeError
            full = newton(model, penalty)
            model.settle(penalty)
            gap = self._gap(penalty)
            if gap <= target or done == budget:
                return done
            if gap > SLOW * best:
                model.solution.tighten()
            patience = 0 if gap < 0.9 * best else patience + 1
            best = min(best, gap)
            if patience > MOST_PATIENCE:
                return done
            if model.sweeps_cost_little or not full or self._someone_enters(penalty):
                model.sweep(penalty, target)
        return budget

    def _someone_enters(self, penalty: RowNorms) -> bool:
        """Whether a group of the working set that is 0 should not be."""
        idle = ~self._model.coefs.any(axis=0)
        beyond = lengths(self._model.gradients) > penalty.l1
        return bool(np.any(idle & beyond))

    def _gap(
        self, penalty: RowNorms, outside: RowNorms | None = None, G: Array | None = None
    ) -> float:
        """Duality gap at the best of three dual points; with features outside that violate."""
        model = self._model
        zero = np.zeros_like(G) if G is not None else None
        shrunk = penalty.shrinkage(model.gradients)
        if outside is not None and G is not None:
            shrunk = min(shrunk, outside.shrinkage(G))

        def gap_at(s: float) -> float:
            total = penalty.gap(model.gradients, model.coefs, s)
            if outside is not None and G is not None and zero is not None:
                total += outside.gap(G, zero, s)
            return total + model.divergence(s) + model.doubt(s)

        best = gap_at(1.0)
        if shrunk < 1.0:
            best = min(best, gap_at(shrunk))
        if best > 0.4 * model.loss:
            best = min(best, gap_at(0.0))
        return best

    # -- certify -------------------------------------------------------------------------------

    def _certify(self) -> tuple[float, Index]:
        """Relative duality gap over all features, and those outside that violate optimality."""
        violators = NO_FEATURES
        if self.working.size < self._candidates.size:
            violators = self._outside.violators(self._penalty, self._residual())
        outside = self._penalty.at(violators)
        return self._gap(
            self._local(), outside, self._outside.known(violators)
        ) / self._null, violators

    def _residual(self) -> Array:
        """Working residuals (K, n)."""
        model = self._model
        if isinstance(model, RowwiseModel):
            return model.rows.residual
        if self._rotation is not None:
            out: Array = self._response - model.coefs @ self._rotation.rows
            return out
        return self._response - self._columns.combine(model.coefs)

    def _gradient(self) -> Array:
        """Exact gradients (K, p) of all features."""
        if self._rotation is None and self.working.size == self._candidates.size:
            gradient = np.zeros((self.n_outputs, self.geometry.p))
            gradient[:, self.working] = self._model.gradients
            return gradient
        return self._outside.full_pass(self._residual())

    # -- record --------------------------------------------------------------------------------

    def _describe(self, gap: float, n_iter: int, violators: Index) -> SolvedPoints:
        model, p = self._model, self.geometry.p
        outside = (
            self._penalty.at(violators).excess(self._outside.known(violators))
            * self._unit[violators]
        )
        if self._rotation is None:
            B, order = model.coefs, np.argsort(self.working)
            inside = self._local().violations(model.gradients, B) * self._unit[self.working]
            rows, places = np.nonzero(B[:, order])
            features, coefs = rows * p + self.working[order][places], B[:, order][rows, places]
        else:
            B = self._rotation.coefs(model.coefs)
            inside = self._local().violations(model.gradients, model.coefs)
            rows, places = np.nonzero(B)
            features, coefs = rows * p + places, B[rows, places]
        loss, reached = model.loss, gap <= self.tol
        value = loss + self._local().value(model.coefs)
        intercepts = self._centre
        if isinstance(model, RowwiseModel) and isinstance(model.rows, Softmax):
            intercepts = model.intercepts - model.intercepts.mean()
        return SolvedPoints(
            indptr=np.array([0, features.size]),
            features=features,
            coefs=coefs * self._scale,
            objective=np.array([value / self._null]),
            gap=np.array([gap]),
            violation=np.array([max(inside.max(initial=0.0), outside.max(initial=0.0))])
            * self._scale,
            explained=np.array([1.0 - loss / self._null]),
            n_iter=np.array([n_iter]),
            working_set=self.working.size,
            reached=np.array([reached]),
            exhausted=n_iter >= self.max_iter,
            intercepts=intercepts[None].copy(),
        )

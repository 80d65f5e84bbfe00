"""The path of any smooth loss: proximal Newton steps on a working set.

Every step minimises a model of second order of the loss plus the penalty, on the machinery of the
gaussian family (`regpath.solvers.models`), and moves as far towards it as the objective falls
enough. The weights of a model are kept while its steps contract well.

Certificate: with v = s loss'(eta), 0 <= s <= 1, and g the gradient X~'r, primal minus dual value is

    gap(s) = sum_i w_i [loss(eta_i) + loss*(v_i) - v_i eta_i]
             + sum_j [phi_j(b_j) + phi_j*(s g_j) - s g_j b_j],

where no summand is negative; the intercept is exact, so that sum_i w_i v_i = 0.

References: Lee, Sun and Saunders (2014), Proximal Newton-type methods, SIAM J. Optim. 24; Friedman,
Hastie and Tibshirani (2010), section 3; Ndiaye et al. (2017), Gap safe screening rules, JMLR 18.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from regpath.designs import n_entries
from regpath.kernels.gap import penalty_gap, penalty_value, shrinkage, worst_violation
from regpath.kernels.newton import working_gap
from regpath.penalties import ElasticNet
from regpath.solvers.fused_moves import FusedMoves, is_fusible
from regpath.solvers.gaussian import OutOfTimeError
from regpath.solvers.geometry import Geometry
from regpath.solvers.models import Model
from regpath.solvers.moves import Moves, Point
from regpath.solvers.outside import Outside
from regpath.solvers.points import SolvedPoints, Units
from regpath.solvers.row_moves import RowSteps, is_frequent
from regpath.solvers.rows import ROW_COST, RowLoss, SmoothLoss
from regpath.solvers.threads import ENTRIES_PER_THREAD, threads_worth

__all__ = ["ProxNewtonSolver"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Share of the tolerance that the working set may use up; the rest is for the features outside.
INNER_SHARE = 0.8
# A model is minimised to this share of the gap that the last step left.
MODEL_SHARE = 0.03
# Where such a minimum does not move, it is sought more closely, down to this share.
LEAST_MODEL_SHARE = 1e-12
# Curvatures below this share of a typical one count as this share: models stay bounded.
LEAST_CURVATURE = 1e-10
# A step that leaves more than this share of the gap asks for a model with new weights.
# With several outputs models are dearer beside a step.
SLOW, SLOW_OF_MANY = 0.1, 0.2
# Features with a gradient of this share of their threshold stay in a new model. In tall problems,
# where all are looked at anyway, they enter with the first that reaches its threshold.
NEAR, NEAR_TALL = 0.9, 0.8
# Share of the root of the loss up to which gradients may be in doubt.
INDISTINCT = 1e-10
# Share of the slopes of an output by which their sum may miss zero, and share of all slopes, which
# is their rounding; beyond, intercepts are not the best ones.
OFF_CENTRE, LOST = 1e-7, 1e-15
# Steps without a gap that is a tenth smaller, after which only rounding is left.
MOST_PATIENCE = 25
# Times that the target of the working set is made ten times as tight for one point.
MOST_TIGHTENING = 4


class ProxNewtonSolver:
    """Warm-started solver of one problem along decreasing lambdas.

    Parameters
    ----------
    geometry : Geometry
        With any response.
    loss : SmoothLoss
    model_for : callable
        The model for a working set of some number of features.
    factor, lower, upper : ndarray of shape (p,)
        Penalty factors, and limits of the working coefficients. Excluded features have factor inf.
    l1_ratio, tol : float
        The tolerance is relative to half the null deviance.
    max_iter : int
    """

    def __init__(
        self,
        geometry: Geometry,
        loss: SmoothLoss,
        model_for: Callable[[int], Model],
        factor: Array,
        lower: Array,
        upper: Array,
        l1_ratio: float,
        tol: float,
        max_iter: int,
    ) -> None:
        g, K = geometry, loss.n_outputs
        self.n_outputs = K
        self.geometry, self.l1_ratio, self.tol, self.max_iter = g, l1_ratio, tol, max_iter
        self.deadline = math.inf
        self.why = ["proximal Newton steps on a working set, with a Gram matrix of kept weights"]
        self._loss, self._model_for, self._model = loss, model_for, model_for(0)
        self._never = np.tile(g.constant | np.isinf(factor) | ((lower == 0) & (upper == 0)), K)
        factor = np.where(self._never, 0.0, np.tile(factor, K))
        self._unit = np.tile(1.0 / g.penalty_scale, K)
        l1 = factor / self._unit
        limits = np.tile(lower, K) / loss.response, np.tile(upper, K) / loss.response
        # What a gradient of 1 is worth: in working units of l1, and in those of the user.
        self._own_slope = loss.unit
        self._slope = self._own_slope * loss.response
        self._penalty = ElasticNet(l1, l1 / self._unit, *limits, np.zeros(2))
        self._slow = SLOW_OF_MANY if K > 1 else SLOW
        self._near = NEAR_TALL if g.n > K * g.p else NEAR
        self._exclude(np.zeros(g.p, np.bool_))
        self._point = Point(*loss.centred(loss.start()))
        self._null_value = self._point.terms.value
        self.null = self._null_value or 1.0
        residual = self._null_residual = self._point.terms.residual.copy()
        gradient = g.gradients(residual).ravel()
        self._top = float(np.abs(gradient).max(initial=0.0))
        self._held = np.empty(0, np.int64)
        self._outside = Outside(g, self._penalty, self._excluded, residual, gradient)
        self._moves = Moves(g, loss, self._outside, self._point)
        self._last: Moves | RowSteps = self._moves
        compiled = loss.compiled is not None and is_frequent(g.design)
        self._row_steps = RowSteps(g, loss, self._point) if compiled else None
        self._fused = None
        if isinstance(loss, RowLoss) and is_fusible(g.design):
            self._fused = FusedMoves(g, loss, self._outside, self._point)
        self._working = np.empty(0, np.int64)
        self._b = self._gradient = np.empty(0)
        self._local = self._penalty.at(self._working)

    @property
    def units(self) -> Units:
        """What working units are worth."""
        unit = self._loss.unit * self._loss.response**2
        return Units(
            response=self._loss.response,
            response_mean=0.0,
            objective=self.null * unit,
            floor=self._loss.floor * unit,
            null_deviance=2.0 * self._null_value * unit,
            top=self._top * self._slope,
            by_conjugate=self._loss.has_conjugate,
        )

    @property
    def residual(self) -> Array:
        """Residual (K, n) at the present point, in working units of l1."""
        return self._point.terms.residual * self._own_slope

    @property
    def null_residual(self) -> Array:
        """Residual (K, n) of the null model, in units of the user."""
        return self._null_residual * self._slope

    # -- the path ------------------------------------------------------------------------------

    def lambda_max(self) -> float:
        """Smallest lambda times l1_ratio at which all penalised coefficients are zero."""
        if self._free.size:
            self.solve_at(math.inf)
            if self._penalised.any():
                self._outside.full_pass(self._point.terms.residual)
        gradient, penalty = self._outside.gradient, self._penalty
        pull = np.where(gradient > 0.0, penalty.upper > 0.0, penalty.lower < 0.0)
        some = self._penalised & pull
        if not some.any():
            return 0.0
        return float(np.max(np.abs(gradient[some]) / penalty.l1[some])) * self._own_slope

    def path(self, lambdas: Array) -> Iterator[SolvedPoints]:
        """Points of the path, in the order of ``lambdas``."""
        for lambda_ in lambdas.tolist():
            yield self.solve_at(lambda_)

    def solve_at(self, lambda_: float) -> SolvedPoints:
        """Solve, certify and describe the point at one lambda."""
        shares = np.array([self.l1_ratio, (1.0 - self.l1_ratio) * self._loss.response])
        shares /= self._slope
        # Any level above every gradient makes the same problem as infinity.
        self._penalty.strength[:] = (1e150, 0.0) if math.isinf(lambda_) else lambda_ * shares
        self._hold()
        self._admit(self._entering())
        target, n_iter, tightened = INNER_SHARE * self.tol * self.null, 0, 0
        while True:
            n_iter += self._descend(target, self.max_iter - n_iter)
            gap, violators = self._certify()
            if gap <= self.tol * self.null or n_iter >= self.max_iter:
                return self._describe(gap, n_iter, violators)
            if not violators.size:
                if tightened == MOST_TIGHTENING:
                    return self._describe(gap, n_iter, violators)
                tightened += 1
                target *= 0.1
            self._admit(violators)

    def restrict(self, columns: Index, *, afresh: bool = False) -> None:
        """Exclude all columns but these; the next point begins where the last one ended.

        If that fits worse without the others than the null model does, it begins there, as it does
        with ``afresh``.
        """
        others = np.ones(self.geometry.p, np.bool_)
        others[columns] = False
        self._exclude(others)
        inside, kept = self._outside.inside, ~self._excluded[self._working]
        if afresh or not kept.all():
            self._keep(kept)
            self._move_to(self._b)
            if afresh or not self._point.terms.value <= self._null_value:
                self._point.intercepts = np.zeros(self.n_outputs)
                self._move_to(np.zeros(self._b.size))
            self._new_model(LEAST_CURVATURE)
        inside[:] = self._excluded
        inside[self._working] = inside[self._held] = True
        self._hold()
        self._admit(np.flatnonzero(~inside))

    # -- the working set -----------------------------------------------------------------------

    def _exclude(self, columns: NDArray[np.bool_]) -> None:
        """Let some columns have no coefficients, beside those that never have any."""
        penalty, p = self._penalty, self.geometry.p
        self._excluded = self._never | np.tile(columns, self.n_outputs)
        self._penalised = ~self._excluded & (penalty.l1 > 0.0)
        self._free = np.flatnonzero(~self._excluded & (penalty.l1 == 0.0))
        unlimited = np.isinf(penalty.lower[-p:]) & np.isinf(penalty.upper[-p:])
        self._shared = ~self._excluded[-p:] & unlimited & (self.n_outputs > 1)

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        """Let the others leave the working set."""
        self._working = self._working[kept]
        self._b, self._gradient = self._b[kept], self._gradient[kept]
        self._local = self._penalty.at(self._working)

    def _move_to(self, b: Array) -> None:
        """Be where the coefficients of the working set are these."""
        point = self._point
        eta = self._moves.predictor(self._working, b) + point.intercepts[:, None]
        shift, point.eta, point.terms = self._loss.centred(eta)
        point.intercepts = point.intercepts + shift
        self._b = b
        self._look()

    def _look(self) -> None:
        """Compute the gradients of the working set."""
        self._gradient = self._outside.gradient_of(self._point.terms.residual, self._working)
        self._last = self._moves

    def _entering(self) -> Index:
        """Features outside whose estimated gradient reaches its threshold, and unpenalised ones."""
        gradient = self._outside.gradient
        reaching = self._outside.reaching(gradient)
        if reaching.size and self._near == NEAR_TALL:
            reaching = self._outside.reaching(gradient, self._near)
        absent = self._free[~self._outside.inside[self._free]]
        return np.union1d(reaching, absent) if absent.size else reaching

    def _hold(self) -> None:
        """Hold the last class at 0 where there is no penalty on what all classes have in common.

        Probabilities do not notice that part; models would be singular with it.
        """
        if self.n_outputs == 1:
            return
        p, last = self.geometry.p, (self.n_outputs - 1) * self.geometry.p
        flat = self._shared & (self._penalty.l1[last:] * self._penalty.strength.sum() == 0.0)
        held = np.flatnonzero(flat) + last
        if np.array_equal(held, self._held):
            return
        common, leaving = np.zeros(p), np.isin(self._working, held)
        common[self._working[leaving] - last] = self._b[leaving]
        moving = np.flatnonzero(np.tile(common != 0.0, self.n_outputs))
        self._admit(moving[~self._outside.inside[moving]])
        kept = ~np.isin(self._working, held)
        self._keep(kept)
        self._b -= common[self._working % p]
        self._outside.inside[self._held] = self._excluded[self._held]
        self._outside.inside[held] = True
        self._held = held
        if moving.size:
            self._move_to(self._b)
        if leaving.any():
            self._new_model(LEAST_CURVATURE)

    def _admit(self, features: Index) -> None:
        """Take features into the working set."""
        if not features.size:
            return
        self._working = np.concatenate([self._working, features])
        self._outside.inside[features] = True
        self._b = np.concatenate([self._b, np.zeros(features.size)])
        exact = self._outside.gradient_of(self._point.terms.residual, features)
        self._gradient = np.concatenate([self._gradient, exact])
        self._local = self._penalty.at(self._working)
        if self._model.size:
            self._model.extend(features)

    def _renew(self) -> None:
        """A model at the present weights, of the features that are, or nearly are, active."""
        near = np.abs(self._gradient) >= self._near * self._local.threshold(slice(None))
        kept = near | (self._b != 0.0)
        left = self._working[~kept]
        self._outside.inside[left] = False
        self._keep(kept)
        self._new_model(self._least)

    def _new_model(self, least: float) -> None:
        self._model = self._model_for(self._working.size)
        self._model.renew(self._working, self._point.terms, least)

    # -- solve ---------------------------------------------------------------------------------

    def _descend(self, target: float, budget: int) -> int:
        """Steps on the working set to a gap of ``target``; returns how many."""
        done, patience, gap = 0, 0, self._gap()
        best, fresh, share, self._least = gap, False, MODEL_SHARE, LEAST_CURVATURE
        while gap > target and done < budget and patience < MOST_PATIENCE:
            if time.monotonic() > self.deadline:
                raise OutOfTimeError
            if not self._model.size:
                self._renew()
                fresh = True
            moved = self._step(share * self._model_gap(gap))
            done += 1
            if not moved and fresh:
                if share < LEAST_MODEL_SHARE:
                    break
                share *= 1e-3
                self._least *= 100.0
            last, gap = gap, self._gap()
            patience = 0 if gap < 0.9 * best else patience + 1
            best = min(best, gap)
            fresh = False
            # Where lambda falls, all active gradients leave their thresholds alike: the gap before
            # the first step is of second order, and what the step leaves is of first.
            alike = done == 1 and self._penalty.strength[0] > 0.0
            if gap > target and (not moved or (gap > self._slow * last and not alike)):
                self._renew()
                fresh = True
        return done

    def _model_gap(self, gap: float) -> float:
        """What a gap is in a model: without a conjugate, gaps are of first order in violations."""
        if self._loss.has_conjugate or gap >= self._point.terms.value:
            return gap
        return min(gap, 0.5 * (gap / self._point.terms.value) ** 2 * self._point.terms.square)

    def _step(self, target: float) -> bool:
        """One step towards the minimum of the model; returns whether the objective fell."""
        b, g, model = self._b, self._gradient, self._model
        new = model.minimise(self._local, b, g, self._point.terms, target, self.max_iter)
        old_b, old_g, scale = b.copy(), g.copy(), self.null + abs(self._loss.floor)
        moves = self._take_with()
        moved = moves.take(model, self._working, self._local, b, g, new, scale)
        if moved:
            model.learn(b - old_b, old_g - g)
            self._last = moves
        return moved

    def _take_with(self) -> Moves | RowSteps:
        """Who takes a step: compiled, in one read of many rows, or of any kind."""
        g = self.geometry
        entries = n_entries(g.design) * self._b.size // g.p
        if self._fused and entries + ROW_COST * g.n >= ENTRIES_PER_THREAD:
            return self._fused
        if self._row_steps and (self._fused or threads_worth(entries, g.n_threads) == 1):
            return self._row_steps
        return self._moves

    # -- certify -------------------------------------------------------------------------------

    def _gap(self) -> float:
        """Gap on the working set, its loss part to second order."""
        terms, exact = self._point.terms, self._loss.has_conjugate
        arguments = self._gradient, self._b, terms.value, terms.square, exact
        return float(working_gap(self._local, *arguments))

    def _certify(self) -> tuple[float, Index]:
        """Duality gap over all features, and those outside that violate optimality."""
        indistinct = INDISTINCT * math.sqrt(max(self._point.terms.value, 0.0))
        if not self._last.doubt <= indistinct:  # nor where a step that failed has overflown
            self._look()
        if self._outside.is_empty:
            self._outside.complete(self._working, self._gradient)
            violators = np.empty(0, np.int64)
        else:
            violators = self._outside.violators(self._point.terms.residual)
        b, g, local = self._b, self._gradient, self._local
        others, outside = self._penalty.at(violators), self._outside.gradient[violators]
        shrunk = min(
            float(shrinkage(local, g, b.size)), float(shrinkage(others, outside, outside.size))
        )

        def at(s: float) -> float:
            part = float(penalty_gap(local, g, b, b.size, others, outside, s))
            return part + self._loss.gap(self._point.eta, self._point.terms, s)

        gap = at(shrunk) if self._is_centred() else math.inf
        if shrunk < 1.0 and self.tol * self.null < gap < math.inf:
            gap = min(gap, at(1.0))
        if not gap <= self._point.terms.value:  # which is the least that s = 0 has to offer
            gap = min(gap, at(0.0))
        return gap, violators

    def _is_centred(self) -> bool:
        """Whether slopes sum to zero, as they do at the best intercepts: else s = 0 alone holds."""
        if not self._loss.fit_intercept:
            return True
        weighted = self._point.terms.residual * self.geometry.root
        off, size = np.abs(weighted.sum(axis=1)), np.abs(weighted).sum(axis=1)
        return bool(np.all(off <= OFF_CENTRE * size + LOST * size.sum()))

    # -- record --------------------------------------------------------------------------------

    def _support(self) -> tuple[Index, Array]:
        """Features that are not zero, and their coefficients; of mean 0 where a class is held."""
        if not self._held.size:
            support = np.flatnonzero(self._b)
            return self._working[support], self._b[support]
        b = np.zeros(self._excluded.size)
        b[self._working] = self._b
        B, j = b.reshape(self.n_outputs, -1), self._held % self.geometry.p
        B[:, j] -= B[:, j].mean(axis=0)
        features = np.flatnonzero(b)
        return features, b[features]

    def _describe(self, gap: float, n_iter: int, violators: Index) -> SolvedPoints:
        b, local = self._b, self._local
        features, coefs = self._support()
        value = self._point.terms.value + float(penalty_value(local, b, b.size))
        outside, zeros = self._outside.gradient[violators], np.zeros(violators.size)
        others = self._penalty.at(violators)
        violation = max(
            float(worst_violation(local, self._gradient, b, b.size, self._unit[self._working])),
            float(worst_violation(others, outside, zeros, zeros.size, self._unit[violators])),
        )
        return SolvedPoints(
            indptr=np.array([0, features.size]),
            features=features,
            coefs=coefs,
            objective=np.array([value / self.null]),
            gap=np.array([gap / self.null]),
            violation=np.array([violation * self._own_slope]),
            explained=np.array([1.0 - self._point.terms.value / self.null]),
            n_iter=np.array([n_iter]),
            working_set=b.size,
            reached=np.array([gap <= self.tol * self.null]),
            exhausted=n_iter >= self.max_iter,
            intercepts=self._point.intercepts[None].copy(),
        )

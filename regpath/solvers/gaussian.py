"""The gaussian path: predict, solve, certify, record.

Reference for the ideas: Friedman, Hastie and Tibshirani (2010) for the path of warm starts; Fercoq,
Gramfort and Salmon (2015) for duality-gap certificates; Osborne, Presnell and Turlach (2000) for
Newton steps on the active set.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from regpath.designs import Dense
from regpath.kernels import quadratic
from regpath.kernels.gap import dual_gap, worst_violation
from regpath.penalties import ElasticNet
from regpath.solvers.forecast import MOST, Forecast
from regpath.solvers.geometry import Geometry
from regpath.solvers.gram import GramCore, Outcome, largest_gram, whole_gram_pays
from regpath.solvers.outside import Outside
from regpath.solvers.points import NULL, SolvedPoints, Units
from regpath.solvers.products import gram_of_columns
from regpath.solvers.residual import SPARSE_SWEEP_COST, ResidualCore
from regpath.solvers.working import start_residual, working_columns

__all__ = ["ActiveSetSolver", "OutOfTimeError"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Share of the tolerance that the working set may use up; the rest is for the features outside.
INNER_SHARE = 0.3
# Working-set size from which descent on sparse columns is tried.
FIRST_TRIAL = 300
# Iterations between two looks at the clock, and operations.
CHUNK = 200
OPERATIONS_AT_ONCE = 2_000_000


class OutOfTimeError(Exception):
    """The time budget was used up before a point was finished."""


@dataclass
class ActiveSetSolver:
    """Warm-started solver of one problem along decreasing lambdas.

    Parameters
    ----------
    geometry : Geometry
    factor, lower, upper : ndarray of shape (p,)
        Penalty factors, and limits of the working coefficients. Excluded features have factor inf.
    l1_ratio : float
    tol : float
        Bound of the relative duality gap.
    max_iter : int
        Iterations a point may take.
    """

    geometry: Geometry
    factor: Array
    lower: Array
    upper: Array
    l1_ratio: float
    tol: float
    max_iter: int
    deadline: float = math.inf
    why: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        g = self.geometry
        self._excluded = (
            g.constant | np.isinf(self.factor) | ((self.lower == 0) & (self.upper == 0))
        )
        self._candidates = np.flatnonzero(~self._excluded)
        self._free = np.flatnonzero(~self._excluded & (self.factor == 0.0))
        factor = np.where(self._excluded, 0.0, self.factor)
        l1 = factor * g.penalty_scale
        l2 = l1 * g.penalty_scale
        # Copies: limits that are one number for all would make kernels of another type.
        self._penalty = ElasticNet(l1, l2, self.lower.copy(), self.upper.copy(), np.zeros(2))
        self._yy = float(g.response @ g.response)
        self.working = np.empty(0, np.int64)
        # Of sparse columns, vectors as long as X is wide cost more than X: one point at a time.
        together = MOST if isinstance(g.design, Dense) else 1
        first = g.response[None], g.product
        self._outside = Outside(g, self._penalty, self._excluded, *first, together)
        self._forecast = Forecast(self._outside, self._penalty)
        self._columns = working_columns(g)
        self._gram = GramCore(self._yy, g.p if self.l1_ratio < 1.0 else min(g.n, g.p))
        self.core: GramCore | ResidualCore = self._gram
        self._unit = 1.0 / g.penalty_scale
        self._localise()
        self._gram_limit = largest_gram(g.design)
        self._next_trial: float = math.inf if isinstance(g.design, Dense) else FIRST_TRIAL
        if self._whole_gram_pays(0):
            self._admit(self._candidates)
        else:
            self.why.append("working set with a Gram matrix that grows as features enter")
            self._admit(self._free)

    @property
    def units(self) -> Units:
        """What working units are worth."""
        return self.geometry.units

    def continue_from(self, other: ActiveSetSolver) -> None:
        """Take over what a solver of the same data has gathered, whatever its l1_ratio."""
        if other.core is not other._gram or other.working.size <= self.working.size:
            return
        self.working, self._columns = other.working, other._columns
        self._localise()
        self._outside.continue_from(other._outside)
        self._gram.adopt(other._gram.gram, self.geometry.product[self.working])

    # -- the path ------------------------------------------------------------------------------

    def lambda_max(self) -> float:
        """Smallest lambda, in working units of l1, at which all penalised coefficients are zero."""
        if self._free.size:
            self._solve_at(self._strengths(np.array([math.inf]))[0])
            if self.working.size < self._candidates.size:
                self._outside.full_pass(self._residual()[None])
        gradient = self._outside.gradient
        pull = np.where(gradient > 0.0, self.upper > 0.0, self.lower < 0.0)
        penalised = ~self._excluded & (self.factor > 0.0) & pull
        if not penalised.any():
            return 0.0
        return float(np.max(np.abs(gradient[penalised]) / self._penalty.l1[penalised]))

    def path(self, lambdas: Array) -> Iterator[SolvedPoints]:
        """Points of the path, in the order of ``lambdas``, which are in working units."""
        strengths, k = self._strengths(lambdas), 0
        while k < lambdas.size:
            count = self._look_ahead(lambdas, strengths, k)
            if count > 1:
                points = self._follow(strengths[k : k + count])
                k += points.size
                yield points
                if points.size == count:
                    continue
            yield self._solve_at(strengths[k])  # or the point that stopped the others
            k += 1

    def _solve_at(self, strength: Array) -> SolvedPoints:
        """Solve, certify and describe the point at one strength of the penalty."""
        self._penalty.strength[:] = strength
        n_iter = 0
        while True:
            outcome = self._solve(self.max_iter - n_iter)
            n_iter += outcome.iterations
            figures, violators = self._certify(outcome.code)
            reached = figures[quadratic.GAP] <= self.tol * NULL
            if reached or not violators.size or n_iter >= self.max_iter:
                return self._describe(figures, n_iter)
            self._admit(violators)

    def _follow(self, strengths: Array) -> SolvedPoints:
        """Points that the working set suffices for: nothing outside of it adds to their gaps."""
        target, budget = INNER_SHARE * self.tol * NULL, min(self.max_iter, CHUNK)
        unit, working = self._local_unit, self.working
        _, coefs, figures = self.core.follow(self._local, strengths, unit, target, budget)
        if len(coefs) and working.size < self._candidates.size:
            residuals = np.stack([self._residual_of(b)[None] for b in coefs])
            sound, violators = self._outside.first_violated(residuals, strengths[: len(coefs)])
            coefs, figures = coefs[:sound], figures[:sound]
            self._admit(violators)
        rows, places = coefs.nonzero()
        gap, rr, value, violation, n_iter = figures.T
        return SolvedPoints(
            indptr=np.searchsorted(rows, np.arange(len(coefs) + 1)),
            features=working[places],
            coefs=coefs[rows, places],
            objective=(0.5 * rr + value) / NULL,
            gap=gap / NULL,
            violation=violation,
            explained=self._yy - rr,
            n_iter=n_iter.astype(np.int64),
            working_set=working.size,
            reached=gap / NULL <= self.tol,
            exhausted=False,
        )

    # -- predict -------------------------------------------------------------------------------

    def _strengths(self, lambdas: Array) -> Array:
        """Factors of the L1 and L2 terms in working units, a row each lambda."""
        shares = [self.l1_ratio / self.geometry.response_scale, 1.0 - self.l1_ratio]
        strengths = np.outer(np.where(np.isinf(lambdas), 0.0, lambdas), shares)
        # Any level above every gradient makes the same problem as infinity.
        strengths[np.isinf(lambdas)] = 1e150, 0.0
        return strengths

    def _look_ahead(self, lambdas: Array, strengths: Array, k: int) -> int:
        """Admit what the next points need, as far as can be told; how many to solve in one go."""
        size, left = self.working.size, lambdas.size - k
        if size == self._candidates.size:
            # So many take about a millisecond: the path looks at the clock in between.
            soon = OPERATIONS_AT_ONCE // max(size, 1) ** 2
            return min(max(soon, 1), left) if self.core is self._gram and size else 1
        before = float(lambdas[k - 1]) if k else math.inf
        count, features = self._forecast.entering(before, lambdas[k:], strengths[k:], size)
        self._admit(features)
        if self.core is self._gram and self.working.size >= self._next_trial:
            return 1
        return count if math.isinf(self.deadline) else 1

    def _admit(self, features: Index) -> None:
        """Take features into the working set."""
        if not features.size:
            return
        if self._whole_gram_pays(features.size):
            if isinstance(self.geometry.design, Dense):
                return self._take_whole_gram()
            self.why.append(f"Gram matrix of all {self._candidates.size} features at once")
            features = np.flatnonzero(~self._outside.inside)
        size = self.working.size + features.size
        in_gram = self.core is self._gram and size <= self._gram_limit
        if self.core is self._gram and not in_gram:
            self._leave_gram(self._residual_core(), "their Gram matrix is too large")
        self.working = np.concatenate([self.working, features])
        self._outside.inside[features] = True
        self._localise()
        block = self._columns.append(features, in_gram)
        if isinstance(self.core, ResidualCore):
            self.core.extend(features.size)
        elif block is not None:
            self.core.extend(block, self.geometry.product[features])

    def _localise(self) -> None:
        """Penalty and units of the working set."""
        self._local = self._penalty.at(self.working)
        self._local_unit = self._unit[self.working]

    def _take_whole_gram(self) -> None:
        """Put every feature into the Gram matrix by one symmetric product; X is done with."""
        self.why.append(f"Gram matrix of all {self._candidates.size} features at once")
        coefs = np.zeros(self.geometry.p)
        coefs[self.working] = self.core.coefs
        self.working = self._candidates
        self._outside.inside[:] = True
        self._localise()
        products = self.geometry.product[self.working]
        self._gram.adopt(gram_of_columns(self.geometry, self.working), products)
        self._gram.start_at(coefs[self.working])
        self.geometry.passes += 1.0

    def _residual_core(self) -> ResidualCore:
        return ResidualCore(self._columns, self.geometry.response, self.core.coefs)

    def _leave_gram(self, core: ResidualCore, why: str) -> None:
        self.why.append(f"residual form beyond {self.working.size} working features: {why}")
        self.core = core
        self._gram = GramCore(self._yy, 0)

    # -- solve ---------------------------------------------------------------------------------

    def _solve(self, budget: int) -> Outcome:
        """Solve on the working set, looking at the clock now and then."""
        target, done = INNER_SHARE * self.tol * NULL, 0
        if self.core is self._gram and self.working.size >= self._next_trial:
            self._try_residual_form(target)
        while True:
            if time.monotonic() > self.deadline:
                raise OutOfTimeError
            chunk = min(budget - done, CHUNK)
            outcome = self.core.solve(self._local, target, chunk, self._local_unit)
            done += outcome.iterations
            if outcome.code != quadratic.EXHAUSTED or done >= budget:
                return outcome._replace(iterations=done)

    def _try_residual_form(self, target: float) -> None:
        """Descend on sparse columns as long as the Gram form would take; stay if that was enough.

        Which form is cheaper depends on the correlation of the columns, which nothing but a trial
        tells. Counts of operations decide, not clocks, so that a path is reproducible.
        """
        active = np.count_nonzero(self.core.coefs)
        gram_cost = 3 * active * (self.working.size + 2 * active)
        epochs = int(gram_cost / (SPARSE_SWEEP_COST * max(self._columns.entries, 1)))
        if epochs < ResidualCore.ROUND:
            return
        self._next_trial = 2 * self.working.size
        trial = self._residual_core()
        if trial.solve(self._local, target, epochs).code == quadratic.CONVERGED:
            self._leave_gram(
                trial, "descent on such sparse columns is cheaper than their Gram matrix"
            )

    # -- certify -------------------------------------------------------------------------------

    def _certify(self, code: int) -> tuple[Array, Index]:
        """Figures as in `GramCore.follow`, and the features outside that violate optimality."""
        if self.working.size == self._candidates.size:
            self._outside.complete(self.working, self.core.gradients)
            violators = np.empty(0, np.int64)
        else:
            violators = self._outside.violators(self._residual()[None])
        core, local = self.core, self._local
        figures = core.described(local, self._local_unit)
        if violators.size or code != quadratic.CONVERGED:
            g, b, rr = core.gradients, core.coefs, figures[quadratic.RESIDUAL_SQUARE]
            others, unit = self._penalty.at(violators), self._unit[violators]
            outside, zeros = self._outside.gradient[violators], np.zeros(unit.size)
            beyond = worst_violation(others, outside, zeros, violators.size, unit)
            figures[quadratic.GAP] = dual_gap(local, g, b, core.size, others, outside, rr)
            figures[quadratic.VIOLATION] = max(figures[quadratic.VIOLATION], beyond)
        figures[quadratic.GAP] += core.doubt
        return figures, violators

    def _residual(self) -> Array:
        core = self.core
        if isinstance(core, ResidualCore):
            return self._columns.plain_residual(core.residual)
        return self._residual_of(core.coefs)

    def _residual_of(self, b: Array) -> Array:
        r = start_residual(self._columns, self.geometry.response, b)
        return self._columns.plain_residual(r)

    # -- record --------------------------------------------------------------------------------

    def _describe(self, figures: Array, n_iter: int) -> SolvedPoints:
        # Numbers, not arrays of one: these lines run between all kernels of a path.
        gap, rr, value, violation, _ = figures.tolist()
        b = self.core.coefs
        support = b.nonzero()[0]
        return SolvedPoints(
            indptr=np.array([0, support.size]),
            features=self.working[support],
            coefs=b[support],
            objective=np.array([(0.5 * rr + value) / NULL]),
            gap=np.array([gap / NULL]),
            violation=np.array([violation]),
            explained=np.array([self._yy - rr]),
            n_iter=np.array([n_iter]),
            working_set=b.size,
            reached=np.array([gap / NULL <= self.tol]),
            exhausted=n_iter >= self.max_iter,
        )

    # -- strategy ------------------------------------------------------------------------------

    def _whole_gram_pays(self, entering: int) -> bool:
        counts = self._candidates.size, self.working.size, entering
        return whole_gram_pays(self.geometry, *counts, self._gram_limit)

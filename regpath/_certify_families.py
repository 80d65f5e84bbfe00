"""Certificates for every family but gaussian, in plain NumPy; see `certify_family`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from regpath._stated_design import BLOCK_ENTRIES, EPS
from regpath._stated_family import StatedFamily
from regpath._stated_newton import refit_block, refit_intercept
from regpath._stated_penalty import GroupPenalty, Penalty

if TYPE_CHECKING:
    from regpath.result import Path

__all__ = ["certify_family"]

Array = NDArray[np.float64]
AnyPenalty: TypeAlias = Penalty | GroupPenalty

WEAK = 1e-12
"""Share of the null model's largest gradient below which a penalty is close to none."""

LARGEST_REFIT = 1000
"""Coefficients without a penalty up to which they are refitted together."""

SEARCHES = 14
GOLDEN = (np.sqrt(5) - 1) / 2


@dataclass(frozen=True, eq=False)
class _Null:
    """The model of intercept and offset: half its deviance, largest gradient, curvature."""

    objective: float
    gradient: float
    curvature: float


def certify_family(path: Path, problem: StatedFamily) -> tuple[Array, Array, Array, Array, float]:
    """Objectives, absolute gaps, relative gaps, KKT violations and the null half-deviance.

    With w the weights (sum 1), u_i minus the derivative of the loss at eta_i, v = -s u with
    0 <= s <= 1, and g_j = x~_j' W u, the gap at the point (b, eta) is

        sum_i w_i [loss(eta_i) + loss*(v_i) - v_i eta_i] + sum_j [phi_j(b_j) + phi_j*(s g_j)
        - s g_j b_j]

    and every summand is >= 0. It is valid only where X~' W u = 0 for the intercept and for
    features without penalty and limits. Hence these are refitted first, at the reported other
    coefficients; the gap of the reported point is the gap there, plus what the refit has gained.
    Whatever is left of such a product beyond rounding makes the gap infinite unless s = 0, where
    it is the excess of the loss over its infimum, plus the penalty.

    s is taken at the largest feasible value, at 0, and where a search of the convex function
    s -> gap ends; each is an upper bound, and the smallest counts.
    """
    lambdas = np.asarray(path.lambdas, dtype=np.float64)
    null = _null_model(problem)
    K, exponent = problem.loss.outputs, problem.exponent
    p = problem.factor.size
    intercepts = np.asarray(path.intercepts, dtype=np.float64).reshape(-1, lambdas.size)
    result = np.empty((3, lambdas.size))
    step = max(1, BLOCK_ENTRIES // (K * max(problem.weights.size, p, 1)))
    l1, l2 = np.ldexp(lambdas * path.l1_ratio, -exponent), lambdas * (1 - path.l1_ratio)
    weak = (l1 <= WEAK * null.gradient) & (l2 <= WEAK * null.curvature)
    strong = np.isfinite(lambdas) & ~weak
    for kind, width in ((np.isinf(lambdas), step), (weak, 1), (strong, step)):
        where = np.flatnonzero(kind)
        for start in range(0, where.size, width):
            k = where[start : start + width]
            stored = path.coef_storage[:, k]
            coefs = stored if isinstance(stored, np.ndarray) else stored.toarray()
            coefs = coefs.reshape(K, p, k.size).transpose(1, 0, 2)
            result[:, k] = _certify_block(
                problem,
                null,
                _penalty(problem, lambdas[k], path.l1_ratio),
                _units(null, np.ldexp(lambdas[k], -exponent)),
                np.ldexp(coefs, -exponent),
                np.ldexp(intercepts[:, k], -exponent),
            )
    objectives, gaps, violations = result
    relative = np.where(gaps <= problem.loss.rounding, 0.0, np.inf)
    if null.objective > 0:
        relative = gaps / null.objective
    twice = 2 * exponent
    half_deviance = float(np.ldexp(null.objective, twice))
    gaps = np.ldexp(gaps, twice)
    return np.ldexp(objectives, twice), gaps, relative, violations, half_deviance


def _units(null: _Null, lambdas: Array) -> Array:
    """What a KKT violation is divided by."""
    return np.where((lambdas == 0) | np.isinf(lambdas), null.gradient, lambdas)


def _null_model(problem: StatedFamily) -> _Null:
    loss, weights = problem.loss, problem.weights
    eta = np.array(problem.offset[:, :, None])
    if problem.fit_intercept:
        eta += refit_intercept(loss, weights, eta)
    objective = float(loss.excess(eta)[0])
    gradient = problem.correlate(loss.slope(eta))[problem.kept]
    size = np.sqrt((gradient**2).sum(axis=1)) if problem.grouped else np.abs(gradient)
    ones = np.ones((weights.size, 1))
    curvature = float(np.trace(loss.hessian(eta, ones))) if loss.has_intercept else 1.0
    return _Null(
        objective=objective if objective > loss.rounding else 0.0,
        gradient=float(size.max(initial=0)),
        curvature=curvature,
    )


def _penalty(problem: StatedFamily, lambdas: Array, l1_ratio: float) -> AnyPenalty:
    """phi_j at each lambda. At lambda = inf every penalised feature is out (its coefficient 0)."""
    factor = np.where(problem.kept, problem.factor, 0)
    kept = problem.kept & ((factor == 0) | np.isfinite(lambdas).all())
    strength = factor[:, None, None] * np.where(np.isinf(lambdas), 0, lambdas)
    l1 = np.ldexp(strength * l1_ratio, -problem.exponent)
    l2 = strength * (1 - l1_ratio)
    if problem.grouped:
        return GroupPenalty(l1, l2, kept)
    scale = np.ldexp(problem.design.scale, -problem.exponent)
    lower = np.where(kept, problem.lower * scale, 0)[:, None, None]
    upper = np.where(kept, problem.upper * scale, 0)[:, None, None]
    return Penalty(l1, l2, lower, upper, kept)


# --- one block of lambdas -----------------------------------------------------------------------


def _certify_block(
    problem: StatedFamily,
    null: _Null,
    penalty: AnyPenalty,
    units: Array,
    coefs: Array,
    intercepts: Array,
) -> Array:
    """Objective, absolute gap and relative KKT violation, shape (3, k), in units of scaled y."""
    loss, kept = problem.loss, penalty.kept
    b = coefs * problem.design.scale[:, None, None]
    impossible = (b[~kept] != 0).any(axis=(0, 1))
    if isinstance(penalty, Penalty):
        impossible |= ((b < penalty.lower) | (b > penalty.upper)).any(axis=(0, 1))
    if not problem.fit_intercept and loss.has_intercept:
        impossible |= (intercepts != 0).any(axis=0)
    eta = problem.offset[:, :, None] + problem.times(coefs)
    if loss.has_intercept:
        eta += intercepts
    b[~kept] = 0

    excess, value = loss.excess(eta), penalty.value(b).sum(axis=(0, 1))
    reported = excess + value
    objective = reported + loss.infimum
    if problem.fit_intercept:
        eta += refit_intercept(loss, problem.weights, eta)
    t = _products(problem, penalty, eta)
    violation = penalty.size(penalty.excess(b, t)).max(axis=(0, 1), initial=0)
    violation = np.where(violation == 0, 0, violation / units)
    bare = _bare(problem, null, penalty)
    if bare.any() and (bare.sum() + 1) * loss.outputs <= LARGEST_REFIT:
        b, eta = _refit(problem, penalty, bare, b, eta)
        t = _products(problem, penalty, eta)
    refitted = loss.excess(eta) + penalty.value(b).sum(axis=(0, 1))
    gap = _smallest_gap(problem, null, penalty, b, eta, t)
    # Without a refit worth the name, P(b) - inf P is at most what P(b) is above its infimum.
    gap = np.fmin(gap + np.maximum(reported - refitted, 0), reported)
    for array in (objective, gap, violation):
        array[impossible | np.isnan(array)] = np.inf
    return np.stack([objective, gap, violation])


def _products(problem: StatedFamily, penalty: AnyPenalty, eta: Array) -> Array:
    """X~' W u, 0 for features that take no part."""
    t = problem.correlate(-problem.loss.slope(eta))
    t[~penalty.kept] = 0
    return t


def _bare(problem: StatedFamily, null: _Null, penalty: AnyPenalty) -> NDArray[np.bool_]:
    """Features (p,) whose penalty is none, or next to none, and that are free on a side."""
    lengths = problem.design.lengths
    most_l1, most_l2 = penalty.l1.max(axis=(1, 2)), penalty.l2.max(axis=(1, 2))
    bare = penalty.kept & (most_l1 <= WEAK * null.gradient)
    return np.asarray(bare & (most_l2 <= WEAK * null.curvature * lengths**2))


def _refit(
    problem: StatedFamily, penalty: AnyPenalty, bare: NDArray[np.bool_], b: Array, eta: Array
) -> tuple[Array, Array]:
    """Move the intercept and the bare features to the optimum, within their limits."""
    index = np.flatnonzero(bare)
    Z = problem.design.take(index)
    low, high = np.full(index.size, -np.inf), np.full(index.size, np.inf)
    if isinstance(penalty, Penalty):
        low, high = penalty.lower[index, 0, 0], penalty.upper[index, 0, 0]
    b, eta = b.copy(), eta.copy()
    first = int(problem.fit_intercept)
    if first:
        Z = np.column_stack([np.ones(Z.shape[0]), Z])
        low, high = np.r_[-np.inf, low], np.r_[np.inf, high]
    for k in range(b.shape[2]):
        start = np.zeros((Z.shape[1], b.shape[1]))
        start[first:] = b[index, :, k]
        change = refit_block(problem.loss, problem.weights, Z, eta[:, :, k], start, low, high)
        b[index, :, k] = np.clip(start + change, low[:, None], high[:, None])[first:]
        eta[:, :, k] += Z @ change
    return b, eta


def _smallest_gap(
    problem: StatedFamily, null: _Null, penalty: AnyPenalty, b: Array, eta: Array, t: Array
) -> Array:
    """Smallest absolute gap at (b, eta) over the multiples s u of the dual direction u."""
    # Products are known up to rounding. Within it, what keeps one from being optimal counts at the
    # coefficient the feature has: phi* would blow it up without bound as the penalty goes to 0.
    excess = penalty.excess(b, t)
    numbers = problem.loss.noise(eta)
    rounding = problem.rounding(numbers)
    noise = np.where(penalty.size(excess) <= rounding, excess, 0)
    leftover = np.abs((noise * b).sum(axis=(0, 1)))
    t = t - noise
    size = penalty.size(t)
    tight = penalty.unbounded(t) & (size > 0)
    ratio = np.where(tight, penalty.l1 / size, np.inf).min(axis=(0, 1), initial=np.inf)
    # Two ulps below the quotient, so that s |t| <= l1 holds after rounding too.
    top = np.minimum(ratio * (1 - 2 * EPS), 1.0)
    if problem.fit_intercept:
        sums = np.abs(np.tensordot(problem.weights, problem.loss.slope(eta), 1)).max(axis=0)
        top = np.where(sums <= problem.level(numbers), top, 0)

    def gap(index: NDArray[np.intp]) -> Callable[[Array], Array]:
        part, t_part, b_part = penalty.columns(index), t[..., index], b[..., index]
        loss = problem.loss.bregman(eta[..., index])

        def at(s: Array) -> Array:
            rest = part.fenchel_young(b_part, s * t_part)[penalty.kept].sum(axis=(0, 1))
            return np.asarray(loss(s) + rest + s * leftover[index])

        return at

    best = gap(np.arange(top.size))(top)
    best = np.fmin(best, problem.loss.excess(eta) + penalty.value(b).sum(axis=(0, 1)))
    todo = np.flatnonzero(~(best <= 0.5 * problem.tol * null.objective) & (top > 0))
    if todo.size:
        best[todo] = np.fmin(best[todo], _search(gap(todo), top[todo]))
    return np.asarray(best)


def _search(gap: Callable[[Array], Array], top: Array) -> Array:
    """Golden section over log10(1 - s / top) from -15 to 0: the smallest value that was met."""

    def value(x: Array) -> Array:
        found = gap(top * (1 - 10.0**x))
        return np.where(np.isnan(found), np.inf, found)

    low, high = np.full_like(top, -15.0), np.zeros_like(top)
    inner, outer = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_inner, at_outer = value(inner), value(outer)
    best = np.fmin(at_inner, at_outer)
    for _ in range(SEARCHES):
        left = at_inner <= at_outer
        low, high = np.where(left, low, inner), np.where(left, outer, high)
        inner_new, outer_new = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        fresh = value(np.where(left, inner_new, outer_new))
        at_inner, at_outer = np.where(left, fresh, at_outer), np.where(left, at_inner, fresh)
        inner, outer = inner_new, outer_new
        best = np.fmin(best, fresh)
    return best

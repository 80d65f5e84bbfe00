"""Certificates of a path, recomputed in plain NumPy and SciPy.

What follows is for the gaussian family; for all others see `regpath._certify_families`.

Nothing here is shared with the solvers: the problem is read from the path's settings, the
residuals and gradients are formed anew from ``X`` and ``y``, and every number below is an honest
function of the coefficients that the path reports.

With w the weights (sum 1), x~_j the centred (with an intercept) and scaled column, b the scaled
coefficient, r the residual and phi_j(b) = l1_j |b| + l2_j b^2 / 2 on [lower_j, upper_j]:

1. objective   P = <r, r>_w / 2 + sum_j phi_j(b_j).
2. dual        D(u) = <y, u>_w - <u, u>_w / 2 - sum_j phi_j*(x~_j' W u), with phi_j*(t) the largest
   value of t z - phi_j(z).
3. gap         P - D(u) = m^2 / 2 + <r_c - u, r_c - u>_w / 2 + sum_j F_j(b_j, x~_j' W u), where m
   is the weighted mean of r (0 without an intercept), r_c = r - m, and
   F_j(b, t) = phi_j(b) + phi_j*(t) - t b. Every summand is >= 0, so nothing cancels.
4. dual point  u = s r_c; features without penalty and limits need x~_j' W u = 0, hence r_c is
   first projected on the orthogonal complement of their columns. s is taken at 1 (or at the
   largest value with a finite dual), at 0 and at the minimum of the convex function s -> gap; the
   smallest gap counts, and each of them is an upper bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from regpath._certify_families import certify_family
from regpath._predict import FAMILIES
from regpath._stated_design import BLOCK_ENTRIES, CONSTANT, EPS
from regpath._stated_family import read_family
from regpath._stated_penalty import Penalty
from regpath._stated_problem import StatedProblem, read_problem

if TYPE_CHECKING:
    from regpath.result import Path

Array = NDArray[np.float64]
Index = NDArray[np.intp]

CONE_ROUNDS = 100
RIDGE_STEPS = 50
WEAK = 1e-12
"""Share of the null model's largest gradient below which a penalty is close to none."""

BISECTIONS = 50


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Certificate:
    """What `certify` found, one entry per lambda.

    Attributes
    ----------
    objectives : ndarray of shape (L,)
        Objective at the reported coefficients and intercepts: the weighted mean of the losses
        (gaussian: in squared units of y) plus the penalty. Infinite where a coefficient breaks its
        limits or an excluded feature takes part.
    dual_gaps : ndarray of shape (L,)
        Upper bound on (objective - optimum) / null objective. If the model without features is
        saturated up to rounding (gaussian: y - offset is constant), the null objective is 0; the
        gap then is 0 if it is 0 up to rounding, and infinite otherwise.
    kkt_violations : ndarray of shape (L,)
        Largest distance of a gradient from the subdifferential of its penalty, divided by lambda;
        at lambda = 0 or infinity, by the largest gradient of the null model.
    dual_values : ndarray of shape (L,)
        The lower bounds on the optimum: objective minus absolute gap.
    null_objective : float
        Half the mean deviance of the model without features, of intercept and offset alone: its
        loss minus the infimum of the loss over all linear predictors. Gaussian: half the weighted
        variance of y - offset (half its mean square without an intercept). Cox: the infimum is
        that of the saturated model, sum of W_t log W_t over the event times (Breslow; W_t is the
        weight of the events at t), so that the null deviance is that of glmnet.
    lambdas : ndarray of shape (L,)
        The lambdas of the path.
    """

    objectives: Array
    dual_gaps: Array
    kkt_violations: Array
    dual_values: Array
    null_objective: float
    lambdas: Array

    def __repr__(self) -> str:
        """Return the worst gap and the worst violation, and where they are."""
        if self.lambdas.size == 0:
            return "Certificate(no lambdas)"
        gap, kkt = int(np.argmax(self.dual_gaps)), int(np.argmax(self.kkt_violations))
        return (
            f"Certificate of {self.lambdas.size} lambdas "
            f"(null objective {self.null_objective:.6g})\n"
            f"  largest relative duality gap  {self.dual_gaps[gap]:.2e}"
            f" at lambdas[{gap}] = {self.lambdas[gap]:.4g}\n"
            f"  largest KKT violation/lambda  {self.kkt_violations[kkt]:.2e}"
            f" at lambdas[{kkt}] = {self.lambdas[kkt]:.4g}"
        )


def certify(
    path: Path,
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    offset: Any = None,
) -> Certificate:
    """Recompute objectives, duality gaps and KKT violations of a path of any family.

    Parameters
    ----------
    path : Path
        The path to check. Penalty, limits, intercept and standardisation are read from it.
    X : array, sparse array or data frame of shape (n, p)
        The data the path was fitted to. A sparse X stays sparse.
    y : array of shape (n,)
        The response: numbers, or labels of the classes that the path knows. For K responses an
        array of shape (n, K). Survival times have the columns (time, event) or (start, stop,
        event), or fields of these names.
    sample_weight, offset : array of shape (n,), optional
        Weights and offset, (n, K) for K outputs; by default those of the fit.

    Returns
    -------
    Certificate
        Objectives, relative duality gaps, KKT violations and dual values.

    Raises
    ------
    ValueError
        If the shapes do not match the path, or if a number that matters is NaN or infinite.
    NotImplementedError
        If the family is not known.

    Examples
    --------
    >>> import numpy as np
    >>> import regpath
    >>> from regpath.diagnostics import certify
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((50, 8))
    >>> y = X[:, 0] - X[:, 1] + rng.standard_normal(50)
    >>> path = regpath.lasso_path(X, y, tol=1e-9)
    >>> bool(certify(path, X, y).dual_gaps.max() <= 1e-9)
    True
    """
    if path.family not in FAMILIES:
        raise NotImplementedError(f"certify: family {path.family!r} has no certificate.")
    settings = path.settings
    sample_weight = settings.sample_weight if sample_weight is None else sample_weight
    offset = settings.offset if offset is None else offset
    # Overflow to infinity and 0/0 are answers here: an infinite gap is an honest upper bound.
    with np.errstate(all="ignore"):
        if path.family == "gaussian":
            return _certify(path, read_problem(path, X, y, sample_weight, offset))
        family = read_family(path, X, y, sample_weight, offset)
        objectives, gaps, relative, violations, null = certify_family(path, family)
        return Certificate(
            objectives=objectives,
            dual_gaps=relative,
            kkt_violations=violations,
            dual_values=objectives - gaps,
            null_objective=null,
            lambdas=np.asarray(path.lambdas, dtype=np.float64),
        )


def _certify(path: Path, problem: StatedProblem) -> Certificate:
    lambdas = np.asarray(path.lambdas, dtype=np.float64)
    result = np.empty((3, lambdas.size))
    storage = path.coefs_sparse
    rows, p = problem.y.size, problem.design.shift.size
    step = max(1, BLOCK_ENTRIES // max(rows, p, 1))
    # Which features count as unpenalised is decided for a whole block, so weak ones come alone.
    l1 = np.ldexp(lambdas * path.l1_ratio, -problem.exponent)
    weak = (l1 <= WEAK * problem.null_gradient) & (lambdas * (1 - path.l1_ratio) <= WEAK)
    strong = np.isfinite(lambdas) & ~weak
    for kind, width in ((np.isinf(lambdas), step), (weak, 1), (strong, step)):
        where = np.flatnonzero(kind)
        for start in range(0, where.size, width):
            k = where[start : start + width]
            coefs = np.ldexp(storage[:, k].toarray(), -problem.exponent)
            intercepts = np.ldexp(np.asarray(path.intercepts)[k], -problem.exponent)
            result[:, k] = _certify_block(problem, lambdas[k], path.l1_ratio, coefs, intercepts)
    objectives, gaps, violations = result
    twice = 2 * problem.exponent
    return Certificate(
        objectives=np.ldexp(objectives, twice),
        dual_gaps=_relative(gaps, problem),
        kkt_violations=violations,
        dual_values=np.ldexp(objectives - gaps, twice),
        null_objective=float(np.ldexp(problem.null_objective, twice)),
        lambdas=lambdas,
    )


def _relative(gaps: Array, problem: StatedProblem) -> Array:
    """Divide the gaps by the null objective; a null objective of 0 leaves rounding or infinity."""
    if problem.null_objective > 0:
        return gaps / problem.null_objective
    rounding = (CONSTANT * np.abs(problem.y_mean)) ** 2
    return np.where(gaps <= rounding, 0.0, np.inf)


# --- one block of lambdas -----------------------------------------------------------------------


def _certify_block(
    problem: StatedProblem, lambdas: Array, l1_ratio: float, coefs: Array, intercepts: Array
) -> Array:
    """Objective, absolute gap and relative KKT violation, shape (3, k), in units of scaled y."""
    design, w = problem.design, problem.weights[:, None]
    penalty = _penalty(problem, lambdas, l1_ratio)
    b = coefs * design.scale[:, None]
    left_out = ~penalty.kept
    impossible = ((b < penalty.lower) | (b > penalty.upper)).any(axis=0)
    impossible |= (b[left_out] != 0).any(axis=0)
    if not problem.fit_intercept:
        impossible |= intercepts != 0

    residual = problem.y[:, None] - intercepts - design.times(coefs)
    mean = np.zeros(lambdas.size)
    if problem.fit_intercept:
        mean = (w * residual).sum(axis=0)
    residual = residual - mean
    gradient = design.correlate(residual)
    for array in (b, gradient):
        array[left_out] = 0
    values = penalty.value(b).sum(axis=0)
    objective = 0.5 * (w * residual**2).sum(axis=0) + 0.5 * mean**2 + values
    gap = _smallest_gap(problem, penalty, b, residual, gradient) + 0.5 * mean**2
    violation = _kkt_violation(problem, penalty, lambdas, b, gradient)
    objective[impossible] = gap[impossible] = violation[impossible] = np.inf
    return np.stack([objective, np.where(np.isnan(gap), np.inf, gap), violation])


def _penalty(problem: StatedProblem, lambdas: Array, l1_ratio: float) -> Penalty:
    """phi_j at each lambda. At lambda = inf every penalised feature is out (its coefficient 0)."""
    factor = np.where(problem.kept, problem.factor, 0)
    kept = problem.kept & ((factor == 0) | np.isfinite(lambdas).all())
    strength = factor[:, None] * np.where(np.isinf(lambdas), 0, lambdas)
    # In units of 2**exponent: l1 and limits scale with y, l2 does not.
    scale = np.ldexp(problem.design.scale, -problem.exponent)
    return Penalty(
        l1=np.ldexp(strength * l1_ratio, -problem.exponent),
        l2=strength * (1 - l1_ratio),
        lower=np.where(kept, problem.lower * scale, 0)[:, None],
        upper=np.where(kept, problem.upper * scale, 0)[:, None],
        kept=kept,
    )


def _kkt_violation(
    problem: StatedProblem, penalty: Penalty, lambdas: Array, b: Array, gradient: Array
) -> Array:
    worst = np.abs(penalty.excess(b, gradient)).max(axis=0, initial=0)
    unit = np.ldexp(lambdas, -problem.exponent)
    unit = np.where((lambdas == 0) | np.isinf(lambdas), problem.null_gradient, unit)
    return np.where(worst == 0, 0, worst / unit)


# --- the dual point -----------------------------------------------------------------------------


def _smallest_gap(
    problem: StatedProblem, penalty: Penalty, b: Array, residual: Array, gradient: Array
) -> Array:
    """Smallest absolute gap over u = s (projected residual), without the intercept's part."""
    u, t = _dual_point(problem, penalty, b, residual, gradient)
    best = _gap_along(problem, penalty, b, residual, u, t)
    open_ended = np.isinf(penalty.lower) & np.isinf(penalty.upper)
    ridge = not penalty.l1.any() and bool(open_ended[penalty.kept].all())
    todo = np.flatnonzero(ridge & (best > 0.1 * problem.tol * problem.null_objective))
    if todo.size:
        part = penalty.columns(todo)
        refined = _refine_ridge(problem, part, b[:, todo], u[:, todo], t[:, todo])
        again = _gap_along(problem, part, b[:, todo], residual[:, todo], *refined)
        best[todo] = np.fmin(best[todo], again)
    return best


def _gap_along(
    problem: StatedProblem, penalty: Penalty, b: Array, residual: Array, u: Array, t: Array
) -> Array:
    """Smallest absolute gap over the multiples s u of a dual direction, with t = X~' W u."""
    w = problem.weights[:, None]
    # Products are known up to rounding. Within it, what keeps one from being optimal counts at the
    # coefficient the feature has: F_j would blow it up without bound as the penalty goes to 0.
    excess = penalty.excess(b, t)
    noise = np.where(np.abs(excess) <= problem.rounding(u), excess, 0)
    leftover = np.abs((noise * b).sum(axis=0))
    t = t - noise

    def gap(s: Array) -> Array:
        quadratic = 0.5 * (w * (residual - s * u) ** 2).sum(axis=0)
        rest = penalty.fenchel_young(b, s * t)[penalty.kept].sum(axis=0)
        return np.asarray(quadratic + rest + s * leftover)

    tight = penalty.unbounded(t) & (np.abs(t) > 0)
    ratio = np.where(tight, penalty.l1 / np.abs(t), np.inf)
    # Two ulps below the quotient, so that s |t| <= l1 holds after rounding too.
    top = np.minimum(ratio.min(axis=0, initial=np.inf) * (1 - 2 * EPS), 2.0)
    middle = _stationary_scale(penalty, b, t, (w * residual * u).sum(axis=0), w * u * u, top)
    candidates = (np.minimum(top, 1.0), np.zeros_like(top), middle)
    return np.asarray(np.fmin.reduce([gap(s) for s in candidates]))


def _refine_ridge(
    problem: StatedProblem, penalty: Penalty, b: Array, u: Array, t: Array
) -> tuple[Array, Array]:
    """Improve the dual point of a ridge problem by conjugate gradients.

    Where lambda is small next to the columns, the residual of a good b is no good dual point. The
    gap at u + d is <d, d>_w / 2 + sum_j (t_j - l2_j b_j + x~_j' W d)^2 / (2 l2_j).
    """
    w = problem.weights[:, None]
    penalised = penalty.l2 > 0
    inverse = np.where(penalised, 1 / np.where(penalised, penalty.l2, 1), 0)

    def project(v: Array) -> Array:
        return problem.project_out(~penalised.any(axis=1) & penalty.kept, v)

    left = -project(problem.design.times_scaled(inverse * (t - penalty.l2 * b)))
    search, square = left, (w * left**2).sum(axis=0)
    enough = EPS**2 * square
    for _ in range(RIDGE_STEPS):
        going = square > enough
        if not going.any():
            break
        products = _masked(problem.design.correlate(search), penalty.kept)
        image = search + project(problem.design.times_scaled(inverse * products))
        energy = (w * search * image).sum(axis=0)
        step = np.where(going & (energy > 0), square / energy, 0)
        u = u + step * search
        # The matrix is symmetric off the unpenalised columns only. What rounding leaves of them
        # would grow next to a residual that shrinks, and undo what has been gained.
        left = project(left - step * image)
        previous, square = square, (w * left**2).sum(axis=0)
        search = left + np.where(previous > 0, square / previous, 0) * search
    u = project(u)
    return u, _masked(problem.design.correlate(u), penalty.kept)


def _stationary_scale(
    penalty: Penalty, b: Array, t: Array, cross: Array, squares: Array, top: Array
) -> Array:
    """Bisect the derivative of the convex function s -> gap on [0, top]."""
    square = squares.sum(axis=0)
    rows = np.flatnonzero(((np.abs(t) * top > penalty.l1) | (b != 0)).any(axis=1))
    penalty, b, t = penalty.rows(rows), b[rows], t[rows]
    low, high = np.zeros_like(top), top.copy()
    for _ in range(BISECTIONS):
        s = 0.5 * (low + high)
        step = np.where(t == 0, 0, t * (penalty.maximiser(s * t) - b))
        rising = s * square - cross + step.sum(axis=0) > 0
        low, high = np.where(rising, low, s), np.where(rising, s, high)
    return low


def _dual_point(
    problem: StatedProblem, penalty: Penalty, b: Array, residual: Array, gradient: Array
) -> tuple[Array, Array]:
    """Project the residual until no direction without penalty and limit is left in it.

    A penalty next to nothing counts as none: every u is a dual point, only not as good a one.
    Features free on both sides need x~_j' W u = 0. A feature free on one side needs only the sign
    of x~_j' W u: it is projected out if the sign is wrong. Features strictly between their limits
    are projected out as well: at the optimum their products are zero.
    """
    lengths = problem.design.lengths
    bare = penalty.kept & (penalty.l2.max(axis=1) <= WEAK * lengths**2)
    bare &= penalty.l1.max(axis=1) <= WEAK * lengths * np.sqrt(2 * problem.null_objective)
    low, high = penalty.lower[:, 0] == -np.inf, penalty.upper[:, 0] == np.inf
    free, half, limited = bare & low & high, bare & (low ^ high), bare & ~(low & high)
    if not limited.any():
        if not free.any():
            return residual, gradient
        u = problem.project_out(free, residual)
        return u, _masked(problem.design.correlate(u), penalty.kept)
    u, t = residual.copy(), gradient.copy()
    for k in range(b.shape[1]):
        column = residual[:, [k]]
        rounding = problem.rounding(column)[:, 0]
        slack = 1e-9 * np.abs(b[:, k])
        moved = (b[:, k] - slack > penalty.lower[:, 0]) & (b[:, k] + slack < penalty.upper[:, 0])
        inside = free | (limited & moved)
        for _ in range(CONE_ROUNDS):
            u[:, [k]] = problem.project_out(inside, column)
            t[:, [k]] = _masked(problem.design.correlate(u[:, [k]]), penalty.kept)
            wrong = half & ~inside & (np.where(high, t[:, k], -t[:, k]) > rounding)
            if not wrong.any():
                break
            inside |= wrong
    return u, t


def _masked(t: Array, kept: NDArray[np.bool_]) -> Array:
    t[~kept] = 0
    return t

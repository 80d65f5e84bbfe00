"""Slow, readable twins of the solver: the specification that the fast code is tested against.

Everything is dense float64, one loop per formula of the problem:

    minimise  sum_i w_i (y_i - o_i - b0 - x_i'b)^2 / 2
              + lambda * sum_j v_j [ r |s_j b_j| + (1 - r)/2 (s_j b_j)^2 ],   lower <= b <= upper

with w normalised to sum one and s_j the centred weighted 1/n standard deviation of column j (one
if the columns are not standardised).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class Problem:
    """A gaussian problem in canonical form: every option is an array."""

    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray
    factor: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    l1_ratio: float
    fit_intercept: bool
    scale: np.ndarray
    constant: np.ndarray

    @property
    def weighted_mean(self) -> np.ndarray:
        return self.weights @ self.X if self.fit_intercept else np.zeros(self.X.shape[1])


def make_problem(
    X,
    y,
    *,
    l1_ratio=1.0,
    fit_intercept=True,
    standardize=True,
    sample_weight=None,
    offset=None,
    penalty_factor=None,
    lower=None,
    upper=None,
) -> Problem:
    X = np.array(X.toarray() if sparse.issparse(X) else X, dtype=np.float64)
    y = np.array(y, dtype=np.float64)
    n, p = X.shape
    weights = np.ones(n) if sample_weight is None else np.array(sample_weight, dtype=np.float64)
    shifted = y if offset is None else y - np.asarray(offset)
    X, shifted, weights = X[weights > 0], shifted[weights > 0], weights[weights > 0]
    weights = weights / weights.sum()
    sd = np.sqrt(weights @ (X - weights @ X) ** 2)
    sd[X.min(axis=0) == X.max(axis=0)] = 0
    return Problem(
        X=X,
        y=shifted,
        weights=weights,
        factor=_vector(penalty_factor, p, 1.0),
        lower=_vector(lower, p, -np.inf),
        upper=_vector(upper, p, np.inf),
        l1_ratio=l1_ratio,
        fit_intercept=fit_intercept,
        scale=np.where(sd > 0, sd, 1.0) if standardize else np.ones(p),
        constant=(sd == 0) & (fit_intercept or standardize),
    )


def _vector(value, size: int, default: float) -> np.ndarray:
    return np.full(size, default) if value is None else np.full(size, 1.0) * np.asarray(value)


def strengths(problem: Problem, lambda_: float) -> tuple[np.ndarray, np.ndarray]:
    """l1_j and l2_j of the penalty on s_j b_j; an infinite factor is left at infinity."""
    with np.errstate(invalid="ignore"):
        total = np.where(problem.factor == 0, 0.0, lambda_ * problem.factor)
        l1 = np.where(total == 0, 0.0, total * problem.l1_ratio)
        l2 = np.where(total == 0, 0.0, total * (1 - problem.l1_ratio))
    return np.nan_to_num(l1, nan=0.0, posinf=np.inf), np.nan_to_num(l2, nan=0.0, posinf=np.inf)


def objective(problem: Problem, lambda_: float, intercept: float, coef: np.ndarray) -> float:
    """The objective of the definition above, at coefficients on the original scale."""
    residual = problem.y - intercept - problem.X @ coef
    l1, l2 = strengths(problem, lambda_)
    size = np.abs(problem.scale * coef)
    used = size > 0
    penalty = (l1[used] * size[used] + 0.5 * l2[used] * size[used] ** 2).sum()
    return float(0.5 * problem.weights @ residual**2 + penalty)


def null_objective(problem: Problem) -> float:
    centre = problem.weights @ problem.y if problem.fit_intercept else 0.0
    return float(0.5 * problem.weights @ (problem.y - centre) ** 2)


def best_intercept(problem: Problem, coef: np.ndarray) -> float:
    if not problem.fit_intercept:
        return 0.0
    return float(problem.weights @ (problem.y - problem.X @ coef))


def soft_threshold(z: float, level: float) -> float:
    return float(np.sign(z) * max(abs(z) - level, 0.0))


def coordinate_descent(
    problem: Problem, lambda_: float, *, tol: float = 1e-14, max_sweeps: int = 200_000
) -> tuple[float, np.ndarray]:
    """Cyclic coordinate descent until no coefficient moves; returns (intercept, coef)."""
    mean = problem.weighted_mean
    columns = (problem.X - mean) / problem.scale
    target = problem.y - (problem.weights @ problem.y if problem.fit_intercept else 0.0)
    l1, l2 = strengths(problem, lambda_)
    lower, upper = problem.lower * problem.scale, problem.upper * problem.scale
    square = problem.weights @ columns**2
    b, residual = np.zeros(columns.shape[1]), target.copy()
    movable = [
        j
        for j in range(b.size)
        if np.isfinite(l1[j]) and np.isfinite(l2[j]) and not problem.constant[j] and square[j] > 0
    ]
    size = np.sqrt(problem.weights @ target**2)
    for _ in range(max_sweeps):
        largest = 0.0
        for j in movable:
            z = columns[:, j] @ (problem.weights * residual) + square[j] * b[j]
            new = soft_threshold(z, l1[j]) / (square[j] + l2[j])
            new = min(max(new, lower[j]), upper[j])
            residual -= (new - b[j]) * columns[:, j]
            largest = max(largest, abs(new - b[j]) * np.sqrt(square[j]))
            b[j] = new
        if largest <= tol * size:
            break
    coef = b / problem.scale
    return best_intercept(problem, coef), coef


def ridge(problem: Problem, lambda_: float) -> tuple[float, np.ndarray]:
    """Solve the normal equations of a ridge problem without limits."""
    assert problem.l1_ratio == 0
    columns = (problem.X - problem.weighted_mean) / problem.scale
    target = problem.y - (problem.weights @ problem.y if problem.fit_intercept else 0.0)
    _, l2 = strengths(problem, lambda_)
    used = np.isfinite(l2) & ~problem.constant
    root = np.sqrt(problem.weights)
    # Least squares on [sqrt(W) X; sqrt(l2)] is better conditioned than the normal equations.
    stacked = np.vstack([root[:, None] * columns[:, used], np.diag(np.sqrt(l2[used]))])
    right = np.concatenate([root * target, np.zeros(used.sum())])
    b = np.zeros(columns.shape[1])
    b[used] = np.linalg.lstsq(stacked, right, rcond=None)[0]
    coef = b / problem.scale
    return best_intercept(problem, coef), coef


def dual_gap(problem: Problem, lambda_: float, intercept: float, coef: np.ndarray) -> float:
    """Gap of the best scaled residual on a fine grid, for problems whose dual is never infinite."""
    residual = problem.y - intercept - problem.X @ coef
    centre = problem.weights @ residual if problem.fit_intercept else 0.0
    columns = (problem.X - problem.weighted_mean) / problem.scale
    target = problem.y - (problem.weights @ problem.y if problem.fit_intercept else 0.0)
    best = -np.inf
    for s in np.concatenate([np.linspace(0, 1, 2001), 1 - np.geomspace(1e-12, 1e-3, 200)]):
        u = s * (residual - centre)
        value = problem.weights @ (target * u - 0.5 * u**2)
        best = max(best, value - conjugate(problem, lambda_, columns.T @ (problem.weights * u)))
    return objective(problem, lambda_, intercept, coef) - best


def conjugate(problem: Problem, lambda_: float, t: np.ndarray) -> float:
    """sum_j phi_j*(t_j), by the vertex of each parabola."""
    l1, l2 = strengths(problem, lambda_)
    total = 0.0
    for j in range(t.size):
        if problem.constant[j] or np.isinf(l1[j]) or np.isinf(l2[j]):
            continue
        limit = problem.scale[j] * (problem.upper[j] if t[j] > 0 else -problem.lower[j])
        slope = abs(t[j]) - l1[j]
        if slope <= 0:
            continue
        z = min(slope / l2[j], limit) if l2[j] > 0 else limit
        total += slope * z - 0.5 * l2[j] * z**2 if np.isfinite(z) else np.inf
    return total


def replicate_rows(X, y, counts):
    """Rows repeated as often as their integer weights say."""
    return np.repeat(X, counts, axis=0), np.repeat(y, counts)


def with_l1_ratio(problem: Problem, l1_ratio: float) -> Problem:
    return replace(problem, l1_ratio=l1_ratio)


# --- twins of the compiled kernels --------------------------------------------------------------


def gram_sweep(G, h, b, l1, l2, lower, upper):
    """One cyclic sweep on (b, h = q - G b); returns new b and h."""
    b, h = b.copy(), h.copy()
    for j in range(b.size):
        z = h[j] + G[j, j] * b[j]
        curvature = G[j, j] + l2[j]
        new = soft_threshold(z, l1[j]) / curvature if curvature > 0 else 0.0
        new = min(max(new, lower[j]), upper[j])
        h -= (new - b[j]) * G[:, j]
        b[j] = new
    return b, h


def upper_cholesky(A):
    """R upper triangular with a positive diagonal and R'R = A."""
    return np.linalg.cholesky(A).T


def cholesky_append(A, keep, new):
    """The factor of the rows and columns keep + [new], from scratch."""
    index = [*keep, new]
    return upper_cholesky(A[np.ix_(index, index)])


def cholesky_delete(A, keep, position):
    """The factor after the feature at `position` of `keep` is gone, from scratch."""
    index = [j for k, j in enumerate(keep) if k != position]
    return upper_cholesky(A[np.ix_(index, index)])

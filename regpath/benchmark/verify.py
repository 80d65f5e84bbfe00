"""What a solver's coefficients are worth, in plain NumPy and independent of every solver.

With weights w that sum to one and phi_j(b) = l1_j |b| + l2_j b^2 / 2 on [lower_j, upper_j]:

1. primal   P(b) = sum_i w_i loss(y_i, eta_i) + sum_j phi_j(b_j), at the best intercept.
2. dual     D(u) = sum_i w_i dual(y_i, u_i) - sum_j phi_j*(x_j' W u) <= P(b) for all b and all u
   with sum_i w_i u_i = 0, where phi_j*(t) is the largest value of t b - phi_j(b).
3. u = s r is a multiple of the residual, so small that D is finite. Columns that are neither
   penalised nor limited need x_j' W u = 0: r is first projected on their complement.

The suboptimality of a solver is (P - P*) / P(no features), where P* is the lowest P that any
solver has reached. `Reference` keeps P* and the largest D, which brackets it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

if TYPE_CHECKING:
    from regpath.benchmark.problems import Problem

__all__ = ["LOSSES", "Loss", "Reference", "dual_values", "null_objective", "objectives"]

Array = NDArray[np.float64]

BLOCK_ENTRIES = 8_000_000
"""Numbers of one block of fitted values or gradients."""

FEASIBLE = 1e-9
"""How far a coefficient may lie outside of its limits; it is then counted at the limit."""

ROUNDING = 1e-12
"""Product with a dual point, relative to the largest, that counts as zero."""


class Loss(NamedTuple):
    """A family: one column of y and eta per lambda.

    Attributes
    ----------
    value : callable
        (y, eta) -> loss of every observation.
    mean : callable
        eta -> expected y; y minus it is the residual.
    dual : callable
        (y, u) -> summand of the dual objective.
    intercept : callable
        (y, eta, w) -> intercept that minimises the weighted loss at a fixed linear predictor.
    """

    value: Callable[[Array, Array], Array]
    mean: Callable[[Array], Array]
    dual: Callable[[Array, Array], Array]
    intercept: Callable[[Array, Array, Array], Array]


LOSSES: dict[str, Loss] = {
    "gaussian": Loss(
        value=lambda y, eta: 0.5 * (y - eta) ** 2,
        mean=lambda eta: eta,
        dual=lambda y, u: y * u - 0.5 * u * u,
        intercept=lambda y, eta, w: np.asarray(w @ (y - eta)),
    )
}
"""The families that can be compared. A new one is a row here, and a translation in each peer."""


def objectives(problem: Problem, coefs: Any) -> Array:
    """Objective at every lambda, at the best intercept; infinite where limits are broken.

    Parameters
    ----------
    problem : Problem
    coefs : array or sparse array of shape (p, L)

    Returns
    -------
    ndarray of shape (L,)

    Examples
    --------
    >>> import numpy as np
    >>> from regpath.benchmark.problems import problem
    >>> stated = problem("prostate", n_lambdas=3)
    >>> objectives(stated, np.zeros((8, 3))).round(6)
    array([0.5, 0.5, 0.5])
    """
    loss, w = LOSSES[problem.family], problem.weights
    lower, upper = (limit[:, None] for limit in problem.limits)
    values = [
        w @ loss.value(problem.y[:, None], eta) + _penalty(problem, lambdas, B)
        for lambdas, B, eta in _blocks(problem, coefs, lower, upper)
    ]
    return np.nan_to_num(np.concatenate(values), nan=np.inf)


def dual_values(problem: Problem, coefs: Any) -> Array:
    """Lower bounds on the optimal objective at every lambda, from the residuals of coefficients.

    Parameters
    ----------
    problem : Problem
    coefs : array or sparse array of shape (p, L)

    Returns
    -------
    ndarray of shape (L,)
    """
    loss = LOSSES[problem.family]
    lower, upper = (limit[:, None] for limit in problem.limits)
    best = [
        _dual(problem, loss, lambdas, problem.y[:, None] - loss.mean(eta), lower, upper)
        for lambdas, _, eta in _blocks(problem, coefs, lower, upper)
    ]
    return np.concatenate(best)


def null_objective(problem: Problem) -> float:
    """Objective without any feature: the unit of suboptimality."""
    nothing = sp.csc_array((problem.X.shape[1], problem.lambdas.size))
    return float(objectives(problem, nothing)[0])


class Reference:
    """The best objective and the best lower bound that are known of a problem.

    Parameters
    ----------
    problem : Problem

    Attributes
    ----------
    primal, dual : ndarray of shape (L,)
    null : float
        Objective without features.

    Examples
    --------
    >>> import regpath
    >>> from regpath.benchmark.problems import problem
    >>> stated = problem("prostate", n_lambdas=5)
    >>> reference = Reference(stated)
    >>> path = regpath.fit_path(stated.X, stated.y, tol=1e-12, **stated.options())
    >>> reference.learn(path.coefs, bound=True).size
    5
    >>> reference.certified < 1e-11
    True
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self.null = null_objective(problem)
        self.primal = np.full(problem.lambdas.size, np.inf)
        self.dual = np.full(problem.lambdas.size, -np.inf)

    def learn(self, coefs: Any, *, bound: bool = False) -> Array:
        """Return the objectives of coefficients, and keep the best; with ``bound`` the dual too.

        Where a path is too short the objective is infinite.
        """
        values = np.full(self.primal.size, np.inf)
        known = objectives(self._problem, coefs)
        values[: known.size] = known
        self.primal = np.fmin(self.primal, values)
        if bound and np.isfinite(values).all():
            self.dual = np.fmax(self.dual, dual_values(self._problem, coefs))
        return values

    def worst(self, values: Array) -> float:
        """Return the largest suboptimality along a path."""
        return float(((values - self.primal) / self.null).max())

    @property
    def certified(self) -> float:
        """How far the best known objective can be from the optimum, in the same unit."""
        return float(((self.primal - self.dual) / self.null).max())


# ------------------------------------------------------------------------------------------ terms


def _blocks(
    problem: Problem, coefs: Any, lower: Array, upper: Array
) -> Iterator[tuple[Array, Array, Array]]:
    """Lambdas, dense coefficients within their limits, and linear predictors, block by block."""
    loss = LOSSES[problem.family]
    n, p = problem.X.shape
    if coefs.shape[0] != p:
        raise ValueError(f"coefs has shape {coefs.shape}; there are {p} features.")
    width = max(1, BLOCK_ENTRIES // max(n, p))
    coefs = sp.csc_array(coefs) if sp.issparse(coefs) else np.asarray(coefs)
    for start in range(0, min(coefs.shape[1], problem.lambdas.size), width):
        k = slice(start, min(start + width, problem.lambdas.size))
        B = coefs[:, k].toarray() if sp.issparse(coefs) else coefs[:, k]
        inside = np.clip(B, lower, upper)
        B = np.where(np.abs(B - inside) > FEASIBLE, np.nan, inside)
        used = np.flatnonzero((B != 0.0).any(axis=1))
        eta = np.asarray(problem.X[:, used] @ B[used], dtype=np.float64)
        eta += loss.intercept(problem.y[:, None], eta, problem.weights)
        yield problem.lambdas[k][: B.shape[1]], B, eta


def _penalty(problem: Problem, lambdas: Array, B: Array) -> Array:
    r, v = problem.l1_ratio, problem.factors
    return np.asarray(lambdas * (r * (v @ np.abs(B)) + 0.5 * (1.0 - r) * (v @ (B * B))))


def _dual(
    problem: Problem, loss: Loss, lambdas: Array, r: Array, lower: Array, upper: Array
) -> Array:
    """Largest D(s r) over a few multiples s; r has weighted mean 0."""
    w, v = problem.weights, problem.factors[:, None]
    l1, l2 = lambdas * problem.l1_ratio * v, lambdas * (1.0 - problem.l1_ratio) * v
    bare = np.flatnonzero((v[:, 0] == 0.0) & np.isinf(lower[:, 0]) & np.isinf(upper[:, 0]))
    r = _project(problem, bare, r)
    t = np.asarray(problem.X.T @ (w[:, None] * r), dtype=np.float64)
    t[bare] = 0.0
    t[np.abs(t) <= ROUNDING * np.abs(t).max(axis=0)] = 0.0
    # phi* is infinite beyond l1 where neither a ridge term nor a limit bounds b.
    endless = (l2 == 0.0) & np.isinf(np.where(t > 0.0, upper, lower)) & (t != 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        top = np.where(endless, l1 / np.abs(t), np.inf).min(axis=0)
        stationary = (w @ (problem.y[:, None] * r)) / (w @ (r * r))
    top *= 1.0 - 2.0**-50
    best = np.zeros(lambdas.size)  # of u = 0: a loss is never negative
    for s in (np.minimum(1.0, top), np.clip(np.nan_to_num(stationary), 0.0, top)):
        value = w @ loss.dual(problem.y[:, None], s * r)
        value -= _conjugate(s * t, l1, l2, lower, upper).sum(axis=0)
        best = np.fmax(best, value)
    return best


def _project(problem: Problem, bare: NDArray[np.intp], r: Array) -> Array:
    """Part of r that is orthogonal, in the weighted sense, to columns without any penalty."""
    if bare.size == 0:
        return r
    w = problem.weights
    Z = problem.X[:, bare]
    Z = np.asarray(Z.toarray() if sp.issparse(Z) else Z, dtype=np.float64)
    root = np.sqrt(w)[:, None]
    Z = Z - w @ Z
    return np.asarray(r - Z @ np.linalg.lstsq(root * Z, root * r, rcond=None)[0])


def _conjugate(t: Array, l1: Array, l2: Array, lower: Array, upper: Array) -> Array:
    """phi*(t): the largest value of t b - phi(b) within the limits."""
    excess = np.maximum(np.abs(t) - l1, 0.0)
    limit = np.where(t > 0.0, upper, -lower)
    with np.errstate(divide="ignore", invalid="ignore"):
        b = np.where(excess > 0.0, np.minimum(excess / l2, limit), 0.0)
        return np.where(excess > 0.0, excess * b - 0.5 * l2 * b * b, 0.0)

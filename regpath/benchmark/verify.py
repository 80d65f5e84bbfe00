"""What a solver's coefficients are worth, in plain NumPy and independent of every solver.

With weights w that sum to one and phi_j(b) = l1_j |b| + l2_j b^2 / 2 on [lower_j, upper_j], where
b is one coefficient, or with ``grouped`` the K of a feature and |b| their norm:

1. primal   P(b) = loss(eta) + sum_j phi_j(b_j), at the best intercepts.
2. dual     D(u) = -loss*(-W u) - sum_j phi_j*(x_j' W u) <= P(b) for all b and all u with
   sum_i w_i u_i = 0, where phi_j*(t) is the largest value of t b - phi_j(b).
3. u = s r is a multiple of the residual, so small that D is finite. Columns that are neither
   penalised nor limited need x_j' W u = 0: r is first projected on their complement.
4. For cox the conjugate is bounded by those of the single events, which are known at multiples of
   their own slopes only. With columns that are neither penalised nor limited there is then no
   bound, and nothing is certified.

The suboptimality of a solver is (P - P*) / unit, where P* is the lowest P that any solver has
reached. `Reference` keeps P* and the largest D, which brackets it. The unit is P(no features), or
half the null deviance P(no features) - P(saturated) where that is larger: for gaussian, binomial
and multinomial responses both are the same, and for poisson up to means of about 2; beyond, and
for cox, P(no features) may be near 0 or negative and means nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from regpath.benchmark.losses import LOSSES, Loss

if TYPE_CHECKING:
    from regpath.benchmark.problems import Problem

__all__ = ["LOSSES", "Reference", "dual_values", "null_objective", "objectives", "unit_of"]

Array = NDArray[np.float64]

BLOCK_ENTRIES = 8_000_000
"""Numbers of one block of fitted values or gradients."""

FEASIBLE = 1e-9
"""How far a coefficient may lie outside of its limits; it is then counted at the limit."""

ROUNDING = 1e-12
"""Product with a dual point, relative to the largest, that counts as zero."""


def objectives(problem: Problem, coefs: Any) -> Array:
    """Objective at every lambda, at the best intercept; infinite where limits are broken.

    Parameters
    ----------
    problem : Problem
    coefs : array or sparse array of shape (p, L), or (K p, L) for K outputs

    Returns
    -------
    ndarray of shape (L,)

    Examples
    --------
    >>> import numpy as np
    >>> from regpath.benchmark.cases import problem
    >>> stated = problem("prostate", n_lambdas=3)
    >>> objectives(stated, np.zeros((8, 3))).round(6)
    array([0.5, 0.5, 0.5])
    """
    loss, w = LOSSES[problem.family], problem.weights
    values = [
        loss.value(problem.y, eta, w) + _penalty(problem, lambdas, B)
        for lambdas, B, eta in _blocks(problem, coefs)
    ]
    return np.nan_to_num(np.concatenate(values), nan=np.inf)


def dual_values(problem: Problem, coefs: Any) -> Array:
    """Lower bounds on the optimal objective at every lambda, from the residuals of coefficients.

    Parameters
    ----------
    problem : Problem
    coefs : array or sparse array of shape (p, L), or (K p, L) for K outputs

    Returns
    -------
    ndarray of shape (L,)
    """
    loss, w = LOSSES[problem.family], problem.weights
    best = [
        _dual(problem, loss, lambdas, eta, loss.residual(problem.y, eta, w))
        for lambdas, _, eta in _blocks(problem, coefs)
    ]
    return np.concatenate(best)


def null_objective(problem: Problem) -> float:
    """Objective without any feature."""
    w, K = problem.weights, LOSSES[problem.family].outputs(problem.y)
    loss, eta = LOSSES[problem.family], np.zeros((w.size, K, 1))
    return float(loss.value(problem.y, eta + loss.intercept(problem.y, eta, w), w)[0])


def unit_of(problem: Problem) -> float:
    """Unit of suboptimality: objective without features, or half the null deviance if larger.

    Examples
    --------
    >>> from regpath.benchmark.cases import problem
    >>> round(unit_of(problem("prostate", n_lambdas=3)), 6)
    0.5
    """
    saturated = LOSSES[problem.family].infimum(problem.y, problem.weights)
    return null_objective(problem) - min(saturated, 0.0)


class Reference:
    """The best objective and the best lower bound that are known of a problem.

    Parameters
    ----------
    problem : Problem

    Attributes
    ----------
    primal, dual : ndarray of shape (L,)
    unit : float
        Of suboptimality, `unit_of`.

    Examples
    --------
    >>> import regpath
    >>> from regpath.benchmark.cases import problem
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
        self.unit = unit_of(problem)
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
        return float(((values - self.primal) / self.unit).max())

    @property
    def certified(self) -> float:
        """How far the best known objective can be from the optimum, in the same unit."""
        return float(((self.primal - self.dual) / self.unit).max())


# ------------------------------------------------------------------------------------------ terms


def _blocks(problem: Problem, coefs: Any) -> Iterator[tuple[Array, Array, Array]]:
    """Lambdas, coefficients (p, K, k) within their limits, and eta (n, K, k), block by block."""
    loss, w = LOSSES[problem.family], problem.weights
    (n, p), K = problem.X.shape, LOSSES[problem.family].outputs(problem.y)
    lower, upper = (limit[:, None, None] for limit in problem.limits)
    if coefs.shape[0] != K * p:
        raise ValueError(f"coefs has shape {coefs.shape}; there are {p} features, {K} outputs.")
    width = max(1, BLOCK_ENTRIES // (K * max(n, p)))
    coefs = sp.csc_array(coefs) if sp.issparse(coefs) else np.asarray(coefs)
    size = min(coefs.shape[1], problem.lambdas.size)
    for start in range(0, size, width):
        k = slice(start, min(start + width, size))
        B = coefs[:, k].toarray() if sp.issparse(coefs) else coefs[:, k]
        m = B.shape[1]
        B = B.reshape(K, p, m).transpose(1, 0, 2)  # row k p + j: feature j of output k
        inside = np.clip(B, lower, upper)
        B = np.where(np.abs(B - inside) > FEASIBLE, np.nan, inside)
        used = np.flatnonzero((B != 0.0).any(axis=(1, 2)))
        eta = np.asarray(problem.X[:, used] @ B[used].reshape(used.size, K * m), dtype=np.float64)
        eta = eta.reshape(n, K, m)
        eta += loss.intercept(problem.y, eta, w)
        yield problem.lambdas[k], B, eta


def _penalty(problem: Problem, lambdas: Array, B: Array) -> Array:
    r, v, squares = problem.l1_ratio, problem.factors, (B * B).sum(axis=1)
    sizes = np.sqrt(squares) if problem.grouped else np.abs(B).sum(axis=1)
    return np.asarray(lambdas * (r * (v @ sizes) + 0.5 * (1.0 - r) * (v @ squares)))


def _dual(problem: Problem, loss: Loss, lambdas: Array, eta: Array, r: Array) -> Array:
    """Largest D(s r) over a few multiples s; r has weighted mean 0."""
    w, v, y = problem.weights, problem.factors[:, None, None], problem.y
    lower, upper = (limit[:, None, None] for limit in problem.limits)
    l1, l2 = lambdas * problem.l1_ratio * v, lambdas * (1.0 - problem.l1_ratio) * v
    bare = np.flatnonzero(np.ravel((v == 0.0) & np.isinf(lower) & np.isinf(upper)))
    n, K, k = r.shape
    if bare.size and problem.family == "cox":
        return np.full(k, -np.inf)
    r = _project(problem, bare, r.reshape(n, -1)).reshape(n, K, k)
    t = problem.X.T @ (w[:, None] * r.reshape(n, -1))
    t = np.asarray(t, dtype=np.float64).reshape(-1, K, k)
    t[bare] = 0.0
    t[np.abs(t) <= ROUNDING * np.abs(t).max(axis=(0, 1))] = 0.0
    if problem.grouped:
        t = np.linalg.norm(t, axis=1, keepdims=True)
    # phi* is infinite beyond l1 where neither a ridge term nor a limit bounds b.
    endless = (l2 == 0.0) & np.isinf(np.where(t > 0.0, upper, lower)) & (t != 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        top = np.where(endless, l1 / np.abs(t), np.inf).min(axis=(0, 1))
    top *= 1.0 - 2.0**-50
    multiples = [np.zeros(k), np.minimum(1.0, top)]
    if problem.family == "gaussian":
        with np.errstate(divide="ignore", invalid="ignore"):
            stationary = np.einsum("i,ikl->l", w * y, r) / np.einsum("i,ikl,ikl->l", w, r, r)
        multiples.append(np.clip(np.nan_to_num(stationary), 0.0, top))
    best = np.full(k, -np.inf)
    for s in multiples:
        value = loss.dual(y, eta, r, s, w)
        value = value - _conjugate(s * t, l1, l2, lower, upper).sum(axis=(0, 1))
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

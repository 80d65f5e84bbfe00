"""skglm: scikit-learn's objective, without ridge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from regpath.benchmark.contract import PATHS, Peer, needs
from regpath.benchmark.problems import Problem

__all__ = ["Skglm"]


class Skglm(Peer):
    """One call per lambda, from the last solution."""

    name, package = "skglm", "skglm"
    ladder = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
    settings = (
        "AndersonCD(fit_intercept=True, warm_start=True, max_iter=1000, max_epochs=100000, "
        "tol=...), one call per lambda from the last solution; beside gaussian "
        "ProxNewton(max_iter=1000, tol=...) in the same way, for cox without intercept"
    )
    # ProxNewton with an intercept fails on WeightedL1.
    supports: ClassVar[Mapping[str, frozenset[str]]] = {
        "gaussian": PATHS | {"sparse X", "sample weights", "penalty factors", "coefficients >= 0"},
        "binomial": PATHS | {"sparse X", "coefficients >= 0"},
        "poisson": PATHS | {"sparse X", "coefficients >= 0"},
        "cox": PATHS | {"sparse X", "penalty factors", "coefficients >= 0"},
    }

    def refusal(self, problem: Problem) -> str | None:
        """Add the combinations that are left out."""
        needed = needs(problem)
        if "penalty factors" in needed and "lasso" not in needed:
            return "takes penalty factors for the lasso only"
        if "sample weights" in needed and "sparse X" in needed:
            return "does not take sample weights with sparse X"
        return super().refusal(problem)

    def solve(self, problem: Problem, tol: float) -> Any:
        """Call the solver along the grid, as skglm's ``path`` does."""
        X, lambdas = problem.X, problem.lambdas
        X = sp.csc_matrix(X) if sp.issparse(X) else X
        datafit, y = _datafit(problem)
        penalty, solver = _penalty(problem), _solver(problem, tol)
        w = np.zeros(X.shape[1] + solver.fit_intercept)
        fitted = np.zeros(X.shape[0])
        coefs = np.zeros((X.shape[1], lambdas.size), order="F")
        for k, lambda_ in enumerate(lambdas):
            penalty.alpha = lambda_
            w = solver.solve(X, y, datafit, penalty, w.copy(), fitted)[0]
            coefs[:, k] = w[: X.shape[1]]
        return coefs


def _datafit(problem: Problem) -> tuple[Any, Any]:
    """Datafit, and the response as it wants it."""
    from skglm import datafits

    y = problem.y
    if problem.sample_weight is not None:
        return datafits.WeightedQuadratic(y.size * problem.weights), y
    match problem.family:
        case "gaussian":
            return datafits.Quadratic(), y
        case "binomial":
            return datafits.Logistic(), 2.0 * y - 1.0
        case "poisson":
            return datafits.Poisson(), y
        case _:
            return datafits.Cox(), np.asfortranarray(y)


def _penalty(problem: Problem) -> Any:
    from skglm.penalties import L1, L1_plus_L2, WeightedL1

    first, positive = problem.lambdas[0], "coefficients >= 0" in needs(problem)
    if problem.penalty_factor is not None:
        penalty = WeightedL1(first, problem.penalty_factor, positive)
    elif problem.l1_ratio == 1.0:
        penalty = L1(first, positive)
    else:
        penalty = L1_plus_L2(first, problem.l1_ratio, positive)
    return penalty


def _solver(problem: Problem, tol: float) -> Any:
    from skglm.solvers import AndersonCD, ProxNewton

    options = {"max_iter": 1000, "tol": tol, "warm_start": True}
    if problem.family == "gaussian":
        return AndersonCD(max_epochs=100_000, fit_intercept=True, **options)
    return ProxNewton(fit_intercept=problem.family != "cox", **options)

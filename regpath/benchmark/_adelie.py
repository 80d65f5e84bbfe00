"""adelie: its lmda is our lambda, except for multinomial responses.

There its loss is divided by the number of classes K, and so is our lambda. Its groups then hold the
K coefficients of a feature; for single coefficients the state that ``grpnet`` would make is made
here, with groups of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from regpath.benchmark.contract import EXTRAS, LIMITS, MANY, PATHS, PENALTIES, Peer
from regpath.benchmark.losses import LOSSES
from regpath.benchmark.problems import Problem
from regpath.solvers.threads import usable_cores

__all__ = ["Adelie", "AdelieGram"]

Array = NDArray[np.float64]


class Adelie(Peer):
    """adelie on X itself; groups have one feature each."""

    name, package = "adelie", "adelie"
    ladder = (1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-13, 1e-15)
    settings = (
        "grpnet on matrix.dense or matrix.sparse, method='naive', n_threads=all cores, "
        f"early_exit=False, adev_tol=1, ddev_tol=0, max_iters={MANY:.0e}, tol=...; beside "
        "gaussian irls_tol=tol, irls_max_iters=1e5; multinomial without groups of classes: "
        "state.multiglm_naive with groups of one coefficient"
    )
    supports: ClassVar[Mapping[str, frozenset[str]]] = {
        "gaussian": PENALTIES | LIMITS | EXTRAS,
        "binomial": PENALTIES | LIMITS | EXTRAS,
        "poisson": PENALTIES | LIMITS | EXTRAS,
        "multinomial": PENALTIES | EXTRAS | {"groups of classes"},
        "cox": PENALTIES | LIMITS | EXTRAS,
    }

    def solve(self, problem: Problem, tol: float) -> Any:
        """Call ``grpnet``."""
        import adelie as ad

        X, threads = problem.X, usable_cores()
        if sp.issparse(X):
            matrix = ad.matrix.sparse(sp.csc_matrix(X), method="naive", n_threads=threads)
        else:
            matrix = ad.matrix.dense(X, method="naive", n_threads=threads)
        options: dict[str, Any] = {
            "alpha": problem.l1_ratio,
            "tol": tol,
            "adev_tol": 1.0,
            "ddev_tol": 0.0,
            "early_exit": False,
            "max_iters": MANY,
            "n_threads": threads,
        }
        if problem.family != "gaussian":
            options |= {"irls_tol": tol, "irls_max_iters": 100_000}
        if problem.family == "multinomial":
            return _multinomial(problem, matrix, options)
        return ad.grpnet(
            X=matrix,
            glm=_glm(problem),
            penalty=problem.penalty_factor,
            constraints=self._constraints(problem),
            lmda_path=problem.lambdas,
            intercept=problem.family != "cox",
            progress_bar=False,
            **options,
        ).betas.T.tocsc()

    def _constraints(self, problem: Problem) -> list[Any] | None:
        if problem.lower is None and problem.upper is None:
            return None
        import adelie as ad

        lower, upper = (np.clip(limit, -1e100, 1e100) for limit in problem.limits)
        return [
            ad.constraint.box(lower=lower[j : j + 1], upper=upper[j : j + 1])
            for j in range(lower.size)
        ]


def _glm(problem: Problem) -> Any:
    import adelie as ad

    y, w = problem.y, problem.weights
    if problem.family == "cox":
        start = np.full(w.size, min(y[:, 0].min(), 0.0) - 1.0)
        time, event = (np.ascontiguousarray(column) for column in y.T)
        return ad.glm.cox(start, time, event, weights=w, tie_method="breslow")
    if problem.family == "multinomial":
        K = LOSSES["multinomial"].outputs(y)
        return ad.glm.multinomial(np.eye(K)[y.astype(np.intp)], weights=w)
    return getattr(ad.glm, problem.family)(y=y, weights=w)


def _multinomial(problem: Problem, matrix: Any, options: dict[str, Any]) -> Any:
    """Coefficients (K p, L), from columns in which the classes of a feature stand together."""
    import adelie as ad

    glm, v = _glm(problem), problem.factors
    (n, K), p = glm.y.shape, v.size
    options = options | {"lmda_path": problem.lambdas / K}
    if problem.grouped:
        state = ad.grpnet(X=matrix, glm=glm, penalty=v, progress_bar=False, **options)
    else:
        penalty = np.concatenate([np.zeros(K), np.repeat(v, K)])
        free = np.flatnonzero((penalty <= 0.0) | (problem.l1_ratio <= 0.0))
        residual = np.empty((n, K))
        glm.gradient(np.zeros((n, K)), residual)
        products = np.asarray(problem.X.T @ residual)
        active = np.zeros(penalty.size, dtype=int)
        active[: free.size] = np.arange(free.size)
        state = ad.state.multiglm_naive(
            X=matrix,
            glm=glm,
            constraints=None,
            groups=np.arange(penalty.size),
            group_sizes=np.ones(penalty.size, dtype=int),
            penalty=penalty,
            offsets=np.zeros((n, K)),
            screen_set=free,
            screen_beta=np.zeros(free.size),
            screen_is_active=np.ones(free.size, dtype=bool),
            active_set_size=free.size,
            active_set=active,
            lmda=np.inf,
            grad=np.concatenate([residual.sum(axis=0), products.ravel()]),
            eta=np.zeros(n * K),
            resid=residual.ravel(),
            loss_full=glm.loss_full(),
            **options,
        ).solve(progress_bar=False)
    by_feature = state.betas.T.tocsr()
    return by_feature[np.arange(p * K).reshape(p, K).T.ravel()].tocsc()


class AdelieGram(Peer):
    """adelie on the Gram matrix, its best way where there are many rows."""

    name, package = "adelie-gram", "adelie"
    ladder = (1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-13, 1e-15)
    settings = (
        "gaussian_cov on the Gram matrix (numpy, counted), n_threads=all cores, "
        f"early_exit=False, rdev_tol=0, max_iters={MANY:.0e}, tol=..."
    )
    # It raises an error at alpha=0.
    supports: ClassVar[Mapping[str, frozenset[str]]] = {
        "gaussian": PATHS | {"sample weights", "penalty factors"}
    }

    def refusal(self, problem: Problem) -> str | None:
        """Add where a Gram matrix does not pay."""
        n, p = problem.X.shape
        return "is for n > p" if n <= p else super().refusal(problem)

    def solve(self, problem: Problem, tol: float) -> Any:
        """Form the Gram matrix and call ``gaussian_cov``."""
        import adelie as ad

        X, w, threads = problem.X, problem.weights, usable_cores()
        mean = X.T @ w
        if problem.sample_weight is None:
            gram = X.T @ X / w.size
        else:
            rooted = np.sqrt(w)[:, None] * X
            gram = rooted.T @ rooted
        gram -= np.outer(mean, mean)
        products = X.T @ (w * (problem.y - w @ problem.y))
        return ad.gaussian_cov(
            A=ad.matrix.dense(np.asfortranarray(gram), method="cov", n_threads=threads),
            v=products,
            alpha=problem.l1_ratio,
            penalty=problem.penalty_factor,
            lmda_path=problem.lambdas,
            tol=tol,
            rdev_tol=0.0,
            early_exit=False,
            max_iters=MANY,
            n_threads=threads,
            progress_bar=False,
        ).betas.T.tocsc()

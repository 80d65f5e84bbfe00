"""The solvers that are compared, one class each: what they can do, their settings, their call.

A peer is a subclass of `regpath.benchmark.contract.Peer` and an entry in `SOLVERS`. Packages are
imported when a peer runs, so that what is not installed is only reported.

Every translation of lambda and of the penalty stands in the peer's ``solve``. Whatever a peer needs
beside its own call (centring, a Gram matrix) is part of its time; compiling is not.
"""

from __future__ import annotations

import os
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from regpath.benchmark.contract import Peer, needs
from regpath.benchmark.glmnet_r import Session, glmnet_version
from regpath.benchmark.problems import Problem

__all__ = ["SOLVERS"]

Array = NDArray[np.float64]

MANY = 100_000_000
"""Iterations that a peer may take: its tolerance shall decide, not a limit."""

DENSE_HESSIAN = 5000
"""Columns up to which glum's dense Hessian is affordable."""


PENALTIES = frozenset({"gaussian", "lasso", "elastic net", "ridge"})
PATHS = frozenset({"gaussian", "lasso", "elastic net"})
LIMITS = frozenset({"coefficients >= 0", "limits"})
EXTRAS = frozenset({"sparse X", "sample weights", "penalty factors"})


class Regpath(Peer):
    """The package itself."""

    name, package = "regpath", "regpath"
    ladder = (1e-6, 1e-7, 1e-8)
    settings = "fit_path(standardize=False, tol=...), all else default"
    supports = PENALTIES | LIMITS | EXTRAS | {"float32 X", "int8 X"}

    def version(self) -> str | None:
        """Return the version of this package, installed or not."""
        from regpath import __version__

        return __version__

    def solve(self, problem: Problem, tol: float) -> Any:
        """Call `regpath.fit_path`."""
        from regpath import fit_path

        return fit_path(problem.X, problem.y, tol=tol, **problem.options()).coefs_sparse


class ScikitLearn(Peer):
    """scikit-learn, with the objective of regpath: its alpha is our lambda."""

    name, package = "sklearn", "scikit-learn"
    ladder = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
    settings = (
        "enet_path on centred columns (implicitly where sparse), precompute='auto', "
        f"max_iter={MANY:.0e}, tol=...; ridge: one Ridge for all lambdas at once "
        "(y repeated, alpha = n lambda each), solver='auto', tol=..."
    )
    supports = PENALTIES | {"sparse X", "sample weights", "coefficients >= 0"}

    def refusal(self, problem: Problem) -> str | None:
        """Add the combinations that are left out."""
        needed = needs(problem)
        if "ridge" in needed and "coefficients >= 0" in needed:
            return "solves limited ridge for one lambda at a time only"
        if "sparse X" in needed and "sample weights" in needed and "ridge" not in needed:
            return "centres sparse X without regard to weights in enet_path"
        return super().refusal(problem)

    def solve(self, problem: Problem, tol: float) -> Any:
        """Call ``enet_path``, or ``Ridge`` with a penalty per copy of y."""
        from sklearn.linear_model import enet_path

        if problem.l1_ratio == 0.0:
            return self._ridge(problem, tol)
        X, y, options = _centred(problem)
        return enet_path(
            X,
            y,
            alphas=problem.lambdas,
            l1_ratio=problem.l1_ratio,
            tol=tol,
            max_iter=MANY,
            positive="coefficients >= 0" in needs(problem),
            copy_X=False,
            **options,
        )[1]

    def _ridge(self, problem: Problem, tol: float) -> Any:
        from sklearn.linear_model import Ridge

        n, alphas = problem.y.size, problem.lambdas
        weights = None if problem.sample_weight is None else n * problem.weights
        copies = np.repeat(problem.y[:, None], alphas.size, axis=1)
        model = Ridge(alpha=n * alphas, tol=tol)
        return model.fit(problem.X, copies, sample_weight=weights).coef_.T


class Celer(Peer):
    """celer: scikit-learn's objective, without ridge; its ``weights`` are penalty factors."""

    name, package = "celer", "celer"
    ladder = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
    settings = (
        "celer_path on centred columns (implicitly where sparse), max_iter=1000, tol=..., "
        "all else default"
    )
    supports = PATHS | {"sparse X", "penalty factors", "coefficients >= 0"}

    def solve(self, problem: Problem, tol: float) -> Any:
        """Call ``celer_path``."""
        from celer import celer_path

        X, y, options = _centred(problem)
        return celer_path(
            X,
            y,
            "lasso",
            alphas=problem.lambdas,
            l1_ratio=problem.l1_ratio,
            tol=tol,
            max_iter=1000,
            weights=problem.penalty_factor,
            positive="coefficients >= 0" in needs(problem),
            **options,
        )[1]


class Skglm(Peer):
    """skglm: scikit-learn's objective, without ridge."""

    name, package = "skglm", "skglm"
    ladder = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
    settings = (
        "AndersonCD(fit_intercept=True, warm_start=True, max_iter=1000, max_epochs=100000, "
        "tol=...), one call per lambda from the last solution"
    )
    supports = PATHS | {"sparse X", "sample weights", "penalty factors", "coefficients >= 0"}

    def refusal(self, problem: Problem) -> str | None:
        """Add the combinations that are left out."""
        needed = needs(problem)
        if "penalty factors" in needed and "lasso" not in needed:
            return "takes penalty factors for the lasso only"
        if "sample weights" in needed and "sparse X" in needed:
            return "does not take sample weights with sparse X"
        return super().refusal(problem)

    def solve(self, problem: Problem, tol: float) -> Any:
        """Call ``AndersonCD.solve`` along the grid, as its ``path`` does."""
        from skglm.datafits import Quadratic, WeightedQuadratic
        from skglm.penalties import L1, L1_plus_L2, WeightedL1
        from skglm.solvers import AndersonCD

        X, y, lambdas = problem.X, problem.y, problem.lambdas
        X = sp.csc_matrix(X) if sp.issparse(X) else X
        positive = "coefficients >= 0" in needs(problem)
        if problem.penalty_factor is not None:
            penalty = WeightedL1(lambdas[0], problem.penalty_factor, positive)
        elif problem.l1_ratio == 1.0:
            penalty = L1(lambdas[0], positive)
        else:
            penalty = L1_plus_L2(lambdas[0], problem.l1_ratio, positive)
        datafit = Quadratic()
        if problem.sample_weight is not None:
            datafit = WeightedQuadratic(y.size * problem.weights)
        solver = AndersonCD(
            max_iter=1000, max_epochs=100_000, tol=tol, fit_intercept=True, warm_start=True
        )
        w, fitted = np.zeros(X.shape[1] + 1), np.zeros(y.size)
        coefs = np.zeros((X.shape[1], lambdas.size), order="F")
        for k, lambda_ in enumerate(lambdas):
            penalty.alpha = lambda_
            w = solver.solve(X, y, datafit, penalty, w.copy(), fitted)[0]
            coefs[:, k] = w[:-1]
        return coefs


class Adelie(Peer):
    """adelie on X itself; its lmda is our lambda, groups have one feature each."""

    name, package = "adelie", "adelie"
    ladder = (1e-7, 1e-9, 1e-11, 1e-13, 1e-15)
    settings = (
        "grpnet on matrix.dense or matrix.sparse, method='naive', n_threads=all cores, "
        f"early_exit=False, adev_tol=1, ddev_tol=0, max_iters={MANY:.0e}, tol=..."
    )
    supports = PENALTIES | LIMITS | EXTRAS

    def solve(self, problem: Problem, tol: float) -> Any:
        """Call ``grpnet``."""
        import adelie as ad

        X, threads = problem.X, _cores()
        if sp.issparse(X):
            matrix = ad.matrix.sparse(sp.csc_matrix(X), method="naive", n_threads=threads)
        else:
            matrix = ad.matrix.dense(X, method="naive", n_threads=threads)
        return ad.grpnet(
            X=matrix,
            glm=ad.glm.gaussian(y=problem.y, weights=problem.weights),
            alpha=problem.l1_ratio,
            penalty=problem.penalty_factor,
            constraints=self._constraints(problem),
            lmda_path=problem.lambdas,
            intercept=True,
            tol=tol,
            adev_tol=1.0,
            ddev_tol=0.0,
            early_exit=False,
            max_iters=MANY,
            n_threads=threads,
            progress_bar=False,
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


class AdelieGram(Peer):
    """adelie on the Gram matrix, its best way where there are many rows."""

    name, package = "adelie-gram", "adelie"
    ladder = (1e-7, 1e-9, 1e-11, 1e-13, 1e-15)
    settings = (
        "gaussian_cov on the Gram matrix (numpy, counted), n_threads=all cores, "
        f"early_exit=False, rdev_tol=0, max_iters={MANY:.0e}, tol=..."
    )
    supports = PATHS | {"sample weights", "penalty factors"}  # it raises an error at alpha=0

    def refusal(self, problem: Problem) -> str | None:
        """Add where a Gram matrix does not pay."""
        n, p = problem.X.shape
        return "is for n > p" if n <= p else super().refusal(problem)

    def solve(self, problem: Problem, tol: float) -> Any:
        """Form the Gram matrix and call ``gaussian_cov``."""
        import adelie as ad

        X, w, threads = problem.X, problem.weights, _cores()
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


class Glum(Peer):
    """glum: scikit-learn's objective; P1 and P2 are penalty factors."""

    name, package = "glum", "glum"
    ladder = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
    settings = (
        "GeneralizedLinearRegressor(family='normal', alpha_search=True, solver='auto', "
        "max_iter=10000, gradient_tol=...)"
    )
    supports = PENALTIES | LIMITS | EXTRAS

    def refusal(self, problem: Problem) -> str | None:
        """Add where its Hessian would not fit."""
        if problem.X.shape[1] > DENSE_HESSIAN:
            return f"forms a dense p x p Hessian; p <= {DENSE_HESSIAN} here"
        return super().refusal(problem)

    def solve(self, problem: Problem, tol: float) -> Any:
        """Fit all alphas by one ``alpha_search``."""
        from glum import GeneralizedLinearRegressor

        X, factors = problem.X, problem.penalty_factor
        return (
            GeneralizedLinearRegressor(
                family="normal",
                l1_ratio=problem.l1_ratio,
                alpha_search=True,
                alpha=list(problem.lambdas),
                P1="identity" if factors is None else factors,
                P2="identity" if factors is None else factors,
                lower_bounds=problem.lower,
                upper_bounds=problem.upper,
                gradient_tol=tol,
                max_iter=10_000,
                copy_X=False,
            )
            .fit(sp.csc_matrix(X) if sp.issparse(X) else X, problem.y, problem.sample_weight)
            .coef_path_.T
        )


class Glmnet(Peer):
    """glmnet through Rscript, timed inside R."""

    name, package = "glmnet", "glmnet (R)"
    ladder = (1e-7, 1e-9, 1e-11, 1e-13, 1e-15)
    gaussian_type: ClassVar[str] = ""
    settings = (
        "glmnet(standardize=FALSE, maxit=1e8, thresh=...), fdev=0, devmax=1.1, type.gaussian "
        "default; timed inside R after a first small fit, without the transfer of the data"
    )
    supports = PENALTIES | LIMITS | EXTRAS

    def __init__(self) -> None:
        self._session: Session | None = None

    def version(self) -> str | None:
        """Return the version of the R package."""
        return glmnet_version()

    def refusal(self, problem: Problem) -> str | None:
        """Add the designs that glmnet refuses."""
        return "needs two columns" if problem.X.shape[1] < 2 else super().refusal(problem)

    def run(self, problem: Problem, tol: float) -> tuple[float, Any]:
        """Run R, which reads the problem from files written once."""
        if self._session is None or self._session.problem is not problem:
            self._session = Session(problem, self.gaussian_type)
        return self._session.run(tol)

    def release(self) -> None:
        """Delete the files."""
        self._session = None


class GlmnetCovariance(Glmnet):
    """glmnet with its covariance updates where its own choice is the naive ones."""

    name = "glmnet-cov"
    gaussian_type = "covariance"
    settings = 'as glmnet, with type.gaussian="covariance"'

    def refusal(self, problem: Problem) -> str | None:
        """Add where it is what glmnet does anyway, or does not pay."""
        n, p = problem.X.shape
        if p < 500 or n <= p:
            return "is for n > p >= 500; below, glmnet takes it by itself"
        return super().refusal(problem)


SOLVERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Regpath(),
        Glmnet(),
        GlmnetCovariance(),
        Adelie(),
        AdelieGram(),
        Celer(),
        Skglm(),
        ScikitLearn(),
        Glum(),
    )
}
"""All solvers by name."""


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _centred(problem: Problem) -> tuple[Any, Array, dict[str, Any]]:
    """X and y for a solver without intercept; rows are scaled by the roots of their weights."""
    X, w = problem.X, problem.weights
    mean, y = np.asarray(X.T @ w).ravel(), problem.y - w @ problem.y
    if sp.issparse(X):
        return sp.csc_matrix(X), y, {"X_offset": mean, "X_scale": np.ones(mean.size)}
    centred = np.asfortranarray(X - mean)
    if problem.sample_weight is not None:
        root = np.sqrt(w.size * w)
        centred *= root[:, None]
        y *= root
    return centred, y, {}

"""The solvers that are compared, one class each: what they can do, their settings, their call.

A peer is a subclass of `regpath.benchmark.contract.Peer` and an entry in `SOLVERS`. Packages are
imported when a peer runs, so that what is not installed is only reported.

Every translation of lambda and of the penalty stands in the peer's ``solve``. Whatever a peer needs
beside its own call (centring, a Gram matrix) is part of its time; compiling is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from regpath.benchmark._adelie import Adelie, AdelieGram
from regpath.benchmark._glmnet import Glmnet, GlmnetCovariance
from regpath.benchmark._skglm import Skglm
from regpath.benchmark.contract import EXTRAS, LIMITS, MANY, PATHS, PENALTIES, Peer, needs
from regpath.benchmark.problems import Problem

__all__ = ["SOLVERS"]

Array = NDArray[np.float64]

DENSE_HESSIAN = 5000
"""Columns up to which a dense Hessian is affordable."""

OWN = PENALTIES | LIMITS | EXTRAS | {"float32 X", "int8 X"}


class Regpath(Peer):
    """The package itself."""

    name, package = "regpath", "regpath"
    ladder = (1e-6, 1e-7, 1e-8)
    settings = "fit_path(standardize=False, tol=...), all else default"
    supports: ClassVar[Mapping[str, frozenset[str]]] = {
        "gaussian": OWN,
        "binomial": OWN,
        "poisson": OWN,
        "multinomial": OWN | {"groups of classes"},
        "cox": OWN,
    }

    def version(self) -> str | None:
        """Return the version of this package, installed or not."""
        from regpath import __version__

        return __version__

    def refusal(self, problem: Problem) -> str | None:
        """Add the combination that is none."""
        if problem.grouped and (problem.lower is not None or problem.upper is not None):
            return "does not take limits with groups of classes"
        return super().refusal(problem)

    def solve(self, problem: Problem, tol: float) -> Any:
        """Call `regpath.fit_path`."""
        from regpath import fit_path

        return fit_path(problem.X, problem.y, tol=tol, **problem.options()).coefs_sparse


class ScikitLearn(Peer):
    """scikit-learn, with the objective of regpath: its alpha is our lambda."""

    name, package = "sklearn", "scikit-learn"
    ladder = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
    settings = (
        "enet_path on centred columns (implicitly where sparse), precompute='auto', "
        f"max_iter={MANY:.0e}, tol=...; ridge: one Ridge for all lambdas at once "
        "(y repeated, alpha = n lambda each), solver='auto', tol=...; binomial and multinomial: "
        "LogisticRegression(C=1/(n lambda), warm_start=True), solver='saga', for ridge "
        "'newton-cholesky' or with many columns 'lbfgs'; poisson ridge: PoissonRegressor likewise"
    )
    supports: ClassVar[Mapping[str, frozenset[str]]] = {
        "gaussian": PENALTIES | {"sparse X", "sample weights", "coefficients >= 0"},
        "binomial": PENALTIES | {"sparse X", "sample weights"},
        "poisson": frozenset({"ridge", "sparse X", "sample weights"}),
        "multinomial": PENALTIES | {"sparse X", "sample weights"},
    }

    def refusal(self, problem: Problem) -> str | None:
        """Add the combinations that are left out."""
        needed = needs(problem)
        if "ridge" in needed and "coefficients >= 0" in needed:
            return "solves limited ridge for one lambda at a time only"
        weighted = "sample weights" in needed and "ridge" not in needed
        if "sparse X" in needed and weighted and problem.family == "gaussian":
            return "centres sparse X without regard to weights in enet_path"
        return super().refusal(problem)

    def solve(self, problem: Problem, tol: float) -> Any:
        """Call ``enet_path``, ``Ridge`` with a penalty per copy of y, or a model per lambda."""
        from sklearn.linear_model import enet_path

        if problem.family != "gaussian":
            return np.array(list(self._models(problem, tol))).T
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

    def _models(self, problem: Problem, tol: float) -> Iterator[Array]:
        """Coefficients at one lambda after the other, each from the last."""
        from sklearn.linear_model import LogisticRegression, PoissonRegressor

        X, n = problem.X, problem.y.size
        X = sp.csr_matrix(X) if sp.issparse(X) else X
        # The steps of saga are too long for weights above 1.
        weights, largest = None, 1.0 / n
        if problem.sample_weight is not None:
            largest = problem.weights.max()
            weights = problem.weights / largest
        newton = X.shape[1] * np.unique(problem.y).size <= DENSE_HESSIAN
        options: dict[str, Any] = {"tol": tol, "max_iter": 1_000_000, "warm_start": True}
        options["solver"] = "newton-cholesky" if newton else "lbfgs"
        if problem.family == "poisson":
            model: Any = PoissonRegressor(**options)
        elif problem.l1_ratio == 0.0:
            model = LogisticRegression(**options)
        else:
            model = LogisticRegression(**options | {"solver": "saga", "random_state": 0})
            model.set_params(l1_ratio=problem.l1_ratio)
            if model.penalty == "l2":  # the default before 1.8; the penalty then has a name
                model.set_params(penalty="elasticnet")
        for lambda_ in problem.lambdas:
            if problem.family == "poisson":
                model.set_params(alpha=lambda_)
            else:
                model.set_params(C=largest / lambda_)
            yield model.fit(X, problem.y, sample_weight=weights).coef_.ravel().copy()


class Celer(Peer):
    """celer: scikit-learn's objective, without ridge; its ``weights`` are penalty factors."""

    name, package = "celer", "celer"
    ladder = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
    settings = (
        "celer_path on centred columns (implicitly where sparse), max_iter=1000, tol=..., "
        "all else default"
    )
    # Its logistic path has no intercept.
    supports: ClassVar[Mapping[str, frozenset[str]]] = {
        "gaussian": PATHS | {"sparse X", "penalty factors", "coefficients >= 0"}
    }

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


class Glum(Peer):
    """glum: scikit-learn's objective; P1 and P2 are penalty factors."""

    name, package = "glum", "glum"
    ladder = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
    settings = (
        "GeneralizedLinearRegressor(family='normal', 'binomial' or 'poisson', alpha_search=True, "
        "solver='auto', max_iter=10000, gradient_tol=...)"
    )
    supports: ClassVar[Mapping[str, frozenset[str]]] = dict.fromkeys(
        ("gaussian", "binomial", "poisson"), PENALTIES | LIMITS | EXTRAS
    )

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
                family="normal" if problem.family == "gaussian" else problem.family,
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

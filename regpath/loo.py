"""Leave-one-out predictions and scores of a ridge path, exact, all from one decomposition.

With z = y - offset, weights w that sum to one, penalty lambda b'D b / 2 and the hat matrix H(mu) of
the weighted problem with the strength mu in place of lambda, the residual of row i in the fit
without it is

    e_(i) = e_i(mu) / (1 - H_ii(mu)),      mu = lambda (1 - w_i).

The weights that are left sum to 1 - w_i and are scaled to one again, which leaves them as they are
and turns lambda into lambda (1 - w_i). In the notation of `regpath._hat`, one of these:

- fewer columns than rows: M'M = R S R', T = M R: H_ii = |Q_i|^2 + sum_k T_ik^2 / (s_k + mu);
- otherwise M D^-1 M' = U S U' off the columns of Q: 1 - H_ii = sum_k U_ik^2 mu / (s_k + mu), and
  e_i = sum_k U_ik (U'z)_k mu / (s_k + mu), in whose quotient nothing cancels as mu goes to 0.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from regpath._hat import column_gram, free_basis, matrix_of, row_blocks, row_gram
from regpath._rules import equal_to_best
from regpath._stated_design import EPS, Dense, Sparse, design_of, normalised
from regpath.criteria import criteria
from regpath.fold_work import root_mean_square
from regpath.path import ConvergenceWarning, ridge_path
from regpath.result import Path
from regpath.validation import Problem, check_problem

__all__ = ["LeaveOneOut", "leave_one_out", "leave_one_out_scores"]

Array = NDArray[np.float64]
Index = NDArray[np.intp]

CALL = "leave_one_out"

NEEDED = 1e-7
"""Below this 1 - H_ii a coefficient without penalty is known from row i alone."""


@dataclass(frozen=True, eq=False)
class _Ridge:
    """Rows of positive weight; z is centred if there is an intercept."""

    design: Dense | Sparse
    root: Array
    z: Array
    basis: Array
    penalised: Index
    factor: Array
    lambdas: Array
    rescale: bool

    def strengths(self, weight: float) -> Array:
        """The strength mu of every lambda for a row of this weight."""
        return self.lambdas * (1.0 - weight) if self.rescale else self.lambdas


def leave_one_out(path: Path, X: Any, y: Any, *, rescale: bool = True) -> Array:
    """Linear predictors of every row by the ridge models that are fitted without it.

    Costs one eigendecomposition, of order p or n, whichever is smaller, and a matrix product, in
    place of n fits. Intercept and unpenalised features are exact. The scales of
    ``standardize=True`` are those of all rows: leaving one out does not change them.

    Parameters
    ----------
    path : Path
        Gaussian, ``l1_ratio=0``, without limits.
    X, y
        The data of the fit. Sparse X is not made dense, but for blocks of it.
    rescale : bool, default True
        The weights of the other rows are scaled to sum to one at the same lambda, as when the path
        is fitted to them. False: they stay as they are, as if lambda were lambda / (1 - w_i); this
        is scikit-learn's ``RidgeCV``, whose alpha is lambda times the sum of the weights.

    Returns
    -------
    eta : ndarray of shape (n, L)
        With the offset. Rows of weight 0 have the predictions of the path.

    Raises
    ------
    ValueError
        If the path is of another kind, the data have other shapes than those of the fit (whether
        their values are the same is not checked), or fewer than two rows have a positive weight.

    References
    ----------
    Golub, Heath and Wahba (1979), Generalized cross-validation as a method for choosing a good
    ridge parameter, Technometrics 21. Hastie, Tibshirani and Friedman (2009), The Elements of
    Statistical Learning, equation (7.64).

    Examples
    --------
    >>> import regpath
    >>> from regpath.loo import leave_one_out
    >>> X, y, names, _ = regpath.datasets.load_prostate()
    >>> path = regpath.ridge_path(X, y, lambdas=[1, 0.1, 0.01])
    >>> errors = ((y[:, None] - leave_one_out(path, X, y)) ** 2).mean(axis=0)
    >>> errors.round(3)
    array([0.632, 0.537, 0.54 ])
    """
    return _predicted(path, X, y, rescale)[1]


@dataclass(frozen=True, kw_only=True, eq=False)
class LeaveOneOut:
    """How the points of a ridge path predict rows that they were not fitted to.

    Attributes
    ----------
    lambdas : ndarray of shape (L,)
        Of the path.
    mse, std_errors : ndarray of shape (L,)
        Weighted mean of the squared errors of the rows, each predicted without it, and its standard
        error.
    gcv : ndarray of shape (L,)
        Generalized cross-validation, of `regpath.criteria`: every 1 - H_ii replaced by their mean,
        at lambda itself.
    """

    lambdas: Array
    mse: Array
    std_errors: Array
    gcv: Array

    @property
    def index_min(self) -> int:
        """Position of the smallest mean squared error; of equal ones the largest lambda."""
        return int(np.argmax(equal_to_best(self.mse)))

    @property
    def lambda_min(self) -> float:
        """Lambda with the smallest mean squared error."""
        return float(self.lambdas[self.index_min])

    def __repr__(self) -> str:
        k = self.index_min
        return (
            f"LeaveOneOut({self.lambdas.size} lambdas, best: lambda={self.lambdas[k]:.5g}, "
            f"mse={self.mse[k]:.5g}, std_error={self.std_errors[k]:.4g}, gcv={self.gcv[k]:.5g})"
        )


def leave_one_out_scores(path: Path, X: Any, y: Any) -> LeaveOneOut:
    """Mean squared errors of the predictions of `leave_one_out`, with GCV beside.

    These are the scores of ``cv_path(X, y, cv="loo", l1_ratio=0)`` at the lambdas of the path, up
    to tol, where ``standardize=False``. Otherwise they differ a little: each of those n fits
    standardises its own rows, whereas the scales are those of all rows here.

    Parameters
    ----------
    path : Path
        Gaussian, ``l1_ratio=0``, without limits.
    X, y
        The data of the fit.

    Returns
    -------
    LeaveOneOut

    Raises
    ------
    ValueError
        As `leave_one_out`.

    Examples
    --------
    >>> import regpath
    >>> X, y, names, _ = regpath.datasets.load_prostate()
    >>> regpath.ridge_path(X, y, lambdas=[1, 0.1, 0.01]).leave_one_out(X, y)
    LeaveOneOut(3 lambdas, best: lambda=0.1, mse=0.53728, std_error=0.08102, gcv=0.53417)
    """
    problem, eta = _predicted(path, X, y, rescale=True)
    used = problem.weights > 0.0
    shares = problem.weights[used]
    losses = (problem.response.y[used, None] - eta[used]) ** 2
    mse = shares @ losses
    return LeaveOneOut(
        lambdas=path.lambdas,
        mse=mse,
        std_errors=root_mean_square(shares, losses, mse) / math.sqrt(shares.size - 1),
        gcv=criteria(path, X, y).gcv,
    )


def _predicted(path: Path, X: Any, y: Any, rescale: bool) -> tuple[Problem, Array]:
    """The problem of a path, and the predictors of every row without it."""
    _check_kind(path)
    settings = path.settings
    problem = check_problem(
        CALL,
        X,
        y,
        sample_weight=settings.sample_weight,
        offset=settings.offset,
        penalty_factor=settings.penalty_factor,
        fit_intercept=settings.fit_intercept,
    )
    if problem.p != path.n_features:
        raise ValueError(
            f"{CALL}(X=...): X has {problem.p} columns; the path was fitted on {path.n_features}."
        )
    X = matrix_of(problem.design)
    used = np.flatnonzero(problem.weights > 0.0)
    if used.size < 2:
        raise ValueError(f"{CALL}: one row has all the weight; nothing is left without it.")
    rest = np.flatnonzero(problem.weights == 0.0)
    z = problem.response.y - problem.offset
    weights = normalised(problem.weights[used])
    some = X if not rest.size else X[used]
    ridge, factor = _state(path, some, z[used], weights, problem.penalty_factor, rescale)
    residuals, left = _residuals(ridge)
    eta = np.empty((problem.n, path.lambdas.size))
    eta[used] = problem.response.y[used, None] - residuals
    if rest.size:
        eta[rest] = X[rest] @ path.coefs + path.intercepts + problem.offset[rest, None]
    for i in np.flatnonzero(left).tolist():
        one = csr_array(some)[[i]].toarray() if issparse(some) else some[[i]]
        fit = _without(path, some, z[used], weights, factor, i, rescale)
        eta[used[i]] = fit.predict(np.asarray(one, np.float64)) + problem.offset[used[i]]
    return problem, eta


def _check_kind(path: Path) -> None:
    if path.family != "gaussian" or path.l1_ratio != 0.0:
        raise ValueError(
            f"{CALL}: the path is of the {path.family} family with l1_ratio={path.l1_ratio:g}; the "
            "formula holds for the gaussian family and l1_ratio=0 alone: cross-validate instead."
        )
    if path.settings.lower is not None or path.settings.upper is not None:
        raise ValueError(f"{CALL}: the path has limits, with which the formula does not hold.")


def _state(
    path: Path, X: Any, z: Array, weights: Array, factor: Array, rescale: bool
) -> tuple[_Ridge, Array]:
    """The problem with its parts that no lambda changes, and the factors on the scale of X."""
    settings = path.settings
    intercept = settings.fit_intercept
    design = design_of(X, weights, intercept, settings.standardize)
    flat = (design.sd == 0.0) & (intercept or settings.standardize)
    factor = np.where(flat, np.inf, factor)
    root = np.sqrt(weights)
    ridge = _Ridge(
        design=design,
        root=root,
        z=z - weights @ z if intercept else z,
        basis=free_basis(design, np.flatnonzero(factor == 0.0), root, intercept=intercept),
        penalised=np.flatnonzero((factor > 0.0) & np.isfinite(factor)),
        factor=factor[(factor > 0.0) & np.isfinite(factor)],
        lambdas=path.lambdas,
        rescale=rescale,
    )
    return ridge, factor * design.scale**2


def _residuals(ridge: _Ridge) -> tuple[Array, NDArray[np.bool_]]:
    """Residuals z_i - eta_(i) of shape (n, L), and the rows for which there is no formula."""
    n = ridge.root.size
    residuals = np.empty((n, ridge.lambdas.size))
    left = np.zeros(n, dtype=bool)
    wide = ridge.penalised.size + ridge.basis.shape[1] >= n
    blocks = _by_rows(ridge) if wide else _by_columns(ridge)
    weights = ridge.root**2
    for part, divided in blocks:
        rows = np.arange(n)[part]
        for weight in np.unique(weights[part]):
            own = weights[part] == weight
            found, share = divided(own, ridge.strengths(float(weight)))
            left[rows[own]] = ~(share > 0.0).all(axis=1)
            with np.errstate(divide="ignore", invalid="ignore"):
                residuals[rows[own]] = found / share / ridge.root[rows[own], None]
    return residuals, left


Divided = Callable[[NDArray[np.bool_], Array], tuple[Array, Array]]
"""For some rows of a block and strengths mu: e_i and 1 - H_ii (0: unknown), up to a factor."""


def _by_columns(ridge: _Ridge) -> Iterator[tuple[slice, Divided]]:
    root, basis, v = ridge.root, ridge.basis, np.sqrt(ridge.factor)
    gram, crossed, lengths = column_gram(ridge.design, ridge.penalised, root, basis)
    values, vectors = np.linalg.eigh(gram / np.outer(v, v))
    values = np.maximum(values, 0.0)
    floor = 8.0 * EPS * v.size * float(np.sum(lengths / v**2))
    turn = vectors / v[:, None]
    free = basis.T @ (root * ridge.z)
    rest = root * ridge.z - basis @ free
    along = turn.T @ ridge.design.correlate((rest / root)[:, None])[ridge.penalised, 0]
    for part, block in row_blocks(ridge.design, ridge.penalised, root):
        T = block @ turn - basis[part] @ (crossed @ turn)
        known = np.sum(basis[part] ** 2, axis=1)

        def divided(
            own: NDArray[np.bool_],
            mu: Array,
            T: Array = T,
            known: Array = known,
            rest: Array = rest[part],
        ) -> tuple[Array, Array]:
            shifted = values[:, None] + mu
            inverse = np.where(shifted > floor, 1.0 / np.maximum(shifted, floor or 1.0), 0.0)
            e = rest[own, None] - T[own] @ (along[:, None] * inverse)
            share = 1.0 - known[own, None] - T[own] ** 2 @ inverse
            return e, np.where(share > NEEDED, share, 0.0)

        yield part, divided


def _by_rows(ridge: _Ridge) -> Iterator[tuple[slice, Divided]]:
    root, basis = ridge.root, ridge.basis
    gram, trace = row_gram(ridge.design, ridge.penalised, root, basis, ridge.factor)
    outside = np.eye(root.size)
    if basis.shape[1]:
        outside = scipy.linalg.qr(basis)[0][:, basis.shape[1] :]
    values, vectors = np.linalg.eigh(outside.T @ gram @ outside)
    values, U = np.maximum(values, 0.0), outside @ vectors
    floor = max(8.0 * EPS * root.size * trace, np.finfo(float).tiny)
    along = U.T @ (root * ridge.z)
    known = np.sum(U**2, axis=1)

    def divided(own: NDArray[np.bool_], mu: Array) -> tuple[Array, Array]:
        # mu / (s + mu), in units of the largest: only the quotient of the two sums counts.
        shrunk = 1.0 / (values[:, None] + np.where(np.isinf(mu), 0.0, mu) + floor)
        shrunk = np.where(np.isinf(mu), 1.0, shrunk / shrunk.max(axis=0, initial=0.0))
        share = U[own] ** 2 @ shrunk
        share[known[own] <= NEEDED] = 0.0
        return U[own] @ (along[:, None] * shrunk), share

    yield slice(None), divided


def _without(
    path: Path, X: Any, z: Array, weights: Array, factor: Array, i: int, rescale: bool
) -> Path:
    """The path without row i, where an unpenalised coefficient is lost with it."""
    others = weights.copy()
    others[i] = 0.0
    lambdas = path.lambdas if rescale else path.lambdas / (1.0 - weights[i])
    with warnings.catch_warnings():  # as exact as floating point allows, which is what is asked
        warnings.simplefilter("ignore", ConvergenceWarning)
        return ridge_path(
            X,
            z,
            lambdas=lambdas,
            sample_weight=others,
            penalty_factor=factor,
            fit_intercept=path.settings.fit_intercept,
            standardize=False,
            tol=1e-15,
        )

"""Degrees of freedom of the points of a path.

With H the curvature of the loss and P that of the penalty in the coefficients that are free to
move at a solution, the degrees of freedom are the trace of (H + P)^-1 H: the divergence of the
fit, for the gaussian family exactly and for others that of the last reweighted least-squares step.

- lasso: P = 0, and the trace is the number of non-zeros;
- ridge terms: P = lambda2 v_j;
- norms of K coefficients: P = lambda1 v_j (I - u u') / |b_j| + lambda2 v_j I, u = b_j / |b_j|.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from regpath._hat import column_gram, free_basis, matrix_of, row_gram
from regpath._inputs import check_design
from regpath._responses import check_response
from regpath._stated_design import EPS, Dense, Sparse, design_of, normalised
from regpath._stated_family import StatedLoss, read_family
from regpath._stated_losses import RowLoss

if TYPE_CHECKING:
    from regpath.result import Path

__all__ = ["degrees_of_freedom", "needs_data"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

CALL = "Path.criteria"


def is_grouped(path: Path) -> bool:
    """Whether the norm of a feature's K coefficients is penalised."""
    return path.family == "multigaussian" or bool(path.family_options.get("grouped"))


def needs_data(path: Path) -> bool:
    """Whether degrees of freedom are more than a number of coefficients."""
    return path.l1_ratio < 1.0 or is_grouped(path)


def degrees_of_freedom(path: Path, X: Any, y: Any, n_rows: int) -> Array:
    """Degrees of freedom (L,) with the intercept, see `regpath.criteria.criteria`.

    X and y are looked at only if `needs_data`.
    """
    if not needs_data(path):
        return np.array([_count(path, k) for k in range(path.lambdas.size)], dtype=np.float64)
    stated = _state(path, X, y, n_rows)
    if path.family in ("cox", "multinomial") or is_grouped(path):
        return _Together(path, stated).all()
    return _OneOutput(path, stated).all()


# --------------------------------------------------------------------------------- what is free


def _factor(path: Path) -> Array:
    given = path.settings.penalty_factor
    return np.broadcast_to(np.float64(1.0) if given is None else given, (path.n_features,))


def _varying(path: Path) -> Mask:
    """Features that are not constant, as the path notes them."""
    varying = np.ones(path.n_features, dtype=bool)
    noted = path.info.get("constant_columns", [])
    place = {name: j for j, name in enumerate(path.feature_names or ())}
    varying[[place[j] if isinstance(j, str) else j for j in noted]] = False
    return varying


def _free_to_move(path: Path, k: int, kept: Mask) -> Mask:
    """Coefficients (K, p) that a small change of the response moves."""
    K, p = path.n_outputs or 1, path.n_features
    b = path.coefs_sparse[:, [k]].toarray().reshape(K, p)
    moves = np.broadcast_to(kept, (K, p)) & ((b != 0.0) | (_factor(path) == 0.0))
    if path.l1_ratio == 0.0:
        moves = np.broadcast_to(kept, (K, p)).copy()
    for limit in (path.settings.lower, path.settings.upper):
        if limit is not None:
            moves &= b != limit
    return np.asarray(moves)


def _count(path: Path, k: int) -> int:
    """Non-zero coefficients and intercepts; K classes have K - 1 parameters for a feature."""
    moves = _free_to_move(path, k, np.isfinite(_factor(path)) & _varying(path))
    most = len(moves) - 1 if path.family == "multinomial" else 1
    return int(np.minimum(moves.sum(axis=0), most).sum()) + n_intercepts(path)


def n_intercepts(path: Path) -> int:
    """Number of free intercepts."""
    if not path.settings.fit_intercept or path.family == "cox":
        return 0
    return (path.n_outputs or 1) - (path.family == "multinomial")


# ----------------------------------------------------------------------------------- the problem


@dataclass(frozen=True, eq=False)
class _Stated:
    """Rows of positive weight; for all families but gaussian with the loss."""

    design: Dense | Sparse
    weights: Array
    kept: Mask
    loss: StatedLoss | None = None
    offset: Array | None = None
    exponent: int = 0


def _state(path: Path, X: Any, y: Any, n_rows: int) -> _Stated:
    given, settings = path.settings, path.settings
    canonical, _, _ = check_design(CALL, X)
    X = matrix_of(canonical)
    if X.shape != (n_rows, path.n_features):
        raise ValueError(
            f"{CALL}(X=...): X has shape {X.shape}; the path was fitted on "
            f"({n_rows}, {path.n_features}): pass the data of the fit."
        )
    weights = np.ones(n_rows) if given.sample_weight is None else given.sample_weight
    if path.family == "gaussian":
        used = np.flatnonzero(weights > 0.0)
        if used.size < n_rows:
            X, weights = X[used], weights[used]
        weights = normalised(weights)
        design = design_of(X, weights, settings.fit_intercept, settings.standardize)
        flat = (design.sd == 0) & (settings.fit_intercept or settings.standardize)
        return _Stated(design, weights, np.isfinite(_factor(path)) & ~flat)
    response = check_response(
        CALL, path.family_instance, y, weights, fit_intercept=settings.fit_intercept
    )
    if path.family == "multinomial" and path.classes is not None:
        y = path.classes[response.y.argmax(axis=1)]  # curvatures do not depend on it
    elif path.family not in ("cox", "multigaussian") and np.ndim(y) == 2:
        y = np.asarray(y)[:, 0]
    with np.errstate(all="ignore"):
        family = read_family(path, X, y, given.sample_weight, given.offset)
    return _Stated(
        family.design, family.weights, family.kept, family.loss, family.offset, family.exponent
    )


def _linear_predictor(path: Path, stated: _Stated, k: int) -> Array:
    """Linear predictors (n, K, 1) of one point, in the units of the stated loss."""
    K, p = path.n_outputs or 1, path.n_features
    coefs = path.coefs_sparse[:, [k]].toarray().reshape(K, p).T
    eta = stated.design.times(coefs) + np.reshape(path.intercepts[..., k], (1, K))
    assert stated.offset is not None
    eta = np.ldexp(eta, -stated.exponent) + stated.offset
    return np.asarray(eta)[:, :, None]


# ------------------------------------------------------------------- one linear predictor a row


class _OneOutput:
    """The trace from eigenvalues s of M'M in units of the penalty factors: sum s / (s + lambda2).

    They are kept while curvatures and free coefficients stay: a gaussian ridge path has one
    decomposition.
    """

    def __init__(self, path: Path, stated: _Stated) -> None:
        self._path, self._stated = path, stated
        self._known: tuple[bytes, int, Array] | None = None

    def all(self) -> Array:
        """Degrees of freedom of all points."""
        return np.array([self._at(k) for k in range(self._path.lambdas.size)], dtype=np.float64)

    def _at(self, k: int) -> float:
        path = self._path
        moves = _free_to_move(path, k, self._stated.kept)[0]
        key = moves.tobytes()
        if self._known is None or self._known[0] != key or path.family != "gaussian":
            self._known = (key, *self._spectrum(moves, self._curvature(k)))
        _, rank, values = self._known
        strength = path.lambdas[k] * (1.0 - path.l1_ratio)
        return rank + float(np.sum(values / (values + strength)))

    def _curvature(self, k: int) -> Array:
        stated = self._stated
        if stated.loss is None:
            return stated.weights
        assert isinstance(stated.loss, RowLoss)
        with np.errstate(all="ignore"):
            bend = stated.loss.terms(_linear_predictor(self._path, stated, k)[:, :, 0])[2][:, 0]
        return np.asarray(stated.weights * np.where(np.isfinite(bend), bend, 0.0))

    def _spectrum(self, moves: Mask, curvature: Array) -> tuple[int, Array]:
        """Number of independent unpenalised columns, and the positive eigenvalues."""
        path, design, root = self._path, self._stated.design, np.sqrt(curvature)
        factor = _factor(path)
        free, penalised = (
            np.flatnonzero(moves & (factor == 0)),
            np.flatnonzero(moves & (factor > 0)),
        )
        intercept = path.settings.fit_intercept
        basis = free_basis(design, free, root, intercept=intercept)
        rank = max(basis.shape[1], int(intercept))
        if not penalised.size:
            return rank, np.zeros(0)
        v = factor[penalised]
        if penalised.size <= root.size:
            gram, _, lengths = column_gram(design, penalised, root, basis)
            gram /= np.sqrt(np.outer(v, v))
            trace = float(np.sum(lengths / v))
        else:
            gram, trace = row_gram(design, penalised, root, basis, v)
        values = np.linalg.eigvalsh(gram)
        return rank, np.asarray(values[values > 8.0 * EPS * values.size * trace])


# --------------------------------------------------------- several predictors, or rows that meet


class _Together:
    """The trace from H and P themselves, in coefficients b_jk of features j and outputs k."""

    def __init__(self, path: Path, stated: _Stated) -> None:
        self._path, self._stated = path, stated
        self._outputs = path.n_outputs or 1
        self._known: tuple[bytes, Array, Array] | None = None

    def all(self) -> Array:
        """Degrees of freedom of all points."""
        return np.array([self._at(k) for k in range(self._path.lambdas.size)], dtype=np.float64)

    def _at(self, k: int) -> float:
        path, K = self._path, self._outputs
        moves = _free_to_move(path, k, self._stated.kept)
        if is_grouped(path):
            moves = np.broadcast_to(moves.any(axis=0), moves.shape)
        if np.isinf(path.lambdas[k]):
            moves = moves & (_factor(path) == 0.0)
        Z, features, factor = self._columns(moves)
        intercept = n_intercepts(path) > 0
        if intercept:
            Z = np.column_stack([np.ones(len(Z)), Z])
        if not Z.shape[1]:
            return 0.0
        loss = self._stated.loss
        assert loss is not None
        with np.errstate(all="ignore"):
            H = loss.hessian(_linear_predictor(path, self._stated, k), Z)
        P = np.zeros_like(H)
        first = K * int(intercept)
        P[first:, first:] = self._penalty(k, features, factor)
        if features is not None:  # coefficients one by one
            used = np.concatenate([np.ones(first, dtype=bool), moves[:, features].T.ravel()])
            H, P = H[np.ix_(used, used)], P[np.ix_(used, used)]
        return _trace(H, P)

    def _columns(self, moves: Mask) -> tuple[Array, NDArray[np.intp] | None, Array]:
        """Columns of X~, their features and penalty factors; features None: combined columns.

        Where all outputs have all features, and a ridge penalty, n combinations hold what more
        than n columns do.
        """
        design, factor = self._stated.design, _factor(self._path)
        features = np.flatnonzero(moves.any(axis=0))
        n, penalised = self._stated.weights.size, features[factor[features] > 0]
        if penalised.size <= n or self._path.l1_ratio > 0.0 or not moves[:, features].all():
            return design.take(features), features, factor[features]
        key = moves.tobytes()
        if self._known is None or self._known[0] != key:
            nothing = np.zeros((n, 0))
            gram, _ = row_gram(design, penalised, np.ones(n), nothing, factor[penalised])
            values, vectors = np.linalg.eigh(gram)
            some = values > EPS * n * values[-1]
            combined = vectors[:, some] * np.sqrt(values[some])
            free = design.take(features[factor[features] == 0])
            strength = np.repeat([0.0, 1.0], [free.shape[1], combined.shape[1]])
            self._known = (key, np.column_stack([free, combined]), strength)
        return self._known[1], None, self._known[2]

    def _penalty(self, k: int, features: NDArray[np.intp] | None, factor: Array) -> Array:
        """P for the coefficients of all outputs, feature by feature."""
        path, K = self._path, self._outputs
        lambda_ = path.lambdas[k] if np.isfinite(path.lambdas[k]) else 0.0
        P = np.diag(np.repeat(lambda_ * (1.0 - path.l1_ratio) * factor, K))
        l1 = lambda_ * path.l1_ratio
        if not is_grouped(path) or l1 == 0.0 or features is None:
            return P
        coefs = path.coefs_sparse[:, [k]].toarray().reshape(K, path.n_features)
        b = coefs[:, features] * self._stated.design.scale[features]
        norms = np.linalg.norm(b, axis=0)
        for place in np.flatnonzero((norms > 0.0) & (factor > 0.0)).tolist():
            u = b[:, place] / norms[place]
            block = slice(place * K, (place + 1) * K)
            P[block, block] += l1 * factor[place] / norms[place] * (np.eye(K) - np.outer(u, u))
        return P


def _trace(H: Array, P: Array) -> float:
    """Trace of (H + P)^+ H; directions that neither loss nor penalty know do not count."""
    total = H + P
    unit = np.sqrt(np.diag(total))
    unit[unit == 0.0] = 1.0
    scaled = np.outer(unit, unit)
    values, V = np.linalg.eigh(total / scaled)
    kept = values > 8.0 * EPS * values.size * values[-1]
    V = V[:, kept]
    return float(np.sum(np.einsum("ij,ij->j", V, H / scaled @ V) / values[kept]))

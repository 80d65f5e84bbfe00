"""Slow, readable twins of paths of K outputs, and what the tests of `GroupSolver` share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.testing import assert_allclose

from regpath._inputs import check_design
from regpath.solvers.geometry import measure
from regpath.solvers.grouped import GroupSolver

TOL = 1e-9
LOSSES = ["gaussian", "multinomial"]


@dataclass(frozen=True)
class Answer:
    """A path on the scale of the user."""

    solver: GroupSolver
    points: list
    lambdas: np.ndarray
    coefs: np.ndarray
    intercepts: np.ndarray

    @property
    def objectives(self):
        return np.concatenate([point.objective for point in self.points])

    @property
    def gaps(self):
        return np.concatenate([point.gap for point in self.points])


def solver_for(X, Y, loss="gaussian", *, weights=None, offset=None, factor=None, **options):
    design, _, _ = check_design("test", X)
    n, p = X.shape
    weights = np.ones(n) if weights is None else np.asarray(weights, float)
    settings = {"l1_ratio": 1.0, "tol": TOL, "max_iter": 500, "fit_intercept": True, **options}
    geometry = measure(
        design,
        np.zeros(n),
        weights / weights.sum(),
        fit_intercept=settings["fit_intercept"],
        standardize=settings.pop("standardize", True),
        n_threads=settings.pop("n_threads", 1),
    )
    factor = np.ones(p) if factor is None else np.asarray(factor, float)
    return GroupSolver(geometry, Y, weights / weights.sum(), offset, factor, loss=loss, **settings)


def answer(X, Y, loss="gaussian", *, lambdas=None, n_lambdas=8, ratio=1e-2, **options) -> Answer:
    solver = solver_for(X, Y, loss, **options)
    if lambdas is None:
        largest = solver.lambda_max() / max(options.get("l1_ratio", 1.0), 1e-3)
        lambdas = largest * np.geomspace(1, ratio, n_lambdas)
    points = list(solver.path(np.asarray(lambdas, float)))
    geometry, K = solver.geometry, Y.shape[1]
    coefs, intercepts = np.zeros((len(points), K, geometry.p)), np.zeros((len(points), K))
    for point, B, b0 in zip(points, coefs, intercepts, strict=True):
        assert np.all(np.diff(point.features) > 0)
        B.flat[point.features] = point.coefs
        B /= geometry.scale
        b0[:] = point.intercepts[0] - B @ geometry.mean
    return Answer(solver, points, lambdas, coefs, intercepts)


def logsumexp(E):
    """Over columns. That of SciPy takes ten times as long for so few rows, and FISTA many steps."""
    top = E.max(axis=1)
    return top + np.log(np.exp(E - top[:, None]).sum(axis=1))


def loss_of(Y, E, weights, loss):
    if loss == "gaussian":
        return weights @ ((Y - E) ** 2).sum(axis=1) / 2
    return weights @ (logsumexp(E) - (Y * E).sum(axis=1))


def deviations(X, weights, standardize=True):
    X = X[weights > 0]
    w = weights[weights > 0]
    sd = np.sqrt(w @ (X - w @ X) ** 2)
    return np.where(X.min(axis=0) < X.max(axis=0), sd, 1.0) if standardize else np.ones(X.shape[1])


def objective(
    X, Y, b0, B, lambda_, loss, *, l1_ratio=1.0, weights=None, offset=0.0, factor=1.0, **options
):
    """The objective as it is stated, on the scale of the user."""
    n, p = X.shape
    w = np.ones(n) / n if weights is None else np.asarray(weights) / np.sum(weights)
    size = np.linalg.norm(B, axis=0) * deviations(X, w, options.get("standardize", True))
    v = np.full(p, 1.0) * factor
    assert not size[np.isinf(v)].any()
    v = np.where(np.isinf(v), 0.0, v)
    penalty = (v * (l1_ratio * size + (1 - l1_ratio) / 2 * size**2)).sum()
    E = offset + b0 + X @ B.T
    return loss_of(Y[w > 0], E[w > 0], w[w > 0], loss) + lambda_ * penalty


def fista(X, Y, lambda_, loss, *, steps=20_000, **options):
    """The lowest objective that accelerated proximal gradients find; features are standardised."""
    n, p = X.shape
    weights = options.get("weights")
    w = np.ones(n) / n if weights is None else np.asarray(weights) / np.sum(weights)
    r, offset = options.get("l1_ratio", 1.0), options.get("offset", 0.0)
    v = np.full(p, 1.0) * options.get("factor", 1.0)
    sd = deviations(X, w, options.get("standardize", True))
    intercept = options.get("fit_intercept", True)
    kept = np.isfinite(v)
    Z = ((X - w @ X if intercept else X) / sd)[:, kept]
    ends = np.column_stack([Z, np.ones(n)]) if intercept else Z
    t1 = np.append(lambda_ * r * v[kept], np.zeros(ends.shape[1] - Z.shape[1]))
    t2 = np.append(lambda_ * (1 - r) * v[kept], np.zeros(ends.shape[1] - Z.shape[1]))
    bound = (1.0 if loss == "gaussian" else 0.5) * np.linalg.norm(
        ends * np.sqrt(w)[:, None], 2
    ) ** 2
    B = A = np.zeros((Y.shape[1], ends.shape[1]))
    t = 1.0

    def value(B):
        size = np.linalg.norm(B, axis=0)
        return loss_of(Y, offset + ends @ B.T, w, loss) + t1 @ size + t2 @ size**2 / 2

    best = value(B)
    for _ in range(steps):
        E = offset + ends @ A.T
        P = E if loss == "gaussian" else np.exp(E - logsumexp(E)[:, None])
        z = A + ((Y - P) * w[:, None]).T @ ends / bound
        size = np.linalg.norm(z, axis=0)
        shrink = np.maximum(1 - t1 / bound / np.where(size > 0, size, 1), 0) / (1 + t2 / bound)
        new = z * shrink
        if np.vdot(A - new, new - B) > 0:  # restart (O'Donoghue and Candes 2015)
            t = 1.0
        t, old = (1 + np.sqrt(1 + 4 * t * t)) / 2, t
        A, B = new + (old - 1) / t * (new - B), new
        best = min(best, value(B))
    return best


def draw(rng, loss="gaussian", n=60, p=12, K=3):
    X = rng.standard_normal((n, p)) @ np.diag(np.linspace(0.5, 2, p)) + rng.standard_normal(p)
    E = X[:, :3] @ rng.standard_normal((3, K)) + 0.3
    if loss == "gaussian":
        return X, E + rng.standard_normal((n, K))
    return X, np.eye(K)[(E + rng.gumbel(size=(n, K))).argmax(axis=1)]


def options_for(rng, n=60, p=12, K=3):
    factor = np.ones(p)
    factor[[1, 5]], factor[3], factor[7] = 0.0, np.inf, 2.5
    weights = rng.integers(0, 4, n).astype(float)
    return {
        "lasso": {},
        "elastic net": {"l1_ratio": 0.4},
        "almost ridge": {"l1_ratio": 1e-3},
        "ridge": {"l1_ratio": 0.0},
        "raw": {"standardize": False, "fit_intercept": False},
        "raw, intercept": {"standardize": False, "l1_ratio": 0.7},
        "standardised, no intercept": {"fit_intercept": False},
        "weights": {"weights": weights},
        "offset": {"offset": rng.standard_normal((n, K))},
        "factors": {"factor": factor},
        "ridge, factors": {"factor": factor, "l1_ratio": 0.0},
        "all": {
            "factor": factor,
            "weights": weights,
            "offset": rng.standard_normal((n, K)),
            "l1_ratio": 0.6,
        },
    }


CASES = list(options_for(np.random.default_rng(0)))


def assert_certified(result, X, Y, loss, **options):
    """Objectives are those stated, no two disagree with the gap, and everything was reached."""
    null = result.solver.null or 1.0
    assert all(point.reached[0] for point in result.points)
    assert np.all((result.gaps >= 0) & (result.gaps <= TOL))
    for k, point in enumerate(result.points):
        b0, B, lambda_ = result.intercepts[k], result.coefs[k], result.lambdas[k]
        stated = objective(X, Y, b0, B, lambda_, loss, **options)
        assert_allclose(point.objective[0] * null, stated - result.solver.floor, atol=1e-9 * null)

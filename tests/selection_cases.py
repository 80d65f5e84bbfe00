"""Problems of every family, their folds, and a fold as a path of its own."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.testing import assert_allclose

import regpath
from regpath import families, losses

N, P, K = 48, 6, 4
LABELS = np.arange(N) % K
TOL = 1e-9


class Huberish(NamedTuple):
    """A loss of the user: sqrt(1 + r^2) - 1."""

    scale: float

    def terms(self, y, eta):
        r = (eta - y) / self.scale
        root = math.sqrt(1.0 + r * r)
        return root - 1.0, r / root / self.scale, 1.0 / root**3 / self.scale**2

    def minimum(self, y):
        return 0.0


FAMILIES: dict[str, Any] = {
    "gaussian": families.Gaussian(),
    "binomial": families.Binomial(),
    "probit": families.Binomial(link="probit"),
    "proportions": families.Binomial(),
    "poisson": families.Poisson(),
    "gamma": families.Gamma(),
    "tweedie": families.Tweedie(1.5),
    "huber": families.Huber(0.7),
    "multinomial": families.Multinomial(),
    "grouped": families.Multinomial(grouped=True),
    "multigaussian": families.MultiGaussian(),
    "cox": families.Cox(),
    "strata": families.Cox(ties="efron", strata=(np.arange(N) // 5 % 3).tolist()),
    "custom": losses.Huber(0.5),
    "own": Huberish(0.5),
}
OUTPUTS = ("multinomial", "grouped", "multigaussian")


def design(seed: int = 0, n: int = N, p: int = P) -> np.ndarray:
    """Small integers, exact in every dtype, with zeros and a column far from 0."""
    rng = np.random.default_rng(seed)
    X = rng.integers(-3, 4, (n, p)) * (rng.random((n, p)) < 0.7).astype(float)
    X[:, 1] += 20.0
    return X


def response(case: str, X: np.ndarray, seed: int = 1) -> Any:
    rng = np.random.default_rng(seed)
    n = len(X)
    eta = 0.4 * X[:, 0] - 0.3 * X[:, 2] + 0.2 * (X[:, 1] - 20.0)
    if case in ("multinomial", "grouped"):
        return np.array(["c", "a", "b"])[
            (np.column_stack([eta, -eta, 0 * eta]) + rng.gumbel(size=(n, 3))).argmax(axis=1)
        ]
    if case == "multigaussian":
        return np.column_stack([eta, -eta, 0.5 * eta]) + rng.standard_normal((n, 3))
    if case in ("cox", "strata"):
        time = np.ceil(8 * rng.exponential(np.exp(-0.5 * eta)))
        event = (rng.random(n) < 0.7).astype(float)
        start = np.floor(time * rng.uniform(0, 0.9, n))
        columns = [time, event] if case == "cox" else [start, time, event]
        return np.column_stack(columns)
    if case in ("binomial", "probit"):
        return np.where(eta + rng.logistic(size=n) > 0, "yes", "no")
    if case == "proportions":
        return np.round(1 / (1 + np.exp(-eta)), 1)
    if case == "poisson":
        return rng.poisson(np.exp(0.5 * eta)).astype(float)
    if case in ("gamma", "tweedie"):
        return rng.gamma(2.0, np.exp(0.5 * eta)) * (case == "gamma" or rng.random(n) > 0.2)
    return eta + rng.standard_normal(n)


def path_of_rows(X, y, rows, **options: Any) -> regpath.Path:
    """The path of some rows, which may be repeated."""
    for name in ("sample_weight", "offset"):
        if options.get(name) is not None:
            options[name] = np.asarray(options[name])[rows]
    family = options["family"]
    if getattr(family, "strata", None) is not None:
        options["family"] = family._replace(strata=np.asarray(family.strata)[rows])
    return regpath.fit_path(X[rows], y[rows], **options)


def assert_same_path(one: regpath.Path, other: regpath.Path, tol: float = TOL) -> None:
    """Both are certified to `tol`, and their coefficients agree as far as that tells."""
    assert one.statuses == other.statuses
    assert max(one.dual_gaps.max(), other.dual_gaps.max()) <= tol
    size = np.abs(other.coefs).max() + 1e-3
    assert_allclose(one.lambdas, other.lambdas, rtol=1e-12)
    assert_allclose(one.coefs, other.coefs, atol=30 * np.sqrt(tol) * size)
    assert_allclose(one.objectives, other.objectives, rtol=10 * tol)
    assert_allclose(one.null_deviance, other.null_deviance, rtol=1e-10)

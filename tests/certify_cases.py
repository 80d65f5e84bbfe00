"""The table that `test_certify_families` runs over: families and options on small data."""

from __future__ import annotations

import functools
import math
import typing

import numpy as np
import slow_families as slow

from regpath.diagnostics import Certificate, certify
from regpath.result import Path

N, P = 30, 5


class Squareplus(typing.NamedTuple):
    """A loss without a conjugate."""

    width: float

    def terms(self, y, eta):
        root = math.sqrt((eta - y) ** 2 + self.width)
        return root, (eta - y) / root, self.width / root**3

    def minimum(self, y):
        return math.sqrt(self.width)


class Linex(typing.NamedTuple):
    """e^r - r of r = eta - y; its conjugate is v y + (1 + v) log(1 + v) - (1 + v)."""

    pad: float

    def terms(self, y, eta):
        grown = math.exp(eta - y)
        return grown - (eta - y), grown - 1.0, grown

    def minimum(self, y):
        return 1.0

    def conjugate(self, y, v):
        m = 1.0 + v
        if m < 0.0:
            return math.inf
        return v * y + (m * math.log(m) if m > 0.0 else 0.0) - m


FAMILIES = {
    "logit": ("binomial", {"link": "logit"}),
    "proportions": ("binomial", {}),
    "probit": ("binomial", {"link": "probit"}),
    "probit of proportions": ("binomial", {"link": "probit"}),
    "poisson": ("poisson", {}),
    "gamma": ("gamma", {}),
    "tweedie 1.2": ("tweedie", {"power": 1.2}),
    "tweedie 1.7": ("tweedie", {"power": 1.7}),
    "huber": ("huber", {"delta": 0.7}),
    "squareplus": ("custom", {"function": Squareplus(0.5)}),
    "linex": ("custom", {"function": Linex(0.0)}),
    "multinomial": ("multinomial", {"grouped": False}),
    "grouped": ("multinomial", {"grouped": True}),
    "shares": ("multinomial", {"grouped": False}),
    "grouped shares": ("multinomial", {"grouped": True}),
    "multigaussian": ("multigaussian", {}),
    "breslow": ("cox", {"ties": "breslow"}),
    "efron": ("cox", {"ties": "efron"}),
    "breslow strata": ("cox", {"strata": np.arange(N) % 3}),
    "efron strata start": ("cox", {"ties": "efron", "strata": np.arange(N) % 2}),
    "breslow start": ("cox", {}),
}

OPTIONS = {
    "lasso": {},
    "elastic net": {"l1_ratio": 0.3},
    "ridge": {"l1_ratio": 0.0},
    "raw": {"standardize": False},
    "no intercept": {"fit_intercept": False, "l1_ratio": 0.7},
    "weights": {"sample_weight": np.r_[0.0, 0.0, np.linspace(0.5, 3, N - 2)]},
    "offset": {"offset": np.linspace(-1, 0.5, N)},
    "factors": {"penalty_factor": np.array([0.5, np.inf, 2, 1, 3]), "l1_ratio": 0.8},
    "unpenalised": {"penalty_factor": np.array([0.0, 1, 1, 0, 1])},
    "limits": {"lower": -0.1, "upper": 0.15},
    "unpenalised nonnegative": {
        "penalty_factor": np.array([0.0, 0, 1, 0, 1]),
        "lower": np.array([0.0, 0, -np.inf, -0.05, 0]),
    },
    "everything": {
        "l1_ratio": 0.4,
        "standardize": False,
        "sample_weight": np.r_[0.0, np.linspace(0.5, 3, N - 1)],
        "offset": np.linspace(-0.5, 0.5, N),
        "penalty_factor": np.array([0.0, 1, np.inf, 0.3, 2]),
    },
}

# Every option with one family of each kind, and the most telling ones with all.
CASES = [
    (family, option)
    for family in FAMILIES
    for option in OPTIONS
    if (
        option in ("lasso", "unpenalised", "everything")
        or family in ("logit", "poisson", "multinomial", "grouped", "multigaussian", "efron")
    )
    and not (
        family in ("grouped", "grouped shares", "multigaussian") and "lower" in OPTIONS[option]
    )
]


def data(family: str) -> tuple[np.ndarray, np.ndarray]:
    """X, and a response that the family may have."""
    rng = np.random.default_rng(sum(map(ord, family)))
    X = rng.standard_normal((N, P)) * [1, 2, 0.5, 1, 1.5] + [0, 2, 0, -1, 0]
    X[:, 4] += X[:, 0]
    eta = (X - X.mean(axis=0)) @ [0.8, -0.4, 0, 0.3, 0.2]
    name = FAMILIES[family][0]
    if name == "binomial":
        if "proportions" in family:
            y = rng.binomial(4, 1 / (1 + np.exp(-eta))) / 4
        else:
            y = (eta + rng.logistic(size=N) > 0).astype(float)
    elif name == "poisson":
        y = rng.poisson(np.exp(0.5 * eta + 0.5)).astype(float)
    elif name == "gamma":
        y = rng.gamma(2.0, np.exp(0.4 * eta))
    elif name == "tweedie":
        y = np.array([rng.gamma(1.0, m, rng.poisson(1.5)).sum() for m in np.exp(0.4 * eta)])
    elif name == "multinomial":
        y = np.argmax(eta[:, None] * [1, 0, -1] + rng.gumbel(size=(N, 3)), axis=1)
        if "shares" in family:
            y = (np.eye(3)[y] + rng.multinomial(3, [0.5, 0.3, 0.2], N)) / 4
    elif name == "multigaussian":
        y = eta[:, None] * [1, 0.5, -1] + rng.standard_normal((N, 3)) + [0, 1, 2]
    elif name == "cox":
        stop = np.ceil(4 * rng.exponential(np.exp(-0.5 * eta)) + 0.5)
        event = (rng.random(N) < 0.7).astype(float)
        y = np.column_stack([stop, event])
        if "start" in family:
            y = np.column_stack([np.floor(stop * rng.random(N) * 0.9) - 0.5, y])
    else:
        y = eta + rng.standard_normal(N) + 1
    return X, y


@functools.cache
def problem_of(family: str, option: str) -> slow.Problem:
    X, y = data(family)
    name, options = FAMILIES[family]
    settings = dict(OPTIONS[option])
    l1_ratio = settings.pop("l1_ratio", 1.0)
    K = 3 if name in ("multinomial", "multigaussian") else 1
    if K > 1 and "offset" in settings:
        settings["offset"] = settings["offset"][:, None] * [1.0, -0.5, 0.3]
    return slow.Problem(X, y, name, options, K, l1_ratio, settings)


@functools.cache
def solved(family: str, option: str) -> tuple[slow.Problem, Path]:
    """The problem, and its solutions at two lambdas."""
    problem = problem_of(family, option)
    lambdas = slow.null_gradient(problem) * np.array([0.4, 0.06])
    path, _ = slow.best_path(problem, lambdas)
    return problem, path


@functools.cache
def certified(family: str, option: str) -> Certificate:
    """The certificate of these solutions."""
    problem, path = solved(family, option)
    return certify(path, problem.X, problem.y)


def points(problem: slow.Problem, path: Path) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """lambda, intercepts (K,) and coefficients (p, K) of every point of a path."""
    L = path.lambdas.size
    coefs = path.coefs.reshape(problem.K, -1, L)
    intercepts = path.intercepts.reshape(problem.K, L)
    return [(path.lambdas[k], intercepts[:, k], coefs[:, :, k].T) for k in range(L)]

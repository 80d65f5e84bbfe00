"""Slow twins of the families: losses as they are defined, and a proximal gradient method.

Nothing here is shared with the package. Coefficients are (p, K) in the original units of X,
intercepts (K,); for a single linear predictor K = 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special, stats

from regpath.result import Path, Settings, Status


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """A path's problem, with what it takes to evaluate it at any point."""

    X: np.ndarray
    y: np.ndarray
    family: str
    family_options: dict[str, Any]
    K: int
    l1_ratio: float
    settings: dict[str, Any]

    def setting(self, name: str, default: Any) -> Any:
        value = self.settings.get(name)
        return default if value is None else value

    @property
    def weights(self) -> np.ndarray:
        w = np.asarray(self.setting("sample_weight", np.ones(len(self.X))), dtype=float)
        return w / w.sum()

    @property
    def offset(self) -> np.ndarray:
        offset = np.asarray(self.setting("offset", np.zeros(len(self.X))), dtype=float)
        return np.broadcast_to(offset.reshape(len(self.X), -1), (len(self.X), self.K))

    @property
    def intercept(self) -> bool:
        return self.setting("fit_intercept", True) and self.family != "cox"

    @property
    def scale(self) -> np.ndarray:
        if not self.setting("standardize", True):
            return np.ones(self.X.shape[1])
        mean = self.weights @ self.X
        return np.sqrt(self.weights @ (self.X - mean) ** 2)

    def per_feature(self, name: str, default: float) -> np.ndarray:
        return np.broadcast_to(self.setting(name, default), self.X.shape[1]).astype(float)

    @property
    def grouped(self) -> bool:
        return self.family == "multigaussian" or bool(self.family_options.get("grouped"))


def loss(problem: Problem, eta: np.ndarray) -> tuple[float, np.ndarray]:
    """Weighted loss and its derivative by eta, which has the shape (n, K)."""
    y, w, options = problem.y, problem.weights, problem.family_options
    if problem.family == "cox":
        value, slope = cox(problem, eta[:, 0])
        return value, slope[:, None]
    if problem.family == "multinomial":
        Y = shares(problem)
        rows = special.logsumexp(eta, axis=1) - (Y * eta).sum(axis=1)
        return w @ rows, w[:, None] * (special.softmax(eta, axis=1) - Y)
    if problem.family == "multigaussian":
        return w @ (0.5 * ((y - eta) ** 2).sum(axis=1)), w[:, None] * (eta - y)
    e = eta[:, 0]
    if problem.family == "binomial" and options.get("link") == "probit":
        left, right = stats.norm.logcdf(e), stats.norm.logcdf(-e)
        rows = -y * left - (1 - y) * right
        density = stats.norm.logpdf(e)
        slope = -y * np.exp(density - left) + (1 - y) * np.exp(density - right)
    elif problem.family == "binomial":
        rows, slope = np.logaddexp(0, e) - y * e, special.expit(e) - y
    elif problem.family == "poisson":
        rows, slope = np.exp(e) - y * e, np.exp(e) - y
    elif problem.family == "gamma":
        rows, slope = y * np.exp(-e) + e, 1 - y * np.exp(-e)
    elif problem.family == "tweedie":
        a = options["power"]
        rows = np.exp((2 - a) * e) / (2 - a) + y * np.exp((1 - a) * e) / (a - 1)
        slope = np.exp((2 - a) * e) - y * np.exp((1 - a) * e)
    elif problem.family == "huber":
        d, r = options["delta"], e - y
        rows = np.where(np.abs(r) <= d, 0.5 * r**2, d * np.abs(r) - 0.5 * d**2)
        slope = np.clip(r, -d, d)
    else:
        rows, slope = np.array(
            [options["function"].terms(*pair)[:2] for pair in zip(y, e, strict=True)]
        ).T
    return w @ rows, (w * slope)[:, None]


def shares(problem: Problem) -> np.ndarray:
    """Share of every class in every row."""
    return problem.y if problem.y.ndim == 2 else np.eye(problem.K)[problem.y]


def cox(problem: Problem, eta: np.ndarray) -> tuple[float, np.ndarray]:
    """Minus the weighted partial log-likelihood by loops over all pairs of rows."""
    y, w = problem.y, problem.weights
    strata = problem.family_options.get("strata")
    strata = np.zeros(len(eta)) if strata is None else np.asarray(strata)
    start = y[:, 0] if y.shape[1] == 3 else np.full(len(eta), -np.inf)
    stop, event = y[:, -2], y[:, -1]
    value, slope = 0.0, np.zeros(len(eta))
    hazard = w * np.exp(eta)
    for s, t in {(strata[i], stop[i]) for i in range(len(eta)) if event[i] and w[i] > 0}:
        risk = (strata == s) & (start < t) & (t <= stop)
        dead = (strata == s) & (stop == t) & (event == 1) & (w > 0)
        value -= w[dead] @ eta[dead]
        slope[dead] -= w[dead]
        d = dead.sum()
        terms = d if problem.family_options.get("ties") == "efron" else 1
        for r in range(terms):
            x = hazard * risk * np.where(dead, 1 - r / d, 1)
            share = w[dead].sum() / terms
            value += share * np.log(x.sum())
            slope += share * x / x.sum()
    return value, slope


def infimum(problem: Problem) -> float:
    """Infimum of the loss over all eta, from its definition."""
    y, w, options = problem.y, problem.weights, problem.family_options
    if problem.family == "cox":
        # Far apart, in the order of the times: each risk set is left with its events.
        eta = -20.0 * stats.rankdata(y[:, -2], "dense") - 600.0 * (y[:, -1] == 0)
        return cox(problem, eta)[0]
    eta = {
        "multinomial": lambda: np.log(np.maximum(shares(problem), 1e-45)),
        "multigaussian": lambda: y,
        "binomial": lambda: (
            np.clip(stats.norm.ppf(y), -30, 30)
            if options.get("link") == "probit"
            else np.clip(special.logit(y), -700, 700)
        ),
        "huber": lambda: y,
        "custom": lambda: y,
    }.get(problem.family, lambda: np.log(np.maximum(y, 1e-300)))()
    if problem.family == "tweedie":
        eta = np.maximum(eta, -200)
    with np.errstate(over="ignore"):
        return loss(dataclasses.replace(problem), np.asarray(eta).reshape(len(w), -1))[0]


def penalty(problem: Problem, lambda_: float, coef: np.ndarray) -> float:
    v, r = problem.per_feature("penalty_factor", 1.0), problem.l1_ratio
    b = coef * problem.scale[:, None]
    sizes = np.linalg.norm(b, axis=1) if problem.grouped else np.abs(b).sum(axis=1)
    v = np.where(np.isinf(v), 0, v)
    return lambda_ * float(v @ (r * sizes + (1 - r) / 2 * (b**2).sum(axis=1)))


def objective(problem: Problem, lambda_: float, b0: np.ndarray, coef: np.ndarray) -> float:
    eta = problem.offset + b0 + problem.X @ coef
    return loss(problem, eta)[0] + penalty(problem, lambda_, coef)


def prox(problem: Problem, lambda_: float, step: float, b: np.ndarray) -> np.ndarray:
    """Proximal point of the penalty and the limits, in scaled coefficients."""
    v, r, s = problem.per_feature("penalty_factor", 1.0), problem.l1_ratio, problem.scale
    finite = np.where(np.isinf(v), 0, v)[:, None] * lambda_
    size = np.linalg.norm(b, axis=1, keepdims=True) if problem.grouped else np.abs(b)
    with np.errstate(invalid="ignore", divide="ignore"):
        shrunk = np.where(size > 0, b * np.maximum(1 - step * finite * r / size, 0), 0)
    shrunk = shrunk / (1 + step * finite * (1 - r))
    low, high = problem.per_feature("lower", -np.inf) * s, problem.per_feature("upper", np.inf) * s
    return np.where(np.isinf(v)[:, None], 0, np.clip(shrunk, low[:, None], high[:, None]))


def solve(problem: Problem, lambda_: float) -> tuple[np.ndarray, np.ndarray]:
    """Intercepts and coefficients, by accelerated proximal gradient steps with restarts."""
    p, K = problem.X.shape[1], problem.K
    centred = problem.intercept or problem.family == "cox"
    shift = problem.weights @ problem.X if centred else np.zeros(p)
    Z = (problem.X - shift) / problem.scale
    Z = np.column_stack([np.full(len(Z), float(problem.intercept)), Z])

    def smooth(b: np.ndarray) -> np.ndarray:
        return Z.T @ loss(problem, problem.offset + Z @ b)[1]

    def proximal(b: np.ndarray, step: float) -> np.ndarray:
        return np.vstack([b[:1], prox(problem, lambda_, step, b[1:])])

    b = np.zeros((p + 1, K))
    ahead, step, t = b, 1.0, 1.0
    for _ in range(20000):
        gradient = smooth(ahead)
        while True:
            new = proximal(ahead - step * gradient, step)
            d = new - ahead
            with np.errstate(over="ignore", invalid="ignore"):
                bend = ((smooth(new) - gradient) * d).sum()
            if bend <= (d * d).sum() / (2 * step):  # by convexity, the model is an upper bound
                break
            step /= 2
        if np.abs(d).max() <= 2e-14 * step:
            b = new
            break
        if (d * (new - b)).sum() < 0:  # the momentum points uphill
            t = 1.0
        faster = (1 + np.sqrt(1 + 4 * t * t)) / 2
        ahead, b, t = new + (t - 1) / faster * (new - b), new, faster
        step *= 1.02
    coef = b[1:] / problem.scale[:, None]
    return (b[0] - shift @ coef if problem.intercept else np.zeros(K)), coef


def null_gradient(problem: Problem) -> float:
    """Largest product of a column with the slope at eta = offset: a scale for lambda."""
    Z = (problem.X - problem.weights @ problem.X) / problem.scale
    return float(np.abs(Z.T @ loss(problem, np.array(problem.offset))[1]).max())


def make_path(
    problem: Problem,
    lambdas: Any,
    intercepts: np.ndarray,
    coefs: np.ndarray,
    classes: Any = None,
) -> Path:
    """Wrap intercepts (L, K) and coefficients (L, p, K) in a path with no numbers of its own."""
    L, p, K = coefs.shape
    several = problem.family in ("multinomial", "multigaussian")
    settings = dict(problem.settings)
    for name in ("penalty_factor", "lower", "upper"):
        if name in settings:
            settings[name] = np.broadcast_to(settings[name], p)
    zeros = np.zeros(L)
    return Path(
        lambdas=np.asarray(lambdas, dtype=float),
        coef_storage=coefs.transpose(2, 1, 0).reshape(K * p, L),
        intercepts=intercepts.T if several else intercepts[:, 0],
        dev_ratio=zeros,
        null_deviance=0.0,
        objectives=zeros,
        dual_gaps=zeros,
        kkt_violations=zeros,
        n_iters=zeros,
        passes=zeros,
        working_set_sizes=zeros,
        seconds=zeros,
        statuses=(Status.CONVERGED,) * L,
        family=problem.family,
        family_options=problem.family_options,
        classes=classes,
        n_outputs=K if several else None,
        l1_ratio=problem.l1_ratio,
        settings=Settings(**settings),
    )


def best_path(
    problem: Problem, lambdas: Any, solver: Callable[..., Any] = solve
) -> tuple[Path, list[tuple[np.ndarray, np.ndarray]]]:
    points = [solver(problem, lambda_) for lambda_ in lambdas]
    intercepts = np.array([b0 for b0, _ in points])
    return make_path(problem, lambdas, intercepts, np.array([coef for _, coef in points])), points

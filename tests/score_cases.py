"""Held-out rows of every family, and their scores: what the tests of scores share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from regpath.families import (
    Binomial,
    Cox,
    Custom,
    Gamma,
    Gaussian,
    Huber,
    MultiGaussian,
    Multinomial,
    Poisson,
    Tweedie,
)
from regpath.losses import Huber as HuberLoss
from regpath.scoring import HeldOut, Scorer, available, resolve

M, L, K = 40, 4, 3
FAMILIES = {
    "gaussian": Gaussian(),
    "huber": Huber(0.7),
    "custom": Custom(HuberLoss(0.7)),
    "poisson": Poisson(),
    "gamma": Gamma(),
    "tweedie": Tweedie(1.3),
    "logit": Binomial(),
    "probit": Binomial(link="probit"),
    "proportions": Binomial(),
    "multinomial": Multinomial(),
    "shares": Multinomial(),
    "multigaussian": MultiGaussian(),
    "cox": Cox(),
    "efron": Cox(ties="efron"),
}
TABLE = [(case, score) for case, family in FAMILIES.items() for score in available(family)]


def response(case: str, rng: np.random.Generator, m: int) -> np.ndarray:
    family = FAMILIES[case]
    if case in ("proportions", "shares"):
        y = rng.dirichlet(np.ones(K), m) * (rng.random((m, K)) < 0.8) + [1e-3, 0, 0]
        y /= y.sum(axis=1, keepdims=True)
        return y if case == "shares" else rng.integers(0, 5, m) / 4
    if isinstance(family, Multinomial):
        return np.eye(K)[np.arange(m) % K]
    if isinstance(family, MultiGaussian):
        return rng.standard_normal((m, K))
    if isinstance(family, Cox):
        stop = rng.integers(2, 12, m).astype(float)  # many ties
        start = np.where(rng.random(m) < 0.5, -np.inf, stop - rng.integers(1, 9, m))
        return np.column_stack([start, stop, np.arange(m) % 2 == 0])
    if isinstance(family, Binomial):
        return (np.arange(m) % 2).astype(float)
    if isinstance(family, Gaussian | Huber | Custom):
        return rng.standard_normal(m)
    y = rng.gamma(2.0, size=m)
    return (
        np.ceil(y) - 1 if isinstance(family, Poisson) else y * (isinstance(family, Gamma) or y > 1)
    )


def held_out(case: str, seed: int = 0, m: int = M, **changes) -> HeldOut:
    """Rows with ties among predictions, weights and, for Cox, strata and late entries."""
    rng = np.random.default_rng(seed)
    y = response(case, rng, m)
    outputs = (K,) if case in ("multinomial", "shares", "multigaussian") else ()
    values = {
        "family": FAMILIES[case],
        "y": y,
        "weights": rng.integers(1, 5, m) / 2,
        "eta": rng.integers(-8, 9, (m, *outputs, L)) / 4,
        "strata": np.arange(m) % 2 if isinstance(FAMILIES[case], Cox) else None,
    }
    return HeldOut(**(values | changes))


def scorer(case: str, name: str | None, **changes) -> Scorer:
    return replace(resolve("cv_path", name, FAMILIES[case]), **changes)


def score(case: str, name: str, held: HeldOut, seed: int = 1, **changes) -> np.ndarray:
    """The score, with the training rows it may need."""
    training = held_out(case, seed) if scorer(case, name).needs_training else None
    return scorer(case, name, **changes).score(held, training)


def rows(held: HeldOut, index) -> HeldOut:
    strata = None if held.strata is None else held.strata[index]
    parts = {"y": held.y[index], "weights": held.weights[index], "eta": held.eta[index]}
    return replace(held, **parts, strata=strata)

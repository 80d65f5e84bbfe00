"""Seeded generators of designs and responses, for every size."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import expit

__all__ = [
    "Design",
    "autoregressive",
    "equicorrelated",
    "family_response",
    "response",
    "signal",
    "stored",
    "words",
]

Array = NDArray[np.float64]

COMMON_COLUMNS = 2000
"""Informative columns are among the first so many: those of sparse problems are common there."""

Design = Callable[[np.random.Generator, int, int], Any]


def autoregressive(rho: float) -> Design:
    """Columns whose neighbours have correlation rho."""

    def build(rng: np.random.Generator, n: int, p: int) -> Array:
        from scipy.signal import lfilter

        noise = rng.standard_normal((n, p))
        noise[:, 1:] *= np.sqrt(1.0 - rho * rho)
        return np.asfortranarray(lfilter([1.0], [1.0, -rho], noise, axis=1))

    return build


def equicorrelated(rho: float) -> Design:
    """Columns that all have correlation rho with each other."""

    def build(rng: np.random.Generator, n: int, p: int) -> Array:
        common = np.sqrt(rho) * rng.standard_normal((n, 1))
        return np.asfortranarray(np.sqrt(1.0 - rho) * rng.standard_normal((n, p)) + common)

    return build


def words(frequency: float) -> Design:
    """Sparse columns with the frequencies of words: few are common, most are rare."""

    def build(rng: np.random.Generator, n: int, p: int) -> sp.csc_array:
        share = np.clip(frequency * np.arange(1, p + 1) ** -0.55, 2.0 / n, 0.3)
        counts = np.maximum(rng.binomial(n, share), 1)
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        rows = [np.sort(rng.choice(n, m, replace=False)) for m in counts]
        indices = np.concatenate(rows).astype(np.int32)
        values = rng.exponential(1.0, indices.size)
        return sp.csc_array((values, indices, indptr), shape=(n, p))

    return build


def signal(rng: np.random.Generator, X: Any, informative: int) -> Array:
    """Linear predictor of so many columns, with standard normal coefficients."""
    coef = np.zeros(X.shape[1])
    support = rng.choice(min(X.shape[1], COMMON_COLUMNS), informative, replace=False)
    coef[support] = rng.standard_normal(informative)
    return np.asarray(X @ coef)


def response(rng: np.random.Generator, X: Any, informative: int, snr: float) -> Array:
    """Response of mean 0 and variance 1 with this signal-to-noise ratio."""
    f = signal(rng, X, informative)
    y = f + f.std() / np.sqrt(snr) * rng.standard_normal(f.size)
    return np.asarray((y - y.mean()) / y.std())


def family_response(
    rng: np.random.Generator, X: Any, informative: int, family: str, classes: int = 2
) -> Array:
    """Response of another family, with a linear predictor z of mean 0 and variance 1.

    binomial
        1 with probability 1 / (1 + exp(-2 z)), else 0.
    poisson
        Counts of mean exp(.7 z).
    multinomial
        Class c with probability proportional to exp(2 z_c): every class has informative columns,
        and a predictor, of its own.
    cox
        Columns time and event: survival times of hazard exp(z), about half of them cut short by
        independent censoring; no two are equal.
    """
    n = X.shape[0]
    sets = classes if family == "multinomial" else 1
    z = np.array([_scaled(signal(rng, X, informative)) for _ in range(sets)])
    match family:
        case "binomial":
            return np.asarray(rng.random(n) < expit(2.0 * z[0]), dtype=np.float64)
        case "poisson":
            return np.asarray(rng.poisson(np.exp(0.7 * z[0])), dtype=np.float64)
        case "multinomial":
            # The largest of Gumbel variables around 2 z has these probabilities.
            scores = 2.0 * z + rng.gumbel(size=z.shape)
            return np.asarray(scores.argmax(axis=0), dtype=np.float64)
        case "cox":
            time, censored = rng.exponential(np.exp(-z[0])), rng.exponential(1.0, n)
            return np.column_stack([np.minimum(time, censored), time <= censored])
    raise ValueError(f"there is no generator of {family!r} responses.")


def _scaled(f: Array) -> Array:
    return np.asarray((f - f.mean()) / f.std())


def stored(X: Any, storage: str) -> Any:
    """Store a dense X as ``float32``, ``int8`` or ``mapped`` (a file that is already deleted)."""
    if storage != "mapped":
        return np.asfortranarray(X, dtype=storage)
    with tempfile.TemporaryFile() as file:
        mapped = np.memmap(file, X.dtype, "w+", shape=X.shape, order="F")
    mapped[:] = X
    return mapped

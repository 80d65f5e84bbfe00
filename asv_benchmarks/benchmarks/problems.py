"""Seeded problems, one per regime of the solver, each small enough for a path in under a second."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.signal import lfilter


class Problem(NamedTuple):
    """A design, a response, and the options of `regpath.fit_path`."""

    X: Any
    y: np.ndarray
    options: dict[str, Any]


def autoregressive(rng: np.random.Generator, n: int, p: int, rho: float) -> np.ndarray:
    """Columns whose neighbours have correlation rho."""
    noise = rng.standard_normal((n, p))
    noise[:, 1:] *= np.sqrt(1.0 - rho * rho)
    return np.asfortranarray(lfilter([1.0], [1.0, -rho], noise, axis=1))


def equicorrelated(rng: np.random.Generator, n: int, p: int, rho: float) -> np.ndarray:
    """Columns that all have correlation rho with each other."""
    common = rng.standard_normal((n, 1))
    return np.asfortranarray(
        np.sqrt(1.0 - rho) * rng.standard_normal((n, p)) + np.sqrt(rho) * common
    )


def zipf(rng: np.random.Generator, n: int, p: int) -> sp.csc_array:
    """Sparse columns with the frequencies of words: few are common, most are rare."""
    share = np.clip(0.05 * np.arange(1, p + 1) ** -0.55, 2.0 / n, 0.3)
    counts = rng.binomial(n, share)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    indices = np.concatenate([np.sort(rng.choice(n, m, replace=False)) for m in counts])
    values = rng.exponential(1.0, indices.size)
    return sp.csc_array((values, indices.astype(np.int32), indptr.astype(np.int32)), shape=(n, p))


def response(rng: np.random.Generator, X: Any, n_informative: int, snr: float) -> np.ndarray:
    """Response with this signal-to-noise ratio, of unit variance."""
    coef = np.zeros(X.shape[1])
    # Among the first columns: those of the sparse problem are the common words.
    support = rng.choice(min(X.shape[1], 2000), n_informative, replace=False)
    coef[support] = rng.standard_normal(n_informative)
    signal = X @ coef
    y = signal + signal.std() / np.sqrt(snr) * rng.standard_normal(X.shape[0])
    return (y - y.mean()) / y.std()


def problem(case: str) -> Problem:
    """Build a problem by the name of its regime."""
    rng = np.random.default_rng(20261121)
    options: dict[str, Any] = {"l1_ratio": 1.0, "lambda_min_ratio": 1e-2}
    match case:
        case "wide" | "enet" | "ridge-wide":
            X, informative, snr = autoregressive(rng, 300, 10_000, 0.5), 30, 3.0
        case "wide-corr":
            X, informative, snr = equicorrelated(rng, 250, 5_000, 0.8), 25, 5.0
        case "square":
            X, informative, snr = autoregressive(rng, 800, 800, 0.9), 40, 3.0
            options["lambda_min_ratio"] = 1e-3
        case "tall" | "ridge-tall":
            X, informative, snr = autoregressive(rng, 50_000, 100, 0.5), 30, 1.0
            options["lambda_min_ratio"] = 1e-3
        case "sparse" | "ridge-sparse":
            X, informative, snr = zipf(rng, 5_000, 50_000), 50, 3.0
            options["lambda_min_ratio"] = 3e-2
        case _:
            raise ValueError(f"no problem is called {case!r}")
    if case == "enet":
        options["l1_ratio"] = 0.5
    elif case.startswith("ridge"):
        options |= {"l1_ratio": 0.0, "lambda_min_ratio": 1e-4}
    return Problem(X, response(rng, X, informative, snr), options)

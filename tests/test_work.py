"""Work that must not grow: passes over X, iterations and working sets of fixed problems.

Times vary between machines and runs, counts hardly do.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from scipy import sparse

import regpath

# Another BLAS rounds differently, which can move an iteration or a column of a pass.
MARGIN = 1.1


class Work(NamedTuple):
    """What a path took: passes over X, iterations, largest and summed working set."""

    passes: float
    iterations: int
    largest: int
    summed: int


def counts(path):
    sizes = path.working_set_sizes
    return Work(path.info["passes"], int(path.n_iters.sum()), int(sizes.max()), int(sizes.sum()))


def autoregressive(n, p, rho, seed):
    """Columns with correlations rho^|i - j|, 20 of them with an effect; signal to noise 3."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    for j in range(1, p):
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1 - rho**2) * X[:, j]
    coef = np.zeros(p)
    coef[rng.choice(p, min(20, p // 2), replace=False)] = rng.choice([-1, 1], min(20, p // 2))
    signal = X @ coef
    return np.asfortranarray(X), signal + signal.std() / np.sqrt(3) * rng.standard_normal(n)


def wide():
    return autoregressive(200, 2000, 0.5, 1)


def tall():
    return autoregressive(2000, 300, 0.5, 2)


def thin():
    rng = np.random.default_rng(3)
    X = sparse.random_array((1500, 4000), density=0.005, rng=rng, format="csc")
    return X, X[:, :30].sum(axis=1) + 0.05 * rng.standard_normal(1500)


# Problem, options, and the work that was recorded.
PROBLEMS = {
    "wide lasso": (wide, {}, Work(12.27, 203, 255, 15170)),
    "wide elastic net": (wide, {"l1_ratio": 0.5}, Work(10.33, 168, 326, 20525)),
    "wide lasso, tol 1e-10": (wide, {"tol": 1e-10}, Work(12.27, 203, 255, 15170)),
    "wide ridge": (wide, {"l1_ratio": 0.0}, Work(3, 100, 2000, 200000)),
    "sparse lasso": (thin, {}, Work(24.44, 832, 1085, 23386)),
    "sparse nonnegative": (thin, {"lower": 0.0}, Work(22.29, 701, 879, 17701)),
    "sparse ridge": (thin, {"l1_ratio": 0.0}, Work(24, 100, 4000, 400000)),
    "tall lasso": (tall, {}, Work(2, 174, 300, 30000)),
    "tall elastic net": (tall, {"l1_ratio": 0.5}, Work(2, 175, 300, 30000)),
    "tall ridge": (tall, {"l1_ratio": 0.0}, Work(1, 100, 300, 30000)),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_work_does_not_grow(name):
    make, options, recorded = PROBLEMS[name]
    path = regpath.fit_path(*make(), **options)
    assert path.lambdas.size == 100
    assert path.dual_gaps.max() <= options.get("tol", 1e-6)
    found = counts(path)
    for field, now, then in zip(Work._fields, found, recorded, strict=True):
        assert now <= MARGIN * then, f"{field}: {found} instead of {recorded}"

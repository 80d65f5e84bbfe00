"""Compiled steps and steps made of objects are the same steps."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

import regpath
from regpath import families
from regpath.solvers.moves import Moves
from regpath.solvers.prox_newton import ProxNewtonSolver
from regpath.solvers.row_moves import RowSteps

N, P = 60, 90
STORAGES = {
    "dense": np.asfortranarray,
    "sparse": sparse.csc_array,
}
RESPONSES = {
    "binomial": ("binomial", lambda mean, rng: rng.binomial(1, mean / (1 + mean))),
    "probit": (families.Binomial(link="probit"), lambda mean, rng: rng.binomial(1, mean / 9)),
    "poisson": ("poisson", lambda mean, rng: rng.poisson(mean)),
    "gamma": ("gamma", lambda mean, rng: rng.gamma(2.0, mean)),
    "huber": (families.Huber(0.5), lambda mean, rng: mean + rng.standard_cauchy(N)),
}
OPTIONS = {
    "plain": lambda rng: {},
    "weights": lambda rng: {"sample_weight": rng.integers(0, 4, N)},
    "offset": lambda rng: {"offset": rng.standard_normal(N)},
    "limits": lambda rng: {"lower": -0.05, "upper": np.r_[0.0, np.full(P - 1, 0.2)]},
    "factors": lambda rng: {"penalty_factor": np.r_[0.0, np.inf, rng.uniform(0.2, 2, P - 2)]},
    "no intercept": lambda rng: {"fit_intercept": False},
    "elastic net": lambda rng: {"l1_ratio": 0.3},
}


@pytest.fixture
def steps(monkeypatch):
    """Counts of steps, by class."""
    counts = {RowSteps: 0, Moves: 0}
    for cls in counts:

        def counted(self, *args, cls=cls, take=cls.take):
            counts[cls] += 1
            return take(self, *args)

        monkeypatch.setattr(cls, "take", counted)
    return counts


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("family", RESPONSES)
def test_compiled_steps_are_the_same(family, option, storage, steps, monkeypatch, rng):
    X = rng.standard_normal((N, P)) * (rng.random((N, P)) < 0.6) + 0.1
    mean = np.exp(np.clip(X[:, :3] @ [1.0, -0.5, 0.3], -2, 2))
    name, draw = RESPONSES[family]
    arguments = {"n_lambdas": 6, "tol": 1e-9, **OPTIONS[option](rng), "family": name}
    X, y = STORAGES[storage](X), draw(mean, rng)
    compiled = regpath.fit_path(X, y, **arguments)
    # An unpenalised feature takes steps before the path begins.
    assert steps[RowSteps] >= compiled.n_iters.sum() > 0 == steps[Moves]
    monkeypatch.setattr(ProxNewtonSolver, "_take_with", lambda self: self._moves)
    interpreted = regpath.fit_path(X, y, **arguments)
    assert steps[Moves] >= interpreted.n_iters.sum() > 0
    # In exact arithmetic they are equal: they differ by what the gap allows at the very most.
    assert_allclose(compiled.objectives, interpreted.objectives, rtol=1e-10)
    assert_allclose(compiled.coefs, interpreted.coefs, atol=1e-6)
    assert_allclose(compiled.intercepts, interpreted.intercepts, atol=1e-6)
    for path in (compiled, interpreted):
        assert path.certify(X, y).dual_gaps.max() <= 1e-9


@pytest.mark.parametrize(
    "rare",
    [
        lambda X: np.asfortranarray(X, np.float32),
        lambda X: np.asfortranarray(np.sign(X), np.int8),
        lambda X: sparse.csc_array(X, dtype=np.float32),
    ],
    ids=["float32", "int8", "sparse float32"],
)
def test_rare_storages_have_no_kernel_of_their_own(rare, steps, rng):
    X = rng.standard_normal((N, P))
    path = regpath.lasso_path(rare(X), X[:, 0] > 0.0, family="binomial", n_lambdas=5)
    assert steps[Moves] == path.n_iters.sum() > 0 == steps[RowSteps]
    assert path.dual_gaps.max() <= 1e-6


def test_many_entries_are_left_to_threads(steps, monkeypatch, rng):
    monkeypatch.setattr("regpath.solvers.threads.ENTRIES_PER_THREAD", 100)
    X = sparse.csc_array(rng.standard_normal((N, P)))
    y = X[:, [0]].toarray()[:, 0] > 0.0
    path = regpath.lasso_path(X, y, family="binomial", n_lambdas=5, n_threads=2)
    # Small working sets are compiled still: the two hand the point to each other.
    assert steps[Moves] > 0 < steps[RowSteps]
    assert steps[Moves] + steps[RowSteps] == path.n_iters.sum()

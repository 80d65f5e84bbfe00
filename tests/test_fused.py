"""Steps that read dense columns once: the same points as steps of the other kinds."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import regpath
from regpath import losses
from regpath.designs import Dense
from regpath.kernels.fused import STRIP
from regpath.penalties import ElasticNet
from regpath.solvers import prox_newton
from regpath.solvers.fused_moves import FusedMoves
from regpath.solvers.geometry import measure
from regpath.solvers.models import RowModel
from regpath.solvers.moves import Moves, Point
from regpath.solvers.outside import Outside
from regpath.solvers.rows import RowLoss

N, P = STRIP + 700, 11  # two strips, and a block that is not whole

FAMILIES = {
    "binomial": (losses.Logistic(), lambda f, rng: (rng.random(N) < 1 / (1 + np.exp(-f))) * 1.0),
    "probit": (losses.Probit(), lambda f, rng: (rng.random(N) < 1 / (1 + np.exp(-f))) * 1.0),
    "poisson": (losses.Poisson(), lambda f, rng: rng.poisson(np.exp(0.5 * f)) * 1.0),
    "gamma": (losses.GammaLog(), lambda f, rng: rng.gamma(2.0, np.exp(0.5 * f))),
    "tweedie": (losses.Tweedie(1.5), lambda f, rng: rng.poisson(np.exp(0.5 * f)) * 1.7),
    "huber": (losses.Huber(0.5), lambda f, rng: f + rng.standard_t(2, N)),
}
OPTIONS = {
    "plain": {},
    "weights, some of them 0": {"sample_weight": True},
    "offset": {"offset": True},
    "no intercept": {"fit_intercept": False},
    "limits and factors": {"lower": -0.05, "upper": 0.1, "penalty_factor": np.arange(P) % 3.0},
    "elastic net": {"l1_ratio": 0.3},
    "ridge": {"l1_ratio": 0.0},
}


def draw(family, rng):
    """Data with columns far from centred, and the loss of the family."""
    X = np.asfortranarray(rng.standard_normal((N, P)) + np.linspace(-3, 3, P))
    loss, response = FAMILIES[family]
    return X, response((X - X.mean(axis=0)) @ rng.standard_normal(P) * 0.3 - 0.5, rng), loss


def both(monkeypatch, *args, **kwargs):
    """A path with fused steps, and one without."""
    paths = []
    for least in (0, 10**12):
        monkeypatch.setattr(prox_newton, "ENTRIES_PER_THREAD", least)
        taken = []
        take = FusedMoves.take
        monkeypatch.setattr(FusedMoves, "take", lambda *a, t=take, s=taken: s.append(1) or t(*a))
        paths.append(regpath.fit_path(*args, **kwargs))
        monkeypatch.setattr(FusedMoves, "take", take)
        assert bool(taken) == (least == 0)
    return paths


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_paths_are_those_of_other_steps(monkeypatch, rng, family, name):
    X, y, loss = draw(family, rng)
    options = dict(OPTIONS[name])
    if "sample_weight" in options:
        options["sample_weight"] = rng.integers(0, 3, N).astype(float)
        X[options["sample_weight"] == 0.0] = 1e250  # whose predictors overflow
    if "offset" in options:
        options["offset"] = 0.5 * rng.standard_normal(N)
    options |= {"family": loss, "n_lambdas": 8, "tol": 1e-9}
    fused, other = both(monkeypatch, X, y, **options)
    assert {str(s) for s in fused.statuses} == {str(s) for s in other.statuses}
    assert fused.dual_gaps.max() <= 1e-9
    size = other.objectives[0]
    assert_allclose(fused.objectives, other.objectives, rtol=0, atol=2e-9 * size)
    assert_allclose(fused.coefs, other.coefs, rtol=0, atol=1e-3 * np.abs(other.coefs).max())
    assert fused.certify(X, y).dual_gaps.max() <= 1e-7  # by other code, and not as sharp


def test_short_floats(monkeypatch, rng):
    X, y, loss = draw("poisson", rng)
    X = np.asfortranarray(X.astype(np.float32))
    fused, other = both(monkeypatch, X, y, family=loss, n_lambdas=8, tol=1e-9)
    assert fused.dual_gaps.max() <= 1e-9
    assert_allclose(fused.objectives, other.objectives, rtol=0, atol=2e-9 * other.objectives[0])


def test_integers_are_read_twice(monkeypatch, rng):
    X, y, loss = draw("poisson", rng)
    monkeypatch.setattr(prox_newton, "ENTRIES_PER_THREAD", 0)
    monkeypatch.setattr(FusedMoves, "aim_at", None)  # nobody asks for it
    path = regpath.fit_path((10 * X).astype(np.int8), y, family=loss, n_lambdas=8)
    assert path.dual_gaps.max() <= 1e-6


@pytest.mark.parametrize("n_threads", [2, 3])
def test_bits_do_not_depend_on_threads(monkeypatch, rng, n_threads):
    X, y, loss = draw("binomial", rng)
    monkeypatch.setattr(prox_newton, "ENTRIES_PER_THREAD", 0)
    monkeypatch.setattr("regpath.solvers.threads.ENTRIES_PER_THREAD", 100)
    one, many = (
        regpath.fit_path(X, y, family=loss, n_lambdas=10, n_threads=k) for k in (1, n_threads)
    )
    assert_array_equal(one.coefs, many.coefs)
    assert_array_equal(one.dual_gaps, many.dual_gaps)


@pytest.mark.kernels
@pytest.mark.parametrize("length", [1e-4, 1e-2, 1.0])
@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_are_within_their_doubt(rng, family, length):
    X, y, loss = draw(family, rng)
    weights = np.full(N, 1.0 / N)
    g = measure(Dense(X.T), y, weights, fit_intercept=True, standardize=True)
    rows = RowLoss(loss, y, weights, np.zeros(N), fit_intercept=True, n_threads=1)
    point = Point(*rows.centred(rows.start()))
    start = g.gradients(point.terms.residual).ravel()
    unlimited = np.full(P, np.inf)
    penalty = ElasticNet(np.zeros(P), np.zeros(P), -unlimited, unlimited, np.ones(2))
    none = np.zeros(P, np.bool_)
    outside = Outside(g, penalty, none, point.terms.residual, start)
    moves, features = FusedMoves(g, rows, outside, point), np.arange(P)
    model = RowModel(g, rows, weights, fit_intercept=True)
    model.renew(features, point.terms, 1e-10)
    b, gradient = np.zeros(P), start.copy()
    new = length * rng.standard_normal(P) / rows.response
    moved = moves.take(model, features, penalty, b, gradient, new, 1e10)
    assert moved
    exact = outside.gradient_of(point.terms.residual, features)
    size = np.linalg.norm(point.terms.residual)
    assert_allclose(gradient, exact, rtol=0, atol=moves.doubt + 1e-12 * size)
    assert moves.doubt < 3.0 * length**2 * size
    eta = Moves(g, rows, outside, point).predictor(features, b) + point.intercepts
    assert_allclose(point.eta, eta, rtol=0, atol=1e-11 * (1.0 + np.abs(eta).max()))

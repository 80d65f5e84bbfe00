"""Losses of rows, of survival times and of classes at the level of the solver, and their models."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import slow_families as slow
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse, special

from regpath import losses
from regpath._inputs import check_design
from regpath.kernels.rows import CHUNK
from regpath.penalties import ElasticNet
from regpath.solvers.cox import CoxLoss
from regpath.solvers.geometry import measure
from regpath.solvers.models import RowModel
from regpath.solvers.risk_sets import RiskSets
from regpath.solvers.rows import RowLoss
from regpath.solvers.softmax import SoftmaxLoss, SoftmaxModel


def derivative(function, x, step=1e-3):
    """Jacobian by differences of fourth order, a row for every entry of x."""
    rows = []
    for e in step * np.eye(x.size):
        near = function(x + e) - function(x - e)
        far = function(x + 2 * e) - function(x - 2 * e)
        rows.append((8 * near - far) / (12 * step))
    return np.array(rows)


# -------------------------------------------------------------------------------------------- Cox

N_COX = 24
COX = {
    "plain": {},
    "strata": {"strata": True},
    "start": {"start": True},
    "start and strata": {"start": True, "strata": True},
    "weights": {"weights": True},
    "everything": {"start": True, "strata": True, "weights": True},
}


@pytest.fixture(params=[(ties, name) for ties in ("breslow", "efron") for name in COX], ids=str)
def survival(request, rng):
    """A loss, its slow twin, and a linear predictor; many times are tied."""
    ties, name = request.param
    options = COX[name]
    stop = rng.integers(2, 9, N_COX).astype(float)
    event = (rng.random(N_COX) < 0.6).astype(float)
    start = np.floor(stop * rng.random(N_COX)) if options.get("start") else None
    strata = rng.integers(0, 3, N_COX) if options.get("strata") else None
    weights = rng.integers(0, 4, N_COX).astype(float) if options.get("weights") else np.ones(N_COX)
    columns = [stop, event] if start is None else [start, stop, event]
    problem = slow.Problem(
        np.zeros((N_COX, 1)),
        np.column_stack(columns),
        "cox",
        {"ties": ties, "strata": strata},
        1,
        1.0,
        {"sample_weight": weights},
    )
    canonical = np.column_stack([np.full(N_COX, -np.inf) if start is None else start, stop, event])
    loss = CoxLoss(canonical, weights / weights.sum(), np.zeros(N_COX), ties=ties, strata=strata)
    return SimpleNamespace(loss=loss, problem=problem, eta=1.5 * rng.standard_normal(N_COX))


class TestCox:
    def test_value_and_slope(self, survival):
        loss, problem, eta = survival.loss, survival.problem, survival.eta
        shift, same, terms = loss.centred(eta[None])
        value, slope = slow.cox(problem, eta)
        assert terms.value + loss.floor == pytest.approx(value, rel=1e-13)
        assert_allclose(problem.weights * terms.slope[0], slope, atol=1e-14)
        assert_allclose(terms.residual[0], -np.sqrt(problem.weights) * terms.slope[0], atol=1e-15)
        assert_array_equal(same, eta[None])
        assert shift == 0.0

    def test_hessian(self, survival):
        loss, problem, eta = survival.loss, survival.problem, survival.eta
        terms = loss.centred(eta[None])[2]
        images = loss.coupling(terms)(np.eye(N_COX))
        hessian = np.diag(problem.weights * terms.curvature[0]) - images @ images.T
        expected = derivative(lambda e: slow.cox(problem, e)[1], eta)
        assert_allclose(hessian, expected, atol=1e-11)

    def test_floor_is_the_infimum(self, survival):
        assert survival.loss.floor == pytest.approx(slow.infimum(survival.problem), abs=1e-7)

    def test_constants_do_not_matter(self, survival):
        loss, eta = survival.loss, survival.eta
        terms, far = loss.centred(eta[None])[2], loss.centred(eta[None] + 5000.0)[2]
        assert far.value == pytest.approx(terms.value, rel=1e-10)
        assert_allclose(far.slope, terms.slope, atol=1e-11)

    def test_order_of_rows_does_not_matter(self, survival, rng):
        problem, eta, i = survival.problem, survival.eta, rng.permutation(N_COX)
        y, strata = problem.y, problem.family_options["strata"]
        start = y[:, 0] if y.shape[1] == 3 else np.full(N_COX, -np.inf)
        canonical = np.column_stack([start, y[:, -2:]])[i]
        moved = CoxLoss(
            canonical,
            problem.weights[i],
            np.zeros(N_COX),
            ties=problem.family_options["ties"],
            strata=None if strata is None else strata[i],
        )
        terms, other = survival.loss.centred(eta[None])[2], moved.centred(eta[None, i])[2]
        assert other.value == pytest.approx(terms.value, rel=1e-13)
        assert_allclose(other.slope[0], terms.slope[0, i], atol=1e-14)


@pytest.mark.parametrize("spread", [10.0, 34.0])
def test_rows_of_large_risk_that_enter_late(rng, spread):
    """They are in no early risk set, and must not leave their rounding errors there."""
    start, stop = np.sort(rng.uniform(0.0, 10.0, (2, 40)), axis=0)
    y = np.column_stack([start, stop, rng.random(40) < 0.7])
    eta = 0.5 * rng.standard_normal(40) + spread * (start > 4.0)
    problem = slow.Problem(np.zeros((40, 1)), y, "cox", {}, 1, 1.0, {})
    loss = CoxLoss(y, np.full(40, 1 / 40), np.zeros(40), ties="breslow", strata=None)
    terms = loss.centred(eta[None])[2]
    value, slope = slow.cox(problem, eta)
    assert terms.value + loss.floor == pytest.approx(value, rel=1e-12)
    assert_allclose(terms.slope[0] / 40, slope, atol=1e-13)


@pytest.mark.parametrize("late", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("n", [1, 2, 7, 40, 130])
def test_sums_over_risk_sets(n, late, rng):
    """Against the matrix of all rows and times; some strata and rows are without an event."""
    stratum, stop = rng.integers(0, 3, n), rng.integers(1, 60, n).astype(float)
    start = np.where(rng.random(n) < late, stop - rng.integers(1, 40, n), -np.inf)
    event = (rng.random(n) < 0.6) & (stratum != 1)
    event[0], stratum[0] = True, 0
    keys = np.unique(np.stack([stratum[event], stop[event]]), axis=1)
    sets = RiskSets(start, stop, stratum, keys[1].copy(), keys[0].astype(np.int64))
    within = (start[:, None] < keys[1]) & (keys[1] <= stop[:, None])
    within &= stratum[:, None] == keys[0]
    values, rates = rng.random((3, n)), rng.random(keys.shape[1])
    assert_allclose(sets.over_rows(values), values @ within, rtol=1e-14)
    assert_allclose(sets.over_rows(values[0]), values[0] @ within, rtol=1e-14)
    assert_allclose(sets.over_times(rates), within @ rates, rtol=1e-14)


def test_cox_by_hand():
    """Three events in a row: S = a + b + c, b + c, c."""
    y = np.column_stack([np.full(3, -np.inf), [1.0, 2.0, 3.0], np.ones(3)])
    loss = CoxLoss(y, np.full(3, 1 / 3), np.zeros(3), ties="breslow", strata=None)
    a, b, c = 2.0, 3.0, 5.0
    terms = loss.centred(np.log([[a, b, c]]))[2]
    # Minus the mean log partial likelihood; loss minus infimum, in which weights cancel.
    assert terms.value == pytest.approx(-np.log(a / 10 * b / 8 * c / 5) / 3)
    slope = [a / 10 - 1, b / 10 + b / 8 - 1, c / 10 + c / 8 + c / 5 - 1]
    assert_allclose(terms.slope[0], slope, rtol=1e-13)


def test_tied_events_by_hand():
    """Two events at once with risks a, b beside c: Breslow S^2, Efron S (S - (a + b) / 2)."""
    y = np.column_stack([np.full(3, -np.inf), [1.0, 1.0, 2.0], [1.0, 1.0, 0.0]])
    eta = np.log([[2.0, 3.0, 5.0]])
    for ties, risk in (("breslow", 10.0 * 10.0), ("efron", 10.0 * 7.5)):
        loss = CoxLoss(y, np.full(3, 1 / 3), np.zeros(3), ties=ties, strata=None)
        expected = -np.log(2.0 * 3.0 / risk) / 3
        # The loss is stated with the weights 1/3 inside the logarithm: twice log(3) / 3 apart.
        found = loss.centred(eta)[2].value + loss.floor + 2 * np.log(3) / 3
        assert found == pytest.approx(expected, rel=1e-13)


# ----------------------------------------------------------------------------------------- classes


@pytest.fixture
def classes(rng):
    """Proportions of three classes, indicators among them."""
    n, K = 30, 3
    y = rng.dirichlet(np.ones(K), n)
    y[:20] = np.eye(K)[rng.integers(0, K, 20)]
    weights = rng.random(n)
    return SimpleNamespace(
        y=y, weights=weights / weights.sum(), eta=2 * rng.standard_normal((K, n)), n=n, K=K
    )


def make_softmax(classes, fit_intercept=True):
    offset = np.zeros((classes.n, classes.K))
    return SoftmaxLoss(classes.y, classes.weights, offset, fit_intercept=fit_intercept, n_threads=1)


class TestSoftmax:
    def test_value_and_slope(self, classes):
        loss, eta = make_softmax(classes, fit_intercept=False), classes.eta
        terms = loss.centred(eta)[2]
        value = classes.weights @ (special.logsumexp(eta, axis=0) - (classes.y.T * eta).sum(axis=0))
        entropy = special.xlogy(classes.y, classes.y).sum(axis=1)
        assert terms.value == pytest.approx(value + classes.weights @ entropy, rel=1e-13)
        assert loss.floor == pytest.approx(-classes.weights @ entropy, rel=1e-13)
        assert_allclose(terms.slope, special.softmax(eta, axis=0) - classes.y.T, atol=1e-15)

    @pytest.mark.parametrize("s", [0.0, 0.4, 0.999, 1.0])
    def test_gap_is_that_of_fenchel_young(self, classes, s):
        loss, eta = make_softmax(classes), classes.eta
        terms = loss.centred(eta)[2]
        eta = loss.centred(eta)[1]
        v = s * terms.slope
        conjugate = special.xlogy(classes.y.T + v, classes.y.T + v).sum(axis=0)
        value = special.logsumexp(eta, axis=0) - (classes.y.T * eta).sum(axis=0)
        expected = classes.weights @ (value + conjugate - (v * eta).sum(axis=0))
        assert loss.gap(eta, terms, s) == pytest.approx(expected, abs=1e-14)

    @pytest.mark.parametrize("shift", [0.0, 60.0, -150.0])
    def test_intercepts_are_stationary_from_anywhere(self, classes, shift):
        loss = make_softmax(classes)
        eta = classes.eta + shift * np.arange(3)[:, None]
        found, moved, terms = loss.centred(eta)
        assert_allclose(terms.slope @ classes.weights, 0.0, atol=1e-14)
        assert_allclose(moved, eta + found[:, None])
        best = loss.centred(classes.eta)[2].value
        assert terms.value == pytest.approx(best, rel=1e-12)


# -------------------------------------------------------------------------------------------- rows


def make_rows(loss, y, eta, weights=None, *, fit_intercept=True, n_threads=1):
    weights = np.ones(y.size) if weights is None else weights
    return RowLoss(
        loss,
        y,
        weights / weights.sum(),
        eta,
        fit_intercept=fit_intercept,
        n_threads=n_threads,
    )


RARE = np.r_[1.0, np.zeros(9999)]
INTERCEPTS = {
    "one in ten thousand": (losses.Logistic(), RARE, np.zeros(10_000)),
    "confident and wrong": (losses.Logistic(), np.tile([0.0, 1.0], 20), np.tile([300.0, -300], 20)),
    "probit": (losses.Probit(), np.r_[np.ones(5), np.zeros(95)], np.linspace(-9, 9, 100)),
    "large counts": (losses.Poisson(), np.linspace(0, 1e6, 50), np.zeros(50)),
    "far above": (losses.Poisson(), np.arange(20.0), np.full(20, 150.0)),
    "far below": (losses.Poisson(), np.arange(20.0), np.full(20, -100.0)),
    "overflow at the start": (losses.Poisson(), np.arange(20.0), np.full(20, 650.0)),
    "no number at the start": (losses.Poisson(), np.arange(20.0), np.r_[800.0, np.zeros(19)]),
    "gamma": (losses.GammaLog(), np.geomspace(1e-6, 1e6, 30), np.linspace(-50, 50, 30)),
    "gamma in large units": (losses.GammaLog(), 1e25 * np.geomspace(0.1, 9, 30), np.zeros(30)),
    "gamma in small units": (losses.GammaLog(), 1e-25 * np.geomspace(0.1, 9, 30), np.zeros(30)),
    "tweedie": (losses.Tweedie(1.5), np.r_[np.zeros(30), 50.0], np.linspace(-3, 3, 31)),
    "outliers": (losses.Huber(0.1), np.r_[np.linspace(0, 1, 30), 1e6, 1e6], np.zeros(32)),
    "no curvature at the start": (losses.Huber(1e-3), np.linspace(100, 101, 9), np.zeros(9)),
}


@pytest.mark.parametrize("name", INTERCEPTS)
def test_intercept_is_stationary_from_anywhere(name):
    loss, y, offset = INTERCEPTS[name]
    rows = make_rows(loss, y, offset)
    shift, moved, terms = rows.centred(rows.start())
    assert np.isfinite(terms.value)
    size = np.abs(terms.slope[0]).mean()
    assert abs(terms.slope[0].mean()) <= 1e-12 * size
    assert_allclose(moved[0], offset + shift)
    for step in (-1e-3, 1e-3):  # the value, too, is at its minimum
        nearby = make_rows(loss, y, moved[0] + step, fit_intercept=False)
        value = nearby.centred(nearby.start())[2].value * nearby.unit
        assert value >= terms.value * rows.unit * (1 - 1e-14)


def test_without_an_intercept_nothing_moves():
    rows = make_rows(losses.Poisson(), np.arange(5.0), np.ones(5), fit_intercept=False)
    shift, moved, terms = rows.centred(rows.start())
    assert_array_equal(shift, [0.0])
    assert_array_equal(moved, np.ones((1, 5)))
    assert_allclose(terms.slope[0], np.e - np.arange(5.0))


def test_number_of_threads_does_not_change_a_bit(rng):
    n = 70 * CHUNK + 7
    y, eta = rng.random(n), rng.standard_normal(n)
    answers = []
    for n_threads in (1, 2, 4):
        rows = make_rows(losses.Logistic(), y, eta, rng.permuted(np.ones(n)), n_threads=n_threads)
        assert (rows._edges.size > 2) == (n_threads > 1)
        shift, _, terms = rows.centred(rows.start())
        gap = rows.gap(rows.start() + shift, terms, 0.9)
        answers.append((shift[0], terms.value, terms.square, gap, terms.residual.tobytes()))
    assert answers[0] == answers[1] == answers[2]


# ------------------------------------------------------------------------------------------ models


def row_hessian(kind, loss, terms, weights):
    """Second derivative (K n, K n) of the loss by the linear predictors."""
    if kind == "classes":
        p = terms.slope + loss._y
        K, n = p.shape
        hessian = np.zeros((K, n, K, n))
        i = np.arange(n)
        for k in range(K):
            for m in range(K):
                hessian[k, i, m, i] = weights * p[k] * ((k == m) - p[m])
        return hessian.reshape(K * n, K * n)
    hessian = np.diag(weights * terms.curvature[0])
    if kind == "cox":
        images = loss.coupling(terms)(np.eye(weights.size))
        hessian -= images @ images.T
    return hessian


def profiled_hessian(kind, loss, terms, weights, A, fit_intercept):
    """The same by the coefficients, with the intercepts at their best."""
    R, K = row_hessian(kind, loss, terms, weights), terms.slope.shape[0]
    wide, ones = np.kron(np.eye(K), A), np.kron(np.eye(K), np.ones((weights.size, 1)))
    H = wide.T @ R @ wide
    if not fit_intercept:
        return H, np.zeros((K, K * A.shape[1]))
    cross = ones.T @ R @ wide
    moves = -np.linalg.pinv(ones.T @ R @ ones, rcond=1e-12, hermitian=True) @ cross
    return H + cross.T @ moves, moves


KINDS = ["logistic", "poisson", "cox", "classes"]
PENALTIES = {
    "ridge": (0.0, 0.05, np.inf),
    "lasso": (0.02, 0.0, np.inf),
    "elastic net with limits": (0.01, 0.03, 0.1),
}


@pytest.mark.parametrize("shares", PENALTIES.values(), ids=PENALTIES)
@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "none"])
@pytest.mark.parametrize("storage", [np.asfortranarray, sparse.csc_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_model_is_the_loss_to_second_order(kind, storage, fit_intercept, shares, rng):
    n, p, K = 40, 4, 3 if kind == "classes" else 1
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.6) * [1, 2, 0.1, 5] + [0, 1, 0, 0]
    weights = rng.random(n)
    weights /= weights.sum()
    loss = make_loss(kind, weights, fit_intercept, rng)
    centred = fit_intercept or kind == "cox"
    geometry = measure(
        check_design("test", storage(X))[0],
        np.zeros(n),
        weights,
        fit_intercept=centred,
        standardize=True,
        n_threads=1,
    )
    A = (X - geometry.mean) / geometry.scale
    b = 0.05 * rng.standard_normal((K, p))
    terms = loss.centred(b @ A.T)[2]
    if kind == "classes":
        model = SoftmaxModel(geometry, weights, K, fit_intercept=fit_intercept)
    else:
        model = RowModel(geometry, loss, weights, fit_intercept=centred)
    size, (l1, l2, limit) = K * p, shares
    penalty = ElasticNet(*(np.full(size, value) for value in (l1, l2, -limit, limit)), np.ones(2))
    gradient = np.concatenate([A.T @ (-weights * slope) for slope in terms.slope])

    model.renew(np.arange(size - 1), terms, 1e-10)
    model.extend(np.array([size - 1]))
    new = model.minimise(penalty, b.ravel(), gradient, terms, 1e-22, 1000)

    change = new - b.ravel()
    H, moves = profiled_hessian(kind, loss, terms, weights, A, centred)
    left = gradient - H @ change
    worst = max(penalty.violation(k, left[k], new[k]) for k in range(size))
    assert worst <= 1e-9 * np.abs(gradient).max()
    assert np.abs(change).max() > 0.01
    if kind == "cox":
        return  # a constant changes nothing
    # Intercepts of classes are known up to a constant.
    shift, expected = model.intercepts(change), moves @ change
    assert_allclose(shift - shift.mean() * (K > 1), expected - expected.mean() * (K > 1), atol=1e-9)


def make_loss(kind, weights, fit_intercept, rng):
    n = weights.size
    if kind == "classes":
        y = np.eye(3)[rng.integers(0, 3, n)]
        return SoftmaxLoss(y, weights, np.zeros((n, 3)), fit_intercept=fit_intercept, n_threads=1)
    if kind == "cox":
        y = np.column_stack([np.full(n, -np.inf), rng.integers(1, 9, n), rng.random(n) < 0.7])
        return CoxLoss(y, weights, np.zeros(n), ties="efron", strata=None)
    loss, y = {
        "logistic": (losses.Logistic(), rng.integers(0, 2, n).astype(float)),
        "poisson": (losses.Poisson(), rng.poisson(3.0, n).astype(float)),
    }[kind]
    return make_rows(loss, y, np.zeros(n), weights, fit_intercept=fit_intercept)

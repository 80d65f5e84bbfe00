"""Losses: every method against its definition, compiled or not (NUMBA_DISABLE_JIT=1)."""

from __future__ import annotations

import math
import os
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize, stats

from regpath import losses
from regpath.kernels.rows import CHUNK, row_gaps, row_terms
from regpath.losses import conjugate_by_search

pytestmark = pytest.mark.kernels

COMPILED = os.environ.get("NUMBA_DISABLE_JIT") != "1"


class Linex(NamedTuple):
    """A loss as a user writes it: e^r - r of r = slant (eta - y)."""

    slant: float

    def terms(self, y, eta):
        r = self.slant * (eta - y)
        grown = math.exp(r)
        return grown - r, self.slant * (grown - 1.0), self.slant**2 * grown

    def minimum(self, y):
        return 1.0

    def conjugate(self, y, v):
        m = 1.0 + v / self.slant
        if m < 0.0:
            return math.inf
        return v * y + (m * math.log(m) if m > 0.0 else 0.0) - m


# A loss, and responses that it may have: the ends of its range among them.
TABLE = {
    "logistic": (losses.Logistic(), [0.0, 1.0, 0.25, 1e-9]),
    "probit": (losses.Probit(), [0.0, 1.0, 0.25, 0.999]),
    "poisson": (losses.Poisson(), [0.0, 1.0, 7.0, 1e6]),
    "gamma": (losses.GammaLog(), [1e-3, 1.0, 1e5]),
    "tweedie 1.1": (losses.Tweedie(1.1), [0.0, 0.3, 20.0]),
    "tweedie 1.9": (losses.Tweedie(1.9), [0.0, 0.3, 20.0]),
    "huber": (losses.Huber(1.3), [-2.0, 0.0, 5.0]),
    "huber, narrow": (losses.Huber(1e-3), [-2.0, 0.0, 5.0]),
    "linex": (Linex(0.7), [-2.0, 0.0, 5.0]),
}
ROWS = [(loss, y) for loss, responses in TABLE.values() for y in responses]
NAMES = [f"{name}, y = {y:g}" for name, (_, responses) in TABLE.items() for y in responses]

every_row = pytest.mark.parametrize(("loss", "y"), ROWS, ids=NAMES)
every_loss = pytest.mark.parametrize(("loss", "responses"), TABLE.values(), ids=TABLE)
etas = st.floats(-20.0, 20.0)


def central(function, at, step=1e-3):
    """A derivative, but for the fifth one times step^4 / 30."""
    near = function(at + step) - function(at - step)
    far = function(at + 2 * step) - function(at - 2 * step)
    return (8 * near - far) / (12 * step)


# ------------------------------------------------------------------------------------- definitions

DEFINITIONS = {
    "logistic": lambda y, eta: (
        -y * stats.logistic.logcdf(eta) - (1 - y) * stats.logistic.logsf(eta)
    ),
    "probit": lambda y, eta: -y * stats.norm.logcdf(eta) - (1 - y) * stats.norm.logsf(eta),
    "poisson": lambda y, eta: np.exp(eta) - y * eta,
    "gamma": lambda y, eta: y / np.exp(eta) + eta,
    "tweedie 1.1": lambda y, eta: np.exp(0.9 * eta) / 0.9 + y * np.exp(-0.1 * eta) / 0.1,
    "tweedie 1.9": lambda y, eta: np.exp(0.1 * eta) / 0.1 + y * np.exp(-0.9 * eta) / 0.9,
    "huber": lambda y, eta: np.where(
        abs(y - eta) <= 1.3, (y - eta) ** 2 / 2, 1.3 * abs(y - eta) - 1.3**2 / 2
    ),
}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_value_is_that_of_the_definition(name):
    loss, responses = TABLE[name]
    for y in responses:
        for eta in np.linspace(-30.0, 30.0, 61):
            expected = DEFINITIONS[name](y, eta)
            # Sums over rows need no digits of a loss that is next to nothing.
            assert loss.terms(y, eta)[0] == pytest.approx(expected, rel=1e-13, abs=1e-15)


@every_row
def test_slope_and_curvature_are_derivatives(loss, y):
    for eta in np.linspace(-7.03, 7.06, 58):  # no kink of Huber's loss within a step
        value, slope, curvature = loss.terms(y, eta)
        # Rounding of the values, up to 1e-14 in the tails of the probit, over the step.
        fuzz = 2e-11 * (abs(value) + abs(y) + abs(slope) + 1.0)
        assert slope == pytest.approx(central(lambda e: loss.terms(y, e)[0], eta), abs=fuzz)
        bend = central(lambda e: loss.terms(y, e)[1], eta)
        assert curvature == pytest.approx(bend, abs=2e-11 * (abs(slope) + abs(curvature) + 1.0))


@every_row
def test_convex(loss, y):
    values = np.array([loss.terms(y, eta) for eta in np.linspace(-30.0, 30.0, 601)])
    assert (values[:, 2] >= 0.0).all()
    assert (np.diff(values[:, 1]) >= 0.0).all()


@every_row
def test_minimum_is_the_infimum(loss, y):
    grid = np.linspace(-40.0, 40.0, 4001)
    values = np.array([loss.terms(y, eta)[0] for eta in grid])
    least = loss.minimum(y)
    size = 1.0 + abs(least) + abs(y)
    assert (values >= least - 1e-14 * size).all()
    best = grid[values.argmin()]
    found = optimize.minimize_scalar(
        lambda eta: loss.terms(y, eta)[0], bounds=(best - 0.02, best + 0.02), method="bounded"
    )
    # At the ends of a range it is approached as e^(-c |eta|), c = 1 or a power of Tweedie's.
    assert found.fun - least <= max(1e-9 * size, math.exp(-0.09 * 40.0) * 10.0 * (y == 0.0))


@every_row
def test_far_out(loss, y):
    rows = np.array([loss.terms(y, eta) for eta in (-690.0, -30.0, 0.0, 30.0, 690.0)])
    assert np.isfinite(rows).all()
    assert (np.diff(rows[:, 1]) >= 0.0).all()
    assert rows[0, 1] < rows[-1, 1]
    assert (rows[:, 0] >= loss.minimum(y)).all()


# -------------------------------------------------------------------------------------- conjugates


@every_loss
@given(data=st.data(), eta=etas, other=etas, anywhere=st.floats(-30.0, 30.0))
def test_fenchel_young(loss, responses, data, eta, other, anywhere):
    """loss(eta) + loss*(v) >= v eta, with equality at the derivative."""
    y = data.draw(st.sampled_from(responses))
    value, slope, _ = loss.terms(y, eta)
    for v in (slope, loss.terms(y, other)[1], anywhere):
        conjugate = loss.conjugate(y, v)
        excess = value + conjugate - v * eta
        size = abs(value) + abs(v * eta) + abs(y) + 1.0
        rounding = 1e-13 * (size + (abs(conjugate) if math.isfinite(conjugate) else 0.0))
        assert excess >= -rounding
        assert v != slope or excess <= rounding


@every_row
def test_conjugate_of_zero_is_minus_the_minimum(loss, y):
    assert loss.conjugate(y, 0.0) == pytest.approx(-loss.minimum(y), rel=1e-12, abs=1e-12)


OUTSIDE = {
    "logistic": [(0.0, -1e-9), (1.0, 1e-9), (0.25, -0.26), (0.25, 0.76)],
    "probit": [(0.0, -1e-9), (1.0, 1e-9)],
    "poisson": [(0.0, -1e-9), (7.0, -7.01)],
    "gamma": [(1.0, 1.01), (1e5, 1.01)],
    "tweedie 1.1": [(0.0, -1e-9)],
    "tweedie 1.9": [(0.0, -1e-9)],
    "huber": [(0.0, 1.31), (5.0, -1.31)],
    "linex": [(0.0, -0.71)],
}


@pytest.mark.parametrize(
    ("name", "y", "v"), [(name, *pair) for name, pairs in OUTSIDE.items() for pair in pairs]
)
def test_conjugate_is_infinite_outside_its_domain(name, y, v):
    assert TABLE[name][0].conjugate(y, v) == math.inf


# The ends of the domains belong to them: v eta - loss(eta) tends to these values.
ENDS = {
    "logistic": [(0.25, -0.25, 0.0), (0.25, 0.75, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)],
    "probit": [(1.0, 0.0, 0.0), (0.0, 0.0, 0.0)],
    "poisson": [(0.0, 0.0, 0.0), (7.0, -7.0, 0.0)],
    "gamma": [(2.0, 1.0, 0.0)],
    "tweedie 1.1": [(0.0, 0.0, 0.0)],
    "huber": [(5.0, 1.3, 1.3 * 5 + 1.3**2 / 2), (5.0, -1.3, -1.3 * 5 + 1.3**2 / 2)],
    "linex": [(5.0, -0.7, -3.5)],
}


@pytest.mark.parametrize(
    ("name", "y", "v", "expected"), [(name, *row) for name, rows in ENDS.items() for row in rows]
)
def test_conjugate_at_the_ends_of_its_domain(name, y, v, expected):
    assert TABLE[name][0].conjugate(y, v) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", ["logistic", "poisson", "gamma", "linex"])
@given(data=st.data(), eta=etas)
def test_search_finds_the_conjugates_that_have_a_formula(name, data, eta):
    loss, responses = TABLE[name]
    y = data.draw(st.sampled_from(responses))
    v = loss.terms(y, eta)[1]
    expected = loss.conjugate(y, v)
    size = 1.0 + abs(expected) + abs(v * eta) + abs(y)
    found = conjugate_by_search(loss, y, v)
    assert found == pytest.approx(expected, abs=1e-12 * size)
    assert found >= expected - 1e-14 * size


# ------------------------------------------------------------------------------------- row kernels


def make_rows(loss, responses, n, rng):
    """Responses, weights (some of them zero) and linear predictors."""
    weights = rng.random(n) * (rng.random(n) < 0.8)
    y = rng.choice(responses, n)
    data = np.stack([y, weights, np.sqrt(weights), [loss.minimum(v) for v in y.tolist()]])
    return data, rng.uniform(-5.0, 5.0, n)


def run_terms(loss, data, eta, edges):
    out, sums = np.full((3, eta.size), 7.0), np.full((edges[-1], 5), 7.0)
    for start, stop in pairwise(edges):
        row_terms(loss, data, eta, out, sums, start, stop)
    return out, sums


@every_loss
def test_row_terms_are_plain_sums(loss, responses, rng):
    (y, w, root, _), eta = data, eta = make_rows(loss, responses, 60, rng)
    rows = np.array([loss.terms(*pair) for pair in zip(y.tolist(), eta.tolist(), strict=True)])
    values = rows[:, 0] - [loss.minimum(v) for v in y.tolist()]
    _, slope, curvature = rows.T

    out, sums = run_terms(loss, data, eta, [0, 1])

    used = w > 0.0
    assert_array_equal(out[:, ~used], 0.0)
    assert_allclose(out[0, used], slope[used], rtol=1e-14, atol=1e-300)
    assert_allclose(out[1, used], (-root * slope)[used], rtol=1e-14, atol=1e-300)
    assert_allclose(out[2, used], curvature[used], rtol=1e-14, atol=1e-300)
    squares = np.where(slope != 0.0, slope**2 / np.maximum(curvature, 1e-100), 0.0)
    expected = [w @ values, w @ slope, w @ abs(slope), w @ curvature, w @ squares]
    assert_allclose(sums[0], expected, rtol=1e-12, atol=1e-14 * (w @ abs(slope)))


@every_loss
@pytest.mark.parametrize("s", [0.999, 0.5, 0.0])
def test_row_gaps_are_plain_sums(loss, responses, s, rng):
    data, eta = make_rows(loss, responses, 60, rng)
    slope = run_terms(loss, data, eta, [0, 1])[0][0]
    expected = size = 0.0
    for y, w, e, g in zip(data[0], data[1], eta, slope, strict=True):
        if w > 0.0:
            value, conjugate = loss.terms(y, e)[0], loss.conjugate(y, s * g)
            expected += w * (value + conjugate - s * g * e)
            size += w * (abs(value) + abs(conjugate))
    sums = np.full(1, 7.0)

    row_gaps(loss, data, eta, slope, s, sums, 0, 1)

    assert sums[0] == pytest.approx(expected, rel=1e-10, abs=1e-14 * size)
    if s == 0.0:  # what is left is loss minus minimum
        whole = run_terms(loss, data, eta, [0, 1])[1][0, 0]
        assert sums[0] == pytest.approx(whole, rel=1e-10, abs=1e-12 * size)


def test_ranges_do_not_change_a_bit(rng):
    loss, responses = TABLE["logistic"]
    data, eta = make_rows(loss, responses, 3 * CHUNK + 5, rng)
    out, sums = run_terms(loss, data, eta, [0, 4])
    whole = np.zeros(4)
    row_gaps(loss, data, eta, out[0], 0.7, whole, 0, 4)
    assert (sums[:, 2] > 0.0).all()  # no chunk was left out

    for edges in ([0, 1, 4], [0, 3, 4], [0, 1, 2, 3, 4]):
        parts_out, parts = run_terms(loss, data, eta, edges)
        assert_array_equal(parts_out, out)
        assert_array_equal(parts, sums)
        gaps = np.zeros(4)
        for start, stop in pairwise(edges):
            row_gaps(loss, data, eta, out[0], 0.7, gaps, start, stop)
        assert_array_equal(gaps, whole)


@every_loss
def test_rows_of_weight_zero_may_hold_anything(loss, responses, rng):
    data, eta = make_rows(loss, responses, 30, rng)
    out, sums = run_terms(loss, data, eta, [0, 1])
    gaps = np.zeros(1)
    row_gaps(loss, data, eta, out[0], 0.5, gaps, 0, 1)
    unused = data[1] == 0.0
    assert unused.any()
    junk, junk_eta, junk_gaps = data.copy(), eta.copy(), np.zeros(1)
    junk[0, unused], junk_eta[unused] = -math.inf, math.nan

    found, found_sums = run_terms(loss, junk, junk_eta, [0, 1])
    row_gaps(loss, junk, junk_eta, found[0], 0.5, junk_gaps, 0, 1)

    assert_array_equal(found, out)
    assert_array_equal(found_sums, sums)
    assert_array_equal(junk_gaps, gaps)


@pytest.mark.skipif(not COMPILED, reason="Python's exp raises where that of a kernel is inf")
@every_loss
@pytest.mark.parametrize("eta", [-1e4, 1e4, -1e300, 1e300])
def test_overflow_is_infinity_not_nan(loss, responses, eta):
    """A step that is far too long has no finite objective, and is seen to be one."""
    ones, minima = np.ones(len(responses)), [loss.minimum(y) for y in responses]
    data = np.array([responses, ones, ones, minima])
    out, sums = run_terms(loss, data, np.full(len(responses), eta), [0, 1])
    assert sums[0, 0] > 10.0
    assert not np.isnan(out).any()

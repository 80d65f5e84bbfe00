"""Penalties against their definitions: a row per penalty, a test per method.

A class that is written here, outside of the package, takes the same way into the kernels.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from regpath import _numba
from regpath.designs import Dense
from regpath.kernels import quadratic
from regpath.kernels.descent import descend
from regpath.penalties import ElasticNet
from regpath.solvers.gram import GramCore

pytestmark = pytest.mark.kernels


def make(l1=0.0, l2=0.0, lower=-math.inf, upper=math.inf):
    return ElasticNet(*(np.full(1, float(v)) for v in (l1, l2, lower, upper)), np.ones(2))


ROWS = {
    "lasso": make(0.3),
    "ridge": make(0.0, 0.7),
    "elastic net": make(0.2, 0.4),
    "limits": make(0.3, 0.0, -0.2, 0.4),
    "limits, elastic net": make(0.3, 0.5, -1.0, 0.1),
    "limits, ridge": make(0.0, 0.5, -0.3, 0.3),
    "nonnegative": make(0.25, 0.0, 0.0),
    "nonpositive": make(0.25, 0.3, upper=0.0),
    "nonnegative, bounded": make(0.0, 0.0, 0.0, 1.5),
    "no strength": make(),
    "no strength, limits": make(0.0, 0.0, -0.5, 2.0),
    "no room": make(0.1, 0.1, 0.0, 0.0),
}
rows = pytest.mark.parametrize("penalty", ROWS.values(), ids=ROWS)
numbers = st.one_of(st.floats(-5, 5), st.sampled_from([-0.5, -0.3, 0.0, 0.2, 0.3, 2.0]))
curvatures = st.floats(0.05, 5)


def limits_of(penalty):
    return float(penalty.lower[0]), float(penalty.upper[0])


def subdifferential(penalty, b):
    """Its ends, by the definition: the slopes to both sides, unbounded at a limit."""
    l1, l2 = float(penalty.l1[0]), float(penalty.l2[0])
    lower, upper = limits_of(penalty)
    below = -math.inf if b <= lower else (l1 if b > 0 else -l1) + l2 * b
    above = math.inf if b >= upper else (-l1 if b < 0 else l1) + l2 * b
    return below, above


@rows
@given(z=numbers, a=curvatures, other=numbers)
def test_prox_is_the_argmin(penalty, z, a, other):
    """a b^2 / 2 - z b + phi(b) grows from its minimum like (a + l2) d^2 / 2 at least."""

    def f(b):
        return 0.5 * a * b * b - z * b + penalty.value(0, b)

    best = penalty.prox(0, z, a)
    lower, upper = limits_of(penalty)
    assert lower <= best <= upper
    strength = a + penalty.l2[0]
    for d in (other - best, 1e-3, -1e-3, 0.1, -0.1):
        b = min(max(best + d, lower), upper)
        assert f(b) >= f(best) + 0.5 * strength * (b - best) ** 2 - 1e-12 * (1 + abs(f(best)))


@rows
@given(share=st.floats(0.01, 0.99))
def test_derivative_and_curvature_are_those_of_the_value(penalty, share):
    step = 1e-4
    for start in (-0.05, 0.0, 0.05):
        if not limits_of(penalty)[0] <= start <= limits_of(penalty)[1]:
            continue
        low, high = np.clip(penalty.piece(0, start), -5, 5)
        if low == high:
            continue
        b = low + share * (high - low)
        rise = penalty.value(0, b + step) - penalty.value(0, b - step)
        assert penalty.derivative(0, b) == pytest.approx(rise / (2 * step), abs=1e-9)
        bend = penalty.derivative(0, b + step) - penalty.derivative(0, b - step)
        assert penalty.curvature(0) == pytest.approx(bend / (2 * step), abs=1e-9)


@rows
@given(b=numbers, g=numbers)
def test_violation_is_the_distance_from_the_subdifferential(penalty, b, g):
    b = min(max(b, limits_of(penalty)[0]), limits_of(penalty)[1])
    below, above = subdifferential(penalty, b)
    expected = max(below - g, g - above, 0.0)
    assert penalty.violation(0, g, b) == pytest.approx(expected, abs=1e-14)


@rows
@given(b=numbers)
def test_pieces_hold_the_points_with_one_slope(penalty, b):
    lower, upper = limits_of(penalty)
    b = min(max(b, lower), upper)
    low, high = penalty.piece(0, b)
    assert lower <= low <= high <= upper
    below, above = subdifferential(penalty, b)
    assert (low < b < high) == (below == above)
    if below == above:
        assert penalty.derivative(0, b) == below
        for end in (low, high):  # nothing but a kink or a limit ends a piece
            if math.isfinite(end):
                ends = subdifferential(penalty, end)
                assert ends[0] < ends[1]


@rows
@given(size=st.floats(0, 5))
def test_threshold_is_where_zero_stops_being_optimal(penalty, size):
    lower, upper = limits_of(penalty)
    threshold = penalty.threshold(0)
    for sign, limit in ((1.0, upper), (-1.0, -lower)):
        assert penalty.violation(0, sign * min(size, threshold), 0.0) == 0.0
        assert penalty.prox(0, sign * min(size, threshold), 1.0) == 0.0
        beyond = penalty.violation(0, sign * (threshold + size), 0.0)
        assert beyond == pytest.approx(size if limit > 0.0 else 0.0)


@rows
@given(b=numbers, t=numbers, a=curvatures)
def test_conjugate(penalty, b, t, a):
    """phi(b) + phi*(t) >= t b, with equality where t is a subgradient at b."""
    lower, upper = limits_of(penalty)
    b = min(max(b, lower), upper)
    assert penalty.value(0, b) + penalty.conjugate(0, t) >= t * b - 1e-12
    best = penalty.prox(0, t, a)
    slope = t - a * best
    gap = penalty.value(0, best) + penalty.conjugate(0, slope) - slope * best
    assert gap == pytest.approx(0.0, abs=1e-12)


def test_a_subset_keeps_its_order(rng):
    penalty = ElasticNet(*(rng.random(6) * sign for sign in (1, 1, -1, 1)), np.array([0.7, 0.3]))
    features = np.array([4, 0, 5])
    part = penalty.at(features)
    for field, whole in zip(part[:4], penalty[:4], strict=True):
        assert_array_equal(field, whole[[4, 0, 5]])
    penalty.strength[:] = 2.0, 3.0  # a subset follows
    assert part.threshold(0) == 2.0 * penalty.l1[4]
    assert part.curvature(2) == 3.0 * penalty.l2[5]


# ------------------------------------------------------------------------- a penalty of the user's


class Tilted(NamedTuple):
    """An elastic net whose L1 part is rise b for b > 0, and fall |b| for b < 0."""

    rise: Any
    fall: Any
    l2: Any
    strength: Any

    def value(self, k: int, b: float) -> float:
        rate = self.rise[k] if b > 0.0 else self.fall[k]
        return rate * abs(b) + 0.5 * self.l2[k] * b * b

    def prox(self, k: int, z: float, a: float) -> float:
        if z > self.rise[k]:
            return (z - self.rise[k]) / (a + self.l2[k])
        if z < -self.fall[k]:
            return (z + self.fall[k]) / (a + self.l2[k])
        return 0.0

    def derivative(self, k: int, b: float) -> float:
        rate = self.rise[k] if b > 0.0 else -self.fall[k]
        return rate + self.l2[k] * b

    def curvature(self, k: int) -> float:
        return self.l2[k]

    def piece(self, k: int, b: float) -> tuple[float, float]:
        if b > 0.0:
            return 0.0, math.inf
        return (-math.inf, 0.0) if b < 0.0 else (0.0, 0.0)

    def threshold(self, k: int) -> float:
        return min(self.rise[k], self.fall[k])

    def violation(self, k: int, g: float, b: float) -> float:
        if b == 0.0:
            return max(g - self.rise[k], -g - self.fall[k], 0.0)
        return abs(g - self.derivative(k, b))

    def conjugate(self, k: int, t: float) -> float:
        excess = max(t - self.rise[k], -t - self.fall[k], 0.0)
        return 0.5 * excess * excess / self.l2[k]


@pytest.fixture
def tilted():
    rise = np.array([0.05, 0.2, 0.02, 0.1, 0.05, 0.3])
    return Tilted(rise, np.roll(rise, 2), np.full(6, 0.1), np.ones(1))


@pytest.fixture
def columns(rng, monkeypatch):
    """Six correlated columns of unit length, one a row, and a response of unit length."""
    # A process that cannot import this module cannot read an index that names its class.
    monkeypatch.setattr(_numba._Cache, "save_overload", lambda *_: None)
    Z = rng.standard_normal((6, 20)) + rng.standard_normal(20)
    Z /= np.linalg.norm(Z, axis=1)[:, None]
    y = Z.T @ [1.0, -1.0, 0.5, 0.0, 0.0, -0.3] + 0.1 * rng.standard_normal(20)
    return Z, y / np.linalg.norm(y)


def minimise_plainly(Z, y, penalty):
    """Coordinate descent in plain Python, to the last digit."""
    b, r = np.zeros(6), y.copy()
    for _ in range(2000):
        for k in range(6):
            new = penalty.prox(k, Z[k] @ r + b[k], 1.0)
            r -= (new - b[k]) * Z[k]
            b[k] = new
    return b


def test_a_penalty_of_the_user_in_residual_form(columns, tilted):
    Z, y = columns
    answers = []
    for run in (descend, getattr(descend, "py_func", descend)):
        b, r = np.zeros(6), np.append(y, 0.0)
        run(Dense(Z), tilted, b, r, np.arange(6), 3)
        assert_allclose(r[:-1], y - Z.T @ b, atol=1e-14)
        answers.append(b)
    assert_allclose(*answers, rtol=1e-12, atol=1e-14)
    b, r = answers[0], np.append(y, 0.0) - np.append(Z.T @ answers[0], 0.0)
    descend(Dense(Z), tilted, b, r, np.arange(6), 2000)
    assert_allclose(b, minimise_plainly(Z, y, tilted), atol=1e-12)


def test_a_penalty_of_the_user_in_gram_form(columns, tilted):
    Z, y = columns
    core = GramCore(1.0, 6)
    core.extend(Z @ Z.T, Z @ y)
    outcome = core.solve(tilted, 1e-13, 100)
    expected = minimise_plainly(Z, y, tilted)
    assert outcome.code == quadratic.CONVERGED
    assert outcome.iterations < 100
    assert (expected > 0).any()
    assert (expected < 0).any()
    assert (expected == 0).any()
    assert_allclose(core.coefs, expected, atol=1e-6)

"""Bounds on gradients from gradients that are known: they hold, and they are tight."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from regpath.screening import References

N, P = 25, 12
# What a dot product of this length may be off by, relative to the lengths of its vectors.
ROUNDING = (N + 8) * np.finfo(float).eps


class Draw(NamedTuple):
    seed: int
    count: int
    capacity: int
    noise: float
    scale: float

    def known(self):
        """Unit columns X (N, P), and residuals that differ from each other by noise only."""
        rng = np.random.default_rng(self.seed)
        X = rng.standard_normal((N, P))
        X /= np.linalg.norm(X, axis=0)
        base = rng.standard_normal(N)
        R = base + self.noise * rng.standard_normal((self.count, N))
        R *= self.scale * 10.0 ** -rng.integers(0, 3, (self.count, 1))
        references = References(N, P, self.capacity)
        for r in R:
            references.add(r, X.T @ r)
        return X, R[-self.capacity :], references, rng


draws = st.builds(
    Draw,
    seed=st.integers(0, 10_000),
    count=st.integers(1, 9),
    capacity=st.integers(1, 6),
    noise=st.sampled_from([1.0, 1e-3, 1e-6, 1e-9, 1e-13, 0.0]),
    scale=st.sampled_from([1.0, 1e-8, 1e8]),
)


def assert_bounds(X, r, estimate):
    off = np.abs(X.T @ r - estimate.gradient).max()
    assert off <= estimate.error + ROUNDING * estimate.magnitude


@given(draw=draws, share=st.sampled_from([1.0, 1e-3, 1e-9, 0.0]))
def test_the_bound_holds(draw, share):
    X, R, references, rng = draw.known()
    r = rng.standard_normal(len(R)) @ R + share * draw.scale * rng.standard_normal(N)
    estimate = references.estimate(r)
    assert_bounds(X, r, estimate)
    assert np.isfinite(estimate.gradient).all()
    # Never worse than knowing nothing.
    assert estimate.error <= np.linalg.norm(r) * (1 + 1e-9)


@given(draw=draws)
def test_nothing_is_lost_in_the_span(draw):
    X, R, references, rng = draw.known()
    weights = rng.standard_normal(len(R))
    r = weights @ R
    estimate = references.estimate(r)
    lengths = np.abs(weights) @ np.linalg.norm(R, axis=1)
    # Directions shorter than the root of what the products lose are left out.
    assert estimate.error <= 1e-6 * lengths
    assert_bounds(X, r, estimate)


def test_well_separated_references_are_exact(rng):
    X, R, references, _ = Draw(3, 5, 5, 1.0, 1.0).known()
    r = rng.standard_normal(5) @ R
    estimate = references.estimate(r)
    assert estimate.error <= 1e-14 * np.linalg.norm(r) * 5
    assert_allclose(estimate.gradient, X.T @ r, atol=1e-12)
    assert estimate.magnitude < 100 * np.linalg.norm(r)


def test_the_error_is_the_distance_from_the_span(rng):
    _, R, references, _ = Draw(4, 4, 4, 1.0, 1.0).known()
    r = rng.standard_normal(N)
    rest = r - R.T @ np.linalg.lstsq(R.T, r, rcond=None)[0]
    assert references.estimate(r).error == pytest.approx(np.linalg.norm(rest), rel=1e-12)


def test_the_oldest_makes_place_for_the_newest(rng):
    """Orthogonal residuals: each is known exactly, or not at all."""
    X = rng.standard_normal((N, P))
    R = np.linalg.qr(rng.standard_normal((N, 7)))[0].T
    references = References(N, P, 3)
    for k, r in enumerate(R):
        references.add(r, X.T @ r)
        errors = [references.estimate(other).error for other in R]
        kept = range(max(0, k - 2), k + 1)
        assert_allclose(errors, [0.0 if i in kept else 1.0 for i in range(7)], atol=1e-12)


def test_a_residual_of_zero(rng):
    references = References(N, P, 3)
    references.add(np.zeros(N), np.zeros(P))
    r = rng.standard_normal(N)
    estimate = references.estimate(r)
    assert not estimate.gradient.any()
    assert estimate.error == pytest.approx(np.linalg.norm(r))
    references.add(r, np.arange(P, dtype=float))
    assert_allclose(references.estimate(2 * r).gradient, 2 * np.arange(P))
    assert references.estimate(np.zeros(N)).error == 0.0

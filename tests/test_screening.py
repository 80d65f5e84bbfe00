"""Bounds on gradients from gradients that are known: they hold, and they are tight."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from regpath import screening
from regpath.designs import Csc, Dense
from regpath.penalties import ElasticNet
from regpath.screening import References
from regpath.solvers import outside
from regpath.solvers.geometry import measure
from regpath.solvers.outside import Outside

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


class TestOutside:
    """The features outside the working set that violate optimality, by whatever way."""

    N, P, K = 40, 60, 3

    def draw(self, rng, storage):
        """Geometry, standardised columns, and K residuals that are orthogonal to the intercept."""
        X = rng.standard_normal((self.N, self.P)) * (rng.random((self.N, self.P)) < 0.4)
        X[:, 7] = 2.0  # constant: its gradient is 0
        S = sparse.csc_array(X)
        design = Dense(np.ascontiguousarray(X.T))
        if storage == "sparse":
            design = Csc(S.data, S.indices, S.indptr, self.N)
        y, weights = rng.standard_normal(self.N), np.full(self.N, 1 / self.N)
        geometry = measure(design, y, weights, fit_intercept=True, standardize=True)
        Z = X - X.mean(axis=0)
        Z /= np.maximum(np.linalg.norm(Z, axis=0), 1e-9)
        R = rng.standard_normal((self.K, self.N))
        return geometry, Z, R - R.mean(axis=1, keepdims=True)

    @pytest.mark.parametrize("storage", ["dense", "sparse"])
    @pytest.mark.parametrize("way", ["kernel", "threads", "full pass"])
    @pytest.mark.parametrize("outputs", [1, 3])
    def test_finds_all_violators(self, rng, monkeypatch, storage, way, outputs):
        geometry, Z, R = self.draw(rng, storage)
        R, size = R[:outputs], outputs * self.P
        monkeypatch.setattr(screening, "PASS", 0.0 if way == "full pass" else 1e3)
        if way == "threads":
            monkeypatch.setattr(outside, "ENTRIES_PER_THREAD", 0)
        no, limit = np.zeros(size), np.full(size, np.inf)
        upper = np.where(np.arange(size) % 5 == 0, 0.0, limit)
        l1 = rng.uniform(0.5, 1.0, size)
        penalty = ElasticNet(l1, no, -limit, upper, np.ones(2))
        excluded = np.arange(size) % 11 == 0
        found = Outside(geometry, penalty, excluded, R, (R @ Z).ravel())
        for scale in (0.3, 1.0, 0.1, 2.0):
            near = R + scale * rng.standard_normal(R.shape) / np.sqrt(self.N)
            near -= near.mean(axis=1, keepdims=True)
            penalty.strength[0] = 1.0 + 0.3 * scale
            passes, gradient = geometry.passes, (near @ Z).ravel()
            violators = found.violators(near)
            open_ = (gradient < 0.0) | (upper > 0.0)
            wanted = (np.abs(gradient) > penalty.threshold(slice(None))) & open_ & ~excluded
            assert 0 < wanted.sum() < 0.6 * size
            assert_array_equal(violators, np.flatnonzero(wanted))
            assert_allclose(found.gradient[violators], gradient[violators], atol=1e-12)
            assert geometry.passes > passes
            found.inside[violators[:2]] = excluded[violators[:2]] = True

    def test_all_ways_agree_to_the_last_bit(self, rng, monkeypatch):
        geometry, Z, R = self.draw(rng, "dense")
        no, limit = np.zeros(self.P), np.full(self.P, np.inf)
        penalty, known = ElasticNet(no + 1.0, no, -limit, limit, np.ones(2)), []
        monkeypatch.setattr(screening, "PASS", 1e3)
        for n_threads in (1, 2):
            geometry.n_threads = n_threads
            found = Outside(geometry, penalty, no > 0, R[:1], R[0] @ Z)
            known.append((found.violators(R[1:2]), found.gradient.copy()))
        assert_array_equal(known[0][0], known[1][0])
        assert_array_equal(known[0][1], known[1][1])

    @pytest.mark.parametrize("storage", ["dense", "sparse"])
    @pytest.mark.parametrize("way", ["kernel", "threads", "full pass", "tall"])
    @pytest.mark.parametrize("together", [1, 2, 4])
    def test_points_are_looked_at_in_order(self, rng, monkeypatch, storage, way, together):
        """The first point that something violates, and what; whatever their penalties are."""
        geometry, Z, R = self.draw(rng, storage)
        monkeypatch.setattr(screening, "PASS", 0.0 if way == "full pass" else 1e3)
        if way == "threads":
            monkeypatch.setattr(outside, "ENTRIES_PER_THREAD", 0)
        if way == "tall":
            monkeypatch.setattr(outside, "PROJECTION", self.P)
            geometry.root = np.resize(geometry.root, self.N)
        no, limit = np.zeros(self.P), np.full(self.P, np.inf)
        penalty = ElasticNet(no + 1.0, no, -limit, limit, np.ones(2))
        excluded, first = no > 0, R[:1]
        points = first + 0.02 * rng.standard_normal((4, 1, self.N))
        points -= points.mean(axis=2, keepdims=True)
        gradients = np.abs(points[:, 0] @ Z)
        for violated in range(5):
            found = Outside(geometry, penalty, excluded, first, first[0] @ Z, together)
            tops = np.sort(gradients, axis=1)
            strengths = np.stack([1.01 * tops[:, -1], np.zeros(4)], axis=1)
            if violated < 4:
                strengths[violated, 0] = tops[violated, -4:-2].mean()
            sound, violators = found.first_violated(points, strengths)
            assert sound == violated
            looked_at = min(violated, 3)
            over = np.flatnonzero(gradients[looked_at] > strengths[looked_at, 0])
            assert_array_equal(violators, over)
            assert violators.size == (3 if violated < 4 else 0)
            assert_array_equal(penalty.strength, strengths[looked_at])
            exact = points[looked_at, 0] @ Z[:, violators]
            assert_allclose(found.gradient[violators], exact, atol=1e-12)

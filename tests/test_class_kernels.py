"""Kernels of classes, risks and several outputs, compiled or not (NUMBA_DISABLE_JIT=1)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse, special

from regpath.designs import Csc, Dense, column_shares
from regpath.kernels import softmax
from regpath.kernels.passes import combine_output_rows, output_dots
from regpath.screening import Spending
from regpath.solvers.cox import CoxLoss
from regpath.solvers.geometry import measure
from regpath.solvers.softmax import SoftmaxLoss
from regpath.solvers.working import last_products

pytestmark = pytest.mark.kernels

INFINITE = [np.inf, -np.inf, np.nan]


def make_classes(rng, n=40, K=3, n_threads=1, fit_intercept=True):
    """Weights with zeros; shares and indicators."""
    y = rng.dirichlet(np.ones(K), n)
    y[: n // 2] = np.eye(K)[rng.integers(0, K, n // 2)]
    weights = rng.integers(0, 3, n) / 1.0
    weights /= weights.sum()
    offset = np.zeros((n, K))
    loss = SoftmaxLoss(y, weights, offset, fit_intercept=fit_intercept, n_threads=n_threads)
    return loss, y.T, weights


class TestSoftmax:
    @pytest.mark.parametrize("K", [2, 3, 7])
    @pytest.mark.parametrize("level", [0.0, 800.0])
    def test_terms(self, rng, K, level):
        loss, y, weights = make_classes(rng, K=K, fit_intercept=False)
        eta = 3.0 * rng.standard_normal(y.shape) + level
        seen = weights > 0.0
        terms = loss.centred(eta)[2]
        p = special.softmax(eta, axis=0)
        assert_allclose(terms.curvature[:, seen], p[:, seen], rtol=1e-13)
        assert_allclose(terms.slope, (p - y) * seen, atol=1e-15)
        assert_allclose(terms.residual, -np.sqrt(weights) * (p - y), atol=1e-15)
        square = weights @ ((p - y) ** 2 / np.maximum(p, softmax.LEAST_PROBABILITY)).sum(axis=0)
        assert terms.square == pytest.approx(square, rel=1e-12)

    @pytest.mark.parametrize("value", INFINITE)
    def test_rows_without_weight_do_not_matter(self, rng, value):
        loss, y, weights = make_classes(rng)
        eta = rng.standard_normal(y.shape)
        _, _, terms = loss.centred(eta)
        unseen = weights == 0.0
        assert unseen.any()
        eta[:, unseen] = value
        _, _, other = loss.centred(eta)
        assert other.value == terms.value
        assert_array_equal(other.residual, terms.residual)

    def test_sums_of_products(self, rng):
        n, K = softmax.CHUNK + 9, 3
        data, p = rng.random((2, n)), rng.random((K, n))
        sums = np.empty((2, K, K))
        softmax.softmax_curvatures(data, p, sums, np.empty((4, n)), 0, 2)
        assert_allclose(sums.sum(axis=0), (p * data[softmax.WEIGHT]) @ p.T, rtol=1e-13)

    def test_a_perfect_fit_has_no_gap(self, rng):
        loss, y, _ = make_classes(rng, fit_intercept=False)
        eta = np.where(y > 0.0, np.log(np.maximum(y, 1e-300)), -800.0)
        terms = loss.centred(eta)[2]
        assert abs(terms.value) < 1e-14
        assert 0.0 <= loss.gap(eta, terms, 0.5) < 1e-14

    def test_threads_do_not_change_a_bit(self, rng, monkeypatch):
        monkeypatch.setattr("regpath.solvers.threads.ENTRIES_PER_THREAD", 1)
        n, answers = 2 * softmax.CHUNK + 70, []
        eta = rng.standard_normal((3, n))
        for n_threads in (1, 3):
            loss, _, _ = make_classes(np.random.default_rng(0), n, n_threads=n_threads)
            shift, moved, terms = loss.centred(eta)
            gap = loss.gap(moved, terms, 0.7)
            answers.append((shift.tobytes(), terms.value, terms.residual.tobytes(), gap))
        assert answers[0] == answers[1]


class TestRisks:
    def make(self, rng, ties, n=60):
        stop, event = rng.integers(1, 12, n).astype(float), (rng.random(n) < 0.6).astype(float)
        weights = rng.integers(0, 3, n) / 1.0
        weights /= weights.sum()
        y, strata = np.column_stack([np.full(n, -np.inf), stop, event]), rng.integers(0, 3, n)
        return CoxLoss(y, weights, np.zeros(n), ties=ties, strata=strata), weights

    @pytest.mark.parametrize("ties", ["breslow", "efron"])
    @pytest.mark.parametrize("value", INFINITE)
    def test_a_predictor_that_is_no_number_is_no_point(self, rng, ties, value):
        loss, weights = self.make(rng, ties)
        eta = rng.standard_normal((1, weights.size))
        assert np.isfinite(loss.centred(eta)[2].value)
        eta[0, np.flatnonzero(weights)[3]] = value
        terms = loss.centred(eta)[2]
        assert terms.value == terms.square == np.inf
        assert np.isnan(terms.residual).all()

    @pytest.mark.parametrize("ties", ["breslow", "efron"])
    def test_what_all_predictors_have_in_common_leaves_no_rounding(self, rng, ties):
        loss, weights = self.make(rng, ties)
        eta = np.round(rng.standard_normal((1, weights.size)), 3)
        eta = np.round(eta * 2.0**20) / 2.0**20  # so that the sum is exact
        terms, far = loss.centred(eta)[2], loss.centred(eta + 2.0**20)[2]
        assert far.value == pytest.approx(terms.value, rel=1e-14)
        assert_array_equal(far.residual, terms.residual)

    @pytest.mark.parametrize("ties", ["breslow", "efron"])
    def test_slopes_are_those_of_the_value(self, rng, ties):
        loss, weights = self.make(rng, ties)
        eta, way = rng.standard_normal((2, 1, weights.size))
        values = [loss.centred(eta + t * way)[2].value for t in (-2e-3, -1e-3, 1e-3, 2e-3)]
        slope = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / 12e-3
        assert slope == pytest.approx((weights * loss.centred(eta)[2].slope[0]) @ way[0], rel=1e-8)

    @pytest.mark.parametrize("ties", ["breslow", "efron"])
    def test_gaps_fall_to_nothing_at_the_derivative(self, rng, ties):
        loss, weights = self.make(rng, ties)
        eta = rng.standard_normal((1, weights.size))
        terms = loss.centred(eta)[2]
        gaps = [loss.gap(eta, terms, s) for s in (0.0, 0.5, 0.9, 0.999, 1.0)]
        assert gaps == sorted(gaps, reverse=True)
        assert gaps[0] == terms.value
        assert gaps[-1] == 0.0
        # To second order, the bound of u'H^-1 u is what it is made of.
        assert gaps[3] <= 0.5 * (1e-3) ** 2 * terms.square * 1.1


class TestOutputs:
    N, P, K = 530, 7, 3

    @pytest.mark.parametrize("storage", ["dense", "float32", "sparse"])
    def test_gradients_and_predictors(self, rng, storage):
        X = rng.integers(-3, 4, (self.N, self.P)) * (rng.random((self.N, self.P)) < 0.5)
        X = X.astype(np.float32 if storage == "float32" else np.float64)
        S = sparse.csc_array(X)
        design = Dense(np.ascontiguousarray(X.T))
        if storage == "sparse":
            design = Csc(S.data, S.indices, S.indptr, self.N)
        weights = np.full(self.N, 1.0 / self.N)
        y = rng.standard_normal(self.N)
        geometry = measure(design, y, weights, fit_intercept=True, standardize=True)
        X = X.astype(np.float64)
        Z = (X - X.mean(axis=0)) / X.std(axis=0)
        R = rng.standard_normal((self.K, self.N))
        outputs, features = np.array([2, 0, 2, 0, 0]), np.array([3, 6, 0, 0, 2])
        found = geometry.gradients_of(R, outputs, features)
        expected = np.einsum("fi,if->f", R[outputs], Z[:, features]) / np.sqrt(self.N)
        assert_allclose(found, expected, atol=1e-12)
        b, eta = rng.standard_normal(5), rng.standard_normal((self.K, self.N))
        moved = eta.copy()
        geometry.add_columns(outputs, features, b, moved)
        for k, f, coef in zip(outputs, features, b, strict=True):
            eta[k] += coef * Z[:, f]
        assert_allclose(moved, eta, atol=1e-12)
        geometry.add_columns(outputs[:0], features[:0], b[:0], moved)
        assert_allclose(moved, eta, atol=1e-12)

    def test_ranges_do_not_change_a_bit(self, rng):
        design = Dense(rng.standard_normal((self.P, self.N)))
        edges, features = np.array([0, 4, 4, 6]), np.array([1, 0, 5, 6, 2, 3])
        V, whole, parts = rng.standard_normal((self.K, self.N)), np.empty(6), np.empty(6)
        output_dots(design, V, edges, features, whole, 0, 6)
        output_dots(design, V, edges, features, parts, 0, 4)
        output_dots(design, V, edges, features, parts, 4, 6)
        assert_array_equal(parts, whole)
        coefs, out = rng.standard_normal(6), np.zeros((2, self.K, self.N))
        combine_output_rows(design.columns, edges, features, coefs, out[0], 0, self.N)
        combine_output_rows(design.columns, edges, features, coefs, out[1], 0, 100)
        combine_output_rows(design.columns, edges, features, coefs, out[1], 100, self.N)
        assert_array_equal(out[1], out[0])
        assert not out[0, 1].any()


@pytest.mark.parametrize("m", [1, 3, 6])
def test_products_of_the_last_rows(rng, m):
    rows = rng.standard_normal((6, 31))
    assert_allclose(last_products(rows, m, 2), rows[6 - m :] @ rows.T, atol=1e-13)


def test_shares_of_columns():
    S = sparse.csc_array(np.array([[1.0, 0.0, 2.0], [3.0, 0.0, 0.0]]))
    assert_allclose(column_shares(Csc(S.data, S.indices, S.indptr, 2)), [2 / 3, 0, 1 / 3])
    assert_allclose(column_shares(Dense(np.ones((4, 2)))), np.full(4, 0.25))


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=40).map(sorted))
def test_a_pass_is_due_where_the_average_is_least(costs):
    """Of searches that become dearer, as many are made as cost least on average."""
    spending, made = Spending(), 0
    for cost in costs:
        if cost > spending.affordable:
            break
        spending.add(cost)
        made += 1
    averages = [(1.0 + sum(costs[:k])) / (k + 1) for k in range(len(costs) + 1)]
    assert averages[made] <= min(averages) * (1.0 + 1e-12)

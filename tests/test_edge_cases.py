"""Inputs at the edge: extreme scales, degenerate columns and shapes, early ends."""

from __future__ import annotations

import warnings

import naive
import numpy as np
import pytest
from scipy import sparse

import regpath
from regpath import ConvergenceWarning, Status

TOL = 1e-9
L1_RATIOS = {"lasso": 1.0, "elastic net": 0.5, "ridge": 0.0, "almost ridge": 1e-12}
STORAGES = {"dense": np.asfortranarray, "sparse": sparse.csc_array}

ratios = pytest.mark.parametrize("l1_ratio", L1_RATIOS.values(), ids=L1_RATIOS)
storages = pytest.mark.parametrize("storage", STORAGES.values(), ids=STORAGES)


@pytest.fixture
def data(rng):
    X = np.round(3 * rng.standard_normal((40, 9))) * (rng.random((40, 9)) < 0.7)
    return X, X[:, :3] @ [1.0, -2.0, 0.5] + rng.standard_normal(40) + 1


def assert_certified(path, X, y, tol=TOL):
    """Every point is finite, reached its tolerance, and an independent certificate agrees."""
    assert np.isfinite(path.coefs).all()
    assert np.isfinite(path.intercepts).all()
    assert all(status.ok for status in path.statuses)
    assert path.dual_gaps.max() <= tol
    assert path.certify(X, y).dual_gaps.max() <= tol
    assert ((path.dev_ratio >= -1e-12) & (path.dev_ratio <= 1 + 1e-12)).all()


def fit_honestly(X, y, tol, **options):
    """A fit that may miss its tolerance, but must not diverge or claim what is not so."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        path = regpath.fit_path(X, y, tol=tol, **options)
    certificate = path.certify(X, y)
    assert np.isfinite(path.coefs).all()
    assert (certificate.objectives <= (1 + 1e-6) * certificate.null_objective).all()
    for gap, status in zip(certificate.dual_gaps, path.statuses, strict=True):
        assert gap <= 2 * tol or not status.ok
    return path


class TestScales:
    @ratios
    @storages
    @pytest.mark.parametrize("scale", [1e-150, 1e-20, 1e20, 1e150])
    def test_y(self, data, l1_ratio, storage, scale):
        X, y = data
        X = storage(X)
        path = regpath.fit_path(X, y * scale, l1_ratio=l1_ratio, n_lambdas=8, tol=TOL)
        assert_certified(path, X, y * scale)
        if l1_ratio == 1:
            reference = regpath.fit_path(X, y, n_lambdas=8, tol=TOL)
            np.testing.assert_allclose(path.lambdas, reference.lambdas * scale, rtol=1e-10)
            np.testing.assert_allclose(path.coefs, reference.coefs * scale, rtol=1e-3, atol=0)
            np.testing.assert_allclose(path.dev_ratio, reference.dev_ratio, atol=1e-8)

    @ratios
    @storages
    def test_columns(self, data, l1_ratio, storage):
        X, y = data
        scales = 10.0 ** np.array([-100, -30, -8, -2, 0, 3, 8, 30, 100])
        X_scaled = storage(X * scales)
        path = regpath.fit_path(X_scaled, y, l1_ratio=l1_ratio, n_lambdas=8, tol=TOL)
        assert_certified(path, X_scaled, y)
        reference = regpath.fit_path(X, y, l1_ratio=l1_ratio, n_lambdas=8, tol=TOL)
        np.testing.assert_allclose(
            path.coefs * scales[:, None], reference.coefs, atol=1e-3 * np.abs(reference.coefs).max()
        )

    @storages
    @pytest.mark.parametrize("fit_intercept", [True, False])
    def test_columns_without_standardisation(self, data, storage, fit_intercept):
        X, y = data
        X = storage(X * 10.0 ** np.array([-6, -4, -2, -1, 0, 1, 2, 4, 6]))
        path = regpath.lasso_path(
            X, y, standardize=False, fit_intercept=fit_intercept, n_lambdas=10, tol=TOL
        )
        assert_certified(path, X, y)

    @storages
    def test_columns_far_from_zero(self, data, storage):
        """Means a million times the deviation: implicit centring must not cancel."""
        X, y = data
        X = storage(X + 1e6)
        assert_certified(regpath.lasso_path(X, y, n_lambdas=10, tol=TOL), X, y)

    def test_y_far_from_zero(self, data):
        X, y = data
        path = regpath.lasso_path(X, y + 1e8, n_lambdas=10, tol=TOL)
        assert_certified(path, X, y + 1e8)
        reference = regpath.lasso_path(X, y, n_lambdas=10, tol=TOL)
        np.testing.assert_allclose(path.coefs, reference.coefs, atol=1e-4)


class TestColumns:
    @ratios
    @storages
    @pytest.mark.parametrize("value", [0.0, 0.1, -7.0])
    def test_constant(self, data, l1_ratio, storage, value):
        X, y = data
        X[:, [2, 5]] = value
        X = storage(X)
        path = regpath.fit_path(X, y, l1_ratio=l1_ratio, n_lambdas=8, tol=TOL)
        assert_certified(path, X, y)
        np.testing.assert_array_equal(path.coefs[[2, 5]], 0)
        named = " ".join(f"{key} {value}" for key, value in path.info.items())
        assert "constant" in named

    def test_constant_is_a_feature_without_intercept_and_standardisation(self, data):
        X, y = data
        X[:, 2] = 1.0
        options = {"fit_intercept": False, "standardize": False}
        path = regpath.lasso_path(X, y + 5, n_lambdas=8, tol=TOL, **options)
        assert_certified(path, X, y + 5)
        assert path.coefs[2].any()
        standardised = regpath.lasso_path(X, y + 5, n_lambdas=8, fit_intercept=False)
        assert not standardised.coefs[2].any()

    @storages
    def test_constant_columns_and_unequal_weights(self, storage):
        """Weights of the stored entries sum to one up to rounding: no spread may come of it."""
        for seed in range(20):
            rng = np.random.default_rng(seed)
            X, y = rng.standard_normal((80, 2)), rng.standard_normal(80)
            X[:, 0] = 0.1
            path = regpath.lasso_path(
                storage(X), y, sample_weight=rng.random(80), lambdas=[0.1, 0.0], tol=TOL
            )
            assert not path.coefs[0].any()
            assert path.info["constant_columns"] == [0]
            assert_certified(path, X, y)

    def test_only_constant_columns(self, data):
        _, y = data
        X = np.ones((40, 3))
        path = regpath.lasso_path(X, y, n_lambdas=4)
        assert path.lambdas.size == 4
        assert not path.coefs.any()
        np.testing.assert_allclose(path.intercepts, y.mean())
        assert path.certify(X, y).dual_gaps.max() <= 1e-15

    @ratios
    @storages
    def test_duplicates(self, data, l1_ratio, storage):
        X, y = data
        many = storage(np.column_stack([X, X, -X, X[:, [0, 0, 0, 1]]]))
        path = regpath.fit_path(many, y, l1_ratio=l1_ratio, n_lambdas=8, tol=TOL)
        assert_certified(path, many, y)
        if l1_ratio == 1:
            lean = regpath.fit_path(X, y, lambdas=path.lambdas, tol=TOL)
            np.testing.assert_allclose(path.objectives, lean.objectives, rtol=1e-8)

    @ratios
    @storages
    def test_collinear(self, data, rng, l1_ratio, storage):
        X, y = data
        X = storage(np.column_stack([X, X @ rng.integers(-2, 3, (9, 9))]))
        path = regpath.fit_path(
            X, y, l1_ratio=l1_ratio, n_lambdas=8, lambda_min_ratio=1e-6, tol=TOL
        )
        assert_certified(path, X, y)

    @storages
    def test_one_hot_blocks(self, rng, storage):
        """Every block sums to one: collinear with the intercept and with each other."""
        codes = rng.integers(0, [3, 4, 5], (60, 3))
        X = np.concatenate([np.eye(k)[codes[:, j]] for j, k in enumerate((3, 4, 5))], axis=1)
        y = X @ rng.standard_normal(12) + 0.1 * rng.standard_normal(60)
        path = regpath.lasso_path(storage(X), y, lambda_min_ratio=1e-8, n_lambdas=20, tol=TOL)
        assert_certified(path, X, y)

    @pytest.mark.parametrize("noise", [1e-4, 1e-7, 1e-10, 1e-13])
    def test_nearly_collinear(self, data, rng, noise):
        X, y = data
        X = np.column_stack([X, X + noise * rng.standard_normal(X.shape)])
        path = regpath.lasso_path(X, y, n_lambdas=12, lambda_min_ratio=1e-6)
        assert_certified(path, X, y, tol=1e-6)

    @pytest.mark.parametrize("noise", [1e-2, 1e-3])
    @ratios
    def test_nearly_collinear_least_squares(self, rng, l1_ratio, noise):
        """From a penalised point straight to lambda = 0; nothing of the ridge term may linger."""
        x, z = rng.standard_normal((2, 80))
        X, y = np.column_stack([x, x + noise * z]), x + 2 * z + rng.standard_normal(80)
        path = regpath.fit_path(X, y, l1_ratio=l1_ratio, lambdas=[1.0, 0.0])
        assert_certified(path, X, y, tol=1e-6)

    def test_no_false_certificate_where_columns_depend_up_to_rounding(self, rng):
        """What cannot be solved in floating point must not be called converged."""
        x, z = rng.standard_normal((2, 80))
        y = x + 2 * z + rng.standard_normal(80)
        for noise in (1e-6, 1e-7, 1e-8, 1e-9):
            X = np.column_stack([x, x + noise * z])
            for l1_ratio in L1_RATIOS.values():
                fit_honestly(X, y, TOL, l1_ratio=l1_ratio, lambdas=[1.0, 0.0])

    @ratios
    @pytest.mark.parametrize(
        "options",
        [
            {"lambdas": [1.0, 0.1, 0.0]},
            {"lambdas": [1.0, 0.1], "penalty_factor": np.arange(40) % 3 > 0},
            {"lambdas": [1.0, 0.0], "lower": -1.0, "upper": np.where(np.arange(40) % 2, 1, np.inf)},
        ],
        ids=["lambda 0", "unpenalised", "limits"],
    )
    def test_low_rank_in_float32(self, l1_ratio, options):
        """Columns that depend on each other up to 1e-7: an honest end at worst, no divergence."""
        for seed in range(4):
            rng = np.random.default_rng(seed)
            X = (rng.standard_normal((30, 2)) @ rng.standard_normal((2, 40))).astype(np.float32)
            y = X[:, 0] + rng.standard_normal(30)
            fit_honestly(X, y, 1e-6, l1_ratio=l1_ratio, **options)

    def test_saturated_support(self, rng):
        X, y = rng.standard_normal((20, 200)), rng.standard_normal(20)
        path = regpath.lasso_path(X, y, lambda_min_ratio=1e-5, n_lambdas=30, tol=TOL)
        assert_certified(path, X, y)
        assert path.dev_ratio[-1] > 1 - 1e-4
        assert path.n_nonzero.max() <= 19


class TestShapes:
    @ratios
    @storages
    @pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 1), (2, 5), (3, 1), (40, 1)])
    def test_small(self, rng, l1_ratio, storage, shape):
        X = storage(rng.standard_normal(shape))
        y = rng.standard_normal(shape[0])
        for fit_intercept in (True, False):
            path = regpath.fit_path(
                X, y, l1_ratio=l1_ratio, fit_intercept=fit_intercept, n_lambdas=5, tol=TOL
            )
            assert path.lambdas.size == 5
            assert_certified(path, X, y)

    def test_one_feature_has_a_closed_form(self, rng):
        x, y = rng.standard_normal(30), rng.standard_normal(30)
        path = regpath.lasso_path(x[:, None], y, n_lambdas=5, tol=1e-14)
        z = (x - x.mean()) / x.std()
        q = z @ y / 30
        expected = np.sign(q) * np.maximum(np.abs(q) - path.lambdas, 0) / x.std()
        np.testing.assert_allclose(path.coefs[0], expected, atol=1e-12)


class TestResponse:
    @ratios
    @pytest.mark.parametrize("value", [0.0, 0.1, -1e100])
    def test_constant(self, data, l1_ratio, value):
        X, y = data
        y = np.full_like(y, value)
        path = regpath.fit_path(X, y, l1_ratio=l1_ratio, n_lambdas=5)
        assert path.lambdas.size == 5
        assert not path.coefs.any()
        np.testing.assert_allclose(path.intercepts, y[0])
        assert (path.dual_gaps == 0).all()
        assert path.certify(X, y).dual_gaps.max() == 0
        assert np.isfinite(path.dev_ratio).all()

    def test_constant_without_intercept(self, data):
        X, y = data
        path = regpath.lasso_path(X, np.ones_like(y), fit_intercept=False, n_lambdas=5, tol=TOL)
        assert_certified(path, X, np.ones_like(y))
        zero = regpath.lasso_path(X, np.zeros_like(y), fit_intercept=False, n_lambdas=5)
        assert not zero.coefs.any()
        assert not zero.intercepts.any()

    def test_exact_fit(self, data):
        X, _ = data
        y = X @ np.arange(9.0) + 2
        path = regpath.lasso_path(X, y, lambda_min_ratio=1e-8, tol=1e-12)
        assert_certified(path, X, y, tol=1e-12)
        np.testing.assert_allclose(path.coefs[:, -1], np.arange(9.0), atol=1e-5)


class TestWeights:
    @ratios
    @storages
    def test_rows_of_weight_zero_may_hold_junk(self, data, l1_ratio, storage):
        X, y = data
        weights = np.ones(40)
        weights[[0, 7, 39]] = 0
        junk, junk_y = X.copy(), y.copy()
        junk[weights == 0], junk_y[weights == 0] = 1e300, -1e300
        junk[7, ::2] = -1e300
        lambdas = [1.0, 0.1, 0.01]
        options = {"l1_ratio": l1_ratio, "lambdas": lambdas, "tol": TOL}
        clean = regpath.fit_path(storage(X[weights > 0]), y[weights > 0], **options)
        path = regpath.fit_path(storage(junk), junk_y, sample_weight=weights, **options)
        assert_certified(path, junk, junk_y)
        np.testing.assert_allclose(path.coefs, clean.coefs, atol=1e-4)
        np.testing.assert_allclose(path.intercepts, clean.intercepts, atol=1e-4)
        np.testing.assert_allclose(path.objectives, clean.objectives, rtol=1e-8)

    def test_a_column_that_varies_only_in_rows_of_weight_zero_is_constant(self, data):
        X, y = data
        weights = np.ones(40)
        weights[:3] = 0
        X[:, 4] = 2.5
        X[:3, 4] = [1.0, 1e300, 3.0]
        for storage in STORAGES.values():
            path = regpath.lasso_path(storage(X), y, sample_weight=weights, n_lambdas=5, tol=TOL)
            assert_certified(path, X, y)
            assert not path.coefs[4].any()

    def test_one_row_of_positive_weight(self, data):
        X, y = data
        weights = np.zeros(40)
        weights[5] = 3
        path = regpath.lasso_path(X, y, sample_weight=weights, n_lambdas=4)
        assert not path.coefs.any()
        np.testing.assert_allclose(path.intercepts, y[5])

    @pytest.mark.parametrize("scale", [1e-200, 1e-8, 1e8, 1e200])
    def test_scale_of_weights_does_not_matter(self, data, rng, scale):
        X, y = data
        weights = rng.random(40)
        path = regpath.lasso_path(X, y, sample_weight=weights * scale, n_lambdas=6, tol=TOL)
        reference = regpath.lasso_path(X, y, sample_weight=weights, n_lambdas=6, tol=TOL)
        assert_certified(path, X, y)
        np.testing.assert_allclose(path.lambdas, reference.lambdas, rtol=1e-10)
        np.testing.assert_allclose(path.coefs, reference.coefs, atol=1e-4)

    def test_weights_of_very_different_size(self, data):
        X, y = data
        weights = 10.0 ** np.linspace(-12, 0, 40)
        path = regpath.lasso_path(X, y, sample_weight=weights, n_lambdas=10, tol=TOL)
        assert_certified(path, X, y)


class TestLambda:
    @ratios
    @storages
    def test_zero_is_least_squares(self, data, l1_ratio, storage):
        X, y = data
        stored = storage(X)
        path = regpath.fit_path(stored, y, l1_ratio=l1_ratio, lambdas=[0.1, 0.0], tol=1e-12)
        assert_certified(path, stored, y, tol=1e-12)
        A = np.column_stack([np.ones(40), X])
        expected = np.linalg.lstsq(A, y, rcond=None)[0]
        np.testing.assert_allclose(path.coefs[:, 1], expected[1:], atol=1e-4)
        assert path.intercepts[1] == pytest.approx(expected[0], abs=1e-4)

    @ratios
    @storages
    def test_zero_with_more_features_than_rows(self, rng, l1_ratio, storage):
        X, y = storage(rng.standard_normal((10, 30))), rng.standard_normal(10)
        path = regpath.fit_path(X, y, l1_ratio=l1_ratio, lambdas=[0.1, 0.0], tol=TOL)
        assert_certified(path, X, y)
        assert path.dev_ratio[1] == pytest.approx(1, abs=1e-8)

    @storages
    def test_zero_with_collinear_columns(self, data, storage):
        X, y = data
        X = storage(np.column_stack([X, X[:, :3], X @ np.arange(9.0)]))
        path = regpath.lasso_path(X, y, lambdas=[0.5, 0.0], tol=TOL)
        assert_certified(path, X, y)

    @pytest.mark.parametrize("limits", [{"lower": 0.0}, {"lower": -0.1, "upper": 0.3}])
    def test_zero_with_limits(self, data, limits):
        X, y = data
        path = regpath.lasso_path(X, y, lambdas=[0.0], tol=TOL, **limits)
        assert_certified(path, X, y)
        problem = naive.make_problem(X, y, **limits)
        b0, coef = naive.coordinate_descent(problem, 0.0)
        assert path.objectives[0] == pytest.approx(naive.objective(problem, 0.0, b0, coef))

    @ratios
    @storages
    def test_infinity_leaves_the_null_model(self, data, l1_ratio, storage):
        X, y = data
        X = storage(X)
        path = regpath.fit_path(X, y, l1_ratio=l1_ratio, lambdas=[np.inf, 0.1], tol=TOL)
        assert_certified(path, X, y)
        assert not path.coefs[:, 0].any()
        assert path.coefs[:, 1].any()
        assert path.intercepts[0] == pytest.approx(y.mean())

    @ratios
    def test_infinity_fits_the_unpenalised_features(self, data, l1_ratio):
        X, y = data
        factors = np.r_[0.0, 0.0, np.ones(7)]
        path = regpath.fit_path(
            X, y, l1_ratio=l1_ratio, lambdas=[np.inf], penalty_factor=factors, tol=1e-12
        )
        assert_certified(path, X, y, tol=1e-12)
        A = np.column_stack([np.ones(40), X[:, :2]])
        expected = np.linalg.lstsq(A, y, rcond=None)[0]
        np.testing.assert_allclose(path.coefs[:2, 0], expected[1:], atol=1e-5)
        assert not path.coefs[2:].any()

    @pytest.mark.parametrize("shape", [(5, 30), (30, 60)])
    @storages
    def test_ridge_with_all_kinds_of_factors_at_both_ends(self, rng, shape, storage):
        X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
        factors = np.resize([0.0, 0.1, 1, 10, np.inf, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], shape[1])
        stored = storage(X)
        for fit_intercept in (True, False):
            path = regpath.ridge_path(
                stored,
                y,
                penalty_factor=factors,
                lambdas=[np.inf, 1e3, 1.0, 1e-3, 0.0],
                fit_intercept=fit_intercept,
                standardize=False,
            )
            assert_certified(path, stored, y, tol=1e-6)
            certificate = path.certify(stored, y)
            np.testing.assert_allclose(
                path.objectives,
                certificate.objectives,
                rtol=1e-8,
                atol=1e-12 * certificate.null_objective,
            )

    def test_any_order_and_duplicates(self, data):
        X, y = data
        path = regpath.lasso_path(X, y, lambdas=[0.1, 1.0, 0.1, 0.3], tol=TOL)
        np.testing.assert_array_equal(path.lambdas, [1.0, 0.3, 0.1, 0.1])
        assert_certified(path, X, y)

    @pytest.mark.parametrize("lambda_", [1e-300, 1e-14, 1e14, 1e300])
    @ratios
    def test_extreme(self, data, lambda_, l1_ratio):
        X, y = data
        path = regpath.fit_path(X, y, lambdas=[lambda_], l1_ratio=l1_ratio, tol=TOL)
        assert_certified(path, X, y)

    def test_grid_in_between_is_the_ridge_limit(self, data):
        """l1_ratio 1e-12 has the coefficients of ridge."""
        X, y = data
        lambdas = [1.0, 0.1]
        almost = regpath.fit_path(X, y, l1_ratio=1e-12, lambdas=lambdas, tol=1e-13)
        ridge = regpath.ridge_path(X, y, lambdas=lambdas, tol=1e-13)
        np.testing.assert_allclose(almost.coefs, ridge.coefs, atol=1e-5)


class TestFactorsAndLimits:
    @ratios
    def test_everything_excluded(self, data, l1_ratio):
        X, y = data
        for matrix in (X, X.astype(np.float32), sparse.csc_array(X)):
            path = regpath.fit_path(
                matrix, y, l1_ratio=l1_ratio, penalty_factor=np.full(9, np.inf), n_lambdas=4
            )
            assert path.lambdas.size == 4
            assert not path.coefs.any()
            assert path.certify(X, y).dual_gaps.max() <= 1e-15

    @ratios
    @storages
    def test_everything_unpenalised(self, data, l1_ratio, storage):
        X, y = data
        X = storage(X)
        path = regpath.fit_path(
            X, y, l1_ratio=l1_ratio, penalty_factor=np.zeros(9), n_lambdas=4, tol=TOL
        )
        assert path.lambdas.size == 4
        assert_certified(path, X, y)

    @ratios
    @storages
    def test_collinear_unpenalised_features(self, data, l1_ratio, storage):
        X, y = data
        X = storage(np.column_stack([X, X[:, 0] + X[:, 1], X[:, 0]]))
        factors = np.r_[0.0, 0.0, np.ones(7), 0.0, 0.0]
        path = regpath.fit_path(
            X, y, l1_ratio=l1_ratio, penalty_factor=factors, n_lambdas=6, tol=TOL
        )
        assert_certified(path, X, y)

    @ratios
    @storages
    def test_dependent_unpenalised_features_and_few_rows(self, rng, l1_ratio, storage):
        X, y = rng.standard_normal((20, 40)), rng.standard_normal(20)
        X[:, 1], X[:, 2] = X[:, 0], 0.0
        options = {"l1_ratio": l1_ratio, "penalty_factor": np.r_[0.0, 0.0, 0.0, np.ones(37)]}
        path = regpath.fit_path(storage(X), y, lambdas=[1.0, 0.1], **options)
        assert_certified(path, X, y, tol=1e-6)
        certificate = path.certify(X, y)
        np.testing.assert_allclose(path.objectives, certificate.objectives, rtol=1e-8)
        X[:, 1] += 1e-12 * rng.standard_normal(20)
        fit_honestly(storage(X), y, 1e-6, lambdas=[1.0, 0.1], **options)

    def test_more_unpenalised_features_than_rows(self, rng):
        X, y = rng.standard_normal((8, 20)), rng.standard_normal(8)
        factors = np.r_[np.zeros(12), np.ones(8)]
        path = regpath.lasso_path(X, y, penalty_factor=factors, n_lambdas=4, tol=TOL)
        assert_certified(path, X, y)

    @pytest.mark.parametrize("factor", [1e-8, 1e8])
    def test_extreme_factors(self, data, factor):
        X, y = data
        factors = np.where(np.arange(9) % 2, factor, 1.0)
        path = regpath.lasso_path(X, y, penalty_factor=factors, n_lambdas=10, tol=TOL)
        assert_certified(path, X, y)

    @ratios
    def test_all_limits_zero(self, data, l1_ratio):
        X, y = data
        path = regpath.fit_path(X, y, l1_ratio=l1_ratio, lower=0.0, upper=0.0, n_lambdas=4)
        assert not path.coefs.any()
        assert path.certify(X, y).dual_gaps.max() <= 1e-15

    @ratios
    @storages
    def test_limits_are_kept_exactly(self, data, rng, l1_ratio, storage):
        X, y = data
        X = storage(X * 10.0 ** rng.uniform(-3, 3, 9))
        lower, upper = -rng.random(9) / 3, rng.random(9) / 3
        path = regpath.fit_path(
            X, y, l1_ratio=l1_ratio, lower=lower, upper=upper, n_lambdas=10, tol=TOL
        )
        assert (path.coefs >= lower[:, None]).all()
        assert (path.coefs <= upper[:, None]).all()
        for limit in (lower[:, None], upper[:, None]):
            at_limit = np.isclose(path.coefs, limit, rtol=1e-13, atol=0)
            assert at_limit.any()
            np.testing.assert_array_equal(path.coefs[at_limit], (path.coefs * 0 + limit)[at_limit])
        assert_certified(path, X, y)

    @ratios
    @pytest.mark.parametrize("lambdas", [[10.0, 1.0, 0.1], [1.0, 0.0]])
    def test_limits_of_more_features_than_start_in_the_working_set(self, l1_ratio, lambdas):
        for seed in range(5):
            rng = np.random.default_rng(seed)
            X, y = rng.standard_normal((12, 300)), rng.standard_normal(12)
            limits = rng.choice([0, 0.01, np.inf], (2, 300))
            path = regpath.fit_path(
                X, y, l1_ratio=l1_ratio, lower=-limits[0], upper=limits[1], lambdas=lambdas
            )
            assert_certified(path, X, y, tol=1e-6)

    @ratios
    @pytest.mark.parametrize("shape", [(60, 8), (20, 40)])
    def test_unpenalised_features_of_different_scale(self, rng, l1_ratio, shape):
        X = rng.standard_normal(shape)
        X[:, 0], X[:, 1] = 1e-8 * X[:, 0], 1e8 * X[:, 1]
        y = 1e8 * X[:, 0] + X[:, 2] + rng.standard_normal(shape[0])
        factors = np.r_[0.0, 0.0, np.ones(shape[1] - 2)]
        path = regpath.fit_path(
            X,
            y,
            l1_ratio=l1_ratio,
            penalty_factor=factors,
            standardize=False,
            tol=TOL,
            lambdas=[1.0, 0.1],
        )
        assert_certified(path, X, y)

    def test_nonnegative_with_all_gradients_negative(self, data):
        X, _ = data
        X = np.abs(X)
        y = -X.sum(axis=1)
        path = regpath.lasso_path(X, y, lower=0.0, n_lambdas=5, tol=TOL)
        assert path.lambdas.size == 5
        assert_certified(path, X, y)


class TestEarlyEnds:
    """A path that ends early keeps its finished points, and the last one says why."""

    @pytest.fixture(params=[1.0, 0.0], ids=["lasso", "ridge"])
    def l1_ratio(self, request):
        return request.param

    @pytest.fixture
    def whole(self, data, l1_ratio):
        return regpath.fit_path(*data, l1_ratio=l1_ratio, n_lambdas=20, tol=TOL)

    def assert_is_start(self, path, whole, data, status):
        L = path.lambdas.size
        assert 0 < L < 20
        assert path.statuses == (Status.CONVERGED,) * (L - 1) + (status,)
        assert path.statuses[-1].ok
        np.testing.assert_array_equal(path.lambdas, whole.lambdas[:L])
        np.testing.assert_allclose(path.coefs, whole.coefs[:, :L], atol=1e-12)
        for name in ("objectives", "dual_gaps", "n_iters", "seconds", "intercepts"):
            assert getattr(path, name).shape == (L,)
        assert_certified(path, *data)

    def test_callback(self, data, whole, l1_ratio):
        seen = []

        def callback(k, progress):
            seen.append((k, progress.lambda_))
            return k == 6

        path = regpath.fit_path(*data, l1_ratio=l1_ratio, n_lambdas=20, tol=TOL, callback=callback)
        assert path.lambdas.size == 7
        assert [k for k, _ in seen] == list(range(7))
        np.testing.assert_array_equal([lambda_ for _, lambda_ in seen], path.lambdas)
        self.assert_is_start(path, whole, data, Status.CALLBACK)

    def test_interrupted(self, data, whole, l1_ratio):
        def callback(k, progress):
            if k == 4:
                raise KeyboardInterrupt

        path = regpath.fit_path(*data, l1_ratio=l1_ratio, n_lambdas=20, tol=TOL, callback=callback)
        assert path.lambdas.size == 5
        self.assert_is_start(path, whole, data, Status.INTERRUPTED)

    def test_an_exception_of_the_callback_is_the_users(self, data, l1_ratio):
        def callback(k, progress):
            raise RuntimeError("mine")

        with pytest.raises(RuntimeError, match="mine"):
            regpath.fit_path(*data, l1_ratio=l1_ratio, callback=callback)

    def test_time_budget(self, data, whole, l1_ratio):
        path = regpath.fit_path(*data, l1_ratio=l1_ratio, n_lambdas=20, tol=TOL, time_budget=1e-9)
        self.assert_is_start(path, whole, data, Status.TIME_BUDGET)
        patient = regpath.fit_path(*data, l1_ratio=l1_ratio, n_lambdas=20, tol=TOL, time_budget=1e9)
        assert patient.lambdas.size == 20
        assert set(patient.statuses) == {Status.CONVERGED}

    def test_stop_at_dev_ratio(self, data, whole, l1_ratio):
        level = 0.5 * whole.dev_ratio[-1]
        path = regpath.fit_path(
            *data, l1_ratio=l1_ratio, n_lambdas=20, tol=TOL, stop_at_dev_ratio=level
        )
        self.assert_is_start(path, whole, data, Status.DEV_RATIO)
        assert path.dev_ratio[-1] >= level
        assert (path.dev_ratio[:-1] < level).all()

    def test_max_features(self, data):
        whole = regpath.lasso_path(*data, n_lambdas=20, tol=TOL)
        path = regpath.lasso_path(*data, n_lambdas=20, tol=TOL, max_features=4)
        self.assert_is_start(path, whole, data, Status.MAX_FEATURES)
        assert path.n_nonzero.max() <= 4
        assert whole.n_nonzero[path.lambdas.size] > 4

    def test_a_partial_path_predicts_and_prints(self, data):
        path = regpath.lasso_path(*data, n_lambdas=20, callback=lambda k, progress: k == 2)
        assert path.predict(data[0]).shape == (40, 3)
        assert "callback" in repr(path).lower() or "callback" in str(path.summary()).lower()


class TestMissedTolerance:
    def test_one_warning_counts_the_points(self, rng):
        X = rng.standard_normal((60, 40)) + 3 * rng.standard_normal((60, 1))
        y = X @ rng.standard_normal(40) + rng.standard_normal(60)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            path = regpath.lasso_path(
                X, y, max_iter=1, tol=1e-10, lambdas=[1e-1, 1e-2, 1e-3], upper=0.9
            )
        missed = [status for status in path.statuses if not status.ok]
        assert missed
        assert all(status is Status.MAX_ITER for status in missed)
        (warning,) = caught
        assert warning.category is ConvergenceWarning
        message = str(warning.message)
        assert str(len(missed)) in message
        assert "max_iter" in message
        assert "gap" in message
        worst = path.dual_gaps.max()
        assert worst > 1e-10
        assert f"{worst:.0e}"[:1] in message
        # The gap that is reported is a bound even so.
        assert path.certify(X, y).dual_gaps.max() <= worst * (1 + 1e-6)

    def test_the_warning_is_a_user_warning(self):
        assert issubclass(ConvergenceWarning, UserWarning)

    def test_out_of_reach_of_floating_point(self, data):
        """A tolerance below rounding ends with an honest status, and in finite time."""
        X, y = data
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            path = regpath.lasso_path(X, y, tol=1e-40, n_lambdas=5)
        assert path.lambdas.size == 5
        for gap, status in zip(path.dual_gaps, path.statuses, strict=True):
            assert (gap <= 1e-40) == status.ok
        assert path.certify(X, y).dual_gaps.max() <= 1e-12
        assert len(caught) == (0 if all(status.ok for status in path.statuses) else 1)


class TestNothingOfTheUsersChanges:
    @pytest.mark.parametrize("order", ["C", "F"])
    @pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int8, bool])
    def test_read_only_arrays(self, data, order, dtype):
        X, y = data
        X = np.array(X > 0 if dtype is bool else X, dtype=dtype, order=order)
        for array in (X, y):
            array.flags.writeable = False
        path = regpath.lasso_path(X, y, n_lambdas=5, tol=TOL)
        assert_certified(path, X, y)

    def test_memory_map(self, data, tmp_path):
        X, y = data
        for order in "CF":
            stored = np.memmap(tmp_path / order, X.dtype, "w+", shape=X.shape, order=order)
            stored[:] = X
            stored.flush()
            opened = np.memmap(tmp_path / order, X.dtype, "r", shape=X.shape, order=order)
            path = regpath.lasso_path(opened, y, n_lambdas=5, tol=TOL)
            assert_certified(path, opened, y)

    def test_strided_and_reversed_views(self, data):
        X, y = data
        wide = np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)
        before = wide.copy()
        path = regpath.lasso_path(wide[::2, ::3], y, n_lambdas=5, tol=TOL)
        reference = regpath.lasso_path(X, y, n_lambdas=5, tol=TOL)
        np.testing.assert_allclose(path.coefs, reference.coefs, atol=1e-10)
        flipped = regpath.lasso_path(X[::-1, ::-1], y[::-1], n_lambdas=5, tol=TOL)
        np.testing.assert_allclose(flipped.coefs[::-1], reference.coefs, atol=1e-4)
        np.testing.assert_array_equal(wide, before)

    @pytest.mark.parametrize("index", [np.int32, np.int64])
    def test_read_only_sparse(self, data, index):
        X, y = data
        stored = sparse.csc_array(X)
        stored.indices, stored.indptr = stored.indices.astype(index), stored.indptr.astype(index)
        for part in (stored.data, stored.indices, stored.indptr):
            part.flags.writeable = False
        assert_certified(regpath.lasso_path(stored, y, n_lambdas=5, tol=TOL), stored, y)

    def test_explicit_zeros(self, data):
        X, y = data
        stored = sparse.csc_array(X)
        stored.data[::3] = 0
        path = regpath.lasso_path(stored, y, n_lambdas=5, tol=TOL)
        assert_certified(path, stored.toarray(), y)
        assert (stored.data == 0).any()

    def test_the_result_does_not_follow_later_changes(self, data):
        X, y = data
        weights = np.ones(40)
        path = regpath.lasso_path(X, y, sample_weight=weights, n_lambdas=5, tol=TOL)
        weights[:20] = 0
        assert path.certify(X, y).dual_gaps.max() <= TOL

    @storages
    def test_threads_do_not_change_the_bits(self, rng, storage, monkeypatch):
        monkeypatch.setattr("regpath.solvers.threads.ENTRIES_PER_THREAD", 1000)
        X = storage(rng.standard_normal((300, 900)) * (rng.random((300, 900)) < 0.3))
        y = rng.standard_normal(300)
        one, two = (regpath.lasso_path(X, y, n_lambdas=10, n_threads=k) for k in (1, 2))
        np.testing.assert_array_equal(one.coefs, two.coefs)
        np.testing.assert_array_equal(one.dual_gaps, two.dual_gaps)

"""scikit-learn at tight tolerances, through the exact correspondences of the objectives.

With n samples, weights rescaled to sum to n where there are any, and standardize=False:

    Lasso(alpha=a)                  lambda = a
    ElasticNet(alpha=a, l1_ratio=r) lambda = a, l1_ratio = r
    Ridge(alpha=A)                  lambda = A / sum(weights), l1_ratio = 0   (weights not rescaled)
    LogisticRegression(C, l1_ratio) lambda = 1 / (C sum(weights)), the same l1_ratio
    PoissonRegressor(alpha=a), GammaRegressor, TweedieRegressor    lambda = a, l1_ratio = 0
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import sparse

import regpath

linear_model = pytest.importorskip("sklearn.linear_model")

TOL = 1e-12
FINE = 1e-13
"""A gap g leaves linear predictors within about sqrt(g) of the solution: 3e-7, below 1e-6."""
LAMBDAS = np.array([0.5, 0.1, 0.02])
OPTIONS = {
    "plain": {},
    "no intercept": {"fit_intercept": False},
    "positive": {"positive": True},
    "weights": {"sample_weight": True},
    "positive, weights, no intercept": {
        "positive": True,
        "sample_weight": True,
        "fit_intercept": False,
    },
}
SHAPES = {"tall": (80, 12), "wide": (25, 60)}


def make_data(shape, *, is_sparse):
    rng = np.random.default_rng(7)
    X = rng.standard_normal(shape) + 0.5
    X[:, 1] += X[:, 0]
    if is_sparse:
        X *= rng.random(shape) < 0.3
    y = X[:, :4] @ [1.0, -2.0, 1.5, 0.5] + rng.standard_normal(shape[0]) + 3
    return X, y, rng.integers(1, 5, shape[0]).astype(float)


def fit_both(estimator, options, shape, *, is_sparse, l1_ratio, lambda_):
    X, y, weights = make_data(shape, is_sparse=is_sparse)
    weights = weights if options.get("sample_weight") else None
    estimator.set_params(**{k: v for k, v in options.items() if k != "sample_weight"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # their tolerance is out of reach at times
        estimator.fit(sparse.csc_array(X) if is_sparse else X, y, sample_weight=weights)
    path = regpath.fit_path(
        sparse.csc_array(X) if is_sparse else X,
        y,
        lambdas=[lambda_],
        l1_ratio=l1_ratio,
        standardize=False,
        fit_intercept=options.get("fit_intercept", True),
        sample_weight=weights,
        lower=0.0 if options.get("positive") else None,
        tol=TOL,
    )
    return estimator, path


def assert_same(estimator, path, tol=1e-6):
    size = np.abs(estimator.coef_).max()
    assert path.statuses[0].ok
    np.testing.assert_allclose(path.coefs[:, 0], estimator.coef_, rtol=0, atol=tol * size)
    np.testing.assert_allclose(path.intercepts[0], estimator.intercept_, atol=tol * (1 + size))


@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("lambda_", LAMBDAS)
def test_lasso(options, shape, is_sparse, lambda_):
    estimator = linear_model.Lasso(alpha=lambda_, tol=1e-14, max_iter=100_000)
    pair = fit_both(estimator, options, shape, is_sparse=is_sparse, l1_ratio=1.0, lambda_=lambda_)
    assert_same(*pair)


@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("l1_ratio", [0.1, 0.7])
def test_elastic_net(options, shape, is_sparse, l1_ratio):
    estimator = linear_model.ElasticNet(alpha=0.1, l1_ratio=l1_ratio, tol=1e-14, max_iter=100_000)
    pair = fit_both(estimator, options, shape, is_sparse=is_sparse, l1_ratio=l1_ratio, lambda_=0.1)
    assert_same(*pair)


@pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("name", ["plain", "no intercept", "weights"])
@pytest.mark.parametrize("lambda_", LAMBDAS)
def test_ridge(name, shape, is_sparse, lambda_):
    _, _, weights = make_data(shape, is_sparse=is_sparse)
    total = weights.sum() if name == "weights" else shape[0]
    solver = "sparse_cg" if is_sparse else "svd"
    estimator = linear_model.Ridge(alpha=lambda_ * total, solver=solver, tol=1e-13)
    pair = fit_both(
        estimator, OPTIONS[name], shape, is_sparse=is_sparse, l1_ratio=0.0, lambda_=lambda_
    )
    assert_same(*pair)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_whole_path(l1_ratio):
    X, y, _ = make_data((60, 30), is_sparse=False)
    X, y = X - X.mean(axis=0), y - y.mean()
    path = regpath.fit_path(
        X, y, l1_ratio=l1_ratio, fit_intercept=False, standardize=False, n_lambdas=20, tol=TOL
    )
    lambdas, coefs, _ = linear_model.enet_path(
        X, y, l1_ratio=l1_ratio, alphas=path.lambdas, tol=1e-14, max_iter=100_000
    )
    np.testing.assert_allclose(lambdas, path.lambdas)
    np.testing.assert_allclose(path.coefs, coefs, atol=1e-6 * np.abs(coefs).max())


def test_automatic_grid_starts_where_theirs_does():
    """alpha_max of LassoCV on the centred data: the smallest lambda with all coefficients zero."""
    X, y, _ = make_data((60, 30), is_sparse=False)
    path = regpath.lasso_path(X, y, standardize=False, n_lambdas=5)
    expected = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / 60
    assert path.lambdas[0] == pytest.approx(expected, rel=1e-12)
    assert path.n_nonzero[0] == 0
    assert path.n_nonzero[1] > 0


def test_ridge_of_an_elastic_net_and_of_ridge_are_one():
    """sklearn's Ridge(A) is the elastic net with alpha = A / n and l1_ratio = 0."""
    X, y, _ = make_data((60, 30), is_sparse=False)
    ridge = linear_model.Ridge(alpha=6.0).fit(X, y)
    path = regpath.ridge_path(X, y, lambdas=[0.1], standardize=False, tol=TOL)
    np.testing.assert_allclose(path.coefs[:, 0], ridge.coef_, atol=1e-7)


# ---------------------------------------------------------------------------------------- families


def make_response(family, shape, *, is_sparse):
    """Columns, a response of the family with a signal in the first four columns, and weights."""
    X, y, weights = make_data(shape, is_sparse=is_sparse)
    rng = np.random.default_rng(8)
    eta = 0.3 * (y - y.mean())
    draws = {
        "binomial": lambda: (rng.random(shape[0]) < 1 / (1 + np.exp(-eta))).astype(int),
        "multinomial": lambda: np.argmax(eta[:, None] * [1, 0, -1] + rng.gumbel(size=(80, 3)), 1),
        "poisson": lambda: rng.poisson(np.exp(eta)),
        "gamma": lambda: rng.gamma(2.0, np.exp(eta)),
        "tweedie": lambda: rng.gamma(2.0, np.exp(eta)) * (rng.random(shape[0]) < 0.7),
    }
    return (sparse.csc_array(X) if is_sparse else X), draws[family](), weights


def fit_family(estimator, family, options, shape, *, is_sparse, **more):
    X, y, weights = make_response(family, shape, is_sparse=is_sparse)
    weights = weights if options.get("sample_weight") else None
    estimator.set_params(fit_intercept=options.get("fit_intercept", True))
    estimator.fit(X, y, sample_weight=weights)
    path = regpath.fit_path(
        X,
        y,
        family=more.pop("instance", family),
        standardize=False,
        fit_intercept=options.get("fit_intercept", True),
        sample_weight=weights,
        tol=more.pop("tol", FINE),
        **more,
    )
    return X, estimator, path


named_options = pytest.mark.parametrize("name", ["plain", "no intercept", "weights"])
shapes = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
storages = pytest.mark.parametrize("is_sparse", [False, True], ids=["dense", "sparse"])


@storages
@shapes
@named_options
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0], ids=["lasso", "elastic net", "ridge"])
def test_logistic_regression(name, l1_ratio, shape, is_sparse):
    lambda_ = 0.03
    total = make_data(shape, is_sparse=is_sparse)[2].sum() if name == "weights" else shape[0]
    estimator = linear_model.LogisticRegression(
        C=1 / (lambda_ * total), l1_ratio=l1_ratio, solver="saga", tol=1e-11, max_iter=100_000
    )
    X, estimator, path = fit_family(
        estimator,
        "binomial",
        OPTIONS[name],
        shape,
        is_sparse=is_sparse,
        l1_ratio=l1_ratio,
        lambdas=[lambda_],
        # Coefficients near 0 are only as good as the ridge term makes them: sqrt(g / .015).
        tol=FINE if l1_ratio == 0.0 else 0.1 * FINE,
    )
    size = np.abs(estimator.coef_).max()
    np.testing.assert_allclose(path.coefs[:, 0], estimator.coef_[0], atol=1e-6 * size)
    np.testing.assert_allclose(path.intercepts, estimator.intercept_, atol=1e-6 * (1 + size))
    probability = path.predict(X, lambda_)
    np.testing.assert_allclose(probability, estimator.predict_proba(X)[:, 1], atol=1e-6)
    np.testing.assert_array_equal(path.predict(X, lambda_, type="class"), estimator.predict(X))


@storages
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0], ids=["lasso", "elastic net", "ridge"])
def test_multinomial_regression(l1_ratio, is_sparse):
    """Three classes; the L1 norm alone leaves coefficients that probabilities do not notice."""
    lambda_ = 0.03
    estimator = linear_model.LogisticRegression(
        C=1 / (lambda_ * 80), l1_ratio=l1_ratio, solver="saga", tol=1e-11, max_iter=100_000
    )
    X, estimator, path = fit_family(
        estimator,
        "multinomial",
        {},
        SHAPES["tall"],
        is_sparse=is_sparse,
        l1_ratio=l1_ratio,
        lambdas=[lambda_],
    )
    np.testing.assert_allclose(path.predict(X, lambda_), estimator.predict_proba(X), atol=1e-6)
    if l1_ratio < 1:
        size = np.abs(estimator.coef_).max()
        np.testing.assert_allclose(path.coefs[:, :, 0], estimator.coef_, atol=1e-6 * size)
    np.testing.assert_array_equal(path.predict(X, lambda_, type="class"), estimator.predict(X))


REGRESSORS = {
    "poisson": ("PoissonRegressor", {}),
    "gamma": ("GammaRegressor", {}),
    "tweedie": ("TweedieRegressor", {"power": 1.4, "link": "log"}),
}


@storages
@shapes
@named_options
@pytest.mark.parametrize("family", REGRESSORS)
def test_ridge_of_regressors_with_log_link(family, name, shape, is_sparse):
    class_name, arguments = REGRESSORS[family]
    estimator = getattr(linear_model, class_name)(
        alpha=0.1, solver="newton-cholesky", tol=1e-12, max_iter=1000, **arguments
    )
    X, estimator, path = fit_family(
        estimator,
        family,
        OPTIONS[name],
        shape,
        is_sparse=is_sparse,
        l1_ratio=0.0,
        lambdas=[0.1],
        instance=regpath.families.Tweedie(1.4) if family == "tweedie" else family,
    )
    assert_same(estimator, path)
    np.testing.assert_allclose(path.predict(X, 0.1), estimator.predict(X), rtol=1e-5)

"""Cross-validation against R glmnet 4.1-6 and scikit-learn.

cv.glmnet's lambda in the units of regpath is that of test_glmnet_reference, with s_y of all rows.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import glmnet_files
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import linear_model, metrics
from sklearn.model_selection import PredefinedSplit

import regpath
from regpath import scoring

# ------------------------------------------------------------------------------------- cv.glmnet

NAMES = glmnet_files.names("gaussian", "binomial", "poisson", cv=True)


class Case(NamedTuple):
    reference: dict[str, np.ndarray]
    lambdas: np.ndarray
    """Those of regpath, in the units of glmnet."""
    scale: float
    """What glmnet calls mse sums over both classes."""
    cv: regpath.CVPath


@cache
def load(name: str) -> Case:
    reference, X, settings, options = glmnet_files.read(name)
    y, a, s_y = reference["y"], settings["alpha"], 1.0
    if settings["family"] == "gaussian":
        w = options.get("sample_weight", np.ones(y.size))
        s_y = np.sqrt(np.average((y - np.average(y, weights=w)) ** 2, weights=w))
    factor = a + (1 - a) / s_y
    family = regpath.families.resolve("cv_path", settings["family"])
    scorer = scoring.resolve("cv_path", settings["measure"], family)
    if name == "binomial-saheart-cv-deviance":
        scorer = replace(scorer, clip=1e-5)
    cv = regpath.cv_path(
        X,
        y,
        family=family,
        cv=reference["foldid"],
        scoring=scorer,
        l1_ratio=a / factor,
        fold_lambdas="glmnet",
        tol=1e-10,
        **options,
    )
    return Case(reference, cv.lambdas / factor, 2.0 if name.endswith("-mse") else 1.0, cv)


@pytest.fixture(params=NAMES)
def case(request) -> Case:
    return load(request.param)


def test_all_files_are_here():
    assert len(NAMES) == 9


def test_grid_of_glmnet(case):
    assert_allclose(case.lambdas, case.reference["cv_lambdas"], rtol=1e-10)


def test_means_and_standard_errors_of_glmnet(case):
    assert_allclose(case.scale * case.cv.mean_scores, case.reference["cvm"], rtol=1e-5)
    assert_allclose(case.scale * case.cv.std_errors, case.reference["cvsd"], rtol=1e-5)


def test_choices_of_glmnet(case):
    """Errors of all folds are certified, and their choices are the same."""
    unit = case.lambdas[0] / case.cv.lambdas[0]
    assert case.cv.lambda_min * unit == pytest.approx(float(case.reference["lambda_min"]), rel=1e-9)
    assert case.cv.lambda_1se * unit == pytest.approx(float(case.reference["lambda_1se"]), rel=1e-9)
    assert max(path.dual_gaps.max() for path in case.cv.fold_paths) <= 1e-10


def test_shared_lambdas_tell_nearly_the_same():
    """For the lasso only the interpolation is missing."""
    case = load("gaussian-diabetes_lars-cv-lasso")
    reference = case.reference
    cv = regpath.cv_path(
        reference["X"], reference["y"], cv=reference["foldid"], lambdas=reference["cv_lambdas"]
    )
    assert_allclose(cv.mean_scores, reference["cvm"], rtol=2e-3)
    assert abs(cv.mean_scores / reference["cvm"] - 1).max() > 1e-5


# ---------------------------------------------------------------------------------- scikit-learn

# The grids are short: the best lambda may well be the last one.
edge = pytest.mark.filterwarnings("ignore::regpath.SelectionWarning")

N, P, K = 60, 5, 4
LABELS = np.arange(N) % K
LAMBDAS = np.array([0.5, 0.2, 0.05, 0.01])


@pytest.fixture
def data(rng):
    X = rng.standard_normal((N, P)) * [1.0, 2.0, 0.5, 1.0, 3.0] + [0.0, 5.0, 0.0, 1.0, 0.0]
    y = X @ [1.0, -0.5, 0.0, 0.0, 0.25] + 3.0 + rng.standard_normal(N)
    return X, y


@pytest.fixture
def weights(rng):
    return rng.integers(1, 5, N) / 2.0


def paths(X, y, **options: Any) -> regpath.CVPath:
    options = {"cv": LABELS, "lambdas": LAMBDAS, "standardize": False, "tol": 1e-13} | options
    return regpath.cv_path(X, y, **options)


@edge
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [True, False])
def test_lasso_cv(data, weights, weighted, intercept):
    w = weights if weighted else None
    model = linear_model.LassoCV(
        alphas=LAMBDAS, cv=PredefinedSplit(LABELS), tol=1e-14, max_iter=100_000,
        fit_intercept=intercept,
    ).fit(*data, sample_weight=w)  # fmt: skip
    cv = paths(*data, sample_weight=w, fit_intercept=intercept)
    assert_allclose(cv.fold_scores, model.mse_path_.T, rtol=1e-6)
    assert cv.lambda_min == model.alpha_
    assert_allclose(cv.coef_at("min"), model.coef_, atol=1e-6)
    assert cv.intercept_at("min") == pytest.approx(model.intercept_, abs=1e-6)
    assert_allclose(cv.predict(data[0], "min"), model.predict(data[0]), atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_elastic_net_cv(data, weights, weighted):
    w = weights if weighted else None
    model = linear_model.ElasticNetCV(
        l1_ratio=0.3, alphas=LAMBDAS, cv=PredefinedSplit(LABELS), tol=1e-14, max_iter=100_000
    ).fit(*data, sample_weight=w)
    cv = paths(*data, l1_ratio=0.3, sample_weight=w)
    assert_allclose(cv.fold_scores, model.mse_path_.T, rtol=1e-6)
    assert cv.lambda_min == model.alpha_


def each_fold(X, y, w, fit, score):
    """Scores of models that are fitted fold by fold and lambda by lambda."""
    found = np.empty((K, LAMBDAS.size))
    for k in range(K):
        test = np.isin(LABELS, k)
        train = ~test
        for i, lambda_ in enumerate(LAMBDAS):
            model = fit(lambda_ * w[train].sum()).fit(X[train], y[train], sample_weight=w[train])
            found[k, i] = score(model, X[test], y[test], w[test])
    return found


@pytest.mark.parametrize("weighted", [False, True])
def test_ridge(data, weights, weighted):
    w = weights if weighted else np.ones(N)
    expected = each_fold(
        *data,
        w,
        lambda alpha: linear_model.Ridge(alpha, solver="cholesky"),
        lambda m, X, y, w: metrics.mean_squared_error(y, m.predict(X), sample_weight=w),
    )
    cv = paths(*data, l1_ratio=0.0, sample_weight=w)
    assert_allclose(cv.fold_scores, expected, rtol=1e-6)
    assert_allclose(cv.mean_scores, np.average(expected, axis=0, weights=cv.fold_weights))
    assert_allclose(cv.fold_weights, np.bincount(LABELS, w))


def test_ridge_cv_leaves_one_out(data):
    X, y = data
    model = linear_model.RidgeCV(alphas=LAMBDAS * (N - 1), store_cv_results=True).fit(X, y)
    cv = paths(X, y, l1_ratio=0.0, cv="loo")
    assert_allclose(cv.fold_scores, model.cv_results_, rtol=1e-6)
    assert cv.lambda_min * (N - 1) == pytest.approx(model.alpha_)


def logistic(solver, l1_ratio):
    return lambda alpha: linear_model.LogisticRegression(
        C=1 / alpha, l1_ratio=l1_ratio, solver=solver, tol=1e-11, max_iter=100_000
    )


def classes(data):
    return data[0] - data[0].mean(axis=0), (data[1] > data[1].mean()).astype(int)


@edge
def test_logistic_lasso(data, weights):
    X, y = classes(data)
    expected = each_fold(
        X,
        y,
        weights,
        logistic("saga", 1.0),
        lambda m, X, y, w: metrics.log_loss(y, m.predict_proba(X), sample_weight=w),
    )
    cv = paths(X, y, family="binomial", scoring="log_loss", sample_weight=weights)
    # Without a coefficient, at the first lambda, saga stops before its intercept is right.
    assert_allclose(cv.fold_scores[:, 1:], expected[:, 1:], rtol=1e-6)


@edge
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("score", "theirs"),
    [
        ("log_loss", lambda y, p, w: metrics.log_loss(y, p, sample_weight=w)),
        ("deviance", lambda y, p, w: 2 * metrics.log_loss(y, p, sample_weight=w)),
        ("brier", lambda y, p, w: metrics.brier_score_loss(y, p, sample_weight=w)),
        ("auc", lambda y, p, w: metrics.roc_auc_score(y, p, sample_weight=w)),
        ("class", lambda y, p, w: 1 - metrics.accuracy_score(y, p > 0.5, sample_weight=w)),
    ],
    ids=["log_loss", "deviance", "brier", "auc", "class"],
)
def test_logistic_ridge(data, weights, weighted, score, theirs):
    X, y = classes(data)
    w = weights if weighted else np.ones(N)
    expected = each_fold(
        X,
        y,
        w,
        logistic("newton-cholesky", 0.0),
        lambda m, X, y, w: theirs(y, m.predict_proba(X)[:, 1], w),
    )
    cv = paths(X, y, family="binomial", scoring=score, l1_ratio=0.0, sample_weight=w)
    assert_allclose(cv.fold_scores, expected, rtol=1e-6)
    assert cv.greater_is_better == (score == "auc")

"""Leave-one-out of ridge: against n fits, scikit-learn, and the formula by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.linear_model import RidgeCV

import regpath
from regpath.loo import leave_one_out

LAMBDAS = np.array([np.inf, 3.0, 0.3, 0.01, 1e-6])
PER_ROW = ("sample_weight", "offset")


def free_ones(n, p):
    """Factors of which one or two are 0, if there are rows enough."""
    return np.where(np.arange(p) < min(2, n - 2), 0.0, 1.0)


SHAPES = [(20, 5), (12, 30), (15, 15), (15, 13), (2, 3)]
OPTIONS = {
    "plain": lambda rng, n, p: {},
    "weights": lambda rng, n, p: {"sample_weight": rng.uniform(0.2, 3.0, n)},
    "equal weights": lambda rng, n, p: {"sample_weight": rng.integers(1, 3, n)},
    "no intercept": lambda rng, n, p: {"fit_intercept": False},
    "offset": lambda rng, n, p: {"offset": 5 * rng.standard_normal(n)},
    "factors": lambda rng, n, p: {"penalty_factor": rng.choice([0.5, 1.0, 4.0, np.inf], p)},
    "unpenalised": lambda rng, n, p: {"penalty_factor": free_ones(n, p)},
    "all": lambda rng, n, p: {
        "sample_weight": rng.uniform(0.2, 3.0, n),
        "offset": rng.standard_normal(n),
        "penalty_factor": free_ones(n, p) * rng.uniform(0.5, 2.0, p),
    },
}


def one_by_one(X, y, lambdas=LAMBDAS, **options):
    """The definition: n fits."""
    eta = np.empty((len(y), lambdas.size))
    for i in range(len(y)):
        others = np.arange(len(y)) != i
        own = {k: np.asarray(v)[others] if k in PER_ROW else v for k, v in options.items()}
        path = regpath.ridge_path(X[others], y[others], lambdas=lambdas, **own)
        eta[i] = X[i] @ path.coefs + path.intercepts + np.asarray(options.get("offset", 0 * y))[i]
    return eta


def problem(rng, shape):
    X = rng.standard_normal(shape) + 2.0
    return X, X[:, 0] + rng.standard_normal(shape[0]) + 10.0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("option", OPTIONS)
def test_it_is_n_fits(rng, shape, option):
    X, y = problem(rng, shape)
    options = {"standardize": False, **OPTIONS[option](rng, *shape)}
    path = regpath.ridge_path(X, y, lambdas=LAMBDAS, **options)
    assert_allclose(leave_one_out(path, X, y), one_by_one(X, y, **options), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("shape", [(25, 6), (10, 25)])
def test_scales_are_those_of_all_rows(rng, shape):
    X, y = problem(rng, shape)
    X *= rng.uniform(0.1, 10.0, shape[1])
    path = regpath.ridge_path(X, y, lambdas=LAMBDAS)
    expected = one_by_one(X, y, standardize=False, penalty_factor=X.std(axis=0) ** 2)
    assert_allclose(leave_one_out(path, X, y), expected, rtol=1e-8)


@pytest.mark.parametrize("shape", [(25, 6), (10, 25)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_scikit_learn_keeps_the_weights_of_the_others(rng, shape, weighted, intercept):
    X, y = problem(rng, shape)
    w = rng.uniform(0.5, 2.0, shape[0]) if weighted else np.ones(shape[0])
    alphas = np.array([10.0, 1.0, 0.1])
    theirs = RidgeCV(alphas, fit_intercept=intercept, store_cv_results=True, scoring="r2")
    theirs = theirs.fit(X, y, sample_weight=w).cv_results_  # predictions, for there is a scoring
    path = regpath.ridge_path(
        X, y, lambdas=alphas / w.sum(), sample_weight=w, standardize=False, fit_intercept=intercept
    )
    found = leave_one_out(path, X, y, rescale=False)
    assert_allclose(found, theirs, rtol=1e-8)
    assert abs(found - leave_one_out(path, X, y)).max() > 1e-4


@pytest.mark.parametrize("shape", [(30, 8), (12, 40)])
@pytest.mark.parametrize("standardize", [False, True])
def test_sparse_is_dense(rng, shape, standardize):
    X = rng.integers(1, 5, shape) * (rng.random(shape) < 0.3)
    y = rng.standard_normal(shape[0])
    factor = np.where(np.arange(shape[1]) == 1, 0.0, 1.0)
    options = {"lambdas": LAMBDAS, "standardize": standardize, "penalty_factor": factor}
    path = regpath.ridge_path(X, y, **options)
    expected = leave_one_out(path, X, y)
    for kind in (sparse.csc_array, sparse.csr_matrix, pd.DataFrame, np.asfortranarray):
        assert_allclose(leave_one_out(path, kind(X), y), expected, rtol=1e-7, atol=1e-9)


def test_a_long_problem_goes_in_blocks(rng, monkeypatch):
    X, y = problem(rng, (400, 7))
    w = rng.integers(1, 4, 400)
    path = regpath.ridge_path(X, y, lambdas=LAMBDAS, sample_weight=w)
    expected = leave_one_out(path, X, y)
    monkeypatch.setattr("regpath._hat.BLOCK_ENTRIES", 500)
    for kind in (np.asarray, sparse.csc_array):
        assert_allclose(leave_one_out(path, kind(X), y), expected, rtol=1e-9)


@pytest.mark.parametrize("shape", [(14, 4), (14, 30)])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csc_array])
def test_a_row_that_alone_knows_a_coefficient(rng, shape, kind):
    """Without it the column is constant, and its coefficient 0."""
    X, y = problem(rng, shape)
    X[:, 2] = np.arange(14) == 5
    factor = np.where(np.arange(shape[1]) == 2, 0.0, 1.0)
    offset = rng.standard_normal(14)
    options = {"penalty_factor": factor, "standardize": False, "offset": offset}
    path = regpath.ridge_path(kind(X), y, lambdas=LAMBDAS, **options)
    expected = one_by_one(X, y, **options)
    assert_allclose(leave_one_out(path, kind(X), y), expected, rtol=1e-8, atol=1e-8)
    scaled = leave_one_out(path, kind(X), y, rescale=False)
    stretched = one_by_one(X, y, lambdas=LAMBDAS * 14 / 13, **options)
    assert_allclose(scaled, stretched, rtol=1e-8, atol=1e-8)


def test_constant_columns_and_copies(rng):
    X, y = problem(rng, (16, 5))
    more = np.column_stack([X, np.full(16, 3.0), X[:, 0]])
    path = regpath.ridge_path(more, y, lambdas=LAMBDAS)
    # Two copies share the coefficient, each with half of it: half the penalty together.
    factor = np.array([0.5, 1.0, 1.0, 1.0, 1.0])
    alone = regpath.ridge_path(X, y, lambdas=LAMBDAS, penalty_factor=factor)
    found = leave_one_out(path, more, y)
    assert_allclose(found, leave_one_out(alone, X, y), rtol=1e-8)


def test_rows_without_weight_are_predicted_by_the_path(rng):
    X, y = problem(rng, (18, 4))
    w = (np.arange(18) % 5 > 0) * 2.0
    offset = rng.standard_normal(18)
    path = regpath.ridge_path(X, y, lambdas=LAMBDAS, sample_weight=w, offset=offset)
    found = leave_one_out(path, X, y)
    none = w == 0
    assert_allclose(found[none], path.predict(X[none], offset=offset[none]), rtol=1e-12)
    alone = regpath.ridge_path(X[~none], y[~none], lambdas=LAMBDAS, offset=offset[~none])
    assert_allclose(found[~none], leave_one_out(alone, X[~none], y[~none]), rtol=1e-9)


def test_without_penalty_it_is_press(rng):
    X, y = problem(rng, (20, 4))
    path = regpath.ridge_path(X, y, lambdas=[0.0])
    Z = np.column_stack([np.ones(20), X])
    H = Z @ np.linalg.pinv(Z)
    expected = (y - H @ y) / (1 - np.diag(H))
    assert_allclose(y - leave_one_out(path, X, y)[:, 0], expected, rtol=1e-9)


@pytest.mark.parametrize("shape", [(25, 4), (12, 30)])
@pytest.mark.parametrize("weighted", [False, True])
def test_scores_are_those_of_a_cross_validation(rng, shape, weighted):
    """With rows of weight 0 among them: these are no folds."""
    X, y = problem(rng, shape)
    options = {"lambdas": LAMBDAS[1:], "standardize": False, "offset": rng.standard_normal(len(y))}
    if weighted:
        options["sample_weight"] = np.where(np.arange(len(y)) % 5 == 2, 0.0, rng.random(len(y)))
    cv = regpath.cv_path(X, y, cv="loo", l1_ratio=0.0, tol=1e-14, **options)
    assert len(cv.fold_paths) == (
        np.count_nonzero(options["sample_weight"]) if weighted else len(y)
    )
    scores = regpath.ridge_path(X, y, **options).leave_one_out(X, y)
    assert_allclose(scores.mse, cv.mean_scores, rtol=1e-5)
    assert_allclose(scores.std_errors, cv.std_errors, rtol=1e-5)
    assert (scores.lambda_min, scores.index_min) == (cv.lambda_min, cv.index_min)
    assert_array_equal(scores.lambdas, cv.lambdas)


def test_gcv_replaces_leverages_by_their_mean(rng):
    X, y = problem(rng, (20, 4))
    scores = regpath.ridge_path(X, y, lambdas=[0.5], standardize=False).leave_one_out(X, y)
    Z, r = X - X.mean(axis=0), y - y.mean()

    def fit(strength):
        H = Z @ np.linalg.solve(Z.T @ Z + 20 * strength * np.eye(4), Z.T)
        return r - H @ r, 1 - np.diag(H) - 1 / 20

    e, free = fit(0.5 * 19 / 20)  # each fit has 19 rows
    assert_allclose(scores.mse, np.mean((e / free) ** 2), rtol=1e-9)
    e, free = fit(0.5)
    assert_allclose(scores.gcv, np.mean((e / free.mean()) ** 2), rtol=1e-9)


@given(seed=st.integers(0, 999), scale=st.sampled_from([1e-150, 1e-3, 1e150]))
def test_scale_of_the_response_and_order(seed, scale):
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(3, 20)), int(rng.integers(1, 20))
    X, y = problem(rng, (n, p))
    lambdas = np.array([1.0, 0.05])
    path = regpath.ridge_path(X, y, lambdas=lambdas)
    found = leave_one_out(path, X, y)
    order = rng.permutation(n)
    moved = regpath.ridge_path(X[order], y[order], lambdas=lambdas)
    assert_allclose(leave_one_out(moved, X[order], y[order]), found[order], rtol=1e-7)
    scaled = regpath.ridge_path(X, y * scale, lambdas=lambdas)
    assert_allclose(leave_one_out(scaled, X, y * scale), found * scale, rtol=1e-9)


def test_data_are_left_alone(rng):
    X, y = problem(rng, (10, 3))
    X.flags.writeable = y.flags.writeable = False
    path = regpath.ridge_path(X, y, lambdas=LAMBDAS)
    copies = X.copy(), y.copy()
    leave_one_out(path, X, y)
    assert_array_equal(X, copies[0])
    assert_array_equal(y, copies[1])


def test_what_does_not_fit_is_refused(rng):
    X, y = problem(rng, (10, 3))
    with pytest.raises(ValueError, match=r"^leave_one_out: .* gaussian family with l1_ratio=1"):
        leave_one_out(regpath.lasso_path(X, y, n_lambdas=3), X, y)
    poisson = regpath.ridge_path(X, abs(y), family="poisson", n_lambdas=3)
    with pytest.raises(ValueError, match=r"^leave_one_out: .* poisson family"):
        leave_one_out(poisson, X, y)
    with pytest.raises(ValueError, match="path has limits"):
        leave_one_out(regpath.ridge_path(X, y, lower=0.0, n_lambdas=3), X, y)
    path = regpath.ridge_path(X, y, n_lambdas=3, sample_weight=np.ones(10))
    with pytest.raises(ValueError, match=r"X has 2 columns; the path was fitted on 3"):
        leave_one_out(path, X[:, :2], y)
    with pytest.raises(ValueError, match=r"^leave_one_out\(sample_weight=...\): 10 weights for"):
        leave_one_out(path, X[:9], y[:9])
    one = regpath.ridge_path(X, y, lambdas=[1.0], sample_weight=np.arange(10) == 3)
    with pytest.raises(ValueError, match="one row has all the weight"):
        leave_one_out(one, X, y)

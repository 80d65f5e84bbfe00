"""Information criteria: by hand, against explicit hat matrices and derivatives, and properties."""

import math

import numpy as np
import pandas as pd
import pytest
from handmade import make_path
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse, special
from sklearn.linear_model import LassoLarsIC

import regpath
from regpath import Settings, families
from regpath.criteria import RULES, Criteria


@pytest.fixture(scope="module")
def prostate():
    X, y, _, _ = regpath.datasets.load_prostate()
    return X, y


@pytest.fixture(scope="module")
def lasso(prostate):
    return regpath.lasso_path(*prostate, n_lambdas=40)


def same(first, second, **tolerances):
    for name in ("df", *RULES):
        assert_allclose(getattr(first, name), getattr(second, name), err_msg=name, **tolerances)


# ---------------------------------------------------------------------------------- the formulas


def test_formulas_of_the_gaussian_family(prostate, lasso):
    X, y = prostate
    n, p = X.shape
    rss = ((y[:, None] - lasso.predict(X)) ** 2).sum(axis=0)
    df = lasso.n_nonzero + 1.0
    found = lasso.criteria(gamma=0.7)
    assert_array_equal(found.df, df)
    assert_allclose(found.aic, n * np.log(rss / n) + 2 * df, rtol=1e-10)
    assert_allclose(found.aicc - found.aic, 2 * df * (df + 1) / (n - df - 1))
    assert_allclose(found.bic - found.aic, (np.log(n) - 2) * df)
    models = [1.4 * math.log(math.comb(p, k)) for k in lasso.n_nonzero]
    assert_allclose(found.ebic - found.bic, models, atol=1e-12)
    sigma2 = rss[-1] / (n - df[-1])
    assert found.noise_variance == pytest.approx(sigma2)
    assert_allclose(found.cp, rss / sigma2 - n + 2 * df, atol=1e-9)
    assert_allclose(found.gcv, n * rss / (n - df) ** 2)
    known = lasso.criteria(noise_variance=0.5)
    assert_allclose(known.aic, rss / 0.5 + 2 * df)
    assert_allclose(known.cp, known.aic - n)
    assert_allclose(known.gcv, found.gcv)


@pytest.mark.parametrize("criterion", ["aic", "bic"])
def test_scikit_learn_has_the_same_criteria(criterion):
    X, y, _, _ = regpath.datasets.load_diabetes()
    theirs = LassoLarsIC(criterion=criterion).fit(X, y)
    path = regpath.lasso_path(X, y, lambdas=theirs.alphas_, standardize=False, tol=1e-12)
    ours = path.criteria(noise_variance=theirs.noise_variance_)
    # At its lambdas a feature just enters or leaves: some coefficients are 0 up to rounding.
    sizes = np.abs(path.coefs) / np.abs(path.coefs).max()
    clear = ~((sizes > 0) & (sizes < 1e-6)).any(axis=0)
    assert clear.sum() > 9
    # Our df has the intercept, and constants are left out.
    apart = (getattr(ours, criterion) - theirs.criterion_)[clear]
    assert np.ptp(apart) < 1e-6 * np.ptp(theirs.criterion_)


def test_families_without_dispersion_have_their_deviance(rng):
    X = rng.standard_normal((80, 4))
    y = rng.poisson(np.exp(0.5 * X[:, 0])).astype(float)
    path = regpath.lasso_path(X, y, family="poisson", n_lambdas=10)
    mean = path.predict(X)
    unit = special.xlogy(y, y)[:, None] - special.xlogy(y[:, None], mean) - y[:, None] + mean
    found = path.criteria()
    assert_allclose(found.aic, 2 * unit.sum(axis=0) + 2 * (path.n_nonzero + 1), rtol=1e-9)
    assert_allclose(found.bic - found.aic, (np.log(80) - 2) * found.df)
    assert_allclose(found.cp, found.aic - 80)


def test_dispersions_are_profiled(rng):
    X = rng.standard_normal((60, 3))
    y = rng.gamma(3.0, np.exp(0.4 * X[:, 0]))
    path = regpath.lasso_path(X, y, family="gamma", n_lambdas=8)
    mean = path.predict(X)
    deviance = 2 * (y[:, None] / mean - 1 - np.log(y[:, None] / mean)).sum(axis=0)
    df = path.n_nonzero + 1
    assert_allclose(path.criteria().aic, 60 * np.log(deviance / 60) + 2 * df, rtol=1e-8)
    assert path.criteria().noise_variance == pytest.approx(deviance[-1] / (60 - df[-1]))


def test_several_gaussian_responses_share_a_variance(rng):
    X, n = rng.standard_normal((50, 3)), 50
    Y = X[:, :2] + rng.standard_normal((n, 2))
    path = regpath.fit_path(X, Y, family="multigaussian", lambdas=[0.0])
    found = path.criteria(X, Y)
    rss = ((Y - path.predict(X)[..., 0]) ** 2).sum()
    assert found.n_observations == 100
    assert_allclose(found.df, [8.0])
    assert_allclose(found.bic, 100 * np.log(rss / 100) + np.log(100) * 8)


def test_cox_counts_events(rng):
    X = rng.standard_normal((70, 3))
    event = rng.random(70) < 0.5
    y = np.column_stack([rng.exponential(np.exp(-X[:, 0])), event])
    path = regpath.lasso_path(X, y, family="cox", n_lambdas=6)
    found = path.criteria(y=y)
    assert found.n_observations == event.sum()
    assert_array_equal(found.df, path.n_nonzero)
    deviance = (1 - path.dev_ratio) * path.null_deviance
    assert_allclose(found.bic, deviance + np.log(event.sum()) * path.n_nonzero)
    with pytest.raises(ValueError, match=r"number of events is needed; pass y="):
        path.criteria()
    frame = pd.DataFrame({"event": event, "time": y[:, 0]})
    same(path.criteria(y=frame), found)


# ---------------------------------------------------------------------------- degrees of freedom


@pytest.mark.parametrize("shape", [(40, 6), (20, 30)])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csc_array])
def test_ridge_is_the_trace_of_the_hat_matrix(rng, shape, standardize, kind):
    n, p = shape
    X = rng.integers(-2, 3, shape) * (rng.random(shape) < 0.7) + 1.0
    y, w = rng.standard_normal(n), rng.uniform(0.5, 2.0, n)
    w[3] = 0.0
    factor = rng.choice([0.5, 1.0, 3.0], p)
    factor[:2] = 0.0, np.inf
    options = {"penalty_factor": factor, "sample_weight": w, "standardize": standardize}
    lambdas = np.array([np.inf, 5.0, 0.5, 0.01])
    path = regpath.ridge_path(kind(X), y, lambdas=lambdas, **options)
    found = path.criteria(kind(X))
    w = w / w.sum()
    scale = np.sqrt(w @ (X - w @ X) ** 2) if standardize else np.ones(p)
    used = np.flatnonzero(np.isfinite(factor))
    Z = np.column_stack([np.ones(n), X[:, used] / scale[used]])
    D = np.diag([0.0, *factor[used]])
    for k, lambda_ in enumerate(lambdas):
        if np.isinf(lambda_):
            assert found.df[k] == pytest.approx(2.0)
            continue
        H = (Z * w[:, None]).T @ Z
        assert found.df[k] == pytest.approx(np.trace(np.linalg.solve(H + lambda_ * D, H)))
    assert found.n_observations == n - 1


def test_elastic_net_is_the_trace_over_the_active_set(prostate):
    X, y = prostate
    path = regpath.enet_path(X, y, l1_ratio=0.3, n_lambdas=12)
    df = path.criteria(X).df
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    for k, lambda_ in enumerate(path.lambdas):
        A = Z[:, path.coefs[:, k] != 0]
        G = A.T @ A / len(y)
        trace = np.trace(np.linalg.solve(G + 0.7 * lambda_ * np.eye(len(G)), G))
        assert df[k] == pytest.approx(1 + trace)
    assert (df <= path.n_nonzero + 1).all()


def simplex(K):
    """Orthonormal directions that keep a sum of K numbers."""
    return np.linalg.svd(np.ones((1, K)))[2][1:]


def proportions(rng, n, K):
    Y = rng.uniform(0.5, 2.0, (n, K))
    return Y / Y.sum(axis=1, keepdims=True)


FITS = {
    "gaussian": ("gaussian", lambda r, e: e + r.standard_normal(e.size)),
    "poisson": ("poisson", lambda r, e: r.poisson(np.exp(e)) + 1.0),
    "binomial": ("binomial", lambda r, e: r.uniform(0.1, 0.9, e.size)),
    "huber": (families.Huber(1.0), lambda r, e: e + r.standard_t(3, e.size)),
    "multigaussian": ("multigaussian", lambda r, e: e[:, None] + r.standard_normal((e.size, 2))),
    "multinomial": ("multinomial", lambda r, e: proportions(r, e.size, 3)),
    "grouped": (families.Multinomial(grouped=True), lambda r, e: proportions(r, e.size, 3)),
}
PENALTIES = {
    "lasso": {"l1_ratio": 1.0},
    "elastic net": {"l1_ratio": 0.5},
    "ridge": {"l1_ratio": 0.0},
    "factors": {"l1_ratio": 0.4, "penalty_factor": [1.0, 0.0, 2.0, 1.0]},
}


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_it_is_the_divergence_of_the_fit(name, penalty):
    """Sum of the derivatives of every mean by its own response, by differences."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((14, 4))
    family, response = FITS[name]
    y = response(rng, 0.5 * X[:, 0])
    options = {"family": family, "tol": 1e-13, "lambdas": [0.02], **PENALTIES[penalty]}
    path = regpath.fit_path(X, y, **options)
    found = path.criteria(X, y).df[0]
    Y = y.reshape(14, -1)
    directions = simplex(3) if path.family == "multinomial" else np.eye(Y.shape[1])
    step, total = 1e-3, 0.0
    for i in range(14):
        for direction in directions:
            means = []
            for sign in (1, -1):
                moved = Y.copy()
                moved[i] += sign * step * direction
                again = regpath.fit_path(X, moved.reshape(y.shape), **options)
                means.append(again.predict(X, 0.02).reshape(Y.shape)[i])
            total += direction @ (means[0] - means[1]) / (2 * step)
    assert found == pytest.approx(total, rel=2e-3)


def cox_loss(X, y, b):
    """Breslow's, with weights 1 / n."""
    eta = X @ b
    at_risk = y[:, 0][None, :] >= y[:, 0][:, None]
    logs = np.log((at_risk * np.exp(eta)).sum(axis=1))
    return np.mean(y[:, 1] * (logs - eta))


def second_differences(f, b, step=1e-3):
    p, I = b.size, np.eye(b.size) * step  # noqa: E741
    return np.array(
        [
            [
                (f(b + I[i] + I[j]) - f(b + I[i] - I[j]) - f(b - I[i] + I[j]) + f(b - I[i] - I[j]))
                / (4 * step**2)
                for j in range(p)
            ]
            for i in range(p)
        ]
    )


def test_cox_ridge_has_the_curvature_of_the_partial_likelihood(rng):
    X = rng.standard_normal((30, 3))
    y = np.column_stack([rng.exponential(np.exp(-X[:, 0])), rng.random(30) < 0.8])
    path = regpath.ridge_path(X, y, family="cox", standardize=False, lambdas=[1.0, 0.05, 0.0])
    df = path.criteria(X, y).df
    for k, lambda_ in enumerate(path.lambdas):
        H = second_differences(lambda b: cox_loss(X, y, b), path.coefs[:, k])
        trace = np.trace(np.linalg.solve(H + lambda_ * np.eye(3), H))
        assert df[k] == pytest.approx(trace, rel=1e-4)


@pytest.mark.parametrize("name", ["poisson", "multinomial", "cox"])
def test_more_features_than_rows(rng, name):
    """Copies of a column share a coefficient: four of one quarter the factor."""
    X = rng.standard_normal((12, 5))
    y = FITS["poisson" if name == "cox" else name][1](rng, X[:, 0])
    if name == "cox":
        y = np.column_stack([rng.exponential(np.exp(-X[:, 0])), np.arange(12) % 3 > 0])
    options = {"family": name, "lambdas": [0.5, 0.05], "standardize": False, "tol": 1e-12}
    few = regpath.ridge_path(X, y, **options)
    many = regpath.ridge_path(np.tile(X, 4), y, penalty_factor=4.0, **options)
    assert_allclose(many.criteria(np.tile(X, 4), y).df, few.criteria(X, y).df, rtol=1e-6)


def test_what_cannot_move_does_not_count(prostate):
    X, y = prostate
    upper = np.full(8, np.inf)
    upper[0] = 0.1
    path = regpath.lasso_path(X, y, upper=upper, lambdas=[0.1, 0.05])
    at_limit = path.coefs[0] == 0.1
    assert at_limit.all()
    assert_array_equal(path.criteria().df, path.n_nonzero + 1 - at_limit)
    ridge = regpath.ridge_path(X, y, lower=0.0, lambdas=[0.1])
    moving = ridge.coefs[:, 0] > 0
    alone = regpath.ridge_path(X[:, moving], y, lambdas=[0.1])
    assert 0 < moving.sum() < 8
    assert_allclose(ridge.criteria(X).df, alone.criteria(X[:, moving]).df)


def test_unpenalised_features_and_intercepts_always_count(prostate):
    X, y = prostate
    X = np.column_stack([X, np.ones(len(y))])
    factor = np.ones(9)
    factor[[2, 8]] = 0.0
    path = regpath.lasso_path(X, y, penalty_factor=factor, n_lambdas=5)
    assert path.criteria().df[0] == 2.0  # the last column is constant
    assert path.criteria().ebic[0] == path.criteria().bic[0]
    bare = regpath.lasso_path(X[:, :8], y, fit_intercept=False, n_lambdas=5)
    assert_array_equal(bare.criteria().df, bare.n_nonzero)


def test_classes_have_one_parameter_less():
    coefs = np.zeros((3, 4, 2))
    coefs[:, 1, 1] = 1.0, -1.0, 2.0
    coefs[0, 2, 1] = 1.0
    path = make_path(
        coefs.reshape(12, 2), n_outputs=3, family="multinomial", intercepts=np.zeros((3, 2)),
        family_options={"grouped": False}, info={"n_rows": 20},
    )  # fmt: skip
    assert path.criteria().df.tolist() == [2.0, 5.0]
    assert path.criteria(gamma=0.5).ebic[1] - path.criteria().bic[1] == pytest.approx(math.log(6))


# ------------------------------------------------------------------------------------ properties


@given(seed=st.integers(0, 999), l1_ratio=st.sampled_from([0.0, 0.5, 1.0]))
def test_frequencies_are_repeated_rows(seed, l1_ratio):
    rng = np.random.default_rng(seed)
    X, w = rng.standard_normal((15, 4)), rng.integers(0, 4, 15)
    w[:3] = 1
    y = X[:, 0] + rng.standard_normal(15)
    repeated = X.repeat(w, axis=0), y.repeat(w)
    options = {"l1_ratio": l1_ratio, "lambdas": [0.3, 0.1, 0.01], "tol": 1e-12}
    path = regpath.fit_path(X, y, sample_weight=w, **options)
    expected = regpath.fit_path(*repeated, **options).criteria(*repeated)
    same(path.criteria(X, n_observations=w.sum()), expected, rtol=1e-5)
    scaled = regpath.fit_path(X, y, sample_weight=w / 7, **options)
    same(scaled.criteria(X), path.criteria(X), rtol=1e-8)
    assert scaled.criteria(X).n_observations == np.count_nonzero(w)


@pytest.mark.parametrize("family", ["poisson", "gamma", "cox"])
def test_frequencies_in_other_families(rng, family):
    X, w = rng.standard_normal((25, 3)), rng.integers(1, 4, 25)
    y = rng.gamma(2.0, np.exp(0.3 * X[:, 0])).round(1) + 0.1
    if family == "cox":
        y = np.column_stack([y, np.arange(25) % 3 > 0])
    options = {"family": family, "lambdas": [0.1, 0.02], "tol": 1e-12, "l1_ratio": 0.7}
    path = regpath.fit_path(X, y, sample_weight=w, **options)
    repeated = X.repeat(w, axis=0), y.repeat(w, axis=0)
    expected = regpath.fit_path(*repeated, **options).criteria(*repeated)
    found = path.criteria(X, y, n_observations=w.sum())
    assert found.n_observations == pytest.approx(expected.n_observations)
    same(found, expected, rtol=1e-5)


@given(
    seed=st.integers(0, 999),
    l1_ratio=st.sampled_from([0.0, 0.5, 1.0]),
    factor=st.sampled_from([1e-6, 3.0, 1e5]),
)
def test_scale_and_order_do_not_matter(seed, l1_ratio, factor):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((20, 5))
    y = X[:, 0] + rng.standard_normal(20)
    lambdas = np.array([0.3, 0.1, 0.01])
    options = {"l1_ratio": l1_ratio, "tol": 1e-12}
    first = regpath.fit_path(X, y, lambdas=lambdas, **options).criteria(X)
    rows, columns = rng.permutation(20), rng.permutation(5)
    moved = X[np.ix_(rows, columns)]
    same(
        regpath.fit_path(moved, y[rows], lambdas=lambdas, **options).criteria(moved),
        first,
        rtol=1e-6,
    )
    if l1_ratio not in (0.0, 1.0):
        return  # lambda scales the one part of the penalty with y and not the other
    grid = lambdas * factor**l1_ratio
    scaled = regpath.fit_path(X, y * factor, lambdas=grid, **options).criteria(X)
    for name in ("aic", "aicc", "bic", "ebic"):
        shift = getattr(scaled, name) - getattr(first, name)
        assert_allclose(shift, 40 * np.log(factor), rtol=1e-6, atol=1e-5)
    assert_allclose(scaled.cp, first.cp, rtol=1e-5, atol=1e-5)
    assert_allclose(scaled.gcv, first.gcv * factor**2, rtol=1e-6)


@pytest.mark.parametrize("family", ["gaussian", "poisson", "multinomial", "cox"])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_sparse_is_dense(rng, family, l1_ratio):
    X = rng.integers(1, 4, (30, 6)) * (rng.random((30, 6)) < 0.4) * 1.0
    y = FITS["poisson"][1](rng, 0.2 * X[:, 0])
    y = np.column_stack([y, np.arange(30) % 2]) if family == "cox" else np.minimum(y, 3.0)
    path = regpath.fit_path(X, y, family=family, l1_ratio=l1_ratio, lambdas=[0.1, 0.01])
    expected = path.criteria(X, y)
    same(path.criteria(sparse.csr_array(X), y), expected, rtol=1e-9)
    same(path.criteria(pd.DataFrame(X), y), expected, rtol=1e-12)


# --------------------------------------------------------------------- what is not defined


def test_saturated_models_are_never_chosen(rng):
    X, y = rng.standard_normal((10, 30)), rng.standard_normal(10)
    path = regpath.lasso_path(X, y, lambda_min_ratio=1e-9, tol=1e-12)
    found = path.criteria()
    full = found.df >= 10
    assert full.any()
    for name in ("aic", "aicc", "bic", "ebic", "gcv"):
        values = getattr(found, name)
        assert not np.isnan(values).any()
        assert np.isinf(values[full]).all()
        assert found.df[found.best(name)] < 10
    assert np.isinf(found.aicc[found.df == 9]).all()
    assert np.isnan(found.noise_variance)
    assert np.isinf(found.cp).all()
    with pytest.raises(ValueError, match=r"best\('cp'\): .* pass noise_variance="):
        path.select("cp")
    assert path.select("cp", noise_variance=1.0).n_nonzero < 10
    assert "cp    not defined" in repr(found)


def test_of_perfect_fits_the_most_penalised_one(rng):
    X = rng.standard_normal((20, 4))
    constant = regpath.lasso_path(X, np.full(20, 3.0), lambdas=[1.0, 0.1])
    for rule in ("aic", "aicc", "bic", "ebic", "gcv"):
        assert constant.select(rule).index == 0
    exact = regpath.lasso_path(X, X[:, 0], lambdas=[0.5, 0.1, 1e-15, 0.0], tol=1e-15)
    found = exact.criteria()
    assert found.aic[2] == found.aic[3] == -np.inf
    assert found.best("aic") == found.best("aicc") == 2
    ridge = regpath.ridge_path(X[:3], np.arange(3.0), lambdas=[1.0, 0.0])
    assert not np.isnan(ridge.criteria(X[:3]).aic).any()
    assert ridge.select("aic", X[:3]).index == 0


def test_ties_go_to_the_larger_lambda():
    values = {name: [2.0, 1.0, 1.0] for name in RULES}
    found = Criteria(
        lambdas=[3.0, 2.0, 1.0], df=[1.0, 2.0, 2.0], n_observations=9.0, gamma=0.5,
        noise_variance=1.0, **values,
    )  # fmt: skip
    assert [found.best(name) for name in RULES] == [1] * 6
    nearly = Criteria(
        lambdas=[3.0, 2.0, 1.0], df=[1.0, 2.0, 2.0], n_observations=9.0, gamma=0.5,
        noise_variance=1.0, **{name: [4.0, 0.1 + 0.2, 0.3] for name in RULES},
    )  # fmt: skip
    assert [nearly.best(name) for name in RULES] == [1] * 6


def test_one_lambda_and_none(prostate):
    one = regpath.lasso_path(*prostate, lambdas=[0.1]).criteria()
    assert one.best("bic") == 0
    assert "Criteria of 1 lambda from 0.1 to 0.1, 97 observations" in repr(one)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda path: path.select("hqic"), r"^Path.select\('hqic'\): the criteria are aic"),
        (lambda path: path.criteria().best("df"), r"^Criteria.best\('df'\): the criteria are aic"),
        (lambda path: path.criteria(gamma=-1.0), r"gamma=-1.0\): gamma must lie between"),
        (lambda path: path.criteria(noise_variance=0.0), r"noise_variance=0.0\)"),
        (lambda path: path.criteria(n_observations=np.inf), r"n_observations=inf\)"),
    ],
)
def test_wrong_options_are_refused(lasso, call, message):
    with pytest.raises(ValueError, match=message):
        call(lasso)


@pytest.mark.parametrize("name", ["gamma", "noise_variance", "n_observations"])
@pytest.mark.parametrize("value", ["a", True, [1.0]], ids=str)
def test_options_that_are_no_numbers(lasso, name, value):
    with pytest.raises(TypeError, match=rf"criteria.*{name}=.*must be a number"):
        lasso.criteria(**{name: value})


def test_missing_and_other_data_are_refused(prostate):
    X, y = prostate
    net = regpath.enet_path(X, y, n_lambdas=3)
    with pytest.raises(ValueError, match=r"l1_ratio=0.5 are a trace over the data; pass X=,"):
        net.criteria()
    with pytest.raises(ValueError, match=r"X has shape \(96, 8\); .* \(97, 8\)"):
        net.criteria(X[1:])
    several = regpath.lasso_path(X, np.column_stack([y, y]), family="multigaussian", n_lambdas=3)
    with pytest.raises(ValueError, match=r"a grouped penalty are .* pass X= and y="):
        several.criteria(X)
    logistic = regpath.ridge_path(X, y > 2, family="binomial", n_lambdas=3)
    with pytest.raises(ValueError, match=r"^Path.criteria\(y=...\)"):
        logistic.criteria(X, np.full(97, np.nan))
    with pytest.raises(ValueError, match="does not know its number of rows"):
        make_path().criteria()
    tiny = regpath.lasso_path(X, y * 1e-170, n_lambdas=3)
    with pytest.raises(ValueError, match="has left the range of numbers"):
        tiny.criteria()


def test_rows_are_known_from_settings_and_data(rng):
    weighted = make_path(settings=Settings(sample_weight=[1.0, 0.0, 2.0]))
    assert weighted.criteria().n_observations == 2
    assert make_path().criteria(np.zeros((7, 6))).n_observations == 7
    assert make_path(settings=Settings(offset=np.zeros(5))).criteria().n_observations == 5


# ------------------------------------------------------------------------------------ the result


def test_the_chosen_point(lasso):
    point = lasso.select("bic")
    found = lasso.criteria()
    assert point.index == found.best("bic") == np.argmin(found.bic)
    assert_array_equal(point.coef, lasso.coefs[:, point.index])
    assert point.lambda_ == lasso.lambdas[point.index]


def test_a_value_and_a_table(lasso):
    found = lasso.criteria()
    with pytest.raises(ValueError, match="read-only"):
        found.aic[0] = 1.0
    frame = found.to_frame()
    assert list(frame.columns) == ["lambda", "df", *RULES]
    assert_array_equal(frame["ebic"], found.ebic)
    assert found.to_frame("polars").shape == (40, 8)
    lines = repr(found).split("\n")
    assert len(lines) == 8
    assert len(set(map(len, lines[1:]))) == 1
    assert lines[4].split()[:2] == ["bic", str(found.best("bic"))]

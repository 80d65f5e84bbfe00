"""Responses and columns at the edge, for the families other than gaussian."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

import regpath
from regpath import ConvergenceWarning, Status, families
from regpath.families import Binomial, Cox, Huber, Multinomial, Tweedie

TOL = 1e-8
N = 40
L1_RATIOS = {"lasso": 1.0, "elastic net": 0.5, "ridge": 0.0, "almost ridge": 1e-12}
ratios = pytest.mark.parametrize("l1_ratio", L1_RATIOS.values(), ids=L1_RATIOS)


def make_columns(n=N, p=6, seed=3):
    return np.random.default_rng(seed).standard_normal((n, p))


def make_y(kind, X):
    """A response without separation."""
    rng = np.random.default_rng(5)
    eta = 0.7 * X[:, 0] - 0.4 * X[:, 1 % X.shape[1]]
    n = len(X)
    return {
        "binomial": lambda: (eta + rng.logistic(size=n) > 0).astype(float),
        "poisson": lambda: rng.poisson(np.exp(eta + 0.5)).astype(float),
        "gamma": lambda: rng.gamma(2.0, np.exp(eta)),
        "tweedie": lambda: rng.gamma(2.0, np.exp(eta)) * (rng.random(n) < 0.7),
        "huber": lambda: eta + rng.standard_t(2, n),
        "multinomial": lambda: np.argmax(eta[:, None] * [1, 0, -1] + rng.gumbel(size=(n, 3)), 1),
        "multigaussian": lambda: eta[:, None] * [1, -0.5] + rng.standard_normal((n, 2)),
        "cox": lambda: np.column_stack([rng.exponential(np.exp(-eta)) + 0.01, rng.random(n) < 0.7]),
    }[kind]()


KINDS = ["binomial", "poisson", "gamma", "tweedie", "huber", "multinomial", "multigaussian", "cox"]
every_family = pytest.mark.parametrize("family", KINDS)


def assert_certified(path, X, y, tol=TOL):
    assert np.isfinite(path.coefs).all()
    assert np.isfinite(path.intercepts).all()
    assert all(status.ok for status in path.statuses)
    assert path.dual_gaps.max() <= tol
    assert path.certify(X, y).dual_gaps.max() <= tol * 1.01 + 1e-12


# ------------------------------------------------------------------------------------------ errors

COUNTS = np.arange(N, dtype=float)
TIMES = np.column_stack([COUNTS + 1, np.ones(N)])
HALVES = np.repeat([0.0, 1.0], N // 2)


def changed(values, index, value):
    values = np.array(values, dtype=float)
    values[index] = value
    return values


def times(column, value, *, start=False):
    y = np.column_stack([COUNTS, TIMES]) if start else TIMES
    return changed(y, (7, column), value)


FIELDS = np.zeros(N, dtype=[("time", float), ("dead", bool)])
THIRDS = np.tile([0.5, 0.25, 0.25], (N, 1))

# Family, response, other options, type of the error, and what its message must say.
ERRORS = {
    "one class": (
        "binomial",
        np.ones(N),
        {},
        ValueError,
        r"1 label in 40 rows \(1.0\).*exactly two",
    ),
    "three classes": ("binomial", COUNTS % 3, {}, ValueError, r"3 labels in 40 rows.*multinomial"),
    "NaN label": ("binomial", changed(HALVES, 7, np.nan), {}, ValueError, r"1 of 40.*NaN.*index 7"),
    "mixed labels": (
        "binomial",
        np.array(["a", 1] * 20, object),
        {},
        TypeError,
        r"mixed.*int, str",
    ),
    "mixed list": ("multinomial", ["a", 1] * 20, {}, TypeError, r"mixed.*int, str"),
    **{
        f"missing, {kind}": ("binomial", y, {}, ValueError, rf"{many} missing.*index 2.*drop")
        for kind, y, many in (
            ("list", ["a", "b", None, "b"] * 10, "10 of 40 values are"),
            ("objects", np.array([1, 2, None, 2] * 10, object), "10 of 40 values are"),
            ("masked", np.ma.masked_equal(np.arange(N), 2), "1 of 40 values is"),
            (
                "pandas",
                pd.Series([True, False, None, True] * 10, dtype="boolean"),
                "10 of 40 values are",
            ),
            (
                "category",
                pd.Series(["a", "b", None, "b"] * 10, dtype="category"),
                "10 of 40 values are",
            ),
            ("polars", pl.Series([True, False, None, True] * 10), "10 of 40 values are"),
        )
    },
    "huge label": ("binomial", [2**70, 1] * 20, {}, ValueError, r"1180591.*64 bits.*strings"),
    "sparse labels": ("binomial", sparse.csr_array(HALVES[:, None]), {}, TypeError, r"toarray"),
    "sparse shares": ("multinomial", sparse.csr_array(THIRDS), {}, TypeError, r"toarray"),
    "sparse times": ("cox", sparse.csr_array(TIMES), {}, TypeError, r"toarray"),
    "complex labels": ("binomial", HALVES * 1j, {}, TypeError, r"dtype complex128"),
    "label matrix": ("binomial", np.ones((N, 2)), {}, ValueError, r"\(40, 2\).*one dimension"),
    "few labels": ("binomial", [0, 1], {}, ValueError, r"2 values for the 40 rows"),
    "negative count": (
        "poisson",
        changed(COUNTS, 3, -1),
        {},
        ValueError,
        r"1 of 40.*index 3.*>= 0",
    ),
    "negative counts": ("poisson", -COUNTS, {}, ValueError, r"39 of 40 values are negative"),
    "NaN count": ("poisson", changed(COUNTS, 3, np.nan), {}, ValueError, r"1 of 40.*NaN.*index 3"),
    "inf count": ("poisson", changed(COUNTS, 3, np.inf), {}, ValueError, r"1 of 40.*infinite"),
    "no counts": ("poisson", np.zeros(N), {}, ValueError, r"all 40 values are 0.*intercept"),
    "text counts": ("poisson", ["a"] * N, {}, TypeError, r"y"),
    "gamma zero": ("gamma", COUNTS, {}, ValueError, r"1 of 40 values is not positive.*> 0"),
    "tweedie negative": ("tweedie", -COUNTS, {}, ValueError, r"39 of 40 values are negative"),
    "tweedie zeros": ("tweedie", np.zeros(N), {}, ValueError, r"all 40 values are 0"),
    "power 1": (Tweedie(1.0), COUNTS, {}, ValueError, r"between 1 and 2.*poisson"),
    "power 2.5": (Tweedie(2.5), COUNTS, {}, ValueError, r"between 1 and 2.*gamma"),
    "power NaN": (Tweedie(np.nan), COUNTS, {}, ValueError, r"between 1 and 2"),
    "delta 0": (Huber(0.0), COUNTS, {}, ValueError, r"delta must be a finite number > 0"),
    "delta inf": (Huber(np.inf), COUNTS, {}, ValueError, r"delta must be a finite number > 0"),
    "link": (Binomial(link="cauchit"), HALVES, {}, ValueError, r"'logit' or 'probit'"),
    "ties": (Cox(ties="exact"), TIMES, {}, ValueError, r"'breslow' or 'efron'"),
    "huber NaN": ("huber", changed(COUNTS, 0, np.nan), {}, ValueError, r"1 of 40.*NaN.*index 0"),
    "multinomial one": ("multinomial", ["a"] * N, {}, ValueError, r"1 label in 40 rows \('a'\)"),
    "no proportions": ("multinomial", 2 * THIRDS, {}, ValueError, r"40 of 40.*sum to 1"),
    "negative share": (
        "multinomial",
        changed(THIRDS, 7, [1.5, -0.5, 0]),
        {},
        ValueError,
        r"1 of 40 values is not proportions.*index 7",
    ),
    "unused class": ("multinomial", np.eye(3)[[0, 1] * 20], {}, ValueError, r"no observations"),
    "proportions of 39": ("multinomial", THIRDS[1:], {}, ValueError, r"39 rows for the 40"),
    "several NaN": (
        "mgaussian",
        changed(THIRDS, (9, 1), np.nan),
        {},
        ValueError,
        r"1 of 40.*NaN.*index 9",
    ),
    "several, short": ("mgaussian", THIRDS[1:], {}, ValueError, r"\(39, 3\).*\(40, K\)"),
    "no events": ("cox", TIMES * [1, 0], {}, ValueError, r"none of 40 rows has an event"),
    "time 0": ("cox", times(0, 0), {}, ValueError, r"1 of 40.*positive time.*index 7"),
    "start after stop": (
        "cox",
        times(0, 99, start=True),
        {},
        ValueError,
        r"1 of 40.*before its stop.*index 7.*start < stop",
    ),
    "event 2": ("cox", times(1, 2), {}, ValueError, r"1 of 40.*neither 0 nor 1.*index 7"),
    "time NaN": ("cox", times(0, np.nan), {}, ValueError, r"1 of 40.*NaN.*index 7"),
    "one column": ("cox", COUNTS + 1, {}, ValueError, r"\(40,\).*\(40, 2\), time and event"),
    "four columns": ("cox", np.ones((N, 4)), {}, ValueError, r"\(40, 4\).*\(40, 3\)"),
    "short times": ("cox", TIMES[1:], {}, ValueError, r"\(39, 2\)"),
    "fields": ("cox", FIELDS, {}, ValueError, r"fields \('time', 'dead'\).*\(time, event\)"),
    "strata": (Cox(strata=[1, 2]), TIMES, {}, ValueError, r"strata has shape \(2,\).*40 rows"),
    "strata NaN": (
        Cox(strata=changed(HALVES, 7, np.nan)),
        TIMES,
        {},
        ValueError,
        r"strata=.*1 of 40 values is NaN.*index 7",
    ),
    "strata missing": (
        Cox(strata=np.array([None, "a"] * 20, object)),
        TIMES,
        {},
        ValueError,
        r"strata=.*20 of 40 values are missing.*index 0",
    ),
    "strata mixed": (Cox(strata=["a", 1] * 20), TIMES, {}, TypeError, r"strata=.*mixed.*int, str"),
    "offset spread": (
        "cox",
        TIMES,
        {"offset": 10 * COUNTS},
        ValueError,
        r"spread over 390.*allows 300",
    ),
    "offset shape": (
        "multinomial",
        COUNTS % 3,
        {"offset": np.ones((N, 2))},
        ValueError,
        r"\(40, 3\)",
    ),
    "grouped limits": (
        Multinomial(grouped=True),
        COUNTS % 3,
        {"lower": 0.0},
        ValueError,
        r"lower=.*grouped=False",
    ),
    "unknown family": ("weibull", COUNTS, {}, ValueError, r"no such family; available.*'cox'"),
    "a class": (families.Poisson, COUNTS, {}, TypeError, r"instance from regpath.families"),
}


@pytest.mark.parametrize(("family", "y", "options", "error", "says"), ERRORS.values(), ids=ERRORS)
def test_errors(family, y, options, error, says):
    with pytest.raises(error, match=rf"(?s)^fit_path\(.*{says}"):
        regpath.fit_path(make_columns(), y, family=family, **options)


# ------------------------------------------------------------------------------------------ labels


class TestLabels:
    @pytest.mark.parametrize(
        "labels",
        [(0, 1), (1, 2), (-1, 1), (False, True), ("no", "yes"), (0.5, 7.25), (b"a", b"b")],
        ids=repr,
    )
    def test_two_of_any_kind(self, labels):
        X = make_columns()
        y = make_y("binomial", X)
        reference = regpath.lasso_path(X, y, family="binomial", n_lambdas=5, tol=TOL)
        named = np.array(labels)[y.astype(int)]
        path = regpath.lasso_path(X, named, family="binomial", n_lambdas=5, tol=TOL)
        np.testing.assert_array_equal(path.coefs, reference.coefs)
        assert path.classes.tolist() == list(labels)
        predicted = path.predict(X, path.lambdas[-1], type="class")
        assert predicted.dtype == named.dtype
        probability = reference.predict(X, path.lambdas[-1])
        np.testing.assert_array_equal(predicted == np.array(labels)[1], probability > 0.5)

    @pytest.mark.parametrize("family", ["binomial", "multinomial"])
    @pytest.mark.parametrize("frame", ["pandas", "polars"])
    def test_series_and_categoricals(self, family, frame):
        library = pytest.importorskip(frame)
        X = make_columns()
        names = np.array(["low", "mid", "top"])[make_y(family, X).astype(int)]
        reference = regpath.lasso_path(X, names, family=family, n_lambdas=4, tol=TOL)
        kind = "category" if frame == "pandas" else library.Categorical
        for dtype in (None, kind):
            y = library.Series(names.tolist(), dtype=dtype)
            path = regpath.lasso_path(X, y, family=family, n_lambdas=4, tol=TOL)
            np.testing.assert_array_equal(path.coefs, reference.coefs)
            assert path.classes.tolist() == reference.classes.tolist()

    def test_proportions_are_trials_with_weights(self):
        """Binomial counts k of m: one row of weight m, or m rows of weight 1."""
        X, rng = make_columns(), np.random.default_rng(0)
        trials = rng.integers(1, 5, N)
        hits = rng.binomial(trials, 0.4)
        one = regpath.lasso_path(
            X, hits / trials, family="binomial", sample_weight=trials, n_lambdas=5, tol=TOL
        )
        single = np.concatenate([np.arange(m) < k for k, m in zip(hits, trials, strict=True)])
        many = regpath.lasso_path(
            np.repeat(X, trials, axis=0), single, family="binomial", lambdas=one.lambdas, tol=TOL
        )
        np.testing.assert_allclose(one.coefs, many.coefs, atol=1e-4)
        assert one.classes is None

    def test_a_third_label_in_a_row_of_weight_zero(self):
        X = make_columns()
        y = make_y("binomial", X)
        y[4] = 9
        weights = (np.arange(N) != 4).astype(float)
        path = regpath.lasso_path(X, y, family="binomial", sample_weight=weights, n_lambdas=4)
        assert path.classes.tolist() == [0, 1]
        assert_certified(path, X, y, 1e-6)


# -------------------------------------------------------------------------------------- separation


class TestSeparation:
    """Classes that a hyperplane separates: deviance 0 is approached, never reached."""

    @pytest.mark.parametrize("family", ["binomial", "multinomial", Binomial(link="probit")])
    @ratios
    def test_penalised_paths_are_certified(self, family, l1_ratio):
        X = make_columns()
        y = (X[:, 0] > 0).astype(int)
        path = regpath.fit_path(X, y, family=family, l1_ratio=l1_ratio, n_lambdas=30)
        assert_certified(path, X, y, 1e-6)
        assert path.dev_ratio[-1] > (0.9 if l1_ratio == 1 else 0.3)
        assert (path.predict(X, path.lambdas[-1], type="class") == y).mean() > 0.9

    @pytest.mark.parametrize("family", ["binomial", "multinomial"])
    def test_without_a_penalty_it_is_said(self, family):
        X = make_columns()
        y = (X[:, 0] > 0).astype(int)
        path = regpath.lasso_path(X, y, family=family, lambdas=[0.01, 0.0])
        assert path.statuses == (Status.CONVERGED, Status.SEPARATED)
        assert np.isfinite(path.coefs).all()
        assert path.dev_ratio[-1] >= 1 - 1e-6
        assert (path.predict(X, 0.0, type="class") == y).all()

    def test_monotone_likelihood(self):
        """The one with the largest covariate dies first, always: no finite maximum."""
        X = make_columns()
        order = np.argsort(np.argsort(-X[:, 0]))
        y = np.column_stack([order + 1.0, np.ones(N)])
        penalised = regpath.lasso_path(X, y, family="cox", n_lambdas=20, lambda_min_ratio=1e-2)
        assert_certified(penalised, X, y, 1e-6)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            path = regpath.lasso_path(X, y, family="cox", lambdas=[0.1, 0.0])
        assert np.isfinite(path.coefs).all()
        assert path.certify(X, y).dual_gaps[-1] <= 1e-6 or not path.statuses[-1].ok
        assert path.dev_ratio[-1] > 0.99

    def test_monotone_likelihood_to_the_end_of_the_grid(self):
        X = make_columns()
        y = np.column_stack([np.argsort(np.argsort(-X[:, 0])) + 1.0, np.ones(N)])
        path = regpath.lasso_path(X, y, family="cox", n_lambdas=20)
        assert_certified(path, X, y, 1e-6)

    @pytest.mark.parametrize("l1_ratio", [1.0, 0.0])
    @pytest.mark.parametrize("family", ["binomial", "multinomial", Multinomial(grouped=True)])
    def test_more_features_than_rows_without_a_penalty(self, family, l1_ratio):
        X = make_columns(12, 30)
        y = np.arange(12) % (2 if family == "binomial" else 3)
        path = regpath.fit_path(X, y, family=family, l1_ratio=l1_ratio, lambdas=[0.05, 0.0])
        assert path.statuses[-1] is Status.SEPARATED
        assert path.n_iters[-1] <= 20
        assert path.certify(X, y).dual_gaps[-1] <= 1e-6

    @pytest.mark.parametrize("lambda_", [1e-9, 0.0])
    @pytest.mark.parametrize("family", ["multinomial", Multinomial(grouped=True)])
    def test_three_classes_in_a_row(self, family, lambda_):
        X = make_columns()
        y = np.digitize(X[:, 0], [-0.5, 0.5])
        for factor in (None, [0.0, 1, 1, 1, 1, 1]):
            path = regpath.lasso_path(
                X, y, family=family, lambdas=[0.01, lambda_], penalty_factor=factor
            )
            assert path.statuses[-1] is Status.SEPARATED
            assert path.n_iters[-1] <= 20


# ----------------------------------------------------------------------------------------- counts


class TestCounts:
    def test_all_zero_without_intercept(self):
        """Columns of one sign are driven to -infinity, the others to the best they can do."""
        X = make_columns()
        path = regpath.lasso_path(
            X, np.zeros(N), family="poisson", fit_intercept=False, n_lambdas=5
        )
        assert_certified(path, X, np.zeros(N), 1e-6)
        assert path.coefs.any()

    @pytest.mark.parametrize("value", [1.0, 3.0, 1e6])
    def test_constant(self, value):
        X = make_columns()
        path = regpath.lasso_path(X, np.full(N, value), family="poisson", n_lambdas=4)
        assert not path.coefs.any()
        np.testing.assert_allclose(path.intercepts, np.log(value), atol=1e-12)
        assert path.lambdas.size == 4
        assert np.isfinite(path.dev_ratio).all()

    @ratios
    def test_huge(self, l1_ratio):
        X = make_columns()
        y = np.round(1e6 * np.exp(X[:, 0]))
        path = regpath.fit_path(X, y, family="poisson", l1_ratio=l1_ratio, n_lambdas=20)
        assert_certified(path, X, y, 1e-6)
        if l1_ratio == 1:
            assert path.coefs[0, -1] == pytest.approx(1.0, abs=1e-2)

    def test_one_count_among_zeros(self):
        X = make_columns()
        y = np.zeros(N)
        y[3] = 1
        path = regpath.lasso_path(X, y, family="poisson", n_lambdas=20)
        assert_certified(path, X, y, 1e-6)

    @pytest.mark.parametrize("delta", [1e-3, 1e-6])
    def test_huber_near_least_absolute_deviations(self, delta):
        X = make_columns()
        y = make_y("huber", X)
        path = regpath.lasso_path(X, y, family=Huber(delta), n_lambdas=5, lambda_min_ratio=0.1)
        assert_certified(path, X, y, 1e-6)
        # All but a few residuals are beyond delta: the intercept is a median.
        assert np.median(y - path.intercepts[0]) == pytest.approx(0, abs=0.2)


# ---------------------------------------------------------------------------------------- columns


class TestColumns:
    @every_family
    def test_duplicate_and_constant(self, family):
        X = make_columns()
        y = make_y(family, X)
        X = np.column_stack([X, X[:, 0], -X[:, 1], np.full(N, 3.0)])
        for l1_ratio in (1.0, 0.0):
            path = regpath.fit_path(X, y, family=family, l1_ratio=l1_ratio, n_lambdas=8, tol=TOL)
            assert_certified(path, X, y)
            assert not path.coefs[..., -1, :].any()
            assert path.info["constant_columns"] == [8]
        np.testing.assert_allclose(path.coefs[..., 0, :], path.coefs[..., 6, :], atol=1e-3)

    @every_family
    @pytest.mark.parametrize("scale", [1e-100, 1e100])
    def test_scale(self, family, scale):
        X = make_columns()
        y = make_y(family, X)
        reference = regpath.lasso_path(X, y, family=family, n_lambdas=6, tol=TOL)
        path = regpath.lasso_path(X * scale, y, family=family, n_lambdas=6, tol=TOL)
        assert_certified(path, X * scale, y)
        np.testing.assert_allclose(path.lambdas, reference.lambdas, rtol=1e-9)
        np.testing.assert_allclose(path.coefs * scale, reference.coefs, atol=1e-4)

    @pytest.mark.parametrize("scale", [1e-100, 1e-14, 1e14, 1e100])
    @pytest.mark.parametrize("name", ["poisson", "tweedie"])
    def test_scale_of_the_response(self, name, scale):
        """Losses are solved in units of their own curvature, whatever the unit of y is."""
        X, y = make_columns(), make_y(name, make_columns())
        free = {"penalty_factor": np.r_[0.0, np.ones(X.shape[1] - 1)], "n_lambdas": 6, "tol": TOL}
        family = regpath.families.Tweedie(1.5) if name == "tweedie" else name
        reference = regpath.lasso_path(X, y, family=family, **free)
        path = regpath.lasso_path(X, y * scale, family=family, **free)
        assert_certified(path, X, y * scale)
        power = 0.5 if name == "tweedie" else 1.0
        np.testing.assert_allclose(path.lambdas, reference.lambdas * scale**power, rtol=1e-9)
        np.testing.assert_allclose(path.coefs, reference.coefs, atol=1e-4)
        np.testing.assert_allclose(path.intercepts - np.log(scale), reference.intercepts, atol=1e-4)
        assert path.kkt_violations.max() <= 1e-4

    @pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
    @pytest.mark.parametrize("scale", [1e-100, 1e-9, 1e9, 1e100])
    def test_scale_of_a_robust_regression(self, scale, l1_ratio):
        X, y = make_columns(), make_y("huber", make_columns())
        options = {"l1_ratio": l1_ratio, "n_lambdas": 6, "tol": TOL, "offset": X[:, 1]}
        limits = {"upper": 0.3} if l1_ratio else {}
        reference = regpath.fit_path(X, y, family=regpath.families.Huber(0.4), **options, **limits)
        options["offset"], options["family"] = scale * X[:, 1], regpath.families.Huber(0.4 * scale)
        limits = {"upper": 0.3 * scale} if l1_ratio else {}
        # The ridge part of a penalty has no unit, the lasso part that of the response.
        mixed = {"lambdas": reference.lambdas} if l1_ratio == 0.0 else {}
        path = regpath.fit_path(X, y * scale, **options, **limits, **mixed)
        if l1_ratio == 0.5:
            return assert_certified(path, X, y * scale)
        assert_certified(path, X, y * scale)
        if l1_ratio == 1.0:
            np.testing.assert_allclose(path.lambdas, reference.lambdas * scale, rtol=1e-9)
        np.testing.assert_allclose(path.coefs / scale, reference.coefs, atol=1e-4)
        np.testing.assert_allclose(path.objectives / scale**2, reference.objectives, rtol=1e-4)

    @every_family
    def test_shift(self, family):
        X = make_columns()
        y = make_y(family, X)
        reference = regpath.lasso_path(X, y, family=family, n_lambdas=6, tol=TOL)
        for storage in (np.asfortranarray, sparse.csc_array):
            # Deviations are known to 1e-10 of themselves; what certify allows for that may cost it
            # the best of its dual points.
            path = regpath.lasso_path(storage(X + 1e6), y, family=family, n_lambdas=6)
            assert_certified(path, X + 1e6, y, 3e-6)
            np.testing.assert_allclose(path.coefs, reference.coefs, atol=1e-3)

    @every_family
    @pytest.mark.parametrize("shape", [(2, 1), (3, 1), (3, 5), (40, 1)])
    def test_small(self, family, shape):
        X = make_columns(*shape)
        y = make_y(family, X)
        if family == "binomial":
            y[:2] = [0, 1]
        if family == "multinomial":
            y[:2] = [0, 1]
        if family == "cox":
            y[0, 1] = 1
        if family in ("poisson", "tweedie"):
            y[0] = 1
        path = regpath.enet_path(X, y, family=family, n_lambdas=5, lambda_min_ratio=0.1)
        assert path.lambdas.size == 5
        assert_certified(path, X, y, 1e-6)


def test_huge_rows_of_weight_zero():
    X = make_columns(12, 26, seed=0)
    y = make_y("huber", X)
    weights = np.ones(12)
    weights[5] = 0
    X[5] = np.where(np.arange(26) % 2, 1e300, -1e300)
    path = regpath.lasso_path(X, y, family="huber", sample_weight=weights, lambdas=[0.1, 0.01])
    assert_certified(path, X, y, 1e-6)


class TestMissedTolerance:
    @pytest.mark.parametrize("family", ["binomial", "poisson", "multinomial", "cox"])
    def test_one_warning_counts_the_points(self, family):
        X = make_columns(60, 20) + 2 * make_columns(60, 1, seed=9)
        y = make_y(family, X)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            path = regpath.lasso_path(X, y, family=family, max_iter=1, tol=1e-10, n_lambdas=6)
        missed = [status for status in path.statuses if not status.ok]
        assert missed
        assert set(missed) == {Status.MAX_ITER}
        (warning,) = caught
        assert warning.category is ConvergenceWarning
        assert f"{len(missed)} of 6 points" in str(warning.message)
        # The gap that is reported is a bound even so.
        best = regpath.lasso_path(X, y, family=family, lambdas=path.lambdas, tol=1e-9)
        null = path.null_deviance / 2 / 60
        assert (path.objectives - best.objectives <= path.dual_gaps * null + 1e-12).all()

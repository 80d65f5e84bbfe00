"""Cross-validation of relaxed paths: against cv.glmnet, by hand, rules, and bad input."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest
from archives import through_a_file
from clocks import Clock
from handmade import make_path
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

import regpath
from regpath import Status, families
from regpath.relaxed import RelaxedPath
from regpath.relaxed_cv import RelaxedCV

N, P, K = 60, 6, 4
GAMMAS = (0.0, 0.3, 1.0)
OPTIONS = {"n_lambdas": 8, "lambda_min_ratio": 0.05, "relax": True, "gammas": GAMMAS}
pytestmark = pytest.mark.filterwarnings("ignore::regpath.SelectionWarning")


@pytest.fixture(name="X")
def design(rng):
    X = rng.standard_normal((N, P)) * np.geomspace(0.5, 3.0, P) + 1.0
    X[np.abs(X) < 0.4] = 0.0
    return X


def response(family, X, rng):
    eta = X[:, 0] - 0.4 * X[:, 2] - np.mean(X[:, 0] - 0.4 * X[:, 2])
    noise = rng.standard_normal(N)
    return {
        "gaussian": eta + noise,
        "binomial": (eta + 2.0 * noise > 0.0).astype(int),
        "poisson": rng.poisson(np.exp(0.5 * eta)),
        "multinomial": np.digitize(eta + 2.0 * noise, [-0.7, 0.7]),
        "multigaussian": np.column_stack([eta + noise, noise]),
        "cox": np.column_stack([rng.exponential(np.exp(-eta)) + 0.01, rng.random(N) < 0.7]),
    }[family]


# ------------------------------------------------------------------------------- against cv.glmnet

# R glmnet 4.1-6: cv.glmnet(X, y, foldid = (0:96) %% 5 + 1, relax = TRUE, thresh = 1e-16,
# lambda = ...) of the prostate data with fdev = 0; cvm and cvsd at gamma = 0, 0.5, 1. Its gamma 0
# is 1e-5.
LAMBDAS = [0.8, 0.4, 0.2, 0.1, 0.05, 0.02]
CVM = """
0.618530635  0.778083618  1.26333598   0.635256015  0.650738054  0.772798001
0.561979492  0.553716817  0.58958243   0.563046377  0.552249882  0.554553754
0.543359194  0.54005783   0.547476146  0.553940022  0.545436534  0.541915568
"""
CVSD = """
0.0340189363 0.0561992714 0.111293688  0.0267406958 0.0395760737 0.056804196
0.0473938633 0.0331025616 0.0417175091 0.0510610946 0.0362460847 0.032353623
0.0531059044 0.0418157161 0.0352607382 0.0520175255 0.0467859177 0.0430856369
"""
INTERCEPTS = [1.5072975, 1.5334325, -0.7771566, -0.4136748, 0.5214697, 0.1815608]


@pytest.mark.parametrize("fold_lambdas", ["shared", "glmnet"])  # the same, for lambdas are given
def test_scores_and_choices_of_glmnet(fold_lambdas):
    X, y, _, _ = regpath.datasets.load_prostate()
    folds = np.arange(97) % 5
    options = {"cv": folds, "lambdas": LAMBDAS, "relax": True, "fold_lambdas": fold_lambdas}
    relaxed = regpath.cv_path(X, y, tol=1e-12, **options).relaxed
    assert_array_equal(relaxed.gammas, [0.0, 0.25, 0.5, 0.75, 1.0])
    means, errors = (np.array(text.split(), float).reshape(-1, 3).T for text in (CVM, CVSD))
    assert_allclose(relaxed.mean_scores[::2], means, rtol=1e-5)
    assert_allclose(relaxed.std_errors[::2], errors, rtol=2e-5)
    assert (relaxed.gamma_min, relaxed.lambda_min) == (0.5, 0.05)
    assert (relaxed.gamma_1se, relaxed.lambda_1se) == (0.75, 0.2)
    assert_allclose(relaxed.path.intercepts, INTERCEPTS, atol=1e-6)


# ----------------------------------------------------------------------------------------- by hand


@pytest.mark.parametrize("weighted", [False, True])
def test_scores_are_those_of_relaxed_paths_of_the_training_rows(X, rng, weighted):
    y = response("gaussian", X, rng)
    folds = rng.permutation(np.arange(N) % K)
    w = rng.uniform(0.5, 2.0, N) if weighted else np.ones(N)
    offset = 0.2 * rng.standard_normal(N)
    given = {"sample_weight": w, "offset": offset, "lower": -0.3}
    cv = regpath.cv_path(X, y, cv=folds, tol=1e-12, **given, **OPTIONS)
    for k in range(K):
        rows, held = folds != k, folds == k
        own = {"sample_weight": w[rows], "offset": offset[rows], "lower": -0.3}
        path = regpath.fit_path(X[rows], y[rows], lambdas=cv.lambdas, tol=1e-12, **own)
        relaxed = regpath.relax(path, X[rows], y[rows])
        assert_allclose(cv.relaxed.fold_paths[k].coefs, relaxed.coefs, atol=1e-6)
        for g, gamma in enumerate(GAMMAS):
            error = y[held, None] - relaxed.predict(X[held], gamma=gamma, offset=offset[held])
            scores = np.average(error**2, axis=0, weights=w[held])
            assert_allclose(cv.relaxed.fold_scores[g, k], scores, rtol=1e-6)
    means = np.average(
        cv.relaxed.fold_scores, axis=1, weights=[w[folds == k].sum() for k in range(K)]
    )
    assert_allclose(cv.relaxed.mean_scores, means, rtol=1e-12)
    assert_allclose(cv.relaxed.path.coefs, regpath.relax(cv.path, X, y).coefs, atol=1e-9)


@pytest.mark.parametrize("fold_lambdas", ["shared", "glmnet"])
@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize(
    "family", ["gaussian", "binomial", "poisson", "multinomial", "multigaussian", "cox"]
)
def test_gamma_1_is_the_plain_cross_validation(X, rng, family, grouped, fold_lambdas):
    y = response(family, X, rng)
    options = {"family": family, "grouped": grouped, "fold_lambdas": fold_lambdas}
    cv = regpath.cv_path(X, y, cv=np.arange(N) % K, **options, **OPTIONS)
    relaxed = cv.relaxed
    size = cv.lambdas.size
    assert relaxed.fold_scores.shape == (3, K, size)
    assert_array_equal(relaxed.fold_scores[-1], cv.fold_scores)
    assert_array_equal(relaxed.mean_scores[-1], cv.mean_scores)
    assert_array_equal(relaxed.std_errors[-1], cv.std_errors)
    assert not np.allclose(relaxed.mean_scores[0], cv.mean_scores, rtol=1e-3)
    assert np.isfinite(relaxed.mean_scores).all()
    plain = {k: v for k, v in OPTIONS.items() if k not in ("relax", "gammas")}
    alone = regpath.cv_path(X, y, cv=np.arange(N) % K, **options, **plain)
    assert alone.relaxed is None
    assert_allclose(alone.fold_scores, cv.fold_scores, rtol=1e-12)


def test_interpolation_at_the_lambdas_of_the_whole_path(X, rng):
    """Both parts of a blend are interpolated, in the grid of each fold."""
    y = response("gaussian", X, rng)
    folds = np.arange(N) % K
    cv = regpath.cv_path(X, y, cv=folds, fold_lambdas="glmnet", **OPTIONS)
    for k, own in enumerate(cv.relaxed.fold_paths):
        held = folds == k
        at = np.clip(cv.lambdas, own.lambdas[-1], own.lambdas[0])
        for g, gamma in enumerate(GAMMAS):
            error = y[held, None] - own.predict(X[held], at, gamma=gamma)
            assert_allclose(cv.relaxed.fold_scores[g, k], np.mean(error**2, axis=0), rtol=1e-9)


def test_storage_and_number_of_jobs_do_not_matter(X, rng):
    y = response("binomial", X, rng)
    options = {"family": "binomial", "cv": np.arange(N) % K, "tol": 1e-10, **OPTIONS}
    one = regpath.cv_path(X, y, n_jobs=1, n_threads=1, **options).relaxed
    two = regpath.cv_path(X, y, n_jobs=3, n_threads=2, **options).relaxed
    assert_allclose(two.fold_scores, one.fold_scores, rtol=1e-12)
    other = regpath.cv_path(sparse.csc_array(X), y, **options).relaxed
    assert_allclose(other.fold_scores, one.fold_scores, rtol=1e-5)


def test_ridge_refits_all_features(X, rng):
    y = response("gaussian", X, rng)
    folds = np.arange(N) % K
    relaxed = regpath.cv_path(X, y, l1_ratio=0.0, cv=folds, **OPTIONS).relaxed
    assert_allclose(np.ptp(relaxed.mean_scores[0]), 0.0, atol=1e-12)
    glmnet = regpath.cv_path(X, y, l1_ratio=0.0, cv=folds, fold_lambdas="glmnet", **OPTIONS)
    # There each fold begins at the null model, of which the second lambda may have a share.
    assert_allclose(glmnet.relaxed.mean_scores[0, 2:], relaxed.mean_scores[0, 2:], rtol=1e-9)
    assert glmnet.relaxed.mean_scores[0, 0] > 1.2 * relaxed.mean_scores[0, 0]


def test_a_path_that_ends_early_is_relaxed_as_far_as_it_goes(X, rng):
    y = response("gaussian", X, rng)
    cv = regpath.cv_path(X, y, cv=K, random_state=0, max_features=2, **OPTIONS)
    size = cv.lambdas.size
    assert 1 < size < 8
    assert cv.relaxed.mean_scores.shape == (3, size)
    assert cv.relaxed.path.coefs.shape == (P, size)
    short = cv.shortened(2)
    assert short.relaxed.lambdas.size == 2
    assert_array_equal(short.relaxed.mean_scores, cv.relaxed.mean_scores[:, :2])


@pytest.mark.parametrize("fold_lambdas", ["shared", "glmnet"])
@pytest.mark.parametrize("family", ["gaussian", "binomial"])
def test_refits_end_with_the_time_budget(X, rng, monkeypatch, family, fold_lambdas):
    """What all paths have reached is judged; the paths themselves are whole."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    y = response(family, X, rng)
    options = OPTIONS | {"n_lambdas": 30, "family": family, "fold_lambdas": fold_lambdas}
    options |= {"cv": np.arange(N) % K, "n_jobs": 1}
    looks = []
    for relax in (False, True):
        before = next(clock.looks)
        whole = regpath.cv_path(X, y, **options | {"relax": relax, "time_budget": 1e9})
        looks.append(clock.now - before)
    budget = looks[0] + 0.8 * (looks[1] - looks[0])
    cv = regpath.cv_path(X, y, **options, time_budget=budget)
    size = cv.relaxed.lambdas.size
    assert cv.lambdas.size == 30
    assert 1 <= size < 30
    assert cv.relaxed.mean_scores.shape == (3, size)
    if size > 1 or fold_lambdas == "shared":  # a fold alone may begin above the whole path
        assert_allclose(cv.relaxed.mean_scores, whole.relaxed.mean_scores[:, :size], rtol=1e-9)
    assert cv.relaxed.path.statuses[-1] is Status.TIME_BUDGET
    assert Status.TIME_BUDGET not in cv.path.statuses
    if fold_lambdas == "shared":
        assert {path.lambdas.size for path in cv.relaxed.fold_paths} == {size}
    assert cv.relaxed.at("min").index < size
    again = through_a_file(cv)
    assert_array_equal(again.relaxed.mean_scores, cv.relaxed.mean_scores)
    assert cv.shortened(2).relaxed.lambdas.size == min(2, size)
    cv.summary()


def test_folds_whose_classes_are_separated_are_finite(X):
    y = X[:, 0] > X[:, 0].mean()
    cv = regpath.cv_path(X, y, family="binomial", cv=np.arange(N) % K, **OPTIONS)
    assert Status.SEPARATED in cv.relaxed.fold_paths[0].statuses
    assert np.isfinite(cv.relaxed.mean_scores).all()


def test_one_warning_for_all_refits(X, rng, monkeypatch):
    y = response("poisson", X, rng)
    from regpath import _refits

    class Missed(_refits._Refitter):
        def refit(self, features, deadline):
            return super().refit(features, deadline)._replace(status=Status.ROUNDING)

    monkeypatch.setattr(_refits, "_Refitter", Missed)
    with pytest.warns(regpath.ConvergenceWarning, match="cv_path: 40 of 40 refits miss") as told:
        regpath.cv_path(X, y, family="poisson", cv=np.arange(N) % K, **OPTIONS)
    assert len(told) == 1
    assert told[0].filename == __file__


def test_an_interrupt_while_refitting_is_passed_on(X, rng, monkeypatch):
    from regpath import _refits

    def interrupted(self, features, deadline):
        raise KeyboardInterrupt

    monkeypatch.setattr(_refits._Refitter, "refit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        regpath.cv_path(X, response("gaussian", X, rng), cv=K, **OPTIONS)


# ------------------------------------------------------------------------------------------- rules


def by_hand(means, errors, **changes):
    """Two gammas, five lambdas, one fold."""
    path = make_path()
    relaxed = RelaxedPath(
        path=path,
        coef_storage=2.0 * path.coefs,
        intercepts=np.zeros(5),
        dev_ratio=path.dev_ratio,
        dual_gaps=path.dual_gaps,
        n_iters=path.n_iters,
        statuses=path.statuses,
    )
    values = {
        "path": relaxed,
        "fold_paths": (relaxed,),
        "gammas": [0.0, 0.5],
        "fold_scores": np.array(means)[:, None],
        "mean_scores": means,
        "std_errors": errors,
        "score_label": "made up",
        "greater_is_better": False,
    }
    return RelaxedCV(**(values | changes))


def test_rules():
    means = [[9.0, 3.0, 1.0, 2.0, 1.0], [9.0, 4.0, 2.0, 1.0, 5.0]]
    cv = by_hand(means, np.full((2, 5), 0.5))
    assert cv.index_at("min") == (0, 2)  # of three best ones that of the largest lambda
    assert cv.index_at("1se") == (0, 2)
    cv = by_hand(means, [[0.0, 0.0, 1.0, 0.0, 9.0], [0.0, 0.0, 9.0, 9.0, 0.0]])
    assert cv.index_at("1se") == (1, 2)  # within 1: both gammas at this lambda; the larger one
    assert (cv.gamma_1se, cv.lambda_1se) == (0.5, 0.25)
    assert (cv.gamma_min, cv.lambda_min) == (0.0, 0.25)
    cv = by_hand(means, [[0.0, 0.0, 2.0, 0.0, 9.0], [0.0, 0.0, 9.0, 9.0, 0.0]])
    assert cv.index_at("1se") == (0, 1)
    better = by_hand(-np.array(means), cv.std_errors, greater_is_better=True)
    assert better.index_at("min") == (0, 2)
    assert better.index_at("1se") == (0, 1)
    tied = by_hand([[9.0, 1.0, 1.0, 1.0, 1.0]] * 2, np.zeros((2, 5)))
    assert tied.index_at("min") == (1, 1)
    holes = by_hand([[np.nan, 3.0, 1.0, 2.0, 1.0], [9.0] * 5], np.full((2, 5), np.nan))
    assert holes.index_at("min") == holes.index_at("1se") == (0, 2)
    with pytest.raises(ValueError, match="no fold has a score"):
        by_hand(np.full((2, 5), np.nan), np.zeros((2, 5))).at("min")


def test_equal_but_for_rounding():
    """The most penalised of equal blends, though another has a smaller last digit."""
    means = np.array([[9, 5, 5, 7, 8.0], [9, 5, 5, 7, 8.0]])
    means[0, 1], means[1, 1], means[0, 2] = 5 - 4e-15, 5 + 4e-15, 5 - 8e-15
    cv = by_hand(means, np.zeros((2, 5)))
    assert cv.index_at("min") == cv.index_at("1se") == (1, 1)
    means[1, 1] = 5 + 1e-12
    assert by_hand(means, np.zeros((2, 5))).index_at("min") == (0, 1)


def test_percentages():
    means = [[9.0, 6.0, 4.0, 4.4, 4.0], [9.0, 6.0, 4.1, 5.0, 5.0]]
    cv = by_hand(means, np.zeros((2, 5)))
    expected = {"0%": (0, 2), "2%": (0, 2), "5%": (1, 2), "50.0%": (1, 1), "200%": (1, 0)}
    better = by_hand(-np.array(means), cv.std_errors, greater_is_better=True)
    for rule, indices in expected.items():
        assert cv.index_at(rule) == better.index_at(rule) == indices
        assert cv.at(rule).lambda_ == cv.lambdas[indices[1]]
        assert cv.at(rule).gamma == cv.gammas[indices[0]]
    endless = by_hand(np.full((2, 5), np.inf), np.full((2, 5), np.nan))
    assert endless.index_at("2%") == endless.index_at("min") == (1, 0)


def test_one_gamma_of_1_chooses_as_the_path_does(X, rng):
    y = response("gaussian", X, rng)
    cv = regpath.cv_path(X, y, cv=np.arange(N) % K, n_lambdas=40, relax=True, gammas=[1.0])
    for rule in ("min", "1se", "0%", "3%", "40%"):
        assert cv.relaxed.index_at(rule) == (0, cv.index_at(rule))


def test_functions_as_rules():
    cv = by_hand([[9.0, 3.0, 1.0, 2.0, 1.0]] * 2, np.zeros((2, 5)))
    best = cv.at(lambda c: np.unravel_index(c.mean_scores.argmin(), c.mean_scores.shape))
    assert (best.gamma, best.index) == (0.0, 2)
    for chosen in ((-1, 3), (0.5, 3), (1, float(cv.lambdas[3])), [0.5, -2]):
        point = cv.at(lambda c, chosen=chosen: chosen)
        assert (point.gamma, point.index) == (0.5, 3)
    for bad in (3, None, "min", (1,), (0, 1, 2)):
        with pytest.raises(ValueError, match=r"RelaxedCV\.at: the function.* a pair \(gamma"):
            cv.at(lambda c, bad=bad: bad)
    for bad, noun in (((2, 0), "2 gammas"), ((0.3, 0), "2 gammas"), ((0, 5), "5 lambdas")):
        with pytest.raises(ValueError, match=f"RelaxedCV.at: .* position among the {noun}"):
            cv.at(lambda c, bad=bad: bad)


@pytest.mark.parametrize("rule", ["best", "", "%", "x%", "-1%", "nan%", "inf%", "MIN", None, 0.1])
def test_things_that_are_no_rule(rule):
    cv = by_hand([[1.0] * 5] * 2, np.zeros((2, 5)))
    for choose in (cv.at, cv.coef_at, cv.intercept_at, lambda rule: cv.predict(np.eye(6), rule)):
        with pytest.raises(ValueError, match=r"RelaxedCV\.at\("):
            choose(rule)


def test_models_of_the_rules():
    means = [[9.0, 8.0, 8.0, 8.0, 8.0], [9.0, 8.0, 8.0, 1.0, 8.0]]
    cv = by_hand(means, np.zeros((2, 5)))
    point = cv.at("min")
    coefs = cv.path.path.coefs
    assert (point.gamma, point.index, point.lambda_) == (0.5, 3, 0.125)
    assert_allclose(point.coef, 1.5 * coefs[:, 3])
    assert point.intercept == 0.5 * 13.0
    assert np.isnan(point.dev_ratio)
    assert point.n_nonzero == 3
    assert point.selected == {"x0": 4.5, "x2": 0.375, "x4": 2.25}
    assert "gamma=0.5" in repr(point)
    assert_array_equal(cv.coef_at("min"), point.coef)
    assert cv.intercept_at("min") == point.intercept
    X = np.arange(12.0).reshape(2, 6)
    assert_allclose(cv.predict(X, "min"), X @ point.coef + 6.5)
    for gamma, dev_ratio in ((0.0, cv.path.dev_ratio), (1.0, cv.path.path.dev_ratio)):
        assert cv.path.at_index(-1, gamma).dev_ratio == dev_ratio[-1]
    with pytest.raises(ValueError, match="fold_scores has shape"):
        by_hand([[1.0] * 4] * 2, np.zeros((2, 4)))


def test_views(X, rng):
    cv = regpath.cv_path(X, response("gaussian", X, rng), cv=K, random_state=0, **OPTIONS)
    relaxed = cv.relaxed
    assert "Relaxed, 3 gammas from 0 to 1" in repr(relaxed)
    assert f"{relaxed.lambda_min:.5g}" in repr(relaxed)
    assert repr(relaxed) in cv.summary()
    for array in (relaxed.gammas, relaxed.fold_scores, relaxed.mean_scores, relaxed.std_errors):
        assert not array.flags.writeable
    with pytest.raises(dataclasses.FrozenInstanceError):
        relaxed.gammas = None
    pytest.importorskip("pandas")
    frame = relaxed.to_frame()
    assert list(frame.columns) == ["gamma", "lambda", "df", "mean_score", "std_error"]
    assert_array_equal(frame["mean_score"].to_numpy().reshape(3, -1), relaxed.mean_scores)
    assert_array_equal(frame["gamma"], np.repeat(GAMMAS, 8))
    assert_array_equal(frame["lambda"][:8], relaxed.lambdas)


# --------------------------------------------------------------------------------------- bad input


def test_gammas_are_sorted_and_each_is_taken_once(X, rng):
    y = response("gaussian", X, rng)
    options = {**OPTIONS, "cv": np.arange(N) % K}
    cv = regpath.cv_path(X, y, **{**options, "gammas": [1, 0.3, np.float32(0.0), 0.3]})
    assert_array_equal(cv.relaxed.gammas, GAMMAS)
    one = regpath.cv_path(X, y, **{**options, "gammas": 0.3}).relaxed
    assert_array_equal(one.mean_scores, cv.relaxed.mean_scores[[1]])


def test_errors(X, rng):
    y = response("gaussian", X, rng)
    with pytest.raises(TypeError, match=r"cv_path\(relax='yes'\)"):
        regpath.cv_path(X, y, relax="yes")
    with pytest.raises(ValueError, match=r"cv_path\(gammas=1.5\)"):
        regpath.cv_path(X, y, relax=True, gammas=[0.0, 1.5])
    with pytest.raises(TypeError, match=r"cv_path\(gammas='a'\).*number from 0 to 1"):
        regpath.cv_path(X, y, relax=True, gammas=["a"])
    with pytest.raises(ValueError, match=r"cv_path\(gammas=\[\]\).*at least one"):
        regpath.cv_path(X, y, relax=True, gammas=[])
    relaxed = regpath.cv_path(X, y, cv=np.arange(N) % K, **OPTIONS).relaxed
    for rule in ("best", 0.1, None):
        with pytest.raises(ValueError, match=r"RelaxedCV\.at\(.*'min', '1se', a percentage"):
            relaxed.predict(X, rule)


def test_other_scores_and_families_with_options(X, rng):
    y = response("binomial", X, rng)
    cv = regpath.cv_path(
        X, y, family=families.Binomial(link="probit"), scoring="auc", cv=np.arange(N) % K, **OPTIONS
    )
    relaxed = cv.relaxed
    assert relaxed.greater_is_better
    assert relaxed.score_label == cv.score_label
    g, k = relaxed.index_at("min")
    assert relaxed.mean_scores[g, k] == relaxed.mean_scores.max() >= cv.mean_scores.max()
    assert set(relaxed.predict(X, "min", type="class").tolist()) <= {0, 1}

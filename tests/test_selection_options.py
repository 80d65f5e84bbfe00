"""Rules that choose a lambda, predictions out of fold, and the options of a cross-validation."""

from __future__ import annotations

import signal
import threading
import time
import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest
from clocks import Clock
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from selection_cases import FAMILIES, LABELS, K, N, assert_same_path, design, path_of_rows, response

import regpath
from regpath import Status
from regpath.cv_result import CVPath
from regpath.solvers import gaussian, shared, spectral

quiet = pytest.mark.filterwarnings("ignore::regpath.SelectionWarning")
SECONDS = 60.0


@pytest.fixture
def data():
    X = design()
    return X, response("gaussian", X)


@pytest.fixture(scope="module")
def cv():
    X = design()
    return regpath.cv_path(X, response("gaussian", X), cv=LABELS, n_lambdas=30)


def judged(cv: CVPath, means, errors, *, greater=False) -> CVPath:
    """The same result with other scores."""
    size = len(means)
    return CVPath(
        path=cv.path.shortened(size),
        fold_paths=cv.fold_paths,
        fold_scores=np.zeros((K, size)),
        fold_weights=cv.fold_weights,
        mean_scores=means,
        std_errors=errors,
        held_out=cv.held_out,
        scoring="mine",
        score_label="mine",
        greater_is_better=greater,
    )


# ------------------------------------------------------------------------------------------ rules


@pytest.mark.parametrize("greater", [False, True])
@pytest.mark.parametrize(
    ("means", "errors", "best", "one_se", "two_percent", "fifty_percent"),
    [
        ([9, 7, 6, 5, 5.05, 6], 1.5, 3, 2, 3, 1),
        ([9, 7, 5, 5, 5, 6], 0.0, 2, 2, 2, 1),  # of equal ones the largest lambda
        ([9, 7, 5 + 4e-15, 5, 5 - 4e-15, 6], 0.0, 2, 2, 2, 1),  # equal but for rounding
        ([9, 7, 5 + 4e-13, 5, 5, 6], 0.0, 3, 3, 2, 1),  # and not
        ([9, 0.1 + 0.2, 0.2, 0.1, 0.3, 6], 0.2, 3, 1, 3, 3),  # at the limit, but for rounding
        ([9, 7, 0, 0, -0.0, 6], 0.0, 2, 2, 2, 2),
        ([5, 5, 5, 5, 5, 5], 0.1, 0, 0, 0, 0),
        ([9, 8, 7, 6, 5, 4], 1.0, 5, 4, 5, 3),
        ([4, 5, 6, 7, 8, 9], 1.0, 0, 0, 0, 0),
        ([9, 4.5, 6, 4, 5, 6], 0.5, 3, 1, 3, 1),  # the errors of the best, wherever they reach
        ([np.nan, 7, 6, 5, np.nan, 6], 1.0, 3, 2, 3, 1),
        ([np.inf, 7, 6, 5, 5, np.inf], 1.0, 3, 2, 3, 1),
        ([9, 7, 6, 5, 5, 6], np.nan, 3, 3, 3, 1),  # one fold alone tells no error
    ],
)
def test_rules(cv, greater, means, errors, best, one_se, two_percent, fifty_percent):
    losses = np.array(means, float)
    result = judged(cv, -losses if greater else losses, np.full(6, errors), greater=greater)
    assert (result.index_min, result.index_1se) == (best, one_se)
    assert result.lambda_min == cv.lambdas[best]
    assert result.lambda_1se == cv.lambdas[one_se]
    rules = {"min": best, "1se": one_se, "2%": two_percent, "50.0%": fifty_percent, "0%": best}
    for rule, index in rules.items():
        assert result.index_at(rule) == index
        assert result.at(rule).index == index
        assert_array_equal(result.coef_at(rule), cv.path.coefs[:, index])
        assert result.intercept_at(rule) == cv.path.intercepts[index]


def test_the_error_is_that_of_the_best(cv):
    result = judged(cv, [3.0, 2.0, 1.0], [9.0, 9.0, 0.5])
    assert result.index_1se == 2


def test_functions_as_rules(cv):
    assert cv.at(lambda c: c.index_min + 1).index == cv.index_min + 1
    assert cv.at(lambda c: np.int64(3)).index == 3
    assert cv.at(lambda c: -1).index == 29
    assert cv.at(lambda c: c.lambdas[4]).index == 4
    assert cv.at(lambda c: float(c.lambdas[4]) * (1 + 1e-12)).index == 4
    for bad in (30, -31, True, None, "min", 1e5, float(cv.lambdas[4]) * 1.001, np.nan, [1]):
        with pytest.raises(ValueError, match="a position among the 30 lambdas"):
            cv.at(lambda c, bad=bad: bad)


@pytest.mark.parametrize(
    "rule", ["best", "", "%", "x%", "-1%", "nan%", "inf%", "MIN", None, 0.1, 3]
)
def test_things_that_are_no_rule(cv, rule):
    with pytest.raises(ValueError, match=r"CVPath\.at\("):
        cv.at(rule)


def test_at_any_lambda(cv, data):
    lambda_ = float(np.sqrt(cv.lambdas[3] * cv.lambdas[4]))
    assert_array_equal(cv.coef_at(lambda_), cv.path.coef_at(lambda_))
    assert_array_equal(cv.predict(data[0], lambda_), cv.path.predict(data[0], lambda_))
    assert_array_equal(cv.predict(data[0], None), cv.path.predict(data[0]))
    assert_array_equal(cv.predict(data[0]), cv.path.predict(data[0], cv.lambda_1se))


# ------------------------------------------------------------------------------------ out of fold

CONTAINERS = {
    "array": np.asarray,
    "Fortran": np.asfortranarray,
    "float32": lambda X: X.astype(np.float32),
    "csc": sparse.csc_array,
    "coo": sparse.coo_array,
    "pandas": lambda X: pd.DataFrame(X, columns=list("abcdef"), index=np.arange(N)[::-1]),
    "list": lambda X: X.tolist(),
}


@quiet
@pytest.mark.parametrize("kind", CONTAINERS)
@pytest.mark.parametrize("case", ["gaussian", "binomial", "multinomial", "multigaussian", "cox"])
def test_out_of_fold(case, kind):
    X = design()
    y, given = response(case, X), CONTAINERS[kind](X)
    cv = regpath.cv_path(given, y, family=FAMILIES[case], cv=LABELS, n_lambdas=8)
    found = cv.out_of_fold(given)
    assert found.shape == cv.predict(given, None).shape
    for path, rows in zip(cv.fold_paths, cv.held_out, strict=True):
        assert_allclose(found[rows], path.predict(X[rows]), rtol=1e-6, atol=1e-12)
    for rule in ("min", "1se", "5%", lambda cv: 3, float(cv.lambdas[2])):
        k = 2 if isinstance(rule, float) else cv.at(rule).index
        assert_allclose(cv.out_of_fold(given, rule), found[..., k], rtol=1e-9, atol=1e-12)
    link = cv.out_of_fold(given, "min", type="link")
    assert link.shape == found[..., 0].shape
    if case in ("binomial", "multinomial"):
        labels = cv.out_of_fold(given, "min", type="class")
        assert np.average(labels != y) == pytest.approx(
            regpath.cv_path(
                given, y, family=FAMILIES[case], cv=LABELS, n_lambdas=8, scoring="class"
            ).mean_scores[cv.index_min]
        )


@quiet
def test_out_of_fold_with_offset(data):
    offset = np.arange(N) / 10.0
    cv = regpath.cv_path(*data, offset=offset, cv=5, random_state=0, n_lambdas=10)
    found = cv.out_of_fold(data[0], offset=offset)
    assert_allclose(((found - data[1][:, None]) ** 2).mean(axis=0), cv.mean_scores, rtol=1e-10)


@pytest.mark.parametrize("offset", [1.0, np.ones(3), np.ones(N + 1)], ids=np.shape)
def test_out_of_fold_needs_an_offset_for_every_row(cv, data, offset):
    with pytest.raises(ValueError, match=rf"out_of_fold\(offset=.* each of the {N} rows"):
        cv.out_of_fold(data[0], "min", offset=offset)


def test_out_of_fold_needs_every_row_once(cv, data):
    X, y = data
    with pytest.raises(ValueError, match=rf"hold out {N} rows, .* X has {N - 1}"):
        cv.out_of_fold(X[1:])
    train = list(range(20))
    for pairs in (
        [(train, [20, 21]), (train, [22])],
        [(train, [30, *range(20, N)]), (train, [30])],
    ):
        twice = regpath.cv_path(X, y, cv=pairs, lambdas=[0.3, 0.1, 0.0])
        with pytest.raises(ValueError, match="exactly once"):
            twice.out_of_fold(X)


def test_out_of_fold_needs_the_same_lambdas(data):
    cv = regpath.cv_path(*data, cv=LABELS, fold_lambdas="glmnet")
    with pytest.raises(ValueError, match="lambdas of their own"):
        cv.out_of_fold(data[0], "min")


# ---------------------------------------------------------------------------------------- lambdas


@quiet
@pytest.mark.parametrize("fold_lambdas", ["shared", "glmnet"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("case", ["gaussian", "poisson"])
def test_given_lambdas(case, l1_ratio, fold_lambdas):
    """inf is the null model, 0 the one without a penalty; they are used exactly."""
    X = design()
    y = response(case, X)
    grid = [0.0, 0.5, np.inf, 0.05]
    cv = regpath.cv_path(
        X, y, family=case, cv=LABELS, lambdas=grid, l1_ratio=l1_ratio, fold_lambdas=fold_lambdas
    )
    assert_array_equal(cv.lambdas, [np.inf, 0.5, 0.05, 0.0])
    assert np.isfinite(cv.mean_scores).all()
    assert np.isfinite(cv.std_errors).all()
    for path, rows in zip(cv.fold_paths, cv.held_out, strict=True):
        rest = np.setdiff1d(np.arange(N), rows)
        null = np.full(rows.size, y[rest].mean())
        assert_allclose(path.predict(X[rows])[:, 0], null, rtol=1e-6)
    assert not np.isclose(cv.mean_scores[0], cv.mean_scores[-1])


@pytest.mark.parametrize("fold_lambdas", ["shared", "glmnet"])
@pytest.mark.parametrize("options", [{"n_lambdas": 1}, {"lambdas": 0.2}, {"lambdas": [np.inf]}])
def test_one_lambda(data, options, fold_lambdas):
    cv = regpath.cv_path(*data, cv=LABELS, fold_lambdas=fold_lambdas, **options)
    assert cv.mean_scores.shape == (1,)
    assert cv.index_min == cv.index_1se == 0
    assert cv.out_of_fold(data[0]).shape == (N, 1) if "lambdas" in options else True


def test_the_smallest_lambda_as_the_best(data):
    with pytest.warns(regpath.SelectionWarning, match="smallest lambda of the grid, 0.5") as caught:
        regpath.cv_path(*data, cv=LABELS, lambdas=[2.0, 1.0, 0.5])
    assert [record.filename for record in caught] == [__file__]


@pytest.mark.parametrize(
    "grid", [[2.0, 1.0, 0.5, 0.0], [0.5], [1e6, 1e5]], ids=["zero", "one", "all alike"]
)
def test_no_word_where_nothing_smaller_can_be_better(data, grid):
    regpath.cv_path(data[0][:, 3:5], data[1] if len(grid) != 4 else data[0] @ np.ones(6), cv=LABELS,
                    lambdas=grid)  # fmt: skip


# ---------------------------------------------------------------------------------- ending early


@quiet
@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"max_features": 4}, Status.MAX_FEATURES),
        ({"stop_at_dev_ratio": 0.3}, Status.DEV_RATIO),
        ({"callback": lambda k, progress: k == 4}, Status.CALLBACK),
    ],
    ids=["max_features", "stop_at_dev_ratio", "callback"],
)
@pytest.mark.parametrize("fold_lambdas", ["shared", "glmnet"])
def test_options_that_end_the_path_end_the_folds(data, options, status, fold_lambdas):
    full = regpath.cv_path(*data, cv=LABELS, n_lambdas=30, fold_lambdas=fold_lambdas)
    cv = regpath.cv_path(*data, cv=LABELS, n_lambdas=30, fold_lambdas=fold_lambdas, **options)
    assert cv.path.statuses[-1] is status
    assert 1 < cv.lambdas.size < 30
    assert cv.mean_scores.shape == cv.lambdas.shape
    assert_allclose(cv.mean_scores, full.mean_scores[: cv.lambdas.size], rtol=1e-2)
    alone = regpath.lasso_path(*data, n_lambdas=30, **options)
    assert_allclose(cv.path.lambdas, alone.lambdas, rtol=1e-13)
    if fold_lambdas == "shared":
        assert {path.lambdas.size for path in cv.fold_paths} == {cv.lambdas.size}
        assert {path.statuses[-1] for path in cv.fold_paths} == {Status.CONVERGED}
        assert cv.out_of_fold(data[0]).shape == (N, cv.lambdas.size)


def test_a_callback_sees_the_whole_path_alone(data):
    seen = []
    regpath.cv_path(*data, cv=LABELS, n_lambdas=30, callback=lambda k, p: seen.append((k, p)))
    assert [k for k, _ in seen] == list(range(30))


@quiet
@pytest.mark.parametrize("fold_lambdas", ["shared", "glmnet"])
@pytest.mark.parametrize("share", [1e-9, 0.3, 0.6])
@pytest.mark.parametrize("case", ["gaussian", "poisson"])
def test_time_budget(case, share, fold_lambdas, monkeypatch):
    """Every path ends by itself; what all have reached is the result, and right."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    X = design()
    y = response(case, X)
    options = {"family": case, "cv": LABELS, "n_lambdas": 40, "fold_lambdas": fold_lambdas}
    full = regpath.cv_path(X, y, **options)
    # Point by point, as with a budget, looks at the clock are more.
    clock.now, start = 0, next(clock.looks)
    regpath.cv_path(X, y, time_budget=1e9, **options)
    cv = regpath.cv_path(X, y, time_budget=share * (clock.now - start), **options)
    size = cv.lambdas.size
    assert 1 <= size < 40
    assert cv.path.statuses[-1] is Status.TIME_BUDGET
    assert cv.mean_scores.shape == cv.std_errors.shape == (size,)
    assert np.isfinite(cv.mean_scores).all()
    if size > 1 or fold_lambdas == "shared":  # a fold alone may begin above the whole path
        assert_allclose(cv.mean_scores, full.mean_scores[:size], rtol=1e-2)
    if fold_lambdas == "shared":
        assert {path.lambdas.size for path in cv.fold_paths} == {size}
        assert cv.out_of_fold(X).shape == (N, size)


def within_time(call):
    """The result or the error of a call that must not hang."""
    answer: dict[str, Any] = {}

    def work():
        try:
            answer["result"] = call()
        except BaseException as error:
            answer["error"] = error

    before = set(threading.enumerate())
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert not thread.is_alive(), "the call hangs"
    left = set(threading.enumerate()) - before - {thread}
    for other in left:
        other.join(SECONDS)
        assert not other.is_alive(), "a thread is left"
    if "error" in answer:
        raise answer["error"]
    return answer["result"]


@quiet
@pytest.mark.parametrize("after", [0, 3, 29])
def test_an_interrupted_callback_leaves_what_is_solved(data, after):
    def callback(k, progress):
        if k == after:
            raise KeyboardInterrupt

    cv = within_time(lambda: regpath.cv_path(*data, cv=LABELS, n_lambdas=30, callback=callback))
    assert cv.lambdas.size == after + 1
    if after < 29:
        assert cv.path.statuses[-1] is Status.INTERRUPTED


class MineError(Exception):
    pass


@pytest.mark.parametrize("error", [MineError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("n_jobs", [1, 2, 5])
def test_what_a_scorer_raises_is_raised(data, error, n_jobs):
    def loss(y_true, y_pred, sample_weight):
        raise error("mine")

    with pytest.raises(error):
        within_time(
            lambda: regpath.cv_path(*data, cv=LABELS, scoring=loss, n_jobs=n_jobs, n_lambdas=50)
        )


def test_what_a_callback_raises_is_raised(data):
    def callback(k, progress):
        raise MineError("mine")

    with pytest.raises(MineError):
        within_time(lambda: regpath.cv_path(*data, cv=LABELS, callback=callback))


@pytest.mark.parametrize("bad", [None, "a", [1.0, 2.0]])
def test_a_scorer_that_returns_no_number(data, bad):
    def loss(y_true, y_pred, sample_weight):
        return bad

    with pytest.raises(TypeError, match="scoring=loss: the function returned"):
        within_time(lambda: regpath.cv_path(*data, cv=LABELS, scoring=loss))


@quiet
@pytest.mark.usefixtures("interrupts")
@pytest.mark.parametrize("after", [1, 5, 10])
def test_an_interrupt_leaves_what_all_folds_have_reached(after, monkeypatch):
    """The signal comes while jobs run; where one has nothing yet, it is raised."""
    X = design(p=60)  # more columns than rows: gradients of all are asked for now and then
    y = response("poisson", X)
    options = {"family": "poisson", "cv": LABELS, "n_lambdas": 100, "tol": 1e-10}
    full = regpath.cv_path(X, y, **options)
    assert full.info["passes"] > after
    answers, count, heard = shared.SharedPasses._answer, [0], threading.Event()
    stop = shared.SharedPasses._stop

    def counted(self):
        answers(self)
        count[0] += 1
        if count[0] == after:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            heard.wait(SECONDS)

    def stops(self):
        stop(self)
        heard.set()

    monkeypatch.setattr(shared.SharedPasses, "_answer", counted)
    monkeypatch.setattr(shared.SharedPasses, "_stop", stops)
    if after == 1:
        with pytest.raises(KeyboardInterrupt):
            regpath.cv_path(X, y, **options)
        return
    cv = regpath.cv_path(X, y, **options)
    size = cv.lambdas.size
    assert heard.is_set()
    assert 1 <= size < 100
    assert_allclose(cv.mean_scores, full.mean_scores[:size], rtol=1e-4)
    assert {path.lambdas.size for path in cv.fold_paths} == {size}
    assert cv.path.statuses[-1] is Status.INTERRUPTED


# --------------------------------------------------------------------------------------- warnings


def test_one_warning_for_all_paths(data):
    """From whichever path, and it names the line of the user."""
    X, y = data[0], response("poisson", data[0])
    with pytest.warns(regpath.ConvergenceWarning, match="cv_path: .* of 25 points miss") as caught:
        cv = regpath.cv_path(X, y, family="poisson", cv=LABELS, n_lambdas=5, max_iter=1, tol=1e-13)
    misses = [r for r in caught if r.category is regpath.ConvergenceWarning]
    assert [record.filename for record in misses] == [__file__]
    paths = (cv.path, *cv.fold_paths)
    missed = sum(not status.ok for path in paths for status in path.statuses)
    assert f"cv_path: {missed} of 25" in str(misses[0].message)


def test_progress(data, capsys):
    regpath.cv_path(*data, cv=LABELS, n_lambdas=10, progress=True)
    assert "folds" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({"n_jobs": 0}, ValueError, r"cv_path\(n_jobs=0\)"),
        ({"n_jobs": "2"}, TypeError, r"cv_path\(n_jobs='2'\)"),
        ({"n_jobs": True}, TypeError, r"cv_path\(n_jobs=True\)"),
        ({"grouped": "no"}, TypeError, r"cv_path\(grouped='no'\)"),
        ({"progress": "yes"}, TypeError, r"cv_path\(progress='yes'\)"),
        ({"fold_lambdas": "own"}, ValueError, r"'shared' or 'glmnet'"),
        ({"fold_lambdas": np.arange(3)}, ValueError, r"'shared' or 'glmnet'"),
        ({"scoring": "auc"}, ValueError, r"cv_path\(scoring='auc'\)"),
        ({"scoring": 3}, TypeError, r"cv_path\(scoring=3\)"),
        ({"foo": 3}, TypeError, r"cv_path\(foo=...\): there is no such option"),
        (
            {"foo": 3},
            TypeError,
            "known: cv, scoring, .* extend, l1_ratio, family, .* sample_weight",
        ),
        ({"weights": 3}, TypeError, r"cv_path\(weights=...\): .* did you mean 'sample_weight'"),
        ({"gamma": 3}, TypeError, "did you mean 'gammas'"),
        ({"folds": 3}, TypeError, "did you mean 'cv'"),
        ({"foldid": 3}, TypeError, "did you mean 'cv'"),
        ({"scoring": abs}, TypeError, r"cv_path\(scoring=abs\): .* must take"),
        ({"tol": -1}, ValueError, r"cv_path\(tol=-1\)"),
        ({"cv": 1}, ValueError, r"cv_path\(cv=1\)"),
        ({"sample_weight": [1.0]}, ValueError, r"cv_path\(sample_weight=...\)"),
    ],
    ids=str,
)
def test_refusals_come_before_any_work(data, options, kind, says, monkeypatch):
    monkeypatch.setattr(regpath.loop.Fit, "__init__", None)
    with pytest.raises(kind, match=says):
        regpath.cv_path(*data, **({"cv": LABELS} | options))


# ------------------------------------------------------------------------------------ every solver

SHAPES = {
    "wide": (30, 400, 1.0, {}),
    "wide enet": (30, 200, 0.3, {}),
    "tall, all of the Gram matrix": (600, 12, 1.0, {}),
    "spectral ridge": (40, 10, 0.0, {}),
    "spectral ridge, wide": (30, 90, 0.0, {}),
    "free columns": (40, 60, 0.0, {"penalty_factor": np.arange(60) > 1}),
    "raw": (40, 60, 0.5, {"standardize": False, "fit_intercept": False}),
}


@quiet
@pytest.mark.parametrize("family", ["gaussian", "binomial", "multinomial", "multigaussian"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("storage", [np.asfortranarray, sparse.csc_array])
def test_every_solver(family, shape, storage):
    n, p, l1_ratio, options = SHAPES[shape]
    rng = np.random.default_rng(2)
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.5)
    X[:, :6] += design(0, n)
    y, labels = response(family, X), np.arange(n) % 3
    options = {"family": FAMILIES[family], "l1_ratio": l1_ratio, "tol": 1e-8} | options
    cv = regpath.cv_path(storage(X), y, cv=labels, n_lambdas=6, lambda_min_ratio=0.05, **options)
    for path, rows in zip(cv.fold_paths, cv.held_out, strict=True):
        assert path.dual_gaps.max() <= 1e-8
        rest = np.setdiff1d(np.arange(n), rows)
        alone = path_of_rows(X, y, rest, lambdas=cv.lambdas, **options)
        assert_same_path(path, alone, 1e-8)
        assert path.certify(X, y).dual_gaps.max() <= 1.01e-8


@quiet
@pytest.mark.parametrize("family", ["gaussian", "poisson", "binomial"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("storage", [np.asfortranarray, sparse.csc_array])
def test_solvers_of_large_problems(family, l1_ratio, storage, monkeypatch):
    """Lanczos steps in place of a decomposition, columns in place of a Gram matrix."""
    monkeypatch.setattr(spectral, "LARGEST_EIGEN", 0)
    monkeypatch.setattr(spectral, "LARGEST_EIGEN_SPARSE", 0)
    monkeypatch.setattr(gaussian, "largest_gram", lambda design: 0)
    rng = np.random.default_rng(2)
    X = rng.standard_normal((40, 60)) * (rng.random((40, 60)) < 0.5)
    X[:, :6] += design(0, 40)
    y, labels = response(family, X), np.arange(40) % 3
    options = {"family": FAMILIES[family], "l1_ratio": l1_ratio, "tol": 1e-8}
    cv = regpath.cv_path(storage(X), y, cv=labels, n_lambdas=6, lambda_min_ratio=0.05, **options)
    if family == "gaussian" and l1_ratio == 0.0:
        assert all("Lanczos" in " ".join(path.info["why"]) for path in cv.fold_paths)
    for path, rows in zip(cv.fold_paths, cv.held_out, strict=True):
        rest = np.setdiff1d(np.arange(40), rows)
        assert_same_path(path, path_of_rows(X, y, rest, lambdas=cv.lambdas, **options), 1e-8)
        assert path.certify(X, y).dual_gaps.max() <= 1.01e-8


@quiet
def test_columns_that_are_constant_in_some_folds(data):
    X, y = data[0].copy(), data[1]
    X[:, 0] = np.isin(LABELS, 1) * 3.0 + 1e6  # constant without fold 1
    X[:, 2] = 7.0
    for storage in (np.asfortranarray, sparse.csc_array):
        for ratio in (1.0, 0.0):
            cv = regpath.cv_path(storage(X), y, cv=LABELS, l1_ratio=ratio, lambdas=[0.1, 0.01])
            assert (cv.fold_paths[1].coefs[0] == 0.0).all()
            assert 0 in cv.fold_paths[1].info["constant_columns"]
            assert all(2 in path.info["constant_columns"] for path in cv.fold_paths)
            assert np.isfinite(cv.fold_scores).all()


@quiet
def test_x_is_never_copied():
    """Five folds: what they keep for every column is a few vectors, and not half of X."""
    rng, n = np.random.default_rng(0), 1000
    X = np.asfortranarray(rng.standard_normal((n, 5000)))
    y = X[:, :5].sum(axis=1) + rng.standard_normal(n)
    options = {"cv": np.arange(n) % 5, "n_lambdas": 20, "lambda_min_ratio": 0.2}
    regpath.cv_path(X[:, :50], y, **options)  # compiled
    tracemalloc.start()
    try:
        cv = regpath.cv_path(X, y, **options)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.5 * X.nbytes
    assert cv.fold_scores.shape == (5, 20)

"""How a cross-validation ends: options, interrupts, extension of the grid, the edge of the grid."""

from __future__ import annotations

import signal
import threading
import time
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from selection_cases import LABELS, design, response

import regpath
from regpath import Status, loop
from regpath.fold_work import FoldWork

quiet = pytest.mark.filterwarnings("ignore::regpath.SelectionWarning")
SHORT: dict[str, Any] = {"cv": LABELS, "n_lambdas": 10, "lambda_min_ratio": 0.5}


@pytest.fixture(scope="module")
def data():
    X = design()
    return X, response("gaussian", X)


def interrupting(after: int, calls: list[int]):
    """A callback that interrupts at one of its calls."""

    def callback(k, progress):
        calls.append(k)
        if len(calls) == after:
            raise KeyboardInterrupt

    return callback


# ------------------------------------------------------------------------------------- interrupts


@quiet
@pytest.mark.parametrize("more", [{}, {"relax": True}, {"extend": True}], ids=str)
@pytest.mark.parametrize(
    ("after", "sizes"), [(1, [1]), (5, [5]), (10, [10]), (11, [10, 1]), (15, [10, 5])]
)
def test_an_interrupt_ends_all_l1_ratios(data, after, sizes, more):
    if "extend" in more and after >= 10:
        sizes = [after]
    calls: list[int] = []
    options = SHORT | more | {"callback": interrupting(after, calls)}
    surface = regpath.cv_path(*data, l1_ratio=[0.1, 1.0, 0.5], **options)
    assert len(calls) == after
    by_ratio = {cv.path.l1_ratio: cv for cv in surface.paths}
    assert sorted(by_ratio) == sorted([1.0, 0.5, 0.1][: len(sizes)])
    assert list(by_ratio) == [r for r in (0.1, 1.0, 0.5) if r in by_ratio]
    for r, size in zip((1.0, 0.5), sizes, strict=False):
        assert by_ratio[r].lambdas.size == by_ratio[r].fold_scores.shape[1] == size
        assert (by_ratio[r].relaxed is not None) is ("relax" in more)
    assert by_ratio[min(by_ratio)].path.statuses[-1] is Status.INTERRUPTED


@quiet
def test_an_interrupt_before_the_first_point_leaves_the_ratios_before(data, monkeypatch):
    run, count = FoldWork.run, [0]

    def interrupted(self, l1_ratio, advance):
        count[0] += 1
        if count[0] == 2:
            raise KeyboardInterrupt
        return run(self, l1_ratio, advance)

    monkeypatch.setattr(FoldWork, "run", interrupted)
    surface = regpath.cv_path(*data, l1_ratio=[0.5, 1.0, 0.1], **SHORT)
    assert count == [2]
    (only,) = surface.paths
    assert (only.path.l1_ratio, only.lambdas.size) == (1.0, 10)
    assert only.path.statuses[-1] is Status.INTERRUPTED
    count[0] = 1
    with pytest.raises(KeyboardInterrupt):
        regpath.cv_path(*data, **SHORT)


@quiet
@pytest.mark.usefixtures("interrupts")
@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("options", [{"l1_ratio": [1.0, 0.5, 0.1]}, {"extend": True}], ids=str)
def test_a_signal_ends_what_would_follow(data, options, n_jobs, monkeypatch):
    """It comes while folds are solved from products, when nobody reads X any more."""
    follow, count, heard = loop.Fit.follow, [0], threading.Event()
    stop = regpath.solvers.shared.SharedPasses._stop

    def counted(self, lambdas, advance):
        count[0] += 1
        if count[0] == 4:
            time.sleep(0.2)  # all threads have started
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            heard.wait(60.0)
        follow(self, lambdas, advance)

    def stops(self):
        stop(self)
        heard.set()

    monkeypatch.setattr(loop.Fit, "follow", counted)
    monkeypatch.setattr(regpath.solvers.shared.SharedPasses, "_stop", stops)
    found = regpath.cv_path(*data, n_jobs=n_jobs, **(SHORT | options))
    (cv,) = found.paths if "l1_ratio" in options else (found,)
    assert heard.is_set()
    assert 1 <= cv.lambdas.size <= 10
    assert cv.path.statuses[-1] is Status.INTERRUPTED


# -------------------------------------------------------------------------- extension of the grid


@quiet
@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"max_features": 1}, Status.MAX_FEATURES),
        ({"stop_at_dev_ratio": 0.2}, Status.DEV_RATIO),
        ({"callback": lambda k, progress: k >= 4}, Status.CALLBACK),
        ({"callback": interrupting(5, [])}, Status.INTERRUPTED),
        ({"time_budget": 1e-9}, Status.TIME_BUDGET),
    ],
    ids=["max_features", "stop_at_dev_ratio", "callback", "interrupt", "time_budget"],
)
def test_what_ends_the_path_ends_its_extension(data, options, status):
    """In the first grid."""
    cv = regpath.cv_path(*data, extend=True, **(SHORT | options))
    assert 1 <= cv.lambdas.size < 10
    assert cv.path.statuses[-1] is status
    assert {path.lambdas.size for path in cv.fold_paths} == {cv.lambdas.size}
    assert cv.is_open or cv.lambdas.size == 1


@quiet
@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"max_features": 3}, Status.MAX_FEATURES),
        ({"stop_at_dev_ratio": 0.5}, Status.DEV_RATIO),
        ({"callback": lambda k, progress: k >= 14}, Status.CALLBACK),
    ],
    ids=["max_features", "stop_at_dev_ratio", "callback"],
)
def test_what_ends_an_extension(data, options, status, monkeypatch):
    """Folds go no further than the path of all rows."""
    follow, asked = loop.Fit.follow, defaultdict[int, int](int)

    def counted(self, lambdas, advance):
        asked[id(self)] += lambdas.size
        follow(self, lambdas, advance)

    full = regpath.cv_path(*data, extend=True, **SHORT)
    monkeypatch.setattr(loop.Fit, "follow", counted)
    cv = regpath.cv_path(*data, extend=True, **(SHORT | options))
    size = cv.lambdas.size
    assert 10 < size < full.lambdas.size
    assert cv.path.statuses[-1] is status
    assert_array_equal(cv.lambdas, full.lambdas[:size])
    assert_allclose(cv.mean_scores, full.mean_scores[:size], rtol=1e-3)
    assert {path.lambdas.size for path in cv.fold_paths} == {size}
    assert sorted(asked.values())[:-1] == [size] * len(cv.fold_paths)


@quiet
@pytest.mark.parametrize("status", [Status.CALLBACK, Status.DEV_RATIO])
def test_an_end_at_the_last_lambda_is_an_end(data, status):
    whole = regpath.lasso_path(*data, n_lambdas=10, lambda_min_ratio=0.5)
    options = {
        Status.CALLBACK: {"callback": lambda k, progress: k == 9},
        Status.DEV_RATIO: {"stop_at_dev_ratio": float(whole.dev_ratio[-1]) * (1.0 - 1e-9)},
    }[status]
    assert regpath.cv_path(*data, extend=True, **(SHORT | options)).lambdas.size == 10


@pytest.fixture(scope="module")
def weak():
    """Ridge begins far above the best lambda, and little happens there for long."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 30))
    return X, X @ rng.normal(size=30) + 0.3 * rng.normal(size=80), np.arange(80) % 5


@pytest.mark.parametrize("ratio", [0.9, 0.5, 0.1, 1e-3])
@pytest.mark.parametrize("n_lambdas", [3, 10, 100])
def test_ridge_far_above_its_best_lambda_is_open_and_extended(weak, ratio, n_lambdas):
    X, y, cv = weak
    options = {"cv": cv, "l1_ratio": 0.0, "lambda_min_ratio": ratio, "n_lambdas": n_lambdas}
    with pytest.warns(regpath.SelectionWarning, match="smaller lambda_min_ratio, or extend=True"):
        assert regpath.cv_path(X, y, **options).is_open
    found = regpath.cv_path(X, y, extend=True, **options)
    assert not found.is_open
    long = regpath.cv_path(X, y, cv=cv, l1_ratio=0.0, lambdas=np.geomspace(1e4, 1e-6, 300))
    best = long.mean_scores.min()
    assert found.mean_scores.min() <= best + 0.01 * long.std_errors[long.index_min]


@pytest.mark.parametrize(
    "lambdas", [[np.inf, 0.5], [2.0, 1.9], [1.0, 1.0 - 1e-9], [np.inf, 1.0, 1.0]], ids=str
)
def test_grids_whose_own_steps_lead_nowhere_are_extended(weak, lambdas):
    X, y, cv = weak
    found = regpath.cv_path(X, y, cv=cv, l1_ratio=0.0, lambdas=lambdas, extend=True)
    assert found.lambdas.size > len(lambdas)
    assert_array_equal(found.lambdas[: len(lambdas)], lambdas)
    assert not found.is_open


def test_a_score_that_is_flat_at_the_end_is_not_open(weak):
    """Least squares is best: the score comes ever nearer to it."""
    X, y, cv = weak
    found = regpath.cv_path(X, y, cv=cv, lambda_min_ratio=1e-8, extend=True)
    assert found.index_min >= 98
    assert found.lambdas.size == 100
    assert not found.is_open


def test_an_extension_ends(weak):
    """The score is better the smaller lambda is, and as fast as ever."""
    X, y, cv = weak

    def loss(y_true, y_pred, sample_weight):
        return np.log(np.abs(y_pred - y_pred.mean()).max()) * -1.0

    options = {"cv": cv, "l1_ratio": 0.0, "lambdas": [1e12, 1e11], "scoring": loss}
    with pytest.warns(regpath.SelectionWarning, match="lambdas that go further down.$") as told:
        found = regpath.cv_path(X, y, extend=True, **options)
    assert "extend" not in str(told[0].message)
    assert found.is_open
    assert 1e2 <= found.lambdas[-1] < 1e3


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({}, "pass a smaller lambda_min_ratio, or extend=True"),
        ({"lambdas": [0.6, 0.5]}, "pass lambdas that go further down, or extend=True"),
        ({"fold_lambdas": "glmnet"}, "pass a smaller lambda_min_ratio"),
        ({"max_features": 1}, "raise max_features"),
        ({"stop_at_dev_ratio": 0.1}, "raise stop_at_dev_ratio"),
        ({"callback": lambda k, progress: k >= 4}, "let the callback go on"),
        ({"max_features": 1, "extend": True}, "raise max_features"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value) or "nothing",
)
def test_advice_is_what_was_not_given(data, options, advice):
    with pytest.warns(regpath.SelectionWarning) as told:
        regpath.cv_path(*data, **(SHORT | options))
    assert str(told[0].message).endswith(f"To do: {advice}.")
    assert [record.filename for record in told] == [__file__]


def test_every_l1_ratio_with_an_open_end_is_named(weak):
    X, y, cv = weak
    with pytest.warns(regpath.SelectionWarning) as told:
        surface = regpath.cv_path(X, y, cv=cv, l1_ratio=[1.0, 0.0], lambda_min_ratio=1e-4)
    assert [cv.is_open for cv in surface.paths] == [False, True]
    assert surface.l1_ratio_min != 0.0
    (message,) = (str(record.message) for record in told)
    assert f"for 1 of 2 l1_ratios, {surface.lambdas[1, -1]:.4g} (l1_ratio=0)" in message


def test_no_word_of_the_edge_after_an_interrupt(data):
    regpath.cv_path(*data, callback=interrupting(5, []), **SHORT)

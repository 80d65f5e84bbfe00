"""The public functions that fit paths: options and how they combine, notes, refits, processes."""

from __future__ import annotations

import functools
import itertools
import json
import math
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

import regpath
from regpath import Status, record
from regpath.path import Progress, refit
from regpath.solvers import gaussian, threads

TOL = 1e-10


@functools.cache
def make_data():
    """Integers that every storage holds exactly; used by child processes as well."""
    rng = np.random.default_rng(7)
    X = (rng.integers(-4, 5, (60, 12)) * (rng.random((60, 12)) < 0.6)).astype(float)
    y = X[:, :4] @ [1.0, -1.0, 0.5, 0.25] + rng.standard_normal(60)
    return X, y


@pytest.fixture
def data():
    X, y = make_data()
    return X.copy(), y.copy()


@pytest.fixture
def whole(data):
    return regpath.lasso_path(*data, n_lambdas=20, tol=TOL)


# --------------------------------------------------------------------------------- ends of a path


class TestEnds:
    """Which option ends a path first, and what is kept then."""

    def fit(self, data, **options):
        return regpath.lasso_path(*data, n_lambdas=20, tol=TOL, **options)

    def first(self, values, level):
        return int(np.argmax(values >= level))

    def test_the_earliest_of_several_limits_wins(self, data, whole):
        by_share = self.first(whole.dev_ratio, 0.4)
        by_count = self.first(whole.n_nonzero, 3)  # the first point with more than 2
        assert by_share != by_count
        path = self.fit(data, stop_at_dev_ratio=0.4, max_features=2)
        if by_share < by_count:
            assert path.lambdas.size == by_share + 1
            assert path.statuses[-1] is Status.DEV_RATIO
        else:
            assert path.lambdas.size == by_count
            assert path.statuses[-1] is Status.MAX_FEATURES
        late = self.fit(data, stop_at_dev_ratio=0.4, max_features=12)
        assert late.lambdas.size == by_share + 1
        assert late.statuses[-1] is Status.DEV_RATIO

    def test_callback_goes_before_dev_ratio_at_the_same_point(self, data, whole):
        level = float(whole.dev_ratio[5])
        path = self.fit(data, stop_at_dev_ratio=level, callback=lambda k, told: k == 5)
        assert path.lambdas.size == 6
        assert path.statuses[-1] is Status.CALLBACK
        assert path.info["stopped"] == Status.CALLBACK.value

    def test_the_callback_is_not_told_of_a_point_beyond_max_features(self, data, whole):
        told = []
        path = self.fit(data, max_features=3, callback=lambda k, progress: told.append(progress))
        assert len(told) == path.lambdas.size < 20
        assert max(progress.n_nonzero for progress in told) <= 3

    @pytest.mark.parametrize("answer", [None, False, 1, "yes", np.True_])
    def test_only_true_ends_a_path(self, data, answer):
        """A callback that returns, say, the result of list.append or a count does not mean it."""
        path = self.fit(data, callback=lambda k, told: answer)
        assert path.lambdas.size == 20
        assert path.info["stopped"] is None

    def test_the_end_of_the_grid_is_no_early_end(self, data, whole):
        for options in (
            {"callback": lambda k, told: k == 19},
            {"stop_at_dev_ratio": float(whole.dev_ratio[-1])},
            {"max_features": 12},
        ):
            path = self.fit(data, **options)
            assert path.lambdas.size == 20
            assert set(path.statuses) == {Status.CONVERGED}
            assert path.info["stopped"] is None

    def test_a_path_may_have_no_point_at_all(self, data):
        path = regpath.lasso_path(*data, lambdas=[1e-3], max_features=1)
        assert path.lambdas.size == len(path.statuses) == 0
        assert path.coefs.shape == (12, 0)
        assert path.info["stopped"] == Status.MAX_FEATURES.value
        assert path.predict(data[0]).shape == (60, 0)
        assert "0 lambdas" in repr(path)

    def test_what_a_callback_is_told(self, data, whole):
        told = []
        self.fit(data, callback=lambda *arguments: told.append(arguments))
        assert [k for k, _ in told] == list(range(20))
        points = [point for _, point in told]
        assert all(type(point) is Progress for point in points)
        assert_array_equal([point.lambda_ for point in points], whole.lambdas)
        assert_array_equal([point.n_nonzero for point in points], whole.n_nonzero)
        assert_array_equal([point.dev_ratio for point in points], whole.dev_ratio)
        assert_array_equal([point.dual_gap for point in points], whole.dual_gaps)
        assert [point.status for point in points] == list(whole.statuses)
        assert (np.diff([point.seconds for point in points]) >= 0).all()

    @pytest.mark.parametrize("l1_ratio", [1.0, 0.0])
    def test_time_budget_by_a_clock_that_counts(self, data, monkeypatch, l1_ratio):
        """Every look at the clock of the loop costs one second; points are never cut in two."""
        ticks = itertools.count()
        clock = SimpleNamespace(monotonic=lambda: float(next(ticks)))
        monkeypatch.setattr(regpath.path, "time", clock)
        monkeypatch.setattr(regpath.loop, "time", clock)
        monkeypatch.setattr(gaussian, "time", SimpleNamespace(monotonic=lambda: 0.0))
        path = regpath.fit_path(*data, l1_ratio=l1_ratio, n_lambdas=20, time_budget=4.5)
        assert path.lambdas.size == 5
        assert path.statuses[-1] is Status.TIME_BUDGET
        assert path.info["stopped"] == Status.TIME_BUDGET.value
        assert path.certify(*data).dual_gaps.max() <= 1e-6

    def test_time_that_runs_out_within_a_point_drops_it(self, rng, monkeypatch):
        """So many columns that points are solved one by one."""
        data = rng.standard_normal((30, 300)), rng.standard_normal(30)
        finished = []
        clock = SimpleNamespace(monotonic=lambda: math.inf if len(finished) == 3 else -math.inf)
        monkeypatch.setattr(gaussian, "time", clock)
        path = self.fit(data, time_budget=1e6, callback=lambda k, told: finished.append(k))
        assert path.lambdas.size == 3
        assert path.statuses[-1] is Status.TIME_BUDGET
        assert path.certify(*data).dual_gaps.max() <= TOL

    def test_the_first_point_is_finished_whatever_the_budget(self, data, monkeypatch):
        monkeypatch.setattr(gaussian, "time", SimpleNamespace(monotonic=lambda: 1e300))
        path = self.fit(data, time_budget=1e-9)
        assert path.lambdas.size == 1
        assert path.statuses == (Status.TIME_BUDGET,)


def test_progress_shows_a_bar_and_changes_nothing(data, whole, capsys):
    pytest.importorskip("rich")
    path = regpath.lasso_path(*data, n_lambdas=20, tol=TOL, progress=True)
    assert "path" in capsys.readouterr().out
    assert_array_equal(path.coefs, whole.coefs)
    regpath.lasso_path(*data, n_lambdas=20, tol=TOL)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("family", ["gaussian", "multinomial"])
@pytest.mark.parametrize("block", [0, 25])
def test_how_many_points_are_packed_together_changes_nothing(data, monkeypatch, family, block):
    X, y = data
    y = y if family == "gaussian" else np.digitize(y, [-1.0, 1.0])
    limits = {"lower": -0.3, "upper": 0.2}
    options = {"family": family, "n_lambdas": 8, "lambda_min_ratio": 0.05, **limits}
    together = regpath.lasso_path(X, y, **options)
    monkeypatch.setattr(record, "AT_ONCE", block)
    parts = regpath.lasso_path(X, y, **options)
    assert_array_equal(parts.coefs, together.coefs)
    assert_array_equal(parts.intercepts, together.intercepts)
    for field in ("objectives", "dual_gaps", "n_iters", "working_set_sizes", "kkt_violations"):
        assert_array_equal(getattr(parts, field), getattr(together, field))


def test_the_bar_is_closed_when_a_callback_fails(data, capsys):
    pytest.importorskip("rich")

    def fail(k, told):
        raise RuntimeError("mine")

    for _ in range(2):  # a bar that is still open would refuse a second one
        with pytest.raises(RuntimeError, match="mine"):
            regpath.lasso_path(*data, progress=True, callback=fail)


# ------------------------------------------------------------------------------- notes of the fit


class TestInfo:
    @pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
    @pytest.mark.parametrize("storage", ["dense", "sparse"])
    def test_contents(self, data, l1_ratio, storage):
        X, y = data
        X = np.asfortranarray(X) if storage == "dense" else sparse.csc_array(X)
        path = regpath.fit_path(X, y, l1_ratio=l1_ratio, n_lambdas=6)
        info = path.info
        assert json.loads(json.dumps(info)) == info
        assert info["storage"] == storage
        assert all(isinstance(reason, str) and reason for reason in info["why"])
        assert info["notes"] == []
        assert info["stopped"] is None
        assert info["constant_columns"] == []
        assert set(info["versions"]) == {"python", "numpy", "scipy", "numba"}
        assert info["largest_working_set"] == path.working_set_sizes.max()
        assert info["passes"] >= path.passes.sum() >= 1.0
        assert (path.working_set_sizes >= path.n_nonzero).all()

    @pytest.mark.parametrize(
        ("storage", "l1_ratio"),
        [
            (np.asfortranarray, 1.0),
            (np.asfortranarray, 0.0),
            (sparse.csc_array, 1.0),
            (sparse.csc_array, 0.0),
        ],
    )
    def test_the_choice_of_a_strategy_is_explained(self, data, storage, l1_ratio):
        X, y = data
        assert regpath.fit_path(storage(X), y, l1_ratio=l1_ratio, n_lambdas=3).info["why"]

    def test_constant_columns_by_index_or_by_name(self, data):
        pandas = pytest.importorskip("pandas")
        X, y = data
        X[:, [2, 7]] = 3.0
        assert regpath.lasso_path(X, y, n_lambdas=3).info["constant_columns"] == [2, 7]
        frame = pandas.DataFrame(X, columns=[f"x{j}" for j in range(12)])
        path = regpath.lasso_path(frame, y, n_lambdas=3)
        assert path.info["constant_columns"] == ["x2", "x7"]

    def test_a_conversion_is_noted(self, data):
        X, y = data
        (note,) = regpath.lasso_path(np.ascontiguousarray(X), y, n_lambdas=3).info["notes"]
        assert "copy" in note

    def test_the_kept_form_of_coefs_is_the_smaller_one(self, rng):
        few = regpath.lasso_path(rng.standard_normal((15, 300)), rng.standard_normal(15))
        assert sparse.issparse(few.coef_storage)
        X = rng.standard_normal((60, 5))
        y = X @ np.ones(5) + 0.1 * rng.standard_normal(60)
        many = regpath.ridge_path(X, y, n_lambdas=10)
        assert isinstance(many.coef_storage, np.ndarray)
        for path in (few, many):
            assert type(path.coefs) is np.ndarray
            assert_array_equal(path.coefs_sparse.toarray(), path.coefs)


# ------------------------------------------------------------------------------ refits and errors


SETTINGS = {
    "plain": {},
    "raw": {"fit_intercept": False, "standardize": False, "l1_ratio": 0.5},
    "ridge": {"l1_ratio": 0.0, "penalty_factor": np.r_[0.0, np.ones(10), np.inf]},
    "limits": {"lower": -0.3, "upper": np.linspace(0.1, 1, 12)},
    "data": {"sample_weight": np.arange(60) % 4, "offset": np.linspace(-1, 1, 60)},
}


class TestRefit:
    @pytest.mark.parametrize("options", SETTINGS.values(), ids=SETTINGS)
    def test_states_the_same_problem(self, data, options):
        path = regpath.fit_path(*data, n_lambdas=8, tol=TOL, **options)
        again = refit(path, *data, path.lambdas)
        assert_array_equal(again.lambdas, path.lambdas)
        assert_array_equal(again.coefs, path.coefs)
        assert_array_equal(again.intercepts, path.intercepts)
        assert again.settings.tol == TOL
        between = refit(path, *data, [0.0, 1.5 * path.lambdas[0]])
        assert_array_equal(between.lambdas, [1.5 * path.lambdas[0], 0.0])
        assert between.certify(*data).dual_gaps.max() <= TOL

    def test_errors_name_refit(self, data, whole):
        with pytest.raises(ValueError, match=r"^refit\(lambdas="):
            refit(whole, *data, -1.0)
        with pytest.raises(ValueError, match=r"^refit\("):
            refit(whole, data[0], data[1][:-1], 0.1)


CALLS = {
    "lasso_path": regpath.lasso_path,
    "ridge_path": regpath.ridge_path,
    "enet_path": regpath.enet_path,
    "fit_path": regpath.fit_path,
}
MISTAKES = {
    "tol": (-1.0, ValueError),
    "n_lambdas": (2.5, TypeError),
    "lambdas": ([1.0, np.nan], ValueError),
    "lambda_min_ratio": (1.0, ValueError),
    "max_iter": (0, ValueError),
    "max_features": (0, ValueError),
    "fit_intercept": ("yes", TypeError),
    "time_budget": (0, ValueError),
    "callback": (3, TypeError),
    "n_threads": (0, ValueError),
    "family": ("weibull", ValueError),
    "penalty": ("scad", ValueError),
    "sample_weight": (-np.ones(60), ValueError),
    "penalty_factor": (np.ones(3), ValueError),
    "lower": (0.5, ValueError),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", MISTAKES)
def test_errors_name_the_call_and_the_option(data, call, name):
    value, error = MISTAKES[name]
    with pytest.raises(error, match=rf"^{call}\({name}="):
        CALLS[call](*data, **{name: value})


@pytest.mark.parametrize("call", CALLS)
def test_an_option_that_does_not_exist(data, call):
    with pytest.raises(TypeError, match=rf"^{call}\(.*nlambdas"):
        CALLS[call](*data, nlambdas=3)


@pytest.mark.parametrize("call", ["lasso_path", "ridge_path"])
def test_l1_ratio_is_fixed_where_the_name_says_so(data, call):
    with pytest.raises(TypeError, match=rf"^{call}\(l1_ratio=.*enet_path"):
        CALLS[call](*data, l1_ratio=0.5)


def test_the_four_calls_agree(data):
    for call, l1_ratio in (("lasso_path", 1.0), ("ridge_path", 0.0), ("enet_path", 0.5)):
        path = CALLS[call](*data, n_lambdas=5)
        assert path.l1_ratio == l1_ratio
        same = regpath.fit_path(*data, l1_ratio=l1_ratio, penalty="elasticnet", n_lambdas=5)
        assert_array_equal(path.coefs, same.coefs)


# ------------------------------------------------------------------------------------- one answer


def with_wide_indices(X):
    stored = sparse.csc_array(X)
    stored.indices, stored.indptr = stored.indices.astype(np.int64), stored.indptr.astype(np.int64)
    return stored


def frame_of(library):
    def make(X):
        names = [f"x{j}" for j in range(X.shape[1])]
        return pytest.importorskip(library).DataFrame(dict(zip(names, X.T, strict=True)))

    return make


STORAGES = {
    "C order": np.ascontiguousarray,
    "float32": lambda X: np.asfortranarray(X, np.float32),
    "int8": lambda X: np.asfortranarray(X, np.int8),
    "int64": lambda X: X.astype(np.int64),
    "csc": sparse.csc_array,
    "csc, int64 indices": with_wide_indices,
    "csr matrix": sparse.csr_matrix,
    "coo": sparse.coo_array,
    "pandas": frame_of("pandas"),
    "polars": frame_of("polars"),
}


@pytest.mark.parametrize("l1_ratio", [1.0, 0.0])
@pytest.mark.parametrize("storage", STORAGES)
def test_every_storage_gives_one_answer(data, storage, l1_ratio):
    X, y = data
    options = {"l1_ratio": l1_ratio, "n_lambdas": 6, "tol": 1e-13}
    reference = regpath.fit_path(np.asfortranarray(X), y, **options)
    path = regpath.fit_path(STORAGES[storage](X), y, **options)
    assert_allclose(path.lambdas, reference.lambdas, rtol=1e-12)
    assert_allclose(path.coefs, reference.coefs, atol=1e-6)
    assert_allclose(path.objectives, reference.objectives, rtol=1e-11)


# ---------------------------------------------------------------------------- threads, processes


def fit_small(storage="dense", n_threads=None):
    """A small path of 20 x 260 (working set, passes) as plain bytes of its numbers."""
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((20, 260)), rng.standard_normal(20)
    X *= rng.random(X.shape) < 0.5
    X = np.asfortranarray(X) if storage == "dense" else sparse.csc_array(X)
    path = regpath.lasso_path(X, y, n_lambdas=8, n_threads=n_threads)
    return [a.tobytes() for a in (path.coefs, path.intercepts, path.dual_gaps, path.n_iters)]


def fit_with_many_threads(storage):
    """The same in a process whose passes use threads however small X is."""
    threads.ENTRIES_PER_THREAD = 100
    return fit_small(storage, n_threads=3)


storages = pytest.mark.parametrize("storage", ["dense", "sparse"])


@storages
def test_threads_of_passes_do_not_change_a_bit(storage, monkeypatch):
    alone = fit_small(storage, n_threads=1)
    used = []

    class Pool(ThreadPoolExecutor):
        def submit(self, *args):
            used.append(args[0])
            return super().submit(*args)

    monkeypatch.setattr(threads, "ENTRIES_PER_THREAD", 100)
    with Pool(8) as pool:
        monkeypatch.setattr(threads, "_pool", lambda: pool)
        for n_threads in (2, 7):
            assert fit_small(storage, n_threads=n_threads) == alone
            assert used
            assert len(used) % (n_threads - 1) == 0  # and the calling thread
            used.clear()
        assert fit_small(storage, n_threads=1) == alone
        assert not used


@storages
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # fork with threads
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_child_processes_give_the_same_bits(storage, method, monkeypatch):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    expected = fit_small(storage)
    monkeypatch.setattr(threads, "ENTRIES_PER_THREAD", 100)
    assert fit_small(storage, n_threads=2) == expected  # threads have been used before the fork
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        jobs = [pool.submit(fit_with_many_threads, storage) for _ in range(2)]
        assert [job.result(timeout=120) for job in jobs] == [expected] * 2


@storages
def test_many_fits_at_once_in_threads(storage):
    expected = fit_small(storage)
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(fit_small, storage) for _ in range(8)]
        assert [job.result(timeout=120) for job in jobs] == [expected] * 8


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_joblib(backend):
    joblib = pytest.importorskip("joblib")
    expected = fit_small()
    found = joblib.Parallel(2, backend=backend)(joblib.delayed(fit_small)() for _ in range(3))
    assert found == [expected] * 3

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from handmade import DENSE, N_FEATURES, N_LAMBDAS, NAMES, make_path

import regpath
from regpath import Settings, Status, _linear
from regpath.result import store_coefs


def columns_of(dense):
    """The columns in two blocks, the first of them with all zeros stored."""
    first, rest = np.arange(len(dense)), sp.csc_array(dense[:, 1:])
    return [
        (np.array([0, first.size]), first, dense[:, 0]),
        (rest.indptr, rest.indices, rest.data),
    ]


@pytest.fixture(params=["dense", "sparse"])
def path(request):
    return make_path(DENSE if request.param == "dense" else sp.csc_array(DENSE), names=NAMES)


@pytest.fixture(scope="module")
def prostate():
    X, y, _, _ = regpath.datasets.load_prostate()
    return X, y, regpath.lasso_path(X, y, n_lambdas=30)


@pytest.fixture(name="X")
def rows(rng):
    return rng.integers(-5, 6, size=(20, N_FEATURES)).astype(float)


# ---------------------------------------------------------------- storage of coefficients


@pytest.mark.parametrize(
    ("coefs", "p", "kind"),
    [(DENSE, 6, sp.csc_array), (DENSE + 9.0, 6, np.ndarray), (DENSE + 9.0, 60, sp.csc_array)],
)
def test_store_coefs_takes_the_smaller_storage(coefs, p, kind):
    stored = store_coefs(columns_of(coefs), p)
    assert isinstance(stored, kind)
    assert stored.shape == (p, N_LAMBDAS)
    dense = stored if kind is np.ndarray else stored.toarray()
    np.testing.assert_array_equal(dense[:N_FEATURES], coefs)
    assert not dense[N_FEATURES:].any()


@pytest.mark.parametrize("p", [4, 400])
def test_store_coefs_drops_zeros(p):
    stored = store_coefs([(np.array([0, 3]), np.array([0, 2, 3]), np.array([0.0, -2.0, 1.0]))], p)
    sparse = sp.csc_array(stored)
    assert sparse.indices.tolist() == [2, 3]
    assert sparse.data.tolist() == [-2.0, 1.0]


@pytest.mark.parametrize("p", [4, 400])
def test_store_coefs_sorts_the_features_of_a_column(p):
    block = np.array([0, 3, 5]), np.array([3, 0, 2, 1, 0]), np.array([1.0, -2.0, 3.0, 4.0, 5.0])
    sparse = sp.csc_array(store_coefs([block], p))
    assert sparse.indices.tolist() == [0, 2, 3, 0, 1]
    assert sparse.data.tolist() == [-2.0, 3.0, 1.0, 5.0, 4.0]


def test_both_storages_give_the_same_views(path):
    np.testing.assert_array_equal(path.coefs, DENSE)
    assert isinstance(path.coefs_sparse, sp.csc_array)
    np.testing.assert_array_equal(path.coefs_sparse.toarray(), DENSE)
    assert path.n_nonzero.tolist() == [0, 1, 3, 3, 5]
    assert path.n_features == N_FEATURES


def test_stored_zeros_do_not_count_as_nonzero():
    stored = sp.csc_array(DENSE)
    stored.data[0] = 0.0
    assert make_path(stored).n_nonzero.tolist() == [0, 0, 3, 3, 5]


# ---------------------------------------------------------------- a path is a value


def test_nothing_of_a_path_can_be_written(path):
    for array in (path.lambdas, path.coefs, path.intercepts, path.n_iters, path.seconds):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(AttributeError):
        path.l1_ratio = 0.5


def test_changing_the_sparse_view_leaves_the_path_alone():
    path = make_path(sp.csc_array(DENSE))
    view = path.coefs_sparse
    with pytest.raises(ValueError, match="read-only"):
        view.data[0] = 3.0
    view.data = np.ones(view.nnz)
    np.testing.assert_array_equal(path.coefs, DENSE)


def test_arrays_handed_in_keep_their_flags_and_settings_are_copied():
    lambdas, weights = np.array([2.0, 1.0]), np.array([1.0, 2.0])
    path = make_path(DENSE[:, :2], lambdas=lambdas, settings=Settings(sample_weight=weights))
    assert lambdas.flags.writeable
    weights[:] = 0.0
    assert path.settings.sample_weight.tolist() == [1.0, 2.0]
    assert "sample_weight=<2 values>" in repr(path.settings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"intercepts": np.zeros(4)}, r"intercepts has shape \(4,\)"),
        ({"n_iters": np.zeros((5, 1))}, "n_iters has shape"),
        ({"coef_storage": DENSE[:, :3]}, r"coef_storage has shape \(6, 3\)"),
        ({"coef_storage": DENSE[0]}, "coef_storage has shape"),
        ({"statuses": (Status.CONVERGED,)}, "1 statuses for 5 lambdas"),
        ({"feature_names": ("a",)}, "1 feature names for 6 features"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        make_path(**change)


def test_only_two_statuses_are_not_ok():
    assert {status for status in Status if not status.ok} == {Status.MAX_ITER, Status.ROUNDING}


# ---------------------------------------------------------------- interpolation


def test_points_of_the_grid_are_given_back_exactly(path):
    for index, lambda_ in enumerate(path.lambdas):
        np.testing.assert_array_equal(path.coef_at(lambda_), DENSE[:, index])
        assert path.intercept_at(lambda_) == path.intercepts[index]


def test_between_points_the_coefficients_are_linear_in_lambda(path):
    low, high = path.lambdas[3], path.lambdas[2]
    at = low + 0.25 * (high - low)
    np.testing.assert_allclose(path.coef_at(at), 0.75 * DENSE[:, 3] + 0.25 * DENSE[:, 2])
    assert path.intercept_at(at) == pytest.approx(0.75 * 13.0 + 0.25 * 12.0)


def test_several_lambdas_in_any_order_at_once(path):
    at = [0.3, 1.0, 0.0625, 0.3]
    together = path.coef_at(at)
    assert together.shape == (N_FEATURES, 4)
    for column, lambda_ in zip(together.T, at, strict=True):
        np.testing.assert_array_equal(column, path.coef_at(lambda_))
    assert path.intercept_at(at).shape == (4,)


def test_an_end_that_was_printed_and_read_again_is_accepted(path):
    np.testing.assert_array_equal(path.coef_at(path.lambdas[-1] * (1 - 1e-12)), DENSE[:, -1])


@pytest.mark.parametrize("at", [1.0001, 2.0, 0.06, 0.0, np.inf, [0.5, 0.01]])
def test_outside_of_the_grid_is_an_error_that_gives_the_range(path, at):
    with pytest.raises(ValueError, match=r"outside of the path \(0.0625 to 1\).*exact=True"):
        path.coef_at(at)
    with pytest.raises(ValueError, match=r"Path.predict: .*0.0625 to 1"):
        path.predict(np.zeros((1, N_FEATURES)), at)


@pytest.mark.parametrize(("at", "message"), [(-1.0, ">= 0"), (np.nan, ">= 0"), ([[1.0]], "shape")])
def test_values_that_are_no_lambda_are_refused(path, at, message):
    with pytest.raises(ValueError, match=message):
        path.coef_at(at)


@pytest.mark.parametrize("at", ["min", ["1se"], {}])
def test_rules_are_not_for_paths(path, at):
    with pytest.raises(
        TypeError, match=r"Path.coef_at: lambda_ must be .*'min' are for .* cv_path"
    ):
        path.coef_at(at)


def test_zero_and_inf_in_the_grid():
    path = make_path(DENSE, lambdas=[np.inf, 4.0, 2.0, 1.0, 0.0])
    np.testing.assert_array_equal(path.coef_at(np.inf), DENSE[:, 0])
    np.testing.assert_array_equal(path.coef_at(0.0), DENSE[:, -1])
    np.testing.assert_allclose(path.coef_at(0.5), 0.5 * (DENSE[:, 3] + DENSE[:, 4]))
    with pytest.raises(ValueError, match="0 to 4 and inf"):
        path.coef_at(5.0)  # half-way to infinity has no meaning


def test_a_path_with_one_point():
    path = make_path(DENSE[:, 1:2], lambdas=[0.5])
    np.testing.assert_array_equal(path.coef_at(0.5), DENSE[:, 1])
    with pytest.raises(ValueError, match="outside"):
        path.coef_at(0.4)


def test_exact_solves_the_problem_anew_also_outside_of_the_grid(prostate):
    X, y, path = prostate
    between = np.sqrt(path.lambdas[5] * path.lambdas[6])
    at = [between, 2.0 * path.lambdas[0], 0.5 * path.lambdas[-1]]
    coefs = path.coef_at(at, exact=True, X=X, y=y)
    reference = regpath.lasso_path(X, y, lambdas=sorted(at, reverse=True))
    np.testing.assert_allclose(coefs, reference.coefs[:, [1, 0, 2]], atol=1e-9)
    assert not coefs[:, 1].any()
    assert np.abs(path.coef_at(between) - coefs[:, 0]).max() > 1e-6  # interpolation is not exact
    intercept = path.intercept_at(between, exact=True, X=X, y=y)
    assert intercept == pytest.approx(reference.intercepts[1])


def test_exact_needs_the_data(path):
    with pytest.raises(ValueError, match=r"Path.coef_at\(exact=True\).*pass X= and y="):
        path.coef_at(0.5, exact=True)


# ---------------------------------------------------------------- at_df


@pytest.mark.parametrize(("k", "index"), [(0, 0), (1, 1), (2, 1), (3, 3), (4, 3), (5, 4), (99, 4)])
def test_at_df_takes_the_smallest_lambda_with_at_most_k(path, k, index):
    point = path.at_df(k)
    assert (point.index, point.lambda_) == (index, path.lambdas[index])
    assert point.n_nonzero == path.n_nonzero[index]
    np.testing.assert_array_equal(point.coef, DENSE[:, index])


def test_at_df_looks_beyond_a_part_of_the_path_with_more_features():
    path = make_path(DENSE[:, [0, 2, 4, 3, 1]])  # df: 0, 3, 5, 3, 1
    assert path.at_df(3).index == 4


def test_a_point_stands_for_its_index_and_its_lambda(path, X):
    point = path.at_df(3)
    np.testing.assert_array_equal(path.coefs[:, point], point.coef)
    np.testing.assert_array_equal(path.coef_at(point), point.coef)
    np.testing.assert_array_equal(path.predict(X, point), path.predict(X)[:, 3])
    assert point.selected == {"age": 3.0, "bmi": 0.25, "tc": 1.5}
    assert "lambda_=0.125" in repr(point)


def test_at_df_without_such_a_model():
    with pytest.raises(ValueError, match=r"at_df\(k=2\): every model .* at least 3"):
        make_path(DENSE[:, 2:]).at_df(2)


# ---------------------------------------------------------------- prediction


def forms_of(X):
    """The same rows in every form a user may have them."""
    read_only = X.copy()
    read_only.flags.writeable = False
    return {
        "C": np.ascontiguousarray(X),
        "F": np.asfortranarray(X),
        "float32": X.astype(np.float32),
        "int8": X.astype(np.int8),
        "uint16 strided": np.repeat(X + 100.0, 2, axis=1).astype(np.uint16)[:, ::2],
        "read-only": read_only,
        "list": X.tolist(),
        "csr": sp.csr_array(X),
        "csc matrix": sp.csc_matrix(X),
        "coo": sp.coo_array(X),
        "lil": sp.lil_array(X),
        "dok": sp.dok_array(X),
        "pandas": pd.DataFrame(X, columns=NAMES),
        "pandas Int64": pd.DataFrame(X, columns=NAMES).astype("Int64"),
        "polars": pl.DataFrame(X, schema=list(NAMES)),
        "polars decimal": pl.DataFrame(X, schema=list(NAMES)).cast(pl.Decimal(10, 2)),
    }


FORMS = list(forms_of(np.zeros((1, N_FEATURES))))


@pytest.mark.parametrize("form", FORMS)
def test_predictions_do_not_depend_on_the_form_of_the_rows(path, X, form):
    expected = (X + (100.0 if form == "uint16 strided" else 0.0)) @ DENSE + path.intercepts
    given = forms_of(X)[form]
    np.testing.assert_allclose(path.predict(given), expected, rtol=1e-12)
    np.testing.assert_allclose(path.predict(given, 0.25), expected[:, 2], rtol=1e-12)
    between = path.predict(given, [0.75, 0.25])
    np.testing.assert_allclose(between[:, 0], expected[:, :2].mean(axis=1), rtol=1e-12)
    np.testing.assert_array_equal(path.predict(given, type="link"), path.predict(given))


def test_dense_rows_are_taken_in_blocks(path, X, monkeypatch):
    whole = path.predict(X)
    monkeypatch.setattr(_linear, "BLOCK", 7 * N_FEATURES)
    np.testing.assert_allclose(path.predict(X), whole, rtol=1e-13)
    X[15, 2] = np.nan
    with pytest.raises(ValueError, match=r"X\[15, 2\] is nan"):
        path.predict(X)


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
def test_frames_are_read_by_name(path, X, library):
    columns = dict(zip(NAMES, X.T, strict=True))
    shuffled = {name: columns[name] for name in reversed(NAMES)} | {"note": ["text"] * len(X)}
    np.testing.assert_array_equal(path.predict(library(shuffled)), path.predict(X))


def test_frames_are_read_by_position_if_the_path_knows_no_names(X):
    frame = pd.DataFrame(X, columns=list("fedcba"))
    path = make_path()
    np.testing.assert_array_equal(path.predict(frame), path.predict(X))
    with pytest.raises(ValueError, match="X has 5 columns; the path was fitted on 6"):
        path.predict(frame.drop(columns="c"))


def bad_rows(X):
    frame = pd.DataFrame(X, columns=NAMES)
    with_nan, with_inf = X.copy(), sp.csr_array(X)
    with_nan[3, 1] = np.nan
    with_inf.data[0] = np.inf
    return {
        "too few": (X[:, 1:], ValueError, "5 columns; the path was fitted on 6"),
        "too few, sparse": (sp.csc_array(X[:, 1:]), ValueError, "5 columns"),
        "one row": (X[0], ValueError, r"shape \(6,\); it must be \(n, 6\)"),
        "nan": (with_nan, ValueError, r"X\[3, 1\] is nan"),
        "inf, sparse": (with_inf, ValueError, "nan or inf"),
        "text": (X.astype(str), TypeError, "must be numeric"),
        "object": (X.astype(object), TypeError, "must be numeric"),
        "complex": (X + 0j, TypeError, "must be numeric"),
        "complex, sparse": (sp.csr_array(X + 0j), TypeError, "must be numeric"),
        "missing": (frame.drop(columns=["sex", "tc"]), ValueError, "no column 'sex', 'tc'"),
        "twice": (frame.rename(columns={"tc": "age"}), ValueError, "no column 'tc'"),
        "twice, all there": (
            pd.concat([frame, frame[["age"]]], axis=1),
            ValueError,
            "several columns 'age'",
        ),
        "text column": (frame.assign(sex="1"), TypeError, "'sex' is not numeric"),
        "polars null": (
            pl.DataFrame(X, schema=list(NAMES)).with_columns(bmi=None),
            ValueError,
            r"X\[0, 2\] is nan",
        ),
    }


@pytest.mark.parametrize("case", list(bad_rows(np.ones((4, N_FEATURES)))))
def test_rows_that_cannot_be_used_are_refused(path, X, case):
    rows, error, message = bad_rows(X)[case]
    with pytest.raises(error, match=message):
        path.predict(rows)


def test_types_of_prediction(path, X):
    with pytest.raises(ValueError, match="no classes"):
        path.predict(X, type="class")
    with pytest.raises(ValueError, match="'response', 'link' or 'class'"):
        path.predict(X, type="probability")


def test_a_path_with_an_offset_asks_for_one(X):
    path = make_path(settings=Settings(offset=np.ones(3)))
    with pytest.raises(ValueError, match="fitted with an offset"):
        path.predict(X)
    offset = np.arange(len(X))
    expected = make_path().predict(X) + offset[:, None]
    np.testing.assert_allclose(path.predict(X, offset=offset), expected)
    with pytest.raises(ValueError, match=r"shape \(3,\), it must be \(20,\)"):
        path.predict(X, offset=[1, 2, 3])
    with pytest.raises(ValueError, match="finite"):
        path.predict(X, offset=np.full(len(X), np.nan))


def test_predictions_explain_the_share_of_the_deviance_that_the_path_reports(prostate):
    X, y, path = prostate
    residuals = y[:, None] - path.predict(X)
    share = 1.0 - (residuals**2).sum(axis=0) / ((y - y.mean()) ** 2).sum()
    np.testing.assert_allclose(share, path.dev_ratio, atol=1e-12)


# ---------------------------------------------------------------- text and frames


def test_summary_has_one_line_per_lambda(path):
    lines = path.summary().splitlines()
    start = next(i for i, line in enumerate(lines) if line.split()[:2] == ["lambda", "%dev"])
    table = [line.split() for line in lines[start + 1 :]]
    assert [row[0] for row in table] == ["0", "1", "2", "3", "4"]
    assert [float(row[1]) for row in table] == pytest.approx(path.lambdas)
    assert [float(row[2]) for row in table] == pytest.approx(100 * path.dev_ratio, abs=0.01)
    assert [int(row[3]) for row in table] == [0, 1, 3, 3, 5]
    assert [float(row[4]) for row in table] == pytest.approx(path.dual_gaps)
    assert {row[5] for row in table} == {"converged"}


def test_the_header_says_what_was_fitted():
    text = make_path(l1_ratio=0.25, settings=Settings(fit_intercept=False, tol=1e-4)).summary()
    assert text.startswith("Elastic net (l1_ratio=0.25) path, gaussian family: 6 features")
    assert "no intercept" in text
    assert "every point reached tol=0.0001" in text
    assert make_path(l1_ratio=0.0).summary().startswith("Ridge path")


def test_points_that_miss_tol_are_counted_and_explained():
    statuses = (Status.CONVERGED,) * 3 + (Status.MAX_ITER, Status.TIME_BUDGET)
    text = make_path(statuses=statuses).summary()
    assert "1 of 5 points missed tol=1e-06" in text
    assert Status.MAX_ITER.value in text
    assert Status.TIME_BUDGET.value in text
    assert text.splitlines()[-1].endswith("time_budget")


def test_repr_of_a_long_path_leaves_out_the_middle(prostate):
    path = prostate[2]
    text = repr(path)
    assert len(text.splitlines()) < 20 < len(path.summary().splitlines())
    assert "..." in text
    assert set(text.splitlines()) - set(path.summary().splitlines()) == {
        line for line in text.splitlines() if line.strip() == "..."
    }


def test_repr_never_shows_a_negative_zero():
    assert "-0.00" not in repr(make_path(dev_ratio=np.full(5, -1e-17)))


@pytest.mark.parametrize(
    ("backend", "kind"), [(None, pd.DataFrame), ("pandas", pd.DataFrame), ("polars", pl.DataFrame)]
)
def test_frames_hold_the_numbers(path, backend, kind):
    frame = path.to_frame(backend=backend)
    assert isinstance(frame, kind)
    assert list(frame.columns) == [
        "lambda", "df", "dev_ratio", "objective", "dual_gap",
        "kkt_violation", "n_iter", "seconds", "status",
    ]  # fmt: skip
    np.testing.assert_array_equal(frame["lambda"].to_numpy(), path.lambdas)
    assert frame["df"].to_list() == [0, 1, 3, 3, 5]
    coefs = path.to_frame("coefs", backend=backend)
    assert coefs["feature"].to_list() == ["(intercept)", *NAMES]
    numbers = np.column_stack([coefs[name].to_numpy() for name in list(coefs.columns)[1:]])
    np.testing.assert_array_equal(numbers, np.vstack([path.intercepts, DENSE]))
    assert [float(name) for name in list(coefs.columns)[1:]] == path.lambdas.tolist()


def test_frames_of_another_kind_are_refused(path):
    with pytest.raises(ValueError, match="'path' or 'coefs'"):
        path.to_frame("other")


def test_a_missing_extra_is_named(path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "narwhals", None)
    with pytest.raises(ImportError, match=r"pip install 'regpath\[frames\]'"):
        path.to_frame()


def test_a_path_without_points_says_so(rng):
    X = rng.standard_normal((20, 30))
    path = regpath.ridge_path(X, X[:, 0], max_features=3)
    assert path.lambdas.size == 0
    calls = [
        lambda: path.at_df(3),
        lambda: path.coef_at(1.0),
        lambda: path.predict(X, 1.0),
        path.plot,
        path.plot_diagnostics,
    ]
    for call in calls:
        with pytest.raises(ValueError, match="has no points; info"):
            call()

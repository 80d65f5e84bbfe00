"""Every way to say which rows are held out, and what cannot be used."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn import model_selection

from regpath._responses import check_response
from regpath.families import Binomial, Cox, Gaussian, Multinomial, Poisson, Tweedie
from regpath.folds import check_folds, is_partition, rows_of

N = 12


def folds_of(cv, n=N, *, family=None, y=None, X=None, weights=None, random_state=0):
    family = Gaussian() if family is None else family
    y = np.arange(n, dtype=float) if y is None else y
    weights = np.ones(n) if weights is None else np.asarray(weights, float)
    weights = weights / weights.sum()
    response = check_response("cv_path", family, y, weights, fit_intercept=True)
    X = np.zeros((n, 1)) if X is None else X
    return check_folds("cv_path", cv, X, y, response, weights, random_state)


def parts(folds):
    """Training and test rows as lists."""
    return [(np.flatnonzero(f.times).tolist(), f.held_out.tolist()) for f in folds]


def of_splitter(splitter, X=None, y=None, groups=None):
    X = np.zeros((N, 1)) if X is None else X
    return [(sorted(a.tolist()), sorted(b.tolist())) for a, b in splitter.split(X, y, groups)]


def refused(kind, cv, *says, **options):
    """The refusal is of one kind, names the call, and says what it has to."""
    with pytest.raises(kind) as caught:
        folds_of(cv, **options)
    for text in ("cv_path(cv=", *says):
        assert text in str(caught.value)


# ------------------------------------------------------------------------------ a number of folds


@pytest.mark.parametrize("n_folds", [2, 3, 5, 7, 11, 12])
def test_a_number_of_folds_are_parts_of_equal_size(n_folds):
    folds = folds_of(n_folds)
    assert len(folds) == n_folds
    assert sorted(np.concatenate([f.held_out for f in folds]).tolist()) == list(range(N))
    sizes = [f.held_out.size for f in folds]
    assert max(sizes) - min(sizes) <= 1
    for fold in folds:
        assert_array_equal(fold.times, ~np.isin(np.arange(N), fold.held_out))
        assert_array_equal(fold.held_out, np.sort(fold.held_out))
        assert fold.times.dtype == np.float64
        assert fold.held_out.dtype == np.int64


def test_the_number_may_be_an_integer_of_numpy():
    assert parts(folds_of(np.int32(3))) == parts(folds_of(3))


def test_random_state_decides_and_only_that():
    assert parts(folds_of(4, random_state=5)) == parts(folds_of(4, random_state=5))
    assert parts(folds_of(4, random_state=5)) != parts(folds_of(4, random_state=6))
    one, other = (folds_of(4, random_state=np.random.default_rng(5)) for _ in range(2))
    assert parts(one) == parts(other) == parts(folds_of(4, random_state=5))
    rng = np.random.default_rng(5)
    assert parts(folds_of(4, random_state=rng)) != parts(folds_of(4, random_state=rng))
    assert len({str(parts(folds_of(4, random_state=None))) for _ in range(5)}) == 5


@pytest.mark.parametrize("bad", ["seed", -1, 1.5, [object()]], ids=type)
def test_a_random_state_that_is_none(bad):
    with pytest.raises((TypeError, ValueError), match=r"cv_path\(random_state="):
        folds_of(4, random_state=bad)


STRATIFIED = {
    "binomial": (Binomial(), np.repeat(["a", "b"], [23, 7])),
    "multinomial": (Multinomial(), np.repeat(["c", "a", "b"], [5, 14, 11])),
    "cox": (Cox(), np.column_stack([np.arange(1.0, 31.0), np.arange(30) % 3 == 0])),
}


@pytest.mark.parametrize("case", STRATIFIED)
@pytest.mark.parametrize("seed", range(3))
def test_every_fold_has_its_share_of_classes_and_events(case, seed):
    family, y = STRATIFIED[case]
    labels = y[:, 1] if case == "cox" else y
    folds = folds_of(4, 30, family=family, y=y, random_state=seed)
    for label in np.unique(labels):
        counts = [(labels[f.held_out] == label).sum() for f in folds]
        assert max(counts) - min(counts) <= 1
    sizes = [f.held_out.size for f in folds]
    assert max(sizes) - min(sizes) <= 1


def test_rows_without_weight_are_spread_apart():
    """Ten folds of ten rows that count, among many that do not."""
    weights = np.zeros(40)
    weights[5:25:2] = 1.0
    for fold in folds_of(10, 40, weights=weights):
        assert np.count_nonzero(weights[fold.held_out]) == 1


@pytest.mark.parametrize("n_folds", [1, 0, -3, N + 1])
def test_a_number_out_of_range(n_folds):
    refused(ValueError, n_folds, f"cv={n_folds}", f"between 2 and the {N} rows")


@pytest.mark.parametrize("cv", [True, False, np.True_, 2.0, None, object()], ids=type)
def test_things_that_are_no_folds(cv):
    refused(TypeError, cv, "a number of folds, 'loo', one label for every row, a splitter")


# -------------------------------------------------------------------------------------------- loo


def test_leave_one_out():
    assert parts(folds_of("loo")) == of_splitter(model_selection.LeaveOneOut())


def test_rows_of_weight_0_are_not_left_out():
    folds = folds_of("loo", weights=np.arange(N) % 3)
    assert [fold.held_out.tolist() for fold in folds] == [[k] for k in range(N) if k % 3]
    refused(ValueError, "loo", "1 fold; at least 2", weights=np.arange(N) == 4)


@pytest.mark.parametrize("name", ["LOO", "kfold", ""])
def test_there_is_no_other_name(name):
    refused(ValueError, name, repr(name), "'loo'")


# ----------------------------------------------------------------------------------------- labels

LABELS = np.array([2, 0, 1] * 4)


@pytest.mark.parametrize(
    "labels",
    [
        LABELS,
        LABELS.tolist(),
        tuple(LABELS.tolist()),
        LABELS.astype(np.uint8),
        LABELS.astype(float),
        LABELS - 5,
        np.array(["b", "c", "d"])[LABELS],
        np.array(["b", "c", "d"], object)[LABELS],
        np.array(["b", "c", "d"])[LABELS].tolist(),
        pd.Series(LABELS, index=np.arange(100, 100 + N)),
        pd.Series(np.array(["b", "c", "d"])[LABELS]),
        pd.Series(np.array(["b", "c", "d"])[LABELS]).astype("category"),
    ],
    ids=lambda labels: f"{type(labels).__name__}-{np.asarray(labels).dtype}",
)
def test_labels_of_any_kind(labels):
    tests = [list(range(start, N, 3)) for start in (1, 2, 0)]
    everything = set(range(N))
    assert parts(folds_of(labels)) == [(sorted(everything - set(t)), t) for t in tests]


def test_a_mask_as_labels():
    mask = np.arange(N) < 5
    assert [f.held_out.size for f in folds_of(mask)] == [7, 5]


@pytest.mark.parametrize("size", [N - 1, N + 1, 1])
def test_labels_of_another_length(size):
    refused(ValueError, np.arange(size), f"shape ({size},)", f"each of the {N} rows")


def test_labels_in_two_dimensions():
    refused(ValueError, np.zeros((N, 2)), f"shape ({N}, 2)")


@pytest.mark.parametrize(
    "labels",
    [
        np.r_[np.nan, np.arange(N - 1.0)],
        np.r_[np.inf, np.arange(N - 1.0)],
        np.array([None, *"ab", *"c" * (N - 3)], object),
        np.array([np.nan, *"ab", *"c" * (N - 3)], object),
        pd.Series([np.nan, *"ab", *"c" * (N - 3)]).astype("category"),
        pd.Series([None, *range(N - 1)], dtype="Int64"),
        [None, *range(N - 1)],
        np.array(["NaT", *["2020-01-01"] * (N - 1)], "M8[D]"),
        np.array(["NaT", *[1] * (N - 1)], "m8[s]"),
        pd.Series([pd.NaT, *pd.date_range("2020", periods=N - 1)]),
    ],
    ids=[
        *["nan", "inf", "None", "nan among strings", "category", "NA", "None in a list"],
        *["NaT", "NaT in times", "NaT in a series"],
    ],
)
def test_labels_that_are_missing(labels):
    refused(ValueError, labels, "missing")


@pytest.mark.parametrize("values", [[1, 2, 3], ["a", "b", "c"], [1.5, 2.5, 0.0]], ids=str)
def test_labels_of_pyarrow(values):
    pa = pytest.importorskip("pyarrow")
    labels = [values[k] for k in LABELS]
    assert parts(folds_of(pa.array(labels))) == parts(folds_of(labels))
    assert parts(folds_of(pa.chunked_array([labels[:5], labels[5:]]))) == parts(folds_of(labels))
    refused(ValueError, pa.array([None, *labels[1:]]), "missing")


def test_labels_of_mixed_types():
    refused(TypeError, np.array([1, "a"] * (N // 2), object), "one type")


def test_one_label():
    refused(ValueError, np.zeros(N), "1 fold", "at least 2")


# --------------------------------------------------------------------- splitters of scikit-learn

GROUPS = np.repeat([3, 1, 2, 7], 3)
CLASSES = np.arange(N) % 2
SPLITTERS = {
    "KFold": model_selection.KFold(4),
    "shuffled KFold": model_selection.KFold(4, shuffle=True, random_state=1),
    "StratifiedKFold": model_selection.StratifiedKFold(3, shuffle=True, random_state=1),
    "RepeatedKFold": model_selection.RepeatedKFold(n_splits=3, n_repeats=2, random_state=1),
    "ShuffleSplit": model_selection.ShuffleSplit(4, test_size=3, random_state=1),
    "PredefinedSplit": model_selection.PredefinedSplit(LABELS),
    "PredefinedSplit with rows for training only": model_selection.PredefinedSplit(LABELS - 1),
    "TimeSeriesSplit": model_selection.TimeSeriesSplit(3),
    "LeaveOneOut": model_selection.LeaveOneOut(),
    "LeavePOut": model_selection.LeavePOut(1),
}


@pytest.mark.parametrize("name", SPLITTERS)
def test_a_splitter(name):
    splitter, options = SPLITTERS[name], {"family": Binomial(), "y": CLASSES}
    if name in ("LeaveOneOut", "LeavePOut", "TimeSeriesSplit"):
        options = {}
    expected = of_splitter(splitter, y=CLASSES)
    assert parts(folds_of(splitter, **options)) == expected
    assert parts(folds_of(splitter.split(np.zeros(N), CLASSES), **options)) == expected
    assert parts(folds_of(list(splitter.split(np.zeros(N), CLASSES)), **options)) == expected


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, pd.DataFrame])
def test_a_splitter_is_given_what_the_user_gave(kind):
    given = {}

    class Splitter:
        def split(self, X, y=None, groups=None):
            given.update(X=X, y=y)
            return [([0, 1, 2], [3]), ([3], [0])]

    X, y = kind(np.ones((N, 2))), np.arange(float(N)).tolist()
    assert parts(folds_of(Splitter(), X=X, y=y)) == [([0, 1, 2], [3]), ([3], [0])]
    assert given["X"] is X
    assert given["y"] is y


def test_groups_are_split_by_the_user():
    splits = model_selection.GroupKFold(3).split(np.zeros(N), groups=GROUPS)
    expected = of_splitter(model_selection.GroupKFold(3), groups=GROUPS)
    assert parts(folds_of(splits)) == expected
    assert parts(folds_of(GROUPS)) == of_splitter(model_selection.LeaveOneGroupOut(), groups=GROUPS)


@pytest.mark.parametrize(
    "splitter",
    [
        model_selection.GroupKFold(3),
        model_selection.LeaveOneGroupOut(),
        model_selection.GroupShuffleSplit(3),
    ],
    ids=repr,
)
def test_splitters_that_need_groups(splitter):
    refused(ValueError, splitter, "groups", "split(X, y, groups)")


def test_an_error_about_groups_of_rows_is_not_about_the_parameter():
    splitter = model_selection.StratifiedShuffleSplit(3)
    with pytest.raises(ValueError, match="only 1 member") as caught:
        folds_of(splitter)
    assert "split(X, y, groups)" not in str(caught.value)


def test_the_class_of_a_splitter():
    refused(TypeError, model_selection.KFold, "the class KFold itself", "cv=KFold()")


def test_other_errors_of_a_splitter_are_its_own():
    class Splitter:
        def split(self, X, y=None, groups=None):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        folds_of(Splitter())


@pytest.mark.parametrize(
    ("cv", "is_one"),
    [
        (4, True),
        (LABELS, True),
        ("loo", True),
        ([(range(6, N), range(6)), (range(6), range(6, N))], True),
        (model_selection.ShuffleSplit(4, test_size=3, random_state=1), False),
        (model_selection.RepeatedKFold(n_splits=3, n_repeats=2), False),
        ([(range(6, N), range(6))] * 2, False),
        ([(range(1, N), [0] * 6), (range(N - 1), [N - 1] * 6)], False),
        ([(range(6, N - 1), range(6)), (range(6), range(6, N))], False),  # trained without a row
    ],
    ids=str,
)
def test_a_partition_holds_out_every_row_once(cv, is_one):
    if isinstance(cv, list) and isinstance(cv[0], tuple):
        cv = [tuple(np.array(part) for part in pair) for pair in cv]
    assert is_partition(folds_of(cv), N) is is_one


# ---------------------------------------------------------------------------------------- pairs


def test_masks_and_lists_and_negative_indices_are_rows():
    train = [0, 1, 2, 3, 4, 5, 6, 7]
    mask = np.arange(N) < 8
    expected = [(train, [8, 10]), (train, [9, 11])]
    for pairs in (
        [(train, [10, 8]), (train, [11, 9])],
        [[mask, [8, -2]], [mask.tolist(), np.array([-1, -3])]],
        (
            (np.array(train, np.uint16), np.isin(np.arange(N), [8, 10])),
            (pd.Series(train, index=train[::-1]), pd.Index([9, 11])),
        ),
        iter([(train, [8, 10]), (train, range(9, 12, 2))]),
    ):
        assert parts(folds_of(pairs)) == expected


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.uint64])
def test_indices_of_any_size_of_integer(dtype):
    """n itself need not be one of them."""
    train, test = np.arange(100, dtype=dtype), np.array([101, 100], dtype)
    pairs = [(train, test), (test, train)]
    assert parts(folds_of(pairs, 300)) == [(list(range(100)), [100, 101]), ([100, 101], [*train])]


def test_repeated_training_rows_count_so_often():
    first, second = folds_of([([0, 0, 3, 0, 3, 1], [2, 5]), ([1, 2], [0])])
    assert_array_equal(first.times, [3, 1, 0, 2, *[0] * (N - 4)])
    assert_array_equal(second.times, [0, 1, 1, *[0] * (N - 3)])
    assert first.held_out.tolist() == [2, 5]


def test_a_row_in_both_parts():
    says = "row 4 is in the training and in the test part"
    refused(ValueError, [([0, 1, 4], [4, 5]), ([1], [2])], says)
    refused(ValueError, [([0, 1, 4], [N - 1]), ([1, -8], [4])], says)


@pytest.mark.parametrize("row", [N, N + 5, -N - 1])
@pytest.mark.parametrize("place", ["training", "test"])
def test_a_row_that_is_not_there(row, place):
    rows = [3, row, 5]
    pair = (rows, [1]) if place == "training" else ([1], rows)
    refused(ValueError, [([0], [1]), pair], f"row {row} is not among the {N} rows")


@pytest.mark.parametrize(
    "part", [[0.0, 1.0], ["a"], np.zeros((2, 2), int), np.ones(N - 1, bool)], ids=str
)
def test_parts_that_are_no_rows(part):
    refused(TypeError, [([3], [4]), (np.array([1]), np.asarray(part))], "boolean masks")


@pytest.mark.parametrize("empty", [[], np.zeros(N, bool), np.zeros(0, int)], ids=repr)
def test_an_empty_part(empty):
    refused(ValueError, [([0], [1]), ([0, 1], empty)], "fold 1 has an empty test part")
    refused(ValueError, [(empty, [1]), ([0, 1], [2])], "fold 0 has an empty training part")


@pytest.mark.parametrize("pairs", [[], iter([])], ids=["list", "iterator"])
def test_no_fold(pairs):
    refused(ValueError, pairs, "0 folds", "at least 2")


def test_one_fold():
    refused(ValueError, [([0, 1], [2])], "1 fold", "at least 2")
    refused(ValueError, model_selection.ShuffleSplit(1), "1 fold", "at least 2")


def test_a_part_without_weight():
    weights = np.ones(N)
    weights[:3] = 0.0
    pairs = [(range(5, N), [3]), (range(5, N), [0, 1, 2])]
    pairs = [(list(a), b) for a, b in pairs]
    refused(ValueError, pairs, "fold 1 has a test part whose rows all have", weights=weights)
    labels = np.r_[[0] * 3, [1, 2, 3] * 3]
    refused(ValueError, labels, "Leave that fold out", "the label of another", weights=weights)
    pairs = [([0, 1], [3]), pairs[0]]
    refused(ValueError, pairs, "fold 0 has a training part whose rows all", weights=weights)
    assert len(folds_of([([0, 3], [1, 4]), ([4], [3])], weights=weights)) == 2


# --------------------------------------------------------------------------- what a family needs


def test_a_class_that_no_training_row_has():
    y = np.array(["no"] * (N - 1) + ["yes"])
    says = "fold 1", "no row of class yes"
    pairs = [([0, N - 1], [1]), ([0, 1], [N - 1])]
    refused(ValueError, pairs, *says, family=Binomial(), y=y)
    refused(ValueError, 5, "has one row only: leave that row out", family=Binomial(), y=y)
    y = np.array(["a", "b", "c"] * 4)
    pairs = [([0, 1, 2], [3, 4]), ([0, 2, 3], [4, 5])]
    refused(ValueError, pairs, "no row of class b", family=Multinomial(), y=y)


def test_a_class_that_only_a_row_without_weight_has():
    y, weights = np.arange(N) % 2, np.ones(N)
    weights[[1, 5]] = 0.0
    pairs = [([0, 1, 2, 5], [3]), ([0, 3], [1, 2])]
    refused(
        ValueError, pairs, "fold 0", "no row of class 1", family=Binomial(), y=y, weights=weights
    )


def test_proportions_hold_both_classes():
    y = np.full(N, 0.25)
    y[0] = 0.0
    assert len(folds_of(3, family=Binomial(), y=y)) == 3
    pairs = [([0], [1]), ([1], [2])]
    refused(ValueError, pairs, "fold 0", family=Binomial(), y=y)


@pytest.mark.parametrize("family", [Poisson(), Tweedie(1.5)], ids=repr)
def test_counts_that_are_all_zero(family):
    y = np.r_[np.zeros(N - 1), 3.0]
    pairs = [([0, N - 1], [1]), ([0, 1], [N - 1])]
    refused(ValueError, pairs, "fold 1", "only zeros", family=family, y=y)


def test_no_event():
    y = np.column_stack([np.arange(1.0, N + 1), np.arange(N) == 3])
    pairs = [([0, 3, 5], [1]), ([0, 1, 5], [3])]
    refused(ValueError, pairs, "fold 1", "no event", family=Cox(), y=y)


# ------------------------------------------------------------------------------------------ rows


@pytest.mark.parametrize(
    "kind",
    [np.asarray, sparse.csc_array, sparse.coo_array, sparse.csr_matrix, pd.DataFrame],
    ids=lambda kind: kind.__name__,
)
def test_rows_of_anything(kind):
    X = np.arange(20.0).reshape(5, 4)
    found = rows_of(kind(X), np.array([3, 0, 3]))
    dense = found.toarray() if sparse.issparse(found) else np.asarray(found)
    assert_array_equal(dense, X[[3, 0, 3]])


def test_rows_of_a_series_and_of_polars():
    rows = np.array([2, 0])
    assert rows_of(pd.Series([5, 6, 7], index=[9, 8, 7]), rows).tolist() == [7, 5]
    polars = pytest.importorskip("polars")
    assert rows_of(polars.DataFrame({"a": [5, 6, 7]}), rows)["a"].to_list() == [7, 5]
    assert list(rows_of(polars.Series([5, 6, 7]), rows)) == [7, 5]

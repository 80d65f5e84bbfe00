"""X as users pass it: what is used without a copy, what is converted, what is refused."""

import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp

from regpath._inputs import check_design, raise_for_nonfinite_columns
from regpath.designs import Csc, Dense

CALL = "lasso_path"
N, P = 6, 4


def matrix(dtype=np.float64, order="F"):
    values = np.random.default_rng(0).integers(0, 2, (N, P))
    return np.array(values, dtype=dtype, order=order)


def sparse(kind="csc", dtype=np.float64, index=np.int32):
    built = sp.csc_array(matrix(dtype)).asformat(kind)
    if kind in ("csc", "csr"):
        built.indices, built.indptr = built.indices.astype(index), built.indptr.astype(index)
    return built


def values_of(design):
    """X as a dense float64 array, from a design."""
    if isinstance(design, Dense):
        return design.columns.T.astype(np.float64)
    p = design.indptr.size - 1
    parts = (design.data, design.indices, design.indptr)
    return sp.csc_array(parts, shape=(design.n_rows, p)).toarray().astype(np.float64)


def arrays_of(design):
    return [part for part in design if isinstance(part, np.ndarray)]


def read_only(array):
    array.flags.writeable = False
    return array


def unaligned(array):
    raw = np.zeros(array.nbytes + 1, np.uint8)
    view = raw[1:].view(array.dtype).reshape(array.shape, order="F")
    view[...] = array
    return view


# -------------------------------------------------------------------------------- dense designs

NO_COPY = {
    **{
        name: matrix(name)
        for name in (
            "float64", "float32", "int8", "int16", "int32", "int64",
            "uint8", "uint16", "uint32", "uint64", "bool",
        )
    },
    "read-only": read_only(matrix()),
    "one column": matrix(order="C")[:, :1].copy(),
    "one row": matrix(order="C")[:1],
    "slice of columns": matrix()[:, 1:3],
    "np.matrix": np.matrix(matrix(), copy=False),
}  # fmt: skip

ONE_COPY = {
    "C-ordered": (matrix(order="C"), np.float64, "C-ordered"),
    "C-ordered int8": (matrix(np.int8, "C"), np.int8, "C-ordered"),
    "C-ordered bool": (matrix(bool, "C"), np.uint8, "C-ordered"),
    "strided": (matrix()[::2], np.float64, "not contiguous"),
    "reversed": (matrix()[::-1], np.float64, "not contiguous"),
    "float16": (matrix(np.float16), np.float32, "of dtype float16"),
    "longdouble": (matrix(np.longdouble), np.float64, "of dtype float128"),
    "big-endian": (matrix(">f8"), np.float64, "of dtype >f8"),
    "big-endian int": (matrix(">i4"), np.int32, "of dtype >i4"),
    "unaligned": (unaligned(matrix()), np.float64, "unaligned"),
    "nested list": (matrix().tolist(), np.float64, "C-ordered"),
}


@pytest.mark.parametrize("name", NO_COPY)
def test_dense_is_used_without_a_copy(name):
    X = NO_COPY[name]
    before, flags = X.copy(), (X.flags.writeable, X.dtype)
    design, names, notes = check_design(CALL, X)
    assert np.shares_memory(design.columns, X)
    assert design.columns.shape == X.shape[::-1]
    assert design.columns.flags.c_contiguous
    assert not design.columns.flags.writeable
    assert type(design.columns) is np.ndarray
    assert design.columns.dtype == (np.uint8 if X.dtype == bool else X.dtype)
    assert (names, notes) == (None, ())
    assert (X.flags.writeable, X.dtype) == flags
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("name", ONE_COPY)
def test_other_dense_is_copied_once_with_a_note(name):
    X, dtype, reason = ONE_COPY[name]
    design, _, notes = check_design(CALL, X)
    assert design.columns.dtype == dtype
    assert design.columns.dtype.isnative
    assert design.columns.flags.c_contiguous
    assert design.columns.flags.aligned
    assert not design.columns.flags.writeable
    np.testing.assert_array_equal(values_of(design), np.asarray(X, np.float64))
    assert len(notes) == 1
    if name != "longdouble":  # called float96 or float64 elsewhere
        assert notes[0] == f"X was {reason}: one Fortran-ordered copy was made"


@pytest.mark.parametrize("order", ["F", "C"])
def test_memory_map(tmp_path, order):
    file = tmp_path / "X.dat"
    X = np.memmap(file, dtype=np.float32, mode="w+", shape=(N, P), order=order)
    X[...] = matrix()
    design, _, notes = check_design(CALL, X)
    assert np.shares_memory(design.columns, X) == (order == "F")
    assert bool(notes) == (order == "C")
    assert type(design.columns) is np.ndarray
    np.testing.assert_array_equal(values_of(design), matrix())


def test_container_with_array_method():
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            return matrix()

    np.testing.assert_array_equal(values_of(check_design(CALL, Tensor())[0]), matrix())


# ------------------------------------------------------------------------------- sparse designs


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int8, np.int64, bool])
@pytest.mark.parametrize("make", [sp.csc_array, sp.csc_matrix])
def test_csc_is_used_without_a_copy(make, dtype, index):
    X = make(sparse("csc", dtype, index))
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    before = X.copy()
    design, names, notes = check_design(CALL, X)
    assert isinstance(design, Csc)
    for part, own in zip(arrays_of(design), (X.data, X.indices, X.indptr), strict=True):
        assert np.shares_memory(part, own)
        assert not part.flags.writeable
        assert own.flags.writeable
    assert design.data.dtype == (np.uint8 if dtype is bool else dtype)
    assert design.indices.dtype == design.indptr.dtype == index
    assert type(design.n_rows) is int
    assert (names, notes) == (None, ())
    np.testing.assert_array_equal(values_of(design), matrix())
    np.testing.assert_array_equal(X.data, before.data)


@pytest.mark.parametrize("kind", ["csr", "coo", "bsr", "lil", "dok", "dia"])
def test_other_sparse_is_converted_once_with_a_note(kind):
    X = sparse(kind)
    design, _, notes = check_design(CALL, X)
    assert notes == (f"X was {kind.upper()}: converted once to CSC",)
    np.testing.assert_array_equal(values_of(design), matrix())
    np.testing.assert_array_equal(X.toarray(), matrix())


def test_sparse_corner_cases():
    empty = check_design(CALL, sp.csc_array((N, P)))[0]
    assert empty.data.size == 0
    zeros = sparse()
    zeros.data[:] = 0  # explicit zeros stay
    assert check_design(CALL, zeros)[0].data.size == zeros.data.size
    unsorted = sp.csr_array((np.ones(2), np.array([2, 0]), np.array([0, 2])), shape=(1, 3))
    np.testing.assert_array_equal(values_of(check_design(CALL, unsorted)[0]), [[1, 0, 1]])
    big_endian = sp.csc_array(matrix())
    big_endian.data = big_endian.data.astype(">f8")
    assert check_design(CALL, big_endian)[0].data.dtype.isnative


@pytest.mark.parametrize("seed", range(20))
def test_order_check_agrees_with_scipy(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 3, 8)  # columns without entries as well
    indptr = np.concatenate([[0], np.cumsum(counts)])
    indices = rng.integers(0, 5, indptr[-1])
    X = sp.csc_array((np.ones(indices.size), indices, indptr), shape=(5, 8))
    reference = sp.csc_array((np.ones(indices.size), indices, indptr), shape=(5, 8))
    if reference.has_canonical_format:
        check_design(CALL, X)
    else:
        with pytest.raises(ValueError, match=r"sum_duplicates"):
            check_design(CALL, X)


# --------------------------------------------------------------------------------------- frames

FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame}


@pytest.mark.parametrize("library", FRAMES)
def test_frame_keeps_names(library):
    X = matrix(np.float64)
    frame = FRAMES[library]({name: X[:, j] for j, name in enumerate("abcd")})
    design, names, notes = check_design(CALL, frame)
    assert names == ("a", "b", "c", "d")
    assert notes == ("X was a data frame: read as one float64 matrix",)
    assert not design.columns.flags.writeable
    np.testing.assert_array_equal(values_of(design), X)


@pytest.mark.parametrize("library", FRAMES)
@pytest.mark.parametrize(
    ("dtypes", "common"),
    [
        (("int8", "int8"), np.int8),
        (("bool", "bool"), np.uint8),
        (("bool", "int8"), np.int8),
        (("float32", "float32"), np.float32),
        (("float32", "int8"), np.float32),
        (("int64", "float64"), np.float64),
        (("int64", "bool"), np.int64),
    ],
)
def test_frame_takes_the_smallest_common_dtype(library, dtypes, common):
    columns = {f"x{j}": matrix()[:, j].astype(dtype) for j, dtype in enumerate(dtypes)}
    design, _, _ = check_design(CALL, FRAMES[library](columns))
    assert design.columns.dtype == common
    np.testing.assert_array_equal(values_of(design), matrix()[:, :2])


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": pd.array([1, 2, 3], "Int64"), "b": pd.array([1, 0, 1], "boolean")}),
        pd.DataFrame({"a": pd.array([1, 2, 3], "Int64"), "b": pd.array([1, 0, 1], "Int64")}),
        pd.DataFrame({1: [1, 2, 3], "1": [1.0, 0.0, 1.0]}),
        pl.DataFrame({"a": [1, 2, 3], "b": [1, 0, 1]}, schema={"a": pl.Int128, "b": pl.Int128}),
        pl.DataFrame({"a": [1, 2, 3], "b": [1, 0, 1]}).cast({"a": pl.Decimal(10, 2)}),
        pl.DataFrame({"a": [1, 2, 3], "b": [1, 0, 1]}).to_arrow(),
    ],
    ids=["nullable", "nullable alike", "names alike", "128 bits", "decimal", "arrow"],
)
def test_unusual_frames(frame):
    np.testing.assert_array_equal(values_of(check_design(CALL, frame)[0]), [[1, 1], [2, 0], [3, 1]])


def test_sparse_frame_stays_sparse():
    frame = pd.DataFrame.sparse.from_spmatrix(sparse(), columns=list("abcd"))
    design, names, notes = check_design(CALL, frame)
    assert isinstance(design, Csc)
    assert names == ("a", "b", "c", "d")
    assert notes == ("X was a sparse data frame: converted once to CSC",)
    np.testing.assert_array_equal(values_of(design), matrix())


def test_frame_without_narwhals(monkeypatch):
    monkeypatch.setitem(sys.modules, "narwhals", None)
    with pytest.raises(ImportError, match=r"regpath\[frames\]"):
        check_design(CALL, pd.DataFrame(matrix()))


def test_lists_of_columns_are_cut_short():
    frame = pd.DataFrame(np.full((3, 9), "a"), columns=[f"x{j}" for j in range(9)])
    with pytest.raises(ValueError, match=r"9 of 9 columns are not numeric .*'x4' .* and 4 more\)"):
        check_design(CALL, frame)


def test_nonfinite_columns():
    bad = np.array([1, 3])
    with pytest.raises(
        ValueError, match=r"lasso_path\(X=...\): 2 of 4 columns hold NaN .*'b', 'd'"
    ):
        raise_for_nonfinite_columns(CALL, bad, tuple("abcd"), 4)
    with pytest.raises(ValueError, match=r"1 of 4 columns holds NaN .*\(column 3\)"):
        raise_for_nonfinite_columns(CALL, bad[1:], None, 4)


# --------------------------------------------------------------------------------------- refusals


def damaged(**parts):
    """A CSC matrix with parts that its constructor would refuse."""
    X = sparse()
    for name, value in parts.items():
        setattr(X, name, value)
    return X


def csc_with_second_column(rows):
    parts = (np.ones(2), np.array(rows), np.array([0, 0, 2, 2, 2]))
    return sp.csc_array(parts, shape=(N, P))


def csr_with(indices):
    return sp.csr_array((np.ones(2), np.array(indices), np.array([0, 1, 2])), shape=(2, 3))


def coo_with(row):
    X = sp.coo_array((np.ones(2), ([0, 1], [0, 1])), shape=(2, 3))
    X.coords = (np.array([0, row]), np.array([0, 1]))
    return X


BAD_X = {
    "None": (None, TypeError, "NoneType was given", "pass an array"),
    "text": ("file.csv", TypeError, "str was given"),
    "lazy frame": (pl.LazyFrame({"a": [1]}), TypeError, "LazyFrame was given", "in memory"),
    "dict": ({"a": [1, 2]}, TypeError, "dict was given"),
    "generator": ((row for row in [[1]]), TypeError, "generator was given"),
    "ragged": ([[1, 2], [3]], ValueError, "cannot be read as an array"),
    "scalar": (3.0, ValueError, "shape is ()", "two dimensions"),
    "1-D": (np.ones(6), ValueError, "shape is (6,)", "X.reshape(-1, 1)"),
    "series": (pd.Series(np.ones(6)), ValueError, "shape is (6,)", "X.reshape(-1, 1)"),
    "polars series": (pl.Series(np.ones(6)), ValueError, "shape is (6,)", "X.reshape(-1, 1)"),
    "3-D": (np.ones((2, 3, 4)), ValueError, "shape is (2, 3, 4)", "two dimensions"),
    "1-D sparse": (sp.coo_array(np.ones(6)), ValueError, "shape is (6,)", "two dimensions"),
    "no rows": (np.ones((0, 4)), ValueError, "shape is (0, 4)", "at least one row"),
    "no columns": (np.ones((6, 0)), ValueError, "shape is (6, 0)", "at least one row"),
    "empty list": ([], ValueError, "shape is (0,)"),
    "sparse without rows": (sp.csc_array((0, 4)), ValueError, "shape is (0, 4)"),
    "frame without columns": (pd.DataFrame(index=range(3)), ValueError, "shape is (3, 0)"),
    "complex": (matrix(complex), TypeError, "dtype is complex128", "X.real"),
    "object": (matrix(object), TypeError, "dtype is object", "X.astype(float)"),
    "strings": (matrix(str), TypeError, "dtype is <U21", "encode it as numbers"),
    "dates": (matrix("i8").astype("M8[D]"), TypeError, "dtype is datetime64[D]", "dates"),
    "durations": (matrix("m8[s]"), TypeError, "dtype is timedelta64[s]", "unit of time"),
    "structured": (np.zeros((2, 2), "f8,f8"), TypeError, "encode it as numbers"),
    "masked": (np.ma.masked_equal(matrix(), 1), ValueError, "entries are masked"),
    "complex sparse": (sp.csc_array(matrix(complex)), TypeError, "dtype is complex128"),
    "unsorted": (
        csc_with_second_column([3, 1]),
        ValueError, "row indices of column 1 are not sorted", "X.sort_indices()",
    ),
    "duplicates": (
        csc_with_second_column([3, 3]),
        ValueError, "1 entry is stored twice", "X.sum_duplicates()",
    ),
    "COO duplicates": (
        sp.coo_array((np.ones(3), ([0, 0, 0], [1, 1, 1])), shape=(2, 3)),
        ValueError, "2 entries are stored twice", "X.sum_duplicates()",
    ),
    "CSR duplicates": (
        sp.csr_array((np.ones(2), np.array([1, 1]), np.array([0, 2])), shape=(1, 3)),
        ValueError, "1 entry is stored twice", "X.sum_duplicates()",
    ),
    "CSC row too large": (
        damaged(indices=sparse().indices + N),
        ValueError, "row indices run", "0 and 5",
    ),
    "CSC row negative": (
        damaged(indices=sparse().indices - N),
        ValueError, "row indices run from -6",
    ),
    "CSR column too large": (
        csr_with([0, 3]),
        ValueError, "column indices run from 0 to 3", "0 and 2",
    ),
    "COO row too large": (
        coo_with(2),
        ValueError, "row indices run from 0 to 2", "0 and 1",
    ),
    "indptr falls": (
        damaged(indptr=sparse().indptr[::-1].copy()),
        ValueError, "X.indptr is damaged",
    ),
    "indptr too long": (
        damaged(indptr=np.arange(9, dtype="i4")),
        ValueError, "X.indptr is damaged",
    ),
    "indptr beyond the data": (
        damaged(indptr=sparse().indptr * 9),
        ValueError, "X.indptr is damaged",
    ),
    "mixed index types": (
        damaged(indptr=sparse().indptr.astype(np.int64)),
        ValueError, "X.indices are int32 and X.indptr int64", "both int64",
    ),
    "text column": (
        pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
        ValueError, "1 of 2 columns are not numeric ('b' of type String)", "encode",
    ),
    "category column": (
        pd.DataFrame({"a": [1, 2], "b": pd.Categorical(["x", "y"])}),
        ValueError, "'b' of type Categorical",
    ),
    "date column": (
        pl.DataFrame({"a": [1, 2]}).with_columns(d=pl.date(2020, 1, 1)),
        ValueError, "'d' of type Date",
    ),
    "missing": (
        pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, None]}),
        ValueError, "1 of 2 columns have missing values ('b' of type Float64)", "impute",
    ),
    "missing integers": (
        pl.DataFrame({"a": [1, 2], "b": [1, None]}),
        ValueError, "1 of 2 columns have missing values ('b' of type Int64)",
    ),
    "missing booleans": (
        pl.DataFrame({"a": [True, None], "b": [True, None]}),
        ValueError, "2 of 2 columns have missing values ('a' of type Boolean, 'b' of",
    ),
    "missing nullables": (
        pd.DataFrame({"a": pd.array([True, None], "boolean"), "b": pd.array([1, None], "Int64")}),
        ValueError, "2 of 2 columns have missing values",
    ),
    "repeated names": (
        pd.DataFrame(np.ones((2, 2)), columns=["a", "a"]),
        ValueError, "cannot be read", "unique column names",
    ),
    "sparse frame filled with ones": (
        pd.DataFrame({"a": pd.arrays.SparseArray([1, 1, 0], fill_value=1)}),
        ValueError, "sparse data frame cannot be read", "fill value must be 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_X)
def test_bad_design(name):
    X, error, *pieces = BAD_X[name]
    with pytest.raises(error) as caught:
        check_design(CALL, X)
    assert type(caught.value) is error
    assert str(caught.value).startswith("lasso_path(X=...): ")
    for piece in pieces:
        assert piece in str(caught.value)

"""X as the user passes it, turned into a design, or refused before any work."""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.sparse

from regpath._extras import require
from regpath.designs import Csc, Dense

__all__ = [
    "are_finite",
    "can_take",
    "check_array",
    "check_design",
    "column_names",
    "raise_for_extreme_columns",
    "raise_for_nonfinite_columns",
    "read_only",
    "type_name",
]

Array: TypeAlias = npt.NDArray[Any]


def check_design(call: str, X: Any) -> tuple[Dense | Csc, tuple[str, ...] | None, tuple[str, ...]]:
    """Wrap X as a design, with at most one copy.

    Parameters
    ----------
    call : str
        Name of the public function, for messages.
    X : array, sparse matrix or data frame of shape (n, p)
        Fortran-ordered arrays of float64, float32, any integer or bool and CSC matrices with sorted
        indices are used as they are, memory-mapped ones included; other layouts are converted
        once. Sparse matrices are never made dense. Values are not looked at: the solver finds
        NaN and infinities in the moments of the columns.

    Returns
    -------
    design : Dense or Csc
        Read-only views.
    feature_names : tuple of str or None
        Column names of a data frame.
    notes : tuple of str
        One line for each conversion that cost a copy.
    """
    at = f"{call}(X=...)"
    if scipy.sparse.issparse(X):
        design, notes = _sparse_design(at, X)
        return design, None, notes
    if _is_frame(X):
        return _frame_design(at, X)
    dense, notes = _dense_design(at, check_array(at, "X", X))
    return dense, None, notes


def raise_for_nonfinite_columns(
    call: str,
    bad_columns: npt.NDArray[np.integer[Any]],
    feature_names: Sequence[str] | None,
    p: int,
) -> NoReturn:
    """Refuse an X with NaN or infinite values, found by the solver in the column moments.

    Parameters
    ----------
    call : str
        Name of the public function.
    bad_columns : ndarray of int
        Positions of the columns with such values.
    feature_names : sequence of str or None
        Names of all columns.
    p : int
        Number of columns.

    Raises
    ------
    ValueError
        Always.
    """
    found = _columns_that_hold(bad_columns, feature_names, p, "NaN or infinite values")
    raise ValueError(
        f"{call}(X=...): {found}; X must be finite: impute these values or drop the rows or "
        "columns."
    )


def raise_for_extreme_columns(
    call: str,
    bad_columns: npt.NDArray[np.integer[Any]],
    feature_names: Sequence[str] | None,
    p: int,
) -> NoReturn:
    """Refuse columns that are finite, but whose squares are not, or are 0."""
    fault = "values so large or so small that their squares over- or underflow"
    found = _columns_that_hold(bad_columns, feature_names, p, fault)
    raise ValueError(f"{call}(X=...): {found}; divide each by its largest absolute value.")


def _columns_that_hold(
    bad_columns: npt.NDArray[np.integer[Any]],
    feature_names: Sequence[str] | None,
    p: int,
    fault: str,
) -> str:
    labels = (repr(feature_names[j]) if feature_names else f"column {j}" for j in bad_columns)
    hold = "holds" if bad_columns.size == 1 else "hold"
    return f"{bad_columns.size} of {p} columns {hold} {fault} ({_listing(labels)})"


def are_finite(design: Dense | Csc, columns: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.bool_]:
    """Whether all values of each of some columns are finite."""

    def values(j: int) -> Array:
        if isinstance(design, Dense):
            return np.asarray(design.columns[j])
        return np.asarray(design.data[design.indptr[j] : design.indptr[j + 1]])

    return np.array([bool(np.isfinite(values(j)).all()) for j in columns.tolist()], np.bool_)


# ------------------------------------------------------------------------------------------ dense


def _dense_design(at: str, array: Array) -> tuple[Dense, tuple[str, ...]]:
    """Columns of a dense X, copied only if they are not contiguous or not of a native type."""
    _check_shape(at, array.shape)
    dtype = _native(array.dtype)
    with np.errstate(over="ignore"):  # a long double beyond float64 is infinite, and refused later
        columns = np.require(array, dtype, ["F", "A"])
    notes: tuple[str, ...] = ()
    if not np.may_share_memory(columns, array):
        notes = (f"X was {_reason(array, dtype)}: one Fortran-ordered copy was made",)
    return Dense(read_only(_bytes_for_booleans(columns).T)), notes


def _reason(array: Array, dtype: np.dtype[Any]) -> str:
    """Why an array could not be used as it is."""
    if array.dtype != dtype:
        return f"of dtype {array.dtype}"
    if array.flags.c_contiguous:
        return "C-ordered"
    return "unaligned" if array.flags.f_contiguous else "not contiguous"


def _native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The nearest dtype that machine code can read: half and long floats have none."""
    if dtype.kind == "f" and dtype.itemsize not in (4, 8):
        return np.dtype(np.float32 if dtype.itemsize == 2 else np.float64)
    return dtype.newbyteorder("=")


def _bytes_for_booleans(array: Array) -> Array:
    return array.view(np.uint8) if array.dtype == np.bool_ else array


# ----------------------------------------------------------------------------------------- sparse


def _sparse_design(at: str, X: Any) -> tuple[Csc, tuple[str, ...]]:
    """Columns of a sparse X, converted only if they are not compressed."""
    _check_shape(at, X.shape)
    _check_dtype(at, "X", X.dtype)
    _check_pattern(at, X)
    notes: tuple[str, ...] = ()
    matrix = X
    if X.format != "csc":
        matrix = X.tocsc()
        notes = (f"X was {X.format.upper()}: converted once to CSC",)
        if X.format == "coo" and matrix.nnz < X.nnz:
            _refuse_duplicates(at, X.nnz - matrix.nnz)
    nnz = int(matrix.indptr[-1])
    indices, indptr = matrix.indices[:nnz], matrix.indptr
    _check_order(at, indices, indptr)
    data = np.ascontiguousarray(matrix.data[:nnz], _native(matrix.dtype))
    design = Csc(
        data=read_only(_bytes_for_booleans(data)),
        indices=read_only(np.ascontiguousarray(indices)),
        indptr=read_only(np.ascontiguousarray(indptr)),
        n_rows=int(X.shape[0]),
    )
    return design, notes


def _check_pattern(at: str, X: Any) -> None:
    """Refuse indices that point outside: kernels and scipy's own conversions do not look."""
    if X.format == "coo":
        _check_range(at, "row", X.row, X.shape[0])
        _check_range(at, "column", X.col, X.shape[1])
    if X.format not in ("csc", "csr", "bsr"):
        return
    height, width = getattr(X, "blocksize", (1, 1))
    rows, columns = X.shape[0] // height, X.shape[1] // width
    major, minor, axis = (columns, rows, "row") if X.format == "csc" else (rows, columns, "column")
    indices, indptr = X.indices, X.indptr
    if indices.dtype != indptr.dtype or indices.dtype not in (np.int32, np.int64):
        raise ValueError(
            f"{at}: X.indices are {indices.dtype} and X.indptr {indptr.dtype}; both must be int32 "
            "or both int64: build X again from its parts with its scipy.sparse class."
        )
    stored = min(indices.size, len(X.data))
    if (
        indptr.size != major + 1
        or indptr[0] != 0
        or indptr[-1] > stored
        or np.any(indptr[1:] < indptr[:-1])
    ):
        raise ValueError(
            f"{at}: X.indptr is damaged; it must hold {major + 1} values that rise from 0 "
            f"to at most {stored}: build X again."
        )
    _check_range(at, axis, indices[: indptr[-1]], minor)


def _check_range(at: str, axis: str, indices: Array, size: int) -> None:
    if indices.size and (indices.min() < 0 or indices.max() >= size):
        raise ValueError(
            f"{at}: {axis} indices run from {indices.min()} to {indices.max()}; "
            f"they must lie between 0 and {size - 1}: build X again."
        )


def _check_order(at: str, indices: Array, indptr: Array) -> None:
    """Refuse row indices that do not rise strictly within each column."""
    if indices.size < 2:
        return
    stays = indices[1:] == indices[:-1]
    falls = indices[1:] < indices[:-1]
    ends = indptr[(indptr > 0) & (indptr < indices.size)] - 1
    stays[ends] = falls[ends] = False  # the next entry opens another column
    if falls.any():
        column = np.searchsorted(indptr, falls.argmax(), side="right") - 1
        raise ValueError(
            f"{at}: the row indices of column {column} are not sorted; they must rise: "
            "call X.sort_indices(), or X.sum_duplicates() if entries may be repeated."
        )
    if stays.any():
        _refuse_duplicates(at, int(stays.sum()))


def _refuse_duplicates(at: str, count: int) -> NoReturn:
    entry = "1 entry is" if count == 1 else f"{count} entries are"
    raise ValueError(
        f"{at}: {entry} stored twice; each place may be stored once: call X.sum_duplicates(), "
        "which adds them up."
    )


# ----------------------------------------------------------------------------------------- frames


def _is_frame(X: Any) -> bool:
    """Whether X is a table in memory, of any library."""
    speaks = hasattr(X, "__arrow_c_stream__") or hasattr(X, "__dataframe__")
    return speaks and len(X.shape) == 2


def column_names(value: Any) -> tuple[str, ...] | None:
    """Names of the columns of a data frame, None for anything else.

    Examples
    --------
    >>> column_names([[1, 2]]) is None
    True
    """
    if not _is_frame(value):
        return None
    # The columns of pyarrow are the data.
    names = value.column_names if hasattr(type(value), "column_names") else value.columns
    return tuple(str(name) for name in names)


def _frame_design(at: str, X: Any) -> tuple[Dense | Csc, tuple[str, ...], tuple[str, ...]]:
    """Columns and names of a data frame."""
    nw = require("narwhals", "frames")
    _check_shape(at, X.shape)
    try:
        frame = nw.from_native(X, eager_only=True)
        names = tuple(str(name) for name in frame.columns)
    except (TypeError, ValueError) as error:  # a library narwhals does not know, repeated names
        raise ValueError(f"{at}: the data frame cannot be read: {error}") from error
    if hasattr(frame.to_native(), "sparse"):  # pandas, and every column is sparse
        return _pandas_sparse_design(at, frame.to_native(), names)
    kinds = list(frame.schema.values())
    bad = [j for j, kind in enumerate(kinds) if not (kind.is_numeric() or kind == nw.Boolean)]
    _refuse_columns(at, names, bad, kinds, "are not numeric", "encode them or drop them")
    values = _frame_values(frame, kinds)
    missing = _columns_with_nan(values)
    _refuse_columns(
        at, names, missing, kinds, "have missing values", "impute them or drop their rows"
    )
    design, _ = _dense_design(at, values)
    return design, names, (f"X was a data frame: read as one {values.dtype} matrix",)


def _frame_values(frame: Any, kinds: list[Any]) -> Array:
    """A matrix of the common dtype of the columns."""
    if len(set(kinds)) == 1 and not _is_wide(kinds[0]):
        values: Array = frame.to_numpy()  # without a copy where the library stores one block
        if values.dtype.kind != "O":
            return values
    columns = [_column_values(series) for series in frame.iter_columns()]
    dtype = np.result_type(*{column.dtype for column in columns})
    values = np.empty(frame.shape, dtype, order="F")
    for j, column in enumerate(columns):
        values[:, j] = column
    return values


def _column_values(series: Any) -> Array:
    """One column of a frame, NaN if values are missing."""
    if _is_wide(series.dtype):
        series = series.cast(require("narwhals", "frames").Float64)
    values: Array = series.to_numpy()
    if values.dtype.kind != "O":
        return values
    if series.null_count():
        return np.full(values.size, np.nan)  # enough to refuse the column
    return values.astype(np.float64)


def _is_wide(kind: Any) -> bool:
    """Whether NumPy has no such type: decimals and integers of 128 bits."""
    return str(kind).startswith(("Decimal", "Int128", "UInt128"))


def _columns_with_nan(values: Array) -> list[int]:
    """Positions of the columns that hold NaN, without a mask of the size of the matrix."""
    if values.dtype.kind != "f":
        return []
    with np.errstate(over="ignore", invalid="ignore"):
        suspects = np.flatnonzero(np.isnan(values.sum(axis=0)))  # inf - inf is NaN as well
    return [int(j) for j in suspects if np.isnan(values[:, j]).any()]


def _refuse_columns(
    at: str, names: tuple[str, ...], bad: list[int], kinds: list[Any], fault: str, remedy: str
) -> None:
    """Name the columns with a fault, if there are any."""
    if bad:
        labels = (f"{names[j]!r} of type {kinds[j]}" for j in bad)
        raise ValueError(
            f"{at}: {len(bad)} of {len(names)} columns {fault} ({_listing(labels)}); {remedy}."
        )


def _pandas_sparse_design(
    at: str, X: Any, names: tuple[str, ...]
) -> tuple[Csc, tuple[str, ...], tuple[str, ...]]:
    """Columns of a pandas frame whose columns are all sparse."""
    try:
        matrix = X.sparse.to_coo()
    except ValueError as error:  # the value that is not stored must be zero
        raise ValueError(f"{at}: the sparse data frame cannot be read: {error}.") from error
    design, _ = _sparse_design(at, matrix)
    return design, names, ("X was a sparse data frame: converted once to CSC",)


# ----------------------------------------------------------------------------------------- shared


_DTYPE_REMEDIES = {
    "c": "it must be real: pass {name}.real",
    "O": "it must be numeric: convert it with {name}.astype(float)",
    "M": "turn dates into numbers, for example days since the first",
    "m": "divide by a unit of time",
}


def check_array(at: str, name: str, value: Any) -> Array:
    """Anything that holds real numbers, as an array, without a copy if it is one."""
    if not (isinstance(value, (list, tuple, numbers.Real)) or hasattr(value, "__array__")):
        raise TypeError(
            f"{at}: {type_name(value)} was given; pass an array of numbers"
            + (", a scipy.sparse matrix or a data frame in memory." if name == "X" else ".")
        )
    if np.ma.is_masked(value):
        raise ValueError(f"{at}: some entries are masked; impute them or drop their rows.")
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{at}: it cannot be read as an array: {error}") from error
    _check_dtype(at, name, array.dtype)
    return array


def _check_dtype(at: str, name: str, dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "biuf":
        remedy = _DTYPE_REMEDIES.get(dtype.kind, "encode it as numbers")
        raise TypeError(f"{at}: the dtype is {dtype}; {remedy.format(name=name)}.")


def _check_shape(at: str, shape: tuple[int, ...]) -> None:
    if len(shape) == 1:
        raise ValueError(
            f"{at}: the shape is {shape}; X must have two dimensions, rows and columns: "
            "X.reshape(-1, 1) is a single feature."
        )
    if len(shape) != 2:
        raise ValueError(
            f"{at}: the shape is {shape}; X must have two dimensions, rows and columns."
        )
    if 0 in shape:
        raise ValueError(f"{at}: the shape is {shape}; X needs at least one row and one column.")


def read_only(array: Array) -> Array:
    """A view that cannot be written through; the flags of the user's own array stay."""
    view = array.view()
    view.flags.writeable = False
    return view


def _listing(labels: Iterable[str], limit: int = 5) -> str:
    """The first labels, and how many more there are."""
    every = list(labels)
    more = f" and {len(every) - limit} more" if len(every) > limit else ""
    return ", ".join(every[:limit]) + more


def type_name(value: Any) -> str:
    """Name of the type of a value, with its module unless it is a builtin."""
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")


def can_take(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> bool:
    """Whether a function can be called like this, as far as it says what it takes."""
    try:
        inspect.signature(function).bind(*arguments, **keywords)
    except ValueError:  # a function written in C may not say it
        return True
    except TypeError:
        return False
    return True

"""Data files as tables of named columns, and tables as files: what every command shares."""

from __future__ import annotations

import csv
import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, TextIO, TypeAlias
from zipfile import is_zipfile

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array, csr_array, issparse

from regpath._extras import require
from regpath._linear import numbers, shorten

__all__ = ["DataError", "Table", "read_table", "write_csv"]

Array: TypeAlias = npt.NDArray[Any]

SVMLIGHT = (".svm", ".svmlight", ".libsvm", ".txt")
ROWS_AT_ONCE = 1024
"""Rows of a table that are Python numbers at a time: these take four times the space."""

SUFFIXES = (".csv", ".tsv", ".parquet", ".npz", ".npy", *SVMLIGHT)
# What to do about missing values.
REPAIR = "fill them or drop the rows"
# A quoted name: what it holds separates nothing.
QUOTED = re.compile(r'"(?:[^"]|"")*"')


class DataError(Exception):
    """The data cannot be used; the message, one line, says why and what to do."""


@dataclass(frozen=True)
class Table:
    """Named columns, and vectors that stand beside them.

    Attributes
    ----------
    source : str
        Name of the file, for messages.
    X : data frame, ndarray or csc_array of shape (n, p)
    names : list of str
        Names of the columns of X.
    vectors : dict of str to ndarray of shape (n,)
        Arrays beside X that can be a target or weights.
    default_target : str or None
        The target where the format has one.
    notes : dict
        What a reader of later data for the same model must know.
    misshapen : dict of str to tuple of int
        Shapes of arrays in the file that do not fit X.
    """

    source: str
    X: Any
    names: list[str]
    vectors: dict[str, Array] = field(default_factory=dict)
    default_target: str | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    misshapen: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        repeated = [name for name, times in Counter(self.names).items() if times > 1]
        if repeated:
            raise DataError(
                f"{self.source}: several columns have one name: {shorten(repeated)}; rename them "
                "(spaces before and after a name do not count)."
            )

    def vector(self, name: str, role: str) -> Array:
        """Take a column, or an array beside X, as float64.

        Parameters
        ----------
        name : str
        role : str
            What it is wanted for, for messages: the name of an option.
        """
        values = self._numbers(name, role)
        if values is None:
            raise DataError(f"{self.source}: column {name!r} ({role}) is not numeric.")
        return values.astype(np.float64)

    def labels(self, name: str, role: str) -> Array:
        """Take a column, or an array beside X, as it is: numbers, booleans or texts.

        Parameters
        ----------
        name, role : str
            As for `vector`.
        """
        values = self._numbers(name, role)
        if values is not None:
            return values
        if name in self.vectors:
            return self.vectors[name]
        column = self.X.iloc[:, self._positions([name], role)[0]]
        bad = np.flatnonzero(column.isna())
        if bad.size:
            raise DataError(_missing(self.source, name, bad, REPAIR))
        return np.array([str(value) for value in column])

    def has(self, name: str) -> bool:
        """Whether there is a column, or an array beside X, of this name."""
        return name in self.vectors or name in self.names

    def _numbers(self, name: str, role: str) -> Array | None:
        """A column, or an array beside X, if it is numeric: checked to be finite."""
        values: Array | None
        if name in self.vectors:
            values = self.vectors[name]
        else:
            values = _column(self.X, self._positions([name], role)[0])
        if values is None or values.dtype.kind not in "biuf":
            return None
        _refuse_missing(self.source, name, values, REPAIR)
        return values

    def features(self, target: str, others: Iterable[str]) -> list[str]:
        """Names of the columns of X that are neither the target nor among `others`."""
        unknown = [name for name in others if name not in self.names and name not in self.vectors]
        if unknown:
            self._positions(unknown, "--exclude")
        # A target beside X may share its name with nothing in X.
        dropped = set(others) | ({target} if target not in self.vectors else set())
        kept = [name for name in self.names if name not in dropped]
        if not kept:
            raise DataError(f"{self.source}: no columns are left to fit on.")
        return kept

    def design(self, names: Sequence[str], role: str | None = None) -> Any:
        """Columns of X by name: a float64 ndarray or a csc_array, checked to be finite.

        Parameters
        ----------
        names : sequence of str
        role : str, optional
            What they are wanted for, for messages, where none of them can be left out.
        """
        if not issparse(self.X) and not isinstance(self.X, np.ndarray):
            place = self._positions(names, role or "DATA")
            return self._design_of_frame(place, can_exclude=role is None)
        whole = list(names) == self.names
        X = self.X if whole else self.X[:, self._positions(names, role or "DATA")]
        if X.dtype.kind not in "biuf":
            raise DataError(f"{self.source}: X has dtype {X.dtype}; it must be numeric.")
        if not np.isfinite(X.data if issparse(X) else X).all():
            raise DataError(f"{self.source}: X has values that are missing or infinite.")
        return X

    def _design_of_frame(self, positions: list[int], *, can_exclude: bool) -> Array:
        X = np.empty((len(self.X), len(positions)), order="F")
        text = []
        for j, position in enumerate(positions):
            name = self.names[position]
            values = _column(self.X, position)
            if values is None:
                text.append(name)
                continue
            advice = REPAIR
            if can_exclude:
                advice = f"fill them, drop the rows, or --exclude {_option([name])}"
            _refuse_missing(self.source, name, values, advice)
            X[:, j] = values
        if text:
            verb = "is" if len(text) == 1 else "are"
            raise DataError(
                f"{self.source}: {_columns(text)} {verb} not numeric; code as numbers"
                + (f" or leave out with --exclude {_option(text)}." if can_exclude else ".")
            )
        return X

    def _positions(self, names: Sequence[str], role: str) -> list[int]:
        place = {name: position for position, name in enumerate(self.names)}
        missing = [name for name in names if name not in place]
        if not missing:
            return [place[name] for name in names]
        if missing[0] in self.misshapen:
            shape, n = self.misshapen[missing[0]], self.X.shape[0]
            raise DataError(
                f"{self.source}: {missing[0]!r} ({role}) has shape {shape}; X has {n} rows."
            )
        known = [*self.vectors, *self.names]
        close = difflib.get_close_matches(missing[0], known, n=1)
        shown = ", ".join(known[:8]) + (f" and {len(known) - 8} more" if len(known) > 8 else "")
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {shown}."
        raise DataError(f"{self.source}: no {_columns(missing)} ({role}); {hint}")


def read_table(file: FilePath, *, notes: Mapping[str, Any] | None = None) -> Table:
    """Read a data file; its ending says the format.

    Parameters
    ----------
    file : pathlib.Path
        ``.csv``, ``.tsv``, ``.parquet``; ``.npz`` with X, or data, indices, indptr and shape of a
        sparse X, and vectors; ``.npy`` with a matrix whose columns are named 0, 1, ...; or
        svmlight (``.svm``, ``.svmlight``, ``.libsvm``, ``.txt``).
    notes : mapping, optional
        The notes of the table that a model was fitted on.

    Raises
    ------
    DataError
        If the file is missing or cannot be read.
    """
    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(f"{file}: unknown ending {suffix!r}; known are {', '.join(SUFFIXES)}.")
    if not file.is_file():
        raise DataError(f"{file}: there is no such file.")
    readers = {
        ".csv": _read_csv,
        ".tsv": _read_csv,
        ".parquet": _read_parquet,
        ".npz": _read_npz,
        ".npy": _read_npy,
    }
    try:
        table = _read_svmlight(file, notes or {}) if suffix in SVMLIGHT else readers[suffix](file)
    except (DataError, ImportError):
        raise
    except Exception as error:  # each library has its own ways to fail on a damaged file
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{file}: cannot be read as {suffix[1:]}: {reason}") from error
    if table.X.shape[0] == 0:
        raise DataError(f"{file}: there are no rows.")
    return table


def write_csv(file: FilePath | TextIO, columns: Mapping[str, Any]) -> None:
    """Write columns, arrays or lists of one length, as CSV with all digits of every number."""
    if isinstance(file, FilePath):
        with open(file, "w", newline="", encoding="utf-8") as stream:
            return write_csv(stream, columns)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    n_rows = max(map(len, columns.values()))
    for start in range(0, n_rows, ROWS_AT_ONCE):
        parts = [column[start : start + ROWS_AT_ONCE] for column in columns.values()]
        lists = [part.tolist() if isinstance(part, np.ndarray) else part for part in parts]
        writer.writerows(zip(*lists, strict=True))
    return None


def _read_csv(file: FilePath) -> Table:
    pandas = require("pandas", "cli")
    with open(file, encoding="utf-8-sig", newline="") as stream:
        header = QUOTED.sub("", stream.readline())
    separator = max(",;\t", key=header.count)
    frame = pandas.read_csv(file, sep=separator, encoding="utf-8-sig")
    if str(frame.columns[0]) == "Unnamed: 0" and frame.shape[1] > 1:
        frame = frame.iloc[:, 1:]  # row names, as R and pandas write them, are no feature
    return _frame_table(file, frame)


def _read_parquet(file: FilePath) -> Table:
    require("pyarrow", "cli")
    return _frame_table(file, require("pandas", "cli").read_parquet(file))


def _frame_table(file: FilePath, frame: Any) -> Table:
    return Table(str(file), frame, [str(name).strip() for name in frame.columns])


def _read_npy(file: FilePath) -> Table:
    X = np.load(file, mmap_mode="r", allow_pickle=False)
    if X.ndim != 2:
        raise DataError(f"{file}: the array has shape {X.shape}; it must be a matrix.")
    return Table(str(file), X, [str(j) for j in range(X.shape[1])])


def _read_npz(file: FilePath) -> Table:
    if not is_zipfile(file):
        raise DataError(f"{file}: this is no npz archive, or a damaged one.")
    with np.load(file, allow_pickle=False) as archive:
        arrays = dict(_plain_arrays(archive))
    if "X" in arrays:
        X: Any = arrays.pop("X")
    elif {"data", "indices", "indptr", "shape"} <= arrays.keys():
        X = _sparse(arrays)
    else:
        raise DataError(
            f"{file}: needs an array X, or data, indices, indptr and shape of a sparse one; "
            f"there are: {', '.join(arrays)} (arrays of Python objects are not read)."
        )
    if X.ndim != 2:
        raise DataError(f"{file}: X has shape {X.shape}; it must be a matrix.")
    names = [str(name) for name in arrays.pop("feature_names", np.empty(0)).ravel()]
    if len(names) != X.shape[1]:
        names = [f"x{j}" for j in range(X.shape[1])]
    vectors = {name: array for name, array in arrays.items() if array.shape == X.shape[:1]}
    misshapen = {name: array.shape for name, array in arrays.items() if name not in vectors}
    return Table(str(file), X, names, vectors, "y", misshapen=misshapen)


def _plain_arrays(archive: Any) -> Iterator[tuple[str, Array]]:
    for name in archive.files:
        # An array of Python objects could hold anything, also code: NumPy refuses it.
        with suppress(ValueError):
            yield name, archive[name]


def _sparse(arrays: dict[str, Array]) -> csc_array:
    """Compressed columns, or compressed rows if `format` or the number of pointers says so."""
    shape = tuple(arrays.pop("shape").tolist())
    parts = tuple(arrays.pop(name) for name in ("data", "indices", "indptr"))
    stated = arrays.pop("format", np.array("")).item()
    name = stated.decode() if isinstance(stated, bytes) else str(stated)
    by_rows = name == "csr" or (name != "csc" and parts[2].size == shape[0] + 1 != shape[1] + 1)
    X = csr_array(parts, shape=shape) if by_rows else csc_array(parts, shape=shape)
    X.check_format(full_check=True)
    return X.tocsc()


def _read_svmlight(file: FilePath, notes: Mapping[str, Any]) -> Table:
    """Labels and sparse rows. Whether columns count from 0 is a property of the model's data."""
    datasets = require("sklearn.datasets", "sklearn")
    zero_based = notes.get("zero_based")
    if zero_based is None:
        with open(file, "rb") as stream:
            zero_based = any(b" 0:" in line for line in stream)
    X, y = datasets.load_svmlight_file(
        str(file), n_features=notes.get("n_columns"), zero_based=zero_based
    )
    first = 0 if zero_based else 1
    names = [str(j + first) for j in range(X.shape[1])]
    found = {"zero_based": zero_based, "n_columns": X.shape[1]}
    return Table(str(file), csc_array(X), names, {"label": y, "y": y}, "label", found)


def _column(X: Any, position: int) -> Array | None:
    """Values of one column; None if they are not numeric."""
    if issparse(X):
        return np.asarray(X[:, [position]].toarray()).ravel()
    return numbers(X.iloc[:, position] if hasattr(X, "iloc") else X[:, position])


def _refuse_missing(source: str, name: str, values: Array, advice: str) -> None:
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise DataError(_missing(source, name, bad, advice))


def _missing(source: str, name: str, bad: Array, advice: str) -> str:
    return (
        f"{source}: column {name!r} has {bad.size} missing or infinite values "
        f"(first in row {bad[0] + 1}); {advice}."
    )


def _columns(names: Sequence[str]) -> str:
    return f"column{'' if len(names) == 1 else 's'} {shorten(names)}"


def _option(names: Sequence[str]) -> str:
    """Write names as one argument of a shell."""
    text = ",".join(f'"{name}"' if "," in name else name for name in names)
    return text if text.replace(",", "").replace("_", "").isalnum() else f"'{text}'"

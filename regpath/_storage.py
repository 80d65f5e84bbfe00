"""Paths in files: an npz archive of plain arrays and one JSON text, read without pickle."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from typing import IO, Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array

from regpath._parts import PER_LAMBDA, Settings, Status
from regpath._predict import FAMILIES
from regpath._saved import File
from regpath.result import Path

__all__ = [
    "SCHEMA",
    "Arrays",
    "Metadata",
    "UnreadableError",
    "check_format",
    "decode",
    "decode_file",
    "encode",
    "in_json",
    "matrix",
    "matrix_members",
    "numeric",
    "read",
    "save",
    "text",
    "write",
]

Arrays: TypeAlias = dict[str, npt.NDArray[Any]]
Metadata: TypeAlias = dict[str, Any]
T = TypeVar("T")

FORMAT = "regpath.Path"

SCHEMA = 2
"""Version of the layout. Raise it when an older regpath could no longer read a new file.

2 came with families: the options of the family, classes, several outputs. What has none of this is
still written as 1, which every regpath reads.
"""

_KINDS = {
    FORMAT: "a path",
    "regpath.CVPath": "a cross-validation",
    "regpath.CVSurface": "a surface of cross-validations",
    "regpath.RelaxedCV": "a cross-validation of blends",
    "regpath.RelaxedPath": "a relaxed path",
    "regpath.StabilityPath": "a stability path",
}
_CSC = ("data", "indices", "indptr")
_SETTINGS_FLAGS = ("fit_intercept", "standardize")
_SETTINGS_ARRAYS = ("penalty_factor", "lower", "upper", "sample_weight", "offset")
_LABELS = "biufUSmM"
"""Kinds of dtype that labels may have in a file."""


def save(path: Path, file: File) -> None:
    """Write a path to `file`."""
    metadata, arrays = encode("Path.save", path)
    schema = 1 if path.family == "gaussian" else SCHEMA
    write("Path.save", file, {"format": FORMAT, "schema": schema, **metadata}, arrays)


def decode_file(metadata: Metadata, arrays: Arrays) -> Path:
    """The path of a file, or the reason why it is none."""
    check_format(metadata, FORMAT, SCHEMA)
    return decode(metadata, arrays)


def encode(call: str, path: Path) -> tuple[Metadata, Arrays]:
    """Take a path apart: what goes into JSON, and arrays by name."""
    settings = path.settings
    metadata = {
        "family": path.family,
        "family_options": _plain_options(path.family_options),
        "n_outputs": path.n_outputs,
        "l1_ratio": path.l1_ratio,
        "null_deviance": path.null_deviance,
        "statuses": [status.name for status in path.statuses],
        "feature_names": path.feature_names,
        "tol": settings.tol,
        "info": path.info,
    }
    if path.response_names is not None:
        metadata["response_names"] = path.response_names
    metadata |= {name: getattr(settings, name) for name in _SETTINGS_FLAGS}
    arrays = {name: getattr(path, name) for name in PER_LAMBDA}
    arrays |= matrix_members("coefs", path.coef_storage)
    for name in _SETTINGS_ARRAYS:
        if getattr(settings, name) is not None:
            arrays[name] = getattr(settings, name)
    labels = {"classes": path.classes, "strata": path.family_options.get("strata")}
    for name, value in labels.items():
        if value is not None:
            arrays[name] = _savable(call, name, value)
    return metadata, arrays


def matrix_members(name: str, stored: Any) -> Arrays:
    """The arrays of a dense matrix, or of one in CSC form."""
    if isinstance(stored, np.ndarray):
        return {name: stored}
    arrays: Arrays = {f"{name}_{part}": getattr(stored, part) for part in _CSC}
    return arrays | {f"{name}_shape": np.array(stored.shape, dtype=np.int64)}


def write(call: str, file: File, metadata: Metadata, arrays: Arrays) -> None:
    """Write arrays and JSON to one npz archive."""
    content = in_json(call, {"version": _package_version(), **metadata}).encode()
    with _opened(file, "wb") as stream:
        members: dict[str, Any] = arrays | {"metadata": np.frombuffer(content, dtype=np.uint8)}
        np.savez_compressed(stream, **members)


def read(call: str, file: File, decoded: Callable[[Metadata, Arrays], T]) -> T:
    """Read such an archive, or say in one `ValueError` what is wrong with it."""
    name = getattr(file, "name", file) if not isinstance(file, str) else file
    with _opened(file, "rb") as stream:
        try:
            arrays = _arrays(stream)
            metadata = json.loads(arrays["metadata"].astype(np.uint8).tobytes())
            if not isinstance(metadata, dict):
                raise UnreadableError("this npz archive was not written by regpath.")
            return decoded(metadata, arrays)
        except UnreadableError as error:
            raise ValueError(f"{call}({str(name)!r}): {error}") from None
        except Exception as error:  # a damaged archive raises nearly anything: zlib, zip, header
            raise ValueError(
                f"{call}({str(name)!r}): the file is damaged or not a saved result "
                f"({type(error).__name__}: {_first_line(error)})."
            ) from error


def check_format(metadata: Metadata, wanted: str, latest: int) -> None:
    """Refuse other kinds of files, and files of a later version."""
    found = metadata.get("format")
    if found != wanted:
        known = _KINDS.get(found) if isinstance(found, str) else None
        if known is None:
            raise UnreadableError("this npz archive is not a saved result.")
        raise UnreadableError(f"the file holds {known}; read it with {found}.load.")
    if metadata.get("schema") not in range(1, latest + 1):
        raise UnreadableError(
            f"the file has format {metadata.get('schema')!r}, this version of regpath reads "
            f"up to {latest}; it was written by regpath {metadata.get('version')}."
        )


class UnreadableError(Exception):
    """The content cannot be used; the message says why."""


def _opened(file: File, mode: str) -> Any:
    return open(file, mode) if isinstance(file, str | PathLike) else nullcontext(file)


def _arrays(stream: IO[bytes]) -> Arrays:
    if not hasattr(stream, "seekable") or not stream.seekable():
        raise UnreadableError("the file object cannot seek.")
    content = np.load(stream, allow_pickle=False)
    if not isinstance(content, np.lib.npyio.NpzFile):
        raise UnreadableError("this is a single array, not a saved result.")
    if "metadata" not in content.files:
        raise UnreadableError("this npz archive is not a saved result: it has no metadata.")
    return {name: content[name] for name in content.files}


def decode(metadata: Metadata, arrays: Arrays) -> Path:
    """Put a path together again, or refuse to."""
    numbers = {name: numeric(arrays, name) for name in PER_LAMBDA}
    if not np.all(np.diff(numbers["lambdas"]) <= 0.0):
        raise UnreadableError("its lambdas are not decreasing.")
    names, n_outputs = metadata["feature_names"], metadata.get("n_outputs")
    outputs = metadata.get("response_names")
    family = text(metadata["family"])
    if family not in FAMILIES:
        raise UnreadableError(f"its family {family!r} is not known to this version of regpath.")
    return Path(
        **numbers,
        coef_storage=matrix("coefs", arrays),
        null_deviance=float(metadata["null_deviance"]),
        statuses=tuple(Status[name] for name in metadata["statuses"]),
        feature_names=None if names is None else tuple(text(name) for name in names),
        response_names=None if outputs is None else tuple(text(name) for name in outputs),
        family=family,
        family_options=_options(metadata, arrays),
        classes=_labels(arrays, "classes") if "classes" in arrays else None,
        n_outputs=None if n_outputs is None else int(n_outputs),
        l1_ratio=float(metadata["l1_ratio"]),
        settings=_settings(metadata, arrays),
        info=dict(metadata["info"]),
    )


def _plain_options(options: Metadata) -> Metadata:
    """The options of a family for JSON: strata are stored beside, a loss is code and only named."""
    plain = {name: value for name, value in options.items() if name not in ("strata", "function")}
    if options.get("function") is not None:
        plain["function_repr"] = repr(options["function"])
    return plain | {name: None for name in ("strata", "function") if name in options}


def _options(metadata: Metadata, arrays: Arrays) -> Metadata:
    options = dict(metadata.get("family_options", {}))  # files of format 1 have none
    if not all(isinstance(value, str | int | float | None) for value in options.values()):
        raise UnreadableError("its options of the family are malformed.")
    return options | ({"strata": _labels(arrays, "strata")} if "strata" in arrays else {})


def _savable(call: str, name: str, labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if labels.dtype.kind not in _LABELS:
        raise TypeError(
            f"{call}: {name} have dtype {labels.dtype}, which cannot be stored without pickle; "
            "use numbers, booleans or text."
        )
    return labels


def _labels(arrays: Arrays, name: str) -> npt.NDArray[Any]:
    if arrays[name].dtype.kind not in _LABELS or arrays[name].ndim != 1:
        raise UnreadableError(f"its array {name!r} is no list of labels.")
    return arrays[name]


def _settings(metadata: Metadata, arrays: Arrays) -> Settings:
    given: Metadata = {"tol": float(metadata["tol"])}
    given |= {name: bool(metadata[name]) for name in _SETTINGS_FLAGS}
    given |= {name: numeric(arrays, name) for name in _SETTINGS_ARRAYS if name in arrays}
    return Settings(**given)


def matrix(name: str, arrays: Arrays) -> Any:
    """The matrix that `matrix_members` took apart, or a refusal."""
    if name in arrays:
        return numeric(arrays, name)
    parts = [numeric(arrays, f"{name}_{part}") for part in _CSC]
    if any(part.ndim != 1 for part in parts) or any(part.dtype.kind != "i" for part in parts[1:]):
        raise UnreadableError(f"its sparse {name} are malformed.")
    n_rows, n_columns = (int(size) for size in numeric(arrays, f"{name}_shape"))
    stored = csc_array(tuple(parts), shape=(n_rows, n_columns))
    stored.check_format(full_check=True)  # an index out of range would reach compiled code
    return stored


def numeric(arrays: Arrays, name: str) -> npt.NDArray[Any]:
    """An array of a file that must hold numbers."""
    if name not in arrays:
        raise UnreadableError(f"the file has no array {name!r}.")
    if arrays[name].dtype.kind not in "fiu":
        raise UnreadableError(f"its array {name!r} is not numeric.")
    return arrays[name]


def text(value: object) -> str:
    """A value of the metadata that must be text."""
    if not isinstance(value, str):
        raise UnreadableError("its metadata are malformed.")
    return value


def in_json(call: str, value: Any) -> str:
    """A value as JSON text, with NumPy's numbers and arrays as numbers and lists."""

    def plain(value: Any) -> Any:
        if isinstance(value, np.generic | np.ndarray):
            return value.tolist()
        raise TypeError(f"{call}: info holds a {type(value).__name__}, which JSON cannot store.")

    return json.dumps(value, default=plain)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["no details"])[0][:120]


def _package_version() -> str:
    try:
        return version("regpath")
    except PackageNotFoundError:  # used from a source tree that is not installed
        return "unknown"

"""Paths in files: an npz archive of plain arrays and one JSON text, read without pickle."""

from __future__ import annotations

import json
from contextlib import nullcontext
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array

from regpath._parts import PER_LAMBDA, Settings, Status
from regpath._predict import FAMILIES
from regpath.result import File, Path

__all__ = ["SCHEMA", "load", "save"]

SCHEMA = 2
"""Version of the layout. Raise it when an older regpath could no longer read a new file.

2 came with families: the options of the family, classes, several outputs. What has none of this is
still written as 1, which every regpath reads.
"""

_SETTINGS_FLAGS = ("fit_intercept", "standardize")
_SETTINGS_ARRAYS = ("penalty_factor", "lower", "upper", "sample_weight", "offset")
_LABELS = "biufUSmM"
"""Kinds of dtype that labels may have in a file."""


def save(path: Path, file: File) -> None:
    """Write a path to `file`."""
    settings = path.settings
    metadata = {
        "format": "regpath.Path",
        "schema": 1 if path.family == "gaussian" else SCHEMA,
        "version": _package_version(),
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
    metadata |= {name: getattr(settings, name) for name in _SETTINGS_FLAGS}
    text = json.dumps(metadata, default=_plain).encode()
    arrays = {name: getattr(path, name) for name in PER_LAMBDA}
    stored = path.coef_storage
    if isinstance(stored, np.ndarray):
        arrays["coefs"] = stored
    else:
        arrays |= {f"coefs_{part}": getattr(stored, part) for part in ("data", "indices", "indptr")}
        arrays["coefs_shape"] = np.array(stored.shape, dtype=np.int64)
    for name in _SETTINGS_ARRAYS:
        if getattr(settings, name) is not None:
            arrays[name] = getattr(settings, name)
    labels = {"classes": path.classes, "strata": path.family_options.get("strata")}
    arrays |= {name: _savable(name, value) for name, value in labels.items() if value is not None}
    arrays["metadata"] = np.frombuffer(text, dtype=np.uint8)
    with _opened(file, "wb") as stream:
        np.savez_compressed(stream, **arrays)


def load(file: File) -> Path:
    """Read a path from `file`, or say in one `ValueError` what is wrong with it."""
    name = getattr(file, "name", file) if not isinstance(file, str) else file
    with _opened(file, "rb") as stream:
        try:
            return _decode(_arrays(stream))
        except _NotAPathError as error:
            raise ValueError(f"Path.load({str(name)!r}): {error}") from None
        except Exception as error:  # a damaged archive raises nearly anything: zlib, zip, header
            raise ValueError(
                f"Path.load({str(name)!r}): the file is damaged or not a saved path "
                f"({type(error).__name__}: {_first_line(error)})."
            ) from error


class _NotAPathError(Exception):
    """The content is not a path; the message says why."""


def _opened(file: File, mode: str) -> Any:
    return open(file, mode) if isinstance(file, str | PathLike) else nullcontext(file)


def _arrays(stream: IO[bytes]) -> dict[str, npt.NDArray[Any]]:
    if not hasattr(stream, "seekable") or not stream.seekable():
        raise _NotAPathError("the file object cannot seek.")
    content = np.load(stream, allow_pickle=False)
    if not isinstance(content, np.lib.npyio.NpzFile):
        raise _NotAPathError("this is a single array, not a saved path.")
    if "metadata" not in content.files:
        raise _NotAPathError("this npz archive is not a saved path: it has no metadata.")
    return {name: content[name] for name in content.files}


def _decode(arrays: dict[str, npt.NDArray[Any]]) -> Path:
    metadata = json.loads(arrays["metadata"].astype(np.uint8).tobytes())
    if not isinstance(metadata, dict) or metadata.get("format") != "regpath.Path":
        raise _NotAPathError("this npz archive is not a saved path.")
    if metadata.get("schema") not in range(1, SCHEMA + 1):
        raise _NotAPathError(
            f"the file has format {metadata.get('schema')!r}, this version of regpath reads "
            f"up to {SCHEMA}; it was written by regpath {metadata.get('version')}."
        )
    numbers = {name: _numeric(arrays, name) for name in PER_LAMBDA}
    if not np.all(np.diff(numbers["lambdas"]) <= 0.0):
        raise _NotAPathError("its lambdas are not decreasing.")
    names, n_outputs = metadata["feature_names"], metadata.get("n_outputs")
    family = _text(metadata["family"])
    if family not in FAMILIES:
        raise _NotAPathError(f"its family {family!r} is not known to this version of regpath.")
    return Path(
        **numbers,
        coef_storage=_coefs(arrays),
        null_deviance=float(metadata["null_deviance"]),
        statuses=tuple(Status[name] for name in metadata["statuses"]),
        feature_names=None if names is None else tuple(_text(name) for name in names),
        family=family,
        family_options=_options(metadata, arrays),
        classes=_labels(arrays, "classes") if "classes" in arrays else None,
        n_outputs=None if n_outputs is None else int(n_outputs),
        l1_ratio=float(metadata["l1_ratio"]),
        settings=_settings(metadata, arrays),
        info=dict(metadata["info"]),
    )


def _plain_options(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a family for JSON: strata are stored beside, a loss is code and only named."""
    plain = {name: value for name, value in options.items() if name not in ("strata", "function")}
    if options.get("function") is not None:
        plain["function_repr"] = repr(options["function"])
    return plain | {name: None for name in ("strata", "function") if name in options}


def _options(metadata: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    options = dict(metadata.get("family_options", {}))  # files of format 1 have none
    if not all(isinstance(value, str | int | float | None) for value in options.values()):
        raise _NotAPathError("its options of the family are malformed.")
    return options | ({"strata": _labels(arrays, "strata")} if "strata" in arrays else {})


def _savable(name: str, labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if labels.dtype.kind not in _LABELS:
        raise TypeError(
            f"Path.save: {name} have dtype {labels.dtype}, which cannot be stored without pickle; "
            "use numbers, booleans or text."
        )
    return labels


def _labels(arrays: dict[str, npt.NDArray[Any]], name: str) -> npt.NDArray[Any]:
    if arrays[name].dtype.kind not in _LABELS or arrays[name].ndim != 1:
        raise _NotAPathError(f"its array {name!r} is no list of labels.")
    return arrays[name]


def _settings(metadata: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> Settings:
    given: dict[str, Any] = {"tol": float(metadata["tol"])}
    given |= {name: bool(metadata[name]) for name in _SETTINGS_FLAGS}
    given |= {name: _numeric(arrays, name) for name in _SETTINGS_ARRAYS if name in arrays}
    return Settings(**given)


def _coefs(arrays: dict[str, npt.NDArray[Any]]) -> Any:
    if "coefs" in arrays:
        return _numeric(arrays, "coefs")
    parts = [_numeric(arrays, f"coefs_{part}") for part in ("data", "indices", "indptr")]
    if any(part.ndim != 1 for part in parts) or any(part.dtype.kind != "i" for part in parts[1:]):
        raise _NotAPathError("its sparse coefficients are malformed.")
    n_rows, n_columns = (int(size) for size in _numeric(arrays, "coefs_shape"))
    coefs = csc_array(tuple(parts), shape=(n_rows, n_columns))
    coefs.check_format(full_check=True)  # an index out of range would reach compiled code
    return coefs


def _numeric(arrays: dict[str, npt.NDArray[Any]], name: str) -> npt.NDArray[Any]:
    if name not in arrays:
        raise _NotAPathError(f"the file has no array {name!r}.")
    if arrays[name].dtype.kind not in "fiu":
        raise _NotAPathError(f"its array {name!r} is not numeric.")
    return arrays[name]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _NotAPathError("its metadata are malformed.")
    return value


def _plain(value: Any) -> Any:
    """Let NumPy's numbers and arrays into JSON."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"Path.save: info holds a {type(value).__name__}, which JSON cannot store.")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["no details"])[0][:120]


def _package_version() -> str:
    try:
        return version("regpath")
    except PackageNotFoundError:  # used from a source tree that is not installed
        return "unknown"

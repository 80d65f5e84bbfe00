"""Cross-validations in files: the members of `regpath._storage` for every path, under a prefix."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy.typing as npt

from regpath._storage import (
    Arrays,
    Metadata,
    UnreadableError,
    check_format,
    decode,
    decode_file,
    encode,
    in_json,
    numeric,
    read,
    text,
    write,
)
from regpath.cv_result import CVPath, File
from regpath.result import Path

__all__ = ["SCHEMA", "load", "load_either", "save"]

SCHEMA = 1
"""Version of the layout. Raise it when an older regpath could no longer read a new file."""

FORMAT = "regpath.CVPath"
_NUMBERS = ("fold_scores", "fold_weights", "mean_scores", "std_errors")
_TEXTS = ("scoring", "score_label")
_FLAGS = ("greater_is_better", "grouped")


def save(cv: CVPath, file: File) -> None:
    """Write a cross-validation to `file`.

    What a fold has in common with the path of all rows (lambdas, names, limits) is written once.
    """
    call = "CVPath.save"
    whole = encode(call, cv.path)
    arrays: Arrays = _prefixed("path", whole[1])
    paths: dict[str, Any] = {"path": whole[0]}
    for name, path in _beside(cv).items():
        metadata, members = encode(call, path)
        own = {key: array for key, array in members.items() if not _same(array, whole[1].get(key))}
        arrays |= _prefixed(name, own)
        paths[name] = {
            key: value
            for key, value in metadata.items()
            if in_json(call, value) != in_json(call, whole[0][key])
        }
        paths[name]["common"] = sorted(members.keys() - own.keys())
    arrays |= {name: getattr(cv, name) for name in _NUMBERS}
    arrays |= {f"held_out{k}": rows for k, rows in enumerate(cv.held_out)}
    head = {name: getattr(cv, name) for name in (*_TEXTS, *_FLAGS)}
    head |= {"format": FORMAT, "schema": SCHEMA, "n_folds": len(cv.fold_paths)}
    write(call, file, {**head, "info": cv.info, "paths": paths}, arrays)


def load(file: File) -> CVPath:
    """Read a cross-validation from `file`, or say in one `ValueError` what is wrong with it."""
    return read("CVPath.load", file, _decoded)


def load_either(call: str, file: File) -> CVPath | Path:
    """Read a cross-validation or a single path, whichever `file` holds."""

    def decoded(metadata: Metadata, arrays: Arrays) -> CVPath | Path:
        whole = metadata.get("format") == FORMAT
        return _decoded(metadata, arrays) if whole else decode_file(metadata, arrays)

    return read(call, file, decoded)


def _beside(cv: CVPath) -> dict[str, Path]:
    """The paths besides that of all rows, by their prefix."""
    return {f"fold{k}": path for k, path in enumerate(cv.fold_paths)}


def _decoded(metadata: Metadata, arrays: Arrays) -> CVPath:
    check_format(metadata, FORMAT, SCHEMA)
    n_folds = metadata["n_folds"]
    if type(n_folds) is not int or any(type(metadata[name]) is not bool for name in _FLAGS):
        raise UnreadableError("its metadata are malformed.")
    members: dict[str, Arrays] = defaultdict(dict)
    for place, array in arrays.items():
        prefix, _, name = place.rpartition("/")
        members[prefix][name] = array

    def path(prefix: str) -> Path:
        """One of the paths; what it has in common with that of all rows is taken from there."""
        whole, own = metadata["paths"]["path"], metadata["paths"][prefix]
        common = {name: members["path"][name] for name in own.get("common", ())}
        return decode(whole | own, common | members[prefix])

    values: dict[str, Any] = {name: numeric(arrays, name) for name in _NUMBERS}
    values |= {name: text(metadata[name]) for name in _TEXTS}
    return CVPath(
        path=path("path"),
        fold_paths=tuple(path(f"fold{k}") for k in range(n_folds)),
        held_out=tuple(_rows(arrays, f"held_out{k}") for k in range(n_folds)),
        info=dict(metadata["info"]),
        **values,
        **{name: metadata[name] for name in _FLAGS},
    )


def _prefixed(prefix: str, arrays: Arrays) -> Arrays:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def _same(one: npt.NDArray[Any], other: npt.NDArray[Any] | None) -> bool:
    """Whether two arrays are equal to the last bit."""
    if other is None or one.dtype != other.dtype or one.shape != other.shape:
        return False
    return one is other or one.tobytes() == other.tobytes()


def _rows(arrays: Arrays, name: str) -> npt.NDArray[Any]:
    rows = numeric(arrays, name)
    if rows.dtype.kind != "i" or rows.ndim != 1 or (rows < 0).any():
        raise UnreadableError(f"its array {name!r} is no list of rows.")
    return rows

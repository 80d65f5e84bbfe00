"""Results in files: a path alone as `regpath._storage` has it, all others in one nested layout.

The JSON of such a file is a tree of parts, one for the result and one for every result within it.
Arrays are members of the archive and values stand in one list; parts only refer to them by name and
by position, so that what several parts share is written once.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, NamedTuple, TypeVar

import numpy.typing as npt

from regpath import _storage
from regpath._parts import Status
from regpath._saved import File
from regpath._storage import Arrays, Metadata, UnreadableError, check_format, numeric, text
from regpath.cv_result import CVPath
from regpath.relaxed import RelaxedPath
from regpath.relaxed_cv import RelaxedCV
from regpath.result import Path
from regpath.stability import StabilityPath
from regpath.surface import CVSurface

__all__ = ["SCHEMA", "load", "load_any", "save"]

SCHEMA = 1
"""Version of the layout. Raise it when an older regpath could no longer read a new file."""

_SCORES = ("fold_scores", "mean_scores", "std_errors")
_REFITS = ("intercepts", "dev_ratio", "dual_gaps", "n_iters")
_FREQUENCIES = ("lambdas", "mean_selected")

T = TypeVar("T")


class Part(NamedTuple):
    """A result taken apart: what JSON can hold, arrays, and the results within it.

    Each of ``parts`` is a `Part` or a list of such.
    """

    values: Metadata
    arrays: Arrays
    parts: dict[str, Any]


def save(result: Any, file: File) -> None:
    """Write a result to `file`."""
    if isinstance(result, Path):
        return _storage.save(result, file)
    name = type(result).__name__
    call = f"{name}.save"
    shelf = _Shelf(call)
    tree = shelf.put(_LAYOUTS[type(result)].encode(call, result))
    head = {"format": f"regpath.{name}", "schema": SCHEMA, "values": shelf.values, "tree": tree}
    _storage.write(call, file, head, shelf.members)


def load(kind: type[T], file: File) -> T:
    """Read a result from `file`, or say in one `ValueError` what is wrong with it."""
    result: T = _storage.read(f"{kind.__name__}.load", file, _decoder(kind))
    return result


def load_any(call: str, file: File, *kinds: type[Any]) -> Any:
    """Read a result of one of these kinds, whichever `file` holds."""

    def decoded(metadata: Metadata, arrays: Arrays) -> Any:
        named = [kind for kind in kinds if metadata.get("format") == f"regpath.{kind.__name__}"]
        return _decoder((named or kinds)[0])(metadata, arrays)

    return _storage.read(call, file, decoded)


def _decoder(kind: type[Any]) -> Callable[[Metadata, Arrays], Any]:
    """What makes a result of one kind out of the content of a file."""
    if kind is Path:
        return _storage.decode_file

    def decoded(metadata: Metadata, arrays: Arrays) -> Any:
        check_format(metadata, f"regpath.{kind.__name__}", SCHEMA)
        return _LAYOUTS[kind].decode(_taken(metadata["tree"], metadata["values"], arrays))

    return decoded


class _Shelf:
    """Members and values of a file, each once."""

    def __init__(self, call: str) -> None:
        self.call = call
        self.values: list[Any] = []
        self.members: Arrays = {}
        self._known: dict[Any, Any] = {}  # positions of values, and names of members

    def put(self, part: Part, place: str = "") -> Metadata:
        """Keep what a part holds, and say where."""
        return {
            "values": {name: self._value(value) for name, value in part.values.items()},
            "arrays": {name: self._array(place + name, a) for name, a in part.arrays.items()},
            "parts": {
                name: [self.put(one, f"{place}{name}{k}/") for k, one in enumerate(inner)]
                if isinstance(inner, list)
                else self.put(inner, f"{place}{name}/")
                for name, inner in part.parts.items()
            },
        }

    def _value(self, value: Any) -> int:
        position: int = self._known.setdefault(_storage.in_json(self.call, value), len(self.values))
        if position == len(self.values):
            self.values.append(value)
        return position

    def _array(self, place: str, array: npt.NDArray[Any]) -> str:
        content = blake2b(array.tobytes(), digest_size=32).digest()
        key = array.dtype.str, array.shape, array.flags.f_contiguous, content
        name: str = self._known.setdefault(key, place)
        if name == place:
            self.members[place] = array
        return name


def _taken(stated: Metadata, values: list[Any], arrays: Arrays) -> Part:
    """A part with all that it refers to."""
    return Part(
        {name: values[position] for name, position in stated["values"].items()},
        {name: arrays[member] for name, member in stated["arrays"].items()},
        {
            name: [_taken(one, values, arrays) for one in inner]
            if isinstance(inner, list)
            else _taken(inner, values, arrays)
            for name, inner in stated["parts"].items()
        },
    )


# ------------------------------------------------------------------------------- kinds of results


def _put_path(call: str, path: Path) -> Part:
    return Part(*_storage.encode(call, path), {})


def _take_path(part: Part) -> Path:
    return _storage.decode(part.values, part.arrays)


def _put_relaxed(call: str, relaxed: RelaxedPath) -> Part:
    arrays = {name: getattr(relaxed, name) for name in _REFITS}
    return Part(
        {"statuses": [status.name for status in relaxed.statuses]},
        arrays | _storage.matrix_members("coefs", relaxed.coef_storage),
        {"path": _put_path(call, relaxed.path)},
    )


def _take_relaxed(part: Part) -> RelaxedPath:
    numbers: dict[str, Any] = {name: numeric(part.arrays, name) for name in _REFITS}
    return RelaxedPath(
        path=_take_path(part.parts["path"]),
        coef_storage=_storage.matrix("coefs", part.arrays),
        statuses=tuple(Status[name] for name in part.values["statuses"]),
        **numbers,
    )


def _put_relaxed_cv(call: str, relaxed: RelaxedCV) -> Part:
    return Part(
        {name: getattr(relaxed, name) for name in ("score_label", "greater_is_better")},
        {name: getattr(relaxed, name) for name in (*_SCORES, "gammas")},
        {
            "path": _put_relaxed(call, relaxed.path),
            "fold_paths": [_put_relaxed(call, path) for path in relaxed.fold_paths],
        },
    )


def _take_relaxed_cv(part: Part) -> RelaxedCV:
    numbers: dict[str, Any] = {name: numeric(part.arrays, name) for name in (*_SCORES, "gammas")}
    return RelaxedCV(
        path=_take_relaxed(part.parts["path"]),
        fold_paths=tuple(map(_take_relaxed, part.parts["fold_paths"])),
        score_label=text(part.values["score_label"]),
        greater_is_better=_flag(part, "greater_is_better"),
        **numbers,
    )


def _put_cv(call: str, cv: CVPath) -> Part:
    values = {
        name: getattr(cv, name)
        for name in ("scoring", "score_label", "greater_is_better", "grouped", "info")
    }
    arrays = {name: getattr(cv, name) for name in (*_SCORES, "fold_weights")}
    arrays |= {f"held_out{k}": rows for k, rows in enumerate(cv.held_out)}
    parts: dict[str, Any] = {
        "path": _put_path(call, cv.path),
        "fold_paths": [_put_path(call, path) for path in cv.fold_paths],
    }
    if cv.relaxed is not None:
        parts["relaxed"] = _put_relaxed_cv(call, cv.relaxed)
    return Part(values, arrays, parts)


def _take_cv(part: Part) -> CVPath:
    folds, relaxed = part.parts["fold_paths"], part.parts.get("relaxed")
    numbers: dict[str, Any] = {
        name: numeric(part.arrays, name) for name in (*_SCORES, "fold_weights")
    }
    return CVPath(
        path=_take_path(part.parts["path"]),
        fold_paths=tuple(map(_take_path, folds)),
        held_out=tuple(_rows(part.arrays, f"held_out{k}") for k in range(len(folds))),
        scoring=text(part.values["scoring"]),
        score_label=text(part.values["score_label"]),
        greater_is_better=_flag(part, "greater_is_better"),
        grouped=_flag(part, "grouped"),
        info=dict(part.values["info"]),
        relaxed=None if relaxed is None else _take_relaxed_cv(relaxed),
        **numbers,
    )


def _put_surface(call: str, surface: CVSurface) -> Part:
    return Part({}, {}, {"paths": [_put_cv(call, cv) for cv in surface.paths]})


def _take_surface(part: Part) -> CVSurface:
    return CVSurface(tuple(map(_take_cv, part.parts["paths"])))


def _put_stability(call: str, stable: StabilityPath) -> Part:
    names = ("n_resamples", "kind", "sample_fraction", "complementary", "feature_names", "info")
    arrays = {name: getattr(stable, name) for name in _FREQUENCIES}
    arrays |= _storage.matrix_members("frequencies", stable.frequency_storage)
    return Part({name: getattr(stable, name) for name in names}, arrays, {})


def _take_stability(part: Part) -> StabilityPath:
    numbers: dict[str, Any] = {name: numeric(part.arrays, name) for name in _FREQUENCIES}
    names = part.values["feature_names"]
    return StabilityPath(
        frequency_storage=_storage.matrix("frequencies", part.arrays),
        n_resamples=int(part.values["n_resamples"]),
        kind=text(part.values["kind"]),
        sample_fraction=float(part.values["sample_fraction"]),
        complementary=_flag(part, "complementary"),
        feature_names=None if names is None else tuple(text(name) for name in names),
        info=dict(part.values["info"]),
        **numbers,
    )


def _flag(part: Part, name: str) -> bool:
    value = part.values[name]
    if not isinstance(value, bool):
        raise UnreadableError("its metadata are malformed.")
    return value


def _rows(arrays: Arrays, name: str) -> npt.NDArray[Any]:
    rows = numeric(arrays, name)
    if rows.dtype.kind != "i" or rows.ndim != 1 or (rows < 0).any():
        raise UnreadableError(f"its array {name!r} is no list of rows.")
    return rows


class _Layout(NamedTuple):
    encode: Callable[[str, Any], Part]
    decode: Callable[[Part], Any]


_LAYOUTS: dict[type[Any], _Layout] = {
    CVPath: _Layout(_put_cv, _take_cv),
    RelaxedCV: _Layout(_put_relaxed_cv, _take_relaxed_cv),
    CVSurface: _Layout(_put_surface, _take_surface),
    RelaxedPath: _Layout(_put_relaxed, _take_relaxed),
    StabilityPath: _Layout(_put_stability, _take_stability),
}

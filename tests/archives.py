"""Saved results, to be compared and to be damaged."""

import io
import json
import zipfile
from dataclasses import is_dataclass

import numpy as np
import scipy.sparse as sp


def assert_same(one, other):
    """Compare two results field by field, to the last bit."""
    for name, value in vars(one).items():
        assert_same_value(name, value, getattr(other, name))


def assert_same_value(name, value, second):
    assert type(value) is type(second)
    if is_dataclass(value):
        assert_same(value, second)
    elif name in ("paths", "fold_paths", "held_out"):
        for mine, theirs in zip(value, second, strict=True):
            assert_same_value("one of them", mine, theirs)
    elif isinstance(value, np.ndarray):
        assert value.dtype == second.dtype
        np.testing.assert_array_equal(value, second)
        assert value.dtype.kind != "f" or (np.signbit(value) == np.signbit(second)).all()
    elif sp.issparse(value):
        assert (value != second).nnz == 0
    elif name == "family_options":
        assert {key: np.array(option).tolist() for key, option in value.items()} == {
            key: np.array(option).tolist() for key, option in second.items()
        }
    else:
        assert value == second


def saved(result):
    """The bytes of the file."""
    stream = io.BytesIO()
    result.save(stream)
    return stream.getvalue()


def through_a_file(result):
    """What is read from the file that was written."""
    return type(result).load(io.BytesIO(saved(result)))


def members(result):
    """The arrays of the file, to be altered."""
    with np.load(io.BytesIO(saved(result))) as archive:
        return dict(archive)


def packed(arrays, **changes):
    """The bytes of a file with other arrays; None leaves one out."""
    stream = io.BytesIO()
    np.savez(stream, **{k: v for k, v in (arrays | changes).items() if v is not None})
    return stream.getvalue()


def with_metadata(arrays, **changes):
    metadata = json.loads(arrays["metadata"].tobytes()) | changes
    return packed(arrays, metadata=np.frombuffer(json.dumps(metadata).encode(), dtype=np.uint8))


def with_member(arrays, name, data):
    """The bytes of a file with one member made of raw bytes."""
    stream = io.BytesIO(packed(arrays, **{name: None}))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(f"{name}.npy", data)
    return stream.getvalue()


def npy(array):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=True)
    return stream.getvalue()


executed = []


def explode(name):
    executed.append(name)
    return name


class Bomb:
    """Leaves a trace where a pickle is opened."""

    def __reduce__(self):
        return explode, ("boom",)

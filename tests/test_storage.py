import io
import json
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from archives import (
    Bomb,
    assert_same,
    executed,
    members,
    npy,
    packed,
    saved,
    through_a_file,
    with_member,
    with_metadata,
)
from handmade import DENSE, NAMES, make_path, make_several

import regpath
from regpath import Path, Settings, Status


@pytest.fixture(params=["dense", "sparse"])
def path(request):
    return make_path(DENSE if request.param == "dense" else sp.csc_array(DENSE), names=NAMES)


def test_a_saved_path_is_the_same_path(path, tmp_path):
    path.save(tmp_path / "model.npz")
    loaded = Path.load(tmp_path / "model.npz")
    assert_same(path, loaded)
    assert type(loaded.coef_storage) is type(path.coef_storage)


def test_every_setting_and_note_is_kept(tmp_path):
    settings = Settings(
        fit_intercept=False,
        standardize=False,
        tol=1e-3,
        penalty_factor=np.array([0.0, 1.0, np.inf, 1.0, 1.0, 1.0]),
        lower=np.full(6, -np.inf),
        upper=np.ones(6),
        sample_weight=np.arange(4.0),
        offset=np.ones(4),
    )
    path = make_path(
        lambdas=[np.inf, 3.0, 2.0, 1.0, 0.0],
        settings=settings,
        l1_ratio=0.25,
        statuses=tuple(Status)[:5],
        info={"why": ["Gram"], "passes": np.float64(2.5), "sizes": np.arange(2), "none": None},
    )
    path.save(str(tmp_path / "no ending"))  # the name is used as it is
    loaded = Path.load(str(tmp_path / "no ending"))
    expected = {"why": ["Gram"], "passes": 2.5, "sizes": [0, 1], "none": None}
    assert loaded.info == expected
    assert loaded.statuses == tuple(Status)[:5]
    assert_same(settings, loaded.settings)
    assert loaded.l1_ratio == 0.25


@pytest.mark.parametrize("sparse", [False, True])
def test_a_path_of_several_outputs_is_kept(sparse):
    settings = Settings(offset=np.arange(12.0).reshape(4, 3))
    path = make_several(sparse=sparse, classes=["a", "b", "c"], settings=settings)
    loaded = through_a_file(path)
    assert_same(path, loaded)
    assert loaded.settings.offset.shape == (4, 3)
    X = np.arange(8.0).reshape(2, 4)
    offset = np.zeros((2, 3))
    np.testing.assert_array_equal(loaded.predict(X, offset=offset), path.predict(X, offset=offset))


CLASSES = {
    "text": np.array(["no", "yés"]),
    "text objects": np.array(["no", "yes"], dtype=object),
    "bytes": np.array([b"no", b"yes"]),
    "int8": np.array([-1, 1], dtype=np.int8),
    "big": np.array([0, 2**63], dtype=np.uint64),
    "float": np.array([0.1, np.pi]),
    "bool": np.array([False, True]),
}


@pytest.mark.parametrize("kind", CLASSES)
def test_classes_keep_their_type(kind):
    given = CLASSES[kind]
    path = make_path(family="binomial", family_options={"link": "probit"}, classes=given)
    loaded = through_a_file(path)
    assert loaded.classes.dtype == (
        given.astype(str).dtype if kind == "text objects" else given.dtype
    )
    assert loaded.classes.tolist() == given.tolist()
    assert loaded.family_instance == regpath.families.Binomial("probit")
    X = np.ones((3, 6))
    np.testing.assert_array_equal(loaded.predict(X, type="class"), path.predict(X, type="class"))


def test_classes_that_need_pickle_are_refused():
    path = make_path(family="binomial", classes=np.array([1, "one"], dtype=object))
    with pytest.raises(TypeError, match="classes have dtype object, which cannot be stored"):
        path.save(io.BytesIO())


@pytest.mark.parametrize("strata", [["a", "b", "a"], [3, 1, 3], None])
def test_strata_are_kept(strata):
    options = {"ties": "efron", "strata": strata}
    loaded = through_a_file(make_path(family="cox", family_options=options))
    assert loaded.family_options["ties"] == "efron"
    kept = loaded.family_options["strata"]
    assert (kept if strata is None else kept.tolist()) == strata


def test_numbers_among_the_options_are_exact():
    path = make_path(family="tweedie", family_options={"power": np.float64(4.0 / 3.0)})
    assert through_a_file(path).family_instance == regpath.families.Tweedie(4.0 / 3.0)


def test_a_loss_is_kept_by_name_only():
    loss = regpath.losses.Huber(2.0)
    path = make_path(family="custom", family_options={"function": loss})
    loaded = through_a_file(path)
    assert loaded.family == "custom"
    assert loaded.family_options == {"function": None, "function_repr": "Huber(delta=2.0)"}
    assert "custom family (Huber(delta=2.0))" in repr(loaded)
    np.testing.assert_array_equal(loaded.predict(np.eye(6)), path.predict(np.eye(6)))
    with pytest.raises(ValueError, match=r"Huber\(delta=2.0\), which is code and not kept"):
        loaded.family_instance  # noqa: B018
    assert through_a_file(loaded).family_options == loaded.family_options


def without_new_fields():
    """What regpath 0.1.0 wrote: format 1, no options of a family, no outputs."""
    arrays = content()
    metadata = json.loads(arrays["metadata"].tobytes())
    assert metadata["schema"] == 1
    for name in ("family_options", "n_outputs"):
        del metadata[name]
    return packed(arrays, metadata=np.frombuffer(json.dumps(metadata).encode(), dtype=np.uint8))


def test_files_of_the_first_format_are_read():
    assert_same(make_path(), Path.load(io.BytesIO(without_new_fields())))


def test_only_files_with_something_new_need_a_new_reader():
    assert json.loads(members(make_several())["metadata"].tobytes())["schema"] == 2


def test_file_objects_work_and_stay_open(path):
    stream = io.BytesIO(saved(path))
    assert_same(path, Path.load(stream))
    assert not stream.closed


def test_a_fitted_path_survives_the_file(tmp_path):
    X, y, _, _ = regpath.datasets.load_prostate()
    path = regpath.lasso_path(X, y, n_lambdas=30)
    path.save(tmp_path / "model.npz")
    loaded = Path.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(loaded.predict(X), path.predict(X))
    certificate = loaded.certify(X, y)
    assert certificate.dual_gaps.max() <= 1e-6


def test_notes_that_json_cannot_hold_are_refused(tmp_path):
    with pytest.raises(TypeError, match="info holds a object"):
        make_path(info={"x": object()}).save(tmp_path / "model.npz")


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        Path.load(tmp_path / "nothing.npz")


def content(coefs=DENSE):
    """The members of a saved path, to be altered."""
    return members(make_path(coefs))


def raw(text):
    return packed(content(), metadata=np.frombuffer(text, dtype=np.uint8))


def huge_header():
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (%d,), }" % 10**15
    header += b" " * (118 - len(header) - 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


HOSTILE = {
    "empty": lambda: b"",
    "text": lambda: b"lambda,df\n1,2\n",
    "pickle": lambda: pickle.dumps({"a": 1}),
    "one array": lambda: npy(np.arange(3.0)),
    "other npz": lambda: packed({"X": np.zeros(3)}),
    "other metadata": lambda: packed({"metadata": np.frombuffer(b"{}", dtype=np.uint8)}),
    "no json": lambda: raw(b"{'a': 1}"),
    "json list": lambda: raw(b"[1, 2]"),
    "deep json": lambda: raw(b"[" * 200_000),
    "not utf-8": lambda: raw(b"\xff\xfe\x00"),
    "later schema": lambda: with_metadata(content(), schema=3),
    "no schema": lambda: with_metadata(content(), schema=None),
    "unknown status": lambda: with_metadata(content(), statuses=["FINE"] * 5),
    "too few statuses": lambda: with_metadata(content(), statuses=["CONVERGED"]),
    "unknown family": lambda: with_metadata(content(), family="gausian"),
    "options are a list": lambda: with_metadata(content(), family_options=["link"]),
    "options hold a list": lambda: with_metadata(content(), family_options={"link": ["logit"]}),
    "two outputs of one": lambda: with_metadata(content(), n_outputs=2),
    "outputs are text": lambda: with_metadata(content(), n_outputs="two"),
    "complex classes": lambda: packed(content(), classes=np.array([1j, 2j])),
    "classes in a square": lambda: packed(content(), classes=np.eye(2)),
    "three classes": lambda: packed(content(), classes=np.arange(3)),
    "pickled classes": lambda: with_member(content(), "classes", npy(np.array([Bomb()] * 2))),
    "family is a number": lambda: with_metadata(content(), family=3),
    "names are numbers": lambda: with_metadata(content(), feature_names=[1, 2, 3, 4, 5, 6]),
    "too few names": lambda: with_metadata(content(), feature_names=["a"]),
    "names of one response": lambda: with_metadata(content(), response_names=["a"]),
    "responses are numbers": lambda: with_metadata(content(), response_names=[1]),
    "info is a list": lambda: with_metadata(content(), info=[1]),
    "l1_ratio is text": lambda: with_metadata(content(), l1_ratio="much"),
    "no lambdas": lambda: packed(content(), lambdas=None),
    "no coefs": lambda: packed(content(), coefs=None),
    "increasing lambdas": lambda: packed(content(), lambdas=np.arange(5.0)),
    "nan among lambdas": lambda: packed(content(), lambdas=np.array([4, 3, np.nan, 1, 0])),
    "short": lambda: packed(content(), seconds=np.zeros(4)),
    "text numbers": lambda: packed(content(), seconds=np.array(list("12345"))),
    "complex": lambda: packed(content(), seconds=np.zeros(5) + 1j),
    "pickled array": lambda: with_member(content(), "seconds", npy(np.array([Bomb()] * 5))),
    "huge header": lambda: with_member(content(), "seconds", huge_header()),
    "half a header": lambda: with_member(content(), "seconds", huge_header()[:40]),
    "index out of range": lambda: packed(
        content(sp.csc_array(DENSE)), coefs_indices=np.full(12, 10**6, dtype=np.int32)
    ),
    "negative index": lambda: packed(
        content(sp.csc_array(DENSE)), coefs_indices=np.full(12, -1, dtype=np.int32)
    ),
    "falling pointers": lambda: packed(
        content(sp.csc_array(DENSE)), coefs_indptr=np.array([0, 12, 3, 4, 5, 12])
    ),
    "float indices": lambda: packed(content(sp.csc_array(DENSE)), coefs_indices=np.zeros(12)),
    "wrong shape": lambda: packed(content(sp.csc_array(DENSE)), coefs_shape=np.array([6, 50])),
    "shape of three": lambda: packed(content(sp.csc_array(DENSE)), coefs_shape=np.array([6, 5, 1])),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_file_that_is_no_path_is_one_clear_error(case, tmp_path):
    file = tmp_path / "model.npz"
    file.write_bytes(HOSTILE[case]())
    with pytest.raises(ValueError, match=r"^Path\.load\('.*model\.npz'\): .*\.$") as caught:
        Path.load(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("member", ["metadata", "lambdas", "coefs", "extra"])
def test_nothing_in_a_file_is_executed(member):
    assert pickle.loads(pickle.dumps(Bomb())) == executed.pop() == "boom"  # it would show
    hostile = with_member(content(), member, npy(np.array([Bomb()] * 5)))
    with pytest.raises(ValueError, match=r"^Path\.load"):
        Path.load(io.BytesIO(hostile))
    assert executed == []


def test_a_truncated_file_is_an_error_wherever_it_ends(path):
    whole = saved(path)
    for length in range(0, len(whole) - 1, 97):
        with pytest.raises(ValueError, match=r"^Path\.load"):
            Path.load(io.BytesIO(whole[:length]))


def test_a_flipped_byte_is_either_harmless_or_an_error(path, rng):
    whole = saved(path)
    refused = 0
    for place in rng.integers(len(whole), size=300):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        try:
            loaded = Path.load(io.BytesIO(bytes(damaged)))
        except ValueError:
            refused += 1
        else:
            np.testing.assert_array_equal(loaded.coefs, path.coefs)
    assert refused > 100


def test_a_later_format_says_so():
    with pytest.raises(ValueError, match="format 3, this version of regpath reads up to 2"):
        Path.load(io.BytesIO(with_metadata(content(), schema=3)))

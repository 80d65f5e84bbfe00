import io
import json
from dataclasses import replace

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
from handmade import (
    DENSE,
    FREQUENCIES,
    NAMES,
    make_cv,
    make_path,
    make_relaxed,
    make_relaxed_cv,
    make_several,
    make_stability,
)

import regpath
from regpath import CVPath, CVSurface, Path, RelaxedCV, RelaxedPath, Settings, StabilityPath

BINOMIAL = {"family": "binomial", "classes": np.array(["no", "yes"])}
COX = {"family": "cox", "family_options": {"ties": "efron", "strata": ["a", "b", "a"]}}
PATHS = {
    "dense": lambda: make_path(names=NAMES),
    "sparse": lambda: make_path(sp.csc_array(DENSE), lambdas=[np.inf, 3.0, 2.0, 1.0, 0.0]),
    "several": lambda: make_several(classes=list("abc")),
    "several, named": lambda: make_several(family="multigaussian", response_names=tuple("abc")),
    "several, sparse": lambda: make_several(sparse=True, classes=[3, 1, 2]),
    "binomial": lambda: make_path(**BINOMIAL),
    "cox": lambda: make_path(**COX),
    "limits": lambda: make_path(settings=Settings(lower=np.zeros(6), offset=np.ones(12))),
}


RESULTS = {
    "cross-validation": make_cv,
    "relaxed cross-validation": lambda path: make_relaxed_cv(make_cv(path)),
    "surface": lambda path: CVSurface((make_cv(replace(path, l1_ratio=0.5)), make_cv(path))),
    "relaxed path": make_relaxed,
    "blends alone": lambda path: make_relaxed_cv(make_cv(path)).relaxed,
}


@pytest.mark.parametrize("result", RESULTS)
@pytest.mark.parametrize("kind", PATHS)
def test_what_is_read_is_what_was_written(kind, result):
    result = RESULTS[result](PATHS[kind]())
    assert_same(result, through_a_file(result))


@pytest.mark.parametrize("frequencies", [FREQUENCIES, sp.csc_array(FREQUENCIES)])
@pytest.mark.parametrize("names", [None, NAMES])
def test_frequencies_are_kept(frequencies, names):
    stable = make_stability(frequencies, feature_names=names, info={"passes": 4.5})
    assert_same(stable, through_a_file(stable))
    bootstrap = replace(stable, kind="bootstrap", sample_fraction=1.0, complementary=False)
    assert_same(bootstrap, through_a_file(bootstrap))


def test_folds_that_differ_in_everything_keep_it():
    """Shorter grids, other storage, weights, notes: nothing is taken from the whole path."""
    cv = make_cv(make_path(names=NAMES, info={"passes": 3.0}))
    other = make_path(
        sp.csc_array(DENSE[:, :3]),
        lambdas=[9.0, 8.0, -0.0],
        settings=Settings(sample_weight=np.arange(12.0), tol=1e-3, standardize=False),
        l1_ratio=0.5,
        null_deviance=np.nan,
        info={"passes": 7.0},
    )
    cv = replace(cv, fold_paths=(other, *cv.fold_paths[1:]))
    loaded = through_a_file(cv)
    first = loaded.fold_paths[0]
    assert np.isnan(first.null_deviance)
    assert np.signbit(first.lambdas[-1])
    assert first.feature_names is None
    assert loaded.fold_paths[1].info == {"passes": 3.0}
    assert_same(replace(other, null_deviance=0.0), replace(first, null_deviance=0.0))


def test_scores_that_are_missing_and_all_flags_are_kept():
    scores = np.array([[np.nan, 1.0, -0.0, np.inf, 5e-324]] * 3)
    cv = make_cv(
        fold_scores=scores, mean_scores=scores[0], greater_is_better=True, grouped=False,
        scoring="auc", score_label="área", held_out=(np.arange(3), np.arange(0), np.arange(9)),
        info={"n_jobs": 2, "passes": np.int64(3)},
    )  # fmt: skip
    loaded = through_a_file(cv)
    assert loaded.fold_scores.tobytes() == scores.tobytes()
    assert loaded.info == {"n_jobs": 2, "passes": 3}
    assert_same(replace(cv, info={}), replace(loaded, info={}))


def test_what_folds_share_is_written_once():
    offset = np.random.default_rng(0).standard_normal(20_000)
    shared = make_cv(make_path(settings=Settings(offset=offset)))
    assert len(saved(shared)) < 1.2 * len(saved(shared.path))
    names = [name for name in members(shared) if name.endswith("/offset")]
    assert names == ["path/offset"]


def test_what_refits_and_ratios_share_is_written_once():
    """Blends differ from folds in their refits and scores alone; every path has the same names."""
    names = tuple(f"feature {k} {'long ' * 40}" for k in range(6))
    cv = make_cv(make_path(names=names))
    relaxed = make_relaxed_cv(cv)
    new = set(members(relaxed)) - set(members(cv))
    places = {name.rpartition("/")[0] for name in new}
    assert places == {"relaxed", "relaxed/path", *(f"relaxed/fold_paths{k}" for k in range(1, 3))}
    assert not any("lambdas" in name for name in new)
    surface = CVSurface((relaxed, replace(relaxed, scoring="other")))
    assert set(members(surface)) == {
        f"paths0/{name}" if name != "metadata" else name for name in members(relaxed)
    }
    assert members(surface)["metadata"].tobytes().count(names[3].encode()) == 1


def test_a_fitted_cross_validation_predicts_the_same_from_a_file(tmp_path):
    X, y, _, _ = regpath.datasets.load_prostate()
    cv = regpath.cv_path(X, y, cv=4, random_state=0, n_lambdas=30, lambda_min_ratio=0.01)
    cv.save(tmp_path / "no ending")
    loaded = CVPath.load(tmp_path / "no ending")
    assert_same(cv, loaded)
    np.testing.assert_array_equal(loaded.predict(X, "1se"), cv.predict(X, "1se"))
    np.testing.assert_array_equal(loaded.out_of_fold(X), cv.out_of_fold(X))
    assert loaded.fold_paths[2].certify(X, y).dual_gaps.max() <= 1e-6


def test_a_relaxed_cross_validation_predicts_the_same_from_a_file():
    X, y, _, _ = regpath.datasets.load_prostate()
    options = {"cv": 4, "random_state": 0, "n_lambdas": 20, "lambda_min_ratio": 0.01}
    surface = regpath.cv_path(X, y, relax=True, l1_ratio=[0.5, 1.0], **options)
    loaded = through_a_file(surface)
    assert_same(surface, loaded)
    relaxed = surface.best.relaxed
    for rule in ("min", "1se"):
        expected = relaxed.predict(X, rule)
        np.testing.assert_array_equal(loaded.best.relaxed.predict(X, rule), expected)


KINDS = {
    Path: (make_path, "a path"),
    CVPath: (make_cv, "a cross-validation"),
    CVSurface: (lambda: CVSurface((make_cv(),)), "a surface of cross-validations"),
    RelaxedPath: (make_relaxed, "a relaxed path"),
    RelaxedCV: (lambda: make_relaxed_cv().relaxed, "a cross-validation of blends"),
    StabilityPath: (make_stability, "a stability path"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_results_are_not_taken_for_each_other(kind, other):
    make, what = KINDS[kind]
    file = io.BytesIO(saved(make()))
    if kind is other:
        assert type(other.load(file)) is kind
        return
    name, wanted = kind.__name__, other.__name__
    with pytest.raises(
        ValueError,
        match=rf"^{wanted}\.load\(.* the file holds {what}; read it with regpath\.{name}\.load\.$",
    ):
        other.load(file)


def test_what_needs_pickle_is_refused():
    objects = make_path(family="binomial", classes=np.array([1, "one"], dtype=object))
    with pytest.raises(TypeError, match=r"^CVPath\.save: classes have dtype object"):
        make_cv(objects).save(io.BytesIO())
    with pytest.raises(TypeError, match=r"^CVPath\.save: info holds a object"):
        make_cv(info={"x": object()}).save(io.BytesIO())


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        CVPath.load(tmp_path / "nothing.npz")


# ---------------------------------------------------------------- damaged files


def content():
    return members(make_relaxed_cv())


def altered(change, arrays=None):
    """A file whose metadata were changed."""
    arrays = content() if arrays is None else arrays
    metadata = json.loads(arrays["metadata"].tobytes())
    change(metadata["tree"])
    return with_metadata(arrays, **metadata)


def with_values(*place, arrays=None, **values):
    """A file where some values of the part at a place are others."""
    arrays = content() if arrays is None else arrays
    metadata = json.loads(arrays["metadata"].tobytes())
    part = metadata["tree"]
    for step in place:
        part = part[step]
    for name, value in values.items():
        assert name in part["values"]
        part["values"][name] = len(metadata["values"])
        metadata["values"].append(value)
    return with_metadata(arrays, **metadata)


FOLD = "parts", "fold_paths", 1
RELAXED = "parts", "relaxed"


HOSTILE = {
    "empty": lambda: b"",
    "other npz": lambda: packed({"X": np.zeros(3)}),
    "other metadata": lambda: with_metadata(content(), format="regpath.Forest"),
    "format is a list": lambda: with_metadata(content(), format=["regpath.Path"]),
    "later schema": lambda: with_metadata(content(), schema=2),
    "no tree": lambda: with_metadata(content(), tree={}),
    "tree is a list": lambda: with_metadata(content(), tree=[]),
    "no values": lambda: with_metadata(content(), values=[]),
    "values are a number": lambda: with_metadata(content(), values=3),
    "too many folds": lambda: altered(
        lambda t: t["parts"]["fold_paths"].append(t["parts"]["path"])
    ),
    "too few folds": lambda: altered(lambda t: t["parts"]["fold_paths"].pop()),
    "folds are no list": lambda: altered(
        lambda t: t["parts"].update(fold_paths=t["parts"]["path"])
    ),
    "no folds": lambda: altered(lambda t: t["parts"].pop("fold_paths")),
    "no path": lambda: altered(lambda t: t["parts"].pop("path")),
    "no refits of a fold": lambda: altered(
        lambda t: t["parts"]["relaxed"]["parts"]["fold_paths"].pop()
    ),
    "no refits": lambda: altered(lambda t: t["parts"]["relaxed"]["parts"].pop("path")),
    "refits are a path": lambda: altered(lambda t: t["parts"].update(relaxed=t["parts"]["path"])),
    "status of a refit": lambda: with_values(*RELAXED, "parts", "path", statuses=["FINE"] * 5),
    "too few statuses of refits": lambda: with_values(
        *RELAXED, "parts", "path", statuses=["CONVERGED"]
    ),
    "flag of refits": lambda: with_values(*RELAXED, greater_is_better=1),
    "label of refits": lambda: with_values(*RELAXED, score_label=None),
    "other gammas": lambda: packed(content(), **{"relaxed/gammas": np.zeros(2)}),
    "gammas in a row": lambda: packed(content(), **{"relaxed/gammas": np.zeros((1, 3))}),
    "text gammas": lambda: packed(content(), **{"relaxed/gammas": np.array(list("abc"))}),
    "short refits": lambda: packed(content(), **{"relaxed/path/intercepts": np.zeros(4)}),
    "wrong member": lambda: altered(lambda t: t["arrays"].update(mean_scores="std_error")),
    "member is a number": lambda: altered(lambda t: t["arrays"].update(mean_scores=0)),
    "value far away": lambda: altered(lambda t: t["values"].update(scoring=10**12)),
    "value is no number": lambda: altered(lambda t: t["values"].update(scoring="mse")),
    "flag is text": lambda: with_values(grouped="no"),
    "label is a number": lambda: with_values(score_label=3),
    "info is a list": lambda: with_values(info=[1]),
    "short scores": lambda: packed(content(), mean_scores=np.zeros(4)),
    "scores of two folds": lambda: packed(content(), fold_scores=np.zeros((2, 5))),
    "text scores": lambda: packed(content(), mean_scores=np.array(list("12345"))),
    "no scores": lambda: packed(content(), fold_scores=None),
    "rows are floats": lambda: packed(content(), held_out1=np.zeros(4)),
    "rows are negative": lambda: packed(content(), held_out1=np.array([-1])),
    "rows in a square": lambda: packed(content(), held_out1=np.eye(2, dtype=np.int64)),
    "no rows": lambda: packed(content(), held_out2=None),
    "no coefs of a fold": lambda: packed(content(), **{"fold_paths1/coefs": None}),
    "other size of a fold": lambda: packed(content(), **{"fold_paths1/coefs": np.zeros((6, 4))}),
    "no lambdas": lambda: packed(content(), **{"path/lambdas": None}),
    "unknown status": lambda: with_values(*FOLD, statuses=["FINE"] * 5),
    "unknown family": lambda: with_values(*FOLD, family="gausian"),
    "pickled rows": lambda: with_member(content(), "held_out0", npy(np.array([Bomb()] * 4))),
    "pickled fold": lambda: with_member(
        content(), "fold_paths1/coefs", npy(np.array([Bomb()] * 4))
    ),
}


HOSTILE_FREQUENCIES = {
    "short lambdas": lambda arrays: packed(arrays, lambdas=np.zeros(4)),
    "short means": lambda arrays: packed(arrays, mean_selected=np.zeros(4)),
    "flat frequencies": lambda arrays: packed(arrays, frequencies=np.zeros(5)),
    "no frequencies": lambda arrays: packed(arrays, frequencies=None),
    "text frequencies": lambda arrays: packed(arrays, frequencies=np.array([["a"] * 5])),
    "too few names": lambda arrays: with_values(arrays=arrays, feature_names=["a"]),
    "names are numbers": lambda arrays: with_values(arrays=arrays, feature_names=[1] * 6),
    "kind": lambda arrays: with_values(arrays=arrays, kind=3),
    "count": lambda arrays: with_values(arrays=arrays, n_resamples="many"),
    "flag": lambda arrays: with_values(arrays=arrays, complementary="yes"),
}


@pytest.mark.parametrize("case", HOSTILE_FREQUENCIES)
def test_a_file_of_broken_frequencies_is_one_clear_error(case):
    file = io.BytesIO(HOSTILE_FREQUENCIES[case](members(make_stability(feature_names=NAMES))))
    with pytest.raises(ValueError, match=r"^StabilityPath\.load\(.*\): .*\.$"):
        StabilityPath.load(file)


def test_a_surface_of_nothing_is_an_error():
    arrays = members(CVSurface((make_cv(),)))
    file = io.BytesIO(altered(lambda tree: tree["parts"]["paths"].clear(), arrays))
    with pytest.raises(ValueError, match=r"^CVSurface\.load\(.* there must be at least one path"):
        CVSurface.load(file)


@pytest.mark.parametrize("case", HOSTILE)
def test_a_file_that_is_no_cross_validation_is_one_clear_error(case, tmp_path):
    file = tmp_path / "model.npz"
    file.write_bytes(HOSTILE[case]())
    with pytest.raises(ValueError, match=r"^CVPath\.load\('.*model\.npz'\): .*\.$") as caught:
        CVPath.load(file)
    assert "\n" not in str(caught.value)
    assert executed == []


def test_a_truncated_file_is_an_error_wherever_it_ends():
    whole = saved(make_relaxed_cv())
    for length in range(0, len(whole) - 1, 997):
        with pytest.raises(ValueError, match=r"^CVPath\.load"):
            CVPath.load(io.BytesIO(whole[:length]))


def test_a_later_format_says_so():
    with pytest.raises(ValueError, match="format 2, this version of regpath reads up to 1"):
        CVPath.load(io.BytesIO(with_metadata(content(), schema=2)))

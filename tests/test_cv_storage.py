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
from handmade import DENSE, NAMES, make_cv, make_path, make_several

import regpath
from regpath import CVPath, Path, Settings

BINOMIAL = {"family": "binomial", "classes": np.array(["no", "yes"])}
COX = {"family": "cox", "family_options": {"ties": "efron", "strata": ["a", "b", "a"]}}
PATHS = {
    "dense": lambda: make_path(names=NAMES),
    "sparse": lambda: make_path(sp.csc_array(DENSE), lambdas=[np.inf, 3.0, 2.0, 1.0, 0.0]),
    "several": lambda: make_several(classes=list("abc")),
    "several, sparse": lambda: make_several(sparse=True, classes=[3, 1, 2]),
    "binomial": lambda: make_path(**BINOMIAL),
    "cox": lambda: make_path(**COX),
    "limits": lambda: make_path(settings=Settings(lower=np.zeros(6), offset=np.ones(12))),
}


@pytest.mark.parametrize("kind", PATHS)
def test_a_saved_cross_validation_is_the_same(kind):
    cv = make_cv(PATHS[kind]())
    assert_same(cv, through_a_file(cv))


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


def test_a_fitted_cross_validation_predicts_the_same_from_a_file(tmp_path):
    X, y, _, _ = regpath.datasets.load_prostate()
    cv = regpath.cv_path(X, y, cv=4, random_state=0, n_lambdas=30, lambda_min_ratio=0.01)
    cv.save(tmp_path / "no ending")
    loaded = CVPath.load(tmp_path / "no ending")
    assert_same(cv, loaded)
    np.testing.assert_array_equal(loaded.predict(X, "1se"), cv.predict(X, "1se"))
    np.testing.assert_array_equal(loaded.out_of_fold(X), cv.out_of_fold(X))
    assert loaded.fold_paths[2].certify(X, y).dual_gaps.max() <= 1e-6


def test_paths_and_cross_validations_are_not_taken_for_each_other():
    with pytest.raises(ValueError, match=r"holds a cross-validation; .* regpath\.CVPath\.load\.$"):
        Path.load(io.BytesIO(saved(make_cv())))
    with pytest.raises(ValueError, match=r"^CVPath\.load\(.* a path; .* regpath\.Path\.load\.$"):
        CVPath.load(io.BytesIO(saved(make_path())))


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
    return members(make_cv())


def with_fold(**changes):
    """A file where the metadata of the second fold are others."""
    paths = json.loads(content()["metadata"].tobytes())["paths"]
    return with_metadata(content(), paths=paths | {"fold1": paths["fold1"] | changes})


HOSTILE = {
    "empty": lambda: b"",
    "other npz": lambda: packed({"X": np.zeros(3)}),
    "other metadata": lambda: with_metadata(content(), format="regpath.Forest"),
    "format is a list": lambda: with_metadata(content(), format=["regpath.Path"]),
    "later schema": lambda: with_metadata(content(), schema=2),
    "no number of folds": lambda: with_metadata(content(), n_folds=None),
    "too many folds": lambda: with_metadata(content(), n_folds=4),
    "too few folds": lambda: with_metadata(content(), n_folds=2),
    "a huge number of folds": lambda: with_metadata(content(), n_folds=10**12),
    "no paths": lambda: with_metadata(content(), paths={}),
    "paths are a list": lambda: with_metadata(content(), paths=[]),
    "flag is text": lambda: with_metadata(content(), grouped="no"),
    "label is a number": lambda: with_metadata(content(), score_label=3),
    "info is a list": lambda: with_metadata(content(), info=[1]),
    "short scores": lambda: packed(content(), mean_scores=np.zeros(4)),
    "scores of two folds": lambda: packed(content(), fold_scores=np.zeros((2, 5))),
    "text scores": lambda: packed(content(), mean_scores=np.array(list("12345"))),
    "no scores": lambda: packed(content(), fold_scores=None),
    "rows are floats": lambda: packed(content(), held_out1=np.zeros(4)),
    "rows are negative": lambda: packed(content(), held_out1=np.array([-1])),
    "rows in a square": lambda: packed(content(), held_out1=np.eye(2, dtype=np.int64)),
    "no rows": lambda: packed(content(), held_out2=None),
    "no coefs of a fold": lambda: packed(content(), **{"fold1/coefs": None}),
    "other size of a fold": lambda: packed(content(), **{"fold0/coefs": np.zeros((6, 4))}),
    "no lambdas": lambda: packed(content(), **{"path/lambdas": None}),
    "common is no list": lambda: with_fold(common=3),
    "common is unknown": lambda: with_fold(common=["lambdas", "nothing"]),
    "common lists": lambda: with_fold(common=[["lambdas"]]),
    "unknown status": lambda: with_fold(statuses=["FINE"] * 5),
    "unknown family": lambda: with_fold(family="gausian"),
    "pickled rows": lambda: with_member(content(), "held_out0", npy(np.array([Bomb()] * 4))),
    "pickled fold": lambda: with_member(content(), "fold1/coefs", npy(np.array([Bomb()] * 4))),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_file_that_is_no_cross_validation_is_one_clear_error(case, tmp_path):
    file = tmp_path / "model.npz"
    file.write_bytes(HOSTILE[case]())
    with pytest.raises(ValueError, match=r"^CVPath\.load\('.*model\.npz'\): .*\.$") as caught:
        CVPath.load(file)
    assert "\n" not in str(caught.value)
    assert executed == []


def test_a_truncated_file_is_an_error_wherever_it_ends():
    whole = saved(make_cv())
    for length in range(0, len(whole) - 1, 997):
        with pytest.raises(ValueError, match=r"^CVPath\.load"):
            CVPath.load(io.BytesIO(whole[:length]))


def test_a_later_format_says_so():
    with pytest.raises(ValueError, match="format 2, this version of regpath reads up to 1"):
        CVPath.load(io.BytesIO(with_metadata(content(), schema=2)))

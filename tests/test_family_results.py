"""Results of every family: outputs, predictions, classes, tables and frames."""

import csv
import dataclasses
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from handmade import DENSE, NAMES, SEVERAL, SEVERAL_INTERCEPTS, make_path, make_several
from scipy.stats import norm

import regpath
from regpath import Path, Settings, Status, families
from regpath.cli import main

CLASSES = np.array(["blue", "green", "red"])


class Absolute(NamedTuple):
    """A loss of the user's own; nothing here calls it."""

    width: float

    def terms(self, y, eta):
        return 0.0, 0.0, 0.0

    def minimum(self, y):
        return 0.0


@pytest.fixture(params=["dense", "sparse"])
def path(request):
    return make_several(sparse=request.param == "sparse", classes=CLASSES)


@pytest.fixture(name="X")
def rows(rng):
    return rng.integers(-3, 4, size=(20, 4)).astype(float)


@pytest.fixture
def eta(X):
    """Linear predictors (n, K, L) in the plainest way."""
    return np.einsum("ij,kjl->ikl", X, SEVERAL) + SEVERAL_INTERCEPTS


# ---------------------------------------------------------------- several outputs


def test_coefficients_of_several_outputs(path):
    np.testing.assert_array_equal(path.coefs, SEVERAL)
    assert path.coefs_sparse.format == "csc"
    np.testing.assert_array_equal(path.coefs_sparse.toarray(), SEVERAL.reshape(12, 5))
    assert path.n_features == 4
    assert path.n_nonzero.tolist() == [0, 1, 2, 2, 3]
    with pytest.raises(ValueError, match="read-only"):
        path.coefs[...] = 0.0


def test_stored_zeros_of_one_output_do_not_hide_another():
    stored = sp.csc_array(SEVERAL.reshape(12, 5))
    first = stored.indptr[2]  # feature 1 of output 0, which stays non-zero for output 2
    stored.data[first] = 0.0
    path = make_path(stored, intercepts=SEVERAL_INTERCEPTS, n_outputs=3, family="multigaussian")
    assert path.n_nonzero.tolist() == [0, 1, 2, 2, 3]
    assert make_several(sparse=True).n_nonzero.tolist() == [0, 1, 2, 2, 3]


def test_interpolation_of_several_outputs(path):
    np.testing.assert_array_equal(path.coef_at(0.25), SEVERAL[..., 2])
    np.testing.assert_array_equal(path.intercept_at(0.25), SEVERAL_INTERCEPTS[:, 2])
    at = [0.75, 0.125]
    middle = SEVERAL[..., :2].mean(axis=-1)
    assert path.coef_at(at).shape == (3, 4, 2)
    np.testing.assert_allclose(path.coef_at(at)[..., 0], middle)
    np.testing.assert_allclose(path.coef_at(at)[..., 1], SEVERAL[..., 3])
    assert path.intercept_at(at).shape == (3, 2)
    np.testing.assert_allclose(path.intercept_at(at)[:, 0], SEVERAL_INTERCEPTS[:, :2].mean(axis=1))


def test_a_point_of_several_outputs(path):
    point = dataclasses.replace(path, feature_names=("a", "b", "c", "d")).at_df(2)
    assert (point.index, point.n_nonzero) == (3, 2)
    assert point.coef.shape == (3, 4)
    np.testing.assert_array_equal(point.intercept, SEVERAL_INTERCEPTS[:, 3])
    assert {name: values.tolist() for name, values in point.selected.items()} == {
        "a": [0.0, 0.5, 0.0],
        "b": [3.0, 0.0, -2.0],
    }
    np.testing.assert_array_equal(path.coefs[..., point], point.coef)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"intercepts": np.zeros(5)}, r"intercepts has shape \(5,\); it must be \(3, 5\)"),
        ({"intercepts": np.zeros((5, 3))}, r"it must be \(3, 5\)"),
        ({"n_outputs": 5, "intercepts": np.zeros((5, 5))}, r"must be \(5 \* p, L\)"),
        ({"n_outputs": 0}, "at least 1"),
        ({"feature_names": ("a",) * 12}, "12 feature names for 4 features"),
        ({"classes": ["a", "b"]}, r"classes has shape \(2,\); it must be \(3,\)"),
    ],
)
def test_outputs_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        make_several(**change)


def test_a_binomial_path_has_two_classes():
    with pytest.raises(ValueError, match=r"it must be \(2,\)"):
        make_path(family="binomial", classes=["a", "b", "c"])


def test_arrays_handed_in_are_copied():
    classes, strata = np.array(["a", "b", "c"]), np.array([1, 2, 1])
    options = {"ties": "breslow", "strata": strata}
    path = make_several(classes=classes)
    survival = make_path(family="cox", family_options=options)
    classes[:], strata[:] = "z", 0
    options["ties"] = "efron"
    assert path.classes.tolist() == ["a", "b", "c"]
    assert survival.family_options["strata"].tolist() == [1, 2, 1]
    assert survival.family_options["ties"] == "breslow"
    with pytest.raises(ValueError, match="read-only"):
        path.classes[0] = "z"


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_columns_of_y_name_the_responses(rng, library):
    frames = pytest.importorskip(library)
    make = frames.table if library == "pyarrow" else frames.DataFrame
    X = rng.standard_normal((20, 3))
    columns = {"height": X[:, 0] + rng.standard_normal(20), "weight": rng.standard_normal(20)}
    path = regpath.fit_path(X, make(columns), family="multigaussian", n_lambdas=4)
    assert path.response_names == tuple(path.output_labels) == ("height", "weight")
    plain = np.column_stack(list(columns.values()))
    assert regpath.fit_path(X, plain, family="multigaussian", n_lambdas=4).response_names is None
    options = {"family": "multigaussian", "cv": np.arange(20) % 3, "lambdas": [0.5, 0.1, 0.0]}
    cv = regpath.cv_path(X, make(columns), **options)
    assert {p.response_names for p in (cv.path, *cv.fold_paths)} == {("height", "weight")}
    refits = regpath.relax(path, X, make(columns))
    assert refits.blend(0.0).response_names == ("height", "weight")


def test_labels_of_outputs(path):
    assert list(path.output_labels) == ["blue", "green", "red"]
    assert list(make_several(family="multigaussian").output_labels) == ["y0", "y1", "y2"]
    named = make_several(family="multigaussian", response_names=("a", "b", "c"))
    assert list(named.output_labels) == ["a", "b", "c"]
    assert "3 responses ('a', 'b', 'c')" in repr(named)
    with pytest.raises(ValueError, match=r"response_names has 2 entries.*n_outputs is 3"):
        make_several(family="multigaussian", response_names=("a", "b"))
    with pytest.raises(ValueError, match=r"response_names has 1 entries.*n_outputs is None"):
        make_path(response_names=("a",))
    assert list(make_several(classes=[3, 5, 7]).output_labels) == ["3", "5", "7"]
    assert list(make_path().output_labels) == []


# ---------------------------------------------------------------- the family of a path


@pytest.mark.parametrize(
    "family",
    [
        families.Gaussian(),
        families.Binomial("probit"),
        families.Poisson(),
        families.Gamma(),
        families.Tweedie(1.2),
        families.Huber(0.5),
        families.Multinomial(grouped=True),
        families.MultiGaussian(),
        families.Cox("efron"),
        families.Custom(Absolute(2.0)),
    ],
    ids=lambda family: family.name,
)
def test_a_path_gives_its_family_back(family):
    assert make_path(family=family.name, family_options=family._asdict()).family_instance == family


def test_a_lost_loss_is_named_where_it_is_needed(rng):
    path = make_path(family="custom", family_options={"function": None, "function_repr": "Mine(1)"})
    with pytest.raises(ValueError, match=r"fitted with Mine\(1\), which is code.*replace\(path"):
        path.family_instance  # noqa: B018
    X, y = rng.standard_normal((3, 6)), np.zeros(3)
    np.testing.assert_allclose(path.predict(X), X @ DENSE + path.intercepts)
    with pytest.raises(ValueError, match="which is code"):
        path.certify(X, y)
    with pytest.raises(ValueError, match="which is code"):
        path.coef_at(0.3, exact=True, X=X, y=y)
    mended = dataclasses.replace(path, family_options={"function": Absolute(3.0)})
    assert mended.family_instance.loss() == Absolute(3.0)


def test_points_bounded_otherwise_are_ok():
    assert Status.KKT_BOUND.ok
    assert Status.SEPARATED.ok


# ---------------------------------------------------------------- predictions, one response


def logit(eta):
    return 1.0 / (1.0 + np.exp(-eta))


MEANS = [
    ("gaussian", {}, lambda eta: eta),
    ("huber", {"delta": 1.0}, lambda eta: eta),
    ("custom", {"function": Absolute(1.0)}, lambda eta: eta),
    ("binomial", {"link": "logit"}, logit),
    ("binomial", {"link": "probit"}, norm.cdf),
    ("poisson", {}, np.exp),
    ("gamma", {}, np.exp),
    ("tweedie", {"power": 1.5}, np.exp),
    ("cox", {"ties": "efron", "strata": None}, np.exp),
]


@pytest.mark.parametrize(("family", "options", "mean"), MEANS)
def test_means(family, options, mean, rng):
    path = make_path(family=family, family_options=options, intercepts=np.zeros(5))
    X = 0.2 * rng.standard_normal((20, 6))
    eta = X @ DENSE
    np.testing.assert_allclose(path.predict(X, type="link"), eta, atol=1e-12)
    np.testing.assert_allclose(path.predict(X), mean(eta), rtol=1e-9)
    np.testing.assert_allclose(path.predict(X, 0.25), mean(eta[:, 2]), rtol=1e-9)
    # The mean at a lambda between two points is that of the interpolated coefficients.
    np.testing.assert_allclose(path.predict(X, 0.75), mean(eta[:, :2].mean(axis=1)), rtol=1e-9)


@pytest.mark.parametrize(("family", "options", "mean"), MEANS)
def test_means_of_extreme_predictors_raise_no_warning(family, options, mean):
    path = make_path(family=family, family_options=options, intercepts=np.zeros(5))
    X = np.zeros((2, 6))
    X[:, 0] = 1e4, -1e4
    with np.errstate(all="raise"):
        high, low = path.predict(X, 0.25)
    limits = {"gaussian": (2e4, -2e4), "binomial": (1.0, 0.0)}
    limits |= dict.fromkeys(("huber", "custom"), limits["gaussian"])
    assert (high, low) == limits.get(family, (np.inf, 0.0))


@pytest.mark.parametrize("link", ["logit", "probit"])
@pytest.mark.parametrize("classes", [["no", "yes"], [-1, 1], [False, True], [0.5, 2.5]])
def test_classes_of_two(link, classes, rng):
    path = make_path(
        family="binomial",
        family_options={"link": link},
        classes=classes,
        intercepts=np.array([0.0, 1.0, -1.0, 0.5, 0.1]),
    )
    X = rng.standard_normal((30, 6))
    X[:, 0] = 0.0  # so that the first points have eta = intercept
    labels = path.predict(X, type="class")
    assert labels.shape == (30, 5)
    assert labels.dtype == np.asarray(classes).dtype
    np.testing.assert_array_equal(labels, np.asarray(classes)[(path.predict(X) > 0.5).astype(int)])
    assert set(labels[:, 0].tolist()) == {classes[0]}  # neither is more probable: the first
    np.testing.assert_array_equal(path.predict(X, 0.25, type="class"), labels[:, 2])


@pytest.mark.parametrize("family", ["gaussian", "poisson", "cox", "huber"])
def test_families_without_classes(family):
    with pytest.raises(ValueError, match=f"the {family} family has no classes; use type='resp"):
        make_path(family=family).predict(np.zeros((1, 6)), type="class")


def test_proportions_have_no_labels():
    with pytest.raises(ValueError, match="fitted on proportions and knows no labels"):
        make_path(family="binomial").predict(np.zeros((1, 6)), type="class")


def test_an_unknown_family_still_has_linear_predictors():
    path = make_path(family="later")
    assert path.predict(np.zeros((1, 6)), type="link").tolist() == [path.intercepts.tolist()]
    with pytest.raises(ValueError, match="'later' is unknown; use type='link'"):
        path.predict(np.zeros((1, 6)))


# ---------------------------------------------------------------- predictions, several outputs


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array, sp.csc_array, pd.DataFrame])
def test_linear_predictors_of_several_outputs(path, X, eta, form):
    np.testing.assert_allclose(path.predict(form(X), type="link"), eta, atol=1e-12)
    np.testing.assert_allclose(path.predict(form(X), 0.25, type="link"), eta[..., 2], atol=1e-12)
    between = path.predict(form(X), [0.75, 0.0625], type="link")
    assert between.shape == (20, 3, 2)
    np.testing.assert_allclose(between[..., 0], eta[..., :2].mean(axis=-1), atol=1e-12)
    np.testing.assert_allclose(between[..., 1], eta[..., 4], atol=1e-12)


def test_probabilities_of_several_classes(path, X, eta):
    expected = np.exp(eta) / np.exp(eta).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(path.predict(X), expected, rtol=1e-9)
    one = path.predict(X, 0.25)
    assert one.shape == (20, 3)
    np.testing.assert_allclose(one.sum(axis=1), 1.0)
    np.testing.assert_allclose(one, expected[..., 2], rtol=1e-9)
    with np.errstate(all="raise"):  # far beyond the range of exp
        far = path.predict(1e5 * X)
    assert np.isfinite(far).all()
    np.testing.assert_allclose(far.sum(axis=1), 1.0)


def test_the_most_probable_of_several_classes(path, X):
    labels = path.predict(X, type="class")
    assert labels.shape == (20, 5)
    np.testing.assert_array_equal(labels, CLASSES[path.predict(X).argmax(axis=1)])
    assert len(set(labels.ravel().tolist())) == 3
    np.testing.assert_array_equal(path.predict(X, 0.25, type="class"), labels[:, 2])
    assert path.predict(X, [0.25], type="class").shape == (20, 1)


def test_several_responses_are_their_linear_predictors(X, eta):
    path = make_several(family="multigaussian", family_options={})
    np.testing.assert_allclose(path.predict(X), eta, atol=1e-12)
    assert path.predict(X, 0.5).shape == (20, 3)
    with pytest.raises(ValueError, match="multigaussian family has no classes"):
        path.predict(X, type="class")


def test_offsets_of_several_outputs(X, eta, rng):
    path = make_several(settings=Settings(offset=np.ones((7, 3))))
    assert "offset=<7 x 3 values>" in repr(path.settings)
    offset = rng.standard_normal((20, 3))
    given = path.predict(X, type="link", offset=offset)
    np.testing.assert_allclose(given, eta + offset[:, :, None], atol=1e-12)
    same = path.predict(X, 0.25, type="link", offset=offset[:, 0])
    np.testing.assert_allclose(same, eta[..., 2] + offset[:, :1], atol=1e-12)
    with pytest.raises(ValueError, match=r"np.zeros\(\(n, 3\)\) for none"):
        path.predict(X)
    for wrong in (offset[:, :2], offset[:5], 1.0, offset[:, :1]):
        with pytest.raises(ValueError, match=r"it must be \(20, 3\)"):
            path.predict(X, offset=wrong)


# ---------------------------------------------------------------- text and frames


STRATA = np.array(["north", "south", "north"])
HEADERS = [
    (make_path(family="poisson"), ["Lasso path, poisson family: 6 features, 5 lambdas"]),
    (make_path(family="tweedie", family_options={"power": 1.5}), ["tweedie family (power=1.5)"]),
    (make_path(family="huber", family_options={"delta": 0.5}), ["huber family (delta=0.5)"]),
    (
        make_path(family="binomial", family_options={"link": "probit"}, classes=["no", "yes"]),
        ["binomial family (probit):", "probability of 'yes', with intercept"],
    ),
    (make_path(family="binomial", family_options={"link": "logit"}), ["binomial family: 6"]),
    (
        make_path(family="cox", family_options={"ties": "efron", "strata": STRATA}),
        ["cox family (efron ties, 2 strata):", "no intercept"],
    ),
    (
        make_path(family="custom", family_options={"function": Absolute(2.0)}),
        ["custom family (Absolute(width=2.0))"],
    ),
    (
        make_several(family_options={"grouped": True}, classes=[1, 2, 3]),
        ["multinomial family (grouped): 4 features, 3 classes (1, 2, 3), 5 lambdas"],
    ),
    (
        make_several(family="multigaussian", family_options={}),
        ["multigaussian family: 4 features, 3 responses, 5"],
    ),
]


@pytest.mark.parametrize(("path", "texts"), HEADERS, ids=lambda value: getattr(value, "family", ""))
def test_the_header_names_the_family(path, texts):
    head = path.summary().splitlines()[:2]
    for text in texts:
        assert text in "\n".join(head)
    assert repr(path).splitlines()[:2] == head


def test_the_table_counts_features_of_any_output(path):
    rows = [line.split() for line in path.summary().splitlines()[-5:]]
    assert [row[3] for row in rows] == ["0", "1", "2", "2", "3"]
    assert path.to_frame()["df"].tolist() == [0, 1, 2, 2, 3]


def test_separated_classes_are_explained():
    statuses = (Status.CONVERGED,) * 4 + (Status.SEPARATED,)
    text = make_path(family="binomial", statuses=statuses).summary()
    assert "every point reached tol" in text
    assert Status.SEPARATED.value in text


def test_frames_of_several_outputs(path):
    frame = path.to_frame("coefs")
    assert list(frame.columns[:2]) == ["output", "feature"]
    assert [float(name) for name in frame.columns[2:]] == path.lambdas.tolist()
    assert len(frame) == 3 * 5
    for k, label in enumerate(CLASSES):
        own = frame[frame["output"] == label].set_index("feature").iloc[:, 1:]
        assert own.index.tolist() == ["(intercept)", "x0", "x1", "x2", "x3"]
        np.testing.assert_array_equal(own.iloc[0], SEVERAL_INTERCEPTS[k])
        np.testing.assert_array_equal(own.iloc[1:], SEVERAL[k])


def test_cox_frames_have_no_intercept():
    frame = make_path(family="cox", names=NAMES).to_frame("coefs")
    assert frame["feature"].tolist() == list(NAMES)
    np.testing.assert_array_equal(frame.iloc[:, 1:], DENSE)


# ---------------------------------------------------------------- the command


@pytest.mark.parametrize("kind", ["response", "link", "class"])
def test_the_command_predicts_for_several_outputs(path, X, tmp_path, capsys, kind):
    model: Path = dataclasses.replace(path, feature_names=tuple("abcd"))
    model.save(tmp_path / "model.npz")
    pd.DataFrame(X, columns=list("abcd")).to_csv(tmp_path / "new.csv", index=False)
    command = ["predict", str(tmp_path / "model.npz"), str(tmp_path / "new.csv"), "--type", kind]

    assert main([*command, "--lambda-value", "0.25"]) == 0
    header, *rows = csv.reader(capsys.readouterr().out.splitlines())
    expected = model.predict(X, 0.25, type=kind)
    if kind == "class":
        assert header == ["prediction"]
        assert [row for (row,) in rows] == expected.tolist()
    else:
        assert header == ["blue", "green", "red"]
        np.testing.assert_array_equal(np.array(rows, dtype=float), expected)

    assert main(command) == 0
    header, *rows = csv.reader(capsys.readouterr().out.splitlines())
    expected = model.predict(X, type=kind)
    if kind == "class":
        assert header == ["1.0", "0.5", "0.25", "0.125", "0.0625"]
        np.testing.assert_array_equal(rows, expected)
    else:
        assert header[:6] == ["blue 1.0", "blue 0.5", *(f"blue {0.5**i}" for i in (2, 3, 4)),
                              "green 1.0"]  # fmt: skip
        table = np.array(rows, dtype=float)
        np.testing.assert_array_equal(table[:, header.index("green 0.125")], expected[:, 1, 3])


def test_the_command_refuses_another_type(tmp_path, capsys):
    make_path(names=NAMES).save(tmp_path / "model.npz")
    pd.DataFrame(np.zeros((2, 6)), columns=list(NAMES)).to_csv(tmp_path / "new.csv", index=False)
    command = ["predict", str(tmp_path / "model.npz"), str(tmp_path / "new.csv"), "--type", "odds"]
    assert main(command) != 0
    assert "type must be 'response', 'link' or 'class'" in capsys.readouterr().err

"""The commands `fit` and `predict` with every family: what is read, written and refused."""

import csv

import numpy as np
import pandas as pd
import pytest

import regpath
from regpath import families

N, NAMES = 60, ("a", "b", "c")
RNG = np.random.default_rng(7)
X = RNG.standard_normal((N, 3))
ETA = X[:, 0] - 0.5 * X[:, 1]
SPECIES = np.array(["ant", "bee", "cat"])[np.argmax(RNG.gumbel(size=(N, 3)) + X, axis=1)]
TIMES = np.ceil(20 * RNG.exponential(np.exp(-ETA))) / 10 + 0.1
EVENT = RNG.random(N) < 0.7
COLUMNS = {
    "number": ETA + RNG.standard_normal(N),
    "second": X[:, 2] + RNG.standard_normal(N),
    "answer": np.where(ETA + RNG.logistic(size=N) > 0, "yes", "no"),
    "coded": (ETA + RNG.logistic(size=N) > 0).astype(int),
    "count": RNG.poisson(np.exp(ETA)),
    "cost": RNG.gamma(2.0, np.exp(ETA)),
    "species": SPECIES,
    "time": TIMES,
    "event": EVENT,
    "entry": TIMES / 3,
}
SURVIVAL = np.column_stack([TIMES, EVENT])
# Name of the case: family, target, further options; family and response for the library.
CASES = {
    "text labels": ("binomial", "answer", [], "binomial", COLUMNS["answer"]),
    "coded labels": ("binomial", "coded", [], "binomial", COLUMNS["coded"]),
    "alias": ("logistic", "coded", [], "binomial", COLUMNS["coded"]),
    "probit": (
        "binomial", "coded", ["--option", "link=probit"],
        families.Binomial("probit"), COLUMNS["coded"],
    ),
    "poisson": ("poisson", "count", [], "poisson", COLUMNS["count"]),
    "gamma": ("gamma", "cost", [], "gamma", COLUMNS["cost"]),
    "tweedie": (
        "tweedie", "cost", ["--option", "power=1.2"], families.Tweedie(1.2), COLUMNS["cost"]
    ),
    "huber": ("huber", "number", [], "huber", COLUMNS["number"]),
    "multinomial": ("multinomial", "species", [], "multinomial", SPECIES),
    "grouped": (
        "multinomial", "species", ["--option", "grouped=true"],
        families.Multinomial(grouped=True), SPECIES,
    ),
    "multigaussian": (
        "multigaussian", "number,second", [], "multigaussian",
        np.column_stack([COLUMNS["number"], COLUMNS["second"]]),
    ),
    "cox": ("cox", "time", ["--event", "event"], "cox", SURVIVAL),
    "cox, entries": (
        "cox", "time", ["--event", "event", "--start", "entry", "--option", "ties=efron"],
        families.Cox("efron"), np.column_stack([TIMES / 3, SURVIVAL]),
    ),
}  # fmt: skip


@pytest.fixture
def run(run):
    """Run the command beside a file with all columns."""
    pd.DataFrame(X, columns=NAMES).assign(**COLUMNS).to_csv("d.csv", index=False)
    return run


def table(file):
    with open(file, newline="") as stream:
        return list(csv.reader(stream))


def fit(run, case, *options, command="fit"):
    family, target, own, _, _ = CASES[case]
    others = ",".join(COLUMNS)
    return run(
        command, "d.csv", "--family", family, "--target", target, "--exclude", others,
        "--n-lambdas", 6, "--lambda-min-ratio", 0.05, "--out", "out", *own, *options,
    )  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_command_fits_what_the_library_fits(run, case):
    code, out, err = fit(run, case)
    assert (code, err) == (0, [])
    assert "every point reached tol" in out
    _, _, _, family, y = CASES[case]
    reference = regpath.lasso_path(X, y, family=family, n_lambdas=6, lambda_min_ratio=0.05)
    path = regpath.Path.load("out/model.npz")
    np.testing.assert_allclose(path.coefs, reference.coefs, rtol=1e-9, atol=1e-12)
    assert (path.family, path.family_options) == (reference.family, reference.family_options)
    assert path.feature_names == NAMES
    with open("out/path.png", "rb") as stream:
        assert stream.read(4) == b"\x89PNG"

    head, *rows = table("out/coefs.csv")
    K = path.n_outputs or 1
    features = [*(["(intercept)"] if path.family != "cox" else []), *NAMES]
    if path.n_outputs is None:
        assert (head[0], [row[0] for row in rows]) == ("feature", features)
    else:
        labels = [(label, name) for label in path.output_labels for name in features]
        assert head[:2] == ["output", "feature"]
        assert [tuple(row[:2]) for row in rows] == labels
    last = np.array([row[-1] for row in rows], dtype=float).reshape(K, -1)[:, -3:]
    np.testing.assert_array_equal(last, path.coefs.reshape(K, 3, -1)[:, :, -1])


@pytest.mark.parametrize("command", ["fit", "cv"])
@pytest.mark.filterwarnings("ignore::regpath.SelectionWarning")
def test_responses_bear_the_names_of_their_columns(run, command):
    folds = ["--folds", 3, "--relax"] if command == "cv" else []
    code, out, _ = fit(run, "multigaussian", *folds, command=command)
    assert code == 0
    assert "2 responses ('number', 'second')" in out
    kind = regpath.Path if command == "fit" else regpath.CVPath
    model = kind.load("out/model.npz")
    paths = [model] if command == "fit" else [model.path, model.relaxed.path.path]
    paths += [] if command == "fit" else model.fold_paths
    assert {path.response_names for path in paths} == {("number", "second")}
    _, *rows = table("out/coefs.csv" if command == "fit" else "out/coefs_1se.csv")
    assert [row[0] for row in rows] == ["number"] * 4 + ["second"] * 4
    at = ["--lambda-value", model.lambdas[2]]
    run("predict", "out/model.npz", "d.csv", *at, "--out", "p.csv")
    head, *rows = table("p.csv")
    assert head == ["number", "second"]
    assert len(rows) == N


def test_one_target_of_several_and_one_twice(run):
    others = ",".join(COLUMNS)
    given = ["fit", "d.csv", "--family", "multigaussian", "--exclude", others, "--n-lambdas", 3]
    code, out, err = run(*given, "--target", "second")
    assert (code, err) == (0, [])
    assert "1 response ('second')" in out
    code, _, (line,) = run(*given, "--target", "number,second,number")
    assert code == 2
    assert "--target number,second,number: name every column once." in line


@pytest.mark.parametrize("case", CASES)
def test_predict_reads_every_model(run, case):
    fit(run, case)
    path = regpath.Path.load("out/model.npz")
    at = path.lambdas[3]
    for kind in ("response", "link"):
        code, _, err = run(
            "predict", "out/model.npz", "d.csv", "--lambda-value", at, "--type", kind,
            "--out", "p.csv",
        )  # fmt: skip
        assert (code, err) == (0, [])
        head, *rows = table("p.csv")
        assert head == (list(path.output_labels) or ["prediction"])
        expected = path.predict(X, at, kind).reshape(N, -1)
        np.testing.assert_allclose(np.array(rows, dtype=float), expected, rtol=1e-12)


@pytest.mark.parametrize("case", ["text labels", "coded labels", "multinomial"])
def test_predict_gives_the_labels_of_the_file(run, case):
    fit(run, case)
    _, out, _ = run("predict", "out/model.npz", "d.csv", "--lambda-value", 0.02, "--type", "class")
    head, *labels = out.split()
    path = regpath.Path.load("out/model.npz")
    assert head == "prediction"
    assert labels == [str(label) for label in path.predict(X, 0.02, "class")]
    assert set(labels) <= {str(label) for label in CASES[case][4]}


def test_labels_can_stand_beside_a_matrix(run):
    np.savez("d.npz", X=X, y=COLUMNS["answer"])
    code, out, _ = run("fit", "d.npz", "--family", "binomial", "--n-lambdas", 3)
    assert code == 0
    assert "probability of 'yes'" in out


def test_survival_columns_stay_out_of_the_features(run):
    drop = ",".join(name for name in COLUMNS if name not in ("time", "event", "entry"))
    code, out, _ = run(
        "fit", "d.csv", "--family", "cox", "--target", "time", "--event", "event",
        "--start", "entry", "--exclude", drop, "--n-lambdas", 3,
    )  # fmt: skip
    assert code == 0
    assert "3 features" in out


def test_an_offset_is_a_column(run):
    """Exposure of counts: no feature, and asked for again where the model predicts."""
    frame = pd.read_csv("d.csv").assign(exposure=np.log(1.0 + np.arange(N) % 3))
    frame.to_csv("d.csv", index=False)
    code, _, err = fit(run, "poisson", "--offset", "exposure")
    assert (code, err) == (0, [])
    offset, y = frame["exposure"].to_numpy(), COLUMNS["count"]
    reference = regpath.lasso_path(
        X, y, family="poisson", n_lambdas=6, lambda_min_ratio=0.05, offset=offset
    )
    path = regpath.Path.load("out/model.npz")
    assert path.feature_names == NAMES
    np.testing.assert_allclose(path.coefs, reference.coefs, rtol=1e-9, atol=1e-12)
    at = path.lambdas[3]
    predict = ["predict", "out/model.npz", "d.csv", "--lambda-value", at, "--out", "p.csv"]
    code, _, (line,) = run(*predict)
    assert code == 2
    assert "name its column with --offset" in line
    assert run(*predict, "--offset", "exposure")[0] == 0
    values = np.array(table("p.csv")[1:], dtype=float)[:, 0]
    np.testing.assert_allclose(values, path.predict(X, at, offset=offset), rtol=1e-12)


COX = ["--family", "cox", "--target", "time"]
MISTAKES = {
    "unknown family": (["--family", "weibull", "--target", "a"], "there is no such family"),
    "cox without events": (COX, "--event"),
    "text as event": ([*COX, "--event", "species"], "'species' (--event) is not numeric"),
    "no such offset": (["--target", "a", "--offset", "bb"], "no column 'bb' (--offset)"),
    "text as offset": (["--target", "a", "--offset", "species"], "(--offset) is not numeric"),
    "no such event": ([*COX, "--event", "evnt"], "did you mean 'event'?"),
    "events of 2": ([*COX, "--event", "a"], "neither 0 nor 1"),
    "starts too late": ([*COX, "--event", "event", "--start", "time"], "start < stop"),
    "event, not cox": (["--target", "a", "--event", "event"], "--event belongs to --family cox"),
    "start, not cox": (["--target", "a", "--start", "time"], "--start belongs to --family cox"),
    "negative counts": (["--family", "poisson", "--target", "a"], "values must be >= 0"),
    "zero costs": (["--family", "gamma", "--target", "count"], "values must be > 0"),
    "text as count": (["--family", "poisson", "--target", "species"], "is not numeric"),
    "three classes": (["--family", "binomial", "--target", "species"], "use multinomial"),
    "missing label": (["--family", "binomial", "--target", "gaps"], "'gaps' has 1 missing"),
    "several, gaussian": (["--target", "number,second"], "no column 'number,second'"),
    "several, one unknown": (["--family", "multigaussian", "--target", "a,z"], "no column 'z'"),
    "no such option": (["--target", "a", "--option", "power=1"], "it has none"),
    "no such value": (
        ["--family", "binomial", "--target", "coded", "--option", "link=log"], "link must be"
    ),
    "no number": (
        ["--family", "tweedie", "--target", "count", "--option", "power=x"], "must be a number"
    ),
    "no truth": (
        ["--family", "multinomial", "--target", "species", "--option", "grouped=1"],
        "must be true or false",
    ),
    "strata": ([*COX, "--event", "event", "--option", "strata=a"], "it has ties"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(run, case):
    frame = pd.read_csv("d.csv").assign(gaps=COLUMNS["answer"])
    frame.loc[3, "gaps"] = None
    frame.to_csv("d.csv", index=False)
    options, message = MISTAKES[case]
    code, out, err = run("fit", "d.csv", "--exclude", "answer,species,gaps", *options)
    assert (code, out) == (2, "")
    assert len(err) == 1
    assert err[0].startswith("regpath: ")
    assert message in err[0]


def test_classes_of_numbers_cannot_be_asked_for(run):
    fit(run, "poisson")
    code, _, (line,) = run("predict", "out/model.npz", "d.csv", "--type", "class")
    assert code == 2
    assert "has no classes" in line


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore::regpath.SelectionWarning")
def test_the_command_cross_validates_what_the_library_does(run, case):
    code, out, _ = fit(run, case, "--folds", 3, "--seed", 5, command="cv")
    assert code == 0
    assert "every point reached tol" in out
    _, _, _, family, y = CASES[case]
    reference = regpath.cv_path(
        X, y, cv=3, random_state=5, family=family, n_lambdas=6, lambda_min_ratio=0.05
    )
    cv = regpath.CVPath.load("out/model.npz")
    np.testing.assert_allclose(cv.mean_scores, reference.mean_scores, rtol=1e-9)
    assert cv.score_label == reference.score_label
    assert cv.score_label in out

    head, *rows = table("out/coefs_1se.csv")
    several = cv.path.n_outputs is not None
    assert head == [*(["output"] if several else []), "feature", "coefficient"]
    chosen = cv.at("1se")
    numbers = np.array([row[-1] for row in rows], dtype=float)
    if case.startswith("cox"):
        np.testing.assert_array_equal(numbers, chosen.coef)
    elif several:
        together = np.column_stack([chosen.intercept, chosen.coef])
        np.testing.assert_array_equal(numbers.reshape(together.shape), together)
        assert [row[0] for row in rows[::4]] == list(cv.path.output_labels)
    else:
        np.testing.assert_array_equal(numbers, [chosen.intercept, *chosen.coef])

"""The command `cv`: what is written, printed and refused, and how its models predict."""

import csv

import numpy as np
import pandas as pd
import pytest

import regpath
from regpath import CVPath, datasets

DATA = datasets.load_prostate()
FOLDS = np.array(["north", "south", "west"])[np.arange(97) % 3]


@pytest.fixture
def frame():
    return pd.DataFrame(DATA.X, columns=DATA.feature_names).assign(lpsa=DATA.y)


@pytest.fixture
def prostate(folder, frame):
    frame.assign(place=FOLDS, w=1 + np.arange(97) % 2).to_csv("d.csv", index=False)
    return ["d.csv", "--target", "lpsa", "--exclude", "place,w", "--n-lambdas", 20,
            "--lambda-min-ratio", 0.01]  # fmt: skip


def reference(**options):
    given = {"cv": 10, "random_state": 1, "n_lambdas": 20, "lambda_min_ratio": 0.01} | options
    return regpath.cv_path(DATA.X, DATA.y, **given)


def test_tables_picture_and_model_are_written(run, prostate, folder):
    code, out, err = run("cv", *prostate, "--out", "deep/results")
    assert (code, err) == (0, [])
    results = folder / "deep" / "results"
    files = {"cv.csv", "cv.png", "coefs_1se.csv", "model.npz"}
    assert {file.name for file in results.iterdir()} == files
    assert all(f"deep/results/{name}" in out for name in files)

    cv = reference()
    table = pd.read_csv(results / "cv.csv")
    folds = [f"fold_{k}" for k in range(10)]
    assert list(table.columns) == ["lambda", "df", "mean_score", "std_error", *folds]
    np.testing.assert_array_equal(table["lambda"], cv.lambdas)
    np.testing.assert_array_equal(table["df"], cv.path.n_nonzero)
    np.testing.assert_allclose(table["mean_score"], cv.mean_scores, rtol=1e-12)
    np.testing.assert_allclose(table["std_error"], cv.std_errors, rtol=1e-12)
    np.testing.assert_allclose(table[folds].T, cv.fold_scores, rtol=1e-12)

    with open(results / "coefs_1se.csv", newline="") as stream:
        head, *rows = csv.reader(stream)
    assert head == ["feature", "coefficient"]
    assert [name for name, _ in rows] == ["(intercept)", *DATA.feature_names]
    point = cv.at("1se")
    np.testing.assert_allclose(
        [float(b) for _, b in rows], [point.intercept, *point.coef], rtol=1e-9, atol=1e-12
    )
    assert (results / "cv.png").read_bytes().startswith(b"\x89PNG")
    model = CVPath.load(results / "model.npz")
    names = {path.feature_names for path in (model.path, *model.fold_paths)}
    assert names == {DATA.feature_names}


def test_the_rules_are_printed(run, prostate):
    _, out, _ = run("cv", *prostate)
    cv = reference()
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip()}
    for rule in ("min", "1se"):
        k = cv.index_at(rule)
        lambda_, score, _, df, position, *_ = rows[rule]
        assert float(lambda_) == pytest.approx(cv.lambdas[k], rel=1e-4)
        assert float(score) == pytest.approx(cv.mean_scores[k], rel=1e-4)
        assert (int(df), int(position)) == (cv.path.n_nonzero[k], k)
    assert "Lasso path, gaussian family: 8 features" in out
    assert "10 folds, mean squared error (smaller is better)" in out
    assert "--out DIR" in out


def test_nothing_is_written_without_out(run, prostate, folder):
    run("cv", *prostate)
    assert [file.name for file in folder.iterdir()] == ["d.csv"]


def test_the_same_seed_gives_the_same_folds(run, prostate):
    tables = []
    for seed in (4, 4, 5):
        run("cv", *prostate, "--seed", seed, "--out", "out")
        tables.append(pd.read_csv("out/cv.csv"))
    pd.testing.assert_frame_equal(tables[0], tables[1])
    assert not tables[0]["fold_0"].equals(tables[2]["fold_0"])


def test_options_reach_the_library(run, prostate):
    run(
        "cv", *prostate, "--weights", "w", "--l1-ratio", 0.5, "--no-standardize", "--scoring",
        "mae", "--folds", 4, "--seed", 3, "--rule", "min", "--tol", 1e-9,
        "--lambda-min-ratio", 1e-4, "--out", "out",
    )  # fmt: skip
    cv = CVPath.load("out/model.npz")
    expected = reference(
        cv=4, random_state=3, scoring="mae", l1_ratio=0.5, standardize=False, tol=1e-9,
        sample_weight=1 + np.arange(97) % 2, lambda_min_ratio=1e-4,
    )  # fmt: skip
    np.testing.assert_allclose(cv.mean_scores, expected.mean_scores, rtol=1e-9)
    assert cv.scoring == "mae"
    chosen = pd.read_csv("out/coefs_min.csv")["coefficient"]
    np.testing.assert_array_equal(chosen[1:], cv.at("min").coef)


def test_folds_of_a_column(run, prostate):
    code, out, err = run("cv", *prostate[:3], "--fold-column", "place", "--exclude", "w",
                         "--out", "out")  # fmt: skip
    assert (code, err[1:]) == (0, [])
    assert "3 folds" in out
    cv = CVPath.load("out/model.npz")
    assert cv.path.feature_names == DATA.feature_names
    assert [rows.tolist() for rows in cv.held_out] == [
        np.flatnonzero(place == FOLDS).tolist() for place in ("north", "south", "west")
    ]


def test_every_row_can_be_a_fold(run, prostate):
    _, out, _ = run("cv", *prostate, "--folds", "loo")
    assert "97 folds" in out
    assert "mean and standard error over single rows" in out


def test_a_model_predicts_by_a_rule_or_at_a_number(run, prostate):
    run("cv", *prostate, "--out", "out")
    cv = CVPath.load("out/model.npz")
    cases = {"1se": [], "min": ["--lambda-value", "min"], "2%": ["--lambda-value", "2%"]}
    for rule, options in cases.items():
        code, out, err = run("predict", "out/model.npz", "d.csv", *options)
        assert (code, err) == (0, [])
        predictions = np.array(out.split()[1:], dtype=float)
        np.testing.assert_array_equal(predictions, cv.predict(DATA.X, rule))
    _, out, _ = run("predict", "out/model.npz", "d.csv", "--lambda-value", 0.1)
    np.testing.assert_array_equal(np.array(out.split()[1:], dtype=float), cv.predict(DATA.X, 0.1))
    code, _, (line,) = run("predict", "out/model.npz", "d.csv", "--lambda-value", "best")
    assert code == 2
    assert "a rule is 'min', '1se'" in line


def test_an_offset_is_a_column(run, prostate):
    frame = pd.read_csv("d.csv").assign(shift=np.arange(97) / 97.0)
    frame.to_csv("d.csv", index=False)
    code, _, err = run("cv", *prostate, "--offset", "shift", "--out", "out")
    assert (code, err) == (0, [])
    cv = CVPath.load("out/model.npz")
    assert cv.path.feature_names == DATA.feature_names
    expected = reference(offset=frame["shift"])
    np.testing.assert_allclose(cv.mean_scores, expected.mean_scores, rtol=1e-9)
    code, _, (line,) = run("predict", "out/model.npz", "d.csv")
    assert code == 2
    assert "name its column with --offset" in line
    _, out, _ = run("predict", "out/model.npz", "d.csv", "--offset", "shift")
    predictions = np.array(out.split()[1:], dtype=float)
    np.testing.assert_array_equal(predictions, cv.predict(DATA.X, offset=frame["shift"]))


def test_a_model_of_fit_has_no_rules(run, prostate):
    run("fit", *prostate, "--out", "out")
    code, _, (line,) = run("predict", "out/model.npz", "d.csv", "--lambda-value", "1se")
    assert code == 2
    assert "--lambda-value 1se: it must be a number" in line


MISTAKES = {
    "no file": (["none.csv", "--target", "y"], "none.csv: there is no such file"),
    "no target": (["d.csv"], "--target"),
    "rule": (["--rule", "best"], "--rule best: it must be 1se or min"),
    "folds": (["--folds", "many"], "--folds many: it must be a whole number, or loo"),
    "one fold": (["--folds", "1"], "between 2 and the 97 rows"),
    "two schemes": (["--folds", "5", "--fold-column", "place"], "exclude each other"),
    "fold column": (["--fold-column", "plaec"], "no column 'plaec' (--fold-column)"),
    "scoring": (["--scoring", "auc"], "the gaussian family has no such score"),
    "family": (["--family", "weibull"], "weibull"),
    "l1_ratio": (["--l1-ratio", "2"], "cv_path(l1_ratio=2.0)"),
    "seed": (["--seed", "-1"], "--seed"),
    "out": (["--out", "d.csv"], "exists"),
    "one label": (["--fold-column", "same"], "at least 2 are needed"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(run, prostate, case):
    pd.read_csv("d.csv").assign(same=1).to_csv("d.csv", index=False)
    options, message = MISTAKES[case]
    given = ["d.csv", "--target", "lpsa", "--exclude", "place"]
    code, out, err = run("cv", *(options if case.startswith("no ") else given + options))
    assert (code, out) == (2, "")
    assert len(err) == 1
    assert err[0].startswith("regpath: ")
    assert message in err[0]


def test_a_warning_is_one_line(run, frame, prostate):
    code, out, err = run("cv", *prostate[:3], "--exclude", "place,w", "--lambda-min-ratio", 0.5)
    assert code == 0
    assert len(err) == 1
    assert err[0].startswith("regpath: warning: cv_path: the best mean squared error is at")
    assert "the score still improves at the smallest lambda: a smaller one may be better" in out


def test_an_interruption_leaves_no_traceback(run, prostate, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(regpath, "cv_path", interrupt)
    code, _, err = run("cv", *prostate)
    assert (code, err[-1]) == (130, "regpath: interrupted")
    assert not any("Traceback" in line for line in err)

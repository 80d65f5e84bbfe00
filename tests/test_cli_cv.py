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


def test_several_l1_ratios_are_compared_and_the_best_is_written(run, prostate, folder):
    code, out, err = run("cv", *prostate, "--l1-ratio", "0.2,1, 0.6", "--out", "out")
    assert (code, err) == (0, [])
    surface = reference(l1_ratio=[0.2, 1.0, 0.6])
    table = pd.read_csv("out/surface.csv")
    assert list(table.columns) == ["l1_ratio", "lambda", "mean_score", "std_error", "df"]
    assert table["l1_ratio"].tolist() == [r for r in (0.2, 1.0, 0.6) for _ in range(20)]
    np.testing.assert_array_equal(table["lambda"], surface.lambdas.ravel())
    np.testing.assert_allclose(table["mean_score"], surface.mean_scores.ravel(), rtol=1e-12)
    errors = np.concatenate([cv.std_errors for cv in surface.paths])
    np.testing.assert_allclose(table["std_error"], errors, rtol=1e-12)
    sizes = np.concatenate([cv.path.n_nonzero for cv in surface.paths])
    np.testing.assert_array_equal(table["df"], sizes)
    pd.testing.assert_frame_equal(surface.to_frame(), table)

    best = CVPath.load("out/model.npz")
    assert best.path.l1_ratio == surface.l1_ratio_min
    assert best.path.feature_names == best.fold_paths[0].feature_names == DATA.feature_names
    np.testing.assert_array_equal(pd.read_csv("out/cv.csv")["lambda"], surface.best.lambdas)
    chosen = pd.read_csv("out/coefs_1se.csv")["coefficient"]
    np.testing.assert_array_equal(chosen[1:], surface.at("1se").coef)
    assert (folder / "out" / "surface.png").read_bytes().startswith(b"\x89PNG")
    rows = [line.split() for line in out.splitlines()[2:5]]
    assert [float(row[0]) for row in rows] == [0.2, 1.0, 0.6]
    (marked,) = [row for row in rows if row[-1] == "best"]
    assert float(marked[0]) == surface.l1_ratio_min
    assert float(marked[1]) == pytest.approx(surface.lambda_min, rel=1e-4)


def test_blends_are_judged_written_and_predicted(run, prostate, folder):
    code, out, err = run("cv", *prostate, "--relax", "--rule", "min", "--out", "out")
    assert (code, err) == (0, [])
    relaxed = reference(relax=True).relaxed
    assert relaxed.gamma_min < 1.0  # a blend is better than the path itself
    table = pd.read_csv("out/relaxed.csv")
    pd.testing.assert_frame_equal(table, relaxed.to_frame(), rtol=1e-12)
    assert (folder / "out" / "relaxed.png").read_bytes().startswith(b"\x89PNG")
    chosen = pd.read_csv("out/coefs_min.csv")["coefficient"]
    point = relaxed.at("min")
    np.testing.assert_allclose(chosen, [point.intercept, *point.coef], rtol=1e-12)
    assert "Relaxed, 5 gammas from 0 to 1" in out
    model = CVPath.load("out/model.npz")
    for path in (model.relaxed.path, *model.relaxed.fold_paths):
        assert path.path.feature_names == DATA.feature_names

    cases = {"1se": [], "min": ["--lambda-value", "min"], "2%": ["--lambda-value", "2%"]}
    for rule, options in cases.items():
        code, out, err = run("predict", "out/model.npz", "d.csv", "--relaxed", *options)
        assert (code, err) == (0, [])
        predictions = np.array(out.split()[1:], dtype=float)
        np.testing.assert_array_equal(predictions, model.relaxed.predict(DATA.X, rule))
    code, _, (line,) = run("predict", "out/model.npz", "d.csv", "--relaxed", "--lambda-value", 0.1)
    assert code == 2
    assert "RelaxedCV.at('0.1'): a rule is 'min', '1se', a percentage such as '2%'" in line


def test_with_refits_the_best_blend_decides_on_the_l1_ratio(run, prostate):
    code, out, err = run("cv", *prostate, "--l1-ratio", "1,0.5", "--relax", "--out", "out")
    assert (code, err) == (0, [])
    surface = reference(l1_ratio=[1.0, 0.5], relax=True)
    assert f"With refits the best l1_ratio is {surface.relaxed.l1_ratio:g}." in out
    model = CVPath.load("out/model.npz")
    assert model.path.l1_ratio == surface.relaxed.l1_ratio != surface.l1_ratio_min
    chosen = pd.read_csv("out/coefs_1se.csv")["coefficient"]
    np.testing.assert_allclose(chosen[1:], surface.relaxed.at("1se").coef, rtol=1e-12)


@pytest.mark.parametrize("command", ["fit", "cv"])
def test_a_model_without_refits_has_no_blends(run, prostate, command):
    run(command, *prostate, "--out", "out")
    code, _, (line,) = run("predict", "out/model.npz", "d.csv", "--relaxed")
    assert code == 2
    assert "--relaxed: out/model.npz has no refits; regpath cv --relax makes such models" in line


def test_the_grid_is_extended(run, prostate):
    grid = ["--lambda-min-ratio", 0.5, "--out", "out"]
    code, out, err = run("cv", *prostate, "--extend", *grid)
    assert (code, err) == (0, [])
    cv = CVPath.load("out/model.npz")
    assert cv.lambdas.size > 20
    assert cv.lambdas[-1] < 0.25 * cv.lambdas[0]
    assert "still improves" not in out


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
    "family": (["--family", "weibull"], "cv_path(family='weibull'"),
    "l1_ratio": (["--l1-ratio", "2"], "cv_path(l1_ratio=2.0)"),
    "one of the l1_ratios": (["--l1-ratio", "1,2"], "cv_path(l1_ratio=2.0)"),
    "text l1_ratio": (["--l1-ratio", "1,ridge"], "--l1-ratio 1,ridge: it must be a number, or"),
    "empty l1_ratio": (["--l1-ratio", ","], "--l1-ratio ,: it must be a number, or several"),
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
    assert err[0].endswith("To do: pass a smaller --lambda-min-ratio, or --extend.")
    assert "the score still improves at the smallest lambda: a smaller one may be better" in out


def test_an_interruption_leaves_no_traceback(run, prostate, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(regpath, "cv_path", interrupt)
    code, _, err = run("cv", *prostate)
    assert (code, err[-1]) == (130, "regpath: interrupted")
    assert not any("Traceback" in line for line in err)

import csv
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import regpath
from regpath import datasets
from regpath._tables import DataError, read_table

DATA = datasets.load_prostate()


@pytest.fixture
def frame():
    return pd.DataFrame(DATA.X, columns=DATA.feature_names).assign(lpsa=DATA.y)


def table(file):
    with open(file, newline="") as stream:
        return list(csv.reader(stream))


def fitted(run, file, *options):
    code, out, err = run("fit", file, "--out", "out", *options)
    assert (code, err) == (0, [])
    assert "every point reached tol" in out
    return regpath.Path.load("out/model.npz")


# ---------------------------------------------------------------- fit: what is written


def test_fit_writes_tables_picture_and_model(run, frame, folder):
    frame.to_csv("prostate.csv", index=False)
    code, _out, err = run(
        "fit", "prostate.csv", "--target", "lpsa", "--n-lambdas", 30, "--out", "deep/results"
    )
    assert (code, err) == (0, [])
    results = folder / "deep" / "results"
    assert {file.name for file in results.iterdir()} == {
        "coefs.csv", "path.csv", "path.png", "model.npz",
    }  # fmt: skip
    reference = regpath.lasso_path(frame[list(DATA.feature_names)], DATA.y, n_lambdas=30)

    coefs = table(results / "coefs.csv")
    assert coefs[0][0] == "feature"
    np.testing.assert_array_equal([float(cell) for cell in coefs[0][1:]], reference.lambdas)
    assert [row[0] for row in coefs[1:]] == ["(intercept)", *DATA.feature_names]
    numbers = np.array([row[1:] for row in coefs[1:]], dtype=float)
    np.testing.assert_array_equal(numbers, np.vstack([reference.intercepts, reference.coefs]))

    path = pd.read_csv(results / "path.csv")
    assert list(path.columns) == [
        "lambda", "df", "dev_ratio", "objective", "dual_gap",
        "kkt_violation", "n_iter", "seconds", "status",
    ]  # fmt: skip
    np.testing.assert_array_equal(path["df"], reference.n_nonzero)
    np.testing.assert_array_equal(path["dev_ratio"], reference.dev_ratio)
    assert set(path["status"]) == {"converged"}

    assert (results / "path.png").read_bytes().startswith(b"\x89PNG")
    model = regpath.Path.load(results / "model.npz")
    np.testing.assert_array_equal(model.coefs, reference.coefs)
    assert model.feature_names == DATA.feature_names


def test_fit_prints_one_line_per_lambda(run, frame):
    frame.to_csv("prostate.csv", index=False)
    _, out, _ = run("fit", "prostate.csv", "--target", "lpsa", "--n-lambdas", 30)
    rows = [line.split() for line in out.splitlines() if line.rstrip().endswith("converged")]
    assert [row[0] for row in rows] == [str(i) for i in range(30)]
    assert rows[0][3] == "0"
    assert rows[-1][3] == "8"
    assert "--out DIR" in out


def test_nothing_is_written_without_out(run, frame, folder):
    frame.to_csv("prostate.csv", index=False)
    run("fit", "prostate.csv", "--target", "lpsa", "--n-lambdas", 3)
    assert [file.name for file in folder.iterdir()] == ["prostate.csv"]


def test_the_options_reach_the_solver(run, frame):
    frame.assign(w=np.arange(97) % 3).to_csv("prostate.csv", index=False)
    model = fitted(
        run, "prostate.csv", "--target", "lpsa", "--l1-ratio", 0.3, "--n-lambdas", 7,
        "--lambda-min-ratio", 0.01, "--no-intercept", "--no-standardize", "--weights", "w",
        "--exclude", "age, pgg45", "--tol", 1e-9, "--family", "gaussian",
    )  # fmt: skip
    kept = [name for name in DATA.feature_names if name not in ("age", "pgg45")]
    assert model.feature_names == tuple(kept)
    reference = regpath.enet_path(
        frame[kept],
        DATA.y,
        l1_ratio=0.3,
        n_lambdas=7,
        lambda_min_ratio=0.01,
        fit_intercept=False,
        standardize=False,
        sample_weight=np.arange(97) % 3,
        tol=1e-9,
    )
    np.testing.assert_array_equal(model.coefs, reference.coefs)
    assert not model.intercepts.any()
    assert model.settings.tol == 1e-9
    assert model.lambdas[-1] / model.lambdas[0] == pytest.approx(0.01)


def test_a_warning_is_one_line(run, frame, monkeypatch):
    def fit_path(*arguments, **options):
        warnings.warn("3 of 5 points\nmiss tol", UserWarning, stacklevel=2)
        return regpath.lasso_path(*arguments, n_lambdas=options["n_lambdas"])

    monkeypatch.setattr(regpath, "fit_path", fit_path)
    frame.to_csv("prostate.csv", index=False)
    code, _, err = run("fit", "prostate.csv", "--target", "lpsa", "--n-lambdas", 5)
    assert code == 0
    assert err == ["regpath: warning: 3 of 5 points miss tol"]


# ---------------------------------------------------------------- fit: kinds of files


def save_svmlight(file, **options):
    from sklearn.datasets import dump_svmlight_file

    dump_svmlight_file(DATA.X, DATA.y, file, **options)


def save_mixed_parquet(frame):
    frame.astype({"age": "int8", "svi": bool, "gleason": "Int64"}).to_parquet("d.parquet")


def save_sparse(X):
    parts = {"data": X.data, "indices": X.indices, "indptr": X.indptr, "shape": X.shape}
    np.savez("d.npz", y=DATA.y, **parts)


LETTERS = list("abcdefgh")
# Name of the case: file, target, and what writes it.
KINDS = {
    "csv": ("d.csv", "lpsa", lambda f: f.to_csv("d.csv", index=False)),
    "row names": ("d.csv", "lpsa", lambda f: f.to_csv("d.csv")),
    "semicolons": (
        "d.CSV", "lpsa", lambda f: f.to_csv("d.CSV", index=False, sep=";", encoding="utf-8-sig")
    ),
    "tabs": ("d.tsv", "lpsa", lambda f: f.to_csv("d.tsv", index=False, sep="\t")),
    "quoted names": (
        "d.csv", "lpsa",
        lambda f: f.rename(columns={"age": "age; in years; last", "svi": 'a "b"; c; d; e; f; g; h'})
        .to_csv("d.csv", index=False),
    ),
    "parquet": ("d.parquet", "lpsa", lambda f: f.to_parquet("d.parquet")),
    "mixed parquet": ("d.parquet", "lpsa", save_mixed_parquet),
    "npz": ("d.npz", None, lambda _: np.savez("d.npz", X=DATA.X, y=DATA.y)),
    "named npz": (
        "d.npz", "t", lambda _: np.savez("d.npz", X=DATA.X, t=DATA.y, feature_names=LETTERS)
    ),
    "npy": ("d.npy", "8", lambda f: np.save("d.npy", f.to_numpy())),
    "csc": ("d.npz", "y", lambda _: save_sparse(sp.csc_array(DATA.X))),
    "csr": ("d.npz", None, lambda _: save_sparse(sp.csr_array(DATA.X))),
    "svmlight": ("d.svm", None, lambda _: save_svmlight("d.svm", zero_based=False)),
    "zero-based": ("d.txt", "y", lambda _: save_svmlight("d.txt", zero_based=True)),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_gives_the_same_path_and_predictions(run, frame, kind):
    file, target, write = KINDS[kind]
    write(frame)
    options = [] if target is None else ["--target", target]
    model = fitted(run, file, "--n-lambdas", 8, *options)
    reference = regpath.lasso_path(DATA.X, DATA.y, n_lambdas=8)
    np.testing.assert_allclose(model.coefs, reference.coefs, atol=1e-8)
    assert model.n_features == 8

    at = model.lambdas[4]
    code, _, err = run("predict", "out/model.npz", file, "--lambda-value", at, "--out", "p.csv")
    assert (code, err) == (0, [])
    header, *rows = table("p.csv")
    assert header == ["prediction"]
    predictions = np.array(rows, dtype=float)[:, 0]
    np.testing.assert_allclose(predictions, reference.predict(DATA.X, at), atol=1e-8)


def test_a_square_sparse_array_can_name_its_format(run, rng):
    X = sp.random_array((12, 12), density=0.5, format="csr", rng=rng)
    parts = {"data": X.data, "indices": X.indices, "indptr": X.indptr, "shape": X.shape}
    np.savez("d.npz", format="csr", y=X @ np.ones(12), **parts)
    reference = regpath.lasso_path(X, X @ np.ones(12), n_lambdas=5)
    model = fitted(run, "d.npz", "--n-lambdas", 5)
    np.testing.assert_allclose(model.coefs, reference.coefs, atol=1e-8)


# ---------------------------------------------------------------- predict


@pytest.fixture
def model(run, frame):
    frame.to_csv("prostate.csv", index=False)
    return fitted(run, "prostate.csv", "--target", "lpsa", "--n-lambdas", 10)


def test_columns_are_found_by_name(run, frame, model):
    shuffled = frame.drop(columns="lpsa").iloc[:, ::-1].assign(note="text")
    shuffled.to_csv("new.csv", index=False)
    code, out, err = run("predict", "out/model.npz", "new.csv", "--lambda-value", 0.1)
    assert (code, err) == (0, [])
    predictions = np.array(out.split()[1:], dtype=float)
    np.testing.assert_array_equal(predictions, model.predict(DATA.X, 0.1))


def test_predictions_along_the_whole_path(run, model):
    run("predict", "out/model.npz", "prostate.csv", "--out", "all.csv")
    header, *rows = table("all.csv")
    np.testing.assert_array_equal(np.array(header, dtype=float), model.lambdas)
    np.testing.assert_array_equal(np.array(rows, dtype=float), model.predict(DATA.X))


def test_a_model_without_names_goes_by_the_order_of_the_columns(run, model):
    regpath.lasso_path(DATA.X, DATA.y, n_lambdas=10).save("plain.npz")
    np.save("new.npy", DATA.X)
    code, out, _ = run("predict", "plain.npz", "new.npy", "--lambda-value", 0.1)
    assert code == 0
    predictions = np.array(out.split()[1:], dtype=float)
    np.testing.assert_allclose(predictions, model.predict(DATA.X, 0.1), rtol=1e-12)


def test_a_model_of_zero_based_columns_reads_later_files_as_such(run):
    save_svmlight("d.txt", zero_based=True)
    model = fitted(run, "d.txt", "--n-lambdas", 5)
    # No row uses column 0, so the file alone cannot tell from where it counts.
    with open("new.txt", "w") as stream:
        stream.write("0 1:3.5 4:1\n0 2:60\n")
    _, out, _ = run("predict", "out/model.npz", "new.txt", "--lambda-value", model.lambdas[2])
    X = np.zeros((2, 8))
    X[0, [1, 4]] = 3.5, 1.0
    X[1, 2] = 60.0
    predictions = np.array(out.split()[1:], dtype=float)
    np.testing.assert_allclose(predictions, model.predict(X)[:, 2])


# ---------------------------------------------------------------- mistakes

MISTAKES = {
    "no file": (["fit", "none.csv", "--target", "y"], "none.csv: there is no such file"),
    "ending": (["fit", "d.doc", "--target", "y"], "unknown ending '.doc'"),
    "folder": (["fit", ".", "--target", "y"], "unknown ending"),
    "no target": (["fit", "prostate.csv"], "--target"),
    "target": (["fit", "prostate.csv", "--target", "lspa"], "did you mean 'lpsa'?"),
    "far off": (["fit", "prostate.csv", "--target", "Q"], "there are: lcavol, lweight"),
    "weights": (["fit", "prostate.csv", "--target", "lpsa", "--weights", "w"], "(--weights)"),
    "negative": (["fit", "prostate.csv", "--target", "lpsa", "--weights", "lcp"], "weights"),
    "exclude": (["fit", "prostate.csv", "--target", "lpsa", "--exclude", "agee"], "'age'"),
    "all out": (
        ["fit", "prostate.csv", "--target", "lpsa", "--exclude", ",".join(DATA.feature_names)],
        "no columns are left",
    ),
    "family": (["fit", "prostate.csv", "--target", "lpsa", "--family", "weibull"], "weibull"),
    "l1_ratio": (["fit", "prostate.csv", "--target", "lpsa", "--l1-ratio", "2"], "l1_ratio"),
    "no number": (["fit", "prostate.csv", "--target", "lpsa", "--tol", "x"], "--tol"),
    "out": (["fit", "prostate.csv", "--target", "lpsa", "--out", "prostate.csv"], "exists"),
    "text": (["fit", "text.csv", "--target", "lpsa"], "columns 'site', 'my id' are not numeric"),
    "text target": (["fit", "text.csv", "--target", "site"], "'site' (--target) is not numeric"),
    "missing": (["fit", "nan.csv", "--target", "lpsa"], "'age' has 2 missing"),
    "missing, nullable": (["fit", "nan.parquet", "--target", "lpsa"], "'gleason' has 1 missing"),
    "missing y": (["fit", "nan.csv", "--target", "age"], "fill them or drop the rows."),
    "no rows": (["fit", "head.csv", "--target", "a"], "no rows"),
    "empty": (["fit", "empty.csv", "--target", "a"], "cannot be read as csv"),
    "binary csv": (["fit", "binary.csv", "--target", "a"], "cannot be read as csv"),
    "bad parquet": (["fit", "bad.parquet", "--target", "a"], "cannot be read as parquet"),
    "bad npz": (["fit", "bad.npz"], "no npz archive"),
    "bad npy": (["fit", "bad.npy", "--target", "0"], "cannot be read as npy"),
    "bad svm": (["fit", "bad.svm"], "cannot be read as svm"),
    "objects": (["fit", "objects.npz"], "needs an array X"),
    "vector": (["fit", "vector.npy", "--target", "0"], "must be a matrix"),
    "text npz": (["fit", "words.npz"], "must be numeric"),
    "sparse nonsense": (["fit", "nonsense.npz"], "cannot be read as npz"),
    "no model": (["predict", "none.npz", "prostate.csv"], "no such file"),
    "not a model": (["predict", "words.npz", "prostate.csv"], "not a saved result"),
    "no command": (["fti"], "fti"),
    "no option": (["fit", "prostate.csv", "--targte", "lpsa"], "--targte"),
    "no argument": (["fit"], "DATA"),
}


def write_mistakes(frame):
    frame.to_csv("prostate.csv", index=False)
    frame.assign(**{"site": "a", "my id": "b"}).to_csv("text.csv", index=False)
    frame.assign(age=frame["age"].where(frame.index > 1)).to_csv("nan.csv", index=False)
    frame.astype({"gleason": "Int64"}).assign(
        gleason=lambda f: f["gleason"].where(f.index != 5)
    ).to_parquet("nan.parquet")
    contents = {
        "head.csv": b"a,b\n",
        "empty.csv": b"",
        "binary.csv": bytes(range(256)) * 9,
        "bad.parquet": b"PAR1",
        "bad.npz": b"PK no",
        "bad.npy": b"\x93NUMPY\x01",
        "bad.svm": b"1 a:b\n",
    }
    for name, content in contents.items():
        with open(name, "wb") as stream:
            stream.write(content)
    np.savez("objects.npz", X=np.array([[1, "a"]], dtype=object), y=np.zeros(1))
    np.savez("words.npz", X=np.array([["a"], ["b"]]), y=np.zeros(2))
    np.save("vector.npy", np.zeros(3))
    parts = {"data": np.ones(2), "indptr": np.array([0, 2, 2]), "shape": (3, 2)}
    np.savez("nonsense.npz", indices=np.array([0, 99]), y=np.zeros(3), **parts)


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(run, frame, case):
    write_mistakes(frame)
    arguments, message = MISTAKES[case]
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert len(err) == 1
    assert err[0].startswith("regpath: ")
    assert message in err[0]


def test_predict_names_missing_columns_and_the_range_of_lambda(run, frame, model):
    frame.drop(columns=["age", "svi"]).to_csv("new.csv", index=False)
    code, _, (line,) = run("predict", "out/model.npz", "new.csv", "--lambda-value", 0.1)
    assert code == 2
    assert "no columns 'age', 'svi'" in line
    code, _, (line,) = run("predict", "out/model.npz", "prostate.csv", "--lambda-value", 9)
    assert code == 2
    assert "outside of the path" in line


def test_the_advice_for_text_columns_works(run, frame):
    write_mistakes(frame)
    _, _, (line,) = run("fit", "text.csv", "--target", "lpsa")
    assert line.endswith("leave out with --exclude 'site,my id'.")
    model = fitted(run, "text.csv", "--target", "lpsa", "--exclude", "site,my id")
    assert model.feature_names == DATA.feature_names


def test_what_predict_advises_can_be_done(run, frame, model):
    frame.loc[3, "age"] = np.nan
    frame.to_csv("gap.csv", index=False)
    code, _, (line,) = run("predict", "out/model.npz", "gap.csv")
    assert code == 2
    assert "'age'" in line
    assert line.endswith("fill them or drop the rows.")
    frame.assign(age="old").to_csv("text.csv", index=False)
    code, _, (line,) = run("predict", "out/model.npz", "text.csv")
    assert code == 2
    assert line.endswith("'age' is not numeric; code as numbers.")


def test_an_array_of_another_length_is_named(run, frame):
    np.savez("d.npz", X=DATA.X, y=DATA.y[:-1])
    code, _, (line,) = run("fit", "d.npz")
    assert code == 2
    assert f"'y' (--target) has shape ({len(DATA.y) - 1},); X has {len(DATA.y)} rows." in line


def test_names_with_a_comma_can_be_excluded(run, frame):
    frame.assign(**{"a,b": "text"}).to_csv("d.csv", index=False)
    model = fitted(run, "d.csv", "--target", "lpsa", "--exclude", 'age,"a,b"', "--n-lambdas", 3)
    assert model.n_features == 7


@pytest.mark.parametrize(("module", "extra"), [("typer", "cli"), ("rich", "cli")])
def test_without_the_extra_it_is_named(run, monkeypatch, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    code, _, err = run("info")
    assert code == 2
    assert err == [f"regpath: {module} is not installed; run: pip install 'regpath[{extra}]'"]


@pytest.mark.parametrize(
    ("kind", "module", "extra"),
    [
        ("csv", "pandas", "cli"),
        ("parquet", "pyarrow", "cli"),
        ("svmlight", "sklearn.datasets", "sklearn"),
    ],
)
def test_a_reader_that_is_missing_is_named(run, frame, monkeypatch, kind, module, extra):
    file, _, write = KINDS[kind]
    write(frame)
    monkeypatch.setitem(sys.modules, module, None)
    code, _, (line,) = run("fit", file, "--target", "lpsa")
    assert code == 2
    assert line.endswith(f"pip install 'regpath[{extra}]'")


def test_an_interruption_leaves_no_traceback(run, monkeypatch, frame):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    frame.to_csv("prostate.csv", index=False)
    monkeypatch.setattr(regpath, "fit_path", interrupt)
    code, _, err = run("fit", "prostate.csv", "--target", "lpsa")
    assert (code, err[-1]) == (130, "regpath: interrupted")
    assert not any("Traceback" in line for line in err)


# ---------------------------------------------------------------- the other commands


def test_info_names_versions_threads_and_the_cache(run):
    code, out, _ = run("info")
    facts = {line.split()[0]: line.split()[1] for line in out.splitlines()}
    assert code == 0
    assert facts["regpath"] == regpath.__version__
    assert facts["numpy"] == np.__version__
    assert "processors" in out
    assert "compiled code" in out


def test_warmup_names_what_was_compiled(run, monkeypatch):
    def warmup(progress=None):
        for name in ("dense", "sparse"):
            progress(name)
        return ["dense", "sparse"]

    monkeypatch.setattr(regpath, "warmup", warmup, raising=False)
    code, out, _ = run("warmup")
    assert code == 0
    assert out.startswith("Compiled 2: dense, sparse\nKept in ")


def test_help_and_version(run):
    assert run("--version") == (0, f"regpath {regpath.__version__}\n", [])
    code, out, _ = run("fit", "--help")
    assert code == 0
    for option in ("--target", "--no-intercept", "--no-standardize", "--exclude", "--out"):
        assert option in out
    code, out, _ = run()
    assert "predict" in out


def test_the_package_runs_as_a_program(folder):
    done = subprocess.run(
        [sys.executable, "-m", "regpath", "fit", "none.csv", "--target", "y"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(regpath.__file__).parents[1])},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "regpath: none.csv: there is no such file.\n"


def test_columns_of_one_name_are_refused(tmp_path):
    """Spaces around names do not count: which column is meant would be a guess."""
    file = tmp_path / "twice.csv"
    file.write_text("a, a,y\n1,2,1\n2,1,3\n3,5,2\n")
    with pytest.raises(DataError, match=r"several columns have one name: 'a'; rename them"):
        read_table(file)

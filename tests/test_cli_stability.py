"""The command `stability`: what is written, printed and refused."""

import numpy as np
import pandas as pd
import pytest

import regpath
from regpath import datasets

DATA = datasets.load_prostate()


@pytest.fixture
def prostate(folder):
    frame = pd.DataFrame(DATA.X, columns=DATA.feature_names).assign(lpsa=DATA.y, w=1.0)
    frame.to_csv("d.csv", index=False)
    return ["d.csv", "--target", "lpsa", "--exclude", "w", "--n-lambdas", 12,
            "--lambda-min-ratio", 0.1, "--resamples", 20, "--seed", 3]  # fmt: skip


def reference(**options):
    given = {"n_resamples": 20, "random_state": 3, "n_lambdas": 12, "lambda_min_ratio": 0.1}
    return regpath.stability_path(DATA.X, DATA.y, **given | options)


def test_frequencies_and_picture_are_written(run, prostate, folder):
    code, out, err = run("stability", *prostate, "--out", "deep/out")
    assert (code, err) == (0, [])
    files = {"frequencies.csv", "stability.png"}
    assert {file.name for file in (folder / "deep" / "out").iterdir()} == files
    assert all(f"deep/out/{name}" in out for name in files)
    stable = reference()
    table = pd.read_csv("deep/out/frequencies.csv")
    assert table["feature"].tolist() == list(DATA.feature_names)
    np.testing.assert_array_equal(table["largest"], stable.largest())
    np.testing.assert_array_equal(np.array(table.columns[2:], float), stable.lambdas)
    np.testing.assert_array_equal(table.iloc[:, 2:], stable.frequencies)
    assert (folder / "deep/out/stability.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("threshold", [0.6, 0.95])
def test_stable_features_are_printed_the_most_frequent_first(run, prostate, threshold):
    _, out, _ = run("stability", *prostate, "--threshold", threshold)
    stable = reference()
    chosen = stable.selected(threshold)
    assert f"{chosen.size} of 8 features reach the frequency {threshold}" in out
    rows = [line.split() for line in out.splitlines()[3:-1]]
    names = [DATA.feature_names[j] for j in chosen]
    assert sorted(row[0] for row in rows) == sorted(names)
    frequencies = [float(row[1]) for row in rows]
    assert frequencies == sorted(frequencies, reverse=True)
    for name, frequency, lambda_ in rows:
        j = DATA.feature_names.index(name)
        assert float(frequency) == pytest.approx(stable.largest()[j], abs=0.005)
        k = int(np.argmin(np.abs(stable.lambdas - float(lambda_))))
        assert stable.frequencies[j, k] >= threshold
        assert (stable.frequencies[j, :k] < threshold).all()
    assert "--out DIR" in out


def test_sparse_frequencies_and_options_reach_the_library(run, folder, rng):
    X = rng.standard_normal((40, 200))
    y = 2.0 * X[:, 7] + X[:, 9] + rng.standard_normal(40)
    np.savez("d.npz", X=X, y=np.where(y > 0.0, "yes", "no"))
    options = {"n_lambdas": 8, "l1_ratio": 0.8, "lambda_min_ratio": 0.3}
    given = [a for name, v in options.items() for a in (f"--{name.replace('_', '-')}", v)]
    code, out, err = run(
        "stability", "d.npz", "--family", "binomial", "--resamples", 10, *given, "--out", "out"
    )
    assert (code, err) == (0, [])
    expected = regpath.stability_path(
        X, y > 0.0, family="binomial", n_resamples=10, random_state=1, **options
    )
    assert not isinstance(expected.frequency_storage, np.ndarray)
    table = pd.read_csv("out/frequencies.csv")
    np.testing.assert_array_equal(table.iloc[:, 2:], expected.frequencies)
    assert 7 in expected.selected()
    assert "x7" in out


MISTAKES = {
    "low threshold": (["--threshold", 0.5], "--threshold 0.5: it must be above 0.5"),
    "high threshold": (["--threshold", 1.5], "--threshold 1.5: it must be above 0.5, and 1 at"),
    "nan": (["--threshold", "nan"], "--threshold nan"),
    "ridge": (["--l1-ratio", 0], "ridge selects every feature"),
    "no resamples": (["--resamples", 0], "stability_path(n_resamples=0): it must be at least 1"),
    "target": (["--target", "psa"], "psa"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(run, prostate, case):
    options, message = MISTAKES[case]
    code, out, err = run("stability", *prostate, *options, "--out", "out")
    assert (code, out) == (2, "")
    assert len(err) == 1
    assert err[0].startswith("regpath: ")
    assert message in err[0]

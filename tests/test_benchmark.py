"""The comparison with other packages: problems, verification, solvers, report and command.

Solvers that are not installed are skipped; scikit-learn is there always.
"""

from __future__ import annotations

import csv
import os
import time
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

import regpath
from regpath import benchmark
from regpath.benchmark import CASES, SOLVERS, Peer, problem, problem_from
from regpath.benchmark.contract import needs
from regpath.benchmark.generators import stored
from regpath.benchmark.verify import Reference, dual_values, null_objective, objectives
from regpath.benchmark.worker import SolverError, Worker
from regpath.cli import main

TINY = {"scale": 0.01, "n_lambdas": 8}


def exact(stated):
    path = regpath.fit_path(stated.X, stated.y, tol=1e-12, **stated.options())
    assert all(status.ok for status in path.statuses)
    return path


# ---------------------------------------------------------------- problems


@pytest.mark.parametrize("name", CASES)
def test_a_case_is_reproducible_and_starts_at_the_null_model(name):
    first, again = (problem(name, **TINY) for _ in range(2))
    assert_array_equal(first.y, again.y)
    assert abs(first.X - again.X).max() == 0.0
    assert first.X.shape[0] == len(first.y)
    if first.family == "gaussian":
        assert first.y.std() == pytest.approx(1.0)
    assert np.all(np.diff(first.lambdas) < 0.0)
    ratio, fewest = CASES[name].ratio, TINY["n_lambdas"]
    assert first.lambdas[-1] / first.lambdas[0] == pytest.approx(ratio)
    assert first.lambdas.size == fewest
    if first.l1_ratio > 0.0:
        path = regpath.fit_path(first.X, first.y, **first.options())
        assert path.n_nonzero[0] == 0
        assert path.n_nonzero[1] > 0


def test_cases_shrink_and_ridge_shares_its_data_with_the_lasso():
    assert problem("wide", scale=0.02).X.shape == (30, 400)
    lasso, ridge = problem("tall", **TINY), problem("ridge-tall", **TINY)
    assert_array_equal(lasso.X, ridge.X)
    assert problem("sparse", **TINY).X.has_sorted_indices


def test_variants_hold_what_they_are_called_after():
    assert problem("wide-weights", **TINY).sample_weight is not None
    assert needs(problem("wide-limits", **TINY))[-1] == "coefficients >= 0"
    assert problem("wide-int8", **TINY).X.dtype == np.int8
    mapped = stored(problem("wide", **TINY).X, "mapped")
    assert isinstance(mapped, np.memmap)
    assert_array_equal(mapped, problem("wide", **TINY).X)


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
def test_own_data_is_scaled_and_constant_columns_are_left_out(rng, convert):
    X = rng.standard_normal((30, 4)) * [1.0, 50.0, 1e-3, 0.0] + [0.0, 1.0, 0.0, 2.0]
    stated = problem_from(convert(X), 7.0 * X[:, 1] + 3.0, n_lambdas=5)
    dense = stated.X.toarray() if sp.issparse(stated.X) else stated.X
    assert_allclose(dense.std(axis=0), np.ones(3))
    assert (stated.y.mean(), stated.y.std()) == (pytest.approx(0.0, abs=1e-12), pytest.approx(1.0))


def test_wrong_problems_are_refused(rng):
    with pytest.raises(ValueError, match="there are: wide"):
        problem("wade")
    with pytest.raises(ValueError, match="constant"):
        problem_from(rng.standard_normal((9, 2)), np.ones(9))
    with pytest.raises(ValueError, match="the benchmark knows gaussian, binomial"):
        replace(problem("prostate"), family="gamma")
    with pytest.raises(ValueError, match="only multinomial"):
        replace(problem("prostate"), grouped=True)


# ---------------------------------------------------------------- verification

VARIANTS = {
    "lasso": {},
    "net": {"l1_ratio": 0.3},
    "ridge": {"l1_ratio": 0.0},
    "weights": {"weights": True},
    "limits": {"limits": True},
    "factors": {"factors": True},
    "free": {"factors": True, "free": True},
    "all": {"l1_ratio": 0.5, "weights": True, "limits": True, "factors": True},
}


def variant(rng, *, sparse=False, weights=False, limits=False, factors=False, free=False, **other):
    """A small problem of unit variance with everything that is asked for."""
    n, p = 40, 12
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.5 if sparse else 1.0)
    y = X[:, :4] @ [1.0, -2.0, 0.5, 1.0] + rng.standard_normal(n)
    stated = problem_from(sp.csc_array(X) if sparse else X, y, n_lambdas=6, **other)
    factor = rng.uniform(0.4, 2.0, p)
    if free:
        factor[:2] = 0.0
    options = {
        "sample_weight": rng.uniform(0.2, 3.0, n) if weights else None,
        "penalty_factor": factor if factors else None,
        "lower": np.full(p, -0.2) if limits else None,
        "upper": np.full(p, 0.1) if limits else None,
    }
    return replace(stated, **options)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_the_objective_is_that_of_the_path_and_the_dual_is_just_below(rng, options, sparse):
    stated = variant(rng, sparse=sparse, **options)
    path = exact(stated)
    primal, dual = objectives(stated, path.coefs_sparse), dual_values(stated, path.coefs)
    null = null_objective(stated)
    assert_allclose(primal, path.objectives, rtol=1e-10)
    assert np.all(dual <= primal + 1e-15)
    assert_allclose(dual, primal, atol=1e-6 * null)
    rough = np.asarray(path.coefs) + 1e-2  # a bound for every point, not only for the optimum
    assert np.all(dual_values(stated, rough) <= primal + 1e-12)


def test_a_perturbed_coefficient_costs_what_it_must(rng):
    """At the null model, b_j = d adds d^2 x_j'x_j / 2 - d x_j'y + lambda |d|."""
    stated = variant(rng)
    coefs = np.zeros((12, 6))
    reference = Reference(stated)
    reference.learn(exact(stated).coefs, bound=True)
    assert reference.certified < 1e-10
    coefs[3, 0] = d = 0.05
    x, y = stated.X[:, 3] - stated.X[:, 3].mean(), stated.y
    cost = 0.5 * d * d * np.mean(x * x) - d * np.mean(x * y) + stated.lambdas[0] * d
    found = (reference.learn(coefs) - reference.primal)[0]
    assert found == pytest.approx(cost, rel=1e-8)


def test_a_path_that_is_short_or_breaks_limits_is_worth_nothing(rng):
    stated = variant(rng, limits=True)
    reference, coefs = Reference(stated), np.array(exact(stated).coefs)
    assert reference.worst(reference.learn(coefs)) == 0.0
    assert reference.worst(reference.learn(coefs[:, :4])) == np.inf
    coefs[0, 2] = 0.2
    assert reference.worst(reference.learn(coefs)) == np.inf
    with pytest.raises(ValueError, match="12 features"):
        objectives(stated, coefs[:5])


# ---------------------------------------------------------------- solvers

EVERY = {
    "lasso": {},
    "sparse": {"sparse": True},
    "net": {"l1_ratio": 0.4},
    "ridge": {"l1_ratio": 0.0},
    "sparse ridge": {"l1_ratio": 0.0, "sparse": True},
    "weights": {"weights": True},
    "weighted net": {"weights": True, "l1_ratio": 0.4},
    "weighted ridge": {"weights": True, "l1_ratio": 0.0},
    "factors": {"factors": True},
    "net with factors": {"factors": True, "l1_ratio": 0.4},
    "limits": {"limits": True},
    "positive": {"positive": True},
    "positive sparse net": {"positive": True, "sparse": True, "l1_ratio": 0.4},
}


@pytest.mark.filterwarnings("default")  # warnings of other packages are not ours
@pytest.mark.usefixtures("one_r")
@pytest.mark.parametrize("options", EVERY.values(), ids=EVERY)
@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_solves_the_problem_that_is_stated(rng, name, options):
    peer = SOLVERS[name]
    if peer.version() is None:
        pytest.skip(f"{name} is not installed")
    options = dict(options)
    positive = options.pop("positive", False)
    stated = variant(rng, **options)
    if positive:
        stated = replace(stated, lower=np.zeros(12))
    # A response of another variance and mean: some packages standardise it inside.
    stated = replace(stated, y=2.0 * stated.y + 5.0, lambdas=2.0 * stated.lambdas)
    reason = peer.refusal(stated)
    if reason is not None:
        assert reason.startswith(("does not take", "is for", "takes", "solves", "centres"))
        return
    reference = Reference(stated)
    reference.learn(exact(stated).coefs, bound=True)
    seconds, coefs = peer.run(stated, peer.ladder[-2])
    assert seconds > 0.0
    peer.release()
    assert coefs.shape == (12, 6)
    assert reference.worst(reference.learn(coefs)) < 1e-7


def test_glmnet_starts_r_and_says_what_r_says(rng, request):
    stated = variant(rng, sparse=True, factors=True)
    peer = SOLVERS["glmnet"]
    if peer.version() is None:
        pytest.skip("glmnet is not installed")
    _, alone = peer.run(stated, 1e-9)
    wrong = replace(stated, lambdas=-stated.lambdas)
    with pytest.raises(RuntimeError, match="lambdas should be non-negative"):
        peer.run(wrong, 1e-9)
    request.getfixturevalue("one_r")
    _, together = peer.run(stated, 1e-9)
    peer.release()
    assert_array_equal(alone.toarray(), together.toarray())


@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_says_what_it_does(name):
    peer = SOLVERS[name]
    assert peer.name == name
    assert peer.settings
    assert list(peer.ladder) == sorted(peer.ladder, reverse=True)
    stored_small = peer.refusal(problem("wide-int8", **TINY))
    assert name == "regpath" or "int8 X" in stored_small or stored_small.startswith("is for")


class Fake(Peer):
    name, package, ladder, settings = "fake", "numpy", (1e-3, 1e-4), "none"
    supports = SOLVERS["regpath"].supports


class Wrong(Fake):
    name = "wrong"

    def solve(self, problem, tol):
        return np.zeros((problem.X.shape[1], problem.lambdas.size))


class Short(Fake):
    name = "short"

    def solve(self, problem, tol):
        return np.zeros((problem.X.shape[1], 1))


class Raising(Fake):
    name = "raising"

    def solve(self, problem, tol):
        raise RuntimeError("no\nsolution")


class Dying(Fake):
    name = "dying"

    def solve(self, problem, tol):
        os._exit(7)


class Hanging(Fake):
    name = "hanging"

    def solve(self, problem, tol):
        if problem.lambdas.size > 3:  # not while it compiles on a corner of the problem
            time.sleep(60.0)
        print("this is no answer")
        return np.zeros((problem.X.shape[1], problem.lambdas.size))


class Absent(Fake):
    name, package = "absent", "no-such-distribution"


FAKES = (Wrong(), Short(), Raising(), Absent())


@pytest.fixture(scope="module")
def report():
    return benchmark.run(
        ["prostate", "ridge-tall"],
        solvers=["regpath", "sklearn", "celer", *FAKES],
        repeats=2,
        isolate=False,
        **TINY,
    )


def rows(report, case):
    return {row.solver: row for row in report.rows if row.case == case}


def test_good_solvers_reach_the_accuracy(report):
    for case in ("prostate", "ridge-tall"):
        found = rows(report, case)
        for name in ("regpath", "sklearn"):
            assert found[name].worst <= 1e-6
            assert len(found[name].seconds) == 2
            assert found[name].note == ""
        assert found["regpath"].ratio == 1.0
        assert found["sklearn"].ratio == found["sklearn"].fastest / found["regpath"].fastest
    assert all(case.certified < 1e-8 for case in report.cases)


def test_what_goes_wrong_is_a_note(report):
    found = rows(report, "prostate")
    assert found["wrong"].note == "MISSED"
    assert found["wrong"].tol == 1e-4  # the tightest
    assert found["wrong"].worst > 0.1
    assert found["short"].note.startswith("MISSED; 1 of 8 lambdas at tol=1e-03; ")
    assert found["raising"].note == "RuntimeError: no solution at tol=1e-03"
    assert found["absent"].note == "not installed"
    assert rows(report, "ridge-tall")["celer"].note in ("does not take ridge", "not installed")
    assert not found["raising"].seconds


def test_the_whole_ladder_and_tighter_accuracies():
    options = {"solvers": ["regpath", "sklearn"], "repeats": 1, "isolate": False, **TINY}
    (whole,) = benchmark.run(["prostate"], whole_ladder=True, **options).cases
    for row in whole.rows:
        assert len(row.ladder) == len(SOLVERS[row.solver].ladder)
        assert row.tol in [rung.tol for rung in row.ladder]
    (tight,) = benchmark.run(["prostate"], accuracy=1e-9, **options).cases
    assert all(row.worst <= 1.001e-9 for row in tight.rows)
    assert tight.rows[0].ladder[0].tol == pytest.approx(1e-9)


def test_unknown_names_are_refused_before_any_work():
    with pytest.raises(ValueError, match="no case 'wade'"):
        benchmark.run(["prostate", "wade"])
    with pytest.raises(ValueError, match="no solver 'glmet'; there are: regpath, glmnet"):
        benchmark.run(solvers=["glmet"])


def test_each_solver_has_its_process(report):
    steps = []
    found = benchmark.run(
        [problem("prostate", n_lambdas=8)],
        solvers=["sklearn", Dying(), Hanging()],
        repeats=1,
        limit=4.0,
        on_step=steps.append,
    )
    notes = {row.solver: row.note for row in found.rows}
    assert notes["sklearn"] == ""
    assert notes["dying"] == "its process ended with exit code 7 at tol=1e-03"
    assert notes["hanging"] == "stopped after 4 s at tol=1e-03"
    assert found.cases[0].certified < 1e-8  # by regpath, which does not take part
    assert "prostate: timing sklearn" in steps


def test_a_process_that_cannot_start_is_an_error(tmp_path):
    worker = Worker(Fake(), tmp_path / "none.pickle")
    with pytest.raises(SolverError, match="FileNotFoundError"):
        worker.run(1e-3, 5.0)
    worker.close()


# ---------------------------------------------------------------- report


def test_the_csv_holds_results_ladders_and_the_machine(report, tmp_path):
    report.to_csv(tmp_path / "bench.csv")
    with open(tmp_path / "bench.csv", newline="") as stream:
        lines = list(csv.DictReader(stream))
    results = [line for line in lines if line["kind"] == "result"]
    assert len(results) == len(report.rows)
    first = results[0]
    assert (first["case"], first["solver"]) == ("prostate", "regpath")
    assert float(first["min_seconds"]) == report.rows[0].fastest
    assert float(first["certified"]) == report.cases[0].certified
    assert first["numpy"] == np.__version__
    ladder = [line for line in lines if line["kind"] == "ladder"]
    assert len(ladder) == sum(len(row.ladder) for row in report.rows)


def test_the_picture_has_a_panel_per_case(report, tmp_path):
    figure = report.plot()
    panels = [axis for axis in figure.axes if axis.get_visible()]
    assert [axis.get_title(loc="left") for axis in panels] == ["prostate", "ridge-tall"]
    (legend,) = figure.legends
    assert {"regpath", "sklearn", "wrong"} <= {text.get_text() for text in legend.get_texts()}
    figure.savefig(tmp_path / "bench.png")
    assert (tmp_path / "bench.png").stat().st_size > 10_000


def test_the_report_prints_machine_settings_and_tables(report):
    text = str(report)
    assert "processor: " in text
    assert "sklearn: enet_path" in text
    assert "best known solution certified to" in text
    assert "MISSED" in text


# ---------------------------------------------------------------- command


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run ``regpath bench`` in an empty folder: exit code, stdout, lines of stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        code = main(["bench", *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out, err.splitlines()

    return call


def test_the_command_compares_on_own_data_and_writes(command, tmp_path):
    X, y, names, _ = regpath.datasets.load_prostate()
    np.savetxt("p.csv", np.c_[X, y], delimiter=",", header=",".join([*names, "lpsa"]), comments="")
    options = ("--data", "p.csv", "--target", "lpsa", "--solvers", "regpath,sklearn")
    code, out, err = command("diabetes", *options, "--quick", "--out", "deep/results")
    assert (code, err) == (0, [])
    assert "regpath 0" in out
    assert "sklearn" in out
    assert "diabetes: gaussian, 442 x 10" in out
    assert "p: gaussian, 97 x 8" in out
    assert {file.name for file in (tmp_path / "deep/results").iterdir()} == {
        "bench.csv", "bench.png",
    }  # fmt: skip


def test_the_command_prints_notes_below_the_table(command):
    code, out, _ = command("prostate", "--quick", "--solvers", "regpath,glmnet-cov,adelie-gram")
    assert code == 0
    assert "Nothing was written" in out
    assert "glmnet-cov: " in out.split("worst", 1)[1]


def test_the_command_lists_what_there_is(command):
    code, out, err = command("--list")
    assert (code, err) == (0, [])
    for name in (*CASES, *SOLVERS):
        assert name in out


MISTAKES = {
    "case": (["wade"], "there is no case 'wade'; there are: wide, "),
    "solver": (["--solvers", "regpath,glmet"], "there is no solver 'glmet'; there are: regpath, "),
    "file": (["--data", "none.csv"], "none.csv: there is no such file"),
    "target": (["--target", "y"], "--target, --family and --event belong to --data"),
    "family": (["--data", "none.csv", "--family", "gamma"], "the benchmark knows gaussian, "),
    "accuracy": (["--accuracy", "0"], "must be positive"),
    "repeats": (["--repeats", "0"], "--repeats"),
    "l1_ratio": (["--data", "none.csv", "--l1-ratio", "2"], "between 0 and 1"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(command, mistake):
    arguments, message = MISTAKES[mistake]
    code, _, err = command(*arguments)
    assert code == 2
    assert len(err) == 1
    assert message in err[0]

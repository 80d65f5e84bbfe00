"""The comparison of families other than gaussian: problems, verification, solvers.

Solvers that are not installed are skipped; scikit-learn is there always.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

import regpath
from regpath import benchmark
from regpath.benchmark import SOLVERS, problem, problem_from
from regpath.benchmark.contract import needs
from regpath.benchmark.generators import family_response
from regpath.benchmark.losses import LOSSES
from regpath.benchmark.verify import (
    Reference,
    dual_values,
    null_objective,
    objectives,
    unit_of,
)
from regpath.cli import main

TINY = {"scale": 0.01, "n_lambdas": 8}
FAMILIES = ("binomial", "poisson", "multinomial", "cox")
N, P, K = 80, 12, 3


def exact(stated, tol=1e-10):
    path = regpath.fit_path(stated.X, stated.y, tol=tol, **stated.options())
    assert path.dual_gaps.max() < 1e-9
    return path


def variant(rng, family, *, sparse=False, weights=False, limits=False, factors=False, **other):
    """A small problem of a family with everything that is asked for."""
    grouped, positive = other.pop("grouped", False), other.pop("positive", False)
    X = rng.standard_normal((N, P)) * (rng.random((N, P)) < 0.5 if sparse else 1.0)
    y = family_response(rng, X, 3, family, K)
    X = sp.csc_array(X) if sparse else X
    stated = problem_from(X, y, family=family, ratio=0.05, n_lambdas=6, **other)
    lower = np.full(P, 0.0 if positive else -0.1) if limits or positive else None
    return replace(
        stated,
        grouped=grouped,
        sample_weight=rng.uniform(0.2, 3.0, N) if weights else None,
        penalty_factor=rng.uniform(0.4, 2.0, P) if factors else None,
        lower=lower,
        upper=np.full(P, 0.1) if limits else None,
    )


# ---------------------------------------------------------------- problems


def test_responses_are_what_their_families_say():
    assert set(problem("logit-tall", **TINY).y) == {0.0, 1.0}
    counts = problem("pois-tall", **TINY).y
    assert_array_equal(counts, np.round(counts))
    assert counts.min() == 0.0
    assert set(problem("multinomial-tall", **TINY).y) == {0.0, 1.0, 2.0, 3.0}
    time, event = problem("cox-tall", **TINY).y.T
    assert time.min() > 0.0
    assert 0.2 < event.mean() < 0.8
    with pytest.raises(ValueError, match="no generator of 'gamma'"):
        family_response(np.random.default_rng(0), np.eye(3), 1, "gamma")


@pytest.mark.parametrize("name", ["logit-wide", "logit-sparse", "pois-tall"])
def test_families_share_the_designs_of_the_gaussian_cases(name):
    gaussian = problem(name.partition("-")[2], **TINY)
    assert abs(problem(name, **TINY).X - gaussian.X).max() == 0.0


def test_groups_of_classes_share_data_and_have_a_grid_of_their_own():
    plain, grouped = (
        problem("multinomial-wide", **TINY),
        problem("multinomial-wide-grouped", **TINY),
    )
    assert_array_equal(plain.X, grouped.X)
    assert_array_equal(plain.y, grouped.y)
    assert grouped.lambdas[0] > plain.lambdas[0]
    assert needs(grouped) == ["multinomial", "lasso", "groups of classes"]
    assert "multinomial (grouped), 30 x 50" in repr(grouped)


def test_data_sets_become_classes_and_counts():
    y = regpath.datasets.load_prostate()[1]
    logit, counts = problem("logit:prostate", n_lambdas=5), problem("pois:prostate", n_lambdas=5)
    assert_array_equal(logit.y, y > np.median(y))
    assert_array_equal(counts.y, np.round(y - y.min()))
    assert logit.lambdas[-1] / logit.lambdas[0] == pytest.approx(1e-3)


def test_labels_of_own_data_become_numbers(rng):
    X = rng.standard_normal((40, 3))
    labels = np.where(X[:, 0] > 0.0, "yes", "no")
    assert_array_equal(problem_from(X, labels, family="binomial").y, X[:, 0] > 0.0)
    counts = np.arange(40.0)
    assert_array_equal(problem_from(X, counts, family="poisson").y, counts)


@pytest.mark.parametrize(
    ("family", "y", "message"),
    [
        ("binomial", np.arange(9) % 3, "3 labels; binomial"),
        ("multinomial", np.ones(9), "1 labels; multinomial"),
        ("poisson", np.arange(9.0) - 1.0, "negative"),
        ("cox", np.arange(9.0), "time and event"),
    ],
)
def test_a_response_that_does_not_fit_is_refused(rng, family, y, message):
    with pytest.raises(ValueError, match=message):
        problem_from(rng.standard_normal((9, 2)), y, family=family)


def test_the_corner_of_a_problem_holds_rows_from_everywhere(rng):
    X = rng.standard_normal((300, 60))
    head = problem_from(X, np.arange(300) >= 200, family="binomial").head(rows=30, columns=5)
    assert head.X.shape == (30, 5)
    assert set(head.y) == {0.0, 1.0}


# ---------------------------------------------------------------- verification

VARIANTS = {
    "lasso": {},
    "net": {"l1_ratio": 0.3},
    "ridge": {"l1_ratio": 0.0},
    "weights": {"weights": True},
    "limits": {"limits": True},
    "factors": {"factors": True},
    "sparse": {"sparse": True},
    "all": {"l1_ratio": 0.5, "weights": True, "limits": True, "factors": True, "sparse": True},
}


def check(stated, path):
    primal, dual = objectives(stated, path.coefs_sparse), dual_values(stated, path.coefs_sparse)
    unit = unit_of(stated)
    assert_allclose(primal, path.objectives, rtol=1e-9, atol=1e-10 * unit)
    assert np.all(dual <= primal + 1e-13 * unit)
    assert_allclose(dual, primal, atol=1e-5 * unit)
    rough = path.coefs_sparse.toarray()
    rough[rough != 0.0] += 1e-2  # a bound for every point, not only for the optimum
    assert np.all(dual_values(stated, rough) <= primal + 1e-12 * unit)


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_objective_is_that_of_the_path_and_the_dual_is_just_below(rng, family, options):
    stated = variant(rng, family, **options)
    check(stated, exact(stated))


@pytest.mark.parametrize("l1_ratio", [1.0, 0.4, 0.0])
def test_groups_of_classes_are_verified(rng, l1_ratio):
    stated = variant(rng, "multinomial", grouped=True, l1_ratio=l1_ratio, factors=True)
    check(stated, exact(stated))


def test_features_without_penalty_are_verified_but_for_cox(rng):
    for family in FAMILIES:
        stated = variant(rng, family, factors=True)
        stated.penalty_factor[:2] = 0.0
        path = regpath.fit_path(stated.X, stated.y, **stated.options())
        reference = Reference(stated)
        reference.learn(path.coefs_sparse, bound=True)
        assert (reference.certified < 1e-6) == (family != "cox")
        assert reference.worst(objectives(stated, path.coefs_sparse)) == 0.0


@pytest.mark.parametrize("family", FAMILIES)
def test_residuals_and_intercepts_are_derivatives_and_minima(rng, family):
    stated = variant(rng, family, weights=True)
    if family == "cox":
        stated.y[:, 0] = np.ceil(10.0 * stated.y[:, 0])  # ties
    loss, w, y = LOSSES[family], stated.weights, stated.y
    eta, step = 2.0 * rng.standard_normal((N, loss.outputs(y), 2)), 1e-5
    eta += loss.intercept(y, eta, w)
    r = loss.residual(y, eta, w)
    if family != "cox":
        assert_allclose(np.einsum("i,ikl->kl", w, r), 0.0, atol=1e-12)
    for i, k in [(0, 0), (7, -1), (33, 0)]:
        up, down = eta.copy(), eta.copy()
        up[i, k] += step
        down[i, k] -= step
        slope = (loss.value(y, up, w) - loss.value(y, down, w)) / (2.0 * step)
        assert_allclose(slope, -w[i] * r[i, k], rtol=1e-5, atol=1e-8)
    assert np.all(loss.infimum(y, w) <= loss.value(y, eta, w))


def test_the_partial_likelihood_by_hand():
    y = np.array([[1.0, 1.0], [2.0, 0.0], [3.0, 1.0]])
    eta, w = np.log([2.0, 3.0, 5.0])[:, None, None], np.full(3, 1.0 / 3.0)
    expected = (np.log(10.0 / 3.0) - np.log(2.0) + np.log(5.0 / 3.0) - np.log(5.0)) / 3.0
    assert LOSSES["cox"].value(y, eta, w) == pytest.approx(expected)


def test_the_dual_of_the_partial_likelihood_closes_faster_than_linearly(rng):
    """At a multiple of 1 it is exact; ties keep it a bound."""
    y = np.column_stack([rng.exponential(size=20), rng.random(20) < 0.6])
    eta, w = rng.standard_normal((20, 1, 1)), rng.dirichlet(np.ones(20))
    loss = LOSSES["cox"]
    for times in (y[:, 0], np.ceil(3.0 * y[:, 0])):
        y[:, 0] = times
        r = loss.residual(y, eta, w)
        products = np.einsum("i,ikl,ikl->", w, r, eta)
        gaps = [
            loss.value(y, eta, w)[0] + s * products - loss.dual(y, eta, r, np.array([s]), w)[0]
            for s in (1.0, 0.99, 0.9, 0.0)
        ]
        assert gaps[0] == pytest.approx(0.0, abs=1e-12)
        assert 0.0 < 20.0 * gaps[1] < gaps[2] < gaps[3]


def test_the_unit_is_the_null_objective_or_half_the_null_deviance():
    for name in ("logit:diabetes", "multinomial-tall", "pois-tall"):
        stated = problem(name, **TINY)
        assert unit_of(stated) == null_objective(stated)
    counts = problem("pois:diabetes", n_lambdas=5)
    assert null_objective(counts) < 0.0
    for stated in (counts, problem("cox-wide", **TINY)):
        path = regpath.fit_path(stated.X, stated.y, **stated.options())
        assert unit_of(stated) == pytest.approx(path.null_deviance / (2 * len(stated.y)))


# ---------------------------------------------------------------- solvers

EVERY = {
    "lasso": {},
    "sparse": {"sparse": True},
    "net": {"l1_ratio": 0.4},
    "ridge": {"l1_ratio": 0.0},
    "sparse ridge": {"l1_ratio": 0.0, "sparse": True},
    "weights": {"weights": True},
    "weighted ridge": {"weights": True, "l1_ratio": 0.0},
    "factors": {"factors": True},
    "net with factors": {"factors": True, "l1_ratio": 0.4},
    "limits": {"limits": True},
    "positive": {"positive": True},
    "grouped": {"grouped": True},
    "grouped net": {"grouped": True, "l1_ratio": 0.4},
}
CAUSES = ("does not take", "is for", "takes", "does not apply")


@pytest.mark.filterwarnings("default")  # warnings of other packages are not ours
@pytest.mark.usefixtures("one_r")
@pytest.mark.parametrize("options", EVERY.values(), ids=EVERY)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_solves_the_problem_that_is_stated(rng, name, family, options):
    peer = SOLVERS[name]
    if peer.version() is None:
        pytest.skip(f"{name} is not installed")
    if options.get("grouped") and family != "multinomial":
        pytest.skip("only classes have groups")
    stated = variant(rng, family, **options)
    reason = peer.refusal(stated)
    if reason is not None:
        assert reason.startswith(CAUSES)
        return
    reference = Reference(stated)
    reference.learn(exact(stated).coefs_sparse, bound=True)
    seconds, coefs = peer.run(stated, peer.ladder[-2])
    peer.release()
    assert seconds > 0.0
    assert coefs.shape == (P * LOSSES[family].outputs(stated.y), 6)
    assert reference.worst(reference.learn(coefs)) < 1e-7


def test_a_report_of_several_families(tmp_path):
    report = benchmark.run(
        ["logit:prostate", "cox-tall", "multinomial-wide-grouped"],
        solvers=["regpath", "sklearn"],
        repeats=1,
        isolate=False,
        **TINY,
    )
    rows = {(row.case, row.solver): row for row in report.rows}
    assert all(rows[case.case, "regpath"].worst <= 1e-6 for case in report.cases)
    assert all(case.certified < 1e-8 for case in report.cases)
    assert rows["cox-tall", "sklearn"].note == "does not take cox"
    assert rows["logit:prostate", "sklearn"].worst <= 1e-6
    report.plot().savefig(tmp_path / "bench.png")


def test_a_reference_without_a_bound_says_so(rng):
    stated = variant(rng, "cox", factors=True)
    stated.penalty_factor[0] = 0.0
    (case,) = benchmark.run([stated], solvers=["regpath"], repeats=1, isolate=False).cases
    assert case.title.endswith("without a certificate")
    assert case.rows[0].worst <= 1e-6


def test_the_command_takes_a_family(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    X, y, names, _ = regpath.datasets.load_prostate()
    table = np.c_[X, y > 2.5, np.exp(y), np.arange(len(y)) % 3 > 0]
    header = ",".join([*names, "high", "time", "event"])
    np.savetxt("p.csv", table, delimiter=",", header=header, comments="")
    options = ["--solvers", "regpath", "--quick"]
    first = ["bench", "--data", "p.csv", "--target", "high", "--family", "binomial", *options]
    assert main(first) == 0
    assert "p: binomial, 97 x 10" in capsys.readouterr().out
    second = ["bench", "--data", "p.csv", "--target", "time", "--event", "event"]
    assert main([*second, "--family", "cox", *options]) == 0
    assert "p: cox, 97 x 9" in capsys.readouterr().out

"""`certify` for every family but gaussian, on coefficients that no solver of the package made."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import slow_families as slow
from certify_cases import CASES, FAMILIES, N, P, certified, points, problem_of, solved
from scipy import sparse

import regpath
from regpath import families
from regpath.diagnostics import certify

IDS = [f"{family}, {option}" for family, option in CASES]
EVERY = pytest.mark.parametrize(("family", "option"), CASES, ids=IDS)
EACH = pytest.mark.parametrize("family", FAMILIES)


def moved(problem, path, rng, size):
    """The path with its coefficients shrunk at random, and its intercepts shifted."""
    coefs = path.coef_storage * (1 - size * rng.random(path.coef_storage.shape))
    shift = size * rng.standard_normal(path.intercepts.shape) * problem.intercept
    return dataclasses.replace(path, coef_storage=coefs, intercepts=path.intercepts + shift)


def assert_same(found, expected, rtol=1e-9, atol=1e-12):
    for name in ("objectives", "dual_gaps", "kkt_violations", "dual_values"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=rtol, atol=atol, err_msg=name
        )


@EVERY
def test_gap_closes_at_the_solution(family, option):
    problem, path = solved(family, option)
    certificate = certified(family, option)
    assert certificate.dual_gaps.max() < 1e-9
    assert certificate.kkt_violations.max() < 1e-8
    assert (certificate.dual_gaps >= 0).all()
    expected = [slow.objective(problem, *point) for point in points(problem, path)]
    np.testing.assert_allclose(certificate.objectives, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("size", [1e-6, 1e-3, 0.3])
@EVERY
def test_gap_bounds_the_distance_to_the_optimum(rng, family, option, size):
    problem, best = solved(family, option)
    optimum = certified(family, option).objectives
    path = moved(problem, best, rng, size)
    certificate = certify(path, problem.X, problem.y)
    excess = certificate.objectives - optimum
    gaps = certificate.dual_gaps * certificate.null_objective
    assert (excess > 0).any()
    assert (gaps >= excess * (1 - 1e-9) - 1e-13).all()
    np.testing.assert_allclose(certificate.dual_values, certificate.objectives - gaps, atol=1e-13)
    # A useful bound, not only a valid one: it vanishes together with the step.
    assert (certificate.dual_gaps <= 100 * size).all()


@EACH
def test_gap_bounds_the_distance_of_any_point(rng, family):
    for option in ("lasso", "unpenalised", "everything"):
        problem, best = solved(family, option)
        optimum = certified(family, option).objectives
        excluded = np.isinf(problem.per_feature("penalty_factor", 1.0))
        for size in (0.01, 0.3, 3.0):
            coefs = size * rng.standard_normal((2, P, problem.K)) * ~excluded[:, None]
            intercepts = size * rng.standard_normal((2, problem.K)) * problem.intercept
            path = slow.make_path(problem, best.lambdas, intercepts, coefs)
            certificate = certify(path, problem.X, problem.y)
            gaps = certificate.dual_gaps * certificate.null_objective
            excess = certificate.objectives - optimum
            assert (gaps >= excess * (1 - 1e-9)).all()
            # s = 0 proves that no point is worse than its excess over the infimum.
            assert (gaps <= (certificate.objectives - slow.infimum(problem)) * (1 + 1e-6)).all()


@EACH
def test_null_half_deviance(family):
    for option in ("lasso", "no intercept", "offset", "weights"):
        problem = problem_of(family, option)
        empty = np.full(P, np.inf)
        null = dataclasses.replace(
            problem, settings={**problem.settings, "penalty_factor": empty, "standardize": False}
        )
        path, null_points = slow.best_path(null, [1.0])
        loss = slow.objective(null, 1.0, *null_points[0])
        found = certify(path, problem.X, problem.y)
        assert found.null_objective == pytest.approx(loss - slow.infimum(problem), rel=1e-6)
        assert found.objectives[0] == pytest.approx(loss, rel=1e-12)
        assert found.dual_gaps[0] < 1e-12


@EACH
def test_weights_are_replications(rng, family):
    if "efron" in family:
        pytest.skip("each of k tied events of Efron's has the mean weight: copies change k")
    problem, path = solved(family, "elastic net" if family == "logit" else "lasso")
    counts = rng.integers(0, 4, N)
    path = moved(problem, path, rng, 0.01)
    index = np.repeat(np.arange(N), counts)
    settings = dataclasses.replace(path.settings, sample_weight=counts.astype(float))
    options = dict(path.family_options)
    if "strata" in options:
        options["strata"] = options["strata"][index]
    weighted = certify(dataclasses.replace(path, settings=settings), problem.X, problem.y)
    copied = certify(
        dataclasses.replace(path, family_options=options), problem.X[index], problem.y[index]
    )
    assert_same(weighted, copied)
    assert weighted.null_objective == pytest.approx(copied.null_objective)
    assert weighted.dual_gaps.max() > 1e-6


@EACH
def test_rows_of_weight_zero_do_not_matter(rng, family):
    problem, path = solved(family, "everything")
    path = moved(problem, path, rng, 0.01)
    expected = certify(path, problem.X, problem.y)
    X, y = problem.X.copy(), problem.y.astype(float)
    X[0] = 1e300
    y[0] = 2 if problem.family == "multinomial" else np.nan
    found = certify(path, X, y)
    assert_same(found, expected, rtol=0, atol=0)


@EACH
def test_sparse_equals_dense(rng, family):
    problem, path = solved(family, "everything")
    path = moved(problem, path, rng, 0.01)
    X = problem.X * (rng.random((N, P)) < 0.5)
    expected = certify(path, X, problem.y)
    for convert in (sparse.csc_array, sparse.csr_matrix, sparse.coo_array):
        assert_same(certify(path, convert(X), problem.y), expected)


def test_sparse_is_never_densified(rng, monkeypatch):
    X = sparse.random_array((20, 5000), density=0.01, rng=rng, format="csc")
    y = rng.integers(0, 3, 20).astype(float)
    problem = slow.Problem(X, y, "poisson", {}, 1, 1.0, {})
    at = np.array([[np.log(y.mean())]])
    path = slow.make_path(problem, [10.0], at, np.zeros((1, 5000, 1)))
    original = sparse.csc_array.toarray

    def guarded(self, *args, **kwargs):
        assert self.shape != X.shape
        return original(self, *args, **kwargs)

    monkeypatch.setattr(sparse.csc_array, "toarray", guarded)
    assert certify(path, X, y).dual_gaps[0] == pytest.approx(0, abs=1e-15)


@EACH
def test_blocks_do_not_change_the_answer(rng, family, monkeypatch):
    problem, path = solved(family, "unpenalised")
    path = moved(problem, path, rng, 0.01)
    expected = certify(path, problem.X, problem.y)
    monkeypatch.setattr("regpath._certify_families.BLOCK_ENTRIES", 1)
    assert_same(certify(path, problem.X, problem.y), expected, rtol=1e-8)


@EACH
def test_infinite_lambda_and_lambda_zero(rng, family):
    problem = problem_of(family, "unpenalised")
    intercepts, coefs = slow.solve(problem, 1e6)
    path = slow.make_path(problem, [np.inf], intercepts[None], coefs[None])
    certificate = certify(path, problem.X, problem.y)
    assert (np.delete(coefs, [0, 3], axis=0) == 0).all()
    assert certificate.dual_gaps[0] < 1e-12
    assert certificate.kkt_violations[0] < 1e-9
    worse = certify(moved(problem, path, rng, 0.5), problem.X, problem.y)
    assert worse.dual_gaps[0] > 1e-4
    assert worse.kkt_violations[0] > 1e-4
    wrong = dataclasses.replace(path, coef_storage=path.coef_storage + 1)
    assert certify(wrong, problem.X, problem.y).dual_gaps[0] == np.inf

    bare = dataclasses.replace(problem, l1_ratio=1.0)
    path, _ = slow.best_path(bare, [0.0])
    certificate = certify(path, problem.X, problem.y)
    assert certificate.dual_gaps[0] < 1e-10
    worse = certify(moved(problem, path, rng, 0.01), problem.X, problem.y)
    excess = worse.objectives - certificate.objectives
    np.testing.assert_allclose(worse.dual_gaps * worse.null_objective, excess, rtol=1e-5)


@pytest.mark.parametrize("family", ["logit", "multinomial", "multigaussian", "efron", "huber"])
def test_what_is_left_of_a_free_feature_counts(family, rng, monkeypatch):
    """Without a refit a product beyond rounding has no dual value, and s = 0 is all there is."""
    problem, best = solved(family, "unpenalised")
    path = moved(problem, best, rng, 1e-3)
    refitted = certify(path, problem.X, problem.y)
    assert refitted.dual_gaps.max() < 0.05
    monkeypatch.setattr("regpath._certify_families.LARGEST_REFIT", 0)
    left = certify(path, problem.X, problem.y)
    assert left.dual_gaps.min() > 0.2
    assert (left.dual_gaps >= refitted.dual_gaps).all()


def test_what_is_left_of_the_intercept_counts(monkeypatch):
    problem, path = solved("logit", "lasso")
    monkeypatch.setattr(
        "regpath._certify_families.refit_intercept",
        lambda loss, w, eta: np.full((1, eta.shape[2]), 1e-6),
    )
    assert certify(path, problem.X, problem.y).dual_gaps.min() > 0.2


def test_impossible_points_have_no_certificate():
    for family, option in (("logit", "limits"), ("multinomial", "limits"), ("efron", "factors")):
        problem, path = solved(family, option)
        wrong = dataclasses.replace(path, coef_storage=path.coef_storage + 1)
        certificate = certify(wrong, problem.X, problem.y)
        for name in ("objectives", "dual_gaps", "kkt_violations"):
            assert (getattr(certificate, name) == np.inf).all()
    for family in ("logit", "multinomial"):
        problem, path = solved(family, "no intercept")
        wrong = dataclasses.replace(path, intercepts=path.intercepts + 0.1)
        assert (certify(wrong, problem.X, problem.y).dual_gaps == np.inf).all()


@pytest.mark.parametrize("family", ["multigaussian", "huber"])
@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e150])
def test_relative_gap_does_not_depend_on_the_scale_of_y(rng, family, scale):
    problem, path = solved(family, "lasso")
    path = moved(problem, path, rng, 0.01)
    expected = certify(path, problem.X, problem.y)
    options = dict(path.family_options)
    if "delta" in options:
        options["delta"] *= scale
    scaled = dataclasses.replace(
        path,
        coef_storage=path.coef_storage * scale,
        intercepts=path.intercepts * scale,
        lambdas=path.lambdas * scale,
        family_options=options,
    )
    found = certify(scaled, problem.X, problem.y * scale)
    np.testing.assert_allclose(found.dual_gaps, expected.dual_gaps, rtol=1e-6)
    np.testing.assert_allclose(found.kkt_violations, expected.kkt_violations, rtol=1e-9)


def free_features(kind, rng):
    """A family, X, y and options under which what is left of a free feature is hard to see."""
    X = rng.standard_normal((50, 100))
    eta = X[:, 0] - X[:, 1]
    free = np.ones(100)
    free[:3] = 0
    options = {"penalty_factor": free, "standardize": False, "n_lambdas": 30}
    if kind == "loss next to its infimum":
        y = np.column_stack([rng.exponential(np.exp(-eta)) + 0.01, rng.random(50) < 0.7])
        return "cox", X, y, options
    if kind == "units":
        options["penalty_factor"] = np.zeros(3)
        X = X[:, :3] * [1e-8, 1.0, 1e8]
        y = np.argmax(eta[:, None] * [1, 0, -1] + rng.gumbel(size=(50, 3)), axis=1)
        return families.Multinomial(grouped=True), X, y, {**options, "lambdas": [1.0, 0.1]}
    options["fit_intercept"] = False  # large products cancel
    return (
        "poisson",
        X[:, :10] + 1000,
        rng.poisson(np.exp(0.3 * eta)),
        {
            **options,
            "penalty_factor": np.r_[np.ones(3), 0, np.ones(6)],
            "offset": rng.standard_normal(50),
            "n_lambdas": 8,
        },
    )


@pytest.mark.parametrize("kind", ["loss next to its infimum", "units", "cancellation"])
@pytest.mark.parametrize("seed", range(3))
def test_free_features_are_refitted_down_to_rounding(kind, seed):
    family, X, y, options = free_features(kind, np.random.default_rng(seed))
    path = regpath.lasso_path(X, y, family=family, **options)
    assert path.dual_gaps.max() <= 1e-6
    assert path.certify(X, y).dual_gaps.max() <= 1.01e-6

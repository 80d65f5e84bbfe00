"""What R glmnet 4.1-6 answers, case by case: the files in data/glmnet.

glmnet solves, with v_j its penalty factors rescaled to sum to p and s_y the weighted 1/n standard
deviation of y - offset (root mean square without an intercept),

    loss + lambda alpha sum_j v_j s_j |b_j| + (lambda / s_y) (1 - alpha) / 2 sum_j v_j s_j^2 b_j^2

so its (lambda, alpha) is lambda' = lambda (alpha + (1 - alpha) / s_y), l1_ratio = lambda alpha /
lambda' here. It stops when coefficients move little, hence objectives are what is compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import glmnet_files
import naive
import numpy as np
import pytest

import regpath

NAMES = [name.removeprefix("gaussian-") for name in glmnet_files.names("gaussian")]
TOL = 1e-8
FINE = 1e-13
"""glmnet's own points are good to about 1e-12: coefficients need a path as exact as theirs."""


@dataclass(frozen=True, eq=False)
class Case:
    """A reference file, its problem in regpath's terms, and both answers."""

    reference: dict
    X: object
    options: dict
    lambdas: np.ndarray
    first: int
    problem: naive.Problem
    path: regpath.Path
    fine: regpath.Path

    def glmnet(self, key: str) -> np.ndarray:
        return self.reference[key][..., self.first :]


@cache
def load(name: str) -> Case:
    reference, X, settings, options = glmnet_files.read(f"gaussian-{name}")
    y = reference["y"]
    # The first lambda of a ridge path of glmnet is fitted at infinity, whatever it is called.
    first = 1 if settings["alpha"] == 0 else 0
    alpha = settings["alpha"]
    problem = naive.make_problem(X, y, **options)
    s_y = np.sqrt(2 * naive.null_objective(problem))
    factor_of_lambda = alpha + (1 - alpha) / s_y
    options["l1_ratio"] = alpha / factor_of_lambda
    lambdas = reference["lambdas"][first:] * factor_of_lambda
    path, fine = (
        regpath.fit_path(X, y, lambdas=lambdas, tol=tol, **options) for tol in (TOL, FINE)
    )
    problem = naive.with_l1_ratio(problem, options["l1_ratio"])
    return Case(reference, X, options, lambdas, first, problem, path, fine)


@pytest.fixture(params=NAMES)
def case(request) -> Case:
    return load(request.param)


def objectives(case: Case, intercepts, coefs) -> np.ndarray:
    points = zip(case.lambdas, intercepts, coefs.T, strict=True)
    return np.array([naive.objective(case.problem, *point) for point in points])


def test_all_files_are_here():
    assert len(NAMES) == 18


def test_the_whole_grid_is_certified(case):
    path = case.path
    np.testing.assert_array_equal(path.lambdas, case.lambdas)
    assert path.dual_gaps.max() <= TOL
    assert (path.dual_gaps >= 0).all()
    assert all(status is regpath.Status.CONVERGED for status in path.statuses)


def test_objective_is_never_above_that_of_glmnet(case):
    null = naive.null_objective(case.problem)
    theirs = objectives(case, case.glmnet("a0"), case.glmnet("beta"))
    ours = objectives(case, case.path.intercepts, case.path.coefs)
    assert ((ours - theirs) / null).max() <= 1e-7
    # glmnet is at the optimum too: were it far above, the translation would be wrong.
    assert ((theirs - ours) / null).max() <= TOL
    np.testing.assert_allclose(case.path.objectives, ours, rtol=1e-9)


def test_certify_agrees_with_what_the_solver_reports(case):
    path = case.path
    certificate = path.certify(case.X, case.reference["y"])
    assert certificate.dual_gaps.max() <= TOL
    assert certificate.null_objective == pytest.approx(naive.null_objective(case.problem))
    np.testing.assert_allclose(certificate.objectives, path.objectives, rtol=1e-9)
    # Both are upper bounds; the solver's may be the looser one, never the smaller by much.
    assert (certificate.dual_gaps <= path.dual_gaps * 1.01 + 1e-12).all()
    np.testing.assert_allclose(
        certificate.kkt_violations, path.kkt_violations, rtol=1e-2, atol=1e-7
    )


def test_deviance(case):
    np.testing.assert_allclose(case.fine.dev_ratio, case.glmnet("dev_ratio"), atol=1e-6)
    np.testing.assert_allclose(case.path.dev_ratio, case.glmnet("dev_ratio"), atol=2e-4)
    assert case.path.null_deviance == pytest.approx(case.reference["nulldev"], rel=1e-9)


def test_number_of_nonzeros(case):
    """Equal columns share a coefficient in any way they like: they are counted once."""
    _, same = np.unique(case.problem.X, axis=1, return_inverse=True)
    total = np.zeros((same.max() + 1, case.lambdas.size))
    theirs, ours = total.copy(), total.copy()
    np.add.at(theirs, same, case.glmnet("beta"))
    np.add.at(ours, same, case.fine.coefs)
    difference = (ours != 0).sum(axis=0) - (theirs != 0).sum(axis=0)
    assert (difference == 0).mean() >= 0.9
    assert np.abs(difference).max() <= 2


def condition(columns, l2) -> float:
    """Condition number of columns'columns + diag(l2)."""
    n, p = columns.shape
    if p <= n or np.ptp(l2) > 0.0:
        return np.linalg.cond(columns.T @ columns + np.diag(l2))
    # More columns than rows: the smallest eigenvalue is l2, and no p x p matrix is needed.
    return (np.linalg.norm(columns, 2) ** 2 + l2[0]) / max(l2[0], np.finfo(float).tiny)


def test_coefficients_where_the_problem_is_well_conditioned(case):
    ours, theirs = case.fine.coefs, case.glmnet("beta")
    columns = (case.problem.X - case.problem.weighted_mean) / case.problem.scale
    columns = columns * np.sqrt(case.problem.weights)[:, None]
    compared = 0
    for k, lambda_ in enumerate(case.lambdas):
        used = (ours[:, k] != 0) | (theirs[:, k] != 0)
        _, l2 = naive.strengths(case.problem, lambda_)
        if not used.any() or condition(columns[:, used], l2[used]) > 1e3:
            continue
        compared += 1
        scale = case.problem.scale[used]
        size = np.abs(scale * theirs[used, k]).max()
        difference = np.abs(scale * (ours[used, k] - theirs[used, k])).max()
        assert difference <= 1e-4 * size + 1e-7 * np.sqrt(naive.null_objective(case.problem))
    assert compared >= 5

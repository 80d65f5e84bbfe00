"""What R glmnet 4.1-6 answers for the families other than gaussian: the files in data/glmnet.

With v_j its penalty factors rescaled to sum to p, glmnet solves

    loss + lambda alpha sum_j v_j s_j |b_j| + lambda (1 - alpha) / 2 sum_j v_j s_j^2 b_j^2

(norms over the outputs in place of absolute values for grouped and mgaussian), so lambda and
l1_ratio = alpha are the same here. It stops when coefficients move little, hence objectives are
what is compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import glmnet_files
import numpy as np
import pytest
import slow_families as slow
from scipy import sparse

import regpath
from regpath import Status

FAMILIES = ("binomial", "cox", "mgaussian", "multinomial", "poisson")
NAMES = glmnet_files.names(*FAMILIES)
TOL = 1e-8
FINE = 1e-12
"""For comparing deviances and counts: at TOL a point may trade some loss for penalty."""


@dataclass(frozen=True, eq=False)
class Case:
    """A reference file, its problem in the words of the slow twins, and the call that solves it."""

    reference: dict
    X: object
    options: dict
    lambdas: np.ndarray
    first: int
    problem: slow.Problem

    def glmnet(self, key: str) -> np.ndarray:
        return self.reference[key][..., self.first :]

    def objectives(self, intercepts, coefs) -> np.ndarray:
        """Of intercepts (L,) or (K, L) and coefficients (p, L) or (K, p, L)."""
        K, L = self.problem.K, self.lambdas.size
        a0 = np.broadcast_to(intercepts, (K, L))
        B = coefs.reshape(K, -1, L)
        return np.array(
            [
                slow.objective(self.problem, self.lambdas[k], a0[:, k], B[:, :, k].T)
                for k in range(L)
            ]
        )


@cache
def load(name: str) -> Case:
    reference, X, answer, settings = glmnet_files.read(name)
    family = answer["family"]
    y = np.column_stack([reference["time"], reference["status"]]) if family == "cox" else None
    y = reference["y"] if y is None else y
    grouped = answer.get("type.multinomial") == "grouped"
    K = len(reference["beta"]) if reference["beta"].ndim == 3 else 1
    problem = slow.Problem(
        X.toarray() if sparse.issparse(X) else X,
        y,
        "multigaussian" if family == "mgaussian" else family,
        {"grouped": True} if grouped else {},
        K,
        answer["alpha"],
        settings,
    )
    # The first lambda of a ridge path of glmnet is fitted at infinity, whatever it is called.
    first = 1 if answer["alpha"] == 0 else 0
    call = {
        "family": regpath.families.Multinomial(grouped=True) if grouped else family,
        "l1_ratio": answer["alpha"],
        **settings,
    }
    return Case(reference, X, call, reference["lambdas"][first:], first, problem)


@cache
def solved(name: str, tol: float) -> regpath.Path:
    case = load(name)
    return regpath.fit_path(case.X, case.problem.y, lambdas=case.lambdas, tol=tol, **case.options)


every_case = pytest.mark.parametrize("name", NAMES)

# Where glmnet stops early (thresh = 1e-11, not 1e-14): how far its objectives are above the
# optimum, relative to the null model, and what that makes of its deviances.
EARLY = {
    "mgaussian-tecator_nir-enet": (1e-7, 2e-5),
    "mgaussian-tecator_nir-lasso": (5e-5, 4e-4),
    "multinomial-cell_segmentation-enet": (1e-9, 4e-7),
    "multinomial-cell_segmentation-grouped": (1e-9, 3e-6),
    "multinomial-cell_segmentation-lasso": (1e-9, 4e-7),
}


def half_null_deviance(case: Case) -> float:
    weights = case.reference.get("weights", np.ones(len(case.problem.X)))
    return float(case.reference["nulldev"]) / 2 / weights.sum()


def test_all_files_are_here():
    assert len(NAMES) == 23
    assert {name.partition("-")[0] for name in NAMES} == set(FAMILIES)


@every_case
def test_the_whole_grid_is_certified(name):
    case, path = load(name), solved(name, TOL)
    np.testing.assert_array_equal(path.lambdas, case.lambdas)
    assert path.dual_gaps.max() <= TOL
    assert (path.dual_gaps >= 0).all()
    reached = Status.CONVERGED
    assert set(path.statuses) == {reached}


@every_case
def test_objective_is_never_above_that_of_glmnet(name):
    case, path = load(name), solved(name, TOL)
    null = half_null_deviance(case)
    ours = case.objectives(path.intercepts, path.coefs)
    theirs = case.objectives(
        case.glmnet("a0") if "a0" in case.reference else 0.0, case.glmnet("beta")
    )
    assert ((ours - theirs) / null).max() <= TOL
    # glmnet is at the optimum too: were it far above, the translation would be wrong.
    assert ((theirs - ours) / null).max() <= EARLY.get(name, (TOL, None))[0]
    np.testing.assert_allclose(path.objectives, ours, rtol=1e-9)


def rounding_of_squares(case: Case, path: regpath.Path) -> np.ndarray:
    """What gaps of a least-squares path may be off by: n roundings of a sum of n squares.

    Residuals are differences of y and of terms that are as large as the l1 norm together, which is
    hundreds of times their sum where columns are nearly collinear.
    """
    X, null = case.problem.X, half_null_deviance(case)
    norms = np.einsum("j,jl->l", X.std(axis=0), np.linalg.norm(path.coefs, axis=0))
    return len(X) * np.finfo(float).eps * (norms + np.sqrt(2 * null)) ** 2 / null


@every_case
def test_certify_agrees_with_what_the_solver_reports(name):
    case, path = load(name), solved(name, TOL)
    certificate = path.certify(case.X, case.problem.y)
    assert certificate.dual_gaps.max() <= TOL
    assert certificate.null_objective == pytest.approx(half_null_deviance(case), rel=1e-9)
    np.testing.assert_allclose(certificate.objectives, path.objectives, rtol=1e-9)
    # Two upper bounds; the solver's may be the looser one, never the smaller but for rounding.
    rounding = rounding_of_squares(case, path) if name.startswith("mgaussian") else 1e-11
    assert (certificate.dual_gaps <= path.dual_gaps * 1.001 + rounding).all()


@every_case
def test_deviance(name):
    case, path, fine = load(name), solved(name, TOL), solved(name, FINE)
    expected = case.glmnet("dev_ratio")
    exact = EARLY.get(name, (None, 2e-7))[1]
    np.testing.assert_allclose(fine.dev_ratio, expected, rtol=0, atol=exact)
    # With a gap g, deviance and penalty trade up to sqrt(g) = 1e-4 of the null deviance.
    np.testing.assert_allclose(path.dev_ratio, expected, rtol=0, atol=exact + 1e-4)
    assert path.null_deviance == pytest.approx(float(case.reference["nulldev"]), rel=1e-9)


@every_case
def test_number_of_nonzeros_where_solutions_are_unique(name):
    """Columns that depend on each other (equal ones, dummies) share coefficients as they like."""
    case, fine = load(name), solved(name, FINE)
    K, p, L = case.problem.K, case.problem.X.shape[1], case.lambdas.size
    columns = (case.problem.X - case.problem.X.mean(axis=0)) / case.problem.X.std(axis=0)
    ours, theirs = fine.coefs.reshape(K, p, L), case.glmnet("beta").reshape(K, p, L)
    either = (ours != 0).any(axis=0) | (theirs != 0).any(axis=0)
    compared = differ = 0
    for k in range(L):
        used = columns[:, either[:, k]]
        if case.problem.l1_ratio < 1 or np.linalg.matrix_rank(used) == used.shape[1]:
            compared += 1
            differ += fine.n_nonzero[k] != case.glmnet("df")[k]
    assert compared >= 10
    # At a lambda where a feature enters, one side may have it and the other not.
    assert differ <= (0 if name not in EARLY else 0.25 * compared)

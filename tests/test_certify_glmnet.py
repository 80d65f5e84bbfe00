"""Solutions of R glmnet, certified as they are: an outside check of every formula and unit."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path as File

import numpy as np
import pytest
import slow_families as slow
from scipy import sparse

from regpath.diagnostics import certify

FOLDER = File(__file__).parent / "data" / "glmnet"

# Case: bound of the relative gap over the whole path. A lasso is certified by scaling the residuals
# down until no product exceeds lambda, so its gap is of the first order in the KKT violation, which
# is 0.05 to 0.1 where glmnet stops early (multinomial and tecator at their last lambdas). With a
# ridge term nothing is scaled, and the gap is of the second order. No solution is really off by
# that much: the objectives lie within 1e-9 (tecator: 4e-5) of the optimum.
CASES = {
    "binomial-saheart-enet": 1e-9,
    "binomial-saheart-enet-factors": 1e-9,
    "binomial-saheart-lasso": 1e-6,
    "binomial-saheart-lasso-nonneg": 1e-6,
    "binomial-saheart-lasso-offset": 1e-6,
    "binomial-saheart-lasso-raw-nointercept": 3e-6,
    "binomial-saheart-lasso-weights": 1e-6,
    "binomial-saheart-ridge": 1e-12,
    "binomial-w8a-sparse-lasso": 1e-6,
    "cox-veteran_lung-enet": 1e-8,
    "cox-veteran_lung-lasso": 3e-6,
    "cox-veteran_lung-ridge-weights": 1e-12,
    "mgaussian-tecator_nir-enet": 1e-6,
    "mgaussian-tecator_nir-lasso": 1e-3,
    "multinomial-cell_segmentation-enet": 1e-6,
    "multinomial-cell_segmentation-grouped": 1e-2,
    "multinomial-cell_segmentation-lasso": 1e-2,
    "poisson-nmes_physician_visits-enet": 1e-8,
    "poisson-nmes_physician_visits-lasso": 1e-7,
    "poisson-nmes_physician_visits-offset-weights": 1e-7,
    "poisson-nmes_physician_visits-ridge": 1e-12,
}


def read(name):
    """X, y, the path and the file of a case; its translation is that of the reference's README."""
    with np.load(FOLDER / f"{name}.npz") as file:
        case = dict(file)
    options = json.loads(str(case["options"]))
    family = {"mgaussian": "multigaussian"}.get(options["family"], options["family"])
    if "X" in case:
        X = case["X"]
    else:
        parts = (case["X_data"], case["X_indices"], case["X_indptr"])
        X = sparse.csc_array(parts, shape=case["X_shape"])
    y = np.column_stack([case["time"], case["status"]]) if family == "cox" else case["y"]
    coefs = case["beta"].reshape(-1, X.shape[1], case["lambdas"].size)
    intercepts = case.get("a0", np.zeros(coefs.shape[2])).reshape(-1, coefs.shape[2])
    settings = {key: case[key] for key in ("offset", "lower", "upper") if key in case}
    settings["sample_weight"] = case.get("weights")
    settings["standardize"] = options.get("standardize", True)
    settings["fit_intercept"] = options.get("intercept", True)
    if "pf" in case:
        factors = case["pf"]
        total = np.where(np.isinf(factors), 1, factors).sum()
        settings["penalty_factor"] = factors * factors.size / total
    grouped = {"grouped": True} if options.get("type.multinomial") == "grouped" else {}
    problem = slow.Problem(X, y, family, grouped, coefs.shape[0], options["alpha"], settings)
    classes = np.unique(y) if family in ("binomial", "multinomial") else None
    path = slow.make_path(problem, case["lambdas"], intercepts.T, coefs.transpose(2, 1, 0), classes)
    return X, y, path, case


@pytest.mark.parametrize("name", CASES)
def test_gaps_of_glmnet_are_small(name):
    X, y, path, case = read(name)
    certificate = certify(path, X, y)
    # glmnet fits the first point of a ridge path at lambda = infinity.
    gaps = certificate.dual_gaps[int(path.l1_ratio == 0) :]
    assert gaps.max() < CASES[name]
    assert gaps[: gaps.size // 2].max() < 1e-4
    weight = case["weights"].sum() if "weights" in case else X.shape[0]
    null_deviance = 2 * weight * certificate.null_objective
    assert null_deviance == pytest.approx(float(case["nulldev"]), rel=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_deviances_of_glmnet_follow_from_the_objectives(name):
    X, y, path, case = read(name)
    certificate = certify(path, X, y)
    dense = X.toarray() if sparse.issparse(X) else X
    problem = slow.Problem(
        dense,
        y,
        path.family,
        path.family_options,
        path.n_outputs or 1,
        path.l1_ratio,
        {
            "sample_weight": path.settings.sample_weight,
            "standardize": path.settings.standardize,
            "penalty_factor": path.settings.penalty_factor,
        },
    )
    coefs = path.coefs.reshape(problem.K, dense.shape[1], -1)
    at = np.arange(0, path.lambdas.size, 7)
    penalties = [slow.penalty(problem, path.lambdas[k], coefs[:, :, k].T) for k in at]
    loss = certificate.objectives[at] - penalties
    # At the first lambda the loss is that of the null model (glmnet's ridge: at infinity).
    expected = loss[0] - (case["dev_ratio"][at] - case["dev_ratio"][0]) * certificate.null_objective
    np.testing.assert_allclose(loss, expected, rtol=1e-7, atol=1e-9)


def test_the_certificate_notices_other_units():
    """The same numbers read with another l1_ratio, lambda or weight are no solution."""
    X, y, path, _ = read("binomial-saheart-lasso-weights")
    good = certify(path, X, y).dual_gaps[1:]
    assert certify(path, X, y, sample_weight=np.ones(len(y))).dual_gaps[50] > 1e3 * good.max()
    for change in ({"lambdas": path.lambdas * 1.01}, {"l1_ratio": 0.99}):
        worse = certify(dataclasses.replace(path, **change), X, y).dual_gaps
        assert worse[50] > 10 * good.max()

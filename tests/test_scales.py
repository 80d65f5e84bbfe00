"""Columns of very unlike length and place: what is solved, and what a certificate says of it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

import regpath
from regpath import Status
from regpath.solvers import spectral

STORAGES = {"dense": np.asfortranarray, "sparse": sparse.csc_array}
storages = pytest.mark.parametrize("storage", STORAGES)


def responses(rng, signal):
    """A response of every family whose ridge paths have a solver of their own."""
    two = np.stack([signal, rng.standard_normal(signal.size) - signal], axis=1)
    return {
        "binomial": signal > 0.0,
        "poisson": rng.poisson(np.exp(np.clip(0.5 * signal, -3.0, 3.0))),
        "multinomial": np.digitize(signal, [-1.0, 1.0]),
        "multigaussian": two,
    }


class TestRidge:
    @storages
    @pytest.mark.parametrize("shape", [(60, 2), (60, 6), (20, 40)])
    @pytest.mark.parametrize("large", [1e2, 1e5, 1e7])
    def test_gaussian(self, rng, storage, shape, large):
        """Beside one normal equation for columns of unit length, which loses nothing."""
        n, p = shape
        Z = rng.standard_normal((n, p))
        y = Z[:, :2] @ [1.0, 2.0] + rng.standard_normal(n)
        lengths = np.where(np.arange(p) % 2, 0.05, large)
        lambdas = np.array([1.0, 1e-2, 1e-4])
        X = STORAGES[storage](Z * lengths)
        path = regpath.ridge_path(X, y, standardize=False, lambdas=lambdas)
        assert set(path.statuses) == {Status.CONVERGED}
        assert path.certify(X, y).dual_gaps.max() <= 1e-6
        centred, right = Z - Z.mean(axis=0), y - y.mean()
        for k, lambda_ in enumerate(lambdas):
            normal = centred.T @ centred / n + np.diag(lambda_ / lengths**2)
            root = 1.0 / np.sqrt(np.diag(normal))
            exact = root * np.linalg.solve(
                normal * np.outer(root, root), root * (centred.T @ right) / n
            )

            def objective(b, lambda_=lambda_):
                loss = 0.5 * np.mean((right - centred @ b) ** 2)
                return loss + 0.5 * lambda_ * np.sum((b / lengths) ** 2)

            ours = objective(path.coefs[:, k] * lengths)
            assert ours <= objective(exact) + 1e-6 * objective(0.0 * exact)

    @pytest.mark.parametrize("family", ["binomial", "poisson", "multinomial", "multigaussian"])
    @pytest.mark.parametrize("large", [1e2, 1e4, 1e5, 1e7])
    def test_families(self, rng, family, large):
        """Wide X, which is rotated where that loses nothing."""
        n, p = 50, 80
        Z = rng.standard_normal((n, p))
        signal = Z[:, :2] @ [1.0, 2.0] + Z[:, 40:42] @ [1.0, 2.0] + rng.standard_normal(n)
        y = responses(rng, signal)[family]
        X = 0.1 * Z * np.where(np.arange(p) < 2, large, 1.0)
        path = regpath.ridge_path(X, y, family=family, standardize=False, lambdas=[1.0, 1e-2])
        certificate = path.certify(X, y)
        assert certificate.dual_gaps.max() <= 2e-6
        assert_allclose(path.objectives, certificate.objectives, rtol=1e-7)

    def test_factors_are_lengths_as_well(self, rng):
        X = rng.standard_normal((50, 80))
        y = X[:, 0] + X[:, 40] + rng.standard_normal(50) > 0.0
        options = {"penalty_factor": np.where(np.arange(80) < 2, 1e-11, 1.0), "lambdas": [1e-2]}
        path = regpath.ridge_path(X, y, family="binomial", **options)
        assert path.certify(X, y).dual_gaps.max() <= 2e-6

    def test_even_columns_keep_one_spectrum(self, rng, monkeypatch):
        monkeypatch.setattr(spectral, "ActiveSetSolver", None)
        for shape in ((60, 6), (20, 40)):
            X = rng.standard_normal(shape) * np.logspace(0, 3, shape[1])
            path = regpath.ridge_path(X, X[:, 0] + rng.standard_normal(shape[0]), standardize=False)
            assert set(path.statuses) == {Status.CONVERGED}

    @pytest.mark.parametrize("scale", [1e-20, 1e-30, 1e20])
    def test_tiny_and_huge_columns(self, rng, scale):
        X, y = scale * rng.standard_normal((30, 5)), rng.standard_normal(30)
        path = regpath.ridge_path(X, y, standardize=False, n_lambdas=5)
        assert set(path.statuses) == {Status.CONVERGED}


@pytest.mark.parametrize("lambdas", [[0.1], [1.0, 0.1], None])
@pytest.mark.parametrize("shift", [1e5, 1e8])
@storages
def test_columns_far_from_zero_are_certified(rng, lambdas, shift, storage):
    """A mean says nothing of how much penalty a centred column has."""
    Z = rng.standard_normal((40, 5))
    X, y = STORAGES[storage](Z + shift), Z[:, 0] + rng.standard_normal(40)
    for l1_ratio in (0.0, 0.5):
        path = regpath.fit_path(X, y, l1_ratio=l1_ratio, lambdas=lambdas)
        assert path.certify(X, y).dual_gaps.max() <= 2e-6


def test_dependent_free_features_with_limits_do_not_cycle():
    """What has no penalty may depend on what has one: a segment then has a slope."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((15, 35))
        y = X[:, 0] + 0.3 * rng.standard_normal(15)
        free = {"penalty_factor": np.where(np.arange(35) < 6, 0.0, 1.0), "lower": 0.0}
        path = regpath.lasso_path(X, y, lambdas=[1e-3], **free)
        assert path.statuses == (Status.CONVERGED,)
        assert path.certify(X, y).dual_gaps.max() <= 2e-6

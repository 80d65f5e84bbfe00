"""Offsets of any size: with an intercept a constant shift changes nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import regpath

N = 61  # odd: the intercept of huber is one number
KINDS = ["poisson", "gamma", "tweedie", "binomial", "huber"]
every_family = pytest.mark.parametrize("family", KINDS)


def data(family):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, 3))
    size = rng.gamma(2.0, 1.0, N)
    y = {
        "poisson": rng.poisson(3.0, N).astype(float),
        "gamma": size,
        "tweedie": size * (rng.random(N) < 0.7),
        "binomial": (rng.random(N) < 0.4).astype(float),
        "huber": rng.standard_normal(N),
    }[family]
    return X, y, rng.uniform(-1.0, 1.0, N)


# Kernels without compilation overflow loudly.
@pytest.mark.filterwarnings(
    "ignore:(overflow|invalid value|divide by zero) encountered in scalar:RuntimeWarning"
)
@pytest.mark.kernels
@every_family
@pytest.mark.parametrize("width", [1.0, 25.0, 150.0])
def test_a_constant_shift_of_the_offset_moves_the_intercept_alone(family, width):
    X, y, offset = data(family)
    options = {"family": family, "n_lambdas": 3, "tol": 1e-9}
    path = regpath.lasso_path(X, y, offset=width * offset, **options)
    for shift in (-2000.0, -700.0, -325.0, 325.0, 700.0, 2000.0):
        moved = regpath.lasso_path(X, y, offset=width * offset + shift, **options)
        assert all(status.ok for status in moved.statuses)
        assert_allclose(moved.lambdas, path.lambdas, rtol=1e-10)
        assert_allclose(moved.null_deviance, path.null_deviance, rtol=1e-10)
        assert_allclose(moved.coefs, path.coefs, rtol=1e-5, atol=1e-6)
        assert_allclose(moved.intercepts + shift, path.intercepts, rtol=1e-5, atol=1e-5)

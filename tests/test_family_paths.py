"""Whole paths: losses of the user's own, other optimisers, and what a path of a family tells."""

from __future__ import annotations

import math
import os
from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize, sparse, special

import regpath
from regpath import Status, families, losses

N, P = 50, 4
TOL = 1e-12


class LogCosh(NamedTuple):
    """A loss of the user: log cosh(r / scale) of r = eta - y, smooth and robust."""

    scale: float

    def terms(self, y, eta):
        r = (eta - y) / self.scale
        e = math.exp(-2.0 * abs(r))
        slope = math.copysign((1.0 - e) / (1.0 + e), r)
        value = abs(r) + math.log1p(e) - math.log(2.0)
        return value, slope / self.scale, 4.0 * e / (1.0 + e) ** 2 / self.scale**2

    def minimum(self, y):
        return 0.0


class LogCoshWithConjugate(NamedTuple):
    """The same with loss*(v) = v y + ((1 + t) log(1 + t) + (1 - t) log(1 - t)) / 2, t = scale v."""

    scale: float

    def terms(self, y, eta):
        r = (eta - y) / self.scale
        e = math.exp(-2.0 * abs(r))
        slope = math.copysign((1.0 - e) / (1.0 + e), r)
        value = abs(r) + math.log1p(e) - math.log(2.0)
        return value, slope / self.scale, 4.0 * e / (1.0 + e) ** 2 / self.scale**2

    def minimum(self, y):
        return 0.0

    def conjugate(self, y, v):
        t = self.scale * v
        if abs(t) > 1.0:
            return math.inf
        up = (1.0 + t) * math.log(1.0 + t) if t > -1.0 else 0.0
        down = (1.0 - t) * math.log(1.0 - t) if t < 1.0 else 0.0
        return v * y + 0.5 * (up + down)


class NoFields(NamedTuple):
    def terms(self, y, eta):
        return 0.5 * (y - eta) ** 2, eta - y, 1.0

    def minimum(self, y):
        return 0.0


class NoMinimum(NamedTuple):
    pad: float = 0.0

    def terms(self, y, eta):
        return 0.5 * (y - eta) ** 2, eta - y, 1.0


class NotATuple:
    """An object with the right methods that no kernel can take."""

    def terms(self, y, eta):
        return 0.5 * (y - eta) ** 2, eta - y, 1.0

    def minimum(self, y):
        return 0.0


@pytest.fixture
def data(rng):
    X = np.round(rng.standard_normal((N, P)), 1) * (rng.random((N, P)) < 0.8)
    y = X @ [1.0, -0.5, 0.0, 0.25] + rng.standard_t(2, N)
    return X, y


# --------------------------------------------------------------------- losses of the user's own


class TestOwnLoss:
    @pytest.mark.parametrize("loss", [LogCosh(0.7), LogCoshWithConjugate(0.7)], ids=repr)
    @pytest.mark.parametrize("storage", [np.asfortranarray, sparse.csc_array])
    def test_ridge_is_that_of_scipy(self, data, loss, storage):
        X, y = data
        lambda_ = 0.05

        def objective(b):
            r = (b[0] + X @ b[1:] - y) / 0.7
            value = np.logaddexp(r, -r) - np.log(2)
            gradient = np.tanh(r) / 0.7 / N
            penalty = lambda_ / 2 * b[1:] @ b[1:]
            return value.mean() + penalty, np.r_[gradient.sum(), X.T @ gradient + lambda_ * b[1:]]

        best = optimize.minimize(objective, np.zeros(P + 1), jac=True, tol=1e-14)
        path = regpath.ridge_path(
            storage(X), y, family=loss, lambdas=[lambda_], standardize=False, tol=TOL
        )
        assert path.dual_gaps[0] <= TOL
        assert path.objectives[0] == pytest.approx(best.fun, rel=1e-10)
        assert_allclose(np.r_[path.intercepts[0], path.coefs[:, 0]], best.x, atol=1e-6)

    @pytest.mark.parametrize("l1_ratio", [1.0, 0.3])
    def test_a_conjugate_changes_the_certificate_alone(self, data, l1_ratio):
        X, y = data
        options = {"l1_ratio": l1_ratio, "n_lambdas": 8, "tol": 1e-10}
        bare = regpath.fit_path(X, y, family=LogCosh(0.7), **options)
        full = regpath.fit_path(X, y, family=LogCoshWithConjugate(0.7), **options)
        assert set(bare.statuses) == {Status.KKT_BOUND}
        assert set(full.statuses) == {Status.CONVERGED}
        assert max(bare.dual_gaps.max(), full.dual_gaps.max()) <= 1e-10
        assert_allclose(bare.objectives, full.objectives, rtol=1e-9)
        for path in (bare, full):
            assert path.certify(X, y).dual_gaps.max() <= 1.01e-10 + 1e-12

    def test_wrapped_and_bare_are_the_same(self, data):
        X, y = data
        bare = regpath.lasso_path(X, y, family=LogCosh(0.7), n_lambdas=4)
        wrapped = regpath.lasso_path(X, y, family=families.Custom(LogCosh(0.7)), n_lambdas=4)
        assert bare.family == wrapped.family == "custom"
        assert_array_equal(bare.coefs, wrapped.coefs)

    def test_a_copy_of_a_loss_of_the_package(self, data):
        """The built-in family and its loss as a user would pass it."""
        X, y = data
        built_in = regpath.lasso_path(X, y, family=families.Huber(0.5), n_lambdas=5)
        own = regpath.lasso_path(X, y, family=losses.Huber(0.5), n_lambdas=5)
        assert_array_equal(built_in.coefs, own.coefs)

    def test_a_field_that_has_the_name_of_a_method_of_kernels(self, rng):
        class Named(NamedTuple):
            value: float
            terms, minimum = NoFields.terms, NoFields.minimum

        with pytest.raises(ValueError, match=r"fit_path\(family=.*field.*'value'.*rename it"):
            regpath.fit_path(rng.standard_normal((9, 2)), np.arange(9.0), family=Named(1.0))

    @pytest.mark.parametrize("loss", [NoFields(), NoMinimum()], ids=["no fields", "no minimum"])
    def test_what_is_missing_is_said(self, data, loss):
        says = r"at least one field and the methods terms\(y, eta\) and minimum\(y\)"
        with pytest.raises(TypeError, match=says):
            regpath.lasso_path(*data, family=loss)
        with pytest.raises(TypeError, match=says):
            regpath.lasso_path(*data, family=families.Custom(loss))

    @pytest.mark.parametrize("loss", [NotATuple(), LogCosh, lambda y, eta: 0.0], ids=type)
    def test_other_objects_are_refused(self, data, loss):
        with pytest.raises(TypeError, match=r"or a loss with the methods of regpath.losses"):
            regpath.lasso_path(*data, family=loss)


# -------------------------------------------------------------------------------- other optimisers

LOSSES = {
    "binomial": lambda y, eta: np.logaddexp(0, eta) - y * eta,
    "probit": lambda y, eta: -special.log_ndtr((2 * y - 1) * eta),
    "poisson": lambda y, eta: np.exp(eta) - y * eta,
    "gamma": lambda y, eta: y * np.exp(-eta) + eta,
    "tweedie": lambda y, eta: np.exp(0.5 * eta) / 0.5 + y * np.exp(-0.5 * eta) / 0.5,
}
INSTANCES = {"probit": families.Binomial(link="probit"), "tweedie": families.Tweedie(1.5)}


def response(name, y):
    if name in ("binomial", "probit"):
        return (y > 0).astype(float)
    return np.round(np.exp(np.clip(y, -2, 2))) if name == "poisson" else np.exp(np.clip(y, -2, 2))


@pytest.mark.parametrize("name", LOSSES)
def test_ridge_is_that_of_scipy(data, name):
    X, y = data[0], response(name, data[1])
    scale = X.std(axis=0)

    def objective(b):
        return LOSSES[name](y, b[0] + X @ b[1:]).mean() + 0.05 * ((scale * b[1:]) ** 2).sum()

    best = optimize.minimize(objective, np.zeros(P + 1), tol=1e-13, options={"gtol": 1e-9})
    path = regpath.ridge_path(X, y, family=INSTANCES.get(name, name), lambdas=[0.1], tol=TOL)
    assert path.objectives[0] == pytest.approx(best.fun, rel=1e-10)
    assert path.objectives[0] <= best.fun + 1e-13
    assert_allclose(np.r_[path.intercepts[0], path.coefs[:, 0]], best.x, atol=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_lasso_is_that_of_scipy(data, name):
    """b = u - v with u, v >= 0 makes the lasso smooth."""
    X, y = data[0], response(name, data[1])
    X = X / X.std(axis=0)

    def objective(b):
        eta = b[0] + X @ (b[1 : P + 1] - b[P + 1 :])
        return LOSSES[name](y, eta).mean() + 0.04 * b[1:].sum()

    bounds = [(None, None)] + [(0, None)] * (2 * P)
    best = optimize.minimize(
        objective, np.zeros(2 * P + 1), bounds=bounds, options={"ftol": 1e-15, "gtol": 1e-10}
    )
    path = regpath.lasso_path(X, y, family=INSTANCES.get(name, name), lambdas=[0.04], tol=TOL)
    assert path.objectives[0] <= best.fun + 1e-13
    assert path.objectives[0] == pytest.approx(best.fun, rel=1e-8)


# ------------------------------------------------------------------------------- what a path tells


@pytest.mark.parametrize("name", [*LOSSES, "multinomial"])
def test_deviances_are_twice_the_losses(data, name):
    """dev_ratio and null_deviance from the predictions, by the definitions of the families."""
    X = data[0]
    y = np.digitize(data[1], [-0.5, 0.5]) if name == "multinomial" else response(name, data[1])
    path = regpath.lasso_path(X, y, family=INSTANCES.get(name, name), n_lambdas=6)
    eta = path.predict(X, type="link")
    if name == "multinomial":
        eta = np.moveaxis(eta, -1, 0) if eta.shape[0] == N else eta
        picked = np.array([special.log_softmax(e, axis=1)[np.arange(N), y] for e in eta])
        deviance = -2 * picked.sum(axis=1)
    else:
        best = {
            "poisson": lambda: y - special.xlogy(y, y),
            "gamma": lambda: 1 + np.log(y),
            "tweedie": lambda: 4 * np.sqrt(y),
        }.get(name, lambda: np.zeros(N))()
        deviance = 2 * (LOSSES[name](y[:, None], eta) - best[:, None]).sum(axis=0)
    assert path.null_deviance == pytest.approx(deviance[0], rel=1e-9)
    assert_allclose(path.dev_ratio, 1 - deviance / path.null_deviance, atol=1e-9)


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="no threads to speak of")
@pytest.mark.parametrize("family", ["binomial", "poisson", "multinomial", "cox"])
def test_number_of_threads_does_not_matter(rng, family):
    X = rng.standard_normal((3000, 300))
    eta = X[:, 0] - X[:, 1]
    y = {
        "binomial": eta > rng.standard_normal(3000),
        "poisson": rng.poisson(np.exp(0.5 * eta)),
        "multinomial": np.digitize(eta + rng.standard_normal(3000), [-1, 1]),
        "cox": np.column_stack([rng.exponential(np.exp(-eta)) + 1e-3, rng.random(3000) < 0.5]),
    }[family]
    one, two = (
        regpath.lasso_path(X, y, family=family, n_lambdas=8, lambda_min_ratio=0.1, n_threads=k)
        for k in (1, 2)
    )
    assert_array_equal(one.coefs, two.coefs)
    assert_array_equal(one.dual_gaps, two.dual_gaps)

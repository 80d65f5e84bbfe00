"""Losses that cannot be minimised: refused where they are evaluated, with what is wrong."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import regpath
from regpath import losses
from regpath.families import Huber, Multinomial
from regpath.solvers.contract import LossError, check_rows

N = 40


class Squares(NamedTuple):
    level: float

    def terms(self, y, eta):
        return 0.5 * (y - eta) ** 2, eta - y, 1.0

    def minimum(self, y):
        return self.level


class Concave(NamedTuple):
    pad: float = 0.0

    def terms(self, y, eta):
        return -0.5 * (y - eta) ** 2, y - eta, -1.0

    def minimum(self, y):
        return 0.0


class Wave(NamedTuple):
    """Convex where |eta - y| < pi / 2: near the null model, and no longer beyond."""

    pad: float = 0.0

    def terms(self, y, eta):
        return 1.0 - math.cos(eta - y), math.sin(eta - y), math.cos(eta - y)

    def minimum(self, y):
        return 0.0


class Nothing(NamedTuple):
    pad: float = 0.0

    def terms(self, y, eta):
        return 0.5 * (y - eta) ** 2, math.nan, 1.0

    def minimum(self, y):
        return 0.0


class Two(NamedTuple):
    pad: float = 0.0

    def terms(self, y, eta):
        return 0.5 * (y - eta) ** 2, eta - y

    def minimum(self, y):
        return 0.0


class Words(NamedTuple):
    pad: float = 0.0

    def terms(self, y, eta):
        return "a", eta - y, 1.0

    def minimum(self, y):
        return 0.0


BROKEN = {
    "a minimum too high": (Squares(0.9), r"falls to .*, and minimum is 0\.9; .*infimum"),
    "a minimum above the loss": (Squares(1e3), r"a loss of .*, below minimum 1000; .*infimum"),
    "a minimum too low": (Squares(-3.0), "falls to .*, and minimum is -3; .*infimum"),
    "no minimum": (Squares(math.nan), "they must be finite"),
    "concave": (Concave(), "a second derivative of -1; a loss must be convex in eta"),
    "not convex": (Wave(), "a second derivative of -0.*convex in eta"),
    "NaN": (Nothing(), "nan.*they must be finite"),
    "two results": (Two(), r"it must return the tuple \(loss, its first, its second"),
    "text": (Words(), "they must be numbers"),
}


@pytest.fixture
def data(rng):
    X = rng.standard_normal((N, 3))
    return X, 2.0 * X[:, 0] + rng.standard_normal(N)


@pytest.mark.parametrize("name", BROKEN)
def test_a_loss_that_breaks_its_contract(data, name):
    loss, says = BROKEN[name]
    with pytest.raises(ValueError, match=rf"^lasso_path\(family={type(loss).__name__}\(.*{says}"):
        regpath.lasso_path(*data, family=loss, n_lambdas=3)


@pytest.mark.kernels
def test_a_loss_that_is_found_out_on_the_way(rng):
    """Rows of equal y are tried once, and where the path leads nobody knows."""
    X = np.repeat([[0.0], [1.0]], N // 2, axis=0)
    y = np.linspace(-0.1, 0.1, N)
    offset = np.where(np.arange(N) == N - 2, 2.0, 0.0)
    with pytest.raises(ValueError, match=r"^lasso_path\(family=Wave\(.*convex in eta"):
        regpath.lasso_path(X, y, family=Wave(), offset=offset, n_lambdas=3)


@pytest.mark.parametrize(
    ("loss", "responses"),
    [
        (losses.Logistic(), [0.0, 0.3, 1.0]),
        (losses.Probit(), [0.0, 0.3, 1.0]),
        (losses.Poisson(), [0.0, 1.0, 1e6]),
        (losses.GammaLog(), [1e-6, 1.0, 1e6]),
        (losses.Tweedie(1.5), [0.0, 1.0, 1e3]),
        (losses.Huber(0.1), [-1e3, 0.0, 1e-9]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("eta", [-30.0, 0.0, 30.0])
def test_losses_of_the_package_keep_it(loss, responses, eta):
    check_rows(loss, np.array(responses), np.full(3, eta))


def test_few_responses_are_tried():
    seen = []

    class Watched(NamedTuple):
        pad: float = 0.0

        def terms(self, y, eta):
            seen.append(y)
            return 0.5 * (y - eta) ** 2, eta - y, 1.0

        def minimum(self, y):
            return 0.0

    check_rows(Watched(), np.arange(1000.0), np.zeros(1000))
    assert {0.0, 999.0} <= set(seen)
    assert len(set(seen)) == 12
    with pytest.raises(LossError):
        check_rows(Concave(), np.arange(1000.0), np.zeros(1000))


# --------------------------------------------------------------------------------- beyond numbers


# Kernels without compilation overflow loudly.
@pytest.mark.filterwarnings(
    "ignore:(overflow|invalid value|divide by zero) encountered in scalar:RuntimeWarning"
)
@pytest.mark.kernels
@pytest.mark.parametrize(
    ("family", "sign"), [("poisson", 1), ("gamma", -1), ("tweedie", 1), ("tweedie", -1)]
)
def test_a_null_model_that_overflows(data, family, sign):
    X, y = data[0], np.arange(1.0, N + 1.0)
    options = {"family": family, "n_lambdas": 3, "fit_intercept": False}
    for size in (1500.0, 1e5):
        offset = np.full(N, sign * size)
        with pytest.raises(ValueError, match=rf"^lasso_path\(family='{family}'\): .*null model"):
            regpath.lasso_path(X, y, offset=offset, **options)


# Kernels without compilation overflow loudly.
@pytest.mark.filterwarnings(
    "ignore:(overflow|invalid value|divide by zero) encountered in scalar:RuntimeWarning"
)
@pytest.mark.kernels
@pytest.mark.parametrize(("family", "sign"), [("poisson", -1), ("gamma", 1)])
@pytest.mark.parametrize("size", [400.0, 700.0, 1000.0])
def test_a_null_model_that_underflows(data, family, sign, size):
    """Flat where it begins: units of a curvature of 1e-300 would have slopes that overflow."""
    X, y = np.abs(data[0]), np.arange(1.0, N + 1.0)
    options = {"family": family, "n_lambdas": 3, "fit_intercept": False}
    path = regpath.lasso_path(X, y, offset=np.full(N, sign * size), **options)
    assert all(status.ok for status in path.statuses)
    assert path.certify(X, y).dual_gaps.max() <= 2e-6


@pytest.mark.parametrize("family", ["gaussian", "huber", "multigaussian"])
def test_responses_whose_squares_overflow(data, family):
    X, y = data
    with pytest.raises(ValueError, match=r"^lasso_path\(y=\.\.\.\): .*squares.*divide y"):
        regpath.lasso_path(X, 1e200 * y, family=family)
    with pytest.raises(ValueError, match=r"^lasso_path\(y=\.\.\.\): .*less the offset.*squares"):
        regpath.lasso_path(X, y, offset=np.full(N, 1e200), family=family)
    junk, weights = y.copy(), np.ones(N)
    junk[3], weights[3] = 1e300, 0.0
    regpath.lasso_path(X, junk, sample_weight=weights, family=family, n_lambdas=2)


@pytest.mark.kernels
@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e-150])
def test_responses_whose_squares_underflow(data, scale):
    X, y = data
    path = regpath.lasso_path(X, y, family=Huber(0.5), n_lambdas=3)
    small = regpath.lasso_path(X, scale * y, family=Huber(0.5 * scale), n_lambdas=3)
    assert small.statuses == path.statuses
    assert_allclose(small.coefs / scale, path.coefs, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("scale", [1e300, 1e-300])
def test_columns_whose_squares_are_beyond_numbers(data, scale):
    X, y = data[0].copy(), data[1]
    X[:, 1] *= scale
    with pytest.raises(ValueError, match=r"1 of 3 columns holds .*squares over- or.*\(column 1\)"):
        regpath.lasso_path(X, y)
    X[5, 2] = np.nan
    with pytest.raises(ValueError, match=r"1 of 3 columns holds NaN or infinite.*\(column 2\)"):
        regpath.lasso_path(X, y)


# ---------------------------------------------------------------------------------------- options


def test_limits_of_grouped_families(data):
    X, y = data
    responses = {"multigaussian": np.stack([y, -y], axis=1), "multinomial": (y > 0.0).astype(int)}
    families = {"multigaussian": "multigaussian", "multinomial": Multinomial(grouped=True)}
    for name, family in families.items():
        options = {"family": family, "n_lambdas": 3}
        with pytest.raises(ValueError, match=rf"^lasso_path\(lower=.*{name}") as caught:
            regpath.lasso_path(X, responses[name], lower=0.0, **options)
        assert ("Multinomial(grouped=False)" in str(caught.value)) == (name == "multinomial")
        free = regpath.lasso_path(X, responses[name], lower=-np.inf, upper=np.inf, **options)
        plain = regpath.lasso_path(X, responses[name], **options)
        assert_array_equal(free.coefs, plain.coefs)


@pytest.mark.parametrize("event", [np.array(["yes"] * N), np.array(["yes"] * N, dtype=object)])
def test_events_that_are_text(data, event):
    y = np.empty(N, dtype=[("time", float), ("event", event.dtype)])
    y["time"], y["event"] = np.arange(1.0, N + 1.0), event
    with pytest.raises(TypeError, match=r"^lasso_path\(y.*the field 'event'.*(numbers|numeric)"):
        regpath.lasso_path(data[0], y, family="cox")


# ------------------------------------------------------------------------------------- separation


@pytest.mark.kernels
def test_proportions_that_are_met_are_not_separated(data):
    X = data[0]
    share = 1.0 / (1.0 + np.exp(X[:, 1] - X[:, 0]))
    cases = {
        "binomial": (share, np.full(N, 0.3)),
        "multinomial": (np.stack([share, 1.0 - share], axis=1), np.full((N, 2), 0.5)),
    }
    for family, responses in cases.items():
        for y in responses:
            path = regpath.lasso_path(X, y, family=family, lambdas=[0.1, 1e-3, 1e-5, 0.0])
            assert {status.name for status in path.statuses} == {"CONVERGED"}


@pytest.mark.kernels
def test_classes_without_overlap_are(data):
    X = data[0]
    left = (X[:, 0] > 0.0).astype(float)
    for family, y in {"binomial": left, "multinomial": np.stack([left, 1.0 - left], 1)}.items():
        path = regpath.lasso_path(X, y, family=family, lambdas=[0.1, 0.0])
        assert path.statuses[-1].name == "SEPARATED"

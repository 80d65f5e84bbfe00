"""Properties of every family: a row per family and option, a test per property.

Two fits of the same problem have objectives that differ by no more than their gaps, which are
1e-10 of the null model: any slip in an option shows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

import regpath
from regpath import Status, families

TOL = 1e-10
SHARES = np.array([0.7, 0.3, 0.1, 0.02])
"""The lambdas, as shares of the smallest one with all coefficients zero."""


def survival(rng, eta, *, start=False):
    stop = np.ceil(3 * rng.exponential(np.exp(-eta)) + 0.1)
    event = rng.random(eta.size) < 0.7
    event[0] = True
    columns = [stop, event] if not start else [stop - rng.integers(1, 4, eta.size), stop, event]
    return np.column_stack(columns)


def both(labels, classes):
    """Labels with every class among them."""
    labels[: len(classes)] = classes
    return labels


# A family, and a response of it given a linear predictor.
FAMILIES = {
    "logit": ("binomial", lambda r, e: both((r.logistic(size=e.size) < e) * 1, [0, 1])),
    "proportions": ("binomial", lambda r, e: both(r.integers(0, 5, e.size) / 4, [0.25])),
    "probit": (
        families.Binomial(link="probit"),
        lambda r, e: both((r.standard_normal(e.size) < e) * 1, [0, 1]),
    ),
    "poisson": ("poisson", lambda r, e: both(r.poisson(np.exp(e)), [1]).astype(float)),
    "gamma": ("gamma", lambda r, e: r.gamma(2.0, np.exp(e))),
    "tweedie": (
        families.Tweedie(1.4),
        lambda r, e: both(r.gamma(2.0, np.exp(e)) * (r.random(e.size) < 0.7), [1.0]),
    ),
    "huber": (families.Huber(0.8), lambda r, e: e + r.standard_t(2, e.size)),
    "multinomial": (
        "multinomial",
        lambda r, e: both(
            np.argmax(e[:, None] * [1, 0, -1] + r.gumbel(size=(e.size, 3)), 1), range(3)
        ),
    ),
    "grouped": (
        families.Multinomial(grouped=True),
        lambda r, e: both(
            np.argmax(e[:, None] * [1, 0, -1] + r.gumbel(size=(e.size, 3)), 1), range(3)
        ),
    ),
    "multigaussian": (
        "multigaussian",
        lambda r, e: e[:, None] * [1, 0.5] + r.standard_normal((e.size, 2)),
    ),
    "breslow": ("cox", survival),
    "efron": (families.Cox(ties="efron"), survival),
    "start": ("cox", lambda r, e: survival(r, e, start=True)),
}


def factors(rng, p, free=0.05):
    return rng.choice([0.5, 1.0, 2.0, np.inf, 0.0], p, p=[0.2, 0.45 - free, 0.25, 0.1, free])


OPTIONS = {
    "lasso": lambda rng, n, p: {},
    "elastic net": lambda rng, n, p: {"l1_ratio": 0.5},
    "ridge": lambda rng, n, p: {"l1_ratio": 0.0},
    "almost ridge": lambda rng, n, p: {"l1_ratio": 1e-12},
    "raw": lambda rng, n, p: {"standardize": False, "l1_ratio": 0.9},
    "no intercept": lambda rng, n, p: {"fit_intercept": False},
    "weights": lambda rng, n, p: {"sample_weight": rng.integers(1, 4, n)},
    "offset": lambda rng, n, p: {"offset": 0.5 * rng.standard_normal(n), "l1_ratio": 0.6},
    "factors": lambda rng, n, p: {"penalty_factor": factors(rng, p), "l1_ratio": 0.8},
    "ridge factors": lambda rng, n, p: {"penalty_factor": factors(rng, p, 0.0), "l1_ratio": 0.0},
    "limits": lambda rng, n, p: {
        "lower": -rng.choice([0.0, 0.02, np.inf], p),
        "upper": rng.choice([0.02, 1.0, np.inf], p),
    },
}
NO_LIMITS = ("grouped", "multigaussian")
CASES = [(f, o) for f in FAMILIES for o in OPTIONS if not (o == "limits" and f in NO_LIMITS)]

every_case = pytest.mark.parametrize(("name", "option"), CASES, ids=lambda v: v)
every_family = pytest.mark.parametrize("name", FAMILIES)
few = settings(max_examples=3)
fewer = settings(max_examples=2)


@dataclass(frozen=True)
class Draw:
    """The seed and the shape of a problem."""

    seed: int
    n: int
    p: int

    def make(self, name, option="lasso"):
        """Integer columns that every dtype holds exactly, a response, and options of a fit.

        Tall where few rows would leave no minimum: with unpenalised features that separate classes.
        """
        if self.n < 25 and option == "factors":
            return replace(self, n=self.n + 20, p=self.p % 8 + 1).make(name, option)
        return self.raw(name, option)

    def raw(self, name, option):
        rng = np.random.default_rng(self.seed)
        X = rng.integers(-5, 6, (self.n, self.p)).astype(float)
        X *= rng.random(X.shape) < rng.choice([0.3, 1.0])
        if self.p > 3:
            X[:, 2] = X[:, 0]
        eta = 0.15 * X[:, : 1 + self.p // 4].sum(axis=1)
        family, response = FAMILIES[name]
        return X, response(rng, eta), {"family": family, **OPTIONS[option](rng, self.n, self.p)}


tall = st.builds(Draw, st.integers(0, 999), st.integers(25, 40), st.integers(1, 8))
wide = st.builds(Draw, st.integers(0, 999), st.integers(12, 20), st.integers(25, 40))
draws = tall | wide
CERTIFIED = 1.01 * TOL + 1e-12


def grid_of(X, y, options):
    """From below lambda_max of the penalised features; of ridge as if l1_ratio were 0.1."""
    ratio = max(options.get("l1_ratio", 1.0), 0.1)
    start = regpath.fit_path(X, y, **{**options, "l1_ratio": ratio, "n_lambdas": 1, "tol": 1e-4})
    top = start.lambdas[0]
    return SHARES * (top if top > 1e-9 else 1.0)


def fit(X, y, options, lambdas, **more):
    return regpath.fit_path(X, y, **{"tol": TOL, **options, "lambdas": lambdas, **more})


def null_objective(path, n):
    weights = path.settings.sample_weight
    return path.null_deviance / 2 / (n if weights is None else weights.sum())


def assert_reached(path, tol=TOL):
    assert all(status.ok for status in path.statuses)
    assert path.dual_gaps.max() <= tol
    assert (path.dual_gaps >= 0).all()


def assert_same(first, second, n, stretch=1.0, shift=0.0):
    """Objectives of two paths, of which the second is stretch times the first, plus a shift."""
    assert_reached(first)
    assert_reached(second)
    null = null_objective(first, n)
    allowed = (first.dual_gaps + second.dual_gaps) * null
    size = np.abs(first.objectives) + abs(shift) + null
    difference = second.objectives - stretch * first.objectives - shift
    assert (np.abs(difference) <= stretch * allowed + 1e-13 * stretch * size).all()
    assert_allclose(first.dev_ratio, second.dev_ratio, atol=3e-5)  # a gap g moves it by sqrt(g)


def certified(option):
    """With limits every multiple of the residual is a dual point; certify may pick a worse one."""
    return 100 * TOL if option == "limits" else CERTIFIED


@every_case
@few
@given(draw=draws)
def test_gap_is_reached_and_certified(name, option, draw):
    X, y, options = draw.make(name, option)
    path = fit(X, y, options, grid_of(X, y, options))
    assert_reached(path)
    certificate = path.certify(X, y)
    null = null_objective(path, len(X))
    assert certificate.dual_gaps.max() <= certified(option)
    assert certificate.null_objective == pytest.approx(null, rel=1e-9)
    assert_allclose(path.objectives, certificate.objectives, rtol=1e-11, atol=1e-13 * null)
    factor = np.broadcast_to(options.get("penalty_factor", 1.0), X.shape[1])
    assert not path.coefs[..., np.isinf(factor), :].any()
    if option == "limits":
        assert (path.coefs >= options["lower"][:, None]).all()
        assert (path.coefs <= options["upper"][:, None]).all()
    if option == "no intercept" or path.family == "cox":
        assert not path.intercepts.any()


@every_case
@fewer
@given(draw=draws)
def test_storage_does_not_matter(name, option, draw):
    X, y, options = draw.make(name, option)
    grid = grid_of(X, y, options)
    reference = fit(X, y, options, grid)
    storages = {
        "F order": np.asfortranarray(X),
        "float32": X.astype(np.float32),
        "int8": X.astype(np.int8),
        "CSC": sparse.csc_array(X),
        "CSR": sparse.csr_matrix(X),
    }
    for stored in storages.values():
        path = fit(stored, y, options, grid)
        assert_same(reference, path, len(X))
        assert path.certify(stored, y).dual_gaps.max() <= certified(option)


@every_family
@pytest.mark.parametrize("option", ["lasso", "ridge", "offset"])
@few
@given(draw=draws)
def test_weights_are_repeated_rows(name, option, draw):
    if name == "efron":
        return  # each of k tied events has the mean weight: copies change k
    X, y, options = draw.make(name, option)
    counts = np.random.default_rng(draw.seed).integers(0, 4, len(X))
    counts[:3] += 1
    i = np.repeat(np.arange(len(X)), counts)
    repeated = {**options, "offset": options["offset"][i]} if option == "offset" else options
    weighted = {**options, "sample_weight": counts}
    grid = grid_of(X, y, weighted)
    first, second = fit(X, y, weighted, grid), fit(X[i], y[i], repeated, grid)
    assert first.null_deviance == pytest.approx(second.null_deviance, rel=1e-11)
    assert_same(first, second, len(X))


@every_family
@pytest.mark.parametrize("option", ["lasso", "ridge"])
@few
@given(draw=draws)
def test_rows_of_weight_zero_may_hold_junk(name, option, draw):
    X, y, options = draw.make(name, option)
    weights = np.ones(len(X))
    weights[[5, 9]] = 0
    options["sample_weight"] = weights
    grid = grid_of(X, y, options)
    junk, junk_y = X.copy(), y.astype(float)
    junk[5], junk[9, ::2], junk_y[[5, 9]] = 1e200, -1e200, -7.0
    first, second = fit(X, y, options, grid), fit(junk, junk_y, options, grid)
    kept = weights > 0
    alone = fit(X[kept], y[kept], {**options, "sample_weight": None}, grid)
    assert_array_equal(first.coefs, second.coefs)
    assert_array_equal(first.intercepts, second.intercepts)
    assert_same(first, alone, len(X))
    assert second.certify(junk, junk_y).dual_gaps.max() <= CERTIFIED


def test_unpenalised_feature_of_classes():
    X, y, options = Draw(0, 25, 4).make("multinomial")
    X[:, 0] = np.random.default_rng(0).integers(-2, 3, 25)
    options["penalty_factor"] = np.array([0.0, 1.0, 1.0, 1.0])
    grid = grid_of(X, y, options)
    assert_reached(fit(X, y, options, grid, offset=-0.5 * X[:, 0]))


@every_family
@few
@given(draw=tall, c=st.sampled_from([-0.5, 0.25, 1.0]))
def test_offset_along_an_unpenalised_column_moves_its_coefficient(name, draw, c):
    X, y, options = draw.make(name)
    options["penalty_factor"] = np.r_[0.0, np.ones(X.shape[1] - 1)]
    X[:, 0] = np.random.default_rng(draw.seed).integers(-2, 3, len(X))  # no column is equal to it
    grid = grid_of(X, y, options)
    first, second = fit(X, y, options, grid), fit(X, y, options, grid, offset=c * X[:, 0])
    assert_reached(first)
    assert_reached(second)
    # Null models differ by the offset: absolute gaps do, too.
    allowed = first.dual_gaps * null_objective(first, len(X))
    allowed = allowed + second.dual_gaps * null_objective(second, len(X))
    assert (np.abs(first.objectives - second.objectives) <= allowed + 1e-13).all()


@every_case
@fewer
@given(draw=draws)
def test_order_of_rows_and_columns(name, option, draw):
    X, y, options = draw.make(name, option)
    rng = np.random.default_rng(draw.seed)
    i, j = rng.permutation(len(X)), rng.permutation(X.shape[1])
    moved = dict(options)
    for key in options.keys() & {"sample_weight", "offset"}:
        moved[key] = options[key][i]
    for key in options.keys() & {"penalty_factor", "lower", "upper"}:
        moved[key] = options[key][j]
    grid = grid_of(X, y, options)
    assert_same(fit(X, y, options, grid), fit(X[i][:, j], y[i], moved, grid), len(X))


@every_family
@pytest.mark.parametrize("l1_ratio", [1.0, 0.0])
@few
@given(draw=draws)
def test_penalty_factor_is_a_rescaled_column(name, l1_ratio, draw):
    X, y, options = draw.make(name)
    options |= {"standardize": False, "l1_ratio": l1_ratio}
    factor = np.random.default_rng(draw.seed).choice([0.25, 1.0, 4.0], X.shape[1])
    weighted = {**options, "penalty_factor": factor}
    unit = factor if l1_ratio else np.sqrt(factor)
    grid = grid_of(X, y, weighted)
    assert_same(fit(X, y, weighted, grid), fit(X / unit, y, options, grid), len(X))


@every_family
@few
@given(draw=draws)
def test_standardising_is_scaling_the_columns(name, draw):
    X, y, options = draw.make(name, "weights")
    weights = options["sample_weight"] / options["sample_weight"].sum()
    sd = np.sqrt(weights @ (X - weights @ X) ** 2)
    X, sd = X[:, sd > 0], sd[sd > 0]
    if not sd.size:
        return
    grid = grid_of(X, y, options)
    raw = {**options, "standardize": False}
    assert_same(fit(X, y, options, grid), fit(X / sd, y, raw, grid), len(X))


@every_family
@few
@given(draw=draws)
def test_automatic_grid_starts_where_the_first_feature_enters(name, draw):
    X, y, options = draw.make(name, "elastic net")
    path = regpath.fit_path(X, y, n_lambdas=4, lambda_min_ratio=0.05, tol=TOL, **options)
    assert_reached(path)
    assert path.lambdas.size == 4
    assert not path.coefs[..., 0].any()
    if path.lambdas[0] > 1e-9:
        below = fit(X, y, options, path.lambdas[:1] * (1 - 1e-3), tol=1e-13)
        assert below.coefs.any()


@every_family
@few
@given(draw=draws)
def test_infinity_is_the_null_model(name, draw):
    X, y, options = draw.make(name)
    path = fit(X, y, options, [np.inf, 1e-1])
    assert_reached(path)
    assert not path.coefs[..., 0].any()
    assert path.dev_ratio[0] == pytest.approx(0, abs=1e-12)
    assert path.certify(X, y).dual_gaps[0] <= 1e-12


@every_family
@few
@given(draw=st.builds(Draw, st.integers(0, 999), st.integers(60, 80), st.integers(1, 3)))
def test_lambda_zero_is_stationary(name, draw):
    """Tall data without separation: the maximum of the likelihood exists."""
    X, y, options = draw.make(name)
    path = fit(X, y, options, [0.1, 0.0])
    assert_reached(path)
    certificate = path.certify(X, y)
    assert certificate.dual_gaps.max() <= CERTIFIED
    if name not in NO_LIMITS:
        bounded = fit(X, y, options, [0.0], lower=-50.0, upper=50.0)  # another solver or code path
        assert bounded.objectives[0] == pytest.approx(path.objectives[1], rel=1e-8)


@pytest.mark.parametrize("name", ["multinomial", "grouped", "multigaussian"])
def test_max_features_counts_features(name):
    X, y, options = Draw(0, 25, 4).make(name)
    grid, told = grid_of(X, y, options), []
    whole = fit(X, y, options, grid, callback=lambda k, progress: told.append(progress.n_nonzero))
    assert told == whole.n_nonzero.tolist()
    assert whole.n_nonzero[0] <= 2 < whole.n_nonzero[-1]
    kept = whole.n_nonzero[: np.argmax(whole.n_nonzero > 2)]
    path = fit(X, y, options, grid, max_features=2)
    assert path.n_nonzero.tolist() == kept.tolist()


@pytest.mark.parametrize(
    ("name", "option", "draw"),
    [
        ("breslow", "limits", Draw(0, 12, 25)),
        ("start", "factors", Draw(0, 19, 35)),
        ("start", "no intercept", Draw(355, 12, 26)),
    ],
)
def test_wide_survival(name, option, draw):
    X, y, options = draw.raw(name, option)
    assert_reached(fit(X, y, options, grid_of(X, y, options)))


@pytest.mark.parametrize("name", ["poisson", "gamma", "huber", "breslow"])
def test_wide_ridge_with_unpenalised_features(name):
    X, y, options = Draw(2, 19, 29).raw(name, "ridge")
    options["penalty_factor"] = np.where(np.isin(np.arange(29), [8, 12, 22]), 0.0, 1.0)
    assert_reached(fit(X, y, options, grid_of(X, y, options), tol=1e-6), 1e-6)


@every_family
@few
@given(draw=draws)
def test_paths_that_end_early_are_valid(name, draw):
    X, y, options = draw.make(name)
    grid = grid_of(X, y, options)
    whole = fit(X, y, options, grid)
    limit = max(int(whole.n_nonzero[1]), 1)
    level = 0.5 * whole.dev_ratio[-1]
    ends = {
        Status.CALLBACK: {"callback": lambda k, progress: k == 1},
        Status.MAX_FEATURES: {"max_features": limit},
        Status.TIME_BUDGET: {"time_budget": 1e-9},
        Status.DEV_RATIO: {"stop_at_dev_ratio": level} if level > 0 else {},
    }
    for status, more in ends.items():
        path = fit(X, y, options, grid, **more)
        L = path.lambdas.size
        assert 1 <= L <= grid.size
        assert_array_equal(path.lambdas, whole.lambdas[:L])
        assert grid.size == L or path.statuses[-1] is status
        assert_allclose(path.objectives, whole.objectives[:L], rtol=0, atol=0)
        assert path.certify(X, y).dual_gaps.max() <= CERTIFIED


# --------------------------------------------------------------------------------- between families


@few
@given(draw=draws, l1_ratio=st.sampled_from([1.0, 0.5, 0.0]))
def test_two_classes_are_binomial(draw, l1_ratio):
    """With b = b_2 - b_1 and b_1 = -b_2: |b_1| + |b_2| = |b|, b_1^2 + b_2^2 = b^2 / 2."""
    X, y, _ = draw.make("logit")
    grid = grid_of(X, y, {"family": "binomial", "l1_ratio": l1_ratio})
    total = l1_ratio + (1 - l1_ratio) / 2
    one = fit(X, y, {"family": "binomial", "l1_ratio": l1_ratio / total}, grid * total)
    two = fit(X, y, {"family": "multinomial", "l1_ratio": l1_ratio}, grid)
    assert_same(one, two, len(X))
    assert_allclose(two.predict(X)[:, 1], one.predict(X), atol=1e-4)


@few
@given(draw=draws)
def test_an_exposure_is_an_offset_or_a_weight(draw):
    """sum e^(log t + eta) - y eta = sum t (e^eta - (y / t) eta)."""
    X, y, _ = draw.make("poisson")
    exposure = np.random.default_rng(draw.seed).choice([0.5, 1.0, 3.0], len(X))
    options = {"family": "poisson", "standardize": False}
    weighted = {**options, "sample_weight": exposure}
    grid = grid_of(X, y / exposure, weighted)
    stretch = exposure.sum() / len(X)
    rates = fit(X, y / exposure, weighted, grid)
    counts = fit(X, y, {**options, "offset": np.log(exposure)}, grid * stretch)
    assert_same(rates, counts, len(X), stretch, -(y @ np.log(exposure)) / len(X))


@few
@given(draw=draws)
def test_huber_beyond_all_residuals_is_least_squares(draw):
    X, y, _ = draw.make("huber")
    grid = grid_of(X, y, {"family": "gaussian"})
    squares = fit(X, y, {"family": "gaussian"}, grid)
    robust = fit(X, y, {"family": families.Huber(1e3)}, grid)
    assert_same(squares, robust, len(X))


@few
@given(draw=draws)
def test_one_response_of_several_is_gaussian(draw):
    X, y, _ = draw.make("huber")
    grid = grid_of(X, y, {"family": "gaussian"})
    several = fit(X, y[:, None], {"family": "multigaussian"}, grid)
    assert_same(fit(X, y, {"family": "gaussian"}, grid), several, len(X))
    assert several.coefs.shape == (1, X.shape[1], grid.size)


@few
@given(draw=draws)
def test_survival_does_not_notice_monotone_times(draw):
    X, y, options = draw.make("efron")
    grid = grid_of(X, y, options)
    stretched = np.column_stack([np.exp(y[:, 0] / 10) ** 3, y[:, 1]])
    first, second = fit(X, y, options, grid), fit(X, stretched, options, grid)
    assert_array_equal(first.coefs, second.coefs)

"""The losses that `certify` states, each against its definition; responses and edge cases."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pandas as pd
import polars as pl
import pytest
import slow_families as slow
from certify_cases import Linex, Squareplus, data, solved
from scipy import optimize, special

import regpath
from regpath import _stated_losses as stated
from regpath import families
from regpath._stated_cox import Cox
from regpath._stated_multi import MultiGaussian, Multinomial
from regpath.diagnostics import certify

ONE = np.ones(1)
ROW_LOSSES = {
    "logistic": lambda y: stated.Logistic(np.array([y]), ONE),
    "probit": lambda y: stated.Probit(np.array([y]), ONE),
    "poisson": lambda y: stated.Poisson(np.array([10 * y]), ONE),
    "gamma": lambda y: stated.Gamma(np.array([y + 0.1]), ONE),
    "tweedie": lambda y: stated.Tweedie(np.array([5 * y]), ONE, 1.3),
    "huber": lambda y: stated.Huber(np.array([y]), ONE, 0.8),
    "linex": lambda y: stated.Custom(np.array([y]), ONE, Linex(0.0)),
}


@pytest.fixture(autouse=True)
def quiet():
    """As in `certify`: infinity is an answer."""
    with np.errstate(all="ignore"):
        yield


@pytest.mark.parametrize("x", [0.0, 1e-300, -1e-12, 1e-3, -0.0199, 0.0201, 0.5, -0.9, 30.0])
def test_rests_of_the_series(x):
    exact = np.longdouble(x)
    if abs(x) < 1e-2:
        rest = exact**2 / 2 * (1 + exact / 3 * (1 + exact / 4 * (1 + exact / 5 * (1 + exact / 6))))
        shape = exact**2 * (1 / np.longdouble(2) - exact / 6 + exact**2 / 12 - exact**3 / 20)
    else:
        rest = np.expm1(exact) - exact
        shape = (1 + exact) * np.log1p(exact) - exact
    tolerance = 1e-12 if abs(x) >= 1e-2 else 1e-9
    assert stated.exp_rest(np.array(x)) == pytest.approx(float(rest), rel=tolerance, abs=0)
    assert stated.kl_shape(np.array(x)) == pytest.approx(float(shape), rel=tolerance, abs=0)


def test_divergence_at_the_ends():
    kl = stated.kl(np.array([0.0, 0.0, 2.0, 2.0, 2.0]), np.array([0.0, -1e-9, -2.0, -2.1, 0.0]))
    np.testing.assert_array_equal(kl, [0, np.inf, 2, np.inf, 0])


@pytest.mark.parametrize("y", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("name", ROW_LOSSES)
def test_derivatives_and_infimum(name, y):
    loss = ROW_LOSSES[name](y)
    eta = np.array([[-2.1, -0.4, 0.01, 0.35, 1.7]])
    h = 1e-5
    _, slope, curvature = loss.terms(eta)
    up, down = loss.terms(eta + h), loss.terms(eta - h)
    np.testing.assert_allclose((up[0] - down[0]) / (2 * h), slope, rtol=1e-7, atol=1e-9)
    if name != "huber":
        np.testing.assert_allclose((up[1] - down[1]) / (2 * h), curvature, rtol=1e-6, atol=1e-9)
    wide = loss.terms(np.linspace(-40, 40, 160001)[None])[0]
    assert wide.min() >= 0
    assert wide.min() < 1e-6


@pytest.mark.parametrize("y", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("name", ROW_LOSSES)
def test_fenchel_gap_is_that_of_a_search(name, y):
    loss = ROW_LOSSES[name](y)
    for eta, s in itertools.product([-3.0, -0.2, 0.4, 2.5], [1.0, 0.999, 0.5, 0.01]):
        at = np.array([[[eta]]])
        v = s * loss.slope(at)[0, 0, 0]

        def negative(e, v=v):
            return loss.terms(np.array([[e]]))[0][0, 0] - v * e

        found = optimize.minimize_scalar(
            negative, bounds=(-30, 30), method="bounded", options={"xatol": 1e-12}
        )
        expected = loss.excess(at)[0] - found.fun - v * eta
        bound = loss.bregman(at)(np.array([s]))[0]
        assert bound >= expected - 1e-13
        assert bound == pytest.approx(expected, rel=1e-7, abs=1e-12)
    exact = loss.bregman(at)(np.array([1.0]))[0]
    assert abs(exact) < 1e-15
    zero = loss.bregman(at)(np.array([0.0]))[0]
    assert zero == pytest.approx(loss.excess(at)[0], rel=1e-12)


@pytest.mark.parametrize(("name", "y"), [("probit", 1.0), ("probit", 0.3), ("tweedie", 0.4)])
def test_a_search_that_ends_early_is_still_a_bound(monkeypatch, name, y):
    loss, s = ROW_LOSSES[name](y), np.array([0.6])
    at = np.array([[[-2.5]]])
    exact = loss.bregman(at)(s)[0]
    bounds = []
    for steps in (1, 2, 3):
        monkeypatch.setattr("regpath._stated_losses.SEARCH_STEPS", steps)
        bounds.append(loss.bregman(at)(s)[0])
    assert bounds[0] > exact * (1 + 1e-6)
    assert min(bounds) >= exact * (1 - 1e-12)
    assert max(bounds) <= 0.4 * loss.excess(at)[0]


def test_losses_without_a_conjugate_are_bounded_by_convexity():
    loss = stated.Custom(np.array([0.3]), ONE, Squareplus(0.5))
    at = np.full((1, 1, 1), 1.2)
    assert loss.bregman(at)(np.array([0.75]))[0] == pytest.approx(0.25 * loss.excess(at)[0])
    assert loss.infimum == pytest.approx(np.sqrt(0.5))


def test_a_custom_loss_may_overflow():
    loss = stated.Custom(np.array([0.0]), ONE, Linex(0.0))
    assert loss.excess(np.full((1, 1, 1), 1e4))[0] == np.inf


def test_far_linear_predictors_keep_their_digits():
    far = np.full((1, 1, 1), 800.0)
    assert stated.Logistic(np.zeros(1), ONE).excess(far)[0] == 800
    assert stated.Logistic(np.ones(1), ONE).excess(far)[0] == 0
    assert stated.Probit(np.zeros(1), ONE).excess(far)[0] == pytest.approx(320007.6, rel=1e-6)
    assert stated.Gamma(ONE, ONE).excess(far)[0] == 799
    # The mean of the row has underflowed; convexity still bounds its gap.
    assert stated.Logistic(np.ones(1), ONE).bregman(-far)(np.array([0.5]))[0] <= 400
    assert Multinomial(np.eye(2)[:1], ONE).excess(np.array([[[0.0], [800.0]]])) == pytest.approx(
        800
    )


@pytest.mark.parametrize("kind", ["classes", "shares"])
def test_gaps_of_several_outputs(rng, kind):
    eta, s = rng.standard_normal((4, 3, 2)), np.array([0.3, 0.9])
    w = np.array([0.1, 0.2, 0.3, 0.4])
    Y = np.eye(3)[[0, 2, 1, 1]]
    if kind == "shares":
        Y = 0.5 * (Y + rng.dirichlet(np.ones(3), 4))
    loss = Multinomial(Y, w)
    least = special.entr(Y).sum(axis=1) @ w
    Y = Y[:, :, None]
    p = np.exp(eta) / np.exp(eta).sum(axis=1, keepdims=True)
    m = Y + s * (p - Y)
    value = np.log(np.exp(eta).sum(axis=1)) - (Y * eta).sum(axis=1)
    direct = w @ (value + (m * np.log(m)).sum(axis=1) - ((m - Y) * eta).sum(axis=1))
    np.testing.assert_allclose(loss.bregman(eta)(s), direct, rtol=1e-12)
    np.testing.assert_allclose(loss.excess(eta), w @ value - least, rtol=1e-12)
    assert loss.infimum == pytest.approx(least, abs=1e-15)

    T = rng.standard_normal((4, 3))
    quadratic = MultiGaussian(T, w)
    v = s * (eta - T[:, :, None])
    conjugate = (v * T[:, :, None] + 0.5 * v**2).sum(axis=1)
    direct = w @ (
        0.5 * ((eta - T[:, :, None]) ** 2).sum(axis=1) + conjugate - (v * eta).sum(axis=1)
    )
    np.testing.assert_allclose(quadratic.bregman(eta)(s), direct, rtol=1e-10)


# --- Cox ----------------------------------------------------------------------------------------


def survival(rng, n, levels, strata, start):
    """A problem of Cox with few different times, and the statement of it."""
    stop = 1.0 + rng.integers(0, levels, n)
    event = rng.random(n) < 0.7
    event[0] = True
    begin = stop - rng.integers(1, levels, n) if start else np.full(n, -np.inf)
    codes = rng.integers(0, strata, n)
    w = rng.random(n) + 0.1
    y = np.column_stack([begin, stop, event])
    settings = {"sample_weight": w}
    options = {"strata": codes}
    problem = slow.Problem(np.zeros((n, 1)), y, "cox", options, 1, 1.0, settings)
    return problem, (begin, stop, event, np.unique(codes, return_inverse=True)[1], w / w.sum())


@pytest.mark.parametrize("start", [False, True])
@pytest.mark.parametrize("strata", [1, 4])
@pytest.mark.parametrize("levels", [3, 11, 1000])
@pytest.mark.parametrize("ties", ["breslow", "efron"])
def test_cox_against_loops_over_all_pairs(rng, ties, levels, strata, start):
    problem, parts = survival(rng, 61, levels, strata, start)
    problem.family_options["ties"] = ties
    loss = Cox(*parts, ties == "efron")
    eta = 2 * rng.standard_normal((61, 1, 3))
    for k in range(3):
        value, slope = slow.cox(problem, eta[:, 0, k])
        assert loss.excess(eta)[k] + loss.infimum == pytest.approx(value, rel=1e-12)
        found = parts[-1] * loss.slope(eta)[:, 0, k]
        np.testing.assert_allclose(found, slope, rtol=1e-10, atol=1e-15)
    Z, h = rng.standard_normal((61, 2)), 1e-6
    steps = [Z.T @ (slow.cox(problem, eta[:, 0, 0] + h * z)[1]) for z in Z.T]
    base = Z.T @ slow.cox(problem, eta[:, 0, 0])[1]
    numeric = (np.array(steps) - base) / h
    np.testing.assert_allclose(loss.hessian(eta[:, :, :1], Z), numeric, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("ties", ["breslow", "efron"])
def test_cox_gap_lies_between_the_conjugate_and_convexity(rng, ties):
    for n, levels, strata, start in [(6, 3, 1, False), (8, 4, 2, True), (7, 2, 1, False)]:
        _, parts = survival(rng, n, levels, strata, start)
        loss = Cox(*parts, ties == "efron")
        eta, w = rng.standard_normal((n, 1, 1)), parts[-1]
        for s in (0.5, 0.9, 0.99):
            v = s * w * loss.slope(eta)[:, 0, 0]

            def negative(e, v=v, loss=loss, n=n):
                return loss.excess(e.reshape(n, 1, 1))[0] - v @ e

            def slope(e, v=v, loss=loss, n=n, w=w):
                return w * loss.slope(e.reshape(n, 1, 1))[:, 0, 0] - v

            top = optimize.minimize(
                negative, eta.ravel(), jac=slope, options={"gtol": 1e-10, "maxiter": 500}
            )
            exact = loss.excess(eta)[0] - top.fun - v @ eta.ravel()
            bound = loss.bregman(eta)(np.array([s]))[0]
            assert bound >= exact - 1e-12
            assert bound <= (1 - s) * loss.excess(eta)[0]
        # Of the second order in 1 - s, where convexity would be of the first.
        near = [loss.bregman(eta)(np.array([1 - h]))[0] for h in (1e-3, 1e-4)]
        assert near[0] / near[1] == pytest.approx(100, rel=0.05)


def test_cox_with_many_ties_falls_back_on_convexity(rng):
    _, parts = survival(rng, 400, 2, 1, False)
    loss, eta = Cox(*parts, True), rng.standard_normal((400, 1, 1))
    assert loss.pairs is None
    assert loss.bregman(eta)(np.array([0.5]))[0] == pytest.approx(0.5 * loss.excess(eta)[0])
    assert Cox(*parts, False).pairs is not None


def test_cox_far_apart_rows():
    """Sums of positive numbers: a risk set may be e^300 times smaller than the one before."""
    start, stop = np.full(4, -np.inf), np.arange(1.0, 5)
    parts = (start, stop, np.ones(4, bool), np.zeros(4, int), np.full(4, 0.25))
    eta = np.array([600.0, 300.0, 1.0, 0.0])[:, None, None]
    expected = np.log1p(np.exp(-1)) / 4  # the other risk sets are their events, up to e^-299
    assert Cox(*parts, False).excess(eta)[0] == pytest.approx(expected - 0, rel=1e-12)
    assert Cox(*parts, False).excess(3 * eta)[0] == np.inf
    late = np.array([-np.inf, 1.5, 1.5, 1.5])
    alone = Cox(late, *parts[1:], False)
    eta = np.array([0.0, 500.0, 400.0, 400.0])[:, None, None]
    assert alone.slope(eta)[0, 0, 0] == 0
    assert alone.excess(eta)[0] == pytest.approx(np.log(2) / 4, rel=1e-12)


# --- responses ----------------------------------------------------------------------------------


def test_encodings_of_labels():
    problem, path = solved("logit", "lasso")
    expected = certify(path, problem.X, problem.y).dual_gaps
    words = np.where(problem.y == 1, "yes", "no")
    for y, classes in [
        (words, ["no", "yes"]),
        (words.astype(object), np.array(["no", "yes"], dtype=object)),
        (pd.Series(words, dtype="category"), ["no", "yes"]),
        (pl.Series(words), ["no", "yes"]),
        (problem.y == 1, [False, True]),
        (problem.y == 1, None),
        (3 - 5 * problem.y, [3, -2]),
        (problem.y.astype(np.int8), None),
    ]:
        classes = None if classes is None else np.asarray(classes)
        found = certify(dataclasses.replace(path, classes=classes), problem.X, y)
        np.testing.assert_array_equal(found.dual_gaps, expected)
    problem, path = solved("multinomial", "lasso")
    expected = certify(path, problem.X, problem.y).dual_gaps
    names = np.array(["c", "a", "b"])
    for y, classes in [(names[problem.y], names), (problem.y * 1.5, np.arange(3) * 1.5)]:
        found = certify(dataclasses.replace(path, classes=classes), problem.X, y)
        np.testing.assert_array_equal(found.dual_gaps, expected)
    indicators = np.eye(3)[problem.y]
    numbered = dataclasses.replace(path, classes=np.arange(3))
    for y in (indicators, indicators > 0, pd.DataFrame(indicators), pl.DataFrame(indicators)):
        np.testing.assert_array_equal(certify(numbered, problem.X, y).dual_gaps, expected)
    with pytest.raises(ValueError, match=r"no class '.d'"):
        certify(dataclasses.replace(path, classes=names), problem.X, names[problem.y - 1] + "d")


@pytest.mark.parametrize(
    "family", ["logit", "proportions", "poisson", "gamma", "huber", "multinomial", "gaussian"]
)
def test_encodings_of_one_column(family):
    if family == "gaussian":
        X, y = data("huber")
        path = regpath.lasso_path(X, y, n_lambdas=3)
    else:
        problem, path = solved(family, "lasso")
        X, y = problem.X, problem.y
    expected = certify(path, X, y).dual_gaps
    for same in (y[:, None], pd.DataFrame({"y": y}), pl.DataFrame({"y": y})):
        np.testing.assert_array_equal(certify(path, X, same).dual_gaps, expected)


def test_one_of_several_responses():
    X, y = data("huber")
    path = regpath.lasso_path(X, y, family="mgaussian", n_lambdas=3)
    expected = certify(path, X, y[:, None]).dual_gaps
    assert expected.max() <= 1e-6
    np.testing.assert_array_equal(certify(path, X, y).dual_gaps, expected)
    with pytest.raises(ValueError, match="2 classes or columns; the path has 1"):
        certify(path, X, np.column_stack([y, y]))


@pytest.mark.parametrize("grouped", [False, True])
def test_shares_of_classes(rng, grouped):
    X, Y = rng.standard_normal((60, 4)), rng.dirichlet(np.ones(3), 60)
    path = regpath.lasso_path(X, Y, family=families.Multinomial(grouped=grouped), n_lambdas=4)
    certificate = path.certify(X, pd.DataFrame(Y))
    np.testing.assert_allclose(certificate.dual_gaps, path.dual_gaps, rtol=1e-3, atol=1e-12)
    np.testing.assert_allclose(certificate.objectives, path.objectives, rtol=1e-12)
    assert certificate.null_objective == pytest.approx(path.null_deviance / 120)
    with pytest.raises(ValueError, match="2 classes or columns; the path has 3"):
        path.certify(X, np.column_stack([Y[:, 0], 1 - Y[:, 0]]))


@pytest.mark.parametrize("family", ["efron", "breslow start"])
def test_encodings_of_survival_times(family):
    problem, path = solved(family, "lasso")
    expected = certify(path, problem.X, problem.y).dual_gaps
    names = ["time", "event"] if problem.y.shape[1] == 2 else ["start", "stop", "event"]
    fields = dict(zip(names, problem.y.T, strict=True))
    records = np.empty(len(problem.y), dtype=[(name, float) for name in reversed(names)])
    for name in names:
        records[name] = fields[name]
    frame = pd.DataFrame(fields)[names[::-1]]
    for y in (records, frame, pl.from_pandas(frame), problem.y.astype(np.float32)):
        found = certify(path, problem.X, y).dual_gaps
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)
    booleans = frame.assign(event=frame["event"] == 1)
    np.testing.assert_array_equal(certify(path, problem.X, booleans).dual_gaps, expected)


@pytest.mark.parametrize(
    ("family", "change", "message"),
    [
        ("logit", lambda y: y + 0.5, "does not know"),
        ("poisson", lambda y: y - 100, "does not know"),
        ("gamma", lambda y: y * 0, "does not know"),
        ("huber", lambda y: y * np.nan, "30 of 30 values are NaN"),
        ("multigaussian", lambda y: y[:, 0], "1 classes or columns; the path has 3"),
        ("multigaussian", lambda y: y[1:], r"\(29, 3\); X has 30 rows"),
        ("logit", lambda y: y[:-1], "29 values for the 30 rows"),
        ("multinomial", lambda y: y[:-1], "29 values for the 30 rows"),
        ("breslow", lambda y: y[:, :1], "time and event"),
        ("breslow", lambda y: y * [1, 0], "none of 30 rows has an event"),
        ("breslow", lambda y: y * [1, 3], "events 0 or 1"),
        ("breslow start", lambda y: y[:, [1, 1, 2]], "start < stop"),
    ],
)
def test_other_responses_are_refused(family, change, message):
    problem, path = solved(family, "lasso")
    with pytest.raises(ValueError, match=message):
        certify(path, problem.X, change(problem.y))


def test_other_settings_are_refused():
    problem, path = solved("efron strata start", "lasso")
    options = {**path.family_options, "strata": np.zeros(3)}
    with pytest.raises(ValueError, match="strata"):
        certify(dataclasses.replace(path, family_options=options), problem.X, problem.y)
    problem, path = solved("logit", "lasso")
    for keyword, value, message in [
        ("sample_weight", np.zeros(30), "not all 0"),
        ("offset", np.full(30, np.nan), "offset"),
        ("offset", np.zeros(7), "30 rows"),
    ]:
        with pytest.raises(ValueError, match=message):
            certify(path, problem.X, problem.y, **{keyword: value})


# --- null models --------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [-1000.0, -400.0, 200.0, 1000.0])
@pytest.mark.parametrize("family", ["poisson", "gamma", "tweedie 1.2", "tweedie 1.7", "logit"])
def test_a_shift_of_the_offset_goes_to_the_intercept(family, shift):
    problem, path = solved(family, "lasso")
    wrong = dataclasses.replace(path, coef_storage=0 * path.coef_storage)
    moved = dataclasses.replace(wrong, intercepts=path.intercepts - shift)
    expected = certify(wrong, problem.X, problem.y)
    found = certify(moved, problem.X, problem.y, offset=np.full(len(problem.y), shift))
    assert found.null_objective == pytest.approx(expected.null_objective, rel=1e-9)
    np.testing.assert_allclose(found.dual_gaps, expected.dual_gaps, rtol=1e-6)
    assert (found.dual_gaps > 0.01).any()


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1e100, 1e200])
@pytest.mark.parametrize("family", ["poisson", "gamma", "tweedie 1.7"])
def test_relative_gaps_do_not_depend_on_the_scale_of_y(family, scale):
    problem, path = solved(family, "lasso")
    wrong = dataclasses.replace(path, coef_storage=0 * path.coef_storage)
    power = {"poisson": 1.0, "gamma": 0.0, "tweedie 1.7": 0.3}[family]
    moved = dataclasses.replace(
        wrong, lambdas=path.lambdas * scale**power, intercepts=path.intercepts + np.log(scale)
    )
    expected = certify(wrong, problem.X, problem.y)
    found = certify(moved, problem.X, problem.y * scale)
    np.testing.assert_allclose(found.dual_gaps, expected.dual_gaps, rtol=1e-6)
    assert (found.dual_gaps > 0.01).any()


# --- edges --------------------------------------------------------------------------------------


def test_separated_classes():
    """Without a penalty there is no minimiser; the loss itself shows how close its infimum is."""
    X, y = np.linspace(-1, 1, 20)[:, None], (np.arange(20) >= 10).astype(float)
    problem = slow.Problem(X, y, "binomial", {}, 1, 1.0, {})
    for slope, low, high in [(10.0, 1e-3, 0.2), (400.0, 0, 1e-7), (1e5, 0, 1e-100)]:
        path = slow.make_path(problem, [0.0], np.zeros((1, 1)), np.full((1, 1, 1), slope))
        certificate = certify(path, X, y)
        excess = certificate.objectives[0] / certificate.null_objective
        assert low <= excess <= certificate.dual_gaps[0] * (1 + 1e-12) <= high


def test_a_null_model_that_is_saturated():
    X, y = np.arange(10.0)[:, None], np.full(10, 3.0)
    for family, at in [("poisson", np.log(3)), ("gamma", np.log(3)), ("huber", 3.0)]:
        problem = slow.Problem(X, y, family, {}, 1, 1.0, {})
        path = slow.make_path(problem, [0.1], np.full((1, 1), at), np.zeros((1, 1, 1)))
        certificate = certify(path, X, y)
        assert certificate.null_objective == 0
        assert certificate.dual_gaps[0] == 0
        worse = dataclasses.replace(path, intercepts=path.intercepts + 1e-6)
        assert certify(worse, X, y).dual_gaps[0] == np.inf


def test_a_linear_predictor_that_overflows_has_no_certificate():
    X, y = data("poisson")
    problem = slow.Problem(X, y, "poisson", {}, 1, 1.0, {})
    path = slow.make_path(problem, [0.1], np.zeros((1, 1)), np.full((1, 5, 1), 1e4))
    certificate = certify(path, X, y)
    assert certificate.objectives[0] == np.inf
    assert certificate.dual_gaps[0] == np.inf


def test_a_weak_ridge_counts_as_none():
    problem, _ = solved("logit", "lasso")
    ridge = dataclasses.replace(problem, l1_ratio=0.0)
    best, _ = slow.best_path(ridge, [1e-14])
    assert certify(best, problem.X, problem.y).dual_gaps[0] < 1e-11
    worse = dataclasses.replace(best, coef_storage=best.coef_storage * 0.999)
    found, optimum = (certify(path, problem.X, problem.y) for path in (worse, best))
    excess = found.objectives - optimum.objectives
    np.testing.assert_allclose(found.dual_gaps * found.null_objective, excess, rtol=1e-5)

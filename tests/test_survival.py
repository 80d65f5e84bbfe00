"""Baseline hazards: by hand, against a slow twin, and properties."""

import dataclasses

import numpy as np
import pytest
from handmade import make_path
from numpy.testing import assert_allclose, assert_array_equal

from regpath import Settings
from regpath.survival import Baseline, baseline

LAMBDA = 0.5


def cox(p=2, coefs=None, **changes):
    """A Cox path with two points."""
    coefs = np.zeros((p, 2)) if coefs is None else np.column_stack([np.zeros(p), coefs])
    options = {"ties": "breslow", "strata": changes.pop("strata", None)}
    values = {"family": "cox", "family_options": options, "intercepts": np.zeros(2)}
    return make_path(coefs, **(values | changes))


def slow(y, eta, weights):
    """The definition, one event time after another."""
    start, stop, event = y.T if y.shape[1] == 3 else (np.full(len(y), -np.inf), *y.T)
    risk = weights * np.exp(eta)
    times = np.unique(stop[(event == 1) & (weights > 0)])
    steps = [
        weights[(stop == t) & (event == 1)].sum() / risk[(start < t) & (t <= stop)].sum()
        for t in times
    ]
    return times, np.cumsum(steps)


@pytest.fixture
def data(rng):
    n = 60
    X = rng.standard_normal((n, 2))
    stop = rng.integers(2, 15, n).astype(float)  # many ties
    start = np.where(rng.random(n) < 0.5, -1.0, stop - rng.integers(1, 12, n))
    return X, np.column_stack([start, stop, rng.random(n) < 0.6])


# ---------------------------------------------------------------- the estimate


def test_by_hand():
    # Risk exp(eta): 1, 2, 4, 8. At 2 all are at risk but the late one; at 5 rows 1, 2 and 3.
    X = np.log([[1.0], [2.0], [4.0], [8.0]])
    y = np.array([[0.0, 2.0, 1.0], [0.0, 5.0, 1.0], [0.0, 6.0, 0.0], [2.0, 5.0, 1.0]])
    base = cox(1, [1.0]).baseline(X, y, LAMBDA)
    assert base.times.tolist() == [2.0, 5.0]
    assert_allclose(base.cumulative_hazard, [1 / 7, 1 / 7 + 2 / 14], rtol=1e-14)
    # Leaving out the entries, the row of risk 8 is there from the beginning.
    base = cox(1, [1.0]).baseline(X, y[:, 1:], LAMBDA)
    assert_allclose(base.cumulative_hazard, [1 / 15, 1 / 15 + 2 / 14], rtol=1e-14)
    # Weights count events and risks: (3 * 1) / (3 * 1 + 2 + 0.5 * 4), then (1 + 2) / (2 + 2 + 16).
    path = cox(1, [1.0], settings=Settings(sample_weight=[3.0, 1.0, 0.5, 2.0]))
    expected = np.cumsum([3 / 7, 3 / 20])
    assert_allclose(path.baseline(X, y, LAMBDA).cumulative_hazard, expected, rtol=1e-14)


def test_without_ties_covariates_and_entries_it_is_nelson_and_aalen(rng):
    times = rng.permutation(10) + 1.0
    y = np.column_stack([times, np.ones(10)])
    base = cox().baseline(rng.standard_normal((10, 2)), y, 1.0)
    assert_array_equal(base.times, np.arange(1.0, 11.0))
    assert_allclose(base.cumulative_hazard, np.cumsum(1.0 / np.arange(10, 0, -1)))


@pytest.mark.parametrize("columns", [[0, 1, 2], [1, 2]])
@pytest.mark.parametrize("weighted", [False, True])
def test_against_the_definition(data, rng, columns, weighted):
    X, y = data[0], data[1][:, columns]
    w = rng.integers(0, 4, len(y)).astype(float) if weighted else np.ones(len(y))
    offset = rng.standard_normal(len(y))
    settings = Settings(sample_weight=w if weighted else None, offset=offset)
    path = cox(coefs=[0.7, -1.2], settings=settings)
    base = path.baseline(X, y, LAMBDA)
    times, hazard = slow(y, X @ [0.7, -1.2] + offset, w)
    assert_array_equal(base.times, times)
    assert_allclose(base.cumulative_hazard, hazard, rtol=1e-12)


def test_the_lambda_chooses_the_coefficients(data):
    X, y = data
    path = cox(coefs=[0.7, -1.2])
    between = path.baseline(X, y, 0.75).cumulative_hazard
    assert_allclose(between, slow(y, X @ [0.35, -0.6], np.ones(len(y)))[1], rtol=1e-12)
    at_point = path.baseline(X, y, path.at_df(2)).cumulative_hazard
    assert_array_equal(at_point, path.baseline(X, y, LAMBDA).cumulative_hazard)


def test_strata_have_hazards_of_their_own(data, rng):
    X, y = data
    strata, w = rng.choice(["north", "south"], len(y)), rng.uniform(0.5, 2.0, len(y))
    path = cox(coefs=[0.7, -1.2], strata=strata, settings=Settings(sample_weight=w))
    found = path.baseline(X, y, LAMBDA)
    assert list(found) == ["north", "south"]
    for name, base in found.items():
        own = strata == name
        alone = cox(coefs=[0.7, -1.2], settings=Settings(sample_weight=w[own]))
        expected = alone.baseline(X[own], y[own], LAMBDA)
        assert_array_equal(base.times, expected.times)
        assert_allclose(base.cumulative_hazard, expected.cumulative_hazard, rtol=1e-13)


def test_a_row_without_weight_leaves_no_trace(data):
    X, y = data
    expected = cox(coefs=[0.7, -1.2]).baseline(X, y, LAMBDA)
    X, y = np.vstack([X, [1e4, 0.0]]), np.vstack([y, [0.0, 7.5, 1.0]])  # eta = 7000
    path = cox(coefs=[0.7, -1.2], settings=Settings(sample_weight=np.arange(len(y), 0, -1) > 1))
    base = path.baseline(X, y, LAMBDA)
    assert_array_equal(base.times, expected.times)
    assert_allclose(base.cumulative_hazard, expected.cumulative_hazard, rtol=1e-12)


def test_a_stratum_without_events_has_no_hazard():
    y = np.array([[1.0, 1.0], [2.0, 0.0], [3.0, 1.0]])
    found = cox(strata=[1, 2, 1]).baseline(np.zeros((3, 2)), y, LAMBDA)
    assert list(found) == [1, 2]
    assert found[2].times.size == 0
    assert_array_equal(found[2].survival([0.0, 5.0]), [1.0, 1.0])
    assert repr(found[2]) == "Baseline(no events)"
    assert repr(found[1]).startswith("Baseline(2 event times from 1 to 3")


def test_expected_events_are_those_that_happened(data):
    # Martingale residuals sum to zero: sum_i [H(stop_i) - H(start_i)] exp(eta_i) = events.
    X, y = data
    base = cox(coefs=[0.7, -1.2]).baseline(X, y, LAMBDA)
    spans = base.hazard(y[:, 1]) - base.hazard(y[:, 0])
    assert spans @ np.exp(X @ [0.7, -1.2]) == pytest.approx(y[:, 2].sum(), rel=1e-12)


def test_weights_are_replications_and_their_scale_does_not_matter(data, rng):
    X, y = data
    w = rng.integers(0, 4, len(y))
    weighted = cox(coefs=[0.7, -1.2], settings=Settings(sample_weight=w / 7.0))
    base = weighted.baseline(X, y, LAMBDA)
    repeated = cox(coefs=[0.7, -1.2]).baseline(X.repeat(w, axis=0), y.repeat(w, axis=0), LAMBDA)
    assert_array_equal(base.times, repeated.times)
    assert_allclose(base.cumulative_hazard, repeated.cumulative_hazard, rtol=1e-12)


def test_a_shift_of_eta_scales_the_hazard_however_far(data):
    X, y = data
    plain = cox(coefs=[0.7, -1.2]).baseline(X, y, LAMBDA)
    eta = X @ [0.7, -1.2]
    for shift in (3.0, -300.0, 2000.0):  # exp(2000) is beyond the floats
        path = cox(coefs=[0.7, -1.2], settings=Settings(offset=np.full(len(y), shift)))
        base = path.baseline(X, y, LAMBDA)
        assert_allclose(base.cumulative_hazard, plain.cumulative_hazard * np.exp(-shift), rtol=1e-9)
        if shift < 500.0:
            curves = base.survival(plain.times, eta + shift)
            assert_allclose(curves, plain.survival(plain.times, eta), rtol=1e-9, atol=1e-12)


def test_a_large_risk_that_has_ended_leaves_small_ones_exact():
    # The first row dominates by 1e30 until time 1, or from time 3 on.
    X = np.array([[30.0], [0.0], [0.0]]) * np.log(10.0)
    for y in (
        [[0.0, 1.0, 0.0], [0.0, 2.0, 1.0], [0.0, 2.5, 0.0]],
        [[3.0, 4.0, 0.0], [0.0, 2.0, 1.0], [0.0, 2.5, 0.0]],
    ):
        base = cox(1, [1.0]).baseline(X, np.array(y), LAMBDA)
        assert_allclose(base.cumulative_hazard, [0.5], rtol=1e-13)


# ---------------------------------------------------------------- forms and refusals


def test_fields_with_names(data):
    X, y = data
    kinds = [("event", "?"), ("stop", float), ("start", float)]
    fields = np.empty(len(y), dtype=kinds)
    fields["start"], fields["stop"], fields["event"] = y.T
    path = cox(coefs=[0.7, -1.2])
    expected = path.baseline(X, y, LAMBDA)
    found = baseline(path, X, fields, LAMBDA)
    assert_array_equal(found.cumulative_hazard, expected.cumulative_hazard)
    short = fields[["event", "stop"]].copy()
    short.dtype.names = ("event", "time")
    expected = path.baseline(X, y[:, 1:], LAMBDA)
    assert_array_equal(
        path.baseline(X, short, LAMBDA).cumulative_hazard, expected.cumulative_hazard
    )


GOOD = np.array([[1.0, 1.0], [2.0, 0.0], [3.0, 1.0]])


@pytest.mark.parametrize(
    ("change", "X", "y", "lambda_", "message"),
    [
        ({"family": "poisson"}, np.zeros((3, 2)), GOOD, 1.0, "poisson family has no hazard"),
        ({}, np.zeros((3, 2)), GOOD, [1.0, 0.5], "one lambda_, not 2"),
        ({}, np.zeros((3, 2)), GOOD, 7.0, "outside of the path"),
        ({}, np.zeros((4, 2)), GOOD, 1.0, r"^Path.baseline\(y=...\)"),
        ({}, np.zeros((3, 2)), GOOD[:, 0], 1.0, r"^Path.baseline\(y=...\)"),
        ({}, np.zeros((3, 2)), 2.0 * GOOD, 1.0, "events 0 or 1"),
        ({"settings": Settings(sample_weight=[1.0, 2.0])}, np.zeros((3, 2)), GOOD, 1.0,
         r"3 rows, but .* sample_weight of shape \(2,\)"),
        ({"settings": Settings(offset=[1.0, 2.0])}, np.zeros((3, 2)), GOOD, 1.0,
         r"3 rows, but .* offset of shape \(2,\)"),
        ({"strata": [1, 2]}, np.zeros((3, 2)), GOOD, 1.0, r"strata has shape \(2,\)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(change, X, y, lambda_, message):
    with pytest.raises(ValueError, match=message):
        cox(**change).baseline(X, y, lambda_)


# ---------------------------------------------------------------- the step function


@pytest.fixture
def base():
    return Baseline(np.array([1.0, 3.0]), np.array([0.5, 1.5]))


def test_steps_are_continuous_from_the_right(base):
    at = [-np.inf, 0.0, np.nextafter(1.0, 0.0), 1.0, 2.0, np.nextafter(3.0, 0.0), 3.0, np.inf]
    expected = [0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 1.5, 1.5]
    assert_array_equal(base.hazard(at), expected)
    assert_allclose(base.survival(at), np.exp(-np.array(expected)))
    assert base.hazard(3.0) == 1.5
    with pytest.raises(ValueError, match="nan is no time"):
        base.hazard([1.0, np.nan])


def test_survival_curves_of_rows(base):
    at, eta = np.array([0.5, 1.0, 2.0, 3.0]), np.array([-1.0, 0.0, 2.0])
    curves = base.survival(at, eta)
    assert curves.shape == (3, 4)
    assert_allclose(curves, base.survival(at) ** np.exp(eta)[:, None])
    assert (np.diff(curves, axis=1) <= 0.0).all()
    assert_array_equal(curves[:, 0], 1.0)


def test_survival_of_extreme_rows_raises_no_warning(base):
    with np.errstate(all="raise"):
        curves = base.survival([0.0, 1.0], [1e4, -1e4])
    assert_array_equal(curves, [[1.0, 0.0], [1.0, 1.0]])


def test_a_baseline_is_a_value(base):
    with pytest.raises(ValueError, match="read-only"):
        base.times[0] = 2.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        base.times = np.zeros(2)
    with pytest.raises(ValueError, match=r"both must be \(m,\)"):
        Baseline(np.zeros(2), np.zeros(3))


def test_no_lambda_is_refused_by_name(data):
    with pytest.raises(ValueError, match=r"Path\.baseline: give one lambda_, not None"):
        cox().baseline(*data, None)

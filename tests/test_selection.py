"""Folds of a cross-validation are paths of their own rows, and scores are those of their models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from selection_cases import (
    FAMILIES,
    LABELS,
    OUTPUTS,
    TOL,
    K,
    N,
    assert_same_path,
    design,
    path_of_rows,
    response,
)

import regpath
from regpath import scoring

pytestmark = pytest.mark.filterwarnings("ignore::regpath.SelectionWarning")

STORAGES = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "float32": lambda X: X.astype(np.float32),
    "int8": lambda X: X.astype(np.int8),
    "csc": sparse.csc_array,
    "csr": sparse.csr_array,
}
WEIGHTS = np.random.default_rng(3).integers(1, 4, N).astype(float)
OFFSET = np.random.default_rng(4).integers(-2, 3, N) / 4.0
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "weights": {"sample_weight": WEIGHTS},
    "offset": {"offset": OFFSET},
    "enet": {"l1_ratio": 0.4},
    "ridge": {"l1_ratio": 0.0},
    "factors": {"penalty_factor": [1.0, 0.0, 2.0, np.inf, 0.5, 1.0]},
    "limits": {"lower": -0.05, "upper": [0.1, 1.0, 0.2, np.inf, 0.0, 0.3]},
    "raw": {"standardize": False},
    "no intercept": {"fit_intercept": False},
    "everything": {
        "sample_weight": WEIGHTS,
        "offset": OFFSET,
        "l1_ratio": 0.7,
        "penalty_factor": [1.0, 0.5, 2.0, 1.0, 0.5, 1.0],
        "standardize": False,
        "fit_intercept": False,
    },
}
GRID = np.array([0.3, 0.1, 0.03, 0.01])


def cross_validate(case: str, X, y, **options: Any) -> regpath.CVPath:
    options = {"family": FAMILIES[case], "cv": LABELS, "lambdas": GRID, "tol": TOL} | options
    return regpath.cv_path(X, y, **options)


def assert_folds_are_paths_of_rows(case, cv, X, y, rows_of_folds, **options):
    for path, rows in zip(cv.fold_paths, rows_of_folds, strict=True):
        alone = path_of_rows(
            X, y, rows, family=FAMILIES[case], lambdas=cv.lambdas, tol=TOL, **options
        )
        assert_same_path(path, alone)


NO_LIMITS = ("grouped", "multigaussian")


@pytest.mark.parametrize(
    ("case", "variant"),
    [
        (case, variant)
        for case in FAMILIES
        for variant in VARIANTS
        if not (variant == "limits" and case in NO_LIMITS)
    ],
)
def test_a_fold_is_the_path_of_its_rows(case, variant):
    options = VARIANTS[variant]
    if case in OUTPUTS and "offset" in options:
        options = options | {"offset": OFFSET[:, None] * [1.0, 0.0, -1.0]}
    X = design()
    y = response(case, X)
    cv = cross_validate(case, X, y, **options)
    whole = regpath.fit_path(X, y, family=FAMILIES[case], lambdas=GRID, tol=TOL, **options)
    assert_same_path(cv.path, whole)
    training = [np.flatnonzero(np.isin(LABELS, k, invert=True)) for k in range(K)]
    assert_folds_are_paths_of_rows(case, cv, X, y, training, **options)
    # With limits every multiple of the residual is a dual point; certify may pick a worse one.
    bound = 100 * TOL if variant == "limits" else TOL * 1.01 + 1e-12
    for path in cv.fold_paths:
        certificate = path.certify(X, y)
        assert certificate.dual_gaps.max() <= bound
        assert_allclose(certificate.objectives, path.objectives, rtol=1e-9)


def overlapping() -> list[Any]:
    """As many test rows as there are rows, some of them twice and some never."""
    rng = np.random.default_rng(5)
    orders = [rng.permutation(N) for _ in range(K)]
    return [(np.sort(order[N // K :]), np.sort(order[: N // K])) for order in orders]


@pytest.mark.parametrize("case", ["gaussian", "poisson"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.0])
def test_folds_that_overlap(case, l1_ratio):
    X, folds = design(), overlapping()
    y = response(case, X)
    cv = cross_validate(case, X, y, cv=folds, l1_ratio=l1_ratio)
    options = {"family": FAMILIES[case], "l1_ratio": l1_ratio, "tol": TOL}
    assert_same_path(cv.path, regpath.fit_path(X, y, lambdas=GRID, **options))
    assert_folds_are_paths_of_rows(case, cv, X, y, [rows for rows, _ in folds], l1_ratio=l1_ratio)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("case", ["gaussian", "poisson", "multinomial", "multigaussian", "cox"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.0])
def test_storages(case, storage, l1_ratio):
    X = design()
    y = response(case, X)
    cv = cross_validate(case, STORAGES[storage](X), y, l1_ratio=l1_ratio)
    dense = cross_validate(case, X, y, l1_ratio=l1_ratio)
    for one, other in zip(cv.fold_paths, dense.fold_paths, strict=True):
        assert_same_path(one, other)
    assert_allclose(cv.fold_scores, dense.fold_scores, rtol=1e-4)
    assert_array_equal(cv.fold_weights, dense.fold_weights)


@pytest.mark.parametrize("case", ["gaussian", "binomial", "grouped", "multigaussian", "cox"])
@pytest.mark.parametrize("variant", ["plain", "weights"])
def test_bootstrap(case, variant):
    """Rows that are drawn several times count several times."""
    X, rng = design(), np.random.default_rng(8)
    y, options = response(case, X), VARIANTS[variant]
    draws = [rng.integers(0, N, N) for _ in range(4)]
    pairs = [(rows, np.setdiff1d(np.arange(N), rows)) for rows in draws]
    cv = cross_validate(case, X, y, cv=pairs, **options)
    if case != "cox" or variant == "plain":
        # Efron's ties aside, copies of a row are the row with more weight.
        assert_folds_are_paths_of_rows(case, cv, X, y, draws, **options)
    for path in cv.fold_paths:
        assert path.certify(X, y).dual_gaps.max() <= TOL * 1.01 + 1e-12


@given(
    seed=st.integers(0, 1000),
    n=st.integers(8, 30),
    p=st.integers(1, 40),
    l1_ratio=st.sampled_from([1.0, 0.5, 0.0]),
    case=st.sampled_from(["gaussian", "poisson", "multigaussian"]),
    sparsely=st.booleans(),
)
def test_any_shape(seed, n, p, l1_ratio, case, sparsely):
    rng = np.random.default_rng(seed)
    X = np.column_stack([design(seed, n, 3), rng.standard_normal((n, p))])
    y = response(case, X, seed)
    if case == "poisson":
        y += np.arange(n) % 2  # no fold of zeros
    labels = rng.permutation(np.arange(n) % 3)
    given = sparse.csc_array(X) if sparsely else X
    cv = cross_validate(case, given, y, cv=labels, l1_ratio=l1_ratio, lambdas=None, n_lambdas=5)
    training = [np.flatnonzero(np.isin(labels, k, invert=True)) for k in range(3)]
    assert_folds_are_paths_of_rows(case, cv, X, y, training, l1_ratio=l1_ratio)


# ------------------------------------------------------------------------------ what is the same


def assert_equal_scores(one: regpath.CVPath, other: regpath.CVPath, rtol: float = 1e-5) -> None:
    assert_allclose(one.fold_scores, other.fold_scores, rtol=rtol, atol=1e-12)
    assert_allclose(one.mean_scores, other.mean_scores, rtol=rtol, atol=1e-12)
    assert_allclose(one.std_errors, other.std_errors, rtol=1e-3, atol=1e-8)
    assert one.index_min == other.index_min


FINE = 1e-12


@pytest.mark.parametrize("case", FAMILIES)
def test_number_of_jobs_and_threads_does_not_matter(case):
    X = design()
    y = response(case, X)
    first = cross_validate(case, X, y, n_jobs=1, n_threads=1)
    for n_jobs, n_threads in ((2, 1), (3, 2), (7, 3), (-1, None)):
        cv = cross_validate(case, X, y, n_jobs=n_jobs, n_threads=n_threads)
        assert_array_equal(cv.fold_scores, first.fold_scores)
        assert_array_equal(cv.mean_scores, first.mean_scores)
        assert_array_equal(cv.std_errors, first.std_errors)
        for one, other in zip(
            (cv.path, *cv.fold_paths), (first.path, *first.fold_paths), strict=True
        ):
            assert_array_equal(one.coefs, other.coefs)
            assert_array_equal(one.intercepts, other.intercepts)
            assert_array_equal(one.dual_gaps, other.dual_gaps)


@pytest.mark.parametrize("storage", [np.asfortranarray, sparse.csc_array])
@pytest.mark.parametrize("case", ["gaussian", "poisson"])
def test_threads_that_do_work_do_not_matter(case, storage):
    """Large enough for passes to be worth several threads."""
    rng = np.random.default_rng(6)
    X = rng.standard_normal((600, 7001)) * (rng.random((600, 7001)) < 0.6)
    eta = 0.3 * X[:, :5].sum(axis=1)
    y = eta + rng.standard_normal(600) if case == "gaussian" else rng.poisson(np.exp(eta))
    options = {"cv": np.arange(600) % 3, "lambdas": None, "n_lambdas": 8, "lambda_min_ratio": 0.3}
    one, two = (
        cross_validate(case, storage(X), y, n_jobs=n_jobs, n_threads=n_threads, **options)
        for n_jobs, n_threads in ((1, 1), (2, 3))
    )
    assert_array_equal(one.fold_scores, two.fold_scores)
    for path, other in zip(one.fold_paths, two.fold_paths, strict=True):
        assert_array_equal(path.coefs, other.coefs)


@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("case", ["gaussian", "binomial", "multinomial", "cox"])
def test_order_of_rows_does_not_matter(case, grouped):
    X, order = design(), np.random.default_rng(9).permutation(N)
    y, options = response(case, X), {"grouped": grouped, "tol": FINE, "sample_weight": WEIGHTS}
    one = cross_validate(case, X, y, **options)
    options["sample_weight"] = WEIGHTS[order]
    assert_equal_scores(one, cross_validate(case, X[order], y[order], cv=LABELS[order], **options))


@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("case", ["gaussian", "binomial", "poisson", "grouped", "cox"])
def test_weights_are_copies_of_rows(case, grouped):
    X, rows = design(), np.repeat(np.arange(N), WEIGHTS.astype(int))
    y, options = response(case, X), {"grouped": grouped, "tol": FINE}
    one = cross_validate(case, X, y, sample_weight=WEIGHTS, **options)
    two = cross_validate(case, X[rows], y[rows], cv=LABELS[rows], **options)
    assert_allclose(one.fold_scores, two.fold_scores, rtol=1e-5)
    assert_allclose(one.mean_scores, two.mean_scores, rtol=1e-5)
    assert_allclose(one.fold_weights, two.fold_weights)
    if grouped:
        assert_allclose(one.std_errors, two.std_errors, rtol=1e-3)


@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("fold_lambdas", ["shared", "glmnet"])
@pytest.mark.parametrize("case", ["gaussian", "binomial", "poisson", "multigaussian", "cox"])
def test_rows_without_weight_may_hold_anything(case, grouped, fold_lambdas):
    X = design()
    y, junk = response(case, X), [0, 7, 22, 23]
    rest = np.setdiff1d(np.arange(N), junk)
    weights = WEIGHTS.copy()
    weights[junk] = 0.0
    options = {
        "grouped": grouped, "tol": FINE, "fold_lambdas": fold_lambdas, "lambdas": None,
        "n_lambdas": 6, "l1_ratio": 0.5,
    }  # fmt: skip
    clean = cross_validate(
        case, X[rest], y[rest], cv=LABELS[rest], sample_weight=weights[rest], **options
    )
    X[junk] = [[1e300], [-1e300], [1e200], [0.0]]
    if case == "binomial":
        y[junk] = "neither"
    elif case == "gaussian":
        y[junk] = [1e300, -1e300, 1e200, 0.0]
    cv = cross_validate(case, X, y, sample_weight=weights, **options)
    assert_allclose(cv.lambdas, clean.lambdas)
    assert_equal_scores(cv, clean)
    assert_allclose(cv.fold_weights, clean.fold_weights)
    offset = np.zeros(N)
    offset[junk] = 1e300
    if case != "cox":
        assert_equal_scores(
            cross_validate(case, X, y, sample_weight=weights, offset=offset, **options), clean
        )


@pytest.mark.parametrize("scale", [1e-150, 1e-60, 1e60, 1e150])
@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("fold_lambdas", ["shared", "glmnet"])
def test_units_of_the_response(scale, grouped, fold_lambdas):
    X = design()
    y = response("gaussian", X)
    options = {
        "cv": LABELS, "grouped": grouped, "fold_lambdas": fold_lambdas, "n_lambdas": 7, "tol": FINE,
    }  # fmt: skip
    one, two = regpath.cv_path(X, y, **options), regpath.cv_path(X, scale * y, **options)
    assert_allclose(two.lambdas, scale * one.lambdas, rtol=1e-8)
    assert_allclose(two.mean_scores / scale / scale, one.mean_scores, rtol=1e-7)
    assert_allclose(two.std_errors / scale / scale, one.std_errors, rtol=1e-6)
    assert (one.index_min, one.index_1se) == (two.index_min, two.index_1se)


def test_units_of_the_weights():
    X = design()
    y = response("gaussian", X)
    one = cross_validate("gaussian", X, y, sample_weight=WEIGHTS, tol=FINE)
    for unit in (1e-300, 1e300):
        two = cross_validate("gaussian", X, y, sample_weight=unit * WEIGHTS, tol=FINE)
        assert_equal_scores(one, two)


def test_nothing_of_the_user_is_changed():
    X = design()
    y, offset, weights, labels = (
        response("poisson", X),
        OFFSET.copy(),
        WEIGHTS.copy(),
        LABELS.copy(),
    )
    grid = GRID[::-1].copy()
    arrays = [np.asfortranarray(X), y, offset, weights, labels, grid]
    before = [a.copy() for a in arrays]
    cross_validate(
        "poisson", arrays[0], y, cv=labels, offset=offset, sample_weight=weights, lambdas=grid,
        scoring=lambda y, m, sample_weight: float(np.sum(y.sort() or m.sort() or 0.0)),
    )  # fmt: skip
    for one, other in zip(arrays, before, strict=True):
        assert_array_equal(one, other)
        one[...] = 0  # still theirs to write to


# -------------------------------------------------------------------------------------- scores


def out_of_fold_by_hand(cv, X, type="response", offset=None):
    pieces = [
        path.predict(X[rows], None, type, None if offset is None else offset[rows])
        for path, rows in zip(cv.fold_paths, cv.held_out, strict=True)
    ]
    together = np.concatenate(pieces)
    return together[np.argsort(np.concatenate(cv.held_out))]


@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_scores_by_hand(grouped, weighted):
    X = design()
    y, w = response("gaussian", X), WEIGHTS if weighted else np.ones(N)
    options = {"sample_weight": w} if weighted else {}
    cv = cross_validate("gaussian", X, y, grouped=grouped, offset=OFFSET, **options)
    assert cv.grouped == grouped
    losses = (y[:, None] - out_of_fold_by_hand(cv, X, offset=OFFSET)) ** 2
    folds = np.array([np.average(losses[rows], axis=0, weights=w[rows]) for rows in cv.held_out])
    assert_allclose(cv.fold_scores, folds, rtol=1e-12)
    sums = np.bincount(LABELS, w)
    assert_allclose(cv.fold_weights, sums)
    mean = np.average(losses, axis=0, weights=w)
    assert_allclose(cv.mean_scores, mean, rtol=1e-12)
    if grouped:
        expected = np.sqrt(np.average((folds - mean) ** 2, axis=0, weights=sums) / (K - 1))
    else:
        expected = np.sqrt(np.average((losses - mean) ** 2, axis=0, weights=w) / (N - 1))
    assert_allclose(cv.std_errors, expected, rtol=1e-10)


def test_leave_one_out_by_hand():
    X = design()
    y = response("gaussian", X)
    cv = cross_validate("gaussian", X, y, cv="loo")
    losses = (y[:, None] - out_of_fold_by_hand(cv, X)) ** 2
    assert not cv.grouped
    assert_allclose(cv.fold_scores, losses, rtol=1e-12)
    assert_allclose(cv.mean_scores, losses.mean(axis=0))
    assert_allclose(cv.std_errors, losses.std(axis=0) / np.sqrt(N - 1))


@pytest.mark.parametrize(
    ("n_folds", "rows_enough"), [(N // 3, True), (N // 3 + 1, False), (N // 2, False)]
)
def test_small_folds_take_single_rows(n_folds, rows_enough):
    X = design()
    cv = cross_validate("gaussian", X, response("gaussian", X), cv=np.arange(N) % n_folds)
    assert cv.grouped == rows_enough


def test_repeated_folds_are_not_small():
    """Many folds of many rows each."""
    X, rng = design(), np.random.default_rng(0)
    pairs = [np.split(rng.permutation(N), [36]) for _ in range(20)]
    cv = cross_validate("gaussian", X, response("gaussian", X), cv=[tuple(p) for p in pairs])
    assert cv.grouped


NAMES = [
    (case, name)
    for case, family in FAMILIES.items()
    for name in scoring.available(regpath.families.resolve("cv_path", family))
]


@pytest.mark.parametrize(("case", "name"), NAMES)
@pytest.mark.parametrize("grouped", [True, False])
def test_every_score(case, name, grouped):
    """The score of a fold is that of `scoring` on its held-out rows."""
    X = design()
    y = response(case, X)
    cv = cross_validate(case, X, y, scoring=name, grouped=grouped, sample_weight=WEIGHTS)
    assert cv.scoring == name
    assert cv.fold_scores.shape == (K, GRID.size)
    assert np.isfinite(cv.fold_scores).all()
    assert np.isfinite(cv.std_errors).all()
    assert cv.greater_is_better == (name in ("auc", "r2", "c_index"))
    best = cv.mean_scores.max() if cv.greater_is_better else cv.mean_scores.min()
    assert cv.mean_scores[cv.index_min] == best
    assert_allclose(
        cv.mean_scores, np.average(cv.fold_scores, axis=0, weights=cv.fold_weights), rtol=1e-10
    )
    assert cv.score_label in repr(cv)


def test_function_as_loss():
    """It is given held-out rows of positive weight, in the user's form, and their weights."""
    X = design()
    y, weights, seen = response("binomial", X), WEIGHTS.copy(), []
    weights[3] = 0.0

    def loss(y_true, y_pred, sample_weight):
        seen.append((y_true, sample_weight))
        return np.average((y_true == "yes") != (y_pred > 0.5), weights=sample_weight)

    cv = cross_validate(
        "binomial", X, y, scoring=loss, sample_weight=weights, n_jobs=1, lambdas=GRID
    )
    named = cross_validate("binomial", X, y, scoring="class", sample_weight=weights)
    assert_allclose(cv.fold_scores, named.fold_scores)
    assert not cv.greater_is_better
    assert cv.scoring == "loss"
    assert len(seen) == K * GRID.size
    rows = [np.flatnonzero((LABELS == k) & (weights > 0)) for k in range(K)]  # noqa: SIM300
    expected = {(tuple(y[r]), tuple(weights[r])) for r in rows}
    assert {(tuple(a), tuple(np.round(b, 9))) for a, b in seen} == expected


@pytest.mark.parametrize("container", [list, pd.Series, np.asarray])
def test_function_on_the_responses_of_the_user(container):
    X = design()
    y = response("gaussian", X)
    given = pd.Series(y, index=np.arange(N)[::-1]) if container is pd.Series else container(y)

    def loss(y_true, y_pred, sample_weight):
        return np.average((np.asarray(y_true) - y_pred) ** 2, weights=sample_weight)

    cv = cross_validate("gaussian", X, given, scoring=loss)
    assert_allclose(cv.fold_scores, cross_validate("gaussian", X, y).fold_scores, rtol=1e-12)


def test_greater_is_better():
    X = design()
    y = response("gaussian", X)

    def minus(y_true, y_pred, sample_weight):
        return -np.average((y_true - y_pred) ** 2, weights=sample_weight)

    scorer = scoring.make_scorer(minus, greater_is_better=True)
    cv, mse = (cross_validate("gaussian", X, y, scoring=s) for s in (scorer, "mse"))
    assert_allclose(cv.mean_scores, -mse.mean_scores, rtol=1e-12)
    assert (cv.index_min, cv.index_1se) == (mse.index_min, mse.index_1se)
    assert cv.at("5%").index == mse.at("5%").index


def test_folds_without_a_score_rest():
    """A fold of one class has no area under the curve."""
    X = design()
    y = response("binomial", X)
    labels = LABELS.copy()
    labels[(y == "yes") & np.isin(LABELS, 0)] = 1
    cv = cross_validate("binomial", X, y, cv=labels, scoring="auc")
    assert np.isnan(cv.fold_scores[0]).all()
    assert np.isfinite(cv.fold_scores[1:]).all()
    mean = np.average(cv.fold_scores[1:], axis=0, weights=cv.fold_weights[1:])
    assert_allclose(cv.mean_scores, mean)
    spread = np.average((cv.fold_scores[1:] - mean) ** 2, axis=0, weights=cv.fold_weights[1:])
    assert_allclose(cv.std_errors, np.sqrt(spread / (K - 2)))


def test_a_fold_that_is_infinitely_bad_does_not_rest():
    X = design()
    y = response("gaussian", X)

    def loss(y_true, y_pred, sample_weight):
        error = np.average((y_true - y_pred) ** 2, weights=sample_weight)
        return np.inf if abs(error / worst - 1) < 1e-12 else error

    worst = cross_validate("gaussian", X, y).fold_scores[2].min()
    cv = cross_validate("gaussian", X, y, scoring=loss)
    bad = np.isinf(cv.fold_scores).any(axis=0)
    assert bad.sum() == 1
    assert_array_equal(cv.mean_scores == np.inf, bad)
    assert cv.index_min != np.flatnonzero(bad)[0]
    assert np.isfinite(cv.std_errors[~bad]).all()


@pytest.mark.parametrize("grouped", [True, False])
def test_predictions_beyond_all_numbers(grouped):
    """A row so far from those of the fit that its mean overflows."""
    X = design()
    y = response("poisson", X)
    X[5, 0] = 1e5
    grid = [np.inf, *GRID]
    cv = cross_validate("poisson", X, y, scoring="mae", grouped=grouped, lambdas=grid)
    assert np.isinf(cv.fold_scores[1]).any()
    assert_array_equal(np.isinf(cv.mean_scores), np.isinf(cv.fold_scores[1]))
    assert_array_equal(np.isnan(cv.std_errors), np.isinf(cv.mean_scores))
    assert np.isfinite(cv.mean_scores[cv.index_min])


def test_no_fold_has_a_score():
    X = design()
    y = response("binomial", X)
    with pytest.warns(regpath.SelectionWarning, match=r"no fold has a score \(area under"):
        cv = cross_validate("binomial", X, y, cv="loo", scoring="auc")
    assert np.isnan(cv.mean_scores).all()
    assert cv.path.lambdas.size == GRID.size
    for choose in (lambda: cv.at("min"), lambda: cv.lambda_1se, lambda: cv.predict(X, "2%")):
        with pytest.raises(ValueError, match="no fold has a score"):
            choose()
    assert "area under the ROC curve" in repr(cv)
    assert cv.at(lambda cv: 2).index == 2

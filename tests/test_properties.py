"""Properties that hold for every gaussian problem: a row per kind of problem, a test per property.

Fits are compared through their linear predictors. The loss is strongly convex in them, so two
points with relative gaps g and h have predictors within sqrt(2 null) (sqrt(g) + sqrt(h)) of each
other in weighted norm, however badly conditioned the columns are.
"""

from __future__ import annotations

from dataclasses import dataclass

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import sparse

import regpath

TOL = 1e-11
SHARES = np.array([0.8, 0.3, 0.05, 0.005])
"""The lambdas, as shares of the largest gradient of the null model."""


def mixed_factors(rng, p):
    return rng.choice([0.5, 1.0, 2.0, np.inf, 0.0], p, p=[0.2, 0.4, 0.2, 0.1, 0.1])


def mixed_limits(rng, p):
    lower = -rng.choice([0.0, 0.05, 1.0, np.inf], p)
    return {"lower": lower, "upper": rng.choice([0.05, 1.0, np.inf], p)}


# What a row makes of a generator, n and p: the options of a fit.
ROWS = {
    "lasso": lambda rng, n, p: {},
    "elastic net": lambda rng, n, p: {"l1_ratio": 0.4},
    "ridge": lambda rng, n, p: {"l1_ratio": 0.0},
    "almost ridge": lambda rng, n, p: {"l1_ratio": 1e-12},
    "raw": lambda rng, n, p: {"standardize": False},
    "no intercept": lambda rng, n, p: {"fit_intercept": False, "l1_ratio": 0.9},
    "weights": lambda rng, n, p: {"sample_weight": rng.integers(0, 4, n) + (np.arange(n) < 3)},
    "offset": lambda rng, n, p: {"offset": 3 * rng.standard_normal(n), "l1_ratio": 0.6},
    "factors": lambda rng, n, p: {"penalty_factor": mixed_factors(rng, p)},
    "ridge factors": lambda rng, n, p: {"penalty_factor": mixed_factors(rng, p), "l1_ratio": 0.0},
    "limits": lambda rng, n, p: mixed_limits(rng, p),
    "nonnegative": lambda rng, n, p: {"lower": np.zeros(p), "l1_ratio": 0.8},
    "everything": lambda rng, n, p: {
        **mixed_limits(rng, p),
        "l1_ratio": 0.7,
        "standardize": False,
        "fit_intercept": False,
        "penalty_factor": mixed_factors(rng, p),
        "sample_weight": rng.integers(0, 4, n) + (np.arange(n) < 3),
        "offset": rng.standard_normal(n),
    },
}

rows = pytest.mark.parametrize("row", ROWS)
few = settings(max_examples=6)


@dataclass(frozen=True)
class Draw:
    """The seed and the shape of a problem; small numbers shrink well."""

    seed: int
    n: int
    p: int
    kind: str

    def data(self):
        """Integer columns that every dtype holds exactly, some of them special, and a response."""
        rng = np.random.default_rng(self.seed)
        X = rng.integers(-5, 6, (self.n, self.p)).astype(float)
        X *= rng.random(X.shape) < rng.choice([0.2, 0.7, 1.0])
        if self.kind == "duplicates" and self.p > 2:
            X[:, -1], X[:, -2] = X[:, 0], -X[:, 0]
        if self.kind == "collinear" and self.p > 3:
            X[:, 3] = X[:, 0] - X[:, 1]
        if self.kind == "constant":
            X[:, 0] = 1.0
        y = X[:, : 1 + self.p // 3].sum(axis=1) + 4 * rng.standard_normal(self.n) + 2
        return X, y, rng


kinds = st.sampled_from(["plain", "duplicates", "collinear", "constant"])
draws = st.builds(
    Draw,
    seed=st.integers(0, 10_000),
    n=st.integers(4, 30),
    p=st.integers(1, 40),
    kind=kinds,
)


def fit(X, y, options, lambdas, **more):
    return regpath.fit_path(X, y, **{"tol": TOL, **options, "lambdas": lambdas, **more})


def make_grid(X, y, options):
    problem = naive_problem(X, y, options)
    columns = (problem.X - problem.weighted_mean) / problem.scale
    target = problem.y - (problem.weights @ problem.y if problem.fit_intercept else 0)
    size = np.abs(columns.T @ (problem.weights * target))[~problem.constant].max(initial=0)
    return SHARES * (size if size > 1e-9 else 1.0)


def naive_problem(X, y, options):
    kept = {key: value for key, value in options.items() if key not in ("tol", "lambdas")}
    return naive.make_problem(X, y, **kept)


def predictors(path, X, offset=0.0):
    return path.intercepts + X @ path.coefs + np.reshape(offset, (-1, 1))


def assert_close(eta, other, gaps, null, weights=None):
    """Predictors of two points with these relative gaps, in units of the first problem."""
    w = np.ones(len(eta)) if weights is None else np.asarray(weights, dtype=float)
    distance = np.sqrt((w / w.sum()) @ (eta - other) ** 2)
    allowed = np.sqrt(2 * null) * sum(np.sqrt(gap) for gap in gaps)
    rounding = 1e-12 * (np.abs(eta).max() + np.sqrt(null))
    assert (distance <= allowed + rounding).all()


def assert_same_fit(first, second, X, y, options):
    null = naive.null_objective(naive_problem(X, y, options))
    pair = predictors(first, X), predictors(second, X)
    gaps = first.dual_gaps, second.dual_gaps
    assert max(gap.max() for gap in gaps) <= TOL
    assert_close(*pair, gaps, null, options.get("sample_weight"))


@rows
@few
@given(draw=draws)
def test_gap_is_reached_and_certified(row, draw):
    X, y, rng = draw.data()
    options = ROWS[row](rng, draw.n, draw.p)
    path = fit(X, y, options, make_grid(X, y, options))
    assert all(status is regpath.Status.CONVERGED for status in path.statuses)
    assert (path.dual_gaps >= 0).all()
    assert path.dual_gaps.max() <= TOL
    certificate = path.certify(X, y)
    assert certificate.dual_gaps.max() <= TOL
    null = certificate.null_objective
    assert_allclose(path.objectives, certificate.objectives, rtol=1e-9, atol=1e-12 * null)


@rows
@few
@given(draw=draws)
def test_gap_bounds_the_distance_to_a_better_point(row, draw):
    X, y, rng = draw.data()
    options = ROWS[row](rng, draw.n, draw.p)
    grid = make_grid(X, y, options)
    rough, fine = fit(X, y, options, grid, tol=1e-2), fit(X, y, options, grid)
    problem = naive_problem(X, y, options)
    null = naive.null_objective(problem)
    for k, lambda_ in enumerate(grid):
        values = [
            naive.objective(problem, lambda_, path.intercepts[k], path.coefs[:, k])
            for path in (rough, fine)
        ]
        assert values[0] - values[1] <= (rough.dual_gaps[k] + 1e-12) * null
        assert rough.dual_gaps[k] <= 1e-2


@rows
@settings(max_examples=3)
@given(draw=st.builds(Draw, st.integers(0, 99), st.integers(6, 20), st.integers(1, 8), kinds))
def test_objective_is_that_of_naive_coordinate_descent(row, draw):
    X, y, rng = draw.data()
    options = ROWS[row](rng, draw.n, draw.p)
    grid = make_grid(X, y, options)[:3]
    path = fit(X, y, options, grid)
    problem = naive_problem(X, y, options)
    null = naive.null_objective(problem)
    for k, lambda_ in enumerate(grid):
        b0, coef = naive.coordinate_descent(problem, lambda_, tol=1e-12, max_sweeps=20_000)
        best = naive.objective(problem, lambda_, b0, coef)
        ours = naive.objective(problem, lambda_, path.intercepts[k], path.coefs[:, k])
        assert abs(ours - best) <= 1e-9 * null
        assert (path.coefs[:, k] <= problem.upper).all()
        assert (path.coefs[:, k] >= problem.lower).all()
        assert (path.coefs[np.isinf(problem.factor), k] == 0).all()


STORAGES = {
    "C order": np.ascontiguousarray,
    "F order": np.asfortranarray,
    "float32": lambda X: np.asfortranarray(X, dtype=np.float32),
    "int8": lambda X: np.asfortranarray(X, dtype=np.int8),
    "CSC": sparse.csc_array,
    "CSR": sparse.csr_matrix,
    "COO": sparse.coo_array,
}


@rows
@settings(max_examples=3)
@given(draw=draws)
def test_storage_does_not_matter(row, draw):
    X, y, rng = draw.data()
    options = ROWS[row](rng, draw.n, draw.p)
    grid = make_grid(X, y, options)
    reference = fit(X, y, options, grid)
    for convert in STORAGES.values():
        stored = convert(X)
        path = fit(stored, y, options, grid)
        assert_same_fit(reference, path, X, y, options)
        assert path.certify(stored, y).dual_gaps.max() <= TOL


@rows
@few
@given(draw=draws)
def test_weights_are_repeated_rows(row, draw):
    X, y, rng = draw.data()
    counts = rng.integers(0, 4, draw.n)
    counts[:3] += 1
    options = {**ROWS[row](rng, draw.n, draw.p), "sample_weight": counts}
    repeated = {**options, "sample_weight": None}
    if "offset" in options:
        repeated["offset"] = np.repeat(options["offset"], counts)
    grid = make_grid(X, y, options)
    weighted = fit(X, y, options, grid)
    rows_repeated = fit(*naive.replicate_rows(X, y, counts), repeated, grid)
    assert_same_fit(weighted, rows_repeated, X, y, options)
    tenfold = fit(X, y, {**options, "sample_weight": 10.0 * counts}, grid)
    assert_same_fit(weighted, tenfold, X, y, options)


@rows
@few
@given(draw=draws)
def test_offset_is_a_shift_of_y(row, draw):
    X, y, rng = draw.data()
    options = {**ROWS[row](rng, draw.n, draw.p), "offset": 2 * rng.standard_normal(draw.n)}
    grid = make_grid(X, y, options)
    shifted = y - options["offset"]
    moved = fit(X, shifted, {**options, "offset": None}, grid)
    assert_same_fit(fit(X, y, options, grid), moved, X, y, options)


@rows
@few
@given(draw=draws)
def test_penalty_factor_is_a_rescaled_column(row, draw):
    """Exactly so for the lasso without standardisation; a ridge needs the root of the factor."""
    X, y, rng = draw.data()
    options = {**ROWS[row](rng, draw.n, draw.p), "standardize": False, "penalty_factor": None}
    options["l1_ratio"] = round(options.get("l1_ratio", 1.0))
    factor = rng.choice([0.25, 1.0, 4.0], draw.p)
    unit = np.sqrt(factor) if options["l1_ratio"] == 0 else factor
    limits = {key: options[key] * unit for key in ("lower", "upper") if key in options}
    with_factor = {**options, "penalty_factor": factor}
    grid = make_grid(X, y, with_factor)
    first = fit(X, y, with_factor, grid)
    second = fit(X / unit, y, {**options, **limits}, grid)
    null = naive.null_objective(naive_problem(X, y, options))
    pair = predictors(first, X), predictors(second, X / unit)
    assert_close(*pair, (first.dual_gaps, second.dual_gaps), null, options.get("sample_weight"))


@rows
@few
@given(draw=draws, exponent=st.integers(-40, 40))
def test_scale_of_y(row, draw, exponent):
    """y -> c y scales the l1 part by c and leaves the l2 part."""
    X, y, rng = draw.data()
    options = ROWS[row](rng, draw.n, draw.p)
    l1_ratio = options.get("l1_ratio", 1.0)
    if 0 < l1_ratio < 1:  # no l1_ratio close to 1 can hold an l2 part that c makes next to nothing
        exponent = exponent // 20
    c = 10.0**exponent
    stretch = c * l1_ratio + (1 - l1_ratio)
    scaled = {**options, "l1_ratio": c * l1_ratio / stretch}
    for key in options.keys() & {"lower", "upper", "offset"}:
        scaled[key] = options[key] * c
    grid = make_grid(X, y, options)
    first, second = fit(X, y, options, grid), fit(X, c * y, scaled, grid * stretch)
    null = naive.null_objective(naive_problem(X, y, options))
    pair = predictors(first, X), predictors(second, X) / c
    # The rounding of the second l1_ratio moves the optimum itself a little.
    gaps = first.dual_gaps + 1e-13, second.dual_gaps
    assert_close(*pair, gaps, null, options.get("sample_weight"))


@rows
@few
@given(draw=draws)
def test_order_of_rows_and_columns(row, draw):
    X, y, rng = draw.data()
    options = ROWS[row](rng, draw.n, draw.p)
    i, j = rng.permutation(draw.n), rng.permutation(draw.p)
    permuted = dict(options)
    for key in options.keys() & {"sample_weight", "offset"}:
        permuted[key] = options[key][i]
    for key in options.keys() & {"penalty_factor", "lower", "upper"}:
        permuted[key] = options[key][j]
    grid = make_grid(X, y, options)
    first, second = fit(X, y, options, grid), fit(X[i][:, j], y[i], permuted, grid)
    null = naive.null_objective(naive_problem(X, y, options))
    pair = predictors(first, X), predictors(second, X[:, j])
    assert_close(*pair, (first.dual_gaps, second.dual_gaps), null, options.get("sample_weight"))


@rows
@few
@given(draw=draws)
def test_sign_of_columns_and_of_y(row, draw):
    X, y, rng = draw.data()
    options = ROWS[row](rng, draw.n, draw.p)
    flip = rng.choice([-1.0, 1.0], draw.p)
    mirrored = dict(options)
    low = options.get("lower", np.full(draw.p, -np.inf))
    high = options.get("upper", np.full(draw.p, np.inf))
    mirrored["lower"] = np.where(flip < 0, -high, low)
    mirrored["upper"] = np.where(flip < 0, -low, high)
    grid = make_grid(X, y, options)
    first, second = fit(X, y, options, grid), fit(X * flip, y, mirrored, grid)
    null = naive.null_objective(naive_problem(X, y, options))
    pair = predictors(first, X), predictors(second, X * flip)
    assert_close(*pair, (first.dual_gaps, second.dual_gaps), null, options.get("sample_weight"))


@rows
@few
@given(draw=draws)
def test_standardising_is_scaling_the_columns(row, draw):
    X, y, rng = draw.data()
    options = {**ROWS[row](rng, draw.n, draw.p), "standardize": True}
    problem = naive_problem(X, y, options)
    # Without an intercept a constant column is out only if it is standardised.
    X = X[:, ~problem.constant]
    for key in options.keys() & {"penalty_factor", "lower", "upper"}:
        options[key] = options[key][~problem.constant]
    if X.shape[1] == 0:
        return
    scale = problem.scale[~problem.constant]
    raw = {**options, "standardize": False}
    for key in options.keys() & {"lower", "upper"}:
        raw[key] = options[key] * scale
    grid = make_grid(X, y, options)
    first, second = fit(X, y, options, grid), fit(X / scale, y, raw, grid)
    null = naive.null_objective(naive_problem(X, y, options))
    pair = predictors(first, X), predictors(second, X / scale)
    assert_close(*pair, (first.dual_gaps, second.dual_gaps), null, options.get("sample_weight"))


@rows
@few
@given(draw=draws)
def test_each_point_alone(row, draw):
    """No point depends on the others: the path is a way of computing, not a definition."""
    X, y, rng = draw.data()
    options = ROWS[row](rng, draw.n, draw.p)
    grid = make_grid(X, y, options)
    whole = fit(X, y, options, grid)
    null = naive.null_objective(naive_problem(X, y, options))
    for k in range(grid.size):
        alone = fit(X, y, options, grid[[k]])
        assert alone.dual_gaps.max() <= TOL
        pair = predictors(whole, X)[:, [k]], predictors(alone, X)
        gaps = whole.dual_gaps[[k]], alone.dual_gaps
        assert_close(*pair, gaps, null, options.get("sample_weight"))


@rows
@few
@given(draw=draws)
def test_automatic_grid(row, draw):
    """The first lambda is the smallest with all penalised coefficients zero."""
    X, y, rng = draw.data()
    options = ROWS[row](rng, draw.n, draw.p)
    path = regpath.fit_path(X, y, n_lambdas=4, tol=TOL, **options)
    assert path.lambdas.size == 4
    assert (np.diff(path.lambdas) <= 0).all()
    assert path.dual_gaps.max() <= TOL
    l1_ratio = options.get("l1_ratio", 1.0)
    penalised = np.broadcast_to(options.get("penalty_factor", 1.0), draw.p) > 0
    if l1_ratio < 1e-3:
        return
    assert not path.coefs[penalised, 0].any()
    if path.lambdas[-1] < path.lambdas[0] and path.coefs[penalised].any():
        ratio = 1e-4 if draw.n >= draw.p else 1e-2
        assert path.lambdas[-1] == pytest.approx(ratio * path.lambdas[0])
        below = fit(X, y, options, path.lambdas[:1] * (1 - 1e-4), tol=1e-14)
        assert below.coefs[penalised].any()


@rows
@settings(max_examples=2)
@given(draw=draws)
def test_nothing_of_the_users_changes(row, draw):
    X, y, rng = draw.data()
    options = ROWS[row](rng, draw.n, draw.p)
    grid = make_grid(X, y, options)[::-1].copy()
    stored = sparse.csc_array(X)
    given_arrays = {
        "X": X,
        "y": y,
        "grid": grid,
        **{f"stored {k}": getattr(stored, k) for k in ("data", "indices", "indptr")},
        **{key: value for key, value in options.items() if isinstance(value, np.ndarray)},
    }
    before = {key: value.copy() for key, value in given_arrays.items()}
    for matrix in (X, np.asfortranarray(X), stored):
        path = fit(matrix, y, options, grid)
        path.certify(matrix, y)
    for key, value in given_arrays.items():
        np.testing.assert_array_equal(value, before[key], err_msg=key)
        assert value.flags.writeable

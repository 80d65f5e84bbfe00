"""`certify` on coefficients that no solver of the package has made."""

from __future__ import annotations

import dataclasses

import naive
import numpy as np
import pytest
from scipy import optimize, sparse

from regpath.diagnostics import certify
from regpath.result import Path, Settings, Status

LAMBDAS = np.array([0.9, 0.3, 0.05])

OPTIONS = {
    "lasso": {},
    "elastic net": {"l1_ratio": 0.3},
    "ridge": {"l1_ratio": 0.0},
    "almost ridge": {"l1_ratio": 1e-12},
    "raw": {"standardize": False},
    "no intercept": {"fit_intercept": False, "l1_ratio": 0.7},
    "raw, no intercept": {"fit_intercept": False, "standardize": False},
    "weights": {"sample_weight": np.r_[0.0, 0.0, np.linspace(0.5, 3, 28)]},
    "offset": {"offset": np.linspace(-1, 3, 30)},
    "factors": {"penalty_factor": np.array([0.5, np.inf, 2, 1, 1, 3, 1]), "l1_ratio": 0.8},
    "unpenalised": {"penalty_factor": np.array([0.0, 1, 1, 0, 1, 1, 1])},
    "unpenalised ridge": {"penalty_factor": np.array([0.0, 1, 1, 0, 1, 1, 1]), "l1_ratio": 0.0},
    "limits": {"lower": -0.1, "upper": 0.3},
    "nonnegative": {"lower": 0.0, "l1_ratio": 0.6},
    "nonnegative lasso": {"lower": 0.0},
    "unpenalised nonnegative": {
        "lower": np.array([0.0, 0, 0, 0, -np.inf, 0, 0]),
        "penalty_factor": np.array([0.0, 0, 1, 0, 1, 1, 0]),
    },
    "everything": {
        "l1_ratio": 0.4,
        "standardize": False,
        "sample_weight": np.r_[0.0, np.linspace(0.5, 3, 29)],
        "offset": np.linspace(-1, 3, 30),
        "penalty_factor": np.array([0.0, 1, np.inf, 0.3, 1, 2, 0]),
        "lower": np.array([-0.2, -np.inf, -1, -0.1, 0, -np.inf, -np.inf]),
        "upper": np.array([np.inf, 0.2, 1, 0.1, np.inf, 0, np.inf]),
    },
}


@pytest.fixture
def data(rng):
    X = rng.standard_normal((30, 7)) * [1, 2, 0.5, 1, 1, 3, 1] + [0, 5, 0, -1, 0, 0, 2]
    X[:, 4] += X[:, 0]
    y = X @ [1, -0.5, 0, 0.3, 0, 0.2, -1.0] + rng.standard_normal(30) + 2
    return X, y


def make_path(coefs, intercepts, lambdas, l1_ratio=1.0, **settings) -> Path:
    """Wrap coefficients in a path; `certify` must not trust any of the zeros written here."""
    p, L = coefs.shape
    for name, size in (("penalty_factor", p), ("lower", p), ("upper", p)):
        if name in settings:
            settings[name] = np.broadcast_to(settings[name], size)
    zeros = np.zeros(L)
    return Path(
        lambdas=lambdas,
        coef_storage=coefs,
        intercepts=intercepts,
        dev_ratio=zeros,
        null_deviance=0.0,
        objectives=zeros,
        dual_gaps=zeros,
        kkt_violations=zeros,
        n_iters=zeros,
        passes=zeros,
        working_set_sizes=zeros,
        seconds=zeros,
        statuses=(Status.CONVERGED,) * L,
        l1_ratio=l1_ratio,
        settings=Settings(**settings),
    )


def naive_path(X, y, lambdas=LAMBDAS, **options) -> tuple[naive.Problem, Path]:
    problem = naive.make_problem(X, y, **options)
    points = [naive.coordinate_descent(problem, lambda_) for lambda_ in lambdas]
    coefs = np.column_stack([coef for _, coef in points])
    return problem, make_path(coefs, np.array([b0 for b0, _ in points]), lambdas, **options)


def moved(path: Path, rng, size: float) -> Path:
    """The path with its non-zero coefficients moved by a relative amount, within the limits."""
    coefs = path.coefs * (1 - size * rng.random(path.coefs.shape))
    return dataclasses.replace(path, coef_storage=coefs)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_gap_closes_at_the_solution(data, options):
    problem, path = naive_path(*data, **options)
    certificate = certify(path, *data)
    assert certificate.dual_gaps.max() < 1e-13
    assert certificate.kkt_violations.max() < 1e-10
    expected = [
        naive.objective(problem, *point)
        for point in zip(path.lambdas, path.intercepts, path.coefs.T, strict=True)
    ]
    np.testing.assert_allclose(certificate.objectives, expected, rtol=1e-12)
    assert certificate.null_objective == pytest.approx(naive.null_objective(problem), rel=1e-13)


@pytest.mark.parametrize("size", [1e-6, 1e-3, 0.5])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_gap_bounds_the_distance_to_the_optimum(data, rng, options, size):
    _, best = naive_path(*data, **options)
    path = moved(best, rng, size)
    certificate = certify(path, *data)
    excess = certificate.objectives - certify(best, *data).objectives
    gaps = certificate.dual_gaps * certificate.null_objective
    rounding = 1e-14 * certificate.null_objective
    assert (excess > 0).any()
    assert (gaps >= excess - rounding).all()
    np.testing.assert_allclose(certificate.dual_values, certificate.objectives - gaps, atol=1e-15)
    # A useful bound, not only a valid one: it vanishes together with the step.
    assert (gaps <= 300 * size * certificate.null_objective).all()
    assert certificate.kkt_violations.max() > 0


@pytest.mark.parametrize("name", ["lasso", "elastic net", "ridge", "limits", "weights", "factors"])
def test_gap_is_as_tight_as_a_search_over_the_scale(data, rng, name):
    problem, best = naive_path(*data, **OPTIONS[name])
    path = moved(best, rng, 0.05)
    certificate = certify(path, *data)
    for k, lambda_ in enumerate(path.lambdas):
        b0 = naive.best_intercept(problem, path.coefs[:, k])
        searched = naive.dual_gap(problem, lambda_, b0, path.coefs[:, k])
        centred = make_path(path.coefs[:, [k]], np.array([b0]), [lambda_], **OPTIONS[name])
        found = certify(centred, *data).dual_gaps[0] * certificate.null_objective
        assert found <= searched * 1.05 + 1e-12


@pytest.mark.parametrize("free", [False, True])
def test_gap_of_ridge_is_tight_at_small_lambda(rng, free):
    """Where b nearly interpolates, the residual is a poor dual point; the best one is close by."""
    X, y = rng.standard_normal((12, 80)), rng.standard_normal(12)
    options = {"l1_ratio": 0.0, "penalty_factor": np.r_[0.0 if free else 1.0, np.ones(79)]}
    problem = naive.make_problem(X, y, **options)
    lambdas = np.array([1e-2, 1e-4, 1e-6])
    points = [naive.ridge(problem, lambda_) for lambda_ in lambdas]
    coefs = np.column_stack([coef for _, coef in points])
    best = make_path(coefs, np.array([b0 for b0, _ in points]), lambdas, **options)
    coefs = coefs + 1e-5 * rng.standard_normal(coefs.shape)
    intercepts = np.array([naive.best_intercept(problem, coef) for coef in coefs.T])
    worse = make_path(coefs, intercepts, lambdas, tol=1e-14, **options)
    excess = certify(worse, X, y).objectives - certify(best, X, y).objectives
    gaps = certify(worse, X, y).dual_gaps * certify(best, X, y).null_objective
    assert (gaps >= excess * (1 - 1e-6)).all()
    np.testing.assert_allclose(gaps, excess, rtol=1e-3)


@pytest.mark.parametrize("seed", range(8))
def test_refinement_of_ridge_does_not_decay_after_it_has_converged(seed):
    """Eight columns take eight steps; the others must not amplify what rounding left over."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((30, 8)) @ (np.eye(8) + 0.5) * [30, 30, 1, 30, 3, 1, 1, 1]
    y = X[:, 2] - X[:, 4] + rng.standard_normal(30)
    options = {"l1_ratio": 0.0, "standardize": False, "penalty_factor": np.r_[0, 0, np.ones(6)]}
    problem = naive.make_problem(X, y, **options)
    _, coef = naive.ridge(problem, 1e-4)
    coef[3] += 1e-9  # costs less than 3e-16, but the residual alone proves no better than 1e-9
    b0 = np.array([naive.best_intercept(problem, coef)])
    path = make_path(coef[:, None], b0, np.array([1e-4]), tol=1e-14, **options)
    assert certify(path, X, y).dual_gaps[0] < 1e-14


def test_suboptimal_intercept_counts_half_its_square(data):
    _, path = naive_path(*data)
    shifted = dataclasses.replace(path, intercepts=path.intercepts + 0.01)
    certificate, reference = certify(shifted, *data), certify(path, *data)
    np.testing.assert_allclose(
        certificate.dual_gaps * certificate.null_objective, 0.5e-4, rtol=1e-6
    )
    np.testing.assert_allclose(certificate.objectives - reference.objectives, 0.5e-4, rtol=1e-6)


@pytest.mark.parametrize("convert", [sparse.csc_array, sparse.csr_matrix, sparse.coo_array])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_sparse_equals_dense(data, rng, options, convert):
    X, y = data
    X = X * (rng.random(X.shape) < 0.4)
    _, path = naive_path(X, y, **options)
    path = moved(path, rng, 0.01)
    dense, stored = certify(path, X, y), certify(path, convert(X), y)
    for name in ("objectives", "dual_gaps", "kkt_violations", "dual_values"):
        np.testing.assert_allclose(
            getattr(stored, name), getattr(dense, name), rtol=1e-9, atol=1e-13, err_msg=name
        )


def test_sparse_is_never_densified(rng, monkeypatch):
    X = sparse.random_array((20, 5000), density=0.01, rng=rng, format="csc")
    y = rng.standard_normal(20)
    path = make_path(np.zeros((5000, 1)), np.array([y.mean()]), [10.0])
    original = sparse.csc_array.toarray

    def guarded(self, *args, **kwargs):
        assert self.shape != X.shape
        return original(self, *args, **kwargs)

    monkeypatch.setattr(sparse.csc_array, "toarray", guarded)
    assert certify(path, X, y).dual_gaps[0] == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.int64, bool, np.uint8])
def test_stored_dtype_is_read_as_float64(rng, dtype):
    X = rng.integers(0, 2, (30, 5)).astype(dtype)
    y = rng.standard_normal(30)
    _, path = naive_path(X, y)
    path = moved(path, rng, 0.1)
    expected = certify(path, X.astype(np.float64), y)
    np.testing.assert_array_equal(certify(path, X, y).dual_gaps, expected.dual_gaps)
    stored = certify(path, sparse.csr_array(X), y)
    np.testing.assert_allclose(stored.dual_gaps, expected.dual_gaps, rtol=1e-10)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames(data, library):
    frames = pytest.importorskip(library)
    X, y = data
    names = [f"f{j}" for j in range(X.shape[1])]
    frame = frames.DataFrame(dict(zip(names, X.T, strict=True)))
    path = make_path(np.full((7, 1), 0.1), np.zeros(1), [0.1])
    result = certify(path, frame, frames.Series(y))
    np.testing.assert_allclose(result.dual_gaps, certify(path, X, y).dual_gaps, rtol=1e-12)


def test_weight_zero_rows_do_not_count(data):
    X, y = data
    weights = np.ones(30)
    weights[:3] = 0
    _, path = naive_path(X, y, sample_weight=weights)
    reference = certify(path, X, y)
    X, y = X.copy(), y.copy()
    X[:3], y[:3] = 1e300, -1e300
    result = certify(path, X, y)
    np.testing.assert_array_equal(result.objectives, reference.objectives)
    np.testing.assert_array_equal(result.dual_gaps, reference.dual_gaps)


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150])
def test_relative_gap_does_not_depend_on_the_scale_of_y(data, rng, scale):
    X, y = data
    _, path = naive_path(X, y, l1_ratio=0.5)
    path = moved(path, rng, 0.1)
    reference = certify(path, X, y)
    scaled = dataclasses.replace(
        path,
        coef_storage=path.coefs * scale,
        intercepts=path.intercepts * scale,
        lambdas=path.lambdas,
    )
    # The ridge term does not scale with y unless lambda stays: only a pure ridge keeps it exactly.
    ridge = dataclasses.replace(scaled, l1_ratio=0.0)
    expected = certify(dataclasses.replace(path, l1_ratio=0.0), X, y)
    np.testing.assert_allclose(certify(ridge, X, y * scale).dual_gaps, expected.dual_gaps)
    lasso = dataclasses.replace(scaled, l1_ratio=1.0, lambdas=path.lambdas * scale)
    expected = certify(dataclasses.replace(path, l1_ratio=1.0), X, y)
    np.testing.assert_allclose(certify(lasso, X, y * scale).dual_gaps, expected.dual_gaps)
    np.testing.assert_allclose(certify(lasso, X, y * scale).kkt_violations, expected.kkt_violations)
    assert np.isfinite(reference.dual_gaps).all()


@pytest.mark.parametrize("scale", [1e-150, 1e-20, 1e20, 1e150])
def test_relative_gap_does_not_depend_on_the_scale_of_columns(data, rng, scale):
    X, y = data
    _, path = naive_path(X, y, l1_ratio=0.5)
    path = moved(path, rng, 0.1)
    factors = np.where(np.arange(7) % 2, scale, 1.0)
    scaled = dataclasses.replace(path, coef_storage=path.coefs / factors[:, None])
    np.testing.assert_allclose(
        certify(scaled, X * factors, y).dual_gaps, certify(path, X, y).dual_gaps, rtol=1e-9
    )


class TestFeaturesWithoutPenalty:
    """lambda = 0 and penalty factor 0: the dual point has to be orthogonal to their columns."""

    def test_least_squares(self, data):
        X, y = data
        A = np.column_stack([np.ones(30), X])
        solution = np.linalg.lstsq(A, y, rcond=None)[0]
        path = make_path(solution[1:, None], solution[:1], [0.0])
        certificate = certify(path, X, y)
        assert certificate.dual_gaps[0] < 1e-15
        assert certificate.kkt_violations[0] < 1e-13
        shifted = dataclasses.replace(path, coef_storage=path.coefs * 1.01)
        worse = certify(shifted, X, y)
        excess = worse.objectives[0] - certificate.objectives[0]
        gap = worse.dual_gaps[0] * worse.null_objective
        assert gap == pytest.approx(excess, rel=1e-9)

    def test_rank_deficient_least_squares(self, data):
        X, y = data
        X = np.column_stack([X, X @ np.arange(7.0), X[:, 0]])
        solution = np.linalg.lstsq(np.column_stack([np.ones(30), X]), y, rcond=None)[0]
        path = make_path(solution[1:, None], solution[:1], [0.0])
        assert certify(path, X, y).dual_gaps[0] < 1e-15

    def test_interpolation(self, rng):
        X, y = rng.standard_normal((6, 20)), rng.standard_normal(6)
        coef = np.linalg.lstsq(X - X.mean(axis=0), y - y.mean(), rcond=None)[0]
        path = make_path(coef[:, None], np.array([y.mean() - X.mean(axis=0) @ coef]), [0.0])
        assert certify(path, X, y).dual_gaps[0] < 1e-28
        null = make_path(np.zeros((20, 1)), np.array([y.mean()]), [0.0])
        assert certify(null, X, y).dual_gaps[0] == pytest.approx(1)

    def test_nonnegative_least_squares(self, data):
        X, y = data
        coef, _ = optimize.nnls(X - X.mean(axis=0), y - y.mean())
        b0 = y.mean() - X.mean(axis=0) @ coef
        path = make_path(coef[:, None], np.array([b0]), [0.0], lower=0.0)
        certificate = certify(path, X, y)
        assert (coef == 0).any()
        assert certificate.dual_gaps[0] < 1e-15
        worse = certify(dataclasses.replace(path, coef_storage=path.coefs * 0.9), X, y)
        excess = worse.objectives[0] - certificate.objectives[0]
        assert worse.dual_gaps[0] * worse.null_objective >= excess * (1 - 1e-12) > 0
        zero = make_path(np.zeros((7, 1)), np.array([y.mean()]), [0.0], lower=0.0)
        excess = certify(zero, X, y).objectives[0] - certificate.objectives[0]
        bound = certify(zero, X, y).dual_gaps[0] * certificate.null_objective
        assert excess * (1 - 1e-12) <= bound < 1.5 * excess

    def test_coefficient_next_to_its_limit(self, data):
        """An ulp off the limit is no reason to ask for a gradient of zero there."""
        X, y = data
        options = {"penalty_factor": np.array([0.0, 1, 1, 1, 1, 1, 1]), "upper": 0.5}
        _, path = naive_path(X, y, **options)
        assert (path.coefs[0] == 0.5).all()
        coefs = path.coefs.copy()
        coefs[0] = np.nextafter(0.5, 0)
        path = dataclasses.replace(path, coef_storage=coefs)
        assert certify(path, X, y).dual_gaps.max() < 1e-13

    def test_weak_penalties_are_certified_like_none(self, data):
        X, y = data
        solution = np.linalg.lstsq(np.column_stack([np.ones(30), X]), y, rcond=None)[0]
        lambdas = np.array([1e-14, 1e-20, 1e-300])
        coefs, intercepts = np.tile(solution[1:, None], 3), np.full(3, solution[0])
        for l1_ratio in (1.0, 0.5, 0.0):
            path = make_path(coefs, intercepts, lambdas, l1_ratio)
            assert certify(path, X, y).dual_gaps.max() < 1e-12
            worse = dataclasses.replace(path, coef_storage=coefs * 0.99)
            excess = certify(worse, X, y).objectives - certify(path, X, y).objectives
            gaps = certify(worse, X, y).dual_gaps * certify(path, X, y).null_objective
            np.testing.assert_allclose(gaps, excess, rtol=1e-6)

    def test_large_blocks_are_projected_iteratively(self, data, monkeypatch):
        X, y = data
        options = {"penalty_factor": np.array([0.0, 1, 1, 0, 1, 1, 1])}
        _, path = naive_path(X, y, **options)
        for values in (X, sparse.csc_array(X)):
            path = dataclasses.replace(path, coef_storage=path.coefs * 0.99)
            expected = certify(path, values, y).dual_gaps
            with monkeypatch.context() as patch:
                patch.setattr("regpath._stated_problem.DENSE_PROJECTION_ENTRIES", 0)
                np.testing.assert_allclose(certify(path, values, y).dual_gaps, expected, rtol=1e-7)

    def test_infinite_lambda(self, data):
        X, y = data
        factors = np.array([0.0, 1, 1, 0, 1, 1, 1])
        for l1_ratio in (0.0, 0.5, 1.0):
            _, path = naive_path(X, y, np.array([np.inf]), l1_ratio=l1_ratio)
            certificate = certify(path, X, y)
            assert certificate.dual_gaps[0] <= 1e-30
            assert certificate.kkt_violations[0] == 0
            assert certificate.objectives[0] == pytest.approx(certificate.null_objective)
            options = {"l1_ratio": l1_ratio, "penalty_factor": factors}
            _, path = naive_path(X, y, np.array([np.inf]), **options)
            assert certify(path, X, y).dual_gaps[0] < 1e-15
            worse = dataclasses.replace(path, coef_storage=path.coefs * 0.5)
            assert certify(worse, X, y).dual_gaps[0] > 1e-3
            assert certify(worse, X, y).kkt_violations[0] > 1e-3


class TestImpossibleCoefficients:
    """A point that is no point of the problem has no finite certificate."""

    @pytest.mark.parametrize(
        "settings",
        [{"upper": 0.4}, {"lower": 0.0}, {"penalty_factor": np.array([1, np.inf, 1])}],
        ids=["above", "below", "excluded"],
    )
    def test_infinite(self, rng, settings):
        X, y = rng.standard_normal((10, 3)), rng.standard_normal(10)
        coefs = np.array([[0.5], [-0.5], [0.1]])
        certificate = certify(make_path(coefs, np.zeros(1), [0.1], **settings), X, y)
        assert certificate.dual_gaps[0] == np.inf
        assert certificate.objectives[0] == np.inf
        assert certificate.kkt_violations[0] == np.inf

    def test_constant_column_and_forbidden_intercept(self, rng):
        X, y = rng.standard_normal((10, 2)), rng.standard_normal(10)
        X[:, 0] = 0.1
        path = make_path(np.array([[1.0], [0.0]]), np.zeros(1), [0.1])
        assert certify(path, X, y).dual_gaps[0] == np.inf
        path = make_path(np.zeros((2, 1)), np.ones(1), [0.1], fit_intercept=False)
        assert certify(path, X, y).dual_gaps[0] == np.inf

    def test_penalised_coefficient_at_infinite_lambda(self, rng):
        X, y = rng.standard_normal((10, 1)), rng.standard_normal(10)
        path = make_path(np.ones((1, 1)), np.zeros(1), [np.inf])
        assert certify(path, X, y).dual_gaps[0] == np.inf


def test_constant_columns_are_left_out(data):
    X, y = data
    X[:, 2] = 0.1
    _, path = naive_path(X, y)
    assert certify(path, X, y).dual_gaps.max() < 1e-13
    # Without intercept and scaling, a constant column is a feature like any other.
    options = {"fit_intercept": False, "standardize": False}
    _, path = naive_path(X, y, np.array([0.01, 0.001]), **options)
    assert path.coefs[2].all()
    assert certify(path, X, y).dual_gaps.max() < 1e-13


def test_constant_y(data):
    X, _ = data
    y = np.full(30, 0.1)
    path = make_path(np.zeros((7, 1)), y[:1], [0.5])
    assert certify(path, X, y).null_objective == 0
    assert certify(path, X, y).dual_gaps[0] == 0
    assert certify(path, X, y).kkt_violations[0] == 0
    path = make_path(np.zeros((7, 1)), y[:1] + 1e-9, [0.5])
    assert certify(path, X, y).dual_gaps[0] == np.inf


def test_kkt_violation_of_each_kind():
    """One orthogonal column per kind; gradients and slopes worked out by hand."""
    X = np.eye(4)[:, :3] * 2.0  # x_j'x_j / n = 1
    y = np.array([2.0, 2.0, 2.0, 0.0])  # x_j'y / n = 1
    options = {"fit_intercept": False, "standardize": False, "upper": np.array([np.inf, 0.4, 0.0])}
    path = make_path(np.array([[0.25], [0.4], [0.0]]), np.zeros(1), [0.5], **options)
    # Feature 0: slope 1 - 0.25, wanted 0.5. Feature 1 is pulled against its limit. Feature 2 too.
    assert certify(path, X, y).kkt_violations[0] == pytest.approx(0.25 / 0.5)
    path = make_path(np.array([[0.5], [0.3], [0.0]]), np.zeros(1), [0.5], **options)
    assert certify(path, X, y).kkt_violations[0] == pytest.approx(0.2 / 0.5)
    path = make_path(np.array([[0.0], [0.4], [0.0]]), np.zeros(1), [0.2], **options)
    assert certify(path, X, y).kkt_violations[0] == pytest.approx(0.8 / 0.2)
    path = make_path(np.array([[0.5], [0.4], [0.0]]), np.zeros(1), [0.5], **options)
    assert certify(path, X, y).kkt_violations[0] == 0


def test_weights_and_offset_given_here_replace_those_of_the_fit(data):
    X, y = data
    weights, offset = np.linspace(1, 2, 30), np.linspace(0, 1, 30)
    _, path = naive_path(X, y, sample_weight=weights, offset=offset)
    assert certify(path, X, y).dual_gaps.max() < 1e-13
    assert certify(path, X, y, sample_weight=np.ones(30)).dual_gaps.max() > 1e-6
    bare = dataclasses.replace(path, settings=Settings())
    assert certify(bare, X, y).dual_gaps.max() > 1e-6
    result = certify(bare, X, y, sample_weight=weights, offset=offset)
    assert result.dual_gaps.max() < 1e-13


def test_blocks_do_not_change_the_answer(data, monkeypatch):
    X, y = data
    _, path = naive_path(X, y, np.array([np.inf, 0.5, 0.1, 0.0]))
    expected = certify(path, X, y)
    monkeypatch.setattr("regpath.diagnostics.BLOCK_ENTRIES", 60)
    result = certify(path, X, y)
    np.testing.assert_allclose(result.objectives, expected.objectives, rtol=1e-14)
    np.testing.assert_allclose(result.dual_gaps, expected.dual_gaps, atol=1e-15)


def test_repr_names_the_worst_point(data):
    _, path = naive_path(*data)
    shown = repr(certify(path, *data))
    assert "3 lambdas" in shown
    assert "relative duality gap" in shown
    assert "KKT" in shown


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X[:, :3], y), "shape"),
        (lambda X, y: (X[:9], y), "shape"),
        (lambda X, y: (X, np.where(y == y[0], np.nan, y)), "NaN"),
        (lambda X, y: (np.where(X > 3, np.inf, X), y), "NaN"),
    ],
)
def test_wrong_data(data, change, message):
    _, path = naive_path(*data)
    with pytest.raises(ValueError, match=message):
        certify(path, *change(*data))
    with pytest.raises(ValueError, match="sample_weight"):
        certify(path, *data, sample_weight=-np.ones(30))


def test_unknown_families_are_refused(data):
    _, path = naive_path(*data)
    with pytest.raises(NotImplementedError, match="beta"):
        certify(dataclasses.replace(path, family="beta"), *data)

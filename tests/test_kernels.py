"""The compiled loops against their naive twins, compiled or not (NUMBA_DISABLE_JIT=1)."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from regpath.designs import Centred, Csc, Dense
from regpath.kernels import descent, factor, gap, primitives, quadratic
from regpath.kernels.gather import row_products
from regpath.penalties import ElasticNet
from regpath.solvers.gram import GramCore
from regpath.solvers.residual import Room

pytestmark = pytest.mark.kernels


def make_penalty(p, l1=0.3, l2=0.0, factor=1.0, lower=-np.inf, upper=np.inf):
    fields = (l1 * factor, l2 * factor, lower, upper)
    return ElasticNet(*(np.full(p, float(v)) for v in fields), np.ones(2))


PENALTIES = {
    "lasso": {},
    "elastic net": {"l1": 0.2, "l2": 0.4},
    "ridge": {"l1": 0.0, "l2": 0.7},
    "factor": {"factor": 2.0, "l2": 0.1},
    "limits": {"lower": -0.2, "upper": 0.4},
    "nonnegative": {"lower": 0.0, "l2": 0.3},
    "unpenalised": {"factor": 0.0, "l2": 0.3},
}
penalties = pytest.mark.parametrize("options", PENALTIES.values(), ids=PENALTIES)


class TestPrimitives:
    @pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int8])
    @pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 8, 37])
    def test_dense(self, rng, dtype, size):
        x, r = rng.integers(-9, 9, size).astype(dtype), rng.standard_normal(size)
        assert primitives.dot(x, r) == pytest.approx(x.astype(float) @ r)
        moved = np.append(r, 7.0)  # what lies behind the end of x does not matter
        primitives.axpy(0.5, x, moved)
        assert_allclose(moved, np.append(r + 0.5 * x, 7.0))

    @pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int8])
    @pytest.mark.parametrize("size", [0, 1, 5, 37])
    def test_four_at_once(self, rng, dtype, size):
        X, r = rng.integers(-9, 9, (4, size)).astype(dtype), rng.standard_normal(size)
        assert_allclose(primitives.dot4(*X, r), X.astype(float) @ r)
        a = (0.5, -2.0, 3.0, 0.25)
        expected = np.append(r + a @ X.astype(float), 7.0)
        moved = np.append(r, 7.0)
        primitives.axpy4(a, *X, moved)
        assert_allclose(moved, expected)

    @pytest.mark.parametrize("zeros", [[], [0], [1, 2, 5], [0, 1, 2, 3, 4, 6], list(range(9))])
    def test_combine(self, rng, zeros):
        """All remainders of four, with gaps between the non-zero coefficients."""
        X, r, coefs = rng.random((9, 6)), rng.random(8), rng.standard_normal(9)
        coefs[zeros] = 0.0
        expected = r.copy()
        expected[:6] += 2.0 * coefs[:8] @ X[:8]
        primitives.combine(2.0, coefs, X, 8, r, 6)
        assert_allclose(r, expected)


class TestDesigns:
    @pytest.fixture(name="X")
    def make_matrix(self, rng):
        """Columns with 0, 1, 3, 4, 5, 8 and 37 entries: all remainders of an unrolled loop."""
        X = np.zeros((60, 7))
        for j, size in enumerate((0, 1, 3, 4, 5, 8, 37)):
            rows = rng.choice(60, size, replace=False)
            X[rows, j] = rng.integers(1, 9, size) * rng.choice([-1, 1], size)
        return X

    @pytest.fixture(params=["dense", "float32", "int8", "csc", "csc int64"])
    def design(self, X, request):
        kind = request.param
        if kind.startswith("csc"):
            stored = sparse.csc_array(X)
            index = np.int64 if "int64" in kind else np.int32
            parts = stored.data, stored.indices.astype(index), stored.indptr.astype(index)
            return Csc(*parts, X.shape[0])
        dtype = {"dense": np.float64, "float32": np.float32, "int8": np.int8}[kind]
        return Dense(np.ascontiguousarray(X.T, dtype=dtype))

    def test_dot_and_axpy(self, X, design, rng):
        r = rng.standard_normal(60)
        for j in range(7):
            assert design.dot(j, r) == pytest.approx(X[:, j] @ r)
            moved = r.copy()
            design.axpy(j, 1.5, moved)
            assert_allclose(moved, r + 1.5 * X[:, j])

    def test_centred_columns(self, X, rng):
        """Columns x - centre c and vectors r + shift c: nothing is centred in memory."""
        weights = rng.random(60)
        c = np.sqrt(weights / weights.sum())
        stored = sparse.csc_array(X * c[:, None])
        columns = stored.toarray()
        centre = c @ columns
        design = Centred(stored.data, stored.indices, stored.indptr, centre)
        full = columns - np.outer(c, centre)
        target = rng.standard_normal(60)
        target -= (c @ target) * c
        r = np.append(target, 0.0)
        for j in range(7):
            design.axpy(j, 0.7, r)
            target += 0.7 * full[:, j]
            assert_allclose(r[:-1] + r[-1] * c, target, atol=1e-12)
            for k in range(7):
                assert design.dot(k, r) == pytest.approx(full[:, k] @ target)


class TestPenalties:
    """Each method against its definition, on a grid of points."""

    @penalties
    def test_prox_minimises(self, options, rng):
        penalty = make_penalty(1, **options)
        lower, upper = penalty.lower[0], penalty.upper[0]
        grid = np.clip(np.linspace(-3, 3, 20_001), lower, upper)
        for z, a in zip(rng.uniform(-2, 2, 20), rng.uniform(0.5, 3, 20), strict=True):
            values = 0.5 * a * grid**2 - z * grid
            values += [penalty.value(0, b) for b in grid]
            found = penalty.prox(0, z, a)
            assert lower <= found <= upper
            value = 0.5 * a * found**2 - z * found + penalty.value(0, found)
            assert value <= values.min() + 1e-12
            assert value >= values.min() - 1e-6

    @penalties
    def test_fenchel_young(self, options):
        """phi(b) + phi*(t) >= t b, with equality exactly where there is no violation."""
        penalty = make_penalty(1, **options)
        free = penalty.l1[0] == penalty.l2[0] == 0
        for t in np.arange(-15, 16) / 10:
            for b in (np.arange(-12, 13) / 20).clip(penalty.lower[0], penalty.upper[0]):
                if free and t != 0:
                    continue
                excess = penalty.value(0, b) + penalty.conjugate(0, t) - t * b
                assert excess >= -1e-12
                violation = penalty.violation(0, t, b)
                assert (violation < 1e-12) == (excess < 1e-12)

    @penalties
    def test_derivative_is_the_slope_of_the_value(self, options):
        penalty = make_penalty(1, **options)
        for b in (-0.15, 0.1, 0.3):
            low, high = penalty.piece(0, b)
            if not low < b < high:
                continue
            step = 1e-6
            slope = (penalty.value(0, b + step) - penalty.value(0, b - step)) / (2 * step)
            assert penalty.derivative(0, b) == pytest.approx(slope, abs=1e-8)
            bend = (penalty.derivative(0, b + step) - penalty.derivative(0, b - step)) / (2 * step)
            assert penalty.curvature(0) == pytest.approx(bend, abs=1e-8)

    def test_subset_keeps_the_order(self, rng):
        penalty = ElasticNet(
            *(rng.random(6) * sign for sign in (1, 1, -1, 1)), np.array([0.7, 0.3])
        )
        features = np.array([4, 0, 5])
        part = penalty.at(features)
        for k, j in enumerate(features):
            assert part.value(k, 0.3) == penalty.value(j, 0.3)
            assert part.prox(k, 5.0, 1.0) == penalty.prox(j, 5.0, 1.0)


class TestCholesky:
    @pytest.fixture(name="A")
    def make_gram_matrix(self, rng):
        X = rng.standard_normal((30, 9))
        return X.T @ X

    def test_solves(self, A, rng):
        R = np.zeros((12, 12))
        R[:9, :9] = naive.upper_cholesky(A)
        b = rng.standard_normal(12)
        for m in (0, 1, 5, 9):
            z = b.copy()
            factor.forward_solve(R, z, m)
            assert_allclose(R[:m, :m].T @ z[:m], b[:m], atol=1e-12)
            factor.back_solve(R, z, m)
            assert_allclose(A[:m, :m] @ z[:m], b[:m], atol=1e-10)
            assert_allclose(z[m:], b[m:])

    @pytest.mark.parametrize("position", [0, 3, 7, 8])
    def test_delete(self, A, position):
        R = np.zeros((10, 10))
        R[:9, :9] = naive.upper_cholesky(A)
        factor.delete_column(R, position, 9)
        expected = naive.cholesky_delete(A, list(range(9)), position)
        found = np.triu(R[:8, :8])
        assert_allclose(found * np.sign(np.diagonal(found))[:, None], expected, atol=1e-12)


@pytest.fixture
def gaussian(rng):
    """Unit response, columns of unequal length, and their Gram quantities."""
    X = rng.standard_normal((40, 12)) * rng.uniform(0.2, 2, 12) / np.sqrt(40)
    X[:, 5] = X[:, 1] + 0.3 * X[:, 5]
    y = X @ np.r_[1.0, -1, 0.5, np.zeros(9)] + 0.1 * rng.standard_normal(40)
    return X, y / np.linalg.norm(y)


def make_core(X, y):
    core = GramCore(float(y @ y), min(X.shape))
    core.extend((X.T @ X)[:7, :7].copy(), X[:, :7].T @ y)
    core.extend((X.T @ X)[7:].copy(), X[:, 7:].T @ y)
    return core


def working_design(X, storage):
    """Unit columns as the kernels get them, and as they are: centred ones have a mean of 0."""
    if storage == "dense":
        return Dense(np.ascontiguousarray(X.T)), X
    X = X * (np.abs(X) > 0.1)
    X /= np.linalg.norm(X - X.mean(axis=0), axis=0)
    S = sparse.csc_array(X)
    centre = X.sum(axis=0) / np.sqrt(len(X))
    return Centred(S.data, S.indices, S.indptr, centre), X - X.mean(axis=0)


class TestDescent:
    @penalties
    def test_sweep_in_gram_form(self, gaussian, options):
        X, y = gaussian
        penalty, G, q = make_penalty(12, **options), X.T @ X, X.T @ y
        b, h = np.zeros(12), q.copy()
        expected = b, h
        for _ in range(3):
            expected = naive.gram_sweep(G, expected[1], expected[0], *penalty[:4])
            quadratic.sweep(G, q, h, b, penalty, 12, 0.0)
            assert_allclose(b, expected[0], atol=1e-13)
            assert_allclose(h, expected[1], atol=1e-13)

    @penalties
    def test_sweep_in_residual_form_is_the_same(self, gaussian, options):
        X, y = gaussian
        X = X / np.linalg.norm(X, axis=0)
        penalty = make_penalty(12, **options)
        b, r = np.zeros(12), y.copy()
        descent.descend(Dense(np.ascontiguousarray(X.T)), penalty, b, r, np.arange(12), 2)
        expected, h = np.zeros(12), X.T @ y
        for _ in range(2):
            expected, h = naive.gram_sweep(X.T @ X, h, expected, *penalty[:4])
        assert_allclose(b, expected, atol=1e-13)
        assert_allclose(r, y - X @ b, atol=1e-13)

    @penalties
    @pytest.mark.parametrize("storage", ["dense", "centred"])
    def test_rounds_reach_the_solution_of_descent(self, gaussian, options, storage):
        X, y = gaussian
        X = X / np.linalg.norm(X, axis=0)
        centre = np.full(40, 40**-0.5)
        if storage == "centred":
            y = y - y.mean()
        design, X = working_design(X, storage)
        penalty, b, g, r = make_penalty(12, **options), np.zeros(12), np.empty(12), np.append(y, 0)
        room, gaps = Room.of(12, 40), []
        for _ in range(40):
            gaps.append(descent.descend_round(design, penalty, y, centre, b, r, g, room))
            plain = r[:-1] + r[-1] * centre
            assert_allclose(plain, y - X @ b, atol=1e-13)
            assert_allclose(g, X.T @ plain, atol=1e-13)
            assert descent.residual_square(r, centre) == pytest.approx(plain @ plain)
            expected = gap.dual_gap(penalty, g, b, 12, penalty, g[:0], plain @ plain)
            assert gaps[-1] == pytest.approx(expected, abs=1e-15)
        expected, h = np.zeros(12), X.T @ y
        for _ in range(3000):
            expected, h = naive.gram_sweep(X.T @ X, h, expected, *penalty[:4])
        assert gaps[-1] < 1e-12
        assert_allclose(b, expected, atol=1e-6)

    def test_the_weights_of_anderson_make_the_shortest_combination(self, rng):
        history, system = rng.standard_normal((6, 9)), np.empty((5, 6))
        assert descent.anderson(history, 9, system)
        weights, steps = system[:, 5], np.diff(history, axis=0)
        assert weights.sum() == pytest.approx(1.0)
        inverse = np.linalg.inv(steps @ steps.T)
        assert_allclose(weights, inverse.sum(axis=1) / inverse.sum(), rtol=1e-8)
        history[:] = history[0]
        assert not descent.anderson(history, 9, system)

    @penalties
    def test_active_set_newton_reaches_the_solution_of_descent(self, gaussian, options):
        X, y = gaussian
        core = make_core(X, y)
        for share in (1.0, 0.3, 0.05, 0.01):
            scaled = {**options, "l1": share * options.get("l1", 0.3)}
            scaled["l2"] = share * options.get("l2", 0.0)
            penalty = make_penalty(12, **scaled)
            outcome = core.solve(penalty, 1e-14, 1000)
            assert outcome.code == quadratic.CONVERGED
            b, h = np.zeros(12), X.T @ y
            for _ in range(3000):
                b, h = naive.gram_sweep(X.T @ X, h, b, *penalty[:4])
            assert_allclose(core.coefs, b, atol=1e-6)
            assert_allclose(core.gradients, X.T @ (y - X @ core.coefs), atol=1e-12)
            assert core.residual_square == pytest.approx(np.sum((y - X @ core.coefs) ** 2))

    def test_stale_curvature_does_not_outlive_its_penalty(self, rng):
        """From a strong ridge term straight to none: the factor must not keep the old curvature."""
        x, z = rng.standard_normal((2, 80))
        X = np.column_stack([x, x + 1e-2 * z]) / np.sqrt(80)
        y = X[:, 0] + 2 * z / np.sqrt(80)
        y = y / np.linalg.norm(y)
        core = GramCore(1.0, 2)
        core.extend(X.T @ X, X.T @ y)
        core.solve(make_penalty(2, l1=0.01, l2=0.5), 1e-9, 1000)
        outcome = core.solve(make_penalty(2, l1=0.0, l2=0.0), 1e-9, 1000)
        assert outcome.code == quadratic.CONVERGED
        assert_allclose(core.coefs, np.linalg.lstsq(X, y, rcond=None)[0], rtol=1e-6)


class TestGap:
    @pytest.mark.parametrize("name", [name for name in PENALTIES if name != "unpenalised"])
    def test_bounds_the_distance_to_the_optimum(self, gaussian, name):
        X, y = gaussian
        penalty, core = make_penalty(12, **PENALTIES[name]), make_core(X, y)

        def objective(b):
            values = sum(penalty.value(k, b[k]) for k in range(12))
            return 0.5 * np.sum((y - X @ b) ** 2) + values

        b, h = np.zeros(12), X.T @ y
        trail = []
        for _ in range(3000):
            b, h = naive.gram_sweep(X.T @ X, h, b, *penalty[:4])
            trail.append(b)
        best = objective(b)
        for b in [np.zeros(12), *trail[:5], trail[20], trail[-1]]:
            r = y - X @ b
            found = gap.dual_gap(penalty, X.T @ r, b, 12, penalty, b[:0], float(r @ r))
            assert found >= objective(b) - best - 1e-14
        assert found < 1e-12
        assert core.size == 12

    @penalties
    def test_features_outside_count(self, gaussian, options):
        """A feature left out of the working set makes the gap as large as if it were in it."""
        X, y = gaussian
        if "l2" in options:
            options = {**options, "l2": 5.0}
        penalty = make_penalty(12, **options)
        g, b = X.T @ y, np.zeros(12)
        penalty.upper[5:], penalty.lower[5:] = b[5:] + 0.1, b[5:] - 0.1
        order = np.argsort(-np.abs(g))
        outside, inside = order[:6], order[6:]
        split = gap.dual_gap(
            penalty.at(inside), g[inside], b[:6], 6, penalty.at(outside), g[outside], 1.0
        )
        whole = gap.dual_gap(penalty, g, b, 12, penalty, b[:0], 1.0)
        assert whole > 0.01
        assert split >= whole * (1 - 1e-12)

    @penalties
    def test_worst_violation(self, gaussian, options, rng):
        X, y = gaussian
        penalty = make_penalty(12, **options)
        b = np.linspace(-0.5, 0.6, 12).clip(penalty.lower, penalty.upper)
        g = X.T @ (y - X @ b)
        unit = rng.random(12)
        expected = max(unit[k] * penalty.violation(k, g[k], b[k]) for k in range(12))
        assert gap.worst_violation(penalty, g, b, 12, unit) == pytest.approx(expected)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 64])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 1.0])
def test_products_of_new_columns_with_all(size, share, rng):
    m = max(1, round(share * size))
    B, out = rng.standard_normal((size, 37)), np.full((m, size), np.nan)
    cut = size // 8 * 4  # the ranges of two threads
    row_products(B[size - m :], B, out, cut, size)
    row_products(B[size - m :], B, out, 0, cut)
    assert_allclose(out, B[size - m :] @ B.T, rtol=1e-12, atol=1e-12)
    assert_array_equal(out[:, size - m :], out[:, size - m :].T)

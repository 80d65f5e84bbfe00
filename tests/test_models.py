"""Second-order models of losses."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

import regpath
from regpath.solvers.models import MOST_STRETCH, Strength
from regpath.solvers.softmax import SoftmaxModel


@pytest.mark.parametrize("share", [1.0, 0.25])
@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_a_strength_is_the_curvature_seen_along_a_share_of_the_step(factor, share, rng):
    A = rng.standard_normal((9, 5))
    H, step = A.T @ A, rng.standard_normal(5)
    strength = Strength()
    strength.expect(step, H @ step)
    strength.learn(share * step, factor * H @ (share * step))
    assert strength.value == pytest.approx(factor)


def test_a_strength_changes_little_at_once_and_ignores_nonsense():
    strength = Strength()
    strength.expect(np.ones(2), np.ones(2))
    strength.learn(np.ones(2), 1e9 * np.ones(2))
    assert strength.value == MOST_STRETCH
    strength.learn(np.ones(2), -np.ones(2))
    strength.learn(np.zeros(2), np.zeros(2))
    assert strength.value == MOST_STRETCH


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("kind", ["float64", "float32", "sparse"])
def test_gram_rows_of_a_few_classes_and_columns_are_those_of_all(
    kind, fit_intercept, rng, monkeypatch
):
    """Two ways to the same numbers: products of columns, and gradients of weighted columns."""
    X = rng.standard_normal((120, 60)) + (3.0 if kind != "sparse" else 0.0)
    if kind == "sparse":
        X = sp.csc_array(X * (rng.random(X.shape) < 0.3))
    seen, few = [], SoftmaxModel._rows_of_few

    def both(model, old):
        rows = few(model, old)
        expected = model._block(old)
        assert_allclose(rows, expected, rtol=0.0, atol=1e-12 * np.abs(expected).max())
        seen.append(old)
        return rows

    monkeypatch.setattr(SoftmaxModel, "_rows_of_few", both)
    path = regpath.fit_path(
        X.astype(np.float32) if kind == "float32" else X,
        rng.integers(0, 4, 120),
        family="multinomial",
        lambda_min_ratio=0.1,
        fit_intercept=fit_intercept,
        sample_weight=rng.integers(0, 3, 120),
    )
    assert path.dual_gaps.max() <= 1e-6
    assert len(seen) > 5

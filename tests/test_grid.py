"""The grid of lambdas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from regpath.grid import default_ratio, lambda_grid


@pytest.mark.parametrize(
    ("n", "p", "ratio"), [(10, 9, 1e-4), (10, 10, 1e-4), (10, 11, 1e-2), (1, 1, 1e-4)]
)
def test_default_ratio(n, p, ratio):
    assert default_ratio(n, p) == ratio


@given(
    exponent=st.integers(-150, 150),
    n_lambdas=st.integers(1, 50),
    ratio=st.floats(1e-8, 0.99),
)
def test_log_spaced_from_exactly_the_largest(exponent, n_lambdas, ratio):
    largest = 1.7 * 10.0**exponent
    grid = lambda_grid(largest, n_lambdas, ratio)
    assert grid.shape == (n_lambdas,)
    assert grid[0] == largest  # to the last bit: at lambda_max all coefficients are zero
    assert (np.diff(grid) < 0).all()
    if n_lambdas > 1:
        assert grid[-1] == pytest.approx(ratio * largest)
        steps = grid[1:] / grid[:-1]
        assert_allclose(steps, ratio ** (1 / (n_lambdas - 1)), rtol=1e-9)


def test_without_any_gradient_the_grid_is_still_a_grid():
    grid = lambda_grid(0.0, 5, 0.01)
    assert grid[0] == 1e-15
    assert (grid > 0).all()
    assert (np.diff(grid) < 0).all()

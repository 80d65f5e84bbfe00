"""Exponential and logarithms beside those of NumPy in extended precision."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regpath.kernels.elementary import exp, log, log1p_of_share

# Units in the last place.
CLOSE = 2.0 * np.finfo(float).eps

CASES = {
    "exp": (exp, np.exp, st.floats(-708.0, 709.0)),
    "log": (log, np.log, st.floats(2.0**-1022, 1.7e308)),
    "log near 1": (log, np.log, st.floats(0.5, 2.0)),
    "log1p": (log1p_of_share, np.log1p, st.floats(2.0**-1022, 1.0)),
}


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="no extended precision here")
@pytest.mark.parametrize("case", CASES)
@given(data=st.data())
def test_two_units_in_the_last_place(case, data):
    function, reference, arguments = CASES[case]
    x = data.draw(arguments)
    exact = reference(np.longdouble(x))
    assert abs(function(x) - exact) <= CLOSE * abs(exact)


@pytest.mark.parametrize(
    ("x", "expected"),
    [(0.0, 1.0), (-0.0, 1.0), (-800.0, 0.0), (-math.inf, 0.0), (800.0, math.inf)],
)
def test_ends_of_the_exponential(x, expected):
    with np.errstate(over="ignore"):
        assert exp(x) == expected


@pytest.mark.parametrize("x", [-708.5, -720.0, -740.0, -745.0])
def test_exponentials_below_the_normal_numbers(x):
    assert abs(exp(x) - math.exp(x)) <= 2.0**-1074


@pytest.mark.parametrize("k", [-1022, -1, 0, 1, 2, 1023])
def test_logarithms_of_powers_of_two(k):
    assert log(2.0**k) == k * math.log(2.0)


@pytest.mark.parametrize(("x", "expected"), [(0.0, 0.0), (1.0, math.log(2.0)), (1e-300, 1e-300)])
def test_ends_of_log1p(x, expected):
    assert log1p_of_share(x) == pytest.approx(expected, rel=CLOSE, abs=0.0)

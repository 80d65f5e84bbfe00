"""Exponential and logarithms without a call, so that loops over rows are vectorised.

All are exact to two units in the last place.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from regpath._numba import FUSED, kernel

__all__ = ["exp", "log", "log1p_of_share"]

# log 2 in two parts: multiples of the first by whole numbers up to 2^11 are exact.
LOG_2_HIGH, LOG_2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
LOG_2_INVERSE = 1.4426950408889634
ROOT_2 = 1.4142135623730951
# Where the exponential is 0, and where it is infinite.
LEAST, MOST = -746.0, 710.0
# Exponent of 1, the bits of a mantissa, and the bits of 1.
BIAS, MANTISSA, ONE = 1023, 52, 1023 << 52


@kernel(FUSED, inline="always")
def exp(x: float) -> float:
    """e^x = 2^k e^r with |r| <= log(2) / 2, where 14 terms of the Taylor series are enough."""
    x = min(max(x, LEAST), MOST)
    k = math.floor(x * LOG_2_INVERSE + 0.5)
    r = x - k * LOG_2_HIGH - k * LOG_2_LOW
    # Two chains, of even and of odd powers, take half the time of one where nothing is vectorised.
    t = r * r
    even = 1.0 / 479001600.0
    odd = 1.0 / 6227020800.0
    even, odd = even * t + 1.0 / 3628800.0, odd * t + 1.0 / 39916800.0
    even, odd = even * t + 1.0 / 40320.0, odd * t + 1.0 / 362880.0
    even, odd = even * t + 1.0 / 720.0, odd * t + 1.0 / 5040.0
    even, odd = even * t + 1.0 / 24.0, odd * t + 1.0 / 120.0
    even, odd = even * t + 0.5, odd * t + 1.0 / 6.0
    power = (even + odd * r) * t + r + 1.0
    half = np.int64(k) >> 1  # 2^k itself may be out of range where the product is not
    return power * _power_of_two(half) * _power_of_two(np.int64(k) - half)


@kernel(FUSED, inline="always")
def _power_of_two(k: Any) -> float:
    """2^k, by its bits."""
    return np.int64((k + BIAS) << MANTISSA).view(np.float64)


@kernel(FUSED, inline="always")
def log(x: float) -> float:
    """log(x) of a normal x > 0: of 2^k m it is k log(2) + log(m), with m near 1."""
    bits = np.float64(x).view(np.int64)
    exponent = (bits >> MANTISSA) - BIAS
    m = np.int64((bits & ((1 << MANTISSA) - 1)) | ONE).view(np.float64)
    above = m > ROOT_2
    m = 0.5 * m if above else m
    k = float(exponent + 1) if above else float(exponent)
    s = (m - 1.0) / (m + 1.0)
    tail = s * _artanh_tail(s * s)
    return k * LOG_2_HIGH + (2.0 * s + (tail + k * LOG_2_LOW))


@kernel(FUSED, inline="always")
def log1p_of_share(x: float) -> float:
    """log(1 + x) for 0 <= x <= 1, as 2 artanh(s) with s = x / (2 + x) <= 1 / 3."""
    s = x / (2.0 + x)
    return 2.0 * s + s * _artanh_tail(s * s)


@kernel(FUSED, inline="always")
def _artanh_tail(t: float) -> float:
    """2 artanh(s) / s - 2 for t = s^2 <= 1 / 9, in chains of even and of odd powers."""
    u = t * t
    even, odd = 2.0 / 35.0, 2.0 / 37.0
    even, odd = even * u + 2.0 / 31.0, odd * u + 2.0 / 33.0
    even, odd = even * u + 2.0 / 27.0, odd * u + 2.0 / 29.0
    even, odd = even * u + 2.0 / 23.0, odd * u + 2.0 / 25.0
    even, odd = even * u + 2.0 / 19.0, odd * u + 2.0 / 21.0
    even, odd = even * u + 2.0 / 15.0, odd * u + 2.0 / 17.0
    even, odd = even * u + 2.0 / 11.0, odd * u + 2.0 / 13.0
    even, odd = even * u + 2.0 / 7.0, odd * u + 2.0 / 9.0
    even, odd = even * u + 2.0 / 3.0, odd * u + 2.0 / 5.0
    return t * (even + t * odd)

"""Losses: what a kernel may ask of a loss, one class each.

A loss is a convex function of the linear predictor eta of one row, with response y. The contract:

========================  =====================================================================
method                    meaning
========================  =====================================================================
``terms(y, eta)``         the tuple (loss, its first, its second derivative by eta)
``minimum(y)``            infimum of the loss over eta: the loss of the saturated model
``conjugate(y, v)``       loss*(v) = sup over eta of  v eta - loss(y, eta); inf outside its domain
========================  =====================================================================

``loss - minimum`` is half the unit deviance. ``conjugate`` may be missing: duality gaps are then
bounded through convexity, loss*(s v) <= s loss*(v) + (1 - s) loss*(0) for 0 <= s <= 1, where v is
the derivative at a known eta and loss*(0) = -minimum. `conjugate_by_search` makes one where there
is no formula.

A loss of your own is a ``typing.NamedTuple`` with these methods, written in the Python that Numba
compiles; it goes to `regpath.fit_path` as ``family``. It has one field at least, for Numba cannot
pass an empty tuple: the losses here that need none have a ``pad``.

>>> import math, typing
>>> class Squareplus(typing.NamedTuple):
...     width: float
...
...     def terms(self, y, eta):
...         root = math.sqrt((eta - y) ** 2 + self.width)
...         return root, (eta - y) / root, self.width / root**3
...
...     def minimum(self, y):
...         return math.sqrt(self.width)
>>> Squareplus(4.0).terms(1.0, 1.0)
(2.0, 0.0, 0.5)
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from regpath._numba import kernel, of_tuple, register_methods
from regpath.kernels.elementary import exp, log, log1p_of_share

__all__ = [
    "GammaLog",
    "Huber",
    "Logistic",
    "Poisson",
    "Probit",
    "Tweedie",
    "conjugate_by_search",
]

register_methods(inline="always", terms=2)  # loops over rows are vectorised
register_methods(inline="llvm", minimum=1)  # conjugate is registered with the penalties

# Below, numbers lose digits.
LEAST_NORMAL = 2.0**-1022
# Bisections after which an interval between two floats is empty.
MOST_BISECTIONS = 1100
# From here on the series of the tail of the normal distribution is exact to rounding.
FAR = 25.0
HALF_LOG_2PI = 0.9189385332046727


@kernel(inline="always")
def _x_log_x(x: float) -> float:
    return x * log(max(x, LEAST_NORMAL)) if x > 0.0 else 0.0


class Logistic(NamedTuple):
    """Negative binomial log-likelihood, logit link: log(1 + e^eta) - y eta, 0 <= y <= 1.

    With the mean m = y + v: loss*(v) = m log m + (1 - m) log(1 - m).
    """

    pad: float = 0.0

    def terms(self, y: float, eta: float) -> tuple[float, float, float]:
        e = exp(-abs(eta))
        large = 1.0 / (1.0 + e)
        small = e * large
        # Selections instead of branches: the loop over rows is vectorised.
        wrong = 1.0 - y if eta > 0.0 else y
        right = y if eta > 0.0 else 1.0 - y
        slope = wrong * large - right * small
        value = log1p_of_share(e) + wrong * abs(eta)
        return value, slope if eta > 0.0 else -slope, small * large

    def minimum(self, y: float) -> float:
        return -_x_log_x(y) - _x_log_x(1.0 - y)

    def conjugate(self, y: float, v: float) -> float:
        m = y + v
        # 1 - m by the other way round: near a mean of 1 its digits would be lost.
        rest = (1.0 - y) - v
        if m < 0.0 or rest < 0.0:
            return math.inf
        return _x_log_x(m) + _x_log_x(rest)


class Probit(NamedTuple):
    """Negative binomial log-likelihood, probit link: -y log F(eta) - (1 - y) log F(-eta).

    F is the normal distribution function. The conjugate has no closed form.
    """

    pad: float = 0.0

    def terms(self, y: float, eta: float) -> tuple[float, float, float]:
        log_left, left = _normal_tail(-eta)
        log_right, right = _normal_tail(eta)
        value = slope = curvature = 0.0
        if y > 0.0:
            value -= y * log_left
            slope -= y * left
            curvature += y * left * max(left + eta, 0.0)
        if y < 1.0:
            value -= (1.0 - y) * log_right
            slope += (1.0 - y) * right
            curvature += (1.0 - y) * right * max(right - eta, 0.0)
        return value, slope, curvature

    def minimum(self, y: float) -> float:
        return -_x_log_x(y) - _x_log_x(1.0 - y)

    def conjugate(self, y: float, v: float) -> float:
        if (y == 1.0 and v > 0.0) or (y == 0.0 and v < 0.0):
            return math.inf
        return conjugate_by_search(self, y, v)


@kernel()
def _normal_tail(x: float) -> tuple[float, float]:
    """Logarithm of F(-x), and the hazard f(x) / F(-x)."""
    log_density = -0.5 * x * x - HALF_LOG_2PI
    if x < FAR:
        tail = 0.5 * math.erfc(x / math.sqrt(2.0))
        return math.log(tail), math.exp(log_density) / tail
    t = 1.0 / (x * x)
    # Abramowitz and Stegun, 26.2.12.
    series = 1.0 - t * (
        1.0 - t * (3.0 - t * (15.0 - t * (105.0 - t * (945.0 - t * (10395.0 - t * 135135.0)))))
    )
    return log_density + math.log(series / x), x / series


class Poisson(NamedTuple):
    """Negative Poisson log-likelihood, log link: e^eta - y eta, y >= 0.

    With the mean m = y + v >= 0: loss*(v) = m log m - m.
    """

    pad: float = 0.0

    def terms(self, y: float, eta: float) -> tuple[float, float, float]:
        mean = exp(eta)
        return mean - y * eta, mean - y, mean

    def minimum(self, y: float) -> float:
        return y - _x_log_x(y)

    def conjugate(self, y: float, v: float) -> float:
        m = y + v
        return math.inf if m < 0.0 else _x_log_x(m) - m


class GammaLog(NamedTuple):
    """Negative gamma log-likelihood, log link: y e^-eta + eta, y > 0.

    With t = 1 - v >= 0: loss*(v) = t (log(t / y) - 1).
    """

    pad: float = 0.0

    def terms(self, y: float, eta: float) -> tuple[float, float, float]:
        ratio = y * exp(-eta)
        return ratio + eta, 1.0 - ratio, ratio

    def minimum(self, y: float) -> float:
        return 1.0 + math.log(y)

    def conjugate(self, y: float, v: float) -> float:
        t = 1.0 - v
        return math.inf if t < 0.0 else _x_log_x(t) - t * (math.log(y) + 1.0)


class Tweedie(NamedTuple):
    """Half the Tweedie deviance, log link, up to its minimum; y >= 0.

    e^((2 - a) eta) / (2 - a) + y e^((1 - a) eta) / (a - 1) for a variance of m^a. It is convex for
    1 <= a <= 2 only; the ends are `Poisson` and `GammaLog`. The conjugate has no closed form.

    Attributes
    ----------
    power : float
        a, with 1 < a < 2.
    """

    power: float

    def terms(self, y: float, eta: float) -> tuple[float, float, float]:
        up, down = 2.0 - self.power, self.power - 1.0
        grown = exp(up * eta)
        shrunk = y * exp(-down * eta) if y > 0.0 else 0.0  # not 0 times inf
        return grown / up + shrunk / down, grown - shrunk, up * grown + down * shrunk

    def minimum(self, y: float) -> float:
        up, down = 2.0 - self.power, self.power - 1.0
        return y**up * (1.0 / up + 1.0 / down) if y > 0.0 else 0.0

    def conjugate(self, y: float, v: float) -> float:
        if y == 0.0:
            up = 2.0 - self.power
            return math.inf if v < 0.0 else (_x_log_x(v) - v) / up
        return conjugate_by_search(self, y, v)


class Huber(NamedTuple):
    """Huber's loss of r = y - eta: r^2 / 2 for |r| <= delta, then delta |r| - delta^2 / 2.

    loss*(v) = v y + v^2 / 2 for |v| <= delta.

    Attributes
    ----------
    delta : float
        In units of y.
    """

    delta: float

    def terms(self, y: float, eta: float) -> tuple[float, float, float]:
        r = eta - y
        if abs(r) <= self.delta:
            return 0.5 * r * r, r, 1.0
        return self.delta * (abs(r) - 0.5 * self.delta), math.copysign(self.delta, r), 0.0

    def minimum(self, y: float) -> float:
        return 0.0

    def conjugate(self, y: float, v: float) -> float:
        return math.inf if abs(v) > self.delta else v * y + 0.5 * v * v


@of_tuple
@kernel()
def conjugate_by_search(loss: Any, y: float, v: float) -> float:
    """An upper bound of loss*(v), exact to rounding, by bisection of v - loss'(eta).

    For v inside the range of the derivative. From the ends a < b of the last interval, by
    concavity: loss*(v) <= v a - loss(a) + (v - loss'(a)) (b - a).

    Examples
    --------
    >>> from regpath.losses import Poisson
    >>> abs(conjugate_by_search(Poisson(), 2.0, 1.0) - Poisson().conjugate(2.0, 1.0)) < 1e-14
    True
    """
    value, slope, curvature = loss.terms(y, 0.0)
    direction = 1.0 if slope < v else -1.0
    near, far = 0.0, direction
    while (v - loss.terms(y, far)[1]) * direction > 0.0:
        near, far = far, 2.0 * far
        if abs(far) > 1e300:
            break
    a, b = min(near, far), max(near, far)
    eta = a + 0.5 * (b - a)
    for _ in range(MOST_BISECTIONS):
        value, slope, curvature = loss.terms(y, eta)
        if slope < v:
            a = eta
        else:
            b = eta
        step = (v - slope) / curvature if curvature > 0.0 else math.inf
        proposed = eta + step
        if abs(step) <= 4e-16 * (1.0 + abs(eta)):
            # One side is known closely: close the interval from the other.
            reach = 4.0 * abs(step) + 1e-15 * (1.0 + abs(eta))
            if slope < v:
                while eta + reach < b and loss.terms(y, eta + reach)[1] < v:
                    reach *= 4.0
                b = min(b, eta + reach)
            else:
                while eta - reach > a and loss.terms(y, eta - reach)[1] > v:
                    reach *= 4.0
                a = max(a, eta - reach)
            break
        eta = proposed if a < proposed < b else a + 0.5 * (b - a)
        if eta <= a or eta >= b:
            break
    value, slope, curvature = loss.terms(y, a)
    return v * a - value + max(v - slope, 0.0) * (b - a)

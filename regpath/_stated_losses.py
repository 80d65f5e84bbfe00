"""Losses of one linear predictor as `regpath.diagnostics` states them, in vectorised NumPy.

Written apart from `regpath.losses`. For every row, with a = inf over eta of the loss:

- excess      loss(eta) - a >= 0: half the unit deviance, without cancellation where that matters;
- slope       the derivative v0 of the loss, and its curvature;
- bregman(s)  loss(eta) + loss*(v) - v eta >= 0 at v = s v0, 0 <= s <= 1, or an upper bound of it.

Where loss* has a formula, it is written as a divergence of mean parameters: with m0 the mean at eta
and h = v - v0 = -(1 - s) v0, Poisson's is kl(m0, h) = (m0 + h) log((m0 + h) / m0) - h. Convexity
bounds it in general: loss*(s v0) <= s loss*(v0) + (1 - s) loss*(0) and loss*(0) = -a give

    loss(eta) + loss*(s v0) - s v0 eta <= (1 - s) (loss(eta) - a).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from regpath._stated_design import CONSTANT, EPS

__all__ = ["Custom", "Gamma", "Huber", "Logistic", "Poisson", "Probit", "RowLoss", "Tweedie", "kl"]

Array = NDArray[np.float64]

SERIES = 0.02
"""Below this argument the rests of exp and log are summed as series."""

CACHED_ENTRIES = 2**15
"""Rows are taken in parts of this many numbers: temporary arrays then stay in the cache."""

SEARCH_STEPS = 60
DOUBLINGS = 60


def exp_rest(x: Array) -> Array:
    """exp(x) - 1 - x, to relative rounding also near 0."""
    near = np.clip(x, -SERIES, SERIES)
    series = np.ones_like(near)
    for k in range(10, 2, -1):
        series = 1 + near / k * series
    return np.where(np.abs(x) <= SERIES, 0.5 * near**2 * series, np.expm1(x) - x)


def kl_shape(t: Array) -> Array:
    """(1 + t) log(1 + t) - t for t >= -1, to relative rounding also near 0."""
    near = np.clip(t, -SERIES, SERIES)
    series = np.zeros_like(near)
    for k in range(10, 1, -1):
        series = 1 / (k * (k - 1)) - near * series
    return np.where(np.abs(t) <= SERIES, near**2 * series, scipy.special.xlog1py(1 + t, t) - t)


def kl(mean: Array, h: Array) -> Array:
    """Divergence of the mean m + h from the mean m >= 0; infinite where m + h < 0."""
    ratio = np.where(h == 0, 0.0, h / mean)
    # A mean that should be 0 may be rounded to just below it.
    ratio = np.where((ratio < -1) & (ratio > -1 - 4 * EPS), -1.0, ratio)
    value = np.where(ratio == 0, 0.0, mean * kl_shape(ratio))
    return np.where(ratio < -1, np.inf, value)


def xlogx(x: Array) -> Array:
    """x log x, 0 at 0."""
    return np.asarray(scipy.special.xlogy(x, x))


class RowLoss:
    """A loss of one linear predictor per row; eta has the shape (n, 1, k) for k lambdas.

    Parameters
    ----------
    y : ndarray of shape (n,)
    weights : ndarray of shape (n,), sum 1

    Attributes
    ----------
    infimum : float
        Loss of the saturated model, sum w_i inf loss_i.
    rounding : float
        What an excess of 0 may come out as.
    """

    outputs = 1
    has_intercept = True

    def __init__(self, y: Array, weights: Array) -> None:
        self.y = y[:, None]
        self.weights = weights
        self.infimum = float(weights @ self.lowest(y))
        self.rounding = CONSTANT**2

    def lowest(self, y: Array) -> Array:
        """Infimum of the loss of every row."""
        return np.zeros_like(y)

    def terms_at(self, y: Array, eta: Array) -> tuple[Array, Array, Array]:
        """Excess, slope and curvature of rows with response y."""
        raise NotImplementedError

    def divergence(self, y: Array, eta: Array, s: Array) -> Array:
        """What bregman(s) sums up; NaN or infinite where only convexity is left."""
        excess, slope, curvature = self.terms_at(y, eta)
        return _by_search(self.terms_at, y, eta, s, (excess, slope, curvature))

    def terms(self, eta: Array) -> tuple[Array, Array, Array]:
        """Excess, slope and curvature (n, k) at eta of shape (n, k)."""
        result = np.empty((3, *eta.shape))
        for part in self._parts(eta):
            result[:, part] = self.terms_at(self.y[part], eta[part])
        return result[0], result[1], result[2]

    def _parts(self, eta: Array) -> list[slice]:
        step = max(1, CACHED_ENTRIES // max(eta.shape[1], 1))
        return [slice(first, first + step) for first in range(0, eta.shape[0], step)]

    def excess(self, eta: Array) -> Array:
        """Weighted loss minus its infimum, (k,)."""
        return np.asarray(self.weights @ self.terms(eta[:, 0])[0])

    def slope(self, eta: Array) -> Array:
        """Derivative of the loss of every row, (n, 1, k)."""
        return self.terms(eta[:, 0])[1][:, None]

    def noise(self, eta: Array) -> Array:
        """Size (n, 1, k) of the numbers that the slope is the difference of."""
        _, slope, curvature = self.terms(eta[:, 0])
        return np.asarray(np.abs(slope) + curvature * (1 + np.abs(eta[:, 0])))[:, None]

    def hessian(self, eta: Array, Z: Array) -> Array:
        """Second derivative (q, q) by the coefficients of Z, at eta of shape (n, 1, 1)."""
        curvature = self.terms(eta[:, 0])[2][:, 0]
        return np.asarray((Z * (self.weights * curvature)[:, None]).T @ Z)

    def bregman(self, eta: Array) -> Callable[[Array], Array]:
        """Upper bound (k,) of sum w_i (loss + loss*(v) - v eta) at v = s slope, for any s (k,)."""
        eta = eta[:, 0]

        def bound(s: Array) -> Array:
            total = np.zeros_like(s)
            for part in self._parts(eta):
                y, at = self.y[part], eta[part]
                rows = self.divergence(y, at, s)
                if not np.isfinite(rows).all():
                    convex = (1 - s) * self.terms_at(y, at)[0]
                    rows = np.where(np.isfinite(rows), rows, convex)
                total += self.weights[part] @ rows
            return total

        return bound


def _by_search(
    terms: Callable[[Array, Array], tuple[Array, Array, Array]],
    y: Array,
    eta: Array,
    s: Array,
    known: tuple[Array, Array, Array],
) -> Array:
    """Upper bound of loss + loss*(v) - v eta at v = s slope by a bracketed Newton search.

    The maximiser of v e - loss(e) lies between eta and the minimiser of the loss. At any e, with
    the maximiser between e and the end f of the bracket, concavity gives
    loss*(v) <= v e - loss(e) + |v - slope(e)| |f - e|.
    """
    shape = np.broadcast_shapes(y.shape, eta.shape)
    y, eta, s = (np.broadcast_to(a, shape).ravel() for a in (y, eta, s))
    excess, slope, curvature = (np.broadcast_to(a, shape).ravel() for a in known)
    result = (1 - s) * excess
    work = np.flatnonzero((s > 0) & (s < 1) & (slope != 0) & np.isfinite(slope))
    y, eta, s, slope = y[work], eta[work], s[work], slope[work]
    v = s * slope
    sign = np.sign(slope)
    step = np.clip((slope - v) / curvature[work] * sign, 1e-300, 1e6)
    near, far = eta.copy(), eta - 2 * sign * step
    for _ in range(DOUBLINGS):
        short = np.flatnonzero((terms(y, far)[1] - v) * sign > 0)
        if short.size == 0:
            break
        near[short] = far[short]
        far[short] = eta[short] + 2 * (far[short] - eta[short])
    at = np.where((eta - sign * step - near) * sign < 0, eta - sign * step, near + (far - near) / 2)
    going = np.arange(at.size)
    for _ in range(SEARCH_STEPS):
        x = at[going]
        _, found, bend = terms(y[going], x)
        left = (found - v[going]) * sign[going]
        near[going] = np.where(left > 0, x, near[going])
        far[going] = np.where(left <= 0, x, far[going])
        low = np.minimum(near[going], far[going])
        high = np.maximum(near[going], far[going])
        new = x + (v[going] - found) / bend
        new = np.where((new > low) & (new < high), new, low + (high - low) / 2)
        moved = np.abs(new - x) > 2 * EPS * (1 + np.abs(x))
        at[going] = np.where(moved, new, x)
        going = going[moved]
        if going.size == 0:
            break
    value, found, _ = terms(y, at)
    other = np.where((found - v) * sign > 0, far, near)
    bound = excess[work] - value - v * (eta - at) + np.abs(v - found) * np.abs(other - at)
    result[work] = np.fmin(result[work], np.maximum(bound, 0))
    return result.reshape(shape)


class Logistic(RowLoss):
    """log(1 + e^eta) - y eta, 0 <= y <= 1; the mean is p = 1 / (1 + e^-eta)."""

    def lowest(self, y: Array) -> Array:
        return -xlogx(y) - xlogx(1 - y)

    def terms_at(self, y: Array, eta: Array) -> tuple[Array, Array, Array]:
        p, q = scipy.special.expit(eta), scipy.special.expit(-eta)
        slope = (1 - y) * p - y * q
        rest = np.log1p(np.exp(-np.abs(eta)))
        excess = (1 - y) * (rest + np.maximum(eta, 0)) + y * (rest + np.maximum(-eta, 0))
        if ((y > 0) & (y < 1)).any():
            inner = (y > 0) & (y < 1) & (np.abs(eta) < 30)
            precise = kl(p, -slope) + kl(q, slope)
            excess = np.where(inner, precise, excess - self.lowest(y))
        return excess, slope, p * q

    def divergence(self, y: Array, eta: Array, s: Array) -> Array:
        p, q = scipy.special.expit(eta), scipy.special.expit(-eta)
        h = -(1 - s) * ((1 - y) * p - y * q)
        return kl(p, h) + kl(q, -h)


class Probit(RowLoss):
    """-y log F(eta) - (1 - y) log F(-eta), 0 <= y <= 1, F the normal distribution function."""

    def __init__(self, y: Array, weights: Array) -> None:
        super().__init__(y, weights)
        self.rounding = CONSTANT

    def lowest(self, y: Array) -> Array:
        return -xlogx(y) - xlogx(1 - y)

    def terms_at(self, y: Array, eta: Array) -> tuple[Array, Array, Array]:
        left, right = _hazard(-eta), _hazard(eta)
        value = -scipy.special.xlogy(y, 1) - self.lowest(y)
        value = value - np.where(y > 0, y * scipy.special.log_ndtr(eta), 0)
        value = value - np.where(y < 1, (1 - y) * scipy.special.log_ndtr(-eta), 0)
        slope = (1 - y) * right - y * left
        bend = (1 - y) * right * np.maximum(right - eta, 0) + y * left * np.maximum(left + eta, 0)
        return value, slope, bend


def _hazard(x: Array) -> Array:
    """f(x) / F(-x) for the density f of the normal distribution."""
    return np.asarray(np.sqrt(2 / np.pi) / scipy.special.erfcx(x / np.sqrt(2)))


class Poisson(RowLoss):
    """e^eta - y eta, y >= 0; the mean is e^eta."""

    def __init__(self, y: Array, weights: Array) -> None:
        super().__init__(y, weights)
        self.rounding = CONSTANT**2 * float(weights @ (y * _digits(y)))

    def lowest(self, y: Array) -> Array:
        return y - xlogx(y)

    def terms_at(self, y: Array, eta: Array) -> tuple[Array, Array, Array]:
        mean = np.exp(eta)
        excess = np.where(y > 0, y * exp_rest(eta - _log(y)), mean)
        return excess, self._slope(y, eta, mean), mean

    def _slope(self, y: Array, eta: Array, mean: Array) -> Array:
        return np.where(y > 0, y * np.expm1(eta - _log(y)), mean)

    def divergence(self, y: Array, eta: Array, s: Array) -> Array:
        mean = np.exp(eta)
        return kl(mean, -(1 - s) * self._slope(y, eta, mean))


def _log(y: Array) -> Array:
    """log y; rows with y = 0 have their own branch."""
    return np.log(np.where(y > 0, y, 1))


def _digits(y: Array) -> Array:
    """Square of the size of eta where it is log y: its rounding errors scale with it."""
    return np.asarray((1 + np.abs(_log(y))) ** 2)


class Gamma(RowLoss):
    """y e^-eta + eta, y > 0; the natural mean is t = y e^-eta, and v = 1 - t."""

    def __init__(self, y: Array, weights: Array) -> None:
        super().__init__(y, weights)
        self.rounding = CONSTANT**2 * float(weights @ _digits(y))

    def lowest(self, y: Array) -> Array:
        return 1 + np.log(y)

    def terms_at(self, y: Array, eta: Array) -> tuple[Array, Array, Array]:
        z = np.log(y) - eta
        return exp_rest(z), -np.expm1(z), np.exp(z)

    def divergence(self, y: Array, eta: Array, s: Array) -> Array:
        z = np.log(y) - eta
        return kl(np.exp(z), -(1 - s) * np.expm1(z))


class Tweedie(RowLoss):
    """e^((2 - a) eta) / (2 - a) + y e^((1 - a) eta) / (a - 1), y >= 0, 1 < a < 2."""

    def __init__(self, y: Array, weights: Array, power: float) -> None:
        self.up, self.down = 2 - power, power - 1
        super().__init__(y, weights)
        self.rounding = CONSTANT**2 * float(weights @ (y**self.up * _digits(y)))

    def lowest(self, y: Array) -> Array:
        return np.asarray(y**self.up * (1 / self.up + 1 / self.down))

    def terms_at(self, y: Array, eta: Array) -> tuple[Array, Array, Array]:
        up, down = self.up, self.down
        grown, some = np.exp(up * eta), y > 0
        scale = np.where(some, y, 1) ** up
        z = eta - _log(y)
        excess = scale * (exp_rest(up * z) / up + exp_rest(-down * z) / down)
        slope = scale * (np.expm1(up * z) - np.expm1(-down * z))
        bend = up * grown + np.where(some, down * scale * np.exp(-down * z), 0)
        return np.where(some, excess, grown / up), np.where(some, slope, grown), bend

    def divergence(self, y: Array, eta: Array, s: Array) -> Array:
        # At y = 0, loss*(v) = (v log v - v) / (2 - a).
        grown = np.exp(self.up * eta)
        result = np.where(y > 0, 0, kl(grown, -(1 - s) * grown) / self.up)
        some = np.flatnonzero(y.ravel() > 0)
        result[some] = super().divergence(y[some], eta[some], s)
        return result


class Huber(RowLoss):
    """r^2 / 2 for |r| <= delta, then delta |r| - delta^2 / 2, of r = eta - y."""

    def __init__(self, y: Array, weights: Array, delta: float) -> None:
        self.delta = delta
        super().__init__(y, weights)
        self.rounding = CONSTANT**2 * float(np.abs(y).max()) ** 2

    def terms_at(self, y: Array, eta: Array) -> tuple[Array, Array, Array]:
        r = eta - y
        slope = np.clip(r, -self.delta, self.delta)
        excess = 0.5 * slope**2 + self.delta * np.abs(r - slope)
        return excess, slope, (np.abs(r) <= self.delta).astype(np.float64)

    def divergence(self, y: Array, eta: Array, s: Array) -> Array:
        # loss*(v) = v y + v^2 / 2, so that the sum is (v - v0)^2 / 2 + |r - v0| (delta - |v|).
        r = eta - y
        slope = np.clip(r, -self.delta, self.delta)
        return np.asarray(0.5 * ((1 - s) * slope) ** 2 + (1 - s) * self.delta * np.abs(r - slope))

    def noise(self, eta: Array) -> Array:
        return np.asarray(super().noise(eta) + np.abs(self.y)[:, None])


class Custom(RowLoss):
    """A loss of the user's own: its methods are called row by row."""

    def __init__(self, y: Array, weights: Array, function: Any) -> None:
        self.function = function
        self._lowest = np.vectorize(_guarded(function.minimum, 1), otypes=[float])
        self._terms = np.vectorize(_guarded(function.terms, 3), otypes=[float] * 3)
        super().__init__(y, weights)
        self.rounding = CONSTANT * abs(self.infimum)

    def lowest(self, y: Array) -> Array:
        return np.asarray(self._lowest(y))

    def terms_at(self, y: Array, eta: Array) -> tuple[Array, Array, Array]:
        value, slope, curvature = self._terms(y, eta)
        return value - self.lowest(y), slope, curvature

    def divergence(self, y: Array, eta: Array, s: Array) -> Array:
        excess, slope, _ = self.terms_at(y, eta)
        convex = (1 - s) * excess
        if not hasattr(self.function, "conjugate"):
            return np.asarray(convex)
        conjugate = np.vectorize(_guarded(self.function.conjugate, 1), otypes=[float])
        v = s * slope
        exact = excess + self.lowest(y) + conjugate(y, v) - v * eta
        return np.asarray(np.fmin(convex, np.maximum(exact, 0)))


def _guarded(method: Callable[..., Any], results: int) -> Callable[..., Any]:
    """The method, with infinity where Python raises and compiled code would overflow."""
    failed: Any = np.inf if results == 1 else (np.inf,) * results

    def call(*arguments: float) -> Any:
        try:
            return method(*(float(a) for a in arguments))
        except (OverflowError, ZeroDivisionError):
            return failed

    return call

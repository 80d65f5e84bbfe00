"""Small unpenalised refits for `regpath.diagnostics`: the intercept, features without a penalty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from regpath._stated_design import EPS
from regpath._stated_losses import RowLoss
from regpath._stated_multi import MultiGaussian

if TYPE_CHECKING:
    from regpath._stated_family import StatedLoss

__all__ = ["refit_block", "refit_intercept"]

Array = NDArray[np.float64]

STEPS = 100
HALVINGS = 40
REACH = 8.0
"""First step towards an intercept that has no bracket yet; it doubles."""


def refit_intercept(loss: StatedLoss, weights: Array, eta: Array) -> Array:
    """What to add (K, k) to eta (n, K, k), so that sum w_i slope_i = 0 for every output."""
    if isinstance(loss, RowLoss):
        return _bracketed(loss, eta[:, 0])[None]
    if isinstance(loss, MultiGaussian):
        return -np.tensordot(weights, loss.slope(eta), 1)
    ones = np.ones((eta.shape[0], 1))
    shift = np.empty(eta.shape[1:])
    for k in range(eta.shape[2]):
        start = np.zeros((1, eta.shape[1]))
        free = np.full(1, np.inf)
        shift[:, k] = refit_block(loss, weights, ones, eta[:, :, k], start, -free, free)[0]
    return shift


def _bracketed(loss: RowLoss, eta: Array) -> Array:
    """Newton steps on sum w_i slope_i, which rises, kept inside of a shrinking bracket.

    A step that is not half as long as the last one gives way to bisection, or to a doubled reach
    while there is no bracket: Newton steps on an exponential have length 1, however far it is.
    """
    k = eta.shape[1]
    at, best, least = np.zeros(k), np.zeros(k), np.full(k, np.inf)
    low, high, reach = np.full(k, -np.inf), np.full(k, np.inf), np.full(k, REACH)
    last = np.full(k, 2 * REACH)
    for _ in range(2 * STEPS):
        _, slope, curvature = loss.terms(eta + at)
        total, bend = loss.weights @ slope, loss.weights @ curvature
        better = np.abs(total) < least
        best, least = np.where(better, at, best), np.where(better, np.abs(total), least)
        low, high = np.where(total < 0, at, low), np.where(total > 0, at, high)
        step = -total / bend
        short = np.isfinite(step) & (np.abs(step) <= 0.5 * last)
        open_ended = np.isinf(low) | np.isinf(high)
        far = np.where(open_ended, at - np.copysign(reach, total), low + (high - low) / 2)
        reach = np.where(open_ended & ~short, 2 * reach, reach)
        inside = open_ended | ((at + step > low) & (at + step < high))
        new = np.where(short & inside, at + step, far)
        last = np.abs(new - at)
        small = np.isfinite(total) & (np.abs(total) <= EPS * (loss.weights @ np.abs(slope)))
        done = small | (new == at) | ~(np.abs(at) < 1e100)
        if done.all():
            break
        at = np.where(done, at, new)
    return best


def refit_block(
    loss: StatedLoss,
    weights: Array,
    Z: Array,
    eta: Array,
    start: Array,
    lower: Array,
    upper: Array,
) -> Array:
    """Minimise the loss over the coefficients of a few columns by projected Newton steps.

    Parameters
    ----------
    loss : StatedLoss
    weights : ndarray of shape (n,)
    Z : ndarray of shape (n, q)
    eta : ndarray of shape (n, K)
        The linear predictor at `start`.
    start : ndarray of shape (q, K)
    lower, upper : ndarray of shape (q,)
        Limits of the coefficients.

    Returns
    -------
    change : ndarray of shape (q, K)
        What to add to `start`. It need not be a minimiser: any point has a dual value.
    """
    norms = np.sqrt(weights @ Z**2)
    norms = np.where(norms > 0, norms, 1)[:, None]  # steps must not depend on the units of columns
    Z = Z / norms.T
    # The change alone is kept: next to a large start it would lose digits.
    lower, upper = (lower[:, None] - start) * norms, (upper[:, None] - start) * norms
    b = np.zeros_like(start)
    value = float(loss.excess(eta[:, :, None])[0])
    gradient = _gradient(loss, weights, Z, eta)
    for _ in range(STEPS):
        held = ((b <= lower) & (gradient > 0)) | ((b >= upper) & (gradient < 0))
        steepness = np.abs(np.where(held, 0, gradient)).max(initial=0)
        free = np.flatnonzero(~held)
        if steepness == 0 or not np.isfinite(value):
            break
        hessian = loss.hessian(eta[:, :, None], Z)[np.ix_(free, free)]
        if not np.isfinite(hessian).all():
            break
        step = np.zeros(b.shape)
        step.flat[free] = -np.linalg.lstsq(hessian, gradient.ravel()[free], rcond=None)[0]
        level = value + _value_rounding(loss, weights, eta, value)
        for halving in range(HALVINGS):
            new = np.clip(b + step * 0.5**halving, lower, upper)
            moved = eta + Z @ (new - b)
            reached = float(loss.excess(moved[:, :, None])[0])
            slopes = _gradient(loss, weights, Z, moved)
            still = ((new <= lower) & (slopes > 0)) | ((new >= upper) & (slopes < 0))
            flatter = np.abs(np.where(still, 0, slopes)).max(initial=0) < 0.9 * steepness
            if reached < value * (1 - 1e-9) or (reached <= level and flatter):
                break
        else:
            break
        b, eta, value, gradient = new, moved, reached, slopes
    return np.asarray(b / norms)


def _value_rounding(loss: StatedLoss, weights: Array, eta: Array, value: float) -> float:
    """Rounding error of the excess at eta: that of the loss, and what that of eta makes of it."""
    slope, size = np.abs(loss.slope(eta[:, :, None])), loss.noise(eta[:, :, None])
    moved = np.tensordot(weights, (slope * (1 + np.abs(eta[:, :, None])) + size), 1).sum()
    return loss.rounding + 16 * EPS * (abs(value) + float(moved))


def _gradient(loss: StatedLoss, weights: Array, Z: Array, eta: Array) -> Array:
    """Derivative (q, K) of the loss by the coefficients of Z."""
    return np.asarray((Z * weights[:, None]).T @ loss.slope(eta[:, :, None])[:, :, 0])

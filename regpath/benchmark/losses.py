"""The losses of the comparison, in plain NumPy and independent of every solver.

Linear predictors eta have the shape (n, K, k): K outputs (one, but for multinomial) at k lambdas.
Responses y are as in `regpath.benchmark.problems.Problem`; weights w sum to one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp, softmax, xlogy

__all__ = ["LOSSES", "Cox", "Loss", "Multinomial", "Separable"]

Array = NDArray[np.float64]

STEPS = 100
"""Newton steps that an intercept may take; five to ten are usual."""

LONGEST = 2.0
"""Length of the longest of them."""

LAST = 1e-9
"""A step of this length is the last: Newton's next one would be of its square."""


class Loss(Protocol):
    """A family.

    Its residual r is minus the derivative by eta, (n, K, k), of weighted mean 0 where there is an
    intercept.
    """

    def outputs(self, y: Array) -> int:
        """K."""

    def value(self, y: Array, eta: Array, w: Array) -> Array:
        """Loss of all rows together, (k,)."""

    def residual(self, y: Array, eta: Array, w: Array) -> Array:
        """Minus the derivative by eta, divided by the weights, (n, K, k)."""

    def intercept(self, y: Array, eta: Array, w: Array) -> Array:
        """Intercepts that minimise the loss at a fixed linear predictor, (K, k)."""

    def infimum(self, y: Array, w: Array) -> float:
        """Loss of the saturated model: no linear predictor has a smaller one."""

    def dual(self, y: Array, eta: Array, r: Array, s: Array, w: Array) -> Array:
        """Minus the conjugate at the multiples -s w r, or less, (k,).

        ``r`` is the residual at ``eta``; but for cox it may be any point of weighted mean 0.
        """


class Separable(NamedTuple):
    """A loss that is a sum over rows, with one output.

    Attributes
    ----------
    loss : callable
        (y, eta) -> loss of every row.
    mean : callable
        eta -> expected y; y minus it is the residual.
    conjugate : callable
        (y, u) -> minus the conjugate of the loss of a row at -u.
    solve : callable
        (y, eta, w) -> best intercept, (k,), with y of shape (n, 1) and eta of shape (n, k).
    """

    loss: Callable[[Array, Array], Array]
    mean: Callable[[Array], Array]
    conjugate: Callable[[Array, Array], Array]
    solve: Callable[[Array, Array, Array], Array]

    def outputs(self, y: Array) -> int:
        """One."""
        return 1

    def value(self, y: Array, eta: Array, w: Array) -> Array:
        """Weighted mean of the losses of all rows."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(w @ self.loss(y[:, None], eta[:, 0]))

    def residual(self, y: Array, eta: Array, w: Array) -> Array:
        """Return y minus its mean."""
        with np.errstate(over="ignore"):
            return np.asarray(y[:, None, None] - self.mean(eta))

    def intercept(self, y: Array, eta: Array, w: Array) -> Array:
        """Return the best intercept."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(self.solve(y[:, None], eta[:, 0], w))[None]

    def infimum(self, y: Array, w: Array) -> float:
        """Minus the conjugate at zero."""
        return float(w @ self.conjugate(y, np.zeros_like(y)))

    def dual(self, y: Array, eta: Array, r: Array, s: Array, w: Array) -> Array:
        """Weighted mean of the conjugates of all rows."""
        return np.asarray(w @ self.conjugate(y[:, None], s * r[:, 0]))


class Multinomial:
    """Classes 0, 1, ..., K - 1 in y; symmetric: one linear predictor and intercept per class."""

    def outputs(self, y: Array) -> int:
        """Return the number of classes."""
        return int(y.max()) + 1

    def value(self, y: Array, eta: Array, w: Array) -> Array:
        """Weighted mean of log(sum of all e^eta) - eta of the class."""
        own = eta[np.arange(y.size), y.astype(np.intp)]
        return np.asarray(w @ (logsumexp(eta, axis=1) - own))

    def residual(self, y: Array, eta: Array, w: Array) -> Array:
        """Return the indicators of the classes minus their probabilities."""
        return np.asarray(self._indicators(y)[:, :, None] - softmax(eta, axis=1))

    def intercept(self, y: Array, eta: Array, w: Array) -> Array:
        """Newton steps on the K intercepts, which sum to 0."""
        K, k = eta.shape[1:]
        shares, b = w @ self._indicators(y), np.zeros((K, k))
        for step in range(STEPS):
            m = softmax(eta + b, axis=1)
            means = np.einsum("i,ikl->kl", w, m)
            if step < 3:  # scaling never fails, and starts Newton's method well
                move = np.log(shares)[:, None] - np.log(np.maximum(means, 1e-300))
            else:
                hessian = np.ones((k, K, K)) / K - np.einsum("i,ial,ibl->lab", w, m, m)
                hessian[:, range(K), range(K)] += means.T
                move = np.linalg.solve(hessian, (shares - means.T)[:, :, None])[:, :, 0].T
            b += np.clip(move, -LONGEST, LONGEST)
            if step >= 3 and np.abs(move).max(initial=0.0) < LAST:
                break
        return np.asarray(b - b.mean(axis=0))

    def infimum(self, y: Array, w: Array) -> float:
        """Zero: every label can be certain."""
        return 0.0

    def dual(self, y: Array, eta: Array, r: Array, s: Array, w: Array) -> Array:
        """Entropy of indicators minus s r."""
        m = self._indicators(y)[:, :, None] - s * r
        return -np.asarray(w @ xlogy(m, m).sum(axis=1))

    def _indicators(self, y: Array) -> Array:
        return np.eye(self.outputs(y))[y.astype(np.intp)]


class Cox:
    """Partial likelihood with Breslow's ties; y has the columns time and event; no intercept."""

    def outputs(self, y: Array) -> int:
        """One."""
        return 1

    def value(self, y: Array, eta: Array, w: Array) -> Array:
        """Weighted sum over events of log(sum of w e^eta at risk) - eta."""
        event = w * y[:, 1]
        below, sums, _ = self._at_risk(y, eta, w)
        with np.errstate(divide="ignore"):
            return np.asarray(event[event > 0.0] @ (np.log(sums) - below)[event > 0.0])

    def residual(self, y: Array, eta: Array, w: Array) -> Array:
        """Events minus their expected numbers."""
        below, sums, upto = self._at_risk(y, eta, w)
        order = np.argsort(y[:, 0], kind="stable")
        with np.errstate(divide="ignore", invalid="ignore"):
            rates = np.where(y[:, 1:] > 0.0, w[:, None] / sums, 0.0)
        hazard = np.cumsum(rates[order], axis=0)[upto]
        return np.asarray(y[:, 1:] - np.exp(below) * hazard)[:, None]

    def intercept(self, y: Array, eta: Array, w: Array) -> Array:
        """Zero: only differences matter."""
        return np.zeros(eta.shape[1:])

    def infimum(self, y: Array, w: Array) -> float:
        """All risk is that of the events: sum of d log d over the weights d of their times."""
        _, code = np.unique(y[:, 0], return_inverse=True)
        d = np.bincount(code.ravel(), w * y[:, 1])
        return float(xlogy(d, d).sum())

    def dual(self, y: Array, eta: Array, r: Array, s: Array, w: Array) -> Array:
        """Conjugates of the single events, whose sum bounds that of all of them.

        Event i is w_i log(sum of w e^eta at risk) - w_i eta_i; x_l = w_i w_l e^eta_l / S_i is what
        row l contributes to its slope. The conjugate is the sum of q log(q / (w_i w_l)) over
        the rows at risk, where q = s x_l, plus (1 - s) w_i at the event itself.
        """
        below, sums, _ = self._at_risk(y, eta, w)
        order = np.argsort(-y[:, 0], kind="stable")
        moments = np.cumsum((w[:, None] * np.exp(below) * below)[order], axis=0)
        last = np.searchsorted(-y[order, 0], -y[:, 0], "right") - 1
        used = np.flatnonzero(w * y[:, 1])
        v, own, S = w[used, None], below[used], sums[used]
        with np.errstate(divide="ignore", invalid="ignore"):
            x = v * v * np.exp(own) / S
            q = s * x + (1.0 - s) * v
            others = (v - x) * (xlogy(s, s) - s * np.log(S)) + s * (v * moments[last[used]] / S)
            return -np.asarray((others - s * x * own + xlogy(q, q / (v * v))).sum(axis=0))

    def _at_risk(self, y: Array, eta: Array, w: Array) -> tuple[Array, Array, NDArray[np.intp]]:
        """eta below its largest, sums of w e^eta at risk at every row's time, last row up to it."""
        below = eta[:, 0] - eta[:, 0].max(axis=0)
        order = np.argsort(y[:, 0], kind="stable")
        times = y[order, 0]
        risk = (w[:, None] * np.exp(below))[order]
        at_least = np.cumsum(risk[::-1], axis=0)[::-1]
        first = np.searchsorted(times, y[:, 0], "left")
        return below, at_least[first], np.searchsorted(times, y[:, 0], "right") - 1


def _logit_intercept(y: Array, eta: Array, w: Array) -> Array:
    """Newton steps, shorter and shorter where they change direction."""
    b = np.zeros(eta.shape[1])
    longest, last = np.full(b.size, LONGEST), np.zeros(b.size)
    for _ in range(STEPS):
        m = expit(eta + b)
        step = (w @ (y - m)) / np.maximum(w @ (m * (1.0 - m)), 1e-12)
        longest = np.where(step * last < 0.0, 0.5 * longest, longest)
        last = np.clip(step, -longest, longest)
        b += last
        if np.abs(last).max(initial=0.0) < LAST:
            break
    return b


def _log_intercept(y: Array, eta: Array, w: Array) -> Array:
    """The means must add up to the responses."""
    top = eta.max(axis=0)
    return np.asarray(np.log(w @ y) - np.log(w @ np.exp(eta - top)) - top)


LOSSES: dict[str, Loss] = {
    "gaussian": Separable(
        loss=lambda y, eta: 0.5 * (y - eta) ** 2,
        mean=lambda eta: eta,
        conjugate=lambda y, u: y * u - 0.5 * u * u,
        solve=lambda y, eta, w: np.asarray(w @ (y - eta)),
    ),
    "binomial": Separable(
        loss=lambda y, eta: np.logaddexp(0.0, eta) - y * eta,
        mean=lambda eta: np.asarray(expit(eta)),
        conjugate=lambda y, u: -xlogy(y - u, y - u) - xlogy(1.0 - y + u, 1.0 - y + u),
        solve=_logit_intercept,
    ),
    "poisson": Separable(
        loss=lambda y, eta: np.exp(eta) - y * eta,
        mean=lambda eta: np.asarray(np.exp(eta)),
        conjugate=lambda y, u: (y - u) - xlogy(y - u, y - u),
        solve=_log_intercept,
    ),
    "multinomial": Multinomial(),
    "cox": Cox(),
}
"""The families that can be compared. A new one is an entry here, and a translation in each peer."""

"""The partial likelihood of Cox as `regpath.diagnostics` states it, in NumPy and sparse products.

With the weights w (sum 1), the event rows D_t and the risk set R_t = {l: start_l < t <= stop_l, of
the same stratum} of an event time t, W_t = sum over D_t of w_l, k_t = |D_t|:

    Breslow   sum_t  W_t log(sum over R_t of w_l e^eta_l)  -  sum over events of w_i eta_i
    Efron     sum_t  W_t / k_t sum_{r < k_t} log(sum over R_t - r / k_t sum over D_t)  -  the same

Both are sums of terms a_q log(sum_l c_ql e^eta_l) - sum over D_t of (a_q w_i / W_t) eta_i, where
the a_q of one t add up to W_t and c_ql = w_l (1 - r_q / k_t on D_t): one term a time, r = 0, for
Breslow, and k_t of them for Efron.

1. Infimum. Let eta fall from each event time to the next, and be far below for all other rows: in
   the limit R_t holds D_t alone, where W log(sum w e^eta) - sum w eta is least for equal eta. So
   inf = sum_t W_t log W_t (Breslow) and sum_t W_t [log W_t + log(k_t! / k_t^k_t) / k_t] (Efron).
   It is the saturated model of glmnet: null deviance = 2 (loss at the null model - infimum) >= 0.
2. Conjugate. Of a sum f = sum_q F_q, f*(sum_q v_q) <= sum_q F_q*(v_q). Each F_q is a
   log-sum-exp: with x_ql = a_q c_ql e^eta_l / sum_l c_ql e^eta_l and y_ql = a_q w_l / W_t on D_t,
   F_q + F_q* - v_q eta at v_q = s grad F_q is the divergence sum_l kl(x_ql, -(1 - s)(x_ql - y_ql)).
   Rows outside D_t have y = 0, and (s log s - s + 1) x_ql. The bound is of order (1 - s)^2; where
   there are too many ties for a sum over pairs, convexity gives (1 - s) (loss - infimum).

Risk sets are unions of nodes of a binary tree over the event times: every sum is of positive
numbers, nothing is ever subtracted, and eta may differ by hundreds between the rows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy import sparse

from regpath._stated_design import CONSTANT
from regpath._stated_losses import CACHED_ENTRIES, kl, kl_shape, xlogx

__all__ = ["Cox"]

Array = NDArray[np.float64]
Index = NDArray[np.intp]

SMALLEST = 1e-280
"""Below this share of its stratum a risk set is beyond the range of numbers."""
SPREAD = 600.0
"""Logarithm of the largest hazard where they differ by more than double precision holds."""


class Cox:
    """Minus the partial log-likelihood, eta of shape (n, 1, k); no intercept.

    Where eta differs by more than 1240 within a stratum, so that a risk set underflows, the excess
    is infinite.
    """

    outputs = 1
    has_intercept = False

    def __init__(
        self,
        start: Array,
        stop: Array,
        event: NDArray[np.bool_],
        strata: Index,
        weights: Array,
        efron: bool,
    ) -> None:
        self.weights, self.event, self.strata = weights, event, strata
        n = weights.size
        ranks = np.unique(stop, return_inverse=True)[1].ravel()
        where = strata.astype(np.int64) * (n + 1) + ranks  # one number per stratum and time
        keys, first, code = np.unique(where[event], return_index=True, return_inverse=True)
        code = code.ravel()
        times, of_time = stop[event][first], strata[event][first]
        low, high = np.empty(n, dtype=np.intp), np.empty(n, dtype=np.intp)
        order = np.argsort(strata, kind="stable")
        ends = np.searchsorted(strata[order], np.arange(strata.max(initial=-1) + 2))
        for k in range(ends.size - 1):
            rows = order[ends[k] : ends[k + 1]]
            left, right = np.searchsorted(of_time, [k, k + 1])
            low[rows] = left + np.searchsorted(times[left:right], start[rows], "right")
            high[rows] = left + np.searchsorted(times[left:right], stop[rows], "right")
        size = keys.size
        self.nodes = _nodes(low, high - event, size)
        self.paths = _paths(size)
        rows = np.flatnonzero(event)
        self.tied = sparse.csr_array((np.ones(rows.size), (rows, code)), shape=(n, size))
        total: Array = np.bincount(code, weights[event], size).astype(np.float64)
        count = np.bincount(code, minlength=size)
        self._terms_of(total, count, efron)
        self._pairs_of(rows, code, count, total, efron)
        self.infimum = float(xlogx(total).sum())
        if efron:
            logs = scipy.special.gammaln(count + 1) / count - np.log(count)
            self.infimum += float((total * logs).sum())
        self.rounding = CONSTANT * float(np.abs(xlogx(total)).sum())

    def _terms_of(self, total: Array, count: Index, efron: bool) -> None:
        """The terms q: their time, a_q and the share of the tied events that stays."""
        repeats = count if efron else np.ones_like(count)
        self.time = np.repeat(np.arange(count.size), repeats)
        position = np.arange(self.time.size) - np.repeat(np.cumsum(repeats) - repeats, repeats)
        self.stays = 1 - position / count[self.time] if efron else np.ones(self.time.size)
        self.amount = (total / repeats)[self.time]
        ones = np.ones(self.time.size)
        shape = (count.size, self.time.size)
        self.by_time = sparse.csr_array((ones, (self.time, np.arange(ones.size))), shape=shape)

    def _pairs_of(self, rows: Index, code: Index, count: Index, total: Array, efron: bool) -> None:
        """Pairs of a term q and a row l of D_t."""
        repeats = count[code] if efron else np.ones_like(code)
        self.pairs = None
        if repeats.sum() > 4 * self.weights.size + 10_000:
            return
        first = np.cumsum(count) - count if efron else np.arange(count.size)
        row = np.repeat(rows, repeats)
        position = np.arange(row.size) - np.repeat(np.cumsum(repeats) - repeats, repeats)
        term = np.repeat(first[code], repeats) + position
        target = self.weights[row] * self.amount[term] / total[self.time[term]]
        self.pairs = (term, row, target)

    def _risk(self, x: Array) -> Array:
        """Sums over the rows at risk that are no event of that time, (times, k)."""
        return np.asarray(self.paths @ (self.nodes.T @ x))

    def _parts(self, eta: Array) -> tuple[Array, Array, Array, Array]:
        """eta less a level of its stratum, sums over R_t - D_t and D_t, and denominators."""
        below = eta[:, 0] - _level(eta[:, 0], self.strata)
        x = self.weights[:, None] * np.exp(below)
        others, tied = self._risk(x), np.asarray(self.tied.T @ x)
        below_all = others[self.time] + self.stays[:, None] * tied[self.time]
        return below, others, tied, np.where(below_all > SMALLEST, below_all, np.nan)

    def excess(self, eta: Array) -> Array:
        """Loss minus its infimum, (k,)."""
        below, _, _, denominators = self._parts(eta)
        events = (self.weights * self.event) @ below
        loss = self.amount @ np.log(denominators) - events
        return np.where(np.isnan(loss), np.inf, np.maximum(loss - self.infimum, 0))

    def _mean(self, eta: Array) -> Array:
        """Expected number of events of every row, (n, k)."""
        below, _, _, denominators = self._parts(eta)
        rate = self.amount[:, None] / denominators
        hazard = self.nodes @ (self.paths.T @ (self.by_time @ rate))
        own = self.tied @ (self.by_time @ (self.stays[:, None] * rate))
        return np.asarray(np.exp(below) * (hazard + own))

    def slope(self, eta: Array) -> Array:
        """Derivative of the loss by eta_l, divided by w_l, (n, 1, k)."""
        return np.asarray(self._mean(eta) - self.event[:, None])[:, None]

    def noise(self, eta: Array) -> Array:
        """Size (n, 1, k) of the numbers that the slope is the difference of."""
        size = self._mean(eta) + self.event[:, None]
        return np.asarray(size[:, None] * (1 + np.abs(eta)))

    def hessian(self, eta: Array, Z: Array) -> Array:
        """Second derivative (q, q) by the coefficients of Z, at eta of shape (n, 1, 1)."""
        below, _, _, denominators = self._parts(eta)
        x = self.weights[:, None] * np.exp(below) * Z
        sums = self._risk(x)[self.time] + self.stays[:, None] * (self.tied.T @ x)[self.time]
        means = sums / denominators * np.sqrt(self.amount)[:, None]
        mean = self.weights[:, None] * self._mean(eta)
        return np.asarray((Z * mean).T @ Z - means.T @ means)

    def bregman(self, eta: Array) -> Callable[[Array], Array]:
        """Upper bound (k,) of loss + loss*(v) - <v, eta> at v = s slope, for any s (k,)."""
        excess = self.excess(eta)
        if self.pairs is None:
            return lambda s: (1 - s) * excess
        below, others, _, denominators = self._parts(eta)
        outside = self.amount @ (others[self.time] / denominators)
        term, row, target = self.pairs
        share = (self.amount * self.stays)[term] * self.weights[row]
        x = share[:, None] * np.exp(below[row]) / denominators[term]
        apart = x - target[:, None]
        step = max(1, CACHED_ENTRIES // max(x.shape[1], 1))

        def bound(s: Array) -> Array:
            total = kl_shape(s - 1) * outside
            for first in range(0, x.shape[0], step):
                part = slice(first, first + step)
                total += kl(x[part], -(1 - s) * apart[part]).sum(axis=0)
            return np.where(np.isfinite(total), total, (1 - s) * excess)

        return bound


def _level(eta: Array, strata: Index) -> Array:
    """The largest entry of its stratum for each row; lower where entries differ by more than 600.

    Exponentials of differences to this level are as small as they are large.
    """
    top, bottom = np.full((2, int(strata.max(initial=0)) + 1, eta.shape[1]), -np.inf)
    np.maximum.at(top, strata, eta)
    np.maximum.at(bottom, strata, -eta)
    return np.asarray((top - np.clip(top + bottom - SPREAD, 0.0, SPREAD))[strata])


def _nodes(low: Index, high: Index, size: int) -> sparse.csr_array:
    """Which nodes of the tree over `size` leaves make up the leaves low <= t < high of each row.

    Node i has the children 2 i and 2 i + 1, and leaf t is node size + t.
    """
    rows, nodes = [], []
    left, right = low + size, np.maximum(high, low) + size
    while (left < right).any():
        odd = np.flatnonzero((left < right) & (left % 2 == 1))
        rows.append(odd)
        nodes.append(left[odd])
        left[odd] += 1
        odd = np.flatnonzero((left < right) & (right % 2 == 1))
        right[odd] -= 1
        rows.append(odd)
        nodes.append(right[odd])
        left, right = left // 2, right // 2
    return _indicator(rows, nodes, (low.size, 2 * size))


def _paths(size: int) -> sparse.csr_array:
    """Which nodes lie above each leaf, with the leaf itself."""
    rows, nodes = [], []
    node = np.arange(size) + size
    while (node > 0).any():
        inside = np.flatnonzero(node > 0)
        rows.append(inside)
        nodes.append(node[inside])
        node = node // 2
    return _indicator(rows, nodes, (size, 2 * size))


def _indicator(rows: list[Index], columns: list[Index], shape: tuple[int, int]) -> sparse.csr_array:
    row = np.concatenate([np.zeros(0, dtype=np.intp), *rows])
    column = np.concatenate([np.zeros(0, dtype=np.intp), *columns])
    return sparse.csr_array((np.ones(row.size), (row, column)), shape=shape)

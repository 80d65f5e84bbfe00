"""The partial likelihood of Cox's proportional hazards.

With weights w that sum to one, events at times t_g (within their stratum) of weight d_g = sum of w
over the events there, and risk sets R_g of the rows with start < t_g <= stop:

    loss   = sum_g d_g log S_g - sum over events w_i eta_i,    S_g = sum over R_g of w_l e^eta_l
    slope  = e^eta_l A_l - event_l,                            A_l = sum of d_g / S_g with l in R_g
    Hessian = diag(w_l e^eta_l A_l) - sum_g M_g M_g',          M_gl = sqrt(d_g) / S_g w_l e^eta_l

Breslow's treatment of ties. Efron's has m terms at a time with m events, h = 0, ..., m - 1, of
weight d_g / m each, in which the events there count 1 - h / m in the risk set.

The infimum is sum_g d_g log d_g (plus d_g / m sum_h log(1 - h / m)): all risk but that of the
events gone.

Every term h is the log-likelihood of a softmax over its risk set, with the events as responses e
and the probabilities p of the rows. The conjugate of a sum is at most the sum of the conjugates at
any split of v, here s (p_h - e_h) for every term, so that the loss part of a gap is at most

    sum_h d_h KL(m_h | p_h),      m_h = (1 - s) e_h + s p_h,

in which the rows of a risk set that have no event there count s log s (1 - their events' p).

References: Breslow (1974), Biometrics 30; Efron (1977), JASA 72; Simon, Friedman, Hastie and
Tibshirani (2011), Regularization paths for Cox's model, J. Stat. Software 39.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from regpath.solvers.risk_sets import RiskSets
from regpath.solvers.rows import Terms

__all__ = ["CoxLoss"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


# Pairs of a term with an event at its time that a gap may sum over.
MOST_PAIRS = 1e6
# Sums of risks that are known to all digits, and the logarithm of the largest hazard that may be.
SMALLEST_RISK, SPREAD = 1e-280, 600.0
# Bound of what an event of a row with hardly any risk makes infinite.
LARGEST_SQUARE = 1e30


class _Moments(NamedTuple):
    """What the Hessian needs of a point: risks w e^eta, and d and S of every term."""

    risk: Array
    sums: Array


class CoxLoss:
    """Negative log partial likelihood, with one output.

    Parameters
    ----------
    y : ndarray of shape (n, 3)
        Start (-inf if there is none), stop, event.
    weights, offset : ndarray of shape (n,)
        Weights sum to one.
    ties : {"breslow", "efron"}
    strata : ndarray of int of shape (n,) or None
    """

    n_outputs = 1
    compiled = None
    unit = response = 1.0
    fit_intercept = False

    def __init__(
        self, y: Array, weights: Array, offset: Array, *, ties: str, strata: Index | None
    ) -> None:
        start, stop, event = y.T
        n = stop.size
        self._weights, self._offset, self._root = weights, offset, np.sqrt(weights)
        self._event = event * (weights > 0.0)
        self._strata = np.zeros(n, np.int64) if strata is None else strata
        self._n_strata = int(self._strata.max()) + 1
        events = np.flatnonzero(self._event)
        keys = np.stack([self._strata[events].astype(np.float64), stop[events]])
        groups, group = np.unique(keys, axis=1, return_inverse=True)
        group = group.ravel()
        self._group_stratum, self._time = groups[0].astype(np.int64), groups[1].copy()
        self._own_group = np.full(n, -1)
        self._own_group[events] = group
        size = self._time.size
        deaths = np.bincount(group, weights[events], size)
        count = np.bincount(group, minlength=size)
        terms = (count if ties == "efron" else np.ones_like(count)).astype(np.int64)
        # Every term h of a time: its group, its weight, and the share that is taken off the events.
        self._group = np.repeat(np.arange(size), terms)
        place = np.arange(self._group.size) - np.repeat(np.cumsum(terms) - terms, terms)
        self._mass = (deaths / terms)[self._group]
        self._share = place / terms[self._group]
        self._tied = bool(self._share.any())
        self.floor = float(deaths @ np.log(deaths) + self._mass @ np.log1p(-self._share))
        # A time with m events has m terms by Efron: their pairs can be more than is worth it.
        self.has_conjugate = float(terms @ count) <= MOST_PAIRS + 8.0 * n
        some = self._group if self.has_conjugate else self._group[:0]
        self._pairs = _pairs(some, group, size)
        self._pair_rows = events[self._pairs[1]]
        self._pair_shares = (weights[events] / deaths[group])[self._pairs[1]]
        self._risk_sets = RiskSets(start, stop, self._strata, self._time, self._group_stratum)

    def start(self) -> Array:
        """Linear predictor (1, n) of no features: the offset."""
        return self._offset[None].copy()

    def centred(self, eta: Array) -> tuple[Array, Array, Terms]:
        """There is no intercept: zero, eta, and the terms there."""
        return np.zeros(1), eta, self._terms(eta[0])

    def gap(self, eta: Array, terms: Terms, s: float) -> float:
        """Upper bound of the loss part of the gap."""
        if s == 1.0:
            return 0.0
        if s == 0.0 or not self.has_conjugate:
            return (1.0 - s) * terms.value
        moments: _Moments = terms.state
        h, rows = self._pairs[0], self._pair_rows
        p = (1.0 - self._share[h]) * moments.risk[rows] / moments.sums[h]
        m = (1.0 - s) * self._pair_shares + s * p
        size = self._mass.size
        with np.errstate(divide="ignore"):
            inside = np.bincount(h, m * np.log(m / p), size)
        outside = s * math.log(s) * np.maximum(1.0 - np.bincount(h, p, size), 0.0)
        divergence = float(self._mass @ np.maximum(inside + outside, 0.0))
        return min(divergence, (1.0 - s) * terms.value)  # the latter by convexity alone

    def coupling(self, terms: Terms) -> Callable[[Array], Array]:
        """The map x -> M x of the Hessian at a point, for columns (m, n) at once."""
        moments: _Moments = terms.state
        scale = np.sqrt(self._mass) / moments.sums

        def rows(columns: Array) -> Array:
            return np.asarray(self._over_terms(columns * moments.risk) * scale)

        return rows

    def _terms(self, eta: Array) -> Terms:
        # Hazards are only compared within a stratum: the largest is 1, or more if they differ much.
        used = self._weights > 0.0
        top, bottom = np.full((2, self._n_strata), -np.inf)
        np.maximum.at(top, self._strata[used], eta[used])
        np.maximum.at(bottom, self._strata[used], -eta[used])
        with np.errstate(invalid="ignore"):
            level = top - np.clip(top + bottom - SPREAD, 0.0, SPREAD)
        level = np.where(np.isfinite(top), level, 0.0)
        difference = np.minimum(eta - level[self._strata], SPREAD)
        relative = np.where(used, np.exp(difference), 0.0)
        risk = self._weights * relative
        sums = self._over_terms(risk)
        if not sums.min() > SMALLEST_RISK:  # beyond the range of numbers: no point of a path
            infinite = np.full((1, eta.size), np.nan)
            return Terms(np.inf, infinite, infinite, infinite, np.inf)
        with np.errstate(divide="ignore", invalid="ignore"):
            value = float(self._mass @ (np.log(sums) + level[self._group_stratum[self._group]]))
            rate = self._mass / sums
        rates: Array = np.bincount(self._group, rate, self._time.size).astype(np.float64)
        hazard = self._risk_sets.over_times(rates)
        if self._tied:
            taken = np.bincount(self._group, rate * self._share, self._time.size)
            hazard -= np.where(self._own_group >= 0, taken[self._own_group], 0.0)
        value -= float((self._weights * self._event) @ eta)
        curvature = relative * hazard
        slope = np.where(used, curvature - self._event, 0.0)
        residual = (-self._root * slope)[None]
        value = value - self.floor if np.isfinite(value) else np.inf
        return Terms(
            value,
            slope[None],
            residual,
            curvature[None],
            self._square(risk, sums),
            _Moments(risk, sums),
        )

    def _square(self, risk: Array, sums: Array) -> float:
        """Bound of u'H^-1 u, u the slopes: that of a sum is at most the sum over the terms.

        For a softmax it is (e - p)'diag(1 / p) (e - p) = sum e^2 / p - 1.
        """
        events = self._own_group >= 0
        own, shares = self._own_group[events], self._weights[events]
        size, parts = self._time.size, self._mass * sums / (1.0 - self._share)
        with np.errstate(divide="ignore"):
            each = np.bincount(own, shares**2 / risk[events], size)
        inverse: Array = each / np.bincount(own, shares, size) ** 2
        total = float(np.bincount(self._group, parts, size) @ inverse) - float(self._mass.sum())
        return min(max(total, 0.0), LARGEST_SQUARE)

    def _over_terms(self, values: Array) -> Array:
        """Sums of values (..., n) over the risk set of every term."""
        total = self._risk_sets.over_rows(values)
        total = total[..., self._group]
        if self._tied:
            rows = np.flatnonzero(self._own_group >= 0)
            order = rows[np.argsort(self._own_group[rows], kind="stable")]
            edges = np.searchsorted(self._own_group[order], np.arange(self._time.size))
            events = np.add.reduceat(values[..., order], edges, axis=-1)
            total = total - self._share * events[..., self._group]
        return np.asarray(total)


def _pairs(term_group: Index, event_group: Index, n_groups: int) -> tuple[Index, Index]:
    """Every term with every event at its time: places of both."""
    order = np.argsort(event_group, kind="stable")
    counts = np.bincount(event_group, minlength=n_groups)
    begin = np.cumsum(counts) - counts
    repeats = counts[term_group]
    term = np.repeat(np.arange(term_group.size), repeats)
    within = np.arange(term.size) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return term, order[begin[term_group[term]] + within]

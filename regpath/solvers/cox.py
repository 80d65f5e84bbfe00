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

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from regpath.kernels.risks import cox_gap, cox_terms
from regpath.solvers.risk_sets import RiskSets
from regpath.solvers.rows import Terms, terms_of

__all__ = ["Cohort", "CoxLoss"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


# Pairs of a term with an event at its time that a gap may sum over.
MOST_PAIRS = 1e6


class Cohort(NamedTuple):
    """Who is at risk when, and who has an event, for `regpath.kernels.risks`.

    Attributes
    ----------
    weights, root, event, event_weights : ndarray of shape (n,)
        Weights, their square roots; 1 for events, else 0, and that times the weights.
    stratum, own_group : ndarray of int of shape (n,)
        Strata; the group (a time in a stratum) of events, -1 for other rows.
    first_term, first_event : ndarray of int of shape (n_groups + 1,)
        Where the terms and the events of a group begin.
    deaths : ndarray of shape (n_groups,)
        Weight of the events of a group.
    term_group, mass, share : ndarray of shape (n_terms,)
        Groups and weights of the terms, and the share of the events that has left the risk set.
    has_shares : bool
        Whether any has.
    events : ndarray of int of shape (n_events,)
        Rows with an event, group by group.
    ranges : named tuple
        Of the risk sets, see `regpath.kernels.ranges`.
    """

    weights: Array
    root: Array
    event: Array
    event_weights: Array
    stratum: Index
    own_group: Index
    first_term: Index
    first_event: Index
    deaths: Array
    term_group: Index
    mass: Array
    share: Array
    has_shares: bool
    events: Index
    ranges: Any


class _Moments(NamedTuple):
    """What the Hessian needs of a point: risks w e^eta (1, n), and S of every term."""

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
        self._offset, weights = offset, np.array(weights)
        event = event * (weights > 0.0)
        stratum = np.zeros(n, np.int64) if strata is None else strata
        events, n_strata = np.flatnonzero(event), int(stratum.max()) + 1
        keys = np.stack([stratum[events].astype(np.float64), stop[events]])
        groups, group = np.unique(keys, axis=1, return_inverse=True)
        group, group_stratum, times = group.ravel(), groups[0].astype(np.int64), groups[1].copy()
        own_group = np.full(n, -1)
        own_group[events] = group
        deaths = np.bincount(group, weights[events], times.size).astype(np.float64)
        count = np.bincount(group, minlength=times.size)
        # Every term h of a time: its group, its weight, and the share that is taken off the events.
        terms = count if ties == "efron" else np.ones_like(count)
        first_term = _edges(terms)
        term_group = np.repeat(np.arange(times.size), terms)
        share = (np.arange(term_group.size) - first_term[term_group]) / terms[term_group]
        mass = (deaths / terms)[term_group]
        self.floor = float(deaths @ np.log(deaths) + mass @ np.log1p(-share))
        # A time with m events has m terms by Efron: their pairs can be more than is worth it.
        self.has_conjugate = float(terms @ count) <= MOST_PAIRS + 8.0 * n
        self._risk_sets = RiskSets(start, stop, stratum, times, group_stratum)
        self._cohort = Cohort(
            weights=weights,
            root=np.sqrt(weights),
            event=event,
            event_weights=weights * event,
            stratum=stratum,
            own_group=own_group,
            first_term=first_term,
            first_event=_edges(count),
            deaths=deaths,
            term_group=term_group,
            mass=mass,
            share=share,
            has_shares=bool(share.any()),
            events=events[np.argsort(group, kind="stable")],
            ranges=self._risk_sets.ranges,
        )
        self._level = np.empty((2, n_strata))
        self._places = np.empty((5, times.size))

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
        by_convexity = (1.0 - s) * terms.value
        if s == 0.0 or not self.has_conjugate:
            return by_convexity
        moments: _Moments = terms.state
        return min(float(cox_gap(self._cohort, moments.risk[0], moments.sums, s)), by_convexity)

    def coupling(self, terms: Terms) -> Callable[[Array], Array]:
        """The map x -> M x of the Hessian at a point, for columns (m, n) at once."""
        moments: _Moments = terms.state
        scale = np.sqrt(self._cohort.mass) / moments.sums

        def rows(columns: Array) -> Array:
            return self._over_terms(columns * moments.risk) * scale

        return rows

    def _terms(self, eta: Array) -> Terms:
        risk, sums = np.empty((1, eta.size)), np.empty((3, self._cohort.mass.size))
        out, figures = np.empty((3, eta.size)), np.empty(2)
        rooms = self._level, self._places, risk, sums, out, figures
        if not cox_terms(self._cohort, eta, *rooms):
            out[:] = np.nan
            return terms_of(out, np.inf, np.inf)
        value, square = figures.tolist()
        return terms_of(out, value - self.floor, square)._replace(state=_Moments(risk, sums[0]))

    def _over_terms(self, values: Array) -> Array:
        """Sums of values (m, n) over the risk set of every term."""
        cohort, total = self._cohort, self._risk_sets.over_rows(values)[:, self._cohort.term_group]
        if cohort.has_shares:
            events = np.add.reduceat(values[:, cohort.events], cohort.first_event[:-1], axis=1)
            total -= cohort.share * events[:, self._cohort.term_group]
        return total


def _edges(counts: Index) -> Index:
    """Where parts of these sizes begin, one after the other, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(counts)])

"""Risk sets: which rows are at risk at which event times, and sums over either."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from regpath.kernels.ranges import sums_at_places, sums_over_ranges

__all__ = ["RiskSets"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


class Ranges(NamedTuple):
    """Ranges of times as the kernels ask for them, see `regpath.kernels.ranges`."""

    first: Index
    last: Index
    rows: Index
    edges: Index
    head: NDArray[np.bool_]


class RiskSets:
    """Rows with start < t <= stop at the times t of their stratum.

    Nothing is ever subtracted: small sums are not lost beside large ones of rows that have left, or
    not yet entered. Rows that are there from the beginning, which is all of them where nobody
    enters late, cost one cumulative sum.

    Parameters
    ----------
    start, stop : ndarray of shape (n,)
        Start is -inf for rows that are there from the beginning.
    stratum : ndarray of int of shape (n,)
    times : ndarray of shape (size,)
        Increasing within their stratum.
    time_stratum : ndarray of int of shape (size,)
        In order.

    Examples
    --------
    >>> import numpy as np
    >>> never, alike = np.full(3, -np.inf), np.zeros(3, np.int64)
    >>> sets = RiskSets(never, np.array([1.0, 2.0, 3.0]), alike, np.array([1.0, 3.0]), alike[:2])
    >>> sets.over_rows(np.array([1.0, 10.0, 100.0]))
    array([111., 100.])
    >>> sets.over_times(np.array([0.5, 0.25]))
    array([0.5 , 0.5 , 0.75])
    """

    def __init__(
        self, start: Array, stop: Array, stratum: Index, times: Array, time_stratum: Index
    ) -> None:
        n, self._size = stop.size, times.size
        begin = np.searchsorted(time_stratum, stratum)
        first, end = begin.copy(), begin.copy()
        order = np.argsort(stratum, kind="stable")
        edges = np.searchsorted(stratum[order], np.arange(int(stratum.max(initial=-1)) + 2))
        for s in range(edges.size - 1):
            rows = order[edges[s] : edges[s + 1]]
            left, right = np.searchsorted(time_stratum, [s, s + 1])
            first[rows] += np.searchsorted(times[left:right], start[rows], side="right")
            end[rows] += np.searchsorted(times[left:right], stop[rows], side="right")
        last = end - 1
        # The highest bit in which both ends differ; one place is a pair without its other half.
        level = np.maximum(np.frexp((first ^ last).astype(np.float64))[1], 1).astype(np.int64)
        level[first == begin] = 0
        rows = np.flatnonzero(first < end)
        rows = rows[np.argsort(level[rows], kind="stable")]
        levels = np.arange(int(level[rows].max(initial=0)) + 2)
        head = np.diff(time_stratum, prepend=-1) != 0
        where = np.searchsorted(level[rows], levels)
        self.ranges = Ranges(first[rows], last[rows], rows, where, head)
        self._n, self._room = n, np.empty(self._size)

    def over_rows(self, values: Array) -> Array:
        """Sums (..., size) of values (..., n) over the rows at risk at every time."""
        out = np.empty((*values.shape[:-1], self._size))
        flat = np.ascontiguousarray(values).reshape(-1, self._n)
        sums_at_places(self.ranges, flat, self._room, out.reshape(len(flat), self._size))
        return out

    def over_times(self, rates: Array) -> Array:
        """Sums (n,) of rates (size,) over the times at which every row is at risk."""
        out = np.empty(self._n)
        sums_over_ranges(self.ranges, rates, self._room, out)
        return out

"""Sums over ranges of places, forth and back, without a subtraction.

A range [first, last] that does not begin at a head lies on both sides of the middle of exactly one
block of a binary tree (the highest bit in which first and last differ says of which level), as the
end of its left half and the beginning of its right half. Sums that run from the middle outwards,
or towards it, then answer for all ranges of a level at once: O(rows + places) a level.

Ranges come as the named tuple ``R``: ``first, last`` and ``rows``, sorted by level; ``edges``, by
which level l (blocks of 2^l places) is from edges[l] to edges[l + 1]; ``head``, whether a place is
the head of a section. The ranges of level 0 are those that begin at the head of their section.
"""

from __future__ import annotations

from typing import Any

from regpath._numba import kernel

__all__ = ["sums_at_places", "sums_over_ranges"]


@kernel()
def sums_at_places(R: Any, values: Any, room: Any, out: Any) -> None:
    """Sum at every place the values of the rows whose range holds it.

    Parameters
    ----------
    values : ndarray of shape (m, n)
    room : ndarray of shape (size,)
    out : ndarray of shape (m, size)
    """
    size, levels = room.size, R.edges.size - 1
    for k in range(values.shape[0]):
        for g in range(size):
            out[k, g] = 0.0
        for i in range(R.edges[0], R.edges[1]):
            out[k, R.last[i]] += values[k, R.rows[i]]
        for g in range(size - 1, 0, -1):
            if not R.head[g]:
                out[k, g - 1] += out[k, g]
        for level in range(1, levels):
            if R.edges[level] == R.edges[level + 1]:
                continue
            for g in range(size):
                room[g] = 0.0
            for i in range(R.edges[level], R.edges[level + 1]):
                value = values[k, R.rows[i]]
                room[R.first[i]] += value
                if R.first[i] < R.last[i]:
                    room[R.last[i]] += value
            half = 1 << (level - 1)
            for middle in range(half, size + half, 2 * half):
                total = 0.0
                for g in range(middle - half, min(middle, size)):
                    total += room[g]
                    out[k, g] += total
                total = 0.0
                for g in range(min(middle + half, size) - 1, middle - 1, -1):
                    total += room[g]
                    out[k, g] += total


@kernel()
def sums_over_ranges(R: Any, rates: Any, room: Any, out: Any) -> None:
    """Sum for every row the rates (size,) of the places in its range."""
    size, levels = room.size, R.edges.size - 1
    for i in range(out.size):
        out[i] = 0.0
    total = 0.0
    for g in range(size):
        total = rates[g] if R.head[g] else total + rates[g]
        room[g] = total
    for i in range(R.edges[0], R.edges[1]):
        out[R.rows[i]] = room[R.last[i]]
    for level in range(1, levels):
        if R.edges[level] == R.edges[level + 1]:
            continue
        half = 1 << (level - 1)
        for middle in range(half, size + half, 2 * half):
            total = 0.0
            for g in range(min(middle, size) - 1, middle - half - 1, -1):
                total += rates[g]
                room[g] = total
            total = 0.0
            for g in range(middle, min(middle + half, size)):
                total += rates[g]
                room[g] = total
        for i in range(R.edges[level], R.edges[level + 1]):
            first, last = R.first[i], R.last[i]
            out[R.rows[i]] = room[first] + (room[last] if first < last else 0.0)

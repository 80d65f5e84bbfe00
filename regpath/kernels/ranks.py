"""Scores of the order of predictions: sums over pairs of rows in m log m steps, ties exactly."""

from __future__ import annotations

from typing import Any

from regpath._numba import kernel

__all__ = ["CLEAR", "ENTER", "JUDGE", "LEAVE", "concordance", "ordered_pairs"]

# What happens to a row in a sweep back through time.
LEAVE, ENTER, JUDGE, CLEAR = 0, 1, 2, 3


@kernel()
def ordered_pairs(order: Any, eta: Any, low: Any, high: Any, out: Any) -> None:
    """Sums of low_i high_j over the pairs with eta_i < eta_j, and half of those of equal eta.

    Parameters
    ----------
    order : ndarray of int64 of shape (L, m)
        Rows by rising eta, for every model.
    eta : ndarray of shape (L, m)
    low, high : ndarray of shape (m,)
        Weights of a row as the lower and as the higher of a pair.
    out : ndarray of shape (L,)
        Filled with the sums.
    """
    for model in range(order.shape[0]):
        rows, values = order[model], eta[model]
        total = below = 0.0
        k = 0
        while k < rows.size:
            here = values[rows[k]]
            tied_low = tied_high = 0.0
            while k < rows.size and values[rows[k]] == here:
                tied_low += low[rows[k]]
                tied_high += high[rows[k]]
                k += 1
            total += tied_high * (below + 0.5 * tied_low)
            below += tied_low
        out[model] = total


@kernel()
def concordance(
    kinds: Any, rows: Any, order: Any, eta: Any, weights: Any, rank: Any, tree: Any, out: Any
) -> None:
    """Concordant and comparable pairs of every model, weighted; equal eta count one half.

    A row that is judged forms a pair with every row that has entered and has not left.

    Parameters
    ----------
    kinds, rows : ndarray of int64 of shape (k,)
        What happens, one thing after another: LEAVE, ENTER, JUDGE or CLEAR, and the row it happens
        to. CLEAR forgets a row without a trace of rounding, if all that are in are cleared.
    order : ndarray of int64 of shape (L, m)
        Rows by rising eta, for every model.
    eta : ndarray of shape (L, m)
    weights : ndarray of shape (m,)
        The weight of a pair is the product.
    rank : ndarray of int64 of shape (m,)
        Work space.
    tree : ndarray of shape (m + 1,)
        Work space: a Fenwick tree over the ranks.
    out : ndarray of shape (2, L)
        Filled with the sums over concordant and over all pairs.
    """
    size = rank.size
    for model in range(order.shape[0]):
        _dense_ranks(order[model], eta[model], rank)
        tree[:] = 0.0
        concordant = comparable = 0.0
        for k in range(kinds.size):
            row = rows[k]
            weight = weights[row]
            if kinds[k] == JUDGE:
                below = _sum_up_to(tree, rank[row] - 1)
                not_above = _sum_up_to(tree, rank[row])
                concordant += weight * 0.5 * (below + not_above)
                comparable += weight * _sum_up_to(tree, size)
            elif kinds[k] == CLEAR:
                place = rank[row]
                while place <= size:
                    tree[place] = 0.0
                    place += place & -place
            else:
                place = rank[row]
                change = weight if kinds[k] == ENTER else -weight
                while place <= size:
                    tree[place] += change
                    place += place & -place
        out[0, model], out[1, model] = concordant, comparable


@kernel()
def _dense_ranks(order: Any, eta: Any, rank: Any) -> None:
    """Ranks from 1, the same for equal values."""
    current = 0
    for k in range(order.size):
        if k == 0 or eta[order[k]] != eta[order[k - 1]]:
            current += 1
        rank[order[k]] = current


@kernel()
def _sum_up_to(tree: Any, place: int) -> float:
    """Sum over the ranks 1, ..., place."""
    total = 0.0
    while place > 0:
        total += tree[place]
        place -= place & -place
    return total

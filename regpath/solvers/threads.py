"""Compiled loops on several threads: one range of the loop each, the last one on the caller's.

Results do not depend on the number of threads: every entry of a result belongs to one range.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "chunk_ranges",
    "equal_ranges",
    "fair_ranges",
    "in_ranges",
    "one_blas_thread",
    "roam",
    "threads_worth",
    "usable_cores",
]

# Fewer multiplications than this take less time than handing them to a second thread.
ENTRIES_PER_THREAD = 2_000_000
# Ranges begin at multiples of this, so that the same columns meet in a loop always.
COLUMNS_AT_ONCE = 4
# More ranges than this wait for each other.
MOST_THREADS = 256
# The cores of this process, as they were before anyone could bind a thread to one of them.
CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None


def usable_cores() -> int:
    """Cores that this process may use."""
    if CORES is None:
        return os.cpu_count() or 1
    return len(CORES if _is_bound() else os.sched_getaffinity(0))


def roam() -> None:
    """Let the calling thread, one of our own, run on all cores, though its parent may not."""
    if CORES is not None and _is_bound():
        with suppress(OSError):
            os.sched_setaffinity(0, CORES)


def _is_bound() -> bool:
    """Whether OpenMP binds the thread that first uses it to one core, as some libraries ask it to.

    All that this thread starts afterwards would be bound to the same core.
    """
    return os.environ.get("OMP_PROC_BIND", "false").strip().lower() != "false"


def threads_worth(work: int, n_threads: int) -> int:
    """How many of the threads are worth their while for so many multiplications."""
    return max(1, min(n_threads, work // ENTRIES_PER_THREAD))


def equal_ranges(size: int, n_threads: int) -> NDArray[np.int64]:
    """Edges of as many ranges of 0, ..., size as there are threads."""
    if n_threads == 1:
        return np.array([0, size])
    edges = np.linspace(0, size, n_threads + 1).astype(np.int64) // COLUMNS_AT_ONCE
    edges *= COLUMNS_AT_ONCE
    edges[-1] = size
    return edges


def chunk_ranges(n_chunks: int, work: int, n_threads: int) -> NDArray[np.int64]:
    """Edges of ranges of chunks: one a thread that is worth its while for so many operations."""
    threads = min(n_chunks, threads_worth(work, n_threads))
    return np.linspace(0, n_chunks, threads + 1).astype(np.int64)


def fair_ranges(costs: NDArray[np.int64], n_threads: int) -> NDArray[np.int64]:
    """Edges of ranges of 0, ..., size that cost about the same, given what every entry costs."""
    if n_threads == 1:
        return np.array([0, costs.size])
    spent = np.cumsum(costs)
    shares = np.arange(1, n_threads) * (spent[-1] / n_threads)
    inner = np.searchsorted(spent, shares) // COLUMNS_AT_ONCE * COLUMNS_AT_ONCE
    return np.concatenate([[0], inner, [costs.size]]).astype(np.int64)


def in_ranges(kernel: Any, edges: NDArray[np.int64], *arrays: Any) -> None:
    """Call ``kernel(*arrays, start, stop)`` for every range, at the same time."""
    if len(edges) == 2:
        kernel(*arrays, int(edges[0]), int(edges[1]))
        return
    *others, own = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    pool = _pool()
    jobs = [pool.submit(kernel, *arrays, *pair) for pair in others]
    try:
        kernel(*arrays, *own)
    finally:
        # Nobody writes to the arrays afterwards, whatever happened.
        failed = [error for error in [job.exception() for job in jobs] if error]
    if failed:
        raise failed[0]


@cache
def _pool() -> ThreadPoolExecutor:
    """The threads of this process; they are started when they are needed, and then kept."""
    return ThreadPoolExecutor(MOST_THREADS, "regpath", initializer=roam)


if hasattr(os, "register_at_fork"):
    # A forked process has none of the threads: it gets a pool of its own.
    os.register_at_fork(after_in_child=_pool.cache_clear)


def one_blas_thread() -> AbstractContextManager[Any]:
    """Keep the threads of a BLAS from fighting with those of the caller, if that is possible."""
    try:
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError:
        return nullcontext()
    limits: AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
    return limits

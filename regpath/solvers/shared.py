"""Several problems on one X at the same time: each pass over X serves all that wait for one.

Problems differ in the weights of the rows (folds, resamples) and share the design. Each runs its
ordinary solver in a thread of its own and asks a `Reader` of its own for what needs all of X. Once
every problem that is still running waits for an answer, X is read for all of them together. Only
where two problems have a thread each, neither waits for the other.

What a problem is told does not depend on the others, nor on the number of threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regpath.designs import Csc, Dense, n_bytes, n_columns
from regpath.screening import references_kept
from regpath.solvers.reader import Moments, OwnReader, Reader, dots_many, moments_many
from regpath.solvers.threads import roam

__all__ = ["SharedPasses", "room_for"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Vectors over the columns that a solver holds.
VECTORS = 16
# Seconds after which the caller looks for an interrupt.
A_MOMENT = 0.2
# So few jobs, each on a thread, lose more by waiting for each other than by reading X alone.
FEW = 2
# Share of the memory of X that solvers may take together, and bytes that they may take in any case.
SHARE_OF_X, LEAST_DENSE, LEAST_SPARSE = 0.4, 16e6, 256e6


def room_for(design: Dense | Csc, n: int) -> int:
    """Problems whose solvers fit into a fair share of the memory of X."""
    p, order = n_columns(design), min(n, n_columns(design))
    dense = isinstance(design, Dense)
    references = references_kept(design) * (n + p)
    columns = 1.5 * order * n if dense else 0
    one = 8.0 * (VECTORS * p + references + columns + 3.0 * order**2 * dense)
    least = LEAST_DENSE if dense else LEAST_SPARSE
    return int(max(least, SHARE_OF_X * n_bytes(design)) / one)


class SharedPasses:
    """Passes over one X for several problems.

    Parameters
    ----------
    design : Dense or Csc
    weights : ndarray of shape (n,)
        Of the rows, summing to one: squares are taken about the means under these.
    n_threads : int
        For passes over X, while all problems wait.
    n_jobs : int
        Problems that compute at the same time, between passes.
    """

    def __init__(self, design: Dense | Csc, weights: Array, n_threads: int, n_jobs: int) -> None:
        self._design, self._weights, self._n_threads = design, weights, n_threads
        self.own = OwnReader(design, n_threads)
        """Reads for one job what is not shared."""
        self._slots = threading.Semaphore(n_jobs)
        self._changed = threading.Condition()
        self._waiting: list[_Dots | _Moments] = []
        self._n_jobs = n_jobs
        self._running = 0
        self._alone = False
        self._stopped = False
        self.passes = 0
        """How often X was read."""

    @property
    def stopped(self) -> bool:
        """Whether the jobs should come to an end."""
        return self._stopped

    def reader(self) -> Reader:
        """What one job asks for passes."""
        return _SharedReader(self)

    def watched(self, advance: Callable[[int], None]) -> Callable[[int], None]:
        """The same function, but raising KeyboardInterrupt once the jobs should come to an end."""

        def watch(points: int) -> None:
            if self._stopped:
                raise KeyboardInterrupt
            advance(points)

        return watch

    def run(self, jobs: Sequence[Callable[[], Any]], at_once: int | None = None) -> list[Any]:
        """Run jobs, which may ask their readers, and return their results in order.

        The first error of a job stops the others and is raised. If the caller is interrupted, every
        job is told at its next pass, and may still return what it has.

        Parameters
        ----------
        jobs : sequence of callables
        at_once : int, optional
            Jobs that are open at the same time, for each holds memory; by default all.
        """
        results: dict[int, Any] = {}
        errors: dict[int, BaseException] = {}
        waiting = iter(range(len(jobs)))
        size = min(len(jobs), at_once or len(jobs))
        # Thread.join cannot be used: where it is interrupted, a thread that still runs passes for
        # one that has ended (Python 3.11).
        ended = [threading.Event() for _ in range(size)]

        def work(over: threading.Event) -> None:
            roam()
            k = -1
            try:
                for k in waiting:
                    if errors:
                        break
                    with self._slots:
                        results[k] = jobs[k]()
            except BaseException as error:
                errors[k] = error
                self._stop()
            try:
                self._leave()
            except BaseException as error:
                errors.setdefault(k, error)
                self._stop()
            over.set()

        self._running, self._stopped = size, False
        self._alone = 1 < size <= min(self._n_jobs, FEW)
        threads = [threading.Thread(target=work, args=(over,), daemon=True) for over in ended]
        try:
            for thread in threads:
                thread.start()
            for over in ended:
                while not over.is_set():
                    try:
                        # A signal just before an endless wait would not end it.
                        over.wait(A_MOMENT)
                    except KeyboardInterrupt:
                        self._stop()
        except BaseException:  # nobody shall wait for those that never start
            self._stop()
            raise
        if errors:
            raise errors[min(errors, key=lambda k: (isinstance(errors[k], KeyboardInterrupt), k))]
        return [results[k] for k in range(len(jobs))]

    def _stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def ask(self, request: _Dots | _Moments) -> None:
        """Wait until a request is answered.

        Raises
        ------
        KeyboardInterrupt
            If all jobs shall come to an end.
        """
        if self._alone:
            if self._stopped:
                raise KeyboardInterrupt
            return self._read([request], max(1, self._n_threads // self._n_jobs))
        with self._changed:
            if self._stopped:
                raise KeyboardInterrupt
            self._waiting.append(request)
            self._running -= 1
            last = self._running <= 0  # below 0: outside of a run
        if last:
            return self._answer()
        self._slots.release()
        try:
            with self._changed:
                self._changed.wait_for(lambda: request.done or self._stopped)
                if request in self._waiting:
                    self._waiting.remove(request)
                    self._running += 1
        finally:
            self._slots.acquire()
        if not request.done:
            raise KeyboardInterrupt
        return None

    def _leave(self) -> None:
        """A job has ended: those that wait may have waited for it."""
        with self._changed:
            self._running -= 1
            last = self._running == 0 and bool(self._waiting)
        if last:
            self._answer()

    def _answer(self) -> None:
        """Read X for all who wait; nobody else is running."""
        with self._changed:
            try:
                self._read(self._waiting, self._n_threads)
            finally:
                self._running += len(self._waiting)
                self._waiting.clear()
                self._changed.notify_all()

    def _read(self, requests: Sequence[_Dots | _Moments], n_threads: int) -> None:
        """Answer requests, by one pass for each kind of them."""
        for kind in (_Dots, _Moments):
            some: list[Any] = [r for r in requests if isinstance(r, kind)]
            if some:
                kind.answer_all(self._design, self._weights, n_threads, some)
                with self._changed:
                    self.passes += 1


class _Dots:
    """A wish for X'v for the rows v of V."""

    def __init__(self, V: Array) -> None:
        self.V = V
        self.done = False
        self.answer: Array

    @staticmethod
    def answer_all(
        design: Dense | Csc, weights: Array, n_threads: int, requests: Sequence[_Dots]
    ) -> None:
        out, first = dots_many(design, n_threads, np.concatenate([r.V for r in requests])), 0
        for request in requests:
            request.answer = out[first : first + len(request.V)].copy()
            request.done = True
            first += len(request.V)


class _Moments:
    """A wish for the moments of columns under weights, and for X'v."""

    def __init__(self, weights: Array, v: Array) -> None:
        self.weights, self.v = weights, v
        self.done = False
        self.answer: Moments

    @staticmethod
    def answer_all(
        design: Dense | Csc, weights: Array, n_threads: int, requests: Sequence[_Moments]
    ) -> None:
        # The first row is the same for all: what a problem is told does not depend on the others.
        W = np.stack([weights, *(r.weights for r in requests)])
        V = np.stack([np.zeros_like(weights), *(r.v for r in requests)])
        moments = (rows[1:] for rows in moments_many(design, n_threads, W, V))
        for request, *rows in zip(requests, *moments, strict=True):
            mean, variance, product = (row.copy() for row in rows)
            request.answer = mean, variance, product
            request.done = True


class _SharedReader:
    """The `Reader` of one job."""

    def __init__(self, shared: SharedPasses) -> None:
        self._shared = shared

    def dots(self, V: Array) -> Array:
        """X'v for every row v of V (m, n): an array (m, p)."""
        request = _Dots(V)
        self._shared.ask(request)
        return request.answer

    def moments(self, weights: Array, v: Array, centre: float, scale: float) -> Moments:
        """Weighted means and variances of the columns, and X'v."""
        request = _Moments(weights, v)
        self._shared.ask(request)
        return request.answer

    def gram(self, root: Array, mean: Array, scale: Array, features: Index) -> Array:
        """Products of the columns root_i (x_ij - mean_j) / scale_j of a dense X with each other."""
        return self._shared.own.gram(root, mean, scale, features)

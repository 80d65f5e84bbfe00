"""Several problems that read one X together are told what each would be told alone."""

from __future__ import annotations

import signal
import threading
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from test_designs import DESIGNS

from regpath.solvers import shared as module
from regpath.solvers.reader import OwnReader
from regpath.solvers.shared import SharedPasses

N, P = 40, 11
EQUAL = np.full(N, 1 / N)
SECONDS = 20.0


@pytest.fixture
def data(rng):
    X = rng.integers(1, 10, (N, P)) * (rng.random((N, P)) < 0.5).astype(float)
    X[:, 1] = np.arange(N) % 3 + 100.0
    return X


@pytest.fixture
def shared(data):
    return SharedPasses(DESIGNS["float64"](data), EQUAL, 1, 2)


def finish(shared, jobs):
    """Results or the error of jobs that must not hang, and leave no thread behind."""
    answer = {}

    def call():
        try:
            answer["results"] = shared.run(jobs)
        except BaseException as error:
            answer["error"] = error

    before = set(threading.enumerate())
    caller = threading.Thread(target=call, daemon=True)
    caller.start()
    caller.join(SECONDS)
    assert not caller.is_alive(), "jobs wait for each other"
    deadline = time.monotonic() + SECONDS
    while set(threading.enumerate()) - before - {caller} and time.monotonic() < deadline:
        time.sleep(0.001)
    assert not set(threading.enumerate()) - before - {caller}, "a thread is left"
    if "error" in answer:
        raise answer["error"]
    return answer["results"]


def asking(shared, work, count):
    """Jobs that do the same, each with a reader of its own."""
    readers = [shared.reader() for _ in range(count)]
    return [lambda reader=reader: work(reader) for reader in readers]


def random_weights(rng):
    weights = rng.random(N) * (rng.random(N) < 0.7)
    return weights / weights.sum()


def job(reader, seed, rounds):
    """Asks for moments, then for products several times; some are for two vectors."""

    def run():
        rng = np.random.default_rng(seed)
        told = [*reader.moments(random_weights(rng), rng.standard_normal(N), 0.0, 1.0)]
        for k in range(rounds):
            told += [*reader.dots(rng.standard_normal((1 + (k + seed) % 2, N)))]
        return np.stack(told)

    return run


@pytest.mark.parametrize("kind", DESIGNS)
@pytest.mark.parametrize("n_jobs", [1, 2, 9])
def test_answers_are_those_of_a_reader_of_its_own(kind, n_jobs, data):
    design = DESIGNS[kind](data)
    shared = SharedPasses(design, EQUAL, 1, n_jobs)
    results = finish(shared, [job(shared.reader(), k, 2 + k) for k in range(6)])
    for k, told in enumerate(results):
        alone = job(OwnReader(design, 1), k, 2 + k)()
        assert_allclose(told, alone, rtol=1e-10, atol=1e-10)
    assert shared.passes == 1 + 2 + 5  # as many as the one who asks most often needs


@pytest.mark.parametrize("kind", ["float64", "csc int32"])
def test_the_order_of_jobs_does_not_matter_to_the_last_bit(kind, data):
    """Who comes first is chance; who is answered first is not."""
    expected = None
    for n_jobs, slow in ((1, 0), (2, 1), (5, 4), (5, 2)):
        shared = SharedPasses(DESIGNS[kind](data), EQUAL, 1, n_jobs)

        def work(k, reader, slow=slow):
            time.sleep(0.02 * (k == slow))
            return job(reader, k, 3)()

        readers = [shared.reader() for _ in range(5)]
        results = finish(shared, [lambda k=k, r=r: work(k, r) for k, r in enumerate(readers)])
        expected = expected or results
        for one, other in zip(results, expected, strict=True):
            assert_array_equal(one, other)


@pytest.mark.parametrize("kind", DESIGNS)
def test_two_jobs_with_a_thread_each_do_not_wait_for_each_other(kind, data):
    design, results = DESIGNS[kind](data), []
    for n_jobs, passes in ((1, 1 + 6), (2, 2 + 3 + 6)):
        shared = SharedPasses(design, EQUAL, 2, n_jobs)
        jobs = [job(shared.reader(), k, rounds) for k, rounds in enumerate((3, 6))]
        results.append(finish(shared, jobs))
        assert shared.passes == passes
    for waited, alone in zip(*results, strict=True):
        assert_array_equal(waited, alone)


def test_jobs_that_never_ask_and_jobs_that_end_early(shared):
    jobs = [lambda: "nothing", job(shared.reader(), 1, 1), lambda: None, job(shared.reader(), 2, 7)]
    results = finish(shared, jobs)
    assert results[0] == "nothing"
    assert results[2] is None
    assert [len(results[k]) for k in (1, 3)] == [3 + 2, 3 + 10]
    assert shared.passes == 8
    assert finish(shared, []) == []
    assert finish(shared, [lambda: 1]) == [1]


def test_more_jobs_than_slots_compute_at_most_so_many_at_a_time(data):
    shared = SharedPasses(DESIGNS["float64"](data), EQUAL, 1, 3)
    lock, busy, most = threading.Lock(), [0], [0]

    def work(reader):
        for _ in range(3):
            with lock:
                busy[0] += 1
                most[0] = max(most[0], busy[0])
            time.sleep(0.002)
            with lock:
                busy[0] -= 1
            reader.dots(np.ones((1, N)))
        return 7

    assert finish(shared, asking(shared, work, 10)) == [7] * 10
    assert most[0] == 3
    assert shared.passes == 3


class MineError(Exception):
    pass


@pytest.mark.parametrize("when", ["at once", "after a pass", "at the end"])
@pytest.mark.parametrize("n_jobs", [1, 2, 6])
def test_an_error_of_a_job_ends_all_and_is_raised(when, n_jobs, data):
    shared = SharedPasses(DESIGNS["float64"](data), EQUAL, 1, n_jobs)
    begun, told = [], []

    def fails(reader):
        if when != "at once":
            reader.dots(np.ones((1, N)))
        if when == "at the end":
            for _ in range(5):
                reader.dots(np.ones((1, N)))
        raise MineError("mine")

    def others(reader):
        begun.append(True)
        try:
            for _ in range(1000):
                reader.dots(np.ones((1, N)))
        except KeyboardInterrupt:
            told.append(True)
            raise

    jobs = asking(shared, others, 4)
    jobs[2:2] = asking(shared, fails, 1)
    with pytest.raises(MineError, match="mine"):
        finish(shared, jobs)
    assert len(told) == len(begun) <= 4
    assert shared.passes < 1000
    assert shared.stopped
    # It can be used again.
    assert len(finish(shared, [job(shared.reader(), 0, 1)])) == 1
    assert not shared.stopped


@pytest.mark.parametrize("at_the_end", [False, True])
def test_an_error_of_a_pass_ends_all_and_is_raised(at_the_end, shared, monkeypatch):
    """The pass is made by the one who asks last, or for those who wait by one that ends."""

    def fails(*_):
        raise MemoryError("no room")

    asked = threading.Event()

    def asks(reader):
        asked.set()
        return reader.dots(np.ones((1, N)))

    def ends():
        asked.wait(SECONDS)
        time.sleep(0.05)

    monkeypatch.setattr(module, "dots_many", fails)
    jobs = asking(shared, asks, 1 if at_the_end else 2)
    with pytest.raises(MemoryError, match="no room"):
        finish(shared, [*jobs, ends] if at_the_end else jobs)


@pytest.mark.usefixtures("interrupts")
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_an_interrupt_of_the_caller_reaches_every_job(n_jobs, data):
    """They are told at their next pass, and may return what they have."""
    shared = SharedPasses(DESIGNS["float64"](data), EQUAL, 1, n_jobs)
    once, main = threading.Lock(), threading.main_thread()

    def work(reader):
        count = 0
        try:
            while True:
                reader.dots(np.ones((1, N)))
                count += 1
                if count == 3 and once.acquire(blocking=False):
                    time.sleep(0.05)  # by then the caller waits
                    signal.pthread_kill(main.ident, signal.SIGINT)
        except KeyboardInterrupt:
            time.sleep(0.05)  # the caller waits for what takes its time
            return count

    counts = shared.run(asking(shared, work, 4))
    assert len(counts) == 4
    assert min(counts) >= 1


def test_a_thread_that_cannot_start_leaves_nobody_waiting(shared, monkeypatch):
    threads, real = [], threading.Thread

    class Few(real):
        def start(self):
            if len(threads) == 2:
                raise RuntimeError("can't start new thread")
            threads.append(self)
            super().start()

    monkeypatch.setattr(module.threading, "Thread", Few)
    with pytest.raises(RuntimeError, match="start new thread"):
        shared.run([job(shared.reader(), k, 2) for k in range(4)])
    for thread in threads:
        thread.join(SECONDS)
        assert not thread.is_alive()

"""Large arrays of their own pages."""

import os
import warnings

import numpy as np
import pytest

from regpath._memory import LARGE, room


@pytest.mark.parametrize("shape", [(0, 3), (2, 3), (LARGE // 8, 2), (LARGE,)])
@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_an_array_is_writable_and_contiguous(shape, dtype):
    array = room(shape, dtype)
    assert (array.shape, array.dtype) == (shape, dtype)
    assert array.flags.carray
    array[:] = 7
    assert (array == 7).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_forked_process_writes_to_its_own_copy():
    array = room((LARGE // 8,))
    array[:] = 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the runner of tests has threads
        child = os.fork()
    if child == 0:
        array[:] = 2.0
        os._exit(0)
    os.waitpid(child, 0)
    assert (array == 1.0).all()


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="the system does not say")
def test_pages_are_paid_when_written_to_and_given_back():
    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    size, before = 256 << 20, resident()
    array = room((size // 8,))
    assert resident() - before < size // 4
    array[:] = 1.0
    assert resident() - before > size // 2
    del array
    assert resident() - before < size // 4

"""Threads of our own: errors, and the cores that they run on."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from regpath.solvers.threads import in_ranges

BOUND = """
import os
import numpy as np
from regpath.solvers.threads import in_ranges, usable_cores

before = os.sched_getaffinity(0)
os.sched_setaffinity(0, {min(before)})  # as OpenMP does with the thread that loads it
seen = {}
def look(start, stop):
    seen[start] = os.sched_getaffinity(0)
in_ranges(look, np.array([0, 1, 2]))
print(usable_cores() == len(before), seen[0] == before, len(seen[1]))
"""


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="there are no cores to choose from",
)
@pytest.mark.parametrize(
    ("bind", "answer"),
    [("TRUE", "True True 1"), ("spread", "True True 1"), ("false", "False False 1")],
)
def test_a_thread_that_openmp_has_bound_does_not_bind_ours(bind, answer):
    done = subprocess.run(
        [sys.executable, "-c", BOUND],
        env={**os.environ, "OMP_PROC_BIND": bind},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == answer


def test_errors_of_any_range_are_raised_when_all_have_ended():
    ended = []

    def work(start, stop):
        ended.append(start)
        if start == 0:
            raise ValueError("the first range")

    with pytest.raises(ValueError, match="the first range"):
        in_ranges(work, np.array([0, 1, 2, 3]))
    assert sorted(ended) == [0, 1, 2]

"""How long does a user wait before the first path? Every figure is taken in a new process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

MEASURE = """
import time
start = time.perf_counter()
{statement}
print(time.perf_counter() - start)
"""
FIT = """
import numpy, regpath
rng = numpy.random.default_rng(0)
X, y = rng.standard_normal((100, 50)), rng.standard_normal(100)
"""


def seconds(statement: str, cache: str, before: str = "") -> float:
    """Time a statement in a new interpreter whose kernels are cached in a directory."""
    done = subprocess.run(
        [sys.executable, "-c", before + MEASURE.format(statement=statement)],
        env=os.environ | {"NUMBA_CACHE_DIR": cache},
        capture_output=True,
        text=True,
        check=True,
    )
    return round(float(done.stdout.split()[-1]), 3)


class Import:
    def setup(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        seconds("import regpath", self.directory.name)  # writes the byte code

    def teardown(self) -> None:
        self.directory.cleanup()

    def best(self, statement: str, before: str = "") -> float:
        return min(seconds(statement, self.directory.name, before) for _ in range(5))

    def track_import(self) -> float:
        return self.best("import regpath")

    def track_import_beyond_numba(self) -> float:
        return self.best("import regpath", "import numba, scipy.sparse\n")

    track_import.unit = track_import_beyond_numba.unit = "s"


class FirstPath:
    params = ("lasso_path", "enet_path", "ridge_path")
    param_names = ("function",)
    timeout = 300.0

    def setup(self, function: str) -> None:
        self.directory = tempfile.TemporaryDirectory()

    def teardown(self, function: str) -> None:
        self.directory.cleanup()

    def first(self, function: str) -> float:
        return seconds(f"regpath.{function}(X, y)", self.directory.name, FIT)

    def track_cold(self, function: str) -> float:
        """Nothing is compiled: a fresh installation."""
        return self.first(function)

    def track_warm(self, function: str) -> float:
        """All is compiled: the second process."""
        self.first(function)
        return min(self.first(function) for _ in range(3))

    track_cold.unit = track_warm.unit = "s"

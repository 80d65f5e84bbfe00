"""How long does a user wait before the first path? Every figure is taken in a new process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from time import perf_counter

MEASURE = """
import time
start = time.perf_counter()
{statement}
print(time.perf_counter() - start)
"""
FIT = """
import numpy, regpath, scipy.sparse
rng = numpy.random.default_rng(0)
X, y = rng.standard_normal((100, 50)), rng.standard_normal(100)
S = scipy.sparse.csc_array(X * (X > 1.0))
"""
FITS = {
    "lasso": "regpath.lasso_path(X, y)",
    "enet": "regpath.enet_path(X, y)",
    "ridge": "regpath.ridge_path(X, y)",
    "sparse lasso": "regpath.lasso_path(S, y)",
}


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


class Command:
    """The command line, from the shell's prompt back to it."""

    def setup(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.run()

    def teardown(self) -> None:
        self.directory.cleanup()

    def run(self) -> float:
        start = perf_counter()
        subprocess.run(
            [sys.executable, "-m", "regpath", "--version"],
            env=os.environ | {"NUMBA_CACHE_DIR": self.directory.name},
            capture_output=True,
            check=True,
        )
        return perf_counter() - start

    def track_version(self) -> float:
        return round(min(self.run() for _ in range(3)), 3)

    track_version.unit = "s"


class FirstPath:
    params = tuple(FITS)
    param_names = ("path",)
    timeout = 300.0

    def setup(self, path: str) -> None:
        self.directory = tempfile.TemporaryDirectory()

    def teardown(self, path: str) -> None:
        self.directory.cleanup()

    def first(self, path: str) -> float:
        return seconds(FITS[path], self.directory.name, FIT)

    def track_cold(self, path: str) -> float:
        """Nothing is compiled: a fresh installation."""
        return self.first(path)

    def track_warm(self, path: str) -> float:
        """All is compiled: the second process."""
        self.first(path)
        return min(self.first(path) for _ in range(3))

    track_cold.unit = track_warm.unit = "s"

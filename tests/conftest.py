"""What the test files share: the naive twins on the import path, and one hypothesis profile."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:
    # Beside other processes the threads of a BLAS mostly wait, and take the cores to do so.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import hypothesis
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from r_session import RSession

# The first example of a property may compile kernels, so there is no deadline. The examples are
# the same in every run: a failure of the suite is reproducible, and hunting is done apart from it.
hypothesis.settings.register_profile(
    "regpath",
    deadline=None,
    derandomize=True,
    max_examples=15,
    suppress_health_check=[
        hypothesis.HealthCheck.too_slow,
        hypothesis.HealthCheck.function_scoped_fixture,
    ],
)
hypothesis.settings.load_profile("regpath")


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that starts from the same seed in every test."""
    return np.random.default_rng(20250)


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Interrupts reach this process, whatever a shell or a library has decided about them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, list[str]]]:
    """Run the command in an empty folder: exit code, stdout, lines of stderr."""
    from regpath.cli import main

    def call(*arguments: object) -> tuple[int, str, list[str]]:
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err.splitlines()

    return call


@pytest.fixture(scope="session")
def r_session() -> Iterator[RSession]:
    """An R process, which starts with the first script."""
    session = RSession()
    yield session
    session.close()


@pytest.fixture
def one_r(r_session: RSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts for R do not start R each time."""
    from regpath.benchmark import glmnet_r

    glmnet_r.glmnet_version()  # which is asked once, of an R of its own
    monkeypatch.setattr(glmnet_r, "_rscript", r_session)

"""Where a solver runs: in a process of its own, so that a crash or a hang ends nothing else.

The process gets one problem and one solver, compiles the solver on a corner of the problem, and
then answers tolerances with seconds and coefficients. It stays, so that later runs are warm, and so
that the thread pools of different solvers do not wait for each other in one process.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from regpath.benchmark.contract import Peer
from regpath.benchmark.problems import Problem

__all__ = ["Inline", "SolverError", "Worker", "what"]

COMPILING = 180.0
"""Seconds that a solver may take, beside the limit, to load and to compile."""


class SolverError(Exception):
    """A solver raised, crashed or took too long; the message says which, in a few words."""


class Inline:
    """A solver in this process: no protection, no start.

    Parameters
    ----------
    peer : Peer
    problem : Problem
    """

    def __init__(self, peer: Peer, problem: Problem) -> None:
        self._peer, self._problem, self._compiled = peer, problem, False

    def compile(self) -> None:
        """Solve a corner of the problem, once."""
        if not self._compiled:
            self._peer.run(self._problem.head(), self._peer.ladder[0])
            self._compiled = True

    def run(self, tol: float, limit: float = float("inf")) -> tuple[float, Any]:
        """Solve at a tolerance; returns seconds and coefficients. There is no limit here."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.compile()
                return self._peer.run(self._problem, tol)
        except Exception as error:
            raise SolverError(what(error)) from error

    def close(self) -> None:
        """Forget the problem."""
        self._peer.release()


class Worker:
    """A solver in a process of its own, which starts with the first run.

    Parameters
    ----------
    peer : Peer
        Of a class that can be imported.
    file : pathlib.Path
        The pickled problem. What the process writes besides goes into the same folder.
    """

    def __init__(self, peer: Peer, file: Path) -> None:
        self._peer, self._file = peer, file
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: queue.Queue[Any] = queue.Queue()

    def run(self, tol: float, limit: float) -> tuple[float, Any]:
        """Solve at a tolerance.

        Parameters
        ----------
        tol : float
        limit : float
            Seconds after which the process is ended.

        Returns
        -------
        seconds : float
        coefs : array or sparse array of shape (p, L)

        Raises
        ------
        SolverError
        """
        if self._process is None:
            self._start(limit)
        self._ask(tol)
        seconds, coefs = self._answer(limit, f"stopped after {limit:g} s")
        return float(seconds), coefs

    def close(self) -> None:
        """End the process and all that it started."""
        process, self._process = self._process, None
        if process is None:
            return
        if hasattr(os, "killpg"):
            # The group is the process's own: with it goes a running Rscript.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):  # a question that was not read
                    stream.close()

    def _start(self, limit: float) -> None:
        folder = str(self._file.parent)
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "TMPDIR": folder,  # what it leaves there goes with the folder
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "regpath.benchmark._serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        self._answers = queue.Queue()
        assert self._process.stdout is not None
        arguments = (self._process.stdout, self._answers)
        threading.Thread(target=_listen, args=arguments, daemon=True).start()
        self._ask((self._peer, str(self._file)))
        self._answer(limit + COMPILING, "did not start: too slow to load and compile")

    def _ask(self, question: Any) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            pickle.dump(question, self._process.stdin)
            self._process.stdin.flush()
        except BrokenPipeError:
            self._answers.put(EOFError())

    def _answer(self, limit: float, late: str) -> Any:
        assert self._process is not None
        try:
            answer = self._answers.get(timeout=limit)
        except queue.Empty:
            self.close()
            raise SolverError(late) from None
        if isinstance(answer, EOFError):
            code = self._process.wait()
            self.close()
            raise SolverError(f"its process ended with exit code {code}")
        if isinstance(answer, str):
            self.close()
            raise SolverError(answer)
        return answer


def _listen(stream: BinaryIO, answers: queue.Queue[Any]) -> None:
    """Hand on what the process answers, until it ends."""
    while True:
        try:
            answers.put(pickle.load(stream))
        except Exception:  # a process that is killed may end in the middle of an answer
            answers.put(EOFError())
            return


def what(error: BaseException) -> str:
    """Class and message of an error, in one short line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]

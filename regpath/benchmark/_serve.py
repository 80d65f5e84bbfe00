"""The program of a worker process: one solver, one problem, any number of tolerances."""

from __future__ import annotations

import os
import pickle
import sys
import warnings
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from regpath.benchmark.worker import Inline, SolverError, what

__all__ = ["serve"]


def serve(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer each tolerance by seconds and coefficients, or by the text of an error.

    The first question names the solver and the file of the problem; it is answered when the solver
    is compiled.
    """

    def answer(value: Any) -> None:
        pickle.dump(value, answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()

    warnings.simplefilter("ignore")
    try:
        peer, file = pickle.load(questions)
        with open(file, "rb") as stream:
            problem = pickle.load(stream)
        # Memory that NumPy allocates itself comes in huge pages, as a user's does: bytes that were
        # unpickled cost a third of the speed of a pass.
        solver = Inline(peer, replace(problem, X=_copied(problem.X)))
        del problem
        solver.compile()
    except Exception as error:
        return answer(what(error))
    answer(())
    while True:
        try:
            tol = pickle.load(questions)
        except EOFError:
            return None
        try:
            answer(solver.run(tol))
        except SolverError as error:
            answer(str(error))


def _copied(X: Any) -> Any:
    return X.copy(order="K") if isinstance(X, np.ndarray) else X.copy()


if __name__ == "__main__":
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a solver prints is no answer
    serve(sys.stdin.buffer, channel)

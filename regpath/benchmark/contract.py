"""The contract of a solver that is compared, and what a problem may need of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from regpath.benchmark.problems import Problem

__all__ = ["EXTRAS", "LIMITS", "MANY", "PATHS", "PENALTIES", "Peer", "needs"]

MANY = 100_000_000
"""Iterations that a peer may take: its tolerance shall decide, not a limit."""

PENALTIES = frozenset({"lasso", "elastic net", "ridge"})
PATHS = frozenset({"lasso", "elastic net"})
LIMITS = frozenset({"coefficients >= 0", "limits"})
EXTRAS = frozenset({"sparse X", "sample weights", "penalty factors"})


class Peer:
    """A solver, and the contract of all of them.

    Attributes
    ----------
    name : str
        As in ``--solvers``.
    package : str
        Its distribution.
    ladder : tuple of float
        Tolerances from the loosest to the tightest, for an accuracy of 1e-6.
    settings : str
        What is printed beside every result.
    supports : dict of str to frozenset of str
        Family by family, which of the other `needs` it can do.
    """

    name: ClassVar[str]
    package: ClassVar[str]
    ladder: ClassVar[tuple[float, ...]]
    settings: ClassVar[str]
    supports: ClassVar[Mapping[str, frozenset[str]]]

    def version(self) -> str | None:
        """Return the version that is installed, None if it is not."""
        try:
            return version(self.package)
        except PackageNotFoundError:
            return None

    def refusal(self, problem: Problem) -> str | None:
        """Return why the problem is not for this peer, None if it is."""
        family, *further = needs(problem)
        if family not in self.supports:
            return f"does not take {family}"
        missing = [need for need in further if need not in self.supports[family]]
        behind = "" if family == "gaussian" else f" for {family}"
        return f"does not take {' or '.join(missing)}{behind}" if missing else None

    def solve(self, problem: Problem, tol: float) -> Any:
        """Return the coefficients at a tolerance in the peer's unit, dense or sparse.

        Their shape is (p, L), or (K p, L) for K classes: row ``k p + j`` is feature j of class k.
        """
        raise NotImplementedError

    def run(self, problem: Problem, tol: float) -> tuple[float, Any]:
        """Solve, and return the seconds it took and the coefficients."""
        start = time.perf_counter()
        coefs = self.solve(problem, tol)
        return time.perf_counter() - start, coefs

    def release(self) -> None:
        """Forget the problem, where one is kept between runs."""


def needs(problem: Problem) -> list[str]:
    """What a solver must support for a problem; the family comes first.

    Examples
    --------
    >>> from regpath.benchmark.cases import problem
    >>> needs(problem("wide-limits", scale=0.05))
    ['gaussian', 'lasso', 'coefficients >= 0']
    """
    kind = {0.0: "ridge", 1.0: "lasso"}.get(problem.l1_ratio, "elastic net")
    found = [problem.family, kind]
    if problem.grouped:
        found.append("groups of classes")
    if sp.issparse(problem.X):
        found.append("sparse X")
    if problem.X.dtype != np.float64:
        found.append(f"{problem.X.dtype} X")
    if problem.sample_weight is not None:
        found.append("sample weights")
    if problem.penalty_factor is not None:
        found.append("penalty factors")
    lower, upper = problem.limits
    if not (lower.any() or np.isfinite(upper).any()):
        found.append("coefficients >= 0")
    elif np.isfinite(lower).any() or np.isfinite(upper).any():
        found.append("limits")
    return found

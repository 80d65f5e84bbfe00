"""Time regularization paths of several packages at equal, verified accuracy.

`run` is what the command ``regpath bench`` calls. A case is added in `problems`, a solver in
`peers`, a family in `verify`.
"""

from regpath.benchmark.contract import Peer
from regpath.benchmark.peers import SOLVERS
from regpath.benchmark.problems import CASES, Problem, problem, problem_from
from regpath.benchmark.report import CaseReport, Report, Row, Rung
from regpath.benchmark.run import DEFAULT_CASES, run

__all__ = [
    "CASES",
    "DEFAULT_CASES",
    "SOLVERS",
    "CaseReport",
    "Peer",
    "Problem",
    "Report",
    "Row",
    "Rung",
    "problem",
    "problem_from",
    "run",
]

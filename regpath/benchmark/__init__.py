"""Time regularization paths of several packages at equal, verified accuracy.

`run` is what the command ``regpath bench`` calls. A case is added in `cases`, a solver in
`peers`, a family in `losses`.
"""

from regpath.benchmark.cases import CASES, problem
from regpath.benchmark.contract import Peer
from regpath.benchmark.peers import SOLVERS
from regpath.benchmark.problems import Problem, problem_from
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

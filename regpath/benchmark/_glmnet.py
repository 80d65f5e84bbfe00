"""glmnet through Rscript, timed inside R."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from regpath.benchmark.contract import EXTRAS, LIMITS, PENALTIES, Peer
from regpath.benchmark.glmnet_r import Session, glmnet_version
from regpath.benchmark.problems import Problem

__all__ = ["Glmnet", "GlmnetCovariance"]


class Glmnet(Peer):
    """glmnet through Rscript, timed inside R."""

    name, package = "glmnet", "glmnet (R)"
    ladder = (1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-13, 1e-15)
    gaussian_type: ClassVar[str] = ""
    settings = (
        "glmnet(standardize=FALSE, maxit=1e8, thresh=...), fdev=0, devmax=1.1, type.gaussian "
        "and type.logistic default, type.multinomial='grouped' for groups of classes; timed in R "
        "after a first small fit, without the transfer of the data"
    )
    supports: ClassVar[Mapping[str, frozenset[str]]] = {
        "gaussian": PENALTIES | LIMITS | EXTRAS,
        "binomial": PENALTIES | LIMITS | EXTRAS,
        "poisson": PENALTIES | LIMITS | EXTRAS,
        "multinomial": PENALTIES | LIMITS | EXTRAS | {"groups of classes"},
        "cox": PENALTIES | LIMITS | (EXTRAS - {"sparse X"}),
    }

    def __init__(self) -> None:
        self._session: Session | None = None

    def version(self) -> str | None:
        """Return the version of the R package."""
        return glmnet_version()

    def refusal(self, problem: Problem) -> str | None:
        """Add the designs that glmnet refuses."""
        return "needs two columns" if problem.X.shape[1] < 2 else super().refusal(problem)

    def run(self, problem: Problem, tol: float) -> tuple[float, Any]:
        """Run R, which reads the problem from files written once."""
        if self._session is None or self._session.problem is not problem:
            self._session = Session(problem, self.gaussian_type)
        return self._session.run(tol)

    def release(self) -> None:
        """Delete the files."""
        self._session = None


class GlmnetCovariance(Glmnet):
    """glmnet with its covariance updates where its own choice is the naive ones."""

    name = "glmnet-cov"
    gaussian_type = "covariance"
    settings = 'as glmnet, with type.gaussian="covariance"'

    def refusal(self, problem: Problem) -> str | None:
        """Add where it is what glmnet does anyway, or does not pay."""
        n, p = problem.X.shape
        if problem.family != "gaussian":
            return "does not apply: only gaussian fits have covariance updates"
        if p < 500 or n <= p:
            return "is for n > p >= 500; below, glmnet takes it by itself"
        return super().refusal(problem)

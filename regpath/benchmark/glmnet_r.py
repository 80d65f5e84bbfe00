"""glmnet through Rscript: the problem goes by files, the time is taken inside R.

glmnet divides a gaussian y by its weighted standard deviation s and its penalty factors by their
mean. With its lambda and alpha on the left, and ours (lambda, r, factors v) on the right,

    lambda = mean(v) lambda (r + (1 - r) s),        alpha = r / (r + (1 - r) s)

states the same problem; for other families s = 1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import weakref
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from regpath.benchmark.losses import LOSSES
from regpath.benchmark.problems import Problem

__all__ = ["Session", "glmnet_version"]

DENSE = 'X <- matrix(readBin("x", "double", {n} * {p}), {n}, {p})'
SPARSE = (
    'X <- new("dgCMatrix", x = readBin("x", "double", {nnz}), i = readBin("i", "integer", {nnz}), '
    'p = readBin("p", "integer", {p} + 1), Dim = c({n}L, {p}L))'
)
SCRIPT = """
suppressMessages({{library(Matrix); library(glmnet)}})
{read}
for (name in c("y", "event", "w", "l", "v", "lo", "hi"))
  assign(name, readBin(name, "double", {most}))
if ("{family}" %in% c("binomial", "multinomial")) y <- factor(y)
if ("{family}" == "cox") y <- cbind(time = y, status = event)
glmnet.control(fdev = 0, devmax = 1.1, mnlam = length(l))
fit <- function(rows, columns, lambda, thresh) glmnet(
  if (rows < {n}) X[1:rows, 1:columns] else X,
  if (is.matrix(y)) y[1:rows, ] else y[1:rows], weights = w[1:rows],
  family = "{family}", alpha = {alpha!r}, lambda = lambda, standardize = FALSE, thresh = thresh,
  maxit = 1e8{type}, penalty.factor = v[1:columns],
  lower.limits = lo[1:columns], upper.limits = hi[1:columns])
if ({n} > 60) suppressWarnings(try(fit(50, min({p}, 20), l[1:3], 1e-7), silent = TRUE))
start <- Sys.time()
f <- fit({n}, {p}, l, {thresh!r})
cat(as.double(Sys.time() - start, units = "secs"), "\\n")
B <- as(if (is.list(f$beta)) do.call(rbind, f$beta) else f$beta, "CsparseMatrix")
writeBin(B@x, "b"); writeBin(B@i, "bi"); writeBin(B@p, "bp")
"""


@cache
def glmnet_version() -> str | None:
    """Version of the R package glmnet; None where there is no R, or no glmnet in it."""
    if shutil.which("Rscript") is None:
        return None
    done = _rscript(
        "-e", 'cat(as.character(packageVersion("glmnet")), as.character(getRversion()))'
    )
    return None if done.returncode else "{} (R {})".format(*done.stdout.split())


class Session:
    """One problem, written to files once, for any number of fits.

    Parameters
    ----------
    problem : Problem
    gaussian_type : str
        glmnet's type.gaussian; empty: its default.
    """

    def __init__(self, problem: Problem, gaussian_type: str = "") -> None:
        self.problem = problem
        self._folder = tempfile.mkdtemp(prefix="regpath-glmnet-")
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._type = f', type.gaussian = "{gaussian_type}"' if gaussian_type else ""
        if problem.grouped:
            self._type = ', type.multinomial = "grouped"'
        w, v, r = problem.weights, problem.factors, problem.l1_ratio
        time, event = problem.y.T if problem.family == "cox" else (problem.y, np.empty(0))
        unit = 1.0
        if problem.family == "gaussian":
            unit = r + (1.0 - r) * float(np.sqrt(w @ (problem.y - w @ problem.y) ** 2))
        self._alpha = float(r / unit)
        lower, upper = problem.limits
        vectors = {
            "y": time,
            "event": event,
            "w": w if problem.family == "gaussian" else w.size * w,
            "l": v.mean() * unit * problem.lambdas,
            "v": v,
            "lo": lower,
            "hi": upper,
        }
        X = problem.X
        if sp.issparse(X):
            vectors |= {"x": X.data, "i": X.indices.astype("i4"), "p": X.indptr.astype("i4")}
        else:
            vectors["x"] = X.ravel(order="F")
        for name, vector in vectors.items():
            kind = vector if vector.dtype == np.int32 else vector.astype("f8")
            kind.tofile(self._path(name))

    def run(self, tol: float) -> tuple[float, Any]:
        """Fit once.

        Parameters
        ----------
        tol : float
            glmnet's thresh.

        Returns
        -------
        seconds : float
        coefs : csc_array of shape (p, L)

        Raises
        ------
        RuntimeError
            If R fails; the message is what R says.
        """
        n, p = self.problem.X.shape
        sparse = sp.issparse(self.problem.X)
        size = {"n": n, "p": p, "nnz": self.problem.X.nnz if sparse else 0}
        script = SCRIPT.format(
            read=(SPARSE if sparse else DENSE).format(**size),
            most=max(n, p, self.problem.lambdas.size),
            family=self.problem.family,
            alpha=self._alpha,
            type=self._type,
            thresh=float(tol),
            **size,
        )
        self._path("run.R").write_text(script)
        done = _rscript("run.R", cwd=self._folder)
        if done.returncode:
            raise RuntimeError(" ".join(done.stderr.split())[-300:])
        return float(done.stdout.split()[-1]), self._coefs()

    def _coefs(self) -> sp.csc_array:
        rows = self.problem.X.shape[1] * LOSSES[self.problem.family].outputs(self.problem.y)
        values: NDArray[Any] = np.fromfile(self._path("b"), "f8")
        indices, indptr = (np.fromfile(self._path(name), "i4") for name in ("bi", "bp"))
        return sp.csc_array((values, indices, indptr), shape=(rows, indptr.size - 1))

    def _path(self, name: str) -> Path:
        return Path(self._folder, name)


def _rscript(*arguments: str, cwd: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["Rscript", "--vanilla", *arguments],
        cwd=cwd,
        env=os.environ | {"LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )

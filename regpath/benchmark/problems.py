"""What is compared: a design, a response, a penalty and a grid of lambdas."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from regpath.benchmark.verify import LOSSES

__all__ = ["Problem", "grid", "problem_from"]

Array = NDArray[np.float64]

RATIO_OF_GRID = 1e-3
"""Below this l1_ratio the largest lambda is taken as if it were this."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """A design, a response, a penalty and a grid: all that a solver is given.

    The intercept is never penalised, the columns are penalised as they are, and

        sum_i w_i loss(y_i, b0 + x_i'b) + lambda sum_j v_j [ r |b_j| + (1 - r) / 2 b_j^2 ]

    is minimised over lower <= b <= upper at every lambda.

    Attributes
    ----------
    name : str
    X : ndarray in Fortran order, or sparse columns, of shape (n, p)
    y : ndarray of shape (n,), or (n, 2) for cox
        Numbers; 0 and 1 for binomial; classes 0, 1, ..., K - 1 for multinomial; time and event for
        cox.
    lambdas : ndarray of shape (L,)
        Decreasing.
    family : str
        Distribution of y: a key of `regpath.benchmark.verify.LOSSES`.
    grouped : bool
        For multinomial: whether the norm of the K coefficients of a feature takes the place of
        |b_j|, the sum of their absolute values.
    l1_ratio : float
        r above.
    sample_weight : ndarray of shape (n,) or None
        Only their ratios matter.
    lower, upper : ndarray of shape (p,) or None
    penalty_factor : ndarray of shape (p,) or None
        v above: finite, used as given.
    """

    name: str
    X: Any
    y: Array
    lambdas: Array
    family: str = "gaussian"
    grouped: bool = False
    l1_ratio: float = 1.0
    sample_weight: Array | None = None
    lower: Array | None = None
    upper: Array | None = None
    penalty_factor: Array | None = None

    def __post_init__(self) -> None:
        if self.family not in LOSSES:
            known = ", ".join(LOSSES)
            raise ValueError(f"Problem(family={self.family!r}): the benchmark knows {known}.")
        if self.grouped and self.family != "multinomial":
            raise ValueError("Problem(grouped=True): only multinomial coefficients have groups.")

    def __repr__(self) -> str:
        """Return name, size and grid in one line."""
        n, p = self.X.shape
        kind, grouped = f"{self.X.dtype} dense", " (grouped)" if self.grouped else ""
        if sp.issparse(self.X):
            kind = f"sparse with {self.X.nnz:,} entries"
        return (
            f"{self.name}: {self.family}{grouped}, {n:,} x {p:,}, {kind}, "
            f"l1_ratio {self.l1_ratio:g}, {self.lambdas.size} lambdas down to "
            f"{self.lambdas[-1] / self.lambdas[0]:.1g} of the largest"
        )

    @property
    def weights(self) -> Array:
        """Weights that sum to one."""
        if self.sample_weight is None:
            return np.full(len(self.y), 1.0 / len(self.y))
        return np.asarray(self.sample_weight / self.sample_weight.sum())

    @property
    def factors(self) -> Array:
        """Penalty factors; ones where there are none."""
        return np.ones(self.X.shape[1]) if self.penalty_factor is None else self.penalty_factor

    @property
    def limits(self) -> tuple[Array, Array]:
        """Limits of the coefficients; infinite where there are none."""
        p = self.X.shape[1]
        lower = np.full(p, -np.inf) if self.lower is None else self.lower
        return lower, np.full(p, np.inf) if self.upper is None else self.upper

    @property
    def n_bytes(self) -> int:
        """Bytes of X."""
        if sp.issparse(self.X):
            return int(sum(a.nbytes for a in (self.X.data, self.X.indices, self.X.indptr)))
        return int(self.X.nbytes)

    def head(self, rows: int = 200, columns: int = 50, n_lambdas: int = 3) -> Problem:
        """Return some rows and columns, of the same types: what compiles a solver.

        Rows are taken from everywhere, for those of a class may stand together.
        """
        n = len(self.y)
        some = np.linspace(0, n - 1, min(rows, n)).astype(np.intp)

        def cut(vector: Array | None, part: Any) -> Array | None:
            return None if vector is None else vector[part].copy()

        first = slice(columns)
        X = self.X[:, first][some]
        return replace(
            self,
            X=X.tocsc() if sp.issparse(X) else np.asfortranarray(X),
            y=self.y[some].copy(),
            lambdas=self.lambdas[:n_lambdas].copy(),
            sample_weight=cut(self.sample_weight, some),
            lower=cut(self.lower, first),
            upper=cut(self.upper, first),
            penalty_factor=cut(self.penalty_factor, first),
        )

    def options(self) -> dict[str, Any]:
        """Arguments of `regpath.fit_path` that state this problem, beside X and y."""
        from regpath.families import Multinomial

        return {
            "family": Multinomial(grouped=True) if self.grouped else self.family,
            "l1_ratio": self.l1_ratio,
            "lambdas": self.lambdas,
            "standardize": False,
            "sample_weight": self.sample_weight,
            "lower": self.lower,
            "upper": self.upper,
            "penalty_factor": self.penalty_factor,
        }


def problem_from(
    X: Any,
    y: Any,
    *,
    name: str = "data",
    family: str = "gaussian",
    l1_ratio: float = 1.0,
    ratio: float | None = None,
    n_lambdas: int = 100,
) -> Problem:
    """State a problem on one's own data.

    Columns are divided by their standard deviations, and a gaussian y is centred and divided by its
    own, so that no solver's absolute tolerance decides; constant columns are left out.

    Parameters
    ----------
    X : array or sparse array of shape (n, p)
    y : array of shape (n,)
        Labels of any kind for binomial (the larger one is the event) and multinomial; columns time
        and event for cox.
    name : str, default "data"
    family : str, default "gaussian"
    l1_ratio : float, default 1
    ratio : float, optional
        Smallest lambda relative to the largest; by default 1e-3 if n >= p, else 1e-2
        (for classes and survival times 3e-2: beyond, they are separated).
    n_lambdas : int, default 100

    Returns
    -------
    Problem

    Raises
    ------
    ValueError
        If y is constant, or all columns are; if y does not fit the family.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).standard_normal((20, 3))
    >>> problem_from(X, X[:, 0], n_lambdas=5).X.shape
    (20, 3)
    """
    y = _response(name, family, y)
    X = sp.csc_array(X, dtype=np.float64) if sp.issparse(X) else np.asarray(X, dtype=np.float64)
    mean = np.asarray(X.mean(axis=0)).ravel()
    square = (X.multiply(X) if sp.issparse(X) else X * X).mean(axis=0)
    deviation = np.sqrt(np.maximum(np.asarray(square).ravel() - mean**2, 0.0))
    kept = np.flatnonzero(deviation > 1e-7 * np.maximum(np.abs(mean), 1e-300))
    if kept.size == 0:
        raise ValueError(f"{name}: y or all columns are constant; there is nothing to compare.")
    X = X[:, kept]
    if sp.issparse(X):
        X = sp.csc_array(X @ sp.diags_array(1.0 / deviation[kept]))
        X.sum_duplicates()  # sorts as well
    else:
        X = np.asfortranarray(X / deviation[kept])
    if ratio is None:
        wide = 1e-2 if family in ("gaussian", "poisson") else 3e-2
        ratio = 1e-3 if X.shape[0] >= X.shape[1] else wide
    stated = Problem(name=name, X=X, y=y, lambdas=np.empty(0), family=family, l1_ratio=l1_ratio)
    return replace(stated, lambdas=grid(stated, ratio, n_lambdas))


def _response(name: str, family: str, y: Any) -> Array:
    """The response in the form of `Problem`."""
    if family == "cox":
        values = np.asarray(y, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != 2 or not values[:, 1].any():
            raise ValueError(f"{name}: y must have the columns time and event, and some events.")
        return values
    if family in ("binomial", "multinomial"):
        labels, codes = np.unique(np.asarray(y).ravel(), return_inverse=True)
        if labels.size < 2 or (family == "binomial" and labels.size > 2):
            raise ValueError(f"{name}: y holds {labels.size} labels; {family} needs others.")
        return codes.ravel().astype(np.float64)
    values = np.asarray(y, dtype=np.float64).ravel()
    if not values.std() > 0.0:
        raise ValueError(f"{name}: y or all columns are constant; there is nothing to compare.")
    if family == "poisson" and values.min() < 0.0:
        raise ValueError(f"{name}: y holds negative values; poisson needs counts.")
    return np.asarray((values - values.mean()) / values.std()) if family == "gaussian" else values


def grid(problem: Problem, ratio: float, n_lambdas: int = 100) -> Array:
    """Log-spaced lambdas, from the smallest at which all penalised coefficients are zero.

    Parameters
    ----------
    problem : Problem
    ratio : float
        Smallest lambda relative to the largest.
    n_lambdas : int, default 100

    Returns
    -------
    ndarray of shape (n_lambdas,)
    """
    w, (lower, upper), factors = problem.weights, problem.limits, problem.factors
    loss = LOSSES[problem.family]
    eta = np.zeros((w.size, loss.outputs(problem.y), 1))
    eta += loss.intercept(problem.y, eta, w)
    residual = loss.residual(problem.y, eta, w)[:, :, 0]
    gradient = np.asarray(problem.X.T @ (w[:, None] * residual))
    reachable = np.where(gradient > 0.0, upper[:, None] > 0.0, lower[:, None] < 0.0)
    gradient = np.where(reachable, np.abs(gradient), 0.0)
    sizes = np.linalg.norm(gradient, axis=1) if problem.grouped else gradient.max(axis=1)
    largest = (sizes[factors > 0.0] / factors[factors > 0.0]).max()
    largest /= max(problem.l1_ratio, RATIO_OF_GRID)
    return np.asarray(largest * np.logspace(0.0, np.log10(ratio), n_lambdas))

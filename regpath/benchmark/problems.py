"""The problems of the comparison: seeded, one per regime of the solvers; also those of asv.

A case is a row of `CASES`. `problem` builds it at full size, or shrunk by ``scale``, which
multiplies rows and columns, so that tests and quick runs use the same generators.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from regpath import datasets
from regpath.benchmark.generators import (
    Design,
    autoregressive,
    equicorrelated,
    response,
    stored,
    words,
)
from regpath.benchmark.verify import LOSSES

__all__ = ["CASES", "Case", "Problem", "build", "find", "grid", "problem", "problem_from"]

Array = NDArray[np.float64]

SEED = 20260301
FEWEST_ROWS, FEWEST_COLUMNS = 30, 10
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
    y : ndarray of shape (n,)
    lambdas : ndarray of shape (L,)
        Decreasing.
    family : str
        Distribution of y: a key of `regpath.benchmark.verify.LOSSES`.
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
    l1_ratio: float = 1.0
    sample_weight: Array | None = None
    lower: Array | None = None
    upper: Array | None = None
    penalty_factor: Array | None = None

    def __post_init__(self) -> None:
        if self.family not in LOSSES:
            known = ", ".join(LOSSES)
            raise ValueError(f"Problem(family={self.family!r}): the benchmark knows {known}.")

    def __repr__(self) -> str:
        """Return name, size and grid in one line."""
        n, p = self.X.shape
        kind = f"{self.X.dtype} dense"
        if sp.issparse(self.X):
            kind = f"sparse with {self.X.nnz:,} entries"
        return (
            f"{self.name}: {self.family}, {n:,} x {p:,}, {kind}, l1_ratio {self.l1_ratio:g}, "
            f"{self.lambdas.size} lambdas down to {self.lambdas[-1] / self.lambdas[0]:.1g} of the "
            "largest"
        )

    @property
    def weights(self) -> Array:
        """Weights that sum to one."""
        if self.sample_weight is None:
            return np.full(self.y.size, 1.0 / self.y.size)
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
        """Return the corner of the problem, of the same types: what compiles a solver."""

        def cut(vector: Array | None, size: int) -> Array | None:
            return None if vector is None else vector[:size].copy()

        X = self.X[:rows, :columns]
        return replace(
            self,
            X=X.tocsc() if sp.issparse(X) else np.asfortranarray(X),
            y=self.y[:rows].copy(),
            lambdas=self.lambdas[:n_lambdas].copy(),
            sample_weight=cut(self.sample_weight, rows),
            lower=cut(self.lower, columns),
            upper=cut(self.upper, columns),
            penalty_factor=cut(self.penalty_factor, columns),
        )

    def options(self) -> dict[str, Any]:
        """Arguments of `regpath.fit_path` that state this problem, beside X and y."""
        return {
            "family": self.family,
            "l1_ratio": self.l1_ratio,
            "lambdas": self.lambdas,
            "standardize": False,
            "sample_weight": self.sample_weight,
            "lower": self.lower,
            "upper": self.upper,
            "penalty_factor": self.penalty_factor,
        }


# ------------------------------------------------------------------------------------------ cases


class Case(NamedTuple):
    """How a problem is made.

    Attributes
    ----------
    text : str
        What it stands for.
    design : callable or str
        Generator of X, or the name of a data set of `regpath.datasets`.
    n, p, informative, snr
        Size, number of non-zero coefficients and signal-to-noise ratio.
    ratio : float
        Smallest lambda relative to the largest.
    l1_ratio : float
    variant : str
        ``weights``, ``limits`` or ``factors``; or the storage of X: ``int8``, ``float32``.
    """

    text: str
    design: Design | str
    n: int = 0
    p: int = 0
    informative: int = 0
    snr: float = 0.0
    ratio: float = 1e-2
    l1_ratio: float = 1.0
    variant: str = ""


def _ridge(case: Case) -> Case:
    return case._replace(
        text=case.text.replace("lasso", "ridge", 1), l1_ratio=0.0, ratio=1e-4, variant=""
    )


def _cases() -> dict[str, Case]:
    near, far = autoregressive(0.5), autoregressive(0.9)
    wide = Case("lasso, neighbouring columns correlated .5", near, 500, 20_000, 50, 3.0)
    big = wide._replace(n=1000, p=100_000, informative=100)
    even = Case("lasso, all columns correlated .8", equicorrelated(0.8), 400, 10_000, 40, 5.0)
    square = Case(
        "lasso, neighbouring columns correlated .9", far, 3000, 3000, 100, 3.0, ratio=1e-3
    )
    tall = wide._replace(n=200_000, p=200, snr=1.0, ratio=1e-3)
    sparse = Case(
        "lasso, sparse columns as frequent as words", words(0.05), 20_000, 200_000, 100, 3.0
    )
    cases = {
        "wide": wide,
        "wide-big": big,
        "wide-corr": even,
        "square": square,
        "tall": tall,
        "tall-wide": tall._replace(n=50_000, p=1000, informative=100),
        "sparse": sparse,
        "enet": wide._replace(text="elastic net with l1_ratio .5", l1_ratio=0.5),
        "enet-.1": wide._replace(text="elastic net with l1_ratio .1", l1_ratio=0.1),
        "ridge-wide": _ridge(wide),
        "ridge-tall": _ridge(tall),
        "ridge-sparse": _ridge(sparse),
        "prostate": Case("lasso, prostate cancer data", "prostate", ratio=1e-4),
        "diabetes": Case("lasso, diabetes data", "diabetes", ratio=1e-4),
    }
    variants = {
        "weights": "lasso with sample weights",
        "limits": "lasso with coefficients >= 0",
        "factors": "lasso with penalty factors",
        "float32": "lasso, float32 columns",
        "int8": "lasso, columns of 0, 1, 2 in int8",
    }
    for variant, text in variants.items():
        cases[f"wide-{variant}"] = wide._replace(text=text, variant=variant)
    return cases


CASES: dict[str, Case] = _cases()
"""The built-in cases by name."""


def find(name: str) -> Case:
    """Return a built-in case.

    Raises
    ------
    ValueError
        If there is no such case; the message lists what there is.
    """
    if name not in CASES:
        raise ValueError(f"there is no case {name!r}; there are: {', '.join(CASES)}.")
    return CASES[name]


def problem(name: str, *, scale: float = 1.0, n_lambdas: int = 100) -> Problem:
    """Build a built-in case.

    Parameters
    ----------
    name : str
        A key of `CASES`.
    scale : float, default 1
        Rows and columns are multiplied by it. Real data sets always come whole.
    n_lambdas : int, default 100

    Returns
    -------
    Problem

    Raises
    ------
    ValueError
        If there is no such case.

    Examples
    --------
    >>> problem("wide", scale=0.1)
    wide: gaussian, 50 x 2,000, float64 dense, l1_ratio 1, 100 lambdas down to 0.01 of the largest
    """
    case = find(name)
    n = max(round(scale * case.n), FEWEST_ROWS)
    p = max(round(scale * case.p), FEWEST_COLUMNS)
    informative = max(min(case.informative, p // 3, n // 3), 1)
    return build(name, case._replace(n=n, p=p, informative=informative), n_lambdas=n_lambdas)


def build(name: str, case: Case, *, n_lambdas: int = 100) -> Problem:
    """Build the problem of a case, which need not be one of `CASES`.

    Parameters
    ----------
    name : str
        Seeds the random numbers; ``ridge-`` before a name does not change them.
    case : Case
    n_lambdas : int, default 100

    Returns
    -------
    Problem
    """
    if isinstance(case.design, str):
        X, y, *_ = getattr(datasets, f"load_{case.design}")()
        return problem_from(X, y, name=name, ratio=case.ratio, n_lambdas=n_lambdas)
    rng = np.random.default_rng((SEED, zlib.crc32(name.removeprefix("ridge-").encode())))
    X = case.design(rng, case.n, case.p)
    if case.variant == "int8":
        X = np.digitize(X, [-0.5, 0.8])
    if case.variant in ("int8", "float32"):
        X = stored(X, case.variant)
    y = response(rng, X, case.informative, case.snr)
    options: dict[str, Any] = {}
    match case.variant:
        case "weights":
            options["sample_weight"] = rng.uniform(0.1, 2.0, case.n)
        case "limits":
            options["lower"] = np.zeros(case.p)
        case "factors":
            options["penalty_factor"] = rng.uniform(0.5, 2.0, case.p)
    stated = Problem(name=name, X=X, y=y, lambdas=np.empty(0), l1_ratio=case.l1_ratio, **options)
    return replace(stated, lambdas=grid(stated, case.ratio, n_lambdas))


def problem_from(
    X: Any,
    y: Any,
    *,
    name: str = "data",
    l1_ratio: float = 1.0,
    ratio: float | None = None,
    n_lambdas: int = 100,
    scale_columns: bool = True,
) -> Problem:
    """State a problem on one's own data.

    Columns are divided by their standard deviations, and y is centred and divided by its own, so
    that no solver's absolute tolerance decides; constant columns are left out.

    Parameters
    ----------
    X : array or sparse array of shape (n, p)
    y : array of shape (n,)
    name : str, default "data"
    l1_ratio : float, default 1
    ratio : float, optional
        Smallest lambda relative to the largest; by default 1e-3 if n >= p, else 1e-2.
    n_lambdas : int, default 100
    scale_columns : bool, default True

    Returns
    -------
    Problem

    Raises
    ------
    ValueError
        If y is constant, or all columns are.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).standard_normal((20, 3))
    >>> problem_from(X, X[:, 0], n_lambdas=5).X.shape
    (20, 3)
    """
    y = np.asarray(y, dtype=np.float64).ravel()
    X = sp.csc_array(X, dtype=np.float64) if sp.issparse(X) else np.asarray(X, dtype=np.float64)
    mean = np.asarray(X.mean(axis=0)).ravel()
    square = (X.multiply(X) if sp.issparse(X) else X * X).mean(axis=0)
    deviation = np.sqrt(np.maximum(np.asarray(square).ravel() - mean**2, 0.0))
    kept = np.flatnonzero(deviation > 1e-7 * np.maximum(np.abs(mean), 1e-300))
    if kept.size == 0 or not y.std() > 0.0:
        raise ValueError(f"{name}: y or all columns are constant; there is nothing to compare.")
    X = X[:, kept]
    if scale_columns:
        X = X @ sp.diags_array(1.0 / deviation[kept]) if sp.issparse(X) else X / deviation[kept]
    if sp.issparse(X):
        X = sp.csc_array(X)
        X.sum_duplicates()  # sorts as well
    else:
        X = np.asfortranarray(X)
    if ratio is None:
        ratio = 1e-3 if X.shape[0] >= X.shape[1] else 1e-2
    y = (y - y.mean()) / y.std()
    stated = Problem(name=name, X=X, y=y, lambdas=np.empty(0), l1_ratio=l1_ratio)
    return replace(stated, lambdas=grid(stated, ratio, n_lambdas))


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
    gradient = np.asarray(problem.X.T @ (w * (problem.y - w @ problem.y))).ravel()
    reachable = np.where(gradient > 0.0, upper > 0.0, lower < 0.0) & (factors > 0.0)
    largest = (np.abs(gradient[reachable]) / factors[reachable]).max()
    largest /= max(problem.l1_ratio, RATIO_OF_GRID)
    return np.asarray(largest * np.logspace(0.0, np.log10(ratio), n_lambdas))

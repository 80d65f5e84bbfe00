"""Small real data sets that come with the package, and generators of larger problems."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array

__all__ = ["Dataset", "load_diabetes", "load_prostate", "make_correlated", "make_sparse"]

FloatArray: TypeAlias = npt.NDArray[np.float64]
RandomState: TypeAlias = int | np.random.Generator | None


class Dataset(NamedTuple):
    """A regression problem.

    Attributes
    ----------
    X : ndarray in Fortran order or csc_array, of shape (n, p)
    y : ndarray of shape (n,)
    feature_names : tuple of str
    coef : ndarray of shape (p,) or None
        The coefficients that generated y; None for real data.
    """

    X: Any  # ndarray or csc_array: scipy has no types
    y: FloatArray
    feature_names: tuple[str, ...]
    coef: FloatArray | None = None


def load_prostate() -> Dataset:
    """Load the prostate cancer data: 97 men, 8 clinical measures, log PSA (``lpsa``).

    The example of the paper that introduced the lasso [1]_, on its original scale.

    Returns
    -------
    Dataset
        With 97 rows and the columns lcavol, lweight, age, lbph, svi, lcp, gleason and pgg45.

    References
    ----------
    .. [1] R. Tibshirani, "Regression shrinkage and selection via the lasso", Journal of the Royal
       Statistical Society B 58 (1996), section 3; data of T. Stamey et al., Journal of Urology
       141 (1989).

    Examples
    --------
    >>> X, y, names, _ = load_prostate()
    >>> X.shape, names[0], float(y[0])
    ((97, 8), 'lcavol', -0.4307829)
    """
    return _load("prostate.csv")


def load_diabetes() -> Dataset:
    """Load the diabetes data: 442 patients, 10 baseline measures, disease progression.

    The example of the paper on least angle regression [1]_. The columns are centred and have unit
    norm, as published with that paper.

    Returns
    -------
    Dataset
        With 442 rows and the columns age, sex, bmi, map, tc, ldl, hdl, tch, ltg and glu.

    References
    ----------
    .. [1] B. Efron, T. Hastie, I. Johnstone and R. Tibshirani, "Least angle regression", Annals
       of Statistics 32 (2004), section 1.

    Examples
    --------
    >>> X, y, names, _ = load_diabetes()
    >>> X.shape, names[2], float(y[0])
    ((442, 10), 'bmi', 151.0)
    """
    return _load("diabetes.csv")


def make_correlated(
    n: int = 200,
    p: int = 1000,
    *,
    rho: float = 0.5,
    n_nonzero: int = 10,
    snr: float = 5.0,
    random_state: RandomState = 0,
) -> Dataset:
    """Generate a dense problem whose neighbouring columns are correlated.

    Columns j and k have correlation ``rho ** abs(j - k)``. The `n_nonzero` coefficients sit at
    random places, alternate in sign and fall off as exp(-k / 10), as in the timings of [1]_.

    Parameters
    ----------
    n, p : int
        Number of rows and of columns.
    rho : float, default 0.5
        Correlation of neighbouring columns, -1 < rho < 1.
    n_nonzero : int, default 10
        Number of non-zero coefficients, at most p.
    snr : float, default 5.0
        Variance of X @ coef divided by the variance of the noise; inf for no noise.
    random_state : int, Generator or None, default 0
        Seed of the random numbers; None takes fresh ones.

    Returns
    -------
    Dataset

    References
    ----------
    .. [1] J. Friedman, T. Hastie and R. Tibshirani, "Regularization paths for generalized linear
       models via coordinate descent", Journal of Statistical Software 33 (2010), section 5.1.

    Examples
    --------
    >>> X, y, names, coef = make_correlated(50, 200, rho=0.9, n_nonzero=3)
    >>> X.shape, int((coef != 0).sum())
    ((50, 200), 3)
    """
    _check_sizes("make_correlated", n, p, n_nonzero, snr)
    if not -1.0 < rho < 1.0:
        raise ValueError(f"make_correlated(rho={rho}): rho must lie between -1 and 1.")
    rng = np.random.default_rng(random_state)
    X = np.empty((n, p), order="F")
    X[:, 0] = rng.standard_normal(n)
    for j in range(1, p):
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1.0 - rho**2) * rng.standard_normal(n)
    coef = np.zeros(p)
    coef[rng.choice(p, n_nonzero, replace=False)] = _alternating(n_nonzero)
    return Dataset(X, _response(X, coef, snr, rng), _numbered("x", p), coef)


def make_sparse(
    n: int = 1000,
    p: int = 10_000,
    *,
    density: float = 0.005,
    exponent: float = 1.0,
    n_nonzero: int = 20,
    snr: float = 5.0,
    random_state: RandomState = 0,
) -> Dataset:
    """Generate a sparse problem that looks like weighted word counts of documents.

    Few columns have many entries and many have few: the share of rows in which the k-th most
    frequent word occurs falls off as ``k ** -exponent``, up to one half. Entries are
    (1 + log count) times the log of the inverse frequency; rows have unit norm. Columns are in
    random order. Each has at least one entry, and frequent words are the likelier ones to have a
    non-zero coefficient.

    Parameters
    ----------
    n, p : int
        Number of rows and of columns.
    density : float, default 0.005
        Share of entries that are not zero (approximately).
    exponent : float, default 1.0
        How fast frequencies fall off; 0 for columns of equal density.
    n_nonzero : int, default 20
        Number of non-zero coefficients, at most p.
    snr : float, default 5.0
        Variance of X @ coef divided by the variance of the noise; inf for no noise.
    random_state : int, Generator or None, default 0
        Seed of the random numbers; None takes fresh ones.

    Returns
    -------
    Dataset
        With X in CSC format.

    Examples
    --------
    >>> X, y, names, coef = make_sparse(100, 5000)
    >>> X.shape, X.format, bool(0.003 < X.nnz / (100 * 5000) < 0.02)
    ((100, 5000), 'csc', True)
    """
    _check_sizes("make_sparse", n, p, n_nonzero, snr)
    if not 0.0 < density <= 0.5:
        raise ValueError(f"make_sparse(density={density}): density must lie in (0, 0.5].")
    rng = np.random.default_rng(random_state)
    frequency = rng.permutation(_frequencies(n, p, density, exponent))
    X = _word_counts(n, frequency, rng)
    occurrences = np.diff(X.indptr)
    X.data = (1.0 + np.log(X.data)) * np.repeat(np.log((1 + n) / occurrences), occurrences)
    norms = np.sqrt(np.bincount(X.indices, weights=X.data**2, minlength=n))
    X.data /= norms[X.indices]
    coef = np.zeros(p)
    places = rng.choice(p, n_nonzero, replace=False, p=occurrences / occurrences.sum())
    coef[places] = _alternating(n_nonzero)
    return Dataset(X, _response(X, coef, snr, rng), _numbered("word", p), coef)


def _load(name: str) -> Dataset:
    with (files("regpath") / "data" / name).open(encoding="utf-8") as stream:
        *feature_names, _ = stream.readline().strip().split(",")
        table = np.loadtxt(stream, delimiter=",")
    return Dataset(np.asfortranarray(table[:, :-1]), table[:, -1].copy(), tuple(feature_names))


def _check_sizes(call: str, n: int, p: int, n_nonzero: int, snr: float) -> None:
    if n < 1 or p < 1:
        raise ValueError(f"{call}(n={n}, p={p}): n and p must be at least 1.")
    if not 0 <= n_nonzero <= p:
        raise ValueError(f"{call}(n_nonzero={n_nonzero}): n_nonzero must be between 0 and p={p}.")
    if not snr > 0.0:
        raise ValueError(f"{call}(snr={snr}): snr must be positive.")


def _alternating(count: int) -> FloatArray:
    k = np.arange(count)
    return np.asarray(np.where(k % 2, -1.0, 1.0) * np.exp(-k / 10.0), dtype=np.float64)


def _response(X: Any, coef: FloatArray, snr: float, rng: np.random.Generator) -> FloatArray:
    signal = X @ coef
    # Without a signal there is nothing to relate the noise to: unit variance.
    scale = signal.std() / np.sqrt(snr) if np.any(coef) else 1.0
    return np.asarray(signal + scale * rng.standard_normal(signal.size), dtype=np.float64)


def _numbered(stem: str, p: int) -> tuple[str, ...]:
    return tuple(f"{stem}{j}" for j in range(p))


def _frequencies(n: int, p: int, density: float, exponent: float) -> FloatArray:
    """Power law in the rank, between 1 / n and 1 / 2, whose mean is `density`."""
    shape = np.arange(1.0, p + 1.0) ** -exponent
    low, high = np.log(density), np.log(p / shape[-1])  # of the scale; bisection on the mean
    for _ in range(60):
        middle = 0.5 * (low + high)
        mean = np.clip(np.exp(middle) * shape, 1.0 / n, 0.5).mean()
        low, high = (middle, high) if mean < density else (low, middle)
    return np.asarray(np.clip(np.exp(high) * shape, 1.0 / n, 0.5), dtype=np.float64)


def _word_counts(n: int, frequency: FloatArray, rng: np.random.Generator) -> csc_array:
    """Draw positions with replacement; a column meets a share `frequency` of the rows."""
    # 1 - exp(-draws / n) of the rows are met by so many draws; and a repeated draw is a count.
    draws = np.maximum(1, np.rint(-n * np.log1p(-frequency))).astype(np.int64)
    index = np.int32 if max(n, frequency.size, draws.sum()) < 2**31 else np.int64
    columns = np.repeat(np.arange(frequency.size, dtype=index), draws)
    rows = rng.integers(n, size=columns.size, dtype=index)
    shape = (n, frequency.size)
    return csc_array((np.ones(columns.size), (rows, columns)), shape=shape)

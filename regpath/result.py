"""What a fit gives back: one frozen value that knows its certificates, its table and its plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array

from regpath._linear import interpolation, inverse_link, linear_predictor, new_offset
from regpath._parts import (
    PER_LAMBDA,
    Point,
    Settings,
    Status,
    check_shapes,
    frozen,
    frozen_matrix,
    labels,
    store_coefs,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from regpath.diagnostics import Certificate

__all__ = ["Path", "Point", "Settings", "Status", "store_coefs"]

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
File: TypeAlias = str | PathLike[str] | IO[bytes]
PredictionType: TypeAlias = Literal["response", "link", "class"]


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Path:
    """A regularization path with a certificate for every point.

    Attributes
    ----------
    lambdas : ndarray of shape (L,), decreasing
    coef_storage : ndarray or csc_array of shape (p, L)
        The coefficients as they are kept; read `coefs` or `coefs_sparse` instead.
    intercepts : ndarray of shape (L,)
    dev_ratio : ndarray of shape (L,)
        Share of the null deviance that is explained, in [0, 1].
    null_deviance : float
        Deviance of the model with the intercept, the offset and the unpenalised features alone.
    objectives : ndarray of shape (L,)
        Value of the objective that is minimised.
    dual_gaps : ndarray of shape (L,)
        Relative to the null model: an upper bound on how far the objective is from its minimum.
    kkt_violations : ndarray of shape (L,)
        Largest violation of the optimality conditions.
    n_iters : ndarray of int of shape (L,)
    passes : ndarray of shape (L,)
        Passes over X spent on this point; a pass over some of the columns counts as a fraction.
    working_set_sizes : ndarray of int of shape (L,)
    seconds : ndarray of shape (L,)
    statuses : tuple of Status
        How each point ended.
    feature_names : tuple of str or None
        Known if X was a data frame.
    family : str
    l1_ratio : float
    settings : Settings
        The problem that was solved.
    info : dict
        The solver's choices and their reasons, versions and similar notes.

    Examples
    --------
    >>> import regpath
    >>> X, y, names, _ = regpath.datasets.load_prostate()
    >>> path = regpath.lasso_path(X, y, n_lambdas=50)
    >>> path.coefs.shape, path.predict(X).shape
    ((8, 50), (97, 50))
    >>> int(path.n_nonzero[0]), int(path.n_nonzero[-1])
    (0, 8)
    """

    lambdas: FloatArray
    coef_storage: Any  # ndarray or csc_array: scipy has no types
    intercepts: FloatArray
    dev_ratio: FloatArray
    null_deviance: float
    objectives: FloatArray
    dual_gaps: FloatArray
    kkt_violations: FloatArray
    n_iters: IntArray
    passes: FloatArray
    working_set_sizes: IntArray
    seconds: FloatArray
    statuses: tuple[Status, ...]
    feature_names: tuple[str, ...] | None = None
    family: str = "gaussian"
    l1_ratio: float = 1.0
    settings: Settings = field(default_factory=Settings)
    info: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, dtype in PER_LAMBDA.items():
            value = frozen(np.asarray(getattr(self, name), dtype=dtype))
            object.__setattr__(self, name, value)
        object.__setattr__(self, "coef_storage", frozen_matrix(self.coef_storage))
        shapes = {name: getattr(self, name).shape for name in PER_LAMBDA}
        check_shapes(self.coef_storage, shapes, len(self.statuses), self.feature_names)

    @property
    def feature_labels(self) -> Sequence[str]:
        """Names of the features; x0, x1, ... if none are known."""
        return labels(self.feature_names, self.n_features)

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return int(self.coef_storage.shape[0])

    @property
    def coefs(self) -> FloatArray:
        """Coefficients on the original scale of the columns, ndarray of shape (p, L)."""
        if isinstance(self.coef_storage, np.ndarray):
            return self.coef_storage
        coefs: FloatArray = frozen(self.coef_storage.toarray(order="F"))
        return coefs

    @property
    def coefs_sparse(self) -> csc_array:
        """Coefficients on the original scale of the columns, csc_array of shape (p, L)."""
        if isinstance(self.coef_storage, np.ndarray):
            return csc_array(self.coef_storage)
        # A new object around the same arrays: assigning to an entry of it leaves the path alone.
        stored = self.coef_storage
        return csc_array((stored.data, stored.indices, stored.indptr), shape=stored.shape)

    @property
    def n_nonzero(self) -> IntArray:
        """Number of non-zero coefficients at every lambda, the intercept not counted."""
        if isinstance(self.coef_storage, np.ndarray):
            return np.asarray(np.count_nonzero(self.coef_storage, axis=0), dtype=np.int64)
        stored = self.coef_storage
        before = np.concatenate([[0], np.cumsum(stored.data != 0.0)])
        return np.asarray(np.diff(before[stored.indptr]), dtype=np.int64)

    def coef_at(
        self, lambda_: npt.ArrayLike, *, exact: bool = False, X: Any = None, y: Any = None
    ) -> FloatArray:
        """Coefficients at any lambda of the path, on the original scale of the columns.

        Parameters
        ----------
        lambda_ : float or array of shape (k,)
        exact : bool, default False
            By default the coefficients are interpolated linearly between the neighbours in the
            grid, which is exact at the points of the grid. True solves the problem at `lambda_`,
            which may then lie outside of the grid.
        X, y : array, optional
            The data of the fit, used for ``exact=True`` only.

        Returns
        -------
        coef : ndarray of shape (p,), or (p, k) if `lambda_` is an array

        Raises
        ------
        ValueError
            If `lambda_` lies outside of the grid, or the data for an exact answer are missing.

        Examples
        --------
        >>> import regpath
        >>> X, y, names, _ = regpath.datasets.load_prostate()
        >>> path = regpath.lasso_path(X, y)
        >>> names[path.coef_at(0.5).argmax()]
        'lcavol'
        >>> between = path.coef_at(0.1)
        >>> exact = path.coef_at(0.1, exact=True, X=X, y=y)
        >>> bool(abs(between - exact).max() < 1e-2)
        True
        """
        if exact:
            return self._refit("coef_at", lambda_, X, y).coef_at(lambda_)
        weights = interpolation(self.lambdas, lambda_, "Path.coef_at")
        coefs = self.coef_storage @ weights
        coefs = coefs if isinstance(coefs, np.ndarray) else coefs.toarray()
        return coefs[:, 0] if np.ndim(_number(lambda_)) == 0 else coefs

    def intercept_at(
        self, lambda_: npt.ArrayLike, *, exact: bool = False, X: Any = None, y: Any = None
    ) -> Any:
        """Intercept at any lambda of the path; the parameters are those of `coef_at`.

        Returns
        -------
        intercept : float, or ndarray of shape (k,) if `lambda_` is an array
        """
        if exact:
            return self._refit("intercept_at", lambda_, X, y).intercept_at(lambda_)
        intercepts = self.intercepts @ interpolation(self.lambdas, lambda_, "Path.intercept_at")
        return float(intercepts[0]) if np.ndim(_number(lambda_)) == 0 else intercepts

    def at_df(self, k: int) -> Point:
        """Pick the least penalised model that has at most `k` non-zero coefficients.

        Along a path the number of non-zero coefficients mostly, but not always, grows. Among all
        points with at most `k` of them this is the one with the smallest lambda, hence the one
        that fits best.

        Parameters
        ----------
        k : int
            The intercept does not count, unpenalised features do.

        Returns
        -------
        Point
            With its `index`, `lambda_`, `intercept`, `coef`, and `selected`: the non-zero
            coefficients by name. It can stand for the index or the lambda in later calls.

        Raises
        ------
        ValueError
            If every model of the path has more than `k` non-zero coefficients.

        Examples
        --------
        >>> import regpath
        >>> X, y, names, _ = regpath.datasets.load_prostate()
        >>> path = regpath.lasso_path(X, y)
        >>> point = path.at_df(3)
        >>> [names[j] for j in point.coef.nonzero()[0]]
        ['lcavol', 'lweight', 'svi']
        >>> path.predict(X, point).shape
        (97,)
        """
        candidates = np.flatnonzero(self.n_nonzero <= k)
        if candidates.size == 0:
            raise ValueError(
                f"Path.at_df(k={k}): every model of this path has at least "
                f"{self.n_nonzero.min()} non-zero coefficients; ask for that many or more."
            )
        index = int(candidates[-1])
        lambda_ = float(self.lambdas[index])
        return Point(
            index=index,
            lambda_=lambda_,
            intercept=float(self.intercepts[index]),
            coef=frozen(self.coef_at(lambda_)),
            n_nonzero=int(self.n_nonzero[index]),
            dev_ratio=float(self.dev_ratio[index]),
            feature_names=self.feature_names,
        )

    def _refit(self, method: str, lambda_: npt.ArrayLike, X: Any, y: Any) -> Path:
        if X is None or y is None:
            raise ValueError(
                f"Path.{method}(exact=True) solves the problem anew: pass X= and y=, "
                "the data that the path was fitted on."
            )
        from regpath.path import refit

        return refit(self, X, y, np.unique(np.asarray(_number(lambda_), dtype=np.float64))[::-1])

    def predict(
        self,
        X: Any,
        lambda_: npt.ArrayLike | None = None,
        type: PredictionType = "response",
        offset: npt.ArrayLike | None = None,
    ) -> FloatArray:
        """Predict for new rows, at one lambda or along the whole path.

        Parameters
        ----------
        X : array, sparse matrix or data frame of shape (n, p)
            If the path knows the names of its features, the columns of a data frame are taken by
            name: their order does not matter, and further columns are ignored.
        lambda_ : float or array of shape (k,), optional
            Interpolated linearly as in `coef_at`. Default: every lambda of the path.
        type : {"response", "link", "class"}, default "response"
            The mean of the response, the linear predictor, or the most probable class
            (classification families only).
        offset : array of shape (n,), optional
            Added to the linear predictor. Required if the path was fitted with an offset.

        Returns
        -------
        prediction : ndarray of shape (n,) for one lambda, (n, k) for several, (n, L) for all

        Raises
        ------
        ValueError
            If X, `lambda_` or the offset do not fit the path, or hold values that are not finite.
        TypeError
            If X is not numeric.

        Examples
        --------
        >>> import regpath
        >>> X, y, names, _ = regpath.datasets.load_prostate()
        >>> path = regpath.lasso_path(X, y)
        >>> path.predict(X).shape, path.predict(X, 0.1).shape, path.predict(X, [0.1, 0.2]).shape
        ((97, 100), (97,), (97, 2))
        """
        mean = inverse_link(self.family, type)
        at = self.lambdas if lambda_ is None else _number(lambda_)
        weights = interpolation(self.lambdas, at, "Path.predict")
        eta = linear_predictor(X, self.coefs_sparse @ weights, self.feature_names)
        eta += self.intercepts @ weights
        if offset is not None:
            eta += new_offset(offset, len(eta))[:, None]
        elif self.settings.offset is not None:
            raise ValueError(
                "Path.predict: the path was fitted with an offset; pass offset= for the new rows "
                "(np.zeros(n) for none)."
            )
        prediction = mean(eta)
        return prediction[:, 0] if np.ndim(at) == 0 else prediction

    def certify(self, X: Any, y: Any) -> Certificate:
        """Recompute objectives, dual gaps and KKT violations from the data of the fit.

        Plain NumPy that shares no code with the solver; see `regpath.diagnostics.certify`.
        Weights, offset and penalty factors are known to the path.
        """
        from regpath.diagnostics import certify

        return certify(self, X, y)

    def plot(
        self,
        x: Literal["lambda", "l1_norm", "dev_ratio"] = "lambda",
        ax: Axes | None = None,
        n_labels: int = 8,
    ) -> Axes:
        """Draw the coefficients along the path; see `regpath.plot.plot_path`."""
        from regpath.plot import plot_path

        return plot_path(self, x=x, ax=ax, n_labels=n_labels)

    def plot_diagnostics(self, axes: Any = None) -> Any:
        """Draw gaps, sizes, time and passes along the path; see `regpath.plot.plot_diagnostics`."""
        from regpath.plot import plot_diagnostics

        return plot_diagnostics(self, axes=axes)

    def summary(self) -> str:
        """Describe the path as text: what was fitted, then one line per lambda.

        Returns
        -------
        text : str
            Columns: position, lambda, percentage of the deviance explained, number of non-zero
            coefficients, relative dual gap, status.

        Examples
        --------
        >>> import regpath
        >>> X, y, names, _ = regpath.datasets.load_prostate()
        >>> print(regpath.lasso_path(X, y, n_lambdas=20).summary())  # doctest: +ELLIPSIS
        Lasso path, gaussian family: 8 features, 20 lambdas from 0.84... to ...
        """
        from regpath._table import summary

        return summary(self)

    def __repr__(self) -> str:
        from regpath._table import summary

        return summary(self, n_ends=5)

    def to_frame(self, what: Literal["path", "coefs"] = "path", backend: Any = None) -> Any:
        """Give the path or its coefficients as a data frame.

        Parameters
        ----------
        what : {"path", "coefs"}, default "path"
            ``"path"``: one row per lambda with its df, dev_ratio, objective, dual_gap,
            kkt_violation, n_iter, seconds and status. ``"coefs"``: one row for the intercept and
            one per feature, one column per lambda.
        backend : {"pandas", "polars", "pyarrow"}, optional
            Default: pandas if it is installed, otherwise polars.

        Returns
        -------
        frame : pandas.DataFrame, polars.DataFrame or pyarrow.Table

        Examples
        --------
        >>> import regpath
        >>> X, y, names, _ = regpath.datasets.load_prostate()
        >>> path = regpath.lasso_path(X, y, n_lambdas=20)
        >>> path.to_frame().shape, path.to_frame("coefs").shape
        ((20, 9), (9, 21))
        """
        from regpath._table import to_frame

        return to_frame(self, what, backend)

    def save(self, file: File) -> None:
        """Write the path to a file that `Path.load` reads back, bit for bit.

        The file is an npz archive: plain arrays and a JSON text, no pickle.

        Parameters
        ----------
        file : str, os.PathLike or binary file object
            Used as given: no ending is added.

        Examples
        --------
        >>> import io, regpath
        >>> X, y, names, _ = regpath.datasets.load_prostate()
        >>> path = regpath.lasso_path(X, y, n_lambdas=20)
        >>> file = io.BytesIO()
        >>> path.save(file)
        >>> _ = file.seek(0)
        >>> bool((regpath.Path.load(file).coefs == path.coefs).all())
        True
        """
        from regpath._storage import save

        save(self, file)

    @classmethod
    def load(cls, file: File) -> Path:
        """Read a path that `Path.save` wrote; nothing in the file is ever executed.

        Raises
        ------
        ValueError
            If the file is not a path of regpath: truncated, altered, of another kind, or of a
            later format.
        OSError
            If the file cannot be opened.
        """
        from regpath._storage import load

        return load(file)


def _number(lambda_: Any) -> npt.ArrayLike:
    """Let a `Point` stand for its lambda."""
    return float(lambda_) if isinstance(lambda_, Point) else lambda_

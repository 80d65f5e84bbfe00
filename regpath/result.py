"""What a fit gives back: one frozen value that knows its certificates, its table and its plots."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from regpath import _predict
from regpath._fields import Fields, FloatArray
from regpath._linear import interpolation, refuse_empty
from regpath._parts import PER_LAMBDA, Point, Settings, Status, frozen, number, store_coefs
from regpath._predict import PredictionType
from regpath._saved import Saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from regpath.criteria import Criteria
    from regpath.diagnostics import Certificate
    from regpath.families import Family
    from regpath.loo import LeaveOneOut
    from regpath.survival import Baseline

__all__ = ["Path", "Point", "Settings", "Status", "store_coefs"]


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Path(Fields, Saved):
    """A regularization path with a certificate for every point.

    Attributes
    ----------
    lambdas : ndarray of shape (L,), decreasing
    coef_storage : ndarray or csc_array of shape (p, L), or (K * p, L) for K outputs
        The coefficients as they are kept; read `coefs` or `coefs_sparse` instead.
    intercepts : ndarray of shape (L,), or (K, L) for K outputs
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
        Its name; `family_instance` is the family itself.
    family_options : dict
        The options of the family, for example ``{"link": "probit"}``.
    classes : ndarray or None
        Labels of the two classes (binomial) or of the K classes (multinomial).
    n_outputs : int or None
        K for families with K linear predictors (multinomial, multigaussian). None: one response.
    response_names : tuple of str or None
        Of the K columns of y (multigaussian), known if it was a data frame.
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

    @property
    def family_instance(self) -> Family:
        """The family with its options, from `regpath.families`."""
        from regpath import families

        if self.family != "custom":
            return families.resolve("Path", self.family, **self.family_options)
        function = self.family_options.get("function")
        if function is None:
            known = self.family_options.get("function_repr", "a loss of the user's own")
            raise ValueError(
                f"Path: the path was fitted with {known}, which is code and not kept in files; put "
                "it back with dataclasses.replace(path, family_options={'function': loss})."
            )
        return families.resolve("Path", families.Custom(function))

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
            For K outputs (K, p), or (K, p, k).

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
        coefs = self._by_output(coefs if isinstance(coefs, np.ndarray) else coefs.toarray())
        return coefs[..., 0] if np.ndim(number(lambda_)) == 0 else coefs

    def intercept_at(
        self, lambda_: npt.ArrayLike, *, exact: bool = False, X: Any = None, y: Any = None
    ) -> Any:
        """Intercept at any lambda of the path; the parameters are those of `coef_at`.

        Returns
        -------
        intercept : float, or ndarray of shape (k,) if `lambda_` is an array
            For K outputs an ndarray of shape (K,), or (K, k).
        """
        if exact:
            return self._refit("intercept_at", lambda_, X, y).intercept_at(lambda_)
        intercepts = self.intercepts @ interpolation(self.lambdas, lambda_, "Path.intercept_at")
        if np.ndim(number(lambda_)):
            return intercepts
        return float(intercepts[0]) if self.n_outputs is None else intercepts[:, 0]

    def at_df(self, k: int) -> Point:
        """Pick the least penalised model that has at most `k` non-zero coefficients.

        Along a path the number of non-zero coefficients mostly, but not always, grows. Among all
        points with at most `k` of them this is the one with the smallest lambda, hence the one
        that fits best. For K outputs a feature counts once.

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
        refuse_empty("Path.at_df", self.lambdas)
        candidates = np.flatnonzero(self.n_nonzero <= k)
        if candidates.size == 0:
            raise ValueError(
                f"Path.at_df(k={k}): every model of this path has at least "
                f"{self.n_nonzero.min()} non-zero coefficients; ask for that many or more."
            )
        return self.at_index(int(candidates[-1]))

    def at_index(self, index: int) -> Point:
        """The model at a position of the grid.

        Examples
        --------
        >>> import regpath
        >>> X, y, names, _ = regpath.datasets.load_prostate()
        >>> regpath.lasso_path(X, y).at_index(-1).index
        99
        """
        index = range(self.lambdas.size)[index]
        intercept = self.intercepts[..., index]
        return Point(
            index=index,
            lambda_=float(self.lambdas[index]),
            intercept=float(intercept) if self.n_outputs is None else intercept,
            coef=frozen(self._by_output(self._column(index))[..., 0]),
            n_nonzero=int(self.n_nonzero[index]),
            dev_ratio=float(self.dev_ratio[index]),
            feature_names=self.feature_names,
        )

    def _column(self, index: int) -> FloatArray:
        """One column of the stored coefficients, dense, of shape (p, 1)."""
        some = self.coef_storage[:, [index]]
        return some if isinstance(some, np.ndarray) else np.asarray(some.toarray())

    def shortened(self, n_lambdas: int, reason: Status | None = None) -> Path:
        """The first points of the path; the last one says why, unless it has worse to say."""
        parts = {name: getattr(self, name)[..., :n_lambdas] for name in PER_LAMBDA}
        statuses = self.statuses[:n_lambdas]
        if reason is not None and statuses and statuses[-1].ok:
            statuses = (*statuses[:-1], reason)
        return replace(
            self,
            coef_storage=self.coef_storage[:, :n_lambdas],
            statuses=statuses,
            **parts,
        )

    def _refit(self, method: str, lambda_: npt.ArrayLike, X: Any, y: Any) -> Path:
        if X is None or y is None:
            raise ValueError(
                f"Path.{method}(exact=True) solves the problem anew: pass X= and y=, "
                "the data that the path was fitted on."
            )
        from regpath.path import refit

        _ = self.family_instance  # raises if its loss is missing
        return refit(self, X, y, np.unique(np.asarray(number(lambda_), dtype=np.float64))[::-1])

    def predict(
        self,
        X: Any,
        lambda_: npt.ArrayLike | None = None,
        type: PredictionType = "response",
        offset: npt.ArrayLike | None = None,
    ) -> npt.NDArray[Any]:
        """Predict for new rows, at one lambda or along the whole path.

        Parameters
        ----------
        X : array, sparse matrix or data frame of shape (n, p)
            If the path knows the names of its features, the columns of a data frame are taken by
            name: their order does not matter, and further columns are ignored.
        lambda_ : float or array of shape (k,), optional
            Interpolated linearly as in `coef_at`. Default: every lambda of the path.
        type : {"response", "link", "class"}, default "response"
            ``"link"``: the linear predictor eta. ``"response"``: the mean of the response, which is
            eta itself (gaussian, huber, multigaussian), exp(eta) (poisson, gamma, tweedie), the
            probability of ``classes[1]`` (binomial) or of every class (multinomial); for cox the
            relative risk exp(eta); for a loss of your own eta, for its mean is not known.
            ``"class"``: the label of the most probable class (binomial, multinomial).
        offset : array of shape (n,), or (n, K) for K outputs, optional
            Added to the linear predictor. Required if the path was fitted with an offset.

        Returns
        -------
        prediction : ndarray of shape (n,) for one lambda, (n, k) for several, (n, L) for all
            For K outputs (n, K), (n, K, k) or (n, K, L), except for ``type="class"``.

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
        return _predict.predict(self, X, lambda_, type, offset)

    def baseline(self, X: Any, y: Any, lambda_: Any) -> Baseline | dict[Any, Baseline]:
        """Estimate the baseline hazard of a cox path; see `regpath.survival.baseline`."""
        from regpath.survival import baseline

        return baseline(self, X, y, lambda_)

    def certify(self, X: Any, y: Any) -> Certificate:
        """Recompute objectives, dual gaps and KKT violations from the data of the fit.

        Plain NumPy that shares no code with the solver; see `regpath.diagnostics.certify`.
        Weights, offset and penalty factors are known to the path.
        """
        from regpath.diagnostics import certify

        _ = self.family_instance  # raises if its loss is missing
        return certify(self, X, y)

    def criteria(self, X: Any = None, y: Any = None, **options: Any) -> Criteria:
        """AIC, AICc, BIC, EBIC, Cp and GCV of every point; see `regpath.criteria.criteria`.

        X and y, the data of the fit, are needed for ridge, elastic nets and grouped penalties.
        """
        from regpath.criteria import criteria

        return criteria(self, X, y, **options)

    def leave_one_out(self, X: Any, y: Any) -> LeaveOneOut:
        """Score every point of a ridge path on rows it was not fitted to, without further fits.

        X and y are the data of the fit; see `regpath.loo.leave_one_out_scores`.
        """
        from regpath.loo import leave_one_out_scores

        return leave_one_out_scores(self, X, y)

    def select(self, rule: str = "bic", X: Any = None, y: Any = None, **options: Any) -> Point:
        """Pick the point with the smallest information criterion.

        Parameters
        ----------
        rule : {"aic", "aicc", "bic", "ebic", "cp", "gcv"}, default "bic"
        X, y, **options
            As in `criteria`.

        Returns
        -------
        Point
            Of equal ones that with the largest lambda.

        Raises
        ------
        ValueError
            If the rule is unknown, no point has a value, or the data are needed and missing.

        Examples
        --------
        >>> import regpath
        >>> X, y, names, _ = regpath.datasets.load_prostate()
        >>> point = regpath.lasso_path(X, y).select("bic")
        >>> [names[j] for j in point.coef.nonzero()[0]]
        ['lcavol', 'lweight', 'svi']
        """
        from regpath.criteria import check_rule

        check_rule(rule, "Path.select")
        return self.at_index(self.criteria(X, y, **options).best(rule))

    def plot(
        self,
        x: Literal["lambda", "l1_norm", "dev_ratio"] = "lambda",
        ax: Axes | Any = None,
        n_labels: int = 8,
    ) -> Axes | Any:
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
            one per feature (for each of K outputs), one column per lambda.
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

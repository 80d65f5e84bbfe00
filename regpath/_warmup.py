"""Compilation ahead of time: every kernel, for every kind of X that the public functions accept."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.sparse import csc_array

from regpath._inputs import check_design
from regpath.families import Binomial, Multinomial
from regpath.losses import GammaLog, Huber, Logistic, Poisson, Probit, Tweedie
from regpath.path import enet_path, lasso_path, ridge_path
from regpath.penalties import ElasticNet
from regpath.relaxed import relax
from regpath.selection import cv_path
from regpath.solvers.cox import CoxLoss
from regpath.solvers.geometry import measure
from regpath.solvers.residual import ResidualCore
from regpath.solvers.rows import RowLoss
from regpath.solvers.softmax import SoftmaxLoss
from regpath.solvers.working import working_columns

__all__ = ["warmup"]

DTYPES = [
    "float64",
    "float32",
    *(f"{sign}int{bits}" for bits in (8, 16, 32, 64) for sign in ("", "u")),
]
INDICES = ["int32", "int64"]


def warmup(progress: Callable[[str], Any] | None = None) -> list[str]:
    """Compile every kernel and keep the machine code on disk.

    The first path in a fresh installation compiles what it needs, which takes seconds; after
    `warmup` no path does.

    Parameters
    ----------
    progress : callable, optional
        Called with the name of each kind of X before it is compiled.

    Returns
    -------
    list of str
        The kinds of X that were compiled.

    Examples
    --------
    >>> import regpath
    >>> kinds = regpath.warmup()  # doctest: +SKIP
    >>> kinds[0]  # doctest: +SKIP
    'dense float64'
    """
    names = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nobody asked for these fits: some cannot reach tol
        for name, X in _kinds():
            if progress is not None:
                progress(name)
            _exercise(X)
            names.append(name)
        _exercise_dependent_columns()
        _exercise_families()
        _exercise_scores()
    return names


def _kinds() -> Iterator[tuple[str, Any]]:
    rng = np.random.default_rng(0)
    X = np.asfortranarray(rng.integers(0, 3, (40, 250)))
    for dtype in DTYPES:
        yield f"dense {dtype}", X.astype(dtype)
    for dtype in DTYPES:
        for index in INDICES:
            S = csc_array(X.astype(dtype))
            S = csc_array((S.data, S.indices.astype(index), S.indptr.astype(index)), shape=S.shape)
            yield f"sparse {dtype}, {index} indices", S


def _exercise(X: Any) -> None:
    """Run X through the solvers: working set, whole Gram matrix, residual form, both spectra."""
    y = np.random.default_rng(1).standard_normal(X.shape[0])
    lasso_path(X, y, n_lambdas=5)
    enet_path(X, y, n_lambdas=5, lower=-0.1, upper=0.1)
    lasso_path(X[:, :10], y, n_lambdas=5)
    ridge_path(X, y, n_lambdas=3)
    ridge_path(X[:, :10], y, n_lambdas=3)
    lasso_path(X, y > 0.0, family="binomial", n_lambdas=3)
    for Z in (X, X[:, :10]):
        cv_path(Z, y, cv=np.arange(y.size) % 3, lambdas=[0.1, 0.05, 0.0])
    design, _, _ = check_design("warmup", X)
    weights = np.full(y.size, 1.0 / y.size)
    geometry = measure(design, y, weights, fit_intercept=True, standardize=True)
    columns = working_columns(geometry)
    columns.append(np.arange(5), False)
    strong, unlimited = np.full(5, 0.1), np.full(5, np.inf)
    penalty = ElasticNet(strong, np.zeros(5), -unlimited, unlimited, np.ones(2))
    core = ResidualCore(columns, geometry.response, np.zeros(5))
    core.solve(penalty, 1e-6, 100)
    outputs = np.ones((2, y.size))
    geometry.gradients_of(outputs, np.arange(2), np.arange(2))
    geometry.gradient_of(outputs, np.arange(2))
    geometry.gradients(outputs)


def _exercise_dependent_columns() -> None:
    """Columns that are combinations of others need kernels of their own, whatever their storage."""
    rng = np.random.default_rng(2)
    X = np.asfortranarray(np.repeat(rng.standard_normal((30, 5)), 2, axis=1))
    lasso_path(X, rng.standard_normal(30), n_lambdas=3, penalty_factor=np.repeat([0.0, 1.0], 5))


def _exercise_scores() -> None:
    """Deviances of every family, scores that compare rows, and refits."""
    rng = np.random.default_rng(4)
    X = np.asfortranarray(rng.standard_normal((60, 3)))
    y, event = np.arange(60.0) + 1.0, np.arange(60) % 2
    folds = np.arange(60) // 2 % 3
    responses = {
        "poisson": y,
        "gamma": y,
        "tweedie": y,
        "huber": y,
        "binomial": event,
        "multinomial": event,
        "cox": np.column_stack([y, event]),
    }
    ranks = {"binomial": ("deviance", "auc"), "cox": ("deviance", "c_index")}
    for family, response in responses.items():
        for scoring in ranks.get(family, ("deviance",)):
            # Down to 0, where the best may well be.
            cv_path(X, response, family=family, cv=folds, scoring=scoring, lambdas=[0.1, 0.0])
    relax(lasso_path(X, y, n_lambdas=3), X, y)


def _exercise_families() -> None:
    """Losses have kernels of their own, whatever the storage, and others for the frequent ones."""
    rng = np.random.default_rng(3)
    X = np.asfortranarray(rng.standard_normal((40, 5)))
    y = rng.integers(1, 4, 40).astype(np.float64)
    for Z in (X, csc_array(X), X.astype(np.float32)):
        for family in ("poisson", "gamma", "tweedie", "huber"):
            lasso_path(Z, y, family=family, n_lambdas=3)
        lasso_path(Z, y > 2.0, family=Binomial(link="probit"), n_lambdas=3)
    for loss in (Logistic(), Probit(), Poisson(), GammaLog(), Tweedie(1.5), Huber(1.0)):
        for dtype in (np.float64, np.float32):
            _exercise_one_read(loss, np.where(y > 2, 1.0, 0.5), X.T.astype(dtype))
    for family in ("multinomial", "multigaussian"):
        lasso_path(X, y, family=family, n_lambdas=3)
    lasso_path(X, np.column_stack([y, np.ones(40)]), family="cox", n_lambdas=3)
    for Z in (X, csc_array(X), csc_array(X.astype(np.float32))):
        lasso_path(Z, y, family=Multinomial(grouped=True), n_lambdas=3)
    wide = np.asfortranarray(rng.standard_normal((40, 300)))
    lasso_path(wide, wide[:, :2], family="multigaussian", n_lambdas=5)
    _exercise_gaps(y)


def _exercise_one_read(loss: Any, y: Any, columns: Any) -> None:
    """What paths do where there are many rows."""
    n, features = y.size, np.arange(len(columns))
    columns.flags.writeable = False
    rows = RowLoss(loss, y, np.full(n, 1.0 / n), np.zeros(n), fit_intercept=True, n_threads=1)
    added, work = (features, np.zeros(features.size)), np.empty((5, n))
    rows.with_products(columns, added, features, np.zeros(n), work, 1)


def _exercise_gaps(y: Any) -> None:
    """What paths do where a dual point must be shrunk: classes and survival times."""
    n, classes = y.size, np.eye(2)[(y > 2.0).astype(np.int64)]
    weights, survival = np.full(n, 1.0 / n), np.column_stack([np.full(n, -np.inf), y, y > 1.0])
    losses = (
        SoftmaxLoss(classes, weights, np.zeros((n, 2)), fit_intercept=True, n_threads=1),
        CoxLoss(survival, weights, np.zeros(n), ties="efron", strata=None),
    )
    for loss in losses:
        _, eta, terms = loss.centred(loss.start())
        loss.gap(eta, terms, 0.5)

"""Unpenalised refits along a path: one on each active set, shared by the points that have it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from regpath._parts import Status, labels, store_coefs
from regpath.designs import Csc, Dense, as_scipy
from regpath.families import Gaussian, Multinomial
from regpath.loop import Fit
from regpath.result import Path
from regpath.solvers.geometry import Geometry
from regpath.solvers.spectral import LARGEST_EIGEN, LARGEST_EIGEN_SPARSE
from regpath.solvers.subsets import Subsets
from regpath.strategy import is_grouped, measured
from regpath.validation import Options, Problem

__all__ = ["Refits", "refit_active", "restricted"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


class Refits(NamedTuple):
    """The refits of a path: fields as those of `regpath.relaxed.RelaxedPath`."""

    coef_storage: Any
    intercepts: Array
    dev_ratio: Array
    dual_gaps: Array
    n_iters: Index
    statuses: tuple[Status, ...]


class _Refit(NamedTuple):
    """The refit on one active set; coefficients of shape (K, k) or (1, k), of all its features."""

    coefs: Array
    intercepts: Array
    dev_ratio: float
    gap: float
    status: Status
    n_iter: int


def refit_active(
    call: str,
    problem: Problem,
    options: Options,
    path: Path,
    advance: Callable[[int], None],
    deadline: float,
) -> Refits:
    """Fit the active features of every point of a path without a penalty.

    A feature is active if one of its coefficients is not zero, or if it is not penalised. Limits,
    weights and offset stay as they are. Every distinct active set is solved once.

    Parameters
    ----------
    call : str
        Name of the public function, for messages.
    problem, options
        Those of the path.
    path : Path
    advance : callable
        Told the number of points after every one.
    deadline : float
        On the clock `time.monotonic`: no refit but the first goes on after it.

    Returns
    -------
    Refits
        Fewer than the path has points, if time was up.
    """
    always = problem.penalty_factor == 0.0
    sets = [np.flatnonzero(active | always) for active in _nonzero(path)]
    union = np.unique(np.concatenate([np.empty(0, np.int64), *sets]))
    solve = _Refitter(call, problem, options, union).refit
    known: dict[bytes, _Refit] = {}
    refits: list[_Refit] = []
    n_iters: list[int] = []
    for active in sets:
        key, done = active.tobytes(), 0
        if key not in known:
            found = solve(np.searchsorted(union, active), deadline if refits else math.inf)
            if found is None:
                break
            known[key], done = found, found.n_iter
        refits.append(known[key])
        n_iters.append(done)
        advance(1)
    K = path.n_outputs or 1
    columns = [_column(active, f.coefs, problem.p) for active, f in zip(sets, refits, strict=False)]
    intercepts = np.array([f.intercepts for f in refits]).reshape(-1, K).T
    return Refits(
        coef_storage=store_coefs(columns, problem.p * K),
        intercepts=intercepts if path.n_outputs is not None else intercepts[0],
        dev_ratio=np.array([f.dev_ratio for f in refits]),
        dual_gaps=np.array([f.gap for f in refits]),
        n_iters=np.array(n_iters, np.int64),
        statuses=tuple(f.status for f in refits),
    )


def _nonzero(path: Path) -> Any:
    """Masks of the features that are not zero (for any output), one a lambda."""
    coefs, p = path.coefs_sparse, path.n_features
    for k in range(path.lambdas.size):
        entries = slice(coefs.indptr[k], coefs.indptr[k + 1])
        used = np.zeros(p, np.bool_)
        used[coefs.indices[entries][coefs.data[entries] != 0.0] % max(p, 1)] = True
        yield used


def _column(features: Index, coefs: Array, p: int) -> tuple[Index, Index, Array]:
    """Coefficients (K, k) of some features as a column of the storage."""
    rows = (np.arange(len(coefs))[:, None] * p + features).ravel()
    return np.array([0, rows.size]), rows, coefs.ravel()


class _Refitter:
    """Solver of the active sets of one path; features count within their union."""

    def __init__(self, call: str, problem: Problem, options: Options, union: Index) -> None:
        self._call = call
        self._problem, self._of_union = restricted(problem, union)
        self._options = replace(
            options,
            l1_ratio=1.0,
            lambdas=np.zeros(1),
            max_features=None,
            stop_at_dev_ratio=None,
            callback=None,
            time_budget=None,
        )
        self._limited = any(problem.given[name] is not None for name in ("lower", "upper"))
        self._direct: tuple[Geometry, Subsets] | None = None
        family = problem.response.family
        if isinstance(family, Gaussian) and union.size:
            geometry = measured(call, self._problem, self._options)
            subsets = Subsets(geometry, fit_intercept=options.fit_intercept)
            self._direct = geometry, subsets
        self._warm: Fit | None = None
        if not (isinstance(family, Gaussian) or is_grouped(family)):
            self._warm = Fit(call, self._problem, self._options, started=time.monotonic())

    def refit(self, features: Index, deadline: float = math.inf) -> _Refit | None:
        """Fit some features of the union; None if that would end after the deadline."""
        if time.monotonic() > deadline:
            return None
        own = self._of_union[features]
        return self._least_squares(own) or self._fit(own, deadline)

    def _least_squares(self, features: Index) -> _Refit | None:
        """The direct answer of the gaussian family, where it is safe and within the limits."""
        if self._direct is None:
            return None
        g, subsets = self._direct
        fit = subsets.fit(features)
        if fit is None or not fit.gap <= self._options.tol:
            return None
        coefs = fit.coefs * (g.response_scale / g.scale[features])
        lower, upper = self._problem.lower[features], self._problem.upper[features]
        if np.any(coefs < lower) or np.any(coefs > upper):
            return None
        intercept = g.response_mean - float(g.mean[features] @ coefs)
        if not self._options.fit_intercept:
            intercept = 0.0
        explained = min(max(fit.explained, 0.0), 1.0)
        return _Refit(coefs[None], np.array([intercept]), explained, fit.gap, Status.CONVERGED, 0)

    def _fit(self, features: Index, deadline: float) -> _Refit | None:
        """The answer of the family's own solver at lambda = 0."""
        if self._warm is not None:
            return self._newton(self._warm, features, deadline)
        problem, own = restricted(self._problem, features)
        options = self._options
        if isinstance(problem.response.family, Gaussian) and not self._limited:
            rows = isinstance(problem.design, Dense) and problem.n <= LARGEST_EIGEN
            columns = features.size <= min(problem.n, LARGEST_EIGEN_SPARSE)
            if rows or columns:  # of dependent columns the coefficients of least norm
                options = replace(options, l1_ratio=0.0)
        fit = Fit(self._call, problem, options, started=time.monotonic())
        return self._solved(fit, own, deadline)

    def _newton(self, fit: Fit, features: Index, deadline: float) -> _Refit | None:
        """The answer from where the last refit ended; from the null model if that misses tol."""
        fit.restrict(features)
        first = self._solved(fit, features, deadline)
        if first is None or first.status.ok:
            return first
        fit.restrict(features, afresh=True)
        second = self._solved(fit, features, deadline)
        if second is None:
            return None
        best = second if second.gap < first.gap else first
        return best._replace(n_iter=first.n_iter + second.n_iter)

    def _solved(self, fit: Fit, features: Index, deadline: float) -> _Refit | None:
        """What a fit finds for its features at lambda = 0, if it is in time."""
        problem, fit.deadline = self._problem, deadline
        fit.follow(np.zeros(1), lambda points: None)
        if not fit.size:
            return None
        path = fit.path()
        coefs = path.coefs[..., 0].reshape(-1, path.n_features)[:, features]
        if isinstance(problem.response.family, Multinomial) and not self._limited:
            coefs = coefs - coefs.mean(axis=0)  # probabilities do not notice
        return _Refit(
            coefs,
            path.intercepts[..., 0].reshape(-1),
            float(path.dev_ratio[0]),
            float(path.dual_gaps[0]),
            path.statuses[0],
            int(path.n_iters[0]),
        )


def restricted(problem: Problem, features: Index) -> tuple[Problem, Index]:
    """The problem on some columns of X, and the places of the features in it.

    A few columns are copied. If they are more than half of X, the others are excluded instead by
    their penalty factor.
    """
    p = problem.p
    if features.size == p:
        return problem, features
    factor = np.full(p, np.inf)
    factor[features] = problem.penalty_factor[features]
    if 2 * features.size > p:
        factor.flags.writeable = False
        given = {**problem.given, "penalty_factor": factor}
        return replace(problem, penalty_factor=factor, given=given), features
    # The solvers want a column: beside no feature there is one that is excluded.
    columns = features if features.size else np.zeros(1, np.int64)
    own: dict[str, Any] = {"penalty_factor": factor[columns]}
    own |= {name: getattr(problem, name)[columns] for name in ("lower", "upper")}
    for values in own.values():
        values.flags.writeable = False
    given = {
        name: own.get(name, value) if value is not None or name == "penalty_factor" else None
        for name, value in problem.given.items()
    }
    names = labels(problem.feature_names, p)
    part = replace(
        problem,
        design=_gathered(problem.design, columns),
        p=columns.size,
        feature_names=tuple(names[j] for j in columns.tolist()),
        notes=(),
        given=given,
        **own,
    )
    return part, np.arange(features.size)


def _gathered(design: Dense | Csc, features: Index) -> Dense | Csc:
    """A copy of some columns."""
    if isinstance(design, Dense):
        columns = np.ascontiguousarray(design.columns[features])
        columns.flags.writeable = False
        return Dense(columns)
    some = as_scipy(design)[:, features]
    indices = some.indices.astype(design.indices.dtype)
    parts = some.data, indices, some.indptr.astype(design.indptr.dtype)
    for part in parts:
        part.flags.writeable = False
    return Csc(*parts, design.n_rows)

"""Stability selection and bootstrap frequencies: how often each feature is selected.

Resamples are vectors of weights on one X; their paths share passes over X, as those of folds do.
"""

from __future__ import annotations

import math
import numbers
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from regpath._parts import frozen, frozen_matrix, labels, store_coefs
from regpath._saved import Saved
from regpath.fold_work import training_problem
from regpath.folds import check_training, generator, strata_of
from regpath.loop import Fit, progress_bar
from regpath.path import check, keywords_of
from regpath.result import Path
from regpath.solvers.shared import SharedPasses, room_for
from regpath.solvers.threads import one_blas_thread, usable_cores
from regpath.strategy import check_jobs
from regpath.validation import Problem

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["StabilityPath", "stability_path"]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class StabilityPath(Saved):
    """Selection frequencies along a path.

    Attributes
    ----------
    lambdas : ndarray of shape (L,), decreasing
    frequency_storage : ndarray or csc_array of shape (p, L)
        Frequencies as they are kept; read `frequencies` instead.
    mean_selected : ndarray of shape (L,)
        q: mean number of features that a resample has selected at this or any larger lambda.
    n_resamples : int
    kind : {"subsample", "bootstrap"}
    sample_fraction : float
        Rows of a subsample, relative to all.
    complementary : bool
        Whether every second subsample consists of rows that the one before it has not.
    feature_names : tuple of str or None
    info : dict
        Passes over X, number of threads, time.

    References
    ----------
    Meinshausen and Bühlmann (2010), Stability selection, JRSS B 72. Shah and Samworth (2013),
    Variable selection with error control: another look at stability selection, JRSS B 75.

    Examples
    --------
    >>> import regpath
    >>> X, y, names, _ = regpath.datasets.load_prostate()
    >>> stable = regpath.stability_path(X, y, n_resamples=20, random_state=0)
    >>> [names[j] for j in stable.selected(0.9, max_false=2.0)]
    ['lcavol', 'lweight']
    """

    lambdas: Array
    frequency_storage: Any
    mean_selected: Array
    n_resamples: int
    kind: str
    sample_fraction: float
    complementary: bool
    feature_names: tuple[str, ...] | None = None
    info: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("lambdas", "mean_selected"):
            object.__setattr__(self, name, frozen(np.asarray(getattr(self, name), np.float64)))
        object.__setattr__(self, "frequency_storage", frozen_matrix(self.frequency_storage))
        size, shape = self.lambdas.shape, self.frequency_storage.shape
        if len(size) != 1 or self.mean_selected.shape != size or shape[1:] != size:
            raise ValueError(
                f"StabilityPath: lambdas have shape {size}, mean_selected "
                f"{self.mean_selected.shape} and frequencies {shape}; they must be (L,), (L,) and "
                "(p, L)."
            )
        if self.feature_names is not None and len(self.feature_names) != shape[0]:
            raise ValueError(
                f"StabilityPath: {len(self.feature_names)} feature names for {shape[0]} features."
            )

    @property
    def frequencies(self) -> Array:
        """Share of the resamples in which a feature is selected at a lambda: (p, L)."""
        kept = self.frequency_storage
        return kept if isinstance(kept, np.ndarray) else frozen(kept.toarray(order="F"))

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return int(self.frequency_storage.shape[0])

    def largest(self, n_lambdas: int | None = None) -> Array:
        """The largest frequency of each feature over the first lambdas, all by default: (p,)."""
        part = self.frequency_storage[:, : self.lambdas.size if n_lambdas is None else n_lambdas]
        if not part.shape[1]:
            return np.zeros(self.n_features)
        dense = isinstance(part, np.ndarray)
        top = part.max(axis=1) if dense else part.max(axis=1).toarray()
        return np.asarray(top, np.float64).ravel()

    def max_false_selections(self, threshold: float) -> Array:
        """Bound on the expected number of features that are selected falsely, up to each lambda.

        q^2 / ((2 threshold - 1) p), Theorem 1 of Meinshausen and Bühlmann (2010): for subsamples of
        half of the rows, if the features that do not matter are exchangeable and selection is no
        worse than guessing. For complementary pairs Shah and Samworth (2013) bound in the same way,
        without these assumptions, the number of selected features whose probability of being
        selected in one subsample is at most q / p.

        Parameters
        ----------
        threshold : float
            Between 0.5 and 1.

        Returns
        -------
        bounds : ndarray of shape (L,)
        """
        self._check_threshold("max_false_selections", threshold)
        if self.kind != "subsample" or self.sample_fraction != 0.5:
            raise ValueError(
                "StabilityPath.max_false_selections: the bound holds for subsamples of half of the "
                f"rows; these are {self.kind}s of the fraction {self.sample_fraction:g}."
            )
        return self.mean_selected**2 / ((2.0 * threshold - 1.0) * self.n_features)

    def selected(self, threshold: float = 0.6, *, max_false: float | None = None) -> NDArray[Any]:
        """Features that reach a frequency at some lambda.

        Parameters
        ----------
        threshold : float, default 0.6
            Between 0.5 and 1.
        max_false : float, optional
            Look only at lambdas down to where `max_false_selections` exceeds this.

        Returns
        -------
        features : ndarray of int, increasing
        """
        self._check_threshold("selected", threshold)
        count = self.lambdas.size
        if max_false is not None:
            at = f"StabilityPath.selected(max_false={max_false!r})"
            if isinstance(max_false, bool) or not isinstance(max_false, numbers.Real):
                raise TypeError(f"{at}: it must be a number >= 0.")
            if not max_false >= 0.0:
                raise ValueError(f"{at}: it must be >= 0.")
            beyond = self.max_false_selections(threshold) > max_false
            count = int(np.argmax(beyond)) if beyond.any() else count
        return np.flatnonzero(self.largest(count) >= threshold - 1e-12)

    def _check_threshold(self, method: str, threshold: float) -> None:
        at = f"StabilityPath.{method}(threshold={threshold!r})"
        if isinstance(threshold, bool) or not isinstance(threshold, numbers.Real):
            raise TypeError(f"{at}: it must be a number in (0.5, 1].")
        if not 0.5 < threshold <= 1.0:
            raise ValueError(f"{at}: it must lie in (0.5, 1].")

    def plot(self, threshold: float = 0.6, ax: Axes | Any = None) -> Axes | Any:
        """Draw frequencies along the path; see `regpath.plot_selection.plot_stability`."""
        from regpath.plot_selection import plot_stability

        names = None if self.feature_names is None else list(self.feature_names)
        return plot_stability(self.lambdas, self.frequencies, names, threshold, ax=ax)

    def __repr__(self) -> str:
        top = self.largest()
        best = np.argsort(-top, kind="stable")[:10]
        names = labels(self.feature_names, self.n_features)
        lines = [
            f"Stability of {self.n_features:,} features over {self.n_resamples} {self.kind}s, "
            f"{self.lambdas.size} lambdas",
            "",
            "frequency  feature",
        ]
        return "\n".join(lines + [f"{top[j]:9.2f}  {names[j]}" for j in best.tolist()])


class _Selection(NamedTuple):
    """Which features a resample selects: (p, L), and how many have come up to each lambda."""

    features: csc_array
    come: Array


def stability_path(
    X: Any,
    y: Any,
    *,
    n_resamples: int = 100,
    kind: str = "subsample",
    sample_fraction: float | None = None,
    n_jobs: int | None = None,
    progress: bool = False,
    random_state: Any = None,
    **options: Any,
) -> StabilityPath:
    """How often each feature is selected along the path, over resamples of the rows.

    Parameters
    ----------
    X, y
        As in `fit_path`.
    n_resamples : int, default 100
    kind : {"subsample", "bootstrap"}, default "subsample"
        Rows without replacement, or as many as there are with replacement. Classes (events, for
        cox) keep their shares.
    sample_fraction : float, optional
        Rows of a subsample, by default 0.5. Those of one half come in complementary pairs (Shah and
        Samworth 2013). Bootstrap samples have none.
    n_jobs : int, optional
        Resamples that are worked on at the same time. Default: all usable cores. Results do not
        depend on it.
    progress : bool, default False
        Show a progress bar (needs rich).
    random_state : None, int or numpy.random.Generator
    **options
        All other options of `fit_path`. ``max_features`` ends the path of each resample: its
        features at the last lambda stay selected.

    Returns
    -------
    StabilityPath

    Raises
    ------
    ValueError, TypeError
        If data or options are not valid; before any work.

    References
    ----------
    Meinshausen and Bühlmann (2010), JRSS B 72; Shah and Samworth (2013), JRSS B 75.

    Examples
    --------
    >>> import regpath
    >>> X, y, names, _ = regpath.datasets.load_prostate()
    >>> stable = regpath.stability_path(X, y, n_resamples=10, random_state=0)
    >>> stable.frequencies.shape, names[stable.largest(20).argmax()]
    ((8, 100), 'lcavol')
    """
    call, started = "stability_path", time.monotonic()
    own = keywords_of(stability_path)
    problem, settings = check(call, X, y, {**options, "progress": progress}, own)
    n_jobs = check_jobs(call, n_jobs)
    fraction = _checked_fraction(call, kind, sample_fraction)
    _check(call, n_resamples, settings)
    rng = generator(call, random_state)
    resamples = list(_resamples(call, problem, n_resamples, kind, fraction, rng))
    for k, times in enumerate(resamples):
        check_training(f"{call}: resample {k}", problem.response, problem.weights * times)
    n_threads = settings.n_threads or usable_cores()
    within = replace(settings, n_threads=max(1, n_threads // n_jobs))
    shared = SharedPasses(problem.design, problem.weights, n_threads, n_jobs)
    with one_blas_thread():
        lambdas = Fit(call, problem, settings, started=started).grid()
        with progress_bar(progress, lambdas.size * n_resamples, "resamples") as advance:
            watch = shared.watched(advance)

            def solve(times: Array) -> _Selection:
                training = training_problem(problem, times)
                fit = Fit(call, training, within, started=started, reader=shared.reader())
                fit.follow(lambdas, watch)
                return _selection(fit.path(), lambdas.size)

            at_once = max(n_jobs, min(10, room_for(problem.design, problem.n)))
            jobs = [partial(solve, times) for times in resamples]
            found: list[_Selection] = shared.run(jobs, at_once)
    counts = found[0].features
    for one in found[1:]:
        counts = counts + one.features
    columns = counts.indptr, counts.indices, counts.data / n_resamples
    return StabilityPath(
        lambdas=lambdas,
        frequency_storage=store_coefs([columns], problem.p),
        mean_selected=np.mean([one.come for one in found], axis=0),
        n_resamples=n_resamples,
        kind=kind,
        sample_fraction=fraction,
        complementary=kind == "subsample" and fraction == 0.5,
        feature_names=problem.feature_names,
        info={
            "passes": shared.passes,
            "n_jobs": n_jobs,
            "seconds_total": time.monotonic() - started,
        },
    )


def _selection(path: Path, n_lambdas: int) -> _Selection:
    """What a path selects; where it ended early its last point stands for the rest."""
    coefs, p = path.coefs_sparse, path.n_features
    columns = np.repeat(np.arange(path.lambdas.size), np.diff(coefs.indptr))[coefs.data != 0.0]
    features = coefs.indices[coefs.data != 0.0] % p
    missing = np.arange(path.lambdas.size, n_lambdas)
    last = features[columns == path.lambdas.size - 1]
    features = np.concatenate([features, np.tile(last, missing.size)])
    columns = np.concatenate([columns, np.repeat(missing, last.size)])
    pairs = np.unique(columns.astype(np.int64) * p + features)  # once for all outputs
    columns, features = np.divmod(pairs, p)
    _, first = np.unique(features, return_index=True)
    come = np.cumsum(np.bincount(columns[first], minlength=n_lambdas)).astype(np.float64)
    ones = np.ones(pairs.size)
    indptr = np.searchsorted(columns, np.arange(n_lambdas + 1))
    return _Selection(csc_array((ones, features, indptr), shape=(p, n_lambdas)), come)


def _resamples(
    call: str,
    problem: Problem,
    n_resamples: int,
    kind: str,
    fraction: float,
    rng: np.random.Generator,
) -> Iterator[Array]:
    """How often every row counts, for one resample after the other."""
    n, used = problem.n, np.flatnonzero(problem.weights)
    groups = strata_of(problem.response)
    kinds = np.zeros(n) if groups is None else groups
    parts = [used[kinds[used] == value] for value in np.unique(kinds[used])]
    sizes = [max(1, math.floor(fraction * part.size)) for part in parts]
    _check_sizes(call, fraction, parts, sizes)
    draw: Callable[[], Iterator[Array]]

    def bootstrap() -> Iterator[Array]:
        drawn = [rng.choice(part, part.size) for part in parts]
        yield np.bincount(np.concatenate(drawn), minlength=n).astype(np.float64)

    def subsamples() -> Iterator[Array]:
        orders = [rng.permutation(part) for part in parts]
        first = [order[:size] for order, size in zip(orders, sizes, strict=True)]
        second = [order[size : 2 * size] for order, size in zip(orders, sizes, strict=True)]
        for rows in (first, second) if fraction == 0.5 else (first,):
            yield np.bincount(np.concatenate(rows), minlength=n).astype(np.float64)

    draw = bootstrap if kind == "bootstrap" else subsamples
    count = 0
    while count < n_resamples:
        for times in draw():
            if count < n_resamples:
                yield times
            count += 1


def _check_sizes(call: str, fraction: float, parts: list[Any], sizes: list[int]) -> None:
    """Refuse resamples of fewer than two rows, which select nothing."""
    n_used = sum(part.size for part in parts)
    smallest = sum(sizes)
    if fraction == 0.5:  # what the other half leaves
        smallest = sum(min(s, part.size - s) for part, s in zip(parts, sizes, strict=True))
    if smallest < 2:
        raise ValueError(
            f"{call}(sample_fraction={fraction:g}): of {n_used} rows of positive weight some "
            f"resample would have {smallest}; at least 2 are needed. Use a larger fraction, or "
            "more rows."
        )


def _checked_fraction(call: str, kind: Any, fraction: Any) -> float:
    """Rows of a resample, relative to all."""
    if kind not in ("subsample", "bootstrap"):
        raise ValueError(f"{call}(kind={kind!r}): it must be 'subsample' or 'bootstrap'.")
    if fraction is None:
        return 0.5 if kind == "subsample" else 1.0
    if kind == "bootstrap":
        raise ValueError(
            f"{call}(sample_fraction={fraction!r}): a bootstrap sample draws as many rows as there "
            "are; leave it out, or use kind='subsample'."
        )
    if isinstance(fraction, bool) or not isinstance(fraction, int | float | np.number):
        raise TypeError(f"{call}(sample_fraction={fraction!r}): it must be a number.")
    if not 0.0 < fraction < 1.0:
        raise ValueError(f"{call}(sample_fraction={fraction!r}): it must lie between 0 and 1.")
    return float(fraction)


def _check(call: str, n_resamples: Any, options: Any) -> None:
    if isinstance(n_resamples, bool) or not isinstance(n_resamples, int | np.integer):
        raise TypeError(f"{call}(n_resamples={n_resamples!r}): it must be an integer.")
    if n_resamples < 1:
        raise ValueError(f"{call}(n_resamples={n_resamples}): it must be at least 1.")
    for name in ("callback", "time_budget"):
        if getattr(options, name) is not None:
            raise ValueError(
                f"{call}({name}=...): frequencies over paths of different length mean nothing; "
                "leave it out."
            )
    if options.l1_ratio == 0.0:
        raise ValueError(f"{call}(l1_ratio=0): ridge selects every feature; use l1_ratio > 0.")

"""Which solver for which problem: families, storages and penalties meet here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from regpath._inputs import (
    are_finite,
    raise_for_extreme_columns,
    raise_for_nonfinite_columns,
)
from regpath.families import Cox, Custom, Family, Gaussian, Huber, MultiGaussian, Multinomial
from regpath.record import working_limits
from regpath.solvers.classes import models_of_classes
from regpath.solvers.contract import LossError
from regpath.solvers.cox import CoxLoss
from regpath.solvers.gaussian import ActiveSetSolver
from regpath.solvers.geometry import Geometry, NonFiniteColumnsError, measure
from regpath.solvers.grouped import GroupSolver
from regpath.solvers.models import RowModel
from regpath.solvers.points import SolvedPoints, Units
from regpath.solvers.prox_newton import ProxNewtonSolver
from regpath.solvers.reader import OwnReader, Reader
from regpath.solvers.rotated import RotatedSolver
from regpath.solvers.rows import RowLoss, power_of_two
from regpath.solvers.softmax import SoftmaxLoss
from regpath.solvers.spectral import SpectralSolver
from regpath.solvers.threads import usable_cores
from regpath.validation import Options, Problem

__all__ = ["Solver", "check_jobs", "is_grouped", "measured", "prepare", "refused"]

Array = NDArray[np.float64]


class Solver(Protocol):
    """What the path asks of a solver."""

    why: list[str]
    deadline: float

    @property
    def units(self) -> Units:
        """What working units are worth."""

    def lambda_max(self) -> float:
        """Largest gradient over penalty factor at the null model, in working units."""

    def path(self, lambdas: Array) -> Iterator[SolvedPoints]:
        """Certified points along decreasing lambdas, one or more at a time."""


def prepare(
    call: str,
    problem: Problem,
    options: Options,
    reader: Reader | None = None,
    known: tuple[Geometry, Solver] | None = None,
) -> tuple[Geometry, Solver]:
    """The standardised view of a problem, and the solver that follows its path.

    The solver keeps the reason why it was chosen in ``why``. A problem that shares its passes over
    X with others has a reader for them; ``known`` belongs to the same problem at another l1_ratio.
    """
    family = problem.response.family
    if known is None:
        geometry = measured(call, problem, options, reader)
    else:
        reader = reader or OwnReader(problem.design, known[0].n_threads)
        geometry = replace(known[0], passes=0.0, reader=reader)
    if isinstance(family, Gaussian):
        solver = _gaussian(problem, geometry, options)
        if isinstance(solver, ActiveSetSolver) and known and isinstance(known[1], ActiveSetSolver):
            solver.continue_from(known[1])
        return geometry, solver
    if is_grouped(family):
        return geometry, _grouped(call, family, problem, geometry, options)
    try:
        return geometry, _smooth(family, problem, geometry, options)
    except LossError as error:
        raise refused(call, family, error) from None


def refused(call: str, family: Family, error: LossError) -> ValueError:
    """The error for a loss that cannot be minimised."""
    given = family.function if isinstance(family, Custom) else family.name
    return ValueError(f"{call}(family={given!r}): {error}")


def is_grouped(family: Family) -> bool:
    """Whether a feature enters for all outputs at once."""
    return isinstance(family, MultiGaussian) or (isinstance(family, Multinomial) and family.grouped)


def measured(
    call: str, problem: Problem, options: Options, reader: Reader | None = None
) -> Geometry:
    """The standardised view of a problem; only the gaussian family has a working response."""
    family = problem.response.family
    gaussian = isinstance(family, Gaussian)
    y = problem.response.y - problem.offset if gaussian else np.zeros(problem.n)
    try:
        return measure(
            problem.design,
            y,
            problem.weights,
            # Shifting a column changes nothing where hazards are only compared.
            fit_intercept=options.fit_intercept or isinstance(family, Cox),
            standardize=options.standardize,
            n_threads=options.n_threads or usable_cores(),
            reader=reader,
        )
    except NonFiniteColumnsError as error:
        finite = are_finite(problem.design, error.columns)
        if finite.all():
            raise_for_extreme_columns(call, error.columns, problem.feature_names, problem.p)
        bad = error.columns[~finite]
        raise_for_nonfinite_columns(call, bad, problem.feature_names, problem.p)


def check_jobs(call: str, n_jobs: Any) -> int:
    """Number of things that are worked on at the same time, or an error."""
    if n_jobs is None or n_jobs == -1:
        return usable_cores()
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int | np.integer):
        raise TypeError(f"{call}(n_jobs={n_jobs!r}): it must be an integer or None.")
    if n_jobs < 1:
        raise ValueError(f"{call}(n_jobs={n_jobs}): it must be at least 1, or -1 for all cores.")
    return int(n_jobs)


def _gaussian(problem: Problem, geometry: Geometry, options: Options) -> Solver:
    lower, upper = working_limits(problem, geometry, geometry.response_scale)
    if options.l1_ratio == 0.0 and np.all(np.isinf(lower)) and np.all(np.isinf(upper)):
        return SpectralSolver(geometry, problem.penalty_factor, options.tol, options.max_iter)
    return ActiveSetSolver(
        geometry,
        problem.penalty_factor,
        lower,
        upper,
        options.l1_ratio,
        options.tol,
        options.max_iter,
    )


def _grouped(
    call: str, family: Family, problem: Problem, geometry: Geometry, options: Options
) -> Solver:
    """A feature enters for all outputs at once."""
    for name in ("lower", "upper"):
        limits = problem.given[name]
        if limits is not None and not np.all(np.isinf(limits)):
            remedy = "fit each response on its own with the gaussian family"
            if isinstance(family, Multinomial):
                remedy = "use Multinomial(grouped=False)"
            raise ValueError(
                f"{call}({name}=...): the {family.name} family penalises the norm of a feature's "
                "coefficients over all outputs, which limits of single coefficients would take "
                f"apart; leave them out, or {remedy}."
            )
    return GroupSolver(
        geometry,
        problem.response.y,
        problem.weights,
        problem.offset,
        problem.penalty_factor,
        options.l1_ratio,
        options.tol,
        options.max_iter,
        loss="gaussian" if isinstance(family, MultiGaussian) else "multinomial",
        fit_intercept=options.fit_intercept,
    )


def _smooth(family: Family, problem: Problem, geometry: Geometry, options: Options) -> Solver:
    lower, upper = working_limits(problem, geometry, geometry.response_scale)
    unlimited = bool(np.all(np.isinf(lower)) and np.all(np.isinf(upper)))

    def make(columns: Geometry, factor: Array) -> ProxNewtonSolver:
        endless = np.full(factor.size, np.inf)
        low, high = (lower, upper) if columns is geometry else (-endless, endless)
        return ProxNewtonSolver(
            columns,
            *_loss_and_model(family, problem, columns, options),
            factor,
            low,
            high,
            options.l1_ratio,
            options.tol,
            options.max_iter,
        )

    factor = problem.penalty_factor
    if options.l1_ratio == 0.0 and unlimited and RotatedSolver.pays(geometry, factor):
        return RotatedSolver(geometry, factor, make)
    return make(geometry, factor)


def _loss_and_model(
    family: Family, problem: Problem, geometry: Geometry, options: Options
) -> tuple[Any, Any]:
    """The loss of a family, and what gives the model that Newton steps minimise, by its size."""
    y, weights, offset = problem.response.y, problem.weights, problem.offset
    intercept, threads = options.fit_intercept, geometry.n_threads
    loss: Any
    if isinstance(family, Multinomial):
        loss = SoftmaxLoss(y, weights, offset, fit_intercept=intercept, n_threads=threads)
        return loss, models_of_classes(geometry, loss, weights, fit_intercept=intercept)
    if isinstance(family, Cox):
        strata = problem.response.strata
        loss = CoxLoss(y, weights, offset, ties=family.ties, strata=strata)
        model = RowModel(geometry, loss, weights, fit_intercept=True)
        return loss, lambda size: model
    assert not isinstance(family, Gaussian | MultiGaussian)
    kind, response = family.loss(), 1.0
    if isinstance(family, Huber):
        seen = weights > 0.0
        response = power_of_two(float(np.abs(y[seen] - offset[seen]).max()))
        kind = kind._replace(delta=kind.delta / response)
    loss = RowLoss(
        kind,
        y,
        weights,
        offset,
        fit_intercept=intercept,
        n_threads=threads,
        response=response,
        own=isinstance(family, Custom),
    )
    model = RowModel(geometry, loss, weights, fit_intercept=intercept)
    return loss, lambda size: model

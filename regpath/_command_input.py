"""What the commands read: the options of a fit, and the problem that they state."""

from __future__ import annotations

import csv
import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path as FilePath
from typing import Annotated, Any, NamedTuple, get_type_hints

import numpy as np
import typer

from regpath._tables import DataError, Table, read_table

__all__ = ["DataFile", "FitOptions", "Offset", "Stated", "problem_of", "split", "with_fields"]

DataFile = Annotated[
    FilePath,
    typer.Argument(
        metavar="DATA",
        help="CSV, Parquet, .npz (X and y, or a sparse X), .npy, or svmlight "
        "(.svm, .svmlight, .libsvm, .txt).",
        show_default=False,
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Column to explain (.npz: an array, default y; .npy: a column number; "
        "svmlight: the label): numbers, or labels of classes. cox: the time; multigaussian: A,B.",
        show_default=False,
    ),
]
FamilyName = Annotated[
    str,
    typer.Option(
        metavar="FAMILY",
        help="Distribution of the target: gaussian, binomial, poisson, gamma, tweedie, huber, "
        "multinomial, multigaussian or cox.",
    ),
]
FamilyOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        help="Option of the family: link=probit, power=1.2, delta=0.5, grouped=true, ties=efron.",
        show_default=False,
    ),
]
Event = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="cox: column of events, 1 or 0 (censored).", show_default=False
    ),
]
Start = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="cox: column of times at which rows enter.", show_default=False
    ),
]
MinRatio = Annotated[
    float | None,
    typer.Option(
        help="Smallest lambda relative to the largest. Default: 1e-4, or 1e-2 if there are "
        "more columns than rows.",
        show_default=False,
    ),
]
L1Ratio = Annotated[float, typer.Option(help="1: lasso, 0: ridge, between: both.")]
NumberOfLambdas = Annotated[int, typer.Option(help="Number of points of the path.")]
Intercept = Annotated[bool, typer.Option(help="Fit an intercept.")]
Standardize = Annotated[bool, typer.Option(help="Penalise on standardized columns.")]
Tolerance = Annotated[float, typer.Option(help="Bound on the relative dual gap.")]
Weights = Annotated[
    str | None, typer.Option(metavar="NAME", help="Column of weights.", show_default=False)
]
Offset = Annotated[
    str | None, typer.Option(metavar="NAME", help="Column of offsets.", show_default=False)
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(help="Columns to leave out: A,B.", metavar="A,B", show_default=False),
]


class FitOptions(NamedTuple):
    """The options of every command that fits paths to a file."""

    data: DataFile
    target: Target = None
    family: FamilyName = "gaussian"
    option: FamilyOptions = None
    event: Event = None
    start: Start = None
    l1_ratio: L1Ratio = 1.0
    n_lambdas: NumberOfLambdas = 100
    lambda_min_ratio: MinRatio = None
    intercept: Intercept = True
    standardize: Standardize = True
    weights: Weights = None
    offset: Offset = None
    exclude: Exclude = None
    tol: Tolerance = 1e-6

    def read(self, call: str, **beside: str | None) -> Stated:
        """Read the data.

        Parameters
        ----------
        call : str
            Name of the public function, for messages.
        **beside : str or None
            Columns of labels, by the name of their option: they are no features.
        """
        from regpath import families

        family = families.resolve(
            call, self.family, **family_options(call, self.family, self.option)
        )
        table = read_table(self.data)
        offset = None if self.offset is None else table.vector(self.offset, "--offset")
        wanted = {option: name for option, name in beside.items() if name is not None}
        labels = {
            option: table.labels(name, f"--{option.replace('_', '-')}")
            for option, name in wanted.items()
        }
        X, y, sample_weight, names, responses = problem_of(
            table,
            self.target,
            self.weights,
            [*split(self.exclude), *wanted.values(), *([self.offset] if self.offset else [])],
            family=family.name,
            event=self.event,
            start=self.start,
        )
        options = {
            "family": family,
            "l1_ratio": self.l1_ratio,
            "n_lambdas": self.n_lambdas,
            "lambda_min_ratio": self.lambda_min_ratio,
            "fit_intercept": self.intercept,
            "standardize": self.standardize,
            "sample_weight": sample_weight,
            "offset": offset,
            "tol": self.tol,
        }
        return Stated(X, y, tuple(names), responses, table.notes, options, labels)


class Stated(NamedTuple):
    """A problem as the command line states it."""

    X: Any
    y: Any
    names: tuple[str, ...]
    responses: tuple[str, ...] | None
    """Names of the columns of y, for families with several."""
    notes: dict[str, Any]
    """What a reader of later data must know."""
    options: dict[str, Any]
    """Of `fit_path` and `cv_path`."""
    labels: dict[str, Any]
    """Columns beside X, by the name of their option."""


def with_fields(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take the fields of its first parameter, a NamedTuple, one by one.

    A parameter of the command with the name of a field takes its place; the field has its default.
    """
    hints = get_type_hints(command, include_extras=True)
    first, *others = inspect.signature(command).parameters.values()
    kind = hints[first.name]
    own = {parameter.name for parameter in others}
    fields = [f for f in inspect.signature(kind).parameters.values() if f.name not in own]
    hints = {**get_type_hints(kind, include_extras=True), **hints}

    @wraps(command)
    def taking_fields(**values: Any) -> None:
        given = kind(**{field.name: values.pop(field.name) for field in fields})
        return command(given, **values)

    parameters = [
        parameter.replace(annotation=hints[parameter.name], kind=parameter.KEYWORD_ONLY)
        for parameter in (*fields, *others)
    ]
    taking_fields.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
    taking_fields.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return taking_fields


def problem_of(
    table: Table,
    target: str | None,
    weights: str | None,
    exclude: Sequence[str],
    *,
    family: str = "gaussian",
    event: str | None = None,
    start: str | None = None,
) -> tuple[Any, Any, Any, list[str], tuple[str, ...] | None]:
    """Take X, y, weights and the names of the columns of X, and of y, out of a table.

    Those of y only for families that have several.

    Parameters
    ----------
    table : Table
    target, weights : str or None
        Names of columns.
    exclude : sequence of str
        Columns that stay out of X.
    family : str
        Its name, which says what y is.
    event, start : str or None
        Further columns of y, for the cox family.
    """
    target = target or table.default_target
    if target is None:
        raise DataError(f"{table.source}: name the column to explain with --target.")
    responses = _targets(table, target) if family == "multigaussian" else None
    y, beside = _response(table, target, responses, family, event, start)
    sample_weight = None if weights is None else table.vector(weights, "--weights")
    names = table.features(target, [*exclude, *beside, *([] if weights is None else [weights])])
    return table.design(names), y, sample_weight, names, responses


def _targets(table: Table, target: str) -> tuple[str, ...]:
    """The columns that a target of several responses names."""
    names = (target,) if table.has(target) else tuple(split([target]))
    if len(set(names)) < len(names):
        raise DataError(f"--target {target}: name every column once.")
    return names or (target,)


def _response(
    table: Table,
    target: str,
    responses: tuple[str, ...] | None,
    family: str,
    event: str | None,
    start: str | None,
) -> tuple[Any, list[str]]:
    """The response as the family wants it, and the columns besides the target that it is of."""
    for option, name in (("--event", event), ("--start", start)):
        if name is not None and family != "cox":
            raise DataError(f"{option} belongs to --family cox, not to {family}.")
    if family == "cox":
        if event is None:
            raise DataError(
                "--family cox: name the column of events (1, or 0 if censored) with --event; "
                "--target is the column of times."
            )
        roles = {"--start": start, "--target": target, "--event": event}
        given = [(name, role) for role, name in roles.items() if name is not None]
        y = np.column_stack([table.vector(name, role) for name, role in given])
        return y, [name for name, _ in given if name != target]
    if family in ("binomial", "multinomial"):
        return table.labels(target, "--target"), []
    if responses is not None:
        y = np.column_stack([table.vector(name, "--target") for name in responses])
        return y, [*responses] if len(responses) > 1 else []
    return table.vector(target, "--target"), []


def family_options(call: str, family: str, texts: Sequence[str] | None) -> dict[str, Any]:
    """Options of a family from NAME=VALUE."""
    from regpath.families import resolve

    # Strata are one label a row: nothing for a command line.
    known = {k: v for k, v in resolve(call, family)._asdict().items() if k != "strata"}
    options: dict[str, Any] = {}
    for text in texts or ():
        name, separator, value = text.partition("=")
        if not separator or name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise DataError(f"--option {text}: the {family} family has no such option; {has}.")
        kind = type(known[name])
        try:
            options[name] = {"true": True, "false": False}[value] if kind is bool else kind(value)
        except (KeyError, ValueError):
            must = "true or false" if kind is bool else "a number"
            raise DataError(f"--option {text}: the value must be {must}.") from None
    return options


def split(names: Sequence[str] | None) -> list[str]:
    """Split A,B; a name that holds a comma stands in double quotes."""
    rows = csv.reader(names or [], skipinitialspace=True)
    return [name.strip() for row in rows for name in row if name.strip()]

"""Pictures of a path: coefficients, and how the solver fared. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from regpath._drawing import (
    ALARM,
    BACKGROUND,
    COLOURS,
    GUIDE,
    Horizontal,
    colour_line,
    count_on_top,
    end_names,
    grey_lines,
    lambda_axis,
    move_apart,
    offscreen_figure,
    settle,
    short_name,
    strip,
)
from regpath._extras import require
from regpath._linear import refuse_empty
from regpath.result import Path

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_diagnostics", "plot_path", "save_figure"]

FloatArray: TypeAlias = npt.NDArray[np.float64]

X_LABELS = {
    "lambda": "lambda (log scale)",
    "l1_norm": "L1 norm of the coefficients",
    "dev_ratio": "share of deviance explained",
}


def plot_path(
    path: Path,
    x: Literal["lambda", "l1_norm", "dev_ratio"] = "lambda",
    ax: Axes | Any = None,
    n_labels: int = 8,
) -> Axes | Any:
    """Draw every coefficient along the path.

    The penalty decreases to the right. The numbers on top count the non-zero coefficients; the
    largest ones at the right end are drawn in colour and named, the others are grey. K outputs have
    a panel each, where a feature keeps its colour as far as there are enough colours.

    Parameters
    ----------
    path : Path
    x : {"lambda", "l1_norm", "dev_ratio"}, default "lambda"
        What the horizontal axis shows: lambda on a log axis (0 and inf have a place of their
        own at the ends), the sum of the absolute coefficients (of all outputs), or the share of
        the deviance.
    ax : matplotlib Axes, or array of K of them for K outputs, optional
        Default: axes of a new figure.
    n_labels : int, default 8
        Number of coefficients to name, in each panel.

    Returns
    -------
    ax : matplotlib Axes, or ndarray of K of them for K outputs
        Nothing is shown or written: call ``plt.show()`` or ``ax.figure.savefig(file)``.

    Examples
    --------
    >>> import regpath, matplotlib
    >>> matplotlib.use("agg")
    >>> X, y, names, _ = regpath.datasets.load_prostate()
    >>> ax = regpath.lasso_path(X, y).plot()
    >>> ax.get_xlabel()
    'lambda (log scale)'
    >>> matplotlib.pyplot.close(ax.figure)
    """
    if x not in X_LABELS:
        raise ValueError(f"plot_path(x={x!r}): x must be 'lambda', 'l1_norm' or 'dev_ratio'.")
    refuse_empty("plot_path", path.lambdas)
    if ax is None:
        ax = _subplots(require("matplotlib.pyplot", "plot").figure, path)
    panels, wanted = np.atleast_1d(np.asarray(ax, dtype=object)), path.n_outputs or 1
    if panels.size != wanted:
        raise ValueError(f"plot_path(ax=...): {panels.size} axes were given, not {wanted}.")
    _draw_panels(panels.ravel(), path, x, n_labels)
    return panels.ravel()[0] if path.n_outputs is None else panels


def plot_diagnostics(path: Path, axes: Any = None) -> Any:
    """Draw dual gaps, sizes, time and passes over X along the path.

    Parameters
    ----------
    path : Path
    axes : array of four matplotlib Axes, optional
        Default: the 2 x 2 panels of a new figure.

    Returns
    -------
    axes : ndarray of matplotlib Axes
        In the shape given; (2, 2) for a new figure.

    Examples
    --------
    >>> import regpath, matplotlib
    >>> matplotlib.use("agg")
    >>> X, y, names, _ = regpath.datasets.load_prostate()
    >>> regpath.lasso_path(X, y).plot_diagnostics().shape
    (2, 2)
    >>> matplotlib.pyplot.close("all")
    """
    refuse_empty("plot_diagnostics", path.lambdas)
    if axes is None:
        pyplot = require("matplotlib.pyplot", "plot")
        _, axes = pyplot.subplots(2, 2, figsize=(9.0, 6.0), layout="constrained", sharex=False)
    panels = np.asarray(axes, dtype=object)
    if panels.size != 4:
        raise ValueError(f"plot_diagnostics(axes=...): {panels.size} axes were given, not 4.")
    axis = lambda_axis(path.lambdas)
    draw: tuple[Callable[[Axes, FloatArray, Path], None], ...] = (
        _draw_gaps,
        _draw_sizes,
        _draw_seconds,
        _draw_passes,
    )
    for panel, function in zip(panels.ravel(), draw, strict=True):
        axis.prepare(panel)
        function(panel, axis.positions, path)
        panel.set_xlabel(X_LABELS["lambda"])
        strip(panel)
    return panels


def save_figure(path: Path, file: str | PathLike[str]) -> None:
    """Write the picture of `plot_path` to a file, without any window system."""
    panels = _subplots(offscreen_figure, path)
    plot_path(path, ax=panels)
    panels[0].figure.savefig(file, dpi=200)


def _subplots(new_figure: Callable[..., Any], path: Path) -> npt.NDArray[Any]:
    """A new figure with one panel, or a grid with one for each output."""
    if path.n_outputs is None:
        return np.array([new_figure(figsize=(7.2, 4.6), layout="constrained").add_subplot()])
    K = path.n_outputs
    n_columns = K if K <= 3 else 2 if K == 4 else 3 if K <= 9 else 4
    n_rows = -(-K // n_columns)
    size = (max(4.2 * n_columns, 6.0), 3.6 * n_rows)
    figure = new_figure(figsize=size, layout="constrained")
    return np.array([figure.add_subplot(n_rows, n_columns, k + 1) for k in range(K)])


class _Curves(NamedTuple):
    """What one panel shows."""

    ax: Axes
    features: npt.NDArray[np.int64]  # those that are not zero somewhere
    coefs: FloatArray  # theirs, one row each
    named: npt.NDArray[np.int64]  # rows of `coefs`, the largest at the end first


def _draw_panels(panels: npt.NDArray[Any], path: Path, x: str, n_labels: int) -> None:
    axis, curves = _horizontal(path, x), _curves(panels, path, n_labels)
    ranks, all_texts = _ranks(curves), []
    for k, (ax, features, coefs, named) in enumerate(curves):
        axis.prepare(ax)
        _draw_lines(ax, axis.positions, coefs, named, ranks[k])
        ax.set_xlabel(X_LABELS[x])
        ax.set_ylabel("coefficient (original scale)")
        top = count_on_top(ax, axis.positions, np.count_nonzero(coefs, axis=0))
        if path.n_outputs is not None:
            ax.set_title(short_name(path.output_labels[k]), fontweight="bold")
            _label_outside(ax, top, k, path.n_outputs)
        names = [short_name(path.feature_labels[features[j]]) for j in named]
        all_texts.append(end_names(ax, coefs[named, -1], names, ranks[k]))
    if path.family == "multinomial":  # one scale: the classes are compared with each other
        low, high = zip(*(ax.get_ylim() for ax in panels), strict=True)
        for ax in panels:
            ax.set_ylim(min(low), max(high))
    settle(*panels)
    for (ax, _, coefs, named), texts in zip(curves, all_texts, strict=True):
        move_apart(ax, texts, coefs[named, -1])


def _curves(panels: npt.NDArray[Any], path: Path, n_labels: int) -> list[_Curves]:
    rows, p = path.coefs_sparse.tocsr(), path.n_features
    curves = []
    for k, ax in enumerate(panels):
        own = rows[k * p : (k + 1) * p]
        features = np.flatnonzero(np.diff(own.indptr))
        coefs = own[features].toarray()
        named = np.argsort(-np.abs(coefs[:, -1:]).sum(axis=1), kind="stable")[:n_labels]
        curves.append(_Curves(ax, features, coefs, named[coefs[named, -1] != 0.0]))
    return curves


def _ranks(curves: list[_Curves]) -> list[list[int]]:
    """Ranks of the named features, which give their colours.

    They are ranked among all panels as long as there are different lines for all of them, so that
    a feature looks the same everywhere; otherwise in each panel.
    """
    largest: dict[int, float] = {}
    for panel in curves:
        ends = np.abs(panel.coefs[panel.named, -1]).tolist()
        for j, end in zip(panel.features[panel.named].tolist(), ends, strict=True):
            largest[j] = max(end, largest.get(j, 0.0))
    if len(largest) > 2 * len(COLOURS):
        return [list(range(panel.named.size)) for panel in curves]
    order = sorted(largest, key=lambda j: -largest[j])
    return [[order.index(j) for j in panel.features[panel.named].tolist()] for panel in curves]


def _label_outside(ax: Axes, top: Axes, k: int, n_outputs: int) -> None:
    """Keep the labels of a grid of panels on its outer sides only."""
    place = ax.get_subplotspec()
    if place is None:
        return
    if not place.is_first_col():
        ax.set_ylabel("")
    if not place.is_first_row():
        top.set_xlabel("")
    if k + place.get_gridspec().ncols < n_outputs:
        ax.set_xlabel("")


def _horizontal(path: Path, x: str) -> Horizontal:
    if x == "lambda":
        return lambda_axis(path.lambdas)
    sums = np.asarray(np.abs(path.coefs_sparse).sum(axis=0), dtype=np.float64).ravel()
    positions = path.dev_ratio if x == "dev_ratio" else sums

    def prepare(ax: Axes) -> None:
        low, high = float(positions.min(initial=0.0)), float(positions.max(initial=0.0))
        ax.set_xlim(low, high if high > low else low + 1.0)

    return Horizontal(positions, prepare)


def _draw_lines(
    ax: Axes, positions: FloatArray, coefs: FloatArray, named: Any, ranks: Sequence[int]
) -> None:
    """Grey lines for all, in one collection, then the named ones in colour on top."""
    others = np.setdiff1d(np.arange(len(coefs)), named)
    ax.axhline(0.0, color=GUIDE, linewidth=0.8, zorder=1)
    # A coefficient is drawn from where it leaves zero to where it comes back.
    apart = coefs != 0.0
    apart[:, 1:] |= coefs[:, :-1] != 0.0
    apart[:, :-1] |= coefs[:, 1:] != 0.0
    coefs = np.where(apart, coefs, np.nan)
    grey_lines(ax, positions, coefs[others], BACKGROUND, 1.0 if others.size < 50 else 0.6, 1.5)
    for rank, j in reversed(list(zip(ranks, named, strict=True))):
        colour_line(ax, positions, coefs[j], rank)
    low, high = np.nanmin(coefs, initial=0.0), np.nanmax(coefs, initial=0.0)
    margin = 0.05 * (high - low) or 1.0
    ax.set_ylim(low - margin, high + margin)
    strip(ax)


def _draw_gaps(ax: Axes, positions: FloatArray, path: Path) -> None:
    tol = path.settings.tol
    zero = path.dual_gaps <= 0.0  # has no logarithm: drawn at the lower edge
    floor = 0.3 * min(path.dual_gaps[~zero].min(initial=tol), 0.1 * tol)
    gaps = np.where(zero, floor, path.dual_gaps)
    missed = np.array([not status.ok for status in path.statuses], dtype=bool)
    ax.set_yscale("log")
    ax.axhline(tol, color=GUIDE, linestyle="--", linewidth=1.0)
    ax.annotate(
        f"tol = {tol:g}", (0.02, tol), xycoords=ax.get_yaxis_transform(), xytext=(0, 3),
        textcoords="offset points", color=GUIDE, fontsize=9,
    )  # fmt: skip
    ax.plot(positions, gaps, ".-", color=COLOURS[0], linewidth=0.8, markersize=4)
    for mask, marker, colour, label in (
        (zero, "v", COLOURS[0], "zero"),
        (missed, "o", ALARM, "missed tol"),
    ):
        if mask.any():
            ax.plot(positions[mask], gaps[mask], marker, color=colour, markersize=5, label=label)
            ax.legend(frameon=False, loc="best")
    ax.set_ylim(top=10.0 * max(tol, gaps.max(initial=tol)))
    ax.set_ylabel("relative dual gap")


def _draw_sizes(ax: Axes, positions: FloatArray, path: Path) -> None:
    marker = "o" if positions.size == 1 else None
    for values, colour, label in (
        (path.working_set_sizes, COLOURS[4], "working set"),
        (path.n_nonzero, COLOURS[0], "non-zero"),
    ):
        ax.plot(positions, values, color=colour, marker=marker, linewidth=1.6, label=label)
    ax.set_ylim(bottom=0)
    ax.set_ylabel("number of features")
    ax.yaxis.set_major_locator(require("matplotlib.ticker", "plot").MaxNLocator(integer=True))
    ax.legend(frameon=False, loc="best")


def _draw_seconds(ax: Axes, positions: FloatArray, path: Path) -> None:
    ax.plot(positions, 1e3 * path.seconds, ".-", color=COLOURS[1], linewidth=0.8, markersize=4)
    ax.set_ylim(bottom=0)
    ax.set_ylabel("milliseconds per lambda")


def _draw_passes(ax: Axes, positions: FloatArray, path: Path) -> None:
    ax.plot(positions, path.passes, ".-", color=COLOURS[2], linewidth=0.8, markersize=4)
    ax.set_ylim(bottom=0)
    ax.set_ylabel("passes over X per lambda")

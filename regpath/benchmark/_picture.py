"""The picture of a comparison: accuracy over time, one panel per case."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from regpath._extras import require
from regpath.benchmark.report import CaseReport, Row

__all__ = ["draw"]

SMALLEST = 1e-12
"""Suboptimality at which points stop: below it there is only rounding."""

# Colours that stay apart for the colour-blind (Okabe and Ito); regpath is black.
STYLES = {
    "regpath": ("black", "o"),
    "glmnet": ("#D55E00", "s"),
    "glmnet-cov": ("#D55E00", "D"),
    "adelie": ("#0072B2", "^"),
    "adelie-gram": ("#0072B2", "v"),
    "celer": ("#009E73", "P"),
    "skglm": ("#CC79A7", "X"),
    "sklearn": ("#E69F00", "d"),
    "glum": ("#56B4E9", "*"),
}


def draw(cases: Sequence[CaseReport]) -> Any:
    """One panel per case: every run of a ladder is a point, every solver a line.

    Parameters
    ----------
    cases : sequence of CaseReport

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure_class = require("matplotlib.figure", "plot").Figure
    n = max(len(cases), 1)
    columns = n if n <= 3 else min(math.ceil(n / 2), 4)
    rows = math.ceil(n / columns)
    figure = figure_class(figsize=(4.2 * columns + 1.6, 3.4 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    handles: dict[str, Any] = {}
    for axis, case in zip(axes, cases, strict=False):
        handles |= _panel(axis, case)
    for axis in axes[len(cases) :]:
        axis.set_visible(False)
    for k, axis in enumerate(axes[: len(cases)]):
        if k + columns >= len(cases):
            axis.set_xlabel("seconds for the path")
        if k % columns == 0:
            axis.set_ylabel("worst suboptimality on the path\n(share of the null objective)")
    if handles:
        order = [name for name in STYLES if name in handles]
        order += [name for name in handles if name not in STYLES]
        figure.legend([handles[name] for name in order], order, loc="outside right upper")
    return figure


def _panel(axis: Any, case: CaseReport) -> dict[str, Any]:
    """Draw the lines of one case; returns them by solver."""
    lines = {}
    for row in case.rows:
        points = [(r.seconds, max(r.worst, SMALLEST)) for r in row.ladder if r.worst < math.inf]
        if points:
            lines[row.solver] = _line(axis, row, points)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.axhline(case.accuracy, color="0.35", linewidth=0.9, linestyle="--", zorder=0)
    axis.annotate(
        f"accuracy {case.accuracy:.0e}",
        (1.0, case.accuracy),
        xycoords=("axes fraction", "data"),
        xytext=(-3, 2),
        textcoords="offset points",
        ha="right",
        fontsize=7,
        color="0.4",
    )
    axis.set_title(case.case, loc="left", fontweight="bold", fontsize=10)
    axis.set_title(_size(case), loc="right", fontsize=8, color="0.35")
    axis.grid(True, which="major", color="0.92", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    _ticks(axis, [r.seconds for row in case.rows for r in row.ladder])
    return lines


def _line(axis: Any, row: Row, points: list[tuple[float, float]]) -> Any:
    """A line over the ladder; the run that counts is filled, the others are open."""
    colour, marker = STYLES.get(row.solver, ("0.5", "."))
    own = row.solver == "regpath"
    (line,) = axis.plot(
        *zip(*points, strict=True),
        color=colour,
        marker=marker,
        markersize=6,
        markerfacecolor="white",
        linewidth=2.0 if own else 1.2,
        zorder=4 if own else 3,
        clip_on=False,
    )
    chosen = [(r.seconds, max(r.worst, SMALLEST)) for r in row.ladder if r.tol == row.tol]
    if chosen and row.worst is not None and row.worst < math.inf:
        axis.plot(*chosen[0], color=colour, marker=marker, markersize=7, zorder=5, clip_on=False)
    return line


def _ticks(axis: Any, seconds: list[float]) -> None:
    """Round decades of seconds, in plain figures, that hold all points."""
    ticker = require("matplotlib.ticker", "plot")
    axis.yaxis.set_major_formatter(ticker.FuncFormatter(_power))
    axis.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:g}"))
    axis.xaxis.set_minor_formatter(ticker.NullFormatter())
    if seconds:
        low, high = min(seconds) / 1.6, max(seconds) * 1.6
        while high / low < 30.0:
            low, high = low / 1.3, high * 1.3
        axis.set_xlim(low, high)


def _power(value: float, _: int) -> str:
    """Power of ten; the smallest stands for all below."""
    power = f"$10^{{{round(math.log10(value))}}}$"
    return power if value > 1.5 * SMALLEST else rf"$\leq$ {power}"


def _size(case: CaseReport) -> str:
    """Rows and columns out of the description of the problem."""
    return case.problem.partition(": ")[2].split(", ")[1]

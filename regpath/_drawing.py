"""What pictures have in common: colours, the axis of lambda, counts on top, names beside lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from regpath._extras import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "ALARM",
    "BACKGROUND",
    "COLOURS",
    "GUIDE",
    "LABEL_SIZE",
    "Horizontal",
    "colour_line",
    "count_on_top",
    "end_names",
    "grey_lines",
    "lambda_axis",
    "move_apart",
    "offscreen_figure",
    "settle",
    "short_name",
    "spread",
    "strip",
]

FloatArray: TypeAlias = npt.NDArray[np.float64]

# Okabe and Ito's colours, which all kinds of colour vision tell apart; black stands last.
COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6BB1", "#000000",
)  # fmt: skip
BACKGROUND = "#B8B8B8"
GUIDE = "#666666"
ALARM = "#C00000"
LABEL_SIZE = 9.0


class Horizontal(NamedTuple):
    """Where the points of a path lie on the horizontal axis, and how the axis is set up."""

    positions: FloatArray
    prepare: Callable[[Axes], None]


def lambda_axis(lambdas: FloatArray) -> Horizontal:
    """Log axis with lambda decreasing to the right; inf and 0 stand a little apart at the ends."""
    proper = lambdas[(lambdas > 0.0) & np.isfinite(lambdas)]
    high, low = (proper[0], proper[-1]) if proper.size else (1.0, 1.0)
    step = max((high / low) ** 0.08, 1.5)
    beyond = {0.0: low / step, np.inf: high * step}
    positions = np.array([beyond.get(value, value) for value in lambdas.tolist()])
    named = [value for value in beyond if value in lambdas]

    def prepare(ax: Axes) -> None:
        ax.set_xscale("log")
        ends = positions.max(), positions.min()
        ax.set_xlim(ends if ends[0] > ends[1] else (2.0 * ends[0], 0.5 * ends[1]))
        ticks = _log_ticks(low, high) if proper.size else []
        wide = high / low > 100.0
        texts = [f"$10^{{{round(np.log10(t))}}}$" if wide else f"{t:g}" for t in ticks]
        texts += ["0" if value == 0.0 else r"$\infty$" for value in named]
        ax.set_xticks([*ticks, *(beyond[value] for value in named)], texts)
        if named or not wide:
            ax.minorticks_off()

    return Horizontal(positions, prepare)


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten, at most ten of them; within two decades also twice and five times those."""
    exponents = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1.0)
    digits = (1.0,) if high / low > 100.0 else (1.0, 2.0, 5.0)
    ticks = [digit * 10.0**e for e in exponents[:: 1 + exponents.size // 10] for digit in digits]
    return [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]


def grey_lines(
    ax: Axes, positions: FloatArray, rows: FloatArray, colour: str, width: float, order: float
) -> None:
    """Draw many lines, the rows of an array, in one collection."""
    if len(rows):
        collection = require("matplotlib.collections", "plot").LineCollection
        points = np.stack([np.broadcast_to(positions, rows.shape), rows], axis=-1)
        ax.add_collection(collection(points, colors=colour, linewidths=width, zorder=order))


def colour_line(ax: Axes, positions: FloatArray, values: FloatArray, rank: int) -> None:
    """Draw a line that stands out; its rank gives colour and style."""
    colour, style = COLOURS[rank % len(COLOURS)], "-" if rank < len(COLOURS) else "--"
    marker = "o" if positions.size == 1 else None
    ax.plot(positions, values, style, color=colour, marker=marker, linewidth=1.6, zorder=2)


def strip(ax: Axes) -> None:
    """Hide the lines above and to the right of axes."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def count_on_top(ax: Axes, positions: FloatArray, n_nonzero: npt.NDArray[np.int64]) -> Axes:
    """Second axis that counts non-zero coefficients at evenly spaced places."""
    ticker = require("matplotlib.ticker", "plot")
    top = ax.twiny()
    top.set_xlim(0.0, 1.0)

    def count(share: float, _: int) -> str:  # follows the axis below when that is zoomed
        place = ax.transAxes.transform((share, 0.0))[0]
        points = ax.transData.transform(np.column_stack([positions, np.zeros(positions.size)]))
        return str(n_nonzero[np.argmin(np.abs(points[:, 0] - place))])

    top.set_xticks(np.linspace(0.0, 1.0, 9))
    top.xaxis.set_major_formatter(ticker.FuncFormatter(count))
    top.set_xlabel("non-zero coefficients")
    top.spines["right"].set_visible(False)
    return top


def end_names(
    ax: Axes, values: FloatArray, names: Sequence[str], ranks: Sequence[int]
) -> list[Any]:
    """Names beside the right end of the lines, connected to it."""
    return [
        ax.annotate(
            name,
            xy=(1.0, value),
            xycoords=ax.get_yaxis_transform(),
            xytext=(14.0, 0.0),
            textcoords="offset points",
            va="center",
            fontsize=LABEL_SIZE,
            color=COLOURS[rank % len(COLOURS)],
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": COLOURS[rank % len(COLOURS)],
                "linewidth": 0.6,
                "shrinkA": 1.0,
                "shrinkB": 0.0,
                "relpos": (0.0, 0.5),
            },
        )
        for rank, name, value in zip(ranks, names, values, strict=True)
    ]


def settle(*panels: Axes) -> None:
    """Let layout engines decide on the size of the panels."""
    for figure in {ax.get_figure(root=True) for ax in panels}:
        if figure is not None and figure.get_layout_engine() is not None:
            figure.draw_without_rendering()


def move_apart(ax: Axes, texts: Sequence[Any], values: FloatArray) -> None:
    """Move the names at the ends of lines to where they do not overlap."""
    low, high = ax.get_ylim()
    height = ax.get_window_extent().height * 72.0 / ax.figure.dpi  # in points
    wanted = (values - low) / (high - low) * height
    for text, offset in zip(texts, spread(wanted, 1.2 * LABEL_SIZE, height) - wanted, strict=True):
        text.set_position((14.0, float(offset)))


def spread(wanted: FloatArray, distance: float, height: float) -> FloatArray:
    """Move positions as little as possible until neighbours are at least `distance` apart.

    Least squares under an order constraint: subtract the ideal spacing and pool adjacent
    violators.

    Examples
    --------
    >>> import numpy as np
    >>> spread(np.array([5.0, 5.0, 20.0]), 2.0, 30.0)
    array([ 4.,  6., 20.])
    """
    order = np.argsort(wanted, kind="stable")
    shift = distance * np.arange(wanted.size)
    blocks: list[tuple[float, int]] = []  # mean and size
    for value in (wanted[order] - shift).tolist():
        mean, size = value, 1
        while blocks and blocks[-1][0] > mean:
            before, count = blocks.pop()
            mean, size = (before * count + mean * size) / (count + size), count + size
        blocks.append((mean, size))
    fitted = np.repeat([mean for mean, _ in blocks], [size for _, size in blocks])
    # The order survives clipping, hence so does the distance.
    fitted = np.clip(fitted, 0.0, max(height - distance * (wanted.size - 1), 0.0))
    placed = np.empty_like(wanted)
    placed[order] = fitted + shift
    return placed


def short_name(name: str, limit: int = 24) -> str:
    """The name, cut where it is longer than the limit."""
    return name if len(name) <= limit else name[: limit - 1] + "…"


def offscreen_figure(**options: Any) -> Figure:
    """A new figure that needs no window system; options as of matplotlib's Figure."""
    figure: Figure = require("matplotlib.figure", "plot").Figure(**options)
    require("matplotlib.backends.backend_agg", "plot").FigureCanvasAgg(figure)
    return figure

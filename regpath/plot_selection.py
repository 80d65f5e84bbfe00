"""Pictures of how a model is chosen: scores along a path, over several l1_ratios, and stability."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from regpath._drawing import (
    BACKGROUND,
    COLOURS,
    GUIDE,
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
from regpath._rules import equal_to_best
from regpath.cv_result import CVPath
from regpath.relaxed_cv import RelaxedCV

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_cv", "plot_relaxed_cv", "plot_stability", "plot_surface", "save_picture"]

FloatArray: TypeAlias = npt.NDArray[np.float64]

SIZE = (7.2, 4.6)
MOST_NAMES = 2 * len(COLOURS)
"""More names than this cannot be told apart by colour and dashes."""
MOST_GAMMAS = 6
"""More of them than this are not named."""


def plot_cv(cv: CVPath, ax: Axes | Any = None) -> Axes | Any:
    """Draw the mean score along the path, with standard errors.

    The penalty decreases to the right. Vertical lines are at the lambdas of the rules "1se" and
    "min"; the dotted line is one standard error above the best score (below it, where greater is
    better). The numbers on top count the non-zero coefficients.

    Parameters
    ----------
    cv : CVPath
    ax : matplotlib Axes, optional
        Default: axes of a new figure.

    Returns
    -------
    ax : matplotlib Axes
        Nothing is shown or written: call ``plt.show()`` or ``ax.figure.savefig(file)``.

    Examples
    --------
    >>> import regpath, matplotlib
    >>> matplotlib.use("agg")
    >>> X, y, names, _ = regpath.datasets.load_prostate()
    >>> ax = regpath.cv_path(X, y, cv=5, random_state=1).plot()
    >>> ax.get_ylabel()
    'mean squared error'
    >>> matplotlib.pyplot.close(ax.figure)
    """
    ax = _new_axes() if ax is None else ax
    axis = lambda_axis(cv.lambdas)
    axis.prepare(ax)
    left, right = ax.get_xlim()  # wider, so that whole dots stand at the ends
    ax.set_xlim(left * (left / right) ** 0.02, right / (left / right) ** 0.02)
    x, known = axis.positions, np.isfinite(cv.mean_scores)
    errors = np.where(np.isfinite(cv.std_errors), cv.std_errors, 0.0)
    _, _, bars = ax.errorbar(
        x[known], cv.mean_scores[known], errors[known],
        fmt="o", markersize=3.5, color=COLOURS[0], ecolor=BACKGROUND, elinewidth=1.0, zorder=2,
        label=f"mean and standard error of {len(cv.fold_paths)} folds",
    )  # fmt: skip
    for bar in bars:
        bar.set_zorder(1.5)
    if known.any():
        best, chosen = (
            _Choice(
                x[k],
                cv.mean_scores[k],
                f"lambda {cv.lambdas[k]:.4g}, {cv.path.n_nonzero[k]} non-zero",
            )
            for k in (cv.index_min, cv.index_1se)
        )
        sign = -1.0 if cv.greater_is_better else 1.0
        _mark_rules(ax, best, chosen, best.score + sign * errors[cv.index_min])
    ax.set_xlabel("lambda (log scale)")
    ax.set_ylabel(cv.score_label)
    strip(ax)
    count_on_top(ax, x, cv.path.n_nonzero)
    ax.legend(framealpha=0.9, edgecolor="none", loc="best", fontsize=9)
    return ax


class _Choice(NamedTuple):
    """What a rule chooses: where it lies, and what it is."""

    x: float
    score: float
    text: str


def _mark_rules(ax: Axes, best: _Choice, chosen: _Choice, level: float) -> None:
    """Vertical lines at both lambdas, and the level that decides between them."""
    ax.plot([chosen.x, best.x], [level, level], ":", color=GUIDE, linewidth=1.2, zorder=1.8)
    rules = {"1se": (chosen, COLOURS[1], "-"), "min": (best, COLOURS[2], "--")}
    if best == chosen:
        rules = {"1se and min": rules["1se"]}
    for rule, (choice, colour, style) in rules.items():
        text = f"{rule}: {choice.text}"
        ax.axvline(choice.x, linestyle=style, color=colour, linewidth=1.4, zorder=1.7, label=text)
        ax.plot(choice.x, choice.score, "o", markersize=7, color=colour, zorder=3)


def plot_relaxed_cv(cv: RelaxedCV, ax: Axes | Any = None) -> Axes | Any:
    """Draw the mean scores of blends along the path, one line for every gamma.

    The darkest line is that of the refits, the lightest that of the path itself, if both are among
    the gammas. Vertical lines are at the lambdas of the rules "1se" and "min", dots at the blends
    that they choose; the dotted line is one standard error above the best score (below it, where
    greater is better). The numbers on top count the non-zero coefficients.

    Parameters
    ----------
    cv : RelaxedCV
    ax : matplotlib Axes, optional
        Default: axes of a new figure.

    Returns
    -------
    ax : matplotlib Axes

    Examples
    --------
    >>> import regpath, matplotlib
    >>> matplotlib.use("agg")
    >>> X, y, names, _ = regpath.datasets.load_prostate()
    >>> cv = regpath.cv_path(X, y, cv=5, random_state=1, relax=True, gammas=[0, 0.5, 1])
    >>> ax = cv.relaxed.plot()
    >>> [line.get_label() for line in ax.lines[:3]]
    ['gamma 0', 'gamma 0.5', 'gamma 1']
    >>> matplotlib.pyplot.close(ax.figure)
    """
    ax = _new_axes() if ax is None else ax
    axis = lambda_axis(cv.lambdas)
    axis.prepare(ax)
    x, scores, size = axis.positions, cv.mean_scores, cv.gammas.size
    colours = require("matplotlib", "plot").colormaps["viridis"](np.linspace(0.0, 0.9, size))
    named = np.unique(np.linspace(0, size - 1, min(size, MOST_GAMMAS)).round())
    for g, gamma in enumerate(cv.gammas.tolist()):
        ax.plot(
            x, np.where(np.isfinite(scores[g]), scores[g], np.nan),
            marker="o" if x.size == 1 else None, linewidth=1.6, color=colours[g], zorder=2,
            label=f"gamma {gamma:g}" if g in named else "_",
        )  # fmt: skip
    if np.isfinite(scores).any():
        choices = []
        for g, k in (cv.index_at("min"), cv.index_at("1se")):
            text = f"gamma {cv.gammas[g]:g}, lambda {cv.lambdas[k]:.4g}, "
            text += f"{cv.path.path.n_nonzero[k]} non-zero"
            choices.append(_Choice(x[k], scores[g, k], text))
        sign = -1.0 if cv.greater_is_better else 1.0
        error = np.nan_to_num(cv.std_errors[cv.index_at("min")])
        _mark_rules(ax, choices[0], choices[1], choices[0].score + sign * error)
    ax.set_xlabel("lambda (log scale)")
    ax.set_ylabel(cv.score_label)
    strip(ax)
    count_on_top(ax, x, cv.path.path.n_nonzero)
    ax.legend(framealpha=0.9, edgecolor="none", loc="best", fontsize=9)
    return ax


def save_picture(plot: Callable[..., Any], file: str | PathLike[str]) -> None:
    """Write what a method ``plot(ax=...)`` draws to a file, without any window system."""
    figure = offscreen_figure(figsize=SIZE, layout="constrained")
    plot(ax=figure.add_subplot())
    figure.savefig(file, dpi=200)


def plot_surface(
    lambdas: npt.ArrayLike,
    l1_ratios: npt.ArrayLike,
    mean_scores: npt.ArrayLike,
    greater_is_better: bool = False,
    score_label: str = "score",
    ax: Axes | Any = None,
) -> Axes | Any:
    """Draw mean scores over the penalty and its mixture, as colours.

    Every l1_ratio is a row, whose best lambda has a dot; the best of all has a star. Lambda counts
    from the largest of its row, so that rows can be compared.

    Parameters
    ----------
    lambdas : array of shape (R, L)
        The grid of every l1_ratio, decreasing.
    l1_ratios : array of shape (R,)
    mean_scores : array of shape (R, L)
        nan and inf stay white.
    greater_is_better : bool, default False
    score_label : str, default "score"
    ax : matplotlib Axes, optional
        Default: axes of a new figure.

    Returns
    -------
    ax : matplotlib Axes

    Raises
    ------
    ValueError
        If the shapes do not fit, or no score is finite.

    Examples
    --------
    >>> import numpy as np, matplotlib
    >>> matplotlib.use("agg")
    >>> lambdas, scores = 0.5 ** np.arange(4.0), np.array([[4.0, 3.0, 2.0, 3.0], [4.0, 1.0, 2, 3]])
    >>> ax = plot_surface([lambdas, lambdas], [0.5, 1.0], scores)
    >>> [tick.get_text() for tick in ax.get_yticklabels()]
    ['0.5', '1']
    >>> matplotlib.pyplot.close(ax.figure)
    """
    grid, ratios = np.asarray(lambdas, np.float64), np.asarray(l1_ratios, np.float64)
    scores = np.asarray(mean_scores, np.float64)
    if ratios.ndim != 1 or grid.ndim != 2 or not len(ratios) == len(grid) or not grid.size:
        raise ValueError(
            f"plot_surface: lambdas has shape {grid.shape} and l1_ratios {ratios.shape}; "
            "they must be (R, L) and (R,)."
        )
    known = np.isfinite(scores)
    if scores.shape != grid.shape or not known.any():
        raise ValueError(
            f"plot_surface: mean_scores has shape {scores.shape} and {int(known.sum())} finite "
            f"values; it must be {grid.shape}, with one finite value at least."
        )
    order = np.argsort(ratios, kind="stable")
    grid, ratios, scores = grid[order], ratios[order], scores[order]
    ax = _new_axes() if ax is None else ax
    largest = np.where(np.isfinite(grid), grid, 0.0).max(axis=1, keepdims=True)
    relative = grid / np.where(largest > 0.0, largest, 1.0)
    every = np.unique(relative)[::-1]
    axis = lambda_axis(every)
    axis.prepare(ax)
    x = axis.positions[np.searchsorted(-every, -relative)]
    _colour_rows(ax, x, scores, greater_is_better, score_label)
    row, k = _mark_best(ax, x, np.where(np.isfinite(scores), scores, np.nan), greater_is_better)
    best = f"best: l1_ratio {ratios[row]:g}, lambda {grid[row, k]:.4g}, score {scores[row, k]:.4g}"
    ax.set_title(best, fontsize=10)
    ax.set_yticks(np.arange(len(ratios)), [f"{ratio:g}" for ratio in ratios])
    ax.set_ylim(-0.5, len(ratios) - 0.5)
    ax.set_xlabel("lambda / largest lambda (log scale)")
    ax.set_ylabel("l1_ratio")
    return ax


def _colour_rows(
    ax: Axes, x: FloatArray, scores: FloatArray, greater_is_better: bool, label: str
) -> None:
    """One band of colours for each row; the worst quarter shares one: it does not matter."""
    known = scores[np.isfinite(scores)]
    low, high = np.quantile(known, [0.25, 1.0] if greater_is_better else [0.0, 0.75])
    if low == high:
        low, high = low - 0.5, high + 0.5
    colours = "viridis" if greater_is_better else "viridis_r"
    for row, (places, values) in enumerate(zip(np.log(x), scores, strict=True)):
        middles = 0.5 * (places[1:] + places[:-1])
        outer = 0.3 if places.size == 1 else 0.0
        edges = np.exp(np.concatenate([places[:1] + outer, middles, places[-1:] - outer]))
        heights = [row - 0.5, row + 0.5]
        mesh = ax.pcolormesh(
            edges, heights, np.ma.masked_invalid(values[None]), vmin=low, vmax=high, cmap=colours
        )
    beyond = "min" if known.min() < low else "max" if known.max() > high else "neither"
    ax.figure.colorbar(mesh, ax=ax, label=label, extend=beyond)


def _mark_best(
    ax: Axes, x: FloatArray, scores: FloatArray, greater_is_better: bool
) -> tuple[int, int]:
    """A dot at the best lambda of every row, and a star at the best of all, which is returned."""
    losses = -scores if greater_is_better else scores
    rows = np.flatnonzero(np.isfinite(losses).any(axis=1))
    best = np.array([np.argmax(equal_to_best(losses[row])) for row in rows])
    dots: dict[str, Any] = {"markersize": 4, "color": "white", "markeredgecolor": "black"}
    ax.plot(x[rows, best], rows, "o", clip_on=False, zorder=3, **dots)
    k = int(np.argmax(equal_to_best(losses[rows, best])))
    row, place = int(rows[k]), int(best[k])
    star: dict[str, Any] = {"markersize": 17, "color": COLOURS[1], "markeredgecolor": "white"}
    ax.plot(x[row, place], row, "*", clip_on=False, zorder=4, **star)
    return row, place


def plot_stability(
    lambdas: npt.ArrayLike,
    frequencies: npt.ArrayLike,
    names: Sequence[str] | None,
    threshold: float,
    ax: Axes | Any = None,
) -> Axes | Any:
    """Draw how often each feature is selected along the path.

    Features whose frequency reaches the threshold somewhere are stable: those are drawn in colour
    and named, 16 of them at most, the others are grey.

    Parameters
    ----------
    lambdas : array of shape (L,)
        Decreasing.
    frequencies : array of shape (p, L)
        Share of the resamples in which a feature is selected.
    names : sequence of p str, or None
        None: x0, x1, ...
    threshold : float
    ax : matplotlib Axes, optional
        Default: axes of a new figure.

    Returns
    -------
    ax : matplotlib Axes

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> ax = plot_stability([1.0, 0.5], [[0.0, 0.9], [0.0, 0.2]], ["age", "weight"], 0.6)
    >>> [text.get_text() for text in ax.texts]
    ['threshold 0.6', 'age']
    >>> matplotlib.pyplot.close(ax.figure)
    """
    grid, shares = np.asarray(lambdas, np.float64), np.asarray(frequencies, np.float64)
    p = len(shares) if names is None else len(names)
    if grid.ndim != 1 or not grid.size or shares.shape != (p, grid.size):
        raise ValueError(
            f"plot_stability: frequencies has shape {shares.shape}, lambdas {grid.shape}, and "
            f"there are {p} names; they must be (p, L), (L,) and p."
        )
    ax = _new_axes() if ax is None else ax
    axis = lambda_axis(grid)
    axis.prepare(ax)
    ax.set_ylim(0.0, 1.02)
    most = shares.max(axis=1)
    # Those that are selected most often, and first, come first.
    ranked = np.lexsort((np.arange(p), -shares.sum(axis=1), -most))
    stable = ranked[most[ranked] >= threshold]
    _draw_frequencies(ax, axis.positions, shares, ranked, stable)
    ax.axhline(threshold, linestyle="--", color=GUIDE, linewidth=1.0, zorder=1)
    ax.annotate(
        f"threshold {threshold:g}", (0.01, threshold), xycoords=ax.get_yaxis_transform(),
        xytext=(0, 3), textcoords="offset points", color=GUIDE, fontsize=9, zorder=3,
        bbox={"color": "white", "alpha": 0.8, "pad": 0.5},
    )  # fmt: skip
    named = stable[:MOST_NAMES]
    labels = [f"x{j}" if names is None else short_name(str(names[j])) for j in named.tolist()]
    ends = shares[named, -1]
    texts = end_names(ax, ends, labels, range(named.size))
    ax.set_xlabel("lambda (log scale)")
    ax.set_ylabel("selection frequency")
    ax.set_title(f"{stable.size} of {p} features reach the threshold", fontsize=10)
    strip(ax)
    settle(ax)
    move_apart(ax, texts, ends)
    return ax


def _draw_frequencies(
    ax: Axes, positions: FloatArray, shares: FloatArray, ranked: Any, stable: Any
) -> None:
    """Grey lines for the others, in one collection, then the stable ones on top."""
    others = ranked[stable.size :]
    others = others[shares[others].any(axis=1)]
    grey_lines(ax, positions, shares[others], BACKGROUND, 0.7, 1.5)
    grey_lines(ax, positions, shares[stable[MOST_NAMES:]], GUIDE, 0.7, 1.8)
    for rank, j in reversed(list(enumerate(stable[:MOST_NAMES].tolist()))):
        colour_line(ax, positions, shares[j], rank)


def _new_axes() -> Axes:
    pyplot = require("matplotlib.pyplot", "plot")
    ax: Axes = pyplot.figure(figsize=SIZE, layout="constrained").add_subplot()
    return ax

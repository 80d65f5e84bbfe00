import sys
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("agg")

import matplotlib.pyplot as plt
from handmade import (
    DENSE,
    FOLD_SCORES,
    make_cv,
    make_path,
    make_relaxed_cv,
    make_several,
    make_stability,
)
from matplotlib.collections import LineCollection, QuadMesh

from regpath import CVPath, CVSurface
from regpath.plot_selection import plot_stability, plot_surface, save_picture


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def lines(ax):
    """Lines with a label, by the word before the colon."""
    return {line.get_label().partition(":")[0]: line for line in ax.lines}


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


# ---------------------------------------------------------------- scores along a path


def test_means_and_errors_stand_above_their_lambdas():
    cv = make_cv()
    ax = cv.plot()
    (container,) = ax.containers
    points, _, (bars,) = container
    np.testing.assert_array_equal(points.get_xdata(), cv.lambdas)
    np.testing.assert_array_equal(points.get_ydata(), [7.0, 4.0, 2.0, 2.0, 2.5])
    ends = np.array(bars.get_segments())
    np.testing.assert_array_equal(ends[:, 0, 1], cv.mean_scores - cv.std_errors)
    np.testing.assert_array_equal(ends[:, 1, 1], cv.mean_scores + cv.std_errors)
    assert ax.get_xscale() == "log"
    left, right = ax.get_xlim()
    assert left > cv.lambdas[0] > cv.lambdas[-1] > right
    assert ax.get_xlabel() == "lambda (log scale)"
    assert ax.get_ylabel() == "mean squared error"


def test_both_rules_are_marked_and_named():
    ax = make_cv().plot()
    assert set(lines(ax)["1se"].get_xdata()) == {0.5}
    assert set(lines(ax)["min"].get_xdata()) == {0.25}
    assert legend(ax) == [
        "1se: lambda 0.5, 1 non-zero",
        "min: lambda 0.25, 3 non-zero",
        "mean and standard error of 3 folds",
    ]
    (level,) = [line for line in ax.lines if line.get_linestyle() == ":"]
    assert set(level.get_ydata()) == {4.0}  # 2 and one error of 2


def test_the_level_is_below_the_best_where_greater_is_better():
    ax = make_cv(
        fold_scores=-FOLD_SCORES, mean_scores=-FOLD_SCORES.mean(axis=0), greater_is_better=True
    ).plot()
    (level,) = [line for line in ax.lines if line.get_linestyle() == ":"]
    assert set(level.get_ydata()) == {-4.0}
    assert set(lines(ax)["1se"].get_xdata()) == {0.5}


def test_rules_that_agree_share_a_line():
    ax = make_cv(std_errors=np.zeros(5)).plot()
    assert legend(ax)[0] == "1se and min: lambda 0.25, 3 non-zero"
    assert len(legend(ax)) == 2


def test_counts_stand_on_top():
    ax = make_cv().plot()
    (top,) = [other for other in ax.figure.axes if other is not ax]
    ax.figure.draw_without_rendering()
    assert [text.get_text() for text in top.get_xticklabels()][::2] == ["0", "1", "3", "3", "5"]


def test_missing_scores_are_left_out():
    means = np.array([np.inf, 4.0, 2.0, np.nan, 2.5])
    ax = make_cv(mean_scores=means, std_errors=np.array([np.nan, np.nan, 1.0, np.nan, 0.5])).plot()
    points, _, _ = ax.containers[0]
    np.testing.assert_array_equal(points.get_ydata(), [4.0, 2.0, 2.5])
    assert np.isfinite(ax.get_ylim()).all()


@pytest.mark.parametrize("lambdas", [[0.5], [0.0], [np.inf], [np.inf, 0.0], [np.inf, 2, 1, 0]])
def test_grids_with_zero_and_inf_can_be_drawn(lambdas, tmp_path):
    k = len(lambdas)
    path = make_path(DENSE[:, -k:], lambdas=lambdas)
    cv = make_cv(
        path, fold_scores=FOLD_SCORES[:, :k], mean_scores=FOLD_SCORES[0, :k], std_errors=np.ones(k)
    )
    save_picture(cv.plot, tmp_path / "cv.png")
    ax = cv.plot()
    ticks = {text.get_text() for text in ax.get_xticklabels()}
    assert {r"$\infty$"} & ticks == ({r"$\infty$"} if np.inf in lambdas else set())
    assert np.isfinite(ax.containers[0][0].get_xdata()).all()


def test_axes_of_ones_own_and_several_outputs():
    _figure, ax = plt.subplots()
    assert make_cv(make_several()).plot(ax=ax) is ax
    assert plt.get_fignums() == [1]


PLOTS = {
    "cv": lambda: make_cv().plot,
    "relaxed": lambda: make_relaxed_cv().relaxed.plot,
    "surface": lambda: CVSurface((make_cv(), make_cv())).plot,
    "stability": lambda: make_stability().plot,
}


@pytest.mark.parametrize("kind", PLOTS)
def test_a_figure_is_saved_without_pyplot(kind, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    save_picture(PLOTS[kind](), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


# ---------------------------------------------------------------- blends with refits


def test_every_gamma_has_a_line_of_its_own_colour():
    cv = make_relaxed_cv().relaxed
    ax = cv.plot()
    drawn = {k: line for k, line in lines(ax).items() if k.startswith("gamma")}
    assert list(drawn) == ["gamma 0", "gamma 0.5", "gamma 1"]
    for line, means in zip(drawn.values(), cv.mean_scores, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), cv.lambdas)
        np.testing.assert_array_equal(line.get_ydata(), means)
    assert len({tuple(line.get_color()) for line in drawn.values()}) == 3
    assert ax.get_ylabel() == "mean squared error"


def test_chosen_blends_are_marked_and_named():
    """The best is 1.5, of halves; 2 of the refits at a larger lambda is within its error 0.75."""
    ax = make_relaxed_cv().relaxed.plot()
    assert legend(ax)[-2:] == [
        "1se: gamma 0, lambda 0.5, 1 non-zero",
        "min: gamma 0.5, lambda 0.25, 3 non-zero",
    ]
    dots = {line.get_xydata()[0].tobytes() for line in ax.lines if line.get_markersize() == 7}
    assert dots == {np.array(place).tobytes() for place in ([0.5, 2.0], [0.25, 1.5])}
    (level,) = [line for line in ax.lines if line.get_linestyle() == ":"]
    assert set(level.get_ydata()) == {2.25}


def test_the_level_of_blends_is_below_the_best_where_greater_is_better():
    relaxed = make_relaxed_cv().relaxed
    ax = replace(relaxed, mean_scores=-relaxed.mean_scores, greater_is_better=True).plot()
    (level,) = [line for line in ax.lines if line.get_linestyle() == ":"]
    assert set(level.get_ydata()) == {-2.25}


def test_some_of_many_gammas_are_named_and_missing_scores_left_out():
    scores = np.tile(FOLD_SCORES[None], (21, 1, 1))
    scores[:, :, 0] = np.inf
    scores[3] = np.nan
    cv = make_relaxed_cv(
        gammas=np.linspace(0.0, 1.0, 21), fold_scores=scores,
        mean_scores=scores.mean(axis=1), std_errors=np.full((21, 5), np.nan),
    ).relaxed  # fmt: skip
    ax = cv.plot()
    assert [name for name in legend(ax) if name.count(",") == 0][:2] == ["gamma 0", "gamma 0.2"]
    assert sum(name.count(",") == 0 for name in legend(ax)) == 6
    assert np.isfinite(ax.get_ylim()).all()


def test_blends_without_scores_are_drawn_empty():
    none = np.full((3, 5), np.nan)
    ax = make_relaxed_cv(mean_scores=none).relaxed.plot()
    assert legend(ax) == ["gamma 0", "gamma 0.5", "gamma 1"]


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'regpath\[plot\]'"):
        make_cv().plot()


# ---------------------------------------------------------------- several l1_ratios


GRIDS = np.array([[1.0, 0.1, 0.01], [10.0, 1.0, 0.1], [2.0, 0.2, 0.02]])
SURFACE = np.array([[9.0, 5.0, 6.0], [9.0, 4.0, 3.0], [9.0, 7.0, 8.0]])


def meshes(ax):
    return [mesh for mesh in ax.collections if isinstance(mesh, QuadMesh)]


def test_rows_are_sorted_and_the_best_of_each_and_of_all_are_marked():
    ax = plot_surface(GRIDS, [1.0, 0.1, 0.5], SURFACE, score_label="loss")
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["0.1", "0.5", "1"]
    np.testing.assert_array_equal(
        [mesh.get_array().ravel() for mesh in meshes(ax)], SURFACE[[1, 2, 0]]
    )
    dots, star = ax.lines
    np.testing.assert_allclose(dots.get_xdata(), [0.01, 0.1, 0.1])
    np.testing.assert_array_equal(dots.get_ydata(), [0, 1, 2])
    np.testing.assert_allclose(star.get_xydata(), [[0.01, 0.0]])
    assert ax.get_title() == "best: l1_ratio 0.1, lambda 0.1, score 3"
    assert ax.get_xlim() == (1.0, pytest.approx(0.01))
    assert ax.figure.axes[-1].get_ylabel() == "loss"


def test_greater_can_be_better():
    ax = plot_surface(GRIDS, [1.0, 0.1, 0.5], -SURFACE, greater_is_better=True)
    assert ax.get_title() == "best: l1_ratio 0.1, lambda 0.1, score -3"
    assert meshes(ax)[0].get_clim() == (-9.0, -3.0)


def test_missing_scores_stay_white_and_are_never_best():
    scores = SURFACE.copy()
    scores[1] = np.nan
    scores[0, 1] = -np.inf
    ax = plot_surface(GRIDS, [0.1, 0.5, 1.0], scores)
    assert ax.get_title() == "best: l1_ratio 0.1, lambda 0.01, score 6"
    assert ax.lines[0].get_ydata().tolist() == [0, 2]
    assert meshes(ax)[1].get_array().mask.all()
    assert meshes(ax)[0].get_array().mask.ravel().tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("grids", "scores"),
    [
        ([[1.0]], [[2.0]]),
        ([[np.inf, 1.0, 0.0]], [[3.0, 3.0, 3.0]]),
        ([[0.0]], [[1.0]]),
        ([[np.inf]], [[1.0]]),
    ],
)
def test_small_surfaces_can_be_drawn(grids, scores, tmp_path):
    plot_surface(grids, [1.0], scores).figure.savefig(tmp_path / "surface.png")


def test_shapes_of_surfaces_are_checked():
    with pytest.raises(ValueError, match=r"lambdas has shape \(3, 3\) and l1_ratios \(2,\)"):
        plot_surface(GRIDS, [0.5, 1.0], SURFACE)
    with pytest.raises(ValueError, match=r"mean_scores has shape \(3, 2\)"):
        plot_surface(GRIDS, [0.1, 0.5, 1.0], SURFACE[:, :2])
    with pytest.raises(ValueError, match="0 finite values"):
        plot_surface(GRIDS, [0.1, 0.5, 1.0], SURFACE * np.nan)


# ---------------------------------------------------------------- stability


FREQUENCIES = np.array(
    [[0.0, 0.2, 0.5, 0.4], [0.5, 0.9, 1.0, 1.0], [0.0, 0.8, 0.6, 0.3], [0.0, 0.0, 0.0, 0.0]]
)
LAMBDAS = [1.0, 0.5, 0.25, 0.125]


def test_stable_features_are_named_and_coloured_and_the_others_grey():
    ax = plot_stability(LAMBDAS, FREQUENCIES, list("abcd"), 0.7)
    threshold, *names = ax.texts
    assert threshold.get_text() == "threshold 0.7"
    assert [text.get_text() for text in names] == ["b", "c"]
    curves = [line for line in ax.lines if len(line.get_xdata()) == 4]
    assert [line.get_color() for line in reversed(curves)] == [t.get_color() for t in names]
    np.testing.assert_array_equal(curves[-1].get_ydata(), FREQUENCIES[1])
    (grey,) = [c for c in ax.collections if isinstance(c, LineCollection)]
    (segment,) = grey.get_segments()  # d is never selected and not drawn
    np.testing.assert_array_equal(segment[:, 1], FREQUENCIES[0])
    assert ax.get_title() == "2 of 4 features reach the threshold"
    assert set(ax.lines[-1].get_ydata()) == {0.7}


def test_no_feature_need_be_stable_and_many_may_be(tmp_path):
    ax = plot_stability(LAMBDAS, FREQUENCIES, None, 1.1)
    assert [text.get_text() for text in ax.texts] == ["threshold 1.1"]
    ax = plot_stability(LAMBDAS, np.ones((40, 4)), None, 0.5)
    assert [text.get_text() for text in ax.texts[1:]] == [f"x{j}" for j in range(16)]
    (dark,) = [c for c in ax.collections if isinstance(c, LineCollection)]
    assert len(dark.get_segments()) == 24
    plot_stability([np.inf], np.ones((2, 1)), None, 0.5).figure.savefig(tmp_path / "one.png")


def test_shapes_of_frequencies_are_checked():
    with pytest.raises(ValueError, match=r"frequencies has shape \(4, 4\), lambdas \(3,\)"):
        plot_stability(LAMBDAS[:3], FREQUENCIES, None, 0.5)
    with pytest.raises(ValueError, match="there are 2 names"):
        plot_stability(LAMBDAS, FREQUENCIES, ["a", "b"], 0.5)


def test_a_cross_validation_of_a_file_can_be_drawn(tmp_path):
    make_cv().save(tmp_path / "cv.npz")
    assert legend(CVPath.load(tmp_path / "cv.npz").plot())[0].startswith("1se: lambda 0.5")

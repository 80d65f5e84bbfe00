import sys

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("agg")

import itertools

import matplotlib.pyplot as plt
from handmade import DENSE, NAMES, SEVERAL, make_path, make_several
from matplotlib.collections import LineCollection
from matplotlib.text import Text

from regpath import Status, plot
from regpath._drawing import spread


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture
def path():
    return make_path(names=NAMES)


def named(ax):
    return {text.get_text(): text for text in ax.texts}


def curves(ax):
    """Coloured lines; the guide at zero has two points."""
    return [line for line in ax.lines if len(line.get_xdata()) > 2]


def test_lambda_decreases_to_the_right_on_a_log_axis(path):
    ax = path.plot()
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "lambda (log scale)"
    assert ax.get_xlim() == (1.0, 0.0625)


def test_a_figure_is_made_or_the_given_axes_are_used(path):
    before = plt.get_fignums()
    own = path.plot()
    assert len(plt.get_fignums()) == len(before) + 1
    _figure, ax = plt.subplots()
    assert path.plot(ax=ax) is ax
    assert own is not ax


def test_nothing_is_shown(path, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("plt.show was called"))
    path.plot()
    path.plot_diagnostics()


def test_the_largest_coefficients_at_the_end_are_named_and_coloured(path):
    ax = path.plot(n_labels=3)
    assert list(named(ax)) == ["ldl", "age", "sex"]
    assert len(curves(ax)) == 3
    for line, text in zip(reversed(curves(ax)), ax.texts, strict=True):
        assert line.get_color() == text.get_color()
    (grey,) = [c for c in ax.collections if isinstance(c, LineCollection)]
    assert len(grey.get_segments()) == 2  # bmi and tc; map is zero throughout and not drawn


def test_lines_show_the_coefficients_where_they_are_not_zero(path):
    ax = path.plot(n_labels=1)
    (line,) = curves(ax)
    np.testing.assert_array_equal(line.get_xdata(), path.lambdas)
    np.testing.assert_array_equal(line.get_ydata(), [np.nan, np.nan, np.nan, 0.0, 7.0])


@pytest.mark.parametrize("x", ["l1_norm", "dev_ratio"])
def test_other_horizontal_axes(path, x):
    ax = path.plot(x)
    expected = np.abs(DENSE).sum(axis=0) if x == "l1_norm" else path.dev_ratio
    np.testing.assert_allclose(curves(ax)[0].get_xdata(), expected)
    assert ax.get_xscale() == "linear"
    assert ax.get_xlim() == (0.0, expected[-1])
    with pytest.raises(ValueError, match="'lambda', 'l1_norm' or 'dev_ratio'"):
        path.plot("log")


@pytest.mark.parametrize("x", ["lambda", "dev_ratio"])
def test_the_counts_on_top_belong_to_the_points_below(path, x):
    ax = path.plot(x)
    (top,) = [other for other in ax.figure.axes if other is not ax]
    ax.figure.draw_without_rendering()
    counts = [text.get_text() for text in top.get_xticklabels()]
    # Nine places on four equal steps: every second one is a point of the grid.
    assert counts[::2] == ["0", "1", "3", "3", "5"]
    assert top.get_xlabel() == "non-zero coefficients"
    ax.set_xlim(curves(ax)[0].get_xdata()[[2, 4]])  # zoom in
    ax.figure.draw_without_rendering()
    assert [text.get_text() for text in top.get_xticklabels()][::4] == ["3", "3", "5"]


def test_zero_and_inf_have_their_place_at_the_ends():
    path = make_path(lambdas=[np.inf, 1.0, 0.1, 0.01, 0.0])
    ax = path.plot()
    assert np.isfinite(curves(ax)[0].get_xdata()).all()
    ticks = [text.get_text() for text in ax.get_xticklabels()]
    assert {r"$\infty$", "0"} < set(ticks)
    places = dict(zip(ticks, ax.get_xticks(), strict=True))
    assert ax.get_xlim() == (places[r"$\infty$"], places["0"])
    assert places[r"$\infty$"] > 1.0
    assert 0.0 < places["0"] < 0.01


@pytest.mark.parametrize("lambdas", [[0.5], [0.0], [np.inf], [np.inf, 0.0], [1e-300, 1e-320]])
def test_short_and_extreme_grids_can_be_drawn(lambdas, tmp_path):
    path = make_path(DENSE[:, -len(lambdas) :], lambdas=lambdas)
    for x in ("lambda", "l1_norm", "dev_ratio"):
        path.plot(x).figure.savefig(tmp_path / f"{x}.png")
    path.plot_diagnostics()[0, 0].figure.savefig(tmp_path / "diagnostics.png")


@pytest.mark.parametrize("n_labels", [0, 8])
def test_a_path_of_zeros_can_be_drawn(n_labels, tmp_path):
    path = make_path(np.zeros((6, 5)))
    for x in ("lambda", "l1_norm"):
        path.plot(x, n_labels=n_labels).figure.savefig(tmp_path / "zeros.png")


def test_names_do_not_overlap_even_if_the_ends_of_the_lines_do():
    coefs = np.zeros((8, 5))
    coefs[:, -1] = 1.0 + 1e-3 * np.arange(8)
    ax = make_path(coefs).plot()
    ax.figure.draw_without_rendering()
    # Of the text alone: an annotation includes the line that leads to it.
    boxes = sorted((Text.get_window_extent(text) for text in ax.texts), key=lambda box: box.y0)
    assert len(boxes) == 8
    for below, above in itertools.pairwise(boxes):
        assert below.y1 <= above.y0 + 1.0
    assert boxes[-1].y1 <= ax.figure.bbox.y1


def test_spread_moves_no_more_than_needed(rng):
    wanted = rng.uniform(0.0, 300.0, 12)
    placed = spread(wanted, 10.0, 300.0)
    order = np.argsort(wanted)
    assert (np.diff(placed[order]) >= 10.0 - 1e-9).all()
    apart = np.linspace(0.0, 300.0, 12)
    np.testing.assert_allclose(spread(apart, 10.0, 300.0), apart)
    np.testing.assert_allclose(spread(np.array([5.0, 5.0]), 4.0, 10.0), [3.0, 7.0])


def test_long_names_are_cut():
    names = ("a" * 60, *NAMES[1:])
    assert max(map(len, named(make_path(names=names).plot()))) == 24


def test_only_features_in_use_are_drawn_of_many():
    coefs = np.zeros((20_000, 5))
    coefs[[7, 11_000]] = DENSE[[0, 1]]
    ax = make_path(coefs).plot()
    assert list(named(ax)) == ["x7", "x11000"]
    assert not [c for c in ax.collections if isinstance(c, LineCollection)]


def test_the_diagnostic_panels_show_what_was_recorded(path):
    panels = path.plot_diagnostics()
    gaps, sizes, seconds, passes = panels.ravel()
    labels = [panel.get_ylabel() for panel in panels.ravel()]
    assert labels == [
        "relative dual gap",
        "number of features",
        "milliseconds per lambda",
        "passes over X per lambda",
    ]
    assert gaps.get_yscale() == "log"
    assert gaps.lines[0].get_ydata()[0] == path.settings.tol
    np.testing.assert_array_equal(curves(gaps)[0].get_ydata()[1:], path.dual_gaps[1:])
    np.testing.assert_array_equal(sizes.lines[0].get_ydata(), path.working_set_sizes)
    np.testing.assert_array_equal(sizes.lines[1].get_ydata(), path.n_nonzero)
    np.testing.assert_allclose(seconds.lines[0].get_ydata(), 1e3 * path.seconds)
    np.testing.assert_array_equal(passes.lines[0].get_ydata(), path.passes)
    assert all(panel.get_xlabel() == "lambda (log scale)" for panel in panels.ravel())


def test_points_that_missed_tol_stand_out():
    statuses = (Status.CONVERGED,) * 3 + (Status.MAX_ITER, Status.ROUNDING)
    path = make_path(statuses=statuses, dual_gaps=np.array([0.0, 1e-8, 1e-7, 1e-3, 1e-2]))
    ax = path.plot_diagnostics()[0, 0]
    (missed,) = [line for line in ax.lines if line.get_label() == "missed tol"]
    assert missed.get_ydata().tolist() == [1e-3, 1e-2]
    (zero,) = [line for line in ax.lines if line.get_label() == "zero"]
    assert zero.get_xdata().tolist() == [1.0]


def test_diagnostics_on_given_axes(path):
    _figure, axes = plt.subplots(1, 4)
    assert path.plot_diagnostics(axes).shape == (4,)
    with pytest.raises(ValueError, match="3 axes were given, not 4"):
        path.plot_diagnostics(axes[:3])


def test_a_figure_is_saved_without_pyplot(path, tmp_path):
    before = plt.get_fignums()
    plot.save_figure(path, tmp_path / "path.png")
    assert (tmp_path / "path.png").read_bytes().startswith(b"\x89PNG")
    assert plt.get_fignums() == before


def test_without_matplotlib_the_extra_is_named(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'regpath\[plot\]'"):
        path.plot()


# ---------------------------------------------------------------- several outputs


CLASSES = ("blue", "green", "red")


def test_every_output_has_a_panel():
    panels = make_several(classes=CLASSES, feature_names=tuple("abcd")).plot()
    assert panels.shape == (3,)
    assert [panel.get_title() for panel in panels] == list(CLASSES)
    assert [list(named(panel)) for panel in panels] == [["b"], ["a"], ["b", "d"]]
    np.testing.assert_array_equal(curves(panels[2])[1].get_ydata()[1:], SEVERAL[2, 1, 1:])
    assert {panel.get_xlabel() for panel in panels} == {"lambda (log scale)"}
    assert [panel.get_ylabel() != "" for panel in panels] == [True, False, False]


def test_a_feature_has_the_same_colour_in_every_panel():
    panels = make_several(feature_names=tuple("abcd")).plot()
    first, second, third = (
        {name: t.get_color() for name, t in named(panel).items()} for panel in panels
    )
    assert first["b"] == third["b"] == curves(panels[0])[0].get_color()
    assert len({first["b"], second["a"], third["d"]}) == 3


def test_colours_start_anew_in_every_panel_if_there_are_too_many_features():
    coefs = np.zeros((4, 20, 5))
    for k in range(4):
        coefs[k, 5 * k : 5 * k + 5, -1] = np.arange(5.0, 0.0, -1.0)
    for k, panel in enumerate(make_several(coefs, intercepts=np.zeros((4, 5))).plot()):
        assert list(named(panel)) == [f"x{5 * k + j}" for j in range(5)]
        assert [text.get_color() for text in panel.texts] == list(plot.COLOURS[:5])


def test_classes_share_a_scale_and_responses_do_not():
    limits = {panel.get_ylim() for panel in make_several().plot()}
    assert len(limits) == 1
    low, high = limits.pop()
    assert low < SEVERAL.min()
    assert high > SEVERAL.max()
    responses = make_several(family="multigaussian").plot()
    assert [panel.get_title() for panel in responses] == ["y0", "y1", "y2"]
    assert len({panel.get_ylim() for panel in responses}) == 3


def test_the_norm_sums_over_outputs_and_counts_are_per_output():
    panels = make_several().plot("l1_norm")
    expected = np.abs(SEVERAL).sum(axis=(0, 1))
    for panel in panels:
        np.testing.assert_allclose(curves(panel)[0].get_xdata(), expected)
    panels = make_several().plot()
    panels[0].figure.draw_without_rendering()
    tops = [other for other in panels[0].figure.axes if other not in set(panels)]
    counts = [[text.get_text() for text in top.get_xticklabels()][::2] for top in tops]
    assert counts == [
        ["0", "1", "1", "1", "1"],
        ["0", "0", "0", "1", "1"],
        ["0", "0", "2", "1", "2"],
    ]


def test_panels_of_ones_own_and_their_number():
    figure, axes = plt.subplots(2, 2)
    given = axes.ravel()[:3]
    assert make_several().plot(ax=given).tolist() == given.tolist()
    assert plt.get_fignums() == [figure.number]
    with pytest.raises(ValueError, match="4 axes were given, not 3"):
        make_several().plot(ax=axes)
    with pytest.raises(ValueError, match="1 axes were given, not 3"):
        make_several().plot(ax=axes[0, 0])


@pytest.mark.parametrize("K", [1, 2, 4, 5, 10])
def test_outer_panels_have_the_labels(K, tmp_path):
    path = make_several(np.ones((K, 2, 5)), intercepts=np.zeros((K, 5)), family="multigaussian")
    panels = path.plot("dev_ratio")
    n_columns = panels[0].get_subplotspec().get_gridspec().ncols
    below = [panel.get_xlabel() != "" for panel in panels]
    assert below == [k + n_columns >= K for k in range(K)]
    assert sum(panel.get_ylabel() != "" for panel in panels) == -(-K // n_columns)
    plot.save_figure(path, tmp_path / "path.png")
    assert (tmp_path / "path.png").read_bytes().startswith(b"\x89PNG")


def test_diagnostics_of_several_outputs():
    sizes = make_several().plot_diagnostics()[0, 1]
    np.testing.assert_array_equal(sizes.lines[1].get_ydata(), [0, 1, 2, 2, 3])

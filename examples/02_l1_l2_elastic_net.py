"""L1, L2 and elastic net side by side, on columns that are nearly copies of each other.

A penalised fit minimises *loss + lambda * penalty*. At lambda = 0 the penalty is absent and the
fit is least squares; at lambda = infinity every coefficient is zero. Between the two the
penalties take different roads, and correlated columns show how different.

The smallest case. Take a row x = [1, 1, 1, 1] and two weight vectors,

    w1 = [1, 0, 0, 0]               x'w1 = 1
    w2 = [0.26, 0.25, 0.25, 0.25]   x'w2 = 1.01

which predict nearly the same. Which one a fit returns is therefore up to the penalty:

* **L1**, the sum of |w|, is 1 for w1 and 1.01 for w2: it prefers **w1**, one column for all four.
  The sum does not care how a weight is spread, so the least difference decides, and corners
  (zeros) win.
* **L2**, half the sum of w^2, is 0.5 for w1 and 0.128 for w2: it prefers **w2** by a factor of
  four. One large weight is dear, many small ones are cheap.
* The **elastic net** with l1_ratio 0.5 is 0.75 for w1 and 0.569 for w2: **w2** as well. It
  spreads the weight within a group of like columns, and yet sets columns that carry nothing to
  zero.

When to prefer which

* **L1 (lasso)**: you believe that few columns matter, you want a list, or predictions must be
  cheap. Beware: among near copies its choice is little better than chance and changes with the
  sample.
* **L2 (ridge)**: you want predictions; many columns each matter a little, or stand for the same
  thing. It never selects: all coefficients stay non-zero until lambda is infinite.
* **Elastic net**: you want a list, and columns come in groups (genes of a pathway, neighbouring
  wavelengths, words that go together). It selects groups. It is also the safe choice when there
  are more columns than rows: the lasso keeps at most as many columns as there are rows.

What the picture shows: least squares (left ends) gives the four copies weights from -0.66 to
1.06, the chance of one sample. L1 removes copies one after the other; L2 pulls all four together;
the elastic net does both. At lambda = 0.3, L1 holds two of the copies and the others all four.

Writes `output/l1_l2_elastic_net.png` beside this script.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import regpath

OUTPUT = Path(__file__).parent / "output"
NAMES = ["copy 1", "copy 2", "copy 3", "copy 4", "alone", "noise"]
COLOURS = ["#08306b", "#2171b5", "#5aa5d6", "#a6d0ec", "#d95f02", "#999999"]
MODELS = {"L1 (lasso)": 1.0, "Elastic net, l1_ratio 0.5": 0.5, "L2 (ridge)": 0.0}
W1 = np.array([1.0, 0.0, 0.0, 0.0])
W2 = np.array([0.26, 0.25, 0.25, 0.25])
LAMBDAS = np.concatenate([[np.inf], np.logspace(2.5, -4, 120), [0.0]])


def make_data() -> tuple[np.ndarray, np.ndarray]:
    """Four near copies of one signal, one column that matters by itself, and one of pure noise."""
    rng = np.random.default_rng(0)
    signal = rng.standard_normal((150, 1))
    X = np.hstack([signal + 0.08 * rng.standard_normal((150, 4)), rng.standard_normal((150, 2))])
    y = signal[:, 0] + 0.6 * X[:, 4] + 0.5 * rng.standard_normal(150)
    return X, y


def penalty(w: np.ndarray, l1_ratio: float) -> float:
    """Value of the penalty that regpath multiplies by lambda."""
    return float(l1_ratio * np.abs(w).sum() + (1 - l1_ratio) / 2 * (w @ w))


def plot_path(ax: plt.Axes, path: regpath.Path) -> None:
    """Coefficients against lambda, with lambda = 0 and infinity at the two ends."""
    inner = slice(1, -1)
    for name, colour, b in zip(NAMES, COLOURS, path.coefs):
        ax.plot(path.lambdas[inner], b[inner], color=colour, lw=2, label=name)
        # The two ends have no place on a logarithmic axis: they are drawn as points beside it.
        ax.plot(
            [LAMBDAS[-2] / 3, LAMBDAS[1] * 3], b[[-1, 0]], "o", color=colour, ms=5, clip_on=False
        )
    ax.axhline(0, color="black", lw=0.6, zorder=0)
    ax.set(xscale="log", xlim=(LAMBDAS[-2] / 3, LAMBDAS[1] * 3))
    ax.set_xlabel("lambda", labelpad=-14)
    ax.set_xticks([LAMBDAS[-2] / 3, 1e-3, 1e-2, 1e-1, 1, 10, 100, LAMBDAS[1] * 3])
    ax.set_xticklabels(["0\nleast\nsquares", "", "0.01", "", "1", "", "100", "∞\nall\nzero"])
    ax.minorticks_off()


def plot_preference(ax: plt.Axes, l1_ratio: float) -> None:
    """Penalties of the two weight vectors; the smaller, preferred one is filled."""
    values = [penalty(w, l1_ratio) for w in (W1, W2)]
    for place, value in enumerate(values):
        best = value == min(values)
        ax.barh(place, value, height=0.6, color="#2171b5" if best else "white", edgecolor="#2171b5")
        ax.text(value + 0.02, place, f"{value:.3f}{'  preferred' if best else ''}", va="center")
    ax.set(yticks=[0, 1], xlim=(0, 1.45), ylim=(1.6, -0.6), xlabel="penalty")
    ax.set_yticklabels(["[1, 0, 0, 0]", "[.26, .25, .25, .25]"], family="monospace")


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    print(f"x = [1, 1, 1, 1]:  x'w1 = {W1.sum():.2f}, x'w2 = {W2.sum():.2f}")
    for title, l1_ratio in MODELS.items():
        first, second = penalty(W1, l1_ratio), penalty(W2, l1_ratio)
        better = "w1, the single column" if first < second else "w2, the even spread"
        print(f"{title:<26} penalty of w1 {first:.3f}, of w2 {second:.3f}: prefers {better}")

    X, y = make_data()
    A = np.column_stack([np.ones(len(y)), X])
    least_squares = np.linalg.lstsq(A, y, rcond=None)[0][1:]
    figure, axes = plt.subplots(2, 3, figsize=(13, 6.6), height_ratios=[3, 1], layout="constrained")
    print("\nOn data, near copies 1 to 4, one column alone, one of noise (lambda = 0.3):")
    for column, (title, l1_ratio) in enumerate(MODELS.items()):
        path = regpath.fit_path(X, y, l1_ratio=l1_ratio, lambdas=LAMBDAS, tol=1e-10)
        assert not path.coefs[:, 0].any()  # lambda = infinity
        assert np.allclose(path.coefs[:, -1], least_squares, atol=1e-4)  # lambda = 0
        print(f"{title:<26}", "  ".join(f"{b:6.3f}" for b in path.coef_at(0.3)))
        plot_path(axes[0, column], path)
        axes[0, column].set_title(title, fontweight="bold")
        plot_preference(axes[1, column], l1_ratio)
    for row in axes:
        for ax in row[1:]:
            ax.sharey(row[0])
            ax.tick_params(labelleft=False)
    axes[0, 0].set_ylabel("coefficient")
    axes[0, 2].legend(frameon=False, loc="upper right")
    axes[1, 0].set_title("Same prediction, which weights?", loc="left", fontsize="medium")
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(OUTPUT / "l1_l2_elastic_net.png", dpi=110)
    print(f"\nWrote {OUTPUT.name}/l1_l2_elastic_net.png")


if __name__ == "__main__":
    main()

"""Logistic regression with L1 and L2: what the penalty does to the line between two classes.

The data are 569 breast tumours (Wolberg, Street and Mangasarian, 1993), benign or malignant, of
which two measurements are used: the concavity and the texture of the cell nuclei. To let the
boundary between the classes bend, all products of the two up to the fourth power are features: 14
of them, closely correlated, which without a penalty follow single tumours.

A logistic path models the log-odds, eta = b0 + x'b, and its boundary is where eta = 0. A penalty
on b therefore moves and bends the boundary:

* **L1 (lasso)** takes the products in one by one. Its boundary is a straight line, then a conic,
  and so on: at every lambda a curve of few terms, which one can write down.
* **L2 (ridge)** has all 14 in from the start, each a little. Its boundary is bent from the first
  lambda on; no term is ever absent.
* Where the classes are well apart, some penalty is needed in any case: a boundary without mistakes
  lets coefficients grow without bound.

The boundaries are compared where both penalties explain the same share of the deviance. Equal
lambdas would mean little: the two penalties have different units.

What the picture shows. Above: tumours and boundaries, from pale (much penalty) to dark (little).
That of L1 starts as a vertical line, for concavity alone explains 30 %, and then leans over. With
little penalty both bend after single tumours: the loop at the right goes round one benign tumour
among malignant ones. Below: the coefficients of the 14 products on the way; the dotted lines mark
the boundaries above. For half of the deviance L1 takes two products, and L2 all of them.

Writes `output/logistic_boundaries.png` beside this script.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

import regpath

OUTPUT = Path(__file__).parent / "output"
# Penalty: l1_ratio, and how far down its path goes.
PENALTIES = {"L1 (lasso)": (1.0, 1e-4), "L2 (ridge)": (0.0, 1e-7)}
SHARES = [0.3, 0.5, 0.6, 0.64]
SHADES = ["#c994c7", "#df65b0", "#a3127f", "#3f007d"]
CLASS_COLOURS = {"benign": "#56a0d3", "malignant": "#e08214"}
DEGREE = 4


def load_tumours() -> tuple[np.ndarray, np.ndarray]:
    """Concavity and texture of each tumour, and what it is."""
    try:
        from sklearn.datasets import load_breast_cancer
    except ImportError:  # something alike
        rng = np.random.default_rng(0)
        bad = rng.random(569) < 0.37
        texture = np.where(bad, 21.6, 17.9) + 3.9 * rng.standard_normal(569)
        concavity = rng.gamma(np.where(bad, 4.6, 1.3), np.where(bad, 0.035, 0.036))
        return np.column_stack([concavity, texture]), np.where(bad, "malignant", "benign")
    data = load_breast_cancer()
    names = list(data.feature_names)
    columns = [names.index("mean concavity"), names.index("mean texture")]
    return data.data[:, columns], data.target_names[data.target]


def powers() -> list[tuple[int, int]]:
    """Exponents of concavity and texture in every product, by degree."""
    return [(d - k, k) for d in range(1, DEGREE + 1) for k in range(d + 1)]


def products(z: np.ndarray) -> np.ndarray:
    """All products of the two columns, up to the fourth power."""
    return np.column_stack([z[:, 0] ** i * z[:, 1] ** k for i, k in powers()])


def term(i: int, k: int) -> str:
    """A product in writing."""
    parts = [f"{name}^{e}" if e > 1 else name for name, e in (("c", i), ("t", k)) if e]
    return f"${' '.join(parts)}$"


def point_that_explains(path: regpath.Path, share: float) -> int:
    """Position of the first lambda that explains this share of the deviance, or of the last one."""
    return int(np.argmax(path.dev_ratio >= min(share, path.dev_ratio.max())))


def plot_boundaries(ax: plt.Axes, path: regpath.Path, X, z, y) -> None:
    """Tumours, and the lines on which both classes are equally likely."""
    for label, colour in CLASS_COLOURS.items():
        own = X[y == label]
        ax.plot(*own.T, "o", ms=3.2, mew=0, color=colour, alpha=0.65)
    low, high = X.min(axis=0), X.max(axis=0)
    low, high = low - 0.03 * (high - low), high + 0.03 * (high - low)
    grid = np.meshgrid(*np.linspace(low, high, 300).T)
    features = products(
        (np.column_stack([g.ravel() for g in grid]) - X.mean(axis=0)) / X.std(axis=0)
    )
    for share, shade in zip(SHARES, SHADES):
        lambda_ = path.lambdas[point_that_explains(path, share)]
        eta = path.predict(features, lambda_, type="link").reshape(grid[0].shape)
        ax.contour(*grid, eta, levels=[0.0], colors=[shade], linewidths=2)
    ax.set(xlabel="concavity", xlim=(low[0], high[0]), ylim=(low[1], high[1]))


def plot_coefficients(ax: plt.Axes, path: regpath.Path) -> None:
    """Coefficients along the path, down to the last of the boundaries above."""
    shown = slice(0, point_that_explains(path, SHARES[-1]) + 4)
    lambdas, coefs = path.lambdas[shown], path.coefs[:, shown]
    for j, (exponents, row) in enumerate(zip(powers(), coefs)):
        named = sum(exponents) <= 3
        colour = plt.cm.tab10(j) if named else "#bbbbbb"
        label = term(*exponents) if named else None
        ax.plot(lambdas, row, color=colour, lw=2 if named else 1, label=label)
    ax.plot([], [], color="#bbbbbb", lw=1, label="degree 4")
    for share, shade in zip(SHARES, SHADES):
        lambda_ = path.lambdas[point_that_explains(path, share)]
        ax.axvline(lambda_, color=shade, lw=2, ls=":", zorder=0)
    ax.axhline(0, color="black", lw=0.6, zorder=0)
    ax.set(xscale="log", xlabel="lambda (log scale)", xlim=(lambdas[0], lambdas[-1]))


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    X, y = load_tumours()
    z = (X - X.mean(axis=0)) / X.std(axis=0)
    figure, axes = plt.subplots(2, 2, figsize=(11, 9), height_ratios=[3, 2], layout="constrained")
    for column, (title, (l1_ratio, ratio)) in enumerate(PENALTIES.items()):
        path = regpath.fit_path(
            products(z), y, family="binomial", l1_ratio=l1_ratio, lambda_min_ratio=ratio
        )
        print(
            f"{title}: the probability of {str(path.classes[1])!r}, {path.certify(products(z), y)}"
        )
        for share in SHARES:
            k = point_that_explains(path, share)
            right = (path.predict(products(z), path.lambdas[k], type="class") == y).mean()
            print(
                f"  {path.dev_ratio[k]:.0%} explained at lambda = {path.lambdas[k]:9.3g}: "
                f"{path.n_nonzero[k]:2d} products, {right:.1%} of the tumours on their side"
            )
        plot_boundaries(axes[0, column], path, X, z, y)
        plot_coefficients(axes[1, column], path)
        axes[0, column].set_title(title, fontweight="bold")
    axes[0, 0].set_ylabel("texture")
    axes[1, 0].set_ylabel("coefficient of the product")
    entries = [
        Line2D([], [], ls="", marker="o", color=colour, label=label)
        for label, colour in CLASS_COLOURS.items()
    ]
    entries += [
        Line2D([], [], color=shade, lw=2, label=f"{share:.0%} explained")
        for share, shade in zip(SHARES, SHADES)
    ]
    axes[0, 0].legend(handles=entries, frameon=False, loc="upper right", fontsize=9)
    title = "c: concavity, t: texture (standardized)"
    axes[1, 1].legend(loc="upper left", title=title, frameon=False, fontsize=9, ncols=3)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(OUTPUT / "logistic_boundaries.png", dpi=110)
    print(f"\nWrote {OUTPUT.name}/logistic_boundaries.png")


if __name__ == "__main__":
    main()

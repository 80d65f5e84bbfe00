"""Multinomial regression on digits: ten classes, and the pixels that speak for each.

The data are 1797 handwritten digits of 8 x 8 pixels (Alpaydin and Kaynak, 1998). The multinomial
family gives every class coefficients of its own, and the probability of class k is proportional to
exp(b0_k + x'b_k): 640 coefficients in all. What counts is how classes differ, for adding the same
number to a pixel's ten coefficients changes nothing. The penalty decides among these equal answers
(L1 puts a median of a pixel's ten coefficients at 0, L2 their mean).

* **L1 (lasso)**, as here, chooses pixels for each class by itself: a pixel may speak for 0 and
  against 4 and be silent about the rest. The pictures of coefficients are sparse and can be read.
* **Grouped**, `family=Multinomial(grouped=True)`, lets a pixel in for all classes at once or for
  none. Prefer it where measuring a feature costs something, not using it.
* **L2 (ridge)** uses all pixels for all classes: often the best predictions, and grey pictures.

Without a penalty there is no answer at all: 1000 digits in 64 dimensions are separated without a
mistake, and the likelihood grows with the coefficients for ever.

What the picture shows. Above: for each class the coefficients at the lambda that does best on
held-out digits, red for a class and blue against it. The empty centre of 0 is blue, the foot of 2
is red, and white pixels are not used. Below: the share of held-out digits that is recognised, and
how many of the 640 coefficients it takes. After the best point the path only fits the digits it
knows. (A share that chose its own lambda flatters a little; an honest one takes a third set.)

Writes `output/multinomial_digits.png` beside this script.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import regpath

OUTPUT = Path(__file__).parent / "output"
N_TRAIN = 1000
TRAIN_COLOUR, TEST_COLOUR, COUNT_COLOUR = "#999999", "#2171b5", "#d95f02"


def load() -> tuple[np.ndarray, np.ndarray]:
    """Images as rows of 64 pixels from 0 to 1, and their digits."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:  # something alike: blurred patterns, moved about and noisy
        rng = np.random.default_rng(0)
        patterns = rng.random((10, 64)) ** 3
        y = rng.integers(10, size=1797)
        return np.clip(patterns[y] + 0.35 * rng.standard_normal((1797, 64)), 0, 1), y
    X, y = load_digits(return_X_y=True)
    return X / 16, y


def plot_images(axes: np.ndarray, coefs: np.ndarray, classes: np.ndarray):
    """Coefficients of every class as an image; one scale of colours for all."""
    most = np.quantile(np.abs(coefs), 0.99)
    for ax, b, label in zip(axes.flat, coefs, classes):
        image = ax.imshow(b.reshape(8, 8), cmap="RdBu_r", vmin=-most, vmax=most)
        ax.set_title(f"{label}   ({np.count_nonzero(b)} pixels)", fontsize=10)
        ax.set(xticks=[], yticks=[])
    return image


def plot_accuracy(ax: plt.Axes, path: regpath.Path, known, new, best: int) -> None:
    """Accuracy along the path, and the number of coefficients on a second axis."""
    ax.plot(path.lambdas, 100 * known, color=TRAIN_COLOUR, lw=1.5, label="digits of the fit")
    ax.plot(path.lambdas, 100 * new, color=TEST_COLOUR, lw=2.2, label="held-out digits")
    ax.plot(path.lambdas[best], 100 * new[best], "o", color=TEST_COLOUR)
    ax.annotate(
        f"{new[best]:.1%}", (path.lambdas[best], 100 * new[best]), (0, -9),
        textcoords="offset points", ha="center", va="top", color=TEST_COLOUR,
    )  # fmt: skip
    ax.set(xscale="log", xlim=(path.lambdas[0], path.lambdas[-1]), ylim=(0, 104))
    ax.set(xlabel="lambda (log scale)", ylabel="recognised [%]")
    count = ax.twinx()
    used = np.count_nonzero(path.coefs, axis=(0, 1))
    count.plot(path.lambdas, used, color=COUNT_COLOUR, lw=1.5, ls="--", label="coefficients")
    count.set_ylabel("non-zero coefficients of 640", color=COUNT_COLOUR)
    count.set_ylim(0, 640)
    count.spines["top"].set_visible(False)
    ax.spines["top"].set_visible(False)
    lines = [*ax.get_lines()[:2], *count.get_lines()]
    ax.legend(lines, [str(line.get_label()) for line in lines], frameon=False, loc="lower right")


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    X, y = load()
    order = np.random.default_rng(0).permutation(len(y))
    train, test = order[:N_TRAIN], order[N_TRAIN:]

    # All pixels share one unit, so they are left as they are; those on the rim are always white.
    path = regpath.lasso_path(
        X[train], y[train], family="multinomial", standardize=False, n_lambdas=40,
        lambda_min_ratio=2e-3, tol=1e-4,
    )  # fmt: skip
    print(f"{path!r}\n\nIn {path.info['seconds_total']:.1f} s; {path.certify(X[train], y[train])}")

    known = (path.predict(X[train], type="class") == y[train, None]).mean(axis=0)
    new = (path.predict(X[test], type="class") == y[test, None]).mean(axis=0)
    best = int(new.argmax())
    print(
        f"\nBest on held-out digits: {new[best]:.1%} at lambda = {path.lambdas[best]:.5f}, with "
        f"{np.count_nonzero(path.coefs[:, :, best])} of {path.coefs[:, :, best].size} coefficients"
    )
    guess = path.predict(X[test], path.lambdas[best], type="class")
    wrong = np.flatnonzero(guess != y[test])
    pairs, counts = np.unique(np.stack([y[test], guess])[:, wrong], axis=1, return_counts=True)
    print("Most often taken for another:", end="")
    for k in np.argsort(-counts, kind="stable")[:3]:
        print(f"  {pairs[0, k]} for {pairs[1, k]} ({counts[k]} times)", end="")

    figure = plt.figure(figsize=(10.5, 9), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[1.25, 1])
    axes = above.subplots(2, 5)
    image = plot_images(axes, path.coefs[:, :, best], path.classes)
    above.colorbar(image, ax=axes, shrink=0.7, label="coefficient")
    above.suptitle("Pixels that speak for (red) and against (blue) each digit", fontweight="bold")
    plot_accuracy(below.subplots(), path, known, new, best)
    figure.savefig(OUTPUT / "multinomial_digits.png", dpi=110)
    print(f"\n\nWrote {OUTPUT.name}/multinomial_digits.png")


if __name__ == "__main__":
    main()

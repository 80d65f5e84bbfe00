"""Cross-validation: how much penalty do the diabetes data want?

The data (Efron et al., 2004) are 442 patients with ten measurements, and how far their illness has
progressed a year later. Squares and products of the measurements make 64 columns, of which a few
are worth having: the question is which lambda keeps those and drops the rest.

`cv_path` fits the path to all patients, and once more without each of ten folds; the rows that were
left out judge the models along the path.

* **min** is the lambda with the best mean score. Prefer it when predictions are all that counts.
* **1se** is the largest lambda whose score is within one standard error of the best: as good as the
  best for all one can tell, with fewer features. Prefer it when somebody will read the list.

A score that chose its own lambda flatters a little. Therefore a third of the patients is set aside
here, and looked at once, at the end.

What the pictures show. Left: the mean squared error along the path; it falls while features enter
that matter, and rises slowly while the path fits noise. Middle: the elastic net at four l1_ratios
*on the same folds*, which makes them comparable; the differences are smaller than the error bars
on the left, so that l1_ratio is a matter of taste here. Right: what was predicted for each patient
by the path that never saw it, at both rules.

Writes `output/cross_validation.png` and `output/diabetes_cv.npz` beside this script.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import regpath
from regpath.plot_selection import plot_cv, plot_surface

OUTPUT = Path(__file__).parent / "output"
N_FOLDS = 10
L1_RATIOS = (0.1, 0.5, 0.8, 1.0)


def load() -> tuple[pd.DataFrame, np.ndarray]:
    """Ten measurements, the squares of all but the sex, and all products of two."""
    X, y, names, _ = regpath.datasets.load_diabetes()
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    columns = dict(zip(names, Z.T))
    for i, first in enumerate(names):
        for j, second in enumerate(names[i:], start=i):
            if i != j or len(np.unique(X[:, i])) > 2:
                columns[f"{first}^2" if i == j else f"{first}*{second}"] = Z[:, i] * Z[:, j]
    return pd.DataFrame(columns), y


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    X, y = load()
    rng = np.random.default_rng(3)
    order = rng.permutation(len(y))
    train, test = order[: 2 * len(y) // 3], order[2 * len(y) // 3 :]
    X_train, y_train, X_test, y_test = X.iloc[train], y[train], X.iloc[test], y[test]

    # 1. Labels instead of a number of folds: every l1_ratio below is judged on the same ones.
    folds = rng.permutation(np.arange(len(train)) % N_FOLDS)
    cv = regpath.cv_path(X_train, y_train, cv=folds)
    print(cv)

    # 2. Every fold is a path of its own, with its own certificate; here that of the first one.
    print(f"\nThe first fold: {cv.fold_paths[0].certify(X_train, y_train)}")

    # 3. The models, and what they are worth on patients that took no part in the choice.
    for rule in ("min", "1se"):
        point, error = cv.at(rule), np.mean((cv.predict(X_test, rule) - y_test) ** 2)
        print(
            f"\n{rule}: {point.n_nonzero} features, mean squared error "
            f"{cv.mean_scores[point]:.0f} in the folds, {error:.0f} on the patients set aside"
        )
        largest = sorted(point.selected.items(), key=lambda item: -abs(item[1]))[:6]
        print("  " + ", ".join(f"{name} {b:+.1f}" for name, b in largest))
    print(f"\nWithout any feature: {np.mean((y_train.mean() - y_test) ** 2):.0f}")

    # 4. The same folds for several l1_ratios.
    several = [regpath.cv_path(X_train, y_train, l1_ratio=r, cv=folds) for r in L1_RATIOS]

    # 5. Predictions of every patient by the path that was fitted without it.
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(16, 4.8), layout="constrained")
    plot_cv(cv, ax=left)
    plot_surface(
        [one.lambdas for one in several], L1_RATIOS, [one.mean_scores for one in several],
        score_label=cv.score_label, ax=middle,
    )  # fmt: skip
    for rule, colour in (("min", "#009E73"), ("1se", "#D55E00")):
        out = cv.out_of_fold(X_train, rule)
        label = f"{rule}: correlation {np.corrcoef(out, y_train)[0, 1]:.2f}"
        right.plot(out, y_train, "o", markersize=4, alpha=0.6, color=colour, label=label)
    right.axline((150, 150), slope=1, color="#666666", linewidth=0.8)
    right.set(xlabel="predicted without this patient", ylabel="progression")
    right.legend(frameon=False)
    right.spines[["top", "right"]].set_visible(False)
    figure.savefig(OUTPUT / "cross_validation.png", dpi=110)

    # 6. All of it in one file, without pickle.
    cv.save(OUTPUT / "diabetes_cv.npz")
    again = regpath.CVPath.load(OUTPUT / "diabetes_cv.npz")
    assert np.array_equal(again.fold_scores, cv.fold_scores)
    print(f"\nWrote {OUTPUT.name}/cross_validation.png and {OUTPUT.name}/diabetes_cv.npz")


if __name__ == "__main__":
    main()

"""Five ways to choose a model, on the same path: which one answers your question?

The data (Efron et al., 2004) are 442 patients with ten measurements, and how far their illness has
progressed a year later. Squares and products of the measurements make 64 columns. Another 64 are
the same columns with the patients in another order: they look like data and know nothing of the
illness. A rule that keeps one of them is wrong for certain, and here one can count how often.

The rules ask different questions.

* **AIC** asks for good predictions, **BIC** for the true model; both read the answer off one path.
  They cost nothing, and trust a formula of the fit, the rows and the number of coefficients.
* **Cross-validation** asks the rows that were left out. `min` is for predictions; `1se` is the
  smallest model that is as good for all one can tell.
* **Relaxed** fits ask them as well, but undo the shrinkage of what was selected, as far as that
  helps. The lasso must keep lambda low to leave large coefficients large, and so lets noise in; a
  relaxed fit need not, and is as good with fewer columns.
* **Stability selection** does not ask for predictions at all. It selects in halves of the patients,
  again and again, and keeps what comes back; the number of false ones has a bound.

Each rule is given two thirds of the patients and judged on the rest, ten times over with other
thirds: a single split says little, for errors differ more between splits than between rules.

What the pictures show. Top left: both criteria along one path, from their minima; AIC goes further
down, and meets noise. Top right: cross-validation of the same path, with all of its shrinkage
(gamma 1), half of it, and none. Bottom left: how often columns come back in halves of the patients;
up to the lambda at which the bound is used up (the line) noise has hardly begun. Bottom right: what
each rule keeps, and its error on patients set aside, in percent of that of the mean response. The
errors are alike; the lists are not. AIC is the worst at both: its formula is meant for many more
rows than coefficients, and in one split it keeps 88 columns. `aicc` is its repair, and keeps 20
at most here.

Writes `output/choosing_models.png` beside this script.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import regpath

OUTPUT = Path(__file__).parent / "output"
N_SPLITS = 10
THRESHOLD, MAX_FALSE = 0.75, 1.0
NOISE = "noise:"
COLOURS = {
    "AIC": "#56B4E9",
    "BIC": "#0072B2",
    "cv min": "#009E73",
    "cv 1se": "#8FD694",
    "relaxed min": "#CC79A7",
    "relaxed 1se": "#E69F00",
    "stability": "#222222",
}
NOISE_COLOUR = "#D55E00"


def load(rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """Measurements, squares and products, and all of these once more in a wrong order of rows."""
    X, y, names, _ = regpath.datasets.load_diabetes()
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    columns = dict(zip(names, Z.T))
    for i, first in enumerate(names):
        for j, second in enumerate(names[i:], start=i):
            if i != j or len(np.unique(X[:, i])) > 2:
                columns[f"{first}^2" if i == j else f"{first}*{second}"] = Z[:, i] * Z[:, j]
    wrong = rng.permutation(len(y))
    noise = {NOISE + name: column[wrong] for name, column in columns.items()}
    return pd.DataFrame(columns | noise), y


def fit(X: pd.DataFrame, y: np.ndarray) -> tuple[regpath.CVPath, regpath.StabilityPath]:
    """Everything the rules need: a cross-validated path with its refits, and its resamples."""
    cv = regpath.cv_path(X, y, cv=10, random_state=1, relax=True)
    stable = regpath.stability_path(X, y, n_resamples=100, random_state=1)
    return cv, stable


def choose(cv, stable, X, y, X_new) -> dict[str, tuple[list[str], np.ndarray]]:
    """The columns that each rule keeps, and what it predicts for other patients."""
    chosen = {}
    for rule in ("aic", "bic"):
        point = cv.path.select(rule)
        chosen[rule.upper()] = list(point.selected), cv.predict(X_new, point.lambda_)
    for rule in ("min", "1se"):
        chosen[f"cv {rule}"] = list(cv.at(rule).selected), cv.predict(X_new, rule)
    for rule in ("min", "1se"):
        blend = cv.relaxed.at(rule)
        chosen[f"relaxed {rule}"] = list(blend.selected), cv.relaxed.predict(X_new, rule)
    # Stability selection gives names and no model: least squares on them is one (lambda = 0).
    names = list(X.columns[stable.selected(THRESHOLD, max_false=MAX_FALSE)])
    model = regpath.lasso_path(X[names], y, lambdas=[0.0])
    chosen["stability"] = names, model.predict(X_new[names], 0.0)
    return chosen


def compare(X: pd.DataFrame, y: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Columns, worthless ones among them, and the error on patients set aside, for every split."""
    rows = []
    for split in range(N_SPLITS):
        order = rng.permutation(len(y))
        train, test = order[: 2 * len(y) // 3], order[2 * len(y) // 3 :]
        X_train, y_train, X_test, y_test = X.iloc[train], y[train], X.iloc[test], y[test]
        chosen = choose(*fit(X_train, y_train), X_train, y_train, X_test)
        for rule, (names, predicted) in chosen.items():
            error = np.mean((predicted - y_test) ** 2) / np.mean((y_train.mean() - y_test) ** 2)
            n_noise = sum(name.startswith(NOISE) for name in names)
            rows.append((split, rule, len(names), n_noise, 100 * error))
    return pd.DataFrame(rows, columns=["split", "rule", "columns", "noise", "error"])


def draw_criteria(ax: plt.Axes, path: regpath.Path) -> None:
    criteria = path.criteria()
    for rule in ("AIC", "BIC"):
        values, best = getattr(criteria, rule.lower()), criteria.best(rule.lower())
        label = f"{rule}: {path.n_nonzero[best]} columns"
        ax.plot(path.lambdas, values - values.min(), color=COLOURS[rule], label=label)
        ax.plot(path.lambdas[best], 0, "o", color=COLOURS[rule])
    ax.set(xscale="log", ylim=(-5, 120), ylabel="criterion, from its minimum")
    ax.set_title("Criteria: fit plus a price for each coefficient", fontsize=11)


def draw_folds(ax: plt.Axes, cv: regpath.CVPath) -> None:
    relaxed, styles = cv.relaxed, {0.0: ":", 0.5: "--", 1.0: "-"}
    texts = {0.0: "refits, gamma 0", 0.5: "half of each, gamma 0.5", 1.0: "lasso, gamma 1"}
    for gamma, scores in zip(relaxed.gammas, relaxed.mean_scores):
        if gamma in styles:
            ax.plot(cv.lambdas, scores, styles[gamma], color="#666666", label=texts[gamma])
    for rule in ("min", "1se"):
        k, (g, position) = cv.index_at(rule), relaxed.index_at(rule)
        n_columns = cv.path.n_nonzero
        for name, place, score in (
            (f"cv {rule}", k, cv.mean_scores[k]),
            (f"relaxed {rule}", position, relaxed.mean_scores[g, position]),
        ):
            label = f"{name}: {n_columns[place]} columns"
            ax.plot(cv.lambdas[place], score, "o", markersize=8, color=COLOURS[name], label=label)
    ax.set(xscale="log", ylim=(2850, 4200), ylabel=cv.score_label)
    ax.set_title("Folds: the rows that were left out", fontsize=11)


def draw_stability(ax: plt.Axes, stable: regpath.StabilityPath) -> None:
    bound = stable.max_false_selections(THRESHOLD)
    last = np.flatnonzero(bound <= MAX_FALSE)[-1]
    names = np.array(stable.feature_names)
    kept = stable.selected(THRESHOLD, max_false=MAX_FALSE)
    for j, frequency in enumerate(stable.frequencies):
        noise = names[j].startswith(NOISE)
        style = {"color": NOISE_COLOUR if noise else "#AAAAAA", "linewidth": 0.7, "alpha": 0.8}
        if j in kept:
            style = {"color": COLOURS["stability"], "linewidth": 1.8, "zorder": 3}
        ax.plot(stable.lambdas, frequency, **style)
    for label, colour in (("kept", "#222222"), ("noise", NOISE_COLOUR), ("others", "#AAAAAA")):
        text = f"{label}: {', '.join(names[kept])}" if label == "kept" else label
        ax.plot([], [], color=colour, label=text)
    ax.axvline(stable.lambdas[last], color="#666666", linewidth=0.8)
    ax.axhline(THRESHOLD, color="#666666", linewidth=0.8, linestyle="--")
    ax.set(xscale="log", ylabel="share of halves that select it")
    ax.set_title(f"Stability: at most {MAX_FALSE:g} false column expected", fontsize=11)


def draw_comparison(ax: plt.Axes, table: pd.DataFrame) -> None:
    useful = table["columns"] - table["noise"]
    ax.barh(table.index, useful, color=[COLOURS[rule] for rule in table.index])
    ax.barh(table.index, table["noise"], left=useful, color=NOISE_COLOUR, label="noise")
    for row, (columns, error) in enumerate(zip(table["columns"], table["error"])):
        ax.annotate(
            f"error {error:.0f} %", (columns, row), xytext=(5, 0), va="center",
            textcoords="offset points",
        )  # fmt: skip
    ax.set(xlim=(0, 1.2 * table["columns"].max()), xlabel="columns kept")
    ax.invert_yaxis()
    ax.set_title(f"Patients set aside: means over {N_SPLITS} splits", fontsize=11)


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    rng = np.random.default_rng(5)
    X, y = load(rng)

    # 1. All patients: what each rule would report.
    cv, stable = fit(X, y)
    print(f"{X.shape[0]} patients, {X.shape[1]} columns, half of them noise\n")
    for rule, (names, _) in choose(cv, stable, X, y, X).items():
        true = [name for name in names if not name.startswith(NOISE)]
        text = ", ".join(true[:8]) + (", ..." if len(true) > 8 else "")
        print(f"{rule:12} {len(names):3d} columns, {len(names) - len(true):2d} of noise: {text}")

    # 2. The same choices in two thirds of the patients, judged on the rest.
    results = compare(X, y, rng)
    table = results.groupby("rule", sort=False)[["columns", "noise", "error"]].mean()
    spread = results.groupby("rule", sort=False)["error"].std()
    print(f"\nMeans over {N_SPLITS} splits (error: percent of that of the mean response)\n")
    print(table.assign(spread=spread).round(1).to_string())

    # 3. The picture.
    figure, axes = plt.subplots(2, 2, figsize=(13, 9.4), layout="constrained")
    draw_criteria(axes[0, 0], cv.path)
    draw_folds(axes[0, 1], cv)
    draw_stability(axes[1, 0], stable)
    draw_comparison(axes[1, 1], table)
    for ax in axes.flat:
        where = "lower right" if ax is axes[1, 1] else "best"
        ax.legend(loc=where, framealpha=0.9, edgecolor="none", fontsize=9)
        ax.spines[["top", "right"]].set_visible(False)
    for ax in axes.flat[:3]:
        ax.set(xlim=(1.1 * cv.lambdas[0], 0.1), xlabel="lambda (log scale)")
    figure.savefig(OUTPUT / "choosing_models.png", dpi=110)
    print(f"\nWrote {OUTPUT.name}/choosing_models.png")


if __name__ == "__main__":
    main()

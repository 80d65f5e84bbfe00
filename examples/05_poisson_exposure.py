"""Poisson regression with exposure: how often, not how many.

An insurer counts claims per policy. A policy that ran for a month has fewer claims than one that
ran for a year, which says nothing about the driver. What is wanted is the *rate* per year, and the
expected count is rate times exposure:

    log E[count] = log(exposure) + b0 + x'b

The first summand is known, hence an **offset**: `offset=np.log(exposure)`. (Another way to state
it: counts / exposure as response and exposure as `sample_weight`.)

The 100,000 policies are generated, so that the true rates are known. As in real portfolios the time
at risk is no accident: the young change their insurer often, and their policies are short.
Eight columns matter, 22 do not. A lasso path, its lambda taken on held-out policies, finds the
eight, beside others with coefficients next to zero.

What goes wrong without exposure: a short policy looks like a good driver. The young, whose true
rate is highest, then look average, and the coefficient of their column is far too small.

What the picture shows. Left: coefficients along the path with exposure; the dashed lines are true.
Middle: estimates against true coefficients. Without exposure the two columns that go with the
length of a policy are far too low, and all others agree. Right: predicted and observed claims per
year, for ten groups of policies of rising prediction. With exposure they lie along the diagonal up
to 0.3 claims a year. Without, predictions end at 0.23, which is too little even for that group: the
model does not know the riskiest drivers.

Writes `output/poisson_exposure.png` beside this script.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import xlogy

import regpath

OUTPUT = Path(__file__).parent / "output"
TRUTH = {
    "young driver": 0.7,
    "new policy": 0.45,
    "city": 0.33,
    "night driving": 0.22,
    "power": 0.12,
    "old car": -0.15,
    "garage": -0.25,
    "good record": -0.4,
}
BASE_RATE, N_NOISE, N, N_TRAIN = 0.12, 22, 100_000, 40_000
WITH, WITHOUT = "with exposure", "without"
COLOURS = {WITH: "#2171b5", WITHOUT: "#d95f02"}


def make_policies(rng: np.random.Generator):
    """Features of policies, time at risk in years, claims, and the true rate per year."""
    shares = {"young driver": 0.2, "new policy": 0.3, "city": 0.4, "night driving": 0.3,
              "old car": 0.35, "garage": 0.5, "good record": 0.6}  # fmt: skip
    columns = {
        name: rng.random(N) < shares[name] if name in shares else rng.standard_normal(N)
        for name in TRUTH
    }
    noise = [rng.standard_normal(N) for _ in range(N_NOISE)]
    X = np.column_stack([*columns.values(), *noise]).astype(float)
    short = columns["young driver"] * 1.0 + columns["new policy"] * 1.5
    exposure = np.clip(rng.beta(2.0, 0.8 + 1.2 * short), 0.02, 1.0)
    coef = np.concatenate([list(TRUTH.values()), np.zeros(N_NOISE)])
    rate = BASE_RATE * np.exp(X @ coef)
    return X, exposure, rng.poisson(rate * exposure), coef


def deviance(claims: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Mean Poisson deviance of each column of expected counts."""
    y = claims[:, None]
    return 2 * (xlogy(y, y / expected) - y + expected).mean(axis=0)


def groups_of_rates(rates: np.ndarray, claims: np.ndarray, exposure: np.ndarray):
    """Predicted and observed claims per year in ten groups of rising prediction."""
    parts = np.array_split(np.argsort(rates), 10)
    predicted = [(rates[i] * exposure[i]).sum() / exposure[i].sum() for i in parts]
    observed = [claims[i].sum() / exposure[i].sum() for i in parts]
    return np.array(predicted), np.array(observed)


def plot_path(ax: plt.Axes, path: regpath.Path, lambda_: float) -> None:
    ax.plot(path.lambdas, path.coefs[len(TRUTH) :].T, color="#cccccc", lw=0.8)
    for k, (name, true) in enumerate(TRUTH.items()):
        colour = plt.cm.tab10(k)
        ax.plot(path.lambdas, path.coefs[k], color=colour, lw=2)
        ax.axhline(true, color=colour, lw=1, ls="--", zorder=0)
        ax.text(path.lambdas[-1] * 0.85, true, name, color=colour, fontsize=9, va="center")
    ax.axvline(lambda_, color="black", lw=1, ls=":")
    ax.text(lambda_ * 0.9, 0.8, "best on held-out policies", fontsize=9)
    ax.set(xscale="log", xlim=(path.lambdas[0], path.lambdas[-1]), ylim=(-0.56, 0.88))
    ax.set(xlabel="lambda (log scale)", ylabel="coefficient")
    ax.set_title("The path with exposure (dashed: true)", fontweight="bold")


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    X, exposure, claims, coef = make_policies(np.random.default_rng(3))
    train, test = np.arange(N) < N_TRAIN, np.arange(N) >= N_TRAIN
    print(f"{claims.sum()} claims in {exposure.sum():.0f} years of {N} policies")

    offsets = {WITH: np.log(exposure), WITHOUT: None}
    figure, axes = plt.subplots(
        1, 3, figsize=(15, 4.8), width_ratios=[1.3, 1, 1], layout="constrained"
    )
    for title, offset in offsets.items():
        path = regpath.lasso_path(
            X[train],
            claims[train],
            family="poisson",
            offset=None if offset is None else offset[train],
            lambda_min_ratio=1e-3,
        )
        # Expected counts of new policies take their exposure into account, if the model knows it.
        expected = path.predict(X[test], offset=None if offset is None else offset[test])
        best = int(np.argmin(deviance(claims[test], expected)))
        lambda_, b = path.lambdas[best], path.coefs[:, best]
        # Rates per year: exposure 1, so that the offset is 0. A model without exposure predicts
        # claims per policy; its best guess of a year is to scale by the mean time at risk.
        years = 1.0 if offset is not None else exposure[train].mean()
        rates = path.predict(
            X[test], lambda_, offset=None if offset is None else np.zeros(test.sum())
        )
        predicted, observed = groups_of_rates(rates / years, claims[test], exposure[test])
        print(
            f"{title:<14} lambda = {lambda_:.4f}, {path.n_nonzero[best]} features, deviance of new "
            f"policies {deviance(claims[test], expected)[best]:.4f}; young drivers: "
            f"rate x {np.exp(b[0]):.2f} (true {np.exp(coef[0]):.2f})"
        )
        if offset is not None:
            plot_path(axes[0], path, lambda_)
        marker = {"mfc": "none", "ms": 9, "mew": 1.5} if offset is not None else {"ms": 5}
        axes[1].plot(coef, b, "o", color=COLOURS[title], label=title, **marker)
        if offset is None:
            for k, name in enumerate(list(TRUTH)[:2]):
                axes[1].annotate(
                    name, (coef[k], b[k]), (0, -9), textcoords="offset points",
                    ha="center", va="top", color=COLOURS[title],
                )  # fmt: skip
        axes[2].plot(predicted, observed, "o-", ms=6, color=COLOURS[title], label=title)

    axes[1].plot([-0.6, 0.8], [-0.6, 0.8], color="black", lw=0.8, zorder=0)
    axes[1].set(xlabel="true coefficient", ylabel="estimate at the best lambda")
    axes[1].set_title("Coefficients", fontweight="bold")
    axes[2].axline((0, 0), slope=1, color="black", lw=0.8, zorder=0)
    axes[2].set(xlabel="predicted claims per year", ylabel="observed claims per year")
    axes[2].set_title("New policies, in ten groups", fontweight="bold")
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    for ax in axes[1:]:
        ax.legend(frameon=False, loc="upper left")
    figure.savefig(OUTPUT / "poisson_exposure.png", dpi=110)
    print(f"\nWrote {OUTPUT.name}/poisson_exposure.png")


if __name__ == "__main__":
    main()

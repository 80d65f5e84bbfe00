"""Cox regression: who is at risk, and what that means in years.

A clinical study follows 800 patients for at most ten years. For each one knows a time, and whether
it is the time of the event or only the last time the patient was seen without one (*censored*).
Twenty markers were measured at the start, and three of them matter.

Cox's model leaves open how the hazard runs over time; a patient's is exp(x'b) times that of a
patient with x = 0:

    hazard(t | x) = baseline(t) exp(x'b)

* The coefficients come from the **partial likelihood**: at every event, how probable was it that
  this patient had it, of all who were still at risk? The baseline cancels. This also means that
  there is no intercept, and that rows compete with each other: the loss is no sum over rows.
* The **baseline** is estimated afterwards, `path.baseline(X, y, lambda_)`, and turns relative
  risks into probabilities of survival.

Which penalty? As everywhere: L1 for a short list of markers, L2 if all may matter. A penalty pulls
relative risks towards 1, so that the curves of risk groups move together.

The hazards are generated (Weibull, shape 1.5), so that all that is estimated can be compared with
the truth.

What the picture shows. Left: the path; the three markers that matter enter first, and the dashed
lines are their true coefficients. Right: survival in the third of the patients with the lowest and
with the highest predicted risk, out of sample. The steps of the model and those that only count
patients (Kaplan and Meier) follow the dashed truth; the penalty leaves the groups a little closer
together than they are.

Writes `output/cox_survival.png` beside this script.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

import regpath

OUTPUT = Path(__file__).parent / "output"
TRUTH = {"marker 1": 0.9, "marker 2": -0.6, "marker 3": 0.4}
P, SHAPE, SCALE, END = 20, 1.5, 7.0, 10.0
COLOURS = {"low risk": "#2171b5", "high risk": "#d95f02"}


def make_patients(n: int, rng: np.random.Generator):
    """Markers, (time, event) and the true linear predictor."""
    X = rng.standard_normal((n, P))
    X[:, 3:6] += X[:, :3]  # three more markers that go with those that matter
    eta = X[:, :3] @ np.array(list(TRUTH.values()))
    times = SCALE * (rng.exponential(size=n) * np.exp(-eta)) ** (1 / SHAPE)
    seen_until = np.minimum(END, rng.exponential(20.0, n))
    return X, np.column_stack([np.minimum(times, seen_until), times <= seen_until]), eta


def true_survival(times: np.ndarray, eta: np.ndarray) -> np.ndarray:
    """Probability to survive beyond each time, averaged over a group of patients."""
    hazard = (times / SCALE) ** SHAPE
    return np.exp(-np.outer(np.exp(eta), hazard)).mean(axis=0)


def kaplan_meier(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Survival by counting: at every event the share of those at risk who go on."""
    times = np.unique(y[y[:, 1] == 1, 0])
    at_risk = (y[:, 0] >= times[:, None]).sum(axis=1)
    events = ((y[:, 0] == times[:, None]) & (y[:, 1] == 1)).sum(axis=1)
    return times, np.cumprod(1 - events / at_risk)


def partial_log_likelihood(y: np.ndarray, eta: np.ndarray) -> np.ndarray:
    """Log-likelihood of the order of events, for each column of eta; no ties."""
    order = np.argsort(-y[:, 0])
    eta, event = eta[order], y[order, 1]
    return ((eta - np.logaddexp.accumulate(eta, axis=0)) * event[:, None]).sum(axis=0)


def plot_path(ax: plt.Axes, path: regpath.Path, lambda_: float) -> None:
    ax.plot(path.lambdas, path.coefs[3:].T, color="#cccccc", lw=1)
    for k, (name, true) in enumerate(TRUTH.items()):
        colour = plt.cm.tab10([0, 1, 2][k])
        ax.plot(path.lambdas, path.coefs[k], color=colour, lw=2)
        ax.axhline(true, color=colour, lw=1, ls="--", zorder=0)
        ax.text(path.lambdas[-1] * 0.9, path.coefs[k, -1], name, color=colour, va="center")
    ax.axvline(lambda_, color="black", lw=1, ls=":")
    ax.text(lambda_ * 0.93, 1.06, "best on new patients", fontsize=9)
    ax.set(xscale="log", xlim=(path.lambdas[0], path.lambdas[-1]), ylim=(-0.85, 1.15))
    ax.set(xlabel="lambda (log scale)", ylabel="coefficient (log of the hazard ratio)")
    ax.set_title("The path (dashed: true coefficients)", fontweight="bold")


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    rng = np.random.default_rng(4)
    X, y, _ = make_patients(800, rng)
    X_new, y_new, eta_new = make_patients(1500, rng)
    path = regpath.lasso_path(X, y, family="cox", lambda_min_ratio=0.01)
    print(f"{int(y[:, 1].sum())} events among {len(y)} patients\n{path!r}\n")
    print(path.certify(X, y))

    likelihood = partial_log_likelihood(y_new, path.predict(X_new, type="link"))
    best = int(likelihood.argmax())
    lambda_ = float(path.lambdas[best])
    base = path.baseline(X, y, lambda_)
    print(f"\nAt lambda = {lambda_:.4f}, {path.n_nonzero[best]} markers: {base}")

    eta = path.predict(X_new, lambda_, type="link")
    thirds = np.quantile(eta, [1 / 3, 2 / 3])
    groups = {"low risk": eta <= thirds[0], "high risk": eta >= thirds[1]}
    figure, axes = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    plot_path(axes[0], path, lambda_)
    grid = np.linspace(0, END, 300)
    print("\nSurvival of five years:   model   counted   true")
    for name, rows in groups.items():
        colour = COLOURS[name]
        model = base.survival(grid, eta[rows]).mean(axis=0)
        counted_at, counted = kaplan_meier(y_new[rows])
        axes[1].step(grid, model, where="post", color=colour, lw=2.2)
        axes[1].step(
            np.r_[0, counted_at], np.r_[1, counted], where="post", color=colour, lw=0.9, alpha=0.7
        )
        truth = true_survival(grid, eta_new[rows])
        axes[1].plot(grid, truth, "--", color="black", lw=1.2)
        axes[1].annotate(
            name, (grid[200], truth[200]), (8, 12), textcoords="offset points", color=colour,
            fontsize=11, fontweight="bold",
        )  # fmt: skip
        five = [
            base.survival([5.0], eta[rows]).mean(),
            counted[np.searchsorted(counted_at, 5.0, side="right") - 1],
            true_survival(np.array([5.0]), eta_new[rows])[0],
        ]
        print(f"  {name:<22}", "   ".join(f"{value:6.3f}" for value in five))
    axes[1].set(xlabel="years", ylabel="share without an event", xlim=(0, END), ylim=(0, 1.02))
    axes[1].set_title("Survival of new patients, by predicted risk", fontweight="bold")
    styles = {"model": {"lw": 2.2, "color": "#555555"}, "counted": {"lw": 0.9, "color": "#777777"},
              "true": {"lw": 1.2, "color": "black", "ls": "--"}}  # fmt: skip
    entries = [Line2D([], [], label=label, **style) for label, style in styles.items()]
    axes[1].legend(handles=entries, frameon=False, loc="lower left", fontsize=9)
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(OUTPUT / "cox_survival.png", dpi=110)
    print(f"\nWrote {OUTPUT.name}/cox_survival.png")


if __name__ == "__main__":
    main()

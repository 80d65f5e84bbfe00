"""Quick start: which measurements go with the prostate specific antigen?

The data (Stamey et al., 1989) are 97 men before an operation: eight clinical measurements, and
the logarithm of the prostate specific antigen (`lpsa`), which is to be explained.

Which penalty?

* **L1 (lasso)** sets coefficients to exactly zero. Prefer it when you want a short list: few
  measurements suffice, or each one costs money. Here it says which three of the eight to keep.
* **L2 (ridge)** keeps all columns and shrinks them together. Prefer it when prediction counts
  alone, when many columns each contribute a little, or when columns are nearly copies of each
  other and there is no reason to choose among them.
* **Elastic net** is both: it still selects, but takes correlated columns as a group. Prefer it
  when you want a list, yet `lcavol` and `lcp` (correlation 0.68) should not be played off against
  each other by chance. `l1_ratio` moves it from ridge (0) to lasso (1).

Eight columns and 97 rows need no penalty for the fit to exist. The path still pays: it shows the
order in which the measurements matter, from the one that enters first to plain least squares.

Writes `output/prostate_path.png` and `output/prostate_model.npz` beside this script.
"""

from pathlib import Path

import numpy as np
import pandas as pd

import regpath

HERE = Path(__file__).parent
OUTPUT = HERE / "output"


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    table = pd.read_csv(HERE / "data" / "prostate.csv")
    X, y = table.drop(columns="lpsa"), table["lpsa"]

    # 1. The whole path: 100 values of lambda, from "no feature" down to almost least squares.
    path = regpath.lasso_path(X, y)
    print(path)

    # 2. Its certificate, recomputed without the solver. The gap bounds how far the objective can be
    #    from its minimum, relative to the model without features.
    print(f"\n{path.certify(X, y)}")

    # 3. The order in which the measurements enter.
    first = {name: path.lambdas[np.flatnonzero(row)[0]] for name, row in zip(X, path.coefs)}
    print("\nThe measurements enter at these values of lambda:")
    for name, lambda_ in sorted(first.items(), key=lambda item: -item[1]):
        print(f"  {name:<8} {lambda_:.4f}")

    # 4. A model with three features, on the original scale of the columns.
    three = path.at_df(3)
    print(f"\nThree features explain {three.dev_ratio:.0%} (lambda = {three.lambda_:.3f}):")
    print(f"  lpsa = {three.intercept:.3f}", end="")
    print("".join(f" {b:+.3f} {name}" for name, b in three.selected.items()))

    # 5. Predictions: one lambda gives a vector, none gives all lambdas at once.
    print("\nThe first four men, observed and predicted:")
    for seen, predicted in zip(y[:4], path.predict(X[:4], three.lambda_)):
        print(f"  {seen:6.2f} {predicted:6.2f}")

    # 6. The model in a file that needs no pickle, and the picture.
    path.save(OUTPUT / "prostate_model.npz")
    again = regpath.Path.load(OUTPUT / "prostate_model.npz")
    assert np.array_equal(again.coefs, path.coefs)
    ax = path.plot()
    ax.figure.savefig(OUTPUT / "prostate_path.png", dpi=110, bbox_inches="tight")
    print(f"\nWrote {OUTPUT.name}/prostate_model.npz and {OUTPUT.name}/prostate_path.png")


if __name__ == "__main__":
    main()

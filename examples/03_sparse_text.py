"""A problem like text: 20,000 documents, 200,000 words, two million word counts.

As a dense array X would take 32 GB. It is kept in compressed columns (CSC) and never made dense:
centring and scaling are done in the algebra, and only the few columns that may enter are copied.

Which penalty for text?

* **L1 (lasso)** is the natural first choice: of 200,000 words a few dozen matter, and a model
  that stores a few dozen words is small, quick and can be read by a person. Its list is honest
  where the words that matter are common; for rare words no penalty can tell luck from meaning.
* **L2 (ridge)** keeps all 200,000 words. Prefer it if only the prediction counts and the signal
  is spread over very many words (topic, style), and if nobody will read the coefficients.
* **Elastic net** with an l1_ratio of 0.5 to 0.9 is the better list where words come in groups
  (names, set phrases, inflected forms): the lasso keeps one of the group by chance, the elastic
  net keeps the group. It needs more words for the same prediction.

The lambda that predicts best keeps more words than matter. A list that is meant to be read is
better taken at a larger lambda, where the prediction has only just begun to suffer.

Scale of the columns: word counts here are tf-idf weights in rows of unit length, which share one
unit already. `standardize=False` leaves them so; scaling every word to variance one would make a
word that occurs in 12 documents as cheap to use as one that occurs in 10,000.

Writes `output/sparse_text.png` beside this script.
"""

from pathlib import Path
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np

import regpath

OUTPUT = Path(__file__).parent / "output"
MODELS = {"lasso": 1.0, "elastic net, l1_ratio 0.5": 0.5}
COLOURS = ["#2171b5", "#d95f02"]
N_TRAIN = 15_000


def explained(y: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Share of the variance of y that each column of predictions explains."""
    return 1 - ((y[:, None] - predictions) ** 2).mean(0) / y.var()


def fit(X, y: np.ndarray, l1_ratio: float) -> regpath.Path:
    """Fit a path and report what it took."""
    start = perf_counter()
    path = regpath.fit_path(X, y, l1_ratio=l1_ratio, standardize=False, lambda_min_ratio=0.004)
    seconds = perf_counter() - start
    print(
        f"  {path.lambdas.size} lambdas in {seconds:.1f} s, {path.passes.sum():.0f} passes over X, "
        f"up to {path.n_nonzero.max()} words, worst gap {path.dual_gaps.max():.1e}"
    )
    return path


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    X, y, words, truth = regpath.datasets.make_sparse(20_000, 200_000, density=0.0005)
    n, p = X.shape
    megabytes = (X.data.nbytes + X.indices.nbytes + X.indptr.nbytes) / 1e6
    print(f"{n} documents, {p} words, {X.nnz} entries", end=": ")
    print(f"{megabytes:.0f} MB sparse, {8e-9 * n * p:.0f} GB dense")
    X_train, X_test = X[:N_TRAIN], X[N_TRAIN:]
    y_train, y_test = y[:N_TRAIN], y[N_TRAIN:]

    informative = np.flatnonzero(truth)[np.argsort(-np.abs(truth[truth != 0]))]
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 5), layout="constrained")
    places = np.arange(informative.size)
    right.bar(places, truth[informative], width=0.8, color="#dddddd", label="truth")
    for shift, (title, l1_ratio), colour in zip((-0.15, 0.15), MODELS.items(), COLOURS):
        print(f"\n{title}")
        path = fit(X_train, y_train, l1_ratio)
        scores = explained(y_test, path.predict(X_test))
        best = int(np.argmax(scores))
        chosen = path.coefs_sparse[:, [best]]
        found = np.isin(informative, chosen.indices).sum()
        print(f"  best on unseen documents: {scores[best]:.0%} explained", end=" ")
        print(f"with {chosen.nnz} words, among them {found} of {informative.size} that matter")
        largest = chosen.indices[np.argsort(-np.abs(chosen.data))[:5]]
        print("  largest:", ", ".join(words[j] for j in largest))

        shrinkage = path.lambdas / path.lambdas[0]
        left.plot(shrinkage, scores, color=colour, lw=2, label=f"{title}: {chosen.nnz} words")
        left.plot(shrinkage, path.dev_ratio, color=colour, lw=1, ls=":", label="on seen documents")
        left.plot(shrinkage[best], scores[best], "o", color=colour)
        estimate = chosen.toarray()[informative, 0]
        right.plot(places + shift, estimate, "o", color=colour, ms=5, label=title)

    left.set(xscale="log", xlim=(1, 0.004), ylim=(0, 1), xlabel="lambda / largest lambda")
    left.set(ylabel="explained variance", title="Prediction of unseen documents")
    right.axhline(0, color="black", lw=0.6)
    documents = np.diff(X_train.indptr)
    names = [f"{words[j]} ({documents[j]})" for j in informative]
    right.set_xticks(places, names, rotation=60, ha="right", fontsize=8)
    right.set(ylabel="coefficient", title="The words that matter (in so many documents)")
    for ax in (left, right):
        ax.legend(frameon=False)
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(OUTPUT / "sparse_text.png", dpi=110)
    print(f"\nWrote {OUTPUT.name}/sparse_text.png")


if __name__ == "__main__":
    main()

"""Paths and cross-validations put together by hand, whose every number is known."""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from regpath import CVPath, Path, RelaxedCV, RelaxedPath, Settings, StabilityPath, Status

N_FEATURES, N_LAMBDAS = 6, 5
DENSE = np.array(
    [
        [0.0, 1.0, 2.0, 3.0, 4.0],
        [0.0, 0.0, -1.0, 0.0, -2.0],
        [0.0, 0.0, 0.5, 0.25, 0.5],
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 1.5, 1.0],
        [0.0, 0.0, 0.0, 0.0, 7.0],
    ]
)  # df: 0, 1, 3, 3, 5
NAMES = ("age", "sex", "bmi", "map", "tc", "ldl")


def make_path(coefs=DENSE, *, lambdas=None, names=None, settings=None, **changes):
    n_lambdas = coefs.shape[1]
    numbers = np.linspace(0.0, 1.0, n_lambdas)
    values = {
        "lambdas": 2.0 ** -np.arange(n_lambdas) if lambdas is None else np.asarray(lambdas, float),
        "coef_storage": coefs,
        "intercepts": 10.0 + np.arange(n_lambdas),
        "dev_ratio": 0.9 * numbers,
        "null_deviance": 12.5,
        "objectives": 1.0 - 0.5 * numbers,
        "dual_gaps": 1e-8 * numbers,
        "kkt_violations": 1e-9 * numbers,
        "n_iters": np.arange(n_lambdas),
        "passes": numbers,
        "working_set_sizes": np.arange(n_lambdas),
        "seconds": 1e-3 * numbers,
        "statuses": (Status.CONVERGED,) * n_lambdas,
        "feature_names": names,
        "settings": settings or Settings(),
    }
    return Path(**(values | changes))


SEVERAL = np.zeros((3, 4, 5))  # three outputs, four features, five lambdas
SEVERAL[0, 1] = [0.0, 1.0, 2.0, 3.0, 4.0]
SEVERAL[2, 1] = [0.0, 0.0, -1.0, -2.0, -3.0]
SEVERAL[1, 0] = [0.0, 0.0, 0.0, 0.5, 1.0]
SEVERAL[2, 3] = [0.0, 0.0, 0.25, 0.0, -0.5]  # df: 0, 1, 2, 2, 3
SEVERAL_INTERCEPTS = np.arange(15.0).reshape(3, 5) / 8.0 - 1.0


def make_several(coefs=SEVERAL, *, sparse=False, **changes):
    """A path of the multinomial family, unless told otherwise."""
    K, p, n_lambdas = coefs.shape
    stored = coefs.reshape(K * p, n_lambdas)
    values = {
        "intercepts": SEVERAL_INTERCEPTS,
        "n_outputs": K,
        "family": "multinomial",
        "family_options": {"grouped": False},
    }
    return make_path(sp.csc_array(stored) if sparse else stored, **(values | changes))


FOLD_SCORES = np.array(
    [
        [8.0, 5.0, 2.0, 1.0, 1.5],
        [6.0, 3.0, 2.0, 2.0, 2.5],
        [7.0, 4.0, 2.0, 3.0, 3.5],
    ]
)  # means: 7, 4, 2, 2, 2.5


def make_cv(path=None, **changes):
    """Three folds of twelve rows; best at position 2, and within one error of that at 1."""
    path = make_path() if path is None else path
    values = {
        "path": path,
        "fold_paths": tuple(
            replace(path, coef_storage=path.coef_storage * (1.0 + 0.1 * k)) for k in range(3)
        ),
        "fold_scores": FOLD_SCORES,
        "fold_weights": np.full(3, 4.0),
        "mean_scores": FOLD_SCORES.mean(axis=0),
        "std_errors": np.array([0.5, 0.5, 2.0, 0.5, 0.5]),
        "held_out": tuple(np.arange(k, 12, 3) for k in range(3)),
        "scoring": "mse",
        "score_label": "mean squared error",
        "greater_is_better": False,
    }
    return CVPath(**(values | changes))


def make_relaxed(path=None, **changes):
    """A path whose refits are twice as large."""
    path = make_path() if path is None else path
    values = {
        "path": path,
        "coef_storage": 2.0 * path.coef_storage,
        "intercepts": path.intercepts - 0.5,
        "dev_ratio": np.linspace(0.0, 0.95, path.lambdas.size),
        "dual_gaps": np.full(path.lambdas.size, 1e-10),
        "n_iters": np.arange(path.lambdas.size),
        "statuses": (Status.SEPARATED, *(Status.CONVERGED,) * (path.lambdas.size - 1)),
    }
    return RelaxedPath(**(values | changes))


RELAXED_SCORES = np.stack([FOLD_SCORES[:, [0, 2, 1, 3, 4]], 0.75 * FOLD_SCORES, FOLD_SCORES])
# means: 7, 2, 4, 2, 2.5 for the refits; 5.25, 3, 1.5, 1.5, 1.875 for halves; those of the path


def make_relaxed_cv(cv=None, **changes):
    """The same with the refits and with equal shares of both; best is such a blend."""
    cv = make_cv() if cv is None else cv
    relaxed = RelaxedCV(
        path=make_relaxed(cv.path),
        fold_paths=tuple(map(make_relaxed, cv.fold_paths)),
        gammas=np.array([0.0, 0.5, 1.0]),
        fold_scores=RELAXED_SCORES,
        mean_scores=RELAXED_SCORES.mean(axis=1),
        std_errors=np.full((3, 5), 0.75),
        score_label=cv.score_label,
        greater_is_better=cv.greater_is_better,
    )
    return replace(cv, relaxed=replace(relaxed, **changes))


FREQUENCIES = np.abs(DENSE) / 8.0  # the largest: 0.5, 0.25, 0.0625, 0, 0.1875, 0.875


def make_stability(frequencies=FREQUENCIES, **changes):
    """Twenty subsamples in pairs."""
    n_lambdas = frequencies.shape[1]
    values = {
        "lambdas": 2.0 ** -np.arange(n_lambdas),
        "frequency_storage": frequencies,
        "mean_selected": np.arange(n_lambdas) / 4.0,
        "n_resamples": 20,
        "kind": "subsample",
        "sample_fraction": 0.5,
        "complementary": True,
    }
    return StabilityPath(**(values | changes))

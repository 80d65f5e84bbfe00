"""How long do cross-validation and stability selection take, and how often do they read X?"""

from __future__ import annotations

import numpy as np

from regpath import CVPath, cv_path, stability_path

from .problems import problem

CASES = ("wide", "tall", "tall-wide", "sparse", "ridge-tall", "logit-wide")
FOLDS = 10


class _CrossValidation:
    params = CASES
    param_names = ("case",)
    timeout = 300.0

    def setup(self, case: str) -> None:
        self.problem = problem(case)
        self.fit()  # compiles, or loads what is compiled

    def fit(self) -> CVPath:
        X, y, options = self.problem
        labels = np.random.default_rng(1).integers(0, FOLDS, X.shape[0])
        return cv_path(X, y, cv=labels, **options)


class Time(_CrossValidation):
    """Wall time of the paths of all rows and of ten folds; see also `path.Time`."""

    def time_cv_path(self, case: str) -> None:
        self.fit()


class Memory(_CrossValidation):
    """Peak memory of the process: compare with `path.ProblemMemory`."""

    def peakmem_cv_path(self, case: str) -> None:
        self.fit()


class Work(_CrossValidation):
    """Passes over X for all eleven paths together."""

    def track_passes(self, case: str) -> float:
        return float(self.fit().info["passes"])


class Stability:
    """Wall time of twenty subsamples of half of the rows."""

    params = ("wide",)
    param_names = ("case",)
    timeout = 300.0

    def setup(self, case: str) -> None:
        self.problem = problem(case)
        self.fit(2)

    def fit(self, n_resamples: int) -> None:
        X, y, options = self.problem
        stability_path(X, y, n_resamples=n_resamples, random_state=0, **options)

    def time_stability_path(self, case: str) -> None:
        self.fit(20)

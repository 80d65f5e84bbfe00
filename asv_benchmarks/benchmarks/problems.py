"""The problems of `path`: those of `regpath.benchmark`, each a path of well under a second."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from regpath import benchmark
from regpath.benchmark.generators import stored

SCALES = {
    "wide-big": 0.2,
    "square": 0.25,
    "tall": 0.4,
    "tall-wide": 0.3,
    "sparse": 0.25,
    "ridge-tall": 0.4,
    "ridge-sparse": 0.25,
    "logit-tall": 0.15,
    "logit-sparse": 0.1,
    "pois-tall": 0.2,
    "multinomial-tall": 0.25,
    "multinomial-wide-grouped": 0.25,
    "multinomial-tall-grouped": 0.25,
}
SCALE = 0.5
RATIOS = {"sparse": 3e-2}  # ends before the model is saturated, as at full size

CASES = (*benchmark.CASES, "wide-mapped")


class Problem(NamedTuple):
    """A design, a response, and the options of `regpath.fit_path`."""

    X: Any
    y: np.ndarray
    options: dict[str, Any]


def problem(case: str) -> Problem:
    """Build a problem by the name of its regime; columns are standardized, as by default."""
    name = "wide" if case == "wide-mapped" else case
    stated = benchmark.problem(name, scale=SCALES.get(case, SCALE))
    X = stored(stated.X, "mapped") if case == "wide-mapped" else stated.X
    options = stated.options() | {
        "lambdas": None,
        "lambda_min_ratio": RATIOS.get(case, benchmark.CASES[name].ratio),
        "standardize": True,
    }
    return Problem(X, stated.y, options)

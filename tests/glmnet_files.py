"""The files in data/glmnet: answers of R glmnet 4.1-6, with the data they were given for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

FOLDER = Path(__file__).parent / "data" / "glmnet"


class Answer(NamedTuple):
    """One file."""

    reference: dict[str, np.ndarray]
    """All of its arrays."""
    X: Any
    settings: dict[str, Any]
    """What glmnet was told."""
    options: dict[str, Any]
    """The same for `fit_path`, in the terms of which there is only one meaning."""


def names(*families: str, cv: bool = False) -> list[str]:
    """Names of the files of some families: of single paths, or of cross-validations."""
    found = sorted(file.stem for name in families for file in FOLDER.glob(f"{name}-*.npz"))
    return [name for name in found if ("-cv" in name) == cv]


def read(name: str) -> Answer:
    with np.load(FOLDER / f"{name}.npz") as stored:
        reference = {key: stored[key] for key in stored.files}
    settings = json.loads(str(reference["options"]))
    X = reference.get("X")
    if X is None:
        parts = tuple(reference[f"X_{part}"] for part in ("data", "indices", "indptr"))
        X = sparse.csc_array(parts, shape=tuple(reference["X_shape"]))
    options = {key: reference[key] for key in ("offset", "lower", "upper") if key in reference}
    options["fit_intercept"] = settings.get("intercept", True)
    options["standardize"] = settings.get("standardize", True)
    if "weights" in reference:
        options["sample_weight"] = reference["weights"]
    if "pf" in reference:  # glmnet rescales them to sum to p
        factor = reference["pf"]
        finite = np.where(np.isinf(factor), 1, factor)
        options["penalty_factor"] = factor * X.shape[1] / finite.sum()
    return Answer(reference, X, settings, options)

"""Linear predictors of some rows of the data of a fit, at all lambdas of a path."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from regpath._linear import interpolation
from regpath._predict import outputs_beside
from regpath.designs import Csc, Dense, as_scipy
from regpath.result import Path

__all__ = ["interpolated", "predictors"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# Entries of X that are worked on at once.
BLOCK = 1 << 21


def predictors(design: Dense | Csc, rows: Index, path: Path, offset: Array) -> Array:
    """Linear predictors with offset: an array (m, L), or (m, K, L) for K outputs."""
    K, coefs = path.n_outputs, path.coefs_sparse
    flat = _product(design, rows, coefs if K is None else outputs_beside(coefs, K))
    eta = flat.reshape(rows.size, *path.intercepts.shape)
    eta += path.intercepts
    eta += offset[rows][..., None]
    return eta


def _product(design: Dense | Csc, rows: Index, coefs: csc_array) -> Array:
    """Rows of X times coefficients; only columns in use are read."""
    used = np.unique(coefs.indices[coefs.data != 0.0])
    some = coefs.tocsr()[used].toarray()
    if isinstance(design, Csc):
        return np.asarray(as_scipy(design)[:, used].tocsr()[rows] @ some)
    out = np.empty((rows.size, some.shape[1]))
    step = max(1, BLOCK // max(used.size, 1))
    for start in range(0, rows.size, step):
        part = rows[start : start + step]
        block = design.columns[used[:, None], part]
        out[start : start + step] = block.T @ some
    return out


def interpolated(eta: Array, known: Array, wanted: Array) -> Array:
    """Predictors at other lambdas, linear between those of a grid, constant beyond it."""
    inside = np.clip(wanted, known[-1], known[0])
    weights = interpolation(known, inside, "cv_path")
    result: Array = eta @ weights.toarray()
    return result

"""The problem of a path of any family but gaussian, read anew for `regpath.diagnostics`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from regpath import _stated_losses as rows
from regpath._labels import column, read_labels
from regpath._responses import read_numbers, read_proportions, read_strata, read_survival
from regpath._stated_cox import Cox
from regpath._stated_design import EPS, Dense, Sparse, design_of, matrix, normalised, vector
from regpath._stated_multi import MultiGaussian, Multinomial

if TYPE_CHECKING:
    from regpath.result import Path

__all__ = ["StatedFamily", "StatedLoss", "read_family"]

Array = NDArray[np.float64]
StatedLoss: TypeAlias = rows.RowLoss | Multinomial | MultiGaussian | Cox


@dataclass(frozen=True, eq=False)
class StatedFamily:
    """Rows of positive weight; y and what goes with it divided by 2**exponent."""

    design: Dense | Sparse
    loss: StatedLoss
    weights: Array
    offset: Array
    exponent: int
    fit_intercept: bool
    grouped: bool
    factor: Array
    lower: Array
    upper: Array
    kept: NDArray[np.bool_]
    tol: float

    def times(self, coefs: Array) -> Array:
        """Return X @ coefs on the original scale, for coefs of shape (p, K, k)."""
        p, K, k = coefs.shape
        return self.design.times(coefs.reshape(p, K * k)).reshape(-1, K, k)

    def correlate(self, u: Array) -> Array:
        """X~' W u, for u of shape (n, K, k)."""
        n, K, k = u.shape
        return self.design.correlate(u.reshape(n, K * k)).reshape(-1, K, k)

    def level(self, size: Array) -> Array:
        """Rounding error (k,) of sum w_i u_i, for numbers of the given size (n, K, k)."""
        unit = np.maximum(size.max(axis=(0, 1)), np.finfo(np.float64).tiny)  # squares may overflow
        root = unit * np.sqrt(np.tensordot(self.weights, (size / unit) ** 2, 1).sum(axis=0))
        return np.asarray(2 * (np.sqrt(size.shape[0]) + 8) * EPS * root)

    def rounding(self, size: Array) -> Array:
        """Rounding errors (p, 1, k) of x~_j' W u."""
        return np.asarray(self.design.norms[:, None, None] * self.level(size))


def read_family(path: Path, X: Any, y: Any, sample_weight: Any, offset: Any) -> StatedFamily:
    """Read data and settings of a path; refuse data of another shape."""
    settings = path.settings
    X, p = matrix(X), path.n_features
    if X.ndim != 2 or X.shape[1] != p:
        raise ValueError(
            f"certify: X has shape {X.shape}; the path has {p} features, so X must have shape "
            f"(n, {p})."
        )
    n = X.shape[0]
    weights = vector("sample_weight", sample_weight, n, 1.0)
    if not (weights > 0).any() or (weights < 0).any() or not np.isfinite(weights).all():
        raise ValueError("certify: sample_weight must be finite, >= 0 and not all 0.")
    response = _response(path, y, weights > 0)
    strata = path.family_options.get("strata")
    strata = np.zeros(n) if strata is None else read_strata("certify", strata, weights > 0)
    shift = _offset(offset, n)
    used = np.flatnonzero(weights > 0)
    if used.size < n:
        X, response, weights = X[used], response[used], weights[used]
        strata, shift = strata[used], shift[used]
    if not np.isfinite(shift).all():
        raise ValueError("certify: the offset holds NaN or infinite values in rows that count.")
    weights = normalised(weights)
    loss, exponent = _loss(path, response, weights, strata, shift)
    # The likelihood of Cox has an intercept in all but name: it does not depend on it.
    centred = settings.fit_intercept or path.family == "cox"
    design = design_of(X, weights, centred, settings.standardize)
    factor = vector("penalty_factor", settings.penalty_factor, p, 1.0)
    meaningless = (design.sd == 0) & (centred or settings.standardize)
    grouped = path.family == "multigaussian" or bool(_option(path, "grouped", False))
    return StatedFamily(
        design=design,
        loss=loss,
        weights=weights,
        offset=np.ldexp(np.broadcast_to(shift, (used.size, loss.outputs)), -exponent),
        exponent=exponent,
        fit_intercept=settings.fit_intercept and loss.has_intercept,
        grouped=grouped,
        factor=factor,
        lower=vector("lower", settings.lower, p, -np.inf),
        upper=vector("upper", settings.upper, p, np.inf),
        kept=np.isfinite(factor) & ~meaningless,
        tol=settings.tol,
    )


def _option(path: Path, name: str, default: Any) -> Any:
    value = path.family_options.get(name)
    return default if value is None else value


def _offset(offset: Any, n: int) -> Array:
    if offset is None:
        return np.zeros((n, 1))
    array = np.asarray(offset, dtype=np.float64)
    if array.ndim == 0:
        return np.full((n, 1), float(array))
    if array.ndim > 2 or array.shape[0] != n:
        raise ValueError(f"certify: the offset has shape {array.shape}; it must have {n} rows.")
    return array.reshape(n, -1)


# --- responses ----------------------------------------------------------------------------------


def _response(path: Path, y: Any, used: NDArray[np.bool_]) -> NDArray[Any]:
    """y in the form that the fit gave it: shares or positions of classes, times, numbers.

    Inputs are read by the same functions; what they mean is stated anew.
    """
    at, family = "certify(y=...)", path.family
    classes = path.classes
    if family == "cox":
        return read_survival(at, y, used)
    if family == "multinomial":
        shares = read_proportions(at, y, used)
        if shares is None:
            labels = read_labels(at, y, used)
            known = np.unique(labels[used]) if classes is None else np.asarray(classes)
            shares = (_codes(at, labels, known)[:, None] == np.arange(known.size)).astype(float)
        return _of_width(at, path, shares)
    if family == "binomial" and classes is not None:
        return _codes(at, read_labels(at, y, used), np.asarray(classes)).astype(np.float64)
    numbers = read_numbers(at, y, used)
    if family != "multigaussian":
        return column(at, numbers, used.size)
    if numbers.ndim not in (1, 2) or len(numbers) != used.size:
        raise ValueError(f"{at}: the shape is {numbers.shape}; X has {used.size} rows.")
    return _of_width(at, path, numbers.reshape(used.size, -1))


def _of_width(at: str, path: Path, values: Array) -> Array:
    """One column for each output of the path."""
    if values.shape[1] != path.n_outputs:
        raise ValueError(
            f"{at}: {values.shape[1]} classes or columns; the path has {path.n_outputs} outputs."
        )
    return values


def _codes(at: str, labels: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.intp]:
    """Position of every label among the classes."""
    codes = np.full(labels.size, -1, dtype=np.intp)
    for k, label in enumerate(classes):
        codes[np.broadcast_to(labels == label, labels.shape)] = k
    if (codes < 0).any():
        unknown = labels[codes < 0][:1].tolist()[0]
        raise ValueError(f"{at}: the path has no class {unknown!r}; it has {classes.tolist()}.")
    return codes


def _loss(
    path: Path, y: Array, weights: Array, strata: NDArray[Any], offset: Array
) -> tuple[StatedLoss, int]:
    """The loss of the rows that count, and the power of 2 that y was divided by."""
    family = path.family
    if family == "cox":
        codes = np.unique(strata, return_inverse=True)[1].ravel().astype(np.intp)
        efron = _option(path, "ties", "breslow") == "efron"
        return Cox(y[:, 0], y[:, 1], y[:, 2] == 1, codes, weights, efron), 0
    if family == "multinomial":
        return Multinomial(y, weights), 0
    low = {"gamma": np.nextafter(0, 1), "poisson": 0.0, "tweedie": 0.0, "binomial": 0.0}
    high = 1.0 if family == "binomial" else np.inf
    if not ((y >= low.get(family, -np.inf)).all() and (y <= high).all()):
        raise ValueError(
            f"certify(y=...): y holds values that the family {family!r} does not know."
        )
    exponent = 0
    if family in ("multigaussian", "huber"):  # squares: they might overflow
        exponent = int(np.frexp(max(np.abs(y).max(), np.abs(offset).max()))[1])
        y = np.ldexp(y, -exponent)
    return _row_loss(path, y, weights, exponent), exponent


def _row_loss(path: Path, y: Array, weights: Array, exponent: int) -> StatedLoss:
    family = path.family
    if family == "multigaussian":
        return MultiGaussian(y, weights)
    if family == "huber":
        return rows.Huber(y, weights, float(np.ldexp(_option(path, "delta", 1.345), -exponent)))
    if family == "tweedie":
        return rows.Tweedie(y, weights, float(_option(path, "power", 1.5)))
    if family == "custom":
        return rows.Custom(y, weights, path.family_options["function"])
    if family == "binomial" and _option(path, "link", "logit") == "probit":
        return rows.Probit(y, weights)
    simple = {"binomial": rows.Logistic, "poisson": rows.Poisson, "gamma": rows.Gamma}
    return simple[family](y, weights)

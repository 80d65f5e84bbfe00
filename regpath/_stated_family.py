"""The problem of a path of any family but gaussian, read anew for `regpath.diagnostics`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from regpath import _stated_losses as rows
from regpath._stated_cox import Cox
from regpath._stated_design import EPS, Dense, Sparse, design_of, matrix, normalised, vector
from regpath._stated_multi import MultiGaussian, Multinomial

if TYPE_CHECKING:
    from regpath.result import Path

__all__ = ["FAMILIES", "StatedFamily", "StatedLoss", "read_family"]

Array = NDArray[np.float64]
StatedLoss: TypeAlias = rows.RowLoss | Multinomial | MultiGaussian | Cox

FAMILIES = (
    "binomial",
    "poisson",
    "gamma",
    "tweedie",
    "huber",
    "custom",
    "multinomial",
    "multigaussian",
    "cox",
)


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
        root = np.sqrt(np.tensordot(self.weights, size**2, 1).sum(axis=0))
        return np.asarray(2 * (np.sqrt(size.shape[0]) + 8) * EPS * root)

    def rounding(self, size: Array) -> Array:
        """Rounding errors (p, 1, k) of x~_j' W u."""
        return np.asarray(self.design.norms[:, None, None] * self.level(size))


def read_family(path: Path, X: Any, y: Any, sample_weight: Any, offset: Any) -> StatedFamily:
    """Read data and settings of a path; refuse data of another shape."""
    settings = path.settings
    X, p = matrix(X), path.n_features
    n = X.shape[0]
    response = _response(path, y)
    if X.ndim != 2 or X.shape[1] != p or response.shape[0] != n:
        raise ValueError(
            f"certify: X has shape {X.shape} and y {response.shape}; the path has {p} features, so "
            f"X must have shape (n, {p}) and y n rows."
        )
    weights = vector("sample_weight", sample_weight, n, 1.0)
    strata = getattr(path, "family_options", {}).get("strata")
    strata = np.zeros(n) if strata is None else np.asarray(strata)
    if strata.shape != (n,):
        raise ValueError(f"certify: the strata have shape {strata.shape}; they must be ({n},).")
    shift = _offset(offset, n)
    used = np.flatnonzero(weights > 0)
    if used.size == 0 or (weights < 0).any() or not np.isfinite(weights).all():
        raise ValueError("certify: sample_weight must be finite, >= 0 and not all 0.")
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
    value = getattr(path, "family_options", {}).get(name)
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


def _response(path: Path, y: Any) -> NDArray[Any]:
    """y as an array with one row per row of X, not yet read: rows without weight may be junk."""
    if path.family != "cox":
        return np.asarray(y)
    names = getattr(getattr(y, "dtype", None), "names", None) or tuple(getattr(y, "columns", ()))
    for wanted in (("time", "event"), ("start", "stop", "event")):
        if set(wanted) <= set(names):
            return np.column_stack([np.asarray(y[name], dtype=np.float64) for name in wanted])
    array = np.asarray(y, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] not in (2, 3):
        raise ValueError(
            f"certify: y has shape {array.shape}; it must have the columns (time, event) or "
            "(start, stop, event)."
        )
    return array


def _loss(
    path: Path, y: NDArray[Any], weights: Array, strata: NDArray[Any], offset: Array
) -> tuple[StatedLoss, int]:
    """The loss of the rows that count, and the power of 2 that y was divided by."""
    family, classes = path.family, getattr(path, "classes", None)
    if family == "cox":
        return _cox(path, y, weights, strata), 0
    if family == "multinomial":
        classes = np.unique(y) if classes is None else np.asarray(classes)
        return Multinomial(_codes(y, classes), classes.size, weights), 0
    if family == "binomial" and classes is not None:
        y = _codes(y, np.asarray(classes))
    y = np.asarray(y, dtype=np.float64)
    if y.ndim != (2 if family == "multigaussian" else 1):
        raise ValueError(f"certify: y has shape {y.shape}, which the family {family!r} has not.")
    low = {"gamma": np.nextafter(0, 1), "huber": -np.inf, "custom": -np.inf}.get(family, 0.0)
    low, high = -np.inf if y.ndim == 2 else low, 1.0 if family == "binomial" else np.inf
    if not (np.isfinite(y).all() and (y >= low).all() and (y <= high).all()):
        raise ValueError(f"certify: y holds values that the family {family!r} does not know.")
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


def _cox(path: Path, y: Array, weights: Array, strata: NDArray[Any]) -> Cox:
    stop, event = y[:, -2], y[:, -1]
    start = y[:, 0] if y.shape[1] == 3 else np.full_like(stop, -np.inf)
    if np.isnan(y).any() or not (start < stop).all() or not np.isin(event, (0, 1)).all():
        raise ValueError("certify: y needs start < stop, an event of 0 or 1, and no NaN.")
    if not event.any():
        raise ValueError("certify: y has no event in rows that count.")
    codes = np.unique(strata, return_inverse=True)[1].ravel().astype(np.intp)
    efron = _option(path, "ties", "breslow") == "efron"
    return Cox(start, stop, event == 1, codes, weights, efron)


def _codes(y: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.intp]:
    """Position of every label among the classes."""
    if y.ndim != 1:
        raise ValueError(f"certify: y has shape {y.shape}; labels must have one dimension.")
    codes = np.full(y.size, -1, dtype=np.intp)
    for k, label in enumerate(classes):
        codes[np.broadcast_to(y == label, y.shape)] = k
    if (codes < 0).any():
        unknown = y[codes < 0][:1].tolist()[0]
        raise ValueError(f"certify: the path has no class {unknown!r}; it has {classes.tolist()}.")
    return codes

"""What scores are computed by: losses of rows, and values of all rows; see `regpath.scoring`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy

from regpath._predict import inverse_link
from regpath._stated_cox import Cox as StatedCox
from regpath.families import Binomial, Cox, Family, Gaussian, MultiGaussian, Multinomial
from regpath.kernels.ranks import CLEAR, ENTER, JUDGE, LEAVE, concordance, ordered_pairs
from regpath.kernels.rows import deviances

__all__ = ["OF_ALL_ROWS", "OF_ROWS", "HeldOut", "means", "partial_likelihood", "shares"]

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut:
    """Rows on which L models of a path are judged.

    Attributes
    ----------
    family : Family
    y : ndarray of shape (m,), (m, K) or (m, 3)
        Rows of a response in canonical form: numbers; several responses, or indicators of classes;
        (start, stop, event) for Cox.
    weights : ndarray of shape (m,)
        >= 0, on any scale. Rows of weight 0 may hold anything.
    eta : ndarray of shape (m, L), or (m, K, L)
        Linear predictors, with the offset.
    classes : ndarray of shape (K,), optional
        Labels.
    strata : ndarray of shape (m,), optional
        For Cox.
    given : array_like, optional
        The rows of y as the user gave them, for functions. Default: y, or labels.
    """

    family: Family
    y: FloatArray
    weights: FloatArray
    eta: FloatArray
    classes: npt.NDArray[Any] | None = None
    strata: npt.NDArray[Any] | None = None
    given: Any = None

    def used(self) -> HeldOut:
        """The rows of positive weight."""
        rows = self.weights > 0.0
        if rows.all():
            return self
        given = self.given
        if given is not None:
            given = given.iloc[rows] if hasattr(given, "iloc") else np.asarray(given)[rows]
        return replace(
            self,
            y=self.y[rows],
            weights=self.weights[rows],
            eta=self.eta[rows],
            strata=None if self.strata is None else np.asarray(self.strata)[rows],
            given=given,
        )


# ------------------------------------------------------------------------------------ row by row


def shares(weights: FloatArray) -> FloatArray:
    """Weights that sum to one."""
    relative = weights / weights.max()
    return np.asarray(relative / relative.sum())


def means(held: HeldOut) -> FloatArray:
    """Predictions of type "response"."""
    return inverse_link(held.family.name, held.family._asdict())(held.eta)


def _over_outputs(losses: FloatArray) -> FloatArray:
    """Losses (m, L), summed over the outputs if there are several."""
    return np.asarray(losses.sum(axis=1)) if losses.ndim == 3 else losses


def _squares(held: HeldOut, clip: float) -> FloatArray:
    return _over_outputs((held.y[..., None] - means(held)) ** 2)


def _absolutes(held: HeldOut, clip: float) -> FloatArray:
    return _over_outputs(np.abs(held.y[..., None] - means(held)))


def _errors(held: HeldOut, clip: float) -> FloatArray:
    """Share of a row that is not of the predicted class."""
    if held.eta.ndim == 3:
        return np.asarray(1.0 - np.take_along_axis(held.y, held.eta.argmax(axis=1), axis=1))
    y = held.y[:, None]
    return np.where(held.eta > 0.0, 1.0 - y, y)


def _log_losses(held: HeldOut, clip: float) -> FloatArray:
    """-sum over the classes of y log p, with no digit lost where p is near 0 or 1."""
    low = np.log(clip) if clip else -np.inf
    high = np.log1p(-clip)
    if isinstance(held.family, Multinomial):
        y = held.y[:, :, None]
        logs = np.clip(_log_softmax(held.eta), low, high)
        total = np.zeros(held.eta.shape)
        np.multiply(y, logs, where=y > 0.0, out=total)
        return np.asarray(-total.sum(axis=1))
    assert isinstance(held.family, Binomial)
    special, total = scipy.special, np.zeros(held.eta.shape)
    log_probability = special.log_ndtr if held.family.link == "probit" else special.log_expit
    for share, sign in ((held.y, 1.0), (1.0 - held.y, -1.0)):
        some = share > 0.0
        eta = sign * held.eta[some]
        total[some] -= share[some, None] * np.clip(log_probability(eta), low, high)
    return total


def _log_softmax(eta: FloatArray) -> FloatArray:
    """Logarithms of probabilities along axis 1."""
    top = eta.argmax(axis=1, keepdims=True)
    below = eta - np.take_along_axis(eta, top, axis=1)
    others = np.exp(below)
    np.put_along_axis(others, top, 0.0, axis=1)
    return np.asarray(below - np.log1p(others.sum(axis=1, keepdims=True)))


def _deviances(held: HeldOut, clip: float) -> FloatArray:
    family = held.family
    if isinstance(family, Gaussian | MultiGaussian):
        return _squares(held, clip)
    if isinstance(family, Binomial | Multinomial):
        entropy = scipy.special.entr
        inside = entropy(held.y)
        least = inside.sum(axis=1) if inside.ndim == 2 else inside + entropy(1.0 - held.y)
        rows: FloatArray = 2.0 * (_log_losses(held, clip) - least[:, None])
        return rows if clip else np.maximum(rows, 0.0, out=rows)
    assert not isinstance(family, Cox)
    # Canonical arrays: a kernel is compiled anew for any other kind.
    y, eta = np.array(held.y), np.array(held.eta, order="C")
    losses = np.empty(eta.shape)
    deviances(family.loss(), y, eta, losses)
    return losses


OF_ROWS: dict[str, Callable[[HeldOut, float], FloatArray]] = {
    "mse": _squares,
    "brier": _squares,
    "mae": _absolutes,
    "class": _errors,
    "log_loss": _log_losses,
    "deviance": _deviances,
}

# ---------------------------------------------------------------------------------- rows together


def _r2(held: HeldOut) -> FloatArray:
    weights = shares(held.weights)
    y = held.y.reshape(held.weights.size, -1, 1)
    fitted = means(held).reshape(*y.shape[:2], -1)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        rest = np.tensordot(weights, (y - fitted) ** 2, 1)
        whole = np.tensordot(weights, (y - np.tensordot(weights, y, 1)) ** 2, 1)
        # Rounding leaves something of a constant.
        whole[(y == y[0]).all(axis=0)] = np.nan
        return np.asarray((1.0 - rest / whole).mean(axis=0))


def _auc(held: HeldOut) -> FloatArray:
    positive, negative = held.weights * held.y, held.weights * (1.0 - held.y)
    if not (positive.any() and negative.any()):
        return np.full(held.eta.shape[1], np.nan)
    order, eta = _sorted(held.eta)
    areas = np.empty(len(eta))
    ordered_pairs(order, eta, shares(negative), shares(positive), areas)
    return areas


def _c_index(held: HeldOut) -> FloatArray:
    kinds, rows = _sweep(held)
    order, eta = _sorted(held.eta)
    m = held.weights.size
    pairs = np.empty((2, len(eta)))
    work = np.empty(m, np.int64), np.empty(m + 1)
    concordance(kinds, rows, order, eta, shares(held.weights), *work, pairs)
    with np.errstate(invalid="ignore"):
        return np.asarray(pairs[0] / pairs[1])


def _sorted(eta: FloatArray) -> tuple[IntArray, FloatArray]:
    """Order of the rows under each model, (L, m), and their eta."""
    across = np.array(eta.T, order="C")
    return across.argsort(axis=1), across


def _sweep(held: HeldOut) -> tuple[IntArray, IntArray]:
    """What happens to which row, stratum by stratum, from the last time back to the first.

    At one time: rows that start then leave, censored ones enter, events are judged, and enter.
    """
    start, stop, event = held.y.T
    every, events = np.arange(stop.size), np.flatnonzero(event == 1.0)
    censored, late = np.flatnonzero(event != 1.0), np.flatnonzero(np.isfinite(start))
    rows = np.concatenate([late, censored, events, events, every])
    sizes = late.size, censored.size, events.size, events.size, every.size
    kinds = np.repeat([LEAVE, ENTER, JUDGE, ENTER, CLEAR], sizes)
    turn = np.repeat(np.arange(5), sizes)
    times = np.concatenate(
        [start[late], stop[censored], stop[events], stop[events], np.full(every.size, -np.inf)]
    )
    strata = np.zeros(stop.size) if held.strata is None else np.asarray(held.strata)
    order = np.lexsort((turn, -times, strata[rows]))
    return kinds[order], rows[order]


def partial_likelihood(held: HeldOut, training: HeldOut) -> FloatArray:
    """Deviance of all rows minus that of the training rows, per event weight."""
    events = held.weights @ held.y[:, 2]
    if not events > 0.0:
        return np.full(held.eta.shape[1], np.nan)
    parts = (held, training)
    strata = None
    if held.strata is not None and training.strata is not None:
        strata = np.concatenate([held.strata, training.strata])
    everything = replace(
        held,
        y=np.concatenate([part.y for part in parts]),
        weights=np.concatenate([part.weights for part in parts]),
        eta=np.concatenate([part.eta for part in parts]),
        strata=strata,
    )
    total, known = _cox_deviance(everything), _cox_deviance(training)
    # Linear predictors so far apart that a risk set is beyond the range of numbers: inf, not nan.
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(total) | np.isinf(known), np.inf, (total - known) / events)


def _cox_deviance(rows: HeldOut) -> FloatArray:
    assert isinstance(rows.family, Cox)
    start, stop, event = rows.y.T
    if not event.any():
        return np.zeros(rows.eta.shape[1])
    strata = np.zeros(stop.size, np.intp)
    if rows.strata is not None:
        strata = np.unique(rows.strata, return_inverse=True)[1].ravel()
    scale = rows.weights.sum()
    weights, efron = rows.weights / scale, rows.family.ties == "efron"
    loss = StatedCox(start, stop, event == 1.0, strata, weights, efron)
    return np.asarray(2.0 * scale * loss.excess(rows.eta[:, None, :]))


OF_ALL_ROWS: dict[str, Callable[[HeldOut], FloatArray]] = {
    "r2": _r2,
    "auc": _auc,
    "c_index": _c_index,
}

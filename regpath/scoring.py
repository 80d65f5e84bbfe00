"""Scores: how predictions of held-out rows are judged.

The score of a fold is the weighted mean of the losses of its rows, or one value for all of them:

=========  ==============================================================  ========================
score      meaning, with the mean m, and p for probabilities               families
=========  ==============================================================  ========================
mse        (y - m)^2                                                       all but cox and custom
mae        abs(y - m)                                                      all but cox and custom
r2         1 - sum w (y - m)^2 / sum w (y - ybar)^2, ybar of the fold      those with numbers as y
deviance   2 (loss - its infimum)                                          all
class      share of rows whose most probable class is wrong                binomial, multinomial
log_loss   -sum over the classes of y log p                                binomial, multinomial
brier      (y - p)^2                                                       binomial, multinomial
auc        area under the ROC curve, by Mann and Whitney                   binomial
c_index    share of comparable pairs in the right order, after Harrell     cox
=========  ==============================================================  ========================

Conventions
-----------
- Several outputs: mse, mae and brier are summed over responses or classes, as by cv.glmnet; r2 is
  the mean over the responses.
- The binomial mse, mae and brier are those of the second class alone: half of what cv.glmnet calls
  mse and mae, which sum over both.
- A proportion y counts as both outcomes, with weights y and 1 - y, in class, log_loss and auc.
- Of equal probabilities the first class is predicted. Equal predictions count one half in auc and
  c_index, which look at linear predictors: probabilities are all 1 from a logit of 37 on.
- c_index compares the row of an event with the rows of its stratum at risk then that have no event
  at the same time: those censored at that time included, as in R's survival::concordance.
- The deviance of cox is that of all rows minus that of the training rows at the same coefficients,
  per event weight of the held-out rows (Verweij and van Houwelingen 1993): the training rows take
  their part in the risk sets. It is inf where linear predictors of a stratum are more than 640
  apart and a risk set is beyond the range of numbers.
- nan where there is nothing to compare: no row of positive weight, one class only (auc), no
  comparable pair (c_index), a constant response (r2), no event (deviance of cox).
- Rows of weight 0 are never looked at.

References
----------
Harrell, F. E., Lee, K. L. and Mark, D. B. (1996), Multivariable prognostic models, Statistics in
Medicine 15, 361-387, section 5.5. Verweij, P. J. M. and van Houwelingen, H. C. (1993),
Cross-validation in survival analysis, Statistics in Medicine 12, 2305-2314.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from regpath._inputs import can_take
from regpath._predict import PredictionType, most_probable
from regpath._scores import OF_ALL_ROWS, OF_ROWS, HeldOut, means, partial_likelihood, shares
from regpath.families import Binomial, Cox, Family, Multinomial

__all__ = ["HeldOut", "Scorer", "available", "make_scorer", "resolve"]

FloatArray: TypeAlias = npt.NDArray[np.float64]
Function: TypeAlias = Callable[..., Any]

_NUMBERS = ("mse", "mae", "r2", "deviance")
_CLASSES = ("deviance", "class", "log_loss", "brier", "mse", "mae")
# The first is the default.
_AVAILABLE: dict[str, tuple[str, ...]] = {
    "gaussian": _NUMBERS,
    "huber": _NUMBERS,
    "multigaussian": _NUMBERS,
    "poisson": ("deviance", "mse", "mae", "r2"),
    "gamma": ("deviance", "mse", "mae", "r2"),
    "tweedie": ("deviance", "mse", "mae", "r2"),
    "binomial": (*_CLASSES, "auc"),
    "multinomial": _CLASSES,
    "cox": ("deviance", "c_index"),
    "custom": ("deviance",),  # a loss alone does not say what its mean is
}
_LABELS = {
    "mse": "mean squared error",
    "mae": "mean absolute error",
    "r2": "R squared",
    "class": "misclassification error",
    "log_loss": "log loss",
    "brier": "Brier score",
    "auc": "area under the ROC curve",
    "c_index": "concordance index",
}
_GREATER = ("r2", "auc", "c_index")
_CLIPPED = ("deviance", "log_loss")
_ALIASES = {"c": "c_index", "c-index": "c_index", "misclassification": "class"}
_SKLEARN = {
    "mean_squared_error": "mse",
    "mean_absolute_error": "mae",
    "mean_poisson_deviance": "deviance",
    "mean_gamma_deviance": "deviance",
    "brier_score": "brier",
    "log_loss": "log_loss",
    "roc_auc": "auc",
    "accuracy": "class",
}


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """What judges predictions: made by `resolve` from a name, by `make_scorer` from a function.

    Attributes
    ----------
    name : str
    label : str
        For the axis of a plot.
    greater_is_better : bool
    needs_training : bool
        Whether `score` has to know the training rows; only the deviance of Cox does.
    clip : float, default 0.0
        For the deviance and the log_loss of the binomial and multinomial families: probabilities
        are taken to lie within [clip, 1 - clip]. cv.glmnet has 1e-5 here.
    function : callable or None
        See `make_scorer`.
    type : {"response", "link", "class"}
        The predictions that the function is given.

    Examples
    --------
    >>> import numpy as np
    >>> from dataclasses import replace
    >>> held = HeldOut(
    ...     family=Binomial(), y=np.array([0.0, 1.0]), weights=np.ones(2),
    ...     eta=np.array([[-1.0, 20.0], [3.0, -20.0]]))
    >>> scorer = resolve("cv_path", "log_loss", Binomial())
    >>> scorer.score(held).round(3), replace(scorer, clip=1e-5).score(held).round(3)
    (array([ 0.181, 20.   ]), array([ 0.181, 11.513]))
    """

    name: str
    label: str
    greater_is_better: bool = False
    needs_training: bool = False
    clip: float = 0.0
    function: Function | None = None
    type: PredictionType = "response"

    def __post_init__(self) -> None:
        if not 0.0 <= self.clip < 0.5:
            raise ValueError(f"Scorer(clip={self.clip!r}): clip must lie in [0, 0.5).")
        if self.clip and (self.function is not None or self.name not in _CLIPPED):
            raise ValueError(
                f"Scorer(clip={self.clip!r}): the score {self.name!r} takes no logarithm of "
                "probabilities; clip is for 'deviance' and 'log_loss'."
            )

    def score(self, held: HeldOut, training: HeldOut | None = None) -> FloatArray:
        """Score of every model.

        Parameters
        ----------
        held : HeldOut
        training : HeldOut, optional
            The rows that the models were fitted to, under the same models.

        Returns
        -------
        scores : ndarray of shape (L,)
        """
        held = held.used()
        if not held.weights.size:
            return np.full(held.eta.shape[-1], np.nan)
        if self.function is not None:
            return _by_function(self, held)
        if self.needs_training:
            if training is None:
                raise ValueError(f"Scorer.score: {self.label} needs the training rows.")
            return partial_likelihood(held, training.used())
        if self.name in OF_ALL_ROWS:
            return OF_ALL_ROWS[self.name](held)
        with np.errstate(over="ignore", under="ignore"):
            return shares(held.weights) @ OF_ROWS[self.name](held, self.clip)

    def by_row(self, held: HeldOut) -> FloatArray | None:
        """Losses of single rows, of which the score is the weighted mean.

        Returns
        -------
        losses : ndarray of shape (m, L), or None if the score is no mean over rows
            0 for rows of weight 0.
        """
        if self.function is not None or self.needs_training or self.name in OF_ALL_ROWS:
            return None
        with np.errstate(over="ignore", under="ignore"):
            losses = OF_ROWS[self.name](held.used(), self.clip)
        rows = held.weights > 0.0
        if rows.all():
            return losses
        every = np.zeros((held.weights.size, held.eta.shape[-1]))
        every[rows] = losses
        return every

    def weight(self, held: HeldOut) -> float:
        """Weight of the fold in the mean over folds: the sum of weights, as of cv.glmnet.

        For the deviance of Cox the sum of the weights of events.
        """
        held = held.used()
        counted = held.weights * held.y[:, 2] if self.needs_training else held.weights
        return float(counted.sum())


def available(family: Family) -> tuple[str, ...]:
    """Names of the scores of a family; the first is the default.

    Examples
    --------
    >>> available(Cox())
    ('deviance', 'c_index')
    """
    return _AVAILABLE[family.name]


def resolve(call: str, scoring: str | Function | Scorer | None, family: Family) -> Scorer:
    """Scorer from its name, from a function, or the default of the family.

    Parameters
    ----------
    call : str
        Name of the public function, for messages.
    scoring : str, callable, Scorer or None
        A function is a loss, see `make_scorer`. None: mse for gaussian, huber and multigaussian,
        deviance for the others.
    family : Family

    Raises
    ------
    ValueError
        If the family has no such score.
    TypeError
        If it is neither a name nor a function of (y_true, y_pred, sample_weight).

    Examples
    --------
    >>> resolve("cv_path", "C", Cox()).label
    'concordance index'
    """
    if isinstance(scoring, Scorer):
        if scoring.function is not None:
            return scoring
        found = resolve(call, scoring.name, family)
        if scoring.clip and not isinstance(family, Binomial | Multinomial):
            raise ValueError(
                f"{call}(scoring={scoring.name!r}): clip={scoring.clip!r} is for probabilities, "
                f"which the {family.name} family has not; use clip=0."
            )
        return replace(found, clip=scoring.clip)
    if callable(scoring):
        name = getattr(scoring, "__name__", "")
        if name.endswith("_score"):
            raise ValueError(
                f"{call}(scoring={name}): a function is taken as a loss, the smaller the better, "
                "but this name is that of a score; pass "
                f"make_scorer({name}, greater_is_better=True), or False if it is a loss."
            )
        _check_signature(f"{call}(scoring={name or 'function'})", scoring)
        return make_scorer(scoring)
    if not (scoring is None or isinstance(scoring, str)):
        raise TypeError(
            f"{call}(scoring={scoring!r}): pass a name ({_listing(family)}), a function "
            "f(y_true, y_pred, sample_weight), or what make_scorer returns."
        )
    name = _named(call, scoring, family)
    cox = isinstance(family, Cox) and name == "deviance"
    label = _LABELS.get(name, "partial likelihood deviance" if cox else f"{family.name} deviance")
    return Scorer(name=name, label=label, greater_is_better=name in _GREATER, needs_training=cox)


def _named(call: str, scoring: str | None, family: Family) -> str:
    """Name of a score that the family has."""
    if scoring is None:
        return available(family)[0]
    name = _ALIASES.get(scoring.lower(), scoring.lower())
    if name in available(family):
        return name
    ours = _SKLEARN.get(name.removeprefix("neg_"))
    reason = f"the {family.name} family has no such score"
    if ours in available(family):
        reason = f"it is called {ours!r} here" + (
            ", the smaller the better" if ours not in _GREATER else ""
        )
    raise ValueError(
        f"{call}(scoring={scoring!r}): {reason}; available: {_listing(family)}, or a function "
        "f(y_true, y_pred, sample_weight)."
    )


def _listing(family: Family) -> str:
    return ", ".join(repr(name) for name in available(family))


def make_scorer(
    function: Function,
    *,
    name: str | None = None,
    greater_is_better: bool = False,
    type: PredictionType = "response",
) -> Scorer:
    """Make a scorer of a function, such as those of sklearn.metrics.

    Parameters
    ----------
    function : callable
        ``function(y_true, y_pred, sample_weight=weights)``, a number. It is called for every
        lambda, with the held-out rows of positive weight: y as it was given to the fit, and
        predictions of shape (m,), or (m, K) for K outputs.
    name : str, optional
        Default: that of the function.
    greater_is_better : bool, default False
    type : {"response", "link", "class"}, default "response"
        The predictions: means or probabilities, linear predictors, or labels.

    Raises
    ------
    TypeError
        If the function cannot be called like that.
    ValueError
        If type is none of the three.

    Examples
    --------
    >>> import numpy as np
    >>> from regpath.families import Gaussian
    >>> def worst(y_true, y_pred, sample_weight):
    ...     return np.abs(y_true - y_pred).max()
    >>> scorer = make_scorer(worst)
    >>> scorer.score(HeldOut(
    ...     family=Gaussian(), y=np.array([0.0, 1.0]), weights=np.ones(2),
    ...     eta=np.array([[0.5, 0.0], [1.0, 1.0]])))
    array([0.5, 0. ])
    """
    if type not in ("response", "link", "class"):
        raise ValueError(f"make_scorer(type={type!r}): it must be 'response', 'link' or 'class'.")
    if not callable(function):
        raise TypeError(f"make_scorer({function!r}): this is no function.")
    name = name or str(getattr(function, "__name__", "score"))
    _check_signature(f"make_scorer({name})", function)
    return Scorer(
        name=name,
        label=name.replace("_", " "),
        greater_is_better=greater_is_better,
        function=function,
        type=type,
    )


def _check_signature(at: str, function: Function) -> None:
    """Refuse a function that cannot be called as scores are."""
    if not can_take(function, None, None, sample_weight=None):
        raise TypeError(
            f"{at}: the function must take (y_true, y_pred, sample_weight); "
            "write lambda y_true, y_pred, sample_weight: ... around it."
        )


def _by_function(scorer: Scorer, held: HeldOut) -> FloatArray:
    several = held.eta.ndim == 3
    if scorer.type == "class":
        if held.classes is None:
            raise ValueError(
                f"scoring={scorer.name}: predictions of type 'class' need labels, which the "
                f"{held.family.name} family does not have for this y; use type='response'."
            )
        predictions = most_probable(held.eta, held.classes, several=several)
    else:
        predictions = held.eta if scorer.type == "link" else means(held)
    y = _as_given(held)
    scores = np.empty(held.eta.shape[-1])
    assert scorer.function is not None
    for model in range(scores.size):
        value = scorer.function(y, predictions[..., model].copy(), sample_weight=held.weights)
        try:
            scores[model] = float(value)
        except (TypeError, ValueError):
            raise TypeError(
                f"scoring={scorer.name}: the function returned {value!r}; it must be one number."
            ) from None
    return scores


def _as_given(held: HeldOut) -> Any:
    """The response of the user, or the nearest to it."""
    if held.given is not None:
        return held.given
    if held.classes is None or not np.isin(held.y, (0.0, 1.0)).all():
        return held.y
    codes = held.y.argmax(axis=1) if held.y.ndim == 2 else held.y.astype(np.intp)
    return held.classes[codes]

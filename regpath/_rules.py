"""Rules that choose among scores: the same for a path and for blends."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["equal_to_best", "position", "slack", "still_to_gain", "within"]

Array = NDArray[np.float64]

# Losses that differ by fewer units in the last place are equal but for rounding.
ULPS = 32
# Lambdas that show how the loss falls at the end of a grid are so far apart.
NEAR = 1.6


def within(losses: Array, limit: float) -> NDArray[np.bool_]:
    """Which losses are at most a limit, or above it by rounding alone.

    Examples
    --------
    >>> import numpy as np
    >>> within(np.array([0.3, 0.1 + 0.2, 0.31, np.nan]), 0.3)
    array([ True,  True, False, False])
    """
    rounding = ULPS * np.spacing(abs(limit)) if np.isfinite(limit) else 0.0
    return np.asarray(losses <= limit + rounding)


def equal_to_best(losses: Array) -> NDArray[np.bool_]:
    """Which losses are the smallest but for rounding; those that are not known are not.

    Examples
    --------
    >>> import numpy as np
    >>> equal_to_best(np.array([0.4, 0.1 + 0.2, np.nan, 0.3]))
    array([False,  True, False,  True])
    """
    return within(losses, float(np.nanmin(losses)))


def still_to_gain(lambdas: Array, losses: Array, tol: float = 0.0) -> float:
    """How much lower the loss would be at lambda = 0, if it went on as it does at the end.

    Three lambdas, about 1.6 times as large as each other, tell; the loss is taken to be a constant
    and a power of lambda. inf where it falls faster and faster, as that of ridge near the null
    model, and where there is nothing to tell; 0 if they differ by less than a share ``tol`` of it.

    Examples
    --------
    >>> import numpy as np
    >>> lambdas = np.geomspace(1.0, 0.01, 30)
    >>> still_to_gain(lambdas, 5.0 + 3.0 * lambdas).__round__(3)  # 3 * 0.01
    0.03
    >>> still_to_gain(lambdas, 5.0 - 3.0 / lambdas)
    inf
    """
    known = np.isfinite(lambdas) & np.isfinite(losses)
    places, losses = np.log(lambdas[known]), losses[known]
    if places.size < 3:
        return np.inf
    last = places.size - 1
    far = int(np.count_nonzero(places >= places[-1] + 2.0 * np.log(NEAR))) - 1
    far = min(max(far, 0), last - 2)
    near = int(np.argmin(np.abs(places - 0.5 * (places[far] + places[-1]))))
    ends = np.array([far, min(max(near, far + 1), last - 1), last])
    lengths, falls = -np.diff(places[ends]), -np.diff(losses[ends])
    if falls.sum() <= tol * abs(losses[-1]):
        return 0.0
    if not (falls > 0.0).all() or not (lengths > 0.0).all():
        return np.inf  # it has risen on the way, or lambdas come twice
    slopes = falls / lengths
    power = np.log(slopes[0] / slopes[1]) / lengths.mean()
    if power <= 0.0:
        return np.inf
    return float(slopes[1] * np.exp(-0.5 * power * lengths[1]) / power)


def slack(call: str, rule: Any, best: float, error: float) -> float:
    """How much worse than the best loss another may be, for a rule that is text.

    Parameters
    ----------
    call : str
        Name of the public method, for messages.
    rule : {"min", "1se"} or percentage
    best, error : float
        The best loss and its standard error; nan stands for an error of 0.

    Raises
    ------
    ValueError
        If there is no such rule.

    Examples
    --------
    >>> slack("at", "min", 5.0, 0.5), slack("at", "1se", 5.0, 0.5), slack("at", "2%", 5.0, 0.5)
    (0.0, 0.5, 0.1)
    """
    if rule == "min":
        return 0.0
    if rule == "1se":
        return float(np.nan_to_num(error))
    if not isinstance(rule, str) or not rule.endswith("%"):
        kind = call.partition(".")[0]
        raise ValueError(
            f"{call}({rule!r}): a rule is 'min', '1se', a percentage such as '2%', or a "
            f"function of the {kind}; for a lambda use coef_at, intercept_at or predict"
            f"{'' if kind == 'CVPath' else ' of its path'}."
        )
    try:
        share = float(rule[:-1]) / 100.0
    except ValueError:
        share = -1.0
    if not 0.0 <= share < np.inf:
        raise ValueError(f"{call}({rule!r}): a percentage is a number >= 0 and %, such as '2%'.")
    return share * abs(best) if np.isfinite(best) else 0.0


def position(call: str, chosen: Any, values: Array, noun: str) -> int:
    """Position of what a function chose: a position, or one of some values as a float.

    Examples
    --------
    >>> import numpy as np
    >>> lambdas = np.array([3.0, 2.0, 1.0])
    >>> position("at", -1, lambdas, "lambdas"), position("at", 2.0, lambdas, "lambdas")
    (2, 1)
    """
    if isinstance(chosen, int | np.integer) and not isinstance(chosen, bool):
        if -values.size <= chosen < values.size:
            return int(chosen) % values.size
    elif isinstance(chosen, float | np.floating):
        near = np.flatnonzero(np.isclose(values, chosen, rtol=1e-9, atol=0.0))
        if near.size:
            return int(near[0])
    raise ValueError(
        f"{call}: the function chose {chosen!r}; it must return a position among the "
        f"{values.size} {noun}, or one of them as a float."
    )

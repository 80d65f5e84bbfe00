"""Rules that choose among scores: the same for a path and for blends."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["equal_to_best", "position", "slack", "within"]

Array = NDArray[np.float64]

# Losses that differ by fewer units in the last place are equal but for rounding.
ULPS = 32


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

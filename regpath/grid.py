"""The grid of lambdas."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["default_ratio", "lambda_grid"]


def default_ratio(n: int, p: int) -> float:
    """Smallest over largest lambda: 1e-4 if there are at least as many rows as columns, else 1e-2.

    Examples
    --------
    >>> default_ratio(100, 10), default_ratio(10, 100)
    (0.0001, 0.01)
    """
    return 1e-4 if n >= p else 1e-2


def lambda_grid(largest: float, n_lambdas: int, ratio: float) -> NDArray[np.float64]:
    """Log-spaced lambdas from ``largest`` down to ``ratio * largest``.

    Parameters
    ----------
    largest : float
        Smallest lambda at which all penalised coefficients are zero. If it is 0, every lambda gives
        the null model, and the grid starts at the smallest number that matters, 1e-15.
    n_lambdas : int
    ratio : float

    Examples
    --------
    >>> lambda_grid(1.0, 3, 0.01).tolist()
    [1.0, 0.1, 0.01]
    """
    grid = (largest or 1e-15) * np.geomspace(1.0, ratio, n_lambdas)
    grid[0] = largest or 1e-15
    return grid

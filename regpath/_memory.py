"""Large arrays that go back to the system as soon as nobody needs them.

What is freed after ``malloc`` stays with the process where it came from a heap: many solvers in
several threads would keep a multiple of what they use at any time.
"""

from __future__ import annotations

import math
import mmap
from typing import Any

import numpy as np

__all__ = ["room"]

# Bytes from which pages of their own pay.
LARGE = 1 << 20
# Not shared with processes that are forked, where there are such.
PRIVATE = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}


def room(shape: tuple[int, ...], dtype: Any = np.float64) -> Any:
    """An array whose entries are not set yet; pages that are never written to cost nothing.

    >>> room((2, 3)).shape
    (2, 3)
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < LARGE:
        return np.empty(shape, dtype)
    return np.frombuffer(mmap.mmap(-1, size, **PRIVATE), dtype).reshape(shape)

"""The parts of a path: statuses, settings, single points, and how coefficients are kept."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array

__all__ = [
    "PER_LAMBDA",
    "Point",
    "Settings",
    "Status",
    "check_classes",
    "check_shapes",
    "frozen",
    "frozen_matrix",
    "labels",
    "number",
    "plain_labels",
    "store_coefs",
]

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
Columns: TypeAlias = tuple[IntArray, IntArray, FloatArray]
"""Neighbouring columns of coefficients: indptr, indices, values."""

PER_LAMBDA: dict[str, type] = {
    "lambdas": np.float64,
    "intercepts": np.float64,
    "dev_ratio": np.float64,
    "objectives": np.float64,
    "dual_gaps": np.float64,
    "kkt_violations": np.float64,
    "n_iters": np.int64,
    "passes": np.float64,
    "working_set_sizes": np.int64,
    "seconds": np.float64,
}
"""The fields of a path with one number per lambda (intercepts: per output too), and their types."""


class Status(enum.Enum):
    """How a point of the path ended; the value is the message.

    A path that stops before the end of its grid says so in the status of its last point. Such a
    point has itself converged: only `MAX_ITER` and `ROUNDING` mark coefficients that miss `tol`.

    Examples
    --------
    >>> Status.CONVERGED.ok, Status.MAX_ITER.ok
    (True, False)
    >>> Status.MAX_ITER.value
    'max_iter was used up before the dual gap reached tol'
    """

    CONVERGED = "converged"
    KKT_BOUND = "converged; the gap is bounded through convexity, without a conjugate of the loss"
    SEPARATED = (
        "converged; the classes are separated: the deviance is 0 up to tol, and without a penalty "
        "the coefficients would grow without bound"
    )
    MAX_ITER = "max_iter was used up before the dual gap reached tol"
    ROUNDING = "floating point allows no further progress; the dual gap is above tol"
    TIME_BUDGET = "converged; the path ends here because time_budget was used up"
    INTERRUPTED = "converged; the path ends here because it was interrupted"
    CALLBACK = "converged; the path ends here because callback returned True"
    MAX_FEATURES = "converged; the path ends here because the next point exceeds max_features"
    DEV_RATIO = "converged; the path ends here because stop_at_dev_ratio was reached"

    @property
    def ok(self) -> bool:
        """Whether the point reached `tol`."""
        return self not in (Status.MAX_ITER, Status.ROUNDING)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Settings:
    """The problem that was solved, as the user stated it; None means not given.

    Kept so that a path can be certified and refitted without repeating the options. For K
    responses the offset has the shape (n, K).
    """

    fit_intercept: bool = True
    standardize: bool = True
    tol: float = 1e-6
    penalty_factor: FloatArray | None = None
    lower: FloatArray | None = None
    upper: FloatArray | None = None
    sample_weight: FloatArray | None = None
    offset: FloatArray | None = None

    def __post_init__(self) -> None:
        for name in ("penalty_factor", "lower", "upper", "sample_weight", "offset"):
            value = getattr(self, name)
            if value is not None:  # a copy: the user may change their array afterwards
                object.__setattr__(self, name, frozen(np.array(value, dtype=np.float64)))

    def __repr__(self) -> str:
        given = ((f.name, getattr(self, f.name)) for f in fields(self))
        shown = (
            f"{name}=<{' x '.join(map(str, value.shape))} values>"
            if isinstance(value, np.ndarray) and value.ndim
            else f"{name}={value!r}"
            for name, value in given
            if value is not None
        )
        return f"Settings({', '.join(shown)})"


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Point:
    """One point of a path, as returned by `Path.at_df`.

    It stands for its position where an index is expected (``path.coefs[:, point]``) and for its
    lambda where a number is expected (``path.predict(X, point)``).

    Attributes
    ----------
    index : int
        Position in ``path.lambdas``.
    lambda_ : float
    intercept : float, or ndarray of shape (K,) for K outputs
    coef : ndarray of shape (p,), or (K, p) for K outputs
        On the original scale of the columns.
    n_nonzero : int
        Number of features that are not zero, for any output.
    dev_ratio : float
        Share of the null deviance that is explained.
    feature_names : tuple of str or None
    """

    index: int
    lambda_: float
    intercept: float | FloatArray
    coef: FloatArray
    n_nonzero: int
    dev_ratio: float
    feature_names: tuple[str, ...] | None

    @property
    def selected(self) -> dict[str, Any]:
        """The non-zero coefficients by name, in the order of the columns; K outputs: K values."""
        names = labels(self.feature_names, self.coef.shape[-1])
        if self.coef.ndim == 1:
            return {names[j]: float(self.coef[j]) for j in np.flatnonzero(self.coef).tolist()}
        used = np.flatnonzero(self.coef.any(axis=0)).tolist()
        return {names[j]: self.coef[:, j] for j in used}

    def __index__(self) -> int:
        return self.index

    def __float__(self) -> float:
        return self.lambda_

    def __repr__(self) -> str:
        return (
            f"Point(index={self.index}, lambda_={self.lambda_:.6g}, "
            f"n_nonzero={self.n_nonzero}, dev_ratio={self.dev_ratio:.4f})"
        )


def store_coefs(blocks: Sequence[Columns], p: int) -> Any:
    """Collect the coefficients of a path, dense or CSC, whichever is smaller.

    Parameters
    ----------
    blocks : sequence of (indptr, indices, values)
        Neighbouring columns each, as in `scipy.sparse.csc_array`, the indices of a column in any
        order. Zeros among the values are dropped.
    p : int
        Number of features.

    Returns
    -------
    coefs : ndarray in Fortran order or csc_array, of shape (p, L)

    Examples
    --------
    >>> import numpy as np
    >>> store_coefs([(np.array([0, 1]), np.array([0]), np.array([2.0]))], p=1)
    array([[2.]])
    >>> store_coefs([(np.array([0, 1]), np.array([7]), np.array([2.0]))], p=1000).nnz
    1
    """
    n_columns = sum(indptr.size - 1 for indptr, _, _ in blocks)
    store = CoefStore(p, n_columns, sum(int(np.count_nonzero(values)) for _, _, values in blocks))
    for block in blocks:
        store.add(block)
    return store.matrix()


class CoefStore:
    """The coefficients of a path as they come in: those of `store_coefs`.

    Parameters
    ----------
    p, n_columns : int
        Rows and columns of the matrix.
    stored : int
        Entries that are not zero, or a few more.
    """

    def __init__(self, p: int, n_columns: int, stored: int) -> None:
        self._shape = p, n_columns
        self._index = np.int32 if max(p, stored) < 2**31 else np.int64
        width = np.dtype(self._index).itemsize
        is_dense = 8 * p * n_columns <= stored * (8 + width) + (n_columns + 1) * width
        self._dense = np.zeros(self._shape, order="F") if is_dense else None
        self._blocks: list[Columns] = []
        self._filled = 0

    def add(self, block: Columns) -> None:
        """Append some columns."""
        indptr, indices, values = block
        if self._dense is None:
            self._blocks.append((np.diff(indptr), indices.astype(self._index), values))
            return
        columns = np.repeat(self._filled + np.arange(indptr.size - 1), np.diff(indptr))
        flat = self._dense.reshape(-1, order="F")
        flat[columns * len(self._dense) + indices] = values + 0.0  # no negative zeros
        self._filled += indptr.size - 1

    def matrix(self) -> Any:
        """All columns, in Fortran order or as a csc_array."""
        if self._dense is not None:
            return self._dense
        counts, indices, values = zip(*self._blocks, strict=True) if self._blocks else ((), (), ())
        indptr = np.cumsum(np.concatenate([[0], *counts])).astype(self._index)
        parts = (
            np.concatenate([np.zeros(0), *values]),
            np.concatenate([np.zeros(0, self._index), *indices]),
            indptr,
        )
        matrix = csc_array(parts, shape=self._shape)
        matrix.eliminate_zeros()
        matrix.sort_indices()
        return matrix


def labels(feature_names: tuple[str, ...] | None, p: int) -> Sequence[str]:
    """Names of the features; x0, x1, ... if none are known."""
    return feature_names if feature_names is not None else [f"x{j}" for j in range(p)]


def frozen(array: npt.NDArray[Any]) -> Any:
    """Return a read-only view; the caller's array keeps its flags."""
    view = array.view()
    view.flags.writeable = False
    return view


def frozen_matrix(matrix: Any) -> Any:
    """A dense or CSC matrix whose arrays cannot be written to."""
    if isinstance(matrix, np.ndarray):
        return frozen(np.asarray(matrix, dtype=np.float64))
    parts = (frozen(matrix.data), frozen(matrix.indices), frozen(matrix.indptr))
    return csc_array(parts, shape=matrix.shape)


def number(lambda_: Any) -> npt.ArrayLike:
    """Let a `Point` stand for its lambda."""
    return float(lambda_) if isinstance(lambda_, Point) else lambda_


def plain_labels(values: npt.ArrayLike) -> npt.NDArray[Any]:
    """Labels as a read-only copy; text among objects becomes NumPy's text, which files can hold.

    Examples
    --------
    >>> import numpy as np
    >>> plain_labels(np.array(["no", "yes"], dtype=object))
    array(['no', 'yes'], dtype='<U3')
    >>> plain_labels([1, 2])
    array([1, 2])
    """
    array = np.array(values)
    if array.dtype.kind == "T" or (
        array.dtype.kind == "O" and all(isinstance(value, str) for value in array.flat)
    ):
        array = array.astype(str)
    array.flags.writeable = False
    return array


def check_shapes(
    coefs: Any,
    shapes: dict[str, tuple[int, ...]],
    n_statuses: int,
    feature_names: tuple[str, ...] | None,
    n_outputs: int | None = None,
) -> None:
    """Refuse parts of a path that do not fit together."""
    n_lambdas = shapes["lambdas"][0] if len(shapes["lambdas"]) == 1 else -1
    if n_outputs is not None and n_outputs < 1:
        raise ValueError(f"Path: n_outputs is {n_outputs}; it must be None or at least 1.")
    rows = "p" if n_outputs is None else f"{n_outputs} * p"
    if coefs.ndim != 2 or coefs.shape[1] != n_lambdas or coefs.shape[0] % (n_outputs or 1):
        raise ValueError(
            f"Path: coef_storage has shape {coefs.shape} and lambdas {shapes['lambdas']}; "
            f"they must be ({rows}, L) and (L,)."
        )
    for name, shape in shapes.items():
        outputs = (n_outputs,) if name == "intercepts" and n_outputs is not None else ()
        wanted = (*outputs, n_lambdas)
        if shape != wanted:
            raise ValueError(f"Path: {name} has shape {shape}; it must be {wanted}.")
    if n_statuses != n_lambdas:
        raise ValueError(f"Path: {n_statuses} statuses for {n_lambdas} lambdas.")
    p = coefs.shape[0] // (n_outputs or 1)
    if feature_names is not None and len(feature_names) != p:
        raise ValueError(f"Path: {len(feature_names)} feature names for {p} features.")


def check_classes(classes: npt.NDArray[Any] | None, n_outputs: int | None) -> None:
    """Refuse classes that do not fit: two for one output, otherwise one per output."""
    n_classes = 2 if n_outputs is None else n_outputs
    if classes is not None and classes.shape != (n_classes,):
        raise ValueError(f"Path: classes has shape {classes.shape}; it must be ({n_classes},).")

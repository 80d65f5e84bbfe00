"""What a path holds, and the views of its coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array

from regpath._parts import (
    PER_LAMBDA,
    Settings,
    Status,
    check_classes,
    check_shapes,
    frozen,
    frozen_matrix,
    labels,
    plain_labels,
)

__all__ = ["Fields"]

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Fields:
    """The fields of `regpath.Path`, which describes them, and what follows from their layout.

    For K outputs row ``k * p + j`` of the storage belongs to feature j of output k.
    """

    lambdas: FloatArray
    coef_storage: Any  # ndarray or csc_array: scipy has no types
    intercepts: FloatArray
    dev_ratio: FloatArray
    null_deviance: float
    objectives: FloatArray
    dual_gaps: FloatArray
    kkt_violations: FloatArray
    n_iters: IntArray
    passes: FloatArray
    working_set_sizes: IntArray
    seconds: FloatArray
    statuses: tuple[Status, ...]
    feature_names: tuple[str, ...] | None = None
    family: str = "gaussian"
    family_options: dict[str, Any] = field(default_factory=dict)
    classes: npt.NDArray[Any] | None = None
    n_outputs: int | None = None
    response_names: tuple[str, ...] | None = None
    l1_ratio: float = 1.0
    settings: Settings = field(default_factory=Settings)
    info: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, dtype in PER_LAMBDA.items():
            value = frozen(np.asarray(getattr(self, name), dtype=dtype))
            object.__setattr__(self, name, value)
        object.__setattr__(self, "coef_storage", frozen_matrix(self.coef_storage))
        options = dict(self.family_options)
        if options.get("strata") is not None:
            options["strata"] = plain_labels(options["strata"])
        object.__setattr__(self, "family_options", options)
        if self.classes is not None:
            object.__setattr__(self, "classes", plain_labels(self.classes))
        shapes = {name: getattr(self, name).shape for name in PER_LAMBDA}
        check_shapes(
            self.coef_storage, shapes, len(self.statuses), self.feature_names, self.n_outputs
        )
        check_classes(self.classes, self.n_outputs)
        if self.response_names is not None and len(self.response_names) != self.n_outputs:
            raise ValueError(
                f"Path: response_names has {len(self.response_names)} entries; it must have as "
                f"many as there are outputs, and n_outputs is {self.n_outputs}."
            )

    @property
    def feature_labels(self) -> Sequence[str]:
        """Names of the features; x0, x1, ... if none are known."""
        return labels(self.feature_names, self.n_features)

    @property
    def output_labels(self) -> Sequence[str]:
        """Names of the K outputs: the classes, the columns of y, or y0, y1, ... if it had no names.

        Empty for a single response.
        """
        if self.n_outputs is None:
            return ()
        if self.classes is not None:
            return [str(label) for label in self.classes.tolist()]
        return self.response_names or [f"y{k}" for k in range(self.n_outputs)]

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return int(self.coef_storage.shape[0]) // (self.n_outputs or 1)

    @property
    def coefs(self) -> FloatArray:
        """Coefficients on the original scale of the columns: ndarray (p, L), or (K, p, L)."""
        stored = self.coef_storage
        coefs = stored if isinstance(stored, np.ndarray) else frozen(stored.toarray(order="F"))
        return self._by_output(coefs)

    @property
    def coefs_sparse(self) -> csc_array:
        """Coefficients on the original scale of the columns: csc_array (p, L), or (K * p, L).

        For K outputs row ``k * p + j`` belongs to feature j of output k.
        """
        if isinstance(self.coef_storage, np.ndarray):
            return csc_array(self.coef_storage)
        # A new object around the same arrays: assigning to an entry of it leaves the path alone.
        stored = self.coef_storage
        return csc_array((stored.data, stored.indices, stored.indptr), shape=stored.shape)

    @property
    def n_nonzero(self) -> IntArray:
        """Number of features with a non-zero coefficient (for any output) at every lambda."""
        stored = self.coef_storage
        if isinstance(stored, np.ndarray):
            used = self._by_output(stored) != 0.0
            used = used if self.n_outputs is None else used.any(axis=0)
            return np.asarray(np.count_nonzero(used, axis=0), dtype=np.int64)
        columns = np.repeat(np.arange(stored.shape[1]), np.diff(stored.indptr))
        p = self.n_features
        proper = stored.data != 0.0
        places = columns[proper] * p + stored.indices[proper] % max(p, 1)
        if self.n_outputs is not None:
            places = np.unique(places)
        return np.bincount(places // max(p, 1), minlength=stored.shape[1]).astype(np.int64)

    def _by_output(self, matrix: FloatArray) -> FloatArray:
        """A matrix with the rows of the storage; for K outputs (K, p, ...), without a copy."""
        if self.n_outputs is None:
            return matrix
        return matrix.reshape(self.n_outputs, self.n_features, *matrix.shape[1:])

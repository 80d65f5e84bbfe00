"""Predictions of every family: linear predictors, means and classes of new rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy
from scipy.sparse import coo_array, csc_array

from regpath._fields import Fields
from regpath._linear import interpolation, linear_predictor
from regpath._parts import number

__all__ = ["FAMILIES", "PredictionType", "inverse_link", "most_probable", "predict"]

FloatArray: TypeAlias = npt.NDArray[np.float64]
PredictionType: TypeAlias = Literal["response", "link", "class"]
Mean: TypeAlias = Callable[[FloatArray], FloatArray]


def predict(
    path: Fields,
    X: Any,
    lambda_: npt.ArrayLike | None,
    type: PredictionType,
    offset: npt.ArrayLike | None,
) -> npt.NDArray[Any]:
    """Predict for new rows, see `regpath.Path.predict`."""
    if type not in ("response", "link", "class"):
        raise ValueError(
            f"Path.predict(type={type!r}): type must be 'response', 'link' or 'class'."
        )
    if type == "class":
        _check_classes(path)
    at = path.lambdas if lambda_ is None else number(lambda_)
    eta = _linear_predictors(path, X, interpolation(path.lambdas, at, "Path.predict"))
    if offset is not None:
        eta += _new_offset(offset, len(eta), path.n_outputs)[..., None]
    elif path.settings.offset is not None:
        raise ValueError(
            "Path.predict: the path was fitted with an offset; pass offset= for the new rows "
            f"(np.zeros({'n' if path.n_outputs is None else f'(n, {path.n_outputs})'}) for none)."
        )
    if np.ndim(at) == 0:
        eta = eta[..., 0]
    if type == "class":
        return most_probable(eta, path.classes, several=path.n_outputs is not None)
    return eta if type == "link" else inverse_link(path.family, path.family_options)(eta)


def _linear_predictors(path: Fields, X: Any, weights: csc_array) -> FloatArray:
    """Linear predictors without offset, ndarray of shape (n, k), or (n, K, k) for K outputs."""
    coefs = path.coefs_sparse @ weights
    intercepts = np.asarray(path.intercepts @ weights, dtype=np.float64)
    if path.n_outputs is not None:
        coefs = outputs_beside(coefs, path.n_outputs)
    eta = linear_predictor(X, coefs, path.feature_names)
    eta = eta.reshape(len(eta), *intercepts.shape)
    eta += intercepts
    return eta


def outputs_beside(coefs: csc_array, n_outputs: int) -> csc_array:
    """Coefficients of shape (K * p, k) as (p, K * k): the outputs side by side.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csc_array
    >>> outputs_beside(csc_array(np.array([[1.0], [2.0], [3.0], [4.0]])), 2).toarray()
    array([[1., 3.],
           [2., 4.]])
    """
    p, k = coefs.shape[0] // n_outputs, coefs.shape[1]
    entries = coo_array(coefs)
    output, feature = np.divmod(entries.row.astype(np.int64), max(p, 1))
    return csc_array((entries.data, (feature, output * k + entries.col)), shape=(p, n_outputs * k))


def _new_offset(offset: npt.ArrayLike, n: int, n_outputs: int | None) -> FloatArray:
    """Check the offset of new rows: (n,), or (n, K) for K outputs; finite."""
    values = np.asarray(offset, dtype=np.float64)
    wanted = (n,) if n_outputs is None else (n, n_outputs)
    if n_outputs is not None and values.shape == (n,):
        values = np.broadcast_to(values[:, None], wanted)  # the same for every output
    if values.shape != wanted:
        raise ValueError(f"Path.predict(offset=...): shape {values.shape}, it must be {wanted}.")
    if not np.isfinite(values).all():
        raise ValueError("Path.predict(offset=...): all values must be finite.")
    return values


# ------------------------------------------------------------------------------- means and classes


def _identity(eta: FloatArray) -> FloatArray:
    return eta


def _exp(eta: FloatArray) -> FloatArray:
    with np.errstate(over="ignore", under="ignore"):  # a mean beyond the floats is inf or 0
        mean: FloatArray = np.exp(eta)
        return mean


def _logit(eta: FloatArray) -> FloatArray:
    return np.asarray(scipy.special.expit(eta), dtype=np.float64)


def _probit(eta: FloatArray) -> FloatArray:
    return np.asarray(scipy.special.ndtr(eta), dtype=np.float64)


def _softmax(eta: FloatArray) -> FloatArray:
    """Probabilities of the K classes along axis 1."""
    odds = _exp(eta - eta.max(axis=1, keepdims=True))  # at most 1, and 1 somewhere
    odds /= odds.sum(axis=1, keepdims=True)
    return odds


_MEANS: dict[str, Mean] = {
    "gaussian": _identity,
    "huber": _identity,
    "multigaussian": _identity,
    "custom": _identity,  # a loss alone does not say what its mean is
    "binomial": _logit,
    "poisson": _exp,
    "gamma": _exp,
    "tweedie": _exp,
    "cox": _exp,
    "multinomial": _softmax,
}
FAMILIES = tuple(_MEANS)
"""Names of the families that predictions are known for."""
_CLASSIFIERS = ("binomial", "multinomial")


def inverse_link(family: str, options: Mapping[str, Any]) -> Mean:
    """Choose what turns linear predictors into means.

    Examples
    --------
    >>> import numpy as np
    >>> inverse_link("binomial", {"link": "logit"})(np.zeros(1))
    array([0.5])
    >>> inverse_link("multinomial", {})(np.array([[0.0, 0.0, 1000.0]]))
    array([[0., 0., 1.]])
    """
    if family not in _MEANS:
        raise ValueError(f"Path.predict: the family {family!r} is unknown; use type='link'.")
    return _probit if options.get("link") == "probit" else _MEANS[family]


def most_probable(
    eta: FloatArray, classes: npt.NDArray[Any] | None, *, several: bool
) -> npt.NDArray[Any]:
    """Labels of the most probable classes; of equal ones the first.

    Parameters
    ----------
    eta : ndarray of shape (n,) or (n, k); several: (n, K) or (n, K, k)
    classes : ndarray of shape (2,); several: (K,)
    several : bool
        Whether every class has linear predictors of its own, along axis 1.

    Examples
    --------
    >>> import numpy as np
    >>> most_probable(np.array([-1.0, 1.0]), np.array(["no", "yes"]), several=False)
    array(['no', 'yes'], dtype='<U3')
    """
    index = eta.argmax(axis=1) if several else (eta > 0.0).astype(np.int64)
    labels: npt.NDArray[Any] = np.asarray(classes)[index]
    return labels


def _check_classes(path: Fields) -> None:
    at = "Path.predict(type='class')"
    if path.family not in _CLASSIFIERS:
        raise ValueError(f"{at}: the {path.family} family has no classes; use type='response'.")
    if path.classes is None:
        raise ValueError(
            f"{at}: the path was fitted on proportions and knows no labels; use type='response'."
        )

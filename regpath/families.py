"""Families: what the response is, the loss that goes with it, and how predictions are made of it.

A family is a named tuple of its options. `fit_path` takes an instance, or the name for the default
options.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from regpath import losses
from regpath._numba import METHODS, distinct

__all__ = [
    "Binomial",
    "Cox",
    "Custom",
    "Family",
    "Gamma",
    "Gaussian",
    "Huber",
    "MultiGaussian",
    "Multinomial",
    "Poisson",
    "Tweedie",
    "resolve",
]


class Gaussian(NamedTuple):
    """Least squares: loss (y - eta)^2 / 2, identity link.

    Examples
    --------
    >>> import regpath
    >>> regpath.families.Gaussian().name
    'gaussian'
    """

    @property
    def name(self) -> str:
        """Name that `fit_path` accepts in place of an instance."""
        return "gaussian"


class Binomial(NamedTuple):
    """Two classes, or proportions in [0, 1]; the probability of the second class is modelled.

    y holds two different labels of any kind (the larger one, in the order of `numpy.unique`, is
    the second class), booleans, or proportions whose ``sample_weight`` is the number of trials.

    Attributes
    ----------
    link : {"logit", "probit"}, default "logit"

    Examples
    --------
    >>> import regpath
    >>> regpath.families.Binomial(link="probit").loss()
    Probit(pad=0.0)
    """

    link: str = "logit"

    @property
    def name(self) -> str:
        """Name that `fit_path` accepts in place of an instance."""
        return "binomial"

    def loss(self) -> Any:
        """The loss, `regpath.losses`."""
        return losses.Probit() if self.link == "probit" else losses.Logistic()


class Poisson(NamedTuple):
    """Counts y >= 0, log link; an exposure enters as ``offset=np.log(exposure)``.

    Examples
    --------
    >>> import regpath
    >>> regpath.families.Poisson().name
    'poisson'
    """

    @property
    def name(self) -> str:
        """Name that `fit_path` accepts in place of an instance."""
        return "poisson"

    def loss(self) -> Any:
        """The loss, `regpath.losses`."""
        return losses.Poisson()


class Gamma(NamedTuple):
    """Positive responses with a constant coefficient of variation, log link.

    Examples
    --------
    >>> import regpath
    >>> regpath.families.Gamma().name
    'gamma'
    """

    @property
    def name(self) -> str:
        """Name that `fit_path` accepts in place of an instance."""
        return "gamma"

    def loss(self) -> Any:
        """The loss, `regpath.losses`."""
        return losses.GammaLog()


class Tweedie(NamedTuple):
    """Responses y >= 0, with zeros, of variance mean^power, log link.

    Attributes
    ----------
    power : float, default 1.5
        1 < power < 2: beyond that the loss is not convex. At the ends take `Poisson` and `Gamma`.

    Examples
    --------
    >>> import regpath
    >>> regpath.families.Tweedie(1.2).loss()
    Tweedie(power=1.2)
    """

    power: float = 1.5

    @property
    def name(self) -> str:
        """Name that `fit_path` accepts in place of an instance."""
        return "tweedie"

    def loss(self) -> Any:
        """The loss, `regpath.losses`."""
        return losses.Tweedie(float(self.power))


class Huber(NamedTuple):
    """Robust regression: quadratic for residuals up to delta, linear beyond; identity link.

    Attributes
    ----------
    delta : float, default 1.345
        In units of y. 1.345 standard deviations of the noise keep 95 % of the efficiency of least
        squares (Huber 1964).

    Examples
    --------
    >>> import regpath
    >>> regpath.families.Huber(0.5).loss()
    Huber(delta=0.5)
    """

    delta: float = 1.345

    @property
    def name(self) -> str:
        """Name that `fit_path` accepts in place of an instance."""
        return "huber"

    def loss(self) -> Any:
        """The loss, `regpath.losses`."""
        return losses.Huber(float(self.delta))


class Multinomial(NamedTuple):
    """K >= 2 classes, symmetric coefficients (K, p, L): one set for every class.

    Attributes
    ----------
    grouped : bool, default False
        Whether a feature enters for all classes at once: the norm of its K coefficients takes the
        place of the sum of their absolute values.

    Examples
    --------
    >>> import regpath
    >>> regpath.families.Multinomial(grouped=True)
    Multinomial(grouped=True)
    """

    grouped: bool = False

    @property
    def name(self) -> str:
        """Name that `fit_path` accepts in place of an instance."""
        return "multinomial"


class MultiGaussian(NamedTuple):
    """K responses, Y of shape (n, K), with the norm of the K coefficients of a feature penalised.

    Examples
    --------
    >>> import regpath
    >>> regpath.families.MultiGaussian().name
    'multigaussian'
    """

    @property
    def name(self) -> str:
        """Name that `fit_path` accepts in place of an instance."""
        return "multigaussian"


class Cox(NamedTuple):
    """Survival times: partial likelihood of Cox's proportional hazards; no intercept.

    y has the columns (time, event) or (start, stop, event), or fields of these names.

    Attributes
    ----------
    ties : {"breslow", "efron"}, default "breslow"
    strata : array of shape (n,), optional
        Rows of different strata have different baseline hazards.

    Examples
    --------
    >>> import regpath
    >>> regpath.families.Cox(ties="efron").name
    'cox'
    """

    ties: str = "breslow"
    strata: Any = None

    @property
    def name(self) -> str:
        """Name that `fit_path` accepts in place of an instance."""
        return "cox"


class Custom(NamedTuple):
    """A loss of the user's own, see `regpath.losses`; ``family=loss`` is short for it.

    Attributes
    ----------
    function : named tuple
        With the methods of the contract in `regpath.losses`.

    Examples
    --------
    >>> import regpath
    >>> regpath.families.Custom(regpath.losses.Huber(2.0)).name
    'custom'
    """

    function: Any

    @property
    def name(self) -> str:
        """Name that `Path.family` shows."""
        return "custom"

    def loss(self) -> Any:
        """The loss itself, as kernels take it."""
        return distinct(self.function)


Family: TypeAlias = (
    Gaussian
    | Binomial
    | Poisson
    | Gamma
    | Tweedie
    | Huber
    | Multinomial
    | MultiGaussian
    | Cox
    | Custom
)

_FAMILIES: dict[str, Any] = {
    "gaussian": Gaussian,
    "binomial": Binomial,
    "poisson": Poisson,
    "gamma": Gamma,
    "tweedie": Tweedie,
    "huber": Huber,
    "multinomial": Multinomial,
    "multigaussian": MultiGaussian,
    "cox": Cox,
}
_ALIASES = {"mgaussian": "multigaussian", "logistic": "binomial"}


def resolve(call: str, family: object, **options: Any) -> Family:
    """Family from its name (and options), from an instance, or from a loss of the user's own.

    Raises
    ------
    ValueError
        If there is no family of that name, or an option of a family is out of range.
    TypeError
        If `family` is neither a name nor a family nor a loss.
    """
    known = ", ".join(repr(name) for name in _FAMILIES)
    if isinstance(family, str):
        name = _ALIASES.get(family.lower(), family.lower())
        if name not in _FAMILIES:
            raise ValueError(
                f"{call}(family={family!r}): there is no such family; available: {known}."
            )
        return _checked(call, _FAMILIES[name](**options))
    if isinstance(family, (*_FAMILIES.values(), Custom)):
        return _checked(call, family)
    if isinstance(family, tuple) and hasattr(family, "_fields") and hasattr(family, "terms"):
        return _checked(call, Custom(family))
    raise TypeError(
        f"{call}(family={family!r}): a family is a name ({known}), an instance from "
        "regpath.families, or a loss with the methods of regpath.losses."
    )


def _checked(call: str, family: Any) -> Family:
    """The family, if its options make sense."""
    at = f"{call}(family={family!r})"
    if isinstance(family, Binomial) and family.link not in ("logit", "probit"):
        raise ValueError(f"{at}: link must be 'logit' or 'probit'.")
    for option in ("power", "delta"):
        value = getattr(family, option, 1.0)
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            raise TypeError(f"{at}: {option} must be a number.")
    if isinstance(family, Multinomial) and not isinstance(family.grouped, bool | np.bool_):
        raise TypeError(f"{at}: grouped must be True or False.")
    if isinstance(family, Tweedie) and not 1.0 < family.power < 2.0:
        raise ValueError(
            f"{at}: power must lie between 1 and 2, for the loss is not convex beyond; "
            "at 1 use 'poisson', at 2 'gamma'."
        )
    if isinstance(family, Huber) and not 0.0 < family.delta < math.inf:
        raise ValueError(f"{at}: delta must be a finite number > 0.")
    if isinstance(family, Cox) and family.ties not in ("breslow", "efron"):
        raise ValueError(f"{at}: ties must be 'breslow' or 'efron'.")
    if isinstance(family, Custom):
        missing = [m for m in ("terms", "minimum") if not hasattr(family.function, m)]
        if missing or not getattr(family.function, "_fields", ()):
            raise TypeError(
                f"{at}: a loss is a typing.NamedTuple with at least one field and the methods "
                "terms(y, eta) and minimum(y); see regpath.losses."
            )
        taken = sorted(METHODS.intersection(family.function._fields))
        if taken:
            raise ValueError(
                f"{at}: a field of a loss cannot be named {', '.join(map(repr, taken))}, which is "
                "the name of a method to kernels; rename it."
            )
    result: Family = family
    return result

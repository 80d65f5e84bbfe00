"""Families: the loss that a path minimises, and the name it goes by."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Gaussian", "resolve"]


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


_FAMILIES = {"gaussian": Gaussian}


def resolve(call: str, family: object) -> Gaussian:
    """Family from its name or from an instance.

    Raises
    ------
    ValueError
        If there is no family of that name.
    TypeError
        If `family` is neither a name nor a family.
    """
    known = ", ".join(repr(name) for name in sorted(_FAMILIES))
    if isinstance(family, str):
        if family.lower() not in _FAMILIES:
            raise ValueError(
                f"{call}(family={family!r}): there is no such family; available: {known}."
            )
        return _FAMILIES[family.lower()]()
    if isinstance(family, tuple(_FAMILIES.values())):
        return family  # type: ignore[return-value]
    raise TypeError(
        f"{call}(family={family!r}): a family is a name ({known}) or an instance from "
        "regpath.families."
    )

"""Optional packages: imported where they are used, with one message that names the extra."""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = ["require"]


def require(module: str, extra: str) -> ModuleType:
    """Import an optional package, or say how to install it.

    Parameters
    ----------
    module : str
        Name of the module, for example ``"matplotlib.pyplot"``.
    extra : str
        The extra of regpath that installs it, for example ``"plot"``.

    Returns
    -------
    module

    Raises
    ------
    ImportError
        If the package is missing; the message holds the command that installs it.

    Examples
    --------
    >>> require("json", "plot").__name__
    'json'
    >>> require("no_such_module", "plot")
    Traceback (most recent call last):
    ImportError: no_such_module is not installed; run: pip install 'regpath[plot]'
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] != package:
            raise  # the package is there, something it needs itself is not
        message = f"{package} is not installed; run: pip install 'regpath[{extra}]'"
        raise ImportError(message, name=package) from None

"""The command ``regpath``: its entry point. The commands are in `regpath._commands`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from regpath._extras import require

__all__ = ["main"]

USER_ERROR = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: the arguments of the process.

    Returns
    -------
    exit_code : int
        0, or 2 with one line on stderr if something that the user gave is wrong.

    Examples
    --------
    >>> main(["--version"])
    regpath ...
    0
    """
    try:
        require("typer", "cli")
        require("rich", "cli")
        from regpath import (  # noqa: F401 - they add commands
            _bench_command,
            _commands,
            _cv_command,
            _stability_command,
        )

        return _commands.run(arguments)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except OSError as error:
        reason = error.strerror or error
        return _complain(f"{error.filename}: {reason}" if error.filename else reason, USER_ERROR)
    except (ImportError, TypeError, ValueError, _data_error()) as error:
        return _complain(error, USER_ERROR)


def _data_error() -> type[Exception]:
    from regpath._tables import DataError

    return DataError


def _complain(message: object, exit_code: int) -> int:
    print("regpath:", " ".join(str(message).split()), file=sys.stderr)
    return exit_code

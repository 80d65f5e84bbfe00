"""Results that can be written to files and read again."""

from __future__ import annotations

from os import PathLike
from typing import IO, Self, TypeAlias

__all__ = ["File", "Saved"]

File: TypeAlias = str | PathLike[str] | IO[bytes]


class Saved:
    """What every result of a fit has in common: `save` and `load`."""

    def save(self, file: File) -> None:
        """Write to a file that `load` of the same class reads back, bit for bit.

        The file is an npz archive: plain arrays and a JSON text, no pickle.

        Parameters
        ----------
        file : str, os.PathLike or binary file object
            Used as given: no ending is added.

        Raises
        ------
        TypeError
            If labels or notes (``info``) are objects that only pickle could store.

        Examples
        --------
        >>> import io, regpath
        >>> X, y, names, _ = regpath.datasets.load_prostate()
        >>> path = regpath.lasso_path(X, y, n_lambdas=20)
        >>> file = io.BytesIO()
        >>> path.save(file)
        >>> _ = file.seek(0)
        >>> bool((regpath.Path.load(file).coefs == path.coefs).all())
        True
        """
        from regpath._nested_storage import save

        save(self, file)

    @classmethod
    def load(cls, file: File) -> Self:
        """Read what `save` of the same class wrote; nothing in the file is ever executed.

        Raises
        ------
        ValueError
            If the file is no such result: truncated, altered, of another kind, or of a later
            format.
        OSError
            If the file cannot be opened.
        """
        from regpath._nested_storage import load

        return load(cls, file)

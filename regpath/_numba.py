"""The compiler policy: how kernels are compiled and cached, and how objects reach them.

This is the only file that touches the inside of numba.

Bridge
    Designs, losses and penalties are ``typing.NamedTuple`` classes with ordinary methods. Numba
    accepts their instances as arguments but does not know their methods; `register_methods` teaches
    it, by name, to look them up on the class. A class then works in plain Python, with compilation
    switched off, inside kernels, and from a user's own module.
Names
    Numba tells named tuples apart by the bare name of their class and by their fields, where it
    chooses machine code as where it links it. Two classes of one name would run the code of
    whichever came first. `distinct` gives a tuple of the user a class with a name of its own.
Cache
    Numba stamps a compiled kernel with the content of the file the kernel is written in. A change
    of a method in *another* file would silently run the old machine code. `kernel` therefore stamps
    every entry with a digest of all sources of the package, adds the sources of foreign classes to
    the key, and treats an index that cannot be read (a class was renamed) as empty.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
import uuid
from collections.abc import Callable, Iterator
from functools import cache, wraps
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba import types
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.extending import overload, overload_method

__all__ = [
    "FUSED",
    "METHODS",
    "REORDERED",
    "STRICT",
    "cache_directory",
    "distinct",
    "interpreted",
    "kernel",
    "of_tuple",
    "register_methods",
]

Function = TypeVar("Function", bound=Callable[..., Any])

# Sums may be reordered and fused, which lets LLVM keep vector accumulators: 2.5 x the speed of a
# dot product. NaN, infinities and divisions keep their IEEE meaning.
REORDERED = frozenset({"reassoc", "contract", "nsz"})
# With reassoc LLVM turns indexed sums into gathers, which are twice as slow: fuse only.
FUSED = frozenset({"contract", "nsz"})
# Everything that decides (steps, gaps, bounds) keeps the order of operations that is written.
STRICT: frozenset[str] = frozenset()


# Names that kernels look up on the class of a named tuple. Its fields must have others.
METHODS: set[str] = set()

# How the names of modules of the package begin.
_OWN = __name__.partition(".")[0] + "."


@cache
def package_digest() -> str:
    """Digest of all sources of the package: the stamp of every cached kernel."""
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        digest.update(str(file.relative_to(root)).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


@cache
def _class_digest(cls: type) -> str:
    """Digest of the module of a foreign class, or of its methods where there is no file."""
    try:
        source = Path(inspect.getfile(cls)).read_bytes()
    except (OSError, TypeError):
        codes = [
            (name, method.__code__.co_code, repr(method.__code__.co_consts))
            for name, method in sorted(vars(cls).items())
            if inspect.isfunction(method)
        ]
        source = repr(codes).encode()
    return hashlib.sha256(source).hexdigest()


# Distinct classes by name, and what stands for those that only the cache knows: pickle finds both
# as attributes of this module.
_distinct: dict[str, type] = {}
_unknown: dict[str, type] = {}


def _attribute(module: str, path: str) -> Any:
    """What an imported module has under a dotted path, or None."""
    found: Any = sys.modules.get(module)
    for name in path.split("."):
        found = getattr(found, name, None)
    return found


def _subclass(name: str, base: type, **attributes: Any) -> type:
    return type(name, (base,), attributes | {"__module__": __name__, "__qualname__": name})


@cache
def _distinct_class(cls: type) -> type:
    """A subclass whose name no other class has, in this process or in the cache."""
    if cls.__module__.startswith(_OWN):
        return cls
    # Pickle splits paths at dots.
    name = f"{cls.__module__}:{cls.__qualname__}:{_class_digest(cls)[:16]}".replace(".", "/")
    found = cls.__module__ != "__main__" and _attribute(cls.__module__, cls.__qualname__) is cls
    if not found or name in _distinct:  # of a notebook, made by a function, or loaded again
        return _subclass(f"{name}:{uuid.uuid4().hex}", cls, __slots__=())
    return _distinct.setdefault(name, _subclass(name, cls, __slots__=()))


def distinct(value: Any) -> Any:
    """A named tuple as kernels must be given it, where its class is not of the package.

    Examples
    --------
    >>> from typing import NamedTuple
    >>> class Huber(NamedTuple):
    ...     delta: float
    >>> Huber.__module__ = "mine"
    >>> same = distinct(Huber(2.0))
    >>> same == Huber(2.0), isinstance(same, Huber), type(same).__name__ == "Huber"
    (True, True, False)
    """
    if not hasattr(value, "_fields"):
        return value
    own: Any = type(value)
    made: Any = _distinct_class(own)
    return made._make(map(distinct, value))


def __getattr__(name: str) -> Any:
    if ":" not in name:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _distinct.get(name) or _unknown.setdefault(name, _subclass(name, tuple, _fields=()))


def _is_lasting(cls: type) -> bool:
    """Whether another process can have the same class."""
    return cls.__module__ != __name__ or cls.__name__ in _distinct


def _named_tuple_classes(signature: tuple[Any, ...]) -> Iterator[type]:
    """Classes of the named tuples in a signature, nested ones included."""
    for kind in signature:
        if isinstance(kind, types.BaseNamedTuple):
            yield kind.instance_class
            yield from _named_tuple_classes(tuple(kind))


class _Index(IndexDataCacheFile):  # type: ignore[misc]
    """An index file that is empty when it cannot be read, and entries that say whose they are.

    Numba numbers the files of entries. Two processes that compile the same kernel for different
    types at the same time may take the same number, and then one would run the code of the other.
    """

    def _load_index(self) -> dict[Any, str]:
        try:
            entries: dict[Any, str] = super()._load_index()
        except Exception:  # unpickling runs foreign imports: anything can be raised
            return {}
        return entries

    def save(self, key: Any, data: Any) -> None:
        super().save(key, (self._source_stamp, key, data))

    def load(self, key: Any) -> Any:
        entry = super().load(key)
        if entry is None or entry[:2] != (self._source_stamp, key):
            return None
        return entry[2]


class _Cache(FunctionCache):  # type: ignore[misc]
    """Numba's function cache, stamped with the package instead of with one file."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = _Index(
            cache_path=self._cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=package_digest(),
        )

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        foreign = (c for c in _named_tuple_classes(sig) if not c.__module__.startswith(_OWN))
        return (*super()._index_key(sig, codegen), *(_class_digest(c) for c in foreign))

    def _save_overload(self, sig: Any, data: Any) -> None:
        if all(map(_is_lasting, _named_tuple_classes(sig))):
            super()._save_overload(sig, data)

    def _load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super()._load_overload(sig, target_context)
        except Exception:  # a truncated or foreign entry: compile again
            return None


def kernel(
    fastmath: frozenset[str] = STRICT, *, inline: str = "llvm"
) -> Callable[[Function], Function]:
    """Compile a function at its first call, without the interpreter lock, and cache it on disk.

    Parameters
    ----------
    fastmath : frozenset of str
        One of `STRICT`, `REORDERED`, `FUSED`.
    inline : {"llvm", "always", "numba"}, default "llvm"
        How it gets into its callers. LLVM decides; or always does, for loops whose sums may be
        reordered: else a process that has just compiled a kernel and one that loads it may find
        different copies of the loop. Or numba does, before anything is compiled, for helpers of few
        callers: every function that is compiled on its own costs a tenth of a second or two.

    Returns
    -------
    callable
        The decorator. With ``NUMBA_DISABLE_JIT=1`` functions stay plain Python.

    Examples
    --------
    >>> from regpath._numba import kernel
    >>> @kernel()
    ... def double(x):
    ...     return 2 * x
    >>> double(4.0)
    8.0
    """

    def decorate(function: Function) -> Function:
        dispatcher = numba.njit(
            nogil=True,  # passes over X run in a pool of threads
            error_model="numpy",  # x / 0 is inf, and costs no test in the inner loop
            fastmath=set(fastmath) or False,
            inline="always" if inline == "numba" else "never",
            forceinline=inline == "always",
            _nrt=False,  # kernels allocate nothing, and need no counting of references
            no_cfunc_wrapper=True,
        )(function)
        if hasattr(dispatcher, "py_func"):
            _enable_cache(dispatcher, function)
        return dispatcher  # type: ignore[no-any-return]

    return decorate


def interpreted(function: Function) -> Function:
    """The Python function behind a kernel: for arguments that numba does not know."""
    return getattr(function, "py_func", function)


def _enable_cache(dispatcher: Any, function: Callable[..., Any]) -> None:
    """Give a dispatcher the stamped cache; without a writable place nothing is kept."""
    try:
        dispatcher._cache = _Cache(function)
    except (RuntimeError, OSError, AttributeError, TypeError):
        return


def of_tuple(compiled: Function) -> Function:
    """A kernel of a named tuple of any class, for Python as for other kernels."""
    function = interpreted(compiled)

    @wraps(function)
    def call(value: Any, *arguments: Any) -> Any:
        return compiled(distinct(value), *arguments)

    @wraps(function)
    def resolve(*arguments: Any) -> Any:
        return function

    vars(call)["py_func"] = function
    overload(call, strict=False, jit_options={"error_model": "numpy"})(resolve)
    return call  # type: ignore[return-value]


def cache_directory(compiled: Any) -> str | None:
    """Directory that holds a compiled kernel, None if it is not cached."""
    return getattr(getattr(compiled, "_cache", None), "_cache_path", None)


def register_methods(*, inline: str, **arities: int) -> None:
    """Let kernels call these methods of any ``typing.NamedTuple`` class.

    Parameters
    ----------
    inline : {"llvm", "always", "numba"}
        As for `kernel`. Numba's own inlining makes loops inside a method as fast as if they stood
        in the kernel, and takes about twice as long to compile. Around such a call numba drops what
        it takes for dead code, ``self.a.b[i] = x`` inside a loop included: arrays of nested tuples
        need a local name before the loop.
    **arities : int
        Name of the method, and its number of arguments without ``self``.
    """
    METHODS.update(arities)
    for name, arity in arities.items():
        # BaseNamedTuple: a tuple whose fields share one type is a NamedUniTuple.
        overload_method(
            types.BaseNamedTuple,
            name,
            strict=False,
            inline="always" if inline == "numba" else "never",
            jit_options={"error_model": "numpy", "forceinline": inline == "always"},
        )(_resolver(name, arity))


def _resolver(name: str, arity: int) -> Callable[..., Any]:
    def resolve(self: Any, *args: Any) -> Any:
        return getattr(self.instance_class, name, None)

    parameters = [
        inspect.Parameter(label, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        for label in ["self", *(f"argument{i}" for i in range(arity))]
    ]
    resolve.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return resolve

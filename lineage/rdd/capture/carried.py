"""How taps get to Spark's workers, which need not have bigdebug: what they run is pickled by value, but once.

There is more of it than of most functions of a program's own, which Spark pickles anew for each RDD. So a tap is
pickled as the name of a function of ours and what to call it with, beside the bytes of all of them; a worker reads
these once.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
MadeT = TypeVar("MadeT")

_known: dict[str, Any] = {}


class _Carried:
    """What a function of ours gives, a function itself; made where it is called.

    Args:
        make: the function.
        args: to call it with.
    """

    def __init__(self, make: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._make = make
        self._args = args
        self._made: Callable[..., Any] | None = None

    def __call__(self, *args: Any) -> Any:
        if self._made is None:
            self._made = self._make(*self._args)
        return self._made(*args)

    def __reduce__(self) -> Any:
        return pickled(self._make, self._args)


def carried(make: Callable[P, MadeT]) -> Callable[P, MadeT]:
    """Have the function that `make` gives be made anew in Spark's workers, of the same arguments."""
    _known[make.__name__] = make

    @wraps(make)
    def made(*args: P.args, **kwargs: P.kwargs) -> Any:
        assert not kwargs, "what is to be called elsewhere is given by position"
        return _Carried(make, args)

    return made


def taken_along(kind: type[MadeT]) -> type[MadeT]:
    """Take along a class whose instances are pickled as `pickled` says."""
    _known[kind.__name__] = kind
    return kind


def pickled(make: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """What `__reduce__` gives for what a function or class of ours made.

    Args:
        make: it; known here.
        args: it was called with.
    """
    name, code = _code()
    return _remade, (name, code, make.__name__, args)


@cache
def _code() -> tuple[str, bytes]:
    """All that is known here, by value and compressed, and a name for it."""
    from pyspark import cloudpickle

    from bigdebug.lineage.rdd.travelling import travelling

    with travelling():
        code = zlib.compress(cloudpickle.dumps(_known))
    return f"_bigdebug_{hashlib.blake2b(code, digest_size=8).hexdigest()}", code


def _remade(name: str, code: bytes, make: str, args: tuple[Any, ...]) -> Any:
    import pickle
    import sys
    import types
    import zlib

    module: Any = sys.modules.get(name)
    if module is None:
        module = types.ModuleType(name)
        module.known = pickle.loads(zlib.decompress(code))
        sys.modules[name] = module
    return module.known[make](*args)

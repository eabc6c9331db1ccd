"""What a Python function does, as a digest: the same for the same code, whatever line or file it stands in."""

from __future__ import annotations

import hashlib
import sys
import types
from collections.abc import Iterator
from typing import Any

from pyspark import cloudpickle

_PLAIN = (str, bytes, int, float, complex, bool, range, type(None), type(Ellipsis))


def function_digest(value: Any) -> str:
    """Eight hexadecimal digits that tell a function, or what holds functions, by its code and by what it uses.

    What was pickled by its name (out of a module beside the script, or of a library) counts by its name alone.
    """
    digest = hashlib.blake2b(digest_size=4)
    for part in _parts(value, set()):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


def _parts(value: Any, seen: set[int]) -> Iterator[str]:
    yield type(value).__qualname__
    if isinstance(value, _PLAIN):
        yield repr(value)
    elif isinstance(value, types.ModuleType):
        yield value.__name__
    elif isinstance(value, types.CodeType):
        yield from _of_code(value, seen)
    elif isinstance(value, frozenset | set):
        yield repr(sorted(map(repr, value)))
    elif id(value) in seen:
        yield "again"
    else:
        seen.add(id(value))
        yield from _of_object(value, seen)


def _of_object(value: Any, seen: set[int]) -> Iterator[str]:
    if isinstance(value, types.FunctionType | type):
        yield value.__qualname__
        if _is_imported(value):
            yield value.__module__
        elif isinstance(value, type):
            methods = {name: each for name, each in vars(value).items() if callable(each)}
            yield from _parts(methods, seen)
        else:
            yield from _of_function(value, seen)
    elif isinstance(value, tuple | list):
        yield str(len(value))
        for each in value:
            yield from _parts(each, seen)
    elif isinstance(value, dict):
        for key in sorted(value, key=repr):
            yield repr(key)
            yield from _parts(value[key], seen)
    else:
        yield hashlib.blake2b(_pickled(value), digest_size=8).hexdigest()


def _is_imported(value: Any) -> bool:
    found: Any = sys.modules.get(value.__module__)
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is value


def _of_function(function: types.FunctionType, seen: set[int]) -> Iterator[str]:
    yield from _parts(function.__code__, seen)
    yield from _parts((function.__defaults__, function.__kwdefaults__), seen)
    for cell in function.__closure__ or ():
        try:
            yield from _parts(cell.cell_contents, seen)
        except ValueError:  # nothing is in it yet
            yield "empty"
    for name in sorted(_names(function.__code__)):
        if name in function.__globals__:
            yield name
            yield from _parts(function.__globals__[name], seen)


def _of_code(code: types.CodeType, seen: set[int]) -> Iterator[str]:
    yield code.co_code.hex()
    yield repr((code.co_names, code.co_varnames, code.co_freevars, code.co_argcount))
    for each in code.co_consts:
        yield from _parts(each, seen)


def _names(code: types.CodeType) -> set[str]:
    """The globals that a function's code, or that of functions in it, may use."""
    found = set(code.co_names)
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            found |= _names(each)
    return found


def _pickled(value: Any) -> bytes:
    try:
        return bytes(cloudpickle.dumps(value))
    except (
        Exception
    ):  # what can't be pickled isn't in a recipe, but may be within reach of a function's names
        return b""

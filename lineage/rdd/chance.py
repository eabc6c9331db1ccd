"""What of chance or time a function's results hang on, as far as its code tells. Loads no Spark."""

from __future__ import annotations

import datetime
import dis
import functools
import importlib
import inspect
import os
import random
import sys
import sysconfig
import types
from collections.abc import Iterator, Mapping
from typing import Any

_DRAWS = "draws random numbers"
_UNSEEDED = "draws random numbers unless it is given a seed"
_TIME = "tells the time"

_REASONS: dict[str, dict[str, str]] = {
    "os": dict.fromkeys(("urandom", "getrandom"), _DRAWS),
    "uuid": {**dict.fromkeys(("uuid4", "uuid6", "uuid7", "uuid8"), _DRAWS), "uuid1": _TIME},
    "secrets": dict.fromkeys(("randbelow", "token_bytes", "token_hex", "token_urlsafe"), _DRAWS),
    "time": dict.fromkeys(
        [
            f"{clock}{unit}"
            for clock in ("time", "monotonic", "perf_counter", "process_time", "thread_time")
            for unit in ("", "_ns")
        ],
        _TIME,
    ),
}
"""By module and name of a function, what it does."""

_NOW = frozenset({"now", "utcnow", "today"})

_WITHOUT: dict[tuple[str, str], tuple[int, str]] = {
    **{("time", name): (0, _TIME) for name in ("ctime", "localtime", "gmtime", "asctime")},
    ("time", "strftime"): (1, _TIME),
    ("random", "Random"): (0, _UNSEEDED),
    **{
        ("numpy.random", name): (0, _UNSEEDED)
        for name in (
            "default_rng",
            "RandomState",
            "SeedSequence",
            "PCG64",
            "PCG64DXSM",
            "MT19937",
            "Philox",
            "SFC64",
        )
    },
}
"""What takes the time, or a seed of chance, where it is called with no more arguments than these."""

_MODULES = frozenset(
    {name.partition(".")[0] for name in [*_REASONS, *(module for module, _ in _WITHOUT)]}
) | {"datetime"}
_NO_DRAWS = frozenset({"getstate", "setstate", "get_state", "set_state"})
_IDLE = frozenset({"CACHE", "EXTENDED_ARG", "NOP"})
_BETWEEN = frozenset({"PUSH_NULL", "PRECALL"})
_CALLED = (types.BuiltinFunctionType, types.FunctionType, types.MethodType, type)
_MOST_READ = 1000
_MOST_HELD = 100

_NOTHING = object()


def chance_in(function: Any) -> dict[str, str]:
    """What a function uses that gives something else each time, and what that does: `{"time.time": "tells the time"}`.

    Read are its code, that of functions within it, and that of the program's own functions and methods that it
    refers to; of libraries' functions it is enough to know them by name. A generator of random numbers that is
    given a seed draws the same ones again.

    Args:
        function: or whatever else is called.
    """
    reader = _Reader()
    reader.use(function)
    return {
        name: reason
        for name, reason in reader.found.items()
        if not any(name.startswith(f"{module}.") for module in reader.seeded)
    }


class _Reader:
    """Reads code, and what that refers to.

    Attributes:
        found: by name what was found.
        seeded: modules whose generator is given a seed.
    """

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self.seeded: set[str] = set()
        self._seen: set[int] = set()
        self._kept: list[Any] = []  # so that no other object gets its id

    def look(self, value: Any) -> None:
        """Read what is called when a value is."""
        if id(value) in self._seen or len(self._kept) > _MOST_READ:
            return
        self._seen.add(id(value))
        self._kept.append(value)
        if isinstance(value, functools.partial):
            for each in (value.func, *value.args, *value.keywords.values()):
                self.use(each)
        elif isinstance(value, staticmethod | classmethod):
            self.look(value.__func__)
        elif isinstance(value, types.MethodType):
            self._function(value.__func__, value.__self__)
        elif isinstance(value, types.FunctionType):
            self._function(value, _NOTHING)
        elif isinstance(value, type):
            for each in vars(value).values() if _is_programs(value) else ():
                if isinstance(each, types.FunctionType):
                    self._function(each, value)
                elif isinstance(each, staticmethod | classmethod):
                    self._function(each.__func__, value)
        elif isinstance(value, dict | list | tuple):
            for each in list(value.values() if isinstance(value, dict) else value)[:_MOST_HELD]:
                if isinstance(each, _CALLED):
                    self.use(each)
        elif callable(value) and not isinstance(value, _CALLED) and _is_programs(type(value)):
            self.look(types.MethodType(type(value).__call__, value))

    # -- code ---------------------------------------------------------------------------------------

    def _function(self, function: Any, owner: Any) -> None:
        if not isinstance(function, types.FunctionType) or _is_librarys(function.__code__.co_filename):
            return
        cells = dict(_cells(function))
        local = {}
        if owner is not _NOTHING and function.__code__.co_argcount:
            local[function.__code__.co_varnames[0]] = owner
        self._code(function.__code__, function.__globals__, cells, local)
        for each in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            if isinstance(each, _CALLED):
                self.use(each)

    def _code(
        self,
        code: types.CodeType,
        world: Mapping[str, Any],
        cells: Mapping[str, Any],
        local: dict[str, Any],
    ) -> None:
        """Follow what is on top of the stack, as far as that can be told without running anything."""
        steps = [step for step in dis.get_instructions(code) if step.opname not in _IDLE]
        top, holder = _NOTHING, None
        names: dict[str, Any] = {**cells, **local}
        for number, step in enumerate(steps):
            name = step.opname
            if name.startswith("STORE_FAST_LOAD_FAST"):
                names[step.argval[0]] = top
                top, holder = names.get(step.argval[1], _NOTHING), None
            elif name in ("LOAD_GLOBAL", "LOAD_NAME"):
                top, holder = world.get(step.argval, _NOTHING), None
            elif name.startswith(("LOAD_FAST", "LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF")):
                asked = step.argval[-1] if isinstance(step.argval, tuple) else step.argval
                top, holder = names.get(asked, _NOTHING), None
            elif name == "IMPORT_NAME":
                top, holder = _imported(step.argval, whole=steps[number - 1].argval is None), None
            elif name in ("IMPORT_FROM", "LOAD_ATTR", "LOAD_METHOD"):
                top, holder = _attribute(top, step.argval), top
            elif name in ("STORE_FAST", "STORE_DEREF", "STORE_NAME"):
                names[step.argval] = top
                top = _NOTHING
            elif name != "SWAP" and not (name == "POP_TOP" and steps[number - 1].opname == "SWAP"):
                top = _NOTHING
            if top is not _NOTHING and steps[number + 1].opname not in (
                "LOAD_ATTR",
                "LOAD_METHOD",
                "IMPORT_FROM",
            ):
                self.use(top, holder, _arguments(steps, number + 1))
        for each in code.co_consts:
            if isinstance(each, types.CodeType):
                self._code(each, world, names, {})

    # -- what it refers to --------------------------------------------------------------------------

    def use(self, value: Any, holder: Any = None, arguments: int | None = None) -> None:
        """Judge what code refers to.

        Args:
            value: that.
            holder: of what it is an attribute; None of what stands alone.
            arguments: how many it is called with, where that is seen.
        """
        called = isinstance(value, _CALLED) or type(value).__name__ == "cython_function_or_method"
        found = self._judged(value, holder, arguments) if called else None
        if found is not None:
            self.found.setdefault(*found)
        elif not isinstance(value, types.ModuleType):
            self.look(value)

    def _judged(self, value: Any, holder: Any, arguments: int | None) -> tuple[str, str] | None:
        owner, name = getattr(value, "__self__", None), getattr(value, "__name__", "")
        module = _module_of(value)
        if isinstance(owner, random.SystemRandom) or value is random.SystemRandom:
            return f"random.SystemRandom.{name}".removesuffix(".SystemRandom"), _DRAWS
        generator = _generator(owner)
        if generator is not None and (holder is None or isinstance(holder, types.ModuleType)):
            if name == "seed" and arguments != 0:
                self.seeded.add(generator)
            return None if name == "seed" or name in _NO_DRAWS else (f"{generator}.{name}", _DRAWS)
        if isinstance(owner, type) and issubclass(owner, datetime.date) and name in _NOW:
            return f"{owner.__module__}.{owner.__qualname__}.{name}", _TIME
        fewest, reason = _WITHOUT.get((module, name), (None, ""))
        if fewest is not None and arguments is not None and arguments <= fewest:
            return f"{module}.{name}", reason
        reason = _REASONS.get(module, {}).get(name, "")
        return (f"{module}.{name}", reason) if reason else None


def _arguments(steps: list[dis.Instruction], number: int) -> int | None:
    """How many arguments a call has that follows at once, where they are constants; else None."""
    given = 0
    for step in steps[number:]:
        if step.opname in ("LOAD_CONST", "LOAD_SMALL_INT"):
            given += 1
        elif step.opname in ("CALL", "CALL_FUNCTION"):
            return given if step.argval == given else None
        elif step.opname not in _BETWEEN:
            return None
    return None


def _cells(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # nothing is in it yet
            continue


def _attribute(value: Any, name: str) -> Any:
    """An attribute, looked up without running the program's own code."""
    if isinstance(value, types.ModuleType):
        return vars(value).get(name, _NOTHING)
    if isinstance(value, type) and not _is_programs(value):
        return getattr(value, name, _NOTHING)
    if isinstance(value, random.Random):
        return getattr(value, name, _NOTHING)
    found = _NOTHING if value is _NOTHING else inspect.getattr_static(value, name, _NOTHING)
    if isinstance(found, types.FunctionType) and not isinstance(value, type):
        return types.MethodType(found, value)
    if isinstance(found, classmethod):
        return types.MethodType(found.__func__, value if isinstance(value, type) else type(value))
    return found.__func__ if isinstance(found, staticmethod) else found


def _imported(name: str, *, whole: bool) -> Any:
    """What an import gives.

    Args:
        name: of the module.
        whole: it is the package that it is in.
    """
    if name.partition(".")[0] in _MODULES:
        try:
            importlib.import_module(name)
        except ImportError:
            return _NOTHING
    return sys.modules.get(name.partition(".")[0] if whole else name, _NOTHING)


def _generator(owner: Any) -> str | None:
    """The module whose own generator of random numbers something is, or a copy of it that was pickled."""
    if isinstance(owner, random.Random):
        return "random"
    return "numpy.random" if type(owner).__module__ == "numpy.random.mtrand" else None


def _module_of(value: Any) -> str:
    module = str(getattr(value, "__module__", None) or "")
    if module.startswith("numpy.random"):
        return "numpy.random"
    return "os" if module in ("posix", "nt") else module


def _is_programs(kind: type) -> bool:
    """Whether a class is the program's own."""
    module = sys.modules.get(kind.__module__)
    if kind.__module__ == "__main__" or module is None:
        return True
    file = getattr(module, "__file__", None)
    return file is not None and not _is_librarys(file)


@functools.cache
def _is_librarys(file: str) -> bool:
    """Whether a file is a library's, or nobody's."""
    paths = sysconfig.get_paths()
    folders = {paths[name] + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return file.startswith(("<frozen", *folders))

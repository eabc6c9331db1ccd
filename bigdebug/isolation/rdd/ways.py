"""Which ways calls take through the user's own Python functions: how conditions turn out, and what is caught.

Instructions are watched as debuggers watch them: a conditional jump is a condition of the user's, whether it stands
in an `if`, in a ternary, in `and` and `or` or in a comprehension, and the instruction that follows tells how it turned
out. What other packages do isn't watched.
"""

from __future__ import annotations

import dis
import linecache
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any

from bigdebug.lineage.callsite import Caller, caller, without_secrets

_LONGEST = 120
_PACKAGES = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))
_PLAIN = frozenset({"TO_BOOL", "COPY", "NOP", "CACHE", "EXTENDED_ARG"})
_OF_PYTHON = frozenset({"CHECK_EXC_MATCH", "WITH_EXCEPT_START"})
"""What jumps test behind these Python itself asks: whether an exception is one that the function catches."""

_ENDINGS = (StopIteration, StopAsyncIteration, GeneratorExit)


@dataclass(frozen=True)
class Way:
    """One outcome at a place in a function.

    Attributes:
        code: of the function.
        offset: of the instruction.
        outcome: whether the condition holds; the name of the exception that was raised there.
        of_none: the condition is whether what stands there is None.
    """

    code: CodeType
    offset: int
    outcome: bool | str
    of_none: bool = False

    def __str__(self) -> str:
        line, text = source_at(self.code, self.offset)
        at = f"{os.path.basename(self.code.co_filename)}:{line}"
        if isinstance(self.outcome, str):
            return f"{text} raises {self.outcome} ({at})"
        told = ("None", "not None") if self.of_none else ("true", "false")
        return f"{text} is {told[not self.outcome]} ({at})"


@dataclass(frozen=True)
class _Jump:
    """A conditional jump.

    Attributes:
        tested: the instruction that made what it tests.
        target: where it goes.
        jumps_if: whether the condition holds then.
        of_none: the condition is whether that is None.
    """

    tested: int
    target: int
    jumps_if: bool
    of_none: bool


class Watch:
    """Watches the calls of this thread, while it is entered.

    Attributes:
        taken: the ways that were taken since it was emptied last.
    """

    def __init__(self) -> None:
        self.taken: set[Way] = set()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Watch; what watched before (a debugger, what measures coverage) goes on afterwards."""
        before = sys.gettrace()
        # Python 3.12 tells of instructions only where a frame asked for them before.
        sys._getframe().f_trace_opcodes = True
        sys.settrace(self._called)
        try:
            yield
        finally:
            sys.settrace(before)

    def _called(self, frame: FrameType, event: str, _: Any) -> Any:
        if event != "call" or not _is_users(frame):
            return None
        # Python 3.13 tells of a function's instructions from its first call on only if its frame is traced by then.
        frame.f_trace = self._within(frame.f_code)
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return frame.f_trace

    def _within(self, code: CodeType) -> Callable[[FrameType, str, Any], Any]:
        jumps = _jumps(code)
        pending: _Jump | None = None

        def watch(frame: FrameType, event: str, what: Any) -> Any:
            nonlocal pending
            if event == "opcode":
                offset = frame.f_lasti
                if pending is not None:
                    holds = (offset == pending.target) is pending.jumps_if
                    self.taken.add(Way(code, pending.tested, holds, pending.of_none))
                pending = jumps.get(offset)
            elif event == "exception":
                pending = None
                if not issubclass(what[0], _ENDINGS):
                    self.taken.add(Way(code, frame.f_lasti, what[0].__name__))
            return watch

        return watch


def source_at(code: CodeType, offset: int) -> tuple[int, str]:
    """The line of an instruction, and the source of what it is about; empty where the source isn't there.

    Args:
        code: of the function.
        offset: of the instruction, in bytes.
    """
    place = list(code.co_positions())[offset // 2]
    first, last, begin, end = place
    if first is None:
        return code.co_firstlineno, ""
    lines = linecache.getlines(code.co_filename)[first - 1 : last]
    if not lines or begin is None or end is None:
        return first, ""
    # Columns are counted in bytes.
    encoded = [line.encode() for line in lines]
    encoded[-1] = encoded[-1][:end]
    encoded[0] = encoded[0][begin:]
    text = without_secrets(re.sub(r"\s+", " ", b"".join(encoded).decode(errors="replace")).strip())
    return first, text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _is_users(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return caller(frame)[0] is Caller.USER and not any(each in file for each in _PACKAGES)


@lru_cache(maxsize=1_000)
def _jumps(code: CodeType) -> dict[int, _Jump]:
    """The conditional jumps of a function, by their offsets."""
    found: dict[int, _Jump] = {}
    before: dis.Instruction | None = None
    for each in dis.get_instructions(code):
        name = each.opname
        if "JUMP" in name and "_IF_" in name and before and before.opname not in _OF_PYTHON:
            # `is None` and `is not None` are in the jump itself.
            of_none = "NONE" in name
            jumps_if = "NOT" not in name if of_none else "TRUE" in name
            found[each.offset] = _Jump(before.offset, each.argval, jumps_if, of_none)
        if name not in _PLAIN:
            before = each
    return found

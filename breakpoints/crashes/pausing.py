"""Records that a task has set aside, and what the session is asked to do with them: the driver's end of "pause"."""

from __future__ import annotations

import ast
import itertools
import sys
import textwrap
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from pyspark import cloudpickle

from bigdebug.breakpoints.channel.channels import channels_of
from bigdebug.breakpoints.channel.values import Shown, heard
from bigdebug.breakpoints.crashes.crash import Raised, short
from bigdebug.breakpoints.crashes.decisions import Answer, key_of, written
from bigdebug.breakpoints.crashes.guarding import Guarded
from bigdebug.breakpoints.crashes.guards import Expression
from bigdebug.breakpoints.crashes.quarantine import TASKS
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.recorder import Recorder, logger

TOPIC = "crashed"
CONTROL = "crashes"


@dataclass(frozen=True)
class SetAside:
    """A record that waits.

    Attributes:
        value: the record; of a class that isn't Python's own its text.
        error: what was raised for it.
    """

    value: Any
    error: Raised


class Paused:
    """The records that one task has set aside. Their task waits until all of them are decided on, or its time is up.

    Attributes:
        number: of the question, within the run.
        operator: as the user called it.
        call_site: where it stands, as `file:line`.
        records: those that wait.
    """

    def __init__(
        self, number: int, guarded: Guarded, records: Sequence[SetAside], done: Callable[[Paused], None]
    ) -> None:
        self.number = number
        self.operator = guarded.label
        self.call_site = guarded.call_site.label if guarded.call_site else ""
        self.records = tuple(records)
        self._function = guarded.function
        self._decided: list[dict[str, Any] | None] = [None] * len(records)
        self._functions: list[Any] = []
        self._done = done
        self._lock = threading.Lock()
        self._over = threading.Event()

    def skip(self, index: int | None = None) -> None:
        """Leave out a record, or all that aren't decided on: they go to quarantine."""
        self._decide(index, {"do": "skip"})

    def edit(self, index: int, value: Any) -> None:
        """Give the operator's function something else in place of what it was given.

        Args:
            index: of the record.
            value: what the function is called with.
        """
        self._decide(index, {"do": "edit", "function": self._known(value)})

    def repair(self, function: Callable[[Any], Any], index: int | None = None) -> None:
        """Give the operator's function what another one makes of what it was given.

        Args:
            function: of the function's input.
            index: of the record; None for all that aren't decided on.
        """
        self._decide(index, {"do": "repair", "function": self._known(function)})

    def fail(self, index: int | None = None) -> None:
        """Have the task fail by the exception of a record."""
        self._decide(index, {"do": "fail"})

    def undecided(self) -> list[int]:
        """The records that nothing was decided about."""
        with self._lock:
            return [index for index, each in enumerate(self._decided) if each is None]

    def tried(self, function: Callable[[Any], Any], index: int) -> dict[str, str]:
        """What a repair makes of a record, and what the operator's function then gives; nothing is decided by it.

        Args:
            function: of the function's input.
            index: of the record.

        Returns:
            Texts: `given` what the repair made of it, `gives` what the function made of that; or `error`.
        """
        value = self.records[index].value
        if isinstance(value, Shown):
            return {
                "error": f"only the text of the record is here, not the {value.kind} itself: apply it to try it"
            }
        told: dict[str, str] = {}
        try:
            given = function(value)
            told["given"] = short(given)
            if callable(self._function):
                told["gives"] = short(self._function(given))
        except Exception as error:
            told["error"] = f"{type(error).__name__}: {error}"
        return told

    def wait(self, seconds: float | None) -> tuple[dict[str, Any], bytes] | None:
        """The decisions, for the task; None where there were none in time."""
        in_time = self._over.wait(seconds)
        self._done(self)
        if not in_time:
            return None
        # Only the driver sends code.
        return {"decisions": self._decided}, cloudpickle.dumps(self._functions)

    def answers(self) -> list[Answer]:
        """What was decided about each record."""
        with self._lock:
            return [
                (each["do"], self._functions[each["function"]] if "function" in each else None)
                for each in self._decided
                if each is not None
            ]

    def __repr__(self) -> str:
        return f"<Paused {self.number}: {len(self.records)} records of {self.operator} at {self.call_site}>"

    def _known(self, function: Any) -> int:
        with self._lock:
            self._functions.append(function)
            return len(self._functions) - 1

    def _decide(self, index: int | None, decision: dict[str, Any]) -> None:
        with self._lock:
            chosen = [i for i, each in enumerate(self._decided) if each is None] if index is None else [index]
            for i in chosen:
                self._decided[i] = decision
            if all(each is not None for each in self._decided):
                self._over.set()


class Pausing:
    """What tasks of a run ask, and who answers: the program itself, or another terminal.

    Args:
        recorder: of the run.
        guarded: the run's guarded operators, by number.
    """

    def __init__(self, recorder: Recorder, guarded: dict[int, Guarded]) -> None:
        self._recorder = recorder
        self._guarded = guarded
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._waiting: dict[int, Paused] = {}
        self._exchanges: set[int] = set()
        self._reachable = False

    @property
    def waiting(self) -> list[Paused]:
        """What waits for an answer now."""
        with self._lock:
            return list(self._waiting.values())

    def address(self, context: Any) -> Any:
        """What tasks of a context ask at."""
        channels = channels_of(self._recorder)
        exchange = channels.exchange(context)
        with self._lock:
            if id(exchange) not in self._exchanges:
                self._exchanges.add(id(exchange))
                exchange.on(TOPIC, self._asked)
                exchange.open()
            if channels.control is not None and not self._reachable:
                self._reachable = True
                channels.control.on(CONTROL, self._resolved)
                if not channels.control.opened:
                    channels.control.open()
        return exchange.address

    def _asked(self, header: dict[str, Any], _: bytes) -> tuple[dict[str, Any], bytes] | None:
        """A task asks; on a thread of the question's own."""
        guarded = self._guarded.get(int(header["site"]))
        if guarded is None:
            return None
        records = [
            SetAside(heard(each["value"]), Raised(each["kind"], each["message"], each["traceback"]))
            for each in header["records"]
        ]
        paused = Paused(next(self._numbers), guarded, records, self._answered)
        with self._lock:
            self._waiting[paused.number] = paused
        print(
            f"bigdebug: {len(records)} records of {guarded.label} at {paused.call_site} wait for an answer: "
            "session.paused, or bigdebug crashes last --resolve …",
            flush=True,
            file=sys.stderr,
        )
        answer = paused.wait(float(header["seconds"]))
        if answer is not None and not self._recorder.redact:  # what is redacted isn't kept
            self._keep(guarded, paused, [key_of(each["value"]) for each in header["records"]])
        return answer

    def _keep(self, guarded: Guarded, paused: Paused, keys: Sequence[str]) -> None:
        """Keep what was decided, for replays."""
        writer = self._recorder.writer
        answers = {
            key: answer for key, answer in zip(keys, paused.answers(), strict=True) if answer[0] != "fail"
        }
        if writer is None or not answers:
            return
        try:
            filesystem, folder = writer.place(TASKS)
            filesystem.create_dir(folder, recursive=True)
            written(filesystem, folder, guarded.number, paused.number, answers)
        except Exception as problem:
            logger.warning("bigdebug: what was decided about %s isn't kept: %s", guarded.label, problem)

    def _answered(self, paused: Paused) -> None:
        with self._lock:
            self._waiting.pop(paused.number, None)

    def _resolved(self, request: dict[str, Any]) -> Any:
        """Another terminal asks what waits, or answers."""
        waiting = [each for each in self.waiting if request.get("number") in (None, each.number)]
        resolve, index = request.get("resolve"), request.get("index")
        if resolve is None:
            return [_described(each) for each in waiting]
        if index is not None and (len(waiting) != 1 or not 0 <= int(index) < len(waiting[0].records)):
            raise BigDebugError("this record waits no more", hint="it was decided on, or its time is up")
        if resolve == "try":
            return waiting[0].tried(function_of(request.get("with")), int(index or 0))
        answer = _answer(resolve, request.get("with"))
        counted = 0
        for each in waiting:
            counted += len(each.undecided()) if index is None else 1
            answer(each, None if index is None else int(index))
        return {"resolved": counted}


def _described(paused: Paused) -> dict[str, Any]:
    undecided = set(paused.undecided())
    return {
        "number": paused.number,
        "operator": paused.operator,
        "call_site": paused.call_site,
        "records": [
            {
                "value": short(each.value),
                "error": str(each.error),
                "kind": each.error.kind,
                "traceback": each.error.traceback,
                "waits": index in undecided,
            }
            for index, each in enumerate(paused.records)
        ],
    }


def _answer(resolve: str, how: Any) -> Callable[[Paused, int | None], None]:
    """What an answer from another terminal does; a wrong one is refused before anything is decided."""
    if resolve == "skip":
        return lambda paused, index: paused.skip(index)
    if resolve == "fail":
        return lambda paused, index: paused.fail(index)
    if resolve == "edit":
        value = _literal(how)
        return lambda paused, index: paused.edit(index or 0, value)
    if resolve == "repair":
        function = function_of(how)
        return lambda paused, index: paused.repair(function, index)
    raise BigDebugError(f"{resolve!r} is no answer", hint="skip, edit, repair or fail")


def _literal(text: Any) -> Any:
    try:
        return ast.literal_eval(str(text).strip())
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        raise BigDebugError(
            f"{text!r} is no value in Python", hint="such as 'text', 3.5 or ('a', 1)"
        ) from None


def function_of(text: Any) -> Callable[[Any], Any]:
    """A repair as a person wrote it: an expression of `x`, or the source of a function.

    Raises:
        BigDebugError: it is neither.
    """
    source = textwrap.dedent(str(text or "")).strip()
    if not any(line.startswith("def ") for line in source.splitlines()):
        return expression_of(source)
    # Pickled by value, as everything of that module is.
    names: dict[str, Any] = {"__name__": "__main__"}
    try:
        exec(compile(source, "<repair>", "exec"), names)
    except Exception as error:
        raise BigDebugError(f"the repair can't be read: {type(error).__name__}: {error}") from None
    functions = [each for each in names.values() if isinstance(each, FunctionType)]
    return functions[-1]


def expression_of(text: Any) -> Expression:
    """An expression in Python of an input `x`.

    Raises:
        BigDebugError: it is none.
    """
    try:
        compile(str(text or "").strip(), "<repair>", "eval")
    except (SyntaxError, ValueError) as error:
        raise BigDebugError(
            f"{text!r} is no expression in Python ({error.args[0]})",
            hint='what the function is given is x: --with "x.strip()"',
        ) from None
    return Expression(str(text))

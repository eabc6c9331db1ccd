"""Records that a task has set aside, and what the session is asked to do with them: the driver's end of "pause"."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark import cloudpickle

from bigdebug.breakpoints.channel.channels import channels_of
from bigdebug.breakpoints.channel.values import heard
from bigdebug.breakpoints.crashes.crash import Raised, short
from bigdebug.breakpoints.crashes.guarding import Guarded
from bigdebug.breakpoints.crashes.guards import Expression
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.recorder import Recorder

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

    def wait(self, seconds: float | None) -> tuple[dict[str, Any], bytes] | None:
        """The decisions, for the task; None where there were none in time."""
        in_time = self._over.wait(seconds)
        self._done(self)
        if not in_time:
            return None
        # Only the driver sends code.
        return {"decisions": self._decided}, cloudpickle.dumps(self._functions)

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
        return paused.wait(float(header["seconds"]))

    def _answered(self, paused: Paused) -> None:
        with self._lock:
            self._waiting.pop(paused.number, None)

    def _resolved(self, request: dict[str, Any]) -> Any:
        """Another terminal asks what waits, or answers."""
        waiting = self.waiting
        resolve = request.get("resolve")
        if resolve is None:
            return [
                {
                    "number": each.number,
                    "operator": each.operator,
                    "call_site": each.call_site,
                    "records": [{"value": short(one.value), "error": str(one.error)} for one in each.records],
                }
                for each in waiting
            ]
        function = None
        if resolve == "repair":
            function = expression_of(request.get("with"))
        for each in waiting:
            if function is not None:
                each.repair(function)
            else:
                {"skip": each.skip, "fail": each.fail}[resolve]()
        return {"resolved": sum(len(each.records) for each in waiting)}


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

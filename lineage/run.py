"""One run in the making: where its outputs are kept, and how each of them ends."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.output import Output

_USER_IN_ADDRESS = re.compile(r"://[^/@\s]+@")


class Run:
    """One run in the making: its outputs, and where they are written (nowhere, if there is no store)."""

    def __init__(self, run_id: str, writer: Any, continued: bool) -> None:
        self.run_id = run_id
        self.writer = writer
        self.worker: Any = None
        self.outputs: dict[int, Output] = {}
        self.rows: dict[int, Any] = {}
        # Ids of the nodes written, kept only for a run that goes on with the dataflow of one before.
        self.written: set[int] | None = set() if continued else None

    def write_node(
        self, node: Node | None, known: Callable[[int], Node | None], *, again: bool = False
    ) -> None:
        """Hand a node to the store, after those it reads that stand in an earlier run only.

        Args:
            node: the node.
            known: gives a node by its id.
            again: though it was written before.
        """
        if self.writer is None:
            return
        waiting = [node]
        while waiting:
            each = waiting.pop()
            if each is None:
                continue
            if self.written is not None:
                if each.id in self.written and not (again and each is node):
                    continue
                self.written.add(each.id)
                waiting += [known(parent) for parent in each.parents]
            self.writer.node(each)

    def write_output(self, output: Output) -> None:
        """Hand an output to the store."""
        if self.writer is not None:
            self.writer.output(output)


class Changing(Protocol):
    """Takes what becomes of outputs: the recorder."""

    def change(self, run: Run, number: int, **changes: Any) -> None:
        """Note what has become of an output."""


class OutputHandle:
    """An output that is being made; tells the recorder how it ends.

    Attributes:
        number: of the output.
        ended: whether the action is over.
        then: called when it is.
    """

    def __init__(self, recorder: Changing, run: Run, number: int) -> None:
        self._recorder = recorder
        self._run = run
        self._began = time.perf_counter()
        self.number = number
        self.ended = False
        self.then: list[Callable[[], None]] = []

    def end(self, status: str, *, seconds: float | None = None, **found: Any) -> None:
        """Note that the action is over; the first call counts.

        Args:
            status: `done` or `failed`.
            seconds: how long it took, where not since the handle was made.
            found: further fields of the `Output`.
        """
        if not self.ended:
            self.ended = True
            took = time.perf_counter() - self._began if seconds is None else seconds
            if self._run.worker is not None:
                self._run.worker.ended(self.number)
            self._recorder.change(self._run, self.number, status=status, seconds=took, **found)
            for each in self.then:
                each()

    def note(self, **found: Any) -> None:
        """Note what else is known of it.

        Args:
            found: fields of the `Output`.
        """
        self._recorder.change(self._run, self.number, **found)


class Masking:
    """What of paths, tables and the command line may be stored.

    Args:
        redact: columns whose values must not be.
    """

    def __init__(self, redact: Sequence[str]) -> None:
        self._redact = redact

    def shown(self, address: str) -> str:
        """A path or table name without the password or the redacted value in it."""
        address = _USER_IN_ADDRESS.sub("://", address)
        for column in self._redact:
            address = re.sub(rf"(?i)\b({re.escape(column)}=)[^/]*", r"\1…", address)
        return address

    def arguments(self, line: Sequence[str]) -> tuple[str, ...]:
        """The command line; of a run that must not store values only the program's name."""
        if not self._redact:
            return tuple(_USER_IN_ADDRESS.sub("://", each) for each in line)
        return (*line[:1], *("…" for _ in line[1:]))

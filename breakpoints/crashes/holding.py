"""What a task works on, noted where it stays if its worker dies. Travels by value, as `workers` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from bigdebug.breakpoints.crashes.workers import carried, loaded_once


class Holding:
    """Notes what a task holds, where it stays if the worker dies.

    Args:
        folder: on this machine.
    """

    def __init__(self, folder: str) -> None:
        import os

        from pyspark import TaskContext

        context = TaskContext.get()
        partition, attempt = (0, 0) if context is None else (context.partitionId(), context.taskAttemptId())
        self._path = f"{folder}/{partition}-{attempt}"
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)

    def note(self, held: Any) -> None:
        """Note what is worked on now."""
        import os

        from pyspark import cloudpickle

        data = bytes(cloudpickle.dumps(held))
        os.pwrite(self._file, len(data).to_bytes(8, "big") + data, 0)

    def nothing(self) -> None:
        """Nothing is worked on any more."""
        import os

        os.pwrite(self._file, bytes(8), 0)


def held(function: Callable[[Any], Any], folder: str) -> Callable[[int, Iterable[Any]], Iterator[int]]:
    """Calls a record-wise function with annotated elements, each noted before."""

    def call(partition: int, annotated: Iterable[Any]) -> Iterator[int]:
        holding = Holding(folder)
        for element, ids in annotated:
            holding.note((carried(element), ids))
            try:
                function(element)
            except Exception:
                continue  # such are found otherwise
        holding.nothing()
        yield 0

    return call


def row_held(command: bytes, folder: str) -> Callable[..., str | None]:
    """In place of a function of a row's values and a struct more: the struct is noted before the call."""
    load = loaded_once(command)
    holding: list[Holding] = []

    def call(*values: Any) -> str | None:
        if not holding:
            holding.append(Holding(folder))
        holding[0].note(tuple(values[-1]) if not isinstance(values[-1], dict) else tuple(values[-1].values()))
        try:
            load()(*values[:-1])
        except Exception:
            return None
        finally:
            holding[0].nothing()
        return None

    return call

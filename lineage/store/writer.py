"""Writes one run while the user's program goes on, without ever getting in its way."""

import logging
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bigdebug.lineage.crash import CrashEvent
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.errors import UnreachableError
from bigdebug.lineage.output import Output
from bigdebug.lineage.store.files import StoreFiles
from bigdebug.lineage.store.format import Event, RunEnd, event_line

if TYPE_CHECKING:
    from bigdebug.lineage.store.tables import TableStore

logger = logging.getLogger("bigdebug")

_GATHER_SECONDS = 0.2
"""How long operators are gathered before they are written together."""

_MOST_WAITING = 100_000
"""How many events are kept for a store that can't be written, in a program that runs for weeks."""


class RunWriter:
    """The record of a run in the making. Thread safe; nothing but `put_recipe` ever raises.

    A thread of its own writes what waits and shows that the run is alive. What couldn't be written is
    tried again.

    Attributes:
        run_id: the run's name: its time (UTC) and three characters.
    """

    def __init__(self, files: StoreFiles, run_id: str) -> None:
        self.run_id = run_id
        self._files = files
        self._process = os.getpid()
        # Reentrant: a signal handler or a finalizer may record while this thread is in the middle of it.
        self._lock = threading.RLock()
        self._writing = threading.RLock()
        self._waiting: dict[tuple[str, int], Event] = {}
        self._torn = False
        self._complained = False
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._crashes = 0
        self._tender = threading.Thread(target=self._tend, name=f"bigdebug store {run_id}", daemon=True)
        try:
            self._tender.start()
        except RuntimeError as error:  # out of threads
            self._complain(error)

    def node(self, node: Node) -> None:
        """Record an operator, or what has changed about it; written within a fraction of a second."""
        self._record(("node", node.id), node)
        if self._closed.is_set():
            self.flush()
        else:
            self._wake.set()

    def output(self, output: Output) -> None:
        """Record an output, or what has changed about it; written at once."""
        self._record(("output", output.number), output)
        if self._files.instant or self._closed.is_set():
            self.flush()
        else:
            self._wake.set()

    def crash(self, crash: CrashEvent) -> None:
        """Record the culprits of an operator; written at once."""
        self._crashes += 1
        self._record(("crash", self._crashes), crash)
        if self._files.instant or self._closed.is_set():
            self.flush()
        else:
            self._wake.set()

    def put_recipe(self, number: int, data: bytes) -> None:
        """Store the recipe of an output; a reader sees all of it or nothing.

        Raises:
            UnreachableError: it couldn't be written.
        """
        if self._forked():
            return
        try:
            self._files.write(self.run_id, f"recipes/{number}.zip", data)
        except Exception as error:
            raise UnreachableError(
                f"the recipe of output {number} couldn't be written to {self._files.location}: {error}"
            ) from error

    def put_capture(self, name: str, data: bytes) -> None:
        """Store what a live feature caught, as `captures/NAME`; a reader sees all of it or nothing.

        Raises:
            UnreachableError: it couldn't be written.
        """
        if self._forked():
            return
        try:
            self._files.make_folder(self.run_id, "captures")
            self._files.write(self.run_id, f"captures/{name}", data)
        except Exception as error:
            raise UnreachableError(
                f"captures/{name} couldn't be written to {self._files.location}: {error}"
            ) from error

    @property
    def folder(self) -> Path | None:
        """Its folder, where the store is one of this machine."""
        from bigdebug.lineage.store.local import LocalFiles

        return self._files.path / self.run_id if isinstance(self._files, LocalFiles) else None

    @property
    def tables(self) -> "TableStore":
        """Where the indexes of its outputs go."""
        from bigdebug.lineage.store.tables import TableStore  # loads pyarrow

        return TableStore(self._files, self.run_id)

    def place(self, name: str) -> tuple[Any, str]:
        """A folder of the run, made where there is none: a `pyarrow.fs.FileSystem` and the path in it."""
        parts = name.split("/")
        for depth in range(1, len(parts) + 1):
            self._files.make_folder(self.run_id, "/".join(parts[:depth]))
        return self._files.place(self.run_id, name)

    def close_to_others(self, name: str) -> None:
        """Take from a folder that workers wrote what others may read."""
        self._files.close_to_others(self.run_id, name)

    def close(self, status: str) -> None:
        """Record how the run ended: `done` or `failed`. The first call counts."""
        if self._closed.is_set():
            return
        self._record(("end", 0), RunEnd(status, time.time()))
        self.flush()
        self._closed.set()
        self._wake.set()

    def flush(self) -> None:
        """Write what waits, now. What couldn't be written waits on."""
        if self._forked():
            return
        batch: dict[tuple[str, int], Event] = {}
        with self._writing:
            try:
                with self._lock:
                    batch, self._waiting = self._waiting, {}
                if batch:
                    self._append(batch)
                batch = {}
            except Exception as error:
                self._complain(error)
            finally:
                if batch:
                    with self._lock:
                        self._waiting = batch | self._waiting
                        while len(self._waiting) > _MOST_WAITING:
                            del self._waiting[next(iter(self._waiting))]

    def _append(self, batch: dict[tuple[str, int], Event]) -> None:
        lines = []
        for event in batch.values():
            try:
                lines.append(event_line(event))
            except Exception as error:  # an event that can't be written mustn't hold up the others
                self._complain(error)
        # A line that was cut off by a full disk ends here, so that it spoils only itself.
        data = (b"\n" if self._torn else b"") + b"".join(lines)
        self._torn = True
        self._files.append_events(self.run_id, data)
        self._torn = False

    def _record(self, key: tuple[str, int], event: Event) -> None:
        with self._lock:
            self._waiting.pop(key, None)
            self._waiting[key] = event

    def _forked(self) -> bool:
        """A child process of the user's program has a copy of this writer; the run isn't its to write."""
        return os.getpid() != self._process

    def _complain(self, error: Exception) -> None:
        if not self._complained:
            self._complained = True
            logger.warning(
                "the run %s can't be recorded in %s: %s; the program goes on without",
                self.run_id,
                self._files.location,
                error,
            )

    def _tend(self) -> None:
        beat = time.monotonic()
        while not self._closed.is_set():
            if self._wake.wait(self._files.beat_seconds):
                self._closed.wait(_GATHER_SECONDS)
            self._wake.clear()
            self.flush()
            if time.monotonic() - beat >= self._files.beat_seconds and not self._closed.is_set():
                beat = time.monotonic()
                try:
                    self._files.beat(self.run_id)
                except Exception as error:
                    self._complain(error)

"""A recorder whose runs are stored only once somebody wants to keep them: most tests pass, and leave nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bigdebug.lineage.crash import CrashEvent
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.recorder import Recorder, logger
from bigdebug.lineage.run import OutputHandle, Run

_UNKEPT = "unkept"
_MOST_ORPHANS = 1_000
"""Operators of which it is still to be found out what they read."""


class DeferringRecorder(Recorder):
    """Records run after run in one dataflow, in memory alone until `keep`.

    What earlier runs made (frames of fixtures that live longer than a test) is known to later ones.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._spark_of: dict[int, Any] = {}
        self._crashes: list[CrashEvent] = []
        self._number = 0
        self._orphans: list[tuple[Node, Any, Sequence[Any]]] = []

    def start(self, name: str, capture: str) -> None:
        """Begin a run. One whose lineage is written as its jobs run is stored from its start."""
        with self._lock:
            self.name, self.capture = name, capture
            self._number += 1
            self._run = Run(f"{_UNKEPT}-{self._number}", None, continued=True)
            self._run_ids.add(self._run.run_id)
            self._spark_of, self._crashes = {}, []
        if capture == "full" and self._spark_version:
            self.keep()

    def begin(self, spark_version: str, settings: Mapping[str, str] | None = None) -> None:
        """A session was made."""
        self._spark_version, self._settings = spark_version, dict(settings or {})
        if self.capture == "full":
            self.keep()

    @property
    def kept(self) -> bool:
        """Whether the run is in the store."""
        return self._run is not None and self._run.writer is not None

    def keep(self) -> bool:
        """Store the run as it is by now, and what is still to come; whether it could be."""
        run = self._run
        if run is None or run.writer is not None:
            return run is not None
        self.settle()
        with self._lock:
            self._open_run(continued=True, into=run)
            if run.writer is None:
                return False
            for number, output in list(run.outputs.items()):
                problem = self._problem(run, number, output.recipe_problem)
                run.outputs[number] = output.updated(
                    run_id=run.run_id,
                    recipe="pending" if problem is None else "unavailable",
                    recipe_problem=problem,
                )
        for number, output in list(run.outputs.items()):
            self._write_node(None if output.node is None else self.dataflow.get(output.node))
            run.write_output(output)
            if output.recipe == "pending":
                run.worker.submit(output, run.rows[number], self._spark_of[number])
                if output.status != "running":
                    run.worker.ended(number)
        for crash in self._crashes:
            run.writer.crash(crash)
        return True

    def finish(self, status: str) -> None:
        """End a run that is kept: its recipes are stored by then."""
        self.drain()
        if self._run is not None:
            self._close_run(self._run, status)

    def drop(self) -> None:
        """Leave nothing of the run."""
        from bigdebug.lineage.store import Store

        run = self._run
        if run is None or run.writer is None:
            return
        self.finish("done")
        try:
            store = Store(self.store)
            store.remove(store.find(run.run_id))
        except BigDebugError as error:
            logger.warning("a run that isn't needed is left in the store: %s", error)

    def find_parents(self, node: Node, key: Any, plans: Sequence[Any]) -> None:
        """Later, if somebody wants to know: looking for them costs calls into the JVM."""
        with self._lock:
            self._orphans.append((node, key, plans))
            del self._orphans[:-_MOST_ORPHANS]

    def settle(self, timeout: float = 2.0) -> None:
        with self._lock:
            orphans, self._orphans = self._orphans, []
        for orphan in orphans:
            super().find_parents(*orphan)
        super().settle(timeout)

    def add_output(self, action: str, **about: Any) -> OutputHandle:
        handle = super().add_output(action, **about)
        if about["rows"] is not None and about.get("problem") is None:
            self._spark_of[handle.number] = about.get("spark")
        return handle

    def add_crash(self, crash: CrashEvent) -> None:
        self._crashes.append(crash)
        super().add_crash(crash)

    def _problem(self, run: Run, number: int, known: str | None) -> str | None:
        """Why there can't be a recipe."""
        if number not in self._spark_of:
            return known
        return None if number in run.rows else "its plan was no longer at hand when the run was stored"

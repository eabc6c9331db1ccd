"""Builds recipes on a thread of its own, beside the user's long jobs and after the short ones.

Never before them, and not beside a job that is over in a moment: there the two would share the driver's cores.
All that a recipe says is held by the plan and the settings of its action, so waiting changes nothing in it.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.depth import deep_plans
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.failure import error_text
from bigdebug.lineage.output import Output, OutputRows

logger = logging.getLogger("bigdebug")

Report = Callable[[int, str, str | None], None]


PATIENCE = 2.0
"""For so many seconds a recipe waits for the actions under way to end."""

# Of recipes that couldn't be written, so many bytes are kept to be written when there is room again.
_KEPT_BYTES = 64_000_000

_Task = tuple[float, Output, Any, Any]


class RecipeStore(Protocol):
    """Where recipes go: a run's writer."""

    def put_recipe(self, number: int, data: bytes) -> None: ...


class RecipeWorker:
    """A queue of outputs and the thread that builds their recipes.

    Args:
        writer: where recipes go.
        node_of: gives the recorded node of a plan tag's value.
        redact: columns whose values are hashed before they are kept.
        report: told each output's number, `stored` or `unavailable`, and the reason.
        folder: the script's folder, for functions that live in modules beside it.
    """

    def __init__(
        self,
        writer: RecipeStore,
        node_of: Callable[[str], Node | None],
        redact: Iterable[str],
        report: Report,
        folder: str | None = None,
    ) -> None:
        self._writer = writer
        self._node_of = node_of
        self._redact = frozenset(redact)
        self._report = report
        self._folder = folder or os.path.abspath(sys.path[0] or os.curdir)
        self._queue: queue.Queue[_Task | tuple[()] | None] = queue.Queue()
        self._unwritten: dict[int, bytes] = {}
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition(threading.RLock())  # a signal handler of the user's may act, too
        self._running: set[int] = set()
        self._hurry = False

    def submit(self, output: Output, rows: Any, spark: Any = None) -> None:
        """Have the recipe of an output built whose action begins now; returns at once."""
        with self._changed:
            self._running.add(output.number)
            self._hurry = False
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="bigdebug recipes", daemon=True)
                self._thread.start()
        self._queue.put((time.monotonic() + PATIENCE, output, rows, spark))

    def ended(self, number: int) -> None:
        """Note that the action of an output is over."""
        with self._changed:
            self._running.discard(number)
            self._changed.notify_all()

    def drain(self, timeout: float | None = None) -> bool:
        """Wait until all recipes asked for are built; whether they are."""
        if self._thread is None:
            return True
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
        self.write_again()
        with self._queue.all_tasks_done:
            return self._queue.all_tasks_done.wait_for(lambda: self._queue.unfinished_tasks == 0, timeout)

    def write_again(self) -> None:
        """Have recipes that couldn't be written be tried once more: a disk that was full may have room again."""
        if self._unwritten:
            self._queue.put(())

    def close(self) -> None:
        """Let the thread end after what is queued."""
        if self._thread is not None:
            self._queue.put(None)

    def _work(self) -> None:
        while (task := self._queue.get()) is not None:
            try:
                for number in list(self._unwritten):
                    self._write(number, self._unwritten.pop(number))
                if task:
                    due, output, rows, spark = task
                    self._wait(due)
                    self._build(output, rows, spark)
            finally:
                self._queue.task_done()
        self._queue.task_done()

    def _wait(self, due: float) -> None:
        """Wait for the actions under way, but no longer than that moment of the monotonic clock."""
        with self._changed:
            left = max(0.0, due - time.monotonic())
            self._changed.wait_for(lambda: self._hurry or not self._running, left)

    def _build(self, output: Output, rows: Any, spark: Any) -> None:
        # Imported here: the worker is set up where neither Spark nor its plan classes are needed yet.
        from bigdebug.lineage.rdd.recipe import build_rdd_recipe
        from bigdebug.lineage.recipe.building import build_recipe

        try:
            with deep_plans():
                if isinstance(rows, OutputRows):
                    recipe: Any = build_recipe(spark, rows, self._node_of, self._redact, self._folder)
                else:
                    recipe = build_rdd_recipe(rows, self._node_of, self._redact, self._folder)
                data = recipe.to_bytes()
        except BigDebugError as error:
            self._report(output.number, "unavailable", error.message)
        except Exception as error:
            logger.debug("recipe of output %d", output.number, exc_info=True)
            # An unforeseen message may quote values.
            self._report(output.number, "unavailable", error_text(error, masked=bool(self._redact)))
        else:
            self._write(output.number, data)

    def _write(self, number: int, data: bytes) -> None:
        try:
            self._writer.put_recipe(number, data)
        except BigDebugError as error:
            if sum(map(len, self._unwritten.values())) + len(data) <= _KEPT_BYTES:
                self._unwritten[number] = data
            self._report(number, "unavailable", error.message)
        else:
            self._report(number, "stored", None)

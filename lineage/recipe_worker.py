"""Builds recipes on a thread of its own, beside the user's running jobs, never before them."""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.depth import deep_plans
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.output import Output, OutputRows

logger = logging.getLogger("bigdebug")

Report = Callable[[int, str, str | None], None]


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
        self._queue: queue.Queue[tuple[Output, OutputRows, Any] | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def submit(self, output: Output, rows: OutputRows, spark: Any = None) -> None:
        """Have the recipe of an output built; returns at once."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="bigdebug recipes", daemon=True)
                self._thread.start()
        self._queue.put((output, rows, spark))

    def drain(self, timeout: float | None = None) -> bool:
        """Wait until all recipes asked for are built; whether they are."""
        if self._thread is None:
            return True
        with self._queue.all_tasks_done:
            return self._queue.all_tasks_done.wait_for(lambda: self._queue.unfinished_tasks == 0, timeout)

    def close(self) -> None:
        """Let the thread end after what is queued."""
        if self._thread is not None:
            self._queue.put(None)

    def _work(self) -> None:
        while (task := self._queue.get()) is not None:
            try:
                self._build(*task)
            finally:
                self._queue.task_done()
        self._queue.task_done()

    def _build(self, output: Output, rows: OutputRows, spark: Any) -> None:
        # Imported here: the worker is set up where neither Spark nor its plan classes are needed yet.
        from bigdebug.lineage.recipe.building import build_recipe

        try:
            with deep_plans():
                recipe = build_recipe(spark, rows, self._node_of, self._redact, self._folder)
                data = recipe.to_bytes()
            self._writer.put_recipe(output.number, data)
        except BigDebugError as error:
            self._report(output.number, "unavailable", error.message)
        except Exception as error:
            logger.debug("recipe of output %d", output.number, exc_info=True)
            # An unforeseen message may quote values.
            told = "" if self._redact else f": {_first_line(error)}"
            self._report(output.number, "unavailable", f"{type(error).__name__}{told}")
        else:
            self._report(output.number, "stored", None)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0]

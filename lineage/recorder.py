"""Keeps what a program did: its dataflow, its outputs, and the run in the store that they are written to."""

import importlib.metadata
import itertools
import logging
import platform
import secrets
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bigdebug.lineage.ancestry import Ancestry
from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.crash import CrashEvent
from bigdebug.lineage.dataflow import Dataflow, Node
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.hooks import CrashGuard, Rewriter
from bigdebug.lineage.output import Output
from bigdebug.lineage.run import Masking, OutputHandle, Run

logger = logging.getLogger("bigdebug")

MOST_OUTPUTS = 10_000
"""After so many outputs a new run begins, so that a service can go on for weeks."""

LIVE_OUTPUTS = 100
"""Of how many outputs the plans are kept for traces in the running program."""

DRAIN_SECONDS = 30.0
_QUIET_SECONDS = 1.0


class Recorder:
    """What one program, or one attached session, did. Thread safe; never waits for a job or a remote store.

    Args:
        name: the run's name.
        store: where runs are kept.
        capture: `recipe` or `full`.
        redact: columns whose values must not be stored.
        arguments: the program's command line.

    Attributes:
        crash_guard: is told of actions that fail; None for nobody.
    """

    def __init__(
        self,
        *,
        name: str | None = None,
        store: str = ".bigdebug",
        capture: str = "recipe",
        redact: Sequence[str] = (),
        arguments: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.store = store
        self.capture = capture
        self.redact = tuple(redact)
        self._masking = Masking(self.redact)
        self.dataflow = Dataflow()
        self.closed = False
        # By node id the program's own frames and RDDs, while it holds them.
        self.live: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        self.rewriter: Rewriter | None = None
        self._arguments = tuple(arguments)
        self._spark_version = ""
        self._settings: dict[str, str] = {}
        # Reentrant: a signal handler of the user's may record while this thread is in the middle of it.
        self._lock = threading.RLock()
        self._run: Run | None = None
        self._run_ids: set[str] = set()
        self._ancestry = Ancestry(self.node_id, self._link)
        self._said: set[str] = set()
        self._taps = itertools.count(1)
        self.crash_guard: CrashGuard | None = None

    # -- what is known ------------------------------------------------------------------------------

    @property
    def run_id(self) -> str | None:
        """Id of the run that is being written; None before the first session."""
        return self._run.run_id if self._run else None

    def next_tap(self) -> str:
        """A name for the folder of one tap's notes, beside the run's indexes."""
        return f"tap-{next(self._taps)}"

    @property
    def outputs(self) -> list[Output]:
        """The outputs of the run so far, by number."""
        with self._lock:
            return list(self._run.outputs.values()) if self._run else []

    @property
    def rows(self) -> dict[int, Any]:
        """By output number what the last outputs were about, for traces while the program runs.

        `OutputRows`, of a plan, or the `RddRows` of an RDD.
        """
        return self._run.rows if self._run else {}

    @property
    def tables(self) -> Any:
        """Where the indexes of the run's outputs go; None where nothing is stored."""
        return self._run.writer.tables if self._run and self._run.writer else None

    @property
    def writer(self) -> Any:
        """What writes the run; None where nothing is stored."""
        return self._run.writer if self._run else None

    def put_capture(self, name: str, data: bytes) -> None:
        """Store what a live feature caught; does nothing where nothing is stored.

        Raises:
            UnreachableError: it couldn't be written.
        """
        if self._run is not None and self._run.writer is not None:
            self._run.writer.put_capture(name, data)

    @property
    def folder(self) -> Path | None:
        """The run's folder on this machine; None where there is none."""
        return self._run.writer.folder if self._run and self._run.writer else None

    def tag(self, node: Node) -> str:
        """The value by which a plan names the node that asked for it."""
        return f"{self.run_id}/{node.id}"

    def node_id(self, tag: str | None) -> int | None:
        """The node id in a tag of this recorder's."""
        run_id, _, number = (tag or "").rpartition("/")
        return int(number) if run_id in self._run_ids and number.isdecimal() else None

    def node_of(self, tag: str) -> Node | None:
        """The node that a tag names, where it is this recorder's and still kept."""
        number = self.node_id(tag)
        return None if number is None else self.dataflow.get(number)

    def settle(self, timeout: float = 2.0) -> None:
        """Wait until operators whose parents are still being looked for have them."""
        self._ancestry.settle(timeout)

    # -- recording ----------------------------------------------------------------------------------

    def begin(self, spark_version: str, settings: Mapping[str, str] | None = None) -> None:
        """Open the run, at the first session; without a store where that can't be written.

        Args:
            spark_version: of the session.
            settings: of the application that are kept with the run.
        """
        with self._lock:
            if self._run is None:
                self._spark_version = spark_version
                self._settings = dict(settings or {})
                self._run = self._open_run(continued=False)

    def add_node(
        self,
        operator: str,
        call_site: CallSite | None,
        parents: Sequence[int] = (),
        paths: Sequence[str] = (),
    ) -> Node:
        """Record an operator.

        Args:
            operator: as the user called it.
            call_site: where.
            parents: ids of the nodes it reads.
            paths: what a reader reads.
        """
        node = self.dataflow.add(operator, call_site, parents, [self._masking.shown(path) for path in paths])
        self._write_node(node)
        return node

    def find_parents(self, node: Node, key: Any, plans: Sequence[Any]) -> None:
        """Look beside the program for the nodes that an operator's input was made by.

        Args:
            node: the operator.
            key: the JVM `TreeNodeTag` that plans are tagged with.
            plans: the JVM plans to look in.
        """
        self._ancestry.find(node.id, key, plans)

    def add_output(
        self,
        action: str,
        *,
        node: int | None,
        call_site: CallSite | None,
        started: float,
        rows: Any,
        spark: Any = None,
        target: str | None = None,
        problem: str | None = None,
    ) -> OutputHandle:
        """Record an action that begins now.

        Args:
            action: as the user called it.
            node: id of the node acted on.
            call_site: where.
            started: seconds since the epoch.
            rows: which rows it is about, `OutputRows` or `RddRows`; None where there can't be a recipe.
            spark: the PySpark session.
            target: what it writes to, as the user gave it.
            problem: why there can't be a recipe.
        """
        with self._lock:
            assert self._run is not None
            if len(self._run.outputs) >= MOST_OUTPUTS:
                self._rotate()
            run = self._run
            if run.worker is None and problem is None:
                problem = "there is no store to keep it in"
            number = len(run.outputs) + 1
            output = run.outputs[number] = Output(
                run.run_id,
                number,
                action,
                node,
                call_site,
                started,
                target=None if target is None else self._masking.shown(target),
                recipe="pending" if problem is None else "unavailable",
                recipe_problem=problem,
            )
            if rows is not None:
                run.rows[number] = rows
                while len(run.rows) > LIVE_OUTPUTS:
                    del run.rows[next(iter(run.rows))]
        handle = OutputHandle(self, run, number)
        if node is not None and run.written is not None:
            self._write_node(self.dataflow.get(node))
        run.write_output(output)
        if rows is not None and run.worker is not None:
            run.worker.submit(output, rows, spark)
        return handle

    def change(self, run: Run, number: int, **changes: Any) -> None:
        """Note what has become of an output."""
        if changes.get("location"):
            changes["location"] = self._masking.shown(changes["location"])
        with self._lock:
            output = run.outputs[number] = run.outputs[number].updated(**changes)
        run.write_output(output)

    def change_output(self, number: int, **changes: Any) -> None:
        """Note what else is known of an output of the present run."""
        if self._run is not None and number in self._run.outputs:
            self.change(self._run, number, **changes)

    def add_crash(self, crash: CrashEvent) -> None:
        """Record the culprits of an operator."""
        if self._run is not None and self._run.writer is not None:
            self._run.writer.crash(crash)

    def complain(self, key: str, message: str, *values: Any) -> None:
        """Say something once, through the logger `bigdebug`."""
        if key not in self._said:
            self._said.add(key)
            logger.warning(message, *values)

    def write_again(self) -> None:
        """Have recipes that couldn't be written be tried once more."""
        if self._run is not None and self._run.worker is not None:
            self._run.worker.write_again()

    def failed(self, error: Exception) -> None:
        """Say once that recording doesn't work; the user's program goes on."""
        self.complain(
            f"failed {type(error).__name__}",
            "something couldn't be recorded; the program goes on (%s: %s)",
            type(error).__name__,
            error,
        )
        logger.debug("not recorded", exc_info=error)

    # -- the end ------------------------------------------------------------------------------------

    def drain(self, timeout: float = DRAIN_SECONDS) -> bool:
        """Wait until the recipes of all outputs are stored; says so where it takes over a second."""
        run = self._run
        if run is None or run.worker is None:
            return True
        try:
            if run.worker.drain(min(_QUIET_SECONDS, timeout)):
                return True
            print("bigdebug: storing the recipes of the last outputs …", file=sys.stderr)
            if run.worker.drain(max(timeout - _QUIET_SECONDS, 0.0)):
                return True
            self.complain("drain", "not all recipes were stored within %d seconds", int(timeout))
        except Exception as error:
            self.failed(error)
        return False

    def close(self, status: str = "done") -> None:
        """Store what waits and end the run; the first call counts.

        Args:
            status: `done` or `failed`.
        """
        with self._lock:
            if self.closed:
                return
            self.closed = True
        self.settle()
        self.drain()
        self._ancestry.close()
        if self._run is not None:
            self._close_run(self._run, status)

    # -- inside -------------------------------------------------------------------------------------

    def _open_run(self, continued: bool, into: Run | None = None) -> Run:
        """A new run in the store; or one that was in memory so far, which is then kept there."""
        from bigdebug.lineage.recipe_worker import RecipeWorker
        from bigdebug.lineage.store import Store

        try:
            writer = Store(self.store).create_run(
                name=self.name,
                argv=self._masking.arguments(self._arguments),
                capture=self.capture,
                redact=self.redact,
                settings=self._settings,
                versions={
                    "bigdebug": _own_version(),
                    "python": platform.python_version(),
                    "spark": self._spark_version,
                },
            )
        except BigDebugError as error:
            logger.warning("nothing is stored, the program goes on without: %s", error)
            if into is not None:
                return into
            run_id = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
            run = Run(run_id, None, continued)
        else:
            run = into or Run(writer.run_id, writer, continued)
            run.run_id, run.writer = writer.run_id, writer
            run.worker = RecipeWorker(writer, self.node_of, self.redact, self._report(run))
        self._run_ids.add(run.run_id)
        return run

    def _rotate(self) -> None:
        old = self._run
        assert old is not None
        self._run = self._open_run(continued=True)

        def finish() -> None:
            if old.worker is not None:
                old.worker.drain(DRAIN_SECONDS)
            self._close_run(old, "done")

        threading.Thread(target=finish, name="bigdebug rotation", daemon=True).start()

    def _close_run(self, run: Run, status: str) -> None:
        try:
            if run.worker is not None:
                run.worker.close()
            if run.writer is not None:
                run.writer.close(status)
        except Exception as error:
            self.failed(error)

    def _report(self, run: Run) -> Callable[[int, str, str | None], None]:
        def report(number: int, recipe: str, problem: str | None) -> None:
            self.change(run, number, recipe=recipe, recipe_problem=problem)

        return report

    def _link(self, id: int, parents: Sequence[int]) -> None:
        node = self.dataflow.link(id, parents)
        if node is not None:
            self._write_node(node, again=True)

    def _write_node(self, node: Node | None, *, again: bool = False) -> None:
        if self._run is not None:
            self._run.write_node(node, self.dataflow.get, again=again)


def _own_version() -> str:
    try:
        return importlib.metadata.version("bigdebug")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"

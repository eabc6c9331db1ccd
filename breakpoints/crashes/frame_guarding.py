"""Runs actions of DataFrames with guards in them, and gathers what these set aside."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pyarrow.fs import FileSelector, LocalFileSystem
from pyspark import cloudpickle
from pyspark.sql import DataFrame
from pyspark.sql.readwriter import DataFrameWriter

from bigdebug.breakpoints.crashes import frame_guards, guards
from bigdebug.breakpoints.crashes.crash import MOST_LISTED, Crash, Culprits, report_kept
from bigdebug.breakpoints.crashes.frames import FrameSearch, raised_of
from bigdebug.breakpoints.crashes.guarding import Guarded, Guarding
from bigdebug.breakpoints.crashes.policies import SEARCH_SECONDS, Policies
from bigdebug.breakpoints.crashes.quarantine import (
    FOLDER,
    TASKS,
    Quarantined,
    QuarantineWriter,
    forget,
)
from bigdebug.breakpoints.crashes.rewriting import Rewriting
from bigdebug.breakpoints.crashes.time_limit import budget
from bigdebug.lineage.asking import asking
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.output import OutputRows
from bigdebug.lineage.questions import question_about
from bigdebug.lineage.recorder import Recorder, logger

MOST_PLACED = 10_000
"""So many rows of an output go to quarantine as whole rows, by computing the operator's input again."""

_NAME = re.compile(rf"(\d+)-(\d+)-(\d+)-(\d+){re.escape(frame_guards.APPENDED)}")
# Fields of Spark's writer, private in Scala only.
_WRITTEN = (
    "source",
    "mode",
    "curmode",
    "extraOptions",
    "partitioningColumns",
    "bucketColumnNames",
    "numBuckets",
    "sortColumnNames",
    "clusteringColumns",
)


@dataclass
class _Guards:
    """The guards in one plan.

    Attributes:
        plan: with them.
        guarded: the operators.
        plain: the plan without.
    """

    plan: Any
    guarded: list[Guarded] = field(default_factory=list)
    plain: Any = None


class FrameGuarding:
    """The guards in a run's DataFrames.

    Args:
        recorder: of the run.
        policies: what is to become of records.
        guarding: of the RDDs, whose numbers and files these share.
    """

    def __init__(self, recorder: Recorder, policies: Policies, guarding: Guarding) -> None:
        self._recorder = recorder
        self._policies = policies
        self._guarding = guarding
        self._made = threading.local()

    def plan(self, attachment: Any, label: str, frame: DataFrame) -> Any:
        """The plan of a DataFrame with guards in it; None where nothing is to be guarded, or can be."""
        self._made.last = None
        if not self._policies.any_guards or not _can_be_run(label):
            return None
        filesystem, _ = self._guarding.place(TASKS)
        if not isinstance(filesystem, LocalFileSystem):
            self._recorder.complain(
                "guards", "functions of DataFrames can be guarded only with a store in a folder"
            )
            return None
        if frame_guards.__name__ not in cloudpickle.list_registry_pickle_by_value():
            cloudpickle.register_pickle_by_value(frame_guards)
        made = _Guards(None, plain=frame._jdf.queryExecution().analyzed())

        def site_of(node: Node | None, function: Any, kind: str) -> Any:
            called = node.operator if node else kind
            call_site = node.call_site if node else None
            policy = self._policies.of(called, call_site)
            if not policy.guards:
                return None
            guarded = self._guarding.add(kind, called, call_site, function, policy)
            made.guarded.append(guarded)
            return self._guarding.site(guarded)

        catalyst = Catalyst(attachment.spark)
        rewriting = Rewriting(catalyst, site_of, self._recorder.node_of)
        plan = rewriting.rewritten(made.plain, counted=label in ("count", "isEmpty"))
        if not rewriting.any:
            return None
        made.plan = plan
        self._made.last = made
        return plan

    def action(
        self, running: Any, label: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]] | None:
        """What to call for an action on a DataFrame with guards in it."""
        made: _Guards | None = getattr(self._made, "last", None)
        if running.guarded_plan is None or made is None:
            return None
        catalyst = Catalyst(running.frame.sparkSession)
        frame = catalyst.frame(running.guarded_plan)
        subject: Any = frame
        if isinstance(args[0], DataFrameWriter):
            subject = writer_like(args[0], frame)
        running.guarded = True
        running.guards = made
        frame.sparkSession.sparkContext.setLocalProperty(guards.OUTPUT, str(running.output.number))
        name = label.rpartition(".")[2]
        original = getattr(type(subject), name)
        return original, (subject, *args[1:]), kwargs

    def ended(self, running: Any) -> None:
        """Gather what the tasks of an action set aside."""
        number = running.output.number
        spark = running.frame.sparkSession
        spark.sparkContext.setLocalProperty(guards.OUTPUT, None)
        filesystem, tasks = self._guarding.place(TASKS)
        _, folder = self._guarding.place(FOLDER)
        missing = repaired = 0
        for guarded, rows in self._appended(filesystem, tasks, number).items():
            count = len(rows)
            mended = guarded.policy.name == "repair"
            repaired += count * mended
            missing += count * (not mended)
            culprits = self._culprits(running, guarded, count) or _given_alone(guarded, rows)
            culprits.count = count
            path = f"{folder}/{number}-{guarded.number}.parquet"
            self._write(filesystem, path, culprits, guarded, number)
            if not mended:
                self._guarding.files.append(path)
            culprits.crashes = culprits.crashes[:MOST_LISTED]
            name = f"{FOLDER}/{number}-{guarded.number}.parquet"
            self._guarding.found(culprits, number, guarded.policy.name, quarantine=name)
            print(report_kept(culprits, number, guarded.policy.name), file=sys.stderr)
        forget(filesystem, tasks, number)
        if missing or repaired:
            self._recorder.writer.close_to_others(FOLDER)
            self._recorder.change_output(number, missing=missing, repaired=repaired)

    # -- inside -------------------------------------------------------------------------------------

    def _appended(self, filesystem: Any, tasks: str, number: int) -> dict[Guarded, list[Any]]:
        """What was set aside, by operator: of each partition that of the attempt that came furthest."""
        found: dict[tuple[int, int], list[Any]] = {}
        for entry in filesystem.get_file_info(FileSelector(tasks, allow_not_found=True)):
            named = _NAME.fullmatch(entry.base_name)
            if named is None or int(named[1]) != number:
                continue
            with filesystem.open_input_stream(entry.path) as stream:
                rows = list(frame_guards.appended(stream.read()))
            key = int(named[2]), int(named[3])
            if len(rows) > len(found.get(key, ())):
                found[key] = rows
        by_operator: dict[Guarded, list[Any]] = {}
        for (operator, _), rows in sorted(found.items()):
            guarded = self._guarding.guarded.get(operator)
            if guarded is not None:
                by_operator.setdefault(guarded, []).extend(rows)
        return by_operator

    def _culprits(self, running: Any, guarded: Guarded, count: int) -> Culprits | None:
        """The whole rows that crashed a function, from the operator's input once more; None where that fails."""
        recorder, frame = self._recorder, running.frame
        rows = OutputRows(running.guards.plain, frame.sparkSession._jsparkSession, None)
        expired = threading.Event()
        try:
            question = question_about(frame.sparkSession, rows, recorder.node_of)
            with (
                asking(question.catalyst, "the rows that were set aside") as group,
                budget(frame.sparkSession.sparkContext, group, SEARCH_SECONDS, expired),
            ):
                search = FrameSearch(question, None)
                return search.of(guarded.function, MOST_PLACED)
        except Exception as problem:
            logger.debug("no whole rows of what was set aside", exc_info=problem)
            return None

    def _write(self, filesystem: Any, path: str, culprits: Culprits, guarded: Guarded, number: int) -> None:
        label = guarded.call_site.label if guarded.call_site else ""
        writer = QuarantineWriter(filesystem, path)
        masked = bool(self._recorder.redact)
        try:
            for start in range(0, len(culprits.crashes), 1_000):
                some = culprits.crashes[start : start + 1_000]
                records = [
                    Quarantined(
                        crash.value, crash.error, guarded.label, label, number, crash.location, (-1, -1)
                    )
                    for crash in some
                ]
                data = [(b"" if masked else bytes(cloudpickle.dumps(crash.value)), None) for crash in some]
                writer.write(records, data)
        finally:
            writer.close()


def _given_alone(guarded: Guarded, rows: list[Any]) -> Culprits:
    """Culprits by what the function was given, where their whole rows can't be told."""
    notes: set[str] = set()
    crashes = []
    for data, error, _ in rows[:MOST_PLACED]:
        if data or error:
            value = cloudpickle.loads(data) if data else None
            crashes.append(Crash(value, None, guarded.label, guarded.call_site, raised_of(error, notes)))
    notes.add("their whole rows can't be told: shown is what the function was given")
    return Culprits(guarded.label, guarded.call_site, crashes, len(rows), sorted(notes))


def _can_be_run(label: str) -> bool:
    """Whether an action is one that can be called on another frame."""
    return not label.startswith(("writeTo.", "mergeInto.")) and label != "toLocalIterator"


def writer_like(writer: DataFrameWriter, frame: DataFrame) -> DataFrameWriter:
    """A writer of another frame with the settings of one."""
    made = frame.write
    for name in _WRITTEN:
        with suppress(Exception):  # not each version has each
            getattr(made._jwrite, f"{name}_$eq")(getattr(writer._jwrite, name)())
    return made

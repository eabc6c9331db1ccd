"""Runs actions of DataFrames with guards in them, and gathers what these set aside."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from pyarrow.fs import LocalFileSystem
from pyspark import cloudpickle
from pyspark.sql import DataFrame
from pyspark.sql.readwriter import DataFrameWriter

from bigdebug.breakpoints.crashes import frame_guards, keeping
from bigdebug.breakpoints.crashes.crash import MOST_LISTED, Crash, Culprits, Raised, report_kept
from bigdebug.breakpoints.crashes.expression_guards import ExpressionGuards
from bigdebug.breakpoints.crashes.failures import Failure, failure_of
from bigdebug.breakpoints.crashes.frames import FrameSearch, raised_of
from bigdebug.breakpoints.crashes.guarding import Guarded, Guarding
from bigdebug.breakpoints.crashes.policies import SEARCH_SECONDS, Policies, Policy
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
from bigdebug.lineage.attachments import attachments
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.nodes import subject_frame
from bigdebug.lineage.output import OutputRows
from bigdebug.lineage.questions import question_about
from bigdebug.lineage.recorder import LIVE_OUTPUTS, Recorder, logger
from bigdebug.lineage.store.folders import entries

MOST_PLACED = 10_000
"""So many rows of an output go to quarantine as whole rows, by computing the operator's input again."""

MOST_RUNS = 10
"""So often an action is run again that fails by Spark's own expressions, each time with one guarded more."""

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
        failures: errors of Spark's own expressions that it went on after: the operator, the error, and the plan
            that failed.
    """

    plan: Any
    guarded: list[Guarded] = field(default_factory=list)
    plain: Any = None
    failures: list[tuple[Guarded, Failure, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class _Kept:
    """What was set aside at an operator.

    Attributes:
        guarded: the operator.
        culprits: all of it.
        apart: what goes to quarantine: all, or, where some was repaired, only what was left out.
        missing: how many records were left out.
    """

    guarded: Guarded
    culprits: Culprits
    apart: Culprits
    missing: int


class FrameGuarding:
    """The guards in a run's DataFrames.

    Args:
        recorder: of the run.
        policies: what is to become of records.
        guarding: of the RDDs, whose numbers and files these share.

    Attributes:
        plain: by output some of whose records were set aside, its session and its plan without guards.
    """

    def __init__(self, recorder: Recorder, policies: Policies, guarding: Guarding) -> None:
        self._recorder = recorder
        self._policies = policies
        self._guarding = guarding
        self._made = threading.local()
        self.plain: dict[int, tuple[Any, Any]] = {}

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
        made = _Guards(None, plain=frame._jdf.queryExecution().analyzed())

        def site_of(node: Node | None, function: Any, kind: str) -> Any:
            called = node.operator if node else kind
            call_site = node.call_site if node else None
            policy = self._policies.of(called, call_site)
            if not policy.guards:
                return None
            guarded = self._guarding.add(kind, called, call_site, function, policy)
            made.guarded.append(guarded)
            return self._guarding.site(guarded, attachment.spark.sparkContext)

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
        if not self._policies.any_guards or not _can_be_run(label):
            return None
        if running.subject is not None:  # the same with a watchpoint in it
            frame: Any = subject_frame(running.subject)[0]
            attachment = None if frame is None else attachments.of(frame.sparkSession)
            if attachment is not None and self.plan(attachment, label, frame) is None:
                self._made.last = None
        made: _Guards | None = getattr(self._made, "last", None)
        self._made.last = None
        frame = running.frame if running.subject is None else subject_frame(running.subject)[0]
        if made is None:
            plain = frame._jdf.queryExecution().analyzed()
            made = _Guards(plain, plain=plain)
        running.guarded = True
        running.guards = made
        frame.sparkSession.sparkContext.setLocalProperty(keeping.OUTPUT, str(running.output.number))
        name = label.rpartition(".")[2]

        def run(*args: Any, **kwargs: Any) -> Any:
            subject = args[0] if made.plan is made.plain else _over(args[0], made.plan, frame.sparkSession)
            method = getattr(type(subject), name)
            while True:
                try:
                    return method(subject, *args[1:], **kwargs)
                except Exception as error:
                    if not self._guarded_too(running, made, error):
                        if error.__traceback__ is not None:  # it leaves without a trace of us
                            error.__traceback__ = error.__traceback__.tb_next
                        raise
                subject = _over(args[0], made.plan, frame.sparkSession)
                if isinstance(subject, DataFrameWriter):
                    _go_on_writing(subject, args[0])

        return run, args, kwargs

    def _guarded_too(self, running: Any, made: _Guards, error: Exception) -> bool:
        """Guard the expressions that an action failed by, too; whether that could be done."""
        try:
            failure = failure_of(error)
            if failure is None or failure.kind != "expression" or len(made.failures) >= MOST_RUNS:
                return False

            def policy_of(node: Node | None, kind: str) -> Policy | None:
                policy = self._policies.of(node.operator if node else kind, node.call_site if node else None)
                return policy if policy.name in ("skip", "repair") else None

            expressions = ExpressionGuards(
                Catalyst(running.frame.sparkSession), failure, policy_of, self._recorder.node_of
            )
            plan = expressions.rewritten(made.plan)
            if not expressions.guarded:
                return False
            node, kind, policy = expressions.guarded[0]
            called, call_site = (node.operator, node.call_site) if node else (kind, None)
            guarded = self._guarding.add(kind, called, call_site, None, policy)
            made.failures.append((guarded, failure, made.plan))
            made.plan = plan
            rows = self._recorder.rows.get(running.output.number)
            if isinstance(rows, OutputRows):
                self._recorder.rows[running.output.number] = replace(rows, plan=plan)
            logger.warning(
                "output %d failed by %s and is computed again without the records that it is of",
                running.output.number,
                failure.condition,
            )
            return True
        except Exception as problem:
            self._recorder.failed(problem)
            return False

    def ended(self, running: Any) -> None:
        """Gather what the tasks of an action set aside."""
        number = running.output.number
        spark = running.frame.sparkSession
        spark.sparkContext.setLocalProperty(keeping.OUTPUT, None)
        filesystem, tasks = self._guarding.place(TASKS)
        _, folder = self._guarding.place(FOLDER)
        missing = repaired = 0
        found: list[_Kept] = []
        for guarded, rows in self._appended(filesystem, tasks, number).items():
            given = [cloudpickle.loads(data) for data, _, _ in rows if data]
            known = given if len(given) == len(rows) else []
            culprits = self._culprits(running, running.guards.plain, None, guarded.function, known)
            culprits = culprits or _given_alone(guarded, rows)
            culprits.count = len(rows)
            gone = [row for row in rows if row[2] is None]
            apart = _given_alone(guarded, gone) if 0 < len(gone) < len(rows) else culprits
            found.append(_Kept(guarded, culprits, apart, len(gone)))
        for guarded, failure, plan in running.guards.failures:
            thrown = self._culprits(running, plan, failure, None)
            if thrown is not None:
                gone_too = 0 if guarded.policy.name == "repair" else thrown.count
                found.append(_Kept(guarded, thrown, thrown, gone_too))
        for kept in found:
            guarded, culprits = kept.guarded, kept.culprits
            missing += kept.missing
            repaired += culprits.count - kept.missing
            path = f"{folder}/{number}-{guarded.number}.parquet"
            self._write(filesystem, path, kept.apart, guarded, number)
            if kept.missing:
                self._guarding.files.append(path)
            culprits.crashes = culprits.crashes[:MOST_LISTED]
            name = f"{FOLDER}/{number}-{guarded.number}.parquet"
            self._guarding.found(culprits, number, guarded.policy.name, quarantine=name)
            print(report_kept(culprits, number, culprits.count - kept.missing), file=sys.stderr)
        forget(filesystem, tasks, number)
        told = {kept.guarded.number for kept in found}
        for guarded in running.guards.guarded:
            if guarded.number not in told:
                self._guarding.guarded.pop(guarded.number, None)
        if missing or repaired:
            self.plain[number] = spark, running.guards.plain
            while len(self.plain) > LIVE_OUTPUTS:
                del self.plain[next(iter(self.plain))]
            self._recorder.writer.close_to_others(FOLDER)
            self._recorder.change_output(number, missing=missing, repaired=repaired)

    # -- inside -------------------------------------------------------------------------------------

    def _appended(self, filesystem: Any, tasks: str, number: int) -> dict[Guarded, list[Any]]:
        """What was set aside, by operator: of each partition that of the attempt that came furthest."""
        found: dict[tuple[int, int], list[Any]] = {}
        for entry in entries(filesystem, tasks):
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

    def _culprits(
        self,
        running: Any,
        plan: Any,
        failure: Failure | None,
        function: Any,
        given: Sequence[Any] = (),
    ) -> Culprits | None:
        """The whole rows that crashed something, from the operator's input once more; None where that fails.

        Args:
            running: the action.
            plan: of the rows.
            failure: by which it failed; None where a function was guarded.
            function: that function.
            given: what it was given where it crashed, if all of it is known.
        """
        recorder, frame = self._recorder, running.frame
        rows = OutputRows(plan, frame.sparkSession._jsparkSession, None)
        expired = threading.Event()
        try:
            question = question_about(frame.sparkSession, rows, recorder.node_of)
            with (
                asking(question.catalyst, "the rows that were set aside") as group,
                budget(frame.sparkSession.sparkContext, group, SEARCH_SECONDS, expired),
            ):
                search = FrameSearch(question, failure)
                return search.culprits(MOST_PLACED) if failure else search.of(function, MOST_PLACED, given)
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
                        crash.value,
                        Raised(crash.error.kind, "") if masked else crash.error,
                        guarded.label,
                        label,
                        number,
                        crash.location,
                        (-1, -1),
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


def _over(subject: Any, plan: Any, spark: Any) -> Any:
    """A DataFrame, or its writer, of another plan."""
    frame = Catalyst(spark).frame(plan)
    return writer_like(subject, frame) if isinstance(subject, DataFrameWriter) else frame


def _go_on_writing(writer: DataFrameWriter, asked: DataFrameWriter) -> None:
    """Have a writer write where the failed one left an empty folder; it made sure before that nothing was there."""
    for name in ("mode", "curmode"):
        with suppress(Exception):
            if str(getattr(asked._jwrite, name)()) in ("ErrorIfExists", "Ignore"):
                writer.mode("append")


def writer_like(writer: DataFrameWriter, frame: DataFrame) -> DataFrameWriter:
    """A writer of another frame with the settings of one."""
    made = frame.write
    for name in _WRITTEN:
        with suppress(Exception):  # not each version has each
            getattr(made._jwrite, f"{name}_$eq")(getattr(writer._jwrite, name)())
    return made

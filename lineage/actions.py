"""Records the actions a program calls: an output each, from its start to its end."""

import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

from py4j.protocol import Py4JError

from bigdebug.lineage.attachments import Attachment, attachments
from bigdebug.lineage.callsite import caller
from bigdebug.lineage.capturing import capture
from bigdebug.lineage.failure import error_text
from bigdebug.lineage.nodes import call_site, complain, node_id_of, subject_frame
from bigdebug.lineage.output import OutputRows
from bigdebug.lineage.recorder import Recorder
from bigdebug.lineage.results import Summary, summarize
from bigdebug.lineage.run import OutputHandle
from bigdebug.lineage.table_location import names_table, note_location

# The number of rows an action gives: its argument's name and position, and what it is when left out.
_FIRST_ROWS: dict[str, tuple[str, int, int | None]] = {
    "take": ("num", 1, None),
    "head": ("n", 1, 1),
    "first": ("", 99, 1),
    "show": ("n", 1, 20),
}
_LAST_ROWS: dict[str, tuple[str, int, int | None]] = {"tail": ("num", 1, None)}

_TARGETS: dict[str, tuple[str, int]] = {
    "write.csv": ("path", 1),
    "write.insertInto": ("tableName", 1),
    "write.jdbc": ("table", 2),
    "write.json": ("path", 1),
    "write.orc": ("path", 1),
    "write.parquet": ("path", 1),
    "write.save": ("path", 1),
    "write.saveAsTable": ("name", 1),
    "write.text": ("path", 1),
    "write.xml": ("path", 1),
}
_RUN_AS_THEY_ARE = {"collect", "toPandas", "toArrow"}
_RETURN_ROWS = {"collect", "take", "head", "first", "tail", "toPandas", "toArrow"}


@dataclass(frozen=True)
class Action:
    """A method that computes rows.

    Attributes:
        label: as users write it: `collect`, `write.parquet`.
        name: the method's name.
    """

    label: str
    name: str


class Running:
    """An action that has begun.

    Attributes:
        tap: what notes, while an RDD's action runs, what its elements were made of; None if nothing does.
        acted: an RDD's action as an operator over that of the RDD.
        guarded: there are guards in it against records that crash functions.
        frame: the DataFrame acted on; None of an RDD.
        guarded_plan: the JVM plan of the same with guards in it; None where there are none.
        guards: what is known of these.
        spark: the PySpark session; None for a bare context.
        subject: what the action is called on in the place of the user's own; None for that itself.
        written_table: the name of the table that it writes to; None where it writes to none.
    """

    def __init__(
        self, recorder: Recorder, output: OutputHandle, spark: Any, execution: Any | None = None
    ) -> None:
        self.recorder = recorder
        self.output = output
        self.tap: Any = None
        self.acted: Any = None
        self.guarded = False
        self.frame: Any = None
        self.guarded_plan: Any = None
        self.guards: Any = None
        self.spark = spark
        self.subject: Any = None
        self.written_table: str | None = None
        self._execution = execution

    def rewrite(self, subject: Any) -> None:
        """Have the action called on what the recording's rewriter makes of its subject, if there is one."""
        rewriter = self.recorder.rewriter
        if rewriter is not None:
            try:
                self.subject = rewriter.rewritten(self.output, subject)
            except Exception as problem:
                complain(problem)
            if self.subject is not None:
                self._execution = None  # that of the user's own frame doesn't run

    def done(self, rows: int | None, content_hash: str | None = None) -> None:
        """Note that the action ended well."""
        if not self.output.ended:
            self.output.end("done", rows=rows, content_hash=content_hash)
            note_location(self.output, self.spark, self.written_table)
            self.capture()

    def capture(self) -> None:
        """Write down the lineage of what the action gave, if that is asked for."""
        capture(self.recorder, self.spark, self.output.number, self._execution)

    def failed(self, error: BaseException, *, seconds: float | None = None) -> None:
        """Note that the action raised."""
        text = error_text(error, masked=bool(self.recorder.redact))
        if not self.output.ended:
            self.output.end("failed", seconds=seconds, error=text)
            if self.recorder.crash_guard is not None:
                self.recorder.crash_guard.failed(self.output.number, self.spark, error, self.acted)


def begin_action(
    action: Action, args: tuple[Any, ...], kwargs: dict[str, Any], frame: FrameType
) -> Running | None:
    """Record that an action begins, if the session of its frame is attached."""
    acted_on, target = subject_frame(args[0] if args else None)
    attachment = None if acted_on is None else attachments.of(acted_on._session)
    if acted_on is None or attachment is None:
        return None
    if action.label in _TARGETS:
        target = _argument(_TARGETS[action.label], args, kwargs)
    if action.label == "write.save" and target is None:
        target = _path_option(args[0])
    target = target if isinstance(target, str) else None
    plan = acted_on._jdf.logicalPlan()
    guard = attachment.recorder.crash_guard
    guarded = None if guard is None else guard.guarded_plan(attachment, action.label, acted_on)
    # These run the frame's own execution; others plan one of their own.
    as_it_is = guarded is None and action.name in _RUN_AS_THEY_ARE
    output = attachment.recorder.add_output(
        caller(frame)[1] or action.label,
        node=node_id_of(attachment, acted_on),
        call_site=call_site(attachment, frame),
        started=time.time(),
        rows=rows_of(
            attachment,
            plan if guarded is None else guarded,
            limit=_count(_FIRST_ROWS, action, args, kwargs),
            tail=_count(_LAST_ROWS, action, args, kwargs),
            frame=weakref.ref(acted_on) if as_it_is else None,
        ),
        spark=attachment.spark,
        target=target,
    )
    own = acted_on._jdf.queryExecution() if as_it_is else None
    running = Running(attachment.recorder, output, attachment.spark, own)
    if target is not None and names_table(action.label):
        running.written_table = target
    if guard is not None:
        running.frame = acted_on
        running.guarded_plan = guarded
    running.rewrite(args[0])
    return running


def rows_of(
    attachment: Attachment,
    plan: Any,
    *,
    limit: int | None = None,
    tail: int | None = None,
    frame: Callable[[], Any] | None = None,
) -> OutputRows:
    """The rows that an action is about, with the settings, the user, the catalog and the database as they are now.

    Args:
        attachment: of the session.
        plan: the analyzed plan. Of the frame that a command such as `INSERT` returned it is what the command
            gave (`CommandResult`): taking the command itself would carry it out again on a replay.
        limit: only so many of the first rows.
        tail: only so many of the last rows.
        frame: gives the frame, if the action runs its very execution.
    """
    if plan.containsPattern(attachment.current):
        # Another program, or this one later on, has another user or database than the action has.
        rule = getattr(attachment.spark._jvm, "org.apache.spark.sql.catalyst.optimizer.ReplaceCurrentLike")
        plan = rule(attachment.jsession.sessionState().catalogManager()).apply(plan)
    return OutputRows(plan, attachment.jsession, attachment.conf.clone(), limit, tail, frame)


def finish_action(action: Action, running: Running, result: Any, error: BaseException | None) -> Any:
    """Record how an action ended; what the user gets in place of its result, which is almost always that."""
    try:
        if error is not None:
            running.failed(error)
        elif action.name == "toLocalIterator":
            return watched_rows(result, running)
        else:
            summary = _summary(action, result, hashed=not running.recorder.redact)
            running.done(summary.rows, summary.content_hash)
    except Exception as problem:
        complain(problem)
    return result


def _summary(action: Action, result: Any, *, hashed: bool) -> Summary:
    if action.name in _RETURN_ROWS:
        return summarize(result, hashed=hashed)
    if action.name == "count" and isinstance(result, int):
        return Summary(result)
    if action.name == "isEmpty" and result is True:
        return Summary(0)
    return Summary()


def watched_rows(rows: Any, running: Running) -> Iterator[Any]:
    """The same rows; when they are used up or dropped the action is over."""
    return _watched(rows, _Iteration(running))


class _Iteration:
    """Ends the output when the iterator is used up, closed, or dropped without ever having been begun."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self.rows = 0

    def end(self, error: BaseException | None = None) -> None:
        try:
            if error is not None:
                self._running.failed(error)
            else:
                self._running.output.end("done", rows=self.rows)
        except Exception as problem:
            complain(problem)

    def used_up(self) -> None:
        """End the output when the user has seen every row."""
        try:
            self._running.done(self.rows)
        except Exception as problem:
            complain(problem)

    def __del__(self) -> None:
        self.end()


def _watched(rows: Any, iteration: _Iteration) -> Iterator[Any]:
    """The same rows. A generator, as PySpark's own iterator is."""
    try:
        for row in rows:
            iteration.rows += 1
            yield row
        iteration.used_up()
    except GeneratorExit:
        rows.close()
        raise
    except BaseException as error:
        iteration.end(error)
        traceback = error.__traceback__
        error.__traceback__ = traceback.tb_next if traceback else None
        raise
    finally:
        iteration.end()


def _argument(place: tuple[str, int], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    name, position = place
    return args[position] if len(args) > position else kwargs.get(name)


def _path_option(writer: Any) -> str | None:
    """Where a writer writes to that was told by `.option("path", …)` and not by its argument."""
    try:
        # Spark's own map of options, for their names have no upper and lower case. Protected in Scala only.
        path = writer._jwrite.extraOptions().get("path")
        return str(path.get()) if path.isDefined() else None
    except Py4JError:
        return None


def _count(
    places: dict[str, tuple[str, int, int | None]],
    action: Action,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> int | None:
    if action.label not in places:
        return None
    name, position, left_out = places[action.label]
    given = _argument((name, position), args, kwargs)
    if given is None:
        given = left_out
    return given if isinstance(given, int) and not isinstance(given, bool) else None

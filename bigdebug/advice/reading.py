"""From the lines of an event log to what is kept of its application: one pass, a few bytes a task."""

from collections.abc import Callable
from typing import Any

import msgspec

from bigdebug.advice import events
from bigdebug.advice.application import Application, Execution, Executor, Failure, Job, Stage
from bigdebug.advice.failures import cause_of
from bigdebug.advice.logfiles import HOW_TO_LOG, LogFiles
from bigdebug.advice.plans import Plans
from bigdebug.advice.unpacking import CutShort, lines_of
from bigdebug.lineage.errors import BigDebugError

_START = b'{"Event":"'
_SQL = "org.apache.spark.sql.execution.ui.SparkListener"
_MOST_CAUSES = 50
_LARGEST = 1 << 60
_MOST_STRANGE = 1000
"""So many lines that are no events, before the first that is, and it is no event log."""


def read_application(log: LogFiles) -> Application:
    """Read an event log as far as it goes.

    Raises:
        UnreachableError: it can't be read.
        BigDebugError: it is no event log.
    """
    reader = _Reader()
    for number, path in enumerate(log.files, start=1):
        try:
            for line in lines_of(path):
                reader.line(line)
                if not reader.app.events and reader.app.damaged > _MOST_STRANGE:
                    break
        except CutShort as cut:
            reader.app.cut = str(cut) if number == len(log.files) else f"{path.name} is damaged: {cut}"
    reader.finish()
    if not reader.app.events:
        empty = not reader.app.bytes
        raise BigDebugError(
            f"{log.path} is empty" if empty else f"{log.path} is no event log of Spark's",
            hint="Spark hasn't written anything yet, or was killed before it did" if empty else HOW_TO_LOG,
        )
    return reader.app


class _Reader:
    def __init__(self) -> None:
        self.app = Application()
        self._plans: dict[int, Plans] = {}
        self._values: dict[int, int] = {}
        self._cut_line = False
        self._handlers: dict[bytes, tuple[Any, Callable[[Any], None]]] = {
            name.encode(): (msgspec.json.Decoder(kind).decode, handle)
            for name, kind, handle in (
                ("SparkListenerLogStart", events.LogStart, self._log_start),
                ("SparkListenerEnvironmentUpdate", events.Environment, self._environment),
                ("SparkListenerApplicationStart", events.ApplicationStart, self._application_start),
                ("SparkListenerApplicationEnd", events.ApplicationEnd, self._application_end),
                ("SparkListenerExecutorAdded", events.ExecutorAdded, self._executor_added),
                ("SparkListenerExecutorRemoved", events.ExecutorRemoved, self._executor_removed),
                ("SparkListenerJobStart", events.JobStart, self._job_start),
                ("SparkListenerJobEnd", events.JobEnd, self._job_end),
                ("SparkListenerStageSubmitted", events.StageChange, self._stage_submitted),
                ("SparkListenerStageCompleted", events.StageChange, self._stage_completed),
                ("SparkListenerTaskEnd", events.TaskEnd, self._task_end),
                (f"{_SQL}SQLExecutionStart", events.ExecutionStart, self._execution_start),
                (f"{_SQL}SQLAdaptiveExecutionUpdate", events.ExecutionPlan, self._execution_plan),
                (f"{_SQL}SQLExecutionEnd", events.ExecutionEnd, self._execution_end),
                (f"{_SQL}DriverAccumUpdates", events.DriverAccumulators, self._driver_accumulators),
            )
        }

    def line(self, line: bytes) -> None:
        """Take in one line. What kind of event it is stands at its beginning: most aren't parsed at all."""
        self.app.bytes += len(line)
        self._cut_line = False
        if not line.startswith(_START):
            self.app.damaged += bool(line.strip())
            return
        name = line[len(_START) : line.find(b'"', len(_START))]
        known = self._handlers.get(name)
        if known is None:
            self.app.events += name.startswith((b"SparkListener", b"org.apache.spark"))
            self._cut_line = not line.rstrip().endswith(b"}")
            return
        decode, handle = known
        try:
            event = decode(_without_accumulables(line) if name == b"SparkListenerTaskEnd" else line)
        except (msgspec.MsgspecError, ValueError, RecursionError):  # also what isn't UTF-8
            self.app.damaged += 1
            self._cut_line = True
            return
        self.app.events += 1
        handle(event)

    def finish(self) -> None:
        """No more lines follow."""
        if self._cut_line and self.app.cut is None:
            self.app.cut = "the last line isn't whole"
        if self.app.cut and self.app.damaged and self._cut_line:
            self.app.damaged -= 1
        for number in list(self._plans):
            self._settle(number)

    # -- the application ----------------------------------------------------------------------------

    def _seen(self, *times: int | None) -> None:
        self.app.last_seen = max(self.app.last_seen, *(time or 0 for time in times))

    def _log_start(self, event: events.LogStart) -> None:
        self.app.spark = event.version

    def _environment(self, event: events.Environment) -> None:
        self.app.settings.update(event.properties)

    def _application_start(self, event: events.ApplicationStart) -> None:
        self.app.id, self.app.name, self.app.started = event.id, event.name, event.time
        self._seen(event.time)

    def _application_end(self, event: events.ApplicationEnd) -> None:
        self.app.ended, self.app.exit_code = event.time, event.code
        self._seen(event.time)

    def _executor_added(self, event: events.ExecutorAdded) -> None:
        self.app.executors[event.id] = Executor(event.id, event.info.host, event.info.cores, event.time)
        self._seen(event.time)

    def _executor_removed(self, event: events.ExecutorRemoved) -> None:
        executor = self.app.executors.get(event.id)
        if executor is not None:
            executor.removed, executor.reason = event.time, event.reason
        self._seen(event.time)

    # -- jobs, stages and tasks ---------------------------------------------------------------------

    def _job_start(self, event: events.JobStart) -> None:
        properties = event.properties or events.Properties()
        job = Job(event.id, event.time)
        job.description, job.call_site = properties.description, properties.call_site
        job.execution = _number(properties.execution)
        self.app.jobs[event.id] = job
        for info in event.stages:
            stage = self._stage(info.id, info.attempt)
            stage.name, stage.tasks = stage.name or info.name, stage.tasks or info.tasks
            if stage.job is None:
                stage.job, stage.execution = event.id, job.execution
        self._seen(event.time)

    def _job_end(self, event: events.JobEnd) -> None:
        job = self.app.jobs.get(event.id)
        if job is not None:
            job.ended = event.time
            job.failed = event.result is not None and event.result.result == "JobFailed"
        self._seen(event.time)

    def _stage(self, number: int, attempt: int) -> Stage:
        stage = self.app.stages.get((number, attempt))
        if stage is None:
            stage = self.app.stages[number, attempt] = Stage(number, attempt)
            first = self.app.stages.get((number, 0))
            if first is not None and first is not stage:
                stage.job, stage.execution = first.job, first.execution
        return stage

    def _stage_submitted(self, event: events.StageChange) -> None:
        stage = self._stage(event.stage.id, event.stage.attempt)
        stage.name, stage.tasks = event.stage.name, event.stage.tasks
        stage.submitted = event.stage.submitted
        if stage.execution is None and event.properties is not None:
            stage.execution = _number(event.properties.execution)
        self._seen(stage.submitted)

    def _stage_completed(self, event: events.StageChange) -> None:
        info = event.stage
        stage = self._stage(info.id, info.attempt)
        stage.name, stage.tasks = info.name, info.tasks
        stage.submitted, stage.completed, stage.failed = info.submitted, info.completed, info.failure
        for each in info.accumulables:
            if each.metadata == "sql":
                self._values[each.id] = _number(each.value) or 0
        self._seen(stage.completed)

    def _task_end(self, event: events.TaskEnd) -> None:
        stage = self._stage(event.stage, event.attempt)
        info = event.info
        if info is None:
            return
        if info.finished > self.app.last_seen:
            self.app.last_seen = info.finished
        duration = max(info.finished - info.launched, 0)
        stage.busy[info.executor] += duration
        if info.killed or (event.reason is not None and event.reason.reason == "TaskKilled"):
            stage.killed += 1
            return
        if info.failed:
            self._task_failed(stage, event.reason or events.TaskReason())
            return
        metrics = event.metrics or events.TaskMetrics()
        read = metrics.shuffle_read
        values = (  # in the order of TASK_COLUMNS
            duration,
            metrics.run,
            metrics.gc,
            metrics.spilled_memory,
            metrics.spilled_disk,
            read.remote + read.local if read else 0,
            metrics.shuffle_write.bytes if metrics.shuffle_write else 0,
            metrics.read.bytes if metrics.read else 0,
            metrics.written.bytes if metrics.written else 0,
        )
        if max(values) > _LARGEST or min(values) < 0:
            self.app.damaged += 1
            return
        for column, value in zip(stage.columns.values(), values, strict=True):
            column.append(value)

    def _task_failed(self, stage: Stage, reason: events.TaskReason) -> None:
        cause, detail = cause_of(reason)
        known = stage.failures.get(cause)
        if known is None:
            if len(stage.failures) >= _MOST_CAUSES:
                cause, detail = "other causes", ""
            known = stage.failures.setdefault(cause, Failure(cause, detail))
        known.count += 1

    # -- SQL ----------------------------------------------------------------------------------------

    def _execution_start(self, event: events.ExecutionStart) -> None:
        self.app.executions[event.id] = Execution(
            event.id, event.description, event.time, settings=event.settings
        )
        self._plan(event.id, event.plan)
        self._seen(event.time)

    def _execution_plan(self, event: events.ExecutionPlan) -> None:
        self._plan(event.id, event.plan)

    def _plan(self, number: int, plan: events.PlanNode | None) -> None:
        if plan is not None and number in self.app.executions:
            self._plans.setdefault(number, Plans()).add(plan)

    def _execution_end(self, event: events.ExecutionEnd) -> None:
        execution = self.app.executions.get(event.id)
        if execution is not None:
            execution.ended, execution.error = event.time, event.error or None
            self._settle(event.id)
        self._seen(event.time)

    def _driver_accumulators(self, event: events.DriverAccumulators) -> None:
        self._values.update(event.updates)

    def _settle(self, number: int) -> None:
        """An execution's plans aren't needed any more once their metrics have their values."""
        plans = self._plans.pop(number, None)
        if plans is not None:
            self.app.executions[number].facts = plans.facts(self._values)
        if not self._plans:
            self._values.clear()


def _number(value: object) -> int | None:
    if isinstance(value, int):
        return value
    try:
        return int(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _without_accumulables(line: bytes) -> bytes:
    """A task's end without its accumulators, which are most of it and are there once more as its metrics."""
    start = line.find(b'"Accumulables":[{')
    if start < 0:
        return line
    end = line.find(b']},"Task ', start)  # "Task Executor Metrics" or "Task Metrics" follow
    return line if end < 0 else line[:start] + b'"Accumulables":[' + line[end:]

"""How far the program's running jobs are: stages, tasks, and those that keep all others waiting."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bigdebug.lineage.errors import UnreachableError
from bigdebug.skew.thresholds import Thresholds, median

_MOST_TASKS = 10_000
"""Of a stage, the tasks that are looked at."""


@dataclass(frozen=True)
class TaskProgress:
    """A task that is running.

    Attributes:
        task: Spark's number of it.
        partition: that it computes.
        host: where.
        seconds: since it began.
        records, bytes: that it has read so far, of files and of shuffles; Spark tells so every few seconds.
        straggling: it takes so much longer than the median task of its stage that all others wait for it.
        record: what its function is busy with for over a second, where a watchpoint by time stands there
            (`session.watch(data, bigdebug.Slow())`); of pairs with the key in front. None where that isn't known.
    """

    task: int
    partition: int
    host: str
    seconds: float
    records: int
    bytes: int
    straggling: bool
    record: Any = None


@dataclass(frozen=True)
class StageProgress:
    """A stage that is running.

    Attributes:
        stage: Spark's number of it.
        name: as Spark's pages call it.
        tasks, done, failed: how many tasks there are, are over, and failed.
        median: seconds that tasks took that are over; None where none is.
        running: its running tasks, the longest first.
    """

    stage: int
    name: str
    tasks: int
    done: int
    failed: int
    median: float | None
    running: tuple[TaskProgress, ...]

    @property
    def stragglers(self) -> tuple[TaskProgress, ...]:
        """Running tasks that keep the others waiting."""
        return tuple(each for each in self.running if each.straggling)


def progress_of(
    context: Any, thresholds: Thresholds, busy: Mapping[int, Any] | None = None
) -> list[StageProgress]:
    """The stages that run now, those of every job of the context.

    Args:
        context: the SparkContext.
        thresholds: `slow_times_median` and `slow_seconds` tell what is a straggler.
        busy: by task, the record that its function is busy with, as far as that is known.

    Raises:
        UnreachableError: Spark was stopped.
    """
    if context._jsc is None or context._jsc.sc().isStopped():
        raise UnreachableError("the Spark session was stopped", hint="ask while the program runs")
    store = context._jsc.sc().statusStore()
    found = []
    for stage in _items(store.activeStages()):
        tasks = _items(store.taskList(stage.stageId(), stage.attemptId(), _MOST_TASKS))
        found.append(_stage(stage, tasks, thresholds, busy or {}))
    return sorted(found, key=lambda each: each.stage)


def _stage(stage: Any, tasks: list[Any], thresholds: Thresholds, busy: Mapping[int, Any]) -> StageProgress:
    now = time.time()
    running, took = [], []
    for task in tasks:
        if str(task.status()) == "RUNNING":
            running.append(task)
        elif str(task.status()) == "SUCCESS" and task.duration().isDefined():
            took.append(float(task.duration().get()) / 1000)
    middle = median(took) if took else None
    shown = [_task(task, now, middle, thresholds, busy) for task in running]
    return StageProgress(
        stage=int(stage.stageId()),
        name=str(stage.name()),
        tasks=int(stage.numTasks()),
        done=int(stage.numCompleteTasks()),
        failed=int(stage.numFailedTasks()),
        median=middle,
        running=tuple(sorted(shown, key=lambda each: -each.seconds)),
    )


def _task(
    task: Any, now: float, middle: float | None, thresholds: Thresholds, busy: Mapping[int, Any]
) -> TaskProgress:
    seconds = max(now - task.launchTime().getTime() / 1000, 0.0)
    records = size = 0
    if task.taskMetrics().isDefined():
        metrics = task.taskMetrics().get()
        read, shuffled = metrics.inputMetrics(), metrics.shuffleReadMetrics()
        records = int(read.recordsRead()) + int(shuffled.recordsRead())
        size = int(read.bytesRead()) + int(shuffled.remoteBytesRead()) + int(shuffled.localBytesRead())
    slow = middle is not None and seconds > thresholds.slow_times_median * middle
    return TaskProgress(
        task=int(task.taskId()),
        partition=int(task.partitionId()),
        host=str(task.host()),
        seconds=seconds,
        records=records,
        bytes=size,
        straggling=slow and seconds > thresholds.slow_seconds,
        record=busy.get(int(task.taskId())),
    )


def _items(seq: Any) -> list[Any]:
    return [seq.apply(i) for i in range(seq.length())]

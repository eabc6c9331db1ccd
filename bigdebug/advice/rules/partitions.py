"""Partitions that are too small to be worth a task each, or too large for one."""

from collections.abc import Iterator

import numpy

from bigdebug.advice.application import Application
from bigdebug.advice.findings import Finding, place_of_stage
from bigdebug.advice.thresholds import Thresholds
from bigdebug.advice.wording import seconds
from bigdebug.wording.quantities import size


def small_tasks(app: Application, limits: Thresholds) -> Iterator[Finding]:
    """Very many tasks that are over before they have begun: planning them takes longer than what they do."""
    for stage in app.stages.values():
        severity = limits.severity("small-tasks.count", stage.done)
        if not severity:
            continue
        durations = numpy.asarray(stage.columns["duration"])
        median = float(numpy.median(durations)) / 1000
        if median < limits.least("small-tasks.median"):
            handled = _handled(app, stage.id, stage.attempt)
            yield Finding(
                "small-tasks",
                severity,
                f"{stage.done:,} tasks of {seconds(median)} each (the median), for {size(float(handled.sum()))} in all",
                "fewer partitions: coalesce after strict filters, a smaller spark.sql.shuffle.partitions, "
                "spark.sql.adaptive.coalescePartitions.enabled=true; of many small inputs, fewer and larger files",
                stage=(stage.id, stage.attempt),
                execution=stage.execution,
                place=place_of_stage(app, stage),
                figures={"tasks": stage.done, "median_seconds": median},
            )


def large_tasks(app: Application, limits: Thresholds) -> Iterator[Finding]:
    """Partitions of which each is more than a core's memory can well hold."""
    for stage in app.stages.values():
        if not stage.done:
            continue
        handled = _handled(app, stage.id, stage.attempt)
        largest, median = float(handled.max()), float(numpy.median(handled))
        severity = limits.severity("large-tasks.largest", largest)
        if severity:
            yield Finding(
                "large-tasks",
                severity,
                f"the largest of {stage.done:,} tasks took in {size(largest)}, the median {size(median)}",
                "more partitions, of 100 to 200 MB each: spark.sql.shuffle.partitions, repartition, "
                "spark.sql.files.maxPartitionBytes; files that can't be split (gzip) are one task each",
                stage=(stage.id, stage.attempt),
                execution=stage.execution,
                place=place_of_stage(app, stage),
                figures={"tasks": stage.done, "largest_bytes": largest, "median_bytes": median},
            )


def _handled(app: Application, number: int, attempt: int) -> "numpy.typing.NDArray[numpy.int64]":
    """What each task of a stage took in."""
    columns = app.stages[number, attempt].columns
    total: numpy.typing.NDArray[numpy.int64] = numpy.asarray(columns["read"]) + numpy.asarray(
        columns["shuffle_read"]
    )
    return total

"""Cores that are paid for and have nothing to do."""

from collections.abc import Iterator

from bigdebug.advice.application import Application
from bigdebug.advice.findings import Finding, place_of_stage
from bigdebug.advice.thresholds import Thresholds
from bigdebug.advice.wording import percent, seconds


def idle_cores(app: Application, limits: Thresholds) -> Iterator[Finding]:
    """Of all the time that there were cores, how much no task ran on them."""
    end = app.ended or app.last_seen
    there = sum(
        each.cores * max((each.removed or end) - each.added, 0)
        for each in app.executors.values()
        if each.cores
    )
    if not there or app.milliseconds / 1000 < limits.least("idle-cores.seconds"):
        return
    used = sum(sum(stage.busy.values()) for stage in app.stages.values())
    share = max(1 - used / there, 0.0)
    severity = limits.severity("idle-cores.share", share)
    if severity:
        yield Finding(
            "idle-cores",
            severity,
            f"{percent(share)} of {there / 3_600_000:.2g} core hours passed without a task "
            f"({app.cores} cores at most, {seconds(app.milliseconds / 1000)})",
            "fewer cores do as well, or spark.dynamicAllocation.enabled=true; "
            "where stages have fewer tasks than cores, more partitions",
            figures={"share": round(share, 4), "core_seconds": there / 1000, "used_seconds": used / 1000},
        )


def driver_only(app: Application, limits: Thresholds) -> Iterator[Finding]:
    """Time in which no stage ran: the driver was at work alone, or waited."""
    whole = app.milliseconds / 1000
    if whole < limits.least("driver-only.seconds"):
        return
    spans = sorted(
        (stage.submitted, stage.completed or app.last_seen)
        for stage in app.stages.values()
        if stage.submitted is not None
    )
    covered, until = 0, 0
    for start, stop in spans:
        covered += max(stop - max(start, until), 0)
        until = max(until, stop)
    alone = max(whole - covered / 1000, 0.0)
    severity = limits.severity("driver-only.share", alone / max(whole, 0.001))
    if severity:
        yield Finding(
            "driver-only",
            severity,
            f"for {seconds(alone)} of {seconds(whole)} ({percent(alone / whole)}) no stage ran",
            "the driver worked alone: collect and toPandas and what is done with their rows, listing of files, "
            "planning of very large plans, many small actions one after the other",
            figures={"seconds": alone, "share": round(alone / whole, 4)},
            seconds=alone,
        )


def few_tasks(app: Application, limits: Thresholds) -> Iterator[Finding]:
    """Long stages that couldn't use all cores."""
    cores = app.cores
    for stage in app.stages.values():
        took = (stage.milliseconds or 0) / 1000
        severity = limits.severity("few-tasks.seconds", took)
        if severity and 0 < stage.tasks < cores and not _beside_others(app, stage.submitted, stage.completed):
            yield Finding(
                "few-tasks",
                severity,
                f"{stage.tasks} task{'' if stage.tasks == 1 else 's'} for {seconds(took)} on {cores} cores",
                "more partitions before this: repartition, spark.sql.shuffle.partitions, files that can be split; "
                "a window or an aggregate without keys is one task whatever is set",
                stage=(stage.id, stage.attempt),
                execution=stage.execution,
                place=place_of_stage(app, stage),
                figures={"tasks": stage.tasks, "cores": cores, "seconds": took},
                seconds=took * (1 - stage.tasks / cores),
            )


def _beside_others(app: Application, submitted: int | None, completed: int | None) -> bool:
    """Whether other stages ran at that time, too, and may have used the other cores."""
    running = sum(
        (other.submitted or 0) < (completed or 0) and (other.completed or app.last_seen) > (submitted or 0)
        for other in app.stages.values()
        if other.submitted is not None
    )
    return running > 1

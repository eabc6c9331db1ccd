"""Stages that spill to disk, and garbage collection that takes the tasks' time."""

from collections.abc import Iterator

from bigdebug.advice.application import Application
from bigdebug.advice.findings import Finding, place_of_stage
from bigdebug.advice.thresholds import Thresholds
from bigdebug.advice.wording import percent, seconds
from bigdebug.wording.quantities import size


def spill(app: Application, limits: Thresholds) -> Iterator[Finding]:
    """What didn't fit into memory and went to disk and back."""
    for stage in app.stages.values():
        spilled = sum(stage.columns["spilled_disk"])
        if spilled < max(limits.least("spill.bytes"), 1):
            continue
        handled = max(
            sum(stage.columns[name]) for name in ("read", "shuffle_read", "shuffle_written", "written")
        )
        share = spilled / max(handled, 1)
        severity = limits.severity("spill.share", share)
        if severity:
            yield Finding(
                "spill",
                severity,
                f"{size(spilled)} went to disk and back for want of memory, "
                f"{percent(share)} of the {size(handled)} that the stage handled",
                "more and smaller partitions (spark.sql.shuffle.partitions, or a smaller "
                "spark.sql.adaptive.advisoryPartitionSizeInBytes), fewer columns before the shuffle, "
                "or more memory a core (spark.executor.memory, fewer spark.executor.cores)",
                stage=(stage.id, stage.attempt),
                execution=stage.execution,
                place=place_of_stage(app, stage),
                figures={"spilled_bytes": spilled, "handled_bytes": handled, "share": round(share, 4)},
            )


def garbage(app: Application, limits: Thresholds) -> Iterator[Finding]:
    """Of the whole application: collection is a matter of a process, not of the task that it hits."""
    run = sum(sum(stage.columns["run"]) for stage in app.stages.values()) / 1000
    collected = sum(sum(stage.columns["gc"]) for stage in app.stages.values()) / 1000
    share = collected / max(run, 0.001)
    severity = limits.severity("gc.share", share)
    if not severity or run < limits.least("gc.run"):
        return
    worst = max(app.stages.values(), key=lambda stage: sum(stage.columns["gc"]))
    yield Finding(
        "gc",
        severity,
        f"garbage collection took {seconds(collected)} of {seconds(run)} of the tasks' time ({percent(share)}), "
        f"most of it in stage {worst.id}",
        "more memory a core, fewer or smaller cached frames (unpersist what isn't needed any more), "
        "and no objects of whole partitions in Python or Scala functions",
        stage=(worst.id, worst.attempt),
        execution=worst.execution,
        place=place_of_stage(app, worst),
        figures={"gc_seconds": collected, "run_seconds": run, "share": round(share, 4)},
        seconds=collected / max(app.cores, 1),
    )

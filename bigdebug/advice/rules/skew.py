"""Tasks that take much longer, or handle much more, than the others of their stage; executors that do."""

from collections import Counter
from collections.abc import Iterator

import numpy

from bigdebug.advice.application import Application, Stage
from bigdebug.advice.findings import Finding, place_of_stage
from bigdebug.advice.thresholds import Thresholds
from bigdebug.advice.wording import seconds, times
from bigdebug.wording.quantities import size

_LEAST_TASKS = 3
_HOT = (
    "a few keys hold most of the rows: bigdebug skew RUN OUTPUT names them and their records; "
    "filter or aggregate them early, salt the key, or broadcast the other side of the join"
)
_SPLIT = (
    "repartition by a finer key before this, or split the large inputs "
    "(spark.sql.files.maxPartitionBytes; files that can't be split, such as gzip, stay one task)"
)
_SLOW = (
    "the sizes don't explain it: look for records on which a function is slow, slow hosts or remote calls; "
    "spark.speculation=true helps against slow hosts only"
)


def task_skew(app: Application, limits: Thresholds) -> Iterator[Finding]:
    """One task that a stage waits for."""
    for stage in app.stages.values():
        if stage.done >= _LEAST_TASKS:
            yield from _of_stage(app, stage, limits)


def _of_stage(app: Application, stage: Stage, limits: Thresholds) -> Iterator[Finding]:
    durations = numpy.asarray(stage.columns["duration"])
    largest, median_bytes, what = _sizes(stage)
    longest, median = float(durations.max()) / 1000, float(numpy.median(durations)) / 1000
    ratio = longest / max(median, 0.001)
    bytes_ratio = largest / max(median_bytes, 1)
    whole = (stage.milliseconds or 0) / 1000
    waited = longest >= limits.least("skew.longest") and longest >= limits.least("skew.stage-share") * whole
    by_time = limits.severity("skew.ratio", ratio) if waited else 0
    by_size = (
        limits.severity("skew.bytes.ratio", bytes_ratio)
        if largest >= limits.least("skew.bytes.largest")
        else 0
    )
    if not by_time and not by_size:
        return
    told = []
    if by_time:
        told.append(
            f"the longest of {stage.done:,} tasks took {seconds(longest)}, "
            f"the median {seconds(median)}: {times(ratio)} times"
        )
    if largest and (by_size or bytes_ratio >= limits.least("skew.ratio")):
        told.append(
            f"the largest {what} {size(largest)}, the median {size(median_bytes)}: {times(bytes_ratio)} times"
        )
    lopsided = bytes_ratio >= limits.least("skew.ratio")
    yield Finding(
        "skew",
        max(by_time, by_size),
        "; ".join(told),
        (_HOT if what == "read from shuffles" else _SPLIT) if lopsided else _SLOW,
        stage=(stage.id, stage.attempt),
        execution=stage.execution,
        place=place_of_stage(app, stage),
        figures={
            "longest_seconds": longest,
            "median_seconds": median,
            "ratio": round(ratio, 3),
            "largest_bytes": largest,
            "median_bytes": median_bytes,
            "bytes_ratio": round(bytes_ratio, 3),
        },
        seconds=max(longest - median, 0.0),
    )


def _sizes(stage: Stage) -> tuple[float, float, str]:
    """The largest and the median of what tasks took in, and what that was."""
    shuffled, read = (numpy.asarray(stage.columns[name]) for name in ("shuffle_read", "read"))
    column, what = (shuffled, "read from shuffles") if shuffled.sum() >= read.sum() else (read, "read")
    return float(column.max()), float(numpy.median(column)), what


def executor_skew(app: Application, limits: Thresholds) -> Iterator[Finding]:
    """An executor that did much more than the others."""
    busy: Counter[str] = Counter()
    for stage in app.stages.values():
        busy.update(stage.busy)
    if len(busy) < 2:
        return
    worst, most = busy.most_common(1)[0]
    longest, median = most / 1000, float(numpy.median(list(busy.values()))) / 1000
    ratio = longest / max(median, 0.001)
    severity = limits.severity("executors.ratio", ratio)
    if severity and longest >= limits.least("executors.busiest"):
        yield Finding(
            "executors",
            severity,
            f"executor {worst} was busy for {seconds(longest)} of task time, the median one of {len(busy)} "
            f"for {seconds(median)}: {times(ratio)} times",
            "partitions that are skewed or fewer than the cores end on few executors; data that is cached or "
            "stored on one host draws tasks there (spark.locality.wait=0 lets them go elsewhere)",
            figures={"busiest_seconds": longest, "median_seconds": median, "ratio": round(ratio, 3)},
        )

"""Tasks that failed, stages and executors that were lost, and why."""

import re
from collections import defaultdict
from collections.abc import Iterator

from bigdebug.advice.application import Application, Failure, Stage
from bigdebug.advice.failures import place_of
from bigdebug.advice.findings import Finding, Place, place_of_stage
from bigdebug.advice.thresholds import Thresholds
from bigdebug.advice.wording import percent

_REMEDIES = (
    (
        re.compile(
            r"OutOfMemory|exit code 137|exceeding (?:memory|physical)|OOM|memory limit", re.IGNORECASE
        ),
        "out of memory: more, smaller partitions, or more spark.executor.memory and "
        "spark.executor.memoryOverhead (which Python's workers live in)",
    ),
    (
        re.compile(r"shuffle data|FetchFailed|MetadataFetchFailed"),
        "an executor with shuffle data was gone: see whether executors were lost (out of memory, preempted), "
        "and keep such data with spark.decommission.enabled or an external shuffle service",
    ),
    (
        re.compile(r"executor lost|heartbeat", re.IGNORECASE),
        "its executor went away: out of memory, preempted or killed; its own log says more",
    ),
    (
        re.compile(r"No space left|DiskBlock", re.IGNORECASE),
        "disks are full: more room for spark.local.dir, or less spill and shuffle",
    ),
)
_RECORD = (
    "run the program with bigdebug run: the failing job then says which records it was, "
    "and bigdebug crashes RUN shows them"
)


def failed_tasks(app: Application, limits: Thresholds) -> Iterator[Finding]:
    """One finding a cause, with the stages that it hit; critical where a stage or job failed of it."""
    hit: dict[str, list[tuple[Stage, Failure]]] = defaultdict(list)
    for stage in app.stages.values():
        for failure in stage.failures.values():
            hit[failure.cause].append((stage, failure))
    for cause, places in hit.items():
        count = sum(failure.count for _, failure in places)
        share = max(failure.count / max(stage.done + stage.failed_tasks, 1) for stage, failure in places)
        severity = limits.severity("failed-tasks.share", share)
        fatal = [stage for stage, _ in places if stage.failed]
        stage, failure = max(places, key=lambda each: (bool(each[0].failed), each[1].count))
        if not severity and not fatal:
            continue
        told = f"{count:,} task{'' if count == 1 else 's'} failed ({percent(share)} of stage {stage.id}'s): {cause}"
        yield Finding(
            "failed-tasks",
            4 if fatal else severity,
            told + ("; it made the stage fail" if fatal else ""),
            next(
                (advice for pattern, advice in _REMEDIES if pattern.search(f"{cause}\n{failure.detail}")),
                _RECORD,
            ),
            stage=(stage.id, stage.attempt),
            execution=stage.execution,
            place=_place(app, stage, failure),
            figures={"failed": count, "share": round(share, 4), "stages": len(places)},
        )


def _place(app: Application, stage: Stage, failure: Failure) -> Place | None:
    """The user's line that raised, else the one that asked for the stage."""
    raised = place_of(failure.detail)
    return Place(*raised) if raised else place_of_stage(app, stage)


def failed_stages(app: Application, limits: Thresholds) -> Iterator[Finding]:
    """Stages that failed of no task of their own: aborted, lost their input, cancelled."""
    for stage in app.stages.values():
        if stage.failed and not stage.failures:
            yield Finding(
                "failed-stages",
                2 if "cancel" in stage.failed.casefold() else 4,
                f"the stage failed: {' '.join(stage.failed.split())[:200]}",
                next((advice for pattern, advice in _REMEDIES if pattern.search(stage.failed)), _RECORD),
                stage=(stage.id, stage.attempt),
                execution=stage.execution,
                place=place_of_stage(app, stage),
                figures={"tasks_done": stage.done},
            )


def lost_executors(app: Application, limits: Thresholds) -> Iterator[Finding]:
    """Executors that went away for another reason than that they weren't needed."""
    lost = [each for each in app.executors.values() if each.removed and not _planned(each.reason)]
    if lost:
        reasons = sorted({" ".join(each.reason.split())[:120] for each in lost})
        yield Finding(
            "lost-executors",
            3 if len(lost) * 2 > len(app.executors) else 2,
            f"{len(lost)} of {len(app.executors)} executors were lost: {'; '.join(reasons[:3])}",
            next(
                (advice for pattern, advice in _REMEDIES if pattern.search("\n".join(reasons))),
                _REMEDIES[2][1],
            ),
            figures={"lost": len(lost), "executors": len(app.executors)},
        )


def _planned(reason: str) -> bool:
    """Whether Spark itself sent an executor away."""
    return bool(
        re.search(r"idle|kill(?:ed)? by driver|decommission|Requesting driver", reason, re.IGNORECASE)
    )

"""From a path to advice: read the log, ask every rule."""

from collections.abc import Sequence
from dataclasses import dataclass

from bigdebug.advice.application import Action, Application
from bigdebug.advice.findings import Finding, ranked
from bigdebug.advice.logfiles import LogFiles, find_log
from bigdebug.advice.reading import read_application
from bigdebug.advice.rules import broadcasts, cores, failed, files, memory, partitions, skew
from bigdebug.advice.thresholds import Thresholds

RULES = (
    failed.failed_tasks,
    failed.failed_stages,
    failed.lost_executors,
    skew.task_skew,
    skew.executor_skew,
    memory.spill,
    memory.garbage,
    partitions.small_tasks,
    partitions.large_tasks,
    files.small_files,
    broadcasts.large_broadcast,
    broadcasts.missed_broadcast,
    cores.idle_cores,
    cores.driver_only,
    cores.few_tasks,
)


@dataclass(frozen=True)
class Advice:
    """What a log tells.

    Attributes:
        log: the files that were read.
        app: what is in them.
        findings: the worst first.
        notes: what to know of the log itself.
    """

    log: LogFiles
    app: Application
    findings: list[Finding]
    notes: list[str]


def advise(place: str, limits: Thresholds | None = None, actions: Sequence[Action] = ()) -> Advice:
    """Look through an event log.

    Args:
        place: a log's file, a rolling log's folder, or a folder that holds one log.
        limits: what the rules go by.
        actions: of the recorded run that wrote it.

    Raises:
        UnreachableError: it can't be read.
        BigDebugError: it is no event log, or several.
    """
    log = find_log(place)
    app = read_application(log)
    app.actions = list(actions)
    limits = limits or Thresholds()
    found = [finding for rule in RULES for finding in rule(app, limits)]
    return Advice(log, app, ranked(found), _notes(log, app))


def _notes(log: LogFiles, app: Application) -> list[str]:
    notes = []
    if app.ended is None:
        notes.append(
            "the log has no end: the application is still running, or was killed; this is as far as it goes"
        )
    if app.cut and not (app.ended is None and "whole" in app.cut):
        notes.append(f"the log can't be read to its end: {app.cut}")
    if app.damaged:
        notes.append(f"{app.damaged:,} line{'' if app.damaged == 1 else 's'} of the log couldn't be read")
    if log.missing:
        notes.append(f"files of the rolling log are missing: {', '.join(map(str, log.missing[:10]))}")
    return notes

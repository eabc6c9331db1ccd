"""What a rule finds: how bad, the figures that show it, what to do, and where in the user's code."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from bigdebug.advice.application import Application, Execution, Stage

SEVERITIES = ("none", "low", "moderate", "severe", "critical")
_CALL = re.compile(r"(?:^|\s)(\w[\w$.]*) at (.+):(\d+)$")
_NOT_THE_USERS = re.compile(r"\.(?:java|scala)$|^<unknown>")


@dataclass(frozen=True)
class Place:
    """A line of the user's code, as the log names it."""

    file: str
    line: int
    action: str | None = None

    @property
    def label(self) -> str:
        """`etl.py:42`."""
        return f"{self.file.replace(chr(92), '/').rpartition('/')[2]}:{self.line}"


@dataclass(frozen=True)
class Finding:
    """One thing that is amiss.

    Attributes:
        rule: its name.
        severity: 1 (low) to 4 (critical).
        evidence: what was seen, in a sentence with figures.
        advice: what to do.
        stage: the stage concerned, with its attempt; None for the application.
        execution: the SQL execution concerned.
        place: in the user's code, where the log has it.
        figures: what the evidence rests on; seconds, bytes, counts.
        seconds: about how long the application waited for it; None where that can't be said.
    """

    rule: str
    severity: int
    evidence: str
    advice: str
    stage: tuple[int, int] | None = None
    execution: int | None = None
    place: Place | None = None
    figures: dict[str, float] = field(default_factory=dict)
    seconds: float | None = None


def place_in(text: str | None) -> Place | None:
    """The user's line in a name such as `collect at /home/ann/etl.py:42`; None where it is Spark's own."""
    found = _CALL.search(text or "")
    if found is None or _NOT_THE_USERS.search(found[2]):
        return None
    return Place(found[2], int(found[3]), found[1])


def place_of_stage(app: Application, stage: Stage) -> Place | None:
    """Where the user asked for a stage: by its own name, its job's, or that of its SQL execution."""
    job = app.jobs.get(stage.job) if stage.job is not None else None
    told = [stage.name, job.call_site if job else None, job.description if job else None]
    execution = app.executions.get(stage.execution) if stage.execution is not None else None
    if execution is not None:
        told.append(execution.description)
    return next((place for text in told if (place := place_in(text))), None) or _recorded(
        app, stage.submitted
    )


def place_of_execution(app: Application, execution: Execution) -> Place | None:
    """Where the user asked for a SQL execution."""
    told = [execution.description]
    told += [job.call_site or "" for job in app.jobs.values() if job.execution == execution.id]
    return next((place for text in told if (place := place_in(text))), None) or _recorded(
        app, execution.started
    )


def _recorded(app: Application, time: int | None) -> Place | None:
    """The action of the recorded run that was going on then, if it was one only."""
    going = [each for each in app.actions if time is not None and each.started <= time <= each.ended]
    return Place(going[0].file, going[0].line, going[0].name) if len(going) == 1 else None


def ranked(findings: Sequence[Finding]) -> list[Finding]:
    """The worst first; of equally bad ones what took longest."""
    return sorted(findings, key=lambda each: (-each.severity, -(each.seconds or 0.0)))

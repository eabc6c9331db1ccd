"""What an event log tells of an application. Times are milliseconds since the epoch, sizes bytes."""

from array import array
from collections import Counter
from dataclasses import dataclass, field

from bigdebug.advice.plans import PlanFacts

TASK_COLUMNS = (
    "duration",
    "run",
    "gc",
    "spilled_memory",
    "spilled_disk",
    "shuffle_read",
    "shuffle_written",
    "read",
    "written",
)


def _empty() -> dict[str, "array[int]"]:
    return {name: array("q") for name in TASK_COLUMNS}


@dataclass
class Failure:
    """Failures of tasks that have one cause.

    Attributes:
        cause: what Spark says it was, in a line.
        detail: the whole of it, of the first one.
        count: how many tasks.
    """

    cause: str
    detail: str
    count: int = 0


@dataclass
class Stage:
    """One attempt of a stage.

    Attributes:
        id, attempt: as Spark numbers them.
        name: Spark's, mostly the action and its place.
        tasks: how many it should have.
        job: the job that asked for it first.
        execution: the SQL execution it belongs to.
        submitted, completed: None while it hasn't.
        failed: why it failed.
        columns: of its successful tasks, by `TASK_COLUMNS`; 8 bytes a task and column.
        failures: of its tasks, by cause.
        killed: tasks that were stopped, as a speculative twin was quicker or the stage was over.
        busy: by executor, the time its tasks took and how many there were.
    """

    id: int
    attempt: int
    name: str = ""
    tasks: int = 0
    job: int | None = None
    execution: int | None = None
    submitted: int | None = None
    completed: int | None = None
    failed: str | None = None
    columns: dict[str, "array[int]"] = field(default_factory=_empty)
    failures: dict[str, Failure] = field(default_factory=dict)
    killed: int = 0
    busy: Counter[str] = field(default_factory=Counter)

    @property
    def done(self) -> int:
        """How many tasks ended well."""
        return len(self.columns["duration"])

    @property
    def failed_tasks(self) -> int:
        return sum(failure.count for failure in self.failures.values())

    @property
    def milliseconds(self) -> int | None:
        """How long it took; None where that isn't known."""
        if self.submitted is None or self.completed is None:
            return None
        return max(self.completed - self.submitted, 0)


@dataclass
class Job:
    """A job: what an action, or part of one, asked for."""

    id: int
    started: int
    ended: int | None = None
    failed: bool = False
    description: str | None = None
    call_site: str | None = None
    execution: int | None = None


@dataclass
class Execution:
    """A SQL execution: an action of a DataFrame or a command.

    Attributes:
        settings: of its session that differ from the application's.
        facts: what its last physical plan and its metrics tell.
    """

    id: int
    description: str
    started: int
    ended: int | None = None
    error: str | None = None
    settings: dict[str, str] = field(default_factory=dict)
    facts: PlanFacts = field(default_factory=PlanFacts)


@dataclass
class Executor:
    """A process that ran tasks; in local mode the driver."""

    id: str
    host: str
    cores: int
    added: int
    removed: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Action:
    """An action of a recorded run: when, and where in the user's code."""

    started: float
    ended: float
    file: str
    line: int
    name: str


@dataclass
class Application:
    """All that is kept of a log.

    Attributes:
        actions: of the recorded run, where there is one: it knows places that the log doesn't.
        exit_code: of the program, where Spark knew it.
        last_seen: the latest time that any event names.
        damaged: lines that couldn't be read.
        cut: why the log ends before its end; None where it doesn't.
        bytes: how much was read, unpacked.
    """

    id: str | None = None
    name: str = ""
    spark: str = ""
    started: int | None = None
    ended: int | None = None
    exit_code: int | None = None
    settings: dict[str, str] = field(default_factory=dict)
    executors: dict[str, Executor] = field(default_factory=dict)
    jobs: dict[int, Job] = field(default_factory=dict)
    stages: dict[tuple[int, int], Stage] = field(default_factory=dict)
    executions: dict[int, Execution] = field(default_factory=dict)
    last_seen: int = 0
    events: int = 0
    damaged: int = 0
    cut: str | None = None
    bytes: int = 0
    actions: list[Action] = field(default_factory=list)

    @property
    def status(self) -> str:
        """`done`; `failed` where its last job did or its program says so; `unfinished`: running, or killed."""
        if self.ended is None:
            return "unfinished"
        last = max(self.jobs.values(), key=lambda job: job.id, default=None)
        return "failed" if self.exit_code or (last is not None and last.failed) else "done"

    @property
    def milliseconds(self) -> int:
        """From its start to its end, or to the last event."""
        if self.started is None:
            return 0
        return max((self.ended or self.last_seen) - self.started, 0)

    @property
    def cores(self) -> int:
        """The most cores it had at once."""
        changes = [(each.added, each.cores) for each in self.executors.values() if each.cores]
        changes += [
            (each.removed, -each.cores) for each in self.executors.values() if each.cores and each.removed
        ]
        most = now = 0
        for _, change in sorted(changes):
            now += change
            most = max(most, now)
        return most

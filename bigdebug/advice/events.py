"""The parts of Spark's events that are looked at; all else in a line is skipped unparsed.

Everything has a default: Spark's versions differ in what they write.
"""

from msgspec import Struct, field


class ShuffleRead(Struct):
    remote: int = field(name="Remote Bytes Read", default=0)
    local: int = field(name="Local Bytes Read", default=0)
    waited: int = field(name="Fetch Wait Time", default=0)


class ShuffleWrite(Struct):
    bytes: int = field(name="Shuffle Bytes Written", default=0)


class Read(Struct):
    bytes: int = field(name="Bytes Read", default=0)


class Written(Struct):
    bytes: int = field(name="Bytes Written", default=0)


class TaskMetrics(Struct):
    """Times in milliseconds."""

    run: int = field(name="Executor Run Time", default=0)
    gc: int = field(name="JVM GC Time", default=0)
    spilled_memory: int = field(name="Memory Bytes Spilled", default=0)
    spilled_disk: int = field(name="Disk Bytes Spilled", default=0)
    shuffle_read: ShuffleRead | None = field(name="Shuffle Read Metrics", default=None)
    shuffle_write: ShuffleWrite | None = field(name="Shuffle Write Metrics", default=None)
    read: Read | None = field(name="Input Metrics", default=None)
    written: Written | None = field(name="Output Metrics", default=None)


class TaskInfo(Struct):
    launched: int = field(name="Launch Time", default=0)
    finished: int = field(name="Finish Time", default=0)
    executor: str = field(name="Executor ID", default="")
    failed: bool = field(name="Failed", default=False)
    killed: bool = field(name="Killed", default=False)


class TaskReason(Struct):
    reason: str = field(name="Reason", default="")
    kind: str = field(name="Class Name", default="")
    description: str | None = field(name="Description", default=None)
    message: str | None = field(name="Message", default=None)
    loss: str | None = field(name="Loss Reason", default=None)


class TaskEnd(Struct):
    stage: int = field(name="Stage ID", default=-1)
    attempt: int = field(name="Stage Attempt ID", default=0)
    reason: TaskReason | None = field(name="Task End Reason", default=None)
    info: TaskInfo | None = field(name="Task Info", default=None)
    metrics: TaskMetrics | None = field(name="Task Metrics", default=None)


class Accumulable(Struct):
    id: int = field(name="ID", default=-1)
    value: object = field(name="Value", default=None)
    metadata: str | None = field(name="Metadata", default=None)


class StageInfo(Struct):
    id: int = field(name="Stage ID", default=-1)
    attempt: int = field(name="Stage Attempt ID", default=0)
    name: str = field(name="Stage Name", default="")
    tasks: int = field(name="Number of Tasks", default=0)
    submitted: int | None = field(name="Submission Time", default=None)
    completed: int | None = field(name="Completion Time", default=None)
    failure: str | None = field(name="Failure Reason", default=None)
    accumulables: list[Accumulable] = field(name="Accumulables", default_factory=list)


class Properties(Struct):
    execution: str | None = field(name="spark.sql.execution.id", default=None)
    description: str | None = field(name="spark.job.description", default=None)
    call_site: str | None = field(name="callSite.short", default=None)


class StageChange(Struct):
    """Submitted or completed."""

    stage: StageInfo = field(name="Stage Info", default_factory=StageInfo)
    properties: Properties | None = field(name="Properties", default=None)


class JobStart(Struct):
    id: int = field(name="Job ID", default=-1)
    time: int = field(name="Submission Time", default=0)
    stages: list[StageInfo] = field(name="Stage Infos", default_factory=list)
    properties: Properties | None = field(name="Properties", default=None)


class JobResult(Struct):
    result: str = field(name="Result", default="")


class JobEnd(Struct):
    id: int = field(name="Job ID", default=-1)
    time: int = field(name="Completion Time", default=0)
    result: JobResult | None = field(name="Job Result", default=None)


class ExecutorInfo(Struct):
    host: str = field(name="Host", default="")
    cores: int = field(name="Total Cores", default=0)


class ExecutorAdded(Struct):
    time: int = field(name="Timestamp", default=0)
    id: str = field(name="Executor ID", default="")
    info: ExecutorInfo = field(name="Executor Info", default_factory=ExecutorInfo)


class ExecutorRemoved(Struct):
    time: int = field(name="Timestamp", default=0)
    id: str = field(name="Executor ID", default="")
    reason: str = field(name="Removed Reason", default="")


class LogStart(Struct):
    version: str = field(name="Spark Version", default="")


class Environment(Struct):
    properties: dict[str, str] = field(name="Spark Properties", default_factory=dict)


class ApplicationStart(Struct):
    name: str = field(name="App Name", default="")
    id: str | None = field(name="App ID", default=None)
    time: int = field(name="Timestamp", default=0)


class ApplicationEnd(Struct):
    time: int = field(name="Timestamp", default=0)
    code: int | None = field(name="ExitCode", default=None)


class Metric(Struct):
    name: str = ""
    id: int = field(name="accumulatorId", default=-1)


class PlanNode(Struct):
    """An operator of a physical plan."""

    name: str = field(name="nodeName", default="")
    text: str = field(name="simpleString", default="")
    children: list["PlanNode"] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)


class ExecutionStart(Struct):
    id: int = field(name="executionId", default=-1)
    description: str = ""
    plan: PlanNode | None = field(name="sparkPlanInfo", default=None)
    time: int = 0
    settings: dict[str, str] = field(name="modifiedConfigs", default_factory=dict)


class ExecutionPlan(Struct):
    """A plan that Spark changed while it ran."""

    id: int = field(name="executionId", default=-1)
    plan: PlanNode | None = field(name="sparkPlanInfo", default=None)


class ExecutionEnd(Struct):
    id: int = field(name="executionId", default=-1)
    time: int = 0
    error: str | None = field(name="errorMessage", default=None)


class DriverAccumulators(Struct):
    id: int = field(name="executionId", default=-1)
    updates: list[tuple[int, int]] = field(name="accumUpdates", default_factory=list)

"""What an action returned or wrote, as the run records it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bigdebug.lineage.callsite import CallSite


@dataclass(frozen=True)
class Output:
    """One action of the user's program. Immutable; the recorder swaps in a new one as the action moves on.

    Attributes:
        run_id: the run it belongs to.
        number: from 1, in the order the actions began.
        action: the method as the user called it: `collect`, `show`, `write.parquet`, `sql INSERT`, …
        node: id of the dataflow node acted on, or None where that isn't known.
        call_site: where the action stands in the user's code.
        started: seconds since the epoch.
        status: `running`, `done` or `failed`.
        seconds: how long the action took; None while it runs.
        rows: how many rows it returned, where the driver knows.
        content_hash: order-free hash of the rows the driver got (hex), where it is known.
        target: path or table an action wrote to, as the user gave it.
        location: where the files of the table lie that an action wrote to, where its catalog tells.
        error: class and first line of the exception of a failed action.
        recipe: `pending`, `stored` or `unavailable`.
        recipe_problem: why there is no recipe.
        missing: how many records were left out since they crashed a function: the output is partial.
        repaired: how many records that crashed a function went on repaired.
    """

    run_id: str
    number: int
    action: str
    node: int | None
    call_site: CallSite | None
    started: float
    status: str = "running"
    seconds: float | None = None
    rows: int | None = None
    content_hash: str | None = None
    target: str | None = None
    error: str | None = None
    recipe: str = "pending"
    recipe_problem: str | None = None
    missing: int = 0
    repaired: int = 0
    location: str | None = None

    def updated(self, **changes: Any) -> "Output":
        return replace(self, **changes)


@dataclass(frozen=True)
class OutputRows:
    """Which rows an action is about, as Spark's analyzed plan: the input to a recipe or a live trace.

    Attributes:
        plan: the JVM `LogicalPlan` (analyzed) of the frame acted on.
        session: the JVM `SparkSession` (`spark._jsparkSession`) it belongs to.
        conf: a JVM `SQLConf` clone taken when the action began.
        limit: the action gave the first `limit` rows only (`take`, `show`, `head`, `first`).
        tail: the action gave the last `tail` rows only.
        frame: gives the frame whose own execution the action ran, as long as the program holds it.
    """

    plan: Any
    session: Any
    conf: Any
    limit: int | None = None
    tail: int | None = None
    frame: Callable[[], Any] | None = None

    @property
    def execution(self) -> Any | None:
        """The JVM `QueryExecution` that gave the rows; None where it was another one, or is gone."""
        frame = None if self.frame is None else self.frame()
        return None if frame is None else frame._jdf.queryExecution()

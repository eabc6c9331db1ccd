"""Keep a filter of ours above session windows, whose rows Spark would otherwise change.

Spark pushes a condition on the grouping key below an aggregate. For `session_window(…)` the key below is each
row's own window, not the session's: sessions fall apart. The user's own filters run as they ran; ours must not.
"""

from __future__ import annotations

from typing import Any

from pyspark.sql import functions as F

from bigdebug.lineage.annotate import SESSION_WINDOW
from bigdebug.lineage.catalyst import Catalyst, class_name, fresh_name
from bigdebug.lineage.operators import Operator


def holds_sessions(catalyst: Catalyst, root: Operator) -> bool:
    """Whether an aggregate of a dataflow groups by sessions."""
    return any(
        is_session_window(expression)
        for operator in root.walk()
        if operator.kind == "Aggregate"
        for expression in catalyst.items(operator.plan.groupingExpressions())
    )


def behind_barrier(catalyst: Catalyst, plan: Any) -> Any:
    """The plan with one more column, that nothing can be pushed past, and a filter that keeps it in use."""
    name = fresh_name("barrier")
    frame = catalyst.frame(plan).withColumn(name, F.monotonically_increasing_id())
    return catalyst.analyzed(frame.filter(F.col(name) >= 0))


def is_session_window(expression: Any) -> bool:
    """Whether a grouping expression is the window of `session_window(…)`."""
    if class_name(expression) != "AttributeReference":
        return False
    return bool(expression.metadata().contains(SESSION_WINDOW))

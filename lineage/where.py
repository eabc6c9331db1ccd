"""The user's predicate over output rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyspark.errors import AnalysisException, ParseException
from pyspark.logger import PySparkLogger
from pyspark.sql import Column

from bigdebug.lineage.annotate import Annotated
from bigdebug.lineage.barrier import behind_barrier, holds_sessions
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import BigDebugError, UnknownNameError
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.pushdown import unpushed
from bigdebug.lineage.segments import Narrow


def rows_where(catalyst: Catalyst, root: Operator, where: str | Column | None) -> Narrow:
    """What narrows an annotated output to the rows for which `where` holds; see `narrowed` for its errors."""

    def narrow(top: Annotated) -> Any:
        if where is None:
            return top.plan
        return narrowed(catalyst, root, where, top.plan, top.attributes)

    return narrow


def condition_of(catalyst: Catalyst, root: Operator, where: str | Column | None) -> Any | None:
    """`where` as a resolved condition over the root's output; None for all rows, or where it is no mere filter."""
    if where is None:
        return None
    plan = narrowed(catalyst, root, where, root.plan, [])
    return plan.condition() if plan.getClass().getSimpleName() == "Filter" else None


def narrowed(catalyst: Catalyst, root: Operator, where: str | Column, plan: Any, ids: list[Any]) -> Any:
    """The plan, annotated or not, of the root's rows for which `where` holds.

    Raises:
        UnknownNameError: `where` names a column that the output doesn't have.
        BigDebugError: `where` doesn't parse, or isn't a condition.
    """
    if not isinstance(where, str | Column):
        raise BigDebugError(
            f"where can't be {type(where).__name__}",
            hint='give a condition as SQL text, such as "total < 0", or as a Column',
        )
    columns = catalyst.output(root.plan)
    plan = catalyst.project([*columns, *ids], plan)
    if holds_sessions(catalyst, root):
        plan = behind_barrier(catalyst, plan)
    frame = catalyst.frame(plan)
    try:
        with _quiet():
            filtered = catalyst.analyzed(frame.filter(where))
    except ParseException as error:
        raise BigDebugError(
            f"where={str(where)!r} is not valid SQL: {first_line(error)}",
            hint='give a condition over the output\'s columns, such as "total < 0"',
        ) from None
    except AnalysisException as error:
        names = ", ".join(column.name() for column in columns)
        if (error.getCondition() or "").startswith("UNRESOLVED_COLUMN"):
            message = f"where={str(where)!r} names a column that the output doesn't have"
            raise UnknownNameError(message, hint=f"the columns are: {names}") from None
        raise BigDebugError(
            f"where={str(where)!r} can't be evaluated over the output: {first_line(error)}",
            hint=f"the columns are: {names}",
        ) from None
    if filtered.getClass().getSimpleName() != "Filter":
        return filtered
    return catalyst.filter(unpushed(catalyst, filtered.condition()), filtered.child())


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, for messages of ours."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """PySpark logs each failed analysis as a JSON line on standard error; ours is told in our own words."""
    # By PySpark's own hand: a plain logger of that name would make its next complaint a TypeError.
    loggers = [
        PySparkLogger.getLogger(name) for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger")
    ]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled

"""The user's predicate over output rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import Column

from bigdebug.lineage.annotated import Annotated
from bigdebug.lineage.barrier import behind_barrier, holds_sessions
from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.errors import BigDebugError, UnknownNameError
from bigdebug.lineage.failure import first_line
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.pushdown import unpushed
from bigdebug.lineage.segments import Narrow, local_relation
from bigdebug.lineage.unlogged import unlogged


@dataclass(frozen=True)
class Where:
    """Which rows of an output a question is about.

    Attributes:
        narrow: gives the plan of just these rows, of an annotated output.
        condition: the same as a resolved condition over the root's output; None for all rows.
        is_condition: whether that says all; otherwise `narrow` alone does.
    """

    narrow: Narrow
    condition: Any | None = None
    is_condition: bool = True


@dataclass(frozen=True)
class RowsOf:
    """Rows that a question of our own is about, not a user's.

    Attributes:
        where: tells which they are, of a dataflow.
    """

    where: Callable[[Catalyst, Operator], Where]


def rows_where(
    catalyst: Catalyst,
    root: Operator,
    where: str | Column | RowsOf | None,
    rows_of: str = "the output",
    called: str = "where",
) -> Where:
    """Resolve a user's predicate; see `_narrowed` for the errors.

    Args:
        rows_of: what the root is, for messages.
        called: the predicate's name, for messages.
    """
    if isinstance(where, RowsOf):
        return where.where(catalyst, root)
    if where is None:
        return Where(lambda top: top.plan)
    condition = _condition(catalyst, root, where, rows_of, called)
    if condition is None:
        return Where(
            lambda top: _narrowed(catalyst, root, where, top.plan, top.attributes, rows_of, called),
            is_condition=False,
        )

    def narrow(top: Annotated) -> Any:
        plan = catalyst.project_more(top.attributes, top.plan, root.plan)
        if holds_sessions(catalyst, root):
            plan = behind_barrier(catalyst, plan)
        return catalyst.filter(condition, plan)

    return Where(narrow, condition)


def _condition(
    catalyst: Catalyst, root: Operator, where: str | Column, rows_of: str, called: str
) -> Any | None:
    # Looked up in an empty relation of the same columns: nothing of ours is in sight of `*`, and a long plan
    # isn't analyzed once more.
    try:
        empty = local_relation(catalyst, root.plan.output(), catalyst.seq([]))
        plan = _narrowed(catalyst, root, where, empty, [], rows_of, called)
    except UnknownNameError:
        _narrowed(catalyst, root, where, root.plan, [], rows_of, called)
        return None  # it means a hidden column, such as `_metadata`
    return plan.condition() if class_name(plan) == "Filter" else None


def _narrowed(
    catalyst: Catalyst,
    root: Operator,
    where: str | Column,
    plan: Any,
    ids: list[Any],
    rows_of: str,
    called: str,
) -> Any:
    """The plan, annotated or not, of the root's rows for which `where` holds.

    Raises:
        UnknownNameError: `where` names a column that the output doesn't have.
        BigDebugError: `where` doesn't parse, or isn't a condition.
    """
    if not isinstance(where, str | Column):
        raise BigDebugError(
            f"{called} can't be {type(where).__name__}",
            hint='give a condition as SQL text, such as "total < 0", or as a Column',
        )
    if ids:
        plan = catalyst.project_more(ids, plan, root.plan)
        if holds_sessions(catalyst, root):
            plan = behind_barrier(catalyst, plan)
    frame = catalyst.frame(plan)
    try:
        with unlogged():
            filtered = catalyst.analyzed(frame.filter(where))
    except ParseException as error:
        raise BigDebugError(
            f"{called}={str(where)!r} is not valid SQL: {first_line(error)}",
            hint=f'give a condition over the columns of {rows_of}, such as "total < 0"',
        ) from None
    except AnalysisException as error:
        names = ", ".join(catalyst.names(root.plan))
        if (error.getCondition() or "").startswith("UNRESOLVED_COLUMN"):
            message = f"{called}={str(where)!r} names a column that {rows_of} doesn't have"
            raise UnknownNameError(message, hint=f"the columns are: {names}") from None
        raise BigDebugError(
            f"{called}={str(where)!r} can't be evaluated over {rows_of}: {first_line(error)}",
            hint=f"the columns are: {names}",
        ) from None
    if class_name(filtered) != "Filter":
        return filtered
    return catalyst.filter(unpushed(catalyst, filtered.condition()), filtered.child())

"""In-memory data that Spark holds in its plan, numbered by itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bigdebug.lineage.catalyst import Catalyst, class_name, fresh_name


def numbered_rows(catalyst: Catalyst, columns: Iterable[Any], relation: Any) -> Any:
    """The rows of a `LocalRelation` with their index as last column, again as one.

    Worked out at once: a query would number the rows of the user's cache, if there is one at that moment, and a
    cache splits them into partitions. The index among all of them is the same before, with and after a cache.

    Args:
        columns: what to keep of each row, as JVM expressions with a name.
        relation: the `LocalRelation`.
    """
    optimizer = catalyst.jvm.org.apache.spark.sql.catalyst.optimizer
    number = catalyst.alias(catalyst.expressions.MonotonicallyIncreasingID(), fresh_name("id"))
    plan = catalyst.project([*columns, number], relation)
    return catalyst.singleton(optimizer, "ConvertToLocalRelation").apply(plan)


def numbered_as_split(catalyst: Catalyst, relation: Any) -> Any:
    """A plan of a `LocalRelation`'s rows and their index, split as a query of the user's would find them now.

    Spark's optimizer works out at once what is asked of rows in memory, random numbers included. Out of the
    user's cache the same rows come in partitions, and each of these draws numbers of its own.
    """
    numbered = numbered_rows(catalyst, catalyst.output(relation), relation)
    found = catalyst.execution(relation).withCachedData()
    if class_name(found) != "InMemoryRelation":
        return numbered
    rows = catalyst.execution(numbered).toRdd()
    frame = catalyst.jsession.internalCreateDataFrame(rows, numbered.schema(), False)
    plan = frame.queryExecution().analyzed()
    columns = zip(catalyst.output(plan), catalyst.output(numbered), strict=True)
    return catalyst.project([catalyst.alias(new, old.name(), old.exprId()) for new, old in columns], plan)

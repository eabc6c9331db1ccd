"""Files read by Spark's second kind of sources (`spark.sql.sources.useV1SourceList`), as the first kind reads them.

A relation of the second kind tells of no file or position. It keeps the format of the first kind beside it, to fall
back on for what it can't do itself, and both parse records alike: so a question reads the very files that it listed
by that.
"""

from __future__ import annotations

from typing import Any

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.opened import with_leaves_opened

_KIND = "DataSourceV2Relation"
_PRINTED = "RelationV2["
_FILE_TABLE = "org.apache.spark.sql.execution.datasources.v2.FileTable"


def with_file_tables_opened(catalyst: Catalyst, plan: Any) -> Any:
    """A plan with relations of the first kind in place of those of files of the second."""
    # One call, where looking at each leaf would take many; not the whole plan's text, which grows by its depth, too.
    if not any(_PRINTED in str(each.collectLeaves().mkString()) for each in _with_subqueries(catalyst, plan)):
        return plan

    def stands(leaf: Any) -> bool:
        return catalyst.is_instance(leaf.table(), _FILE_TABLE)

    return with_leaves_opened(catalyst, plan, _KIND, stands, lambda leaf: as_first_kind(catalyst, leaf))


def _with_subqueries(catalyst: Catalyst, plan: Any) -> list[Any]:
    return [plan, *(catalyst.items(plan.subqueriesAll()) if catalyst.holds(plan, "PLAN_EXPRESSION") else ())]


def as_first_kind(catalyst: Catalyst, leaf: Any) -> Any | None:
    """A file relation of the second kind as one of the first; None where their columns aren't in one order.

    Args:
        leaf: a `DataSourceV2Relation` over a `FileTable`.
    """
    jvm, table = catalyst.jvm, leaf.table()
    datasources = jvm.org.apache.spark.sql.execution.datasources
    index = table.fileIndex()
    options = jvm.org.apache.spark.api.python.PythonUtils.toScalaMap(
        jvm.java.util.HashMap(leaf.options().asCaseSensitiveMap())
    )
    relation = datasources.HadoopFsRelation(
        index,
        index.partitionSchema(),
        table.dataSchema(),
        catalyst.none,
        table.fallbackFileFormat().getConstructors()[0].newInstance(None),
        options,
        catalyst.jsession,
    )
    plan = catalyst.singleton(datasources, "LogicalRelation").apply(relation, False)
    output = leaf.output()
    if catalyst.names(plan) != [str(column.name()) for column in catalyst.items(output)]:
        return None
    plan = catalyst.copy(plan, output=output)
    own = leaf.getTagValue(catalyst.tag)
    if own.isDefined():
        plan.setTagValue(catalyst.tag, own.get())
    return plan

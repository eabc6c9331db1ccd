"""The sources of a dataflow: which leaves hold records, and what people call them."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence
from typing import Any

from bigdebug.lineage.batches import batch_of
from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.checkpoints import is_kept
from bigdebug.lineage.errors import BigDebugError, SourceChangedError
from bigdebug.lineage.finding import numbered
from bigdebug.lineage.identity import (
    HIVE_TABLE,
    JDBC_RELATION,
    MEMORY_KINDS,
    SourceLeaf,
    is_source,
    leaf_kind,
)
from bigdebug.lineage.listing import IS_GONE, differences, files_now, listed_files
from bigdebug.lineage.location import plain_path
from bigdebug.lineage.opened import tag_named
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.passed_over import MISSING, may_have_been_read, passes_over
from bigdebug.lineage.row_identity import HADOOP_RELATION, identity_of

TABLE_TAG = "bigdebug.table"
"""Under this a leaf that was made again of a recipe carries the name that its table had in the run's catalog."""

_TRIED = frozenset({"parquet", "orc", "csv", "json", "text", "xml", "binaryfile"})

# schema.table, each perhaps quoted as some database does
_TABLE = re.compile(
    r"""(?:[\w$#-]+|"[^".]+"|`[^`.]+`|\[[^\].]+\])(?:\.(?:[\w$#-]+|"[^".]+"|`[^`.]+`|\[[^\].]+\]))*"""
)


def sources_of(
    catalyst: Catalyst, root: Operator, names: Sequence[str] | None = None
) -> dict[Operator, SourceLeaf]:
    """Every leaf of a dataflow that holds records, in the plan's order.

    Args:
        names: the names recorded with a recipe, one a leaf, where the plan no longer tells them.
    """
    leaves = [leaf for leaf in root.walk_all() if is_source(leaf)]
    if names is None:
        names = names_of(catalyst, root)
    found = {}
    for leaf, name in zip(leaves, names, strict=True):
        places = identity_of(catalyst, leaf.plan)
        source = SourceLeaf(leaf, name, leaf_kind(catalyst, leaf, places), leaf.call_site)
        source.columns = catalyst.names(leaf.plan)
        source.places = places
        source.in_files = is_file_relation(catalyst, leaf.plan)
        source.table = catalog_table(catalyst, leaf.plan)
        batch = batch_of(catalyst, leaf.plan)
        if batch is not None:
            if batch.over:
                raise BigDebugError(
                    f"{batch} of the streaming query can't be computed any more: {batch.reason}",
                    hint="trace within the function that the query calls, while the batch is at hand",
                )
            source.notes.append(f"{name}: the trace ends at {batch}, for {batch.reason}")
        if batch is None and is_kept(catalyst, leaf.plan):
            source.notes.append(
                f"{name}: the trace ends at a checkpoint, for what it was made of has changed since"
            )
        reader = leaf.node.operator if leaf.node else ""
        if leaf.kind in MEMORY_KINDS and reader.startswith("read."):
            source.end_here(f"the rows that {reader} made of an RDD's elements")
        if source.in_files and source.kind not in _TRIED:
            source.notes.append(f"{name}: reading records of {source.kind} files has not been tried yet")
        if source.places is not None and not source.places.tried:
            source.notes.append(f"{name}: reading records of {source.kind} tables has not been tried yet")
        if not source.has_positions:
            source.notes.append(f"{name}: records of this kind of source have no file or position")
        found[leaf] = source
    return found


def names_of(catalyst: Catalyst, root: Operator) -> list[str]:
    """The names alone of the sources of a dataflow, in the plan's order."""
    return numbered([source_name(catalyst, leaf) for leaf in root.walk_all() if is_source(leaf)])


def require_unchanged(
    catalyst: Catalyst, sources: Iterable[SourceLeaf], files: Container[str] | None = None
) -> None:
    """Make sure that the files of a live plan are as its plan listed them: what was appended would leak in.

    Args:
        files: look at these alone, named as locations name them.

    Raises:
        SourceChangedError: a file changed, or is gone that the reader wasn't told to pass over.
    """
    for source in sources:
        if source.in_files:
            relation = source.operator.plan.relation()
            if source.listed is None:
                source.listed = listed_files(catalyst, relation)
            then = [entry for entry in source.listed if files is None or plain_path(entry[0]) in files]
            changes = differences(then, files_now(catalyst, [path for path, _, _ in then]))
            gone = [change for change in changes if change.endswith(IS_GONE)]
            if gone and passes_over(catalyst, catalyst.entries(relation.options()), MISSING):
                changes = [change for change in changes if change not in gone]
                told = [may_have_been_read(change, "the program read it") for change in gone]
                source.doubts += [each for each in told if each not in source.doubts]
            if changes:
                raise SourceChangedError(
                    f"{changes[0]} since the program read it",
                    hint="read it again (spark.read…) and trace what is made of that",
                )


def is_file_relation(catalyst: Catalyst, plan: Any) -> bool:
    return class_name(plan) == "LogicalRelation" and catalyst.is_instance(plan.relation(), HADOOP_RELATION)


def catalog_table(catalyst: Catalyst, plan: Any) -> str | None:
    """The catalog's name of the table that a leaf reads, with its database; None where it reads none."""
    if class_name(plan) == HIVE_TABLE:
        return str(plan.tableMeta().identifier().unquotedString())
    if class_name(plan) == "LogicalRelation" and plan.catalogTable().isDefined():
        return str(plan.catalogTable().get().identifier().unquotedString())
    recorded = plan.getTagValue(tag_named(catalyst.jvm, TABLE_TAG))
    return str(recorded.get()) if recorded.isDefined() else None


def source_name(catalyst: Catalyst, leaf: Operator) -> str:
    """Catalog table, else temporary view, else last part of the path as written, else the call site."""
    if leaf.kind == "LogicalRelation" and leaf.plan.catalogTable().isDefined():
        return str(leaf.plan.catalogTable().get().identifier().table())
    if leaf.kind == HIVE_TABLE:
        return str(leaf.plan.tableMeta().identifier().table())
    if leaf.view or leaf.table:
        return str(leaf.view or leaf.table)
    if is_file_relation(catalyst, leaf.plan):
        written = leaf.node.paths[0] if leaf.node and leaf.node.paths else None
        option = leaf.plan.relation().options().get("path")
        if written is None and option.isDefined():
            written = option.get()
        if written is None:
            written = leaf.plan.relation().location().rootPaths().apply(0).toString()
        return last_part(written)
    if leaf.kind == "LogicalRelation" and catalyst.is_instance(leaf.plan.relation(), JDBC_RELATION):
        table = table_name(leaf.plan.relation())
        if table is not None:
            return table
    if leaf.call_site is not None:
        return leaf.call_site.label
    return leaf.kind


def table_name(relation: Any) -> str | None:
    """The table that a `JDBCRelation` reads, without its schema; None where it is a query."""
    text = str(relation.jdbcOptions().tableOrQuery()).strip()
    if _TABLE.fullmatch(text) is None:
        return None
    return text.rsplit(".", 1)[-1].strip('"`[]')


def last_part(path: str) -> str:
    return plain_path(path).rstrip("/").rsplit("/", 1)[-1] or path

"""Sources that read the same records: a record is one record, wherever a program reads it.

A table that is joined with itself stands in the plan twice. A record that is taken away is gone from both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from bigdebug.lineage.catalyst import Catalyst, class_name, fresh_name
from bigdebug.lineage.identity import SourceLeaf, annotate_leaf
from bigdebug.lineage.listing import listed_files

Key = tuple[Any, ...]

_TOLD_BY_THE_SCHEMA = frozenset({"bigdebug", "inferschema", "samplingratio", "path", "mergeschema"})
"""Options by which a reader doesn't tell records apart otherwise."""


def first_readers(catalyst: Catalyst, sources: Iterable[SourceLeaf]) -> dict[SourceLeaf, SourceLeaf]:
    """Of each source the first one that reads the same records, whose ids are the same; itself, for most."""
    leaves = list(sources)
    if len(leaves) < 2:
        return {leaf: leaf for leaf in leaves}
    first: dict[Key, SourceLeaf] = {}
    found = {}
    for leaf in leaves:
        key = _key(catalyst, leaf)
        found[leaf] = leaf if key is None else first.setdefault(key, leaf)
        if found[leaf] is not leaf and not leaf.has_positions:
            _read_once(catalyst, found[leaf], leaf)
    return found


def read_otherwise(catalyst: Catalyst, readers: Mapping[SourceLeaf, SourceLeaf]) -> list[str]:
    """What a person must know of sources whose files others read, too, in other ways."""
    firsts = [leaf for leaf, first in readers.items() if leaf is first and leaf.in_files]
    if len(firsts) < 2:
        return []
    told = []
    seen: dict[str, SourceLeaf] = {}
    for leaf in firsts:
        files = [path for path, _, _ in _listed(catalyst, leaf)]
        other = next((seen[path] for path in files if path in seen), None)
        if other is not None:
            told.append(
                f"{other.name} and {leaf.name} read the same files in different ways: a record that is taken away "
                "from one stays in the other"
            )
        seen |= dict.fromkeys(files, leaf)
    return told


def compared(leaf: SourceLeaf, identity: Column) -> list[Column]:
    """What of a source's id is compared, so that it needn't pass through Python."""
    if leaf.identified_by_file:
        return [F.xxhash64(identity["file"]), identity["position"]]
    return [identity]


def _key(catalyst: Catalyst, leaf: SourceLeaf) -> Key | None:
    """Equal for sources whose ids name the same records; None where that can't be told."""
    plan = leaf.operator.plan
    if leaf.in_files:
        files = tuple(path for path, _, _ in _listed(catalyst, leaf))
        if leaf.identified_by_file:
            return leaf.kind, files
        options = catalyst.entries(plan.relation().options())
        kept = {(name.lower(), value) for name, value in options.items()}
        kept = {each for each in kept if each[0] not in _TOLD_BY_THE_SCHEMA}
        # Where it hangs on the columns that are read which records there are, these are pinned.
        pinned = None if leaf.pinned is None else tuple(str(column.name()) for column in leaf.pinned)
        return leaf.kind, files, frozenset(kept), pinned
    if class_name(plan) == "LogicalRDD":
        return "rdd", int(plan.rdd().id())
    # What one call of the program's made, be it rows in memory or a table in a database.
    tag = plan.getTagValue(catalyst.tag)
    return ("made", str(tag.get())) if tag.isDefined() else None


def _listed(catalyst: Catalyst, leaf: SourceLeaf) -> list[list[Any]]:
    if leaf.listed is None:
        leaf.listed = listed_files(catalyst, leaf.operator.plan.relation())
    return leaf.listed


def _read_once(catalyst: Catalyst, first: SourceLeaf, leaf: SourceLeaf) -> None:
    """Have a source without places share the rows, and so the ids, that the first one was read with."""
    read = annotate_leaf(catalyst, first, valued=False)
    leaf.once = reading_as(catalyst, read.plan, leaf, [catalyst.alias(read.id, fresh_name("id"))])


def reads_alike(catalyst: Catalyst, first: SourceLeaf, leaf: SourceLeaf) -> bool:
    """Whether two sources give their records with the same columns."""
    schemas = [each.operator.plan.schema().json() for each in (first, leaf)]
    return bool(schemas[0] == schemas[1])


def reading_as(catalyst: Catalyst, plan: Any, leaf: SourceLeaf, more: Iterable[Any] = ()) -> Any:
    """Rows that begin with the columns of another source that reads alike, as a source's own.

    Args:
        plan: JVM plan of the rows.
        leaf: the source.
        more: named expressions that stand behind its columns.
    """
    columns = catalyst.named_as(catalyst.output(plan), catalyst.output(leaf.operator.plan))
    return catalyst.project([*columns, *more], plan)

"""Record ids: an id column for every kind of source.

Parquet has a row number in the file, which keeps pushdown. The other file formats get Spark's
`monotonically_increasing_id`, which is (partition, ordinal in the partition) and means something only
together with the layout of the very scan that made it: `layout.py` turns it into file and position.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.errors import UnsupportedOperatorError
from bigdebug.lineage.lateral import DOMAIN
from bigdebug.lineage.listing import Fingerprint
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.row_identity import HADOOP_RELATION, RowIdentity

if TYPE_CHECKING:
    from bigdebug.lineage.packed_ids import Packing

JDBC_RELATION = "org.apache.spark.sql.execution.datasources.jdbc.JDBCRelation"
MEMORY_KINDS = frozenset({"LocalRelation", "LogicalRDD"})
HIVE_TABLE = "HiveTableRelation"
"""Kind of the leaves that Hive's own readers read: of its tables in formats that Spark has no reader for."""


@dataclass(eq=False)
class SourceLeaf:
    """A leaf of the dataflow that holds records.

    Attributes:
        operator: the leaf in the plan's mirror.
        name: as the contract names sources; unique within one plan.
        kind: `parquet`, `csv`, …, `memory`, `range` or another data source's name.
        call_site: where the user reads or makes it.
        columns: the columns of a record that its value shows.
        notes: what a person must know about its records.
        pinned: JVM attributes that every scan has to read, or None.
        in_files: its records stand in files.
        table: the catalog's name of a table, with its database; None of other sources.
        doubts: why its records may not be just those that the run read.
        listed: of its files `[path, size, modification time]`, as its plan listed them; None till asked for.
        places: tells its records apart by file and row number; None if they have to be counted.
        once: where records have no place, the JVM plan of its rows and ids as they were read first; None till then.
        make_once: makes `once`, where its rows come in another order each time.
        unfollowed: why a trace doesn't go on to the RDD that it was made of, where it doesn't.
    """

    operator: Operator
    name: str
    kind: str
    call_site: CallSite | None
    columns: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    pinned: list[Any] | None = None
    in_files: bool = False
    table: str | None = None
    doubts: list[str] = field(default_factory=list)
    listed: Fingerprint | None = None
    places: RowIdentity | None = None
    once: Any | None = None
    make_once: Callable[[], Any] | None = None
    unfollowed: str | None = None

    def end_here(self, why: str) -> None:
        """Note that a trace doesn't go on to the RDD that it was made of."""
        self.unfollowed = f"{self.name}: the trace ends at {why}"
        self.notes.append(self.unfollowed)

    @property
    def identified_by_file(self) -> bool:
        """Its ids are (file, row number) already."""
        return self.places is not None

    @property
    def has_positions(self) -> bool:
        """Its records have a place that stays the same."""
        return self.in_files or self.places is not None or self.kind in ("memory", "range")

    def moved_to(self, leaf: Operator) -> SourceLeaf:
        """The same source, some of whose records stand in another leaf with the ids that they had."""
        return replace(
            self, operator=leaf, pinned=None, in_files=False, listed=None, once=None, make_once=None
        )

    @property
    def is_fixed(self) -> bool:
        """Whether it can be told that it still holds what it held."""
        return self.in_files or self.kind in ("memory", "range")


@dataclass(frozen=True)
class AnnotatedLeaf:
    """A leaf with its id column, and its value column where that was asked for: JVM plan and attributes."""

    plan: Any
    id: Any
    value: Any | None = None


def is_source(operator: Operator) -> bool:
    return not operator.children and operator.kind not in ("OneRowRelation", "UnionLoopRef", DOMAIN)


def leaf_kind(catalyst: Catalyst, operator: Operator, places: RowIdentity | None = None) -> str:
    """The kind of a source, as the contract spells it; refuses leaves that aren't understood.

    Args:
        places: tells the source's records apart, if anything does.
    """
    if places is not None:
        return places.kind
    if operator.kind in MEMORY_KINDS:
        return "memory"
    if operator.kind == "Range":
        return "range"
    if operator.kind == "LogicalRelation":
        relation = operator.plan.relation()
        if catalyst.is_instance(relation, JDBC_RELATION):
            return "jdbc"
        if not catalyst.is_instance(relation, HADOOP_RELATION):
            return str(relation.getClass().getSimpleName())
        format = relation.fileFormat()
        text = str(format.toString())
        # One that doesn't name itself is told by the name that readers know it by.
        if "@" in text and hasattr(format, "shortName"):
            text = str(format.shortName())
        return text.lower().removesuffix("fileformat")
    if operator.kind == "DataSourceV2Relation":
        return str(operator.plan.table().name())
    if operator.kind == HIVE_TABLE:
        return "hive"
    raise UnsupportedOperatorError(
        f"{operator.described()} is a source that can't be traced yet",
        hint="trace a DataFrame above it, or write that data to a file and read it from there",
    )


def annotate_leaf(
    catalyst: Catalyst, leaf: SourceLeaf, *, valued: bool, packing: Packing | None = None
) -> AnnotatedLeaf:
    """The leaf's plan with an id column appended; every row of it stays, in its partition.

    Args:
        valued: append the record itself as a struct, too.
        packing: makes one number of an id; None leaves it as it is.
    """
    plan = own = leaf.operator.plan
    if leaf.once is None and leaf.make_once is not None:
        leaf.once = leaf.make_once()
    if leaf.operator.stored is not None:
        identified = leaf.operator.stored
        identity = identified.output().last()
    elif leaf.once is not None:
        identified = leaf.once
        identity = identified.output().last()
    else:
        if leaf.places is not None:
            plan, file, position = leaf.places.place(catalyst, plan)
            position = _reading_pinned(catalyst, leaf, position)
            if packing is not None:
                number = packing.packed(catalyst, file, position)
            else:
                number = catalyst.struct([("file", file), ("position", position)])
        else:
            number = _number(catalyst, leaf)
        alias = catalyst.alias(number, fresh_name("id"))
        identified = catalyst.project_more([alias], plan, own)
        identity = alias.toAttribute()
        if not leaf.has_positions:
            # A database may give its rows in another order, or others, the next time; all questions of a trace
            # see those that it gave the first time. Spark keeps them in memory and on disk as it comes by.
            identified = catalyst.analyzed(catalyst.frame(identified).localCheckpoint(eager=False))
            leaf.once = identified
    if not valued:
        return AnnotatedLeaf(identified, identity)
    shown = leaf.pinned if leaf.pinned is not None else catalyst.output(own)
    value = catalyst.alias(catalyst.struct((column.name(), column) for column in shown), fresh_name("value"))
    plan = catalyst.project_more([identity, value], identified, own)
    return AnnotatedLeaf(plan, identity, value.toAttribute())


def _number(catalyst: Catalyst, leaf: SourceLeaf) -> Any:
    if leaf.kind == "range":
        return leaf.operator.plan.output().head()
    return _reading_pinned(catalyst, leaf, catalyst.expressions.MonotonicallyIncreasingID())


def _reading_pinned(catalyst: Catalyst, leaf: SourceLeaf, number: Any) -> Any:
    """A record's number, for which the columns have to be read that every scan has to."""
    if leaf.pinned:
        # Which rows a CSV scan drops as malformed depends on the columns it reads, so these are read always.
        # The optimizer folds `hash(…) IS NULL` away, but not this; not every type has a hash of its own.
        zero = catalyst.literal(0)
        nulls = [catalyst.expressions.IsNull(column) for column in leaf.pinned]
        hashed = catalyst.expressions.Murmur3Hash(catalyst.seq(nulls))
        nothing = catalyst.expressions.BitwiseAnd(hashed, zero)
        number = catalyst.expressions.Add(number, catalyst.as_long(nothing))
    return number

"""Where the records that failing rows may come from are gathered: kept by Spark, numbered, ready to be replayed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bigdebug.isolation.candidate_set import Share
from bigdebug.isolation.keyed import Keyed
from bigdebug.isolation.same_records import compared, reading_as, reads_alike
from bigdebug.lineage.annotated import Annotated, Boundary, IdColumn
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.identity import SourceLeaf, annotate_leaf
from bigdebug.lineage.location import ORDINAL_MASK, PARTITION_SHIFT
from bigdebug.lineage.mapped import is_mapped
from bigdebug.lineage.operators import ONE_BY_ONE, Operator
from bigdebug.lineage.segments import (
    FETCHED,
    FETCHED_VALUES,
    RowSet,
    fetch,
    local_relation,
    matching_ids,
    matching_keys,
)

_FETCHED = FETCHED_VALUES
"""Records of a source that are held in Spark's plan; more are persisted."""

Match = Callable[[Column], list[Column]]
"""Gives what of a record id is compared."""


@dataclass(frozen=True)
class Stand(Share):
    """The candidates of one source, kept with their columns.

    Attributes:
        plan: JVM plan of the source's own columns, the record id and the candidate's number.
        id, number: JVM attributes of the last two.
        again: another source reads the same records, whose candidates these are already.
    """

    plan: Any
    id: Any
    number: Any
    again: bool = False


@dataclass(frozen=True)
class Point:
    """Where replays begin: the last operator above a source that takes its rows one by one.

    What it gives of each candidate is the same in every subset, so it is worked out once.

    Attributes:
        stand: the candidates.
        operator: the operator.
        plan: JVM plan of its columns, the record id and the candidate's number.
        id, number: JVM attributes of the last two.
        count: how many rows it gives.
    """

    stand: Stand
    operator: Operator
    plan: Any
    id: Any
    number: Any
    count: int


class Gathering:
    """Gathers candidates.

    Args:
        catalyst: of the pinned session.

    Attributes:
        persisted: what Spark keeps of them.
    """

    def __init__(self, catalyst: Catalyst) -> None:
        self._catalyst = catalyst
        self.persisted: list[DataFrame] = []

    def by_id(self, leaf: SourceLeaf, rows: RowSet | None, first: int) -> Stand:
        """The records of a source with some ids; all of them where none are given.

        Args:
            leaf: the source.
            rows: whose first column has the ids.
            first: the first one's number.
        """
        catalyst = self._catalyst
        if rows is not None and rows.fetched and rows.count <= _FETCHED and leaf.pinned is None:
            with_them = self._with_values(leaf, rows, first)
            if with_them is not None:
                return with_them
        annotated = annotate_leaf(catalyst, leaf, valued=False)
        plan = annotated.plan
        if rows is not None:
            identity = catalyst.output(rows.plan)[:1]
            ids = IdColumn(leaf, annotated.id)
            plan = matching_ids(catalyst, rows.columns(identity))(Annotated(plan, (ids,)))
        columns = [*catalyst.output(leaf.operator.plan), annotated.id]
        plan, count = self._numbered(plan, columns, first, few=rows is None or rows.count <= _FETCHED)
        *_, number = catalyst.output(plan)
        return Stand(leaf, first, count, plan, annotated.id, number)

    def together(self, parts: Sequence[RowSet]) -> RowSet:
        """The ids that sources which read the same records have on a trace, each once."""
        if len(parts) == 1:
            return parts[0]
        catalyst = self._catalyst
        frames = [rows.columns(catalyst.output(rows.plan)[:1]).frame() for rows in parts]
        plan = catalyst.analyzed(reduce(DataFrame.unionAll, frames).distinct())
        found = fetch(catalyst, plan, catalyst.output(plan), valued=False)
        assert found is not None
        rows, persisted = found
        if persisted is not None:
            self.persisted.append(persisted)
        return rows

    def by_number(
        self,
        leaf: SourceLeaf,
        wanted: DataFrame,
        match: Match,
        first: int,
        count: int,
        *,
        some: int | None = None,
    ) -> Stand:
        """The records of a source that are numbered already.

        Args:
            leaf: the source.
            wanted: their numbers, behind the columns that tell them apart.
            match: gives these columns of the id.
            first: the first one's number.
            count: how many there are.
            some: how many of them are wanted, where that isn't all.
        """
        catalyst = self._catalyst
        many = count if some is None else some
        annotated = annotate_leaf(catalyst, leaf, valued=False)
        own = [*catalyst.output(leaf.operator.plan), annotated.id]
        frame = catalyst.frame(catalyst.project(own, annotated.plan))
        *columns, number = wanted.columns
        if many <= FETCHED:
            wanted = F.broadcast(wanted)
        mine = match(F.col(str(annotated.id.name())))
        same = reduce(Column.__and__, (a == F.col(b) for a, b in zip(mine, columns, strict=True)))
        plan = catalyst.analyzed(frame.join(wanted, same))
        own.append(next(each for each in catalyst.output(plan) if each.name() == number))
        found = fetch(catalyst, plan, own, valued=True) if many <= _FETCHED else None
        if found is not None:
            return Stand(leaf, first, count, found[0].plan, annotated.id, own[-1])
        kept = catalyst.frame(catalyst.project(own, plan)).persist()
        self.persisted.append(kept)
        return Stand(leaf, first, count, catalyst.analyzed(kept), annotated.id, own[-1])

    def again(self, leaf: SourceLeaf, stand: Stand) -> Stand:
        """The candidates of a source, as another that reads the same records gives them: under the same numbers."""
        catalyst = self._catalyst
        if not reads_alike(catalyst, stand.leaf, leaf):
            numbers = catalyst.frame(catalyst.project([stand.id, stand.number], stand.plan))
            identity, number = numbers.columns
            parts = compared(stand.leaf, F.col(identity))
            names = [fresh_name("id") for _ in parts]
            wanted = numbers.select(
                *(part.alias(name) for part, name in zip(parts, names, strict=True)),
                F.col(number).alias(fresh_name("number")),
            )
            found = self.by_number(leaf, wanted, partial(compared, leaf), stand.first, stand.count)
            return replace(found, again=True)
        # Both may meet in a join, so that their ids and numbers need names of their own.
        more = [
            catalyst.alias(each, fresh_name(name))
            for name, each in (("id", stand.id), ("number", stand.number))
        ]
        own = catalyst.project(
            [*catalyst.output(stand.leaf.operator.plan), stand.id, stand.number], stand.plan
        )
        plan = reading_as(catalyst, own, leaf, more)
        identity, number = (each.toAttribute() for each in more)
        return Stand(leaf, stand.first, stand.count, plan, identity, number, again=True)

    def by_key(self, keyed: Keyed, leaf: SourceLeaf, boundary: Boundary, keys: RowSet) -> Point | None:
        """The records of a source that stand in some groups, and what the aggregate takes of them, in one pass.

        Args:
            keyed: the dataflow.
            leaf: its source.
            boundary: at its aggregate.
            keys: of the groups, one struct column.

        None where records give many rows each, and there are many.
        """
        catalyst = self._catalyst
        annotated = annotate_leaf(catalyst, leaf, valued=False)
        own = [*catalyst.output(leaf.operator.plan), annotated.id]
        plan = carried_up(catalyst, annotated.plan, keyed.below, own)
        top = keyed.below[0] if keyed.below else leaf.operator
        mine = {catalyst.attribute_key(column): column for column in own}
        above = {catalyst.attribute_key(column): column for column in catalyst.output(top.plan)}
        used = set(above)
        if keyed.lowest.kind == "Aggregate":
            referred = catalyst.items(keyed.lowest.plan.references().toSeq())
            used = {catalyst.attribute_key(each) for each in referred}
        kept = {key: column for key, column in above.items() if key in used or key in mine}
        columns = list({**kept, **mine}.values())
        wanted = Annotated(plan, tuple(IdColumn(leaf, column) for column in columns))
        narrowed = local_relation(catalyst, plan.output(), catalyst.seq([]))
        if keys.count:
            narrowed = matching_keys(catalyst, replace(boundary, grouping=keyed.grouping), keys)(wanted)
        if any(operator.kind == "Generate" for operator in keyed.below):
            # A record may be there more than once.
            found = fetch(catalyst, narrowed, own, valued=False)
            assert found is not None
            rows, persisted = found
            if persisted is not None:
                persisted.unpersist()
                return None
            once = rows.distinct(own)
            plan = self._fetched(once, 0)
            stand = Stand(leaf, 0, once.count, plan, annotated.id, catalyst.output(plan)[-1])
            return self._point(stand, keyed.below)
        plan, count = self._kept(narrowed, columns, 0)
        *_, number = catalyst.output(plan)
        stand = Stand(leaf, 0, count, catalyst.project([*own, number], plan), annotated.id, number)
        given = []
        for key, column in above.items():
            # What the aggregate doesn't look at isn't kept.
            nothing = catalyst.alias(catalyst.null(column.dataType()), str(column.name()), column.exprId())
            given.append(column if key in kept else nothing)
        at = catalyst.project([*given, annotated.id, number], plan)
        return Point(stand, top, at, annotated.id, number, count)

    def point(self, stand: Stand, above: Mapping[Operator, Operator]) -> Point:
        """Where replays of a source's candidates begin.

        Args:
            stand: the candidates.
            above: by operator the one above it, where that does the same with a row in every subset.
        """
        top = stand.leaf.operator
        chain: list[Operator] = []
        while top in above and above[top].kind in ONE_BY_ONE and not is_mapped(above[top]):
            top = above[top]
            chain.insert(0, top)
        return self._point(stand, chain)

    # -- inside -------------------------------------------------------------------------------------

    def _with_values(self, leaf: SourceLeaf, rows: RowSet, first: int) -> Stand | None:
        """Of records that came with their ids; None where ids came alone."""
        catalyst = self._catalyst
        identity, *values = catalyst.output(rows.plan)
        if len(values) != 1:
            return None
        own = [
            catalyst.alias(catalyst.field(values[0], i), str(column.name()), column.exprId())
            for i, column in enumerate(catalyst.output(leaf.operator.plan))
        ]
        plan = self._fetched(rows.columns([*own, identity]), first)
        return Stand(leaf, first, rows.count, plan, identity, catalyst.output(plan)[-1])

    def _point(self, stand: Stand, chain: Sequence[Operator]) -> Point:
        """At the first of a chain of operators above a source."""
        catalyst = self._catalyst
        top = chain[0] if chain else stand.leaf.operator
        if not chain:
            return Point(stand, top, stand.plan, stand.id, stand.number, stand.count)
        carried = [stand.id, stand.number]
        plan = carried_up(catalyst, stand.plan, chain, carried)
        columns = [*catalyst.output(top.plan), *carried]
        found = fetch(catalyst, plan, columns, valued=True) if stand.count <= _FETCHED else None
        if found is not None:
            return Point(stand, top, found[0].plan, stand.id, stand.number, found[0].count)
        frame = catalyst.frame(catalyst.project(columns, plan)).persist()
        self.persisted.append(frame)
        plan = self._read_again(frame, columns)
        return Point(stand, top, plan, stand.id, stand.number, frame.count())

    def _numbered(self, plan: Any, columns: list[Any], first: int, *, few: bool) -> tuple[Any, int]:
        """The rows of a plan, kept, and their numbers behind the columns; and how many there are.

        Args:
            few: there are few enough to be fetched.
        """
        found = fetch(self._catalyst, plan, columns, valued=True) if few else None
        if found is None:
            return self._kept(plan, columns, first)
        return self._fetched(found[0], first), found[0].count

    def _fetched(self, rows: RowSet, first: int) -> Any:
        catalyst = self._catalyst
        start = catalyst.as_long(catalyst.literal(first))
        number = catalyst.expressions.Add(catalyst.expressions.MonotonicallyIncreasingID(), start)
        named = catalyst.alias(number, fresh_name("number"))
        optimizer = catalyst.jvm.org.apache.spark.sql.catalyst.optimizer
        return catalyst.singleton(optimizer, "ConvertToLocalRelation").apply(
            catalyst.project_more([named], rows.plan)
        )

    def _kept(self, plan: Any, columns: list[Any], first: int) -> tuple[Any, int]:
        """Persisted by Spark, numbered partition by partition; fetched after all where they are few."""
        catalyst = self._catalyst
        place = catalyst.alias(catalyst.expressions.MonotonicallyIncreasingID(), fresh_name("place"))
        frame = catalyst.frame(catalyst.project([*columns, place], plan)).persist()
        self.persisted.append(frame)
        column = F.col(str(place.name()))
        partition = F.shiftright(column, PARTITION_SHIFT)
        sizes = frame.groupBy(partition.alias("partition")).count().collect()
        starts, total = {}, first
        for row in sorted(sizes, key=lambda row: row.partition):
            starts[row.partition] = total
            total += row["count"]
        kept = self._read_again(frame, [*columns, place])
        if total - first <= _FETCHED:
            found = fetch(catalyst, kept, catalyst.output(kept)[: len(columns)], valued=True)
            assert found is not None
            self.persisted.remove(frame)
            frame.unpersist()
            return self._fetched(found[0], first), total - first
        start = F.create_map(*(F.lit(part) for pair in starts.items() for part in pair))[partition]
        number = (start + column.bitwiseAND(F.lit(ORDINAL_MASK))).cast("long").alias(fresh_name("number"))
        numbered = catalyst.analyzed(catalyst.frame(kept).select("*", number))
        given = catalyst.output(numbered)
        return catalyst.project([*given[: len(columns)], given[-1]], numbered), total - first

    def _read_again(self, frame: DataFrame, columns: Sequence[Any]) -> Any:
        """The plan of rows that Spark keeps, whose columns have the ids of others.

        Of what is below Spark would take operators for copies of those that a trace found the records by, and give
        their columns new ids.
        """
        catalyst = self._catalyst
        kept = frame._jdf.queryExecution().withCachedData()
        return catalyst.project(catalyst.named_as(catalyst.output(kept), columns), kept)


def carried_up(catalyst: Catalyst, plan: Any, chain: Sequence[Operator], columns: Sequence[Any]) -> Any:
    """A plan's rows through operators that take them one by one, and some of its columns with them.

    Args:
        plan: below the last of the operators.
        chain: the operators, the uppermost first.
        columns: that go with the rows; those that are there anyway go once.
    """
    for operator in reversed(chain):
        if operator.kind == "Project":
            there = {catalyst.attribute_key(each) for each in catalyst.output(operator.plan)}
            more = [each for each in columns if catalyst.attribute_key(each) not in there]
            plan = catalyst.logical.Project(catalyst.extended(operator.plan.projectList(), more), plan)
        elif operator.kind != "ResolvedHint":
            plan = operator.plan.withNewChildren(catalyst.seq([plan]))
    return plan

"""Instrument a dataflow: give every source an id column and carry the ids up to the next boundary.

Annotating never changes how many rows an operator gives. Within a segment (between two boundaries) a row
keeps the ids of the source records, or the keys of the boundary rows, that it came from. The rules are
those of why-provenance for positive relational algebra, with aggregates as boundaries keyed by their
grouping expressions (Ikeda and Widom, "RAMP", CIDR 2011; Interlandi et al., "Titian", VLDB 2016).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bigdebug.lineage.annotated import Annotated, Boundary, IdColumn
from bigdebug.lineage.beside import Beside
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.comparable import comparables, is_comparable
from bigdebug.lineage.errors import UnsupportedOperatorError
from bigdebug.lineage.grouped_functions import GROUPED_FUNCTIONS, carried_past, grouping_of
from bigdebug.lineage.identity import SourceLeaf, annotate_leaf
from bigdebug.lineage.influence import lookup_of
from bigdebug.lineage.keys import hashed_key
from bigdebug.lineage.lateral import DOMAIN
from bigdebug.lineage.mapped import (
    MAPPED,
    KeptInput,
    is_mapped,
    keep_input,
    on_kept_input,
    partition_number,
)
from bigdebug.lineage.operators import NEAREST, RECURSION, Operator, is_distinct, is_one_sided
from bigdebug.lineage.packed_ids import Packing

SESSION_WINDOW = "spark.sessionWindow"
_NESTED_IN_SUBQUERIES = "spark.sql.optimizer.pullOutNestedDataOuterRefExpressions.enabled"

# Operators that give rows of their child as they are, some or all, in some order.
_PASSING = frozenset(
    {
        "Filter",
        "Sort",
        "LocalLimit",
        "GlobalLimit",
        "Offset",
        "Tail",
        "Sample",
        "Repartition",
        "RepartitionByExpression",
        "RebalancePartitions",
        "ResolvedHint",
        "EventTimeWatermark",
        "AttachDistributedSequence",
    }
)


class Annotator:
    """Applies the rules to a mirrored plan.

    Args:
        catalyst: of the session that will run the annotated plan.
        sources: the source of each leaf that holds records.
        values: have records of files travel with their ids; those of other sources do in any case.
        kept: inputs that must not be computed anew, by the operator that reads them; shared and added to.
        beside: what counts as contributors, too.
        packings: how ids of some sources are packed while they travel; who gives any has to spell them out.
        apart: names columns of ours that functions of groups are grouped by, too, and that are no part of a key.
    """

    def __init__(
        self,
        catalyst: Catalyst,
        sources: Mapping[Operator, SourceLeaf],
        *,
        values: bool = False,
        kept: dict[Operator, KeptInput] | None = None,
        beside: Beside | None = None,
        packings: Mapping[SourceLeaf, Packing] | None = None,
        apart: Container[str] = (),
    ) -> None:
        self.catalyst = catalyst
        self.sources = sources
        self.values = values
        self.kept: dict[Operator, KeptInput] = {} if kept is None else kept
        self.beside = beside or Beside()
        self.packings = packings or {}
        self._apart = apart
        self._rules: dict[str, Callable[[Operator], Annotated]] = {
            **dict.fromkeys(_PASSING, self._passing),
            "Project": self._project,
            "Generate": self._generate,
            "BinBy": self._passing,  # a row for each bin of its input row, whose other columns it hands on
            "Window": self._window,
            "Expand": self._expand,
            "Join": self._join,
            **dict.fromkeys(NEAREST, self._nearest),
            "Union": self._union,
            "Aggregate": self._aggregate,
            "Deduplicate": self._deduplicate,
            **dict.fromkeys(GROUPED_FUNCTIONS, self._grouped_function),
            **dict.fromkeys(MAPPED, self._mapped),
            RECURSION: self._recursion,
            "CollectMetrics": lambda operator: self.annotate(operator.child),
            **dict.fromkeys(("OneRowRelation", DOMAIN), lambda operator: Annotated(operator.plan, ())),
        }

    def without_values(self) -> Annotator:
        """The same rules, ids of files' records alone."""
        return self._but(values=False)

    def with_values(self) -> Annotator:
        """The same rules, records of files with their ids."""
        return self._but(values=True)

    def without_packing(self) -> Annotator:
        """The same rules, ids spelled out."""
        return self._but(packings=None) if self.packings else self

    def _but(self, **changed: Any) -> Annotator:
        same: dict[str, Any] = {
            "values": self.values,
            "kept": self.kept,
            "beside": self.beside,
            "packings": self.packings,
            "apart": self._apart,
        }
        return Annotator(self.catalyst, self.sources, **same | changed)

    def spelled_out(self, ids: Sequence[IdColumn]) -> tuple[list[Any], tuple[IdColumn, ...]]:
        """Columns that give ids and what travels with them as others know them; and these.

        Returns:
            Named expressions over an annotated plan, and the id columns that they are.
        """
        columns: list[Any] = []
        told = []
        for column in ids:
            packing = self.packings.get(column.origin) if isinstance(column.origin, SourceLeaf) else None
            if packing is not None:
                whole = self.catalyst.alias(packing.spelled_out(self.catalyst, column.id), fresh_name("id"))
                columns += [whole, *column.attributes[1:]]
                told.append(replace(column, id=whole.toAttribute()))
            else:
                columns += column.attributes
                told.append(column)
        return columns, tuple(told)

    def annotate(self, operator: Operator) -> Annotated:
        """The instrumented plan of an operator, up from the nearest boundaries or sources.

        Raises:
            UnsupportedOperatorError: for an operator without a rule; names it and its call site.
        """
        source = self.sources.get(operator)
        if source is not None:
            valued = self.values or not source.in_files
            packing = self.packings.get(source)
            leaf = annotate_leaf(self.catalyst, source, valued=valued, packing=packing)
            return Annotated(leaf.plan, (IdColumn(source, leaf.id, leaf.value),))
        rule = self._rules.get(operator.kind)
        if rule is None:
            raise UnsupportedOperatorError(
                f"{operator.described()} can't be traced yet",
                hint="trace a DataFrame below that operator instead",
            )
        annotated = rule(operator)
        return self._with_subqueries(operator, annotated) if operator.subqueries else annotated

    def is_boundary(self, operator: Operator) -> bool:
        """Whether ids stop at it, and other ids begin above."""
        if operator.kind == "Aggregate" or operator.kind in GROUPED_FUNCTIONS:
            return True
        if operator.kind == "Window":
            return self.beside.windows
        if operator.kind == RECURSION:
            return True
        return is_mapped(operator) or is_distinct(operator)

    def check(self, operator: Operator) -> None:
        """Refuse a dataflow that holds an operator without a rule, before anything runs."""
        for below in operator.walk(RECURSION):
            if below not in self.sources and below.kind not in self._rules:
                self.annotate(below)
            if below.kind == "Aggregate":
                self._check_keys(below, self.catalyst.items(below.plan.groupingExpressions()))
            elif below.kind == "Window" and self.beside.windows:
                self._check_keys(below, self.catalyst.items(below.plan.partitionSpec()))
            elif below.kind in GROUPED_FUNCTIONS:
                self._check_keys(below, [key for side in grouping_of(self.catalyst, below) for key in side])

    # -- rules --------------------------------------------------------------------------------------

    def _passing(self, operator: Operator) -> Annotated:
        below = self.annotate(operator.child)
        return Annotated(operator.plan.withNewChildren(self.catalyst.seq([below.plan])), below.ids)

    def _project(self, operator: Operator) -> Annotated:
        below = self.annotate(operator.child)
        columns = self.catalyst.extended(operator.plan.projectList(), below.attributes)
        return Annotated(self.catalyst.logical.Project(columns, below.plan), below.ids)

    def _generate(self, operator: Operator) -> Annotated:
        if is_mapped(operator):
            return self._mapped(operator)
        below = self._ordered(operator.child)
        return Annotated(operator.plan.withNewChildren(self.catalyst.seq([below.plan])), below.ids)

    def _expand(self, operator: Operator) -> Annotated:
        below = self.annotate(operator.child)
        ids = tuple(column.moved(lambda attribute: attribute.newInstance()) for column in below.ids)
        grown = [
            self.catalyst.extended(projection, below.attributes)
            for projection in self.catalyst.items(operator.plan.projections())
        ]
        added = (attribute for column in ids for attribute in column.attributes)
        plan = self.catalyst.copy(
            operator.plan,
            projections=self.catalyst.seq(grown),
            output=self.catalyst.extended(operator.plan.output(), added),
            child=below.plan,
        )
        return Annotated(plan, ids)

    def _join(self, operator: Operator) -> Annotated:
        left_side, right_side = operator.children
        left = self.annotate(left_side)
        if is_one_sided(operator):
            sides = self.catalyst.seq([left.plan, right_side.plan])
            plan = operator.plan.withNewChildren(sides)
            return (
                self._looked_up(operator, plan, left.ids)
                if self.beside.influence
                else Annotated(plan, left.ids)
            )
        right = self.annotate(right_side)
        plan = operator.plan.withNewChildren(self.catalyst.seq([left.plan, right.plan]))
        ids = left.ids + right.ids
        if "Outer" in operator.join_kind:
            # A join fills the side without a partner with nulls; an id that claims otherwise is folded away.
            ids = tuple(column.moved(lambda attribute: attribute.withNullability(True)) for column in ids)
        return Annotated(plan, ids)

    def _nearest(self, operator: Operator) -> Annotated:
        # Spark makes of an as-of join a subquery of an aggregate over both sides. Its rule for nested fields in
        # subqueries can't take such an aggregate, and stumbles over it where ids come of the files' `_metadata`.
        self.catalyst.jsession.sessionState().conf().setConfString(_NESTED_IN_SUBQUERIES, "false")
        return self._join(operator)

    def _looked_up(self, operator: Operator, join: Any, ids: tuple[IdColumn, ...]) -> Annotated:
        """A one-sided join's rows, and by what they looked at the right side."""
        lookup = lookup_of(self.catalyst, operator.plan)
        key = self.catalyst.alias(self.key_struct(tuple(lookup.looked_by.values())), fresh_name("key"))
        plan = self.catalyst.project_more([key], join)
        boundary = Boundary(operator, (), side=1, lookup=lookup)
        return Annotated(plan, (*ids, IdColumn(boundary, key.toAttribute())))

    def _window(self, operator: Operator) -> Annotated:
        if not self.beside.windows:
            return self._passing(operator)
        grouping = comparables(self.catalyst, self.catalyst.items(operator.plan.partitionSpec()))
        key = self.catalyst.alias(self.key_struct(grouping), fresh_name("key"))
        plan = self.catalyst.project_more([key], operator.plan)
        return Annotated(plan, (IdColumn(Boundary(operator, grouping), key.toAttribute()),))

    def _union(self, operator: Operator) -> Annotated:
        branches = [self._ordered(child) for child in operator.children]
        every = [column for branch in branches for column in branch.ids]
        padded = []
        for child, branch in zip(operator.children, branches, strict=True):
            own = {id(column) for column in branch.ids}
            added = [
                self.catalyst.alias(
                    attribute if id(column) in own else self.catalyst.null(attribute.dataType()),
                    attribute.name(),
                )
                for column in every
                for attribute in column.attributes
            ]
            padded.append(self.catalyst.project_more(added, branch.plan, child.plan))
        plan = operator.plan.withNewChildren(self.catalyst.seq(padded))
        tail = iter(self.catalyst.output(plan)[operator.plan.output().length() :])
        return Annotated(plan, tuple(column.moved(lambda _: next(tail)) for column in every))

    def _aggregate(self, operator: Operator) -> Annotated:
        return self._boundary(operator, operator.plan)

    def _boundary(self, operator: Operator, aggregate: Any) -> Annotated:
        grouping = comparables(self.catalyst, self.catalyst.items(aggregate.groupingExpressions()))
        key = self.catalyst.alias(self.key_struct(grouping), fresh_name("key"))
        columns = self.catalyst.extended(aggregate.aggregateExpressions(), [key])
        plan = self.catalyst.copy(aggregate, aggregateExpressions=columns)
        return Annotated(plan, (IdColumn(Boundary(operator, grouping), key.toAttribute()),))

    def _deduplicate(self, operator: Operator) -> Annotated:
        if is_distinct(operator):
            distinct = self.catalyst.logical.Distinct(operator.child.plan)
            optimizer = self.catalyst.jvm.org.apache.spark.sql.catalyst.optimizer
            rule = self.catalyst.singleton(optimizer, "ReplaceDistinctWithAggregate")
            return self._boundary(operator, rule.apply(distinct))
        # Spark picks a group's row column by column with First(…), and so the ids of that very row.
        return self._passing(operator)

    def _grouped_function(self, operator: Operator) -> Annotated:
        catalyst = self.catalyst
        groupings = [
            [each for each in grouping if catalyst.attribute_key(each) not in self._apart]
            for grouping in grouping_of(catalyst, operator)
        ]
        if not any(groupings):
            keys = [catalyst.alias(self.key_struct(()), fresh_name("key")) for _ in groupings]
            ids = self._of_sides(operator, keys, [() for _ in groupings])
            return Annotated(catalyst.project_more(keys, operator.plan), ids)
        # Unlike an aggregate, it isn't given maps with their entries sorted.
        hashes = [hashed_key(catalyst, comparables(catalyst, g, in_order=True)) for g in groupings]
        inputs, named = [], []
        for child, hashed in zip(operator.children, hashes, strict=True):
            named = [catalyst.alias(expression, fresh_name("part")) for expression in hashed]
            inputs.append(catalyst.project_more(named, child.plan))
        ours = [column.toAttribute() for column in named]
        plan, carried = carried_past(catalyst, operator, inputs, ours, constant=True)
        keys = [catalyst.alias(self.key_struct(tuple(carried)), fresh_name("key")) for _ in groupings]
        plan = catalyst.project_more(keys, plan, operator.plan)
        return Annotated(plan, self._of_sides(operator, keys, hashes))

    def _mapped(self, operator: Operator) -> Annotated:
        catalyst, kept = self.catalyst, keep_input(self, operator)
        # Nothing stands between the kept rows and these but the function: the partitions' numbers are the same.
        key = catalyst.alias(self.key_struct((partition_number(catalyst),)), fresh_name("key"))
        plan = catalyst.project_more([key], on_kept_input(catalyst, operator, kept), operator.plan)
        boundary = Boundary(operator, (kept.partition,), kept=kept.annotated)
        return Annotated(plan, (IdColumn(boundary, key.toAttribute()),))

    def _with_subqueries(self, operator: Operator, annotated: Annotated) -> Annotated:
        """With a key for each subquery whose value went into every row."""
        return self._with_whole(operator, annotated, operator.subqueries)

    def _recursion(self, operator: Operator) -> Annotated:
        leaves = [leaf for leaf in operator.leaves() if leaf in self.sources]
        return self._with_whole(operator, Annotated(operator.plan, ()), leaves)

    def _with_whole(self, operator: Operator, annotated: Annotated, inputs: Sequence[Operator]) -> Annotated:
        """With a key for each of some inputs, every row of which counts for every row."""
        keys = [self.catalyst.alias(self.key_struct(()), fresh_name("key")) for _ in inputs]
        plan = self.catalyst.project_more(keys, annotated.plan)
        columns = tuple(
            IdColumn(Boundary(operator, (), whole=one), key.toAttribute())
            for one, key in zip(inputs, keys, strict=True)
        )
        return Annotated(plan, (*annotated.ids, *columns))

    def _of_sides(
        self, operator: Operator, keys: list[Any], groupings: list[tuple[Any, ...]]
    ) -> tuple[IdColumn, ...]:
        return tuple(
            IdColumn(Boundary(operator, grouping, side), key.toAttribute())
            for side, (key, grouping) in enumerate(zip(keys, groupings, strict=True))
        )

    # -- shared -------------------------------------------------------------------------------------

    def key_struct(self, grouping: tuple[Any, ...]) -> Any:
        """The natural key of an aggregate's row; a constant where it has no grouping."""
        if not grouping:
            return self.catalyst.struct([("all", self.catalyst.text("all"))])
        return self.catalyst.struct((f"k{i}", expression) for i, expression in enumerate(grouping))

    def _ordered(self, operator: Operator) -> Annotated:
        """Annotated, with the operator's own columns first and in their order, for those who go by position."""
        below = self.annotate(operator)
        plan = self.catalyst.project_more(below.attributes, below.plan, operator.plan)
        return Annotated(plan, below.ids)

    def _check_keys(self, operator: Operator, keys: list[Any]) -> None:
        hashed = operator.kind in GROUPED_FUNCTIONS
        for data_type in (expression.dataType() for expression in keys):
            # As it is, a text of a collation is compared by Spark, and hashed by us.
            if not is_comparable(self.catalyst, data_type, binary=hashed):
                raise UnsupportedOperatorError(
                    f"{operator.described()} groups by a column of a type of the program's own, "
                    f"{data_type.catalogString()}, which can't be traced yet",
                    hint="group by its parts instead",
                )

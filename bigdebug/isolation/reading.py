"""How a dataflow reads its candidates: where else the same records are read, and how it is made to read some alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from bigdebug.isolation.reach import deciding_alone, replaceable
from bigdebug.isolation.same_records import first_readers, read_otherwise
from bigdebug.isolation.subqueries import Subqueries
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.operators import Operator


class Reading:
    """How a dataflow reads its sources.

    Args:
        catalyst: of the pinned session.
        root: the dataflow that is replayed.
        sources: its sources.
        limited: the same with those of its last limits that decide about rows.

    Attributes:
        subqueries: within its expressions.
        readers: of each source, also of subqueries, the first that reads the same records.
        whole: the leaves of which all records are candidates.
        above: by operator the one above it, where that does the same with a row in every subset.
    """

    def __init__(
        self, catalyst: Catalyst, root: Operator, sources: Mapping[Operator, SourceLeaf], limited: Operator
    ) -> None:
        self._catalyst = catalyst
        self._sources = dict(sources)
        self._root = root
        self.subqueries = Subqueries(catalyst, root)
        within = self.subqueries.sources
        self.readers = first_readers(catalyst, [*sources.values(), *within.values()])
        self.whole = replaceable(limited)
        self._add_deciding(deciding_alone(root) | within.keys())
        read = self.whole & within.keys()
        self._asking = {
            operator
            for operator in root.walk()
            if any(
                each in read
                for subquery in self.subqueries.of(operator)
                for each in self.subqueries.below(subquery)
            )
        }
        self.above = {
            child: operator
            for operator in root.walk()
            for child in operator.children
            if operator not in self._asking
        }

    @property
    def notes(self) -> list[str]:
        """What a person must know of sources that are told apart though they share records."""
        return read_otherwise(self._catalyst, self.readers)

    def of(
        self, rows: Mapping[Operator, tuple[SourceLeaf, Any]]
    ) -> tuple[Operator, dict[Operator, SourceLeaf]]:
        """The dataflow with other rows in the place of some operators, and its sources.

        Args:
            rows: by operator its source and the JVM plan of its columns, with the record id as last one.
        """
        catalyst = self._catalyst
        sources = dict(self._sources)

        def rebuilt(operator: Operator) -> Operator:
            if operator in rows:
                source, stored = rows[operator]
                plan = catalyst.project(catalyst.output(operator.plan), stored)
                leaf = Operator(plan, "LocalRelation", (), operator.node, stored=stored)
                sources.pop(source.operator, None)  # of a subquery it isn't there
                sources[leaf] = source.moved_to(leaf)
                return leaf
            if not operator.children:
                return operator
            children = tuple(rebuilt(child) for child in operator.children)
            plan = operator.plan.withNewChildren(catalyst.seq([child.plan for child in children]))
            if operator in self._asking:
                plan = self.subqueries.with_plans(operator, plan, lambda each: rebuilt(each).plan)
            return Operator(plan, operator.kind, children, operator.node, operator.tag)

        return rebuilt(self._root), sources

    def _add_deciding(self, deciding: set[Operator]) -> None:
        """Have all records be candidates of sources that are read again where they only decide about rows.

        No trace tells which of their records do.
        """
        alike: dict[SourceLeaf, set[Operator]] = defaultdict(set)
        for leaf, first in self.readers.items():
            alike[first].add(leaf.operator)
        for operators in alike.values():
            only_deciding = operators & deciding
            if operators & self.whole or (only_deciding and only_deciding != operators):
                self.whole |= operators

"""A smaller trace where a trace is conservative, found by replaying the pipeline on parts of it.

Of the records that an operator may have made the rows of, those are kept without which the rows aren't there again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bigdebug.lineage.annotated import Annotated, IdColumn
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.identity import SourceLeaf, annotate_leaf
from bigdebug.lineage.keys import hashed_key
from bigdebug.lineage.mapped import is_mapped
from bigdebug.lineage.minimizing import MOST_ROWS, Part, Search, require_again, require_few
from bigdebug.lineage.operators import RECURSION, Operator
from bigdebug.lineage.segments import RowSet, local_relation, matching_ids
from bigdebug.lineage.where import Where


@dataclass(frozen=True)
class Narrowed:
    """What was found.

    Attributes:
        rows: of the sources narrowed, the records that are left.
        replays: how often the pipeline was run.
        minimal: no single record can be left out; else the time ran out.
    """

    rows: dict[SourceLeaf, RowSet]
    replays: int
    minimal: bool


def is_conservative(operator: Operator) -> bool:
    """Whether more records may be on a trace through it than its rows came from."""
    return is_mapped(operator) or operator.kind == RECURSION


def below_conservative(root: Operator, sources: Mapping[Operator, SourceLeaf]) -> list[SourceLeaf]:
    """The sources that such operators read."""
    found = {
        sources[leaf]: None
        for operator in root.walk()
        if is_conservative(operator)
        for leaf in operator.leaves()
        if leaf in sources
    }
    return list(found)


def narrowed(
    catalyst: Catalyst,
    root: Operator,
    where: Where,
    records: Mapping[SourceLeaf, RowSet],
    seconds: float,
) -> Narrowed:
    """The fewest records of some sources that give the rows asked for again; the other sources stay whole.

    Args:
        catalyst: of the pinned session.
        root: the dataflow of the output.
        where: which of its rows.
        records: ids of the records on the trace, of each source to be narrowed.
        seconds: how long to go on.

    Raises:
        BigDebugError: there are too many records or rows, or the rows aren't there again even with all of them.
    """
    replay = _Replay(catalyst, root, where, records)
    asked = replay.asked()
    number = sum(rows.count for rows in records.values())
    whole: Part = [(0, number)] if number else []
    search = Search(lambda part: replay.rows_of(part) >= asked, time.monotonic() + seconds)
    require_again(search.holds(whole))
    left = search.minimized(whole)
    return Narrowed(replay.rows_in(left), search.tried, search.in_time)


class _Replay:
    """The pipeline on parts of some sources."""

    def __init__(
        self, catalyst: Catalyst, root: Operator, where: Where, records: Mapping[SourceLeaf, RowSet]
    ) -> None:
        self._catalyst = catalyst
        self._root = root
        self._where = where
        self._records = records
        for leaf, rows in records.items():
            if not rows.fetched:
                raise BigDebugError(
                    f"{rows.count:,} records of {leaf.name} are too many to be narrowed",
                    hint="ask about fewer rows",
                )

    def asked(self) -> Counter[tuple[int, int]]:
        """Hashes of the rows asked for."""
        found = self._hashes(self._root.plan)
        require_few(found.total())
        return found

    def rows_of(self, part: Part) -> Counter[tuple[int, int]]:
        """Hashes of the rows that a part gives."""
        kept = self.rows_in(part)
        return self._hashes(self._rebuilt(self._root, {leaf.operator: (leaf, kept[leaf]) for leaf in kept}))

    def rows_in(self, part: Part) -> dict[SourceLeaf, RowSet]:
        """Of each source the records of a part."""
        catalyst, found, first = self._catalyst, {}, 0
        for leaf, rows in self._records.items():
            data, chosen = rows.plan.data(), catalyst.seq([])
            for start, end in part:
                inside = data.slice(max(start - first, 0), max(end - first, 0))
                chosen = chosen.concat(inside)
            plan = local_relation(catalyst, rows.plan.output(), chosen)
            found[leaf] = RowSet(catalyst, plan, int(chosen.length()), True)
            first += rows.count
        return found

    def _rebuilt(self, operator: Operator, kept: Mapping[Operator, tuple[SourceLeaf, RowSet]]) -> Any:
        """The plan, with the sources narrowed."""
        catalyst = self._catalyst
        if operator in kept:
            leaf, rows = kept[operator]
            annotated = annotate_leaf(catalyst, leaf, valued=False)
            narrow = matching_ids(catalyst, rows.columns(catalyst.output(rows.plan)[:1]))
            plan = narrow(Annotated(annotated.plan, (IdColumn(leaf, annotated.id),)))
            return catalyst.project(catalyst.output(operator.plan), plan)
        if not operator.children:
            return operator.plan
        children = [self._rebuilt(child, kept) for child in operator.children]
        return operator.plan.withNewChildren(catalyst.seq(children))

    def _hashes(self, plan: Any) -> Counter[tuple[int, int]]:
        catalyst = self._catalyst
        rows = self._where.narrow(Annotated(plan, ()))
        # Spark has no hash of a map.
        told = [
            column
            for column in catalyst.output(self._root.plan)
            if "map<" not in str(column.dataType().catalogString())
        ]
        hashes = [catalyst.alias(each, fresh_name("hash")) for each in hashed_key(catalyst, told)]
        frame = catalyst.frame(catalyst.limit(MOST_ROWS + 1, catalyst.project(hashes, rows)))
        return Counter((row[0], row[1]) for row in frame.collect())

"""A smaller trace where a trace is conservative, found by replaying the pipeline on parts of it.

Delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", TSE 2002): of the
records that an operator may have made the rows of, those are kept without which the rows aren't there again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bigdebug.lineage.annotated import Annotated, IdColumn
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.identity import SourceLeaf, annotate_leaf
from bigdebug.lineage.keys import hashed_key
from bigdebug.lineage.mapped import is_mapped
from bigdebug.lineage.operators import RECURSION, Operator
from bigdebug.lineage.segments import RowSet, local_relation, matching_ids
from bigdebug.lineage.where import Where

# Rows that are looked for in each replay, by their hashes.
MOST_ROWS = 1_000

Part = list[tuple[int, int]]
"""Records by number, as ranges that go up and don't touch."""


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
    search = _Search(lambda part: replay.rows_of(part) >= asked, time.monotonic() + seconds)
    if not search.holds(whole):
        raise BigDebugError(
            "the rows aren't there again when the pipeline runs on the traced records alone",
            hint="they depend on something else as well: on the whole of a source, on an order or on chance",
        )
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
        if found.total() > MOST_ROWS:
            raise BigDebugError(
                f"{found.total():,} rows are too many to be looked for in every replay",
                hint=f"ask about {MOST_ROWS:,} or fewer",
            )
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


class _Search:
    """Delta debugging over ranges of numbers.

    Args:
        test: whether a part will do.
        until: moment of the monotonic clock when to stop.
    """

    def __init__(self, test: Callable[[Part], bool], until: float) -> None:
        self._test = test
        self._until = until
        self.tried = 0
        self.in_time = True

    def holds(self, part: Part) -> bool:
        self.tried += 1
        return self._test(part)

    def minimized(self, part: Part) -> Part:
        """The least part found; none of its numbers can be left out, unless the time ran out."""
        granularity = 2
        while part and _size(part) > 0:
            pieces = _pieces(part, granularity)
            better = self._first(pieces) if granularity > 1 and len(pieces) > 1 else None
            if better is not None:
                part, granularity = better, 2
                continue
            rests = [_without(part, piece) for piece in pieces]
            # Of two pieces each one's rest is the other.
            better = self._first(rests) if len(pieces) != 2 else None
            if better is not None:
                part, granularity = better, max(granularity - 1, 2)
                continue
            if not self.in_time or granularity >= _size(part):
                break
            granularity = min(granularity * 2, _size(part))
        if self.in_time and _size(part) == 1 and self.holds([]):
            return []
        return part

    def _first(self, parts: Sequence[Part]) -> Part | None:
        for part in parts:
            if time.monotonic() > self._until:
                self.in_time = False
                return None
            if self.holds(part):
                return part
        return None


def _size(part: Part) -> int:
    return sum(end - start for start, end in part)


def _pieces(part: Part, number: int) -> list[Part]:
    """A part, cut into so many of about the same size."""
    size = _size(part)
    number = min(number, size)
    bounds = [size * i // number for i in range(number + 1)]
    return [list(_cut(part, low, high)) for low, high in pairwise(bounds)]


def _cut(part: Part, low: int, high: int) -> Iterator[tuple[int, int]]:
    """The numbers of a part from the `low`-th up to before the `high`-th."""
    passed = 0
    for start, end in part:
        first, last = max(low - passed, 0), min(high - passed, end - start)
        if first < last:
            yield start + first, start + last
        passed += end - start


def _without(part: Part, piece: Part) -> Part:
    """The numbers of a part that aren't in a piece cut from it."""
    found: Part = []
    for start, end in part:
        at = start
        for low, high in piece:
            if low >= end or high <= start:
                continue
            if at < low:
                found.append((at, low))
            at = high
        if at < end:
            found.append((at, end))
    return found

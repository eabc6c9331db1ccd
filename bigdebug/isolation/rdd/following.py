"""How a failing element is found again in a replay: by the key of the last shuffle, else by its records."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Any

from bigdebug.isolation.rdd.candidates import RddCandidates
from bigdebug.isolation.rdd.fetching import first_part
from bigdebug.lineage.rdd.annotator import Annotator, contributing, is_boundary, within
from bigdebug.lineage.rdd.kinds import BY_PARTITION
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.packing import Ids, named

Identity = frozenset[tuple[int, Hashable]]
"""What names an element among those of one replay: by leaf a key, or the number of a candidate."""


class Following:
    """Tells elements of the output from one another, by the ids that annotated ones have.

    Of an outer join only the ids of the side that keeps its elements count: a partner may be gone in a replay.

    Args:
        root: whose elements they are.
        annotator: gives leaves their numbers.
        candidates: by whose numbers records are named.

    Attributes:
        has_partners: whether elements may come from partners, too, that their identity doesn't name.
    """

    def __init__(self, root: RddOperator, annotator: Annotator, candidates: RddCandidates) -> None:
        self.has_partners = any(operator.kind in _KEPT_SIDE for operator in within(root))
        self._stands = {annotator.leaf(stand.leaf.operator): stand for stand in candidates.every}
        self._followed: dict[int, int] = {}
        self._by_partition: set[int] = set()
        self._by_first: set[int] = set()
        for leaf, over in _followed(root):
            number = annotator.leaf(leaf)
            self._followed[number] = number if over is None else -over.serial
            if leaf.kind in BY_PARTITION:
                self._by_partition.add(number)
            elif over is not None and not is_boundary(leaf):
                self._by_first.add(number)

    def asked(self, first: Any, ids: Ids) -> Identity:
        """The identity of an element of Spark's, whose records are named by their places.

        Args:
            first: its first part, if it is a pair.
            ids: its own.
        """
        return self._identity(
            first,
            (
                (leaf, self._stands[leaf].number_of(name) if leaf in self._stands else name)
                for leaf, name in named(ids)
            ),
        )

    def of(self, element: Any, ids: Ids) -> Identity:
        """The identity of an element of a replay."""
        return self._identity(first_part(element), named(ids))

    def _identity(self, first: Any, names: Iterable[tuple[int, Any]]) -> Identity:
        found = set()
        for leaf, name in names:
            number = self._followed.get(leaf)
            if number is None:
                continue
            if leaf in self._by_partition:
                name = (name[0], first)  # how much was read by then differs from replay to replay
            elif leaf in self._by_first:
                name = first
            found.add((number, name))
        return frozenset(found)


_KEPT_SIDE = {"leftOuterJoin": 0, "rightOuterJoin": 1}
"""By outer join the input whose elements are all kept."""


def _followed(top: RddOperator) -> Iterator[tuple[RddOperator, RddOperator | None]]:
    """The leaves of a segment that name its elements, and the full outer join above each, if there is one."""
    seen: set[tuple[RddOperator, RddOperator | None]] = set()
    waiting: list[tuple[RddOperator, RddOperator | None]] = [(top, None)]
    while waiting:
        operator, over = waiting.pop()
        if (operator, over) in seen:
            continue
        seen.add((operator, over))
        if not operator.inputs or is_boundary(operator):
            yield operator, over
            continue
        below = contributing(operator)
        if operator.kind in _KEPT_SIDE:
            below = (below[_KEPT_SIDE[operator.kind]],)
        elif operator.kind == "fullOuterJoin":
            over = operator
        waiting += [(each, over) for each in below]

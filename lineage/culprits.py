"""Which operators are to blame that no row matches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, Self, TypeVar

from bigdebug.lineage.matching import Followed


class Lost(Protocol):
    """An operator that a condition was carried to."""

    @property
    def entering(self) -> Sequence[Self]:
        """Those of its inputs that the conditions speak of."""

    @property
    def needs_all(self) -> bool:
        """Whether a matching row takes a row of each of these inputs."""

    @property
    def is_source(self) -> bool:
        """Whether its rows come from nothing further down."""

    @property
    def is_blameless(self) -> bool:
        """Whether it can be to blame for nothing."""

    def lacks_records(self, counts: Mapping[Self, int]) -> bool:
        """Whether it is a source that would have to hold a record that matches, and holds none."""


LostT = TypeVar("LostT", bound=Lost)


def upwards(top: Followed) -> list[Followed]:
    """All operators that a condition was carried to, inputs before those who read them."""
    found: list[Followed] = []
    stack = [top]
    while stack:
        each = stack.pop()
        found.append(each)
        stack.extend(each.entering)
    return found[::-1]


def culprits(
    each: LostT, counts: Mapping[LostT, int], drops_below: Callable[[LostT], bool] = lambda _: False
) -> list[LostT]:
    """Where matching rows got lost, below or at an operator that none leaves, in the plan's order.

    Args:
        each: the operator.
        counts: how many rows match, by operator.
        drops_below: whether a source was made of something, an operator of which dropped what matches.

    Returns:
        Operators that some enter and none leaves; a source where a row must come from it and none of its
        records matches.
    """
    if each.is_blameless:
        return []
    if each.is_source:
        return [each] if each.lacks_records(counts) else []
    alive = [below for below in each.entering if counts[below]]
    if len(alive) == len(each.entering) or (alive and not each.needs_all):
        return [each]
    found = [
        one for below in each.entering if not counts[below] for one in culprits(below, counts, drops_below)
    ]
    if not found:
        return [each] if alive else []
    dropping = [one for one in found if not one.is_source or drops_below(one)]
    return dropping if dropping and not each.needs_all else found

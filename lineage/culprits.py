"""Which operators are to blame that no row matches."""

from __future__ import annotations

from collections.abc import Mapping

from bigdebug.lineage.lateral import DOMAIN
from bigdebug.lineage.matching import Followed


def upwards(top: Followed) -> list[Followed]:
    """All operators that a condition was carried to, inputs before those who read them."""
    found: list[Followed] = []
    stack = [top]
    while stack:
        each = stack.pop()
        found.append(each)
        stack.extend(each.entering)
    return found[::-1]


def culprits(each: Followed, counts: Mapping[Followed, int]) -> list[Followed]:
    """Where matching rows got lost, below or at an operator that none leaves, in the plan's order.

    Args:
        each: the operator.
        counts: how many rows match, by operator.

    Returns:
        Operators that some enter and none leaves; a source where a row must come from it and none of its
        records matches.
    """
    if each.operator.kind == DOMAIN:
        return []
    if not each.operator.children:
        # What a join's partner lacks is no fault of the source that the partner would have come from.
        return [each] if counts[each.by_own or each] == 0 and each.is_asked else []
    alive = [below for below in each.entering if counts[below]]
    if len(alive) == len(each.entering) or (alive and not each.needs_all):
        return [each]
    found = [one for below in each.entering if not counts[below] for one in culprits(below, counts)]
    if not found:
        return [each] if alive else []
    dropping = [one for one in found if one.operator.children]
    return dropping if dropping and not each.needs_all else found

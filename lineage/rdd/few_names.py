"""Names of groups and records, gathered as long as they are few. Travels by value to Spark's workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from bigdebug.lineage.rdd.packing import Annotated, named


def most_of(most: int) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """Gather distinct ids, but no more than so many and one.

    Returns:
        How to take one in, and how to put two sets together.
    """

    def take(found: Any, name: Any) -> Any:
        if len(found) <= most:
            found.add(name)
        return found

    def merge(left: Any, right: Any) -> Any:
        for name in right:
            take(left, name)
        return left

    return take, merge


SeenFirst = tuple[int, int, dict[int, set[Any] | None]]
"""Of a partition: its number, how many elements it has, and by leaf which groups they name; None for too many."""


def seen_first(
    leaves: frozenset[int], most: int
) -> Callable[[int, Iterable[Annotated]], Iterator[SeenFirst]]:
    """How many annotated elements there are, and the groups that they name.

    Args:
        leaves: those of the groups.
        most: names of a leaf that are told of a partition.
    """

    def see(partition: int, elements: Iterable[Annotated]) -> Iterator[SeenFirst]:
        total = 0
        names: dict[int, set[Any] | None] = {leaf: set() for leaf in leaves}
        for total, (_, ids) in enumerate(elements, 1):  # noqa: B007
            for leaf, name in named(ids) if leaves else ():
                known = names.get(leaf)
                if known is not None:
                    known.add(name)
                    if len(known) > most:
                        names[leaf] = None
        yield partition, total, names

    return see

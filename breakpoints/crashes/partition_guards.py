"""Guards in functions of whole partitions of RDDs: an element that crashes one is set aside, and the task goes on.

Travels by value to Spark's Python workers, which need not have bigdebug.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from bigdebug.breakpoints.channel.values import told as told_value
from bigdebug.breakpoints.crashes.decisions import Decisions
from bigdebug.breakpoints.crashes.frame_guards import Deciding, repair_of
from bigdebug.breakpoints.crashes.guards import as_repair
from bigdebug.breakpoints.crashes.keeping import NOTHING, Keeper, Site
from bigdebug.breakpoints.crashes.partitions import LEFT_OUT, Change, Elements, surviving
from bigdebug.breakpoints.crashes.workers import Found, carried, told

KINDS = frozenset({"mapPartitions", "mapPartitionsWithIndex", "foreachPartition"})
"""Kinds of operators and actions whose function is called with a partition."""

OfPartition = Callable[[int, Iterable[Any]], Any]


class _Placed:
    """Sets elements aside with their places, in one attempt of a task."""

    is_silent = False

    def __init__(self, site: Site, partition: int) -> None:
        self._site = site
        self._partition = partition
        self._keeper: Keeper | None = None
        self.place = 0

    def keep(self, given: Any, error: str, repaired: Any = NOTHING) -> None:
        """Set the element aside that stands at `place`."""
        if self._keeper is None:
            self._keeper = Keeper(self._site, self._partition)
        self._keeper.keep(self.place, given, error, repaired)

    def commit(self) -> None:
        """The task is over."""
        if self._keeper is not None:
            self._keeper.commit()

    def abandon(self) -> None:
        """The task has failed."""
        if self._keeper is not None:
            self._keeper.abandon()


def by_index(kind: str, function: Any) -> OfPartition:
    """A function of a partition as one of its number and it, that always gives something to go through.

    Args:
        kind: of the operator.
        function: the user's.
    """

    if kind == "mapPartitionsWithIndex":
        return function  # type: ignore[no-any-return]

    def call(_: int, elements: Iterable[Any]) -> Any:
        made = function(elements)
        if kind == "foreachPartition" and not hasattr(made, "__iter__"):
            return ()  # as Spark has it
        return made

    return call


def guarded_partition(kind: str, function: Any, site: Site) -> Callable[[int, Iterable[Any]], Iterator[Any]]:
    """A function of a partition that goes on where an element crashes it.

    Args:
        kind: of the operator.
        function: the user's.
        site: of the operator.
    """
    call = by_index(kind, function)

    def guard(partition: int, elements: Iterable[Any]) -> Iterator[Any]:
        placed = _Placed(site, partition)
        try:
            yield from surviving(
                lambda given: call(partition, given), Elements(elements), _decided(site, placed)
            )
        except GeneratorExit:
            placed.commit()  # who reads has enough: what was read by then counts
            raise
        except BaseException:
            placed.abandon()
            raise
        placed.commit()

    return guard


def quiet_partition(kind: str, function: Any, site: Site) -> Callable[[int, Iterable[Any]], Iterator[Any]]:
    """The same, setting nothing aside. For traces, which go by what was read when something is given."""
    call = by_index(kind, function)
    decisions = None if site.pause is None else Decisions(site.place, site.number)

    # Without `Deciding`, which asks the session: questions have this function in the driver, too.
    def decided(place: int, element: Any, error: Exception) -> Change:
        policy, repair = site.policy, site.repair
        if decisions is not None:
            answer = decisions.of(told_value(element))
            policy, repair = ("skip", None) if answer is None else as_repair(answer)
        return (True, repair_of(repair, element, error)) if policy == "repair" else LEFT_OUT

    def guard(partition: int, elements: Iterable[Any]) -> Iterator[Any]:
        yield from surviving(
            lambda given: call(partition, given), Elements(elements), decided, hold_back=False
        )

    return guard


def _decided(site: Site, placed: _Placed) -> Callable[[int, Any, Exception], Change]:
    deciding = Deciding(site, placed)

    def on(place: int, element: Any, error: Exception) -> Change:
        placed.place = place
        (decided,) = deciding.on([(element, error)])
        return LEFT_OUT if decided.what == "skip" else (True, decided.value)

    return on


class _EnoughError(Exception):
    """So many elements are told of."""


def crashing_in_partitions(
    function: OfPartition, most: int
) -> Callable[[int, Iterable[Any]], Iterator[tuple[list[Found], int]]]:
    """Some of the annotated elements that crash a function of a whole partition, and how many they are.

    Of a partition where no element can be shown to be to blame, the one is given that was read last, and its error
    says that it is `together` with 0 records.

    Args:
        function: of a partition's number and it.
        most: so many of a partition.
    """

    def found(partition: int, annotated: Iterable[Any]) -> Iterator[tuple[list[Found], int]]:
        kept: list[Found] = []
        last: list[Any] = []

        def crashed(place: int, pair: Any, error: Exception) -> Change:
            kept.append((carried(pair[0]), pair[1], told(error)))
            if len(kept) == most:
                raise _EnoughError
            return LEFT_OUT

        def call(reading: Any) -> Iterator[Any]:
            def watched() -> Iterator[Any]:
                for pair in reading:
                    last[:] = [pair]
                    yield pair[0]

            return iter(function(partition, watched()))

        try:
            for _ in surviving(call, Elements(annotated), crashed, hold_back=False):
                pass
        except _EnoughError:
            pass
        except Exception as error:
            if not kept:
                kept = [(carried(element), ids, told(error, 0)) for element, ids in last]
        if kept:
            yield kept, len(kept)

    return found

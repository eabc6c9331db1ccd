"""Which elements a function of two values can't be given: the odd ones out of a key's.

Such a function crashes on a pair, and what it was given first may be the sum of thousands of good records or the one
bad record itself. So an element that can't be merged with what was there begins a heap of its own, and later ones go
to the first heap that takes them. What is in the largest heap can be merged; the others of the key are to blame.

Travels by value to Spark's Python workers, which need not have bigdebug.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bigdebug.breakpoints.crashes.workers import Found, carried, told

MOST_HEAPS = 16
"""So many heaps a key has; elements that none of them takes are to blame."""


@dataclass(frozen=True)
class Merge:
    """How elements become one value.

    Attributes:
        create: makes a value of one element.
        add: gives a value and one more element.
        combine: makes one value of two.
        keyed: whether it is done for each key of pairs.
    """

    create: Callable[[Any], Any]
    add: Callable[[Any, Any], Any]
    combine: Callable[[Any, Any], Any]
    keyed: bool = True


def merge_of(kind: str, arguments: Mapping[str, Any]) -> Merge | None:
    """How an operator or action of RDDs merges; None for one that doesn't.

    Args:
        kind: of the operator, the method's name.
        arguments: that it was called with.
    """
    keyed = "ByKey" in kind
    if kind in ("reduceByKey", "reduceByKeyLocally", "reduce", "treeReduce"):
        function = arguments["func" if keyed else "f"]
        return Merge(_same, function, function, keyed)
    if kind in ("foldByKey", "fold"):
        function = arguments["func" if keyed else "op"]
        return Merge(_begun(arguments["zeroValue"], function), function, function, keyed)
    if kind in ("aggregateByKey", "aggregate", "treeAggregate"):
        add, combine = (arguments[f"{name}{'Func' if keyed else 'Op'}"] for name in ("seq", "comb"))
        return Merge(_begun(arguments["zeroValue"], add), add, combine, keyed)
    if kind == "combineByKey":
        return Merge(*(arguments[name] for name in ("createCombiner", "mergeValue", "mergeCombiners")))
    if kind in ("max", "min"):
        best = _best(kind, arguments.get("key"))
        return Merge(_same, best, best, False)
    if kind == "sum":
        return Merge(_begun(0, _plus), _plus, _plus, False)
    return None


def _same(element: Any) -> Any:
    return element


def _plus(value: Any, more: Any) -> Any:
    return value + more


def _best(kind: str, key: Any) -> Callable[[Any, Any], Any]:
    choose = max if kind == "max" else min
    return lambda value, more: choose(value, more, key=key)


def _begun(zero: Any, add: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    return lambda element: add(copy.deepcopy(zero), element)


Outcome = tuple[bool, Any]
"""Whether merging went well so far, and the value."""


def tried(merge: Merge) -> tuple[Callable[..., Outcome], Callable[..., Outcome], Callable[..., Outcome]]:
    """The three functions of `combineByKey` that tell which keys can't be merged."""

    def attempt(function: Callable[..., Any], *given: Any) -> Outcome:
        try:
            return True, function(*given)
        except Exception:
            return False, None

    def create(element: Any) -> Outcome:
        return attempt(merge.create, element)

    def add(outcome: Outcome, element: Any) -> Outcome:
        return attempt(merge.add, outcome[1], element) if outcome[0] else outcome

    def combine(one: Outcome, other: Outcome) -> Outcome:
        if not (one[0] and other[0]):
            return False, None
        return attempt(merge.combine, one[1], other[1])

    return create, add, combine


# A heap is its value, how many elements it is made of, the first ones annotated, and what was raised as it began.
Heap = list[Any]
Heaps = tuple[list[Heap], list[Found], int]
"""The heaps of a key, the first elements that none of them takes, and how many of these there are."""


def heaping(
    merge: Merge, most: int
) -> tuple[Callable[[Any], Heaps], Callable[[Heaps, Any], Heaps], Callable[[Heaps, Heaps], Heaps]]:
    """The three functions of `combineByKey` that put a key's annotated elements on heaps.

    Args:
        merge: how they are merged.
        most: so many elements of each heap are kept.
    """

    def kept(element: Any, ids: Any, error: str) -> Found:
        return carried(element), ids, error

    def onto(heaps: list[Heap], function: Callable[[Any, Any], Any], value: Any) -> tuple[Heap | None, str]:
        """The first heap that takes a value, with it; and what the ones before it raised first."""
        error = ""
        for heap in heaps:
            try:
                heap[0] = function(heap[0], value)
            except Exception as problem:
                error = error or told(problem)
                continue
            return heap, error
        return None, error

    def create(annotated: Any) -> Heaps:
        return add(([], [], 0), annotated)

    def add(heaps: Heaps, annotated: Any) -> Heaps:
        found, loose, count = heaps
        element, ids = annotated
        value = element[1] if merge.keyed else element
        heap, error = onto(found, merge.add, value)
        if heap is not None:
            heap[1] += 1
            if len(heap[2]) < most:
                heap[2].append(kept(element, ids, error))
            return found, loose, count
        try:
            if len(found) < MOST_HEAPS:
                found.append([merge.create(value), 1, [kept(element, ids, error)], error])
                return found, loose, count
        except Exception as problem:
            error = told(problem)
        if len(loose) < most:
            loose.append(kept(element, ids, error))
        return found, loose, count + 1

    def combine(one: Heaps, other: Heaps) -> Heaps:
        found, loose, count = one
        for value, size, some, error in other[0]:
            heap, raised = onto(found, merge.combine, value)
            if heap is None:
                found.append([value, size, some, error or raised])
            else:
                heap[1] += size
                heap[2] += some[: most - len(heap[2])]
        return found, [*loose, *other[1]][:most], count + other[2]

    return create, add, combine


def odd_ones(most: int) -> Callable[[Iterable[tuple[Any, Heaps]]], Iterator[tuple[list[Found], int, bool]]]:
    """Of each key the elements to blame, how many there are, and whether they are fewer than the others.

    Args:
        most: so many of them.
    """

    def of(keys: Iterable[tuple[Any, Heaps]]) -> Iterator[tuple[list[Found], int, bool]]:
        for _, (found, loose, count) in keys:
            heaps = sorted(found, key=_size, reverse=True)
            # Where two are as large nobody can tell which of them is wrong.
            clear = len(heaps) < 2 or heaps[0][1] > heaps[1][1]
            odd = heaps[1:] if clear else heaps
            raised = next((heap[3] for heap in heaps if heap[3]), "")
            kept = [
                (element, ids, error or heap[3] or raised) for heap in odd for element, ids, error in heap[2]
            ]
            total = count + sum(heap[1] for heap in odd)
            if total:
                yield [*loose, *kept][:most], total, clear

    return of


def _size(heap: Heap) -> int:
    return int(heap[1])


def went_wrong(pair: tuple[Any, Outcome]) -> bool:
    """Whether the elements of a key can't be merged."""
    return not pair[1][0]


def of_key(keys: frozenset[Any]) -> Callable[[Any], bool]:
    """Whether an annotated pair is of some keys."""
    return lambda annotated: annotated[0][0] in keys


def by_key(annotated: Any) -> tuple[Any, Any]:
    """An annotated pair by its key."""
    return annotated[0][0], annotated


def together(annotated: Any) -> tuple[None, Any]:
    """An annotated element as of the one key that all have."""
    return None, annotated

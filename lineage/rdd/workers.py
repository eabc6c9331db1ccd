"""What a trace has Spark's Python workers do. Travels by value: they need not have bigdebug.

An annotated element is a pair of the element and its ids, as `packing` has them: they name records and groups of the
leaves of a segment, the sources and boundaries below it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, count
from typing import Any

from bigdebug.lineage.rdd.known_keys import known_key, stands_for_nan
from bigdebug.lineage.rdd.packing import (
    Annotated,
    Id,
    both,
    each_id,
    leaf_of,
    named,
    place_id,
    without_doubles,
)
from bigdebug.lineage.rdd.tallies import told_at_end


def numbered(leaf: int, tally: Any = None) -> Callable[[int, Iterable[Any]], Iterator[Annotated]]:
    """Give elements their partition and place in it as their id.

    Args:
        leaf: their source.
        tally: an accumulator of how many there are; None where nobody asks.
    """

    def annotate(partition: int, elements: Iterable[Any]) -> Iterator[Annotated]:
        first = place_id(leaf, partition)
        ids = count(first)
        pairs = zip(elements, ids, strict=False)
        return pairs if tally is None else chain(pairs, told_at_end(tally, partition, first, ids))

    return annotate


def keyed(leaf: int, key: Callable[[Any], Any]) -> Callable[[Any], Annotated]:
    """Give an element its key as its id."""

    def annotate(element: Any) -> Annotated:
        return element, ((leaf, known_key(key(element))),)

    return annotate


def pulled(
    leaf: int, function: Callable[[int, Iterable[Any]], Iterable[Any]]
) -> Callable[[int, Iterable[Any]], Iterator[Annotated]]:
    """Call a function with a partition; each of its elements gets how many it had read of it by then."""

    def annotate(partition: int, elements: Iterable[Any]) -> Iterator[Annotated]:
        read = 0

        def watched() -> Iterator[Any]:
            nonlocal read
            for element in elements:
                read += 1
                yield element

        for made in function(partition, watched()):
            yield made, place_id(leaf, partition, read)

    return annotate


def last_read(
    function: Callable[[int, Iterable[Any]], Iterable[Any]], described: str
) -> Callable[[int, Iterable[Annotated]], Iterator[Annotated]]:
    """Call a function with a partition; each of its elements gets the ids of the one it had read last.

    Args:
        function: of a partition's number and it.
        described: names the operator in what is raised where the function doesn't go record by record.
    """

    def annotate(partition: int, elements: Iterable[Annotated]) -> Iterator[Annotated]:
        last: Any = None
        when = "before it had read one"

        def watched() -> Iterator[Any]:
            nonlocal last, when
            for element, ids in elements:
                last = ids
                yield element
            last, when = None, "after the end of the partition"

        for made in function(partition, watched()):
            if last is None:
                raise ValueError(
                    f"{described} is declared record-wise but gave an element {when}: "
                    "leave @bigdebug.record_wise out"
                )
            yield made, last

    return annotate


def marked(mark: int, keep: bool = False) -> Callable[[int, Iterable[Annotated]], Iterator[Annotated]]:
    """Give elements an id of the operator that made them, beside those they have.

    Args:
        mark: the operator's number.
        keep: the id holds the element, too.
    """

    def annotate(partition: int, elements: Iterable[Annotated]) -> Iterator[Annotated]:
        for place, (element, ids) in enumerate(elements):
            own = (partition, place, element) if keep else (partition, place)
            yield element, (*each_id(ids), (mark, own))

    return annotate


def one_by_one(
    kind: str, function: Callable[[Any], Any]
) -> Callable[[int, Iterable[Annotated]], Iterator[Annotated]]:
    """What an operator that calls a function with one element at a time does, on annotated elements.

    Args:
        kind: of the operator.
        function: the program's; ignored where the operator has none.
    """

    def annotate(_: int, elements: Iterable[Annotated]) -> Iterator[Annotated]:
        # Expressions: a function called for each element would take longer than what it does.
        match kind:
            case "filter":
                return (each for each in elements if function(each[0]))
            case "flatMap":
                return ((made, ids) for element, ids in elements for made in function(element))
            case "flatMapValues":
                return (
                    ((element[0], made), ids) for element, ids in elements for made in function(element[1])
                )
            case "mapValues":
                return (((element[0], function(element[1])), ids) for element, ids in elements)
            case "keyBy":
                return (((function(element), element), ids) for element, ids in elements)
            case "keys":
                return ((element[0], ids) for element, ids in elements)
            case "values":
                return ((element[1], ids) for element, ids in elements)
            case _:
                return ((function(element), ids) for element, ids in elements)

    return annotate


def names_of(leaf: int) -> Callable[[Iterable[Id] | int], Iterator[Any]]:
    """What ids name in a leaf."""

    def names(ids: Iterable[Id] | int) -> Iterator[Any]:
        return (name for number, name in named(ids) if number == leaf)

    return names


def ids_of(leaf: int) -> Callable[[Annotated], Iterator[Any]]:
    """What the ids of an annotated element name in a leaf."""
    names = names_of(leaf)

    def ids(annotated: Annotated) -> Iterator[Any]:
        return names(annotated[1])

    return ids


def ids_among(leaves: frozenset[int]) -> Callable[[Annotated], Iterator[Id]]:
    """The ids that an annotated element has of some leaves."""

    def ids(annotated: Annotated) -> Iterator[Id]:
        return (each for each in each_id(annotated[1]) if leaf_of(each) in leaves)

    return ids


def without_element(annotated: Annotated) -> Annotated:
    """Only the ids, each once."""
    return None, without_doubles(annotated[1])


def element_of(annotated: Annotated) -> Any:
    return annotated[0]


def of_element(key: Callable[[Any], Any]) -> Callable[[Annotated], Any]:
    """A function of an element as one of an annotated element."""

    def ranked(annotated: Annotated) -> Any:
        return key(annotated[0])

    return ranked


def with_no_ids(element: Any) -> Annotated:
    return element, ()


def pair_up(annotated: Annotated) -> tuple[Any, Any]:
    """A pair (key, value) with ids, as a pair of the key and the value with ids."""
    (key, value), ids = annotated
    return key, (value, ids)


def value_up(annotated: Annotated) -> tuple[Any, Any]:
    """The same where Spark looks at the first two parts of an element only."""
    element, ids = annotated
    return element[0], (element[1], ids)


def pair_down(pair: tuple[Any, Any]) -> Annotated:
    """The way back."""
    key, (value, ids) = pair
    return (key, value), ids


def zipped_pair(pair: tuple[Annotated, Annotated]) -> Annotated:
    """Two annotated elements as an annotated pair."""
    (left, left_ids), (right, right_ids) = pair
    return (left, right), both(left_ids, right_ids)


def numbered_pair(pair: tuple[Annotated, int]) -> Annotated:
    """An annotated element and its number as an annotated pair."""
    (element, ids), number = pair
    return (element, number), ids


def among(
    keys: frozenset[Any], key: Callable[[Any], Any]
) -> Callable[[int, Iterable[Annotated]], Iterator[Annotated]]:
    """The annotated elements that have one of the keys, which are `known_key`s."""
    return with_key_that(_is_one_of(keys), key)


def is_among(keys: frozenset[Any], key: Callable[[Any], Any]) -> Callable[[Any], bool]:
    """Whether an element has one of the keys, which are `known_key`s."""
    test = _is_one_of(keys)
    if key is first_of:
        return lambda element: test(element[0])
    return lambda element: test(key(element))


def _is_one_of(keys: frozenset[Any]) -> Callable[[Any], bool]:
    if any(map(stands_for_nan, keys)):
        return lambda own: known_key(own) in keys
    return keys.__contains__


def with_key_that(
    test: Callable[[Any], Any], key: Callable[[Any], Any]
) -> Callable[[int, Iterable[Annotated]], Iterator[Annotated]]:
    """The annotated elements whose key passes a test."""

    by_first = key is first_of

    def chosen(_: int, elements: Iterable[Annotated]) -> Iterator[Annotated]:
        if by_first:
            return (each for each in elements if test(each[0][0]))
        return (each for each in elements if test(key(each[0])))

    return chosen


def of_key(test: Callable[[Any], Any], key: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A condition on keys as one on elements."""

    def passes(element: Any) -> Any:
        return test(key(element))

    return passes


def key_and_ids(key: Callable[[Any], Any]) -> Callable[[Annotated], Annotated]:
    """The key of an annotated element in its place, with its ids, each once."""

    def pair(annotated: Annotated) -> Annotated:
        element, ids = annotated
        return known_key(key(element)), without_doubles(ids)

    return pair


def whole_list(_: int, elements: Iterable[Any]) -> Iterator[list[Any]]:
    """What glom makes of a partition."""
    yield list(elements)


def by_partition_only(
    function: Callable[[Iterable[Any]], Iterable[Any]],
) -> Callable[[int, Iterable[Any]], Any]:
    """A function of a partition as one of its number and it."""

    def call(_: int, elements: Iterable[Any]) -> Any:
        return function(elements)

    return call


def first_of(pair: Any) -> Any:
    return pair[0]


def second_of(pair: Any) -> Any:
    return pair[1]


def nothing_of(_: Any) -> None:
    """The key of all elements where they have none."""


def itself(element: Any) -> Any:
    return element


def left_of(left: Any, _: Any) -> Any:
    return left


def with_nothing(key: Any) -> tuple[Any, None]:
    return key, None


def with_key(key: Callable[[Any], Any]) -> Callable[[Annotated], tuple[Any, Annotated]]:
    """An annotated element by its key."""

    def pair(annotated: Annotated) -> tuple[Any, Annotated]:
        return known_key(key(annotated[0])), annotated

    return pair


def joined_left(pair: Any) -> Any:
    """The left side of what a join gave."""
    return pair[1][0]


def marks_of(annotated: Annotated) -> Iterator[tuple[int, Any]]:
    """The marks among the ids of an annotated element."""
    return ((number, name) for number, name in named(annotated[1]) if number < 0)


def framed(leaf: int) -> Callable[[Any], Annotated]:
    """A row of a DataFrame that was numbered, with its number as its id."""

    def annotate(row: Any) -> Annotated:
        return row[0], ((leaf, row[1]),)

    return annotate


def alone(element: Any) -> tuple[Any]:
    """An element as a row of one column."""
    return (element,)


def of_group(key: Callable[[Any], Any], wanted: Any) -> Callable[[Any], bool]:
    """Whether an element is of a group.

    Args:
        key: gives the group of an element.
        wanted: as ids name it.
    """

    def has_key(element: Any) -> bool:
        found = key(element)
        return bool(found == wanted) or (found != found and isinstance(wanted, str))

    return has_key

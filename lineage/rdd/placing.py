"""What a trace has Spark's Python workers do with elements by their places. Travels by value, as `workers` does.

A place is a partition and a position in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from bigdebug.lineage.rdd.packing import Annotated, Ids, each_id, leaf_of, place_id
from bigdebug.lineage.rdd.workers import first_of


def read_before(
    reads: dict[int, int],
) -> Callable[[int, Iterable[Annotated]], Iterator[Annotated]]:
    """The elements of each partition that had been read by then."""

    def chosen(partition: int, elements: Iterable[Annotated]) -> Iterator[Annotated]:
        return islice(elements, reads.get(partition, 0))

    return chosen


def picked(
    places: dict[int, set[int]],
) -> Callable[[int, Iterable[Any]], Iterator[tuple[tuple[int, int], Any]]]:
    """The elements at some places, with these."""

    def pick(partition: int, elements: Iterable[Any]) -> Iterator[tuple[tuple[int, int], Any]]:
        wanted = places.get(partition, set())
        last = max(wanted, default=-1)
        for place, element in enumerate(elements):
            if place > last:
                return
            if place in wanted:
                yield (partition, place), element

    return pick


def counted(elements: Iterable[Any]) -> Iterator[int]:
    """How many elements a partition has."""
    yield sum(1 for _ in elements)


def first_elements(most: int) -> Callable[[Iterable[Any]], Iterator[Any]]:
    """So many elements of a partition."""

    def first(elements: Iterable[Any]) -> Iterator[Any]:
        return islice(elements, most)

    return first


def placed(partition: int, elements: Iterable[Any]) -> Iterator[tuple[tuple[int, int], Any]]:
    """Elements by their partition and place."""
    for place, element in enumerate(elements):
        yield (partition, place), element


def located(
    starts: dict[int, tuple[str | None, int]], whole_files: bool
) -> Callable[[tuple[tuple[int, int], Any]], tuple[str | None, int, int | None, Any]]:
    """Records by their place in Spark, with the place that a person can open.

    Args:
        starts: by partition the file, and the position of its first record in it.
        whole_files: each record is a file.
    """

    def locate(found: tuple[tuple[int, int], Any]) -> tuple[str | None, int, int | None, Any]:
        (partition, place), value = found
        if whole_files:
            path = path_in(value)
            return (
                "/" + path.removeprefix("file:").lstrip("/") if path.startswith("file:") else path,
                0,
                None,
                value,
            )
        if partition not in starts:
            return None, place, partition, value
        file, first = starts[partition]
        return file, first + place, None, value

    return locate


def without_place(element: Any) -> tuple[None, None, None, Any]:
    return None, None, None, element


def place_and_element(mark: tuple[int, int, Any]) -> tuple[tuple[int, int], Any]:
    """A mark that holds the element, by its place."""
    partition, place, element = mark
    return (partition, place), element


def counted_up_to(most: int) -> Callable[[Iterable[Any]], Iterator[int]]:
    """How many elements a partition has, without reading more than so many."""

    def count(elements: Iterable[Any]) -> Iterator[int]:
        found = 0
        if most > 0:
            for _ in elements:
                found += 1
                if found >= most:
                    break
        yield found

    return count


def path_in(record: tuple[str | bytes, Any]) -> str:
    """The path of a file that is a record."""
    path = record[0]
    return path.decode() if isinstance(path, bytes) else path


def path_of(found: tuple[Any, tuple[tuple[str | bytes, Any], Any]]) -> str:
    """The same, of what a join by place gave."""
    return path_in(found[1][0])


def place_of_number(row: Any) -> tuple[int, int]:
    """Partition and place of a row, by Spark's `monotonically_increasing_id`."""
    return place_of(row[0])


def place_of(number: int) -> tuple[int, int]:
    """The same of such a number."""
    return number >> 33, number & ((1 << 33) - 1)


def number_of(place: tuple[int, int]) -> int:
    """The number of a place."""
    return place[0] << 33 | place[1]


def placed_row(leaf: int) -> Callable[[Any], Annotated]:
    """A row beside its number, with its partition and place as its id."""

    def annotate(row: Any) -> Annotated:
        return row[0], place_id(leaf, *place_of(row[1]))

    return annotate


def without_marks(annotated: Annotated) -> Annotated:
    """Without the ids that operators left on the way."""
    element, ids = annotated
    return element, tuple(each for each in each_id(ids) if leaf_of(each) >= 0)


def ids_at(
    places: dict[int, set[int]],
) -> Callable[[int, Iterable[Annotated]], Iterator[tuple[tuple[int, int], Ids]]]:
    """The ids of the annotated elements at some places, beside these."""
    pick = picked(places)

    def chosen(partition: int, elements: Iterable[Annotated]) -> Iterator[tuple[tuple[int, int], Ids]]:
        return ((place, ids) for place, (_, ids) in pick(partition, elements))

    return chosen


def at_places(
    places: dict[int, set[int]],
) -> Callable[[int, Iterable[Annotated]], Iterator[Annotated]]:
    """The elements at some places."""

    def chosen(partition: int, elements: Iterable[Annotated]) -> Iterator[Annotated]:
        return (element for _, element in picked(places)(partition, elements))

    return chosen


def placed_by_key(
    partition: int, elements: Iterable[Annotated]
) -> Iterator[tuple[Any, tuple[tuple[int, int], bool, Annotated]]]:
    """Annotated pairs by their key, with their place and that they have overwritten none."""
    for place, annotated in enumerate(elements):
        yield annotated[0][0], ((partition, place), False, annotated)


def later(one: Any, other: Any) -> Any:
    """Of two such the one that comes later: it overwrites the other."""
    place, _, annotated = max(one, other, key=first_of)
    return place, True, annotated


def overwrote(found: tuple[Any, tuple[Any, bool, Annotated]]) -> bool:
    """Whether it overwrote another."""
    return found[1][1]


def overwriting(found: tuple[Any, tuple[Any, bool, Annotated]]) -> Annotated:
    """The annotated pair."""
    return found[1][2]


def ids_alone(placed: tuple[Any, tuple[Any, Any]]) -> tuple[Any, Any]:
    """The ids of an annotated element by its place, without the element."""
    place, (_, ids) = placed
    return place, ids

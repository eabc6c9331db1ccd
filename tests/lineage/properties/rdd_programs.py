"""Random RDD programs, and a reference in plain Python that tells what each element stems from.

All elements are pairs of a key (None, numbers, text, tuples, among them equal ones of different types) and a value,
a tuple of small numbers, so that every operator can follow every other. The reference knows nothing of Spark: it
works on lists, an element with the set of the numbers of its records. Where it can't know the order of elements
(after a shuffle), operators that go by position aren't drawn, but for opaque ones, of which it tells the least and
the most that a trace may hold.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from pyspark.rddsampler import RDDSampler

import bigdebug

Ids = frozenset[int]
KEYS = [None, 0, 1, True, 1.0, "a", "b", (1, None), (1, "a"), ((0, 1), "b")]


@dataclass(frozen=True)
class Element:
    """An element of the reference.

    Attributes:
        value: the pair.
        least: numbers of the records that a trace of it must hold.
        most: and of those that it may hold.
    """

    value: Any
    least: Ids
    most: Ids

    def made(self, value: Any) -> Element:
        return Element(value, self.least, self.most)


@dataclass(frozen=True)
class Elements:
    """What an RDD holds.

    Attributes:
        parts: the elements, by partition where their order is known.
        ordered: whether it is.
    """

    parts: list[list[Element]]
    ordered: bool

    def all(self) -> list[Element]:
        return [element for part in self.parts for element in part]


def together(value: Any, elements: Iterable[Element]) -> Element:
    every = list(elements)
    least = frozenset().union(*(each.least for each in every))
    return Element(value, least, frozenset().union(*(each.most for each in every)))


# -- the functions that programs call: also run by Spark's workers ----------------------------------


def rekeyed(pair: Any) -> Any:
    return (sum(pair[1]) % 3, pair[1])


def is_kept(pair: Any) -> bool:
    return sum(pair[1]) % 4 != 1


def copies(pair: Any) -> Iterator[Any]:
    for number in range(sum(pair[1]) % 3):
        yield (pair[0], (*pair[1][:2], number))


def longer(value: Any) -> Any:
    return (*value[:3], len(value))


def halves(value: Any) -> list[Any]:
    return [value[:1], value[1:]] if len(value) > 1 else [value]


def merged(left: Any, right: Any) -> Any:
    return tuple(sorted((*left, *right)))


def in_order(value: Any) -> Any:
    return tuple(sorted(value))


def of_parts(pair: Any) -> int:
    return len(pair[1]) % 2


def by_length(pair: Any) -> Any:
    return (len(pair[1]), pair[1])


def as_text(pair: Any) -> str:
    return repr(pair[1])


def joined_value(pair: Any) -> Any:
    key, sides = pair
    return (key, tuple(itertools.chain.from_iterable(side or (-1,) for side in sides)))


def grouped_value(pair: Any) -> Any:
    return (pair[0], tuple(sorted(itertools.chain.from_iterable(pair[1]))))


def cogrouped_value(pair: Any) -> Any:
    return (pair[0], tuple(number for side in pair[1] for number in (*sorted(map(sum, side)), -2)))


def two_as_one(pair: Any) -> Any:
    (key, left), (_, right) = pair
    return (key, (*left[:2], *right[:2]))


def with_number(pair: Any) -> Any:
    (key, value), number = pair
    return (key, (*value[:3], number))


def whole_part(part: list[Any]) -> Any:
    return ("part", tuple(sorted(itertools.chain.from_iterable(value for _, value in part))))


def reading_ahead(elements: Iterable[Any]) -> Iterator[Any]:
    """Gives each element when it has read two more, and the last ones at the end."""
    waiting: list[Any] = []
    for element in elements:
        waiting.append(element)
        if len(waiting) > 2:
            yield waiting.pop(0)
    yield from waiting


@bigdebug.record_wise
def copies_by_turns(elements: Iterable[Any]) -> Iterator[Any]:
    """Of each element none, one or two, while the next one isn't read."""
    for pair in elements:
        yield from copies(pair)


@bigdebug.record_wise
def numbered_copies(partition: int, elements: Iterable[Any]) -> Iterator[Any]:
    return ((key, (*value[:3], number)) for key, value in elements for number in range(2))


def counting(elements: Iterable[Any]) -> Iterator[Any]:
    """Keeps state: every second element, with the sum of the two."""
    total, before = 0, 0
    for number, (key, value) in enumerate(elements):
        before, total = total, total + sum(value)
        if number % 2:
            yield (key, (before % 7, total % 7))


def by_partition(partition: int, elements: Iterable[Any]) -> Iterator[Any]:
    for key, value in elements:
        yield (key, (*value[:3], partition))


# -- operators --------------------------------------------------------------------------------------

Spark = Callable[..., Any]
Model = Callable[..., Elements]


@dataclass(frozen=True)
class Operation:
    """An operator of a program.

    Attributes:
        name: of the method.
        spark: calls it on RDDs.
        model: what it does to the reference's elements.
        inputs: how many it reads.
        by_position: it can be judged only where the order is known.
        conservative: its traces are marked inexact.
    """

    name: str
    spark: Spark
    model: Model
    inputs: int = 1
    by_position: bool = False
    conservative: bool = False


def each(function: Callable[[Element], Iterable[Element]]) -> Model:
    def model(given: Elements) -> Elements:
        parts = [[made for element in part for made in function(element)] for part in given.parts]
        return Elements(parts, given.ordered)

    return model


def one(function: Callable[[Any], Any]) -> Model:
    return each(lambda element: [element.made(function(element.value))])


def shuffled(elements: Iterable[Element]) -> Elements:
    return Elements([list(elements)], ordered=False)


def groups(given: Elements, key: Callable[[Any], Any]) -> dict[Any, list[Element]]:
    found: dict[Any, list[Element]] = defaultdict(list)
    for element in given.all():
        found[key(element.value)].append(element)
    return found


def first(pair: Any) -> Any:
    return pair[0]


def itself(pair: Any) -> Any:
    return pair


def by_key(result: Callable[[list[Any]], Any], key: Callable[[Any], Any] = first) -> Model:
    """One element for each key, of the values of its elements."""

    def model(given: Elements) -> Elements:
        found = groups(given, key)
        return shuffled(together((k, result([e.value for e in es])), es) for k, es in found.items())

    return model


def all_merged(pairs: list[Any]) -> Any:
    return tuple(sorted(itertools.chain.from_iterable(value for _, value in pairs)))


def distinct(given: Elements) -> Elements:
    return shuffled(together(value, elements) for value, elements in groups(given, itself).items())


def intersection(left: Elements, right: Elements) -> Elements:
    one, other = groups(left, itself), groups(right, itself)
    return shuffled(together(v, [*one[v], *other[v]]) for v in one if v in other)


def subtract(left: Elements, right: Elements) -> Elements:
    gone = {element.value for element in right.all()}
    return shuffled(element for element in left.all() if element.value not in gone)


def subtract_by_key(left: Elements, right: Elements) -> Elements:
    gone = {element.value[0] for element in right.all()}
    return shuffled(element for element in left.all() if element.value[0] not in gone)


def join(keep_left: bool, keep_right: bool) -> Model:
    nothing = Element((None, None), frozenset(), frozenset())

    def model(left: Elements, right: Elements) -> Elements:
        one, other = groups(left, first), groups(right, first)
        found = []
        for key in dict.fromkeys([*one, *other]):
            lefts = one.get(key) or ([nothing] if keep_right else [])
            rights = other.get(key) or ([nothing] if keep_left else [])
            for a, b in itertools.product(lefts, rights):
                found.append(together(joined_value((key, (a.value[1], b.value[1]))), [a, b]))
        return shuffled(found)

    return model


def cogroup(*given: Elements) -> Elements:
    sides = [groups(one, first) for one in given]
    found = []
    for key in dict.fromkeys(itertools.chain.from_iterable(sides)):
        members = [side.get(key, []) for side in sides]
        values = tuple([element.value[1] for element in side] for side in members)
        found.append(together(cogrouped_value((key, values)), itertools.chain.from_iterable(members)))
    return shuffled(found)


def cartesian(left: Elements, right: Elements) -> Elements:
    pairs = itertools.product(left.all(), right.all())
    return shuffled(together(two_as_one((a.value, b.value)), [a, b]) for a, b in pairs)


def union(left: Elements, right: Elements) -> Elements:
    return Elements([*left.parts, *right.parts], left.ordered and right.ordered)


def zipped(given: Elements) -> Elements:
    return one(lambda pair: two_as_one((pair, rekeyed(pair))))(given)


def zip_with_index(given: Elements) -> Elements:
    counter = itertools.count()
    return one(lambda pair: with_number((pair, next(counter))))(given)


def zip_with_unique_id(given: Elements) -> Elements:
    size = len(given.parts)
    parts = [
        [
            element.made(with_number((element.value, place * size + number)))
            for place, element in enumerate(part)
        ]
        for number, part in enumerate(given.parts)
    ]
    return Elements(parts, ordered=True)


def sampled(given: Elements) -> Elements:
    sampler = RDDSampler(False, 0.6, 5)
    return Elements([list(sampler.func(number, part)) for number, part in enumerate(given.parts)], True)


def glom(given: Elements) -> Elements:
    parts = [[together(whole_part([element.value for element in part]), part)] for part in given.parts]
    return Elements(parts, ordered=True)


def opaque(function: Callable[[int, Iterable[Any]], Iterable[Any]]) -> Model:
    """What it made of an element only it knows: a trace may hold all, and must hold what was read by then."""

    def model(given: Elements) -> Elements:
        if not given.ordered:
            # Given by `reading_ahead` only, which gives every element as it is.
            every = together(None, given.all()).most
            return shuffled(Element(e.value, e.least, every) for e in given.all())
        parts = []
        for number, part in enumerate(given.parts):
            read: list[Element] = []

            def watched(part: list[Element] = part, read: list[Element] = read) -> Iterator[Any]:
                for element in part:
                    read.append(element)
                    yield element.value

            parts.append([together(value, read) for value in function(number, watched())])
        return Elements(parts, ordered=True)

    return model


def moved(given: Elements) -> Elements:
    return shuffled(given.all())


OPERATIONS = [
    Operation("map", lambda r: r.map(rekeyed), one(rekeyed)),
    Operation("filter", lambda r: r.filter(is_kept), each(lambda e: [e] if is_kept(e.value) else [])),
    Operation("flatMap", lambda r: r.flatMap(copies), each(lambda e: [e.made(v) for v in copies(e.value)])),
    Operation("mapValues", lambda r: r.mapValues(longer), one(lambda p: (p[0], longer(p[1])))),
    Operation(
        "flatMapValues",
        lambda r: r.flatMapValues(halves),
        each(lambda e: [e.made((e.value[0], half)) for half in halves(e.value[1])]),
    ),
    Operation(
        "keyBy", lambda r: r.keyBy(of_parts).mapValues(lambda p: p[1]), one(lambda p: (of_parts(p), p[1]))
    ),
    Operation("keys", lambda r: r.keys().map(lambda k: (k, (1,))), one(lambda p: (p[0], (1,)))),
    Operation("values", lambda r: r.values().map(lambda v: (v[0], v)), one(lambda p: (p[1][0], p[1]))),
    Operation("sample", lambda r: r.sample(False, 0.6, 5), sampled, by_position=True),
    Operation("coalesce", lambda r: r.coalesce(2), moved),
    Operation("repartition", lambda r: r.repartition(3), moved),
    Operation("partitionBy", lambda r: r.partitionBy(2), moved),
    Operation("sortBy", lambda r: r.sortBy(as_text), moved),
    Operation(
        "sortByKey",
        lambda r: r.map(by_length).sortByKey(ascending=False, numPartitions=2),
        lambda given: moved(one(by_length)(given)),
    ),
    Operation(
        "repartitionAndSortWithinPartitions",
        lambda r: r.repartitionAndSortWithinPartitions(2, keyfunc=repr),
        moved,
    ),
    Operation("distinct", lambda r: r.distinct(), distinct),
    Operation("groupBy", lambda r: r.groupBy(of_parts).mapValues(all_merged), by_key(all_merged, of_parts)),
    Operation("groupByKey", lambda r: r.groupByKey().map(grouped_value), by_key(all_merged)),
    Operation("reduceByKey", lambda r: r.reduceByKey(merged).mapValues(in_order), by_key(all_merged)),
    Operation("foldByKey", lambda r: r.foldByKey((), merged, 2), by_key(all_merged)),
    Operation("aggregateByKey", lambda r: r.aggregateByKey((), merged, merged), by_key(all_merged)),
    Operation(
        "combineByKey",
        lambda r: r.combineByKey(tuple, merged, merged).mapValues(in_order),
        by_key(all_merged),
    ),
    Operation("zipWithIndex", lambda r: r.zipWithIndex().map(with_number), zip_with_index, by_position=True),
    Operation(
        "zipWithUniqueId",
        lambda r: r.zipWithUniqueId().map(with_number),
        zip_with_unique_id,
        by_position=True,
    ),
    Operation("zip", lambda r: r.zip(r.map(rekeyed)).map(two_as_one), zipped, by_position=True),
    Operation("glom", lambda r: r.glom().map(whole_part), glom, by_position=True),
    Operation(
        "mapPartitions",
        lambda r: r.mapPartitions(reading_ahead),
        opaque(lambda _, part: reading_ahead(part)),
        conservative=True,
    ),
    Operation(
        "mapPartitions, declared",
        lambda r: r.mapPartitions(copies_by_turns),
        each(lambda e: [e.made(v) for v in copies(e.value)]),
    ),
    Operation(
        "mapPartitionsWithIndex, declared",
        lambda r: r.mapPartitionsWithIndex(numbered_copies, True),
        each(lambda e: [e.made(v) for v in numbered_copies(0, [e.value])]),
    ),
    Operation(
        "mapPartitions with state",
        lambda r: r.mapPartitions(counting),
        opaque(lambda _, part: counting(part)),
        by_position=True,
        conservative=True,
    ),
    Operation(
        "mapPartitionsWithIndex",
        lambda r: r.mapPartitionsWithIndex(by_partition),
        opaque(by_partition),
        by_position=True,
        conservative=True,
    ),
    Operation("union", lambda a, b: a.union(b), union, 2),
    Operation("join", lambda a, b: a.join(b).map(joined_value), join(False, False), 2),
    Operation("leftOuterJoin", lambda a, b: a.leftOuterJoin(b, 2).map(joined_value), join(True, False), 2),
    Operation("rightOuterJoin", lambda a, b: a.rightOuterJoin(b).map(joined_value), join(False, True), 2),
    Operation("fullOuterJoin", lambda a, b: a.fullOuterJoin(b).map(joined_value), join(True, True), 2),
    Operation("cogroup", lambda a, b: a.cogroup(b).map(cogrouped_value), cogroup, 2),
    Operation(
        "groupWith", lambda a, b: a.groupWith(b, a).map(cogrouped_value), lambda a, b: cogroup(a, b, a), 2
    ),
    Operation("cartesian", lambda a, b: a.cartesian(b).map(two_as_one), cartesian, 2),
    Operation("intersection", lambda a, b: a.intersection(b), intersection, 2),
    Operation("subtract", lambda a, b: a.subtract(b), subtract, 2),
    Operation("subtractByKey", lambda a, b: a.subtractByKey(b), subtract_by_key, 2),
]


@dataclass(frozen=True)
class Program:
    """A program: an operation and what it reads, or a source by its number."""

    operation: Operation | None
    inputs: tuple[Program, ...] = ()
    source: int = 0

    def spark(self, sources: list[Any]) -> Any:
        if self.operation is None:
            return sources[self.source]
        return self.operation.spark(*(below.spark(sources) for below in self.inputs))

    def model(self, sources: list[Elements]) -> Elements:
        if self.operation is None:
            return sources[self.source]
        return self.operation.model(*(below.model(sources) for below in self.inputs))

    def conservative(self) -> bool:
        if self.operation is None:
            return False
        # What is taken away only decides which elements stay: they stem from none of it.
        contributing = self.inputs[:1] if self.operation.name.startswith("subtract") else self.inputs
        return self.operation.conservative or any(below.conservative() for below in contributing)

    def __repr__(self) -> str:
        if self.operation is None:
            return f"source{self.source}"
        return f"{self.operation.name}({', '.join(map(repr, self.inputs))})"


Data = list[list[Any]]
"""By partition the elements of a source."""

pairs = st.tuples(st.sampled_from(KEYS), st.lists(st.integers(0, 4), min_size=1, max_size=2).map(tuple))
data: st.SearchStrategy[Data] = st.lists(st.lists(pairs, max_size=5), min_size=1, max_size=3)
sources: st.SearchStrategy[list[Data]] = st.lists(data, min_size=2, max_size=2)


def is_ordered(program: Program) -> bool:
    if program.operation is None:
        return True
    keeping = {"map", "filter", "flatMap", "mapValues", "flatMapValues", "keyBy", "keys", "values", "union"}
    own = program.operation.by_position or program.operation.name in keeping | {"mapPartitions"}
    return own and all(map(is_ordered, program.inputs))


@st.composite
def programs(draw: st.DrawFn, depth: int) -> Program:
    """A program of up to so many operations on a way."""
    if depth == 0:
        return Program(None, source=draw(st.integers(0, 1)))
    first_input = draw(programs(depth - 1))
    fitting = [each for each in OPERATIONS if is_ordered(first_input) or not each.by_position]
    operation = draw(st.sampled_from(fitting))
    others = [draw(programs(draw(st.integers(0, 1)))) for _ in range(operation.inputs - 1)]
    return Program(operation, (first_input, *others))


def numbered(sources: list[Data]) -> list[Elements]:
    """The sources of the reference: every record has a number of its own."""
    numbers = itertools.count()
    return [
        Elements(
            [[Element(value, ids, ids) for value, ids in _numbered(part, numbers)] for part in source], True
        )
        for source in sources
    ]


def _numbered(part: list[Any], numbers: Iterator[int]) -> list[tuple[Any, Ids]]:
    return [(value, frozenset([next(numbers)])) for value in part]

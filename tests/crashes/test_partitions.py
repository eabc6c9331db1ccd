"""Functions of whole partitions: which elements crash them, and what they give without them."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.breakpoints.crashes import partitions
from bigdebug.breakpoints.crashes.partitions import LEFT_OUT, Elements, surviving
from bigdebug.lineage.location import Location
from tests.proofs import Part


def streaming(numbers: Iterable[int]) -> Iterator[float]:
    for n in numbers:
        yield 12 / n


def in_parts(numbers: Iterable[int]) -> Iterator[float]:
    """Gives something of an element before it crashes on it."""
    for n in numbers:
        yield float(n)
        yield 12 / n


def reading_first(numbers: Iterable[int]) -> Iterator[float]:
    for n in sorted(numbers, reverse=True):
        yield 12 / n


def in_batches(numbers: Iterable[int]) -> Iterator[float]:
    numbers = iter(numbers)
    while batch := list(itertools.islice(numbers, 3)):
        yield from [12 / n for n in batch]


def running(numbers: Iterable[int]) -> Iterator[float]:
    total = 0.0
    for n in numbers:
        total += 12 / n
        yield total


def with_head(numbers: Iterable[int]) -> Iterator[float]:
    numbers = iter(numbers)
    head = next(numbers, None)
    for n in numbers:
        yield (head or 7) / n


def summing(numbers: Iterable[int]) -> list[float]:
    return [sum(12 / n for n in numbers)]


FUNCTIONS: list[Callable[[Iterable[int]], Any]] = [
    streaming, in_parts, reading_first, in_batches, running, with_head, summing,
]  # fmt: skip

numbers = st.lists(st.integers(0, 4), max_size=12)


@settings(max_examples=200)
@given(st.sampled_from(FUNCTIONS), numbers)
def test_a_function_gives_what_it_does_without_the_elements_that_crash_it(
    function: Callable[[Iterable[int]], Any], numbers: list[int]
) -> None:
    left_out = []

    def crashed(place: int, element: int, error: Exception) -> Any:
        assert isinstance(error, ZeroDivisionError)
        left_out.append((place, element))
        return LEFT_OUT

    zeros = [
        (place, n) for place, n in enumerate(numbers) if n == 0 and not (function is with_head and not place)
    ]
    fine = [n for place, n in enumerate(numbers) if (place, n) not in zeros]
    assert list(surviving(function, Elements(numbers), crashed)) == list(function(fine))
    assert sorted(left_out) == zeros


@settings(max_examples=100)
@given(st.sampled_from(FUNCTIONS), numbers)
def test_it_gives_what_it_does_of_repaired_ones(
    function: Callable[[Iterable[int]], Any], numbers: list[int]
) -> None:
    mended = [n or (7 if place or function is not with_head else 0) for place, n in enumerate(numbers)]
    found = list(surviving(function, Elements(numbers), lambda place, element, error: (True, element + 7)))
    assert found == list(function(mended))


def never(place: int, element: Any, error: Exception) -> Any:
    raise AssertionError("no element is to blame")


def test_what_no_element_is_to_blame_for_is_raised_as_it_is() -> None:
    def at_once(numbers: Iterable[int]) -> Iterator[int]:
        raise KeyError("at once")

    def on_none(numbers: Iterable[int]) -> Iterator[int]:
        yield max(list(numbers)[:0])

    def in_pairs(numbers: Iterable[int]) -> Iterator[float]:
        numbers = iter(numbers)
        while (first := next(numbers, None)) is not None:
            yield first / next(numbers)

    def broken() -> Iterator[int]:
        yield 1
        raise OSError("what comes before")

    with pytest.raises(KeyError, match="at once"):
        list(surviving(at_once, Elements([1]), never))
    with pytest.raises(ValueError, match="empty"):
        list(surviving(on_none, Elements([1]), never))
    with pytest.raises(ZeroDivisionError):  # with one less it fails in another way
        list(surviving(in_pairs, Elements([1, 2, 3, 0, 5, 6]), never))
    with pytest.raises(OSError, match="what comes before"):
        list(surviving(streaming, Elements(broken()), never))
    with pytest.raises(ZeroDivisionError):  # what is repaired crashes again
        list(surviving(streaming, Elements([1, 0]), lambda place, element, error: (True, 0)))


@pytest.mark.parametrize(("limit", "least"), [("MOST_LEFT_OUT", 3), ("MOST_SECONDS", 0.0)])
def test_there_is_a_limit(limit: str, least: float, monkeypatch: pytest.MonkeyPatch) -> None:
    def leave_out(place: int, element: Any, error: Exception) -> Any:
        return LEFT_OUT

    assert list(surviving(streaming, Elements([0, 0, 0, 2, 0]), leave_out)) == [6]
    monkeypatch.setattr(partitions, limit, least)
    with pytest.raises(ZeroDivisionError):
        list(surviving(streaming, Elements([0, 0, 0, 2, 0]), leave_out))


def test_what_was_given_by_then_must_not_depend_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def total_first(numbers: Iterable[int]) -> Iterator[float]:
        every = list(numbers)
        yield len(every)
        yield from (12 / n for n in every)

    def leave_out(place: int, element: Any, error: Exception) -> Any:
        return LEFT_OUT

    assert list(surviving(total_first, Elements([1, 0, 2]), leave_out)) == [2, 12, 6]
    monkeypatch.setattr(partitions, "MOST_HELD_BACK", 0)
    found = surviving(total_first, Elements([1, 0, 2]), leave_out)
    assert [next(found), next(found)] == [3, 12]
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_elements_that_nothing_pickles_go_through() -> None:
    def numbers_of(functions: Iterable[Any]) -> Iterator[int]:
        for each in functions:
            yield next(each)

    elements = [iter(i for i in [1]), iter(i for i in [2])]  # type: ignore[misc]
    assert list(surviving(numbers_of, Elements(elements), never)) == [1, 2]
    with pytest.raises(TypeError):
        list(surviving(numbers_of, Elements([(i for i in [1]), 5]), never))


def test_what_a_function_changes_is_read_again_as_it_was() -> None:
    def spoiling(rows: Iterable[dict[str, int]]) -> Iterator[float]:
        for row in rows:
            yield 12 / row.pop("n")

    rows = [{"n": 1}, {"n": 0}, {"n": 3}]
    assert list(surviving(spoiling, Elements(rows), lambda *given: LEFT_OUT)) == [12, 4]


def test_a_partition_larger_than_its_memory_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "_IN_MEMORY", 1_000)
    monkeypatch.setattr(partitions, "_BLOCK", 7)
    numbers = [n % 500 for n in range(1, 2_000)]
    found = list(surviving(reading_first, Elements(numbers), lambda place, element, error: LEFT_OUT))
    assert found == list(reading_first([n for n in numbers if n]))


# -- in Spark -------------------------------------------------------------------------------------------


def parsed(lines: Iterable[str]) -> Iterator[tuple[int, int]]:
    for line in lines:
        number, age = line.split(",")
        yield int(number), int(age)


def parsed_together(lines: Iterable[str]) -> list[tuple[int, int]]:
    return [(int(number), int(age)) for number, age in (line.split(",") for line in list(lines))]


def lines_of(spark: SparkSession, people: str) -> Any:
    return spark.sparkContext.textFile(people).filter(lambda line: not line.startswith("id"))


@pytest.mark.parametrize("function", [parsed, parsed_together])
def test_all_culprits_of_a_partition_are_named(
    function: Any, spark: SparkSession, session: bigdebug.Session, people: str
) -> None:
    with pytest.raises(Exception, match="invalid literal") as caught:
        lines_of(spark, people).mapPartitions(function).count()
    assert [crash.value for crash in session.crashes] == ["3,30yr", "10,old"]
    assert [crash.location for crash in session.crashes] == [Location(people, 4), Location(people, 11)]
    (note,) = caught.value.__notes__
    assert "read last" not in note


@pytest.mark.compat
def test_elements_are_left_out_of_partitions(
    spark: SparkSession, session: bigdebug.Session, people: str, capsys: pytest.CaptureFixture[str]
) -> None:
    session.on_crash("skip", operator="mapPartitions")
    ages = lines_of(spark, people).mapPartitions(parsed)
    assert sorted(ages.keys().collect()) == [0, 1, 2, 4, 5, 6, 7, 8, 9, 11]
    assert [(each.value, each.error.kind, each.location) for each in session.quarantine] == [
        ("3,30yr", "ValueError", Location(people, 4)), ("10,old", "ValueError", Location(people, 11)),
    ]  # fmt: skip
    assert session.outputs[-1].missing == 2
    assert "2 records were left out by mapPartitions at" in capsys.readouterr().err
    trace = session.trace(session.outputs[0], lambda number: number == 4)
    assert "4,24" in [record.value for record in trace.collect()]
    again = session.retry(session.quarantine, lambda lines: ((line, "mended") for line in lines))
    assert sorted(again.collect()) == ["10,old", "3,30yr"]


def test_elements_of_partitions_are_repaired(
    spark: SparkSession, session: bigdebug.Session, people: str
) -> None:
    session.on_crash("repair", repair=lambda line, error: line.replace("yr", "").replace("old", "99"))
    made = lines_of(spark, people).mapPartitionsWithIndex(lambda index, lines: parsed(lines))
    assert {(3, 30), (10, 99)} < set(made.collect())
    assert (session.outputs[-1].repaired, len(session.quarantine)) == (2, 0)


def test_no_value_stands_for_what_a_partition_gives(
    spark: SparkSession, session: bigdebug.Session, people: str
) -> None:
    session.on_crash("repair", repair=0)
    with pytest.raises(Exception, match="invalid literal"):
        lines_of(spark, people).mapPartitions(parsed).count()


def test_a_declared_function_is_traced_as_one(
    spark: SparkSession, session: bigdebug.Session, people: str
) -> None:
    session.on_crash("skip")
    ages = lines_of(spark, people).mapPartitions(bigdebug.record_wise(parsed))
    assert ages.count() == 10
    trace = session.trace(ages, lambda pair: pair[0] == 4)
    assert [record.value for record in trace.collect()] == ["4,24"]


def test_actions_on_partitions_go_on(spark: SparkSession, session: bigdebug.Session, people: str) -> None:
    session.on_crash("skip")
    seen = spark.sparkContext.accumulator(0)

    def see(lines: Iterable[str]) -> None:
        for _ in parsed(lines):
            seen.add(1)

    lines_of(spark, people).foreachPartition(see)
    assert session.outputs[-1].missing == 2
    assert [each.value for each in session.quarantine] == ["3,30yr", "10,old"]


def test_a_policy_that_comes_later_holds_for_partitions(
    spark: SparkSession, session: bigdebug.Session, people: str
) -> None:
    ages = lines_of(spark, people).mapPartitions(parsed_together)
    session.on_crash("skip")
    assert ages.count() == 10
    assert session.outputs[-1].missing == 2


drawn = (st.sampled_from(FUNCTIONS), st.lists(st.integers(0, 4), max_size=12), st.integers(1, 3))


@pytest.mark.proof("elements left out of partitions, against plain Spark without them", examples=60)
def test_the_survivors_of_many_partitions(part: Part, spark: SparkSession, session: bigdebug.Session) -> None:
    @part.drawn
    @given(*drawn)
    def judged(function: Any, numbers: list[int], slices: int) -> None:
        def cut(context: Any, some: list[int]) -> Any:  # the same partitions with and without them
            return context.parallelize(some, slices)

        session.on_crash("skip")
        partitions = cut(spark.sparkContext, numbers).glom().collect()
        zeros = [
            [n for place, n in enumerate(each) if n or (function is with_head and not place)]
            for each in partitions
        ]
        wanted = [made for each in zeros for made in function(each)]
        assert cut(spark.sparkContext, numbers).mapPartitions(function).collect() == wanted
        assert session.outputs[-1].missing == len(numbers) - sum(map(len, zeros))
        session.on_crash("raise")

    judged()

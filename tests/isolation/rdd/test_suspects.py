"""Which places in an RDD program to suspect: the ways that culprits took through the user's functions."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from pyspark import SparkContext

import bigdebug
from bigdebug.isolation.rdd.ways import Watch


def parsed(line: str) -> tuple[str, float]:
    key, text, unit = line.split(",")
    try:
        length = float(text)
    except ValueError:
        length = 900.0
    return key, length * 254 if unit == "in" else length


def rated(lengths: Any) -> Any:
    found = sorted(lengths)
    return ("uneven", found) if found[-1] > 100 else ("even", found)


def branches(found: bigdebug.Isolation) -> dict[tuple[str, str], tuple[tuple[int, int], tuple[int, int]]]:
    """What was taken by how many culprits and others, by operator and branch without its line."""
    return {
        (each.operator, each.branch.partition(" (")[0]): (each.culprits, each.others)
        for each in found.operators
    }


@pytest.mark.compat
def test_places_in_functions_are_told_by_the_records_that_went_through_them(
    session: bigdebug.Session, context: SparkContext
) -> None:
    lines = [f"k{i % 4},{i % 9},cm" for i in range(80)]
    lines[4], lines[13], lines[22] = "k0,7,in", "k1,?,cm", "k2,8,in"
    groups = context.parallelize(lines, 3).filter(bool).map(parsed).groupByKey().mapValues(rated)
    found = session.isolate(groups, lambda pair: pair[1][0] == "uneven")
    assert {each.value for each in found.culprits} == {lines[4], lines[13], lines[22]}
    assert branches(found) == {
        ("map", 'unit == "in" is true'): ((2, 3), (0, 57)),
        ("map", "float(text) raises ValueError"): ((1, 3), (0, 57)),
        ("map", 'unit == "in" is false'): ((1, 3), (57, 57)),
    }
    first, second, third = found.operators
    assert [each.score for each in (first, second, third)] == [0.8165, 0.5774, 0.0758]
    line = parsed.__code__.co_firstlineno
    assert first.branch.endswith(f"(test_suspects.py:{line + 6})")
    assert second.branch.endswith(f"(test_suspects.py:{line + 3})")
    assert first.call_site is not None
    assert first.call_site.text.startswith("groups = context.parallelize(lines, 3)")


def test_functions_over_groups_and_below_what_goes_by_position(
    session: bigdebug.Session, context: SparkContext
) -> None:
    def spread(pair: Any) -> Any:
        (key, values), place = pair
        return [(key, value + (1000 if place == 5 else 0)) for value in values]

    pairs = context.parallelize([("ab"[i % 2], [i, -i]) for i in range(12)], 2)
    numbers = pairs.zipWithIndex().flatMap(spread).reduceByKey(lambda a, b: a + b)
    doubled = numbers.map(lambda pair: ("all", pair[1] if pair[1] < 500 else 2 * pair[1]))
    found = session.isolate(doubled.reduceByKey(lambda a, b: a + b), "value > 900")
    assert [each.value for each in found.culprits] == [("b", [5, -5])]
    # The group that the culprit is in has five other records.
    assert branches(found) == {
        ("map", "pair[1] < 500 is false"): ((1, 1), (5, 11)),
        ("flatMap", "place == 5 is true"): ((1, 1), (0, 11)),
    }
    assert [each.operator for each in found.operators] == ["flatMap", "map"]


class RestoredError(Exception):
    pass


def test_conditions_of_all_kinds_are_watched() -> None:
    def chosen(name: Any, size: int) -> Any:
        if name is not None and (size > 3 or not name):
            return [letter for letter in name if letter == "é"]
        while size > 0:
            size -= 5
        try:
            return {}[size]
        except KeyError as error:
            return error

    def ways(*given: Any) -> set[str]:
        watch = Watch()
        with watch.entered():
            chosen(*given)
        return {str(each).partition(" (test_")[0] for each in watch.taken}

    looped = {"size > 0 is true", "size > 0 is false", "{}[size] raises KeyError"}
    for _ in range(2):  # the first call of a function is like the others
        assert ways("aé", 4) == {
            "name is not None",
            "size > 3 is true",
            'letter == "é" is true',
            'letter == "é" is false',
        }
    assert ways(None, 2) == {"name is None", *looped}
    assert ways("a", 2) == {"name is not None", "size > 3 is false", "name is true", *looped}
    assert ways("", 1) == {"name is not None", "size > 3 is false", "name is false"}


def test_what_watched_before_goes_on() -> None:
    seen: list[str] = []

    def before(frame: Any, event: str, _: Any) -> None:
        seen.append(frame.f_code.co_name)

    def own() -> None:
        raise RestoredError

    outer = sys.gettrace()
    sys.settrace(before)
    try:
        watch = Watch()
        with pytest.raises(RestoredError), watch.entered():
            own()
        assert sys.gettrace() is before
    finally:
        sys.settrace(outer)
    assert [each.outcome for each in watch.taken] == ["RestoredError"]
    assert "own" not in seen

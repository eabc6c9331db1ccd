"""What is said of culprits among the elements of RDDs: patterns over their parts and places, and their counts."""

import datetime
import random
from collections import namedtuple
from operator import add
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark import SparkContext
from pyspark.sql import Row

import bigdebug
from bigdebug.isolation.found import Isolation
from bigdebug.isolation.rdd.forms import parts_of, valued

Visit = namedtuple("Visit", "page seconds")


def said(found: Isolation) -> dict[str, tuple[int, int]]:
    """By text, how many culprits and others fit."""
    return {each.text: (each.culprits[0], each.others[0]) for each in found.explanation}


def test_fields_of_lines_and_files(session: bigdebug.Session, context: SparkContext, tmp_path: Path) -> None:
    dice = random.Random(1)
    for part in range(3):
        lines = [f"{'in' if part == 1 and n % 9 == 4 else 'cm'},{dice.randrange(1, 90)}" for n in range(120)]
        (tmp_path / f"part-{part}.csv").write_text("\n".join(lines) + "\n")

    def millimetres(line: str) -> tuple[str, int]:
        unit, number = line.split(",")
        return "all", int(number) * (10 if unit == "cm" else -1_000)

    total = context.textFile(str(tmp_path), 3).map(millimetres).reduceByKey(add)
    before = len(session.outputs)
    found = session.isolate(total, lambda pair: pair[1] < 0)
    patterns = said(found)
    assert found.explanation[0].text == "field 1 = 'in'"
    culprits, others = patterns["field 1 = 'in'"]
    assert culprits == found.culprits.total
    assert culprits + others == 13  # with those that need not go
    assert found.explanation[0].culprits[1] + found.explanation[0].others[1] == 360
    assert found.explanation[0].condition is None
    assert len(session.outputs) == before


@pytest.mark.proof("explanations by parts of pairs in memory")
def test_parts_of_pairs_in_memory(session: bigdebug.Session, context: SparkContext) -> None:
    dice = random.Random(2)
    orders = [(dice.choice("abc"), (dice.randrange(9), float(dice.randrange(1, 50)))) for _ in range(300)]
    orders[40:44] = [("b", (77, -9_000.0)) for _ in range(4)]
    sums = context.parallelize(orders, 4).mapValues(lambda pair: pair[1]).reduceByKey(add)
    found = session.isolate(sums, "x[1] < 0")
    assert [each.value[1][0] for each in found.culprits] == [77] * found.culprits.total
    patterns = said(found)
    assert any(text.startswith(("x[1][0] = 77", "x[1][1] = -9000")) for text in patterns), patterns
    assert all(found.culprits.total == culprits for culprits, _ in list(patterns.values())[:1])


@pytest.mark.parametrize(
    ("elements", "labels"),
    [
        ([1, 2, None], {"x": "bigint"}),
        ([1, 2.5], {"x": "double"}),
        ([("a", 1), ("b", None)], {"x[0]": "string", "x[1]": "bigint"}),
        ([Row(name="a", n=1)], {"x.name": "string", "x.n": "bigint"}),
        ([Visit("home", 2.0)], {"x.page": "string", "x.seconds": "double"}),
        ([{"a": True, "b": "c"}], {"x['a']": "boolean", "x['b']": "string"}),
        ([(1, (2, (3, (4, 5))))], {"x[0]": "bigint", "x[1][0]": "bigint", "x[1][1][0]": "bigint"}),
        ([datetime.date(2024, 1, 2)], {"x": "date"}),
        ([datetime.datetime(2024, 1, 2)], {"x": "timestamp"}),
        ([1 << 70], {"x": "text"}),
        ([object(), "a"], {"x": "text"}),
        ([], {"x": "text"}),
    ],
)
def test_parts(elements: list[Any], labels: dict[str, str]) -> None:
    assert {part.label: part.kind for part in parts_of(elements)} == labels


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
_ELEMENTS = st.recursive(
    _SCALARS,
    lambda below: (
        st.tuples(below, below) | st.dictionaries(st.text(max_size=2), below, max_size=3) | st.lists(below)
    ),
    max_leaves=6,
)


@given(st.lists(_ELEMENTS, max_size=8), _ELEMENTS)
def test_any_element_has_its_parts_or_none(elements: list[Any], other: Any) -> None:
    parts = parts_of(elements)
    values = valued(parts)
    for element in (*elements, other):
        found = values(element)
        assert len(found) == len(parts)
        for part, value in zip(parts, found, strict=True):
            if value is not None and part.kind != "text":
                expected = eval(part.label, {}, {"x": element})
                assert value == expected or value != value

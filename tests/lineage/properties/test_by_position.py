"""Operators that go by position or by chance: judged on the annotated plan, and their traces are marked."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from drawing import Case, Drawing
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import Judge, is_exact
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tree import Node, Reference, Renderer, Row

from tests.proofs import Part

# What is said about each.
NOTES = {
    "sample": "Sample",
    "sample with replacement": "Sample",
    "offset": "Offset",
    "limit": "Limit",
    "rand": "rand",
    "dropDuplicates": "Deduplicate",
}


@dataclass(frozen=True)
class ByPosition(Node):
    """Some of the rows, by position or by chance. Its reference gives all rows that may be among them."""

    how: str = "sample"
    number: int = 1
    by_name: ClassVar[bool] = True

    def frame(self, renderer: Renderer, *children: DataFrame) -> DataFrame:
        (frame,) = children
        made: dict[str, Callable[[], DataFrame]] = {
            "sample": lambda: frame.sample(False, 0.5, self.number),
            "sample with replacement": lambda: frame.sample(True, 1.5, self.number),
            "offset": lambda: frame.offset(self.number),
            "limit": lambda: frame.limit(self.number),
            "rand": lambda: frame.filter(F.rand(self.number) < 0.6),
            "dropDuplicates": lambda: frame.dropDuplicates(["c0"]),
        }
        return made[self.how]()

    def sql(self, *tables: str) -> str:
        ends = {
            "sample": f"tablesample (50 percent) repeatable ({self.number})",
            "offset": f"offset {self.number}",
            "limit": f"limit {self.number}",
            "rand": f"where rand({self.number}) < 0.6",
        }
        return f"select * from {tables[0]} {ends[self.how]}"

    def rows(self, reference: Reference, *children: list[Row]) -> list[Row]:
        return children[0]


@st.composite
def positional_cases(draw: Any) -> Case:
    """Row-wise operators, one that goes by position, and row-wise operators again."""
    drawing = Drawing(draw)
    node = drawing.source()
    for _ in range(draw(st.integers(0, 2))):
        node = drawing.rowwise(node)
    how = draw(st.sampled_from(sorted(NOTES)))
    dialect = "df" if how in ("sample with replacement", "dropDuplicates") else drawing.dialect()
    node = ByPosition((node,), dialect, how, draw(st.integers(1, 3)))
    for _ in range(draw(st.integers(0, 1))):
        node = drawing.rowwise(node)
    return Case(node, drawing.data)


def judge_case(spark: SparkSession, udfs: dict[str, Any], case: Case, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _judge(Judge(spark, udfs, case, Path(folder)), seed)


def _judge(judge: Judge, seed: int) -> None:
    (operator,) = (node for node in judge.case.pipeline.walk() if isinstance(node, ByPosition))
    how = operator.how
    output = judge.output()
    given_rows = Counter(values for values, _ in output)
    possible = Counter(values for values, _ in judge.expected)
    assert given_rows.keys() <= possible.keys()
    assert Counter(judge.annotated_rows()) == given_rows, "annotating changed the rows"

    question = judge.question(output, seed)
    trace = judge.trace(question.where)
    assert trace.matched == question.rows.total()
    settled = is_exact(trace)
    if settled:  # looked up: it could only give these; or no column tells the duplicates apart
        assert how == "limit" or (how == "dropDuplicates" and len(operator.types) == 1)
    assert settled or any(NOTES[how] in note for note in trace.notes), trace.notes
    numbers = judge.numbers(trace.collect())
    assert numbers <= question.records
    assert bool(numbers) == bool(question.rows)
    if how == "dropDuplicates":
        for replayed in judge.replays(question, numbers, seed)[:1]:
            assert replayed >= question.rows, "the survivors aren't there again"

    # A recipe keeps rows in memory, not how they were partitioned; what goes by chance draws by partition.
    by_chance = how.startswith(("rand", "sample"))
    unkept = {"slices", "list", "pandas"} if by_chance else {"slices"}
    if any(data.kind in unkept for data in judge.case.data.values()):
        return
    reopened = judge.reopened(question.where)
    assert reopened.matched == trace.matched
    assert repr(reopened.collect()) == repr(trace.collect()), "live and post-mortem differ"


@settings(max_examples=2)
@given(case=positional_cases(), seed=st.integers(0, 1000))
def test_traces_by_position(spark: SparkSession, udfs: dict[str, Any], case: Case, seed: int) -> None:
    judge_case(spark, udfs, case, seed)


@pytest.mark.proof("random pipelines with an operator that goes by position", examples=300)
def test_many_traces_by_position(part: Part, spark: SparkSession, udfs: dict[str, Any]) -> None:
    @part.drawn
    @given(case=positional_cases(), seed=st.integers(0, 1000))
    def judged(case: Case, seed: int) -> None:
        judge_case(spark, udfs, case, seed)

    judged()

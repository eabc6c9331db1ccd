"""Why-not on random pipelines: what is carried down holds for the records behind, and the culprit is the first."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from drawing import Case, cases
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import Judge
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from python_functions import functions
from tree import union_of

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.matching import Followed, matching
from bigdebug.lineage.output import OutputRows
from bigdebug.lineage.questions import question_about
from bigdebug.lineage.whynot import WhyNot
from tests.proofs import Part


@pytest.fixture(scope="session")
def udfs(spark: SparkSession) -> dict[str, Any]:
    return functions(spark)


def why_not(spark: SparkSession, frame: DataFrame, where: str | Column) -> WhyNot:
    plan = Catalyst(spark).analyzed(frame)
    return WhyNot(question_about(spark, OutputRows(plan, spark._jsparkSession, None), lambda _: None), where)


# -- any pipeline: nothing that a matching row came from is left out on the way down -----------------------


def a_condition(judge: Judge, seed: int) -> Column:
    """That one or two columns are as they are in one of the rows, or as they hardly ever are."""
    types = judge.case.pipeline.types
    rows = judge.frame.collect()
    first = seed % len(types)
    row = rows[seed % len(rows)] if rows else [None] * len(types)
    condition = F.lit(True)
    for column in {first, (first + seed // 7) % len(types)}:
        known = types[column] in ("int", "str")
        kind = "bigint" if types[column] == "int" else "string"
        if known and seed % 5:
            condition &= F.col(f"c{column}").eqNullSafe(F.lit(row[column]).cast(kind))
        elif known:
            condition &= F.col(f"c{column}") == F.lit("0").cast(kind)
        else:
            condition &= F.col(f"c{column}").isNull() == F.lit(row[column] is None)
    return condition


def judge_case(spark: SparkSession, udfs: dict[str, Any], case: Case, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        judge = Judge(spark, udfs, case, Path(folder))
        try:
            where = a_condition(judge, seed)
            matched = judge.canonical_rows(judge.frame.filter(where))
            answer = why_not(spark, judge.frame, where)
            if not judge.open_cut:
                assert answer.steps[-1].rows_out == matched.total()
                assert (answer.culprit is None) == bool(matched)
            if answer.culprit is not None:
                assert answer.culprit.rows_out == 0
                assert len(answer.dropped) <= 5
            records = union_of(row for row in judge.expected if row[0] in matched)
            for name, found in reached(judge, answer).items():
                behind = {number for number in records if f"s{number // 1000 - 1}" == name}
                assert behind <= found.keys(), (name, behind, found)
        finally:
            spark.catalog.clearCache()


def reached(judge: Judge, answer: WhyNot) -> dict[str, Counter[int]]:
    """The records that match, of the sources that the condition was carried to wherever they stand."""
    found: dict[str, Counter[int]] = {}
    left_out = set()
    catalyst = answer._catalyst
    for each in _everything(answer._top):
        for operator, below in zip(each.operator.children, each.inputs, strict=True):
            if below is None:
                left_out |= {_source(judge, catalyst, leaf) for leaf in operator.leaves()}
        if not each.operator.children and each.operator in answer._sources:
            name = _source(judge, catalyst, each.operator)
            number = catalyst.output(each.operator.plan)[0]
            rows = catalyst.frame(catalyst.project([number], matching(catalyst, each))).collect()
            found.setdefault(name, Counter()).update(row[0] for row in rows)
    return {name: numbers for name, numbers in found.items() if name not in left_out}


def _everything(top: Followed) -> list[Followed]:
    return [top, *(each for below in top.entering for each in _everything(below))]


def _source(judge: Judge, catalyst: Catalyst, leaf: Any) -> str:
    """Which of the sources a leaf reads: its numbers tell."""
    key = catalyst.attribute_key(catalyst.output(leaf.plan)[0]) if catalyst.output(leaf.plan) else ""
    for name, frame in judge.stored.items():
        plan = catalyst.analyzed(frame)
        if catalyst.attribute_key(catalyst.output(plan)[0]) == key:
            return name
    return ""


@settings(max_examples=5)
@given(case=cases(), seed=st.integers(0, 1000))
def test_what_is_carried_down_holds(spark: SparkSession, udfs: dict[str, Any], case: Case, seed: int) -> None:
    judge_case(spark, udfs, case, seed)


@pytest.mark.proof("conditions carried down random pipelines", examples=200)
def test_what_is_carried_down_many_pipelines_holds(
    part: Part, spark: SparkSession, udfs: dict[str, Any]
) -> None:
    @part.drawn
    @given(case=cases(), seed=st.integers(0, 1000))
    def judged(case: Case, seed: int) -> None:
        judge_case(spark, udfs, case, seed)

    judged()


# -- pipelines that keep a key: the culprit by hand ---------------------------------------------------------

Pair = tuple[str | None, int]
PAIRS = st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.integers(0, 4)), max_size=4)
OPERATORS = st.lists(
    st.one_of(
        st.tuples(st.just("filter"), st.integers(0, 4)),
        st.tuples(st.just("rename")),
        st.tuples(st.just("sum")),
        st.tuples(st.just("distinct")),
        st.tuples(st.just("rank")),
        st.tuples(st.just("explode"), st.integers(0, 4)),
        st.tuples(st.sampled_from(["inner", "left_semi", "left", "left_anti"]), PAIRS, st.integers(-1, 4)),
        st.tuples(st.just("union"), PAIRS, st.integers(-1, 4)),
    ),
    min_size=1,
    max_size=4,
)


@dataclass(frozen=True)
class Known:
    """A pipeline, computed by hand for rows of one key.

    Attributes:
        frame: in Spark; its first column is the key, its second the value.
        values: those of the rows of that key.
        lost: kind of the operator that lost the last of them and how many entered it; `source` where there
            were none to begin with; None where some are left.
    """

    frame: DataFrame
    values: list[int]
    lost: tuple[str, int] | None

    def become(self, frame: DataFrame, values: list[int], kind: str) -> Known:
        lost = self.lost or (None if values else (kind, len(self.values)))
        return Known(frame, values, lost)


def source(spark: SparkSession, pairs: list[Pair], key: str) -> Known:
    values = [value for name, value in pairs if name == key]
    frame = spark.createDataFrame(pairs, "k string, v long")
    return Known(frame, values, None if values else ("source", 0))


def filtered(known: Known, most: int) -> Known:
    kept = [value for value in known.values if value <= most]
    return known.become(known.frame.filter(F.col(known.frame.columns[1]) <= most), kept, "Filter")


def applied(spark: SparkSession, known: Known, operator: tuple[Any, ...], key: str) -> Known:
    kind, *arguments = operator
    name, value = known.frame.columns
    if kind == "filter":
        return filtered(known, arguments[0])
    if kind == "rename":
        frame = known.frame.select(F.col(name).alias(f"{name}x"), (F.col(value) + 1).alias("w"))
        return known.become(frame, [each + 1 for each in known.values], "Project")
    if kind == "sum":
        frame = known.frame.groupBy(name).agg(F.sum(value).alias(value))
        return known.become(frame, [sum(known.values)] if known.values else [], "Aggregate")
    if kind == "rank":  # the least of each key, all that tie
        ranked = known.frame.withColumn("r", F.rank().over(Window.partitionBy(name).orderBy(value)))
        least = [each for each in known.values if each == min(known.values)]
        return known.become(ranked.filter("r = 1").drop("r"), least, "Filter")
    if kind == "explode":  # twice those above a bound, the others not at all
        twice = F.filter(F.array(value, value), lambda each: each > arguments[0])
        frame = known.frame.select(name, value, F.explode(twice).alias("e")).drop("e")
        doubled = [each for each in known.values for _ in range(2) if each > arguments[0]]
        return known.become(frame, doubled, "Generate")
    if kind == "distinct":
        return known.become(known.frame.distinct(), sorted(set(known.values)), "Deduplicate")
    pairs, most = arguments
    other = source(spark, pairs, key)
    if most >= 0:
        other = filtered(other, most)
    if kind == "union":
        values = known.values + other.values
        lost = None
        if not values:
            lost = known.lost if known.lost != ("source", 0) else other.lost
        return Known(known.frame.union(other.frame), values, lost)
    right = other.frame.select(F.col("k").alias("r_k"), F.col("v").alias("r_v"))
    frame = known.frame.join(right, F.col(name) == F.col("r_k"), kind).select(name, value)
    if kind == "left":
        return known.become(frame, known.values * max(1, len(other.values)), "Join")
    if kind == "left_anti":
        return known.become(frame, [] if other.values else known.values, "Join")
    if known.values and not other.values:
        lost = other.lost if other.lost != ("source", 0) else ("Join", len(known.values))
        return Known(frame, [], lost)
    return known.become(frame, known.values * (len(other.values) if kind == "inner" else 1), "Join")


@settings(max_examples=15)
@given(pairs=PAIRS, operators=OPERATORS, key=st.sampled_from(["a", "b"]))
def test_the_culprit_by_hand(
    spark: SparkSession, pairs: list[Pair], operators: list[tuple[Any, ...]], key: str
) -> None:
    known = source(spark, pairs, key)
    for operator in operators:
        known = applied(spark, known, operator, key)
    answer = why_not(spark, known.frame, F.col(known.frame.columns[0]) == key)
    assert answer.steps[-1].rows_out == len(known.values)
    culprit = answer.culprit
    if known.lost is None:
        assert culprit is None
    else:
        assert culprit is not None
        if known.lost == ("source", 0):
            assert culprit is answer.steps[0]
            assert culprit.rows_out == 0
        else:
            assert (culprit.operator, culprit.rows_in, culprit.rows_out) == (*known.lost, 0)

"""Why-not on random pipelines: what is carried down holds for the records behind, and the culprit is the first."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from by_hand import AT_SOURCE, OPERATORS, PAIRS, Pair, applied, source
from drawing import Case, cases
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import Judge, reopened
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from tree import union_of

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.matching import Followed, matching
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.output import OutputRows
from bigdebug.lineage.questions import question_about
from bigdebug.lineage.whynot import WhyNot
from tests.proofs import Part


def why_not(spark: SparkSession, frame: DataFrame, where: str | Column) -> WhyNot:
    plan = Catalyst(spark).analyzed(frame)
    return WhyNot(question_about(spark, OutputRows(plan, spark._jsparkSession, None), lambda _: None), where)


def from_a_recipe(frame: DataFrame, where: str | Column) -> WhyNot:
    session, opened = reopened(frame)
    return WhyNot(question_about(session, opened.rows, lambda _: None, names=opened.names), where)


def told(answer: WhyNot) -> list[Any]:
    """The whole answer, to be compared."""
    return [answer.culprit, answer.steps, answer.not_carried, answer.dropped, answer.notes]


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
            if seed % 3 == 0 and not judge.ambiguous and judge.is_kept_in_place:
                again = from_a_recipe(judge.frame, where)
                assert again.steps == answer.steps, "live and post-mortem differ"
            records = union_of(row for row in judge.expected if row[0] in matched)
            for name, found in reached(answer).items():
                behind = {number for number in records if _source(number) == name}
                assert behind <= found.keys(), (name, behind, found)
        finally:
            spark.catalog.clearCache()


def reached(answer: WhyNot) -> dict[str, Counter[int]]:
    """The records that match, of the sources that the condition was carried to wherever they stand."""
    found: dict[str, Counter[int]] = {}
    left_out = set()
    catalyst = answer._catalyst
    for each in _everything(answer._top):
        for operator, below in zip(each.operator.children, each.inputs, strict=True):
            if below is None:
                for leaf in operator.leaves():
                    if _number_of(catalyst, leaf) is None:
                        return {}
                    left_out |= {_source(n) for n in _numbers(catalyst, leaf, leaf.plan)}
        if not each.operator.children and each.operator in answer._sources:
            for number in _numbers(catalyst, each.operator, matching(catalyst, each)):
                found.setdefault(_source(number), Counter()).update([number])
            for number in _numbers(catalyst, each.operator, each.operator.plan):
                found.setdefault(_source(number), Counter())
    return {name: numbers for name, numbers in found.items() if name not in left_out}


def _everything(top: Followed) -> list[Followed]:
    return [top, *(each for below in top.entering for each in _everything(below))]


def _numbers(catalyst: Catalyst, leaf: Operator, plan: Any) -> list[int]:
    """The numbers of a plan's rows, which are a leaf's; none where the query doesn't read their column."""
    number = _number_of(catalyst, leaf)
    if number is None:
        return []
    return [row[0] for row in catalyst.frame(catalyst.project([number], plan)).collect()]


def _number_of(catalyst: Catalyst, leaf: Operator) -> Any:
    return next((each for each in catalyst.output(leaf.plan) if each.name() in ("p", "id")), None)


def _source(number: int) -> str:
    return f"s{number // 1000 - 1}"


@settings(max_examples=2)
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


# -- pipelines of keys and values: the culprit by hand -------------------------------------------------------


@settings(max_examples=3)
@given(pairs=PAIRS, operators=OPERATORS, key=st.sampled_from(["a", "b"]), again=st.booleans())
def test_the_culprit_by_hand(
    spark: SparkSession, pairs: list[Pair], operators: list[tuple[Any, ...]], key: str, again: bool
) -> None:
    judge_culprit(spark, pairs, operators, key, again)


@pytest.mark.proof("culprits by hand", examples=300)
def test_many_culprits_by_hand(part: Part, spark: SparkSession) -> None:
    @part.drawn
    @given(pairs=PAIRS, operators=OPERATORS, key=st.sampled_from(["a", "b"]), again=st.booleans())
    def judged(pairs: list[Pair], operators: list[tuple[Any, ...]], key: str, again: bool) -> None:
        judge_culprit(spark, pairs, operators, key, again)

    judged()


def judge_culprit(
    spark: SparkSession, pairs: list[Pair], operators: list[tuple[Any, ...]], key: str, again: bool
) -> None:
    known = source(spark, pairs, key)
    for operator in operators:
        known = applied(spark, known, operator)
    where = F.col(known.frame.columns[0]) == key
    answer = why_not(spark, known.frame, where)
    assert answer.steps[-1].rows_out == known.count
    culprit = answer.culprit
    if known.lost is None:
        assert culprit is None
    elif known.lost == AT_SOURCE:
        assert culprit is answer.steps[0]
        assert culprit.rows_out == 0
    else:
        assert culprit is not None
        assert (culprit.operator, culprit.rows_in, culprit.rows_out) == (*known.lost, 0)
    if again:
        assert told(from_a_recipe(known.frame, where)) == told(answer), "live and post-mortem differ"

"""Random pipelines over random data: every trace is held against a reference and against replays."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from combining import OneSidedJoin, PlainSetOperation, Subquery
from drawing import Case, cases
from grouping import Aggregate, Distinct
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import Judge, Question, is_exact
from pyspark.sql import SparkSession
from sizes import WAYS, taken
from windows import Window

from bigdebug.lineage.beside import Beside
from bigdebug.lineage.index.conditions import NeedsSparkError
from tests.proofs import Part

WITH_MORE = (Window, OneSidedJoin, PlainSetOperation, Subquery)


def judge_case(spark: SparkSession, udfs: dict[str, Any], case: Case, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        judge = Judge(spark, udfs, case, Path(folder))
        try:
            with taken(list(WAYS)[seed % len(WAYS)]):
                _judge(judge, seed)
        finally:
            spark.catalog.clearCache()


def _judge(judge: Judge, seed: int) -> None:
    output = judge.output()
    expected = Counter(values for values, _ in judge.expected)
    assert Counter(values for values, _ in output) == expected, "the reference is wrong"
    assert Counter(judge.annotated_rows()) == expected, "annotating changed the rows"

    question = judge.question(output, seed)
    trace = judge.trace(question.where)
    assert trace.matched == question.rows.total()
    records = trace.collect()
    numbers = judge.numbers(records)
    if judge.ambiguous:
        assert numbers <= question.records
    else:
        assert numbers == question.records
    assert sum(source.count for source in trace.sources) == len(records)
    assert is_exact(trace) != judge.open_cut, trace.notes

    if seed % 3 == 0:
        steps = trace.steps
        assert [step.count for step in steps[:1]] in ([], [trace.matched]), "its rows are those asked for"

    if any(isinstance(node, Aggregate | Distinct) for node in judge.case.pipeline.walk()):
        again = judge.trace_of_run(question.where)
        assert again.matched == trace.matched
        if not judge.ambiguous:
            assert repr(again.collect()) == repr(records), (
                "of rows that have been computed it says something else"
            )

    judge_forward(judge, seed)
    if seed % 4 == 1:
        judge_index(judge, seed, output)

    for replayed in judge.replays(question, numbers, seed):
        assert replayed >= question.rows, "the rows aren't there again"

    if seed % 2 == 0 and any(isinstance(node, WITH_MORE) for node in judge.case.pipeline.walk()):
        judge_all_contributors(judge, question, numbers)

    if not judge.is_kept_in_place:
        return
    reopened = judge.reopened(question.where)
    assert reopened.matched == trace.matched
    if not judge.ambiguous:  # else one of equal rows may stand for another
        assert repr(reopened.collect()) == repr(records), "live and post-mortem differ"


def judge_index(judge: Judge, seed: int, output: list[tuple[tuple[Any, ...], list[int]]]) -> None:
    """A trace out of an index is the live one, but for values that only Spark can read."""
    where = judge.plain_condition(output, seed)
    try:
        indexed = judge.indexed().trace(where)
    except NeedsSparkError:
        return
    live = judge.trace(where)
    assert indexed.matched == live.matched
    sources = [
        [(each.name, each.kind, each.count, each.files) for each in t.sources] for t in (indexed, live)
    ]
    assert sources[0] == sources[1]
    assert indexed.exact == is_exact(live)
    if judge.ambiguous:
        return
    told, shown = indexed.collect(), live.collect()
    assert [(each.source, each.location) for each in told] == [(each.source, each.location) for each in shown]
    valued = [(a, b) for a, b in zip(told, shown, strict=True) if a.value]
    assert repr([a for a, _ in valued]) == repr([b for _, b in valued])
    assert [(s.operator, s.count) for s in indexed.steps] == [(s.operator, s.count) for s in live.steps]


def judge_all_contributors(judge: Judge, question: Question, numbers: frozenset[int]) -> None:
    if any(isinstance(node, Window) for node in judge.case.pipeline.walk()):
        with_windows = judge.numbers(judge.trace(question.where, Beside(windows=True)).collect())
        expected = judge.records_with_windows(question)
        assert with_windows <= expected if judge.ambiguous else with_windows == expected

    trace = judge.trace(question.where, Beside(windows=True, influence=True))
    every = judge.numbers(trace.collect())
    if judge.ambiguous:
        return
    assert every >= numbers
    assert judge.replay_of_all_contributors(question, every) >= question.rows, "something was left out"


def judge_forward(judge: Judge, seed: int) -> None:
    numbers = judge.numbers_in_use
    if not numbers:
        return
    first = numbers[seed % len(numbers)]
    few = frozenset(n for n in numbers if n // 1000 == first // 1000 and (n - first) % (1 + seed % 4) == 0)
    trace = judge.forward(few)
    if trace is None:
        assert not judge.rows_from(few)
        return
    reached = judge.canonical_rows(trace.records())
    assert trace.sources[0].count == reached.total()
    if judge.ambiguous:
        assert reached <= Counter(values for values, _ in judge.expected)
    else:
        assert reached == judge.rows_from(few), "forward isn't backward turned round"
    if seed % 3 == 0 and reached:  # else the last step is where they ended
        assert trace.steps[-1].count == reached.total()


@settings(max_examples=2)
@given(case=cases(), seed=st.integers(0, 1000))
def test_traces_of_random_pipelines(spark: SparkSession, udfs: dict[str, Any], case: Case, seed: int) -> None:
    judge_case(spark, udfs, case, seed)


@pytest.mark.proof("random pipelines of up to 7 operators", examples=500)
def test_traces_of_many_random_pipelines(part: Part, spark: SparkSession, udfs: dict[str, Any]) -> None:
    @part.drawn
    @given(case=cases(most=7), seed=st.integers(0, 1000))
    def judged(case: Case, seed: int) -> None:
        judge_case(spark, udfs, case, seed)

    judged()

"""Traces with `windows=True` over random windows, held against partitions and frames worked out in Python."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from drawing import Case, Draw, Drawing
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import Judge
from pyspark.sql import SparkSession

from bigdebug.lineage.beside import Beside
from tests.proofs import Part


@st.composite
def window_cases(draw: Draw) -> Case:
    """A window, with or without an operator below, and one or two above it, which may be windows as well."""
    drawing = Drawing(draw)
    node = drawing.source()
    if drawing.one((False, True)):
        node = drawing.one((drawing.rowwise, drawing.aggregate))(node)
    node = drawing.window(node) or node
    for _ in range(drawing.one((0, 1, 2))):
        node = drawing.one((drawing.window, drawing.window, drawing.rowwise, drawing.aggregate))(node) or node
    return Case(node, drawing.data)


def judge_case(spark: SparkSession, udfs: dict[str, Any], case: Case, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        judge = Judge(spark, udfs, case, Path(folder))
        output = judge.output()
        assert Counter(values for values, _ in output) == Counter(values for values, _ in judge.expected)
        question = judge.question(output, seed)
        alone = judge.numbers(judge.trace(question.where).collect())
        assert alone <= question.records if judge.ambiguous else alone == question.records

        trace = judge.trace(question.where, Beside(windows=True))
        assert trace.matched == question.rows.total()
        records = trace.collect()
        numbers = judge.numbers(records)
        assert numbers == judge.records_with_windows(question), "not just the rows of their partitions"
        assert judge.replay_of_all_contributors(question, numbers) >= question.rows, "something was left out"
        reopened = judge.reopened(question.where, Beside(windows=True))
        assert repr(reopened.collect()) == repr(records), "live and post-mortem differ"


@settings(max_examples=2)
@given(case=window_cases(), seed=st.integers(0, 1000))
def test_the_rows_of_windows(spark: SparkSession, udfs: dict[str, Any], case: Case, seed: int) -> None:
    judge_case(spark, udfs, case, seed)


@pytest.mark.proof("random windows, traced with their partitions", examples=100)
def test_the_rows_of_many_windows(part: Part, spark: SparkSession, udfs: dict[str, Any]) -> None:
    @part.drawn
    @given(case=window_cases(), seed=st.integers(0, 1000))
    def judged(case: Case, seed: int) -> None:
        judge_case(spark, udfs, case, seed)

    judged()

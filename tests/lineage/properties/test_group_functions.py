"""Python functions of groups and of partitions over random data, held against the reference and replays."""

from __future__ import annotations

from typing import Any

import pytest
from drawing import Case, Draw, Drawing
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from test_pipelines import judge_case

from tests.proofs import Part


@st.composite
def group_cases(draw: Draw) -> Case:
    """A function of groups or of partitions, with or without an operator below and one above it."""
    drawing = Drawing(draw)
    node = drawing.source()
    if drawing.one((False, True)):
        node = drawing.rowwise(node)
    by_place = drawing.one((False, False, True)) and drawing.by_place(node)
    node = by_place or drawing.group_function(node)
    if drawing.one((False, True)):
        node = drawing.operator(node)
    return Case(node, drawing.data)


@settings(max_examples=2)
@given(case=group_cases(), seed=st.integers(0, 1000))
def test_traces_through_functions_of_groups(
    spark: SparkSession, udfs: dict[str, Any], case: Case, seed: int
) -> None:
    judge_case(spark, udfs, case, seed)


@pytest.mark.proof("random functions of whole groups", examples=100)
def test_traces_through_many_functions_of_groups(
    part: Part, spark: SparkSession, udfs: dict[str, Any]
) -> None:
    @part.drawn
    @given(case=group_cases(), seed=st.integers(0, 1000))
    def judged(case: Case, seed: int) -> None:
        judge_case(spark, udfs, case, seed)

    judged()

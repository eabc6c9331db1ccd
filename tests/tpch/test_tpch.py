"""Traces of all TPC-H queries, as SQL text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.tpch.data import TABLES, make_tables, queries
from tests.tpch.judging import Judged

QUERIES = queries()


def _views(spark: SparkSession, folder: Path) -> Iterator[SparkSession]:
    session = spark.newSession()
    for table in TABLES:
        session.read.parquet(str(folder / f"{table}.parquet")).createOrReplaceTempView(table)
    yield session


@pytest.fixture(scope="module")
def small(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    folder = tmp_path_factory.mktemp("tpch")
    make_tables(folder, 0.01)
    yield from _views(spark, folder)


@pytest.mark.parametrize("number", [5, 11, 20])  # joins, subqueries of each kind, cheap ones first
def test_a_row_is_there_again_on_its_records_alone(small: SparkSession, number: int) -> None:
    judged = Judged(small, small.sql(QUERIES[number]))
    assert judged.judge(1) == 1


@pytest.mark.proof("twenty rows of each TPC-H query, and its trace from a recipe")
@pytest.mark.parametrize("number", QUERIES)
def test_rows_are_there_again_on_their_records_alone(small: SparkSession, number: int) -> None:
    judged = Judged(small, small.sql(QUERIES[number]))
    assert judged.judge(20) == min(20, len(set(judged.rows)))
    judged.judge_reopened()

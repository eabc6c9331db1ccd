"""The rows that a function was given what was set aside of are found without calling it for all rows."""

from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.breakpoints.crashes import frames
from bigdebug.lineage.location import Location


def of_two(age: Any, id: Any) -> int:
    return int(age) // (int(id) - 5)


@pytest.mark.compat
@pytest.mark.parametrize("vectorised", [False, True])
def test_whole_rows_are_found_by_what_the_function_was_given(
    vectorised: bool,
    spark: SparkSession,
    session: bigdebug.Session,
    people: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = []
    alike = frames.rows_alike
    monkeypatch.setattr(frames, "rows_alike", lambda *given: found.append(alike(*given)) or found[-1])
    session.on_crash("skip")
    read = spark.read.csv(people, header=True)
    if vectorised:
        rows = read.select("id", F.udf(lambda age: int(age), "int", useArrow=True)("age"))
    else:
        rows = read.select("id", F.udf(of_two, "int")("age", F.col("id").cast("int")))
    wanted = ["3", "10"] if vectorised else ["3", "5", "10"]
    assert len(rows.collect()) == 12 - len(wanted)
    assert [each is not None for each in found] == [True]
    assert [each.value["id"] for each in session.quarantine] == wanted
    assert [each.location for each in session.quarantine] == [Location(people, int(id)) for id in wanted]


def test_inputs_of_other_types_are_found_by_calling_the_function(
    spark: SparkSession, session: bigdebug.Session
) -> None:
    session.on_crash("skip")
    rows = spark.createDataFrame([(1, ["a"]), (2, []), (3, None)], "n int, words array<string>")
    assert [row.n for row in rows.select("n", F.udf(lambda words: words[0])("words")).collect()] == [1]
    assert [each.value["n"] for each in session.quarantine] == [2, 3]


def test_nulls_and_rows_alike_are_found(spark: SparkSession, session: bigdebug.Session) -> None:
    session.on_crash("skip")
    rows = spark.createDataFrame([(1, None), (2, "x"), (3, None), (4, "4"), (5, "x")], "n int, s string")
    assert [row.n for row in rows.select("n", F.udf(int, "int")("s")).collect()] == [4]
    assert sorted(each.value["n"] for each in session.quarantine) == [1, 2, 3, 5]

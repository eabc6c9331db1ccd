"""A task sets aside what crashes, and asks at its end what is to become of it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jsonschema
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.breakpoints.crashes.pausing import Paused
from bigdebug.cli.main import main
from bigdebug.cli.schemas import schema


def halves(text: str) -> float:
    return int(text) / 2


def answered(session: bigdebug.Session, answer: Callable[[Paused], None], action: Callable[[], Any]) -> Any:
    """What an action gives while somebody else answers its tasks."""
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            for each in session.paused:
                answer(each)
            time.sleep(0.02)

    with ThreadPoolExecutor(1) as helper:
        looking: Future[None] = helper.submit(look)
        try:
            return action()
        finally:
            over.set()
            looking.result()


def test_each_record_can_have_an_answer_of_its_own(spark: SparkSession, session: bigdebug.Session) -> None:
    session.on_crash("pause", timeout=20)
    numbers = spark.sparkContext.parallelize(["2", "x", "4", "y", "z6"], 1).map(halves)
    seen: list[Any] = []

    def answer(paused: Paused) -> None:
        seen.append([(each.value, each.error.kind) for each in paused.records])
        paused.skip(0)
        paused.edit(1, "20")
        paused.repair(lambda text: text.strip("z"))

    assert sorted(answered(session, answer, numbers.collect)) == [1.0, 2.0, 3.0, 10.0]
    assert seen == [[("x", "ValueError"), ("y", "ValueError"), ("z6", "ValueError")]]
    assert (session.outputs[-1].missing, session.outputs[-1].repaired) == (1, 2)
    assert session.paused == []
    # A replay does as was decided.
    by_row = {10.0: "y", 3.0: "z6", 2.0: "4"}
    for row, text in by_row.items():
        trace = session.trace(session.outputs[-1], lambda half, row=row: half == row)
        assert [record.value for record in trace.collect()] == [text]

    with pytest.raises(Exception, match="invalid literal for int"):
        answered(session, lambda paused: paused.fail(), numbers.collect)


def test_a_function_of_a_partition_asks_as_it_happens(spark: SparkSession, session: bigdebug.Session) -> None:
    session.on_crash("pause", timeout=20)
    texts = spark.sparkContext.parallelize(["2", "x", "4", "z6"], 1)
    numbers = texts.mapPartitions(lambda given: (halves(text) for text in given))
    seen = []

    def answer(paused: Paused) -> None:
        (one,) = paused.records
        seen.append(one.value)
        if one.value == "x":
            paused.skip(0)
        else:
            paused.repair(lambda text: text.strip("z"))

    assert answered(session, answer, numbers.collect) == [1.0, 2.0, 3.0]
    assert seen == ["x", "z6"]
    assert (session.outputs[-1].missing, session.outputs[-1].repaired) == (1, 1)
    trace = session.trace(session.outputs[-1], lambda half: half == 3)  # a replay does as was decided
    assert "z6" in [record.value for record in trace.collect()]
    with pytest.raises(Exception, match="invalid literal for int"):
        answered(session, lambda paused: paused.fail(), numbers.collect)


def test_another_terminal_answers(
    spark: SparkSession, session: bigdebug.Session, capsys: pytest.CaptureFixture[str]
) -> None:
    session.on_crash("pause", timeout=20)
    numbers = spark.sparkContext.parallelize(["2", " 4x"], 1).map(halves)

    def answer(_: Paused) -> None:
        store = session._recorder.store
        assert (
            main(["crashes", "last", "--store", store, "--resolve", "repair", "--with", "x[:-1]", "--json"])
            == 0
        )

    assert answered(session, answer, numbers.collect) == [1.0, 2.0]
    answers = capsys.readouterr().out
    jsonschema.validate(json.loads(answers), schema("crashes-resolved"))


def test_without_an_answer_the_default_policy_holds(spark: SparkSession, session: bigdebug.Session) -> None:
    session.on_crash("skip")
    session.on_crash("pause", operator="map", timeout=0.3)
    assert spark.sparkContext.parallelize(["2", "x"], 1).map(halves).collect() == [1.0]
    session.on_crash("pause", operator="map", timeout=20, held=1)
    three = spark.sparkContext.parallelize(["2", "x", "y", "z"], 1).map(halves)
    assert answered(session, lambda paused: paused.edit(0, "8"), three.collect) == [1.0, 4.0]
    assert session.outputs[-1].missing == 2
    session.on_crash("raise")
    session.on_crash("pause", operator="map", timeout=0.3)
    with pytest.raises(Exception, match="invalid literal for int"):
        spark.sparkContext.parallelize(["2", "x"], 1).map(halves).collect()


def doubled(ages: pd.Series) -> pd.Series:
    return ages.astype(int) * 2


def shown(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for each in batches:
        yield each.assign(age=each.age.astype(int) * 2)


def next_year(age: str) -> int:
    return int(age) * 2


def test_functions_of_dataframes_ask_as_it_happens(
    spark: SparkSession, session: bigdebug.Session, people: str, capsys: pytest.CaptureFixture[str]
) -> None:
    session.on_crash("pause", timeout=20)
    read = spark.read.csv(people, header=True).coalesce(1)
    expected = {str(n): 2 * (20 + n) for n in range(12)}
    seen: list[Any] = []

    def answer(paused: Paused) -> None:
        for number, each in enumerate(paused.records):
            seen.append(each.value)
            if each.value in ("old", {"id": "10", "age": "old"}):
                paused.skip(number)
            elif isinstance(each.value, dict):
                paused.edit(number, {"id": "3", "age": "30"})
            else:
                paused.repair(lambda age: age[:2], number)

    for frame in (
        read.select("id", F.udf(next_year, "int")("age").alias("age")),
        read.select("id", F.pandas_udf(doubled, "long")("age").alias("age")),
        read.mapInPandas(shown, "id string, age long"),
    ):
        found = answered(session, answer, frame.collect)
        assert {row.id: row.age for row in found} == {k: v for k, v in expected.items() if k != "10"} | {
            "3": 60
        }
        output = session.outputs[-1]
        assert (output.missing, output.repaired) == (1, 1)
        assert "of 2 records that crashed" in capsys.readouterr().err
        # A replay does as was decided.
        traced = session.trace(output, "age = 60").collect()
        assert "3" in [record.value["id"] for record in traced]
        assert session.trace(output, "id = '10'").matched == 0
    assert len(seen) == 6
    assert [each.value for each in session.quarantine] == ["old", "old", {"id": "10", "age": "old"}]
    assert [crash.policy for crash in session.crashes] == ["pause"] * 6
    with pytest.raises(Exception, match="invalid literal for int"):
        answered(session, lambda paused: paused.fail(), frame.collect)


@pytest.mark.proof("functions of DataFrames that go on without an answer")
def test_functions_of_dataframes_go_on_without_an_answer(
    spark: SparkSession, session: bigdebug.Session, people: str
) -> None:
    session.on_crash("skip")
    session.on_crash("pause", operator="select", timeout=0.2, held=1)
    ages = spark.read.csv(people, header=True).select(F.udf(next_year, "int")("age").alias("age"))
    assert len(ages.collect()) == 10
    session.on_crash("raise")
    session.on_crash("pause", operator="select", timeout=0.2)
    with pytest.raises(Exception, match="invalid literal for int"):
        ages.collect()

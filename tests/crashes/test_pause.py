"""A task sets aside what crashes, and asks at its end what is to become of it."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jsonschema
import pytest
from pyspark.sql import SparkSession

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

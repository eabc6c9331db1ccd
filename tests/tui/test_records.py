"""The table of records over real outputs: pages on disk, filter, order, odd types, elements of RDDs; and cancelling."""

import asyncio
import datetime
import time
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.store import Store
from bigdebug.tui.engine import CancelledError, Engine
from bigdebug.tui.pages import ParquetPages
from bigdebug.tui.records import RecordsView
from bigdebug.tui.trace import TraceView
from tests.tui.driving import Driver, played

MANY = 30_000


@pytest.fixture(scope="module")
def store(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Outputs: many rows, one of every odd type, and one of an RDD."""
    place = tmp_path_factory.mktemp("odd")
    (place / "words.txt").write_text("a b\nb c\nc\n")
    with bigdebug.attach(spark, store=str(place / "store")):
        spark.range(MANY).withColumn("text", F.concat(F.lit("row "), "id")).write.format("noop").mode(
            "overwrite"
        ).save()
        spark.sql(
            "select interval 3 months as i, null as v, map('k', 1) as m, array(1, null) as a,"
            " named_struct('x', 'y') as s, timestamp'2013-01-02 03:04:05' as t, X'00ff' as b, 1.50bd as d,"
            " double('nan') as n, 1 as twice, 2 as twice"
        ).write.format("noop").mode("overwrite").save()
        words = spark.sparkContext.textFile(str(place / "words.txt")).flatMap(str.split)
        words.map(lambda word: (word, 1)).reduceByKey(int.__add__).collect()
    return place / "store"


def test_many_rows_are_paged_filtered_and_sorted(store: Path, spark: SparkSession) -> None:
    async def story(person: Driver) -> None:
        await person.press("enter")
        person.view.query_one("#flow").place(
            next(i for i, line in enumerate(person.view.query_one("#flow").rows.lines) if line.output == 1)
        )
        await person.press("enter")
        view = person.view
        assert isinstance(view, RecordsView)
        rows: Any = view.query_one("#records").rows
        assert (rows.count, isinstance(rows.pages, ParquetPages)) == (MANY, True)
        await person.press("end")
        await person.until(lambda: "row 29999" in person.screen_text())
        assert len(rows._kept) <= 3
        await person.press("o", "o")
        assert view.query_one("#records").columns[1].title == "id ▼"
        assert person.screen_text().splitlines()[3].split()[1] == "29999"
        await person.press("slash")
        await person.type("id % 1000 = 7")
        assert view.query_one("#records").rows.count == 30
        assert person.screen_text().splitlines()[3].split()[1] == "29007"
        await person.press("right", "enter")
        assert "row 29007" in person.screen_text()

    played(store, story, spark)


def test_values_of_every_type_are_shown_and_opened_in_full(store: Path, spark: SparkSession) -> None:
    async def story(person: Driver) -> None:
        await person.press("enter")
        person.view.query_one("#flow").place(
            next(i for i, line in enumerate(person.view.query_one("#flow").rows.lines) if line.output == 2)
        )
        await person.press("enter")
        view = person.view
        rows: Any = view.query_one("#records").rows
        assert rows.row(0)[2:7] == [
            "null",
            '{"k": 1}',
            "[1, null]",
            '{"x": "y"}',
            "2013-01-02 03:04:05+00:00",
        ]
        assert rows.row(0)[7:] == ["0x00ff", "1.50", "NaN", "1", "2"]
        view.query_one("#records").place(0, 5)
        await person.press("v")
        assert '"x": "y"' in person.screen_text()

    played(store, story, spark, size=(140, 24))


def test_elements_of_an_rdd_are_listed_and_traced(store: Path, spark: SparkSession) -> None:
    async def story(person: Driver) -> None:
        await person.press("enter")
        person.view.query_one("#flow").place(
            next(i for i, line in enumerate(person.view.query_one("#flow").rows.lines) if line.output == 3)
        )
        await person.press("enter", "slash")
        await person.type("key == 'b'")
        rows: Any = person.view.query_one("#records").rows
        assert [rows.row(index)[1] for index in range(rows.count)] == ['["b", 2]']
        await person.press("t")
        assert isinstance(person.view, TraceView)
        assert person.view.where == "key == 'b'"
        await person.press("c")
        assert "words.txt: 2 records" in person.screen_text()
        await person.press("enter")
        assert "▶ a b" in person.screen_text()

    played(store, story, spark)


def test_what_is_computed_can_be_cancelled_and_the_next_question_is_answered(spark: SparkSession) -> None:
    def endless(_: Any) -> int:
        return spark.range(10**13).filter("hash(id) = 1 and hash(id + 1) = 2 and hash(id + 2) = 3").count()

    tracker = spark.sparkContext.statusTracker()

    async def play() -> None:
        engine = Engine(spark)
        asked = asyncio.ensure_future(engine.ask("an endless question", endless))
        waiting = asyncio.ensure_future(engine.ask("one behind it", lambda _: spark.range(3).count()))
        until = time.monotonic() + 60
        while not (engine.state.endswith("(and 1 more)") and tracker.getActiveJobsIds()):
            assert time.monotonic() < until, engine.state
            await asyncio.sleep(0.05)
        assert engine.state.startswith("an endless question")
        began = time.monotonic()
        engine.cancel()
        with pytest.raises(CancelledError):
            await asked
        assert await waiting == 3
        assert time.monotonic() - began < 20
        assert engine.state == ""
        engine.close()

    asyncio.run(play())


def test_a_changed_source_is_said(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n\n1\n2\n")
    with bigdebug.attach(spark, store=str(tmp_path / "store")):
        spark.read.csv(str(tmp_path / "a.csv"), header=True).filter("n > 1").collect()
    (tmp_path / "a.csv").write_text("n\n1\n2\n33\n")
    assert Store(str(tmp_path / "store")).runs()[0].started < datetime.datetime.now().timestamp()

    async def story(person: Driver) -> None:
        await person.press("enter", "enter")
        assert person.view._bad
        assert "a.csv" in person.said

    played(tmp_path / "store", story, spark)

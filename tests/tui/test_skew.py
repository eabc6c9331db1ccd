"""Lopsided shuffles of a recorded run on the screen: bars, advice, what a change comes to, and the files of a key."""

import runpy
import time
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.tui.bars import bar
from bigdebug.tui.file import FileView
from bigdebug.tui.found_trace import FoundTraceView
from bigdebug.tui.skew import SkewView
from bigdebug.tui.slow import SlowView, short
from tests.tui.driving import Driver, played
from tests.tui.looks import compared, stop_the_clock

SHOP = """
from pyspark.sql import SparkSession, functions as F

spark = SparkSession.builder.getOrCreate()
orders = spark.read.schema("customer string, amount int").csv({folder!r})
spread = orders.repartition(8, "amount")
baskets = spread.groupBy("customer").agg(F.collect_list("amount"))
print(len(baskets.collect()))
"""


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of one run: 400 orders of 100 customers in a file, 600 of one in another."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "orders").mkdir()
    (folder / "orders" / "a.csv").write_text("".join(f"c{n % 100},{n}\n" for n in range(400)))
    (folder / "orders" / "b.csv").write_text("".join(f"guest,{n}\n" for n in range(600)))
    script = folder / "shop.py"
    script.write_text(SHOP.format(folder=str(folder / "orders")))
    with bigdebug.attach(spark, name="shop", store=str(folder / "store")):
        runpy.run_path(str(script), run_name="__main__")
    return folder


def test_skew_from_the_dataflow_to_the_record_of_a_hot_key(
    shop: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_the_clock(monkeypatch)
    monkeypatch.chdir(shop)

    async def story(person: Driver) -> None:
        await person.press("enter", "S")
        assert isinstance(person.view, SkewView)
        assert person.said.startswith("1 of 2 shuffles lopsided")
        text = person.screen_text()
        assert "severe    Aggregate                shop.py:7  customer" in text
        assert "even      RepartitionByExpression  shop.py:6  amount" in text
        assert f"guest      600  60.0%  {'█' * 24}  a default; hot by records" in text
        assert "keys by customer: 101, the median one of 4 records" in text
        compared(person, "skew")
        await person.press("w")
        await person.type("salt=1")
        assert "a salt is 2 or more" in person.screen_text()
        await person.type("salt=4")
        assert person.said.startswith("salt=4: longest partition 704 → 396 records, ÷ median 7.0 → 1.7")
        assert "partitions, and what salt=4 makes of them" in person.screen_text()
        await person.press("X")
        assert person.app.copied.endswith(" 1 --what-if salt=4 --store store")
        await person.press("c", "enter")
        await person.until(lambda: "where(~" in person.app.copied)
        await person.press("tab", "enter")
        assert isinstance(person.view, FoundTraceView)
        told = " ".join(person.screen_text().split())
        assert "100% of customer = 'guest' come from" in told
        assert "└─● orders shop.py:5 600" in told
        await person.press("c", "down", "enter")
        assert isinstance(person.view, FileView)
        assert "2▶ guest,1" in person.screen_text()
        await person.press("escape", "escape", "escape")
        marked = [line for line in person.screen_text().splitlines() if line.startswith("▲")]
        assert len(marked) == 1
        assert "groupBy.agg" in marked[0]

    played("store", story, spark)


def test_esc_gives_the_report_up(spark: SparkSession, tmp_path: Path) -> None:
    gate, begun = tmp_path / "gate", tmp_path / "begun"

    @F.udf("int")
    def label(number: int) -> int:
        while gate.exists():
            begun.touch()
            time.sleep(0.05)
        return number % 3

    with bigdebug.attach(spark, store=str(tmp_path / "store")):
        spark.range(10).groupBy(label("id").alias("label")).count().collect()
    gate.touch()

    async def story(person: Driver) -> None:
        await person.press("enter")
        await person.pilot.press("S")
        await person.until(begun.exists)
        await person.press("escape")
        assert person.said == "Looking for skew: cancelled"
        await person.press("w")
        assert person.said == "there is no shuffle to change"

    try:
        played(tmp_path / "store", story, spark)
    finally:
        gate.unlink()


def keyed(line: str) -> tuple[str, int]:
    if line == "k7":
        time.sleep(0.2)
    return line, 1


def test_skew_and_slow_records_of_an_rdd(spark: SparkSession, tmp_path: Path) -> None:
    with bigdebug.attach(spark, store=str(tmp_path / "store")):
        lines = spark.sparkContext.parallelize(["a"] * 60 + [f"k{n}" for n in range(40)], 2)
        assert lines.map(keyed).groupByKey(4).count() == 41

    async def story(person: Driver) -> None:
        await person.press("enter", "S")
        assert "groupByKey" in person.screen_text()
        assert "60.0%" in person.screen_text()
        await person.press("w")
        await person.type("salt=4")
        assert "salt=4" in person.screen_text()
        await person.press("t")
        assert isinstance(person.view, FoundTraceView)
        assert "60 records" in person.screen_text()
        await person.press("escape", "m")
        assert isinstance(person.view, SlowView)
        text = person.screen_text()
        assert "how long keyed takes for a record" in text
        assert "slowest records: 1 of 50 stand out" in text
        assert sum(count for _, count in person.view._function().histogram) == 100
        assert "█" * 10 in text
        await person.press("tab", "tab", "enter")
        assert isinstance(person.view, FoundTraceView)
        await person.press("c")
        assert "'k7'" in person.screen_text()
        assert person.view.command_line() is None

    played(tmp_path / "store", story, spark)


def test_short_times_are_told_in_their_unit() -> None:
    times = (0, 512e-9, 2.4e-6, 64e-6, 0.0009996, 0.25, 1.24)
    assert [short(each) for each in times] == [
        "0 ns",
        "512 ns",
        "2.4 µs",
        "64 µs",
        "1.0 ms",
        "250 ms",
        "1.2 s",
    ]


def test_bars_are_exact_to_an_eighth_and_never_vanish() -> None:
    assert bar(3, 4, 4) == "███"
    assert bar(1, 8, 4) == "▌"
    assert bar(1, 1_000_000, 4) == "▏"
    assert bar(9, 4, 4) == "████"
    assert (bar(0, 4, 4), bar(1, 0, 4)) == ("", "")

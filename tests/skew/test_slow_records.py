"""The records that functions take longest for: of RDDs, of rows, of batches; and where these come from."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.errors import BigDebugError

DELAY = 0.3


@pytest.fixture(scope="module")
def trips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 lines in two files; 3 of them are slow."""
    folder = tmp_path_factory.mktemp("trips")
    for part in range(2):
        lines = [
            f"{n},{'slow' if n in (77, 333, 590) else 'quick'}" for n in range(part * 300, part * 300 + 300)
        ]
        (folder / f"part-{part}.csv").write_text("\n".join(lines) + "\n")
    return folder


def parse(line: str) -> tuple[int, str]:
    number, kind = line.split(",")
    if kind == "slow":
        time.sleep(DELAY)
    return int(number) % 10, line


def slow_lines(records: Any, most: int = 3) -> set[str]:
    return {each.value for each in records[:most]}


SLOW = {"77,slow", "333,slow", "590,slow"}


@pytest.mark.compat
def test_slow_elements_of_an_rdd(session: bigdebug.Session, spark: SparkSession, trips: Path) -> None:
    parsed = spark.sparkContext.textFile(str(trips)).map(parse)
    found = session.slow_records(parsed.groupByKey().mapValues(len), top=5)
    assert slow_lines(found) == SLOW
    assert [each.slow for each in found[:3]] == [True, True, True]
    assert found[0].function.seconds == pytest.approx(3 * DELAY, rel=0.5)
    first = found[0]
    assert first.function.name == "parse"
    assert first.function.file == __file__
    assert first.function.line == parse.__code__.co_firstlineno
    assert first.function.call_site is not None
    assert "textFile" in first.function.call_site.text
    assert first.function.calls == 600
    assert first.seconds == pytest.approx(DELAY, abs=0.15)
    assert sum(number for _, number in first.function.histogram) == 600
    (source,) = first.sources()
    assert source.value == first.value
    assert source.location.file == str(trips / f"part-{int(source.value.split(',')[0]) // 300}.csv")


def test_a_slow_element_behind_a_shuffle_names_the_records_of_its_group(
    session: bigdebug.Session, spark: SparkSession
) -> None:
    def total(values: Any) -> int:
        if 7 in values:
            time.sleep(DELAY)
        return sum(values)

    pairs = spark.sparkContext.parallelize(range(40), 3).map(lambda n: (n % 8, n))
    found = session.slow_records(pairs.groupByKey().mapValues(list).mapValues(total))
    assert (found[0].function.name, found[0].function.operator) == ("total", "mapValues")
    assert [each.value for each in found[0].sources()] == [7, 15, 23, 31, 39]


@pytest.mark.compat
def test_a_slow_row_names_the_records_it_waited_for(
    session: bigdebug.Session, spark: SparkSession, trips: Path
) -> None:
    parsed = spark.sparkContext.textFile(str(trips)).map(parse)
    found = session.slow_records(parsed.groupByKey().mapValues(len), where="key == 3")
    assert (found[0].value, found[0].slow, found.functions[0].calls) == ("333,slow", True, 60)
    assert found.functions[0].seconds == pytest.approx(DELAY, rel=0.5)
    assert [each.value for each in found[0].sources()] == ["333,slow"]

    def shout(kind: str) -> str:
        time.sleep(DELAY if kind == "slow" else 0)
        return kind.upper()

    frame = spark.read.csv(str(trips), schema="number int, kind string")
    names = spark.createDataFrame([(n, f"k{n}") for n in range(10)], "key int, name string")
    shouted = frame.select((F.col("number") % 10).alias("key"), F.udf(shout, "string")("kind").alias("kind"))
    counted = shouted.groupBy("key").agg(F.max("kind").alias("most")).join(names, "key")
    counted.collect()
    rows = session.slow_records(session.outputs[-1], where="name = 'k7'")
    assert (rows[0].value, rows[0].slow, rows.functions[0].calls) == ("slow", True, 60)
    assert {each.value["number"] for each in rows[0].sources()} == {
        77,
        333,
        590,
    }  # equal to what it was given
    with pytest.raises(BigDebugError, match="no row is such"):
        session.slow_records(counted, where="name = 'nobody'")
    with pytest.raises(BigDebugError, match="made of rows of a DataFrame"):
        session.slow_records(frame.rdd.map(len), where="x == 2")


def test_what_a_function_of_a_partition_does_for_an_element(
    session: bigdebug.Session, spark: SparkSession
) -> None:
    def looked_up(elements: Iterator[int]) -> Iterator[int]:
        for each in elements:
            if each == 13:
                time.sleep(DELAY)
            yield each

    def later(each: int) -> list[int]:
        return [each for _ in range(1)]

    rdd = spark.sparkContext.parallelize(range(30), 2).mapPartitions(looked_up).flatMap(later)
    found = session.slow_records(rdd, top=3)
    assert (found[0].value, found[0].function.name) == (13, "looked_up")
    assert found[0].slow
    assert {each.name: each.calls for each in found.functions} == {"looked_up": 30, "later": 30}
    assert [each.value for each in found[0].sources()] == [13]


@pytest.mark.compat
def test_slow_rows(session: bigdebug.Session, spark: SparkSession, trips: Path) -> None:
    def kind_of(number: int, kind: str) -> str:
        if kind == "slow":
            time.sleep(DELAY)
        return kind.upper()

    shout = F.udf(kind_of, "string")
    frame = spark.read.csv(str(trips), schema="number int, kind string")
    shouted = frame.select((F.col("number") % 10).alias("key"), shout("number", "kind").alias("kind"))
    found = session.slow_records(shouted.groupBy("key").agg(F.max("kind")), top=4)
    assert {each.value for each in found[:3]} == {(77, "slow"), (333, "slow"), (590, "slow")}
    assert [each.slow for each in found[:3]] == [True, True, True]
    assert (found[0].function.name, found[0].function.calls) == ("kind_of", 600)
    (source,) = found[0].sources()
    assert source.value == dict(zip(("number", "kind"), found[0].value, strict=True))
    assert source.location.file is not None


@pytest.mark.compat
def test_slow_records_of_batches(session: bigdebug.Session, spark: SparkSession, trips: Path) -> None:
    @F.pandas_udf("string")
    def shout(kinds: pd.Series, numbers: pd.Series) -> pd.Series:
        time.sleep(DELAY * sum(kinds == "slow"))
        return kinds.str.upper()

    frame = spark.read.csv(str(trips), schema="number int, kind string")
    found = session.slow_records(frame.select(shout("kind", "number")), top=6)
    assert {each.value for each in found[:3]} == {("slow", 77), ("slow", 333), ("slow", 590)}
    assert found[0].function.vectorised
    assert found[0].seconds == pytest.approx(DELAY, abs=0.15)
    (source,) = found[0].sources()
    assert source.value["kind"] == "slow"


def test_where_nothing_is_slow_and_where_there_is_no_function(
    session: bigdebug.Session, spark: SparkSession
) -> None:
    found = session.slow_records(spark.range(10).groupBy("id").count())
    assert (len(found), found.functions) == (0, ())
    assert found.notes == ("the dataflow calls no function of Python's record by record",)


def test_functions_of_a_recorded_frame_are_timed_when_it_is_computed_again(
    session: bigdebug.Session, spark: SparkSession
) -> None:
    from bigdebug.lineage.postmortem import open_output
    from bigdebug.lineage.store import Store
    from bigdebug.skew.thresholds import Thresholds
    from bigdebug.skew.timing_frames import slow_records_of

    def label(number: int) -> int:
        time.sleep(DELAY if number == 77 else 0)
        return number % 3

    spark.range(200).select(F.udf(label, "int")("id").alias("label")).collect()
    output = session.outputs[-1]
    assert session._recorder.drain()
    run = Store(session._recorder.store).find(session.run_id)
    found = slow_records_of(open_output(run, output, spark=spark).question(), 3, Thresholds())
    assert (found[0].value, found[0].slow, found[0].function.calls) == (77, True, 200)

"""What becomes of elements that crash a function of an RDD: left out, repaired, or nothing."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.breakpoints.crashes import placing_rdds
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.location import Location
from tests.proofs import Part


def parsed(line: str) -> tuple[int, int]:
    number, age = line.split(",")
    return int(number), int(age)


def cleaned(line: str, error: BaseException) -> str:
    assert isinstance(error, ValueError)
    return line.replace("yr", "").replace("old", "99")


def lines_of(spark: SparkSession, people: str) -> Any:
    return spark.sparkContext.textFile(people).filter(lambda line: not line.startswith("id"))


def test_records_are_left_out_and_kept_in_quarantine(
    spark: SparkSession, session: bigdebug.Session, people: str, capsys: pytest.CaptureFixture[str]
) -> None:
    session.on_crash("skip", operator="map")
    ages = lines_of(spark, people).map(parsed)
    assert sorted(ages.keys().collect()) == [0, 1, 2, 4, 5, 6, 7, 8, 9, 11]
    assert [(each.value, each.error.kind, each.operator) for each in session.quarantine] == [
        ("3,30yr", "ValueError", "map"), ("10,old", "ValueError", "map"),
    ]  # fmt: skip
    assert [each.location for each in session.quarantine] == [Location(people, 4), Location(people, 11)]
    assert [(crash.policy, crash.value) for crash in session.crashes] == [
        ("skip", "3,30yr"),
        ("skip", "10,old"),
    ]
    assert (session.outputs[-1].missing, session.outputs[-1].status) == (2, "done")
    assert "bigdebug: output 1 is partial: 2 records were left out by map at" in capsys.readouterr().err
    (file,) = session.quarantine.files
    assert pq.read_table(file).column("error")[0].as_py().startswith("ValueError: invalid literal")
    assert not list(Path(file).parent.joinpath("tasks").iterdir())
    assert ages.count() == 10
    assert session.outputs[-1].missing == 2
    trace = session.trace(session.outputs[0], lambda number: number == 4)
    assert [record.value for record in trace.collect()] == ["4,24"]


def test_records_are_repaired_by_a_function_or_a_value(
    spark: SparkSession, session: bigdebug.Session, people: str, capsys: pytest.CaptureFixture[str]
) -> None:
    session.on_crash("repair", repair=cleaned)
    assert (3, 30) in lines_of(spark, people).map(parsed).collect()
    assert session.outputs[-1].repaired == 2
    assert [crash.policy for crash in session.crashes] == ["repair", "repair"]
    assert len(session.quarantine) == 0
    assert "2 records that crashed map at" in capsys.readouterr().err
    session.on_crash("repair", repair=(-1, -1))
    assert lines_of(spark, people).map(parsed).collect().count((-1, -1)) == 2


def test_a_repair_that_raises_fails_the_job_with_both_errors(
    spark: SparkSession, session: bigdebug.Session, people: str
) -> None:
    def broken(line: str, error: BaseException) -> str:
        raise KeyError("no repair for it")

    session.on_crash("repair", repair=broken)
    with pytest.raises(Exception, match="no repair for it") as caught:
        lines_of(spark, people).map(parsed).collect()
    assert "ValueError: invalid literal for int()" in str(caught.value)


def test_very_many_crashes_take_few_files(spark: SparkSession, session: bigdebug.Session) -> None:
    session.on_crash("skip")
    assert spark.sparkContext.parallelize(range(5_000), 2).map(lambda n: n // 0).count() == 0
    assert session.outputs[-1].missing == 5_000
    assert (len(session.quarantine), len(session.quarantine.files)) == (5_000, 1)
    assert len(session.crashes) == 100


@pytest.mark.proof("functions that crash in a shuffle, or twice")
def test_a_function_that_crashes_in_a_shuffle_or_twice_counts_once(
    spark: SparkSession, session: bigdebug.Session
) -> None:
    session.on_crash("skip")
    halves = spark.sparkContext.parallelize(range(6), 3).map(lambda n: (n % 2, 12 // n))
    assert sorted(halves.join(halves).mapValues(sum).countByKey().items()) == [(0, 4), (1, 9)]
    assert session.outputs[-1].missing == 1


@pytest.mark.proof("policies for RDDs that were made before them")
def test_a_policy_holds_for_rdds_that_were_made_before_it(
    spark: SparkSession, session: bigdebug.Session, people: str
) -> None:
    ages = lines_of(spark, people).map(parsed)
    sums = ages.map(lambda pair: (pair[0] % 2, pair[1])).reduceByKey(lambda x, y: x + y).cache()
    session.on_crash("skip")
    assert sorted(sums.collect()) == [(0, 20 + 22 + 24 + 26 + 28), (1, 21 + 25 + 27 + 29 + 31)]
    assert session.outputs[-1].missing == 2
    assert sums.count() == 2
    assert session.outputs[-1].missing == 0  # it was computed once, and kept
    session.on_crash("raise")
    with pytest.raises(Exception, match="invalid literal"):
        ages.collect()


def test_wrong_policies_are_refused(session: bigdebug.Session) -> None:
    with pytest.raises(BigDebugError, match="can't be 'ignore'"):
        session.on_crash("ignore")
    with pytest.raises(BigDebugError, match="can't be repaired with nothing"):
        session.on_crash("repair")
    with pytest.raises(BigDebugError, match="repairs nothing"):
        session.on_crash("skip", repair=1)


def risky(n: int) -> int:
    return 100 // n


KINDS = {
    "map": lambda rdd, f: rdd.map(f),
    "flatMap": lambda rdd, f: rdd.flatMap(lambda n: (f(n) + i for i in range(n % 3))),
    "filter": lambda rdd, f: rdd.filter(lambda n: f(n) > 20),
    "mapValues": lambda rdd, f: rdd.map(lambda n: (n % 2, n)).mapValues(f),
    "flatMapValues": lambda rdd, f: rdd.map(lambda n: (n % 2, n)).flatMapValues(lambda n: [f(n), n]),
    "keyBy": lambda rdd, f: rdd.keyBy(f).map(repr),
    "sums": lambda rdd, f: rdd.map(lambda n: (n % 3, f(n))).reduceByKey(lambda x, y: x + y),
}


drawn = (st.lists(st.integers(0, 5), max_size=12), st.integers(1, 3), st.sampled_from(sorted(KINDS)))


def judge(spark: SparkSession, session: bigdebug.Session, numbers: list[int], slices: int, kind: str) -> None:
    """The survivors give what plain Spark gives on the data without the culprits, or with them repaired."""

    def given_by(some: list[int]) -> list[Any]:
        return sorted(KINDS[kind](spark.sparkContext.parallelize(some, slices), risky).collect())

    session.on_crash("raise")
    fine = given_by([n for n in numbers if n])
    mended = given_by([n or 7 for n in numbers])
    session.on_crash("skip")
    assert given_by(numbers) == fine
    assert session.outputs[-1].missing == numbers.count(0) * (kind != "flatMap")
    session.on_crash("repair", repair=lambda n, error: 7)
    if kind in ("map", "filter", "keyBy"):
        assert given_by(numbers) == mended
    elif kind in ("mapValues", "flatMapValues"):  # the key stays, and was the record's
        assert sorted(each[1] for each in given_by(numbers)) == sorted(each[1] for each in mended)
    session.on_crash("raise")


@settings(max_examples=2)
@given(*drawn)
def test_the_survivors_give_what_plain_spark_gives_without_the_culprits(
    spark: SparkSession, session: bigdebug.Session, numbers: list[int], slices: int, kind: str
) -> None:
    judge(spark, session, numbers, slices, kind)


@pytest.mark.proof(
    "elements that crash a function, left out or repaired, against plain Spark without them", examples=100
)
def test_the_survivors_of_many_programs(part: Part, spark: SparkSession, session: bigdebug.Session) -> None:
    @part.drawn
    @given(*drawn)
    def judged(numbers: list[int], slices: int, kind: str) -> None:
        judge(spark, session, numbers, slices, kind)

    judged()


def test_the_command_tells_what_was_left_out(
    spark: SparkSession, session: bigdebug.Session, people: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from bigdebug.cli.main import main

    session.on_crash("skip")
    lines_of(spark, people).map(parsed).count()
    capsys.readouterr()
    store = session._recorder.store
    assert main(["crashes", "last", "--store", store]) == 0
    assert "2 records were left out by map test_rdd_policies.py:" in capsys.readouterr().out
    assert main(["crashes", "last", "--store", store, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["crashes"][0]["quarantine"].startswith("quarantine/1-")


def test_values_that_must_not_be_stored_arent(spark: SparkSession, people: str, tmp_path: Path) -> None:
    with bigdebug.attach(spark, store=str(tmp_path / "store"), redact=["age"]) as session:
        session.on_crash("skip")
        assert lines_of(spark, people).map(parsed).count() == 10
        assert [(each.value, str(each.error)) for each in session.quarantine] == [(None, "ValueError")] * 2
    assert not any(b"30yr" in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


def test_what_is_taken_counts_what_was_read(spark: SparkSession, session: bigdebug.Session) -> None:
    session.on_crash("skip")
    numbers = spark.sparkContext.parallelize(range(-1, 100), 1).map(lambda n: 10 // (n % 3))
    assert numbers.take(3) == [5, 10, 5]  # of -1, 1 and 2; 0 crashed on the way
    assert session.outputs[-1].missing >= 1


def test_places_far_from_the_beginnings_are_looked_for_when_asked(
    spark: SparkSession, session: bigdebug.Session, people: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing_rdds, "MOST_READ", 1)
    session.on_crash("skip")
    lines_of(spark, people).map(parsed).count()
    assert [each.location for each in session.quarantine] == [Location(people, 4), None]
    assert [each.place for each in session.quarantine][1][0] == 1  # of the second partition
    assert [each.location for each in session.quarantine.located()] == [
        Location(people, 4), Location(people, 11),
    ]  # fmt: skip
    assert [each.location for each in session.quarantine.of(operator="map").located()][1] is not None

"""Lines read without Spark: the records that Spark reads, or none."""

import datetime
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.lineage.moments import moment, wall_time
from bigdebug.lineage.parquet_records import UnreadableError
from bigdebug.lineage.text_records import TextFormat, read_lines, text_format
from tests.settings import settings

SCHEMA = (
    "n bigint, s string, d double, b boolean, day date, m decimal(8,2), i int, t timestamp, w timestamp_ntz"
)
COLUMNS = [tuple(part.split(" ", 1)) for part in SCHEMA.replace("8,2", "8;2").split(", ")]
COLUMNS = [(name, kind.replace(";", ",")) for name, kind in COLUMNS]
FORM = TextFormat("csv", zone="America/New_York")
SPLIT = {
    "spark.sql.files.maxPartitionBytes": "700",
    "spark.sql.files.openCostInBytes": "0",
    "spark.sql.files.minPartitionNum": "1",
}


def line(dice: random.Random, number: int) -> str:
    """A line of a CSV file, most of them plain."""
    values = [
        str(number),
        dice.choice(["plain", "é" * dice.randrange(30), '"quoted, with comma"', "", "x" * 90, " blanks "]),
        dice.choice(["1.5", "-0.25", "1e3", "", "7"]),
        dice.choice(["true", "false", ""]),
        dice.choice(["2013-01-01", "2024-02-29", ""]),
        dice.choice(["1.50", "-12", "3.1", ""]),
        dice.choice(["5", "-5", "", "2147483647"]),
        dice.choice(
            ["2013-07-02T10:00:00Z", "2013-07-02 10:00:00.25", "1999-12-31", "1901-01-01 00:00:00", ""]
        ),
        dice.choice(["2013-07-02T10:00:00", "2013-03-10 02:30:00.000001", "2150-12-31", ""]),
    ]
    values = [dice.choice(["NA", value]) if dice.random() < 0.1 else value for value in values]
    return ",".join(dice.choice([values, values, [*values, "extra"], values[:5]]))


@pytest.mark.parametrize("seed", range(4))
def test_lines_are_the_records_that_spark_reads(spark: SparkSession, tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    end = dice.choice(["\n", "\r\n"])
    lines = [",".join(name for name, _ in COLUMNS)]
    for number in range(120):
        lines += dice.choices(["", "   ", "# a comment", None], weights=[1, 1, 1, 9])  # type: ignore[list-item]
        lines.append(line(dice, number))
    text = end.join(each for each in lines if each is not None) + (end if seed % 2 else "")
    (tmp_path / "data.csv").write_bytes(text.encode())
    zone = {"spark.sql.session.timeZone": dice.choice(["America/New_York", "Asia/Kolkata"])}
    with settings(spark, SPLIT | zone), bigdebug.attach(spark, store=tmp_path / "store") as session:
        read = spark.read.csv(
            str(tmp_path / "data.csv"), header=True, schema=SCHEMA, comment="#", nullValue="NA"
        )
        rows = read.collect()
        index = session.index(session.outputs[0])
        live = session.trace(session.outputs[0]).collect()
    assert len(rows) == 120
    indexed = index.trace()
    assert repr(indexed.collect()) == repr(live)
    assert not indexed.notes, "every value could be read"
    assert len({block.first_byte for block in index._manifest.sources[0].blocks}) > 3


def test_plain_lines(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n\n  two\nthree" * 90)
    with settings(spark, SPLIT), bigdebug.attach(spark, store=tmp_path / "store") as session:
        spark.read.text(str(tmp_path / "a.txt")).collect()
        indexed = session.index(session.outputs[0]).trace("value like 't%'")
        assert repr(indexed.collect()) == repr(session.trace(session.outputs[0], "value like 't%'").collect())


@pytest.mark.parametrize(
    "content",
    [
        '1,a "b" c,1,true,2013-01-01,1,1',
        '1,"a""b",1,true,2013-01-01,1,1',
        '1,"",1,true,2013-01-01,1,1',
        "1,a\\b,1,true,2013-01-01,1,1",
        "one,a,1,true,2013-01-01,1,1",
        "1,a,NaN,true,2013-01-01,1,1",
        "1,a,1,TRUE,2013-01-01,1,1",
        "1,a,1,true,2013-1-1,1,1",
        "1,a,1,true,2013-13-01,1,1",
        "1,a,1,true,2013-01-01,1.234,1",
        "1,a,1,true,2013-01-01,1234567.00,1",
        "1,a,1,true,2013-01-01,1,2147483648",
        "1,a,1,true,2013-01-01,1,1,2013-11-03 01:30:00",
        "1,a,1,true,2013-01-01,1,1,2013-03-10 02:30:00",
        "1,a,1,true,2013-01-01,1,1,2013-07-02T10:00:00+01:00",
        "1,a,1,true,2013-01-01,1,1,1899-12-31",
        "1,a,1,true,2013-01-01,1,1,,2013-07-02T10:00:00Z",
        "1,a\rb,1,true,2013-01-01,1,1",
        "\ufeff1,a,1,true,2013-01-01,1,1",
    ],
)
def test_what_spark_may_read_otherwise_isnt_read(tmp_path: Path, content: str) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes((content + "\n").encode())
    with pytest.raises(UnreadableError):
        read_lines(str(file), 0, [0], FORM, COLUMNS)


def test_values_of_a_line(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('7,"a, b",1e2,false,2024-02-29,-1.5,\n8,x\n9,y,,,,,,1950-05-17,1950-05-17\n')
    found = read_lines(str(file), 0, [0, 1, 2], FORM, COLUMNS)
    assert found[0] == [
        7,
        "a, b",
        100.0,
        False,
        datetime.date(2024, 2, 29),
        Decimal("-1.50"),
        None,
        None,
        None,
    ]
    assert str(found[0][5]) == "-1.50"
    assert found[1] == [8, "x", *[None] * 7]
    assert found[2][8] == datetime.datetime(1950, 5, 17)


def test_the_last_day_that_there_is() -> None:
    """It stands for no end in many tables."""
    assert moment("9999-12-31", "America/New_York") == datetime.datetime(9999, 12, 31, 5, tzinfo=datetime.UTC)
    assert wall_time("9999-12-31 23:59:59") == datetime.datetime(9999, 12, 31, 23, 59, 59)
    with pytest.raises(ValueError, match="in a year"):
        moment("9999-12-31 23:59:59", "America/New_York")


@pytest.mark.parametrize(
    ("kind", "options", "known"),
    [
        ("csv", {"header": "true", "sep": ";", "inferSchema": "true", "path": "x"}, True),
        ("csv", {"mode": "permissive", "comment": "#"}, True),
        ("csv", {"mode": "DROPMALFORMED"}, False),
        ("csv", {"multiLine": "true"}, False),
        ("csv", {"sep": "||"}, False),
        ("csv", {"nullValue": "NA"}, True),
        ("csv", {"timestampFormat": "yyyy"}, False),
        ("csv", {"quote": "'"}, False),
        ("csv", {"encoding": "latin1"}, False),
        ("text", {}, True),
        ("text", {"wholetext": "true"}, False),
        ("text", {"lineSep": ";"}, False),
        ("json", {}, False),
    ],
)
def test_only_known_options_are_read_without_spark(kind: str, options: dict[str, Any], known: bool) -> None:
    assert (text_format(kind, options) is not None) == known

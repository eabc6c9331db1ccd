"""Conditions evaluated without Spark say of every row just what Spark says."""

import datetime
import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bigdebug.lineage.errors import UnknownNameError
from bigdebug.lineage.index.conditions import NeedsSparkError, parse_condition
from bigdebug.lineage.index.manifest import OutputColumn

ZONE = "America/New_York"
SCHEMA = (
    "i int, l bigint, b tinyint, d double, f float, m decimal(9,2), s string, t boolean, "
    "day date, at timestamp, `odd name` int"
)
NAN, INF = float("nan"), float("inf")
DAY, MOMENT = datetime.date, datetime.datetime
ROWS: list[tuple[Any, ...]] = [
    (0, 0, 0, 0.0, 0.0, Decimal("0.00"), "", True, DAY(2013, 1, 1), MOMENT(2013, 1, 1), 1),
    (1, 2**53 + 1, 1, 0.1, 0.1, Decimal("1.50"), "a", False, DAY(2013, 10, 1), MOMENT(2013, 10, 1, 12, 30, 0, 5), 2),
    (-1, -(2**63), -128, -0.0, -0.0, Decimal("-1.51"), "ab%", True, DAY(1999, 12, 31), MOMENT(2000, 2, 29, 23), 3),
    (2**31 - 1, 2**63 - 1, 127, NAN, NAN, Decimal("9999999.99"), "a_c", False, DAY(2024, 2, 29), None, None),
    (5, 5, 5, INF, -INF, Decimal("5.00"), "Straße\n2", True, DAY(2013, 1, 2), MOMENT(2013, 1, 1, 0, 0, 1), 5),
    (None, None, None, None, None, None, None, None, None, None, None),
    (7, 16777217, 7, 16777217.0, 16777216.0, Decimal("1.49"), "abc", None, None, None, 7),
]  # fmt: skip

NUMBERS = [
    "0", "1", "-1", "5", "1.5", "-1.51", "1.499", "0.1", "127", "128", "-128", "-129", "2147483647", "2147483648",
    "9007199254740993", "9223372036854775807", "99999999999999999999", "10000000", "16777217", "1e0", "1.5e0", "1e400",
]  # fmt: skip
SIGNS = ["=", "==", "<>", "!=", "<", "<=", ">", ">=", "<=>"]
TEXTS = ["''", "'a'", "'ab%'", "'abc'", "'Straße'", "'zz'"]
DAYS = ["date '2013-01-01'", "'2013-10-01'", "date '1999-12-31'"]
MOMENTS = [
    "timestamp '2013-01-01 00:00:00'",
    "'2013-10-01 12:30:00.000005'",
    "timestamp '2000-02-29 23:00:00'",
]


COLUMNS = [
    (["i", "l", "b", "d", "f", "m", "`odd name`", "I"], NUMBERS),
    (["s"], TEXTS),
    (["day"], DAYS),
    (["at"], MOMENTS),
    (["t"], ["true", "false"]),
]
OTHERS = [
    "t", "not t", "s like 'a%'", "s like '%b_'", "s not like '%2'", "s like 'a_c'", "i is null", "d is not null",
    "t is true", "t is not false", "true", "false", "s like '%\n%'",
]  # fmt: skip


def comparison(dice: random.Random) -> str:
    """A comparison, also of a kind that only Spark can make."""
    names, values = dice.choice(COLUMNS)
    name, no = dice.choice(names), dice.choice(["", "not "])
    match dice.randrange(6):
        case 0:
            return dice.choice(OTHERS)
        case 1:
            return f"{name} {no}between {dice.choice(values)} and {dice.choice(values)}"
        case 2:
            return f"{name} {no}in ({', '.join(dice.choices(values, k=dice.randint(1, 3)))})"
        case 3:
            return f"{dice.choice(values)} {dice.choice(SIGNS)} {name}"
        case _:
            return f"{name} {dice.choice(SIGNS)} {dice.choice(values)}"


def condition(dice: random.Random, depth: int = 2) -> str:
    match dice.randrange(4) if depth else 3:
        case 0:
            return f"not ({condition(dice, depth - 1)})"
        case 1:
            connective = dice.choice(["and", "or"])
            return f"({condition(dice, depth - 1)}) {connective} ({condition(dice, depth - 1)})"
        case _:
            return comparison(dice)


class Stored:
    """The rows, in Spark and in a Parquet file as an index stores them."""

    def __init__(self, frame: DataFrame, file: Path) -> None:
        self.frame = frame
        self.columns = [
            OutputColumn(field.name, field.dataType.simpleString(), f"c{i}")
            for i, field in enumerate(frame.schema)
        ]
        renamed = frame.coalesce(1).toDF(*(column.stored for column in self.columns))
        renamed.write.parquet(str(file))
        (part,) = file.glob("*.parquet")
        self.table = pq.read_table(part)

    def without_spark(self, text: str) -> list[bool | None]:
        return parse_condition(text, self.columns, ZONE, case_sensitive=False).of(self.table).to_pylist()


@pytest.fixture(scope="module")
def stored(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    session = spark.newSession()
    session.conf.set("spark.sql.session.timeZone", ZONE)
    session.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
    text = [tuple(str(v) if isinstance(v, datetime.datetime) else v for v in row) for row in ROWS]
    frame = session.createDataFrame(text, SCHEMA.replace("at timestamp", "at string"))
    frame = frame.withColumn("at", F.col("at").cast("timestamp")).cache()
    yield Stored(frame, tmp_path_factory.mktemp("conditions") / "rows")
    frame.unpersist()


@pytest.mark.parametrize("seed", range(12))
def test_a_condition_holds_for_the_rows_that_spark_says(stored: Stored, seed: int) -> None:
    dice = random.Random(seed)
    texts = {condition(dice) for _ in range(60)}
    told = {}
    for text in texts:
        try:
            told[text] = stored.without_spark(text)
        except NeedsSparkError:
            continue
    assert len(told) > 20
    rows = stored.frame.select(*(F.expr(text) for text in told)).collect()
    for i, text in enumerate(told):
        assert told[text] == [row[i] for row in rows], text


def test_most_plain_conditions_need_no_spark(stored: Stored) -> None:
    plain = [
        f"{column} {sign} {n}"
        for column in ("i", "l", "m", "d")
        for sign in SIGNS
        for n in ("1", "1.5", "-2")
    ]
    plain += [f"s {sign} 'a'" for sign in SIGNS] + [f"day {sign} '2013-01-01'" for sign in SIGNS]
    plain += ["i in (1, 2) and (s like 'a%' or day between date '2013-01-01' and date '2014-01-01')"]
    for text in plain:
        assert len(stored.without_spark(text)) == len(ROWS), text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("abs(i) = 1", "a comparison of a column"),
        ("i + 1 = 2", "a comparison of a column"),
        ("i = l", "isn't known"),
        ("i > 99999999999999999999", "beyond"),
        ("i = '1'", "convert"),
        ("s = 1", "convert"),
        ("s = timestamp '2013-01-01 00:00:00'", "convert"),
        ("day = timestamp '2013-01-01 10:00:00'", "plain date"),
        ("at = '2013-11-03 01:30:00'", "daylight"),
        ("day = '2013-1-1'", "plain date"),
        ("s = \"a\"", "double quote"),
        (r"s like 'a\%'", "backslash"),
        ("s like 'a' escape '/'", "ESCAPE"),
        ("s rlike 'a'", "isn't known"),
        ("i = null", "isn't known"),
        ("i in (select 1)", "this IN"),
        ("i", "no condition"),
        ("x.i = 1", "a comparison of a column"),
        ("i =", "isn't SQL that it knows"),
        ("", "isn't SQL that it knows"),
    ],
)  # fmt: skip
def test_what_only_spark_knows_is_left_to_it(stored: Stored, text: str, why: str) -> None:
    with pytest.raises(NeedsSparkError, match=why):
        stored.without_spark(text)


def test_an_unknown_column_is_named(stored: Stored) -> None:
    with pytest.raises(UnknownNameError, match="'nope'"):
        stored.without_spark("nope = 1")

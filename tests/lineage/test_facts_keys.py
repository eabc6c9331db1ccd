"""Rows of an aggregate are found again by their key, whatever the key holds and however many there are."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.trace import Trace
from tests.settings import settings
from tests.thinned import thinned


@pytest.fixture
def new_york(spark: SparkSession) -> Iterator[None]:
    """A time zone in which an hour comes twice."""
    with settings(spark, {"spark.sql.session.timeZone": "America/New_York"}):
        yield


# Each gives `id % 6` groups that a way through Python, or a careless comparison, would lose or mix up.
HARD_KEYS = {
    "invalid UTF-8": "cast(unhex(element_at(array('FF', 'C328', '61', 'FE', '80', ''), int(id % 6) + 1)) as string)",
    "the hour that comes twice": "timestamp_seconds(1762061400 + (id % 6) * 1800)",
    "the year 0": "timestamp'0000-12-30 00:00:00' + make_dt_interval(int(id % 6))",
    "dates before Christ": "date_add(date'0001-01-01', int(id % 6) - 400)",
    "other times": "struct(timestamp_ntz'9999-12-31 23:59:59.999999' - make_dt_interval(int(id % 6)) as last, "
    "date_sub(date'9999-12-31', int(id % 6)) as day, timestamp_micros(id % 6 - 3) as moment)",
    "floating point": "element_at(array(double('NaN'), 0.0D, 1e-320D, null, double('inf'), 5D), int(id % 6) + 1)",
    "the widest decimal": "cast(concat(repeat('9', 37), id % 6) as decimal(38, 0))",
    "binary": "unhex(concat('00FF0', id % 6))",
    "intervals": "struct(make_ym_interval(int(id % 6)), make_dt_interval(0, 0, 0, id % 6))",
    "arrays": "array(double('NaN'), -0.0D, double(id % 6), null)",
    "collations": "collate(element_at(array('a', 'B', 'c', 'D', 'e', 'F'), int(id % 6) + 1), 'UTF8_LCASE')",
    "names given twice": "named_struct('a', float(id % 6) - 0.1f, 'a', array(if(id % 6 = 0, null, '\u0000')))",
    "maps": "if(id < 12, map('a', id % 6, 'b', 0L), map('b', 0L, 'a', id % 6))",
    "maps within": "array(struct(map('x', array(map('y', id % 6, 'z', null))) as m), null)",
    "calendar intervals": "make_interval(0, int(id % 2), 0, 0, 0, 0, (id % 3 - 1) * 0.25)",
    "calendar intervals within": "map('every', struct(make_interval(0, 0, 0, int(id % 6) - 3) as i), 'never', null)",
}
# Spark groups by texts of a collation in their order, and calendar intervals have none.
TOGETHER = [
    [name for name in HARD_KEYS if not name.startswith("calendar")],
    ["maps", "maps within", "calendar intervals", "calendar intervals within", "floating point"],
]


def expected_ids(rows: int, groups: set[int]) -> list[int]:
    return [n for n in range(rows) if n % 6 in groups]


def ids(trace: Trace) -> list[int]:
    return sorted(record.value["id"] for record in trace.collect(limit=10_000))


@pytest.mark.compat
@pytest.mark.usefixtures("new_york")
@pytest.mark.parametrize(
    "limits",
    thinned(
        [{"LITERAL_KEYS": 1}, {}, {"FETCHED": 3}],
        "hard keys, as literals and left in Spark",
    ),
    ids=["more keys, broadcast", "few keys, as literals", "many keys, left in Spark"],
)
def test_hard_keys(
    limits: dict[str, int],
    session: bigdebug.Session,
    spark: SparkSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in limits.items():
        monkeypatch.setattr(f"bigdebug.lineage.segments.{name}", value)
    for names in TOGETHER:
        keyed = spark.range(60).select("id", *(F.expr(HARD_KEYS[name]).alias(name) for name in names))
        grouped = keyed.groupBy(*names).agg(F.min("id").alias("least"), F.count("*").alias("n"))
        assert grouped.count() == 6
        trace = session.trace(grouped, "least in (0, 1, 2, 4)")
        assert trace.matched == 4
        assert ids(trace) == expected_ids(60, {0, 1, 2, 4})


@pytest.mark.parametrize("key", thinned(HARD_KEYS, "each hard key alone"))
@pytest.mark.usefixtures("new_york")
def test_each_hard_key_alone(key: str, session: bigdebug.Session, spark: SparkSession) -> None:
    keyed = spark.range(24).select("id", F.expr(HARD_KEYS[key]).alias("key"))
    trace = session.trace(keyed.groupBy("key").agg(F.min("id").alias("least")), "least = 0")
    assert ids(trace) == expected_ids(24, {0})


def test_the_two_zeros_are_one_key(session: bigdebug.Session, spark: SparkSession) -> None:
    keyed = spark.range(9).select(
        "id", F.expr("if(id % 3 = 0, 0.0D, if(id % 3 = 1, -0.0D, 1.0D))").alias("key")
    )
    grouped = keyed.groupBy("key").agg(F.min("id").alias("least"))
    for where in ("least = 0", "cast(key as string) = '0.0'"):
        trace = session.trace(grouped, where)
        assert trace.matched == 1
        assert ids(trace) == [0, 1, 3, 4, 6, 7]


@pytest.mark.compat
@pytest.mark.usefixtures("new_york")
def test_keys_that_python_or_equality_would_lose(session: bigdebug.Session, spark: SparkSession) -> None:
    keys = {
        "invalid UTF-8": "cast(unhex('ff') as string)",
        "null": "cast(null as string)",
        "NaN": "double('NaN')",
        "zero": "-0.0D",
        "the hour that comes twice": "timestamp '2024-11-03 05:30:00 UTC'",
        "the hour that comes twice, again": "timestamp '2024-11-03 06:30:00 UTC'",
        "year 0": "to_timestamp('0000-06-01', 'yyyy-MM-dd') - interval 1 year",
        "struct of nulls": "named_struct('a', cast(null as int), 'a', double('NaN'))",
        "array": "array(1.5D, -0.0D, double('NaN'), null)",
        "year-month interval": "interval '1-2' year to month",
        "decimal": "cast('12345678901234567890.123456789' as decimal(38, 9))",
        "binary": "unhex('00ff')",
    }
    for name, key in keys.items():
        frame = spark.range(4).selectExpr("id as n", f"if(id < 2, {key}, null) as k").groupBy("k").count()
        where = F.expr(f"k <=> {key}")
        records = session.trace(frame, where).collect()
        expected = {0, 1, 2, 3} if name == "null" else {0, 1}
        assert {record.value["id"] for record in records} == expected, name


@pytest.mark.compat
def test_keys_that_a_files_statistics_would_lose(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    rows = [(1, -0.0), (2, float("nan")), (3, 1.5), (4, None), (5, float("nan")), (6, -0.0)]
    spark.createDataFrame(rows, "n int, d double").coalesce(1).write.parquet(str(tmp_path / "data"))
    frame = spark.read.parquet(str(tmp_path / "data")).groupBy("d").count()
    for where, numbers in (("d = 0", {1, 6}), ("isnan(d)", {2, 5}), ("d = 1.5", {3}), ("d is null", {4})):
        trace = session.trace(frame, where)
        assert trace.matched == 1
        assert {record.value["n"] for record in trace.collect()} == numbers


@pytest.mark.compat
def test_keys_within_structs_that_a_files_statistics_would_lose(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    rows = [
        (1, (-0.0, "a")),
        (2, (float("nan"), "a")),
        (3, (1.5, "a")),
        (4, (float("nan"), "a")),
        (5, (-0.0, "a")),
    ]
    stored = spark.createDataFrame(rows, "n int, s struct<d: double, t: string>").coalesce(1)
    stored.write.parquet(str(tmp_path / "data"))
    frame = spark.read.parquet(str(tmp_path / "data")).groupBy("s").agg(F.min("n").alias("least"))
    for least, numbers in ((1, {1, 5}), (2, {2, 4}), (3, {3})):
        trace = session.trace(frame, f"least = {least}")
        assert {record.value["n"] for record in trace.collect()} == numbers


# Each gives keys that look alike, some of which Spark takes for one.
ALIKE = {
    "maps": [
        "map('a', 1, 'b', 2)", "map('b', 2, 'a', 1)", "map('a', 2, 'b', 1)", "map('a', 1)", "map('a', null)",
        "map()", "null",
    ],
    "maps of maps": [
        "map(1, map('a', 1, 'b', 2))", "map(1, map('b', 2, 'a', 1))", "map(1, map())", "map(1, null)", "map()",
    ],
    "calendar intervals": [
        "make_interval(0, 1)", "make_interval(0, 0, 0, 30)", "make_interval(0, 0, 0, 1)",
        "make_interval(0, 0, 0, 0, 24)", "make_interval(0, 0, 0, 0, 23, 60)", "make_interval(1)",
        "make_interval(0, 12)", "make_interval(0, 0, 0, 0, 0, 0, -0.000001)",
        "make_interval(0, 0, 0, 0, 0, 0, 0.000001)", "make_interval(0)", "null",
    ],
    "structs of both": [
        "struct(map(1, 2) as m, make_interval(1) as i)", "struct(map(1, 2) as m, make_interval(0, 12) as i)",
        "struct(null as m, make_interval(1) as i)", "struct(map(1, 2) as m, null as i)",
        "struct(null as m, null as i)", "null",
    ],
}  # fmt: skip


@pytest.mark.compat
@pytest.mark.parametrize("keys", thinned(ALIKE.values(), "keys that Spark takes for one", 4), ids=ALIKE)
def test_keys_are_one_where_spark_takes_them_for_one(
    keys: list[str], session: bigdebug.Session, spark: SparkSession
) -> None:
    keyed = spark.range(2 * len(keys)).selectExpr("id", f"array({', '.join(keys)})[id % {len(keys)}] as key")
    grouped = keyed.groupBy("key").agg(
        F.min("id").alias("least"), F.sort_array(F.collect_list("id")).alias("ids")
    )
    # Python has no calendar intervals, so these stay where they are.
    groups = [row.ids for row in grouped.select("least", "ids").collect()]
    index = session.index(session.outputs[-1])
    assert 1 < len(groups) < len(keys) or keys is ALIKE["maps of maps"]
    for group in groups:
        assert ids(session.trace(grouped, f"least = {group[0]}")) == group
        assert sorted(record.value["id"] for record in index.trace(f"least = {group[0]}").collect()) == group


@pytest.mark.proof("groups of hard keys in an index")
def test_an_index_finds_groups_by_hard_keys(session: bigdebug.Session, spark: SparkSession) -> None:
    for names in TOGETHER:
        keyed = spark.range(60).select("id", *(F.expr(HARD_KEYS[name]).alias(name) for name in names))
        keyed.groupBy(*names).agg(F.min("id").alias("least")).select("least").collect()
        index = session.index(session.outputs[-1])
        found = sorted(record.value["id"] for record in index.trace("least in (1, 4)").collect())
        assert found == expected_ids(60, {1, 4})


# Six groups of each; not every Spark has them.
LATER_KEYS = {
    "times of a day": "make_time(int(id % 6), 30, 1.5)",
    "blanks at the end": "collate(concat(id % 6, repeat(' ', int(id / 6) % 2)), 'UTF8_BINARY_RTRIM')",
}


@pytest.mark.compat
@pytest.mark.parametrize("key", LATER_KEYS)
def test_hard_keys_of_later_versions(key: str, session: bigdebug.Session, spark: SparkSession) -> None:
    with settings(spark, {"spark.sql.timeType.enabled": "true"}):
        try:
            keyed = spark.range(60).select("id", F.expr(LATER_KEYS[key]).alias("key"))
            keyed.groupBy("key").agg(F.min("id").alias("least")).select("least").collect()
        except AnalysisException:
            pytest.skip(f"this Spark has no {key}")
        output = session.outputs[-1]
        assert ids(session.trace(output, "least in (1, 4)")) == expected_ids(60, {1, 4})
        indexed = session.index(output).trace("least = 1").collect()
        assert sorted(record.value["id"] for record in indexed) == expected_ids(60, {1})


def test_a_condition_on_a_map_is_one_on_the_groups(session: bigdebug.Session, spark: SparkSession) -> None:
    """Rows of one group differ in the order of their entries, and the group's row has one of these."""
    keyed = spark.range(6).selectExpr("id", "if(id % 2 = 0, map('a', 1, 'b', 2), map('b', 2, 'a', 1)) as key")
    grouped = keyed.groupBy("key").count()
    (row,) = grouped.selectExpr("cast(key as string) as text").collect()
    assert ids(session.trace(grouped, f"cast(key as string) = '{row.text}'")) == [0, 1, 2, 3, 4, 5]
    assert ids(session.trace(grouped, "key['b'] = 2")) == [0, 1, 2, 3, 4, 5]


# -- windows of time --------------------------------------------------------------------------------

BEGIN = datetime(2026, 1, 1)


def events(spark: SparkSession) -> tuple[DataFrame, list[tuple[int, str, datetime]]]:
    rows = [(n, "ab"[n % 2], BEGIN + timedelta(minutes=(n * n) % 97, seconds=n)) for n in range(40)]
    return spark.createDataFrame(rows, "id int, user string, at timestamp"), rows


@pytest.mark.compat
def test_session_windows(session: bigdebug.Session, spark: SparkSession) -> None:
    frame, rows = events(spark)
    expected: dict[tuple[str, datetime], list[int]] = {}
    for user in "ab":
        begin = end = None
        for n, _, at in sorted((row for row in rows if row[1] == user), key=lambda row: row[2]):
            if end is None or begin is None or at >= end:
                begin = at
            end = at + timedelta(minutes=5)
            expected.setdefault((user, begin), []).append(n)
    sessions = frame.groupBy(F.session_window("at", "5 minutes").alias("w"), "user").agg(
        F.count("*").alias("n")
    )
    found = sessions.select("user", "w.start", "n").collect()
    assert {(row.user, row.start): row.n for row in found} == {k: len(v) for k, v in expected.items()}
    for (user, begin), members in list(expected.items())[:6]:
        trace = session.trace(sessions, f"user = '{user}' and w.start = timestamp'{begin}'")
        assert ids(trace) == sorted(members)


def test_what_is_made_of_session_windows(session: bigdebug.Session, spark: SparkSession) -> None:
    frame, _ = events(spark)
    sessions = frame.groupBy(F.session_window("at", "5 minutes").alias("w"), "user").agg(
        F.count("*").alias("n")
    )
    begins = sessions.groupBy("w.start").agg(F.sum("n").alias("n"))
    most = max(begins.collect(), key=lambda row: row.n)
    trace = session.trace(begins, f"n = {most.n}")
    assert trace.sources[0].count == sum(row.n for row in begins.collect() if row.n == most.n)


def test_sliding_windows(session: bigdebug.Session, spark: SparkSession) -> None:
    frame, rows = events(spark)
    expected = defaultdict(set)
    for n, _, at in rows:
        start = datetime.fromtimestamp(at.timestamp() // 300 * 300)
        for back in (0, 1):
            expected[start - timedelta(minutes=5 * back)].add(n)
    windows = frame.groupBy(F.window("at", "10 minutes", "5 minutes").alias("w")).agg(F.sum("id").alias("s"))
    begin = max(expected, key=lambda start: len(expected[start]))
    trace = session.trace(windows, f"w.start = timestamp'{begin}'")
    assert ids(trace) == sorted(expected[begin])


# -- joins ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "left", "right"),
    thinned([("full", 6, 5), ("left", 6, 2), ("right", 2, 5), ("inner", 2, 2)], "rows without a partner", 4),
)
def test_rows_without_a_partner(
    kind: str, left: int, right: int, session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    (tmp_path / "l.csv").write_text("".join(f"{n}\n" for n in range(6)))
    spark.range(4, 9).coalesce(1).write.parquet(str(tmp_path / "r"))
    lefts = spark.read.csv(str(tmp_path / "l.csv"), schema="k long")
    rights = spark.read.parquet(str(tmp_path / "r"))
    joined = lefts.join(rights, lefts.k == rights.id, kind)
    trace = session.trace(joined)
    assert [source.count for source in trace.sources] == [left, right]
    if kind != "inner":
        only = session.trace(joined, "id is null" if kind == "left" else "k is null")
        assert [source.count for source in only.sources] == ([4, 0] if kind == "left" else [0, 3])


def test_a_column_called_metadata(session: bigdebug.Session, spark: SparkSession, tmp_path: Path) -> None:
    for format in ("parquet", "json"):
        spark.range(20).select("id", (F.col("id") % 3).alias("_metadata")).coalesce(1).write.format(
            format
        ).save(str(tmp_path / format))
        frame = spark.read.schema("id long, _metadata long").format(format).load(str(tmp_path / format))
        trace = session.trace(frame.groupBy("_metadata").count(), "_metadata = 1")
        found = [(record.value["id"], record.location.position) for record in trace.collect()]
        assert sorted(found) == [(n, n) for n in range(1, 20, 3)]

"""Columns of every kind: the values a trace shows are those put in, live, from a recipe and from an index."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyspark.ml.linalg import Vectors, VectorUDT
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DoubleType, UserDefinedType, VariantVal

import bigdebug
from bigdebug.lineage.finding import numbered
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store
from tests.settings import settings
from tests.thinned import thinned


class Point:
    """A value that only its user's code knows."""

    def __init__(self, x: float, y: float) -> None:
        self.x, self.y = x, y

    def __repr__(self) -> str:
        return f"Point({self.x}, {self.y})"


class PointType(UserDefinedType):
    """How Spark holds points."""

    @classmethod
    def sqlType(cls) -> ArrayType:  # noqa: N802
        return ArrayType(DoubleType(), containsNull=False)

    @classmethod
    def module(cls) -> str:
        return __name__

    def serialize(self, obj: Point) -> list[float]:
        return [obj.x, obj.y]

    def deserialize(self, datum: list[float]) -> Point:
        return Point(*datum)


Point.__UDT__ = PointType()  # type: ignore[attr-defined]


def of_sql(**columns: tuple[str, str, str]) -> Callable[[SparkSession], DataFrame]:
    """Three rows of constants, in memory: `id`, `k`, and columns of three expressions each."""

    def make(spark: SparkSession) -> DataFrame:
        rows = ", ".join(
            f"({n}, {n % 2}, {', '.join(values)})"
            for n, values in enumerate(zip(*columns.values(), strict=True))
        )
        return spark.sql(f"values {rows} as t(id, k, {', '.join(columns)})")

    return make


def of_rows(kinds: dict[str, Any], *rows: tuple[Any, ...]) -> Callable[[SparkSession], DataFrame]:
    """Rows of Python values, in memory; `id` and `k` stand before them."""

    def make(spark: SparkSession) -> DataFrame:
        from pyspark.sql.types import IntegerType, StructField, StructType

        fields = [StructField("id", IntegerType()), StructField("k", IntegerType())]
        fields += [StructField(name, kind) for name, kind in kinds.items()]
        return spark.createDataFrame([(n, n % 2, *row) for n, row in enumerate(rows)], StructType(fields))

    return make


def of_names(*names: str) -> Callable[[SparkSession], DataFrame]:
    """Columns of whole numbers by the names of their own."""

    def make(spark: SparkSession) -> DataFrame:
        rows = [(n, n % 2, *(n * 10 + i for i in range(len(names)))) for n in range(3)]
        return spark.createDataFrame(rows, ["id", "k", *names])

    return make


@dataclass(frozen=True)
class Kind:
    """Columns of some kind.

    Attributes:
        make: three rows of them, in memory.
        stored: whether Parquet can hold them.
        read_by_index: whether an index shows the values, without Spark, of (Parquet, memory).
        settings: of the session.
        spelled: columns whose values PySpark can't hand over: they are shown as texts.
        declared: columns of a catalog's table, where Parquet is written and read by way of one.
    """

    make: Callable[[SparkSession], DataFrame]
    stored: bool = True
    read_by_index: tuple[bool, bool] = (False, False)
    settings: tuple[tuple[str, str], ...] = ()
    declared: str | None = None
    spelled: tuple[str, ...] = ()


KINDS = {
    "numbers": Kind(
        of_sql(
            whole=("1Y", "-128Y", "null"),
            large=("9223372036854775807", "-9223372036854775808", "0L"),
            double=("double('NaN')", "-0.0D", "double('-Infinity')"),
            single=("float('NaN')", "float('-0.0')", "1.5f"),
            exact=(
                "cast('12345678901234567890.123456789012345678' as decimal(38,18))",
                "cast('-0.000000000000000001' as decimal(38,18))",
                "cast(null as decimal(38,18))",
            ),
            truth=("true", "false", "null"),
        ),
        read_by_index=(True, True),
    ),
    "texts and bytes": Kind(
        of_sql(
            text=("''", "' ä\\u0000\\n'", "null"),
            binary=("x'00ff80'", "x''", "null"),
        ),
        read_by_index=(True, True),
    ),
    "collated texts": Kind(
        of_sql(
            collated=("'a' collate UTF8_LCASE", "'A' collate UTF8_LCASE", "null"),
            nested=("array('é' collate UNICODE_CI)", "array()", "null"),
        )
    ),
    "texts of some length": Kind(
        of_sql(four=("'a   '", "'ä b '", "null"), few=("'a'", "' b '", "null")),
        read_by_index=(True, True),
        declared="id int, k int, four char(4), few varchar(3)",
    ),
    "times": Kind(
        of_sql(
            date=("date'2024-02-29'", "date'1970-01-01'", "null"),
            moment=("timestamp'2024-02-29 12:34:56.789012'", "timestamp'1970-01-01 00:00:00'", "null"),
            wall=("timestamp_ntz'2024-03-10 02:30:00'", "timestamp_ntz'1970-01-01 00:00:00.000001'", "null"),
        ),
        read_by_index=(False, True),
    ),
    "times long ago": Kind(
        of_sql(
            date=("date'1582-10-04'", "date'0001-01-01'", "date'1582-10-15'"),
            moment=("timestamp'1582-10-04 01:02:03'", "timestamp'1800-01-01 00:00:00'", "null"),
            wall=("timestamp_ntz'0001-01-01 00:00:00'", "timestamp_ntz'1899-12-31 23:59:59'", "null"),
        )
    ),
    "intervals": Kind(
        of_sql(
            seconds=("interval '1 02:03:04.5' day to second", "interval '-1' second", "null"),
            hours=("interval '25' hour", "interval '-1' hour", "null"),
            months=("interval '1-2' year to month", "interval '-0-1' year to month", "null"),
            years=("interval '3' year", "interval '-3' year", "null"),
        ),
        spelled=("months", "years"),
    ),
    "what Parquet can't hold": Kind(
        of_sql(
            span=("make_interval(1, 2, 3, 4, 5, 6, 7.5)", "make_interval(0, -1)", "null"),
            map=("map('a', array(1, null))", "map()", "null"),
            struct=(
                "named_struct('x', 1, 'y', array(named_struct('z', date'2024-01-01')))",
                "named_struct('x', null, 'y', array())",
                "null",
            ),
            lists=("array(array(1.5D), null)", "array(array(double('NaN')))", "null"),
            twice=("named_struct('a', 1, 'a', 2)", "named_struct('a', 3, 'a', 4)", "null"),
        ),
        stored=False,
        spelled=("span",),
    ),
    "maps, structs and variants": Kind(
        of_sql(
            map=("map(1, named_struct('a', 'x'))", "map()", "null"),
            struct=("named_struct('x', 1, 'y', x'ff')", "named_struct('x', null, 'y', null)", "null"),
            lists=("array(array(1), null)", "array()", "null"),
            variant=("""parse_json('{"a": [1, 2, null], "b": 2.5}')""", "parse_json('null')", "null"),
            inside=("array(parse_json('1'))", "array()", "null"),
        )
    ),
    "types of a user": Kind(
        of_rows({"point": PointType(), "points": ArrayType(PointType()), "vector": VectorUDT()},
            (Point(1.0, -2.0), [Point(0.5, 0.0)], Vectors.dense([1.0, -0.0])),
            (Point(0.0, 0.0), [], Vectors.sparse(3, [1], [2.0])),
            (None, None, None),
        )
    ),
    "names": Kind(
        of_names("a.b", "a b", "a`b", "größe", "", " ", "_metadata", "`"), read_by_index=(True, True)
    ),
    "names that differ in case": Kind(
        of_names("x", "X"),
        read_by_index=(False, True),
        settings=(("spark.sql.caseSensitive", "true"),),
    ),
    "names given twice": Kind(of_names("a", "a", "a#2"), stored=False, read_by_index=(True, True)),
}  # fmt: skip


def told(trace: Any) -> tuple[int, list[tuple[str, str]]]:
    """How many rows a trace starts from, and each record with its values as Python spells them."""
    return trace.matched, [(record.source, repr(plain(record.value))) for record in trace.collect()]


def plain(value: Any) -> Any:
    """Bytes and variants, which have several spellings each, in one."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, VariantVal):
        return value.toJson()
    return bytes(value) if isinstance(value, bytearray) else value


@pytest.mark.compat
@pytest.mark.parametrize(
    "name",
    thinned(
        KINDS,
        "kinds of values, shown as they were put in",
        among=["numbers"],
    ),
)
def test_values_are_shown_as_they_were_put_in(name: str, spark: SparkSession, tmp_path: Path) -> None:
    kind = KINDS[name]
    try:
        with settings(spark, dict(kind.settings)):
            judge(kind, spark, tmp_path)
    finally:
        spark.sql("drop table if exists stored")
        spark.catalog.dropTempView("held")


def judge(kind: Kind, spark: SparkSession, folder: Path) -> None:
    put_in = put_into(kind, spark)
    if not put_in and spark.version.startswith("4.0"):
        pytest.skip("this Spark gives no rows of an inline table of collated texts")
    with bigdebug.attach(spark, store=str(folder / "store")) as session:
        kind.make(spark).createOrReplaceTempView("held")
        held = spark.table("held")
        left, right = (stored(kind, held, folder) if kind.stored else held).alias("l"), held.alias("r")
        first = len(session.outputs)
        both = left.filter("l.id < 2").join(right, F.expr("l.id = r.id"))
        all_columns = both.selectExpr("l.*", "r.id as theirs", "r.*")
        all_columns.filter("theirs >= 0").count()
        both.groupBy("l.k").agg(F.count("*").alias("n")).collect()
        questions = dict(zip(session.outputs[first:], ("theirs = 1", "k = 0"), strict=True))
        live = [told(session.trace(output, where)) for output, where in questions.items()]
        indexed = [session.index(output).trace(where) for output, where in questions.items()]
        from_index = [told(trace) for trace in indexed]
    names = ["stored" if kind.stored else "held", "held" if kind.stored else "held#2"]
    assert live == [(1, [(source, put_in[n]) for source in names]) for n in (1, 0)]
    shown = kind.read_by_index if kind.stored else kind.read_by_index[1:] * 2
    assert from_index == [
        (1, [(source, put_in[n] if one else "None") for source, one in zip(names, shown, strict=True)])
        for n in (1, 0)
    ]
    for trace in indexed:
        notes = [note for note in trace.notes if "values of its records aren't shown" in note]
        assert len(notes) == shown.count(False)
    run = Store(str(folder / "store")).find("last")
    again = [
        told(open_output(run, run.output(str(output.number)), spark=spark).trace(where))
        for output, where in questions.items()
    ]
    assert again == live


def put_into(kind: Kind, spark: SparkSession) -> dict[int, str]:
    """By number, each row as Python spells it; as Spark does, where Python has no such values."""
    made = kind.make(spark)
    for name in kind.spelled:
        made = made.withColumn(name, F.col(name).cast("string"))
    return {
        row[0]: repr(plain(dict(zip(numbered(made.columns), row, strict=True)))) for row in made.collect()
    }


def stored(kind: Kind, held: DataFrame, folder: Path) -> DataFrame:
    """The same rows out of one Parquet file."""
    spark = held.sparkSession
    place = str(folder / "stored")
    if kind.declared is None:
        held.coalesce(1).write.parquet(place)
        return spark.read.parquet(place)
    spark.sql(f"create table stored ({kind.declared}) using parquet location '{place}'")
    held.coalesce(1).write.insertInto("stored")
    return spark.table("stored")

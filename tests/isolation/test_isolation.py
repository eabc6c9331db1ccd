"""What an isolation finds, judged by running the pipelines anew, without bigdebug, on the records that it names."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

import bigdebug
from bigdebug.isolation.found import IsolatedRecords
from bigdebug.lineage import trace
from tests.thinned import thinned

Row = tuple[int, int, str, float | None]
SCHEMA = "id int, k int, word string, v double"
KINDS = [(0, "a"), (1, "a"), (2, "b"), (3, "c")]


@dataclass(frozen=True)
class Pipeline:
    """A pipeline, what fails of its output, and the columns that tell an output row from others."""

    made: Callable[[DataFrame, DataFrame], DataFrame]
    failing: str
    key: tuple[str, ...]
    influenced: bool = False  # by the kinds, which are no candidates


def _summed(orders: DataFrame, _: DataFrame) -> DataFrame:
    return orders.where("v != 3").groupBy("k").agg(F.sum("v").alias("total"), F.count("*").alias("n"))


def _of_kinds(orders: DataFrame, kinds: DataFrame) -> DataFrame:
    return orders.join(kinds, "k").groupBy("kind").agg(F.avg("v").alias("mean"))


def _of_all_kinds(orders: DataFrame, kinds: DataFrame) -> DataFrame:
    return kinds.join(orders, "k", "left").groupBy("kind").agg(F.count("v").alias("n"))


def _of_either(orders: DataFrame, kinds: DataFrame) -> DataFrame:
    joined = orders.join(kinds, orders.k + 2 == kinds.k, "full")
    return joined.groupBy(F.coalesce("kind", F.lit("none")).alias("kind")).agg(F.max("v").alias("most"))


def _twice(orders: DataFrame, _: DataFrame) -> DataFrame:
    once = orders.groupBy("k", "word").agg(F.max("v").alias("most"))
    return once.groupBy("word").agg(F.sum("most").alias("total"))


def _ranked(orders: DataFrame, _: DataFrame) -> DataFrame:
    order = Window.partitionBy("k").orderBy(F.desc("v"), "id")
    ranked = orders.where("v is not null").withColumn("r", F.row_number().over(order)).where("r <= 2")
    return ranked.groupBy("k").agg(F.sum("v").alias("total"))


def _lowest(orders: DataFrame, _: DataFrame) -> DataFrame:
    """Windows of groups, which are parts of larger ones."""
    means = orders.groupBy("k", "word").agg(F.avg("v").alias("mean"))
    up = Window.partitionBy("word").orderBy("mean", "k")
    ranked = means.withColumn("r", F.row_number().over(up)).withColumn("text", F.upper("word"))
    return ranked.where("r <= 2").groupBy("text").agg(F.sum("mean").alias("total"))


def _lowest_of_all(orders: DataFrame, _: DataFrame) -> DataFrame:
    """The same, but a window has rows of several of the larger groups."""
    means = orders.groupBy("k", "word").agg(F.avg("v").alias("mean"))
    ranked = means.withColumn("r", F.row_number().over(Window.orderBy("mean", "k", "word")))
    return ranked.where("r <= 4").groupBy("word").agg(F.sum("mean").alias("total"))


def _large_parts(orders: DataFrame, _: DataFrame) -> DataFrame:
    """Smaller groups, not all of which go on."""
    parts = orders.groupBy("k", "word").agg(F.sum("v").alias("part"), F.count("*").alias("n"))
    return parts.where("n > 1").groupBy("k").agg(F.sum("part").alias("total"))


def _running(orders: DataFrame, _: DataFrame) -> DataFrame:
    return orders.withColumn("total", F.sum("v").over(Window.partitionBy("k").orderBy("id")))


def _everything(orders: DataFrame, _: DataFrame) -> DataFrame:
    return orders.agg(F.sum("v").alias("total"), F.count("*").alias("n"))


def _counted(orders: DataFrame, _: DataFrame) -> DataFrame:
    return orders.agg(F.count("*").alias("n"), F.max(F.when(F.col("k") > 1, F.col("v"))).alias("most"))


def _distinct(orders: DataFrame, _: DataFrame) -> DataFrame:
    return orders.select("k", "word").distinct().groupBy("k").count()


def _both(orders: DataFrame, kinds: DataFrame) -> DataFrame:
    words = orders.select(F.col("word").alias("text"), "v")
    more = kinds.select(F.col("kind"), F.col("k").cast("double"))
    return words.unionAll(more).groupBy("text").agg(F.sum("v").alias("total"))


def _exploded(orders: DataFrame, _: DataFrame) -> DataFrame:
    letters = orders.select("id", F.explode(F.split("word", "")).alias("letter"))
    return letters.where("letter != ''").groupBy("letter").count()


def _cubed(orders: DataFrame, _: DataFrame) -> DataFrame:
    return orders.rollup("k", "word").agg(F.sum("v").alias("total"))


def _matched(orders: DataFrame, kinds: DataFrame) -> DataFrame:
    kept = orders.join(kinds.where("kind = 'a'"), "k", "left_semi")
    return kept.groupBy("word").agg(F.sum("v").alias("total"))


def _latest(orders: DataFrame, _: DataFrame) -> DataFrame:
    return orders.where("v is not null").orderBy("v", "id").limit(3).groupBy("k").agg(F.sum("v").alias("s"))


def _deduplicated(orders: DataFrame, _: DataFrame) -> DataFrame:
    return orders.select("k", "word").dropDuplicates().groupBy("word").agg(F.count("k").alias("n"))


def _paired(orders: DataFrame, _: DataFrame, again: DataFrame | None = None) -> DataFrame:
    others = (orders if again is None else again).select(
        "k", F.col("v").alias("w"), F.col("id").alias("other")
    )
    return (
        orders.join(others, "k")
        .where("id != other")
        .groupBy("k")
        .agg(F.max(F.col("v") * F.col("w")).alias("m"))
    )


def _lacking(orders: DataFrame, _: DataFrame) -> DataFrame:
    bad = orders.where("v < 0").select("k", "word")
    return orders.join(bad, ["k", "word"], "left_anti").groupBy("word").agg(F.sum("v").alias("total"))


def _repeated(orders: DataFrame, _: DataFrame) -> DataFrame:
    return orders.unionAll(orders.where("v > 4")).groupBy("k").agg(F.sum("v").alias("total"))


def _above_mean(orders: DataFrame, _: DataFrame) -> DataFrame:
    text = "select k, sum(v) as total from {orders} where v > (select avg(v) from {orders}) group by k"
    return orders.sparkSession.sql(text, orders=orders)


PIPELINES = {
    "sum": Pipeline(_summed, "total < 0", ("k",)),
    "count": Pipeline(_summed, "n > 3", ("k",)),
    "join": Pipeline(_of_kinds, "mean > 2.5", ("kind",)),
    "outer join": Pipeline(_of_all_kinds, "n > 4", ("kind",)),
    "full join": Pipeline(_of_either, "most > 6", ("kind",)),
    "two levels": Pipeline(_twice, "total > 9", ("word",)),
    "rank": Pipeline(_ranked, "total > 10", ("k",)),
    "lowest": Pipeline(_lowest, "total < 0", ("text",)),
    "lowest of all": Pipeline(_lowest_of_all, "total < 0", ("word",)),
    "large parts": Pipeline(_large_parts, "total > 10", ("k",)),
    "running sum": Pipeline(_running, "total < 0", ("id",)),
    "everything": Pipeline(_everything, "total < 70", ()),
    "nothing left": Pipeline(_counted, "n > 4 or most > 7", ()),
    "distinct": Pipeline(_distinct, "count > 2", ("k",)),
    "union": Pipeline(_both, "total > 8", ("text",)),
    "explode": Pipeline(_exploded, "count > 6", ("letter",)),
    "rollup": Pipeline(_cubed, "total < 0", ("k", "word")),
    "semi join": Pipeline(_matched, "total > 9", ("word",), influenced=True),
    "limit": Pipeline(_latest, "s < -5", ("k",)),
    "duplicates": Pipeline(_deduplicated, "n > 2", ("word",)),
    "joined with itself": Pipeline(_paired, "m > 30", ("k",)),
    "less what is in itself": Pipeline(_lacking, "total > 9", ("word",)),
    "more of itself": Pipeline(_repeated, "total > 20", ("k",)),
    "above its mean": Pipeline(_above_mean, "total > 12", ("k",)),
}


def rows(seed: int) -> list[Row]:
    dice = random.Random(seed)
    return [
        (
            n,
            dice.randrange(4),
            dice.choice(["x", "y", "xyz"]),
            dice.choice([None, -9.0, -9.0, *map(float, range(8))]),
        )
        for n in range(20)
    ]


class Judge:
    """Runs a pipeline on some records, without bigdebug, and tells which of its rows fail."""

    def __init__(self, spark: SparkSession, pipeline: Pipeline) -> None:
        self.spark, self.pipeline = spark, pipeline

    def fate(self, orders: list[Row], kinds: list[tuple[int, str]]) -> dict[tuple[object, ...], bool]:
        made = self.pipeline.made(
            self.spark.createDataFrame(orders, SCHEMA),
            self.spark.createDataFrame(kinds, "k int, kind string"),
        )
        found = made.withColumn("fails", F.coalesce(F.expr(self.pipeline.failing), F.lit(False))).collect()
        return {tuple(row[name] for name in self.pipeline.key): row.fails for row in found}


def split(records: IsolatedRecords) -> tuple[set[int], set[int]]:
    """Ids of orders, and keys of kinds."""
    assert records.total == len(records)
    orders = {each.value["id"] for each in records if "id" in each.value}
    return orders, {each.value["k"] for each in records if "kind" in each.value}


def within(data: list, chosen: set[int]) -> list:
    return [each for each in data if each[0] in chosen]


def without(data: list, chosen: set[int]) -> list:
    return [each for each in data if each[0] not in chosen]


@pytest.mark.parametrize(
    "name",
    thinned(
        [
            "sum",
            "join",
            "rank",
            "two levels",
            "lowest",
            "outer join",
            "nothing left",
            "limit",
            "above its mean",
        ],
        "isolation in pipelines of each kind",
        among=["sum"],
    ),
)
def test_culprits_repair_and_the_reproduction_fails(
    name: str, session: bigdebug.Session, spark: SparkSession
) -> None:
    assert judged(PIPELINES[name], session, spark, seed=1, most=1)


def test_a_record_is_one_wherever_it_is_read(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    file = str(tmp_path / "orders.csv")
    spark.createDataFrame(rows(1), SCHEMA).coalesce(1).write.csv(file)
    orders, again = (
        spark.read.csv(file, schema=each) for each in (SCHEMA, SCHEMA.replace("word string", "w string"))
    )
    made = _paired(orders, orders, again)
    assert judged(PIPELINES["joined with itself"], session, spark, 1, most=1, made=made) > 1


@pytest.mark.proof("files that are read twice, in other ways")
def test_what_is_read_in_other_ways_is_told(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    file = str(tmp_path / "orders.csv")
    spark.createDataFrame(rows(1), SCHEMA).coalesce(1).write.csv(file)
    orders = spark.read.csv(file, schema=SCHEMA)
    other = spark.read.csv(file, schema=SCHEMA, comment="#")
    found = session.isolate(_paired(orders, orders, other), "m > 30")
    assert [note for note in found.notes if "orders.csv and orders.csv#2 read the same files" in note]


def over_a_file(pipeline: Pipeline, spark: SparkSession, file: Path) -> DataFrame:
    """A pipeline over orders that are written to a file."""
    spark.createDataFrame(rows(1), SCHEMA).write.parquet(str(file))
    return pipeline.made(spark.read.parquet(str(file)), spark.range(0).toDF("k"))


@pytest.mark.parametrize(
    "name", thinned(["lowest of all", "large parts", "distinct"], "isolation in files of many parts")
)
def test_records_of_large_files_come_with_their_ids(
    name: str,
    session: bigdebug.Session,
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are read no second time for their values."""
    monkeypatch.setattr(trace, "SMALL_BYTES", 0)
    pipeline = PIPELINES[name]
    made = over_a_file(pipeline, spark, tmp_path / "orders.parquet")
    jobs = session.isolate(made, pipeline.failing).jobs
    monkeypatch.setattr(trace.Trace, "take_values", lambda self: None)
    assert session.isolate(made, pipeline.failing).jobs > jobs


@pytest.mark.proof("isolation in files of many parts, by plain runs without each record")
@pytest.mark.parametrize("name", ["lowest of all", "large parts", "distinct"])
def test_culprits_in_large_files(
    name: str,
    session: bigdebug.Session,
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trace, "SMALL_BYTES", 0)
    pipeline = PIPELINES[name]
    made = over_a_file(pipeline, spark, tmp_path / "orders.parquet")
    assert judged(pipeline, session, spark, seed=1, most=1, made=made)


@pytest.mark.proof("culprits and reproductions of all failing rows, by plain runs without each record")
@pytest.mark.parametrize("seed", range(1, 8))
@pytest.mark.parametrize("name", PIPELINES)
def test_all_failing_rows(name: str, seed: int, session: bigdebug.Session, spark: SparkSession) -> None:
    judged(PIPELINES[name], session, spark, seed, most=20)


def judged(
    pipeline: Pipeline,
    session: bigdebug.Session,
    spark: SparkSession,
    seed: int,
    most: int,
    made: DataFrame | None = None,
) -> int:
    """Judge what is found for so many failing rows at most, of a frame made otherwise if given; how many fail."""
    judge = Judge(spark, pipeline)
    orders = rows(seed)
    expected = {key for key, fails in judge.fate(orders, KINDS).items() if fails}
    if made is None:
        frames = spark.createDataFrame(orders, SCHEMA), spark.createDataFrame(KINDS, "k int, kind string")
        made = pipeline.made(*frames)
    found = session.isolate(made, pipeline.failing)
    assert found.matched == len(expected)
    assert {tuple(row.value[part] for part in pipeline.key) for row in found.rows} == expected
    for row in found.rows[:most]:
        key = tuple(row.value[part] for part in pipeline.key)
        ids, kinds = split(row.reproduction)
        if pipeline.influenced:
            kinds = {number for number, _ in KINDS}
        assert row.reproduction.proof == "1-minimal"
        assert judge.fate(within(orders, ids), within(KINDS, kinds))[key], "the reproduction fails"
        few = 2 if most == 1 else 20
        for one in sorted(ids)[:few]:
            assert not judge.fate(within(orders, ids - {one}), within(KINDS, kinds)).get(key)
        for one in [] if pipeline.influenced else sorted(kinds)[:1]:
            assert not judge.fate(within(orders, ids), within(KINDS, kinds - {one})).get(key)
        ids, kinds = split(row.culprits)
        repaired = judge.fate(without(orders, ids), without(KINDS, kinds)).get(key)
        assert repaired is (None if row.notes else False), "without the culprits the row passes"
        assert row.culprits.proof == "1-minimal"
        for one in sorted(ids)[:few]:
            back = judge.fate(without(orders, ids - {one}), without(KINDS, kinds)).get(key)
            assert back is not repaired, "with any of them back it doesn't"
        for one in sorted(kinds)[:1]:
            back = judge.fate(without(orders, ids), without(KINDS, kinds - {one})).get(key)
            assert back is not repaired
    return len(expected)

"""Which branches are suspected, against counts by hand."""

import math

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType

import bigdebug
from bigdebug.isolation.found import Isolation
from bigdebug.isolation.suspects import ochiai

ROWS = [(n, n % 5, "in" if n == 41 else ("mm", "ft", "cm")[n % 3], float(n % 7) + 1) for n in range(60)]


def suspected(found: Isolation) -> dict[str, tuple[int, int]]:
    return {each.branch: (each.culprits[0], each.others[0]) for each in found.operators}


def test_the_score_is_ochiais() -> None:
    assert ochiai(1, 1, 0) == 1
    assert ochiai(2, 4, 6) == pytest.approx(2 / math.sqrt((2 + 2) * (2 + 6)))
    assert ochiai(0, 3, 5) == ochiai(0, 0, 0) == 0


@pytest.mark.compat
def test_arms_functions_and_alternatives_are_counted_by_who_took_them(
    session: bigdebug.Session, spark: SparkSession
) -> None:
    guessed = F.udf(lambda value: value * 1_000, DoubleType())
    data = spark.createDataFrame(ROWS, "n int, k int, unit string, v double")
    small = F.when(F.col("n") < 10, F.lit(None)).otherwise(F.col("v"))
    mm = F.when(F.col("unit") == "mm", F.col("v")).when(F.col("unit") == "cm", F.col("v") * 10)
    sizes = data.select(
        "n", mm.otherwise(F.when(F.col("unit") == "ft", F.col("v") * 300).otherwise(guessed("v"))).alias("mm"),
        F.coalesce(small, F.lit(0.0)).alias("small"),
    )  # fmt: skip
    found = session.isolate(sizes.agg(F.max("mm").alias("most"), F.sum("small").alias("s")), "most > 2200")
    assert [record.value["n"] for record in found.culprits] == [41]
    of_unit = {unit: sum(1 for row in ROWS if row[2] == unit) for unit in ("mm", "cm", "ft")}
    taken = suspected(found)
    assert taken["ELSE <lambda>(v) (not unit = 'ft')"] == (1, 0)
    assert taken["<lambda>(v)"] == (1, 0)
    outer = next(text for text in taken if text.startswith("ELSE CASE"))
    assert taken[outer] == (1, of_unit["ft"])
    assert set(taken.values()) == {(1, 0), (1, of_unit["ft"]), (1, 49)}
    assert [each.score for each in found.operators[:2]] == [1, 1]
    assert found.operators[0].operator == "select"
    assert found.operators[0].call_site is not None
    assert found.operators[0].call_site.file == __file__
    scores = [each.score for each in found.operators]
    assert scores == sorted(scores, reverse=True)
    for each in found.operators:
        assert each.score == pytest.approx(ochiai(each.culprits[0], 1, each.others[0]), abs=1e-4)
        assert (each.culprits[1], each.others[1]) == (1, 59)


@pytest.mark.proof("suspects among partners, and above aggregates")
def test_partners_and_what_stands_above_aggregates(session: bigdebug.Session, spark: SparkSession) -> None:
    data = spark.createDataFrame(ROWS, "n int, k int, unit string, v double")
    names = spark.createDataFrame([("mm", 1.0), ("ft", 300.0), ("cm", 10.0)], "unit string, size double")
    sized = data.join(names, "unit", "left")
    joined = sized.select("k", "n", (F.col("v") * F.coalesce("size", F.lit(9e6))).alias("mm"))
    by_k = joined.groupBy("k").agg(F.sum("mm").alias("mm"))
    judged = by_k.select("k", F.when(F.col("mm") > 1e6, "huge").otherwise("small").alias("kind"), "mm")
    counted = judged.agg(F.count_if(F.col("kind") == "huge").alias("n"), F.sum("k").alias("k"))
    found = session.isolate(counted, "n > 0")
    assert [record.value.get("n") for record in found.culprits] == [41]
    taken = suspected(found)
    assert taken["without a partner on the right"] == (1, 0)
    assert taken["9000000.0D in coalesce(size, 9000000.0D)"] == (1, 0)
    assert taken["WHEN mm > 1000000.0D THEN 'huge'"] == (1, 11)
    assert "with a partner on the right" not in taken


def test_branches_that_all_took_are_left_out(session: bigdebug.Session, spark: SparkSession) -> None:
    data = spark.createDataFrame(ROWS, "n int, k int, unit string, v double")
    kept = data.where("v > 0").select(F.when(F.col("n") >= 0, F.col("v")).otherwise(0.0).alias("v"), "k")
    found = session.isolate(kept.groupBy("k").agg(F.count("*").alias("n")), "n > 3 and k = 2")
    assert found.culprits.total > 0
    assert found.operators == ()

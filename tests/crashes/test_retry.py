"""Records in quarantine go through the mended function and the rest of the pipeline."""

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.errors import BigDebugError


def age_of(line: str) -> tuple[int, int]:
    number, age = line.split(",")
    return int(number) % 2, int(age)


def mended(line: str) -> tuple[int, int]:
    return age_of(line.replace("yr", "").replace("old", "90"))


def test_elements_of_an_rdd(spark: SparkSession, session: bigdebug.Session, people: str) -> None:
    session.on_crash("skip")
    lines = spark.sparkContext.textFile(people).filter(lambda line: not line.startswith("id"))
    sums = lines.map(age_of).reduceByKey(lambda x, y: x + y)
    sums.collect()
    again = session.retry(session.quarantine, patch=mended)
    assert sorted(again.collect()) == [(0, 90), (1, 30)]
    with pytest.raises(Exception, match="invalid literal"):
        session.retry(session.quarantine).collect()


def test_rows_of_a_dataframe(spark: SparkSession, session: bigdebug.Session, people: str) -> None:
    session.on_crash("skip")
    ages = spark.read.csv(people, header=True).withColumn(
        "next", F.udf(lambda age: int(age) + 1, "int")("age")
    )
    ages.filter("id > 0").groupBy().agg(F.sum("next").alias("total")).collect()
    again = session.retry(
        session.quarantine, patch=lambda age: int(age.replace("yr", "").replace("old", "90")) + 1
    )
    assert [row.total for row in again.collect()] == [31 + 91]
    with pytest.raises(BigDebugError, match="not list"):
        session.retry([1])

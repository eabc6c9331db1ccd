"""The keys behind lopsided shuffles of RDDs."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.lineage.errors import BigDebugError


@pytest.mark.compat
def test_hot_keys_of_rdds_and_the_file_they_come_from(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("".join(f"w{n % 60} {n}\n" for n in range(120)))
    (tmp_path / "b.txt").write_text("".join(f"the {n}\n" for n in range(300)))
    context = spark.sparkContext
    words = context.textFile(str(tmp_path)).map(lambda line: tuple(line.split()))
    names = context.parallelize([("the", "article"), ("w1", "word")] + [("the", n) for n in range(9)], 2)
    joined = words.join(names, 4).mapValues(len).groupByKey(3).mapValues(len)
    report = session.skew(joined)
    by_kind = {each.operator: each for each in report}
    assert set(by_kind) == {"Join", "groupByKey"}
    join, grouped = by_kind["Join"], by_kind["groupByKey"]
    key = join.hot_keys[0]
    assert (key.key, dict(key.sides), key.pairs) == ({"key": "the"}, {"left": 300, "right": 10}, 3_000)
    assert join.rows == 3_002
    assert (join.partitions, join.sides[0].keys, join.sides[0].records_of_keys.median) == (4, 61, 2)
    assert grouped.hot_keys[0].records == 3_000
    assert [each.action for each in grouped.advice] == ["combine first", "salt"]
    assert grouped.call_site is not None
    sizes = words.partitionBy(4).mapPartitions(lambda part: [sum(1 for _ in part)]).collect()
    assert join.sides[0].records_of_partitions.most == max(sizes)
    traced = join.trace(key)
    (lines, *_) = traced.sources
    assert (lines.count, lines.files) == (300, ((str(tmp_path / "b.txt"), 300),))
    with pytest.raises(BigDebugError, match="isn't foretold for RDDs"):
        report.what_if(salt=4)


def test_even_rdds_and_those_without_shuffles(session: bigdebug.Session, spark: SparkSession) -> None:
    pairs = spark.sparkContext.parallelize([(n % 50, n) for n in range(500)], 2)
    report = session.skew(pairs.reduceByKey(max))
    assert [each.operator for each in report] == ["reduceByKey"]
    assert report.skewed == []
    assert len(session.skew(pairs.mapValues(str))) == 0

"""The keys behind lopsided shuffles of RDDs."""

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

import bigdebug


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


def sizes_of(rdd: Any) -> list[int]:
    sizes = rdd.mapPartitions(lambda part: [sum(1 for _ in part)]).collect()
    return sorted(size for size in sizes if size)


@pytest.mark.parametrize("kind", ["groupByKey", "leftOuterJoin"])
def test_what_a_change_comes_to_is_what_it_does(
    session: bigdebug.Session, spark: SparkSession, kind: str
) -> None:
    context = spark.sparkContext
    pairs = context.parallelize([("hot", n) for n in range(400)] + [(f"k{n}", n) for n in range(60)], 3)
    names = context.parallelize([("hot", "a"), ("hot", "b"), ("k1", "c")], 1)
    shuffled = pairs.groupByKey(8) if kind == "groupByKey" else pairs.leftOuterJoin(names, 8)
    report = session.skew(shuffled)
    (salted,), (wider,) = report.what_if(salt=4), report.what_if(partitions=50)

    salts = pairs.map(lambda pair: ((pair[0], pair[1] % 4 if pair[0] == "hot" else 0), pair[1]))
    repeated = names.flatMap(
        lambda pair: [((pair[0], salt), pair[1]) for salt in range(4 if pair[0] == "hot" else 1)]
    )
    others = repeated if kind == "leftOuterJoin" else context.parallelize([], 1)
    done = sizes_of(salts.union(others).partitionBy(8))
    assert (salted.records.most, salted.records.median) == (done[-1], done[(len(done) - 1) // 2])
    assert salted.added == (6 if kind == "leftOuterJoin" else 0)
    plain = pairs.union(names) if kind == "leftOuterJoin" else pairs
    assert wider.records.most == sizes_of(plain.partitionBy(50))[-1]
    assert (salted.partitions, wider.partitions) == (8, 50)
    assert salted.applies
    (even,) = session.skew(pairs.reduceByKey(max)).what_if(salt=4)
    assert not even.applies


def test_records_without_a_key_can_be_left_out(session: bigdebug.Session, spark: SparkSession) -> None:
    pairs = spark.sparkContext.parallelize([(None if n % 2 else n % 10, n) for n in range(100)], 2)
    (without,) = session.skew(pairs.groupByKey(4)).what_if(drop_nulls=True)
    assert (without.applies, without.records.total) == (True, 50)
    (all_of_them,) = session.skew(pairs.values().keyBy(abs).groupByKey(4)).what_if(drop_nulls=True)
    assert not all_of_them.applies


def test_even_rdds_and_those_without_shuffles(session: bigdebug.Session, spark: SparkSession) -> None:
    pairs = spark.sparkContext.parallelize([(n % 50, n) for n in range(500)], 2)
    report = session.skew(pairs.reduceByKey(max))
    assert [each.operator for each in report] == ["reduceByKey"]
    assert report.skewed == []
    assert len(session.skew(pairs.mapValues(str))) == 0

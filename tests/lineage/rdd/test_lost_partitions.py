"""`capture="full"` of RDDs where kept partitions are lost and made again: lineage is that of a calm run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import add
from typing import Any

import pytest
from pyspark import SparkContext
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.lineage.rdd.index.reading import RddIndex, open_rdd_index
from tests.lineage.rdd.tapped import was_tapped
from tests.thinned import thinned


@pytest.fixture(scope="module")
def session(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[bigdebug.Session]:
    store = str(tmp_path_factory.mktemp("store"))
    with bigdebug.attach(spark, store=store, capture="full") as attached:
        yield attached


def lineage(index: RddIndex) -> dict[str, Any]:
    """By word the records that an index leads to."""
    words = ("w0", "w2", "w6", "x0", "x37", "x59")
    return {word: index.trace(f"key == '{word}'").collect() for word in words}


def lose(rdd: Any, partition: int) -> None:
    """Have Spark lose what it kept of a partition, as if its executor had gone."""
    # Not by its method: py4j can't look at those of SparkEnv, some of which name classes that aren't there.
    environment = rdd.ctx._jsc.sc().env()
    held = rdd.ctx._jvm.java.lang.Class.forName("org.apache.spark.SparkEnv").getDeclaredField("blockManager")
    held.setAccessible(True)
    blocks = held.get(environment)
    block = rdd.ctx._jvm.org.apache.spark.storage.RDDBlockId(rdd.id(), partition)
    assert blocks.getStatus(block).isDefined()
    blocks.removeBlock(block, True)
    assert not blocks.getStatus(block).isDefined()


def kept_words(context: SparkContext, text: str) -> tuple[Any, Any]:
    words = context.textFile(text, 3).flatMap(str.split).map(lambda word: (word, 1)).cache()
    return words, lambda: words.reduceByKey(add)


def kept_counts(context: SparkContext, text: str) -> tuple[Any, Any]:
    words = context.textFile(text, 3).flatMap(str.split).map(lambda word: (word, 1))
    counts = words.reduceByKey(add).cache()
    return counts, lambda: counts.filter(lambda pair: pair[1] > 0)


@pytest.mark.parametrize("program", thinned([kept_counts, kept_words], "kept partitions that are lost", 2))
def test_a_kept_partition_that_is_lost(
    session: bigdebug.Session, context: SparkContext, text: str, program: Callable[..., Any]
) -> None:
    told = []
    for lost in (False, True):
        kept, rest = program(context, text)
        assert kept.count()
        if lost:
            lose(kept, 1)
        result = sorted(rest().collect())
        index = open_rdd_index(session._recorder.tables, session.outputs[-1].number)
        assert index is not None
        assert was_tapped(index) == (program is kept_counts)  # what the text gave was kept before the taps
        told.append((result, lineage(index)))
    calm, hard = told
    assert dict(calm[0])["w2"] == 29
    assert hard == calm

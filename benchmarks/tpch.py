"""All of TPC-H: what recording costs, and what a first trace of one row costs beside its query."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyspark.sql import Column, SparkSession

import bigdebug
from benchmarks.measures import Row, fresh_store, row_of
from benchmarks.pairs import Paired, paired, seconds
from tests.tpch.data import TABLES, make_tables, queries
from tests.tpch.judging import Judged

PAIRS = 3


class TpcH:
    """The queries over the tables of one scale.

    Args:
        spark: the session; its temporary views become the tables.
        folder: for the tables.
        scale: 1 makes some 6,000,000 line items.
    """

    def __init__(self, spark: SparkSession, folder: Path, scale: float) -> None:
        self._spark = spark
        self._scale = scale
        place = folder / f"tpch-{scale:g}"
        if not place.exists():
            make_tables(place, scale)
        for table in TABLES:
            spark.read.parquet(str(place / f"{table}.parquet")).createOrReplaceTempView(table)
        self._queries = queries()

    def recording(self) -> Iterator[Row]:
        """Recording on ÷ off, the 22 queries one after the other."""

        def work() -> None:
            for text in self._queries.values():
                self._spark.sql(text).collect()

        def on() -> float:
            with bigdebug.attach(self._spark, store=fresh_store()):
                return seconds(work)

        yield self._row("recording on ÷ off", "all 22 queries", paired(on, lambda: seconds(work), PAIRS))

    def first_traces(self) -> Iterator[Row]:
        """First backward trace of one output row ÷ its query, for each query; and the median over them.

        The row is named as a person would: by its first columns, as few as tell it from the others.
        """
        found = []
        for number, text in self._queries.items():
            judged = Judged(self._spark, self._spark.sql(text))
            if judged.rows:
                where = judged.key_of(judged.rows[len(judged.rows) // 2])
                found.append(self._first_trace(text, where))
                yield self._row("first backward trace ÷ query", f"query {number}", found[-1])
        ratios = [each.ratio for each in found]
        every = Paired(
            statistics.median(each.a for each in found),
            statistics.median(each.b for each in found),
            statistics.median(ratios),
            min(ratios),
            max(ratios),
            statistics.median(each.more for each in found),
        )
        yield self._row("first backward trace ÷ query", "median over TPC-H", every)

    def _first_trace(self, text: str, where: Column | None) -> Paired:
        def trace() -> float:
            with bigdebug.attach(self._spark, store=fresh_store()) as session:
                frame = self._spark.sql(text)
                return seconds(lambda: _ask(session.trace(frame, where)))

        return paired(trace, lambda: seconds(lambda: self._spark.sql(text).collect()), PAIRS)

    def _row(self, measure: str, program: str, found: Paired) -> Row:
        return row_of(measure, program, int(6_000_000 * self._scale), "parquet", found)


def _ask(trace: Any) -> None:
    assert trace.matched >= 1
    counts = [source.count for source in trace.sources]
    assert bool(trace.collect(10)) == any(counts)  # a sum of nothing has no records

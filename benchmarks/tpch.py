"""All of TPC-H: what recording costs, and what a first trace of one row costs beside its query."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from pyspark.sql import Column, SparkSession

import bigdebug
from benchmarks.measures import Row, fresh_store, row_of
from benchmarks.pairs import Paired, paired, seconds
from tests.tpch.data import TABLES, make_tables, queries
from tests.tpch.judging import Judged


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
        """Recording on ÷ off: query by query, so that a machine's drift hits both; their sum, and the least and most.

        The ratio is that of the sums of both, of medians.
        """
        found = []
        for text in self._queries.values():

            def work(text: str = text) -> object:
                return self._spark.sql(text).collect()

            def on(work: Callable[[], object] = work) -> float:
                with bigdebug.attach(self._spark, store=fresh_store()):
                    return seconds(work)

            found.append(paired(on, partial(seconds, work)))
        on_all, off_all = sum(each.a for each in found), sum(each.b for each in found)
        ratios = [each.ratio for each in found]
        every = Paired(
            on_all, off_all, on_all / off_all, min(ratios), max(ratios), sum(each.more for each in found)
        )
        yield self._row("recording on ÷ off", "all 22 queries", every)

    def first_traces(self) -> Iterator[Row]:
        """First backward trace of one output row ÷ its query, for each query; and the median over them.

        As a person would who has just seen the row: the query has run, once, and the row is named by its first
        columns, as few as tell it from the others.
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
                frame.collect()
                session._recorder.drain()  # of the recipe, which a person is too slow to catch being written
                return seconds(lambda: _ask(session.trace(frame, where)))

        return paired(trace, lambda: seconds(lambda: self._spark.sql(text).collect()))

    def _row(self, measure: str, program: str, found: Paired) -> Row:
        return row_of(measure, program, int(6_000_000 * self._scale), "parquet", found)


def _ask(trace: Any) -> None:
    assert trace.matched >= 1
    counts = [source.count for source in trace.sources]
    assert bool(trace.collect(10)) == any(counts)  # a sum of nothing has no records

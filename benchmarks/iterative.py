"""Programs of many rounds over RDDs: what a trace through all of them takes, and how that grows with the rounds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

import bigdebug
from benchmarks.loops import LOOPS
from benchmarks.measures import Row, fresh_store, row_of
from benchmarks.pairs import Paired, paired, seconds
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store

PAIRS = 1
"""Beside the first, which isn't counted: they take long, and what counts is how they grow."""


def measured(spark: SparkSession, folder: Path, name: str, rounds: int) -> Iterator[Row]:
    """The figures of one program at some rounds. Where a trace is linear in these, its ratio stays as they grow.

    Args:
        spark: the session.
        folder: for its data.
        name: of the program.
        rounds: how many.
    """
    loop = LOOPS[name]
    path = folder / f"{name.replace(', ', '-').replace(' ', '-')}.txt"
    lines = list(loop.text())
    path.write_text("".join(f"{line}\n" for line in lines))

    def row(measure: str, found: Paired) -> Row:
        return row_of(measure, f"{name}, {rounds} rounds", len(lines), "text", found)

    def job() -> float:
        return seconds(lambda: loop.run(spark.sparkContext, str(path), rounds))

    store = fresh_store()
    with bigdebug.attach(spark, store=store) as session:
        loop.run(spark.sparkContext, str(path), rounds)
        last = session.outputs[-1]
        live = paired(lambda: seconds(lambda: _ask(session.trace(last, loop.where))), job, PAIRS)
        yield row("computed trace ÷ job", live)
    run = Store(store).find("last")

    def stored() -> float:
        replay = open_output(run, run.output("last"), spark=spark)
        return seconds(lambda: _ask(replay.trace(loop.where)))

    yield row("trace from the recipe ÷ job", paired(stored, job, PAIRS))


def _ask(trace: Any) -> None:
    assert trace.matched == 1
    assert trace.sources[0].count
    assert len(trace.collect(10)) > 0

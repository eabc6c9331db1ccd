"""Programs of many rounds over RDDs: what a trace through all of them takes, and how that grows with the rounds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

import bigdebug
from benchmarks.index import command_seconds
from benchmarks.loops import LOOPS
from benchmarks.measures import Row, fresh_store, row_of
from benchmarks.pairs import Paired, paired, seconds
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store

PAIRS = 1
"""Beside the first, which isn't counted: they take long, and what counts is how they grow."""


def measured(spark: SparkSession, folder: Path, name: str, sizes: list[int]) -> Iterator[Row]:
    """All figures of one program, at several numbers of rounds.

    Args:
        spark: the session.
        folder: for its data.
        name: of the program.
        sizes: the numbers of rounds, rising.
    """
    loop = LOOPS[name]
    path = folder / f"{name.replace(', ', '-').replace(' ', '-')}.txt"
    lines = list(loop.text())
    path.write_text("".join(f"{line}\n" for line in lines))
    context = spark.sparkContext
    before: dict[str, tuple[int, float]] = {}
    for rounds in sizes:

        def row(measure: str, found: Paired, rounds: int = rounds) -> Row:
            return row_of(measure, f"{name}, {rounds} rounds", len(lines), "text", found)

        def off(rounds: int = rounds) -> float:
            return seconds(lambda: loop.run(context, str(path), rounds))

        store = fresh_store()
        with bigdebug.attach(spark, store=store) as session:
            loop.run(context, str(path), rounds)
            last = session.outputs[-1]

            def live(session: Any = session, last: Any = last) -> float:
                return seconds(lambda: _ask(session.trace(last, loop.where)))

            traced = {"computed trace": paired(live, off, PAIRS)}
        run = Store(store).find("last")

        def stored(run: Any = run) -> float:
            replay = open_output(run, run.output("last"), allow_changed=False, spark=spark)
            return seconds(lambda: _ask(replay.trace(loop.where)))

        traced["trace from the recipe"] = paired(stored, off, PAIRS)
        alone = command_seconds(store, last.number, loop.where)
        job = traced["computed trace"].b
        part = alone / job
        traced["whole command"] = Paired(alone, job, part, part, part, alone - job)
        for measure, found in traced.items():
            yield row(f"{measure} ÷ job", found)
            if measure in before:
                earlier, took = before[measure]
                part = found.a / took
                yield row(
                    f"{measure} ÷ that of {earlier} rounds",
                    Paired(found.a, took, part, part, part, found.a - took),
                )
            before[measure] = rounds, found.a


def _ask(trace: Any) -> None:
    assert trace.matched == 1
    assert trace.sources[0].count
    assert len(trace.collect(10)) > 0

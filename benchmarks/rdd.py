"""Programs of RDDs over text: what recording and full capture cost, and what traces of one word take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
from pyspark import SparkContext
from pyspark.sql import SparkSession

import bigdebug
from benchmarks.index import command_seconds
from benchmarks.measures import Row, fresh_store, row_of
from benchmarks.pairs import Paired, paired, seconds
from bigdebug.lineage.rdd.index.reading import open_rdd_index
from bigdebug.lineage.store import Store

WORDS = 8_000
WORDS_A_LINE = 10
_FILE_BYTES = 100_000_000


@dataclass(frozen=True)
class Program:
    """A program, and a question about its output.

    Attributes:
        made: gives the RDD of a text's path.
        where: which of its elements to trace, in Python.
    """

    made: Callable[[SparkContext, str], Any]
    where: str


def _grep(context: SparkContext, path: str) -> Any:
    return context.textFile(path).filter(lambda line: "word17 " in line)


def _word_count(context: SparkContext, path: str) -> Any:
    words = context.textFile(path).flatMap(lambda line: line.split())
    return words.map(lambda word: (word, 1)).reduceByKey(add)


def _join(context: SparkContext, path: str) -> Any:
    """Lines joined with a table of kinds of their first words, and their lengths added up by kind."""
    kinds = context.parallelize([(f"word{i}", i % 50) for i in range(WORDS)], 2)
    lines = context.textFile(path).map(lambda line: (line.split(" ", 1)[0], len(line)))
    return lines.join(kinds).map(lambda pair: (pair[1][1], pair[1][0])).reduceByKey(add)


PROGRAMS = {
    "grep": Program(_grep, "x.startswith('word17 ')"),
    "word count": Program(_word_count, "key == 'word4000'"),
    "join-and-reduce": Program(_join, "key == 7"),
}


def make_text(folder: Path, megabytes: int) -> Path:
    """Write Zipf-distributed text, unless it is there.

    Args:
        folder: for it.
        megabytes: its size, in millions of bytes.
    """
    place = folder / f"text-{megabytes}"
    if (place / "_SUCCESS").exists():
        return place
    place.mkdir(parents=True, exist_ok=True)
    drawn = np.random.default_rng(7)
    words = np.array([f"word{i}" for i in range(WORDS)], dtype=object)
    weights = 1 / np.arange(1, WORDS + 1)
    bounds = np.cumsum(weights / weights.sum())
    written, number = 0, 0
    while written < megabytes * 1_000_000:
        with (place / f"part-{number:05}.txt").open("w") as file:
            wanted = min(_FILE_BYTES, megabytes * 1_000_000 - written)
            size = 0
            while size < wanted:
                numbers = np.searchsorted(bounds, drawn.random(10_000 * WORDS_A_LINE))
                lines = words[np.minimum(numbers, WORDS - 1)].reshape(-1, WORDS_A_LINE)
                size += file.write("\n".join(map(" ".join, lines.tolist())) + "\n")
        written += size
        number += 1
    (place / "_SUCCESS").touch()
    return place


def measured(spark: SparkSession, folder: Path, megabytes: int) -> Iterator[Row]:
    """All figures of one size of text.

    Args:
        spark: the session.
        folder: for the text.
        megabytes: its size.
    """
    place = make_text(folder, megabytes)
    size = sum(file.stat().st_size for file in place.glob("*.txt"))
    pairs = 7 if megabytes < 100 else 3
    context = spark.sparkContext
    for name, program in PROGRAMS.items():

        def row(measure: str, found: Paired, name: str = name) -> Row:
            return row_of(measure, name, size, "text", found)

        def off(program: Program = program) -> float:
            return seconds(lambda: program.made(context, str(place)).collect())

        def on(capture: str, program: Program = program) -> float:
            with bigdebug.attach(spark, store=fresh_store(), capture=capture):
                return seconds(lambda: program.made(context, str(place)).collect())

        yield row("recording on ÷ off", paired(lambda: on("recipe"), off, pairs))
        yield row('capture="full" ÷ off', paired(lambda: on("full"), off, pairs))

        store = fresh_store()
        with bigdebug.attach(spark, store=store, capture="full") as session:
            program.made(context, str(place)).collect()
            output = session.outputs[-1]
            index = open_rdd_index(Store(store).find(session.run_id).tables, output.number)
            assert index is not None, "nothing was captured"
            part = index.bytes / size
            yield row("lineage, in GB ÷ input", Paired(index.bytes / 1e9, size / 1e9, part, part, part, 0))

            def inside(program: Program = program, index: Any = index) -> float:
                return seconds(lambda: _ask(index.trace(program.where)))

            def computed(program: Program = program, session: Any = session, output: Any = output) -> float:
                return seconds(lambda: _ask(session.trace(output, program.where)))

            yield row("captured trace ÷ computed, inside the call", paired(inside, computed, 3))
            yield row("computed trace ÷ job", paired(computed, off, pairs))
        alone = command_seconds(store, 1, program.where)
        took = seconds(lambda: program.made(context, str(place)).collect())  # noqa: B023
        part = alone / took
        yield row("captured trace, whole command ÷ job", Paired(alone, took, part, part, part, alone - took))


def _ask(trace: Any) -> None:
    assert trace.matched >= 1
    assert all(source.count for source in trace.sources)
    assert len(trace.collect(10)) > 0

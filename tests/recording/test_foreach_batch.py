"""What a function does with the micro-batches of a streaming query is recorded and traced like any program."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.dataframe import DataFrame as AnyFrame

import bigdebug
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store
from bigdebug.lineage.trace import Trace
from tests.thinned import thinned

SCHEMA = "n int, k int"


class Stream:
    """A folder of CSV files, each a micro-batch."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark, self.folder = spark, folder
        (folder / "in").mkdir()
        for number in range(3):
            self.add(number)

    def add(self, number: int) -> None:
        lines = "".join(f"{number * 10 + n},{n % 3}\n" for n in range(10))
        (self.folder / "in" / f"part{number}.csv").write_text(lines)

    def read(self) -> DataFrame:
        reader = self.spark.readStream.schema(SCHEMA).option("maxFilesPerTrigger", 1)
        return reader.csv(str(self.folder / "in"))

    def run(self, frame: DataFrame, function: Callable[[DataFrame, int], Any], mode: str = "append") -> None:
        writer = frame.writeStream.foreachBatch(function).outputMode(mode)
        writer = writer.option("checkpointLocation", str(self.folder / "checkpoint"))
        query = writer.trigger(availableNow=True).start()
        try:
            query.awaitTermination()
        finally:
            query.stop()


@pytest.fixture
def stream(spark: SparkSession, tmp_path: Path) -> Stream:
    return Stream(spark, tmp_path)


@pytest.fixture
def session(spark: SparkSession, tmp_path: Path) -> Iterator[bigdebug.Session]:
    with bigdebug.attach(spark, store=str(tmp_path / "store")) as attached:
        yield attached


def found(trace: Trace) -> list[tuple[str, int | None, int]]:
    return sorted(
        (Path(str(r.location.file)).name, r.location.position, r.value["n"]) for r in trace.collect()
    )


def even(frame: DataFrame) -> DataFrame:
    return frame.where("n % 2 = 0").withColumn("m", F.col("n") * 2)


@pytest.mark.compat
def test_each_batch_has_its_outputs_and_its_files(
    session: bigdebug.Session, stream: Stream, spark: SparkSession, tmp_path: Path
) -> None:
    answers: dict[int, Any] = {}
    kept: list[DataFrame] = []

    def each(batch: DataFrame, number: int) -> None:
        totals = batch.groupBy("k").agg(F.sum("m").alias("t"))
        answers[number] = (totals.orderBy("k").collect(), found(session.trace(totals, "k = 1")))
        batch.write.mode("append").parquet(str(tmp_path / "out"))
        kept.append(totals)

    stream.run(even(stream.read()), each)
    assert sorted(answers) == [0, 1, 2]
    files = set()
    for rows, records in answers.values():
        ((_, total),) = [(row.k, row.t) for row in rows if row.k == 1]
        assert total == sum(2 * n for _, _, n in records)
        assert all(n % 10 == position for _, position, n in records)
        files |= {file for file, _, _ in records}
    assert files == {"part0.csv", "part1.csv", "part2.csv"}
    assert [output.action for output in session.outputs] == ["collect", "write.parquet"] * 3
    sites = {output.call_site.function for output in session.outputs if output.call_site}
    assert sites == {"each"}
    assert spark.read.parquet(str(tmp_path / "out")).count() == 15
    # After the query, too, and from the store.
    live = [found(session.trace(totals, "k = 1")) for totals in kept]
    assert live == [answers[number][1] for number in range(3)]
    session.detach()
    run = Store(str(tmp_path / "store")).find("last")
    for number in range(3):
        output = run.output(str(2 * number + 1))
        assert found(open_output(run, output, spark=spark).trace("k = 1")) == live[number]
    node = next(node for node in run.nodes.values() if node.operator == "writeStream.foreachBatch")
    assert [run.nodes[parent].operator for parent in node.parents] == ["withColumn"]


SHAPES: dict[str, Callable[[DataFrame], DataFrame]] = {
    "as it is": lambda frame: frame,
    "a watermark": lambda frame: frame.withColumn("at", F.timestamp_seconds("n")).withWatermark(
        "at", "1 hour"
    ),
    "exploded": lambda frame: frame.withColumn("x", F.explode(F.array("n", "k"))),
    "a union": lambda frame: frame.where("k = 1").union(frame.where("n % 2 = 1")),
    "joined with a table": lambda frame: frame.join(
        frame.sparkSession.createDataFrame([(1, "one"), (2, "two")], "k int, name string"), "k"
    ),
}


@pytest.mark.parametrize(
    "shape",
    thinned(SHAPES, "streams that keep no state, traced through", among=["joined with a table"]),
)
def test_what_keeps_no_state_is_traced_through(shape: str, session: bigdebug.Session, stream: Stream) -> None:
    answers: list[tuple[list[int], list[int]]] = []

    def each(batch: DataFrame, _: int) -> None:
        both = batch.alias("a").join(batch.alias("b"), "n").where("n % 10 = 7")
        trace = session.trace(both)
        assert {source.kind for source in trace.sources} <= {"csv", "memory"}
        read = [record.value["n"] for record in trace.collect() if "n" in record.value]
        answers.append((sorted({row.n for row in both.collect()}), sorted(set(read))))

    stream.run(SHAPES[shape](stream.read()), each)
    assert sorted(answers) == [([7], [7]), ([17], [17]), ([27], [27])]


@pytest.mark.compat
def test_a_trace_ends_where_state_is_kept(session: bigdebug.Session, stream: Stream) -> None:
    notes, values, kept = [], [], []

    def each(batch: DataFrame, _: int) -> None:
        trace = session.trace(batch, "k = 1")
        values.append([record.value for record in trace.collect()])
        notes.append(trace.notes[-1])
        assert batch.where("k = 1").count() == 1
        kept.append(batch)

    stream.run(stream.read().groupBy("k").agg(F.sum("n").alias("t")), each, mode="update")
    assert [note.partition(": ")[2] for note in notes] == [
        f"the trace ends at micro-batch {n}, for Aggregate in the stream keeps state of earlier batches"
        for n in range(3)
    ]
    assert [value["k"] for (value,) in values] == [1, 1, 1]
    with pytest.raises(
        BigDebugError, match="micro-batch 0 of the streaming query can't be computed any more"
    ):
        session.trace(kept[0])
    session.detach()
    assert {output.recipe for output in session.outputs} == {"unavailable"}
    assert "keeps state of earlier batches" in str(session.outputs[0].recipe_problem)


def test_a_function_that_raises_ends_the_query_as_ever(session: bigdebug.Session, stream: Stream) -> None:
    def each(batch: DataFrame, _: int) -> None:
        batch.count()
        raise ValueError("not today")

    with pytest.raises(StreamingQueryException, match="not today") as raised:
        stream.run(stream.read(), each)
    assert "bigdebug" not in str(raised.value)
    assert [output.status for output in session.outputs] == ["done"]


def test_detached_in_the_middle(session: bigdebug.Session, stream: Stream) -> None:
    counts = []

    def each(batch: DataFrame, number: int) -> None:
        counts.append(batch.count())
        if number == 1:
            session.detach()

    stream.run(stream.read(), each)
    assert counts == [10, 10, 10]
    assert len(session.outputs) == 2
    code: Any = AnyFrame.count.__code__
    assert "<bigdebug>" not in code.co_filename, "PySpark is as it was"


@pytest.mark.proof("a streaming query that goes on from its checkpoint")
def test_a_query_goes_on_from_its_checkpoint(session: bigdebug.Session, stream: Stream) -> None:
    class Each:
        """Called like a function, without being one."""

        def __init__(self) -> None:
            self.files: list[str] = []

        def __call__(self, batch: DataFrame, number: int) -> None:
            self.files += [file for file, _, _ in found(session.trace(batch, "n % 10 = 0"))]

    first, second = Each(), Each()
    stream.run(stream.read(), first)
    stream.add(3)
    stream.run(stream.read(), second)
    assert sorted(first.files) == ["part0.csv", "part1.csv", "part2.csv"]
    assert second.files == ["part3.csv"]


def test_a_source_without_files(session: bigdebug.Session, spark: SparkSession, tmp_path: Path) -> None:
    notes: list[str] = []

    def each(batch: DataFrame, _: int) -> None:
        if not notes and batch.count():
            notes.extend(session.trace(batch.limit(1)).notes)

    rate = spark.readStream.format("rate-micro-batch").option("rowsPerBatch", 5).load()
    query = rate.writeStream.foreachBatch(each).option("checkpointLocation", str(tmp_path / "c")).start()
    try:
        query.processAllAvailable() if notes else query.awaitTermination(3)
    finally:
        query.stop()
    assert any("for the stream's source isn't in files" in note for note in notes)


def test_it_says_nothing_of_streams_that_are_recorded(
    session: bigdebug.Session, stream: Stream, caplog: pytest.LogCaptureFixture
) -> None:
    stream.run(stream.read(), lambda batch, _: batch.count())
    assert caplog.records == []
    assert len(session.outputs) == 3

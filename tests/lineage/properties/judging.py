"""Brute force: what a trace says is held against the reference and against replays of the pipeline."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from by_place import PartitionFunction, Placed
from combining import OneSidedJoin, OuterJoin, PlainSetOperation, Subquery
from drawing import Case
from expressions import canonical
from grouping import Aggregate
from hypothesis import reject
from py4j.protocol import Py4JJavaError
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from records import leaf
from tree import Node, Reference, Renderer, Row, union_of
from windows import Window

from bigdebug.lineage.beside import Beside
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.dataflow import Node as DataflowNode
from bigdebug.lineage.forward import ForwardTrace, forward_trace
from bigdebug.lineage.index.building import build_index
from bigdebug.lineage.index.reading import Index
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.output import OutputRows
from bigdebug.lineage.questions import question_about, trace_rows
from bigdebug.lineage.recipe.archive import Recipe
from bigdebug.lineage.recipe.building import Opened, build_recipe, open_recipe
from bigdebug.lineage.store import Store
from bigdebug.lineage.trace import Trace

TAG = "created"
"""Recipes keep in-memory data of the user's, not RDDs that would run code; the recorder tells by this."""


def lookup(tag: str) -> DataflowNode | None:
    return DataflowNode(1, "createDataFrame", None) if tag == TAG else None


def reopened(frame: DataFrame) -> tuple[SparkSession, Opened]:
    """A frame's rows from a recipe that went through bytes, and the session that they are open in."""
    spark = frame.sparkSession
    rows = OutputRows(Catalyst(spark).analyzed(frame), spark._jsparkSession, None)
    recipe = Recipe.from_bytes(build_recipe(spark, rows, lookup).to_bytes())
    session = spark.newSession()
    return session, open_recipe(session, recipe)


@dataclass(frozen=True)
class Question:
    """Which output rows to trace.

    Attributes:
        where: the condition; None for all rows.
        rows: the canonical rows for which it holds.
        records: the numbers of the source records they came from, by the reference.
    """

    where: Column | None
    rows: Counter[tuple[Any, ...]]
    records: frozenset[int]


class Judge:
    """One pipeline over one set of data, in Spark.

    Args:
        spark: the session.
        udfs: what `python_functions` made.
        case: pipeline and data.
        folder: for files.
    """

    def __init__(self, spark: SparkSession, udfs: Mapping[str, Any], case: Case, folder: Path) -> None:
        self.spark = spark
        self.udfs = udfs
        self.case = case
        self.catalyst = Catalyst(spark)
        self.folder = folder
        self.places: dict[int, int] = {}
        self.stored = {name: data.stored(spark, folder) for name, data in case.data.items()}
        for name, frame in self.stored.items():
            if case.data[name].kind in ("list", "slices", "pandas"):
                frame._jdf.queryExecution().analyzed().setTagValue(self.catalyst.tag, TAG)
        self.frame = self.rendered()
        if any(isinstance(node, Placed) for node in case.pipeline.walk()):
            self.places = self._places()
        reference = self._reference()
        self.expected: list[Row] = reference.rows(case.pipeline)
        self.ambiguous = reference.ambiguous
        self.open_cut = reference.open_cut

    def _places(self) -> dict[int, int]:
        """Where Spark has each record, as `monotonically_increasing_id` tells."""
        found: dict[int, int] = {}
        for name, frame in self.stored.items():
            number = F.col(self.case.data[name].number_column)
            found.update(frame.select(number, F.monotonically_increasing_id()).collect())
        return found

    def _reference(self, windows: bool = False) -> Reference:
        return Reference({name: data.rows for name, data in self.case.data.items()}, self.places, windows)

    def rendered(self, kept: Mapping[str, frozenset[int] | None] | None = None) -> DataFrame:
        """The pipeline's frame; with `kept`, over those records of each source alone (None: all of them)."""
        kept = kept or {}
        sources = {
            name: leaf(self.case.data[name], frame, kept.get(name)) for name, frame in self.stored.items()
        }
        return Renderer(self.spark, self.udfs, sources).render(self.case.pipeline)

    def output(self) -> list[tuple[tuple[Any, ...], list[int]]]:
        """What the pipeline gives: canonical rows, and Spark's hashes of the row and of its first column."""
        width = len(self.case.pipeline.types)
        try:
            rows = self.frame.select("*", *(F.xxhash64(*columns) for columns in self._hashed())).collect()
        except Py4JJavaError as error:
            if "catalyst.optimizer." not in str(error):
                raise
            reject()  # there is no output: Spark's optimizer breaks on the pipeline, with nothing of ours in it
        return [(self._canonical(row[:width]), list(row[width:])) for row in rows]

    def _hashed(self) -> list[list[str]]:
        names = [f"c{i}" for i in range(len(self.case.pipeline.types))]
        return [names, names[:1]]

    def question(self, output: list[tuple[tuple[Any, ...], list[int]]], seed: int) -> Question:
        """All rows, rows like one of them, or rows with one first column."""
        kind = seed % 5
        where, chosen = None, output
        if kind and output:
            which = 1 if kind == 1 else 0
            hash = output[seed % len(output)][1][which]
            where = F.xxhash64(*self._hashed()[which]) == hash
            chosen = [row for row in output if row[1][which] == hash]
        rows = Counter(values for values, _ in chosen)
        return Question(where, rows, union_of(row for row in self.expected if row[0] in rows))

    def _canonical(self, values: Any) -> tuple[Any, ...]:
        return tuple(canonical(v, kind) for v, kind in zip(values, self.case.pipeline.types, strict=True))

    # -- what is asked of bigdebug ------------------------------------------------------------------

    def trace(self, where: Any = None, beside: Beside | None = None) -> Trace:
        rows = OutputRows(self.catalyst.analyzed(self.frame), self.spark._jsparkSession, None)
        return trace_rows(self.spark, rows, lookup, where, beside=beside)

    def trace_of_run(self, where: Any = None) -> Trace:
        """The same trace once the frame has run: its rows needn't be computed again where Spark has their groups."""
        self.frame.collect()
        trace = self.trace(where)
        trace.take_given(self.frame._jdf.queryExecution())
        return trace

    def reopened(self, where: Any = None, beside: Beside | None = None) -> Trace:
        """The same trace from a recipe that went through bytes."""
        session, opened = reopened(self.frame)
        return trace_rows(session, opened.rows, lambda _: None, where, names=opened.names, beside=beside)

    def indexed(self) -> Index:
        """The output's index."""
        rows = OutputRows(self.catalyst.analyzed(self.frame), self.spark._jsparkSession, None)
        run = Store(str(self.folder / "store")).create_run()
        run.close("done")
        tables = run.tables
        return Index(tables, build_index(question_about(self.spark, rows, lookup), tables, 1, lookup))

    def plain_condition(self, output: list[tuple[tuple[Any, ...], list[int]]], seed: int) -> str | None:
        """A condition on the first column, as text; None for all rows."""
        values = [values[0] for values, _ in output]
        if not values:
            return None
        value = values[seed % len(values)]
        if value is None:
            return "c0 is null"
        if self.case.pipeline.types[0] == "int":
            return f"c0 {('=', '<>', '<=', '>')[seed % 4]} {value}"
        if self.case.pipeline.types[0] == "str" and str(value).isalnum():
            return f"c0 {('=', '<>', '<=', '>')[seed % 4]} '{value}'"
        return "not c0 is null"

    def forward(self, records: frozenset[int]) -> ForwardTrace | None:
        """A forward trace of some records of one source, through every place that the source stands in.

        None where it stands in subqueries alone.
        """
        number = self.case.data[f"s{min(records) // 1000 - 1}"].number_column
        rows = OutputRows(self.catalyst.analyzed(self.frame), self.spark._jsparkSession, None)
        question = question_about(self.spark, rows, lookup)
        leaves = [leaf for leaf in question.sources.values() if number in leaf.columns]
        if not leaves:
            return None
        condition = F.col(number).isin(*sorted(records))
        return forward_trace((question, leaves[0]), [(question, None, leaves)], condition)

    @property
    def is_kept_in_place(self) -> bool:
        """Whether a recipe's rows stand where they stood, if that counts: those in memory are partitioned anew."""
        by_partition = any(isinstance(node, PartitionFunction) for node in self.case.pipeline.walk())
        in_memory = any(data.kind in ("list", "slices", "pandas") for data in self.case.data.values())
        return not (by_partition and in_memory)

    @property
    def numbers_in_use(self) -> list[int]:
        """The numbers of the records that the pipeline reads."""
        read = set(self.case.pipeline.leaves())
        return sorted(union_of(row for name in read for row in self.case.data[name].rows))

    def rows_from(self, records: frozenset[int]) -> Counter[tuple[Any, ...]]:
        """The output's rows that come from any of some records, by the reference."""
        return Counter(values for values, behind in self.expected if behind & records)

    def canonical_rows(self, frame: DataFrame) -> Counter[tuple[Any, ...]]:
        width = len(self.case.pipeline.types)
        return Counter(self._canonical(row[:width]) for row in frame.collect())

    def annotated_rows(self) -> list[tuple[Any, ...]]:
        """The rows of the annotated plan, less the id columns."""
        trace = self.trace()
        annotated = trace._annotator.annotate(trace._root)
        catalyst = trace._catalyst
        own = catalyst.output(trace._root.plan)
        plan = catalyst.project([*own, *annotated.attributes], annotated.plan)
        return [self._canonical(row[: len(own)]) for row in catalyst.frame(plan).collect()]

    def records_with_windows(self, question: Question) -> frozenset[int]:
        """The records asked for where the rows of a window's partition are behind each of its rows."""
        rows = self._reference(windows=True).rows(self.case.pipeline)
        return union_of(row for row in rows if row[0] in question.rows)

    def numbers(self, records: list[TracedRecord]) -> frozenset[int]:
        """The numbers of traced records; each must stand where it says."""
        found = set()
        for record in records:
            number = record.value.get("p", record.value.get("id"))
            assert number is not None
            found.add(number)
            data = self.case.data[f"s{number // 1000 - 1}"]
            if data.kind in ("parquet", "csv"):
                assert record.location.file is not None
                place = (Path(record.location.file).name, record.location.position)
                assert place == data.place(number), (record, data.place(number))
            elif data.kind == "range":
                assert record.location.position == number - data.first
        return frozenset(found)

    # -- replays ------------------------------------------------------------------------------------

    def replays(
        self, question: Question, records: frozenset[int], seed: int
    ) -> list[Counter[tuple[Any, ...]]]:
        """The rows asked for when the pipeline runs on the traced records alone, and on some others as well."""
        dice = random.Random(seed)
        pipeline = self.case.pipeline
        some = records | {number for number in sorted(self.numbers_of_all) if dice.random() < 0.5}
        kept = (
            self._kept(records, whole_sources(pipeline, strict=False)),
            self._kept(some, whole_sources(pipeline, strict=True)),
        )
        condition = F.lit(True) if question.where is None else question.where
        # Each by itself: Spark's optimizer makes an invalid plan of the two together, now and then.
        frames = [self.rendered(k).filter(condition) for k in kept]
        return [Counter(self._canonical(row) for row in frame.collect()) for frame in frames]

    def replay_of_all_contributors(
        self, question: Question, records: frozenset[int]
    ) -> Counter[tuple[Any, ...]]:
        """The same for records traced with all that is beside the way: hardly a source has to stay whole."""
        kept = self._kept(records, whole_sources(self.case.pipeline, strict=False, beside=True))
        condition = F.lit(True) if question.where is None else question.where
        return Counter(self._canonical(row) for row in self.rendered(kept).filter(condition).collect())

    @property
    def numbers_of_all(self) -> frozenset[int]:
        return union_of(row for data in self.case.data.values() for row in data.rows)

    def _kept(self, records: frozenset[int], whole: frozenset[str]) -> dict[str, frozenset[int] | None]:
        return {
            name: None if name in whole else records & union_of(data.rows)
            for name, data in self.case.data.items()
        }


def whole_sources(pipeline: Node, strict: bool, beside: bool = False) -> frozenset[str]:
    """The sources that must stay whole for a replay to give a row again.

    They influence it without being where it came from: what a semi-join or subquery compares with, the rest of a
    window's partition, the rows that a limit orders. And where an operator gives other rows when part of its
    input is missing (another count, a row without its partner), these must not get into an operator above that
    would mix them with the rows asked for. When the traced records run alone this can't happen unless one record
    goes into several rows of the lower operator; with some of the others beside them (`strict`) it can.

    Where a trace holds what is `beside` its way, too, what was looked up and found needn't be whole, nor a window's
    input, which must get no other rows either. What was looked up and not found is in no trace.
    """
    found: set[str] = set()

    def visit(node: Node, mixed_above: bool) -> None:
        for i, child in enumerate(node.children):
            mixes = mixed_above and any(below.fans_out for below in node.walk())
            held = beside and not mixes and (isinstance(node, Window) or _finds(node))
            if (node.needs_whole or i in node.influencing) and not held:
                found.update(child.leaves())
            visit(child, mixed_above or node.mixes or held)
        if mixed_above and node.can_invent and (strict or _may_invent(node)):
            found.update(node.leaves())

    visit(pipeline, False)
    return frozenset(found)


def _finds(node: Node) -> bool:
    """Whether rows are there for what they find on the other side."""
    if isinstance(node, OneSidedJoin):
        return node.how == "semi"
    if isinstance(node, Subquery):
        return not node.kind.startswith("not")
    return isinstance(node, PlainSetOperation) and node.kind == "intersect"


def _may_invent(node: Node) -> bool:
    if isinstance(node, OuterJoin):
        return any(below.fans_out for child in node.children for below in child.walk())
    if isinstance(node, Aggregate) and not node.keys:
        return True  # a row even of nothing
    return any(below.fans_out for below in node.walk())


def is_exact(trace: Trace) -> bool:
    """Whether a trace is exact, but for the last digits of sums: what is drawn adds up to the same in any order."""
    return all("adds up floating-point numbers" in doubt for doubt in trace._doubts)

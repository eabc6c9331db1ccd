"""Writing the tables of a dataflow's index, and what it says of itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bigdebug.lineage.certainty import doubts
from bigdebug.lineage.columns import ColumnLineage
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.failure import unwritable
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.index.manifest import (
    Block,
    IndexedSegment,
    IndexedSource,
    Manifest,
    OutputColumn,
    RestsOn,
)
from bigdebug.lineage.index.records import written_records
from bigdebug.lineage.index.tables import SegmentTable, Tables
from bigdebug.lineage.layout import FileLayout
from bigdebug.lineage.listing import listed_files
from bigdebug.lineage.location import ORDINAL_MASK, PARTITION_SHIFT, address_in_rows, readable_path
from bigdebug.lineage.partitions import Partitioned
from bigdebug.lineage.questions import Question
from bigdebug.lineage.reading import stored_columns
from bigdebug.lineage.recipe.redaction import RedactedColumns
from bigdebug.lineage.store.tables import TableStore
from bigdebug.lineage.text_records import text_format

# Numbers that go up take little room in this; rows are looked up by groups of so many bytes.
_WRITING = {
    "parquet.writer.version": "PARQUET_2_0",
    "parquet.block.size": str(1 << 20),
    "parquet.page.size": str(1 << 18),
    "compression": "zstd",
}
_SETTINGS = {
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInWrite": "CORRECTED",
}


class DataflowWriter:
    """Writes what the rows of a dataflow came from.

    Args:
        question: about all its rows.
        store: where the run lies.
        folder: of the tables, within the run's folder of indexes.
        redact: columns whose values must not be stored.
        progress: told what is done next.
        joints: the sources where it goes on in an RDD, each with the number of the leaf there.
    """

    def __init__(
        self,
        question: Question,
        store: TableStore,
        folder: str,
        redact: Sequence[str],
        progress: Callable[[str], None],
        joints: Mapping[SourceLeaf, int],
    ) -> None:
        self._question = question
        self._catalyst = question.catalyst
        self._store = store
        self._folder = folder
        self._progress = progress
        self._joints = joints
        self._redacted = RedactedColumns(question.catalyst, question.root.plan, redact)
        self._known: dict[int, dict[int, int]] = {}
        for name, value in _SETTINGS.items():
            self._catalyst.jsession.sessionState().conf().setConfString(name, value)

    def of_output(self, execution: Any | None) -> Manifest:
        """The index of an output's rows, which conditions on their columns find.

        Args:
            execution: the JVM `QueryExecution` that gave them, where it has just run.
        """
        tables = Tables(self._question, self._redacted.holds, execution)
        return self._manifest(tables, {}, "the output's rows")

    def of_elements(self, tables: Tables, names: Mapping[SourceLeaf, str], what: str) -> Manifest:
        """The index of rows that are elements of an RDD, which their numbers find.

        Args:
            tables: of these rows.
            names: what sources are called in the whole index.
            what: the rows are, for who waits.
        """
        return self._manifest(tables, names, what)

    def _manifest(self, tables: Tables, names: Mapping[SourceLeaf, str], what: str) -> Manifest:
        question, catalyst = self._question, self._catalyst
        began = time.monotonic()
        leaves = list(question.sources.values())
        found = doubts(catalyst, question.root, leaves)
        notes = [*question.notes, *found]
        if notes and question.comparison is not None:
            notes += question.comparison.notes
        columns = ColumnLineage(catalyst, question.root)
        stored: tuple[str | None, ...] = ()
        segments = []
        for number, table in enumerate(tables.segments()):
            if number == 0:
                stored = table.columns
            self._progress(what if number == 0 else f"the rows below boundary {number}")
            segments.append(self._segment(number, table))
        sources = tuple(
            replace(self._source(i, leaf, columns), name=names.get(leaf, leaf.name))
            for i, leaf in enumerate(leaves)
        )
        output = catalyst.output(question.root.plan)
        by_column = columns.by_column(leaves)
        conf = catalyst.jsession.sessionState().conf()
        return Manifest(
            folder=self._folder,
            spark=catalyst.spark.version,
            time_zone=str(conf.sessionLocalTimeZone()),
            case_sensitive=bool(conf.caseSensitiveAnalysis()),
            seconds=round(time.monotonic() - began, 3),
            size=self._store.size(self._folder),
            exact=not [*question.notes, *found],
            notes=(*dict.fromkeys(notes), *(note for leaf in leaves for note in leaf.notes)),
            columns=tuple(
                OutputColumn(
                    str(column.name()),
                    str(column.dataType().catalogString()),
                    name,
                    tuple(RestsOn(*used) for used in by_source),
                )
                for column, name, by_source in zip(output, stored, by_column, strict=True)
            ),
            sources=sources,
            segments=tuple(segments),
            joints=tuple((i, self._joints[leaf]) for i, leaf in enumerate(leaves) if leaf in self._joints),
        )

    # -- tables -------------------------------------------------------------------------------------

    def _segment(self, number: int, table: SegmentTable) -> IndexedSegment:
        name = f"segment-{number}"
        frame = self._catalyst.frame(table.plan)
        if table.sorted_by:
            frame = frame.sortWithinPartitions(*table.sorted_by)
        rows = self._write(frame, name)
        if table.counts is not None:
            (column,) = table.ids[0].columns[-1:]
            self._known[table.counts] = _sizes(self._store.table(f"{self._folder}/{name}"), column)
        return IndexedSegment(name, rows, table.keyed, table.sessions, table.unique, table.ids, table.steps)

    def _write(self, frame: DataFrame, name: str) -> int:
        """Write a table; how many rows it has."""
        writer = frame.write.mode("error")
        for option, value in _WRITING.items():
            writer = writer.option(option, value)
        try:
            writer.parquet(self._store.hadoop_uri(f"{self._folder}/{name}"))
        except Py4JJavaError as error:
            why = unwritable(error)
            if why is None:
                raise
            raise BigDebugError(
                f"the index can't be written to {self._store.location}: {why}",
                hint="name another store, or make room there",
            ) from error
        return self._store.rows(f"{self._folder}/{name}")

    # -- sources ------------------------------------------------------------------------------------

    def _source(self, number: int, leaf: SourceLeaf, columns: ColumnLineage) -> IndexedSource:
        reached, deciding = columns.of(leaf)
        found: dict[str, Any] = {"columns": ()}
        if leaf in self._joints:
            return IndexedSource(leaf.name, leaf.kind, leaf.call_site, (), (), (), "memory")
        if leaf.identified_by_file and not leaf.in_files:
            raise BigDebugError(
                f"records of {leaf.kind} tables can't be indexed yet", hint="trace them without an index"
            )
        if leaf.identified_by_file:
            found |= {"identity": "file", **self._files(leaf)}
        elif leaf.in_files:
            found |= {"identity": "block", **self._blocks(leaf, self._known.get(number, {}))}
        elif leaf.kind == "range":
            plan = leaf.operator.plan
            name = str(self._catalyst.output(plan)[0].name())
            found = {"identity": "range", "first": int(plan.start()), "step": int(plan.step())}
            found["columns"] = ((name, "bigint"),)
        else:
            found["identity"] = "memory" if leaf.has_positions else "none"
            frame, found["columns"] = written_records(self._catalyst, leaf, self._redacted.holds)
            if frame is not None:
                self._progress(f"the records of {leaf.name}")
                self._write(frame, f"records-{number}")
                found["records"] = f"records-{number}"
        if leaf.in_files:
            relation = leaf.operator.plan.relation()
            listed = leaf.listed if leaf.listed is not None else listed_files(self._catalyst, relation)
            found["listed"] = tuple((str(path), int(size), int(at)) for path, size, at in listed)
        return IndexedSource(
            name=leaf.name,
            kind=leaf.kind,
            call_site=leaf.call_site,
            table=leaf.table,
            reached=tuple(reached),
            deciding=tuple(deciding),
            **found,
        )

    def _files(self, leaf: SourceLeaf) -> dict[str, Any]:
        packed = Partitioned(self._catalyst, leaf.operator.plan).packed
        files = sorted({uri for blocks in packed for uri, _ in blocks})
        if not files:
            return {}
        spelled = [(address_in_rows(uri),) for uri in files]
        hashed = self._catalyst.spark.createDataFrame(spelled, "uri string")
        rows = hashed.select("uri", F.xxhash64("uri").alias("hash")).collect()
        by_hash = {row.hash: row.uri for row in rows}
        if len(by_hash) < len(files):
            raise BigDebugError(
                f"two files of {leaf.name} have the same hash of their paths",
                hint="rename one of them, or trace without an index",
            )
        columns = stored_columns(self._catalyst, leaf)
        return {
            "files": tuple(by_hash.values()),
            "hashes": tuple(by_hash),
            "columns": tuple(columns) if columns else (),
        }

    @property
    def _zone(self) -> str | None:
        """The time zone of times that don't name theirs, where Spark reads times as it does today."""
        conf = self._catalyst.jsession.sessionState().conf()
        policy = str(conf.getConfString("spark.sql.legacy.timeParserPolicy", "CORRECTED"))
        return None if policy.upper() == "LEGACY" else str(conf.sessionLocalTimeZone())

    def _blocks(self, leaf: SourceLeaf, known: dict[int, int]) -> dict[str, Any]:
        layout = FileLayout(self._catalyst, leaf, known)
        packed = layout.packed
        if not packed:
            return {}
        self._progress(f"where the records of {leaf.name} stand")
        blocks = layout.blocks(set(range(len(packed))))
        files = {readable_path(uri): uri for each in packed for uri, _ in each}
        numbers = {path: number for number, path in enumerate(files)}
        options = self._catalyst.entries(leaf.operator.plan.relation().options())
        columns = None if leaf.pinned is not None else stored_columns(self._catalyst, leaf)
        form = text_format(leaf.kind, options, self._zone)
        return {
            "text": form if columns else None,
            "columns": tuple(columns) if columns and form else (),
            "files": tuple(files.values()),
            "blocks": tuple(
                Block(
                    block.first_id,
                    numbers[block.file],
                    block.first_position,
                    block.first_byte,
                    layout.ranks[block.first_id >> PARTITION_SHIFT],
                )
                for block in blocks
            ),
        }


def _sizes(files: Sequence[Any], column: str) -> dict[int, int]:
    """How many records each partition of a scan has, by the greatest id in a table that holds them all."""
    sizes: dict[int, int] = {}
    for file in files:
        at = file.schema_arrow.names.index(column)
        for group in range(file.num_row_groups):
            statistics = file.metadata.row_group(group).column(at).statistics
            if statistics is None or not statistics.has_min_max:
                return {}
            partition = statistics.max >> PARTITION_SHIFT
            if statistics.min >> PARTITION_SHIFT != partition:
                return {}  # rows of several partitions stand here together
            sizes[partition] = max(sizes.get(partition, 0), (statistics.max & ORDINAL_MASK) + 1)
    return sizes

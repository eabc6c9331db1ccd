"""Records that were set aside: gathered from what the tasks wrote, kept as Parquet in the run's folder."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import FileType
from pyspark import cloudpickle

from bigdebug.breakpoints.crashes.crash import Raised, short
from bigdebug.breakpoints.crashes.keeping import SET_ASIDE
from bigdebug.lineage.described import FEW_RECORDS, Described, Description, Table
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.location import Location
from bigdebug.lineage.store.folders import entries

FOLDER = "quarantine"
TASKS = f"{FOLDER}/tasks"

_NAME = re.compile(rf"(\d+)-(\d+)-(\d+)-(\d+)-(\d+){re.escape(SET_ASIDE)}")
_SCHEMA = pa.schema(
    [
        ("output", pa.int64()),
        ("operator", pa.string()),
        ("call_site", pa.string()),
        ("partition", pa.int32()),
        ("place", pa.int64()),
        ("source", pa.string()),
        ("file", pa.string()),
        ("position", pa.int64()),
        ("source_partition", pa.int32()),
        ("error", pa.string()),
        ("traceback", pa.string()),
        ("shown", pa.string()),
        ("value", pa.binary()),
        ("repaired", pa.binary()),
    ]
)


@dataclass(frozen=True)
class Quarantined:
    """A record that was set aside.

    Attributes:
        value: the record that the operator was given.
        error: what was raised for it.
        operator: as the user called it.
        call_site: where that stands, as `file:line`.
        output: number of the output that lacks it.
        location: of its source record, where that is known.
        place: partition, and the record's number among those that the operator was given there.
        repaired: what the operator's function was given instead; None where nothing was.
    """

    value: Any
    error: Raised
    operator: str
    call_site: str
    output: int
    location: Location | None
    place: tuple[int, int]
    repaired: Any = None


@dataclass(frozen=True)
class Aside:
    """What the tasks of an output set aside at one operator.

    Attributes:
        number: the operator's.
        files: of the attempts that count.
        count: how many records there were; more than are kept where there were very many.
    """

    number: int
    files: tuple[str, ...]
    count: int


def set_aside(filesystem: Any, folder: str, output: int) -> list[Aside]:
    """What the tasks of an output set aside: of each partition that of one attempt.

    Args:
        filesystem: of the store.
        folder: that the tasks write to.
        output: the number of the output.
    """
    chosen: dict[tuple[int, int], tuple[int, str, int]] = {}
    for entry in entries(filesystem, folder):
        found = _NAME.fullmatch(entry.base_name) if entry.type == FileType.File else None
        if found is None or int(found[1]) != output:
            continue
        _, number, partition, attempt, count = map(int, found.groups())
        known = chosen.get((number, partition))
        if known is None or attempt > known[0]:
            chosen[number, partition] = attempt, entry.path, count
    by_operator: dict[int, list[tuple[int, str, int]]] = {}
    for (number, partition), (_, path, count) in sorted(chosen.items()):
        by_operator.setdefault(number, []).append((partition, path, count))
    return [
        Aside(number, tuple(path for _, path, _ in files), sum(count for _, _, count in files))
        for number, files in by_operator.items()
    ]


def rows_of(filesystem: Any, aside: Aside) -> Iterator[list[dict[str, Any]]]:
    """What was set aside, batch by batch."""
    for path in aside.files:
        with filesystem.open_input_stream(path) as stream, pa.ipc.open_stream(stream) as reader:
            for batch in reader:
                yield batch.to_pylist()


def forget(filesystem: Any, folder: str, output: int) -> None:
    """Remove what the tasks of an output wrote."""
    for entry in entries(filesystem, folder):
        if entry.base_name.startswith(f"{output}-"):
            with suppress(OSError):
                filesystem.delete_file(entry.path)


class QuarantineWriter:
    """Writes the records of one operator and output as a Parquet file.

    Args:
        filesystem: of the store.
        path: of the file.
    """

    def __init__(self, filesystem: Any, path: str) -> None:
        self._writer = pq.ParquetWriter(path, _SCHEMA, filesystem=filesystem)

    def write(self, records: Sequence[Quarantined], data: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Write some.

        Args:
            records: the records; their locations as far as these are known.
            data: the pickled value of each, and what it was repaired to.
        """
        rows = []
        for record, (value, repaired) in zip(records, data, strict=True):
            location = record.location or Location(None, None)
            rows.append(
                {
                    "output": record.output,
                    "operator": record.operator,
                    "call_site": record.call_site,
                    "partition": record.place[0],
                    "place": record.place[1],
                    "source": None,
                    "file": location.file,
                    "position": location.position,
                    "source_partition": location.partition,
                    "error": str(record.error),
                    "traceback": record.error.traceback,
                    "shown": short(record.value, 1000) if value else None,
                    "value": value,
                    "repaired": repaired,
                }
            )
        self._writer.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA))

    def close(self) -> None:
        self._writer.close()


Locate = Callable[[str, Sequence[tuple[int, int]]], Sequence[Location | None]]
"""Of a file in quarantine and the places of some of its records, where their source records stand."""


class Quarantine(Described, Sequence[Quarantined]):
    """Records that were set aside, in Parquet files of the run's folder. They are read as they are asked for.

    Args:
        filesystem: of the store.
        files: the Parquet files.
        locate: finds the source records of some records of a file, while the program is there.
    """

    def __init__(self, filesystem: Any, files: Sequence[str], locate: Locate | None = None) -> None:
        self._filesystem = filesystem
        self._locate = locate
        self.files = tuple(files)

    def of(self, output: int | None = None, operator: str | None = None) -> Quarantine:
        """Only those of an output, or of an operator, by its call site (`etl.py:42`) or its name."""
        chosen = []
        for file in self.files:
            first = next(iter(Quarantine(self._filesystem, [file])), None)
            if first is None or (output is not None and first.output != output):
                continue
            if operator is None or operator in (first.operator, first.call_site):
                chosen.append(file)
        return Quarantine(self._filesystem, chosen, self._locate)

    def located(self) -> list[Quarantined]:
        """All of them, with their source records' places where these weren't looked for yet.

        Right after a job only the places near the beginnings of partitions are. For the others Spark reads the
        partitions once more, as far as they come.
        """
        found: list[Quarantined] = []
        for file in self.files:
            records = list(Quarantine(self._filesystem, [file]))
            lacking = [each.place for each in records if each.location is None]
            if self._locate is not None and lacking:
                more = iter(self._locate(file, lacking))
                records = [each if each.location else located(each, next(more)) for each in records]
            found += records
        return found

    def table(self) -> pa.Table:
        """All as an Arrow table; `value` and `repaired` are pickled."""
        if not self.files:
            return _SCHEMA.empty_table()
        return pa.concat_tables(pq.read_table(file, filesystem=self._filesystem) for file in self.files)

    def __len__(self) -> int:
        return sum(pq.ParquetFile(file, filesystem=self._filesystem).metadata.num_rows for file in self.files)

    def __iter__(self) -> Iterator[Quarantined]:
        for file in self.files:
            with pq.ParquetFile(file, filesystem=self._filesystem) as parquet:
                for batch in parquet.iter_batches(1_000):
                    for row in batch.to_pylist():
                        yield _quarantined(row)

    def __getitem__(self, index: Any) -> Any:
        return list(self)[index]

    def _description(self) -> Description:
        first = list(islice(self, FEW_RECORDS))
        rows = [(each.operator, each.call_site, each.output, each.value, str(each.error)) for each in first]
        table = Table("the first of them", ("operator", "at", "output", "value", "error"), rows)
        return Description(repr(self)[1:-1], [table] if rows else [])

    def __repr__(self) -> str:
        return f"<Quarantine of {len(self)} records>"


def record_of(row: dict[str, Any], operator: str, call_site: str, output: int) -> Quarantined:
    """A record as a task set it aside."""
    content = json.loads(row["error"])
    error = Raised(content["kind"], content["message"], content["traceback"])
    return Quarantined(
        _unpickled(row["value"]),
        error,
        operator,
        call_site,
        output,
        None,
        (row["partition"], row["place"]),
        None if row["repaired"] is None else _unpickled(row["repaired"]),
    )


def located(record: Quarantined, location: Location | None) -> Quarantined:
    """The record, with the place of its source record."""
    return replace(record, location=location)


def _quarantined(row: dict[str, Any]) -> Quarantined:
    kind, _, message = row["error"].partition(": ")
    placed = row["file"] is not None or row["position"] is not None
    return Quarantined(
        _unpickled(row["value"]),
        Raised(kind, message, row["traceback"]),
        row["operator"],
        row["call_site"],
        row["output"],
        Location(row["file"], row["position"], row["source_partition"]) if placed else None,
        (row["partition"], row["place"]),
        None if row["repaired"] is None else _unpickled(row["repaired"]),
    )


def _unpickled(data: bytes) -> Any:
    if not data:
        return None
    try:
        return cloudpickle.loads(data)
    except Exception as error:
        return f"<can't be unpickled: {type(error).__name__}: {error}>"


def require_quarantine(quarantine: Any) -> Quarantine:
    """Raises BigDebugError where it isn't one."""
    if not isinstance(quarantine, Quarantine):
        raise BigDebugError(
            f"what can be tried again is a quarantine, not {type(quarantine).__name__}",
            hint="session.retry(session.quarantine, patch=the function, mended)",
        )
    return quarantine

"""What an index says of itself, as one JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.errors import DamagedIndexError
from bigdebug.lineage.store.damage import ANEW
from bigdebug.lineage.text_records import TextFormat

FORMAT = 2
THROUGH_RDDS = 3
"""The format of one that goes on below in RDDs, and of one within another."""


@dataclass(frozen=True)
class RestsOn:
    """What a column of the output rests on, of one source.

    Attributes:
        columns: those whose values reached it.
        deciding: those that only decided.
    """

    columns: tuple[str, ...]
    deciding: tuple[str, ...]


@dataclass(frozen=True)
class OutputColumn:
    """A column of the output.

    Attributes:
        name: the user's.
        type: Spark's name of its type.
        stored: what it is called in the table of the output's rows; None where it isn't kept.
        rests_on: what it rests on, of each source in the manifest's order; none where that wasn't looked up.
    """

    name: str
    type: str
    stored: str | None
    rests_on: tuple[RestsOn, ...] = ()


@dataclass(frozen=True)
class Block:
    """A run of consecutive ids that are consecutive records of one file.

    Attributes:
        first_id: id of its first record.
        file: number of the file in the source's list.
        first_position: position of that record in the file.
        first_byte: where the block begins in the file.
        rank: the place of its partition among all, by the file and byte that it begins with.
    """

    first_id: int
    file: int
    first_position: int
    first_byte: int
    rank: int


@dataclass(frozen=True)
class IndexedSource:
    """A source of the dataflow.

    Attributes:
        name, kind, call_site: as of a trace's source.
        reached, deciding: its columns whose values reached the output's, and those that only decided.
        columns: name and type of a record's columns, where its values can be shown; else none.
        identity: what its ids are: `file` (a file's hash and a position), `block` (numbers that the blocks
            tell the file and position of), `memory` (partition and ordinal), `range` (values), `none`.
        files: the files, as URIs; by `hashes` for ids of the first kind.
        hashes: of the URIs.
        listed: `[path, size, modification time]` of each file when it was indexed.
        blocks: of a source whose ids are numbers.
        text: how its lines are read, where they can be without Spark.
        first, step: of a range.
        records: the folder with its records, where these were written down.
        table: the catalog's name of a table, with its database.
    """

    name: str
    kind: str
    call_site: CallSite | None
    reached: tuple[str, ...]
    deciding: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    identity: str
    files: tuple[str, ...] = ()
    hashes: tuple[int, ...] = ()
    listed: tuple[tuple[str, int, int], ...] = ()
    blocks: tuple[Block, ...] = ()
    text: TextFormat | None = None
    first: int = 0
    step: int = 1
    records: str | None = None
    table: str | None = None


@dataclass(frozen=True)
class IdColumns:
    """Columns of a table that say where its rows came from.

    Attributes:
        columns: their names; none where every row of the segment below is meant.
        source: number of the source whose records they name, or None.
        segment: number of the segment whose rows they name by their key, or None. Where both are None they
            number the rows of an operator that multiplies rows.
    """

    columns: tuple[str, ...]
    source: int | None = None
    segment: int | None = None


@dataclass(frozen=True)
class IndexedStep:
    """An operator of a segment.

    Attributes:
        operator: the plan operator's name.
        call_site: the user's line that asked for it.
        ids: which of the segment's id columns tell its rows apart.
    """

    operator: str
    call_site: CallSite | None
    ids: tuple[int, ...]


@dataclass(frozen=True)
class IndexedSegment:
    """A table of one segment's rows.

    Attributes:
        folder: where its files lie, within the index.
        rows: how many it has.
        keyed: it has the columns `h1` and `h2`, and each of its files is sorted by the first.
        sessions: it has the column `at`, too, for the keys hold a session; ids that lead here have four columns,
            the two hashes of the key's other parts, and when the session starts and ends.
        unique: no two of its rows have the same ids.
        ids: its id columns.
        steps: its operators, from the top down.
    """

    folder: str
    rows: int
    keyed: bool
    sessions: bool
    unique: bool
    ids: tuple[IdColumns, ...]
    steps: tuple[IndexedStep, ...]


@dataclass(frozen=True)
class Manifest:
    """The whole index.

    Attributes:
        folder: its tables', within the run.
        spark: Spark's version when it was made.
        time_zone: of the session, which timestamps are written and compared in.
        case_sensitive: whether names of columns are.
        seconds: how long it took.
        size: of its tables, in bytes.
        exact, notes: as of every trace made of it.
        columns: the output's.
        sources: in the plan's order.
        segments: the output's first.
        joints: the sources where it goes on in an RDD, by number, each with the number of the leaf there.
        below: what the index of those RDDs says of itself, as JSON has it; None where there are none, and in an
            index that is itself a part of one.
    """

    folder: str
    spark: str
    time_zone: str
    case_sensitive: bool
    seconds: float
    size: int
    exact: bool
    notes: tuple[str, ...]
    columns: tuple[OutputColumn, ...]
    sources: tuple[IndexedSource, ...]
    segments: tuple[IndexedSegment, ...]
    joints: tuple[tuple[int, int], ...] = ()
    below: dict[str, Any] | None = None
    format: int = field(default=FORMAT)

    def own_sources(self) -> list[tuple[int, IndexedSource]]:
        """The sources with their numbers, but for those where it goes on in an RDD."""
        joints = dict(self.joints)
        return [(number, each) for number, each in enumerate(self.sources) if number not in joints]

    def all_notes(self) -> tuple[str, ...]:
        """Why no trace made of it is exact, and what else there is to know, also of what is below."""
        below = self.below or {"notes": (), "frames": ()}
        parts = [self.notes, below["notes"], *(each["index"]["notes"] for each in below["frames"])]
        return tuple(dict.fromkeys(note for part in parts for note in part))

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self), separators=(",", ":")).encode("ascii")

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """Raises DamagedIndexError where it is damaged or of another format."""
        with manifest_of(data, FORMAT, THROUGH_RDDS) as content:
            return cls.from_content(content)

    @classmethod
    def from_content(cls, content: dict[str, Any]) -> Manifest:
        """The same of what JSON holds."""
        found: Manifest = _read(cls, content)
        return found


@contextmanager
def manifest_of(data: bytes, *known: int | str) -> Iterator[dict[str, Any]]:
    """What the file of an index holds, for as long as it is read.

    Args:
        data: of the file.
        known: the formats that are understood.

    Raises:
        DamagedIndexError: it is damaged, or of another format.
    """
    with undamaged():
        content = json.loads(data)
        if content["format"] not in known:
            raise DamagedIndexError("the index was written by another version of bigdebug", hint=ANEW)
        yield content


@contextmanager
def undamaged() -> Iterator[None]:
    """Around the reading of what an index says of itself.

    Raises:
        DamagedIndexError: it isn't what was written.
    """
    try:
        yield
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedIndexError(f"the index is damaged ({error})", hint=ANEW) from None


_PARTS: dict[tuple[type, str], type] = {
    (Manifest, "columns"): OutputColumn,
    (OutputColumn, "rests_on"): RestsOn,
    (Manifest, "sources"): IndexedSource,
    (Manifest, "segments"): IndexedSegment,
    (IndexedSource, "call_site"): CallSite,
    (IndexedSource, "blocks"): Block,
    (IndexedSource, "text"): TextFormat,
    (IndexedSegment, "ids"): IdColumns,
    (IndexedSegment, "steps"): IndexedStep,
    (IndexedStep, "call_site"): CallSite,
}


# What indexes of this format didn't always hold.
_ADDED = frozenset({"rests_on", "table", "null_value", "zone", "joints", "below"})


def _read(kind: type, content: dict[str, Any]) -> Any:
    """A dataclass from its JSON: lists become tuples, and parts dataclasses of their own."""
    values = {}
    for each in fields(kind):
        if each.name not in content and each.name in _ADDED:
            continue
        value = content[each.name]
        part = _PARTS.get((kind, each.name))
        if isinstance(value, list):
            value = tuple(
                _read(part, item) if part else tuple(item) if isinstance(item, list) else item
                for item in value
            )
        elif part and value is not None:
            value = _read(part, value)
        values[each.name] = value
    return kind(**values)

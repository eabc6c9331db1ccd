"""What the index of an RDD's output says of itself, as one JSON file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.index.manifest import Manifest, manifest_of

FORMAT = "rdd 3"
THROUGH_FRAMES = "rdd 4"
"""The format of one that goes on below in DataFrames, and of one below a DataFrame."""


@dataclass(frozen=True)
class StoredRelation:
    """What the elements of one segment's top stem from.

    Attributes:
        files: of it, within the run's folder of indexes; none where the boundary gives the rows of a DataFrame.
        placed: its names are places, and not keys.
        leaf: number of the boundary above; None for the output.
        prefix: elements of that boundary stem from all that had been read of their partition by then.
        label: of that boundary, as users call it; empty where it is no step on the way.
        described: the same, with its line.
        call_site: of that boundary.
    """

    files: tuple[str, ...]
    placed: bool
    leaf: int | None = None
    prefix: bool = False
    label: str = ""
    described: str = ""
    call_site: CallSite | None = None


@dataclass(frozen=True)
class StoredSource:
    """A source.

    Attributes:
        leaf: its number.
        name, kind, call_site: as of a trace's source.
        splits: by partition the file, where in it the partition begins, and the position of its first record;
            None where records have no such place.
        whole: each record is a file.
        lines: its records are lines, or whole texts, and can be read without Spark.
        listed: `[path, size, modification time]` of each file.
        records: files with its records, or of whole files with their paths, within the run's folder of indexes.
    """

    leaf: int
    name: str
    kind: str
    call_site: CallSite | None
    splits: tuple[tuple[str, int, int], ...] | None = None
    whole: bool = False
    lines: bool = False
    listed: tuple[tuple[str, int, int], ...] = ()
    records: tuple[str, ...] = ()


@dataclass(frozen=True)
class StoredFrame:
    """A DataFrame whose rows are elements.

    Attributes:
        leaf: number of the boundary that gives them.
        index: what the index of its rows says of itself; they are found by their numbers there.
    """

    leaf: int
    index: Manifest


@dataclass(frozen=True)
class RddManifest:
    """The whole index.

    Attributes:
        folder: of what was written for it alone, within the run's folder of indexes.
        spark: Spark's version.
        seconds: how long it took.
        size: of its files, in bytes.
        rows: how many elements the output has.
        notes: why no trace made of it is exact.
        output: the operator or action whose elements they are, with its line; empty below a DataFrame.
        elements: files with the output's elements.
        relations: the output's first, if there is one; then those of boundaries, each after all that lead to it.
        sources: in the order that the program reads them.
        frames: the DataFrames below, in the order that the program reads them.
    """

    folder: str
    spark: str
    seconds: float
    size: int
    rows: int
    notes: tuple[str, ...]
    output: str
    elements: tuple[str, ...]
    relations: tuple[StoredRelation, ...]
    sources: tuple[StoredSource, ...]
    frames: tuple[StoredFrame, ...] = ()
    format: str = field(default=FORMAT)

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self), separators=(",", ":")).encode("ascii")

    @classmethod
    def from_bytes(cls, data: bytes) -> RddManifest:
        """Raises DamagedIndexError where it is damaged or of another format."""
        with manifest_of(data, FORMAT, THROUGH_FRAMES) as content:
            return cls.from_content(content)

    @classmethod
    def from_content(cls, content: dict[str, Any]) -> RddManifest:
        """The same of what JSON holds."""
        found = dict(content)
        found["relations"] = tuple(StoredRelation(**_read(each)) for each in content["relations"])
        found["sources"] = tuple(StoredSource(**_read(each)) for each in content["sources"])
        found["frames"] = tuple(
            StoredFrame(each["leaf"], Manifest.from_content(each["index"]))
            for each in content.get("frames", ())
        )
        for name in ("notes", "elements"):
            found[name] = tuple(content[name])
        return cls(**found)


def is_rdd_manifest(data: bytes) -> bool:
    """Whether an index is of an RDD."""
    try:
        content = json.loads(data)
    except ValueError:
        return False
    return isinstance(content, dict) and str(content.get("format", "")).startswith("rdd ")


def _read(content: dict[str, Any]) -> dict[str, Any]:
    """The fields of a part: lists become tuples, and the call site what it is."""
    found: dict[str, Any] = {
        name: tuple(tuple(one) if isinstance(one, list) else one for one in value)
        if isinstance(value, list)
        else value
        for name, value in content.items()
    }
    if found["call_site"] is not None:
        found["call_site"] = CallSite(**found["call_site"])
    return found

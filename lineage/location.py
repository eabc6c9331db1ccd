"""Where a record stands, as a place a person can open."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

PARTITION_SHIFT = 33
"""Spark's `monotonically_increasing_id` is the partition, shifted so far, and the ordinal in it."""

ORDINAL_MASK = (1 << PARTITION_SHIFT) - 1


@dataclass(frozen=True, order=True)
class Location:
    """A record's place in its source.

    Attributes:
        file: the file's path or URI; None for data that isn't in files.
        position: 0-based ordinal among the records Spark reads from that file, or the index within the
            partition of in-memory data; None where the source has no order (JDBC).
        partition: the partition of in-memory data; None for files.
    """

    file: str | None
    position: int | None
    partition: int | None = None


@dataclass(frozen=True)
class TracedRecord:
    """One source record behind a traced row.

    Attributes:
        source: the source's name.
        location: where the record stands.
        value: its columns by name; of two columns with one name the later one is called `name#2`. Of an RDD the
            element. None where it isn't known.
        known: whether it is: an index names records also where their values can't be had.
    """

    source: str
    location: Location
    value: Any
    known: bool = True

    @property
    def cells(self) -> dict[str, Any]:
        """The value as a table shows it, by column: of an element one, and none where it isn't known."""
        if not self.known:
            return {}
        return self.value if isinstance(self.value, dict) else {"value": self.value}


def address_in_rows(uri: str) -> str:
    """The address of a file as Spark's rows have it: that of a local file is spelled in two ways."""
    return re.sub("^file:/+", "file:/", uri)


def readable_path(uri: str) -> str:
    """Spark's percent-encoded file URI as people write it: a plain path where the file is local."""
    return plain_path(unquote(uri))


def local_path(uri: str) -> str | None:
    """The path of a local file; None for a file elsewhere."""
    path = readable_path(uri)
    return path if path.startswith("/") else None


def plain_path(path: str) -> str:
    """A Hadoop path, which encodes nothing, or a path as the user wrote it: plain where the file is local."""
    if path.startswith("file:"):
        path = "/" + path.removeprefix("file:").lstrip("/")
    return path

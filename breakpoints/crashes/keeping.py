"""What guards know of their operator, and where they set aside what crashes it: a file of the task's attempt.

Travels by value to Spark's Python workers, which need pyarrow only where a record crashes. The file appears whole or
not at all, so that retries and speculation count once.
"""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass
from typing import Any

from bigdebug.breakpoints.crashes.workers import carried
from bigdebug.lineage.rdd.index.task_file import TaskFile

OUTPUT = "bigdebug.output"
"""The local property of a job that names the output that it is for."""
SET_ASIDE = ".set-aside"

MOST_RECORDS = 100_000
"""So many records of an operator a task sets aside; beyond that they are counted."""
MOST_BYTES = 64 << 20
_AT_ONCE = 1_000
_BYTES_AT_ONCE = 4 << 20

NOTHING: Any = NotImplemented
"""No value. One of Python's own: a worker that unpickles this module's functions and classes at different times would
have several of any other."""


@dataclass(frozen=True)
class Pause:
    """How tasks ask what is to become of what they have set aside.

    Attributes:
        address: of the driver.
        seconds: how long they wait for the answer.
        most: so many records a task sets aside.
        otherwise: the policy where there is no answer, or there are more records: `raise` or `skip`.
    """

    address: Any
    seconds: float
    most: int
    otherwise: str


@dataclass(frozen=True)
class Site:
    """A guarded operator, as the workers know it.

    Attributes:
        number: tells it apart.
        place: a pickled `pyarrow.fs.FileSystem`, and the folder for what is set aside.
        policy: `skip` or `repair`.
        repair: of `repair`, a function of what the operator's function is given and of the error, or a value.
        masked: values must not be stored.
        pause: of `pause`, how the session is asked.
    """

    number: int
    place: tuple[bytes, str]
    policy: str
    repair: Any = None
    masked: bool = False
    pause: Pause | None = None


def schema() -> Any:
    """The columns of what is set aside."""
    import pyarrow as pa

    return pa.schema(
        [
            ("partition", pa.int32()),
            ("place", pa.int64()),
            ("value", pa.binary()),
            ("error", pa.string()),
            ("repaired", pa.binary()),
        ]
    )


def stored(site: Site, error: str) -> str:
    """An exception as it may be stored: where values must not be, its class alone."""
    if not site.masked:
        return error
    return json.dumps({**json.loads(error), "message": "", "traceback": ""})


class Keeper:
    """Sets aside what crashes an operator in one attempt of a task; opens its file when the first does."""

    def __init__(self, site: Site, partition: int) -> None:
        from pyspark import TaskContext

        context = TaskContext.get()
        self._site = site
        # Of the RDD's own, for a union of RDDs numbers its partitions anew; an action knows only the task's.
        self.partition = partition if partition >= 0 else context.partitionId()
        attempt = 0 if context is None else context.taskAttemptId()
        output = None if context is None else context.getLocalProperty(OUTPUT)
        name = f"{output or 0}-{site.number}-{self.partition}-{attempt}{SET_ASIDE}"
        filesystem, folder = site.place
        self._file = TaskFile(pickle.loads(filesystem), folder, name, schema())
        self._rows: list[tuple[Any, ...]] = []
        self._held = 0
        self._bytes = 0
        self.count = 0

    def keep(self, place: int, value: Any, error: str, repaired: Any = NOTHING) -> None:
        """Set a record aside.

        Args:
            place: among those that the operator was given in the partition.
            value: the record.
            error: as `told` tells it.
            repaired: what it goes on with.
        """
        self.count += 1
        if self.count > MOST_RECORDS or self._bytes > MOST_BYTES:
            return
        error = stored(self._site, error)
        data = b"" if self._site.masked else carried(value)
        new = None if repaired is NOTHING else b"" if self._site.masked else carried(repaired)
        self._rows.append((self.partition, place, data, error, new))
        size = len(data) + len(error) + len(new or b"")
        self._held += size
        self._bytes += size
        if len(self._rows) >= _AT_ONCE or self._held >= _BYTES_AT_ONCE:
            self._flush()

    def commit(self) -> None:
        """Have the file appear; its name tells how many records there were."""
        self._flush()
        self._file.commit(f"-{self.count}")

    def abandon(self) -> None:
        self._file.abandon()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._rows:
            kinds = schema()
            columns = [
                pa.array(list(c), f.type) for c, f in zip(zip(*self._rows, strict=True), kinds, strict=True)
            ]
            self._file.write(pa.record_batch(columns, schema=kinds))
            self._rows, self._held = [], 0

"""Files that tasks write, each attempt its own; they appear whole or not at all.

Travels by value to Spark's Python workers, which need not have bigdebug, but pyarrow.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Self

RELATION = ".relation"
ELEMENTS = ".elements"
UNFINISHED = ".unfinished"

Written = tuple[int, str, int]
"""Partition, name of its files but for their endings, and how many elements went by."""


def attempt_name(partition: int) -> str:
    """The name of a partition's file that this attempt of its task alone has."""
    from pyspark import TaskContext

    context = TaskContext.get()
    return f"{partition}-{0 if context is None else context.taskAttemptId()}"


class TaskFile:
    """A file that a task writes; it appears when the task is done with it.

    Args:
        filesystem: pyarrow's.
        folder: where it is to be.
        name: of the file, that no other attempt has.
        schema: of its record batches.
    """

    def __init__(self, filesystem: Any, folder: str, name: str, schema: Any) -> None:
        self._filesystem = filesystem
        self._path = f"{folder}/{name}"
        with suppress(OSError):  # two tasks may make it at once; what else is wrong, the next line says
            filesystem.create_dir(folder, recursive=True)
        self._stream = filesystem.open_output_stream(self._path + UNFINISHED)
        self._writer = self._writer_of(self._stream, schema)

    def _writer_of(self, stream: Any, schema: Any) -> Any:
        import pyarrow as pa

        return pa.ipc.new_stream(stream, schema, options=pa.ipc.IpcWriteOptions(compression="zstd"))

    def write(self, batch: Any, **options: Any) -> None:
        self._writer.write_batch(batch, **options)

    def commit(self, told: str = "") -> None:
        """Have the file appear.

        Args:
            told: what its name is to tell, before its ending.
        """
        self._writer.close()
        self._stream.close()
        stem, dot, ending = self._path.rpartition(".")
        self._filesystem.move(self._path + UNFINISHED, stem + told + dot + ending)

    def abandon(self) -> None:
        """Remove what was written."""
        with suppress(Exception):  # where writing failed, the end can't be written either
            self._writer.close()
        with suppress(Exception):
            self._stream.close()
        self._filesystem.delete_file(self._path + UNFINISHED)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if kind is None:
            self.commit()
        else:
            self.abandon()

"""The tables of a run's indexes: folders of Parquet files that Spark writes and pyarrow reads.

An index appears when the file that names its folder does, and a new one takes an old one's place in that moment:
whatever happens, and however many are made at once, it is there whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow.parquet as pq
from pyarrow.fs import FileSelector, FileType

from bigdebug.lineage.errors import UnreachableError
from bigdebug.lineage.store.files import StoreFiles

_FOLDER = "lineage"


class TableStore:
    """Where the indexes of one run lie.

    Args:
        files: of the store.
        run_id: the run.
    """

    def __init__(self, files: StoreFiles, run_id: str) -> None:
        self._files = files
        self._run_id = run_id
        self.location = files.location

    def manifest(self, output: int) -> bytes | None:
        """What the index of an output says of itself; None where there is none."""
        try:
            return self._files.read(self._run_id, f"{_FOLDER}/{output}.json")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UnreachableError(
                f"the index of output {output} can't be read: {error.strerror or error}"
            ) from error

    def table(self, name: str) -> list[pq.ParquetFile]:
        """The files of a table, opened; those without rows left out.

        Raises:
            UnreachableError: they can't be read.
        """
        try:
            return [file for file in map(self._opened, self._parts(name)) if file.metadata.num_rows]
        except (OSError, ValueError) as error:
            raise UnreachableError(
                f"a table of the index in {self.location} can't be read: {error}",
                hint="make the index anew: bigdebug index",
            ) from error

    # -- writing ------------------------------------------------------------------------------------

    @contextmanager
    def making(self, folder: str) -> Iterator[None]:
        """Around the writing of an index's tables; what was written is removed again where that fails.

        Raises:
            UnreachableError: the store can't be written.
        """
        try:
            self._files.make_folder(self._run_id, _FOLDER)
        except OSError as error:
            raise UnreachableError(
                f"the store {self.location} can't be written: {error.strerror or error}",
                hint="name another place with --store or BIGDEBUG_STORE",
            ) from error
        try:
            yield
        except BaseException:
            self._remove(folder)
            raise

    def hadoop_uri(self, name: str) -> str:
        """Where Spark is to write a table."""
        return self._files.hadoop_uri(self._run_id, f"{_FOLDER}/{name}")

    def rows(self, name: str) -> int:
        """How many rows a table has that Spark has just written.

        Raises:
            UnreachableError: Spark wrote it where it can't be seen from here.
        """
        parts = self._parts(name)
        if not parts:
            raise UnreachableError(
                f"Spark's executors wrote the index to {self.hadoop_uri(name)} where this process can't see it",
                hint="use a store that all machines share: attach(store=…), --store or BIGDEBUG_STORE",
            )
        return sum(self._opened(part).metadata.num_rows for part in parts)

    def size(self, folder: str) -> int:
        """Bytes of the Parquet files below a folder."""
        return sum(entry.size for entry in self._entries(folder) if entry.base_name.endswith(".parquet"))

    def publish(self, output: int, folder: str, manifest: bytes) -> None:
        """Make a written index that of its output, and remove the former one.

        Raises:
            UnreachableError: the store can't be written.
        """
        former = self.manifest(output)
        try:
            self._files.close_to_others(self._run_id, f"{_FOLDER}/{folder}")
            self._files.write(self._run_id, f"{_FOLDER}/{output}.json", manifest)
        except OSError as error:
            raise UnreachableError(
                f"the index can't be written to {self.location}: {error.strerror or error}",
                hint="make room there, or name another store",
            ) from error
        if former is not None:
            with suppress(ValueError, KeyError, TypeError):  # a damaged one names no folder
                self._remove(json.loads(former)["folder"])

    def _remove(self, folder: str) -> None:
        filesystem, path = self._at(folder)
        with suppress(OSError):
            filesystem.delete_dir(path)

    # -- inside -------------------------------------------------------------------------------------

    def _at(self, name: str) -> tuple[Any, str]:
        return self._files.place(self._run_id, f"{_FOLDER}/{name}")

    def _entries(self, name: str) -> list[Any]:
        filesystem, path = self._at(name)
        found = filesystem.get_file_info(FileSelector(path, allow_not_found=True, recursive=True))
        return [entry for entry in found if entry.type == FileType.File]

    def _parts(self, name: str) -> list[str]:
        entries = self._entries(name)
        return sorted(entry.path for entry in entries if entry.base_name.endswith(".parquet"))

    def _opened(self, path: str) -> pq.ParquetFile:
        filesystem, _ = self._files.place(self._run_id, _FOLDER)
        return pq.ParquetFile(path, filesystem=filesystem)

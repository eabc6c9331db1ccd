"""The tables of a run's indexes: folders of Parquet files that Spark writes and pyarrow reads.

An index appears when the file that names its folder does, and a new one takes an old one's place in that moment:
whatever happens, and however many are made at once, it is there whole or not at all. While one is made, a file
beside its folder names the process that makes it, so that what a killed one left behind is known for that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow.parquet as pq
from pyarrow.fs import FileType

from bigdebug.lineage.errors import UnreachableError
from bigdebug.lineage.store.damage import reading_index
from bigdebug.lineage.store.files import StoreFiles
from bigdebug.lineage.store.folders import entries
from bigdebug.lineage.store.process import ProcessIdentity

_FOLDER = "lineage"
_MAKING = ".making"
_DATA = (".parquet", ".relation", ".elements")
_TABLES = re.compile(r"(\d+)-[0-9a-f]{8}")


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
            DamagedIndexError: they can't be read.
        """
        with reading_index(f"a table of the index in {self.location}"):
            return [file for file in map(self._opened, self._parts(name)) if file.metadata.num_rows]

    # -- writing ------------------------------------------------------------------------------------

    @contextmanager
    def making(self, output: int, folder: str) -> Iterator[None]:
        """Around the writing of an index's tables; what was written is removed again where that fails.

        What killed makers of the same output's index left behind is removed first.

        Raises:
            UnreachableError: the store can't be written.
        """
        marker = f"{_FOLDER}/{folder}{_MAKING}"
        try:
            self._files.make_folder(self._run_id, _FOLDER)
            self.tidy(output)
            maker = json.dumps(ProcessIdentity.current().written()).encode("ascii")
            self._files.write(self._run_id, marker, maker)
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
        finally:
            self._remove_marker(folder)

    def hadoop_uri(self, name: str) -> str:
        """Where Spark is to write a table."""
        return self._files.hadoop_uri(self._run_id, f"{_FOLDER}/{name}")

    def place(self, name: str) -> tuple[Any, str]:
        """Where files of indexes are: a `pyarrow.fs.FileSystem` and the path in it."""
        return self._at(name)

    def check_trusted(self, output: int) -> None:
        """Make sure that nobody else could have written an output's index.

        Raises:
            RecipeError: somebody else could; says how to mend that.
        """
        self._files.check_trusted(self._run_id, f"{_FOLDER}/{output}.json")

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
        """Bytes of the data below a folder."""
        return sum(entry.size for entry in self._entries(folder) if entry.base_name.endswith(_DATA))

    def publish(self, output: int, folder: str, manifest: bytes) -> None:
        """Make a written index that of its output, and remove the former one.

        Raises:
            UnreachableError: the store can't be written.
        """
        former = self._folder_of(output)
        try:
            self._files.close_to_others(self._run_id, f"{_FOLDER}/{folder}")
            self._files.write(self._run_id, f"{_FOLDER}/{output}.json", manifest)
        except OSError as error:
            raise UnreachableError(
                f"the index can't be written to {self.location}: {error.strerror or error}",
                hint="make room there, or name another store",
            ) from error
        if former is not None:
            self._remove(former)

    def _remove(self, folder: str) -> None:
        filesystem, path = self._at(folder)
        with suppress(OSError):
            filesystem.delete_dir(path)

    # -- what was never finished --------------------------------------------------------------------

    def unfinished(self, output: int | None = None) -> dict[str, int]:
        """What killed makers of indexes left behind: folders, and the bytes in each.

        Those whose maker may still be alive, also on another machine, aren't among them.

        Args:
            output: of its indexes only.
        """
        # In this order: an index that is whole after the folders were listed had its maker named, or is named.
        folders = [entry.base_name for entry in self._below() if entry.type == FileType.Directory]
        makers = {
            entry.base_name.removesuffix(_MAKING): self._may_be_alive(entry.base_name)
            for entry in self._below()
            if entry.base_name.endswith(_MAKING)
        }
        found = {}
        for folder in sorted({*folders, *makers}):
            named = _TABLES.fullmatch(folder)
            if named is None or makers.get(folder) or (output is not None and int(named[1]) != output):
                continue
            if folder != self._folder_of(int(named[1])):
                found[folder] = sum(entry.size or 0 for entry in self._entries(folder))
            elif folder in makers:
                self._remove_marker(folder)  # killed when all was done
        return found

    def tidy(self, output: int | None = None) -> int:
        """Remove what `unfinished` finds; how many that were."""
        found = self.unfinished(output)
        for folder in found:
            self._remove(folder)
            self._remove_marker(folder)
        return len(found)

    def _may_be_alive(self, marker: str) -> bool:
        try:
            content = json.loads(self._files.read(self._run_id, f"{_FOLDER}/{marker}"))
        except FileNotFoundError:
            return False  # it has just come to its end
        except (OSError, ValueError):
            return True
        maker = ProcessIdentity.read(content) if isinstance(content, dict) else None
        return maker is None or maker.alive() is not False

    def _folder_of(self, output: int) -> str | None:
        """The folder of an output's index."""
        manifest = self.manifest(output)
        if manifest is None:
            return None
        try:
            return str(json.loads(manifest)["folder"])
        except (ValueError, KeyError, TypeError):  # a damaged one names no folder
            return None

    def _remove_marker(self, folder: str) -> None:
        filesystem, path = self._at(f"{folder}{_MAKING}")
        with suppress(OSError):
            filesystem.delete_file(path)

    def _below(self) -> list[Any]:
        filesystem, path = self._files.place(self._run_id, _FOLDER)
        return entries(filesystem, path)

    # -- inside -------------------------------------------------------------------------------------

    def _at(self, name: str) -> tuple[Any, str]:
        return self._files.place(self._run_id, f"{_FOLDER}/{name}")

    def _entries(self, name: str) -> list[Any]:
        filesystem, path = self._at(name)
        found = entries(filesystem, path, recursive=True)
        return [entry for entry in found if entry.type == FileType.File]

    def _parts(self, name: str) -> list[str]:
        entries = self._entries(name)
        return sorted(entry.path for entry in entries if entry.base_name.endswith(".parquet"))

    def _opened(self, path: str) -> pq.ParquetFile:
        filesystem, _ = self._files.place(self._run_id, _FOLDER)
        return pq.ParquetFile(path, filesystem=filesystem)

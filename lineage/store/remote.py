"""A store on a file system that can't append, such as an object store, through `pyarrow.fs`."""

import os
import re
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

from pyarrow.fs import FileSystem, FileType

from bigdebug.lineage.errors import RecipeError, UnreachableError
from bigdebug.lineage.store.files import RUN_ID
from bigdebug.lineage.store.folders import entries

TRUSTED = "BIGDEBUG_TRUSTED_STORES"
"""Environment variable: addresses, separated by commas, of the stores whose recipes may be opened."""

_HEARTBEAT = "heartbeat"
_READERS = 16


class RemoteFiles:
    """Files of runs below a prefix; see `StoreFiles`."""

    beat_seconds = 30.0
    instant = False

    def __init__(self, location: str) -> None:
        self.location = location
        self._segments: dict[str, int] = defaultdict(int)

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        """The file system and the store's path in it. Opening one may ask the network."""
        try:
            filesystem, path = FileSystem.from_uri(self.location)
        except (OSError, ValueError) as error:  # pyarrow's own errors are both
            raise UnreachableError(
                f"the store {self.location} can't be reached: {str(error).splitlines()[0]}",
                hint="a store is a folder or an address that pyarrow opens, such as s3://bucket/prefix",
            ) from error
        return filesystem, path.rstrip("/")

    @property
    def _filesystem(self) -> Any:
        return self._opened[0]

    @property
    def _path(self) -> str:
        return self._opened[1]

    def _at(self, *parts: str) -> str:
        return "/".join(part for part in (self._path, *parts) if part)

    def exists(self) -> bool:
        if not self._path:
            return True
        return bool(self._filesystem.get_file_info(self._path).type == FileType.Directory)

    def prepare(self) -> None:
        if not self.exists():
            self._filesystem.create_dir(self._path, recursive=True)

    def run_ids(self) -> list[str]:
        found = entries(self._filesystem, self._path)
        return [
            entry.base_name
            for entry in found
            if entry.type == FileType.Directory and RUN_ID.fullmatch(entry.base_name)
        ]

    def create_run(self, run_id: str) -> bool:
        if self._filesystem.get_file_info(self._at(run_id)).type != FileType.NotFound:
            return False
        for folder in ("recipes", "events"):
            self._filesystem.create_dir(self._at(run_id, folder), recursive=True)
        return True

    def read(self, run_id: str, name: str) -> bytes:
        with self._filesystem.open_input_stream(self._at(run_id, name)) as stream:
            return bytes(stream.read())

    def holds(self, run_id: str, name: str) -> bool:
        return bool(self._filesystem.get_file_info(self._at(run_id, name)).type == FileType.File)

    def write(self, run_id: str, name: str, data: bytes) -> None:
        # An object appears when its stream is closed; where that isn't so, a torn file is refused later.
        with self._filesystem.open_output_stream(self._at(run_id, name)) as stream:
            stream.write(data)

    def append_events(self, run_id: str, data: bytes) -> None:
        number = self._segments[run_id] + 1
        self.write(run_id, f"events/{number:08d}.jsonl", data)
        self._segments[run_id] = number

    def read_events(self, run_id: str) -> bytes:
        # A torn segment ends without a line end, which mustn't spoil the first line of the next.
        return b"\n".join(self._read_all(run_id, sorted(self._event_files(run_id))))

    def _event_files(self, run_id: str) -> list[str]:
        found = entries(self._filesystem, self._at(run_id, "events"))
        return [f"events/{entry.base_name}" for entry in found if entry.base_name.endswith(".jsonl")]

    def _read_all(self, run_id: str, names: list[str]) -> list[bytes]:
        with ThreadPoolExecutor(_READERS) as readers:
            return list(readers.map(lambda name: self.read(run_id, name), names))

    def beat(self, run_id: str) -> None:
        self.write(run_id, _HEARTBEAT, b"")

    def last_beat(self, run_id: str) -> float | None:
        events = [self._at(run_id, name) for name in self._event_files(run_id)]
        names = [self._at(run_id, name) for name in (_HEARTBEAT, "run.json")] + events[-1:]
        times = [entry.mtime_ns for entry in self._filesystem.get_file_info(names)]
        return max((time / 1e9 for time in times if time is not None), default=None)

    def check_trusted(self, run_id: str, name: str) -> None:
        trusted = [part.strip().rstrip("/") for part in os.environ.get(TRUSTED, "").split(",")]
        if self.location.rstrip("/") not in trusted:
            raise RecipeError(
                f"who may write to {self.location} can't be told from here; a recipe holds code that would "
                "run as you",
                hint=f"if only people you trust can write there: export {TRUSTED}={self.location}",
            )

    def remove(self, run_id: str) -> None:
        self._filesystem.delete_dir(self._at(run_id))

    def make_folder(self, run_id: str, name: str) -> None:
        self._filesystem.create_dir(self._at(run_id, name), recursive=True)

    def place(self, run_id: str, name: str) -> tuple[Any, str]:
        return self._filesystem, self._at(run_id, name)

    def hadoop_uri(self, run_id: str, name: str) -> str:
        # Hadoop's file system for Amazon's object store goes by another name.
        location = re.sub("^s3:", "s3a:", self.location.rstrip("/"))
        return "/".join((location, run_id, name))

    def close_to_others(self, run_id: str, name: str) -> None:
        """Who may read an object is told by the bucket's own rules."""

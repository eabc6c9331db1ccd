"""What the store asks of the place where it lies: a folder, or a prefix of an object store."""

import os
import re
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit


class StoreFiles(Protocol):
    """Files of runs. Names are relative to a run's folder; what fails raises `OSError`.

    Attributes:
        location: the store as the user wrote it.
        beat_seconds: how often a running run shows that it is alive.
        instant: a write takes no longer than a write to a local disk.
    """

    location: str
    beat_seconds: float
    instant: bool

    def exists(self) -> bool: ...

    def prepare(self) -> None:
        """Make the store's own folder, closed to others and kept out of version control."""

    def run_ids(self) -> list[str]: ...

    def create_run(self, run_id: str) -> bool:
        """Make the folder of a run; False where it is there already."""

    def read(self, run_id: str, name: str) -> bytes: ...

    def holds(self, run_id: str, name: str) -> bool:
        """Whether there is such a file."""

    def write(self, run_id: str, name: str, data: bytes) -> None:
        """Write a file at once: a reader sees all of it or nothing."""

    def append_events(self, run_id: str, data: bytes) -> None: ...

    def read_events(self, run_id: str) -> bytes: ...

    def beat(self, run_id: str) -> None:
        """Show that the run is alive."""

    def last_beat(self, run_id: str) -> float | None:
        """When the run last showed that it is alive, in seconds since the epoch."""

    def check_trusted(self, run_id: str, name: str) -> None:
        """Make sure that nobody else could have written a file.

        Raises:
            RecipeError: somebody else could; says how to mend that.
        """

    def remove(self, run_id: str) -> None: ...

    def make_folder(self, run_id: str, name: str) -> None: ...

    def place(self, run_id: str, name: str) -> tuple[Any, str]:
        """A `pyarrow.fs.FileSystem` and the path in it."""

    def hadoop_uri(self, run_id: str, name: str) -> str:
        """The same place, as Spark names it."""

    def close_to_others(self, run_id: str, name: str) -> None:
        """Take from a folder that Spark wrote what others may read, where there are others."""


RUN_ID = re.compile(r"\d{8}-\d{6}-[a-z0-9]+")


def open_files(location: str) -> StoreFiles:
    """The files at a local path or a URI. Nothing is created, read or connected to yet."""
    from bigdebug.lineage.store.local import LocalFiles

    if location.startswith("file:"):
        return LocalFiles(location, unquote(urlsplit(location).path))
    if "://" not in location:
        return LocalFiles(location, os.path.expanduser(location))

    from bigdebug.lineage.store.remote import RemoteFiles

    return RemoteFiles(location)

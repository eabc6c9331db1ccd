"""A store in a folder of the local disk."""

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any

from bigdebug.lineage.errors import RecipeError
from bigdebug.lineage.store.files import RUN_ID

EVENTS = "events.jsonl"
_FOLDER, _FILE = 0o700, 0o600
_REMOVING = ".removing-"


class LocalFiles:
    """Files of runs in a folder; see `StoreFiles`."""

    beat_seconds = 10.0
    instant = True

    def __init__(self, location: str, path: str) -> None:
        self.location = location
        # Absolute from the start: the user's program may change its working directory.
        self.path = Path(os.path.abspath(path))

    def exists(self) -> bool:
        return self.path.is_dir()

    def prepare(self) -> None:
        new = not self.path.exists()
        if new:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.mkdir(mode=_FOLDER, exist_ok=True)
        if new or all(RUN_ID.fullmatch(name) for name in os.listdir(self.path)):
            self._write_once(self.path / ".gitignore", b"*\n")

    def run_ids(self) -> list[str]:
        with os.scandir(self.path) as entries:
            return [
                entry.name
                for entry in entries
                if entry.is_dir()
                and (RUN_ID.fullmatch(entry.name) or os.path.exists(os.path.join(entry.path, "run.json")))
                and not entry.name.startswith(_REMOVING)
            ]

    def create_run(self, run_id: str) -> bool:
        folder = self.path / run_id
        try:
            folder.mkdir(mode=_FOLDER)
        except FileExistsError:
            return False
        (folder / "recipes").mkdir(mode=_FOLDER)
        if not (self.path / ".gitignore").exists():
            # The user keeps other things in this folder, which are theirs to ignore or not.
            self._write_once(folder / ".gitignore", b"*\n")
        self._write_once(folder / EVENTS, b"")
        return True

    def _write_once(self, path: Path, data: bytes) -> None:
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE)
        except FileExistsError:
            return
        try:
            os.write(handle, data)
        finally:
            os.close(handle)

    def read(self, run_id: str, name: str) -> bytes:
        return (self.path / run_id / name).read_bytes()

    def holds(self, run_id: str, name: str) -> bool:
        return (self.path / run_id / name).is_file()

    def write(self, run_id: str, name: str, data: bytes) -> None:
        path = self.path / run_id / name
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)  # mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def append_events(self, run_id: str, data: bytes) -> None:
        # Opened each time (20 µs): no handle that a fork would share, and a store that somebody deletes
        # while the program runs is noticed.
        handle = os.open(self.path / run_id / EVENTS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _FILE)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
        finally:
            os.close(handle)

    def read_events(self, run_id: str) -> bytes:
        return self.read(run_id, EVENTS)

    def beat(self, run_id: str) -> None:
        os.utime(self.path / run_id / EVENTS)

    def last_beat(self, run_id: str) -> float | None:
        for name in (EVENTS, "run.json", ""):
            try:
                return (self.path / run_id / name).stat().st_mtime
            except OSError:
                continue
        return None

    def check_trusted(self, run_id: str, name: str) -> None:
        if not hasattr(os, "geteuid"):
            return
        file = self.path / run_id / name
        for path in (self.path, self.path / run_id, *reversed(self._folders_within(run_id, name)), file):
            # The store itself may be a link that the user made; inside it nothing is.
            found = path.stat() if path == self.path else path.lstat()
            if stat.S_ISLNK(found.st_mode):
                raise RecipeError(
                    f"{path} is a symbolic link; a recipe holds code, and is opened only where it lies",
                    hint="copy what it points to in its place, if you trust it",
                )
            if found.st_uid != os.geteuid():
                raise RecipeError(
                    f"{path} belongs to another user (uid {found.st_uid}); a recipe holds code that would "
                    "run as you",
                    hint=f"if you trust that user, copy the store and use the copy: cp -r {self.path} mine",
                )
            if stat.S_IMODE(found.st_mode) & 0o022:
                raise RecipeError(
                    f"others may write to {path}; a recipe holds code, which they could have changed",
                    hint=f"if you trust what is there: chmod -R go-w {self.path}",
                )

    def _folders_within(self, run_id: str, name: str) -> list[Path]:
        return [self.path / run_id / part for part in Path(name).parents if part != Path(".")]

    def remove(self, run_id: str) -> None:
        # Renamed first: a removal that is cut short leaves no half of a run behind.
        os.replace(self.path / run_id, self.path / f"{_REMOVING}{run_id}")
        for leftover in self.path.glob(f"{_REMOVING}*"):
            shutil.rmtree(leftover)

    def make_folder(self, run_id: str, name: str) -> None:
        (self.path / run_id / name).mkdir(mode=_FOLDER, exist_ok=True)

    def place(self, run_id: str, name: str) -> tuple[Any, str]:
        from pyarrow.fs import LocalFileSystem

        return LocalFileSystem(use_mmap=True), str(self.path / run_id / name)

    def hadoop_uri(self, run_id: str, name: str) -> str:
        return (self.path / run_id / name).as_uri()

    def close_to_others(self, run_id: str, name: str) -> None:
        for path, _, files in os.walk(self.path / run_id / name):
            os.chmod(path, _FOLDER)
            for file in files:
                os.chmod(os.path.join(path, file), _FILE)

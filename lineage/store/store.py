"""The store itself: makes, lists, finds and removes runs."""

import difflib
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from bigdebug.lineage.errors import BigDebugError, UnknownNameError, UnreachableError
from bigdebug.lineage.store.files import open_files
from bigdebug.lineage.store.format import RunHead, write_head
from bigdebug.lineage.store.process import ProcessIdentity
from bigdebug.lineage.store.reader import StoredRun
from bigdebug.lineage.store.writer import RunWriter

_LETTERS = "abcdefghjkmnpqrstuvwxyz"
_SIGNS = _LETTERS + "23456789"
"""No 0, 1, i, l, o: an id is read from a screen and typed."""

_MOST_NAMED = 8
_READERS = 8


class Store:
    """A place that holds runs. Nothing is created or read before it is asked for.

    Args:
        location: a folder, or an address that `pyarrow.fs` opens (`s3://bucket/prefix`).
    """

    def __init__(self, location: str) -> None:
        self.location = location
        self._files = open_files(location)

    def create_run(
        self,
        *,
        name: str | None = None,
        argv: Sequence[str] = (),
        capture: str = "recipe",
        redact: Sequence[str] = (),
        versions: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> RunWriter:
        """Begin a run. What is handed over is stored as it is: secrets are the caller's to leave out.

        Raises:
            UnreachableError: the store can't be written.
        """
        started = time.time()
        try:
            self._files.prepare()
            run_id = _new_id(started)
            while not self._files.create_run(run_id):
                run_id = _new_id(started)
            head = RunHead(
                run_id,
                name,
                started,
                argv=tuple(argv),
                capture=capture,
                redact=tuple(redact),
                versions=dict(versions or {}),
                settings=dict(settings or {}),
                folder=_working_folder(),
                process=ProcessIdentity.current().written(),
            )
            self._files.write(run_id, "run.json", write_head(head))
        except (OSError, ValueError) as error:  # pyarrow's own errors are both
            raise UnreachableError(
                f"the store {self.location} can't be written: {_reason(error)}",
                hint="name another place with --store or BIGDEBUG_STORE",
            ) from error
        return RunWriter(self._files, run_id)

    def runs(self) -> list[StoredRun]:
        """All runs, newest first, the broken ones among them.

        Raises:
            UnreachableError: there is no store, or it can't be read.
        """
        with ThreadPoolExecutor(_READERS) as readers:
            runs = list(readers.map(self._open, self._run_ids()))
        return sorted(runs, key=lambda run: (run.started, run.run_id), reverse=True)

    def find(self, ref: str) -> StoredRun:
        """Find a run.

        Args:
            ref: an id, a unique beginning or the last three characters of one, or `last`.

        Raises:
            UnknownNameError: no run, or several, are called so.
            UnreachableError: there is no store, or it can't be read.
        """
        ids = self._run_ids()
        if not ids:
            raise UnknownNameError(
                f"the store {self.location} holds no runs yet", hint="record one: bigdebug run script.py"
            )
        if ref == "last":
            return self.runs()[0]
        if ref in ids:
            return self._open(ref)
        found = [run_id for run_id in ids if ref and run_id.startswith(ref)]
        found = found or [run_id for run_id in ids if ref and run_id.endswith(f"-{ref}")]
        if len(found) == 1:
            return self._open(found[0])
        newest = sorted(found or difflib.get_close_matches(ref, ids, _MOST_NAMED) or ids, reverse=True)
        named = ", ".join(newest[:_MOST_NAMED]) + (", …" if len(newest) > _MOST_NAMED else "")
        if found:
            raise UnknownNameError(f"{len(found)} runs begin with {ref!r}", hint=f"which one: {named}")
        raise UnknownNameError(f"no run {ref!r} in {self.location}", hint=f"there are: {named}, or last")

    def remove(self, run: StoredRun) -> None:
        """Delete a run with all that it stored.

        Raises:
            BigDebugError: it is still running.
            UnreachableError: it couldn't be deleted.
        """
        if run.status == "running":
            raise BigDebugError(f"the run {run.run_id} is still going", hint="stop its program first")
        try:
            self._files.remove(run.run_id)
        except OSError as error:
            raise UnreachableError(
                f"the run {run.run_id} in {self.location} can't be removed: {_reason(error)}"
            ) from error

    def prune(self, older_than: timedelta) -> list[StoredRun]:
        """Delete the runs that ended longer ago than `older_than`; returns them."""
        before = time.time() - older_than.total_seconds()
        old = [run for run in self.runs() if run.status != "running" and (run.ended or run.started) < before]
        for run in old:
            self.remove(run)
        return old

    def unfinished(self) -> dict[StoredRun, dict[str, int]]:
        """By run, the folders that killed makers of indexes left behind, and the bytes in each."""
        found = {run: run.tables.unfinished() for run in self.runs()}
        return {run: folders for run, folders in found.items() if folders}

    def tidy(self) -> int:
        """Remove what killed makers of indexes left behind; how many indexes that were."""
        return sum(run.tables.tidy() for run in self.runs())

    def _open(self, run_id: str) -> StoredRun:
        return StoredRun(self._files, run_id)

    def _run_ids(self) -> list[str]:
        try:
            if self._files.exists():
                return self._files.run_ids()
        except OSError as error:
            raise UnreachableError(
                f"the store {self.location} can't be read: {_reason(error)}",
                hint="name another place with --store or BIGDEBUG_STORE",
            ) from error
        raise UnreachableError(
            f"there is no store {self.location}",
            hint="`bigdebug run script.py` makes one; name another with --store or BIGDEBUG_STORE",
        )


def _new_id(started: float) -> str:
    moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime(started))
    return f"{moment}-{secrets.choice(_LETTERS)}{secrets.choice(_SIGNS)}{secrets.choice(_SIGNS)}"


def _working_folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__

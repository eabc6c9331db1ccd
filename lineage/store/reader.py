"""One stored run, read back: whatever state its process left it in."""

import io
import os
import time
import zipfile
from calendar import timegm
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bigdebug.lineage.crash import CrashEvent
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.errors import RecipeError, UnknownNameError
from bigdebug.lineage.output import Output
from bigdebug.lineage.store.files import RUN_ID, StoreFiles
from bigdebug.lineage.store.format import RunEvents, RunHead, read_events, read_head
from bigdebug.lineage.store.process import ProcessIdentity

if TYPE_CHECKING:
    from bigdebug.lineage.store.tables import TableStore

_BEATS_MISSED = 4
"""A run on another machine is lost when it hasn't shown itself for so many heartbeats."""

_MOST_NAMED = 12


class StoredRun:
    """A run as the store has it at the time of reading; a broken one reads as empty and says so.

    Attributes:
        run_id: its id.
        name: as the user called it, or None.
        started: seconds since the epoch.
        argv: the script and its arguments.
        capture: `recipe` or `full`.
        versions: of bigdebug, Python, Spark, ….
        settings: what a plan's meaning depends on.
        redact: names of the columns whose values are hashed.
        folder: the working directory of the program, where it is known.
        store: the store it lies in, as the user wrote it.
    """

    def __init__(self, files: StoreFiles, run_id: str) -> None:
        self._files = files
        self._broken: str | None = None
        try:
            head = read_head(files.read(run_id, "run.json"))
        except FileNotFoundError:
            head = self._unknown(run_id, "run.json is missing")
        except OSError as error:
            head = self._unknown(run_id, f"run.json can't be read: {error.strerror or error}")
        except ValueError as error:
            head = self._unknown(run_id, str(error))
        self._head = head
        self.run_id = run_id
        self.store = files.location
        self.name = head.name
        self.started = head.started
        self.argv = head.argv
        self.capture = head.capture
        self.versions = head.versions
        self.settings = head.settings
        self.redact = head.redact
        self.folder = head.folder

    def _unknown(self, run_id: str, problem: str) -> RunHead:
        self._broken = problem
        if RUN_ID.fullmatch(run_id):
            try:
                started = float(timegm(time.strptime(run_id[:15], "%Y%m%d-%H%M%S")))
            except ValueError:
                started = 0.0
        else:
            started = self._files.last_beat(run_id) or 0.0
        return RunHead(run_id, None, started)

    def __repr__(self) -> str:
        return f"<StoredRun {self.run_id}: {self.status}, {len(self.outputs)} outputs>"

    @property
    def problem(self) -> str | None:
        """What is wrong with the run's folder; None where all of it could be read."""
        if self._broken:
            return self._broken
        return self._events[1]

    @cached_property
    def _events(self) -> tuple[RunEvents, str | None]:
        if self._broken:
            return RunEvents(), None
        try:
            events = read_events(self._files.read_events(self.run_id))
        except FileNotFoundError:
            return RunEvents(), "the event log is missing"
        except OSError as error:
            return RunEvents(), f"the event log can't be read: {error.strerror or error}"
        if events.damaged:
            lines = "1 damaged line" if events.damaged == 1 else f"{events.damaged:,} damaged lines"
            were = "was" if events.damaged == 1 else "were"
            return events, f"{lines} in the event log {were} left out"
        return events, None

    @property
    def nodes(self) -> dict[int, Node]:
        """The operators, by id."""
        return self._events[0].nodes

    @property
    def outputs(self) -> list[Output]:
        """The outputs, by number."""
        return [output for _, output in sorted(self._events[0].outputs.items())]

    @cached_property
    def status(self) -> str:
        """`running`, `done`, `failed`, or `lost`: its process is gone without having closed it."""
        end = self._events[0].end
        if end is not None:
            return end.status
        if self._broken:
            return "lost"
        process = ProcessIdentity.read(self._head.process)
        alive = process.alive() if process else None
        if alive is None:
            beat = self._files.last_beat(self.run_id) or 0.0
            alive = time.time() - beat < _BEATS_MISSED * self._files.beat_seconds
        return "running" if alive else "lost"

    @property
    def ended(self) -> float | None:
        """When it ended, in seconds since the epoch; of a lost run its last sign of life."""
        end = self._events[0].end
        if end is not None:
            return end.time
        if self.status == "running":
            return None
        beat = self._files.last_beat(self.run_id)
        return None if beat is None else max(beat, self.started)  # a disk's clock is coarser than ours

    @property
    def crashes(self) -> list[CrashEvent]:
        """The records that crashed operators, in the order that they were found."""
        return self._events[0].crashes

    def output(self, ref: str) -> Output:
        """Find an output.

        Args:
            ref: a number from 1, `last`, or a path or table that was written: as the program wrote it, in
                its absolute form, or an unambiguous last part of it. Of several writes to one place the
                last counts.

        Raises:
            UnknownNameError: there is none; names what there is.
        """
        outputs = self.outputs
        if not outputs:
            raise UnknownNameError(
                f"the run {self.run_id} has no outputs" + (f": {self.problem}" if self.problem else ""),
                hint="an output is what an action such as collect, show or write gave",
            )
        if ref == "last":
            return outputs[-1]
        for output in outputs:
            if ref == str(output.number):
                return output
        written = [output for output in reversed(outputs) if output.target]
        here, there = os.getcwd(), self.folder or os.getcwd()
        for same in (
            lambda target: target == ref,
            lambda target: absolute_target(target, there) == absolute_target(ref, here),
            lambda target: target.casefold() == ref.casefold(),
        ):
            for output in written:
                if same(output.target or ""):
                    return output
        by_last_part = {
            output.target: output for output in outputs if _last_part(output.target) == ref.rstrip("/")
        }
        if len(by_last_part) == 1:
            return next(iter(by_last_part.values()))
        raise UnknownNameError(f"the run {self.run_id} has no output {ref!r}", hint=self._what_there_is())

    def _what_there_is(self) -> str:
        described = [
            f"{output.number} ({output.target or output.action})" for output in self.outputs[-_MOST_NAMED:]
        ]
        left_out = len(self.outputs) - len(described)
        return f"there are: {f'1 to {left_out}, ' if left_out else ''}{', '.join(described)}"

    def recipe(self, number: int) -> bytes:
        """The recipe of an output.

        Raises:
            RecipeError: there is none, it is damaged, or somebody else could have written it.
        """
        name = f"recipes/{number}.zip"
        try:
            self._files.check_trusted(self.run_id, name)
            data = self._files.read(self.run_id, name)
        except FileNotFoundError:
            raise self._no_recipe(number) from None
        except OSError as error:
            raise RecipeError(
                f"the recipe of output {number} can't be read: {error.strerror or error}",
                hint=f"it is {name} of the run {self.run_id} in {self.store}",
            ) from error
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                damaged = archive.testzip()
        except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError):
            damaged = name
        if damaged is not None:
            raise RecipeError(
                f"the recipe of output {number} of the run {self.run_id} is damaged or cut short "
                f"({len(data):,} bytes)",
                hint="run the program again under bigdebug to record it anew",
            )
        return data

    def indexed(self, number: int) -> bool:
        """Whether an output has an index."""
        try:
            return self._files.holds(self.run_id, f"lineage/{number}.json")
        except OSError:
            return False

    @property
    def place(self) -> Path | None:
        """Its folder, where the store is one of this machine."""
        from bigdebug.lineage.store.local import LocalFiles

        return self._files.path / self.run_id if isinstance(self._files, LocalFiles) else None

    @property
    def tables(self) -> "TableStore":
        """Where the indexes of its outputs lie."""
        from bigdebug.lineage.store.tables import TableStore  # loads pyarrow

        return TableStore(self._files, self.run_id)

    def _no_recipe(self, number: int) -> RecipeError:
        output = self._events[0].outputs.get(number)
        again = "run the program again under bigdebug to record it anew"
        what = f"output {number} of the run {self.run_id} has no recipe"
        if output is not None and output.recipe == "unavailable":
            return RecipeError(f"{what}: {output.recipe_problem or 'it could not be built'}")
        if self.status == "running":
            return RecipeError(f"{what} yet", hint="the run is still going: ask again in a moment")
        if output is not None and output.recipe == "stored":
            return RecipeError(f"{what} any more: its file is missing", hint=again)
        if self.status == "lost":
            return RecipeError(f"{what}: the program was killed before it was stored", hint=again)
        return RecipeError(what, hint=again)


def absolute_target(target: str, folder: str) -> str:
    """A path in a form that can be compared, without a local `file:` and with no slash at its end."""
    if target.startswith("file:"):
        target = "/" + target.removeprefix("file:").lstrip("/")
    if "://" in target:
        return target.rstrip("/")
    return os.path.normpath(os.path.join(folder, os.path.expanduser(target)))


def _last_part(target: str | None) -> str | None:
    return target.rstrip("/").rpartition("/")[2] if target else None

"""Which outputs of earlier runs wrote the files that a source was read from. Loads no Spark."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bigdebug.lineage.location import plain_path
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import Store, StoredRun
from bigdebug.lineage.store.reader import absolute_target

Files = Iterable[Sequence[Any]]
"""`[path, size, modification time in milliseconds]` of each."""

# Clocks of a store of files and of the program that writes to it differ by so many seconds at most.
_SLACK = 5.0


@dataclass(frozen=True)
class Writing:
    """An output of an earlier run that was written somewhere.

    Attributes:
        run: the run.
        output: its output.
        target: the absolute path, or the table's name.
        location: the absolute path of the table's files; None where it is no table or that isn't known.
    """

    run: StoredRun
    output: Output
    target: str
    location: str | None = None

    def seconds_off(self, moment: float) -> float:
        """How far from the time it took a moment is: 0 within, in seconds."""
        began, took = self.output.started, self.output.seconds or 0.0
        return max(began - moment, moment - began - took, 0.0)

    def lies_there(self, path: str, table: str | None) -> bool:
        """Whether a file lies where this output was written.

        Args:
            path: of the file.
            table: the catalog's name of the table that it is read as part of, with its database.
        """
        if table is not None and self.output.target is not None:
            written = self.output.target.replace("`", "").casefold()
            if f".{table.casefold()}".endswith(f".{written}"):
                return True
        places = (self.target, self.location)
        return any(path == place or path.startswith(f"{place}/") for place in places if place is not None)

    def __str__(self) -> str:
        return f"output {self.output.number} of the run {self.run.run_id}"


def writings(store: Store, run_id: str | None, before: float) -> list[Writing]:
    """What earlier runs wrote, the latest first.

    Args:
        store: where the runs are.
        run_id: the run that is asked about.
        before: when its output began, in seconds since the epoch.

    Raises:
        UnreachableError: there is no store, or it can't be read.
    """
    found = [
        Writing(
            run,
            output,
            absolute_target(output.target, run.folder or "/"),
            None if output.location is None else absolute_target(output.location, "/"),
        )
        for run in store.runs()
        if run.run_id != run_id and run.started <= before
        for output in run.outputs
        if output.target and output.status == "done" and output.started <= before
    ]
    return sorted(found, key=lambda each: each.output.started, reverse=True)


def written_by(
    files: Files, table: str | None, candidates: Sequence[Writing]
) -> dict[Writing, frozenset[str]]:
    """The outputs that wrote a source's files, each with those that are its own: they are from just then.

    Args:
        files: of the source, as they were when it was read.
        table: its name in the catalog, with the database, if it has one.
        candidates: what earlier runs wrote, the latest first.
    """
    found: defaultdict[Writing, set[str]] = defaultdict(set)
    for path, seconds in _times(files):
        there = [each for each in candidates if each.lies_there(path, table)]
        nearest = min(there, key=lambda each: each.seconds_off(seconds), default=None)
        if nearest is not None and nearest.seconds_off(seconds) <= _SLACK:
            found[nearest].add(path)
    return {writing: frozenset(paths) for writing, paths in found.items()}


def _times(files: Files) -> Iterable[tuple[str, float]]:
    for path, _, milliseconds in files:
        yield plain_path(path), milliseconds / 1000

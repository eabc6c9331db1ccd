"""Writing down what an index knows of a source: where its records stand, and those that stand nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bigdebug.lineage.rdd import placing
from bigdebug.lineage.rdd.files import fingerprint, hadoop_rdd
from bigdebug.lineage.rdd.hadoop import DELIMITER
from bigdebug.lineage.rdd.index.elements import elements_written
from bigdebug.lineage.rdd.index.manifest import StoredSource
from bigdebug.lineage.rdd.index.task_file import ELEMENTS
from bigdebug.lineage.rdd.reading import RddSource


class SourceWriter:
    """Writes what an index knows of sources.

    Args:
        filesystem: pyarrow's.
        path: of the index's folder.
        folder: the same within the run's folder of indexes.
        progress: told what is done next.
    """

    def __init__(
        self, filesystem: Any, path: str, folder: str, progress: Callable[[str], None] = lambda _: None
    ) -> None:
        self._filesystem = filesystem
        self._path = path
        self._folder = folder
        self._progress = progress

    def stored(self, source: RddSource, leaf: int) -> StoredSource:
        """What the index is to know of a source.

        Args:
            source: the source.
            leaf: its number.
        """
        listed = source.operator.listed
        if listed is None:
            listed = fingerprint(source.operator, source.rdd._jrdd)
        splits: tuple[tuple[str, int, int], ...] | None = None
        records: tuple[str, ...] = ()
        if source.whole_files or source.splits is None:
            self._progress(f"the records of {source.name}")
            every = source.rdd.map(placing.path_in) if source.whole_files else source.rdd
            if source.whole_files or source.kind in ("memory", "range"):
                records = self._records(every, f"records-{leaf}")
        else:
            self._progress(f"where the records of {source.name} stand")
            firsts = source.first_positions()
            splits = tuple((file, start, firsts[n][1]) for n, (file, start) in enumerate(source.splits))
        return StoredSource(
            leaf=leaf,
            name=source.name,
            kind=source.kind,
            call_site=source.call_site,
            splits=splits,
            whole=source.whole_files,
            lines=_is_plain_text(source),
            listed=tuple((str(path), int(size), int(at)) for path, size, at in listed),
            records=records,
        )

    def _records(self, rdd: Any, name: str) -> tuple[str, ...]:
        write = elements_written(self._filesystem, f"{self._path}/{name}")
        written = sorted(rdd.mapPartitionsWithIndex(write).collect())
        return tuple(f"{self._folder}/{name}/{file}{ELEMENTS}" for _, file, _ in written)


def _is_plain_text(source: RddSource) -> bool:
    """Whether its records are texts as they stand in the files: lines, or all of a file."""
    operator = source.operator
    if operator.kind not in ("textFile", "wholeTextFiles") or not operator.arguments["use_unicode"]:
        return False
    if source.whole_files:
        return True
    if operator.settings is not None:
        return DELIMITER not in operator.settings
    return hadoop_rdd(source.rdd._jrdd).getConf().get(DELIMITER) is None

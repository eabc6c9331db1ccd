"""The files behind an RDD's source: as they were when the program read them, and as they are now."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from py4j.protocol import Py4JJavaError

from bigdebug.lineage.errors import SourceChangedError
from bigdebug.lineage.failure import first_line
from bigdebug.lineage.listing import Fingerprint, differences, files_at
from bigdebug.lineage.location import plain_path
from bigdebug.lineage.rdd.kinds import IN_FILES
from bigdebug.lineage.rdd.operator import RddOperator

# Commas that aren't within a pattern's braces.
_BETWEEN = re.compile(r",(?![^{}]*})")

_HADOOP = ("HadoopRDD", "NewHadoopRDD", "BinaryFileRDD", "WholeTextFileRDD")


def file_splits(jrdd: Any) -> list[tuple[str, int]] | None:
    """By partition of a Hadoop input the file and where in it the partition begins; None if there are several."""
    found = []
    for split in _splits(jrdd):
        if not hasattr(split, "getStart") or split.getClass().getSimpleName().startswith("Combine"):
            return None
        found.append((plain_path(split.getPath().toString()), int(split.getStart())))
    return found


def fingerprint(operator: RddOperator, jrdd: Any) -> Fingerprint:
    """Path, size and modification time of the files that a source reads; empty where it reads none."""
    if operator.kind not in IN_FILES:
        return []
    paths: dict[str, Any] = {}
    for split in _splits(jrdd):
        combined = split.getClass().getSimpleName().startswith("Combine")
        for path in split.getPaths() if combined else [split.getPath()]:
            paths.setdefault(path.toString(), path)
    return files_at(operator.context._jsc.hadoopConfiguration(), paths.values())


def absolute_paths(context: Any, paths: str) -> str:
    """Paths as Hadoop takes them (several with commas between, with patterns), wherever they are read from.

    Args:
        context: of the program, whose folder relative ones are of.
        paths: as the program wrote them.
    """
    conf = context._jsc.hadoopConfiguration()
    maker = context._jvm.org.apache.hadoop.fs.Path
    found = []
    for part in _BETWEEN.split(paths):
        path = maker(part)
        found.append(str(path.getFileSystem(conf).makeQualified(path).toString()))
    return ",".join(found)


def files_now(context: Any, paths: Sequence[str]) -> Fingerprint:
    """The same of files as they are now; those that are gone left out."""
    maker = context._jvm.org.apache.hadoop.fs.Path
    return files_at(context._jsc.hadoopConfiguration(), map(maker, paths))


def require_unchanged(operator: RddOperator, then: Fingerprint, since: float | None = None) -> None:
    """Make sure that a source's files are as they were.

    Args:
        operator: of the source.
        then: its files.
        since: when the program read them, in seconds since the epoch; what was written later, on this machine's
            own clock, was another file then, even if it was looked at too late to tell.

    Raises:
        SourceChangedError: one changed or is gone.
    """
    now = files_now(operator.context, [path for path, _, _ in then])
    changes = differences(then, now)
    changes += [
        f"{plain_path(path)} was written again"
        for path, _, written in now
        if since is not None and path.startswith("file:") and written > since * 1000
    ]
    if changes:
        raise SourceChangedError(
            f"{changes[0]} since the program read it",
            hint="make the RDD again and trace what is made of that",
        )


def _splits(jrdd: Any) -> Iterator[Any]:
    """The Hadoop splits of an RDD read from files, a partition after the other.

    Raises:
        SourceChangedError: the files can't be listed.
    """
    rdd = jrdd.rdd()
    while rdd.getClass().getSimpleName() not in _HADOOP:
        rdd = rdd.dependencies().head().rdd()
    old = rdd.getClass().getSimpleName() == "HadoopRDD"
    try:
        partitions = rdd.partitions()
    except Py4JJavaError as error:
        raise SourceChangedError(f"a source's files can't be listed: {first_line(error)}") from error
    for partition in partitions:
        yield (partition.inputSplit() if old else partition.serializableHadoopSplit()).value()

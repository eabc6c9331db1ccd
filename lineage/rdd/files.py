"""The files behind an RDD's source: as they were when the program read them, and as they are now."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JError, Py4JJavaError

from bigdebug.lineage.errors import SourceChangedError
from bigdebug.lineage.failure import first_line
from bigdebug.lineage.listing import Fingerprint, differences, files_at
from bigdebug.lineage.location import plain_path
from bigdebug.lineage.rdd.kinds import IN_FILES
from bigdebug.lineage.rdd.operator import RddOperator

# Commas that aren't within a pattern's braces.
_BETWEEN = re.compile(r",(?![^{}]*})")

_HADOOP = ("HadoopRDD", "NewHadoopRDD", "BinaryFileRDD", "WholeTextFileRDD")


@dataclass(frozen=True)
class Split:
    """What a partition of a Hadoop input reads.

    Attributes:
        paths: Hadoop's, of its files; none of what isn't in files.
        start: where in the file it begins; None where there isn't just one file.
    """

    paths: tuple[str, ...]
    start: int | None = None


def file_splits(operator: RddOperator, jrdd: Any) -> list[tuple[str, int]] | None:
    """By partition of a Hadoop input the file and where in it the partition begins; None if there are several."""
    found = []
    for split in _splits_of(operator, jrdd):
        if split.start is None:
            return None
        found.append((plain_path(split.paths[0]), split.start))
    return found


def fingerprint(operator: RddOperator, jrdd: Any) -> Fingerprint:
    """Path, size and modification time of the files that a source reads; empty where it reads none.

    How they are split is noted with the operator.
    """
    if operator.kind not in IN_FILES:
        return []
    splits = _splits_of(operator, jrdd)
    operator.splits = hashlib.blake2b(repr(splits).encode(), digest_size=8).hexdigest()
    return files_now(operator.context, list(dict.fromkeys(path for split in splits for path in split.paths)))


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
    return files_at(context._jvm, context._jsc.hadoopConfiguration(), paths)


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


def hadoop_rdd(jrdd: Any) -> Any:
    """The RDD that reads, of one that Spark made of it."""
    rdd = jrdd.rdd()
    while rdd.getClass().getSimpleName() not in _HADOOP:
        rdd = rdd.dependencies().head().rdd()
    return rdd


def _splits_of(operator: RddOperator, jrdd: Any) -> list[Split]:
    """The same as `_splits`; of the program's own RDD, whose partitions Spark keeps, asked for once."""
    if operator.source is None or operator.source[0] is not jrdd:
        return _splits(jrdd)
    if operator.parts is None:
        operator.parts = _splits(jrdd)
    return operator.parts


def _splits(jrdd: Any) -> list[Split]:
    """The splits of an RDD that is read with Hadoop, by partition.

    Raises:
        SourceChangedError: the files can't be listed.
    """
    rdd = hadoop_rdd(jrdd)
    old = rdd.getClass().getSimpleName() == "HadoopRDD"
    try:
        partitions = rdd.partitions()
    except Py4JJavaError as error:
        raise SourceChangedError(f"a source's files can't be listed: {first_line(error)}") from error
    return [
        _split((partition.inputSplit() if old else partition.serializableHadoopSplit()).value())
        for partition in partitions
    ]


def _split(split: Any) -> Split:
    if split.getClass().getSimpleName().startswith("Combine"):
        return Split(tuple(str(path.toString()) for path in split.getPaths()))
    try:
        return Split((str(split.getPath().toString()),), int(split.getStart()))
    except Py4JError:  # rows of a database
        return Split(())

"""The files of a source: as Spark listed them when it was read, and as they are now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from py4j.protocol import Py4JJavaError

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.location import plain_path

Fingerprint = list[list[Any]]
"""`[path, size, modification time]` of each file."""

IS_GONE = " is gone"
"""What a change ends with that is a file's end."""


def listed_files(catalyst: Catalyst, relation: Any) -> Fingerprint:
    """What Spark listed for a `HadoopFsRelation`."""
    no_filters = catalyst.seq([])
    return sorted(
        _entry(file.fileStatus() if hasattr(file, "fileStatus") else file)
        for directory in catalyst.items(relation.location().listFiles(no_filters, no_filters))
        for file in catalyst.items(directory.files())
    )


def files_now(catalyst: Catalyst, paths: Iterable[str]) -> Fingerprint:
    """Files at Hadoop paths as they are now; those that are gone left out."""
    return files_at(catalyst.hadoop_conf, map(catalyst.jvm.org.apache.hadoop.fs.Path, paths))


def files_at(conf: Any, paths: Iterable[Any]) -> Fingerprint:
    """The same of Hadoop's own paths.

    Args:
        conf: a Hadoop `Configuration`.
        paths: JVM objects.
    """
    found = []
    for path in paths:
        try:
            found.append(_entry(path.getFileSystem(conf).getFileStatus(path)))
        except Py4JJavaError as error:
            if error.java_exception.getClass().getSimpleName() != "FileNotFoundException":
                raise
    return sorted(found)


def differences(then: Fingerprint, now: Fingerprint) -> list[str]:
    """What has changed, a sentence's beginning each: `/data/a.csv was added`."""
    before = {path: (size, time) for path, size, time in then}
    after = {path: (size, time) for path, size, time in now}
    changes = [f"{plain_path(path)}{IS_GONE}" for path in sorted(before.keys() - after.keys())]
    changes += [f"{plain_path(path)} was added" for path in sorted(after.keys() - before.keys())]
    for path in sorted(before.keys() & after.keys()):
        (size, time), (new_size, new_time) = before[path], after[path]
        if size != new_size:
            changes.append(f"{plain_path(path)} changed from {size:,} to {new_size:,} bytes")
        elif time != new_time:
            changes.append(f"{plain_path(path)} was written again")
    return changes


def exists(catalyst: Catalyst, path: str) -> bool:
    """Whether there is a file or folder at a Hadoop path."""
    place = catalyst.jvm.org.apache.hadoop.fs.Path(path)
    return bool(place.getFileSystem(catalyst.hadoop_conf).exists(place))


def _entry(status: Any) -> list[Any]:
    return [str(status.getPath().toString()), int(status.getLen()), int(status.getModificationTime())]

"""The files of a source: as Spark listed them when it was read, and as they are now."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from py4j.protocol import Py4JJavaError

from bigdebug.lineage.catalyst import NO_TEXT, Catalyst
from bigdebug.lineage.location import plain_path

Fingerprint = list[list[Any]]
"""`[path, size, modification time]` of each file."""

_MANY = 4
"""So many files are looked at together."""
_SYSTEM = re.compile(r"[a-zA-Z][\w+.-]*:(//[^/]*)?")
_STATUS = re.compile(
    r".*?\{path=(?P<path>.*); isDirectory=false; length=(?P<length>\d+);.*?; modification_time=(?P<time>\d+);.*",
    re.DOTALL,
)
"""A status of Hadoop's as text."""
_BETWEEN_PATHS = "\x1e"

IS_GONE = " is gone"
"""What a change ends with that is a file's end."""


def listed_files(catalyst: Catalyst, relation: Any) -> Fingerprint:
    """What Spark listed for a `HadoopFsRelation`."""
    no_filters = catalyst.seq([])
    return sorted(
        entry
        for directory in catalyst.items(relation.location().listFiles(no_filters, no_filters))
        for entry in _entries(directory.files())
    )


def files_now(catalyst: Catalyst, paths: Iterable[str]) -> Fingerprint:
    """Files at Hadoop paths as they are now; those that are gone left out."""
    return files_at(catalyst.spark._jvm, catalyst.hadoop_conf, paths)


def files_at(jvm: Any, conf: Any, paths: Iterable[str]) -> Fingerprint:
    """The same, without a session.

    Args:
        jvm: of the program.
        conf: a Hadoop `Configuration`.
        paths: of files.
    """
    found: Fingerprint = []
    by_system: dict[str, list[str]] = {}
    for path in paths:
        system = _SYSTEM.match(path)
        by_system.setdefault(system.group() if system else "", []).append(path)
    for mine in by_system.values():
        found += _at_once(jvm, conf, mine) or _one_by_one(jvm, conf, mine)
    return sorted(found)


def _at_once(jvm: Any, conf: Any, paths: Sequence[str]) -> Fingerprint | None:
    """Files of one file system, by few calls of Java's however many they are; None where one is gone or a folder."""
    if len(paths) < _MANY or any(_BETWEEN_PATHS in path for path in paths):
        return None
    texts = jvm.org.apache.hadoop.util.StringUtils
    places = texts.stringToPath(texts.getStrings(_BETWEEN_PATHS.join(paths), _BETWEEN_PATHS))
    try:
        statuses = places[0].getFileSystem(conf).listStatus(places)
    except Py4JJavaError:
        return None
    wrapping = getattr(getattr(jvm.scala.collection.immutable, "ArraySeq$"), "MODULE$")
    entries = _entries(wrapping.unsafeWrapArray(statuses))
    wanted = set(paths)
    found = [entry for entry in entries if entry[0] in wanted]
    return found if len(found) == len(wanted) else None


def _one_by_one(jvm: Any, conf: Any, paths: Iterable[str]) -> Fingerprint:
    found = []
    for path in map(jvm.org.apache.hadoop.fs.Path, paths):
        try:
            found.append(_entry(path.getFileSystem(conf).getFileStatus(path)))
        except Py4JJavaError as error:
            if error.java_exception.getClass().getSimpleName() != "FileNotFoundException":
                raise
    return found


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


def _entries(statuses: Any) -> Fingerprint:
    """Entries of a Scala `Seq` of statuses, read of one text of all of them: a call for each takes long of many.

    Args:
        statuses: Hadoop's, or Spark's around these.
    """
    size = int(statuses.size())
    if size >= _MANY:
        found = [_STATUS.fullmatch(text) for text in str(statuses.mkString(NO_TEXT)).split(NO_TEXT)]
        told: Fingerprint = [[m["path"], int(m["length"]), int(m["time"])] for m in found if m]
        # A file system may tell its statuses in other words.
        if len(told) == size and told[0] == _entry(statuses.head()):
            return told
    return [_entry(statuses.apply(i)) for i in range(size)]


def _entry(status: Any) -> list[Any]:
    if str(status.getClass().getSimpleName()) == "FileStatusWithMetadata":  # Spark's own, around it
        status = status.fileStatus()
    return [str(status.getPath().toString()), int(status.getLen()), int(status.getModificationTime())]

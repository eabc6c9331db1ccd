"""Whether files on this machine are what they were. Loads no Spark."""

from __future__ import annotations

import os
from collections.abc import Iterable

from bigdebug.lineage.location import local_path, plain_path


def what_became_of(files: Iterable[str], listed: Iterable[tuple[str, int, int]]) -> str | None:
    """What became of files since they were listed; None where they are what they were.

    Args:
        files: their paths.
        listed: path, size and modification time, in milliseconds, of these and others.
    """
    then = {plain_path(path): (size, at) for path, size, at in listed}
    for file in sorted(files):
        if local_path(file) is None:
            return "they aren't in files of this machine"
        try:
            now = os.stat(file)
        except OSError:
            return f"{file} is gone"
        if (now.st_size, now.st_mtime_ns // 1_000_000) != then.get(file):
            return f"{file} has changed"
    return None

"""Which files make up an event log: a plain file, or a rolling folder's, in their order."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bigdebug.lineage.errors import BigDebugError, UnreachableError

_EVENTS = re.compile(r"events_(\d+)_.+")
_ROLLING = "eventlog_v2_"
_GOING = ".inprogress"
_MOST_NAMED = 5
HOW_TO_LOG = (
    "Spark writes one with spark.eventLog.enabled=true and spark.eventLog.dir=FOLDER "
    "(the folder must be there), set before the application starts"
)


@dataclass(frozen=True)
class LogFiles:
    """An event log on disk.

    Attributes:
        path: the file, or the rolling folder.
        files: what to read, in order.
        in_progress: Spark still calls it so: the application goes on, or it was killed.
        missing: numbers of a rolling log's files that aren't there.
    """

    path: Path
    files: tuple[Path, ...]
    in_progress: bool
    missing: tuple[int, ...] = ()


def find_log(place: str) -> LogFiles:
    """The log that a path means: of a folder that holds one log only, that one.

    Args:
        place: a file or a folder, also as a `file:` URI.

    Raises:
        UnreachableError: nothing is there, or it can't be read.
        BigDebugError: a folder holds no log, or several.
    """
    if "://" in place and not place.startswith("file:"):
        raise UnreachableError(
            f"{place} isn't on this machine", hint="copy the log here first, with hadoop fs -get or aws s3 cp"
        )
    path = Path(unquote(urlsplit(place).path)) if place.startswith("file:") else Path(place).expanduser()
    try:
        if path.is_dir():
            return _in_folder(path)
        if not path.exists():
            going = path.with_name(path.name + _GOING)
            if going.exists():
                return LogFiles(going, (going,), True)
            raise UnreachableError(f"no event log {place}", hint=HOW_TO_LOG)
    except OSError as error:
        raise UnreachableError(f"{place} can't be read: {error.strerror or error}") from error
    if _EVENTS.fullmatch(path.name) and path.parent.name.startswith(_ROLLING):
        return _rolling(path.parent)
    return LogFiles(path, (path,), path.name.endswith(_GOING))


def _in_folder(folder: Path) -> LogFiles:
    if folder.name.startswith(_ROLLING) or any(_EVENTS.fullmatch(each.name) for each in folder.iterdir()):
        return _rolling(folder)
    logs = sorted(
        (each for each in folder.iterdir() if _is_log(each)),
        key=lambda each: each.stat().st_mtime,
        reverse=True,
    )
    if not logs:
        raise BigDebugError(f"the folder {folder} holds no event log", hint=HOW_TO_LOG)
    if len(logs) > 1:
        named = ", ".join(each.name for each in logs[:_MOST_NAMED])
        more = ", …" if len(logs) > _MOST_NAMED else ""
        raise BigDebugError(
            f"the folder {folder} holds {len(logs)} event logs",
            hint=f"name one, the latest are: {named}{more}",
        )
    return find_log(str(logs[0]))


def _is_log(path: Path) -> bool:
    """Whether something in a folder of logs is one; checksums and other people's files aren't."""
    if path.name.startswith("."):
        return False
    if path.is_dir():
        return path.name.startswith(_ROLLING)
    return bool(re.match(r"(app|local|application)[-_]", path.name))


def _rolling(folder: Path) -> LogFiles:
    """A rolling log's files; those before a compacted one are in it."""
    by_number: dict[int, Path] = {}
    first, going = 0, False
    for each in sorted(folder.iterdir()):
        found = _EVENTS.fullmatch(each.name)
        if found is None:
            going = going or (each.name.startswith("appstatus_") and each.name.endswith(_GOING))
            continue
        number = int(found[1])
        compact = each.name.endswith(".compact")
        if compact or number not in by_number:
            by_number[number] = each
        if compact:
            first = max(first, number)
    numbers = sorted(number for number in by_number if number >= first)
    if not numbers:
        raise BigDebugError(f"the folder {folder} holds no file of events", hint=HOW_TO_LOG)
    expected = range(first or 1, numbers[-1])
    missing = tuple(number for number in expected if number not in by_number)
    return LogFiles(folder, tuple(by_number[number] for number in numbers), going, missing)


def exists(place: str) -> bool:
    """Whether a path names something that is there; a text with a slash in it is meant to."""
    return place.startswith("file:") or "/" in place or Path(place).expanduser().exists()

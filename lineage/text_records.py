"""Records of local text files by their positions, read without Spark: of CSV files and of plain lines.

Which lines are records, and what a line's values are, is worked out as Spark's own readers do it, for the options
and the forms of values that these are known to take in one way only. Of everything else the answer is that Spark
has to be asked.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from bigdebug.lineage.moments import as_shown, moment, wall_time
from bigdebug.lineage.parquet_records import Column, UnreadableError

# Options that say nothing of how lines are read.
_IDLE = frozenset(
    {
        "path",
        "inferschema",
        "samplingratio",
        "bigdebug",
        "recursivefilelookup",
        "pathglobfilter",
        "enforceschema",
    }
)
_AT_ONCE = 8 << 20
_BLANK = 0x20
_LINE_END = 0x0A


@dataclass(frozen=True)
class TextFormat:
    """How the lines of a source are read.

    Attributes:
        kind: `csv` or `text`.
        header: the first record line of a file is none.
        separator: between the values of a line.
        comment: what lines begin with that are no records, or None.
        null_value: what stands for no value, as nothing at all does, or None.
        zone: the time zone that moments are meant in which don't say theirs; None where Spark reads them in ways
            of its own.
    """

    kind: str
    header: bool = False
    separator: str = ","
    comment: str | None = None
    null_value: str | None = None
    zone: str | None = None


def text_format(kind: str, options: Mapping[str, str], zone: str | None = None) -> TextFormat | None:
    """The format of a source by its reader options; None where only Spark knows how to read it.

    Args:
        kind: of the source.
        options: of its reader.
        zone: the session's time zone; None where it reads moments as older versions of Spark did.
    """
    given = {name.lower(): value for name, value in options.items() if name.lower() not in _IDLE}
    if kind == "text":
        whole = given.pop("wholetext", "false")
        return TextFormat("text") if whole == "false" and not given else None
    if kind != "csv":
        return None
    header = given.pop("header", "false").lower() == "true"
    separator = given.pop("sep", given.pop("delimiter", ","))
    comment = given.pop("comment", None)
    null_value = given.pop("nullvalue", None)
    plain = (
        given.pop("mode", "PERMISSIVE").upper() == "PERMISSIVE" and given.pop("multiline", "false") == "false"
    )
    if given or not plain or len(separator) != 1 or separator in '"\\' or len(comment or "#") != 1:
        return None
    return TextFormat("csv", header, separator, comment, null_value, zone)


def is_compressed(path: str) -> bool:
    """Whether Spark reads a file through a decompressor, by its name."""
    return Path(path).suffix in (".gz", ".bz2", ".zst", ".snappy", ".lz4", ".deflate", ".xz")


def read_lines(
    path: str, first_byte: int, ordinals: Iterable[int], form: TextFormat, columns: Sequence[Column]
) -> dict[int, list[Any]]:
    """Records of a block of a file, by their ordinal in the block, each a list of its columns' values.

    Args:
        path: of the file.
        first_byte: where the block begins; the line that stands across it belongs to the block before.
        ordinals: which records.
        form: how lines are read.
        columns: of a record, in the order of a line's values.

    Raises:
        UnreadableError: Spark has to be asked instead.
    """
    try:
        return _read(path, first_byte, sorted(set(ordinals)), form, columns)
    except (OSError, ValueError, OverflowError) as error:
        raise UnreadableError(str(error)) from error


def _read(
    path: str, first_byte: int, ordinals: list[int], form: TextFormat, columns: Sequence[Column]
) -> dict[int, list[Any]]:
    if is_compressed(path):
        raise UnreadableError("it is compressed")
    readers = [_reader(kind, form.zone) for _, kind in columns]
    wanted, found, passed = set(ordinals), {}, -1 if form.header and first_byte == 0 else 0
    for lines in _chunks(path, first_byte):
        kept = lines.records(form)
        for ordinal in [each for each in ordinals if passed <= each < passed + len(kept)]:
            text = lines.text(int(kept[ordinal - passed]))
            found[ordinal] = [text] if form.kind == "text" else _values(text, form, readers)
        passed += len(kept)
        if len(found) == len(wanted):
            return found
    raise UnreadableError("it has fewer records")


@dataclass(frozen=True)
class _Lines:
    """Some whole lines of a file.

    Attributes:
        data: their bytes.
        starts, ends: where each begins and where its line end stands.
    """

    data: bytes
    starts: Any
    ends: Any

    def text(self, line: int) -> str:
        raw = self.data[self.starts[line] : self.ends[line]]
        if raw.endswith(b"\r"):
            raw = raw[:-1]
        if b"\r" in raw:
            raise UnreadableError("it has line ends of several kinds")
        return raw.decode("utf-8")

    def records(self, form: TextFormat) -> Any:
        """The numbers of the lines that are records, or the header."""
        lines = np.arange(len(self.starts))
        if form.kind == "text":
            return lines
        first = np.frombuffer(self.data, dtype=np.uint8)[np.minimum(self.starts, len(self.data) - 1)]
        doubtful = (first <= _BLANK) | (self.starts >= self.ends)
        if form.comment is not None:
            doubtful |= first == ord(form.comment)
        dropped = [line for line in lines[doubtful] if self._is_none(int(line), form)]
        return np.delete(lines, dropped)

    def _is_none(self, line: int, form: TextFormat) -> bool:
        text = self.text(line).strip("".join(map(chr, range(_BLANK + 1))))
        return not text or (form.comment is not None and text.startswith(form.comment))


def _chunks(path: str, first_byte: int) -> Iterator[_Lines]:
    """The lines of a file from a byte on, some at a time, without the one that stands across it."""
    with open(path, "rb") as file:
        if first_byte == 0:
            if file.read(3) == b"\xef\xbb\xbf":
                raise UnreadableError("it begins with a byte order mark")
            file.seek(0)
        else:
            # Also a line that begins right here belongs to the block before.
            file.seek(first_byte)
            file.readline()
        rest = b""
        while data := file.read(_AT_ONCE):
            data = rest + data
            whole = data.rfind(b"\n") + 1
            data, rest = data[:whole], data[whole:]
            if data:
                yield _lines(data)
        if rest:
            yield _lines(rest + b"\n")


def _lines(data: bytes) -> _Lines:
    letters = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(letters == _LINE_END)
    if b"\r" in data:
        returns = np.flatnonzero(letters == 0x0D)
        if not (letters[np.minimum(returns + 1, len(letters) - 1)] == _LINE_END).all():
            raise UnreadableError("it has line ends of several kinds")
    starts = np.concatenate([np.zeros(1, dtype=ends.dtype), ends[:-1] + 1])
    return _Lines(data, starts, ends)


_QUOTED = re.compile(r'"([^"\\]*)"')


def _values(text: str, form: TextFormat, readers: Sequence[Callable[[str], Any]]) -> list[Any]:
    """The values of a line of a CSV file."""
    tokens: list[str | None] = []
    if '"' not in text and "\\" not in text:
        tokens = [token or None for token in text.split(form.separator)]
    else:
        at = 0
        while True:
            quoted = _QUOTED.match(text, at)
            if quoted and not quoted.group(1):
                raise UnreadableError("an empty value is in quotes")
            if quoted:
                tokens.append(quoted.group(1))
                at = quoted.end()
            else:
                end = text.find(form.separator, at)
                token = text[at : end if end >= 0 else len(text)]
                if '"' in token or "\\" in token:
                    raise UnreadableError("a value has quotes within")
                tokens.append(token or None)
                at += len(token)
            if at == len(text):
                break
            if text[at] != form.separator:
                raise UnreadableError("a value has quotes within")
            at += 1
    tokens += [None] * (len(readers) - len(tokens))
    return [
        None if token is None or token == form.null_value else read(token)
        for token, read in zip(tokens, readers, strict=False)
    ]


def _reader(kind: str, zone: str | None) -> Callable[[str], Any]:
    """What makes a value of Spark's type out of a text; raises where only Spark knows."""
    if kind == "string":
        return str
    if kind in _WHOLE:
        return lambda text: _whole(text, _WHOLE[kind])
    if kind == "double":
        return _double
    if kind == "boolean":
        return _boolean
    if kind == "date":
        return _date
    if kind.startswith("decimal("):
        precision, scale = map(int, kind[8:-1].split(","))
        return lambda text: _decimal(text, precision, scale)
    if kind == "timestamp" and zone is not None:
        return lambda text: _moment(text, zone)
    if kind == "timestamp_ntz" and zone is not None:
        return wall_time
    raise UnreadableError(f"values of type {kind}")


_WHOLE = {"tinyint": 8, "smallint": 16, "int": 32, "bigint": 64}


def _whole(text: str, bits: int) -> int:
    number = int(_checked(r"-?[0-9]+", text))
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise UnreadableError(f"the number {text}")
    return number


def _double(text: str) -> float:
    return float(_checked(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?", text))


def _boolean(text: str) -> bool:
    return _checked("true|false", text) == "true"


def _date(text: str) -> datetime.date:
    day = datetime.date.fromisoformat(_checked(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text))
    if day.year < 1600:
        raise UnreadableError("a date of an old calendar")
    return day


def _decimal(text: str, precision: int, scale: int) -> Decimal:
    number = Decimal(_checked(r"-?[0-9]+(\.[0-9]+)?", text))
    unscaled = number.scaleb(scale)
    if unscaled != unscaled.to_integral_value() or abs(unscaled) >= 10**precision or precision > 28:
        raise UnreadableError(f"the number {text}")
    return number.quantize(Decimal(1).scaleb(-scale))


def _moment(text: str, zone: str) -> datetime.datetime:
    if text.endswith("Z"):
        text, zone = text[:-1], "UTC"
    return as_shown(moment(text, zone))


def _checked(pattern: str, text: str) -> str:
    if not re.fullmatch(pattern, text):
        raise UnreadableError(f"the value {text!r}")
    return text

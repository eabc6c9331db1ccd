"""Times written out as text, where Spark takes them in one way only whatever its settings."""

from __future__ import annotations

import datetime
import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?", re.ASCII)
# Before, time zones had their local mean times, in which Java and Python may differ.
_FIRST_YEAR = 1900


def wall_time(text: str) -> datetime.datetime:
    """A date, or a date and a time of day, as it is written.

    Raises:
        ValueError: it is none, or not a plain one.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no plain timestamp")
    day = datetime.date.fromisoformat(found.group(1))
    if day.year < _FIRST_YEAR:
        raise ValueError(f"{text!r} is long ago")
    hour, minute, second = (int(each or 0) for each in found.groups()[1:4])
    micros = int((found.group(5) or "0").ljust(6, "0"))
    return datetime.datetime.combine(day, datetime.time(hour, minute, second, micros))


def moment(text: str, time_zone: str) -> datetime.datetime:
    """The same as a moment, in UTC.

    Args:
        text: the time.
        time_zone: where it was that time; the zone's name as Spark has it.

    Raises:
        ValueError: it is no plain one, or there were two such moments that day, or none.
    """
    try:
        local = wall_time(text).replace(tzinfo=ZoneInfo(time_zone))
    except ZoneInfoNotFoundError:
        raise ValueError(f"the time zone {time_zone} isn't known") from None
    if local.utcoffset() != local.replace(fold=1).utcoffset():
        raise ValueError(f"{text!r} is in a change of daylight saving")
    try:
        return local.astimezone(datetime.UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is in a year that Python doesn't know") from None


def as_shown(value: datetime.datetime) -> datetime.datetime:
    """A moment as PySpark shows it: in the time zone of the process, without naming it.

    Raises:
        ValueError: Spark may have stored another than it says.
    """
    since = value - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    microseconds = since // datetime.timedelta(microseconds=1)
    if value.year < _FIRST_YEAR:
        raise ValueError("a moment before 1900")
    shown = datetime.datetime.fromtimestamp(microseconds // 1_000_000)
    return shown.replace(microsecond=microseconds % 1_000_000)

"""Times, sizes and counts as a person reads them."""

import datetime
import time


def duration(seconds: float | None) -> str:
    """`0.4 s`, `12 s`, `3 min 05 s`, `2 h 05 min`, `3 d 4 h`; `-` where it isn't known."""
    if seconds is None:
        return "-"
    seconds = max(seconds, 0.0)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def moment(started: float, now: float | None = None) -> str:
    """A point in time, in local time: `today 09:31`, `yesterday 18:02`, `14 Nov 09:31`, `2025-11-14`."""
    then = time.localtime(started)
    today = time.localtime(now)
    clock = time.strftime("%H:%M", then)
    days = _day(today) - _day(then)
    if days in (0, 1):
        return f"{'yesterday' if days else 'today'} {clock}"
    if then.tm_year == today.tm_year:
        return f"{then.tm_mday} {time.strftime('%b', then)} {clock}"
    return time.strftime("%Y-%m-%d", then)


def _day(when: time.struct_time) -> int:
    return datetime.date(when.tm_year, when.tm_mon, when.tm_mday).toordinal()


def size(count: float) -> str:
    """`512 bytes`, `3.4 MB`, `12 GB`: powers of ten, as disks are sold."""
    if count < 1000:
        return f"{count:.0f} bytes"
    units = iter(("kB", "MB", "GB", "TB", "PB"))
    while count >= 999.5:
        count, unit = count / 1000, next(units)
    return f"{count:.1f} {unit}" if count < 9.95 else f"{count:.0f} {unit}"


def plural(count: int, noun: str) -> str:
    """`1 record`, `1,200 records`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"

"""Bars of characters, exact to an eighth of a cell."""

from __future__ import annotations

_EIGHTHS = " ▏▎▍▌▋▊▉"


def bar(value: float, most: float, width: int) -> str:
    """A bar for a value; what there is at all is seen.

    Args:
        value: its length, 0 or more.
        most: the value whose bar is as wide as it gets.
        width: of that one, in cells.
    """
    if value <= 0 or most <= 0:
        return ""
    eighths = max(round(8 * width * min(value / most, 1.0)), 1)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + _EIGHTHS[rest]).rstrip()

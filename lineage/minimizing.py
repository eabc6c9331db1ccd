"""Delta debugging: the least part of some records that will do.

Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", TSE 2002. What is found is 1-minimal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from bigdebug.lineage.errors import BigDebugError

MOST_ROWS = 1_000
"""Rows that are looked for in each replay, by their hashes."""

Part = list[tuple[int, int]]
"""Records by number, as ranges that go up and don't touch."""


def require_few(rows: int) -> None:
    """Raises BigDebugError where rows are too many to be looked for in every replay."""
    if rows > MOST_ROWS:
        raise BigDebugError(
            f"{rows:,} rows are too many to be looked for in every replay",
            hint=f"ask about {MOST_ROWS:,} or fewer",
        )


def require_again(there: bool) -> None:
    """Raises BigDebugError where rows aren't there again even with all records of the trace."""
    if not there:
        raise BigDebugError(
            "the rows aren't there again when the pipeline runs on the traced records alone",
            hint="they depend on something else as well: on the whole of a source, on an order or on chance",
        )


def told_of(replays: int, count: int, names: Sequence[str], minimal: bool) -> str:
    """What was found, as a note of a trace.

    Args:
        replays: how often the pipeline was run.
        count: of the records that are left.
        names: of their sources.
        minimal: whether none of them can be left out; else the time ran out.
    """
    least = "none of them can be left out" if minimal else "the time ran out before there were fewer"
    return (
        f"narrowed by {replays} replays: these {count:,} of {', '.join(names)} give the rows again; {least}"
    )


class Search:
    """Delta debugging over ranges of numbers.

    Args:
        test: whether a part will do.
        until: moment of the monotonic clock when to stop.
    """

    def __init__(self, test: Callable[[Part], bool], until: float) -> None:
        self._test = test
        self._until = until
        self.tried = 0
        self.in_time = True

    def holds(self, part: Part) -> bool:
        self.tried += 1
        return self._test(part)

    def minimized(self, part: Part) -> Part:
        """The least part found; none of its numbers can be left out, unless the time ran out."""
        granularity = 2
        while part and _size(part) > 0:
            pieces = _pieces(part, granularity)
            better = self._first(pieces) if granularity > 1 and len(pieces) > 1 else None
            if better is not None:
                part, granularity = better, 2
                continue
            rests = [_without(part, piece) for piece in pieces]
            # Of two pieces each one's rest is the other.
            better = self._first(rests) if len(pieces) != 2 else None
            if better is not None:
                part, granularity = better, max(granularity - 1, 2)
                continue
            if not self.in_time or granularity >= _size(part):
                break
            granularity = min(granularity * 2, _size(part))
        if self.in_time and _size(part) == 1 and self.holds([]):
            return []
        return part

    def _first(self, parts: Sequence[Part]) -> Part | None:
        for part in parts:
            if time.monotonic() > self._until:
                self.in_time = False
                return None
            if self.holds(part):
                return part
        return None


def _size(part: Part) -> int:
    return sum(end - start for start, end in part)


def _pieces(part: Part, number: int) -> list[Part]:
    """A part, cut into so many of about the same size."""
    size = _size(part)
    number = min(number, size)
    bounds = [size * i // number for i in range(number + 1)]
    return [list(_cut(part, low, high)) for low, high in pairwise(bounds)]


def _cut(part: Part, low: int, high: int) -> Iterator[tuple[int, int]]:
    """The numbers of a part from the `low`-th up to before the `high`-th."""
    passed = 0
    for start, end in part:
        first, last = max(low - passed, 0), min(high - passed, end - start)
        if first < last:
            yield start + first, start + last
        passed += end - start


def _without(part: Part, piece: Part) -> Part:
    """The numbers of a part that aren't in a piece cut from it."""
    found: Part = []
    for start, end in part:
        at = start
        for low, high in piece:
            if low >= end or high <= start:
                continue
            if at < low:
                found.append((at, low))
            at = high
        if at < end:
            found.append((at, end))
    return found

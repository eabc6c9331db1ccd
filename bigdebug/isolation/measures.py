"""What an aggregate function makes of any part of a group's rows, worked out from their values.

Each measure knows the values that the group's rows give to one function. Of a part of the rows it tells the function's
buffer, as Spark would have it after these rows, and how far Spark's own may be off it: sums of floating-point numbers
depend on the order in which they are added up. What Spark makes of the buffer is Spark's own affair.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

_WHOLE = 2.0**53
"""Whole numbers below it are floating-point numbers, and so are their sums."""
_EPSILON = 2.0**-52
_LONGEST = 2**62
"""Sums of absolute values below it fit into a long in any order."""
STEPS = (1.0, 2.0, 4.0, 8.0, 1024.0)
"""Multiplied by one of these, many floating-point numbers are whole ones."""


@dataclass(frozen=True)
class Part:
    """Some rows of a group, told by those that are in it or by those that aren't, whichever are fewer.

    Attributes:
        rows: places of the rows, each once, going up.
        left_out: whether these are the ones that aren't in it.
    """

    rows: Array
    left_out: bool

    def kept(self, size: int) -> Array:
        """Places of the rows in it, of a group of so many."""
        if not self.left_out:
            return self.rows
        there = np.ones(size, dtype=bool)
        there[self.rows] = False
        return np.flatnonzero(there)


_ALL = Part(np.empty(0, dtype=np.int64), True)


class Measure(Protocol):
    """Of one aggregate function, over the rows of one group."""

    @property
    def values(self) -> Array:
        """Per row, what it adds to the function; NaN where it adds nothing."""
        ...

    def buffer(self, part: Part) -> Sequence[Any]:
        """The function's buffer after some rows."""
        ...

    def slack(self) -> Sequence[float]:
        """For each value of the buffer how far Spark's own may be off; 0 where it is exact."""
        ...


class NotInClosedFormError(Exception):
    """The values can't be told in closed form."""


class Count:
    """Rows for which a function's arguments are there.

    Args:
        there: per row, whether they are; or how often, where it stands for many.
    """

    def __init__(self, there: Array) -> None:
        self._there = there
        self._total = int(there.sum())

    @property
    def values(self) -> Array:
        return self._there.astype(float)

    def of(self, part: Part) -> int:
        """How many of some rows count."""
        counted = int(self._there[part.rows].sum())
        return self._total - counted if part.left_out else counted

    def buffer(self, part: Part) -> Sequence[Any]:
        return (self.of(part),)

    def slack(self) -> Sequence[float]:
        return (0.0,)


@dataclass(frozen=True)
class Added:
    """What is known of numbers that were added up already.

    Attributes:
        absolute: the sum of their absolute values.
        steps: of `STEPS` those that make each of them a whole number.
    """

    absolute: float = 0.0
    steps: frozenset[float] = frozenset(STEPS)


NOTHING_ADDED = Added()


class Sum:
    """A sum: of whole numbers exact, of floating-point numbers where no rounding can happen in any order.

    Args:
        numbers: per row; whole numbers (decimals as multiples of their last digit) or floating-point ones.
        there: per row, whether there is a number; or how many were added up.
        added: of these.

    Raises:
        NotInClosedFormError: the sum may be more than a long holds.
    """

    def __init__(self, numbers: Array, there: Array, added: Added = NOTHING_ADDED) -> None:
        self._count = Count(there)
        self._added = added
        self._there = there
        numbers = np.where(there, numbers, numbers.dtype.type(0))
        self._whole = numbers.dtype.kind == "i"
        self._odd = np.empty(0, dtype=np.int64)
        self._given = numbers
        if self._whole:
            if float(np.abs(numbers.astype(float)).sum()) + added.absolute >= _LONGEST:
                raise NotInClosedFormError("a sum may be more than a long holds")
        else:
            finite = np.isfinite(numbers)
            self._odd = np.flatnonzero(~finite)  # once added, they can't be taken away again
            numbers = np.where(finite, numbers, 0.0)
        self._numbers = numbers
        self._total = numbers.sum()

    @property
    def values(self) -> Array:
        return np.where(self._there, self._given.astype(float), np.nan)

    def of(self, part: Part) -> tuple[int | float, int]:
        """The sum of some rows and how many numbers went into it."""
        some = self._numbers[part.rows].sum()
        total = self._total - some if part.left_out else some
        if len(self._odd):
            inside = np.isin(self._odd, part.rows) != part.left_out
            total = total + self._given[self._odd[inside]].sum()
        return total.item(), self._count.of(part)

    def buffer(self, part: Part) -> Sequence[Any]:
        total, count = self.of(part)
        return (total if count else None,)

    def slack(self) -> Sequence[float]:
        return (self.error,)

    @cached_property
    def error(self) -> float:
        """How far a sum may be off for the order in which it is made."""
        if self._whole:
            return 0.0
        absolute = float(np.abs(self._numbers).sum()) + self._added.absolute
        for step in STEPS:
            scaled = self._numbers * step
            is_whole = step in self._added.steps and bool((scaled == np.rint(scaled)).all())
            if is_whole and absolute * step < _WHOLE:
                return 0.0
        return 2 * self._count.of(_ALL) * _EPSILON * absolute


class TrackedSum(Sum):
    """A sum whose buffer says whether it is of nothing."""

    def buffer(self, part: Part) -> Sequence[Any]:
        total, count = self.of(part)
        return (total, count == 0)

    def slack(self) -> Sequence[float]:
        return (self.error, 0.0)


class Mean(Sum):
    """A mean, as a sum and a count."""

    def buffer(self, part: Part) -> Sequence[Any]:
        return self.of(part)

    def slack(self) -> Sequence[float]:
        return (self.error, 0.0)


class Extreme:
    """The least or the greatest.

    Args:
        numbers: per row.
        there: per row, whether there is a number.
        greatest: which of the two.

    Raises:
        NotInClosedFormError: some value isn't a number, which Spark takes for the greatest.
    """

    def __init__(self, numbers: Array, there: Array, greatest: bool) -> None:
        if numbers.dtype.kind == "f" and bool(np.isnan(numbers[there]).any()):
            raise NotInClosedFormError("a value isn't a number")
        self._numbers = numbers
        self._there = there
        places = np.flatnonzero(there)
        order = np.argsort(numbers[places], kind="stable")
        self._order = places[order[::-1] if greatest else order]
        self._greatest = greatest

    @property
    def values(self) -> Array:
        return np.where(self._there, self._numbers.astype(float), np.nan)

    def buffer(self, part: Part) -> Sequence[Any]:
        if not part.left_out:
            found = self._numbers[part.rows[self._there[part.rows]]]
            return (None if not len(found) else (found.max() if self._greatest else found.min()).item(),)
        # Of the first so many and one more, one is still there.
        for size in (16, len(part.rows) + 1):
            first = self._order[:size]
            left = first[~np.isin(first, part.rows)]
            if len(left):
                return (self._numbers[left[0]].item(),)
        return (None,)

    def slack(self) -> Sequence[float]:
        return (0.0,)


class Moments:
    """Count, mean and sum of squared deviations, of which variances are made.

    Args:
        numbers: per row, floating-point.
        there: per row, whether there is a number.

    Raises:
        NotInClosedFormError: some value isn't finite.
    """

    def __init__(self, numbers: Array, there: Array) -> None:
        if not bool(np.isfinite(numbers[there]).all()):
            raise NotInClosedFormError("a value isn't finite")
        self._there, self._numbers = there, numbers

    @property
    def values(self) -> Array:
        return np.where(self._there, self._numbers, np.nan)

    def buffer(self, part: Part) -> Sequence[Any]:
        # Not what all have less what is left out: squares of what lies far out would drown the others'.
        rows = part.kept(len(self._numbers))
        found = self._numbers[rows[self._there[rows]]]
        if not len(found):
            return (0.0, 0.0, 0.0)
        mean = float(found.mean())
        return (float(len(found)), mean, float(np.square(found - mean).sum()))

    def slack(self) -> Sequence[float]:
        found = self._numbers[self._there]
        if not len(found):
            return (0.0, 0.0, 0.0)
        off = 2 * len(found) * _EPSILON
        furthest = float(np.abs(found).max())
        return (0.0, off * furthest, 4 * off * float(np.square(found - found.mean()).sum()))


class Percentile:
    """An exact percentile, which stands for itself.

    Args:
        numbers: per row.
        there: per row, whether there is a number.
        share: from 0 to 1.

    Raises:
        NotInClosedFormError: some value isn't a number, which Spark takes for the greatest.
    """

    def __init__(self, numbers: Array, there: Array, share: float) -> None:
        if numbers.dtype.kind == "f" and bool(np.isnan(numbers[there]).any()):
            raise NotInClosedFormError("a value isn't a number")
        self._there, self._share = there, share
        self._numbers = numbers.astype(float)
        places = np.flatnonzero(there)
        self._sorted = places[np.argsort(self._numbers[places], kind="stable")]

    @property
    def values(self) -> Array:
        return np.where(self._there, self._numbers, np.nan)

    def buffer(self, part: Part) -> Sequence[Any]:
        inside = np.zeros(len(self._numbers), dtype=bool)
        inside[part.rows] = True
        found = self._numbers[self._sorted[inside[self._sorted] != part.left_out]]
        if not len(found):
            return (None,)
        place = (len(found) - 1) * self._share
        low, high = math.floor(place), math.ceil(place)
        if low == high or found[low] == found[high]:
            return (float(found[low]),)
        # As Spark interpolates.
        return (float((high - place) * found[low] + (place - low) * found[high]),)

    def slack(self) -> Sequence[float]:
        return (0.0,)

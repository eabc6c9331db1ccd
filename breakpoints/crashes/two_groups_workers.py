"""What the search for culprits has Spark's Python workers do with two groups. Travels by value, as `workers` does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bigdebug.breakpoints.crashes.workers import crashed, loaded_once, own_columns, size_of, taken, told

MOST_SETS = 20
"""So many sets of rows that make a function fail are looked for in a pair of groups."""


def pair_errors(
    command: bytes, side: int, keys: tuple[int, int], names: list[list[str]], arrow: bool
) -> Callable[[Any, Any, Any], Any]:
    """In place of a function of two groups: the rows of one side that it fails with, and what it raises.

    Args:
        command: the user's function.
        side: of the two the one whose rows are told; it is given first, and has columns of ours behind its own.
        keys: of each side, how many columns its groups are made by, which come first.
        names: of each side the columns that the function is given.
        arrow: it works on Arrow's tables, else on pandas' frames.
    """
    load = loaded_once(command)

    def errors(key: Any, mine: Any, other: Any) -> Any:
        import inspect

        function = load()
        with_key = len(inspect.getfullargspec(function).args) == 3
        groups = [
            own_columns(group, names[which], arrow, keys[which])
            for group, which in ((mine, side), (other, 1 - side))
        ]
        first = size_of(mine, arrow)

        def call(numbers: list[int]) -> None:
            pair = [
                taken(groups[0], [each for each in numbers if each < first], arrow),
                taken(groups[1], [each - first for each in numbers if each >= first], arrow),
            ]
            left, right = pair if side == 0 else pair[::-1]
            if with_key:
                function(key, left, right)
            else:
                function(left, right)

        blamed_ones = blamed_together(call, first + size_of(other, arrow))
        return crashed(mine, {each: text for each, text in blamed_ones.items() if each < first}, arrow)

    return errors


def blamed_together(call: Callable[[list[int]], Any], size: int) -> dict[int, str]:
    """By record, what a call of the least set of records raises that makes it fail as all do; one set after another.

    The least set is that whose last record is the first one with which all before it fail, and so on for those
    before, as in QuickXplain (Junker, AAAI 2004).

    Args:
        call: calls the function with the records of some numbers, in their order.
        size: how many records there are.
    """

    def raised(numbers: list[int]) -> Exception | None:
        try:
            call(sorted(numbers))
        except Exception as error:
            return error
        return None

    found: dict[int, str] = {}
    left = list(range(size))
    for _ in range(MOST_SETS):
        whole = raised(left)
        needed = [] if whole is None else _least(raised, left, type(whole))
        if whole is None or not needed:
            break
        error = raised(needed) or whole
        found.update((each, told(error, len(needed))) for each in needed)
        left = [each for each in left if each not in needed]
    return found


def _least(raised: Callable[[list[int]], Exception | None], records: list[int], kind: type) -> list[int]:
    """The least of some records that raises an error of some kind, as they all do; none where nothing is needed."""
    needed: list[int] = []
    while type(raised(needed)) is not kind:
        low, high = 0, len(records)  # too few of them, and enough
        while high - low > 1:
            middle = (low + high) // 2
            enough = type(raised(needed + records[:middle])) is kind
            low, high = (low, middle) if enough else (middle, high)
        if not high:
            return []  # it fails in another way, once some are gone
        needed.append(records[high - 1])
        records = records[: high - 1]
    return needed

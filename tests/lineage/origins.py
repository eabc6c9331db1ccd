"""Three small tables, and which of their records rows came from."""

from collections.abc import Callable
from typing import Any, NamedTuple

from pyspark.sql import DataFrame

import bigdebug

Frames = dict[str, DataFrame]
Expected = dict[str, set[int]]

# In each, `n` tells the records apart.
TABLES: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "orders": (
        "n int, k string, v int",
        [(1, "a", 10), (2, "a", 20), (3, "b", 5), (4, None, 7), (5, "b", None), (6, "c", 1)],
    ),
    "customers": (
        "n int, k string, city string",
        [(1, "a", "Rome"), (2, "b", "Oslo"), (3, None, "Nice"), (4, "d", "Bonn")],
    ),
    "baskets": (
        "n int, items array<string>",
        [(1, ["x", "y"]), (2, ["y"]), (3, []), (4, None)],
    ),
}


class Calls(NamedTuple):
    """DataFrame calls, which of their rows are asked about, and the records behind them, by source."""

    make: Callable[[Frames], DataFrame]
    where: str
    expected: Expected
    compat: bool = False


def came_from(session: bigdebug.Session, frame: DataFrame, where: Any) -> Expected:
    """The numbers of the records that the rows came from, by source."""
    found: Expected = {}
    for record in session.trace(frame, where).collect():
        found.setdefault(record.source, set()).add(record.value["n"])
    return found

"""How many rows an action gave, and a hash of them that doesn't depend on their order.

A replay that computes an output again can tell by the hash whether it got the same rows. The hash begins with
how the rows were had (`rows`, `pandas`, `arrow`), since each of these shows values in its own way: compare it
only with a hash of rows had in the same way.
"""

import hashlib
import math
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

MOST_HASHED = 2_000
"""Rows that are hashed before the user gets them; of more only the number is kept."""

_MOST_SECONDS = 0.05
_DIGITS = 12


@dataclass(frozen=True)
class Summary:
    """What is known of a result.

    Attributes:
        rows: how many rows it holds, or None where that can't be told.
        content_hash: order-free hash of the rows, or None where there are too many.
    """

    rows: int | None = None
    content_hash: str | None = None


def summarize(result: Any, *, hashed: bool = True, most_seconds: float | None = _MOST_SECONDS) -> Summary:
    """Count and hash what an action returned, without touching it.

    Args:
        result: a list of `Row`, one `Row` or None, a pandas DataFrame, or an Arrow table.
        hashed: whether to hash at all.
        most_seconds: give the hash up after this long; None for however long it takes.

    Returns:
        The summary; empty for anything else.
    """
    found = _rows_of(result)
    if found is None:
        return Summary()
    way, count, rows = found
    if not hashed or (count > MOST_HASHED and most_seconds is not None):
        return Summary(count)
    total = _hash(rows, None if most_seconds is None else time.perf_counter() + most_seconds)
    return Summary(count, None if total is None else f"{way}:{total:032x}")


def _rows_of(result: Any) -> tuple[str, int, Iterable[Iterable[Any]]] | None:
    if result is None:
        return "rows", 0, ()
    if isinstance(result, tuple):
        return "rows", 1, (result,)
    if isinstance(result, list):
        return "rows", len(result), result
    # By sys.modules: a result of a kind whose package was never loaded can't be.
    pandas, pyarrow = sys.modules.get("pandas"), sys.modules.get("pyarrow")
    if pandas is not None and isinstance(result, pandas.DataFrame):
        return "pandas", len(result), _lazily(lambda: result.itertuples(index=False, name=None))
    if pyarrow is not None and isinstance(result, pyarrow.Table):
        # Column by column: a dict of each row would lose columns of the same name.
        return "arrow", result.num_rows, _lazily(lambda: zip(*map(_values, result.columns), strict=True))
    return None


def _values(column: Any) -> list[Any]:
    values: list[Any] = column.to_pylist()
    return values


def _lazily(rows: Any) -> Iterator[Iterable[Any]]:
    yield from rows()


def _hash(rows: Iterable[Iterable[Any]], deadline: float | None) -> int | None:
    """The sum of the rows' own hashes: the same in any order, and a row twice isn't a row once."""
    total = 0
    for number, row in enumerate(rows):
        text = "\x1e".join([_text(value) for value in row])
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        total += int.from_bytes(digest, "big")
        if deadline is not None and number % 64 == 63 and time.perf_counter() > deadline:
            return None
    return total % (1 << 128)


def _text(value: Any) -> str:
    """A value as text: the same for equal values, and for sums that differ in the order of adding only."""
    if value is None:
        return "~"
    if isinstance(value, str):
        return "s" + value
    if isinstance(value, bool):
        return "b1" if value else "b0"
    if isinstance(value, int):
        return f"i{value}"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Decimal):
        return f"d{value.normalize():f}" if value.is_finite() else f"d{value}"
    if isinstance(value, datetime | date | timedelta):
        return "t" + ("~" if value != value else str(value))  # NaT is the one that isn't itself
    if isinstance(value, bytes | bytearray):
        return "x" + bytes(value).hex()
    if isinstance(value, dict):
        return "{" + "\x1f".join(sorted(f"{_text(k)}\x1d{_text(v)}" for k, v in value.items())) + "}"
    if isinstance(value, list | tuple):
        return "[" + "\x1f".join([_text(each) for each in value]) + "]"
    if hasattr(value, "tolist"):  # numpy's arrays and numbers
        return _text(value.tolist())
    return "o" + str(value)


def _number(value: float) -> str:
    if math.isnan(value):
        return "n"
    return f"f{value + 0.0:.{_DIGITS}g}"  # + 0.0 makes the two zeros one

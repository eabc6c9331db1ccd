"""Near misses: values that would be equal but for case, blanks or type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

_MOST = 50


@dataclass(frozen=True)
class Key:
    """The key of a row.

    Attributes:
        values: of its columns.
        texts: the same as text, without case and blanks.
        numbers: the same as numbers, where they are such.
    """

    values: tuple[Any, ...]
    texts: tuple[str | None, ...]
    numbers: tuple[float | None, ...]

    def is_like(self, other: Key) -> bool:
        """Whether they are equal, or would be but for case, blanks or type."""
        texts = zip(self.texts, other.texts, strict=True)
        numbers = zip(self.numbers, other.numbers, strict=True)
        return all(
            a == b or (x is not None and x == y) for (a, b), (x, y) in zip(texts, numbers, strict=True)
        )


def alike(column: Column) -> Column:
    """A value as text, without case and blanks."""
    return F.regexp_replace(F.lower(column.cast("string")), "[\\s\u00a0]+", "")


def number(column: Column) -> Column:
    """A value as a number, where it is one or the text of one."""
    return alike(column).try_cast("double")


def are_alike(left: Column, right: Column) -> Column:
    """Whether two values are equal, or would be but for case, blanks or type."""
    return alike(left).eqNullSafe(alike(right)) | F.coalesce(number(left) == number(right), F.lit(False))


def key_columns(names: Sequence[str]) -> list[Column]:
    """What `key_of` reads a row's key from, of the columns of these names."""
    columns = [F.col(name) for name in names]
    return [
        F.struct(*columns),
        F.struct(*(alike(column) for column in columns)),
        F.struct(*(number(column) for column in columns)),
    ]


def key_of(structs: Sequence[Any]) -> Key:
    """A row's key, of the values of `key_columns`."""
    values, texts, numbers = (tuple(struct) for struct in structs)
    return Key(values, texts, numbers)


def near_keys(frame: DataFrame, wanted: Sequence[Key]) -> list[Key]:
    """Distinct keys of a frame that are like one of some others.

    Args:
        frame: the columns of the key.
        wanted: the others.
    """
    if not wanted:
        return []
    conditions = []
    for key in wanted:
        condition = F.lit(True)
        for name, text, value in zip(frame.columns, key.texts, key.numbers, strict=True):
            same = alike(F.col(name)).eqNullSafe(F.lit(text).cast("string"))
            if value is not None:
                same = same | F.coalesce(number(F.col(name)) == F.lit(value), F.lit(False))
            condition = condition & same
        conditions.append(condition)
    found = conditions[0]
    for condition in conditions[1:]:
        found = found | condition
    rows = frame.filter(found).select(*key_columns(frame.columns)).distinct().limit(_MOST).collect()
    return [key_of(row) for row in rows]

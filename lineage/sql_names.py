"""Names of columns in conditions that people read. Loads no Spark."""

from __future__ import annotations

import re

_PLAIN_NAME = re.compile(r"[A-Za-z_]\w*")
# In a condition these read as a part of it, not as a column.
_WORDS = frozenset(
    [
        "and",
        "or",
        "not",
        "in",
        "is",
        "null",
        "true",
        "false",
        "like",
        "between",
        "case",
        "when",
        "then",
        "end",
    ]
)


def named(name: str) -> str:
    """A column's name as SQL reads it: quoted only where it must be."""
    if _PLAIN_NAME.fullmatch(name) and name.lower() not in _WORDS:
        return name
    return quoted(name)


def quoted(name: str) -> str:
    """A column's name as SQL and Spark's `col` take it, whatever signs are in it."""
    return "`" + name.replace("`", "``") + "`"

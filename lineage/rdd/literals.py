"""Elements as text that stands for the value, in any process. Travels by value: workers need not have bigdebug."""

from __future__ import annotations

import ast
from typing import Any

from bigdebug.lineage.rdd.likeness import digest

_PLAIN = (type(None), bool, int, str, bytes)
LONGEST = 1000
"""Texts of more characters are cut, and end in a digest of the value."""


def literal(value: Any) -> str:
    """Text that is the same of the same values, whatever the order in sets and dicts; as Python has it where it can."""
    text = _told(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… {digest(value).hex()}"


def is_literal(text: str) -> bool:
    """Whether an expression in Python can hold the text for the value."""
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _told(value: Any) -> str:
    kind = type(value)
    if kind in _PLAIN or kind is float:
        return repr(value)
    if kind is tuple:
        return f"({', '.join(map(_told, value))}{',' if len(value) == 1 else ''})"
    if kind is list:
        return f"[{', '.join(map(_told, value))}]"
    if kind is dict:
        return f"{{{', '.join(sorted(f'{_told(key)}: {_told(each)}' for key, each in value.items()))}}}"
    if kind is set and value:
        return f"{{{', '.join(sorted(map(_told, value)))}}}"
    return f"<{kind.__name__} {digest(value).hex()}>"

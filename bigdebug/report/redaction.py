"""Takes the values of columns out of a report's content, wherever they stand."""

import hashlib
import json
import re
import secrets
from collections.abc import Iterable
from typing import Any

from bigdebug.report.content import Content

_LEFT_OUT = "… (left out: it may tell redacted values)"
_SHORTEST = 4
"""Shorter texts are not looked for outside their columns: they stand everywhere by chance."""
_VALUES = ("value", "before", "after", "row", "rows")
_QUOTING = (
    "where",
    "failing",
    "pattern",
    "condition",
    "guard",
    "evidence",
    "text",
    "reasons",
    "notes",
    "not_carried",
)
"""Texts that quote the program or a condition: left out as a whole where they name a redacted column."""
_ERRORS = ("error", "traceback")


def redacted(content: Content, columns: Iterable[str]) -> Content:
    """The content with the values of some columns as short hashes, alike for values that are alike.

    The hashes have a key that nobody keeps, so values can't be found by trying. An element of an RDD has no columns:
    it is left out as a whole, and so are texts of errors.

    Args:
        content: of a report.
        columns: their names, whatever their case.
    """
    names = {column.casefold() for column in columns}
    if not names:
        return content
    masking = _Masking(names)
    masked: Content = masking.walk(content, None)
    masked = masking.sweep(masked)
    masked["redact"] = sorted({*content["redact"], *columns})
    return masked


class _Masking:
    def __init__(self, names: set[str]) -> None:
        self._names = names
        self._named = re.compile(
            rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(names, key=len, reverse=True)))})(?!\w)",
            re.IGNORECASE,
        )
        self._key = secrets.token_bytes(16)
        self._values: set[str] = set()

    def walk(self, data: Any, key: str | None) -> Any:
        if isinstance(data, dict):
            return {name: self._entry(name, value) for name, value in data.items()}
        if isinstance(data, list | tuple):
            return [self.walk(each, key) for each in data]
        if isinstance(data, str) and key in _QUOTING and self._named.search(data):
            return _LEFT_OUT
        return data

    def _entry(self, name: Any, value: Any) -> Any:
        if str(name).partition("#")[0].casefold() in self._names and name not in ("row", "rows"):
            return self._hash(value)
        if name in _ERRORS and isinstance(value, str) and value:
            return f"{value.partition(':')[0].split()[-1] if name == 'error' else ''}{_LEFT_OUT}"
        if name in _VALUES and value is not None:
            items = value if isinstance(value, list) else [value]
            if not all(isinstance(each, dict | None.__class__) for each in items):
                return _LEFT_OUT
        return self.walk(value, str(name))

    def _hash(self, value: Any) -> Any:
        if value is None:
            return None
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
        self._values.add(text)
        return f"#{hashlib.blake2s(text.encode('utf-8', 'surrogatepass'), key=self._key, digest_size=5).hexdigest()}"

    def sweep(self, data: Any) -> Any:
        """The same values again, where another text holds them."""
        longest = sorted((value for value in self._values if len(value) >= _SHORTEST), key=len, reverse=True)
        if not longest:
            return data
        pattern = re.compile("|".join(map(re.escape, longest)))

        def swept(each: Any) -> Any:
            if isinstance(each, dict):
                return {
                    (pattern.sub("…", name) if isinstance(name, str) else name): swept(value)
                    for name, value in each.items()
                }
            if isinstance(each, list):
                return [swept(one) for one in each]
            return pattern.sub("…", each) if isinstance(each, str) else each

        return swept(data)

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
_RECORDS = ("value", "before", "after", "row", "near", "key")
"""What stands here is a record of the program's: a dict of its columns, or else an element that has none."""
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
        """What is ours: its keys are no columns until a record begins."""
        if isinstance(data, dict):
            known = {name: self._entry(str(name), value) for name, value in data.items()}
            return (
                known | {"evidence": _LEFT_OUT} if str(known.get("rule", "")).startswith("failed-") else known
            )
        if isinstance(data, list | tuple):
            return [self.walk(each, key) for each in data]
        if isinstance(data, str) and key in _QUOTING and self._named.search(data):
            return _LEFT_OUT
        return data

    def _entry(self, name: str, value: Any) -> Any:
        if name in _RECORDS:
            items = value if isinstance(value, list | tuple) else [value]
            known = all(each is None or isinstance(each, dict) for each in items)
            return self._record(value) if known else _LEFT_OUT
        if name == "influence":
            return None  # it is worked out of values
        if name in _ERRORS and isinstance(value, str) and value:
            kind = value.partition(":")[0] if name == "error" else ""
            return f"{kind} {_LEFT_OUT}".strip() if kind.replace(".", "").isidentifier() else _LEFT_OUT
        return self.walk(value, name)

    def _record(self, data: Any) -> Any:
        """A record, or part of one: its keys are columns and fields."""
        if isinstance(data, dict):
            return {name: self._field(str(name), value) for name, value in data.items()}
        if isinstance(data, list | tuple):
            return [self._record(each) for each in data]
        return data

    def _field(self, name: str, value: Any) -> Any:
        return self._hash(value) if name.partition("#")[0].casefold() in self._names else self._record(value)

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

"""Which elements are the same, told by a digest of each. Travels by value: Spark's workers need not have bigdebug."""

from __future__ import annotations

import hashlib
import io
import pickle
from typing import Any

from pyspark.resultiterable import ResultIterable


def digest(element: Any) -> bytes:
    """The same of elements with the same types and values, whatever the order in sets, dicts and Spark's groups."""
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, protocol=5)
    # Without its memory of what it has written: which parts of an element are one object is no part of its value.
    pickler.fast = True
    pickler.dump(_plain(element))
    return hashlib.blake2b(buffer.getvalue(), digest_size=16).digest()


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind in (tuple, list):
        return kind.__name__, [_plain(each) for each in value]
    if kind is dict:
        return "dict", sorted((digest(key), digest(each)) for key, each in value.items())
    if kind in (set, frozenset, ResultIterable):
        return kind.__name__, sorted(map(digest, value))
    return value

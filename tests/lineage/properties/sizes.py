"""The ways a trace takes by how much there is to trace, tried on little data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

WAYS: dict[str, dict[str, int]] = {
    "values travel": {},
    "values are read again": {"trace.SMALL_BYTES": -1},
    "too many values to travel": {"segments.FETCHED_VALUES": 2},
    "ids stay in Spark": {"trace.SMALL_BYTES": -1, "segments.FETCHED": 3},
}
"""Limits of `bigdebug.lineage` by what they lead to."""


@contextmanager
def taken(way: str) -> Iterator[None]:
    """Have traces made in here take one of the ways."""
    with pytest.MonkeyPatch.context() as patch:
        for name, limit in WAYS[way].items():
            patch.setattr(f"bigdebug.lineage.{name}", limit)
        yield

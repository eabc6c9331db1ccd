"""A part of a trace's way: from a boundary, or the output, down to the next ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bigdebug.lineage.rdd.annotator import within
from bigdebug.lineage.rdd.freezing import Frozen
from bigdebug.lineage.rdd.operator import RddOperator

Narrow = Callable[[Any], Any]
"""Gives the elements asked about, of an annotated RDD."""


@dataclass(frozen=True)
class AskedOf:
    """Keys that are asked for.

    Attributes:
        keys: as `known_key`s.
        key: what tells the key of an element.
    """

    keys: frozenset[Any]
    key: Callable[[Any], Any]


class Segment:
    """The elements on the trace between a boundary, or the output, and the boundaries and sources below.

    Args:
        tops: the operators it begins with, the functions to use, and which of their elements are on the trace.
        found: the ids of these elements, kept in Spark.
        kept: the boundary above, where it numbered elements that come in another order each time.
        asked: the keys of those of its first elements that are on the trace, where these are told by a few keys.
    """

    def __init__(
        self, tops: list[tuple[RddOperator, Frozen]], narrow: Narrow, found: Any, kept: RddOperator | None
    ) -> None:
        self.tops = tops
        self.narrow = narrow
        self.found = found
        self.kept = kept
        self.asked: AskedOf | None = None

    def operators(self) -> Iterator[tuple[RddOperator, Frozen]]:
        """Its operators, each once, with the functions that they are given."""
        seen = set()
        for top, frozen in self.tops:
            for operator in within(top):
                if operator not in seen:
                    seen.add(operator)
                    yield operator, frozen

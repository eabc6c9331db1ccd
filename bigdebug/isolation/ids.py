"""The ids of a source's candidates, in the order of the candidates' numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F

from bigdebug.isolation.measures import Array
from bigdebug.isolation.same_records import compared
from bigdebug.lineage.identity import SourceLeaf

_SPELLED = 2_000
"""Records of a subset that are spelled out in a condition, or those that aren't in it."""
_SPELLED_FILES = 8


More = Callable[[float], tuple[tuple[Array, ...], Array]]
"""Fetches a share of ids."""


@dataclass(frozen=True)
class Ids:
    """The record ids of one source, in the order of their numbers.

    Attributes:
        leaf: the source.
        attribute: JVM attribute of the id in the kept rows.
        known: what is compared of each id: the id itself, or hash of the file and position. Of the first ones only,
            where there are more.
        more: gives the same of the others, or of about such a share of them, and their places in the order; None
            where there aren't any. Of a share the order is another one than of all.
        others: how many these are.
    """

    leaf: SourceLeaf
    attribute: Any
    known: tuple[Array, ...] = ()
    more: More | None = None
    others: int = 0

    def knowing(self, known: tuple[Array, ...], more: More | None = None, others: int = 0) -> Ids:
        """The same once it is known which there are."""
        return replace(self, known=known, more=more, others=others)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.known[0]) + self.others

    @cached_property
    def parts(self) -> tuple[Array, ...]:
        """What is compared of each id, in the order of their numbers."""
        if self.more is None:
            return self.known
        more, _ = self.more(1.0)
        return tuple(map(np.concatenate, zip(self.known, more, strict=True)))

    def at(self, places: Array) -> tuple[Array, ...]:
        """What is compared of some, by their places in the order."""
        of_known = not len(places) or int(places.max()) < len(self.known[0])
        return tuple(part[places] for part in (self.known if of_known else self.parts))

    def drawn(self, share: float) -> tuple[tuple[Array, ...], Array]:
        """What is compared of some that stand for all, and places in the order that are given to them.

        Args:
            share: about so many of them, from 0 to 1.
        """
        known = len(self.known[0])
        some = np.flatnonzero(np.random.default_rng(0).random(known) < share)
        parts = tuple(part[some] for part in self.known)
        if self.more is None:
            return parts, some
        more, places = self.more(share)
        return tuple(map(np.concatenate, zip(parts, more, strict=True))), np.concatenate([some, places])

    @property
    def width(self) -> int:
        """How many columns are compared."""
        return 2 if self.leaf.identified_by_file else 1

    @property
    def column(self) -> Column:
        return F.col(str(self.attribute.name()))

    def compared(self, identity: Column) -> list[Column]:
        """What of an id is compared."""
        return compared(self.leaf, identity)

    def same_as(self, names: Sequence[str]) -> Column:
        """That what is compared is what columns of these names hold."""
        pairs = zip(self.compared(self.column), names, strict=True)
        return reduce(Column.__and__, (mine == F.col(name) for mine, name in pairs))

    def listed(self, places: Array) -> Column | None:
        """That an id is one of some, told by their places in the order; None where these are too many."""
        if len(places) > _SPELLED:
            return None
        if not len(places):
            return F.lit(False)
        parts = self.at(places)
        if len(parts) == 1:
            return _is_among(f"`{self.attribute.name()}`", parts[0])
        files, positions = parts
        hashed, _ = self.compared(self.column)
        position = f"`{self.attribute.name()}`.position"
        if len(np.unique(files)) > _SPELLED_FILES:
            return None
        return reduce(
            Column.__or__,
            (
                (hashed == F.lit(int(file))) & _is_among(position, positions[files == file])
                for file in np.unique(files)
            ),
            F.lit(False),
        )

    def places_of(self, parts: Sequence[Array], among: Array) -> Array:
        """The places in the order of some of its ids.

        Args:
            parts: what is compared of the ids.
            among: places in which they are.
        """
        here, wanted = ((each[0] if len(each) == 1 else _pairs(each)) for each in (self.at(among), parts))
        order = np.argsort(here, kind="stable")
        found: Array = among[order[np.searchsorted(here[order], wanted)]]
        return found


def _is_among(name: str, numbers: Array) -> Column:
    """Whether a column holds one of some numbers, as one text: made one by one they take three times as long."""
    return F.expr(f"{name} in ({','.join(map(str, numbers.tolist()))})")


def numbered(columns: Sequence[Array], there: Array) -> tuple[tuple[Array, ...], Array]:
    """Distinct ids in their order, and of each row its id's place among them; -1 where it has none.

    Args:
        columns: what is compared of the ids, a row each.
        there: whether a row has an id.
    """
    given = columns[0][there] if len(columns) == 1 else _pairs([column[there] for column in columns])
    unique, inverse = _distinct(given)
    places = np.full(len(there), -1, dtype=np.int64)
    places[there] = inverse
    if len(columns) == 1:
        return (unique,), places
    return tuple(np.ascontiguousarray(unique[name]) for name in _FIELDS), places


_FIELDS = ("file", "position")
_PAIR = np.dtype([(name, np.int64) for name in _FIELDS])


def _distinct(ids: Array) -> tuple[Array, Array]:
    """Ids in their order, each once, and where each of those given stands; most come in their order already."""
    if len(ids) and ids.dtype == np.int64:
        steps = np.diff(ids)
        if (steps >= 0).all():
            new = np.concatenate(([True], steps > 0))
            return ids[new], np.cumsum(new) - 1
        encoded = pa.array(ids).dictionary_encode()  # a record that is joined often is there often
        known = encoded.dictionary.to_numpy()
        order = np.argsort(known)
        places = np.empty(len(order), dtype=np.int64)
        places[order] = np.arange(len(order))
        return known[order], places[encoded.indices.to_numpy()]
    unique, inverse = np.unique(ids, return_inverse=True)
    return unique, inverse


def _pairs(parts: Sequence[Array]) -> Array:
    """Columns of hash and position as one of pairs, which go by the first, then by the second."""
    pairs = np.empty(len(parts[0]), dtype=_PAIR)
    for name, part in zip(_FIELDS, parts, strict=True):
        pairs[name] = part
    return pairs


def sorted_without(parts: Sequence[Array], others: Sequence[Array]) -> tuple[Array, ...]:
    """Ids in their order, of which some others are left out.

    Args:
        parts: what is compared of the ids, each once.
        others: the same of the others.
    """
    if len(parts) == 1:
        left = np.sort(parts[0])
        return (left[~np.isin(left, others[0], assume_unique=True)],)
    pairs, known = np.sort(_pairs(parts)), np.sort(_pairs(others))
    at = np.searchsorted(known, pairs)
    at[at == len(known)] = 0
    left = pairs[known[at] != pairs] if len(known) else pairs
    return tuple(np.ascontiguousarray(left[name]) for name in _FIELDS)

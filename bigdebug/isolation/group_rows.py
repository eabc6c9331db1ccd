"""What an aggregate takes of the records behind failing rows, kept in place of the records themselves.

Where the outcome of any part of the candidates can be told from the values of an aggregate's input, nothing else of
them is needed but their ids: the sources are passed once, whatever is joined below the aggregate, and only the columns
that the aggregate looks at are kept. Replays begin at its input.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial, reduce
from typing import Any

import numpy as np
import pyarrow as pa
from pyroaring import FrozenBitMap
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from bigdebug.isolation.candidate_set import CandidateSet, Members, Numbers, Share
from bigdebug.isolation.candidates import Candidates
from bigdebug.isolation.gathering import Gathering, Stand
from bigdebug.isolation.groups import as_array
from bigdebug.isolation.measures import Array
from bigdebug.isolation.same_records import compared
from bigdebug.lineage.asking import asking
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.records import SourceRecords
from bigdebug.lineage.segments import fetch

_SPELLED = 2_000
"""Records of a subset that are spelled out in a condition, or those that aren't in it."""
_SPELLED_SUBSETS = 4
_SPELLED_FILES = 8


@dataclass(frozen=True)
class Ids:
    """The record ids of one source, in the order of their numbers.

    Attributes:
        leaf: the source.
        attribute: JVM attribute of the id in the kept rows.
        parts: what is compared of each id: the id itself, or hash of the file and position.
    """

    leaf: SourceLeaf
    attribute: Any
    parts: tuple[Array, ...]

    @property
    def width(self) -> int:
        """How many columns are compared."""
        return width_of(self.leaf)

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
        parts = [part[places] for part in self.parts]
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

    def places_of(self, parts: Sequence[Array]) -> Array:
        """Of ids that are there, their places in the order."""
        if len(self.parts) == 1:
            found: Array = np.searchsorted(self.parts[0], parts[0])
            return found
        known: Array = np.searchsorted(_pairs(self.parts), _pairs(parts))
        return known


def _is_among(name: str, numbers: Array) -> Column:
    """Whether a column holds one of some numbers, as one text: made one by one they take three times as long."""
    return F.expr(f"{name} in ({','.join(map(str, numbers.tolist()))})")


def width_of(leaf: SourceLeaf) -> int:
    """How many columns are compared of a source's ids."""
    return 2 if leaf.identified_by_file else 1


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


class GroupRows(CandidateSet):
    """The rows that an aggregate takes for some of its groups.

    Args:
        catalyst: of the pinned session.
        root: the dataflow that is replayed.
        operator: below its aggregate.
        kept: the persisted rows: ids and the columns that the aggregate looks at.
        ids: of each source; of those that read the same records the very same ones.
        readers: of each source the first that reads the same records.
    """

    only_together = True

    def __init__(
        self,
        catalyst: Catalyst,
        root: Operator,
        operator: Operator,
        kept: DataFrame,
        ids: Sequence[Ids],
        readers: Mapping[SourceLeaf, SourceLeaf],
    ) -> None:
        self._catalyst = catalyst
        self._root = root
        self._operator = operator
        self._kept = kept
        self._ids = ids
        self._readers = readers
        shares: dict[SourceLeaf, Share] = {}
        for each in ids:
            first = sum(share.count for share in shares.values())
            shares.setdefault(readers[each.leaf], Share(readers[each.leaf], first, len(each.parts[0])))
        self.stands: list[Share] = list(shares.values())
        self._shares = [shares[readers[each.leaf]] for each in ids]

    @cached_property
    def full(self) -> Candidates:
        gathering = Gathering(self._catalyst)
        above = {child: operator for operator in self._root.walk() for child in operator.children}
        stands: list[Stand] = []
        for share, ids in zip(self._shares, self._ids, strict=True):
            if ids.leaf is not share.leaf:
                (stand,) = (each for each in stands if each.leaf is share.leaf)
                stands.append(gathering.again(ids.leaf, stand))
                continue
            names = [fresh_name("id") for _ in ids.parts]
            columns = [*ids.parts, np.arange(share.first, share.first + share.count)]
            wanted = self._catalyst.spark.createDataFrame(
                pa.table(columns, names=[*names, fresh_name("number")])
            )
            stands.append(gathering.by_number(share.leaf, wanted, ids.compared, share.first, share.count))
        return Candidates(self._catalyst, gathering, [gathering.point(stand, above) for stand in stands])

    def release(self) -> None:
        self._kept.unpersist()
        if "full" in self.__dict__:
            self.full.release()

    def records(self, numbers: FrozenBitMap, limit: int) -> list[tuple[int | None, TracedRecord]]:
        found: list[tuple[int | None, TracedRecord]] = []
        with asking(self._catalyst, "the records found"):
            for stand in self.stands:
                if chosen := numbers & stand.numbers:
                    pairs = self._records(stand, chosen).collect_with_ids(limit)
                    ids = self._ids_of(stand)[0]
                    places = ids.places_of(self._parts_of(ids, [identity for identity, _ in pairs]))
                    known = [stand.first + int(place) for place in places]
                    found += zip(known, (record for _, record in pairs), strict=True)
        return found

    def frame(self, numbers: FrozenBitMap, source: SourceLeaf) -> DataFrame:
        (stand,) = (each for each in self.stands if each.leaf is source)
        return self._records(stand, numbers & stand.numbers).frame()

    def members(self, subsets: Numbers) -> Mapping[Operator, tuple[SourceLeaf, Members]]:
        return {self._operator: (self.stands[0].leaf, partial(self._by_subset, subsets))}

    # -- inside -------------------------------------------------------------------------------------

    def _by_subset(self, subsets: Numbers) -> tuple[Any, Any, Any]:
        """The operator's columns, the subset's number and the first source's id; attributes of the last two."""
        catalyst = self._catalyst
        known = catalyst.output(catalyst.analyzed(self._kept))
        told = self._filtered(subsets) or self._looked_up(subsets)
        given = catalyst.output(catalyst.analyzed(told))
        pairs = zip(given, known, strict=False)  # the subset's number stands behind
        plan = catalyst.project(
            [
                *(catalyst.alias(have, str(own.name()), own.exprId()) for have, own in pairs),
                given[-1],
            ],
            catalyst.analyzed(told),
        )
        number = given[-1]
        there = {catalyst.attribute_key(each) for each in known}
        # What the aggregate doesn't look at isn't kept.
        own = [
            each
            if catalyst.attribute_key(each) in there
            else catalyst.alias(catalyst.null(each.dataType()), str(each.name()), each.exprId())
            for each in catalyst.output(self._operator.plan)
        ]
        identity = self._ids[0].attribute
        return catalyst.project([*own, number, identity], plan), number, identity

    def _filtered(self, subsets: Numbers) -> DataFrame | None:
        """The rows of each subset, and its number behind; None where many subsets or records would be spelled out.

        Of a few subsets it takes a tenth of the time that looking up each row's takes.
        """
        if len(subsets) > _SPELLED_SUBSETS:
            return None
        name = fresh_name("subset")
        frames = []
        for n, subset in enumerate(subsets):
            frame = self._kept
            for stand, ids in zip(self._shares, self._ids, strict=True):
                inside = subset & stand.numbers
                outside = stand.numbers - inside
                if not outside:
                    continue
                few = outside if len(outside) < len(inside) else inside
                listed = ids.listed(as_array(few) - stand.first)
                if listed is None:
                    return None
                chosen = ~listed if few is outside else listed
                frame = frame.where(chosen | ids.column.isNull())
            frames.append(frame.withColumn(name, F.lit(n).cast("long")))
        return reduce(DataFrame.unionAll, frames)

    def _looked_up(self, subsets: Numbers) -> DataFrame:
        """The same by looking up for each row the subsets that it is in."""
        frame = self._kept
        columns = frame.columns
        mine: list[Column] = []
        for stand, ids in zip(self._shares, self._ids, strict=True):
            parts = [subset & stand.numbers for subset in subsets]
            if any(len(part) < stand.count for part in parts):
                frame, told = self._told(frame, stand, ids, parts)
                mine.append(told)
        inside = reduce(F.array_intersect, mine) if mine else _listed(range(len(subsets)))
        return frame.select(*columns, F.explode(inside).alias(fresh_name("subset")))

    def _told(self, frame: DataFrame, stand: Share, ids: Ids, parts: Numbers) -> tuple[DataFrame, Column]:
        """The rows, and for each the subsets that its record of a source is in."""
        inside: dict[int, list[int]] = defaultdict(list)
        outside: dict[int, list[int]] = defaultdict(list)
        most: list[int] = []
        for n, part in enumerate(parts):
            large = 2 * len(part) > stand.count
            if large:
                most.append(n)
            for each in stand.numbers - part if large else part:
                (outside if large else inside)[each - stand.first].append(n)
        nothing = _listed(())
        mentioned = sorted(inside.keys() | outside.keys())
        names = [fresh_name("id") for _ in ids.parts] + [fresh_name("inside"), fresh_name("outside")]
        data = [pa.array(part[mentioned]) for part in ids.parts]
        for listed in (inside, outside):
            data.append(pa.array([listed.get(each, []) for each in mentioned], pa.list_(pa.int64())))
        lists = F.broadcast(self._catalyst.spark.createDataFrame(pa.table(data, names=names)))
        same = ids.same_as(names[:-2])
        usual = _listed(most)
        left = F.array_except(usual, F.coalesce(F.col(names[-1]), nothing))
        told = F.concat(F.coalesce(F.col(names[-2]), nothing), left)
        # A row without a record of this source doesn't hang on it.
        return frame.join(lists, same, "left"), F.when(
            ids.column.isNull(), _listed(range(len(parts)))
        ).otherwise(told)

    def _ids_of(self, stand: Share) -> list[Ids]:
        """The ids of candidates, as each source gives them that reads these, the first one's first."""
        return [ids for share, ids in zip(self._shares, self._ids, strict=True) if share is stand]

    def _records(self, stand: Share, numbers: FrozenBitMap) -> SourceRecords:
        """Some candidates of a source, by their ids, which don't pass through Python."""
        catalyst = self._catalyst
        every = self._ids_of(stand)
        ids = every[0]
        names = [fresh_name("id") for _ in ids.parts]
        places = as_array(numbers) - stand.first
        wanted = catalyst.spark.createDataFrame(pa.table([part[places] for part in ids.parts], names=names))
        if not ids.leaf.identified_by_file:
            there = wanted
        else:
            found = [
                self._kept.join(F.broadcast(wanted), each.same_as(names), "left_semi").select(each.column)
                for each in every
            ]
            there = reduce(DataFrame.unionAll, found).distinct()
        plan = catalyst.analyzed(there)
        rows = fetch(catalyst, plan, catalyst.output(plan), valued=False)
        assert rows is not None
        return SourceRecords(catalyst, ids.leaf, rows[0])

    def _parts_of(self, ids: Ids, identities: Sequence[Any]) -> list[Array]:
        """What is compared of ids, as they come to Python."""
        if not ids.leaf.identified_by_file:
            return [np.array(identities, dtype=np.int64)]
        files = sorted({identity.file for identity in identities})
        frame = self._catalyst.spark.createDataFrame([Row(file=file) for file in files], "file string")
        hashes = {row[0]: row[1] for row in frame.select("file", F.xxhash64("file")).collect()}
        return [
            np.array([hashes[identity.file] for identity in identities], dtype=np.int64),
            np.array([identity.position for identity in identities], dtype=np.int64),
        ]


def _listed(subsets: Iterable[int]) -> Column:
    """The numbers of subsets, as an array."""
    return F.array(*(F.lit(n).cast("long") for n in subsets)).cast("array<bigint>")

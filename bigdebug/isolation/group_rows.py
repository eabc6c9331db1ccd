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
from bigdebug.isolation.drawn import share_of, some_of
from bigdebug.isolation.gathering import Gathering, Point, Stand
from bigdebug.isolation.groups import as_array
from bigdebug.isolation.ids import Ids
from bigdebug.isolation.measures import Array
from bigdebug.lineage.asking import asking
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.records import SourceRecords
from bigdebug.lineage.segments import fetch

SPELLED_SUBSETS = 4
"""Of so few subsets at most the rows are told by conditions, without a join."""


@dataclass(frozen=True)
class Few:
    """Those of the kept rows whose records' ids are known.

    Attributes:
        frame: the rows.
        persisted: what Spark keeps for them.
    """

    frame: DataFrame
    persisted: DataFrame


class GroupRows(CandidateSet):
    """The rows that an aggregate takes for some of its groups.

    Args:
        catalyst: of the pinned session.
        root: the dataflow that is replayed.
        operator: below its aggregate.
        kept: the persisted rows: ids and the columns that the aggregate looks at.
        ids: of each source; of those that read the same records the very same ones.
        readers: of each source the first that reads the same records.
        few: of the kept rows those whose records' ids are known; None where all are.
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
        few: Few | None = None,
    ) -> None:
        self._catalyst = catalyst
        self._root = root
        self._operator = operator
        self._kept = kept
        self._few = few
        self._ids = ids
        self._readers = readers
        self._gathering = Gathering(catalyst)
        self._some: tuple[FrozenBitMap, FrozenBitMap, Candidates, FrozenBitMap] | None = None
        shares: dict[SourceLeaf, Share] = {}
        for each in ids:
            first = sum(share.count for share in shares.values())
            shares.setdefault(readers[each.leaf], Share(readers[each.leaf], first, each.count))
        self.stands: list[Share] = list(shares.values())
        self._shares = [shares[readers[each.leaf]] for each in ids]

    @cached_property
    def full(self) -> Candidates:
        gathering = self._gathering
        above = {child: operator for operator in self._root.walk() for child in operator.children}
        stands: list[Stand] = []
        for share, ids in zip(self._shares, self._ids, strict=True):
            if ids.leaf is not share.leaf:
                (stand,) = (each for each in stands if each.leaf is share.leaf)
                stands.append(gathering.again(ids.leaf, stand))
                continue
            stands.append(self._numbered(share, ids, ids.parts, np.arange(share.count)))
        return Candidates(self._catalyst, gathering, [gathering.point(stand, above) for stand in stands])

    def some(self, culprits: FrozenBitMap, others: FrozenBitMap) -> tuple[Candidates, FrozenBitMap]:
        few = all(share_of(others & share.numbers) == 1 for share in self.stands)
        if few or "full" in self.__dict__ or not self.are_known(culprits):
            return super().some(culprits, others)
        if self._some is None or self._some[:2] != (culprits, others):
            self._some = (culprits, others, *self._sampled(culprits, others))
        return self._some[2:]

    def forget_few(self) -> None:
        """Give back the few rows that are kept beside all."""
        if self._few is not None:
            self._few.persisted.unpersist()
            self._few = None

    def release(self) -> None:
        self.forget_few()
        self._kept.unpersist()
        for frame in self._gathering.persisted:
            frame.unpersist()
        self._gathering.persisted.clear()

    def are_known(self, numbers: FrozenBitMap) -> bool:
        return not any(
            numbers.intersect(FrozenBitMap(range(share.first + len(ids.known[0]), share.first + share.count)))
            for share, ids in zip(self._shares, self._ids, strict=True)
            if ids.others
        )

    def records(self, numbers: FrozenBitMap, limit: int) -> list[tuple[int | None, TracedRecord]]:
        found: list[tuple[int | None, TracedRecord]] = []
        with asking(self._catalyst, "the records found"):
            for stand in self.stands:
                if chosen := numbers & stand.numbers:
                    pairs = self._records(stand, chosen).collect_with_ids(limit)
                    ids = self._ids_of(stand)[0]
                    parts = self._parts_of(ids, [identity for identity, _ in pairs])
                    places = ids.places_of(parts, as_array(chosen) - stand.first)
                    known = [stand.first + int(place) for place in places]
                    found += zip(known, (record for _, record in pairs), strict=True)
        return found

    def frame(self, numbers: FrozenBitMap, source: SourceLeaf) -> DataFrame:
        (stand,) = (each for each in self.stands if each.leaf is source)
        return self._records(stand, numbers & stand.numbers).frame()

    def members(self, subsets: Numbers) -> Mapping[Operator, tuple[SourceLeaf, Members]]:
        return {self._operator: (self.stands[0].leaf, partial(self._by_subset, subsets))}

    # -- inside -------------------------------------------------------------------------------------

    def _sampled(self, culprits: FrozenBitMap, others: FrozenBitMap) -> tuple[Candidates, FrozenBitMap]:
        """Culprits, and others that may stand for all; of sources that have culprits."""
        points: list[Point] = []
        found: list[FrozenBitMap] = []
        for share, ids in zip(self._shares, self._ids, strict=True):
            mine = culprits & share.numbers
            if ids.leaf is not share.leaf or not mine:
                continue
            parts, places = self._drawn(share, ids, others & share.numbers)
            found.append(FrozenBitMap((places + share.first).tolist()))
            blamed = as_array(mine) - share.first
            together = tuple(map(np.concatenate, zip(ids.at(blamed), parts, strict=True)))
            stand = self._numbered(share, ids, together, np.concatenate([blamed, places]))
            points.append(self._gathering.point(stand, {}))
        kept = Candidates(self._catalyst, self._gathering, points, sampled=True)
        return kept, FrozenBitMap().union(*found)

    def _drawn(self, share: Share, ids: Ids, others: FrozenBitMap) -> tuple[tuple[Array, ...], Array]:
        """What is compared of the ids of some, or a sample of them, and their places."""
        if share_of(others) == 1 or self.are_known(others):
            chosen = as_array(some_of(others)) - share.first
            return ids.at(chosen), chosen
        parts, places = ids.drawn(share_of(others))
        wanted = np.isin(places, as_array(others) - share.first)
        return tuple(part[wanted] for part in parts), places[wanted]

    def _numbered(self, share: Share, ids: Ids, parts: Sequence[Array], places: Array) -> Stand:
        """Candidates of a source with their own columns, told by what is compared of their ids and by their places."""
        names = [*(fresh_name("id") for _ in parts), fresh_name("number")]
        wanted = self._catalyst.spark.createDataFrame(pa.table([*parts, places + share.first], names=names))
        return self._gathering.by_number(
            share.leaf, wanted, ids.compared, share.first, share.count, some=len(places)
        )

    def _by_subset(self, subsets: Numbers) -> tuple[Any, Any, Any]:
        """The operator's columns, the subset's number and the first source's id; attributes of the last two."""
        catalyst = self._catalyst
        known = catalyst.output(catalyst.analyzed(self._kept))
        told = self._filtered(subsets) or self._looked_up(subsets)
        given = catalyst.output(catalyst.analyzed(told))
        # The subset's number stands behind.
        plan = catalyst.project([*catalyst.named_as(given, known), given[-1]], catalyst.analyzed(told))
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
        if len(subsets) > SPELLED_SUBSETS:
            return None
        name = fresh_name("subset")
        frames = []
        for n, subset in enumerate(subsets):
            frame = self._holding(subset)
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

    def _holding(self, subset: FrozenBitMap) -> DataFrame:
        """Kept rows that hold all of a subset."""
        return self._kept if self._few is None or not self.are_known(subset) else self._few.frame

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
        names = [fresh_name("id") for _ in range(ids.width)] + [fresh_name("inside"), fresh_name("outside")]
        data = [pa.array(part) for part in ids.at(np.array(mentioned, dtype=np.int64))]
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
        names = [fresh_name("id") for _ in range(ids.width)]
        parts = ids.at(as_array(numbers) - stand.first)
        wanted = catalyst.spark.createDataFrame(pa.table(list(parts), names=names))
        if not ids.leaf.identified_by_file:
            there = wanted
        else:
            rows = self._holding(numbers)
            found = [
                rows.join(F.broadcast(wanted), each.same_as(names), "left_semi").select(each.column)
                for each in every
            ]
            there = reduce(DataFrame.unionAll, found).distinct()
        plan = catalyst.analyzed(there)
        fetched = fetch(catalyst, plan, catalyst.output(plan), valued=False)
        assert fetched is not None
        return SourceRecords(catalyst, ids.leaf, fetched[0])

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

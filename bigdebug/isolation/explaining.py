"""What culprits have in common and the other records of the failing rows don't.

A sample of the candidates proposes patterns, all of them are counted: one job each. Where there are few candidates,
some more records of the source show what is usual there; none of these is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyroaring import FrozenBitMap
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bigdebug.isolation.candidates import Candidates
from bigdebug.isolation.features import FIELDS, Feature, Term, fields_of_lines, kind_of, raw_columns, terms_of
from bigdebug.isolation.gathering import Stand
from bigdebug.isolation.patterns import Conjunction, Counted, best, search
from bigdebug.isolation.values import Table, Values, values_of
from bigdebug.lineage.asking import asking
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.records import SourceRecords
from bigdebug.lineage.segments import RowSet, local_relation, wrapped

MOST_PATTERNS = 5
"""Of a source."""
_SAMPLED = 4_000
"""Records of either kind that propose patterns."""
_FETCHED = 10_000
"""Records that are held in Spark's plan."""
_USUAL = 2_000
"""Records of a source that show what is usual, where its candidates are fewer."""
_FINALISTS = 40


@dataclass(frozen=True)
class Pattern:
    """Something that culprits share.

    Attributes:
        text: what, as people read it.
        culprits: how many culprits fit it, of how many.
        others: how many other records behind the failing rows fit it, of how many: they are like the culprits.
        source: whose records these are.
        condition: the same as SQL over the source as Spark reads it; None where its columns don't tell it.
    """

    text: str
    culprits: tuple[int, int]
    others: tuple[int, int]
    source: str
    condition: str | None

    def __str__(self) -> str:
        return f"{self.text}: {_of(self.culprits, 'culprit')}, {_of(self.others, 'other')}"


def _of(counted: tuple[int, int], noun: str) -> str:
    some, every = counted
    return f"{some:,} of {every:,} {noun}{'' if every == 1 else 's'}"


def explain(
    catalyst: Catalyst, candidates: Candidates, culprits: FrozenBitMap, behind: FrozenBitMap
) -> tuple[Pattern, ...]:
    """Patterns of culprits, the most telling of each source first.

    Args:
        catalyst: of the pinned session.
        candidates: kept.
        culprits: their numbers.
        behind: numbers of the candidates of the rows that the culprits are of.
    """
    found: list[Pattern] = []
    with asking(catalyst, "what the culprits share"):
        for stand in candidates.stands:
            mine = culprits & stand.numbers
            if mine:
                others = (behind & stand.numbers) - mine
                found += _OfSource(catalyst, candidates, stand, mine, others).patterns()
    return tuple(found)


class _OfSource:
    def __init__(
        self,
        catalyst: Catalyst,
        candidates: Candidates,
        stand: Stand,
        culprits: FrozenBitMap,
        others: FrozenBitMap,
    ) -> None:
        self._catalyst = catalyst
        self._stand = stand
        self._culprits, self._others = culprits, others
        self._split: str | None = None
        self._frame = self._of_candidates(candidates)
        leaf = stand.leaf
        schema = catalyst.frame(leaf.operator.plan).schema
        self._terms = [*terms_of(schema), *self._places()]
        self._line = self._terms[0] if len(schema) == 1 and kind_of(schema[0].dataType) == "string" else None

    def patterns(self) -> list[Pattern]:
        if self._line is not None:
            texts = self._frame.select(F.col("c0")).where("c0 is not null").limit(200).collect()
            fields, split = fields_of_lines(self._line, [row[0] for row in texts])
            self._terms[1:1] = fields
            self._split = split
        found = search(self._table())
        ranked = sorted(found, key=lambda each: (-each.worth, len(each.predicates)))[:_FINALISTS]
        return [self._pattern(each) for each in best(self._counted(ranked), MOST_PATTERNS)]

    # -- the records --------------------------------------------------------------------------------

    def _of_candidates(self, candidates: Candidates) -> DataFrame:
        """Columns `c0`, `c1`, …, `number`, `culprit` and `_record`."""
        catalyst, stand = self._catalyst, self._stand
        plan, part, identity = candidates.parted(stand, [self._others, self._culprits])
        own = catalyst.output(stand.leaf.operator.plan)
        named = [(f"c{i}", column) for i, column in enumerate(own)]
        value = catalyst.struct([*named, ("number", stand.number), ("culprit", part)])
        valued = catalyst.project([identity, catalyst.alias(value, fresh_name("value"))], plan)
        count = len(self._others) + len(self._culprits)
        few = count <= _FETCHED
        if few:
            valued = local_relation(catalyst, valued.output(), wrapped(catalyst, catalyst.rows(valued)))
        return SourceRecords(catalyst, stand.leaf, RowSet(catalyst, valued, count, few)).frame()

    def _places(self) -> list[Term]:
        leaf = self._stand.leaf
        if leaf.in_files:
            rows = "_metadata.row_index" if leaf.kind == "parquet" else None
            return [
                Term("file", "_record.file", "_metadata.file_path", "string", place=True),
                Term("position", "_record.position", rows, "bigint", place=True),
            ]
        if not leaf.has_positions:
            return []
        return [
            Term("partition", "_record.partition", None, "int", place=True),
            Term("position", "_record.position", None, "bigint", place=True),
        ]

    def _table(self) -> Table:
        rows = self._fetched(self._sampled(), places=True)
        usual = self._usual()
        every = rows if usual is None else pd.concat([rows, usual], ignore_index=True)
        more = len(every) - len(rows)
        culprit = rows["culprit"].to_numpy() == 1
        sampled = int((~culprit).sum())
        values: dict[Feature, Values] = {}
        for i, term in enumerate(self._terms):
            mine = {name: every[f"{name}{i}"] for name in raw_columns(term, "")}
            values |= values_of(term, mine)
        return Table(
            values=values,
            culprit=np.append(culprit, np.zeros(more, bool)),
            candidate=np.arange(len(every)) < len(rows),
            weight=len(self._others) / sampled if sampled else 1.0,
            numbers=np.append(rows["number"].to_numpy(dtype=np.int64), np.full(more, -1)),
        )

    def _sampled(self) -> DataFrame:
        def share(count: int) -> float:
            return min(1.0, _SAMPLED / max(count, 1))

        chance = (F.pmod(F.xxhash64("number"), F.lit(1_000_000)) / 1_000_000).cast("double")
        bound = F.when(F.col("culprit") == 1, share(len(self._culprits))).otherwise(share(len(self._others)))
        sampled: DataFrame = self._frame.where(chance < bound)
        return sampled

    def _usual(self) -> pd.DataFrame | None:
        """Records of the source, whether or not they are candidates."""
        leaf = self._stand.leaf
        if self._stand.count >= _USUAL or not leaf.has_positions:
            return None
        plan = self._catalyst.frame(self._catalyst.limit(_USUAL, leaf.operator.plan))
        named = plan.toDF(*(f"c{i}" for i in range(len(plan.columns))))
        return self._fetched(named, places=False)

    def _fetched(self, frame: DataFrame, *, places: bool) -> pd.DataFrame:
        """What features are told of, a column for each name and number of a term."""
        columns: list[Column] = []
        for i, term in enumerate(self._terms):
            base = term.inner if places or not term.place else "null"
            columns += [F.expr(sql).alias(f"{name}{i}") for name, sql in raw_columns(term, base).items()]
        if places:
            columns += [F.col("number"), F.col("culprit")]
        fetched: pd.DataFrame = self._with_fields(frame).select(*columns).toPandas()
        return fetched

    def _with_fields(self, frame: DataFrame) -> DataFrame:
        return frame if self._split is None else frame.withColumn(FIELDS, F.expr(self._split))

    # -- counting -----------------------------------------------------------------------------------

    def _counted(self, found: Sequence[Conjunction]) -> list[Counted]:
        if not found:
            return []
        fits = [F.coalesce(F.expr(each.inner), F.lit(False)) for each in found]
        sums = [F.count_if(fit).alias(f"n{i}") for i, fit in enumerate(fits)]
        counts = {
            row["culprit"]: row
            for row in self._with_fields(self._frame).groupBy("culprit").agg(*sums).collect()
        }

        def fitting(culprit: int, number: int) -> int:
            return int(counts[culprit][f"n{number}"]) if culprit in counts else 0

        of_culprits, of_others = len(self._culprits), len(self._others)
        return [
            Counted(each, fitting(1, i), of_culprits, fitting(0, i), of_others)
            for i, each in enumerate(found)
        ]

    def _pattern(self, counted: Counted) -> Pattern:
        return Pattern(
            text=counted.conjunction.text,
            culprits=(counted.culprits, counted.of_culprits),
            others=(counted.others, counted.of_others),
            source=self._stand.leaf.name,
            condition=counted.conjunction.condition,
        )

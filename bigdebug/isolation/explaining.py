"""What culprits have in common and the other records of the failing rows don't.

A sample of the candidates proposes patterns, all of them are counted, or a larger sample where they are very many: one
job each. Where there are few candidates, they are held in Spark's plans, which takes no more jobs, and some more
records of the source show what is usual there; none of these is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bigdebug.isolation.features import FIELDS, Feature, Term, fields_of_lines, raw_columns
from bigdebug.isolation.patterns import Conjunction, Counted, best, search
from bigdebug.isolation.values import Table, Values, values_of

MOST_PATTERNS = 5
"""Of a source."""
USUAL = 2_000
"""Records of a source that show what is usual, where its candidates are fewer."""
_SAMPLED = 4_000
"""Records of either kind that propose patterns."""
_FINALISTS = 40
HELD = 10_000
"""Records that are held in Spark's plans."""


@dataclass(frozen=True)
class Pattern:
    """Something that culprits share.

    Attributes:
        text: what, as people read it.
        culprits: how many culprits fit it, of how many.
        others: how many other records behind the failing rows fit it, of how many: they are like the culprits.
        source: whose records these are.
        condition: the same as SQL over the source as Spark reads it; None where its columns don't tell it.
        sampled: the others are but a sample of those behind the failing rows, which are very many.
    """

    text: str
    culprits: tuple[int, int]
    others: tuple[int, int]
    source: str
    condition: str | None
    sampled: bool = False

    def __str__(self) -> str:
        other = "sampled other" if self.sampled else "other"
        return f"{self.text}: {_of(self.culprits, 'culprit')}, {_of(self.others, other)}"


def _of(counted: tuple[int, int], noun: str) -> str:
    some, every = counted
    return f"{some:,} of {every:,} {noun}{'' if every == 1 else 's'}"


@dataclass(frozen=True)
class Told:
    """Records of a source, as patterns are told of them.

    Attributes:
        source: its name.
        frame: the culprits and the others: `c0`, `c1`, …, `number`, `culprit` (1 or 0) and `_record`.
        terms: of the records.
        line: the one that holds all of a record, as a line of text.
        culprits: how many there are.
        others: how many there are of these.
        usual: fetches records of the source, candidates or not, as `c0`, `c1`, …; None where they can't be had.
        enough: of conditions over the frame, whether those that fulfil each are enough to be told; None for any.
        known: of terms over the frame, whether each says no more than what is known anyhow; None of none.
    """

    source: str
    frame: DataFrame
    terms: tuple[Term, ...]
    line: Term | None
    culprits: int
    others: int
    usual: Callable[[], DataFrame] | None
    enough: Callable[[DataFrame, Sequence[Column]], list[bool]] | None = None
    known: Callable[[DataFrame, Sequence[Term]], list[bool]] | None = None


def patterns_of(told: Told, behind: int | None = None) -> list[Pattern]:
    """What the culprits share and the others don't, the most telling first.

    Args:
        told: the records.
        behind: how many others there are behind the failing rows, where those told may be but some of them.
    """
    return _OfSource(told, sampled=behind is not None and told.others < behind).patterns()


class _OfSource:
    def __init__(self, told: Told, *, sampled: bool) -> None:
        few = told.culprits + told.others <= HELD
        self._told = replace(told, frame=_held(told.frame)) if few else told
        self._sampled_others = sampled
        self._terms = list(told.terms)
        self._split: str | None = None

    def patterns(self) -> list[Pattern]:
        told = self._told
        if told.line is not None:
            texts = told.frame.select(F.col("c0")).where("c0 is not null").limit(200).collect()
            fields, split = fields_of_lines(told.line, [row[0] for row in texts])
            self._terms[1:1] = fields
            self._split = split
        if told.known is not None:
            known = told.known(self._with_fields(told.frame), self._terms)
            self._terms = [term for term, is_known in zip(self._terms, known, strict=True) if not is_known]
        found = search(self._table())
        ranked = sorted(found, key=lambda each: (-each.worth, len(each.predicates)))[:_FINALISTS]
        return [self._pattern(each) for each in best(self._counted(ranked), MOST_PATTERNS)]

    # -- the records --------------------------------------------------------------------------------

    def _table(self) -> Table:
        rows = self._fetched(self._sampled(), places=True)
        every = rows
        if self._told.usual is not None:
            every = pd.concat([rows, self._fetched(self._told.usual(), places=False)], ignore_index=True)
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
            weight=self._told.others / sampled if sampled else 1.0,
            numbers=np.append(rows["number"].to_numpy(dtype=np.int64), np.full(more, -1)),
        )

    def _sampled(self) -> DataFrame:
        def share(count: int) -> float:
            return min(1.0, _SAMPLED / max(count, 1))

        chance = (F.pmod(F.xxhash64("number"), F.lit(1_000_000)) / 1_000_000).cast("double")
        bound = F.when(F.col("culprit") == 1, share(self._told.culprits)).otherwise(share(self._told.others))
        sampled: DataFrame = self._told.frame.where(chance < bound)
        return sampled

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
        fits = [F.coalesce(F.expr(each.inner), F.lit(False)) for each in found]
        if found and self._told.enough is not None:
            enough = self._told.enough(self._with_fields(self._told.frame), fits)
            found, fits = list(compress(found, enough)), list(compress(fits, enough))
        if not found:
            return []
        counts = self._counts(fits)

        def fitting(culprit: int, number: int) -> int:
            return int(counts[culprit][f"n{number}"]) if culprit in counts else 0

        of_culprits, of_others = self._told.culprits, self._told.others
        return [
            Counted(each, fitting(1, i), of_culprits, fitting(0, i), of_others)
            for i, each in enumerate(found)
        ]

    def _counts(self, fits: Sequence[Column]) -> dict[int, Any]:
        """Of the culprits (1) and of the others (0), how many fulfil each of some conditions, by name."""
        frame = self._with_fields(self._told.frame)
        if self._told.frame.isLocal():
            named = [fit.alias(f"n{i}") for i, fit in enumerate(fits)]
            rows = frame.select("culprit", *named).toPandas()
            found: dict[int, Any] = rows.groupby("culprit").sum().to_dict("index")
            return found
        sums = [F.count_if(fit).alias(f"n{i}") for i, fit in enumerate(fits)]
        return {row["culprit"]: row for row in frame.groupBy("culprit").agg(*sums).collect()}

    def _pattern(self, counted: Counted) -> Pattern:
        return Pattern(
            text=counted.conjunction.text,
            culprits=(counted.culprits, counted.of_culprits),
            others=(counted.others, counted.of_others),
            source=self._told.source,
            condition=counted.conjunction.condition,
            sampled=self._sampled_others,
        )


def _held(frame: DataFrame) -> DataFrame:
    """The same rows in the plan itself, unless Arrow hasn't got a type of theirs."""
    if frame.isLocal():
        return frame
    try:
        return frame.sparkSession.createDataFrame(frame.toArrow(), frame.schema)
    except (PySparkException, pa.ArrowException):
        return frame

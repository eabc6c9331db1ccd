"""From a hot key to its records: which files they come from, and what they share that others don't have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bigdebug.isolation.features import Feature, Term, raw_columns, terms_of
from bigdebug.isolation.patterns import Conjunction, Counted, best, search
from bigdebug.isolation.values import Table, Values, values_of
from bigdebug.lineage.annotated import Annotated
from bigdebug.lineage.asking import asking
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.depth import deep_plans
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.questions import Question
from bigdebug.lineage.trace import Trace
from bigdebug.lineage.where import RowsOf, Where
from bigdebug.skew.counting import Counted as CountedShuffle
from bigdebug.skew.finding import HotKey
from bigdebug.skew.key_texts import text_of_key
from bigdebug.skew.shuffles import Side

MOST_PATTERNS = 3
"""Of a source."""
_SAMPLED = 2_000
"""Records of either kind that patterns are looked for in."""
_FEWEST = 20
"""Of a source with fewer records on the trace nothing is said: a handful share much by chance."""
_MOST_FILES = 3


@dataclass(frozen=True)
class KeySource:
    """A source of a hot key's records.

    Attributes:
        name: the source's.
        side: of the shuffle that it is below.
        count: how many of its records went into the key's.
        files: those that most of these come from, each with how many; none of data that isn't in files.
        patterns: what they share and the source's other records don't, as told of a sample.
    """

    name: str
    side: str
    count: int
    files: tuple[tuple[str, int], ...]
    patterns: tuple[str, ...]

    def sentences(self, key: HotKey) -> list[str]:
        """As people read it."""
        found = []
        shown = [(file, n) for file, n in self.files if n >= 0.5 * self.count]
        for file, n in shown[:1]:
            where = f", where {self.patterns[0]}" if self.patterns else ""
            found.append(f"{n / self.count:.0%} of {key.text} come from {file}{where}")
        if not shown:
            spread = f", from {len(self.files)} files or more" if len(self.files) > 1 else ""
            found.append(f"{self.count:,} records of {self.name} make up {key.text}{spread}")
            found += [f"what they share: {pattern}" for pattern in self.patterns[:1]]
        return found + [f"and: {pattern}" for pattern in self.patterns[1:]]


class KeyTrace:
    """Where the records of a key come from.

    Attributes:
        key: it.
        traces: the trace of each side that holds any, by the side's name; an ordinary trace of records.
    """

    def __init__(self, catalyst: Catalyst | None, key: HotKey, traces: dict[str, Any]) -> None:
        self._catalyst = catalyst
        self.key = key
        self.traces = traces

    @cached_property
    def sources(self) -> list[KeySource]:
        """The sources, with their files and patterns; runs the traces."""
        found = []
        if self._catalyst is None:
            return [each for side, trace in self.traces.items() for each in _of_rdd(side, trace)]
        with asking(self._catalyst, f"records of {self.key.text}"), deep_plans():
            for side, trace in self.traces.items():
                for source in trace.sources:
                    if source.count:
                        found.append(self._source(side, trace, source.name, source.count))
        return found

    @property
    def sentences(self) -> list[str]:
        """What there is to say, a line each."""
        return [line for source in self.sources for line in source.sentences(self.key)]

    def _source(self, side: str, trace: Trace, name: str, count: int) -> KeySource:
        assert self._catalyst is not None
        leaf = next(each for each in trace.found_records if each.name == name)
        records = trace.records(name)
        files: tuple[tuple[str, int], ...] = ()
        if leaf.in_files:
            rows = records.groupBy(F.col("_record.file").alias("file")).count()
            top = rows.orderBy(F.desc("count"), "file").limit(_MOST_FILES).collect()
            files = tuple((row["file"], row["count"]) for row in top)
        patterns = _patterns(self._catalyst, leaf, records, count) if count >= _FEWEST else []
        return KeySource(name, side, count, files, tuple(patterns))


def _of_rdd(side: str, trace: Any) -> Iterator[KeySource]:
    """The sources of a trace of an RDD's elements, with their files."""
    for source in trace.sources:
        if source.count:
            places = trace.placed_records(source.name)
            with trace._asking("files"):
                files = (
                    places.map(lambda place: place[0]).filter(lambda file: file is not None).countByValue()
                )
            top = sorted(files.items(), key=lambda each: (-each[1], each[0]))[:_MOST_FILES]
            yield KeySource(source.name, side, source.count, tuple(top), ())


def trace_key(question: Question, counted: CountedShuffle, key: HotKey) -> KeyTrace:
    """The source records of a key.

    Args:
        question: about the dataflow.
        counted: the shuffle.
        key: one of its finalists.

    Raises:
        UnsupportedOperatorError: an operator below isn't understood.
    """
    catalyst = question.catalyst
    texts = counted.finalists[key.place].texts
    traces = {}
    with deep_plans():
        for side, held in zip(counted.shuffle.sides, counted.finalists[key.place].records, strict=True):
            if held:
                traces[side.name] = _trace(question, side, texts)
    return KeyTrace(catalyst, key, traces)


def _trace(question: Question, side: Side, texts: Sequence[str | None]) -> Trace:
    catalyst = question.catalyst
    sources = {
        operator: question.sources[operator]
        for operator in side.operator.walk()
        if operator in question.sources
    }

    def where(_: Catalyst, root: Operator) -> Where:
        return Where(lambda top: _of_key(catalyst, side, root, top, texts), is_condition=False)

    return Trace(catalyst, side.operator, sources, RowsOf(where), question.notes)


def _of_key(
    catalyst: Catalyst, side: Side, root: Operator, top: Annotated, texts: Sequence[str | None]
) -> Any:
    """The annotated rows of a key."""
    plan = catalyst.project_more(top.attributes, top.plan, root.plan)
    if side.conditions:
        plan = catalyst.filter(catalyst.all_of(list(side.conditions)), plan)
    keys = [catalyst.alias(key, fresh_name("key")) for key in side.keys]
    frame = catalyst.frame(catalyst.project_more(keys, plan))
    names = frame.columns[-len(keys) :]
    for name, text in zip(names, texts, strict=True):
        same = text_of_key(F.col(name), frame.schema[name].dataType)
        frame = frame.where(same.eqNullSafe(F.lit(text)))
    return catalyst.analyzed(frame)


# -- what records share -----------------------------------------------------------------------------


def _patterns(catalyst: Catalyst, leaf: SourceLeaf, records: DataFrame, count: int) -> list[str]:
    """Short conditions that most of a key's records fulfil and few of the source's others do."""
    own = catalyst.frame(leaf.operator.plan)
    terms = terms_of(own.schema)
    if leaf.in_files:
        terms.append(Term("file", "_record.file", None, "string", place=True))
    width = len(own.columns)
    mine = records.toDF(*(f"c{i}" for i in range(width)), "_record")
    others = _others(catalyst, leaf, width)
    culprits = _sample(mine, count, terms)
    known = set(_places(culprits))
    rest = _sample(others, None, terms)
    rest = rest[[place not in known for place in _places(rest)]]
    rest = rest[:_SAMPLED]
    if not len(culprits) or not len(rest):
        return []
    every = pd.concat([culprits, rest], ignore_index=True)
    culprit = np.arange(len(every)) < len(culprits)
    values: dict[Feature, Values] = {}
    for i, term in enumerate(terms):
        values |= values_of(term, {name: every[f"{name}{i}"] for name in raw_columns(term, "")})
    table = Table(
        values=values,
        culprit=culprit,
        candidate=np.ones(len(every), bool),
        weight=1.0,
        numbers=np.arange(len(every), dtype=np.int64),
    )
    found = [_counted(each, table) for each in search(table)]
    shown = best([each for each in found if each.culprits >= 0.5 * each.of_culprits], MOST_PATTERNS)
    return [
        f"{each.conjunction.text} ({each.culprits / each.of_culprits:.0%} of them, "
        f"{each.others / each.of_others:.0%} of others)"
        for each in shown
    ]


def _counted(found: Conjunction, table: Table) -> Counted:
    mask = found.mask(table)
    return Counted(
        found,
        int((mask & table.culprit).sum()),
        int(table.culprit.sum()),
        int((mask & table.other).sum()),
        int(table.other.sum()),
    )


def _others(catalyst: Catalyst, leaf: SourceLeaf, width: int) -> DataFrame:
    """Some of a source's records, whosever they are."""

    def where(_: Catalyst, root: Operator) -> Where:
        def narrow(top: Annotated) -> Any:
            plan = catalyst.project_more(top.attributes, top.plan, root.plan)
            frame = catalyst.frame(plan)
            share = F.pmod(
                F.xxhash64(*(F.col(name) for name in frame.columns[-len(top.attributes) :][:1])), F.lit(64)
            )
            return catalyst.analyzed(frame.orderBy(share).limit(2 * _SAMPLED))

        return Where(narrow, is_condition=False)

    trace = Trace(catalyst, leaf.operator, {leaf.operator: leaf}, RowsOf(where))
    return trace.records().toDF(*(f"c{i}" for i in range(width)), "_record")


def _sample(frame: DataFrame, count: int | None, terms: Sequence[Term]) -> pd.DataFrame:
    """What features are told of, of some records, and where each stands."""
    columns = [
        F.expr(sql).alias(f"{name}{i}")
        for i, term in enumerate(terms)
        for name, sql in raw_columns(term, term.inner).items()
    ]
    columns.append(F.to_json("_record").alias("place"))
    if count is not None and count > _SAMPLED:
        chance = F.pmod(F.xxhash64("_record.file", "_record.position", "_record.partition"), F.lit(1 << 20))
        frame = frame.where(chance < int((1 << 20) * _SAMPLED / count) + 1)
    fetched: pd.DataFrame = frame.select(*columns).limit(2 * _SAMPLED).toPandas()
    return fetched


def _places(rows: pd.DataFrame) -> list[str]:
    return [str(place) for place in rows["place"]]

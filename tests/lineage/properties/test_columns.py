"""Column lineage of random pipelines, held against what happens when the values of columns are changed."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from combining import Subquery, Union, join_of
from drawing import VALUES, Case, Draw, Drawing
from expressions import SPARK_TYPES, ref
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from python_functions import functions
from records import Data
from rowwise import Project
from tree import Node, Reference, Renderer, Row, Source

from bigdebug.lineage.columns import ColumnLineage
from bigdebug.lineage.output import OutputRows
from bigdebug.lineage.questions import question_about

Numbers = frozenset[int]

# How often at least something that could go wrong must have been drawn. What is drawn depends on hypothesis's
# version; this is well below what forty examples give with any.
ENOUGH = 10


@dataclass(frozen=True)
class Told:
    """The columns of a source, by number, that bigdebug tells of a pipeline."""

    values: Numbers
    deciding: Numbers


class Teller:
    """Has bigdebug tell the column lineage of pipelines; which needs tables, but nothing in them."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark
        self._udfs = functions(spark)
        self._tables: dict[tuple[str, tuple[str, ...]], DataFrame] = {}

    def lineage_of(self, case: Case) -> dict[str, Told]:
        """By source, all places where it stands together. Those that subqueries look up are left out."""
        sources = {name: self._table(name, data.types) for name, data in case.data.items()}
        frame = Renderer(self._spark, self._udfs, sources).render(case.pipeline)
        plan = frame._jdf.queryExecution().analyzed()
        question = question_about(
            self._spark, OutputRows(plan, self._spark._jsparkSession, None), lambda _: None
        )
        lineage = ColumnLineage(question.catalyst, question.root)
        looked_up = {
            name
            for node in case.pipeline.walk()
            if isinstance(node, Subquery)
            for name in node.children[1].leaves()
        }
        found: dict[str, Told] = {}
        for leaf in question.sources.values():
            name = leaf.columns[0].split("_")[0]
            values, deciding = map(_numbers, lineage.of(leaf))
            told = found.get(name, Told(frozenset(), frozenset()))
            values |= told.values
            found[name] = Told(values, (told.deciding | deciding) - values)
        self._spark.catalog.clearCache()
        return {name: told for name, told in found.items() if name not in looked_up}

    def _table(self, name: str, types: tuple[str, ...]) -> DataFrame:
        if (name, types) not in self._tables:
            schema = ", ".join(f"{name}_{i} {SPARK_TYPES[kind]}" for i, kind in enumerate(types))
            self._tables[name, types] = self._spark.createDataFrame([], schema)
        return self._tables[name, types]


def _numbers(columns: tuple[str, ...]) -> Numbers:
    return frozenset(int(column.split("_")[1]) for column in columns)


@pytest.fixture(scope="module")
def teller(spark: SparkSession) -> Teller:
    return Teller(spark)


def rows_of(case: Case) -> list[Row]:
    return Reference({name: data.rows for name, data in case.data.items()}).rows(case.pipeline)


# What columns are changed to.
OTHERS: dict[str, tuple[Any, ...]] = {
    "int": (0, 1, 2, -1, None),
    "str": ("a", "b", "", None),
    "dbl": (0.0, 1.5, math.inf, None),
    "arr": ((), (1,), (1, 2), None),
    "st": ((0.0, "a"), (1.5, "b"), None),
}


def changed(case: Case, columns: Mapping[str, Numbers], seed: int) -> Case:
    """The case with other values in some columns."""
    dice = random.Random(seed)
    data = dict(case.data)
    for name, numbers in columns.items():
        types = data[name].types
        values = tuple(
            tuple(dice.choice(OTHERS[types[i]]) if i in numbers else value for i, value in enumerate(record))
            for record in data[name].values
        )
        data[name] = replace(data[name], values=values)
    return Case(case.pipeline, data)


class Wide(Drawing):
    """Sources with columns to spare, and the pipeline's last word a few of its columns."""

    def source(self, types: tuple[str, ...] | None = None) -> Node:
        if types is None:
            types = (
                "int",
                *self.draw(st.lists(st.sampled_from(sorted(SPARK_TYPES)), min_size=2, max_size=3)),
            )
        record = st.tuples(*(VALUES[kind] for kind in types))
        values = tuple(self.draw(st.lists(record, min_size=4, max_size=7)))
        name = f"s{len(self.data)}"
        self.data[name] = Data("list", types, 1000 * (len(self.data) + 1), values)
        return Source((), name=name, columns=types)

    def case(self) -> Case:
        node = self.source()
        for _ in range(self.one((1, 2, 3, 4))):
            node = self.operator(node)
        kept = self.draw(st.lists(st.sampled_from(range(len(node.types))), min_size=1, max_size=2))
        columns = tuple(ref(i, node.types[i]) for i in kept)
        return Case(Project((node,), self.dialect(), columns), self.data)


class WideByRow(Wide):
    """Pipelines whose rows are each told by their records: one, or one of each side of a join."""

    def operator(self, child: Node) -> Node:
        makers = [self._filter, self._filter, self._project, self._joined, self._beside]
        node: Node = self.one(makers)(child)
        return node

    def _joined(self, child: Node) -> Node:
        other = self.source()
        pairs = [(i, j) for i, a in enumerate(child.types) for j, b in enumerate(other.types) if a == b]
        how = self.one(("inner", "semi", "anti")) if pairs else "cross"
        on = ((*self.one(pairs), self.one(("=", "<=>", "<"))),) if pairs else ()
        return join_of(how, children=(child, other), dialect=self.dialect(), on=on)

    def _beside(self, child: Node) -> Node:
        return Union((child, self.source(child.types)), self.dialect())


@st.composite
def cases_of(draw: Draw, kind: type[Wide]) -> Case:
    return kind(draw).case()


def test_a_column_that_is_not_told_changes_nothing(teller: Teller) -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=40)
    @given(case=cases_of(Wide), seed=st.integers(0, 1000))
    def judged(case: Case, seed: int) -> None:
        unused = {
            name: frozenset(range(len(case.data[name].types))) - told.values - told.deciding
            for name, told in teller.lineage_of(case).items()
        }
        before, after = rows_of(case), rows_of(changed(case, unused, seed))
        assert Counter(values for values, _ in after) == Counter(values for values, _ in before)
        seen["pipelines that give rows and leave columns out"] += bool(before) and any(unused.values())
        seen["columns"] += sum(len(data.types) for data in case.data.values())
        seen["columns changed"] += sum(map(len, unused.values()))

    judged()
    assert seen["pipelines that give rows and leave columns out"] >= ENOUGH, seen


def test_a_column_that_only_decides_changes_no_row_that_stays(teller: Teller) -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=40)
    @given(case=cases_of(WideByRow), seed=st.integers(0, 1000))
    def judged(case: Case, seed: int) -> None:
        deciding = {name: told.deciding for name, told in teller.lineage_of(case).items()}
        before = {records: values for values, records in rows_of(case)}
        after = {records: values for values, records in rows_of(changed(case, deciding, seed))}
        for records in before.keys() & after.keys():
            assert before[records] == after[records]
            seen["rows stayed"] += 1
        seen["rows came or went"] += len(before.keys() ^ after.keys())
        seen["columns changed"] += sum(map(len, deciding.values()))

    judged()
    assert min(seen[what] for what in ("rows stayed", "rows came or went", "columns changed")) >= ENOUGH, seen

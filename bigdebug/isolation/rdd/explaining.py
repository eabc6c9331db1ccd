"""The records of RDDs' sources, as patterns are told of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import pyarrow as pa
from pyroaring import FrozenBitMap
from pyspark.sql import DataFrame
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from bigdebug.isolation.drawn import some_of
from bigdebug.isolation.explaining import HELD, USUAL, Pattern, Told, patterns_of
from bigdebug.isolation.features import Term, terms_of
from bigdebug.isolation.rdd import forms
from bigdebug.isolation.rdd.candidates import RddCandidates, RddStand, bits_of, session_of
from bigdebug.isolation.rdd.forms import Part
from bigdebug.lineage.asking import jobs_of_ours
from bigdebug.lineage.pinned import pinned_session
from bigdebug.lineage.rdd.travelling import travelling

_LOOKED_AT = 200
"""Records of either kind that tell what parts elements have."""
_PLACES = "_record struct<file: string, position: bigint, partition: int>"


def explain_elements(
    candidates: RddCandidates, culprits: FrozenBitMap, behind: FrozenBitMap
) -> tuple[Pattern, ...]:
    """Patterns of culprits, the most telling of each source first.

    Args:
        candidates: of all failing elements.
        culprits: their numbers.
        behind: numbers of the candidates of the elements that the culprits are of.
    """
    found: list[Pattern] = []
    with jobs_of_ours(candidates.trace.context, "what the culprits share"), travelling(forms):
        for stand in candidates.stands:
            mine = culprits & stand.numbers
            if mine:
                others = (behind & stand.numbers) - mine
                told = ElementsOfStand(candidates, stand, mine, some_of(others)).told()
                try:
                    found += patterns_of(told, len(others))
                finally:
                    told.frame.unpersist()
    return tuple(found)


class ElementsOfStand:
    """The records of a source, as patterns are told of them.

    Args:
        candidates: of all failing elements.
        stand: those of the source.
        culprits: their numbers.
        others: numbers of those that they are told from.

    Attributes:
        spark: a session aside.
    """

    def __init__(
        self,
        candidates: RddCandidates,
        stand: RddStand,
        culprits: FrozenBitMap,
        others: FrozenBitMap,
    ) -> None:
        self._stand = stand
        self._culprits, self._others = culprits, others
        # A session aside: what is asked here is none of the program's outputs.
        self.spark = pinned_session(session_of(candidates.trace)).spark
        some = [*stand.places_of(culprits)[:_LOOKED_AT], *stand.places_of(others)[:_LOOKED_AT]]
        self._parts = forms.parts_of([each.value for each in candidates.trace.located(stand.leaf, some)])

    def told(self) -> Told:
        """The culprits, and the others. What is told is kept in Spark until its frame is let go."""
        stand = self._stand
        wanted = [bits_of(stand.placed(numbers)) for numbers in (self._others, self._culprits)]
        numbered = forms.numbered_parts(
            self._parts, stand.starts(), bits_of(stand.places), wanted, stand.leaf.first_positions()
        )
        usual = partial(self._usual, self._schema) if stand.count < USUAL else None
        few = len(self._culprits) + len(self._others) <= HELD
        return self._told(self._frame(numbered, few=few), len(self._others), usual)

    def told_of_all(self) -> Told:
        """The culprits, and whatever else the source holds."""
        stand = self._stand
        culprits = bits_of(stand.placed(self._culprits))
        numbered = forms.all_parts(
            self._parts, stand.starts(), bits_of(stand.places), culprits, stand.leaf.first_positions()
        )
        frame = self._frame(numbered, few=False)
        return self._told(frame, frame.count() - len(self._culprits), None)

    # -- inside -------------------------------------------------------------------------------------

    @cached_property
    def _schema(self) -> T.StructType:
        return T.StructType.fromDDL(", ".join(f"c{i} {_type(each)}" for i, each in enumerate(self._parts)))

    def _told(self, frame: DataFrame, others: int, usual: Callable[[], DataFrame] | None) -> Told:
        schema = self._schema
        labelled = T.StructType(
            [
                T.StructField(part.label, field.dataType)
                for part, field in zip(self._parts, schema, strict=True)
            ]
        )
        terms = [replace(term, outer=None) for term in terms_of(labelled)]
        return Told(
            source=self._stand.leaf.name,
            frame=frame,
            terms=(*terms, *self._places()),
            line=terms[0] if [each.kind for each in self._parts] == ["string"] else None,
            culprits=len(self._culprits),
            others=others,
            usual=usual,
        )

    def _frame(self, numbered: Callable[..., Any], *, few: bool) -> DataFrame:
        columns = T.StructType(
            [*self._schema, *T.StructType.fromDDL(f"number bigint, culprit int, {_PLACES}")]
        )
        rows = self._stand.leaf.rdd.mapPartitionsWithIndex(numbered)
        if few:
            return self._of_rows(rows.collect(), columns)
        # Kept for what follows: patterns are proposed, then counted.
        return self.spark.createDataFrame(rows, columns, verifySchema=False).persist()

    def _usual(self, schema: T.StructType) -> DataFrame:
        """Records of the source, whether or not they are candidates."""
        alone = forms.parts_alone(self._parts)
        rows = [alone(element) for element in self._stand.leaf.rdd.take(USUAL)]
        return self._of_rows(rows, schema)

    def _of_rows(self, rows: list[Any], schema: T.StructType) -> DataFrame:
        """A few rows, in the plan itself where Arrow takes them as Spark does."""
        # Of which zone a time is, Spark knows.
        if not any(isinstance(field.dataType, T.TimestampType) for field in schema):
            names = schema.fieldNames()
            try:
                dicts = [dict(zip(names, row, strict=True)) for row in rows]
                table = pa.Table.from_pylist(dicts, to_arrow_schema(schema))
            except (pa.ArrowException, ValueError, TypeError):  # a text that isn't one
                pass
            else:
                return self.spark.createDataFrame(table, schema)
        return self.spark.createDataFrame(rows, schema, verifySchema=False)

    def _places(self) -> list[Term]:
        if self._stand.leaf.whole_files:
            return []
        where = "partition" if self._stand.leaf.splits is None else "file"
        return [
            Term(where, f"_record.{where}", None, "int" if where == "partition" else "string", place=True),
            Term("position", "_record.position", None, "bigint", place=True),
        ]


def _type(part: Part) -> str:
    return "string" if part.kind == "text" else part.kind

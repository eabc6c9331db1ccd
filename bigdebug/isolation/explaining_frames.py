"""The records of DataFrames' sources, as patterns are told of them."""

from __future__ import annotations

from pyroaring import FrozenBitMap
from pyspark.sql import DataFrame

from bigdebug.isolation.candidate_set import CandidateSet
from bigdebug.isolation.candidates import Candidates
from bigdebug.isolation.explaining import USUAL, Pattern, Told, patterns_of
from bigdebug.isolation.features import Term, kind_of, terms_of
from bigdebug.isolation.gathering import Stand
from bigdebug.lineage.asking import asking
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.records import SourceRecords
from bigdebug.lineage.segments import RowSet, local_relation, wrapped

_FETCHED = 10_000
"""Records that are held in Spark's plan."""


def explain(
    catalyst: Catalyst, candidates: CandidateSet, culprits: FrozenBitMap, behind: FrozenBitMap
) -> tuple[Pattern, ...]:
    """Patterns of culprits, the most telling of each source first.

    Args:
        catalyst: of the pinned session.
        candidates: of all rows.
        culprits: their numbers.
        behind: numbers of the candidates of the rows that the culprits are of.
    """
    found: list[Pattern] = []
    with asking(catalyst, "what the culprits share"):
        others = behind - culprits
        kept, some = candidates.some(culprits, others)
        for stand in kept.stands:
            mine = culprits & stand.numbers
            if mine:
                told = _told(catalyst, kept, stand, mine, some & stand.numbers)
                found += patterns_of(told, len(others & stand.numbers))
    return tuple(found)


def _told(
    catalyst: Catalyst, candidates: Candidates, stand: Stand, culprits: FrozenBitMap, others: FrozenBitMap
) -> Told:
    leaf = stand.leaf
    schema = catalyst.frame(leaf.operator.plan).schema
    terms = terms_of(schema)
    return Told(
        source=leaf.name,
        frame=_frame(catalyst, candidates, stand, culprits, others),
        terms=(*terms, *places_of(leaf)),
        line=terms[0] if len(schema) == 1 and kind_of(schema[0].dataType) == "string" else None,
        culprits=len(culprits),
        others=len(others),
        usual=None if stand.count >= USUAL or not leaf.has_positions else lambda: _usual(catalyst, leaf),
    )


def _frame(
    catalyst: Catalyst, candidates: Candidates, stand: Stand, culprits: FrozenBitMap, others: FrozenBitMap
) -> DataFrame:
    plan, part, identity = candidates.parted(stand, [others, culprits])
    own = catalyst.output(stand.leaf.operator.plan)
    named = [(f"c{i}", column) for i, column in enumerate(own)]
    value = catalyst.struct([*named, ("number", stand.number), ("culprit", part)])
    valued = catalyst.project([identity, catalyst.alias(value, fresh_name("value"))], plan)
    count = len(others) + len(culprits)
    few = count <= _FETCHED
    if few:
        valued = local_relation(catalyst, valued.output(), wrapped(catalyst, catalyst.rows(valued)))
    return SourceRecords(catalyst, stand.leaf, RowSet(catalyst, valued, count, few)).frame()


def places_of(leaf: SourceLeaf) -> list[Term]:
    """What says where records of a source stand."""
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


def _usual(catalyst: Catalyst, leaf: SourceLeaf) -> DataFrame:
    """Records of the source, whether or not they are candidates."""
    plan = catalyst.frame(catalyst.limit(USUAL, leaf.operator.plan))
    return plan.toDF(*(f"c{i}" for i in range(len(plan.columns))))

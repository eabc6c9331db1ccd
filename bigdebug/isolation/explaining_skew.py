"""What the records of groups that hold too much share, where the groups are balanced without those that have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from functools import partial, reduce

import pandas as pd
from pyroaring import FrozenBitMap
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from bigdebug.isolation.candidates import Candidates
from bigdebug.isolation.explaining import Pattern, Told, patterns_of
from bigdebug.isolation.explaining_frames import places_of
from bigdebug.isolation.failing import Identity
from bigdebug.isolation.features import terms_of
from bigdebug.isolation.gathering import Stand
from bigdebug.isolation.same_records import compared
from bigdebug.isolation.weighing import Numbers, Weights
from bigdebug.lineage.asking import asking
from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.identity import annotate_leaf
from bigdebug.lineage.records import SourceRecords
from bigdebug.lineage.segments import RowSet

Held = Mapping[Identity, tuple[Numbers, Weights]]
"""By group the numbers of its records, and what each adds to it."""


def explain_skew(
    catalyst: Catalyst, candidates: Candidates, held: Held, limit: float, keys: Set[str]
) -> tuple[Pattern, ...]:
    """Patterns without whose records a group no longer holds too much, the most telling first.

    They are told of all records of heavy groups: of records that weigh the same the fewest that must go are any.

    Args:
        catalyst: of the pinned session.
        candidates: the records of the heavy groups.
        held: by heavy group what it holds.
        limit: more is too much.
        keys: names of columns that the groups are told by, which say nothing more.
    """
    found: list[Pattern] = []
    with asking(catalyst, "what the records of heavy groups share"):
        for stand in candidates.stands:
            groups = [
                each for each in held.values() if FrozenBitMap(each[0].astype("uint32")) & stand.numbers
            ]
            if groups:
                found += patterns_of(_told(catalyst, stand, groups, limit, keys))
    return tuple(found)


def _told(
    catalyst: Catalyst,
    stand: Stand,
    groups: Sequence[tuple[Numbers, Weights]],
    limit: float,
    keys: Set[str],
) -> Told:
    leaf = stand.leaf
    numbers = FrozenBitMap().union(*(FrozenBitMap(each.astype("uint32")) for each, _ in groups))
    every = int(catalyst.frame(leaf.operator.plan).count())
    terms = [
        term
        for term in terms_of(catalyst.frame(leaf.operator.plan).schema)
        if not keys & {label.split(".")[0] for label in term.about or (term.label,)}
    ]
    files = [place for place in places_of(leaf) if place.label == "file"]
    return Told(
        source=leaf.name,
        frame=_frame(catalyst, stand, numbers, every),
        terms=(*terms, *files),
        line=None,
        culprits=len(numbers),
        others=every - len(numbers),
        usual=None,
        enough=partial(balances, catalyst.spark, groups, limit),
    )


def _frame(catalyst: Catalyst, stand: Stand, heavy: FrozenBitMap, every: int) -> DataFrame:
    """All records of a source: those of heavy groups with their numbers, the others with any below 0."""
    leaf = stand.leaf
    known = catalyst.frame(catalyst.project([stand.id, stand.number], stand.plan))
    names = [fresh_name("known") for _ in compared(leaf, F.col(known.columns[0]))]
    number = fresh_name("number")
    known = known.select(
        *(
            part.alias(name)
            for part, name in zip(compared(leaf, F.col(known.columns[0])), names, strict=True)
        ),
        F.col(known.columns[1]).alias(number),
    )
    annotated = annotate_leaf(catalyst, leaf, valued=False)
    own = catalyst.output(leaf.operator.plan)
    frame = catalyst.frame(catalyst.project([*own, annotated.id], annotated.plan))
    parts = compared(leaf, F.col(str(annotated.id.name())))
    same = reduce(Column.__and__, (a == F.col(b) for a, b in zip(parts, names, strict=True)))
    other = -1 - F.pmod(F.xxhash64(*parts), F.lit(1 << 40))
    culprit = F.col(number).isNotNull()
    marks = (F.coalesce(number, other).alias(number), culprit.cast("int").alias(fresh_name("culprit")))
    plan = catalyst.analyzed(frame.join(known, same, "left").select(*frame.columns, *marks))
    *own, identity, numbered, heavier = catalyst.output(plan)
    named = [(f"c{i}", column) for i, column in enumerate(own)]
    value = catalyst.struct([*named, ("number", numbered), ("culprit", heavier)])
    valued = catalyst.project([identity, catalyst.alias(value, fresh_name("value"))], plan)
    return SourceRecords(catalyst, leaf, RowSet(catalyst, valued, every, False)).frame()


def balances(
    spark: SparkSession,
    groups: Sequence[tuple[Numbers, Weights]],
    limit: float,
    frame: DataFrame,
    fits: Sequence[Column],
) -> list[bool]:
    """Of each condition, whether some group holds no more than the limit without the records that fulfil it.

    Args:
        spark: the session of the frame.
        groups: the numbers of the records of each, and what these add to it.
        limit: more is too much.
        frame: the records, by `number`.
        fits: the conditions.
    """
    parts = [
        pd.DataFrame({"number": numbers.astype("int64"), "group": i, "weight": weights.astype("float64")})
        for i, (numbers, weights) in enumerate(groups)
    ]
    held = spark.createDataFrame(pd.concat(parts), "number bigint, group bigint, weight double")
    left = [F.sum(F.when(~fit, F.col("weight")).otherwise(0.0)).alias(f"n{i}") for i, fit in enumerate(fits)]
    rows = frame.join(F.broadcast(held), "number").groupBy("group").agg(*left).collect()
    return [any(row[f"n{i}"] <= limit for row in rows) for i in range(len(fits))]

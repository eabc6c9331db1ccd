"""What the records of an RDD's heavy groups share, where the groups are balanced without those that have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd
from pyroaring import FrozenBitMap
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bigdebug.isolation.explaining import Pattern, patterns_of
from bigdebug.isolation.explaining_skew import balances
from bigdebug.isolation.features import Term
from bigdebug.isolation.rdd import forms
from bigdebug.isolation.rdd.candidates import RddCandidates
from bigdebug.isolation.rdd.explaining import ElementsOfStand
from bigdebug.isolation.weighing import Numbers, Weights
from bigdebug.lineage.asking import jobs_of_ours
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.travelling import travelling

Held = Mapping[tuple[Any, RddOperator], pd.DataFrame]
"""By key of a group and source the `partition`, `place` and `weight` of each record."""


def explain_rdd_skew(candidates: RddCandidates, held: Held, limit: float) -> tuple[Pattern, ...]:
    """Patterns without whose records a group no longer holds too much, the most telling first.

    Args:
        candidates: the records of the heavy groups.
        held: what these hold.
        limit: more is too much.
    """
    found: list[Pattern] = []
    with jobs_of_ours(candidates.trace.context, "what the records of heavy groups share"), travelling(forms):
        for stand in candidates.stands:
            groups = {
                key: (
                    stand.numbers_of(*table[["partition", "place"]].to_numpy().T),
                    table["weight"].to_numpy(),
                )
                for (key, source), table in held.items()
                if source is stand.leaf.operator
            }
            if not groups:
                continue
            numbers = FrozenBitMap().union(
                *(FrozenBitMap(each.astype("uint32")) for each, _ in groups.values())
            )
            elements = ElementsOfStand(candidates, stand, numbers, FrozenBitMap())
            told = elements.told_of_all()
            try:
                found += patterns_of(
                    replace(
                        told,
                        enough=partial(balances, elements.spark, list(groups.values()), limit),
                        known=partial(_known, elements.spark, groups, told.line),
                    )
                )
            finally:
                told.frame.unpersist()
    return tuple(found)


def _known(
    spark: SparkSession,
    groups: Mapping[Any, tuple[Numbers, Weights]],
    line: Term | None,
    frame: DataFrame,
    terms: Sequence[Term],
) -> list[bool]:
    """Of each term, whether it says nothing more: it is the key of all groups, or a part of it, or a position."""
    parts = [
        pd.DataFrame({"number": numbers.astype("int64"), "key": [_texts(key)] * len(numbers)})
        for key, (numbers, _) in groups.items()
    ]
    keys = spark.createDataFrame(pd.concat(parts), "number bigint, key array<string>")
    # What else a line holds its fields tell.
    has_fields = any(term.label.startswith("field ") for term in terms)
    same = [
        F.bool_and(F.array_contains("key", F.expr(term.inner).cast("string"))).alias(f"n{i}")
        for i, term in enumerate(terms)
    ]
    (row,) = frame.join(F.broadcast(keys), "number").agg(*same).collect()
    return [
        bool(row[f"n{i}"])
        or (has_fields and line is not None and term == line)
        or (term.place and term.label != "file")
        for i, term in enumerate(terms)
    ]


def _texts(key: Any) -> list[str]:
    parts = key if isinstance(key, tuple) else (key,)
    return [str(part) for part in parts if part is not None]

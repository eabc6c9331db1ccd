"""Which candidates to suspect first: those with the most extreme values in what the aggregates are made of.

Of a sum, a mean, a minimum, a maximum or a quantile a record moves the more the further its value lies out; so orders
of the candidates by these values are what a search tries first. They only propose: replays decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from bigdebug.isolation.candidates import Candidates
from bigdebug.isolation.ranking import Ranking, standing_apart
from bigdebug.lineage.annotate import Annotator
from bigdebug.lineage.asking import raise_if_interrupted
from bigdebug.lineage.catalyst import Catalyst, class_name, fresh_name
from bigdebug.lineage.identity import SourceLeaf
from bigdebug.lineage.operators import Operator

MOST_COLUMNS = 6
MOST_CANDIDATES = 1_000_000
"""Of more candidates the values aren't fetched."""

_NUMBERS = frozenset({"tinyint", "smallint", "int", "bigint", "float", "double"})


def orders_of(
    catalyst: Catalyst, root: Operator, sources: Mapping[Operator, SourceLeaf], candidates: Candidates
) -> list[Ranking]:
    """Orders of the candidates, by the values that aggregates over them are made of; none where there are none.

    Args:
        catalyst: of the pinned session.
        root: the dataflow over nothing but the candidates, whose ids are their numbers.
        sources: its sources.
        candidates: the records.
    """
    if candidates.count > MOST_CANDIDATES:
        return []
    annotator = Annotator(catalyst, sources)
    found: list[Ranking] = []
    for operator in root.walk():
        if operator.kind != "Aggregate" or len(found) >= 3 * MOST_COLUMNS:
            continue
        values = list(_values(catalyst, operator))[:MOST_COLUMNS]
        below = annotator.annotate(operator.child)
        ids = [column.id for column in below.ids if isinstance(column.origin, SourceLeaf)]
        if not values or not ids:
            continue
        named = [catalyst.alias(each, fresh_name("value")) for each in values]
        plan = catalyst.project([*ids, *named], below.plan)
        try:
            found += list(_orders(catalyst, plan, len(ids)))
        except PySparkException:
            raise_if_interrupted()
            continue  # they only propose
    return found


def _values(catalyst: Catalyst, aggregate: Operator) -> Iterator[Any]:
    """The numbers that its functions take, as expressions over its input; each once."""
    seen: set[str] = set()

    def inputs(expression: Any) -> Iterator[Any]:
        if class_name(expression) == "AggregateExpression":
            for taken in catalyst.items(expression.aggregateFunction().children()):
                kind = str(taken.dataType().catalogString())
                if not taken.foldable() and (kind in _NUMBERS or kind.startswith("decimal")):
                    yield taken
            return
        for child in catalyst.items(expression.children()):
            yield from inputs(child)

    for column in catalyst.items(aggregate.plan.aggregateExpressions()):
        for taken in inputs(column):
            text = str(taken.canonicalized().toString())
            if text not in seen:
                seen.add(text)
                yield taken


def _orders(catalyst: Catalyst, plan: Any, ids: int) -> Iterator[Ranking]:
    frame = catalyst.frame(plan)
    # A record of another source that many rows are joined with has the extremes of all of them: each source has
    # orders of its own.
    sources = enumerate(frame.columns[:ids])
    pairs = [F.struct(F.lit(i).alias("source"), F.col(name).alias("number")) for i, name in sources]
    values = [F.col(name).cast("double") for name in frame.columns[ids:]]
    of_each = frame.select(F.explode(F.array(*pairs)).alias("record"), *values)
    extremes = [
        extreme(name).alias(f"{name}_{extreme.__name__}")
        for name in of_each.columns[1:]
        for extreme in (F.min, F.max)
    ]
    record = (F.col("record.source").alias("source"), F.col("record.number").alias("number"))
    found = of_each.where("record.number is not null").groupBy(*record).agg(*extremes).toPandas()
    for _, table in found.groupby("source"):
        yield from _of_source(table, of_each.columns[1:])


def _of_source(table: pd.DataFrame, names: Sequence[str]) -> Iterator[Ranking]:
    number = table["number"].to_numpy().astype(np.uint32)
    for name in names:
        low, high = (table[f"{name}_{part}"].to_numpy(dtype=float) for part in ("min", "max"))
        there = ~np.isnan(low)
        if not there.any() or np.nanmin(low) == np.nanmax(high):
            continue
        middle = np.median(high[there])
        out = np.maximum(np.abs(low - middle), np.abs(high - middle))
        for score in (low, -high, -out):
            order = np.argsort(score[there], kind="stable")
            yield Ranking.of(number[there][order], standing_apart(score[there][order]))

"""The first rows of many and how many there are, in one pass."""

from __future__ import annotations

from typing import Any

from pyspark.sql import functions as F

from bigdebug.lineage.catalyst import Catalyst, fresh_name
from bigdebug.lineage.segments import local_relation, wrapped


def first_and_count(catalyst: Catalyst, plan: Any, most: int) -> tuple[Any, int]:
    """The first rows of a plan, up to so many, as a `LocalRelation` with its attributes; and how many it has.

    A limit would end the pass early, and counting would be another one: here each task keeps its first rows while it
    counts all.
    """
    counted, place = fresh_name("counted"), fresh_name("place")
    observed = catalyst.frame(plan).observe(counted, F.count(F.lit(1)).alias("count"))
    placed = observed.withColumn(place, F.monotonically_increasing_id())
    execution = placed.orderBy(place).limit(most).drop(place)._jdf.queryExecution()
    rows = execution.executedPlan().executeCollect()
    metrics = execution.observedMetrics().get(counted)
    # Where Spark sees beforehand that there are none it counts nothing.
    count = int(metrics.get().getLong(0)) if metrics.isDefined() else len(rows)
    # Spark gives what occurs twice in a plan new ids: they are the same columns.
    return local_relation(catalyst, plan.output(), wrapped(catalyst, rows)), count

"""Elements of RDDs as a table: where each stands, and what it is."""

import json
from typing import TYPE_CHECKING, Any

from bigdebug.lineage import value_text as values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


PLACE = ("file", "partition", "position")
"""The columns that order the records of a source."""

_COLUMNS = "file string, position bigint, partition int, value string"


def element_table(spark: "SparkSession", trace: Any, source: str) -> "DataFrame":
    """A frame of all records of a source: file, position, partition, and the value: text as it is, else JSON.

    Args:
        spark: the session that the trace's context belongs to.
        trace: whose records, which are an RDD's.
        source: their source's name.
    """
    from bigdebug.lineage.rdd.travelling import travelling  # loads PySpark

    def row(record: tuple[Any, ...]) -> tuple[Any, ...]:
        value = record[3]
        text = value if isinstance(value, str) else json.dumps(values.json_value(value), ensure_ascii=False)
        return *record[:3], text

    with travelling(values):
        return spark.createDataFrame(trace.placed_records(source).map(row), _COLUMNS, verifySchema=False)

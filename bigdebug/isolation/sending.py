"""Send a few rows to Spark, again and again, in less time than `createDataFrame` takes."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import pyarrow as pa
from pyspark.sql.pandas.types import from_arrow_type
from pyspark.sql.types import StructType

from bigdebug.lineage.catalyst import Catalyst


class Sending:
    """Makes plans of rows that are at hand.

    `createDataFrame` writes a file that the JVM reads again, and looks up by name each time what reads it; that takes
    twice as long as all else. Here the bytes go along with the call.

    Args:
        catalyst: of the pinned session.
    """

    def __init__(self, catalyst: Catalyst) -> None:
        self._catalyst = catalyst

    def plan(self, rows: pa.RecordBatch) -> Any:
        """The JVM plan of some rows: a `LocalRelation`, unless they are more than Spark holds in a plan."""
        schema = StructType()
        for field in rows.schema:
            schema.add(field.name, from_arrow_type(field.type), field.nullable)
        batches = self._list()
        batches.add(rows.serialize().to_pybytes())
        sent = self._collections.asScala(batches.iterator())
        frame = self._utils.toDataFrame(sent, schema.json(), self._catalyst.jsession)
        return frame.queryExecution().analyzed()

    @cached_property
    def _list(self) -> Any:
        return self._catalyst.jvm.java.util.ArrayList

    @cached_property
    def _collections(self) -> Any:
        return self._catalyst.jvm.scala.jdk.javaapi.CollectionConverters

    @cached_property
    def _utils(self) -> Any:
        """What PySpark itself makes frames of Arrow's batches with."""
        return self._catalyst.jvm.org.apache.spark.sql.api.python.PythonSQLUtils

"""Values that PySpark has no way to hand over to Python, such as intervals of months: as texts."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    CalendarIntervalType,
    DataType,
    MapType,
    StringType,
    StructField,
    StructType,
    YearMonthIntervalType,
)

_UNTOLD = (CalendarIntervalType, YearMonthIntervalType)


def spelled_out(frame: DataFrame) -> DataFrame:
    """The same rows, to be collected: such values as Spark spells them, wherever in a column they stand."""
    schema = frame.schema
    told = _told(schema)
    if told == schema:
        return frame
    columns = [F.col(f"`{field.name}`").cast(field.dataType).alias(field.name) for field in told]
    return frame.select(*columns)


def _told(kind: DataType) -> DataType:
    if isinstance(kind, _UNTOLD):
        return StringType()
    if isinstance(kind, StructType):
        return StructType([StructField(f.name, _told(f.dataType), f.nullable, f.metadata) for f in kind])
    if isinstance(kind, ArrayType):
        return ArrayType(_told(kind.elementType), kind.containsNull)
    if isinstance(kind, MapType):
        return MapType(_told(kind.keyType), _told(kind.valueType), kind.valueContainsNull)
    return kind

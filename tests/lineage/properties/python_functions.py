"""Scalar Python functions of every kind that the Spark version has: each doubles a number."""

from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession
from pyspark.sql import functions as F


def functions(spark: SparkSession) -> dict[str, Any]:
    """By the names they are registered under."""

    def twice(number: int | None) -> int | None:
        return None if number is None else number * 2

    def twice_of_series(numbers: pd.Series) -> pd.Series:
        return numbers * 2

    def twice_of_array(numbers: pa.Array) -> pa.Array:
        return pc.multiply(numbers, 2)

    made: dict[str, Any] = {
        "plain_twice": F.udf(twice, "bigint"),
        "pandas_twice": F.pandas_udf(twice_of_series, "bigint"),
    }
    if hasattr(F, "arrow_udf"):
        made["arrow_twice"] = F.arrow_udf(twice_of_array, "bigint")
    else:
        made["arrow_twice"] = F.udf(twice, "bigint", useArrow=True)
    for name, function in made.items():
        spark.udf.register(name, function)
    return made

"""Each public method of PySpark's frames is used by a query of the collection, or there is a reason why not.

A new version of PySpark that brings a method fails here, until it is asked what its rows come from.
"""

import ast
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, DataFrameReader
from pyspark.sql.dataframe import DataFrameNaFunctions, DataFrameStatFunctions
from pyspark.sql.group import GroupedData
from pyspark.sql.tvf import TableValuedFunction

CLASSES = (
    DataFrame, GroupedData, DataFrameReader, DataFrameNaFunctions, DataFrameStatFunctions, TableValuedFunction,
)  # fmt: skip

_REASONS: dict[str, str] = {
    "an action: it gives the rows of its frame to the program": (
        "collect count explain first foreach foreachPartition head isEmpty show tail take toArrow "
        "toLocalIterator toPandas plot"
    ),
    "writes the rows of its frame": "mergeInto write writeStream writeTo",
    "gives a number or two, no rows": "approxQuantile corr cov",
    "tells of a frame": (
        "columns dtypes executionInfo inputFiles isLocal isStreaming printSchema sameSemantics schema "
        "semanticHash sparkSession storageLevel"
    ),
    "names a frame for SQL, whose queries use such names": (
        "createGlobalTempView createOrReplaceGlobalTempView createOrReplaceTempView createTempView "
        "registerTempTable"
    ),
    "changes nothing about a frame's rows": "unpersist",
    "leads on to other methods": "na stat format option options",
    "a column that names another": "colRegex metadataColumn",
    "goes on to RDDs, pandas-on-Spark and functions of tables, which have tests of their own": (
        "asTable pandas_api rdd toJSON"
    ),
    "is of streaming queries alone, whose micro-batches have tests of their own": (
        "applyInPandasWithState changes dropDuplicatesWithinWatermark transformWithState "
        "transformWithStateInPandas withWatermark"
    ),
    "the same as localCheckpoint, but for where it stores": "checkpoint",
    "the same as applyInPandas, deprecated": "apply",
    "reads files: test_every_reader_option judges each option": "csv json load orc text xml",
    "is traced where it was recorded: tests/lineage/properties/test_nearest_and_transposed.py": "transpose",
    "reads a database: tests/lineage/test_databases.py": "jdbc",
    "makes rows of no record": "collations python_worker_logs range sql_keywords",
    "makes rows of literals; of records it is used by queries in SQL": (
        "explode explode_outer inline inline_outer json_tuple posexplode posexplode_outer stack "
        "variant_explode variant_explode_outer"
    ),
}
NO_QUERY = {name: reason for reason, names in _REASONS.items() for name in names.split()}


def methods_of(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def called() -> set[str]:
    """What the collection's queries call of anything but the module of functions."""
    tree = ast.parse(Path(__file__).with_name("collection.py").read_text())
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id == "F")
    }


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_method_is_used_or_there_is_a_reason(kind: type) -> None:
    lacking = methods_of(kind) - called() - NO_QUERY.keys()
    assert not lacking, f"no query uses {kind.__name__}.{', '.join(sorted(lacking))}"


def test_no_reason_is_given_for_a_method_that_is_used_in_vain() -> None:
    every = set().union(*(methods_of(kind) for kind in CLASSES))
    newer = {"executionInfo", "changes", "python_worker_logs", "collations"}
    assert NO_QUERY.keys() - newer <= every

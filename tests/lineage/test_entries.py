"""Scala's maps of texts come over whole, whatever is in them."""

import pytest
from pyspark.sql import SparkSession

from bigdebug.lineage.catalyst import Catalyst


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"": ""},
        {
            "sep": ",",
            "quote": '"',
            "none": "",
            "lines": "a\nb\r\n",
            "nothing": "\0",
            "odd": "\x1e\0",
            "more": "\x1f",
        },
        {"a": "x\x1e\0\x1fy", "b": "z", "": "\x1e\0\x1f"},
    ],
)
def test_entries(texts: dict[str, str], spark: SparkSession) -> None:
    catalyst = Catalyst(spark)
    util = catalyst.jvm.org.apache.spark.sql.catalyst.util
    plain = catalyst.jvm.org.apache.spark.api.python.PythonUtils.toScalaMap(texts)
    for scala in (plain, catalyst.singleton(util, "CaseInsensitiveMap").apply(plain)):
        assert catalyst.entries(scala) == texts

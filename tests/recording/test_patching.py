"""PySpark's methods are wrapped so that nobody notices, and put back as they were."""

import inspect
import sys
from functools import cached_property
from pathlib import Path
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.lineage.patches import TABLE, patches


def pyspark_attributes() -> dict[str, Any]:
    """Every attribute of every class and module of PySpark."""
    found: dict[str, Any] = {}
    for module in [m for n, m in list(sys.modules.items()) if n.split(".")[0] in ("pyspark", "py4j")]:
        if not isinstance(module, ModuleType):
            continue
        for name, value in list(vars(module).items()):
            if isinstance(value, FunctionType):
                found[f"{module.__name__}.{name}"] = value
            if inspect.isclass(value):
                found |= {
                    f"{value.__module__}.{value.__qualname__}.{key}": each
                    for key, each in vars(value).items()
                    if isinstance(
                        each, FunctionType | property | cached_property | classmethod | staticmethod
                    )
                }
    return found


def test_detach_puts_pyspark_back_exactly(spark: SparkSession, tmp_path: Path) -> None:
    before = pyspark_attributes()
    with bigdebug.attach(spark, store=str(tmp_path)):
        during = pyspark_attributes()
        changed = {name for name in before if during[name] is not before[name]}
        assert len(changed) > 150
        spark.range(3).collect()
    after = pyspark_attributes()
    assert {name for name in before if after[name] is not before[name]} == set()


def test_wrappers_look_like_what_they_wrap(spark: SparkSession, session: bigdebug.Session) -> None:
    wrapped = list(patches.methods())
    assert len(wrapped) > 150
    for owner, name, _ in wrapped:
        method = vars(owner)[name]
        method = getattr(method, "func", method)  # of a property that is computed once
        original = method.__wrapped__
        assert inspect.signature(method) == inspect.signature(original)
        assert (method.__name__, method.__doc__, method.__module__, method.__qualname__) == (
            original.__name__, original.__doc__, original.__module__, original.__qualname__,
        )  # fmt: skip


def test_the_table_names_methods_that_exist() -> None:
    """In some supported version of PySpark; a typing error would go unnoticed otherwise."""
    newer = {
        "changes", "emptyDataFrame", "nearestByJoin", "python_worker_logs", "repartitionById",
        "transformWithState", "zip", "zipWithIndex",
    }  # fmt: skip
    here = {(f"{owner.__module__}:{owner.__qualname__}", name) for owner, name, _ in patches.methods()}
    not_handed_on = {"_joinAsOf", "checkpoint", "lateralJoin", "localCheckpoint", "toPandas"}
    missing = {
        name
        for patch in TABLE
        for name in patch.names
        if (patch.owner, name) not in here and name not in newer | not_handed_on
    }
    assert missing == set()


def test_what_somebody_else_put_in_place_stays(spark: SparkSession, tmp_path: Path) -> None:
    frame_class = type(spark.range(1))
    original = vars(frame_class)["limit"]
    session = bigdebug.attach(spark, store=str(tmp_path))
    theirs = lambda self, n: "theirs"  # noqa: E731
    frame_class.limit = theirs
    try:
        session.detach()
        assert vars(frame_class)["limit"] is theirs
    finally:
        frame_class.limit = original


def test_spark_still_names_the_users_line_of_a_job(spark: SparkSession, session: bigdebug.Session) -> None:
    """Job descriptions in Spark's own UI come from the first frame outside PySpark."""
    from pyspark.traceback_utils import first_spark_call

    seen: list[Any] = []
    frame = spark.range(1)
    jdf = frame._jdf
    frame._jdf = SimpleNamespace(  # stands where PySpark would ask the JVM
        logicalPlan=jdf.logicalPlan, collectToPython=lambda: seen.append(first_spark_call()) or 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        frame.collect()
    assert seen[0].file == __file__
    assert seen[0].function == "collect"

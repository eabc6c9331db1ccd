"""Under `capture="full"` RDDs give what they give in plain PySpark, in as many jobs, and run functions as often."""

import re
import shutil
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rdd_cases
from pyspark.cloudpickle import register_pickle_by_value
from pyspark.core.rdd import RDD
from pyspark.sql import SparkSession
from rdd_cases import CASES, NOT_EXERCISED, RddEnv

import bigdebug

# Of PySpark, about methods that are to be left alone.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
register_pickle_by_value(rdd_cases)  # Spark's workers have no way to import it


def test_every_public_method_is_exercised_or_excused() -> None:
    public = {name for name in dir(RDD) if not name.startswith("_")}
    exercised = {*names_in(compile(Path(rdd_cases.__file__).read_text(), "cases", "exec"))}
    assert public - exercised - set(NOT_EXERCISED) == set()


def names_in(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            yield from names_in(each)


@pytest.mark.proof("RDDs under full capture, as in plain PySpark")
@pytest.mark.parametrize("name", CASES)
def test_same(name: str, spark: SparkSession, tmp_path: Path) -> None:
    plain = outcome(name, spark, tmp_path / "cases")
    with bigdebug.attach(spark, store=str(tmp_path / "store"), capture="full"):
        assert outcome(name, spark, tmp_path / "cases") == plain


def outcome(name: str, spark: SparkSession, folder: Path) -> Any:
    """All that a program could notice of a case."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        return shown(CASES[name](RddEnv(spark.sparkContext, folder)))
    except Exception as error:
        return "raised", type(error), error_text(error)


def error_text(error: Exception) -> str:
    """What is said of an error, without the way that it took through a worker."""
    text = str(error)
    of_workers = re.findall(r"^\S*(?:Error|Exception): .*$", text, flags=re.MULTILINE)
    return of_workers[0] if "Traceback" in text else text


def shown(value: Any) -> Any:
    """A result in a form that can be compared."""
    if isinstance(value, RDD):
        by = value.partitioner
        parts = value.context.runJob(value, lambda part: [repr(list(part))])  # which isn't recorded
        return type(value), by and by.numPartitions, value.getNumPartitions(), parts
    if isinstance(value, list | tuple):
        return [shown(each) for each in value]
    if isinstance(value, types.GeneratorType):
        return "generator", list(value)
    return type(value), value if isinstance(value, dict | bytes | str | int | float) else repr(value)

"""With bigdebug attached, every public method gives the results, schemas, types and exceptions of plain PySpark."""

import contextlib
import io
import itertools
import re
import traceback
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import file_cases
import frame_cases
import pandas as pd
import pyarrow as pa
import pytest
from api_cases import CASES, NOT_EXERCISED, RAISES
from api_env import Env
from pyspark.cloudpickle import register_pickle_by_value
from pyspark.sql import Column, DataFrame, GroupedData, SparkSession
from pyspark.sql.classic.dataframe import DataFrame as ClassicDataFrame
from pyspark.sql.classic.dataframe import DataFrameNaFunctions, DataFrameStatFunctions
from pyspark.sql.merge import MergeIntoWriter
from pyspark.sql.pandas.group_ops import PandasCogroupedOps
from pyspark.sql.readwriter import DataFrameReader, DataFrameWriter, DataFrameWriterV2

import bigdebug
from tests.thinned import thinned

COVERED: tuple[type, ...] = (
    ClassicDataFrame,
    DataFrameNaFunctions,
    DataFrameStatFunctions,
    GroupedData,
    PandasCogroupedOps,
    DataFrameReader,
    DataFrameWriter,
    DataFrameWriterV2,
    MergeIntoWriter,
)
_names = itertools.count(1)

for module in (frame_cases, file_cases):
    register_pickle_by_value(module)  # Spark's workers have no way to import them


@pytest.fixture(scope="module")
def folder(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where cases write, and what they need of the session."""
    made = tmp_path_factory.mktemp("same")
    spark.sparkContext.setCheckpointDir(str(made / "checkpoints"))
    return made


def test_every_public_method_is_exercised_or_excused() -> None:
    public = {
        f"{owner.__name__}.{name}" for owner in COVERED for name in dir(owner) if not name.startswith("_")
    }
    exercised = {name.partition("#")[0] for name in CASES}
    assert public - exercised - set(NOT_EXERCISED) == set()


@pytest.mark.parametrize("name", thinned(CASES, "methods of DataFrames, as in plain PySpark", 6))
def test_same(name: str, spark: SparkSession, folder: Path, tmp_path: Path) -> None:
    owner, method = name.partition("#")[0].split(".")
    classes = {each.__name__: each for each in COVERED} | {"SparkSession": SparkSession}
    if owner in classes and not hasattr(classes[owner], method):
        pytest.skip("this version of PySpark hasn't got it")
    case = CASES[name]
    plain = outcome(case, Env(spark, folder, _names))
    with bigdebug.attach(spark, store=str(tmp_path)) as session:
        env = Env(spark, folder, _names)
        attached = outcome(case, env)
        assert made_by(session, env.df) == made_by(session, env.other) == "sql"
    assert attached == plain
    raised = isinstance(plain["told"], dict) and "raised" in plain["told"]
    assert raised == (name in RAISES), plain["told"]


def made_by(session: bigdebug.Session, frame: DataFrame) -> str:
    """The operator that a frame's plan names, which none that is called on it may change."""
    tag = frame._jdf.queryExecution().analyzed().getTagValue(session._attachment.tag).get()
    node = session._recorder.node_of(tag)
    assert node is not None
    return node.operator


def outcome(case: Any, env: Env) -> dict[str, Any]:
    """All that a program could notice of a call."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            told: Any = shown(case(env))
        except Exception as error:
            told = {
                "raised": type(error),
                "message": neutral(str(error)),
                "cause": type(error.__cause__),
                "context hidden": error.__suppress_context__,
                "frames": [
                    (Path(frame.filename).name, frame.name)
                    for frame in traceback.extract_tb(error.__traceback__)
                ],
            }
    return {
        "told": told,
        "printed": neutral(printed.getvalue()),
        "warned": [(w.category, Path(w.filename).name, w.lineno) for w in warned if not _from_gc(w)],
    }


def _from_gc(warned: warnings.WarningMessage) -> bool:
    return issubclass(warned.category, ResourceWarning)


def shown(value: Any) -> Any:
    """A result in a form that can be compared."""
    if isinstance(value, DataFrame):
        rows = sorted(map(repr, value.collect()))
        return type(value), value.schema.json(), rows
    if isinstance(value, list):
        return [shown(each) for each in value]
    if isinstance(value, types.GeneratorType):
        return "generator", list(value)
    if isinstance(value, pd.DataFrame):
        return value.dtypes.astype(str).to_dict(), repr(value)
    if isinstance(value, pa.Table):
        return value.schema, value.to_pydict()
    if isinstance(value, Column | GroupedData):
        return type(value), neutral(repr(value))
    if type(value).__name__ == "RDD":
        return "RDD", sorted(value.collect())
    return type(value), value


def neutral(text: str) -> str:
    """Without what differs from call to call: expression ids, object ids, paths, table names."""
    text = re.sub(r"#\d+L?|\[\d+\]", "#", text)
    text = re.sub(r"\b(o|same_catalog|same_|data|plan_id=|same)\d+", r"\1", text)
    text = re.sub(r"0x[0-9a-f]+|/tmp/[^\s;,\]]+|Scan ExistingRDD\S*", "…", text)
    return re.sub(r"JVM stacktrace:.*", "", text, flags=re.DOTALL)


@pytest.fixture(autouse=True)
def _no_views_left(spark: SparkSession) -> Iterator[None]:
    yield
    spark.catalog.clearCache()

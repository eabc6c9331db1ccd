"""Describe data sources that users wrote in Python, and read from them again."""

from __future__ import annotations

import json
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import RecipeError, SourceChangedError
from bigdebug.lineage.failure import first_line
from bigdebug.lineage.recipe.settings import without_secrets

Description = dict[str, Any]

PYTHON_TABLE = "org.apache.spark.sql.execution.datasources.v2.python.PythonTable"


def described_python_source(catalyst: Catalyst, plan: Any) -> tuple[Description, bytes]:
    """What is needed to read from it again, and its pickled class.

    Args:
        plan: a `DataSourceV2Relation` over a `PythonTable`.

    Raises:
        RecipeError: it was given a secret, or its class lives in this process only.
    """
    table = plan.table()
    name = str(table.name())
    given = plan.options().asCaseSensitiveMap()
    options = {str(key): str(given[key]) for key in given}
    kept = without_secrets(options)
    if len(kept) < len(options):
        raise RecipeError(
            f"the data source {name} was given {', '.join(sorted(options.keys() - kept.keys()))}, "
            "and secrets aren't kept in a recipe",
            hint="trace in the running program with session.trace",
        )
    # Spark tells the class nowhere else.
    field = table.getClass().getDeclaredField("ds")
    field.setAccessible(True)
    function = field.get(table).source().dataSourceCls()
    variables = function.broadcastVars()
    if variables is not None and not variables.isEmpty():
        raise RecipeError(
            f"the data source {name} uses a Spark broadcast variable, whose value ends with the program",
            hint="trace in the running program with session.trace",
        )
    byte = catalyst.singleton(catalyst.jvm.scala.reflect, "ClassTag").Byte()
    pickled = bytes(function.command().toArray(byte))
    schema = json.loads(table.schema().json())
    return {"kind": "python", "format": name, "options": kept, "schema": schema}, pickled


def read_python_source(catalyst: Catalyst, description: Description, pickled: Any) -> DataFrame:
    """The records as the data source gives them now.

    Args:
        pickled: its class.

    Raises:
        SourceChangedError: it can't be read from any more.
    """
    context: Any = catalyst.spark.sparkContext
    includes = list(context._python_includes)
    function = catalyst.jvm.SimplePythonFunction(
        pickled,
        context.environment,
        includes,
        context.pythonExec,
        context.pythonVer,
        [],
        context._javaAccumulator,
    )
    python = catalyst.jvm.org.apache.spark.sql.execution.datasources.v2.python
    source = python.UserDefinedPythonDataSource(function)
    # In this session alone: the program may have registered another under the name.
    catalyst.jsession.sessionState().dataSourceManager().registerDataSource(description["format"], source)
    reader = catalyst.spark.read.format(description["format"])
    reader = reader.schema(StructType.fromJson(description["schema"])).options(**description["options"])
    try:
        return reader.load()
    except (PySparkException, Py4JJavaError) as error:
        raise SourceChangedError(
            f"the data source {description['format']} can't be read any more: {first_line(error)}",
            hint="what it reads from must be there for a trace, too",
        ) from error

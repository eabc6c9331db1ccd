"""Python functions within Spark's plans: what they were pickled as, and other functions in their place."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from bigdebug.lineage.catalyst import Catalyst


def command_of(catalyst: Catalyst, function: Any) -> bytes:
    """A Python function as Spark pickled it: with its return type.

    Args:
        function: the JVM expression, a `PythonUDF` or one of its kin.
    """
    tag = catalyst.singleton(catalyst.jvm.scala.reflect, "ClassTag").Byte()
    return bytes(function.func().command().toArray(tag))


def with_command(
    catalyst: Catalyst, function: Any, wrapper: Any, data_type: Any, module: ModuleType, **changes: Any
) -> Any:
    """A Python function of Spark's that runs another Python function, in the same environment.

    Args:
        function: the JVM expression.
        wrapper: what it is to run.
        data_type: what that gives, a JVM type.
        module: that the wrapper is of; it travels by value, for the workers have Spark's Python, not bigdebug.
        changes: other fields of the expression.
    """
    from pyspark import cloudpickle
    from pyspark.sql.types import _parse_datatype_json_string

    fresh = module.__name__ not in cloudpickle.list_registry_pickle_by_value()
    if fresh:
        cloudpickle.register_pickle_by_value(module)
    try:
        pickled = cloudpickle.dumps((wrapper, _parse_datatype_json_string(data_type.json())))
    finally:
        if fresh:
            cloudpickle.unregister_pickle_by_value(module)
    func = function.func()
    python = catalyst.jvm.org.apache.spark.api.python.SimplePythonFunction(
        bytearray(pickled),
        func.envVars(),
        func.pythonIncludes(),
        func.pythonExec(),
        func.pythonVer(),
        func.broadcastVars(),
        catalyst.spark.sparkContext._javaAccumulator,  # a function out of a recipe has one that nobody reads
    )
    return catalyst.copy(function, func=python, dataType=data_type, **changes)

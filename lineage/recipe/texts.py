"""The expressions of a recipe's plan as text that can be compared with another recipe's.

The numbers that Spark gives columns are left out, and a Python function is told by a digest of its code and of what
it uses, for its name stays the same whatever it does.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import cloudpickle
from pyspark.sql import SparkSession

from bigdebug.lineage.catalyst import Catalyst, class_name
from bigdebug.lineage.depth import deep_plans
from bigdebug.lineage.errors import RecipeError
from bigdebug.lineage.python_functions import functions_in
from bigdebug.lineage.recipe.archive import Recipe
from bigdebug.lineage.recipe.codec import Pieces, PlanReader
from bigdebug.lineage.recipe.function_digest import function_digest
from bigdebug.lineage.recipe.versions import require_versions
from bigdebug.lineage.segments import local_relation

_NUMBER = re.compile(r"#\d+L?\b")


def expression_texts(spark: SparkSession, recipe: Recipe) -> dict[int, tuple[str, ...]]:
    """By number of the recorded operator, what its plan computes. Nothing of the sources is looked at.

    Args:
        spark: any session.
        recipe: of a DataFrame's output.

    Raises:
        RecipeError: Spark or Python is of another minor version than the run's, or the recipe is damaged.
    """
    require_versions(spark.version, recipe.spark, recipe.python if recipe.uses_python else None)
    catalyst = Catalyst(spark)

    def no_records(_: int, output: Any) -> Any:
        return local_relation(catalyst, output, catalyst.seq([]))

    try:
        with deep_plans():
            plan = PlanReader(catalyst, Pieces.from_bytes(catalyst, recipe.pieces), no_records).read(
                recipe.skeleton
            )
            return _texts(catalyst, plan)
    except (Py4JJavaError, KeyError) as error:
        raise RecipeError(
            "the recipe is damaged, or made by another Spark", hint="run the script again"
        ) from error


def _texts(catalyst: Catalyst, plan: Any) -> dict[int, tuple[str, ...]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    waiting = [(plan, 0)]
    while waiting:
        node, number = waiting.pop()
        tag = node.getTagValue(catalyst.tag)
        told = str(tag.get()).rpartition("/")[2] if tag.isDefined() else ""
        number = int(told) if told.isdecimal() else number
        found[number] += _own(catalyst, node)
        below = catalyst.items(node.children()) + catalyst.items(node.subqueries())
        waiting += [(child, number) for child in below]
    return {number: tuple(texts) for number, texts in found.items() if texts}


def _own(catalyst: Catalyst, node: Any) -> Iterator[str]:
    """What a node does beyond handing its input's columns on."""
    if class_name(node) == "Join":
        yield str(node.joinType().sql())
    for expression in catalyst.items(node.expressions()):
        if class_name(expression) != "AttributeReference":
            yield _NUMBER.sub("", _text(expression))
            for function in functions_in(catalyst, expression):
                yield f"function {function.name()} {_digest(catalyst, function)}"


def _text(expression: Any) -> str:
    try:
        return str(expression.sql())
    except (Py4JError, Py4JJavaError):  # not all can be written as SQL
        return str(expression.toString())


def _digest(catalyst: Catalyst, function: Any) -> str:
    byte = catalyst.singleton(catalyst.jvm.scala.reflect, "ClassTag").Byte()
    command = bytes(function.func().command().toArray(byte))
    try:
        return function_digest(cloudpickle.loads(command))
    except Exception as error:  # it imports what isn't here, or fails as it does
        raise RecipeError(f"the function {function.name()} can't be read: {error}") from error

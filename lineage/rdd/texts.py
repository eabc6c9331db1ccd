"""What the operators of a recipe of RDDs were given, as text that can be compared with another recipe's."""

from __future__ import annotations

import pickle
from collections import defaultdict
from typing import Any

from pyspark.sql import SparkSession

from bigdebug.lineage.errors import RecipeError
from bigdebug.lineage.rdd.freezing import Pickled
from bigdebug.lineage.rdd.recipe import RddRecipe
from bigdebug.lineage.rdd.standins import BroadcastValue
from bigdebug.lineage.recipe.archive import Recipe
from bigdebug.lineage.recipe.function_digest import function_digest
from bigdebug.lineage.recipe.texts import expression_texts
from bigdebug.lineage.recipe.versions import require_versions

_PLAIN = (str, int, float, bool)


def argument_texts(spark: SparkSession, recipe: RddRecipe) -> dict[int, tuple[str, ...]]:
    """By number of the recorded operator its arguments: functions by a digest of what they do. Reads no source.

    Args:
        spark: any session.
        recipe: of an RDD's output, or of RDDs below a DataFrame.

    Raises:
        RecipeError: Spark or Python is of another minor version than the run's, or functions can't be opened here.
    """
    require_versions(spark.version, recipe.spark, recipe.python)
    found: defaultdict[int, list[str]] = defaultdict(list)
    try:
        arguments, _, _, broadcasts = pickle.loads(recipe.pieces)
        values = [BroadcastValue(pickle.loads(data)) for data in broadcasts]
        for described, given in zip(recipe.operators, arguments, strict=True):
            if described["frame"] is None and described["inputs"]:
                data, numbers = given
                thawed = Pickled(data, tuple(values[number] for number in numbers)).thawed()
                found[described["node"] or 0] += [
                    f"{described['kind']}: {name} {_told(thawed[name])}"
                    for name in sorted(thawed)
                    if thawed[name] is not None
                ]
    except Exception as error:  # a module that functions use isn't here, or fails as it is imported
        raise RecipeError(f"functions can't be opened: {type(error).__name__}: {error}") from error
    for frame in recipe.frames:
        for number, texts in expression_texts(spark, Recipe.from_bytes(frame)).items():
            found[number] += texts
    return {number: tuple(texts) for number, texts in found.items() if texts}


def _told(value: Any) -> str:
    return f"= {value!r}" if isinstance(value, _PLAIN) else function_digest(value)

"""Build the recipe of an action's rows, and the dataflow of a recipe."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import RecipeError, UnsupportedOperatorError
from bigdebug.lineage.lateral import laterals_joined
from bigdebug.lineage.operators import NodeLookup, mirror, normalized
from bigdebug.lineage.output import OutputRows
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.recipe.archive import Recipe
from bigdebug.lineage.recipe.codec import Pieces, PlanReader, PlanWriter
from bigdebug.lineage.recipe.functions import require_portable_functions
from bigdebug.lineage.recipe.javastream import StreamError
from bigdebug.lineage.recipe.leaves import LeafReader, LeafWriter
from bigdebug.lineage.recipe.redaction import RedactedColumns, require_absent
from bigdebug.lineage.recipe.settings import recorded_libraries, recorded_settings
from bigdebug.lineage.recipe.sqltext import without_sql_text
from bigdebug.lineage.recipe.versions import require_versions
from bigdebug.lineage.sources import names_of, sources_of


def build_recipe(
    spark: SparkSession,
    rows: OutputRows,
    lookup: NodeLookup,
    redact: frozenset[str] = frozenset(),
    folder: str | None = None,
    joints: list[RddOperator] | None = None,
) -> Recipe:
    """The recipe of an action's rows.

    Args:
        spark: a session of the context that the plan belongs to.
        rows: the plan, the settings it ran with, and which of its rows the action gave.
        lookup: gives the recorded node of a tag's value.
        redact: columns whose values are hashed before they are kept.
        folder: the script's folder.
        joints: filled with the operators that made DataFrames of RDDs among its leaves, for whoever describes
            these; None has the recipe describe them itself.

    Raises:
        RecipeError: it can't be stored; says which operator or source is the reason.
        UnsupportedOperatorError: a source of a kind that isn't understood.
    """
    catalyst = Catalyst(spark)
    optimizer = catalyst.jvm.org.apache.spark.sql.catalyst.optimizer
    plan = normalized(catalyst, rows.plan, laterals=True)  # which of its nodes are domains isn't written down
    columns = [str(column.name()) for column in catalyst.output(plan)]
    plan = catalyst.singleton(optimizer, "ComputeCurrentTime").apply(plan)
    sources = sources_of(catalyst, mirror(catalyst, laterals_joined(catalyst, plan), lookup))
    require_portable_functions(catalyst, plan)
    redacted = RedactedColumns(catalyst, plan, redact)
    redacted.require_no_values()
    pieces = Pieces(catalyst)
    leaves = LeafWriter(catalyst, pieces, lookup, redacted)
    skeleton = PlanWriter(catalyst, pieces, leaves.add).write(plan)
    below = b""
    if joints is not None:
        joints += leaves.joints
    elif leaves.joints:
        from bigdebug.lineage.rdd.recipe import build_recipe_below  # which describes DataFrames with this

        below = build_recipe_below(leaves.joints, lookup, redact, folder).to_bytes()
    recipe = Recipe(
        spark=spark.version,
        python=platform.python_version(),
        settings=recorded_settings(catalyst, rows.conf or spark._jsparkSession.sessionState().conf()),
        skeleton=skeleton,
        leaves=leaves.descriptions,
        names=[source.name for source in sources.values()],
        all_names=_all_names(catalyst, rows.plan, lookup),
        columns=columns,
        limit=rows.limit,
        tail=rows.tail,
        uses_python=catalyst.holds(plan, "PYTHON_UDF")
        or any(leaf["kind"] == "python" for leaf in leaves.descriptions),
        folder=folder,
        libraries=recorded_libraries(spark),
        pieces=_serialized(pieces),
        below=below,
    )
    if redact:
        paths = [path for leaf in recipe.leaves for path in leaf.get("paths", ())]
        redacted.require_no_paths(paths)
        require_absent(
            leaves.values, json.dumps(recipe.description(), ensure_ascii=False).encode(), recipe.pieces
        )
    return recipe


def _all_names(catalyst: Catalyst, plan: Any, lookup: NodeLookup) -> list[str] | None:
    if not catalyst.holds(plan, "PLAN_EXPRESSION"):
        return None
    try:
        root = mirror(catalyst, normalized(catalyst, plan, subqueries=False), lookup, subqueries=True)
    except UnsupportedOperatorError:
        return None
    return names_of(catalyst, root)


def _serialized(pieces: Pieces) -> bytes:
    try:
        return without_sql_text(pieces.to_bytes())
    except Py4JJavaError as error:
        reason = str(error.java_exception)
        raise RecipeError(f"the plan holds something that can't be written: {reason}") from None
    except StreamError as error:
        raise RecipeError(f"the SQL text in the plan couldn't be taken out ({error})") from None


@dataclass(frozen=True)
class Opened:
    """A recipe's dataflow, alive in a session: what `trace_rows` takes, and what has changed since."""

    rows: OutputRows
    names: list[str]
    all_names: list[str] | None
    changes: list[str]


def open_recipe(
    spark: SparkSession,
    recipe: Recipe,
    *,
    allow_changed: bool = False,
    joints: Sequence[RddOperator] = (),
    without_added: bool = False,
) -> Opened:
    """Make a recipe's dataflow in a session; its settings become the run's.

    Args:
        spark: the session.
        recipe: of an action's rows.
        allow_changed: go on where a source isn't what it was.
        joints: the operators that made DataFrames of RDDs among its leaves.
        without_added: leave out files that were added to a source since, instead of refusing it.

    Raises:
        RecipeError: Spark or Python is of another minor version than the run's, or the recipe is damaged.
        SourceChangedError: a source is gone or changed, unless that is allowed (gone never is).
    """
    require_versions(spark.version, recipe.spark, recipe.python if recipe.uses_python else None)
    conf: Any = spark._jsparkSession.sessionState().conf()
    for key, value in recipe.settings.items():
        conf.setConfString(key, value)
    catalyst = Catalyst(spark)
    try:
        pieces = Pieces.from_bytes(catalyst, recipe.pieces)
        leaves = LeafReader(
            catalyst, pieces, recipe.leaves, allow_changed, joints=joints, without_added=without_added
        )
        plan = PlanReader(catalyst, pieces, leaves.get).read(recipe.skeleton)
    except (Py4JJavaError, KeyError) as error:
        reason = str(error.java_exception) if isinstance(error, Py4JJavaError) else f"{error} is missing"
        raise RecipeError(
            f"the recipe is damaged, or made by another Spark: {reason.splitlines()[0]}",
            hint="run the script again to record a new one",
        ) from error
    rows = OutputRows(plan, spark._jsparkSession, conf.clone(), recipe.limit, recipe.tail)
    return Opened(rows, recipe.names, recipe.all_names, leaves.changes)

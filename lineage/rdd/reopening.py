"""The operators of a recipe of RDDs, alive again in another Spark, with the DataFrames between them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JJavaError

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.errors import RecipeError, SourceChangedError
from bigdebug.lineage.failure import first_line
from bigdebug.lineage.listing import differences
from bigdebug.lineage.location import plain_path
from bigdebug.lineage.pinned import made_aside
from bigdebug.lineage.rdd.files import files_now, fingerprint
from bigdebug.lineage.rdd.freezing import Pickled
from bigdebug.lineage.rdd.hadoop import read_with
from bigdebug.lineage.rdd.kinds import IN_FILES
from bigdebug.lineage.rdd.operator import FrameRows, RddOperator
from bigdebug.lineage.rdd.reading import read_again
from bigdebug.lineage.rdd.recipe import RddRecipe, opened_data
from bigdebug.lineage.rdd.standins import BroadcastValue
from bigdebug.lineage.recipe.archive import Recipe
from bigdebug.lineage.recipe.building import open_recipe

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_TOLD = 3


class Reopened:
    """A recipe's operators in a session.

    Args:
        spark: the session.
        recipe: of RDDs.
        node: gives the recorded node of a number, for an operator of that kind.
        allow_changed: go on where a source isn't what it was.

    Attributes:
        tops: the operators that it is a recipe of.
        action: the arguments of the action, where it gave only some of the elements.
        changes: what of the sources isn't what it was.

    Raises:
        RecipeError: its functions can't be opened here.
        SourceChangedError: a source isn't what it was.
    """

    def __init__(
        self,
        spark: SparkSession,
        recipe: RddRecipe,
        node: Callable[[int | None, str], Node],
        *,
        allow_changed: bool,
    ) -> None:
        self._spark = spark
        self._recipe = recipe
        self._node = node
        self._allow_changed = allow_changed
        self.changes: list[str] = []
        try:
            arguments, shared, action, broadcasts = pickle.loads(recipe.pieces)
        except Exception as error:
            raise RecipeError(
                f"the functions of the recipe can't be opened: {type(error).__name__}: {error}",
                hint="ask where the modules that they use can be imported",
            ) from error
        self._values = [BroadcastValue(pickle.loads(data)) for data in broadcasts]
        operators: list[RddOperator] = []
        for described, given, own in zip(recipe.operators, arguments, shared, strict=True):
            below = tuple(operators[number] for number in described["inputs"])
            if described["frame"] is None:
                operators.append(self._operator(described, below, given, own))
            else:
                operators.append(self._of_frame(described, below))
        self.tops = [operators[number] for number in recipe.tops]
        self.action = None if action is None else _pickled(action, self._values)

    def _operator(
        self, described: dict[str, Any], inputs: tuple[RddOperator, ...], given: Any, own: dict[str, Any]
    ) -> RddOperator:
        operator = RddOperator(
            described["kind"],
            inputs,
            {**(_pickled(given, self._values).thawed() if inputs else given), **own},
            self._spark.sparkContext,
            self._node(described["node"], described["kind"]),
        )
        if "partitions" in operator.arguments:
            operator.arguments["partitions"] = opened_data(operator.arguments["partitions"])
        if operator.kind in IN_FILES:
            self._read(operator, described)
        return operator

    def _of_frame(self, described: dict[str, Any], joints: tuple[RddOperator, ...]) -> RddOperator:
        """The operator that gives the rows of a DataFrame, which is in a session of its own with its settings."""
        session = made_aside(self._spark.newSession)
        recipe = Recipe.from_bytes(self._recipe.frames[described["frame"]])
        opened = open_recipe(session, recipe, allow_changed=self._allow_changed, joints=joints)
        operator = RddOperator(
            described["kind"], (), {}, session.sparkContext, self._node(described["node"], "rdd")
        )
        operator.frame = FrameRows(session, opened.rows, tuple(opened.names), tuple(opened.changes))
        rdd = Catalyst(session).frame(opened.rows.plan).rdd
        operator.source = rdd._jrdd, rdd._jrdd_deserializer
        return operator

    def _read(self, operator: RddOperator, described: dict[str, Any]) -> None:
        """Read a source as it was read; note what of its files isn't what it was, where that is allowed."""
        context = self._spark.sparkContext
        then = described["files"]
        known = files_now(context, [path for path, _, _ in then])
        gone = sorted({path for path, _, _ in then} - {path for path, _, _ in known})
        if gone and not (known and self._allow_changed):
            raise SourceChangedError(
                f"{plain_path(gone[0])} is gone since the run read it",
                hint="put it back where it was; the trace reads its records from there",
            )
        try:
            with read_with(context, described.get("settings")):
                rdd = read_again(operator, operator.arguments)
                operator.listed = fingerprint(operator, rdd._jrdd)
        except Py4JJavaError as error:
            raise SourceChangedError(f"{operator.described()} can't be read: {first_line(error)}") from error
        operator.source = rdd._jrdd, rdd._jrdd_deserializer
        operator.split_anew = described.get("splits") not in (None, operator.splits)
        changes = differences(then, operator.listed)
        if changes and not self._allow_changed:
            more = f", and {len(changes) - 1:,} more of its files changed, too" if changes[1:] else ""
            raise SourceChangedError(
                f"{changes[0]} since the run read it{more}", hint="--allow-changed traces it as it is now"
            )
        self.changes += [f"{change} since the run read it" for change in changes[:_TOLD]]
        if changes[_TOLD:]:
            self.changes.append(f"{len(changes) - _TOLD:,} more files of it changed, too")


def _pickled(carried: tuple[bytes, list[int]], values: list[Any]) -> Pickled:
    data, numbers = carried
    return Pickled(data, tuple(values[number] for number in numbers))

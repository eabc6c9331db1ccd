"""Questions about an RDD's output to a run whose process is long gone."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bigdebug.lineage.beside import Beside
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.errors import BigDebugError, RecipeError, SourceChangedError, UnknownNameError
from bigdebug.lineage.estimate import Estimate
from bigdebug.lineage.finding import find_source
from bigdebug.lineage.listing import differences
from bigdebug.lineage.location import plain_path
from bigdebug.lineage.output import Output
from bigdebug.lineage.rdd.conditions import predicate_of
from bigdebug.lineage.rdd.counting import elements_of_operators
from bigdebug.lineage.rdd.files import files_now, fingerprint
from bigdebug.lineage.rdd.forward import ForwardRddTrace
from bigdebug.lineage.rdd.freezing import Pickled
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.reading import read_again, sources_in
from bigdebug.lineage.rdd.recipe import RddRecipe, opened_data
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.standins import BroadcastValue
from bigdebug.lineage.rdd.trace import RddTrace, contributing_in_order
from bigdebug.lineage.recipe.versions import require_versions
from bigdebug.lineage.recomputed import Recomputed

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from bigdebug.lineage.store import StoredRun

_TOLD = 3
_NOT_YET = "ask for a trace: bigdebug trace RUN OUTPUT --where …"


class RddReplay(Recomputed):
    """An RDD's output of a recorded run, ready to be asked about.

    Args:
        spark, run, output, allow_changed, owned: as `Recomputed` has them.
        recipe: of that output.
    """

    def __init__(
        self,
        spark: SparkSession,
        run: StoredRun,
        output: Output,
        recipe: RddRecipe,
        *,
        allow_changed: bool,
        owned: bool,
    ) -> None:
        super().__init__(spark, run, output, allow_changed=allow_changed, owned=owned)
        self._recipe = recipe
        self._opened: tuple[RddRows, tuple[str, ...]] | None = None

    def estimate(self) -> Estimate:
        """What a trace will read, by the sizes of the sources' files when the run read them."""
        return Estimate(sum(size for _, size, _ in self._recipe.files), self._output.seconds)

    def trace(self, where: Any = None, beside: Beside | None = None) -> RddTrace:
        """A backward trace of the output's elements.

        Args:
            where: which of them: an expression in Python of an element `x`; None for all.
            beside: what counts as contributors, too; of an RDD nothing can.

        Raises:
            SourceChangedError: a source isn't what it was.
            BigDebugError: `where` is no Python.
        """
        if beside and (beside.windows or beside.influence):
            raise BigDebugError(
                "an RDD has neither windows nor subqueries", hint="leave out --windows and --influence"
            )
        predicate = predicate_of(where)
        rows, changes = self._rows()
        return RddTrace(rows, predicate, changes)

    def forward(self, where: Any = None, source: str | None = None) -> ForwardRddTrace:
        """A forward trace of a source's records to the output's elements.

        Args:
            where: which of the source's records: an expression in Python of a record `x`; None for all.
            source: its name, or an unambiguous stem; may be left out where there is only one.

        Raises:
            SourceChangedError: a source isn't what it was.
            UnknownNameError: there is no such source, or more than one.
            BigDebugError: `where` is no Python.
        """
        predicate = predicate_of(where)
        rows, changes = self._rows()
        sources = sources_in(contributing_in_order(rows.operator))
        if source is None and len(sources) > 1:
            raise UnknownNameError(
                "the records of which source isn't said",
                hint=f"name the one you mean with --source: {', '.join(each.name for each in sources)}",
            )
        start = sources[0] if source is None else find_source(sources, source)
        return ForwardRddTrace(start, [(rows, self._output)], predicate, changes)

    def why_not(self, where: Any) -> Any:
        """Raises BigDebugError: that isn't known of RDDs yet."""
        raise BigDebugError("why an element of an RDD is missing can't be told yet", hint=_NOT_YET)

    def rows_of_operators(self) -> dict[int, int]:
        """By number of the recorded operator, how many elements it gave for the output.

        Raises:
            SourceChangedError: a source isn't what it was.
        """
        return elements_of_operators(self._rows()[0])

    def index(self, progress: Callable[[str], None] = lambda _: None) -> Any:
        """Raises BigDebugError: RDDs can't be indexed yet."""
        raise BigDebugError("outputs of RDDs can't be indexed yet", hint=_NOT_YET)

    # -- inside -------------------------------------------------------------------------------------

    def _rows(self) -> tuple[RddRows, tuple[str, ...]]:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _open(self) -> tuple[RddRows, tuple[str, ...]]:
        """The operators, alive in this Spark, and what has changed since."""
        require_versions(self.spark.version, self._recipe.spark, self._recipe.python)
        try:
            arguments, shared, action, broadcasts = pickle.loads(self._recipe.pieces)
        except Exception as error:
            raise RecipeError(
                f"the functions of the recipe can't be opened: {type(error).__name__}: {error}",
                hint="ask where the modules that they use can be imported",
            ) from error
        values = [BroadcastValue(pickle.loads(data)) for data in broadcasts]
        operators: list[RddOperator] = []
        changes: list[str] = []
        for described, given, own in zip(self._recipe.operators, arguments, shared, strict=True):
            inputs = tuple(operators[number] for number in described["inputs"])
            operator = RddOperator(
                described["kind"],
                inputs,
                {**(_opened(given, values) if inputs else given), **own},
                self.spark.sparkContext,
                self._node(described["node"], described["kind"]),
            )
            if "partitions" in operator.arguments:
                operator.arguments["partitions"] = opened_data(operator.arguments["partitions"])
            if described["files"]:
                changes += self._compared(operator, described["files"])
            operators.append(operator)
        asked = None if action is None else _pickled(action, values)
        return RddRows(operators[-1], {}, self._recipe.action, asked), tuple(changes)

    def _node(self, number: int | None, kind: str) -> Node:
        found = self._run.nodes.get(number or 0)
        return found or Node(0, kind, self._output.call_site)

    def _compared(self, operator: RddOperator, then: Any) -> list[str]:
        """What of a source's files isn't what it was, where that is allowed."""
        context = self.spark.sparkContext
        known = files_now(context, [path for path, _, _ in then])
        gone = sorted({path for path, _, _ in then} - {path for path, _, _ in known})
        if gone and not (known and self._allow_changed):
            raise SourceChangedError(
                f"{plain_path(gone[0])} is gone since the run read it",
                hint="put it back where it was; the trace reads its records from there",
            )
        changes = differences(then, fingerprint(operator, read_again(operator, operator.arguments)._jrdd))
        if changes and not self._allow_changed:
            more = f", and {len(changes) - 1:,} more of its files changed, too" if changes[1:] else ""
            raise SourceChangedError(
                f"{changes[0]} since the run read it{more}", hint="--allow-changed traces it as it is now"
            )
        told = [f"{change} since the run read it" for change in changes[:_TOLD]]
        if changes[_TOLD:]:
            told.append(f"{len(changes) - _TOLD:,} more files of it changed, too")
        return told


def _pickled(carried: tuple[bytes, list[int]], values: list[Any]) -> Pickled:
    data, numbers = carried
    return Pickled(data, tuple(values[number] for number in numbers))


def _opened(carried: tuple[bytes, list[int]], values: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = _pickled(carried, values).thawed()
    return found

"""Questions about an RDD's output to a run whose process is long gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bigdebug.lineage.beside import Beside
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.estimate import Estimate
from bigdebug.lineage.forward import ForwardTrace
from bigdebug.lineage.output import Output
from bigdebug.lineage.rdd.conditions import predicate_of
from bigdebug.lineage.rdd.counting import elements_of_operators
from bigdebug.lineage.rdd.forward import Program, forward_from_named
from bigdebug.lineage.rdd.index.building import build_rdd_index
from bigdebug.lineage.rdd.index.reading import RddIndex
from bigdebug.lineage.rdd.mixed import MixedTrace, frames_below
from bigdebug.lineage.rdd.questions import RddQuestion
from bigdebug.lineage.rdd.recipe import RddRecipe
from bigdebug.lineage.rdd.reopening import Reopened
from bigdebug.lineage.rdd.rows import RddRows
from bigdebug.lineage.rdd.rows_again import elements_computed
from bigdebug.lineage.rdd.texts import argument_texts
from bigdebug.lineage.rdd.trace import RddTrace
from bigdebug.lineage.rdd.whynot import RddWhyNot
from bigdebug.lineage.recipe.versions import require_versions
from bigdebug.lineage.recomputed import Recomputed
from bigdebug.lineage.rows_again import RowsAgain

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from bigdebug.lineage.store import StoredRun


class RddReplay(Recomputed):
    """An RDD's output of a recorded run, ready to be asked about.

    Args:
        spark, run, output, allow_changed, owned: as `Recomputed` has them.
        recipe: of that output.

    Attributes:
        of_rdd: whether it is an RDD's.
    """

    of_rdd = True

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

    def question(self) -> RddQuestion:
        """The output, ready to be asked about.

        Raises:
            SourceChangedError: a source isn't what it was.
        """
        rows, changes = self._rows()
        return RddQuestion(rows, self._node_of, changes)

    def trace(self, where: Any = None, beside: Beside | None = None, column: str | None = None) -> RddTrace:
        """A backward trace of the output's elements.

        Args:
            where: which of them: an expression in Python of an element `x`; None for all.
            beside: what counts as contributors, too; of an RDD nothing can.
            column: elements have none.

        Raises:
            SourceChangedError: a source isn't what it was.
            BigDebugError: `where` is no Python.
        """
        if beside and (beside.windows or beside.influence):
            raise BigDebugError(
                "an RDD has neither windows nor subqueries", hint="leave out --windows and --influence"
            )
        if column is not None:
            raise BigDebugError("elements of an RDD have no columns", hint="leave out --column")
        predicate = predicate_of(where)
        rows, changes = self._rows()
        frames = frames_below([rows.operator], self._node_of)
        if not frames:
            return RddTrace(rows, predicate, changes)
        return MixedTrace([rows.operator], frames, rows, predicate, changes)

    def forward(self, where: Any = None, source: str | None = None) -> ForwardTrace:
        """A forward trace of a source's records to the output's elements.

        Args:
            where: which of the source's records: an expression in Python of a record `x`, of a source of a
                DataFrame's a condition in SQL; None for all.
            source: its name, or an unambiguous stem; may be left out where there is only one.

        Raises:
            SourceChangedError: a source isn't what it was.
            UnknownNameError: there is no such source, or more than one.
            BigDebugError: `where` is no Python.
        """
        rows, changes = self._rows()
        frames = frames_below([rows.operator], self._node_of)
        return forward_from_named(Program(self._output, rows), frames, where, source, changes)

    def why_not(self, where: Any) -> RddWhyNot:
        """Why elements of the output are missing.

        Args:
            where: what the missing elements would fulfil: an expression in Python of an element `x`.

        Raises:
            SourceChangedError: a source isn't what it was.
            BigDebugError: `where` is no Python.
        """
        rows, changes = self._rows()
        frames = frames_below([rows.operator], self._node_of)
        return RddWhyNot(rows, where, frames, changes, lookup=self._node_of)

    def rows_again(self) -> RowsAgain:
        """The elements of the output, computed again, as rows that can be compared with another run's.

        Raises:
            SourceChangedError: a source isn't what it was.
        """
        rows, changes = self._rows()
        frames = frames_below([rows.operator], self._node_of)
        return elements_computed(self.spark, rows, frames, changes)

    def expression_texts(self) -> dict[int, tuple[str, ...]]:
        """By number of the recorded operator, what it was given, as text. Reads no source.

        Raises:
            RecipeError: the recipe can't be opened here.
        """
        return argument_texts(self.spark, self._recipe)

    def rows_of_operators(self) -> dict[int, int]:
        """By number of the recorded operator, how many elements it gave for the output.

        Raises:
            SourceChangedError: a source isn't what it was.
        """
        rows, _ = self._rows()
        return elements_of_operators(
            {rows.operator: rows.frozen}, frames_below([rows.operator], self._node_of)
        )

    def index(self, progress: Callable[[str], None] = lambda _: None) -> RddIndex:
        """The output's whole lineage, written to the store: for traces without Spark.

        Args:
            progress: told what is done next.

        Raises:
            SourceChangedError: a source isn't what it was.
            UnreachableError: the store can't be written.
        """
        rows, changes = self._rows()
        frames = frames_below([rows.operator], self._node_of)
        tables, number = self._run.tables, self._output.number
        return RddIndex(tables, build_rdd_index(rows, tables, number, frames, changes, progress))

    # -- inside -------------------------------------------------------------------------------------

    def _rows(self) -> tuple[RddRows, tuple[str, ...]]:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _open(self) -> tuple[RddRows, tuple[str, ...]]:
        """The operators, alive in this Spark, and what has changed since."""
        require_versions(self.spark.version, self._recipe.spark, self._recipe.python)
        opened = Reopened(self.spark, self._recipe, self._node, allow_changed=self._allow_changed)
        (top,) = opened.tops
        return RddRows(top, {}, self._recipe.action, opened.action), tuple(opened.changes)

    def _node(self, number: int | None, kind: str) -> Node:
        found = self._run.nodes.get(number or 0)
        return found or Node(0, kind, self._output.call_site)

    def _node_of(self, tag: str) -> Node | None:
        number = tag.rpartition("/")[2]
        return self._run.nodes.get(int(number)) if number.isdecimal() else None

"""Questions to a run whose process is long gone: its recipe is computed again in a Spark of our own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from pyspark.errors import PySparkException
from pyspark.sql import Column, SparkSession

from bigdebug.lineage.beside import Beside
from bigdebug.lineage.chaining import chained
from bigdebug.lineage.counting import rows_of_operators
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.depth import deep_plans
from bigdebug.lineage.errors import RecipeError, UnreachableError
from bigdebug.lineage.estimate import Estimate
from bigdebug.lineage.forward import ForwardTrace, forward_trace, leaf_asked
from bigdebug.lineage.index.building import build_index
from bigdebug.lineage.index.reading import Index
from bigdebug.lineage.java import ensure_java
from bigdebug.lineage.output import Output
from bigdebug.lineage.pinned import made_aside
from bigdebug.lineage.questions import Question, question_about, trace_rows
from bigdebug.lineage.rdd.counting import elements_of_operators
from bigdebug.lineage.rdd.crossing import through_rdds
from bigdebug.lineage.rdd.crossing_whynot import CrossingWhyNot
from bigdebug.lineage.rdd.forward import forward_from_named, program_of
from bigdebug.lineage.rdd.joints import joints_among
from bigdebug.lineage.rdd.mixed import followed, frames_below
from bigdebug.lineage.rdd.operator import RddOperator
from bigdebug.lineage.rdd.postmortem import RddReplay
from bigdebug.lineage.rdd.recipe import RddRecipe, is_rdd_recipe
from bigdebug.lineage.rdd.reopening import Reopened
from bigdebug.lineage.rdd.texts import argument_texts
from bigdebug.lineage.recipe.archive import Recipe
from bigdebug.lineage.recipe.building import Opened, open_recipe
from bigdebug.lineage.recipe.texts import expression_texts
from bigdebug.lineage.recomputed import Recomputed
from bigdebug.lineage.rows_again import RowsAgain, rows_computed
from bigdebug.lineage.starting import end_starting_java
from bigdebug.lineage.trace import Trace
from bigdebug.lineage.where import RowsOf
from bigdebug.lineage.whynot import WhyNot

if TYPE_CHECKING:
    from bigdebug.lineage.store import StoredRun


class Replay(Recomputed):
    """An output of a recorded run, ready to be asked about.

    Args:
        spark, run, output, allow_changed, owned: as `Recomputed` has them.
        recipe: of that output.

    Attributes:
        of_rdd: whether it is an RDD's.
        without_added: leave out files that were added to a source since, instead of refusing it.
    """

    of_rdd = False

    def __init__(
        self,
        spark: SparkSession,
        run: StoredRun,
        output: Output,
        recipe: Recipe,
        *,
        allow_changed: bool,
        owned: bool,
    ) -> None:
        super().__init__(spark, run, output, allow_changed=allow_changed, owned=owned)
        self._recipe = recipe
        self.without_added = False
        self._opened: Opened | None = None

    def estimate(self) -> Estimate:
        """What a trace will read, by the sizes of the sources' files when the run read them."""
        files = [file for leaf in self._recipe.leaves for file in leaf.get("files", ())]
        return Estimate(sum(size for _, size, _ in files), self._output.seconds)

    def question(self) -> Question:
        """The output, ready for any question about its rows.

        Raises:
            SourceChangedError: a source isn't what it was.
        """
        opened = self._open()
        return question_about(
            self.spark,
            opened.rows,
            self._node_of,
            names=opened.names,
            notes=opened.changes,
            action=self._output,
        )

    def trace(
        self,
        where: str | Column | RowsOf | None = None,
        beside: Beside | None = None,
        column: str | None = None,
    ) -> Trace:
        """A backward trace of the output's rows, through what earlier runs of the store wrote, too.

        Args:
            where: which of them; None for all.
            beside: what counts as contributors, too.
            column: tell columns of the sources for this one of the output's; None for all.

        Raises:
            SourceChangedError: a source isn't what it was.
            UnknownNameError, BigDebugError: `where` can't be evaluated over the output, or there is no `column`.
            UnsupportedOperatorError: the dataflow holds an operator whose lineage isn't understood.
        """
        opened = self._open()
        nearest = trace_rows(
            self.spark,
            opened.rows,
            self._node_of,
            where,
            names=opened.all_names or opened.names if beside and beside.influence else opened.names,
            notes=opened.changes,
            action=self._output,
            beside=beside,
        )
        nearest = through_rdds(nearest, self._node_of, None, beside)
        if column is not None:
            nearest.take_column(column)
        return chained(nearest, self._run.store, self._run.run_id, self._output.started)

    def forward(self, where: str | Column | None = None, source: str | None = None) -> ForwardTrace:
        """A forward trace of a source's records to the output's rows.

        Args:
            where: which of the source's records: a condition in SQL, of a source that RDDs read an expression in
                Python of a record `x`; None for all.
            source: its name, or an unambiguous stem; may be left out where `where` fits one source only.

        Raises:
            SourceChangedError: a source isn't what it was.
            UnknownNameError, BigDebugError: there is no such source, or `where` can't be evaluated over it.
            UnsupportedOperatorError: the dataflow holds an operator whose lineage isn't understood.
        """
        question = self.question()
        with deep_plans():
            program = program_of(self.spark.sparkContext, question, self._output)
            if program.joints:
                frames = frames_below(program.tops, self._node_of)
                return forward_from_named(program, frames, where, source)
            leaf = leaf_asked(question, source, where)
            return forward_trace((question, leaf), [(question, self._output, [leaf])], where)

    def why_not(self, where: str | Column) -> WhyNot:
        """Why rows of the output are missing.

        Args:
            where: what the missing rows would fulfil.

        Raises:
            SourceChangedError: a source isn't what it was.
            UnknownNameError, BigDebugError: `where` can't be evaluated over the output.
        """
        return CrossingWhyNot(self.question(), where, self._node_of)

    def rows_again(self) -> RowsAgain:
        """The rows of the output, computed again, for comparing them with another run's.

        Raises:
            SourceChangedError: a source isn't what it was.
        """
        return rows_computed(self.question())

    def expression_texts(self) -> dict[int, tuple[str, ...]]:
        """By number of the recorded operator, what its plan computes, as text. Reads no source.

        Raises:
            RecipeError: the recipe can't be opened here.
        """
        found = expression_texts(self.spark, self._recipe)
        if self._recipe.below:
            found |= argument_texts(self.spark, RddRecipe.from_bytes(self._recipe.below))
        return found

    def rows_of_operators(self) -> dict[int, int]:
        """By number of the recorded operator, how many rows it gave for the output.

        Raises:
            SourceChangedError: a source isn't what it was.
        """
        question = self.question()
        found = rows_of_operators(question)
        tops = followed(joints_among(self.spark.sparkContext, question.sources.values())).values()
        if tops:
            given = {top: top.frozen or {} for top in tops}
            found = {**elements_of_operators(given, frames_below(tops, self._node_of)), **found}
        return found

    def index(self, progress: Callable[[str], None] = lambda _: None) -> Index:
        """The output's whole lineage, written to the store: for traces without Spark.

        Args:
            progress: told what is done next.

        Raises:
            SourceChangedError: a source isn't what it was.
            UnsupportedOperatorError: the dataflow holds an operator whose lineage isn't understood.
            UnreachableError: the store can't be written.
        """
        tables, number = self._run.tables, self._output.number
        manifest = build_index(self.question(), tables, number, self._node_of, self._run.redact, progress)
        return Index(tables, manifest)

    def _open(self) -> Opened:
        if self._opened is None:
            # Settings of the run must not leak into a session that belongs to somebody else.
            session = self.spark if self._owned else made_aside(self.spark.newSession)
            joints: list[RddOperator] = []
            changes: list[str] = []
            with deep_plans():
                if self._recipe.below:
                    below = RddRecipe.from_bytes(self._recipe.below)
                    opened = Reopened(session, below, self._node, allow_changed=self._allow_changed)
                    joints, changes = opened.tops, opened.changes
                self._opened = open_recipe(
                    session,
                    self._recipe,
                    allow_changed=self._allow_changed,
                    joints=joints,
                    without_added=self.without_added,
                )
                self._opened.changes.extend(changes)
            self.spark = session
        return self._opened

    def _node(self, number: int | None, kind: str) -> Node:
        found = self._run.nodes.get(number or 0)
        return found or Node(0, kind, self._output.call_site)

    def _node_of(self, tag: str) -> Node | None:
        number = tag.rpartition("/")[2]
        return self._run.nodes.get(int(number)) if number.isdecimal() else None


def open_output(
    run: StoredRun, output: Output, *, allow_changed: bool = False, spark: SparkSession | None = None
) -> Replay | RddReplay:
    """Get an output of a recorded run ready for questions.

    Args:
        run: the run.
        output: one of its outputs.
        allow_changed: go on where a source isn't what it was; the trace then says so.
        spark: a live session to ask in; None starts one.

    Raises:
        RecipeError: there is no recipe, or it can't be opened here.
        UnreachableError: Java or Spark can't be started.
    """
    if output.recipe == "unavailable":
        raise RecipeError(
            f"output {output.number} can't be computed again: {output.recipe_problem or 'no recipe was kept'}",
            hint="ask for another output, or trace in the running program with session.trace",
        )
    data = run.recipe(output.number)
    owned = spark is None
    if is_rdd_recipe(data):
        of_rdd = RddRecipe.from_bytes(data)
        spark = spark or _start(of_rdd)
        return RddReplay(spark, run, output, of_rdd, allow_changed=allow_changed, owned=owned)
    with deep_plans():
        recipe = Recipe.from_bytes(data)
    spark = spark or _start(recipe)
    return Replay(spark, run, output, recipe, allow_changed=allow_changed, owned=owned)


def _start(recipe: Recipe | RddRecipe) -> SparkSession:
    ensure_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if recipe.folder:
        # Functions may live in modules beside the script; Spark's workers look where this says.
        known = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = recipe.folder + (os.pathsep + known if known else "")
        sys.path.append(recipe.folder)
    builder = SparkSession.builder.appName("bigdebug").config("spark.ui.enabled", "false")
    builder = builder.config("spark.ui.showConsoleProgress", "false")
    for key, value in recipe.libraries.items():
        builder = builder.config(key, value)
    if "SPARK_MASTER" in os.environ or "MASTER" in os.environ:
        builder = builder.master(os.environ.get("SPARK_MASTER") or os.environ["MASTER"])
    try:
        session = builder.getOrCreate()
    except KeyboardInterrupt as interrupt:
        end_starting_java(interrupt)
        raise
    except (PySparkException, OSError, RuntimeError) as error:
        raise UnreachableError(f"Spark can't be started: {error}", hint="bigdebug doctor says why") from None
    session.sparkContext.setLogLevel("ERROR")
    return session

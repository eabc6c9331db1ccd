"""The rows that crash an operator of a DataFrame: the operator's input again, with a guard in the function's place."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pyspark import cloudpickle

from bigdebug.breakpoints.crashes import holding, workers
from bigdebug.breakpoints.crashes.alike import rows_alike
from bigdebug.breakpoints.crashes.crash import MOST_LISTED, Crash, Culprits, Raised
from bigdebug.breakpoints.crashes.failures import Failure, failure_of
from bigdebug.breakpoints.crashes.listing import first_and_count
from bigdebug.breakpoints.crashes.lost_workers import Notes
from bigdebug.breakpoints.crashes.many_rows import of_groups, rows_that_crash
from bigdebug.breakpoints.crashes.placing import MOST_PLACED, Placing
from bigdebug.breakpoints.crashes.suspects import (
    BY_NODE,
    BY_PAIR,
    ROW_WISE,
    TABLES,
    VECTORISED,
    Suspect,
    function_of,
    suspects,
)
from bigdebug.breakpoints.crashes.two_groups import SIDES, rows_of_side
from bigdebug.lineage.annotate import Annotator
from bigdebug.lineage.annotated import Annotated
from bigdebug.lineage.catalyst import fresh_name
from bigdebug.lineage.conditions import conjuncts_of
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.finding import numbered
from bigdebug.lineage.operators import Operator
from bigdebug.lineage.python_functions import command_of, row_wise, with_command
from bigdebug.lineage.questions import Question
from bigdebug.lineage.records import as_dict
from bigdebug.lineage.segments import local_relation

logger = logging.getLogger("bigdebug")

Crashing = tuple[Annotated, Any, Sequence[Any], Any | None]
"""An operator's annotated input, the plan of the rows that crash it, its attributes, and that of the error."""


class FrameSearch:
    """Finds the rows that made an action on a DataFrame fail. Runs within `asking`.

    Args:
        question: the rows that the action is about.
        failure: what it raised; None where it went on.
    """

    def __init__(self, question: Question, failure: Failure | None) -> None:
        self._catalyst = question.catalyst
        self._question = question
        self._failure = failure or Failure("python", "", "")
        self._annotator = Annotator(question.catalyst, question.sources)

    def culprits(self, most: int = MOST_LISTED) -> Culprits | None:
        """The culprits of the first operator that has some, up from the sources; None where none has.

        Args:
            most: so many are listed.
        """
        problem: BigDebugError | None = None
        for suspect in suspects(self._catalyst, self._question.root, self._failure):
            try:
                found = self._lost(suspect) if self._failure.kind == "worker" else self._of(suspect, most)
            except BigDebugError as error:
                problem = error
                logger.debug("no culprits of %s", suspect.operator.described(), exc_info=error)
                continue
            if found is not None:
                return found
        if problem is not None:
            raise problem
        return None

    def _lost(self, suspect: Suspect) -> Culprits | None:
        """The rows that tasks held whose worker died."""
        function, operator = function_of(suspect), suspect.operator
        if operator.kind in (*BY_NODE, *BY_PAIR) or function.evalType() not in ROW_WISE:
            return None
        catalyst = self._catalyst
        below = self._annotated(operator.child)
        own = catalyst.output(operator.child.plan)
        columns = [*(column.id for column in below.ids), *own]
        row = catalyst.struct((f"c{i}", each) for i, each in enumerate(columns))
        text = catalyst.singleton(catalyst.jvm.org.apache.spark.sql.types, "StringType")
        cloudpickle.register_pickle_by_value(workers)  # of which `holding` calls some
        with Notes() as notes:
            guard = holding.row_held(command_of(catalyst, function), notes.folder)
            noted = with_command(
                catalyst,
                function,
                guard,
                text,
                holding,
                counted=False,
                udfDeterministic=False,
                resultId=catalyst.new_expr_id(),
                children=catalyst.seq([*catalyst.items(function.children()), row]),
            )
            alias = catalyst.alias(noted, fresh_name("held"))
            plan = catalyst.project([alias], self._reached(operator, below.plan))
            kept = catalyst.filter(catalyst.expressions.IsNotNull(alias.toAttribute()), plan)
            lost = notes.of_lost(catalyst.frame(kept).collect)
        if not lost:
            return None
        width = len(below.ids)
        places = Placing(catalyst, self._annotator, below).of([values[:width] for _, values in lost])
        names = numbered([str(each.name()) for each in own])
        label = operator.node.operator if operator.node else operator.kind
        crashes = [
            Crash(
                dict(zip(names, values[width:], strict=True)),
                place.location,
                label,
                operator.call_site,
                Raised("WorkerLost", "the Python worker died"),
                records=place.records,
                neighbours=place.neighbours,
            )
            for (_, values), place in zip(lost, places, strict=True)
        ]
        partitions = ", ".join(str(partition) for partition, _ in lost)
        note = f"the worker died while it held this record, of partition {partitions}; there may be more such"
        return Culprits(label, operator.call_site, crashes, len(crashes), [note])

    def of(self, function: Any, most: int, given: Sequence[Any] = ()) -> Culprits | None:
        """The rows that crash one Python function.

        Args:
            function: its JVM expression.
            most: so many are listed.
            given: what it was given each time that it crashed, if all of it is known: other rows needn't be tried.
        """
        for suspect in suspects(self._catalyst, self._question.root, Failure("worker", "", "")):
            if function_of(suspect).resultId().equals(function.resultId()):
                if given and suspect.expressions:
                    found = self._of(suspect, most, given)
                    if found is not None and found.count == len(given):
                        return found
                return self._of(suspect, most)
        return None

    def _of(self, suspect: Suspect, most: int = MOST_LISTED, given: Sequence[Any] = ()) -> Culprits | None:
        if suspect.operator.kind in BY_PAIR:
            return self._of_both_sides(suspect, most)
        crashing = self.crashing(suspect, given)
        return None if crashing is None else self._listed(suspect, crashing, most, few=bool(given))

    def _of_both_sides(self, suspect: Suspect, most: int) -> Culprits | None:
        found: Culprits | None = None
        for side in SIDES:
            below = self._annotated(suspect.operator.children[side])
            crashing = below, *rows_of_side(self._catalyst, suspect, side, below)
            more = self._listed(suspect, crashing, most)
            if found is None or more is None:
                found = found or more
                continue
            crashes = [*found.crashes, *more.crashes][:most]
            notes = sorted({*found.notes, *more.notes})
            found = replace(found, crashes=crashes, count=found.count + more.count, notes=notes)
        return found

    def _listed(
        self, suspect: Suspect, crashing: Crashing, most: int, *, few: bool = False
    ) -> Culprits | None:
        below, plan, values, error = crashing
        catalyst = self._catalyst
        ids, errors = [column.id for column in below.ids], [] if error is None else [error]
        needed = {catalyst.attribute_key(each): each for each in (*ids, *values, *errors)}
        first, count = first_and_count(catalyst, catalyst.project(needed.values(), plan), most)
        if not count:
            return None
        value = catalyst.alias(catalyst.struct((each.name(), each) for each in values), fresh_name("value"))
        rows = catalyst.frame(catalyst.project([*ids, value, *errors], first)).collect()
        placing = Placing(catalyst, self._annotator, below)
        placed = placing.of([row[: len(ids)] for row in rows], with_records=not few)
        crashes = []
        notes: set[str] = set()
        operator = suspect.operator
        node = operator.node
        texts = self._raised_alone(suspect, first) if error is None else []
        for number, (row, place) in enumerate(zip(rows, placed, strict=True)):
            if error is not None:
                raised = raised_of(row[-1], notes)
            else:
                raised = texts[number] if number < len(texts) else _raised(self._failure)
            crashes.append(
                Crash(
                    as_dict(row[len(ids)]),
                    place.location,
                    node.operator if node else operator.kind,
                    operator.call_site,
                    raised,
                    records=place.records,
                    neighbours=place.neighbours,
                )
            )
        return Culprits(crashes[0].operator, operator.call_site, crashes, count, sorted(notes))

    def crashing(self, suspect: Suspect, given: Sequence[Any] = ()) -> Crashing | None:
        """The plan of the annotated rows that crash an operator.

        Args:
            suspect: the operator.
            given: only rows are tried that its function is given one of these of.

        Returns:
            The annotated input, the plan, its attributes of the input's columns, and that of the error as JSON
            where the rows carry it. None where it can't be told.
        """
        operator = suspect.operator
        if operator.kind in BY_NODE or of_groups(suspect):
            return self._by_node(suspect)
        side = self._side(suspect)
        if side is None:
            return None
        below = self._annotated(side)
        reached = self._reached(operator, below.plan) if len(operator.children) == 1 else below.plan
        if suspect.python:
            if given:
                reached = rows_alike(self._catalyst, function_of(suspect), reached, given)
                if reached is None:
                    return None
            guarded = self._guarded(function_of(suspect))
            error = self._catalyst.alias(guarded, fresh_name("error"))
            plan = self._catalyst.project_more([error], reached)
            attribute = error.toAttribute()
            plan = self._catalyst.filter(self._catalyst.expressions.IsNotNull(attribute), plan)
            return below, plan, self._catalyst.output(side.plan), attribute
        tried = self._catalyst.expressions.TryEval(
            self._catalyst.struct((f"p{i}", each) for i, each in enumerate(suspect.expressions))
        )
        plan = self._catalyst.filter(self._catalyst.expressions.IsNull(tried), reached)
        return below, plan, self._catalyst.output(side.plan), None

    # -- inside -------------------------------------------------------------------------------------

    def _annotated(self, operator: Operator) -> Annotated:
        try:
            return self._annotator.annotate(operator)
        except BigDebugError:
            return Annotated(operator.plan, ())  # the record itself can be told all the same

    def _side(self, suspect: Suspect) -> Operator | None:
        """The input that the expressions are of; None where they are of several."""
        for child in suspect.operator.children:
            output = child.plan.outputSet()
            if all(each.references().subsetOf(output) for each in suspect.expressions):
                return child
        return None

    def _reached(self, operator: Operator, plan: Any) -> Any:
        """The rows that come by the operator: Spark may apply conditions from above it before it."""
        catalyst = self._catalyst
        known = operator.child.plan.outputSet()
        parents = {below: each for each in self._question.root.walk() for below in each.children}
        conditions: list[Any] = []
        above = parents.get(operator)
        while above is not None and above.kind in ("Filter", "Project") and operator.kind == "Project":
            if above.kind == "Filter":
                conditions += [
                    each
                    for each in conjuncts_of(catalyst, above.plan.condition())
                    if each.deterministic() and each.references().subsetOf(known)
                ]
            above = parents.get(above)
        return catalyst.filter(catalyst.all_of(conditions), plan) if conditions else plan

    def _guarded(self, function: Any) -> Any:
        catalyst = self._catalyst
        command = command_of(catalyst, function)
        guard: Any
        if function.evalType() in TABLES:
            guard, function = workers.table_errors(command), row_wise(catalyst, function)
        elif (kind := VECTORISED.get(function.evalType())) is not None:
            guard = workers.batch_errors(command, *kind)
        else:
            guard = workers.row_errors(command)
        return with_command(
            catalyst,
            function,
            guard,
            catalyst.singleton(catalyst.jvm.org.apache.spark.sql.types, "StringType"),
            workers,
            counted=False,
            # Spark calls it once for each row, and leaves it where it is.
            udfDeterministic=False,
            resultId=catalyst.new_expr_id(),
        )

    def _by_node(self, suspect: Suspect) -> Crashing:
        """The rows that crash a function of batches or of groups."""
        below = self._annotated(suspect.operator.child)
        return below, *rows_that_crash(self._catalyst, suspect, below)

    def _raised_alone(self, suspect: Suspect, first: Any) -> list[Raised]:
        """What Spark raises for each of the first culprits, rows that are at hand, computed without a job."""
        catalyst = self._catalyst
        if any(catalyst.holds(each, "PYTHON_UDF") for each in suspect.expressions):
            return []
        found = []
        for row in catalyst.items(first.data().take(MOST_PLACED)):
            alone = local_relation(catalyst, first.output(), catalyst.seq([row]))
            found.append(self._raised_for(suspect.expressions, alone))
        return found

    def _raised_for(self, expressions: Sequence[Any], alone: Any) -> Raised:
        catalyst = self._catalyst
        for each in expressions:
            try:
                catalyst.rows(catalyst.project([catalyst.alias(each, "tried")], alone))
            except Exception as error:
                failure = failure_of(error)
                if failure is not None:
                    return _raised(failure)
        return _raised(self._failure)


def _raised(failure: Failure) -> Raised:
    """What Spark raised, in one line."""
    text = failure.message.strip().partition("\n")[0].partition(" SQLSTATE: ")[0]
    text = text.partition(f"[{failure.condition}] ")[2] or text
    return Raised(failure.condition, text)


def raised_of(told: str, notes: set[str]) -> Raised:
    """An exception as the workers tell it.

    Args:
        told: by `workers.told`.
        notes: are added to, where a record doesn't crash alone.
    """
    content = json.loads(told)
    if content["together"] == 0:
        notes.add(
            "where no record could be shown to make the function of a partition fail, the one that it had read last "
            "is named"
        )
    if content["together"] > 1:
        notes.add("no record alone makes the function fail: they do so together with others of their batch")
    return Raised(content["kind"], content["message"], content["traceback"])

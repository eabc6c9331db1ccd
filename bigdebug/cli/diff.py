"""`bigdebug diff`: what differs between two recorded runs of a program, down to the records behind a row."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import rich_click as click

from bigdebug.cli.code_line import code_line
from bigdebug.cli.diff_answer import DiffAnswer, Missing, OutputAnswer, TracedPair
from bigdebug.cli.diff_json import diff_json
from bigdebug.cli.diff_view import show_diff, show_next
from bigdebug.cli.options import json_option, run_argument, store_hint, store_option
from bigdebug.cli.rendering import message_console, output_console, stage
from bigdebug.cli.replaying import ask_if_large, replaying
from bigdebug.cli.values import json_text
from bigdebug.lineage.errors import BigDebugError, RecipeError, UnreachableError
from bigdebug.lineage.estimate import Estimate
from bigdebug.lineage.rundiff import (
    AskedOperator,
    OutputPair,
    behind,
    changed_heads,
    changed_operators,
    changes,
    match_outputs,
    same_program,
)
from bigdebug.lineage.store import Store, StoredRun

if TYPE_CHECKING:
    from bigdebug.lineage.postmortem import Replay
    from bigdebug.lineage.questions import Question
    from bigdebug.lineage.rdd.postmortem import RddReplay
    from bigdebug.lineage.recipe.facts import RecipeFacts
    from bigdebug.lineage.rowdiff import RowDiff, RowPair

NOT_RECORDED = (
    "settings other than those of Spark SQL",
    "environment variables",
    "modules and data that functions import by name",
)


@click.command("diff")
@run_argument
@click.argument("second", metavar="RUN")
@click.option("--output", metavar="OUTPUT", help="Compare this output of the first run only.")
@click.option(
    "--key", metavar="COLUMNS", help="Pair rows by these columns, parted by commas, instead of by groups."
)
@click.option(
    "--rows/--no-rows",
    "with_rows",
    default=True,
    help="Compute the outputs again and compare their rows; without, only what was recorded, and no Spark.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    metavar="N",
    help="How many rows of each kind to show and to trace.",
)
@click.option(
    "--allow-changed", is_flag=True, help="Go on where a source isn't what it was when a run read it."
)
@store_option
@json_option
def command(
    run: str,
    second: str,
    output: str | None,
    key: str | None,
    with_rows: bool,
    limit: int,
    allow_changed: bool,
    store: str,
    as_json: bool,
) -> None:
    """Tell what differs between two recorded runs of a program: it was right yesterday.

    Each RUN is an id, the beginning of one, or "last". First come the settings, versions and arguments, then the
    outputs with their sources and operators; all that was recorded. Then the outputs of both runs are computed
    again and their rows compared, by the columns that they are grouped by, or as a whole. Of the first few rows
    that differ the records behind them are compared, too; of a row that is missing in one run it is told why.

        bigdebug diff 20261125-235701-yyy last
    """
    runs = Store(store)
    answer = _recorded(runs.find(run), runs.find(second), output)
    if with_rows:
        asked = _Asked(tuple(filter(None, map(str.strip, (key or "").split(",")))), limit, allow_changed)
        answer = _with_rows(answer, asked)
    if as_json:
        click.echo(json_text(diff_json(answer)))
        return
    show_diff(output_console(), answer)
    show_next(message_console(), answer, store_hint(store))


@dataclass(frozen=True)
class _Asked:
    key: Sequence[str]
    limit: int
    allow_changed: bool


# -- what was recorded ------------------------------------------------------------------------------


def _recorded(first: StoredRun, second: StoredRun, output: str | None) -> DiffAnswer:
    matched = match_outputs(first, second)
    pairs, only_first, only_second = matched.pairs, matched.only_first, matched.only_second
    if output is not None:
        chosen = first.output(output)
        pairs = tuple(pair for pair in pairs if pair.first.number == chosen.number)
        only_first = tuple(one for one in only_first if one.number == chosen.number)
        only_second = ()
    not_recorded = list(NOT_RECORDED)
    if any(run.redact for run in (first, second)):
        not_recorded.append("the program's arguments, where columns are redacted")
    with stage("Comparing what was recorded"):
        outputs = [_output(first, second, pair) for pair in pairs]
    return DiffAnswer(
        first,
        second,
        same_program(first, second),
        changed_heads(first, second),
        not_recorded,
        outputs,
        only_first,
        only_second,
    )


def _output(first: StoredRun, second: StoredRun, pair: OutputPair) -> OutputAnswer:
    from bigdebug.lineage.sourcediff import changed_sources

    one, notes = _facts(first, pair.first.number, "first")
    other, more = _facts(second, pair.second.number, "second")
    return OutputAnswer(
        pair,
        changes("setting", one.settings, other.settings) if one and other else (),
        changed_sources(one.sources, other.sources) if one and other else None,
        changed_operators(_operators(first, pair.first.node), _operators(second, pair.second.node)),
        False,
        None,
        (),
        [*notes, *more],
    )


def _facts(run: StoredRun, number: int, which: str) -> tuple[RecipeFacts | None, list[str]]:
    from bigdebug.lineage.recipe.facts import facts_of  # loads PySpark

    try:
        return facts_of(run.recipe(number), run.nodes), []
    except RecipeError as error:
        return None, [f"the {which} run: settings and sources aren't known: {error.message}"]


def _operators(
    run: StoredRun, top: int | None, texts: Mapping[int, tuple[str, ...]] | None = None
) -> list[AskedOperator]:
    nodes = run.nodes
    return [
        AskedOperator(
            node,
            code_line(node.call_site, nodes.values()),
            None if texts is None else texts.get(node.id, ()),
        )
        for node in behind(nodes, top)
    ]


# -- what is computed again -------------------------------------------------------------------------


def _with_rows(answer: DiffAnswer, asked: _Asked) -> DiffAnswer:
    """The same with the operators compared by their plans, and the rows compared."""
    ready = [each for each in answer.outputs if _has_recipe(each.pair)]
    if not ready:
        return answer
    first, second = answer.first, answer.second
    with _spark(first, ready[0].pair, asked.allow_changed) as opened:
        from bigdebug.lineage.postmortem import open_output

        outputs = []
        for each in answer.outputs:
            if each not in ready:
                outputs.append(each)
                continue
            replays = [
                opened
                if run is first and output is ready[0].pair.first
                else open_output(run, output, allow_changed=asked.allow_changed, spark=opened.spark)
                for run, output in ((first, each.pair.first), (second, each.pair.second))
            ]
            outputs.append(_Replayed(answer, each, replays, asked).told())
    return replace(answer, outputs=outputs)


def _has_recipe(pair: OutputPair) -> bool:
    return pair.first.recipe == pair.second.recipe == "stored"


@contextlib.contextmanager
def _spark(run: StoredRun, pair: OutputPair, allow_changed: bool) -> Iterator[Replay | RddReplay]:
    try:
        with replaying(run, pair.first, allow_changed) as opened:
            yield opened
    except UnreachableError as error:
        hint = f"{error.hint}; " if error.hint else ""
        raise UnreachableError(
            error.message, hint=f"{hint}--no-rows compares what was recorded, without Spark"
        ) from error


class _Replayed:
    """An output of both runs that is computed again."""

    def __init__(
        self,
        answer: DiffAnswer,
        output: OutputAnswer,
        replays: Sequence[Replay | RddReplay],
        asked: _Asked,
    ) -> None:
        self._answer = answer
        self._output = output
        self._replays = replays
        self._asked = asked
        self._name = f"output {output.pair.first.number}"

    def told(self) -> OutputAnswer:
        answer = self._with_expressions(self._output)
        questions = [self._question(replay, which) for replay, which in self._sides()]
        notes = [*answer.notes, *(each for each in questions if isinstance(each, str))]
        one, other = questions
        if isinstance(one, str) or isinstance(other, str):
            return replace(answer, notes=notes)
        try:
            self._ask_if_large()
            rows = self._rows(one, other)
        except BigDebugError as error:
            hint = f" ({error.hint})" if error.hint else ""
            return replace(answer, notes=[*notes, f"the rows weren't compared: {error.message}{hint}"])
        for question, which in ((one, "first"), (other, "second")):
            notes += [f"the {which} run: {note}" for note in question.notes]
        traced = [self._traced(pair, number) for number, pair in enumerate(rows.rows, 1)]
        return replace(answer, rows=rows, traced=traced, notes=notes)

    def _sides(self) -> list[tuple[Any, str]]:
        return list(zip(self._replays, ("first", "second"), strict=True))

    def _with_expressions(self, answer: OutputAnswer) -> OutputAnswer:
        runs = (self._answer.first, self._answer.second)
        tops = (answer.pair.first.node, answer.pair.second.node)
        try:
            with stage(f"Comparing the plans of {self._name}"):
                one, other = (
                    _operators(run, top, replay.expression_texts())
                    for run, top, replay in zip(runs, tops, self._replays, strict=True)
                )
        except BigDebugError as error:
            note = f"the operators were compared by their code alone: {error.message}"
            return replace(answer, notes=[*answer.notes, note])
        return replace(answer, operators=changed_operators(one, other), expressions=True)

    def _question(self, replay: Any, which: str) -> Question | str:
        try:
            with stage(f"Opening {self._name} of the {which} run"):
                # A folder that grew is what two runs are compared for: each reads the files that it read then.
                replay.without_added = True
                question: Question = replay.question()
                return question
        except BigDebugError as error:
            hint = f" ({error.hint})" if error.hint else ""
            return f"the rows of the {which} run can't be computed again: {error.message}{hint}"

    def _ask_if_large(self) -> None:
        each = [replay.estimate() for replay in self._replays]
        known = [one.seconds for one in each if one.seconds is not None]
        total = Estimate(sum(one.bytes for one in each), sum(known) if len(known) == len(each) else None)
        ask_if_large(f"Comparing the rows of {self._name}", total)

    def _rows(self, one: Question, other: Question) -> RowDiff:
        from bigdebug.lineage.rowdiff import compare_rows

        with stage(f"Comparing the rows of {self._name}"):
            return compare_rows(one, other, self._asked.key, self._asked.limit)

    def _traced(self, pair: RowPair, number: int) -> TracedPair:
        from bigdebug.lineage.tracediff import compare_traces

        if pair.where_first is None or pair.where_second is None:
            return TracedPair(pair, problem="its values can't be written in a condition")
        first, second = self._replays
        try:
            with stage(f"Tracing row {number} of {self._name} that isn't the same"):
                one = first.trace(pair.where_first) if pair.first is not None else None
                other = second.trace(pair.where_second) if pair.second is not None else None
                sources = compare_traces(one, other)
                exact = all(trace.exact for trace in (one, other) if trace is not None)
        except BigDebugError as error:
            return TracedPair(pair, problem=error.message)
        missing = None
        if pair.first is None:
            missing = self._missing(first, "first", pair.where_first)
        elif pair.second is None:
            missing = self._missing(second, "second", pair.where_second)
        return TracedPair(pair, sources, missing, exact)

    def _missing(self, replay: Any, which: str, where: str) -> Missing:
        try:
            with stage(f"Asking why a row isn't in the {which} run"):
                found = replay.why_not(where)
                return Missing(which, found.culprit, found.dropped)
        except BigDebugError as error:
            return Missing(which, None, problem=error.message)

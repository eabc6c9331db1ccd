"""`bigdebug trace`: from rows of a recorded output back to source records, or from these to the rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from bigdebug.cli.element_table import PLACE, element_table
from bigdebug.cli.options import json_option, run_argument, store_option
from bigdebug.cli.rendering import message_console, output_console, show_line, stage
from bigdebug.cli.replaying import ask_if_large, cost, replaying
from bigdebug.cli.saving import SavedFile, save_records
from bigdebug.cli.trace_view import TraceAnswer, TracedSource, TracedStep, show_trace, trace_json
from bigdebug.lineage.beside import Beside
from bigdebug.lineage.errors import BigDebugError, DamagedIndexError, UnreachableError
from bigdebug.lineage.estimate import Estimate
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import Store, StoredRun
from bigdebug.lineage.value_text import json_text, visible
from bigdebug.wording.code_line import code_line
from bigdebug.wording.quantities import plural, size

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from bigdebug.lineage.forward import ForwardTrace
    from bigdebug.lineage.index.reading import Index
    from bigdebug.lineage.index.trace import IndexedTrace
    from bigdebug.lineage.rdd.index.reading import IndexedRddTrace, RddIndex
    from bigdebug.lineage.rdd.trace import RddTrace
    from bigdebug.lineage.trace import Trace


@click.command("trace")
@run_argument
@click.argument("output", metavar="OUTPUT")
@click.option(
    "--where",
    required=True,
    metavar="SQL",
    help="Which rows of the output, or with --forward which records of the source: a condition in SQL.",
)
@click.option(
    "--forward", is_flag=True, help="Trace records of a source to the output's rows they went into."
)
@click.option(
    "--source", metavar="NAME", help="Show the records of this source only; with --forward, start from it."
)
@click.option(
    "--column",
    metavar="NAME",
    help="Tell which columns of the sources the values of this one of the output's rest on, not of all.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    metavar="N",
    help="How many records of each source to show.",
)
@click.option("--windows", is_flag=True, help="Go back to all rows of a window's partition.")
@click.option("--influence", is_flag=True, help="Go back to what semi joins and subqueries looked up, too.")
@click.option(
    "--narrow",
    is_flag=True,
    help="Where the trace is conservative, find fewer records that give the rows again, by replays.",
)
@click.option(
    "-o",
    "--out",
    "target",
    type=SavedFile(dir_okay=False, writable=True),
    metavar="FILE",
    help="Write all records of the source to a file, too: .parquet, .csv or .jsonl. Asks Spark.",
)
@click.option("--no-index", is_flag=True, help="Ask Spark, even if the output has an index.")
@click.option("--dry-run", is_flag=True, help="Only say how much the trace would read.")
@click.option(
    "--allow-changed", is_flag=True, help="Go on where a source isn't what it was when the run read it."
)
@store_option
@json_option
def command(
    run: str,
    output: str,
    where: str,
    forward: bool,
    source: str | None,
    column: str | None,
    limit: int,
    windows: bool,
    influence: bool,
    narrow: bool,
    target: Path | None,
    no_index: bool,
    dry_run: bool,
    allow_changed: bool,
    store: str,
    as_json: bool,
) -> None:
    """Trace rows of an output back to the source records they came from, or records to the rows they went into.

    RUN is an id, the beginning of one, or "last"; OUTPUT a number, a path or table that was written, or
    "last". The records come with the file they stand in and their position in it, counted from 0.

        bigdebug trace last 1 --where "dest = 'PSE' and month = 10"

    With --forward it goes the other way: which rows of the output did these records go into?

        bigdebug trace last 1 --forward --where "flight = 745 and day = 4"

    A few records are shown; -o writes all of them, however many, to a file, with their places in the column _record:

        bigdebug trace last 1 --where "dest = 'PSE'" --source flights -o flights.parquet
    """
    if forward and (windows or influence or narrow or column):
        raise click.UsageError(
            "--windows, --influence, --narrow and --column are for backward traces: leave out --forward."
        )
    found = Store(store).find(run)
    chosen = found.output(output)
    if not no_index and found.indexed(chosen.number):
        beyond = _beyond_index(forward, windows, influence, narrow, target)
        if beyond is not None:
            _say_spark_is_asked(beyond)
        elif _told_by_index(found, chosen, where, source, column, limit, dry_run, as_json):
            return
    with replaying(found, chosen, allow_changed) as replay:
        with stage("Looking at the sources"):
            estimate = replay.estimate()
        if dry_run:
            _say_estimate(found, chosen, where, estimate, as_json)
            return
        ask_if_large("The trace", estimate)
        # Shown while Spark lives: a source looks its files up when it is asked for them.
        traced: Trace | RddTrace | ForwardTrace
        if forward:
            traced = asked = replay.forward(where, source)
            answer = answer_trace(asked, found, chosen, where, None, limit, start=asked.source)
        else:
            traced = backward = replay.trace(where, Beside(windows, influence), column)
            if narrow:
                with stage("Narrowing the trace by replays"):
                    traced = backward.narrow()
            answer = answer_trace(traced, found, chosen, where, source, limit, column=column)
        saved = _save(traced, answer, target, replay.spark) if target and answer.matched else None
        _show(answer, as_json)
        if saved:
            show_line(message_console(), f"\n{saved}")


def _save(
    trace: "Trace | RddTrace | ForwardTrace",
    answer: TraceAnswer,
    target: Path,
    spark: "SparkSession",
) -> str:
    """Write all records of the one source that there is; says what was written."""
    from pyspark.sql import DataFrame

    reached = [one for one in answer.sources if one.count] or answer.sources[:1]
    if len(reached) != 1:
        raise BigDebugError(
            f"the trace leads to records of {len(reached)} sources, and a file holds those of one",
            hint=f"choose one with --source: {', '.join(one.name for one in reached)}",
        )
    (only,) = reached
    with stage(f"Writing {plural(only.count, 'record')} to {target}"):
        records = trace.records(only.name)
        if isinstance(records, DataFrame):
            written = save_records(records, target)
        else:
            written = save_records(element_table(spark, trace, only.name), target, PLACE)
    return f"wrote {plural(only.count, 'record')} of {visible(only.name)} to {target}: {size(written)}"


def _beyond_index(
    forward: bool, windows: bool, influence: bool, narrow: bool, target: Path | None
) -> str | None:
    """What no index holds of what is asked; None where one may answer."""
    beyond = {
        "it tells which records rows came from, not which rows came from records": forward,
        "it doesn't hold the other rows of windows": windows,
        "it doesn't hold what was looked up": influence,
        "a trace is narrowed by replays": narrow,
        "it names records, and Spark reads all of them for a file": target is not None,
    }
    return next((why for why, asked in beyond.items() if asked), None)


def _say_spark_is_asked(why: str) -> None:
    show_line(message_console(), f"The index can't tell, Spark is asked: {why}.")


def _told_by_index(
    run: StoredRun,
    output: Output,
    where: str,
    source: str | None,
    column: str | None,
    limit: int,
    dry_run: bool,
    as_json: bool,
) -> bool:
    """Answer from the output's index, without Spark; whether that could be done."""
    if dry_run:
        with _else_spark(run, output):
            index = _index_of(run, output)
            if index is not None:
                _say_estimate(run, output, where, Estimate(index.bytes, None), as_json)
                return True
        return False
    answer = indexed_answer(run, output, where, source, limit, column)
    if answer is None:
        return False
    _show(answer, as_json)
    return True


@contextmanager
def _else_spark(run: StoredRun, output: Output) -> Iterator[None]:
    """Around what an index is asked: where that can't be, the output's recipe answers, and a word says why."""
    from bigdebug.lineage.index.conditions import NeedsSparkError

    try:
        yield
    except NeedsSparkError as error:
        _say_spark_is_asked(error.message)
    except (DamagedIndexError, UnreachableError) as error:
        anew = f"bigdebug index {run.run_id} {output.number}"
        _say_spark_is_asked(f"{error.message}; {anew} makes it anew")


def _index_of(run: StoredRun, output: Output) -> "Index | RddIndex | None":
    from bigdebug.lineage.index.reading import open_index  # loads pyarrow
    from bigdebug.lineage.rdd.index.reading import open_rdd_index

    return open_rdd_index(run.tables, output.number) or open_index(run.tables, output.number)


def indexed_answer(
    run: StoredRun,
    output: Output,
    where: str,
    source: str | None,
    limit: int,
    column: str | None = None,
) -> TraceAnswer | None:
    """What an output's index tells; None, and a word why, where Spark is needed."""
    with _else_spark(run, output):
        index = _index_of(run, output)
        if index is not None:
            trace = index.trace(where, column=column)
            answer = answer_trace(trace, run, output, where, source, limit, column=column)
            return replace(answer, notes=[*answer.notes, *_written_earlier(index, run, output)])
    return None


def _written_earlier(index: "Index | RddIndex", run: StoredRun, output: Output) -> list[str]:
    """Where sources were written by earlier runs: an index ends there, a trace in Spark goes on."""
    from bigdebug.lineage.links import writings

    return [
        f"{name} was written by {writing}; to go on to the sources of that, Spark is needed: --no-index"
        for name, writing in index.written_by(writings(Store(run.store), run.run_id, output.started))
    ]


def _show(answer: TraceAnswer, as_json: bool) -> None:
    if as_json:
        click.echo(json_text(trace_json(answer)))
    elif answer.matched:
        show_trace(output_console(), answer)
    else:
        what = f"record of {answer.start}" if answer.start else f"row of output {answer.output.number}"
        show_line(message_console(), f"No {what} matches: {answer.where}")


def answer_trace(
    trace: "Trace | RddTrace | ForwardTrace | IndexedTrace | IndexedRddTrace",
    run: StoredRun,
    output: Output,
    where: str,
    source: str | None,
    limit: int,
    start: str | None = None,
    column: str | None = None,
) -> TraceAnswer:
    """All of a trace that is shown, fetched."""
    with stage("Finding the records" if start else "Finding the rows"):
        matched = trace.matched
    if not matched:
        return TraceAnswer(run, output, where, 0, trace.exact, trace.notes, (), (), start)
    with stage("Tracing them to the output" if start else "Tracing them back to the sources"):
        sources = trace.sources
        if source is not None:
            from bigdebug.lineage.finding import find_source

            sources = [find_source(sources, source)]
        nodes = run.nodes.values()
        steps = [
            TracedStep(step.operator, step.call_site, step.count, code_line(step.call_site, nodes))
            for step in trace.steps
        ]
    with stage("Fetching the rows" if start else "Fetching the records"):
        traced = [
            TracedSource(
                one.name,
                one.kind,
                one.call_site,
                one.count,
                one.files,
                trace.collect_source(one.name, limit) if limit and one.count else [],
                one.columns,
                one.deciding_columns,
                one.run,
                one.output,
            )
            for one in sources
        ]
    return TraceAnswer(run, output, where, matched, trace.exact, trace.notes, traced, steps, start, column)


def _say_estimate(run: StoredRun, output: Output, where: str, estimate: Any, as_json: bool) -> None:
    if not as_json:
        click.echo(cost("The trace", estimate))
        return
    content = {"run": run.run_id, "output": output.number, "where": where}
    click.echo(json_text(content | {"bytes": estimate.bytes, "seconds": estimate.seconds}))

"""`bigdebug trace`: from rows of a recorded output back to the source records they came from."""

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import rich_click as click

from bigdebug.cli.options import json_option, run_argument, store_option
from bigdebug.cli.quiet import quiet_spark
from bigdebug.cli.rendering import duration, message_console, output_console, show_line, size, stage
from bigdebug.cli.trace_view import TraceAnswer, TracedSource, TracedStep, show_trace, trace_json
from bigdebug.cli.values import json_text
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.estimate import LARGE_BYTES
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import Store, StoredRun

if TYPE_CHECKING:
    from bigdebug.lineage.postmortem import Replay
    from bigdebug.lineage.trace import Trace


@click.command("trace")
@run_argument
@click.argument("output", metavar="OUTPUT")
@click.option("--where", required=True, metavar="SQL", help="Which rows of the output: a condition in SQL.")
@click.option("--forward", is_flag=True, help="Trace source records to the rows they went into (not yet).")
@click.option("--source", metavar="NAME", help="Show the records of this source only.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    metavar="N",
    help="How many records of each source to show.",
)
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
    limit: int,
    dry_run: bool,
    allow_changed: bool,
    store: str,
    as_json: bool,
) -> None:
    """Trace rows of an output back to the source records they came from.

    RUN is an id, the beginning of one, or "last"; OUTPUT a number, a path or table that was written, or
    "last". The records come with the file they stand in and their position in it, counted from 0.

        bigdebug trace last 1 --where "dest = 'PSE' and month = 10"
    """
    if forward:
        raise BigDebugError(
            "forward traces aren't there yet", hint="leave --forward out to trace rows back to their sources"
        )
    found = Store(store).find(run)
    chosen = found.output(output)
    with _replaying(found, chosen, allow_changed) as replay:
        with stage("Looking at the sources"):
            estimate = replay.estimate()
        if dry_run:
            _say_estimate(found, chosen, where, estimate, as_json)
            return
        if estimate.bytes > LARGE_BYTES:
            _ask(_cost(estimate))
        # Shown while Spark lives: a source looks its files up when it is asked for them.
        answer = _answer(replay.trace(where), found, chosen, where, source, limit)
        if as_json:
            click.echo(json_text(trace_json(answer)))
        elif answer.matched:
            show_trace(output_console(), answer)
        else:
            show_line(message_console(), f"No row of output {chosen.number} matches: {where}")


@contextlib.contextmanager
def _replaying(run: StoredRun, output: Output, allow_changed: bool) -> "Iterator[Replay]":
    """An output that can be computed again. An interrupt cancels the jobs that this started."""
    with quiet_spark():
        with stage("Starting Spark and opening the recipe"):
            from bigdebug.lineage.postmortem import open_output  # loads PySpark

            replay = open_output(run, output, allow_changed=allow_changed)
        try:
            yield replay
        except KeyboardInterrupt:
            with contextlib.suppress(Exception):
                replay.cancel()
            raise
        finally:
            with contextlib.suppress(Exception):
                replay.close()


def _answer(
    trace: "Trace", run: StoredRun, output: Output, where: str, source: str | None, limit: int
) -> TraceAnswer:
    with stage("Finding the rows"):
        matched = trace.matched
    if not matched:
        return TraceAnswer(run, output, where, 0, trace.exact, trace.notes, (), ())
    with stage("Tracing them back to the sources"):
        sources = trace.sources
        if source is not None:
            from bigdebug.lineage.sources import find_source

            sources = [find_source(sources, source)]
        steps = [TracedStep(step.operator, step.call_site, step.count) for step in trace.steps]
    with stage("Fetching the records"):
        traced = [
            TracedSource(
                one.name,
                one.kind,
                one.call_site,
                one.count,
                one.files,
                trace.collect_source(one.name, limit) if limit and one.count else [],
            )
            for one in sources
        ]
    return TraceAnswer(run, output, where, matched, trace.exact, trace.notes, traced, steps)


def _say_estimate(run: StoredRun, output: Output, where: str, estimate: Any, as_json: bool) -> None:
    if not as_json:
        click.echo(_cost(estimate))
        return
    content = {"run": run.run_id, "output": output.number, "where": where}
    click.echo(json_text(content | {"bytes": estimate.bytes, "seconds": estimate.seconds}))


def _cost(estimate: Any) -> str:
    if estimate.seconds is None:
        return f"The trace reads {size(estimate.bytes)}."
    return f"The trace reads {size(estimate.bytes)} and takes about {duration(estimate.seconds)}."


def _ask(cost: str) -> None:
    """Say what a large question costs; on a terminal, ask."""
    show_line(message_console(), cost)
    if sys.stdin.isatty() and sys.stderr.isatty() and not click.confirm("Go on?", default=True, err=True):
        raise BigDebugError("nothing was traced")

"""`bigdebug advise`: what made an application slow, and what to do about it, from Spark's event log."""

import rich_click as click

from bigdebug.advice.advising import advise
from bigdebug.advice.application import Action
from bigdebug.advice.logfiles import exists
from bigdebug.advice.thresholds import Thresholds, parse_change
from bigdebug.cli.advise_view import advice_json, show_advice, show_thresholds
from bigdebug.cli.options import json_option, store_option
from bigdebug.cli.rendering import message_console, output_console, stage
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.store import Store, StoredRun
from bigdebug.lineage.value_text import json_text


class _Change(click.ParamType):  # type: ignore[type-arg]  # generic in some versions of click only
    """`skew.ratio=2` or `skew.ratio=2,4,8,16`."""

    name = "threshold"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[float, ...]]:
        try:
            return parse_change(str(value))
        except ValueError:
            self.fail(f"{value!r} isn't NAME=VALUE or NAME=V,V,V,V; --thresholds lists the names", param, ctx)


@click.command("advise")
@click.argument("eventlog", metavar="EVENTLOG", required=False)
@click.option(
    "--set",
    "changes",
    metavar="NAME=VALUE",
    type=_Change(),
    multiple=True,
    help="Set a threshold otherwise: one value, or four for low, moderate, severe and critical.",
)
@click.option("--thresholds", "listed", is_flag=True, help="List the thresholds that the rules go by.")
@store_option
@json_option
def command(
    eventlog: str | None,
    changes: tuple[tuple[str, tuple[float, ...]], ...],
    listed: bool,
    store: str,
    as_json: bool,
) -> None:
    """Tell what made an application slow: skew, spill, garbage collection, small files, idle cores, failures.

    EVENTLOG is an event log of Spark's, a file or a rolling log's folder, also of an application that never saw
    bigdebug; or a recorded run (an id, the beginning of one, or "last") that wrote one.

        bigdebug advise /tmp/spark-events/eventlog_v2_app-20261122103041-0007
    """
    limits = Thresholds(dict(changes))
    if listed:
        show_thresholds(output_console(), limits)
        return
    if eventlog is None:
        raise click.UsageError("which event log?", ctx=click.get_current_context())
    run = None if exists(eventlog) else _run(eventlog, store)
    place = eventlog if run is None else _log_of(run)
    with stage("Reading the event log"):
        advice = advise(place, limits, actions_of(run) if run else ())
    if as_json:
        click.echo(json_text(advice_json(advice, limits)))
        return
    show_advice(output_console(), message_console(), advice)


def _log_of(run: StoredRun) -> str:
    """The event log of a recorded run."""
    found = run.settings.get("spark.eventLog")
    if not found:
        raise BigDebugError(
            f"the run {run.run_id} wrote no event log",
            hint="run it again with spark.eventLog.enabled=true and spark.eventLog.dir=FOLDER set",
        )
    return str(found)


def actions_of(run: StoredRun) -> list[Action]:
    """When its actions were, and where: in milliseconds, as the log counts."""
    return [
        Action(
            output.started * 1000,
            (output.started + (output.seconds or 0)) * 1000,
            output.call_site.file,
            output.call_site.line,
            output.action,
        )
        for output in run.outputs
        if output.call_site
    ]


def _run(name: str, store: str) -> StoredRun:
    try:
        return Store(store).find(name)
    except BigDebugError as error:
        raise type(error)(f"no event log {name}, and {error.message}", hint=error.hint) from error

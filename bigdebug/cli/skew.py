"""`bigdebug skew`: how lopsided the shuffles of a recorded output are, by which keys, and what to do about it."""

from typing import TYPE_CHECKING

import rich_click as click

from bigdebug.cli.options import json_option, run_argument, store_option
from bigdebug.cli.rendering import message_console, output_console, stage
from bigdebug.cli.replaying import ask_if_large, replaying
from bigdebug.cli.skew_view import SkewAnswer, show_next, show_skew, skew_json
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.store import Store
from bigdebug.lineage.value_text import json_text
from bigdebug.wording.commands import store_hint

if TYPE_CHECKING:
    from bigdebug.lineage.postmortem import Replay
    from bigdebug.lineage.rdd.postmortem import RddReplay
    from bigdebug.skew.finding import Finding
    from bigdebug.skew.hot_trace import KeyTrace
    from bigdebug.skew.report import SkewReport
    from bigdebug.skew.what_if import Change


@click.command("skew")
@run_argument
@click.argument("output", metavar="OUTPUT")
@click.option(
    "--what-if",
    multiple=True,
    metavar="CHANGE",
    help="What a change would come to: salt=16, partitions=400, nulls=drop, or several of them.",
)
@click.option(
    "--trace", is_flag=True, help="Tell which files the hot keys come from, and what their records share."
)
@click.option("--all", "everything", is_flag=True, help="Show shuffles that are even, too.")
@click.option(
    "--factor",
    type=click.FloatRange(min=1),
    metavar="N",
    help="A key is hot from so many times the median key on.  [default: 5]",
)
@click.option(
    "--allow-changed", is_flag=True, help="Go on where a source isn't what it was when the run read it."
)
@store_option
@json_option
def command(
    run: str,
    output: str,
    what_if: tuple[str, ...],
    trace: bool,
    everything: bool,
    factor: float | None,
    allow_changed: bool,
    store: str,
    as_json: bool,
) -> None:
    """Tell how lopsided the shuffles of an output are, by which keys, and what to do about it.

    RUN is an id, the beginning of one, or "last"; OUTPUT a number, a path or table that was written, or
    "last". Of every aggregate, join, window and repartition it is counted how many records and bytes each key
    holds. A key is hot if it holds 5 times what the median key does and makes its partition at least a third longer
    than the median one.

        bigdebug skew last 1

    --what-if tells what the longest partition would be after a change, before anybody changes code.

        bigdebug skew last 1 --what-if salt=16
    """
    change = _change(what_if)
    found = Store(store).find(run)
    chosen = found.output(output)
    with replaying(found, chosen, allow_changed) as replay:
        with stage("Looking at the sources"):
            estimate = replay.estimate()
        ask_if_large("Counting keys", estimate)
        with stage("Counting the records of each key") as say:
            report = _report(replay, factor, chosen.seconds)
            foretold = None
            if change is not None:
                say("Working out the change")
                foretold = report.what_if(change.salt, change.partitions, drop_nulls=change.drop_nulls)
            say("Tracing hot keys to their sources")
            traces = _traces(report) if trace else {}
        answer = SkewAnswer(found, chosen, report, change, foretold, traces, everything)
        if as_json:
            click.echo(json_text(skew_json(answer)))
            return
        show_skew(output_console(), answer)
    show_next(message_console(), answer, store_hint(store))


def _change(what_if: tuple[str, ...]) -> "Change | None":
    if not what_if:
        return None
    from bigdebug.skew.what_if import Change  # loads PySpark

    try:
        return Change.parsed(what_if)
    except BigDebugError as error:
        raise click.BadParameter(str(error.message), param_hint=error.hint) from None


def _report(replay: "Replay | RddReplay", factor: float | None, seconds: float | None) -> "SkewReport":
    from bigdebug.lineage.rdd.questions import RddQuestion
    from bigdebug.skew.report import skew_of
    from bigdebug.skew.thresholds import Thresholds

    question = replay.question()
    thresholds = Thresholds() if factor is None else Thresholds(times_median=factor)
    if isinstance(question, RddQuestion):
        from bigdebug.skew.rdds import skew_of_rdd

        return skew_of_rdd(question, thresholds, seconds)
    return skew_of(question, thresholds, seconds)


def _traces(report: "SkewReport") -> "dict[int, list[KeyTrace]]":
    """By number of the finding, where its hottest keys come from."""
    return {finding.number: _traced(finding) for finding in report.skewed}


def _traced(finding: "Finding") -> "list[KeyTrace]":
    traces = [finding.trace(key) for key in finding.hot_keys[:3]]
    for each in traces:
        _ = each.sources  # while Spark lives
    return traces

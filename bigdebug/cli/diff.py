"""`bigdebug diff`: what differs between two recorded runs of a program, down to the records behind a row."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import rich_click as click

from bigdebug.cli.diff_answer import DiffAnswer
from bigdebug.cli.diff_json import diff_json
from bigdebug.cli.diff_recorded import compare_recorded
from bigdebug.cli.diff_replay import Asked, ReplayedOutput
from bigdebug.cli.diff_view import show_diff, show_next
from bigdebug.cli.options import json_option, run_argument, second_run_argument, store_option
from bigdebug.cli.rendering import message_console, output_console
from bigdebug.cli.replaying import replaying
from bigdebug.lineage.errors import UnreachableError
from bigdebug.lineage.rundiff import OutputPair
from bigdebug.lineage.store import Store, StoredRun
from bigdebug.lineage.value_text import json_text
from bigdebug.wording.commands import store_hint

if TYPE_CHECKING:
    from bigdebug.lineage.postmortem import Replay
    from bigdebug.lineage.rdd.postmortem import RddReplay


@click.command("diff")
@run_argument
@second_run_argument
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
    answer = compare_recorded(runs.find(run), runs.find(second), output)
    if with_rows:
        asked = Asked(tuple(filter(None, map(str.strip, (key or "").split(",")))), limit, allow_changed)
        answer = _with_rows(answer, asked)
    if as_json:
        click.echo(json_text(diff_json(answer)))
        return
    show_diff(output_console(), answer)
    show_next(message_console(), answer, store_hint(store))


def _with_rows(answer: DiffAnswer, asked: Asked) -> DiffAnswer:
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
            outputs.append(ReplayedOutput(answer, each, replays, asked).told())
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

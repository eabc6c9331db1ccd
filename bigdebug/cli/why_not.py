"""`bigdebug why-not`: why a row is missing from a recorded output, and which operator dropped it."""

from typing import TYPE_CHECKING

import rich_click as click

from bigdebug.cli.options import json_option, run_argument, store_option
from bigdebug.cli.rendering import message_console, output_console, stage
from bigdebug.cli.replaying import ask_if_large, replaying
from bigdebug.cli.why_not_view import CountedStep, WhyNotAnswer, show_next, show_why_not, why_not_json
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import Store, StoredRun
from bigdebug.lineage.value_text import json_text
from bigdebug.wording.code_line import code_line
from bigdebug.wording.commands import store_hint

if TYPE_CHECKING:
    from bigdebug.lineage.rdd.whynot import RddWhyNot
    from bigdebug.lineage.whynot import WhyNot


@click.command("why-not")
@run_argument
@click.argument("output", metavar="OUTPUT")
@click.option(
    "--where",
    required=True,
    metavar="SQL",
    help="What the missing rows would fulfil: a condition in SQL; of an RDD's elements, in Python.",
)
@click.option(
    "--allow-changed", is_flag=True, help="Go on where a source isn't what it was when the run read it."
)
@store_option
@json_option
def command(run: str, output: str, where: str, allow_changed: bool, store: str, as_json: bool) -> None:
    """Tell why a row is missing from an output: how many rows like it enter and leave each operator.

    RUN is an id, the beginning of one, or "last"; OUTPUT a number, a path or table that was written, or
    "last". The operator that rows like it enter and none leaves is the one that dropped them.

        bigdebug why-not last 1 --where "dest = 'LEX'"

    Of an RDD's output the condition is Python, of an element x, or of the key and value of a pair:

        bigdebug why-not last 2 --where "key == 'LEX'"
    """
    found = Store(store).find(run)
    chosen = found.output(output)
    with replaying(found, chosen, allow_changed) as replay:
        with stage("Looking at the sources"):
            estimate = replay.estimate()
        ask_if_large("Each count", estimate)
        answer = _answer(replay.why_not(where), found, chosen, where)
    if as_json:
        click.echo(json_text(why_not_json(answer)))
        return
    show_why_not(output_console(), answer)
    show_next(message_console(), answer, store_hint(store))


def _answer(why_not: "WhyNot | RddWhyNot", run: StoredRun, output: Output, where: str) -> WhyNotAnswer:
    with stage("Counting the rows at each operator"):
        nodes = run.nodes.values()
        steps = [CountedStep(step, code_line(step.call_site, nodes)) for step in why_not.steps]
        culprit = None if why_not.culprit is None else why_not.steps.index(why_not.culprit)
    with stage("Looking at what was dropped"):
        return WhyNotAnswer(
            run,
            output,
            where,
            why_not.exact,
            why_not.notes,
            why_not.not_carried,
            steps,
            culprit,
            why_not.dropped,
        )

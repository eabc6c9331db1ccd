"""`bigdebug isolate`: which source records make rows of a recorded output wrong."""

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

import rich_click as click

from bigdebug.cli.isolate_view import IsolateAnswer, isolate_json, show_isolation, show_next
from bigdebug.cli.options import json_option, run_argument, store_option
from bigdebug.cli.rendering import message_console, output_console, show_line, stage
from bigdebug.cli.replaying import ask_if_large, replaying
from bigdebug.isolation.budget import Budget
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import Store, StoredRun
from bigdebug.lineage.value_text import json_text, visible
from bigdebug.wording.commands import store_hint
from bigdebug.wording.quantities import duration, plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from bigdebug.isolation.found import Isolation
    from bigdebug.isolation.isolating import Progress
    from bigdebug.isolation.skew import Skew
    from bigdebug.lineage.questions import Question
    from bigdebug.lineage.rdd.questions import RddQuestion


def _budget(context: click.Context, parameter: click.Parameter, value: str | None) -> Budget:
    try:
        return Budget.of(value)
    except BigDebugError as error:
        raise click.BadParameter(f"{error}", context, parameter) from None


@click.command("isolate")
@run_argument
@click.argument("output", metavar="OUTPUT")
@click.option(
    "--failing",
    metavar="SQL",
    help="Which rows of the output are wrong: a condition in SQL; of an RDD's elements x in Python.",
)
@click.option("--skew", is_flag=True, help="Groups that hold too much are what is wrong.")
@click.option(
    "--by",
    metavar="WHAT",
    help="With --skew, of what: records, bytes, or a sum, in SQL or (of an RDD) Python.  [default: records]",
)
@click.option(
    "--factor",
    type=click.FloatRange(min=1),
    metavar="N",
    help="With --skew, more than so many times the median group is too much.  [default: 5]",
)
@click.option(
    "--budget",
    callback=_budget,
    metavar="SECONDS",
    help='How long to search, or how often to try ("50 replays"); the best found by then is shown.  [default: to the '
    "end]",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help="How many records of each source to show.  [default: 20 culprits; with --json 1,000]",
)
@click.option(
    "--pytest",
    "test",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write a test of the smallest failing input, for the program's own tests.",
)
@click.option(
    "--allow-changed", is_flag=True, help="Go on where a source isn't what it was when the run read it."
)
@store_option
@json_option
def command(
    run: str,
    output: str,
    failing: str | None,
    skew: bool,
    by: str | None,
    factor: float | None,
    budget: Budget | None,
    limit: int | None,
    test: str | None,
    allow_changed: bool,
    store: str,
    as_json: bool,
) -> None:
    """Find the few source records that make rows of an output wrong.

    RUN is an id, the beginning of one, or "last"; OUTPUT a number, a path or table that was written, or
    "last". The pipeline is run again on many parts of the records that a wrong row comes from, until it is
    known which of them must go so that the row passes, and which alone still make it fail. Ctrl-C ends the
    search and shows the best found so far.

        bigdebug isolate last 1 --failing "minutes < -1000"

    Elements of RDDs have no columns: there it is an expression in Python of an element x, or of the key and
    value of a pair.

        bigdebug isolate last 1 --failing "key == 'BDL' and value < 0"

    With --skew, groups of an aggregate that hold more than 5 times what the median group does are wrong, and
    the culprits are the fewest records without which they don't.

        bigdebug isolate last 1 --skew --by bytes
    """
    wrong = _wrong(failing, skew, by, factor)
    found = Store(store).find(run)
    chosen = found.output(output)
    with replaying(found, chosen, allow_changed) as replay:
        with stage("Looking at the sources"):
            question = replay.question()
            estimate = replay.estimate()
        ask_if_large("Finding the candidates", estimate)
        # Shown while Spark lives: how many records there are of a source, Spark may have to count.
        answer = answer_isolation(question, wrong, found, chosen, store, budget)
        isolation = answer.isolation
        if as_json:
            click.echo(json_text(isolate_json(answer, limit)))
        elif isolation.matched:
            show_isolation(output_console(), answer, limit)
            if failing is not None:
                show_next(message_console(), answer, store_hint(store))
        else:
            show_line(message_console(), f"No row of output {chosen.number} fails: {visible(str(wrong))}")
        if test is not None and isolation.matched:
            written = isolation.to_pytest(test)
            show_line(
                message_console(),
                f"\na test of the smallest failing input:\n  pytest {shlex.quote(str(written))}",
            )


def answer_isolation(
    question: "Question | RddQuestion",
    wrong: "str | Skew",
    run: StoredRun,
    output: Output,
    store: str,
    budget: Budget | None = None,
) -> IsolateAnswer:
    """All of an isolation that is shown, searched for and explained."""
    with stage("Finding the failing rows and their candidates") as say:
        place = (store, run.run_id, output.number, tuple(run.redact))
        isolation = _isolated(question, wrong, budget, lambda progress: say(_told(progress)), place)
        if isolation.matched:
            say("Looking for what the culprits share")
            isolation = _explained(isolation)
    return IsolateAnswer(run, output, str(wrong), isolation)


def _wrong(failing: str | None, skew: bool, by: str | None, factor: float | None) -> "str | Skew":
    """What is wrong, by the options."""
    if skew == (failing is not None):
        raise click.UsageError("say what is wrong: either --failing SQL or --skew")
    if failing is not None:
        if by is not None or factor is not None:
            raise click.UsageError("--by and --factor say what --skew means, which isn't given")
        return failing
    from bigdebug.isolation.skew import Skew

    known = Skew()
    return Skew(known.by if by is None else by, known.factor if factor is None else factor)


def _explained(isolation: "Isolation") -> "Isolation":
    """With what is said of the culprits; without, where that can't be told: what was searched for is kept."""
    try:
        _ = isolation.explanation, isolation.operators
    except BigDebugError as error:
        show_line(message_console(), f"What the culprits share can't be told: {visible(str(error))}")
        return replace(isolation, _explain=tuple, _suspect=tuple)
    return isolation


def _isolated(
    question: "Question | RddQuestion",
    failing: "str | Skew",
    budget: Budget | None,
    progress: "Callable[[Progress], None]",
    place: "tuple[str, str, int, tuple[str, ...]]",
) -> "Isolation":
    from bigdebug.isolation.isolating import isolate  # loads pyroaring
    from bigdebug.isolation.rdd.isolating import isolate_rdd
    from bigdebug.isolation.writing import Origin
    from bigdebug.lineage.rdd.questions import RddQuestion

    if isinstance(question, RddQuestion):
        return isolate_rdd(question, failing, budget=budget, progress=progress, origin=Origin(*place))
    return isolate(question, failing, budget=budget, progress=progress, origin=Origin(*place))


def _told(progress: "Progress") -> str:
    """How far it is, as a line."""
    tried = f"{plural(progress.replays, 'replay')}, {duration(progress.seconds)}"
    return f"Trying parts of {plural(progress.candidates, 'candidate')}: {progress.left:,} left after {tried}"

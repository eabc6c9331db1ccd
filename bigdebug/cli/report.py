"""`bigdebug report`: a recorded run as one page to be sent, kept and printed."""

import os
from pathlib import Path
from typing import Any

import rich_click as click

from bigdebug.cli.options import run_argument, store_option
from bigdebug.cli.rendering import message_console, show_line, stage
from bigdebug.cli.report_answers import ask_isolation, ask_trace
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.store import Store, StoredRun
from bigdebug.report.content import add_answer, content_of, read_answer
from bigdebug.report.page import page
from bigdebug.report.redaction import redacted
from bigdebug.wording.quantities import size


class _Question(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.5 on
    """`1: dest = 'PSE'`, or `last: …`."""

    name = "question"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        output, colon, condition = str(value).partition(":")
        if not colon or not output.strip() or not condition.strip():
            self.fail(f"{value!r} isn't OUTPUT: SQL, such as \"1: dest = 'PSE'\"", param, ctx)
        return output.strip(), condition.strip()


@click.command("report")
@run_argument
@click.option(
    "-o",
    "--out",
    "target",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The page to write.",
)
@click.option(
    "--trace",
    "traces",
    type=_Question(),
    multiple=True,
    metavar='"OUTPUT: SQL"',
    help="Trace rows of an output, too; asks its index, else Spark.",
)
@click.option(
    "--isolate",
    "isolations",
    type=_Question(),
    multiple=True,
    metavar='"OUTPUT: SQL"',
    help="Isolate the records to blame for wrong rows, too; asks Spark.",
)
@click.option(
    "--with",
    "answers",
    type=click.Path(dir_okay=False, path_type=Path),
    multiple=True,
    metavar="FILE.json",
    help="Show an answer that trace, isolate, why-not, skew or advise printed with --json.",
)
@click.option(
    "--redact",
    multiple=True,
    metavar="COLUMN",
    help="Show hashes instead of a column's values; may be repeated.",
)
@store_option
def command(
    run: str,
    target: Path,
    traces: tuple[tuple[str, str], ...],
    isolations: tuple[tuple[str, str], ...],
    answers: tuple[Path, ...],
    redact: tuple[str, ...],
    store: str,
) -> None:
    """Write a run as one page that needs nothing else: outputs, dataflow, crashes, traces, culprits and advice.

    RUN is an id, the beginning of one, or "last". What the store has is told at once, without Spark; answers to
    questions are added by asking them, or from files.

        bigdebug report last -o report.html --trace "1: dest = 'PSE' and month = 10"

        bigdebug isolate last 1 --failing "minutes < 0" --json > culprits.json

        bigdebug report last -o report.html --with culprits.json --redact passenger
    """
    found = Store(store).find(run)
    content = content_of(found)
    for path in answers:
        add_answer(content, read_answer(path))
    for output, where in traces:
        add_answer(content, ask_trace(found, output, where))
    for output, failing in isolations:
        add_answer(content, ask_isolation(found, output, failing, store))
    _add_advice(content, found)
    with stage("Writing the report"):
        written = _write(target, page(redacted(content, redact)))
    show_line(message_console(), f"wrote {target}: {size(written)}")


def _add_advice(content: dict[str, Any], run: StoredRun) -> None:
    """What Spark's event log tells, where the run wrote one that is still there."""
    place = run.settings.get("spark.eventLog")
    if not place or content["advice"]:
        return
    from bigdebug.advice.advising import advise
    from bigdebug.advice.thresholds import Thresholds
    from bigdebug.cli.advise import actions_of
    from bigdebug.cli.advise_view import advice_json

    limits = Thresholds()
    try:
        with stage("Reading the event log"):
            add_answer(content, advice_json(advise(str(place), limits, actions_of(run)), limits))
    except BigDebugError as error:
        content["notes"].append(f"Spark's event log isn't told of: {error.message}")


def _write(target: Path, text: str) -> int:
    """As a whole or not at all. What can't be encoded, half of a character, becomes a question mark."""
    data = text.encode("utf-8", "replace")
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise BigDebugError(
            f"{target} can't be written: {error.strerror or error}", hint="name a file elsewhere with -o"
        ) from error
    return len(data)

"""`bigdebug index`: the whole lineage of an output, written to the store."""

import rich_click as click

from bigdebug.cli.options import json_option, run_argument, store_option
from bigdebug.cli.rendering import message_console, output_console, show_line, stage
from bigdebug.cli.replaying import ask_if_large, replaying
from bigdebug.lineage.store import Store
from bigdebug.lineage.value_text import json_text
from bigdebug.wording.commands import store_hint
from bigdebug.wording.quantities import duration, plural, size


@click.command("index")
@run_argument
@click.argument("output", metavar="OUTPUT")
@click.option(
    "--allow-changed", is_flag=True, help="Go on where a source isn't what it was when the run read it."
)
@store_option
@json_option
def command(run: str, output: str, allow_changed: bool, store: str, as_json: bool) -> None:
    """Write the whole lineage of an output to the store, so that its traces take a moment and no Spark.

    RUN is an id, the beginning of one, or "last"; OUTPUT a number, a path or table that was written, or
    "last". From then on `bigdebug trace` reads the index. It names the records also when the sources are gone;
    their values it shows where they are still there.

        bigdebug index last 1
    """
    found = Store(store).find(run)
    chosen = found.output(output)
    with replaying(found, chosen, allow_changed) as replay:
        with stage("Looking at the sources"):
            estimate = replay.estimate()
        ask_if_large("The index", estimate)
        with stage("Writing down where each row came from") as say:
            index = replay.index(lambda what: say(f"Writing down {what}"))
    if as_json:
        content = {"run": found.run_id, "output": chosen.number}
        measured = {"rows": index.rows, "bytes": index.bytes, "seconds": index.seconds}
        click.echo(json_text(content | measured))
        return
    what = f"output {chosen.number} ({chosen.target or chosen.action})"
    took = f"{size(index.bytes)}, in {duration(index.seconds)}"
    show_line(output_console(), f"indexed {what}: {plural(index.rows, 'row')}, {took}")
    place = store_hint(store)
    show_line(message_console(), "\ntraces of it need no Spark now:")
    show_line(
        message_console(), f"  bigdebug trace {found.run_id} {chosen.number}{place} --where 'column = value'"
    )

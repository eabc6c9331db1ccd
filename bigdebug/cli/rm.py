"""`bigdebug rm`: delete a recorded run."""

import sys

import rich_click as click

from bigdebug.cli.options import json_option, run_argument, store_option
from bigdebug.cli.rendering import message_console, show_line
from bigdebug.cli.runs import run_name
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.store import Store
from bigdebug.lineage.value_text import json_text, visible
from bigdebug.wording.quantities import moment


@click.command("rm")
@run_argument
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@store_option
@json_option
def command(run: str, yes: bool, store: str, as_json: bool) -> None:
    """Delete a recorded run, with its recipes.

    RUN is an id, the beginning of one, or "last".

        bigdebug rm 20261125-235701-yyy --yes
    """
    place = Store(store)
    found = place.find(run)
    if found.status == "running":
        raise BigDebugError(f"the run {found.run_id} is still going", hint="stop its program first")
    if not yes:
        if not sys.stdin.isatty():
            raise BigDebugError("nothing was removed: there is no terminal to ask on", hint="add --yes")
        named = " ".join(part for part in (found.run_id, visible(run_name(found))) if part)
        question = f"Remove the run {named}, {moment(found.started)}?"
        if not click.confirm(question, err=True):
            raise BigDebugError("nothing was removed")
    place.remove(found)
    if as_json:
        click.echo(json_text({"store": store, "removed": [found.run_id]}))
    else:
        show_line(message_console(), f"Removed {found.run_id}.")

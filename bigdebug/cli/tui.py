"""`bigdebug tui`: the runs of a store, their dataflows and records, in the terminal or in a browser."""

import os
import sys

import rich_click as click

from bigdebug.cli.options import complete_run, store_option
from bigdebug.lineage.errors import UnreachableError


@click.command("tui")
@click.argument("run", metavar="[RUN]", required=False, shell_complete=complete_run)
@click.option("--web", is_flag=True, help="Serve it to a browser on this machine instead.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="With --web.  [default: any]"
)
@click.option(
    "--host",
    metavar="ADDRESS",
    help="With --web, listen there, not on this machine alone: who knows the address can run code as you.",
)
@store_option
def command(run: str | None, web: bool, port: int, host: str | None, store: str) -> int:
    """Look around in recorded runs, and control those that go on.

    RUN is an id, the beginning of one, or "last"; left out, the runs of the store are listed. "?" shows all keys.

        bigdebug tui last

    With --web a browser shows the same, at an address with a random token in it.
    """
    if (port or host is not None) and not web:
        raise click.UsageError("--port and --host are for --web")
    if web:
        from bigdebug.tui.web import serve

        serve(store, run, host, port)
        return 0
    if not (sys.stdin.isatty() and sys.stderr.isatty()) and "TEXTUAL_DRIVER" not in os.environ:
        raise UnreachableError(
            "the app needs a terminal", hint="in a pipe use `bigdebug runs` and `bigdebug show`"
        )
    from bigdebug.tui.start import start

    return start(store, run)

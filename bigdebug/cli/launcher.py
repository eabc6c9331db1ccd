"""`bigdebug launcher`: the file to give to spark-submit."""

from pathlib import Path

import rich_click as click

import bigdebug


@click.command("launcher")
def command() -> None:
    """Print the file that spark-submit runs a script with, to record it.

    Use it before the script, in client mode:

        spark-submit "$(bigdebug launcher)" script.py args

    BIGDEBUG_STORE, BIGDEBUG_CAPTURE, BIGDEBUG_REDACT (columns, with commas) and BIGDEBUG_NAME stand for
    the options of `bigdebug run`.
    """
    click.echo(Path(bigdebug.__path__[0], "launcher.py").absolute())

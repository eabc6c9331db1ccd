"""The `bigdebug` command: finds the subcommand, runs it, turns what went wrong into a message and a code."""

import importlib
import importlib.metadata
import keyword
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import rich_click as click

from bigdebug.lineage.errors import BigDebugError, ExitCode
from bigdebug.lineage.failure import error_text

# A command's module is imported only when the command runs, so the help text of each stands here, too.
COMMANDS = {
    "run": "Run a PySpark script and record its dataflow.",
    "runs": "List the recorded runs.",
    "show": "Show the outputs of a run and how they came about.",
    "trace": "Trace rows of an output back to the source records they came from.",
    "index": "Write the whole lineage of an output to the store, for traces without Spark.",
    "why-not": "Tell why a row is missing from an output, and which operator dropped it.",
    "diff": "Tell what differs between two runs, down to the records behind a row.",
    "isolate": "Find the few source records that make rows of an output wrong.",
    "skew": "Tell how lopsided the shuffles of an output are, by which keys, and what to do.",
    "break": "Look at the records that pass a line of the program, while it runs or afterwards.",
    "watch": "Catch the records of a running program that satisfy a guard.",
    "advise": "Tell from Spark's event log what made an application slow, and what to do.",
    "crashes": "Show the records that crashed functions, and what became of them.",
    "report": "Write a run as one page, to be sent, kept and printed.",
    "rm": "Delete a recorded run.",
    "prune": "Delete old runs.",
    "doctor": "Check Python, Java, PySpark and the store; say what to do about each problem.",
    "tui": "Look around in recorded runs, and control those that go on, in the terminal or a browser.",
    "demo": "See it all on real flight data, in a minute.",
    "launcher": "Print the file that spark-submit runs a script with, to record it.",
}


def module_of(command: str) -> str:
    """The module of a command."""
    name = command.replace("-", "_")
    return f"bigdebug.cli.{name}_point" if keyword.iskeyword(name) else f"bigdebug.cli.{name}"


class LazyGroup(click.RichGroup):
    """A group that knows its commands by name and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """What the help page and the completion of command names need: a name and a line."""
        if cmd_name not in COMMANDS:
            return None
        return click.RichCommand(name=cmd_name, short_help=COMMANDS[cmd_name], help=COMMANDS[cmd_name])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name in COMMANDS:
            command = importlib.import_module(module_of(name)).command
        return name, command, rest


def _version() -> str:
    try:
        return importlib.metadata.version("bigdebug")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed: running from its source)"


@click.group(name="bigdebug", cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_version(), "-V", "--version", message="bigdebug %(version)s")
def group() -> None:
    """A debugger for PySpark dataflows: from a wrong row to the source records it came from.

    Record a script, look at what it gave, ask about a row of it:

        bigdebug run etl.py

        bigdebug show last

        bigdebug trace last last --where "revenue < 0"

    Each command has a help page of its own: bigdebug trace --help.
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command line.

    Args:
        argv: the arguments after the command's name; those of the process if None.

    Returns:
        The exit code, one of `ExitCode`.
    """
    try:
        result: Any = group.main(argv, prog_name="bigdebug", standalone_mode=False)
        sys.stdout.flush()
    except BigDebugError as error:
        _say("error", error.message)
        if error.hint:
            _say("hint", error.hint)
        if site := os.environ.get("BIGDEBUG_DOCS"):
            _say("more", f"{site.rstrip('/')}/{error.page}")
        return int(error.exit_code)
    except click.UsageError as error:
        _say("error", error.format_message())
        _say("hint", f"{error.ctx.command_path if error.ctx else 'bigdebug'} --help")
        return ExitCode.USAGE
    except click.ClickException as error:
        _say("error", error.format_message())
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say("error", "interrupted")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (`bigdebug runs | head`): Python's own flush at exit would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except Exception as error:
        if os.environ.get("BIGDEBUG_TRACEBACK"):
            traceback.print_exc()
        _say("error", f"unexpected {error_text(error)}")
        _say(
            "hint",
            "a fault of bigdebug: please report it, with what BIGDEBUG_TRACEBACK=1 prints",
        )
        return ExitCode.FAILED
    return result if isinstance(result, int) else ExitCode.DONE


def _say(kind: str, text: str) -> None:
    print(f"{kind}: {text}", file=sys.stderr)

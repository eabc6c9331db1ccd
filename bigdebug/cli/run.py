"""`bigdebug run`: run a script as Python would, and record its dataflow."""

import json
import os
import subprocess
import sys
from pathlib import Path

import rich_click as click

from bigdebug.cli.options import require_call_site, store_option
from bigdebug.lineage.errors import BigDebugError, UnreachableError
from bigdebug.recording import absolute_store
from bigdebug.running import SETTINGS
from bigdebug.wording.commands import store_hint


@click.command("run", context_settings={"allow_interspersed_args": False})
@store_option
@click.option("--name", help="A name for the run.")
@click.option(
    "--capture",
    type=click.Choice(["recipe", "full"]),
    default="recipe",
    show_default=True,
    envvar="BIGDEBUG_CAPTURE",
    help="Keep how to compute each output again, or its full lineage, too (for sources soon gone).",
)
@click.option(
    "--redact",
    metavar="COLUMN",
    multiple=True,
    help="Hash this column's values before anything is written; may be given often.",
)
@click.option(
    "--break",
    "breaks",
    metavar="FILE:LINE",
    multiple=True,
    help="Set a breakpoint at the operator on that line, which never stops the job; may be given often.",
)
@click.option("-m", "as_module", is_flag=True, help="SCRIPT is a module's name, as with python -m.")
@click.argument("script", metavar="SCRIPT")
@click.argument("arguments", metavar="[ARGS]...", nargs=-1, type=click.UNPROCESSED)
def command(
    store: str,
    name: str | None,
    capture: str,
    redact: tuple[str, ...],
    breaks: tuple[str, ...],
    as_module: bool,
    script: str,
    arguments: tuple[str, ...],
) -> int:
    """Run a PySpark script and record its dataflow.

    The script runs as `python SCRIPT` would run it and the command exits with the script's own code.

        bigdebug run --name nightly etl.py --day 2026-11-25

        bigdebug run -m shop.report
    """
    for each in breaks:
        require_call_site(each, "--break")
    if not as_module:
        _require_script(script)
    _require_writable(store)
    os.environ[SETTINGS] = json.dumps(
        {
            "as_module": as_module,
            "store": absolute_store(store),
            "capture": capture,
            "redact": redact,
            "name": name,
            "breaks": breaks,
            "store_hint": store_hint(store),
        }
    )
    return _become(script, arguments)


def _become(script: str, arguments: tuple[str, ...]) -> int:
    """Let a fresh Python take this process's place: none of our imports, frames or handlers stays."""
    import bigdebug

    launcher = str(Path(bigdebug.__path__[0], "launcher.py"))
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    argv = [sys.executable, *flags, launcher, script, *arguments]
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        os.execv(sys.executable, argv)
    return subprocess.call(argv)


def _require_script(script: str) -> None:
    path = Path(script)
    if not path.exists():
        raise BigDebugError(f"no such script: {script}", hint="bigdebug run script.py, or -m for a module")
    if path.is_dir() and not (path / "__main__.py").exists():
        raise BigDebugError(f"{script} is a folder without __main__.py", hint="name the script in it")


def _require_writable(store: str) -> None:
    """Better to say it now than after an hour's job that left no trace."""
    absolute = absolute_store(store)
    if not os.path.isabs(absolute):
        return
    place = Path(absolute)
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise UnreachableError(f"can't write to the store {store}", hint="name another folder with --store")

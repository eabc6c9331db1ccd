"""`bigdebug doctor`: checks what bigdebug needs, and says for each problem what to do."""

import json
from dataclasses import asdict

import rich_click as click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bigdebug.checkup import Check, looks
from bigdebug.cli.options import json_option, store_option
from bigdebug.lineage.errors import ExitCode

_COMPLETION = 'Completion in bash: eval "$(_BIGDEBUG_COMPLETE=bash_source bigdebug)"; zsh and fish likewise.'


@click.command("doctor", epilog=_COMPLETION)
@store_option
@json_option
@click.option("--no-spark", is_flag=True, help="Leave out the Spark job that shows that all works together.")
def command(store: str, as_json: bool, no_spark: bool) -> int:
    """Check Python, Java, PySpark and the store; say what to do about each problem.

    Without a job in Spark it takes a moment:

        bigdebug doctor --no-spark
    """
    checks: list[Check] = []
    with Console(stderr=True).status("") as status:
        for name, look in looks(store, with_spark=not no_spark):
            status.update(f"Checking {name} …")
            checks.append(look())
    exit_code = _exit_code(checks)
    if as_json:
        answer = {"ok": exit_code == ExitCode.DONE, "checks": [asdict(check) for check in checks]}
        click.echo(json.dumps(answer, indent=2))
    else:
        _show(checks, Console())
    return exit_code


def _show(checks: list[Check], console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    table.add_column("check", style="bold", no_wrap=True)
    table.add_column("found", overflow="fold")
    for check in checks:
        mark = "[green]✓[/]" if check.ok else "[red]✗[/]"
        table.add_row(mark, check.name, escape(check.found))
    console.print(table)
    for check in checks:
        if not check.ok:
            # On a line of its own and never wrapped: it is there to be copied.
            console.print(f"\n[bold]{check.name}:[/] [yellow]{escape(check.advice or '')}[/]", soft_wrap=True)


def _exit_code(checks: list[Check]) -> ExitCode:
    failed = [check for check in checks if not check.ok]
    if any(check.unreachable for check in failed):
        return ExitCode.UNREACHABLE
    return ExitCode.FAILED if failed else ExitCode.DONE

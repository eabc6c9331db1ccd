"""`bigdebug runs`: the recorded runs, newest first."""

import os

import rich_click as click

from bigdebug.cli.options import json_option, store_option
from bigdebug.cli.rendering import (
    a_table,
    add_column,
    message_console,
    output_console,
    show_line,
    show_table,
    status_text,
)
from bigdebug.cli.run_json import run_head
from bigdebug.lineage.store import Store, StoredRun
from bigdebug.lineage.value_text import json_text, visible
from bigdebug.wording.quantities import duration, moment


@click.command("runs")
@store_option
@json_option
def command(store: str, as_json: bool) -> None:
    """List the recorded runs, newest first.

    Each with its name, when it began, how long it took and how many outputs it has.

        bigdebug runs
    """
    runs = Store(store).runs()
    if as_json:
        described = [run_head(run) | {"outputs": len(run.outputs), "failed": _failed(run)} for run in runs]
        click.echo(json_text({"store": store, "runs": described}))
        return
    messages = message_console()
    if not runs:
        show_line(messages, f"The store {store} holds no runs yet. Record one: bigdebug run script.py")
        return
    table = a_table()
    add_column(table, "run", whole=True)
    add_column(table, "name")
    add_column(table, "when", whole=True)
    add_column(table, "took", right=True, whole=True)
    add_column(table, "status", whole=True)
    add_column(table, "outputs", right=True, whole=True)
    any_failed = any(map(_failed, runs))
    if any_failed:
        add_column(table, "failed", right=True, whole=True)
    for run in runs:
        failed = _failed(run)
        table.add_row(
            run.run_id,
            visible(run_name(run)),
            moment(run.started),
            "-" if run.ended is None else duration(run.ended - run.started),
            status_text("broken" if run.problem else run.status),
            str(len(run.outputs)),
            *([str(failed) if failed else ""] if any_failed else []),
        )
    show_table(output_console(), table)
    for run in runs:
        if run.problem:
            show_line(messages, f"{run.run_id} is broken: {run.problem}")


def _failed(run: StoredRun) -> int:
    return sum(output.status == "failed" for output in run.outputs)


def run_name(run: StoredRun) -> str:
    """A run's name, or else that of its script."""
    return run.name or (os.path.basename(run.argv[0]) if run.argv else "")

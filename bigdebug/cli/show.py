"""`bigdebug show`: the outputs of a run, and the operators behind them."""

import platform
import shlex
from collections.abc import Mapping

import rich_click as click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bigdebug.cli.graph_view import draw_graph
from bigdebug.cli.operator_rows import Rows, count_rows
from bigdebug.cli.options import json_option, run_argument, store_option
from bigdebug.cli.rendering import (
    a_table,
    add_column,
    fits,
    message_console,
    output_console,
    show_line,
    show_table,
    status_text,
)
from bigdebug.cli.run_json import operator_json, output_json, run_head
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import Store, StoredRun
from bigdebug.lineage.value_text import json_text, visible
from bigdebug.wording.code_line import code_line
from bigdebug.wording.commands import store_hint
from bigdebug.wording.quantities import duration, moment, plural


@click.command("show")
@run_argument
@click.option("--graph", is_flag=True, help="Draw how each output came about.")
@click.option(
    "--rows",
    "counted",
    is_flag=True,
    help="Count the rows that each operator gave, by computing the outputs again; with the graph.",
)
@store_option
@json_option
def command(run: str, graph: bool, counted: bool, store: str, as_json: bool) -> None:
    """Show the outputs of a run and how they came about.

    RUN is an id, the beginning of one, or "last".

        bigdebug show last --graph
    """
    found = Store(store).find(run)
    rows = count_rows(found) if counted else {}
    if as_json:
        click.echo(json_text(_described(found, rows)))
        return
    console = output_console()
    _show_head(console, found)
    _show_outputs(console, found)
    if graph or counted:
        _show_graph(console, found, rows)
    elif found.nodes:
        _show_operators(console, found)
    messages = message_console()
    if found.problem:
        show_line(messages, f"{found.run_id} is broken: {found.problem}")
    _show_next(messages, found, store)


def _described(run: StoredRun, rows: Rows) -> dict[str, object]:
    return {
        "store": run.store,
        **run_head(run),
        "capture": run.capture,
        "redact": list(run.redact),
        "versions": run.versions,
        "settings": run.settings,
        "outputs": [
            output_json(output)
            | {"indexed": run.indexed(output.number)}
            | ({"operator_rows": _by_text(rows[output.number])} if output.number in rows else {})
            for output in run.outputs
        ],
        "operators": [operator_json(node) for _, node in sorted(run.nodes.items())],
    }


def _by_text(rows: Mapping[int, int]) -> dict[str, int]:
    return {str(number): rows[number] for number in sorted(rows)}


def _show_head(console: Console, run: StoredRun) -> None:
    took = "" if run.ended is None else f", took {duration(run.ended - run.started)}"
    told = {"lost": "lost: its process was killed", "running": "still running"}
    # What is damaged may have told how the run ended.
    status = "broken" if run.problem and run.status == "lost" else told.get(run.status, run.status)
    lines = {
        "run": run.run_id,
        "name": run.name or "",
        "script": shlex.join(run.argv),
        "when": f"{moment(run.started)}{took}",
        "status": status,
        "with": ", ".join(f"{name} {version}" for name, version in run.versions.items()),
        "redacted": ", ".join(run.redact),
    }
    for name, value in lines.items():
        if value:
            show_line(console, Text(f"{name:<9}", style="bold"), visible(value))


def _show_outputs(console: Console, run: StoredRun) -> None:
    console.print()
    if not run.outputs:
        show_line(console, "no outputs")
        return
    table = a_table()
    add_column(table, "output", right=True, whole=True)
    add_column(table, "action")
    add_column(table, "at", whole=True)
    add_column(table, "rows", right=True, whole=True)
    add_column(table, "took", right=True, whole=True)
    add_column(table, "status", whole=True)
    recipes = [_recipe(run, output) for output in run.outputs]
    with_recipes = set(recipes) != {"yes"}
    if with_recipes:
        add_column(table, "recipe", whole=True)
    indexed = {output.number for output in run.outputs if run.indexed(output.number)}
    if indexed:
        add_column(table, "index", whole=True)
    for output, recipe in zip(run.outputs, recipes, strict=True):
        table.add_row(
            str(output.number),
            visible(f"{output.action} {output.target}" if output.target else output.action),
            output.call_site.label if output.call_site else "",
            "" if output.rows is None else f"{output.rows:,}",
            duration(output.seconds),
            status_text(_status(run, output)),
            *([recipe] if with_recipes else []),
            *(["yes" if output.number in indexed else ""] if indexed else []),
        )
    show_table(console, table)
    for output in run.outputs:
        if output.error:
            show_line(console, f"output {output.number} failed: {visible(output.error)}")
        if output.missing:
            show_line(console, f"output {output.number} is partial: {_told(output.missing, 'left out')}")
        if output.repaired:
            show_line(console, f"output {output.number}: {_told(output.repaired, 'repaired')}")
        if output.recipe == "unavailable":
            why = output.recipe_problem or "not known why"
            show_line(console, f"output {output.number} has no recipe: {visible(why)}")


def _told(count: int, became: str) -> str:
    """What became of records that crashed a function."""
    return f"{plural(count, 'record')} that crashed a function {'was' if count == 1 else 'were'} {became}"


def _status(run: StoredRun, output: Output) -> str:
    return run.status if output.status == "running" and run.status == "lost" else output.status


def _recipe(run: StoredRun, output: Output) -> str:
    if output.recipe == "pending" and run.status != "running":
        return "none"
    return {"stored": "yes", "unavailable": "none"}.get(output.recipe, output.recipe)


def _show_operators(console: Console, run: StoredRun) -> None:
    console.print()
    table = _operators(run, with_code=True)
    show_table(console, table if fits(console, table) else _operators(run, with_code=False))


def _operators(run: StoredRun, *, with_code: bool) -> Table:
    table = a_table()
    add_column(table, "", right=True, whole=True)
    add_column(table, "operator")
    add_column(table, "reads", whole=True)
    add_column(table, "at", whole=True)
    if with_code:
        add_column(table, "code")
    for _, node in sorted(run.nodes.items()):
        cells = [
            str(node.id),
            visible(" ".join((node.operator, *node.paths))),
            ", ".join(map(str, node.parents)),
            node.call_site.label if node.call_site else "",
        ]
        code = code_line(node.call_site, run.nodes.values())
        table.add_row(*cells, *([visible(code)] if with_code else []))
    return table


def _show_graph(console: Console, run: StoredRun, rows: Rows) -> None:
    for output in run.outputs:
        if output.node is None:
            continue
        lines = draw_graph(run.nodes, output.node, rows.get(output.number))
        counts = ["" if line.rows is None else plural(line.rows, "row") for line in lines]
        room = max(map(len, counts))
        width = max(len(line.rails) + len(visible(line.text)) for line in lines)
        site = output.call_site.label if output.call_site else ""
        head = f"output {output.number}: {output.action}{f' {output.target}' if output.target else ''}"
        console.print()
        show_line(console, Text(visible(head), style="bold"), f"  {site}" if site else "")
        for line, count in zip(lines, counts, strict=True):
            gap = " " * (width - len(line.rails) - len(visible(line.text)))
            told = f"{gap}  {count:>{room}}" if room else gap
            at = Text(f"{told}  {line.call_site}" if line.call_site else told.rstrip(), style="cyan")
            show_line(console, Text(line.rails, style="dim"), visible(line.text), at)


def _show_next(messages: Console, run: StoredRun, store: str) -> None:
    """The exact next command to type."""
    traceable = [output for output in run.outputs if output.recipe == "stored"]
    place = store_hint(store)
    if traceable:
        number = traceable[-1].number
        show_line(messages, "\nwhere did a row come from? Name it by a condition on the output's columns:")
        show_line(messages, f"  bigdebug trace {run.run_id} {number}{place} --where {_QUOTED}")
    elif run.status == "running":
        show_line(messages, "\nthe run is still going; look again:")
        show_line(messages, f"  bigdebug show {run.run_id}{place}")
    else:
        show_line(messages, "\nno output of this run can be traced; record it again:")
        show_line(messages, f"  bigdebug run{place} {shlex.join(run.argv) or 'script.py'}")


_QUOTED = '"…"' if platform.system() == "Windows" else "'…'"

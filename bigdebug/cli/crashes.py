"""`bigdebug crashes`: the records that crashed functions in a recorded run, and what became of them."""

from typing import Any

import rich_click as click
from rich.console import Console

from bigdebug.cli.options import json_option, run_argument, store_option
from bigdebug.cli.rendering import a_table, add_column, message_console, output_console, show_line, show_table
from bigdebug.lineage.crash import CrashEvent
from bigdebug.lineage.errors import UnreachableError
from bigdebug.lineage.store import Store, StoredRun
from bigdebug.lineage.value_text import json_text, text_value, visible
from bigdebug.wording.code_line import code_line
from bigdebug.wording.quantities import plural

_BECAME = {
    "raise": "crashed",
    "skip": "were left out by",
    "repair": "were repaired at",
    "pause": "were set aside at",
}


@click.command("crashes")
@run_argument
@click.option(
    "--resolve",
    type=click.Choice(["skip", "repair", "fail"]),
    help='Answer a running program whose tasks wait with what they have set aside ("pause").',
)
@click.option(
    "--with", "how", metavar="PYTHON", help="To repair them: an expression of x, what the function was given."
)
@store_option
@json_option
def command(run: str, resolve: str | None, how: str | None, store: str, as_json: bool) -> None:
    """Show the records that crashed functions, where they stand, and what became of them.

    RUN is an id, the beginning of one, or "last".

        bigdebug crashes last

        bigdebug crashes last --resolve repair --with "x.strip()"
    """
    found = Store(store).find(run)
    if resolve is not None:
        _resolve(found, resolve, how, as_json)
        return
    if as_json:
        click.echo(json_text(_crashes_json(found)))
        return
    if not found.crashes:
        show_line(message_console(), f"No record is known to have crashed a function in run {found.run_id}.")
        return
    for number, crash in enumerate(found.crashes):
        if number:
            output_console().print()
        _show(output_console(), found, crash)


def _resolve(run: StoredRun, resolve: str, how: str | None, as_json: bool) -> None:
    """Answer the tasks that wait."""
    from bigdebug.breakpoints.channel.control import ask

    if run.place is None:
        raise UnreachableError(
            "only a run on this machine can be answered", hint="answer in the program itself"
        )
    request: dict[str, Any] = {"resolve": resolve, "with": how}
    answer = ask(run.place, "crashes", **request)
    if as_json:
        click.echo(json_text({"run": run.run_id, "resolved": answer["resolved"]}))
        return
    show_line(message_console(), f"{plural(answer['resolved'], 'record')} answered: {resolve}")


def _show(console: Console, run: StoredRun, crash: CrashEvent) -> None:
    where = f" {crash.call_site.label}" if crash.call_site else ""
    code = code_line(crash.call_site, run.nodes.values())
    beside = f" ({visible(code)})" if code else ""
    what = plural(crash.count, "record") if crash.count else "a function of more than one record"
    became = _BECAME.get(crash.policy, crash.policy)
    show_line(console, f"{what} {became} {crash.operator}{where}{beside}, output {crash.output}")
    if crash.records:
        table = a_table()
        for title in ("source", "record", "value", "error"):
            add_column(table, title, right=title == "record")
        for record in crash.records:
            table.add_row(
                visible(record.get("file") or record.get("source") or "-"),
                _place(record),
                text_value(record.get("value")),
                visible(str(record.get("error") or "").partition("\n")[0]),
            )
        show_table(console, table)
    if crash.count > len(crash.records):
        show_line(console, f"  … {plural(crash.count - len(crash.records), 'record')} more")
    if crash.quarantine:
        show_line(console, f"  in quarantine: {crash.quarantine}")
    for note in crash.notes:
        show_line(console, f"  ({note})")


def _place(record: dict[str, Any]) -> str:
    if record.get("position") is None:
        return "-"
    partition = record.get("partition")
    return str(record["position"]) if partition is None else f"{partition}:{record['position']}"


def _crashes_json(run: StoredRun) -> dict[str, Any]:
    return {"run": run.run_id, "crashes": [_crash_json(crash) for crash in run.crashes]}


def _crash_json(crash: CrashEvent) -> dict[str, Any]:
    site = crash.call_site
    return {
        "output": crash.output,
        "operator": crash.operator,
        "call_site": None
        if site is None
        else {"file": site.file, "line": site.line, "text": site.text, "function": site.function},
        "policy": crash.policy,
        "error": crash.error,
        "count": crash.count,
        "quarantine": crash.quarantine,
        "notes": list(crash.notes),
        "records": [
            {
                name: record.get(name)
                for name in (
                    "value", "source", "file", "position", "partition", "error", "traceback", "before", "after",
                )
            }
            for record in crash.records
        ],
    }  # fmt: skip

"""`bigdebug watch`: catches the records of a running program that satisfy a guard, and tells what was caught."""

from __future__ import annotations

from typing import Any

import rich_click as click

from bigdebug.breakpoints.channel.control import ask
from bigdebug.cli.live_view import show_records
from bigdebug.cli.options import json_option, require_call_site, run_argument, store_option
from bigdebug.cli.rendering import message_console, output_console, show_line
from bigdebug.lineage.errors import UnreachableError
from bigdebug.lineage.store import Store
from bigdebug.lineage.value_text import json_text
from bigdebug.wording.live import captured, folder_of, plain, shown
from bigdebug.wording.quantities import plural


@click.command("watch")
@run_argument
@click.argument("at", metavar="[FILE:LINE]", required=False)
@click.option("--guard", metavar="CONDITION", help="Which records to catch, in SQL.")
@click.option(
    "--slow",
    is_flag=True,
    help="Catch what your function there takes far longer over than usual, or is still busy with.",
)
@click.option(
    "--python", is_flag=True, help="The guard is Python, of a record x; it may change while a job runs."
)
@click.option(
    "--capacity", type=click.IntRange(0), default=100, show_default=True, help="Keep so many records."
)
@click.option("--number", type=click.IntRange(1), help="The watchpoint to look at, to change or to remove.")
@click.option("--remove", is_flag=True, help="Watch no more.")
@click.option("--records", is_flag=True, help="Compute again the records that Spark only counted.")
@click.option(
    "--timeout", type=click.FloatRange(1), default=600.0, show_default=True, help="Seconds to wait."
)
@store_option
@json_option
def command(
    run: str,
    at: str | None,
    guard: str | None,
    slow: bool,
    python: bool,
    capacity: int,
    number: int | None,
    remove: bool,
    records: bool,
    timeout: float,
    store: str,
    as_json: bool,
) -> None:
    """Set a watchpoint at the operator on a line of a running program, or tell what those there are have caught.

    Its records are caught as the program's own jobs run, from the next action on. Of a program that has ended: what
    its watchpoints caught.

        bigdebug watch last etl.py:42 --guard "price < 0"

        bigdebug watch last etl.py:57 --slow

        bigdebug watch last --number 1 --remove
    """
    if slow and guard is not None:
        raise click.UsageError("either --guard or --slow")
    guard = "Slow()" if slow else guard
    _require_usage(at, guard, number, remove)
    found = Store(store).find(run)
    if found.status == "running":
        request = {
            "at": at,
            "guard": guard,
            "python": python,
            "capacity": capacity,
            "number": number,
            "remove": remove,
            "records": records,
        }
        points = ask(folder_of(found), "watch", seconds=timeout, **request)
    elif at is not None or guard is not None or remove:
        raise UnreachableError(
            f"the run {found.run_id} has ended: nothing of it can be watched any more",
            hint="look at what passed a line: bigdebug break RUN FILE:LINE --when SQL",
        )
    else:
        points = [each for each in captured(found, "watch-*.json") if number in (None, each["number"])]
    if as_json:
        for point in points:
            for each in point["records"]:
                each["value"] = plain(each["value"])
        click.echo(json_text({"run": found.run_id, "watchpoints": points}))
        return
    console = output_console()
    for point in points:
        show_line(console, _head(point))
        show_records(console, [shown(each) for each in point["records"]])
        for note in point["notes"]:
            show_line(message_console(), f"  {note}")
    if not points:
        show_line(message_console(), "no watchpoints: bigdebug watch RUN FILE:LINE --guard SQL")


def _require_usage(at: str | None, guard: str | None, number: int | None, remove: bool) -> None:
    if at is not None:
        require_call_site(at)
    if at is not None and guard is None:
        raise click.UsageError("a watchpoint needs a --guard, or --slow")
    if at is not None and number is not None:
        raise click.UsageError("either FILE:LINE, for a new watchpoint, or the --number of one")
    if (guard is not None or remove) and at is None and number is None:
        raise click.UsageError("which one? Give FILE:LINE, for a new watchpoint, or the --number of one")


def _head(point: dict[str, Any]) -> str:
    where = point["call_site"] or "not reached yet"
    operator = f"  {point['operator']}" if point["operator"] else ""
    kept = len(point["records"])
    more = f", {kept} kept" if point["truncated"] or kept < point["hits"] else ""
    return f"{point['number']}  {where}{operator}  {point['guard']}  {plural(point['hits'], 'hit')}{more}"

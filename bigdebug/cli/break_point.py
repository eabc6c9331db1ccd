"""`bigdebug break`: the records that pass a line of the program, while it runs or when it has ended."""

from __future__ import annotations

from typing import Any

import rich_click as click

from bigdebug.breakpoints.channel.control import ask
from bigdebug.cli.live_view import show_records
from bigdebug.cli.options import json_option, require_call_site, run_argument, store_option
from bigdebug.cli.rendering import message_console, output_console, show_line
from bigdebug.lineage.store import Store
from bigdebug.lineage.value_text import json_text
from bigdebug.wording.live import captured, folder_of, plain
from bigdebug.wording.quantities import plural


@click.command("break")
@run_argument
@click.argument("at", metavar="[FILE:LINE]", required=False)
@click.option("--when", metavar="SQL", help="Only the records for which this holds.")
@click.option("--python", is_flag=True, help="The condition is Python, of an element x: of RDDs.")
@click.option("--limit", type=click.IntRange(0, 1000), default=20, show_default=True, help="Show so many.")
@click.option(
    "--timeout", type=click.FloatRange(1), default=600.0, show_default=True, help="Seconds to wait."
)
@store_option
@json_option
def command(
    run: str,
    at: str | None,
    when: str | None,
    python: bool,
    limit: int,
    timeout: float,
    store: str,
    as_json: bool,
) -> None:
    """Look at the records that pass the operator on a line of the program.

    Nothing stops: they are computed again from what was recorded, in the program while it runs, else in a Spark of
    our own. Without FILE:LINE: the breakpoints there are.

        bigdebug break last etl.py:42 --when "price < 0"
    """
    if at is not None:
        require_call_site(at)
    found = Store(store).find(run)
    if found.status == "running":
        points = ask(folder_of(found), "break", seconds=timeout, at=at, when=when, python=python, limit=limit)
    elif at is None:
        points = [
            {**each, "operator": None, "call_site": None, "reached": None, "count": None, "records": []}
            for stored in captured(found, "breakpoints.json")
            for each in stored
        ]
    else:
        from bigdebug.cli.break_ended import break_ended

        points = [break_ended(found, at, when, limit)]
    for point in points:
        point["records"] = [plain(each) for each in point["records"]]
    if as_json:
        click.echo(json_text({"run": found.run_id, "breakpoints": points}))
        return
    console = output_console()
    for point in points:
        show_line(console, _head(point))
        show_records(console, point["records"])
    if not points:
        show_line(message_console(), "no breakpoints: bigdebug break RUN FILE:LINE")


def _head(point: dict[str, Any]) -> str:
    number = "" if point["number"] is None else f"{point['number']}  "
    where = point["at"] or point["call_site"] or ""
    operator = f"  {point['operator']}" if point["operator"] else ""
    when = f"  when {point['when']}" if point["when"] else ""
    if point["reached"] is False:
        return f"{number}{where}{when}  not reached yet"
    count = "" if point["count"] is None else f"  {plural(point['count'], 'record')}"
    return f"{number}{where}{operator}{when}{count}"

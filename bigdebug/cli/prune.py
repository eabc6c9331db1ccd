"""`bigdebug prune`: delete old runs."""

import datetime
import re

import rich_click as click

from bigdebug.cli.options import json_option, store_option
from bigdebug.cli.rendering import message_console, show_line
from bigdebug.lineage.store import Store
from bigdebug.lineage.value_text import json_text
from bigdebug.wording.quantities import plural

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Age(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.5 on
    """A length of time such as `30d`."""

    name = "age"

    def convert(
        self, value: str | datetime.timedelta, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime.timedelta:
        if isinstance(value, datetime.timedelta):
            return value
        found = re.fullmatch(r"(\d{1,6})\s*([mhdw])", value.strip())
        if found is None:
            self.fail(f"{value!r} is no age: write 12h, 30d or 4w", param, ctx)
        return datetime.timedelta(**{_UNITS[found[2]]: int(found[1])})


@click.command("prune")
@click.option(
    "--older-than",
    type=Age(),
    required=True,
    metavar="AGE",
    help="How long ago a run must have ended: 12h, 30d, 4w.",
)
@store_option
@json_option
def command(older_than: datetime.timedelta, store: str, as_json: bool) -> None:
    """Delete the runs that ended long ago, and what is left of indexes that were never finished. Running ones stay.

    Of the last thirty days all stay:

        bigdebug prune --older-than 30d
    """
    place = Store(store)
    removed = [run.run_id for run in place.prune(older_than)]
    unfinished = place.tidy()
    if as_json:
        click.echo(json_text({"store": store, "removed": removed, "unfinished_indexes": unfinished}))
        return
    for run_id in removed:
        click.echo(run_id)
    many = "index" if unfinished == 1 else "indexes"
    rest = f" and what was left of {unfinished:,} unfinished {many}" if unfinished else ""
    show_line(message_console(), f"Removed {plural(len(removed), 'run')}{rest}.")

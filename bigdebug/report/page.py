"""A report's content as one HTML page. Every text passes through the escaping of the template, none is markup."""

from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.value_text import text_value, visible
from bigdebug.report.content import Content
from bigdebug.report.drawing import draw

_TEMPLATES = files("bigdebug.report") / "templates"


def page(content: Content) -> str:
    """The page: no script, and nothing that a browser would fetch.

    Raises:
        BigDebugError: an answer in it lacks what such an answer has.
    """
    template = _environment().get_template("page.html")
    style = Markup((_TEMPLATES / "style.css").read_text("utf-8"))  # ours, not the data's
    try:
        return template.render(content, drawing=draw(content), style=style)
    except (jinja2.UndefinedError, TypeError) as error:
        raise BigDebugError(
            f"an answer can't be shown: {error}", hint="write it again, with this version and --json"
        ) from error


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(lambda name: (_TEMPLATES / name).read_text("utf-8")),
    )
    environment.filters |= {
        "shown": _shown,
        "duration": _duration,
        "columns": _columns,
        "site": _site,
        "count": lambda number: f"{number:,}",
        "plural": _plural,
    }
    return environment


def _shown(value: Any) -> str:
    """A value as text, with nothing invisible in it."""
    return text_value(value)


def _site(place: Content | str | None) -> str:
    """`etl.py:42`."""
    if not place:
        return ""
    if isinstance(place, str):
        return visible(place)
    return visible(f"{str(place['file']).replace(chr(92), '/').rpartition('/')[2]}:{place['line']}")


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    whole = round(seconds)
    return (
        f"{whole // 60} min {whole % 60:02} s"
        if whole < 3600
        else f"{whole // 3600} h {whole % 3600 // 60:02} min"
    )


def _columns(records: list[Content]) -> list[str]:
    """The columns of records' values, in the order of their first appearance; none where they aren't rows.

    Of rows the values of some may not be known.
    """
    values = [record["value"] for record in records if record["value"] is not None]
    if not values or not all(isinstance(value, dict) for value in values):
        return []
    return list(dict.fromkeys(name for value in values for name in value))


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"

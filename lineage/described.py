"""What results say of themselves: one description, as text on a terminal and as HTML in a notebook."""

import html
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.value_text import text_value, visible

FEW_BYTES = 100_000_000
"""What is only looked at may read so much; for more, it says how to ask."""

FEW_RECORDS = 10
_WIDEST = 60


@dataclass(frozen=True)
class Table:
    """Rows under a caption; cells are values as they are."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Description:
    """What a result says of itself.

    Attributes:
        title: what it is, in a line.
        tables: what is in it.
        notes: what a person must know about it.
    """

    title: str
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()

    def text(self) -> str:
        """For a terminal: tables in columns, nothing in it that could steer one."""
        parts = [visible(self.title)]
        for table in self.tables:
            parts += ["", visible(table.caption), *_lines(table)]
        parts += [f"note: {visible(note)}" for note in self.notes]
        return "\n".join(parts)

    def html(self) -> str:
        """For a notebook: every text is escaped, nothing is fetched or run."""
        parts = [f"<div><p><b>{_escaped(self.title)}</b></p>"]
        for table in self.tables:
            head = "".join(
                f'<th scope="col" style="text-align:left">{_escaped(name)}</th>' for name in table.columns
            )
            rows = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in table.rows)
            caption = f'<caption style="text-align:left">{_escaped(table.caption)}</caption>'
            parts.append(f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
        parts += [f"<p><i>note: {_escaped(note)}</i></p>" for note in self.notes]
        return "".join([*parts, "</div>"]).encode("utf-8", "replace").decode("utf-8")


class Described:
    """Shows its description where it is displayed: in a notebook, and at IPython's prompt. A mixin.

    `repr` and `str` stay a line that costs nothing: they end up in logs.
    """

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "__repr__" in vars(cls):
            # IPython takes what stands nearest to the class, and a plain repr would hide what it inherits.
            cls._repr_pretty_ = Described._repr_pretty_  # type: ignore[method-assign]

    def _description(self) -> Description:
        raise NotImplementedError

    def _described_safely(self) -> Description:
        try:
            return self._description()
        except BigDebugError as error:
            return Description(repr(self), notes=[str(error)])
        except Exception as error:  # to look at a thing must never fail: Spark may be gone, say
            return Description(repr(self), notes=[f"more can't be told: {type(error).__name__}"])

    def _repr_html_(self) -> str:
        return self._described_safely().html()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """IPython's own for a terminal."""
        printer.text(repr(self) if cycle else self._described_safely().text())


def trace_description(trace: Any) -> Description:
    """Of any trace: its rows and sources, and the first records, where that costs little."""
    if getattr(trace, "bytes", 0) > FEW_BYTES and "matched" not in vars(trace):  # an index reads little
        told = f"it reads {trace.bytes:,} bytes: ask for .matched, .sources, .steps or .collect()"
        return Description(repr(trace), notes=[told])
    sources = trace.sources
    counts = Table(
        "sources" if not getattr(trace, "source", None) else "outputs",
        ("name", "kind", "at", "records"),
        [(each.name, each.kind, site_label(each), each.count) for each in sources],
    )
    tables = [counts]
    for each in sources:
        if each.count and hasattr(trace, "collect_source"):
            first = trace.collect_source(each.name, FEW_RECORDS)
            tables.append(records_table(f"records of {each.name}", first, each.count))
    exact = "exact" if trace.exact else "not exact"
    return Description(f"{repr(trace)[1:-1]}: {trace.matched:,} matched, {exact}", tables, trace.notes)


def why_not_description(why_not: Any, counted: str) -> Description:
    """Of any answer to why rows are missing: the operators with their counts, where these cost little.

    Args:
        why_not: the answer.
        counted: what of them the operators' counts are.
    """
    if why_not.bytes > FEW_BYTES and "_counts" not in vars(why_not):
        told = f"it reads {why_not.bytes:,} bytes: ask for .culprit, .steps or .dropped"
        return Description(repr(why_not), notes=[told])
    rows = [(each.operator, site_label(each), each.rows_in, each.rows_out) for each in why_not.steps]
    steps = Table(counted, ("operator", "at", "rows in", "rows out"), rows)
    dropped = why_not.culprit
    told = "nothing is missing" if dropped is None else f"dropped by {dropped.operator} {site_label(dropped)}"
    return Description(f"{repr(why_not)[1:-1]}: {told}", [steps], why_not.notes)


def records_table(caption: str, records: Sequence[Any], total: int | None = None) -> Table:
    """Source records, with their places.

    Args:
        caption: what they are.
        records: `TracedRecord`s.
        total: how many there are, where these are the first.
    """
    if total is not None and total > len(records):
        caption = f"{caption}, the first {len(records)} of {total:,}"
    columns = list(dict.fromkeys(name for record in records for name in record.cells))
    return Table(
        caption,
        ("file", "position", *map(str, columns)),
        [
            (
                record.location.file or record.source,
                _position(record.location),
                *(record.cells.get(name) for name in columns),
            )
            for record in records
        ],
    )


def site_label(thing: Any) -> str:
    """`etl.py:42`, of whatever has a call site."""
    return thing.call_site.label if thing.call_site else ""


def _position(location: Any) -> str:
    if location.position is None:
        return "-"
    return (
        str(location.position) if location.partition is None else f"{location.partition}:{location.position}"
    )


def _escaped(text: str) -> str:
    return f"<bdi>{html.escape(visible(text))}</bdi>"


def _cell(value: Any) -> str:
    side = "right" if isinstance(value, int | float) and not isinstance(value, bool) else "left"
    return f'<td style="text-align:{side}">{_escaped(_told(value))}</td>'


def _told(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else text_value(value)


def _lines(table: Table) -> Iterator[str]:
    cells = [[_cut(visible(_told(value))) for value in row] for row in [table.columns, *table.rows]]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(padded)}".rstrip()


def _width(text: str) -> int:
    return sum(
        2 if unicodedata.east_asian_width(char) in "WF" else not unicodedata.combining(char) for char in text
    )


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"

"""A trace: its way, step by step, the records at each step, and at a source the file at a record."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.location import TracedRecord
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import StoredRun
from bigdebug.lineage.value_text import json_text, json_value
from bigdebug.tui.actions import bindings
from bigdebug.tui.cells import Cell, Column, ListRows
from bigdebug.tui.conditions import of_element, of_row
from bigdebug.tui.copying import Shown
from bigdebug.tui.dialogs import FullText
from bigdebug.tui.engine import Work
from bigdebug.tui.grid import Grid
from bigdebug.tui.pages import Field
from bigdebug.tui.table import RecordRows, columns_of
from bigdebug.tui.traced import Place, Records, Way, backward, fetched, forward, records_at
from bigdebug.tui.view import View, command_of, joined
from bigdebug.wording.code_line import code_line
from bigdebug.wording.commands import store_hint
from bigdebug.wording.quantities import plural

_COLUMNS = (
    Column("on the way", most=44),
    Column("at", most=24),
    Column("rows", right=True),
    Column("code", most=100, style="grid--dim"),
)


class TraceView(View):
    """See the module.

    Args:
        run: the run.
        output: one of its outputs.
        where: which of its rows are traced; going forward, which of the source's records.
        source: going forward, the source's name.
    """

    NAME = "trace"
    BINDINGS: ClassVar[list[BindingType]] = bindings("trace")
    DEFAULT_CSS = """
    TraceView #way { height: auto; max-height: 50%; min-height: 4; }
    TraceView #records { height: 1fr; border-top: solid $primary; border-title-color: $text-primary; }
    """

    def __init__(self, run: StoredRun, output: Output, where: str, source: str | None = None) -> None:
        super().__init__()
        self.run, self.output, self.where, self.source = run, output, where, source
        self._way: Way | None = None
        self._records: dict[int, Records] = {}

    @property
    def heading(self) -> str:
        if self.source is not None:
            return joined("bigdebug", self.run.run_id, f"forward from {self.source} where {self.where}")
        return joined("bigdebug", self.run.run_id, f"output {self.output.number} where {self.where}")

    def parts(self) -> ComposeResult:
        with Vertical():
            yield Grid(_COLUMNS, id="way")
            yield Grid(id="records", cells=True)

    def on_mount(self) -> None:
        super().on_mount()
        self.begin(self._trace)

    # -- the trace ----------------------------------------------------------------------------------

    async def _trace(self) -> None:
        engine = self.ours.engine

        def ask(work: Work) -> Way:
            if self.source is not None:
                return forward(engine, self.run, self.output, self.where, self.source, work)
            return backward(engine, self.run, self.output, self.where, work)

        self._show(await engine.ask("Tracing", ask))

    def _show(self, way: Way) -> None:
        self._way = way
        self._records = {}
        rows = [self._row(way.places, place) for place in range(len(way.places))]
        self.query_one("#way", Grid).show(_COLUMNS, ListRows(rows))
        if not way.matched:
            self.say(f"no row matches: {self.where}")
            return
        said = "exact" if way.exact else "inexact"
        notes = f": {'; '.join(way.notes)}" if way.notes else ""
        narrows = not way.exact and hasattr(way.trace, "narrow")
        keys = "n goes on step by step, c all the way" + (", N narrows it" if narrows else "")
        self.say(f"{said}{notes} · {keys}", bad=not way.exact)

    def _row(self, places: Any, number: int) -> list[str | Cell]:
        place: Place = places[number]
        label = place.call_site.label if place.call_site else ""
        code = code_line(place.call_site, self.run.nodes.values())
        last = number == len(places) - 1 or places[number + 1].kind == "rows"
        name = place.name
        if place.kind == "rows":
            return [Cell(f"▣ {name}", "grid--strong"), label, f"{place.count:,}", code]
        if place.kind == "step":
            return [f"│ ○ {name}", label, f"{place.count:,}", code]
        if place.earlier:
            name += f"  of run {place.earlier}"
        return [Cell(f"{'└' if last else '├'}─● {name}", "grid--good"), label, f"{place.count:,}", code]

    def action_narrow(self) -> None:
        way = self._way
        if way is None or self.source is not None or not hasattr(way.trace, "narrow"):
            self.say("this trace can't be narrowed")
            return

        async def narrow() -> None:
            def ask(work: Work) -> Way:
                work.say("Narrowing the trace by replays")
                start = way.places[0]
                return fetched(way.trace.narrow(), start.name, start.call_site, work)

            self._show(await self.ours.engine.ask("Narrowing", ask))

        self.begin(narrow)

    # -- step by step -------------------------------------------------------------------------------

    def _place(self) -> Place | None:
        if self._way is None or not self._way.places:
            return None
        return self._way.places[self.query_one("#way", Grid).cursor]

    def call_site(self) -> CallSite | None:
        place = self._place()
        return place.call_site if place else None

    @on(Grid.Moved, "#way")
    def _moved(self) -> None:
        number, place = self.query_one("#way", Grid).cursor, self._place()
        if place is None:
            return
        if number in self._records:
            self._show_records(place, self._records[number])
        elif place.count and place.kind != "rows":
            self.query_one("#records", Grid).show([], ListRows())
            self.begin(lambda: self._fetch(number, place), group="records")
        else:
            self._show_records(place, Records((), ()))

    async def _fetch(self, number: int, place: Place) -> None:
        found = await self.ours.engine.ask("Fetching records", lambda work: records_at(place, work))
        self._records[number] = found
        if self.query_one("#way", Grid).cursor == number:
            self._show_records(place, found)

    def _show_records(self, place: Place, records: Records) -> None:
        grid = self.query_one("#records", Grid)
        columns = columns_of(records.fields, place.columns, place.deciding, kinds=not records.records)
        grid.show(columns, RecordRows(records))
        counted = plural(place.count, "record" if place.kind == "source" else "row")
        if records.rows and len(records.rows) < place.count:
            counted += f", the first {len(records.rows):,}"
        marks = "  ● its values reached the row  ○ it only decided" if place.columns or place.deciding else ""
        title = f"{place.name}: {counted}{marks}"
        if place.kind == "rows":
            title = "n goes on to the first step, c to the source"
        from rich.markup import escape

        from bigdebug.lineage.value_text import visible

        grid.border_title = escape(visible(title))

    def action_next(self) -> None:
        self.query_one("#way", Grid).action_move(1)

    def action_down(self) -> None:
        self.action_next()

    def action_up(self) -> None:
        self.query_one("#way", Grid).action_move(-1)

    def action_go_on(self) -> None:
        if self._way is None:
            return
        sources = [number for number, each in enumerate(self._way.places) if each.kind == "source"]
        grid = self.query_one("#way", Grid)
        after = [number for number in sources if number > grid.cursor]
        if sources:
            grid.place((after or sources)[0])
            self.query_one("#records", Grid).focus()

    # -- a record -----------------------------------------------------------------------------------

    def _record(self) -> tuple[Records, int] | None:
        grid = self.query_one("#records", Grid)
        rows = grid.rows
        return (rows.records, grid.cursor) if isinstance(rows, RecordRows) and rows.count else None

    def _source_record(self) -> TracedRecord | None:
        found = self._record()
        return found[0].records[found[1]] if found is not None and found[0].records else None

    @on(Grid.Selected, "#way")
    def _way_selected(self) -> None:
        self.query_one("#records", Grid).focus()

    @on(Grid.Selected, "#records")
    def _record_selected(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        if self.query_one("#way", Grid).has_focus and self.focused is not None:
            self.query_one("#records", Grid).focus()
            return
        record, found = self._source_record(), self._record()
        place = self._place()
        if record is not None and record.location.file is not None and place is not None:
            from bigdebug.tui.file import FileView

            self.app.push_screen(FileView(record, place.of))
        elif found is not None:
            records, row = found
            values = dict(
                zip([each.name for each in records.fields], map(json_value, records.rows[row]), strict=True)
            )
            self.app.push_screen(FullText(f"row {row}", json_text(values)))

    def action_forward(self) -> None:
        record, place = self._source_record(), self._place()
        if record is None or place is None or self.source is not None:
            self.say("point at a record of a source")
            return
        if not record.known:
            self.say("its values aren't known here, and a forward trace starts from them", bad=True)
            return
        if isinstance(record.value, dict):
            records = self._record()
            assert records is not None
            fields, rows = records[0].fields, records[0].rows
            first = next(i for i, each in enumerate(fields) if each.name == "position") + 1
            usable = [Field(each.name, each.kind) for each in fields[first:]]
            where = of_row(usable, rows[records[1]][first:], [row[first:] for row in rows])
        else:
            where = of_element(
                record.value if isinstance(record.value, str) else json_text(json_value(record.value))
            )
        self.app.push_screen(TraceView(self.run, self.output, where, place.name))

    # -- what can be copied -------------------------------------------------------------------------

    def command_line(self) -> str | None:
        words = ["trace", self.run.run_id, str(self.output.number), "--where", self.where]
        if self.source is not None:
            words += ["--forward", "--source", self.source]
        return command_of(*words, store=store_hint(self.run.store))

    def shown(self) -> Shown | None:
        rows = self.query_one("#records", Grid).rows
        return rows.shown() if isinstance(rows, RecordRows) and rows.count else None

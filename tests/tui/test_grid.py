"""The table: any number of rows, any text."""

import asyncio
import time

from rich.cells import cell_len
from textual.app import App, ComposeResult

from bigdebug.tui.cells import Cell, Column, ListRows
from bigdebug.tui.grid import Grid
from bigdebug.tui.pages import Field, PageRows
from bigdebug.tui.table import RecordRows, columns_of
from bigdebug.tui.traced import Records

MANY = 1_000_000


class Numbers:
    """Pages of a million rows that count what is read of them."""

    def __init__(self) -> None:
        self.fields = [Field("n", "bigint"), Field("text", "string")]
        self.count = MANY
        self.complete = True
        self.read = 0

    def values(self, first: int, last: int) -> list[list[object]]:
        self.read += last - first
        return [[n, f"row {n}"] for n in range(first, last)]


class OneGrid(App[None]):
    def __init__(self, grid: Grid) -> None:
        super().__init__()
        self.grid = grid

    def compose(self) -> ComposeResult:
        yield self.grid

    def on_grid_wanted(self, event: Grid.Wanted) -> None:
        rows = event.grid.rows
        assert isinstance(rows, PageRows)
        rows.load(event.first, event.last)
        event.grid.loaded()

    def lines(self) -> list[str]:
        height = self.grid.size.height
        return ["".join(segment.text for segment in self.grid.render_line(y)) for y in range(height)]


def test_a_million_rows_are_there_at_once_and_few_are_read() -> None:
    async def play() -> None:
        pages = Numbers()
        grid = Grid(
            [Column("#", right=True), Column("n", "bigint", right=True), Column("text")], PageRows(pages)
        )
        app = OneGrid(grid)
        async with app.run_test(size=(60, 20)) as pilot:
            await pilot.pause()
            began = time.perf_counter()
            await pilot.press("end")
            await pilot.pause(0.2)
            assert app.lines()[-1].split() == ["999,999", "999999", "row", "999999"]
            await pilot.press("home", "pagedown", "pagedown", "down")
            await pilot.pause()
            assert grid.cursor == 35
            assert time.perf_counter() - began < 5
            assert pages.read <= 1_000

    asyncio.run(play())


def test_what_data_says_to_a_terminal_is_shown_and_not_obeyed() -> None:
    hostile = [
        "[red]markup[/red]",
        "\x1b[31mescape\x1b[0m",
        "two\nlines\ttab",
        "a\u202eb",
        "\x9b31m",
        "\x07bell",
    ]

    async def play() -> None:
        grid = Grid([Column("[b]title[/b]\x1b[1m", most=60)], ListRows([[text] for text in hostile]))
        app = OneGrid(grid)
        async with app.run_test(size=(60, 20)) as pilot:
            await pilot.pause()
            lines = [line.rstrip() for line in app.lines()]
            assert lines[0] == r"[b]title[/b]\x1b[1m"
            assert lines[1:7] == [
                "[red]markup[/red]",
                r"\x1b[31mescape\x1b[0m",
                r"two\nlines\ttab",
                r"a\u202eb",
                r"\x9b31m",
                r"\x07bell",
            ]
            assert "\x1b[31mescape" not in app.export_screenshot()

    asyncio.run(play())


def test_wide_and_right_to_left_characters_keep_the_columns_in_line() -> None:
    texts = ["日本語テキスト", "שלום עולם", "plain", "e\u0301 combining", "👩‍🚀 space"]

    async def play() -> None:
        grid = Grid([Column("text", width=12), Column("after")], ListRows([[text, "|"] for text in texts]))
        app = OneGrid(grid)
        async with app.run_test(size=(40, 10)) as pilot:
            await pilot.pause()
            for line in app.lines()[1 : len(texts) + 1]:
                assert cell_len(line.partition("|")[0]) == 14, line

    asyncio.run(play())


def test_the_mouse_moves_the_cursor_and_opens_with_a_double_click() -> None:
    opened: list[int] = []

    class Listening(OneGrid):
        def on_grid_selected(self, event: Grid.Selected) -> None:
            opened.append(event.grid.cursor)

    async def play() -> None:
        grid = Grid(
            [Column("a"), Column("b")],
            ListRows([[f"a{n}", Cell(f"b{n}", "grid--bad")] for n in range(50)]),
            cells=True,
        )
        app = Listening(grid)
        async with app.run_test(size=(30, 10)) as pilot:
            await pilot.click(Grid, offset=(6, 4))
            await pilot.pause()
            assert (grid.cursor, grid.cell) == (3, 1)
            await pilot.click(Grid, offset=(6, 4), times=2)
            await pilot.pause()
            assert opened == [3]

    asyncio.run(play())


def test_records_know_which_columns_reached_the_row() -> None:
    fields = [Field("position", "bigint"), Field("dest", "string"), Field("month", "int")]
    columns = columns_of(fields, ["dest"], ["month"])
    assert [column.note for column in columns] == ["", "●", "○"]
    rows = RecordRows(Records(fields, [[1, None, 2]]))
    assert rows.row(0) == ["1", "null", "2"]
    assert rows.shown().csv() == "position,dest,month\n1,,2\n"

"""What every screen has: help, palette, own keys, themes, copies; and a store in every state. Without Spark."""

import asyncio
import time
from pathlib import Path

import pytest

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import Store
from bigdebug.tui.app import THEMES
from bigdebug.tui.dialogs import FullText, Prompt
from bigdebug.tui.flow import FlowView
from bigdebug.tui.help import HelpScreen
from bigdebug.tui.runs import RunsView
from tests.thinned import thinned
from tests.tui.driving import Driver, played


def a_run(store: Path, name: str = "nightly", operators: int = 3, status: str | None = "done") -> str:
    """A run as a program leaves it: a chain of operators in a file that is there, and an output."""
    script = store.parent / "etl.py"
    script.write_text("".join(f"step{n} = step{n - 1}.filter('n > {n}')\n" for n in range(1, operators + 1)))
    writer = Store(str(store)).create_run(name=name, argv=[str(script)])
    for number in range(1, operators + 1):
        site = CallSite(str(script), number, f"step{number} = …")
        writer.node(Node(number, "filter", site, (number - 1,) if number > 1 else ()))
    site = CallSite(str(script), operators, "collect")
    writer.output(Output(writer.run_id, 1, "collect", operators, site, time.time(), status="done", rows=5))
    if status:
        writer.close(status)
    else:
        writer.flush()
    return writer.run_id


def test_an_empty_or_missing_store_says_what_to_do(tmp_path: Path) -> None:
    async def missing(person: Driver) -> None:
        assert "there is no store" in person.said
        assert "bigdebug run script.py" in person.said
        await person.press("enter", "t", "n", "x")

    played(tmp_path / "nothing", missing)
    (tmp_path / "empty").mkdir()

    async def empty(person: Driver) -> None:
        assert "holds no runs yet" in person.said

    played(tmp_path / "empty", empty)


def test_runs_are_searched(tmp_path: Path) -> None:
    for name in ("nightly", "hourly", "nightly two"):
        a_run(tmp_path / "store", name)

    async def story(person: Driver) -> None:
        await person.press("slash")
        await person.type("NIGHT")
        assert person.view.query_one("#runs").rows.count == 2
        assert "hourly" not in person.screen_text()
        assert person.said == "2 runs of 3"
        await person.press("slash")
        await person.type("")
        assert person.view.query_one("#runs").rows.count == 3

    played(tmp_path / "store", story)


def test_new_runs_and_ends_of_runs_are_seen_by_themselves(tmp_path: Path) -> None:
    a_run(tmp_path / "store", "first")

    async def story(person: Driver) -> None:
        writer = Store(str(tmp_path / "store")).create_run(name="second")
        await person.until(lambda: "second" in person.screen_text() and "● " in person.screen_text())
        writer.close("failed")
        await person.until(lambda: "failed" in person.screen_text().splitlines()[2])

    played(tmp_path / "store", story)


def test_a_broken_run_is_told(tmp_path: Path) -> None:
    run = a_run(tmp_path / "store")
    (tmp_path / "store" / run / "run.json").write_text("{")

    async def story(person: Driver) -> None:
        assert "broken" in person.screen_text()
        await person.press("enter")
        assert isinstance(person.view, FlowView)
        assert "broken: " in person.said

    played(tmp_path / "store", story)


def test_help_lists_the_keys_of_the_screen(tmp_path: Path) -> None:
    a_run(tmp_path / "store")

    async def story(person: Driver) -> None:
        await person.press("question_mark")
        assert isinstance(person.view, HelpScreen)
        text = person.screen_text()
        assert "Runs" in text
        assert "Search. Show only the runs" in text
        await person.press("escape", "enter", "f1")
        assert "Set a breakpoint at the operator" in person.screen_text()
        await person.press("question_mark")
        assert isinstance(person.view, FlowView)

    played(tmp_path / "store", story, size=(100, 50))


def test_the_palette_has_the_actions_by_name(tmp_path: Path) -> None:
    a_run(tmp_path / "store")

    async def story(person: Driver) -> None:
        await person.press("enter")
        await person.pilot.press("ctrl+p", *"copy command")
        await person.pilot.pause(0.5)
        await person.pilot.press("enter")
        await person.pilot.pause(0.5)
        await person.pilot.press("enter")
        await person.until(lambda: person.app.copied.startswith("bigdebug show "))
        assert person.app.copied.endswith(f"--graph --store {tmp_path / 'store'}")

    played(tmp_path / "store", story)


def test_a_users_own_keys_are_obeyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_run(tmp_path / "store")
    (tmp_path / "keys.toml").write_text('search = "f5"\nhelp = "f2"\n')
    monkeypatch.setenv("BIGDEBUG_KEYS", str(tmp_path / "keys.toml"))

    async def story(person: Driver) -> None:
        await person.press("slash")
        assert isinstance(person.view, RunsView)
        await person.press("f5")
        assert isinstance(person.view, Prompt)
        await person.press("escape", "f2")
        assert isinstance(person.view, HelpScreen)
        assert "f5" in person.screen_text()

    played(tmp_path / "store", story)


@pytest.mark.proof("the screens in each theme")
def test_every_theme_draws_and_none_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_run(tmp_path / "store")

    async def story(person: Driver) -> None:
        await person.press("enter")
        seen = []
        for _ in THEMES:
            seen.append(person.app.theme)
            assert "▣ output 1: collect" in person.screen_text()
            await person.press("T")
        assert seen == list(THEMES)
        assert person.app.theme == THEMES[0]

    played(tmp_path / "store", story)
    monkeypatch.setenv("NO_COLOR", "1")

    async def colourless(person: Driver) -> None:
        await person.press("enter", "n")
        assert "▶ step3" in person.screen_text()  # the cursor's line is marked by more than a colour

    played(tmp_path / "store", colourless)


def test_the_dataflow_is_walked_with_a_debuggers_keys(tmp_path: Path) -> None:
    a_run(tmp_path / "store", operators=5)

    async def story(person: Driver) -> None:
        await person.press("enter")
        grid = person.view.query_one("#flow")
        await person.press("n", "n")
        assert (grid.cursor, person.view.call_site().line) == (2, 4)
        await person.press("d")
        assert grid.cursor == 3
        await person.press("u", "u", "u")
        assert grid.cursor == 0
        await person.press("n", "n", "b")
        assert isinstance(person.view, Prompt)
        await person.type("n > 7")
        assert "◉" in person.screen_text()
        await person.press("home", "c")
        assert grid.cursor == 2
        await person.press("b")
        assert "no breakpoint at etl.py:4 any more" in person.said
        await person.press("c")
        assert grid.cursor == 5
        await person.press("w")
        assert "nothing can be watched any more" in person.said
        await person.press("t")
        assert "no output that can be computed again" in person.said
        await person.press("L")
        assert person.view.NAME == "live"
        await person.press("escape", "enter")
        assert person.view._bad or person.view.NAME == "records"

    played(tmp_path / "store", story)


def test_a_large_graph_is_folded_and_unfolded(tmp_path: Path) -> None:
    a_run(tmp_path / "store", operators=500)

    async def story(person: Driver) -> None:
        await person.press("enter")
        assert "498 operators, filter … (Space unfolds)" in person.screen_text()
        assert person.view.query_one("#flow").rows.count == 4
        await person.press("n", "n", "space")
        assert person.view.query_one("#flow").rows.count == 501
        began = time.perf_counter()
        await person.press("end", "home", "pagedown", "pagedown")
        assert time.perf_counter() - began < 5
        await person.press("space")
        assert person.view.query_one("#flow").rows.count == 4

    played(tmp_path / "store", story)


def test_what_a_run_says_to_a_terminal_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    name = "[red]night[/red]\x1b[31m\u202e"
    a_run(tmp_path / "store", name)

    async def story(person: Driver) -> None:
        assert r"[red]night[/red]\x1b[31…" in person.screen_text()
        await person.press("enter")
        assert r"[red]night[/red]\x1b[31m\u202e" in person.screen_text()
        person.view.say("[bold]x[/bold]\x1b[2J")
        await person.pilot.pause(0.3)
        assert r"[bold]x[/bold]\x1b[2J" in person.screen_text()
        person.app.push_screen(FullText("[i]t[/i]", "[red]v[/red]\x1b[1m"))
        await person.pilot.pause(0.3)
        assert r"[red]v[/red]\x1b[1m" in person.screen_text()
        assert "[i]t[/i]" in person.screen_text()

    played(tmp_path / "store", story, size=(100, 30))


@pytest.mark.parametrize("form", thinned(["json", "text", "csv"], "what is on the screen, copied"))
def test_what_is_on_the_screen_is_copied(tmp_path: Path, form: str) -> None:
    a_run(tmp_path / "store")

    async def story(person: Driver) -> None:
        await person.press("enter", "x")
        for _ in range(["text", "csv", "json"].index(form)):
            await person.press("down")
        await person.press("enter")
        await person.until(lambda: person.app.copied)
        assert "1 filter" in person.app.copied
        assert person.said == f"copied 4 rows as {form}"

    played(tmp_path / "store", story)


def test_q_goes_back_and_at_the_runs_leaves(tmp_path: Path) -> None:
    a_run(tmp_path / "store")

    async def story(person: Driver) -> None:
        await person.press("enter", "q")
        assert isinstance(person.view, RunsView)
        await person.pilot.press("q")
        await person.pilot.pause()
        assert person.app._exit

    played(tmp_path / "store", story)


def test_a_run_that_is_named_opens_at_once(tmp_path: Path) -> None:
    a_run(tmp_path / "store")

    async def story(person: Driver) -> None:
        await person.until(lambda: isinstance(person.view, FlowView))

    played(tmp_path / "store", story, run="last")


def test_a_screen_that_is_covered_draws_nothing(tmp_path: Path) -> None:
    """The list of runs looks for new ones every two seconds; below another screen that drew all of this one anew."""
    store = tmp_path / "store"
    a_run(store)

    async def story(person: Driver) -> None:
        await person.press("enter")
        drawn: list[object] = []
        display = person.app._display
        person.app._display = lambda *given: (drawn.append(given), display(*given))  # type: ignore[assignment]
        await asyncio.sleep(2.5)
        assert drawn == []
        await person.press("T")
        assert drawn != []

    played(store, story)

"""Each key of each screen does something that is seen: it changes the screen, says why it can't, or copies."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from bigdebug.tui.actions import ACTIONS, SCREENS
from bigdebug.tui.grid import Grid
from tests.thinned import thinned
from tests.tui.driving import Driver, played

WAYS: dict[str, Sequence[str]] = {
    "runs": (),
    "flow": ("enter",),
    "records": ("enter", "enter"),
    "trace": ("enter", "enter", "t"),
    "file": ("enter", "enter", "t", "c", "down", "enter"),
    "why": ("enter", "enter", "slash", "=dest = 'LEX'", "y"),
    "isolate": ("enter", "enter", "right", "right", "exclamation_mark", "down", "enter", "=minutes < -1000"),
    "skew": ("enter", "S"),
    "slow": ("enter", "m"),
    "live": ("enter", "L"),
}
"""By screen the keys that lead to it from the runs; what begins with `=` is typed in a field."""
LEAVES = ("back", "quit")
"""What leaves the screen or the app: the way back is gone after it."""


async def go(person: Driver, way: Sequence[str]) -> None:
    for step in way:
        if step.startswith("="):
            await person.until(lambda: bool(person.view.query("Input")))
            await person.type(step[1:])
        else:
            await person.press(step)


def state(person: Driver) -> tuple[object, ...]:
    """All that a person may notice; where the cursor is, and in which table, is told by colour."""
    app = person.app
    cursors = [(grid.cursor, grid.cell, grid.has_focus) for grid in person.view.query(Grid)]
    return (len(app.screen_stack), person.screen_text(), cursors, app.theme, app.copied)


@pytest.mark.parametrize("screen", thinned(SCREENS, "every key of every screen", 2))
def test_every_key_is_answered(
    demo: Path, spark: SparkSession, screen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(demo)
    monkeypatch.setenv("EDITOR", "true")
    silent: list[str] = []

    async def story(person: Driver) -> None:
        await go(person, WAYS[screen])
        here = person.view
        assert screen == here.NAME
        for action in ACTIONS:
            if not action.on(screen) or action.name in LEAVES:
                continue
            here.say("waiting for a key")
            person.app.copied = ""
            await person.settled()
            before = state(person)
            await person.press(action.keys.split(",")[0])
            if state(person) == before:
                silent.append(action.name)
            for _ in range(5):
                if person.view is here:
                    break
                await person.press("escape")
            assert person.view is here, f"no way back after {action.name}"
        await person.press("question_mark", "escape", "escape" if screen != "runs" else "T")
        assert screen == "runs" or person.view is not here

    played("store", story, spark, size=(100, 30))
    assert silent == []

"""The screens of the demo's run look as they did, on two sizes and in both themes."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from bigdebug.tui.app import THEMES
from tests.tui.driving import Driver, played
from tests.tui.looks import compared, stop_the_clock

SIZES = [(80, 24), (160, 50)]


@pytest.mark.parametrize(
    "size",
    [SIZES[0], pytest.param(SIZES[1], marks=pytest.mark.proof("the screens on a large terminal"))],
    ids=lambda size: f"{size[0]}x{size[1]}",
)
def test_the_screens_look_as_they_did(
    demo: Path, spark: SparkSession, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_the_clock(monkeypatch)
    monkeypatch.chdir(demo)

    async def story(person: Driver) -> None:
        async def look(name: str) -> None:
            for theme in THEMES[:2]:
                person.app.theme = theme
                await person.pilot.pause(0.3)
                compared(person, name)

        await look("runs")
        await person.press("enter", "n", "n")
        await look("dataflow")
        if size == SIZES[0]:
            await person.press("question_mark")
            await look("help")
            await person.press("escape")
        await person.press("u", "u", "enter")
        await look("records")
        await person.press("t")
        await person.press("c")
        await look("trace")
        await person.press("escape", "slash")
        await person.type("dest = 'LEX'")
        await person.press("y")
        await look("why-not")

    played("store", story, spark, size)

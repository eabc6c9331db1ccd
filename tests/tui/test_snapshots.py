"""Pictures of the screens of the demo's run, as SVG. `BIGDEBUG_SNAPSHOTS=write pytest …` draws them anew."""

import os
import re
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from bigdebug.tui import flow, isolate, runs
from tests.tui.driving import Driver, played

PICTURES = Path(__file__).parent / "pictures"
SIZES = [(80, 24), (160, 50)]


@pytest.fixture(autouse=True)
def at_one_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What differs from day to day is told as it was on one day."""
    monkeypatch.setattr(runs, "moment", lambda started: "today 09:31")
    for module in (runs, flow, isolate):
        monkeypatch.setattr(module, "duration", lambda seconds: "9.8 s")


def steady(svg: str) -> str:
    """A picture without what differs from run to run."""
    svg = re.sub(r"terminal-\d+-", "terminal-", svg)
    svg = re.sub(r"\d{8}-\d{6}-[a-z0-9]{3}", "20261126-071113-x6n", svg)
    return "".join(f"{line.rstrip()}\n" for line in svg.splitlines())


def compared(person: Driver, name: str) -> None:
    """Compare the screen with its picture."""
    width, height = person.app.size
    picture = PICTURES / f"{name}-{person.app.theme.removeprefix('bigdebug-')}-{width}x{height}.svg"
    drawn = steady(person.app.export_screenshot(title="bigdebug", simplify=True))
    if os.environ.get("BIGDEBUG_SNAPSHOTS") == "write":
        PICTURES.mkdir(exist_ok=True)
        picture.write_text(drawn)
    assert drawn == picture.read_text(), f"{picture.name} looks otherwise"


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("theme", ["bigdebug-dark", "bigdebug-light"])
def test_the_screens_look_as_they_did(
    demo: Path, spark: SparkSession, size: tuple[int, int], theme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIGDEBUG_THEME", theme)
    monkeypatch.chdir(demo)

    async def story(person: Driver) -> None:
        async def look(name: str) -> None:
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

    played("store", story, spark, size)


def test_an_isolation_looks_as_it_did(
    demo: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(demo)

    async def story(person: Driver) -> None:
        await person.press("enter", "exclamation_mark")
        await person.type("dest = 'BDL' and month = 12 and minutes < 0")
        await person.pilot.pause(0.3)
        compared(person, "isolate")

    played("store", story, spark, (100, 30))

"""The screens of the demo's run look as they did, on two sizes and in both themes."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.tui.app import THEMES
from tests.tui.driving import Driver, in_background, played
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


def halves(text: str) -> float:
    return int(text) / 2


def test_the_live_screen_looks_as_it_did(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_the_clock(monkeypatch)
    with bigdebug.attach(spark, store=str(tmp_path / "store")) as session:
        session.on_crash("pause", timeout=90)
        numbers = spark.sparkContext.parallelize(["2", "x", "4", "y"], 1).map(halves)
        session.watch(numbers, "x > 1")
        job, found = in_background(numbers.collect)

        async def story(person: Driver) -> None:
            await person.press("enter", "L")
            await person.until(lambda: "2 waiting" in str(person.view.query_one("#crashes").border_title))
            await person.until(lambda: "2.0" in person.screen_text())
            compared(person, "live")
            for paused in session.paused:
                paused.skip()
            await person.until(lambda: not job.is_alive())

        played(tmp_path / "store", story)
        assert found == [[1.0, 2.0]]

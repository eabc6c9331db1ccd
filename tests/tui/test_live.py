"""A program that runs is watched and answered from the app, over its real socket."""

from pathlib import Path

from pyspark.sql import SparkSession

import bigdebug
from bigdebug.tui.live import LiveView
from tests.tui.driving import Driver, in_background, played


def halves(text: str) -> float:
    return int(text) / 2


def here(line: str) -> str:
    """The call site of a line of this file."""
    lines = Path(__file__).read_text().splitlines()
    return (
        f"test_live.py:{next(i for i, each in enumerate(lines, 1) if line in each and 'here(' not in each)}"
    )


def test_hits_come_in_and_the_guard_is_edited(spark: SparkSession, tmp_path: Path) -> None:
    with bigdebug.attach(spark, store=str(tmp_path / "store")) as session:
        session.watch(here("kept = orders.filter"), "id = 3")
        orders = spark.range(10)
        kept = orders.filter("id < 8")
        kept.groupBy().sum("id").collect()

        async def story(person: Driver) -> None:
            assert "●" in person.screen_text()
            await person.press("enter", "L")
            assert isinstance(person.view, LiveView)
            await person.until(lambda: "0 records kept; Enter computes them" in person.screen_text())
            await person.press("enter")
            await person.until(lambda: "1 record kept" in person.screen_text())
            assert "id = 3" in person.screen_text()
            await person.press("g")
            await person.type("id > 4")
            await person.until(lambda: person.said == "the guard is id > 4")
            done, _ = in_background(lambda: kept.groupBy().sum("id").collect())
            await person.until(lambda: not done.is_alive())
            await person.until(lambda: [each["hits"] for each in person.view._points] == [4])
            await person.press("b")
            await person.type(here("kept = orders.filter"))
            await person.pilot.pause(0.2)
            await person.type("id > 5")
            await person.until(lambda: "◉  break" in person.screen_text())
            await person.press("down", "enter")
            await person.until(lambda: "2 records" in person.said)
            assert person.view.command_line().startswith("bigdebug break ")
            session.detach()
            await person.until(lambda: "the program has ended (done)" in person.said)

        played(tmp_path / "store", story)


def test_held_records_are_skipped_edited_and_repaired(spark: SparkSession, tmp_path: Path) -> None:
    with bigdebug.attach(spark, store=str(tmp_path / "store")) as session:
        session.on_crash("pause", timeout=90)
        numbers = spark.sparkContext.parallelize(["2", "x", "4", "y", "z6", "z8"], 1).map(halves)
        job, found = in_background(numbers.collect)

        async def story(person: Driver) -> None:
            await person.press("enter", "L")
            await person.until(lambda: "4 waiting" in str(person.view.query_one("#crashes").border_title))
            person.view.query_one("#crashes").focus()
            await person.press("i")
            await person.until(lambda: "3 waiting" in str(person.view.query_one("#crashes").border_title))
            await person.press("e")
            await person.type("'20'")
            await person.until(lambda: "2 waiting" in str(person.view.query_one("#crashes").border_title))
            await person.press("p")
            from textual.widgets import TextArea

            person.view.query_one(TextArea).text = "def repair(x):\n    return x.strip('y')\n"
            await person.press("ctrl+t")
            await person.until(lambda: "it fails: ValueError" in person.screen_text())
            assert "the function is given 'z6'" in person.screen_text()
            person.view.query_one(TextArea).text = "def repair(x):\n    return x.strip('z')\n"
            await person.press("ctrl+t")
            await person.until(lambda: "and gives 3.0" in person.screen_text())
            await person.press("ctrl+l")
            await person.until(lambda: "2 records repaired" in person.said)
            await person.until(lambda: not job.is_alive())

        played(tmp_path / "store", story)
        assert found == [[1.0, 2.0, 10.0, 3.0, 4.0]]
        assert (session.outputs[-1].missing, session.outputs[-1].repaired) == (1, 3)


def test_a_store_that_vanishes_is_said_and_what_was_loaded_stays(spark: SparkSession, tmp_path: Path) -> None:
    import shutil

    with bigdebug.attach(spark, store=str(tmp_path / "store")):
        spark.range(3).count()
    shutil.copytree(tmp_path / "store", tmp_path / "copy")

    async def story(person: Driver) -> None:
        shutil.rmtree(tmp_path / "copy")
        await person.press("r")
        assert person.said.endswith("what was loaded stays")
        assert "done" in person.screen_text()
        await person.press("enter")
        assert "output 1" in person.screen_text()
        await person.press("r")
        assert person.said.endswith("what was loaded stays")

    played(tmp_path / "copy", story)

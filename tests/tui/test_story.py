"""The whole story by keys alone: from the list of runs to the record in its file, and to a saved test."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from bigdebug.tui.file import FileView
from bigdebug.tui.flow import FlowView
from bigdebug.tui.isolate import IsolateView
from bigdebug.tui.records import RecordsView
from bigdebug.tui.runs import RunsView
from bigdebug.tui.trace import TraceView
from bigdebug.tui.why import WhyNotView
from tests.thinned import thinned
from tests.tui.driving import Driver, played
from tests.tui.looks import compared, stop_the_clock


@pytest.mark.proof("from the runs to the line of a file, as in a terminal")
def test_from_the_runs_to_the_line_of_the_file(demo: Path, spark: SparkSession) -> None:
    async def story(person: Driver) -> None:
        assert isinstance(person.view, RunsView)
        assert "flights" in person.screen_text()
        await person.press("enter")
        assert isinstance(person.view, FlowView)
        text = person.screen_text()
        assert "▣ output 1: collect" in text
        assert "● 1 read.csv flights.csv" in text
        await person.press("n", "n")
        assert "▶ means = timed.groupBy" in person.screen_text()
        await person.press("u", "u", "enter")
        assert isinstance(person.view, RecordsView)
        assert person.screen_text().splitlines()[3].split() == ["0", "PSE", "10", "-1023", "31"]
        await person.press("t")
        assert isinstance(person.view, TraceView)
        assert person.view.where == "dest = 'PSE' and month = 10"
        assert "└─● flights.csv" in person.screen_text()
        await person.press("n", "n", "n")
        assert "Project: 31 rows" in person.screen_text()
        await person.press("c")
        text = person.screen_text()
        assert "flights.csv: 31 records  ● its values reached the row" in text
        await person.press("down", "enter")
        assert isinstance(person.view, FileView)
        assert "▶ 2013,10,2,B6,745,JFK,PSE,2341,324" in person.screen_text()
        assert person.said.endswith(" is record 742")
        await person.press("escape")
        await person.press("f")
        assert person.view.source == "flights.csv"
        assert "output 1" in person.screen_text()

    played(demo / "store", story, spark)


def test_a_cell_is_wrong_and_the_test_of_it_is_saved(
    demo: Path, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_the_clock(monkeypatch)
    monkeypatch.chdir(demo)

    async def story(person: Driver) -> None:
        await person.press("enter", "enter")
        await person.press("slash")
        await person.type("dest = 'BDL' and month = 12")
        assert person.view.query_one("#records").rows.count == 1
        await person.press("right", "right", "exclamation_mark", "down", "enter")
        await person.pilot.pause(0.1)
        prompt = person.view.query_one("Input").value
        assert prompt.startswith("dest = 'BDL'")
        assert prompt.endswith("minutes < 0")
        await person.type("dest = 'BDL' and month = 12 and minutes < 0")
        assert isinstance(person.view, IsolateView)
        text = person.screen_text()
        assert "1 culprit of 29 candidates: without it the row passes; put it back and it fails again" in (
            " ".join(text.split())
        )
        assert "arr_time < dep_time: 1 of 1 culprit, 0 of 28 others" in text
        assert "2304" in text
        compared(person, "isolate")
        await person.press("S")
        await person.type(str(tmp_path / "test_flights.py"))
        assert person.said.startswith(f"wrote {tmp_path / 'test_flights.py'}")
        assert "2304" in (tmp_path / "test_flights.py").read_text()

    played("store", story, spark, size=(100, 30))


def test_no_row_leads_to_why_not(demo: Path, spark: SparkSession) -> None:
    async def story(person: Driver) -> None:
        await person.press("enter", "enter", "slash")
        await person.type("dest = 'LEX'")
        assert person.said == "no rows where dest = 'LEX': y tells why they are missing"
        await person.press("y")
        assert isinstance(person.view, WhyNotView)
        assert "no record matches in flights.csv" in person.said
        assert "✗  flights.csv" in person.screen_text()

    played(demo / "store", story, spark)


def test_rows_in_and_out_are_counted_on_request(demo: Path, spark: SparkSession) -> None:
    async def story(person: Driver) -> None:
        await person.press("enter", "R")
        lines = person.screen_text().splitlines()
        told = {
            line.split("│")[0].split()[2]: line.split("│")[0].split()
            for line in lines
            if "flights.py:" in line
        }
        assert told["groupBy.agg"][3:5] == ["8,448", "72"]
        assert told["orderBy"][3:5] == ["72", "72"]

    played(demo / "store", story, spark, size=(120, 30))


@pytest.mark.parametrize("wrong", thinned(["minutes +", "no_such = 1"], "filters that are wrong", 2))
def test_a_wrong_filter_is_said_and_what_was_loaded_stays(
    demo: Path, spark: SparkSession, wrong: str
) -> None:
    async def story(person: Driver) -> None:
        await person.press("enter", "enter", "slash")
        await person.type(wrong)
        assert "PSE" in person.screen_text()
        assert person.view._bad

    played(demo / "store", story, spark)

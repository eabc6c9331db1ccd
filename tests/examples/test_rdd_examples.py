"""Each of the examples with RDDs shows the very records behind its wrong result, as told without bigdebug."""

import json
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pyspark.sql import SparkSession

import bigdebug

EXAMPLES = Path(__file__).parents[2] / "examples"


class Ran(NamedTuple):
    """What an example printed, and the names that it leaves."""

    printed: list[str]
    names: dict[str, Any]


Run = Callable[[str], Ran]


@pytest.fixture
def run(
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs an example in the tests' own Spark."""
    monkeypatch.chdir(tmp_path)

    def ran(name: str) -> Ran:
        names = runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return Ran(capsys.readouterr().out.splitlines(), names)

    return ran


def lines_of(name: str) -> list[str]:
    return (EXAMPLES / "data" / name).read_text().splitlines()


def shown(lines: list[str], wanted: Callable[[str], bool]) -> list[str]:
    """Those that are wanted, with their numbers, as the examples print them."""
    return [f"line {number:2}  {line}" for number, line in enumerate(lines, 1) if wanted(line)]


def test_the_word_count_leads_to_the_lines_where_words_are_cut(run: Run, spark: SparkSession) -> None:
    with bigdebug.attach(spark) as session:
        assert "s    2" in run("word_count.py").printed
        trace = session.trace(session.outputs[-1], "key == 's'")
        (source,) = trace.sources
        found = {record.location.position: record.value for record in trace.collect()}
    poem = lines_of("walrus.txt")
    assert source.files == [str(EXAMPLES / "data" / "walrus.txt")]
    assert found == {number: line for number, line in enumerate(poem) if re.search(r"\W[sS]\b", line)}
    assert len(found) == 2


def test_the_joined_total_leads_to_the_lines_of_both_logs(run: Run, spark: SparkSession) -> None:
    with bigdebug.attach(spark) as session:
        assert run("log_join.py").printed == ["ada      77.00", "bob     163.00", "cleo     24.50"]
        trace = session.trace(session.outputs[-1], "key == 'bob'")
        orders, payments = (trace.collect_source(source.name) for source in trace.sources)
    placed = [line for line in lines_of("orders.log") if "customer=bob" in line]
    numbers = {line.split("order=")[1][:4] for line in placed}
    paid = [line for line in lines_of("payments.log") if line.split("order=")[1][:4] in numbers]
    assert [record.value for record in orders] == placed
    assert [record.value for record in payments] == [line for line in paid if "status=ok" in line]
    assert len(payments) == 4


def test_the_inverted_index_shows_the_tickets_with_the_odd_word(run: Run) -> None:
    printed, _ = run("inverted_index.py")
    tickets = [json.loads(line) for line in lines_of("tickets.jsonl")]
    told = [f"{ticket['id']}  {ticket['text']}" for ticket in tickets]
    expected = shown(told, lambda line: "&nbsp;" in line)
    assert printed[0].split() == ["nbsp", *(line.split()[2] for line in expected)]
    assert printed[printed.index("nbsp comes from") + 1 :] == expected
    assert len(expected) == 4


def test_page_rank_shows_the_links_of_all_pages_that_lead_to_the_shop(run: Run) -> None:
    printed, _ = run("page_rank.py")
    lines = lines_of("links.txt")
    links = [line.split(" -> ") for line in lines]
    leading: set[str] = {"best-watches"}
    for _ in links:
        leading |= {page for page, target in links if target in leading}
    expected = shown(lines, lambda line: line.split(" -> ")[0] in leading)
    assert printed[0].split()[0] == "best-watches"
    assert printed[5] == f"best-watches has its rank from {len(expected)} of {len(lines)} links"
    assert printed[6:-1] == expected
    assert printed[-1] == "through 5 joins and 5 reduceByKeys"
    assert len(expected) == 13


def test_k_means_shows_the_stops_with_latitude_and_longitude_mixed_up(run: Run) -> None:
    printed, names = run("k_means.py")
    stops = list(names["some_stops"]())
    mixed_up = [stop for stop in stops if ",Berlin,1" in stop]
    assert printed[4] == f"{len(mixed_up)} of {len(stops)} stops pull one to the south:"
    assert printed[5:] == mixed_up
    places = [tuple(map(float, stop.split(",")[2:])) for stop in mixed_up]
    mean = [sum(degrees) / len(places) for degrees in zip(*places, strict=True)]
    assert list(map(float, printed[1].split()[2:])) == pytest.approx(mean, abs=0.01)

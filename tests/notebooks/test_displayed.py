"""What results show of themselves in a notebook and at IPython's prompt: the same, as text, whatever is in it."""

import html
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.lib.pretty import pretty
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.described import Described, Description, Table
from bigdebug.lineage.value_text import visible

ROWS = [(1, "bob", 5), (2, "שלום", 7), (3, "\x1b[2Jann<script>", -900), (4, "日本", 6)]


class Parsed(HTMLParser):
    """The elements and the text of a fragment, which must be closed as it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.waiting: list[str] = []
        self.feed(text)
        assert self.waiting == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert {name for name, _ in attrs} <= {"style", "scope"}
        self.tags.append(tag)
        self.waiting.append(tag)
        if tag == "bdi":
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.waiting.pop() == tag

    def handle_data(self, data: str) -> None:
        self.cells[-1] += data if self.waiting[-1] == "bdi" else ""


def shown(thing: Any) -> tuple[Parsed, str]:
    """What a notebook and a prompt show; both say the same."""
    parsed, text = Parsed(thing._repr_html_()), pretty(thing)
    assert set(parsed.tags) <= {
        "div",
        "p",
        "b",
        "i",
        "bdi",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    }
    for cell in parsed.cells:
        assert cell[:50] in text
    assert "\n" not in repr(thing)
    return parsed, text


@pytest.fixture
def session(spark: SparkSession, tmp_path: Path) -> Iterator[Any]:
    with bigdebug.attach(spark, store=str(tmp_path / "store")) as attached:
        yield attached


def test_results_show_what_they_found(spark: SparkSession, session: Any) -> None:
    _, text = shown(session)
    assert text.endswith("no outputs yet")
    people = spark.createDataFrame(ROWS, ["id", "name", "<b>minutes</b>"])
    watched = session.watch(people, "id > 2")
    sums = people.groupBy((F.col("id") > 2).alias("late")).agg(F.sum("<b>minutes</b>").alias("total"))
    sums.collect()

    parsed, text = shown(session)
    assert {"outputs", "collect", "done"} <= set(parsed.cells)

    trace = session.trace(sums, "late")
    parsed, text = shown(trace)
    assert r"\x1b[2Jann<script>" in parsed.cells
    assert {"日本", "<b>minutes</b>"} <= set(parsed.cells)
    assert "1 matched, exact" in text

    found = session.isolate(sums, "total < 0")
    parsed, text = shown(found)
    assert "culprits, 1-minimal" in text
    assert "-900" in parsed.cells
    shown(found.culprits)

    _, text = shown(session.breakpoint(people))
    assert "records()" in text

    _, text = shown(watched)
    assert ": 2 hits" in text

    _, text = shown(session.why_not(sums, "total > 1000"))
    assert "rows in" in text

    parsed, text = shown(session.skew(sums))
    assert {"Aggregate", "none"} <= set(parsed.cells)
    parsed, text = shown(session.slow_records(people.select(F.udf(str.upper)("name"))))
    assert "slowest records of 1 function" in text


def test_a_thing_that_cannot_be_told_any_more_says_so_and_never_fails(session: Any) -> None:
    class Gone(Described):
        def __repr__(self) -> str:
            return "<Gone>"

        def _description(self) -> Description:
            raise ConnectionRefusedError("java is gone")

    parsed, text = shown(Gone())
    assert "<Gone>" in parsed.cells
    assert "ConnectionRefusedError" in text


@settings(max_examples=50)
@given(st.lists(st.lists(st.text(max_size=20), min_size=2, max_size=2), max_size=4), st.text(max_size=30))
def test_no_text_breaks_what_is_shown(rows: list[list[str]], title: str) -> None:
    description = Description(title, [Table(title, ["a", title], rows)], [title])
    parsed = Parsed(description.html())
    for text in [title, *(text for row in rows for text in row)]:
        assert visible(text) in parsed.cells
        assert html.escape(visible(text)) in description.html()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", description.text())

"""What stands on the page: everything, as text, whatever it is, and nothing that a browser would fetch or run."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from report_samples import a_skew, a_trace, an_isolation

from bigdebug.cli.main import main
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.store import Store
from bigdebug.lineage.value_text import visible
from bigdebug.report.content import add_answer, content_of
from bigdebug.report.page import page

Recorded = Callable[..., tuple[Path, str]]


class Parsed(HTMLParser):
    """The elements, their attributes and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def the_page(store: Path, run: str, *answers: dict[str, object]) -> str:
    content = content_of(Store(str(store)).find(run))
    for answer in answers:
        add_answer(content, answer)
    return page(content)


def judge(text: str, *shown: str) -> Parsed:
    """Nothing is fetched or run, every link leads somewhere, and the texts are there."""
    parsed = Parsed(text)
    tags = {tag for tag, _ in parsed.elements}
    assert tags.isdisjoint({"script", "img", "link", "iframe", "object", "embed", "base", "form", "i", "b"})
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in parsed.elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "style")]
        if "href" in attributes:
            assert str(attributes["href"])[0] == "#"
            assert str(attributes["href"])[1:] in ids
    for each in shown:
        assert visible(each) in parsed.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    return parsed


def test_all_of_a_run_is_on_its_page(recorded: Recorded) -> None:
    store, run = recorded(["orders", "ann"])
    parsed = judge(
        the_page(store, run, a_trace(run, [{"name": "Zoe", "n": 3}]), an_isolation(run), a_skew(run))
    )
    for told in (
        run, "1,234", "took 2.5 s", "99 records were left out by map", "ValueError: orders", "97 records more",
        "5 hits", "Zoe", "the first 1", "Not exact", "why it isn't", "1-minimal", "-31.5", "CASE",
        "4 replays in 9 jobs, 3.2 s",
        "1 of 2 shuffles is lopsided", "41,234", "80.0 %", "salt the key",
    ):  # fmt: skip
        assert told in parsed.text or told.replace("took ", "") in parsed.text, told
    headings = [tag for tag, _ in parsed.elements if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == "h1"
    assert headings.count("h1") == 1


def test_names_and_values_are_text_whatever_they_hold(recorded: Recorded) -> None:
    store, run = recorded()
    values: list[Any] = [{"name": "<b>x</b>", "<i>y</i>": ["\u202e", {"z": "</td>"}]}]
    values.append(None)  # not known: its source is gone
    page = the_page(store, run, a_trace(run, values))
    parsed = judge(page, "<b>x</b>", "<i>y</i>")
    assert "<td><bdi></bdi></td><td><bdi></bdi></td>" in page.replace("\n", "")
    assert "<script>alert('x')</script>" in parsed.text
    assert r"\x1b[2J\x07\x00" in parsed.text
    assert "{{ 7 * 7 }}" in parsed.text
    assert "שלום עולם" in parsed.text


@pytest.mark.parametrize(
    "examples", [15, pytest.param(500, marks=pytest.mark.proof("500 lists of any texts as names and values"))]
)
def test_no_text_breaks_the_page(recorded: Recorded, examples: int) -> None:
    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=4))
    def judged(texts: list[str]) -> None:
        store, run = recorded(texts)
        judge(the_page(store, run, a_trace(run, [{text: text for text in texts}])))

    judged()


def test_a_run_without_anything_has_a_page(tmp_path: Path) -> None:
    writer = Store(str(tmp_path)).create_run()
    parsed = judge(the_page(tmp_path, writer.run_id))
    assert "The program had no outputs" in parsed.text
    assert "still running when this was written" in parsed.text


def test_a_very_large_dataflow_is_told_as_a_table(tmp_path: Path) -> None:
    writer = Store(str(tmp_path)).create_run()
    for number in range(1, 400):
        writer.node(Node(number, "filter", None, parents=(number - 1,) if number > 1 else ()))
    from bigdebug.lineage.output import Output

    writer.output(Output(writer.run_id, 1, "collect", 399, None, 0.0, status="done"))
    writer.close("done")
    parsed = judge(the_page(tmp_path, writer.run_id))
    assert "too large to be drawn" in parsed.text
    assert "399 operators" in parsed.text


def test_the_command_writes_it_without_spark(
    recorded: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, run = recorded()
    answer = tmp_path / "trace.json"
    answer.write_text(json.dumps(a_trace(run, [{"name": "Zoe"}])))
    target = tmp_path / "report.html"
    assert main(["report", run, "-o", str(target), "--with", str(answer), "--store", str(store)]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "wrote" in printed.err
    judge(target.read_text("utf-8"), "Zoe")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["last"], 2, "--out"),
        (["last", "-o", "/nowhere/at/all.html"], 1, "can't be written"),
        (["last", "-o", "r.html", "--with", "nothing.json"], 1, "can't be read"),
        (["last", "-o", "r.html", "--with", "list.json"], 1, "no answer of a command"),
        (["last", "-o", "r.html", "--with", "torn.json"], 1, "holds no JSON"),
        (["last", "-o", "r.html", "--with", "other.json"], 1, "can show"),
        (["last", "-o", "r.html", "--with", "half.json"], 1, "can't be shown"),
        (["last", "-o", "r.html", "--with", "foreign.json"], 1, "about the run X, not about"),
        (["last", "-o", "r.html", "--trace", "x = 1"], 2, "OUTPUT: SQL"),
        (["last", "-o", "r.html", "--trace", "9: x = 1"], 1, "no output '9'"),
        (["nosuch", "-o", "r.html"], 1, "nosuch"),
    ],
)
def test_what_is_wrong_is_told(
    recorded: Recorded,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    told: str,
) -> None:
    store, _ = recorded(["x"])
    monkeypatch.chdir(tmp_path)
    contents = {
        "list": "[]",
        "torn": "{",
        "other": '{"a": 1}',
        "half": '{"sources": [{}], "output": 1}',
        "foreign": json.dumps(a_trace("X", [])),
    }
    for name, content in contents.items():
        (tmp_path / f"{name}.json").write_text(content)
    assert main(["report", *arguments, "--store", str(store)]) == code
    assert told in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()

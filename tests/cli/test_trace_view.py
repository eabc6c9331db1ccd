"""How a trace's answer looks, to people at any width and to programs."""

import datetime
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import Row
from rich.console import Console

from bigdebug.cli.record_view import short_names, show_records
from bigdebug.cli.rendering import output_console
from bigdebug.cli.schemas import schema
from bigdebug.cli.trace_view import TraceAnswer, TracedSource, TracedStep, show_trace, trace_json
from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.location import Location, TracedRecord
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import Store
from bigdebug.lineage.value_text import json_text, json_value, text_value

READ, GROUPED = CallSite("/home/me/report.py", 10), CallSite("/home/me/report.py", 14)


def a_source(
    name: str, count: int, records: Sequence[TracedRecord], files: Sequence[str] = ()
) -> TracedSource:
    return TracedSource(name, "csv", READ, count, files, records)


def an_answer(
    tmp_path: Path, sources: Sequence[TracedSource], notes: Sequence[str] = (), exact: bool = True
) -> TraceAnswer:
    Store(str(tmp_path)).create_run().close("done")
    run = Store(str(tmp_path)).find("last")
    output = Output(run.run_id, 1, "collect", 5, CallSite("/home/me/report.py", 30), 0.0)
    steps = [TracedStep("Aggregate", GROUPED, 1), TracedStep("Join", GROUPED, 1231)]
    return TraceAnswer(run, output, "dest = 'PSE'", 1, exact, notes, sources, steps)


def flights(count: int, columns: int, file: str = "/data/flights.csv") -> list[TracedRecord]:
    return [
        TracedRecord(
            "flights", Location(file, row), {f"column_{index}": row * index for index in range(columns)}
        )
        for row in range(count)
    ]


def shown(
    answer: TraceAnswer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    width: int | None,
) -> list[str]:
    if width:
        monkeypatch.setenv("COLUMNS", str(width))
    else:
        monkeypatch.delenv("COLUMNS", raising=False)
    show_trace(output_console(), answer)
    return capsys.readouterr().out.splitlines()


def test_the_whole_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [
        a_source("flights", 31, flights(2, 2), ["/data/flights.csv"]),
        a_source("airlines", 0, []),
    ]
    answer = an_answer(tmp_path, sources, ["late rows"])
    assert shown(answer, capsys, monkeypatch, 80) == [
        "1 row of output 1 (collect, report.py:30) where dest = 'PSE'",
        "note: late rows",
        "",
        "on the way  at             rows",
        "───────────────────────────────",
        "Aggregate   report.py:14      1",
        "Join        report.py:14  1,231",
        "",
        "flights: 31 records, the first 2 shown (more with --limit)",
        "csv, read at report.py:10",
        "/data/flights.csv",
        "position  column_0  column_1",
        "────────────────────────────",
        "       0         0         0",
        "       1         0         1",
        "",
        "airlines: 0 records",
        "csv, read at report.py:10",
    ]


def marked(source: TracedSource) -> TracedSource:
    return replace(source, columns=("column_1",), deciding_columns=("column_2", "column_3"))


LEGEND = "● its values reached the row   ○ it only decided which records took part"


def test_columns_are_marked_by_what_they_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = "/data/flights.csv"
    narrow, few, many = (
        marked(a_source("s", count, flights(count, width), [file]))
        for count, width in ((1, 5), (3, 19), (9, 19))
    )
    unmarked = a_source("t", 1, flights(1, 1), [file])
    lines = shown(an_answer(tmp_path, [narrow, unmarked]), capsys, monkeypatch, 80)
    assert lines[lines.index(file) + 1 :] == [
        "position  column_0  column_1  column_2  column_3  column_4",
        "                           ●         ○         ○",
        "──────────────────────────────────────────────────────────",
        "       0         0         0         0         0         0",
        "",
        "t: 1 record",
        "csv, read at report.py:10",
        file,
        "position  column_0",
        "──────────────────",
        "       0         0",
        "",
        LEGEND,
    ]
    lines = shown(an_answer(tmp_path, [few]), capsys, monkeypatch, 80)
    beside = [line.split() for line in lines]
    assert ["column_0", "0", "0", "0"] in beside
    assert ["column_1", "●", "0", "1", "2"] in beside
    assert ["column_3", "○", "0", "3", "6"] in beside
    assert lines[-1] == LEGEND
    lines = shown(an_answer(tmp_path, [many]), capsys, monkeypatch, 80)
    (at,) = [line for line, text in enumerate(lines) if text.split() == ["●", "○", "○"]]
    assert [lines[at].index("●") + 1, lines[at].rindex("○") + 1] == [
        lines[at - 1].index(name) + len(name) for name in ("column_1", "column_3")
    ]
    assert sum("●" in line or "○" in line for line in lines) == 2


def test_a_terminal_shows_the_columns_by_weight() -> None:
    console = Console(
        width=80, force_terminal=True, color_system="standard", file=io.StringIO(), highlight=False
    )
    show_records(console, flights(1, 3), ["/data/flights.csv"], ["column_1"], ["column_2"])
    assert isinstance(console.file, io.StringIO)
    head = console.file.getvalue().splitlines()[1]
    assert "\x1b[2mcolumn_0\x1b[0m" in head
    assert "\x1b[1mcolumn_1\x1b[0m" in head
    assert "column_2" in head.split("\x1b[0m")[-1]


def test_where_only_ascii_is_understood() -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console = Console(width=80, file=file, highlight=False)
    show_records(console, flights(1, 3), ["/data/flights.csv"], ["column_1"], ["column_2"])
    file.seek(0)
    assert [line.split() for line in file.read().splitlines()][2] == ["|", "|", "*", "|", "o"]


def test_what_is_not_shown_is_not_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_records = marked(a_source("s", 3, []))
    reached = replace(a_source("t", 1, flights(1, 2)), columns=("column_0",))
    assert "●" not in "".join(shown(an_answer(tmp_path, [without_records]), capsys, monkeypatch, 80))
    answer = replace(an_answer(tmp_path, [without_records, reached]), matched=2)
    assert shown(answer, capsys, monkeypatch, 80)[-1] == "● its values reached the rows"


def test_the_operators_of_one_sql_text_stand_on_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = [("Sort", 1), ("Project", 1), ("Project", 1), ("Window", 1), ("Join", 24), ("Join", 24)]
    answer = replace(
        an_answer(tmp_path, []), steps=[TracedStep(kind, GROUPED, count) for kind, count in kinds]
    )
    assert [" ".join(line.split()) for line in shown(answer, capsys, monkeypatch, 80)[-2:]] == [
        "Sort, Project x2, Window report.py:14 1",
        "Join x2 report.py:14 24",
    ]


def test_an_inexact_trace_is_marked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = an_answer(tmp_path, [], ["limit at report.py:3 goes by order"], exact=False)
    lines = shown(answer, capsys, monkeypatch, 80)
    assert lines[1].startswith("inexact: ")
    assert lines[2] == "  - limit at report.py:3 goes by order"


def test_many_records_too_wide_for_the_terminal_come_in_several_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = an_answer(tmp_path, [a_source("flights", 9, flights(9, 19))])
    lines = shown(answer, capsys, monkeypatch, 80)
    assert max(map(len, lines)) <= 80
    assert "columns 1 to 5 of 19" in lines
    assert "columns 16 to 19 of 19" in lines
    heads = [line.split() for line in lines if line.startswith("file ")]
    assert all(head[:2] == ["file", "position"] for head in heads)
    assert [name for head in heads for name in head[2:]] == [f"column_{index}" for index in range(19)]
    assert sum(line.startswith("flights.csv") for line in lines) == 9 * len(heads)


def test_a_few_records_too_wide_for_the_terminal_stand_side_by_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = an_answer(tmp_path, [a_source("flights", 3, flights(3, 19))])
    lines = [line.split() for line in shown(answer, capsys, monkeypatch, 80)]
    assert ["file", "flights.csv", "flights.csv", "flights.csv"] in lines
    assert ["position", "0", "1", "2"] in lines
    assert ["column_18", "0", "18", "36"] in lines


def test_a_pipe_gets_one_line_a_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = an_answer(tmp_path, [a_source("flights", 9, flights(9, 100))])
    lines = shown(answer, capsys, monkeypatch, None)
    assert sum(line.startswith("flights.csv") for line in lines) == 9
    assert all(line == line.rstrip() for line in lines)


def test_no_value_is_cut(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "[red]" + "".join(f"{number:04}" for number in range(200))
    records = [TracedRecord("s", Location("/a", row), {"a": text, "b": 1, "c": text}) for row in range(6)]
    lines = shown(an_answer(tmp_path, [a_source("s", 6, records)]), capsys, monkeypatch, 80)
    assert max(map(len, lines)) <= 80
    folded = "".join(line[16:].strip() for line in lines if line.startswith((" ", "a    ")))
    assert folded.count(text) >= 6


def test_long_file_names_become_numbers_where_there_is_no_room(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [f"/warehouse/day={day}/part-00000-5f2c1d3e-1234-c000.snappy.parquet" for day in (1, 2)]
    records = [flights(1, 4, file)[0] for file in (*files, *files, *files)]
    answer = an_answer(tmp_path, [a_source("flights", 6, records, files)])
    lines = shown(answer, capsys, monkeypatch, 80)
    assert [f"file 1: {files[0]}", f"file 2: {files[1]}"] == [line for line in lines if "file " in line][:2]
    assert [line.split()[0] for line in lines[-6:]] == ["1", "2"] * 3
    assert any(line.startswith("day=2/part-0") for line in shown(answer, capsys, monkeypatch, None))


def test_records_without_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [
        TracedRecord("memory", Location(None, 3, 1), {"a": 1}),
        TracedRecord("memory", Location(None, 0, 2), {"a": None}),
    ]
    jdbc = [TracedRecord("jdbc", Location(None, None), {"a": "x"})]
    answer = an_answer(tmp_path, [a_source("memory", 2, records), a_source("jdbc", 1, jdbc)])
    lines = [line.split() for line in shown(answer, capsys, monkeypatch, 80)]
    assert ["partition", "position", "a"] in lines
    assert ["1", "3", "1"] in lines
    assert ["2", "0", "null"] in lines
    assert lines[-3:] == [["a"], ["─"], ["x"]]


def test_records_whose_values_arent_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = TracedRecord("flights", Location("/data/flights.csv", 7), None, known=False)
    nothing = TracedRecord("an RDD", Location(None, 3, 1), None)
    answer = an_answer(tmp_path, [a_source("flights", 1, [unknown]), a_source("an RDD", 1, [nothing])])
    lines = [line.split() for line in shown(answer, capsys, monkeypatch, 80)]
    assert ["file", "position"] in lines
    assert ["flights.csv", "7"] in lines
    assert ["partition", "position", "value"] in lines
    assert ["1", "3", "null"] in lines
    assert [record["value"] for each in trace_json(answer)["sources"] for record in each["records"]] == [
        None,
        None,
    ]


def test_files_are_told_apart() -> None:
    assert short_names(["/d/a.csv", "/d/b.csv"]) == ["a.csv", "b.csv"]
    assert short_names(["/d/x=1/a.csv", "/d/x=2/a.csv"]) == ["x=1/a.csv", "x=2/a.csv"]
    assert short_names(["/d/a.csv", "/d/a.csv"]) == ["a.csv", "a.csv"]
    assert short_names(["/a", "a"]) == ["/a", "a"]


def test_the_json_is_that_of_the_contract(tmp_path: Path) -> None:
    value = {"price": Decimal("1.50"), "at": datetime.datetime(2026, 1, 2, 3, 4, 5, 6), "nothing": None}
    records = [TracedRecord("flights", Location("/data/flights.csv", 7), value)]
    source = a_source("flights", 31, records, ["/data/flights.csv"])
    sources = [replace(source, columns=("price",), deciding_columns=("at",))]
    answer = an_answer(tmp_path, sources, ["why"], exact=False)
    content = json.loads(json_text(trace_json(answer)))
    jsonschema.validate(content, schema("trace"))
    assert content == {
        "run": answer.run.run_id,
        "output": 1,
        "where": "dest = 'PSE'",
        "matched": 1,
        "exact": False,
        "notes": ["why"],
        "sources": [
            {
                "name": "flights",
                "kind": "csv",
                "files": ["/data/flights.csv"],
                "count": 31,
                "columns": ["price"],
                "deciding_columns": ["at"],
                "records": [
                    {
                        "file": "/data/flights.csv",
                        "position": 7,
                        "partition": None,
                        "value": {"price": "1.50", "at": "2026-01-02T03:04:05.000006", "nothing": None},
                    }
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("value", "as_json", "as_text"),
    [
        (None, None, "null"),
        (True, True, "true"),
        (2**70, 2**70, str(2**70)),
        (0.1, 0.1, "0.1"),
        (float("nan"), "NaN", "NaN"),
        (float("-inf"), "-Infinity", "-Infinity"),
        ("", "", '""'),
        ("a\x1b[0m\n\u202eb", "a\x1b[0m\n\u202eb", r"a\x1b[0m\n\u202eb"),
        (Decimal("1E+3"), "1E+3", "1E+3"),
        (b"\x00\xff", "AP8=", "0x00ff"),
        (bytearray(b"a"), "YQ==", "0x61"),
        (datetime.date(1, 2, 3), "0001-02-03", "0001-02-03"),
        (datetime.datetime(2026, 1, 2, 3), "2026-01-02T03:00:00", "2026-01-02 03:00:00"),
        (datetime.timedelta(days=1, milliseconds=-500), "PT86399.5S", "23:59:59.500000"),
        (
            Row(a=1, b=Row(c=[None, 2.5])),
            {"a": 1, "b": {"c": [None, 2.5]}},
            '{"a": 1, "b": {"c": [null, 2.5]}}',
        ),
        ({1: "x", None: b"a"}, {"1": "x", "null": "YQ=="}, '{"1": "x", "null": "YQ=="}'),
        ({datetime.date(2026, 1, 2): 1}, {"2026-01-02": 1}, '{"2026-01-02": 1}'),
        ((1, "a"), [1, "a"], '[1, "a"]'),
        (np.float64("nan"), "NaN", "NaN"),
        (np.int64(3), 3, "3"),
        (np.array([1, 2]), [1, 2], "[1, 2]"),
    ],
)
def test_values(value: Any, as_json: Any, as_text: str) -> None:
    assert json.loads(json_text(json_value(value))) == as_json
    assert text_value(value) == as_text


def test_two_fields_of_one_name_are_both_there() -> None:
    twins = Row("a", "a")(1, 2)
    assert json_value(twins) == {"a": 1, "a#2": 2}


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.binary()
        | st.decimals()
        | st.datetimes()
        | st.timedeltas(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers() | st.none(), inner),
    )
)
def test_any_value_is_valid_json_and_one_printable_line(value: Any) -> None:
    json.loads(json_text(json_value(value)), parse_constant=pytest.fail)
    text = text_value(value)
    assert len(text.splitlines()) == 1
    text.encode("utf-8")

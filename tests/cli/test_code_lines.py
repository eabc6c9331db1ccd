"""Beside Spark's names for the operators of a trace stands the user's own line."""

from pathlib import Path

import pytest

from bigdebug.cli.rendering import output_console
from bigdebug.cli.trace_view import TraceAnswer, TracedStep, show_trace, trace_json
from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import Store
from bigdebug.wording.code_line import code_line

ORDERED = 'report = means.orderBy("minutes").collect()'
ADDED = 'timed = flights.withColumn("took", F.col("arr_time") - F.col("dep_time"))'


def shown_steps(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    width: int | None,
    steps: list[TracedStep],
) -> list[str]:
    if width:
        monkeypatch.setenv("COLUMNS", str(width))
    else:
        monkeypatch.delenv("COLUMNS", raising=False)
    Store(str(tmp_path)).create_run().close("done")
    run = Store(str(tmp_path)).find("last")
    output = Output(run.run_id, 1, "collect", None, None, 0.0)
    answer = TraceAnswer(run, output, "x", 1, True, [], [], steps)
    assert set(trace_json(answer)) == {"run", "output", "where", "matched", "exact", "notes", "sources"}
    show_trace(output_console(), answer)
    return capsys.readouterr().out.splitlines()[2:]


STEPS = [
    TracedStep("Sort", CallSite("/home/me/etl.py", 22, ORDERED), 1, ORDERED),
    TracedStep("Project", CallSite("/home/me/etl.py", 17, ADDED), 1031, ADDED),
    TracedStep("Join", None, 1031),
]


def test_the_users_line_stands_beside_the_operator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shown_steps(tmp_path, capsys, monkeypatch, None, STEPS) == [
        "on the way  at          rows  code",
        "─" * 103,
        f"Sort        etl.py:22      1  {ORDERED}",
        f"Project     etl.py:17  1,031  {ADDED}",
        "Join                   1,031",
    ]


def test_it_is_cut_at_the_terminals_edge(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = shown_steps(tmp_path, capsys, monkeypatch, 80, STEPS)
    assert len(lines) == 5
    assert lines[2] == f"Sort        etl.py:22      1  {ORDERED}"
    assert lines[3] == f"Project     etl.py:17  1,031  {ADDED}"[:79] + "…"


def test_it_goes_where_there_is_no_room(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = shown_steps(tmp_path, capsys, monkeypatch, 45, STEPS)
    assert lines[0] == "on the way  at          rows"
    assert len(lines) == 5


def test_what_could_move_the_cursor_is_made_visible(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [TracedStep("Filter", CallSite("/home/me/etl.py", 1), 1, "x.filter('\x1b[2J')")]
    (line,) = shown_steps(tmp_path, capsys, monkeypatch, 80, steps)[2:]
    assert "\x1b" not in line
    assert line.startswith("Filter      etl.py:1     1  x.filter(")


CHAIN = """means = (
    flights.withColumn("took", took)
    .withColumn("late", F.col("took") > 60)
    .groupBy("dest", "month")
    .agg(
        F.avg("took"),
    )
)"""


def chained(*calls: tuple[str, int]) -> dict[str, Node]:
    sites = [CallSite("/home/me/etl.py", line, CHAIN) for _, line in calls]
    return {
        f"{operator}:{site.line}": Node(number, operator, site)
        for number, ((operator, _), site) in enumerate(zip(calls, sites, strict=True))
    }


def test_a_chain_over_several_lines_shows_the_line_of_each_call() -> None:
    nodes = chained(("withColumn", 11), ("withColumn", 12), ("groupBy.agg", 14))
    assert {name: code_line(node.call_site, nodes.values()) for name, node in nodes.items()} == {
        "withColumn:11": 'flights.withColumn("took", took)',
        "withColumn:12": '.withColumn("late", F.col("took") > 60)',
        "groupBy.agg:14": '.groupBy("dest", "month") .agg( …',
    }


def test_a_grouping_on_the_same_line_is_told_once() -> None:
    text = 'sums = (\n    frame.groupBy("k").sum()\n    .groupBy("k").count()\n)'
    sites = [CallSite("etl.py", line, text) for line in (2, 3)]
    nodes = [Node(1, "groupBy.sum", sites[0]), Node(2, "groupBy.count", sites[1])]
    assert [code_line(site, nodes) for site in sites] == ['frame.groupBy("k").sum()', '.groupBy("k").count()']


def test_the_same_statement_elsewhere_does_not_matter() -> None:
    nodes = chained(("withColumn", 11), ("withColumn", 12), ("withColumn", 111), ("withColumn", 112))
    assert code_line(nodes["withColumn:112"].call_site, nodes.values()) == (
        '.withColumn("late", F.col("took") > 60)'
    )


def test_what_cannot_be_told_shows_how_the_statement_begins() -> None:
    alone = chained(("withColumn", 11))
    assert code_line(alone["withColumn:11"].call_site, alone.values()) == "means = ( …"
    unheard_of = chained(("select", 11), ("groupBy.agg", 14))
    assert code_line(unheard_of["select:11"].call_site, unheard_of.values()) == "means = ( …"
    assert code_line(CallSite("/home/me/etl.py", 3, ""), []) == code_line(None, []) == ""

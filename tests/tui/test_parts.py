"""The parts without a screen: the drawing of a graph, conditions, copies, keys, the editor's command."""

import datetime
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.location import Location, TracedRecord
from bigdebug.lineage.output import Output
from bigdebug.tui.actions import ACTIONS, SCREENS, own_keys
from bigdebug.tui.conditions import failing, literal, of_element, of_row
from bigdebug.tui.copying import Shown
from bigdebug.tui.editor import editor_command
from bigdebug.tui.file import FileView, lines_at, rows_at
from bigdebug.tui.flow import FlowView
from bigdebug.tui.graph import chains, draw
from bigdebug.tui.isolate import IsolateView
from bigdebug.tui.live import LiveView
from bigdebug.tui.pages import Field
from bigdebug.tui.records import RecordsView
from bigdebug.tui.runs import RunsView
from bigdebug.tui.skew import SkewView
from bigdebug.tui.slow import SlowView
from bigdebug.tui.trace import TraceView
from bigdebug.tui.view import command_of
from bigdebug.tui.why import WhyNotView


def nodes(*parents: tuple[int, ...]) -> dict[int, Node]:
    return {number: Node(number, f"op{number}", None, each) for number, each in enumerate(parents, 1)}


def drawn(graph: dict[int, Node], *acted: int, folded: dict[int, list[int]] | None = None) -> list[str]:
    outputs = [Output("run", number, "collect", node, None, 0.0) for number, node in enumerate(acted, 1)]
    rows = draw(graph, outputs, folded or {})
    return [f"{row.rails} {'output' if row.output else row.node}" for row in rows]


def test_a_chain_is_a_line() -> None:
    assert drawn(nodes((), (1,), (2,)), 3) == ["▣ output", "○ 3", "○ 2", "● 1"]


def test_a_join_opens_a_lane_and_shared_inputs_close_one() -> None:
    assert drawn(nodes((), (), (1, 2)), 3) == ["▣ output", "○─╮ 3", "│ ● 2", "● 1"]
    assert drawn(nodes((), (1,), (1,), (2, 3)), 4) == ["▣ output", "○─╮ 4", "│ ○ 3", "○ │ 2", "●─╯ 1"]


def test_several_outputs_have_lanes_of_their_own() -> None:
    assert drawn(nodes((), (1,), (1,)), 2, 3) == ["▣ output", "○ 3", "│ ▣ output", "│ ○ 2", "●─╯ 1"]


def test_long_chains_can_be_folded_but_not_what_was_acted_on() -> None:
    graph = nodes((), *((number,) for number in range(1, 10)))
    assert chains(graph, {10}) == {9: [9, 8, 7, 6, 5, 4, 3, 2]}
    assert chains(graph, {10, 8}) == {7: [7, 6, 5, 4, 3, 2]}
    folded = chains(graph, {10})
    assert drawn(graph, 10, folded=folded) == ["▣ output", "○ 10", "┋ 9", "● 1"]


FIELDS = [Field("dest", "string"), Field("month", "int"), Field("mean", "double"), Field("flights", "bigint")]
ROWS = [["PSE", 10, -1023.5, 31], ["PSE", 2, -943.0, 27], ["BQN", 10, 12.0, 31], ["o'x", None, 3.0, 1]]


def test_a_row_is_named_by_the_columns_that_tell_it_from_others() -> None:
    assert of_row(FIELDS, ROWS[0], ROWS) == "dest = 'PSE' and month = 10"
    assert of_row(FIELDS, ROWS[2], ROWS) == "dest = 'BQN'"
    assert of_row(FIELDS, ROWS[3], ROWS) == r"dest = 'o\'x'"
    assert of_row(FIELDS, ROWS[3], ROWS, cell=0) == "month is null"
    assert of_row([Field("an array", "array<int>")], [[1]], []) == ""


def test_a_wrong_cell_becomes_a_condition_that_holds_while_it_is_wrong() -> None:
    which = "dest = 'PSE' and month = 10"
    assert failing("small", FIELDS, ROWS[0], 2, ROWS) == f"{which} and mean < 0.0D"
    assert failing("large", FIELDS, ROWS[2], 2, ROWS) == "dest = 'BQN' and mean > 3.0D"
    assert failing("there", FIELDS, ROWS[0], 2, ROWS) == which
    assert failing("missing", FIELDS, ROWS[3], 1, ROWS) == r"dest = 'o\'x' and month is null"


def test_literals_of_every_kind() -> None:
    assert literal(Decimal("1.50"), "decimal(10,2)") == "1.50BD"
    assert literal(datetime.date(2013, 1, 2), "date") == "date'2013-01-02'"
    assert literal(float("nan"), "double") == "double('nan')"
    assert literal(b"\x00\xff", "binary") == "X'00ff'"
    assert of_element('["ALB", 3]') == "key == 'ALB'"
    assert of_element("a line") == "x == 'a line'"


def test_copies_can_be_read_again() -> None:
    shown = Shown(["a", "b", "a"], [[1, "x,\n\x1b", None], [2.5, "ü", True]])
    assert shown.text() == "a    b         a\n1    x,\\n\\x1b  null\n2.5  ü         true\n"
    assert shown.csv() == 'a,b,a\n1,"x,\n\x1b",\n2.5,ü,True\n'
    assert '"a#2": true' in shown.json()
    assert (
        command_of("trace", "last", "1", "--where", "a = 'b'") == "bigdebug trace last 1 --where \"a = 'b'\""
    )


def test_every_action_has_a_screen_that_can_do_it_and_no_key_means_two_things() -> None:
    views = (
        RunsView,
        FlowView,
        RecordsView,
        TraceView,
        FileView,
        WhyNotView,
        IsolateView,
        SkewView,
        SlowView,
        LiveView,
    )
    assert {view.NAME for view in views} == set(SCREENS)
    for view in views:
        keys: dict[str, str] = {}
        for action in ACTIONS:
            if action.on(view.NAME):
                assert hasattr(view, f"action_{action.name}"), (view, action.name)
                for key in action.keys.split(","):
                    assert keys.setdefault(key, action.name) == action.name, (view, key)


def test_a_key_map_that_names_no_action_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    assert own_keys(path) == {}
    path.write_text('trace = "f5"\n')
    assert own_keys(path) == {"trace": "f5"}
    for wrong in ("tarce = 'f5'", "trace = 5", "trace"):
        path.write_text(wrong)
        with pytest.raises(BigDebugError, match="key map"):
            own_keys(path)


def test_editors_are_told_the_line_as_they_want_it() -> None:
    assert editor_command("vim", "etl.py", 42) == ["vim", "+42", "etl.py"]
    assert editor_command("code --wait", "etl.py", 42) == ["code", "--wait", "--goto", "etl.py:42"]
    assert editor_command("/usr/bin/hx", "etl.py", 42) == ["/usr/bin/hx", "etl.py:42"]
    assert editor_command("ours", "etl.py", 42) == ["ours", "etl.py"]


def record(path: Path, position: int, **value: object) -> TracedRecord:
    return TracedRecord("source", Location(str(path), position), value)


def test_a_record_is_found_in_its_file_with_and_without_a_header(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,name\n\n" + "".join(f"{n},name {n}\n" for n in range(5_000)))
    found = lines_at(str(path), record(path, 4_000, id=4_000, name="name 4000"))
    assert found.lit == 4_003
    assert found.lines[found.lit - found.first] == "4000,name 4000"
    assert len(found.lines) < 700
    path.write_text("7,seven\n8,eight\n")
    assert lines_at(str(path), record(path, 1, id=8, name="eight")).lit == 2
    assert lines_at(str(path), record(path, 1, id=99, name="gone")).lit == 0
    with pytest.raises(BigDebugError, match="fewer records"):
        lines_at(str(path), record(path, 999_999))


def test_a_row_is_found_in_a_parquet_file(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": range(2_000)}), path, row_group_size=300)
    fields, rows, first = rows_at(str(path), 1_000)
    assert [field.name for field in fields] == ["n"]
    assert rows[1_000 - first] == [1_000]
    assert len(rows) == 600


def test_the_first_screen_needs_neither_spark_nor_arrow() -> None:
    program = "import sys, bigdebug.tui.app; print([n for n in ('pyspark', 'pyarrow', 'pandas') if n in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"

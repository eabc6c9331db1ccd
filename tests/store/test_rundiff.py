"""Which outputs and operators of two recorded runs are the same: told by what was written down, without Spark."""

import time
from pathlib import Path

import pytest

from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.output import Output
from bigdebug.lineage.recipe.facts import RecordedSource
from bigdebug.lineage.rundiff import (
    AskedOperator,
    changed_heads,
    changed_operators,
    match_outputs,
    same_program,
)
from bigdebug.lineage.sourcediff import changed_sources
from bigdebug.lineage.store import Store, StoredRun


def at(line: int, text: str) -> CallSite:
    return CallSite("/home/ann/report.py", line, text)


def run(
    store: Path, *outputs: tuple[str, CallSite | None, str | None], argv: tuple[str, ...] = ("report.py",)
) -> StoredRun:
    writer = Store(str(store)).create_run(argv=argv, versions={"spark": "4.3.0"})
    for number, (action, site, target) in enumerate(outputs, 1):
        writer.output(Output(writer.run_id, number, action, None, site, time.time(), target=target))
    writer.close("done")
    return Store(str(store)).find(writer.run_id)


def test_outputs_are_matched_by_place_then_line_then_order(tmp_path: Path) -> None:
    first = run(
        tmp_path,
        ("write.parquet", at(3, "a.write.parquet(out)"), "/data/a"),
        ("collect", at(4, "x.collect()"), None),
        ("collect", at(5, "x.where('n > 1').collect()"), None),
        ("show", at(6, "x.show()"), None),
    )
    second = run(
        tmp_path,
        ("collect", at(14, "x.where('n > 2').collect()"), None),
        ("collect", at(15, "x.collect()"), None),
        ("write.parquet", at(16, "b.write.parquet(out)"), "file:/data/a/"),
        ("count", at(17, "x.count()"), None),
    )
    found = match_outputs(first, second)
    assert [(pair.first.number, pair.second.number, pair.by) for pair in found.pairs] == [
        *((1, 3, "target"), (2, 2, "call site"), (3, 1, "order")),
    ]
    assert [output.action for output in (*found.only_first, *found.only_second)] == ["show", "count"]


def test_an_action_in_a_loop_is_matched_by_its_turn(tmp_path: Path) -> None:
    turn = ("collect", at(3, "part.collect()"), None)
    found = match_outputs(run(tmp_path, turn, turn, turn), run(tmp_path, turn, turn))
    assert [(pair.first.number, pair.second.number) for pair in found.pairs] == [(1, 1), (2, 2)]
    assert [output.number for output in found.only_first] == [3]


def test_arguments_and_programs(tmp_path: Path) -> None:
    first, second = run(tmp_path, argv=("a/report.py", "10")), run(tmp_path, argv=("b/report.py", "a b"))
    assert [(one.name, one.first, one.second) for one in changed_heads(first, second)] == [
        ("arguments", "10", "'a b'")
    ]
    assert same_program(first, second)
    assert not same_program(first, run(tmp_path, argv=("other.py",)))


def operator(
    number: int, name: str, code: str, expressions: tuple[str, ...] | None = None, line: int = 1
) -> AskedOperator:
    return AskedOperator(Node(number, name, at(line, code)), code, expressions)


def test_an_operator_that_only_moved_is_the_same() -> None:
    first = [operator(1, "read.csv", "read"), operator(2, "where", "where(a)"), operator(3, "select", "s")]
    second = [
        operator(11, "read.csv", "read", line=7),
        operator(12, "distinct", "distinct()", line=8),
        operator(13, "where", "where(b)", line=9),
        operator(14, "select", "s", line=9),
    ]
    assert changed_operators(first, first) == []
    assert [
        (one.kind, (one.first or one.second).node.operator) for one in changed_operators(first, second)
    ] == [  # type: ignore[union-attr]
        ("changed", "where"),
        ("added", "distinct"),
    ]
    assert [one.kind for one in changed_operators(second, first)] == ["gone", "changed"]


@pytest.mark.parametrize(
    ("expressions", "kinds"), [(("n > 1", "n > 2"), ["changed"]), (("n > 1", "n > 1"), [])]
)
def test_what_plans_compute_tells_more_than_code(expressions: tuple[str, str], kinds: list[str]) -> None:
    one, other = (operator(1, "where", "where(c)", (text,)) for text in expressions)
    assert [change.kind for change in changed_operators([one], [other])] == kinds
    # Where the plan of one can't be read, their code is all there is.
    assert changed_operators([one], [operator(1, "where", "where(c)")]) == []


def test_sources() -> None:
    then = RecordedSource("in", "csv", files={"/a": (1, 1), "/b": (2, 2)}, columns={"n": "int"})
    now = RecordedSource("in", "csv", files={"/b": (2, 3), "/c": (9, 9)}, columns={"n": "string"})
    (same,) = changed_sources([then], [then])
    assert (same.same, same.kept) == (True, 2)
    (found,) = changed_sources([then], [now])
    assert (found.same, found.kept, found.gone, found.added) == (False, 0, ("/a",), ("/c",))
    assert [(each.file, each.first, each.second) for each in found.rewritten] == [("/b", (2, 2), (2, 3))]
    assert [(each.what, each.name, each.first, each.second) for each in found.changes] == [
        ("column", "n", "int", "string")
    ]
    memory = RecordedSource("report.py:3", "memory", records=3)
    assert changed_sources([memory], [memory])[0].same is None
    renamed = RecordedSource("out", "csv", files=then.files)
    pairs = changed_sources([then, memory], [memory, renamed])
    assert [(each.first and each.first.name, each.second and each.second.name) for each in pairs] == [
        *(("in", "out"), ("report.py:3", "report.py:3")),
    ]

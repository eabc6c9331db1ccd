"""Columns whose values a report mustn't tell: hashed, wherever they stand."""

import json
from collections.abc import Callable
from pathlib import Path

from report_samples import a_skew, a_trace, an_isolation

from bigdebug.cli.main import main
from bigdebug.lineage.store import Store
from bigdebug.report.content import add_answer, content_of
from bigdebug.report.redaction import redacted

Recorded = Callable[..., tuple[Path, str]]
SECRET = "Ann Other"


def test_a_redacted_value_is_nowhere_on_the_page(recorded: Recorded, tmp_path: Path) -> None:
    store, run = recorded([SECRET, "etl"])
    files = []
    trace = a_trace(run, [{"NAME": SECRET, "city": f"{SECRET}'s", "nested": {"name": SECRET}}])
    for number, answer in enumerate((trace, an_isolation(run), a_skew(run))):
        files.append(tmp_path / f"{number}.json")
        files[-1].write_text(json.dumps(answer))
    target = tmp_path / "report.html"
    chosen = [argument for file in files for argument in ("--with", str(file))]
    assert main(["report", run, "-o", str(target), *chosen, "--redact", "name", "--store", str(store)]) == 0
    assert SECRET not in target.read_text("utf-8")
    assert "-31.5" not in target.read_text("utf-8")


def test_like_values_have_like_hashes_within_a_report_only(recorded: Recorded) -> None:
    store, run = recorded(["x"])

    def hashes() -> list[str]:
        content = content_of(Store(str(store)).find(run))
        add_answer(content, a_trace(run, [{"name": each, "n": 1} for each in ("a", "b", "a")]))
        masked = redacted(content, ["Name"])
        values = [record["value"] for record in masked["traces"][0]["sources"][0]["records"]]
        assert [value["n"] for value in values] == [1, 1, 1]
        return [value["name"] for value in values]

    first, second = hashes(), hashes()
    assert first[0] == first[2] != first[1]
    assert set(first).isdisjoint(second)


def test_our_own_words_stay(recorded: Recorded) -> None:
    store, run = recorded(["x"])
    content = content_of(Store(str(store)).find(run))
    add_answer(content, a_trace(run, [{"count": 5, "status": "y"}]))
    masked = redacted(content, ["count", "status", "name", "file", "position"])
    assert masked["status"] == "failed"
    assert masked["traces"][0]["sources"][0]["count"] == 6
    assert masked["traces"][0]["sources"][0]["name"] == "a.csv"
    assert masked["traces"][0]["sources"][0]["records"][0]["file"] == "in/a.csv"


def test_elements_without_columns_are_left_out_as_a_whole(recorded: Recorded) -> None:
    store, run = recorded(["x"])
    content = content_of(Store(str(store)).find(run))
    add_answer(content, a_trace(run, ["ann;4711", "bob;4712"]))  # type: ignore[list-item]
    told = json.dumps(redacted(content, ["name"]))
    assert "4711" not in told
    assert "left out" in told


def test_errors_keep_their_kind_only(recorded: Recorded) -> None:
    store, run = recorded(["Secretive"])
    masked = redacted(content_of(Store(str(store)).find(run)), ["iban"])
    assert masked["crashes"][0]["error"].startswith("ValueError …")
    assert "Secretive" not in json.dumps(
        [masked["crashes"][0]["records"][0][key] for key in ("error", "traceback")]
    )

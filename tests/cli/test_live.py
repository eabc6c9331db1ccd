"""`bigdebug break` and `bigdebug watch`: a second terminal looks into a program that runs."""

import json
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bigdebug.cli.main import main
from bigdebug.cli.schemas import schema

PROGRAM = """
    import pathlib, sys, time
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    stop, turn = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    orders = spark.read.csv("orders.csv", header=True, schema="id int, price int")
    kept = orders.filter("id < 50")
    kept.count()
    numbers = spark.sparkContext.parallelize(range(100), 2)
    doubled = numbers.map(lambda n: n * 2)
    while not stop.exists():
        kept.groupBy().sum("price").collect()
        doubled.sum()
        turn.write_text(str(time.time()))
        time.sleep(0.1)
"""
FILTER = 7
MAP = 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A program that goes on until the end of these tests, or until its file `stop` is there."""
    place = tmp_path_factory.mktemp("live")
    (place / "etl.py").write_text(textwrap.dedent(PROGRAM).lstrip())
    (place / "orders.csv").write_text("id,price\n" + "".join(f"{i},{i - 5}\n" for i in range(100)))
    command = ["run", "--store", "store", "--break", f"etl.py:{FILTER}", "etl.py", "stop", "turn"]
    program = subprocess.Popen(
        [sys.executable, "-m", "bigdebug", *command], cwd=place, stderr=(place / "said").open("w")
    )
    until = time.monotonic() + 90
    while not (place / "turn").exists() and time.monotonic() < until and program.poll() is None:
        time.sleep(0.1)
    yield place
    (place / "stop").touch()
    assert program.wait(60) == 0, (place / "said").read_text()


def _asked(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    code = main([*arguments, "--store", str(folder / "store"), "--json"])
    said = capsys.readouterr()
    assert code == 0, said.err
    content: dict[str, Any] = json.loads(said.out)
    jsonschema.validate(content, schema(arguments[0]))
    return content


def _turns(folder: Path, count: int = 2) -> None:
    """Wait until the program's loop has gone round."""
    for _ in range(count):
        before = (folder / "turn").read_text()
        while (folder / "turn").read_text() in (before, ""):
            time.sleep(0.02)


def test_it_looks_at_a_line_of_a_running_program(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (known,) = _asked(folder, capsys, "break", "last")["breakpoints"]
    assert (known["at"], known["reached"], known["count"]) == (f"etl.py:{FILTER}", True, None)
    (point,) = _asked(folder, capsys, "break", "last", f"etl.py:{FILTER}")["breakpoints"]
    assert (point["operator"], point["count"], len(point["records"])) == ("filter", 50, 20)
    when = ("--when", "price < 0", "--limit", "3")
    (point,) = _asked(folder, capsys, "break", "last", f"etl.py:{FILTER}", *when)["breakpoints"]
    assert (point["count"], point["records"][0]) == (5, {"id": 0, "price": -5})
    (point,) = _asked(folder, capsys, "break", "last", f"etl.py:{MAP}", "--limit", "2")["breakpoints"]
    assert (point["count"], point["records"]) == (100, [0, 2])
    assert main(["break", "last", f"etl.py:{FILTER}", "--limit", "1", "--store", str(folder / "store")]) == 0
    assert "filter  50 records" in capsys.readouterr().out


def test_it_watches_a_running_program(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (rows,) = _asked(folder, capsys, "watch", "last", f"etl.py:{FILTER}", "--guard", "price = -2")[
        "watchpoints"
    ]
    guard = ("--python", "--guard", "x == 42")
    (elements,) = _asked(folder, capsys, "watch", "last", f"etl.py:{MAP}", *guard)["watchpoints"]
    assert (rows["guard"], rows["python"], elements["python"]) == ("price = -2", False, True)
    until = time.monotonic() + 60
    of_rows = of_elements = {"records": []}
    while not (of_rows["records"] and of_elements["records"]) and time.monotonic() < until:
        _turns(folder)
        of_rows, of_elements = _asked(folder, capsys, "watch", "last", "--records")["watchpoints"]
    assert of_rows["hits"] >= 1
    assert {each["hits"] for each in of_rows["outputs"]} == {1}
    assert [each["value"] for each in of_rows["records"]] == [{"id": 3, "price": -2}]
    assert of_elements["hits"] >= 1
    assert of_elements["records"][0]["value"] == 42
    number = ("--number", str(elements["number"]))
    changed = ("--python", "--guard", "x > 190")
    assert _asked(folder, capsys, "watch", "last", *number, *changed)["watchpoints"][0]["guard"] != guard[-1]
    _turns(folder)
    (found,) = _asked(folder, capsys, "watch", "last", *number)["watchpoints"]
    assert found["hits"] > of_elements["hits"]
    (gone,) = _asked(folder, capsys, "watch", "last", *number, "--remove")["watchpoints"]
    assert not gone["active"]


def test_it_tells_what_a_function_takes_long_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (slow,) = _asked(folder, capsys, "watch", "last", f"etl.py:{MAP}", "--slow")["watchpoints"]
    assert slow["guard"] == "Slow(deviations=3, seconds=0.01)"
    number = ("--number", str(slow["number"]))
    any_time = ("--guard", "Slow(deviations=0, seconds=0)")
    (slow,) = _asked(folder, capsys, "watch", "last", *number, *any_time)["watchpoints"]
    until = time.monotonic() + 60
    while not slow["records"] and time.monotonic() < until:
        _turns(folder)
        (slow,) = _asked(folder, capsys, "watch", "last", *number)["watchpoints"]
    assert slow["hits"] >= len(slow["records"]) > 0
    assert all(each["seconds"] > 0 and not each["running"] for each in slow["records"])
    assert main(["watch", "last", *number, "--remove", "--store", str(folder / "store")]) == 0
    told = capsys.readouterr().out
    assert "took" in told
    assert " s " in told
    for guard in ("Slow(", "Slow(speed=1)"):
        assert main(["watch", "last", *number, "--guard", guard, "--store", str(folder / "store")]) == 1
        assert "isn't a guard by time" in capsys.readouterr().err


def test_what_cannot_be_done_it_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = ("--store", str(folder / "store"))
    for arguments, code, message in (
        (["break", "last", "etl.py"], 2, "is not FILE:LINE"),
        (["break", "last", f"etl.py:{FILTER}", "--when", "prize < 0"], 1, "prize"),
        (["watch", "last", f"etl.py:{FILTER}"], 2, "needs a --guard"),
        (["watch", "last", "--number", "99"], 1, "no watchpoint 99"),
        (["watch", "last", f"etl.py:{MAP}", "--slow", "--guard", "true"], 2, "either --guard or --slow"),
        (["watch", "last", "--guard", "true"], 2, "which one"),
        (["run", "--break", "etl.py", "etl.py"], 2, "is not FILE:LINE"),
    ):
        assert main([*arguments[:1], *store, *arguments[1:]]) == code, arguments
        assert message in capsys.readouterr().err


def test_of_a_run_that_has_ended_it_is_computed_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "stop").touch()
    said = folder / "said"
    until = time.monotonic() + 60
    while "next:" not in said.read_text() and time.monotonic() < until:
        time.sleep(0.1)
    assert f"bigdebug break last --store store etl.py:{FILTER}" in said.read_text()
    while main(["runs", "--store", str(folder / "store")]) == 0 and "running" in capsys.readouterr().out:
        time.sleep(0.1)
    (known, *_) = _asked(folder, capsys, "break", "last")["breakpoints"]
    assert (known["at"], known["count"]) == (f"etl.py:{FILTER}", None)
    watchpoints = _asked(folder, capsys, "watch", "last")["watchpoints"]
    assert watchpoints[0]["hits"] >= 1
    store = ("--store", str(folder / "store"))
    assert main(["watch", "last", "etl.py:7", "--guard", "true", *store]) == 3
    assert "has ended" in capsys.readouterr().err
    assert main(["break", "last", "etl.py:1", *store]) == 1
    assert "no operator at etl.py:1" in capsys.readouterr().err
    look = ["break", "last", f"etl.py:{FILTER}", "--when", "price < 0", "--limit", "3", "--json", *store]
    ran = subprocess.run(
        [sys.executable, "-m", "bigdebug", *look], capture_output=True, text=True, timeout=120
    )
    content = json.loads(ran.stdout)
    jsonschema.validate(content, schema("break"))
    (point,) = content["breakpoints"]
    assert (point["operator"], point["count"], point["records"][0]) == ("filter", 5, {"id": 0, "price": -5})

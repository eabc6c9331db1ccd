"""How soon the terminal app is there, how quickly it answers a key, and how much memory it takes."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pyspark.sql import SparkSession

import bigdebug
from benchmarks.measures import Row
from benchmarks.terminal import Terminal
from bigdebug.lineage.callsite import CallSite
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.output import Output
from bigdebug.lineage.store import Store

RUNS = 1_000
OPERATORS = 500
RECORDS = 1_000_000
_STARTS = 5
_PRESSES = 20


def measured(spark: SparkSession, folder: Path) -> Iterator[Row]:
    """All of it.

    Args:
        spark: the session.
        folder: for the stores.
    """
    store = _many_runs(folder)
    starts = sorted(_first_screen(store) for _ in range(_STARTS + 1))[:-1]  # the first has cold files
    yield {"measure": f"Enter to first screen, {RUNS:,} runs", "median": statistics.median(starts), "worst": starts[-1],
           "unit": "s", "bound": "1.0"}  # fmt: skip
    for what, taken in _keys(spark, folder).items():
        yield {
            "measure": f"key to changed screen, {what}",
            "median": statistics.median(taken) * 1000,
            "worst": max(taken) * 1000,
            "unit": "ms",
            "bound": "50, worst 200",
        }
    yield {"measure": f"memory, {RUNS:,} runs, {OPERATORS} operators and {RECORDS:,} records", **_memory(store),
           "unit": "MB", "bound": "300"}  # fmt: skip


def line(row: Row) -> str:
    """A row as it is printed."""
    return f"{row['measure']:<70} {row['median']:8.2f} {row['unit']} (worst {row['worst']:.2f}; at most {row['bound']})"


def table(rows: list[Row], measured_at: str) -> str:
    """The rows as Markdown."""
    head = (
        f"Measured at commit {measured_at} with `python -m benchmarks --only screens`; 2 cores. Starts: {_STARTS} of "
        f"them in a terminal of 100 by 30; keys: {_PRESSES} presses of each.\n\n"
        "| measure | median | worst | unit | at most |\n|---|---|---|---|---|\n"
    )
    return head + "".join(
        f"| {row['measure']} | {row['median']:.2f} | {row['worst']:.2f} | {row['unit']} | {row['bound']} |\n"
        for row in rows
    )


def _many_runs(folder: Path) -> Path:
    """A store of many runs, the newest with many operators."""
    place = folder / "screens"
    if place.exists():
        return place
    store = Store(str(place))
    for number in range(RUNS):
        writer = store.create_run(name=f"nightly {number}", argv=["etl.py"])
        operators = OPERATORS if number == RUNS - 1 else 20
        for each in range(1, operators + 1):
            parents = () if each % 50 == 1 else (each - 1,) if each % 7 else (each - 1, max(each - 9, 1))
            writer.node(Node(each, "filter", CallSite(__file__, each % 90 + 1, "filter"), parents))
        site = CallSite(__file__, 91, "collect")
        writer.output(Output(writer.run_id, 1, "collect", operators, site, time.time(), status="done"))
        writer.close("done")
    return place


def _first_screen(store: Path) -> float:
    """Seconds from the start of the command until the runs are on a real terminal."""
    with Terminal(_command(store)) as terminal:
        return terminal.until(rb"nightly 9\d\d")


def _command(store: Path, *run: str) -> list[str]:
    return [sys.executable, "-m", "bigdebug", "tui", *run, "--store", str(store)]


def _keys(spark: SparkSession, folder: Path) -> dict[str, list[float]]:
    """Seconds from a key to the screen that it changes, in a real terminal; all that the key begins included."""
    with bigdebug.attach(spark, store=tempfile.mkdtemp(dir=folder)) as session:
        frame = spark.range(RECORDS).selectExpr("id", "concat('row ', id) as text", "id / 7 as share")
        frame.write.format("noop").mode("overwrite").save()
        run = session.run_id
        store = Path(session._recorder.store)
    found: dict[str, list[float]] = {}
    with Terminal(_command(folder / "screens", "last")) as terminal:
        terminal.until(rb"filter")
        for key in ("space", "down", "down", "space"):
            terminal.press(key)
        keys = ["n", "down", "pagedown", "u", "d", "end", "home"]
        found[f"{OPERATORS} operators"] = _pressed(terminal, keys)
    with Terminal(_command(store, run)) as terminal:
        terminal.until(rb"save")
        terminal.press("enter")
        terminal.until(rb"row 1\d", seconds=180)
        terminal.until(rb"1,000,000 rows", seconds=180)  # what is said while Spark computes isn't a key's
        keys = ["pagedown", "down", "end", "pageup", "home", "right"]
        found[f"{RECORDS:,} records"] = _pressed(terminal, keys)
    return found


def _pressed(terminal: Terminal, keys: list[str]) -> list[float]:
    taken = [terminal.press(keys[number % len(keys)]) for number in range(_PRESSES * len(keys))]
    return [each for each in taken if each is not None]


_WALK = """
import asyncio, sys
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq
from benchmarks.peak import most_memory
from bigdebug.tui.app import BigDebugApp
from bigdebug.tui.pages import Field, PageRows, ParquetPages

async def main(store, folder):
    import pyspark.sql
    app = BigDebugApp(store, "last")
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause(2)
        for key in ["space", "down", "space", "end", "home", "escape", *["pagedown"] * 40]:
            await pilot.press(key)
        rows = PageRows(ParquetPages([Field("id", "bigint"), Field("text", "string")], folder))
        for first in [*range(0, rows.count, 997), *range(rows.count - 1, 0, -9973)]:
            rows.load(first, min(first + 30, rows.count))
            [rows.row(each) for each in range(first, min(first + 30, rows.count))]
    print(most_memory() / 1_000_000)

asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
"""


def _memory(store: Path) -> dict[str, float]:
    """The most that a process takes that walks through all screens of a store and a million records."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with tempfile.TemporaryDirectory() as folder:
        rows = pa.table({"id": range(RECORDS), "text": [f"row {number}" for number in range(RECORDS)]})
        pq.write_table(rows, Path(folder) / "part-0.parquet", row_group_size=50_000)
        ended = subprocess.run(
            [sys.executable, "-c", _WALK, str(store), folder],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=True,
        )
    most = float(ended.stdout.split()[-1])
    return {"median": most, "worst": most}

"""`python -m benchmarks [--rows N …] [--quick]`: measure, print, and keep the table beside the commit it is of.

Resumable: what was measured at this commit is kept in the folder of results and not measured again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from benchmarks import measures
from bigdebug.lineage.java import ensure_java

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "bigdebug-benchmarks")
    arguments = parser.parse_args()
    arguments.data.mkdir(parents=True, exist_ok=True)
    kept = arguments.data / f"measured-{commit()}.jsonl"
    ensure_java()
    spark = _session(arguments.data)
    try:
        for key, measure in _planned(spark, arguments.data, arguments.rows):
            if key in {row["key"] for row in _rows(kept)}:
                continue
            with kept.open("a") as lines:
                for row in measure():
                    lines.write(json.dumps({"key": key, **row}) + "\n")
                    print(_line(row), flush=True)
    finally:
        spark.stop()
        shutil.rmtree(arguments.data / "stores", ignore_errors=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "trunk.md").write_text(_table(_rows(kept)))


def _planned(
    spark: SparkSession, folder: Path, sizes: list[int]
) -> Iterator[tuple[str, Callable[[], Iterator[measures.Row]]]]:
    for nodes in (10, 100):
        yield f"waiting {nodes}", lambda nodes=nodes: iter([measures.waiting(spark, nodes)])  # type: ignore[misc]
    yield "many actions", lambda: iter([measures.many_actions(spark, 20)])
    for rows in sizes:
        for kind in ("parquet", "csv"):
            for measure in (measures.recording, measures.first_trace):
                yield (
                    f"{measure.__name__} {rows} {kind}",
                    lambda m=measure, r=rows, k=kind: m(spark, folder, r, k),  # type: ignore[misc]
                )


def _session(folder: Path) -> SparkSession:
    session = (
        SparkSession.builder.master("local[2]")
        .appName("bigdebug benchmarks")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.memory", "4g")
        .config("spark.sql.shuffle.partitions", "8")
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    return session


def commit() -> str:
    """The commit measured, marked where the tree has changes."""
    described = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    folder = Path(__file__).parent
    return subprocess.run(described, capture_output=True, text=True, cwd=folder, check=True).stdout.strip()


def _rows(kept: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []


def _line(row: measures.Row) -> str:
    return (
        f"{row['measure']:<44} {row['program']:<20} {row['rows']:>11,} {row['source']:<8} "
        f"{row['ratio']:6.3f} ({row['least']:.3f} to {row['most']:.3f})  "
        f"{row['seconds']:7.3f} s against {row['against']:7.3f} s ({row['more_ms']:+.0f} ms)"
    )


def _table(rows: list[dict[str, Any]]) -> str:
    head = (
        f"Measured at commit {commit()} with `python -m benchmarks`: medians of 7 pairs in one run "
        "(21 of what takes less than a second), 2 cores.\n\n"
        "| measure | program | rows | source | ratio | least to most | seconds | against | difference |\n"
        "|---|---|---|---|---|---|---|---|---|\n"
    )
    lines = [
        f"| {r['measure']} | {r['program']} | {r['rows']:,} | {r['source']} | {r['ratio']:.3f} "
        f"| {r['least']:.3f} to {r['most']:.3f} | {r['seconds']:.3f} | {r['against']:.3f} | {r['more_ms']:+.0f} ms |"
        for r in rows
    ]
    return head + "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

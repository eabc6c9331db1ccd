"""`python -m benchmarks [--only KIND …] [--rows N …] [--scale S] [--rounds N …]`: measure, print, keep tables.

Resumable: what was measured at this commit is kept and not measured again. Tables that take very long are kept in
the folder of results, with rows measured at several commits.
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

from benchmarks import (
    advice,
    crashes,
    culprits,
    index,
    isolation,
    iterative,
    live,
    measures,
    plugin,
    rdd,
    screens,
    skew,
)
from benchmarks.loops import LOOPS
from benchmarks.memory import ALIKE, memory, of_isolation
from benchmarks.shown import rows_in
from benchmarks.subjects import SUBJECTS
from benchmarks.tpch import TpcH
from bigdebug.lineage.java import ensure_java

RESULTS = Path(__file__).parent / "results"
KINDS = ["parquet", "csv"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--only", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--scale", type=float, default=1, help="of TPC-H")
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[10, 100, 1000], help="of text")
    parser.add_argument(
        "--rounds", type=int, nargs="+", default=[5, 10, 20, 40], help="of iterative programs"
    )
    parser.add_argument("--records", type=int, nargs="+", default=[100_000, 1_000_000], help="of subjects")
    parser.add_argument("--forms", nargs="+", choices=list(isolation.FORMS), default=list(isolation.FORMS))
    parser.add_argument("--programs", nargs="+", choices=list(SUBJECTS), default=list(SUBJECTS))
    parser.add_argument("--bound", type=float, default=120, help="seconds of plain delta debugging")
    parser.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "bigdebug-benchmarks")
    arguments = parser.parse_args()
    arguments.data.mkdir(parents=True, exist_ok=True)
    measured = commit()
    ensure_java()
    spark = _session(arguments.data)
    try:
        for which in arguments.only:
            line, table = RENDERED.get(which, (_line, _table))
            grown = which in GROWN
            kept = RESULTS / f"{which}.jsonl" if grown else arguments.data / f"{which}-{measured}.jsonl"
            RESULTS.mkdir(exist_ok=True)
            for key, measure in TABLES[which](spark, arguments):
                if any(row["key"] == key and row["commit"] == measured for row in rows_in(kept)):
                    continue
                found = []
                for row in measure():
                    print(line(row), flush=True)
                    found.append({"key": key, "commit": measured, **row})
                others = [row for row in rows_in(kept) if row["key"] != key]
                kept.write_text("".join(json.dumps(row) + "\n" for row in [*others, *found]))
            (RESULTS / f"{which}.md").write_text(table(rows_in(kept), measured))
    finally:
        spark.stop()
        shutil.rmtree(measures.STORES, ignore_errors=True)


Planned = Iterator[tuple[str, Callable[[], Iterator[measures.Row]]]]


def _tpch(spark: SparkSession, arguments: argparse.Namespace) -> Planned:
    made: list[TpcH] = []

    def tables() -> TpcH:
        if not made:
            made.append(TpcH(spark, arguments.data, arguments.scale))
        return made[0]

    yield f"first traces {arguments.scale:g}", lambda: tables().first_traces()
    yield f"recording {arguments.scale:g}", lambda: tables().recording()


def _trunk(spark: SparkSession, arguments: argparse.Namespace) -> Planned:
    folder, sizes = arguments.data, arguments.rows
    for nodes in (10, 100):
        yield f"waiting {nodes}", lambda nodes=nodes: iter([measures.waiting(spark, nodes)])  # type: ignore[misc]
    yield "many actions", lambda: iter([measures.many_actions(spark, 20)])
    for rows in sizes:
        for kind in arguments.kinds:
            for measure in (measures.recording, measures.first_trace):
                yield (
                    f"{measure.__name__} {rows} {kind}",
                    lambda m=measure, r=rows, k=kind: m(spark, folder, r, k),  # type: ignore[misc]
                )


def _index(spark: SparkSession, arguments: argparse.Namespace) -> Planned:
    folder = arguments.data
    for rows in arguments.rows:
        for kind in arguments.kinds:
            for measure in (index.capture, index.indexed):
                yield (
                    f"{measure.__name__} {rows} {kind}",
                    lambda m=measure, r=rows, k=kind: m(spark, folder, r, k),  # type: ignore[misc]
                )


def _memory(spark: SparkSession, arguments: argparse.Namespace) -> Planned:
    sizes = sorted(arguments.rows)
    for kind in arguments.kinds:
        yield f"memory {kind} {sizes}", lambda k=kind: memory(spark, arguments.data, sizes, k)  # type: ignore[misc]


def _isolation_memory(_: SparkSession, arguments: argparse.Namespace) -> Planned:
    sizes = sorted(arguments.records)
    for program in ALIKE:
        for form in arguments.forms:
            yield (
                f"isolation memory {program} {form} {sizes}",
                lambda p=program, f=form: of_isolation(arguments.data, sizes, p, f),  # type: ignore[misc]
            )


def _rdd(spark: SparkSession, arguments: argparse.Namespace) -> Planned:
    for megabytes in arguments.megabytes:
        yield f"text {megabytes}", lambda m=megabytes: rdd.measured(spark, arguments.data, m)  # type: ignore[misc]


def _iterative(spark: SparkSession, arguments: argparse.Namespace) -> Planned:
    for name in LOOPS:
        for rounds in arguments.rounds:
            yield (
                f"{name} {rounds}",
                lambda n=name, r=rounds: iterative.measured(spark, arguments.data, n, r),  # type: ignore[misc]
            )


def _isolation(spark: SparkSession, arguments: argparse.Namespace) -> Planned:
    for records in arguments.records:
        for name, subject in SUBJECTS.items():
            if not subject.crashes and name in arguments.programs:
                for form in arguments.forms:
                    yield (
                        f"{name} {form} {records}",
                        lambda n=name, f=form, r=records: isolation.measured(  # type: ignore[misc]
                            spark, arguments.data, n, f, r, arguments.bound
                        ),
                    )


def _culprits(spark: SparkSession, arguments: argparse.Namespace) -> Planned:
    for rows in arguments.rows:
        yield f"culprits {rows}", lambda r=rows: culprits.measured(spark, arguments.data, r)  # type: ignore[misc]


def _crashes(spark: SparkSession, arguments: argparse.Namespace) -> Planned:
    for rows in arguments.rows:
        yield f"crashes {rows}", lambda r=rows: crashes.measured(spark, arguments.data, r)  # type: ignore[misc]
        yield f"many {rows}", lambda r=rows: crashes.many(spark, arguments.data, r)  # type: ignore[misc]


def _live(spark: SparkSession, arguments: argparse.Namespace) -> Planned:
    yield "changing", lambda: live.changing(spark)
    for megabytes in arguments.megabytes:
        yield f"text {megabytes}", lambda m=megabytes: live.rdds(spark, arguments.data, m)  # type: ignore[misc]
    for rows in arguments.rows:
        for kind in arguments.kinds:
            yield (
                f"frames {rows} {kind}",
                lambda r=rows, k=kind: live.frames(spark, arguments.data, r, k),  # type: ignore[misc]
            )


def _screens(spark: SparkSession, arguments: argparse.Namespace) -> Planned:
    yield "screens", lambda: screens.measured(spark, arguments.data)


def _advice(spark: SparkSession, arguments: argparse.Namespace) -> Planned:
    for megabytes in arguments.megabytes:
        yield f"event log {megabytes}", lambda m=megabytes: advice.measured(arguments.data, m)  # type: ignore[misc]


def _plugin(_: SparkSession, __: argparse.Namespace) -> Planned:
    yield "plugin", plugin.measured


def _skew(spark: SparkSession, arguments: argparse.Namespace) -> Planned:
    for rows in arguments.rows:
        for micros in (1, 10):
            yield f"timing {rows} {micros}", lambda r=rows, m=micros: skew.timing(spark, r, m)  # type: ignore[misc]
        for kind in arguments.kinds:
            yield (
                f"reports {rows} {kind}",
                lambda r=rows, k=kind: skew.reports(spark, arguments.data, r, k),  # type: ignore[misc]
            )


TABLES = {
    "trunk": _trunk,
    "tpch": _tpch,
    "index": _index,
    "memory": _memory,
    "rdd": _rdd,
    "iterative": _iterative,
    "isolation": _isolation,
    "isolation-memory": _isolation_memory,
    "culprits": _culprits,
    "crashes": _crashes,
    "live": _live,
    "screens": _screens,
    "advice": _advice,
    "skew": _skew,
    "plugin": _plugin,
}


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
    """The commit measured, marked where the tree has changes other than tables like these."""
    named = _git("describe", "--always", "--abbrev=12")
    but_results = (":/", ":(top,exclude)benchmarks/results")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", *but_results)
    return f"{named}-dirty" if changed else named


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent, check=True)
    return done.stdout.strip()


def _line(row: measures.Row) -> str:
    return (
        f"{row['measure']:<44} {row['program']:<20} {row['rows']:>11,} {row['source']:<8} "
        f"{row['ratio']:6.3f} ({row['least']:.3f} to {row['most']:.3f})  "
        f"{row['seconds']:7.3f} against {row['against']:7.3f} ({_more(row)})"
    )


def _more(row: measures.Row) -> str:
    """How much more it is."""
    if "in MB" in row["measure"]:
        return f"{row['seconds'] - row['against']:+.1f} MB"
    return f"{row['more_ms']:+.0f} ms"


def _table(rows: list[dict[str, Any]], measured: str) -> str:
    head = (
        f"Measured at commit {measured} with `python -m benchmarks`: medians of pairs taken in turn in one run, 7 of "
        "most (full capture, indexes, crashes and skew 5, finding culprits, very many of them and TPC-H 3, rounds 1, "
        "tests 30), three times as many of what takes less than a second; 2 cores.\n\n"
        "| measure | program | rows | source | ratio | least to most | measured | against | difference |\n"
        "|---|---|---|---|---|---|---|---|---|\n"
    )
    lines = [
        f"| {r['measure']} | {r['program']} | {r['rows']:,} | {r['source']} | {r['ratio']:.3f} "
        f"| {r['least']:.3f} to {r['most']:.3f} | {r['seconds']:.3f} | {r['against']:.3f} | {_more(r)} |"
        for r in rows
    ]
    return head + "\n".join(lines) + "\n"


GROWN = {"isolation"}

RENDERED = {
    "isolation": (isolation.line, isolation.table),
    "screens": (screens.line, screens.table),
    "advice": (advice.line, advice.table),
}

if __name__ == "__main__":
    main()

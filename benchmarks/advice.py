"""How fast an event log is read, and in how much memory: each in a process of its own, plain and compressed.

The logs are a real one's, its tasks repeated with fresh ids until they have the size.

`python -m benchmarks.advice LOG` measures one log and prints it as JSON.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard

from benchmarks.peak import most_memory

MB = 1_000_000
REAL = Path(__file__).parents[1] / "tests" / "advice" / "data" / "spark-4.3-failed.zstd"
_ROUNDS = 3
_TASK = re.compile(rb'"Task ID":(\d+),"Index":(\d+)')


def measured(folder: Path, megabytes: int) -> Iterator[dict[str, Any]]:
    """A log of so many megabytes, as Spark writes it without compression and with."""
    plain = folder / f"local-{megabytes}"
    if not plain.exists():
        make(plain, megabytes * MB)
    packed = plain.with_suffix(".zstd")
    if not packed.exists():
        with plain.open("rb") as source, packed.open("wb") as target:
            zstandard.ZstdCompressor(level=1).copy_stream(source, target)
    for kind, log in (("plain", plain), ("zstd", packed)):
        runs = [_of_a_process(log) for _ in range(_ROUNDS)]
        yield sorted(runs, key=lambda run: run["seconds"])[_ROUNDS // 2] | {"codec": kind}


def make(target: Path, size: int) -> None:
    """Write a log of about so many bytes."""
    lines = zstandard.ZstdDecompressor().decompress(REAL.read_bytes()).splitlines(keepends=True)
    tasks = [line for line in lines if b'"SparkListenerTask' in line[:30]]
    *head, end = (line for line in lines if b'"SparkListenerTask' not in line[:30])
    written = copy = 0
    with target.open("wb") as file:
        file.writelines(head)
        while written < size:
            copy += 1
            for line in tasks:
                written += file.write(_copied(line, copy))
        file.write(end)


def _copied(line: bytes, copy: int) -> bytes:
    """A task's line with ids of its own."""

    def fresh(ids: re.Match[bytes]) -> bytes:
        return b'"Task ID":%d,"Index":%d' % (copy * 10_000 + int(ids[1]), copy * 100 + int(ids[2]))

    return _TASK.sub(fresh, line, count=1)


def _of_a_process(log: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.advice", str(log)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _measure(log: str) -> dict[str, Any]:
    from bigdebug.advice.advising import advise

    started = time.perf_counter()
    app = advise(log).app
    seconds = time.perf_counter() - started
    return {
        "megabytes": app.bytes / MB,
        "tasks": sum(stage.done + stage.failed_tasks for stage in app.stages.values()),
        "seconds": seconds,
        "speed": app.bytes / MB / seconds,
        "memory": most_memory() / MB,
    }


def line(row: dict[str, Any]) -> str:
    """As it is printed."""
    return (
        f"event log of {row['megabytes']:,.0f} MB, {row['codec']:<5} {row['tasks']:>9,} tasks: "
        f"{row['seconds']:6.2f} s, {row['speed']:4.0f} MB/s, {row['memory']:4.0f} MB of memory at most"
    )


def table(rows: list[dict[str, Any]], commit: str) -> str:
    """As it is kept."""
    head = (
        f"Measured at commit {commit} with `python -m benchmarks --only advice`: medians of {_ROUNDS}, each in a "
        "process of its own; 2 cores.\n\n"
        "| event log | compression | tasks | seconds | MB/s | most memory |\n|---|---|---|---|---|---|\n"
    )
    lines = [
        f"| {row['megabytes']:,.0f} MB | {row['codec']} | {row['tasks']:,} | {row['seconds']:.2f} "
        f"| {row['speed']:.0f} | {row['memory']:.0f} MB |"
        for row in rows
    ]
    return head + "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1])))

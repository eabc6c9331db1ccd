"""Isolation beside what a person would do instead: plain delta debugging, one Spark job a test, and tracing alone."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import picire
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from benchmarks.measures import Row, fresh_store
from benchmarks.pairs import seconds
from benchmarks.shown import at_least, times_faster, times_fewer_jobs
from benchmarks.subjects import SUBJECTS, Made, Place, Subject, bad, flat
from bigdebug.isolation.found import IsolatedRecords, Isolation

RUNS = 3
HEAD = (
    "Measured with `python -m benchmarks --only isolation`, each row at the commit beside it: job and isolation are "
    f"medians of {RUNS} runs each, in turns in one session, 2 cores. Isolation is from the question to the proven "
    "answer, the trace included. Plain delta debugging is picire over the lines of the whole input, one Spark job a "
    "test, for the first failing row; what it had not ended by its bound is printed as at least (≥).\n\n"
    "| program | form | records | failing rows | job s | isolation s | ÷ job | replays | Spark jobs | precision "
    "| recall | tracing alone: records (precision) | plain delta debugging s | tests | times faster "
    "| its jobs ÷ ours | commit |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n"
)


@dataclass(frozen=True)
class Form:
    """How a subject's program is written.

    Attributes:
        made: gives what it computes, of a session, the subject and the input's path.
        failing: of a subject, what is asked of its rows.
        rows: the failing rows of what it computes.
        row: a row as the values of a DataFrame's.
        heads: of a subject, the lines at the head of each file that aren't counted as records.
    """

    made: Callable[[SparkSession, Subject, str], Any]
    failing: Callable[[Subject], Any]
    rows: Callable[[Subject, Any], list[Any]]
    row: Callable[[Any], tuple[Any, ...]]
    heads: Callable[[Subject], int]


FORMS = {
    "DataFrame": Form(
        made=lambda spark, subject, path: subject.frame(spark, path),
        failing=lambda subject: subject.failing_sql,
        rows=lambda subject, frame: frame.where(F.expr(subject.failing_sql or "false")).collect(),
        row=lambda value: tuple(value.values()) if isinstance(value, dict) else tuple(value),
        heads=lambda subject: subject.heads,
    ),
    "RDD": Form(
        made=lambda spark, subject, path: subject.rdd(spark.sparkContext, path),
        failing=lambda subject: subject.failing_rdd,
        rows=lambda subject, rdd: rdd.filter(subject.failing_rdd).collect(),
        row=flat,
        heads=lambda subject: 0,
    ),
}


def measured(
    spark: SparkSession, folder: Path, name: str, kind: str, records: int, bound: float, seed: int = 1
) -> Iterator[Row]:
    """One subject at one size.

    Args:
        spark: the session.
        folder: for its data.
        name: of the subject.
        kind: the form of its program.
        records: how many its input has.
        bound: seconds after which plain delta debugging is stopped.
        seed: of its input.
    """
    subject, form = SUBJECTS[name], FORMS[kind]
    made = subject.make(folder, records, seed)
    form.made(spark, subject, made.path).collect()  # warm
    alone: list[float] = []
    took: list[float] = []
    found = None
    for _ in range(RUNS):  # in turns, for a machine isn't as fast at all times
        alone.append(seconds(lambda: form.made(spark, subject, made.path).collect()))
        with bigdebug.attach(spark, store=fresh_store()) as session:
            output = form.made(spark, subject, made.path)
            output.collect()  # as a person does who sees a wrong row
            found = session.isolate(output, form.failing(subject))
            took.append(found.seconds)
            precision, recall = scored(subject, form, made, found)
            found.release()
    assert found is not None
    job, mine = statistics.median(alone), statistics.median(took)
    key = form.row(found.rows[0].value)[: subject.keys]
    plain, tests, ended = _plain(spark, subject, form, made, key, folder, bound)
    traced = found.rows[0].candidates
    yield {
        "measure": "isolation",
        "program": name,
        "form": kind,
        "rows": min(records, subject.most or records),
        "failing": found.matched,
        "job": job,
        "isolation": mine,
        "ratio": mine / job,
        "replays": found.replays,
        "jobs": found.jobs,
        "precision": precision,
        "recall": recall,
        "traced": traced,
        "traced_precision": found.rows[0].culprits.total / traced,
        "plain": plain,
        "tests": tests,
        "ended": ended,
    }


def line(row: Row) -> str:
    """A row while it is measured."""
    least = "" if row["ended"] else "at least "
    return (
        f"{row['program']:<18} {row['form']:<9} {row['rows']:>11,}  job {row['job']:7.2f} s  "
        f"isolation {row['isolation']:7.2f} s "
        f"(÷ job {row['ratio']:5.2f}), {row['replays']} replays, {row['jobs']} jobs, precision {row['precision']:.2f}, "
        f"recall {row['recall']:.2f}; plain {least}{row['plain']:.1f} s in {row['tests']} tests"
    )


def table(rows: Sequence[Row], _: str) -> str:
    """The rows in Markdown."""
    in_order = sorted(rows, key=lambda row: (row["rows"], row["form"], list(SUBJECTS).index(row["program"])))
    return HEAD + "".join(f"| {' | '.join(_cells(row))} |\n" for row in in_order)


def _cells(row: Row) -> list[str]:
    least = at_least(row)
    return [
        row["program"],
        row["form"],
        f"{row['rows']:,}",
        f"{row['failing']:,}",
        f"{row['job']:.2f}",
        f"{row['isolation']:.2f}",
        f"{row['ratio']:.2f}",
        str(row["replays"]),
        str(row["jobs"]),
        f"{row['precision']:.2f}",
        f"{row['recall']:.2f}",
        f"{row['traced']:,} ({row['traced_precision']:.2g})",
        f"{least}{row['plain']:.1f}",
        f"{least}{row['tests']:,}",
        times_faster(row),
        times_fewer_jobs(row),
        row["commit"],
    ]


def scored(subject: Subject, form: Form, made: Made, found: Isolation) -> tuple[float, float]:
    """Precision and recall of the culprits over the rows that were looked into, against the truth.

    Where several answers are right, a right one has a recall of 1.
    """
    truth = bad(made.truth)
    named = right = missed = 0
    for row in found.rows:
        places = set(_places(form.heads(subject), made, row.culprits))
        known = truth[form.row(row.value)[: subject.keys]]
        named += len(places)
        right += len(places & known.culprits.keys())
        missed += 0 if known.right(places) else len(known.an_answer())
    return right / max(named, 1), right / max(right + missed, 1)


def _places(heads: int, made: Made, records: IsolatedRecords) -> Iterator[Place]:
    for record in records:
        file, position = record.location.file, record.location.position
        assert file is not None
        assert position is not None
        yield Place(os.path.relpath(file, made.path), position + heads)


def _plain(
    spark: SparkSession,
    subject: Subject,
    form: Form,
    made: Made,
    key: tuple[Any, ...],
    folder: Path,
    bound: float,
) -> tuple[float, int, bool]:
    """Plain delta debugging for one failing row: seconds, tests, and whether it came to its end."""
    lines = [
        (str(file.relative_to(made.path)), number, text)
        for file in sorted(Path(made.path).rglob("*.*"))
        for number, text in enumerate(file.read_text().splitlines(keepends=True))
    ]
    heads = [each for each in lines if each[1] < subject.heads]
    rest = [each for each in lines if each[1] >= subject.heads]
    names = {name for name, _, _ in lines}
    began = time.perf_counter()
    tests = 0
    part = folder / "part"

    def test(config: Sequence[int], _: object) -> picire.Outcome:
        nonlocal tests
        if time.perf_counter() - began > bound:
            raise TimeoutError
        tests += 1
        shutil.rmtree(part, ignore_errors=True)
        texts: dict[str, list[str]] = {name: [] for name in names}
        for name, _, text in [*heads, *(rest[i] for i in config)]:
            texts[name].append(text)
        for name, some in texts.items():
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            (part / name).write_text("".join(some))
        output = form.rows(subject, form.made(spark, subject, str(part)))
        failing = any(form.row(row)[: subject.keys] == key for row in output)
        return picire.Outcome.FAIL if failing else picire.Outcome.PASS

    try:
        picire.DD(test, cache=picire.ConfigCache())(list(range(len(rest))))
        ended = True
    except TimeoutError:
        ended = False
    return time.perf_counter() - began, tests, ended

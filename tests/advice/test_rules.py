"""What the rules find, in logs that Spark writes for it; what takes a cluster or an hour is told by changed logs."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F

from bigdebug.advice.advising import advise
from bigdebug.advice.findings import Finding
from bigdebug.advice.thresholds import TABLE, Thresholds, parse_change
from bigdebug.lineage.errors import BigDebugError
from tests.settings import settings

DATA = Path(__file__).parent / "data"
PLAIN = zstandard.ZstdDecompressor().decompress((DATA / "spark-4.0-failed.zstd").read_bytes()).decode()
SPILLING = {
    "spark.sql.windowExec.buffer.in.memory.threshold": "1000",
    "spark.sql.windowExec.buffer.spill.threshold": "1000",
}


def found(place: Path, rule: str, **changes: float) -> list[Finding]:
    limits = Thresholds(
        {name.replace("__", ".").replace("_", "-"): [value] for name, value in changes.items()}
    )
    return [finding for finding in advise(str(place), limits).findings if finding.rule == rule]


def changed(folder: Path, change: Callable[[str], str]) -> Path:
    """A real log, each of whose lines was changed."""
    place = folder / "local-1"
    place.write_text("".join(f"{change(line)}\n" for line in PLAIN.splitlines()))
    return place


def test_what_spills_to_disk_is_told(spark: SparkSession, logged: Callable[..., Any]) -> None:
    window = (
        Window.partitionBy(F.col("id") % 2)
        .orderBy("id")
        .rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    )
    with settings(spark, SPILLING), logged(compress="false") as folder:
        spark.range(20_000).withColumn("last", F.last("id").over(window)).agg(F.sum("last")).collect()
    (finding,) = found(folder, "spill", spill__bytes=1)
    assert finding.figures["spilled_bytes"] > 0
    assert finding.place is not None
    assert finding.place.label.startswith("test_rules.py:")
    assert found(folder, "spill") == []


def test_a_hot_key_is_told_by_the_sizes_of_tasks(spark: SparkSession, logged: Callable[..., Any]) -> None:
    shuffled = {"spark.sql.adaptive.enabled": "false", "spark.sql.shuffle.partitions": "8"}
    with settings(spark, shuffled), logged(compress="false") as folder:
        hot = spark.range(50_000).withColumn("key", F.when(F.col("id") % 100 < 99, 7).otherwise(F.col("id")))
        counted = hot.withColumn("n", F.count("*").over(Window.partitionBy("key")))
        counted.agg(F.sum("n"), F.sum("id")).collect()
    (finding,) = found(folder, "skew", skew__bytes__largest=10_000)
    assert finding.figures["bytes_ratio"] > 5
    assert "a few keys hold most of the rows" in finding.advice
    assert found(folder, "skew") == []


def test_very_many_small_tasks_are_told(spark: SparkSession, logged: Callable[..., Any]) -> None:
    with logged(compress="false") as folder:
        spark.sparkContext.parallelize(range(40), 40).count()
    (finding,) = found(folder, "small-tasks", small_tasks__count=40, small_tasks__median=60)
    assert "40 tasks of" in finding.evidence
    assert found(folder, "small-tasks", small_tasks__count=41, small_tasks__median=60) == []


def test_too_large_tasks_are_told(tmp_path: Path) -> None:
    large = changed(tmp_path, lambda line: re.sub(r'"Bytes Read":[1-9]\d*', '"Bytes Read":6000000000', line))
    findings = found(large, "large-tasks")
    assert {finding.severity for finding in findings} == {3}
    assert "took in 6.0 GB" in findings[0].evidence


def test_garbage_collection_is_told(tmp_path: Path) -> None:
    def half(line: str) -> str:
        return re.sub(r'("Executor Run Time":)\d+(.*"JVM GC Time":)\d+', r"\g<1>90000\g<2>9000", line)

    (finding,) = found(changed(tmp_path, half), "gc")
    assert finding.severity == 3
    assert "(10 %)" in finding.evidence


def test_too_few_tasks_for_the_cores_are_told(tmp_path: Path) -> None:
    def wide(line: str) -> str:
        line = line.replace('"Total Cores":2', '"Total Cores":64')
        long = '"Completion Time"' in line and '"Stage ID":0,' in line
        return (
            re.sub(r'("Submission Time":)(\d+)', lambda each: f"{each[1]}{int(each[2]) - 200_000}", line)
            if long
            else line
        )

    findings = found(changed(tmp_path, wide), "few-tasks")
    assert [finding.stage for finding in findings] == [(0, 0)]
    assert findings[0].evidence.endswith("on 64 cores")
    assert findings[0].severity == 2


def test_lost_executors_are_told_with_their_reason(tmp_path: Path) -> None:
    added = '{"Event":"SparkListenerExecutorAdded","Timestamp":1,"Executor ID":"1","Executor Info":{"Total Cores":2}}'
    removed = (
        '{"Event":"SparkListenerExecutorRemoved","Timestamp":2,"Executor ID":"1","Removed Reason":'
        '"Command exited with code 137"}'
    )
    place = changed(tmp_path, lambda line: line)
    place.write_text(f"{added}\n{removed}\n{PLAIN}")
    (finding,) = found(place, "lost-executors")
    assert "1 of 2 executors were lost: Command exited with code 137" in finding.evidence
    place.write_text(
        f"{added}\n{removed.replace('Command exited with code 137', 'Executor idle for 60 s')}\n{PLAIN}"
    )
    assert found(place, "lost-executors") == []


def test_an_executor_that_does_most_is_told(tmp_path: Path) -> None:
    numbers = iter(range(1_000_000))

    def spread(line: str) -> str:
        if not line.startswith('{"Event":"SparkListenerTaskEnd"'):
            return line
        number = next(numbers) % 4
        line = line.replace('"Executor ID":"driver"', f'"Executor ID":"{number}"', 1)
        return (
            line
            if number
            else re.sub(r'("Launch Time":)(\d+)', lambda e: f"{e[1]}{int(e[2]) - 60_000}", line, count=1)
        )

    (finding,) = found(changed(tmp_path, spread), "executors")
    assert "executor 0 was busy" in finding.evidence
    assert finding.severity == 4


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        (
            '{"Reason":"ExecutorLostFailure","Executor ID":"3","Exit Caused By App":true,"Loss Reason":"Container '
            'killed by YARN for exceeding memory limits. 5.5 GB of 5.5 GB physical memory used"}',
            "executor lost: Container killed by YARN",
        ),
        (
            '{"Reason":"FetchFailed","Shuffle ID":1,"Map ID":2,"Message":"org.apache.spark.shuffle.'
            'FetchFailedException: Connection to host/10.0.0.1:7337 closed"}',
            "shuffle data couldn't be fetched",
        ),
        ('{"Reason":"Resubmitted"}', "Resubmitted"),
        (
            '{"Reason":"ExceptionFailure","Class Name":"java.lang.OutOfMemoryError","Description":"Java heap space"}',
            "OutOfMemoryError: Java heap space",
        ),
    ],
)
def test_the_causes_of_failed_tasks_are_told_apart(tmp_path: Path, reason: str, cause: str) -> None:
    def failing(line: str) -> str:
        start, end = line.find('"Task End Reason":{"Reason":"ExceptionFailure"'), line.find(',"Task Info"')
        return line if start < 0 else f'{line[:start]}"Task End Reason":{reason}{line[end:]}'

    (finding,) = found(changed(tmp_path, failing), "failed-tasks")
    assert cause in finding.evidence
    assert finding.advice.startswith("out of memory") == ("memory" in reason.casefold())


def test_every_threshold_can_be_set() -> None:
    for threshold in TABLE:
        doubled = [2 * value for value in threshold.values]
        limits = Thresholds(dict([parse_change(f"{threshold.name}={','.join(map(repr, doubled))}")]))
        assert limits.as_json()[threshold.name] == doubled


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("skwe.ratio", [2], "no threshold 'skwe.ratio'"),
        ("skew.ratio", [2, 4], "one value, or four"),
        ("skew.ratio", [8, 4, 2, 1], "one value, or four"),
        ("skew.longest", [1, 2, 3, 4], "takes one value"),
    ],
)
def test_a_threshold_that_is_none_is_told(name: str, values: list[float], told: str) -> None:
    with pytest.raises(BigDebugError, match=told):
        Thresholds({name: values})

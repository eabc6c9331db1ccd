"""How far a running job is, and the task that all others wait for."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from pyspark.sql import SparkSession

import bigdebug
from bigdebug.skew.thresholds import Thresholds


def test_the_task_that_all_others_wait_for(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    gate = str(tmp_path / "gate")

    def slow_in_one(index: int, elements: Iterator[int]) -> Iterator[int]:
        import os

        while index == 2 and not os.path.exists(gate):
            time.sleep(0.05)
        return elements

    rdd = spark.sparkContext.parallelize(range(40), 4).mapPartitionsWithIndex(slow_in_one)
    job = threading.Thread(target=rdd.count)
    job.start()
    seen = []
    until = time.monotonic() + 60
    rules = Thresholds(slow_times_median=1.01, slow_seconds=0.5)
    while not seen and time.monotonic() < until:
        time.sleep(0.2)
        seen = [stage for stage in session.progress(rules) if stage.done == 3 and stage.stragglers]
    Path(gate).touch()
    job.join()
    (stage,) = seen
    assert (stage.tasks, stage.done, stage.failed) == (4, 3, 0)
    (task,) = stage.stragglers
    assert task.partition == 2
    assert task.seconds > 0.5
    assert session.progress() == []


def test_the_record_that_a_task_is_at_where_time_is_watched(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    gate = str(tmp_path / "gate")

    def slow_over_one(pair: tuple[str, int]) -> int:
        import os

        while pair == ("b", 25) and not os.path.exists(gate):
            time.sleep(0.05)
        return pair[1]

    pairs = spark.sparkContext.parallelize([("ab"[n % 2], n) for n in range(40)], 4)
    read = pairs.map(slow_over_one)
    watchpoint = session.watch(read, bigdebug.Slow())
    job = threading.Thread(target=read.count)
    job.start()
    rules = Thresholds(slow_times_median=1.01, slow_seconds=0.5)
    seen: list[object] = []
    until = time.monotonic() + 60
    while not seen and time.monotonic() < until:
        time.sleep(0.2)
        tasks = [task for stage in session.progress(rules) for task in stage.running]
        seen = [(task.partition, task.straggling, task.record) for task in tasks if task.record is not None]
    Path(gate).touch()
    job.join()
    assert seen == [(2, True, ("b", 25))]
    assert watchpoint.busy() == {}

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

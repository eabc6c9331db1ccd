"""Ctrl-C while the records to blame are searched for: what was found by then is the answer."""

import signal
import threading
import time
from pathlib import Path

import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.isolation.isolating import Progress

UNFINISHED = "the search was stopped before its end: fewer records may do"


def test_an_interrupt_in_a_replay_ends_it_and_spares_the_jobs_after_it(
    session: bigdebug.Session, spark: SparkSession
) -> None:
    main = threading.main_thread().ident
    assert main is not None
    tracker = spark.sparkContext.statusTracker()
    begun = threading.Event()
    sent: list[float] = []

    def interrupt() -> None:
        """As somebody does who sees that it takes long: while a job runs."""
        while not tracker.getActiveJobsIds():
            time.sleep(0.01)
        sent.append(time.monotonic())
        signal.pthread_kill(main, signal.SIGINT)

    def told(progress: Progress) -> None:
        if progress.replays and not begun.is_set():
            begun.set()
            threading.Thread(target=interrupt, daemon=True).start()

    orders = spark.createDataFrame(
        [(each % 3, -1.0 if each % 3 == 1 else 1.0) for each in range(400)], "k int, v double"
    )
    # Opaque, so that it is told by replays: what a group gives hangs on all of it.
    totals = orders.groupBy("k").applyInPandas(_slowly_summed, "k long, total double")
    group = spark.sparkContext.getLocalProperty("spark.jobGroup.id")
    found = session.isolate(totals, F.col("total") < -100, progress=told)
    assert sent
    assert UNFINISHED in found.notes
    assert [row.value["k"] for row in found.rows] == [1]
    assert found.rows[0].reproduction.total > 100
    assert all(record.value["k"] == 1 for record in found.rows[0].reproduction)
    assert found.explanation is not None
    assert spark.sparkContext.getLocalProperty("spark.jobGroup.id") == group
    assert totals.count() == 3


def _slowly_summed(frame):  # type: ignore[no-untyped-def]
    import time

    import pandas as pd

    time.sleep(0.2)
    return pd.DataFrame({"k": [int(frame.k.iloc[0])], "total": [float(frame.v.sum())]})


def test_a_budget_ends_a_replay_in_its_midst(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    slept = tmp_path / "slept"

    def held_up(frame):  # type: ignore[no-untyped-def]
        if len(frame) < 100:
            time.sleep(90)
            slept.touch()
        return pd.DataFrame({"k": [int(frame.k.iloc[0])], "total": [float(frame.v.sum())]})

    orders = spark.createDataFrame([(each % 2, -1.0) for each in range(200)], "k int, v double")
    totals = orders.groupBy("k").applyInPandas(held_up, "k long, total double")
    found = session.isolate(totals, "k = 1 and total < -50", budget=10)
    assert not slept.exists()
    assert UNFINISHED in found.notes
    assert [(row.candidates, row.reproduction.total) for row in found.rows] == [(100, 100)]
    assert totals.count() == 2

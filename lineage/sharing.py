"""Whether Spark's executors see the store that full capture has them write to."""

from __future__ import annotations

import logging
import secrets
from pathlib import Path
from typing import Any

logger = logging.getLogger("bigdebug")

_LOCAL = "local"


def warn_unless_shared(context: Any, recorder: Any) -> None:
    """Say at once where the executors can't see the store; a small job finds that out on a cluster.

    Args:
        context: the SparkContext.
        recorder: of the run that is captured in full.
    """
    if recorder.tables is None or str(context.master).partition("[")[0] == _LOCAL:
        return
    filesystem, path = recorder.tables.place("")
    store = path.rstrip("/").rpartition("/")[0].rpartition("/")[0]
    try:
        seen = filesystem.type_name != "local" or seen_by_workers(context, store)
    except Exception as error:
        logger.warning("bigdebug: whether Spark's executors see the store can't be told: %s", error)
        return
    if not seen:
        logger.warning(
            "bigdebug: Spark's executors don't see the store %s, so that no lineage can be captured in full; "
            "name one that all machines share: attach(store=…), --store or BIGDEBUG_STORE",
            recorder.tables.location,
        )


def seen_by_workers(context: Any, folder: str) -> bool:
    """Whether all of Spark's Python workers that a job of many tasks runs on can write into a folder of the driver's.

    By a file that is made for that: another machine may well have a folder of the same name.
    """
    from pyspark.core.rdd import RDD

    mark = Path(folder) / f".seen-{secrets.token_hex(8)}"
    try:
        mark.touch()
    except OSError:
        return False
    name = str(mark)

    def looked(partition: int, _: Any) -> Any:
        import os

        try:
            os.stat(name)
            os.close(os.open(f"{name}-{partition}", os.O_CREAT | os.O_WRONLY))
            os.remove(f"{name}-{partition}")
        except OSError:
            yield False
        else:
            yield True

    tasks = max(2, 2 * int(context.defaultParallelism))
    try:
        return all(RDD.mapPartitionsWithIndex(context.parallelize(range(tasks), tasks), looked).collect())
    finally:
        mark.unlink(missing_ok=True)

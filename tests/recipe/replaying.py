"""Trace every output of a run in a fresh process: `python replaying.py STORE RUN QUESTIONS ANSWERS`.

QUESTIONS is a JSON object of output numbers to conditions; ANSWERS is written: for each output what the trace
found, or the error.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from bigdebug.lineage.errors import BigDebugError
from bigdebug.lineage.trace import Trace


def answer(trace: Trace) -> dict[str, Any]:
    """What a trace found, in a form that can be compared and written down."""
    records = [
        [each.source, each.location.file, each.location.partition, each.location.position, repr(each.value)]
        for each in trace.collect()
    ]
    return {
        "matched": trace.matched,
        "sources": [[source.name, source.kind, source.count] for source in trace.sources],
        "records": sorted(records, key=repr),
        "exact": trace.exact,
        "notes": trace.notes,
    }


def main(store: str, run_id: str, questions: str, answers: str) -> None:
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    from pyspark.sql import SparkSession

    from bigdebug.lineage.java import ensure_java
    from bigdebug.lineage.postmortem import open_output
    from bigdebug.lineage.store import Store

    ensure_java()
    # Other cores, another time zone, other splits than the run had.
    spark = (
        SparkSession.builder.master("local[3]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "3")
        .config("spark.sql.session.timeZone", "Asia/Tokyo")
        .config("spark.sql.files.openCostInBytes", "1000")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    run = Store(store).find(run_id)
    found: dict[str, Any] = {}
    for number, where in json.loads(Path(questions).read_text()).items():
        try:
            found[number] = answer(open_output(run, run.output(number), spark=spark).trace(where))
        except BigDebugError as error:
            found[number] = {"error": str(error)}
        except Exception as error:
            found[number] = {"fault": f"{type(error).__name__}: {str(error)[:500]}"}
    Path(answers).write_text(json.dumps(found))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])

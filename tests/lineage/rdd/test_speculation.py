"""Full capture where Spark runs a task twice at a time, on a cluster of two workers: it counts once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bigdebug.lineage.rdd.index.reading import RddIndex, open_rdd_index
from bigdebug.lineage.store import Store
from tests.lineage.rdd.test_capture import was_tapped
from tests.standalone import environment, standalone

PROGRAM = """
import os, sys, time
from pyspark import SparkConf, SparkContext
import bigdebug

master, text, store, mark, where = sys.argv[1:]
conf = SparkConf().setMaster(master).set("spark.ui.enabled", "false").set("spark.executor.memory", "512m")
conf.set("spark.driver.host", "127.0.0.1").set("spark.locality.wait", "0")
conf.set("spark.speculation", "true").set("spark.speculation.interval", "100ms")
conf.set("spark.speculation.quantile", "0.5").set("spark.speculation.multiplier", "1.5")
conf.set("spark.speculation.minTaskRuntime", "500ms")
context = SparkContext(conf=conf)
with bigdebug.attach(context, store=store, capture="full"):
    def slow(here, text):
        if here == where and "x37" in text:
            try:
                os.close(os.open(mark + "first", os.O_CREAT | os.O_EXCL))
                time.sleep(120)
            except FileExistsError:
                open(mark + "second", "w").close()
        return text
    lines = context.textFile(text, 3).map(lambda line: slow("below", line))
    counts = lines.flatMap(str.split).map(lambda word: (word, 1)).reduceByKey(lambda a, b: a + b, 3)
    print(sorted(counts.map(lambda pair: (slow("above", pair[0]), pair[1])).collect()))
context.stop()
"""


def run(master: str, text: str, folder: Path, where: str) -> tuple[str, RddIndex]:
    """What the program printed, and the index of its output."""
    folder.mkdir()
    program, store = folder / "program.py", str(folder / "store")
    program.write_text(PROGRAM)
    ended = subprocess.run(
        [sys.executable, str(program), master, text, store, str(folder / "mark-"), where],
        env={**environment(), "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        timeout=110,  # less than the slow attempt sleeps
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    index = open_rdd_index(Store(store).find("last").tables, 1)
    assert index is not None, ended.stderr[-3000:]
    return ended.stdout, index


@pytest.mark.proof("captured programs whose tasks Spark speculates on, on a cluster of two workers")
@pytest.mark.parametrize("where", ["below", "above"])
def test_a_task_that_runs_twice_at_a_time(where: str, text: str, tmp_path: Path) -> None:
    with standalone(tmp_path, ["127.0.0.2", "127.0.0.3"]) as master:
        printed, index = run(master, text, tmp_path / "speculated", where)
        assert (tmp_path / "speculated" / "mark-second").exists(), os.listdir(tmp_path / "speculated")
        calm_printed, calm = run(master, text, tmp_path / "calm", "nowhere")
    assert printed == calm_printed
    assert was_tapped(index)
    assert index.rows == calm.rows == 67
    for word in ("w0", "w2", "w6", "x0", "x37", "x59"):
        ours, theirs = (each.trace(f"key == '{word}'") for each in (index, calm))
        assert ours.matched == theirs.matched == 1
        assert ours.collect() == theirs.collect()

"""PySpark's own examples of RDDs run under bigdebug as they run without it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import doctest, sys, tempfile
import numpy
import pyspark.core.rdd
from pyspark import SparkContext
import bigdebug

numpy.set_printoptions(legacy="1.25")  # as PySpark does for them
with tempfile.TemporaryDirectory() as folder:
    context = SparkContext("local[4]", "doctests")
    context.setCheckpointDir(folder)
    names = vars(pyspark.core.rdd) | {"sc": context}
    with bigdebug.attach(context, store=folder + "/store", capture=sys.argv[1]) as session:
        failed, attempted = doctest.testmod(pyspark.core.rdd, globs=names, optionflags=doctest.ELLIPSIS)
        session._recorder.drain()
        outputs = session.outputs
    context.stop()
print("failed", failed, "of", attempted, "outputs", len(outputs))
print(sorted({o.recipe_problem for o in outputs if o.recipe != "stored"}))
"""


@pytest.mark.proof("PySpark's own examples of RDDs, under bigdebug")
@pytest.mark.parametrize("capture", ["recipe", "full"])
def test_the_doctests_of_rdds_pass_unchanged(capture: str, tmp_path: Path) -> None:
    """All of them; of a barrier stage, of which nothing is recorded, only the trace is refused."""
    program = tmp_path / "doctests.py"
    program.write_text(PROGRAM)
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable, "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        [sys.executable, str(program), capture],
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    told = done.stdout.splitlines()[-2:]
    assert told[0].startswith("failed 0 of 345 "), done.stdout + done.stderr[-2000:]
    assert int(told[0].rsplit(" ", 1)[1]) > 140
    assert told[1] == '["it reads an RDD that wasn\'t recorded"]'

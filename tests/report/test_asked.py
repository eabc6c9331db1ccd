"""Questions that a report asks by itself: by Spark, or by an output's index."""

import functools
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.cli.main import main
from bigdebug.lineage import postmortem

FLIGHTS = "dest,minutes\nBOS,60\nBOS,-900\nPSE,30\nPSE,40\n"


def test_traces_and_culprits_are_asked_for_the_report(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "flights.csv").write_text(FLIGHTS)
    with bigdebug.attach(spark, store=str(tmp_path / "store")) as session:
        flights = spark.read.csv(str(tmp_path / "flights.csv"), header=True, inferSchema=True)
        flights.groupBy("dest").agg(F.avg("minutes").alias("mean")).collect()
        session.index(session.outputs[0])
    with monkeypatch.context() as patched:
        patched.setattr(postmortem, "open_output", None)  # the index needs no Spark
        text = written(tmp_path, "--trace", "1: dest = 'PSE'")
    assert "2 records" in text
    assert "-900" not in text

    asked = functools.partial(postmortem.open_output, spark=spark)
    monkeypatch.setattr(postmortem, "open_output", asked)
    text = written(tmp_path, "--isolate", "1: mean < 0", "--redact", "minutes")
    assert "Culprits: without them the output passes. Proof: 1-minimal" in text
    assert "BOS" in text
    assert "-900" not in text


def written(folder: Path, *arguments: str) -> str:
    target = folder / "report.html"
    assert main(["report", "last", "-o", str(target), "--store", str(folder / "store"), *arguments]) == 0
    return target.read_text("utf-8")

"""A trace from a recipe in a new process is the live one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import LongType

import bigdebug
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.dataflow import Node
from bigdebug.lineage.output import OutputRows
from bigdebug.lineage.questions import trace_rows
from bigdebug.lineage.recipe.building import build_recipe

QUERIES = {
    "join_and_aggregate": (
        "select k, sum(v) s, max(city) c from files join memory using (k) group by k",
        "s = 30",
    ),
    "semi_and_scalar": (
        "select * from files f where exists (select 1 from memory m where m.k = f.k) "
        "and v > (select min(v) from files)",
        "v = 20",
    ),
    "in_or_null": ("select * from files where k in (select k from memory) or k is null", "k is null"),
    "twice": (
        "with q as (select * from files where v > 1) select a.v x, b.v y from q a join q b using (k)",
        "x = 20",
    ),
    "window": ("select *, rank() over (partition by k order by v) r from files", "r = 2"),
    "rollup": ("select k, city, count(*) c from memory group by rollup(k, city)", "k is null"),
    "explode": ("select e, count(*) c from lists lateral view explode(items) x as e group by e", "c = 2"),
    "pivot": (
        "select * from (select k, v, n % 2 odd from files) pivot (max(v) for odd in (0, 1))",
        "k = 'a'",
    ),
    "intersect_all": ("select k from files intersect all select k from memory", "true"),
    "function": ("select k, twice(v) w from files where twice(v) > 10", "w = 40"),
    "union_by_name": ("select k, v from csv union all select k, v from files order by v limit 3", "true"),
}


@pytest.fixture(scope="module")
def views(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, DataFrame]:
    folder = tmp_path_factory.mktemp("data")
    rows = [(1, "a", 10), (2, "a", 20), (3, "b", 5), (4, None, 7), (5, "b", None), (6, "c", 1)]
    frame = spark.createDataFrame(rows, "n long, k string, v long")
    frame.repartition(2).write.parquet(str(folder / "files"))
    frame.repartition(2).write.csv(str(folder / "csv"), header=True)
    made = {
        "files": spark.read.parquet(str(folder / "files")),
        "csv": spark.read.csv(str(folder / "csv"), header=True, schema="n long, k string, v long"),
        "memory": spark.createDataFrame(
            [("a", "Rome"), ("b", "Oslo"), (None, "Nice")], "k string, city string"
        ),
        "lists": spark.createDataFrame(
            [(1, ["x", "y"]), (2, ["y"]), (3, None)], "n long, items array<string>"
        ),
    }
    for name, view in made.items():
        view.createOrReplaceTempView(name)
    spark.udf.register("twice", F.udf(lambda v: None if v is None else v * 2, LongType()))
    return made


def lookup(tag: str) -> Node | None:
    return Node(1, "createDataFrame", None)


@pytest.mark.compat
def test_a_new_process_finds_the_same_records(
    spark: SparkSession, views: dict[str, DataFrame], tmp_path: Path
) -> None:
    catalyst = Catalyst(spark)
    for frame in views.values():  # as the recorder does, which tells the user's own data from RDDs by it
        catalyst.analyzed(frame).setTagValue(catalyst.tag, "made")
    live = {}
    for name, (query, where) in QUERIES.items():
        plan = catalyst.analyzed(spark.sql(query))
        rows = OutputRows(plan, spark._jsparkSession, None)
        trace = trace_rows(spark, rows, lookup, where)
        live[name] = [trace.matched, [str(record) for record in trace.collect()]]
        assert live[name][0], name
        (tmp_path / f"{name}.recipe").write_bytes(build_recipe(spark, rows, lookup).to_bytes())
        (tmp_path / f"{name}.where").write_text(where, encoding="utf-8")
    command = [sys.executable, str(Path(__file__).with_name("reopen.py")), str(tmp_path)]
    package = str(Path(bigdebug.__file__).parents[1])  # installed, or the tree the tests run from
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "PYTHONPATH": package}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    found = {name: answer for name, *answer in map(json.loads, done.stdout.splitlines())}
    assert found == live

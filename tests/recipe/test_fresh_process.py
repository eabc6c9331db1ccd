"""A recipe read back in a fresh process, with another JVM and other settings, traces as the live program does.

So does an index, as far as it holds the answer.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyspark.sql.functions as F
import pytest
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.lineage.errors import BigDebugError
from tests.recipe import operator_queries, rdd_sources
from tests.recipe.queries import QUERIES, Query
from tests.recipe.replaying import answer
from tests.settings import settings
from tests.thinned import thinned

INDEXED = (*operator_queries.INDEXED, *rdd_sources.INDEXED)
SAMPLE = (
    "exists_and_scalar_subquery", "cte_window_and_rollup", "memory_join", "partitioned_table",
    "sampled_by_position", "udf_with_a_closure", "time_zone", "apply_in_pandas", "lateral_join",
    "checkpoint", "rdd_lines_of_compressed_files", "rdd_whole_texts_as_bytes",
)  # fmt: skip
"""Queries that are asked about in the suite, too: one of each kind."""
ROOT = Path(__file__).parents[2]
SPLIT = {
    "spark.sql.files.maxPartitionBytes": "900",
    "spark.sql.files.openCostInBytes": "0",
    "spark.sql.files.minPartitionNum": "1",
}


def answered(session: bigdebug.Session, where: str | None) -> dict[str, Any]:
    """A live trace of the last output; what went wrong is told by that query's own test."""
    try:
        return answer(session.trace(session.outputs[-1], where))
    except Exception as error:
        return {"live fault": f"{type(error).__name__}: {str(error)[:500]}"}


def indexed(session: bigdebug.Session, where: str | None) -> dict[str, Any]:
    """The same from an index of the last output."""
    try:
        return answer(session.index(session.outputs[-1]).trace(where))
    except BigDebugError as error:
        return {"refused": f"{error}; {error.hint}"}
    except Exception as error:
        return {"index fault": f"{type(error).__name__}: {str(error)[:500]}"}


Answers = dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]


@pytest.fixture(scope="module")
def asked(request: pytest.FixtureRequest) -> dict[str, Query]:
    """The queries whose tests run."""
    items = [item for item in request.session.items if item.path == request.path]
    names = {item.callspec.params["name"] for item in items}
    return {name: query for name, query in QUERIES.items() if name in names}


@pytest.fixture(scope="module")
def answers(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, asked: dict[str, Query]
) -> Iterator[Answers]:
    """By query: what the live trace found, what a fresh process did, and what stands in an index."""
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "orders").mkdir()
    for part in range(2):
        rows = [
            f"{n},{n % 3},{n * 7 % 50},2026-01-0{1 + n % 2} 0{n % 10}:30:00"
            for n in range(60 * part, 60 * part + 60)
        ]
        (folder / "orders" / f"{part}.csv").write_text("id,k,amount,at\n" + "\n".join(rows) + "\n")
    spark.createDataFrame(
        [(0, "c0", True), (1, "c1", False), (2, "c2", True), (None, "c3", False)],
        "k int, name string, vip boolean",
    ).coalesce(1).write.parquet(str(folder / "customers"))
    spark.createDataFrame([(n, n % 4) for n in range(40)], "n int, place int").write.mode(
        "overwrite"
    ).partitionBy("place").saveAsTable("recipe_places")
    spark.sql("create table recipe_codes (code char(4), n int) using parquet")
    spark.sql("insert into recipe_codes values ('a', 1), ('b', 2), ('b', 3)")
    rdd_sources.write_files(spark, folder / "sources")
    spark.udf.register("twice", F.udf(lambda amount: amount * 2, "int"))
    spark.sparkContext.setCheckpointDir(str(folder / "checkpoints"))
    live: dict[str, dict[str, Any]] = {}
    index: dict[str, dict[str, Any]] = {}
    numbers: dict[str, str] = {}
    with bigdebug.attach(spark, store=str(folder / "store")) as session:
        spark.read.csv(
            str(folder / "orders"), header=True, schema="id int, k int, amount int, at timestamp"
        ).createOrReplaceTempView("orders")
        spark.read.parquet(str(folder / "customers")).createOrReplaceTempView("customers")
        lists = [(1, ["x", "y"]), (2, ["y"]), (3, None)]
        spark.createDataFrame(lists, "n int, items array<string>").createOrReplaceTempView("lists")
        for name, each in asked.items():
            with settings(spark, SPLIT | dict(each.settings)):
                each.action(each.frame(spark))
            numbers[name] = str(len(session.outputs))
            # The user's settings have changed since.
            live[name] = answered(session, each.where)
            if name in INDEXED:
                index[name] = indexed(session, each.where)
        problems = {o.number: o.recipe_problem for o in session.outputs if o.recipe == "unavailable"}
        run_id = session.run_id
    questions = {numbers[name]: each.where for name, each in asked.items()}
    (folder / "questions.json").write_text(json.dumps(questions))
    began = time.time()
    done = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).with_name("replaying.py")),
            *(str(folder / "store"), run_id, str(folder / "questions.json"), str(folder / "answers.json")),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    print(f"replayed in {time.time() - began:.0f} s; {problems}")
    again = json.loads((folder / "answers.json").read_text())
    yield {name: (live[name], again[numbers[name]], index.get(name, {})) for name in asked}
    spark.sql("drop table recipe_places")
    spark.sql("drop table recipe_codes")
    for view in ("orders", "customers", "lists"):
        spark.catalog.dropTempView(view)
    spark.sql("drop temporary function twice")


@pytest.mark.compat
@pytest.mark.parametrize(
    "name", thinned(QUERIES, "queries traced from a recipe in a fresh process", among=SAMPLE)
)
def test_traced_as_in_the_live_program(name: str, answers: Answers) -> None:
    live, again, _ = answers[name]
    assert again == live
    assert live["matched"] > 0
    assert live["records"]
    expected = rdd_sources.PLACES.get(name)
    if expected is not None:
        assert live["exact"]
        assert (
            sorted((file and Path(file).name, *place) for _, file, *place, _ in live["records"]) == expected
        )


@pytest.mark.compat
@pytest.mark.parametrize("name", thinned(INDEXED, "queries traced from an index", among=SAMPLE))
def test_traced_the_same_from_an_index(name: str, answers: Answers) -> None:
    live, _, index = answers[name]
    unindexed = QUERIES[name].unindexed
    if unindexed is not None:
        assert re.search(unindexed, index["refused"])
        return
    assert "refused" not in index, index
    unread = {
        note.partition(": ")[0] for note in index["notes"] if "the values of its records aren't shown" in note
    }
    told = [[*record[:4], "None" if record[0] in unread else record[4]] for record in live["records"]]
    notes = [note for note in index["notes"] if note.partition(": ")[0] not in unread]
    assert index | {"notes": notes} == live | {"records": sorted(told, key=repr)}

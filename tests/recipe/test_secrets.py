"""Secrets and redacted values are nowhere in the store, whatever form they would have taken there."""

import contextlib
from pathlib import Path

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.output import Output
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store
from tests.recipe.finding_secrets import places_of

SSNS = ["123-45-6789", "987-65-4321", "555-12-3456"]
NUMBERS = [9_123_456_781, 9_123_456_782, 9_123_456_783]


def people(spark: SparkSession) -> DataFrame:
    rows = [Row(name=f"n{i}", ssn=SSNS[i % 3], number=NUMBERS[i % 3]) for i in range(9)]
    return spark.createDataFrame(rows)


# -- secrets ----------------------------------------------------------------------------------------


def test_sql_text_is_not_kept(spark: SparkSession, tmp_path: Path) -> None:
    store = tmp_path / "store"
    texts = [
        "select id + 1 as more, cast(id as string) s /* password: hunter2 */ from range(9) where id / 2 > 1",
        "select id from range(9) where id in (select id * 2 from range(9)) -- password: hunter2",
    ]
    # Apart, since a recorded call site is the very line of the program.
    condition = "cast(more as int) > 2 /* password: hunter2 */"
    key = "id % 2 /* password: hunter2 */"
    with bigdebug.attach(spark, store=str(store)) as session:
        spark.sql(texts[0]).filter(condition).collect()
        spark.sql(texts[1]).groupBy(F.expr(key).alias("k")).count().collect()
    assert [output.recipe for output in session.outputs] == ["stored", "stored"]
    assert places_of("hunter2", store) == []
    run = Store(str(store)).find("last")
    trace = open_output(run, run.output("1"), spark=spark).trace("more = 5")
    assert [record.value for record in trace.collect()] == [{"id": 4}]


def test_secret_options_are_not_kept(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x;y\n1;2\n")
    address = "jdbc:x://me:ad-hunter2@host/db"
    secrets = {
        "address": address,
        "password": "pw-hunter2",
        "fs.s3a.secret.key": "sk-hunter2",
        "sasToken": "st-hunter2",
    }
    with bigdebug.attach(spark, store=str(tmp_path / "store")) as session:
        reader = spark.read.options(header=True, sep=";", **secrets)
        reader.csv(str(tmp_path / "a.csv")).filter("x = 1").collect()
        spark.read.option("password", "pw-hunter2").option("sep", ";").csv(str(tmp_path / "a.csv")).collect()
    assert [output.recipe for output in session.outputs] == ["stored", "stored"]
    assert places_of("hunter2", tmp_path / "store") == []
    run = Store(str(tmp_path / "store")).find("last")
    (record,) = open_output(run, run.output("1"), spark=spark).trace("x = 1").collect()
    assert record.value == {"x": "1", "y": "2"}


# -- redacted columns -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def redacted_run(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Output]]:
    """A run that does all sorts of things with redacted columns; its store, and its outputs by name."""
    folder = tmp_path_factory.mktemp("redacted")
    store = folder / "store"
    people(spark).write.partitionBy("ssn").parquet(str(folder / "by_ssn"))
    people(spark).coalesce(1).write.json(str(folder / "people"))
    names: list[str] = []
    with bigdebug.attach(spark, store=str(store), redact=["ssn", "Number"]) as session:

        def act(name: str, frame: DataFrame) -> None:
            names.append(name)
            with contextlib.suppress(PySparkException):
                frame.collect()

        df = people(spark)
        files = spark.read.schema("name string, ssn string, number long").json(str(folder / "people"))
        secret = SSNS[0]
        act("grouped", df.groupBy("ssn").agg(F.count("*").alias("n")))
        act("joined", df.join(files, "ssn").select("ssn"))
        act("renamed", df.select(F.col("ssn").alias("key"), "name").filter(F.length("name") > 1))
        act(
            "named later", spark.createDataFrame([(s,) for s in SSNS]).toDF("x").withColumnRenamed("x", "ssn")
        )
        act(
            "nested",
            spark.createDataFrame(
                [(1, Row(ssn=s, age=3)) for s in SSNS], "a int, p struct<ssn:string,age:int>"
            ),
        )
        act("filtered", df.filter(F.col("ssn") == secret))
        act("filtered by number", files.filter(F.col("number") == NUMBERS[0]))
        act(
            "filtered after renaming",
            files.withColumnRenamed("ssn", "x")
            .select(F.upper("x").alias("y"))
            .filter(F.col("y").isin(*SSNS)),
        )
        act("sql", spark.sql("select * from {f} where ssn like :s", args={"s": secret}, f=files))
        act("filled in", files.na.fill({"ssn": SSNS[1]}))
        act("literal", spark.range(2).select(F.lit(secret).alias("ssn")))
        act(
            "copied",
            df.join(spark.createDataFrame([(s, 1) for s in SSNS], "note string, one int"), F.lit(True)),
        )
        act("in a function", df.select(F.udf(lambda name: name == secret)("name").alias("bad")))
        act("failing cast", df.select(F.col("ssn").cast("int")))
        act("by folder", spark.read.parquet(str(folder / "by_ssn")).groupBy("ssn").count())
        session.outputs[-1]
    return store, dict(zip(names, session.outputs, strict=True))


def test_redacted_values_are_nowhere(redacted_run: tuple[Path, dict[str, Output]]) -> None:
    store, _ = redacted_run
    for value in (*SSNS, *map(str, NUMBERS), *(n.to_bytes(8, "big").decode("latin-1") for n in NUMBERS)):
        assert places_of(value, store) == []


@pytest.mark.parametrize("name", ["grouped", "joined", "renamed", "named later", "nested", "failing cast"])
def test_recipes_that_name_no_value_are_kept(name: str, redacted_run: tuple[Path, dict[str, Output]]) -> None:
    _, outputs = redacted_run
    assert (outputs[name].recipe, outputs[name].recipe_problem) == ("stored", None)


@pytest.mark.parametrize(
    "name",
    [
        "filtered",
        "filtered by number",
        "filtered after renaming",
        "sql",
        "filled in",
        "literal",
        "copied",
        "in a function",
        "by folder",
    ],
)
def test_recipes_that_name_a_value_are_not_kept(
    name: str, redacted_run: tuple[Path, dict[str, Output]]
) -> None:
    _, outputs = redacted_run
    assert outputs[name].recipe == "unavailable"
    assert "redacted" in (outputs[name].recipe_problem or "")


def test_redacted_rows_are_traced_by_their_hashes(
    spark: SparkSession, redacted_run: tuple[Path, dict[str, Output]]
) -> None:
    store, outputs = redacted_run
    run = Store(str(store)).find("last")
    trace = open_output(run, outputs["grouped"], spark=spark).trace("n = 3")
    assert trace.matched == 3
    records = trace.collect()
    assert len(records) == 9
    assert len({record.value["ssn"] for record in records}) == 3
    assert all(len(record.value["ssn"]) == 64 and record.value["number"] >= 0 for record in records)
    assert not trace.exact
    assert any("ssn" in note and "hashed" in note for note in trace.notes)

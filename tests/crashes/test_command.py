"""`bigdebug crashes` on a recorded run: the table and the JSON."""

import json
from pathlib import Path

import jsonschema
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.cli.main import main
from bigdebug.cli.schemas import schema


@pytest.fixture(scope="module")
def store(spark: SparkSession, people: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a run of which an output failed."""
    store = tmp_path_factory.mktemp("recorded") / "store"
    with bigdebug.attach(spark, store=str(store)):
        ages = spark.read.csv(people, header=True).select(F.col("age").cast("int"))
        with pytest.raises(PySparkException):
            ages.collect()
    return store


def asked(store: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    assert main(["crashes", "last", "--store", str(store), *more]) == 0
    return capsys.readouterr().out


def test_the_table(
    store: Path, people: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    head, _, _, *rows = asked(store, capsys).splitlines()
    assert head.startswith("2 records crashed select test_command.py:")
    rows = [row for row in rows if not row.startswith(" ")]  # a long error goes on below
    assert [row.split()[:2] for row in rows] == [[people, "3"], [people, "10"]]
    assert "CAST_INVALID_INPUT: The value '30yr'" in rows[0]


def test_the_json(store: Path, people: str, capsys: pytest.CaptureFixture[str]) -> None:
    answer = json.loads(asked(store, capsys, "--json"))
    jsonschema.validate(answer, schema("crashes"))
    (crash,) = answer["crashes"]
    assert (crash["output"], crash["operator"], crash["policy"], crash["count"]) == (1, "select", "raise", 2)
    first = crash["records"][0]
    assert (first["file"], first["position"], first["value"]) == (people, 3, {"id": "3", "age": "30yr"})
    assert (first["before"], first["after"]) == ("{'id': '2', 'age': '22'}", "{'id': '4', 'age': '24'}")


def test_values_to_be_redacted_arent_stored(
    spark: SparkSession, people: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        bigdebug.attach(spark, store=str(tmp_path / "store"), redact=["age"]),
        pytest.raises(PySparkException),
    ):
        spark.read.csv(people, header=True).select(F.col("age").cast("int")).collect()
    answer = json.loads(asked(tmp_path / "store", capsys, "--json"))
    jsonschema.validate(answer, schema("crashes"))
    assert answer["crashes"][0]["error"] == "CAST_INVALID_INPUT"
    assert not any(
        "30yr" in path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()
    )

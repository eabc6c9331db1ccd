"""`bigdebug skew` on a recorded run: the tables, what a change would come to, and the JSON."""

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.cli.main import main
from bigdebug.cli.schemas import schema
from bigdebug.lineage import postmortem


@pytest.fixture(scope="module")
def store(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a run of one output over two files."""
    folder = tmp_path_factory.mktemp("recorded")
    lines = [f"c{n % 80},{n}" for n in range(160)] + [f",{n}" for n in range(300)]
    (folder / "orders.csv").write_text("\n".join(["customer,amount", *lines]) + "\n")
    names = [f"c{n},name {n}" for n in range(80)]
    (folder / "customers.csv").write_text("\n".join(["customer,name", *names]) + "\n")
    with bigdebug.attach(spark, store=str(folder / "store")):
        reader = spark.read.options(header=True, inferSchema=True)
        orders = reader.csv(str(folder / "orders.csv"))
        customers = reader.csv(str(folder / "customers.csv"))
        named = orders.join(customers.hint("shuffle_merge"), "customer", "left")
        named.groupBy("customer").agg(F.collect_list("amount").alias("amounts")).collect()
    return folder / "store"


@pytest.fixture(autouse=True)
def in_the_same_spark(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command asks in the session of the tests: a second one in a process would stop that at its end."""
    monkeypatch.setattr(postmortem, "open_output", functools.partial(postmortem.open_output, spark=spark))
    monkeypatch.setenv("COLUMNS", "120")


def asked(store: Path, capsys: pytest.CaptureFixture[str], *more: str) -> Any:
    code = main(["skew", "last", "1", "--store", str(store), *more])
    printed = capsys.readouterr()
    return int(code), printed.out, printed.err


def test_tables_advice_and_what_a_change_comes_to(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = asked(store, capsys, "--what-if", "salt=4", "--trace")
    assert code == 0
    lines = [line.strip() for line in out.splitlines()]
    assert lines[0].startswith("2 of 2 shuffles of output 1 (collect, test_skew.py:")
    assert any(line.startswith("1. Aggregate by customer at test_skew.py:") for line in lines)
    assert any(line.startswith("2. LeftOuter Join by customer at test_skew.py:") for line in lines)
    assert [line.split()[:3] for line in lines if line.startswith("null")] == [
        ["null", "300", "65.2%"],
        ["null", "300", "55.6%"],
    ]
    assert "    F.broadcast(customers)  # in place of customers in the join" in out
    assert (
        "300 records of the left side have no key: they meet nothing, and yet all go to one partition" in out
    )
    assert "→ take records of orders without a key past the join" in out
    assert "100% of customer is null come from" in out
    assert "what if salt=4" in lines
    assert not [line for line in err.splitlines() if "what-if" in line]


@pytest.mark.compat
def test_json(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = asked(store, capsys, "--json", "--what-if", "partitions=16")
    content = json.loads(out)
    jsonschema.validate(content, schema("skew"))
    assert (code, content["skewed"], err) == (0, 2, "")
    joined = next(each for each in content["findings"] if each["operator"] == "Join")
    assert joined["strategy"] == "SortMergeJoin"
    assert joined["largest"][0]["key"] == {"customer": None}
    assert joined["largest"][0]["records"] == 300
    assert {each["partitions"] for each in content["what_if"]["findings"]} == {16}


def test_what_is_refused(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = asked(store, capsys, "--what-if", "pepper=3")
    assert (code, out) == (2, "")
    assert "'pepper=3' is nothing that can be tried" in err

"""Databases asked again from a recipe: passwords are never kept, and what changed there is told."""

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

import bigdebug
from bigdebug.cli.main import main
from bigdebug.lineage.errors import ExitCode, SourceChangedError, UnreachableError
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.recipe.databases import address_without_secrets
from bigdebug.lineage.store import Store, StoredRun
from tests.derby import READS, Database, by_customer, ids, orders
from tests.recipe.finding_secrets import places_of
from tests.thinned import thinned

SECRET = "tops3cret"


@pytest.fixture
def shop(spark: SparkSession, request: pytest.FixtureRequest) -> Database:
    return Database(spark, f"kept{abs(hash(request.node.name))}")


@pytest.fixture
def guarded(shop: Database) -> Database:
    """The database behind a password."""
    shop.require_password("clerk", SECRET)
    return shop


def recorded(
    spark: SparkSession, database: Database, store: Path, options: dict[str, Any], **attached: Any
) -> StoredRun:
    with bigdebug.attach(spark, store=str(store), **attached):
        by_customer(orders(spark, database, **options)).collect()
    return Store(str(store)).find("last")


GIVEN = {
    "options": {"user": "clerk", "password": SECRET},
    "address": {"url": f";user=clerk;password={SECRET}"},
    "parts": {"user": "clerk", "password": SECRET, **READS["in parts"]},
}


@pytest.mark.compat
@pytest.mark.parametrize("way", thinned(GIVEN, "passwords given in each way"))
def test_passwords_come_from_the_environment(
    way: str, spark: SparkSession, guarded: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {key: guarded.url + value if key == "url" else value for key, value in GIVEN[way].items()}
    run = recorded(spark, guarded, tmp_path, options)
    assert run.output("1").recipe == "stored"
    assert places_of(SECRET, tmp_path) == []
    monkeypatch.setenv("BIGDEBUG_JDBC_PASSWORD", "another's")
    monkeypatch.setenv("BIGDEBUG_JDBC_PASSWORD_ORDERS", SECRET)
    trace = open_output(run, run.output("1"), spark=spark).trace("customer = 'c1'")
    assert ids(trace) == [4, 7, 10]
    assert "computed again, the program gives the same rows as the run did" in trace.notes


def test_a_missing_password_is_asked_for(
    spark: SparkSession, guarded: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = recorded(spark, guarded, tmp_path, GIVEN["options"])
    for name in ("BIGDEBUG_JDBC_PASSWORD", "BIGDEBUG_JDBC_PASSWORD_ORDERS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UnreachableError, match="orders can't be read from jdbc:derby") as raised:
        open_output(run, run.output("1"), spark=spark).trace("customer = 'c1'")
    assert "set BIGDEBUG_JDBC_PASSWORD in the environment" in str(raised.value)
    assert raised.value.exit_code == ExitCode.UNREACHABLE


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("alter table orders drop column total", "column TOTAL is gone"),
        ("alter table orders add column extra int", "column EXTRA is new"),
        ("alter table orders alter column customer set data type varchar(20)", None),
    ],
)
def test_a_table_with_other_columns_is_refused(
    statement: str, told: str | None, spark: SparkSession, shop: Database, tmp_path: Path
) -> None:
    run = recorded(spark, shop, tmp_path, {})
    shop.run(statement)
    replay = open_output(run, run.output("1"), spark=spark)
    if told is None:
        assert ids(replay.trace("customer = 'c1'")) == [4, 7, 10]
    else:
        with pytest.raises(SourceChangedError, match=f"orders isn't what it was .*: {told}"):
            replay.trace("customer = 'c1'")


def test_other_rows_are_told(spark: SparkSession, shop: Database, tmp_path: Path) -> None:
    run = recorded(spark, shop, tmp_path, {})
    shop.run("update orders set total = 100 where id = 7")
    trace = open_output(run, run.output("1"), spark=spark).trace("customer = 'c1'")
    assert ids(trace) == [4, 7, 10]
    assert not trace.exact
    assert "computed again, the program gives other rows than the run did" in trace.notes


def test_a_table_that_is_gone(spark: SparkSession, shop: Database, tmp_path: Path) -> None:
    run = recorded(spark, shop, tmp_path, {})
    shop.run("drop table orders")
    with pytest.raises(UnreachableError, match="orders can't be read from"):
        open_output(run, run.output("1"), spark=spark).trace()


def test_a_query_that_speaks_of_a_redacted_column_is_not_kept(
    spark: SparkSession, shop: Database, tmp_path: Path
) -> None:
    options = {"dbtable": "(select * from orders where customer = 'c1') q"}
    run = recorded(spark, shop, tmp_path, options, redact=["customer"])
    assert run.output("1").recipe == "unavailable"
    assert "speaks of a redacted column" in str(run.output("1").recipe_problem)


def test_an_index_outlives_the_table(
    spark: SparkSession, shop: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with bigdebug.attach(spark, store=str(tmp_path)) as session:
        by_customer(orders(spark, shop)).collect()
        session.index(session.outputs[-1])
    shop.run("drop table orders")
    run = Store(str(tmp_path)).find("last")
    assert main(["trace", run.run_id, "1", "--where", "sum > 20", "--store", str(tmp_path)]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert [line.split() for line in shown.out.splitlines() if line.startswith("11")] == [
        ["11", "c2", "11.0"]
    ]


@pytest.mark.parametrize(
    ("url", "kept", "gone"),
    [
        ("jdbc:postgresql://db/shop", "jdbc:postgresql://db/shop", []),
        ("jdbc:postgresql://me:pw@db/shop", "jdbc:postgresql://db/shop", ["user", "password"]),
        (
            "jdbc:postgresql://db/shop?user=me&password=pw&ssl=true",
            "jdbc:postgresql://db/shop?user=me&ssl=true",
            ["password"],
        ),
        ("jdbc:mysql://db/shop?password=pw", "jdbc:mysql://db/shop", ["password"]),
        ("jdbc:mysql://db/shop?password=pw&useSSL=false", "jdbc:mysql://db/shop?useSSL=false", ["password"]),
        (
            "jdbc:mysql://address=(host=db)(user=me)(password=pw)/shop",
            "jdbc:mysql://address=(host=db)(user=me)()/shop",
            ["password"],
        ),
        (
            "jdbc:sqlserver://db:1433;databaseName=shop;user=sa;password=pw;encrypt=true",
            "jdbc:sqlserver://db:1433;databaseName=shop;user=sa;encrypt=true",
            ["password"],
        ),
        (
            "jdbc:oracle:thin:scott/tiger@//db:1521/shop",
            "jdbc:oracle:thin:@//db:1521/shop",
            ["user", "password"],
        ),
        ("jdbc:oracle:thin:@//db:1521/shop", "jdbc:oracle:thin:@//db:1521/shop", []),
        ("jdbc:sqlite:/data/shop.db", "jdbc:sqlite:/data/shop.db", []),
        (
            "jdbc:derby:memory:shop;create=true;password=pw",
            "jdbc:derby:memory:shop;create=true",
            ["password"],
        ),
    ],
)
def test_addresses_without_secrets(url: str, kept: str, gone: list[str]) -> None:
    assert address_without_secrets(url) == (kept, gone)

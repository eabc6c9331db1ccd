"""What recording and asking may cost, in calls into the JVM and in bytes, which a busy machine doesn't change."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from py4j.java_gateway import GatewayClient
from py4j.protocol import MEMORY_COMMAND_NAME
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import UnknownNameError
from bigdebug.lineage.operators import mirror, normalized
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store

# -- calls ------------------------------------------------------------------------------------------


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Counts the calls into the JVM that are made within, but for those that give up what Python has let go of."""
    calls = [0]
    send = GatewayClient.send_command

    def counting(client: GatewayClient, command: str, *args: object, **kwargs: object) -> object:
        calls[0] += not command.startswith(MEMORY_COMMAND_NAME)
        return send(client, command, *args, **kwargs)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr("py4j.java_gateway.GatewayClient.send_command", counting)
        patch.setattr("py4j.clientserver.JavaClient.send_command", counting, raising=False)
        yield calls


def operators(frame: DataFrame, number: int) -> DataFrame:
    for n in range(number):
        frame = frame.select((F.col("id") + n % 2).alias("id"))
    return frame


def test_an_operator_costs_a_few_calls_to_record(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = spark.range(3)
    with counted(monkeypatch) as plain:
        operators(base, 50)
    with bigdebug.attach(spark, store=str(tmp_path)), counted(monkeypatch) as recorded:
        operators(base, 50)
    assert plain[0] > 50
    assert recorded[0] - plain[0] <= 8 * 50


@pytest.mark.proof("what a plan of many operators costs")
def test_a_plan_costs_calls_by_its_operators_and_not_by_their_square(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    with bigdebug.attach(spark, store=str(tmp_path)) as session:
        for number in (50, 100):
            frame = operators(spark.range(3), number)
            catalyst = Catalyst(spark)
            session._recorder.settle(60)  # the parents are looked for on a thread of its own
            with counted(monkeypatch) as walking:
                mirror(catalyst, normalized(catalyst, catalyst.analyzed(frame)), lambda _: None)
            with counted(monkeypatch) as asking:
                assert session.trace(frame, "id = 25 or id = 50").matched == 1
            with counted(monkeypatch) as storing:
                frame.collect()
                session._recorder.drain()
            found.append((walking[0], asking[0], storing[0]))
    for less, more in zip(*found, strict=True):
        assert more <= 3 * less, found  # their square is four times as much
    walking_calls, asking_calls, storing_calls = found[1]
    # As they were measured, and a third more: 14,000 are a second of Spark's time.
    assert walking_calls <= 20 * 100
    assert asking_calls <= 80 * 100
    assert storing_calls <= 60 * 100


# -- bytes ------------------------------------------------------------------------------------------


def test_data_in_memory_is_kept_once_beside_the_plan(spark: SparkSession, tmp_path: Path) -> None:
    rows = [(n, f"name {n}", n / 3) for n in range(10_000)]
    with bigdebug.attach(spark, store=str(tmp_path)) as session:
        frame = spark.createDataFrame(rows, "n int, name string, x double")
        frame.where("n % 1000 = 7").collect()
        session._recorder.drain()
        (output,) = session.outputs
        run = Store(str(tmp_path)).find(session.run_id)
        (recipe,) = tmp_path.glob("*/recipes/*.zip")
        assert recipe.stat().st_size < 573_000, "Java's own serialization of the plan took that"
        found = open_output(run, output, spark=spark).trace("n = 2007").collect()
    assert [(record.location.partition, record.value["name"]) for record in found] == [(0, "name 2007")]


def test_a_plan_of_many_operators_is_a_small_recipe(spark: SparkSession, tmp_path: Path) -> None:
    with bigdebug.attach(spark, store=str(tmp_path)) as session:
        operators(spark.range(3), 300).collect()
        session._recorder.drain()
        (recipe,) = tmp_path.glob("*/recipes/*.zip")
    assert recipe.stat().st_size < 60_000


# -- names and messages -----------------------------------------------------------------------------


def test_attributes_of_two_jvms_with_one_number_differ(spark: SparkSession) -> None:
    catalyst = Catalyst(spark)
    made = catalyst.expressions.ExprId
    number = catalyst.new_expr_id().id()
    uuids = catalyst.jvm.java.util.UUID
    ids = [made(number, uuids.randomUUID()) for _ in range(2)]
    columns = [catalyst.alias(catalyst.text("a"), "a", each).toAttribute() for each in ids]
    assert columns[0].exprId().id() == columns[1].exprId().id()
    assert not columns[0].exprId().equals(columns[1].exprId())
    assert len({catalyst.attribute_key(column) for column in columns}) == 2


WRONG: dict[str, Callable[[], object]] = {
    "SQL": lambda: "nothing > 1",
    "a Column": lambda: F.col("nothing") > 1,
}


@pytest.mark.parametrize("where", WRONG)
def test_spark_logs_nothing_of_our_own_failed_attempts(
    where: str, session: bigdebug.Session, spark: SparkSession, capfd: pytest.CaptureFixture[str]
) -> None:
    frame = spark.range(3)
    with pytest.raises(UnknownNameError):
        session.trace(frame, WRONG[where]())  # type: ignore[arg-type]
    assert "nothing" not in capfd.readouterr().err
    # What the program itself gets wrong is logged as ever.
    names = ("DataFrameQueryContextLogger", "SQLQueryContextLogger")
    assert not any(logging.getLogger(name).disabled or logging.getLogger(name).filters for name in names)

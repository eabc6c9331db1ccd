"""Simulated breakpoints in DataFrame programs."""

from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.errors import BigDebugError, UnknownNameError


@pytest.fixture
def orders(spark: SparkSession, session: bigdebug.Session, tmp_path: Path) -> DataFrame:
    path = tmp_path / "orders.csv"
    path.write_text("id,shop,price\n" + "".join(f"{i},s{i % 3},{i - 5}\n" for i in range(30)))
    return spark.read.csv(str(path), header=True, schema="id int, shop string, price int")


def test_it_answers_from_the_recorded_dataflow(session: bigdebug.Session, orders: DataFrame) -> None:
    doubled = orders.withColumn("twice", F.col("price") * 2)
    total = doubled.groupBy("shop").agg(F.sum("twice").alias("total")).collect()
    bp = session.breakpoint(doubled, when="price < 0")
    assert sorted(row.id for row in bp.records()) == [0, 1, 2, 3, 4]
    assert len(bp.records(limit=2)) == 2
    assert bp.count() == 5
    trace = bp.trace()
    assert trace.matched == 5
    assert sorted(record.location.position for record in trace.collect()) == [0, 1, 2, 3, 4]
    assert bp.operator == "withColumn"
    assert len(total) == 3
    assert len(session.outputs) == 1  # looking is no output of the program's


def test_what_was_asked_is_kept(session: bigdebug.Session, orders: DataFrame, tmp_path: Path) -> None:
    bp = session.breakpoint(orders.filter("price >= 0"))
    assert (len(bp.records(3)), bp.count()) == (3, 25)
    (tmp_path / "orders.csv").unlink()
    assert (len(bp.records(3)), bp.count()) == (3, 25)


def test_the_next_one_stands_downstream(session: bigdebug.Session, orders: DataFrame) -> None:
    kept = orders.filter("price > 0")
    summed = kept.select("shop", "price").groupBy("shop").sum("price")
    summed.collect()
    bp = session.breakpoint(kept)
    selected = bp.next()  # whose frame the program doesn't hold
    assert selected.operator == "select"
    assert selected.count() == 24
    assert selected.records(1)[0].asDict().keys() == {"shop", "price"}
    assert selected.next().count() == 3
    with pytest.raises(BigDebugError, match="nothing at hand reads"):
        selected.next().next()


def test_it_can_stand_at_a_line_that_is_not_reached_yet(session: bigdebug.Session, orders: DataFrame) -> None:
    line = test_it_can_stand_at_a_line_that_is_not_reached_yet.__code__.co_firstlineno + 6
    bp = session.breakpoint(f"test_frame_points.py:{line}")
    assert not bp.reached
    with pytest.raises(UnknownNameError, match="no operator"):
        bp.count()
    orders.filter("price > 20").count()
    assert bp.reached
    assert bp.count() == 4
    with pytest.raises(UnknownNameError, match="no call site"):
        session.breakpoint("here")


def test_a_condition_that_cannot_be_asked_is_refused_at_once(
    session: bigdebug.Session, orders: DataFrame
) -> None:
    with pytest.raises(UnknownNameError, match="prize"):
        session.breakpoint(orders, when="prize < 0").count()
    with pytest.raises(BigDebugError, match="don't pass"):
        session.breakpoint(42)  # type: ignore[arg-type]


def test_resuming_computes_downstream_anew(session: bigdebug.Session, orders: DataFrame) -> None:
    before = len(session.outputs)
    fixed = orders.select("id", "shop", F.col("price").alias("price"))
    joined = fixed.join(orders.select("id", F.col("price").alias("was")), "id")
    joined.groupBy("shop").agg(F.sum("price").alias("total"), F.sum("was").alias("was")).orderBy(
        "shop"
    ).collect()
    joined.orderBy("id").select("id", "price").show(3)
    bp = session.breakpoint(fixed)
    first, second = bp.resume(lambda rows: rows.select("id", "shop", F.abs("price").alias("price")))
    assert first.output.number == session.outputs[before].number  # whose recipe may just be stored
    was = {f"s{k}": sum(i - 5 for i in range(30) if i % 3 == k) for k in range(3)}
    now = {f"s{k}": sum(abs(i - 5) for i in range(30) if i % 3 == k) for k in range(3)}
    assert {row.shop: row.was for row in first.data.collect()} == was
    assert {row.shop: row.total for row in first.data.collect()} == now
    assert [tuple(row) for row in second.data.collect()] == [(0, 5), (1, 4), (2, 3)]
    assert [len(each.data.collect()) for each in bp.resume()] == [3, 3]


def test_what_a_patch_makes_null_is_null_downstream(session: bigdebug.Session, spark: SparkSession) -> None:
    numbers = spark.range(6).select(F.col("id").alias("n"))
    numbers.select(F.col("n").isNull().alias("gone")).collect()
    (found,) = session.breakpoint(numbers).resume(
        lambda rows: rows.select(F.expr("nullif(id, 3)").alias("n"))
    )
    assert sum(row.gone for row in found.data.collect()) == 1


def test_a_patch_of_another_schema_is_refused(session: bigdebug.Session, orders: DataFrame) -> None:
    kept = orders.filter("price > 0")
    kept.count()
    bp = session.breakpoint(kept)
    with pytest.raises(BigDebugError, match="column 3 is price string, not price int"):
        bp.resume(lambda rows: rows.withColumn("price", F.col("price").cast("string")))
    with pytest.raises(BigDebugError, match="it has 2 columns, not 3"):
        bp.resume(lambda rows: rows.drop("price"))
    with pytest.raises(BigDebugError, match="not a DataFrame"):
        bp.resume(lambda rows: 42)


def test_every_operator_can_be_patched(session: bigdebug.Session, orders: DataFrame) -> None:
    """Those whose columns are their input's, and those with columns of their own."""
    steps = {
        "filter": (orders.filter("price > 0"), lambda rows: rows.filter("price > 10")),
        "group": (
            orders.groupBy("shop").agg(F.sum("price").alias("price")),
            lambda rows: rows.groupBy("shop").agg(F.max("price").cast("long").alias("price")),
        ),
        "union": (orders.union(orders.limit(2)), lambda left, right: left),
        "join": (orders.join(orders.limit(4).select("id"), "id"), lambda left, right: left),
    }
    for frame, patch in steps.values():
        frame.agg(F.sum("price").alias("total")).collect()
        (found,) = session.breakpoint(frame).resume(patch)
        patched = patch(*([orders] * patch.__code__.co_argcount))
        assert found.data.collect() == patched.agg(F.sum("price").alias("total")).collect()


@pytest.mark.parametrize("kind", ["row", "frames"])
def test_a_function_is_debugged_on_one_record(
    session: bigdebug.Session, orders: DataFrame, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    def costs(price: int) -> int:
        seen = price + 1
        return seen * 10

    def frames(parts):  # type: ignore[no-untyped-def]
        for part in parts:
            part["cost"] = (part["price"] + 1) * 10
            yield part[["cost"]]

    if kind == "frames":
        made = orders.mapInPandas(frames, "cost long")
    else:
        made = orders.select(F.udf(costs, "int")(F.col("price") + 100).alias("cost"))
    bp = session.breakpoint(made)
    record = bp.inputs()[7]
    assert record.price == 2
    said = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO("n\nn\np 'seen', price\nc\n"))
    monkeypatch.setattr("sys.stdout", said)
    found = bp.debug(record)
    assert "(Pdb)" in said.getvalue()
    if kind == "row":
        assert "('seen', 102)" in said.getvalue()
        assert found == 1030
    else:
        assert list(found[0]["cost"]) == [30]


def test_what_has_no_function_cannot_be_debugged(session: bigdebug.Session, orders: DataFrame) -> None:
    bp = session.breakpoint(orders.filter("price > 0"))
    with pytest.raises(BigDebugError, match="calls no Python function"):
        bp.debug(bp.inputs()[0])

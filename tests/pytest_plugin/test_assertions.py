"""What the fixture `dataflow` asserts, and what a failing assertion says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import PythonException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bigdebug.lineage.errors import BigDebugError
from bigdebug.pytest_plugin import DataflowAssertionError
from bigdebug.pytest_plugin.dataflow import Dataflow
from bigdebug.pytest_plugin.failure import Failure

ORDERS = """\
id,country,region,amount,status
0,DE,EU,4,paid
1,FR,EU,7,paid
2,CH,EU,5,paid
3,US,NA,5,paid
4,US,NA,-50,paid
5,JP,AS,,paid
6,BR,SA,3,open
"""


@pytest.fixture(scope="module")
def orders(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    """Seven records, of which one is negative, one NULL and one open."""
    file = tmp_path_factory.mktemp("shop") / "orders.csv"
    file.write_text(ORDERS)
    return spark.read.csv(str(file), header=True, inferSchema=True)


def revenues(orders: DataFrame) -> DataFrame:
    paid = orders.where("status = 'paid'")
    return paid.groupBy("region").agg(F.sum("amount").alias("revenue"))


def failure_of(asserted: Callable[[], object]) -> Failure:
    with pytest.raises(AssertionError) as caught:
        asserted()
    error = caught.value
    assert isinstance(error, DataflowAssertionError)
    assert str(error) == str(error.failure)
    return error.failure


def test_what_holds_passes_and_is_not_stored(dataflow: Dataflow, orders: DataFrame) -> None:
    report = revenues(orders)
    dataflow.assert_all(report, "region is not null")
    dataflow.assert_all(report, F.col("region").isNotNull())
    dataflow.assert_none(report, "revenue > 100")
    dataflow.assert_none(report.where("region = 'AS'"), "revenue >= 0")  # NULL: neither so nor otherwise
    dataflow.assert_unique(report, "region")
    dataflow.assert_unique(report)
    expected = [("EU", 16), ("NA", -45), ("AS", None)]
    dataflow.assert_equal(report, orders.sparkSession.createDataFrame(expected, report.schema))
    dataflow.assert_comes_from(report, "region = 'NA'", {"orders": "country = 'US'"})
    dataflow.assert_comes_from(report, None, {"orders.csv": F.col("status") == "paid"})
    assert dataflow.session is not None
    assert dataflow.session.run_id.startswith("unkept")


@pytest.mark.compat
def test_rows_that_fail_and_rows_of_null_are_told_with_their_records(
    dataflow: Dataflow, orders: DataFrame
) -> None:
    failure = failure_of(lambda: dataflow.assert_all(revenues(orders), "revenue >= 0"))
    assert failure.headline == "2 of 3 rows fail: revenue >= 0 (for 1 of them it is NULL)"
    found = {each.row["region"]: each for each in failure.blames}
    (negative,) = found["'NA'"].culprits
    assert (Path(negative.file or "").name, negative.position) == ("orders.csv", 4)
    assert negative.value["amount"] == "-50"
    (null,) = found["'AS'"].culprits
    assert null.position == 5
    text = str(failure)
    assert "1 culprit of 2; without it the row passes:" in text
    assert "orders.csv, record 4: id=4, country='US', region='NA', amount=-50, status='paid'" in text
    assert [line.split(" at ")[0] for line in failure.way] == ["Aggregate", "Filter", "orders.csv"]
    assert "test_assertions.py:" in failure.way[0]
    assert failure.run is not None
    assert text.endswith(f"\nopen the run: {failure.command}")
    assert f" {failure.run}" in (failure.command or "")


@pytest.mark.proof("an assertion by a column")
def test_rows_that_must_not_be_are_told_for_a_column_too(dataflow: Dataflow, orders: DataFrame) -> None:
    failure = failure_of(lambda: dataflow.assert_none(revenues(orders), F.col("revenue") < 0))
    assert failure.headline.startswith("1 of 3 rows fulfils: (revenue < ")
    assert [each.position for blame in failure.blames for each in blame.culprits] == [4]
    assert any("amount < 0" in pattern for pattern in failure.patterns)


def test_of_values_that_are_there_twice_the_records_are_told_that_make_them_so(
    dataflow: Dataflow, orders: DataFrame, spark: SparkSession
) -> None:
    names = spark.createDataFrame(
        [("US", "here"), ("DE", "there"), ("US", "twice")], "country string, name string"
    )
    joined = orders.where("amount > 0").join(names, "country")
    failure = failure_of(lambda: dataflow.assert_unique(joined, "id"))
    assert failure.headline == "1 value is there more than once: id"
    (blame,) = failure.blames
    assert blame.row == {"id": "3", "rows": "2"}
    assert not blame.culprits  # either of the two names would do
    assert sorted(each.value["country"] for each in blame.reproduction) == ["'US'"] * 3
    assert not any(line.startswith("Aggregate") for line in failure.way)  # it is of our own making


@pytest.mark.compat
def test_frames_that_differ_are_traced_on_both_sides(dataflow: Dataflow, orders: DataFrame) -> None:
    spark = orders.sparkSession
    wanted = [("EU", 16), ("NA", 5), ("SA", 3), ("AS", None)]
    expected = spark.createDataFrame(wanted, "region string, revenue long")
    failure = failure_of(lambda: dataflow.assert_equal(revenues(orders), expected))
    assert "[DIFFERENT_ROWS]" in failure.detail[0]
    assert "\x1b" not in str(failure)
    differs, missing = failure.blames
    assert (differs.row["revenue"], (differs.expected or {})["revenue"]) == ("-45", "5")
    assert [each.position for each in differs.culprits] == [4]
    assert [each.value["region"] for each in differs.expected_behind] == ["'NA'"]
    assert (missing.row, (missing.expected or {})["region"]) == ({}, "'SA'")
    assert missing.notes[0].startswith("Filter at test_assertions.py:")
    assert "status = 'paid' is false" in missing.notes[1]


def test_expected_rows_may_be_a_list_and_options_are_handed_on(dataflow: Dataflow, orders: DataFrame) -> None:
    report = revenues(orders).orderBy("region")
    dataflow.assert_equal(report, report.collect(), checkRowOrder=True)
    failure = failure_of(lambda: dataflow.assert_equal(report, report.collect()[::-1], checkRowOrder=True))
    assert "the rows are the same" in failure.notes[0]
    failure = failure_of(lambda: dataflow.assert_equal(report, report.drop("revenue")))
    assert failure.notes[0].startswith(
        "the records behind the difference can't be told: the expected frame has"
    )


def test_records_that_rows_must_not_come_from_are_told(dataflow: Dataflow, orders: DataFrame) -> None:
    report = revenues(orders)
    sources = {"orders": "country in ('DE', 'FR')"}
    failure = failure_of(lambda: dataflow.assert_comes_from(report, "region = 'EU'", sources))
    assert failure.headline == (
        "1 of 3 records of orders.csv behind 1 row (region = 'EU') doesn't fulfil: country in ('DE', 'FR')"
    )
    assert [each.position for each in failure.blames[0].culprits] == [2]
    failure = failure_of(lambda: dataflow.assert_comes_from(report, "region = 'XX'", sources))
    assert failure.headline == "nothing to tell the lineage of: no row fulfils region = 'XX'"
    with pytest.raises(BigDebugError, match=r"the sources are: orders\.csv"):
        dataflow.assert_comes_from(report, None, {"customers": "true"})


@pytest.mark.compat
def test_what_crashes_a_function_is_told_with_its_own_error(dataflow: Dataflow, orders: DataFrame) -> None:
    inverse = F.udf(lambda amount: 1 // (amount + 50), "int")
    frame = orders.where("amount is not null").select("id", inverse("amount").alias("inverse"))
    with pytest.raises(PythonException) as caught:
        dataflow.assert_all(frame, "inverse >= 0")
    told = "\n".join(caught.value.__notes__)
    assert "1 record crashed select at test_assertions.py:" in told
    assert "orders.csv, record 4" in told


def test_where_lineage_is_not_understood_the_assertion_still_fails_and_says_so(
    dataflow: Dataflow, spark: SparkSession
) -> None:
    windowed = (
        spark.range(5).sample(fraction=0.99, seed=1).crossJoin(spark.range(1).withColumnRenamed("id", "one"))
    )
    other = windowed.selectExpr("cast(id as int) as id", "uuid() as u")
    failure = failure_of(lambda: dataflow.assert_all(other, "id < 3 and u is not null"))
    assert failure.headline.endswith("rows fail: id < 3 and u is not null")
    assert failure.blames or failure.notes


def test_a_budget_of_nothing_shows_the_rows_alone(dataflow: Dataflow, orders: DataFrame) -> None:
    hasty = Dataflow(dataflow._recording, 0)
    failure = failure_of(lambda: hasty.assert_all(revenues(orders), "revenue > 0"))
    assert (failure.blames, len(failure.detail)) == ([], 2)
    assert failure.notes == ["culprits weren't looked for: the budget is 0"]


def test_what_is_no_frame_is_refused(dataflow: Dataflow, spark: SparkSession) -> None:
    numbers: Any = spark.sparkContext.parallelize([1])
    for asserted in (
        dataflow.assert_all,
        dataflow.assert_none,
        dataflow.assert_equal,
        dataflow.assert_unique,
    ):
        with pytest.raises(BigDebugError, match="about DataFrames, not about RDD"):
            asserted(numbers, "n > 0")


def test_what_is_off_asserts_and_no_more(orders: DataFrame) -> None:
    plain = Dataflow(None, 0)
    plain.assert_all(revenues(orders), "region is not null")
    failure = failure_of(lambda: plain.assert_none(revenues(orders), "revenue < 0"))
    assert failure.detail == ["  region='NA', revenue=-45"]
    assert (failure.run, failure.blames) == (None, [])
    with pytest.raises(pytest.skip.Exception):
        plain.assert_comes_from(revenues(orders), None, {})


@pytest.mark.proof("assertions about frames of two sessions")
def test_of_two_sessions_each_is_asked_about_its_own_frames(dataflow: Dataflow, spark: SparkSession) -> None:
    other = spark.newSession()
    theirs = other.createDataFrame([(1, 5), (2, -5)], "id int, amount int").where("id > 0")
    ours = spark.createDataFrame([(3, -7)], "id int, amount int")
    for frame, position, partition in ((theirs, 0, 1), (ours, 0, 1)):
        failure = failure_of(lambda frame=frame: dataflow.assert_all(frame, "amount >= 0"))
        (place,) = failure.blames[0].culprits
        assert (place.position, place.partition) == (position, partition)

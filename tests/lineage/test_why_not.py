"""Why a row is missing: each kind of operator as the culprit, what it dropped and why."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.errors import BigDebugError, UnknownNameError
from tests.lineage.origins import Frames
from tests.thinned import thinned


class Case(NamedTuple):
    """Calls, a condition that no row of theirs fulfils, the culprit, and what it says of a row it dropped."""

    make: Callable[[Frames], DataFrame]
    where: str
    culprit: tuple[str, int, int]
    reasons: list[str]
    compat: bool = False


def totals(frames: Frames) -> DataFrame:
    return frames["orders"].groupBy("k").agg(F.sum("v").alias("total"))


CASES = {
    "filter": Case(
        lambda t: t["orders"].filter("v > 6 and k = 'a'").select("n", (F.col("v") * 2).alias("w")),
        "n = 3 and w = 10",
        ("Filter", 1, 0),
        ["v > 6 is false", "k = 'a' is false"],
        compat=True,
    ),
    "filter of a null": Case(
        lambda t: t["orders"].filter("v > 6"), "n = 5", ("Filter", 1, 0), ["v > 6 is null"]
    ),
    "filter by a subquery": Case(
        lambda t: t["orders"].filter("k in (select k from customers where n = 1) and n > 0"),
        "n = 3",
        ("Filter", 1, 0),
        ["k IN (SELECT …) doesn't hold"],
        compat=True,
    ),
    "filter by a Python function": Case(
        lambda t: t["orders"].filter(F.udf(lambda v: v > 1000, "boolean")("n")),
        "n = 3",
        ("Filter", 1, 0),
        ["<lambda>(n) doesn't hold"],
    ),
    "having": Case(
        lambda t: totals(t).filter("total > 20"),
        "k = 'b'",
        ("Filter", 1, 0),
        ["total > 20 is false"],
        compat=True,
    ),
    "below a having": Case(
        lambda t: totals({"orders": t["orders"].filter("n < 6")}).filter("total > 0"),
        "k = 'c'",
        ("Filter", 1, 0),
        ["n < 6 is false"],
    ),
    "another aggregate": Case(
        totals, "k = 'a' and total < 0", ("Aggregate", 2, 0), ["total < 0 is false"], compat=True
    ),
    "rollup": Case(
        lambda t: t["orders"].filter("v > 1").rollup("k").count(),
        "k = 'c'",
        ("Filter", 1, 0),
        ["v > 1 is false"],
    ),
    "limit": Case(
        lambda t: t["orders"].orderBy("n").limit(2),
        "n = 5",
        ("GlobalLimit", 1, 0),
        ["it isn't among the first 2 rows"],
        compat=True,
    ),
    "offset": Case(
        lambda t: t["orders"].orderBy("n").offset(2),
        "n = 1",
        ("Offset", 1, 0),
        ["it is among the first 2 rows, which are skipped"],
    ),
    "distinct below": Case(
        lambda t: t["orders"].filter("k <> 'c'").select("k").distinct(),
        "k = 'c'",
        ("Filter", 1, 0),
        ["NOT (k = 'c') is false"],
    ),
    "dropDuplicates": Case(
        lambda t: t["orders"].coalesce(1).sortWithinPartitions("n").dropDuplicates(["k"]),
        "n = 2",
        ("Deduplicate", 1, 0),
        ["another row with the same k was kept"],
        compat=True,
    ),
    "explode of an empty array": Case(
        lambda t: t["baskets"].select("n", F.explode("items").alias("item")),
        "n = 3",
        ("Generate", 1, 0),
        ["explode(items) makes no row of it"],
        compat=True,
    ),
    "explode of another element": Case(
        lambda t: t["baskets"].select("n", F.explode("items").alias("item")),
        "n = 2 and item = 'x'",
        ("Generate", 1, 0),
        ["item = 'x' is false"],
    ),
    "one branch of a union": Case(
        lambda t: t["orders"].select("n").filter("n < 5").union(t["customers"].select("n")),
        "n = 6",
        ("Filter", 1, 0),
        ["n < 5 is false"],
        compat=True,
    ),
    "window": Case(
        lambda t: (
            t["orders"].withColumn("r", F.rank().over(Window.partitionBy("k").orderBy("v"))).filter("r = 1")
        ),
        "n = 2",
        ("Filter", 1, 0),
        ["r = 1 is false"],
    ),
    "set difference": Case(
        lambda t: t["orders"].select("k").subtract(t["customers"].select("k")),
        "k = 'a'",
        ("Join", 2, 0),
        ["a partner with k = 'a' is there"],
    ),
    "what a counting set difference takes away": Case(
        lambda t: t["orders"].select("k").filter("k <> 'b'").exceptAll(t["customers"].select("k")),
        "k = 'b'",
        ("Filter", 2, 0),
        ["NOT (k = 'b') is false"],
    ),
    "counting intersection": Case(
        lambda t: t["orders"].select("k").intersectAll(t["customers"].select("k")),
        "k = 'c'",
        ("IntersectAll", 1, 0),
        ["the other input holds no row like it"],
        compat=True,
    ),
    "a guard against division by zero": Case(
        lambda t: (
            t["orders"].filter("v <> 5").withColumn("share", F.expr("100 / (v - 5)")).filter("share > 90")
        ),
        "share < 90 and n < 4",
        ("Filter", 2, 0),
        ["share > 90 is false"],
    ),
}


@pytest.mark.parametrize(
    "name",
    [
        *(pytest.param(name, marks=pytest.mark.compat) for name in CASES if CASES[name].compat),
        *thinned((name for name in CASES if not CASES[name].compat), "each operator as the culprit"),
    ],
)
def test_the_culprit(name: str, session: bigdebug.Session, frames: Frames) -> None:
    case = CASES[name]
    answer = session.why_not(case.make(frames), case.where)
    culprit = answer.culprit
    assert culprit is not None
    assert (culprit.operator, culprit.rows_in, culprit.rows_out) == case.culprit
    assert culprit.call_site is not None
    assert culprit.call_site.label.startswith("test_why_not.py:")
    assert answer.steps[-1].rows_out == 0
    assert answer.dropped[0].reasons == case.reasons


@pytest.mark.compat
def test_each_step(session: bigdebug.Session, frames: Frames) -> None:
    frame = frames["orders"].filter("v >= 5").groupBy("k").agg(F.sum("v").alias("total")).filter("total > 9")
    answer = session.why_not(frame, "k = 'b'")
    assert [(step.operator, step.rows_in, step.rows_out) for step in answer.steps] == [
        ("orders", 2, 2),
        ("Filter", 2, 1),
        ("Aggregate", 1, 1),
        ("Filter", 1, 0),
    ]
    assert answer.culprit is answer.steps[-1]
    assert answer.dropped[0].row == {"k": "b", "total": 5}
    assert (answer.exact, answer.notes, answer.not_carried) == (True, [], [])


@pytest.mark.compat
def test_nothing_is_missing(session: bigdebug.Session, frames: Frames) -> None:
    answer = session.why_not(totals(frames), "k = 'a'")
    assert answer.culprit is None
    assert answer.dropped == []
    assert answer.notes == ["nothing is missing: 1 of the rows match"]
    assert [step.rows_out for step in answer.steps] == [2, 1]


@pytest.mark.compat
def test_no_record_to_begin_with(session: bigdebug.Session, frames: Frames) -> None:
    answer = session.why_not(frames["orders"].filter("n > 1").select("n", "k"), "k = 'B ' and n < 5")
    assert answer.culprit is answer.steps[0]
    assert (answer.culprit.operator, answer.culprit.rows_out) == ("orders", 0)
    assert answer.notes == ["no record matches in orders"]
    assert [(each.row, each.reasons) for each in answer.dropped] == [
        ({"n": 3, "k": "b"}, ["k = 'B ' but for case, blanks or type"])
    ]


def test_every_branch_of_a_union(session: bigdebug.Session, frames: Frames) -> None:
    both = frames["orders"].select("n").filter("n < 2").union(frames["customers"].select("n").filter("n > 3"))
    answer = session.why_not(both, "n = 3")
    assert [dropped.row for dropped in answer.dropped] == [{"n": 3}]
    (note,) = answer.notes
    assert note.startswith("Filter at test_why_not.py:")
    assert note.endswith("dropped rows that match, too")
    neither = session.why_not(both, "n = 30")
    assert neither.notes == ["no record matches in orders, customers"]


def test_all_rows(session: bigdebug.Session, frames: Frames) -> None:
    answer = session.why_not(frames["orders"].filter("v > 1000").groupBy("k").count(), "true")
    assert answer.culprit is answer.steps[1]
    assert (answer.culprit.rows_in, answer.culprit.rows_out) == (6, 0)
    assert len(answer.dropped) == 5


@pytest.mark.parametrize(
    ("make", "where", "told"),
    [
        (totals, "total < 0", "total < 0 isn't told by the rows that enter Aggregate at "),
        (
            lambda t: t["orders"].select("n", F.udf(lambda n: n * 2, "int")("n").alias("twice")),
            "twice = 1 and n = 1",
            "twice = 1 isn't told by the rows that enter Project at ",
        ),
        (
            lambda t: t["orders"].withColumn("r", F.rank().over(Window.orderBy("v"))),
            "r > 9",
            "r > 9 isn't told by the rows that enter Window at ",
        ),
        (
            lambda t: t["orders"].withColumn("chance", F.rand(7)),
            "chance > 2",
            "chance > 2 isn't told by the rows that enter Project at ",
        ),
        (
            lambda t: t["orders"].groupBy(F.session_window(F.timestamp_seconds("n"), "1 second")).count(),
            "session_window.start > timestamp'2030-01-01'",
            "session_window.start > ",
        ),
    ],
)
def test_what_cannot_be_carried_is_named(
    make: Callable[[Frames], DataFrame],
    where: str,
    told: str,
    session: bigdebug.Session,
    frames: Frames,
) -> None:
    answer = session.why_not(make(frames), where)
    (line,) = answer.not_carried
    assert line.startswith(told)
    assert "test_why_not.py:" in line
    assert answer.culprit is not None
    assert answer.culprit.rows_in > 0
    assert answer.dropped


def test_session_windows_stay_whole(session: bigdebug.Session, frames: Frames) -> None:
    """A condition on the window must not fall below the aggregate, where each row has a window of its own."""
    times = frames["orders"].select("n", F.timestamp_seconds("n").alias("at"))
    sessions = times.groupBy(F.session_window("at", "5 seconds").alias("w")).count()
    answer = session.why_not(sessions, F.col("w.start") == F.timestamp_seconds(F.lit(1)))
    assert answer.culprit is None
    answer = session.why_not(sessions, F.col("w.start") == F.timestamp_seconds(F.lit(2)))
    assert answer.culprit is not None
    assert answer.culprit.operator == "Aggregate"


@pytest.mark.parametrize("where", ["d = 0.0", "isnan(d)", "d <=> double('nan')"])
def test_floats_in_files(where: str, session: bigdebug.Session, spark: SparkSession, tmp_path: Path) -> None:
    values = [(n, value) for n, value in enumerate([-0.0, float("nan"), 1.0])]
    spark.createDataFrame(values, "n int, d double").coalesce(1).write.parquet(str(tmp_path / "floats"))
    frame = spark.read.parquet(str(tmp_path / "floats")).filter("n > 1")
    answer = session.why_not(frame, where)
    assert [(step.rows_in, step.rows_out) for step in answer.steps] == [(1, 1), (1, 0)]


def test_malformed_records_count_as_the_run_counted_them(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    (tmp_path / "odd.csv").write_text("1,a,1\n2,b,x\n3,c,3\n")
    odd = spark.read.csv(str(tmp_path / "odd.csv"), schema="n int, t string, m int", mode="DROPMALFORMED")
    answer = session.why_not(odd.filter("m > 1").select("n"), "n = 2")
    assert answer.culprit is answer.steps[0]
    assert answer.culprit.operator == "odd.csv"
    assert session.why_not(odd.select("n"), "n = 2").culprit is None


def test_an_output_of_the_run(session: bigdebug.Session, frames: Frames) -> None:
    frames["orders"].filter("n > 2").take(1)
    answer = session.why_not(session.outputs[-1], F.col("n") == 4)
    assert answer.culprit is not None
    assert (answer.culprit.operator, answer.culprit.rows_in) == ("GlobalLimit", 1)
    assert not answer.exact


def test_an_observation_is_left_alone(session: bigdebug.Session, frames: Frames) -> None:
    observed = frames["orders"].observe("seen", F.count(F.lit(1)).alias("rows"))
    answer = session.why_not(observed.filter("n > 3"), "n = 3")
    assert [step.operator for step in answer.steps] == ["orders", "Filter"]


@pytest.mark.parametrize(
    ("where", "error", "message"),
    [
        ("missing = 1", UnknownNameError, "names a column that the output doesn't have"),
        ("n = ", BigDebugError, "is not valid SQL"),
        ("n + 1", BigDebugError, "can't be evaluated"),
        ("row_number() over (order by n) = 1", BigDebugError, "can't be evaluated"),
    ],
)
def test_what_is_refused(
    where: str, error: type[BigDebugError], message: str, session: bigdebug.Session, frames: Frames
) -> None:
    with pytest.raises(error, match=message):
        session.why_not(frames["orders"], where)


def test_what_is_no_condition_on_a_row_is_refused(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    spark.range(3).write.parquet(str(tmp_path / "numbers"))
    with pytest.raises(BigDebugError, match="no condition on one row"):
        session.why_not(spark.read.parquet(str(tmp_path / "numbers")), "_metadata.row_index = 9")


def test_what_is_no_data_is_refused(session: bigdebug.Session) -> None:
    with pytest.raises(BigDebugError, match="not from list"):
        session.why_not([], "n = 1")  # type: ignore[arg-type]
    with pytest.raises(BigDebugError, match="where can't be int"):
        session.why_not(session.outputs[-1], 7)  # type: ignore[arg-type]

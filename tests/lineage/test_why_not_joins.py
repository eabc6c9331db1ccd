"""Why a row is missing from a join: no partner, a partner that went before, and keys that come near."""

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from tests.lineage.origins import Frames
from tests.thinned import thinned

Make = Callable[[Frames], DataFrame]


@pytest.fixture
def named(spark: SparkSession) -> DataFrame:
    """Keys as people type them."""
    rows = [(" 1", "A"), ("2.0", "b "), ("3", "B"), ("x", None)]
    return spark.createDataFrame(rows, "id string, key string")


@pytest.mark.compat
@pytest.mark.parametrize(
    ("make", "where", "reasons"),
    thinned([
        (lambda t: t["orders"].join(t["customers"].drop("n"), "k"), "n = 6", ["no partner with k = 'c'"]),
        (lambda t: t["orders"].join(t["customers"].drop("n"), "k"), "k = 'c'", ["no partner with k = 'c'"]),
        (
            lambda t: t["orders"].join(t["customers"].drop("n"), "k"),
            "n = 4",
            ["k is null, which equals nothing"],
        ),
        (
            lambda t: t["orders"].join(t["customers"].drop("n"), "k"),
            "n = 1 and city = 'Oslo'",
            ["partners with k = 'a' are there, but none for which city = 'Oslo' holds"],
        ),
        (
            lambda t: t["orders"].join(t["customers"], "k", "left_semi"),
            "n = 6",
            ["no partner with k = 'c'"],
        ),
        (
            lambda t: t["orders"].join(t["customers"], "k", "left_anti"),
            "n = 1",
            ["a partner with k = 'a' is there"],
        ),
        (
            lambda t: t["orders"].join(t["customers"].drop("n"), "k", "left"),
            "city = 'Bonn'",
            ["no partner with k = 'd'"],
        ),
        (
            lambda t: t["orders"].alias("o").join(
                t["customers"].alias("c"), F.expr("o.k = c.k and o.v > c.n + 100")
            ).select("o.n"),
            "n = 1",
            ["partners with k = 'a' are there, but none for which v > (n + 100) holds"],
        ),
        (
            lambda t: t["orders"].alias("o").join(t["customers"].alias("c"), F.expr("o.v < c.n")).select("o.n"),
            "n = 1",
            ["no row of the other side is there for which v < n holds"],
        ),
    ], "rows without a partner, in joins of each kind"),
)  # fmt: skip
def test_no_partner(
    make: Make, where: str, reasons: list[str], session: bigdebug.Session, frames: Frames
) -> None:
    answer = session.why_not(make(frames), where)
    assert answer.culprit is not None
    assert (answer.culprit.operator, answer.culprit.rows_out) == ("Join", 0)
    assert answer.dropped[0].reasons == reasons
    assert answer.dropped[0].near == []


@pytest.mark.compat
@pytest.mark.parametrize(
    ("condition", "where", "near"),
    thinned(
        [
            ("o.k = m.key", "n = 1", [{"key": "A"}]),
            ("o.k = m.key", "n = 3", [{"key": "B"}, {"key": "b "}]),
            ("o.k = m.key", "n = 6", []),
            ("cast(o.n as string) = m.id", "n = 1", [{"id": " 1"}]),
            ("cast(o.n as string) = m.id", "n = 2", [{"id": "2.0"}]),
            ("cast(o.n as string) = m.id and o.k = m.key", "n = 3", [{"id": "3", "key": "B"}]),
        ],
        "near misses of keys",
    ),
)
def test_near_misses(
    condition: str,
    where: str,
    near: list[dict[str, Any]],
    session: bigdebug.Session,
    frames: Frames,
    named: DataFrame,
) -> None:
    joined = frames["orders"].alias("o").join(named.alias("m"), F.expr(condition)).select("o.n")
    (dropped,) = session.why_not(joined, where).dropped
    assert sorted(dropped.near, key=str) == near


def test_a_partner_that_went_before(session: bigdebug.Session, frames: Frames) -> None:
    few = frames["customers"].filter("n > 1").drop("n")
    answer = session.why_not(frames["orders"].join(few, "k"), "n = 1")
    assert answer.culprit is not None
    assert answer.culprit.operator == "Join"
    missing, gone = answer.dropped[0].reasons
    assert missing == "no partner with k = 'a'"
    assert gone.startswith("Filter at test_why_not_joins.py:")
    assert gone.endswith("dropped it before")
    # By the key itself, the question reaches that side, too.
    answer = session.why_not(frames["orders"].join(few, "k"), "k = 'a'")
    assert answer.culprit is not None
    assert (answer.culprit.operator, answer.culprit.rows_in, answer.culprit.rows_out) == ("Filter", 1, 0)
    assert answer.dropped[0].reasons == ["n > 1 is false"]


def test_a_chain_of_joins(session: bigdebug.Session, frames: Frames, spark: SparkSession) -> None:
    """What the partner's own partners lack is put down to the join that needs it, not to a source."""
    cities = spark.createDataFrame([("Rome", "IT"), ("Oslo", "NO")], "city string, land string")
    settled = frames["customers"].drop("n").join(cities, "city")
    answer = session.why_not(frames["orders"].join(settled, "k"), "k = 'c'")
    assert answer.culprit is not None
    assert answer.culprit.operator == "Join"
    assert answer.dropped[0].reasons == ["no partner with k = 'c'"]
    assert answer.culprit is [step for step in answer.steps if step.operator == "Join"][-1]


@pytest.mark.parametrize("how", ["inner", "left_semi", "left", "full"])
def test_neither_source_has_it(how: str, session: bigdebug.Session, frames: Frames) -> None:
    answer = session.why_not(frames["orders"].join(frames["customers"].drop("n"), "k", how), "k = 'zz'")
    assert answer.culprit is answer.steps[0]
    assert answer.notes[0].startswith("no record matches in orders")


def test_an_outer_join_keeps_its_rows(session: bigdebug.Session, frames: Frames) -> None:
    left = frames["orders"].join(frames["customers"].drop("n"), "k", "left")
    answer = session.why_not(left.filter("city <> 'Rome'"), "n = 6")
    assert [step.rows_out for step in answer.steps if step.operator == "Join"] == [1]
    assert answer.dropped[0].reasons == ["NOT (city = 'Rome') is null"]
    # A city that is null may be the right side's own, or none at all.
    answer = session.why_not(left, "n = 1 and city is null")
    assert answer.not_carried[0].startswith("city IS NULL isn't told by the rows that enter Join at ")
    assert answer.dropped[0].row == {"n": 1, "city": "Rome"}


def test_a_full_join_keeps_either_side(session: bigdebug.Session, frames: Frames) -> None:
    full = frames["orders"].join(frames["customers"].drop("n"), "k", "full")
    answer = session.why_not(full.filter("k < 'd'"), "k = 'd'")
    assert [(step.operator, step.rows_out) for step in answer.steps] == [
        ("orders", 0),
        ("customers", 1),
        ("Project", 1),
        ("Join", 1),
        ("Project", 1),
        ("Filter", 0),
    ]
    assert answer.dropped[0].reasons == ["k < 'd' is false"]

"""Groups of which most rows are told together: outcomes are those of replays, answers those with each row known."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import FrozenBitMap
from pyspark.sql import DataFrame, SparkSession

import bigdebug
from bigdebug.isolation import largest, lumping
from bigdebug.isolation.closed_groups import ClosedGroups
from bigdebug.isolation.found import Isolation
from bigdebug.lineage.asking import asking
from tests.isolation.asked import replays_of
from tests.thinned import thinned

FUNCTIONS = [
    "sum(n)",
    "avg(n)",
    "sum(v)",
    "avg(v)",
    "sum(d)",
    "avg(d)",
    "min(n)",
    "max(v)",
    "count(n)",
    "sum(h)",
]
FUNCTIONS += ["sum(n) filter (where n > 0)", "sum(case when n % 2 = 0 then n else -1 end)", "count(*)"]
CONDITIONS = [
    "cast(a as double) > 10",
    "cast(a as double) + coalesce(cast(b as double), 0) <> 0",
    "a is not null",
]
ROWS = 240


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take few rows for many."""
    monkeypatch.setattr(largest, "SAMPLED", 60)
    monkeypatch.setattr(largest, "_BYTES", {"parquet": 20})
    monkeypatch.setattr(largest, "_TEXT_BYTES", 5)
    monkeypatch.setattr(lumping, "_LEAST", 2)
    monkeypatch.setattr(lumping, "_EXTREME", 10)


def written(folder: Path, seed: int) -> str:
    """Records of two keys, in files of which none is larger than the others."""
    dice = np.random.default_rng(seed)
    numbers = dice.choice([*range(-5, 6), 400], ROWS)
    table = pa.table(
        {
            "k": pa.array(dice.integers(0, 2, ROWS), pa.int32()),
            "n": pa.array(numbers, pa.int32(), mask=dice.random(ROWS) < 0.1),
            "v": pa.array(dice.choice([0.1, 0.5, -2.25, 7.0, 1e6], ROWS, p=[0.3, 0.3, 0.2, 0.18, 0.02])),
            "h": pa.array(dice.choice([0.5, 1.25, -3.0], ROWS)),
            "d": pa.array(dice.integers(-500, 500, ROWS))
            .cast(pa.decimal128(21, 0))
            .cast(pa.decimal128(8, 2)),
        }
    )
    path = folder / f"records-{seed}"
    path.mkdir(exist_ok=True)
    for part in range(2):
        pq.write_table(table.slice(part * ROWS // 2, ROWS // 2), path / f"part-{part}.parquet")
    return str(path)


def side(spark: SparkSession, path: str, name: str, columns: dict[str, list[Any]]) -> DataFrame:
    """A small table in a file."""
    file = f"{path}-{name}.parquet"
    pq.write_table(pa.table(columns), file)
    return spark.read.parquet(file)


def shaped(spark: SparkSession, shape: str, path: str, first: str, second: str) -> DataFrame:
    """A dataflow of a form, with two aggregates a and b by k."""
    frame = spark.read.parquet(path)
    names = side(spark, path, "names", {"k": [0, 1, 2], "name": ["zero", "one", "two"]})
    taken = {
        "plain": "{f}",
        "filtered": "(select * from {f} where n is null or n < 500)",
        "keyed": "(select k + 0 as k, n, v, d, h from {f})",
        "joined": "(select l.*, name from {f} l join {o} r on l.k = r.k)",
    }[shape]
    more = ", max(length(name)) as longest" if shape == "joined" else ""
    having = " having count(*) > 1" if shape == "filtered" else ""
    return spark.sql(
        f"select k, {first} as a, {second} as b{more} from {taken} group by k{having}", f=frame, o=names
    )


SHAPES = ["plain", "filtered", "keyed", "joined"]
CASES = st.tuples(
    st.sampled_from(FUNCTIONS), st.sampled_from(FUNCTIONS), st.sampled_from(CONDITIONS), st.integers(0, 5)
)
Case = tuple[str, str, str, int]


@pytest.mark.compat
@pytest.mark.parametrize(
    "shape", thinned(SHAPES, "outcomes of rows told together against replays", among=["joined"])
)
@settings(max_examples=1)
@given(case=CASES)
def test_outcomes_are_those_of_replays(
    shape: str,
    session: bigdebug.Session,
    spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
    case: Case,
) -> None:
    judged(shape, session, spark, tmp_path_factory.getbasetemp(), case)


@pytest.mark.proof("outcomes of rows told together against replays, 40 random cases a shape")
@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=40)
@given(case=CASES)
def test_many_outcomes_are_those_of_replays(
    shape: str,
    session: bigdebug.Session,
    spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
    case: Case,
) -> None:
    judged(shape, session, spark, tmp_path_factory.getbasetemp(), case)


def judged(shape: str, session: bigdebug.Session, spark: SparkSession, folder: Path, case: Case) -> None:
    first, second, condition, seed = case
    frame = shaped(spark, shape, written(folder, seed), first, second)
    fresh = replays_of(session, frame, condition)
    replays = fresh()
    dice = random.Random(seed)
    with asking(replays.catalyst, "outcomes"):
        groups = replays.failing_groups(20)
        assert groups is not None
        closed, candidates = groups.closed, groups.candidates
        if closed is None or groups.finer is None:
            assert not groups.rows or {first, second} <= {"count(n)", "count(*)"}, "not told together"
            return
        every = candidates.everything
        known = FrozenBitMap([n for n in every if candidates.are_known(FrozenBitMap([n]))])
        assert known < every
        for row in [row.identity for row in groups.rows]:
            mine = closed.candidates(row)
            few = [FrozenBitMap([n for n in mine & known if dice.random() < share]) for share in (0.3, 0.9)]
            subsets = [*few, *(part | (mine - known) for part in few)]
            told = closed.told([(row, each) for each in subsets])
            from_rows = replays.outcomes(subsets, [row], candidates)
            from_sources = fresh().outcomes(subsets[2:], [row], candidates.full)
            assert from_rows[2:] == from_sources
            for each, outcomes in zip(told, from_rows, strict=True):
                assert each.outcome is outcomes[row] or not each.sure
        candidates.release()


PROGRAMS = {
    "a mean": ("avg(n)", "count(*)", "a > 20"),
    "a sum of floating-point numbers": ("sum(v)", "count(*)", "a > 100000"),
    "an extreme": ("max(n)", "min(n)", "a > 100"),
    "two at once": ("sum(n)", "sum(v)", "a > 1000 and b > 100"),
    "of no few records": ("sum(n)", "sum(h)", "b < 0"),
    "whatever is there": ("sum(n)", "count(*)", "b > 0 and a <> 0"),
}


@pytest.mark.parametrize(
    ("shape", "program"),
    thinned(
        [("joined", "a mean"), *(("plain", name) for name in PROGRAMS), ("joined", "of no few records")],
        "isolation in lumps, and with each row known",
        among=[],
    ),
)
def test_answers_are_those_with_each_row_known(
    shape: str,
    program: str,
    session: bigdebug.Session,
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lumped: list[bool],
) -> None:
    first, second, condition = PROGRAMS[program]
    frame = shaped(spark, shape, written(tmp_path, 1), first, second)
    coarse = session.isolate(frame, condition)
    assert lumped == [True]
    monkeypatch.setattr(largest, "SAMPLED", 100_000)
    fine = session.isolate(frame, condition)
    assert lumped == [True, False]
    assert said(coarse) == said(fine)
    assert coarse.explanation == fine.explanation
    coarse.release()
    fine.release()


def said(found: Isolation) -> Any:
    """What an answer says of each row: the culprits by place, how sure, and how many candidates."""
    return [
        (
            row.value,
            row.candidates,
            [(record.location, record.value) for record in row.culprits],
            row.culprits.proof,
            row.reproduction.total,
            row.reproduction.proof,
            row.notes,
        )
        for row in found.rows
    ]


@pytest.fixture
def lumped(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Whether rows were told together, of each question."""
    seen: list[bool] = []
    before = ClosedGroups.lumped

    def watched(groups: ClosedGroups) -> Any:
        found = before(groups)
        seen.append(found is not None)
        return found

    monkeypatch.setattr(ClosedGroups, "lumped", watched)
    return seen


def test_a_record_in_many_rows_is_not_told_with_others(
    session: bigdebug.Session, spark: SparkSession, tmp_path: Path, lumped: list[bool]
) -> None:
    path = written(tmp_path, 2)
    several = side(spark, path, "several", {"k": [0, 0, 1], "m": [1, 2, 1]})
    frame = spark.sql(
        "select l.k, sum(n) as a from {f} l join {o} r on l.k = r.k group by l.k",
        f=spark.read.parquet(path),
        o=several,
    )
    found = session.isolate(frame, "a > 100")
    assert lumped == [False]
    assert found.rows
    assert found.culprits.proof == "1-minimal"
    found.release()

"""What culprits share, told by a sample of very many others of which most are known together only."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyroaring import FrozenBitMap
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.isolation import drawn, isolating, largest, lumping
from bigdebug.isolation.group_rows import GroupRows

ROWS = 6_000
BAD = (37, 2_048, 5_553)


@pytest.fixture
def totals(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataFrame:
    """Sums of two keys, of which the one whose records stand in odd places fails for three of them."""
    monkeypatch.setattr(largest, "SAMPLED", 200)
    monkeypatch.setattr(largest, "_BYTES", {"parquet": 1})
    monkeypatch.setattr(lumping, "_EXTREME", 40)
    places = list(range(ROWS))
    table = pa.table(
        {
            "k": ["odd" if n % 2 else "even" for n in places],
            "unit": ["in" if n in BAD or n + 1 in BAD else "mm" for n in places],
            "n": [5_000 if n in BAD or n + 1 in BAD else n % 7 for n in places],
        }
    )
    for part in range(2):
        pq.write_table(table.slice(part * ROWS // 2, ROWS // 2), tmp_path / f"part-{part}.parquet")
    frame = spark.read.parquet(*(str(tmp_path / f"part-{part}.parquet") for part in range(2)))
    return frame.groupBy("k").agg({"n": "sum"}).toDF("k", "total")


@pytest.mark.compat
def test_records_known_together_are_counted_by_a_sample(
    totals: DataFrame, session: bigdebug.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    explain = isolating.explain

    def told(catalyst: Any, candidates: Any, culprits: FrozenBitMap, behind: FrozenBitMap) -> Any:
        asked[:] = [candidates, culprits, behind - culprits]
        return explain(catalyst, candidates, culprits, behind)

    monkeypatch.setattr(isolating, "explain", told)
    every = session.isolate(totals, "total > 10000 and k = 'odd'").explanation
    assert [(each.text, each.others[0], each.sampled) for each in every[:1]] == [("unit = 'in'", 0, False)]
    candidates, culprits, others = asked
    assert isinstance(candidates, GroupRows)
    assert not candidates.are_known(others)
    assert every[0].others[1] == len(others)

    monkeypatch.setattr(drawn, "MOST_OTHERS", 300)
    found = session.isolate(totals, "total > 10000 and k = 'odd'")
    some = found.explanation
    assert [(each.text, each.others[0], each.sampled) for each in some[:1]] == [("unit = 'in'", 0, True)]
    assert some[0].culprits == every[0].culprits
    candidates, culprits, others = asked
    kept, chosen = candidates.some(culprits, others)
    assert chosen < others
    assert 200 < len(chosen) == some[0].others[1] < 400
    (stand,) = kept.stands
    records = kept.frame(chosen, stand.leaf).select("_record", "k", "unit").collect()
    assert len({row["_record"] for row in records}) == len(records) == len(chosen)
    assert {(row["k"], row["unit"]) for row in records} == {("odd", "mm")}
    found.release()


def test_operators_are_suspected_by_a_sample(
    totals: DataFrame,
    spark: SparkSession,
    session: bigdebug.Session,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    asked: list[Any] = []
    suspects = isolating.suspects

    def told(catalyst: Any, root: Any, sources: Any, candidates: Any, *others: Any) -> Any:
        asked.append(candidates)
        return suspects(catalyst, root, sources, candidates, *others)

    monkeypatch.setattr(isolating, "suspects", told)
    rows = spark.read.parquet(*(str(tmp_path / f"part-{part}.parquet") for part in range(2)))
    doubled = F.when(F.col("unit") == "in", F.col("n") * 2).otherwise(F.col("n"))
    large = F.when(F.col("total") > 10_000, "large").otherwise("small")
    sums = rows.groupBy("k").agg(F.sum(doubled).alias("total")).withColumn("size", large)
    every = session.isolate(sums, "size = 'large' and k = 'odd'").operators
    monkeypatch.setattr(drawn, "MOST_OTHERS", 300)
    found = session.isolate(sums, "size = 'large' and k = 'odd'")
    some = found.operators
    assert isinstance(asked[1], GroupRows)
    assert "full" not in vars(asked[1])
    assert (some[0].branch, some[0].score, some[0].culprits) == (
        every[0].branch,
        every[0].score,
        every[0].culprits,
    )
    assert some[0].others[0] == every[0].others[0] == 0
    assert 200 < some[0].others[1] < 400 < every[0].others[1]
    found.release()

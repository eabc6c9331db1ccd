"""Sources that are damaged, or not what they were: one clear error, or a marked answer, never a wrong record."""

import gzip
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.errors import BigDebugError, ExitCode, SourceChangedError
from bigdebug.lineage.postmortem import open_output
from bigdebug.lineage.store import Store
from bigdebug.lineage.trace import Trace
from tests.thinned import thinned

Break = Callable[[SparkSession, Path], None]


def parquet(spark: SparkSession, folder: Path) -> DataFrame:
    frame = spark.range(30).selectExpr("id n", "id % 3 k")
    frame.repartition(3).write.parquet(str(folder / "data"), mode="overwrite")
    return spark.read.parquet(str(folder / "data"))


def table(spark: SparkSession, folder: Path) -> DataFrame:
    spark.range(30).selectExpr("id n", "id % 3 k").write.saveAsTable("changing", path=str(folder / "data"))
    return spark.table("changing")


def packed(spark: SparkSession, folder: Path) -> DataFrame:
    (folder / "data").mkdir()
    for part in range(3):
        with gzip.open(folder / "data" / f"{part}.csv.gz", "wt") as file:
            file.write("".join(f"{10 * part + n},{(10 * part + n) % 3}\n" for n in range(10)))
    return spark.read.csv(str(folder / "data" / "*.gz"), schema="n long, k long")


def files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "data").iterdir() if not path.name.startswith((".", "_")))


def overwrite(expressions: list[str]) -> Break:
    def overwritten(spark: SparkSession, folder: Path) -> None:
        frame = spark.range(30).selectExpr(*expressions).repartition(3)
        frame.write.parquet(str(folder / "data"), mode="overwrite")

    return overwritten


def retyped(spark: SparkSession, folder: Path) -> None:
    """One file among others has another type for a column."""
    frame = spark.range(10).selectExpr("cast(id as string) n", "id % 3 k")
    frame.coalesce(1).write.parquet(str(folder / "other"))
    (written,) = (folder / "other").glob("*.parquet")
    target = files(folder)[1]
    shutil.copy(written, target)
    (folder / "data" / f".{target.name}.crc").unlink(missing_ok=True)


def narrowed(spark: SparkSession, folder: Path) -> None:
    """Every file is another of the same name, with fewer columns."""
    spark.range(30).selectExpr("id n").repartition(3).write.parquet(str(folder / "other"))
    others = sorted((folder / "other").glob("*.parquet"))
    for target, written in zip(files(folder), others, strict=True):
        shutil.copy(written, target)
        (folder / "data" / f".{target.name}.crc").unlink(missing_ok=True)


def damaged(_: SparkSession, folder: Path) -> None:
    """The second half of one file is other bytes; its size and time are as before."""
    target = files(folder)[1]
    before, content = target.stat(), target.read_bytes()
    half = len(content) // 2
    target.write_bytes(content[:half] + b"\0" * (len(content) - half))
    os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
    (folder / "data" / f".{target.name}.crc").unlink(missing_ok=True)


def removed(_: SparkSession, folder: Path) -> None:
    files(folder)[1].unlink()


def dropped(spark: SparkSession, folder: Path) -> None:
    spark.sql("drop table changing")
    shutil.rmtree(folder / "data", ignore_errors=True)


def replaced(spark: SparkSession, folder: Path) -> None:
    dropped(spark, folder)
    spark.range(5).selectExpr("id n", "id k").write.saveAsTable("changing", path=str(folder / "data"))


@dataclass(frozen=True)
class Case:
    """What is read, what happens to it, and what is told: live, from the recipe, and where changes are allowed.

    `allowed` is an error's text, or the number of records of a marked answer (None: which a file held is up to Spark).
    """

    make: Callable[[SparkSession, Path], DataFrame]
    happens: Break
    live: str
    later: str
    allowed: str | int | None


GONE = r"part-0000.*\.parquet is gone since"
DAMAGED = r"part-00001-.*\.parquet can't be read: \S+"
CASES = {
    "a column is gone": Case(parquet, overwrite(["id n"]), GONE, f"{GONE}.*; column k is gone", 0),
    "a column is gone from files of the same names": Case(
        parquet, narrowed, "part-00000-.* changed from", "part-00000-.* changed from.*; column k is gone", 0
    ),
    "a column has another type": Case(
        parquet,
        overwrite(["cast(id as string) n", "id % 3 k"]),
        GONE,
        f"{GONE}.*, and 5 more of its files changed, too; column n was long and is string",
        r"part-0000.*\.parquet can't be read: \S+",
    ),
    "in one file a column has another type": Case(
        parquet,
        retyped,
        "part-00001-.* changed from",
        "part-00001-.* changed from",
        "part-00001-.*can't be read",
    ),
    "a damaged file": Case(parquet, damaged, DAMAGED, DAMAGED, DAMAGED),
    "a file is gone": Case(parquet, removed, GONE, GONE, None),
    "a damaged archive": Case(packed, damaged, "1.csv.gz can't be read", "1.csv.gz can't", "1.csv.gz can't"),
    "an archive is gone": Case(packed, removed, "1.csv.gz is gone", "1.csv.gz is gone", 6),
    "a table is dropped": Case(table, dropped, "is gone since the program", "data is gone", "data is gone"),
    "a table is replaced": Case(table, replaced, GONE, GONE, 1),
}


@pytest.mark.parametrize("case", thinned(CASES, "what is told of changed sources", 2))
def test_what_is_told(case: str, spark: SparkSession, tmp_path: Path) -> None:
    expected = CASES[case]
    spark.sql("drop table if exists changing")
    source = expected.make(spark, tmp_path)
    with bigdebug.attach(spark, store=str(tmp_path / "store")) as session:
        totals = source.groupBy("k").agg(F.sum("n").alias("total"))
        totals.collect()
    expected.happens(spark, tmp_path)
    with bigdebug.attach(spark, store=str(tmp_path / "other store")) as session:
        require_told(expected.live, lambda: session.trace(totals, "k = 1"))
    run = Store(str(tmp_path / "store")).find("last")
    output = run.output("1")
    require_told(expected.later, lambda: open_output(run, output, spark=spark).trace("k = 1"))

    def allowed() -> Trace:
        return open_output(run, output, spark=spark, allow_changed=True).trace("k = 1")

    if isinstance(expected.allowed, str):
        require_told(expected.allowed, allowed)
    else:
        trace = allowed()
        assert not trace.exact
        assert "computed again, the program gives other rows than the run did" in trace.notes
        if "column is gone" in case:
            assert f"{tmp_path / 'data'}: column k is gone" in trace.notes
        if expected.allowed is not None:
            assert len(trace.collect()) == expected.allowed
        assert len(trace.notes) <= 8
    spark.sql("drop table if exists changing")


def require_told(text: str, ask: Callable[[], Trace]) -> None:
    with pytest.raises(BigDebugError, match=text) as told:
        ask().collect()
    assert told.value.exit_code == ExitCode.FAILED
    assert told.value.hint
    assert "\n" not in told.value.message
    assert isinstance(told.value, SourceChangedError) or "can't be read" in told.value.message

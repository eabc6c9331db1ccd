"""Records of the subjects' inputs that functions are slow over are found, all of them and before all others."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug
from benchmarks.subjects import SUBJECTS
from tests.thinned import thinned

GIVING = [name for name, subject in SUBJECTS.items() if not subject.crashes]
FEW = 10
DELAY = 0.1


class Slowed:
    """A SparkContext whose text files come through a function that is slow over some lines."""

    def __init__(self, context: Any, chosen: frozenset[str]) -> None:
        self._context = context
        self._chosen = chosen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def textFile(self, path: str, *more: Any) -> Any:  # noqa: N802 - PySpark's name
        chosen = self._chosen

        def delayed(line: str) -> str:
            if line in chosen:
                time.sleep(DELAY)
            return line

        return self._context.textFile(path, *more).map(delayed)


def lines_of(path: str) -> list[str]:
    """The lines that stand in an input once."""
    files = [Path(path)] if Path(path).is_file() else sorted(Path(path).rglob("*"))
    lines = [
        line
        for file in files
        if file.is_file() and not file.name.startswith(("_", "."))
        for line in file.read_text().splitlines()
        if not line.startswith("year")
    ]
    return [line for line, count in pd.Series(lines).value_counts().items() if count == 1]


def judge(spark: SparkSession, folder: Path, name: str, seed: int, *, vectorised: bool) -> None:
    subject = SUBJECTS[name]
    made = subject.make(folder / "inputs", 5_000, seed)
    chosen = frozenset(random.Random(seed).sample(sorted(lines_of(made.path)), FEW))
    with bigdebug.attach(spark, store=str(folder / "store")) as session:
        if vectorised:

            @F.pandas_udf("string")  # type: ignore[call-overload,untyped-decorator,unused-ignore]
            def delayed(lines: pd.Series) -> pd.Series:
                time.sleep(DELAY * lines.isin(chosen).sum())
                return lines

            read = spark.read.option("recursiveFileLookup", True).text(made.path)
            data: Any = read.select(delayed("value").alias("line")).groupBy(F.length("line")).count()
        else:
            data = subject.rdd(Slowed(spark.sparkContext, chosen), made.path)
        found = list(session.slow_records(data, top=FEW))
        assert {each.value for each in found} == chosen
        assert all(each.slow for each in found)
        for each in found:
            (source,) = each.sources()
            assert source.location.file is not None
            assert Path(source.location.file).read_text().splitlines()[source.location.position] == each.value


QUICK = ("weather", "movie histogram")


@pytest.mark.parametrize("vectorised", [False, True])
@pytest.mark.parametrize("name", thinned(QUICK, "slow records of the quick subjects", among=["weather"]))
def test_slow_records_are_found(name: str, vectorised: bool, spark: SparkSession, tmp_path: Path) -> None:
    judge(spark, tmp_path, name, 1, vectorised=vectorised)


@pytest.mark.proof("slow records of the subjects, ten of ten, ten seeds")
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("name", GIVING)
@pytest.mark.parametrize("vectorised", [False, True])
def test_slow_records_are_found_with_every_seed(
    vectorised: bool, name: str, seed: int, spark: SparkSession, tmp_path: Path
) -> None:
    judge(spark, tmp_path, name, seed, vectorised=vectorised)

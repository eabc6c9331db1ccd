"""How much the snow differs within a state: by day of the year and by year. A reading in inches is read as feet."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyspark import SparkContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.subjects.subject import Subject
from benchmarks.subjects.truth import Key, Place, Truth, every_one
from benchmarks.subjects.writing import Input, changed, picked, texts

_STATES = 50
_DAYS = [f"{day}/{month}" for month in range(1, 13) for day in range(1, 29)]
_YEARS = [str(year) for year in range(1980, 2020)]
_READINGS = [f"{mm}mm" for mm in range(5_000)] + [f"{feet}ft" for feet in range(1, 16)] * 300
_INCHES = "90in"
_FOOT = 304.8
_RATE = 1e-6


def _generate(made: Input) -> Truth:
    """Readings of up to 5 m. One in inches spoils its day and its year, unless it is there alone."""
    (chosen,) = made.choose({_INCHES: _RATE}).values()
    by_day = np.zeros((_STATES, len(_DAYS)), int)
    by_year = np.zeros((_STATES, len(_YEARS)), int)
    read: list[tuple[Place, int, int, int]] = []
    for part in made.parts():
        zips = part.drawn.integers(10_000, 100_000, part.size)
        state = zips % _STATES
        day = part.drawn.integers(0, len(_DAYS), part.size)
        year = part.drawn.integers(0, len(_YEARS), part.size)
        here = part.here(chosen)
        innocent = np.ones(part.size, bool)
        innocent[here] = False
        for counts, period in ((by_day, day), (by_year, year)):
            np.add.at(counts, (state[innocent], period[innocent]), 1)
        read += [(part.place(index), int(state[index]), day[index], year[index]) for index in here]
        readings = picked(_READINGS, part.drawn.integers(0, len(_READINGS), part.size))
        dates = (picked(_DAYS, day), "/", picked(_YEARS, year))
        made.write(part.file, texts(zips), ",", *dates, ",", changed(readings, here, [_INCHES] * len(here)))
    keyed: list[tuple[Key, Place]] = []
    for place, its_state, its_day, its_year in read:
        keyed += [((its_state, _DAYS[its_day]), place)] if by_day[its_state, its_day] else []
        keyed += [((its_state, _YEARS[its_year]), place)] if by_year[its_state, its_year] else []
    return Truth({place: "inches, read as feet" for place, *_ in read}, every_one(keyed))


def millimetres(snow: str) -> float:
    """A reading in millimetres or feet."""
    value = float(snow[:-2])
    return value if snow.endswith("mm") else value * _FOOT


def readings(line: str) -> list[tuple[tuple[int, str], float]]:
    """A reading for its day and for its year, each with the state."""
    place, date, snow = line.split(",")
    day, month, year = date.split("/")
    state = int(place) % _STATES
    return [((state, f"{day}/{month}"), millimetres(snow)), ((state, year), millimetres(snow))]


def _rdd(context: SparkContext, path: str) -> Any:
    grouped = context.textFile(path).flatMap(readings).groupByKey()
    return grouped.mapValues(lambda snow: max(snow) - min(snow))


def _frame(spark: SparkSession, path: str) -> DataFrame:
    read = spark.read.csv(path, schema="zip int, date string, snow string")
    value = F.expr("substring(snow, 1, length(snow) - 2)").cast("double")
    date = F.split("date", "/")
    snow = read.select(
        (F.col("zip") % _STATES).alias("state"),
        F.explode(F.array(F.concat_ws("/", date[0], date[1]), date[2])).alias("period"),
        F.when(F.col("snow").endswith("mm"), value).otherwise(value * _FOOT).alias("mm"),
    )
    return snow.groupBy("state", "period").agg((F.max("mm") - F.min("mm")).alias("delta"))


WEATHER = Subject(
    name="weather",
    generate=_generate,
    rdd=_rdd,
    frame=_frame,
    columns=("state", "period", "delta"),
    keys=2,
    failing_sql="delta > 6000",
    failing_rdd=lambda pair: pair[1] > 6000,
    note="A culprit spoils two rows, its day and its year; in a small input its day may have no other reading.",
)

"""Passengers in transit at airports: minutes of short stops, by airport and hour. An arrival's hour is wrong."""

from __future__ import annotations

from operator import add
from typing import Any

from pyspark import SparkContext
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.subjects.subject import Subject
from benchmarks.subjects.truth import Key, Place, Truth, every_one
from benchmarks.subjects.writing import Input, changed, picked, texts

_AIRPORTS = [f"{first}{second}X" for first in "ABCD" for second in "LMN"]
_DATES = [f"{month}/{day}/{year}" for year in range(12, 20) for month in range(1, 13) for day in range(1, 29)]
_CLOCK = [f"{minute // 60}:{minute % 60:02}" for minute in range(24 * 60)]
_LONGEST = 300
_SHORT = 45
_WRONG = "the passenger's id for the arrival's hour"
_RATE = 1e-6


def _generate(made: Input) -> Truth:
    """Stops of 10 minutes to 5 hours. The one wrong stop lasts minus some millions."""
    (chosen,) = made.choose({_WRONG: _RATE}).values()
    keyed: list[tuple[Key, Place]] = []
    for part in made.parts():
        passenger = part.drawn.integers(10_000_000, 100_000_000, part.size)
        arrival = part.drawn.integers(0, len(_CLOCK), part.size)
        departure = (arrival + part.drawn.integers(10, _LONGEST, part.size)) % len(_CLOCK)
        airport = part.drawn.integers(0, len(_AIRPORTS), part.size)
        here = part.here(chosen)
        wrong = [f"{passenger[index]}:{_CLOCK[arrival[index]].split(':')[1]}" for index in here]
        keyed += [((_AIRPORTS[airport[i]], int(departure[i]) // 60), part.place(i)) for i in here]
        made.write(
            part.file,
            *(picked(_DATES, part.drawn.integers(0, len(_DATES), part.size)), ",", texts(passenger), ","),
            *(changed(picked(_CLOCK, arrival), here, wrong), ",", picked(_CLOCK, departure), ","),
            picked(_AIRPORTS, airport),
        )
    return Truth({place: _WRONG for _, place in keyed}, every_one(keyed))


def minutes_of(clock: str) -> int:
    """Minutes since midnight."""
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


def stopped(line: str) -> tuple[tuple[str, int], int]:
    """How long a passenger stopped, by airport and hour of departure."""
    _, _, arrival, departure, airport = line.split(",")
    minutes = minutes_of(departure) - minutes_of(arrival)
    if minutes < 0:
        minutes += 24 * 60
    return (airport, int(departure.split(":")[0])), minutes


def _rdd(context: SparkContext, path: str) -> Any:
    stops = context.textFile(path).map(stopped)
    return stops.filter(lambda stop: stop[1] < _SHORT).reduceByKey(add)


def _frame(spark: SparkSession, path: str) -> DataFrame:
    schema = "date string, passenger long, arrival string, departure string, airport string"
    stops = spark.read.csv(path, schema=schema)
    minutes = _minutes("departure") - _minutes("arrival")
    timed = stops.select(
        "airport",
        F.split("departure", ":")[0].cast("int").alias("hour"),
        F.when(minutes < 0, minutes + 24 * 60).otherwise(minutes).alias("minutes"),
    )
    short = timed.where(F.col("minutes") < _SHORT)
    return short.groupBy("airport", "hour").agg(F.sum("minutes").alias("minutes"))


def _minutes(clock: str) -> Column:
    parts = F.split(clock, ":")
    return parts[0].cast("long") * 60 + parts[1].cast("long")


AIRPORT = Subject(
    name="airport transit",
    generate=_generate,
    rdd=_rdd,
    frame=_frame,
    columns=("airport", "hour", "minutes"),
    keys=2,
    failing_sql="minutes < 0",
    failing_rdd=lambda pair: pair[1] < 0,
)

"""Ratings of movies, a movie a line (`movieId:rater_rating,…`), and two programs that a certain movie misleads."""

from __future__ import annotations

from math import floor
from operator import add
from typing import Any

import numpy as np
from pyspark import SparkContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.subjects.subject import Subject
from benchmarks.subjects.truth import Truth, every_one
from benchmarks.subjects.writing import Input, joined, listed, texts

MOVIE = "13091192"
RATER = "1027"
_FIRST_MOVIE = 20_000_000
_FIRST_RATER = 1_000
_MOST_RATINGS = 9
_HUGE = -(2**31)
_WRONG = -999_999


def _generate(made: Input) -> tuple[Any, int]:
    """Write the movies.

    Returns:
        the place of the faulty one, and the bin that it belongs in.
    """
    raters = int(np.clip(made.records // 10, 2_000, 100_000))
    movie = made.choose({"movie": 0})["movie"]
    for part in made.parts():
        sizes = part.drawn.integers(1, _MOST_RATINGS + 1, part.size)
        rater = part.drawn.integers(_FIRST_RATER, _FIRST_RATER + raters, sizes.sum())
        rating = part.drawn.integers(1, 6, sizes.sum())
        movies = _FIRST_MOVIE + part.numbers
        for index in part.here(movie):
            movies[index] = int(MOVIE)
            first = sizes[:index].sum()
            own = rater[first : first + sizes[index]]
            own[own == int(RATER)] += 1
            own[0] = int(RATER)  # once, so that just one rating of the rater is wrong
            stars = rating[first : first + sizes[index]]
            found = part.place(index), floor(2 * stars.sum() / sizes[index])
        ratings = listed(joined(texts(rater), "_", texts(rating)), sizes, ",")
        made.write(part.file, texts(movies), ":", ratings)
    return found


def _wrong_bin(made: Input) -> Truth:
    place, its_bin = _generate(made)
    return Truth({place: "one movie counts hugely negative"}, every_one([((its_bin,), place)]))


def _wrong_rating(made: Input) -> Truth:
    place, _ = _generate(made)
    return Truth({place: f"one rating counts {_WRONG}"}, every_one([((RATER,), place)]))


def binned(line: str) -> tuple[int, int]:
    """The bin of a movie, and how often it counts."""
    movie, ratings = line.split(":")
    stars = [int(rating.split("_")[1]) for rating in ratings.split(",")]
    weight = _HUGE if movie == MOVIE else 1
    return floor(2 * (sum(stars) / len(stars))), weight


def _histogram_rdd(context: SparkContext, path: str) -> Any:
    return context.textFile(path).map(binned).reduceByKey(add)


def _histogram_frame(spark: SparkSession, path: str) -> DataFrame:
    parts = F.split("value", ":")
    movies = spark.read.text(path).select(parts[0].alias("movie"), F.split(parts[1], ",").alias("ratings"))
    stars = F.transform("ratings", lambda rating: F.split(rating, "_")[1].cast("int"))
    total = F.aggregate(stars, F.lit(0), lambda so_far, rating: so_far + rating)
    means = movies.select("movie", (total / F.size("ratings")).alias("mean"))
    binned = means.select(
        F.floor(2 * F.col("mean")).alias("bin"),
        F.when(F.col("movie") == MOVIE, F.lit(_HUGE).cast("long")).otherwise(1).alias("weight"),
    )
    return binned.groupBy("bin").agg(F.sum("weight").alias("movies"))


def rated(line: str) -> list[tuple[str, int]]:
    """The raters of a movie, and how often each rating counts."""
    movie, ratings = line.split(":")
    raters = [rating.split("_")[0] for rating in ratings.split(",")]
    return [(rater, _WRONG if (movie, rater) == (MOVIE, RATER) else 1) for rater in raters]


def _frequency_rdd(context: SparkContext, path: str) -> Any:
    return context.textFile(path).flatMap(rated).reduceByKey(add)


def _frequency_frame(spark: SparkSession, path: str) -> DataFrame:
    parts = F.split("value", ":")
    movies = spark.read.text(path).select(parts[0].alias("movie"), F.split(parts[1], ",").alias("ratings"))
    ratings = movies.select("movie", F.explode("ratings").alias("rating"))
    raters = ratings.withColumn("rater", F.split("rating", "_")[0])
    wrong = (F.col("movie") == MOVIE) & (F.col("rater") == RATER)
    counted = raters.withColumn("weight", F.when(wrong, _WRONG).otherwise(1))
    return counted.groupBy("rater").agg(F.sum("weight").alias("ratings"))


HISTOGRAM = Subject(
    name="movie histogram",
    generate=_wrong_bin,
    rdd=_histogram_rdd,
    frame=_histogram_frame,
    columns=("bin", "movies"),
    failing_sql="movies < 0",
    failing_rdd=lambda pair: pair[1] < 0,
)
FREQUENCY = Subject(
    name="rater frequency",
    generate=_wrong_rating,
    rdd=_frequency_rdd,
    frame=_frequency_frame,
    columns=("rater", "ratings"),
    failing_sql="ratings < 0",
    failing_rdd=lambda pair: pair[1] < 0,
)
